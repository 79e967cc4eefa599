/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory as frames: who gets which.
 */
#ifndef MODELS_MEMORY_FRAMES_H
#define MODELS_MEMORY_FRAMES_H

#include "analyzer/base.h"
#include "analyzer/option.h"

struct frames;

enum frames_order {
	FRAMES_ASCENDING, /* the lowest free run */
	FRAMES_RANDOM,	  /* a seeded, evenly drawn one */
};

struct frames_config {
	uint64_t size_bytes; /* of memory; 0: unbounded */
	int order;	     /* enum frames_order */
	int64_t seed;
};

/* size, order, seed: for prefix "memory", beside memory_rows (hierarchy.h) */
extern const struct option_row frames_rows[];

/* 0, -EINVAL (said: size), -ENOMEM (said). */
int frames_open(struct frames **out, const struct frames_config *config);
void frames_close(struct frames *frames);

/*
 * A free, aligned run of 2^shift bytes (12, 21, 30): its physical address in
 * *address.  Frame 0 is never given, so an address of 0 can mean "none".
 * 0 or -ENOMEM (unsaid): memory is full or too fragmented.
 */
int frames_take(struct frames *frames, unsigned shift, uint64_t *address);
/* Part of a taken run may be given back too. */
void frames_give(struct frames *frames, unsigned shift, uint64_t address);

/* Bytes taken now, and at most. */
uint64_t frames_used(const struct frames *frames);
uint64_t frames_peak(const struct frames *frames);

#endif
