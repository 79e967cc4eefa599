// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which sizes a mapping may have (mm/huge_memory.c, thp_vma_allowable_orders):
 * the options, or what the trace says of its host.
 *
 *	pages.thp      always, madvise, never      who may have what is "inherit"
 *	pages.mthp     64k, 1m=always, 2m=never    the sizes that are on
 */
#include "models/paging/space.h"

#include "analyzer/fail.h"

#include <stdlib.h>
#include <string.h>

/* enum huge_mode */
static const char *const modes[] = { "always", "madvise", "never", "recorded",
				     NULL };

/* enum huge_defrag */
static const char *const defrags[] = { "always",  "defer", "defer+madvise",
				       "madvise", "never", "recorded",
				       NULL };

const struct option_row huge_rows[] = {
	{ .name = "thp",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct huge_config, thp),
	  .fallback = "always",
	  .choices = modes,
	  .help = "With pages.policy=thp: which anonymous memory gets huge "
		  "pages; recorded: as on the trace's host, with its mthp" },
	{ .name = "mthp",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct huge_config, mthp),
	  .fallback = "",
	  .argument = "SIZE[=MODE],...",
	  .help = "Sizes from 16k to 1m that are on, too; as pages.thp says, "
		  "or always, madvise; 2m=never takes the largest away" },
	{ .name = "no-huge-zero",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct huge_config, no_zero),
	  .fallback = "false",
	  .help = "Reads never map the huge zero page" },
	{ .name = "bloat",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct huge_config, bloat),
	  .fallback = "true",
	  .help = "Where large pages may come: look at what of them is "
		  "touched, to say what never is" },
	{ .name = "defrag",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct huge_config, defrag),
	  .fallback = "madvise",
	  .choices = defrags,
	  .help = "Where memory.order=buddy has no free run for a huge page: "
		  "who waits for compaction, or wakes kcompactd; recorded: as "
		  "on the trace's host" },
	{ .name = "look-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct huge_config, look_ns),
	  .fallback = "20",
	  .min = 0,
	  .max = 1e6,
	  .unit = "ns",
	  .help = "What a page costs that compaction looks at" },
	{ .name = "move-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct huge_config, move_ns),
	  .fallback = "3700",
	  .min = 0,
	  .max = 1e6,
	  .unit = "ns",
	  .help = "What a page costs that compaction moves (measured: 420,325 "
		  "pages by compact_memory, 1.64 s)" },
	{ .name = "zero-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct huge_config, zero_ns),
	  .fallback = "320",
	  .min = 0,
	  .max = 1e6,
	  .unit = "ns",
	  .help = "What zeroing 4K of a large page costs" },
	{ .name = "copy-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct huge_config, copy_ns),
	  .fallback = "860",
	  .min = 0,
	  .max = 1e6,
	  .unit = "ns",
	  .help = "What copying 4K into a large page costs" },
	{ 0 },
};

const struct option_row khugepaged_rows[] = {
	{ .name = "scan-pages",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct khugepaged_config, scan_pages),
	  .fallback = "4096",
	  .max = 1e12,
	  .unit = "pages",
	  .help = "With pages.policy=thp: pages that khugepaged scans a "
		  "round; 0: none" },
	{ .name = "sleep",
	  .type = OPTION_TIME,
	  .offset = offsetof(struct khugepaged_config, sleep_ns),
	  .fallback = "10s",
	  .min = 1e3,
	  .max = 1e15,
	  .help = "Time of the trace between its rounds" },
	{ .name = "max-none",
	  .type = OPTION_INT,
	  .offset = offsetof(struct khugepaged_config, max_none),
	  .fallback = "511",
	  .min = 0,
	  .max = 511,
	  .unit = "pages",
	  .help = "Collapse up to so many pages that are not there" },
	{ .name = "max-swap",
	  .type = OPTION_INT,
	  .offset = offsetof(struct khugepaged_config, max_swap),
	  .fallback = "64",
	  .min = 0,
	  .max = 511,
	  .unit = "pages",
	  .help = "Collapse up to so many pages that are in swap" },
	{ .name = "max-shared",
	  .type = OPTION_INT,
	  .offset = offsetof(struct khugepaged_config, max_shared),
	  .fallback = "256",
	  .min = 0,
	  .max = 511,
	  .unit = "pages",
	  .help = "Collapse up to so many pages that fork made shared" },
	{ .name = "no-defrag",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct khugepaged_config, no_defrag),
	  .fallback = "false",
	  .help = "It does not compact memory for them" },
	{ 0 },
};

