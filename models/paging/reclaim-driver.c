// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reclaim in a machine, see reclaim-driver.h.
 *
 * A page is known by a number; its frame (or, while it is away, its slot) leads
 * to it.  What lookup knows is in memory and known to the policy, so that only
 * what it does not know stops the core: a page that is new, away, or not to be
 * written yet.
 *
 * A victim leaves right after the access that needed its room, not before it:
 * so one access may make two pages come in.  Pages of files count from their
 * first reference on; what fault-around maps ahead is in the page cache of
 * others.
 */
#include "models/paging/driver-inside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "analyzer/fail.h"

#define PAGE (UINT64_C(1) << PAGE_SHIFT)

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/* The policy hears of all that was gathered, memory by memory. */
static int
feed_run(struct driver *driver, uint32_t from, uint32_t to)
{
	struct lookup *lookup = &driver->lookup;
	struct memory *memory =
		driver->memory[driver->page[lookup->page[from]].memory];
	struct reclaim_batch batch = { .page = lookup->page + from,
				       .write = lookup->write + from,
				       .time = lookup->time + from,
				       .n = to - from,
				       .position = driver->fed };

	for (uint32_t i = from; i < to; i++)
		lookup->page[i] = driver->page[lookup->page[i]].local;
	driver->fed += batch.n;
	return memory->policy->ops->feed(memory->policy, &batch);
}

/* Nobody needs what is in it: not even swap. */
static int
discard_whole(struct driver *driver, uint32_t number,
	      const struct paging_place *place)
{
	const struct driver_page page = driver->page[number];
	struct paging_place part = *place;
	int went = paging_split_whole(driver->with.paging, place, page.frame);

	for (uint64_t i = 0; went >= 0 && i < UINT64_C(1) << page.order; i++) {
		part.at = place->at + i;
		went = paging_discard(driver->with.paging, &part,
				      page.frame + (i << PAGE_SHIFT));
		driver->freed += went > 0;
	}
	return went < 0 ? went : 0;
}

static int
take_away(struct driver *driver, uint32_t number)
{
	struct driver_page *page = &driver->page[number];
	const struct paging_place place = { .at = page->at,
					    .object = page->object,
					    .space = page->space };
	int went;

	/* It came in again in the same run, or was locked or let go since. */
	if (page->flags & (DRIVER_IN | DRIVER_LOCKED | DRIVER_AWAY) ||
	    !page->frame)
		return 0;
	if ((page->flags & (DRIVER_LAZY | DRIVER_DIRTY)) == DRIVER_LAZY) {
		if (page->order)
			return discard_whole(driver, number, &place);
		went = paging_discard(driver->with.paging, &place, page->frame);
		driver->freed += went > 0;
		return went < 0 ? went : 0;
	}
	driver->evicting = true;
	if (page->order) {
		went = folio_away(driver, number, &place);
		driver->evicting = false;
		return went;
	}
	went = paging_evict(driver->with.paging, &place, page->frame);
	driver->evicting = false;
	if (went)
		return went < 0 ? went : 0;
	driver->stuck++;
	return place.object == PAGING_PLACE_SPACE
		       ? lookup_set(&driver->lookup, place.space, place.at, 0)
		       : 0;
}

static int
take_victims(struct driver *driver)
{
	int error = driver->error;

	for (uint32_t i = 0; !error && i < driver->victims; i++)
		error = take_away(driver, driver->victim[i]);
	driver->victims = 0;
	return error ? error : driver->error;
}

int
driver_flush(struct driver *driver)
{
	struct lookup *lookup = &driver->lookup;
	uint32_t n = lookup->n;
	int error = 0;

	if (lookup->late && driver->last_fed < driver->pages)
		driver->page[driver->last_fed].flags |= DRIVER_DIRTY;
	lookup->late = false;
	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (lookup->write[i])
			driver->page[lookup->page[i]].flags |= DRIVER_DIRTY;
	lookup_times(lookup, &driver->span);
	driver->last_fed = lookup->page[n - 1];
	for (uint32_t from = 0, to; !error && from < n; from = to) {
		uint16_t memory = driver->page[lookup->page[from]].memory;

		for (to = from + 1;
		     to < n && driver->page[lookup->page[to]].memory == memory;
		     to++)
			;
		error = feed_run(driver, from, to);
	}
	lookup->n = 0;
	return error ? error : take_victims(driver);
}

