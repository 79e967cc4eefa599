// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One core against a slow twin (plain-core.h), and against itself without
 * hints and without queues: random accesses of all kinds, page sizes
 * and lengths, in several address spaces, with pages that are read-only at
 * first, become writable, and are taken away.  Then closed forms of walks.
 */
#include "tests/core-world.h"
#include "tests/forgo-vectors.h"

static const struct hierarchy_config small_caches = {
	.l1d = { 4 << 10, 4, 64, 4, CACHE_LRU },
	.l1i = { 4 << 10, 8, 64, 4, CACHE_LRU },
	.l2 = { 32 << 10, 8, 64, 14, CACHE_LRU },
	.l3 = { 88 << 10, 11, 64, 50, CACHE_LRU },
	.memory = { .latency = 250 },
};

static void
fill_batch(struct world *world, uint64_t *random)
{
	struct batch *batch = &world->batch;

	batch_reset(batch);
	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t x = next_random(random);
		unsigned site = (unsigned)(x >> 56) & 15;
		uint64_t page = (x >> 8) % (x & 0x70 ? 40 : 1500);
		uint64_t region = (x >> 40) % 8;
		uint64_t offset = (x >> 20) & 0xfff;

		if (x & 0x80) /* near a page's end */
			offset |= 0xfc0;
		if (site >= 12) /* a fetch crosses no page */
			offset &= 0xff0;
		region = region < 5 ? 0 : region < 7 ? 1 : 2;
		batch_access(batch,
			     region << 40 | page << (region ? 17 : 12) | offset,
			     world->site[site]);
	}
}

/* Many pages beside each other, in no order. */
static void
fill_near(struct world *world, uint64_t *random)
{
	struct batch *batch = &world->batch;

	batch_reset(batch);
	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t x = next_random(random);

		batch_access(batch,
			     (x >> 8) % 400 << world->granule |
				     (x >> 20 & 0xff0),
			     world->site[x >> 56 & 4]);
	}
}

/* Returns how many accesses crossed into a second page. */
static uint64_t
twin_feed(struct world *world, const struct batch *batch, uint32_t space)
{
	const struct plain_kernel kernel = { world, twin_fault };
	uint64_t crossings = 0;

	for (uint32_t i = 0; i < batch->n; i++) {
		uint32_t ref = batch->site[i];
		uint64_t address = batch->address[i];
		uint64_t end = address | ((UINT64_C(1) << world->granule) - 1);
		uint64_t bytes =
			stream_site(world->stream, SITE_INDEX(ref))->size;
		uint64_t here = end - address + 1;

		plain_core_page(world->twin, world->table[space], &kernel,
				space, address, bytes < here ? bytes : here,
				SITE_KIND(ref));
		if (bytes <= here)
			continue;
		crossings++;
		plain_core_page(world->twin, world->table[space], &kernel,
				space, end + 1, bytes - here, SITE_KIND(ref));
	}
	return crossings;
}

/* What both counted. */
static void
twin_agrees(const struct world *real, const struct world *slow)
{
	const struct core_counts *c = &real->core.counts;
	const struct walker *walker = &real->core.walker;
	const struct plain_core *t = slow->twin;

	for (unsigned side = 0; side < 2; side++) {
		assert_int_equal(c->l1_misses[side], t->l1_misses[side]);
		assert_int_equal(c->l2_misses[side], t->l2_misses[side]);
		assert_int_equal(c->l2_hits[side][0] + c->l2_hits[side][1] +
					 c->l2_hits[side][2],
				 t->l2_hits[side]);
	}
	assert_int_equal(walker->walks, t->walks);
	assert_int_equal(walker->references + walker->faulted_references,
			 t->references);
	assert_int_equal(real->faults, t->faults);
	assert_int_equal(walker->faulted, t->faults);
	assert_int_equal(real->missed, c->l1_misses[0] + c->l1_misses[1]);
	assert_int_equal(real->walked, c->l2_misses[0] + c->l2_misses[1]);
	for (unsigned level = 0; level < WALKER_LEVELS; level++)
		for (unsigned place = 0; place < PLACES; place++)
			assert_int_equal(walker->found[level][place],
					 t->found[level][place]);
	for (uint64_t i = 0; i < PLAIN_LATENCY_MAX; i++)
		assert_int_equal(i < walker->latency_max ? walker->latency[i]
							 : 0,
				 t->latency[i]);
	for (unsigned place = 0; place < PLACES; place++) {
		const uint64_t *n = real->hierarchy->accesses[place];
		uint64_t from = 0;

		for (unsigned i = place; i < PLACES; i++)
			from += t->data_found[i];
		assert_int_equal(n[USE_LOAD] + n[USE_STORE] + n[USE_FETCH],
				 from);
	}
}

