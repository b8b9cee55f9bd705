/* SPDX-License-Identifier: MIT */
/*
 * A resolver of the test's own in place of the system's: getaddrinfo() and freeaddrinfo(),
 * defined by the program that links it. It says what the test has told it to, and holds
 * lookups for as long as the test wants.
 */
#ifndef SOQ_TESTS_RESOLVER_H
#define SOQ_TESTS_RESOLVER_H

#include "support.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>

enum { RESOLVER_MAX = 8 };

/* What a lookup was asked for, and on which thread. */
struct resolver_asked {
	unsigned times; /* lookups begun, ever */
	unsigned at_work;
	unsigned most;  /* at work at a time */
	unsigned lists; /* answers not freed yet */
	unsigned fakes; /* lists freed that were none of its own */
	char name[300];
	int family;
	sigset_t blocked;
	pthread_t thread;
};

/* Begins: no lookup is held, and the host is unknown. */
void resolver_open(void);
/* Lets lookups end, and waits until every thread has: each answer has been freed by then. */
void resolver_close(void);
/* Waits until the threads of all lookups have ended, those that were given up too. */
void resolver_rest(void);

/* What lookups say from now on: an EAI_ code, and errno with EAI_SYSTEM; or addresses. */
void resolver_fails(int code, int system_error);
void resolver_finds(const struct soq_endpoint *endpoints, unsigned count);
void resolver_finds_text(const char *const *texts, unsigned count);

/* From now on lookups do not end; from now on they do. */
void resolver_hold(void);
void resolver_let_go(void);
/* fork(), and in the child lookups end. */
pid_t resolver_fork(void);
/* Waits until so many lookups, or more, are at work. */
void resolver_await(unsigned at_work);

struct resolver_asked resolver_asked(void);

/* A question for `host`, answered into `out`. */
#define QUESTION(text, out)                                                                        \
	{                                                                                          \
		.size = sizeof(struct soq_resolve), .host = (text), .host_bytes = strlen(text),    \
		.port = 80, .endpoints = (out), .endpoint_max = COUNT_OF(out)                      \
	}

#endif
