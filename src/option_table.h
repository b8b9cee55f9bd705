/* SPDX-License-Identifier: MIT */
/*
 * The options by name, as data: where the kernel has each, for which sockets, what its
 * value looks like there and what it may be.
 */
#ifndef SOQI_OPTION_TABLE_H
#define SOQI_OPTION_TABLE_H

#include <soq/option.h>
#include <stdbool.h>

/* What kind of socket it is: one bit. */
#define SOQI_WHO_TCP4             (1u << 0)
#define SOQI_WHO_TCP6             (1u << 1)
#define SOQI_WHO_UDP4             (1u << 2)
#define SOQI_WHO_UDP6             (1u << 3)
#define SOQI_WHO_RAW4             (1u << 4) /* other datagrams */
#define SOQI_WHO_RAW6             (1u << 5)
#define SOQI_WHO_REST4            (1u << 6) /* other connections */
#define SOQI_WHO_REST6            (1u << 7)
#define SOQI_WHO_LOCAL_CONNECTION (1u << 8) /* unix */
#define SOQI_WHO_LOCAL_DATAGRAM   (1u << 9)
#define SOQI_WHO_OTHER_CONNECTION (1u << 10) /* of other families */
#define SOQI_WHO_OTHER_DATAGRAM   (1u << 11)

/* How the kernel has a value, and so how it is made of the caller's. */
enum soqi_option_form {
	SOQI_OPTION_NONE = 0, /* no such option; or a text alone */
	SOQI_OPTION_FLAG,     /* an int: `on` or `off` */
	SOQI_OPTION_INT,
	SOQI_OPTION_WORD,      /* 32 bits without a sign */
	SOQI_OPTION_LONG,      /* an unsigned long */
	SOQI_OPTION_FIELD,     /* some bits of an int: those in `mask` */
	SOQI_OPTION_INTERFACE, /* an int; IPv4 has a struct ip_mreqn, and does not tell it */
	SOQI_OPTION_LINGER,    /* the library's own */
	SOQI_OPTION_ERROR,     /* an errno, taken by reading */
};

/* Where the kernel has it, for these sockets. */
struct soqi_option_place {
	uint32_t who;
	int32_t level;
	int32_t name;
};

struct soqi_option_row {
	enum soqi_option_form form;
	bool read_only;
	int32_t on, off;
	uint32_t mask;
	/* In the kernel's units. A negative minimum: -1 is allowed too, and is -1 there. */
	int64_t minimum, maximum;
	int64_t scale; /* the caller's units in one of the kernel's; 0 is 1 */
	struct soqi_option_place places[2];
	struct soqi_option_place text; /* or `who` 0 */
};

/* All numbers of options are below. */
unsigned soqi_option_count(void);
/* The row of an option, or NULL. */
const struct soqi_option_row *soqi_option_find(enum soq_option option);

#endif
