/* SPDX-License-Identifier: MIT */
/*
 * A client that goes where others tell it to, and a loop that lets it go nowhere else than the
 * rules say: a refusal is -EACCES, before the kernel hears of it.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int guarded_loop(struct soq_loop **loop_out)
{
	static const char rules[] = "default deny\n"
				    "allow connect tcp 127.0.0.0/8 1024-65535\n"
				    "deny connect any 127.0.0.13\n";
	struct soq_policy_error wrong = { .size = sizeof(wrong) };
	struct soq_loop_options options = { .size = sizeof(options) };
	int error = soq_policy_parse(rules, strlen(rules), &wrong, &options.policy);

	if (error < 0)
		fprintf(stderr, "line %u: %s\n", wrong.line, wrong.text);
	else
		error = soq_loop_create(&options, loop_out);
	soq_policy_release(options.policy); /* the loop has its own reference */
	return error;
}

/* Connects and hangs up, if it may. */
static int visit(struct soq_loop *loop, const char *address)
{
	struct soq_endpoint ep;
	struct soq_socket *s;
	int result;

	if (soq_endpoint_parse(address, &ep) < 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &s) < 0)
		return -EINVAL;
	result = soq_connect(s, &ep);
	printf("%s: %s\n", address, result == 0 ? "connected" : strerror(-result));
	(void)soq_abort(s);
	return result;
}

int main(void)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_loop *loop;
	int result;

	if (guarded_loop(&loop) < 0)
		return 1;
	/* Nobody may be there; but to look is allowed. */
	result = visit(loop, "127.0.0.1:1024");
	if (result == -EACCES || visit(loop, "127.0.0.13:1024") != -EACCES ||
	    visit(loop, "[::ffff:127.0.0.13]:1024") != -EACCES ||
	    visit(loop, "0.0.0.0:22") != -EACCES || visit(loop, "192.0.2.1:443") != -EACCES ||
	    soq_loop_stats(loop, &stats) < 0)
		return 1;
	printf("%u refused\n", (unsigned)stats.policy_refusals);
	if (stats.policy_refusals != 4 || soq_loop_close_all(loop) < 0 ||
	    soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0)
		return 1;
	return soq_loop_destroy(loop) < 0;
}
