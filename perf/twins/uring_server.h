/* SPDX-License-Identifier: MIT */
/*
 * What the servers on bare liburing 2.3 share: the ring, the listener, the connections,
 * the turn, and the buffers the kernel picks from. A role says what is done with a
 * completion. DEFER_TASKRUN, a registered ring descriptor, multishot accept, direct
 * descriptors (worth 1 %): one enter takes a batch of requests in and the batch of
 * answers before it out.
 */
#ifndef TWINS_URING_SERVER_H
#define TWINS_URING_SERVER_H

#include "twin.h"

#include <liburing.h>
#include <stdlib.h>

/* What a completion belongs to: the low bits of its pointer. */
enum uring_tag {
	URING_TAG_RECEIVE = 0,
	URING_TAG_SEND = 1,
	URING_TAG_ACCEPT = 2,
	URING_TAG_WATCHED = 3,
	URING_TAG_MASK = 3,
};

struct uring_server;

/* What a role's own struct of a connection begins with. */
struct uring_connection {
	int slot;                      /* its direct descriptor */
	unsigned char *memory;         /* as much as the role asks for, kept for the next one */
	struct uring_connection *next; /* free list */
};

struct uring_role {
	size_t server_bytes; /* of the role's own struct, which begins with a uring_server */
	size_t connection_bytes;
	size_t memory_bytes; /* of each connection */
	/* Prepares the ring, or NULL. Returns 0 or -errno. */
	int (*open)(struct uring_server *s);
	void (*close)(struct uring_server *s); /* after the ring is gone; or NULL */
	/* An accepted connection, all zero but the base; NULL: there is no listener. */
	void (*begin)(struct uring_server *s, struct uring_connection *c);
	void (*on_receive)(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe);
	void (*on_send)(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe);
	/* After all that an enter told has been served; or NULL. */
	void (*after_turn)(struct uring_server *s);
};

struct uring_server {
	struct io_uring ring;
	const struct uring_role *role;
	int listen_fd;
	int watched_fd;
	bool watched;
	bool settled; /* the last enter took all there was, and all it told was served */
	bool hurries; /* for roles: the next enter is not to wait, since silence is an answer */
	struct control_report report;
	struct uring_slab *slabs;
	struct uring_connection *free;
	uint64_t anchor; /* anything aligned can carry the tags of accept and watch */
};

/* The roles. */
extern const struct uring_role uring_echo_role;
extern const struct uring_role bufring_echo_role;
extern const struct uring_role uring_sink_role;
extern const struct uring_role bufring_sink_role;
extern const struct uring_role uring_source_role;
extern const struct uring_role uring_datagram_role;
extern const struct uring_role bufring_datagram_role;

/*
 * `fd` stays the caller's. `watched_fd` (-1: none) ends a turn with TWIN_TURN_WATCHED
 * each time it becomes readable. Returns 0 or -errno; -EINVAL or -ENOSYS where the
 * kernel lacks what it needs (Linux 6.1).
 */
int uring_server_create(int fd, int watched_fd, const struct uring_role *role,
			struct uring_server **out);

/*
 * Hands over what is prepared and serves what is complete. Waits for one completion
 * if `wait`. Returns enum twin_turn or -errno.
 */
int uring_server_turn(struct uring_server *s, bool wait);

/* Closes the ring and every connection. */
void uring_server_destroy(struct uring_server *s);

/* For roles: closes a connection that nothing is in flight of. */
void uring_server_end(struct uring_server *s, struct uring_connection *c);

/* For roles: ends a connection's receive, if it has not ended by itself. */
void uring_server_cancel_receive(struct uring_server *s, struct uring_connection *c);

/* For roles: hands over what is prepared, to make room. */
void uring_server_submit(struct uring_server *s);

/* A request to fill in. */
static inline struct io_uring_sqe *uring_sqe(struct uring_server *s)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);

	if (!sqe) {
		uring_server_submit(s);
		sqe = io_uring_get_sqe(&s->ring);
		if (!sqe)
			abort(); /* an enter that takes nothing from a full queue: a broken kernel */
	}
	s->report.requests++;
	return sqe;
}

/*
 * The last step of a request on a direct descriptor: a connection's, or slot 0 for the
 * socket of a role without a listener. `flags` are IOSQE_.
 */
static inline void uring_finish(struct io_uring_sqe *sqe, void *owner, enum uring_tag tag,
				unsigned flags)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)owner | tag);
	io_uring_sqe_set_flags(sqe, flags | IOSQE_FIXED_FILE);
}

#endif
