/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the loops of a core share: the ones over accesses (core.c, core-phases.c)
 * and the one over steps (core-steps.c).  For these files and core-miss.c only.
 */
#ifndef MODELS_TRANSLATION_CORE_HOT_H
#define MODELS_TRANSLATION_CORE_HOT_H

#include "models/translation/core.h"

#define PAGE_BYTES UINT64_C(4096)
#define PAGE_MASK  (~(PAGE_BYTES - 1))

/*
 * Which differing bits of tag and key matter to a read and to a write, which
 * must not differ in TLB_READONLY.
 */
#define HOT_READS  (~(TLB_ALWAYS | TLB_READONLY))
#define HOT_WRITES (~TLB_ALWAYS)

/* Packed counters of hits in large pages: 2M and 1G of data, then of fetches;
 * a batch has at most 8192 = 2^13 accesses.  Those of kinds: 16 bits each. */
#define HOT_UNIT_BITS 14u

static ALWAYS_INLINE unsigned
core_hint_hash(uint64_t key)
{
	return (unsigned)((key * TLB_HASH) >> (64 - CORE_HINT_BITS));
}

static ALWAYS_INLINE unsigned
core_hint_at(uint64_t key, uint32_t ref)
{
	return core_hint_hash(key) +
	       ((unsigned)((ref & 3) == SITE_FETCH) << CORE_HINT_BITS);
}

/* The packed counter of a hit in an entry of that size. */
static ALWAYS_INLINE uint64_t
core_unit_of(enum core_side side, unsigned code)
{
	return code ? UINT64_C(1) << HOT_UNIT_BITS * (2 * side + code - 1) : 0;
}

static inline uint64_t
core_walks(const struct core *core)
{
	return core->counts.l2_misses[CORE_DATA] +
	       core->counts.l2_misses[CORE_FETCH];
}

/* Add accesses that were fed: packed counters and instructions. */
void core_count(struct core *core, uint64_t kinds, uint64_t units,
		uint64_t instructions);

/* core_feed, but for core_settle and core_feed_after. */
int core_feed_columns(struct core *core, const struct batch *batch,
		      uint32_t from, uint32_t to);
/* Feed by phases from now on, or no longer; first levels are ranked if so. */
void core_set_heavy(struct core *core, bool heavy);
/* So many accesses were fed, since when there were so many walks: is the core
 * heavy now? */
void core_feed_after(struct core *core, uint64_t walks_before,
		     uint64_t accesses);

/* Where it is watched who touches what: accesses [from, to) are fed from now on;
 * tell of those before a position of the run; of one. */
void core_tell_of(struct core *core, const struct batch *batch, uint32_t from,
		  uint32_t to);
int core_tell(struct core *core, uint64_t position);
int core_tell_one(struct core *core, uint64_t address, uint32_t ref,
		  uint64_t position);

#endif
