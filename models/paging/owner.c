// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who owns an anonymous frame.  Most have one owner and no entry here; fork
 * makes entries, so the table is as small as what is shared.
 *
 *	frame | 12 -> owners of the 4K page
 *	frame | 21 -> owners that map the 2M page whole, and SPLIT if another
 *	              owner maps it by parts: then each part has its count too
 */
#include "models/paging/space.h"

#define SPLIT (UINT64_C(1) << 63)

static uint64_t
owners_of(const struct paging *paging, unsigned shift, uint64_t frame)
{
	const uint64_t *owners = hash_find(&paging->owners, frame | shift);

	return owners ? *owners : 1;
}

static int
owners_set(struct paging *paging, unsigned shift, uint64_t frame,
	   uint64_t owners)
{
	if (owners != 1)
		return hash_put(&paging->owners, frame | shift, owners);
	hash_remove(&paging->owners, frame | shift);
	return 0;
}

void
owner_taken(struct paging *paging, unsigned shift)
{
	paging->resident_bytes += UINT64_C(1) << shift;
	if (paging->resident_peak < paging->resident_bytes)
		paging->resident_peak = paging->resident_bytes;
}

int
owner_take(struct paging *paging, unsigned shift, uint64_t address,
	   uint64_t *frame)
{
	if (frames_take_data(paging->frames, shift, address, frame) < 0)
		return -ENOMEM;
	owner_taken(paging, shift);
	return 0;
}

uint64_t
owner_count(const struct paging *paging, uint64_t frame)
{
	return owners_of(paging, PAGE_SHIFT, frame);
}

static int
share_parts(struct paging *paging, uint64_t frame)
{
	for (uint64_t part = 0; part < LARGE_BYTES; part += PAGE_BYTES)
		if (owner_share(paging, PAGE_SHIFT, frame + part) < 0)
			return -ENOMEM;
	return 0;
}

int
owner_share(struct paging *paging, unsigned shift, uint64_t frame)
{
	uint64_t owners = owners_of(paging, shift, frame);

	if (owners & SPLIT && share_parts(paging, frame) < 0)
		return -ENOMEM;
	return owners_set(paging, shift, frame, owners + 1);
}

/* One that mapped the whole page goes, while others map parts of it. */
static void
release_parts(struct paging *paging, uint64_t frame, uint64_t owners)
{
	owners--;
	/* The last whole owner's entry would be SPLIT | 0. */
	if (owners == SPLIT)
		hash_remove(&paging->owners, frame | LARGE_SHIFT);
	else
		owners_set(paging, LARGE_SHIFT, frame, owners);
	for (uint64_t part = 0; part < LARGE_BYTES; part += PAGE_BYTES)
		owner_release(paging, PAGE_SHIFT, frame + part);
}

void
owner_release(struct paging *paging, unsigned shift, uint64_t frame)
{
	uint64_t owners = owners_of(paging, shift, frame);

	if (owners & SPLIT) {
		release_parts(paging, frame, owners);
	} else if (owners > 1) {
		/* Fewer entries or a known key: needs no memory. */
		(void)owners_set(paging, shift, frame, owners - 1);
		if (owners == 2 && shift == PAGE_SHIFT)
			swap_settle(paging, frame);
	} else {
		frames_give(paging->frames, shift, frame);
		paging->resident_bytes -= UINT64_C(1) << shift;
		if (paging->listener.gone)
			paging->listener.gone(paging->listener.context, shift,
					      frame);
	}
}

bool
owner_alone(const struct paging *paging, unsigned shift, uint64_t frame)
{
	uint64_t owners = owners_of(paging, shift, frame);

	if (!(owners & SPLIT))
		return owners == 1;
	if (owners != (SPLIT | 1))
		return false;
	/* Those who had parts may have gone. */
	for (uint64_t part = 0; part < LARGE_BYTES; part += PAGE_BYTES)
		if (owners_of(paging, PAGE_SHIFT, frame + part) != 1)
			return false;
	return true;
}

bool
owner_in_parts(const struct paging *paging, uint64_t frame)
{
	return owners_of(paging, LARGE_SHIFT, frame) & SPLIT;
}

int
owner_split(struct paging *paging, uint64_t frame)
{
	uint64_t owners = owners_of(paging, LARGE_SHIFT, frame);

	if (owners == 1)
		return 0;
	if (!(owners & SPLIT)) {
		for (uint64_t part = 0; part < LARGE_BYTES; part += PAGE_BYTES)
			if (owners_set(paging, PAGE_SHIFT, frame + part,
				       owners) < 0)
				return -ENOMEM;
		owners |= SPLIT;
	}
	owners--;
	if (owners == SPLIT) {
		hash_remove(&paging->owners, frame | LARGE_SHIFT);
		return 0;
	}
	return hash_put(&paging->owners, frame | LARGE_SHIFT, owners);
}
