/* SPDX-License-Identifier: MIT */
/* Looking names up: the calls. */
#include "name.h"

#include <stdlib.h>

/* The first release's size: a program built against it must go on working. */
#define RESOLVE_SIZE_MIN sizeof(struct soq_resolve)

static int resolve_check(const struct soq_resolve *resolve, struct soqi_host *host)
{
	if (resolve == NULL || resolve->size < RESOLVE_SIZE_MIN || resolve->size > sizeof(*resolve))
		return -EINVAL;
	if ((resolve->family != AF_UNSPEC && resolve->family != AF_INET &&
	     resolve->family != AF_INET6) ||
	    resolve->port > UINT16_MAX || (resolve->flags & ~SOQ_RESOLVE_NUMERIC) != 0 ||
	    (resolve->endpoint_max > 0 && resolve->endpoints == NULL) || resolve->reserved0 != 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(resolve->reserved) / sizeof(resolve->reserved[0]); i++)
		if (resolve->reserved[i] != 0)
			return -EINVAL;
	return soqi_host_read(resolve->host, resolve->host_bytes, host);
}

/* One more address, if it is of the family and there is room. Counts it in any case. */
static void address_add(const struct soq_resolve *resolve, const struct sockaddr *addr, int *count)
{
	struct soq_endpoint ep;

	if (!soqi_endpoint_take(addr, resolve->family, (uint16_t)resolve->port, &ep))
		return;
	if ((uint32_t)*count < resolve->endpoint_max)
		resolve->endpoints[*count] = ep;
	(*count)++;
}

static int list_take(const struct soq_resolve *resolve, const struct addrinfo *found)
{
	int count = 0;

	for (; found != NULL; found = found->ai_next)
		address_add(resolve, found->ai_addr, &count);
	return count > 0 ? count : SOQ_NAME_NO_DATA;
}

/* What needs no lookup: the count, or why there is none. */
static int numeric_take(const struct soq_resolve *resolve, const struct soqi_host *host)
{
	int count = 0;

	if (soqi_host_is_name(host))
		return SOQ_NAME_NOT_FOUND;
	address_add(resolve, &host->address.addr.any, &count);
	return count > 0 ? count : SOQ_NAME_NO_DATA;
}

static bool needs_lookup(const struct soq_resolve *resolve, const struct soqi_host *host)
{
	return soqi_host_is_name(host) && (resolve->flags & SOQ_RESOLVE_NUMERIC) == 0;
}

/* A result is on its way: nothing to do. */
static void not_needed(struct soq_op *op, int cause, void *arg)
{
	(void)op;
	(void)cause;
	(void)arg;
}

/* The op of a lookup, and what to make of the answer. */
struct resolving {
	struct soq_op *op;
	const struct soq_resolve *resolve;
	struct soqi_lookup *lookup;
};

static void resolving_end(struct resolving *r, int result)
{
	(void)soq_op_finish(r->op, result, 0, NULL);
	free(r);
}

static void told(struct soqi_lookup *lookup, void *arg)
{
	const struct addrinfo *found;
	struct resolving *r = arg;
	int error = soqi_lookup_result(lookup, &found);

	resolving_end(r, error != 0 ? error : list_take(r->resolve, found));
}

static void give_up(struct soq_op *op, int cause, void *arg)
{
	struct resolving *r = arg;

	(void)op;
	(void)cause;
	/* Otherwise it has its answer, and is told it. */
	if (soqi_lookup_give_up(r->lookup))
		resolving_end(r, -ECANCELED);
}

static int numeric_start(struct soq_loop *loop, struct soq_op *op,
			 const struct soq_resolve *resolve, const struct soqi_host *host)
{
	int error = soq_op_begin(loop, op, not_needed, NULL);

	if (error == 0)
		(void)soq_op_finish(op, numeric_take(resolve, host), 0, NULL);
	return error;
}

int soq_resolve_async(struct soq_loop *loop, struct soq_op *op, const struct soq_resolve *resolve)
{
	struct soqi_host host;
	struct resolving *r;
	int error;

	if (loop == NULL || op == NULL)
		return -EINVAL;
	error = resolve_check(resolve, &host);
	if (error != 0)
		return error;
	if (!needs_lookup(resolve, &host))
		return numeric_start(loop, op, resolve, &host);
	r = malloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = (struct resolving){ .op = op, .resolve = resolve };
	r->lookup = soqi_lookup_make(&host, resolve->family, told, r);
	error = r->lookup != NULL ? soq_op_begin(loop, op, give_up, r) : -ENOMEM;
	if (error != 0) {
		soqi_lookup_free(r->lookup);
		free(r);
		return error;
	}
	error = soqi_lookup_begin(loop, r->lookup);
	if (error != 0) {
		soqi_lookup_free(r->lookup);
		resolving_end(r, error);
	}
	return 0;
}

static int on_loop(struct soq_loop *loop, const struct soq_resolve *resolve, int64_t timeout_ns)
{
	struct soq_op op = { .deadline_ns = soqi_deadline_ns(timeout_ns) };
	struct soq_event event;
	int error;

	error = soq_resolve_async(loop, &op, resolve);
	if (error != 0)
		return error;
	soqi_op_await(&op, &event);
	return (int)event.result;
}

/* On this thread: nothing can end it early. */
static int here(const struct soq_resolve *resolve, const struct soqi_host *host)
{
	struct addrinfo *found;
	int result = soqi_look_up(host->name, resolve->family, &found);

	if (result != 0)
		return result;
	result = list_take(resolve, found);
	freeaddrinfo(found);
	return result;
}

int soq_resolve(struct soq_loop *loop, const struct soq_resolve *resolve, int64_t timeout_ns)
{
	struct soqi_host host;
	int result;

	if (loop != NULL)
		return on_loop(loop, resolve, timeout_ns);
	result = resolve_check(resolve, &host);
	if (result != 0)
		return result;
	if (!needs_lookup(resolve, &host))
		return numeric_take(resolve, &host);
	if (timeout_ns < 0)
		return here(resolve, &host);
	result = soqi_own_loop(NULL, &loop);
	if (result != 0)
		return result;
	result = on_loop(loop, resolve, timeout_ns);
	soqi_own_loop_end(loop);
	return result;
}
