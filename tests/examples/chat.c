/* SPDX-License-Identifier: MIT */
/*
 * A chat on all cores: chat ADDRESS:PORT [MEMBERS]. What one says, line by line, all others
 * hear, on whatever member they are. SIGTERM ends it.
 *
 * A line is told by ops that are posted to the members, and they are its speaker's, one for
 * each: who speaks is listened to again when everybody has been told. So nothing queues up
 * that has no bound, and nothing is allocated for a line.
 */
#include <soq/soq.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX    32    /* who says it */
#define TEXT_MAX    1024  /* what, with its end of line */
#define BEHIND_MAX  65536 /* how far behind one may be before it has to leave */
#define PATIENCE_NS INT64_C(30000000000)

struct client {
	struct soq_op reading, sending, back;
	struct soq_group *group;
	struct soq_stream *stream; /* NULL: it has left */
	struct client *next;
	unsigned member, number;
	bool is_sending, is_dropped, is_over;
	atomic_uint untold; /* members that its line has not reached */
	size_t line_bytes, out_bytes;
	char line[HEAD_MAX + TEXT_MAX];
	char out[2][BEHIND_MAX]; /* one is filled while the other is sent */
	unsigned side;
	struct soq_op notes[]; /* for each member one */
};

/* Who is on a member; its thread's alone. */
static struct room {
	struct client *clients;
	bool closes;
} rooms[SOQ_GROUP_MEMBERS_MAX];

static atomic_uint numbers;

static void end(struct client *c)
{
	struct client **link = &rooms[c->member].clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	free(c);
}

/* One that has to go leaves when its reading ends, or when its line has been told. */
static void drop(struct client *c)
{
	c->is_dropped = true;
	(void)soq_cancel(&c->reading);
}

static void hear_out(struct client *c)
{
	char *out = c->out[c->side];

	if (c->is_sending || c->out_bytes == 0)
		return;
	if (soq_send_async(soq_stream_socket(c->stream), &c->sending, out, c->out_bytes, 0) != 0) {
		drop(c);
		return;
	}
	c->is_sending = true;
	c->side = !c->side;
	c->out_bytes = 0;
}

static void hear(struct client *c, const struct client *speaker)
{
	if (c->stream == NULL || c->is_dropped)
		return;
	if (c->out_bytes + speaker->line_bytes > BEHIND_MAX) {
		drop(c);
		return;
	}
	memcpy(c->out[c->side] + c->out_bytes, speaker->line, speaker->line_bytes);
	c->out_bytes += speaker->line_bytes;
	hear_out(c);
}

static void on_sent(const struct soq_event *event)
{
	struct client *c = event->op->user;

	c->is_sending = false;
	if (c->is_over)
		end(c);
	else if (event->result < 0 || event->flags != 0) /* flags: only some of it went out */
		drop(c);
	else if (c->stream != NULL)
		hear_out(c);
}

/* The last one to tell lets it go on. If its member has ended, main() frees it. */
static void told(struct client *c)
{
	if (atomic_fetch_sub(&c->untold, 1) == 1)
		(void)!soq_group_post(c->group, c->member, &c->back);
}

/* On each member. */
static void on_note(const struct soq_event *event)
{
	struct client *speaker = event->op->user;
	size_t member = (size_t)(event->op - speaker->notes);

	for (struct client *c = rooms[member].clients; c != NULL; c = c->next)
		if (c != speaker)
			hear(c, speaker);
	told(speaker);
}

static void tell(struct client *c)
{
	unsigned count = (unsigned)soq_group_count(c->group);

	atomic_store(&c->untold, count);
	for (unsigned i = 0; i < count; i++)
		if (soq_group_post(c->group, i, &c->notes[i]) != 0) /* that member has ended */
			told(c);
}

static void leave(struct client *c)
{
	(void)soq_stream_close(c->stream); /* and the socket with it */
	c->stream = NULL;
	c->line_bytes = (size_t)sprintf(c->line, "%u has left\n", c->number);
	tell(c);
}

