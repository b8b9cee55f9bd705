/* SPDX-License-Identifier: MIT */
/* Detached sockets: making connections, and taking those that arrive. */
#include "descriptors.h"
#include "detached.h"

#include "endpoint.h"
#include "policed.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* One accepted descriptor, or -errno. The lock is not held. */
static int32_t accept_one(struct soq_socket *s, int64_t until_ns)
{
	const struct soqi_request request = { .kind = SOQI_REQUEST_ACCEPT,
					      .fd = s->fd,
					      .waits = true };

	for (;;) {
		int32_t result = soqi_try(&request);

		if (result >= 0)
			return result;
		if (soqi_accept_is_shortage(result)) {
			if (until_ns == SOQI_FOREVER)
				return result;
			if (!soqi_detached_nap(SOQI_ACCEPT_BACKOFF_NS, until_ns))
				return -ETIMEDOUT;
		} else if (!soqi_accept_is_passing(result)) {
			return result;
		} else if (result == -EAGAIN &&
			   !soqi_detached_wait_for(&request, false, until_ns)) {
			return -ETIMEDOUT;
		}
	}
}

static bool may_arrive(const struct soq_socket *s, const struct soq_socket *target, int fd)
{
	if (soqi_is_policed(s) && !soqi_policed_arrival(s, fd))
		return false;
	return target == NULL || !soqi_is_policed(target) || soqi_policed_arrival(target, fd);
}

/* The same, of those that the policies let in; `target` may be NULL. */
static int32_t accept_let_in(struct soq_socket *s, const struct soq_socket *target,
			     int64_t until_ns)
{
	for (;;) {
		int32_t fd = accept_one(s, until_ns);

		if (fd < 0 || may_arrive(s, target, fd))
			return fd;
		soqi_reset_on_close(fd);
		(void)close(fd);
	}
}

/* One accepted descriptor in the time of the listener's timeout, or -errno. */
static int32_t accept_fd(struct soq_socket *s, const struct soq_socket *target, bool *lingers,
			 struct soq_policy **policy_out)
{
	struct soq_op op = { 0 };
	int error;
	int32_t fd = -1;

	soqi_detached_enter(s);
	*lingers = s->linger_s >= 0;
	error = s->phase == SOQI_PHASE_LISTENING ? 0 : -EINVAL;
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_RECV, &op);
	if (error == 0) {
		SOQI_PROBE_START(accept, s, &op, s->fd, 0);
		soqi_detached_unlock(s);
		fd = accept_let_in(s, target, soqi_detached_until(&op));
		soqi_detached_lock(s);
		error = fd < 0 ? fd : 0;
		/* Another thread has shut the listener. */
		if (error == -EINVAL && s->phase != SOQI_PHASE_LISTENING)
			error = -ECANCELED;
		s->messages[SOQI_LANE_RECV] += error == 0;
		SOQI_PROBE_END(accept_stop, s, &op, error);
	}
	if (error == 0 && policy_out != NULL)
		*policy_out = soq_policy_retain(soqi_detached_policy(s));
	soqi_detached_leave(s);
	return error != 0 ? error : fd;
}

int soqi_detached_accept(struct soq_socket *s, struct soq_socket **accepted_out,
			 struct soq_endpoint *peer_out)
{
	struct soq_policy *policy = NULL;
	struct soq_socket *accepted;
	bool lingers;
	int32_t fd = accept_fd(s, NULL, &lingers, &policy);

	if (fd < 0)
		return fd;
	accepted = soqi_detached_alloc();
	if (accepted == NULL) {
		soq_policy_release(policy);
		soqi_reset_on_close(fd);
		(void)close(fd);
		return -ENOMEM;
	}
	soqi_socket_is(accepted, fd, s->family, s->type, s->protocol);
	accepted->phase = SOQI_PHASE_CONNECTED;
	soqi_detached_policy_give(accepted, policy);
	soqi_credentials_note(accepted);
	/* The kernel hands the listener's linger time down; a loop's listener keeps it. */
	if (lingers)
		soqi_linger_tell(accepted, -1);
	*accepted_out = accepted;
	/* The peer may be gone again already; then there is no address to tell. */
	if (peer_out != NULL && soq_socket_peer(accepted, peer_out) != 0)
		peer_out->size_bytes = 0;
	return 0;
}

int soqi_detached_accept_into(struct soq_socket *s, struct soq_socket *target,
			      struct soq_endpoint *peer_out)
{
	bool lingers = false;
	int32_t fd;

