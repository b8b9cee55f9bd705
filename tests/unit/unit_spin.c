/* SPDX-License-Identifier: MIT */
/* When a loop spins before it sleeps, for waits of any length. */
#include "unit.h"

#include "spin.h"

#define LIMIT_NS 50000

/* Waits of `waited_ns`; returns how many of them spun. `hits`: those had news. */
static unsigned wait_often(struct soqi_spin *spin, unsigned count, int64_t waited_ns, bool hits)
{
	unsigned spun = 0;

	for (unsigned i = 0; i < count; i++) {
		bool spins = soqi_spin_begin(spin);

		spun += spins;
		soqi_spin_end(spin, waited_ns, spins && hits);
	}
	return spun;
}

static void short_waits_spin(void **state)
{
	struct soqi_spin spin = { .limit_ns = LIMIT_NS };

	(void)state;
	assert_int_equal(wait_often(&spin, 1000, 20000, true), 1000);
}

static void long_waits_sleep_but_for_a_few(void **state)
{
	struct soqi_spin spin = { .limit_ns = LIMIT_NS };

	(void)state;
	(void)wait_often(&spin, 100, 1000000, false);
	assert_int_equal(wait_often(&spin, 10 * SOQI_SPIN_PROBE, 1000000, false), 10);
}

static void one_idle_moment_stops_no_spinning(void **state)
{
	struct soqi_spin spin = { .limit_ns = LIMIT_NS };

	(void)state;
	(void)wait_often(&spin, 100, 20000, true);
	/* An hour. */
	(void)wait_often(&spin, 1, INT64_C(3600000000000), false);
	assert_int_equal(wait_often(&spin, 100, 20000, true), 100);
}

static void traffic_after_a_long_idle_time_spins_again_soon(void **state)
{
	struct soqi_spin spin = { .limit_ns = LIMIT_NS };

	(void)state;
	(void)wait_often(&spin, 1000, INT64_C(1000000000), false);
	(void)wait_often(&spin, 8, 20000, false);
	assert_int_equal(wait_often(&spin, 100, 20000, true), 100);
}

/* What spins is short and what sleeps is long, since waking up takes its time. */
static void waking_up_does_not_keep_it_asleep(void **state)
{
	struct soqi_spin spin = { .limit_ns = LIMIT_NS };
	unsigned spun = 0;

	(void)state;
	(void)wait_often(&spin, 100, 1000000, false);
	for (unsigned i = 0; i < SOQI_SPIN_PROBE + 100; i++) {
		bool spins = soqi_spin_begin(&spin);

		spun += spins;
		soqi_spin_end(&spin, spins ? 20000 : 70000, spins);
	}
	assert_true(spun >= 100);
}

static void a_limit_beyond_all_waits_is_no_trouble(void **state)
{
	struct soqi_spin spin = { .limit_ns = UINT32_MAX };

	(void)state;
	assert_int_equal(wait_often(&spin, 100, INT64_C(4000000000), false), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_waits_spin),
		cmocka_unit_test(long_waits_sleep_but_for_a_few),
		cmocka_unit_test(one_idle_moment_stops_no_spinning),
		cmocka_unit_test(traffic_after_a_long_idle_time_spins_again_soon),
		cmocka_unit_test(waking_up_does_not_keep_it_asleep),
		cmocka_unit_test(a_limit_beyond_all_waits_is_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
