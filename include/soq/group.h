/* SPDX-License-Identifier: MIT */
/* Groups: a thread for each core, a loop on each thread; one port for all of them. */
#ifndef SOQ_GROUP_H
#define SOQ_GROUP_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/loop.h>
#include <soq/option.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A loop is one thread's. A server that outgrows a core runs several, each with its own
 * thread, listeners and connections, so that they share nothing and wait for nobody. A
 * group makes these threads: its members, numbered from 0 on. Whoever creates a group asks
 * for its threads; there are no others.
 *
 * What is on a member's loop belongs to that member's thread, by the rules of every loop
 * (another thread: -EXDEV). The functions below that the program gives, and every done(),
 * run there. The thread blocks all signals but those that its own faults raise. What two
 * members share is the program's to guard; soq_group_post() and soq_group_hand_over() are
 * how they talk.
 *
 * The calls on a group are for the thread that made it, its maker, but for those that say
 * otherwise; another thread gets -EXDEV. In a child of fork() they are -ECHILD.
 *
 * In the life of a server: soq_group_create(), soq_group_listen(), then the maker waits, for
 * a signal by sigwait(3) say; soq_group_drain() to end in good order, soq_group_destroy().
 */
struct soq_group;

#define SOQ_GROUP_MEMBERS_MAX 1024

/* Where the members' threads run. */
enum soq_placement {
	SOQ_PLACE_ANYWHERE = 0, /* where the system likes */
	SOQ_PLACE_PINNED = 1,   /* each on a processor of its own, as far as they go */
};

/**
 * What a group is made of. Zero in any field means the default, so
 * `{ .size = sizeof(options) }` asks for all of them.
 *
 * `loop` is for each member's loop, and read by soq_group_create() alone. The allocator in
 * it serves the group too. Several threads call it at the same time, and trace functions. Its
 * policy is for the group's listeners and for what is handed over as well.
 *
 * `cpus` are the processors for SOQ_PLACE_PINNED; without them those this process may run
 * on. Member i gets number i of them, and when they are used up they begin anew.
 *
 * The functions, each optional, run on the member's thread and are given `user`:
 *
 * `start`: once all members have a loop and before any runs it. Here a member makes its
 *          pools, listeners of its own, timers. A negative errno ends the group before it
 *          began, and comes out of soq_group_create(); a start that fails gives back
 *          its pools and memory, sockets and ops are ended for it.
 * `drain`: a drain begins (soq_group_drain()). Here connections that idle are closed,
 *          and sockets that would never end by themselves. Listeners of the group still tell
 *          of those who have connected, after this too.
 * `drained`: no socket is left, and all has been told of them; said again if another is
 *          handed over after that.
 * `stop`:  the last. Every socket is closed, every op has had its final event; what start
 *          has made is given back, pools too. Not for a member whose start has failed.
 */
struct soq_group_options {
	uint32_t size;         /* sizeof(struct soq_group_options) */
	uint32_t member_count; /* at most SOQ_GROUP_MEMBERS_MAX; default: one for each processor
				  that this process may run on */
	uint32_t placement;    /* enum soq_placement */
	uint32_t cpu_count;    /* processors in `cpus` */
	const uint32_t *cpus;  /* their numbers; default: see above */
	const struct soq_loop_options *loop;
	int (*start)(struct soq_group *group, unsigned member, void *user);
	void (*drain)(struct soq_group *group, unsigned member, void *user);
	void (*drained)(struct soq_group *group, unsigned member, void *user);
	void (*stop)(struct soq_group *group, unsigned member, void *user);
	void *user;
	uint64_t reserved[4]; /* must be 0 */
};

/**
 * Makes a group: its threads and their loops. When it returns every start() has run, and the
 * loops are running.
 *
 * Result: 0 and `*group_out`; on failure `*group_out` is untouched and everything is undone:
 *         each start() that had succeeded has had its stop().
 * Errors: -EINVAL  `group_out` is NULL, `size` is none this library knows, too many
 *                  members, an unknown placement, a processor this process cannot have,
 *                  processors without SOQ_PLACE_PINNED, a reserved field is not 0
 *         -EAGAIN  the system gives no more threads
 *         -ENOMEM  no memory
 *         else what soq_loop_create() says, or a start() has returned: of the member with
 *         the lowest number
 * Owner:  end it with soq_group_destroy().
 * Thread: any; it becomes the maker.
 */
SOQ_API SOQ_MUST_CHECK int soq_group_create(const struct soq_group_options *options,
					    struct soq_group **group_out);

