// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of files and shared memory (mm/memory.c, do_fault; mm/filemap.c):
 *
 *	read           -> the neighbours that are in the page cache, in a window
 *	                  (fault-around); the page itself, read from the device
 *	                  if need be, and then the neighbours again
 *	private write  -> the page, read if need be, and its copy, at once
 *	shared write   -> the page, and the folio that it is in
 */
#include "models/paging/space.h"

/* Map a page of a file or of shared memory. */
static int
map_borrowed(const struct fault *fault, struct object *object, uint64_t page,
	     bool writable)
{
	const struct vma *vma = fault->vma;
	uint64_t address = vma->start + ((page << PAGE_SHIFT) - vma->offset);
	struct mapping mapping = { .shift = PAGE_SHIFT, .writable = writable };
	int error =
		object_page(fault->paging, object, page, true, &mapping.frame);

	if (error)
		return error;
	file_cache_mapped(&object->cache, page);
	return page_map(fault->paging, fault->space, address, &mapping,
			PAGE_BORROWED);
}

static uint64_t
object_page_at(const struct vma *vma, uint64_t address)
{
	return (vma->offset + (address - vma->start)) >> PAGE_SHIFT;
}

static uint64_t
address_of(const struct vma *vma, uint64_t page)
{
	return vma->start + ((page << PAGE_SHIFT) - vma->offset);
}

/* Does the VMA map the folio whole, within one PTE table? */
static bool
folio_fits(const struct vma *vma, const struct folio *folio)
{
	uint64_t first = vma->offset >> PAGE_SHIFT;
	uint64_t pages = (vma->end - vma->start) >> PAGE_SHIFT;
	uint64_t start;

	if (folio->first < first || folio->first + folio->pages > first + pages)
		return false;
	start = address_of(vma, folio->first);
	return start / LARGE_BYTES ==
	       (start + (folio->pages << PAGE_SHIFT) - 1) / LARGE_BYTES;
}

/* What of the pages [first, end) is not mapped yet, is now. */
static int
map_pages(const struct fault *fault, struct object *object, uint64_t first,
	  uint64_t end, bool writable)
{
	int error = 0;

	for (uint64_t page = first; page < end && !error; page++) {
		uint64_t address = address_of(fault->vma, page);

		if (pageset_state(&fault->space->pages, address) != PAGE_ABSENT)
			continue;
		error = map_borrowed(fault, object, page, writable);
		if (address != fault->address)
			fault->paging->untouched_pages = true;
	}
	return error;
}

struct window {
	uint64_t first, end; /* pages of the object */
};

/*
 * A window of the fault-around size, from the aligned start clipped to the VMA,
 * to the end of the VMA or PTE table at most (mm/memory.c, do_fault_around);
 * only pages that are in the file.
 */
static struct window
window_of(const struct fault *fault, const struct object *object)
{
	const struct vma *vma = fault->vma;
	uint64_t window =
		fault->paging->config.fault_around_bytes >> PAGE_SHIFT;
	uint64_t pte = fault->address >> PAGE_SHIFT & 511;
	uint64_t before = (fault->address - vma->start) >> PAGE_SHIFT;
	uint64_t after = (vma->end - fault->address) >> PAGE_SHIFT;
	uint64_t clipped = pte - (pte < before ? pte : before);
	uint64_t from = pte & ~(window - 1), to;
	uint64_t page = object_page_at(vma, fault->address);
	struct window around;

	from = from > clipped ? from : clipped;
	to = from + window < pte + after ? from + window : pte + after;
	to = to < 512 ? to : 512;
	around.first = page - (pte - from);
	around.end = page + (to - pte);
	if (object->file && object->pages && around.end > object->pages)
		around.end = object->pages;
	return around;
}

/* Is the page there to be mapped, and in which folio? */
static bool
page_is_there(const struct object *object, uint64_t page, struct folio *folio)
{
	if (file_cache_find(&object->cache, page, folio))
		return true;
	*folio = (struct folio){ page, 1, false };
	return !object->file && hash_find(&object->frame, page);
}

/*
 * mm/filemap.c, filemap_map_pages.  Large folios are mapped whole, if the first
 * of the window ends before the last page of the file.  If it does not, a PTE
 * table that is missing is not made either (6.18: filemap_map_pmd would do that),
 * and nothing is mapped.
 */
static int
map_around(const struct fault *fault, struct object *object, bool writable)
{
	struct window window = window_of(fault, object);
	uint64_t hits = 0, next;
	const struct pageset *pages = &fault->space->pages;
	bool first = true, large = false;
	int error = 0;

	for (uint64_t i = window.first; i < window.end && !error; i = next) {
		struct folio folio;
		struct window part = { i, window.end };

		next = i + 1;
		if (!page_is_there(object, i, &folio))
			continue;
		next = folio.first + folio.pages;
		if (folio.marked)
			continue;
		if (first)
			large = !object->file || !object->pages ||
				next < object->pages;
		if (first && !large && !pageset_region(pages, fault->address))
			return 0;
		first = false;
		part.end = part.end < next ? part.end : next;
		if (folio.pages > 1 && large && folio_fits(fault->vma, &folio))
			part = (struct window){ folio.first, next };
		hits += part.end - part.first;
		error = map_pages(fault, object, part.first, part.end,
				  writable);
	}
	file_cache_hits(&object->cache, hits);
	return error;
}

