// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The optimum (Belady 1966): the page whose next reference is farthest leaves;
 * pages never referenced again first.  No policy that brings in each page it
 * misses can miss less where all pages have one size; with sizes it is only a
 * good one.
 *
 * Live pages are in a heap of four children a node, the farthest on top:
 *
 *	key = next reference << bits | page
 *
 * A reference only adds the page's new key.  The old one is now of the past, so
 * below all of the living: it is never on top while there is one of them, and is
 * swept out when half of the heap is such.
 */
#include "models/paging/reclaim-list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define NEVER	  0u /* list: not referenced again */
#define LIVE	  1u /* node.list of those in the heap; not linked */
#define CHILDREN  4u
#define SWEEP_MIN 64u

struct opt {
	struct reclaim_lists lists;
	uint64_t *key;	   /* owned [room] */
	size_t n, room;	   /* of the heap */
	size_t live;	   /* pages that are LIVE */
	unsigned bits;	   /* of a page number */
	uint64_t position; /* of the reference that is taken */
};

static void
sift_up(uint64_t *key, size_t at, uint64_t value)
{
	while (at) {
		size_t above = (at - 1) / CHILDREN;

		if (key[above] >= value)
			break;
		key[at] = key[above];
		at = above;
	}
	key[at] = value;
}

/* Move the hole at `at` down to a leaf, then put value where it belongs. */
static void
sift_down(uint64_t *key, size_t n, size_t at, uint64_t value)
{
	for (;;) {
		size_t child = at * CHILDREN + 1, best = child;

		if (child >= n)
			break;
		if (likely(child + CHILDREN <= n)) {
			size_t a = child + (key[child + 1] > key[child]);
			size_t b =
				child + 2 + (key[child + 3] > key[child + 2]);

			best = key[b] > key[a] ? b : a;
		} else {
			for (size_t i = child + 1; i < n; i++)
				if (key[i] > key[best])
					best = i;
		}
		if (key[best] <= value)
			break;
		key[at] = key[best];
		at = best;
	}
	key[at] = value;
}

static uint32_t
page_of(const struct opt *opt, uint64_t key)
{
	return (uint32_t)(key & ((UINT64_C(1) << opt->bits) - 1));
}

/* Is it the key of a page that is in, and not one of its past? */
static bool
is_live(struct opt *opt, uint64_t key)
{
	const struct reclaim_node *node =
		reclaim_node(&opt->lists, page_of(opt, key));

	return key >> opt->bits > opt->position && node->list == LIVE &&
	       node->word == (uint32_t)(key >> opt->bits);
}

static void
sweep(struct opt *opt)
{
	size_t n = 0;

	for (size_t i = 0; i < opt->n; i++)
		if (is_live(opt, opt->key[i]))
			opt->key[n++] = opt->key[i];
	opt->n = n;
	for (size_t i = n / CHILDREN + 1; i-- > 0;)
		if (i < n)
			sift_down(opt->key, n, i, opt->key[i]);
}

static int
opt_add(struct opt *opt, uint32_t page, uint64_t next)
{
	if (opt->n > 2 * opt->live + SWEEP_MIN)
		sweep(opt);
	if (opt->n == opt->room) {
		size_t room = opt->room ? 2 * opt->room : 1024;
		uint64_t *key = reallocarray(opt->key, room, sizeof(*key));

		if (!key)
			return fail(ENOMEM, "reclaim: no memory for %zu pages",
				    room);
		opt->key = key;
		opt->room = room;
	}
	sift_up(opt->key, opt->n++, next << opt->bits | page);
	return 0;
}

static void
opt_evict(struct opt *opt)
{
	struct reclaim_lists *lists = &opt->lists;
	uint32_t page;
	uint64_t key;

	if (!reclaim_empty(lists, NEVER)) {
		page = reclaim_oldest(lists, NEVER);
		reclaim_unlink(lists, page);
		reclaim_evict(lists, page);
		return;
	}
	do { /* those that are not live were dropped */
		key = opt->key[0];
		opt->n--;
		sift_down(opt->key, opt->n, 0, opt->key[opt->n]);
	} while (!is_live(opt, key));
	page = page_of(opt, key);
	reclaim_node(lists, page)->list = RECLAIM_NONE;
	opt->live--;
	reclaim_evict(lists, page);
}

