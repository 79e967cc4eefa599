// SPDX-License-Identifier: GPL-2.0-or-later
/* Student's t against its closed forms, and Welch's interval worked out. */
#include "reports/interval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within * fabs(want)))
		fail_msg("%.12g, not %.12g", got, want);
}

/* 1, 2 and 4 degrees have closed forms; many are nearly the normal's */
static void
test_closed_forms(void **state)
{
	static const double shares[] = { 0.6, 0.9, 0.975, 0.995, 0.9995 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		double p = shares[i], a = 4 * p * (1 - p);
		double q = cos(acos(sqrt(a)) / 3) / sqrt(a);

		near(student_quantile(p, 1), tan(M_PI * (p - 0.5)), 1e-9);
		near(student_quantile(p, 2), 2 * (p - 0.5) * sqrt(2 / a), 1e-9);
		near(student_quantile(p, 4), 2 * sqrt(q - 1), 1e-9);
		near(student_quantile(1 - p, 2), -2 * (p - 0.5) * sqrt(2 / a),
		     1e-9);
	}
	/* z (1 + (z^2 + 1) / 4n) */
	near(student_quantile(0.975, 1e6), 1.959966356853, 1e-8);
	near(student_quantile(0.975, 9), 2.262157162740992, 1e-9);
	near(student_quantile(0.975, 30), 2.042272456301238, 1e-9);
}

static struct sample
sample_of(const double *values, size_t n)
{
	struct sample sample = { 0 };

	for (size_t i = 0; i < n; i++)
		sample_add(&sample, values[i]);
	return sample;
}

/*
 * a = 1, 3: mean 2, variance 2; b = 5, 9: mean 7, variance 8.  Of the means 1
 * and 4: error sqrt(5), degrees 25 / (1 + 16) = 25/17.
 */
static void
test_welch(void **state)
{
	static const double a[] = { 1, 3 }, b[] = { 5, 9 };
	struct sample one = sample_of(a, 2), two = sample_of(b, 2);
	struct interval interval;
	double half;

	(void)state;
	assert_true(interval_difference(&one, &two, &interval));
	near(interval.degrees, 25. / 17, 1e-12);
	half = student_quantile(0.975, 25. / 17) * sqrt(5);
	near(interval.low, 5 - half, 1e-12);
	near(interval.high, 5 + half, 1e-12);
	/* between those of 1 and 2 degrees */
	assert_true(half > 4.302652729911275 * sqrt(5) &&
		    half < 12.7062047364321 * sqrt(5));
}

/* A single run beside 2, 4, 6 (variance 4): error 2 sqrt(1 + 1/3), 2 degrees;
 * runs that agree have no interval. */
static void
test_single(void **state)
{
	static const double a[] = { 2, 4, 6 }, b[] = { 9, 9, 9 };
	struct sample many = sample_of(a, 3), one = sample_of(b, 1),
		      same = sample_of(b, 3), none = { 0 };
	struct interval interval;
	double half = 4.302652729911275 * 2 * sqrt(4. / 3);

	(void)state;
	assert_true(interval_difference(&many, &one, &interval));
	near(interval.high - interval.low, 2 * half, 1e-9);
	near(interval.low, 5 - half, 1e-9);
	assert_true(interval_difference(&one, &many, &interval));
	near(interval.high, -5 + half, 1e-9);
	assert_true(interval_difference(&same, &one, &interval));
	assert_true(interval.degrees == 0 && interval.low == 0 &&
		    interval.high == 0);
	assert_false(interval_difference(&one, &one, &interval));
	assert_false(interval_difference(&none, &many, &interval));
	near(sample_deviation(&many), 2, 1e-12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_forms),
		cmocka_unit_test(test_welch),
		cmocka_unit_test(test_single),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
