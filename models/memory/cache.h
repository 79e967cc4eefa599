/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One set-associative cache of lines: which are in it, and who leaves.
 *
 * The struct is open for one reason: an access to the line used last in its
 * set changes no state under any replacement policy, so it can be answered
 * inline by one comparison with recent[] (hierarchy_access does).
 */
#ifndef MODELS_MEMORY_CACHE_H
#define MODELS_MEMORY_CACHE_H

#include "analyzer/base.h"
#include "analyzer/option.h"

enum cache_replacement {
	CACHE_LRU,
	CACHE_FIFO,
	CACHE_RANDOM, /* seeded; empty ways are filled first */
	CACHE_PLRU,   /* tree; ways a power of two up to 64 */
};

struct cache_config {
	uint64_t size_bytes; /* 0: there is no such cache */
	int64_t ways;	     /* 0: fully associative */
	int64_t line_bytes;  /* a power of two */
	int64_t latency;     /* cycles from the start of the access to here */
	int replacement;     /* enum cache_replacement */
};

/* size, ways, line, latency, replacement: the same rows with the defaults of
 * a level one, two and three.  For cache.l1d and cache.l1i, .l2, .l3. */
extern const struct option_row cache_rows[];
extern const struct option_row cache_l2_rows[];
extern const struct option_row cache_l3_rows[];

#define CACHE_NO_LINE UINT64_MAX

struct cache {
	/* A line of set s whose use changes nothing, or CACHE_NO_LINE; NULL
	 * for caches too large to be a first level, or of odd sets. */
	uint64_t *recent;    /* owned: [sets] */
	uint64_t set_mask;   /* sets - 1 if sets is a power of two, else 0 */
	uint64_t sets;	     /* any number */
	unsigned set_bits;   /* log2 of sets, rounded down */
	unsigned line_shift; /* line = physical address >> line_shift */
	unsigned ways;
	unsigned latency;
	int replacement;
	/* Narrow: at most 16 ways, tags of 32 bits (see cache.c) */
	uint32_t *tag;	 /* owned: [sets * 16]; NULL: wide */
	bool rows;	 /* order is that of the tags, see cache.c */
	bool vectors;	 /* of 512 bits, else of 256 */
	uint64_t *order; /* owned: what the policy knows of each set */
	/* Wide: any number of ways */
	uint64_t *line;	 /* owned: [sets * ways]; LRU, FIFO: newest first */
	uint64_t random; /* state of the generator */
};

/*
 * Is the configuration one that cache_init takes?  0, or more and in text (its
 * length returned, as snprintf does) the value and what is allowed, in *field
 * the name of its row.
 */
int cache_config_wrong(const struct cache_config *config, const char **field,
		       char *text, size_t bytes);

/* Colours of pages of 4K: sets * line / 4K; 0: that is no whole number, or it is
 * no cache. */
uint64_t cache_colours(const struct cache_config *config);

/* name ("cache.l2") is for messages.  0, -EINVAL or -ENOMEM (said).  With
 * size_bytes 0: 0 and cache_exists is false. */
int cache_init(struct cache *cache, const struct cache_config *config,
	       const char *name, uint64_t seed);
void cache_fini(struct cache *cache);

static ALWAYS_INLINE bool
cache_exists(const struct cache *cache)
{
	return cache->sets != 0;
}

static ALWAYS_INLINE uint64_t
cache_set(const struct cache *cache, uint64_t line)
{
	return likely(cache->set_mask || cache->sets == 1)
		       ? line & cache->set_mask
		       : line % cache->sets;
}

#define CACHE_NARROW_WAYS 16

/* The set of this line will be used soon. */
static ALWAYS_INLINE void
cache_prefetch(const struct cache *cache, uint64_t line)
{
	uint64_t set = cache_set(cache, line);

	__builtin_prefetch(cache->order + set);
	if (cache->tag)
		__builtin_prefetch(cache->tag + set * CACHE_NARROW_WAYS);
	else
		__builtin_prefetch(cache->line + set * cache->ways);
}

/*
 * Use a line: true if it was there.  If not it is now, and *evicted is the
 * line that left for it, or CACHE_NO_LINE.
 */
bool cache_use(struct cache *cache, uint64_t line, uint64_t *evicted);
/*
 * Use the lines of physical[list[i]] for i in 0 .. n - 1, in this order, as
 * cache_use does.  Those that were not there stay in the list, as ordered;
 * returns their number.  Made for many misses: nothing branches on what is
 * found, and sets far ahead in the list are prefetched.
 */
unsigned cache_run(struct cache *cache, const uint64_t *physical,
		   uint16_t *list, unsigned n);
/* Is it there?  Changes nothing. */
bool cache_holds(const struct cache *cache, uint64_t line);
/* Call visit for each line that is there, in no order that means anything. */
void cache_each(const struct cache *cache,
		void (*visit)(void *context, uint64_t line), void *context);
/* Forget a line; true if it was there. */
bool cache_drop(struct cache *cache, uint64_t line);

#endif
