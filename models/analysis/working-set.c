// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gaps are summed in bins (octaves.h), so s(T) is exact where T is the end of a
 * bin.
 *
 * Windows double when there are too many, and what two of them touch together
 * cannot be had from what each does.  So a page is counted in all window
 * lengths at once that may be wanted later: in those whose window has begun
 * since its last access.
 *
 *	length 2^3	|3 |2 |4 |1 |2 |	now: these are shown
 *	length 2^4	|5    |4    |2  ...	when 2^3 has too many
 *	length 2^5	|8          |2  ...
 */
#include "models/analysis/working-set.h"

#include "analyzer/fail.h"
#include "models/analysis/octaves.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS	    48
#define PAGES_FIRST 1024u
#define AHEAD	    16u

struct working_set {
	uint64_t *last; /* owned: [n_pages] time + 1 of the last access, or 0 */
	uint32_t n_pages;
	uint32_t page; /* of the reference before, which goes on */
	uint8_t group;
	bool begun;
	uint64_t start;	     /* of it */
	uint64_t references; /* runs; all other accesses have a gap of 1 */
	uint64_t pages;	     /* seen */
	uint64_t accesses;
	uint64_t gaps[OCTAVES_BINS], sum[OCTAVES_BINS];
	uint64_t ends[OCTAVES_BINS], sum_ends[OCTAVES_BINS];
	unsigned shift; /* log2 of the window that is shown */
	/* owned: [room][WORKING_SET_GROUPS], of each window length */
	uint32_t (*touched[LEVELS])[WORKING_SET_GROUPS];
	uint32_t room[LEVELS];
};

static int
no_memory(void)
{
	return fail(ENOMEM, "working set: no memory");
}

int
working_set_open(struct working_set **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : no_memory();
}

void
working_set_close(struct working_set *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < LEVELS; i++)
		free(set->touched[i]);
	free(set->last);
	free(set);
}

static int
make_pages(struct working_set *set, uint32_t page)
{
	uint32_t n = set->n_pages ? set->n_pages : PAGES_FIRST;
	uint64_t *last;

	if (page < set->n_pages)
		return 0;
	while (n <= page)
		n = n < UINT32_MAX / 2 ? 2 * n : UINT32_MAX;
	last = reallocarray(set->last, n, sizeof(*last));
	if (!last)
		return no_memory();
	memset(last + set->n_pages, 0, (n - set->n_pages) * sizeof(*last));
	set->last = last;
	set->n_pages = n;
	return 0;
}

static NOINLINE int
make_windows(struct working_set *set, unsigned level, uint64_t window)
{
	uint32_t room = set->room[level] ? 2 * set->room[level] : 4;
	uint32_t(*bigger)[WORKING_SET_GROUPS];

	while (room <= window)
		room *= 2;
	bigger = reallocarray(set->touched[level], room, sizeof(*bigger));
	if (!bigger)
		return no_memory();
	memset(bigger + set->room[level], 0,
	       (room - set->room[level]) * sizeof(*bigger));
	set->touched[level] = bigger;
	set->room[level] = room;
	return 0;
}

/* Count a page in this window of this length. */
static ALWAYS_INLINE int
touch(struct working_set *set, unsigned level, uint64_t window, uint8_t group)
{
	int error = 0;

	if (unlikely(window >= set->room[level]))
		error = make_windows(set, level, window);
	if (!error)
		set->touched[level][window][group]++;
	return error;
}

/* Too many windows: twice as long ones are shown from now on. */
static void
widen(struct working_set *set, uint64_t now)
{
	while (now >> set->shift >= WORKING_SET_WINDOWS) {
		free(set->touched[set->shift]);
		set->touched[set->shift] = NULL;
		set->shift++;
	}
}

/* It was accessed from `from` on to `to`: in all windows that begin between. */
static NOINLINE int
touch_from_to(struct working_set *set, uint64_t from, uint64_t to,
	      uint8_t group)
{
	int error = 0;

	widen(set, to);
	for (unsigned level = set->shift; level < LEVELS; level++) {
		if (from >> level == to >> level)
			break;
		for (uint64_t window = (from >> level) + 1;
		     !error && window <= to >> level; window++)
			error = touch(set, level, window, group);
	}
	return error;
}

