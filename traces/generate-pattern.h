/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between traces/generate.c, which is the source, and the patterns.
 */
#ifndef TRACES_GENERATE_PATTERN_H
#define TRACES_GENERATE_PATTERN_H

#include "analyzer/source.h"
#include "traces/generate.h"
#include "traces/zipf.h"

#define GENERATE_PAGE 4096u
#define GENERATE_SIZE 8u /* bytes of each access */

struct generate_config {
	uint64_t n, pages, seed, stride, base, phase;
	double s, writes, hot, hot_share;
};

/* Who makes an access: two sites each, so that sites can be predicted. */
enum generate_part {
	GENERATE_SEQUENTIAL,
	GENERATE_UNIFORM,
	GENERATE_ZIPF,
	GENERATE_CHASE,
	GENERATE_HOT,
	GENERATE_PARTS
};

struct pattern;

struct generate {
	struct source source;
	struct generate_config config;
	const struct pattern *pattern;
	uint64_t done; /* accesses before this batch */

	struct random random;
	struct zipf zipf;
	struct permutation scatter; /* zipf's rank -> page */
	struct permutation chase;   /* the chase's step -> page */
	uint64_t bytes;		    /* of the region */
	uint64_t cursor;	    /* of the sequential part: bytes */
	uint64_t step;		    /* of the chase */
	uint64_t hot_pages, hot_first;
	uint32_t write_below;		 /* of 65536: stores */
	uint32_t ref[GENERATE_PARTS][2]; /* site references: load, store */

	uint32_t mark[8]; /* phases: file numbers of their names + 1 */
};

struct pattern {
	struct generate_pattern shown;
	uint64_t stride; /* where the spec names none */
	bool zipf;	 /* it needs the table */
	/* Append n accesses; the caller has checked the room. */
	void (*fill)(struct generate *generate, struct batch *batch,
		     uint32_t n);
	/*
	 * Before a fill: how many it may be asked for, of at most n; may add
	 * events.  NULL: n.  A negative errno (said).
	 */
	int (*prepare)(struct generate *generate, struct batch *batch,
		       uint32_t n);
};

/* Ends with one whose shown.name is NULL. */
extern const struct pattern generate_patterns[];

#endif
