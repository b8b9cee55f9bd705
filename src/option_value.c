/* SPDX-License-Identifier: MIT */
/* Options by name: what the table says of one, done. Few have code of their own. */
#include "detached.h"
#include "option.h"
#include "option_table.h"

#include <errno.h>
#include <limits.h>
#include <soq/poll.h>
#include <string.h>

static uint32_t who_of_ip(const struct soq_socket *s)
{
	bool is_ipv6 = s->family == AF_INET6;

	if (soqi_is_udp(s))
		return is_ipv6 ? SOQI_WHO_UDP6 : SOQI_WHO_UDP4;
	if (!soqi_is_connection(s))
		return is_ipv6 ? SOQI_WHO_RAW6 : SOQI_WHO_RAW4;
	if (soqi_is_tcp(s))
		return is_ipv6 ? SOQI_WHO_TCP6 : SOQI_WHO_TCP4;
	return is_ipv6 ? SOQI_WHO_REST6 : SOQI_WHO_REST4;
}

uint32_t soqi_option_who(const struct soq_socket *s)
{
	switch (s->family) {
	case AF_INET:
	case AF_INET6:
		return who_of_ip(s);
	case AF_UNIX:
		return soqi_is_connection(s) ? SOQI_WHO_LOCAL_CONNECTION : SOQI_WHO_LOCAL_DATAGRAM;
	default:
		return soqi_is_connection(s) ? SOQI_WHO_OTHER_CONNECTION : SOQI_WHO_OTHER_DATAGRAM;
	}
}

/* What the kernel has in one place: an int, or an unsigned long. */
union raw {
	int32_t number;
	uint32_t word;
	unsigned long rate;
};

static socklen_t raw_size(const struct soqi_option_row *row)
{
	return row->form == SOQI_OPTION_LONG ? sizeof(unsigned long) : sizeof(int32_t);
}

static int raw_get(const struct soq_socket *s, const struct soqi_option_row *row,
		   const struct soqi_option_place *place, union raw *raw)
{
	socklen_t size = raw_size(row);

	memset(raw, 0, sizeof(*raw));
	return getsockopt(s->fd, place->level, place->name, raw, &size) == 0 ? 0 : -errno;
}

static int64_t scale_of(const struct soqi_option_row *row)
{
	return row->scale != 0 ? row->scale : 1;
}

/* The lowest bit of a field is what its values count in. */
static int32_t field_unit(const struct soqi_option_row *row)
{
	return (int32_t)(row->mask & -row->mask);
}

static int64_t value_from(const struct soqi_option_row *row, union raw raw)
{
	int64_t value = raw.number;

	switch (row->form) {
	case SOQI_OPTION_FLAG:
		return raw.number == row->on;
	case SOQI_OPTION_FIELD:
		return (raw.number & (int32_t)row->mask) / field_unit(row);
	case SOQI_OPTION_WORD:
		return raw.word;
	case SOQI_OPTION_LONG:
		/* No limit is more than a value can be. */
		return raw.rate <= LONG_MAX ? (int64_t)raw.rate : -1;
	default:
		return value >= 0 ? value * scale_of(row) : value;
	}
}

static union raw value_to(const struct soqi_option_row *row, int64_t value)
{
	union raw raw = { .number = 0 };

	if (row->form == SOQI_OPTION_FLAG)
		raw.number = value != 0 ? row->on : row->off;
	else if (row->form == SOQI_OPTION_LONG)
		raw.rate = (unsigned long)value;
	else if (row->form == SOQI_OPTION_WORD)
		raw.word = (uint32_t)value;
	else if (value < 0)
		raw.number = (int32_t)value;
	else
		raw.number = (int32_t)(value / scale_of(row));
	return raw;
}

