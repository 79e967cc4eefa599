/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One core's translation: first-level TLBs for data and fetches, a second
 * level, walk caches and the walker.
 *
 *	access -> hint -> slot matches?  -> stamp it           (nearly all)
 *	             \-> L1 arrays -> L2 arrays -> walk -> fault, walk again
 *
 * Rules, the same for all geometries:
 * - Levels are not inclusive: what leaves L2 stays in L1.  A walk fills both.
 * - A page of a size that no array of a level holds is entered there in pieces
 *   of the largest size that one does hold, as real cores splinter them.  Where
 *   that leaves pieces of a page in the first level and then the whole page
 *   comes in, the pieces go: one address is never in two entries of a level.
 * - An access that crosses pages looks up each of them, in ascending order.
 * - A write to a page that is cached as read-only is a miss at each level, and
 *   drops that entry.
 * - Arrays whose entries are for several pages (tlb-group.h) get from a walk also
 *   those pages that the line of page-table entries it ended in has beside this
 *   one: with frames in a row, the same rights, and walked to before.
 * - Global pages, those of the upper half and what the table says are, are entered
 *   with an ASID of their own, which switches leave alone.
 * - With a granule of 16K or 64K (AArch64) sizes 0, 1 and 2 are those of that
 *   granule.  Hints stay by 4K, and arrays and walk caches know their shifts;
 *   such machines' tables have no `look`, so that the loops over many walks,
 *   which know 4K, 2M and 1G only, never see them.
 * - Only the ASIDs in use are remembered; a space that needs a new one takes
 *   the one given out longest ago, whose entries are flushed (Linux's way).
 */
#ifndef MODELS_TRANSLATION_CORE_H
#define MODELS_TRANSLATION_CORE_H

#include "analyzer/batch.h"
#include "models/memory/hierarchy.h"
#include "models/tables/table.h"
#include "models/translation/core-beside.h"
#include "models/translation/core-steps.h"
#include "models/translation/site-table.h"
#include "models/translation/tlb-group.h"
#include "models/translation/walk-queue.h"
#include "models/translation/walker.h"

enum core_array {
	CORE_L1D,
	CORE_L1D_2M,
	CORE_L1D_1G,
	CORE_L1I,
	CORE_L1I_2M,
	CORE_L1I_1G,
	CORE_L1_ARRAYS,
	CORE_L2 = CORE_L1_ARRAYS,
	CORE_L2_1G,
	CORE_L2I, /* fetches go here if it is there, else to CORE_L2 */
	CORE_ARRAYS,
};

/* "l1d", "l1d-2m", ...: tlb.<name> */
extern const char *const core_array_names[CORE_ARRAYS];

enum core_side {
	CORE_DATA,
	CORE_FETCH,
	CORE_SIDES
};

struct asid_config {
	int64_t asids; /* 0: none, every switch of spaces flushes all */
	bool global;   /* pages of the kernel are of all spaces */
};
extern const struct option_row asid_rows[];

struct core_config {
	struct tlb_config tlb[CORE_ARRAYS];
	struct tlb_config pwc[PWC_LEVELS];
	struct walker_config walker;
	struct walk_queue_config queue;
	struct beside_config beside;
	struct asid_config asid;
	bool data_cached; /* data and fetches go through the hierarchy too */
	bool plain;	  /* no hints: for tests of the hot loop */
	bool watch;	  /* tell who touches what: see core_kernel */
	unsigned granule; /* log2 of the least page; 0: 12.  No option here */
	uint64_t seed;
};

/* What an array holds: at the end, and the most bytes it did. */
struct core_reach {
	uint64_t entries, bytes, peak;
};

#define CORE_PENDING 512u

/* What first-level misses, of one space, were and what they came to. */
struct core_misses {
	unsigned n;
	uint32_t space;
	uint64_t address[CORE_PENDING], position[CORE_PENDING];
	uint32_t site[CORE_PENDING];   /* site references */
	uint32_t cycles[CORE_PENDING]; /* of the walk that found the page */
	bool walked[CORE_PENDING];
	/* which were the first walks to a page since it was mapped */
	uint16_t first[CORE_PENDING];
	unsigned n_first;
};

/* Who pages in and who wants to know. */
struct core_kernel {
	void *context;
	/* As paging_fault. */
	int (*fault)(void *context, uint32_t space, uint64_t address,
		     enum site_kind kind, uint64_t position,
		     struct mapping *mapping);
	/* In order; not always at once, but before the end of core_feed */
	void (*missed)(void *context, const struct core_misses *misses);
	/*
	 * With core_config.watch: this was accessed; in order, and before the
	 * next fault.  Of a 4K page, part of a larger one or not, it is told at
	 * least the first time since anything of it was invalidated.  0 or
	 * -ENOMEM (said).
	 */
	int (*touched)(void *context, uint32_t space, uint64_t address,
		       uint64_t position);
};

#define CORE_HINT_BITS	11u
#define CORE_PROBES_MAX 9u

/* One size in one array. */
struct core_probe {
	struct tlb *tlb;
	const uint32_t *used; /* entries of that size in it now */
	unsigned shift, code;
};

/* What one side of a level asks, and where a page of each size goes. */
struct core_level {
	struct core_probe probe[CORE_PROBES_MAX], active[CORE_PROBES_MAX];
	unsigned n, n_active; /* active: of the sizes that are there now */
	struct tlb *home[TLB_SIZES]; /* NULL: held nowhere */
	unsigned piece[TLB_SIZES];   /* as which size it goes in */
	bool overlaps[TLB_SIZES];    /* pieces of it may be there already */
};

struct core_counts {
	uint64_t kinds[4]; /* accesses by enum site_kind */
	uint64_t instructions;
	uint64_t crossings; /* page lookups beyond one an access */
	uint64_t lookups[CORE_SIDES];
	uint64_t l1_misses[CORE_SIDES];
	uint64_t l1_large[CORE_SIDES][TLB_SIZES]; /* hits; [0] unused */
	uint64_t l2_hits[CORE_SIDES][TLB_SIZES];
	uint64_t l2_misses[CORE_SIDES];
	uint64_t l2_cycles;
	uint64_t walks[TLB_SIZES]; /* by the size that was found */
	uint64_t untranslated;	   /* the program was denied the access */
	uint64_t flushes, switches;
};

/* With core_config.watch: accesses under way, [at, n) of which are to be told. */
struct core_telling {
	const uint64_t *address;
	const uint32_t *site;
	uint32_t at, n;
	uint64_t position; /* of [0] in the run */
};

struct core {
	struct tlb tlb[CORE_ARRAYS];
	struct core_level l1[CORE_SIDES], l2[CORE_SIDES];
	struct tlb_columns l1_column; /* owned: all L1 arrays; [0] stays free */
	uint16_t *hint; /* owned: [side << CORE_HINT_BITS | hash] -> its slot */
	/* owned: by hint, the page and ASID that were told of last; NULL: nobody
	 * watches */
	uint64_t *known;
	struct core_telling telling;
	struct walker walker;
	struct walk_queue queue;
	struct core_beside *beside;  /* owned; NULL: nothing of it */
	struct hierarchy *hierarchy; /* borrowed */
	struct core_kernel kernel;
	struct site_table sites;
	struct core_steps steps;
	struct core_pending *pending; /* owned; core-miss.h */
	struct core_phases *phases;   /* owned; core-phases.c */
	unsigned line_shift[CORE_SIDES];
	uint64_t offset_mask; /* of an address in the least page */
	bool data_cached, plain;
	bool odd;     /* it has parts that phases know nothing of */
	bool grouped; /* of these: arrays as in tlb-group.h */
	bool globals; /* entries of TLB_ASID_GLOBAL */
	bool ahead;   /* the walk at hand is a prefetch's */
	bool flat;    /* all references of walks cost the same, and of no other
		    * kind are any: they are counted where they are made */
	bool vectors, short_vectors; /* the host has what core-phases.c wants */
	bool sizes_changed;	     /* some level's `active` is out of date */
	uint32_t activated; /* how often they were brought up to date */
	bool heavy;	    /* the last batch had many walks: core-phases.c */
	int error;	    /* of counting */

	uint32_t space;
	struct table *table; /* of the space, borrowed */
	uint64_t asid;
	uint32_t n_asids, next_asid;
	uint32_t asid_space[TLB_ASID_MAX + 1];

	uint64_t position;  /* accesses of the run before this call */
	uint64_t elsewhere; /* of these, those that other cores made */
	uint64_t now;	    /* added to a position: the stamp of its use */
	uint64_t l2_now;
	struct core_counts counts;
	struct core_reach added[CORE_ARRAYS]; /* of cores added to this one */
};

/* The configuration must be right (tlb_config_wrong).  0 or -ENOMEM. */
int core_init(struct core *core, const struct core_config *config,
	      const struct core_kernel *kernel, struct hierarchy *hierarchy);
void core_fini(struct core *core);

/* All that is touched from now on is to be told once more. */
void core_forget(struct core *core);

/* From now on the core runs this space. */
void core_switch(struct core *core, uint32_t space, struct table *table);

/*
 * Accesses [from, to) of a batch; the sites they refer to are in the stream.
 * 0, or what kernel->fault returned, or -ENOMEM (said).
 */
int core_feed(struct core *core, const struct batch *batch, uint32_t from,
	      uint32_t to);

/* Stale translations; length UINT64_MAX: all of the space.  False: the core
 * holds nothing of this space. */
bool core_invalidate(struct core *core, uint32_t space, uint64_t address,
		     uint64_t length);

/* Accesses fed to it. */
uint64_t core_accesses(const struct core *core);
/* Add what another core counted, but for sites.  0 or -ENOMEM (said). */
int core_add(struct core *core, const struct core *other);

/* accesses.*, tlb.*, table tlb.reach, walk.*, pwc.*, translation.cycles, tlb.sizes, sites */
int core_finish(const struct core *core, const struct stream *stream,
		struct result *result);

#endif
