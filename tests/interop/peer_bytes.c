/* SPDX-License-Identifier: MIT */
/* The verbs of interop_peer that move bytes and messages. */
#define _GNU_SOURCE
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 64

static int is_async(const struct command *c)
{
	return c->peer->way == WAY_ASYNC;
}

static void *room_for(size_t size_bytes)
{
	void *memory = malloc(size_bytes + 1);

	if (memory == NULL)
		give_up("no memory", "a receive");
	return memory;
}

/* With `to`: soq_send_to(). */
static void do_send(struct command *c)
{
	struct soq_endpoint to = endpoint(c, "to");
	struct soq_socket *s = socket_of(c);
	const char *text = word(c, "data");
	struct soq_event event;
	unsigned char *data;
	struct soq_op op;
	size_t size;
	int64_t result;

	prepare(&op);
	data = bytes(text != NULL ? text : "", &size);
	if (is_async(c) && to.size_bytes != 0)
		result = outcome(&op, soq_send_to_async(s, &op, data, size, flags_of(c), &to),
				 &event);
	else if (is_async(c))
		result = outcome(&op, soq_send_async(s, &op, data, size, flags_of(c)), &event);
	else if (to.size_bytes != 0)
		result = soq_send_to(s, data, size, flags_of(c), &to);
	else
		result = soq_send(s, data, size, flags_of(c));
	free(data);
	answer(result);
}

static void do_recv(struct command *c)
{
	size_t size = (size_t)number(c, "size", 65536);
	struct soq_socket *s = socket_of(c);
	void *buffer = room_for(size);
	struct soq_event event = { 0 };
	struct soq_op op;
	int64_t result;

	prepare(&op);
	if (is_async(c))
		result = outcome(&op, soq_recv_async(s, &op, buffer, size, flags_of(c)), &event);
	else
		result = soq_recv(s, buffer, size, flags_of(c));
	answer(result);
	if (result >= 0)
		answer_bytes("data", buffer, (size_t)result);
	free(buffer);
}

static void do_recv_from(struct command *c)
{
	size_t size = (size_t)number(c, "size", 65536);
	struct soq_socket *s = socket_of(c);
	void *buffer = room_for(size);
	struct soq_endpoint from = { 0 };
	struct soq_event event = { 0 };
	struct soq_op op;
	int64_t result;

	prepare(&op);
	if (is_async(c))
		result = outcome(&op, soq_recv_from_async(s, &op, buffer, size, flags_of(c), &from),
				 &event);
	else
		result = soq_recv_from(s, buffer, size, flags_of(c), &from);
	answer(result);
	if (result >= 0) {
		answer_bytes("data", buffer, (size_t)result);
		answer_endpoint("from", &from);
	}
	free(buffer);
}

/* Reads the numbers of a word, with commas between them. */
static unsigned numbers(struct command *c, const char *key, int *out, unsigned max)
{
	const char *text = word(c, key);
	unsigned count = 0;
	char *end;

	while (text != NULL && *text != 0) {
		if (count == max)
			give_up("too many", key);
		out[count++] = (int)strtol(text, &end, 10);
		text = end + (*end == ',');
	}
	return count;
}

/* What the command says of a message; which words are there chooses the info. */
static void describe(struct command *c, struct soq_message *m)
{
	m->peer = endpoint(c, "to");
	m->local = endpoint(c, "source");
	m->interface = (uint32_t)number(c, "interface", 0);
	m->segment_size_bytes = (uint16_t)number(c, "segment", 0);
	m->ecn = (uint8_t)number(c, "ecn", 0);
	m->dscp = (uint8_t)number(c, "dscp", 0);
	m->ttl = (uint8_t)number(c, "ttl", 0);
	if (m->local.size_bytes != 0 || m->interface != 0)
		m->info |= SOQ_INFO_PACKET;
	if (m->segment_size_bytes != 0)
		m->info |= SOQ_INFO_SEGMENTS;
	if (word(c, "ecn") != NULL || word(c, "dscp") != NULL)
		m->info |= SOQ_INFO_ECN;
	if (m->ttl != 0)
		m->info |= SOQ_INFO_TTL;
}

static void do_send_msg(struct command *c)
{
	int descriptors[SOQ_MESSAGE_DESCRIPTORS_MAX + 1];
	struct soq_message m = { .size = sizeof(m) };
	const char *text = word(c, "data");
	struct soq_event event;
	struct iovec whole;
	struct soq_op op;
	int64_t result;

	prepare(&op);
	describe(c, &m);
	whole.iov_base = bytes(text != NULL ? text : "", &whole.iov_len);
	m.segments = &whole;
	m.segment_count = 1;
	m.descriptor_count = numbers(c, "descriptors", descriptors,
				     SOQ_MESSAGE_DESCRIPTORS_MAX + 1);
	m.descriptors = m.descriptor_count != 0 ? descriptors : NULL;
	if (is_async(c))
		result = outcome(&op, soq_send_msg_async(socket_of(c), &op, &m, flags_of(c)),
				 &event);
	else
		result = soq_send_msg(socket_of(c), &m, flags_of(c));
	free(whole.iov_base);
	answer(result);
}

