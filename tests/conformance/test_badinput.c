/* SPDX-License-Identifier: MIT */
/*
 * Bad input: one table of every public call (badinput_calls.c) x what can be wrong with its
 * arguments (badinput_*.c). Each gives the documented result, starts nothing and loses
 * nothing. A public function without a row fails the test.
 */
#define _GNU_SOURCE
#include "badinput.h"

#include <pthread.h>
#include <sys/wait.h>

/* Every subject with NULL, with a closed handle, with an op in flight. */
static void rows_subjects(struct fixture *t)
{
	const struct on good = { bench.loop, bench.s, bench.idle };

	for (const struct subject *s = subjects; s < subjects + subject_count; s++) {
		struct on on = good;

		on.loop = NULL;
		if (s->takes & LOOP)
			check_row(t, s->name, s->call(&on), -EINVAL);
		on = good;
		on.s = NULL;
		if (s->takes & SOCKET)
			check_row(t, s->name, s->call(&on), -EINVAL);
		on.s = bench.closed;
		if (s->takes & SOCKET)
			check_row(t, s->name, s->call(&on), -EBADF);
		on = good;
		on.op = NULL;
		if (s->takes & OP)
			check_row(t, s->name, s->call(&on), -EINVAL);
		on.op = bench.busy;
		if (s->takes & STARTS)
			check_row(t, s->name, s->call(&on), -EBUSY);
		on.op = bench.quiet;
		if (s->takes & STARTS)
			check_row(t, s->name, s->call(&on), -EBUSY);
	}
}

static void rows_all(struct fixture *t)
{
	rows_subjects(t);
	rows_groups(t);
	rows_nulls(t);
	rows_handles(t);
	rows_states(t);
	rows_flags(t);
	rows_lengths(t);
	rows_policy(t);
	rows_names(t);
}

static void bad_input_is_refused_and_starts_nothing(struct fixture *t)
{
	bench_open(t);
	rows_all(t);
	bench_close(t);
}

/* The subjects, well formed, where they may not be called at all. */
static void call_all(int64_t *results)
{
	for (unsigned i = 0; i < subject_count; i++) {
		unsigned takes = subjects[i].takes;
		struct on on = { bench.loop, bench.s, (takes & STARTS) ? bench.idle : bench.quiet };

		results[i] = subjects[i].call(&on);
	}
}

static void *call_most(void *arg)
{
	int64_t *results = arg;

	for (unsigned i = 0; i < subject_count; i++) {
		unsigned takes = subjects[i].takes;
		struct on on = { bench.loop, bench.s, (takes & STARTS) ? bench.idle : bench.quiet };

		results[i] = (takes & ANY) ? -EXDEV : subjects[i].call(&on);
	}
	return NULL;
}

static void another_thread_is_refused_by_every_call(struct fixture *t)
{
	int64_t results[SUBJECTS_MAX];
	pthread_t thread;

	bench_open(t);
	expect(pthread_create(&thread, NULL, call_most, results), 0);
	expect(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < subject_count; i++)
		check_row(t, subjects[i].name, results[i], -EXDEV);
	bench_close(t);
}

static void child_is_refused_by_every_call(struct fixture *t)
{
	int64_t results[SUBJECTS_MAX];
	size_t size = subject_count * sizeof(results[0]);
	int ends[2], status = 0;
	pid_t child;

	bench_open(t);
	expect(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		call_all(results);
		if (write(ends[1], results, size) != (ssize_t)size)
			_exit(1);
		_exit(0);
	}
	expect_true(child > 0);
	close(ends[1]);
	expect(read(ends[0], results, size), size);
	close(ends[0]);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	for (unsigned i = 0; i < subject_count; i++)
		check_row(t, subjects[i].name, results[i],
			  (subjects[i].takes & CHILD_MAY) ? 0 : -ECHILD);
	bench_close(t);
}

/* The names in the headers, as the build found them. */
static const char *const public_functions[] = {
#ifdef SOQ_API_LIST
#include SOQ_API_LIST
#endif
	NULL,
};

static void every_public_function_has_a_row(struct fixture *t)
{
	unsigned known = 0;

	bench_open(t);
	rows_all(t);
	for (; public_functions[known]; known++) {
		const char *name = public_functions[known];
		unsigned found = 0;

		for (unsigned i = 0; i < tried.count; i++)
			found += !strcmp(tried.names[i], name);
		if (!found)
			fail_msg("%s() has no row in badinput_*.c", name);
	}
	if (known)
		expect(known, tried.count);
	bench_close(t);
}

static const struct conf_case cases[] = {
	CASE(bad_input_is_refused_and_starts_nothing, "1a 4b 5a 8a 8e 11c 15a 2d"),
	CASE(another_thread_is_refused_by_every_call, "16a"),
	CASE(child_is_refused_by_every_call, "17a"),
	CASE(every_public_function_has_a_row, "1a"),
};

CONF_GROUP(badinput, cases)
