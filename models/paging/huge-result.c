// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What huge pages brought and cost.  Where all processes have ended, "at the
 * end" is before the last one did.
 */
#include "models/paging/space.h"

#include <stdio.h>

static const char *const sizes[HUGE_ORDERS] = {
	[2] = "16k",  [3] = "32k",  [4] = "64k", [5] = "128k",
	[6] = "256k", [7] = "512k", [8] = "1m",	 [9] = "2m",
};

static const struct timeline_series series[] = {
	[HUGE_LINE_LARGE] = { "large", "bytes", TIMELINE_GAUGE },
	[HUGE_LINE_UNTOUCHED] = { "untouched", "bytes", TIMELINE_GAUGE },
	[HUGE_LINE_FAULTS] = { "faults", "pages", TIMELINE_COUNTER },
	[HUGE_LINE_COLLAPSES] = { "collapses", "pages", TIMELINE_COUNTER },
	[HUGE_LINE_SPLITS] = { "splits", "pages", TIMELINE_COUNTER },
};

int
huge_line_open(struct paging *paging)
{
	return timeline_open(&paging->huge.line, series, ARRAY_SIZE(series), 0);
}

void
huge_count(struct paging *paging, const struct large_page *page, bool more)
{
	struct huge *huge = &paging->huge;
	uint64_t bytes = UINT64_C(1) << page->shift;

	if (page->state == PAGE_BORROWED || page->kind == LARGE_HUGETLB)
		return;
	huge->bytes = more ? huge->bytes + bytes : huge->bytes - bytes;
	if (huge->peak < huge->bytes)
		huge->peak = huge->bytes;
	timeline_set(huge->line, HUGE_LINE_LARGE, paging->now, huge->bytes);
}

void
huge_note(struct paging *paging, enum huge_line what)
{
	timeline_add(paging->huge.line, what, paging->now, 1);
}

/* Present pages of [start, end). */
static uint64_t
present_bytes(const struct address_space *space, uint64_t start, uint64_t end)
{
	uint64_t bytes = 0;

	for (uint64_t at = start; at < end; at += PAGE_BYTES)
		bytes += pageset_state(&space->pages, at) > PAGE_BORROWED
				 ? PAGE_BYTES
				 : 0;
	return bytes;
}

/* Of a mapping that may have 2M: what lies before the first and behind the
 * last aligned 2M of it, and is resident. */
