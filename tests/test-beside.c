// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a core may have beside its second level: ranges against a twin that walks
 * page by page each time, predictors against their whole history; then cores with
 * them, whose data must go where it goes without, and closed forms.
 */
#include "tests/core-world.h"

#define PAGES 600u

/* A table whose pages are in rows of frames, with holes and rights. */
static void
map_some(struct table *table, uint64_t *random)
{
	uint64_t from = next_random(random) % PAGES, n, row, x;

	x = next_random(random);
	n = 1 + x % 40;
	row = 1 + (x >> 8) % 3;
	for (uint64_t page = from; page < from + n; page++) {
		struct mapping mapping = { .frame = row << 40 | page << 12,
					   .shift = 12,
					   .writable = x >> 16 & 3 };

		if (x >> 20 & 7)
			assert_int_equal(table->ops->map(table, page << 12,
							 &mapping),
					 0);
		else
			table->ops->unmap(table, page << 12, 4096, false, NULL,
					  NULL);
	}
}

#define TWIN_ENTRIES 4u
#define LEAST	     3u

struct twin_range {
	uint64_t first, last, frame;
	bool writable;
};

struct range_twin {
	struct twin_range entry[TWIN_ENTRIES]; /* the latest first */
	unsigned n;
};

static struct mapping
look(struct table *table, uint64_t page)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	table->ops->walk(table, page << 12, references, &mapping);
	return mapping;
}

static void
push(struct range_twin *twin, struct twin_range range, unsigned from)
{
	memmove(&twin->entry[1], &twin->entry[0],
		from * sizeof(twin->entry[0]));
	twin->entry[0] = range;
}

static bool
twin_find(struct range_twin *twin, uint64_t page, bool write, uint64_t *frame)
{
	for (unsigned i = 0; i < twin->n; i++) {
		struct twin_range range = twin->entry[i];

		if (page < range.first || page > range.last ||
		    (write && !range.writable))
			continue;
		*frame = range.frame + ((page - range.first) << 12);
		push(twin, range, i);
		return true;
	}
	return false;
}

static void
twin_forget(struct range_twin *twin, uint64_t first, uint64_t last)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < twin->n; i++)
		if (twin->entry[i].last < first || twin->entry[i].first > last)
			twin->entry[kept++] = twin->entry[i];
	twin->n = kept;
}

static void
twin_walk(struct range_twin *twin, struct table *table, uint64_t page)
{
	struct mapping mapping = look(table, page), other;
	struct twin_range range = { page, page, mapping.frame,
				    mapping.writable };

	for (; range.first > 0; range.first--, range.frame -= 4096) {
		other = look(table, range.first - 1);
		if (!other.shift || other.frame + 4096 != range.frame ||
		    other.writable != range.writable)
			break;
	}
	for (;; range.last++) {
		other = look(table, range.last + 1);
		if (!other.shift || other.writable != range.writable ||
		    other.frame != range.frame + ((range.last + 1 - range.first)
						  << 12))
			break;
	}
	if (range.last - range.first + 1 < LEAST)
		return;
	twin_forget(twin, range.first, range.last);
	twin->n += twin->n < TWIN_ENTRIES;
	push(twin, range, twin->n - 1);
}

static struct table *
open_radix(struct frames *frames)
{
	static const struct tables_config tables = { .own.radix.levels = 4 };
	static void *shared;
	const struct table_with with = { .config = &tables,
					 .kinds = &tables.own,
					 .frames = frames,
					 .shared = &shared };
	struct table *table;

	assert_int_equal(radix_table.open(&table, &with), 0);
	return table;
}

