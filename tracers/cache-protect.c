// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Code that the program may change (a JIT's): a page that can be both written
 * and executed loses the right to be written when something of it is
 * translated.  The first write faults; the page's blocks are then forgotten,
 * the right is given back, and the write goes on.
 */
#include "tracers/cache-engine.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#define PAGE UINT64_C(4096)
/* What is larger is no length */
#define CALL_BYTES_MAX (UINT64_C(1) << 31)

static int
writable_line(void *context, const struct mapping_line *line)
{
	const uint16_t both = MAP_FLAG_WRITE | MAP_FLAG_EXEC;
	struct cache_space *space = context;
	struct cache_range *range;

	if ((line->flags & both) != both)
		return 0;
	range = reallocarray(space->writable, space->n_writable + 1,
			     sizeof(*range));
	if (!range)
		return 1;
	space->writable = range;
	range[space->n_writable++] =
		(struct cache_range){ line->start, line->end };
	return 0;
}

bool
protect_is_writable(struct cache_space *space, uint64_t page)
{
	if (!space->writable_known) {
		space->n_writable = 0;
		maps_each(space->pid, writable_line, space);
		space->writable_known = true;
	}
	/* Those withheld by us do not look so */
	for (size_t i = 0; i < space->n_protected; i++)
		if (page == space->protected[i])
			return true;
	for (size_t i = 0; i < space->n_writable; i++)
		if (page >= space->writable[i].start &&
		    page < space->writable[i].end)
			return true;
	return false;
}

static int
set_rights(struct cache_space *space, struct cache_thread *thread,
	   uint64_t page, uint64_t rights)
{
	int64_t ignored;

	return remote_call(thread, space->gadget, SYS_mprotect,
			   (uint64_t[6]){ page, PAGE, rights }, &ignored);
}

bool
protect_page(void *context, uint64_t page)
{
	struct cache_space *space = context;
	uint64_t *table = space->protected;
	int error;

	for (size_t i = 0; i < space->n_protected; i++)
		if (space->protected[i] == page)
			return true;
	if (!protect_is_writable(space, page))
		return true;
	if (space->code->running)
		return false;
	if (!(space->n_protected & (space->n_protected + 1))) {
		table = reallocarray(table, 2 * space->n_protected + 2,
				     sizeof(*table));
		if (!table)
			return false;
		space->protected = table;
	}
	error = set_rights(space, space->caller, page, PROT_READ | PROT_EXEC);
	if (error && error != -ESRCH)
		space->refused = refusal_of(error);
	if (error)
		return false;
	table[space->n_protected++] = page;
	if (space->n_protected == 1)
		space_careful(space);
	return true;
}

static bool
forget(struct cache_space *space, size_t i)
{
	space->protected[i] = space->protected[--space->n_protected];
	return true;
}

struct place {
	uint64_t address;
	bool writable;
};

static int
place_line(void *context, const struct mapping_line *line)
{
	const uint16_t both = MAP_FLAG_WRITE | MAP_FLAG_EXEC;
	struct place *place = context;

	if (place->address >= line->start && place->address < line->end)
		place->writable = (line->flags & both) == both;
	return 0;
}

/* Another thread has faulted at the same time, and the page was given back
 * since: what may be written and executed does not fault by itself. */
static bool
faults_no_more(const struct cache_space *space, uint64_t address)
{
	struct place place = { .address = address };

	maps_each(space->pid, place_line, &place);
	return place.writable;
}

bool
protect_fault(struct cache_thread *thread, uint64_t address)
{
	struct cache_space *space = thread->process->shared;
	uint64_t page = address & ~(PAGE - 1);

	for (size_t i = 0; space && i < space->n_protected; i++) {
		if (space->protected[i] != page)
			continue;
		link_invalidate(space->code, page, page + PAGE);
		cache_code_forget_pages(space->code, page, page + PAGE);
		set_rights(space, thread, page,
			   PROT_READ | PROT_WRITE | PROT_EXEC);
		space->writable_known = false;
		return forget(space, i);
	}
	return space && faults_no_more(space, address);
}

void
protect_allow(struct cache_thread *thread, const uint64_t argument[6])
{
	struct cache_space *space = thread->process->shared;

	for (size_t i = space ? space->n_protected : 0; i-- > 0;)
		for (unsigned k = 0; k < 6; k++) {
			uint64_t page = space->protected[i];
			uint64_t start = argument[k] & ~(PAGE - 1);
			uint64_t bytes = k < 5 ? argument[k + 1] : 0;

			if (page != start &&
			    (page < start || bytes > CALL_BYTES_MAX ||
			     page >= argument[k] + bytes))
				continue;
			protect_fault(thread, page);
			break;
		}
}

void
protect_allow_all(struct cache_thread *thread)
{
	struct cache_space *space = thread->process->shared;

	while (space && space->n_protected)
		protect_fault(thread, space->protected[0]);
}

void
protect_changed(struct cache_space *space, uint64_t start, uint64_t end,
		bool writable)
{
	/* With none of these yet, what is no such thing makes none */
	if (writable || space->n_writable || space->n_protected)
		space->writable_known = false;
	space->no_room = 0;
	for (size_t i = 0; i < KEPT_PAGES; i++)
		space->kept[i].page = 0;
	link_invalidate(space->code, start, end);
	cache_code_forget_pages(space->code, start, end);
	for (size_t i = space->n_protected; i-- > 0;)
		if (space->protected[i] >= start && space->protected[i] < end)
			forget(space, i);
}

void
protect_end(struct cache_space *space, struct cache_thread *thread)
{
	while (space->n_protected)
		set_rights(space, thread,
			   space->protected[--space->n_protected],
			   PROT_READ | PROT_WRITE | PROT_EXEC);
}
