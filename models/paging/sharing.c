// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who shares what, at the moment when most was mapped: looked at whenever a
 * process is about to end and at the end of the run, if more is mapped than at
 * any look before.
 *
 *	spaces -> present pages -> frames -> how often each is mapped
 *	                        \-> per process: rss, pss, uss (as smaps_rollup)
 *	                         \-> per mapping: how much it would be unshared
 *
 * Sharers outside the trace are not known: they would make PSS smaller.  The
 * zero page is nobody's, as in the kernel's RSS; [vdso] is in RSS, and everybody's.
 */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

#define FIXED 12 /* PSS is added up in 1/4096 of a byte, as the kernel does */

enum kind {
	KIND_ANON, /* private, the process's or shared by fork */
	KIND_FILE,
	KIND_MEMORY, /* shared memory */
	KIND_MERGED, /* private, and of the content of others */
	KINDS,
};

struct process_row {
	uint32_t pid, space;
	uint64_t rss, pss, uss, tables; /* bytes; pss << FIXED until the end */
	uint64_t pss_anon;		/* << FIXED; as Pss_Anon */
	uint64_t of_kind[KINDS];
};

struct region_row {
	uint64_t mapped, distinct; /* bytes: each mapping; each frame once */
	uint32_t processes;
	uint32_t last; /* space counted last, plus 1 */
};

struct sharing {
	uint64_t pages;		     /* mapped at that moment */
	struct process_row *process; /* owned */
	size_t n;
	struct region_row *region; /* owned, by number */
	size_t regions;
	uint64_t zero;		  /* bytes that the zero page stands for */
	uint64_t mapped[KINDS];	  /* bytes, each mapping */
	uint64_t distinct[KINDS]; /* bytes, each frame once */
	uint64_t tables, tables_shareable;
	struct libraries *libraries; /* owned */
};

/* A look under way. */
struct look {
	struct paging *paging;
	struct sharing *sharing;
	struct hash mapped; /* frame | shift -> how often */
	bool counted;	    /* the second round: mapped is complete */
	struct process_row *process;
	const struct address_space *space;
};

void
sharing_close(struct sharing *sharing)
{
	if (!sharing)
		return;
	libraries_close(sharing->libraries);
	free(sharing->process);
	free(sharing->region);
	free(sharing);
}

static uint64_t
pages_of(const struct address_space *space)
{
	uint64_t pages = pageset_pages(&space->pages);

	for (size_t i = 0; i < space->large.room; i++)
		if (space->large.slot[i].key)
			pages += UINT64_C(1)
				 << ((uint8_t)space->large.slot[i].value -
				     PAGE_SHIFT);
	return pages;
}

static enum kind
kind_of(const struct paging *paging, const struct vma *vma,
	enum page_state state)
{
	if (state != PAGE_BORROWED || !vma || vma->object == OBJECT_NONE)
		return KIND_ANON;
	return paging->object[vma->object].file ? KIND_FILE : KIND_MEMORY;
}

static int
count_page(struct look *look, uint64_t key)
{
	uint64_t *known = hash_find(&look->mapped, key);

	if (known) {
		++*known;
		return 0;
	}
	return hash_put(&look->mapped, key, 1);
}

static void
add_region(struct sharing *sharing, const struct look *look, uint32_t region,
	   uint64_t bytes, bool first)
{
	struct region_row *row = &sharing->region[region];

	row->mapped += bytes;
	row->distinct += first ? bytes : 0;
	if (row->last == look->space->number + 1)
		return;
	row->last = look->space->number + 1;
	row->processes++;
}

