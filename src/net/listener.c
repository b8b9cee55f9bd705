/* SPDX-License-Identifier: MIT */
/* Listeners: made, started, stopped, drained and given back. */
#include "listener.h"

#include "own_loop.h"

#include <errno.h>
#include <string.h>

/* The first release's sizes: a program built against it must go on working. */
#define OPTIONS_SIZE_MIN sizeof(struct soq_listener_options)
#define STATS_SIZE_MIN   sizeof(struct soq_listener_stats)
#define PORT_MAX         65535u

void *soqi_listener_alloc(struct soq_listener *l, size_t size_bytes)
{
	return l->allocator.allocate(l->allocator.context, size_bytes, _Alignof(max_align_t));
}

void soqi_listener_free(struct soq_listener *l, void *memory, size_t size_bytes)
{
	l->allocator.release(l->allocator.context, memory, size_bytes);
}

int soqi_listener_check(const struct soq_listener *l)
{
	int64_t deadline_ns = soq_loop_deadline(l->loop);

	return deadline_ns < 0 ? (int)deadline_ns : 0;
}

static size_t listener_bytes(uint32_t option_count)
{
	return sizeof(struct soq_listener) + option_count * sizeof(struct soq_option_raw);
}

static int options_check(const struct soq_listener_options *o)
{
	if (o->size < OPTIONS_SIZE_MIN || o->size > sizeof(*o) || o->port > PORT_MAX ||
	    (o->local != NULL && (o->port != 0 || o->local->size_bytes == 0)) ||
	    (o->option_count > 0 && o->options == NULL) || o->header_ns < 0 || o->idle_ns < 0 ||
	    (o->flags & ~SOQ_LISTENER_TAKE_PATH) != 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(o->reserved) / sizeof(o->reserved[0]); i++)
		if (o->reserved[i] != 0)
			return -EINVAL;
	return 0;
}

int soq_listener_open(struct soq_loop *loop, const struct soq_listener_options *options,
		      struct soq_listener **listener_out)
{
	struct soq_allocator allocator;
	struct soq_listener *l;
	int64_t deadline_ns;

	if (loop == NULL || options == NULL || listener_out == NULL)
		return -EINVAL;
	deadline_ns = soq_loop_deadline(loop);
	if (deadline_ns < 0)
		return (int)deadline_ns;
	if (options_check(options) != 0 || soqi_allocator_read(options->allocator, &allocator) != 0)
		return -EINVAL;
	l = allocator.allocate(allocator.context, listener_bytes(options->option_count),
			       _Alignof(max_align_t));
	if (l == NULL)
		return -ENOMEM;
	*l = (struct soq_listener){
		.loop = loop,
		.allocator = allocator,
		.options = (struct soq_option_raw *)(l + 1),
		.option_count = options->option_count,
		.port = options->port,
		.flags = options->flags,
		.backlog = options->backlog,
		.connections_max = options->connections_max,
		.peer_connections_max = options->peer_connections_max,
	};
	if (options->local != NULL)
		l->local = *options->local;
	if (options->option_count > 0)
		memcpy(l->options, options->options,
		       options->option_count * sizeof(*options->options));
	if (options->accepts_per_second_max > 0)
		l->accept_ns = SOQI_NS_PER_S / options->accepts_per_second_max;
	if (options->accepts_per_second_max > SOQI_NS_PER_S)
		l->accept_ns = 1;
	soqi_clocks_init(l, options->header_ns, options->idle_ns);
	*listener_out = l;
	return 0;
}

void soqi_listener_settle(struct soq_listener *l)
{
	if (l->drain != NULL && l->s == NULL && l->connection_count == 0) {
		struct soq_op *op = l->drain;

		l->drain = NULL;
		(void)soq_op_finish(op, 0, 0, NULL);
	}
	if (!l->closed || l->inner_count > 0 || l->connection_count > 0)
		return;
	soqi_peers_free(l);
	soqi_listener_free(l, l, listener_bytes(l->option_count));
}

int soq_listener_close(struct soq_listener *l)
{
	int error;

	if (l == NULL)
		return -EINVAL;
	error = soqi_listener_check(l);
	if (error != 0)
		return error;
	(void)soq_listener_stop(l);
	if (l->drain != NULL) {
		struct soq_op *op = l->drain;

		l->drain = NULL;
		(void)soq_op_finish(op, -ECANCELED, 0, NULL);
	}
	soqi_clocks_stop(l);
	l->closed = true;
	soqi_listener_settle(l);
	return 0;
}

