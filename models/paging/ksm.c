// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Merging pages of the same content, as ksmd does (mm/ksm.c): each wakeup it
 * looks at scan_pages pages, in the order in which they became known:
 *
 *	content is that of a merged frame with room  -> mapped to it
 *	content is not that of the last look         -> noted; the next round
 *	another page of this round has the content   -> both become one frame
 *	else                                         -> remembered this round
 *
 * So equals merge in their second round: about 2n/scan_pages wakeups.  A frame
 * takes max_sharing mappings, then another one begins, as soon as two want it;
 * a lone page stays as it is.  A page that never merged is skipped more and more
 * often (smart_scan).  A write to a merged page copies it, as after a fork: the
 * frame has an owner more than mappers, so nobody ever writes to it.
 *
 * When it is through: n pages, P a wakeup, need about 2n/P wakeups, each the sleep
 * rounded up to the next tick but one of the kernel's clock, and what looking
 * (scan_ns) and merging (merge_ns) cost; pages that smart_scan skips do not
 * count for P.  ksmd runs at nice 5: where others want its processor it is late,
 * by what nothing in a trace tells; and where the advisor of 6.8 (scan-time)
 * sets P as it goes, there is no one P.
 *
 * Contents come from EVENT_CONTENT, which `record --contents` makes.
 */
#include "models/paging/ksm-inside.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_PAGES  100
#define SLEEP_NS    UINT64_C(20000000)
#define MAX_SHARING 256
#define AGE_MAX	    255
/* XXH3-64 of 4096 zeros */
#define ZERO_CONTENT UINT64_C(0x93d76fe148c689ba)

/* What the host had, while its counters come in; 0: not told */
void
ksm_counter(struct paging *paging, const char *name, uint64_t value)
{
	struct ksm_host *host = &paging->ksm_host;

	if (!strcmp(name, "ksm.run"))
		host->run = value == 1;
	else if (!strcmp(name, "ksm.pages_to_scan"))
		host->scan_pages = value;
	else if (!strcmp(name, "ksm.sleep_millisecs"))
		host->sleep_ns = value * 1000000;
	else if (!strcmp(name, "ksm.max_page_sharing"))
		host->max_sharing = value;
	else if (!strcmp(name, "ksm.use_zero_pages"))
		host->zero = value;
	else if (!strcmp(name, "ksm.smart_scan"))
		host->smart = value;
	else if (!strcmp(name, "ksm.advisor_mode"))
		host->advised = value;
	host->known = true;
}

static bool
runs_at_all(const struct paging *paging)
{
	int run = paging->config.ksm.run;

	return run == KSM_YES || (run == KSM_RECORDED && paging->ksm_host.run);
}

static uint64_t
first_of(uint64_t wanted, uint64_t host, uint64_t usual)
{
	return wanted ? wanted : host ? host : usual;
}

/* 0, or -ENOMEM (said). */
static int
ksm_get(struct paging *paging, uint64_t time_ns)
{
	const struct ksm_host *host = &paging->ksm_host;
	const struct ksm_config *asked = &paging->config.ksm;
	struct ksm *ksm = paging->ksm;

	if (ksm)
		return 0;
	ksm = calloc(1, sizeof(*ksm));
	if (!ksm)
		return paging_no_memory(paging);
	ksm->config = *asked;
	ksm->config.scan_pages =
		first_of(asked->scan_pages, host->scan_pages, SCAN_PAGES);
	ksm->config.sleep_ns =
		first_of(asked->sleep_ns, host->sleep_ns, SLEEP_NS);
	ksm->config.max_sharing =
		(int64_t)first_of((uint64_t)asked->max_sharing,
				  host->max_sharing, MAX_SHARING);
	ksm->zero = asked->zero == KSM_YES ||
		    (asked->zero == KSM_RECORDED && host->zero);
	/* The kernel's default is on. */
	ksm->smart = !host->known || host->smart;
	ksm->period_ns = ksm->config.sleep_ns;
	if (asked->tick_ns)
		ksm->period_ns = (ksm->period_ns + 2 * asked->tick_ns - 1) /
				 asked->tick_ns * asked->tick_ns;
	ksm->free_node = KSM_NO_NODE;
	ksm->time_ns = ksm->first_ns = time_ns;
	paging->ksm = ksm;
	return ksm_line_open(ksm);
}

void
ksm_close(struct ksm *ksm)
{
	if (!ksm)
		return;
	hash_fini(&ksm->by_key);
	hash_fini(&ksm->stable);
	hash_fini(&ksm->unstable);
	timeline_close(ksm->line);
	free(ksm->page);
	free(ksm->node);
	free(ksm);
}

