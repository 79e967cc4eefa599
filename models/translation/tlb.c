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

#include "analyzer/vectors.h"
#include "models/translation/replacement.h"
#include "models/translation/tlb-group.h"

#define TLB_PROBES_MAX 32 /* pages looked up one by one before scanning all */
#define LOG_ROOM       1024
#define BEHIND	       8 /* rows are read and written by whole vectors */
#define HOST_LINE      64

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

static int
unknown_policy(const char *name, char *text, size_t bytes)
{
	int n = snprintf(text, bytes, "\"%s\"; allowed", name ? name : "");

	for (size_t i = 0; replacement_registry[i] && n < (int)bytes; i++)
		n += snprintf(text + n, bytes - (size_t)n, "%s %s",
			      i ? "," : ":", replacement_registry[i]->name);
	return n;
}

static bool
is_power(int64_t n)
{
	return !(n & (n - 1));
}

static int
group_wrong(const struct tlb_config *config, const char **field, char *text,
	    size_t bytes)
{
	bool sector = is_power(config->sector);
	int64_t pages = sector ? config->coalesce : config->sector;

	*field = sector ? "coalesce" : "sector";
	if (!is_power(pages))
		return snprintf(text, bytes,
				"%" PRId64 "; allowed: 1 to %d, powers of two",
				pages,
				sector ? TLB_COALESCE_MAX : TLB_SECTOR_MAX);
	if (config->sector > 1 && config->coalesce > 1)
		return snprintf(text, bytes,
				"%" PRId64 "; allowed with sector = %" PRId64
				": 1",
				config->coalesce, config->sector);
	return 0;
}

/* The greatest divisor of `entries` up to `ways`, for a message */
static int64_t
next_divisor(int64_t entries, int64_t ways)
{
	int64_t n = ways < 1 ? 1 : ways > entries ? entries : ways;

	while (entries % n)
		n--;
	return n;
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
		return unknown_policy(config->replacement, text, bytes);
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
				" entries; allowed: a divisor of it (%" PRId64
				" is next), or 0 for one set",
				config->ways, config->entries,
				next_divisor(config->entries, ways));
	if (ops->power_of_two && !is_power(ways))
		return snprintf(text, bytes,
				"%" PRId64 "; allowed with %s replacement: a "
				"power of two",
				ways, ops->name);
	return group_wrong(config, field, text, bytes);
}

#define CHAIN_END UINT16_MAX

/* A column of rows: those of 4 or 8 ways lie in one line of the host's cache.
 * NULL: no memory. */
static uint64_t *
column_open(size_t n)
{
	size_t bytes = (n + BEHIND) * sizeof(uint64_t);
	void *column;

	if (posix_memalign(&column, HOST_LINE, bytes))
		return NULL;
	return memset(column, 0, bytes);
}

int
tlb_columns_init(struct tlb_columns *columns, size_t n, bool covers)
{
	columns->tag = column_open(n);
	columns->stamp = calloc(n, sizeof(uint64_t));
	columns->frame = column_open(n);
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
	tlb->log.head = tlb->log.n = 0;
	if (tlb->group)
		memset(tlb->group, 0, tlb->entries * sizeof(*tlb->group));
	tlb->used = 0;
	tlb->bytes = 0;
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

static int
init_log(struct tlb *tlb)
{
	tlb->log.room = 2 * tlb->entries + LOG_ROOM;
	tlb->log.use = calloc(tlb->log.room, sizeof(*tlb->log.use));
	return tlb->log.use ? 0 : -ENOMEM;
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
		return tlb->print ? 0 : -ENOMEM;
	}
	if (tlb->sets == 1 && tlb->replacement->ranked && init_log(tlb))
		return -ENOMEM;
	while ((size_t)1 << bits < 4 * (size_t)tlb->entries)
		bits++;
	tlb->hash_shift = 64 - bits;
	tlb->next = calloc(tlb->entries, sizeof(*tlb->next));
	tlb->head = calloc((size_t)1 << bits, sizeof(*tlb->head));
	return tlb->next && tlb->head ? 0 : -ENOMEM;
}

static int
init_policy(struct tlb *tlb)
{
	tlb->filled = calloc(tlb->entries, sizeof(*tlb->filled));
	if (tlb->replacement->ranked)
		return tlb->filled ? 0 : -ENOMEM;
	tlb->of_set = calloc(tlb->sets, sizeof(*tlb->of_set));
	tlb->state = calloc(tlb->entries, sizeof(*tlb->state));
	return tlb->filled && tlb->of_set && tlb->state ? 0 : -ENOMEM;
}

