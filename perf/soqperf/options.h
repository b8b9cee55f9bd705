/* SPDX-License-Identifier: MIT */
/* The command line of soqperf. */
#ifndef SOQPERF_OPTIONS_H
#define SOQPERF_OPTIONS_H

#include <soq/soq.h>
#include <stdbool.h>
#include <stdint.h>

#include "placement.h"
#include "service.h"

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

enum transport { TRANSPORT_TCP, TRANSPORT_UDP };

/* One bit each: an option belongs to some of them. */
enum subcommand {
	SUBCOMMAND_RR = 1,
	SUBCOMMAND_STREAM = 2,
	SUBCOMMAND_CRR = 4,
	SUBCOMMAND_SERVER = 8,
};

struct options {
	enum subcommand subcommand;
	bool has_endpoint;
	struct soq_endpoint endpoint;
	enum transport transport;
	bool reverse; /* the server sends */
	uint32_t connections;
	uint32_t idle; /* more connections, which are silent */
	uint32_t size_bytes;
	uint32_t pipeline;
	int64_t duration_ns; /* 0: only `requests` ends the run */
	int64_t warmup_ns;
	uint64_t requests; /* 0: only `duration_ns` ends the run */
	uint32_t engine;   /* enum soq_backend */
	uint32_t server_engine;
	const char *server_command;
	const struct role *role;        /* of `server` */
	struct service_options service; /* of the own server */
	struct placement placement;
	enum output_format format;
	const char *json_file; /* NULL: standard output */
	bool csv_header;
	const char *label;
	bool quiet;
};

/*
 * Reads the arguments behind the subcommand (`argv[0]` is the subcommand). Returns
 * false after saying on stderr what is wrong.
 */
bool options_parse(enum subcommand subcommand, int argc, char **argv, struct options *options_out);

/* Prints the help of a subcommand, or of all for NULL; false if there is none. */
bool options_help(const char *subcommand);

#endif
