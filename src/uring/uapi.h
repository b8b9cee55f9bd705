/* SPDX-License-Identifier: MIT */
/*
 * Names of the kernel interface that liburing 2.3 does not have. Headers that do
 * have them win. The numbers are ABI.
 */
#ifndef SOQI_URING_UAPI_H
#define SOQI_URING_UAPI_H

#include <liburing.h>

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

#endif
