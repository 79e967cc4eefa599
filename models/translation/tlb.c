// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The array of tlb.h: what happens at misses and invalidations.  Hits are
 * inline in the header.
 */
#include "models/translation/tlb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/translation/replacement.h"

#define TLB_PROBES_MAX 32 /* pages looked up one by one before scanning all */

const char *const tlb_size_choices[] = { "none",  "4k",	      "2m",
					 "4k+2m", "1g",	      "4k+1g",
					 "2m+1g", "4k+2m+1g", NULL };

const struct replacement_ops *
replacement_find(const char *name)
{
	for (size_t i = 0; replacement_registry[i]; i++)
		if (name && !strcmp(replacement_registry[i]->name, name))
			return replacement_registry[i];
	return NULL;
}

static int64_t
ways_of(const struct tlb_config *config)
{
	return !config->ways || config->ways > config->entries ? config->entries
							       : config->ways;
}

int
tlb_config_wrong(const struct tlb_config *config, const char **field,
		 char *text, size_t bytes)
{
	const struct replacement_ops *ops =
		replacement_find(config->replacement);
	int64_t ways = ways_of(config);

	*field = "replacement";
	if (!ops)
		return snprintf(text, bytes,
				"\"%s\"; allowed: lru, fifo, random, plru",
				config->replacement ? config->replacement : "");
	*field = "entries";
	if (config->entries < 0 || config->entries > TLB_ENTRIES_MAX)
		return snprintf(text, bytes, "%" PRId64 "; allowed: 0 to %d",
				config->entries, TLB_ENTRIES_MAX);
	if (!config->entries)
		return 0;
	*field = "ways";
	if (ways < 1 || config->entries % ways)
		return snprintf(text, bytes,
				"%" PRId64 " does not divide %" PRId64
				" entries; allowed: a divisor of it, or 0 "
				"for one set",
				config->ways, config->entries);
	if (ops->power_of_two && (ways & (ways - 1)))
		return snprintf(text, bytes,
				"%" PRId64 "; allowed with %s replacement: a "
				"power of two",
				ways, ops->name);
	return 0;
}

#define CHAIN_END UINT16_MAX

int
tlb_columns_init(struct tlb_columns *columns, size_t n, bool covers)
{
	columns->tag = calloc(n, sizeof(uint64_t));
	columns->stamp = calloc(n, sizeof(uint64_t));
	columns->frame = calloc(n, sizeof(uint64_t));
	columns->cover = covers ? calloc(n, sizeof(uint64_t)) : NULL;
	columns->unit = covers ? calloc(n, sizeof(uint64_t)) : NULL;
	if (!columns->tag || !columns->stamp || !columns->frame ||
	    (covers && (!columns->cover || !columns->unit))) {
		tlb_columns_fini(columns);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		columns->tag[i] = TLB_FREE;
		if (covers)
			columns->cover[i] = UINT64_MAX;
	}
	return 0;
}

void
tlb_columns_fini(struct tlb_columns *columns)
{
	free(columns->tag);
	free(columns->cover);
	free(columns->unit);
	free(columns->stamp);
	free(columns->frame);
	*columns = (struct tlb_columns){ NULL };
}

static void
free_slot(struct tlb *tlb, uint32_t slot)
{
	tlb->column.tag[slot] = TLB_FREE;
	tlb->column.stamp[slot] = 0;
	if (tlb->column.cover)
		tlb->column.cover[slot] = UINT64_MAX;
}

/* Ranks of a set whose ways are all free: any order will do. */
static void
init_ages(struct tlb *tlb)
{
	for (uint32_t i = 0; i < tlb->sets * TLB_SCANNED; i++)
		tlb->age[i] = i % TLB_SCANNED < tlb->ways
				      ? (uint8_t)(i % TLB_SCANNED)
				      : 127;
}

static void
empty(struct tlb *tlb)
{
	if (tlb->head)
		memset(tlb->head, 0xff,
		       sizeof(*tlb->head) << (64 - tlb->hash_shift));
	memset(tlb->bound, 0,
	       (size_t)tlb->sets * tlb->groups * sizeof(*tlb->bound));
	for (uint32_t i = 0; i < tlb->entries; i++)
		free_slot(tlb, i);
	if (tlb->age)
		init_ages(tlb);
	tlb->used = 0;
	memset(tlb->used_by, 0, sizeof(tlb->used_by));
	tlb->used_by[3] = tlb->entries;
	if (tlb->sizes_changed)
		*tlb->sizes_changed = true;
}

static int
init_columns(struct tlb *tlb, const struct tlb_columns *columns, size_t first)
{
	if (!columns) {
		tlb->owns_columns = true;
		return tlb_columns_init(&tlb->column, tlb->entries, false);
	}
	tlb->column = (struct tlb_columns){
		.tag = columns->tag + first,
		.cover = columns->cover + first,
		.unit = columns->unit + first,
		.stamp = columns->stamp + first,
		.frame = columns->frame + first,
	};
	return 0;
}