/* "16k" .. "2m" (or "16kB", "16K" of the kernel's and the trace's words). */
static unsigned
order_of(const char *text, size_t n)
{
	static const char *const sizes[HUGE_ORDERS] = {
		[2] = "16k",  [3] = "32k",  [4] = "64k", [5] = "128k",
		[6] = "256k", [7] = "512k", [8] = "1m",	 [9] = "2m",
	};
	static const char *const kilo[HUGE_ORDERS] = {
		[8] = "1024k", [9] = "2048k"
	};

	for (unsigned i = 2; i < HUGE_ORDERS; i++)
		if ((strlen(sizes[i]) == n &&
		     !strncasecmp(sizes[i], text, n)) ||
		    (kilo[i] && strlen(kilo[i]) == n &&
		     !strncasecmp(kilo[i], text, n)))
			return i;
	return 0;
}

/* Order `order` is on as the mode says. */
static void
set_order(struct huge_orders *orders, unsigned order, enum huge_mode mode)
{
	uint32_t bit = UINT32_C(1) << order;

	orders->always &= ~bit;
	orders->madvise &= ~bit;
	if (mode == HUGE_ALWAYS)
		orders->always |= bit;
	else if (mode == HUGE_MADVISE)
		orders->madvise |= bit;
}

/* One "64k" or "64k=always". */
static bool
parse_size(const char *text, size_t n, enum huge_mode inherit,
	   struct huge_orders *orders)
{
	const char *equals = memchr(text, '=', n);
	size_t length = equals ? (size_t)(equals - text) : n;
	unsigned order = order_of(text, length);

	if (!order)
		return false;
	if (!equals) {
		set_order(orders, order, inherit);
		return true;
	}
	n -= length + 1;
	for (int mode = HUGE_ALWAYS; mode <= HUGE_NEVER; mode++) {
		if (strlen(modes[mode]) == n &&
		    !strncmp(modes[mode], equals + 1, n)) {
			set_order(orders, order, (enum huge_mode)mode);
			return true;
		}
	}
	return false;
}

bool
huge_orders_parse(const char *text, enum huge_mode mode,
		  struct huge_orders *orders)
{
	*orders = (struct huge_orders){ 0 };
	set_order(orders, HUGE_ORDERS - 1, mode);
	while (text && *text) {
		size_t n = strcspn(text, ",");

		if (!parse_size(text, n, mode, orders))
			return false;
		text += n;
		text += *text == ',' && text[1];
		if (*text == ',')
			return false;
	}
	return true;
}

/* "madvise, defrag madvise, 64K always, ..." of the trace's host */
static void
recorded_orders(const struct stream *stream, struct huge_orders *orders)
{
	const json_t *host = json_object_get(stream_about(stream), "host");
	const char *text =
		json_string_value(json_object_get(host, "huge pages"));
	enum huge_mode mode = HUGE_ALWAYS;

	for (int i = HUGE_ALWAYS; text && i <= HUGE_NEVER; i++)
		if (!strncmp(text, modes[i], strlen(modes[i])))
			mode = (enum huge_mode)i;
	if (text && !strncmp(text, "this kernel has none", 20))
		mode = HUGE_NEVER;
	(void)huge_orders_parse("", mode, orders);
	for (; text; text = strstr(text, ", ")) {
		const char *space;
		unsigned order;

		text += text[0] == ',' ? 2 : 0;
		space = strchr(text, ' ');
		order = space ? order_of(text, (size_t)(space - text)) : 0;
		for (int i = HUGE_ALWAYS; order && i <= HUGE_NEVER; i++)
			if (!strncmp(space + 1, modes[i], strlen(modes[i])))
				set_order(orders, order, (enum huge_mode)i);
		if (order && !strncmp(space + 1, "inherit", 7))
			set_order(orders, order, mode);
	}
}

/* ", defrag madvise" of the same */
static int
recorded_defrag(const struct stream *stream)
{
	const json_t *host = json_object_get(stream_about(stream), "host");
	const char *text =
		json_string_value(json_object_get(host, "huge pages"));
	size_t n;

	text = text ? strstr(text, "defrag ") : NULL;
	if (!text)
		return DEFRAG_MADVISE;
	text += strlen("defrag ");
	n = strcspn(text, ", ");
	for (int i = 0; i < DEFRAG_RECORDED; i++)
		if (strlen(defrags[i]) == n && !strncmp(defrags[i], text, n))
			return i;
	return DEFRAG_MADVISE;
}

const char *
huge_config_wrong(const struct huge_config *config, const char **field)
{
	struct huge_orders orders;

	*field = "mthp";
	if (!huge_orders_parse(config->mthp, HUGE_ALWAYS, &orders))
		return "sizes of 16k, 32k, 64k, 128k, 256k, 512k, 1m and 2m, "
		       "each alone or with =always, =madvise or =never, as "
		       "64k,1m=madvise";
	return NULL;
}

