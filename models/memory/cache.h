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

#define CACHE_RANKED 16u

struct cache_rank {
	uint8_t print[CACHE_RANKED], age[CACHE_RANKED];
};

struct cache {
	uint64_t *recent; /* a line of set s whose use changes nothing:
			     [s * stride], CACHE_NO_LINE if there is none */
	uint64_t stride;
	uint64_t set_mask;   /* sets - 1 if sets is a power of two, else 0 */
	uint64_t sets;	     /* any number */
	unsigned line_shift; /* line = physical address >> line_shift */
	unsigned ways;
	unsigned latency;
	int replacement;
	uint64_t *line; /* owned: [sets * ways]; FIFO, wide LRU: newest first */
	/* owned: LRU of up to 16 ways: of each set a byte of each line's hash,
	 * by which all are compared at once, and each way's rank, 0 the
	 * latest; NULL: the lines are in order */
	struct cache_rank *rank;
	uint32_t ways_mask;   /* with rank: bits of the ways that there are */
	uint64_t *own_recent; /* owned: recent, where it is not line itself */
	uint64_t *tree;	      /* owned: PLRU bits of each set */
	uint64_t random;      /* state of the generator */
};

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

/*
 * Use a line: true if it was there.  If not it is now, and *evicted is the
 * line that left for it, or CACHE_NO_LINE.
 */
bool cache_use(struct cache *cache, uint64_t line, uint64_t *evicted);
/* Is it there?  Changes nothing. */
bool cache_holds(const struct cache *cache, uint64_t line);
/* Forget a line; true if it was there. */
bool cache_drop(struct cache *cache, uint64_t line);

#endif