/*
 * The core and a world of its own for the twin: both are fed the same, so each
 * has its own tables and takes its own faults.
 */
static void
core_equals_its_twin(void **state)
{
	(void)state;
	for (unsigned shape = 0; shape < 3; shape++) {
		struct core_config config = config_of(lru, shape);
		uint64_t random = 4711 + shape, crossings = 0;
		static struct world real, slow;

		world_open(&real, &config, false);
		world_open(&slow, &config, true);
		for (unsigned round = 0; round < 60; round++) {
			uint32_t space = (uint32_t)(round / 3 % SPACES);
			uint64_t from = next_random(&random) % 40 << 12;
			uint64_t length = 4096 << next_random(&random) % 12;

			fill_batch(&real, &random);
			core_switch(&real.core, space, real.table[space]);
			assert_int_equal(core_feed(&real.core, &real.batch, 0,
						   BATCH),
					 0);
			crossings += twin_feed(&slow, &real.batch, space);
			world_invalidate(&real, space, from, length);
			world_invalidate(&slow, space, from, length);
		}
		assert_true(crossings > 500);
		assert_true(slow.twin->l2_hits[0] > 100 &&
			    slow.twin->l2_hits[1] > 100);
		assert_int_equal(real.core.counts.crossings, crossings);
		twin_agrees(&real, &slow);
		world_close(&real);
		world_close(&slow);
	}
}

/* Pages of 16K and 64K, where accesses cross no boundaries of 4K. */
static void
granules_equal_their_twin(void **state)
{
	static const struct {
		unsigned granule, levels;
	} kinds[] = { { 14, 3 }, { 14, 4 }, { 16, 4 } };
	static struct tables_config tables;
	static struct world real, slow;

	(void)state;
	for (unsigned k = 0; k < 3 * ARRAY_SIZE(kinds); k++) {
		struct core_config config = config_of(lru, k % 3);
		uint64_t random = 162 + k, crossings = 0;

		config.granule = tables.granule = kinds[k / 3].granule;
		tables.own.radix.levels = kinds[k / 3].levels;
		config.data_cached = k & 1;
		world_kind(&granule_table, &tables);
		world_open_with(&real, &config, &small_caches, false);
		world_open_with(&slow, &config, &small_caches, true);
		world_kind(NULL, NULL);
		for (unsigned round = 0; round < 60; round++) {
			uint32_t space = (uint32_t)(round / 3 % SPACES);
			uint64_t from = next_random(&random) % 40
					<< config.granule;
			uint64_t length =
				UINT64_C(1)
				<< (config.granule + next_random(&random) % 12);

			fill_batch(&real, &random);
			core_switch(&real.core, space, real.table[space]);
			assert_int_equal(core_feed(&real.core, &real.batch, 0,
						   BATCH),
					 0);
			crossings += twin_feed(&slow, &real.batch, space);
			world_invalidate(&real, space, from, length);
			world_invalidate(&slow, space, from, length);
		}
		assert_true(crossings > 100);
		assert_true(real.core.counts.l2_misses[0] > 500);
		assert_int_equal(real.core.counts.crossings, crossings);
		twin_agrees(&real, &slow);
		world_close(&real);
		world_close(&slow);
	}
}

