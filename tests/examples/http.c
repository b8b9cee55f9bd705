/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server that says hello: example_http [-n NAME] [-t SECONDS] [ADDRESS:PORT].
 * NAME is what it calls itself. A client has SECONDS for each request, from the answer before
 * it on, for taking an answer, and for leaving. All memory is there at the start.
 */
#include "http_parse.h"
#include "serve.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 1024 /* more wait in the listener's queue */
#define ANSWER_MAX  512
#define ANSWERS_MAX 8192 /* bytes that are sent together */

/* A place for a client. Its op accepts one, receives, closes, and accepts the next. */
struct client {
	struct soq_op op;
	struct soq_op send;
	struct soq_socket *socket;
	struct http_request request; /* that is being received */
	size_t in_bytes;
	int64_t deadline_ns; /* of the request */
	bool receiving, sending;
	bool late; /* the request is */
	bool last; /* no more requests are answered */
	char in[HTTP_REQUEST_MAX];
	char out[ANSWERS_MAX];
};

static struct client clients[CLIENTS_MAX];
static const char *server_name = "soq";
static int64_t patience_ns = INT64_C(30000000000);

static void accept_one(struct client *c);

static int64_t patience_end(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec + patience_ns;
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 417:
		return "Expectation Failed";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Bad Request";
	}
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
			  status, reason_of(status), server_name, date_text, strlen(text),
			  status == 405 ? "Allow: GET, HEAD\r\n" : "",
			  close ? "close" : "keep-alive", head ? "" : text);
	return length < ANSWER_MAX ? (size_t)length : ANSWER_MAX - 1;
}

/* Writes an answer; the usual one is made once a second, when its date changes. */
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

static int status_of(const struct http_request *r, const char *data)
{
	if (r->method == HTTP_OTHER)
		return 405;
	return r->path_bytes == 1 && data[r->path_at] == '/' ? 200 : 404;
}

/* Answers whole requests while there is room. Result: what there is to send. */
static size_t answer_all(struct client *c)
{
	size_t at = 0, out_bytes = 0;

	while (!c->last && out_bytes <= ANSWERS_MAX - ANSWER_MAX) {
		const char *data = c->in + at;
		int length = c->late ? -408 : http_read(&c->request, data, c->in_bytes - at);

		if (length == 0)
			break;
		c->last = length < 0 || c->request.close;
		out_bytes += write_answer(c->out + out_bytes,
					  length < 0 ? -length : status_of(&c->request, data),
					  c->request.method == HTTP_HEAD, c->last);
		at += length > 0 ? (size_t)length : 0;
		c->request = (struct http_request){ 0 };
	}
	c->in_bytes -= at;
	if (at > 0 && c->in_bytes > 0)
		memmove(c->in, c->in + at, c->in_bytes);
	return out_bytes;
}

static void on_closed(const struct soq_event *event)
{
	accept_one(event->op->user); /* the socket's last event: its send has had its own */
}

/* Answers, and receives at once: an answer on its way does not stand against it. */
static void serve_client(struct client *c)
{
	size_t out_bytes = answer_all(c);
	bool full = out_bytes >
		    ANSWERS_MAX - ANSWER_MAX; /* on_sent() goes on, and is not to be late */

	if (out_bytes > 0) {
		c->deadline_ns = c->send.deadline_ns = patience_end();
		c->sending = soq_send_async(c->socket, &c->send, c->out, out_bytes,
					    full ? 0 : SOQ_LAZY) == 0;
		c->last |= !c->sending;
	}
	if (c->last) {
		/* In good order: the answer arrives even if the client goes on to send. */
		c->op.done = on_closed;
		(void)!soq_finish_async(c->socket, &c->op, patience_ns);
	} else if (!full) {
		c->op.deadline_ns = c->deadline_ns;
		c->receiving = soq_recv_async(c->socket, &c->op, c->in + c->in_bytes,
					      sizeof(c->in) - c->in_bytes, 0) == 0;
	}
}

static void on_sent(const struct soq_event *event)
{
	struct client *c = event->op->user;

	c->sending = false;
	if (event->result < 0 || event->flags != 0) { /* flags: only some of it went out */
		c->last = true;
		if (c->receiving)
			(void)soq_cancel(&c->op);
	}
	if (!c->receiving && c->op.done != on_closed)
		serve_client(c);
}

static void on_received(const struct soq_event *event)
{
	struct client *c = event->op->user;

	c->receiving = false;
	if (event->result > 0)
		c->in_bytes += (size_t)event->result;
	else if (event->result == -ETIMEDOUT && c->in_bytes > 0)
		c->late = true;
	else
		c->last = true; /* the end, an error, our cancel, or idle for too long */
	if (!c->sending)
		serve_client(c);
}

static void on_accepted(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->socket == NULL) {
		accept_one(c);
		return;
	}
	c->socket = event->socket;
	c->request = (struct http_request){ 0 };
	c->in_bytes = 0;
	c->late = c->last = false;
	c->deadline_ns = patience_end();
	c->op.done = on_received;
	serve_client(c);
}

static void accept_one(struct client *c)
{
	c->op.done = on_accepted;
	(void)!soq_accept_async(listener, &c->op, 0); /* fails once the server has ended */
}

int main(int argc, char **argv)
{
	int option, on = 1;

	while ((option = getopt(argc, argv, "n:t:")) != -1) {
		if (option == 'n')
			server_name = optarg;
		else if (option == 't')
			patience_ns = (int64_t)(strtod(optarg, NULL) * 1e9);
		if (option == '?' || patience_ns <= 0)
			return 2;
	}
	if (serve_open("http", optind < argc ? argv[optind] : "127.0.0.1:8080", 0, 0) != 0 ||
	    soq_option_set(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		return 1;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		clients[i].op.user = clients[i].send.user = &clients[i];
		clients[i].send.done = on_sent;
		accept_one(&clients[i]);
	}
	return serve();
}
