/* SPDX-License-Identifier: MIT */
/*
 * Names of the kernel interface that liburing 2.3 does not have. Headers that do
 * have them win. The numbers are ABI.
 */
#ifndef SOQI_URING_UAPI_H
#define SOQI_URING_UAPI_H

#include <liburing.h>
#include <stdint.h>

/* enter: the timeout is an absolute time (6.12). An enumerator or a macro by version. */
#ifndef IORING_ENTER_ABS_TIMER
#define IORING_ENTER_ABS_TIMER (1U << 5)
#endif

/* enter: do not count the wait as waiting for I/O (6.15). */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif

/* send_zc: the notification tells whether the bytes were copied (6.2); here it did. */
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#endif
/* Enumerators cannot be asked for by #ifndef: these have names of ours. */

/* features: attributes of reads and writes (6.14), which here only tells the version. */
#define SOQI_FEAT_RW_ATTR (1U << 16)

/* register: busy polling of network interfaces (6.9). The last two words are of 6.13. */
#define SOQI_REGISTER_NAPI 27U

struct soqi_napi {
	uint32_t busy_poll_us;
	uint8_t prefer_busy_poll;
	uint8_t opcode; /* 0: register, or the kernel before 6.13 */
	uint8_t pad[2];
	uint32_t op_param; /* 0: the interfaces are found by the ring itself */
	uint32_t reserved;
};

#endif
