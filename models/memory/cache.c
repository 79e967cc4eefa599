// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Three forms of a set:
 *
 * Rows, LRU and FIFO of up to 16 ways where the host has AVX-512 or AVX2: tags of 32
 * bits, the newest first.  A use moves those before it by one, in few
 * instructions and with no branch that depends on where the line was.
 *
 * Narrow, up to 16 ways.  Lines stay in their ways as tags of 32 bits, which
 * are compared four at a time; a word a set holds what the policy knows: the
 * ways from newest to oldest, four bits each, or the bits of the PLRU tree.  So
 * a use moves no memory, has no branch that depends on where the line was, and
 * touches two lines of the host's cache: a miss of three levels takes 29 ns
 * where moving 64-bit lines took 34, and ranks beside them 37.
 *
 *	tag[]	  |  t0  |  t1  |  t2  |  t3  | ...
 *	order	  ... 0 3 1 2        2 was used last, 0 leaves next
 *
 * A tag holds line / sets: enough for addresses of 44 bits (CACHE_BITS).
 *
 * Wide, any number of ways.  Lines of 64 bits; under LRU and FIFO the order in
 * the array is the order of use or of arrival.
 *
 * PLRU: a binary tree over the ways, node 1 at the root, children of i are 2i
 * and 2i + 1, bit i of the set's word says which half was not used last.
 */
#include "models/memory/cache.h"

#include "analyzer/fail.h"
#include "analyzer/vectors.h"
#include "models/memory/random.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_PLRU_WAYS_MAX 64
#define CACHE_BITS	    44 /* of a physical address, as frames.c gives */
#define NO_TAG		    UINT32_MAX
#define NEWEST_FIRST	    UINT64_C(0xfedcba9876543210)
#define RECENT_SETS	    1024 /* more sets than any first level has */
#define RUN_AHEAD	    16	/* references that cache_run prefetches ahead */
#define FAR_SETS	    512 /* 32 KiB of tags: more than is at hand */

static const char *const replacements[] = { "lru", "fifo", "random", "plru",
					    NULL };

#define CACHE_ROWS(size_text, ways_text, latency_text)                          \
	{                                                                       \
		{ .name = "size",                                               \
		  .type = OPTION_SIZE,                                          \
		  .offset = offsetof(struct cache_config, size_bytes),          \
		  .fallback = size_text,                                        \
		  .unit = "bytes",                                              \
		  .help = "Capacity; 0 leaves the cache out" },                 \
			{ .name = "ways",                                       \
			  .type = OPTION_INT,                                   \
			  .offset = offsetof(struct cache_config, ways),        \
			  .fallback = ways_text,                                \
			  .max = 1 << 20,                                       \
			  .help = "Lines a set; 0 is fully associative" },      \
			{ .name = "line",                                       \
			  .type = OPTION_INT,                                   \
			  .offset = offsetof(struct cache_config, line_bytes),  \
			  .fallback = "64",                                     \
			  .min = 8,                                             \
			  .max = 4096,                                          \
			  .unit = "bytes",                                      \
			  .help = "Length of a line, a power of two" },         \
			{ .name = "latency",                                    \
			  .type = OPTION_INT,                                   \
			  .offset = offsetof(struct cache_config, latency),     \
			  .fallback = latency_text,                             \
			  .max = 100000,                                        \
			  .unit = "cycles",                                     \
			  .help = "Cycles of a reference that is found here" }, \
			{ .name = "replacement",                                \
			  .type = OPTION_CHOICE,                                \
			  .offset =                                             \
				  offsetof(struct cache_config, replacement),   \
			  .fallback = "lru",                                    \
			  .choices = replacements,                              \
			  .help = "Which line of a full set leaves" },          \
			{ 0 },                                                  \
	}

const struct option_row cache_rows[] = CACHE_ROWS("32K", "8", "4");
const struct option_row cache_l2_rows[] = CACHE_ROWS("1M", "16", "14");
const struct option_row cache_l3_rows[] = CACHE_ROWS("32M", "16", "50");

