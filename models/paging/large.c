// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 2M and 1G pages: what-if sizes, THPs and hugetlb; and all pages where the
 * granule is not 4K.
 *
 * A THP (mm/huge_memory.c) comes where the aligned 2M lie in one private
 * anonymous mapping and have no PTE table yet; a table is held back (deposited)
 * for the day when it is split, which is when its range is unmapped or
 * protected in part, or when it is written while fork shares it.
 */
#include "models/paging/space.h"

#include <stdlib.h>

/* Packed into the value of space->large. */
static uint64_t
pack(const struct large_page *page)
{
	return page->shift | (uint64_t)page->state << 8 |
	       (uint64_t)page->kind << 16 |
	       (page->shared ? UINT64_C(1) << 24 : 0);
}

static bool
find_at(const struct address_space *space, uint64_t start,
	struct large_page *page)
{
	const uint64_t *value = hash_find(&space->large, start);

	if (!value)
		return false;
	page->start = start;
	page->shift = (uint8_t)*value;
	page->state = (uint8_t)(*value >> 8);
	page->kind = (uint8_t)(*value >> 16);
	page->shared = *value >> 24 & 1;
	return true;
}

static uint64_t
size_of(const struct large_page *page)
{
	return UINT64_C(1) << page->shift;
}

static uint64_t
down(uint64_t address, unsigned shift)
{
	return address >> shift << shift;
}

bool
large_find(const struct address_space *space, uint64_t address,
	   struct large_page *page)
{
	if (!space->large.n)
		return false;
	if (space->granule > PAGE_SHIFT)
		return find_at(space, down(address, space->granule), page);
	return (find_at(space, down(address, LARGE_SHIFT), page) ||
		find_at(space, down(address, GIANT_SHIFT), page)) &&
	       address - page->start < size_of(page);
}

static struct range
page_range(const struct large_page *page)
{
	return (struct range){ page->start, page->start + size_of(page) };
}

static struct mapping
mapping_of(const struct paging *paging, const struct address_space *space,
	   const struct large_page *page)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	paging->table_ops->walk(space->table, page->start, reference, &mapping);
	return mapping;
}

static int
large_map(struct paging *paging, struct address_space *space,
	  const struct large_page *page, uint64_t frame, bool writable)
{
	const struct mapping mapping = { .frame = frame,
					 .shift = page->shift,
					 .writable = writable };
	int error = paging->table_ops->map(space->table, page->start, &mapping);

	if (error)
		return error;
	if (hash_put(&space->large, page->start, pack(page)) < 0)
		return paging_no_memory(paging);
	paging->large_pages = true;
	return 0;
}

static void
large_drop(struct paging *paging, struct address_space *space,
	   const struct large_page *page)
{
	struct mapping mapping = mapping_of(paging, space, page);

	paging->table_ops->unmap(space->table, page->start, size_of(page),
				 false, NULL, NULL);
	hash_remove(&space->large, page->start);
	huge_count(paging, page, false);
	if (page->kind == LARGE_HUGETLB)
		hugetlb_give(paging, page->shift, mapping.frame);
	else if (page->state != PAGE_BORROWED)
		owner_release(paging, page->shift, mapping.frame);
	if (page->kind == LARGE_THP)
		space->deposited--;
	/* A what-if page reaches beyond what is unmapped.  Only memory to list
	 * groups may be short; then they stay counted. */
	if (page->kind == LARGE_WHAT_IF)
		(void)coverage_drop(paging, space, page_range(page));
	space_stale(paging, space, page->start, size_of(page));
}

/* The large pages that meet [start, end): their number, -ENOMEM (said). */
static int64_t
larges_in(const struct paging *paging, const struct address_space *space,
	  uint64_t start, uint64_t end, uint64_t **key)
{
	int64_t n = hash_keys(&space->large, down(start, GIANT_SHIFT), end - 1,
			      key);

	return n < 0 ? paging_no_memory(paging) : n;
}

