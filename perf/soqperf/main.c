/* SPDX-License-Identifier: MIT */
/* soqperf: measures soq over loopback and networks. */
#include "../common/limits.h"
#include "exit.h"
#include "options.h"
#include "run.h"
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

static int run_server(const struct options *options)
{
	const struct server_options server = {
		.role = options->role,
		.endpoint = options->endpoint,
		.backend = options->engine,
		.service = options->service,
		.output_fd = STDOUT_FILENO,
		.quiet = options->quiet,
	};

	if (options->placement.server_cpu >= 0)
		placement_pin(options->placement.server_cpu);
	return server_run(&server);
}

static const struct {
	const char *name;
	enum subcommand subcommand;
	const struct load_mode *mode; /* NULL: it serves */
} subcommands[] = {
	{ "rr", SUBCOMMAND_RR, &mode_rr },
	{ "stream", SUBCOMMAND_STREAM, &mode_stream },
	{ "crr", SUBCOMMAND_CRR, &mode_crr },
	{ "server", SUBCOMMAND_SERVER, NULL },
};

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
	struct options options;

	if (strcmp(subcommand, "-V") == 0 || strcmp(subcommand, "--version") == 0)
		return version();
	if (strcmp(subcommand, "-h") == 0 || strcmp(subcommand, "--help") == 0)
		return help(NULL);
	if (strcmp(subcommand, "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (strcmp(subcommand, subcommands[i].name) != 0)
			continue;
		if (asks_for_help(argc - 1, argv + 1))
			return help(subcommand);
		if (!options_parse(subcommands[i].subcommand, argc - 1, argv + 1, &options))
			return usage();
		limits_raise_files();
		return subcommands[i].mode ? run_mode(subcommands[i].mode, &options)
					   : run_server(&options);
	}
	return usage();
}