/* finish_fault: the page, or all of its folio if nothing of it is mapped. */
static int
map_folio(const struct fault *fault, struct object *object, bool writable)
{
	uint64_t page = object_page_at(fault->vma, fault->address), end;
	struct folio folio;

	if (!page_is_there(object, page, &folio) || folio.pages == 1 ||
	    !folio_fits(fault->vma, &folio))
		return map_borrowed(fault, object, page, writable);
	end = folio.first + folio.pages;
	if (object->file && object->pages && object->pages < end)
		return map_borrowed(fault, object, page, writable);
	for (uint64_t i = folio.first; i < end; i++)
		if (pageset_state(&fault->space->pages,
				  address_of(fault->vma, i)) != PAGE_ABSENT)
			return map_borrowed(fault, object, page, writable);
	return map_pages(fault, object, folio.first, end, writable);
}

/* filemap_fault: the page is in the page cache then: enum file_fault. */
static int
read_in(const struct fault *fault, struct object *object)
{
	const struct vma *vma = fault->vma;
	const struct file_read read = {
		.page = object_page_at(vma, fault->address),
		.advice = vma->flags & VMA_SEQUENTIAL  ? READ_SEQUENTIAL
			  : vma->flags & MAP_FLAG_EXEC ? READ_EXECUTED
			  : vma->flags & VMA_RANDOM    ? READ_RANDOM
						       : READ_NORMAL,
		.map_first = vma->offset >> PAGE_SHIFT,
		.map_end =
			(vma->offset + (vma->end - vma->start)) >> PAGE_SHIFT,
	};
	uint64_t pages = object->cache.pages, all = object->cache.read_pages;
	int got;

	if (!object->file)
		return FILE_HIT;
	got = file_cache_fault(&object->cache, &read);
	if (object->cache.read_pages != all)
		files_note(fault->paging, object, pages, all);
	return got < 0 ? paging_no_memory(fault->paging) : got;
}

/* Shared memory: there, new or back from swap. */
static int
shared_class(const struct fault *fault, const struct object *object)
{
	const uint64_t *slot =
		hash_find(&object->out,
			  object_page_at(fault->vma, fault->address));
	uint64_t frame;

	if (!slot)
		return FAULT_SHARED;
	return swap_cached(fault->paging, *slot, &frame) ? FAULT_CACHED
							 : FAULT_SWAP;
}

/* Twice round at most: what had to be read makes the fault begin anew. */
static int
fault_read(const struct fault *fault, struct object *object)
{
	uint64_t page = object_page_at(fault->vma, fault->address);
	bool new = !object->file && !hash_find(&object->frame, page) &&
		   !hash_find(&object->out, page);
	struct pageset *pages = &fault->space->pages;
	bool writable =
		(fault->vma->flags & (MAP_FLAG_SHARED | MAP_FLAG_WRITE)) ==
			(MAP_FLAG_SHARED | MAP_FLAG_WRITE) &&
		!object->disk;
	bool around = fault->paging->config.fault_around_bytes > PAGE_BYTES;
	int class = object->file ? FAULT_FILE : shared_class(fault, object);

	for (;;) {
		int got = around ? map_around(fault, object, writable) : 0;

		if (got < 0)
			return got;
		if (pageset_state(pages, fault->address) != PAGE_ABSENT)
			return class;
		got = read_in(fault, object);
		if (got < 0)
			return got;
		if (got == FILE_READ)
			class = FAULT_READ;
		if (got == FILE_HIT || !around)
			break;
	}
	if (map_folio(fault, object, writable) < 0)
		return -ENOMEM;
	if (new &&hash_put(&object->unwritten, page, 1) < 0)
		return paging_no_memory(fault->paging);
	return class;
}

int
fault_object(const struct fault *fault)
{
	struct object *object = &fault->paging->object[fault->vma->object];
	bool shared = fault->vma->flags & MAP_FLAG_SHARED;
	uint64_t frame;
	int got, error, class;

	if (!fault->write)
		return fault_read(fault, object);
	class = shared_class(fault, object);
	if (shared)
		hash_remove(&object->unwritten,
			    object_page_at(fault->vma, fault->address));
	got = read_in(fault, object);
	if (got < 0)
		return got;
	if (got == FILE_READ)
		class = FAULT_READ;
	else if (object->file)
		class = FAULT_SHARED;
	if (shared)
		error = map_folio(fault, object, true);
	else /* what is copied exists then, in memory */
		error = object->file
				? 0
				: object_page(fault->paging, object,
					      object_page_at(fault->vma,
							     fault->address),
					      true, &frame);
	if (error)
		return error;
	if (shared)
		return class;
	return fault_own(fault, class == FAULT_SHARED ? FAULT_COW : class);
}
