/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What policies are made of: queues of pages in one flat array.  A page is on
 * one list at most, as a node of 16 bytes; the first nodes are the lists' own
 * ends, so that nothing is asked at an end:
 *
 *	node[]   [list 0]..[list 7] [page 0] [page 1] ...
 *	            |  ^               ^ |
 *	          next +----- prev ----+ next        newest first
 *
 * A list keeps how much is on it, in pages (or bytes where pages have sizes).
 * The array doubles as page numbers come.
 */
#ifndef MODELS_PAGING_RECLAIM_LIST_H
#define MODELS_PAGING_RECLAIM_LIST_H

#include "models/paging/reclaim.h"

#define RECLAIM_LISTS 8u
#define RECLAIM_NONE  0xff /* node.list: it is on none */
#define RECLAIM_AHEAD 16u  /* references whose nodes are fetched early */
#define RECLAIM_DIRTY 1u   /* node.flags; the others are the policy's */
/* No bit of them: what was missed before is kept apart, so that policies may
 * write flags as they like. */

struct reclaim_node {
	uint32_t next, prev; /* nodes */
	uint8_t list, flags;
	uint16_t count; /* the policy's */
	uint32_t word;	/* the policy's */
};

/* The first member of each policy's own struct. */
struct reclaim_lists {
	struct reclaim reclaim;
	struct reclaim_node *node; /* owned [RECLAIM_LISTS + room] */
	uint32_t room;		   /* pages: 0 or a power of two */
	uint64_t held[RECLAIM_LISTS];
	uint32_t *kept;	 /* owned [room]: sizes; NULL: 1 each */
	uint8_t *missed; /* owned [room / 8]: bits; for refaults */
	const uint32_t *const *size;
};

/* Allocates a policy's struct of that many bytes, zeroed, lists empty. */
int reclaim_lists_open(struct reclaim_lists **out, size_t bytes,
		       const struct reclaim_config *config);
void reclaim_lists_close(struct reclaim *reclaim);
/* Make room for this page.  0, -ENOMEM (said). */
int reclaim_lists_grow(struct reclaim_lists *lists, uint32_t page);

static ALWAYS_INLINE struct reclaim_node *
reclaim_node(struct reclaim_lists *lists, uint32_t page)
{
	return &lists->node[RECLAIM_LISTS + page];
}

/* Of a page that is on a list: what it came in with */
static ALWAYS_INLINE uint64_t
reclaim_kept(const struct reclaim_lists *lists, uint32_t page)
{
	return lists->kept ? lists->kept[page] : 1;
}

/* Of a page that comes in now */
static ALWAYS_INLINE uint64_t
reclaim_size(const struct reclaim_lists *lists, uint32_t page)
{
	return lists->size ? (*lists->size)[page] : 1;
}

/* The oldest page; only of lists that are not empty. */
static ALWAYS_INLINE uint32_t
reclaim_oldest(const struct reclaim_lists *lists, unsigned list)
{
	return lists->node[list].prev - RECLAIM_LISTS;
}

static ALWAYS_INLINE bool
reclaim_empty(const struct reclaim_lists *lists, unsigned list)
{
	return lists->node[list].prev == list;
}

/* Takes the page off the list that it is on. */
static ALWAYS_INLINE void
reclaim_unlink(struct reclaim_lists *lists, uint32_t page)
{
	struct reclaim_node *node = reclaim_node(lists, page);

	lists->node[node->prev].next = node->next;
	lists->node[node->next].prev = node->prev;
	lists->held[node->list] -= reclaim_kept(lists, page);
	node->list = RECLAIM_NONE;
}

/* Puts the page, which is on none, on the list, older than that node of it by
 * one place. */
static ALWAYS_INLINE void
reclaim_push_below(struct reclaim_lists *lists, unsigned list, uint32_t above,
		   uint32_t page)
{
	struct reclaim_node *node = reclaim_node(lists, page);
	uint32_t at = RECLAIM_LISTS + page, below = lists->node[above].next;

	node->next = below;
	node->prev = above;
	lists->node[below].prev = at;
	lists->node[above].next = at;
	node->list = (uint8_t)list;
	lists->held[list] += reclaim_kept(lists, page);
}

/* ... at the list's newest end: below the list's own node */
static ALWAYS_INLINE void
reclaim_push(struct reclaim_lists *lists, unsigned list, uint32_t page)
{
	reclaim_push_below(lists, list, list, page);
}

/* ... at its oldest end */
static ALWAYS_INLINE void
reclaim_push_oldest(struct reclaim_lists *lists, unsigned list, uint32_t page)
{
	reclaim_push_below(lists, list, lists->node[list].prev, page);
}

