/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel part remembers of each 4K page of a space, beside the page
 * table: 3 bits a page, in groups of 64 pages (256 KiB):
 *
 *	number of group -> | whose[0] | whose[1] | touched |   32 bytes
 *
 * A group exists as long as the kernel's page table for it would, with or
 * without pages: so "is there a PTE table in these 2 MiB" is asked here.
 */
#ifndef MODELS_PAGING_PAGESET_H
#define MODELS_PAGING_PAGESET_H

#include "analyzer/base.h"

#define GROUP_SHIFT 18
#define GROUP_PAGES 64

enum page_state {
	PAGE_ABSENT,
	PAGE_BORROWED, /* the zero page, or a page of a file or shared memory */
	PAGE_FORKED,   /* anonymous, and may have other owners since a fork */
	PAGE_OWNED,    /* anonymous, this space's alone */
};

struct page_group {
	uint64_t key; /* address >> GROUP_SHIFT, plus 1; 0: empty slot */
	uint64_t whose[2];
	uint64_t touched;
};

/* Zeroed memory is an empty set. */
struct pageset {
	struct page_group *group; /* owned */
	size_t n, room;
};

void pageset_fini(struct pageset *set);

enum page_state pageset_state(const struct pageset *set, uint64_t address);
/* 0 or -ENOMEM (unsaid); PAGE_ABSENT of what has no group does nothing. */
int pageset_put(struct pageset *set, uint64_t address, enum page_state state);
/* A group for this address, if there is none yet.  0 or -ENOMEM (unsaid). */
int pageset_reserve(struct pageset *set, uint64_t address);
/* Mark a present page as touched: true if it was not. */
bool pageset_touch(struct pageset *set, uint64_t address);

bool pageset_touched(const struct pageset *set, uint64_t address);

/* The group with this address, or NULL. */
struct page_group *pageset_group(const struct pageset *set, uint64_t address);
/* Forget the groups that lie wholly in [start, end). */
void pageset_forget(struct pageset *set, uint64_t start, uint64_t end);
/* Present pages. */
uint64_t pageset_pages(const struct pageset *set);
/* Is there a group in the 2 MiB region with this address? */
bool pageset_region(const struct pageset *set, uint64_t address);

/*
 * First addresses of the groups that meet [start, end), ascending, in a new
 * array that the caller frees (NULL if none).  Their number or -ENOMEM.
 */
int64_t pageset_groups(const struct pageset *set, uint64_t start, uint64_t end,
		       uint64_t **addresses);

/* Bits of the present pages of a group that lie in [start, end). */
uint64_t pageset_present(const struct pageset *set, uint64_t group_address,
			 uint64_t start, uint64_t end);

#endif