static bool
is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

int
cache_config_wrong(const struct cache_config *config, const char **field,
		   char *text, size_t bytes)
{
	uint64_t line_bytes = (uint64_t)config->line_bytes, lines, ways;

	if (!config->size_bytes)
		return 0;
	*field = "line";
	if (!is_power_of_two(line_bytes))
		return snprintf(text, bytes,
				"%jd is not a power of two; allowed: 8 to "
				"4096, powers of two",
				(intmax_t)config->line_bytes);
	lines = config->size_bytes / line_bytes;
	ways = config->ways ? (uint64_t)config->ways : lines;
	*field = "size";
	if (!lines || lines % ways || lines * line_bytes != config->size_bytes)
		return snprintf(text, bytes,
				"%ju bytes are not a whole number of sets of "
				"%ju lines of %ju bytes; allowed: a multiple "
				"of %ju",
				(uintmax_t)config->size_bytes, (uintmax_t)ways,
				(uintmax_t)line_bytes,
				(uintmax_t)(config->ways ? ways * line_bytes
							 : line_bytes));
	*field = "ways";
	if (config->replacement == CACHE_PLRU &&
	    (!is_power_of_two(ways) || ways > CACHE_PLRU_WAYS_MAX))
		return snprintf(text, bytes,
				"plru needs a power of two up to %d, not %ju",
				CACHE_PLRU_WAYS_MAX, (uintmax_t)ways);
	return 0;
}

uint64_t
cache_colours(const struct cache_config *config)
{
	uint64_t line = (uint64_t)config->line_bytes;
	uint64_t ways = config->ways ? (uint64_t)config->ways
				     : config->size_bytes / line;

	return config->size_bytes && config->size_bytes % (ways * 4096) == 0
		       ? config->size_bytes / ways / 4096
		       : 0;
}

/* Fills in the geometry; 0 or -EINVAL (said). */
static int
cache_shape(struct cache *cache, const struct cache_config *config,
	    const char *name)
{
	uint64_t line_bytes = (uint64_t)config->line_bytes;
	const char *field;
	uint64_t lines, ways;
	char text[256];

	if (cache_config_wrong(config, &field, text, sizeof(text)))
		return fail(EINVAL, "%s.%s: %s", name, field, text);
	lines = config->size_bytes / line_bytes;
	ways = config->ways ? (uint64_t)config->ways : lines;
	cache->ways = (unsigned)ways;
	cache->sets = lines / ways;
	cache->set_mask = is_power_of_two(cache->sets) ? cache->sets - 1 : 0;
	cache->set_bits = 63 - (unsigned)__builtin_clzll(cache->sets);
	cache->line_shift = (unsigned)__builtin_ctzll(line_bytes);
	cache->latency = (unsigned)config->latency;
	cache->replacement = config->replacement;
	return 0;
}

/* Do tags of 32 bits tell all lines of CACHE_BITS apart? */
static bool
is_narrow(const struct cache *cache)
{
	return cache->ways <= CACHE_NARROW_WAYS &&
	       cache->line_shift + cache->set_bits + 32 >= CACHE_BITS;
}

static int
narrow_init(struct cache *cache)
{
	bool ordered = cache->replacement <= CACHE_FIFO;
	size_t tags;

	tags = cache->sets * CACHE_NARROW_WAYS;
	/* Aligned, so that a set of 16 lies in one line of the host. */
	if (posix_memalign((void **)&cache->tag, 64,
			   tags * sizeof(*cache->tag)))
		return -ENOMEM;
	memset(cache->tag, 0xff, tags * sizeof(*cache->tag));
	for (size_t i = 0; i < cache->sets; i++)
		cache->order[i] = ordered ? NEWEST_FIRST : 0;
	cache->vectors = vectors_at_hand();
	cache->rows = ordered && (cache->vectors || short_vectors_at_hand());
	return 0;
}

