/* SPDX-License-Identifier: MIT */
/* A batch of datagrams. */
#include "datagrams.h"

#include <errno.h>

void datagrams_init(struct datagrams *d)
{
	for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
		d->parts[i] = (struct iovec){ d->memory[i], DATAGRAM_MAX_BYTES };
		d->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &d->peers[i],
			.msg_namelen = sizeof(d->peers[i]),
			.msg_iov = &d->parts[i],
			.msg_iovlen = 1,
		};
	}
}

int datagrams_receive(struct datagrams *d, int fd, struct control_report *report)
{
	int count;

	/* Only what the last batch used has to be set anew. */
	for (unsigned i = 0; i < d->count; i++) {
		d->parts[i].iov_len = DATAGRAM_MAX_BYTES;
		d->messages[i].msg_hdr.msg_namelen = sizeof(d->peers[i]);
	}
	d->count = 0;
	d->sent = 0;
	count = recvmmsg(fd, d->messages, DATAGRAMS_MAX, MSG_DONTWAIT, NULL);
	report->requests++;
	if (count < 0)
		return -errno;
	report->completions++;
	d->count = (unsigned)count;
	for (unsigned i = 0; i < d->count; i++)
		d->parts[i].iov_len = d->messages[i].msg_len;
	return count;
}

bool datagrams_send(struct datagrams *d, int fd, struct control_report *report)
{
	while (d->sent < d->count) {
		int n = sendmmsg(fd, &d->messages[d->sent], d->count - d->sent, MSG_DONTWAIT);

		report->requests++;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			d->sent++;
			continue;
		}
		report->completions++;
		for (unsigned end = d->sent + (unsigned)n; d->sent < end; d->sent++)
			report->bytes += d->messages[d->sent].msg_len;
	}
	return true;
}
