/* SPDX-License-Identifier: MIT */
/* The callers of `rr` from their memory to their close; the idle ones greet in between. */
#include "rr.h"

#include "payload.h"
#include "run.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

/* More at once than a listener's backlog holds would be refused or delayed. */
#define CONNECTING_MAX 256u

/* Responses up to here come in bufs; larger ones are received into the caller's memory. */
#define POOLED_MAX    (64u * 1024)
#define RECEIVE_MAX   (256u * 1024)
#define BUF_BYTES_MIN 512u
#define BUFS_MIN      128u
#define BUFS_MAX      8192u

static struct rr *rr_of(struct load *load)
{
	return (void *)load;
}

static void open_some(struct rr *rr);

static void on_connected(const struct soq_event *event)
{
	struct caller *c = event->op->user;
	struct rr *rr = c->rr;

	rr->connecting--;
	if (event->result < 0)
		rr_fail(c, event->result);
	else if (c->idle)
		rr_begin(c);
	open_some(rr);
}

static int open_socket(struct caller *c)
{
	struct rr *rr = c->rr;
	int family = rr->load.endpoint.addr.any.sa_family;
	int on = 1, ret;

	ret = soq_socket_open(rr->load.loop, family, rr->datagrams ? SOCK_DGRAM : SOCK_STREAM, 0,
			      &c->socket);
	if (ret < 0)
		return ret;
	c->dead = false;
	if (!c->idle)
		rr->load.live++;
	if (!rr->datagrams)
		ret = soq_option_set(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (ret < 0)
		return ret;
	c->receive = (struct soq_op){ .done = on_connected, .user = c };
	return soq_connect_async(c->socket, &c->receive, &rr->load.endpoint);
}

static void open_some(struct rr *rr)
{
	while (rr->opened < rr->caller_count && rr->connecting < CONNECTING_MAX &&
	       !rr->load.result.first_error) {
		struct caller *c = &rr->callers[rr->opened++];
		int ret = open_socket(c);

		if (ret == 0)
			rr->connecting++;
		else if (c->dead)
			load_note_failure(&rr->load, ret);
		else
			rr_fail(c, ret);
	}
}

static int connect_all(struct load *load, int64_t timeout_ns)
{
	int64_t until_ns = clock_now_ns() + timeout_ns;
	struct rr *rr = rr_of(load);

	open_some(rr);
	while ((rr->connecting || load->outstanding) && !load->result.first_error) {
		int ret;

		if (run_signal())
			return -EINTR;
		if (clock_now_ns() >= until_ns)
			return -ETIMEDOUT;
		ret = load_turn(load, until_ns);
		if (ret < 0)
			return ret;
	}
	return load->result.first_error;
}

static void start(struct load *load)
{
	struct rr *rr = rr_of(load);

	for (uint32_t i = 0; i < rr->caller_count; i++) {
		if (!rr->callers[i].idle && !rr->callers[i].dead)
			rr_begin(&rr->callers[i]);
	}
}

static void close_all(struct load *load, int64_t timeout_ns)
{
	struct rr *rr = rr_of(load);

	for (uint32_t i = 0; i < rr->caller_count; i++) {
		struct caller *c = &rr->callers[i];

		if (c->dead)
			continue;
		/* Still outstanding: rr_kill() counts them. */
		if (c->head != c->next) {
			rr_kill(c);
			continue;
		}
		c->dead = true;
		soq_close(c->socket);
	}
	load_run_out(load, timeout_ns);
}

/* Dense: bufs of small responses lie close together, and there is one for whoever is ready. */
static int make_pool(struct rr *rr)
{
	uint64_t bytes = (uint64_t)rr->pipeline * rr->size_bytes;
	uint32_t bufs = rr->load.options->connections + rr->load.options->connections / 2;
	struct soq_pool_options pool = { .size = sizeof(pool), .class_count = 1 };

	if (rr->datagrams)
		bytes = rr->size_bytes + 1 + SOQ_POOL_MESSAGE_BYTES; /* one more: too long shows */
	if (bufs < BUFS_MIN)
		bufs = BUFS_MIN;
	if (bufs > BUFS_MAX)
		bufs = BUFS_MAX;
	if (bytes > POOLED_MAX && !rr->datagrams)
		return 0;
	pool.classes[0].buf_size_bytes = bytes < BUF_BYTES_MIN ? BUF_BYTES_MIN : (uint32_t)bytes;
	pool.classes[0].buf_count = bufs;
	return soq_pool_create(rr->load.loop, &pool, &rr->pool);
}

/* Ties the callers and requests to their parts of the blocks. */
static void lay_out(struct rr *rr)
{
	struct request *requests = rr->requests;
	unsigned char *data = rr->data;

	for (uint32_t i = 0; i < rr->caller_count; i++) {
		struct caller *c = &rr->callers[i];

		c->rr = rr;
		c->number = i;
		c->dead = true;
		c->idle = i >= rr->load.options->connections;
		c->last = c->idle ? 1 : UINT64_MAX;
		c->requests = requests;
		requests += rr_request_count(c);
		c->incoming = data;
		data += rr->receive_bytes;
		for (uint32_t j = 0; j < rr_request_count(c); j++) {
			c->requests[j].caller = c;
			c->requests[j].data = data;
			data += rr->size_bytes;
		}
	}
}

static int create(struct load *load)
{
	const struct options *o = load->options;
	uint64_t window = (uint64_t)o->pipeline * o->size_bytes;
	uint64_t requests = (uint64_t)o->pipeline * o->connections + o->idle;
	struct rr *rr = rr_of(load);
	int ret;

	rr->size_bytes = o->size_bytes;
	rr->pipeline = o->pipeline;
	rr->datagrams = o->transport == TRANSPORT_UDP;
	rr->send_flags = rr->datagrams ? 0 : SOQ_LAZY;
	ret = make_pool(rr);
	if (ret < 0)
		return ret;
	/* One more than can come: a receive that is not full has drained the socket. */
	if (!rr->pool)
		rr->receive_bytes = window < RECEIVE_MAX ? (uint32_t)window + 1 : RECEIVE_MAX;
	rr->caller_count = o->connections + o->idle;
	rr->callers = calloc(rr->caller_count, sizeof(*rr->callers));
	rr->requests = calloc(requests, sizeof(*rr->requests));
	rr->data =
		malloc(requests * o->size_bytes + (uint64_t)rr->caller_count * rr->receive_bytes);
	if (!rr->callers || !rr->requests || !rr->data || payload_init() < 0)
		return -ENOMEM;
	lay_out(rr);
	return 0;
}

static void destroy(struct load *load)
{
	struct rr *rr = rr_of(load);

	soq_pool_destroy(rr->pool);
	free(rr->callers);
	free(rr->requests);
	free(rr->data);
}

static const struct role *role(const struct options *options)
{
	return options->transport == TRANSPORT_UDP ? &role_datagram : &role_echo;
}

static uint64_t served(const struct options *options, const struct control_report *difference)
{
	return difference->bytes / options->size_bytes;
}

const struct load_mode mode_rr = {
	.name = "rr",
	.unit = "request",
	.units = "requests",
	.unit_counts = 1,
	.has_latency = true,
	.keeps_open = true,
	.role = role,
	.served = served,
	.size_bytes = sizeof(struct rr),
	.create = create,
	.connect = connect_all,
	.start = start,
	.close = close_all,
	.destroy = destroy,
};