static int
wide_init(struct cache *cache)
{
	size_t lines = cache->sets * cache->ways;

	cache->line = malloc(lines * sizeof(*cache->line));
	if (!cache->line)
		return -ENOMEM;
	memset(cache->line, 0xff, lines * sizeof(*cache->line));
	return 0;
}

int
cache_init(struct cache *cache, const struct cache_config *config,
	   const char *name, uint64_t seed)
{
	int error;

	memset(cache, 0, sizeof(*cache));
	if (!config->size_bytes)
		return 0;
	error = cache_shape(cache, config, name);
	if (error)
		return error;
	cache->random = seed;
	cache->order = calloc(cache->sets, sizeof(*cache->order));
	if (!cache->order ||
	    (is_narrow(cache) ? narrow_init(cache) : wide_init(cache)) < 0)
		goto no_memory;
	if ((!cache->set_mask && cache->sets > 1) || cache->sets > RECENT_SETS)
		return 0;
	cache->recent = malloc(cache->sets * sizeof(*cache->recent));
	if (!cache->recent)
		goto no_memory;
	memset(cache->recent, 0xff, cache->sets * sizeof(*cache->recent));
	return 0;

no_memory:
	cache_fini(cache);
	return fail(ENOMEM, "%s: out of memory for %ju bytes", name,
		    (uintmax_t)config->size_bytes);
}

void
cache_fini(struct cache *cache)
{
	free(cache->recent);
	free(cache->tag);
	free(cache->order);
	free(cache->line);
	memset(cache, 0, sizeof(*cache));
}

/* Where a line goes: the set, and the tag there. */
struct place {
	uint64_t set;
	uint32_t tag;
};

static ALWAYS_INLINE struct place
place_of(const struct cache *cache, uint64_t line)
{
	struct place place;
	uint64_t tag;

	if (likely(cache->set_mask)) {
		place.set = line & cache->set_mask;
		tag = line >> cache->set_bits;
	} else {
		place.set = line % cache->sets;
		tag = line / cache->sets;
	}
	assert(tag < NO_TAG);
	place.tag = (uint32_t)tag;
	return place;
}

static uint64_t
line_of(const struct cache *cache, uint64_t set, uint32_t tag)
{
	return tag == NO_TAG ? CACHE_NO_LINE : tag * cache->sets + set;
}

/* A bit for each way that holds the tag. */
static ALWAYS_INLINE unsigned
match(const uint32_t *tags, uint32_t tag)
{
	const __m128i *held = (const __m128i *)(const void *)tags;
	const __m128i wanted = _mm_set1_epi32((int)tag);
	__m128i low = _mm_packs_epi32(_mm_cmpeq_epi32(held[0], wanted),
				      _mm_cmpeq_epi32(held[1], wanted));
	__m128i high = _mm_packs_epi32(_mm_cmpeq_epi32(held[2], wanted),
				       _mm_cmpeq_epi32(held[3], wanted));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}

/* The place of a way in the order: the lowest of its nibbles that is it. */
static ALWAYS_INLINE unsigned
order_find(uint64_t order, unsigned way)
{
	const uint64_t ones = UINT64_C(0x1111111111111111);
	uint64_t differs = order ^ ones * way;
	/* The lowest nibble that is 0; higher ones may be wrong. */
	uint64_t zero = (differs - ones) & ~differs & ones << 3;

	return (unsigned)__builtin_ctzll(zero) & ~3u;
}

/* Bits below a bit that is a multiple of 4. */
static ALWAYS_INLINE uint64_t
below(unsigned bit)
{
	return (UINT64_C(1) << bit) - 1;
}

/* The way at this bit of the order becomes the newest. */
static ALWAYS_INLINE uint64_t
order_first(uint64_t order, unsigned bit, unsigned way)
{
	uint64_t older = order & ~UINT64_C(15) << bit;

	return older | (order & below(bit)) << 4 | way;
}

