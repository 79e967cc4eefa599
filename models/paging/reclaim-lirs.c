// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LIRS (Jiang, Zhang 2002): pages whose last two references were close together
 * (LIR) stay; those in between (HIR) pass a short queue Q, and are remembered
 * on the stack S by when they were referenced last:
 *
 *	S  newest [HIR in memory, HIR gone, LIR ...] oldest: always LIR
 *	Q  newest [HIR in memory] oldest -> out
 *	N  newest [HIR gone, still on S] oldest: who leaves S if it is too long
 *
 * S is a list of the nodes; Q and N, on which no page is together, have links of
 * their own: 24 bytes a page.  What the paper leaves open is as in libCacheSim:
 * S is bounded; objects larger than Q never come in.
 */
#include "models/paging/reclaim-list.h"

#include <stdlib.h>

#include "analyzer/fail.h"

#define S 0u /* node.list */
enum {
	Q,
	N,
	ENDS
};

enum state {	/* node.count */
	ABSENT, /* on no list */
	LIR,
	HIR,  /* in memory: on Q, perhaps on S */
	GONE, /* on S and N */
};

struct link {
	uint32_t next, prev;
};

struct lirs {
	struct reclaim_lists lists;
	struct link *link; /* owned [ENDS + room] */
	uint32_t room;
	uint64_t lir, hir; /* in memory */
	uint64_t lir_most, hir_most, stack_most;
	bool demote;
};

static void
link_remove(struct lirs *lirs, uint32_t page)
{
	struct link *link = lirs->link, *at = &link[ENDS + page];

	link[at->prev].next = at->next;
	link[at->next].prev = at->prev;
}

static void
link_push(struct lirs *lirs, unsigned end, uint32_t page)
{
	struct link *link = lirs->link, *at = &link[ENDS + page];

	at->next = link[end].next;
	at->prev = end;
	link[at->next].prev = ENDS + page;
	link[end].next = ENDS + page;
}

static bool
link_empty(const struct lirs *lirs, unsigned end)
{
	return lirs->link[end].prev == end;
}

static uint32_t
link_oldest(const struct lirs *lirs, unsigned end)
{
	return lirs->link[end].prev - ENDS;
}

static uint16_t *
state_of(struct lirs *lirs, uint32_t page)
{
	return &reclaim_node(&lirs->lists, page)->count;
}

/* Off S goes what is older than the oldest LIR page, but not the newest. */
static void
lirs_prune(struct lirs *lirs)
{
	struct reclaim_lists *lists = &lirs->lists;

	while (lists->node[S].prev != lists->node[S].next) {
		uint32_t page = reclaim_oldest(lists, S);
		uint16_t *state = state_of(lirs, page);

		if (*state == LIR)
			break;
		reclaim_unlink(lists, page);
		if (*state == GONE) {
			link_remove(lirs, page);
			*state = ABSENT;
		}
	}
}

/* Q's oldest leaves memory. */
static void
lirs_evict(struct lirs *lirs)
{
	struct reclaim_lists *lists = &lirs->lists;
	uint32_t page = link_oldest(lirs, Q);

	link_remove(lirs, page);
	lirs->hir -= reclaim_kept(lists, page);
	reclaim_evict(lists, page);
	if (reclaim_node(lists, page)->list == S) {
		*state_of(lirs, page) = GONE;
		link_push(lirs, N, page);
	} else {
		*state_of(lirs, page) = ABSENT;
	}
}

/* Until Q has room for that much. */
static void
lirs_make_room(struct lirs *lirs, uint64_t size)
{
	while (lirs->hir + size > lirs->hir_most && !link_empty(lirs, Q))
		lirs_evict(lirs);
}

/* The oldest LIR page becomes HIR, off S and at Q's newest end. */
static void
lirs_demote(struct lirs *lirs)
{
	struct reclaim_lists *lists = &lirs->lists;
	uint32_t page = reclaim_oldest(lists, S);
	uint64_t size = reclaim_kept(lists, page);

	reclaim_unlink(lists, page);
	lirs->lir -= size;
	lirs_make_room(lirs, size);
	*state_of(lirs, page) = HIR;
	lirs->hir += size;
	link_push(lirs, Q, page);
	lirs_prune(lirs);
}

static void
lirs_promote(struct lirs *lirs, uint32_t page)
{
	uint64_t size = reclaim_kept(&lirs->lists, page);

	while (lirs->lir + size > lirs->lir_most)
		lirs_demote(lirs);
	*state_of(lirs, page) = LIR;
	lirs->lir += size;
}

/* S does not grow without bound: what is gone longest is forgotten. */
static void
lirs_bound(struct lirs *lirs)
{
	while (lirs->lists.held[S] > lirs->stack_most && !link_empty(lirs, N)) {
		uint32_t page = link_oldest(lirs, N);

		link_remove(lirs, page);
		reclaim_unlink(&lirs->lists, page);
		*state_of(lirs, page) = ABSENT;
	}
}

