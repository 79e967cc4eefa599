// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The working set (Denning 1968): memory holds what was referenced in the last
 * window of references (or of time), however many pages that are; a page that
 * was not leaves.  The capacity only bounds it: if the working set is larger,
 * its oldest page leaves too.
 */
#include "models/paging/reclaim-list.h"

#include <stdlib.h>

#include "analyzer/fail.h"

struct ws {
	struct reclaim_lists lists;
	uint64_t *at; /* owned [room]: when a page was referenced last */
	uint32_t room;
	bool by_time;
	uint64_t window;
	double sum; /* of sizes, after each reference */
};

static void
ws_evict(struct reclaim_lists *lists)
{
	uint32_t page = reclaim_oldest(lists, 0);

	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
}

/* What was referenced last before `from` leaves. */
static ALWAYS_INLINE void
ws_expire(struct ws *ws, uint64_t from)
{
	while (!reclaim_empty(&ws->lists, 0) &&
	       ws->at[reclaim_oldest(&ws->lists, 0)] < from)
		ws_evict(&ws->lists);
}

static ALWAYS_INLINE bool
ws_touch(struct reclaim_lists *lists, uint32_t page,
	 const struct reclaim_batch *batch, uint32_t i)
{
	struct ws *ws = (struct ws *)lists;
	uint64_t now = ws->by_time ? batch->time[i] : batch->position + i;
	bool hit;

	ws_expire(ws, now > ws->window ? now - ws->window : 0);
	hit = reclaim_node(lists, page)->list != RECLAIM_NONE;
	if (hit) {
		reclaim_renew(lists, page);
	} else if (reclaim_fits(lists, page)) {
		while (reclaim_full(lists, page))
			ws_evict(lists);
		reclaim_enter(lists, page);
		reclaim_push(lists, 0, page);
	}
	ws->at[page] = now;
	/* The window ends with this reference: one less is left of the old. */
	ws_expire(ws, now >= ws->window ? now - ws->window + 1 : 0);
	ws->sum += (double)lists->reclaim.used;
	return hit;
}

static int
ws_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	struct ws *ws = (struct ws *)reclaim;
	uint32_t top = reclaim_top(batch);

	if (ws->by_time && !batch->time)
		return fail(EINVAL, "reclaim.ws.time: times are not known "
				    "here; use reclaim.ws.window");
	if (top >= ws->room) {
		int error = reclaim_lists_grow(&ws->lists, top);
		uint64_t *at;

		if (error)
			return error;
		at = reallocarray(ws->at, ws->lists.room, sizeof(*at));
		if (!at)
			return fail(ENOMEM, "reclaim: no memory for %u pages",
				    ws->lists.room);
		ws->at = at;
		ws->room = ws->lists.room;
	}
	return reclaim_each(reclaim, batch, ws_touch);
}

static void
ws_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, 0);
}

static int
ws_finish(const struct reclaim *reclaim, struct result *result)
{
	const struct ws *ws = (const struct ws *)reclaim;

	if (!reclaim->counts.references)
		return result_absent(result, "reclaim.ws.mean",
				     "there were no references");
	return result_real(result, "reclaim.ws.mean",
			   ws->sum / (double)reclaim->counts.references,
			   "pages");
}

static void
ws_close(struct reclaim *reclaim)
{
	free(((struct ws *)reclaim)->at);
	reclaim_lists_close(reclaim);
}

static int
ws_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct ws), config);
	struct ws *ws;

	if (error)
		return error;
	ws = (struct ws *)*out;
	ws->by_time = config->ws_time_ns > 0;
	ws->window = ws->by_time ? config->ws_time_ns : config->ws_window;
	return 0;
}

const struct reclaim_ops ws_reclaim = {
	.name = "ws",
	.help = "the working set: what was not referenced for a window leaves",
	.needs_time = true,
	.sized = true,
	.open = ws_open,
	.close = ws_close,
	.feed = ws_feed,
	.drop = ws_drop,
	.finish = ws_finish,
};
