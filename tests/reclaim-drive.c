// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/reclaim-drive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "models/memory/random.h"
#include "models/paging/next-use.h"

static const struct option_group groups[] = {
	{ "reclaim", reclaim_rows, 0, "policies" },
	{ NULL },
};
static const struct option_tree tree = {
	groups,
	sizeof(struct reclaim_config),
};

struct reclaim_config
reclaim_config_of(const char *policy, uint64_t capacity)
{
	struct reclaim_config config;

	assert_int_equal(option_init(&tree, &config), 0);
	config.policy = reclaim_find(policy);
	assert_true(config.policy >= 0);
	config.capacity = capacity;
	config.seed = 1;
	config.size = NULL;
	return config;
}

static void
feed_all(struct reclaim *reclaim, const struct reclaim_string *string,
	 uint32_t *size)
{
	struct next_use *next_use = NULL;
	uint64_t next[256];
	uint32_t run;

	if (reclaim->ops->needs_next) {
		assert_int_equal(next_use_open(&next_use, false), 0);
		for (uint64_t i = 0; i < string->n; i += run) {
			run = string->n - i < 999 ? (uint32_t)(string->n - i)
						  : 999;
			assert_int_equal(next_use_add(next_use,
						      string->page + i, run),
					 0);
		}
	}
	for (uint64_t i = 0; i < string->n; i += run) {
		uint32_t most = string->size ? 1 : 1 + (uint32_t)(i % 256);
		struct reclaim_batch batch = {
			.page = string->page + i,
			.write = string->write ? string->write + i : NULL,
			.time = string->time ? string->time + i : NULL,
			.next = next,
			.position = i,
		};

		run = string->n - i < most ? (uint32_t)(string->n - i) : most;
		batch.n = run;
		if (string->size)
			size[string->page[i]] = string->size[i];
		if (next_use)
			assert_int_equal(next_use_read(next_use, i, run, next),
					 run);
		assert_int_equal(reclaim->ops->feed(reclaim, &batch), 0);
	}
	next_use_close(next_use);
}

struct reclaim_counts
reclaim_drive(const struct reclaim_config *given,
	      const struct reclaim_string *string)
{
	struct reclaim_config config = *given;
	struct reclaim_counts counts;
	struct reclaim *reclaim;
	uint32_t *size = NULL, pages = 0;
	const uint32_t *borrowed;

	for (uint64_t i = 0; i < string->n; i++)
		if (string->page[i] >= pages)
			pages = string->page[i] + 1;
	if (string->size) {
		size = calloc(pages, sizeof(*size));
		assert_non_null(size);
		borrowed = size;
		config.size = &borrowed;
	}
	assert_int_equal(reclaim_open(&reclaim, &config), 0);
	feed_all(reclaim, string, size);
	assert_true(reclaim->used <= reclaim->capacity ||
		    reclaim->ops->needs_time);
	counts = reclaim->counts;
	reclaim_close(reclaim);
	free(size);
	assert_int_equal(counts.references, string->n);
	return counts;
}

uint64_t
reclaim_misses(const char *policy, uint64_t capacity,
	       const struct reclaim_string *string)
{
	struct reclaim_config config = reclaim_config_of(policy, capacity);

	return reclaim_drive(&config, string).misses;
}

void
reclaim_random(uint32_t *page, uint64_t n, uint32_t pages, uint64_t seed)
{
	uint64_t random = seed, at = 0, length = 0;
	unsigned kind = 0;

	for (uint64_t i = 0; i < n; i++) {
		if (!length) {
			length = 1 + random_below(&random, 4 * pages);
			kind = (unsigned)random_below(&random, 4);
			at = random_below(&random, pages);
		}
		length--;
		if (kind == 0) /* a sweep */
			at = (at + 1) % pages;
		else if (kind == 1) /* hot ones */
			at = random_below(&random,
					  1 + random_below(&random, pages));
		else if (kind == 2) /* a loop of some */
			at = (at + 1) % (1 + pages / 2);
		else
			at = random_below(&random, pages);
		page[i] = (uint32_t)at;
	}
}
