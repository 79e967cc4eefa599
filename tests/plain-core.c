// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/plain-core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void
array_init(struct plain_array *array, const struct tlb_config *config,
	   unsigned least)
{
	unsigned entries = (unsigned)config->entries;

	array->ways = config->ways ? (unsigned)config->ways : entries;
	array->sets = entries ? entries / array->ways : 0;
	array->sizes = config->sizes;
	array->least = least;
	array->coalesces = config->coalesce > 1;
	array->pages = array->coalesces	    ? (unsigned)config->coalesce
		       : config->sector > 1 ? (unsigned)config->sector
					    : 1;
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
	plain->granule = config->granule ? config->granule : 12;
	for (unsigned i = 0; i < 3; i++) {
		array_init(&plain->l1[0][i], &config->tlb[CORE_L1D + i],
			   plain->granule);
		array_init(&plain->l1[1][i], &config->tlb[CORE_L1I + i],
			   plain->granule);
	}
	array_init(&plain->l2[0], &config->tlb[CORE_L2], plain->granule);
	array_init(&plain->l2[1], &config->tlb[CORE_L2_1G], plain->granule);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		array_init(&plain->pwc[i], &config->pwc[i], plain->granule);
	cache_open(&plain->cache[0][PLACE_L1], &caches->l1d);
	cache_open(&plain->cache[1][PLACE_L1], &caches->l1i);
	cache_open(&plain->cache[0][PLACE_L2], &caches->l2);
	cache_open(&plain->cache[0][PLACE_L3], &caches->l3);
	plain->memory_latency = (unsigned)caches->memory.latency;
	plain->walks_at = caches->levels.walks < 2
				  ? (unsigned)caches->levels.walks
				  : PLACE_MEMORY;
	plain->data_cached = config->data_cached;
	plain->globals = config->asid.global;
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

/* Whose the TLBs say that a page is: global ones are of no space. */
static uint32_t
owner_of(const struct plain_core *plain, uint32_t space, uint64_t address)
{
	return plain->globals && address >> 63 ? UINT32_MAX : space;
}

/* Pages of that size that one entry may have. */
static unsigned
pages_of(const struct plain_array *array, unsigned shift)
{
	return shift == array->least ? array->pages : 1;
}

static struct plain_set *
set_of(const struct plain_array *array, uint64_t address, unsigned shift)
{
	return &array->set[(address >> shift) / pages_of(array, shift) %
			   array->sets];
}

static void
remove_key(struct plain_set *set, unsigned i)
{
	memmove(&set->key[i], &set->key[i + 1],
		(set->n - i - 1) * sizeof(set->key[0]));
	set->n--;
}

static void
push_key(const struct plain_array *array, struct plain_set *set,
	 struct plain_key key)
{
	if (set->n == array->ways)
		set->n--;
	memmove(&set->key[1], &set->key[0], set->n * sizeof(set->key[0]));
	set->key[0] = key;
	set->n++;
}

/* Which key of its set has the page?  -1: none. */
static int
find_key(const struct plain_array *array, uint32_t space, uint64_t address,
	 unsigned shift)
{
	uint64_t page = address >> shift, pages = pages_of(array, shift);
	const struct plain_set *set;

	if (!array->sets)
		return -1;
	set = set_of(array, address, shift);
	for (unsigned i = 0; i < set->n; i++)
		if (set->key[i].page == page / pages &&
		    set->key[i].shift == shift && set->key[i].space == space &&
		    set->key[i].has >> page % pages & 1)
			return (int)i;
	return -1;
}

/* Bring it to the front of its set; true if it was there. */
static bool
use_key(struct plain_array *array, uint32_t space, uint64_t address,
	unsigned shift)
{
	int i = find_key(array, space, address, shift);
	struct plain_key key;
	struct plain_set *set;

	if (i < 0)
		return false;
	set = set_of(array, address, shift);
	key = set->key[i];
	remove_key(set, (unsigned)i);
	push_key(array, set, key);
	return true;
}

/* Which pages of its group come in with this one? */
static uint64_t
row_mask(const struct plain_core *plain, const struct plain_array *array,
	 uint64_t page, unsigned shift)
{
	uint64_t pages = pages_of(array, shift), mask = 0;

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t other = page / pages * pages + i;

		if (other == page ||
		    (array->coalesces && other >= plain->row_first &&
		     other <= plain->row_last))
			mask |= UINT64_C(1) << i;
	}
	return mask;
}