/* A core with such arrays, whose pages are of this granule. */
static void
grouped_equals_its_twin(struct core_config *config, unsigned granule,
			uint64_t random)
{
	static struct tables_config tables = { .own.radix.levels = 4 };
	static struct world real, slow;

	config->data_cached = true; /* frames tell */
	config->granule = tables.granule = granule;
	if (granule > 12)
		world_kind(&granule_table, &tables);
	world_open_with(&real, config, &small_caches, false);
	world_open_with(&slow, config, &small_caches, true);
	world_kind(NULL, NULL);
	real.turmoil = slow.turmoil = granule == 12;
	for (unsigned round = 0; round < 60; round++) {
		uint32_t space = (uint32_t)(round / 3 % SPACES);
		uint64_t from = next_random(&random) % 40 << granule;
		uint64_t length = UINT64_C(1)
				  << (granule + next_random(&random) % 12);

		if (round & 1)
			fill_near(&real, &random);
		else
			fill_batch(&real, &random);
		core_switch(&real.core, space, real.table[space]);
		assert_int_equal(core_feed(&real.core, &real.batch, 0, BATCH),
				 0);
		twin_feed(&slow, &real.batch, space);
		world_invalidate(&real, space, from, length);
		world_invalidate(&slow, space, from, length);
	}
	twin_agrees(&real, &slow);
	world_close(&real);
	world_close(&slow);
}

/* Entries of several pages, in either level and both, and of each granule. */
static void
grouped_arrays_equal_their_twin(void **state)
{
	static const struct {
		int64_t sector[2], coalesce[2]; /* by level */
	} kinds[] = {
		{ { 1, 8 }, { 1, 1 } }, { { 1, 1 }, { 1, 8 } },
		{ { 4, 1 }, { 1, 4 } }, { { 1, 2 }, { 8, 1 } },
		{ { 1, 1 }, { 4, 8 } }, { { 16, 64 }, { 1, 1 } },
	};

	(void)state;
	for (unsigned k = 0; k < 3 * ARRAY_SIZE(kinds); k++) {
		struct core_config config = config_of(lru, k % 3);

		for (unsigned i = 0; i < CORE_ARRAYS; i++) {
			bool second = i >= CORE_L1_ARRAYS;

			config.tlb[i].sector = kinds[k / 3].sector[second];
			config.tlb[i].coalesce = kinds[k / 3].coalesce[second];
		}
		grouped_equals_its_twin(&config, 12, 815 + k);
		grouped_equals_its_twin(&config, k & 1 ? 14 : 16, 815 + k);
	}
}

#define KERNEL UINT64_C(0xffff800000000000)

/* Pages of the kernel, in all spaces: with hints and without, and the twin. */
static void
global_pages_equal_their_twin(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 12; k++) {
		struct core_config config = config_of(lru, k % 3);
		uint64_t random = 31 + k;
		static struct world hot, plain, slow;

		config.asid.global = true;
		config.tlb[CORE_L2].coalesce = k / 3 == 3 ? 8 : 1;
		world_open_with(&hot, &config, &small_caches, false);
		world_open_with(&slow, &config, &small_caches, true);
		config.plain = true;
		world_open_with(&plain, &config, &small_caches, false);
		for (unsigned round = 0; round < 40; round++) {
			struct world *worlds[] = { &hot, &plain };
			uint32_t space = (uint32_t)(round / 2 % SPACES);
			uint64_t from = next_random(&random) % 40 << 12;
			struct batch *batch = &hot.batch;

			if (round % 5)
				fill_batch(&hot, &random);
			else
				fill_near(&hot, &random);
			for (unsigned i = 0; i < BATCH; i++)
				if (next_random(&random) & 1)
					batch->address[i] |= KERNEL;
			for (unsigned i = 0; i < 2; i++) {
				core_switch(&worlds[i]->core, space,
					    worlds[i]->table[space]);
				assert_int_equal(core_feed(&worlds[i]->core,
							   batch, 0, BATCH),
						 0);
				world_invalidate(worlds[i], space,
						 from | KERNEL, 7 << 12);
			}
			twin_feed(&slow, batch, space);
			world_invalidate(&slow, space, from | KERNEL, 7 << 12);
		}
		twin_agrees(&hot, &slow);
		twin_agrees(&plain, &slow);
		world_close(&hot);
		world_close(&plain);
		world_close(&slow);
	}
}

/* Where every switch flushes: one page of the kernel's, in each space. */
static void
global_pages_outlive_switches(void **state)
{
	(void)state;
	for (unsigned global = 0; global < 2; global++) {
		struct core_config config = config_of(lru, 0);
		static struct world world;

		config.asid.asids = 0;
		config.asid.global = global;
		world_open(&world, &config, false);
		batch_reset(&world.batch);
		batch_access(&world.batch, KERNEL | 0x5000, world.site[0]);
		batch_access(&world.batch, 0x5000, world.site[0]);
		for (unsigned i = 0; i < 100; i++) {
			core_switch(&world.core, i % SPACES,
				    world.table[i % SPACES]);
			assert_int_equal(core_feed(&world.core, &world.batch, 0,
						   2),
					 0);
		}
		assert_int_equal(world.core.counts.l2_misses[0],
				 global ? 101 : 200);
		world_close(&world);
	}
}

