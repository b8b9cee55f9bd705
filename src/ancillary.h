/* SPDX-License-Identifier: MIT */
/*
 * What datagrams tell beside their bytes, as the kernel writes it: control messages.
 * Pure: both work on memory alone.
 */
#ifndef SOQI_ANCILLARY_H
#define SOQI_ANCILLARY_H

#include <netinet/udp.h>
#include <soq/message.h>
#include <stdbool.h>

/* Since Linux 4.18 and 5.0; the C library may be older. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* What a program may choose, or name in a send. */
#define SOQI_INFO_ALL                                                                              \
	(SOQ_INFO_SEGMENTS | SOQ_INFO_ECN | SOQ_INFO_PACKET | SOQ_INFO_TIME |                      \
	 SOQ_INFO_CREDENTIALS | SOQ_INFO_TTL | SOQ_INFO_DROPS)

/*
 * Writes what a send of `message` tells into its control room, of the bits in `info`;
 * `family` is the socket's, `mapped` that the datagram leaves an IPv6 socket as IPv4.
 * Returns the bytes written, 0 for nothing to tell.
 */
size_t soqi_ancillary_write(struct soq_message *message, uint32_t info, int family, bool mapped);

/*
 * Reads what a receive told. `control` may be anything, of any alignment; `cut`: the
 * kernel had more to tell. Writes `info` and all that it names: what did not come is
 * "none" or 0.
 */
void soqi_ancillary_read(const void *control, size_t control_bytes, bool cut,
			 struct soq_message *message);

#endif