int
driver_number(struct driver *driver, uint16_t memory, uint8_t order, bool file,
	      uint32_t *number)
{
	struct driver_page *page;
	int error;

	if (driver->pages == driver->room) {
		uint32_t room = driver->room ? driver->room * 2 : 1024;
		struct driver_page *grown =
			reallocarray(driver->page, room, sizeof(*grown));

		if (!grown || room > LOOKUP_MAX / 2) {
			driver->page = grown ? grown : driver->page;
			return driver_no_memory();
		}
		driver->page = grown;
		driver->room = room;
	}
	page = &driver->page[driver->pages];
	*page = (struct driver_page){ .memory = memory,
				      .flags = file ? DRIVER_FILE : 0,
				      .order = order };
	*number = driver->pages;
	error = memory_add(driver->memory[memory], driver->pages, order, file,
			   &page->local);
	driver->pages += !error;
	return error;
}

static int
new_page(struct driver *driver, uint32_t space,
	 const struct paging_place *place, uint32_t *number)
{
	uint32_t memory;
	int error = memory_of(driver, space, &memory);

	return error ? error
		     : driver_number(driver, (uint16_t)memory, 0, place->file,
				     number);
}

/* The page in a frame, new if it is. */
static int
page_of(struct driver *driver, uint32_t space, uint64_t frame,
	const struct paging_place *place, uint32_t *number)
{
	uint32_t *known = lookup_frame(&driver->lookup, frame);
	int error = known ? 0 : -ENOMEM;

	if (!error && !*known) {
		error = new_page(driver, space, place, number);
		if (!error)
			*known = *number + 1;
	}
	if (error)
		return error;
	*number = *known - 1;
	if (driver->page[*number].order)
		return 0;
	driver->page[*number].frame = frame;
	driver->page[*number].at = place->at;
	driver->page[*number].object = place->object;
	driver->page[*number].space = place->space;
	return 0;
}

/* The policy forgets a page that is not to be had any more, or to be kept. */
static void
leave_policy(struct driver *driver, uint32_t number)
{
	struct driver_page *page = &driver->page[number];
	struct reclaim *policy = driver->memory[page->memory]->policy;

	if (!driver->error)
		driver->error = driver_flush(driver);
	policy->ops->drop(policy, page->local);
	page->flags &= (uint8_t)~DRIVER_IN;
	if (driver->lookup.last == number)
		driver->lookup.last = UINT32_MAX;
}

static int
set_locked(struct driver *driver, uint32_t number, bool locked)
{
	struct driver_page *page = &driver->page[number];
	struct memory *memory = driver->memory[page->memory];

	if (locked == !!(page->flags & DRIVER_LOCKED))
		return 0;
	if (locked) {
		leave_policy(driver, number);
		page->flags |= DRIVER_LOCKED;
		memory->wired += UINT64_C(1) << page->order;
	} else {
		page->flags &= (uint8_t)~DRIVER_LOCKED;
		memory->wired -= UINT64_C(1) << page->order;
	}
	return driver->error ? driver->error : memory_resize(memory);
}

/* One reference of a page that is there. */
static int
refer(struct driver *driver, uint32_t number, bool write, uint64_t time)
{
	struct driver_page *page = &driver->page[number];
	struct memory *memory = driver->memory[page->memory];
	bool was_in = page->flags & DRIVER_IN;
	int error = 0;

	if (!was_in && driver->config.tables)
		error = memory_resize(memory);
	if (!error && !was_in)
		error = driver_flush(driver);
	if (error)
		return error;
	page->flags |= DRIVER_IN;
	lookup_refer(&driver->lookup, number, write, time);
	return was_in ? 0 : driver_flush(driver);
}

