/* SPDX-License-Identifier: MIT */
/* Policies as text: lines into rules, and what is wrong with them. Any bytes may come. */
#include <soq/policy.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULES_FIRST 16
#define WORDS_MAX   6

struct word {
	const char *text;
	size_t length;
	uint32_t column; /* from 1 */
};

struct line {
	struct word words[WORDS_MAX];
	unsigned count;
};

/* Where a rule came from. */
struct origin {
	uint32_t line;
	uint32_t column; /* of its place */
};

struct reader {
	uint32_t line;
	uint32_t column;   /* of what is wrong */
	const char *wrong; /* NULL: nothing */
	enum soq_policy_verdict otherwise;
	struct soq_policy_rule *rules;
	struct origin *origins;
	size_t count;
	size_t max;
	char *places; /* each with its NUL */
	size_t places_used;
};

struct choice {
	const char *name;
	uint32_t bits;
};

static const struct choice whats[] = {
	{ "connect", SOQ_POLICY_CONNECT }, { "accept", SOQ_POLICY_ACCEPT },
	{ "bind", SOQ_POLICY_BIND },       { "send_to", SOQ_POLICY_SEND_TO },
	{ "any", SOQ_POLICY_ALL },         { NULL, 0 },
};

static const struct choice transports[] = {
	{ "tcp", SOQ_POLICY_TCP },
	{ "udp", SOQ_POLICY_UDP },
	{ "raw", SOQ_POLICY_RAW },
	{ "unix", SOQ_POLICY_UNIX },
	{ "vsock", SOQ_POLICY_VSOCK },
	{ "packet", SOQ_POLICY_PACKET },
	{ "other", SOQ_POLICY_OTHER },
	{ "any", SOQ_POLICY_ANY },
	{ NULL, 0 },
};

static const struct choice verdicts[] = {
	{ "allow", SOQ_POLICY_ALLOW },
	{ "deny", SOQ_POLICY_DENY },
	{ NULL, 0 },
};

static int wrong(struct reader *r, uint32_t column, const char *text)
{
	r->column = column;
	r->wrong = text;
	return -EINVAL;
}

/* The bits of a name, or 0. */
static uint32_t bits_of(const struct choice *choices, const char *text, size_t length)
{
	for (; choices->name != NULL; choices++)
		if (strlen(choices->name) == length && memcmp(choices->name, text, length) == 0)
			return choices->bits;
	return 0;
}

/* One or more names with commas between them. */
static int list_read(struct reader *r, const struct word *word, const struct choice *choices,
		     const char *fault, uint32_t *bits_out)
{
	size_t at = 0;

	*bits_out = 0;
	for (;;) {
		const char *comma = memchr(word->text + at, ',', word->length - at);
		size_t length = comma != NULL ? (size_t)(comma - word->text) - at
					      : word->length - at;
		uint32_t bits = bits_of(choices, word->text + at, length);

		if (bits == 0)
			return wrong(r, word->column + (uint32_t)at, fault);
		*bits_out |= bits;
		at += length;
		if (comma == NULL)
			return 0;
		at++;
	}
}

