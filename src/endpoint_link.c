/* SPDX-License-Identifier: MIT */
/* Endpoints below and beside the internet's: virtual machines, and hardware addresses. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>

#define HARDWARE_MAX sizeof(((struct sockaddr_ll *)0)->sll_addr)

static void take(const void *addr, uint32_t size_bytes, struct soq_endpoint *ep_out)
{
	*ep_out = (struct soq_endpoint){ .size_bytes = size_bytes };
	memcpy(&ep_out->addr, addr, size_bytes);
}

int soq_endpoint_vsock(uint32_t cid, uint32_t port, struct soq_endpoint *ep_out)
{
	const struct sockaddr_vm addr = { .svm_family = AF_VSOCK,
					  .svm_port = port,
					  .svm_cid = cid };

	if (ep_out == NULL)
		return -EINVAL;
	take(&addr, sizeof(addr), ep_out);
	return 0;
}

int soq_endpoint_packet(uint32_t interface, uint16_t protocol, const void *address,
			size_t size_bytes, struct soq_endpoint *ep_out)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(protocol),
				    .sll_ifindex = (int)interface };

	if (ep_out == NULL || (address == NULL && size_bytes > 0))
		return -EINVAL;
	if (size_bytes > HARDWARE_MAX)
		return -ENAMETOOLONG;
	if (interface > INT32_MAX)
		return -ERANGE;
	if (size_bytes > 0)
		memcpy(addr.sll_addr, address, size_bytes);
	addr.sll_halen = (unsigned char)size_bytes;
	take(&addr, sizeof(addr), ep_out);
	return 0;
}

/* The number that a field of a text is; -ERANGE above `max`. `*text` is moved behind its colon. */
static int field(const char **text, uint64_t max, uint64_t *value_out)
{
	const char *end = strchr(*text, ':');

	if (end == NULL || !soqi_text_decimal(*text, (size_t)(end - *text), max, value_out))
		return -EINVAL;
	*text = end + 1;
	return *value_out > max ? -ERANGE : 0;
}

int soqi_vsock_parse(const char *text, struct soq_endpoint *ep)
{
	uint64_t cid, port;
	int error = field(&text, UINT32_MAX, &cid);

	if (error == -EINVAL || !soqi_text_decimal(text, strlen(text), UINT32_MAX, &port))
		return -EINVAL;
	if (error != 0 || port > UINT32_MAX)
		return -ERANGE;
	return soq_endpoint_vsock((uint32_t)cid, (uint32_t)port, ep);
}

/* What soq_endpoint_vsock() makes, and nothing else. */
size_t soqi_vsock_format(const struct soq_endpoint *ep, char *line)
{
	struct soq_endpoint plain;
	struct sockaddr_vm addr;

	if (ep->size_bytes != sizeof(addr))
		return 0;
	memcpy(&addr, &ep->addr, sizeof(addr));
	if (soq_endpoint_vsock(addr.svm_cid, addr.svm_port, &plain) != 0 ||
	    memcmp(&plain.addr, &addr, sizeof(addr)) != 0)
		return 0;
	return (size_t)snprintf(line, SOQ_ENDPOINT_TEXT_MAX, "vsock:%u:%u", addr.svm_cid,
				addr.svm_port);
}

/* Four digits and a colon. */
static bool read_protocol(const char **text, struct sockaddr_ll *addr)
{
	int high = soqi_text_hex(*text);
	int low = high < 0 ? -1 : soqi_text_hex(*text + 2);

	if (low < 0 || (*text)[4] != ':')
		return false;
	addr->sll_protocol = htons((uint16_t)(high << 8 | low));
	*text += 5;
	return true;
}

static int read_hardware(const char *text, struct sockaddr_ll *addr)
{
	size_t count = 0;

	for (; *text != '\0'; text += 2, count++) {
		int byte = soqi_text_hex(text);

		if (byte < 0)
			return -EINVAL;
		if (count < HARDWARE_MAX)
			addr->sll_addr[count] = (unsigned char)byte;
	}
	addr->sll_halen = (unsigned char)(count <= HARDWARE_MAX ? count : 0);
	return count <= HARDWARE_MAX ? 0 : -ENAMETOOLONG;
}

int soqi_packet_parse(const char *text, struct soq_endpoint *ep)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	uint64_t interface, hardware, type;
	int errors[3], error;

	errors[0] = field(&text, INT32_MAX, &interface);
	if (errors[0] == -EINVAL || !read_protocol(&text, &addr))
		return -EINVAL;
	errors[1] = field(&text, UINT16_MAX, &hardware);
	if (errors[1] == -EINVAL)
		return -EINVAL;
	errors[2] = field(&text, UINT8_MAX, &type);
	error = errors[2] == -EINVAL ? -EINVAL : read_hardware(text, &addr);
	if (error == -EINVAL)
		return error;
	if (errors[0] != 0 || errors[1] != 0 || errors[2] != 0)
		return -ERANGE;
	if (error != 0)
		return error;
	addr.sll_ifindex = (int)interface;
	addr.sll_hatype = (uint16_t)hardware;
	addr.sll_pkttype = (unsigned char)type;
	take(&addr, sizeof(addr), ep);
	return 0;
}

static bool is_plain_packet(const struct sockaddr_ll *addr)
{
	if (addr->sll_halen > HARDWARE_MAX || addr->sll_ifindex < 0)
		return false;
	for (size_t i = addr->sll_halen; i < HARDWARE_MAX; i++)
		if (addr->sll_addr[i] != 0)
			return false;
	return true;
}

size_t soqi_packet_format(const struct soq_endpoint *ep, char *line)
{
	struct sockaddr_ll addr;
	size_t length;

	if (ep->size_bytes != sizeof(addr))
		return 0;
	memcpy(&addr, &ep->addr, sizeof(addr));
	if (!is_plain_packet(&addr))
		return 0;
	length = (size_t)snprintf(line, SOQ_ENDPOINT_TEXT_MAX,
				  "packet:%d:%04x:%u:%u:", addr.sll_ifindex,
				  ntohs(addr.sll_protocol), addr.sll_hatype, addr.sll_pkttype);
	for (size_t i = 0; i < addr.sll_halen; i++)
		length += soqi_text_put_hex(addr.sll_addr[i], line + length);
	return length;
}
