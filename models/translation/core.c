// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One core's translation; core.h has the picture and the rules.
 *
 * The hot loop knows no levels and sizes.  A hint, found by hashing the page
 * number, names one first-level entry; if that entry covers the access (tag,
 * cover, rights and length are compared in one go, see allow[]) it is a hit, and
 * all that a hit does is to stamp the entry and to add its unit.  A hint may be
 * wrong, an entry never is: whatever does not match takes the full way through
 * the arrays, which sets the hint.  So hints change no count (tests feed both
 * ways).  No branch depends on kind, size or side: 1.3 ns an access on the
 * machine that tests/bench/bench.sh names where hints hit.
 */
#include "models/translation/core-miss.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/vectors.h"
#include "models/translation/replacement.h"

#define NEAR_END (4096u - 64u) /* of a page: a short access may cross */
#define HEAVY	 8u	       /* one walk in so many accesses is heavy */
#define ROWS_AT	 8u	       /* where the first level's columns begin */

#define KNOWN_BYTES (sizeof(uint64_t) * CORE_SIDES << CORE_HINT_BITS)
#define KNOWN_FEW   UINT64_C(64) /* pages that are forgotten one by one */

const char *const core_array_names[CORE_ARRAYS] = {
	"l1d",	  "l1d-2m", "l1d-1g", "l1i", "l1i-2m",
	"l1i-1g", "l2",	    "l2-1g",  "l2i",
};

const struct option_row asid_rows[] = {
	{ .name = "asids",
	  .type = OPTION_INT,
	  .offset = offsetof(struct asid_config, asids),
	  .fallback = "6",
	  .max = TLB_ASID_MAX,
	  .unit = "spaces",
	  .help = "address spaces that the TLBs tell apart (Linux uses 6 a "
		  "core on x86), 0: every switch flushes" },
	{ .name = "global",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct asid_config, global),
	  .fallback = "false",
	  .help = "pages of the upper half, the kernel's, are global: one "
		  "entry serves all spaces and stays at switches" },
	{ NULL },
};

/*
 * Which differing bits of tag and key do not matter, by the low bits of a site
 * reference.  TLB_ALWAYS always differs: so a wide access (4 .. 7) never
 * matches.  A store must not differ in TLB_READONLY.
 */
static const struct {
	uint64_t must, kinds;
} allow[8] = {
	[SITE_LOAD] = { HOT_READS, UINT64_C(1) },
	[SITE_STORE] = { HOT_WRITES, UINT64_C(1) << 16 },
	[SITE_MODIFY] = { HOT_WRITES, UINT64_C(1) << 32 },
	[SITE_FETCH] = { HOT_READS, UINT64_C(1) << 48 },
	[SITE_WIDE | SITE_LOAD] = { UINT64_MAX, UINT64_C(1) },
	[SITE_WIDE | SITE_STORE] = { UINT64_MAX, UINT64_C(1) << 16 },
	[SITE_WIDE | SITE_MODIFY] = { UINT64_MAX, UINT64_C(1) << 32 },
	[SITE_WIDE | SITE_FETCH] = { UINT64_MAX, UINT64_C(1) << 48 },
};

static void
level_add(struct core_level *level, struct tlb *tlb, enum core_side side)
{
	if (!tlb->entries)
		return;
	for (unsigned i = 0; i < tlb->n_sizes; i++) {
		unsigned code = tlb->code[i];

		tlb->unit_of[code] = core_unit_of(side, code);
		level->probe[level->n++] =
			(struct core_probe){ tlb, &tlb->used_by[code],
					     tlb->shift[i], code };
		if (!level->home[code]) {
			level->home[code] = tlb;
			level->piece[code] = code;
		}
	}
}

/* Sizes that no array holds go in as pieces of the next smaller one. */
static void
level_splinter(struct core_level *level)
{
	for (unsigned code = 1; code < TLB_SIZES; code++)
		if (!level->home[code]) {
			level->home[code] = level->home[code - 1];
			level->piece[code] = level->piece[code - 1];
		}
}

