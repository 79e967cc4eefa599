// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replacement policies one at a time, on one thread, by processor time:
 *
 *	reclaim-speed TRACE PAGES POLICY...
 *
 * The trace's pages are numbered first, outside of what is measured.  Runs each
 * policy REPEAT (default 5) times with PAGES of memory and prints its name, the
 * median of M references/s, its misses, and the bytes a touched page that it
 * had allocated.
 */
#include "analyzer/fail.h"
#include "analyzer/run.h"
#include "models/paging/hash.h"
#include "models/paging/next-use.h"
#include "models/paging/reclaim.h"
#include "traces/open.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN 4096u /* references fed at once, about as machines do */

/* All pages of a trace, by numbers in order of first references */
struct pages {
	struct model model;
	struct hash number;
	struct next_use *next_use; /* keeps them */
	uint32_t n;
};

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
pages_feed(struct model *model, const struct batch *batch)
{
	struct pages *pages = (struct pages *)model;

	for (uint32_t i = 0; i < batch->n; i++) {
		uint64_t key = batch->address[i] >> 12;
		const uint64_t *known = hash_find(&pages->number, key);
		uint32_t page = known ? (uint32_t)*known : pages->n++;
		int error = known ? 0 : hash_put(&pages->number, key, page);

		if (!error)
			error = next_use_add(pages->next_use, &page, 1);
		if (error)
			return error;
	}
	return 0;
}

static void
pages_close(struct model *model)
{
	(void)model;
}

static int
pages_read(struct pages *pages, const char *path)
{
	static const struct model_methods methods = { .feed = pages_feed,
						      .close = pages_close };
	struct model *model = &pages->model;
	struct run run = { .models = &model, .n_models = 1 };
	int error = next_use_open(&pages->next_use, true);

	pages->model.methods = &methods;
	if (!error)
		error = source_open(&run.source, path, false);
	if (!error) {
		error = run_feed(&run);
		source_close(run.source);
	}
	hash_fini(&pages->number);
	return error;
}

static size_t
allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* M references a second; negative when it failed. */
static double
run_once(const struct pages *pages, const struct reclaim_config *config,
	 uint64_t *misses, double *bytes)
{
	uint64_t n = next_use_length(pages->next_use), next[RUN];
	size_t before = allocated();
	double start, speed = -1, taken = 0;
	struct reclaim *reclaim;
	int error = reclaim_open(&reclaim, config);

	for (uint64_t i = 0; !error && i < n; i += RUN) {
		struct reclaim_batch batch = {
			.page = next_use_pages(pages->next_use, i),
			.next = next,
			.n = n - i < RUN ? (uint32_t)(n - i) : RUN,
			.position = i,
		};

		start = cpu_seconds();
		if (reclaim->ops->needs_next)
			next_use_read(pages->next_use, i, batch.n, next);
		error = reclaim->ops->feed(reclaim, &batch);
		taken += cpu_seconds() - start;
	}
	if (!error) {
		*misses = reclaim->counts.misses;
		*bytes = (double)(allocated() - before) / pages->n;
		speed = (double)n / taken / 1e6;
	}
	reclaim_close(reclaim);
	return speed;
}

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int
run_policy(const struct pages *pages, uint64_t capacity, const char *name)
{
	static const struct option_group groups[] = {
		{ "reclaim", reclaim_rows, 0, "policies" },
		{ NULL },
	};
	static const struct option_tree tree = {
		groups,
		sizeof(struct reclaim_config),
	};
	const char *repeat = getenv("REPEAT");
	int n = repeat ? atoi(repeat) : 5;
	struct reclaim_config config;
	uint64_t misses;
	double speed[99], bytes;

	if (n < 1 || n > 99 || option_init(&tree, &config))
		return 1;
	config.policy = reclaim_find(name);
	config.capacity = capacity;
	config.seed = 1;
	config.size = NULL;
	if (config.policy < 0) {
		fail(EINVAL, "there is no policy '%s'", name);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		speed[i] = run_once(pages, &config, &misses, &bytes);
		if (speed[i] < 0)
			return 1;
	}
	qsort(speed, (size_t)n, sizeof(*speed), ascending);
	printf("%s %.1f %" PRIu64 " %.1f\n", name, speed[n / 2], misses, bytes);
	fflush(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	struct pages pages = { .n = 0 };
	int status = 1;

	if (argc < 4) {
		fail(EINVAL, "usage: reclaim-speed TRACE PAGES POLICY...");
		return 2;
	}
	if (!pages_read(&pages, argv[1]))
		status = 0;
	for (int i = 3; !status && i < argc; i++)
		status = run_policy(&pages, strtoull(argv[2], NULL, 10),
				    argv[i]);
	next_use_close(pages.next_use);
	return status;
}
