/* SPDX-License-Identifier: MIT */
/* Endpoints beside each other: whether equal, which is first, where in a table. */
#include "endpoint.h"

#include <endian.h>
#include <string.h>

/* What comes first in a key. */
#define RANK_NO_ADDRESS 0
#define RANK_NONE       1
#define RANK_ADDRESS    2

/*
 * All that counts of an endpoint, and nothing else, so that equality, the order
 * and the hash cannot disagree. Numbers are in network order, so that the order
 * of the bytes is theirs.
 */
struct key {
	size_t size_bytes;
	unsigned char bytes[2 + sizeof(((struct soq_endpoint *)0)->addr)];
};

static void put(struct key *key, const void *bytes, size_t size_bytes)
{
	memcpy(key->bytes + key->size_bytes, bytes, size_bytes);
	key->size_bytes += size_bytes;
}

static void put_byte(struct key *key, int byte)
{
	key->bytes[key->size_bytes++] = (unsigned char)byte;
}

static void put_ipv4(struct key *key, const struct sockaddr_in *addr)
{
	put(key, &addr->sin_addr, sizeof(addr->sin_addr));
	put(key, &addr->sin_port, sizeof(addr->sin_port));
}

static void put_ipv6(struct key *key, const struct sockaddr_in6 *addr)
{
	uint32_t scope = htobe32(addr->sin6_scope_id);

	put(key, &addr->sin6_addr, sizeof(addr->sin6_addr));
	put(key, &addr->sin6_port, sizeof(addr->sin6_port));
	put(key, &scope, sizeof(scope));
}

static void put_unix(struct key *key, const struct soq_endpoint *ep)
{
	struct soqi_unix_name name = soqi_endpoint_unix_name(ep);

	put_byte(key, (int)name.form);
	put(key, name.bytes, name.size_bytes);
}

static void put_other(struct key *key, const struct soq_endpoint *ep)
{
	size_t at = sizeof(ep->addr.any.sa_family);

	put(key, (const unsigned char *)&ep->addr + at, ep->size_bytes - at);
}

static void make_key(const struct soq_endpoint *ep, struct key *key)
{
	int family = soqi_endpoint_family(ep);

	key->size_bytes = 0;
	if (family < 0) {
		put_byte(key, ep != NULL && ep->size_bytes == 0 ? RANK_NONE : RANK_NO_ADDRESS);
		return;
	}
	put_byte(key, RANK_ADDRESS);
	put_byte(key, family >> 8);
	put_byte(key, family & 0xff);
	if (family == AF_INET)
		put_ipv4(key, &ep->addr.ipv4);
	else if (family == AF_INET6)
		put_ipv6(key, &ep->addr.ipv6);
	else if (family == AF_UNIX)
		put_unix(key, ep);
	else
		put_other(key, ep);
}

static int compare_keys(const struct key *a, const struct key *b)
{
	size_t common = a->size_bytes < b->size_bytes ? a->size_bytes : b->size_bytes;
	int order = memcmp(a->bytes, b->bytes, common);

	if (order != 0)
		return order < 0 ? -1 : 1;
	return (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

int soq_endpoint_equal(const struct soq_endpoint *a, const struct soq_endpoint *b)
{
	struct key key_a;
	struct key key_b;

	make_key(a, &key_a);
	make_key(b, &key_b);
	return key_a.bytes[0] != RANK_NO_ADDRESS && compare_keys(&key_a, &key_b) == 0;
}

int soq_endpoint_compare(const struct soq_endpoint *a, const struct soq_endpoint *b)
{
	struct key key_a;
	struct key key_b;

	make_key(a, &key_a);
	make_key(b, &key_b);
	return compare_keys(&key_a, &key_b);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/*
 * SipHash-1-3 of Aumasson and Bernstein: a peer that does not know the seed can
 * choose its address as it likes and still not where it ends up. Its key has
 * 128 bits; the second half is made from the seed, so that no word of the state is
 * known outside.
 */
static uint64_t siphash(const unsigned char *bytes, size_t size_bytes, uint64_t seed)
{
	uint64_t second = seed * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t v[4] = {
		seed ^ UINT64_C(0x736f6d6570736575),
		second ^ UINT64_C(0x646f72616e646f6d),
		seed ^ UINT64_C(0x6c7967656e657261),
		second ^ UINT64_C(0x7465646279746573),
	};
	uint64_t left = size_bytes;
	uint64_t word;

	for (; left >= sizeof(word); left -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		word = le64toh(word);
		v[3] ^= word;
		mix(v);
		v[0] ^= word;
	}
	word = (uint64_t)size_bytes << 56;
	for (uint64_t i = 0; i < left; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	mix(v);
	mix(v);
	mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t soq_endpoint_hash(const struct soq_endpoint *ep, uint64_t seed)
{
	struct key key;

	make_key(ep, &key);
	return siphash(key.bytes, key.size_bytes, seed);
}
