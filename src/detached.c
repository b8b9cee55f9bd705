/* SPDX-License-Identifier: MIT */
/*
 * Detached sockets: the blocking calls. A call is an op on the stack in a lane of its
 * own, so counts, flags and errors come out as on a loop; what a socket knows is
 * shared by its threads under a lock that is never held while anything waits.
 */
#include "detached.h"

#include "batch.h"
#include "descriptors.h"
#include "endpoint.h"
#include "parts.h"
#include "policed.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <soq/poll.h>
#include <stdlib.h>
#include <unistd.h>

struct soqi_detached {
	struct soq_socket s; /* first: a handle is this */
	pthread_mutex_t lock;
	pthread_cond_t told;       /* a call has got its answer, or left */
	uint64_t answers[2];       /* errors and ends that calls met, by direction, ever */
	unsigned transfers[2];     /* threads inside one, by direction */
	unsigned inside;           /* threads inside any call */
	struct soq_policy *policy; /* or NULL; changes only with nobody inside */
	uint32_t refusals;         /* atomic, with the next */
	uint32_t refused_rule;
};

static struct soqi_detached *of(struct soq_socket *s)
{
	return soqi_container_of(s, struct soqi_detached, s);
}

struct soq_socket *soqi_detached_alloc(void)
{
	struct soqi_detached *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	if (pthread_mutex_init(&d->lock, NULL) != 0) {
		free(d);
		return NULL;
	}
	(void)pthread_cond_init(&d->told, NULL);
	soqi_socket_blank(&d->s);
	d->s.state = SOQI_SOCKET_OPEN;
	return &d->s;
}

void soqi_detached_free(struct soq_socket *s)
{
	struct soqi_detached *d = of(s);

	(void)pthread_cond_destroy(&d->told);
	(void)pthread_mutex_destroy(&d->lock);
	soq_policy_release(d->policy);
	free(d);
}

/* A send asks before it is inside. */
struct soq_policy *soqi_detached_policy(const struct soq_socket *s)
{
	return __atomic_load_n(&of((struct soq_socket *)(uintptr_t)s)->policy, __ATOMIC_ACQUIRE);
}

void soqi_detached_policy_give(struct soq_socket *s, struct soq_policy *policy)
{
	__atomic_store_n(&of(s)->policy, policy, __ATOMIC_RELEASE);
}

void soqi_detached_refused(const struct soq_socket *s, uint32_t rule)
{
	struct soqi_detached *d = of((struct soq_socket *)(uintptr_t)s);

	__atomic_store_n(&d->refused_rule, rule, __ATOMIC_RELAXED);
	(void)__atomic_fetch_add(&d->refusals, 1, __ATOMIC_RELEASE);
}

void soqi_detached_refusals(const struct soq_socket *s, uint32_t *count_out, uint32_t *rule_out)
{
	struct soqi_detached *d = of((struct soq_socket *)(uintptr_t)s);

	*count_out = __atomic_load_n(&d->refusals, __ATOMIC_ACQUIRE);
	*rule_out = __atomic_load_n(&d->refused_rule, __ATOMIC_RELAXED);
}

void soqi_detached_lock(struct soq_socket *s)
{
	(void)pthread_mutex_lock(&of(s)->lock);
}

void soqi_detached_unlock(struct soq_socket *s)
{
	(void)pthread_mutex_unlock(&of(s)->lock);
}

void soqi_detached_enter(struct soq_socket *s)
{
	soqi_detached_lock(s);
	of(s)->inside++;
}

void soqi_detached_leave(struct soq_socket *s)
{
	of(s)->inside--;
	soqi_detached_unlock(s);
}

static struct soqi_detached *enter(struct soq_socket *s)
{
	soqi_detached_enter(s);
	return of(s);
}

static void leave(struct soqi_detached *d)
{
	soqi_detached_leave(&d->s);
}

int soqi_detached_quiet(struct soq_socket *s)
{
	bool busy;

	soqi_detached_lock(s);
	busy = of(s)->inside > 0;
	soqi_detached_unlock(s);
	return busy ? -EBUSY : 0;
}

bool soqi_detached_alone(struct soq_socket *s)
{
	return of(s)->inside == 1;
}

