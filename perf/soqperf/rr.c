/* SPDX-License-Identifier: MIT */
/* The exchange of `rr`: begin, answer, compare, begin again. */
#include "rr.h"

#include "payload.h"

#include <errno.h>

static bool is_answered(const struct caller *c, uint64_t sequence)
{
	return c->requests[sequence % c->rr->pipeline].answered;
}

void rr_kill(struct caller *c)
{
	struct load *load = &c->rr->load;
	uint64_t gone = 0;

	if (c->dead)
		return;
	c->dead = true;
	for (uint64_t i = c->head; i != c->next; i++)
		gone += !is_answered(c, i);
	load->outstanding -= gone;
	if (gone && c->offset) {
		load->result.cut++;
		gone--;
	}
	load->result.lost += gone;
	soq_abort(c->socket);
	if (!c->idle)
		load->live--;
}

void rr_fail(struct caller *c, int64_t error)
{
	if (c->dead)
		return;
	load_note_failure(&c->rr->load, error);
	rr_kill(c);
}

/* Sends `count` requests that lie one behind the other. */
static void send_run(struct request *first, uint32_t count)
{
	struct caller *c = first->caller;
	struct rr *rr = c->rr;
	int ret;

	first->run = count;
	ret = soq_send_async(c->socket, &first->send, first->data, (size_t)count * rr->size_bytes,
			     rr->send_flags);
	if (ret < 0)
		rr_fail(c, ret);
}

static void begin_request(struct caller *c, struct request *request)
{
	struct rr *rr = c->rr;

	payload_fill(request->data, rr->size_bytes, c->number, c->next);
	request->begun_ns = load_now(&rr->load);
	request->sending = true;
	request->answered = false;
	c->next++;
	rr->load.outstanding++;
}

/* Begins requests until the pipeline is full, in sequence; neighbours share a send. */
static void pump(struct caller *c)
{
	struct rr *rr = c->rr;
	struct request *behind = c->requests + rr_request_count(c);
	struct request *first = NULL;
	uint32_t count = 0;

	while (!c->dead && c->next - c->head < rr->pipeline && c->next != c->last) {
		struct request *request = &c->requests[c->next % rr->pipeline];

		/* The answer came before the send's own event: on_sent() begins it. */
		if (request->sending || !load_may_begin(&rr->load))
			break;
		begin_request(c, request);
		if (count++ == 0)
			first = request;
		if (request + 1 == behind || rr->datagrams) {
			send_run(first, count);
			count = 0;
		}
	}
	if (count)
		send_run(first, count);
}

static void on_sent(const struct soq_event *event)
{
	struct request *first = event->op->user;
	struct caller *c = first->caller;

	for (uint32_t i = 0; i < first->run; i++)
		first[i].sending = false;
	if (c->dead)
		return;
	if (event->result == (int64_t)first->run * c->rr->size_bytes)
		pump(c);
	else
		rr_fail(c, event->result < 0 ? event->result : -EIO);
}

/* The whole response to the head has come and was right. */
static void answer_head(struct caller *c)
{
	load_ended(&c->rr->load, c->requests[c->head % c->rr->pipeline].begun_ns);
	c->head++;
	c->offset = 0;
}

/* What has brought a wrong byte is of no use any more; the request of that byte is not lost. */
static void take_wrong(struct caller *c)
{
	struct load *load = &c->rr->load;

	load->result.wrong++;
	if (c->head != c->next) {
		c->head++;
		c->offset = 0;
		load->outstanding--;
	}
	rr_kill(c);
}

/* Compares what came of a stream with what was asked. */
static void consume(struct caller *c, const unsigned char *data, size_t count)
{
	uint32_t size = c->rr->size_bytes;

	while (count) {
		uint32_t take = size - c->offset < count ? size - c->offset : (uint32_t)count;

		if (c->head == c->next ||
		    !payload_equal(data, take, c->offset, c->number, c->head)) {
			take_wrong(c);
			return;
		}
		c->offset += take;
		data += take;
		count -= take;
		if (c->offset == size)
			answer_head(c);
	}
}

/* A datagram answers the request it equals; one that was lost leaves a gap. */
static void consume_datagram(struct caller *c, const unsigned char *data, size_t count)
{
	uint32_t pipeline = c->rr->pipeline;
	uint64_t i = c->head;

	while (i != c->next && (is_answered(c, i) || count != c->rr->size_bytes ||
				!payload_equal(data, count, 0, c->number, i)))
		i++;
	if (i == c->next) {
		take_wrong(c);
		return;
	}
	load_ended(&c->rr->load, c->requests[i % pipeline].begun_ns);
	c->requests[i % pipeline].answered = true;
	while (c->head != c->next && is_answered(c, c->head))
		c->head++;
}

static void take_bytes(struct caller *c, const unsigned char *data, size_t count)
{
	if (c->rr->datagrams)
		consume_datagram(c, data, count);
	else
		consume(c, data, count);
	pump(c);
}

static void on_buf(const struct soq_event *event)
{
	struct caller *c = event->op->user;

	if (!event->buf) {
		rr_fail(c, event->result < 0 ? event->result : -ECONNRESET);
		return;
	}
	if (!c->dead)
		take_bytes(c, event->buf->data, event->buf->size_bytes);
	(void)soq_buf_return(event->buf);
}

static void on_received(const struct soq_event *event);

static void start_receive(struct caller *c)
{
	struct rr *rr = c->rr;
	int ret;

	if (rr->pool)
		ret = soq_recv_buf_async(c->socket, &c->receive, rr->pool, SOQ_MULTISHOT);
	else
		ret = soq_recv_async(c->socket, &c->receive, c->incoming, rr->receive_bytes, 0);
	if (ret < 0)
		rr_fail(c, ret);
}

static void on_received(const struct soq_event *event)
{
	struct caller *c = event->op->user;

	if (c->dead)
		return;
	if (event->result <= 0) {
		rr_fail(c, event->result < 0 ? event->result : -ECONNRESET);
		return;
	}
	take_bytes(c, c->incoming, (size_t)event->result);
	if (!c->dead)
		start_receive(c);
}

void rr_begin(struct caller *c)
{
	struct rr *rr = c->rr;

	c->receive.done = rr->pool ? on_buf : on_received;
	for (uint32_t i = 0; i < rr_request_count(c); i++)
		c->requests[i].send = (struct soq_op){ .done = on_sent, .user = &c->requests[i] };
	start_receive(c);
	pump(c);
}
