/* SPDX-License-Identifier: MIT */
/* What TCP knows of a connection, in soq's units. */
#include "detached.h"

#include <errno.h>
/* The kernel's own: the C library's has not grown with it, and both do not go together. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <soq/option.h>
#include <string.h>

#define NS_PER_US 1000
#define NS_PER_MS 1000000

/* The first release's size: a program built against it must go on working. */
#define SIZE_MIN sizeof(struct soq_tcp_info)

static int64_t us(uint32_t value)
{
	return (int64_t)value * NS_PER_US;
}

static int64_t ms(uint32_t value)
{
	return (int64_t)value * NS_PER_MS;
}

static void translate(const struct tcp_info *from, struct soq_tcp_info *to)
{
	to->state = from->tcpi_state;
	to->rtt_ns = us(from->tcpi_rtt);
	to->rtt_variation_ns = us(from->tcpi_rttvar);
	/* All bits: not measured yet. */
	to->rtt_min_ns = from->tcpi_min_rtt != UINT32_MAX ? us(from->tcpi_min_rtt) : 0;
	to->retransmit_timeout_ns = us(from->tcpi_rto);
	to->since_send_ns = ms(from->tcpi_last_data_sent);
	to->since_receive_ns = ms(from->tcpi_last_data_recv);
	to->sent_bytes = from->tcpi_bytes_sent;
	to->retransmitted_bytes = from->tcpi_bytes_retrans;
	to->acked_bytes = from->tcpi_bytes_acked;
	to->received_bytes = from->tcpi_bytes_received;
	to->not_sent_bytes = from->tcpi_notsent_bytes;
	to->delivery_bytes_per_s = from->tcpi_delivery_rate;
	to->pacing_bytes_per_s = from->tcpi_pacing_rate;
	to->segment_bytes = from->tcpi_snd_mss;
	to->mtu_bytes = from->tcpi_pmtu;
	to->window_segments = from->tcpi_snd_cwnd;
	to->threshold_segments = from->tcpi_snd_ssthresh;
	to->unacked_segments = from->tcpi_unacked;
	to->lost_segments = from->tcpi_lost;
	to->retransmitted_segments = from->tcpi_total_retrans;
	to->retransmit_count = from->tcpi_retransmits;
}

int soq_socket_tcp_info(struct soq_socket *s, struct soq_tcp_info *info)
{
	struct soq_tcp_info now = { .size = 0 };
	struct tcp_info kernel;
	socklen_t size = sizeof(kernel);
	int error;

	if (info == NULL || info->size < SIZE_MIN || info->size > sizeof(*info))
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (!soqi_is_tcp(s))
		return -EOPNOTSUPP;
	/* An older kernel writes less. */
	memset(&kernel, 0, sizeof(kernel));
	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &kernel, &size) != 0)
		return -errno;
	now.size = info->size;
	translate(&kernel, &now);
	memcpy(info, &now, info->size);
	return 0;
}