static void
put_front(const struct plain_core *plain, struct plain_array *array,
	  uint32_t space, uint64_t address, unsigned shift, bool readonly)
{
	uint64_t page = address >> shift, pages = pages_of(array, shift);
	struct plain_key key = { page / pages, shift, space, 0, 0 };
	struct plain_set *set;

	if (!array->sets)
		return;
	set = set_of(array, address, shift);
	key.has = row_mask(plain, array, page, shift);
	key.readonly = readonly ? key.has : 0;
	for (unsigned i = set->n; pages > 1 && i--;) {
		struct plain_key *old = &set->key[i];

		if (old->page != key.page || old->shift != shift ||
		    old->space != space)
			continue;
		if (!array->coalesces) {
			key.readonly |= old->readonly & ~key.has;
			key.has |= old->has;
			remove_key(set, i);
		} else if (old->has & key.has) {
			remove_key(set, i);
		}
	}
	push_key(array, set, key);
}

/* A key that may not be written to gives way to the walk for that. */
static void
deny_key(struct plain_array *array, struct plain_set *set, int i, uint64_t page)
{
	uint64_t bit = UINT64_C(1) << page % array->pages;

	if (array->pages > 1 && !array->coalesces &&
	    set->key[i].shift == array->least && set->key[i].has != bit)
		set->key[i].has &= ~bit;
	else
		remove_key(set, (unsigned)i);
}

/* What the key says of the pages in a row with that one. */
static void
set_row(struct plain_core *plain, const struct plain_array *array,
	const struct plain_key *key, uint64_t address)
{
	unsigned least = plain->granule;
	uint64_t number = address >> least;

	plain->row_first = plain->row_last = number;
	if (key->shift > least) {
		plain->row_first = key->page << (key->shift - least);
		plain->row_last = plain->row_first +
				  (UINT64_C(1) << (key->shift - least)) - 1;
	}
	if (key->shift > least || !array->coalesces)
		return;
	for (unsigned i = 64; i--;)
		if (key->has >> i & 1)
			plain->row_first = key->page * array->pages + i;
	for (unsigned i = 0; i < 64; i++)
		if (key->has >> i & 1)
			plain->row_last = key->page * array->pages + i;
}

/* log2 of what an entry covers, so many levels above the last. */
static unsigned
size_of(const struct plain_core *plain, unsigned above)
{
	unsigned shift = plain->granule;

	while (above--)
		shift += plain->granule - 3;
	return shift;
}

/* log2 of a page of this code: of AArch64's granules 2M, and the block. */
static unsigned
page_of(const struct plain_core *plain, unsigned code)
{
	static const unsigned of_16k[] = { 14, 21, 25 },
			      of_64k[] = { 16, 21, 29 };

	if (plain->granule == 14)
		return of_16k[code];
	return plain->granule == 16 ? of_64k[code] : size_of(plain, code);
}

/* Ask the arrays of a level: the size found, or 0. */
static unsigned
ask(struct plain_core *plain, struct plain_array *arrays, unsigned n,
    uint32_t space, uint64_t address, bool write, bool *readonly)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned code = 0; code < 3; code++) {
			unsigned shift = page_of(plain, code);
			uint64_t page = address >> shift;
			struct plain_set *set;
			int k = arrays[i].sizes >> code & 1
					? find_key(&arrays[i], space, address,
						   shift)
					: -1;

			if (k < 0)
				continue;
			set = set_of(&arrays[i], address, shift);
			*readonly = set->key[k].readonly >>
					    page % pages_of(&arrays[i], shift) &
				    1;
			if (*readonly && write) {
				deny_key(&arrays[i], set, k, page);
				continue;
			}
			set_row(plain, &arrays[i], &set->key[k], address);
			use_key(&arrays[i], space, address, shift);
			return shift;
		}
	return 0;
}

static void
enter(struct plain_core *plain, struct plain_array *arrays, unsigned n,
      uint32_t space, uint64_t address, unsigned shift, bool readonly)
{
	for (unsigned code = 3; code--;)
		for (unsigned i = 0; i < n; i++)
			if (page_of(plain, code) <= shift &&
			    arrays[i].sizes >> code & 1 && arrays[i].sets) {
				put_front(plain, &arrays[i], space, address,
					  page_of(plain, code), readonly);
				return;
			}
}

/* What is left of the key when pages [from, last] go: none, if 0. */
static uint64_t
left_of(const struct plain_array *array, const struct plain_key *key,
	uint64_t from, uint64_t last)
{
	unsigned pages = pages_of(array, key->shift);
	uint64_t left = key->has;

	for (unsigned i = 0; i < pages; i++) {
		uint64_t first = (key->page * pages + i) << key->shift;

		if (first <= last &&
		    first + ((UINT64_C(1) << key->shift) - 1) >= from)
			left &= ~(UINT64_C(1) << i);
	}
	return array->coalesces && left != key->has ? 0 : left;
}

