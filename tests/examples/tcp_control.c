/* SPDX-License-Identifier: MIT */
/*
 * What the constructors of TcpClient and TcpListener do for a program, step by step with
 * sockets: a listener and a client for both families, a client of one family, one with
 * an address of its own, and one that takes the first address that answers. `tcp_control
 * detached` does it without a loop.
 */
#include <soq/soq.h>

#include <stdio.h>

static struct soq_loop *loop;

/* TcpListener.Create(port): IPv6, and IPv4 as ::ffff:a.b.c.d; `*ep` gets its address. */
static int listen_dual(struct soq_socket **listener, struct soq_endpoint *ep)
{
	return soq_endpoint_any(AF_INET6, 0, ep) < 0 ||
	       soq_socket_open(loop, AF_INET6, SOCK_STREAM, 0, listener) < 0 ||
	       soq_socket_set_option(*listener, SOQ_OPTION_IPV6_ONLY, 0) < 0 ||
	       soq_bind(*listener, ep) < 0 || soq_listen(*listener, 0) < 0 ||
	       soq_socket_local(*listener, ep) < 0;
}

/* Accepts the client that has just connected, says how it looks from here, closes both. */
static int meet(struct soq_socket *listener, const char *what, struct soq_socket *client)
{
	char name[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_socket *server;
	struct soq_endpoint peer;

	if (soq_accept(listener, &server, &peer) < 0 ||
	    soq_endpoint_format(&peer, name, sizeof(name)) < 0)
		return 1;
	printf("%s: %s\n", what, name);
	return soq_close(client) < 0 || soq_close(server) < 0;
}

/* new TcpClient(family), or with `from` new TcpClient(localEndPoint). */
static int connect_to(struct soq_socket *listener, const char *what, const char *to, uint16_t port,
		      const struct soq_endpoint *from)
{
	struct soq_socket *client;
	struct soq_endpoint ep;
	char text[64];

	(void)snprintf(text, sizeof(text), "%s:%u", to, port);
	return soq_endpoint_parse(text, &ep) < 0 ||
	       soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &client) < 0 ||
	       (from != NULL && soq_bind(client, from) < 0) || soq_connect(client, &ep) < 0 ||
	       meet(listener, what, client) != 0;
}

/*
 * new TcpClient(host, port), with the addresses that a name may have: each is tried on a
 * socket of its family. On the first nobody listens.
 */
static int connect_first(struct soq_socket *listener, uint16_t port)
{
	struct soq_endpoint eps[2];
	int32_t errors[2];
	struct soq_connect_list list = {
		.size = sizeof(list),
		.type = SOCK_STREAM,
		.endpoint_count = 2,
		.endpoints = eps,
		.errors = errors,
	};
	struct soq_socket *silent, *client;

	/* Bound, so that nobody else has the port, and not listening. */
	if (soq_endpoint_loopback(AF_INET6, 0, &eps[0]) < 0 ||
	    soq_socket_open(loop, AF_INET6, SOCK_STREAM, 0, &silent) < 0 ||
	    soq_bind(silent, &eps[0]) < 0 || soq_socket_local(silent, &eps[0]) < 0 ||
	    soq_endpoint_loopback(AF_INET, port, &eps[1]) < 0 ||
	    soq_connect_list(loop, &list, INT64_C(5000000000), &client) < 0)
		return 1;
	printf("the first address: %s; the second: connected\n", soq_error_text(errors[0]));
	return soq_close(silent) < 0 || meet(listener, "first of two", client) != 0;
}

int main(int argc, char **argv)
{
	struct soq_socket *listener;
	struct soq_endpoint ep, from;
	uint16_t port;

	(void)argv;
	if ((argc < 2 && soq_loop_create(NULL, &loop) < 0) || listen_dual(&listener, &ep) != 0 ||
	    soq_endpoint_loopback(AF_INET, 0, &from) < 0)
		return 1;
	port = (uint16_t)soq_endpoint_port(&ep);
	if (connect_to(listener, "IPv4", "127.0.0.1", port, NULL) != 0 ||
	    connect_to(listener, "IPv6", "[::1]", port, NULL) != 0 ||
	    /* A dual-stack client is one of IPv6; an IPv4 address is a mapped one for it. */
	    connect_to(listener, "IPv4 by IPv6", "[::ffff:127.0.0.1]", port, NULL) != 0 ||
	    connect_to(listener, "from an address of ours", "127.0.0.1", port, &from) != 0 ||
	    connect_first(listener, port) != 0 || soq_close(listener) < 0)
		return 1;
	return loop != NULL &&
	       (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0);
}