static void
build_levels(struct core *core)
{
	struct tlb *tlb = core->tlb;

	for (unsigned i = 0; i < 3; i++) {
		level_add(&core->l1[CORE_DATA], &tlb[CORE_L1D + i], CORE_DATA);
		level_add(&core->l1[CORE_FETCH], &tlb[CORE_L1I + i],
			  CORE_FETCH);
	}
	level_add(&core->l2[CORE_DATA], &tlb[CORE_L2], CORE_DATA);
	level_add(&core->l2[CORE_DATA], &tlb[CORE_L2_1G], CORE_DATA);
	if (tlb[CORE_L2I].entries) {
		level_add(&core->l2[CORE_FETCH], &tlb[CORE_L2I], CORE_FETCH);
	} else {
		level_add(&core->l2[CORE_FETCH], &tlb[CORE_L2], CORE_FETCH);
		level_add(&core->l2[CORE_FETCH], &tlb[CORE_L2_1G], CORE_FETCH);
	}
	for (unsigned side = 0; side < CORE_SIDES; side++) {
		struct core_level *l1 = &core->l1[side], *l2 = &core->l2[side];

		level_splinter(l1);
		level_splinter(l2);
		for (unsigned code = 0; code < TLB_SIZES; code++)
			l1->overlaps[code] =
				l2->n &&
				l1->piece[code] != l1->piece[l2->piece[code]];
	}
}

static int
init_arrays(struct core *core, const struct core_config *config)
{
	/* [0] stays free, and so do some more: rows lie in lines of the host */
	size_t n = ROWS_AT, next = ROWS_AT;

	for (unsigned i = 0; i < CORE_L1_ARRAYS; i++)
		n += (size_t)config->tlb[i].entries;
	if (config->watch) {
		core->known = malloc(KNOWN_BYTES);
		if (!core->known)
			return -ENOMEM;
		core_forget(core);
	}
	core->hint = calloc((size_t)CORE_SIDES << CORE_HINT_BITS,
			    sizeof(*core->hint));
	if (!core->hint || tlb_columns_init(&core->l1_column, n, true))
		return -ENOMEM;
	for (unsigned i = 0; i < CORE_ARRAYS; i++) {
		bool first = i < CORE_L1_ARRAYS;
		struct tlb_config array = config->tlb[i];
		int error;

		array.granule = config->granule;
		error = tlb_init(&core->tlb[i], &array,
				 first ? &core->l1_column : NULL, next,
				 config->seed + i);
		if (error)
			return error;
		next += first ? core->tlb[i].entries : 0;
	}
	return 0;
}

/* May steps be fed by their groups' first accesses?  core-steps.h has why. */
static bool
first_level_lone(const struct core *core)
{
	for (unsigned i = 0; i < CORE_L1_ARRAYS; i++) {
		const struct tlb *tlb = &core->tlb[i];

		if (tlb->entries &&
		    (!tlb->replacement->ranked || tlb->ways < CORE_OPENINGS))
			return false;
	}
	return true;
}

/* Which parts are there that not all loops know? */
static void
find_oddities(struct core *core)
{
	for (unsigned i = 0; i < CORE_ARRAYS; i++) {
		bool grouped = core->tlb[i].group != NULL;

		core->grouped |= grouped;
		core->plain |= grouped && i < CORE_L1_ARRAYS;
	}
	core->odd = core->grouped || core->globals || core->beside;
}

/* How references are cut: without a first-level cache, in 64 bytes. */
static unsigned
line_shift(const struct cache *cache)
{
	return cache_exists(cache) ? cache->line_shift : 6;
}

