// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bringing in one 4K page, as mm/memory.c and arch/x86/mm/fault.c do.
 *
 *	no mapping here     -> the stack above grows, or nowhere (see below)
 *	rights forbid it    -> a signal: counted, nothing mapped
 *	page in swap        -> it comes back: major, unless it is in memory, too
 *	page not present    -> anonymous: a new frame, or the zero page if read
 *	                       private file: read: the cached page and its
 *	                       neighbours; write: a copy, at once
 *	                       shared: the cached page; read: and neighbours
 *	present, read-only  -> shared: noticed, now writable
 *	                       own: reuse if alone, else copy
 *
 * `nowhere` stands for all addresses without a recorded mapping: foreign
 * traces have no mappings, and tracers may miss some.
 */
#include "models/paging/space.h"

#define STACK_GAP_BYTES	  (256 * PAGE_BYTES)  /* stack_guard_gap */
#define STACK_LIMIT_BYTES (UINT64_C(8) << 20) /* the usual RLIMIT_STACK */

int
page_map(struct paging *paging, struct address_space *space, uint64_t address,
	 const struct mapping *mapping, enum page_state state)
{
	int error = paging->table_ops->map(space->table, address, mapping);

	if (error)
		return error;
	if (pageset_put(&space->pages, address, state) < 0)
		return paging_no_memory(paging);
	return 0;
}

