/* SPDX-License-Identifier: MIT */
/*
 * Sockets and the table they live in. A socket's memory is its slot for ever; a
 * closed one is used again oldest first, so that a stale handle answers -EBADF as
 * long as can be.
 */
#ifndef SOQI_SLOT_H
#define SOQI_SLOT_H

#include "lane.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* IPPROTO_MPTCP, which older C libraries have not. */
#define SOQI_MPTCP 262

/* The polls of a socket, and their one request: made at the first poll. See poll.c. */
struct soqi_watch {
	struct soqi_lane lane;
	struct soq_socket *socket;
	uint32_t armed;      /* SOQ_POLL_* the request in the kernel is for */
	uint32_t any_events; /* what soq_poll_any() waits for here, beside the ops */
};

/* Ops by priv.next, oldest first; only the last may still be in its lane. */
struct soqi_carriers {
	struct soq_op *first;
	struct soq_op *last;
};

/*
 * In the order of use: what a request and its result need is in the first lines, with
 * the lanes; what only some sockets or some moments need comes behind. What is never
 * needed together shares its place, so that all of it is four lines of the cache.
 */
struct soq_socket {
	struct soq_loop *loop; /* never changes: other threads may read it; NULL: detached */
	int32_t fd;
	uint32_t slot;
	uint8_t type;            /* SOCK_* */
	uint8_t state;           /* enum soqi_socket_state */
	uint8_t family;          /* AF_*; no bit-field: read without a detached socket's lock */
	uint8_t phase : 3;       /* enum soqi_socket_phase */
	bool credentials : 1;    /* unix: the kernel tells who has sent a message */
	uint8_t asked_class : 2; /* the class the request in the kernel asks for */
	bool from_list : 1;     /* its turn has come: the next buf is from the list, which has it */
	bool paused : 1;        /* its share is used up, and more is wanted */
	bool shut_send : 1;     /* our send side is shut, or will be when its turn comes */
	bool epipe_seen : 1;    /* a send met -EPIPE, and no other error was seen before */
	bool fin_seen : 1;      /* the end of stream is certain: a 0 stands */
	bool reset : 1;         /* the close sends a reset */
	bool was_connected : 1; /* datagrams: still, until a connect or disconnect has its turn */
	bool was_shut : 1;      /* the send side, before the connect in flight: likewise */
	bool nonblocking : 1;   /* adopted so */
	bool split_asked : 1;   /* whether the kernel knows UDP_SEGMENT at all */
	bool split_proved : 1;  /* the library has cut where the kernel refused */
	bool on_its_way : 1;    /* of a list of addresses: nobody has the handle yet */
	bool zerocopy_off : 1;  /* the kernel copies all the same: not worth asking any more */
	bool reuse_chosen : 1;  /* the program itself has set SO_REUSEADDR: a bind does not */
	uint16_t lent_count;    /* bufs on loan */
	uint16_t carried_count; /* bufs not delivered yet, of all carriers */
	int16_t error;          /* the first connection error, kept */
	uint32_t zerocopy_holds; /* notifications that are to come */
	struct soqi_lane lane[2];
	uint32_t backend_bits;       /* epoll: readiness; io_uring: place of direct.c, plus 1 */
	uint32_t backend_generation; /* epoll: tells this socket's events from an older one's */
	uint64_t bytes[2];           /* received and sent, by lane: see count.h */
	uint64_t messages[2];        /* likewise; a listener counts what it has accepted */
	union {
		struct soqi_carriers carriers; /* ops with bufs not delivered yet: see carry.c */
		struct soq_op *target_op;      /* is_target: of the accept into it: see renew.c */
	};
	union {
		struct soq_op *linger_op; /* open: for a lingering close, made when that is set */
		struct soq_op *close_op;  /* closing: told when the descriptor is closed, or NULL */
	};
	struct soqi_watch *watch; /* NULL before the first poll */
	union {
		struct soqi_path *path;      /* unix: the path this socket has made, or NULL */
		int32_t multicast_interface; /* IPv4: as it was set, see option_value.c */
	};
	union {
		struct soq_socket *next; /* nobody has the handle: free, or accepted, on its way */
		void *user;
	};
	int64_t receive_timeout_ns;
	int64_t send_timeout_ns;
	int32_t linger_s; /* -1: off */
	uint16_t protocol;
	uint8_t buf_class : 2;       /* of a pool, that fits what has come lately */
	uint8_t buf_small_count : 5; /* bufs in a row that the next smaller class could hold */
	bool is_target : 1;          /* of an accept into it */
	uint8_t zerocopy_copied : 4; /* times in a row that it did */
	uint8_t split : 2;           /* enum soqi_split */
	uint8_t finish : 2;          /* enum soqi_finish_step */
};
_Static_assert(sizeof(struct soq_socket) <= 256, "an idle connection is four lines of the cache");

