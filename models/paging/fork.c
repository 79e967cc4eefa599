// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fork, exec, exit, and the way of each event to who follows it.
 *
 * Fork copies the VMAs, and the page-table entries of those VMAs only that
 * have had anonymous pages (mm/memory.c, vma_needs_copy): files and untouched
 * memory fault again in the child.  Anonymous pages become read-only in both.
 */
#include "models/paging/space.h"

#include "analyzer/fail.h"

#include <stdlib.h>

static int
fork_page(struct paging *paging, struct address_space *parent,
	  struct address_space *child, uint64_t address)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	enum page_state state = pageset_state(&parent->pages, address);
	struct mapping mapping;
	int error = 0;

	paging->table_ops->walk(parent->table, address, reference, &mapping);
	if (state != PAGE_BORROWED) {
		if (owner_share(paging, PAGE_SHIFT, mapping.frame) < 0)
			return paging_no_memory(paging);
		state = PAGE_FORKED;
		mapping.writable = false;
		error = page_map(paging, parent, address, &mapping, state);
	}
	if (!error)
		error = page_map(paging, child, address, &mapping, state);
	return error;
}

static int
fork_pages(struct paging *paging, struct address_space *parent,
	   struct address_space *child, const struct vma *vma)
{
	uint64_t first = vma->start & ~(LARGE_BYTES - 1);
	uint64_t last = (vma->end - 1) | (LARGE_BYTES - 1);
	uint64_t *group;
	int64_t n = pageset_groups(&parent->pages, first, last, &group);
	int error = 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t bits = pageset_present(&parent->pages, group[i],
						vma->start, vma->end);
		uint64_t table = group[i] & ~(LARGE_BYTES - 1);

		/* Every PTE table of the VMA's range gets its like, also
		 * without a page of the VMA (mm/memory.c, copy_pte_range). */
		error = page_table_add(paging, child,
				       table > vma->start ? table : vma->start);
		for (; bits && !error; bits &= bits - 1)
			error = fork_page(paging, parent, child,
					  group[i] + ((uint64_t)__builtin_ctzll(
							      bits)
						      << PAGE_SHIFT));
	}
	free(group);
	if (n < 0)
		return paging_no_memory(paging);
	if (!error)
		error = swap_fork(paging, parent, child, vma);
	if (!error)
		error = large_fork(paging, parent, child, vma);
	return error ? error : hugetlb_fork(paging, child, vma);
}

int
follow_fork(struct paging *paging, struct address_space *parent,
	    uint32_t child_number)
{
	struct address_space *child;
	int error;

	if (child_number >= stream_spaces(paging->stream))
		return fail(EINVAL, "fork: there is no address space %u",
			    child_number);
	error = space_get(paging, child_number, &child);
	if (!error)
		child->program = parent->program;
	/* khugepaged asks which of its pages the child has touched. */
	if (paging->config.policy == PAGES_THP)
		paging->untouched_pages = true;
	for (size_t i = 0; !error && i < parent->vmas.n; i++) {
		struct vma vma = parent->vmas.vma[i];
		bool copied = vma.anon && !(vma.flags & VMA_WIPEONFORK);

		if (vma.flags & VMA_DONTFORK)
			continue;
		/* Families of a child are its own and never merge. */
		vma.anon = copied ? ++paging->families | FAMILY_INHERITED : 0;
		vma.flags &= ~(uint32_t)VMA_LOCKED;
		/* What is reserved is the parent's. */
		if (vma.flags & MAP_FLAG_HUGETLB)
			vma.flags |= MAP_FLAG_NORESERVE;
		if (vma_append(&child->vmas, &vma) < 0)
			return paging_no_memory(paging);
		if (copied)
			error = fork_pages(paging, parent, child, &vma);
	}
	if (error)
		return error;
	space_stale(paging, parent, 0, UINT64_MAX);
	space_account(paging, child);
	return 0;
}

/* Does this thread's process own the space, not just borrow it by vfork? */
static bool
is_owner(const struct paging *paging, const struct batch *batch)
{
	return stream_space(paging->stream, batch->space)->pid ==
	       stream_thread(paging->stream, batch->thread)->pid;
}