/* How keys are found: by fingerprints, or by a hash of at least 4 buckets an
 * entry. */
static int
init_index(struct tlb *tlb)
{
	unsigned bits = 6;

	if (tlb->ways <= TLB_SCANNED) {
		tlb->ways_mask = (UINT32_C(1) << tlb->ways) - 1;
		tlb->print = calloc(tlb->sets, TLB_SCANNED);
		if (tlb->owns_columns && tlb->replacement->ranked)
			tlb->age = calloc(tlb->sets, TLB_SCANNED);
		else
			tlb->age = NULL;
		return tlb->print && (tlb->age || !tlb->owns_columns ||
				      !tlb->replacement->ranked)
			       ? 0
			       : -ENOMEM;
	}
	while ((size_t)1 << bits < 4 * (size_t)tlb->entries)
		bits++;
	tlb->hash_shift = 64 - bits;
	tlb->next = calloc(tlb->entries, sizeof(*tlb->next));
	tlb->head = calloc((size_t)1 << bits, sizeof(*tlb->head));
	return tlb->next && tlb->head ? 0 : -ENOMEM;
}

int
tlb_init(struct tlb *tlb, const struct tlb_config *config,
	 const struct tlb_columns *columns, size_t first, uint64_t seed)
{
	*tlb = (struct tlb){ .entries = (uint32_t)config->entries,
			     .latency = (unsigned)config->latency,
			     .replacement =
				     replacement_find(config->replacement),
			     .random = seed * 2 + 1 };
	for (unsigned code = 0; code < TLB_SIZES; code++)
		if (config->sizes >> code & 1) {
			tlb->code[tlb->n_sizes] = (uint8_t)code;
			tlb->shift[tlb->n_sizes++] = (uint8_t)TLB_SHIFT(code);
			tlb->shift_of[code] = (uint8_t)TLB_SHIFT(code);
		}
	if (!tlb->entries)
		return 0;
	tlb->ways = (uint32_t)ways_of(config);
	tlb->sets = tlb->entries / tlb->ways;
	if (!(tlb->sets & (tlb->sets - 1)))
		tlb->set_mask = tlb->sets - 1;
	tlb->groups = (tlb->ways + TLB_GROUP - 1) / TLB_GROUP;
	tlb->filled = calloc(tlb->entries, sizeof(*tlb->filled));
	tlb->bound =
		calloc((size_t)tlb->sets * tlb->groups, sizeof(*tlb->bound));
	if (init_columns(tlb, columns, first) || init_index(tlb) ||
	    !tlb->filled || !tlb->bound) {
		tlb_fini(tlb);
		return -ENOMEM;
	}
	tlb->simple = tlb->print && tlb->replacement->ranked;
	empty(tlb);
	return 0;
}

void
tlb_fini(struct tlb *tlb)
{
	if (tlb->owns_columns)
		tlb_columns_fini(&tlb->column);
	free(tlb->filled);
	free(tlb->bound);
	free(tlb->print);
	free(tlb->age);
	free(tlb->next);
	free(tlb->head);
	*tlb = (struct tlb){ .entries = 0 };
}

void
tlb_span(struct tlb *tlb, unsigned shift)
{
	tlb->n_sizes = 1;
	tlb->code[0] = 0;
	tlb->shift[0] = (uint8_t)shift;
	tlb->shift_of[0] = (uint8_t)shift;
}

uint32_t
tlb_find_hashed(const struct tlb *tlb, uint64_t key)
{
	uint16_t slot;

	if (!tlb->used)
		return TLB_NO_SLOT;
	slot = tlb->head[tlb_hash(tlb, key)];
	while (slot != CHAIN_END && !tlb_matches(tlb, slot, key))
		slot = tlb->next[slot];
	return slot == CHAIN_END ? TLB_NO_SLOT : slot;
}

static uint64_t
key_of(const struct tlb *tlb, uint32_t slot)
{
	return tlb->column.tag[slot] & ~(TLB_ALWAYS | TLB_READONLY);
}

void
tlb_resize(struct tlb *tlb, uint64_t old_tag, uint64_t key)
{
	uint32_t *from = &tlb->used_by[old_tag >> TLB_SIZE_SHIFT & 3];
	uint32_t *to = &tlb->used_by[key >> TLB_SIZE_SHIFT & 3];

	tlb->used += old_tag == TLB_FREE;
	tlb->used -= key == TLB_FREE;
	if (tlb->sizes_changed && (*from == 1 || !*to))
		*tlb->sizes_changed = true;
	--*from;
	++*to;
}