struct address_space *
ksm_space(const struct paging *paging, uint64_t key)
{
	uint64_t number = key >> KSM_SPACE_SHIFT;

	return number < paging->spaces ? paging->space[number] : NULL;
}

uint64_t
ksm_address(uint64_t key)
{
	return (key & ((UINT64_C(1) << KSM_SPACE_SHIFT) - 1)) << PAGE_SHIFT;
}

bool
ksm_mapping(const struct paging *paging, uint64_t key, struct mapping *mapping)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct address_space *space = ksm_space(paging, key);
	uint64_t address = ksm_address(key);

	if (!space || pageset_state(&space->pages, address) < PAGE_FORKED)
		return false;
	paging->table_ops->walk(space->table, address, reference, mapping);
	return mapping->shift == PAGE_SHIFT;
}

/* A page that is not there may come again, or come late: contents are told
 * before the accesses that were buffered meanwhile.  Not in a space that is
 * empty. */
static bool
has_ended(const struct paging *paging, uint64_t key)
{
	const struct address_space *space = ksm_space(paging, key);

	return space && !space->vmas.n;
}

/* should_skip_rmap_item: what never merged is looked at less often. */
static bool
is_skipped(struct ksm *ksm, struct ksm_page *page)
{
	uint8_t age = page->age;

	if (!ksm->smart)
		return false;
	if (page->age != AGE_MAX)
		page->age++;
	if (age < 3)
		return false;
	if (!page->skips) {
		page->skips = (uint8_t)(age <= 3   ? 1
					: age <= 5 ? 2
					: age <= 8 ? 4
						   : 8);
		return false;
	}
	page->skips--;
	ksm->skipped++;
	return true;
}

/* Another page of this round that has the content still, or NULL */
static struct ksm_page *
twin_of(struct paging *paging, const struct ksm_page *page)
{
	struct ksm *ksm = paging->ksm;
	const uint64_t *found = hash_find(&ksm->unstable, page->content);
	struct ksm_page *twin = found ? &ksm->page[*found] : NULL;
	struct mapping mapping;

	return twin && twin != page && twin->content == page->content &&
			       twin->node == KSM_NO_NODE && !twin->gone &&
			       ksm_mapping(paging, twin->key, &mapping)
		       ? twin
		       : NULL;
}