/* The page's place by its next reference; it is on neither side now. */
static int
opt_place(struct opt *opt, uint32_t page, uint64_t next)
{
	struct reclaim_node *node = reclaim_node(&opt->lists, page);

	if (next == RECLAIM_NEVER) {
		reclaim_push(&opt->lists, NEVER, page);
		return 0;
	}
	node->list = LIVE;
	node->word = (uint32_t)next;
	opt->live++;
	return opt_add(opt, page, next);
}

/* 1: it was in; 0: not; or -ENOMEM */
static ALWAYS_INLINE int
opt_touch(struct opt *opt, uint32_t page, uint64_t next)
{
	struct reclaim_lists *lists = &opt->lists;
	struct reclaim_node *node = reclaim_node(lists, page);
	int error;

	if (node->list == LIVE && next != RECLAIM_NEVER) {
		node->word = (uint32_t)next;
		error = opt_add(opt, page, next);
		return error ? error : 1;
	}
	if (node->list != RECLAIM_NONE) {
		if (node->list == LIVE) {
			node->list = RECLAIM_NONE;
			opt->live--;
		} else {
			reclaim_unlink(lists, page);
		}
		error = opt_place(opt, page, next);
		return error ? error : 1;
	}
	if (!reclaim_fits(lists, page))
		return 0;
	while (reclaim_full(lists, page))
		opt_evict(opt);
	reclaim_enter(lists, page);
	return opt_place(opt, page, next);
}

/* More bits for page numbers, fewer for positions. */
static int
widen(struct opt *opt, uint32_t page)
{
	unsigned bits = opt->bits;
	int error = reclaim_lists_grow(&opt->lists, page);

	if (error)
		return error;
	while (opt->lists.room > UINT64_C(1) << opt->bits)
		opt->bits++;
	for (size_t i = 0; i < opt->n; i++) {
		uint64_t key = opt->key[i];

		opt->key[i] = key >> bits << opt->bits |
			      (key & ((UINT64_C(1) << bits) - 1));
	}
	return 0;
}

static int
opt_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	struct opt *opt = (struct opt *)reclaim;
	uint32_t n = batch->n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t page = batch->page[i];
		uint64_t next = batch->next[i];
		uint32_t ahead =
			batch->page[i + RECLAIM_AHEAD < n ? i + RECLAIM_AHEAD
							  : n - 1];
		int hit = page < opt->lists.room ? 0 : widen(opt, page);

		if (hit)
			return hit;
		if (unlikely(next != RECLAIM_NEVER && next >> (64 - opt->bits)))
			return fail(EINVAL,
				    "reclaim.policy opt: reference %" PRIu64
				    " is too far for one of %" PRIu32 " pages",
				    next, opt->lists.room);
		__builtin_prefetch(reclaim_node(&opt->lists,
						ahead & (opt->lists.room - 1)),
				   1);
		opt->position = batch->position + i;
		hit = opt_touch(opt, page, next);
		if (hit < 0)
			return hit;
		reclaim_count(&opt->lists, page, hit,
			      batch->write && batch->write[i]);
	}
	return 0;
}

static void
opt_drop(struct reclaim *reclaim, uint32_t page)
{
	struct opt *opt = (struct opt *)reclaim;
	struct reclaim_node *node;

	if (page >= opt->lists.room)
		return;
	node = reclaim_node(&opt->lists, page);
	if (node->list == LIVE) {
		reclaim->used -= reclaim_kept(&opt->lists, page);
		opt->live--;
		*node = (struct reclaim_node){ .list = RECLAIM_NONE };
		return;
	}
	reclaim_lists_drop(&opt->lists, page, NEVER);
}

static void
opt_close(struct reclaim *reclaim)
{
	free(((struct opt *)reclaim)->key);
	reclaim_lists_close(reclaim);
}

static int
opt_open(struct reclaim **out, const struct reclaim_config *config)
{
	struct opt *opt;
	int error = reclaim_lists_open((struct reclaim_lists **)&opt,
				       sizeof(*opt), config);

	if (error)
		return error;
	error = widen(opt, 0);
	if (error) {
		opt_close(&opt->lists.reclaim);
		return error;
	}
	*out = &opt->lists.reclaim;
	return 0;
}

const struct reclaim_ops opt_reclaim = {
	.name = "opt",
	.also = "belady",
	.help = "the page referenced again last leaves: the bound (Belady)",
	.needs_next = true,
	.sized = true,
	.open = opt_open,
	.close = opt_close,
	.feed = opt_feed,
	.drop = opt_drop,
};
