/* SPDX-License-Identifier: MIT */
/* One run: the server's process, warm-up, the window between two snapshots, the drain. */
#include "rr.h"

#include "../common/clock.h"
#include "client.h"
#include "exit.h"
#include "peer.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LISTEN_TIMEOUT_MS  10000
#define CONNECT_TIMEOUT_NS (10 * NS_PER_S)
#define DRAIN_TIMEOUT_NS   (5 * NS_PER_S)
#define CLOSE_TIMEOUT_NS   (2 * NS_PER_S)
#define PROGRESS_NS        (250 * NS_PER_MS)

/* What the client had spent at one moment. */
struct snapshot {
	int64_t at_ns;
	uint64_t cpu_ns;
	struct rusage usage;
	struct soq_loop_stats stats;
};

struct run {
	const struct options *options;
	struct peer peer;
	struct soq_loop *loop;
	struct client *client;
	struct snapshot begin;
	struct snapshot end;
	bool progress; /* a line on stderr that is redrawn */
};

/* What the signal handler reaches. */
static struct soq_loop *signal_loop;
static volatile sig_atomic_t signal_seen;

static void on_signal(int signal_number)
{
	/* The second one does not wait for a drain that may never end. */
	if (signal_seen)
		_exit(EXIT_CODE_SIGNAL + signal_number);
	signal_seen = signal_number;
	if (signal_loop)
		soq_loop_stop(signal_loop);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int cannot_run(const char *what, int error)
{
	if (signal_seen)
		return EXIT_CODE_SIGNAL + signal_seen;
	fprintf(stderr, "soqperf: %s: %s\n", what, strerror(-error));
	return EXIT_CODE_CANNOT_RUN;
}

static void take_snapshot(struct run *run, struct snapshot *s)
{
	/* First, so that the server takes its own at about the same time. */
	peer_ask_report(&run->peer);
	s->stats.size = sizeof(s->stats);
	if (soq_loop_stats(run->loop, &s->stats) < 0)
		memset(&s->stats, 0, sizeof(s->stats));
	getrusage(RUSAGE_SELF, &s->usage);
	s->cpu_ns = clock_cpu_ns();
	s->at_ns = clock_now_ns();
}

static void show_progress(const struct run *run, const char *phase, int64_t since_ns)
{
	uint64_t requests = client_requests(run->client);
	double seconds = (double)(clock_now_ns() - since_ns) / 1e9;

	fprintf(stderr, "\r%-8s %5.1f s  %" PRIu64 " requests\033[K", phase, seconds, requests);
}

/* Runs the loop for `duration_ns` (0: for ever), until the client is idle or a signal came. */
static int run_phase(struct run *run, const char *phase, int64_t duration_ns)
{
	int64_t since_ns = clock_now_ns();
	int64_t until_ns = duration_ns ? since_ns + duration_ns : INT64_MAX;

	while (!client_idle(run->client)) {
		int64_t left_ns = until_ns - clock_now_ns();
		int sequel = signal_seen;
		int ret;

		if (left_ns <= 0)
			return 0;
		if (run->progress && left_ns > PROGRESS_NS)
			left_ns = PROGRESS_NS;
		ret = soq_loop_run(run->loop, SOQ_RUN_STOP, left_ns);
		if (ret < 0 && ret != -ETIME)
			return ret;
		if (run->progress)
			show_progress(run, phase, since_ns);
		/* A signal ends the phases before the drain, and the drain by its second. */
		if (signal_seen && !sequel)
			return 0;
	}
	return 0;
}

static int exchange(struct run *run)
{
	const struct options *o = run->options;
	int ret = 0;

	if (o->warmup_ns == 0) {
		take_snapshot(run, &run->begin);
		client_begin_window(run->client, o->requests);
		client_start(run->client);
	} else {
		client_start(run->client);
		ret = run_phase(run, "warm-up", o->warmup_ns);
		take_snapshot(run, &run->begin);
		client_begin_window(run->client, o->requests);
	}
	if (ret == 0 && !signal_seen)
		ret = run_phase(run, "measure", o->duration_ns);
	take_snapshot(run, &run->end);
	client_end_window(run->client);
	if (ret == 0)
		ret = run_phase(run, "drain", DRAIN_TIMEOUT_NS);
	client_close(run->client, CLOSE_TIMEOUT_NS);
	if (run->progress)
		fprintf(stderr, "\r\033[K");
	return ret;
}

static int start_peer(struct run *run)
{
	const struct options *o = run->options;
	struct server_options server = { .role = &role_echo,
					 .backend = o->server_engine,
					 .service = o->service,
					 .quiet = true };
	int ret;

	if (o->has_endpoint)
		return 0;
	ret = soq_endpoint_loopback(AF_INET, 0, &server.endpoint);
	if (ret < 0)
		return ret;
	if (o->server_command)
		ret = peer_command(&run->peer, o->server_command, o->placement.server_cpu);
	else
		ret = peer_fork(&run->peer, &server, o->placement.server_cpu);
	return ret < 0 ? ret : peer_wait_listening(&run->peer, LISTEN_TIMEOUT_MS);
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * (uint64_t)NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static void fill_client_cost(const struct run *run, struct end_cost *cost)
{
	const struct snapshot *a = &run->begin, *b = &run->end;

	*cost = (struct end_cost){
		.source = "process",
		.engine = server_backend_name(run->loop),
		.has_counters = true,
		.requests = client_requests(run->client),
		.cpu_ns = b->cpu_ns - a->cpu_ns,
		.user_ns = timeval_ns(b->usage.ru_utime) - timeval_ns(a->usage.ru_utime),
		.system_ns = timeval_ns(b->usage.ru_stime) - timeval_ns(a->usage.ru_stime),
		.turns = b->stats.turns - a->stats.turns,
		.enters = b->stats.waits - a->stats.waits,
		.sqes = b->stats.requests - a->stats.requests,
		.completions = b->stats.completions - a->stats.completions,
		.allocations = b->stats.allocations - a->stats.allocations,
	};
}

static void fill_server_cost(const struct run *run, struct end_cost *cost)
{
	const struct peer *p = &run->peer;
	uint32_t size = run->options->size_bytes;
	struct control_report d;

	*cost = (struct end_cost){ .source = "none", .engine = "unknown" };
	if (p->report_count < 2)
		return;
	d = control_difference(&p->reports[1], &p->reports[0]);
	*cost = (struct end_cost){
		.source = "report",
		.engine = p->engine,
		.has_counters = true,
		.requests = d.bytes / size,
		.cpu_ns = d.cpu_ns,
		/* Of the whole run: a signal cannot ask for a split of the window alone. */
		.user_ns = timeval_ns(p->usage.ru_utime),
		.system_ns = timeval_ns(p->usage.ru_stime),
		.turns = d.turns,
		.enters = d.waits,
		.sqes = d.requests,
		.completions = d.completions,
		.allocations = d.allocations,
	};
}

static int print(const struct run_result *r)
{
	const struct options *o = r->options;
	FILE *file = stdout;

	if (o->json_file) {
		file = fopen(o->json_file, "w");
		if (!file) {
			fprintf(stderr, "soqperf: %s: %s\n", o->json_file, strerror(errno));
			return EXIT_CODE_CANNOT_RUN;
		}
	}
	if (o->format == OUTPUT_JSON)
		report_json(r, file);
	else if (o->format == OUTPUT_CSV)
		report_csv(r, file);
	else
		report_text(r, file);
	if (fflush(file) != 0 || ferror(file)) {
		fprintf(stderr, "soqperf: cannot write the result\n");
		return EXIT_CODE_CANNOT_RUN;
	}
	if (file != stdout)
		fclose(file);
	return EXIT_CODE_OK;
}

static int conclude(struct run *run, int error)
{
	struct run_result r = {
		.options = run->options,
		.client = client_result(run->client),
		.window_ns = run->end.at_ns - run->begin.at_ns,
		.server_max_rss_kib = (uint64_t)run->peer.usage.ru_maxrss,
		.server_failed = run->peer.failed,
		.signal = signal_seen,
	};
	int code;

	if (run->options->has_endpoint)
		(void)!soq_endpoint_format(&run->options->endpoint, r.endpoint, sizeof(r.endpoint));
	else
		snprintf(r.endpoint, sizeof(r.endpoint), "%s", run->peer.endpoint);
	fill_client_cost(run, &r.client_cost);
	fill_server_cost(run, &r.server_cost);
	code = print(&r);
	if (code != EXIT_CODE_OK)
		return code;
	if (error < 0) {
		fprintf(stderr, "soqperf: the loop broke: %s\n", strerror(-error));
		return EXIT_CODE_ERRORS;
	}
	if (report_error_count(&r))
		return EXIT_CODE_ERRORS;
	return signal_seen ? EXIT_CODE_SIGNAL + signal_seen : EXIT_CODE_OK;
}

/* With the server listening: connect, exchange, conclude. */
static int measure(struct run *run)
{
	const struct options *o = run->options;
	struct client_options options = {
		.endpoint = o->endpoint,
		.connections = o->connections,
		.pipeline = o->pipeline,
		.size_bytes = o->size_bytes,
	};
	int ret;

	if (!o->has_endpoint && soq_endpoint_parse(run->peer.endpoint, &options.endpoint) < 0)
		return cannot_run("the server listens at an address of another kind", -EINVAL);
	ret = client_create(run->loop, &options, &run->client);
	if (ret < 0)
		return cannot_run("cannot make the connections", ret);
	ret = client_connect(run->client, CONNECT_TIMEOUT_NS);
	if (ret < 0) {
		client_close(run->client, CLOSE_TIMEOUT_NS);
		return cannot_run("cannot connect", ret);
	}
	ret = exchange(run);
	peer_end(&run->peer);
	return conclude(run, ret);
}

static int run_client(struct run *run)
{
	struct soq_loop_options options = {
		.size = sizeof(options),
		.backend = run->options->engine,
	};
	int ret, code;

	if (run->options->placement.client_cpu >= 0)
		placement_pin(run->options->placement.client_cpu);
	ret = soq_loop_create(&options, &run->loop);
	if (ret < 0)
		return cannot_run("cannot make a loop", ret);
	signal_loop = run->loop;
	code = measure(run);
	signal_loop = NULL;
	if (run->client)
		client_destroy(run->client);
	ret = soq_loop_destroy(run->loop);
	if (ret < 0 && code == EXIT_CODE_OK) {
		fprintf(stderr, "soqperf: the loop does not end: %s\n", strerror(-ret));
		code = EXIT_CODE_ERRORS;
	}
	return code;
}

int rr_run(const struct options *options)
{
	struct run run = { .options = options };
	int ret, code;

	run.progress = !options->quiet && isatty(STDERR_FILENO);
	catch_signals();
	/* Before the loop is made: a loop is not for children of fork(). */
	ret = start_peer(&run);
	if (ret == -ECHILD)
		code = cannot_run("the server did not start", ret);
	else if (ret < 0)
		code = cannot_run("cannot start a server", ret);
	else
		code = run_client(&run);
	peer_end(&run.peer);
	return code;
}