/* To the newest end of the list that it is on */
static ALWAYS_INLINE void
reclaim_renew(struct reclaim_lists *lists, uint32_t page)
{
	struct reclaim_node *node = reclaim_node(lists, page);
	struct reclaim_node *end = &lists->node[node->list];
	uint32_t at = RECLAIM_LISTS + page;

	lists->node[node->prev].next = node->next;
	lists->node[node->next].prev = node->prev;
	node->next = end->next;
	node->prev = node->list;
	lists->node[end->next].prev = at;
	end->next = at;
}

/* A page comes into memory: counted, its size kept, on no list yet. */
static ALWAYS_INLINE void
reclaim_enter(struct reclaim_lists *lists, uint32_t page)
{
	reclaim_node(lists, page)->flags &= (uint8_t)~RECLAIM_DIRTY;
	if (lists->size)
		lists->kept[page] = (*lists->size)[page];
	lists->reclaim.used += reclaim_kept(lists, page);
}

/* A page leaves memory for want of room.  It may stay on a list of ghosts. */
static ALWAYS_INLINE void
reclaim_evict(struct reclaim_lists *lists, uint32_t page)
{
	struct reclaim_node *node = reclaim_node(lists, page);
	bool dirty = node->flags & RECLAIM_DIRTY;

	node->flags &= (uint8_t)~RECLAIM_DIRTY;
	lists->reclaim.used -= reclaim_kept(lists, page);
	lists->reclaim.counts.evictions++;
	lists->reclaim.counts.writebacks += dirty;
	if (lists->reclaim.evicted)
		lists->reclaim.evicted(lists->reclaim.context, page, dirty);
}

/* Could the page come in at all? */
static ALWAYS_INLINE bool
reclaim_fits(const struct reclaim_lists *lists, uint32_t page)
{
	return reclaim_size(lists, page) <= lists->reclaim.capacity;
}

/* Must another leave first? */
static ALWAYS_INLINE bool
reclaim_full(const struct reclaim_lists *lists, uint32_t page)
{
	return lists->reclaim.used + reclaim_size(lists, page) >
	       lists->reclaim.capacity;
}

/* drop of policies whose pages in memory are those with node.list <= last */
void reclaim_lists_drop(struct reclaim_lists *lists, uint32_t page,
			unsigned last);

/* part of policies that keep all they know of a page in its node and on lists */
int reclaim_lists_part(struct reclaim *reclaim, uint32_t whole, uint32_t part);

/* A share of the capacity, rounded down */
static inline uint64_t
reclaim_share(const struct reclaim_config *config, double share)
{
	return (uint64_t)((double)config->capacity * share);
}

/* The largest page number of a batch: for columns of the policy's own, which
 * are to grow with `room` before the loop */
static inline uint32_t
reclaim_top(const struct reclaim_batch *batch)
{
	uint32_t top = 0;

	for (uint32_t i = 0; i < batch->n; i++)
		top = batch->page[i] > top ? batch->page[i] : top;
	return top;
}

/*
 * The generic feed loop, made for each policy from its own `touch`, which takes
 * one reference and returns whether the page was in.
 */
typedef bool reclaim_touch(struct reclaim_lists *lists, uint32_t page,
			   const struct reclaim_batch *batch, uint32_t i);

/* After the page was referenced: `hit` if it was in */
static ALWAYS_INLINE void
reclaim_count(struct reclaim_lists *lists, uint32_t page, bool hit, bool writes)
{
	struct reclaim_counts *counts = &lists->reclaim.counts;

	counts->references++;
	if (!hit) {
		uint8_t *missed = &lists->missed[page / 8];
		unsigned bit = 1u << page % 8;

		counts->misses++;
		counts->refaults += (*missed & bit) != 0;
		*missed = (uint8_t)(*missed | bit);
	}
	if (writes)
		reclaim_node(lists, page)->flags |= RECLAIM_DIRTY;
}

static ALWAYS_INLINE int
reclaim_each(struct reclaim *reclaim, const struct reclaim_batch *batch,
	     reclaim_touch *touch)
{
	struct reclaim_lists *lists = (struct reclaim_lists *)reclaim;
	uint32_t n = batch->n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t page = batch->page[i];
		uint32_t ahead =
			batch->page[i + RECLAIM_AHEAD < n ? i + RECLAIM_AHEAD
							  : n - 1];
		bool hit;

		if (unlikely(page >= lists->room)) {
			int error = reclaim_lists_grow(lists, page);

			if (error)
				return error;
		}
		__builtin_prefetch(reclaim_node(lists,
						ahead & (lists->room - 1)),
				   1);
		hit = touch(lists, page, batch, i);
		reclaim_count(lists, page, hit,
			      batch->write && batch->write[i]);
	}
	return 0;
}

#endif
