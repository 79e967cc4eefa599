// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/plain-core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void
array_init(struct plain_array *array, const struct tlb_config *config)
{
	unsigned entries = (unsigned)config->entries;

	array->ways = config->ways ? (unsigned)config->ways : entries;
	array->sets = entries ? entries / array->ways : 0;
	array->sizes = config->sizes;
	array->set = calloc(array->sets + 1, sizeof(*array->set));
	assert(array->set && array->ways <= PLAIN_WAYS);
}

static void
cache_open(struct plain_cache *cache, const struct cache_config *config)
{
	if (!config->size_bytes)
		return;
	cache->ways = (uint64_t)config->ways;
	cache->sets =
		config->size_bytes / (uint64_t)config->line_bytes / cache->ways;
	cache->latency = (unsigned)config->latency;
	while (INT64_C(1) << cache->shift < config->line_bytes)
		cache->shift++;
	cache->line = calloc(cache->sets * cache->ways, sizeof(uint64_t));
	assert(cache->line);
}

void
plain_core_init(struct plain_core *plain, const struct core_config *config,
		const struct hierarchy_config *caches)
{
	memset(plain, 0, sizeof(*plain));
	for (unsigned i = 0; i < 3; i++) {
		array_init(&plain->l1[0][i], &config->tlb[CORE_L1D + i]);
		array_init(&plain->l1[1][i], &config->tlb[CORE_L1I + i]);
	}
	array_init(&plain->l2[0], &config->tlb[CORE_L2]);
	array_init(&plain->l2[1], &config->tlb[CORE_L2_1G]);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		array_init(&plain->pwc[i], &config->pwc[i]);
	cache_open(&plain->cache[0][PLACE_L1], &caches->l1d);
	cache_open(&plain->cache[1][PLACE_L1], &caches->l1i);
	cache_open(&plain->cache[0][PLACE_L2], &caches->l2);
	cache_open(&plain->cache[0][PLACE_L3], &caches->l3);
	plain->memory_latency = (unsigned)caches->memory.latency;
	plain->walks_at = caches->levels.walks < 2
				  ? (unsigned)caches->levels.walks
				  : PLACE_MEMORY;
	plain->data_cached = config->data_cached;
}

void
plain_core_fini(struct plain_core *plain)
{
	for (unsigned i = 0; i < 3; i++) {
		free(plain->l1[0][i].set);
		free(plain->l1[1][i].set);
		free(plain->cache[0][i].line);
		free(plain->cache[1][i].line);
	}
	free(plain->l2[0].set);
	free(plain->l2[1].set);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		free(plain->pwc[i].set);
}

/* True if it was there; the latest now in any case. */
static bool
cache_line(struct plain_cache *cache, uint64_t physical)
{
	uint64_t line = (physical >> cache->shift) + 1; /* 0 is free */
	uint64_t *set = &cache->line[(line - 1) % cache->sets * cache->ways];
	uint64_t way = 0;
	bool there;

	while (way < cache->ways && set[way] != line)
		way++;
	there = way < cache->ways;
	memmove(set + 1, set, (there ? way : cache->ways - 1) * sizeof(*set));
	set[0] = line;
	return there;
}

static enum hierarchy_place
refer(struct plain_core *plain, uint64_t physical, unsigned first, bool fetch,
      unsigned *latency)
{
	for (unsigned i = first; i < PLACE_MEMORY; i++) {
		struct plain_cache *cache =
			&plain->cache[fetch && i == PLACE_L1][i];

		*latency = cache->latency;
		if (cache->sets && cache_line(cache, physical))
			return i;
	}
	*latency = plain->memory_latency;
	return PLACE_MEMORY;
}

/* Take the key out; true if it was there. */
static bool
take(struct plain_array *array, uint32_t space, uint64_t address,
     unsigned shift, bool *readonly)
{
	uint64_t page = address >> shift;
	struct plain_set *set;

	if (!array->sets)
		return false;
	set = &array->set[page % array->sets];
	for (unsigned i = 0; i < set->n; i++)
		if (set->key[i].page == page && set->key[i].shift == shift &&
		    set->key[i].space == space) {
			*readonly = set->key[i].readonly;
			memmove(&set->key[i], &set->key[i + 1],
				(set->n - i - 1) * sizeof(set->key[0]));
			set->n--;
			return true;
		}
	return false;
}

static void
put_front(struct plain_array *array, uint32_t space, uint64_t address,
	  unsigned shift, bool readonly)
{
	uint64_t page = address >> shift;
	struct plain_set *set;

	if (!array->sets)
		return;
	set = &array->set[page % array->sets];
	if (set->n == array->ways)
		set->n--;
	memmove(&set->key[1], &set->key[0], set->n * sizeof(set->key[0]));
	set->key[0].page = page;
	set->key[0].shift = shift;
	set->key[0].space = space;
	set->key[0].readonly = readonly;
	set->n++;
}

/* Ask the arrays of a level: the size found, or 0. */
static unsigned
ask(struct plain_array *arrays, unsigned n, uint32_t space, uint64_t address,
    bool write, bool *readonly)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned code = 0; code < 3; code++) {
			unsigned shift = 12 + 9 * code;

			if (!(arrays[i].sizes >> code & 1) ||
			    !take(&arrays[i], space, address, shift, readonly))
				continue;
			if (*readonly && write)
				continue;
			put_front(&arrays[i], space, address, shift, *readonly);
			return shift;
		}
	return 0;
}

