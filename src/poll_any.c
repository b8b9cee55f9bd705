/* SPDX-License-Identifier: MIT */
/*
 * Readiness of many sockets at once. What is there is asked of the kernel for many
 * sockets by one call; the watches of poll.c only end the wait before that.
 */
#include <soq/poll.h>

#include "detached.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

/* As many are asked by one call from memory on the stack. */
#define GROUP 64u

static bool passed_over(const struct soq_poll_entry *entry)
{
	return entry->events == 0;
}

/* The arguments, before any socket is touched; and the first socket. */
static int entries_check(const struct soq_poll_entry *entries, unsigned count,
			 const struct soq_socket **first_out)
{
	const struct soq_socket *first = NULL;

	if (entries == NULL || count > INT32_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (passed_over(&entries[i]))
			continue;
		if (entries[i].socket == NULL || !soqi_poll_events_valid(entries[i].events))
			return -EINVAL;
		if (first == NULL)
			first = entries[i].socket;
	}
	*first_out = first;
	return first != NULL ? 0 : -EINVAL;
}

/* All on one loop, NULL for detached ones, and open. */
static int sockets_check(const struct soq_poll_entry *entries, unsigned count,
			 struct soq_loop *loop)
{
	int error;

	for (unsigned i = 0; i < count; i++)
		if (!passed_over(&entries[i]) && entries[i].socket->loop != loop)
			return -EXDEV;
	error = loop != NULL ? soqi_loop_enter(loop) : 0;
	for (unsigned i = 0; i < count && error == 0; i++)
		if (!passed_over(&entries[i]))
			error = soqi_state_check(entries[i].socket);
	return error;
}

/* One for each that is not passed over. */
static unsigned group_fill(const struct soq_poll_entry *entries, unsigned count, struct pollfd *fds)
{
	unsigned filled = 0;

	for (unsigned i = 0; i < count; i++)
		if (!passed_over(&entries[i]))
			fds[filled++] = (struct pollfd){
				.fd = entries[i].socket->fd,
				.events = soqi_poll_to_system(entries[i].events),
			};
	return filled;
}

static void group_tell(struct soq_poll_entry *entries, unsigned count, const struct pollfd *fds)
{
	for (unsigned i = 0; i < count; i++)
		entries[i].told = passed_over(&entries[i])
					  ? 0
					  : soqi_poll_from_system((fds++)->revents);
}

/* Polls until something is there or `until_ns` has come. */
static int group_wait(struct pollfd *fds, unsigned count, int64_t until_ns)
{
	int told;

	do {
		int64_t left_ns = until_ns == SOQI_FOREVER ? 0 : until_ns - soqi_now_ns();
		struct timespec left = soqi_timespec(left_ns > 0 ? left_ns : 0);

		told = ppoll(fds, count, until_ns == SOQI_FOREVER ? NULL : &left, NULL);
	} while (told < 0 && errno == EINTR);
	return told >= 0 ? told : -errno;
}

/*
 * What there is now, of all: how many entries have something, or -errno. poll(2) takes
 * no more of them than descriptors may be open, and says so by -EINVAL.
 */
static int look(struct soq_poll_entry *entries, unsigned count)
{
	struct pollfd fds[GROUP];
	unsigned group = GROUP;
	int total = 0;

	for (unsigned i = 0; i < count;) {
		unsigned size = count - i < group ? count - i : group;
		int told = group_wait(fds, group_fill(&entries[i], size, fds), SOQI_NOW);

		if (told == -EINVAL && size > 1) {
			group = size / 2;
			continue;
		}
		if (told < 0)
			return told;
		group_tell(&entries[i], size, fds);
		total += told;
		i += size;
	}
	return total;
}

static int watches_join(struct soq_poll_entry *entries, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct soq_socket *s = entries[i].socket;

		if (passed_over(&entries[i]))
			continue;
		if (soqi_watch_make(s) != 0)
			return -ENOMEM;
		s->watch->any_events |= entries[i].events;
	}
	return 0;
}

static void watches_wait(struct soq_poll_entry *entries, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!passed_over(&entries[i]))
			soqi_watch_wait(entries[i].socket);
}

static void watches_leave(struct soq_poll_entry *entries, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!passed_over(&entries[i]))
			soqi_watch_leave(entries[i].socket);
}

/*
 * The first turn only lets the others move: where something is there already no
 * watch is needed. What a watch tells may be gone again, taken by an op of this loop.
 */