static NOINLINE void
lirs_hit_hir(struct lirs *lirs, uint32_t page)
{
	struct reclaim_lists *lists = &lirs->lists;
	uint64_t size = reclaim_kept(lists, page);

	if (reclaim_node(lists, page)->list == S && size <= lirs->lir_most) {
		reclaim_renew(lists, page);
		link_remove(lirs, page);
		lirs->hir -= size;
		*state_of(lirs, page) = ABSENT;
		lirs_promote(lirs, page);
		return;
	}
	link_remove(lirs, page);
	link_push(lirs, Q, page);
	while (lirs->demote && lirs->lir + size > lirs->lir_most && lirs->lir &&
	       lirs->hir > size)
		lirs_demote(lirs);
	if (reclaim_node(lists, page)->list == S)
		reclaim_renew(lists, page);
	else
		reclaim_push(lists, S, page);
}

static NOINLINE void
lirs_miss(struct lirs *lirs, uint32_t page)
{
	struct reclaim_lists *lists = &lirs->lists;
	uint64_t size;

	if (*state_of(lirs, page) == GONE) {
		link_remove(lirs, page);
		*state_of(lirs, page) = ABSENT;
		/* its size of the time it left: it is that on S */
		size = reclaim_kept(lists, page);
		if (size <= lirs->lir_most) {
			reclaim_renew(lists, page);
			lirs_promote(lirs, page);
			lists->reclaim.used += size;
			return;
		}
		reclaim_unlink(lists, page);
	}
	size = reclaim_size(lists, page);
	if (size > lirs->hir_most)
		return;
	if (lirs->lir + size > lirs->lir_most)
		lirs_make_room(lirs, size);
	reclaim_enter(lists, page);
	reclaim_push(lists, S, page);
	if (lirs->lir + size <= lirs->lir_most) {
		*state_of(lirs, page) = LIR;
		lirs->lir += size;
		return;
	}
	*state_of(lirs, page) = HIR;
	lirs->hir += size;
	link_push(lirs, Q, page);
}

static ALWAYS_INLINE bool
lirs_touch(struct reclaim_lists *lists, uint32_t page,
	   UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct lirs *lirs = (struct lirs *)lists;
	uint16_t state = reclaim_node(lists, page)->count;

	if (state == LIR) {
		reclaim_renew(lists, page);
		lirs_prune(lirs);
		return true;
	}
	if (state == HIR)
		lirs_hit_hir(lirs, page);
	else
		lirs_miss(lirs, page);
	lirs_bound(lirs);
	return state == HIR;
}

static int
lirs_grow(struct lirs *lirs, uint32_t page)
{
	int error = reclaim_lists_grow(&lirs->lists, page);
	struct link *link;

	if (error)
		return error;
	link = reallocarray(lirs->link, (size_t)ENDS + lirs->lists.room,
			    sizeof(*link));
	if (!link)
		return fail(ENOMEM, "reclaim: no memory for %u pages",
			    lirs->lists.room);
	lirs->link = link;
	lirs->room = lirs->lists.room;
	return 0;
}

static int
lirs_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	struct lirs *lirs = (struct lirs *)reclaim;
	uint32_t top = reclaim_top(batch);
	int error = top < lirs->room ? 0 : lirs_grow(lirs, top);

	return error ? error : reclaim_each(reclaim, batch, lirs_touch);
}

static void
lirs_drop(struct reclaim *reclaim, uint32_t page)
{
	struct lirs *lirs = (struct lirs *)reclaim;
	struct reclaim_lists *lists = &lirs->lists;
	uint64_t size;
	uint16_t state;

	if (page >= lists->room)
		return;
	state = *state_of(lirs, page);
	size = reclaim_kept(lists, page);
	if (state == HIR || state == GONE)
		link_remove(lirs, page);
	if (state == HIR)
		lirs->hir -= size;
	if (state == LIR)
		lirs->lir -= size;
	if (state == LIR || state == HIR)
		reclaim->used -= size;
	if (reclaim_node(lists, page)->list == S)
		reclaim_unlink(lists, page);
	*reclaim_node(lists, page) =
		(struct reclaim_node){ .list = RECLAIM_NONE };
	lirs_prune(lirs);
}

static void
lirs_close(struct reclaim *reclaim)
{
	free(((struct lirs *)reclaim)->link);
	reclaim_lists_close(reclaim);
}

static int
lirs_open(struct reclaim **out, const struct reclaim_config *config)
{
	struct lirs *lirs;
	int error = reclaim_lists_open((struct reclaim_lists **)&lirs,
				       sizeof(*lirs), config);

	if (error)
		return error;
	lirs->hir_most = reclaim_share(config, config->lirs_hir);
	lirs->hir_most += !lirs->hir_most;
	lirs->lir_most = config->capacity - lirs->hir_most;
	lirs->stack_most = reclaim_share(config, config->lirs_stack);
	lirs->demote = config->lirs_demote;
	error = lirs_grow(lirs, 0);
	if (error) {
		lirs_close(&lirs->lists.reclaim);
		return error;
	}
	for (uint32_t i = 0; i < ENDS; i++)
		lirs->link[i] = (struct link){ i, i };
	*out = &lirs->lists.reclaim;
	return 0;
}

const struct reclaim_ops lirs_reclaim = {
	.name = "lirs",
	.help = "pages of short re-reference distance stay, others pass by",
	.fixed = true,
	.sized = true,
	.open = lirs_open,
	.close = lirs_close,
	.feed = lirs_feed,
	.drop = lirs_drop,
};
