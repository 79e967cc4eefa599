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
 * machine of tests/bench/README.md where hints hit.
 */
#include "models/translation/core.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define PAGE_BYTES  UINT64_C(4096)
#define PAGE_MASK   (~(PAGE_BYTES - 1))
#define NEAR_END    (4096u - 64u) /* of a page: a short access may cross */
#define UNIT_BITS   14u		  /* a batch has at most 8192 = 2^13 hits */
#define AHEAD	    8u		  /* accesses that look_ahead is ahead */
#define AHEAD_WORTH 16u /* one walk in so many accesses makes it pay */

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
	{ NULL },
};

/*
 * Which differing bits of tag and key do not matter, by the low bits of a site
 * reference.  TLB_ALWAYS always differs: so a wide access (4 .. 7) never
 * matches.  A store must not differ in TLB_READONLY.
 */
#define READS  (~(TLB_ALWAYS | TLB_READONLY))
#define WRITES (~TLB_ALWAYS)
static const struct {
	uint64_t must, kinds;
} allow[8] = {
	[SITE_LOAD] = { READS, UINT64_C(1) },
	[SITE_STORE] = { WRITES, UINT64_C(1) << 16 },
	[SITE_MODIFY] = { WRITES, UINT64_C(1) << 32 },
	[SITE_FETCH] = { READS, UINT64_C(1) << 48 },
	[SITE_WIDE | SITE_LOAD] = { UINT64_MAX, UINT64_C(1) },
	[SITE_WIDE | SITE_STORE] = { UINT64_MAX, UINT64_C(1) << 16 },
	[SITE_WIDE | SITE_MODIFY] = { UINT64_MAX, UINT64_C(1) << 32 },
	[SITE_WIDE | SITE_FETCH] = { UINT64_MAX, UINT64_C(1) << 48 },
};

static bool
writes(uint32_t ref)
{
	return SITE_KIND(ref) == SITE_STORE || SITE_KIND(ref) == SITE_MODIFY;
}

static enum core_side
side_of(uint32_t ref)
{
	return SITE_KIND(ref) == SITE_FETCH ? CORE_FETCH : CORE_DATA;
}

/* Packed counters: 2M and 1G hits of data, then of fetches. */
static uint64_t
unit_of(enum core_side side, unsigned code)
{
	return code ? UINT64_C(1) << UNIT_BITS * (2 * side + code - 1) : 0;
}

