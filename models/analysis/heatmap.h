/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where and when misses happen: regions of virtual memory by time, in a
 * bounded number of cells.
 *
 *	            time (accesses so far) ->
 *	region 0    [cell][cell][cell] ...
 *	region 1    [cell] ...              a region is 2^shift aligned bytes
 *
 * Each miss is counted exactly.  When a region too many comes up, regions
 * become twice as large; when time runs out of columns, columns become twice
 * as wide: what was counted is merged, so the sums stay exact.
 */
#ifndef MODELS_ANALYSIS_HEATMAP_H
#define MODELS_ANALYSIS_HEATMAP_H

#include "analyzer/result.h"

#define HEATMAP_REGIONS 256u
#define HEATMAP_TIMES	128u

struct heatmap;

/* 0 or -ENOMEM (said). */
int heatmap_open(struct heatmap **out);
void heatmap_close(struct heatmap *heatmap);

/* n first-level misses of a space; walked: the second missed too.  position:
 * accesses fed before, never less than in the one before. */
void heatmap_add(struct heatmap *heatmap, uint32_t space, unsigned n,
		 const uint64_t *address, const uint64_t *position,
		 const bool *walked);

/* The table `heatmap`, by space, address and time.  end: all accesses. */
int heatmap_finish(const struct heatmap *heatmap, uint64_t end,
		   struct result *result);

#endif