int
core_init(struct core *core, const struct core_config *config,
	  const struct core_kernel *kernel, struct hierarchy *hierarchy)
{
	unsigned granule = config->granule ? config->granule : TLB_SHIFT(0);
	struct walker_config walker = config->walker;
	struct beside_config beside = config->beside;
	int error;

	walker.pwc.granule = beside.prefetch.granule = granule;
	*core = (struct core){ .kernel = *kernel,
			       .hierarchy = hierarchy,
			       .data_cached = config->data_cached,
			       .plain = config->plain,
			       .flat = !config->data_cached &&
				       config->queue.cycles_per_access <= 0 &&
				       hierarchy_walks_uncached(hierarchy),
			       .vectors = vectors_at_hand(),
			       .short_vectors = short_vectors_at_hand(),
			       .space = SPACE_NONE,
			       .n_asids = (uint32_t)config->asid.asids,
			       .globals = config->asid.global,
			       .offset_mask = (UINT64_C(1) << granule) - 1,
			       .now = 1,
			       .l2_now = 1 };
	error = init_arrays(core, config);
	core->pending = calloc(1, sizeof(*core->pending));
	core->phases = core_phases_open();
	if (!error && (!core->pending || !core->phases))
		error = -ENOMEM;
	if (!error)
		error = core_steps_init(&core->steps);
	if (!error)
		error = walker_init(&core->walker, &walker, config->pwc,
				    hierarchy, config->seed + CORE_ARRAYS);
	if (!error)
		error = walk_queue_init(&core->queue, &config->queue);
	if (!error)
		error = core_beside_open(&core->beside, &beside);
	if (error) {
		core_fini(core);
		return error;
	}
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		core->tlb[i].sizes_changed = &core->sizes_changed;
	build_levels(core);
	core->steps.lone = first_level_lone(core);
	find_oddities(core);
	core->line_shift[CORE_DATA] = line_shift(&hierarchy->l1d);
	core->line_shift[CORE_FETCH] = line_shift(&hierarchy->l1i);
	for (uint32_t i = 0; i <= TLB_ASID_MAX; i++)
		core->asid_space[i] = SPACE_NONE;
	return 0;
}

void
core_fini(struct core *core)
{
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		tlb_fini(&core->tlb[i]);
	walker_fini(&core->walker);
	walk_queue_fini(&core->queue);
	core_beside_close(core->beside);
	core->beside = NULL;
	site_table_fini(&core->sites);
	core_steps_fini(&core->steps);
	tlb_columns_fini(&core->l1_column);
	free(core->pending);
	core->pending = NULL;
	free(core->phases);
	core->phases = NULL;
	free(core->hint);
	core->hint = NULL;
	free(core->known);
	core->known = NULL;
}

void
core_forget(struct core *core)
{
	if (core->known)
		memset(core->known, 0xff, KNOWN_BYTES);
}

/* What is touched there is to be told once more. */
static void
forget_known(struct core *core, uint64_t asid, uint64_t address,
	     uint64_t length)
{
	uint64_t at = address & PAGE_MASK, last = address + length - 1;

	if (!core->known || !length)
		return;
	if (length > KNOWN_FEW * PAGE_BYTES) {
		core_forget(core);
		return;
	}
	for (uint64_t left = (last - at) / PAGE_BYTES + 1; left; left--) {
		uint64_t key = at | asid;

		core->known[core_hint_hash(key)] = UINT64_MAX;
		core->known[core_hint_hash(key) + (1u << CORE_HINT_BITS)] =
			UINT64_MAX;
		at += PAGE_BYTES;
	}
}

int
core_tell_one(struct core *core, uint64_t address, uint32_t ref,
	      uint64_t position)
{
	uint64_t key = (address & PAGE_MASK) | core->asid;
	uint64_t *known = &core->known[core_hint_at(key, ref)];

	if (likely(*known == key))
		return 0;
	*known = key;
	return core->kernel.touched(core->kernel.context, core->space, address,
				    position);
}

/* All pages of an access, as lookup_pages goes through them. */
static int
tell_pages(struct core *core, uint64_t address, uint32_t ref, uint64_t position)
{
	uint64_t bytes = core->sites.bytes[SITE_INDEX(ref)];
	uint64_t last = address + (bytes ? bytes - 1 : 0);
	int error = core_tell_one(core, address, ref, position);

	if (likely((address & ~PAGE_MASK) + bytes <= PAGE_BYTES ||
		   SITE_KIND(ref) == SITE_FETCH))
		return error;
	if (last < address)
		last = UINT64_MAX;
	while (!error && (address | ~PAGE_MASK) < last) {
		address = (address | ~PAGE_MASK) + 1;
		error = core_tell_one(core, address, ref, position);
	}
	return error;
}