/* What was read ahead is in memory, and not referenced yet. */
static int
bring_ahead(struct driver *driver)
{
	int error = driver_flush(driver);

	for (uint32_t i = 0; !error && i < driver->aheads; i++) {
		struct driver_page *page = &driver->page[driver->ahead[i]];
		struct memory *memory = driver->memory[page->memory];
		struct reclaim_batch batch = { .page = &page->local,
					       .time = &driver->time_ns,
					       .n = 1,
					       .position = driver->fed,
					       .ahead = !page->order };

		if (page->flags & (DRIVER_IN | DRIVER_AWAY | DRIVER_LOCKED) ||
		    !page->frame)
			continue;
		page->flags |= DRIVER_IN;
		driver->fed++;
		error = memory->policy->ops->feed(memory->policy, &batch);
		if (!error)
			error = take_victims(driver);
	}
	driver->aheads = 0;
	return error;
}

/* What lookup is to say of a page from now on. */
static uint32_t
value_of(const struct driver *driver, uint32_t number, bool writable)
{
	uint8_t flags = driver->page[number].flags;

	/* Policies that look at the time may let go of any page at any time. */
	if (flags & DRIVER_LOCKED)
		return LOOKUP_SILENT | (writable ? LOOKUP_WRITABLE : 0);
	if (driver->ops->needs_time || !(flags & DRIVER_IN))
		return 0;
	return (number + LOOKUP_FIRST) | (writable ? LOOKUP_WRITABLE : 0);
}

/*
 * What the table has.  Of an access to two pages the first may have made the
 * second leave: then it is made again, and that one comes back.
 */
static int
find_page(struct driver *driver, uint32_t space, uint64_t at, bool write,
	  struct mapping *mapping)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct table *table = paging_table(driver->with.paging, space);
	uint64_t address = at << PAGE_SHIFT;

	if (!table)
		return -ENOMEM;
	table->ops->walk(table, address, reference, mapping);
	if (mapping->shift ||
	    !paging_is_away(driver->with.paging, space, address))
		return 0;
	return paging_fault(driver->with.paging, space, address,
			    write ? SITE_STORE : SITE_LOAD, driver->position,
			    mapping);
}

static bool
is_known(struct driver *driver, uint64_t frame)
{
	const uint32_t *known = lookup_frame(&driver->lookup, frame);

	return known && *known;
}

/* The page of an access that the core has made. */
static int
refer_page(struct driver *driver, uint32_t space, uint64_t at, bool write)
{
	struct paging_place place;
	struct mapping mapping;
	uint64_t frame;
	uint32_t number = 0;
	int error = find_page(driver, space, at, write, &mapping);

	if (error)
		return error;
	if (!mapping.shift || (write && !mapping.writable))
		return 0; /* it may not be accessed */
	frame = paging_frame_at(&mapping, at << PAGE_SHIFT);
	if (paging_is_zero(driver->with.paging, frame))
		return lookup_set(&driver->lookup, space, at, LOOKUP_SILENT);
	/* hugetlb: not of this memory */
	if (mapping.shift != PAGE_SHIFT && !is_known(driver, frame))
		return lookup_set(&driver->lookup, space, at,
				  LOOKUP_SILENT | LOOKUP_WRITABLE);
	paging_place(driver->with.paging, space, at << PAGE_SHIFT, &place);
	if (place.file && !driver->config.files)
		return lookup_set(&driver->lookup, space, at,
				  LOOKUP_SILENT |
					  (mapping.writable ? LOOKUP_WRITABLE
							    : 0));
	error = page_of(driver, space, frame, &place, &number);
	if (!error)
		error = set_locked(driver, number, place.locked);
	if (!error && !place.locked)
		error = refer(driver, number, write, driver->position);
	if (error || (frame - driver->page[number].frame) >>
			     (PAGE_SHIFT + driver->page[number].order))
		return error;
	return lookup_set(&driver->lookup, space, at,
			  value_of(driver, number, mapping.writable));
}

