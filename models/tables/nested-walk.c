// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks in two dimensions, one by one and many at once; see nested.c. */
#include "models/tables/nested-inside.h"

#include <string.h>

#include "models/memory/numa-copies.h"
#include "models/tables/tables.h"
#include "models/translation/aside.h"

/* The level at which a walk of the host begins, by its caches, one by one. */
static unsigned
ask_host(struct nested *nested, struct aside *aside, uint64_t gpa)
{
	unsigned levels = nested->shared->host->levels;

	for (unsigned level = nested->leaf + 1; level <= levels; level++)
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

	(void)nested_back(nested, gpa);
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

/* The guest's references are read from where its copies are. */
static NOINLINE void
redirect(struct numa_copies *copies, uint64_t *reference, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		reference[i] = numa_copies_read(copies, reference[i]);
}

/* A walk from a level on, whose references the guest made. */
static unsigned
walk_guest(struct nested *nested, struct aside *aside, uint64_t address,
	   const struct table_reference *guest, unsigned n,
	   struct table_reference *references, struct mapping *mapping)
{
	struct list list = { references, 0 };
	unsigned shift = nested->shift;
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
unsigned
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

unsigned
nested_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	struct nested *nested = nested_of(table);
	struct table_reference guest[TABLE_REFERENCES_MAX];
	unsigned n = nested->guest->ops->walk_from(nested->guest, address, from,
						   guest, mapping);
	struct numa_copies *copies = nested->shared->guest_copies;

	for (unsigned i = 0; unlikely(copies != NULL) && i < n; i++)
		redirect(copies, &guest[i].address, 1);
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
		if (nested_back(nested, gpa[done]))
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
unsigned
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
	nested->faults = NESTED_NO_FAULTS;
	if (!table->bits_only)
		look_pages(nested);
	for (unsigned i = 0; i < n; i++) {
		looks->page[i] = page_bits(nested, nested->page[i]) |
				 (table->bits_only ? 0 : page_at(nested, i));
		looks->at[i] = nested->at[i];
	}
	return n;
}

void
nested_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct nested *nested = (const struct nested *)table;

	nested->guest->ops->prefetch(nested->guest, address, n);
}

/* As many of the walks as there is room for, through the guest's table. */
static unsigned
walk_guests(struct nested *nested, struct table_walks *walks)
{
	struct nested_shared *shared = nested->shared;
	unsigned fit = walks->by_level
			       ? NESTED_STEPS / (nested->guest->most + 1)
			       : walks->room / nested->table.most;
	struct table_walks guest = *walks;
	unsigned all;

	guest.looks = (struct table_looks){ nested->page, nested->at };
	guest.n = walks->n < fit ? walks->n : fit;
	guest.made = guest.n;
	guest.room = NESTED_STEPS;
	guest.reference = shared->reference;
	guest.level = shared->level;
	guest.by_level = NULL;
	all = nested->guest->ops->walk_looked(nested->guest, &guest);
	walks->made = guest.made;
	walks->n_first = guest.n_first;
	if (unlikely(shared->guest_copies != NULL))
		redirect(shared->guest_copies, shared->reference, all);
	return all;
}

/* Where is all that is to be translated?  The entries that walks read, of which
 * there are so many, in their order, and then the page of each. */
static void
find_steps(struct nested *nested, const struct table_walks *walks,
	   unsigned entries)
{
	struct nested_shared *shared = nested->shared;
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
	struct nested_shared *shared = nested->shared;
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
	struct nested_shared *shared = nested->shared;
	struct aside *aside = nested->table.aside;
	unsigned levels = shared->host->levels, n, left;
	uint16_t list[NESTED_STEPS];

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
	struct nested_shared *shared = nested->shared;
	struct table_walks walks = {
		.address = shared->gpa,
		.looks = { shared->page, shared->at },
		.from = shared->from,
		.list = shared->list,
		.n = n,
		.room = NESTED_STEPS,
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
put_step(const struct nested_shared *shared, unsigned step, unsigned *read,
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
host_address(const struct nested_shared *shared, unsigned step)
{
	uint64_t page = shared->page[step], mask = offset_mask(page);

	return (page & ~(mask | TABLE_BITS)) | (shared->gpa[step] & mask);
}

/* The numbers of n of the host's walks, where those follow from the level: its
 * pages are all of one size. */
static unsigned
count_levels(struct nested *nested, unsigned n, uint64_t *by_level)
{
	struct nested_shared *shared = nested->shared;
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
	struct nested_shared *shared = nested->shared;
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

unsigned
nested_walk_looked(struct table *table, struct table_walks *walks)
{
	struct nested *nested = nested_of(table);
	struct nested_shared *shared = nested->shared;
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