/**
 * Stops the group, waits until all its threads have ended, and gives everything back. As for
 * soq_loop_close_all(), sockets are aborted and ops end with -ECANCELED; every op that was
 * started or posted has its final event, on the member's thread. An op that is started
 * again whenever it ends, whatever its result, would keep its member for ever.
 *
 * In a child of fork() it closes and unmaps what the child inherited and leaves the
 * parent's group alone; if a member was in the midst of something at the fork the child
 * should rather call execve(2).
 *
 * Result: 0, or what soq_group_wait() says; the group is gone either way. NULL is a no-op.
 * Errors: -EXDEV  it is not the maker's thread
 *         -EBUSY  a member's loop still has pools, that its stop() should have destroyed. All
 *                 threads have ended; the maker may destroy the pools, and call it again
 * Thread: the maker's.
 */
SOQ_API int soq_group_destroy(struct soq_group *group);

/**
 * Asks all members to end, and does not wait for that.
 *
 * Result: 0.
 * Errors: -EINVAL NULL; -ECHILD after fork
 * Thread: any, and any signal handler, as long as the group is not destroyed.
 */
SOQ_API int soq_group_stop(struct soq_group *group);

/**
 * Waits until all members have ended, because soq_group_stop() has asked them to or because
 * the loop of one could not go on, which ends the others too.
 *
 * Result: 0, or the error of the loop that could not go on.
 * Errors: -EINVAL  NULL
 *         -ETIME   `timeout_ns` passed first
 *         -EXDEV   it is not the maker's thread
 *         -ECHILD  after fork
 * `timeout_ns`: negative waits for ever, 0 does not wait.
 * Thread: the maker's.
 */
SOQ_API int soq_group_wait(struct soq_group *group, int64_t timeout_ns);

/* Which member's listener a connection comes to. */
enum soq_steering {
	SOQ_STEER_HASH = 0, /* the kernel's choice, by the addresses */
	/* That of the processor the connection has come in on, as a hint (SO_INCOMING_CPU). */
	SOQ_STEER_INCOMING_CPU = 1,
	/* The same, by a program of the kernel's (SO_ATTACH_REUSEPORT_CBPF). */
	SOQ_STEER_CPU = 2,
};

/* Told of a socket that is a member's now, on its thread. */
typedef void soq_group_socket_fn(struct soq_group *group, unsigned member, struct soq_socket *s,
				 void *user);

/**
 * How a group listens. `options` are set on each listener before it is bound.
 */
struct soq_group_listen_options {
	uint32_t size;     /* sizeof(struct soq_group_listen_options) */
	int32_t backlog;   /* of each member, as for soq_listen() */
	uint32_t steering; /* enum soq_steering */
	uint32_t option_count;
	const struct soq_option_raw *options;
	/* Is told of each connection; the socket is the program's from then on. */
	soq_group_socket_fn *accepted;
	void *user;
	uint64_t reserved[4]; /* must be 0 */
};

/**
 * Listens with a socket on each member, all on the same TCP address (SO_REUSEPORT), and
 * accepts on each, perhaps before this returns. Port 0 lets the system choose one, for all.
 *
 * Every program of the same user may join in on a port that is shared so, and take some of
 * the connections: that is how a new version of a server takes over from an old one.
 *
 * Steering pays where network cards spread their interrupts over the processors and the
 * members are pinned: a connection then stays on the processor that its packets come to.
 * SOQ_STEER_CPU picks the first member that is pinned to the processor, else the processor's
 * number modulo the count of members. SOQ_STEER_INCOMING_CPU needs pinned members; before
 * Linux 6.2 it is only one weight among others. On loopback it is the processor of the client.
 *
 * Unix sockets cannot share a name: listen on one loop, and hand over what it accepts.
 *
 * Result: 0 and, unless it is NULL, the address in `*local_out`; on failure nobody listens.
 * Errors: -EINVAL        NULL where something is needed, `size` is none this library knows,
 *                        unknown steering, SOQ_STEER_INCOMING_CPU without
 *                        SOQ_PLACE_PINNED, a reserved field is not 0
 *         -EAFNOSUPPORT  the address is neither IPv4 nor IPv6
 *         -EADDRINUSE    the address is taken, by this group or by whoever does not share
 *         -ESHUTDOWN     the group drains, or ends
 *         -EXDEV         it is not the maker's thread
 *         -ECHILD        after fork
 *         -ENOMEM        no memory
 *         else what soq_socket_open(), soq_option_set(), soq_bind() and soq_listen() say
 * Thread: the maker's. It waits until each member listens.
 * Kernel: SO_REUSEPORT. Fallback: the same.
 */
