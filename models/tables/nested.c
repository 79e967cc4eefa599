// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nested tables: a guest's table, whose entries and pages have addresses that the
 * host's table translates again.  A walk of a guest of n levels over a host of m
 * reads (n + 1)(m + 1) - 1 entries:
 *
 *	host m .. 1, guest n, host m .. 1, guest n-1, ..., guest 1, host m .. 1
 *
 * (Bhargava et al., "Accelerating two-dimensional page walks", ASPLOS 2008).  The
 * walker's caches of levels hold the guest's: what they skip is not translated.
 * Beside it are a nested TLB, which holds whole translations of the host, and
 * caches of the host's levels.
 *
 * The page that a TLB gets is the smaller of the two.  The host backs the
 * guest's memory when it is first written, by its own pages of one size and from
 * memory of its own; each such page is a fault of the host, beside those of the
 * guest.  It never takes one away.  All the guest's spaces share the host's table.
 */
#include "models/tables/nested-inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/memory/numa-copies.h"
#include "models/tables/tables.h"
#include "models/translation/aside.h"

const char *const nested_names[NESTED_ARRAYS] = { "tlb", "pde", "pdpte",
						  "pml4e", "pml5e" };

static const char *const value_names[NESTED_ARRAYS] = {
	"nested.tlb", "nested.pde", "nested.pdpte", "nested.pml4e",
	"nested.pml5e"
};

const struct option_row nested_tlb_rows[] = {
	TLB_ARRAY_ROWS("32", "4", TLB_ENTRIES_MAX),
	{ NULL },
};
const struct option_row nested_pde_rows[] = {
	TLB_ARRAY_ROWS("16", "4", TLB_ENTRIES_MAX),
	{ NULL },
};
const struct option_row nested_upper_rows[] = {
	TLB_ARRAY_ROWS("4", "0", TLB_ENTRIES_MAX),
	{ NULL },
};

static const char *const size_choices[] = { "4k", "2m", "1g", NULL };

const struct option_row nested_rows[] = {
	{ .name = "guest",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct nested_config, guest),
	  .fallback = "radix",
	  .argument = "KIND",
	  .help = "kind of the guest's table, configured by table.*" },
	{ .name = "host",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct nested_config, host),
	  .fallback = "radix",
	  .argument = "KIND",
	  .help = "kind of the host's table, configured by table.host.*" },
	{ .name = "host-pages",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct nested_config, host_pages),
	  .fallback = "4k",
	  .choices = size_choices,
	  .help = "page size by which the host backs the guest's memory" },
	{ NULL },
};

static const struct table_value nested_values[] = {
	{ "nested.host.faults", "faults" },
	{ "nested.host.bytes", "bytes" },
	{ "nested.host.frames", "frames" },
	{ "nested.host.frames.bytes", "bytes" },
	{ "nested.host.writes", "entries" },
	{ NULL, NULL },
};

int
nested_back(struct nested *nested, uint64_t gpa)
{
	struct nested_shared *shared = nested->shared;
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned shift = nested->shift;
	struct mapping mapping;
	int error;

	shared->host->ops->walk(shared->host, gpa, references, &mapping);
	if (mapping.shift)
		return 0;
	mapping = (struct mapping){ .shift = (uint8_t)shift, .writable = true };
	error = frames_take_behind(shared->frames, shared->guest_frames, shift,
				   gpa, &mapping.frame);
	if (error)
		return fail(ENOMEM, "nested table: no memory of the host");
	shared->faults++;
	error = shared->host->ops->map(shared->host, gpa >> shift << shift,
				       &mapping);
	if (unlikely(shared->copies))
		numa_copies_written(shared->copies,
				    shared->host->counts.map_writes);
	return error;
}

static void
keep_counts(struct nested *nested)
{
	nested->table.counts = nested->guest->counts;
}

static int
nested_map(struct table *table, uint64_t address, const struct mapping *mapping)
{
	struct nested *nested = nested_of(table);
	uint64_t step = UINT64_C(1) << nested->shift;
	uint64_t end = mapping->frame + (UINT64_C(1) << mapping->shift);
	int error = nested->guest->ops->map(nested->guest, address, mapping);

	/* Below the frames is none: a fork asks for a table alone. */
	for (uint64_t at = mapping->frame;
	     !error && at >= FRAMES_BASE && at < end;
	     at = (at / step + 1) * step)
		error = nested_back(nested, at);
	keep_counts(nested);
	return error;
}