int
tlb_init(struct tlb *tlb, const struct tlb_config *config,
	 const struct tlb_columns *columns, size_t first, uint64_t seed)
{
	unsigned granule = config->granule ? config->granule : TLB_SHIFT(0);
	unsigned shift;

	*tlb = (struct tlb){ .entries = (uint32_t)config->entries,
			     .latency = (unsigned)config->latency,
			     .replacement =
				     replacement_find(config->replacement),
			     .random = seed * 2 + 1 };
	for (unsigned code = 0; code < TLB_SIZES; code++)
		if (config->sizes >> code & 1) {
			shift = tlb_page_shift(granule, code);
			tlb->code[tlb->n_sizes] = (uint8_t)code;
			tlb->shift[tlb->n_sizes++] = (uint8_t)shift;
			tlb->shift_of[code] = (uint8_t)shift;
			tlb->cover_of[code] = tlb_cover(shift);
		}
	if (!tlb->entries)
		return 0;
	tlb->ways = (uint32_t)ways_of(config);
	tlb->sets = tlb->entries / tlb->ways;
	if (!(tlb->sets & (tlb->sets - 1)))
		tlb->set_mask = tlb->sets - 1;
	tlb->groups = (tlb->ways + TLB_GROUP - 1) / TLB_GROUP;
	tlb->bound =
		calloc((size_t)tlb->sets * tlb->groups, sizeof(*tlb->bound));
	if (init_columns(tlb, columns, first) || init_index(tlb) ||
	    init_policy(tlb) || !tlb->bound) {
		tlb_fini(tlb);
		return -ENOMEM;
	}
	tlb->simple = tlb->print && tlb->replacement->ranked;
	if (config->sector > 1 || config->coalesce > 1) {
		if (tlb_group_init(tlb, config)) {
			tlb_fini(tlb);
			return -ENOMEM;
		}
	}
	tlb->vectors = vectors_at_hand();
	tlb->short_vectors = short_vectors_at_hand();
	if (tlb->owns_columns && !tlb->group)
		tlb_rank(tlb);
	empty(tlb);
	return 0;
}

