/* SPDX-License-Identifier: MIT */
/* soqperf: measures soq over loopback and networks. */
#include "../common/limits.h"
#include "exit.h"
#include "options.h"
#include "rr.h"
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
	fprintf(stderr, "Try: soqperf help\n");
	return EXIT_CODE_USAGE;
}

static int help(const char *subcommand)
{
	return options_help(subcommand) ? EXIT_CODE_OK : usage();
}

static int version(void)
{
	uint32_t v = soq_version();

	printf("soqperf, soq %u.%u.%u\n", v >> 16, v >> 8 & 0xff, v & 0xff);
	return EXIT_CODE_OK;
}

static int run_server(int argc, char **argv)
{
	struct server_options server = { .output_fd = STDOUT_FILENO };
	struct options options;

	if (!options_parse_server(argc, argv, &options))
		return usage();
	if (options.placement.server_cpu >= 0)
		placement_pin(options.placement.server_cpu);
	server.role = options.role;
	server.endpoint = options.endpoint;
	server.backend = options.engine;
	server.service = options.service;
	server.quiet = options.quiet;
	return server_run(&server);
}

static int run_rr(int argc, char **argv)
{
	struct options options;

	if (!options_parse_rr(argc, argv, &options))
		return usage();
	return rr_run(&options);
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	const char *subcommand = argc > 1 ? argv[1] : "";

	if (strcmp(subcommand, "-V") == 0 || strcmp(subcommand, "--version") == 0)
		return version();
	if (strcmp(subcommand, "-h") == 0 || strcmp(subcommand, "--help") == 0)
		return help(NULL);
	if (strcmp(subcommand, "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	if (strcmp(subcommand, "rr") != 0 && strcmp(subcommand, "server") != 0)
		return usage();
	if (asks_for_help(argc - 1, argv + 1))
		return help(subcommand);
	limits_raise_files();
	if (strcmp(subcommand, "rr") == 0)
		return run_rr(argc - 1, argv + 1);
	return run_server(argc - 1, argv + 1);
}
