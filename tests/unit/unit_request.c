/* SPDX-License-Identifier: MIT */
/* What the kernel is told with a send: the flags that no peer on this machine could see. */
#include "unit.h"

#include "socket.h"

#include <string.h>

/* A stream with these sends in its lane, and the request for as many as go together. */
static struct soqi_request request_for(const uint32_t *flags, unsigned count)
{
	static struct soq_socket s;
	static struct soq_op ops[3];
	static struct iovec room[3];
	struct soqi_request request = { .token = 0 };
	struct soqi_ops ended = { NULL, NULL };

	memset(&s, 0, sizeof(s));
	memset(ops, 0, sizeof(ops));
	s.family = AF_INET;
	s.type = SOCK_STREAM;
	s.lane[SOQI_LANE_SEND].index = SOQI_LANE_SEND;
	for (unsigned i = 0; i < count; i++) {
		ops[i].priv.kind = SOQI_KIND_SEND;
		ops[i].priv.flags = flags[i];
		ops[i].priv.data = "bytes";
		ops[i].priv.length = 5;
		soqi_lane_push(&s.lane[SOQI_LANE_SEND], &ops[i]);
	}
	soqi_lane_take(&s.lane[SOQI_LANE_SEND], 3, 100, &ended);
	soqi_request_fill(&s, &s.lane[SOQI_LANE_SEND], room, 3, &request);
	return request;
}

static void send_by_no_gateway_says_so_and_is_alone(void **state)
{
	const uint32_t first[] = { SOQ_DONT_ROUTE, 0 }, second[] = { 0, SOQ_DONT_ROUTE };
	struct soqi_request request = request_for(first, 2);

	(void)state;
	assert_int_equal(request.message_flags, MSG_NOSIGNAL | MSG_DONTROUTE);
	assert_int_equal(request.segment_count, 1);
	request = request_for(second, 2);
	assert_int_equal(request.message_flags, MSG_NOSIGNAL);
	assert_int_equal(request.segment_count, 1);
}

static void urgent_byte_is_the_last_of_its_request(void **state)
{
	const uint32_t flags[] = { SOQ_URGENT, 0 };
	struct soqi_request request = request_for(flags, 2);

	(void)state;
	assert_int_equal(request.message_flags, MSG_NOSIGNAL);
	assert_int_equal(request.segment_count, 1);
	assert_int_equal(request.segments[0].iov_len, 4);
}

static void plain_sends_go_together(void **state)
{
	const uint32_t flags[] = { 0, SOQ_CORK, 0 };
	struct soqi_request request = request_for(flags, 3);

	(void)state;
	assert_int_equal(request.message_flags, MSG_NOSIGNAL);
	assert_int_equal(request.segment_count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(send_by_no_gateway_says_so_and_is_alone),
		cmocka_unit_test(urgent_byte_is_the_last_of_its_request),
		cmocka_unit_test(plain_sends_go_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
