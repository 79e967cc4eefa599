// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/analysis/bound.h"

#include "analyzer/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12

const struct option_row bound_rows[] = {
	{ .name = "region",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct bound_config, region),
	  .fallback = "",
	  .argument = "all|PC-PC|N..N",
	  .help = "Bound the time that translation takes at most: of the whole "
		  "run, of the accesses of code in [PC, PC) (hexadecimal), or of "
		  "accesses N up to N of the run" },
	{ .name = "fault-cost",
	  .type = OPTION_INT,
	  .offset = offsetof(struct bound_config, fault_cycles),
	  .fallback = "4500",
	  .min = 0,
	  .max = 1e12,
	  .unit = "cycles",
	  .help = "What a page fault costs at most, for memory that is not "
		  "locked" },
	{ 0 },
};

/* A set of page numbers */
struct pages {
	uint64_t *slot; /* owned: number plus 1; 0: empty */
	size_t n, room;
};

struct bound {
	struct bound_config config; /* region: not owned here, and not used */
	struct bound_machine machine;
	uint64_t from, to;
	bool code;
	struct pages all, region; /* page and space */
	uint32_t *set;		  /* owned: pages in each set of the TLB */
	uint64_t sets;
	uint32_t space;
	uint64_t last; /* page that was looked up last, plus 1 */
	bool last_inside;

	uint64_t lookups; /* in the region */
	uint64_t again;	  /* pages of it that may walk once more */
	uint64_t most_in_set;
	uint64_t observed_cycles, observed_walks, observed_misses;
};

bool
bound_region_parse(const char *text, uint64_t *from, uint64_t *to, bool *code)
{
	unsigned long long a, b;
	int n = 0;

	*code = false;
	*from = 0;
	*to = UINT64_MAX;
	if (!strcmp(text, "all"))
		return true;
	if (sscanf(text, "%llu..%llu%n", &a, &b, &n) != 2 || text[n]) {
		n = 0;
		if (sscanf(text, "%llx-%llx%n", &a, &b, &n) != 2 || text[n])
			return false;
		*code = true;
	}
	*from = a;
	*to = b;
	return a < b;
}

static uint64_t *
pages_find(const struct pages *pages, uint64_t page)
{
	size_t i = (size_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 24);

	for (;; i++) {
		uint64_t *slot = &pages->slot[i & (pages->room - 1)];

		if (!*slot || *slot == page + 1)
			return slot;
	}
}

static int
pages_grow(struct pages *pages)
{
	struct pages larger = { .n = 0,
				.room = pages->room ? 2 * pages->room : 1024 };

	larger.slot = calloc(larger.room, sizeof(*larger.slot));
	if (!larger.slot)
		return fail(ENOMEM, "bound: no memory");
	for (size_t i = 0; i < pages->room; i++)
		if (pages->slot[i]) {
			*pages_find(&larger, pages->slot[i] - 1) =
				pages->slot[i];
			larger.n++;
		}
	free(pages->slot);
	*pages = larger;
	return 0;
}

/* 1: it is new, 0: it is there, -ENOMEM (said) */
static int
pages_add(struct pages *pages, uint64_t page)
{
	uint64_t *slot;

	if (2 * pages->n >= pages->room && pages_grow(pages))
		return -ENOMEM;
	slot = pages_find(pages, page);
	if (*slot)
		return 0;
	pages->n++;
	*slot = page + 1;
	return 1;
}

int
bound_open(struct bound **out, const struct bound_config *config,
	   const struct bound_machine *machine)
{
	struct bound *bound = calloc(1, sizeof(*bound));

	if (!bound)
		return fail(ENOMEM, "bound: no memory");
	bound->config = *config;
	bound->machine = *machine;
	bound_region_parse(config->region, &bound->from, &bound->to,
			   &bound->code);
	if (!machine->ways || machine->ways > machine->entries)
		bound->machine.ways = machine->entries;
	bound->sets =
		machine->entries ? machine->entries / bound->machine.ways : 1;
	bound->set = calloc(bound->sets, sizeof(*bound->set));
	if (!bound->set) {
		bound_close(bound);
		return fail(ENOMEM, "bound: no memory");
	}
	*out = bound;
	return 0;
}

void
bound_close(struct bound *bound)
{
	if (!bound)
		return;
	free(bound->all.slot);
	free(bound->region.slot);
	free(bound->set);
	free(bound);
}

