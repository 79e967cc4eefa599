// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loop for batches whose accesses mostly miss: hints would be wrong, so it
 * looks into the arrays at once, and prefetches what walks to come will read.
 *
 * It knows one shape, a lane: on the data side each level holds pages of one
 * size now, the same one, in one array that is searched by fingerprints under
 * LRU.  What is not in the lane (fetches, accesses near a page's end, writes to
 * what is cached as read-only, other arrays) takes core_lookup before anything
 * was changed, and faults and pages of other sizes go on in core_resolve.  So a
 * lane changes no count; tests compare both ways.
 */
#include "models/translation/core-miss.h"

#define AHEAD	 16u /* accesses that are prefetched ahead, and at a time */
#define NEAR_END (4096u - 64u)

/* One level of the lane. */
struct stage {
	struct tlb *tlb;
	uint32_t set_mask;
};

struct lane {
	bool open;
	uint32_t activated; /* core->activated when this was found out */
	struct stage l1, l2;
	unsigned shift, code;
	uint64_t low;	      /* of each key: size and ASID */
	uint64_t unit, cover; /* of each slot of l1 */
};

static bool
stage_open(struct stage *stage, const struct core_level *level)
{
	const struct core_probe *probe = &level->active[0];

	if (level->n_active != 1 || level->home[probe->code] != probe->tlb ||
	    level->piece[probe->code] != probe->code ||
	    level->overlaps[probe->code])
		return false;
	stage->tlb = probe->tlb;
	stage->set_mask = probe->tlb->set_mask;
	return probe->tlb->simple && (stage->set_mask || probe->tlb->sets == 1);
}

static NOINLINE void
lane_open(struct lane *lane, struct core *core)
{
	const struct core_level *l1 = &core->l1[CORE_DATA],
				*l2 = &core->l2[CORE_DATA];

	if (core->sizes_changed)
		core_activate(core);
	lane->activated = core->activated;
	lane->open = stage_open(&lane->l1, l1) && stage_open(&lane->l2, l2) &&
		     lane->l2.tlb->age &&
		     l1->active[0].code == l2->active[0].code;
	lane->code = l1->active[0].code;
	lane->shift = TLB_SHIFT(lane->code);
	lane->low = (uint64_t)lane->code << TLB_SIZE_SHIFT | core->asid;
	lane->unit = core_unit_of(CORE_DATA, lane->code);
	lane->cover = tlb_cover(lane->shift);
}

/* Of an address in its page. */
static ALWAYS_INLINE uint64_t
lane_offset(const struct lane *lane, uint64_t address)
{
	return address & ((UINT64_C(1) << lane->shift) - 1);
}

static ALWAYS_INLINE uint32_t
stage_set(const struct stage *stage, const struct lane *lane, uint64_t key)
{
	return (uint32_t)(key >> lane->shift) & stage->set_mask;
}

static ALWAYS_INLINE void
fill_l1(const struct lane *lane, uint64_t key, uint64_t readonly,
	uint64_t frame, uint64_t stamp)
{
	struct tlb *tlb = lane->l1.tlb;
	uint32_t set = stage_set(&lane->l1, lane, key);
	uint32_t slot =
		tlb_put(tlb, set, tlb_oldest(tlb, set * tlb->ways), key);

	tlb->column.tag[slot] |= readonly;
	tlb->column.stamp[slot] = stamp;
	tlb->column.cover[slot] = lane->cover;
	tlb->column.unit[slot] = lane->unit;
	tlb->column.frame[slot] = frame;
}

static ALWAYS_INLINE void
fill_l2(const struct lane *lane, uint64_t key, uint64_t readonly,
	uint64_t frame)
{
	struct tlb *tlb = lane->l2.tlb;
	uint32_t set = stage_set(&lane->l2, lane, key);
	uint32_t slot = tlb_put(tlb, set, tlb_rotate(tlb, set), key);

	tlb->column.tag[slot] |= readonly;
	tlb->column.frame[slot] = frame;
}

/* Neither level has it. */
static ALWAYS_INLINE int
lane_walk(struct core *core, struct lane *lane, uint64_t key,
	  struct core_page *page)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	uint64_t readonly;
	unsigned n = walker_find(&core->walker, core->table, page->address,
				 core->asid, references, &mapping);

	core->counts.l2_misses[CORE_DATA]++;
	if (unlikely(mapping.shift != lane->shift ||
		     core_denied(page, &mapping))) {
		struct core_page other = *page; /* page stays in registers */
		int error = core_resolve(core, &other, references, n, &mapping);

		*page = other;
		lane_open(lane, core); /* it may hold other sizes now */
		return error;
	}
	core_add_walk(core, page, references, n, &mapping);
	core->counts.walks[lane->code]++;
	readonly = mapping.writable ? 0 : TLB_READONLY;
	fill_l2(lane, key, readonly, mapping.frame);
	fill_l1(lane, key, readonly, mapping.frame, page->stamp);
	page->found = true;
	page->physical = mapping.frame | lane_offset(lane, page->address);
	return 0;
}

