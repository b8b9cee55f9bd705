/* SPDX-License-Identifier: MIT */
/*
 * A batch of datagrams: received by one recvmmsg(2), sent back to where they came from
 * by one sendmmsg(2).
 */
#ifndef TWINS_DATAGRAMS_H
#define TWINS_DATAGRAMS_H

#include "twin.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define DATAGRAMS_MAX      64u
#define DATAGRAM_MAX_BYTES 65536u

struct datagrams {
	unsigned count; /* received, of which the first `sent` are done with */
	unsigned sent;
	struct mmsghdr messages[DATAGRAMS_MAX];
	struct iovec parts[DATAGRAMS_MAX];
	struct sockaddr_in6 peers[DATAGRAMS_MAX]; /* as large as either family's */
	/* A line more than a power of two, or the first lines of all would share a few sets. */
	unsigned char memory[DATAGRAMS_MAX][DATAGRAM_MAX_BYTES + 64];
};

void datagrams_init(struct datagrams *d);

/* Receives what is there into an empty batch; its count or -errno. */
int datagrams_receive(struct datagrams *d, int fd, struct control_report *report);

/*
 * Sends what is left of the batch. False if the socket takes no more now. What cannot be
 * sent for another reason is dropped, as a network would.
 */
bool datagrams_send(struct datagrams *d, int fd, struct control_report *report);

#endif
