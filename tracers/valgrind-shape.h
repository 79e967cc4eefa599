/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes shapes, steps and sites from the items of RECORD_CODE, each once: the
 * same code translated again gets the same numbers.
 */
#ifndef TRACERS_VALGRIND_SHAPE_H
#define TRACERS_VALGRIND_SHAPE_H

#include "analyzer/stream.h"

struct valgrind_shaper;

/* Numbers of the steps of n exits in order; valid until the next call. */
struct valgrind_steps {
	const uint32_t *first;
	uint32_t n;
};

/* fetch: code blocks are accesses too.  0 or -ENOMEM (said). */
int valgrind_shaper_open(struct valgrind_shaper **out, struct stream *stream,
			 bool fetch);
void valgrind_shaper_close(struct valgrind_shaper *shaper);

/*
 * The step of an exit to its own instruction (ITEM_EXIT_AGAIN) stands for the
 * whole block, which was not run to its end: valgrind_shaper_partial makes
 * the right one.
 */
int valgrind_shaper_steps(struct valgrind_shaper *shaper, uint16_t image,
			  const uint64_t *item, size_t n,
			  struct valgrind_steps *steps);

/*
 * These items alone, as one step of at least so many slots; steps->n 0: no
 * accesses.
 */
int valgrind_shaper_partial(struct valgrind_shaper *shaper, uint16_t image,
			    const uint64_t *item, size_t n, unsigned slots,
			    struct valgrind_steps *steps);

#endif