/* Everything that a receive says of a message. */
static void tell(const struct soq_message *m, const void *data, size_t size_bytes)
{
	answer_bytes("data", data, size_bytes);
	answer_endpoint("from", &m->peer);
	answer_number("truncated", (m->flags & SOQ_F_TRUNCATED) != 0);
	answer_number("refused", (m->flags & SOQ_F_REFUSED) != 0);
	answer_number("segment", m->info & SOQ_INFO_SEGMENTS ? m->segment_size_bytes : 0);
	if (m->info & SOQ_INFO_PACKET) {
		answer_endpoint("to", &m->local);
		answer_number("interface", m->interface);
	}
	if (m->info & SOQ_INFO_ECN) {
		answer_number("ecn", m->ecn);
		answer_number("dscp", m->dscp);
	}
	if (m->info & SOQ_INFO_TTL)
		answer_number("ttl", m->ttl);
	if (m->info & SOQ_INFO_TIME)
		answer_number("time", m->time_ns);
	if (m->info & SOQ_INFO_CREDENTIALS) {
		answer_number("pid", m->pid);
		answer_number("uid", m->uid);
		answer_number("gid", m->gid);
	}
	if (m->descriptor_count != 0)
		printf(" descriptors=%d", m->descriptors[0]);
	for (unsigned i = 1; i < m->descriptor_count; i++)
		printf(",%d", m->descriptors[i]);
}

/* With `room`: takes so many descriptors. */
static void do_recv_msg(struct command *c)
{
	size_t size = (size_t)number(c, "size", 65536);
	uint32_t room = (uint32_t)number(c, "room", 0);
	int descriptors[SOQ_MESSAGE_DESCRIPTORS_MAX];
	struct iovec whole = { .iov_base = room_for(size), .iov_len = size };
	struct soq_message m = {
		.size = sizeof(m),
		.segments = &whole,
		.segment_count = 1,
		.descriptors = room != 0 ? descriptors : NULL,
		.descriptor_max = room,
	};
	struct soq_event event = { 0 };
	struct soq_op op;
	int64_t result;

	prepare(&op);
	if (is_async(c)) {
		result = outcome(&op, soq_recv_msg_async(socket_of(c), &op, &m, flags_of(c)),
				 &event);
		/* The event has to say what the message says. */
		if (result >= 0 && event.flags != m.flags)
			give_up("the event has other flags", c->verb);
	} else {
		result = soq_recv_msg(socket_of(c), &m, flags_of(c));
	}
	answer(result);
	if (result >= 0)
		tell(&m, whole.iov_base, (size_t)result);
	free(whole.iov_base);
}

static void do_set_message_info(struct command *c)
{
	static const struct name table[] = {
		{ "segments", SOQ_INFO_SEGMENTS },
		{ "ecn", SOQ_INFO_ECN },
		{ "packet", SOQ_INFO_PACKET },
		{ "time", SOQ_INFO_TIME },
		{ "ttl", SOQ_INFO_TTL },
		{ "credentials", SOQ_INFO_CREDENTIALS },
		{ NULL, 0 },
	};

	answer(soq_socket_set_message_info(socket_of(c), names(c, "info", table)));
}

/* `count` datagrams, cut from `data` as evenly as it goes, the last the longest. */
static void do_send_batch(struct command *c)
{
	static struct soq_message messages[BATCH_MAX];
	struct iovec pieces[BATCH_MAX];
	unsigned count = (unsigned)number(c, "count", 1);
	const char *text = word(c, "data");
	struct soq_event event;
	unsigned char *data;
	struct soq_op op;
	size_t size;
	int64_t result;

	if (count == 0 || count > BATCH_MAX)
		give_up("no batch of this size", c->verb);
	prepare(&op);
	data = bytes(text != NULL ? text : "", &size);
	for (unsigned i = 0; i < count; i++) {
		pieces[i].iov_base = data + size / count * i;
		pieces[i].iov_len = size / count + (i + 1 == count ? size % count : 0);
		messages[i] = (struct soq_message){ .size = sizeof(messages[i]),
						    .segments = &pieces[i],
						    .segment_count = 1 };
		describe(c, &messages[i]);
	}
	if (is_async(c))
		result = outcome(&op, soq_send_batch_async(socket_of(c), &op, messages, count, 0),
				 &event);
	else
		result = soq_send_batch(socket_of(c), messages, count, 0);
	free(data);
	answer(result);
}

/* Answers with the messages' bytes, a comma behind each. */
static void do_recv_batch(struct command *c)
{
	static struct soq_message messages[BATCH_MAX];
	static struct iovec pieces[BATCH_MAX];
	unsigned count = (unsigned)number(c, "count", 1);
	size_t size = (size_t)number(c, "size", 2048);
	struct soq_event event;
	unsigned char *memory;
	struct soq_op op;
	int64_t result;

	if (count == 0 || count > BATCH_MAX)
		give_up("no batch of this size", c->verb);
	prepare(&op);
	memory = room_for(count * size);
	for (unsigned i = 0; i < count; i++) {
		pieces[i] = (struct iovec){ .iov_base = memory + i * size, .iov_len = size };
		messages[i] = (struct soq_message){ .size = sizeof(messages[i]),
						    .segments = &pieces[i],
						    .segment_count = 1 };
	}
	if (is_async(c))
		result = outcome(&op, soq_recv_batch_async(socket_of(c), &op, messages, count, 0),
				 &event);
	else
		result = soq_recv_batch(socket_of(c), messages, count, 0);
	answer(result);
	printf(" data=");
	for (int64_t i = 0; i < result; i++) {
		const unsigned char *in = pieces[i].iov_base;

		for (uint64_t k = 0; k < messages[i].length_bytes; k++)
			printf("%02x", in[k]);
		printf(",");
	}
	free(memory);
}

const struct verb byte_verbs[] = {
	{ "send", do_send },
	{ "recv", do_recv },
	{ "recv_from", do_recv_from },
	{ "send_msg", do_send_msg },
	{ "recv_msg", do_recv_msg },
	{ "set_message_info", do_set_message_info },
	{ "send_batch", do_send_batch },
	{ "recv_batch", do_recv_batch },
	{ NULL, NULL },
};
