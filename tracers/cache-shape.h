/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a record means in the stream: the accesses of a superblock's prefix as
 * steps, worked out when the first record of its kind is expanded.
 *
 * Instructions whose accesses vary cut a block into pieces: the accesses up to
 * the first of them are a step, then come its own, and so on.
 */
#ifndef TRACERS_CACHE_SHAPE_H
#define TRACERS_CACHE_SHAPE_H

#include "analyzer/stream.h"
#include "tracers/cache-block.h"

struct cache_run;
struct cache_shaper;

struct cache_piece {
	uint32_t step;
	uint16_t accesses;
	bool some;			     /* there is a step */
	const struct cache_special *special; /* behind it, or NULL */
	struct cache_run *run; /* that which was the special's last one */
	/* Is it a repeated one at what rsi and rdi point to?  Then: which way
	 * that run goes */
	bool plain, down;
};

/* kinds: TRACER_DATA | TRACER_FETCH.  0 or -ENOMEM (said). */
int shaper_open(struct cache_shaper **out, struct stream *stream,
		unsigned kinds);
void shaper_close(struct cache_shaper *shaper);

/* The pieces of a record, at least one; valid until the next call. */
int shaper_pieces(struct cache_shaper *shaper, uint16_t image,
		  const struct cache_outcome *outcome,
		  const struct cache_piece **pieces, size_t *n);
/* A step of one access at its root. */
int shaper_single(struct cache_shaper *shaper, const struct site *site,
		  uint32_t *step);

/*
 * Accesses that go on by a constant: a string instruction that repeats, lanes
 * side by side.  Their steps are of so many times at most.
 */
#define RUN_TIMES    64u
#define RUN_ACCESSES 2u /* of one time, at most */

struct cache_repeat {
	struct site site[RUN_ACCESSES];
	int64_t by[RUN_ACCESSES]; /* how far each goes on a time */
	unsigned n;
};

/* What such steps are made from; it lives as long as the shaper.  *run is one
 * that may be it already, or NULL.  Unused parts of repeat are zeros. */
int shaper_run(struct cache_shaper *shaper, const struct cache_repeat *repeat,
	       struct cache_run **run);
/* The step of 1 to RUN_TIMES times; its roots are the addresses of the first. */
int shaper_run_step(struct cache_shaper *shaper, struct cache_run *run,
		    unsigned times, uint32_t *step);

#endif
