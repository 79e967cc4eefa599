// SPDX-License-Identifier: GPL-2.0-or-later
/* Small caches that a kind of table wants; see aside.h. */
#include "models/translation/aside.h"

#include <assert.h>
#include <stdio.h>

int
aside_add(struct aside *aside, const char *name,
	  const struct tlb_config *config, unsigned shift, bool of_addresses,
	  uint64_t seed)
{
	struct aside_array *array = &aside->array[aside->n];
	int error;

	assert(aside->n < ASIDE_MAX);
	*array = (struct aside_array){ .name = name,
				       .of_addresses = of_addresses,
				       .shift = shift };
	error = tlb_init(&array->tlb, config, NULL, 0, seed + aside->n);
	if (error)
		return error;
	tlb_span(&array->tlb, shift);
	aside->n++;
	return 0;
}

void
aside_fini(struct aside *aside)
{
	while (aside->n)
		tlb_fini(&aside->array[--aside->n].tlb);
}

unsigned
aside_run(struct aside *aside, unsigned i, const uint64_t *address,
	  uint64_t asid, uint16_t *list, unsigned n)
{
	struct aside_array *array = &aside->array[i];
	const struct tlb_uses uses = { .tag = address,
				       .mask = UINT64_MAX << array->shift,
				       .low = TLB_ALWAYS | asid,
				       .stamp = aside->now + 1,
				       .same_size = true };
	unsigned missed;

	if (!array->tlb.entries)
		return n;
	missed = tlb_run(&array->tlb, &uses, list, n);
	aside->now += ASIDE_RUN;
	array->lookups += n;
	array->hits += n - missed;
	return missed;
}

void
aside_flush_asid(struct aside *aside, uint64_t asid)
{
	for (unsigned i = 0; i < aside->n; i++)
		if (aside->array[i].of_addresses)
			tlb_flush_asid(&aside->array[i].tlb, asid);
}

void
aside_invalidate(struct aside *aside, uint64_t asid, uint64_t address,
		 uint64_t length)
{
	for (unsigned i = 0; i < aside->n; i++)
		if (aside->array[i].of_addresses)
			tlb_invalidate(&aside->array[i].tlb, asid, address,
				       length);
}

void
aside_count(struct aside *aside, const struct aside *other)
{
	for (unsigned i = 0; i < aside->n; i++) {
		aside->array[i].lookups += other->array[i].lookups;
		aside->array[i].hits += other->array[i].hits;
	}
}

int
aside_finish(const struct aside *aside, struct result *result)
{
	int error = 0;

	for (unsigned i = 0; !error && i < aside->n; i++) {
		const struct aside_array *array = &aside->array[i];
		char name[64];

		if (!array->tlb.entries)
			continue;
		snprintf(name, sizeof(name), "%s.lookups", array->name);
		error = result_count(result, name, array->lookups, "lookups");
		snprintf(name, sizeof(name), "%s.hits", array->name);
		if (!error)
			error = result_count(result, name, array->hits,
					     "lookups");
	}
	return error;
}
