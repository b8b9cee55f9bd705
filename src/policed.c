/* SPDX-License-Identifier: MIT */
/* What a policy is asked of sockets, and when. */
#include "policed.h"

#include "batch.h"
#include "detached.h"
#include "endpoint.h"
#include "own.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

static void refused(const struct soq_socket *s, uint32_t rule)
{
	if (s->loop == NULL) {
		soqi_detached_refused(s, rule);
		return;
	}
	s->loop->stats.policy_refusals++;
	s->loop->stats.last_refused_rule = rule;
}

/* Whether an IPv6 socket takes IPv4 too. */
static bool is_dual(const struct soq_socket *s)
{
	int only = 0;
	socklen_t size_bytes = sizeof(only);

	return s->family == AF_INET6 &&
	       (getsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size_bytes) != 0 || !only);
}

static int ask(const struct soq_policy *policy, const struct soq_policy *known,
	       const struct soq_socket *s, uint32_t what, const char *name,
	       const struct soq_endpoint *ep, uint32_t *rule_out)
{
	struct soqi_question q = { .what = what,
				   .transport = soqi_policy_transport(s->family, s->type,
								      s->protocol) };
	char room[SOQI_NAME_MAX + 1];

	if (name != NULL &&
	    soqi_name_read(name, strnlen(name, SOQI_NAME_MAX + 2), room, &q.name_length))
		q.name = room;
	soqi_policy_forms(&q, ep, what == SOQ_POLICY_BIND && is_dual(s));
	return soqi_policy_ask(policy, known, &q, rule_out);
}

static int judge(const struct soq_socket *s, uint32_t what, const char *name,
		 const struct soq_endpoint *ep)
{
	uint32_t rule = 0;
	int error = ask(soqi_policy_of(s), NULL, s, what, name, ep, &rule);

	if (error != 0)
		refused(s, rule);
	return error;
}

/*
 * Nowhere in particular is loopback, and was judged so. The kernel would take IPv4's for the
 * address that the socket, or the message, comes from: the copy says what is meant.
 */
static void wildcard_settle(struct soq_endpoint *copy)
{
	struct in6_addr *ipv6 = &copy->addr.ipv6.sin6_addr;
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	const struct in_addr any = { htonl(INADDR_ANY) };

	if (copy->addr.any.sa_family == AF_INET) {
		if (copy->addr.ipv4.sin_addr.s_addr == any.s_addr)
			copy->addr.ipv4.sin_addr = loopback;
	} else if (copy->addr.any.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_UNSPECIFIED(ipv6))
			*ipv6 = in6addr_loopback;
		else if (IN6_IS_ADDR_V4MAPPED(ipv6) &&
			 memcmp(&ipv6->s6_addr[12], &any, sizeof(any)) == 0)
			memcpy(&ipv6->s6_addr[12], &loopback, sizeof(loopback));
	}
}

int soqi_policed_copy(const struct soq_socket *s, uint32_t what, const char *name,
		      const struct soq_endpoint *from, struct soq_endpoint *copy)
{
	int error;

	*copy = *from;
	error = soqi_endpoint_check(s, copy);
	if (error == 0)
		error = judge(s, what, name, copy);
	if (what == SOQ_POLICY_CONNECT)
		wildcard_settle(copy);
	return error;
}

struct soq_endpoint *soqi_policed_keep(struct soq_loop *loop, const struct soq_endpoint *ep)
{
	struct soq_endpoint *copy = soqi_alloc(loop, sizeof(*copy));

	if (copy != NULL)
		*copy = *ep;
	return copy;
}

void soqi_policed_leave(struct soq_loop *loop, const struct soq_endpoint *ep)
{
	soqi_free(loop, (void *)(uintptr_t)ep, sizeof(*ep));
}

int soqi_policed_connect(const struct soq_socket *s, const struct soq_op *op)
{
	const struct soq_connect_list *list = soqi_is_attempt(op) ? op->priv.address : NULL;
	struct soq_endpoint *copy = (void *)(uintptr_t)op->priv.data;
	int error;

	if (copy == NULL)
		return -ENOMEM;
	error = soqi_endpoint_check(s, copy);
	if (error == 0)
		error = judge(s, SOQ_POLICY_CONNECT, list != NULL ? list->name : NULL, copy);
	wildcard_settle(copy);
	return error;
}

static int local_read(int fd, struct soq_endpoint *ep)
{
	socklen_t size_bytes = sizeof(ep->addr);

	memset(ep, 0, sizeof(*ep));
	if (getsockname(fd, &ep->addr.any, &size_bytes) != 0)
		return -errno;
	ep->size_bytes = size_bytes;
	return 0;
}

/*
 * Bound or not: a connect that failed leaves a name behind that is no more, and the kernel
 * would choose again.
 */
int soqi_policed_listen(const struct soq_socket *s)
{
	struct soq_endpoint local;
	int error = local_read(s->fd, &local);

	return error != 0 ? error : judge(s, SOQ_POLICY_BIND, NULL, &local);
}

bool soqi_policed_may_keep(const struct soq_socket *s, const struct soq_endpoint *ep)
{
	uint32_t rule;

	return ask(soqi_policy_of(s), NULL, s, SOQ_POLICY_BIND, NULL, ep, &rule) == 0;
}

static int peer_read(int fd, struct soq_endpoint *ep)
{
	socklen_t size_bytes = sizeof(ep->addr);

	memset(ep, 0, sizeof(*ep));
	if (getpeername(fd, &ep->addr.any, &size_bytes) != 0)
		return -errno;
	ep->size_bytes = size_bytes;
	return 0;
}