static void
nested_unmap(struct table *table, uint64_t address, uint64_t length,
	     bool free_tables,
	     void (*gone)(void *context, uint64_t address,
			  const struct mapping *mapping),
	     void *context)
{
	struct nested *nested = nested_of(table);

	nested->guest->ops->unmap(nested->guest, address, length, free_tables,
				  gone, context);
	keep_counts(nested);
}

static uint64_t
nested_bytes(const struct table *table)
{
	const struct nested *nested = (const struct nested *)table;

	return nested->guest->ops->bytes(nested->guest);
}

/* The guest's: the host's are values of their own. */
static void
nested_taken(const struct table *table, struct table_taken *sum)
{
	table_taken_add(((const struct nested *)table)->guest, sum);
}

static void
nested_count(const struct table *table, uint64_t *values)
{
	const struct nested_shared *shared =
		((const struct nested *)table)->shared;
	struct table_taken host = { 0, 0 };

	if (shared->first != table)
		return;
	table_taken_add(shared->host, &host);
	values[0] += shared->faults;
	values[1] += shared->host->ops->bytes(shared->host);
	values[2] += host.n * frames_table_copies(shared->frames);
	values[3] += host.bytes * frames_table_copies(shared->frames);
	values[4] += shared->host->counts.map_writes;
}

static void
shared_close(struct nested_shared *shared)
{
	if (shared->host)
		shared->host->ops->close(shared->host);
	frames_stand_on(shared->guest_frames, NULL);
	frames_close(shared->frames);
	free(shared);
}

static void
nested_close(struct table *table)
{
	struct nested *nested = nested_of(table);

	if (!table)
		return;
	nested->guest->ops->close(nested->guest);
	if (!--nested->shared->users) {
		shared_close(nested->shared);
		*nested->shared_at = NULL;
	}
	free(nested);
}

static int
shared_open(struct nested_shared **out, const struct table_with *with)
{
	const struct nested_config *config = &with->config->nested;
	const struct frames_config memory = {
		.numa = frames_numa(with->frames),
		.host = true,
		.palette.page = tables_granule(with->config),
	};
	struct nested_shared *shared = calloc(1, sizeof(*shared));
	struct table_with host = { .config = with->config,
				   .kinds = &with->config->host,
				   .space = UINT32_MAX };
	int error;

	if (!shared)
		return fail(ENOMEM, "nested table: no memory");
	shared->guest_frames = with->frames;
	error = frames_open(&shared->frames, &memory);
	if (!error) {
		frames_stand_on(shared->guest_frames, shared->frames);
		shared->copies = frames_copies(shared->frames);
		shared->guest_copies = frames_copies(shared->guest_frames);
	}
	host.frames = shared->frames;
	host.shared = &shared->host_shared;
	if (!error)
		error = config->host_ops->open(&shared->host, &host);
	if (error) {
		shared_close(shared);
		return error;
	}
	*out = shared;
	return 0;
}

static int
nested_open(struct table **out, const struct table_with *with)
{
	const struct nested_config *config = &with->config->nested;
	const unsigned granule = tables_granule(with->config);
	struct nested *nested = calloc(1, sizeof(*nested));
	struct table_with guest = *with;
	int error = 0;

	if (!nested)
		return fail(ENOMEM, "nested table: no memory");
	table_init(&nested->table, &nested_table, with);
	nested->code = (unsigned)config->host_pages;
	nested->shift = tlb_page_shift(granule, nested->code);
	nested->leaf = granule == 12 ? nested->code + 1 : 1 + nested->code / 2;
	nested->shared_at = with->shared;
	if (!*with->shared)
		error = shared_open((struct nested_shared **)with->shared,
				    with);
	nested->shared = *with->shared;
	if (!error) {
		guest.shared = &nested->shared->guest_shared;
		error = config->guest_ops->open(&nested->guest, &guest);
	}
	if (error) {
		if (nested->shared && !nested->shared->users) {
			shared_close(nested->shared);
			*with->shared = NULL;
		}
		free(nested);
		return error;
	}
	if (!nested->shared->users++)
		nested->shared->first = &nested->table;
	nested->table.levels = nested->guest->levels;
	nested->table.most =
		tables_product(nested->guest->most, nested->shared->host->most);
	nested->table.apart = true;
	*out = &nested->table;
	return 0;
}