static void
ranges_equal_their_twin(void **state)
{
	const struct range_tlb_config config = { TWIN_ENTRIES, LEAST, 9 };
	struct frames_config memory = { .size_bytes = 0 };
	static struct range_twin twin;
	struct frames *frames;
	struct table *table;
	struct range_tlb tlb;
	uint64_t random = 77, hits = 0;

	(void)state;
	assert_int_equal(frames_open(&frames, &memory), 0);
	table = open_radix(frames);
	assert_int_equal(range_tlb_init(&tlb, &config), 0);
	for (unsigned i = 0; i < 40000; i++) {
		uint64_t page = next_random(&random) % PAGES, frame = 0, got;
		bool write = next_random(&random) & 1, readonly, hit;
		struct mapping mapping;

		if (i % 8 == 0) {
			uint64_t before = random, from, n;

			/* what changes is invalidated: as map_some draws */
			from = next_random(&before) % PAGES;
			n = 1 + next_random(&before) % 40;
			map_some(table, &random);
			range_tlb_invalidate(&tlb, 5, from << 12, n << 12);
			assert_int_equal(range_tlb_forget(&tlb, 2, from << 12,
							  n << 12),
					 0);
			twin_forget(&twin, from, from + n - 1);
			continue;
		}
		hit = range_tlb_find(&tlb, 5, page << 12 | 7, write, &got,
				     &readonly);
		assert_int_equal(hit, twin_find(&twin, page, write, &frame));
		mapping = look(table, page);
		if (hit) {
			hits++;
			assert_int_equal(got, frame | 7);
			assert_int_equal(frame, mapping.frame);
			assert_int_equal(readonly, !mapping.writable);
		}
		if (hit || !mapping.shift || (write && !mapping.writable))
			continue;
		assert_int_equal(range_tlb_walk(&tlb, table, 2, 5, page << 12,
						&mapping),
				 0);
		twin_walk(&twin, table, page);
	}
	assert_true(hits > 4000 && tlb.n_known > 2);
	range_tlb_fini(&tlb);
	table->ops->close(table);
	frames_close(frames);
}

#define MISSES 4000u

/* What history says: the last three of the instruction. */
static unsigned
stride_says(const uint64_t *page, const uint32_t *site, unsigned n,
	    uint64_t *wanted)
{
	uint64_t last[3];
	unsigned found = 0;

	for (unsigned i = n + 1; i-- && found < 3;)
		if (site[i] == site[n])
			last[found++] = page[i];
	if (found < 3 || last[0] - last[1] != last[1] - last[2] ||
	    last[0] == last[1])
		return 0;
	*wanted = last[0] + (last[0] - last[1]);
	return 1;
}

/* What followed this distance, the latest first, and what else did. */
static unsigned
distance_says(const uint64_t *page, unsigned n, uint64_t *wanted)
{
	uint64_t after[2] = { 0 };
	unsigned found = 0;

	for (unsigned i = n; i-- > 1 && found < 2;) {
		uint64_t next = page[i + 1] - page[i];

		if (page[i] - page[i - 1] == page[n] - page[n - 1] &&
		    (!found || next != after[0]))
			after[found++] = next;
	}
	for (unsigned k = 0; k < found; k++)
		wanted[k] = page[n] + after[k];
	return n ? found : 0;
}

static void
predictors_equal_their_history(void **state)
{
	(void)state;
	for (int kind = PREFETCH_SEQUENTIAL; kind <= PREFETCH_DISTANCE;
	     kind++) {
		/* rows: a prime that no two of the distances share */
		const struct prefetch_config config = { kind, 4, 65521 };
		static uint64_t page[MISSES];
		static uint32_t site[MISSES];
		uint64_t random = 3, wanted[PREFETCH_PAGES_MAX], right = 0;
		struct prefetch prefetch;

		assert_int_equal(prefetch_init(&prefetch, &config), 0);
		for (unsigned i = 0; i < MISSES; i++) {
			uint64_t x = next_random(&random), want[2] = { 0 };
			unsigned n, m;

			site[i] = (uint32_t)(x % 5);
			page[i] = 1000000 + (i ? page[i - 1] - 1000000 : 0);
			page[i] += (x >> 8) % 8 ? site[i] + 1 : (x >> 16) % 9;
			n = prefetch_predict(&prefetch, site[i], page[i] << 12,
					     12, wanted);
			m = kind == PREFETCH_STRIDE
				    ? stride_says(page, site, i, want)
			    : kind == PREFETCH_DISTANCE
				    ? distance_says(page, i, want)
				    : 1;
			if (kind == PREFETCH_SEQUENTIAL)
				want[0] = page[i] + 1;
			assert_int_equal(n, m);
			for (unsigned k = 0; k < n; k++)
				assert_int_equal(wanted[k], want[k] << 12);
			right += n;
		}
		assert_true(right > 20);
		prefetch_fini(&prefetch);
	}
}

