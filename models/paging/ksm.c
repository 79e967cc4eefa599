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
 * Contents come from EVENT_CONTENT, which `record --contents` makes.
 */
#include "models/paging/ksm.h"
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_PAGES  100
#define SLEEP_NS    UINT64_C(20000000)
#define MAX_SHARING 256
#define SPACE_SHIFT 36 /* pages of 4K in 48 bits */
#define NO_NODE	    UINT32_MAX
#define AGE_MAX	    255
/* XXH3-64 of 4096 zeros */
#define ZERO_CONTENT UINT64_C(0x93d76fe148c689ba)

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

/* A page whose content is known. */
struct content {
	uint64_t key;	   /* space << SPACE_SHIFT | page's number */
	uint64_t content;  /* hash of what it has */
	uint64_t checksum; /* the same at the last look */
	uint32_t node;	   /* NO_NODE: not merged */
	uint8_t age, skips;
	bool looked, gone;
};

/* A frame that pages are merged into */
struct node {
	uint64_t content, frame; /* frame 0: not in use */
	uint32_t sharers;
	uint32_t next; /* of the same content, or NO_NODE */
};

struct counts {
	uint64_t shared, sharing, zero;
};

struct ksm {
	struct ksm_config config; /* without zeros */
	bool zero, smart;
	struct content *page; /* owned */
	size_t n, room;
	struct hash by_key; /* -> page */
	struct node *node;  /* owned */
	size_t nodes, node_room;
	uint32_t free_node;   /* NO_NODE: none */
	struct hash stable;   /* content -> first node */
	struct hash unstable; /* content -> page, of this round */
	size_t cursor;
	size_t waiting; /* first page that was told before it was touched */
	/* of the next wakeup but for its sleep; of the first content */
	uint64_t time_ns, first_ns, last_merge_ns;
	uint64_t period_ns, work_ns; /* between wakeups; in them, so far */

	struct counts now, most;
	uint64_t rounds, scanned, skipped, merged, unmerged;
	uint64_t made_up; /* contents, by ksm.rate */
	uint32_t sharers_most;
	struct timeline *line; /* owned */
};

static const struct timeline_series series[] = {
	{ "shared", "frames", TIMELINE_GAUGE },
	{ "sharing", "pages", TIMELINE_GAUGE },
	{ "saved", "bytes", TIMELINE_GAUGE },
};

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
	ksm->free_node = NO_NODE;
	ksm->time_ns = ksm->first_ns = time_ns;
	paging->ksm = ksm;
	return timeline_open(&ksm->line, series, ARRAY_SIZE(series), 0);
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

static struct address_space *
space_of(const struct paging *paging, uint64_t key)
{
	uint64_t number = key >> SPACE_SHIFT;

	return number < paging->spaces ? paging->space[number] : NULL;
}

static uint64_t
address_of(uint64_t key)
{
	return (key & ((UINT64_C(1) << SPACE_SHIFT) - 1)) << PAGE_SHIFT;
}

/* What maps the page; false: it has no anonymous 4K page any more. */
static bool
mapping_of(const struct paging *paging, uint64_t key, struct mapping *mapping)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct address_space *space = space_of(paging, key);
	uint64_t address = address_of(key);

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
	const struct address_space *space = space_of(paging, key);

	return space && !space->vmas.n;
}

static void
tell_time(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;
	struct counts *now = &ksm->now;

	if (now->sharing + now->zero > ksm->most.sharing + ksm->most.zero)
		ksm->most = *now;
	timeline_set(ksm->line, 0, paging->now, now->shared);
	timeline_set(ksm->line, 1, paging->now, now->sharing);
	timeline_set(ksm->line, 2, paging->now,
		     (now->sharing + now->zero) << PAGE_SHIFT);
}

/* A frame that nobody maps any more: its content is forgotten. */
static void
node_free(struct paging *paging, uint32_t number)
{
	struct ksm *ksm = paging->ksm;
	struct node *node = &ksm->node[number];
	uint64_t *first = hash_find(&ksm->stable, node->content);
	uint32_t before = first ? (uint32_t)*first : NO_NODE;

	owner_release(paging, PAGE_SHIFT, node->frame);
	if (first && before == number) {
		if (node->next == NO_NODE)
			hash_remove(&ksm->stable, node->content);
		else
			*first = node->next;
	} else {
		while (before != NO_NODE && ksm->node[before].next != number)
			before = ksm->node[before].next;
		if (before != NO_NODE)
			ksm->node[before].next = node->next;
	}
	node->frame = 0;
	node->next = ksm->free_node;
	ksm->free_node = number;
	ksm->now.shared--;
}