void
core_tell_of(struct core *core, const struct batch *batch, uint32_t from,
	     uint32_t to)
{
	core->telling =
		(struct core_telling){ .address = batch->address,
				       .site = batch->site,
				       .at = from,
				       .n = to,
				       .position = core->position - from };
}

int
core_tell(struct core *core, uint64_t position)
{
	struct core_telling *telling = &core->telling;
	int error = 0;

	if (!core->known || position <= telling->position)
		return 0;
	while (!error && telling->at < telling->n &&
	       telling->at < position - telling->position) {
		uint32_t i = telling->at++;

		error = tell_pages(core, telling->address[i], telling->site[i],
				   telling->position + i);
	}
	return error;
}

static void
flush_asid(struct core *core, uint64_t asid)
{
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		tlb_flush_asid(&core->tlb[i], asid);
	pwc_flush_asid(&core->walker.pwc, asid);
	aside_flush_asid(&core->walker.aside, asid);
	if (core->beside)
		core_beside_flush_asid(core->beside, asid);
	forget_known(core, asid, 0, UINT64_MAX);
}

static void
take_space(struct core *core, uint32_t space)
{
	if (core->space == space)
		return;
	core->counts.switches += core->space != SPACE_NONE;
	core->space = space;
	if (!core->n_asids) {
		flush_asid(core, 0);
		core->asid_space[0] = space;
		return;
	}
	for (uint32_t i = 0; i < core->n_asids; i++)
		if (core->asid_space[i] == space) {
			core->asid = i;
			return;
		}
	core->asid = core->next_asid;
	core->next_asid = (core->next_asid + 1) % core->n_asids;
	if (core->asid_space[core->asid] != SPACE_NONE)
		flush_asid(core, core->asid);
	core->asid_space[core->asid] = space;
}

void
core_switch(struct core *core, uint32_t space, struct table *table)
{
	core->table = table;
	take_space(core, space);
	table->aside = &core->walker.aside;
	table->asid = core->asid;
	table->bits_only = !core->data_cached;
}

static void
invalidate_arrays(struct core *core, uint64_t asid, uint64_t address,
		  uint64_t length)
{
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		tlb_invalidate(&core->tlb[i], asid, address, length);
}

static void
invalidate_beside(struct core *core, uint32_t space, uint64_t asid,
		  uint64_t address, uint64_t length)
{
	if (core->globals && length != UINT64_MAX)
		core_beside_invalidate(core->beside, SPACE_NONE,
				       TLB_ASID_GLOBAL, address, length);
	if (core_beside_invalidate(core->beside, space,
				   asid > TLB_ASID_MAX ? UINT64_MAX : asid,
				   address, length))
		core->error = -ENOMEM;
}

bool
core_invalidate(struct core *core, uint32_t space, uint64_t address,
		uint64_t length)
{
	uint32_t asid = 0;

	/* whoever goes, the kernel's pages stay */
	if (core->globals && length != UINT64_MAX)
		invalidate_arrays(core, TLB_ASID_GLOBAL, address, length);
	while (asid <= TLB_ASID_MAX && core->asid_space[asid] != space)
		asid++;
	if (core->beside)
		invalidate_beside(core, space, asid, address, length);
	if (asid > TLB_ASID_MAX)
		return false;
	core->counts.flushes++;
	if (length == UINT64_MAX) {
		flush_asid(core, asid);
		return true;
	}
	forget_known(core, asid, address, length);
	invalidate_arrays(core, asid, address, length);
	pwc_invalidate(&core->walker.pwc, asid, address, length);
	aside_invalidate(&core->walker.aside, asid, address, length);
	return true;
}

static void
count_units(struct core *core, uint64_t units)
{
	const uint64_t mask = (UINT64_C(1) << HOT_UNIT_BITS) - 1;

	for (unsigned side = 0; side < CORE_SIDES; side++)
		for (unsigned code = 1; code < TLB_SIZES; code++) {
			core->counts.l1_large[side][code] += units & mask;
			units >>= HOT_UNIT_BITS;
		}
}