/* A decimal number without leading zeros. */
static bool number_read(const char *text, size_t length, uint32_t *number_out)
{
	uint64_t number = 0;

	if (length == 0 || length > 10 || (length > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*number_out = (uint32_t)number;
	return number <= UINT32_MAX;
}

static int ports_read(struct reader *r, const struct word *word, struct soq_policy_rule *rule)
{
	const char *dash = memchr(word->text, '-', word->length);
	size_t first = dash != NULL ? (size_t)(dash - word->text) : word->length;
	uint32_t limit = rule->transports == SOQ_POLICY_VSOCK ? UINT32_MAX : UINT16_MAX;

	if (word->length == 1 && word->text[0] == '*')
		return 0;
	if (!number_read(word->text, first, &rule->port_first))
		return wrong(r, word->column, "no port");
	rule->port_last = rule->port_first;
	if (dash != NULL && !number_read(dash + 1, word->length - first - 1, &rule->port_last))
		return wrong(r, word->column + (uint32_t)first + 1, "no port");
	if (rule->port_last > limit || rule->port_first > limit)
		return wrong(r, word->column, "a port above 65535");
	if (rule->port_first > rule->port_last)
		return wrong(r, word->column, "the first port is above the last");
	/* Which soq_policy_create() would take for all of them. */
	return rule->port_last == 0 ? wrong(r, word->column, "port 0 alone") : 0;
}

static int room_make(struct reader *r)
{
	size_t max = r->max > 0 ? r->max * 2 : RULES_FIRST;
	struct soq_policy_rule *rules;
	struct origin *origins;

	if (r->count < r->max)
		return 0;
	rules = realloc(r->rules, max * sizeof(*rules));
	if (rules == NULL)
		return -ENOMEM;
	r->rules = rules;
	origins = realloc(r->origins, max * sizeof(*origins));
	if (origins == NULL)
		return -ENOMEM;
	r->origins = origins;
	r->max = max;
	return 0;
}

static int rule_read(struct reader *r, const struct line *line)
{
	const struct word *word = line->words;
	struct soq_policy_rule rule = { 0 };
	int error;

	rule.verdict = bits_of(verdicts, word[0].text, word[0].length);
	if (rule.verdict == 0)
		return wrong(r, word[0].column, "neither allow, deny nor default");
	if (line->count < 4)
		return wrong(r,
			     word[line->count - 1].column + (uint32_t)word[line->count - 1].length,
			     "a rule ends early: what, transport and place");
	if (line->count > 5)
		return wrong(r, word[5].column, "more than a rule");
	error = list_read(r, &word[1], whats, "neither connect, accept, bind, send_to nor any",
			  &rule.what);
	if (error == 0)
		error = list_read(r, &word[2], transports, "no transport", &rule.transports);
	if (error == 0 && line->count == 5)
		error = ports_read(r, &word[4], &rule);
	if (error == 0 && r->count == SOQ_POLICY_RULES_MAX) {
		(void)wrong(r, word[0].column, "too many rules");
		error = -E2BIG;
	}
	if (error == 0)
		error = room_make(r);
	if (error != 0)
		return error;
	rule.place = r->places + r->places_used;
	memcpy(r->places + r->places_used, word[3].text, word[3].length);
	r->places_used += word[3].length;
	r->places[r->places_used++] = '\0';
	r->origins[r->count] = (struct origin){ r->line, word[3].column };
	r->rules[r->count++] = rule;
	return 0;
}

static int default_read(struct reader *r, const struct line *line)
{
	const struct word *word = line->words;
	uint32_t verdict;

	if (r->otherwise != 0)
		return wrong(r, word[0].column, "a second default");
	verdict = line->count == 2 ? bits_of(verdicts, word[1].text, word[1].length) : 0;
	if (verdict == 0)
		return wrong(r, word[0].column, "default is allow or deny");
	r->otherwise = verdict == SOQ_POLICY_ALLOW ? SOQ_POLICY_ALLOW : SOQ_POLICY_DENY;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts a line into words, as far as a comment. */
static int words_find(struct reader *r, const char *text, size_t length, struct line *line)
{
	size_t at = 0;

	line->count = 0;
	for (;;) {
		struct word *word = &line->words[line->count];

		while (at < length && is_blank(text[at]))
			at++;
		if (at == length || text[at] == '#')
			return 0;
		if (line->count == WORDS_MAX)
			return 0;
		word->text = text + at;
		word->column = (uint32_t)at + 1;
		for (; at < length && !is_blank(text[at]); at++)
			if ((unsigned char)text[at] < 0x20 || text[at] == 0x7f)
				return wrong(r, (uint32_t)at + 1, "a control character");
		word->length = (size_t)(text + at - word->text);
		line->count++;
	}
}

static int line_read(struct reader *r, const char *text, size_t length)
{
	struct line line;
	int error;

	if (length > SOQ_POLICY_LINE_MAX)
		return wrong(r, SOQ_POLICY_LINE_MAX + 1, "a line that is too long");
	error = words_find(r, text, length, &line);
	if (error != 0 || line.count == 0)
		return error;
	if (line.words[0].length == 7 && memcmp(line.words[0].text, "default", 7) == 0)
		return default_read(r, &line);
	return rule_read(r, &line);
}

static int lines_read(struct reader *r, const char *text, size_t size_bytes)
{
	size_t at = 0;

	while (at < size_bytes) {
		const char *end = memchr(text + at, '\n', size_bytes - at);
		size_t length = end != NULL ? (size_t)(end - text) - at : size_bytes - at;
		int error;

		r->line++;
		error = line_read(r, text + at, length);
		if (error != 0)
			return error;
		at += length + 1;
	}
	r->line = 0;
	return r->otherwise != 0 ? 0 : wrong(r, 0, "no default");
}

static int make(struct reader *r, struct soq_policy **policy_out)
{
	struct soq_policy_error error = { .size = sizeof(error) };
	int result = soq_policy_create(r->rules, r->count, r->otherwise, &error, policy_out);

	if (result != 0 && error.line > 0 && error.line <= r->count) {
		r->line = r->origins[error.line - 1].line;
		(void)wrong(r, r->origins[error.line - 1].column, error.text);
	}
	return result;
}

static void tell(const struct reader *r, struct soq_policy_error *error_out)
{
	struct soq_policy_error error = { .line = r->line, .column = r->column, .text = r->wrong };

	if (error_out == NULL)
		return;
	error.size = error_out->size;
	memcpy(error_out, &error, error.size);
}

int soq_policy_parse(const char *text, size_t size_bytes, struct soq_policy_error *error_out,
		     struct soq_policy **policy_out)
{
	struct reader r = { 0 };
	int error;

	if ((text == NULL && size_bytes > 0) || policy_out == NULL)
		return -EINVAL;
	if (error_out != NULL && error_out->size != sizeof(*error_out))
		return -EINVAL;
	if (size_bytes > SOQ_POLICY_TEXT_MAX) {
		(void)wrong(&r, 0, "the text is too long");
		tell(&r, error_out);
		return -EFBIG;
	}
	/* Each place has a NUL where the text has at least a blank before it. */
	r.places = malloc(size_bytes + 1);
	if (r.places == NULL)
		return -ENOMEM;
	error = lines_read(&r, text, size_bytes);
	if (error == 0)
		error = make(&r, policy_out);
	if (error != 0 && r.wrong != NULL)
		tell(&r, error_out);
	free(r.places);
	free(r.origins);
	free(r.rules);
	return error;
}

/* All of a file, or what there is room for: one byte more than a text may have. */
static int file_read(int fd, char *text, size_t *size_out)
{
	size_t size_bytes = 0;

	while (size_bytes <= SOQ_POLICY_TEXT_MAX) {
		ssize_t got = read(fd, text + size_bytes, SOQ_POLICY_TEXT_MAX + 1 - size_bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		size_bytes += (size_t)got;
	}
	*size_out = size_bytes;
	return 0;
}

int soq_policy_read(const char *path, struct soq_policy_error *error_out,
		    struct soq_policy **policy_out)
{
	size_t size_bytes = 0;
	char *text;
	int error;
	int fd;

	if (path == NULL || policy_out == NULL)
		return -EINVAL;
	if (error_out != NULL && error_out->size != sizeof(*error_out))
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	text = malloc(SOQ_POLICY_TEXT_MAX + 1);
	error = text != NULL ? file_read(fd, text, &size_bytes) : -ENOMEM;
	(void)close(fd);
	if (error == 0)
		error = soq_policy_parse(text, size_bytes, error_out, policy_out);
	free(text);
	return error;
}