static int
follow_end(struct paging *paging, struct address_space *space)
{
	uint64_t resident = paging->resident_bytes;
	uint64_t tables = paging->table_bytes;
	struct table_taken taken = paging->taken;
	struct huge_state state;
	int error = sharing_look(paging);

	huge_look(paging, &state);
	if (!error)
		error = zap_space(paging, space);

	space_account(paging, space);
	if (!paging_is_alive(paging)) {
		paging->last_resident = resident;
		paging->last_table = tables;
		paging->last_taken = taken;
		paging->huge.last = state;
	}
	return error;
}

/* What the space runs from here on. */
static int
follow_program(struct paging *paging, const struct event *event)
{
	struct address_space *space;
	int error;

	if (event->file == UINT32_MAX ||
	    event->value >= stream_spaces(paging->stream))
		return 0;
	error = space_get(paging, (uint32_t)event->value, &space);
	if (!error)
		space->program = event->file + 1;
	return error;
}

/* The kernel's own access faults as the program's would. */
static int
follow_kernel(struct paging *paging, struct address_space *space,
	      const struct event *event, enum site_kind kind)
{
	uint64_t end = event->address + event->length;

	paging->copied_bytes += event->length;
	for (uint64_t page = page_down(event->address); page < end;
	     page += PAGE_BYTES) {
		/* What is there needs nothing but, if written, the right. */
		enum page_state state = pageset_state(&space->pages, page);
		bool there = kind == SITE_LOAD ? state != PAGE_ABSENT
					       : state == PAGE_OWNED;
		int error;

		if (!there) {
			error = fault_page(paging, space, page, kind,
					   CAUSE_ACCESS);
			if (error)
				return error;
		}
		if (pageset_touch(&space->pages, page))
			paging->touched_pages++;
		if (paging->huge.watching &&
		    coverage_touch(paging, space, page) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
count_recorded(struct paging *paging, uint32_t space, const struct event *event)
{
	if (event->flags & FAULT_FLAG_MAJOR)
		paging->recorded_major++;
	else
		paging->recorded_minor++;
	return fault_log_recorded(paging, space, event);
}

int
paging_event(struct paging *paging, const struct batch *batch,
	     const struct event *event, uint64_t accesses)
{
	struct address_space *space;
	int error;

	paging->now = accesses;
	if (event->type == EVENT_FAULT) {
		return count_recorded(paging, batch->space, event);
	}
	if (event->type == EVENT_CACHED)
		return follow_cached(paging, event);
	error = space_get(paging, batch->space, &space);
	if (error)
		return error;
	if (event->type == EVENT_COUNTER)
		return measured_event(paging, space, event);
	measured_forget(paging);
	if (event->type == EVENT_CONTENT)
		return ksm_content(paging, space, event);
	switch (event->type) {
	case EVENT_MAP:
	case EVENT_UNMAP:
	case EVENT_PROTECT:
	case EVENT_REMAP:
	case EVENT_ADVISE:
	case EVENT_LOCK:
		error = follow_mapping(paging, space, event);
		break;
	case EVENT_FORK:
		error = follow_fork(paging, space, (uint32_t)event->value);
		break;
	case EVENT_EXEC:
		if (event->value != batch->space && is_owner(paging, batch))
			error = follow_end(paging, space);
		if (!error)
			error = follow_program(paging, event);
		break;
	case EVENT_EXIT:
		if (event->flags & 1 && is_owner(paging, batch))
			error = follow_end(paging, space);
		break;
	case EVENT_KERNEL_READ:
		error = follow_kernel(paging, space, event, SITE_LOAD);
		break;
	case EVENT_KERNEL_WRITE:
		error = follow_kernel(paging, space, event, SITE_STORE);
		break;
	case EVENT_RESIDENT:
		error = follow_resident(paging, space, event);
		break;
	default:
		return 0;
	}
	if (!error)
		error = promote_settle(paging);
	if (paging->huge.watching)
		coverage_note(paging);
	space_account(paging, space);
	return error;
}
