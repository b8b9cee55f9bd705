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

static void set_stream_options(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Accepted connections inherit it: no system call for each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int open_socket(const struct addrinfo *address)
{
	bool is_stream = address->ai_socktype == SOCK_STREAM;
	int fd;

	fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (is_stream)
		set_stream_options(fd);
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 ||
	    (is_stream && listen(fd, SOMAXCONN) < 0)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int open_at(const char *text, int type)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = type,
	};
	struct addrinfo *address;
	char copy[128], *host, *port;
	int fd;

	snprintf(copy, sizeof(copy), "%s", text);
	port = split(copy, &host);
	if (!port || getaddrinfo(host, port, &hints, &address) != 0)
		return -EINVAL;
	fd = open_socket(address);
	freeaddrinfo(address);
	return fd;
}

int twin_listen(const char *text)
{
	return open_at(text, SOCK_STREAM);
}

const unsigned char *twin_chunk(uint64_t position)
{
	/* Twice, so that whole chunks can be sent from any position. */
	static unsigned char chunks[2 * TWIN_CHUNK_BYTES];
	static bool filled;

	if (!filled) {
		for (unsigned i = 0; i < sizeof(chunks); i++)
			chunks[i] = (unsigned char)(i % TWIN_CHUNK_BYTES * 31 + 7);
		filled = true;
	}
	return chunks + position % TWIN_CHUNK_BYTES;
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

static int serve(int fd, int signal_fd, const struct twin_options *options, const struct twin *twin)
{
	void *state;
	int ret;

	ret = twin->create(fd, signal_fd, options, &state);
	if (ret < 0) {
		fprintf(stderr, "%s: cannot run: %s\n", twin->name, strerror(-ret));
		return EXIT_CANNOT_RUN;
	}
	twin_say_listening(fd, twin);
	do {
		ret = twin->turn(state);
	} while (ret == TWIN_TURN_SERVED ||
		 (ret == TWIN_TURN_WATCHED && take_signals(signal_fd, twin, state)));
	say_report(twin, state);
	twin->destroy(state);
	if (ret < 0)
		fprintf(stderr, "%s: broke: %s\n", twin->name, strerror(-ret));
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(const struct twin *twin, FILE *file, int code)
{
	fprintf(file, "%s ENDPOINT%s%s%s [--sink|--source|--datagram]\n", twin->name,
		twin->option ? " [" : "", twin->option ? twin->option : "",
		twin->option ? "]" : "");
	fprintf(file, "Echoes at ENDPOINT (ADDRESS:PORT, [ADDRESS]:PORT; port 0 takes a free one)\n"
		      "until SIGTERM; prints where, and its counters at SIGUSR1 and at the end.\n"
		      "  --sink      receive only\n"
		      "  --source    send only: 64 KiB of which byte i is i * 31 + 7, for ever\n"
		      "  --datagram  echo over UDP\n");
	if (twin->option)
		fprintf(file, "  %-11s %s\n", twin->option, twin->option_help);
	return code;
}

static bool take_role(const char *text, enum twin_role *role_out)
{
	static const struct {
		const char *text;
		enum twin_role role;
	} roles[] = {
		{ "--sink", TWIN_SINK },
		{ "--source", TWIN_SOURCE },
		{ "--datagram", TWIN_DATAGRAM },
	};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(text, roles[i].text) == 0 && *role_out == TWIN_ECHO) {
			*role_out = roles[i].role;
			return true;
		}
	}
	return false;
}

int twin_open(int argc, char **argv, const struct twin *twin, struct twin_options *options_out)
{
	const char *endpoint = NULL;
	int fd;

	*options_out = (struct twin_options){ .role = TWIN_ECHO };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			exit(usage(twin, stdout, EXIT_SUCCESS));
		if (take_role(argv[i], &options_out->role))
			continue;
		if (twin->option && strcmp(argv[i], twin->option) == 0)
			options_out->option_given = true;
		else if (argv[i][0] != '-' && !endpoint)
			endpoint = argv[i];
		else
			exit(usage(twin, stderr, EXIT_USAGE));
	}
	if (!endpoint)
		exit(usage(twin, stderr, EXIT_USAGE));
	limits_raise_files();
	fd = open_at(endpoint, options_out->role == TWIN_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM);
	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", twin->name, endpoint, strerror(-fd));
		exit(EXIT_CANNOT_RUN);
	}
	return fd;
}

int twin_main(int argc, char **argv, const struct twin *twin)
{
	struct twin_options options;
	int fd, code;

	fd = twin_open(argc, argv, twin, &options);
	code = serve(fd, open_signals(), &options, twin);
	close(fd);
	return code;
}