static int wait_on_loop(struct soq_loop *loop, struct soq_poll_entry *entries, unsigned count,
			int64_t until_ns)
{
	int64_t turn_ns = SOQI_NOW;

	for (;;) {
		int error;
		bool over;

		loop->any_told = 0;
		error = soqi_turn(loop, turn_ns);
		if (error == 0 && loop->any_told < 0)
			error = loop->any_told;
		if (error != 0)
			return error;
		over = until_ns == SOQI_NOW ||
		       (until_ns != SOQI_FOREVER && soqi_now_ns() >= until_ns);
		if (over || loop->any_told != 0 || turn_ns == SOQI_NOW) {
			int told = look(entries, count);

			if (told != 0 || over)
				return told;
			watches_wait(entries, count);
		}
		turn_ns = until_ns;
	}
}

static int any_on_loop(struct soq_loop *loop, struct soq_poll_entry *entries, unsigned count,
		       int64_t until_ns)
{
	int result = watches_join(entries, count);

	if (result == 0)
		result = wait_on_loop(loop, entries, count, until_ns);
	watches_leave(entries, count);
	return result;
}

/* While a thread is in here none of them can be closed. */
static void detached_all(struct soq_poll_entry *entries, unsigned count,
			 void (*step)(struct soq_socket *s))
{
	for (unsigned i = 0; i < count; i++)
		if (!passed_over(&entries[i]))
			step(entries[i].socket);
}

static void detached_begin(struct soq_socket *s)
{
	soqi_detached_enter(s);
	soqi_detached_unlock(s);
}

static void detached_end(struct soq_socket *s)
{
	soqi_detached_lock(s);
	soqi_detached_leave(s);
}

static int by_fd(const void *a, const void *b)
{
	int first = ((const struct pollfd *)a)->fd;
	int second = ((const struct pollfd *)b)->fd;

	return (first > second) - (first < second);
}

/* Each descriptor once, for all that its entries wait for: how many there are. */
static unsigned merge(struct pollfd *fds, unsigned count)
{
	unsigned last = 0;

	qsort(fds, count, sizeof(*fds), by_fd);
	for (unsigned i = 1; i < count; i++) {
		if (fds[i].fd == fds[last].fd)
			fds[last].events = (short)(fds[last].events | fds[i].events);
		else
			fds[++last] = fds[i];
	}
	return last + 1;
}

/* As group_wait() and group_tell(), for more entries than descriptors may be open. */
static int merged_wait(struct soq_poll_entry *entries, unsigned count, struct pollfd *fds,
		       int64_t until_ns)
{
	unsigned merged = merge(fds, group_fill(entries, count, fds));
	int result = group_wait(fds, merged, until_ns);
	int total = 0;

	for (unsigned i = 0; i < count && result >= 0; i++) {
		const struct pollfd key = { .fd = passed_over(&entries[i])
							  ? -1
							  : entries[i].socket->fd };
		const struct pollfd *found = bsearch(&key, fds, merged, sizeof(key), by_fd);

		entries[i].told = 0;
		if (found != NULL)
			entries[i].told = soqi_poll_from_system(found->revents) &
					  (entries[i].events | SOQ_POLL_ERROR | SOQ_POLL_HANGUP);
		total += entries[i].told != 0;
	}
	return result < 0 ? result : total;
}

static int any_detached(struct soq_poll_entry *entries, unsigned count, int64_t until_ns)
{
	struct pollfd few[GROUP];
	struct pollfd *fds = count <= GROUP ? few : calloc(count, sizeof(*fds));
	int result;

	if (fds == NULL)
		return -ENOMEM;
	detached_all(entries, count, detached_begin);
	result = group_wait(fds, group_fill(entries, count, fds), until_ns);
	if (result >= 0)
		group_tell(entries, count, fds);
	else if (result == -EINVAL)
		result = merged_wait(entries, count, fds, until_ns);
	detached_all(entries, count, detached_end);
	if (fds != few)
		free(fds);
	return result;
}

int soq_poll_any(struct soq_poll_entry *entries, unsigned entry_count, int64_t timeout_ns)
{
	int64_t until_ns = soqi_until(timeout_ns);
	const struct soq_socket *first;
	int error = entries_check(entries, entry_count, &first);

	if (error == 0)
		error = sockets_check(entries, entry_count, first->loop);
	if (error != 0)
		return error;
	return first->loop != NULL ? any_on_loop(first->loop, entries, entry_count, until_ns)
				   : any_detached(entries, entry_count, until_ns);
}
