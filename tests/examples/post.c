/* SPDX-License-Identifier: MIT */
/*
 * Work from another thread: a worker computes, and hands each result to the loop's
 * thread, which alone touches the sockets. soq_loop_post() takes no lock and
 * allocates nothing; the op is the envelope.
 */
#include "pair.h"

#include <pthread.h>
#include <stdio.h>

#define JOBS 10

struct job {
	struct soq_op op;
	struct soq_socket *socket;
	uint64_t result;
};

struct work {
	struct soq_loop *loop;
	struct job jobs[JOBS];
};

/* On the loop's thread: sends what the worker found. */
static void on_posted(const struct soq_event *event)
{
	struct job *job = event->op->user;

	if (soq_send(job->socket, &job->result, sizeof(job->result), 0) != sizeof(job->result))
		(void)fprintf(stderr, "a result was lost\n");
}

/* On the worker's thread: no call but soq_loop_post() and soq_loop_stop() is allowed here. */
static void *worker(void *argument)
{
	struct work *work = argument;
	uint64_t factorial = 1;

	for (int i = 0; i < JOBS; i++) {
		factorial *= (uint64_t)i + 1;
		work->jobs[i].result = factorial;
		if (soq_loop_post(work->loop, &work->jobs[i].op) != 0)
			break;
	}
	(void)soq_loop_stop(work->loop);
	return NULL;
}

int main(void)
{
	static struct work work;
	struct soq_socket *a;
	struct soq_socket *b;
	pthread_t thread;
	uint64_t last = 0;

	if (soq_loop_create(NULL, &work.loop) != 0 || pair(work.loop, &a, &b) != 0)
		return 1;
	for (int i = 0; i < JOBS; i++) {
		work.jobs[i].op.done = on_posted;
		work.jobs[i].op.user = &work.jobs[i];
		work.jobs[i].socket = a;
	}
	if (pthread_create(&thread, NULL, worker, &work) != 0)
		return 1;
	/* Until the worker says stop; then whatever was posted just before. */
	if (soq_loop_run(work.loop, SOQ_RUN_STOP, -1) < 0)
		return 1;
	(void)pthread_join(thread, NULL);
	if (soq_loop_run(work.loop, SOQ_RUN_IDLE, -1) < 0)
		return 1;
	for (int i = 0; i < JOBS; i++) /* posts of one thread arrive in order */
		if (soq_recv(b, &last, sizeof(last), SOQ_EXACT) != sizeof(last) ||
		    last != work.jobs[i].result)
			return 1;
	printf("%d! = %llu\n", JOBS, (unsigned long long)last);
	return finish(work.loop);
}
