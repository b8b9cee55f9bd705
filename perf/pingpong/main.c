/* SPDX-License-Identifier: MIT */
/* soq-pingpong: what one round trip takes, by each way a client can make it. */
#include "bout.h"
#include "peer.h"
#include "report.h"

#include "../common/limits.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_alarm(int signal)
{
	static const char text[] = "soq-pingpong: a response was lost\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILURE);
}

static int measure(const struct settings *s, const struct sockaddr_in *where)
{
	struct bout b;
	bool ok;
	int ret;

	placement_pin(s->placement.client_cpu);
	ret = bout_open(&b, s, where);
	ok = ret == 0;
	if (ret < 0)
		fprintf(stderr, "soq-pingpong: %s\n", strerror(-ret));
	if (ok)
		ok = bout_run(&b) == 0;
	if (ok) {
		report_print(&b);
		ok = report_check(&b);
	}
	if (bout_close(&b) > 0)
		ok = false;
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct settings s;
	struct peer peer;
	int code, ret;

	if (!settings_parse(argc, argv, &s)) {
		fprintf(stderr, "Try: soq-pingpong --help\n");
		return 2;
	}
	limits_raise_files();
	ret = peer_start(&peer, s.placement.server_cpu);
	if (ret < 0) {
		fprintf(stderr, "soq-pingpong: no peer: %s\n", strerror(-ret));
		return EXIT_FAILURE;
	}
	signal(SIGALRM, on_alarm);
	code = measure(&s, &peer.where);
	peer_stop(&peer);
	return code;
}