/* A page that a process maps: this often in all. */
static int
add_page(struct look *look, uint64_t address, const struct vma *vma,
	 const struct mapping *mapping, enum page_state state)
{
	struct sharing *sharing = look->sharing;
	struct process_row *process = look->process;
	uint64_t bytes = UINT64_C(1) << mapping->shift;
	uint64_t key = mapping->frame | mapping->shift;
	enum kind kind = kind_of(look->paging, vma, state);
	uint64_t *left = hash_find(&look->mapped, key);
	uint64_t times;
	bool first;

	if (!left)
		return 0;
	if (state == PAGE_BORROWED && vma && vma->flags & VMA_KERNEL) {
		/* All processes of the system share it. */
		process->rss += bytes;
		process->of_kind[KIND_FILE] += bytes;
		return 0;
	}
	if (kind == KIND_ANON &&
	    ksm_maps(look->paging, look->space, address, mapping->frame))
		kind = KIND_MERGED;
	/* The count is in the lower half, those met in the upper. */
	times = *left & UINT32_MAX;
	first = !(*left >> 32);
	*left += UINT64_C(1) << 32;
	process->rss += bytes;
	process->pss += (bytes << FIXED) / times;
	if (state != PAGE_BORROWED)
		process->pss_anon += (bytes << FIXED) / times;
	process->uss += times == 1 ? bytes : 0;
	process->of_kind[kind == KIND_MERGED ? KIND_ANON : kind] += bytes;
	sharing->mapped[kind] += bytes;
	sharing->distinct[kind] += first ? bytes : 0;
	if (vma)
		add_region(sharing, look, vma->region, bytes, first);
	if (sharing->libraries)
		libraries_add(sharing->libraries, look->paging,
			      &(struct shared_page){
				      .vma = vma,
				      .address = address,
				      .bytes = bytes,
				      .times = times,
				      .space = look->space->number,
				      .first = first,
				      .own = state != PAGE_BORROWED });
	return 0;
}

static int
visit_mapping(struct look *look, struct address_space *space, uint64_t address,
	      const struct mapping *mapping, enum page_state state)
{
	if (!look->counted)
		return count_page(look, mapping->frame | mapping->shift);
	return add_page(look, address, vma_find(&space->vmas, address), mapping,
			state);
}

/* Another maps parts of it, which are counted by themselves there, too. */
static int
visit_parts(struct look *look, struct address_space *space, uint64_t address,
	    const struct mapping *whole, enum page_state state)
{
	struct mapping part = *whole;
	int error = 0;

	part.shift = PAGE_SHIFT;
	for (uint64_t at = 0; at < LARGE_BYTES && !error; at += PAGE_BYTES) {
		part.frame = whole->frame + at;
		error = visit_mapping(look, space, address + at, &part, state);
	}
	return error;
}

static int
visit_page(struct look *look, struct address_space *space, uint64_t address,
	   enum page_state state)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	const struct paging *paging = look->paging;
	struct mapping mapping;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	if (!mapping.shift)
		return 0;
	if (mapping.frame == paging->zero_frame ||
	    mapping.frame == paging->zero_large) {
		if (look->counted)
			look->sharing->zero += UINT64_C(1) << mapping.shift;
		return 0;
	}
	if (mapping.shift == LARGE_SHIFT &&
	    owner_in_parts(paging, mapping.frame))
		return visit_parts(look, space, address, &mapping, state);
	return visit_mapping(look, space, address, &mapping, state);
}

static int
visit_group(struct look *look, struct address_space *space,
	    const struct page_group *group)
{
	uint64_t start = (group->key - 1) << GROUP_SHIFT;
	uint64_t bits = group->whose[0] | group->whose[1];
	int error = 0;

	for (; bits && !error; bits &= bits - 1) {
		uint64_t address =
			start + ((uint64_t)__builtin_ctzll(bits) << PAGE_SHIFT);

		error = visit_page(look, space, address,
				   pageset_state(&space->pages, address));
	}
	return error;
}

static int
visit_space(struct look *look, struct address_space *space)
{
	int error = 0;

	look->space = space;
	for (size_t i = 0; i < space->pages.room && !error; i++)
		if (space->pages.group[i].key)
			error = visit_group(look, space,
					    &space->pages.group[i]);
	for (size_t i = 0; i < space->large.room && !error; i++) {
		const struct hash_slot *slot = &space->large.slot[i];

		if (slot->key)
			error = visit_page(look, space, slot->key - 1,
					   (enum page_state)(
						   uint8_t)(slot->value >> 8));
	}
	return error;
}

/*
 * PTE tables that one could stand for: of the 2M of an object at one offset that
 * several spaces map alike, each after the first.  Only 2M that one mapping has
 * whole, with the same rights (mshare, on-demand fork).
 */