void
core_count(struct core *core, uint64_t kinds, uint64_t units,
	   uint64_t instructions)
{
	core->counts.instructions += instructions;
	count_units(core, units);
	for (unsigned kind = 0; kind < 4; kind++) {
		uint64_t n = kinds >> 16 * kind & 0xffff;

		core->counts.kinds[kind] += n;
		core->counts
			.lookups[kind == SITE_FETCH ? CORE_FETCH : CORE_DATA] +=
			n;
	}
}

/* What the loop below is compiled for. */
struct variant {
	bool data, plain, detailed;
};

/* The loop that all the time goes into.  variant is a constant. */
static ALWAYS_INLINE int
feed(struct core *core, const struct batch *batch, uint32_t from, uint32_t to,
     const struct variant variant)
{
	const struct tlb_columns column = core->l1_column;
	const uint16_t *hint = core->hint;
	const uint8_t *instructions = core->sites.instructions;
	const uint16_t *bytes = core->sites.bytes;
	uint64_t kinds = 0, units = 0, begun = 0, asid = core->asid;
	uint64_t now;
	int error = 0;

	core->now -= from;
	now = core->now;
	for (uint32_t i = from; i < to; i++) {
		uint64_t address = batch->address[i];
		uint32_t ref = batch->site[i];
		uint64_t key = (address & PAGE_MASK) | asid;
		unsigned slot = hint[core_hint_at(key, ref)];
		uint64_t wrong = (column.tag[slot] ^ key) & column.cover[slot] &
				 allow[ref & 7].must;

		kinds += allow[ref & 7].kinds;
		begun += instructions[SITE_INDEX(ref)];
		if (unlikely(wrong || variant.plain ||
			     (address & ~PAGE_MASK) > NEAR_END)) {
			error = core_lookup(core, batch, i, from);
			if (unlikely(error)) {
				to = i + 1;
				break;
			}
			now = core->now;
			continue;
		}
		column.stamp[slot] = now + i;
		units += column.unit[slot];
		if (variant.detailed)
			core_reference_detailed(core,
						column.frame[slot] +
							(address &
							 (~column.cover[slot] |
							  ~PAGE_MASK)),
						address, bytes[SITE_INDEX(ref)],
						ref);
		if (variant.data)
			core_reference(core,
				       column.frame[slot] +
					       (address & (~column.cover[slot] |
							   ~PAGE_MASK)),
				       bytes[SITE_INDEX(ref)], ref, false);
	}
	core->now += to;
	core->position += to - from;
	core_count(core, kinds, units, begun);
	return error;
}

int
core_feed_columns(struct core *core, const struct batch *batch, uint32_t from,
		  uint32_t to)
{
	if (core->plain)
		return feed(core, batch, from, to,
			    (struct variant){ .plain = true });
	if (core->data_cached && core->hierarchy->details)
		return feed(core, batch, from, to,
			    (struct variant){ .detailed = true });
	if (core->heavy)
		return core_feed_phases(core, batch, from, to);
	if (core->data_cached)
		return feed(core, batch, from, to,
			    (struct variant){ .data = true });
	return feed(core, batch, from, to, (struct variant){ .plain = false });
}

void
core_set_heavy(struct core *core, bool heavy)
{
	for (unsigned i = 0; i < CORE_L1_ARRAYS && core->heavy != heavy; i++)
		if (heavy)
			tlb_rank(&core->tlb[i]);
		else
			tlb_unrank(&core->tlb[i], core->now);
	core->heavy = heavy;
}

void
core_feed_after(struct core *core, uint64_t walks_before, uint64_t accesses)
{
	core_set_heavy(core, !core->plain && !core->odd &&
				     core->table->ops->look &&
				     !core->walker.pwc.special &&
				     !(core->data_cached &&
				       core->hierarchy->details) &&
				     core_walks(core) - walks_before >
					     accesses / HEAVY);
}

int
core_feed(struct core *core, const struct batch *batch, uint32_t from,
	  uint32_t to)
{
	uint64_t before = core_walks(core);
	int error = core_feed_columns(core, batch, from, to);

	core_settle(core);
	core_feed_after(core, before, to - from);
	return error ? error : core->error;
}
