/* SPDX-License-Identifier: MIT */
/* The options of one descriptor, set on another: those that have a name, where they differ. */
#include "option.h"
#include "option_table.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Of Linux 5.14; the C library may be older. */
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#define SEND_BUFFER_CHOSEN    1
#define RECEIVE_BUFFER_CHOSEN 2

/* As the kernel has a value; the largest is an unsigned long, or a name. */
struct raw {
	socklen_t size_bytes;
	unsigned char bytes[SOQ_OPTION_TEXT_MAX];
};

static int raw_get(int fd, const struct soqi_option_place *place, struct raw *raw)
{
	memset(raw, 0, sizeof(*raw));
	raw->size_bytes = sizeof(raw->bytes);
	return getsockopt(fd, place->level, place->name, raw->bytes, &raw->size_bytes) == 0
		       ? 0
		       : -errno;
}

/* What the kernel has of its own for each connection, or another name is for. */
static bool is_no_choice(enum soq_option option)
{
	switch (option) {
	case SOQ_OPTION_EXCLUSIVE:
	case SOQ_OPTION_DONT_FRAGMENT:
	case SOQ_OPTION_QUICK_ACK:
	case SOQ_OPTION_MAX_SEGMENT_BYTES:
	case SOQ_OPTION_INCOMING_CPU:
		return true;
	default:
		return false;
	}
}

/* The kernel sizes buffers itself until somebody does, and doubles what it is told. */
static int buffer_carry(int from, int to, int name, int chosen_bit)
{
	int chosen = 0;
	int size = 0;
	socklen_t size_bytes = sizeof(chosen);

	if (getsockopt(from, SOL_SOCKET, SO_BUF_LOCK, &chosen, &size_bytes) != 0 ||
	    !(chosen & chosen_bit) || getsockopt(from, SOL_SOCKET, name, &size, &size_bytes) != 0)
		return 0;
	size /= 2;
	return setsockopt(to, SOL_SOCKET, name, &size, sizeof(size)) == 0 ? 0 : -errno;
}

static int place_carry(int from, int to, const struct soqi_option_place *place)
{
	struct raw old, fresh;

	/* What this kernel has not, nobody has set. */
	if (raw_get(from, place, &old) != 0 || raw_get(to, place, &fresh) != 0)
		return 0;
	if (old.size_bytes == fresh.size_bytes &&
	    memcmp(old.bytes, fresh.bytes, old.size_bytes) == 0)
		return 0;
	return setsockopt(to, place->level, place->name, old.bytes, old.size_bytes) == 0 ? 0
											 : -errno;
}

static int option_carry(const struct soq_socket *s, int to, enum soq_option option,
			const struct soqi_option_row *row)
{
	uint32_t who = soqi_option_who(s);
	int error = 0;

	for (unsigned i = 0; i < 2 && error == 0; i++)
		if (row->places[i].who & who)
			error = place_carry(s->fd, to, &row->places[i]);
	/* A device's name is its number's. */
	if (error == 0 && option != SOQ_OPTION_DEVICE && (row->text.who & who))
		error = place_carry(s->fd, to, &row->text);
	return error;
}

/* The class of service sets the priority too: so from the last to the first. */
int soqi_options_carry(const struct soq_socket *s, int to)
{
	int error = buffer_carry(s->fd, to, SO_RCVBUF, RECEIVE_BUFFER_CHOSEN);

	if (error == 0)
		error = buffer_carry(s->fd, to, SO_SNDBUF, SEND_BUFFER_CHOSEN);
	for (unsigned i = soqi_option_count(); i-- > 0 && error == 0;) {
		const struct soqi_option_row *row = soqi_option_find((enum soq_option)i);

		if (row == NULL || row->read_only || row->form == SOQI_OPTION_LINGER ||
		    i == SOQ_OPTION_RECEIVE_BUFFER_BYTES || i == SOQ_OPTION_SEND_BUFFER_BYTES ||
		    is_no_choice((enum soq_option)i))
			continue;
		error = option_carry(s, to, (enum soq_option)i, row);
	}
	return error;
}
