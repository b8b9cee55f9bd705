/* SPDX-License-Identifier: MIT */
/* What a socket has for the next receive, and the error it met. */
#include "detached.h"

#include <errno.h>
#include <linux/sockios.h>
#include <soq/poll.h>
#include <sys/ioctl.h>

/* `value_out` is an int, as both requests want it. */
static int ask(const struct soq_socket *s, unsigned long request, int *value_out)
{
	if (ioctl(s->fd, request, value_out) == 0)
		return 0;
	/* What a family does not know is tried on a network interface, and that is none. */
	return errno == ENOTTY || errno == ENODEV ? -EOPNOTSUPP : -errno;
}

int soq_socket_available(struct soq_socket *s, uint64_t *bytes_out)
{
	int bytes = 0;
	int error;

	if (bytes_out == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	/* The families do not agree on it. */
	if (error == 0 && s->phase == SOQI_PHASE_LISTENING)
		error = -EINVAL;
	if (error == 0)
		error = ask(s, FIONREAD, &bytes);
	if (error == 0)
		*bytes_out = bytes > 0 ? (uint64_t)bytes : 0;
	return error;
}

int soq_socket_at_mark(struct soq_socket *s)
{
	int is_there = 0;
	int error = soqi_socket_check(s);

	if (error == 0 && !soqi_is_stream(s))
		error = -EOPNOTSUPP;
	if (error == 0)
		error = ask(s, SIOCATMARK, &is_there);
	return error != 0 ? error : is_there != 0;
}

int soq_socket_take_error(struct soq_socket *s, int32_t *error_out)
{
	int error;

	if (error_out == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (!soqi_is_detached(s))
		return soqi_judge_take(s, error_out);
	/* Whoever is told an end meanwhile sees what was kept, since both are under the lock. */
	soqi_detached_enter(s);
	error = soqi_judge_take(s, error_out);
	soqi_detached_leave(s);
	return error;
}
