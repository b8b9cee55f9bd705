/* SPDX-License-Identifier: MIT */
/* The loop's inside: what the files of the core share. */
#ifndef SOQI_LOOP_H
#define SOQI_LOOP_H

#include "backend.h"
#include "lane.h"
#include "slot.h"
#include "spin.h"
#include "timer.h"
#include "util.h"

#include <pthread.h>
#include <soq/loop.h>
#include <stdatomic.h>
#include <sys/types.h>

/* Segments that requests of one turn share; the gathers of 16 busy sockets at least. */
#define SOQI_SEGMENTS 1024u
/* Segments one request may have: IOV_MAX is 1024, and a gather beyond this gains nothing. */
#define SOQI_REQUEST_SEGMENTS 64u
/* Bytes one request may cover; the kernel cuts at 2^31 minus a page. */
#define SOQI_REQUEST_BYTES ((uint64_t)1 << 30)
/* What a finish reads and drops at a time. */
#define SOQI_DISCARD_BYTES 16384u
/*
 * Zero-copy sends below this are copied. Where a network card takes the pages it begins to
 * pay at some 3000 bytes (Linux 6.10 and newer), but pinning them and a second completion are
 * a loss wherever it does not: so only where there is much to win.
 */
#define SOQI_ZEROCOPY_BYTES 16384u
/* How often what no kernel tells is tried again: see backoff.c. */
#define SOQI_ACCEPT_BACKOFF_NS (20 * (SOQI_NS_PER_S / 1000))
#define SOQI_UNIX_BACKOFF_NS   (2 * (SOQI_NS_PER_S / 1000))

struct soqi_batch_room;

struct soq_loop {
	const struct soqi_backend *backend;
	void *impl; /* the backend's */

	_Atomic pid_t owner;           /* thread id; 0 before the first use; see trace.c */
	pthread_mutex_t alive;         /* robust, held by the owner for life: see owner.c */
	const volatile uint32_t *here; /* 1; the page reads 0 in a child of fork() */
	bool in_done;                  /* done() runs */
	bool traces;                   /* there is a trace function: see trace.h */
	int dead;                      /* why the backend can do nothing any more; 0 */

	/*
	 * Above 0: no turn may sleep on lazy sends (SOQ_LAZY), their events are wanted now.
	 * 0 only in a turn of soq_loop_run(), since all others wait for something of their
	 * own; whoever else may wait for such an event counts it up, and down again after:
	 * receives that wait for bufs.
	 */
	unsigned impatient;
	int32_t any_told;   /* what soq_poll_any() waits for may have come: 1, or -errno */
	unsigned in_kernel; /* requests the backend has: those of lanes and of watches */

	struct soqi_lane *dirty_first; /* lanes to look at before the next wait */
	struct soqi_lane *dirty_last;
	unsigned dirty_count;
	struct soqi_lane *settled_first; /* lanes whose request came back */
	struct soqi_lane *settled_last;
	struct soqi_lane *starved_first; /* see backoff.c */

	struct soqi_ops attempts; /* of lists of addresses, ended: see connect_list.c */
	unsigned firsts;          /* accepts with data that have their connection */
	struct soqi_ops ready;    /* ops with `done` that have events, by ready_next */
	struct soqi_ops waiting;  /* ops without, likewise */
	struct soqi_ops inner;    /* inner ops, likewise: see helper.c */
	struct soqi_ops helped;   /* helpers' ops in flight, by next */
	uint64_t inner_events;
	uint64_t ready_events;
	uint64_t events_made;   /* ever; tells a turn whether it made any */
	bool unsent;            /* the kernel did not take all requests of the last turn */
	unsigned waits_skipped; /* turns in a row that had news without waiting */
	struct soqi_spin spin;  /* of its waits */

	struct soq_pool *pools;
	struct soqi_room *rooms;      /* those nobody has: see room.c */
	struct soqi_room *rooms_made; /* all */
	uint32_t parked_count;        /* lanes that wait for a buf of an empty pool */
	uint32_t gated_count;         /* ops with `done` and SOQI_OP_GATED */

	struct soqi_timers timers;
	struct soq_op backoff; /* the timer of starved lanes */

	struct soq_socket **chunks; /* each SOQI_CHUNK_SOCKETS sockets */
	uint32_t chunk_count;
	uint32_t chunk_max;
	uint32_t slot_count;      /* ever used */
	uint32_t poll_generation; /* of requests for polls, counted together */
	struct soq_socket *free_first;
	struct soq_socket *free_last;
	uint32_t closing; /* sockets whose handle is dead, descriptor not yet */

