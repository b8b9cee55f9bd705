/* SPDX-License-Identifier: MIT */
/* The program around a twin: its listener, its signals, its reports. */
#include "twin.h"

#include "../common/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_USAGE      2
#define EXIT_CANNOT_RUN TWIN_EXIT_CANNOT_RUN

/* Splits `[host]:port` or `host:port`; the parts lie in `host`. NULL if it is neither. */
static char *split(char *host, char **host_out)
{
	char *colon = strrchr(host, ':');

	if (!colon)
		return NULL;
	*colon = 0;
	*host_out = host;
	if (host[0] == '[' && colon > host && colon[-1] == ']') {
		colon[-1] = 0;
		*host_out = host + 1;
	}
	return colon + 1;
}

static int open_listener(const struct addrinfo *address)
{
	int on = 1, fd;

	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Accepted connections inherit it: no system call for each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int twin_listen(const char *text)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *address;
	char copy[128], *host, *port;
	int fd;

	snprintf(copy, sizeof(copy), "%s", text);
	port = split(copy, &host);
	if (!port || getaddrinfo(host, port, &hints, &address) != 0)
		return -EINVAL;
	fd = open_listener(address);
	freeaddrinfo(address);
	return fd;
}

void twin_say_listening(int fd, const struct twin *twin)
{
	char host[INET6_ADDRSTRLEN], port[8], text[80];
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
	    getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	snprintf(text, sizeof(text), address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		 port);
	control_say_listening(STDOUT_FILENO, twin->engine, text);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void say_report(const struct twin *twin, const void *state)
{
	struct control_report report = *twin->report(state);

	control_say_report(STDOUT_FILENO, &report);
}

/* Answers the signals that came; false once it is time to end. */
static bool take_signals(int signal_fd, const struct twin *twin, const void *state)
{
	struct signalfd_siginfo info;
	bool go_on = true;

	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			say_report(twin, state);
		else
			go_on = false;
	}
	return go_on;
}

static int serve(int listen_fd, int signal_fd, bool option_given, const struct twin *twin)
{
	void *state;
	int ret;

	ret = twin->create(listen_fd, signal_fd, option_given, &state);
	if (ret < 0) {
		fprintf(stderr, "%s: cannot run: %s\n", twin->name, strerror(-ret));
		return EXIT_CANNOT_RUN;
	}
	twin_say_listening(listen_fd, twin);
	do {
		ret = twin->turn(state);
	} while (ret == TWIN_TURN_ECHO ||
		 (ret == TWIN_TURN_WATCHED && take_signals(signal_fd, twin, state)));
	say_report(twin, state);
	twin->destroy(state);
	if (ret < 0)
		fprintf(stderr, "%s: broke: %s\n", twin->name, strerror(-ret));
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(const struct twin *twin, FILE *file, int code)
{
	fprintf(file, "%s ENDPOINT%s%s%s\n", twin->name, twin->option ? " [" : "",
		twin->option ? twin->option : "", twin->option ? "]" : "");
	fprintf(file, "Echoes at ENDPOINT (ADDRESS:PORT, [ADDRESS]:PORT; port 0 takes a free one)\n"
		      "until SIGTERM; prints where, and its counters at SIGUSR1 and at the end.\n");
	if (twin->option)
		fprintf(file, "  %s  %s\n", twin->option, twin->option_help);
	return code;
}

int twin_open(int argc, char **argv, const struct twin *twin, bool *option_given_out)
{
	const char *endpoint = NULL;
	int listen_fd;

	*option_given_out = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			exit(usage(twin, stdout, EXIT_SUCCESS));
		if (twin->option && strcmp(argv[i], twin->option) == 0)
			*option_given_out = true;
		else if (argv[i][0] != '-' && !endpoint)
			endpoint = argv[i];
		else
			exit(usage(twin, stderr, EXIT_USAGE));
	}
	if (!endpoint)
		exit(usage(twin, stderr, EXIT_USAGE));
	limits_raise_files();
	listen_fd = twin_listen(endpoint);
	if (listen_fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", twin->name, endpoint, strerror(-listen_fd));
		exit(EXIT_CANNOT_RUN);
	}
	return listen_fd;
}

int twin_main(int argc, char **argv, const struct twin *twin)
{
	bool option_given;
	int listen_fd, code;

	listen_fd = twin_open(argc, argv, twin, &option_given);
	code = serve(listen_fd, open_signals(), option_given, twin);
	close(listen_fd);
	return code;
}
