// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Large pages in a memory with a limit (Linux's folios): 4K pages that came as
 * one, are one for the policy and leave as one, as THPs go to zram.  Once away,
 * each is a page of its own, and comes back alone (mm/memory.c, alloc_swap_folio,
 * but for sizes below 2M):
 *
 *	came ---> one page of 2^order --evicted--> its parts, each in a slot
 *	                   |
 *	                   +--a part goes (munmap, madvise)--> the others, alone
 *
 * All frames of a large page lead to its number.
 */
#include "models/paging/driver-inside.h"

#include <string.h>

static uint32_t
pages_of(const struct driver_page *page)
{
	return UINT32_C(1) << page->order;
}

/* The 4K page in this frame, so far part of a large one, gets its own number. */
int
folio_part(struct driver *driver, uint32_t whole, uint64_t frame)
{
	uint32_t *known = lookup_frame(&driver->lookup, frame), number;
	struct driver_page page = driver->page[whole];
	struct reclaim *policy = driver->memory[page.memory]->policy;
	int error =
		known ? driver_number(driver, page.memory, 0, false, &number)
		      : -ENOMEM;

	if (error)
		return error;
	page.local = driver->page[number].local;
	page.order = 0;
	page.at += (frame - page.frame) >> PAGE_SHIFT;
	page.frame = frame;
	driver->page[number] = page;
	*known = number + 1;
	return policy->ops->part(policy, driver->page[whole].local, page.local);
}

int
folio_break(struct driver *driver, uint32_t whole)
{
	const struct driver_page page = driver->page[whole];
	int error = 0;

	/* The policy knows all so far: what leaves now may be waiting. */
	if (!driver->error && !driver->evicting)
		driver->error = driver_flush(driver);
	for (uint32_t i = 0; i < pages_of(&page) && !error; i++) {
		uint64_t frame = page.frame + ((uint64_t)i << PAGE_SHIFT);
		const uint32_t *known = lookup_frame(&driver->lookup, frame);

		if (known && *known == whole + 1)
			error = folio_part(driver, whole, frame);
	}
	driver->page[whole].frame = 0;
	driver->page[whole].flags &=
		(uint8_t) ~(DRIVER_IN | DRIVER_LOCKED | DRIVER_AWAY);
	if (driver->lookup.last == whole)
		driver->lookup.last = UINT32_MAX;
	lookup_invalidate(&driver->lookup, page.space, page.at << PAGE_SHIFT,
			  (uint64_t)pages_of(&page) << PAGE_SHIFT);
	return error;
}

/* All of these are of that page. */
static int
lead_frames(struct driver *driver, uint64_t frame, uint32_t n, uint32_t number)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *known =
			lookup_frame(&driver->lookup,
				     frame + ((uint64_t)i << PAGE_SHIFT));

		if (!known)
			return -ENOMEM;
		*known = number + 1;
	}
	return 0;
}

void
driver_came(struct driver *driver, uint32_t space, uint64_t address,
	    unsigned shift, uint64_t frame)
{
	uint8_t order = (uint8_t)(shift - PAGE_SHIFT);
	uint32_t memory, number;
	int error = memory_of(driver, space, &memory);

	if (!error)
		error = driver_number(driver, (uint16_t)memory, order, false,
				      &number);
	if (!error)
		error = lead_frames(driver, frame, UINT32_C(1) << order,
				    number);
	if (error) {
		driver->error = error;
		return;
	}
	driver->page[number].frame = frame;
	driver->page[number].at = address >> PAGE_SHIFT;
	driver->page[number].object = PAGING_PLACE_SPACE;
	driver->page[number].space = space;
	driver->page[number].flags |= DRIVER_DIRTY;
	/* Not all come by an access: khugepaged, populate */
	driver_ahead(driver, frame);
}

bool
driver_room(struct driver *driver, uint32_t space, unsigned shift, bool wait)
{
	uint64_t n = UINT64_C(1) << (shift - PAGE_SHIFT);
	const struct reclaim *policy;
	uint32_t number;

	if (memory_of(driver, space, &number)) {
		driver->error = -ENOMEM;
		return false;
	}
	policy = driver->memory[number]->policy;
	if (policy->used + n <= policy->capacity)
		return true;
	/* What cannot go to swap stays, and small pages come. */
	if (driver->config.device == DEVICE_NONE ||
	    (driver->config.swap_bytes && (driver->swap_pages + n)
							  << PAGE_SHIFT >
						  driver->config.swap_bytes))
		return false;
	return wait && n <= policy->capacity;
}

/* All went, or what is left is by itself and may stay. */
int
folio_away(struct driver *driver, uint32_t number,
	   const struct paging_place *place)
{
	const struct driver_page page = driver->page[number];
	int went = paging_evict_whole(driver->with.paging, place,
				      PAGE_SHIFT + page.order, page.frame);

	if (went < 0)
		return went;
	for (uint32_t i = 0; i < pages_of(&page); i++) {
		const uint32_t *known =
			lookup_frame(&driver->lookup,
				     page.frame + ((uint64_t)i << PAGE_SHIFT));

		driver->stuck += known && *known == number + 1;
	}
	return folio_break(driver, number);
}
