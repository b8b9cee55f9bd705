/* SPDX-License-Identifier: MIT */
/*
 * Whether the next wait is worth spinning for: as long as news usually comes within the
 * time that may be spent on it. Pure: nothing here reads a clock.
 */
#ifndef SOQI_SPIN_H
#define SOQI_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/* Of so many waits that sleep one spins all the same. */
#define SOQI_SPIN_PROBE 64u

struct soqi_spin {
	int64_t limit_ns;   /* how long one wait may spin; 0: never */
	int64_t average_ns; /* of recent waits */
	uint32_t slept;     /* waits since the last that spun */
};

/*
 * A wait that sleeps takes the waking up as well, which may be all that keeps it from
 * being short: so it is tried now and then whether it still is.
 */
static inline bool soqi_spin_begin(struct soqi_spin *spin)
{
	if (spin->average_ns > spin->limit_ns && ++spin->slept < SOQI_SPIN_PROBE)
		return false;
	spin->slept = 0;
	return true;
}

/*
 * A wait took `waited_ns`; `hit`: it spun and news came. One long wait says no more than
 * that it was long, however long: else an idle moment would be remembered for seconds.
 */
static inline void soqi_spin_end(struct soqi_spin *spin, int64_t waited_ns, bool hit)
{
	if (waited_ns > 2 * spin->limit_ns)
		waited_ns = 2 * spin->limit_ns;
	if (hit && spin->average_ns > spin->limit_ns)
		spin->average_ns = spin->limit_ns;
	else
		spin->average_ns += (waited_ns - spin->average_ns) / 8;
}

#endif
