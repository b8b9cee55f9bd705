/* SPDX-License-Identifier: MIT */
/* The turns of the one-thread harness. */
#include "bout.h"

#include "../common/clock.h"
#include "../soqperf/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * How long an answer may take after the contender said that it was sent: a kernel that is
 * behind with its queues, or has dropped from a full one, brings it late.
 */
#define PATIENCE_MS 2000
/* Connections that are made before they are accepted. */
#define BACKLOG 64

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

/* What there was before is accepted with them. */
static int connect_idle(struct bout *b, const struct sockaddr_in *where, uint64_t there,
			uint32_t count)
{
	int ret = holder_connect(b->size.holder, where, count);

	return ret < 0 ? ret : b->contender->accept(b->state, there + count);
}

/* Batches that a listener's queue holds, each accepted before the next one connects. */
static int connect_clients(struct bout *b, const struct sockaddr_in *where)
{
	uint64_t there = b->hoarder_fd >= 0;
	uint32_t idle = 0;

	for (uint32_t i = 0; i < b->size.ready; i++) {
		/* Spread among the idle ones, as they are where connections come and go. */
		uint64_t upto = (uint64_t)b->size.idle * (i + 1) / b->size.ready;
		int ret = 0;

		while (ret == 0 && idle < upto) {
			uint32_t more = (uint32_t)upto - idle;

			if (more > BACKLOG)
				more = BACKLOG;
			ret = connect_idle(b, where, there + idle, more);
			idle += more;
		}
		if (ret < 0)
			return ret;
		b->fds[i] = connect_client(where);
		if (b->fds[i] < 0)
			return b->fds[i];
		there++;
		if ((i + 1) % BACKLOG != 0 && i + 1 != b->size.ready)
			continue;
		ret = b->contender->accept(b->state, there + idle);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int bout_open(struct bout *b, const struct contender *contender, const struct bout_size *size)
{
	struct sockaddr_in where;
	int ret;

	*b = (struct bout){ .contender = contender, .size = *size, .hoarder_fd = -1 };
	b->fds = malloc(size->ready * sizeof(*b->fds));
	b->data = malloc(size->size_bytes);
	b->turn_ns = malloc(size->turns_max * sizeof(*b->turn_ns));
	b->whole_ns = malloc(size->turns_max * sizeof(*b->whole_ns));
	if (!b->fds || !b->data || !b->turn_ns || !b->whole_ns || payload_init() < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < size->ready; i++)
		b->fds[i] = -1;
	ret = contender->create(contender, &b->state, &where);
	if (ret == 0 && contender->ledger)
		b->before = *contender->ledger(b->state);
	if (ret == 0)
		ret = connect_hoarder(b, &where);
	return ret < 0 ? ret : connect_clients(b, &where);
}

static int send_requests(struct bout *b)
{
	for (uint32_t i = 0; i < b->size.ready; i++) {
		ssize_t n;

		payload_fill(b->data, b->size.size_bytes, i, b->sequence);
		n = send(b->fds[i], b->data, b->size.size_bytes, MSG_NOSIGNAL);
		if (n != (ssize_t)b->size.size_bytes)
			return n < 0 ? -errno : -EMSGSIZE;
	}
	return 0;
}

/* 0 if there is something to receive, -ETIMEDOUT if it is lost. */
static int wait_for_answer(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	int count = poll(&one, 1, PATIENCE_MS);

	if (count < 0)
		return -errno;
	return count > 0 ? 0 : -ETIMEDOUT;
}

/* Takes one whole answer; an answer that does not come is lost. */
static int take_answer(struct bout *b, uint32_t i)
{
	uint32_t got = 0;
	int ret = 0;

	while (got < b->size.size_bytes && ret == 0) {
		ssize_t n = recv(b->fds[i], b->data + got, b->size.size_bytes - got, 0);

		if (n > 0)
			got += (uint32_t)n;
		else if (n == 0)
			return -ECONNRESET;
		else
			ret = errno == EAGAIN ? wait_for_answer(b->fds[i]) : -errno;
	}
	if (ret < 0)
		return ret;
	if (!payload_equal(b->data, b->size.size_bytes, 0, i, b->sequence))
		b->wrong++;
	return 0;
}

static int take_answers(struct bout *b)
{
	for (uint32_t i = 0; i < b->size.ready; i++) {
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
	ret = b->contender->answer(b->state, (uint64_t)b->size.ready * b->size.size_bytes);
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

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static size_t index_at(size_t count, double percent)
{
	size_t i = (size_t)((double)count * percent / 100.0);

	return i < count ? i : count - 1;
}

static double take_percentile(double *values, size_t count, double percent)
{
	qsort(values, count, sizeof(*values), compare_double);
	return count ? values[index_at(count, percent)] : 0;
}

static uint32_t *part_of(const struct bout *b, enum bout_part part)
{
	return part == BOUT_WHOLE ? b->whole_ns : b->turn_ns;
}

/* Of the turns of one block: one that was interrupted does not count more than another. */
static double block_median(const uint32_t *ns, double *room)
{
	for (size_t i = 0; i < BOUT_BLOCK_TURNS; i++)
		room[i] = ns[i];
	return take_percentile(room, BOUT_BLOCK_TURNS, 50);
}

double bout_ratio(const struct bout *b, const struct bout *of, enum bout_part part, double percent)
{
	size_t blocks = b->turn_count / BOUT_BLOCK_TURNS;
	double *ratios = malloc((blocks + BOUT_BLOCK_TURNS) * sizeof(*ratios)), value = 0;

	for (size_t i = 0; ratios && i < blocks; i++) {
		size_t first = i * BOUT_BLOCK_TURNS;

		ratios[i] = block_median(part_of(b, part) + first, ratios + blocks);
		ratios[i] /= block_median(part_of(of, part) + first, ratios + blocks);
	}
	if (ratios)
		value = take_percentile(ratios, blocks, percent);
	free(ratios);
	return value;
}

double bout_percentile(struct bout *b, enum bout_part part, double percent)
{
	uint32_t *ns = part_of(b, part);

	if (b->turn_count == 0)
		return 0;
	qsort(ns, b->turn_count, sizeof(*ns), compare_ns);
	return (double)ns[index_at(b->turn_count, percent)] / b->size.ready;
}

double bout_requests(const struct bout *b)
{
	return (double)b->turn_count * b->size.ready;
}

int bout_close(struct bout *b)
{
	int ret = 0;

	for (uint32_t i = 0; b->fds && i < b->size.ready; i++) {
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
