// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files and shared memory.  A file's pages are all in the page cache and get
 * their frame when they are first mapped; pages of shared memory (anonymous,
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
		.file = !is_memory(about->path),
		.disk = !is_memory(about->path),
	};
	return 0;
}

int
object_page(struct paging *paging, struct object *object, uint64_t page,
	    bool create, uint64_t *frame)
{
	const uint64_t *known = hash_find(&object->frame, page);

	*frame = known ? *known : 0;
	if (known || !create)
		return 0;
	if (owner_take(paging, PAGE_SHIFT, page << PAGE_SHIFT, frame) < 0 ||
	    hash_put(&object->frame, page, *frame) < 0)
		return paging_no_memory(paging);
	return 0;
}

void
object_punch(struct paging *paging, uint32_t number, uint64_t first,
	     uint64_t last)
{
	struct object *object = &paging->object[number];
	uint64_t *page;
	int64_t n = hash_keys(&object->frame, first, last, &page);

	for (int64_t i = 0; i < n; i++) {
		uint64_t frame = *hash_find(&object->frame, page[i]);

		if (object->shift)
			hugetlb_give(paging, object->shift, frame);
		else
			owner_release(paging, PAGE_SHIFT, frame);
		hash_remove(&object->frame, page[i]);
	}
	free(page);
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

		if ((!object->frame.n && !object->reserved) || object->named ||
		    is_mapped(paging, i))
			continue;
		object_punch(paging, i, 0, UINT64_MAX - 1);
		hugetlb_unreserve(paging, object);
	}
}