	if (target == NULL || !soqi_is_detached(target))
		return target == NULL ? -EINVAL : -EXDEV;
	/* From here on it cannot be closed; whoever else uses it is found out afterwards. */
	soqi_detached_enter(target);
	fd = soqi_detached_alone(target) ? soqi_target_check(s, target) : -EBUSY;
	soqi_detached_unlock(target);
	if (fd == 0)
		fd = accept_fd(s, target, &lingers, NULL);
	soqi_detached_lock(target);
	if (fd >= 0 && (!soqi_detached_alone(target) || soqi_target_check(s, target) != 0)) {
		soqi_reset_on_close(fd);
		(void)close(fd);
		fd = -EBUSY;
	}
	if (fd >= 0) {
		soqi_renew(target, fd, SOQI_PHASE_CONNECTED);
		if (lingers || target->linger_s >= 0)
			soqi_linger_tell(target, target->linger_s);
	}
	soqi_detached_leave(target);
	if (fd < 0)
		return fd;
	if (peer_out != NULL && soq_socket_peer(target, peer_out) != 0)
		peer_out->size_bytes = 0;
	return 0;
}

static bool still_connects(struct soq_socket *s)
{
	bool connects;

	soqi_detached_lock(s);
	connects = s->phase == SOQI_PHASE_CONNECTING;
	soqi_detached_unlock(s);
	return connects;
}

/* One try; the first takes data along, if that is `fast`. */
static int32_t try_connect(struct soq_socket *s, const struct soqi_request *request,
			   const struct soq_endpoint *ep, struct soq_op *fast)
{
	int32_t result = -EOPNOTSUPP;

	if (fast != NULL && soqi_is_fast(fast)) {
		fast->priv.data = ep;
		result = soqi_fast_step(s, fast);
		if (result == -EOPNOTSUPP)
			fast->priv.segment_count = SOQI_FAST_NONE;
	}
	return result == -EOPNOTSUPP ? soqi_try(request) : result;
}

/*
 * Connects with a descriptor that does not block. -ECANCELED: another thread has shut
 * it, and a further try would begin anew. The lock is not held.
 */
static int32_t connect_until(struct soq_socket *s, const struct soqi_request *request,
			     const struct soq_endpoint *ep, struct soq_op *fast, int64_t until_ns)
{
	int flags = fcntl(request->fd, F_GETFL);
	int32_t result;

	(void)fcntl(request->fd, F_SETFL, flags | O_NONBLOCK);
	while ((result = try_connect(s, request, ep, fast)) == -EAGAIN) {
		if (!soqi_detached_wait_for(request, soqi_connect_is_local(s), until_ns))
			result = -ETIMEDOUT;
		else if (!still_connects(s))
			result = -ECANCELED;
		if (result != -EAGAIN)
			break;
	}
	(void)fcntl(request->fd, F_SETFL, flags);
	return result;
}

int soqi_detached_connect(struct soq_socket *s, const struct soq_endpoint *ep, struct soq_op *fast,
			  const char *name)
{
	struct soqi_request request = { .kind = SOQI_REQUEST_CONNECT };
	struct soq_op op = { .deadline_ns = fast != NULL ? fast->deadline_ns : 0 };
	struct soq_endpoint copy;
	int32_t result = 0;
	bool cut;
	int error;

	soqi_detached_enter(s);
	error = soqi_connect_check(s, ep);
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error == 0 && soqi_is_policed(s)) {
		error = soqi_policed_copy(s, SOQ_POLICY_CONNECT, name, ep, &copy);
		ep = &copy;
	}
	if (error != 0) {
		soqi_detached_leave(s);
		return error;
	}
	request.fd = s->fd;
	request.addr = &ep->addr.any;
	request.addr_size_bytes = soqi_endpoint_kernel_size(ep);
	s->was_connected = s->phase == SOQI_PHASE_CONNECTED;
	s->phase = SOQI_PHASE_CONNECTING;
	SOQI_PROBE_START(connect, s, &op, s->fd, (const void *)&ep->addr);
	soqi_detached_unlock(s);
	result = connect_until(s, &request, ep, fast, soqi_detached_until(&op));
	soqi_detached_lock(s);
	/* Shut meanwhile: only closing is left, whatever the last try said. */
	if (s->phase != SOQI_PHASE_CONNECTING)
		result = -ECANCELED;
	cut = result == -ECANCELED ||
	      (result == -ETIMEDOUT && op.deadline_ns != 0 && soqi_now_ns() >= op.deadline_ns);
	if (result == 0)
		s->phase = SOQI_PHASE_CONNECTED;
	else if (!soqi_is_connection(s))
		s->phase = s->was_connected ? SOQI_PHASE_CONNECTED : SOQI_PHASE_FRESH;
	else
		s->phase = cut ? SOQI_PHASE_CUT : SOQI_PHASE_FRESH;
	SOQI_PROBE_END(connect_stop, s, &op, result);
	soqi_detached_leave(s);
	return result;
}
