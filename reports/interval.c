// SPDX-License-Identifier: GPL-2.0-or-later
/* Intervals by Student's t.  Its distribution is an incomplete beta function,
 * here by Lentz's continued fraction (DLMF 8.17.22). */
#include "reports/interval.h"

#include <math.h>

void
sample_add(struct sample *sample, double value)
{
	double distance = value - sample->mean;

	sample->n++;
	sample->mean += distance / (double)sample->n;
	sample->squares += distance * (value - sample->mean);
}

double
sample_deviation(const struct sample *sample)
{
	return sample->n < 2 ? 0
			     : sqrt(sample->squares / (double)(sample->n - 1));
}

/* The continued fraction of I_x(a, b) */
static double
beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int m = 1; m < 10000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x /
			     ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 + even * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + even / c;
		c = fabs(c) < tiny ? tiny : c;
		h *= c * d;
		d = 1 + odd * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + odd / c;
		c = fabs(c) < tiny ? tiny : c;
		h *= c * d;
		if (fabs(c * d - 1) < 1e-15)
			break;
	}
	return h;
}

/* The regularised incomplete beta function I_x(a, b) */
static double
beta(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x >= 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) +
		    b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* P(T > t) for t >= 0 */
static double
student_tail(double t, double degrees)
{
	return beta(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2;
}

double
student_quantile(double share, double degrees)
{
	double tail = share > 0.5 ? 1 - share : share;
	double low = 0, high = 1;

	while (student_tail(high, degrees) > tail && high < 1e300)
		high *= 2;
	for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
		double middle = (low + high) / 2;

		if (student_tail(middle, degrees) > tail)
			low = middle;
		else
			high = middle;
	}
	return share > 0.5 ? (low + high) / 2 : -(low + high) / 2;
}

bool
interval_difference(const struct sample *a, const struct sample *b,
		    struct interval *out)
{
	double na = (double)a->n, nb = (double)b->n, va, vb, error, half;

	if (!a->n || !b->n || a->n + b->n < 3)
		return false;
	/* variances of the means */
	va = sample_deviation(a) * sample_deviation(a) / na;
	vb = sample_deviation(b) * sample_deviation(b) / nb;
	if (a->n < 2) {
		va = vb * nb;
		out->degrees = nb - 1;
	} else if (b->n < 2) {
		vb = va * na;
		out->degrees = na - 1;
	} else {
		/* Welch and Satterthwaite */
		out->degrees = (va + vb) * (va + vb) /
			       (va * va / (na - 1) + vb * vb / (nb - 1));
	}
	error = sqrt(va + vb);
	if (!(error > 0)) {
		out->degrees = 0;
		out->low = out->high = b->mean - a->mean;
		return true;
	}
	half = student_quantile(0.975, out->degrees) * error;
	out->low = b->mean - a->mean - half;
	out->high = b->mean - a->mean + half;
	return true;
}
