/* SPDX-License-Identifier: MIT */
/* Options: the kernel's, but for the few that would make it block behind our back. */
#include "option.h"

#include "ancillary.h"
#include "descriptors.h"
#include "detached.h"

#include <errno.h>
#include <netinet/in.h>
#include <soq/option.h>
#include <soq/poll.h>
#include <string.h>

/*
 * The kernel never hears of a linger time: close(2) would block for it, and so
 * would IORING_OP_CLOSE inside enter. It is kept here and acts at the close; the
 * op of a close in the background is made now, so that no close can fail for
 * memory. A detached socket lingers as close(2) does.
 */
int soqi_linger_set(struct soq_socket *s, int32_t linger_s)
{
	if (linger_s > 0 && s->linger_op == NULL && !soqi_is_detached(s)) {
		s->linger_op = soqi_alloc(s->loop, sizeof(*s->linger_op));
		if (s->linger_op == NULL)
			return -ENOMEM;
	}
	if (soqi_is_detached(s))
		soqi_detached_enter(s);
	s->linger_s = linger_s;
	if (soqi_is_detached(s)) {
		soqi_linger_tell(s, s->linger_s);
		soqi_detached_leave(s);
	}
	return 0;
}

int32_t soqi_linger_get(struct soq_socket *s)
{
	int32_t linger_s;

	if (!soqi_is_detached(s))
		return s->linger_s;
	soqi_detached_lock(s);
	linger_s = s->linger_s;
	soqi_detached_unlock(s);
	return linger_s;
}

void soqi_reuse_chosen(struct soq_socket *s)
{
	if (soqi_is_detached(s))
		soqi_detached_lock(s);
	s->reuse_chosen = true;
	if (soqi_is_detached(s))
		soqi_detached_unlock(s);
}

static int linger_set(struct soq_socket *s, const void *value, uint32_t size_bytes)
{
	struct linger linger;

	if (size_bytes != sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	if (linger.l_onoff == 0)
		return soqi_linger_set(s, -1);
	if (linger.l_linger < 0 || linger.l_linger > SOQI_LINGER_MAX_S)
		return -ERANGE;
	return soqi_linger_set(s, linger.l_linger);
}

static int linger_get(struct soq_socket *s, void *value, uint32_t size_bytes)
{
	int32_t linger_s = soqi_linger_get(s);
	const struct linger linger = { .l_onoff = linger_s >= 0,
				       .l_linger = linger_s >= 0 ? linger_s : 0 };

	if (size_bytes < sizeof(linger))
		return -EINVAL;
	memcpy(value, &linger, sizeof(linger));
	return (int)sizeof(linger);
}

/* SO_ERROR read behind our back would take a reset from the lanes. */
static int error_get(struct soq_socket *s, void *value, uint32_t size_bytes)
{
	int32_t kept = 0;
	int error = soq_socket_take_error(s, &kept);
	int positive = -kept;

	if (error != 0)
		return error;
	if (size_bytes > sizeof(positive))
		size_bytes = sizeof(positive);
	memcpy(value, &positive, size_bytes);
	return (int)size_bytes;
}

/* Each has a second name, whose times have 64 bits everywhere; the headers may be older. */
#if !defined(SO_RCVTIMEO_OLD) || !defined(SO_RCVTIMEO_NEW)
#define SO_RCVTIMEO_OLD SO_RCVTIMEO
#define SO_SNDTIMEO_OLD SO_SNDTIMEO
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

static bool is_timeout(int level, int name)
{
	return level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW ||
				       name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW);
}

/* It would change the socket's family, which everything here goes by. */
static bool is_change_of_family(int level, int name)
{
	return level == IPPROTO_IPV6 && name == IPV6_ADDRFORM;
}

int soq_option_set(struct soq_socket *s, int level, int name, const void *value,
		   uint32_t size_bytes)
{
	int error;

	if (value == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (is_timeout(level, name) || is_change_of_family(level, name))
		return -ENOPROTOOPT;
	if (level == SOL_SOCKET && name == SO_LINGER)
		return linger_set(s, value, size_bytes);
	if (setsockopt(s->fd, level, name, value, size_bytes) != 0)
		return -errno;
	if (level == SOL_SOCKET && name == SO_PASSCRED)
		soqi_credentials_note(s);
	if (level == SOL_SOCKET && name == SO_REUSEADDR)
		soqi_reuse_chosen(s);
	return 0;
}

struct info_option {
	uint32_t info; /* SOQ_INFO_* */
	int family;    /* whose it is; 0: both */
	int level;
	int name;
};

/* An IPv6 socket that takes IPv4 tells its address as a mapped one, but its class as IPv4. */
static const struct info_option info_options[] = {
	{ SOQ_INFO_PACKET, AF_INET, IPPROTO_IP, IP_PKTINFO },
	{ SOQ_INFO_PACKET, AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ SOQ_INFO_ECN, AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS },
	{ SOQ_INFO_ECN, 0, IPPROTO_IP, IP_RECVTOS },
	{ SOQ_INFO_TTL, AF_INET6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
	{ SOQ_INFO_TTL, 0, IPPROTO_IP, IP_RECVTTL },
	{ SOQ_INFO_TIME, 0, SOL_SOCKET, SO_TIMESTAMPNS },
	{ SOQ_INFO_DROPS, 0, SOL_SOCKET, SO_RXQ_OVFL },
	{ SOQ_INFO_SEGMENTS, 0, IPPROTO_UDP, UDP_GRO },
};

static int info_set(const struct soq_socket *s, const struct info_option *option, int on)
{
	int error;

	if (option->family != 0 && option->family != s->family)
		return 0;
	if (setsockopt(s->fd, option->level, option->name, &on, sizeof(on)) == 0)
		return 0;
	error = errno;
	/* Off is what it is where nobody has it, and a raw IPv6 socket meets no IPv4. */
	if (!on || (option->level == IPPROTO_IP && s->family == AF_INET6 && s->type == SOCK_RAW))
		return 0;
	return error == ENOPROTOOPT ? -EOPNOTSUPP : -error;
}

int soq_socket_set_message_info(struct soq_socket *s, uint32_t info)
{
	const unsigned count = sizeof(info_options) / sizeof(info_options[0]);
	int error = soqi_socket_check(s);

	if (error != 0)
		return error;
	if (info & ~SOQI_INFO_ALL)
		return -EINVAL;
	if (s->family == AF_UNIX && (info & ~SOQ_INFO_CREDENTIALS) == 0)
		return soqi_credentials_set(s, info != 0);
	if (!soqi_is_ip_datagram(s) || (info & SOQ_INFO_CREDENTIALS))
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < count && error == 0; i++)
		error = info_set(s, &info_options[i], (info & info_options[i].info) != 0);
	for (unsigned i = 0; i < count && error != 0; i++)
		(void)info_set(s, &info_options[i], 0);
	return error;
}

int soq_option_get(struct soq_socket *s, int level, int name, void *value, uint32_t size_bytes)
{
	socklen_t size = size_bytes;
	int error;

	if (value == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (is_timeout(level, name))
		return -ENOPROTOOPT;
	if (level == SOL_SOCKET && name == SO_LINGER)
		return linger_get(s, value, size_bytes);
	if (level == SOL_SOCKET && name == SO_ERROR)
		return error_get(s, value, size_bytes);
	return getsockopt(s->fd, level, name, value, &size) == 0 ? (int)size : -errno;
}