static int
count_tables(struct look *look, const struct address_space *space,
	     struct hash *seen)
{
	for (size_t i = 0; i < space->vmas.n; i++) {
		const struct vma *vma = &space->vmas.vma[i];
		uint64_t at =
			(vma->start + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
		uint64_t offset = vma->offset + (at - vma->start);

		if (vma->object == OBJECT_NONE || vma->anon)
			continue;
		for (; at + LARGE_BYTES <= vma->end;
		     at += LARGE_BYTES, offset += LARGE_BYTES) {
			uint64_t key = (uint64_t)vma->object << 40 |
				       offset >> PAGE_SHIFT << 3 |
				       (vma->flags & MAP_RIGHTS);

			if (!pageset_region(&space->pages, at))
				continue;
			if (hash_find(seen, key))
				look->sharing->tables_shareable += PAGE_BYTES;
			else if (hash_put(seen, key, 1) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int
look_spaces(struct look *look)
{
	struct paging *paging = look->paging;
	struct sharing *sharing = look->sharing;
	struct hash seen = { 0 };
	int error = 0;

	for (size_t i = 0; i < paging->spaces && !error; i++)
		if (paging->space[i])
			error = visit_space(look, paging->space[i]);
	look->counted = true;
	for (size_t i = 0; i < paging->spaces && !error; i++) {
		struct address_space *space = paging->space[i];

		if (!space || !pages_of(space))
			continue;
		look->process = &sharing->process[sharing->n++];
		*look->process = (struct process_row){
			.space = (uint32_t)i,
			.pid = stream_space(paging->stream, (uint32_t)i)->pid,
			.tables = paging_table_bytes(paging, (uint32_t)i),
		};
		sharing->tables += look->process->tables;
		error = visit_space(look, space);
		if (!error)
			error = count_tables(look, space, &seen);
	}
	hash_fini(&seen);
	return error;
}

static int
take_look(struct paging *paging, uint64_t pages, struct sharing **out)
{
	struct look look = { .paging = paging };
	struct sharing *sharing = calloc(1, sizeof(*sharing));
	int error = sharing ? 0 : -ENOMEM;

	if (!error) {
		look.sharing = sharing;
		sharing->pages = pages;
		sharing->regions = paging->regions;
		sharing->process =
			calloc(paging->spaces + 1, sizeof(*sharing->process));
		sharing->region =
			calloc(paging->regions + 1, sizeof(*sharing->region));
		if (!sharing->process || !sharing->region)
			error = -ENOMEM;
	}
	/* Without pages it is a look for one process's share only. */
	if (!error && pages)
		error = libraries_open(&sharing->libraries, paging);
	if (!error)
		error = look_spaces(&look);
	hash_fini(&look.mapped);
	if (error) {
		sharing_close(sharing);
		return paging_no_memory(paging);
	}
	*out = sharing;
	return 0;
}

int
sharing_look(struct paging *paging)
{
	struct sharing *sharing;
	uint64_t pages = 0;
	int error;

	for (size_t i = 0; i < paging->spaces; i++)
		if (paging->space[i])
			pages += pages_of(paging->space[i]);
	if (!pages || (paging->sharing && pages <= paging->sharing->pages))
		return 0;
	error = take_look(paging, pages, &sharing);
	if (error)
		return error;
	/* It takes the place of the one before. */
	sharing_close(paging->sharing);
	paging->sharing = sharing;
	return 0;
}

int
sharing_pss_anon(struct paging *paging, const struct address_space *space,
		 uint64_t *bytes)
{
	struct sharing *sharing;
	int error = take_look(paging, 0, &sharing);

	*bytes = 0;
	if (error)
		return error;
	/* The kernel tells whole KiB. */
	for (size_t i = 0; i < sharing->n; i++)
		if (sharing->process[i].space == space->number)
			*bytes = sharing->process[i].pss_anon >> (FIXED + 10)
									 << 10;
	sharing_close(sharing);
	return 0;
}

static int
put_processes(const struct sharing *sharing, struct result *result)
{
	static const char *const columns[] = {
		"process:",	"rss:bytes",	"pss:bytes",
		"uss:bytes",	"anon:bytes",	"file:bytes",
		"memory:bytes", "tables:bytes", NULL,
	};
	int error = result_table(result, "processes",
				 "Memory of each process when most was mapped",
				 columns);

	for (size_t i = 0; i < sharing->n && !error; i++) {
		const struct process_row *row = &sharing->process[i];

		error = result_row(result, "processes", "uuuuuuuu",
				   (uint64_t)row->pid, row->rss,
				   row->pss >> FIXED, row->uss,
				   row->of_kind[KIND_ANON],
				   row->of_kind[KIND_FILE],
				   row->of_kind[KIND_MEMORY], row->tables);
	}
	return error;
}

struct ranked {
	struct region_row row;
	const char *name;
};

static int
by_mapped(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->row.mapped != b->row.mapped)
		return a->row.mapped < b->row.mapped ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int
put_regions(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = {
		"mapping:",	"processes:processes", "mapped:bytes",
		"memory:bytes", "saved:bytes",	       NULL,
	};
	const struct sharing *sharing = paging->sharing;
	struct ranked *ranked = calloc(sharing->regions + 1, sizeof(*ranked));
	size_t n = 0;
	int error =
		ranked ? result_table(result, "shared.mappings",
				      "What is mapped when most is, and the "
				      "memory it takes, by mapping",
				      columns)
		       : -ENOMEM;

	for (size_t i = 0; i < sharing->regions && !error; i++)
		if (sharing->region[i].mapped)
			ranked[n++] = (struct ranked){ sharing->region[i],
						       paging->region[i].name };
	if (ranked)
		qsort(ranked, n, sizeof(*ranked), by_mapped);
	for (size_t i = 0; i < n && !error; i++) {
		const struct region_row *row = &ranked[i].row;

		error = result_row(result, "shared.mappings", "suuuu",
				   ranked[i].name, (uint64_t)row->processes,
				   row->mapped, row->distinct,
				   row->mapped - row->distinct);
	}
	free(ranked);
	return error;
}

/* What memory would be needed more, were it not for each. */
static int
put_savings(const struct paging *paging, struct result *result)
{
	const struct sharing *sharing = paging->sharing;
	static const char *const columns[] = { "mechanism:", "saved:bytes",
					       "of:bytes", NULL };
	static const char *const names[KIND_MERGED] = {
		[KIND_ANON] = "copy on write",
		[KIND_FILE] = "page cache",
		[KIND_MEMORY] = "shared memory",
	};
	int error =
		result_table(result, "savings",
			     "Memory that sharing saves when most is mapped",
			     columns);

	if (!error)
		error = result_row(result, "savings", "suu", "zero page",
				   sharing->zero, sharing->zero);
	for (size_t i = 0; i < ARRAY_SIZE(names) && !error; i++)
		error = result_row(result, "savings", "suu", names[i],
				   sharing->mapped[i] - sharing->distinct[i],
				   sharing->mapped[i]);
	if (!error && ksm_saved_bytes(paging))
		error = result_row(result, "savings", "suu", "merging (KSM)",
				   ksm_saved_bytes(paging),
				   ksm_merged_bytes(paging));
	return error;
}

int
sharing_finish(const struct paging *paging, struct result *result)
{
	const struct sharing *sharing = paging->sharing;
	uint64_t mapped = 0, distinct = 0;
	int error;

	if (!sharing)
		return 0;
	for (size_t i = 0; i < KINDS; i++) {
		mapped += sharing->mapped[i];
		distinct += sharing->distinct[i];
	}
	error = result_count(result, "shared.mapped.bytes", mapped, "bytes");
	if (!error)
		error = result_count(result, "shared.memory.bytes", distinct,
				     "bytes");
	if (!error)
		error = result_count(result, "shared.entries",
				     sharing->mapped[KIND_MEMORY] >> PAGE_SHIFT,
				     "entries");
	if (!error)
		error = result_count(result, "shared.pages",
				     sharing->distinct[KIND_MEMORY] >>
					     PAGE_SHIFT,
				     "pages");
	if (!error)
		error = result_count(result, "shared.tables.bytes",
				     sharing->tables, "bytes");
	if (!error)
		error = result_count(result, "shared.tables.saveable",
				     sharing->tables_shareable, "bytes");
	if (!error)
		error = put_processes(sharing, result);
	if (!error)
		error = put_regions(paging, result);
	if (!error)
		error = libraries_finish(sharing->libraries, paging, result);
	return error ? error : put_savings(paging, result);
}