static int
refer_access(struct driver *driver, const struct batch *batch, uint32_t i)
{
	struct lookup_pages pages = lookup_pages(&driver->lookup, batch, i);
	enum site_kind kind = SITE_KIND(batch->site[i]);
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	int error = 0;

	for (uint64_t page = pages.first; !error; page++) {
		error = refer_page(driver, batch->space, page, write);
		if (page == pages.last)
			break;
	}
	return error || !driver->aheads ? error : bring_ahead(driver);
}

static void
begin_batch(struct driver *driver, const struct batch *batch, uint64_t position)
{
	uint64_t before = driver->span.to_ns;

	driver->time_ns = batch->time_ns;
	if (driver->span.to_ns && driver->span.position == position)
		return;
	driver->span = (struct lookup_span){ position, batch->n,
					     before ? before : batch->time_ns,
					     batch->time_ns };
}

int
driver_feed(struct driver *driver, const struct batch *batch, uint32_t from,
	    uint32_t to, uint64_t position)
{
	int error = 0;

	begin_batch(driver, batch, position - from);
	while (!error && from < to) {
		uint32_t at =
			lookup_scan(&driver->lookup, batch, from, to, position);

		position += at - from;
		driver->position = position;
		if (at == to)
			break;
		error = driver_flush(driver);
		if (!error)
			error = driver->with.run(driver->with.context, at + 1);
		if (!error)
			error = driver->error;
		if (!error)
			error = refer_access(driver, batch, at);
		position++;
		from = at + 1;
	}
	if (!error)
		error = driver_flush(driver);
	return error ? error : driver->with.run(driver->with.context, to);
}

/* MADV_COLD and MADV_FREE: of pages that nobody else maps (mm/madvise.c). */
static int
cool(struct driver *driver, uint32_t space, uint64_t at, bool lazy)
{
	uint32_t value = lookup_get(&driver->lookup, space, at), number;
	struct driver_page *page;
	struct reclaim *policy;

	value &= ~LOOKUP_WRITABLE;
	if (value < LOOKUP_FIRST)
		return 0;
	number = value - LOOKUP_FIRST;
	page = &driver->page[number];
	if (!(page->flags & DRIVER_IN) ||
	    !paging_is_alone(driver->with.paging, space, at << PAGE_SHIFT,
			     lazy))
		return 0;
	policy = driver->memory[page->memory]->policy;
	/* A write is news again. */
	driver->lookup.last = UINT32_MAX;
	if (lazy) {
		page->flags &= (uint8_t)~DRIVER_DIRTY;
		page->flags |= DRIVER_LAZY;
	}
	if (policy->ops->cool)
		policy->ops->cool(policy, page->local, lazy);
	return 0;
}

static int
follow_cooling(struct driver *driver, uint32_t space, const struct event *event)
{
	bool lazy = event->value == MADV_FREE;
	uint64_t end = event->address + event->length;
	int error = driver_flush(driver);

	/* Parts of pages are none of it. */
	for (uint64_t at = event->address >> PAGE_SHIFT;
	     !error && at < end >> PAGE_SHIFT; at++)
		error = cool(driver, space, at, lazy);
	return error;
}

static bool
touches(const struct event *event)
{
	switch (event->type) {
	case EVENT_KERNEL_READ:
	case EVENT_KERNEL_WRITE:
	case EVENT_LOCK:
	case EVENT_ADVISE:
		return true;
	case EVENT_MAP:
		return event->flags & MAP_FLAG_POPULATE;
	default:
		return false;
	}
}

/* Of advice only what populates: pages that are there and not known yet. */
static bool
is_new(struct driver *driver, uint32_t space, uint64_t at)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct table *table = paging_table(driver->with.paging, space);
	struct mapping mapping;
	uint32_t *known;

	if (!table)
		return false;
	table->ops->walk(table, at << PAGE_SHIFT, reference, &mapping);
	if (!mapping.shift)
		return false;
	known = lookup_frame(&driver->lookup,
			     paging_frame_at(&mapping, at << PAGE_SHIFT));
	return known && !(*known && driver->page[*known - 1].flags & DRIVER_IN);
}