/* The stack as a list, the latest first. */
struct stack_twin {
	uint64_t page[MISSES];
	unsigned n;
};

static int
place_of(const struct stack_twin *twin, uint64_t page)
{
	for (unsigned i = 0; i < twin->n; i++)
		if (twin->page[i] == page)
			return (int)i;
	return -1;
}

static void
take_out(struct stack_twin *twin, int at)
{
	if (at < 0)
		return;
	memmove(&twin->page[at], &twin->page[at + 1],
		(--twin->n - (unsigned)at) * sizeof(twin->page[0]));
}

/* What leaves comes on top, wherever it was; what misses names its neighbours. */
static void
recency_equals_a_list(void **state)
{
	static struct stack_twin twin[2];
	struct recency recency = { .n = 0 };
	uint64_t random = 17, named = 0;

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		uint64_t x = next_random(&random), page = (x >> 8) % 90;
		uint64_t wanted[RECENCY_NEIGHBOURS], want[2];
		uint32_t space = (uint32_t)(x >> 40 & 1);
		struct stack_twin *list = &twin[space];
		int at = place_of(list, page);
		unsigned n, m = 0;

		if (x & 1) {
			take_out(list, at);
			memmove(&list->page[1], &list->page[0],
				list->n++ * sizeof(list->page[0]));
			list->page[0] = page;
			assert_int_equal(recency_left(&recency, space * 7,
						      page << 12),
					 0);
			continue;
		}
		if (at > 0)
			want[m++] = list->page[at - 1];
		if (at >= 0 && at + 1 < (int)list->n)
			want[m++] = list->page[at + 1];
		take_out(list, at);
		n = recency_missed(&recency, space * 7, page << 12, wanted);
		assert_int_equal(n, m);
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(wanted[k], want[k] << 12);
		named += n;
	}
	assert_true(named > 10000 && recency.n <= 180);
	recency_fini(&recency);
}

static const struct beside_config besides[] = {
	{ { 8, 3, 9 }, { PREFETCH_NONE, 1, 1 } },
	{ { 0, 2, 9 }, { PREFETCH_SEQUENTIAL, 8, 1 } },
	{ { 0, 2, 9 }, { PREFETCH_STRIDE, 16, 64 } },
	{ { 4, 2, 9 }, { PREFETCH_DISTANCE, 16, 64 } },
	{ { 0, 2, 9 }, { PREFETCH_RECENCY, 16, 1 } },
};

static void
fill_random(struct world *world, uint64_t *random)
{
	batch_reset(&world->batch);
	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t x = next_random(random);
		uint64_t page = (x >> 8) % (x & 0x70 ? 60 : 1500);
		uint64_t region = (x >> 40) % 8;

		region = region < 5 ? 0 : region < 7 ? 1 : 2;
		if (i & 1) { /* a sweep between all that */
			batch_access(&world->batch, (i + 200) << 12,
				     world->site[1]);
			continue;
		}
		batch_access(&world->batch,
			     region << 40 | page << (region ? 17 : 12) |
				     (x >> 20 & 0xff0),
			     world->site[x >> 56 & 15]);
	}
}

