// SPDX-License-Identifier: GPL-2.0-or-later
/* Labels of mappings: dense numbers, one a name. */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

int
region_named(struct paging *paging, const char *name, uint32_t *region)
{
	for (uint32_t i = 0; i < paging->regions; i++) {
		if (!strcmp(paging->region[i].name, name)) {
			*region = i;
			return 0;
		}
	}
	if (paging->regions == paging->region_room) {
		size_t room =
			paging->region_room ? paging->region_room * 2 : 16;
		struct region *more =
			reallocarray(paging->region, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		paging->region = more;
		paging->region_room = room;
	}
	*region = (uint32_t)paging->regions;
	paging->region[*region] = (struct region){ .name = strdup(name) };
	if (!paging->region[*region].name)
		return paging_no_memory(paging);
	paging->regions++;
	return 0;
}

static int
region_of_file(struct paging *paging, uint32_t file, uint32_t *region)
{
	const uint64_t *known = hash_find(&paging->file_region, file);
	int error;

	if (known) {
		*region = (uint32_t)*known;
		return 0;
	}
	error = region_named(paging, stream_file(paging->stream, file)->path,
			     region);
	if (!error && hash_put(&paging->file_region, file, *region) < 0)
		error = paging_no_memory(paging);
	return error;
}

int
region_of(struct paging *paging, const struct event *event, uint32_t *region)
{
	if (event->flags & MAP_FLAG_HEAP)
		return region_named(paging, "[heap]", region);
	if (event->flags & MAP_FLAG_STACK)
		return region_named(paging, "[stack]", region);
	if (event->file != UINT32_MAX)
		return region_of_file(paging, event->file, region);
	if (event->flags & MAP_FLAG_SHARED)
		return region_named(paging, "[shared]", region);
	*region = REGION_ANON;
	return 0;
}

int
region_first(struct paging *paging)
{
	uint32_t anon, unmapped;
	int error = region_named(paging, "[anon]", &anon);

	if (!error)
		error = region_named(paging, "[unmapped]", &unmapped);
	return error;
}

uint32_t
paging_region_span(struct paging *paging, uint32_t number, uint64_t address,
		   uint64_t *start, uint64_t *end)
{
	struct address_space *space;
	const struct vma *vma;

	*start = *end = 0;
	if (space_get(paging, number, &space) < 0)
		return 0;
	vma = vma_find(&space->vmas, address);
	if (!vma)
		return paging->mapping_events ? REGION_UNMAPPED : REGION_ANON;
	*start = vma->start;
	*end = vma->end;
	return vma->region;
}

uint32_t
paging_region(struct paging *paging, uint32_t number, uint64_t address)
{
	uint64_t start, end;

	return paging_region_span(paging, number, address, &start, &end);
}

const char *
paging_region_name(const struct paging *paging, uint32_t region)
{
	return region < paging->regions ? paging->region[region].name : NULL;
}

uint32_t
paging_regions(const struct paging *paging)
{
	return (uint32_t)paging->regions;
}
