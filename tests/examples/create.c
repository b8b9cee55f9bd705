/* SPDX-License-Identifier: MIT */
/*
 * Creating sockets. A socket is opened with three numbers:
 *
 *	family    whose addresses it has: AF_INET is IPv4, AF_INET6 IPv6, AF_UNIX paths
 *	type      SOCK_STREAM for bytes in order, SOCK_DGRAM for messages
 *	protocol  who carries them; 0 is what is usual for the two, TCP or UDP
 *
 * `create detached` makes them without a loop.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>

static struct soq_loop *loop; /* NULL: sockets are detached, with blocking calls alone */

/* Opens one, says what it is, closes it. Returns what opening returned. */
static int create(const char *what, int family, int type, int protocol)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_socket *s;
	int error = soq_socket_open(loop, family, type, protocol, &s);

	if (error < 0) {
		printf("%s: %s\n", what, soq_error_text(error));
		return error;
	}
	error = soq_socket_info(s, &info);
	if (error == 0)
		printf("%s: family %d, type %d, protocol %d\n", what, info.family, info.type,
		       info.protocol);
	(void)soq_close(s); /* nothing was sent, so nothing can be lost */
	return error;
}

/* One socket for clients of IPv4 and IPv6, whose IPv4 addresses are then ::ffff:192.0.2.1. */
static int create_dual(void)
{
	struct soq_socket *s;
	int64_t only = -1;
	int error = soq_socket_open(loop, AF_INET6, SOCK_STREAM, 0, &s);

	if (error < 0)
		return error;
	/* What new sockets have is the system's choice, so say it; before the bind. */
	error = soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, 0);
	if (error == 0)
		error = soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &only);
	printf("TCP over IPv6 and IPv4: IPv6 only %d\n", (int)only);
	(void)soq_close(s);
	return error < 0 ? error : (int)only;
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc < 2 && soq_loop_create(NULL, &loop) != 0)
		return 1;
	if (create("TCP over IPv4", AF_INET, SOCK_STREAM, IPPROTO_TCP) != 0 ||
	    create("the same", AF_INET, SOCK_STREAM, 0) != 0 ||
	    create("UDP over IPv4", AF_INET, SOCK_DGRAM, IPPROTO_UDP) != 0 ||
	    create("UDP over IPv6", AF_INET6, SOCK_DGRAM, 0) != 0 ||
	    create("unix stream", AF_UNIX, SOCK_STREAM, 0) != 0 ||
	    create("unix messages", AF_UNIX, SOCK_SEQPACKET, 0) != 0 || create_dual() != 0)
		return 1;

	/* What does not go together is told when it is opened. */
	if (create("a stream of UDP", AF_INET, SOCK_STREAM, IPPROTO_UDP) != -EPROTONOSUPPORT ||
	    create("datagrams of TCP", AF_INET, SOCK_DGRAM, IPPROTO_TCP) != -EPROTONOSUPPORT ||
	    create("SEQPACKET of IPv4", AF_INET, SOCK_SEQPACKET, 0) != -ESOCKTNOSUPPORT ||
	    create("no such family", 255, SOCK_STREAM, 0) != -EAFNOSUPPORT)
		return 1;
	if (loop == NULL)
		return 0;
	/* The sockets are closed, but a loop may have something left to do for them. */
	return soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) != 0;
}