/* The slot's key leaves the index. */
static void
unindex(struct tlb *tlb, uint32_t slot)
{
	uint64_t key = key_of(tlb, slot);
	uint16_t *link;

	if (tlb->print)
		return;
	link = &tlb->head[tlb_hash(tlb, key)];
	while (*link != slot)
		link = &tlb->next[*link];
	*link = tlb->next[slot];
}

static void
set_index(struct tlb *tlb, uint32_t set, uint32_t slot, uint64_t key)
{
	uint16_t *head;

	if (tlb->print) {
		tlb->print[set * TLB_SCANNED + (slot - set * tlb->ways)] =
			tlb_print(key);
		return;
	}
	head = &tlb->head[tlb_hash(tlb, key)];
	tlb->next[slot] = *head;
	*head = (uint16_t)slot;
}

/* A free way of a set that may have one, else whom the policy names. */
static uint32_t
make_room(struct tlb *tlb, uint32_t first)
{
	uint32_t slot;

	if (unlikely(tlb->used < tlb->entries))
		for (uint32_t i = first; i < first + tlb->ways; i++)
			if (tlb->column.tag[i] == TLB_FREE)
				return i;
	slot = tlb->replacement->victim(tlb, first);
	unindex(tlb, slot);
	return slot;
}

uint32_t
tlb_fill_any(struct tlb *tlb, uint64_t key, unsigned shift, uint64_t now)
{
	uint32_t set = tlb_set(tlb, key >> shift);
	uint32_t slot = make_room(tlb, set * tlb->ways);

	tlb_resize(tlb, tlb->column.tag[slot], key);
	set_index(tlb, set, slot, key);
	tlb->filled[slot] = now;
	tlb->column.tag[slot] = key | TLB_ALWAYS;
	tlb->column.stamp[slot] = now;
	if (tlb->column.cover)
		tlb->column.cover[slot] = tlb_cover(shift);
	return slot;
}

/* A dropped way becomes the next to be filled. */
static void
age_last(struct tlb *tlb, uint32_t slot)
{
	uint8_t *age = &tlb->age[slot / tlb->ways * TLB_SCANNED];
	uint8_t was = age[slot % tlb->ways];

	for (uint32_t i = 0; i < tlb->ways; i++)
		age[i] = (uint8_t)(age[i] - (age[i] > was));
	age[slot % tlb->ways] = (uint8_t)(tlb->ways - 1);
}

void
tlb_drop(struct tlb *tlb, uint32_t slot)
{
	unindex(tlb, slot);
	tlb_resize(tlb, tlb->column.tag[slot], TLB_FREE);
	free_slot(tlb, slot);
	if (tlb->age)
		age_last(tlb, slot);
	tlb->bound[(size_t)(slot / tlb->ways) * tlb->groups +
		   slot % tlb->ways / TLB_GROUP] = 0;
}

void
tlb_flush(struct tlb *tlb)
{
	if (tlb->used)
		empty(tlb);
}

void
tlb_flush_asid(struct tlb *tlb, uint64_t asid)
{
	for (uint32_t i = 0; tlb->used && i < tlb->entries; i++)
		if ((tlb->column.tag[i] & TLB_ASID_MASK) == asid)
			tlb_drop(tlb, i);
}

static void
scan_range(struct tlb *tlb, uint64_t asid, uint64_t from, uint64_t last)
{
	for (uint32_t i = 0; tlb->used && i < tlb->entries; i++) {
		uint64_t tag = tlb->column.tag[i];
		unsigned shift = tlb->shift_of[tag >> TLB_SIZE_SHIFT & 3];
		uint64_t first = tag >> shift << shift;
		uint64_t span = UINT64_C(1) << shift;

		if (tag != TLB_FREE && (tag & TLB_ASID_MASK) == asid &&
		    first <= last && first + (span - 1) >= from)
			tlb_drop(tlb, i);
	}
}

void
tlb_invalidate(struct tlb *tlb, uint64_t asid, uint64_t address,
	       uint64_t length)
{
	uint64_t last = address + (length - 1);

	if (!tlb->used || !length)
		return;
	if (last < address)
		last = UINT64_MAX;
	if ((last >> tlb->shift[0]) - (address >> tlb->shift[0]) >=
	    TLB_PROBES_MAX) {
		scan_range(tlb, asid, address, last);
		return;
	}
	for (unsigned i = 0; i < tlb->n_sizes; i++) {
		unsigned shift = tlb->shift[i];

		for (uint64_t page = address >> shift; page <= last >> shift;
		     page++) {
			uint32_t slot = tlb_find(tlb,
						 tlb_key(page << shift, shift,
							 tlb->code[i], asid),
						 shift);

			if (slot != TLB_NO_SLOT)
				tlb_drop(tlb, slot);
		}
	}
}