bool soqi_policed_arrival(const struct soq_socket *s, int fd)
{
	struct soq_endpoint peer;

	return peer_read(fd, &peer) == 0 && judge(s, SOQ_POLICY_ACCEPT, NULL, &peer) == 0;
}

/* Of a vsock that is on its way somewhere only this shows: a fresh one calls itself writable. */
static bool connects_unseen(const struct soq_socket *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLOUT };

	return s->family == AF_VSOCK && soqi_is_connection(s) && s->phase != SOQI_PHASE_LISTENING &&
	       poll(&fd, 1, 0) == 0;
}

/*
 * The peer, also the one that a connect has not reached yet: that goes on whoever has the
 * socket by then. False: it has none; `*lost`: it has one that nobody can tell.
 */
static bool peer_find(const struct soq_socket *s, struct soq_endpoint *ep, bool *lost)
{
	socklen_t size_bytes = s->family == AF_INET ? sizeof(ep->addr.ipv4) : sizeof(ep->addr.ipv6);

	*lost = false;
	if (peer_read(s->fd, ep) == 0)
		return true;
	memset(ep, 0, sizeof(*ep));
	if ((s->family == AF_INET || s->family == AF_INET6) &&
	    getsockopt(s->fd, SOL_SOCKET, SO_PEERNAME, &ep->addr, &size_bytes) == 0) {
		ep->size_bytes = size_bytes;
		return true;
	}
	/* The kernel has no name for a peer with port 0. */
	*lost = (!soqi_is_connection(s) && s->phase == SOQI_PHASE_CONNECTED) || connects_unseen(s);
	return false;
}

int soqi_policed_state(const struct soq_socket *s, const struct soq_policy *policy,
		       const struct soq_policy *known, uint32_t *rule_out)
{
	struct soqi_question q = { .what = SOQ_POLICY_BIND,
				   .transport = soqi_policy_transport(s->family, s->type,
								      s->protocol) };
	struct soq_endpoint ep;
	bool lost;
	int error;

	/* Who has begun it cannot be seen: what denies either denies it. */
	if (peer_find(s, &ep, &lost)) {
		error = ask(policy, known, s, SOQ_POLICY_CONNECT | SOQ_POLICY_ACCEPT, NULL, &ep,
			    rule_out);
		if (error != 0)
			return error;
		/* Nor whether its address was chosen. */
		q.only_denied = true;
	}
	if (lost && !soqi_policy_within(known, policy))
		return -EACCES;
	if (!soqi_is_bound(s))
		return 0;
	error = local_read(s->fd, &ep);
	if (error != 0)
		return error;
	soqi_policy_forms(&q, &ep, is_dual(s));
	return soqi_policy_ask(policy, known, &q, rule_out);
}

int soqi_policed_come(const struct soq_socket *s, struct soq_loop *loop)
{
	const struct soq_policy *known = s->loop == NULL ? soqi_detached_policy(s) : NULL;
	uint32_t rule = 0;
	int error = soqi_policed_state(s, loop->policy, known, &rule);

	if (error == -EACCES) {
		loop->stats.policy_refusals++;
		loop->stats.last_refused_rule = rule;
	}
	return error;
}

int soqi_policed_header(const struct soq_socket *s, struct msghdr *header,
			struct soq_endpoint *copy, bool counts)
{
	uint32_t rule = 0;
	int error;

	if (header->msg_name == NULL)
		return 0;
	if (header->msg_namelen > sizeof(copy->addr))
		return -EINVAL;
	memset(copy, 0, sizeof(*copy));
	copy->size_bytes = header->msg_namelen;
	memcpy(&copy->addr, header->msg_name, header->msg_namelen);
	error = soqi_endpoint_check(s, copy);
	if (error != 0)
		return error;
	error = ask(soqi_policy_of(s), NULL, s, SOQ_POLICY_SEND_TO, NULL, copy, &rule);
	if (error != 0 && counts)
		refused(s, rule);
	wildcard_settle(copy);
	header->msg_name = &copy->addr;
	return error;
}

int32_t soqi_policed_send(const struct soq_socket *s, struct soq_op *op)
{
	struct soq_endpoint copy;
	struct msghdr header;
	ssize_t sent;
	int error;

	soqi_message_fill(s, op, false);
	header = op->priv.header;
	error = soqi_policed_header(s, &header, &copy, true);
	if (error != 0)
		return error;
	if (s->loop != NULL)
		soqi_own_borrow(header.msg_iov, header.msg_iovlen, false);
	do
		sent = sendmsg(s->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT | soqi_send_route(op));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		sent = -errno;
	if (s->loop != NULL)
		soqi_own_give_back(header.msg_iov, header.msg_iovlen);
	return (int32_t)sent;
}

int soq_socket_set_policy(struct soq_socket *s, struct soq_policy *policy)
{
	struct soq_policy *own;
	struct soq_policy *both = policy;
	uint32_t rule = 0;
	int error;

	if (s == NULL || policy == NULL || !soqi_is_detached(s))
		return -EINVAL;
	soqi_detached_enter(s);
	own = soqi_detached_policy(s);
	error = soqi_detached_alone(s) ? 0 : -EBUSY;
	if (error == 0)
		error = soqi_policed_state(s, policy, own, &rule);
	if (error == -EACCES)
		soqi_detached_refused(s, rule);
	if (error == 0 && own != NULL)
		error = soq_policy_narrow(own, policy, &both);
	else if (error == 0)
		(void)soq_policy_retain(both);
	if (error == 0) {
		soqi_detached_policy_give(s, both);
		soq_policy_release(own);
	}
	soqi_detached_leave(s);
	return error;
}