static int socket_open(struct soq_listener *l, struct soq_socket **s_out)
{
	struct soq_endpoint local = l->local;
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_socket *s;
	int error = soq_socket_open(l->loop, local.addr.any.sa_family, SOCK_STREAM, 0, &s);

	if (error != 0)
		return error;
	if (local.size_bytes == 0)
		error = soq_socket_info(s, &info);
	if (error == 0 && local.size_bytes == 0)
		error = soq_endpoint_any(info.family, (uint16_t)l->port, &local);
	for (uint32_t i = 0; error == 0 && i < l->option_count; i++) {
		const struct soq_option_raw *raw = &l->options[i];

		error = soq_option_set(s, raw->level, raw->name, raw->value, raw->size_bytes);
	}
	if (error == 0 && (l->flags & SOQ_LISTENER_TAKE_PATH)) {
		error = soqi_listener_take_path(s, &local, l->backlog);
	} else if (error == 0) {
		error = soq_bind(s, &local);
		if (error == 0)
			error = soq_listen(s, l->backlog);
	}
	if (error == 0)
		*s_out = s;
	else
		(void)soq_close(s);
	return error;
}

/* Accepts of before a stop hold the old socket, and so its address, until they have ended. */
static int old_gates_await(struct soq_listener *l)
{
	int error = 0;

	/* Steps of the program's may run meanwhile, and do what they like. */
	l->inner_count++;
	while (error == 0 && !l->closed && l->s == NULL && l->gates_busy > 0)
		error = soq_sleep(l->loop, 0);
	l->inner_count--;
	if (!l->closed)
		return error;
	soqi_listener_settle(l);
	return -ECANCELED;
}

int soq_listener_start(struct soq_listener *l)
{
	int error;

	if (l == NULL)
		return -EINVAL;
	error = soqi_listener_check(l);
	if (error == 0)
		error = old_gates_await(l);
	if (error != 0)
		return error;
	if (l->drain != NULL)
		return -EBUSY;
	return l->s != NULL ? 0 : socket_open(l, &l->s);
}

int soq_listener_stop(struct soq_listener *l)
{
	int error;

	if (l == NULL)
		return -EINVAL;
	error = soqi_listener_check(l);
	if (error != 0 || l->s == NULL)
		return error;
	(void)soq_close(l->s);
	l->s = NULL;
	soqi_gates_shut(l);
	soqi_listener_settle(l);
	return 0;
}

struct soq_socket *soq_listener_socket(const struct soq_listener *l)
{
	return l != NULL ? l->s : NULL;
}

static void on_drain_cut(struct soq_op *op, int cause, void *arg)
{
	struct soq_listener *l = arg;

	(void)cause;
	l->drain = NULL;
	(void)soq_op_finish(op, -ECANCELED, 0, NULL);
}

int soq_listener_drain_async(struct soq_listener *l, struct soq_op *op)
{
	int error;

	if (l == NULL || op == NULL)
		return -EINVAL;
	error = soqi_listener_check(l);
	if (error == 0 && l->drain != NULL)
		error = -EBUSY;
	if (error == 0)
		error = soq_op_begin(l->loop, op, on_drain_cut, l);
	if (error != 0)
		return error;
	l->drain = op;
	soqi_connections_drain(l);
	soqi_gates_drain(l);
	soqi_listener_settle(l);
	return 0;
}

int soq_listener_drain(struct soq_listener *l, int64_t timeout_ns)
{
	struct soq_op op = { .deadline_ns = soqi_deadline_ns(timeout_ns) };
	struct soq_event event;
	int error = soq_listener_drain_async(l, &op);

	if (error != 0)
		return error;
	soqi_op_await(&op, &event);
	return (int)event.result;
}

int soq_listener_stats(struct soq_listener *l, struct soq_listener_stats *stats)
{
	int error;

	if (l == NULL || stats == NULL || stats->size < STATS_SIZE_MIN ||
	    stats->size > sizeof(*stats))
		return -EINVAL;
	error = soqi_listener_check(l);
	if (error != 0)
		return error;
	*stats = (struct soq_listener_stats){
		.size = stats->size,
		.connections = l->connection_count,
		.peers = l->peers.count,
		.accepts = l->waiting_count,
		.accepted = l->accepted,
		.refused = l->refused,
		.held_up = l->held_up,
		.expired = l->expired,
	};
	return 0;
}
