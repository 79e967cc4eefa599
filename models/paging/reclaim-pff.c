// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page fault frequency (Chu, Opderbeck 1972): at a fault, if the one before is
 * longer ago than an interval, all pages not referenced since then leave; if it
 * is not, memory grows by a page.  The capacity only bounds that: where it is
 * used up, the oldest page leaves.
 */
#include "models/paging/reclaim-list.h"

#include <stdlib.h>

#include "analyzer/fail.h"

struct pff {
	struct reclaim_lists lists;
	uint64_t *at; /* owned [room]: when a page was referenced last */
	uint32_t room;
	bool by_time, faulted;
	uint64_t interval, last; /* last: when the fault before was */
	double sum;		 /* of sizes, after each reference */
};

static void
pff_evict(struct reclaim_lists *lists)
{
	uint32_t page = reclaim_oldest(lists, 0);

	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
}

static NOINLINE void
pff_fault(struct pff *pff, uint32_t page, uint64_t now)
{
	struct reclaim_lists *lists = &pff->lists;

	if (pff->faulted && now - pff->last > pff->interval)
		while (!reclaim_empty(lists, 0) &&
		       pff->at[reclaim_oldest(lists, 0)] < pff->last)
			pff_evict(lists);
	pff->faulted = true;
	pff->last = now;
	if (!reclaim_fits(lists, page))
		return;
	while (reclaim_full(lists, page))
		pff_evict(lists);
	reclaim_enter(lists, page);
	reclaim_push(lists, 0, page);
}

static ALWAYS_INLINE bool
pff_touch(struct reclaim_lists *lists, uint32_t page,
	  const struct reclaim_batch *batch, uint32_t i)
{
	struct pff *pff = (struct pff *)lists;
	uint64_t now = pff->by_time ? batch->time[i] : batch->position + i;
	bool hit = reclaim_node(lists, page)->list != RECLAIM_NONE;

	if (hit)
		reclaim_renew(lists, page);
	else
		pff_fault(pff, page, now);
	pff->at[page] = now;
	pff->sum += (double)lists->reclaim.used;
	return hit;
}

static int
pff_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	struct pff *pff = (struct pff *)reclaim;
	uint32_t top = reclaim_top(batch);

	if (pff->by_time && !batch->time)
		return fail(EINVAL, "reclaim.pff.time: times are not known "
				    "here; use reclaim.pff.interval");
	if (top >= pff->room) {
		int error = reclaim_lists_grow(&pff->lists, top);
		uint64_t *at;

		if (error)
			return error;
		at = reallocarray(pff->at, pff->lists.room, sizeof(*at));
		if (!at)
			return fail(ENOMEM, "reclaim: no memory for %u pages",
				    pff->lists.room);
		pff->at = at;
		pff->room = pff->lists.room;
	}
	return reclaim_each(reclaim, batch, pff_touch);
}

static void
pff_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, 0);
}

static int
pff_finish(const struct reclaim *reclaim, struct result *result)
{
	const struct pff *pff = (const struct pff *)reclaim;

	if (!reclaim->counts.references)
		return result_absent(result, "reclaim.pff.mean",
				     "there were no references");
	return result_real(result, "reclaim.pff.mean",
			   pff->sum / (double)reclaim->counts.references,
			   "pages");
}

static void
pff_close(struct reclaim *reclaim)
{
	free(((struct pff *)reclaim)->at);
	reclaim_lists_close(reclaim);
}

static int
pff_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct pff), config);
	struct pff *pff;

	if (error)
		return error;
	pff = (struct pff *)*out;
	pff->by_time = config->pff_time_ns > 0;
	pff->interval =
		pff->by_time ? config->pff_time_ns : config->pff_interval;
	return 0;
}

const struct reclaim_ops pff_reclaim = {
	.name = "pff",
	.help = "page fault frequency: rare faults take unused pages away",
	.needs_time = true,
	.sized = true,
	.open = pff_open,
	.close = pff_close,
	.feed = pff_feed,
	.drop = pff_drop,
	.finish = pff_finish,
};