/* Range and unit; how far a field moves, and what its neighbours are, comes later. */
static int value_check(const struct soqi_option_row *row, int64_t value)
{
	int64_t scale = scale_of(row);

	if (value == -1 && row->minimum < 0)
		return 0;
	if (value < 0 || value > row->maximum * scale || value < row->minimum * scale)
		return -ERANGE;
	return value % scale == 0 ? 0 : -EINVAL;
}

/* IPv4 takes a number or an address, and speaks of the latter when there is no such number. */
static int interface_set(const struct soq_socket *s, const struct soqi_option_place *place,
			 int32_t number)
{
	const struct ip_mreqn request = { .imr_ifindex = number };

	if (setsockopt(s->fd, place->level, place->name, &request, sizeof(request)) == 0)
		return 0;
	return errno == EADDRNOTAVAIL ? -ENODEV : -errno;
}

static int place_set(const struct soq_socket *s, const struct soqi_option_row *row,
		     const struct soqi_option_place *place, int64_t value)
{
	union raw raw = value_to(row, value);
	union raw old;
	int error;

	if (row->form == SOQI_OPTION_FIELD) {
		error = raw_get(s, row, place, &old);
		if (error != 0)
			return error;
		raw.number = (old.number & ~(int32_t)row->mask) | raw.number * field_unit(row);
	}
	if (row->form == SOQI_OPTION_INTERFACE && place->level == IPPROTO_IP)
		return interface_set(s, place, raw.number);
	return setsockopt(s->fd, place->level, place->name, &raw, raw_size(row)) == 0 ? 0 : -errno;
}

/* Whether a place beside another is one that this socket does without (MPTCP). */
static bool is_missing(int error)
{
	return error == -ENOPROTOOPT || error == -EOPNOTSUPP;
}

static int places_set(const struct soq_socket *s, const struct soqi_option_row *row, int64_t value)
{
	const struct soqi_option_place *first = NULL;

	for (unsigned i = 0; i < 2; i++) {
		const struct soqi_option_place *place = &row->places[i];
		int error;

		if ((place->who & soqi_option_who(s)) == 0)
			continue;
		error = place_set(s, row, place, value);
		if (error != 0 && (first == NULL || !is_missing(error)))
			return error;
		first = place;
	}
	return first != NULL ? 0 : -EOPNOTSUPP;
}

static int places_get(const struct soq_socket *s, const struct soqi_option_row *row,
		      int64_t *value_out)
{
	bool found = false;
	int64_t value = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct soqi_option_place *place = &row->places[i];
		union raw raw;
		int error;

		if ((place->who & soqi_option_who(s)) == 0)
			continue;
		error = raw_get(s, row, place, &raw);
		if (error != 0 && (!found || !is_missing(error)))
			return error;
		if (!found)
			value = value_from(row, raw);
		else if (error == 0 && row->form == SOQI_OPTION_FLAG)
			value &= value_from(row, raw);
		found = true;
	}
	*value_out = found ? value : *value_out;
	return found ? 0 : -EOPNOTSUPP;
}

/* The socket, then the option: both are there, and made for each other. */
static int find(struct soq_socket *s, enum soq_option option, const struct soqi_option_row **row)
{
	int error = soqi_socket_check(s);

	if (error != 0)
		return error;
	*row = soqi_option_find(option);
	return *row != NULL ? 0 : -EINVAL;
}

static int find_value(struct soq_socket *s, enum soq_option option,
		      const struct soqi_option_row **row)
{
	int error = find(s, option, row);

	if (error != 0)
		return error;
	if ((*row)->form == SOQI_OPTION_NONE)
		return -EINVAL;
	return (((*row)->places[0].who | (*row)->places[1].who) & soqi_option_who(s)) ? 0
										      : -EOPNOTSUPP;
}

static int find_text(struct soq_socket *s, enum soq_option option,
		     const struct soqi_option_row **row)
{
	int error = find(s, option, row);

	if (error != 0)
		return error;
	if ((*row)->text.who == 0)
		return -EINVAL;
	return ((*row)->text.who & soqi_option_who(s)) ? 0 : -EOPNOTSUPP;
}

