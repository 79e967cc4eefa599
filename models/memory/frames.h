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
	FRAMES_RECORDED,  /* as ascending, until the real one is known */
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
/* The same for the run that is this physical memory.  -EBUSY: some of it is
 * taken; -ENOSPC: there is no such memory; -ENOMEM. */
int frames_take_at(struct frames *frames, unsigned shift, uint64_t physical,
		   uint64_t *address);
/* Is this address that physical memory? */
bool frames_is(uint64_t address, uint64_t physical);
/* Number of the frame with this address, from 0; of no frame: any. */
uint64_t frames_number(uint64_t address);
/* How many there are; 0: as many as needed. */
uint64_t frames_total(const struct frames *frames);
/* memory.order is recorded. */
bool frames_recorded(const struct frames *frames);
/* Part of a taken run may be given back too. */
void frames_give(struct frames *frames, unsigned shift, uint64_t address);

/* Bytes taken now, and at most. */
uint64_t frames_used(const struct frames *frames);
uint64_t frames_peak(const struct frames *frames);

#endif
