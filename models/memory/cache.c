// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets are short arrays of line numbers.  Under LRU and FIFO the order in the
 * array is the order of use or of arrival, so a hit moves at most `ways`
 * words; random and PLRU keep lines in place.
 *
 * PLRU: a binary tree over the ways, node 1 at the root, children of i are 2i
 * and 2i + 1, bit i of the set's word says which half was not used last.
 */
#include "models/memory/cache.h"

#include "analyzer/fail.h"
#include "models/memory/random.h"

#include <emmintrin.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_PLRU_WAYS_MAX 64

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

/* Fills in the geometry; 0 or -EINVAL (said). */
static int
cache_shape(struct cache *cache, const struct cache_config *config,
	    const char *name)
{
	uint64_t line_bytes = (uint64_t)config->line_bytes;
	uint64_t lines, ways;

	if (!is_power_of_two(line_bytes))
		return fail(EINVAL, "%s.line: %jd is not a power of two", name,
			    (intmax_t)config->line_bytes);
	lines = config->size_bytes / line_bytes;
	ways = config->ways ? (uint64_t)config->ways : lines;
	if (!lines || lines % ways || lines * line_bytes != config->size_bytes)
		return fail(EINVAL,
			    "%s.size: %ju bytes are not a whole number of sets "
			    "of %ju lines of %ju bytes",
			    name, (uintmax_t)config->size_bytes,
			    (uintmax_t)ways, (uintmax_t)line_bytes);
	if (config->replacement == CACHE_PLRU &&
	    (!is_power_of_two(ways) || ways > CACHE_PLRU_WAYS_MAX))
		return fail(EINVAL,
			    "%s.ways: plru needs a power of two up to %d, "
			    "not %ju",
			    name, CACHE_PLRU_WAYS_MAX, (uintmax_t)ways);
	cache->ways = (unsigned)ways;
	cache->sets = lines / ways;
	cache->set_mask = is_power_of_two(cache->sets) ? cache->sets - 1 : 0;
	cache->line_shift = (unsigned)__builtin_ctzll(line_bytes);
	cache->latency = (unsigned)config->latency;
	cache->replacement = config->replacement;
	return 0;
}

static bool
is_ranked(const struct cache *cache)
{
	return cache->replacement == CACHE_LRU && cache->ways <= CACHE_RANKED;
}

/* Ranks of empty sets: any order will do; ways that are not there have 127. */
static int
init_ranks(struct cache *cache)
{
	cache->rank = calloc(cache->sets, sizeof(*cache->rank));
	if (!cache->rank)
		return -ENOMEM;
	cache->ways_mask = (UINT32_C(1) << cache->ways) - 1;
	for (uint64_t set = 0; set < cache->sets; set++)
		for (unsigned way = 0; way < CACHE_RANKED; way++)
			cache->rank[set].age[way] =
				way < cache->ways ? (uint8_t)way : 127;
	return 0;
}

int
cache_init(struct cache *cache, const struct cache_config *config,
	   const char *name, uint64_t seed)
{
	size_t lines;
	int error;

	memset(cache, 0, sizeof(*cache));
	if (!config->size_bytes)
		return 0;
	error = cache_shape(cache, config, name);
	if (error)
		return error;
	lines = cache->sets * cache->ways;
	cache->random = seed;
	cache->line = malloc(lines * sizeof(*cache->line));
	if (!cache->line)
		goto no_memory;
	memset(cache->line, 0xff, lines * sizeof(*cache->line));
	cache->recent = cache->line;
	cache->stride = cache->ways;
	if (cache->replacement <= CACHE_FIFO && !is_ranked(cache))
		return 0;
	cache->own_recent = malloc(cache->sets * sizeof(*cache->own_recent));
	if (!cache->own_recent)
		goto no_memory;
	if (is_ranked(cache)) {
		if (init_ranks(cache) < 0)
			goto no_memory;
	} else {
		cache->tree = calloc(cache->sets, sizeof(*cache->tree));
		if (!cache->tree)
			goto no_memory;
	}
	memset(cache->own_recent, 0xff,
	       cache->sets * sizeof(*cache->own_recent));
	cache->recent = cache->own_recent;
	cache->stride = 1;
	return 0;

no_memory:
	cache_fini(cache);
	return fail(ENOMEM, "%s: out of memory for %zu lines", name, lines);
}

void
cache_fini(struct cache *cache)
{
	free(cache->line);
	free(cache->own_recent);
	free(cache->rank);
	free(cache->tree);
	memset(cache, 0, sizeof(*cache));
}

/* The way that holds a line, or ways. */
static ALWAYS_INLINE unsigned
way_of(const uint64_t *set, unsigned ways, uint64_t line)
{
	unsigned way = 0;

	while (way < ways && set[way] != line)
		way++;
	return way;
}