static void
forget(struct plain_array *array, uint32_t space, uint64_t from, uint64_t last)
{
	for (unsigned s = 0; s < array->sets; s++) {
		struct plain_set *set = &array->set[s];

		for (unsigned i = set->n; i--;) {
			struct plain_key *key = &set->key[i];

			if (key->space != space)
				continue;
			key->has = left_of(array, key, from, last);
			if (!key->has)
				remove_key(set, i);
		}
	}
}

void
plain_core_invalidate(struct plain_core *plain, uint32_t space, uint64_t from,
		      uint64_t last)
{
	uint32_t owner = owner_of(plain, space, from);

	for (unsigned i = 0; i < 3; i++) {
		forget(&plain->l1[0][i], owner, from, last);
		forget(&plain->l1[1][i], owner, from, last);
	}
	forget(&plain->l2[0], owner, from, last);
	forget(&plain->l2[1], owner, from, last);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		forget(&plain->pwc[i], space, from, last);
}

/* Of the references of a full walk, how many the walk caches save. */
static unsigned
saved(struct plain_core *plain, const struct table *table, uint32_t space,
      uint64_t address)
{
	for (unsigned level = 2; level <= table->levels; level++) {
		unsigned shift = size_of(plain, level - 1);

		if (use_key(&plain->pwc[level - 2], space, address, shift))
			return table->levels + 1 - level;
	}
	return 0;
}

/* A walk, filling walk caches and caches; returns its cycles. */
static unsigned
walk(struct plain_core *plain, struct table *table, uint32_t space,
     uint64_t address, struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	/* from the root, as walk, but leaves the accessed bit */
	unsigned n = table->ops->walk_from(table, address, table->levels,
					   references, mapping);
	unsigned cycles = 0, first = plain->walks_at;

	for (unsigned i = saved(plain, table, space, address); i < n; i++) {
		unsigned level = references[i].level, latency;

		plain->found[level][refer(plain, references[i].address, first,
					  false, &latency)]++;
		plain->references++;
		cycles += latency;
		if (i + 1 < n && table->levels)
			put_front(plain, &plain->pwc[level - 2], space, address,
				  size_of(plain, level - 1u), false);
	}
	return cycles;
}

/* Of the line of entries that the walk ended in, those in a row with its own. */
static void
read_line(struct plain_core *plain, struct table *table, uint64_t address,
	  const struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned least = plain->granule;
	uint64_t number = address >> least;
	bool joins[8];

	plain->row_first = plain->row_last = number;
	if (mapping->shift > least) {
		plain->row_first =
			address >> mapping->shift << (mapping->shift - least);
		plain->row_last = plain->row_first +
				  (UINT64_C(1) << (mapping->shift - least)) - 1;
		return;
	}
	for (unsigned i = 0; i < 8; i++) {
		uint64_t other = number / 8 * 8 + i;
		struct mapping m;

		table->ops->walk(table, other << least, references, &m);
		joins[i] = m.shift == least && m.accessed &&
			   m.writable == mapping->writable &&
			   m.frame - (other << least) ==
				   mapping->frame - (number << least);
	}
	while (plain->row_first % 8 && joins[(plain->row_first - 1) % 8])
		plain->row_first--;
	while (plain->row_last % 8 < 7 && joins[(plain->row_last + 1) % 8])
		plain->row_last++;
}

static void
miss(struct plain_core *plain, struct table *table,
     const struct plain_kernel *kernel, uint32_t space, uint64_t address,
     enum site_kind kind)
{
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	unsigned side = kind == SITE_FETCH, cycles, large = page_of(plain, 2);
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
	for (unsigned i = 0; mapping.shift == large && i < 3; i++)
		if (plain->l1[side][0].sizes & 4)
			forget(&plain->l1[side][i],
			       owner_of(plain, space, address),
			       address >> large << large,
			       address | ((UINT64_C(1) << large) - 1));
	read_line(plain, table, address, &mapping);
	space = owner_of(plain, space, address);
	enter(plain, plain->l2, 2, space, address, mapping.shift,
	      !mapping.writable);
	enter(plain, plain->l1[side], 3, space, address, mapping.shift,
	      !mapping.writable);
}

static void
translate(struct plain_core *plain, struct table *table,
	  const struct plain_kernel *kernel, uint32_t space, uint64_t address,
	  enum site_kind kind)
{
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	unsigned side = kind == SITE_FETCH, shift;
	uint32_t owner = owner_of(plain, space, address);
	bool readonly = false;

	if (ask(plain, plain->l1[side], 3, owner, address, write, &readonly))
		return;
	plain->l1_misses[side]++;
	shift = ask(plain, plain->l2, 2, owner, address, write, &readonly);
	if (!shift) {
		miss(plain, table, kernel, space, address, kind);
		return;
	}
	plain->l2_hits[side]++;
	enter(plain, plain->l1[side], 3, owner, address, shift, readonly);
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
