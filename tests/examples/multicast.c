/* SPDX-License-Identifier: MIT */
/*
 * Multicast: joining a group, sending to it, receiving, leaving. multicast GROUP
 * INTERFACE [detached], say 239.1.2.3:0 lo. Sender and receiver are one program here;
 * the port is whichever is free.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>

static int fail(const char *what, int64_t result)
{
	(void)fprintf(stderr, "%s: %s\n", what, soq_error_text((int)result));
	return 1;
}

/* A socket that hears what is sent to `group` on an interface; the port goes into both. */
static int join(struct soq_socket *s, struct soq_endpoint *group, uint32_t interface)
{
	struct soq_endpoint any;
	int error = soq_endpoint_any(AF_INET, 0, &any);

	if (error == 0)
		error = soq_bind(s, &any); /* the port is the socket's, not the group's */
	if (error == 0)
		error = soq_socket_local(s, &any);
	if (error == 0)
		error = soq_multicast_join(s, group, NULL, interface);
	group->addr.ipv4.sin_port = any.addr.ipv4.sin_port;
	return error;
}

/* How sends leave is options of the sender; it need not be in the group. */
static int prepare_sender(struct soq_socket *s, uint32_t interface)
{
	int error = soq_socket_set_option(s, SOQ_OPTION_MULTICAST_INTERFACE, interface);

	if (error == 0)
		error = soq_socket_set_option(s, SOQ_OPTION_MULTICAST_TTL, 0); /* stays here */
	if (error == 0) /* 1 is the default: members on this machine get it too */
		error = soq_socket_set_option(s, SOQ_OPTION_MULTICAST_LOOPBACK, 1);
	return error;
}

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;
	struct soq_socket *receiver, *sender;
	struct soq_endpoint group, from;
	char bytes[64], name[SOQ_ENDPOINT_TEXT_MAX];
	int interface, error;
	int64_t result;

	if (argc < 3 || soq_endpoint_parse(argv[1], &group) < 0 ||
	    group.addr.any.sa_family != AF_INET) {
		(void)fprintf(stderr, "usage: multicast GROUP:PORT INTERFACE [detached]\n");
		return 2;
	}
	interface = soq_interface_by_name(argv[2]); /* interfaces go by number */
	if (interface < 0)
		return fail(argv[2], interface);
	if ((argc < 4 && soq_loop_create(NULL, &loop) < 0) ||
	    soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, &receiver) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, &sender) < 0)
		return 1;

	error = join(receiver, &group, (uint32_t)interface);
	if (error < 0)
		return fail("join", error);
	error = prepare_sender(sender, (uint32_t)interface);
	if (error < 0)
		return fail("prepare", error);
	if (soq_endpoint_format(&group, name, sizeof(name)) < 0)
		return 1;
	printf("Joined %s\n", name);
	result = soq_send_to(sender, "hello, group", 12, 0, &group);
	if (result < 0)
		return fail("send", result);
	result = soq_recv_from(receiver, bytes, sizeof(bytes), 0, &from);
	if (result < 0 || soq_endpoint_format(&from, name, sizeof(name)) < 0)
		return fail("receive", result);
	printf("Received from %s : %.*s\n", name, (int)result, bytes);

	/* Closing leaves as well; the second time there is nothing to leave. */
	error = soq_multicast_leave(receiver, &group, NULL, (uint32_t)interface);
	if (error < 0)
		return fail("leave", error);
	if (soq_multicast_leave(receiver, &group, NULL, (uint32_t)interface) != -EADDRNOTAVAIL)
		return 1;
	(void)soq_close(sender);
	(void)soq_close(receiver);
	return loop != NULL &&
	       (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0);
}
