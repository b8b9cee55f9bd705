/* SPDX-License-Identifier: MIT */
/* The table of sockets: grown in chunks, so a handle never moves. */
#include "pool.h"

#include <assert.h>
#include <string.h>

static int table_grow(struct soq_loop *loop)
{
	uint32_t max = loop->chunk_max != 0 ? loop->chunk_max * 2 : 16;
	struct soq_socket **chunks = soqi_alloc(loop, max * sizeof(struct soq_socket *));

	if (chunks == NULL)
		return -1;
	if (loop->chunks != NULL)
		memcpy(chunks, loop->chunks, loop->chunk_count * sizeof(struct soq_socket *));
	soqi_free(loop, loop->chunks, loop->chunk_max * sizeof(struct soq_socket *));
	loop->chunks = chunks;
	loop->chunk_max = max;
	return 0;
}

/* A socket never used before, or NULL without memory. */
static struct soq_socket *slot_new(struct soq_loop *loop)
{
	uint32_t chunk = loop->slot_count / SOQI_CHUNK_SOCKETS;
	struct soq_socket *s;

	if (chunk == loop->chunk_count) {
		if (chunk == loop->chunk_max && table_grow(loop) != 0)
			return NULL;
		loop->chunks[chunk] = soqi_alloc(loop,
						 SOQI_CHUNK_SOCKETS * sizeof(struct soq_socket));
		if (loop->chunks[chunk] == NULL)
			return NULL;
		loop->chunk_count++;
	}
	s = &loop->chunks[chunk][loop->slot_count % SOQI_CHUNK_SOCKETS];
	s->slot = loop->slot_count++;
	s->loop = loop;
	return s;
}

void soqi_socket_is(struct soq_socket *s, int fd, int family, int type, int protocol)
{
	s->fd = fd;
	s->family = (unsigned)family & 0x7fu;
	s->type = (uint8_t)type;
	s->protocol = (uint16_t)protocol;
	s->lane[SOQI_LANE_RECV].whole = !soqi_is_stream(s);
	s->lane[SOQI_LANE_SEND].whole = !soqi_is_stream(s);
}

/* Generations go on counting, so a late completion of the last user is told apart. */
void soqi_socket_blank(struct soq_socket *s)
{
	struct soq_socket old = *s;

	s->fd = -1;
	s->linger_op = NULL;
	s->watch = NULL;
	s->path = NULL;
	s->carriers = (struct soqi_carriers){ NULL, NULL };
	s->carried_count = 0;
	memset(s->bytes, 0, sizeof(s->bytes));
	memset(s->messages, 0, sizeof(s->messages));
	s->split = 0;
	s->split_asked = false;
	s->split_proved = false;
	s->from_list = false;
	s->paused = false;
	s->on_its_way = false;
	s->lent_count = 0;
	s->buf_class = 0;
	s->buf_small_count = 0;
	s->user = NULL;
	s->receive_timeout_ns = -1;
	s->send_timeout_ns = -1;
	s->error = 0;
	s->linger_s = -1;
	s->phase = SOQI_PHASE_FRESH;
	s->finish = SOQI_FINISH_NONE;
	s->shut_send = false;
	s->epipe_seen = false;
	s->fin_seen = false;
	s->reset = false;
	s->was_connected = false;
	s->was_shut = false;
	s->nonblocking = false;
	s->zerocopy_off = false;
	s->reuse_chosen = false;
	s->credentials = false;
	s->zerocopy_copied = 0;
	s->zerocopy_holds = 0;
	s->backend_generation = old.backend_generation + 1;
	s->backend_bits = 0;
	memset(s->lane, 0, sizeof(s->lane));
	for (unsigned i = 0; i < 2; i++) {
		s->lane[i].index = i & 1;
		s->lane[i].generation = old.lane[i].generation;
	}
}

struct soq_socket *soqi_slot_alloc(struct soq_loop *loop)
{
	struct soq_socket *s = loop->free_first;

	if (s != NULL) {
		loop->free_first = s->next;
		if (loop->free_first == NULL)
			loop->free_last = NULL;
	} else {
		s = slot_new(loop);
		if (s == NULL)
			return NULL;
	}
	soqi_socket_blank(s);
	s->state = SOQI_SOCKET_OPEN;
	loop->stats.sockets++;
	return s;
}

void soqi_slot_free(struct soq_socket *s)
{
	struct soq_loop *loop = s->loop;

	assert(s->lane[0].queue.first == NULL && s->lane[1].queue.first == NULL);
	assert(!s->lane[0].in_kernel && !s->lane[1].in_kernel);
	assert(!s->lane[0].starved && !s->lane[1].starved);
	assert(s->zerocopy_holds == 0 && !s->lane[1].settled);
	assert(!s->lane[0].starved && !s->lane[1].starved && !s->lane[0].parked);
	assert(s->carriers.first == NULL);
	soqi_receive_unpause(s);
	soqi_lane_clean(loop, &s->lane[0]);
	soqi_lane_clean(loop, &s->lane[1]);
	s->state = SOQI_SOCKET_FREE;
	s->user = NULL;
	loop->stats.sockets--;
#ifdef NDEBUG
	s->next = NULL;
	if (loop->free_last != NULL)
		loop->free_last->next = s;
	else
		loop->free_first = s;
	loop->free_last = s;
#endif
}

void soqi_slot_each(struct soq_loop *loop, void (*visit)(struct soq_socket *s))
{
	for (uint32_t slot = 0; slot < loop->slot_count; slot++) {
		struct soq_socket *s = soqi_slot_find(loop, slot);

		if (s->state != SOQI_SOCKET_FREE)
			visit(s);
	}
}

void soqi_slots_release(struct soq_loop *loop)
{
	for (uint32_t i = 0; i < loop->chunk_count; i++)
		soqi_free(loop, loop->chunks[i], SOQI_CHUNK_SOCKETS * sizeof(struct soq_socket));
	soqi_free(loop, loop->chunks, loop->chunk_max * sizeof(struct soq_socket *));
	loop->chunks = NULL;
	loop->chunk_count = 0;
}
