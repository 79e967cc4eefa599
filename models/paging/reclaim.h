/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page replacement: which page makes room when memory is full.  A policy knows
 * pages by dense numbers (references.h gives them) and is told of each
 * reference, in order; it neither knows spaces nor tables.  One policy a file,
 * reclaim-NAME.c, registered from RECLAIM in Makefile.am.
 *
 *	references -> page[] -> policy -> misses, and who left
 *
 * References to the page of the reference before may be left out, if the one
 * that stays says whether any of them wrote: a run of accesses to a page is one
 * reference, so that policies that count uses see uses and not words.
 *
 * Plugging in: open by reclaim_open, feed, drop, close; ops->feed may be called
 * with runs of any length, 0 too.
 */
#ifndef MODELS_PAGING_RECLAIM_H
#define MODELS_PAGING_RECLAIM_H

#include "analyzer/base.h"
#include "analyzer/option.h"
#include "analyzer/result.h"

#define RECLAIM_NEVER UINT64_MAX /* as `next`: not referenced again */

/* What a policy is opened with; its own options are rows of reclaim_rows. */
struct reclaim_config {
	int policy;	   /* index in reclaim_registry */
	uint64_t capacity; /* pages; with `size`: bytes */
	uint64_t seed;
	/* Bytes of each page number, borrowed, may grow between calls; NULL:
	 * every page counts 1.  Only objects of foreign traces have sizes.  It
	 * is looked at when a page comes in; what is in keeps what it had. */
	const uint32_t *const *size;
	/* The sizes are pages of large ones, which fall apart: ops->part */
	bool folios;
	/* the policies' own, added below by who writes them: reclaim_rows.
	 * Shares of the capacity are from 0 to 1. */
	bool clock_loaded;
	int64_t swappiness; /* linux, mglru */
	/* linux, mglru: of each page number, is it of a file; borrowed, as
	 * `size`; NULL: all is anonymous */
	const uint8_t *const *file;
	bool no_swap; /* linux, mglru: anonymous pages leave only as a last
		       * resort */
	double twoq_in, twoq_out;
	int64_t slru_segments;
	double lirs_hir, lirs_stack;
	bool lirs_demote;
	double clockpro_cold;
	double s3fifo_small, s3fifo_ghost;
	int64_t s3fifo_uses;
	bool s3fifo_fill;
	uint64_t ws_window, ws_time_ns;
	uint64_t pff_interval, pff_time_ns;
	uint64_t nru_interval;
};

/* Rows of struct reclaim_config, to be hung in a tree as "reclaim": clock.x
 * becomes reclaim.clock.x.  Not the rows of policy, capacity and seed: these are
 * the user's of the policy. */
extern const struct option_row reclaim_rows[];

/* A run of references. */
struct reclaim_batch {
	const uint32_t *page;
	const uint8_t *write; /* NULL: none is known to be one */
	/* Position of the next reference to the same page, RECLAIM_NEVER; NULL
	 * where ops->needs_next is false */
	const uint64_t *next;
	const uint64_t *time; /* ns of each; NULL: nobody asks or knows */
	/* Accesses of the trace before each, those left out too; NULL: unknown */
	const uint64_t *access;
	uint32_t n;
	uint64_t position; /* of the first in the whole string */
	bool ahead; /* they are read ahead, and not referenced: linux, mglru;
		     * the other policies take them for references */
};

struct reclaim_counts {
	uint64_t references, misses, evictions, writebacks;
	uint64_t refaults; /* misses of pages that were missed before */
};

/* The first member of each policy's own struct. */
struct reclaim {
	const struct reclaim_ops *ops;
	uint64_t capacity, used; /* pages, or bytes */
	struct reclaim_counts counts;
	/* A page left; NULL: nobody asks */
	void (*evicted)(void *context, uint32_t page, bool dirty);
	void *context;
};

struct reclaim_ops {
	const char *name;
	const char *also; /* another name of it; NULL: none */
	const char *help;
	/* needs_time: its options may ask for a window in time */
	bool needs_next, needs_time;
	/* its capacity may not change after open */
	bool fixed;
	bool sized; /* it takes objects of sizes, too */
	/* 0 or -ENOMEM, -EINVAL (said) */
	int (*open)(struct reclaim **out, const struct reclaim_config *config);
	void (*close)(struct reclaim *reclaim);
	/* Take references; counts what was missed and calls evicted.  0, -ENOMEM
	 * (said). */
	int (*feed)(struct reclaim *reclaim, const struct reclaim_batch *batch);
	/* The page is gone (unmapped, its process over): its frame is free. */
	void (*drop)(struct reclaim *reclaim, uint32_t page);
	/* The program says that it will not want the page soon (MADV_COLD) or
	 * not what is in it (free: MADV_FREE).  NULL: all the same to it */
	void (*cool)(struct reclaim *reclaim, uint32_t page, bool free);
	/* One page of a large one is a page of its own from here on, as old and
	 * as hot, be it in memory or not.  0, -ENOMEM (said).  NULL: the policy
	 * knows no large pages */
	int (*part)(struct reclaim *reclaim, uint32_t whole, uint32_t part);
	/* Puts what only this policy counts into the result; may be NULL. */
	int (*finish)(const struct reclaim *reclaim, struct result *result);
};

extern const struct reclaim_ops *const reclaim_registry[];

/* The policy's index in the registry; -1: there is none of that name.  Case and
 * dashes do not matter: papers write CLOCK-Pro, S3-FIFO. */
int reclaim_find(const char *name);
/* "fifo, lru, ..." for help and errors. */
extern const char reclaim_names[];
/* Opens the policy of that index.  0, -ENOMEM, -EINVAL (said): no capacity. */
int reclaim_open(struct reclaim **out, const struct reclaim_config *config);
/* NULL is allowed. */
void reclaim_close(struct reclaim *reclaim);
/* reclaim.references, .misses, .refaults, .evictions, .writebacks and what only
 * this policy counts.  0, -ENOMEM. */
int reclaim_finish(const struct reclaim *reclaim, struct result *result);

#endif
