// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reservation, as FreeBSD does (Navarro et al., OSDI 2002; vm_reserv.c): the
 * first page of an untouched region of 2M takes a free run of 2M, and each page
 * gets its place in it; when all are there they are one page, without a copy.
 *
 *	run      | page | page |      | page |      |    free ones stay reserved
 *
 * Where memory is short the oldest reservation gives back what it has left, and
 * so does one of which the program gives pages back (FreeBSD keeps those).
 */
#include "models/paging/huge-policy.h"

#include <assert.h>
#include <stdlib.h>

static bool
is_used(const struct reservation *one, uint64_t offset)
{
	return one->used[offset >> 18] >> (offset >> PAGE_SHIFT) % 64 & 1;
}

static struct reservation *
find(const struct paging *paging, const struct address_space *space,
     uint64_t start)
{
	const uint64_t *index = hash_find(&space->reserved, start);

	return index ? &paging->huge.reservation[*index] : NULL;
}

/* It is none any more: what is free of it goes back, if given. */
static void
reservation_end(struct paging *paging, struct reservation *one, bool given)
{
	struct huge *huge = &paging->huge;

	for (uint64_t at = 0; given && at < LARGE_BYTES; at += PAGE_BYTES)
		if (!is_used(one, at))
			frames_give(paging->frames, PAGE_SHIFT,
				    one->frame + at);
	huge->reserved_bytes -= LARGE_BYTES - one->n * PAGE_BYTES;
	hash_remove(&paging->space[one->space]->reserved, one->start);
	one->live = false;
	huge->reservations_broken += given;
}

static int
reservation_new(struct paging *paging, struct address_space *space,
		uint64_t start, struct reservation **out)
{
	struct huge *huge = &paging->huge;
	struct reservation *one;
	uint64_t frame;

	*out = NULL;
	if (promote_present(space, start) ||
	    frames_take_data(paging->frames, LARGE_SHIFT, start, &frame) < 0)
		return 0;
	if (huge->reservations == huge->reservation_room) {
		size_t room = huge->reservation_room
				      ? 2 * huge->reservation_room
				      : 64;
		struct reservation *more =
			reallocarray(huge->reservation, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		huge->reservation = more;
		huge->reservation_room = room;
	}
	if (hash_put(&space->reserved, start, huge->reservations) < 0)
		return paging_no_memory(paging);
	assert(huge->reservation);
	one = &huge->reservation[huge->reservations++];
	*one = (struct reservation){ .start = start,
				     .frame = frame,
				     .space = space->number,
				     .live = true };
	huge->reserved_bytes += LARGE_BYTES;
	if (huge->reserved_peak < huge->reserved_bytes)
		huge->reserved_peak = huge->reserved_bytes;
	*out = one;
	return 0;
}

static int
reservation_frame(struct paging *paging, struct address_space *space,
		  const struct vma *vma, uint64_t address, uint64_t *frame)
{
	uint64_t start = address & ~(LARGE_BYTES - 1), offset = address - start;
	struct reservation *one = find(paging, space, start);

	(void)vma;
	if (!one) {
		int error = reservation_new(paging, space, start, &one);

		if (error || !one)
			return error;
	}
	/* A copy of what is there already. */
	if (is_used(one, offset))
		return 0;
	one->used[offset >> 18] |= UINT64_C(1) << (offset >> PAGE_SHIFT) % 64;
	one->n++;
	paging->huge.reserved_bytes -= PAGE_BYTES;
	*frame = one->frame + offset;
	owner_taken(paging, PAGE_SHIFT);
	return 1;
}

/* Are all entries those of the run, and nobody else's? */
static bool
is_whole(const struct paging *paging, const struct address_space *space,
	 const struct reservation *one)
{
	for (uint64_t at = 0; at < LARGE_BYTES; at += PAGE_BYTES) {
		struct table_reference reference[TABLE_REFERENCES_MAX];
		struct mapping mapping;

		if (pageset_state(&space->pages, one->start + at) != PAGE_OWNED)
			return false;
		paging->table_ops->walk(space->table, one->start + at,
					reference, &mapping);
		if (mapping.frame != one->frame + at)
			return false;
	}
	return true;
}

static int
reservation_came(struct paging *paging, struct address_space *space,
		 struct vma *vma, uint64_t address)
{
	uint64_t start = address & ~(LARGE_BYTES - 1);
	struct reservation *one = find(paging, space, start);
	uint64_t frame;

	if (!one || one->n < 512 || !is_whole(paging, space, one))
		return 0;
	frame = one->frame;
	reservation_end(paging, one, false);
	paging->huge.promoted++;
	return large_promote(paging, space, vma, start, frame);
}

bool
reservation_break(struct paging *paging)
{
	struct huge *huge = &paging->huge;

	while (huge->reservation_first < huge->reservations) {
		struct reservation *one =
			&huge->reservation[huge->reservation_first++];

		if (!one->live)
			continue;
		reservation_end(paging, one, true);
		return true;
	}
	return false;
}

int
reservation_drop(struct paging *paging, struct address_space *space,
		 struct range range)
{
	uint64_t first = range.start & ~(LARGE_BYTES - 1), *start;
	int64_t n;

	if (!space->reserved.n || range.start >= range.end)
		return 0;
	n = hash_keys(&space->reserved, first, range.end - 1, &start);
	for (int64_t i = 0; i < n; i++)
		reservation_end(paging, find(paging, space, start[i]), true);
	free(start);
	return n < 0 ? paging_no_memory(paging) : 0;
}

const struct huge_policy reservation_policy = {
	.frame = reservation_frame,
	.came = reservation_came,
};
