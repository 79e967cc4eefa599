/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests feed to a core: a world with address spaces, a kernel that pages
 * in, sites of all kinds and lengths, and configurations.
 */
#ifndef TESTS_CORE_WORLD_H
#define TESTS_CORE_WORLD_H

#include "models/translation/core-hot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/tables/tables.h"
#include "tests/plain-core.h"

#define SPACES 5u
#define BATCH  1000u

struct world {
	struct frames *frames;
	struct hierarchy *hierarchy;
	struct table *table[SPACES];
	void *shared; /* of the tables */
	struct core core;
	unsigned granule;	 /* log2 of the least page */
	struct plain_core *twin; /* NULL: none keeps up */
	uint64_t taken_away; /* page whose entries go at each fault; 0: none */
	bool turmoil;	     /* faults change other pages too */
	uint64_t faults, missed, walked;
	uint64_t trail; /* of what missed and when */
	/* Who watches what is touched, or NULL: told by the core where it is to
	 * (core_config.watch), of what is invalidated, and before a fault */
	struct watcher *watcher;
	struct stream *stream;
	uint32_t site[16];
	struct batch batch;
};

struct watcher {
	void (*touched)(struct world *world, uint32_t space, uint64_t address);
	void (*invalidated)(struct world *world, uint32_t space,
			    uint64_t address, uint64_t length);
	void (*faulted)(struct world *world, uint64_t position);
};

extern char lru[], fifo[], random_name[], plru[], srrip[], clock_name[], bip[];

/* Of what kind the tables of worlds are that are opened from now on; NULL:
 * radix. */
void world_kind(const struct table_ops *ops,
		const struct tables_config *config);

void world_invalidate(struct world *world, uint32_t space, uint64_t address,
		      uint64_t length);

void world_open_with(struct world *world, const struct core_config *config,
		     const struct hierarchy_config *caches, bool twin);

void world_open(struct world *world, const struct core_config *config,
		bool twin);

void world_close(struct world *world);

uint64_t next_random(uint64_t *state);

void counts_equal(const struct core_counts *a, const struct core_counts *b);

void walkers_equal(const struct walker *a, const struct walker *b);

struct core_config config_of(char *policy, unsigned shape);

void twin_fault(void *context, uint32_t space, uint64_t address,
		enum site_kind kind);

#endif