int
huge_open(struct paging *paging)
{
	const struct huge_config *config = &paging->config.huge;
	const char *field, *wrong = huge_config_wrong(config, &field);

	if (wrong)
		return fail(EINVAL, "pages.%s=%s: not %s", field, config->mthp,
			    wrong);
	if (config->thp == HUGE_RECORDED)
		recorded_orders(paging->stream, &paging->huge.orders);
	else
		(void)huge_orders_parse(config->mthp,
					(enum huge_mode)config->thp,
					&paging->huge.orders);
	paging->huge.defrag = config->defrag == DEFRAG_RECORDED
				      ? recorded_defrag(paging->stream)
				      : config->defrag;
	paging->huge.watching = paging_wants_watch(paging);
	/* The option's text is the caller's. */
	paging->config.huge.mthp = NULL;
	return 0;
}

bool
paging_sizes_vary(const struct paging *paging)
{
	return paging->config.policy != PAGES_RECORDED &&
	       paging->config.policy != PAGES_4K;
}

uint32_t
huge_allowed(const struct paging *paging, const struct vma *vma)
{
	const struct huge_orders *orders = &paging->huge.orders;

	if (paging->config.policy != PAGES_THP || vma->object != OBJECT_NONE ||
	    vma->flags & (VMA_UNMAPPED | VMA_NOHUGE | MAP_FLAG_HUGETLB))
		return 0;
	return orders->always | (vma->flags & VMA_HUGE ? orders->madvise : 0);
}

/* Are all pages of an aligned range without an entry, in swap or not? */
static bool
is_empty(const struct address_space *space, uint64_t start, uint64_t bytes)
{
	for (uint64_t at = start; at < start + bytes; at += PAGE_BYTES)
		if (pageset_state(&space->pages, at) != PAGE_ABSENT ||
		    swap_has(space, at))
			return false;
	return true;
}

/* The largest order below 2M that the page at the address can be part of (mm/memory.c,
 * alloc_anon_folio); 0: it is a page of its own. */
static unsigned
largest(uint32_t allowed, const struct address_space *space,
	const struct vma *vma, uint64_t address)
{
	for (unsigned order = HUGE_ORDERS - 2; order > 1; order--) {
		uint64_t bytes = PAGE_BYTES << order;
		uint64_t start = address & ~(bytes - 1);

		if (allowed >> order & 1 && start >= vma->start &&
		    start + bytes <= vma->end && is_empty(space, start, bytes))
			return order;
	}
	return 0;
}

bool
huge_has_room(struct paging *paging, const struct address_space *space,
	      const struct vma *vma, enum compact_for who, unsigned shift)
{
	if (!paging->listener.room ||
	    paging->listener.room(paging->listener.context, space->number,
				  shift, compact_waits(paging, vma, who)))
		return true;
	paging->huge.no_room++;
	return false;
}

void
huge_came(struct paging *paging, const struct address_space *space,
	  uint64_t address, unsigned shift, uint64_t frame)
{
	if (paging->listener.came)
		paging->listener.came(paging->listener.context, space->number,
				      address, shift, frame);
}

/* All 2^order pages get their entries: the class; FAULT_CLASSES: memory is too
 * fragmented, or full. */
static int
map_run(struct paging *paging, struct address_space *space, struct vma *vma,
	uint64_t start, unsigned order)
{
	struct mapping mapping = { .shift = PAGE_SHIFT,
				   .writable = vma->flags & MAP_FLAG_WRITE };
	uint64_t frame;
	int error = 0;

	if (!huge_has_room(paging, space, vma, COMPACT_FAULT,
			   PAGE_SHIFT + order) ||
	    compact_take(paging, vma, COMPACT_FAULT, PAGE_SHIFT + order, start,
			 &frame) < 0) {
		paging->huge.fallback[order]++;
		return FAULT_CLASSES;
	}
	vma_prepare(paging, space, vma);
	for (uint64_t at = 0; at < PAGE_BYTES << order && !error;
	     at += PAGE_BYTES) {
		mapping.frame = frame + at;
		error = page_map(paging, space, start + at, &mapping,
				 PAGE_OWNED);
	}
	huge_came(paging, space, start, PAGE_SHIFT + order, frame);
	paging->huge.faulted[order]++;
	paging->untouched_pages = true;
	if (!error)
		error = coverage_bring(paging, space, start,
				       start + (PAGE_BYTES << order));
	return error ? error : FAULT_ANON;
}

int
huge_fault(struct paging *paging, struct address_space *space, struct vma *vma,
	   uint64_t address)
{
	uint32_t allowed = huge_allowed(paging, vma);
	unsigned order = largest(allowed, space, vma, address);

	for (; order > 1; order--) {
		uint64_t start = address & ~((PAGE_BYTES << order) - 1);
		int class;

		if (!(allowed >> order & 1))
			continue;
		class = map_run(paging, space, vma, start, order);
		if (class != FAULT_CLASSES)
			return class;
	}
	return FAULT_CLASSES;
}
