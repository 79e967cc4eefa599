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
#include "models/tables/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/translation/aside.h"

#define STEPS 4000u /* translations of one call at most; below ASIDE_RUN */

#define NO_FAULTS UINT64_MAX

/* What all the guest's spaces share. */
struct shared {
	struct frames *frames;		   /* owned: the host's memory */
	const struct frames *guest_frames; /* borrowed: the guest's */
	struct table *host;		   /* owned */
	void *host_shared, *guest_shared;
	uint64_t faults; /* it changed so often */
	unsigned users;
	const struct table *first;
	/* scratch, of one call */
	uint64_t gpa[STEPS], page[STEPS], reference[STEPS];
	void *at[STEPS];
	uint64_t guest_page[STEPS]; /* where what the guest reads is */
	void *guest_at[STEPS];
	uint8_t from[STEPS], level[STEPS];
	uint16_t list[STEPS], host_references[STEPS], host_steps[STEPS],
		first_walk[STEPS];
	uint64_t host_reference[STEPS];
	uint8_t host_level[STEPS];
};

struct nested {
	struct table table;
	struct table *guest; /* owned */
	struct shared *shared;
	void **shared_at;
	unsigned code; /* of the host's pages */
	uint64_t page[TABLE_LOOKS_MAX];
	void *at[TABLE_LOOKS_MAX];
	/* where these are, good for so many of the host's faults (NO_FAULTS:
	 * nobody has looked) */
	uint64_t gpa[TABLE_LOOKS_MAX], host_page[TABLE_LOOKS_MAX];
	void *host_at[TABLE_LOOKS_MAX];
	uint64_t faults;
	unsigned n;
};

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

static struct nested *
nested_of(struct table *table)
{
	return (struct nested *)table;
}

/* The host backs this address of the guest's memory.  0, -ENOMEM (said). */
static int
back(struct nested *nested, uint64_t gpa)
{
	struct shared *shared = nested->shared;
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned shift = TLB_SHIFT(nested->code);
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
	return shared->host->ops->map(shared->host, gpa >> shift << shift,
				      &mapping);
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
	uint64_t step = UINT64_C(1) << TLB_SHIFT(nested->code);
	uint64_t end = mapping->frame + (UINT64_C(1) << mapping->shift);
	int error = nested->guest->ops->map(nested->guest, address, mapping);

	/* Below the frames is none: a fork asks for a table alone. */
	for (uint64_t at = mapping->frame;
	     !error && at >= FRAMES_BASE && at < end;
	     at = (at / step + 1) * step)
		error = back(nested, at);
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

/* The level at which a walk of the host begins, by its caches, one by one. */
static unsigned
ask_host(struct nested *nested, struct aside *aside, uint64_t gpa)
{
	unsigned levels = nested->shared->host->levels;

	for (unsigned level = nested->code + 2; level <= levels; level++)
		if (aside && aside_use(aside, NESTED_PDE + level - 2, gpa, 0))
			return level - 1;
	return levels;
}

struct list {
	struct table_reference *reference;
	unsigned n;
};

/* What the host reads for an address of the guest's memory; the host's. */
static uint64_t
translate(struct nested *nested, struct aside *aside, uint64_t gpa,
	  struct list *list)
{
	struct table *host = nested->shared->host;
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	unsigned n;

	(void)back(nested, gpa);
	if (aside && aside_use(aside, NESTED_TLB, gpa, 0)) {
		host->ops->walk(host, gpa, references, &mapping);
	} else {
		n = host->ops->walk_from(host, gpa,
					 ask_host(nested, aside, gpa),
					 references, &mapping);
		for (unsigned i = 0; i < n; i++) {
			references[i].level += TABLE_HOST;
			list->reference[list->n++] = references[i];
		}
	}
	return mapping.frame + (gpa & ((UINT64_C(1) << mapping.shift) - 1));
}

/* A walk from a level on, whose references the guest made. */
static unsigned
walk_guest(struct nested *nested, struct aside *aside, uint64_t address,
	   const struct table_reference *guest, unsigned n,
	   struct table_reference *references, struct mapping *mapping)
{
	struct list list = { references, 0 };
	unsigned shift = TLB_SHIFT(nested->code);
	uint64_t offset;

	for (unsigned i = 0; i < n; i++) {
		uint64_t at = translate(nested, aside, guest[i].address, &list);

		list.reference[list.n++] = (struct table_reference){
			at, guest[i].level & (uint8_t)~TABLE_BESIDE
		};
	}
	if (!mapping->shift)
		return list.n;
	offset = address & ((UINT64_C(1) << mapping->shift) - 1);
	mapping->shift =
		mapping->shift < shift ? mapping->shift : (uint8_t)shift;
	mapping->frame =
		translate(nested, aside, mapping->frame + offset, &list) >>
		mapping->shift << mapping->shift;
	return list.n;
}

/* What the kernel of the guest sees; all that is read without any cache. */
static unsigned
nested_walk(struct table *table, uint64_t address,
	    struct table_reference *references, struct mapping *mapping)
{
	struct nested *nested = nested_of(table);
	struct table_reference guest[TABLE_REFERENCES_MAX];
	unsigned n = nested->guest->ops->walk(nested->guest, address, guest,
					      mapping);
	struct mapping merged = *mapping;

	return walk_guest(nested, NULL, address, guest, n, references, &merged);
}

static unsigned
nested_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	struct nested *nested = nested_of(table);
	struct table_reference guest[TABLE_REFERENCES_MAX];
	unsigned n = nested->guest->ops->walk_from(nested->guest, address, from,
						   guest, mapping);

	return walk_guest(nested, table->aside, address, guest, n, references,
			  mapping);
}

