/* SPDX-License-Identifier: MIT */
/* The load generator's exchange: begin, answer, compare, begin again. */
#include "client.h"

#include "../common/clock.h"
#include "payload.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#define RECEIVE_MAX (256u * 1024)

enum phase { PHASE_WARM_UP, PHASE_WINDOW, PHASE_DRAIN };

/* A request that is on its way, or the place for one. */
struct slot {
	struct soq_op send;
	struct connection *connection;
	unsigned char *data;
	int64_t begun_ns;
	bool sending;
};

struct connection {
	struct client *client;
	struct soq_socket *socket;
	struct soq_op receive; /* also the connect */
	struct slot *slots;
	unsigned char *incoming;
	uint64_t head;   /* sequence of the oldest request without its whole response */
	uint64_t next;   /* sequence of the next request */
	uint32_t offset; /* bytes of the head's response that came */
	uint32_t number;
	bool receiving;
	bool dead;
};

struct client {
	struct soq_loop *loop;
	struct client_options options;
	struct connection *connections;
	struct slot *slots;
	unsigned char *data;
	uint32_t receive_bytes;
	uint32_t live;
	uint32_t connecting;
	enum phase phase;
	uint64_t outstanding;
	uint64_t limit;
	uint64_t budget; /* requests that may still be begun, with a limit */
	int64_t window_from_ns;
	int64_t window_to_ns;
	struct client_result result;
};

static void note_failure(struct client *c, int64_t error)
{
	c->result.failed++;
	if (!c->result.first_error)
		c->result.first_error = (int)error;
}

/* Takes a connection out of the exchange; what was on its way is lost. */
static void kill_connection(struct connection *k)
{
	struct client *c = k->client;
	uint64_t gone = k->next - k->head;

	if (k->dead)
		return;
	k->dead = true;
	c->outstanding -= gone;
	if (gone && k->offset) {
		c->result.cut++;
		gone--;
	}
	c->result.lost += gone;
	soq_abort(k->socket);
	if (--c->live == 0)
		soq_loop_stop(c->loop);
}

static void fail_connection(struct connection *k, int64_t error)
{
	if (k->dead)
		return;
	note_failure(k->client, error);
	kill_connection(k);
}

static bool may_begin(struct client *c)
{
	if (c->phase == PHASE_DRAIN)
		return false;
	if (c->phase == PHASE_WARM_UP || !c->limit)
		return true;
	if (c->budget == 0)
		return false;
	c->budget--;
	return true;
}

/* Begins requests until the pipeline is full, in sequence. */
static void pump(struct connection *k, int64_t now_ns)
{
	struct client *c = k->client;
	uint32_t size = c->options.size_bytes;

	while (!k->dead && k->next - k->head < c->options.pipeline) {
		struct slot *slot = &k->slots[k->next % c->options.pipeline];
		int ret;

		/* The answer came before the send's own event: on_sent() begins it. */
		if (slot->sending || !may_begin(c))
			return;
		payload_fill(slot->data, size, k->number, k->next);
		slot->begun_ns = now_ns;
		slot->sending = true;
		k->next++;
		c->outstanding++;
		ret = soq_send_async(k->socket, &slot->send, slot->data, size, 0);
		if (ret < 0) {
			slot->sending = false;
			fail_connection(k, ret);
		}
	}
}

static void on_sent(const struct soq_event *event)
{
	struct slot *slot = event->op->user;
	struct connection *k = slot->connection;
	struct client *c = k->client;

	slot->sending = false;
	if (k->dead)
		return;
	if (event->result != (int64_t)c->options.size_bytes) {
		fail_connection(k, event->result < 0 ? event->result : -EIO);
		return;
	}
	if (k->next - k->head < c->options.pipeline)
		pump(k, clock_now_ns());
}

/* The whole response to the head has come and was right. */
static void answer(struct connection *k, int64_t now_ns)
{
	struct client *c = k->client;
	int64_t begun_ns = k->slots[k->head % c->options.pipeline].begun_ns;

	if (begun_ns >= c->window_from_ns && begun_ns < c->window_to_ns)
		histogram_record(&c->result.latency, now_ns - begun_ns);
	k->head++;
	k->offset = 0;
	c->outstanding--;
	c->result.answered++;
	if (c->phase == PHASE_WINDOW)
		c->result.requests++;
	if (client_idle(c))
		soq_loop_stop(c->loop);
}

/* A stream with a wrong byte is of no use any more; the request of that byte is not lost. */
static void take_wrong(struct connection *k)
{
	k->client->result.wrong++;
	if (k->head != k->next) {
		k->head++;
		k->offset = 0;
		k->client->outstanding--;
	}
	kill_connection(k);
}

/* Compares what came with what was asked; false if the connection is of no use now. */
static bool consume(struct connection *k, uint32_t count, int64_t now_ns)
{
	struct client *c = k->client;
	uint32_t size = c->options.size_bytes;
	const unsigned char *data = k->incoming;

	while (count) {
		uint32_t take = size - k->offset < count ? size - k->offset : count;

		if (k->head == k->next ||
		    !payload_equal(data, take, k->offset, k->number, k->head)) {
			take_wrong(k);
			return false;
		}
		k->offset += take;
		data += take;
		count -= take;
		if (k->offset == size)
			answer(k, now_ns);
	}
	return true;
}

static void start_receive(struct connection *k)
{
	int ret;

	ret = soq_recv_async(k->socket, &k->receive, k->incoming, k->client->receive_bytes, 0);
	if (ret < 0)
		fail_connection(k, ret);
	else
		k->receiving = true;
}

