/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of one address space: a sorted array without overlaps, merged
 * and split as Linux merges and splits its VMAs (mm/vma.c), because faults
 * depend on where a VMA ends (fault-around, THP).
 */
#ifndef MODELS_PAGING_VMA_H
#define MODELS_PAGING_VMA_H

#include "analyzer/base.h"

/* Rights and kinds are enum map_flag; these are the VMA's own. */
enum vma_flag {
	VMA_NOHUGE = 1 << 16,	  /* MADV_NOHUGEPAGE */
	VMA_HUGE = 1 << 17,	  /* MADV_HUGEPAGE */
	VMA_DONTFORK = 1 << 18,	  /* MADV_DONTFORK */
	VMA_WIPEONFORK = 1 << 19, /* MADV_WIPEONFORK */
	VMA_LOCKED = 1 << 20,	  /* mlock */
	VMA_RANDOM = 1 << 21,	  /* MADV_RANDOM */
	VMA_SEQUENTIAL = 1 << 22, /* MADV_SEQUENTIAL */
	VMA_UNMAPPED = 1 << 23,	  /* not recorded: see fault.c */
	VMA_DISK = 1 << 24,	  /* of a file that tracks its writes */
	VMA_ACCOUNT = 1 << 25,	  /* charged as memory that may be needed */
	VMA_KERNEL = 1 << 26,	  /* the kernel's own pages: [vdso], [vvar] */
	VMA_MERGEABLE = 1 << 27,  /* MADV_MERGEABLE */
	VMA_GIANT = 1 << 28,	  /* hugetlb of 1G */
};

#define OBJECT_NONE UINT32_MAX

/* In a family's number: it came by fork, and takes nobody in. */
#define FAMILY_INHERITED (UINT32_C(1) << 31)

struct vma {
	uint64_t start, end;
	/* Of start: in the object; for private anonymous memory the address
	 * at which it was mapped, so that what was moved does not merge. */
	uint64_t offset;
	uint32_t object; /* file or shared memory, or OBJECT_NONE */
	uint32_t region; /* its label */
	uint32_t anon;	 /* family of its anonymous pages; 0: has none yet */
	uint32_t flags;
	/* Of read-ahead from swap (swap-cache.c): address of the last fault,
	 * pages << 6, hits; 0: none yet */
	uint64_t ahead;
};

/* Zeroed memory is an empty list. */
struct vma_list {
	struct vma *vma; /* owned */
	size_t n, room;
	size_t last; /* found last */
};

void vma_fini(struct vma_list *list);

/* The first VMA that ends above the address, or n. */
size_t vma_at_or_after(const struct vma_list *list, uint64_t address);
/* The VMA with this address, or NULL. Good until the next change. */
struct vma *vma_find(struct vma_list *list, uint64_t address);

/* Insert where nothing is, and merge with the neighbours that are alike.
 * 0 or -ENOMEM (unsaid). */
int vma_insert(struct vma_list *list, const struct vma *vma);
/* The same behind all others, merged with none: what fork copies. */
int vma_append(struct vma_list *list, const struct vma *vma);
/* Take [start, end) out. 0 or -ENOMEM (unsaid). */
int vma_remove(struct vma_list *list, uint64_t start, uint64_t end);
/* Flags of a new VMA, completed: VMA_ACCOUNT where memory is charged. */
uint32_t vma_flags(uint32_t flags);
/*
 * In [start, end): flags = (flags & ~clear) | set, split and merged as needed.
 * 0 or -ENOMEM (unsaid).
 */
int vma_change(struct vma_list *list, uint64_t start, uint64_t end,
	       uint32_t clear, uint32_t set);

/*
 * The family for the first anonymous page of list->vma[i]: a neighbour's, if
 * the two could once be merged, else `fresh` (mm/mmap.c,
 * find_mergeable_anon_vma).
 */
uint32_t vma_family(const struct vma_list *list, size_t i, uint32_t fresh);

/* The gap round an address: from the end of the VMA before to the start of
 * the one after (0 and UINT64_MAX at the ends). */
void vma_gap(const struct vma_list *list, uint64_t start, uint64_t end,
	     uint64_t *floor, uint64_t *ceiling);

#endif
