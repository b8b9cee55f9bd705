/* SPDX-License-Identifier: MIT */
/*
 * The load of `crr`: slots that connect, exchange one request, close, and begin again. All
 * three ops of a cycle are started at once: what is behind a connect waits for it.
 *
 * Who closes first keeps the connection's two addresses for a minute (TIME_WAIT), and that
 * is the client. So that ports do not run out, each connection to a server on 127/8 comes
 * from the next of 254 addresses of that net, which are this process's own.
 */
#include "load.h"
#include "payload.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#define SOURCES 254u

struct slot {
	struct crr *crr;
	struct soq_socket *socket; /* NULL: aborted */
	struct soq_op connect;
	struct soq_op send;
	struct soq_op receive;
	unsigned char *request;
	unsigned char *response;
	int64_t begun_ns;
	uint64_t sequence;
	uint32_t number;
	unsigned in_flight; /* ops of the cycle that have not ended */
	int64_t received;   /* what the receive ended with */
	int error;          /* of the first op that failed, 0 */
};

struct crr {
	struct load load;
	struct slot *slots;
	unsigned char *data;
	bool binds; /* to a source address of its own */
	struct soq_endpoint source;
	uint32_t first_source;
	uint32_t source_number; /* of the next connection */
};

static struct crr *crr_of(struct load *load)
{
	return (void *)load;
}

