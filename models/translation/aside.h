/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a walker keeps beside its caches of levels, because the kind of the page
 * table wants it: a nested TLB, caches of cuckoo walks.  Named arrays that the
 * table asks while it walks.  What they say is the table's to know: an array
 * holds only that it is known.
 */
#ifndef MODELS_TRANSLATION_ASIDE_H
#define MODELS_TRANSLATION_ASIDE_H

#include "analyzer/result.h"
#include "models/translation/tlb.h"

#define ASIDE_MAX 6u
#define ASIDE_RUN 4096u /* numbers of one aside_run are below that */

struct aside_array {
	struct tlb tlb;
	const char *name;  /* "nested.tlb": of its values */
	bool of_addresses; /* of spaces: it is flushed as TLBs are */
	unsigned shift;	   /* log2 of the bytes that an entry is about */
	unsigned level;	   /* of a table's levels it is of; 0: of none */
	uint64_t lookups, hits;
};

struct aside {
	struct aside_array array[ASIDE_MAX];
	unsigned n;
	bool beside; /* references of a walk may be made at the same time */
	uint64_t now;
	/* NULL, or who wants to know what is asked, one by one (explain.c) */
	void (*asked)(void *context, const struct aside_array *array,
		      uint64_t address, bool hit);
	void *context;
};

/* One more, of a right configuration.  0 or -ENOMEM. */
int aside_add(struct aside *aside, const char *name,
	      const struct tlb_config *config, unsigned shift,
	      bool of_addresses, uint64_t seed);
void aside_fini(struct aside *aside);

/* Is it known?  If not, it is from now on. */
static ALWAYS_INLINE bool
aside_use(struct aside *aside, unsigned i, uint64_t address, uint64_t asid)
{
	struct aside_array *array = &aside->array[i];
	uint64_t key = tlb_key(address, array->shift, 0, asid);
	uint32_t slot;

	if (!array->tlb.entries)
		return false;
	aside->now++;
	array->lookups++;
	slot = tlb_find(&array->tlb, key, array->shift);
	if (unlikely(aside->asked != NULL))
		aside->asked(aside->context, array, address,
			     slot != TLB_NO_SLOT);
	if (slot == TLB_NO_SLOT) {
		tlb_fill(&array->tlb, key, array->shift, aside->now);
		return false;
	}
	array->hits++;
	tlb_touch(&array->tlb, slot, aside->now);
	return true;
}

/*
 * The same for many: addresses number list[0], list[1], ... below ASIDE_RUN.
 * Those that are not known stay in the list, as ordered; returns their number.
 */
unsigned aside_run(struct aside *aside, unsigned i, const uint64_t *address,
		   uint64_t asid, uint16_t *list, unsigned n);

void aside_flush_asid(struct aside *aside, uint64_t asid);
void aside_invalidate(struct aside *aside, uint64_t asid, uint64_t address,
		      uint64_t length);

/* Add what another of the same arrays counted. */
void aside_count(struct aside *aside, const struct aside *other);

/* NAME.lookups and .hits of each array that has entries. */
int aside_finish(const struct aside *aside, struct result *result);

#endif
