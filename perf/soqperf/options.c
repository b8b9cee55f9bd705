/* SPDX-License-Identifier: MIT */
/* Reads the command line and prints the help. */
#include "options.h"

#include "payload.h"
#include "server.h"
#include "units.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_ENDPOINT "127.0.0.1:7670"
#define CONNECTIONS_MAX  1000000u
#define PIPELINE_MAX     4096u

enum long_option {
	OPTION_ENGINE = 256,
	OPTION_SERVER_ENGINE,
	OPTION_SERVER_COMMAND,
	OPTION_CSV,
	OPTION_NO_HEADER,
	OPTION_LABEL,
	OPTION_RECEIVE,
	OPTION_BUFFER,
	OPTION_POOL_BUFS,
	OPTION_POOL_SHARE,
	OPTION_ROLE,
	OPTION_SINK,
	OPTION_SOURCE,
	OPTION_DATAGRAM,
};

static const char help_all[] =
	"soqperf measures request/response over TCP, with both ends on soq.\n"
	"\n"
	"  soqperf rr                        a whole run: its own server, 1 connection, 10 s\n"
	"  soqperf rr -c 64 -s 1Ki -P 4      64 connections, 1 KiB, 4 requests outstanding on "
	"each\n"
	"  soqperf rr --engine epoll -d 2    both ends on epoll, 2 s\n"
	"  soqperf rr 192.0.2.7:7670 -J      against a running echo server; JSON on stdout\n"
	"  soqperf server [::1]:0            an echo server that any TCP client can talk to\n"
	"  soqperf server --role sink        one that only receives\n"
	"\n"
	"Subcommands: rr, server, help [rr|server]. -V, --version; -h, --help.\n"
	"Exit codes: 0 all bytes right, 1 errors, 2 usage, 3 could not run, 130/143 interrupted.\n";

static const char help_rr[] =
	"soqperf rr [ENDPOINT] [OPTION...]\n"
	"\n"
	"Closed loop: every connection keeps -P requests outstanding; every byte of every\n"
	"response is compared. Without ENDPOINT (ADDRESS:PORT, [ADDRESS]:PORT) it starts a\n"
	"server of its own as a child process.\n"
	"\n"
	"  -c, --connections N     connections (1)\n"
	"  -s, --size SIZE         bytes of a request and of its response (64; 1 to 1Mi)\n"
	"  -P, --pipeline N        requests outstanding per connection (1)\n"
	"  -d, --duration TIME     measured window (10s; ns us ms s m, bare is s)\n"
	"  -W, --warmup TIME       before it (1s; 0 with -n)\n"
	"  -n, --requests N        measure N requests instead; with -d whichever is first\n"
	"      --engine E          uring, epoll or auto (auto)\n"
	"      --server-engine E   of the own server (as --engine)\n"
	"      --server-command C  run this server instead of the own one: it must say where it\n"
	"                          listens and report as soqperf server does (perf/twins)\n"
	"      --receive HOW       of the own server: plain, into two buffers of each connection,\n"
	"                          or pool, into bufs that are lent (pool)\n"
	"      --buffer SIZE       of a buffer, or of a buf of the pool (16Ki; 512 to 16Mi)\n"
	"      --pool-bufs N       bufs in the pool (128)\n"
	"      --pool-share N      of them one connection may have (an eighth)\n"
	"  -A, --affinity WHERE    none, same, split, or CLIENT:SERVER CPUs (none)\n"
	"  -J, --json[=FILE]       one JSON document (schema soqperf/1, integer ns)\n"
	"      --csv, --no-header  one CSV row\n"
	"      --label TEXT        carried into JSON and CSV\n"
	"  -q, --quiet             nothing on stderr but errors\n";

static const char help_server[] =
	"soqperf server [ENDPOINT] [OPTION...]\n"
	"\n"
	"Serves until SIGINT or SIGTERM. ENDPOINT is 127.0.0.1:7670 unless given; port 0 takes a\n"
	"free one. Prints where it listens, and a line of counters at SIGUSR1 and at its end.\n"
	"\n"
	"      --role ROLE         echo: sends back what any TCP client sends (echo)\n"
	"                          sink: receives, and sends nothing\n"
	"                          source: sends the same 64 KiB until the client closes\n"
	"                          datagram: sends back every UDP datagram\n"
	"      --sink, --source, --datagram\n"
	"                          the same, as other measured servers have it\n"
	"      --engine E          uring, epoll or auto (auto)\n"
	"      --receive, --buffer, --pool-bufs, --pool-share, -A: as for rr; datagrams always "
	"come\n"
	"                          from a pool, and have 384 bytes less than a buf\n"
	"  -q, --quiet             nothing on stderr but errors\n";