/* ... the oldest of n ways. */
static uint64_t
order_last(uint64_t order, unsigned way, unsigned n)
{
	unsigned bit = order_find(order, way), last = 4 * (n - 1);
	uint64_t kept = order & below(bit);
	uint64_t beyond = n < CACHE_NARROW_WAYS ? order & ~below(4 * n) : 0;
	uint64_t moved = order & ~beyond & ~below(bit) & ~(UINT64_C(15) << bit);

	return beyond | (uint64_t)way << last | moved >> 4 | kept;
}

/* PLRU: make the tree point away from a way. */
static void
tree_use(uint64_t *tree, unsigned ways, unsigned way)
{
	for (unsigned node = ways + way; node > 1; node >>= 1) {
		if (node & 1)
			*tree &= ~(UINT64_C(1) << (node >> 1));
		else
			*tree |= UINT64_C(1) << (node >> 1);
	}
}

static unsigned
tree_victim(uint64_t tree, unsigned ways)
{
	unsigned node = 1;

	while (node < ways)
		node = node << 1 | (unsigned)(tree >> node & 1);
	return node - ways;
}

/* Who leaves a full set, where lines stay in their ways. */
static unsigned
placed_victim(struct cache *cache, uint64_t set)
{
	return cache->replacement == CACHE_PLRU
		       ? tree_victim(cache->order[set], cache->ways)
		       : (unsigned)random_below(&cache->random, cache->ways);
}

static bool
narrow_use_placed(struct cache *cache, struct place place, uint64_t *evicted)
{
	uint32_t *tags = cache->tag + place.set * CACHE_NARROW_WAYS;
	unsigned mask = match(tags, place.tag), way;
	bool hit = mask != 0;

	if (!hit)
		mask = match(tags, NO_TAG) & ((1u << cache->ways) - 1);
	way = mask ? (unsigned)__builtin_ctz(mask)
		   : placed_victim(cache, place.set);
	if (!hit) {
		*evicted = line_of(cache, place.set, tags[way]);
		tags[way] = place.tag;
	}
	if (cache->replacement == CACHE_PLRU)
		tree_use(&cache->order[place.set], cache->ways, way);
	return hit;
}

/*
 * A row takes in a tag: in place of the same, else of the last.  What was there
 * (0: not) is returned.  A miss is a hit of the last way: those up to it are
 * moved by one.  FIFO moves nothing at a hit.
 */
static ALWAYS_INLINE VECTORS unsigned
row_use(uint32_t *tags, uint32_t tag, unsigned ways, bool lru)
{
	__m512i row = _mm512_load_si512(tags);
	__m512i new = _mm512_set1_epi32((int)tag);
	unsigned found = _mm512_cmpeq_epi32_mask(row, new);
	unsigned in = _blsmsk_u32(found | 1u << (ways - 1));

	if (!lru)
		in = found ? 0 : in;
	_mm512_store_si512(tags, _mm512_mask_alignr_epi32(row, (__mmask16)in,
							  row, new, 15));
	return found;
}

/* The same by AVX2: the row in two halves, moved within themselves, and the last of
 * the first half goes to the second. */
static ALWAYS_INLINE SHORT_VECTORS unsigned
short_row_use(uint32_t *tags, uint32_t tag, unsigned ways, bool lru)
{
	const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	const __m256i before = _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6);
	const __m256i new = _mm256_set1_epi32((int)tag);
	__m256i *row = (__m256i *)(void *)tags;
	__m256i low = _mm256_load_si256(row), moved_low, in;
	__m256i high = _mm256_load_si256(row + 1), moved_high;
	unsigned found = (unsigned)_mm256_movemask_ps(
		_mm256_castsi256_ps(_mm256_cmpeq_epi32(low, new)));
	unsigned way;

	found |= (unsigned)_mm256_movemask_ps(
			 _mm256_castsi256_ps(_mm256_cmpeq_epi32(high, new)))
		 << 8;
	if (!lru && found)
		return found;
	way = (unsigned)__builtin_ctz(found | 1u << (ways - 1));
	in = _mm256_set1_epi32((int)way);
	moved_low = _mm256_permutevar8x32_epi32(low, before);
	moved_high = _mm256_permutevar8x32_epi32(high, before);
	moved_high = _mm256_blend_epi32(moved_high, moved_low, 1);
	moved_low = _mm256_blend_epi32(moved_low, new, 1);
	low = _mm256_blendv_epi8(moved_low, low, _mm256_cmpgt_epi32(lanes, in));
	high = _mm256_blendv_epi8(
		moved_high, high,
		_mm256_cmpgt_epi32(_mm256_add_epi32(lanes,
						    _mm256_set1_epi32(8)),
				   in));
	_mm256_store_si256(row, low);
	_mm256_store_si256(row + 1, high);
	return found;
}

