/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of merging share; nobody else includes it.
 *
 *	ksm.c       pages whose content is known, rounds over them
 *	ksm-node.c  frames that pages are merged into
 *	ksm-rate.c  contents made up (ksm.rate)
 *	ksm-result.c  options, counts
 */
#ifndef MODELS_PAGING_KSM_INSIDE_H
#define MODELS_PAGING_KSM_INSIDE_H

#include "models/paging/ksm.h"
#include "models/paging/space.h"

#define KSM_SPACE_SHIFT 36 /* pages of 4K in 48 bits */
#define KSM_NO_NODE	UINT32_MAX

/* A page whose content is known. */
struct ksm_page {
	uint64_t key;	   /* space << KSM_SPACE_SHIFT | page's number */
	uint64_t content;  /* hash of what it has */
	uint64_t checksum; /* the same at the last look */
	uint32_t node;	   /* KSM_NO_NODE: not merged */
	uint8_t age, skips;
	bool looked, gone;
};

/* A frame that pages are merged into */
struct ksm_node {
	uint64_t content, frame; /* frame 0: not in use */
	uint32_t sharers;
	uint32_t next; /* of the same content, or KSM_NO_NODE */
};

struct ksm_merged {
	uint64_t shared, sharing, zero;
};

struct ksm {
	struct ksm_config config; /* without zeros */
	bool zero, smart;
	struct ksm_page *page; /* owned */
	size_t n, room;
	struct hash by_key; /* -> page */
	struct ksm_node *node;  /* owned */
	size_t nodes, node_room;
	uint32_t free_node;   /* KSM_NO_NODE: none */
	struct hash stable;   /* content -> first node */
	struct hash unstable; /* content -> page, of this round */
	size_t cursor;
	size_t waiting; /* first page that was told before it was touched */
	/* of the next wakeup but for its sleep; of the first content */
	uint64_t time_ns, first_ns, last_merge_ns;
	uint64_t period_ns, work_ns; /* between wakeups; in them, so far */

	struct ksm_merged now, most;
	uint64_t rounds, scanned, skipped, merged, unmerged;
	uint64_t made_up; /* contents, by ksm.rate */
	uint32_t sharers_most;
	struct timeline *line; /* owned */
};


/* ksm.c */
/* Of what has a key: its space, or NULL; its address. */
struct address_space *ksm_space(const struct paging *paging, uint64_t key);
uint64_t ksm_address(uint64_t key);
/* What maps the page; false: it has no anonymous 4K page any more. */
bool ksm_mapping(const struct paging *paging, uint64_t key,
		 struct mapping *mapping);
/* A page has this content from now on.  0, -ENOMEM (said). */
int ksm_add(struct paging *paging, uint64_t key, uint64_t hash);

/* ksm-node.c: 0 or -ENOMEM (said) */
/* The page went its own way: it was written, or is gone. */
void ksm_leave(struct paging *paging, struct ksm_page *page);
/* Is it mapped where it was merged to?  What is not leaves its node. */
bool ksm_is_merged(struct paging *paging, struct ksm_page *page,
		   const struct mapping *mapping);
/* Map the page to the node's frame, read-only; its own is given back. */
int ksm_join(struct paging *paging, struct ksm_page *page, uint32_t number);
/* The first page's frame becomes one for both. */
int ksm_merge(struct paging *paging, struct ksm_page *first,
	      struct ksm_page *second);
/* To the zero page, as a page that was only read. */
int ksm_merge_zero(struct paging *paging, struct ksm_page *page);
/* A node of this content that has room, or KSM_NO_NODE. */
uint32_t ksm_node_find(const struct ksm *ksm, uint64_t content);

/* ksm-rate.c: of all pages that are new.  0, -ENOMEM (said). */
int ksm_make_up(struct paging *paging);

/* ksm-result.c: what is merged over time. */
int ksm_line_open(struct ksm *ksm);
void ksm_tell_time(struct paging *paging);

#endif