/* What size and kind would come in here; shift 0: a 4K page. */
static struct large_page
choose(const struct paging *paging, const struct address_space *space,
       const struct vma *vma, uint64_t address)
{
	struct large_page page = { .state = PAGE_OWNED };

	if (space->granule > PAGE_SHIFT) {
		page.kind = LARGE_WHAT_IF;
		page.shared = vma->flags & MAP_FLAG_SHARED;
		page.shift = (uint8_t)space->granule;
	} else if (paging->config.policy == PAGES_2M ||
		   paging->config.policy == PAGES_1G) {
		page.kind = LARGE_WHAT_IF;
		page.shared = vma->flags & MAP_FLAG_SHARED;
		page.shift = paging->config.policy == PAGES_2M ? LARGE_SHIFT
							       : GIANT_SHIFT;
	} else if (paging->config.policy != PAGES_4K &&
		   vma->flags & MAP_FLAG_HUGETLB) {
		page.kind = LARGE_HUGETLB;
		page.shared = vma->flags & MAP_FLAG_SHARED;
		page.shift = (uint8_t)hugetlb_shift(vma);
	} else if (huge_allowed(paging, vma) >> (LARGE_SHIFT - PAGE_SHIFT) &
		   1) {
		page.kind = LARGE_THP;
		page.start = down(address, LARGE_SHIFT);
		if (page.start >= vma->start &&
		    page.start + LARGE_BYTES <= vma->end &&
		    !pageset_region(&space->pages, address))
			page.shift = LARGE_SHIFT;
	}
	page.start = page.shift ? down(address, page.shift) : address;
	return page;
}

static int
class_of(const struct paging *paging, const struct vma *vma)
{
	if (vma->flags & VMA_UNMAPPED)
		return paging->mapping_events ? FAULT_UNMAPPED : FAULT_ANON;
	if (vma->flags & MAP_FLAG_SHARED)
		return FAULT_SHARED;
	return vma->object == OBJECT_NONE ? FAULT_ANON : FAULT_FILE;
}

static int
zero_large(struct paging *paging, struct address_space *space,
	   const struct vma *vma, struct large_page *page)
{
	int error;

	/* Whatever pages.defrag (mm/huge_memory.c, get_huge_zero_folio) */
	if (!paging->zero_large &&
	    frames_take(paging->frames, LARGE_SHIFT, &paging->zero_large) < 0 &&
	    (compact_for(paging, vma, COMPACT_ADVICE, LARGE_SHIFT) != 1 ||
	     frames_take(paging->frames, LARGE_SHIFT, &paging->zero_large) <
		     0)) {
		paging->huge.fallback[LARGE_ORDER]++;
		return FAULT_CLASSES;
	}
	paging->huge.zero++;
	page->state = PAGE_BORROWED;
	space->deposited++;
	error = large_map(paging, space, page, paging->zero_large, false);
	return error ? error : FAULT_ZERO;
}

/* Of a THP: where there is no room for it, there is no frame. */
static bool
has_room(struct paging *paging, const struct address_space *space,
	 const struct vma *vma, const struct large_page *page)
{
	return page->kind != LARGE_THP ||
	       huge_has_room(paging, space, vma, COMPACT_FAULT, page->shift);
}

static int
take_frame(struct paging *paging, const struct vma *vma,
	   const struct large_page *page, bool copy, uint64_t *frame)
{
	return page->kind == LARGE_HUGETLB
		       ? hugetlb_take(paging, vma, page, copy, frame)
	       : page->kind == LARGE_THP
		       ? compact_take(paging, vma, COMPACT_FAULT, page->shift,
				      page->start, frame)
		       : owner_take(paging, page->shift, page->start, frame);
}

/* Fragmented memory: THPs give way to small pages; so does what a pool lacks. */
static int
no_run(struct paging *paging, const struct large_page *page)
{
	if (page->kind == LARGE_HUGETLB)
		return FAULT_CLASSES;
	if (page->kind != LARGE_THP)
		return paging_no_memory(paging);
	paging->huge.fallback[LARGE_ORDER]++;
	return FAULT_CLASSES;
}

/* A what-if page is so for all who share its region.  A private hugetlb page
 * that is read first waits for its write (mm/hugetlb.c, make_huge_pte). */
static bool
is_writable(const struct vma *vma, const struct large_page *page, bool write)
{
	if (page->kind == LARGE_WHAT_IF)
		return true;
	return vma->flags & MAP_FLAG_WRITE &&
	       (page->kind == LARGE_THP || page->shared || write);
}