static const struct option long_options[] = {
	{ "connections", required_argument, NULL, 'c' },
	{ "size", required_argument, NULL, 's' },
	{ "pipeline", required_argument, NULL, 'P' },
	{ "duration", required_argument, NULL, 'd' },
	{ "time", required_argument, NULL, 'd' },
	{ "warmup", required_argument, NULL, 'W' },
	{ "requests", required_argument, NULL, 'n' },
	{ "engine", required_argument, NULL, OPTION_ENGINE },
	{ "server-engine", required_argument, NULL, OPTION_SERVER_ENGINE },
	{ "server-command", required_argument, NULL, OPTION_SERVER_COMMAND },
	{ "affinity", required_argument, NULL, 'A' },
	{ "json", optional_argument, NULL, 'J' },
	{ "csv", no_argument, NULL, OPTION_CSV },
	{ "no-header", no_argument, NULL, OPTION_NO_HEADER },
	{ "label", required_argument, NULL, OPTION_LABEL },
	{ "receive", required_argument, NULL, OPTION_RECEIVE },
	{ "buffer", required_argument, NULL, OPTION_BUFFER },
	{ "pool-bufs", required_argument, NULL, OPTION_POOL_BUFS },
	{ "pool-share", required_argument, NULL, OPTION_POOL_SHARE },
	{ "role", required_argument, NULL, OPTION_ROLE },
	{ "sink", no_argument, NULL, OPTION_SINK },
	{ "source", no_argument, NULL, OPTION_SOURCE },
	{ "datagram", no_argument, NULL, OPTION_DATAGRAM },
	{ "quiet", no_argument, NULL, 'q' },
	{ NULL, 0, NULL, 0 },
};

/* What is given on the command line, before the defaults that depend on it. */
struct given {
	bool duration;
	bool warmup;
	bool server_engine;
};

static bool refuse(const char *what, const char *value)
{
	fprintf(stderr, "soqperf: %s: %s\n", what, value);
	return false;
}

static bool parse_engine(const char *text, uint32_t *backend_out)
{
	if (strcmp(text, "auto") == 0)
		*backend_out = SOQ_BACKEND_AUTO;
	else if (strcmp(text, "uring") == 0)
		*backend_out = SOQ_BACKEND_URING;
	else if (strcmp(text, "epoll") == 0)
		*backend_out = SOQ_BACKEND_EPOLL;
	else
		return refuse("no such engine", text);
	return true;
}

static bool parse_u32(const char *what, const char *text, uint32_t max, uint32_t *out)
{
	uint64_t count;

	if (!units_parse_count(text, 1, max, &count))
		return refuse(what, text);
	*out = (uint32_t)count;
	return true;
}

static bool parse_endpoint(const char *text, struct soq_endpoint *ep_out)
{
	if (strncmp(text, "tcp://", 6) == 0)
		text += 6;
	if (soq_endpoint_parse(text, ep_out) < 0)
		return refuse("not an endpoint (ADDRESS:PORT or [ADDRESS]:PORT)", text);
	return true;
}

/* Takes -J, -JFILE, -J=FILE and --json=FILE. */
static bool take_json(struct options *o, const char *file)
{
	o->format = OUTPUT_JSON;
	if (file && file[0] == '=')
		file++;
	o->json_file = file && file[0] ? file : NULL;
	return true;
}

static bool parse_receive(const char *text, bool *pooled_out)
{
	*pooled_out = strcmp(text, "pool") == 0;
	return *pooled_out || strcmp(text, "plain") == 0 || refuse("neither plain nor pool", text);
}

static bool parse_role(const char *text, const struct role **role_out)
{
	*role_out = server_find_role(text);
	return *role_out || refuse("no such role", text);
}

/* What `server` does; -1: the option is another. */
static int take_role(struct options *o, int option, const char *value)
{
	switch (option) {
	case OPTION_ROLE:
		return parse_role(value, &o->role);
	case OPTION_SINK:
		return parse_role("sink", &o->role);
	case OPTION_SOURCE:
		return parse_role("source", &o->role);
	case OPTION_DATAGRAM:
		return parse_role("datagram", &o->role);
	default:
		return -1;
	}
}

/* How the server receives; -1: the option is another. */
static int take_receive(struct service_options *o, int option, const char *value)
{
	switch (option) {
	case OPTION_RECEIVE:
		return parse_receive(value, &o->pooled);
	case OPTION_BUFFER:
		return parse_u32("not a size up to 16Mi", value, 16u << 20, &o->buffer_bytes);
	case OPTION_POOL_BUFS:
		return parse_u32("not a number of bufs", value, SOQ_POOL_BUFS_MAX, &o->pool_bufs);
	case OPTION_POOL_SHARE:
		return parse_u32("not a share", value, SOQ_POOL_BUFS_MAX, &o->pool_share);
	default:
		return -1;
	}
}

