/* SPDX-License-Identifier: MIT */
/* What an address leads to: the forms that a policy judges. */
#include "endpoint.h"
#include "policy.h"
#include "slot.h"

#include <linux/vm_sockets.h>
#include <string.h>

#define LOOPBACK4 0x7f000001u

/* The third quarter of ::ffff:0:192.0.2.1, and of an ISATAP address, with a bit that is either. */
#define TRANSLATED       0xffff0000u
#define ISATAP           0x00005efeu
#define ISATAP_UNIVERSAL 0x02000000u

uint32_t soqi_policy_transport(int family, int type, int protocol)
{
	switch (family) {
	case AF_UNIX:
		return SOQ_POLICY_UNIX;
	case AF_VSOCK:
		return SOQ_POLICY_VSOCK;
	case AF_PACKET:
		return SOQ_POLICY_PACKET;
	case AF_INET:
	case AF_INET6:
		break;
	default:
		return SOQ_POLICY_OTHER;
	}
	if (type == SOCK_STREAM &&
	    (protocol == 0 || protocol == IPPROTO_TCP || protocol == SOQI_MPTCP))
		return SOQ_POLICY_TCP;
	if (type == SOCK_DGRAM &&
	    (protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE))
		return SOQ_POLICY_UDP;
	if (type == SOCK_RAW ||
	    (type == SOCK_DGRAM && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)))
		return SOQ_POLICY_RAW;
	return type == SOCK_PACKET ? SOQ_POLICY_PACKET : SOQ_POLICY_OTHER;
}

static struct soqi_form *add(struct soqi_question *q, enum soqi_place place, enum soqi_form_use use)
{
	struct soqi_form *form = &q->forms[q->form_count++];

	memset(form, 0, sizeof(*form));
	form->place = (uint8_t)place;
	form->use = (uint8_t)use;
	return form;
}

static void add_ipv4(struct soqi_question *q, uint32_t address, enum soqi_form_use use)
{
	add(q, SOQI_PLACE_IPV4, use)->words.low = address;
}

static void add_ipv6(struct soqi_question *q, uint64_t high, uint64_t low, enum soqi_form_use use)
{
	add(q, SOQI_PLACE_IPV6, use)->words = (struct soqi_words){ high, low };
}

static void ipv4(struct soqi_question *q, uint32_t address)
{
	bool binds = q->what == SOQ_POLICY_BIND;

	add_ipv4(q, address, address != 0 || binds ? SOQI_FORM_WHOLE : SOQI_FORM_DENY);
	if (address != 0)
		return;
	if (binds)
		add_ipv4(q, 0, SOQI_FORM_EVERY);
	else
		add_ipv4(q, LOOPBACK4, SOQI_FORM_WHOLE);
}

static void unspecified6(struct soqi_question *q, bool dual)
{
	bool binds = q->what == SOQ_POLICY_BIND;

	add_ipv6(q, 0, 0, binds ? SOQI_FORM_WHOLE : SOQI_FORM_DENY);
	if (binds) {
		add_ipv6(q, 0, 0, SOQI_FORM_EVERY);
		if (dual)
			ipv4(q, 0);
		return;
	}
	add_ipv6(q, 0, 1, SOQI_FORM_WHOLE);
	/* Where the socket is bound to a mapped address. */
	add_ipv4(q, LOOPBACK4, SOQI_FORM_DENY);
}

/* RFC 6052 has an address behind a prefix of 48, 56, 64 or 96 bits, around the ninth byte. */
static void local_nat64(struct soqi_question *q, const uint8_t b[16])
{
	const uint8_t at[4][4] = { { 6, 7, 9, 10 },
				   { 7, 9, 10, 11 },
				   { 9, 10, 11, 12 },
				   { 12, 13, 14, 15 } };

	for (unsigned i = 0; i < 4; i++) {
		uint32_t address = (uint32_t)b[at[i][0]] << 24 | (uint32_t)b[at[i][1]] << 16 |
				   (uint32_t)b[at[i][2]] << 8 | b[at[i][3]];

		/* Zeros are no address, but where there is none. */
		if (address >> 24 != 0)
			ipv4(q, address);
	}
}

/* Compatible (but for ::1), translated, NAT64's, and ISATAP's in whatever network. */
static bool ends_in_ipv4(uint64_t high, uint64_t low)
{
	uint32_t third = (uint32_t)(low >> 32);

	if ((third | ISATAP_UNIVERSAL) == (ISATAP | ISATAP_UNIVERSAL))
		return true;
	if (high == 0)
		return third == TRANSLATED || (third == 0 && low != 1);
	return high == UINT64_C(0x0064ff9b) << 32 && third == 0;
}