int
large_fault(struct paging *paging, struct address_space *space, struct vma *vma,
	    uint64_t address, bool write)
{
	struct large_page page = choose(paging, space, vma, address);
	bool writable = is_writable(vma, &page, write);
	uint64_t frame;
	int error;

	if (!page.shift)
		return FAULT_CLASSES;
	/* Also for the zero page (mm/huge_memory.c, vmf_anon_prepare). */
	if (!page.shared)
		vma_prepare(paging, space, vma);
	if (page.kind == LARGE_THP && !write && paging->zero_page &&
	    !paging->config.huge.no_zero)
		return zero_large(paging, space, vma, &page);
	if (!has_room(paging, space, vma, &page) ||
	    take_frame(paging, vma, &page, false, &frame) < 0)
		return no_run(paging, &page);
	if (page.kind == LARGE_THP) {
		huge_came(paging, space, page.start, page.shift, frame);
		paging->huge.faulted[LARGE_ORDER]++;
		space->deposited++;
	}
	huge_count(paging, &page, true);
	huge_note(paging, HUGE_LINE_FAULTS);
	error = large_map(paging, space, &page, frame, writable);
	if (!error)
		error = coverage_bring(paging, space, page.start,
				       page.start + size_of(&page));
	return error ? error : class_of(paging, vma);
}

int
large_collapse(struct paging *paging, struct address_space *space,
	       struct vma *vma, uint64_t start, enum compact_for who)
{
	const struct large_page page = {
		.start = start,
		.shift = LARGE_SHIFT,
		.state = PAGE_OWNED,
		.kind = LARGE_THP,
	};
	uint64_t frame;
	int error;

	if (!huge_has_room(paging, space, vma, who, LARGE_SHIFT) ||
	    compact_take(paging, vma, who, LARGE_SHIFT, start, &frame) < 0)
		return 0;
	huge_came(paging, space, start, LARGE_SHIFT, frame);
	error = zap_pages(paging, space, start, start + LARGE_BYTES);
	if (error)
		return error;
	vma_prepare(paging, space, vma);
	space->deposited++;
	error = large_map(paging, space, &page, frame,
			  vma->flags & MAP_FLAG_WRITE);
	paging->untouched_pages = true;
	huge_count(paging, &page, true);
	huge_note(paging, HUGE_LINE_COLLAPSES);
	if (!error)
		error = coverage_bring(paging, space, start,
				       start + LARGE_BYTES);
	return error ? error : 1;
}

int
large_promote(struct paging *paging, struct address_space *space,
	      struct vma *vma, uint64_t start, uint64_t frame)
{
	const struct large_page page = {
		.start = start,
		.shift = LARGE_SHIFT,
		.state = PAGE_OWNED,
		.kind = LARGE_THP,
	};

	paging->table_ops->unmap(space->table, start, LARGE_BYTES, true, NULL,
				 NULL);
	pageset_forget(&space->pages, start, start + LARGE_BYTES);
	space->deposited++;
	huge_count(paging, &page, true);
	huge_note(paging, HUGE_LINE_COLLAPSES);
	space_stale(paging, space, start, LARGE_BYTES);
	return large_map(paging, space, &page, frame,
			 vma->flags & MAP_FLAG_WRITE);
}

static int
split(struct paging *paging, struct address_space *space,
      const struct large_page *page)
{
	struct mapping mapping = mapping_of(paging, space, page);
	uint64_t frame = mapping.frame;
	bool zero = page->state == PAGE_BORROWED;
	int error;

	if (zero && !paging->zero_frame &&
	    frames_take(paging->frames, PAGE_SHIFT, &paging->zero_frame) < 0)
		return paging_no_memory(paging);
	if (!zero && owner_split(paging, frame) < 0)
		return paging_no_memory(paging);
	paging->table_ops->unmap(space->table, page->start, LARGE_BYTES, false,
				 NULL, NULL);
	hash_remove(&space->large, page->start);
	space->deposited--;
	paging->huge.splits += !zero;
	huge_count(paging, page, false);
	if (!zero)
		huge_note(paging, HUGE_LINE_SPLITS);
	mapping.shift = PAGE_SHIFT;
	for (uint64_t part = 0; part < LARGE_BYTES; part += PAGE_BYTES) {
		mapping.frame = zero ? paging->zero_frame : frame + part;
		error = page_map(paging, space, page->start + part, &mapping,
				 (enum page_state)page->state);
		if (error)
			return error;
	}
	space_stale(paging, space, page->start, LARGE_BYTES);
	return 0;
}

/* Copy it whole: a what-if or hugetlb page, or the huge zero page, which is
 * split where memory is too fragmented (mm/huge_memory.c,
 * do_huge_pmd_wp_page). */
