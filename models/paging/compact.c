// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happens where memory is too fragmented for a large page, by
 * transparent_hugepage/defrag (mm/huge_memory.c, vma_thp_gfp_mask):
 *
 *	                   advised (MADV_HUGEPAGE)   others
 *	always             stall                     stall, and give up early
 *	defer              wake kcompactd            wake kcompactd
 *	defer+madvise      stall                     wake kcompactd
 *	madvise            stall                     small pages
 *	never              small pages               small pages
 *
 * A stall compacts memory (frames_compact) while the program waits, and tries
 * again; who woke kcompactd takes small pages, and kcompactd makes one run free
 * for the next who asks.  It is taken to be done by then.  khugepaged stalls if
 * khugepaged.defrag is yes, MADV_COLLAPSE always.
 *
 * After failures compaction is put off for more and more tries (defer_compaction),
 * and it is not begun where little memory is free, or enough in large runs
 * (compaction_suitable; the threshold of the index is the kernel's 500).
 *
 * Of the run's own pages those move that one space maps alone, as 4K.  Linux
 * moves shared ones, too.
 */
#include "models/paging/space.h"

#include <stdlib.h>

#define EXTFRAG_THRESHOLD 500
#define DEFER_SHIFT_MAX	  6
#define SPACE_SHIFT	  36 /* pages of 4K in 48 bits */

enum way {
	WAY_NONE,
	WAY_WAKE,
	WAY_STALL,
};

static enum way
way_of(const struct paging *paging, const struct vma *vma, enum compact_for who)
{
	const struct huge_config *config = &paging->config.huge;
	bool advised = vma->flags & VMA_HUGE;

	if (who == COMPACT_KHUGEPAGED)
		return config->khugepaged.no_defrag ? WAY_NONE : WAY_STALL;
	if (who != COMPACT_FAULT)
		return WAY_STALL;
	switch (paging->huge.defrag) {
	case DEFRAG_ALWAYS:
		return WAY_STALL;
	case DEFRAG_DEFER:
		return WAY_WAKE;
	case DEFRAG_DEFER_MADVISE:
		return advised ? WAY_STALL : WAY_WAKE;
	case DEFRAG_MADVISE:
		return advised ? WAY_STALL : WAY_NONE;
	default:
		return WAY_NONE;
	}
}

/* One compaction under way. */
struct run {
	struct paging *paging;
	bool known; /* where pages are was looked up in it */
	bool no_memory;
};

static int
note_group(struct paging *paging, struct address_space *space,
	   const struct page_group *group)
{
	uint64_t start = (group->key - 1) << GROUP_SHIFT;
	uint64_t bits = group->whose[0] & group->whose[1]; /* PAGE_OWNED */

	for (; bits; bits &= bits - 1) {
		struct table_reference reference[TABLE_REFERENCES_MAX];
		uint64_t address =
			start + ((uint64_t)__builtin_ctzll(bits) << PAGE_SHIFT);
		uint64_t page = (uint64_t)space->number << SPACE_SHIFT |
				address >> PAGE_SHIFT;
		struct mapping mapping;

		paging->table_ops->walk(space->table, address, reference,
					&mapping);
		if (mapping.shift == PAGE_SHIFT &&
		    hash_put(&paging->huge.compact.where, mapping.frame, page) <
			    0)
			return -ENOMEM;
	}
	return 0;
}

/* Where everybody's own pages are. */
static int
note_all(struct paging *paging)
{
	hash_fini(&paging->huge.compact.where);
	for (size_t s = 0; s < paging->spaces; s++) {
		struct address_space *space = paging->space[s];

		for (size_t i = 0; space && i < space->pages.room; i++)
			if (space->pages.group[i].key &&
			    note_group(paging, space, &space->pages.group[i]) <
				    0)
				return -ENOMEM;
	}
	return 0;
}

/* Who maps this frame alone, as was noted, and still does; NULL: nobody. */
static struct address_space *
noted(struct paging *paging, uint64_t frame, uint64_t *address)
{
	const uint64_t *page = hash_find(&paging->huge.compact.where, frame);
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct address_space *space;
	struct mapping mapping;

	if (!page)
		return NULL;
	space = paging->space[*page >> SPACE_SHIFT];
	*address = (*page & ((UINT64_C(1) << SPACE_SHIFT) - 1)) << PAGE_SHIFT;
	if (pageset_state(&space->pages, *address) != PAGE_OWNED ||
	    !owner_alone(paging, PAGE_SHIFT, frame))
		return NULL;
	paging->table_ops->walk(space->table, *address, reference, &mapping);
	return mapping.shift == PAGE_SHIFT && mapping.frame == frame ? space
								     : NULL;
}

static bool
may_move(void *context, uint64_t frame)
{
	struct run *run = context;
	uint64_t address;

	/* Reclaim knows pages by their frames. */
	if (run->paging->listener.swapped)
		return false;
	if (noted(run->paging, frame, &address))
		return true;
	if (run->known)
		return false;
	run->known = true;
	if (note_all(run->paging) < 0) {
		run->no_memory = true;
		return false;
	}
	return noted(run->paging, frame, &address);
}

static int
move(void *context, uint64_t from, uint64_t to)
{
	struct paging *paging = ((struct run *)context)->paging;
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct hash *where = &paging->huge.compact.where;
	struct mapping mapping;
	uint64_t address;
	struct address_space *space = noted(paging, from, &address);
	int error;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	mapping.frame = to;
	error = paging->table_ops->map(space->table, address, &mapping);
	if (error)
		return error;
	space_stale(paging, space, address, PAGE_BYTES);
	hash_remove(where, from);
	return hash_put(where, to,
			(uint64_t)space->number << SPACE_SHIFT |
				address >> PAGE_SHIFT) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

static bool
is_suitable(const struct paging *paging, unsigned shift)
{
	uint64_t pages;
	int64_t index;

	frames_fragmentation(paging->frames, shift, &pages, &index);
	return pages >= UINT64_C(2) << (shift - PAGE_SHIFT) &&
	       (index < 0 || index > EXTFRAG_THRESHOLD);
}

static bool
is_deferred(struct compact *compact, unsigned shift)
{
	uint64_t limit = UINT64_C(1) << compact->defer_shift;

	if (shift < compact->failed_shift)
		return false;
	if (++compact->considered < limit)
		return true;
	compact->considered = limit;
	return false;
}

static void
note_outcome(struct compact *compact, unsigned shift, bool made)
{
	compact->considered = 0;
	if (made) {
		compact->defer_shift = 0;
		if (shift >= compact->failed_shift)
			compact->failed_shift = shift + 1;
		return;
	}
	if (compact->defer_shift < DEFER_SHIFT_MAX)
		compact->defer_shift++;
	if (shift < compact->failed_shift)
		compact->failed_shift = shift;
}

/* defers: its failure puts others off.  1: a run is free; 0: none; -ENOMEM
 * (said). */
static int
compact_run(struct paging *paging, enum compact_for who, unsigned shift,
	    bool defers)
{
	struct compact *compact = &paging->huge.compact;
	struct compact_count *count = &compact->count[who];
	const struct huge_config *config = &paging->config.huge;
	struct run run = { .paging = paging };
	struct frames_compaction all = { &run, may_move, move, 0, 0 };
	uint64_t ns;
	int made;

	if (!is_suitable(paging, shift) || is_deferred(compact, shift)) {
		count->skipped++;
		return 0;
	}
	made = frames_compact(paging->frames, shift, &all);
	if (made < 0 || run.no_memory)
		return paging_no_memory(paging);
	if (made || defers)
		note_outcome(compact, shift, made);
	ns = all.looked * (uint64_t)config->look_ns +
	     all.moved * (uint64_t)config->move_ns;
	count->tries++;
	count->made += (uint64_t)made;
	count->looked += all.looked;
	count->moved += all.moved;
	count->ns += ns;
	if (count->longest_ns < ns)
		count->longest_ns = ns;
	return made;
}

/* What it was woken for. */
bool
compact_waits(const struct paging *paging, const struct vma *vma,
	      enum compact_for who)
{
	return way_of(paging, vma, who) == WAY_STALL;
}

static int
run_kcompactd(struct paging *paging)
{
	unsigned shift = paging->huge.compact.woken_shift;

	if (!shift)
		return 0;
	paging->huge.compact.woken_shift = 0;
	return compact_run(paging, COMPACT_KCOMPACTD, shift, true);
}

int
compact_for(struct paging *paging, const struct vma *vma, enum compact_for who,
	    unsigned shift)
{
	struct compact *compact = &paging->huge.compact;

	if (!frames_compactable(paging->frames))
		return 0;
	switch (way_of(paging, vma, who)) {
	case WAY_STALL:
		/* Others give up after one look without waiting. */
		return compact_run(paging, who, shift,
				   who != COMPACT_FAULT ||
					   vma->flags & VMA_HUGE);
	case WAY_WAKE:
		if (compact->woken_shift < shift)
			compact->woken_shift = shift;
		compact->wakes++;
		return 0;
	default:
		return 0;
	}
}

int
compact_take(struct paging *paging, const struct vma *vma, enum compact_for who,
	     unsigned shift, uint64_t address, uint64_t *frame)
{
	int made = run_kcompactd(paging);

	if (made < 0)
		return made;
	if (owner_take(paging, shift, address, frame) == 0)
		return 0;
	made = compact_for(paging, vma, who, shift);
	return made == 1 ? owner_take(paging, shift, address, frame) : -ENOMEM;
}

void
compact_fini(struct paging *paging)
{
	hash_fini(&paging->huge.compact.where);
}

static int
put_table(const struct compact *compact, struct result *result)
{
	static const char *const columns[] = { "who:",
					       "tries:compactions",
					       "success:compactions",
					       "skipped:compactions",
					       "looked:pages",
					       "moved:pages",
					       "time:ns",
					       "longest:ns",
					       NULL };
	static const char *const names[COMPACT_WHO] = {
		[COMPACT_FAULT] = "faults",
		[COMPACT_ADVICE] = "madvise",
		[COMPACT_KHUGEPAGED] = "khugepaged",
		[COMPACT_POLICY] = "policy",
		[COMPACT_KCOMPACTD] = "kcompactd",
	};
	int error = result_table(result, "thp.compaction",
				 "compaction of memory for large pages, by who "
				 "did it; skipped: put off after failures, or "
				 "too little memory is free",
				 columns);

	for (unsigned i = 0; i < COMPACT_WHO && !error; i++) {
		const struct compact_count *count = &compact->count[i];

		if (count->tries || count->skipped)
			error = result_row(result, "thp.compaction", "suuuuuuu",
					   names[i], count->tries, count->made,
					   count->skipped, count->looked,
					   count->moved, count->ns,
					   count->longest_ns);
	}
	return error;
}

int
compact_finish(const struct paging *paging, struct result *result)
{
	const struct compact *compact = &paging->huge.compact;
	const struct compact_count *fault = &compact->count[COMPACT_FAULT];
	const struct compact_count *advice = &compact->count[COMPACT_ADVICE];
	const struct {
		const char *name, *unit;
		uint64_t value;
	} values[] = {
		{ "thp.compact.stalls", "faults", fault->tries },
		{ "thp.compact.success", "faults", fault->made },
		{ "thp.compact.moved", "pages", fault->moved + advice->moved },
		{ "thp.compact.ns", "ns", fault->ns + advice->ns },
		{ "thp.compact.longest.ns", "ns",
		  fault->longest_ns > advice->longest_ns ? fault->longest_ns
							 : advice->longest_ns },
		{ "kcompactd.wakes", "wakes", compact->wakes },
		{ "kcompactd.success", "compactions",
		  compact->count[COMPACT_KCOMPACTD].made },
		{ "kcompactd.ns", "ns", compact->count[COMPACT_KCOMPACTD].ns },
	};
	int error = 0;

	if (!frames_compactable(paging->frames))
		return result_absent(result, "thp.compact.stalls",
				     "memory is never fragmented "
				     "(memory.order=buddy)");
	for (size_t i = 0; i < ARRAY_SIZE(values) && !error; i++)
		error = result_count(result, values[i].name, values[i].value,
				     values[i].unit);
	return error ? error : put_table(compact, result);
}
