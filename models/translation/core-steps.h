/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeding packed batches to a core step by step, without making columns.
 *
 * What a step accesses is known but for its roots.  Its accesses fall into a
 * few groups that lie in one page nearly always:
 *
 *	fetches of one page          the page is known
 *	root[slot] + [from, to)      of data, near each other
 *
 * If a group is in one page and that page's entry is where the hint says, all
 * its accesses are hits, which only set the entry's stamp, to that of the last
 * of them.  If that is so of all groups of a step, the step is fed by
 * setting so many stamps and adding up what is known of it; else nothing has
 * been changed yet, and its accesses are fed one by one.  So the result is that of
 * the columns, exactly (a test feeds both).
 *
 * Mostly it is one page that is missing.  Then what matters is the first access
 * of each group: who comes after it finds its page.  That needs arrays in which
 * the pages of a step, stamped when first touched, are never the oldest: LRU
 * with more ways than a step has groups (`lone`).
 */
#ifndef MODELS_TRANSLATION_CORE_STEPS_H
#define MODELS_TRANSLATION_CORE_STEPS_H

#include "analyzer/batch.h"

struct core;

struct core_group {
	uint64_t from;	/* of its lowest byte: displacement to the root */
	uint16_t limit; /* greatest offset in a page of that byte */
	int16_t must;	/* tag bits that may not differ; 0: there is no group;
			 * all: it never matches (feed the step one by one) */
	int8_t root;	/* -1: constant */
	uint8_t last;	/* of its accesses, counted in the step */
	uint8_t count;	/* of accesses */
	bool fetch;
};

/* One cache line. */
struct core_step {
	uint64_t kinds;	     /* packed counters of its accesses */
	uint64_t fetch_page; /* of its fetches */
	/* Of data and with roots, in order of last; there may be less. */
	struct core_group first, second;
	uint32_t rest; /* number of the first further group */
	uint16_t n_slots;
	int16_t fetch_must;
	uint16_t instructions;
	uint8_t n_accesses;
	uint8_t n_groups; /* first, second, rest */
	uint8_t fetch_last, fetch_count;
};

/* A group by its first access, for when its page is missing. */
struct core_opening {
	uint64_t displacement; /* of the access to the root */
	uint64_t from;	       /* as in core_group */
	uint32_t ref;
	uint16_t limit;
	int16_t must;
	uint8_t slot; /* 1 + number of the root, 0: constant */
	uint8_t at;   /* of that access, counted in the step */
	uint8_t last, count;
};

#define CORE_OPENINGS	4u
#define CORE_GROUPS_MAX 32

struct core_steps {
	const struct stream *stream; /* borrowed */
	struct core_step *step;	     /* owned, by number */
	/* owned, by number: where a step has so few groups, in the order of
	 * their first accesses; the rest, or all, have count 0 */
	struct core_opening (*opening)[CORE_OPENINGS];
	bool lone; /* those may be used */
	uint32_t n, room;
	struct core_group *rest; /* owned */
	uint32_t n_rest, rest_room;
	struct batch own; /* columns of a step or a batch, for one by one */
};

/* 0 or -ENOMEM. */
int core_steps_init(struct core_steps *steps);
void core_steps_fini(struct core_steps *steps);

/* Make entries of all steps that the stream has now.  0 or -ENOMEM (said). */
int core_steps_learn(struct core *core, const struct stream *stream);

/* A batch on its way through a core. */
struct core_pass {
	const struct batch *batch;
	bool stepwise;
	struct batch columns; /* what is fed if not stepwise */
	uint32_t at;	      /* accesses fed */
	/* stepwise: the step that access is in, where it and its roots begin */
	uint32_t step, step_at, root;
	uint64_t walks; /* before it */
};

/*
 * Begin with a batch of the stream, packed or not; the core's sites must be those
 * of the batch at least.  0 or -ENOMEM (said).
 */
int core_pass_begin(struct core *core, struct core_pass *pass,
		    const struct stream *stream, const struct batch *batch);

/* From here on another core goes on with it, which must have the first one's
 * sites and steps. */
void core_pass_move(struct core *core, struct core_pass *pass);

/* Feed all accesses before position `to`.  As core_feed. */
int core_pass_feed(struct core *core, struct core_pass *pass, uint32_t to);

#endif