SOQ_API SOQ_MUST_CHECK int soq_group_listen(struct soq_group *group, const struct soq_endpoint *ep,
					    const struct soq_group_listen_options *how,
					    struct soq_endpoint *local_out);

/**
 * How many members a group has.
 *
 * Result: the number, from 1 on.
 * Errors: -EINVAL NULL; -ECHILD after fork
 * Thread: any.
 */
SOQ_API int soq_group_count(struct soq_group *group);

/**
 * The loop of a member, for what its own thread does on it. Other threads post by
 * soq_group_post(), which knows whether the member has ended.
 *
 * Result: the loop; NULL for no such member, one that has ended, and after fork.
 * Thread: any.
 */
SOQ_API struct soq_loop *soq_group_loop(struct soq_group *group, unsigned member);

/**
 * Hands an op to a member, as soq_loop_post() does: its event comes on the member's
 * thread, even if the group is stopped meanwhile.
 *
 * Result: 0.
 * Errors: -EINVAL     NULL, or no such member
 *         -EBUSY      the op is in flight
 *         -ESHUTDOWN  the member has ended: the op is not started
 *         -ECHILD     after fork
 * Thread: any, and any signal handler, as long as the group is not destroyed.
 */
SOQ_API SOQ_MUST_CHECK int soq_group_post(struct soq_group *group, unsigned member,
					  struct soq_op *op);

/**
 * Hands a quiet socket over to a member (from another one, from a loop outside, or from
 * none if no thread uses it): the handle is dead, and `arrived` gets the new one on the
 * member's thread. What the socket knows stays: its user word, its timeouts, its connection
 * error, its counters; and every byte that was not received.
 *
 * A receive into bufs is no hindrance once it has had its final event: cancel it, take what
 * it delivers, and hand over in that event. Bufs that are on loan then belong to the old
 * loop, where they are returned.
 *
 * If the member ends before it could take the socket in, has no memory for it, or its loop's
 * policy does not let it come (soq_socket_attach()), the socket is aborted and `arrived` gets
 * NULL: `user` can be freed either way.
 *
 * Result: 0: `arrived` is called once.
 * Errors: -EINVAL     NULL, or no such member
 *         -EBUSY      ops are in flight, or accepted sockets wait
 *         -ESHUTDOWN  the member has ended
 *         -ENOMEM     no memory
 *         -ECHILD     after fork
 *         -EXDEV, -EBADF  as for every call on the socket
 *         On failure everything is as it was.
 * Owner:  the socket is the group's until `arrived` has it.
 * Thread: the socket's, as long as the group is not destroyed.
 */
SOQ_API SOQ_MUST_CHECK int soq_group_hand_over(struct soq_group *group, struct soq_socket *s,
					       unsigned member, soq_group_socket_fn *arrived,
					       void *user);

/**
 * Ends the group's work in good order: its listeners take in what has connected and close,
 * each member's drain() is told, and the group waits until no member has a socket left.
 * Members go on until soq_group_stop() or soq_group_destroy().
 *
 * The listeners first let nobody begin to connect (the client's system tries again, and is
 * refused when they are closed), give those who have begun 100 ms to arrive, accept all
 * that have, and close.
 *
 * Result: 0, no member has a socket left. It cannot be taken back.
 * Errors: -EINVAL     NULL
 *         -ETIME      `timeout_ns` passed first; the drain goes on, and it may be called again
 *         -ESHUTDOWN  a member has ended before it was drained
 *         -EXDEV      it would wait, and it is not the maker's thread
 *         -ECHILD     after fork
 * `timeout_ns`: negative waits for ever; 0 begins, and does not wait.
 * Thread: the maker's; with 0 any, and any signal handler, as long as the group is not
 *         destroyed.
 * Kernel: a filter (SO_ATTACH_FILTER) on listeners that close. Fallback: the same.
 */
SOQ_API int soq_group_drain(struct soq_group *group, int64_t timeout_ns);

/**
 * Reads the counters of all loops, added up. Each member tells its own between two things it
 * does; one that has ended has left its last.
 *
 * Result: 0, and `*stats` is filled up to `stats->size`.
 * Errors: -EINVAL  NULL, or `stats->size` is none this library knows
 *         -EXDEV   it is not the maker's thread
 *         -ECHILD  after fork
 * Thread: the maker's. It waits until each member has told.
 */
SOQ_API int soq_group_stats(struct soq_group *group, struct soq_loop_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
