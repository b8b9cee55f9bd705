/* SPDX-License-Identifier: MIT */
/* Connecting by name: the calls, and the lookup before the attempts. */
#include "connect_name.h"

#include <stdlib.h>
#include <string.h>

/* RFC 8305, section 8: the least it allows. */
#define STAGGER_NS_MIN (10 * (SOQI_NS_PER_S / 1000))

/* The first release's size: a program built against it must go on working. */
#define NAME_SIZE_MIN sizeof(struct soq_connect_name)

/* SOCK_PACKET; above it are flags. */
#define TYPE_MAX 10

static int name_check(const struct soq_connect_name *name, struct soqi_host *host)
{
	int error;

	if (name == NULL || name->size < NAME_SIZE_MIN || name->size > sizeof(*name))
		return -EINVAL;
	if ((name->family != AF_UNSPEC && name->family != AF_INET && name->family != AF_INET6) ||
	    name->type < 0 || name->type > TYPE_MAX || name->port == 0 || name->port > UINT16_MAX ||
	    (name->flags & ~SOQ_CONNECT_IN_ORDER) != 0 ||
	    (name->stagger_ns != 0 && name->stagger_ns < STAGGER_NS_MIN) ||
	    (name->option_count > 0 && name->options == NULL))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(name->reserved) / sizeof(name->reserved[0]); i++)
		if (name->reserved[i] != 0)
			return -EINVAL;
	error = soqi_host_read(name->host, name->host_bytes, host);
	if (error == 0 && !soqi_host_is_name(host) && soqi_is_wildcard(&host->address))
		return -EINVAL;
	return error;
}

/* The answer is there: what it names is tried. */
static void told(struct soqi_lookup *lookup, void *arg)
{
	struct soqi_connecting *c = arg;
	const struct addrinfo *found;

	c->result = soqi_lookup_result(lookup, &found);
	c->lookup = NULL;
	if (c->result == 0 && c->given_up)
		c->result = -ECANCELED;
	if (c->result != 0)
		soqi_connecting_end(c);
	else
		soqi_attempts_begin(c, found);
}

static void give_up(struct soq_op *op, int cause, void *arg)
{
	struct soqi_connecting *c = arg;

	(void)op;
	if (c->lookup == NULL) {
		soqi_attempts_cut(c, cause);
		return;
	}
	/* Otherwise it has its answer, and is told it soon. */
	c->given_up = true;
	if (soqi_lookup_give_up(c->lookup)) {
		c->result = -ECANCELED;
		soqi_connecting_end(c);
	}
}

static struct soqi_connecting *connecting_make(struct soq_loop *loop, struct soq_op *op,
					       const struct soq_connect_name *name)
{
	struct soqi_connecting *c = malloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = (struct soqi_connecting){ .op = op, .loop = loop, .name = name };
	c->timer.user = c;
	(void)soq_op_inner(&c->timer, soqi_attempts_timer);
	return c;
}

static void arrays_clear(const struct soq_connect_name *name)
{
	for (uint32_t i = 0; i < name->endpoint_max; i++) {
		if (name->endpoints != NULL)
			name->endpoints[i] = (struct soq_endpoint){ 0 };
		if (name->errors != NULL)
			name->errors[i] = 0;
	}
}

/* What follows the begin of the op, and can only be told by its event. */
static void connecting_begin(struct soqi_connecting *c, const struct soqi_host *host)
{
	struct soq_endpoint address = host->address;
	const struct addrinfo numeric = { .ai_family = address.addr.any.sa_family,
					  .ai_addr = &address.addr.any };

	arrays_clear(c->name);
	if (!soqi_host_is_name(host)) {
		soqi_attempts_begin(c, &numeric);
		return;
	}
	c->result = soqi_lookup_begin(c->loop, c->lookup);
	if (c->result == 0)
		return;
	soqi_lookup_free(c->lookup);
	soqi_connecting_end(c);
}

int soq_connect_name_async(struct soq_loop *loop, struct soq_op *op,
			   const struct soq_connect_name *name)
{
	struct soqi_connecting *c;
	struct soqi_host host;
	int error;

	if (loop == NULL || op == NULL)
		return -EINVAL;
	error = name_check(name, &host);
	if (error == 0 && name->policy != NULL)
		error = -EINVAL;
	if (error != 0)
		return error;
	c = connecting_make(loop, op, name);
	if (c == NULL)
		return -ENOMEM;
	if (soqi_host_is_name(&host)) {
		memcpy(c->host, host.name, sizeof(c->host));
		c->lookup = soqi_lookup_make(&host, name->family, told, c);
		error = c->lookup != NULL ? 0 : -ENOMEM;
	}
	if (error == 0)
		error = soq_op_begin(loop, op, give_up, c);
	if (error != 0) {
		soqi_lookup_free(c->lookup);
		soqi_connecting_free(c);
		return error;
	}
	connecting_begin(c, &host);
	return 0;
}

static int on_loop(struct soq_loop *loop, const struct soq_connect_name *name, int64_t timeout_ns,
		   struct soq_socket **s_out)
{
	struct soq_op op = { .deadline_ns = soqi_deadline_ns(timeout_ns) };
	struct soq_event event;
	int error;

	error = soq_connect_name_async(loop, &op, name);
	if (error != 0)
		return error;
	soqi_op_await(&op, &event);
	if (event.result == 0)
		*s_out = event.socket;
	return (int)event.result;
}

int soq_connect_name(struct soq_loop *loop, const struct soq_connect_name *name, int64_t timeout_ns,
		     struct soq_socket **s_out)
{
	struct soq_socket *s, *detached;
	struct soq_connect_name own;
	struct soqi_host host;
	int error;

	if (s_out == NULL)
		return -EINVAL;
	if (loop != NULL)
		return on_loop(loop, name, timeout_ns, s_out);
	error = name_check(name, &host);
	if (error == 0)
		error = soqi_own_loop(name->policy, &loop);
	if (error != 0)
		return error;
	own = *name;
	own.policy = NULL;
	error = on_loop(loop, &own, timeout_ns, &s);
	if (error == 0) {
		error = soq_socket_detach(s, &detached);
		if (error == 0)
			*s_out = detached;
	}
	/* Aborts what is left on it. */
	soqi_own_loop_end(loop);
	return error;
}