static void on_received(const struct soq_event *event)
{
	struct connection *k = event->op->user;
	int64_t now_ns;

	k->receiving = false;
	if (k->dead)
		return;
	if (event->result <= 0) {
		fail_connection(k, event->result < 0 ? event->result : -ECONNRESET);
		return;
	}
	now_ns = clock_now_ns();
	if (!consume(k, (uint32_t)event->result, now_ns))
		return;
	pump(k, now_ns);
	if (!k->dead)
		start_receive(k);
}

static void on_connected(const struct soq_event *event)
{
	struct connection *k = event->op->user;
	struct client *c = k->client;

	if (event->result < 0)
		fail_connection(k, event->result);
	if (--c->connecting == 0 || event->result < 0)
		soq_loop_stop(c->loop);
}

static int open_connection(struct connection *k)
{
	struct client *c = k->client;
	int on = 1, ret;

	ret = soq_socket_open(c->loop, c->options.endpoint.addr.any.sa_family, SOCK_STREAM, 0,
			      &k->socket);
	if (ret < 0)
		return ret;
	k->dead = false;
	c->live++;
	ret = soq_option_set(k->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (ret < 0)
		return ret;
	k->receive = (struct soq_op){ .done = on_connected, .user = k };
	ret = soq_connect_async(k->socket, &k->receive, &c->options.endpoint);
	if (ret == 0)
		c->connecting++;
	return ret;
}

int client_connect(struct client *c, int64_t timeout_ns)
{
	int ret;

	for (uint32_t i = 0; i < c->options.connections; i++) {
		ret = open_connection(&c->connections[i]);
		if (ret < 0)
			return ret;
	}
	ret = soq_loop_run(c->loop, SOQ_RUN_STOP, timeout_ns);
	if (c->result.first_error)
		return c->result.first_error;
	if (ret < 0)
		return ret == -ETIME ? -ETIMEDOUT : ret;
	return c->connecting ? -EINTR : 0;
}

void client_start(struct client *c)
{
	int64_t now_ns = clock_now_ns();

	for (uint32_t i = 0; i < c->options.connections; i++) {
		struct connection *k = &c->connections[i];

		k->receive.done = on_received;
		pump(k, now_ns);
		if (!k->dead)
			start_receive(k);
	}
}

void client_begin_window(struct client *c, uint64_t limit)
{
	c->window_from_ns = clock_now_ns();
	c->limit = limit;
	c->budget = limit > c->outstanding ? limit - c->outstanding : 0;
	c->phase = PHASE_WINDOW;
}

void client_end_window(struct client *c)
{
	c->window_to_ns = clock_now_ns();
	c->phase = PHASE_DRAIN;
}

bool client_idle(const struct client *c)
{
	if (c->live == 0)
		return true;
	if (c->phase == PHASE_WINDOW)
		return c->limit && c->result.requests >= c->limit;
	return c->phase == PHASE_DRAIN && c->outstanding == 0;
}

uint64_t client_requests(const struct client *c)
{
	return c->result.requests;
}

void client_close(struct client *c, int64_t timeout_ns)
{
	for (uint32_t i = 0; i < c->options.connections; i++) {
		struct connection *k = &c->connections[i];

		if (k->dead)
			continue;
		/* Still outstanding: kill_connection() counts them. */
		if (k->head != k->next) {
			kill_connection(k);
			continue;
		}
		k->dead = true;
		c->live--;
		soq_close(k->socket);
	}
	/* A stop that nobody consumed would end the first of these at once. */
	for (int i = 0; i < 3 && soq_loop_run(c->loop, SOQ_RUN_IDLE, timeout_ns) >= 0; i++)
		;
}

const struct client_result *client_result(const struct client *c)
{
	return &c->result;
}

/* Ties the connections and slots to their parts of the three blocks. */
static void lay_out(struct client *c)
{
	uint32_t pipeline = c->options.pipeline;
	unsigned char *data = c->data;

	for (uint32_t i = 0; i < c->options.connections; i++) {
		struct connection *k = &c->connections[i];

		k->client = c;
		k->number = i;
		k->dead = true;
		k->slots = &c->slots[(size_t)i * pipeline];
		k->incoming = data;
		data += c->receive_bytes;
		for (uint32_t j = 0; j < pipeline; j++) {
			k->slots[j].send = (struct soq_op){ .done = on_sent, .user = &k->slots[j] };
			k->slots[j].connection = k;
			k->slots[j].data = data;
			data += c->options.size_bytes;
		}
	}
}

int client_create(struct soq_loop *loop, const struct client_options *options, struct client **out)
{
	uint64_t window = (uint64_t)options->pipeline * options->size_bytes;
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->options = *options;
	c->window_from_ns = INT64_MAX;
	c->window_to_ns = INT64_MAX;
	/* One more than can come: a receive that is not full has drained the socket. */
	c->receive_bytes = window < RECEIVE_MAX ? (uint32_t)window + 1 : RECEIVE_MAX;
	c->connections = calloc(options->connections, sizeof(*c->connections));
	c->slots = calloc((size_t)options->connections * options->pipeline, sizeof(*c->slots));
	c->data = malloc((window + c->receive_bytes) * options->connections);
	if (!c->connections || !c->slots || !c->data || payload_init() < 0) {
		client_destroy(c);
		return -ENOMEM;
	}
	lay_out(c);
	*out = c;
	return 0;
}

void client_destroy(struct client *c)
{
	free(c->connections);
	free(c->slots);
	free(c->data);
	free(c);
}
