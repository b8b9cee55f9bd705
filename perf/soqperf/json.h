/* SPDX-License-Identifier: MIT */
/* Writes JSON: objects and arrays of numbers, texts, true, false and null. */
#ifndef SOQPERF_JSON_H
#define SOQPERF_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *file;
	unsigned depth;
	bool first; /* nothing written at this depth yet */
};

/* `name` is NULL for the outermost object and inside arrays. */
void json_open(struct json *j, const char *name, char bracket);
void json_close(struct json *j, char bracket);
void json_text(struct json *j, const char *name, const char *text);
void json_uint(struct json *j, const char *name, uint64_t value);
void json_int(struct json *j, const char *name, int64_t value);
/* Six digits behind the point; a value that is no number becomes null. */
void json_real(struct json *j, const char *name, double value);
void json_bool(struct json *j, const char *name, bool value);
void json_null(struct json *j, const char *name);

#endif