static uint64_t
offset_mask(uint64_t page)
{
	return (UINT64_C(1) << TLB_SHIFT(TABLE_CODE(page))) - 1;
}

/* Look for n addresses of the guest's memory in the host's table.  What is
 * backed first may move what was found before: so all is looked for again. */
static void
look_host(struct nested *nested, const uint64_t *gpa, unsigned n,
	  const struct table_looks *to)
{
	struct table *host = nested->shared->host;
	unsigned done = 0;

	while (done < n) {
		const struct table_looks looks = { to->page + done,
						   to->at + done };
		unsigned most =
			n - done < TABLE_LOOKS_MAX ? n - done : TABLE_LOOKS_MAX;
		unsigned found =
			host->ops->look(host, gpa + done, most, &looks);

		done += found;
		if (found == most)
			continue;
		if (back(nested, gpa[done]))
			return; /* said; what follows is of no use */
		done = 0;
	}
}

/* Where the guest's pages are, which were found. */
static void
look_pages(struct nested *nested)
{
	const struct table_looks looks = { nested->host_page, nested->host_at };

	look_host(nested, nested->gpa, nested->n, &looks);
	nested->faults = nested->shared->faults;
}

/* The smaller page of the two, and what the guest's says of it. */
static ALWAYS_INLINE uint64_t
page_bits(const struct nested *nested, uint64_t page)
{
	uint64_t code = TABLE_CODE(page) < nested->code ? TABLE_CODE(page)
							: nested->code;

	return (page & TABLE_BITS & ~(UINT64_C(3) << TABLE_CODE_SHIFT)) |
	       code << TABLE_CODE_SHIFT;
}

/* Where it begins in the host's memory. */
static ALWAYS_INLINE uint64_t
page_at(const struct nested *nested, unsigned i)
{
	uint64_t host = nested->host_page[i], inside = offset_mask(host);
	uint64_t small = offset_mask(page_bits(nested, nested->page[i]));
	uint64_t at = (host & ~inside) | (nested->gpa[i] & inside);

	return at & ~small;
}

/* Both tables: the guest's pages, then where they are in the host's memory. */
static unsigned
nested_look(struct table *table, const uint64_t *address, unsigned n,
	    const struct table_looks *looks)
{
	struct nested *nested = nested_of(table);
	const struct table_looks guest = { nested->page, nested->at };

	n = nested->guest->ops->look(nested->guest, address, n, &guest);
	for (unsigned i = 0; i < n; i++) {
		uint64_t mask = offset_mask(nested->page[i]);

		nested->gpa[i] = (nested->page[i] & ~(mask | TABLE_BITS)) |
				 (address[i] & mask);
	}
	nested->n = n;
	nested->faults = NO_FAULTS;
	if (!table->bits_only)
		look_pages(nested);
	for (unsigned i = 0; i < n; i++) {
		looks->page[i] = page_bits(nested, nested->page[i]) |
				 (table->bits_only ? 0 : page_at(nested, i));
		looks->at[i] = nested->at[i];
	}
	return n;
}

static void
nested_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct nested *nested = (const struct nested *)table;

	nested->guest->ops->prefetch(nested->guest, address, n);
}

/* As many of the walks as there is room for, through the guest's table. */
static unsigned
walk_guests(struct nested *nested, struct table_walks *walks)
{
	struct shared *shared = nested->shared;
	unsigned fit = walks->by_level ? STEPS / (nested->guest->most + 1)
				       : walks->room / nested->table.most;
	struct table_walks guest = *walks;
	unsigned all;

	guest.looks = (struct table_looks){ nested->page, nested->at };
	guest.n = walks->n < fit ? walks->n : fit;
	guest.made = guest.n;
	guest.room = STEPS;
	guest.reference = shared->reference;
	guest.level = shared->level;
	guest.by_level = NULL;
	all = nested->guest->ops->walk_looked(nested->guest, &guest);
	walks->made = guest.made;
	walks->n_first = guest.n_first;
	return all;
}

