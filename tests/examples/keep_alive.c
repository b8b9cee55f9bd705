/* SPDX-License-Identifier: MIT */
/*
 * Noticing a peer that is gone without a word (its machine has lost power, its cable is
 * out): probes on a quiet connection, and a limit on unanswered data. `keep_alive
 * detached` does it without a loop.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)

/* What to set: after 5 s of silence a probe each 2 s; four that go unanswered end it. */
static const struct {
	const char *name;
	enum soq_option option;
	int64_t value;
} settings[] = {
	{ "keep alive", SOQ_OPTION_KEEP_ALIVE, 1 },
	{ "first probe after ns", SOQ_OPTION_KEEP_ALIVE_TIME_NS, 5 * SECOND_NS },
	{ "then each ns", SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, 2 * SECOND_NS },
	{ "unanswered probes", SOQ_OPTION_KEEP_ALIVE_COUNT, 4 },
	/* Probes are for silence. This is for data that nobody acknowledges. */
	{ "unacknowledged data ns", SOQ_OPTION_USER_TIMEOUT_NS, 13 * SECOND_NS },
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int show(const char *whose, struct soq_socket *s)
{
	printf("%s:\n", whose);
	for (size_t i = 0; i < SETTINGS; i++) {
		int64_t value;
		int error = soq_socket_get_option(s, settings[i].option, &value);

		if (error < 0)
			return error;
		printf("\t%s: %lld\n", settings[i].name, (long long)value);
		if (value != settings[i].value)
			return -EPROTO;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;
	struct soq_socket *listener, *client, *server;
	struct soq_endpoint ep;
	int error = 0;

	(void)argv;
	if ((argc < 2 && soq_loop_create(NULL, &loop) < 0) ||
	    soq_endpoint_loopback(AF_INET, 0, &ep) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &client) < 0)
		return 1;

	/* On a listener: what it accepts is born with it. On others, whenever it is wanted. */
	for (size_t i = 0; i < SETTINGS && error == 0; i++) {
		error = soq_socket_set_option(listener, settings[i].option, settings[i].value);
		if (error == 0)
			error = soq_socket_set_option(client, settings[i].option,
						      settings[i].value);
	}
	if (error < 0) {
		(void)fprintf(stderr, "%s\n", soq_error_text(error));
		return 1;
	}
	/* What cannot be is told, not rounded: the kernel counts these in whole seconds. */
	if (soq_socket_set_option(client, SOQ_OPTION_KEEP_ALIVE_TIME_NS, SECOND_NS / 2) == 0)
		return 1;

	if (soq_bind(listener, &ep) < 0 || soq_listen(listener, 1) < 0 ||
	    soq_socket_local(listener, &ep) < 0 || soq_connect(client, &ep) < 0 ||
	    soq_accept(listener, &server, NULL) < 0)
		return 1;
	if (show("client", client) < 0 || show("accepted", server) < 0)
		return 1;
	/* Were the peer gone, a receive would now end with -ETIMEDOUT after 5 + 4 * 2 s. */
	(void)soq_close(client);
	(void)soq_close(server);
	(void)soq_close(listener);
	return loop != NULL &&
	       (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0);
}
