/* SPDX-License-Identifier: MIT */
/* The turns of the one-thread harness. */
#include "bout.h"

#include "../common/clock.h"
#include "../soqperf/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Tries for one answer after the contender said that it was sent. */
#define TRIES_MAX 1000

static int connect_client(const struct sockaddr_in *where)
{
	int on = 1, fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)where, sizeof(*where)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* More than its share of any pool here; what finds no room is not missed. */
static int connect_hoarder(struct bout *b, const struct sockaddr_in *where)
{
	static const unsigned char bytes[1 << 18];
	int ret;

	if (!b->contender->echo.hoards)
		return 0;
	b->hoarder_fd = connect_client(where);
	if (b->hoarder_fd < 0)
		return b->hoarder_fd;
	ret = b->contender->accept(b->state, 1);
	if (ret == 0 && send(b->hoarder_fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
		ret = -errno;
	return ret;
}

/* Batches that a listener's queue holds, each accepted before the next one connects. */
static int connect_clients(struct bout *b, const struct sockaddr_in *where)
{
	for (uint32_t i = 0; i < b->ready; i++) {
		int ret;

		b->fds[i] = connect_client(where);
		if (b->fds[i] < 0)
			return b->fds[i];
		if ((i + 1) % 64 != 0 && i + 1 != b->ready)
			continue;
		ret = b->contender->accept(b->state, i + 1 + (b->hoarder_fd >= 0));
		if (ret < 0)
			return ret;
	}
	return 0;
}

int bout_open(struct bout *b, const struct contender *contender, uint32_t ready,
	      uint32_t size_bytes, size_t turns_max)
{
	struct sockaddr_in where;
	int ret;

	*b = (struct bout){ .contender = contender,
			    .ready = ready,
			    .size_bytes = size_bytes,
			    .hoarder_fd = -1 };
	b->fds = malloc(ready * sizeof(*b->fds));
	b->data = malloc(size_bytes);
	b->turn_ns = malloc(turns_max * sizeof(*b->turn_ns));
	b->whole_ns = malloc(turns_max * sizeof(*b->whole_ns));
	if (!b->fds || !b->data || !b->turn_ns || !b->whole_ns || payload_init() < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < ready; i++)
		b->fds[i] = -1;
	ret = contender->create(contender, &b->state, &where);
	if (ret == 0)
		ret = connect_hoarder(b, &where);
	return ret < 0 ? ret : connect_clients(b, &where);
}

static int send_requests(struct bout *b)
{
	for (uint32_t i = 0; i < b->ready; i++) {
		ssize_t n;

		payload_fill(b->data, b->size_bytes, i, b->sequence);
		n = send(b->fds[i], b->data, b->size_bytes, MSG_NOSIGNAL);
		if (n != (ssize_t)b->size_bytes)
			return n < 0 ? -errno : -EMSGSIZE;
	}
	return 0;
}

/* Takes one whole answer; an answer that does not come is lost. */
static int take_answer(struct bout *b, uint32_t i)
{
	uint32_t got = 0;
	int tries = 0;

	while (got < b->size_bytes) {
		ssize_t n = recv(b->fds[i], b->data + got, b->size_bytes - got, 0);

		if (n > 0)
			got += (uint32_t)n;
		else if (n == 0)
			return -ECONNRESET;
		else if (errno != EAGAIN || ++tries > TRIES_MAX)
			return -errno;
	}
	if (!payload_equal(b->data, b->size_bytes, 0, i, b->sequence))
		b->wrong++;
	return 0;
}

static int take_answers(struct bout *b)
{
	for (uint32_t i = 0; i < b->ready; i++) {
		int ret = take_answer(b, i);

		if (ret < 0)
			return ret;
	}
	b->sequence++;
	return 0;
}

static int run_turn(struct bout *b, bool measured)
{
	int64_t send_ns = clock_now_ns(), begin_ns, end_ns;
	int ret;

	ret = send_requests(b);
	if (ret < 0)
		return ret;
	begin_ns = clock_now_ns();
	ret = b->contender->answer(b->state, (uint64_t)b->ready * b->size_bytes);
	end_ns = clock_now_ns();
	if (ret == 0)
		ret = take_answers(b);
	if (!measured || ret < 0)
		return ret;
	b->turn_ns[b->turn_count] = (uint32_t)(end_ns - begin_ns);
	b->whole_ns[b->turn_count++] = (uint32_t)(clock_now_ns() - send_ns);
	return 0;
}

int bout_run(struct bout *b, size_t turns, bool measured)
{
	struct control_report before = b->contender->report(b->state), after, missed;
	int ret = 0;

	for (size_t i = 0; i < turns && ret == 0; i++)
		ret = run_turn(b, measured);
	if (!measured)
		return ret;
	/* spent += after - before, as spent - (before - after): there is only a difference. */
	after = b->contender->report(b->state);
	missed = control_difference(&before, &after);
	b->spent = control_difference(&b->spent, &missed);
	return ret;
}

static int compare_ns(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(uint32_t *values, size_t count, double percent)
{
	size_t i = (size_t)((double)count * percent / 100.0);

	if (count == 0)
		return 0;
	qsort(values, count, sizeof(*values), compare_ns);
	return values[i < count ? i : count - 1];
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_double);
	return count ? values[count / 2] : 0;
}

/* Of the turns of one block: one that was interrupted does not count more than another. */
static double block_median(const struct bout *b, size_t first, size_t turns, double *room)
{
	for (size_t i = 0; i < turns; i++)
		room[i] = b->whole_ns[first + i];
	return median_of(room, turns);
}

double bout_ratio(const struct bout *b, const struct bout *of, size_t block_turns)
{
	size_t blocks = b->turn_count / block_turns;
	double *ratios = malloc((blocks + block_turns) * sizeof(*ratios)), median = 0;

	for (size_t i = 0; ratios && i < blocks; i++) {
		ratios[i] = block_median(b, i * block_turns, block_turns, ratios + blocks);
		ratios[i] /= block_median(of, i * block_turns, block_turns, ratios + blocks);
	}
	if (ratios)
		median = median_of(ratios, blocks);
	free(ratios);
	return median;
}

double bout_percentile(struct bout *b, double percent)
{
	return percentile(b->turn_ns, b->turn_count, percent) / b->ready;
}

double bout_whole_percentile(struct bout *b, double percent)
{
	return percentile(b->whole_ns, b->turn_count, percent) / b->ready;
}

int bout_close(struct bout *b)
{
	int ret = 0;

	for (uint32_t i = 0; b->fds && i < b->ready; i++) {
		if (b->fds[i] >= 0)
			close(b->fds[i]);
	}
	if (b->hoarder_fd >= 0)
		close(b->hoarder_fd);
	if (b->state)
		ret = b->contender->destroy(b->state);
	free(b->fds);
	free(b->data);
	free(b->turn_ns);
	free(b->whole_ns);
	return ret;
}