/* Where is all that is to be translated?  The entries that walks read, of which
 * there are so many, in their order, and then the page of each. */
static void
find_steps(struct nested *nested, const struct table_walks *walks,
	   unsigned entries)
{
	struct shared *shared = nested->shared;
	const struct table_looks looks = { shared->guest_page,
					   shared->guest_at };
	unsigned steps = 0, read = 0;

	look_host(nested, shared->reference, entries, &looks);
	if (nested->faults != shared->faults)
		look_pages(nested);
	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];

		for (unsigned i = 0; i < walks->references[j]; i++, read++) {
			shared->page[steps] = shared->guest_page[read];
			shared->at[steps++] = shared->guest_at[read];
		}
		shared->page[steps] = nested->host_page[j];
		shared->at[steps++] = nested->host_at[j];
	}
}

/* Their addresses in the guest's memory.  Returns how many. */
static unsigned
list_steps(struct nested *nested, const struct table_walks *walks)
{
	struct shared *shared = nested->shared;
	const uint64_t *reference = shared->reference;
	uint64_t *gpa = shared->gpa;

	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k], n = walks->references[j];

		for (unsigned i = 0; i < n; i++)
			*gpa++ = *reference++;
		*gpa++ = nested->gpa[j];
	}
	return (unsigned)(gpa - shared->gpa);
}

/* From which level does the host walk for each step?  0: it does not.  Those
 * that do, in shared->list. */
static unsigned
ask_all(struct nested *nested, unsigned steps)
{
	struct shared *shared = nested->shared;
	struct aside *aside = nested->table.aside;
	unsigned levels = shared->host->levels, n, left;
	uint16_t list[STEPS];

	for (unsigned i = 0; i < steps; i++)
		shared->list[i] = (uint16_t)i;
	memset(shared->from, 0, steps);
	n = steps;
	if (aside && aside->n)
		n = aside_run(aside, NESTED_TLB, shared->gpa, 0, shared->list,
			      n);
	for (unsigned i = 0; i < n; i++)
		shared->from[shared->list[i]] = (uint8_t)(nested->code + 1);
	memcpy(list, shared->list, n * sizeof(*list));
	left = n;
	for (unsigned level = nested->code + 2; level <= levels; level++) {
		if (aside && aside->n)
			left = aside_run(aside, NESTED_PDE + level - 2,
					 shared->gpa, 0, list, left);
		for (unsigned i = 0; i < left; i++)
			shared->from[list[i]] = (uint8_t)level;
	}
	return n;
}

/* The host's walks of the listed steps; by_level: only their numbers. */
static unsigned
walk_host(struct nested *nested, unsigned n, uint64_t *by_level)
{
	struct shared *shared = nested->shared;
	struct table_walks walks = {
		.address = shared->gpa,
		.looks = { shared->page, shared->at },
		.from = shared->from,
		.list = shared->list,
		.n = n,
		.room = STEPS,
		.reference = shared->host_reference,
		.level = shared->host_level,
		.references = shared->host_references,
		.first = shared->first_walk,
		.by_level = by_level,
		.steps = shared->host_steps,
	};

	unsigned all = shared->host->ops->walk_looked(shared->host, &walks);

	while (by_level && walks.made < walks.n) {
		walks.list += walks.made;
		walks.n -= walks.made;
		all += shared->host->ops->walk_looked(shared->host, &walks);
	}
	return all;
}

/* One step's references, then the entry itself in the host's memory. */
static ALWAYS_INLINE unsigned
put_step(const struct shared *shared, unsigned step, unsigned *read,
	 uint64_t *reference, uint8_t *level)
{
	unsigned n = shared->from[step] ? shared->host_references[step] : 0;

	for (unsigned i = 0; i < n; i++) {
		reference[i] = shared->host_reference[*read];
		level[i] = (uint8_t)(shared->host_level[*read] + TABLE_HOST);
		++*read;
	}
	return n;
}

static ALWAYS_INLINE uint64_t
host_address(const struct shared *shared, unsigned step)
{
	uint64_t page = shared->page[step], mask = offset_mask(page);

	return (page & ~(mask | TABLE_BITS)) | (shared->gpa[step] & mask);
}

/* The numbers of n of the host's walks, where those follow from the level: its
 * pages are all of one size. */
