// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pools of pages that only MAP_HUGETLB takes from (mm/hugetlb.c).
 *
 *	pages of a pool = free for all + reserved by mappings + mapped
 *
 * mmap reserves what it will need, or fails with ENOMEM; a fault of who did
 * not (MAP_NORESERVE, a child's after fork) takes what nobody reserved, or the
 * program gets SIGBUS.  The recorded program did not: so what a pool lacks is
 * counted and comes as 4K pages.
 *
 * The pages are taken from memory at the start, as at boot.
 */
#include "models/paging/space.h"

#include "analyzer/fail.h"

#include <stdio.h>
#include <stdlib.h>

const struct option_row hugetlb_rows[] = {
	{ .name = "pages-2m",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct hugetlb_config, pages[HUGETLB_2M]),
	  .fallback = "0",
	  .max = 1 << 24,
	  .unit = "pages",
	  .help = "Pool of 2M pages for MAP_HUGETLB; 0: as many as it takes" },
	{ .name = "pages-1g",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct hugetlb_config, pages[HUGETLB_1G]),
	  .fallback = "0",
	  .max = 1 << 16,
	  .unit = "pages",
	  .help = "Pool of 1G pages for MAP_HUGETLB; 0: as many as it takes" },
	{ 0 },
};

static const unsigned shifts[] = { LARGE_SHIFT, GIANT_SHIFT };

static struct pool_of *
pool_at(struct paging *paging, unsigned shift)
{
	return &paging->hugetlb.pool[shift == GIANT_SHIFT];
}

int
hugetlb_open(struct paging *paging)
{
	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct pool_of *pool = &paging->hugetlb.pool[i];
		uint64_t pages = paging->config.huge.hugetlb.pages[i];

		if (!pages)
			continue;
		pool->frame = calloc(pages, sizeof(*pool->frame));
		if (!pool->frame)
			return fail(ENOMEM, "hugetlb.pages-%s: no memory",
				    i ? "1g" : "2m");
		/* The kernel takes what it gets, too. */
		while (pool->n < pages &&
		       frames_take(paging->frames, shifts[i],
				   &pool->frame[pool->n]) == 0)
			pool->n++;
		if (!pool->n)
			return fail(ENOMEM,
				    "hugetlb.pages-%s=%ju: memory.size has "
				    "not one free run of %s",
				    i ? "1g" : "2m", (uintmax_t)pages,
				    i ? "1G" : "2M");
		pool->pages = pool->n;
	}
	return 0;
}

void
hugetlb_fini(struct paging *paging)
{
	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++)
		free(paging->hugetlb.pool[i].frame);
}

unsigned
hugetlb_shift(const struct vma *vma)
{
	return vma->flags & VMA_GIANT ? GIANT_SHIFT : LARGE_SHIFT;
}

/* Does the mapping have a reservation of its own? */
static struct pool_of *
reserving(struct paging *paging, const struct vma *vma)
{
	struct pool_of *pool;

	if (!(vma->flags & MAP_FLAG_HUGETLB) ||
	    vma->flags & (MAP_FLAG_NORESERVE | MAP_FLAG_SHARED))
		return NULL;
	pool = pool_at(paging, hugetlb_shift(vma));
	return pool->pages ? pool : NULL;
}

void
hugetlb_map(struct paging *paging, struct vma *vma)
{
	unsigned shift = hugetlb_shift(vma);
	struct pool_of *pool = pool_at(paging, shift);
	uint64_t pages = (vma->end - vma->start) >> shift;

	if (!(vma->flags & MAP_FLAG_HUGETLB) || !pool->pages ||
	    vma->flags & MAP_FLAG_NORESERVE)
		return;
	if (pages > pool->n - pool->reserved) {
		pool->refused++;
		vma->flags &= ~(uint32_t)(MAP_FLAG_HUGETLB | VMA_GIANT);
		return;
	}
	pool->reserved += pages;
	if (pool->reserved_peak < pool->reserved)
		pool->reserved_peak = pool->reserved;
	/* Shared memory keeps all it has until nobody maps any of it. */
	if (vma->flags & MAP_FLAG_SHARED) {
		paging->object[vma->object].shift = (uint8_t)shift;
		paging->object[vma->object].reserved = pages;
	}
}

void
hugetlb_unmap(struct paging *paging, struct address_space *space,
	      struct range range)
{
	size_t i = vma_at_or_after(&space->vmas, range.start);

	for (; i < space->vmas.n && space->vmas.vma[i].start < range.end; i++) {
		const struct vma *vma = &space->vmas.vma[i];
		struct pool_of *pool = reserving(paging, vma);
		uint64_t bytes = UINT64_C(1) << hugetlb_shift(vma);
		uint64_t at =
			vma->start > range.start ? vma->start : range.start;
		uint64_t end = vma->end < range.end ? vma->end : range.end;
		struct large_page page;

		/* What was never faulted in is free again. */
		for (; pool && at < end; at += bytes)
			pool->reserved -= !large_find(space, at, &page);
	}
}