/* With hints, without, and cut into other batches: the same counts. */
static void
hot_loop_equals_the_plain_one(void **state)
{
	char *const policies[] = { lru, fifo, random_name, srrip, clock_name };
	static struct world hot, plain, data;

	(void)state;
	for (unsigned k = 0; k < 15; k++) {
		struct core_config config = config_of(policies[k / 3], k % 3);
		uint64_t random = 99 + k;

		config.asid.asids = k % 4; /* fewer than spaces, or none */
		world_open(&hot, &config, false);
		config.data_cached = true;
		world_open(&data, &config, false);
		config.data_cached = false;
		config.plain = true;
		world_open(&plain, &config, false);
		for (unsigned round = 0; round < 40; round++) {
			struct world *worlds[] = { &hot, &plain, &data };
			uint32_t space = (uint32_t)(round / 2 % SPACES);
			uint32_t cut = (uint32_t)(next_random(&random) % BATCH);
			uint64_t from = next_random(&random) % 1500 << 12;

			fill_batch(&hot, &random);
			for (unsigned i = 0; i < 3; i++) {
				struct core *core = &worlds[i]->core;

				core_switch(core, space,
					    worlds[i]->table[space]);
				assert_int_equal(core_feed(core, &hot.batch, 0,
							   cut),
						 0);
				core_invalidate(core, space, from, 20 << 12);
				assert_int_equal(core_feed(core, &hot.batch,
							   cut, BATCH),
						 0);
			}
		}
		/* slow hits of 4K pages are not told apart by the hot loop */
		for (unsigned side = 0; side < 2; side++)
			hot.core.counts.l1_large[side][0] =
				data.core.counts.l1_large[side][0] =
					plain.core.counts.l1_large[side][0];
		counts_equal(&hot.core.counts, &plain.core.counts);
		counts_equal(&hot.core.counts, &data.core.counts);
		walkers_equal(&hot.core.walker, &plain.core.walker);
		assert_int_equal(hot.faults, plain.faults);
		world_close(&hot);
		world_close(&plain);
		world_close(&data);
	}
}

enum mix {
	MIX_DATA, /* of 4K pages */
	MIX_ALL,  /* all sizes, lengths and kinds */
	MIX_ONE,  /* of 4K pages and, from batch 3 on, of one 2M page */
	MIXES
};

/* Accesses of which most miss. */
static void
fill_heavy(struct world *world, uint64_t *random, enum mix mix, uint64_t pages)
{
	struct batch *batch = &world->batch;

	batch_reset(batch);
	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t x = next_random(random);
		unsigned site = (unsigned)(x >> 56) & (mix == MIX_ALL ? 15 : 5);
		uint64_t page = (x >> 8) % pages;
		bool large = mix != MIX_DATA && !(x >> 40 & 7);
		uint64_t offset = (x >> 20) & (site < 12 ? 0xfff : 0xff0);

		if (x & 3) /* skewed */
			page = page * page / pages;
		if (large)
			page = UINT64_C(1) << 28 |
			       page % (mix == MIX_ALL ? 50000 : 512);
		batch_access(batch, page << 12 | offset, world->site[site]);
	}
}

static const struct hierarchy_config no_caches = { .memory = { .latency = 9 } };

/* Walks through caches; data too; no caches; data, but no walks. */
static void
set_caches(unsigned kind, struct core_config *config,
	   struct hierarchy_config *caches)
{
	*caches = kind == 2 ? no_caches : small_caches;
	caches->levels.walks = kind == 3 ? 2 : 0;
	config->data_cached = kind & 1;
}

/*
 * Where most accesses miss: the loop for it, the queue of walks and data, and
 * what ends them in mid-batch: faults that split, unmap and protect others.
 */
