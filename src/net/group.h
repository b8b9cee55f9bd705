/* SPDX-License-Identifier: MIT */
/* What the files of a group share. It stands on the public headers alone. */
#ifndef SOQI_NET_GROUP_H
#define SOQI_NET_GROUP_H

#include <pthread.h>
#include <soq/accept.h>
#include <soq/group.h>
#include <soq/op.h>
#include <soq/policy.h>
#include <soq/poll.h>
#include <soq/pool.h>
#include <soq/socket.h>
#include <soq/telemetry.h>
#include <stdatomic.h>
#include <stdbool.h>

#define SOQI_CPU_NONE UINT32_MAX

/* What a member is asked to do, whenever it looks. */
#define SOQI_ASKED_STOP  (1u << 0)
#define SOQI_ASKED_DRAIN (1u << 1)

/* How far soq_group_create() is; each member waits for the next word. */
enum soqi_group_phase {
	SOQI_GROUP_OPENS = 0,  /* loops are made */
	SOQI_GROUP_STARTS = 1, /* start() runs */
	SOQI_GROUP_RUNS = 2,
	SOQI_GROUP_UNDONE = 3, /* one of them has failed */
};

struct soqi_member;
struct soqi_listening;

/* A member's listener: its accept, and what it waits for beside that. */
struct soqi_listener {
	struct soq_op accept;
	struct soq_op pause; /* after an accept that failed */
	struct soq_op grace; /* of a drain: those who have begun to connect */
	struct soqi_listening *listening;
	struct soqi_member *member;
	struct soqi_listener *next; /* of the member's */
	struct soq_socket *s;
	bool attached; /* the socket is on the member's loop */
	bool accepts;
	bool filtered;
	bool is_last; /* the grace is over: what has connected is taken in, and that is it */
};

/* One soq_group_listen(): a listener for each member. Kept until the group is destroyed. */
struct soqi_listening {
	struct soqi_listening *next;
	struct soq_endpoint local;
	soq_group_socket_fn *accepted;
	void *user;
	size_t size_bytes;
	struct soqi_listener at[];
};

/* Runs on the member's thread. */
typedef int soqi_call_fn(struct soqi_member *m, void *arg);

struct soqi_member {
	/* Others write these; its own line keeps one member's posters from another's. */
	_Alignas(64) atomic_uint gate; /* bit 0: closed; the rest counts who is inside */
	atomic_uint asked;             /* SOQI_ASKED_* */
	atomic_uint arriving;          /* sockets on their way here */
	atomic_bool drained;           /* its loop has no socket, and it drains */
	atomic_bool ended;
	_Atomic(struct soq_loop *) loop; /* NULL before it is made and after it has ended */
	struct soq_group *group;
	unsigned index;
	uint32_t cpu; /* SOQI_CPU_NONE: anywhere */
	pthread_t thread;
	int error;                  /* under the lock */
	struct soq_loop_stats last; /* as a call or, under the lock, the end has left them */

	/* The one call the maker waits for. */
	struct soq_op call_op;
	soqi_call_fn *call;
	void *call_arg;
	int call_result;

	/* Its thread's alone. */
	struct soqi_listener *listeners;
	bool draining;
	bool empty; /* no socket when it last looked */
	bool ending;
};

struct soq_group {
	const volatile uint32_t *here; /* 0 in a child of fork() */
	struct soq_allocator allocator;
	struct soq_group_options options;
	pthread_t maker;
	size_t size_bytes;
	struct soq_policy *policy;         /* of the members' loops, or NULL */
	struct soqi_listening *listenings; /* the maker's */
	bool joined;                       /* the maker's */
	atomic_uint moves;                 /* hand-overs begun */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	enum soqi_group_phase phase;
	unsigned reported;   /* members that have told how the phase went */
	unsigned calls_left; /* members that have not answered */
	unsigned ended;
	int error; /* of the first loop that could not go on */

	unsigned member_count;
	struct soqi_member members[];
};

/* group.c */
void *soqi_group_alloc(struct soq_group *group, size_t size_bytes);
void soqi_group_free(struct soq_group *group, void *memory, size_t size_bytes);
/* Whether a call may be made; some are the maker's alone. */
int soqi_group_check(const struct soq_group *group, bool makers);
/* Waits, with the lock, for a change; -ETIME once it is too late. */
int soqi_group_sleep(struct soq_group *group, int64_t until_ns);
int64_t soqi_group_until(int64_t timeout_ns);

/* group_cpu.c */
unsigned soqi_cpus_allowed(uint32_t *cpus, unsigned cpu_max);
int soqi_cpu_pin(uint32_t cpu);
/* The processor's member is chosen for a connection; before the first listener listens. */
int soqi_steer_by_cpu(const struct soq_group *group, struct soq_socket *first);
/* The listener hears of no new connection, while those begun go on. */
int soqi_newcomers_refuse(struct soq_socket *listener);
void soqi_newcomers_forget(struct soq_socket *accepted);

/* group_member.c */
void *soqi_member_main(void *member);
/* While inside, the member does not end. False if it has. */
bool soqi_member_enter(struct soqi_member *m);
void soqi_member_leave(struct soqi_member *m);
void soqi_member_ask(struct soqi_member *m, unsigned what);
void soqi_member_undrained(struct soqi_member *m);

/* group_post.c: the first error by number; -ESHUTDOWN for a member that has ended. */
int soqi_group_call(struct soq_group *group, soqi_call_fn *call, void *arg);

/* group_listen.c */
void soqi_listeners_drain(struct soqi_member *m);

#endif
