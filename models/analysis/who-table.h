/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was counted for each combination of what is told apart (who.h), and for
 * each page: two tables by hash, of which the larger rows get into a result.
 */
#ifndef MODELS_ANALYSIS_WHO_TABLE_H
#define MODELS_ANALYSIS_WHO_TABLE_H

#include "models/analysis/paths.h"
#include "models/analysis/who.h"

#define WHO_NO_SITE	   UINT32_MAX	   /* no access of the program */
#define WHO_NO_IMAGE	   UINT64_C(65536) /* in who.counts */
#define WHO_ROWS_MAX	   (1u << 22)	   /* kept; others are not told apart */
#define WHO_REPORTED	   200000u	   /* rows of who.counts at most */
#define WHO_PAGES_MAX	   (1u << 22)	   /* pages that are told apart */
#define WHO_PAGES_REPORTED 1000u

struct who_key {
	uint32_t site; /* a site reference */
	uint32_t object, region, thread, path;
	uint8_t from, node;
	uint16_t none; /* 0 */
};

struct who_count {
	uint64_t l1d, l1i, l2, walks, cycles, minor, major;
};

struct who_row {
	struct who_key key;
	struct who_count count;
};

/* Zeroed memory is an empty table. */
struct who_table {
	struct who_row *row; /* owned; [0]: of all that is not told apart */
	uint32_t *bucket;    /* owned: row; 0: empty */
	uint32_t n, room, buckets, last;
};

void who_table_fini(struct who_table *table);
/* The counts of a combination, good until the next call.  NULL: no memory. */
struct who_count *who_table_get(struct who_table *table,
				const struct who_key *key);

struct who_context {
	const struct stream *stream;
	const struct objects *objects; /* or NULL */
	const struct paths *paths;     /* or NULL */
	const struct who_regions *regions;
	unsigned by;
};
/* Tables who.counts, who.objects, who.paths.  0 or -ENOMEM. */
int who_table_finish(const struct who_table *table,
		     const struct who_context *context, struct result *result);

struct who_page {
	uint64_t page; /* number */
	uint32_t space;
	uint32_t region;
	uint64_t misses, walks, cycles;
};

/* Pages are followed over time, too: the first of them, in so many columns,
 * which become twice as wide when they are full. */
#define WHO_TIMED_MAX	65536u
#define WHO_TIMES	64u
#define WHO_TIMED_SHOWN 64u

struct who_pages {
	struct who_page *page;	     /* owned */
	uint32_t (*time)[WHO_TIMES]; /* owned [WHO_TIMED_MAX] misses, or NULL */
	unsigned time_shift;	     /* log2 of a column's accesses */
	uint32_t *bucket;	     /* owned: index + 1; 0: empty */
	uint32_t n, room, buckets;
};

void who_pages_fini(struct who_pages *pages);
/* walked: and found its page.  0 or -ENOMEM (said). */
int who_pages_add(struct who_pages *pages, const struct who_miss *miss,
		  bool walked);
/* Tables who.pages and who.pages.time.  0 or -ENOMEM. */
int who_pages_finish(const struct who_pages *pages,
		     const struct who_regions *regions, struct result *result);

#endif
