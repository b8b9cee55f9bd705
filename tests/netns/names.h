/* SPDX-License-Identifier: MIT */
/*
 * What the system's resolver goes by, and asks, of the test's own: the files of /etc, mounted
 * over the machine's (`enter.sh --mount`), and name servers on host 0.
 */
#ifndef SOQ_TESTS_NAMES_H
#define SOQ_TESTS_NAMES_H

#include "hosts.h"

#include <netinet/in.h>
#include <sys/types.h>

struct names {
	struct hosts h;
	struct unix_folder folder;
	unsigned threads; /* of this process, before any lookup */
	pid_t dnsmasq;    /* 0: it was not started */
	int says;         /* what it says comes here */
};

/*
 * Makes so many hosts. Lookups go by /etc/hosts, a text, then ask the name server at an address
 * of host 0, once and for half a minute: who it is shows in the answer, not in the time. A
 * name without a dot is one of `test`.
 */
void names_open(struct names *n, unsigned count, const char *etc_hosts, const char *server);
/* Waits for all lookups, then puts everything back. */
void names_close(struct names *n);
/* How many threads look something up. */
unsigned names_at_work(const struct names *n);
/* Waits until they have ended, those of lookups that were given up too. */
void names_rest(const struct names *n);

/*
 * Starts dnsmasq on 127.0.0.1. All it knows is below `test`: what a text in the form of
 * /etc/hosts says. It refuses other questions.
 */
void names_serve(struct names *n, const char *zone);

/* A server that only says what it is told to. Close it with close(). */
int server_open(const char *address);

/* A question that it was asked. */
struct asked {
	unsigned char bytes[512];
	size_t size_bytes;
	struct sockaddr_in from;
};
/* Waits for the next one. */
void server_take(int server, struct asked *asked);
/* Answers it: a code of RFC 1035, 4.1.1, and an address if it is of the family asked for. */
void server_answer(int server, const struct asked *asked, unsigned code, const char *address);

#endif