bool soqi_detached_nap(int64_t nap_ns, int64_t until_ns)
{
	int64_t now_ns = soqi_now_ns();
	int64_t end_ns = soqi_after_ns(now_ns, nap_ns);
	struct timespec end;

	if (now_ns >= until_ns)
		return false;
	end = soqi_timespec(end_ns < until_ns ? end_ns : until_ns);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
	return true;
}

/* Waits until the descriptor is ready. The events, 0 when `until_ns` has come, or -errno. */
static int wait_ready(int fd, short events, int64_t until_ns)
{
	struct pollfd one = { .fd = fd, .events = events };
	int count;

	do {
		int64_t left_ns = until_ns == SOQI_FOREVER ? 0 : until_ns - soqi_now_ns();
		struct timespec left = soqi_timespec(left_ns > 0 ? left_ns : 0);

		count = ppoll(&one, 1, until_ns == SOQI_FOREVER ? NULL : &left, NULL);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	return count > 0 ? one.revents : 0;
}

bool soqi_detached_wait_for(const struct soqi_request *request, bool unwatched, int64_t until_ns)
{
	bool in = request->kind == SOQI_REQUEST_RECV || request->kind == SOQI_REQUEST_ACCEPT;

	if (unwatched)
		return soqi_detached_nap(SOQI_UNIX_BACKOFF_NS, until_ns);
	return wait_ready(request->fd, in ? POLLIN : POLLOUT, until_ns) != 0;
}

int64_t soqi_detached_until(const struct soq_op *op)
{
	return op->deadline_ns != 0 ? op->deadline_ns : SOQI_FOREVER;
}

static void answer(struct soqi_detached *d, enum soqi_lane_index index)
{
	d->answers[index]++;
	(void)pthread_cond_broadcast(&d->told);
}

/*
 * The kernel gives a connection's error to one call, once. What the other direction
 * was told waits for the answer of a thread that is in there, which is about to come:
 * a send's -EPIPE may be a receive's reset, a receive's 0 may be a send's. Neither
 * waits for one that waits: what a send noted ends the wait of a receive.
 */
static void wait_for_other(struct soqi_detached *d, enum soqi_lane_index index, int32_t result)
{
	enum soqi_lane_index other = index == SOQI_LANE_RECV ? SOQI_LANE_SEND : SOQI_LANE_RECV;
	uint64_t answers = d->answers[other];

	while (d->transfers[other] > 0 && d->answers[other] == answers &&
	       soqi_judge_may_tell_more(&d->s, result))
		(void)pthread_cond_wait(&d->told, &d->lock);
}

/* A batch, or messages in pieces, in scratch of its own; the lock is not held. */
__attribute__((noinline)) static int32_t try_batch(const struct soq_socket *s, struct soq_op *op,
						   bool waits, enum soqi_split split)
{
	const struct soq_message *first = soqi_batch_current(op);
	struct soqi_batch_room room;
	int32_t result = soqi_batch_try(s, op, &room, waits ? MSG_WAITFORONE : MSG_DONTWAIT, split);

	if (op->priv.kind == SOQI_KIND_SEND || soqi_is_connection(s))
		return result;
	/* Shut, a call that waits ends with an empty message of nobody's, one that does not waits on. */
	if (result == -EAGAIN ||
	    (result == 1 && first->length_bytes == 0 && first->peer.size_bytes == 0))
		return soqi_receive_is_shut(s->fd) ? 0 : result;
	return result;
}

/* What the lane's head still wants, tried; `*request` says what that was. */
static int32_t try_head(struct soqi_detached *d, struct soqi_lane *lane, bool waits,
			struct soqi_request *request)
{
	struct iovec room[SOQI_REQUEST_SEGMENTS];
	struct soq_op *op = lane->queue.first;
	enum soqi_split split = d->s.split;
	bool batch = soqi_batch_serves(&d->s, op);
	int32_t result;

	if (!batch) {
		soqi_request_fill(&d->s, lane, room, SOQI_REQUEST_SEGMENTS, request);
		request->lent = false;
		request->waits = waits;
	}
	soqi_detached_unlock(&d->s);
	if (!batch)
		result = soqi_try(request);
	else if (soqi_is_parts(op))
		result = soqi_parts_try(&d->s, op);
	else
		result = try_batch(&d->s, op, waits, split);
	soqi_detached_lock(&d->s);
	return result;
}

/* One try of what the lane's head still wants, and its result taken in. */
static void step(struct soqi_detached *d, struct soqi_lane *lane, int64_t until_ns,
		 struct soqi_ops *ended)
{
	bool receives = lane->index == SOQI_LANE_RECV;
	struct soqi_request request = { .kind = receives ? SOQI_REQUEST_RECV : SOQI_REQUEST_SEND,
					.fd = d->s.fd };
	struct soq_op *op = lane->queue.first;
	int32_t result;
	bool unwatched;

	/* A send waits outside: one that breaks off in the kernel would lose its error. */
	result = try_head(d, lane, receives && until_ns == SOQI_FOREVER, &request);
	soqi_judge_note(&d->s, result);
	if (!receives)
		(void)pthread_cond_broadcast(&d->told);
	wait_for_other(d, lane->index, result);
	soqi_transfer_settle(&d->s, lane, result, ended);
	/* Bytes that moved before it broke are no answer to who waits for the error. */
	if (result <= 0 && result != -EAGAIN)
		answer(d, lane->index);
	if (result != -EAGAIN || ended->first != NULL)
		return;
	unwatched = soqi_send_is_unwatched(&d->s, op);
	soqi_detached_unlock(&d->s);
	if (!soqi_detached_wait_for(&request, unwatched, until_ns))
		result = -ETIMEDOUT;
	soqi_detached_lock(&d->s);
	if (result == -ETIMEDOUT)
		(void)soqi_lane_cancel(lane, op, -ETIMEDOUT, ended);
}

/* The urgent byte, if it is there: no place in the stream, so nobody waits for anybody. */
static void step_urgent(struct soqi_detached *d, struct soqi_lane *lane, struct soqi_ops *ended)
{
	int32_t result;

	lane->taken = 1;
	soqi_detached_unlock(&d->s);
	result = soqi_urgent_try(&d->s, lane);
	soqi_detached_lock(&d->s);
	soqi_transfer_settle(&d->s, lane, result, ended);
}

/* Shut by another thread to wake us; that is no empty message. */
static bool was_woken(const struct soqi_detached *d, const struct soqi_transfer *t, int64_t result)
{
	return result == 0 && t->index == SOQI_LANE_RECV && !soqi_is_connection(&d->s) &&
	       d->s.phase == SOQI_PHASE_CUT;
}

static void transfer(struct soqi_detached *d, const struct soqi_transfer *t, struct soq_op *op,
		     uint32_t flags, struct soq_event *event)
{
	struct soqi_lane lane = { .index = t->index & 1, .whole = !soqi_is_stream(&d->s) };
	struct soqi_ops ended = { NULL, NULL };

	op->priv.kind = t->index == SOQI_LANE_RECV ? SOQI_KIND_RECV : SOQI_KIND_SEND;
	op->priv.flags = flags | SOQI_OP_SYNC;
	soqi_lane_push(&lane, op);
	if (soqi_is_urgent_receive(t))
		step_urgent(d, &lane, &ended);
	while (ended.first == NULL) {
		soqi_lane_take(&lane, SOQI_REQUEST_SEGMENTS, SOQI_REQUEST_BYTES, &ended);
		if (ended.first != NULL)
			break;
		step(d, &lane, soqi_detached_until(op), &ended);
	}
	event->op = op;
	event->result = op->priv.result;
	event->flags = op->priv.event_flags;
	if (was_woken(d, t, event->result)) {
		event->result = -ECANCELED;
		if (t->message != NULL)
			soqi_descriptors_drop(t->message);
	}
	/* Another thread's may wait there to be told. */
	if (lane.sync_cause != 0)
		d->s.lane[t->index].sync_cause = lane.sync_cause;
	(void)soqi_transfer_end(&d->s, t, op, event);
}

int64_t soqi_detached_transfer(struct soq_socket *s, const struct soqi_transfer *t,
			       struct soq_op *op, uint32_t flags, struct soq_event *event)
{
	struct soqi_detached *d = enter(s);
	int error = soqi_transfer_check(s, op, t, true);

	if (error == 0)
		error = soqi_batch_prepare(s, t);
	if (error == 0)
		error = soqi_transfer_begin(s, t, op);
	/* It may have got a policy since the call began. */
	if (t->index == SOQI_LANE_SEND && t->address != NULL && soqi_is_policed(s))
		flags |= SOQI_OP_POLICED;
	if (error == 0) {
		d->transfers[t->index]++;
		soqi_probe_transfer(s, op, t->index);
		transfer(d, t, op, flags, event);
		soqi_probe_stop(s, op);
		d->transfers[t->index]--;
		(void)pthread_cond_broadcast(&d->told);
	}
	leave(d);
	return error != 0 ? error : event->result;
}

/*
 * What waits for no peer of its own, or has none yet, cannot be shut in the kernel's
 * sense; but a thread inside wants to be woken: shutdown(2) does that, whatever it says.
 */
static bool only_wakes(const struct soq_socket *s)
{
	if (s->phase == SOQI_PHASE_LISTENING || s->phase == SOQI_PHASE_CUT)
		return true;
	return soqi_is_connection(s) ? s->phase == SOQI_PHASE_CONNECTING
				     : s->phase == SOQI_PHASE_FRESH;
}

int soqi_detached_shutdown(struct soq_socket *s, int how)
{
	struct soqi_detached *d = enter(s);
	struct soq_op op = { 0 };
	int error = soqi_shutdown_check(s, how);

	if (error != -EINVAL && only_wakes(s)) {
		s->phase = SOQI_PHASE_CUT;
		(void)shutdown(s->fd, SHUT_RDWR);
		leave(d);
		return 0;
	}
	if (error == 0 && how != SOQ_SHUTDOWN_RECV)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error == 0) {
		if (how != SOQ_SHUTDOWN_RECV)
			s->shut_send = true;
		error = soqi_shutdown_now(s, how);
	}
	leave(d);
	return error;
}