static int
copy_whole(struct paging *paging, struct address_space *space, struct vma *vma,
	   struct large_page *page, const struct mapping *old)
{
	bool borrowed = page->state == PAGE_BORROWED;
	uint64_t frame;
	int error;

	if (!has_room(paging, space, vma, page) ||
	    take_frame(paging, vma, page, true, &frame) < 0) {
		if (!borrowed || page->kind != LARGE_THP)
			return paging_no_memory(paging);
		paging->huge.fallback[LARGE_ORDER]++;
		error = split(paging, space, page);
		return error ? error : FAULT_CLASSES;
	}
	if (page->kind == LARGE_THP) {
		huge_came(paging, space, page->start, page->shift, frame);
		paging->huge.faulted[LARGE_ORDER]++;
	}
	page->state = PAGE_OWNED;
	if (borrowed) {
		huge_count(paging, page, true);
		huge_note(paging, HUGE_LINE_FAULTS);
		error = coverage_bring(paging, space, page->start,
				       page->start + size_of(page));
		if (error)
			return error;
	}
	error = large_map(paging, space, page, frame, true);
	if (error)
		return error;
	if (page->kind == LARGE_HUGETLB)
		hugetlb_give(paging, page->shift, old->frame);
	else if (!borrowed)
		owner_release(paging, page->shift, old->frame);
	return borrowed ? FAULT_ZERO_COW : FAULT_COW;
}

int
large_write(struct paging *paging, struct address_space *space, struct vma *vma,
	    const struct large_page *found)
{
	struct large_page page = *found;
	struct mapping mapping = mapping_of(paging, space, &page);
	int error;

	if (mapping.writable)
		return FAULT_CLASSES;
	vma_prepare(paging, space, vma);
	space_stale(paging, space, page.start, size_of(&page));
	if (page.state != PAGE_BORROWED &&
	    owner_alone(paging, page.shift, mapping.frame)) {
		page.state = PAGE_OWNED;
		error = large_map(paging, space, &page, mapping.frame, true);
		return error ? error : FAULT_REUSE;
	}
	if (page.kind == LARGE_THP && page.state != PAGE_BORROWED) {
		error = split(paging, space, &page);
		return error ? error : FAULT_CLASSES;
	}
	return copy_whole(paging, space, vma, &page, &mapping);
}

int
large_split(struct paging *paging, struct address_space *space,
	    uint64_t address)
{
	struct large_page page;

	return large_find(space, address, &page) && page.kind == LARGE_THP
		       ? split(paging, space, &page)
		       : 0;
}

int
large_split_alone(struct paging *paging, struct address_space *space,
		  uint64_t start, uint64_t end)
{
	uint64_t *key;
	int64_t n;
	int error = 0;

	if (!space->large.n)
		return 0;
	n = larges_in(paging, space, start, end, &key);
	for (int64_t i = 0; i < n && !error; i++) {
		struct large_page page;

		if (!find_at(space, key[i], &page) || page.kind != LARGE_THP ||
		    page.start + LARGE_BYTES <= start ||
		    page.state == PAGE_BORROWED ||
		    !owner_alone(paging, page.shift,
				 mapping_of(paging, space, &page).frame))
			continue;
		error = split(paging, space, &page);
	}
	free(key);
	return n < 0 ? (int)n : error;
}

int
large_split_edges(struct paging *paging, struct address_space *space,
		  uint64_t start, uint64_t end)
{
	const uint64_t edge[] = { start, end };
	struct large_page page;

	for (size_t i = 0; i < ARRAY_SIZE(edge); i++) {
		int error;

		if (!large_find(space, edge[i], &page) ||
		    page.kind != LARGE_THP || page.start == edge[i])
			continue;
		error = split(paging, space, &page);
		if (error)
			return error;
	}
	return 0;
}

int
large_split_between(struct paging *paging, struct address_space *space,
		    uint64_t start, uint64_t end)
{
	const uint64_t edge[] = { start, end };
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(edge) && !error; i++) {
		const struct vma *vma = vma_find(&space->vmas, edge[i]);

		if (edge[i] % LARGE_BYTES && (!vma || vma->start == edge[i]))
			error = large_split(paging, space, edge[i]);
	}
	return error;
}

/* Is there no mapping left in the page's region? */
static bool
is_orphan(const struct address_space *space, const struct large_page *page)
{
	size_t i = vma_at_or_after(&space->vmas, page->start);

	return i == space->vmas.n ||
	       space->vmas.vma[i].start >= page->start + size_of(page);
}

