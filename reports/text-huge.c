// SPDX-License-Identifier: GPL-2.0-or-later
/* Huge pages: how they came, what they hold, what of them is never touched. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <string.h>

static const struct {
	const char *name, *title;
	char form;  /* b: bytes, s: a share, n: nanoseconds, else a count */
	bool quiet; /* where there is none, it is not said why */
} rows[] = {
	{ "thp.faults", "brought in by faults (2M)", ' ' },
	{ "thp.zero.faults", "huge zero page, by reads", ' ' },
	{ "thp.fallback", "no free run of 2M", ' ' },
	{ "thp.compact.stalls", "waited for compaction", ' ', true },
	{ "thp.compact.success", "and got a run by it", ' ', true },
	{ "kcompactd.wakes", "woke kcompactd", ' ', true },
	{ "thp.collapses", "made by MADV_COLLAPSE", ' ' },
	{ "khugepaged.collapses", "made by khugepaged", ' ' },
	{ "thp.promotions", "made by the policy", ' ' },
	{ "thp.fallback.limit", "no room for 2M under the limit", ' ', true },
	{ "thp.splits", "split", ' ' },
	{ "thp.swapouts", "went to swap whole", ' ', true },
	{ "thp.bytes", "bytes in them at the end", 'b' },
	{ "thp.bytes.peak", "bytes in them, at most", 'b' },
	{ "thp.coverage", "of all anonymous memory", 's' },
	{ "thp.coverage.accesses", "of all accesses", 's' },
	{ "thp.coverage.walks", "of all page walks", 's' },
	{ "thp.bloat.bytes", "came along, never touched", 'b' },
	{ "thp.unaligned.bytes", "resident outside any aligned 2M", 'b' },
	{ "thp.reserved.bytes.peak", "reserved and not in use, at most", 'b' },
	{ "thp.zero.ns", "time of zeroing", 'n' },
	{ "thp.collapse.ns", "time of collapsing", 'n' },
	{ "thp.compact.ns", "time of waiting for compaction", 'n', true },
	{ "thp.compact.longest.ns", "the longest wait", 'n', true },
	{ "kcompactd.ns", "time of kcompactd", 'n', true },
};

static struct number
shown(double value, char form)
{
	switch (form) {
	case 'b':
		return number_bytes(value);
	case 's':
		return number_share(value, 1);
	default:
		return number_count(value);
	}
}

void
text_huge(struct text *text)
{
	struct grid *grid;
	double value;

	if (!view_value(text->result, "thp.bytes.peak", &value))
		return;
	text_heading(text, "Huge pages");
	grid = grid_open("<>~");
	for (size_t i = 0; i < 3; i++)
		grid_add(grid, "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *reason =
			rows[i].quiet ? NULL
				      : view_reason(text->result, rows[i].name);

		if (!reason &&
		    (!view_value(text->result, rows[i].name, &value) ||
		     value <= 0))
			continue;
		grid_add(grid, rows[i].title);
		grid_add(grid, reason ? "-" : shown(value, rows[i].form).text);
		grid_add(grid, reason		     ? reason
			       : rows[i].form == 'n' ? "ns"
						     : "");
	}
	text_grid(text, grid);
}