static void
heavy_batches_equal_their_twin(void **state)
{
	static struct world real, slow;

	(void)state;
	for (unsigned k = 0; k < 4 * 4 * MIXES; k++) {
		struct core_config config = config_of(lru, k % 4);
		struct hierarchy_config caches;
		enum mix mix = k / 4 % MIXES;
		uint64_t random = 815 + k;
		unsigned heavy = 0;

		set_caches(k / 4 / MIXES, &config, &caches);
		world_open_with(&real, &config, &caches, false);
		world_open_with(&slow, &config, &caches, true);
		assert_int_equal(real.core.flat, k / 4 / MIXES == 2);
		if ((k + k / 4 + k / 4 / MIXES) & 1)
			forgo_vectors(&real.core, k & 2);
		real.turmoil = slow.turmoil = true;
		for (unsigned round = 0; round < 60; round++) {
			uint32_t space = (uint32_t)(round / 5 % 3);

			fill_heavy(&real, &random,
				   mix == MIX_ONE && round < 3 ? MIX_DATA : mix,
				   1500);
			core_switch(&real.core, space, real.table[space]);
			heavy += real.core.heavy;
			assert_int_equal(core_feed(&real.core, &real.batch, 0,
						   BATCH),
					 0);
			twin_feed(&slow, &real.batch, space);
		}
		assert_true(heavy > 50);
		assert_true(real.faults > 1000 &&
			    real.walked > 3 * real.faults);
		twin_agrees(&real, &slow);
		world_close(&real);
		world_close(&slow);
	}
}

#define HASHED(...)                                   \
	{                                             \
		&hashed_table,                        \
		{                                     \
			.own.hashed = { __VA_ARGS__ } \
		}                                     \
	}
#define NESTED(guest_, pages_, m)                                 \
	{                                                         \
		&nested_table,                                    \
		{                                                 \
			.own = { .radix = { 4 }, NESTED_PARTS },  \
			.host = { .radix = { m }, NESTED_PARTS }, \
			.nested = { NULL, NULL, pages_, guest_,   \
				    &radix_table },               \
			.nested_array = {                         \
				{ 16, 4, lru, 0, 1 },             \
				{ 8, 4, lru, 0, 1 },              \
				{ 4, 0, lru, 0, 1 }               \
			}                                         \
		}                                                 \
	}
#define NESTED_PARTS                                    \
	.hashed = { HASHED_OPEN, 0, 0, 8, 0.5, 4, 12 }, \
	.cuckoo = { 3, 8, 128, 0.6, 32, 4, 0, 0, true }

/* Tables of other kinds, whose walks have any number of references. */
static const struct {
	const struct table_ops *ops;
	struct tables_config config;
} table_kinds[] = {
	HASHED(HASHED_OPEN, 0, 0, 1, 0.7, 512, 64),
	HASHED(HASHED_OPEN, 0, HASHED_LARGE_FIRST, 8, 0.5, 4, 64),
	HASHED(HASHED_CHAINED, HASHED_INLINE, 0, 1, 2, 64, 64),
	HASHED(HASHED_CHAINED, HASHED_APART, 0, 4, 2, 64, 64),
	{ &inverted_table, { .own.inverted = { 1 } } },
	{ &flat_table, { .own.flat = { 5 } } },
	{ &radix_table, { .own.radix = { 3 } } },
	{ &cuckoo_table,
	  { .own.cuckoo = { 3, 8, 128, 0.6, 32, 4, 8, 2, true } } },
	{ &cuckoo_table,
	  { .own.cuckoo = { 4, 1, 2, 0.9, 100, 1, 0, 1, false } } },
	NESTED(&radix_table, 0, 4),
	NESTED(&radix_table, 1, 5),
	NESTED(&hashed_table, 1, 3),
	NESTED(&cuckoo_table, 1, 4),
	{ &shadow_table,
	  { .own = { .radix = { 5 } },
	    .host = { .hashed = { HASHED_OPEN, 0, 0, 1, 0.5, 4, 64 } },
	    .shadow = { NULL, NULL, 100, &radix_table, &hashed_table } } },
};

