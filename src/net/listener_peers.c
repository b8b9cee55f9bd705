/* SPDX-License-Identifier: MIT */
/*
 * Listeners: how many connections each peer has. A peer is an IPv4 address, or a /64 of IPv6:
 * whoever has one address of that has them all. Of other families nobody is counted.
 */
#include "listener.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_FIRST         64u
#define NETWORK_BYTES         8u
#define BUCKETS_MEMORY(count) ((count) * sizeof(struct soqi_peer *))

/* What the peers of one count have in common. */
static bool peer_key(struct soq_socket *s, struct soq_endpoint *key)
{
	struct soq_endpoint ep;

	if (soq_socket_peer(s, &ep) != 0)
		return false;
	if (ep.addr.any.sa_family == AF_INET6 && soq_endpoint_to_ipv4(&ep, &ep) != 0) {
		memset(ep.addr.ipv6.sin6_addr.s6_addr + NETWORK_BYTES, 0,
		       sizeof(ep.addr.ipv6.sin6_addr.s6_addr) - NETWORK_BYTES);
		ep.addr.ipv6.sin6_port = 0;
	} else if (ep.addr.any.sa_family == AF_INET) {
		ep.addr.ipv4.sin_port = 0;
	} else if (ep.addr.any.sa_family != AF_INET6) {
		return false;
	}
	*key = ep;
	return true;
}

static struct soqi_peer **bucket_of(const struct soqi_peers *peers, uint64_t hash)
{
	return &peers->buckets[hash & (peers->bucket_count - 1)];
}

/* A table that cannot grow is a slower one. */
static bool table_grow(struct soq_listener *l)
{
	struct soqi_peers *peers = &l->peers;
	uint32_t old_count = peers->bucket_count;
	uint32_t count = old_count > 0 ? 2 * old_count : BUCKETS_FIRST;
	struct soqi_peer **old = peers->buckets;
	struct soqi_peer **buckets = soqi_listener_alloc(l, BUCKETS_MEMORY(count));

	if (buckets == NULL)
		return old_count > 0;
	if (old_count == 0 &&
	    getrandom(&peers->seed, sizeof(peers->seed), GRND_NONBLOCK) != sizeof(peers->seed))
		peers->seed = (uintptr_t)buckets;
	memset(buckets, 0, BUCKETS_MEMORY(count));
	peers->buckets = buckets;
	peers->bucket_count = count;
	for (uint32_t i = 0; i < old_count; i++)
		while (old[i] != NULL) {
			struct soqi_peer *peer = old[i];
			struct soqi_peer **bucket = bucket_of(peers, peer->hash);

			old[i] = peer->next;
			peer->next = *bucket;
			*bucket = peer;
		}
	if (old != NULL)
		soqi_listener_free(l, old, BUCKETS_MEMORY(old_count));
	return true;
}

static struct soqi_peer *peer_add(struct soq_listener *l, const struct soq_endpoint *key,
				  uint64_t hash)
{
	struct soqi_peer *peer = soqi_listener_alloc(l, sizeof(*peer));
	struct soqi_peer **bucket = bucket_of(&l->peers, hash);

	if (peer == NULL)
		return NULL;
	*peer = (struct soqi_peer){ .next = *bucket, .key = *key, .hash = hash };
	*bucket = peer;
	l->peers.count++;
	return peer;
}

int soqi_peers_enter(struct soq_listener *l, struct soq_socket *s, struct soqi_peer **peer_out)
{
	struct soqi_peers *peers = &l->peers;
	struct soq_endpoint key;
	struct soqi_peer *peer;
	uint64_t hash;

	if (l->peer_connections_max == 0 || !peer_key(s, &key))
		return 0;
	if (peers->count >= peers->bucket_count && !table_grow(l))
		return -ENOMEM;
	hash = soq_endpoint_hash(&key, peers->seed);
	for (peer = *bucket_of(peers, hash); peer != NULL; peer = peer->next)
		if (peer->hash == hash && soq_endpoint_equal(&peer->key, &key) == 1)
			break;
	if (peer == NULL)
		peer = peer_add(l, &key, hash);
	if (peer == NULL)
		return -ENOMEM;
	if (peer->connections >= l->peer_connections_max)
		return -EUSERS;
	peer->connections++;
	*peer_out = peer;
	return 0;
}

void soqi_peers_leave(struct soq_listener *l, struct soqi_peer *peer)
{
	struct soqi_peer **link;

	if (peer == NULL || --peer->connections > 0)
		return;
	for (link = bucket_of(&l->peers, peer->hash); *link != peer; link = &(*link)->next)
		;
	*link = peer->next;
	l->peers.count--;
	soqi_listener_free(l, peer, sizeof(*peer));
}

void soqi_peers_free(struct soq_listener *l)
{
	if (l->peers.buckets != NULL)
		soqi_listener_free(l, l->peers.buckets, BUCKETS_MEMORY(l->peers.bucket_count));
}
