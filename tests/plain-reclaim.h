/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replacement policies as their papers tell them: arrays that are searched from
 * end to end, nothing clever.  Pages are below PLAIN_PAGES and count 1 each.
 */
#ifndef TESTS_PLAIN_RECLAIM_H
#define TESTS_PLAIN_RECLAIM_H

#include "models/paging/reclaim.h"

#define PLAIN_PAGES 512u
#define PLAIN_LISTS 8u
#define PLAIN_END   PLAIN_PAGES /* the mark in CLOCK-Pro's ring */

/* Oldest first */
struct plain_list {
	uint32_t page[PLAIN_PAGES + 1];
	uint32_t n;
};

struct plain {
	const struct reclaim_config *config;
	uint64_t capacity;
	struct plain_list list[PLAIN_LISTS];
	struct {
		bool in, dirty, bit, hot, test;
		uint64_t count, stamp, next;
	} of[PLAIN_PAGES];
	double target;
	uint32_t hand[3]; /* pages, or PLAIN_END */
	uint64_t clock, random, last, misses, evictions, writebacks;
	bool began; /* PFF: there was a fault; S3-FIFO: an eviction */
	/* Who left since it was emptied, twice the page and dirty */
	uint32_t left[PLAIN_PAGES * 64];
	uint32_t n_left;
};

struct plain_reference {
	uint32_t page;
	bool write;
	uint64_t next, position;
};

/* Empty memory. */
void plain_init(struct plain *plain, const struct reclaim_config *config);
void plain_touch(struct plain *plain, const struct plain_reference *reference);
void plain_drop(struct plain *plain, uint32_t page);
/* Is there a twin of that policy? */
bool plain_knows(const char *policy);

#endif