static void
feed_kinds(struct world *heavy, struct world *plain, uint64_t random)
{
	struct world *worlds[] = { heavy, plain };

	heavy->turmoil = plain->turmoil = true;
	for (unsigned round = 0; round < 24; round++) {
		uint32_t space = round / 5 % 3;

		fill_heavy(heavy, &random, round < 12 ? MIX_DATA : MIX_ALL,
			   1500);
		for (unsigned i = 0; i < 2; i++) {
			core_switch(&worlds[i]->core, space,
				    worlds[i]->table[space]);
			assert_int_equal(core_feed(&worlds[i]->core,
						   &heavy->batch, 0, BATCH),
					 0);
		}
		assert_true(heavy->core.heavy && !plain->core.heavy);
		assert_int_equal(heavy->trail, plain->trail);
	}
}

/* Of each kind: many walks at once, and each by itself. */
static void
kinds_of_tables_are_walked_alike(void **state)
{
	static struct world heavy, plain;

	(void)state;
	for (unsigned k = 0; k < 4 * ARRAY_SIZE(table_kinds); k++) {
		struct core_config config = config_of(lru, k % 3);
		struct hierarchy_config caches;
		const struct walker *walker = &heavy.core.walker;
		uint64_t references = 0, walks = 0;

		set_caches(k % 4, &config, &caches);
		world_kind(table_kinds[k / 4].ops, &table_kinds[k / 4].config);
		world_open_with(&heavy, &config, &caches, false);
		config.plain = true;
		world_open_with(&plain, &config, &caches, false);
		feed_kinds(&heavy, &plain, 91 + k);
		walkers_equal(walker, &plain.core.walker);
		assert_memory_equal(walker->by_references,
				    plain.core.walker.by_references,
				    sizeof(walker->by_references));
		for (unsigned i = 0; i < ASIDE_MAX; i++)
			assert_int_equal(walker->aside.array[i].hits,
					 plain.core.walker.aside.array[i].hits);
		assert_memory_equal(heavy.hierarchy->accesses,
				    plain.hierarchy->accesses,
				    sizeof(plain.hierarchy->accesses));
		/* the histogram adds up, and each walk reads something */
		for (uint64_t i = 0; i <= TABLE_REFERENCES_MAX; i++) {
			walks += walker->by_references[i];
			references += i * walker->by_references[i];
		}
		assert_int_equal(walker->by_references[0], 0);
		assert_int_equal(walks, walker->walks);
		assert_int_equal(references, walker->references);
		world_close(&heavy);
		world_close(&plain);
	}
	world_kind(NULL, NULL);
}

/* Tables without levels and without asides: a plain core walks them too. */
static void
kinds_of_tables_equal_their_twin(void **state)
{
	static struct world real, slow;

	(void)state;
	for (unsigned k = 0; k < 7; k++) {
		struct core_config config = config_of(lru, k % 4);
		uint64_t random = 1234 + k;

		world_kind(table_kinds[k].ops, &table_kinds[k].config);
		world_open_with(&real, &config, &small_caches, false);
		world_open_with(&slow, &config, &small_caches, true);
		real.turmoil = slow.turmoil = true;
		for (unsigned round = 0; round < 30; round++) {
			uint32_t space = round / 5 % 3;

			fill_heavy(&real, &random, round % MIXES, 1500);
			core_switch(&real.core, space, real.table[space]);
			assert_int_equal(core_feed(&real.core, &real.batch, 0,
						   BATCH),
					 0);
			twin_feed(&slow, &real.batch, space);
		}
		twin_agrees(&real, &slow);
		world_close(&real);
		world_close(&slow);
	}
	world_kind(NULL, NULL);
}

