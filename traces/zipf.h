/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zipf's distribution: rank k of 1..n with a probability proportional to
 * 1 / k^s, exactly, for any s >= 0 and n, in a table of some thousand cells.
 */
#ifndef TRACES_ZIPF_H
#define TRACES_ZIPF_H

#include "traces/generate-random.h"

/* Ranks up to this have a cell of their own. */
#define ZIPF_HEAD 16384

/* The alias method: cell i is itself below its threshold, else its alias. */
struct zipf_cell {
	uint32_t threshold; /* of 2^32 */
	uint32_t alias;
};

/* Ranks [first, end) beyond the head */
struct zipf_segment {
	uint64_t first, width;
	uint64_t sure; /* of 2^64: accepted at whatever place in it */
};

struct zipf {
	uint64_t n;
	double exponent;
	uint32_t cells, head;
	struct zipf_cell *cell;	      /* owned [cells] */
	struct zipf_segment *segment; /* owned [cells - head] */
};

/* 0 or -ENOMEM (said). */
int zipf_init(struct zipf *zipf, uint64_t n, double exponent);
void zipf_fini(struct zipf *zipf);

/* The mass of ranks first..end-1, unscaled: the sum of 1 / k^s. */
double zipf_mass(uint64_t first, uint64_t end, double exponent);

/* A rank - 1 of that segment. */
uint64_t zipf_tail(const struct zipf *zipf, uint32_t segment,
		   struct random *random);

/* A rank - 1; 2 ns for one in the head. */
static ALWAYS_INLINE uint64_t
zipf_draw(const struct zipf *zipf, struct random *random)
{
	unsigned __int128 product =
		(unsigned __int128)random_next(random) * zipf->cells;
	uint32_t i = (uint32_t)(product >> 64);
	struct zipf_cell cell = zipf->cell[i];
	/* all ones or none: no branch, which nobody could predict */
	uint32_t self = -(uint32_t)((uint32_t)((uint64_t)product >> 32) <
				    cell.threshold);

	i = cell.alias ^ ((i ^ cell.alias) & self);
	return likely(i < zipf->head) ? i
				      : zipf_tail(zipf, i - zipf->head, random);
}

#endif
