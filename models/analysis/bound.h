/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long can the translation of a region of code or time take at most, with
 * this TLB and table, cold at its beginning?
 *
 *	all its pages fit in the last level, set by set (no set is given more
 *	pages than it has ways): each page walks once, whatever the policy
 *	else: each lookup walks
 *	a walk: every level of the table from memory
 *
 * Locked memory (mlock, MAP_POPULATE) takes no faults; else each page may take
 * two (the zero page, then a copy).  An invalidated page may walk once more.
 */
#ifndef MODELS_ANALYSIS_BOUND_H
#define MODELS_ANALYSIS_BOUND_H

#include "analyzer/batch.h"
#include "analyzer/option.h"
#include "analyzer/result.h"

struct bound_config {
	char *region; /* owned; NULL or "": nobody asks */
	int64_t fault_cycles;
};

extern const struct option_row bound_rows[]; /* prefix "bound" */

/* Is this a region?  false: it is none. */
bool bound_region_parse(const char *text, uint64_t *from, uint64_t *to,
			bool *code);

/* Of the machine */
struct bound_machine {
	uint64_t entries, ways; /* of the last level; ways 0: one set */
	uint64_t hit_cycles;	/* at most, of a lookup that hits */
	uint64_t walk_cycles;	/* at most, of a walk */
	const char *why;	/* there is no bound; NULL: there is */
};

struct bound;

/* region: a right one.  0 or -ENOMEM (said). */
int bound_open(struct bound **out, const struct bound_config *config,
	       const struct bound_machine *machine);
void bound_close(struct bound *bound);

/* Accesses [from, to) of a batch with columns, before they are fed; position:
 * accesses of the run before the batch.  0 or -ENOMEM (said). */
struct bound_part {
	uint32_t from, to;
	uint64_t position;
};
int bound_accesses(struct bound *bound, const struct stream *stream,
		   const struct batch *batch, const struct bound_part *part);
/* One first-level miss: what it came to. */
void bound_missed(struct bound *bound, uint64_t pc, uint64_t position,
		  bool walked, uint64_t cycles);
/* Translations went; length UINT64_MAX: of the whole space. */
void bound_invalidated(struct bound *bound, uint64_t address, uint64_t length);

/* bound.*; large: there were pages of more than 4K. */
int bound_finish(const struct bound *bound, bool large, struct result *result);

#endif