int
large_zap(struct paging *paging, struct address_space *space, uint64_t start,
	  uint64_t end, bool unmapped)
{
	uint64_t *key;
	int64_t n;
	int error;

	if (!space->large.n)
		return 0;
	error = large_split_edges(paging, space, start, end);
	if (error)
		return error;
	n = larges_in(paging, space, start, end, &key);
	for (int64_t i = 0; i < n; i++) {
		struct large_page page;

		if (!find_at(space, key[i], &page) ||
		    page.start + size_of(&page) <= start)
			continue;
		if ((page.start >= start &&
		     page.start + size_of(&page) <= end) ||
		    (unmapped && is_orphan(space, &page)))
			large_drop(paging, space, &page);
	}
	free(key);
	return n < 0 ? (int)n : 0;
}

int
large_protect(struct paging *paging, struct address_space *space,
	      uint64_t start, uint64_t end, bool writable)
{
	uint64_t *key;
	int64_t n;
	int error = 0;

	if (!space->large.n)
		return 0;
	n = larges_in(paging, space, start, end, &key);
	for (int64_t i = 0; i < n && !error; i++) {
		struct large_page page;
		struct mapping mapping;

		if (!find_at(space, key[i], &page) ||
		    page.kind == LARGE_WHAT_IF || page.start < start)
			continue;
		mapping = mapping_of(paging, space, &page);
		/* A private hugetlb page waits for its fault
		 * (mm/hugetlb.c, hugetlb_change_protection). */
		if (writable == mapping.writable ||
		    (writable && page.state != PAGE_OWNED) ||
		    (writable && page.kind == LARGE_HUGETLB && !page.shared))
			continue;
		error = large_map(paging, space, &page, mapping.frame,
				  writable);
		space_stale(paging, space, page.start, size_of(&page));
	}
	free(key);
	return n < 0 ? (int)n : error;
}

/* Both now map it read-only. */
static int
fork_one(struct paging *paging, struct address_space *parent,
	 struct address_space *child, struct large_page *page)
{
	struct mapping mapping = mapping_of(paging, parent, page);
	int error;

	if (page->state != PAGE_BORROWED) {
		if (owner_share(paging, page->shift, mapping.frame) < 0)
			return paging_no_memory(paging);
		page->state = PAGE_FORKED;
		error = large_map(paging, parent, page, mapping.frame, false);
		if (error)
			return error;
	}
	if (page->kind == LARGE_THP)
		child->deposited++;
	huge_count(paging, page, true);
	return large_map(paging, child, page, mapping.frame, false);
}

int
large_fork(struct paging *paging, struct address_space *parent,
	   struct address_space *child, const struct vma *vma)
{
	uint64_t *key;
	int64_t n;
	int error = 0;

	if (!parent->large.n)
		return 0;
	n = larges_in(paging, parent, vma->start, vma->end, &key);
	for (int64_t i = 0; i < n && !error; i++) {
		struct large_page page, other;

		/* Several mappings may share a what-if page. */
		if (!find_at(parent, key[i], &page) || page.shared ||
		    page.start + size_of(&page) <= vma->start ||
		    find_at(child, key[i], &other))
			continue;
		error = fork_one(paging, parent, child, &page);
	}
	free(key);
	return n < 0 ? (int)n : error;
}

int
large_move(struct paging *paging, struct address_space *space, uint64_t start,
	   uint64_t end, uint64_t delta)
{
	uint64_t *key;
	int64_t n;
	int error;

	if (!space->large.n)
		return 0;
	error = large_split_edges(paging, space, start, end);
	if (error)
		return error;
	n = larges_in(paging, space, start, end, &key);
	for (int64_t i = 0; i < n && !error; i++) {
		struct large_page page;
		struct mapping mapping;

		if (!find_at(space, key[i], &page) ||
		    page.kind == LARGE_WHAT_IF || page.start < start)
			continue;
		if (delta % LARGE_BYTES) {
			error = page.kind == LARGE_THP
					? split(paging, space, &page)
					: 0;
			continue;
		}
		mapping = mapping_of(paging, space, &page);
		paging->table_ops->unmap(space->table, page.start, LARGE_BYTES,
					 false, NULL, NULL);
		hash_remove(&space->large, page.start);
		page.start += delta;
		error = large_map(paging, space, &page, mapping.frame,
				  mapping.writable);
	}
	free(key);
	return n < 0 ? (int)n : error;
}