static bool
is_inside(const struct bound *bound, uint64_t pc, uint64_t position)
{
	uint64_t at = bound->code ? pc : position;

	return at >= bound->from && at < bound->to;
}

static int
look_up(struct bound *bound, uint64_t page, bool inside)
{
	uint64_t set = page % bound->sets;
	uint64_t key = page | (uint64_t)bound->space << 40;
	int added;

	bound->lookups += inside;
	if (page + 1 == bound->last && inside <= bound->last_inside)
		return 0;
	bound->last = page + 1;
	bound->last_inside = inside;
	added = pages_add(&bound->all, key);
	if (added > 0 && ++bound->set[set] > bound->most_in_set)
		bound->most_in_set = bound->set[set];
	if (added < 0 || !inside)
		return added < 0 ? added : 0;
	added = pages_add(&bound->region, key);
	return added < 0 ? added : 0;
}

int
bound_accesses(struct bound *bound, const struct stream *stream,
	       const struct batch *batch, const struct bound_part *part)
{
	int error = 0;

	/* Who ran meanwhile may have flushed all. */
	if (batch->space != bound->space)
		bound->again += bound->region.n;
	if (batch->space != bound->space)
		bound->last = 0;
	bound->space = batch->space;
	for (uint32_t i = part->from; i < part->to && !error; i++) {
		const struct site *site =
			stream_site(stream, SITE_INDEX(batch->site[i]));
		uint64_t address = batch->address[i];
		uint64_t page = address >> PAGE_SHIFT;
		uint64_t last = (address + (site->size ? site->size - 1 : 0)) >>
				PAGE_SHIFT;
		bool inside = is_inside(bound, site->pc, part->position + i);

		for (; page <= last && !error; page++)
			error = look_up(bound, page, inside);
	}
	return error;
}

void
bound_missed(struct bound *bound, uint64_t pc, uint64_t position, bool walked,
	     uint64_t cycles)
{
	if (!is_inside(bound, pc, position))
		return;
	bound->observed_misses++;
	bound->observed_walks += walked;
	bound->observed_cycles += walked ? cycles : bound->machine.hit_cycles;
}

void
bound_invalidated(struct bound *bound, uint64_t address, uint64_t length)
{
	uint64_t first = address >> PAGE_SHIFT;

	if (length > UINT64_C(64) << PAGE_SHIFT) {
		bound->again += bound->region.n;
		return;
	}
	for (uint64_t page = first;
	     page <= (address + length - 1) >> PAGE_SHIFT; page++)
		if (bound->region.room &&
		    *pages_find(&bound->region,
				page | (uint64_t)bound->space << 40))
			bound->again++;
}

static int
put_bounds(const struct bound *bound, bool large, struct result *result)
{
	const struct bound_machine *machine = &bound->machine;
	/* Large pages have other sets. */
	uint64_t pages = bound->region.n;
	bool fits = large ? bound->all.n <= machine->ways
			  : bound->most_in_set <= machine->ways;
	uint64_t once = pages + bound->again;
	uint64_t walks = fits && once < bound->lookups ? once : bound->lookups;
	uint64_t hits = bound->lookups - walks;
	uint64_t cycles =
		walks * machine->walk_cycles + hits * machine->hit_cycles;
	uint64_t faults = 2 * pages;
	const struct {
		const char *name, *unit;
		uint64_t value;
	} values[] = {
		{ "bound.lookups", "lookups", bound->lookups },
		{ "bound.pages", "pages", pages },
		{ "bound.walks", "walks", walks },
		{ "bound.walk.cycles", "cycles", machine->walk_cycles },
		{ "bound.cycles", "cycles", cycles },
		{ "bound.faults", "faults", faults },
		{ "bound.cycles.unlocked", "cycles",
		  cycles + faults * (uint64_t)bound->config.fault_cycles },
		{ "bound.observed.walks", "walks", bound->observed_walks },
		{ "bound.observed.cycles", "cycles", bound->observed_cycles },
	};
	int error = result_text(result, "bound.fits", fits ? "yes" : "no");

	for (size_t i = 0; !error && i < ARRAY_SIZE(values); i++)
		error = result_count(result, values[i].name, values[i].value,
				     values[i].unit);
	return error;
}

int
bound_finish(const struct bound *bound, bool large, struct result *result)
{
	const char *why = bound->machine.why;

	if (!why && !bound->lookups)
		why = "no access of the run is in bound.region";
	return why ? result_absent(result, "bound.cycles", why)
		   : put_bounds(bound, large, result);
}