int
page_table_add(struct paging *paging, struct address_space *space,
	       uint64_t address)
{
	const struct table_ops *ops = paging->table_ops;
	/* Which page it is does not matter: it goes at once. */
	const struct mapping mapping = { .frame = PAGE_BYTES,
					 .shift = PAGE_SHIFT };
	int error;

	if (pageset_region(&space->pages, address))
		return 0;
	error = ops->map(space->table, address, &mapping);
	if (error)
		return error;
	ops->unmap(space->table, address, PAGE_BYTES, false, NULL, NULL);
	return pageset_reserve(&space->pages, address) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

void
vma_prepare(struct paging *paging, struct address_space *space, struct vma *vma)
{
	if (vma->anon || vma == &space->nowhere)
		return;
	vma->anon = vma_family(&space->vmas, (size_t)(vma - space->vmas.vma),
			       paging->families + 1);
	if (vma->anon == paging->families + 1)
		paging->families = vma->anon;
}

/* From where the policy wants it, else any; a reservation gives way. */
static int
own_frame(const struct fault *fault, uint64_t *frame)
{
	struct paging *paging = fault->paging;
	int chosen = promote_frame(paging, fault->space, fault->vma,
				   fault->address, frame);

	if (chosen)
		return chosen < 0 ? chosen : 0;
	while (owner_take(paging, PAGE_SHIFT, fault->address, frame) < 0)
		if (!reservation_break(paging))
			return paging_no_memory(paging);
	return 0;
}

int
fault_own(const struct fault *fault, enum fault_class class)
{
	struct mapping mapping = { .shift = PAGE_SHIFT,
				   .writable =
					   fault->vma->flags & MAP_FLAG_WRITE };
	int error;

	vma_prepare(fault->paging, fault->space, fault->vma);
	error = own_frame(fault, &mapping.frame);
	if (error)
		return error;
	error = page_map(fault->paging, fault->space, fault->address, &mapping,
			 PAGE_OWNED);
	if (!error)
		error = promote_came(fault->paging, fault->space, fault->vma,
				     fault->address);
	return error ? error : (int)class;
}

/* A page of [vdso]: the same for all, and one by one. */
static int
fault_kernel(const struct fault *fault)
{
	struct paging *paging = fault->paging;
	uint64_t page = (fault->address - fault->vma->start) >> PAGE_SHIFT;
	uint64_t key = (uint64_t)fault->vma->region << 32 | page;
	const uint64_t *known = hash_find(&paging->kernel_frame, key);
	struct mapping mapping = { .shift = PAGE_SHIFT };
	int error = 0;

	if (known) {
		mapping.frame = *known;
	} else {
		error = frames_take(paging->frames, PAGE_SHIFT, &mapping.frame);
		if (!error)
			error = hash_put(&paging->kernel_frame, key,
					 mapping.frame);
	}
	if (error)
		return paging_no_memory(paging);
	error = page_map(paging, fault->space, fault->address, &mapping,
			 PAGE_BORROWED);
	return error ? error : FAULT_FILE;
}

static int
fault_anonymous(const struct fault *fault)
{
	struct paging *paging = fault->paging;
	struct mapping mapping = { .shift = PAGE_SHIFT };
	int error;

	if (fault->vma->flags & VMA_UNMAPPED)
		return fault_own(fault, paging->mapping_events ? FAULT_UNMAPPED
							       : FAULT_ANON);
	if (fault->vma->flags & VMA_KERNEL)
		return fault_kernel(fault);
	if (fault->write || !paging->zero_page) {
		int class = huge_fault(paging, fault->space, fault->vma,
				       fault->address);

		return class != FAULT_CLASSES ? class
					      : fault_own(fault, FAULT_ANON);
	}
	if (!paging->zero_frame &&
	    frames_take(paging->frames, PAGE_SHIFT, &paging->zero_frame) < 0)
		return paging_no_memory(paging);
	mapping.frame = paging->zero_frame;
	error = page_map(paging, fault->space, fault->address, &mapping,
			 PAGE_BORROWED);
	return error ? error : FAULT_ZERO;
}

/* Present, and the write is allowed but the entry is read-only. */
static int
fault_write(const struct fault *fault, enum page_state state,
	    const struct mapping *old)
{
	struct paging *paging = fault->paging;
	struct mapping mapping = *old;
	bool shared = fault->vma->flags & MAP_FLAG_SHARED;
	int class;

	space_stale(paging, fault->space, fault->address, PAGE_BYTES);
	mapping.writable = true;
	if (shared && state == PAGE_BORROWED) {
		int error = page_map(paging, fault->space, fault->address,
				     &mapping, PAGE_BORROWED);

		return error ? error : FAULT_SHARED;
	}
	if (state == PAGE_BORROWED)
		return fault_own(fault, old->frame == paging->zero_frame
						? FAULT_ZERO_COW
						: FAULT_COW);
	/* What swap still has, too, and nobody else wants: do_wp_page. */
	if (owner_alone(paging, PAGE_SHIFT, old->frame) ||
	    swap_take_over(paging, old->frame)) {
		int error = page_map(paging, fault->space, fault->address,
				     &mapping, PAGE_OWNED);

		return error ? error : FAULT_REUSE;
	}
	class = fault_own(fault, FAULT_COW);
	if (class >= 0)
		owner_release(paging, PAGE_SHIFT, old->frame);
	return class;
}

static int
fault_absent(const struct fault *fault)
{
	int class;

	if (swap_has(fault->space, fault->address))
		return swap_fault(fault);
	class = large_fault(fault->paging, fault->space, fault->vma,
			    fault->address, fault->write);

	if (class != FAULT_CLASSES)
		return class;
	return fault->vma->object == OBJECT_NONE ? fault_anonymous(fault)
						 : fault_object(fault);
}

/* The class, FAULT_CLASSES if there was nothing to do, or -ENOMEM (said). */
static int
fault_resolve(const struct fault *fault)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	const struct table_ops *ops = fault->paging->table_ops;
	struct mapping mapping;
	struct large_page large;
	enum page_state state;

	if (large_find(fault->space, fault->address, &large)) {
		int class = fault->write
				    ? large_write(fault->paging, fault->space,
						  fault->vma, &large)
				    : FAULT_CLASSES;

		if (class != FAULT_CLASSES ||
		    large_find(fault->space, fault->address, &large))
			return class;
	}
	state = pageset_state(&fault->space->pages, fault->address);
	if (state == PAGE_ABSENT)
		return fault_absent(fault);
	ops->walk(fault->space->table, fault->address, reference, &mapping);
	if (!fault->write || mapping.writable)
		return FAULT_CLASSES;
	return fault_write(fault, state, &mapping);
}

/*
 * Below a stack's mapping: grow it to the page, unless what is before it is
 * nearer than the guard gap (mm/vma.c, expand_downwards).
 */
static void
grow_stack(struct fault *fault)
{
	struct vma_list *list = &fault->space->vmas;
	size_t i = vma_at_or_after(list, fault->address);
	struct vma *stack = i < list->n ? &list->vma[i] : NULL;

	if (!stack || !(stack->flags & MAP_FLAG_STACK) ||
	    stack->end - fault->address > STACK_LIMIT_BYTES)
		return;
	if (i > 0 && stack[-1].flags & MAP_RIGHTS &&
	    !(stack[-1].flags & MAP_FLAG_STACK) &&
	    fault->address - stack[-1].end < STACK_GAP_BYTES)
		return;
	stack->offset -= stack->start - fault->address;
	stack->start = fault->address;
	fault->vma = stack;
	fault->grown = true;
}