/* The first level does not have it.  False: not for the lane. */
static ALWAYS_INLINE bool
lane_miss(struct core *core, struct lane *lane, uint64_t key,
	  struct core_page *page, int *error)
{
	struct tlb *tlb = lane->l2.tlb;
	uint32_t set = stage_set(&lane->l2, lane, key);
	uint32_t slot = tlb_scan(tlb, set, key);
	uint64_t readonly;

	if (slot == TLB_NO_SLOT) {
		core_make_room(core);
		core->counts.l1_misses[CORE_DATA]++;
		core->l2_now++;
		*error = lane_walk(core, lane, key, page);
		return true;
	}
	readonly = tlb->column.tag[slot] & TLB_READONLY;
	if (unlikely(readonly && page->write))
		return false;
	core_make_room(core);
	core_add_miss(core, page, 0);
	core->counts.l1_misses[CORE_DATA]++;
	core->counts.l2_hits[CORE_DATA][lane->code]++;
	core->counts.l2_cycles += tlb->latency;
	tlb_touch(tlb, set, slot, ++core->l2_now);
	fill_l1(lane, key, readonly, tlb->column.frame[slot], page->stamp);
	page->found = true;
	page->physical =
		tlb->column.frame[slot] | lane_offset(lane, page->address);
	return true;
}

/* One access.  False: not for the lane, and nothing was changed. */
static ALWAYS_INLINE bool
lane_access(struct core *core, struct lane *lane, struct core_page *page,
	    int *error)
{
	uint64_t address = page->address;
	uint64_t key = (address >> lane->shift << lane->shift) | lane->low;
	struct tlb *tlb = lane->l1.tlb;
	uint32_t slot = tlb_scan(tlb, stage_set(&lane->l1, lane, key), key);

	if (slot == TLB_NO_SLOT)
		return lane_miss(core, lane, key, page, error);
	if (unlikely(tlb->column.tag[slot] & TLB_READONLY && page->write))
		return false;
	tlb->column.stamp[slot] = page->stamp;
	core->counts.l1_large[CORE_DATA][lane->code]++;
	page->found = true;
	page->physical = tlb->column.frame[slot] | lane_offset(lane, address);
	return true;
}

/* Of accesses [i, i + AHEAD), and of those after them. */
static ALWAYS_INLINE void
look_ahead(const struct core *core, const struct batch *batch, uint32_t i,
	   uint32_t to)
{
	const struct table_ops *ops = core->table->ops;
	uint32_t first = i + AHEAD;

	if (first < to && ops->prefetch)
		ops->prefetch(core->table, &batch->address[first],
			      to - first < AHEAD ? to - first : AHEAD);
}

static ALWAYS_INLINE int
feed_block(struct core *core, struct lane *lane, const struct batch *batch,
	   uint32_t from, uint32_t *i, uint32_t to)
{
	for (; *i < to; (*i)++) {
		uint64_t address = batch->address[*i];
		uint32_t ref = batch->site[*i];
		struct core_page page = { .address = address,
					  .position =
						  core->position + *i - from,
					  .stamp = core->now + *i,
					  .ref = ref,
					  .write = core_writes(ref) };
		int error = 0;

		if (likely(lane->open && (ref & SITE_WIDE) == 0 &&
			   SITE_KIND(ref) != SITE_FETCH &&
			   (address & ~PAGE_MASK) <= NEAR_END &&
			   lane_access(core, lane, &page, &error))) {
			if (unlikely(error))
				return error;
			if (core->data_cached && page.found)
				core_reference(core, page.physical,
					       core->sites
						       .bytes[SITE_INDEX(ref)],
					       ref, true);
			continue;
		}
		error = core_lookup(core, batch, *i, from);
		if (unlikely(error))
			return error;
		if (core->sizes_changed || lane->activated != core->activated)
			lane_open(lane, core);
	}
	return 0;
}

/* What the accesses are, whatever comes of them. */
static void
count_accesses(struct core *core, const struct batch *batch, uint32_t from,
	       uint32_t to)
{
	const uint8_t *instructions = core->sites.instructions;
	uint64_t kinds = 0, begun = 0;

	for (uint32_t i = from; i < to; i++) {
		uint32_t ref = batch->site[i];

		kinds += UINT64_C(1) << 16 * SITE_KIND(ref);
		begun += instructions[SITE_INDEX(ref)];
	}
	core_count(core, kinds, 0, begun);
}

int
core_feed_heavy(struct core *core, const struct batch *batch, uint32_t from,
		uint32_t to)
{
	struct lane lane;
	uint32_t i = from;
	int error = 0;

	lane_open(&lane, core);
	core->now -= from;
	while (!error && i < to) {
		look_ahead(core, batch, i, to);
		error = feed_block(core, &lane, batch, from, &i,
				   to - i < AHEAD ? to : i + AHEAD);
	}
	to = error ? i + 1 : to;
	core->now += to;
	core->position += to - from;
	count_accesses(core, batch, from, to);
	return error;
}