static void
enter(struct plain_array *arrays, unsigned n, uint32_t space, uint64_t address,
      unsigned shift, bool readonly)
{
	for (unsigned code = (shift - 12) / 9 + 1; code--;)
		for (unsigned i = 0; i < n; i++)
			if (arrays[i].sizes >> code & 1 && arrays[i].sets) {
				put_front(&arrays[i], space, address,
					  12 + 9 * code, readonly);
				return;
			}
}

static void
forget(struct plain_array *array, uint32_t space, uint64_t from, uint64_t last)
{
	for (unsigned s = 0; s < array->sets; s++) {
		struct plain_set *set = &array->set[s];
		unsigned kept = 0;

		for (unsigned i = 0; i < set->n; i++) {
			unsigned shift = set->key[i].shift;
			uint64_t first = set->key[i].page << shift;

			if (set->key[i].space == space && first <= last &&
			    first + ((UINT64_C(1) << shift) - 1) >= from)
				continue;
			set->key[kept++] = set->key[i];
		}
		set->n = kept;
	}
}

void
plain_core_invalidate(struct plain_core *plain, uint32_t space, uint64_t from,
		      uint64_t last)
{
	for (unsigned i = 0; i < 3; i++) {
		forget(&plain->l1[0][i], space, from, last);
		forget(&plain->l1[1][i], space, from, last);
	}
	forget(&plain->l2[0], space, from, last);
	forget(&plain->l2[1], space, from, last);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		forget(&plain->pwc[i], space, from, last);
}

/* Of the references of a full walk, how many the walk caches save. */
static unsigned
saved(struct plain_core *plain, const struct table *table, uint32_t space,
      uint64_t address)
{
	bool readonly;

	for (unsigned level = 2; level <= table->levels; level++) {
		unsigned shift = 12 + 9 * (level - 1);

		if (take(&plain->pwc[level - 2], space, address, shift,
			 &readonly)) {
			put_front(&plain->pwc[level - 2], space, address, shift,
				  false);
			return table->levels + 1 - level;
		}
	}
	return 0;
}

/* A walk, filling walk caches and caches; returns its cycles. */
static unsigned
walk(struct plain_core *plain, struct table *table, uint32_t space,
     uint64_t address, struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned n = table->ops->walk(table, address, references, mapping);
	unsigned cycles = 0, first = plain->walks_at;

	for (unsigned i = saved(plain, table, space, address); i < n; i++) {
		unsigned level = references[i].level, latency;

		plain->found[level][refer(plain, references[i].address, first,
					  false, &latency)]++;
		plain->references++;
		cycles += latency;
		if (i + 1 < n && table->levels)
			put_front(&plain->pwc[level - 2], space, address,
				  12 + 9 * (level - 1u), false);
	}
	return cycles;
}

static void
miss(struct plain_core *plain, struct table *table,
     const struct plain_kernel *kernel, uint32_t space, uint64_t address,
     enum site_kind kind)
{
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	unsigned side = kind == SITE_FETCH, cycles;
	struct mapping mapping;

	plain->l2_misses[side]++;
	cycles = walk(plain, table, space, address, &mapping);
	if (!mapping.shift || (write && !mapping.writable)) {
		plain->faults++;
		kernel->fault(kernel->context, space, address, kind);
		cycles = walk(plain, table, space, address, &mapping);
	}
	plain->walks++;
	assert(cycles < PLAIN_LATENCY_MAX);
	plain->latency[cycles]++;
	/* where the first level takes 1G pages whole and the second does not,
	 * pieces that came from there give way to the page */
	for (unsigned i = 0; mapping.shift == 30 && i < 3; i++)
		if (plain->l1[side][0].sizes & 4)
			forget(&plain->l1[side][i], space, address >> 30 << 30,
			       address >> 30 << 30 | ((1 << 30) - 1));
	enter(plain->l2, 2, space, address, mapping.shift, !mapping.writable);
	enter(plain->l1[side], 3, space, address, mapping.shift,
	      !mapping.writable);
}

static void
translate(struct plain_core *plain, struct table *table,
	  const struct plain_kernel *kernel, uint32_t space, uint64_t address,
	  enum site_kind kind)
{
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	unsigned side = kind == SITE_FETCH, shift;
	bool readonly = false;

	if (ask(plain->l1[side], 3, space, address, write, &readonly))
		return;
	plain->l1_misses[side]++;
	shift = ask(plain->l2, 2, space, address, write, &readonly);
	if (!shift) {
		miss(plain, table, kernel, space, address, kind);
		return;
	}
	plain->l2_hits[side]++;
	enter(plain->l1[side], 3, space, address, shift, readonly);
}

void
plain_core_page(struct plain_core *plain, struct table *table,
		const struct plain_kernel *kernel, uint32_t space,
		uint64_t address, uint64_t bytes, enum site_kind kind)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned shift = plain->cache[kind == SITE_FETCH][PLACE_L1].shift;
	struct mapping mapping;
	uint64_t physical, line;
	unsigned latency;

	translate(plain, table, kernel, space, address, kind);
	if (!plain->data_cached)
		return;
	table->ops->walk(table, address, references, &mapping);
	physical = mapping.frame +
		   (address & ((UINT64_C(1) << mapping.shift) - 1));
	for (line = physical >> shift; line <= (physical + bytes - 1) >> shift;
	     line++)
		plain->data_found[refer(plain, line << shift, PLACE_L1,
					kind == SITE_FETCH, &latency)]++;
}