static int
nested_aside_open(struct aside *aside, const struct table_with *with,
		  uint64_t seed)
{
	const struct tables_config *config = with->config;
	const unsigned granule = tables_granule(config);
	const unsigned code = (unsigned)config->nested.host_pages;
	int error = 0;

	aside->beside = true;
	for (unsigned i = 0; !error && i < NESTED_ARRAYS; i++) {
		unsigned shift = i == NESTED_TLB
					 ? tlb_page_shift(granule, code)
					 : TLB_GRANULE_SHIFT(granule, i);

		error = aside_add(aside, value_names[i],
				  &config->nested_array[i], shift, false, seed);
		if (!error)
			aside->array[aside->n - 1].level =
				i == NESTED_TLB ? 0 : i + 1;
	}
	return error;
}

/* Of another table's part: a kind that may be one. */
int
tables_part_wrong(const char *name, char *text, size_t bytes)
{
	const struct table_ops *ops = name ? table_find(name) : NULL;
	bool whole = ops == &nested_table || ops == &shadow_table;
	int n;

	if (ops && !whole && ops != &inverted_table)
		return 0;
	n = snprintf(text, bytes, "\"%s\"%s; allowed:", name ? name : "",
		     whole ? " would nest without an end" : "");
	for (size_t i = 0; table_registry[i]; i++)
		if (table_registry[i] != &nested_table &&
		    table_registry[i] != &shadow_table &&
		    table_registry[i] != &inverted_table && n < (int)bytes)
			n += snprintf(text + n, bytes - (size_t)n, " %s",
				      table_registry[i]->name);
	return n;
}

static unsigned
most_of(const struct table_ops *ops, const struct kinds_config *kinds)
{
	return ops->most ? ops->most(kinds) : TABLE_LEVELS_MAX;
}

/* A field of the host's kind, by the name that it has there. */
const char *
tables_host_field(const char *field)
{
	static const char *const names[] = {
		"host.hashed.pages", "host.hashed.entries", "host.hashed.load",
		"host.cuckoo.pages", "host.cuckoo.entries",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i] + strlen("host."), field))
			return names[i];
	return field;
}

static int
nested_wrong(const struct tables_config *config,
	     const struct kinds_config *kinds, const char **field, char *text,
	     size_t bytes)
{
	const struct nested_config *c = &config->nested;
	const struct table_ops *guest, *host;
	unsigned most;
	int n;

	*field = "nested.guest";
	n = tables_part_wrong(c->guest, text, bytes);
	if (n)
		return n;
	*field = "nested.host";
	n = tables_part_wrong(c->host, text, bytes);
	if (n)
		return n;
	guest = table_find(c->guest);
	host = table_find(c->host);
	n = guest->wrong ? guest->wrong(config, kinds, field, text, bytes) : 0;
	if (n)
		return n;
	n = host->wrong ? host->wrong(config, &config->host, field, text, bytes)
			: 0;
	if (n) {
		*field = tables_host_field(*field);
		return n;
	}
	most = tables_product(most_of(guest, kinds),
			      most_of(host, &config->host));
	*field = "nested.guest";
	return most <= TABLE_REFERENCES_MAX
		       ? 0
		       : snprintf(text, bytes,
				  "a walk of %s over %s may read %u entries; "
				  "allowed: up to %u (lower "
				  "table.hashed.probes, "
				  "table.host.hashed.probes)",
				  c->guest, c->host, most,
				  (unsigned)TABLE_REFERENCES_MAX);
}

const struct table_ops nested_table = {
	.name = "nested",
	.help = "a guest's table over a host's, of any two kinds: walks in two "
		"dimensions",
	.open = nested_open,
	.close = nested_close,
	.walk = nested_walk,
	.walk_from = nested_walk_from,
	.look = nested_look,
	.walk_looked = nested_walk_looked,
	.prefetch = nested_prefetch,
	.map = nested_map,
	.unmap = nested_unmap,
	.bytes = nested_bytes,
	.taken = nested_taken,
	.values = nested_values,
	.count = nested_count,
	.aside_open = nested_aside_open,
	.wrong = nested_wrong,
};