/* Walks go past the caches: so data in them tells where translations led. */
static void
data_goes_where_it_went(void **state)
{
	struct hierarchy_config caches = {
		.l1d = { 4 << 10, 4, 64, 4, CACHE_LRU },
		.l1i = { 4 << 10, 8, 64, 4, CACHE_LRU },
		.l2 = { 32 << 10, 8, 64, 14, CACHE_LRU },
		.levels = { .walks = HIERARCHY_WALKS_NONE },
		.memory = { .latency = 250 },
	};

	(void)state;
	for (unsigned k = 0; k < 15; k++) {
		struct core_config config = config_of(lru, k % 3);
		static struct world base, odd, plain;
		uint64_t random = 99 + k, used;

		config.data_cached = true;
		world_open_with(&base, &config, &caches, false);
		config.beside = besides[k / 3];
		world_open_with(&odd, &config, &caches, false);
		config.plain = true;
		world_open_with(&plain, &config, &caches, false);
		base.turmoil = odd.turmoil = plain.turmoil = true;
		for (unsigned round = 0; round < 60; round++) {
			struct world *worlds[] = { &base, &odd, &plain };
			uint32_t space = (uint32_t)(round / 3 % SPACES);
			uint64_t from = next_random(&random) % 1500 << 12;

			fill_random(&base, &random);
			for (unsigned i = 0; i < 3; i++) {
				struct core *core = &worlds[i]->core;

				core_switch(core, space,
					    worlds[i]->table[space]);
				assert_int_equal(core_feed(core, &base.batch, 0,
							   BATCH),
						 0);
				world_invalidate(worlds[i], space, from,
						 20 << 12);
			}
		}
		assert_int_equal(base.faults, odd.faults);
		for (unsigned place = 0; place < PLACES; place++)
			for (unsigned use = USE_LOAD; use < USES; use++)
				assert_int_equal(base.hierarchy
							 ->accesses[place][use],
						 odd.hierarchy->accesses[place]
									[use]);
		for (unsigned side = 0; side < CORE_SIDES; side++)
			odd.core.counts.l1_large[side][0] =
				plain.core.counts.l1_large[side][0];
		counts_equal(&odd.core.counts, &plain.core.counts);
		walkers_equal(&odd.core.walker, &plain.core.walker);
		assert_int_equal(odd.trail, plain.trail);
		used = odd.core.beside->range.hits +
		       odd.core.beside->prefetch.useful;
		assert_true(used > 100);
		assert_true(odd.core.walker.walks < base.core.walker.walks);
		world_close(&base);
		world_close(&odd);
		world_close(&plain);
	}
}

/* Sweeps over more pages than the TLBs hold: walks of each of four rounds. */
static void
sweep(const struct beside_config *beside, uint64_t *walks)
{
	struct core_config config = config_of(lru, 0);
	static struct world world;

	config.beside = *beside;
	world_open(&world, &config, false);
	core_switch(&world.core, 0, world.table[0]);
	for (unsigned round = 0; round < 4; round++) {
		uint64_t before = world.core.walker.walks;

		batch_reset(&world.batch);
		/* the first round writes, so that pages stay as they are */
		for (uint64_t page = 0; page < BATCH; page++)
			batch_access(&world.batch, page << 12,
				     world.site[round ? 0 : 4]);
		assert_int_equal(core_feed(&world.core, &world.batch, 0, BATCH),
				 0);
		walks[round] = world.core.walker.walks - before;
	}
	world_close(&world);
}

static void
sweeps_walk_as_the_closed_form(void **state)
{
	struct beside_config beside = { { 0, 2, 9 },
					{ PREFETCH_SEQUENTIAL, 16, 64 } };
	uint64_t walks[4];

	(void)state;
	/* what comes next is not mapped yet; then all but the first page are
	 * there in time */
	sweep(&beside, walks);
	assert_int_equal(walks[0], BATCH);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(walks[i], 1);
	/* the way back to the first page is learnt at the second turn */
	beside.prefetch.kind = PREFETCH_DISTANCE;
	sweep(&beside, walks);
	assert_int_equal(walks[0], BATCH);
	assert_int_equal(walks[3], 0);
	/* an instruction's stride stands at its third miss, and breaks at
	 * each turn: the first of a round, and the two until it stands again */
	beside.prefetch.kind = PREFETCH_STRIDE;
	sweep(&beside, walks);
	assert_int_equal(walks[3], 3);
	/* frames in rows of 7 of 8 by chance: fewer walks than pages */
	beside = (struct beside_config){ { 512, 2, 9 },
					 { PREFETCH_NONE, 1, 1 } };
	sweep(&beside, walks);
	assert_int_equal(walks[0], BATCH);
	assert_true(walks[3] < BATCH / 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_equal_their_twin),
		cmocka_unit_test(predictors_equal_their_history),
		cmocka_unit_test(recency_equals_a_list),
		cmocka_unit_test(data_goes_where_it_went),
		cmocka_unit_test(sweeps_walk_as_the_closed_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