static void ipv6(struct soqi_question *q, const struct in6_addr *address, bool dual)
{
	const uint8_t *b = address->s6_addr;
	uint64_t high = 0;
	uint64_t low = 0;

	for (unsigned i = 0; i < 8; i++) {
		high = high << 8 | b[i];
		low = low << 8 | b[i + 8];
	}
	if (high == 0 && low == 0) {
		unspecified6(q, dual);
		return;
	}
	if (high == 0 && low >> 32 == 0xffff) {
		add_ipv6(q, high, low, SOQI_FORM_DENY);
		ipv4(q, (uint32_t)low);
		return;
	}
	add_ipv6(q, high, low, SOQI_FORM_WHOLE);
	if (ends_in_ipv4(high, low))
		ipv4(q, (uint32_t)low);
	if (high >> 16 == UINT64_C(0x0064ff9b0001)) {
		local_nat64(q, b);
	} else if (high >> 48 == 0x2002) {
		ipv4(q, (uint32_t)(high >> 16));
	} else if (high >> 32 == 0x20010000) {
		ipv4(q, (uint32_t)high);
		ipv4(q, ~(uint32_t)low);
	}
}

bool soqi_path_is_plain(const char *path, size_t length)
{
	if (length == 0 || path[0] != '/')
		return false;
	for (size_t i = 0; i < length; i++) {
		size_t rest = length - i;
		const char *part = path + i + 1;

		if (path[i] != '/' || rest == 1)
			continue;
		if (part[0] == '/' || (part[0] == '.' && (rest == 2 || part[1] == '/')) ||
		    (part[0] == '.' && part[1] == '.' && (rest == 3 || part[2] == '/')))
			return false;
	}
	return true;
}

static void local(struct soqi_question *q, const struct soq_endpoint *ep)
{
	const struct soqi_unix_name name = soqi_endpoint_unix_name(ep);
	struct soqi_form *form;

	if (name.form == SOQI_UNIX_UNNAMED) {
		(void)add(q, SOQI_PLACE_ANY, SOQI_FORM_WHOLE);
		return;
	}
	form = add(q, name.form == SOQI_UNIX_PATH ? SOQI_PLACE_PATH : SOQI_PLACE_ABSTRACT,
		   SOQI_FORM_WHOLE);
	form->length = (uint16_t)name.size_bytes;
	form->text = (const char *)name.bytes;
	if (name.form == SOQI_UNIX_PATH && !soqi_path_is_plain(form->text, form->length))
		form->text = NULL;
}

static void vsock(struct soqi_question *q, const struct soq_endpoint *ep)
{
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)&ep->addr;

	if (ep->size_bytes < sizeof(*vm)) {
		(void)add(q, SOQI_PLACE_ANY, SOQI_FORM_WHOLE);
		return;
	}
	q->port = vm->svm_port;
	q->has_port = true;
	q->chooses_port = q->what == SOQ_POLICY_BIND && vm->svm_port == VMADDR_PORT_ANY;
	add(q, SOQI_PLACE_VSOCK, SOQI_FORM_WHOLE)->words.low = vm->svm_cid;
	if (vm->svm_cid == VMADDR_CID_ANY)
		(void)add(q, SOQI_PLACE_VSOCK, SOQI_FORM_EVERY);
}

void soqi_policy_forms(struct soqi_question *q, const struct soq_endpoint *ep, bool dual)
{
	/* SOCK_PACKET has the name of a device there, under any family. */
	bool has_address = ep != NULL && q->transport != SOQ_POLICY_PACKET;
	int family = has_address ? soqi_endpoint_family(ep) : AF_UNSPEC;

	q->form_count = 0;
	q->port = 0;
	q->has_port = false;
	q->chooses_port = false;
	switch (family) {
	case AF_INET:
		q->port = ntohs(ep->addr.ipv4.sin_port);
		ipv4(q, ntohl(ep->addr.ipv4.sin_addr.s_addr));
		break;
	case AF_INET6:
		q->port = ntohs(ep->addr.ipv6.sin6_port);
		ipv6(q, &ep->addr.ipv6.sin6_addr, dual);
		break;
	case AF_UNIX:
		local(q, ep);
		return;
	case AF_VSOCK:
		vsock(q, ep);
		return;
	default:
		(void)add(q, SOQI_PLACE_ANY, SOQI_FORM_WHOLE);
		return;
	}
	/* What raw sockets have there is a protocol. */
	q->has_port = q->transport != SOQ_POLICY_RAW;
	q->chooses_port = q->has_port && q->port == 0 && q->what == SOQ_POLICY_BIND;
}
