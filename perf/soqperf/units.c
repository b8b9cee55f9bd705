/* SPDX-License-Identifier: MIT */
/* Reads numbers with units. */
#include "units.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit time_units[] = {
	{ "", 1e9 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 },
};

static const struct unit count_units[] = {
	{ "", 1 },    { "k", 1e3 },     { "K", 1e3 },        { "M", 1e6 },
	{ "G", 1e9 }, { "Ki", 1024.0 }, { "Mi", 1048576.0 }, { "Gi", 1073741824.0 },
};

/* Negative numbers, hexadecimal, "inf" and "nan" all fail: the text must begin with a digit. */
static bool parse(const char *text, const struct unit *units, size_t unit_count, double *out)
{
	double value;
	char *end;

	if (!isdigit((unsigned char)text[0]) || strpbrk(text, "xX"))
		return false;
	value = strtod(text, &end);
	for (size_t i = 0; i < unit_count; i++) {
		if (strcmp(end, units[i].name) == 0) {
			*out = value * units[i].factor;
			return true;
		}
	}
	return false;
}

bool units_parse_time(const char *text, int64_t *ns_out)
{
	double ns;

	if (!parse(text, time_units, sizeof(time_units) / sizeof(time_units[0]), &ns) || ns > 1e17)
		return false;
	*ns_out = (int64_t)ns;
	return true;
}

bool units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count_out)
{
	double count;

	if (!parse(text, count_units, sizeof(count_units) / sizeof(count_units[0]), &count) ||
	    count != floor(count) || count < (double)min || count > (double)max)
		return false;
	*count_out = (uint64_t)count;
	return true;
}
