// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/paging/vma.h"

#include "analyzer/batch.h"

#include <stdlib.h>
#include <string.h>

void
vma_fini(struct vma_list *list)
{
	free(list->vma);
	*list = (struct vma_list){ 0 };
}

size_t
vma_at_or_after(const struct vma_list *list, uint64_t address)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (list->vma[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct vma *
vma_find(struct vma_list *list, uint64_t address)
{
	size_t i = list->last;

	if (i >= list->n || address < list->vma[i].start ||
	    address >= list->vma[i].end) {
		i = vma_at_or_after(list, address);
		if (i == list->n || address < list->vma[i].start)
			return NULL;
		list->last = i;
	}
	return &list->vma[i];
}

/* Room for one more at i. */
static int
open_slot(struct vma_list *list, size_t i)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct vma *vma = reallocarray(list->vma, room, sizeof(*vma));

		if (!vma)
			return -ENOMEM;
		list->vma = vma;
		list->room = room;
	}
	memmove(&list->vma[i + 1], &list->vma[i],
		(list->n - i) * sizeof(*list->vma));
	list->n++;
	return 0;
}

static void
close_slots(struct vma_list *list, size_t i, size_t n)
{
	if (!n)
		return;
	memmove(&list->vma[i], &list->vma[i + n],
		(list->n - i - n) * sizeof(*list->vma));
	list->n -= n;
}

/* May the anonymous pages of two become one family? (mm/vma.c,
 * is_mergeable_anon_vma) */
static bool
same_family(uint32_t a, uint32_t b)
{
	return a == b || (!a && !(b & FAMILY_INHERITED)) ||
	       (!b && !(a & FAMILY_INHERITED));
}

static bool
mergeable(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->flags == b->flags &&
	       a->object == b->object && a->region == b->region &&
	       a->offset + (a->end - a->start) == b->offset &&
	       same_family(a->anon, b->anon);
}

/* Merge vma[i] with the one after it, if they are alike. */
static bool
merge_next(struct vma_list *list, size_t i)
{
	struct vma *a = &list->vma[i];

	if (i + 1 >= list->n || !mergeable(a, a + 1))
		return false;
	a->end = a[1].end;
	if (!a->anon)
		a->anon = a[1].anon;
	close_slots(list, i + 1, 1);
	return true;
}

int
vma_insert(struct vma_list *list, const struct vma *vma)
{
	size_t i = vma_at_or_after(list, vma->start);

	if (open_slot(list, i) < 0)
		return -ENOMEM;
	list->vma[i] = *vma;
	merge_next(list, i);
	if (i > 0)
		merge_next(list, i - 1);
	return 0;
}

int
vma_append(struct vma_list *list, const struct vma *vma)
{
	if (open_slot(list, list->n) < 0)
		return -ENOMEM;
	list->vma[list->n - 1] = *vma;
	return 0;
}

/* Make `address` a boundary if a VMA spans it. */
static int
split_at(struct vma_list *list, uint64_t address)
{
	size_t i = vma_at_or_after(list, address);
	struct vma *vma;

	if (i == list->n || list->vma[i].start >= address)
		return 0;
	if (open_slot(list, i) < 0)
		return -ENOMEM;
	vma = &list->vma[i];
	vma[1].offset += address - vma[1].start;
	vma[0].end = vma[1].start = address;
	return 0;
}

int
vma_remove(struct vma_list *list, uint64_t start, uint64_t end)
{
	size_t first, last;

	if (split_at(list, start) < 0 || split_at(list, end) < 0)
		return -ENOMEM;
	first = vma_at_or_after(list, start);
	for (last = first; last < list->n && list->vma[last].end <= end;)
		last++;
	close_slots(list, first, last - first);
	return 0;
}

uint32_t
vma_flags(uint32_t flags)
{
	const uint32_t asked = MAP_FLAG_NORESERVE | MAP_FLAG_HUGETLB |
			       MAP_FLAG_SHARED | MAP_FLAG_WRITE;

	return (flags & asked) == MAP_FLAG_WRITE ? flags | VMA_ACCOUNT : flags;
}

/*
 * What mprotect makes of the charge: it comes with the right to write and
 * goes with it only where no page was ever written (mm/mprotect.c).  It shows
 * in what merges.
 */
static uint32_t
recharge(const struct vma *vma, uint32_t flags)
{
	if (!((vma->flags ^ flags) & MAP_FLAG_WRITE))
		return flags;
	if (flags & MAP_FLAG_WRITE)
		return vma_flags(flags);
	return vma->object == OBJECT_NONE && !vma->anon
		       ? flags & ~(uint32_t)VMA_ACCOUNT
		       : flags;
}

int
vma_change(struct vma_list *list, uint64_t start, uint64_t end, uint32_t clear,
	   uint32_t set)
{
	size_t first, i;

	if (split_at(list, start) < 0 || split_at(list, end) < 0)
		return -ENOMEM;
	first = vma_at_or_after(list, start);
	for (i = first; i < list->n && list->vma[i].start < end; i++)
		list->vma[i].flags =
			recharge(&list->vma[i],
				 (list->vma[i].flags & ~clear) | set);
	if (first > 0)
		first--;
	for (i = first; i < list->n && list->vma[i].start <= end;)
		if (!merge_next(list, i))
			i++;
	return 0;
}

/* Would they merge but for rights that mprotect may change later? */
static bool
related(const struct vma *a, const struct vma *b)
{
	const uint32_t rights = MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_EXEC;

	return a->end == b->start && !((a->flags ^ b->flags) & ~rights) &&
	       a->object == b->object &&
	       a->offset + (a->end - a->start) == b->offset;
}

static bool
adopts(uint32_t family)
{
	return family && !(family & FAMILY_INHERITED);
}

uint32_t
vma_family(const struct vma_list *list, size_t i, uint32_t fresh)
{
	const struct vma *vma = &list->vma[i];

	if (vma->anon)
		return vma->anon;
	if (i + 1 < list->n && adopts(vma[1].anon) && related(vma, vma + 1))
		return vma[1].anon;
	if (i > 0 && adopts(vma[-1].anon) && related(vma - 1, vma))
		return vma[-1].anon;
	return fresh;
}

void
vma_gap(const struct vma_list *list, uint64_t start, uint64_t end,
	uint64_t *floor, uint64_t *ceiling)
{
	size_t i = vma_at_or_after(list, start);

	*floor = i > 0 ? list->vma[i - 1].end : 0;
	if (i < list->n && list->vma[i].start < start)
		*floor = start;
	i = vma_at_or_after(list, end);
	*ceiling = i < list->n ? list->vma[i].start : UINT64_MAX;
	if (*ceiling < end)
		*ceiling = end;
}
