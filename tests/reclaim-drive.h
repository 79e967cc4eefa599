/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings of references through policies, for the tests of these. */
#ifndef TESTS_RECLAIM_DRIVE_H
#define TESTS_RECLAIM_DRIVE_H

#include "models/paging/reclaim.h"

/* A string: pages, and where given what each wrote, its size, its time. */
struct reclaim_string {
	const uint32_t *page;
	const uint8_t *write;
	const uint32_t *size;
	const uint64_t *time;
	uint64_t n;
};

/* The default options, but for the policy and its capacity. */
struct reclaim_config reclaim_config_of(const char *policy, uint64_t capacity);

/* All of the string in runs of some hundreds, or one by one where it has sizes
 * (they change from reference to reference); next references by next-use.c. */
struct reclaim_counts reclaim_drive(const struct reclaim_config *config,
				    const struct reclaim_string *string);
/* The same with default options. */
uint64_t reclaim_misses(const char *policy, uint64_t capacity,
			const struct reclaim_string *string);

/* Pages below `pages`, n of them: a mix of loops, hot pages, noise. */
void reclaim_random(uint32_t *page, uint64_t n, uint32_t pages, uint64_t seed);

#endif
