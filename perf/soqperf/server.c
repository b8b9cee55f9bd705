/* SPDX-License-Identifier: MIT */
/* Runs a role: signals, reports, a graceful end. */
#include "server.h"

#include "../common/control.h"
#include "exit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define END_TIMEOUT_NS INT64_C(2000000000)

/* The one server of the process: what its signal handlers reach. */
static struct {
	struct soq_loop *loop;
	const struct role *role;
	struct service *service;
	struct soq_op report;
	int output_fd;
	volatile sig_atomic_t asked_to_end;
} server;

static void say_report(void)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	const struct service_counters *c = &server.service->counters;
	struct control_report report;

	if (soq_loop_stats(server.loop, &stats) < 0)
		return;
	report = (struct control_report){
		.bytes = c->bytes,
		.accepts = c->accepts,
		.turns = stats.turns,
		.waits = stats.waits,
		.requests = stats.requests,
		.completions = stats.completions,
		.allocations = stats.allocations + c->allocations,
	};
	control_say_report(server.output_fd, &report);
}

static void on_report(const struct soq_event *event)
{
	(void)event;
	say_report();
}

static void on_signal(int signal_number)
{
	if (signal_number == SIGUSR1) {
		/* In flight already: the report that is coming serves this signal too. */
		(void)!soq_loop_post(server.loop, &server.report);
		return;
	}
	server.asked_to_end = 1;
	soq_loop_stop(server.loop);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

const struct role *server_find_role(const char *name)
{
	static const struct role *const roles[] = { &role_echo, &role_sink, &role_source,
						    &role_datagram };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i]->name, name) == 0)
			return roles[i];
	}
	return NULL;
}

const char *server_backend_name(struct soq_loop *loop)
{
	struct soq_loop_info info = { .size = sizeof(info) };

	if (soq_loop_info(loop, &info) < 0)
		return "?";
	return info.backend == SOQ_BACKEND_URING ? "uring" : "epoll";
}

static int say_where(const struct server_options *options)
{
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint ep;
	int ret;

	ret = soq_socket_local(server.service->socket, &ep);
	if (ret < 0)
		return ret;
	ret = soq_endpoint_format(&ep, text, sizeof(text));
	if (ret < 0)
		return ret;
	control_say_listening(options->output_fd, server_backend_name(server.loop), text);
	if (!options->quiet)
		fprintf(stderr, "soqperf server: %s on %s, end it with ^C\n", server.role->name,
			server_backend_name(server.loop));
	return 0;
}

/* Ends the connections in good order, or by force if they do not end in time. */
static void wind_down(void)
{
	server.role->close(server.service);
	if (soq_loop_run(server.loop, SOQ_RUN_IDLE, END_TIMEOUT_NS) == -ETIME) {
		soq_loop_close_all(server.loop);
		soq_loop_run(server.loop, SOQ_RUN_IDLE, END_TIMEOUT_NS);
	}
}

static int serve(const struct server_options *options)
{
	int ret, code = EXIT_CODE_OK;

	ret = server.role->open(server.loop, &options->endpoint, &options->service,
				&server.service);
	if (ret < 0) {
		fprintf(stderr, "soqperf: cannot listen: %s\n", strerror(-ret));
		return EXIT_CODE_CANNOT_RUN;
	}
	catch_signals();
	ret = say_where(options);
	if (ret == 0)
		ret = soq_loop_run(server.loop, SOQ_RUN_STOP, -1);
	if (!server.asked_to_end) {
		if (ret >= 0)
			ret = server.service->counters.error;
		fprintf(stderr, "soqperf: the server broke: %s\n", strerror(-ret));
		code = EXIT_CODE_ERRORS;
	}
	wind_down();
	say_report();
	return code;
}

int server_run(const struct server_options *options)
{
	struct soq_loop_options loop_options = {
		.size = sizeof(loop_options),
		.backend = options->backend,
		.direct_count = options->service.direct_count,
	};
	int ret, code;

	server.role = options->role;
	server.report.done = on_report;
	server.output_fd = options->output_fd;
	ret = soq_loop_create(&loop_options, &server.loop);
	if (ret < 0) {
		fprintf(stderr, "soqperf: cannot make a loop: %s\n", strerror(-ret));
		return EXIT_CODE_CANNOT_RUN;
	}
	code = serve(options);
	/* The handlers reach the loop: none may run once it is gone. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	ret = server.service ? server.role->free(server.service) : 0;
	if (ret == 0)
		ret = soq_loop_destroy(server.loop);
	if (ret < 0) {
		fprintf(stderr, "soqperf: the loop does not end: %s\n", strerror(-ret));
		return EXIT_CODE_ERRORS;
	}
	return code;
}
