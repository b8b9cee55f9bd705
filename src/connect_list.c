/* SPDX-License-Identifier: MIT */
/*
 * Connecting to the first of many addresses. The caller's op is the connect of one
 * attempt after the other, each on a socket of its own. An attempt ends where nothing
 * may be closed, in the middle of a settle: so its op is put aside there, and goes on,
 * or ends, once the turn is through with that.
 */
#include <soq/connect.h>

#include "detached.h"

#include <errno.h>
#include <soq/policy.h>

/* The first release's size: a program built against it must go on working. */
#define LIST_SIZE_MIN sizeof(struct soq_connect_list)

/* SOCK_PACKET; above it are flags. */
#define TYPE_MAX 10

static int list_check(const struct soq_loop *loop, const struct soq_connect_list *list)
{
	if (list == NULL || list->size < LIST_SIZE_MIN || list->size > sizeof(*list))
		return -EINVAL;
	if (list->endpoint_count == 0 || list->endpoints == NULL ||
	    (list->option_count > 0 && list->options == NULL) || list->reserved0 != 0 ||
	    list->type < 0 || list->type > TYPE_MAX)
		return -EINVAL;
	if (loop != NULL && list->policy != NULL)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(list->reserved) / sizeof(list->reserved[0]); i++)
		if (list->reserved[i] != 0)
			return -EINVAL;
	return 0;
}

static void errors_clear(const struct soq_connect_list *list)
{
	for (uint32_t i = 0; i < list->endpoint_count && list->errors != NULL; i++)
		list->errors[i] = 0;
}

static void error_note(const struct soq_connect_list *list, uint32_t index, int error)
{
	if (list->errors != NULL)
		list->errors[index] = error;
}

static int options_set(struct soq_socket *s, const struct soq_connect_list *list)
{
	for (uint32_t i = 0; i < list->option_count; i++) {
		const struct soq_option_raw *option = &list->options[i];
		int error = soq_option_set(s, option->level, option->name, option->value,
					   option->size_bytes);

		if (error != 0)
			return error;
	}
	return 0;
}

/* The socket for an attempt, or why it fails already. */
static int socket_make(struct soq_loop *loop, const struct soq_connect_list *list, uint32_t index,
		       struct soq_socket **s_out)
{
	const struct soq_endpoint *ep = &list->endpoints[index];
	struct soq_socket *s;
	int error;

	if (ep->size_bytes == 0)
		return -EINVAL;
	error = soq_socket_open(loop, ep->addr.any.sa_family, list->type, list->protocol, &s);
	if (error != 0)
		return error;
	error = list->policy != NULL ? soq_socket_set_policy(s, list->policy) : 0;
	if (error == 0)
		error = options_set(s, list);
	if (error == 0)
		error = soqi_connect_check(s, ep);
	if (error != 0)
		(void)soq_close(s);
	else
		*s_out = s;
	return error;
}

/* The next attempt that gets as far as connecting; the op ends if there is none. */
static void go_on(struct soq_loop *loop, struct soq_op *op, uint32_t index, int error)
{
	const struct soq_connect_list *list = op->priv.address;
	struct soq_socket *s;

	for (; index < list->endpoint_count; index++) {
		error = socket_make(loop, list, index, &s);
		if (error == 0) {
			op->priv.segment = index;
			s->on_its_way = true;
			op->priv.segment_count = SOQI_FAST_NONE;
			soqi_connect_begin(s, op, &list->endpoints[index]);
			return;
		}
		error_note(list, index, error);
	}
	op->priv.socket = NULL;
	soqi_op_end(loop, op, error, 0);
}

void soqi_attempt_ended(struct soq_loop *loop, struct soq_op *op)
{
	/* Closed with everything else, by who has no handle of it. */
	if (op->priv.socket->state != SOQI_SOCKET_OPEN) {
		op->priv.socket = NULL;
		if (op->priv.cause == 0)
			op->priv.cause = -ECANCELED;
	}
	soqi_ops_append(&loop->attempts, op);
}

static void attempt_take(struct soq_loop *loop, struct soq_op *op)
{
	const struct soq_connect_list *list = op->priv.address;
	struct soq_socket *s = op->priv.socket;
	int error = (int)op->priv.result;

	if (error == 0 && s == NULL)
		error = -ECANCELED;
	error_note(list, op->priv.segment, error);
	if (error == 0) {
		op->priv.carried_first = s;
		op->priv.carried_last = s;
		soqi_op_end(loop, op, 0, 0);
		return;
	}
	if (s != NULL) {
		s->on_its_way = false;
		soqi_close_begin(s, SOQI_CLOSE_ABORT, NULL);
	}
	if (op->priv.cause == 0 && error != -ECANCELED && loop->dead == 0) {
		go_on(loop, op, op->priv.segment + 1, error);
		return;
	}
	op->priv.socket = NULL;
	soqi_op_end(loop, op, error, 0);
}