	struct iovec *segments; /* of this turn's requests */
	unsigned segments_used;
	unsigned char *discard;
	struct soqi_batch_room *batch; /* NULL before the first: see batch.h */
	void *file_room;               /* likewise: see parts.h */
	struct soq_policy *policy;     /* or NULL: see policed.h */

	int wake_fd;
	_Atomic(struct soq_op *) posted; /* newest first */
	_Atomic int wake_sent;
	_Atomic int stop;

	struct soq_allocator allocator;
	struct soq_loop_options options; /* as asked for, for a second ring */
	struct soq_loop_info info;
	struct soq_loop_stats stats;
};

/* alloc.c */
void *soqi_alloc(struct soq_loop *loop, size_t size_bytes);
void soqi_free(struct soq_loop *loop, void *memory, size_t size_bytes);

/*
 * Asked for once a thread. In a child of fork() the thread goes on under its
 * parent's number: still one thread's alone among the loops it can use.
 */
extern _Thread_local pid_t soqi_thread __attribute__((tls_model("initial-exec")));
pid_t soqi_thread_ask(void);

static inline pid_t soqi_thread_id(void)
{
	return soqi_likely(soqi_thread != 0) ? soqi_thread : soqi_thread_ask();
}

/*
 * Every public call begins with one of these: is the loop there, of this process,
 * of this thread? soqi_loop_enter() makes the calling thread the owner if there is
 * none.
 */
int soqi_loop_check(struct soq_loop *loop);
int soqi_loop_enter_first(struct soq_loop *loop);

static inline int soqi_loop_enter(struct soq_loop *loop)
{
	if (soqi_likely(*loop->here != 0 &&
			atomic_load_explicit(&loop->owner, memory_order_relaxed) ==
				soqi_thread_id()))
		return 0;
	return soqi_loop_enter_first(loop);
}

/* owner.c */
int soqi_owner_init(struct soq_loop *loop);
/* Ends what soqi_owner_init() began; the loop is the caller's or nobody's. */
void soqi_owner_fini(struct soq_loop *loop);
/* Makes the calling thread the owner of a loop that has none. */
int soqi_owner_claim(struct soq_loop *loop);
/* Whether the owner has exited; from then on the loop is nobody's. */
bool soqi_owner_gone(struct soq_loop *loop);
/* Makes the calling thread the owner of a loop whose owner has exited. */
int soqi_owner_adopt(struct soq_loop *loop);

/*
 * One turn: hands over what is new, waits until `until_ns` for something to
 * happen, takes it in. Delivers nothing. 0, or why the backend died.
 */
int soqi_turn(struct soq_loop *loop, int64_t until_ns);

/* The time for a `timeout_ns` of the API. */
int64_t soqi_until(int64_t timeout_ns);

/* post.c */
void soqi_wake(struct soq_loop *loop);
void soqi_posts_take(struct soq_loop *loop);

/* The lane is looked at before the next wait. */
static inline void soqi_lane_dirty(struct soq_loop *loop, struct soqi_lane *lane)
{
	/* One that waits for a buf keeps its place among those who do. */
	if (lane->dirty || soqi_unlikely(lane->parked))
		return;
	lane->dirty = true;
	lane->next_dirty = NULL;
	lane->prev_dirty = loop->dirty_last;
	if (loop->dirty_last != NULL)
		loop->dirty_last->next_dirty = lane;
	else
		loop->dirty_first = lane;
	loop->dirty_last = lane;
	loop->dirty_count++;
}

/* request.c: lanes into requests. */
void soqi_lane_clean(struct soq_loop *loop, struct soqi_lane *lane);
void soqi_flush(struct soq_loop *loop);

/*
 * settle.c: results into lanes. A lane whose result is in is settled in its turn; an empty
 * one lets the close of its socket go on.
 */
void soqi_settled_push(struct soq_loop *loop, struct soqi_lane *lane);
void soqi_settle(struct soq_loop *loop);
/* Ends every request in the kernel with `error`. */
void soqi_loop_fail_requests(struct soq_loop *loop, int error);

/* The socket in a slot, free or not, or NULL if there is no such slot. */
static inline struct soq_socket *soqi_slot_find(const struct soq_loop *loop, uint32_t slot)
{
	if (soqi_unlikely(slot >= loop->slot_count))
		return NULL;
	return &loop->chunks[slot / SOQI_CHUNK_SOCKETS][slot % SOQI_CHUNK_SOCKETS];
}

static inline struct soq_socket *soqi_lane_socket(struct soqi_lane *lane)
{
	if (soqi_unlikely(lane->index == SOQI_LANE_WATCH))
		return soqi_container_of(lane, struct soqi_watch, lane)->socket;
	return soqi_container_of(lane - lane->index, struct soq_socket, lane);
}

/* info.c */
int soqi_options_read(const struct soq_loop_options *from, struct soq_loop_options *options);

#endif
