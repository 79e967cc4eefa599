// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ARC (Megiddo, Modha 2003): T1 holds pages seen once lately, T2 those seen more
 * often; B1 and B2 remember what left them.  A miss that B1 remembers makes T1's
 * target p larger, one of B2 smaller.
 *
 *	[ B1 <- T1 ] [ T2 -> B2 ]	T1 + T2 <= c, T1 + B1 <= c, all <= 2c
 *
 * p is a real number, as in libCacheSim; with sizes all are in bytes and p moves
 * by at least one of them.
 */
#include "models/paging/reclaim-list.h"

enum {
	T1,
	T2,
	B1,
	B2
};

struct arc {
	struct reclaim_lists lists;
	double p;
};

static double
arc_step(const struct reclaim_lists *lists, unsigned of, unsigned by)
{
	double step = (double)lists->held[of] / (double)lists->held[by];

	return step > 1 ? step : 1;
}

static void
arc_leave(struct reclaim_lists *lists, unsigned from, bool remembered)
{
	uint32_t page = reclaim_oldest(lists, from);

	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
	if (remembered)
		reclaim_push(lists, from == T1 ? B1 : B2, page);
}

/* REPLACE of the paper */
static void
arc_replace(struct arc *arc, bool in_b2)
{
	const struct reclaim_lists *lists = &arc->lists;
	double t1 = (double)lists->held[T1];
	bool first = !reclaim_empty(lists, T1) &&
		     (t1 > arc->p || (in_b2 && t1 == arc->p));

	arc_leave(&arc->lists, first || reclaim_empty(lists, T2) ? T1 : T2,
		  true);
}

/* Room for a page that no list knows: case IV */
static void
arc_make_room(struct arc *arc, uint32_t page)
{
	struct reclaim_lists *lists = &arc->lists;
	const uint64_t *held = lists->held;
	uint64_t c = lists->reclaim.capacity;

	if (held[T1] + held[B1] + reclaim_size(lists, page) > c) {
		if (reclaim_empty(lists, B1)) {
			arc_leave(lists, T1, false);
			return;
		}
		reclaim_unlink(lists, reclaim_oldest(lists, B1));
	} else if (held[T1] + held[T2] + held[B1] + held[B2] >= 2 * c &&
		   !reclaim_empty(lists, B2)) {
		reclaim_unlink(lists, reclaim_oldest(lists, B2));
	}
	arc_replace(arc, false);
}

/* A miss that is remembered in B1 or B2: cases II and III */
static NOINLINE void
arc_return(struct arc *arc, uint32_t page, bool in_b2)
{
	struct reclaim_lists *lists = &arc->lists;
	double c = (double)lists->reclaim.capacity;

	if (in_b2) {
		arc->p -= arc_step(lists, B1, B2);
		arc->p = arc->p > 0 ? arc->p : 0;
	} else {
		arc->p += arc_step(lists, B2, B1);
		arc->p = arc->p < c ? arc->p : c;
	}
	reclaim_unlink(lists, page);
	if (!reclaim_fits(lists, page)) /* it grew */
		return;
	while (reclaim_full(lists, page))
		arc_replace(arc, in_b2);
	reclaim_enter(lists, page);
	reclaim_push(lists, T2, page);
}

static ALWAYS_INLINE bool
arc_touch(struct reclaim_lists *lists, uint32_t page,
	  UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct arc *arc = (struct arc *)lists;
	uint8_t list = reclaim_node(lists, page)->list;

	if (list == T2) {
		reclaim_renew(lists, page);
		return true;
	}
	if (list == T1) {
		reclaim_unlink(lists, page);
		reclaim_push(lists, T2, page);
		return true;
	}
	if (list != RECLAIM_NONE) {
		arc_return(arc, page, list == B2);
		return false;
	}
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page))
		arc_make_room(arc, page);
	reclaim_enter(lists, page);
	reclaim_push(lists, T1, page);
	return false;
}

static int
arc_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, arc_touch);
}

static void
arc_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, T2);
}

static int
arc_finish(const struct reclaim *reclaim, struct result *result)
{
	return result_real(result, "reclaim.arc.target",
			   ((const struct arc *)reclaim)->p, "pages");
}

static int
arc_open(struct reclaim **out, const struct reclaim_config *config)
{
	return reclaim_lists_open((struct reclaim_lists **)out,
				  sizeof(struct arc), config);
}

const struct reclaim_ops arc_reclaim = {
	.name = "arc",
	.help = "pages seen once against pages seen more, by what was missed",
	.fixed = true,
	.sized = true,
	.open = arc_open,
	.close = reclaim_lists_close,
	.feed = arc_feed,
	.drop = arc_drop,
	.finish = arc_finish,
};
