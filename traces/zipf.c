// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first ranks have a cell each; behind them come segments, each 1/64
 * longer than the one before:
 *
 *	rank  1  2  3 .. 16384 | 16385..16640 | 16641..16900 | ... | ..n
 *	cell  0  1  2 .. 16383 |    16384     |    16385     | ... |
 *
 * A cell is chosen by its exact mass with the alias method (Walker 1977, table
 * as Vose 1991).  In a segment all ranks are nearly alike: one is drawn evenly
 * and accepted with its mass over that of the segment's first, which is above
 * (64/65)^s, so that pow() is rarely asked.
 */
#include "traces/zipf.h"

#include <math.h>
#include <stdlib.h>

#include "analyzer/fail.h"

#define SEGMENT_SHARE 64 /* a segment's first rank over its width */

/*
 * Near the origin term by term; beyond, Euler and Maclaurin's formula to the
 * third term, whose error there is below 1e-12 of the sum.
 */
double
zipf_mass(uint64_t first, uint64_t end, double s)
{
	double a = (double)first, b = (double)end;
	double fa = pow(a, -s), fb = pow(b, -s);
	double sum = 0, ratio = log(b / a), integral;

	if (first <= ZIPF_HEAD) {
		for (uint64_t k = first; k < end; k++)
			sum += pow((double)k, -s);
		return sum;
	}
	/* a^(1-s) * (e^((1-s) ratio) - 1) / (1-s), which is ratio at s = 1 */
	integral = fabs(1 - s) < 1e-12
			   ? ratio
			   : pow(a, 1 - s) * expm1((1 - s) * ratio) / (1 - s);
	return integral + (fa - fb) / 2 + s * (fa / a - fb / b) / 12;
}

static uint32_t
count_segments(uint64_t n)
{
	uint32_t segments = 0;

	for (uint64_t first = ZIPF_HEAD + 1; first <= n;
	     first += first / SEGMENT_SHARE)
		segments++;
	return segments;
}

static void
fill_segments(struct zipf *zipf, double *mass)
{
	uint64_t first = ZIPF_HEAD + 1;

	for (uint32_t i = zipf->head; i < zipf->cells; i++) {
		uint64_t end = first + first / SEGMENT_SHARE;
		struct zipf_segment *segment = &zipf->segment[i - zipf->head];
		double least;

		if (end > zipf->n + 1)
			end = zipf->n + 1;
		least = pow((double)first / (double)end, zipf->exponent);
		*segment = (struct zipf_segment){
			.first = first,
			.width = end - first,
			/* below 2^64 also where `least` rounds to 1 */
			.sure = (uint64_t)(least * 0x1p63) * 2 - 1,
		};
		mass[i] = zipf_mass(first, end, zipf->exponent);
		first = end;
	}
}

/* Vose's way: give what the poor cells lack from the rich ones. */
static void
fill_cells(struct zipf *zipf, double *mass, uint32_t *order)
{
	uint32_t poor = 0, rich = zipf->cells;
	double sum = 0;

	for (uint32_t i = 0; i < zipf->cells; i++)
		sum += mass[i];
	for (uint32_t i = 0; i < zipf->cells; i++) {
		mass[i] *= zipf->cells / sum;
		if (mass[i] < 1)
			order[poor++] = i;
		else
			order[--rich] = i;
	}
	while (poor && rich < zipf->cells) {
		uint32_t small = order[--poor], large = order[rich];

		zipf->cell[small] =
			(struct zipf_cell){ (uint32_t)(mass[small] * 0x1p32),
					    large };
		mass[large] -= 1 - mass[small];
		if (mass[large] < 1) {
			rich++;
			order[poor++] = large;
		}
	}
	/* what rounding left over: full cells */
	while (poor)
		zipf->cell[order[poor - 1]] =
			(struct zipf_cell){ 0, order[poor - 1] },
					poor--;
	for (; rich < zipf->cells; rich++)
		zipf->cell[order[rich]] = (struct zipf_cell){ 0, order[rich] };
}

int
zipf_init(struct zipf *zipf, uint64_t n, double exponent)
{
	double *mass;
	uint32_t *order;
	int error = 0;

	*zipf = (struct zipf){
		.n = n,
		.exponent = exponent,
		.head = n < ZIPF_HEAD ? (uint32_t)n : ZIPF_HEAD,
	};
	zipf->cells = zipf->head + count_segments(n);
	zipf->cell = calloc(zipf->cells, sizeof(*zipf->cell));
	zipf->segment =
		calloc(zipf->cells - zipf->head + 1, sizeof(*zipf->segment));
	mass = calloc(zipf->cells, sizeof(*mass));
	order = calloc(zipf->cells, sizeof(*order));
	if (zipf->cell && zipf->segment && mass && order) {
		for (uint32_t i = 0; i < zipf->head; i++)
			mass[i] = pow((double)i + 1, -exponent);
		fill_segments(zipf, mass);
		fill_cells(zipf, mass, order);
	} else {
		zipf_fini(zipf);
		error = fail(ENOMEM, "generate: no memory for a Zipf table");
	}
	free(mass);
	free(order);
	return error;
}

void
zipf_fini(struct zipf *zipf)
{
	free(zipf->cell);
	free(zipf->segment);
	*zipf = (struct zipf){ 0 };
}

uint64_t
zipf_tail(const struct zipf *zipf, uint32_t i, struct random *random)
{
	const struct zipf_segment *segment = &zipf->segment[i];

	for (;;) {
		/* the product's whole part and fraction: width is below 2^32,
		 * so the fraction has 32 bits of its own */
		unsigned __int128 product =
			(unsigned __int128)random_next(random) * segment->width;
		uint64_t k = segment->first + (uint64_t)(product >> 64);
		uint64_t accept = (uint64_t)product;

		if (likely(accept <= segment->sure))
			return k - 1;
		if ((double)accept * 0x1p-64 <
		    pow((double)segment->first / (double)k, zipf->exponent))
			return k - 1;
	}
}
