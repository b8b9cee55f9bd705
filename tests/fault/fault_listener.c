/* SPDX-License-Identifier: MIT */
/*
 * A listener whose loop dies: io_uring_enter is refused from then on. Its ops end with the
 * error, those that are started later too, and all can be closed.
 */
#include "fault.h"

#include <sys/socket.h>
#include <unistd.h>

enum { COMES, IN_FLIGHT, LATE, OPS };

static struct soq_op ops[OPS];
static struct soq_connection places[OPS];
static unsigned finals[OPS];
static int64_t results[OPS];
static struct soq_socket *sockets[OPS];

static void record(const struct soq_event *event)
{
	size_t i = (size_t)(event->op - ops);

	finals[i]++;
	results[i] = event->result;
	sockets[i] = event->socket;
}

static void run_until_ended(struct soq_loop *loop, unsigned i)
{
	for (unsigned turn = 0; turn < 100 && finals[i] == 0; turn++)
		(void)soq_loop_run(loop, SOQ_RUN_ONCE, 100 * MS);
	CHECK_IS(finals[i], 1);
}

static int client_of(struct soq_listener *l)
{
	struct soq_endpoint ep;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_IS(soq_socket_local(soq_listener_socket(l), &ep), 0);
	CHECK_IS(connect(fd, &ep.addr.any, ep.size_bytes), 0);
	return fd;
}

int main(void)
{
	struct soq_loop *loop = fault_loop(SOQ_BACKEND_URING);
	struct soq_endpoint any;
	const struct soq_listener_options options = { .size = sizeof(options), .local = &any };
	struct soq_connection place = { 0 };
	struct soq_socket *s = NULL;
	struct soq_listener *l;
	int fd;

	for (unsigned i = 0; i < OPS; i++)
		ops[i].done = record;
	CHECK_IS(soq_endpoint_loopback(AF_INET, 0, &any), 0);
	CHECK_IS(soq_listener_open(loop, &options, &l), 0);
	CHECK_IS(soq_listener_start(l), 0);
	fd = client_of(l);
	CHECK_IS(soq_listener_accept_async(l, &ops[COMES], &places[COMES]), 0);
	run_until_ended(loop, COMES);
	CHECK_IS(results[COMES], 0);
	CHECK_IS(soq_listener_accept_async(l, &ops[IN_FLIGHT], &places[IN_FLIGHT]), 0);

	fault_deny(fault_syscall("enter"), EPERM);
	run_until_ended(loop, IN_FLIGHT);
	CHECK_IS(results[IN_FLIGHT], -EPERM);
	CHECK_IS(soq_listener_accept_async(l, &ops[LATE], &places[LATE]), 0);
	run_until_ended(loop, LATE);
	CHECK_IS(results[LATE], -EPERM);
	CHECK_IS(soq_listener_accept(l, &place, PATIENCE_NS, &s), -EPERM);
	CHECK_IS(soq_connection_set_phase(&place, SOQ_PHASE_BUSY), -ENOENT);
	/* A connection has its place: no waiting can bring its end. */
	CHECK_IS(soq_listener_drain(l, -1), -EPERM);
	CHECK_IS(soq_connection_end(&places[COMES]), 0);
	CHECK_IS(soq_close(sockets[COMES]), 0);
	CHECK_IS(soq_listener_drain(l, -1), 0);
	CHECK_IS(soq_listener_close(l), 0);
	for (unsigned turn = 0; turn < 100 && soq_loop_destroy(loop) == -EBUSY; turn++)
		(void)soq_loop_run(loop, SOQ_RUN_ONCE, 0);
	CHECK_IS(close(fd), 0);
	return 0;
}
