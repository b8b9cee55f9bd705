/* SPDX-License-Identifier: MIT */
/* Connections for tests: soq to soq, and soq to a plain kernel socket of the test's. */
#ifndef SOQ_TESTS_NET_H
#define SOQ_TESTS_NET_H

#include "support.h"

/* More than the buffers of a narrow connection can hold: a send of it parks. */
#define BIG_BYTES ((size_t)4 << 20)

/* A listener on the loopback address, port chosen by the system. */
struct soq_socket *soq_listener(struct fixture *t, int family, struct soq_endpoint *ep);

/* Two soq sockets of the fixture's loop, connected to each other. */
void pair_soq(struct fixture *t, int family, struct soq_socket **a, struct soq_socket **b);

/* A soq socket connected to a blocking descriptor with a receive timeout. */
struct soq_socket *pair_raw(struct fixture *t, int family, int *fd);

/* The same with small buffers on both sides: little fits in between. */
struct soq_socket *pair_narrow(struct fixture *t, int family, int *fd);

/* Opens a socket of the loop and nothing more: a stream, or any type. */
struct soq_socket *open_socket(struct fixture *t, int family);
struct soq_socket *open_socket_of(struct fixture *t, int family, int type);

/* Bound to a name of its own: a port of the loopback address, or an abstract name. */
struct soq_socket *bound_socket(struct fixture *t, int family, int type, struct soq_endpoint *ep);

/* Two datagram sockets and their names; each connected to the other, or to nobody. */
struct datagrams {
	struct soq_socket *a, *b;
	struct soq_endpoint at_a, at_b;
};
struct datagrams datagrams_bound(struct fixture *t, int family);
struct datagrams datagrams_connected(struct fixture *t, int family);
void datagrams_close(struct datagrams *d);

/* Unix names: an abstract one nobody has, and paths in a folder of the test's own. */
void unix_abstract(struct soq_endpoint *ep);
void unix_path(struct soq_endpoint *ep, const char *path);
struct unix_folder {
	char path[80];
	char file[200]; /* of the last unix_file() */
};
void unix_folder_open(struct unix_folder *folder);
/* The name of a file in it; nothing is made. */
void unix_file(struct unix_folder *folder, const char *name, struct soq_endpoint *ep);
int unix_exists(const struct unix_folder *folder, const char *name);
/* Fails if something is left in it. */
void unix_folder_close(struct unix_folder *folder);

/* A listening unix socket of SOCK_STREAM or SOCK_SEQPACKET; the name is the test's or abstract. */
struct soq_socket *unix_listener(struct fixture *t, int type, struct soq_endpoint *ep);
int raw_unix_listener(int type, int backlog, struct soq_endpoint *ep);

/* As pair_soq() and pair_raw(), over an abstract name. */
void pair_unix(struct fixture *t, int type, struct soq_socket **a, struct soq_socket **b);
struct soq_socket *pair_unix_raw(struct fixture *t, int type, int *fd);

/* An address at which nobody listens, though its port is held: *holder keeps it. */
void refused_endpoint(int family, struct soq_endpoint *ep, int *holder);

/* A listener whose queue is full: a connect to it stays in flight. */
struct full_listener {
	int listener;
	int filler;
	struct soq_endpoint ep;
};
void full_listener_open(int family, struct full_listener *full);
void full_listener_close(struct full_listener *full);

/* The kernel's side. All wait at most the watchdog's time. */
int raw_listener(int family, int backlog, int receive_bytes, struct soq_endpoint *ep);
int raw_connect(const struct soq_endpoint *ep);
int raw_accept(int listener);
void raw_send(int fd, const void *data, size_t size);
void raw_fin(int fd);   /* ends its sending */
void raw_reset(int fd); /* closes with a reset */

/* Receives while the loop runs; a count, 0 at the end, or -errno. */
int64_t raw_recv(struct fixture *t, int fd, void *memory, size_t size);

/* The same when there is no loop to run (any more). */
int64_t raw_recv_blocking(int fd, void *memory, size_t size);

/* Receives everything up to the end (0) or an error (-errno), checking against fill(). */
int64_t raw_drain(struct fixture *t, int fd, uint64_t key, uint64_t *bytes);

/* Receives exactly this much and checks it against fill(). */
void raw_take(struct fixture *t, int fd, uint64_t key, uint64_t offset, uint64_t bytes);

#endif