static bool
is_allowed(const struct fault *fault)
{
	uint32_t needed = fault->write	 ? MAP_FLAG_WRITE
			  : fault->fetch ? MAP_FLAG_EXEC
					 : MAP_RIGHTS;

	return fault->vma->flags & needed;
}

static int
fault_count(const struct fault *fault, enum fault_class class,
	    enum fault_cause cause)
{
	struct paging *paging = fault->paging;
	const struct predicted_fault predicted = {
		.address = fault->address,
		.space = fault->space->number,
		.region = fault->vma->region,
		.class = fault->grown ? FAULT_STACK : class,
		.write = fault->write,
		.fetch = fault->fetch,
	};

	if (cause == CAUSE_POPULATE) {
		paging->populated++;
		fault->space->populated++;
		paging->untouched_pages = true;
		return 0;
	}
	if (class < FAULT_MINOR_CLASSES)
		fault->space->minor++;
	else
		fault->space->major++;
	fault->space->fetched += fault->fetch;
	count_fault(paging, fault->vma, predicted.class);
	if (unlikely(paging->listener.faulted != NULL))
		paging->listener.faulted(paging->listener.context,
					 predicted.space, predicted.address,
					 paging->now,
					 predicted.class >=
						 FAULT_MINOR_CLASSES);
	return fault_log_predicted(paging, &predicted);
}

int
fault_page(struct paging *paging, struct address_space *space, uint64_t address,
	   enum site_kind kind, enum fault_cause cause)
{
	struct fault fault = {
		.paging = paging,
		.space = space,
		.vma = vma_find(&space->vmas, address),
		.address = page_down(address),
		.write = kind == SITE_STORE || kind == SITE_MODIFY,
		.fetch = kind == SITE_FETCH,
	};
	int class;

	if (!fault.vma)
		grow_stack(&fault);
	if (!fault.vma) {
		fault.vma = &space->nowhere;
		fault.vma->region =
			paging->mapping_events ? REGION_UNMAPPED : REGION_ANON;
	}
	if (cause == CAUSE_ACCESS && !is_allowed(&fault)) {
		paging->protection++;
		return 0;
	}
	class = fault_resolve(&fault);
	if (class < 0)
		return class;
	if (class == FAULT_CLASSES)
		return 0;
	return fault_count(&fault, (enum fault_class) class, cause);
}

int
paging_fault(struct paging *paging, uint32_t number, uint64_t address,
	     enum site_kind kind, uint64_t accesses, struct mapping *mapping)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct address_space *space;
	int error;

	paging->now = accesses;
	error = space_get(paging, number, &space);
	if (!error)
		error = fault_page(paging, space, address, kind, CAUSE_ACCESS);
	if (!error)
		error = promote_settle(paging);
	if (error)
		return error;
	if (pageset_touch(&space->pages, address))
		paging->touched_pages++;
	if (paging->huge.watching) {
		error = coverage_touch(paging, space, address);
		if (error)
			return error;
		coverage_note(paging);
	}
	space_account(paging, space);
	paging->table_ops->walk(space->table, address, reference, mapping);
	return 0;
}

/* What populate faults for: mm/gup.c, populate_vma_page_range. */
static bool
populate_writes(const struct vma *vma)
{
	return (vma->flags & (MAP_FLAG_WRITE | MAP_FLAG_SHARED)) ==
	       MAP_FLAG_WRITE;
}

int
fault_range(struct paging *paging, struct address_space *space, uint64_t start,
	    uint64_t end, bool lock, bool write)
{
	for (uint64_t address = start; address < end; address += PAGE_BYTES) {
		const struct vma *vma = vma_find(&space->vmas, address);
		bool writes;
		int error;

		if (!vma || !(vma->flags & MAP_RIGHTS))
			continue;
		writes = lock ? populate_writes(vma) : write;
		error = fault_page(paging, space, address,
				   writes ? SITE_STORE : SITE_LOAD,
				   CAUSE_POPULATE);
		if (error)
			return error;
	}
	return 0;
}