/* Accessed at `now`, and before at last - 1 (0: never) */
static ALWAYS_INLINE int
touch_now(struct working_set *set, uint64_t now, uint64_t last, uint8_t group)
{
	int error = 0;

	if (likely(last && (last - 1) >> set->shift == now >> set->shift))
		return 0;
	for (unsigned level = set->shift; level < LEVELS; level++) {
		if (last && (last - 1) >> level == now >> level)
			break;
		error = touch(set, level, now >> level, group);
		if (error)
			break;
	}
	return error;
}

/* The reference before went on to before `now`. */
static ALWAYS_INLINE int
end_run(struct working_set *set, uint64_t now)
{
	uint64_t from = set->start, to = now - 1;

	if (unlikely(!set->begun || now <= from))
		return 0;
	set->last[set->page] = now;
	if (likely(from >> set->shift == to >> set->shift))
		return 0;
	return touch_from_to(set, from, to, set->group);
}

static ALWAYS_INLINE void
prefetch(const struct working_set *set, const struct working_set_run *run,
	 uint32_t i)
{
	if (i >= run->n)
		return;
	__builtin_prefetch(&set->last[run->page[i]], 1);
	if (run->group)
		__builtin_prefetch(&run->group[run->page[i]]);
}

int
working_set_feed(struct working_set *set, const struct working_set_run *run)
{
	uint32_t most = 0;
	int error;

	for (uint32_t i = 0; i < run->n; i++)
		most = run->page[i] > most ? run->page[i] : most;
	error = make_pages(set, most);
	for (uint32_t i = 0; !error && i < run->n; i++) {
		uint32_t page = run->page[i];
		uint64_t now = run->time[i], last;

		prefetch(set, run, i + AHEAD);
		error = end_run(set, now);
		if (error)
			break;
		if (unlikely(now >> set->shift >= WORKING_SET_WINDOWS))
			widen(set, now);
		last = set->last[page];
		set->page = page;
		set->start = now;
		set->begun = true;
		set->group = run->group ? run->group[page] : 0;
		set->last[page] = now + 1;
		if (likely(last)) {
			/* two pages of one access: no time between */
			uint64_t gap = now + 1 > last ? now + 1 - last : 1;
			unsigned bin = octaves_bin(gap);

			set->gaps[bin]++;
			set->sum[bin] += gap;
		} else {
			set->pages++;
		}
		error = touch_now(set, now, last, set->group);
	}
	set->references += run->n;
	return error;
}

int
working_set_end(struct working_set *set, uint64_t accesses)
{
	int error = end_run(set, accesses);

	set->accesses = accesses;
	for (uint32_t i = 0; !error && i < set->n_pages; i++) {
		uint64_t gap;
		unsigned bin;

		if (!set->last[i])
			continue;
		gap = accesses - set->last[i] + 1;
		bin = octaves_bin(gap);
		set->ends[bin]++;
		set->sum_ends[bin] += gap;
	}
	return error;
}

uint64_t
working_set_time(const struct working_set *set, unsigned i)
{
	if (!set->accesses || i >= OCTAVES_BINS ||
	    (i && octaves_end(i - 1) >= set->accesses))
		return 0;
	return octaves_end(i);
}

double
working_set_pages(const struct working_set *set, unsigned i)
{
	uint64_t length = octaves_end(i), sum = 0, longer = 0;

	if (!set->accesses)
		return 0;
	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
		if (bin <= i)
			sum += set->sum[bin] + set->sum_ends[bin];
		else
			longer += set->gaps[bin] + set->ends[bin];
	}
	/* accesses that were left out: each one after that of its page */
	sum += set->accesses - set->references;
	return ((double)sum + (double)longer * (double)length) /
	       (double)set->accesses;
}

double
working_set_missing(const struct working_set *set, unsigned i)
{
	uint64_t longer = set->pages;

	for (unsigned bin = i + 1; bin < OCTAVES_BINS; bin++)
		longer += set->gaps[bin];
	return set->accesses ? (double)longer / (double)set->accesses : 0;
}

uint64_t
working_set_window(const struct working_set *set)
{
	return UINT64_C(1) << set->shift;
}

unsigned
working_set_windows(const struct working_set *set)
{
	return set->accesses ? (unsigned)((set->accesses - 1) >> set->shift) + 1
			     : 0;
}

uint64_t
working_set_touched(const struct working_set *set, unsigned window,
		    unsigned group)
{
	if (window >= set->room[set->shift])
		return 0;
	return set->touched[set->shift][window][group];
}
