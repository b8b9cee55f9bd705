/* SPDX-License-Identifier: MIT */
/* Reads the command line. */
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
#define DATAGRAM_MAX     65507u

#define LOADS (SUBCOMMAND_RR | SUBCOMMAND_STREAM | SUBCOMMAND_CRR)
#define ALL   (LOADS | SUBCOMMAND_SERVER)

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
	OPTION_DIRECT,
	OPTION_TRANSPORT,
	OPTION_IDLE,
	OPTION_REVERSE,
	OPTION_ROLE,
	OPTION_SINK,
	OPTION_SOURCE,
	OPTION_DATAGRAM,
};

/* Values below 256 are short options as well. */
static const struct {
	const char *name;
	int argument;
	int value;
	unsigned subcommands;
} known[] = {
	{ "connections", required_argument, 'c', LOADS },
	{ "size", required_argument, 's', LOADS },
	{ "pipeline", required_argument, 'P', SUBCOMMAND_RR | SUBCOMMAND_STREAM },
	{ "duration", required_argument, 'd', LOADS },
	{ "time", required_argument, 'd', LOADS },
	{ "warmup", required_argument, 'W', LOADS },
	{ "requests", required_argument, 'n', SUBCOMMAND_RR | SUBCOMMAND_CRR },
	{ "transport", required_argument, OPTION_TRANSPORT, SUBCOMMAND_RR },
	{ "idle", required_argument, OPTION_IDLE, SUBCOMMAND_RR },
	{ "reverse", no_argument, OPTION_REVERSE, SUBCOMMAND_STREAM },
	{ "engine", required_argument, OPTION_ENGINE, ALL },
	{ "server-engine", required_argument, OPTION_SERVER_ENGINE, LOADS },
	{ "server-command", required_argument, OPTION_SERVER_COMMAND, LOADS },
	{ "affinity", required_argument, 'A', ALL },
	{ "json", optional_argument, 'J', LOADS },
	{ "csv", no_argument, OPTION_CSV, LOADS },
	{ "no-header", no_argument, OPTION_NO_HEADER, LOADS },
	{ "label", required_argument, OPTION_LABEL, LOADS },
	{ "receive", required_argument, OPTION_RECEIVE, ALL },
	{ "buffer", required_argument, OPTION_BUFFER, ALL },
	{ "pool-bufs", required_argument, OPTION_POOL_BUFS, ALL },
	{ "pool-share", required_argument, OPTION_POOL_SHARE, ALL },
	{ "direct", required_argument, OPTION_DIRECT, ALL },
	{ "role", required_argument, OPTION_ROLE, SUBCOMMAND_SERVER },
	{ "sink", no_argument, OPTION_SINK, SUBCOMMAND_SERVER },
	{ "source", no_argument, OPTION_SOURCE, SUBCOMMAND_SERVER },
	{ "datagram", no_argument, OPTION_DATAGRAM, SUBCOMMAND_SERVER },
	{ "quiet", no_argument, 'q', ALL },
};

#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

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