/* One use, and cache_run, of rows: by vectors of each length. */
#define ROWS(target, use)                                                     \
	static NOINLINE target bool use##_one(struct cache *cache,            \
					      struct place place,             \
					      uint64_t *evicted)              \
	{                                                                     \
		uint32_t *tags = cache->tag + place.set * CACHE_NARROW_WAYS;  \
		uint32_t last = tags[cache->ways - 1];                        \
                                                                              \
		if (use(tags, place.tag, cache->ways,                         \
			cache->replacement == CACHE_LRU))                     \
			return true;                                          \
		*evicted = line_of(cache, place.set, last);                   \
		return false;                                                 \
	}                                                                     \
	static ALWAYS_INLINE target unsigned                                  \
		use##_run(struct cache *cache, const uint64_t *physical,      \
			  uint16_t *list, unsigned n, bool lru, bool far)     \
	{                                                                     \
		const unsigned shift = cache->line_shift;                     \
		const unsigned bits = cache->set_bits, ways = cache->ways;    \
		const uint64_t mask = cache->set_mask;                        \
		uint64_t *const recent = cache->recent;                       \
		uint32_t *const tags = cache->tag;                            \
		unsigned missed = 0;                                          \
                                                                              \
		for (unsigned i = 0; i < n; i++) {                            \
			unsigned j = list[i];                                 \
			unsigned soon =                                       \
				i + RUN_AHEAD < n ? i + RUN_AHEAD : n - 1;    \
			uint64_t line = physical[j] >> shift;                 \
			uint64_t set = line & mask;                           \
			uint64_t next = physical[list[soon]] >> shift & mask; \
                                                                              \
			if (far)                                              \
				__builtin_prefetch(&tags[next *               \
							 CACHE_NARROW_WAYS],  \
						   1);                        \
			list[missed] = (uint16_t)j;                           \
			missed += !use(&tags[set * CACHE_NARROW_WAYS],        \
				       (uint32_t)(line >> bits), ways, lru);  \
			if (recent)                                           \
				recent[set] = line;                           \
		}                                                             \
		return missed;                                                \
	}                                                                     \
	static target unsigned use##_many(struct cache *cache,                \
					  const uint64_t *physical,           \
					  uint16_t *list, unsigned n)         \
	{                                                                     \
		if (cache->replacement != CACHE_LRU)                          \
			return use##_run(cache, physical, list, n, false,     \
					 true);                               \
		return cache->sets < FAR_SETS                                 \
			       ? use##_run(cache, physical, list, n, true,    \
					   false)                             \
			       : use##_run(cache, physical, list, n, true,    \
					   true);                             \
	}
ROWS(VECTORS, row_use)
ROWS(SHORT_VECTORS, short_row_use)

/* The ways behind a dropped one move up. */
static void
drop_from_row(uint32_t *tags, unsigned way, unsigned ways)
{
	memmove(tags + way, tags + way + 1, (ways - 1 - way) * sizeof(*tags));
	tags[ways - 1] = NO_TAG;
}