/* One that is free; reserved: for who takes it. */
static int
take(struct paging *paging, unsigned shift, bool reserved, uint64_t *frame)
{
	struct pool_of *pool = pool_at(paging, shift);

	if (!reserved && pool->n <= pool->reserved) {
		pool->lacking++;
		return -ENOMEM;
	}
	pool->reserved -= reserved;
	*frame = pool->frame[--pool->n];
	if (pool->used_peak < pool->pages - pool->n)
		pool->used_peak = pool->pages - pool->n;
	owner_taken(paging, shift);
	return 0;
}

/* The object has it, for all who map it. */
static int
take_shared(struct paging *paging, const struct vma *vma,
	    const struct large_page *page, uint64_t *frame)
{
	struct object *object = &paging->object[vma->object];
	uint64_t number =
		(vma->offset + (page->start - vma->start)) >> PAGE_SHIFT;
	const uint64_t *known = hash_find(&object->frame, number);
	bool reserved = object->reserved > 0;
	int error = 0;

	if (known)
		*frame = *known;
	else if (pool_at(paging, page->shift)->pages)
		error = take(paging, page->shift, reserved, frame);
	else
		error = owner_take(paging, page->shift, page->start, frame);
	if (error)
		return error;
	if (!known) {
		object->shift = page->shift;
		object->reserved -= reserved;
		if (hash_put(&object->frame, number, *frame) < 0)
			return -ENOMEM;
	}
	return owner_share(paging, page->shift, *frame);
}

int
hugetlb_take(struct paging *paging, const struct vma *vma,
	     const struct large_page *page, bool copy, uint64_t *frame)
{
	if (page->shared)
		return take_shared(paging, vma, page, frame);
	if (!pool_at(paging, page->shift)->pages)
		return owner_take(paging, page->shift, page->start, frame);
	return take(paging, page->shift, !copy && reserving(paging, vma),
		    frame);
}

int
hugetlb_fork(struct paging *paging, struct address_space *child,
	     const struct vma *vma)
{
	const struct table_ops *ops = paging->table_ops;
	/* Which page it is does not matter: it goes at once. */
	const struct mapping mapping = { .frame = LARGE_BYTES,
					 .shift = LARGE_SHIFT };
	struct large_page page;
	int error;

	/* Of those of more than one table the pages would have to be known. */
	if (!(vma->flags & MAP_FLAG_HUGETLB) || vma->flags & VMA_GIANT ||
	    vma->start >> GIANT_SHIFT != (vma->end - 1) >> GIANT_SHIFT ||
	    large_find(child, vma->start, &page))
		return 0;
	error = ops->map(child->table, vma->start, &mapping);
	if (!error)
		ops->unmap(child->table, vma->start, LARGE_BYTES, false, NULL,
			   NULL);
	return error;
}

void
hugetlb_unreserve(struct paging *paging, struct object *object)
{
	pool_at(paging, object->shift)->reserved -= object->reserved;
	object->reserved = 0;
}

void
hugetlb_give(struct paging *paging, unsigned shift, uint64_t frame)
{
	struct pool_of *pool = pool_at(paging, shift);
	bool last = owner_alone(paging, shift, frame);

	owner_release(paging, shift, frame);
	/* Just given back, so it is there to take. */
	if (pool->pages && last && pool->n < pool->pages &&
	    frames_take(paging->frames, shift, &pool->frame[pool->n]) == 0)
		pool->n++;
}

void
paging_hugetlb(const struct paging *paging, enum hugetlb_pool which,
	       uint64_t *free_pages, uint64_t *reserved)
{
	*free_pages = paging->hugetlb.pool[which].n;
	*reserved = paging->hugetlb.pool[which].reserved;
}

static int
put_pool(const struct pool_of *pool, const char *size, struct result *result)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} values[] = {
		{ "pages", pool->pages, "pages" },
		{ "used.peak", pool->used_peak, "pages" },
		{ "reserved.peak", pool->reserved_peak, "pages" },
		{ "used", pool->pages - pool->n, "pages" },
		{ "reserved", pool->reserved, "pages" },
		{ "refused", pool->refused, "mappings" },
		{ "lacking", pool->lacking, "faults" },
	};
	char name[64];
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(values) && !error; i++) {
		snprintf(name, sizeof(name), "hugetlb.%s.%s", size,
			 values[i].name);
		error = result_count(result, name, values[i].value,
				     values[i].unit);
	}
	return error;
}

int
hugetlb_finish(const struct paging *paging, struct result *result)
{
	static const char *const sizes[] = { "2m", "1g" };
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes) && !error; i++)
		if (paging->hugetlb.pool[i].pages)
			error = put_pool(&paging->hugetlb.pool[i], sizes[i],
					 result);
	return error;
}
