// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Steps of a latency curve.  The pieces are those that cost least: squared
 * deviations of log(latency), and a price for each piece that grows with the
 * noise (optimal partitioning, Jackson et al. 2005).
 */
#include "analyzer/latency-steps.h"

#include <math.h>
#include <stdlib.h>

#define NOISE_LEAST   0.01
#define PRICE	      20.0 /* of a piece, in squares of the noise */
#define PLATEAU_WIDTH 0.45 /* log2 of sizes: what is shorter is a slope */
#define RISE_LEAST    0.2
#define QUARTER	      0.25
#define TENTH	      0.1
#define MOST	      0.6

struct piece {
	size_t first, last;
	double mean; /* of log(latency) */
};

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

/* Neighbours' differences where nothing steps: their median is robust. */
static double
noise_of(const struct latency_point *point, size_t n)
{
	double difference[LATENCY_POINTS_MAX], spread[LATENCY_POINTS_MAX];
	double noise;

	if (n < 3)
		return NOISE_LEAST;
	for (size_t i = 0; i + 1 < n; i++)
		difference[i] =
			fabs(log(point[i + 1].latency) - log(point[i].latency));
	for (size_t i = 0; i < n; i++)
		spread[i] = point[i].spread;
	qsort(difference, n - 1, sizeof(double), compare);
	qsort(spread, n, sizeof(double), compare);
	/* Slopes are differences, too: what repetitions tell bounds them. */
	noise = difference[(n - 1) / 2] / 0.954; /* sqrt(2) * 0.6745 */
	if (noise > 2 * spread[n / 2] + 0.05)
		noise = 2 * spread[n / 2] + 0.05;
	/* A quarter of the points that did not repeat is too many. */
	if (noise < spread[3 * n / 4] / 3)
		noise = spread[3 * n / 4] / 3;
	return noise > NOISE_LEAST ? noise : NOISE_LEAST;
}

/* Sums of log(latency) and of its squares before each point */
struct sums {
	double sum[LATENCY_POINTS_MAX + 1], square[LATENCY_POINTS_MAX + 1];
};

static double
mean_of(const struct sums *sums, size_t from, size_t to)
{
	return (sums->sum[to] - sums->sum[from]) / (double)(to - from);
}

static double
cost_of(const struct sums *sums, size_t from, size_t to)
{
	double sum = sums->sum[to] - sums->sum[from];

	return sums->square[to] - sums->square[from] -
	       sum * sum / (double)(to - from);
}

static size_t
find_pieces(const struct latency_point *point, size_t n, double noise,
	    struct piece *piece)
{
	struct sums sums = { { 0 }, { 0 } };
	double best[LATENCY_POINTS_MAX + 1] = { 0 };
	size_t from[LATENCY_POINTS_MAX + 1] = { 0 }, pieces = 0, at;

	for (size_t i = 0; i < n; i++) {
		double y = log(point[i].latency);

		sums.sum[i + 1] = sums.sum[i] + y;
		sums.square[i + 1] = sums.square[i] + y * y;
	}
	for (size_t to = 1; to <= n; to++) {
		best[to] = INFINITY;
		for (size_t k = 0; k < to; k++) {
			double cost = best[k] + cost_of(&sums, k, to) +
				      PRICE * noise * noise;

			if (cost < best[to]) {
				best[to] = cost;
				from[to] = k;
			}
		}
	}
	for (at = n; at; at = from[at])
		pieces++;
	at = n;
	for (size_t i = pieces; i--; at = from[at])
		piece[i] = (struct piece){ from[at], at - 1,
					   mean_of(&sums, from[at], at) };
	return pieces;
}

/* Does it rise from its first third to its last? */
static bool
is_slope(const struct latency_point *point, const struct piece *piece,
	 double noise)
{
	size_t n = piece->last - piece->first + 1, third = n / 3 ? n / 3 : 1;
	double rise = 0;

	for (size_t i = 0; i < third; i++)
		rise += log(point[piece->last - i].latency) -
			log(point[piece->first + i].latency);
	return rise / (double)third > 0.1 + 2 * noise;
}

/* Long pieces; those that hardly differ are one.  The last may be cut short by
 * the end of the sizes. */
static size_t
keep_plateaus(const struct latency_point *point, double noise,
	      struct piece *piece, size_t n)
{
	double least = RISE_LEAST > 2.5 * noise ? RISE_LEAST : 2.5 * noise;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		double width = log2(point[piece[i].last].size /
				    point[piece[i].first].size);

		if (width < PLATEAU_WIDTH || is_slope(point, &piece[i], noise))
			continue;
		if (kept && piece[i].mean - piece[kept - 1].mean < least) {
			/* The longer one is nearer to what it comes to. */
			if (piece[i].last - piece[i].first >
			    piece[kept - 1].last - piece[kept - 1].first)
				piece[kept - 1].mean = piece[i].mean;
			piece[kept - 1].last = piece[i].last;
			continue;
		}
		piece[kept++] = piece[i];
	}
	return kept;
}

static double
smooth(const struct latency_point *point, size_t n, size_t i)
{
	double three[3] = { point[i ? i - 1 : i].latency, point[i].latency,
			    point[i + 1 < n ? i + 1 : i].latency };

	qsort(three, 3, sizeof(double), compare);
	return three[1];
}

/* The size between two plateaus where so much of the rise is done; the middle
 * of the two points around it, by factors. */
static double
crossing(const struct latency_point *point, size_t n,
	 const struct piece plateau[2], double part)
{
	double low = exp(plateau[0].mean), high = exp(plateau[1].mean);
	double level = low + part * (high - low);
	size_t i = plateau[1].first;

	while (i > plateau[0].first && smooth(point, n, i - 1) > level)
		i--;
	return i ? sqrt(point[i - 1].size * point[i].size) : point[i].size;
}

size_t
latency_steps(const struct latency_point *point, size_t n,
	      struct latency_step *step, double *noise)
{
	struct piece piece[LATENCY_POINTS_MAX];
	size_t plateaus, steps = 0;

	*noise = noise_of(point, n);
	if (n < 3)
		return 0;
	plateaus = keep_plateaus(point, *noise, piece,
				 find_pieces(point, n, *noise, piece));
	for (size_t i = 0; i + 1 < plateaus && steps < LATENCY_STEPS_MAX; i++)
		step[steps++] = (struct latency_step){
			.size = crossing(point, n, &piece[i], QUARTER),
			.low = crossing(point, n, &piece[i], TENTH),
			.high = crossing(point, n, &piece[i], MOST),
			.before = exp(piece[i].mean),
			.after = exp(piece[i + 1].mean),
		};
	return steps;
}
