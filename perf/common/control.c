/* SPDX-License-Identifier: MIT */
/* Writes and reads the lines of a measured server. */
#include "control.h"

#include "clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every counter by its name on the line: writing, reading and subtracting walk it. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{ "cpu_ns", offsetof(struct control_report, cpu_ns) },
	{ "bytes", offsetof(struct control_report, bytes) },
	{ "accepts", offsetof(struct control_report, accepts) },
	{ "turns", offsetof(struct control_report, turns) },
	{ "waits", offsetof(struct control_report, waits) },
	{ "requests", offsetof(struct control_report, requests) },
	{ "completions", offsetof(struct control_report, completions) },
	{ "allocations", offsetof(struct control_report, allocations) },
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static uint64_t *field_of(struct control_report *report, size_t i)
{
	return (uint64_t *)(void *)((char *)report + fields[i].offset);
}

static uint64_t field_value(const struct control_report *report, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)report + fields[i].offset, sizeof(value));
	return value;
}

void control_say_listening(int fd, const char *engine, const char *endpoint)
{
	dprintf(fd, "engine %s\nlistening %s\n", engine, endpoint);
}

void control_say_report(int fd, struct control_report *report)
{
	char line[512];
	size_t length = 0;

	report->cpu_ns = clock_cpu_ns();
	length += (size_t)snprintf(line, sizeof(line), "report");
	for (size_t i = 0; i < FIELD_COUNT; i++)
		length += (size_t)snprintf(line + length, sizeof(line) - length, " %s=%" PRIu64,
					   fields[i].name, field_value(report, i));
	dprintf(fd, "%s\n", line);
}

static const char *behind(const char *line, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(line, prefix, length) == 0 ? line + length : NULL;
}

const char *control_parse_engine(const char *line)
{
	return behind(line, "engine ");
}

const char *control_parse_listening(const char *line)
{
	return behind(line, "listening ");
}

static void set_field(struct control_report *report, const char *name, uint64_t value)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (strcmp(fields[i].name, name) == 0)
			*field_of(report, i) = value;
	}
}

/* Takes one ` name=value`; returns what follows it, or NULL at the end of the line. */
static const char *take_field(const char *line, struct control_report *report)
{
	const char *equals = strchr(line, '=');
	size_t length;
	char name[32];
	char *end;

	line += strspn(line, " ");
	if (!equals || equals <= line || (length = (size_t)(equals - line)) >= sizeof(name))
		return NULL;
	memcpy(name, line, length);
	name[length] = 0;
	set_field(report, name, strtoull(equals + 1, &end, 10));
	return end;
}

bool control_parse_report(const char *line, struct control_report *report_out)
{
	line = behind(line, "report ");
	if (!line)
		return false;
	memset(report_out, 0, sizeof(*report_out));
	while (line)
		line = take_field(line, report_out);
	return true;
}

struct control_report control_difference(const struct control_report *later,
					 const struct control_report *earlier)
{
	struct control_report d = { 0 };

	for (size_t i = 0; i < FIELD_COUNT; i++)
		*field_of(&d, i) = field_value(later, i) - field_value(earlier, i);
	return d;
}
