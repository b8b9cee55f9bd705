/* SPDX-License-Identifier: MIT */
/*
 * What the loads of the three modes have in common: phases, the time of a turn, failures,
 * and what comes out. The struct of each load begins with a struct load.
 */
#ifndef SOQPERF_LOAD_H
#define SOQPERF_LOAD_H

#include <soq/soq.h>
#include <stdbool.h>
#include <stdint.h>

#include "../common/clock.h"
#include "../common/control.h"
#include "histogram.h"
#include "options.h"
#include "service.h"

struct load;

/* One of `rr`, `stream`, `crr`: how a load is made, and what it is counted in. */
struct load_mode {
	const char *name;
	const char *unit;     /* what costs are divided by: "request", "kib", "connection" */
	const char *units;    /* its plural */
	uint32_t unit_counts; /* of load_result.count in one unit */
	bool has_latency;
	bool keeps_open; /* connections last for the whole run */

	/* The own server's role. */
	const struct role *(*role)(const struct options *options);
	/* Units that a server did between two of its reports. */
	uint64_t (*served)(const struct options *options, const struct control_report *difference);

	size_t size_bytes; /* of the load's struct */
	/* Makes the rest of its memory. Returns 0 or -errno; destroy() is called in any case. */
	int (*create)(struct load *load);
	/* Opens what has to be open before the warm-up; runs the loop. Returns 0 or -errno. */
	int (*connect)(struct load *load, int64_t timeout_ns);
	/* Begins; the caller takes turns from here on. */
	void (*start)(struct load *load);
	/* Closes everything and runs the loop until it is gone. */
	void (*close)(struct load *load, int64_t timeout_ns);
	/* NULL, or compares what was sent with the last report of the server that took it. */
	void (*audit)(struct load *load, const struct control_report *last);
	void (*destroy)(struct load *load);
};

extern const struct load_mode mode_rr;
extern const struct load_mode mode_stream;
extern const struct load_mode mode_crr;

enum load_phase { LOAD_WARM_UP, LOAD_WINDOW, LOAD_DRAIN };

struct load_result {
	uint64_t count;           /* inside the window: requests answered, bytes, connections */
	uint64_t verified;        /* the same in all phases, of those that were right */
	uint64_t wrong;           /* responses, or streams, with a wrong byte */
	uint64_t cut;             /* responses of which only a part came */
	uint64_t lost;            /* requests without any response; bytes that did not arrive */
	uint64_t failed;          /* sends, receives and connections that failed */
	int first_error;          /* -errno of the first failure, 0 */
	struct histogram latency; /* of what was begun inside the window */
};

struct load {
	const struct load_mode *mode;
	const struct options *options;
	struct soq_loop *loop;
	struct soq_endpoint endpoint;
	enum load_phase phase;
	uint32_t live;        /* connections that take part */
	uint64_t outstanding; /* what was begun and has not ended */
	uint64_t limit;       /* of what is begun in the window; 0: none */
	uint64_t budget;      /* of these may still be begun */
	int64_t turn_ns;
	int64_t window_from_ns;
	int64_t window_to_ns;
	struct load_result result;
};

/* Makes a load of `mode`. Returns 0 and `*out`, or -errno. */
int load_create(const struct load_mode *mode, const struct options *options, struct soq_loop *loop,
		const struct soq_endpoint *endpoint, struct load **out);

/* NULL is a no-op. */
void load_destroy(struct load *load);

/* One turn of the loop, at most until `until_ns`. Returns 0 or -errno. */
int load_turn(struct load *load, int64_t until_ns);

/*
 * The time of this turn: read when it is first asked for, the same for all that the turn
 * has brought. What is begun in a turn goes to the kernel at its end in any case.
 */
static inline int64_t load_now(struct load *load)
{
	if (!load->turn_ns)
		load->turn_ns = clock_now_ns();
	return load->turn_ns;
}

/*
 * What ends from now on counts. With a `limit` other than 0 no more is begun than makes
 * the count reach it.
 */
void load_begin_window(struct load *load, uint64_t limit);

/* What ends from now on does not count, and nothing new is begun. */
void load_end_window(struct load *load);

/* Nothing more will happen: all ended after the end, the limit met, or no connection left. */
bool load_idle(const struct load *load);

/* Whether one more may be begun; takes it from the budget. */
bool load_may_begin(struct load *load);

/* Counts what was begun at `begun_ns` and ended well. */
void load_ended(struct load *load, int64_t begun_ns);

void load_note_failure(struct load *load, int64_t error);

/* Runs the loop until all that was closed is gone. */
void load_run_out(struct load *load, int64_t timeout_ns);

#endif