static bool take_load(struct options *o, struct given *given, int option, const char *value)
{
	switch (option) {
	case 'c':
		return parse_u32("not a number of connections", value, CONNECTIONS_MAX,
				 &o->connections);
	case 's':
		return parse_u32("not a size from 1 to 1Mi", value, PAYLOAD_MAX, &o->size_bytes);
	case 'P':
		return parse_u32("not a pipeline depth from 1 to 4096", value, PIPELINE_MAX,
				 &o->pipeline);
	case 'd':
		given->duration = true;
		if (!units_parse_time(value, &o->duration_ns) || o->duration_ns == 0)
			return refuse("not a duration", value);
		return true;
	case 'W':
		given->warmup = true;
		return units_parse_time(value, &o->warmup_ns) || refuse("not a time", value);
	case 'n':
		return units_parse_count(value, 1, UINT64_C(1) << 50, &o->requests) ||
		       refuse("not a number of requests", value);
	default:
		return false;
	}
}

static bool take(struct options *o, struct given *given, int option, const char *value)
{
	int taken = take_receive(&o->service, option, value);

	if (taken >= 0)
		return taken;
	switch (option) {
	case OPTION_ENGINE:
		return parse_engine(value, &o->engine);
	case OPTION_SERVER_ENGINE:
		given->server_engine = true;
		return parse_engine(value, &o->server_engine);
	case OPTION_SERVER_COMMAND:
		o->server_command = value;
		return true;
	case 'A':
		return placement_parse(value, &o->placement) || refuse("not a placement", value);
	case 'J':
		return take_json(o, value);
	case OPTION_CSV:
		o->format = OUTPUT_CSV;
		return true;
	case OPTION_NO_HEADER:
		o->csv_header = false;
		return true;
	case OPTION_LABEL:
		o->label = value;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	default:
		return take_load(o, given, option, value); /* '?': getopt_long() has said why */
	}
}

static bool take_endpoint(struct options *o, int argc, char **argv)
{
	if (optind == argc)
		return true;
	if (argc - optind > 1)
		return refuse("one endpoint at most", argv[optind + 1]);
	o->has_endpoint = true;
	return parse_endpoint(argv[optind], &o->endpoint);
}

static void set_defaults(struct options *o)
{
	*o = (struct options){
		.connections = 1,
		.size_bytes = 64,
		.pipeline = 1,
		.duration_ns = INT64_C(10000000000),
		.warmup_ns = INT64_C(1000000000),
		.placement = { -1, -1 },
		.csv_header = true,
		.label = "",
		.role = &role_echo,
		.service = { .pooled = true },
	};
}

bool options_parse_rr(int argc, char **argv, struct options *o)
{
	struct given given = { 0 };
	int option;

	set_defaults(o);
	while ((option = getopt_long(argc, argv, "c:s:P:d:W:n:A:J::q", long_options, NULL)) != -1) {
		if (!take(o, &given, option, optarg))
			return false;
	}
	if (!take_endpoint(o, argc, argv))
		return false;
	if (o->requests && !given.duration)
		o->duration_ns = 0;
	if (o->requests && !given.warmup)
		o->warmup_ns = 0;
	if (!given.server_engine)
		o->server_engine = o->engine;
	if (o->has_endpoint && (o->server_command || given.server_engine))
		return refuse("an endpoint excludes a server of its own", argv[optind]);
	return true;
}

bool options_parse_server(int argc, char **argv, struct options *o)
{
	struct given given = { 0 };
	int option;

	set_defaults(o);
	(void)!soq_endpoint_parse(DEFAULT_ENDPOINT, &o->endpoint);
	while ((option = getopt_long(argc, argv, "A:q", long_options, NULL)) != -1) {
		int taken = take_role(o, option, optarg);

		if (taken == 0)
			return false;
		if (taken > 0)
			continue;
		if (option != OPTION_ENGINE && option < OPTION_RECEIVE && option != 'A' &&
		    option != 'q') {
			if (option != '?')
				refuse("not an option of server", argv[optind - 1]);
			return false;
		}
		if (!take(o, &given, option, optarg))
			return false;
	}
	return take_endpoint(o, argc, argv);
}

bool options_help(const char *subcommand)
{
	if (!subcommand)
		fputs(help_all, stdout);
	else if (strcmp(subcommand, "rr") == 0)
		fputs(help_rr, stdout);
	else if (strcmp(subcommand, "server") == 0)
		fputs(help_server, stdout);
	else
		return refuse("no such subcommand", subcommand);
	return true;
}