static void on_line(const struct soq_event *event)
{
	struct client *c = event->op->user;

	/* Else it has gone, its line is too long, or it was dropped. */
	if (event->result <= 0 || c->is_dropped) {
		leave(c);
		return;
	}
	c->line_bytes += (size_t)event->result;
	tell(c);
}

static void on_back(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (c->stream == NULL) {
		c->is_over = true; /* and all know it */
		if (!c->is_sending)
			end(c);
		return;
	}
	c->line_bytes = (size_t)sprintf(c->line, "%u: ", c->number);
	if (c->is_dropped || soq_stream_read_until_async(c->stream, &c->reading, "\n", 1,
							 c->line + c->line_bytes, TEXT_MAX) != 0)
		leave(c);
}

static void on_accepted(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	const struct soq_stream_options options = { .size = sizeof(options),
						    .flags = SOQ_STREAM_READ | SOQ_STREAM_OWNS,
						    .read_bytes = TEXT_MAX };
	size_t count = (size_t)soq_group_count(group);
	struct room *room = &rooms[member];
	struct client *c = calloc(1, sizeof(*c) + count * sizeof(c->notes[0]));

	(void)user;
	if (c == NULL || room->closes || soq_stream_open(s, &options, &c->stream) != 0) {
		(void)soq_abort(s);
		free(c);
		return;
	}
	c->group = group;
	c->member = member;
	c->number = atomic_fetch_add(&numbers, 1) + 1;
	c->reading = (struct soq_op){ .done = on_line, .user = c };
	c->sending = (struct soq_op){ .done = on_sent, .user = c };
	c->back = (struct soq_op){ .done = on_back, .user = c };
	for (size_t i = 0; i < count; i++)
		c->notes[i] = (struct soq_op){ .done = on_note, .user = c };
	c->next = room->clients;
	room->clients = c;
	c->line_bytes = (size_t)sprintf(c->line, "%u is here\n", c->number);
	hear(c, c);
	tell(c);
}

static void on_drain(struct soq_group *group, unsigned member, void *user)
{
	(void)group;
	(void)user;
	rooms[member].closes = true;
	for (struct client *c = rooms[member].clients; c != NULL; c = c->next)
		if (c->stream != NULL)
			drop(c);
}

/* The sockets have been closed; streams go before their loop does. */
static void on_stop(struct soq_group *group, unsigned member, void *user)
{
	(void)group;
	(void)user;
	for (struct client *c = rooms[member].clients; c != NULL; c = c->next)
		if (c->stream != NULL)
			(void)soq_stream_close(c->stream);
}

static void say_where(const struct soq_endpoint *ep)
{
	char name[SOQ_ENDPOINT_TEXT_MAX];

	if (soq_endpoint_format(ep, name, sizeof(name)) > 0)
		printf("chat on %s\n", name);
	(void)fflush(stdout);
}

static int serve(struct soq_endpoint *ep, const struct soq_group_options *options,
		 const sigset_t *signals)
{
	struct soq_group_listen_options how = { .size = sizeof(how), .accepted = on_accepted };
	struct soq_group *group;
	int number, error = soq_group_create(options, &group);

	if (error < 0)
		return error;
	error = soq_group_listen(group, ep, &how, ep);
	if (error == 0) {
		say_where(ep);
		sigwait(signals, &number); /* on_accepted() runs on the members' threads */
		soq_group_drain(group, PATIENCE_NS); /* nobody new; those who are here leave */
	}
	soq_group_destroy(group);
	return error;
}

int main(int argc, char **argv)
{
	struct soq_group_options options = { .size = sizeof(options),
					     .drain = on_drain,
					     .stop = on_stop };
	struct client *c, *next;
	struct soq_endpoint ep;
	sigset_t signals;
	int error;

	if (argc < 2 || soq_endpoint_parse(argv[1], &ep) < 0)
		return 2;
	if (argc > 2)
		options.member_count = (uint32_t)strtoul(argv[2], NULL, 10);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	error = serve(&ep, &options, &signals);
	/* Those whose line was not told when their member ended. */
	for (unsigned i = 0; i < SOQ_GROUP_MEMBERS_MAX; i++)
		for (c = rooms[i].clients; c != NULL; c = next) {
			next = c->next;
			free(c);
		}
	return error < 0;
}
