/* SPDX-License-Identifier: MIT */
/*
 * A fixed pool of records, each an op with its memory, that are used again and again:
 * records ADDRESS:PORT. All are started as accepts at once; each then serves its client
 * by echo and goes back to accepting. What serves is as much as there are records; more
 * clients wait in the listener's queue. Nothing is allocated. SIGTERM ends it.
 */
#include <soq/soq.h>

#include <signal.h>
#include <stdio.h>

#define RECORDS     15
#define PATIENCE_NS INT64_C(30000000000)

struct record {
	struct soq_op op;
	struct soq_socket *socket;
	char bytes[1024];
};

static struct record records[RECORDS];
static struct soq_loop *loop;
static struct soq_socket *listener;

static void on_accepted(const struct soq_event *event);
static void on_received(const struct soq_event *event);

/*
 * The same steps for each use of a record: set `done`, start, and wait to be told. An op
 * never ends inside of its start, so there is no second path for what is there at once.
 */
static void accept_one(struct record *r)
{
	r->op.done = on_accepted;
	(void)!soq_accept_async(listener, &r->op, 0); /* fails once the server has ended */
}

static void receive(struct record *r)
{
	r->op.done = on_received;
	if (soq_recv_async(r->socket, &r->op, r->bytes, sizeof(r->bytes), 0) == 0)
		return;
	(void)soq_abort(r->socket);
	accept_one(r);
}

/* The record is free again: no event of its last use comes after this one. */
static void on_closed(const struct soq_event *event)
{
	accept_one(event->op->user);
}

static void hang_up(struct record *r)
{
	r->op.done = on_closed;
	(void)!soq_finish_async(r->socket, &r->op, PATIENCE_NS);
}

static void on_sent(const struct soq_event *event)
{
	struct record *r = event->op->user;

	if (event->result < 0)
		hang_up(r);
	else
		receive(r);
}

static void on_received(const struct soq_event *event)
{
	struct record *r = event->op->user;

	r->op.done = on_sent;
	if (event->result <= 0 ||
	    soq_send_async(r->socket, &r->op, r->bytes, (size_t)event->result, 0) != 0)
		hang_up(r);
}

static void on_accepted(const struct soq_event *event)
{
	struct record *r = event->op->user;

	if (event->result < 0) {
		accept_one(r); /* a connection that broke before it was here */
		return;
	}
	r->socket = event->socket;
	receive(r);
}

static void stop(int number)
{
	(void)number;
	(void)soq_loop_stop(loop);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct soq_endpoint ep;
	char name[SOQ_ENDPOINT_TEXT_MAX];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2 || soq_endpoint_parse(argv[1], &ep) < 0 || soq_loop_create(NULL, &loop) < 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener) < 0 ||
	    soq_bind(listener, &ep) < 0 || soq_listen(listener, 100) < 0 ||
	    soq_socket_local(listener, &ep) < 0 || soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	(void)sigaction(SIGTERM, &action, NULL);
	for (int i = 0; i < RECORDS; i++) {
		records[i].op.user = &records[i];
		accept_one(&records[i]);
	}
	printf("records on %s\n", name);
	return soq_loop_run(loop, SOQ_RUN_STOP, -1) < 0 || soq_loop_close_all(loop) < 0 ||
	       soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0;
}