/* LRU and FIFO: put line first and move those before `way` down by one. */
static ALWAYS_INLINE void
put_first(uint64_t *set, unsigned way, uint64_t line)
{
	for (unsigned i = way; i > 0; i--)
		set[i] = set[i - 1];
	set[0] = line;
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

/* Random and PLRU: lines stay in their ways. */
static bool
cache_use_placed(struct cache *cache, uint64_t line, uint64_t *evicted)
{
	uint64_t set_number = cache_set(cache, line);
	uint64_t *set = cache->line + set_number * cache->ways;
	uint64_t *tree = &cache->tree[set_number];
	bool plru = cache->replacement == CACHE_PLRU;
	unsigned ways = cache->ways, way = way_of(set, ways, line);
	bool hit = way < ways;

	if (!hit) {
		way = way_of(set, ways, CACHE_NO_LINE);
		if (way == ways)
			way = plru ? tree_victim(*tree, ways)
				   : (unsigned)random_below(&cache->random,
							    ways);
		*evicted = set[way];
		set[way] = line;
	}
	if (plru)
		tree_use(tree, ways, way);
	cache->recent[set_number] = line;
	return hit;
}

static ALWAYS_INLINE __m128i
load16(const uint8_t *bytes)
{
	return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static ALWAYS_INLINE void
store16(uint8_t *bytes, __m128i value)
{
	_mm_storeu_si128((__m128i *)(void *)bytes, value);
}

static ALWAYS_INLINE uint8_t
print_of(uint64_t line)
{
	return (uint8_t)((line * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/*
 * LRU by ranks: the set's lines are compared by 16 fingerprints at once, and
 * one instruction makes all younger ways a rank older.  2 to 3 times as fast
 * as moving lines where many references miss.
 */
static bool
cache_use_ranked(struct cache *cache, uint64_t line, uint64_t *evicted)
{
	uint64_t number = cache_set(cache, line);
	uint64_t *set = cache->line + number * cache->ways;
	struct cache_rank *rank = &cache->rank[number];
	__m128i ages = load16(rank->age), last;
	uint32_t same =
		(uint32_t)_mm_movemask_epi8(
			_mm_cmpeq_epi8(load16(rank->print),
				       _mm_set1_epi8((char)print_of(line)))) &
		cache->ways_mask;
	unsigned way;

	cache->recent[number] = line;
	for (; same; same &= same - 1) {
		way = (unsigned)__builtin_ctz(same);
		if (likely(set[way] == line)) {
			__m128i age = _mm_set1_epi8((char)rank->age[way]);

			store16(rank->age,
				_mm_andnot_si128(
					_mm_cmpeq_epi8(ages, age),
					_mm_sub_epi8(ages,
						     _mm_cmplt_epi8(ages,
								    age))));
			return true;
		}
	}
	last = _mm_cmpeq_epi8(ages, _mm_set1_epi8((char)(cache->ways - 1)));
	way = (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(last));
	store16(rank->age,
		_mm_andnot_si128(last, _mm_adds_epi8(ages, _mm_set1_epi8(1))));
	rank->print[way] = print_of(line);
	*evicted = set[way];
	set[way] = line;
	return false;
}

/* A way that was dropped is the next to be filled. */
static void
rank_last(struct cache *cache, uint64_t set, unsigned way)
{
	uint8_t *age = cache->rank[set].age, was = age[way];

	for (unsigned i = 0; i < cache->ways; i++)
		age[i] = (uint8_t)(age[i] - (age[i] > was));
	age[way] = (uint8_t)(cache->ways - 1);
}

bool
cache_use(struct cache *cache, uint64_t line, uint64_t *evicted)
{
	uint64_t *set;
	unsigned way, ways = cache->ways;

	if (likely(cache->rank))
		return cache_use_ranked(cache, line, evicted);
	if (cache->replacement > CACHE_FIFO)
		return cache_use_placed(cache, line, evicted);
	set = cache->line + cache_set(cache, line) * ways;
	way = way_of(set, ways, line);
	if (way < ways) {
		if (cache->replacement == CACHE_LRU)
			put_first(set, way, line);
		return true;
	}
	*evicted = set[ways - 1];
	put_first(set, ways - 1, line);
	return false;
}

bool
cache_holds(const struct cache *cache, uint64_t line)
{
	const uint64_t *set =
		cache->line + cache_set(cache, line) * cache->ways;

	return way_of(set, cache->ways, line) < cache->ways;
}

bool
cache_drop(struct cache *cache, uint64_t line)
{
	uint64_t set_number = cache_set(cache, line);
	uint64_t *set = cache->line + set_number * cache->ways;
	unsigned way = way_of(set, cache->ways, line);

	if (way == cache->ways)
		return false;
	if (cache->rank)
		rank_last(cache, set_number, way);
	if (cache->replacement <= CACHE_FIFO && !cache->rank) {
		/* The hole goes to the end, where the next victim is taken. */
		for (; way + 1 < cache->ways; way++)
			set[way] = set[way + 1];
	} else if (cache->recent[set_number] == line) {
		cache->recent[set_number] = CACHE_NO_LINE;
	}
	set[way] = CACHE_NO_LINE;
	return true;
}
