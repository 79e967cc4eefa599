// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of Linux 6.18: mm/filemap.c, mm/readahead.c. */
#include "models/paging/file-cache.h"

#include <stdlib.h>
#include <string.h>

#define LOTS_OF_MISSES 100u /* MMAP_LOTSAMISS */
#define ORDER_MAX      9u   /* 2 MiB */

/* The value of a page in cache->read */
#define READ_ORDER  15u
#define READ_MARKED 16u
#define READ_UNUSED 32u /* was read ahead and not mapped yet */
#define READ_GONE   64u /* it had to leave, and is not there */

void
file_cache_fini(struct file_cache *cache)
{
	free(cache->run);
	hash_fini(&cache->read);
}

static const struct cached_run *
run_of(const struct file_cache *cache, uint64_t page)
{
	size_t low = 0, high = cache->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (cache->run[middle].end > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low < cache->n && cache->run[low].first <= page
		       ? &cache->run[low]
		       : NULL;
}

bool
file_cache_find(const struct file_cache *cache, uint64_t page,
		struct folio *folio)
{
	const uint64_t *read = hash_find(&cache->read, page);
	const struct cached_run *run = read ? NULL : run_of(cache, page);
	unsigned order = read  ? (unsigned)*read & READ_ORDER
			 : run ? run->order
			       : 0;

	if (read && *read & READ_GONE)
		return false;
	if (!read && !(run ? run->cached : cache->config.warm))
		return false;
	folio->first = page >> order << order;
	folio->pages = UINT64_C(1) << order;
	folio->marked = read ? *read & READ_MARKED : run && run->marked;
	return true;
}

/* Is it told or was it read, and is still there? */
static bool
is_counted(const struct file_cache *cache, uint64_t page)
{
	const uint64_t *read = hash_find(&cache->read, page);
	const struct cached_run *run = read ? NULL : run_of(cache, page);

	return read ? !(*read & READ_GONE) : run && run->cached;
}

static uint64_t
counted(const struct file_cache *cache, uint64_t first, uint64_t end)
{
	uint64_t n = 0;

	for (uint64_t i = first; i < end; i++)
		n += is_counted(cache, i);
	return n;
}

int
file_cache_drop(struct file_cache *cache, uint64_t page)
{
	struct folio folio;
	int error = 0;

	if (!file_cache_find(cache, page, &folio))
		return 0;
	cache->pages -= counted(cache, folio.first, folio.first + folio.pages);
	cache->pages += folio.pages - 1;
	for (uint64_t i = folio.first;
	     folio.pages > 1 && !error && i < folio.first + folio.pages; i++)
		error = hash_put(&cache->read, i, 0);
	return error ? error : hash_put(&cache->read, page, READ_GONE);
}

/* Room for one more at i. */
static int
open_slot(struct file_cache *cache, size_t i)
{
	if (cache->n == cache->room) {
		size_t room = cache->room ? 2 * cache->room : 8;
		struct cached_run *more =
			reallocarray(cache->run, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		cache->run = more;
		cache->room = room;
	}
	memmove(&cache->run[i + 1], &cache->run[i],
		(cache->n - i) * sizeof(*cache->run));
	cache->n++;
	return 0;
}

/* Where pages from `first` on begin: what spans it is cut. */
static int
cut_at(struct file_cache *cache, uint64_t first, size_t *at)
{
	size_t i = 0;

	while (i < cache->n && cache->run[i].end <= first)
		i++;
	*at = i;
	if (i == cache->n || cache->run[i].first >= first)
		return 0;
	if (open_slot(cache, i))
		return -ENOMEM;
	cache->run[i].end = first;
	cache->run[i + 1].first = first;
	*at = i + 1;
	return 0;
}

int
file_cache_record(struct file_cache *cache, const struct cached_run *run)
{
	size_t from, to;

	if (run->end <= run->first)
		return 0;
	cache->pages -= counted(cache, run->first, run->end);
	if (cut_at(cache, run->first, &from) || cut_at(cache, run->end, &to))
		return -ENOMEM;
	if (to > from) { /* one of them becomes the new one */
		memmove(&cache->run[from + 1], &cache->run[to],
			(cache->n - to) * sizeof(*cache->run));
		cache->n -= to - from - 1;
	} else if (open_slot(cache, from)) {
		return -ENOMEM;
	}
	cache->run[from] = *run;
	cache->pages += counted(cache, run->first, run->end);
	return 0;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ra_alloc_folio: one that nothing is in the way of. */
static int
read_folio(struct file_cache *cache, uint64_t first, unsigned order,
	   bool marked)
{
	uint64_t pages = UINT64_C(1) << order;

	cache->pages += pages - counted(cache, first, first + pages);
	for (uint64_t i = first; i < first + pages; i++) {
		int error = hash_put(&cache->read, i,
				     order | (marked ? READ_MARKED : 0) |
					     READ_UNUSED);

		if (error)
			return error;
	}
	cache->read_pages += pages;
	cache->ahead_pages += pages;
	return 0;
}

static bool
any_cached(const struct file_cache *cache, uint64_t first, uint64_t pages)
{
	struct folio folio;

	for (uint64_t i = first; i < first + pages; i++)
		if (file_cache_find(cache, i, &folio))
			return true;
	return false;
}

/* page_cache_ra_unbounded: single pages, those that are there left out. */
static int
read_pages(struct file_cache *cache, uint64_t first, uint64_t end,
	   uint64_t async)
{
	uint64_t mark =
		async && async <= end - first ? end - async : UINT64_MAX;
	struct folio folio;
	int error = 0;

	for (uint64_t i = first; i < end && !error; i++)
		if (!file_cache_find(cache, i, &folio))
			error = read_folio(cache, i, 0, i == mark);
	return error;
}

/* page_cache_ra_order: the window of cache->ra. */
static int
read_window(struct file_cache *cache)
{
	struct read_ahead *ra = &cache->ra;
	uint64_t index = ra->start, end = ra->start + ra->size;
	uint64_t mark = ra->async ? end - ra->async : UINT64_MAX;
	int error = 0;

	if (cache->config.pages)
		end = less(end, cache->config.pages);
	if (index >= end)
		return 0;
	if (!cache->config.folios) {
		ra->order = 0;
		return read_pages(cache, index, end, ra->async);
	}
	ra->order = ra->order < ORDER_MAX ? ra->order : ORDER_MAX;
	while (ra->size && UINT64_C(1) << ra->order > ra->size)
		ra->order--;
	while (index < end && !error) {
		unsigned order = ra->order;

		while (order && (index & ((UINT64_C(1) << order) - 1) ||
				 index + (UINT64_C(1) << order) > end))
			order--;
		if (any_cached(cache, index, UINT64_C(1) << order))
			break;
		error = read_folio(cache, index, order,
				   index == mark >> order << order);
		index += UINT64_C(1) << order;
	}
	/* Something was there: the rest goes page by page. */
	return error || index >= end ? error
				     : read_pages(cache, index, end, ra->async);
}

/* get_next_ra_size */
static uint64_t
next_size(uint64_t size, uint64_t most)
{
	if (size < most / 16)
		return 4 * size;
	return size <= most / 2 ? 2 * size : most;
}

/* page_cache_async_ra: a marked folio was touched. */
static int
read_on(struct file_cache *cache, uint64_t page, const struct folio *folio)
{
	struct read_ahead *ra = &cache->ra;
	uint64_t most = cache->config.ahead_pages, start = page + 1;
	uint64_t expected =
		(ra->start + ra->size - ra->async) & ~(folio->pages - 1);
	uint64_t align, end;
	struct folio next;
	unsigned order;

	if (page == expected) {
		uint64_t size = next_size(ra->size, most);

		ra->start += ra->size;
		ra->size = size > ra->size ? size : ra->size;
	} else {
		while (start - page <= most &&
		       file_cache_find(cache, start, &next))
			start++;
		if (start - page > most)
			return 0;
		ra->start = start;
		ra->size = next_size(start - page + most, most);
	}
	ra->order += 2;
	order = (unsigned)__builtin_ctzll(most);
	align = UINT64_C(1) << (ra->order < order ? ra->order : order);
	end = (ra->start + ra->size) & ~(align - 1);
	if (end > ra->start)
		ra->size = end - ra->start;
	ra->async = ra->size;
	return read_window(cache);
}

static int
unmark(struct file_cache *cache, const struct folio *folio)
{
	unsigned order = (unsigned)__builtin_ctzll(folio->pages);

	for (uint64_t i = folio->first; i < folio->first + folio->pages; i++) {
		const uint64_t *read = hash_find(&cache->read, i);
		uint64_t value = read ? *read & ~(uint64_t)READ_MARKED : order;

		if (hash_put(&cache->read, i, value))
			return -ENOMEM;
	}
	return 0;
}

/* do_async_mmap_readahead */
static int
fault_cached(struct file_cache *cache, const struct file_read *read,
	     const struct folio *folio)
{
	int error;

	if (read->advice == READ_RANDOM || !cache->config.ahead_pages)
		return FILE_HIT;
	if (cache->ra.missed)
		cache->ra.missed--;
	if (!folio->marked)
		return FILE_HIT;
	error = unmark(cache, folio);
	if (!error)
		error = read_on(cache, read->page, folio);
	return error ? error : FILE_AHEAD;
}

/* do_sync_mmap_readahead: the window to read, or false. */
static bool
miss_window(struct file_cache *cache, const struct file_read *read)
{
	struct read_ahead *ra = &cache->ra;
	uint64_t most = cache->config.ahead_pages;

	if (read->advice == READ_RANDOM || !most)
		return false;
	if (ra->missed < LOTS_OF_MISSES * 10)
		ra->missed++;
	if (ra->missed > LOTS_OF_MISSES)
		return false;
	ra->order = 0;
	if (read->advice == READ_EXECUTED) {
		ra->start = read->page > read->map_first ? read->page
							 : read->map_first;
		ra->size = less(ra->start + most, read->map_end) - ra->start;
		ra->async = 0;
		return true;
	}
	ra->start = read->page > most / 2 ? read->page - most / 2 : 0;
	ra->size = most;
	ra->async = most / 4;
	return true;
}

/*
 * page_cache_sync_ra, of a mapping with MADV_SEQUENTIAL: only the start of a file
 * begins a stream, as faults leave no trace of where they were before.
 */
static int
read_sequential(struct file_cache *cache, uint64_t page)
{
	struct read_ahead *ra = &cache->ra;
	uint64_t most = cache->config.ahead_pages, end = page + most;

	if (!page) {
		*ra = (struct read_ahead){ .size = most,
					   .async = most / 2,
					   .missed = ra->missed };
		return read_window(cache);
	}
	if (cache->config.pages)
		end = less(end, cache->config.pages);
	return page < end ? read_pages(cache, page, end, 0) : 0;
}

int
file_cache_fault(struct file_cache *cache, const struct file_read *read)
{
	struct folio folio;
	int error = 0;

	if (file_cache_find(cache, read->page, &folio))
		return fault_cached(cache, read, &folio);
	if (read->advice == READ_SEQUENTIAL && cache->config.ahead_pages)
		error = read_sequential(cache, read->page);
	else if (miss_window(cache, read))
		error = read_window(cache);
	if (!error && !file_cache_find(cache, read->page, &folio))
		error = read_folio(cache, read->page, 0, false);
	if (error)
		return error;
	/* This one was asked for. */
	cache->ahead_pages--;
	error = hash_put(&cache->read, read->page,
			 *hash_find(&cache->read, read->page) &
				 ~(uint64_t)READ_UNUSED);
	return error ? error : FILE_READ;
}

void
file_cache_hits(struct file_cache *cache, uint64_t pages)
{
	cache->ra.missed -= (unsigned)less(cache->ra.missed, pages);
}

void
file_cache_mapped(struct file_cache *cache, uint64_t page)
{
	uint64_t *read = hash_find(&cache->read, page);

	if (!read || !(*read & READ_UNUSED))
		return;
	*read &= ~(uint64_t)READ_UNUSED;
	cache->ahead_used++;
}