/* The same without a twin, for policies that it does not know. */
static void
heavy_batches_equal_plain_ones(void **state)
{
	char *const policies[] = { lru, fifo,  random_name, plru,
				   bip, srrip, clock_name,  lru };
	static struct world heavy, plain;

	(void)state;
	for (unsigned k = 0; k < 96; k++) {
		struct core_config config =
			config_of(policies[k % 4 + k / 48 * 4], k / 4 % 2);
		struct hierarchy_config caches =
			k % 7 == 3 ? no_caches : small_caches;
		uint64_t random = 4242 + k;

		if (k % 4 == 3 && config.tlb[CORE_L2].ways == 12)
			config.tlb[CORE_L2].ways = 8;
		config.pwc[0].ways = k / 48 ? 0 : 4; /* uses in a row */
		config.data_cached = k / 8 & 1;
		caches.l1d.replacement = k / 6 % 4 ? CACHE_PLRU : CACHE_LRU;
		caches.l2.replacement = k / 6 % 4;
		caches.l3.replacement = (k / 6 + 2) % 3;
		caches.levels.inclusive = k % 4 == 3;
		caches.levels.walks = k % 5 % 3;
		config.walker.overhead = 3 * (k & 1);
		world_open_with(&heavy, &config, &caches, false);
		if (k / 24 & 1)
			forgo_vectors(&heavy.core, k & 2);
		config.plain = true;
		world_open_with(&plain, &config, &caches, false);
		heavy.turmoil = plain.turmoil = true;
		for (unsigned round = 0; round < 20; round++) {
			struct world *worlds[] = { &heavy, &plain };

			fill_heavy(&heavy, &random, k % MIXES,
				   k / 48 ? 15000 : 1500);
			for (unsigned i = 0; i < 2; i++) {
				core_switch(&worlds[i]->core, round / 7,
					    worlds[i]->table[round / 7]);
				assert_int_equal(core_feed(&worlds[i]->core,
							   &heavy.batch, 0,
							   BATCH),
						 0);
			}
			assert_true(heavy.core.heavy && !plain.core.heavy);
			assert_int_equal(heavy.trail, plain.trail);
		}
		for (unsigned side = 0; side < 2; side++)
			heavy.core.counts.l1_large[side][0] =
				plain.core.counts.l1_large[side][0];
		counts_equal(&heavy.core.counts, &plain.core.counts);
		walkers_equal(&heavy.core.walker, &plain.core.walker);
		assert_memory_equal(heavy.hierarchy->accesses,
				    plain.hierarchy->accesses,
				    sizeof(plain.hierarchy->accesses));
		assert_memory_equal(heavy.hierarchy->misses,
				    plain.hierarchy->misses,
				    sizeof(plain.hierarchy->misses));
		world_close(&heavy);
		world_close(&plain);
	}
}

/*
 * A server's shapes over 262,144 pages, as the trace generate:mix has them.
 * One million accesses: the twin takes over a microsecond for each, so all
 * twenty million of that trace would take too long here.
 */
static void
server_core_equals_its_twin(void **state)
{
	static const struct tlb_config tlbs[CORE_ARRAYS] = {
		[CORE_L1D] = { 64, 4, lru, 0, 1 },
		[CORE_L1D_2M] = { 32, 4, lru, 0, 2 },
		[CORE_L1I] = { 128, 8, lru, 0, 1 },
		[CORE_L2] = { 1536, 12, lru, 9, 3 },
	};
	static const struct hierarchy_config caches = {
		.l1d = { 32 << 10, 8, 64, 4, CACHE_LRU },
		.l1i = { 32 << 10, 8, 64, 4, CACHE_LRU },
		.l2 = { 1 << 20, 16, 64, 14, CACHE_LRU },
		.l3 = { 32 << 20, 16, 64, 50, CACHE_LRU },
		.memory = { .latency = 200 },
	};
	struct core_config config = config_of(lru, 0);
	static struct world real, slow;
	uint64_t random = 1;

	(void)state;
	memcpy(config.tlb, tlbs, sizeof(tlbs));
	for (unsigned i = 3; i < CORE_ARRAYS; i++)
		config.tlb[i].replacement = lru;
	config.tlb[CORE_L1D_1G].replacement = lru;
	config.pwc[0] = (struct tlb_config){ 32, 4, lru, 0, 1 };
	config.pwc[1] = (struct tlb_config){ 4, 0, lru, 0, 1 };
	config.pwc[2] = (struct tlb_config){ 2, 0, lru, 0, 1 };
	config.pwc[3] = (struct tlb_config){ 0, 0, lru, 0, 1 };
	world_open_with(&real, &config, &caches, false);
	world_open_with(&slow, &config, &caches, true);
	core_switch(&real.core, 0, real.table[0]);
	for (unsigned round = 0; round < 1000000 / BATCH; round++) {
		fill_heavy(&real, &random, MIX_DATA, 262144);
		assert_int_equal(core_feed(&real.core, &real.batch, 0, BATCH),
				 0);
		twin_feed(&slow, &real.batch, 0);
	}
	assert_true(real.walked > 500000);
	twin_agrees(&real, &slow);
	world_close(&real);
	world_close(&slow);
}