static bool is_loopback(const struct soq_endpoint *ep)
{
	return ep->addr.any.sa_family == AF_INET &&
	       ntohl(ep->addr.ipv4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* The first of 127.x.y.1 to 127.x.y.254: x and y are this process's, and x is not 0. */
static uint32_t first_source(void)
{
	uint32_t pid = (uint32_t)getpid();

	return UINT32_C(127) << 24 | (1 + (pid >> 8) % 254) << 16 | (pid & 255) << 8 | 1;
}

static int bind_source(struct crr *crr, struct soq_socket *s)
{
	int on = 1, ret;

	/* Else each bind would take a port of its own, which only connects may share. */
	ret = soq_option_set(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (ret < 0)
		return ret;
	crr->source.addr.ipv4.sin_addr.s_addr = htonl(crr->first_source + crr->source_number);
	crr->source_number = (crr->source_number + 1) % SOURCES;
	return soq_bind(s, &crr->source);
}

static int open_socket(struct slot *slot)
{
	struct crr *crr = slot->crr;
	struct load *load = &crr->load;
	int ret;

	ret = soq_socket_open(load->loop, load->endpoint.addr.any.sa_family, SOCK_STREAM, 0,
			      &slot->socket);
	if (ret < 0)
		return ret;
	if (crr->binds)
		ret = bind_source(crr, slot->socket);
	if (ret < 0)
		soq_close(slot->socket);
	return ret;
}

/* Starts the ops of a cycle; after an error some of them may be in flight. */
static int start_ops(struct slot *slot)
{
	const struct load *load = &slot->crr->load;
	uint32_t size = load->options->size_bytes;
	int ret;

	ret = soq_connect_async(slot->socket, &slot->connect, &load->endpoint);
	if (ret < 0)
		return ret;
	slot->in_flight++;
	ret = soq_send_async(slot->socket, &slot->send, slot->request, size, 0);
	if (ret < 0)
		return ret;
	slot->in_flight++;
	ret = soq_recv_async(slot->socket, &slot->receive, slot->response, size, SOQ_EXACT);
	if (ret < 0)
		return ret;
	slot->in_flight++;
	return 0;
}

static void abort_socket(struct slot *slot)
{
	if (slot->socket)
		soq_abort(slot->socket);
	slot->socket = NULL;
}

/* A slot that cannot open or connect would only fail again. */
static void fail_slot(struct slot *slot)
{
	struct load *load = &slot->crr->load;

	load_note_failure(load, slot->error);
	load->outstanding--;
	load->live--;
}

static void begin_cycle(struct slot *slot)
{
	struct load *load = &slot->crr->load;

	if (!load_may_begin(load))
		return;
	load->outstanding++;
	slot->begun_ns = load_now(load);
	slot->received = 0;
	payload_fill(slot->request, load->options->size_bytes, slot->number, ++slot->sequence);
	slot->error = open_socket(slot);
	if (slot->error < 0) {
		fail_slot(slot);
		return;
	}
	slot->error = start_ops(slot);
	if (slot->error == 0)
		return;
	/* What is in flight ends with -ECANCELED: on_done() comes here again. */
	abort_socket(slot);
	if (!slot->in_flight)
		fail_slot(slot);
}

/* All of a cycle's ops have ended. */
static void end_cycle(struct slot *slot)
{
	struct load *load = &slot->crr->load;
	uint32_t size = load->options->size_bytes;

	if (slot->received > 0 && slot->received < (int64_t)size)
		load->result.cut++;
	if (slot->error < 0) {
		abort_socket(slot);
		fail_slot(slot);
		return;
	}
	soq_close(slot->socket);
	if (slot->received == (int64_t)size &&
	    payload_equal(slot->response, size, 0, slot->number, slot->sequence)) {
		load_ended(load, slot->begun_ns);
	} else {
		load->outstanding--;
		load->result.wrong += slot->received == (int64_t)size;
		load->result.lost += slot->received == 0;
	}
	begin_cycle(slot);
}

static void on_done(const struct soq_event *event)
{
	struct slot *slot = event->op->user;

	if (event->op == &slot->receive)
		slot->received = event->result;
	if (event->result < 0 && !slot->error)
		slot->error = (int)event->result;
	if (--slot->in_flight == 0)
		end_cycle(slot);
}

/* Whether there is a server at all: one connection, opened and closed. */
static int connect_once(struct load *load, int64_t timeout_ns)
{
	struct slot *slot = &crr_of(load)->slots[0];
	int ret = open_socket(slot);

	if (ret < 0)
		return ret;
	soq_socket_set_timeouts(slot->socket, timeout_ns, timeout_ns);
	ret = soq_connect(slot->socket, &load->endpoint);
	soq_close(slot->socket);
	return ret;
}

static void start(struct load *load)
{
	struct crr *crr = crr_of(load);

	load->live = load->options->connections;
	for (uint32_t i = 0; i < load->options->connections; i++)
		begin_cycle(&crr->slots[i]);
}

/* After the drain; what has no answer by now is lost. */
static void close_all(struct load *load, int64_t timeout_ns)
{
	struct crr *crr = crr_of(load);

	for (uint32_t i = 0; i < load->options->connections; i++) {
		if (!crr->slots[i].in_flight)
			continue;
		load->result.lost++;
		crr->slots[i].error = -ETIMEDOUT;
		abort_socket(&crr->slots[i]);
	}
	load_run_out(load, timeout_ns);
}

static int create(struct load *load)
{
	const struct options *o = load->options;
	struct crr *crr = crr_of(load);
	unsigned char *data;
	int ret;

	ret = soq_endpoint_loopback(AF_INET, 0, &crr->source);
	if (ret < 0)
		return ret;
	crr->binds = is_loopback(&load->endpoint);
	crr->first_source = first_source();
	crr->slots = calloc(o->connections, sizeof(*crr->slots));
	crr->data = malloc((size_t)o->connections * 2 * o->size_bytes);
	if (!crr->slots || !crr->data || payload_init() < 0)
		return -ENOMEM;
	data = crr->data;
	for (uint32_t i = 0; i < o->connections; i++, data += 2 * (size_t)o->size_bytes) {
		struct soq_op op = { .done = on_done, .user = &crr->slots[i] };

		crr->slots[i] = (struct slot){ .crr = crr,
					       .connect = op,
					       .send = op,
					       .receive = op,
					       .request = data,
					       .response = data + o->size_bytes,
					       .number = i };
	}
	return 0;
}

static void destroy(struct load *load)
{
	struct crr *crr = crr_of(load);

	free(crr->slots);
	free(crr->data);
}

static const struct role *role(const struct options *options)
{
	(void)options;
	return &role_echo;
}

static uint64_t served(const struct options *options, const struct control_report *difference)
{
	(void)options;
	return difference->accepts;
}

const struct load_mode mode_crr = {
	.name = "crr",
	.unit = "connection",
	.units = "connections",
	.unit_counts = 1,
	.has_latency = true,
	.role = role,
	.served = served,
	.size_bytes = sizeof(struct crr),
	.create = create,
	.connect = connect_once,
	.start = start,
	.close = close_all,
	.destroy = destroy,
};