/* IPv4's is kept here: the kernel tells an address that nobody has set. */
static int interface_keep(struct soq_socket *s, const struct soqi_option_row *row, int64_t value)
{
	int error;

	if (soqi_is_detached(s))
		soqi_detached_lock(s);
	error = places_set(s, row, value);
	if (error == 0)
		s->multicast_interface = (int32_t)value;
	if (soqi_is_detached(s))
		soqi_detached_unlock(s);
	return error;
}

static int interface_kept(struct soq_socket *s, const struct soqi_option_row *row,
			  int64_t *value_out)
{
	if (s->family == AF_INET6)
		return places_get(s, row, value_out);
	if (soqi_is_detached(s))
		soqi_detached_lock(s);
	*value_out = s->multicast_interface;
	if (soqi_is_detached(s))
		soqi_detached_unlock(s);
	return 0;
}

int soq_socket_set_option(struct soq_socket *s, enum soq_option option, int64_t value)
{
	const struct soqi_option_row *row;
	int error = find_value(s, option, &row);

	if (error == 0 && row->read_only)
		error = -ENOPROTOOPT;
	if (error == 0)
		error = value_check(row, value);
	if (error != 0)
		return error;
	if (row->form == SOQI_OPTION_LINGER)
		return soqi_linger_set(s, value_to(row, value).number);
	if (row->form == SOQI_OPTION_INTERFACE)
		return interface_keep(s, row, value);
	error = places_set(s, row, value);
	if (error == 0 && option == SOQ_OPTION_REUSE_ADDRESS)
		soqi_reuse_chosen(s);
	return error;
}

static int error_taken(struct soq_socket *s, int64_t *value_out)
{
	int32_t taken = 0;
	int error = soq_socket_take_error(s, &taken);

	if (error == 0)
		*value_out = taken;
	return error;
}

int soq_socket_get_option(struct soq_socket *s, enum soq_option option, int64_t *value_out)
{
	const struct soqi_option_row *row;
	int error;

	if (value_out == NULL)
		return -EINVAL;
	error = find_value(s, option, &row);
	if (error != 0)
		return error;
	if (row->form == SOQI_OPTION_ERROR)
		return error_taken(s, value_out);
	if (row->form == SOQI_OPTION_INTERFACE)
		return interface_kept(s, row, value_out);
	if (row->form != SOQI_OPTION_LINGER)
		return places_get(s, row, value_out);
	*value_out = value_from(row, (union raw){ .number = soqi_linger_get(s) });
	return 0;
}

int soq_socket_set_option_text(struct soq_socket *s, enum soq_option option, const char *text)
{
	const struct soqi_option_row *row;
	size_t length;
	int error;

	if (text == NULL)
		return -EINVAL;
	error = find_text(s, option, &row);
	if (error != 0)
		return error;
	length = strnlen(text, SOQ_OPTION_TEXT_MAX);
	if (length == SOQ_OPTION_TEXT_MAX)
		return -ENAMETOOLONG;
	return setsockopt(s->fd, row->text.level, row->text.name, text, (socklen_t)length + 1) == 0
		       ? 0
		       : -errno;
}

int soq_socket_get_option_text(struct soq_socket *s, enum soq_option option, char *text,
			       size_t size_bytes)
{
	char now[SOQ_OPTION_TEXT_MAX] = "";
	const struct soqi_option_row *row;
	socklen_t size = sizeof(now);
	size_t length;
	int error;

	if (text == NULL)
		return -EINVAL;
	error = find_text(s, option, &row);
	if (error != 0)
		return error;
	if (getsockopt(s->fd, row->text.level, row->text.name, now, &size) != 0)
		return -errno;
	length = strnlen(now, sizeof(now) - 1);
	if (size_bytes <= length)
		return -ENOSPC;
	memcpy(text, now, length);
	text[length] = '\0';
	return (int)length;
}