int
driver_event(struct driver *driver, const struct batch *batch,
	     const struct event *event, uint64_t position)
{
	uint64_t end = event->address + event->length;
	bool write = event->type == EVENT_KERNEL_WRITE;
	int error = driver->error;

	driver->position = position;
	begin_batch(driver, batch, position - event->position);
	if (!error)
		error = memory_follow(driver, batch, event);
	if (!error && driver->aheads)
		error = bring_ahead(driver);
	if (!error && event->type == EVENT_COUNTER)
		error = oom_follow(driver, batch->space, event);
	if (error || !touches(event) || !event->length || end < event->address)
		return error;
	if (event->type == EVENT_ADVISE &&
	    (event->value == MADV_COLD || event->value == MADV_FREE))
		return follow_cooling(driver, batch->space, event);
	for (uint64_t at = event->address >> PAGE_SHIFT;
	     !error && at <= (end - 1) >> PAGE_SHIFT; at++)
		if (event->type != EVENT_ADVISE ||
		    is_new(driver, batch->space, at))
			error = refer_page(driver, batch->space, at, write);
	return error ? error : driver_flush(driver);
}

void
driver_invalidate(struct driver *driver, uint32_t space, uint64_t address,
		  uint64_t length)
{
	lookup_invalidate(&driver->lookup, space, address, length);
}

/* What was in it is no more. */
static void
forget_page(struct driver *driver, uint32_t number)
{
	struct driver_page *page = &driver->page[number];

	leave_policy(driver, number);
	if (page->flags & DRIVER_LOCKED) {
		page->flags &= (uint8_t)~DRIVER_LOCKED;
		driver->memory[page->memory]->wired -= UINT64_C(1)
						       << page->order;
		if (!driver->error)
			driver->error =
				memory_resize(driver->memory[page->memory]);
	}
	page->frame = 0;
}

/* The 4K page in this frame: by itself from here on, if it is in a large one. */
static uint32_t *
alone_in(struct driver *driver, uint64_t frame)
{
	uint32_t *known = lookup_frame(&driver->lookup, frame), number;
	int error;

	if (!known || !*known)
		return NULL;
	number = *known - 1;
	if (!driver->page[number].order)
		return known;
	error = driver->evicting ? folio_part(driver, number, frame)
				 : folio_break(driver, number);
	if (!driver->error)
		driver->error = error;
	return error ? NULL : known;
}

void
driver_gone(struct driver *driver, unsigned shift, uint64_t frame)
{
	uint32_t *known = lookup_frame(&driver->lookup, frame);
	uint64_t size = UINT64_C(1) << shift;
	const struct driver_page *page;

	if (!known)
		return;
	page = *known ? &driver->page[*known - 1] : NULL;
	if (shift > PAGE_SHIFT && page && page->frame == frame &&
	    (unsigned)PAGE_SHIFT + page->order == shift) {
		forget_page(driver, *known - 1);
		for (uint64_t at = frame; at < frame + size; at += PAGE)
			*lookup_frame(&driver->lookup, at) = 0;
		return;
	}
	for (uint64_t at = frame; at < frame + size; at += PAGE) {
		known = alone_in(driver, at);
		if (!known)
			continue;
		forget_page(driver, *known - 1);
		*known = 0;
	}
}

/* Room in swap for a page that goes there, and what writing it takes. */
static void
write_out(struct driver *driver, struct driver_page *page)
{
	bool dirty = page->flags & DRIVER_DIRTY;

	if (page->flags & DRIVER_FILE) {
		driver->file_writes += dirty;
	} else {
		driver->writes += dirty || !(page->flags & DRIVER_COPY);
		if (driver->config.device == DEVICE_NONE ||
		    (driver->config.swap_bytes &&
		     (driver->swap_pages + 1) << PAGE_SHIFT >
			     driver->config.swap_bytes))
			oom_note(driver);
		driver->swap_pages++;
		page->flags |= DRIVER_COUNTED;
	}
	page->flags &= (uint8_t) ~(DRIVER_DIRTY | DRIVER_COPY | DRIVER_LAZY);
}