/* cmp_and_merge_page.  0 or -ENOMEM (said). */
static int
look_at(struct paging *paging, struct ksm_page *page)
{
	struct ksm *ksm = paging->ksm;
	struct ksm_page *twin;
	uint32_t node = ksm_node_find(ksm, page->content);

	if (node != KSM_NO_NODE)
		return ksm_join(paging, page, node);
	if (!page->looked || page->checksum != page->content) {
		page->looked = true;
		page->checksum = page->content;
		return 0;
	}
	if (ksm->zero && page->content == ZERO_CONTENT)
		return ksm_merge_zero(paging, page);
	twin = twin_of(paging, page);
	if (twin) {
		hash_remove(&ksm->unstable, page->content);
		return ksm_merge(paging, twin, page);
	}
	return hash_put(&ksm->unstable, page->content,
			(uint64_t)(page - ksm->page)) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

/* The end of a round: what is gone is forgotten, and the unstable contents. */
static int
end_round(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;
	size_t n = 0;

	hash_fini(&ksm->unstable);
	hash_fini(&ksm->by_key);
	for (size_t i = 0; i < ksm->n; i++) {
		if (ksm->page[i].gone)
			continue;
		ksm->page[n] = ksm->page[i];
		if (hash_put(&ksm->by_key, ksm->page[n].key, n) < 0)
			return paging_no_memory(paging);
		n++;
	}
	/* What came behind it has been looked at in this round. */
	ksm->n = n;
	ksm->waiting = n;
	ksm->cursor = 0;
	ksm->rounds++;
	return 0;
}

/* What so many looks and merges took */
static void
work(struct ksm *ksm, uint64_t looks, uint64_t merges)
{
	uint64_t ns = looks * (uint64_t)ksm->config.scan_ns +
		      merges * (uint64_t)ksm->config.merge_ns;

	ksm->work_ns += ns;
	ksm->time_ns += ns;
}

/* Look at the next pages, up to the end of the round. */
static int
wake_up(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;
	uint64_t left = ksm->config.scan_pages, merged = ksm->merged;
	int error = 0;

	while (left && !error && ksm->cursor < ksm->n) {
		struct ksm_page *page = &ksm->page[ksm->cursor++];
		struct mapping mapping = { 0 };

		if (page->gone)
			continue;
		if (!ksm_mapping(paging, page->key, &mapping)) {
			mapping.shift = 0;
			page->gone = has_ended(paging, page->key);
		}
		if (ksm_is_merged(paging, page, &mapping)) {
			left--;
			ksm->scanned++;
			continue;
		}
		if (!mapping.shift || is_skipped(ksm, page))
			continue;
		left--;
		ksm->scanned++;
		error = look_at(paging, page);
	}
	work(ksm, ksm->config.scan_pages - left, ksm->merged - merged);
	if (!error && left)
		error = end_round(paging);
	ksm_tell_time(paging);
	return error;
}

int
ksm_add(struct paging *paging, uint64_t key, uint64_t hash)
{
	struct ksm *ksm = paging->ksm;
	const uint64_t *known = hash_find(&ksm->by_key, key);

	if (known) {
		ksm->page[*known].content = hash;
		return 0;
	}
	if (ksm->n == ksm->room) {
		size_t room = ksm->room ? 2 * ksm->room : 1024;
		struct ksm_page *more =
			reallocarray(ksm->page, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		ksm->page = more;
		ksm->room = room;
	}
	if (hash_put(&ksm->by_key, key, ksm->n) < 0)
		return paging_no_memory(paging);
	ksm->page[ksm->n++] = (struct ksm_page){ .key = key,
						 .content = hash,
						 .node = KSM_NO_NODE };
	return 0;
}

int
ksm_content(struct paging *paging, struct address_space *space,
	    const struct event *event)
{
	struct range range = range_of(event->address, event->length);
	int error;

	paging->contents = true;
	if (!runs_at_all(paging) || space->granule != PAGE_SHIFT)
		return 0;
	error = ksm_get(paging, event->time_ns);
	for (uint64_t at = range.start; !error && at < range.end;
	     at += PAGE_BYTES)
		error = ksm_add(paging,
				(uint64_t)space->number << KSM_SPACE_SHIFT |
					at >> PAGE_SHIFT,
				event->value);
	return error;
}

int
ksm_unmerge(struct paging *paging, struct address_space *space, uint64_t start,
	    uint64_t end)
{
	struct ksm *ksm = paging->ksm;
	int error = 0;

	for (size_t i = 0; ksm && i < ksm->n && !error; i++) {
		struct ksm_page *page = &ksm->page[i];
		uint64_t address = ksm_address(page->key);
		struct mapping mapping;

		if (page->key >> KSM_SPACE_SHIFT != space->number ||
		    address < start || address >= end)
			continue;
		if (ksm_mapping(paging, page->key, &mapping) &&
		    ksm_is_merged(paging, page, &mapping)) {
			error = fault_page(paging, space, address, SITE_STORE,
					   CAUSE_POPULATE);
			ksm->unmerged++;
		}
		if (page->node != KSM_NO_NODE)
			ksm_leave(paging, page);
		page->gone = true;
	}
	return error;
}

/*
 * Were pages told whose accesses are still to come?  A batch is told at its end,
 * contents in between; time stands still until they are there.
 */
static bool
is_early(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;

	while (ksm->waiting < ksm->n) {
		const struct ksm_page *page = &ksm->page[ksm->waiting];
		struct mapping mapping;

		if (!page->gone && page->node == KSM_NO_NODE &&
		    !ksm_mapping(paging, page->key, &mapping) &&
		    !has_ended(paging, page->key))
			return true;
		ksm->waiting++;
	}
	return false;
}

uint64_t
ksm_next(const struct paging *paging)
{
	const struct ksm *ksm = paging->ksm;

	bool rate = paging->config.ksm.rate > 0 && !paging->contents;

	return ksm && (ksm->n || rate) ? ksm->time_ns + ksm->period_ns
				       : UINT64_MAX;
}

int
ksm_run(struct paging *paging, uint64_t time_ns)
{
	if (paging->ksm && is_early(paging))
		return 0;
	return ksm_catch_up(paging, time_ns);
}

int
ksm_catch_up(struct paging *paging, uint64_t time_ns)
{
	struct ksm *ksm = paging->ksm;
	bool rate = paging->config.ksm.rate > 0 && !paging->contents;
	int error = 0;

	/* Made up as it is, what the host did says nothing of it. */
	if (!ksm && rate && paging->config.ksm.run != KSM_NO) {
		error = ksm_get(paging, time_ns);
		ksm = paging->ksm;
	}
	if (error || !ksm)
		return error;
	if (time_ns < ksm->time_ns)
		return 0;
	while (!error && time_ns >= ksm->time_ns + ksm->period_ns) {
		if (rate && !ksm->cursor)
			error = ksm_make_up(paging);
		if (!ksm->n) {
			/* Nothing to look at: it sleeps on */
			ksm->time_ns += (time_ns - ksm->time_ns) /
					ksm->period_ns * ksm->period_ns;
			break;
		}
		ksm->time_ns += ksm->period_ns;
		if (!error)
			error = wake_up(paging);
	}
	return error;
}