void soqi_attempts_go_on(struct soq_loop *loop)
{
	struct soq_op *op;

	while ((op = loop->attempts.first) != NULL) {
		soqi_ops_remove(&loop->attempts, op);
		if (op->priv.kind == SOQI_KIND_FIRST)
			soqi_first_take(loop, op);
		else
			attempt_take(loop, op);
	}
}

static bool drop_from(const struct soqi_ops *events, const struct soq_socket *s)
{
	struct soq_op *op = events->first;

	for (; op != NULL; op = op->priv.ready_next)
		if (soqi_brings_socket(op) && op->priv.carried_first == s) {
			op->priv.carried_first = NULL;
			op->priv.carried_last = NULL;
			op->priv.result = -ECANCELED;
			return true;
		}
	return false;
}

void soqi_attempt_drop(struct soq_socket *s)
{
	s->on_its_way = false;
	if (!drop_from(&s->loop->ready, s) && !drop_from(&s->loop->waiting, s))
		(void)drop_from(&s->loop->inner, s);
}

static int start(struct soq_loop *loop, struct soq_op *op, const struct soq_connect_list *list,
		 uint32_t flags)
{
	int error = soqi_start_check_loop(loop, op);

	if (error == 0)
		error = list_check(loop, list);
	if (error != 0)
		return error;
	errors_clear(list);
	op->priv.length = 0;
	soqi_op_start(loop, NULL, op, SOQI_KIND_CONNECT, flags);
	/* Only read: every address of an op is kept in the same word. */
	op->priv.address = (void *)(uintptr_t)list;
	go_on(loop, op, 0, 0);
	return 0;
}

int soq_connect_list_async(struct soq_loop *loop, struct soq_op *op,
			   const struct soq_connect_list *list)
{
	return start(loop, op, list, 0);
}

static int on_loop(struct soq_loop *loop, const struct soq_connect_list *list, int64_t timeout_ns,
		   struct soq_socket **s_out)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (timeout_ns >= 0)
		op.deadline_ns = soqi_after_ns(soqi_now_ns(), timeout_ns);
	error = start(loop, &op, list, SOQI_OP_SYNC);
	if (error == 0)
		error = (int)soqi_op_wait_sync(loop, &op, &event);
	if (error == 0)
		*s_out = event.socket;
	return error;
}

/* One attempt on a detached socket, in the time that is left. */
static int attempt_detached(const struct soq_connect_list *list, uint32_t index, int64_t until_ns,
			    struct soq_socket **s_out)
{
	int64_t left_ns = until_ns == SOQI_FOREVER ? -1 : until_ns - soqi_now_ns();
	struct soq_socket *s = NULL;
	int error = socket_make(NULL, list, index, &s);

	if (error != 0)
		return error;
	s->send_timeout_ns = until_ns == SOQI_FOREVER || left_ns > 0 ? left_ns : 0;
	error = soqi_detached_connect(s, &list->endpoints[index], NULL, list->name);
	if (error != 0) {
		(void)soqi_detached_close(s, true);
		return error;
	}
	s->send_timeout_ns = -1;
	*s_out = s;
	return 0;
}

static int detached(const struct soq_connect_list *list, int64_t timeout_ns,
		    struct soq_socket **s_out)
{
	int64_t until_ns = soqi_until(timeout_ns);
	int error = list_check(NULL, list);

	if (error != 0)
		return error;
	errors_clear(list);
	for (uint32_t i = 0; i < list->endpoint_count; i++) {
		error = attempt_detached(list, i, until_ns, s_out);
		error_note(list, i, error);
		if (error == 0 ||
		    (error == -ETIMEDOUT && until_ns != SOQI_FOREVER && soqi_now_ns() >= until_ns))
			break;
	}
	return error;
}

int soq_connect_list(struct soq_loop *loop, const struct soq_connect_list *list, int64_t timeout_ns,
		     struct soq_socket **s_out)
{
	if (s_out == NULL)
		return -EINVAL;
	return loop != NULL ? on_loop(loop, list, timeout_ns, s_out)
			    : detached(list, timeout_ns, s_out);
}
