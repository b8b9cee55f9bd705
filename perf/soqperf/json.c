/* SPDX-License-Identifier: MIT */
/* The JSON writer: one member per line, indented by its depth. */
#include "json.h"

#include <inttypes.h>
#include <math.h>

static void write_text(struct json *j, const char *text)
{
	putc('"', j->file);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(j->file, "\\%c", *p);
		else if (*p < 0x20)
			fprintf(j->file, "\\u%04x", *p);
		else
			putc(*p, j->file);
	}
	putc('"', j->file);
}

static void begin(struct json *j, const char *name)
{
	if (j->depth)
		fputs(j->first ? "\n" : ",\n", j->file);
	j->first = false;
	for (unsigned i = 0; i < j->depth; i++)
		fputs("  ", j->file);
	if (name) {
		write_text(j, name);
		fputs(": ", j->file);
	}
}

void json_open(struct json *j, const char *name, char bracket)
{
	begin(j, name);
	putc(bracket, j->file);
	j->depth++;
	j->first = true;
}

void json_close(struct json *j, char bracket)
{
	j->depth--;
	putc('\n', j->file);
	for (unsigned i = 0; i < j->depth; i++)
		fputs("  ", j->file);
	putc(bracket, j->file);
	j->first = false;
	if (!j->depth)
		putc('\n', j->file);
}

void json_text(struct json *j, const char *name, const char *text)
{
	begin(j, name);
	write_text(j, text);
}

void json_uint(struct json *j, const char *name, uint64_t value)
{
	begin(j, name);
	fprintf(j->file, "%" PRIu64, value);
}

void json_int(struct json *j, const char *name, int64_t value)
{
	begin(j, name);
	fprintf(j->file, "%" PRId64, value);
}

void json_real(struct json *j, const char *name, double value)
{
	begin(j, name);
	if (isfinite(value))
		fprintf(j->file, "%.6f", value);
	else
		fputs("null", j->file);
}

void json_bool(struct json *j, const char *name, bool value)
{
	begin(j, name);
	fputs(value ? "true" : "false", j->file);
}

void json_null(struct json *j, const char *name)
{
	begin(j, name);
	fputs("null", j->file);
}