static uint64_t
unaligned_bytes(const struct address_space *space, const struct vma *vma)
{
	uint64_t first = (vma->start + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
	uint64_t last = vma->end & ~(LARGE_BYTES - 1);

	if (first >= last)
		return present_bytes(space, vma->start, vma->end);
	return present_bytes(space, vma->start, first) +
	       present_bytes(space, last, vma->end);
}

void
huge_look(const struct paging *paging, struct huge_state *state)
{
	*state = (struct huge_state){
		.bytes = paging->huge.bytes,
		.untouched_bytes = paging->huge.untouched_bytes,
	};
	for (uint32_t i = 0; i < paging->spaces; i++) {
		const struct address_space *space = paging->space[i];
		struct paging_memory memory;

		if (!space)
			continue;
		paging_memory(paging, i, &memory);
		state->anonymous_bytes += memory.anonymous_bytes;
		state->deposited_bytes += space->deposited * PAGE_BYTES;
		for (size_t k = 0; k < space->vmas.n; k++)
			if (huge_allowed(paging, &space->vmas.vma[k]) >>
				    LARGE_ORDER &
			    1)
				state->unaligned_bytes +=
					unaligned_bytes(space,
							&space->vmas.vma[k]);
	}
}

struct count {
	const char *name;
	uint64_t value;
	const char *unit;
};

static int
put(struct result *result, const struct count *count, size_t n)
{
	int error = 0;

	for (size_t i = 0; i < n && !error; i++)
		error = result_count(result, count[i].name, count[i].value,
				     count[i].unit);
	return error;
}

static int
put_counts(const struct paging *paging, struct result *result)
{
	const struct huge *huge = &paging->huge;
	const struct huge_config *config = &paging->config.huge;
	uint64_t zeroed = huge->collapse_zeroed;
	const struct count events[] = {
		{ "thp.faults", huge->faulted[LARGE_ORDER], "faults" },
		{ "thp.zero.faults", huge->zero, "faults" },
		{ "thp.fallback", huge->fallback[LARGE_ORDER], "faults" },
		{ "thp.splits", huge->splits, "pages" },
		{ "thp.collapses", huge->advised, "pages" },
		{ "thp.collapses.failed", huge->collapse_failed, "pages" },
		{ "thp.promotions", huge->promoted, "pages" },
		{ "thp.reserved.bytes.peak", huge->reserved_peak, "bytes" },
		{ "thp.reservations.broken", huge->reservations_broken,
		  "reservations" },
	};
	const struct count limited[] = {
		{ "thp.fallback.limit", huge->no_room, "faults" },
		{ "thp.swapouts", huge->swapped_out, "pages" },
	};
	const struct count scanned[] = {
		{ "khugepaged.collapses", huge->collapsed, "pages" },
		{ "khugepaged.rounds", huge->rounds, "rounds" },
		{ "khugepaged.scanned", huge->scanned, "regions" },
		{ "khugepaged.declined", huge->beyond_limits, "regions" },
		{ "khugepaged.passes", huge->full_scans, "passes" },
	};
	uint64_t collapse_ns =
		huge->collapse_copied * (uint64_t)config->copy_ns +
		huge->collapse_zeroed * (uint64_t)config->zero_ns;
	int error = put(result, events, ARRAY_SIZE(events));

	if (!error && paging->listener.room)
		error = put(result, limited, ARRAY_SIZE(limited));

	if (!error && huge->next_ns)
		error = put(result, scanned, ARRAY_SIZE(scanned));
	else if (!error)
		error = result_absent(result, "khugepaged.collapses",
				      config->khugepaged.scan_pages
					      ? "the trace has no times, or "
						"no 2M pages are on"
					      : "khugepaged.scan-pages is 0");
	for (unsigned i = 0; i < HUGE_ORDERS; i++)
		zeroed += huge->faulted[i] << i;
	if (!error)
		error = result_count(result, "thp.zero.ns",
				     zeroed * (uint64_t)config->zero_ns, "ns");
	return error ? error
		     : result_count(result, "thp.collapse.ns", collapse_ns,
				    "ns");
}

static int
put_sizes(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = { "size:", "faults:faults",
					       "fallbacks:faults", NULL };
	int error = result_table(result, "thp.sizes",
				 "pages that faults brought in at once, and "
				 "that memory had no free run for",
				 columns);

	for (unsigned i = 2; i < HUGE_ORDERS && !error; i++)
		if (paging->huge.faulted[i] || paging->huge.fallback[i])
			error = result_row(result, "thp.sizes", "suu", sizes[i],
					   paging->huge.faulted[i],
					   paging->huge.fallback[i]);
	return error;
}

static int
put_state(const struct paging *paging, struct result *result)
{
	const struct huge *huge = &paging->huge;
	struct huge_state now = huge->last;
	int error;

	if (paging_is_alive(paging))
		huge_look(paging, &now);
	error = result_count(result, "thp.bytes", now.bytes, "bytes");
	if (!error)
		error = result_count(result, "thp.bytes.peak", huge->peak,
				     "bytes");
	if (!error && now.anonymous_bytes)
		error = result_real(result, "thp.coverage",
				    (double)now.bytes /
					    (double)now.anonymous_bytes,
				    "");
	else if (!error)
		error = result_absent(result, "thp.coverage",
				      "no anonymous memory was resident");
	if (!error)
		error = result_count(result, "thp.unaligned.bytes",
				     now.unaligned_bytes, "bytes");
	if (!error)
		error = result_count(result, "thp.deposited.bytes",
				     now.deposited_bytes, "bytes");
	if (error)
		return error;
	if (!huge->watched) {
		error = result_absent(result, "thp.bloat.bytes",
				      "pages.bloat is no");
		return error;
	}
	error = result_count(result, "thp.bloat.bytes", now.untouched_bytes,
			     "bytes");
	return error ? error
		     : result_count(result, "thp.bloat.bytes.peak",
				    huge->untouched_peak, "bytes");
}

int
huge_finish(const struct paging *paging, uint64_t accesses,
	    struct result *result)
{
	int error;

	if (!paging_sizes_vary(paging))
		return 0;
	error = put_counts(paging, result);
	if (!error)
		error = compact_finish(paging, result);
	if (!error)
		error = put_state(paging, result);
	if (!error)
		error = put_sizes(paging, result);
	return error ? error
		     : timeline_finish(paging->huge.line, accesses, result,
				       "thp.time",
				       "Large pages over the run: bytes in "
				       "them, and of these never touched");
}
