/* SPDX-License-Identifier: MIT */
/* One run: the server's process, warm-up, the window between two snapshots, the drain. */
#include "run.h"

#include "../common/clock.h"
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
#define STALL_NS           (5 * NS_PER_S)
#define LOOK_NS            (250 * NS_PER_MS)

/* What the client had spent at one moment. */
struct snapshot {
	int64_t at_ns;
	uint64_t cpu_ns;
	struct rusage usage;
	struct soq_loop_stats stats;
};

struct run {
	const struct load_mode *mode;
	const struct options *options;
	struct peer peer;
	struct soq_loop *loop;
	struct load *load;
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

static void show_progress(const struct run *run, const char *phase, int64_t lasted_ns)
{
	const struct load_mode *mode = run->mode;

	fprintf(stderr, "\r%-8s %5.1f s  %" PRIu64 " %s\033[K", phase, (double)lasted_ns / 1e9,
		run->load->result.count / mode->unit_counts, mode->units);
}

/*
 * Takes turns for `duration_ns`, until nothing more will happen, or a signal has come. With
 * a duration of 0 it ends as well when nothing is heard for long: a datagram that was lost
 * must not keep it for ever.
 */
static int run_phase(struct run *run, const char *phase, int64_t duration_ns)
{
	const uint64_t *verified = &run->load->result.verified;
	int64_t since_ns = clock_now_ns(), now_ns = since_ns, heard_ns = since_ns;
	int64_t until_ns = duration_ns ? since_ns + duration_ns : INT64_MAX;
	int64_t look_ns = since_ns + LOOK_NS;
	/* A signal ends the phases before the drain, and not the drain. */
	int signal_before = signal_seen;
	uint64_t before = *verified;

	while (!load_idle(run->load) && signal_seen == signal_before && now_ns < until_ns) {
		int ret = load_turn(run->load, look_ns < until_ns ? look_ns : until_ns);

		if (ret < 0)
			return ret;
		now_ns = clock_now_ns();
		if (now_ns < look_ns)
			continue;
		look_ns = now_ns + LOOK_NS;
		if (run->progress)
			show_progress(run, phase, now_ns - since_ns);
		if (*verified != before)
			heard_ns = now_ns;
		else if (!duration_ns && now_ns - heard_ns >= STALL_NS)
			break;
		before = *verified;
	}
	return 0;
}

static int exchange(struct run *run)
{
	const struct options *o = run->options;
	int ret = 0;

	if (o->warmup_ns == 0) {
		take_snapshot(run, &run->begin);
		load_begin_window(run->load, o->requests);
		run->mode->start(run->load);
	} else {
		run->mode->start(run->load);
		ret = run_phase(run, "warm-up", o->warmup_ns);
		take_snapshot(run, &run->begin);
		load_begin_window(run->load, o->requests);
	}
	if (ret == 0 && !signal_seen)
		ret = run_phase(run, "measure", o->duration_ns);
	take_snapshot(run, &run->end);
	load_end_window(run->load);
	if (ret == 0)
		ret = run_phase(run, "drain", DRAIN_TIMEOUT_NS);
	run->mode->close(run->load, CLOSE_TIMEOUT_NS);
	if (run->progress)
		fprintf(stderr, "\r\033[K");
	return ret;
}

static int start_peer(struct run *run)
{
	const struct options *o = run->options;
	struct server_options server = { .role = run->mode->role(o),
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
		.units = run->load->result.count / run->mode->unit_counts,
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
	struct control_report d;

	*cost = (struct end_cost){ .source = "none", .engine = "unknown" };
	if (p->report_count < 2)
		return;
	d = control_difference(&p->reports[1], &p->reports[0]);
	*cost = (struct end_cost){
		.source = "report",
		.engine = p->engine,
		.has_counters = true,
		.units = run->mode->served(run->options, &d),
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
		.mode = run->mode,
		.options = run->options,
		.load = &run->load->result,
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

/* What was sent and acknowledged must have been counted by whoever took it. */
static void audit(struct run *run)
{
	const struct peer *p = &run->peer;
	const struct control_report none = { 0 };

	if (!run->mode->audit || run->options->has_endpoint)
		return;
	run->mode->audit(run->load, p->report_count ? &p->reports[p->report_count - 1] : &none);
}

/* With the server listening: connect, exchange, conclude. */
static int measure(struct run *run)
{
	const struct options *o = run->options;
	struct soq_endpoint endpoint = o->endpoint;
	int ret;

	if (!o->has_endpoint && soq_endpoint_parse(run->peer.endpoint, &endpoint) < 0)
		return cannot_run("the server listens at an address of another kind", -EINVAL);
	ret = load_create(run->mode, o, run->loop, &endpoint, &run->load);
	if (ret < 0)
		return cannot_run("cannot make the connections", ret);
	ret = run->mode->connect(run->load, CONNECT_TIMEOUT_NS);
	if (ret < 0) {
		run->mode->close(run->load, CLOSE_TIMEOUT_NS);
		return cannot_run("cannot connect", ret);
	}
	ret = exchange(run);
	peer_end(&run->peer);
	audit(run);
	return conclude(run, ret);
}

static int run_client(struct run *run)
{
	const struct options *o = run->options;
	struct soq_loop_options options = {
		.size = sizeof(options),
		.backend = o->engine,
		.direct_count = run->mode->keeps_open ? o->connections + o->idle : 0,
	};
	int ret, code;

	if (o->placement.client_cpu >= 0)
		placement_pin(o->placement.client_cpu);
	ret = soq_loop_create(&options, &run->loop);
	if (ret < 0)
		return cannot_run("cannot make a loop", ret);
	signal_loop = run->loop;
	code = measure(run);
	signal_loop = NULL;
	load_destroy(run->load);
	ret = soq_loop_destroy(run->loop);
	if (ret < 0 && code == EXIT_CODE_OK) {
		fprintf(stderr, "soqperf: the loop does not end: %s\n", strerror(-ret));
		code = EXIT_CODE_ERRORS;
	}
	return code;
}

int run_signal(void)
{
	return signal_seen;
}

int run_mode(const struct load_mode *mode, const struct options *options)
{
	struct run run = { .mode = mode, .options = options };
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
