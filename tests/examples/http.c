/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server that says hello: example_http [-n NAME] [-r SECONDS] [-i SECONDS] [ADDRESS].
 * NAME is what it calls itself, -r how long a request or an answer may take, -i how long a
 * connection may be idle. All memory is taken at the start; nobody can make it take more.
 */
#include "http_parse.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <soq/soq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 1024
#define ANSWER_MAX  512   /* bytes of one answer */
#define ANSWERS_MAX 16384 /* of those that are sent together */
#define LINGER_NS   INT64_C(2000000000)

struct client {
	struct soq_op receive; /* also closes */
	struct soq_op send;
	struct soq_socket *socket;
	struct client *next_free;
	char *in, *out;      /* HTTP_HEAD_MAX and ANSWERS_MAX bytes */
	int64_t deadline_ns; /* of the request that is being received */
	size_t in_bytes;
	uint64_t body_left; /* of the request below */
	int status;         /* of a request whose head was read, and that is not answered yet */
	bool head;          /* that one wants no content */
	bool receiving, sending, full;
	bool last;  /* no more requests */
	bool ended; /* no more bytes */
	bool closing;
};

static struct soq_loop *loop;
static struct soq_socket *listener;
static struct soq_op accept_op;
static struct client clients[CLIENTS_MAX], *free_clients;
static char ins[CLIENTS_MAX][HTTP_HEAD_MAX + 64], outs[CLIENTS_MAX][ANSWERS_MAX + 64];
static const char *name = "soq";
static int64_t request_ns = INT64_C(10000000000), idle_ns = INT64_C(60000000000);
static bool stopping;

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static size_t format(char *to, int status, bool head, bool close, time_t date)
{
	const char *text = status == 200 ? "Hello, world!" : reason_of(status);
	char date_text[32];
	struct tm tm;
	int length;

	(void)gmtime_r(&date, &tm);
	(void)strftime(date_text, sizeof(date_text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	length = snprintf(to, ANSWER_MAX,
			  "HTTP/1.1 %d %s\r\nServer: %s\r\nDate: %s\r\n"
			  "Content-Type: text/plain\r\nContent-Length: %zu\r\n%s"
			  "Connection: %s\r\n\r\n%s",
			  status, reason_of(status), name, date_text, strlen(text),
			  status == 405 ? "Allow: GET, HEAD\r\n" : "",
			  close ? "close" : "keep-alive", head ? "" : text);
	return length < ANSWER_MAX ? (size_t)length : ANSWER_MAX - 1;
}

/* Writes an answer; the usual one is made once a second, since its date changes then. */
static size_t write_answer(char *to, int status, bool head, bool close)
{
	static char hello[ANSWER_MAX];
	static size_t hello_bytes;
	static time_t hello_date;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (status != 200 || head || close)
		return format(to, status, head, close, now.tv_sec);
	if (now.tv_sec != hello_date) {
		hello_date = now.tv_sec;
		hello_bytes = format(hello, 200, false, false, hello_date);
	}
	memcpy(to, hello, hello_bytes);
	return hello_bytes;
}

static bool is(const char *text, size_t bytes, const char *what)
{
	return strlen(what) == bytes && memcmp(text, what, bytes) == 0;
}

/* What the client is to be told, once the body is there. */
static int status_of(const struct http_request *r)
{
	if (!is(r->method, r->method_bytes, "GET") && !is(r->method, r->method_bytes, "HEAD"))
		return 405;
	return is(r->path, r->path_bytes, "/") ? 200 : 404;
}

/* Reads a head. Result: its size; 0 if it goes on. */
static size_t read_head(struct client *c, const char *in, size_t in_bytes, size_t *out_bytes)
{
	static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http_request request;
	int head_bytes = http_parse(&request, in, in_bytes);

	if (head_bytes == 0)
		return 0;
	if (head_bytes < 0) {
		c->status = -head_bytes;
		c->head = false;
		c->last = true;
		return in_bytes;
	}
	c->status = status_of(&request);
	c->head = is(request.method, request.method_bytes, "HEAD");
	c->last = request.close || stopping;
	c->body_left = request.body_bytes;
	if (request.expects && in_bytes - (size_t)head_bytes < request.body_bytes) {
		memcpy(c->out + *out_bytes, proceed, sizeof(proceed) - 1);
		*out_bytes += sizeof(proceed) - 1;
	}
	return (size_t)head_bytes;
}

/* Answers what has arrived, as far as there is room. Result: the bytes to be sent. */
static size_t answer_all(struct client *c)
{
	size_t at = 0, out_bytes = 0, step;

	while ((c->full = out_bytes + 2 * ANSWER_MAX > ANSWERS_MAX) == false) {
		if (c->status == 0) {
			step = c->last || at == c->in_bytes
				       ? 0
				       : read_head(c, c->in + at, c->in_bytes - at, &out_bytes);
			at += step;
			if (c->status == 0)
				break;
		}
		step = c->in_bytes - at < c->body_left ? c->in_bytes - at : c->body_left;
		at += step;
		c->body_left -= step;
		if (c->body_left > 0)
			break;
		out_bytes += write_answer(c->out + out_bytes, c->status, c->head, c->last);
		c->status = 0;
		c->deadline_ns = 0;
	}
	c->in_bytes -= at;
	if (c->in_bytes > 0 && at > 0)
		memmove(c->in, c->in + at, c->in_bytes);
	return out_bytes;
}

static void accept_all(void);
static void on_received(const struct soq_event *event);

static void on_closed(const struct soq_event *event)
{
	struct client *c = event->op->user;

	c->next_free = free_clients;
	free_clients = c;
	accept_all();
}

/* In good order: an answer that is on its way arrives, even if the client still sends. */
static void end(struct client *c)
{
	c->closing = true;
	c->receive.done = on_closed;
	c->receive.deadline_ns = 0;
	(void)!soq_finish_async(c->socket, &c->receive, LINGER_NS);
}

static void receive(struct client *c)
{
	bool idle = c->in_bytes == 0 && c->status == 0;

	if (c->deadline_ns == 0)
		c->deadline_ns = now_ns() + (idle ? idle_ns : request_ns);
	c->receive.deadline_ns = c->deadline_ns;
	c->receiving = soq_recv_async(c->socket, &c->receive, c->in + c->in_bytes,
				      HTTP_HEAD_MAX - c->in_bytes, 0) == 0;
	if (!c->receiving)
		end(c);
}

/* Answers, and goes on to receive: an answer that is on its way does not stand against it. */
static void serve(struct client *c)
{
	size_t out_bytes = answer_all(c);

	if (out_bytes > 0) {
		c->send.deadline_ns = now_ns() + request_ns;
		c->sending = soq_send_async(c->socket, &c->send, c->out, out_bytes, SOQ_LAZY) == 0;
		c->last |= !c->sending;
	}
	if (c->full && c->sending)
		return; /* on_sent() goes on */
	if (c->last || c->ended)
		end(c);
	else
		receive(c);
}

static void on_sent(const struct soq_event *event)
{
	struct client *c = event->op->user;
	bool broken = event->result < 0 || event->flags != 0;

	c->sending = false;
	if (c->closing)
		return;
	if (broken) {
		c->last = c->ended = true;
		c->status = 0;
	}
	if (!c->receiving)
		serve(c);
	else if (broken)
		(void)soq_cancel(&c->receive);
}

static void on_received(const struct soq_event *event)
{
	struct client *c = event->op->user;
	bool idle = c->in_bytes == 0 && c->status == 0;

	c->receiving = false;
	if (event->result > 0) {
		c->in_bytes += (size_t)event->result;
		if (idle)
			c->deadline_ns = now_ns() + request_ns;
	} else if (event->result == -ETIMEDOUT && !idle) {
		c->status = 408;
		c->body_left = 0;
		c->last = true;
	} else {
		c->ended =
			true; /* the end of the stream, our cancel, an error, or idle for too long */
	}
	if (!c->sending)
		serve(c);
}

static void on_accepted(const struct soq_event *event)
{
	struct client *c = free_clients;

	if (event->socket != NULL && c == NULL) {
		(void)soq_abort(event->socket); /* has come since the last place was taken */
	} else if (event->socket != NULL) {
		size_t i = (size_t)(c - clients);

		free_clients = c->next_free;
		*c = (struct client){ .socket = event->socket, .in = ins[i], .out = outs[i] };
		c->receive.done = on_received;
		c->send.done = on_sent;
		c->receive.user = c->send.user = c;
		receive(c);
		if (free_clients == NULL)
			(void)soq_cancel(&accept_op);
	}
	if ((event->flags & SOQ_F_MORE) == 0)
		accept_all();
}

/* As long as there is a place; others wait in the listener's queue. */
static void accept_all(void)
{
	if (!stopping && free_clients != NULL)
		(void)!soq_accept_async(listener, &accept_op, SOQ_MULTISHOT); /* -EBUSY: it does */
}

static void stop(int number)
{
	(void)number;
	(void)soq_loop_stop(loop);
}

/* Requests that have begun are answered, idle connections end. */
static int drain(void)
{
	stopping = true;
	if (soq_close(listener) != 0)
		return -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &clients[i];

		if (c->receiving && c->in_bytes == 0 && c->status == 0)
			(void)soq_cancel(&c->receive);
	}
	if (soq_loop_run(loop, SOQ_RUN_IDLE, 2 * request_ns) < 0 && soq_loop_close_all(loop) != 0)
		return -1;
	return soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 ? -1 : soq_loop_destroy(loop);
}

static int open_listener(const char *address)
{
	struct soq_loop_options options = { .size = sizeof(options), .direct_count = CLIENTS_MAX };
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint ep;
	int on = 1;

	if (soq_endpoint_parse(address, &ep) != 0 || soq_loop_create(&options, &loop) != 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener) != 0 ||
	    soq_option_set(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    soq_bind(listener, &ep) != 0 || soq_listen(listener, 0) != 0 ||
	    soq_socket_local(listener, &ep) != 0 ||
	    soq_endpoint_format(&ep, text, sizeof(text)) < 0)
		return -1;
	printf("http on %s\n", text);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct sigaction action = { .sa_handler = stop };
	int option;

	while ((option = getopt(argc, argv, "n:r:i:")) != -1) {
		if (option == 'n')
			name = optarg;
		else if (option == 'r')
			request_ns = (int64_t)(strtod(optarg, NULL) * 1e9);
		else if (option == 'i')
			idle_ns = (int64_t)(strtod(optarg, NULL) * 1e9);
		else
			return 2;
	}
	if (open_listener(optind < argc ? argv[optind] : "127.0.0.1:8080") != 0)
		return 1;
	for (size_t i = CLIENTS_MAX; i-- > 0;) {
		clients[i].next_free = free_clients;
		free_clients = &clients[i];
	}
	accept_op.done = on_accepted;
	accept_all();
	(void)sigaction(SIGTERM, &action, NULL);
	if (soq_loop_run(loop, SOQ_RUN_STOP, -1) < 0 || soq_loop_stats(loop, &stats) != 0)
		return 1;
	printf("allocations: %llu\n", (unsigned long long)stats.allocations);
	return drain() != 0;
}