/* The page went its own way: it was written, or is gone. */
static void
leave_node(struct paging *paging, struct content *page)
{
	struct ksm *ksm = paging->ksm;
	struct node *node = &ksm->node[page->node];

	if (--node->sharers)
		ksm->now.sharing--;
	else
		node_free(paging, page->node);
	page->node = NO_NODE;
}

/* Is it mapped where it was merged to?  What is not leaves its node. */
static bool
is_merged(struct paging *paging, struct content *page,
	  const struct mapping *mapping)
{
	if (page->node == NO_NODE)
		return false;
	if (mapping->shift &&
	    mapping->frame == paging->ksm->node[page->node].frame)
		return true;
	leave_node(paging, page);
	if (mapping->shift)
		paging->ksm->unmerged++;
	page->looked = false;
	return false;
}

static int
node_new(struct ksm *ksm, uint32_t *number)
{
	if (ksm->free_node != NO_NODE) {
		*number = ksm->free_node;
		ksm->free_node = ksm->node[*number].next;
		return 0;
	}
	if (ksm->nodes == ksm->node_room) {
		size_t room = ksm->node_room ? 2 * ksm->node_room : 64;
		struct node *more =
			reallocarray(ksm->node, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		ksm->node = more;
		ksm->node_room = room;
	}
	*number = (uint32_t)ksm->nodes++;
	return 0;
}

/* Map the page to the node's frame, read-only; its own is given back. */
static int
join_node(struct paging *paging, struct content *page, uint32_t number)
{
	struct ksm *ksm = paging->ksm;
	struct address_space *space = space_of(paging, page->key);
	uint64_t address = address_of(page->key), old;
	struct node *node = &ksm->node[number];
	struct mapping mapping;
	int error;

	mapping_of(paging, page->key, &mapping);
	old = mapping.frame;
	mapping.frame = node->frame;
	mapping.writable = false;
	if (owner_share(paging, PAGE_SHIFT, node->frame) < 0)
		return paging_no_memory(paging);
	error = page_map(paging, space, address, &mapping, PAGE_FORKED);
	if (error)
		return error;
	if (old != node->frame)
		owner_release(paging, PAGE_SHIFT, old);
	else /* it was the frame's owner already */
		owner_release(paging, PAGE_SHIFT, node->frame);
	space_stale(paging, space, address, PAGE_BYTES);
	page->node = number;
	ksm->now.sharing += node->sharers > 0;
	node->sharers++;
	if (ksm->sharers_most < node->sharers)
		ksm->sharers_most = node->sharers;
	ksm->merged++;
	ksm->last_merge_ns = ksm->time_ns;
	return 0;
}

/* The first page's frame becomes one for both. */
static int
merge_two(struct paging *paging, struct content *first, struct content *second)
{
	struct ksm *ksm = paging->ksm;
	const uint64_t *known = hash_find(&ksm->stable, first->content);
	struct mapping mapping;
	uint32_t number;
	int error;

	mapping_of(paging, first->key, &mapping);
	/* The node's own hold on the frame */
	if (node_new(ksm, &number) < 0 ||
	    owner_share(paging, PAGE_SHIFT, mapping.frame) < 0)
		return paging_no_memory(paging);
	ksm->node[number] =
		(struct node){ .content = first->content,
			       .frame = mapping.frame,
			       .next = known ? (uint32_t)*known : NO_NODE };
	if (hash_put(&ksm->stable, first->content, number) < 0)
		return paging_no_memory(paging);
	ksm->now.shared++;
	error = join_node(paging, first, number);
	return error ? error : join_node(paging, second, number);
}

/* A node of this content that has room, or NO_NODE */
static uint32_t
node_find(const struct ksm *ksm, uint64_t content)
{
	const uint64_t *first = hash_find(&ksm->stable, content);
	uint32_t number = first ? (uint32_t)*first : NO_NODE;

	while (number != NO_NODE &&
	       ksm->node[number].sharers >= ksm->config.max_sharing)
		number = ksm->node[number].next;
	return number;
}

/* To the zero page, as a page that was only read */
static int
merge_zero(struct paging *paging, struct content *page)
{
	struct address_space *space = space_of(paging, page->key);
	struct mapping mapping;
	uint64_t old;
	int error;

	mapping_of(paging, page->key, &mapping);
	old = mapping.frame;
	if (!paging->zero_frame &&
	    frames_take(paging->frames, PAGE_SHIFT, &paging->zero_frame) < 0)
		return paging_no_memory(paging);
	mapping.frame = paging->zero_frame;
	mapping.writable = false;
	error = page_map(paging, space, address_of(page->key), &mapping,
			 PAGE_BORROWED);
	if (error)
		return error;
	owner_release(paging, PAGE_SHIFT, old);
	space_stale(paging, space, address_of(page->key), PAGE_BYTES);
	page->gone = true;
	paging->ksm->now.zero++;
	paging->ksm->merged++;
	paging->ksm->last_merge_ns = paging->ksm->time_ns;
	return 0;
}

/* should_skip_rmap_item: what never merged is looked at less often. */
static bool
is_skipped(struct ksm *ksm, struct content *page)
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
static struct content *
twin_of(struct paging *paging, const struct content *page)
{
	struct ksm *ksm = paging->ksm;
	const uint64_t *found = hash_find(&ksm->unstable, page->content);
	struct content *twin = found ? &ksm->page[*found] : NULL;
	struct mapping mapping;

	return twin && twin != page && twin->content == page->content &&
			       twin->node == NO_NODE && !twin->gone &&
			       mapping_of(paging, twin->key, &mapping)
		       ? twin
		       : NULL;
}

/* cmp_and_merge_page.  0 or -ENOMEM (said). */
static int
look_at(struct paging *paging, struct content *page)
{
	struct ksm *ksm = paging->ksm;
	struct content *twin;
	uint32_t node = node_find(ksm, page->content);

	if (node != NO_NODE)
		return join_node(paging, page, node);
	if (!page->looked || page->checksum != page->content) {
		page->looked = true;
		page->checksum = page->content;
		return 0;
	}
	if (ksm->zero && page->content == ZERO_CONTENT)
		return merge_zero(paging, page);
	twin = twin_of(paging, page);
	if (twin) {
		hash_remove(&ksm->unstable, page->content);
		return merge_two(paging, twin, page);
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
		struct content *page = &ksm->page[ksm->cursor++];
		struct mapping mapping = { 0 };

		if (page->gone)
			continue;
		if (!mapping_of(paging, page->key, &mapping)) {
			mapping.shift = 0;
			page->gone = has_ended(paging, page->key);
		}
		if (is_merged(paging, page, &mapping)) {
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
	tell_time(paging);
	return error;
}

static int
content_add(struct paging *paging, uint64_t key, uint64_t hash)
{
	struct ksm *ksm = paging->ksm;
	const uint64_t *known = hash_find(&ksm->by_key, key);

	if (known) {
		ksm->page[*known].content = hash;
		return 0;
	}
	if (ksm->n == ksm->room) {
		size_t room = ksm->room ? 2 * ksm->room : 1024;
		struct content *more =
			reallocarray(ksm->page, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		ksm->page = more;
		ksm->room = room;
	}
	if (hash_put(&ksm->by_key, key, ksm->n) < 0)
		return paging_no_memory(paging);
	ksm->page[ksm->n++] = (struct content){ .key = key,
						.content = hash,
						.node = NO_NODE };
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
		error = content_add(paging,
				    (uint64_t)space->number << SPACE_SHIFT |
					    at >> PAGE_SHIFT,
				    event->value);
	return error;
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* ksm.rate: contents made up for the pages of one VMA */
static int
make_up(struct paging *paging, struct address_space *space,
	const struct vma *vma, uint64_t *seen)
{
	const struct ksm_config *config = &paging->config.ksm;
	uint64_t *group;
	int64_t n = pageset_groups(&space->pages, vma->start, vma->end, &group);
	int error = n < 0 ? paging_no_memory(paging) : 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t bits = pageset_present(&space->pages, group[i],
						vma->start, vma->end);

		for (; bits && !error; bits &= bits - 1) {
			uint64_t at =
				group[i] +
				PAGE_BYTES * (uint64_t)__builtin_ctzll(bits);
			uint64_t key = (uint64_t)space->number << SPACE_SHIFT |
				       at >> PAGE_SHIFT;
			double chance = (double)(mix(key) >> 11) * 0x1p-53;

			if (pageset_state(&space->pages, at) < PAGE_FORKED ||
			    hash_find(&paging->ksm->by_key, key))
				continue;
			error = content_add(paging, key,
					    chance < config->rate
						    ? mix((*seen)++ /
							  (uint64_t)
								  config->group)
						    : mix(key) | 1);
		}
	}
	free(group);
	return error;
}

static int
make_up_all(struct paging *paging)
{
	uint64_t seen = paging->ksm->made_up;
	bool asked = false;
	int error = 0;

	for (size_t s = 0; s < paging->spaces; s++)
		for (size_t i = 0;
		     paging->space[s] && i < paging->space[s]->vmas.n; i++)
			asked |= paging->space[s]->vmas.vma[i].flags &
				 VMA_MERGEABLE;
	for (size_t s = 0; s < paging->spaces && !error; s++) {
		struct address_space *space = paging->space[s];

		for (size_t i = 0; space && !error && i < space->vmas.n; i++) {
			const struct vma *vma = &space->vmas.vma[i];

			if (vma->object == OBJECT_NONE &&
			    !(vma->flags & MAP_FLAG_SHARED) &&
			    (!asked || vma->flags & VMA_MERGEABLE))
				error = make_up(paging, space, vma, &seen);
		}
	}
	paging->ksm->made_up = seen;
	return error;
}

int
ksm_unmerge(struct paging *paging, struct address_space *space, uint64_t start,
	    uint64_t end)
{
	struct ksm *ksm = paging->ksm;
	int error = 0;

	for (size_t i = 0; ksm && i < ksm->n && !error; i++) {
		struct content *page = &ksm->page[i];
		uint64_t address = address_of(page->key);
		struct mapping mapping;

		if (page->key >> SPACE_SHIFT != space->number ||
		    address < start || address >= end)
			continue;
		if (mapping_of(paging, page->key, &mapping) &&
		    is_merged(paging, page, &mapping)) {
			error = fault_page(paging, space, address, SITE_STORE,
					   CAUSE_POPULATE);
			ksm->unmerged++;
		}
		if (page->node != NO_NODE)
			leave_node(paging, page);
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
		const struct content *page = &ksm->page[ksm->waiting];
		struct mapping mapping;

		if (!page->gone && page->node == NO_NODE &&
		    !mapping_of(paging, page->key, &mapping) &&
		    !has_ended(paging, page->key))
			return true;
		ksm->waiting++;
	}
	return false;
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
			error = make_up_all(paging);
		if (!ksm->n) {
			/* Nothing to look at: it sleeps on */
			ksm->time_ns = time_ns;
			break;
		}
		ksm->time_ns += ksm->period_ns;
		if (!error)
			error = wake_up(paging);
	}
	return error;
}

/* What has left unseen is counted out first. */
static void
settle(struct paging *paging)
{
	struct ksm *ksm = paging->ksm;

	for (size_t i = 0; i < ksm->n; i++) {
		struct content *page = &ksm->page[i];
		struct mapping mapping = { 0 };

		if (page->node == NO_NODE)
			continue;
		if (!mapping_of(paging, page->key, &mapping))
			mapping.shift = 0;
		is_merged(paging, page, &mapping);
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
		if (paging->ksm->page[i].node != NO_NODE &&
		    paging->ksm->page[i].key >> SPACE_SHIFT == space->number)
			bytes += PAGE_BYTES;
	return bytes;
}

bool
ksm_maps(const struct paging *paging, const struct address_space *space,
	 uint64_t address, uint64_t frame)
{
	const struct ksm *ksm = paging->ksm;
	uint64_t key =
		(uint64_t)space->number << SPACE_SHIFT | address >> PAGE_SHIFT;
	const uint64_t *known = ksm ? hash_find(&ksm->by_key, key) : NULL;
	uint32_t node = known ? ksm->page[*known].node : NO_NODE;

	return node != NO_NODE && ksm->node[node].frame == frame;
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
	if (!error && ksm->merged)
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
