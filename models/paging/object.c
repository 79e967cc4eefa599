// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files and shared memory.  A file's pages are in the page cache or not (file-cache.c)
 * and get their frame when they are first mapped; pages of shared memory (anonymous,
 * memfd, /dev/shm, System V) exist from their first touch on.
 */
#include "models/paging/space.h"

#include "analyzer/fail.h"

#include <stdlib.h>
#include <string.h>

void
object_fini(struct object *object)
{
	hash_fini(&object->frame);
	hash_fini(&object->out);
	hash_fini(&object->unwritten);
	file_cache_fini(&object->cache);
}

int
object_create(struct paging *paging, uint32_t *object)
{
	if (paging->objects == paging->object_room) {
		size_t room =
			paging->object_room ? paging->object_room * 2 : 16;
		struct object *more =
			reallocarray(paging->object, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		paging->object = more;
		paging->object_room = room;
	}
	paging->object[paging->objects] = (struct object){ 0 };
	*object = (uint32_t)paging->objects++;
	return 0;
}

/* By where such files live; a tmpfs mounted elsewhere is taken for a disk. */
static bool
is_memory(const char *path)
{
	static const char *const prefixes[] = {
		"/dev/shm/", "/memfd:",	    "memfd:", "/SYSV",
		"/dev/zero", "anon_inode:", NULL
	};

	for (size_t i = 0; prefixes[i]; i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* Bytes that are read ahead, as pages; recorded: what the trace says, below 0:
 * nothing. */
static uint64_t
ahead_pages(const struct paging *paging, int64_t recorded)
{
	int64_t kib = paging->config.files.read_ahead;

	if (kib >= 0)
		return (uint64_t)kib << 10 >> PAGE_SHIFT;
	return (recorded >= 0 ? (uint64_t)recorded : 128 << 10) >> PAGE_SHIFT;
}

int
object_of_file(struct paging *paging, uint32_t file, uint32_t *object)
{
	const uint64_t *known = hash_find(&paging->file_object, file);
	const struct file *about;
	int error;

	if (known) {
		*object = (uint32_t)*known;
		return 0;
	}
	error = object_create(paging, object);
	if (error)
		return error;
	if (hash_put(&paging->file_object, file, *object) < 0)
		return paging_no_memory(paging);
	about = stream_file(paging->stream, file);
	paging->object[*object] = (struct object){
		.pages = page_up(about->size_bytes) >> PAGE_SHIFT,
		.named = true,
		.number = file,
		.file = !is_memory(about->path),
		.disk = !is_memory(about->path),
		.cache.config = {
			.pages = page_up(about->size_bytes) >> PAGE_SHIFT,
			.ahead_pages = ahead_pages(paging, -1),
			.warm = paging->config.files.cache != FILES_COLD &&
				!is_memory(about->path),
		},
	};
	return 0;
}

bool
object_is_out(const struct object *object, uint64_t page)
{
	return object->out.n && hash_find(&object->out, page);
}

/*
 * It comes back, into that frame or (shared memory that was read ahead) the one
 * in which it is already (mm/shmem.c, shmem_swapin_folio).
 */
static int
object_return(struct paging *paging, struct object *object, uint64_t page,
	      uint64_t *frame)
{
	uint64_t slot = *hash_find(&object->out, page);

	hash_remove(&object->out, page);
	if (!object->file && swap_cached(paging, slot, frame)) {
		swap_hit(paging, NULL, 0, slot);
		swap_uncache(paging, slot, *frame);
		swap_free(paging, slot);
		return 0;
	}
	if (!object->file && !paging->swap.synchronous &&
	    swap_read_cluster(paging, slot) < 0)
		return -ENOMEM;
	if (owner_take(paging, PAGE_SHIFT, page << PAGE_SHIFT, frame) < 0)
		return paging_no_memory(paging);
	if (!object->file) {
		swap_free(paging, slot);
		paging->swap.ins++;
	}
	if (paging->listener.returned)
		paging->listener.returned(paging->listener.context, slot,
					  *frame, false);
	return 0;
}

void
files_note(struct paging *paging, const struct object *object, uint64_t pages,
	   uint64_t read)
{
	paging->cached_pages += object->cache.pages - pages;
	if (paging->cached_peak < paging->cached_pages)
		paging->cached_peak = paging->cached_pages;
	timeline_set(paging->file_line, 0, paging->now,
		     paging->cached_pages << PAGE_SHIFT);
	if (object->cache.read_pages > read)
		timeline_add(paging->file_line, 1, paging->now,
			     object->cache.read_pages - read);
}

int
follow_cached(struct paging *paging, const struct event *event)
{
	struct cached_run run = {
		.first = event->offset >> PAGE_SHIFT,
		.end = page_up(event->offset + event->length) >> PAGE_SHIFT,
		.cached = event->value,
		.marked = event->flags & CACHED_MARK,
	};
	bool memory = event->flags & CACHED_MEMORY;
	struct object *object;
	uint64_t before;
	uint32_t number;
	int error;

	if (event->file >= stream_files(paging->stream))
		return 0;
	error = object_of_file(paging, event->file, &number);
	if (error)
		return error;
	object = &paging->object[number];
	object->file = object->disk = !memory;
	object->cache.config.folios = event->flags & CACHED_FOLIOS;
	object->cache.config.ahead_pages =
		ahead_pages(paging, event->flags & CACHED_AHEAD
					    ? (int64_t)event->extra
					    : -1);
	if (memory)
		object->cache.config.warm = false;
	if (event->value > PAGE_SHIFT && event->value <= LARGE_SHIFT)
		run.order = (uint8_t)(event->value - PAGE_SHIFT);
	if (!memory && paging->config.files.cache != FILES_RECORDED)
		return 0;
	paging->cache_known = true;
	before = object->cache.pages;
	if (file_cache_record(&object->cache, &run) < 0)
		return paging_no_memory(paging);
	if (!memory)
		files_note(paging, object, before, object->cache.read_pages);
	return 0;
}

int
object_page(struct paging *paging, struct object *object, uint64_t page,
	    bool create, uint64_t *frame)
{
	const uint64_t *known = hash_find(&object->frame, page);
	int error;

	*frame = known ? *known : 0;
	if (known || !create)
		return 0;
	if (object_is_out(object, page))
		error = object_return(paging, object, page, frame);
	else
		error = owner_take(paging, PAGE_SHIFT, page << PAGE_SHIFT,
				   frame) < 0
				? paging_no_memory(paging)
				: 0;
	if (error)
		return error;
	return hash_put(&object->frame, page, *frame) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

/* It is nobody's any more while in swap or its file. */
static void
forget_out(struct paging *paging, struct object *object, uint64_t page)
{
	uint64_t slot = *hash_find(&object->out, page), frame;

	hash_remove(&object->out, page);
	if (!object->file && swap_cached(paging, slot, &frame)) {
		swap_uncache(paging, slot, frame);
		owner_release(paging, PAGE_SHIFT, frame);
	} else if (paging->listener.forgotten) {
		paging->listener.forgotten(paging->listener.context, slot);
	}
	if (!object->file)
		swap_free(paging, slot);
}

void
object_punch(struct paging *paging, uint32_t number, uint64_t first,
	     uint64_t last)
{
	struct object *object = &paging->object[number];
	const struct cached_run gone = { .first = first, .end = last + 1 };
	uint64_t *page;
	int64_t n = hash_keys(&object->out, first, last, &page);

	for (int64_t i = 0; i < n; i++)
		forget_out(paging, object, page[i]);
	free(page);
	n = hash_keys(&object->frame, first, last, &page);
	for (int64_t i = 0; i < n; i++) {
		uint64_t frame = *hash_find(&object->frame, page[i]);

		if (object->shift)
			hugetlb_give(paging, object->shift, frame);
		else
			owner_release(paging, PAGE_SHIFT, frame);
		hash_remove(&object->frame, page[i]);
		hash_remove(&object->unwritten, page[i]);
	}
	free(page);
	if (!object->file && object->cache.n)
		(void)file_cache_record(&object->cache, &gone);
}

static bool
is_mapped(const struct paging *paging, uint32_t object)
{
	for (size_t s = 0; s < paging->spaces; s++) {
		const struct address_space *space = paging->space[s];

		for (size_t i = 0; space && i < space->vmas.n; i++)
			if (space->vmas.vma[i].object == object)
				return true;
	}
	return false;
}

void
object_sweep(struct paging *paging)
{
	for (uint32_t i = 0; i < paging->objects; i++) {
		struct object *object = &paging->object[i];

		if ((!object->frame.n && !object->out.n && !object->reserved) ||
		    object->named || is_mapped(paging, i))
			continue;
		object_punch(paging, i, 0, UINT64_MAX - 1);
		hugetlb_unreserve(paging, object);
	}
}