void
tlb_fini(struct tlb *tlb)
{
	if (tlb->owns_columns)
		tlb_columns_fini(&tlb->column);
	free(tlb->filled);
	free(tlb->of_set);
	free(tlb->state);
	free(tlb->bound);
	tlb_group_fini(tlb);
	free(tlb->print);
	free(tlb->log.use);
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
	tlb->cover_of[0] = tlb_cover(shift);
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

/* What an entry covers, but for those that have several pages. */
static uint64_t
span_of(const struct tlb *tlb, uint64_t tag)
{
	unsigned code = tag >> TLB_SIZE_SHIFT & 3;

	return tag == TLB_FREE || (tlb->group && !code)
		       ? 0
		       : UINT64_C(1) << tlb->shift_of[code];
}

void
tlb_resize(struct tlb *tlb, uint64_t old_tag, uint64_t key)
{
	uint32_t *from = &tlb->used_by[old_tag >> TLB_SIZE_SHIFT & 3];
	uint32_t *to = &tlb->used_by[key >> TLB_SIZE_SHIFT & 3];

	tlb->used += old_tag == TLB_FREE;
	tlb->used -= key == TLB_FREE;
	tlb->bytes += span_of(tlb, key);
	tlb->bytes -= span_of(tlb, old_tag);
	tlb->peak = tlb->bytes > tlb->peak ? tlb->bytes : tlb->peak;
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

void
tlb_log_compact(struct tlb *tlb)
{
	struct tlb_log *log = &tlb->log;
	uint32_t n = 0;

	for (uint32_t i = log->head; i < log->n; i++)
		if (tlb->column.stamp[log->use[i].slot] == log->use[i].stamp)
			log->use[n++] = log->use[i];
	log->head = 0;
	log->n = n;
}

/* The slot of a full set that was used longest ago; its use is forgotten. */
static uint32_t
log_first(struct tlb *tlb)
{
	struct tlb_log *log = &tlb->log;
	const struct tlb_use *use = &log->use[log->head];

	while (tlb->column.stamp[use->slot] != use->stamp)
		use++;
	log->head = (uint32_t)(use - log->use) + 1;
	return use->slot;
}

static int
by_stamp(const void *left, const void *right)
{
	const struct tlb_use *a = left, *b = right;

	return (a->stamp > b->stamp) - (a->stamp < b->stamp);
}

static void
swap(uint64_t *column, uint32_t a, uint32_t b)
{
	uint64_t kept = column[a];

	column[a] = column[b];
	column[b] = kept;
}

/* Sort a set into a row: the latest first, free ways last. */
static void
make_row(struct tlb *tlb, uint32_t first)
{
	struct tlb_columns *column = &tlb->column;

	for (uint32_t i = first + 1; i < first + tlb->ways; i++)
		for (uint32_t k = i;
		     k > first && column->stamp[k] > column->stamp[k - 1];
		     k--) {
			swap(column->tag, k, k - 1);
			swap(column->frame, k, k - 1);
			swap(column->stamp, k, k - 1);
		}
}

static void
make_log(struct tlb *tlb)
{
	struct tlb_log *log = &tlb->log;

	log->head = log->n = 0;
	for (uint32_t i = 0; i < tlb->entries; i++)
		if (tlb->column.tag[i] != TLB_FREE)
			tlb_log_add(tlb, i, tlb->column.stamp[i]);
	if (log->n)
		qsort(log->use, log->n, sizeof(*log->use), by_stamp);
}

void
tlb_rank(struct tlb *tlb)
{
	if (tlb->log.use) {
		make_log(tlb);
		tlb->logged = true;
	} else if (tlb->simple) {
		for (uint32_t i = 0; i < tlb->entries; i += tlb->ways)
			make_row(tlb, i);
		tlb->rows = true;
	}
}

/* What rows do not keep of a slot. */
static void
complete_slot(struct tlb *tlb, uint32_t slot, uint64_t now)
{
	uint32_t set = slot / tlb->ways, way = slot % tlb->ways;
	uint64_t tag = tlb->column.tag[slot];

	if (tag == TLB_FREE) {
		free_slot(tlb, slot);
		return;
	}
	tlb->print[set * TLB_SCANNED + way] = tlb_print(key_of(tlb, slot));
	tlb->column.stamp[slot] = now - 1 - way;
	tlb_cover_slot(tlb, slot, tag >> TLB_SIZE_SHIFT & 3);
}

void
tlb_unrank(struct tlb *tlb, uint64_t now)
{
	if (tlb->rows)
		for (uint32_t i = 0; i < tlb->entries; i++)
			complete_slot(tlb, i, now);
	tlb->rows = tlb->logged = false;
}

/* Which ways of a row are `wanted`, but for TLB_READONLY, which it has set? */
static VECTORS uint32_t
match_row(const uint64_t *tag, uint32_t ways, uint64_t wanted)
{
	const __m512i same = _mm512_set1_epi64((int64_t)wanted);
	const __m512i any = _mm512_set1_epi64(TLB_READONLY);
	uint32_t found =
		_mm512_cmpeq_epi64_mask(same,
					_mm512_or_si512(any, _mm512_loadu_si512(
								     tag)));

	if (ways > 8)
		found |= (uint32_t)_mm512_cmpeq_epi64_mask(
				 same, _mm512_or_si512(any, _mm512_loadu_si512(
								    tag + 8)))
			 << 8;
	return found & ((UINT32_C(1) << ways) - 1);
}

uint32_t
tlb_find_row(const struct tlb *tlb, uint32_t set, uint64_t key)
{
	const uint64_t *tag = &tlb->column.tag[set * tlb->ways];
	uint64_t wanted = key | TLB_ALWAYS | TLB_READONLY;

	if (tlb->vectors) {
		uint32_t found = match_row(tag, tlb->ways, wanted);

		return found ? set * tlb->ways + (uint32_t)__builtin_ctz(found)
			     : TLB_NO_SLOT;
	}
	for (uint32_t way = 0; way < tlb->ways; way++)
		if ((tag[way] | TLB_READONLY) == wanted)
			return set * tlb->ways + way;
	return TLB_NO_SLOT;
}

/* Of a column, where row begins: move_row.  Whole vectors are stored, so that
 * who loads such need not wait for them. */
static VECTORS void
move_column(uint64_t *row, uint32_t ways, uint32_t way)
{
	uint32_t taking = (UINT32_C(2) << way) - 1;
	__m512i low = _mm512_loadu_si512(row), high;

	if (ways > 8) {
		high = _mm512_loadu_si512(row + 8);
		high = _mm512_mask_alignr_epi64(high, (__mmask8)(taking >> 8),
						high, low, 7);
		_mm512_storeu_si512(row + 8, high);
	}
	low = _mm512_mask_alignr_epi64(low, (__mmask8)taking, low, low, 7);
	_mm512_storeu_si512(row, low);
}

/* Ways [0, way) of a row move by one; the first is free then. */
static void
move_row(struct tlb *tlb, uint32_t first, uint32_t way)
{
	uint64_t *tag = &tlb->column.tag[first];
	uint64_t *frame = &tlb->column.frame[first];

	if (tlb->vectors) {
		move_column(tag, tlb->ways, way);
		move_column(frame, tlb->ways, way);
		return;
	}
	memmove(tag + 1, tag, way * sizeof(*tag));
	memmove(frame + 1, frame, way * sizeof(*frame));
}

uint32_t
tlb_row_first(struct tlb *tlb, uint32_t slot)
{
	uint32_t way = slot % tlb->ways, first = slot - way;
	uint64_t tag = tlb->column.tag[slot], frame = tlb->column.frame[slot];

	if (!way)
		return slot;
	move_row(tlb, first, way);
	tlb->column.tag[first] = tag;
	tlb->column.frame[first] = frame;
	return first;
}

static uint32_t
fill_row(struct tlb *tlb, uint32_t set, uint64_t key)
{
	uint32_t first = set * tlb->ways, last = first + tlb->ways - 1;
	uint64_t old = tlb->column.tag[last];

	tlb->evicted = old;
	if (unlikely((old ^ key) >> TLB_SIZE_SHIFT & 3))
		tlb_resize(tlb, old, key);
	move_row(tlb, first, tlb->ways - 1);
	tlb->column.tag[first] = key | TLB_ALWAYS;
	return first;
}

/* Those behind a dropped slot of a row move up. */
static void
close_row(struct tlb *tlb, uint32_t slot)
{
	uint32_t way = slot % tlb->ways, n = tlb->ways - 1 - way;
	uint64_t *tag = &tlb->column.tag[slot];
	uint64_t *frame = &tlb->column.frame[slot];

	memmove(tag, tag + 1, n * sizeof(*tag));
	memmove(frame, frame + 1, n * sizeof(*frame));
	tag[n] = TLB_FREE;
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
	slot = tlb->logged ? log_first(tlb)
			   : tlb->replacement->victim(tlb, first);
	unindex(tlb, slot);
	return slot;
}

uint32_t
tlb_fill_any(struct tlb *tlb, uint64_t key, unsigned shift, uint64_t now)
{
	uint32_t set = tlb_set(tlb, key >> shift), slot;

	if (tlb->rows)
		return fill_row(tlb, set, key);
	slot = make_room(tlb, set * tlb->ways);
	tlb->evicted = tlb->column.tag[slot];
	tlb_resize(tlb, tlb->evicted, key);
	set_index(tlb, set, slot, key);
	tlb->filled[slot] = now;
	tlb->column.tag[slot] = key | TLB_ALWAYS;
	tlb->column.stamp[slot] = now;
	if (tlb->logged)
		tlb_log_add(tlb, slot, now);
	if (tlb->replacement->placed)
		tlb->replacement->placed(tlb, slot);
	tlb_cover_slot(tlb, slot, key >> TLB_SIZE_SHIFT & 3);
	return slot;
}

void
tlb_drop(struct tlb *tlb, uint32_t slot)
{
	unindex(tlb, slot);
	tlb_resize(tlb, tlb->column.tag[slot], TLB_FREE);
	if (unlikely(tlb->group != NULL))
		tlb_group_clear(tlb, slot);
	if (tlb->rows) {
		close_row(tlb, slot);
		return;
	}
	free_slot(tlb, slot);
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
	for (uint32_t i = tlb->entries; tlb->used && i-- > 0;)
		if ((tlb->column.tag[i] & TLB_ASID_MASK) == asid)
			tlb_drop(tlb, i);
}

static void
scan_range(struct tlb *tlb, uint64_t asid, uint64_t from, uint64_t last)
{
	for (uint32_t i = tlb->entries; tlb->used && i-- > 0;) {
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
	if (tlb->group) {
		tlb_group_invalidate(tlb, asid, address, last);
		return;
	}
	if ((last >> tlb->shift[0]) - (address >> tlb->shift[0]) >=
	    TLB_PROBES_MAX) {
		scan_range(tlb, asid, address, last);
		return;
	}
	for (unsigned i = 0; i < tlb->n_sizes; i++) {
		unsigned shift = tlb->shift[i];

		if (!tlb->used_by[tlb->code[i]])
			continue;
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