static unsigned
count_levels(struct nested *nested, unsigned n, uint64_t *by_level)
{
	struct shared *shared = nested->shared;
	unsigned all = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned step = shared->list[i], from = shared->from[step];

		shared->host_references[step] = shared->host_steps[step] =
			(uint16_t)(from - nested->code);
		all += from - nested->code;
		for (; from > nested->code; from--)
			by_level[from]++;
	}
	return all;
}

/* What all that comes to, where nobody wants the references. */
static unsigned
count_walks(struct nested *nested, struct table_walks *walks, unsigned entries)
{
	struct shared *shared = nested->shared;
	const struct table_looks looks = { shared->guest_page,
					   shared->guest_at };
	uint64_t by_level[TABLE_HOST] = { 0 };
	unsigned step = 0, all = entries, n_host;

	n_host = ask_all(nested, list_steps(nested, walks));
	if (shared->host->levels) {
		/* which backs what was not */
		look_host(nested, shared->reference, entries, &looks);
		all += count_levels(nested, n_host, by_level);
	} else {
		find_steps(nested, walks, entries);
		all += walk_host(nested, n_host, by_level);
	}
	for (unsigned i = 0; i < entries; i++)
		walks->by_level[shared->level[i] & ~TABLE_BESIDE]++;
	for (unsigned level = 0; level < TABLE_HOST; level++)
		walks->by_level[level + TABLE_HOST] += by_level[level];
	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];
		unsigned end = step + walks->references[j];
		unsigned n = walks->references[j], n_steps = n;

		for (; step <= end; step++) {
			if (!shared->from[step])
				continue;
			n += shared->host_references[step];
			n_steps += shared->host_steps[step];
		}
		walks->references[j] = (uint16_t)n;
		walks->steps[j] = (uint16_t)n_steps;
	}
	return all;
}

static unsigned
nested_walk_looked(struct table *table, struct table_walks *walks)
{
	struct nested *nested = nested_of(table);
	struct shared *shared = nested->shared;
	unsigned all = 0, step = 0, read = 0, guest = 0, steps;
	unsigned entries = walk_guests(nested, walks);

	if (walks->by_level)
		return count_walks(nested, walks, entries);
	find_steps(nested, walks, entries);
	steps = list_steps(nested, walks);
	(void)walk_host(nested, ask_all(nested, steps), NULL);
	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k], n = walks->references[j];
		unsigned before = all;

		for (unsigned i = 0; i < n; i++, step++, guest++) {
			all += put_step(shared, step, &read,
					walks->reference + all,
					walks->level + all);
			walks->reference[all] = host_address(shared, step);
			walks->level[all++] =
				shared->level[guest] & (uint8_t)~TABLE_BESIDE;
		}
		all += put_step(shared, step++, &read, walks->reference + all,
				walks->level + all);
		walks->references[j] = (uint16_t)(all - before);
	}
	return all;
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
	const struct shared *shared = ((const struct nested *)table)->shared;
	struct table_taken host = { 0, 0 };

	if (shared->first != table)
		return;
	table_taken_add(shared->host, &host);
	values[0] += shared->faults;
	values[1] += shared->host->ops->bytes(shared->host);
	values[2] += host.n;
	values[3] += host.bytes;
	values[4] += shared->host->counts.map_writes;
}

static void
shared_close(struct shared *shared)
{
	if (shared->host)
		shared->host->ops->close(shared->host);
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
shared_open(struct shared **out, const struct table_with *with)
{
	const struct nested_config *config = &with->config->nested;
	const struct frames_config memory = { .numa = frames_numa(with->frames),
					      .host = true };
	struct shared *shared = calloc(1, sizeof(*shared));
	struct table_with host = { .config = with->config,
				   .kinds = &with->config->host,
				   .space = UINT32_MAX };
	int error;

	if (!shared)
		return fail(ENOMEM, "nested table: no memory");
	shared->guest_frames = with->frames;
	error = frames_open(&shared->frames, &memory);
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
	struct nested *nested = calloc(1, sizeof(*nested));
	struct table_with guest = *with;
	int error = 0;

	if (!nested)
		return fail(ENOMEM, "nested table: no memory");
	table_init(&nested->table, &nested_table, with);
	nested->code = (unsigned)config->host_pages;
	nested->shared_at = with->shared;
	if (!*with->shared)
		error = shared_open((struct shared **)with->shared, with);
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
	int error = 0;

	aside->beside = true;
	for (unsigned i = 0; !error && i < NESTED_ARRAYS; i++) {
		unsigned shift =
			i == NESTED_TLB
				? TLB_SHIFT((unsigned)config->nested.host_pages)
				: TLB_SHIFT(i);

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
