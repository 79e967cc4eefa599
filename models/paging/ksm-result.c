// SPDX-License-Identifier: GPL-2.0-or-later
/* Options of merging, and what it came to. */
#include "models/paging/ksm-inside.h"

#include <stdlib.h>

static const char *const runs[] = { "recorded", "no", "yes", NULL };

const struct option_row ksm_rows[] = {
	{ .name = "run",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct ksm_config, run),
	  .fallback = "recorded",
	  .choices = runs,
	  .help = "Merge pages of the same content; recorded: where the trace "
		  "has contents, if its host did" },
	{ .name = "pages-to-scan",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct ksm_config, scan_pages),
	  .fallback = "0",
	  .max = 1e9,
	  .unit = "pages",
	  .help = "Pages to look at a wakeup; 0: as recorded, else 100" },
	{ .name = "sleep",
	  .type = OPTION_TIME,
	  .offset = offsetof(struct ksm_config, sleep_ns),
	  .fallback = "0",
	  .max = 1e12,
	  .unit = "ms",
	  .help = "Time between wakeups; 0: as recorded, else 20 ms" },
	{ .name = "tick",
	  .type = OPTION_TIME,
	  .offset = offsetof(struct ksm_config, tick_ns),
	  .fallback = "4",
	  .max = 1e9,
	  .unit = "ms",
	  .help = "Of the kernel's clock (CONFIG_HZ): it wakes one after the "
		  "sleep is over" },
	{ .name = "scan-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct ksm_config, scan_ns),
	  .fallback = "1000",
	  .min = 0,
	  .max = 1e9,
	  .unit = "ns",
	  .help = "What looking at a page costs" },
	{ .name = "merge-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct ksm_config, merge_ns),
	  .fallback = "7000",
	  .min = 0,
	  .max = 1e9,
	  .unit = "ns",
	  .help = "What merging one costs" },
	{ .name = "max-page-sharing",
	  .type = OPTION_INT,
	  .offset = offsetof(struct ksm_config, max_sharing),
	  .fallback = "0",
	  .min = 0,
	  .max = 1e6,
	  .unit = "mappings",
	  .help = "Mappings of one merged frame at most, which bounds what a "
		  "walk from the frame to its mappings costs; 0: as recorded, "
		  "else 256" },
	{ .name = "use-zero-pages",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct ksm_config, zero),
	  .fallback = "recorded",
	  .choices = runs,
	  .help = "Pages of zeros become the zero page; recorded: as on the "
		  "trace's host, else no" },
	{ .name = "rate",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct ksm_config, rate),
	  .fallback = "0",
	  .min = 0,
	  .max = 1,
	  .help = "Where no contents were recorded: the part of the pages that "
		  "have equals; of what MADV_MERGEABLE asks for, or of all if "
		  "nothing does" },
	{ .name = "group",
	  .type = OPTION_INT,
	  .offset = offsetof(struct ksm_config, group),
	  .fallback = "2",
	  .min = 2,
	  .max = 1e9,
	  .unit = "pages",
	  .help = "With ksm.rate: so many are equal" },
	{ 0 },
};

static const struct timeline_series series[] = {
	{ "shared", "frames", TIMELINE_GAUGE },
	{ "sharing", "pages", TIMELINE_GAUGE },
	{ "saved", "bytes", TIMELINE_GAUGE },
};

int
ksm_line_open(struct ksm *ksm)
{
	return timeline_open(&ksm->line, series, ARRAY_SIZE(series), 0);
}

void
ksm_tell_time(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;
	struct ksm_merged *now = &ksm->now;

	if (now->sharing + now->zero > ksm->most.sharing + ksm->most.zero)
		ksm->most = *now;
	timeline_set(ksm->line, 0, paging->now, now->shared);
	timeline_set(ksm->line, 1, paging->now, now->sharing);
	timeline_set(ksm->line, 2, paging->now,
		     (now->sharing + now->zero) << PAGE_SHIFT);
}

/* What has left unseen is counted out first. */
static void
settle(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;

	for (size_t i = 0; i < ksm->n; i++) {
		struct ksm_page *page = &ksm->page[i];
		struct mapping mapping = { 0 };

		if (page->node == KSM_NO_NODE)
			continue;
		if (!ksm_mapping(paging, page->key, &mapping))
			mapping.shift = 0;
		ksm_is_merged(paging, page, &mapping);
	}
}