/* Laws: hits + misses = lookups is how hits are made; these are not. */
static void
laws_hold(void **state)
{
	char *const policies[] = { lru, fifo, random_name, plru };
	static struct world world;

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct core_config config = config_of(policies[k], 0);
		const struct core_counts *c = &world.core.counts;
		uint64_t random = 5, kinds = 0;

		for (unsigned i = 0; k == 3 && i < CORE_ARRAYS; i++)
			config.tlb[i].ways = config.tlb[i].entries == 96
						     ? 8
						     : config.tlb[i].ways;
		world_open(&world, &config, false);
		for (unsigned round = 0; round < 20; round++) {
			fill_batch(&world, &random);
			core_switch(&world.core, round % SPACES,
				    world.table[round % SPACES]);
			assert_int_equal(core_feed(&world.core, &world.batch, 0,
						   BATCH),
					 0);
		}
		for (unsigned i = 0; i < 4; i++)
			kinds += c->kinds[i];
		assert_int_equal(kinds, 20 * BATCH);
		assert_int_equal(c->instructions, 3 * c->kinds[SITE_FETCH]);
		assert_int_equal(c->lookups[0] + c->lookups[1],
				 kinds + c->crossings);
		for (unsigned side = 0; side < 2; side++) {
			assert_true(c->l1_misses[side] <= c->lookups[side]);
			assert_int_equal(c->l1_misses[side],
					 c->l2_hits[side][0] +
						 c->l2_hits[side][1] +
						 c->l2_hits[side][2] +
						 c->l2_misses[side]);
		}
		assert_int_equal(world.core.walker.walks,
				 c->l2_misses[0] + c->l2_misses[1] -
					 c->untranslated);
		assert_int_equal(c->walks[0] + c->walks[1] + c->walks[2],
				 world.core.walker.walks);
		/* no caches: each reference costs the memory's 100 */
		assert_int_equal(world.core.walker.cycles,
				 100 * world.core.walker.references);
		world_close(&world);
	}
}

/* References of walks of 4K pages: 1 + misses of each walk cache. */
static void
references_are_walks_and_misses(void **state)
{
	struct core_config config = config_of(lru, 2);
	static struct world world;
	const struct walker *walker = &world.core.walker;
	uint64_t references, walks, misses = 0, random = 77;

	(void)state;
	world_open(&world, &config, false);
	core_switch(&world.core, 0, world.table[0]);
	for (unsigned pass = 0; pass < 2; pass++) {
		references = walker->references;
		walks = walker->walks;
		for (unsigned i = 0; i < PWC_LEVELS; i++)
			misses -= walker->pwc.lookups[i] - walker->pwc.hits[i];
		/* pass 0 faults the pages in, in order, by stores */
		for (unsigned i = 0; i < 20000; i++) {
			uint64_t n =
				pass ? next_random(&random) % 5000 : i % 5000;
			struct batch *batch = &world.batch;

			if (!batch->n)
				batch_reset(batch);
			batch_access(batch, n * 0x7531000, world.site[4]);
			if (batch->n < BATCH)
				continue;
			assert_int_equal(core_feed(&world.core, batch, 0,
						   BATCH),
					 0);
			batch_reset(batch);
		}
		for (unsigned i = 0; i < PWC_LEVELS; i++)
			misses += walker->pwc.lookups[i] - walker->pwc.hits[i];
		if (!pass)
			misses = 0;
	}
	assert_true(walker->walks - walks > 15000 && misses > 15000);
	assert_int_equal(walker->references - references,
			 walker->walks - walks + misses);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_equals_its_twin),
		cmocka_unit_test(granules_equal_their_twin),
		cmocka_unit_test(grouped_arrays_equal_their_twin),
		cmocka_unit_test(global_pages_equal_their_twin),
		cmocka_unit_test(global_pages_outlive_switches),
		cmocka_unit_test(hot_loop_equals_the_plain_one),
		cmocka_unit_test(heavy_batches_equal_their_twin),
		cmocka_unit_test(heavy_batches_equal_plain_ones),
		cmocka_unit_test(kinds_of_tables_are_walked_alike),
		cmocka_unit_test(kinds_of_tables_equal_their_twin),
		cmocka_unit_test(server_core_equals_its_twin),
		cmocka_unit_test(laws_hold),
		cmocka_unit_test(references_are_walks_and_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