static ALWAYS_INLINE bool
narrow_use(struct cache *cache, struct place place, uint64_t *evicted)
{
	uint32_t *tags = cache->tag + place.set * CACHE_NARROW_WAYS;
	uint64_t *order = &cache->order[place.set];
	unsigned mask, way, bit = 4 * (cache->ways - 1);

	if (likely(cache->rows))
		return cache->vectors
			       ? row_use_one(cache, place, evicted)
			       : short_row_use_one(cache, place, evicted);
	if (unlikely(cache->replacement > CACHE_FIFO))
		return narrow_use_placed(cache, place, evicted);
	mask = match(tags, place.tag);
	if (mask) {
		way = (unsigned)__builtin_ctz(mask);
		if (cache->replacement == CACHE_LRU)
			*order = order_first(*order, order_find(*order, way),
					     way);
		return true;
	}
	way = (unsigned)(*order >> bit) & 15;
	*evicted = line_of(cache, place.set, tags[way]);
	tags[way] = place.tag;
	*order = order_first(*order, bit, way);
	return false;
}

/* The way that holds a line, or ways. */
static ALWAYS_INLINE unsigned
way_of(const uint64_t *lines, unsigned ways, uint64_t line)
{
	unsigned way = 0;

	while (way < ways && lines[way] != line)
		way++;
	return way;
}

/* LRU and FIFO: put line first and move those before `way` down by one. */
static void
put_first(uint64_t *lines, unsigned way, uint64_t line)
{
	memmove(lines + 1, lines, way * sizeof(*lines));
	lines[0] = line;
}

static bool
wide_use_placed(struct cache *cache, uint64_t line, uint64_t *evicted)
{
	uint64_t set = cache_set(cache, line);
	uint64_t *lines = cache->line + set * cache->ways;
	unsigned way = way_of(lines, cache->ways, line);
	bool hit = way < cache->ways;

	if (!hit) {
		way = way_of(lines, cache->ways, CACHE_NO_LINE);
		if (way == cache->ways)
			way = placed_victim(cache, set);
		*evicted = lines[way];
		lines[way] = line;
	}
	if (cache->replacement == CACHE_PLRU)
		tree_use(&cache->order[set], cache->ways, way);
	return hit;
}

static bool
wide_use(struct cache *cache, uint64_t line, uint64_t *evicted)
{
	unsigned way, ways = cache->ways;
	uint64_t *lines;

	if (cache->replacement > CACHE_FIFO)
		return wide_use_placed(cache, line, evicted);
	lines = cache->line + cache_set(cache, line) * ways;
	way = way_of(lines, ways, line);
	if (way < ways) {
		if (cache->replacement == CACHE_LRU)
			put_first(lines, way, line);
		return true;
	}
	*evicted = lines[ways - 1];
	put_first(lines, ways - 1, line);
	return false;
}

bool
cache_use(struct cache *cache, uint64_t line, uint64_t *evicted)
{
	if (cache->recent)
		cache->recent[line & cache->set_mask] = line;
	return likely(cache->tag)
		       ? narrow_use(cache, place_of(cache, line), evicted)
		       : wide_use(cache, line, evicted);
}

/* cache_run where sets are narrow and a power of two, under LRU or FIFO. */
static ALWAYS_INLINE unsigned
narrow_run(struct cache *cache, const uint64_t *physical, uint16_t *list,
	   unsigned n, bool lru, bool far)
{
	const unsigned shift = cache->line_shift, bits = cache->set_bits;
	const unsigned last = 4 * (cache->ways - 1);
	const uint64_t mask = cache->set_mask;
	uint64_t *recent = cache->recent;
	unsigned missed = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t line = physical[list[i]] >> shift, set = line & mask;
		uint32_t *tags = cache->tag + set * CACHE_NARROW_WAYS;
		uint32_t tag = (uint32_t)(line >> bits);
		unsigned ways = match(tags, tag), way, hit;
		uint64_t order = cache->order[set];

		if (far)
			cache_prefetch(cache,
				       physical[list[i + RUN_AHEAD < n
							     ? i + RUN_AHEAD
							     : n - 1]] >>
					       shift);
		/* Found: its way; else the oldest.  No branch: it is one or
		 * the other by chance. */
		hit = -(unsigned)(ways != 0);
		way = ((unsigned)__builtin_ctz(ways | 1u << 31) & hit) |
		      ((unsigned)(order >> last) & 15 & ~hit);
		if (lru || !hit)
			order = order_first(order, order_find(order, way), way);
		cache->order[set] = order;
		tags[way] = tag;
		if (recent)
			recent[set] = line;
		list[missed] = list[i];
		missed += 1 + hit;
	}
	return missed;
}

