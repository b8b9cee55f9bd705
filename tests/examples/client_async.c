/* SPDX-License-Identifier: MIT */
/*
 * A client that starts each step and is told when it is done: client_async ADDRESS:PORT
 * TEXT. It connects, sends the text, and receives until the server hangs up. The thread
 * is free meanwhile; here it has nothing else to do and runs the loop until all is over.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

/* Everything a step has to know is beside its op; done() finds it by `user`. */
struct state {
	struct soq_op op; /* one at a time, used again for each step */
	struct soq_socket *socket;
	const char *text;
	char buffer[256];
	char response[65536];
	size_t length;
	int64_t error;
};

static void on_connected(const struct soq_event *event);
static void on_sent(const struct soq_event *event);
static void on_received(const struct soq_event *event);

/* Ends it: nothing is started any more, so the loop gets idle. */
static void give_up(struct state *state, int64_t error)
{
	state->error = error;
	(void)soq_abort(state->socket);
}

static void receive(struct state *state)
{
	int error;

	state->op.done = on_received;
	error = soq_recv_async(state->socket, &state->op, state->buffer, sizeof(state->buffer), 0);
	if (error < 0)
		give_up(state, error);
}

static void on_connected(const struct soq_event *event)
{
	struct state *state = event->op->user;
	int64_t error = event->result;

	state->op.done = on_sent;
	if (error == 0)
		error = soq_send_async(state->socket, &state->op, state->text, strlen(state->text),
				       0);
	if (error < 0)
		give_up(state, error);
}

/* A send is done when all of it is: there is no rest to look after. */
static void on_sent(const struct soq_event *event)
{
	struct state *state = event->op->user;

	if (event->result < 0) {
		give_up(state, event->result);
		return;
	}
	printf("Sent %d bytes to server.\n", (int)event->result);
	receive(state);
}

/* Again and again, until the server has sent its last byte. */
static void on_received(const struct soq_event *event)
{
	struct state *state = event->op->user;
	size_t count = (size_t)event->result;

	if (event->result > 0 && count < sizeof(state->response) - state->length) {
		memcpy(state->response + state->length, state->buffer, count);
		state->length += count;
		receive(state);
	} else if (event->result == 0) {
		printf("Response received : %s\n", state->response);
		(void)soq_close(state->socket);
	} else {
		give_up(state, event->result);
	}
}

int main(int argc, char **argv)
{
	static struct state state;
	struct soq_loop *loop;
	struct soq_endpoint ep;

	if (argc != 3 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: client_async ADDRESS:PORT TEXT\n");
		return 2;
	}
	state.text = argv[2];
	state.op.user = &state;
	state.op.done = on_connected;
	if (soq_loop_create(NULL, &loop) < 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &state.socket) < 0 ||
	    soq_connect_async(state.socket, &state.op, &ep) < 0)
		return 1;
	/* All of done() runs in here. */
	(void)soq_loop_run(loop, SOQ_RUN_IDLE, -1);
	if (state.error != 0)
		(void)fprintf(stderr, "%s\n", soq_error_text((int)state.error));
	return soq_loop_destroy(loop) != 0 || state.error != 0;
}