enum soqi_socket_state {
	SOQI_SOCKET_FREE = 0,
	SOQI_SOCKET_OPEN,
	SOQI_SOCKET_CLOSING, /* the handle is dead, the descriptor is not */
	SOQI_SOCKET_BUSY,    /* it gets another descriptor: see renew.c */
};

enum soqi_socket_phase {
	SOQI_PHASE_FRESH = 0, /* as SOQ_STATE_* */
	SOQI_PHASE_LISTENING,
	SOQI_PHASE_CONNECTING,
	SOQI_PHASE_CONNECTED,
	SOQI_PHASE_CUT, /* a connect was cut short: only closing is left */
};

/* Who cuts a message with SOQ_INFO_SEGMENTS into datagrams: see batch.c. */
enum soqi_split {
	SOQI_SPLIT_KERNEL = 0, /* whatever the number */
	SOQI_SPLIT_KERNEL_64,  /* up to 64; kernels differ in how many they take */
	SOQI_SPLIT_LIBRARY,
};

enum soqi_finish_step {
	SOQI_FINISH_NONE = 0,
	SOQI_FINISH_FLUSH, /* sends go out */
	SOQI_FINISH_DRAIN, /* the send side is shut; reading until the peer ends */
};

/* Whether the handle is alive. */
static inline bool soqi_is_alive(const struct soq_socket *s)
{
	return s->state == SOQI_SOCKET_OPEN || s->state == SOQI_SOCKET_BUSY;
}

/* 0 if calls on it may be made. */
static inline int soqi_state_check(const struct soq_socket *s)
{
	if (s->state == SOQI_SOCKET_OPEN)
		return 0;
	return s->state == SOQI_SOCKET_BUSY ? -EBUSY : -EBADF;
}

/* Whether it carries bytes; else messages. */
static inline bool soqi_is_stream(const struct soq_socket *s)
{
	return s->type == SOCK_STREAM;
}

/* Whether it has a connection, which can end and break. */
static inline bool soqi_is_connection(const struct soq_socket *s)
{
	return s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET;
}

/* Whether its messages have control messages of ours. */
static inline bool soqi_is_ip_datagram(const struct soq_socket *s)
{
	return (s->family == AF_INET || s->family == AF_INET6) && !soqi_is_connection(s);
}

static inline bool soqi_is_udp(const struct soq_socket *s)
{
	return soqi_is_ip_datagram(s) && s->type == SOCK_DGRAM &&
	       (s->protocol == 0 || s->protocol == IPPROTO_UDP || s->protocol == IPPROTO_UDPLITE);
}

/* MPTCP too: it answers to most of what TCP does. */
static inline bool soqi_is_tcp(const struct soq_socket *s)
{
	return (s->family == AF_INET || s->family == AF_INET6) && s->type == SOCK_STREAM &&
	       (s->protocol == 0 || s->protocol == IPPROTO_TCP || s->protocol == SOQI_MPTCP);
}

/* A chunk of the table. */
#define SOQI_CHUNK_SOCKETS 64u

/* A blank socket of `loop`, or NULL without memory. */
struct soq_socket *soqi_slot_alloc(struct soq_loop *loop);

/* What every socket begins with, and what it is. */
void soqi_socket_blank(struct soq_socket *s);
void soqi_socket_is(struct soq_socket *s, int fd, int family, int type, int protocol);

/* Gives the slot back; no list may know the socket any more. */
void soqi_slot_free(struct soq_socket *s);

/* Calls `visit` for every socket that is not free. */
void soqi_slot_each(struct soq_loop *loop, void (*visit)(struct soq_socket *s));

void soqi_slots_release(struct soq_loop *loop);

#endif
