/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefetching of translations (Kandiraju and Sivasubramaniam, "Going the distance
 * for TLB prefetching", ISCA 2002): at each miss of the second level a predictor
 * names pages, and those of them that are mapped are walked to and wait in a
 * buffer, first in, first out, which misses ask before they walk.
 *
 *	sequential	the next page
 *	stride		by instruction: where its last two misses lay equally far
 *			apart, as far on
 *	distance	by the distance from the miss before: the two that came
 *			after this distance last
 *	recency		those that left the second level before and after the one that
 *			missed did (recency.h)
 *
 * Predictors have tables of one way.  Distances are in pages of 4K (of the granule),
 * the next page is that behind the one that missed, whatever its size.
 */
#ifndef MODELS_TRANSLATION_PREFETCH_H
#define MODELS_TRANSLATION_PREFETCH_H

#include "analyzer/option.h"
#include "analyzer/result.h"

#define PREFETCH_ENTRIES_MAX 256
#define PREFETCH_ROWS_MAX    65536
#define PREFETCH_PAGES_MAX   2u /* that one miss names */

enum prefetch_kind {
	PREFETCH_NONE,
	PREFETCH_SEQUENTIAL,
	PREFETCH_STRIDE,
	PREFETCH_DISTANCE,
	PREFETCH_RECENCY, /* core-beside.c asks recency.h, not prefetch_predict */
};

/* Prefix "tlb.prefetch". */
struct prefetch_config {
	int kind; /* enum prefetch_kind */
	int64_t entries, rows;
	unsigned granule; /* log2 of the least page; 0: 12.  No option here */
};
extern const struct option_row prefetch_rows[];

struct prefetch_entry {
	uint64_t page; /* address of its first byte */
	uint64_t frame;
	uint64_t ready; /* when its walk ends */
	uint32_t asid;
	uint8_t shift; /* 0: the entry is free */
	bool readonly;
};

/* Of an instruction: last miss and stride; of a distance: those after it. */
struct prefetch_row {
	uint64_t tag, last;
	int64_t next[2]; /* stride: next[0]; n: how often it was seen */
	unsigned n;
};

struct prefetch {
	enum prefetch_kind kind;
	struct prefetch_entry *entry; /* owned: a ring */
	struct prefetch_row *row;     /* owned */
	uint32_t entries, rows, oldest;
	unsigned page_shift;
	/* of the last miss, and of the one before to it */
	uint64_t last;
	int64_t distance;
	unsigned seen; /* misses, up to 2 */
	uint64_t issued, useful, late, absent, references, cycles;
};

/* 0 or -ENOMEM (said). */
int prefetch_init(struct prefetch *prefetch,
		  const struct prefetch_config *config);
void prefetch_fini(struct prefetch *prefetch);

/*
 * A miss at this address, of an instruction, to a page of this shift: which
 * addresses will come?  At most PREFETCH_PAGES_MAX; returns how many.
 */
unsigned prefetch_predict(struct prefetch *prefetch, uint32_t site,
			  uint64_t address, unsigned shift, uint64_t *wanted);

/* The entry that has the address, or NULL. */
struct prefetch_entry *prefetch_find(const struct prefetch *prefetch,
				     uint32_t asid, uint64_t address);
/* One more, in place of the oldest. */
void prefetch_put(struct prefetch *prefetch,
		  const struct prefetch_entry *entry);

/* What overlaps; length UINT64_MAX: all of the ASID. */
void prefetch_invalidate(struct prefetch *prefetch, uint32_t asid,
			 uint64_t address, uint64_t length);

#endif