int soqi_detached_poll(struct soq_socket *s, uint32_t events, int64_t timeout_ns)
{
	int64_t until_ns = soqi_until(timeout_ns);
	struct soqi_detached *d;
	int result = soqi_poll_check(events, 0);

	if (result != 0)
		return result;
	d = enter(s);
	soqi_detached_unlock(s);
	result = wait_ready(s->fd, soqi_poll_to_system(events), until_ns);
	soqi_detached_lock(s);
	leave(d);
	return result > 0 ? (int)soqi_poll_from_system(result) : result;
}

int soqi_detached_close(struct soq_socket *s, bool abort)
{
	int error = soqi_detached_quiet(s);

	if (error != 0)
		return error;
	if (abort && soqi_is_connection(s))
		soqi_reset_on_close(s->fd);
	soqi_path_remove(s);
	SOQI_PROBE_START(close, s, NULL, s->fd, 0);
	/* It lingers, if that was asked for. */
	(void)close(s->fd);
	SOQI_PROBE_END(close_stop, s, NULL, 0);
	soqi_detached_free(s);
	return 0;
}

/* Reads to the end of stream. 0, or why it was not reached. */
static int drain(struct soq_socket *s, int64_t until_ns)
{
	char discard[SOQI_DISCARD_BYTES];
	struct iovec room = { discard, sizeof(discard) };
	const struct soqi_request request = { .kind = SOQI_REQUEST_RECV,
					      .fd = s->fd,
					      .segments = &room,
					      .segment_count = 1 };
	int32_t result;

	for (;;) {
		result = soqi_try(&request);
		soqi_judge_note(s, result);
		if (result == -EAGAIN) {
			if (!soqi_detached_wait_for(&request, false, until_ns))
				return -ETIMEDOUT;
		} else if (result <= 0) {
			return soqi_judge_receive(s, result);
		} else if (until_ns != SOQI_FOREVER && soqi_now_ns() >= until_ns) {
			return -ETIMEDOUT;
		}
	}
}

int soqi_detached_finish(struct soq_socket *s, int64_t timeout_ns)
{
	int64_t until_ns = soqi_until(timeout_ns);
	int result = soqi_detached_quiet(s);

	if (result != 0)
		return result;
	if (soqi_is_connection(s) && s->phase == SOQI_PHASE_CONNECTED) {
		s->shut_send = true;
		(void)shutdown(s->fd, SHUT_WR);
		result = drain(s, until_ns);
	}
	(void)soqi_detached_close(s, result == -ETIMEDOUT);
	return result;
}