void
driver_swapped(struct driver *driver, uint64_t frame, uint64_t slot)
{
	uint32_t *known = alone_in(driver, frame), number;

	if (!known)
		return;
	number = *known - 1;
	/* By madvise, not for want of room. */
	if (!driver->evicting)
		leave_policy(driver, number);
	write_out(driver, &driver->page[number]);
	*known = 0;
	driver->page[number].frame = slot;
	driver->page[number].flags |= DRIVER_AWAY;
	if (hash_put(&driver->slots, slot, number) < 0)
		driver->error = driver_no_memory();
}

/* It is not there any more. */
static uint32_t
leave_slot(struct driver *driver, uint64_t slot)
{
	const uint64_t *known = hash_find(&driver->slots, slot);
	struct driver_page *page;
	uint32_t number;

	if (!known)
		return UINT32_MAX;
	number = (uint32_t)*known;
	page = &driver->page[number];
	hash_remove(&driver->slots, slot);
	if (page->flags & DRIVER_COUNTED)
		driver->swap_pages--;
	page->flags &= (uint8_t) ~(DRIVER_AWAY | DRIVER_COUNTED);
	page->frame = 0;
	return number;
}

void
driver_returned(struct driver *driver, uint64_t slot, uint64_t frame, bool kept)
{
	const uint64_t *known = hash_find(&driver->slots, slot);
	struct driver_page *page = known ? &driver->page[*known] : NULL;
	uint32_t *at, number;

	if (page && page->flags & DRIVER_FILE)
		driver->file_reads++;
	else
		driver->reads++;
	if (!page)
		return;
	number = leave_slot(driver, slot);
	at = lookup_frame(&driver->lookup, frame);
	if (!at) {
		driver->error = -ENOMEM;
		return;
	}
	*at = number + 1;
	page->frame = frame;
	if ((kept || !driver->synchronous) && !(page->flags & DRIVER_FILE))
		page->flags |= DRIVER_COPY;
}

/* Nobody has asked for it: it comes in once the access is made that did. */
void
driver_ahead(struct driver *driver, uint64_t frame)
{
	const uint32_t *known = lookup_frame(&driver->lookup, frame);

	if (!known || !*known)
		return;
	if (driver->aheads == driver->ahead_room) {
		uint32_t room =
			driver->ahead_room ? driver->ahead_room * 2 : 64;
		uint32_t *grown =
			reallocarray(driver->ahead, room, sizeof(*grown));

		if (!grown) {
			driver->error = driver_no_memory();
			return;
		}
		driver->ahead = grown;
		driver->ahead_room = room;
	}
	driver->ahead[driver->aheads++] = *known - 1;
}

void
driver_forgotten(struct driver *driver, uint64_t slot)
{
	uint32_t number = leave_slot(driver, slot);

	if (number != UINT32_MAX)
		leave_policy(driver, number);
}

int
driver_open(struct driver **out, const struct driver_config *config,
	    const struct driver_with *with)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	int error;

	if (!driver)
		return driver_no_memory();
	driver->config = *config;
	driver->with = *with;
	driver->policy = reclaim_find(config->policy);
	driver->ops = reclaim_registry[driver->policy];
	driver->limit = with->memory_bytes >> PAGE_SHIFT;
	driver->folios = with->folios;
	driver->last_fed = UINT32_MAX;
	driver_device(driver);
	/* As many as there could be at most */
	driver->matched =
		calloc(1 + (config->groups ? strlen(config->groups) : 0),
		       sizeof(*driver->matched));
	if (!driver->matched) {
		free(driver);
		return driver_no_memory();
	}
	error = lookup_init(&driver->lookup, with->stream, PAGE_SHIFT, true);
	driver->lookup.notes = true;
	if (error) {
		driver_close(driver);
		return error;
	}
	*out = driver;
	return 0;
}

void
driver_close(struct driver *driver)
{
	if (!driver)
		return;
	memories_fini(driver);
	lookup_fini(&driver->lookup);
	hash_fini(&driver->slots);
	free(driver->page);
	free(driver->victim);
	free(driver->ahead);
	free(driver->adj);
	free(driver->oom.name);
	free(driver);
}