unsigned
cache_run(struct cache *cache, const uint64_t *physical, uint16_t *list,
	  unsigned n)
{
	bool lru = cache->replacement == CACHE_LRU;
	unsigned missed = 0;

	if (cache->rows && cache->set_mask)
		return cache->vectors
			       ? row_use_many(cache, physical, list, n)
			       : short_row_use_many(cache, physical, list, n);
	if (cache->tag && cache->set_mask && cache->replacement <= CACHE_FIFO) {
		if (!lru)
			return narrow_run(cache, physical, list, n, false,
					  true);
		return cache->sets < FAR_SETS ? narrow_run(cache, physical,
							   list, n, true, false)
					      : narrow_run(cache, physical,
							   list, n, true, true);
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t evicted, line = physical[list[i]] >> cache->line_shift;
		bool there = cache_use(cache, line, &evicted);

		list[missed] = list[i];
		missed += !there;
	}
	return missed;
}

bool
cache_holds(const struct cache *cache, uint64_t line)
{
	if (cache->tag) {
		struct place place = place_of(cache, line);

		return match(cache->tag + place.set * CACHE_NARROW_WAYS,
			     place.tag);
	}
	return way_of(cache->line + cache_set(cache, line) * cache->ways,
		      cache->ways, line) < cache->ways;
}

void
cache_each(const struct cache *cache,
	   void (*visit)(void *context, uint64_t line), void *context)
{
	for (uint64_t set = 0; set < cache->sets; set++)
		for (unsigned way = 0; way < cache->ways; way++) {
			uint64_t line =
				cache->tag
					? line_of(cache, set,
						  cache->tag
							  [set * CACHE_NARROW_WAYS +
							   way])
					: cache->line[set * cache->ways + way];

			if (line != CACHE_NO_LINE)
				visit(context, line);
		}
}

static bool
narrow_drop(struct cache *cache, struct place place)
{
	uint32_t *tags = cache->tag + place.set * CACHE_NARROW_WAYS;
	uint64_t *order = &cache->order[place.set];
	unsigned mask = match(tags, place.tag), way;

	if (!mask)
		return false;
	way = (unsigned)__builtin_ctz(mask);
	if (cache->rows) {
		drop_from_row(tags, way, cache->ways);
		return true;
	}
	tags[way] = NO_TAG;
	/* The hole is the next to be filled. */
	if (cache->replacement <= CACHE_FIFO)
		*order = order_last(*order, way, cache->ways);
	return true;
}

static bool
wide_drop(struct cache *cache, uint64_t line)
{
	uint64_t *lines = cache->line + cache_set(cache, line) * cache->ways;
	unsigned way = way_of(lines, cache->ways, line);

	if (way == cache->ways)
		return false;
	if (cache->replacement <= CACHE_FIFO) {
		memmove(lines + way, lines + way + 1,
			(cache->ways - way - 1) * sizeof(*lines));
		way = cache->ways - 1;
	}
	lines[way] = CACHE_NO_LINE;
	return true;
}

bool
cache_drop(struct cache *cache, uint64_t line)
{
	if (cache->recent && cache->recent[line & cache->set_mask] == line)
		cache->recent[line & cache->set_mask] = CACHE_NO_LINE;
	return cache->tag ? narrow_drop(cache, place_of(cache, line))
			  : wide_drop(cache, line);
}