uint64_t
ksm_bytes(struct paging *paging, const struct address_space *space)
{
	uint64_t bytes = 0;

	if (!paging->ksm)
		return 0;
	settle(paging);
	for (size_t i = 0; i < paging->ksm->n; i++)
		if (paging->ksm->page[i].node != KSM_NO_NODE &&
		    paging->ksm->page[i].key >> KSM_SPACE_SHIFT ==
			    space->number)
			bytes += PAGE_BYTES;
	return bytes;
}

bool
ksm_maps(const struct paging *paging, const struct address_space *space,
	 uint64_t address, uint64_t frame)
{
	const struct ksm *ksm = paging->ksm;
	uint64_t key = (uint64_t)space->number << KSM_SPACE_SHIFT |
		       address >> PAGE_SHIFT;
	const uint64_t *known = ksm ? hash_find(&ksm->by_key, key) : NULL;
	uint32_t node = known ? ksm->page[*known].node : KSM_NO_NODE;

	return node != KSM_NO_NODE && ksm->node[node].frame == frame;
}

uint64_t
ksm_saved_bytes(const struct paging *paging)
{
	return paging->ksm
		       ? (paging->ksm->most.sharing + paging->ksm->most.zero)
				 << PAGE_SHIFT
		       : 0;
}

uint64_t
ksm_merged_bytes(const struct paging *paging)
{
	return ksm_saved_bytes(paging) +
	       (paging->ksm ? paging->ksm->most.shared << PAGE_SHIFT : 0);
}

void
ksm_counts(struct paging *paging, struct ksm_counts *counts)
{
	*counts = (struct ksm_counts){ 0 };
	if (!paging->ksm)
		return;
	settle(paging);
	counts->shared = paging->ksm->now.shared;
	counts->sharing = paging->ksm->now.sharing;
	counts->zero = paging->ksm->now.zero;
	counts->rounds = paging->ksm->rounds;
	counts->merge_ns = paging->ksm->merged ? paging->ksm->last_merge_ns -
							 paging->ksm->first_ns
					       : 0;
}

static int
put_absent(const struct paging *paging, struct result *result)
{
	const char *why =
		paging->config.ksm.run == KSM_NO ? "ksm.run is no"
		: !paging->contents
			? "the trace has no contents of pages (record --contents; or ksm.rate)"
			: "the host did not merge (ksm.run=yes does)";
	int error = result_absent(result, "ksm.shared", why);

	if (!error)
		error = result_absent(result, "ksm.sharing", why);
	return error ? error : result_absent(result, "ksm.saved.bytes", why);
}

int
ksm_finish(const struct paging *paging, uint64_t accesses,
	   struct result *result)
{
	const struct ksm *ksm = paging->ksm;
	int error = 0;

	if (!ksm)
		return put_absent(paging, result);
	const struct {
		const char *name, *unit;
		uint64_t value;
	} values[] = {
		{ "ksm.shared", "frames", ksm->most.shared },
		{ "ksm.sharing", "pages", ksm->most.sharing },
		{ "ksm.zero", "pages", ksm->most.zero },
		{ "ksm.saved.bytes", "bytes", ksm_saved_bytes(paging) },
		{ "ksm.merged", "pages", ksm->merged },
		{ "ksm.unmerged", "pages", ksm->unmerged },
		{ "ksm.scanned", "pages", ksm->scanned },
		{ "ksm.skipped", "pages", ksm->skipped },
		{ "ksm.rounds", "rounds", ksm->rounds },
		{ "ksm.sharers.most", "mappings", ksm->sharers_most },
	};

	for (size_t i = 0; !error && i < ARRAY_SIZE(values); i++)
		error = result_count(result, values[i].name, values[i].value,
				     values[i].unit);
	if (!error && ksm->merged && paging->ksm_host.advised &&
	    !paging->config.ksm.scan_pages)
		error = result_absent(result, "ksm.merge.time",
				      "the host's advisor_mode changed "
				      "pages_to_scan as it ran "
				      "(ksm.pages-to-scan sets one)");
	else if (!error && ksm->merged)
		error = result_real(result, "ksm.merge.time",
				    (double)(ksm->last_merge_ns -
					     ksm->first_ns) /
					    1e6,
				    "ms");
	if (!error)
		error = result_real(result, "ksm.cpu.time",
				    (double)ksm->work_ns / 1e6, "ms");
	return error ? error
		     : timeline_finish(ksm->line, accesses, result, "ksm.time",
				       "Merged pages over the run");
}