static bool parse_transport(const char *text, enum transport *transport_out)
{
	*transport_out = strcmp(text, "udp") == 0 ? TRANSPORT_UDP : TRANSPORT_TCP;
	return *transport_out == TRANSPORT_UDP || strcmp(text, "tcp") == 0 ||
	       refuse("neither tcp nor udp", text);
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

/* What the server does and how it receives; -1: the option is another. */
static int take_service(struct options *o, int option, const char *value)
{
	struct service_options *s = &o->service;

	switch (option) {
	case OPTION_RECEIVE:
		return parse_receive(value, &s->pooled);
	case OPTION_BUFFER:
		return parse_u32("not a size up to 16Mi", value, 16u << 20, &s->buffer_bytes);
	case OPTION_POOL_BUFS:
		return parse_u32("not a number of bufs", value, SOQ_POOL_BUFS_MAX, &s->pool_bufs);
	case OPTION_POOL_SHARE:
		return parse_u32("not a share", value, SOQ_POOL_BUFS_MAX, &s->pool_share);
	case OPTION_DIRECT:
		return parse_u32("not a number of places", value, 1u << 20, &s->direct_count);
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

/* What the load is; -1: the option is another. */
static int take_load(struct options *o, struct given *given, int option, const char *value)
{
	switch (option) {
	case 'c':
		return parse_u32("not a number of connections", value, CONNECTIONS_MAX,
				 &o->connections);
	case OPTION_IDLE:
		return parse_u32("not a number of connections", value, CONNECTIONS_MAX, &o->idle);
	case 's':
		return parse_u32("not a size from 1 to 1Mi", value, PAYLOAD_MAX, &o->size_bytes);
	case 'P':
		return parse_u32("not a pipeline depth from 1 to 4096", value, PIPELINE_MAX,
				 &o->pipeline);
	case OPTION_TRANSPORT:
		return parse_transport(value, &o->transport);
	case OPTION_REVERSE:
		o->reverse = true;
		return true;
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
		return -1;
	}
}

static bool take(struct options *o, struct given *given, int option, const char *value)
{
	int taken = take_service(o, option, value);

	if (taken < 0)
		taken = take_load(o, given, option, value);
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
		return false; /* '?': getopt_long() has said why */
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

static void set_defaults(struct options *o, enum subcommand subcommand)
{
	bool streams = subcommand == SUBCOMMAND_STREAM;

	*o = (struct options){
		.subcommand = subcommand,
		.connections = 1,
		.size_bytes = streams ? 64 * 1024 : 64,
		.pipeline = streams ? 8 : 1,
		.duration_ns = INT64_C(10000000000),
		.warmup_ns = INT64_C(1000000000),
		.placement = { -1, -1 },
		.csv_header = true,
		.label = "",
		.role = &role_echo,
		.service = { .pooled = true },
	};
}

/* The options that `subcommand` has, as getopt_long() takes them. */
static void list_options(enum subcommand subcommand, struct option *list, char *letters)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (!(known[i].subcommands & (unsigned)subcommand))
			continue;
		*list++ = (struct option){ known[i].name, known[i].argument, NULL, known[i].value };
		if (known[i].value >= 256)
			continue;
		*letters++ = (char)known[i].value;
		for (int colons = known[i].argument; colons > 0; colons--)
			*letters++ = ':';
	}
	*list = (struct option){ 0 };
	*letters = 0;
}

/* What options say together. */
static bool settle(struct options *o, const struct given *given)
{
	if (o->requests && !given->duration)
		o->duration_ns = 0;
	if (o->requests && !given->warmup)
		o->warmup_ns = 0;
	if (!given->server_engine)
		o->server_engine = o->engine;
	if (o->subcommand != SUBCOMMAND_SERVER && o->has_endpoint &&
	    (o->server_command || given->server_engine))
		return refuse("an endpoint excludes a server of its own", "--server-...");
	if (o->transport == TRANSPORT_UDP && o->size_bytes > DATAGRAM_MAX)
		return refuse("more than a datagram can carry", "65507 bytes");
	/* A datagram has to fit into a buf of the own server. */
	if (o->transport == TRANSPORT_UDP && !o->service.buffer_bytes &&
	    o->size_bytes > SERVICE_BUFFER_BYTES - SOQ_POOL_MESSAGE_BYTES)
		o->service.buffer_bytes = o->size_bytes + SOQ_POOL_MESSAGE_BYTES;
	return true;
}

bool options_parse(enum subcommand subcommand, int argc, char **argv, struct options *o)
{
	struct option list[KNOWN_COUNT + 1];
	char letters[3 * KNOWN_COUNT + 1];
	struct given given = { 0 };
	int option;

	set_defaults(o, subcommand);
	list_options(subcommand, list, letters);
	if (subcommand == SUBCOMMAND_SERVER)
		(void)!soq_endpoint_parse(DEFAULT_ENDPOINT, &o->endpoint);
	while ((option = getopt_long(argc, argv, letters, list, NULL)) != -1) {
		if (!take(o, &given, option, optarg))
			return false;
	}
	return take_endpoint(o, argc, argv) && settle(o, &given);
}