static void
level_add(struct core_level *level, struct tlb *tlb)
{
	if (!tlb->entries)
		return;
	for (unsigned i = 0; i < tlb->n_sizes; i++) {
		unsigned code = tlb->code[i];

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
		level_add(&core->l1[CORE_DATA], &tlb[CORE_L1D + i]);
		level_add(&core->l1[CORE_FETCH], &tlb[CORE_L1I + i]);
	}
	level_add(&core->l2[CORE_DATA], &tlb[CORE_L2]);
	level_add(&core->l2[CORE_DATA], &tlb[CORE_L2_1G]);
	if (tlb[CORE_L2I].entries) {
		level_add(&core->l2[CORE_FETCH], &tlb[CORE_L2I]);
	} else {
		level_add(&core->l2[CORE_FETCH], &tlb[CORE_L2]);
		level_add(&core->l2[CORE_FETCH], &tlb[CORE_L2_1G]);
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
	size_t n = 1, next = 1;

	for (unsigned i = 0; i < CORE_L1_ARRAYS; i++)
		n += (size_t)config->tlb[i].entries;
	core->hint = calloc((size_t)CORE_SIDES << CORE_HINT_BITS,
			    sizeof(*core->hint));
	if (!core->hint || tlb_columns_init(&core->l1_column, n, true))
		return -ENOMEM;
	for (unsigned i = 0; i < CORE_ARRAYS; i++) {
		bool first = i < CORE_L1_ARRAYS;
		int error = tlb_init(&core->tlb[i], &config->tlb[i],
				     first ? &core->l1_column : NULL, next,
				     config->seed + i);

		if (error)
			return error;
		next += first ? core->tlb[i].entries : 0;
	}
	return 0;
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
	int error;

	*core = (struct core){ .kernel = *kernel,
			       .hierarchy = hierarchy,
			       .data_cached = config->data_cached,
			       .plain = config->plain,
			       .space = SPACE_NONE,
			       .n_asids = (uint32_t)config->asid.asids,
			       .now = 1,
			       .l2_now = 1 };
	error = init_arrays(core, config);
	if (!error)
		error = walker_init(&core->walker, &config->walker, config->pwc,
				    hierarchy, config->seed + CORE_ARRAYS);
	if (error) {
		core_fini(core);
		return error;
	}
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		core->tlb[i].sizes_changed = &core->sizes_changed;
	build_levels(core);
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
	site_table_fini(&core->sites);
	tlb_columns_fini(&core->l1_column);
	free(core->hint);
	core->hint = NULL;
}

static void
flush_asid(struct core *core, uint64_t asid)
{
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		tlb_flush_asid(&core->tlb[i], asid);
	pwc_flush_asid(&core->walker.pwc, asid);
}

void
core_switch(struct core *core, uint32_t space, struct table *table)
{
	core->table = table;
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
core_invalidate(struct core *core, uint32_t space, uint64_t address,
		uint64_t length)
{
	uint32_t asid = 0;

	while (core->asid_space[asid] != space)
		if (++asid > TLB_ASID_MAX)
			return;
	core->counts.flushes++;
	if (length == UINT64_MAX) {
		flush_asid(core, asid);
		return;
	}
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		tlb_invalidate(&core->tlb[i], asid, address, length);
	pwc_invalidate(&core->walker.pwc, asid, address, length);
}

/* One page of one access on its way through the levels. */
struct lookup {
	uint64_t address;
	uint64_t position; /* of the access in the run */
	uint64_t stamp;
	uint32_t ref;
	enum core_side side;
	bool write;
	/* out */
	bool found;	   /* else the program was denied the access */
	uint64_t physical; /* of address */
};

static void
activate(struct core_level *level)
{
	level->n_active = 0;
	for (unsigned i = 0; i < level->n; i++)
		if (*level->probe[i].used)
			level->active[level->n_active++] = level->probe[i];
}

static NOINLINE void
activate_all(struct core *core)
{
	for (unsigned side = 0; side < CORE_SIDES; side++) {
		activate(&core->l1[side]);
		activate(&core->l2[side]);
	}
	core->sizes_changed = false;
}

/* A slot of one of the level's arrays; array NULL: it is in none. */
struct place {
	struct tlb *array;
	uint32_t slot;
	unsigned code;
};

static ALWAYS_INLINE struct place
level_find(const struct core *core, const struct core_level *level,
	   const struct lookup *lookup)
{
	for (unsigned i = 0; i < level->n_active; i++) {
		const struct core_probe *probe = &level->active[i];
		struct tlb *tlb = probe->tlb;
		uint32_t slot;

		slot = tlb_find(tlb,
				tlb_key(lookup->address, probe->shift,
					probe->code, core->asid),
				probe->shift);
		if (slot == TLB_NO_SLOT)
			continue;
		if (unlikely(tlb->column.tag[slot] & TLB_READONLY &&
			     lookup->write)) {
			tlb_drop(tlb, slot);
			continue;
		}
		return (struct place){ tlb, slot, probe->code };
	}
	return (struct place){ NULL, 0, 0 };
}

static NOINLINE void
drop_pieces(const struct core *core, const struct core_level *level,
	    uint64_t address, unsigned shift)
{
	for (unsigned i = 0; i < level->n; i++)
		tlb_invalidate(level->probe[i].tlb, core->asid,
			       address >> shift << shift, UINT64_C(1) << shift);
}

/*
 * Enter a page of size code, whose byte at lookup->address is at
 * lookup->physical.
 */
static ALWAYS_INLINE struct place
level_fill(const struct core *core, const struct core_level *level,
	   const struct lookup *lookup, unsigned code, bool readonly,
	   uint64_t now)
{
	struct tlb *tlb = level->home[code];
	unsigned piece = level->piece[code], shift = TLB_SHIFT(piece);
	struct place place = { tlb, 0, piece };

	if (!tlb)
		return place;
	if (unlikely(level->overlaps[code]))
		drop_pieces(core, level, lookup->address, shift);
	place.slot =
		tlb_fill(tlb,
			 tlb_key(lookup->address, shift, piece, core->asid),
			 shift, now);
	tlb->column.tag[place.slot] |= readonly ? TLB_READONLY : 0;
	if (tlb->column.unit)
		tlb->column.unit[place.slot] = unit_of(lookup->side, piece);
	tlb->column.frame[place.slot] = lookup->physical >> shift << shift;
	return place;
}

static ALWAYS_INLINE unsigned
hint_at(uint64_t key, uint32_t ref)
{
	unsigned hash = (unsigned)((key * TLB_HASH) >> (64 - CORE_HINT_BITS));

	return hash + ((unsigned)((ref & 3) == SITE_FETCH) << CORE_HINT_BITS);
}

static ALWAYS_INLINE void
set_hint(struct core *core, const struct lookup *lookup,
	 const struct place *place)
{
	uint64_t key = (lookup->address & PAGE_MASK) | core->asid;

	if (place->array)
		core->hint[hint_at(key, lookup->ref)] =
			(uint16_t)(place->slot + (place->array->column.tag -
						  core->l1_column.tag));
}

static uint64_t
physical_at(const struct place *place, uint64_t address)
{
	const struct tlb_columns *column = &place->array->column;

	return column->frame[place->slot] +
	       (address & ((UINT64_C(1) << TLB_SHIFT(place->code)) - 1));
}

/*
 * Walk, fault if need be, walk again, and fill both levels.  Returns 0 with
 * lookup->found and ->physical, or an error.
 */
static int
resolve(struct core *core, struct lookup *lookup, struct core_miss *miss)
{
	struct walker *walker = &core->walker;
	bool write = lookup->write;
	struct mapping mapping;
	struct place place;
	unsigned code;
	int error = walker_walk(walker, core->table, lookup->address,
				core->asid, write, &mapping, &miss->cycles);

	if (unlikely(!mapping.shift || (write && !mapping.writable))) {
		error = core->kernel.fault(core->kernel.context, core->space,
					   lookup->address,
					   SITE_KIND(lookup->ref),
					   lookup->position, &mapping);
		if (error)
			return error;
		if (!mapping.shift || (write && !mapping.writable)) {
			miss->cycles = 0;
			core->counts.untranslated++;
			return 0;
		}
		error = walker_walk(walker, core->table, lookup->address,
				    core->asid, write, &mapping, &miss->cycles);
	}
	if (error)
		return error;
	code = TLB_SIZE_CODE(mapping.shift);
	core->counts.walks[code]++;
	miss->first = !mapping.accessed;
	lookup->found = true;
	lookup->physical =
		mapping.frame +
		(lookup->address & ((UINT64_C(1) << mapping.shift) - 1));
	level_fill(core, &core->l2[lookup->side], lookup, code,
		   !mapping.writable, core->l2_now);
	place = level_fill(core, &core->l1[lookup->side], lookup, code,
			   !mapping.writable, lookup->stamp);
	set_hint(core, lookup, &place);
	return 0;
}

static ALWAYS_INLINE void
l2_hit(struct core *core, struct lookup *lookup, const struct place *at)
{
	struct tlb_columns *column = &at->array->column;
	struct place place;

	core->counts.l2_hits[lookup->side][at->code]++;
	core->counts.l2_cycles += at->array->latency;
	tlb_touch(at->array, at->slot, core->l2_now);
	lookup->found = true;
	lookup->physical = physical_at(at, lookup->address);
	place = level_fill(core, &core->l1[lookup->side], lookup, at->code,
			   column->tag[at->slot] & TLB_READONLY, lookup->stamp);
	set_hint(core, lookup, &place);
}

/* The first level does not have it. */
static ALWAYS_INLINE int
lookup_l2(struct core *core, struct lookup *lookup)
{
	struct site_count *site = &core->sites.count[SITE_INDEX(lookup->ref)];
	struct core_miss miss = { .space = core->space,
				  .site = lookup->ref,
				  .address = lookup->address,
				  .position = lookup->position };
	struct place at = level_find(core, &core->l2[lookup->side], lookup);
	int error = 0;

	core->counts.l1_misses[lookup->side]++;
	site->l1_misses++;
	core->l2_now++;
	if (at.array) {
		l2_hit(core, lookup, &at);
	} else {
		core->counts.l2_misses[lookup->side]++;
		error = resolve(core, lookup, &miss);
		miss.walked = true;
		site->walks++;
		site->cycles += miss.cycles;
	}
	core->kernel.missed(core->kernel.context, &miss);
	return error;
}

/* One page of one access, without hints. */
static ALWAYS_INLINE int
lookup_page(struct core *core, struct lookup *lookup)
{
	struct place at;

	if (unlikely(core->sizes_changed))
		activate_all(core);
	at = level_find(core, &core->l1[lookup->side], lookup);

	if (!at.array)
		return lookup_l2(core, lookup);
	at.array->column.stamp[at.slot] = lookup->stamp;
	core->counts.l1_large[lookup->side][at.code]++;
	lookup->found = true;
	lookup->physical = physical_at(&at, lookup->address);
	set_hint(core, lookup, &at);
	return 0;
}

static ALWAYS_INLINE void
reference_lines(struct core *core, uint64_t physical, uint64_t bytes,
		uint32_t ref)
{
	static const enum hierarchy_use uses[4] = {
		[SITE_LOAD] = USE_LOAD,
		[SITE_STORE] = USE_STORE,
		[SITE_MODIFY] = USE_STORE,
		[SITE_FETCH] = USE_FETCH,
	};
	enum hierarchy_use use = uses[SITE_KIND(ref)];
	struct hierarchy *hierarchy = core->hierarchy;
	uint64_t step = UINT64_C(1) << core->line_shift[side_of(ref)];
	uint64_t last = physical + (bytes ? bytes - 1 : 0);
	enum hierarchy_place place;

	hierarchy_access(hierarchy, physical, use, &place);
	for (physical = (physical | (step - 1)) + 1; unlikely(physical <= last);
	     physical += step)
		hierarchy_access(hierarchy, physical, use, &place);
}

/*
 * An access that crosses pages: page by page.  Each beyond the first advances
 * core->now, so that stamps stay in order.
 */
static NOINLINE int
lookup_pages(struct core *core, struct lookup *lookup, uint64_t bytes)
{
	uint64_t last = lookup->address + bytes - 1;
	int error;

	if (last < lookup->address)
		last = UINT64_MAX;
	for (;;) {
		uint64_t end = lookup->address | ~PAGE_MASK;

		lookup->found = false;
		error = lookup_page(core, lookup);
		if (error)
			return error;
		if (core->data_cached && lookup->found)
			reference_lines(core, lookup->physical,
					(last < end ? last : end) -
						lookup->address + 1,
					lookup->ref);
		if (last <= end)
			return 0;
		lookup->address = end + 1;
		lookup->stamp++;
		core->now++;
		core->counts.crossings++;
		core->counts.lookups[lookup->side]++;
	}
}

/* An access that the hint did not answer.  i: its place in the batch. */
static NOINLINE int
lookup_slow(struct core *core, const struct batch *batch, uint32_t i,
	    uint32_t from)
{
	uint32_t ref = batch->site[i];
	uint64_t address = batch->address[i];
	uint64_t bytes = core->sites.bytes[SITE_INDEX(ref)];
	struct lookup lookup = { .address = address,
				 .position = core->position + i - from,
				 .stamp = core->now + i,
				 .ref = ref,
				 .side = side_of(ref),
				 .write = writes(ref) };
	int error;

	bytes += !bytes;
	if (unlikely((address & ~PAGE_MASK) + bytes > PAGE_BYTES &&
		     lookup.side == CORE_DATA))
		return lookup_pages(core, &lookup, bytes);
	error = lookup_page(core, &lookup);
	if (core->data_cached && lookup.found && !error)
		reference_lines(core, lookup.physical, bytes, ref);
	return error;
}

static void
count_units(struct core *core, uint64_t units)
{
	const uint64_t mask = (UINT64_C(1) << UNIT_BITS) - 1;

	for (unsigned side = 0; side < CORE_SIDES; side++)
		for (unsigned code = 1; code < TLB_SIZES; code++) {
			core->counts.l1_large[side][code] += units & mask;
			units >>= UNIT_BITS;
		}
}

static ALWAYS_INLINE void
prefetch_set(const struct cache *cache, uint64_t physical)
{
	if (cache_exists(cache))
		cache_prefetch(cache, physical >> cache->line_shift);
}

/*
 * Where most accesses miss, our own time goes into waiting for memory: the
 * table's entries and the simulated caches' sets.  Batches let us know what
 * comes.
 */
static ALWAYS_INLINE void
look_ahead(const struct core *core, uint64_t address)
{
	uint64_t physical = core->table->ops->prefetch(core->table, address);

	if (!physical)
		return;
	prefetch_set(&core->hierarchy->l2, physical);
	prefetch_set(&core->hierarchy->l3, physical);
}

/* What the loop below is compiled for. */
struct variant {
	bool data, plain, ahead;
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
		unsigned slot = hint[hint_at(key, ref)];
		uint64_t wrong = (column.tag[slot] ^ key) & column.cover[slot] &
				 allow[ref & 7].must;

		if (variant.ahead && i + AHEAD < to)
			look_ahead(core, batch->address[i + AHEAD]);
		kinds += allow[ref & 7].kinds;
		begun += instructions[SITE_INDEX(ref)];
		if (unlikely(wrong || variant.plain ||
			     (address & ~PAGE_MASK) > NEAR_END)) {
			error = lookup_slow(core, batch, i, from);
			if (unlikely(error)) {
				to = i + 1;
				break;
			}
			now = core->now;
			continue;
		}
		column.stamp[slot] = now + i;
		units += column.unit[slot];
		if (variant.data)
			reference_lines(core,
					column.frame[slot] +
						(address &
						 (~column.cover[slot] |
						  ~PAGE_MASK)),
					bytes[SITE_INDEX(ref)], ref);
	}
	core->now += to;
	core->position += to - from;
	core->counts.instructions += begun;
	count_units(core, units);
	for (unsigned kind = 0; kind < 4; kind++) {
		uint64_t n = kinds >> 16 * kind & 0xffff;

		core->counts.kinds[kind] += n;
		core->counts
			.lookups[kind == SITE_FETCH ? CORE_FETCH : CORE_DATA] +=
			n;
	}
	return error;
}

static int
feed_variant(struct core *core, const struct batch *batch, uint32_t from,
	     uint32_t to)
{
	if (core->plain)
		return feed(core, batch, from, to,
			    (struct variant){ .plain = true });
	if (core->data_cached)
		return feed(core, batch, from, to,
			    (struct variant){ .data = true });
	if (core->ahead)
		return feed(core, batch, from, to,
			    (struct variant){ .ahead = true });
	return feed(core, batch, from, to, (struct variant){ .plain = false });
}

int
core_feed(struct core *core, const struct batch *batch, uint32_t from,
	  uint32_t to)
{
	const uint64_t *walks = core->counts.l2_misses;
	uint64_t before = walks[CORE_DATA] + walks[CORE_FETCH];
	int error = feed_variant(core, batch, from, to);
	uint64_t made = walks[CORE_DATA] + walks[CORE_FETCH] - before;

	core->ahead =
		made > (to - from) / AHEAD_WORTH && core->table->ops->prefetch;
	return error;
}
