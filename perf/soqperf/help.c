/* SPDX-License-Identifier: MIT */
/* The texts of `soqperf help`. */
#include "options.h"

#include <stdio.h>
#include <string.h>

static const char help_all[] =
	"soqperf measures requests, streams and connections, with both ends on soq.\n"
	"\n"
	"  soqperf rr                        a whole run: its own server, 1 connection, 10 s\n"
	"  soqperf rr -c 64 -s 1Ki -P 4      64 connections, 1 KiB, 4 requests outstanding on "
	"each\n"
	"  soqperf rr --transport udp -c 16  over UDP\n"
	"  soqperf rr --engine epoll -d 2    both ends on epoll, 2 s\n"
	"  soqperf rr 192.0.2.7:7670 -J      against a running echo server; JSON on stdout\n"
	"  soqperf stream -c 4               4 connections send without pause\n"
	"  soqperf stream -c 4 --reverse     4 connections receive without pause\n"
	"  soqperf crr -c 16                 connect, one request, close, again and again\n"
	"  soqperf server [::1]:0            an echo server that any TCP client can talk to\n"
	"  soqperf server --role sink        one that only receives\n"
	"\n"
	"Subcommands: rr, stream, crr, server, help [SUBCOMMAND]. -V, --version; -h, --help.\n"
	"Exit codes: 0 all bytes right, 1 errors, 2 usage, 3 could not run, 130/143 interrupted.\n";

static const char help_rr[] =
	"soqperf rr [ENDPOINT] [OPTION...]\n"
	"\n"
	"Closed loop: every connection keeps -P requests outstanding; every byte of every\n"
	"response is compared. Without ENDPOINT (ADDRESS:PORT, [ADDRESS]:PORT) it starts a\n"
	"server of its own as a child process.\n"
	"\n"
	"  -c, --connections N     connections (1)\n"
	"      --idle N            more of them, silent after one request before the warm-up (0)\n"
	"  -s, --size SIZE         bytes of a request and of its response (64; 1 to 1Mi)\n"
	"  -P, --pipeline N        requests outstanding per connection (1)\n"
	"      --transport T       tcp or udp: each connection is a connected socket (tcp)\n"
	"  -n, --requests N        measure N requests instead; with -d whichever is first\n";

static const char help_stream[] =
	"soqperf stream [ENDPOINT] [OPTION...]\n"
	"\n"
	"Every connection sends without pause to a sink. At the end each is closed in good order,\n"
	"and the server must have counted every byte. Without ENDPOINT it starts a server of its\n"
	"own as a child process.\n"
	"\n"
	"  -c, --connections N     connections (1)\n"
	"  -s, --size SIZE         bytes of a send (64Ki; 1 to 1Mi)\n"
	"  -P, --pipeline N        sends outstanding per connection (8)\n"
	"      --reverse           receive instead, from a source; every byte is compared\n";

static const char help_crr[] =
	"soqperf crr [ENDPOINT] [OPTION...]\n"
	"\n"
	"Every slot connects, sends one request, compares its whole response, closes, and begins\n"
	"again. Times are of the whole cycle. To a server on 127/8 the connections come from\n"
	"addresses of that net in turn; elsewhere ports run out after some ten thousand.\n"
	"\n"
	"  -c, --connections N     slots: connections at a time (1)\n"
	"  -s, --size SIZE         bytes of a request and of its response (64; 1 to 1Mi)\n"
	"  -n, --requests N        measure N connections instead; with -d whichever is first\n";

static const char help_common[] =
	"  -d, --duration TIME     measured window (10s; ns us ms s m, bare is s)\n"
	"  -W, --warmup TIME       before it (1s; 0 with -n)\n"
	"      --engine E          uring, epoll or auto (auto)\n"
	"      --server-engine E   of the own server (as --engine)\n"
	"      --server-command C  run this server instead of the own one: it must say where it\n"
	"                          listens and report as soqperf server does (perf/twins)\n"
	"      --receive HOW       of the own server: plain, into buffers of each connection, or\n"
	"                          pool, into bufs that are lent (pool)\n"
	"      --buffer SIZE       of a buffer, or of a buf of the pool (16Ki; 512 to 16Mi)\n"
	"      --pool-bufs N       bufs in the pool (128)\n"
	"      --pool-share N      of them one connection may have (an eighth)\n"
	"      --direct N          of the own server, on io_uring: places for direct descriptors "
	"(0)\n"
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
	"      --receive, --buffer, --pool-bufs, --pool-share, --direct, -A: as for rr; datagrams\n"
	"                          always come from a pool, and have 384 bytes less than a buf\n"
	"  -q, --quiet             nothing on stderr but errors\n";

bool options_help(const char *subcommand)
{
	static const struct {
		const char *name;
		const char *text;
		const char *more;
	} texts[] = {
		{ "rr", help_rr, help_common },
		{ "stream", help_stream, help_common },
		{ "crr", help_crr, help_common },
		{ "server", help_server, "" },
	};

	if (!subcommand) {
		fputs(help_all, stdout);
		return true;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i].name, subcommand) == 0) {
			fputs(texts[i].text, stdout);
			fputs(texts[i].more, stdout);
			return true;
		}
	}
	fprintf(stderr, "soqperf: no such subcommand: %s\n", subcommand);
	return false;
}
