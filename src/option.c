/* SPDX-License-Identifier: MIT */
/* Options: the kernel's, but for the few that would make it block behind our back. */
#include <soq/option.h>

#include "detached.h"

#include <errno.h>
#include <string.h>

/*
 * The kernel never hears of a linger time: close(2) would block for it, and so
 * would IORING_OP_CLOSE inside enter. It is kept here and acts at the close; the
 * op of a close in the background is made now, so that no close can fail for
 * memory. A detached socket lingers as close(2) does.
 */
static int linger_set(struct soq_socket *s, const void *value, uint32_t size_bytes)
{
	struct linger linger;

	if (size_bytes != sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	if (linger.l_onoff != 0 && (linger.l_linger < 0 || linger.l_linger > 65535))
		return -ERANGE;
	if (linger.l_onoff != 0 && linger.l_linger > 0 && s->linger_op == NULL &&
	    !soqi_is_detached(s)) {
		s->linger_op = soqi_alloc(s->loop, sizeof(*s->linger_op));
		if (s->linger_op == NULL)
			return -ENOMEM;
	}
	if (soqi_is_detached(s))
		soqi_detached_enter(s);
	s->linger_s = linger.l_onoff != 0 ? linger.l_linger : -1;
	if (soqi_is_detached(s)) {
		soqi_linger_tell(s, s->linger_s);
		soqi_detached_leave(s);
	}
	return 0;
}

static int linger_get(const struct soq_socket *s, void *value, uint32_t size_bytes)
{
	const struct linger linger = { .l_onoff = s->linger_s >= 0,
				       .l_linger = s->linger_s >= 0 ? s->linger_s : 0 };

	if (size_bytes < sizeof(linger))
		return -EINVAL;
	memcpy(value, &linger, sizeof(linger));
	return (int)sizeof(linger);
}

static bool is_timeout(int level, int name)
{
	return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
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
	if (is_timeout(level, name))
		return -ENOPROTOOPT;
	if (level == SOL_SOCKET && name == SO_LINGER)
		return linger_set(s, value, size_bytes);
	return setsockopt(s->fd, level, name, value, size_bytes) == 0 ? 0 : -errno;
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
	return getsockopt(s->fd, level, name, value, &size) == 0 ? (int)size : -errno;
}
