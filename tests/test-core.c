// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One core against a slow twin (plain-core.h), and against itself without
 * hints and without queues: random accesses of all kinds, page sizes
 * and lengths, in several address spaces, with pages that are read-only at
 * first, become writable, and are taken away.  Then closed forms of walks.
 */
#include "models/translation/core-hot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/tables/radix.h"
#include "tests/forgo-vectors.h"
#include "tests/plain-core.h"

#define SPACES 5u
#define BATCH  1000u

/* --- the world that both see --- */

struct world {
	struct frames *frames;
	struct hierarchy *hierarchy;
	struct table *table[SPACES];
	struct core core;
	struct plain_core *twin; /* NULL: none keeps up */
	bool turmoil;		 /* faults change other pages too */
	uint64_t faults, missed, walked;
	uint64_t trail; /* of what missed and when */
	struct stream *stream;
	uint32_t site[16];
	struct batch batch;
};

/* Which size a region has: by the top bits of the address. */
static unsigned
size_at(uint64_t address)
{
	return address >> 40 == 1 ? 21 : address >> 40 == 2 ? 30 : 12;
}

static void
world_invalidate(struct world *world, uint32_t space, uint64_t address,
		 uint64_t length)
{
	core_invalidate(&world->core, space, address, length);
	if (world->twin)
		plain_core_invalidate(world->twin, space, address,
				      address + length - 1);
}

/*
 * Something else that a kernel may do at a fault: pages go (2M pages are split
 * for it), tables go, a page becomes read-only.
 */
static void
disturb(struct world *world, uint32_t space)
{
	uint64_t x = world->faults * UINT64_C(0x9e3779b97f4a7c15) >> 20;
	uint64_t at = x & 7 ? x / 64 % 1500 << 12
			    : UINT64_C(1) << 40 | x / 64 % 50000 << 12;
	struct table *table = world->table[space];
	struct table_reference references[TABLE_REFERENCES_MAX];
	uint64_t length = (x >> 3 & 7) + 1;
	struct mapping mapping;

	switch (world->faults / 256 % 3) {
	case 0:
		table->ops->unmap(table, at, length << 12, false, NULL, NULL);
		world_invalidate(world, space, at, length << 12);
		break;
	case 1:
		at = at >> 21 << 21;
		table->ops->unmap(table, at, 1 << 21, true, NULL, NULL);
		world_invalidate(world, space, at, 1 << 21);
		break;
	default:
		table->ops->walk(table, at, references, &mapping);
		if (!mapping.shift)
			break;
		at = at >> mapping.shift << mapping.shift;
		mapping.writable = false;
		assert_int_equal(table->ops->map(table, at, &mapping), 0);
		world_invalidate(world, space, at,
				 UINT64_C(1) << mapping.shift);
	}
}

/* Reads map read-only at first, as the zero page; writes make it writable. */
static int
world_fault(void *context, uint32_t space, uint64_t address,
	    enum site_kind kind, uint64_t position, struct mapping *mapping)
{
	struct world *world = context;
	struct table *table = world->table[space];
	unsigned shift = size_at(address);
	uint64_t start = address >> shift << shift;

	(void)position;
	if (++world->faults % 256 == 0 && world->turmoil)
		disturb(world, space);
	world_invalidate(world, space, start, UINT64_C(1) << shift);
	*mapping = (struct mapping){ .frame = UINT64_C(1) << 43 | start,
				     .shift = (uint8_t)shift,
				     .writable = kind == SITE_STORE ||
						 kind == SITE_MODIFY };
	return table->ops->map(table, start, mapping);
}

static void
twin_fault(void *context, uint32_t space, uint64_t address, enum site_kind kind)
{
	struct mapping mapping;

	assert_int_equal(world_fault(context, space, address, kind, 0,
				     &mapping),
			 0);
}

static void
world_missed(void *context, const struct core_misses *misses)
{
	struct world *world = context;

	world->missed += misses->n;
	for (unsigned i = 0; i < misses->n; i++) {
		world->walked += misses->walked[i];
		world->trail =
			(world->trail ^ misses->address[i] ^
			 misses->position[i] << 44 ^
			 (uint64_t)misses->site[i] << 24 ^ misses->walked[i]) *
			UINT64_C(0x9e3779b97f4a7c15);
	}
}

/* Sites by kind and length: 1, 8, 64 and 300 bytes. */
static void
add_sites(struct world *world)
{
	static const uint32_t bytes[] = { 1, 8, 64, 300 };

	assert_int_equal(stream_open(&world->stream), 0);
	for (unsigned i = 0; i < 16; i++) {
		struct site site = { .pc = 0x1000 + i,
				     .size = i < 12 ? bytes[i % 4] : 16,
				     .kind = (uint8_t)(i / 4),
				     .instructions = i < 12 ? 0 : 3 };

		assert_int_equal(stream_site_add(world->stream, &site,
						 &world->site[i]),
				 0);
	}
}

static void
world_open_with(struct world *world, const struct core_config *config,
		const struct hierarchy_config *caches, bool twin)
{
	struct frames_config memory = { .size_bytes = 0 };
	struct radix_config radix = { .levels = 4 };
	struct core_kernel kernel = { world, world_fault, world_missed };

	*world = (struct world){ .faults = 0 };
	add_sites(world);
	assert_int_equal(batch_init(&world->batch), 0);
	assert_int_equal(frames_open(&world->frames, &memory), 0);
	assert_int_equal(hierarchy_open(&world->hierarchy, caches), 0);
	for (unsigned i = 0; i < SPACES; i++)
		assert_int_equal(radix_table.open(&world->table[i], &radix,
						  world->frames),
				 0);
	assert_int_equal(core_init(&world->core, config, &kernel,
				   world->hierarchy),
			 0);
	assert_int_equal(site_table_update(&world->core.sites, world->stream),
			 0);
	if (!twin)
		return;
	world->twin = malloc(sizeof(*world->twin));
	assert_non_null(world->twin);
	plain_core_init(world->twin, config, caches);
}

static void
world_open(struct world *world, const struct core_config *config, bool twin)
{
	struct hierarchy_config caches = { .memory = { .latency = 100 } };

	world_open_with(world, config, &caches, twin);
}

static void
world_close(struct world *world)
{
	core_fini(&world->core);
	for (unsigned i = 0; i < SPACES; i++)
		radix_table.close(world->table[i]);
	hierarchy_close(world->hierarchy);
	frames_close(world->frames);
	batch_fini(&world->batch);
	stream_close(world->stream);
	if (world->twin)
		plain_core_fini(world->twin);
	free(world->twin);
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

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

static void
counts_equal(const struct core_counts *a, const struct core_counts *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static void
walkers_equal(const struct walker *a, const struct walker *b)
{
	assert_int_equal(a->walks, b->walks);
	assert_int_equal(a->references, b->references);
	assert_int_equal(a->cycles, b->cycles);
	assert_int_equal(a->faulted, b->faulted);
	assert_int_equal(a->faulted_references, b->faulted_references);
	assert_memory_equal(a->found, b->found,
			    WALKER_LEVELS * sizeof(a->found[0]));
	assert_memory_equal(a->pwc.hits, b->pwc.hits, sizeof(a->pwc.hits));
}

static char lru[] = "lru", fifo[] = "fifo", random_name[] = "random",
	    plru[] = "plru";

static struct core_config
config_of(char *policy, unsigned shape)
{
	struct core_config config = { .asid = { .asids = 8 }, .seed = 3 };
	static const struct tlb_config shapes[][CORE_ARRAYS] = {
		{ [CORE_L1D] = { 16, 4, NULL, 0, 1 },
		  [CORE_L1D_2M] = { 8, 4, NULL, 0, 2 },
		  [CORE_L1D_1G] = { 4, 0, NULL, 0, 4 },
		  [CORE_L1I] = { 16, 8, NULL, 0, 1 },
		  [CORE_L1I_2M] = { 4, 0, NULL, 0, 2 },
		  [CORE_L2] = { 96, 12, NULL, 9, 3 },
		  [CORE_L2_1G] = { 4, 4, NULL, 9, 4 } },
		/* all sizes in one full array; a second level without 1G */
		{ [CORE_L1D] = { 32, 0, NULL, 0, 7 },
		  [CORE_L1I] = { 16, 0, NULL, 0, 7 },
		  [CORE_L2] = { 64, 4, NULL, 7, 3 } },
		/* only 4K anywhere: larger pages are splintered */
		{ [CORE_L1D] = { 20, 5, NULL, 0, 1 },
		  [CORE_L1I] = { 7, 7, NULL, 0, 1 },
		  [CORE_L2] = { 48, 3, NULL, 8, 1 } },
		/* sets that are no power of two */
		{ [CORE_L1D] = { 24, 4, NULL, 0, 1 },
		  [CORE_L1D_2M] = { 6, 2, NULL, 0, 2 },
		  [CORE_L1I] = { 12, 4, NULL, 0, 1 },
		  [CORE_L2] = { 60, 5, NULL, 9, 3 } },
	};

	memcpy(config.tlb, shapes[shape], sizeof(config.tlb));
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		config.tlb[i].replacement = policy;
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		config.pwc[i] =
			(struct tlb_config){ 8 >> i, i ? 0 : 4, policy, 0, 1 };
	return config;
}

/* Returns how many accesses crossed into a second page. */
static uint64_t
twin_feed(struct world *world, const struct batch *batch, uint32_t space)
{
	const struct plain_kernel kernel = { world, twin_fault };
	uint64_t crossings = 0;

	for (uint32_t i = 0; i < batch->n; i++) {
		uint32_t ref = batch->site[i];
		uint64_t address = batch->address[i], end = address | 0xfff;
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

/* With hints, without, and cut into other batches: the same counts. */
static void
hot_loop_equals_the_plain_one(void **state)
{
	char *const policies[] = { lru, fifo, random_name };
	static struct world hot, plain, data;

	(void)state;
	for (unsigned k = 0; k < 9; k++) {
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

static const struct hierarchy_config small_caches = {
	.l1d = { 4 << 10, 4, 64, 4, CACHE_LRU },
	.l1i = { 4 << 10, 8, 64, 4, CACHE_LRU },
	.l2 = { 32 << 10, 8, 64, 14, CACHE_LRU },
	.l3 = { 88 << 10, 11, 64, 50, CACHE_LRU },
	.memory = { .latency = 250 },
};

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

/*
 * Where most accesses miss: the loop for it, the queue of walks and data, and
 * what ends them in mid-batch: faults that split, unmap and protect others.
 */
static void
heavy_batches_equal_their_twin(void **state)
{
	static struct world real, slow;

	(void)state;
	for (unsigned k = 0; k < 4 * 2 * MIXES; k++) {
		struct core_config config = config_of(lru, k % 4);
		enum mix mix = k / 4 % MIXES;
		uint64_t random = 815 + k;
		unsigned heavy = 0;

		config.data_cached = k / 4 / MIXES;
		world_open_with(&real, &config, &small_caches, false);
		world_open_with(&slow, &config, &small_caches, true);
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
		assert_true(heavy > 50 && real.faults > 1000 &&
			    real.walked > 3 * real.faults);
		twin_agrees(&real, &slow);
		world_close(&real);
		world_close(&slow);
	}
}

/* The same without a twin, for policies that it does not know. */
static void
heavy_batches_equal_plain_ones(void **state)
{
	char *const policies[] = { lru, fifo, random_name, plru };
	static struct world heavy, plain;

	(void)state;
	for (unsigned k = 0; k < 48; k++) {
		struct core_config config =
			config_of(policies[k % 4], k / 4 % 2);
		struct hierarchy_config caches = small_caches;
		uint64_t random = 4242 + k;

		if (k % 4 == 3 && config.tlb[CORE_L2].ways == 12)
			config.tlb[CORE_L2].ways = 8;
		config.data_cached = k / 8 & 1;
		caches.l1d.replacement = k / 6 % 4 ? CACHE_PLRU : CACHE_LRU;
		caches.l2.replacement = k / 6 % 4;
		caches.l3.replacement = (k / 6 + 2) % 3;
		caches.levels.inclusive = k % 4 == 3;
		caches.levels.walks = k % 5 == 0;
		world_open_with(&heavy, &config, &caches, false);
		if (k / 24)
			forgo_vectors(&heavy.core, k & 2);
		config.plain = true;
		world_open_with(&plain, &config, &caches, false);
		heavy.turmoil = plain.turmoil = true;
		for (unsigned round = 0; round < 20; round++) {
			struct world *worlds[] = { &heavy, &plain };

			fill_heavy(&heavy, &random, k % MIXES, 1500);
			for (unsigned i = 0; i < 2; i++) {
				core_switch(&worlds[i]->core, round / 7,
					    worlds[i]->table[round / 7]);
				assert_int_equal(core_feed(&worlds[i]->core,
							   &heavy.batch, 0,
							   BATCH),
						 0);
			}
			assert_true(heavy.core.heavy && !plain.core.heavy);
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

/* --- packed batches --- */

#define SHAPES 60u

/* Accesses near the root, far from it, across its page's end, at addresses
 * without a root, wide ones, several pages of fetches, guarded ones. */
static void
add_shape(struct world *world, uint64_t *random)
{
	uint64_t x = next_random(random);
	unsigned n = 1 + (unsigned)(x % (x & 0x100 ? 5 : 40)), slots = 0;
	bool close = x & 0x10000; /* like most of real programs */
	struct shape_access access[40] = { { 0 } };
	struct step step = { .n_slots = 0 };

	for (unsigned i = 0; i < n; i++) {
		uint64_t y = next_random(random);
		unsigned site = (unsigned)(y % (y & 0x700 ? 15 : 16));

		access[i].ref = world->site[site];
		access[i].displacement = (int64_t)(y >> 16 & 0xff) - 100;
		if (y & 0x3000)
			access[i].slot = (uint16_t)(1 + (y >> 24) % 6);
		if (site >= 12)
			access[i].slot = 0;
		if (!access[i].slot)
			access[i].displacement =
				(int64_t)((y >> 30) % 6 << 12 | (y & 0xff0));
		else if (!(y & 0xf8000))
			access[i].displacement <<= 6;
		if (close && site < 12) {
			access[i].ref = world->site[site & ~2u];
			access[i].slot = (uint16_t)(1 + (y >> 24) % 2);
			access[i].displacement = (int64_t)(y >> 32 & 0x3f);
		}
		access[i].guarded = access[i].slot && (x & 0xf000) == 0x3000;
		if (access[i].slot > slots)
			slots = access[i].slot;
	}
	assert_int_equal(stream_shape_add(world->stream, access, n, slots,
					  &step.shape),
			 0);
	for (unsigned part = 0; part < 2; part++) {
		uint32_t number;

		step.n_accesses = (uint16_t)(part ? n : 1 + n / 2);
		for (unsigned i = 0; i < step.n_accesses; i++)
			if (access[i].slot > step.n_slots)
				step.n_slots = access[i].slot;
		assert_int_equal(stream_step_add(world->stream, &step, &number),
				 0);
	}
}

static void
fill_packed(struct world *world, uint64_t *random)
{
	struct batch *batch = &world->batch;
	uint32_t n = 0;

	batch_reset(batch);
	batch->packed = true;
	while (n < BATCH) {
		uint32_t number =
			(uint32_t)(next_random(random) % (2 * SHAPES));
		const struct step *step = stream_step(world->stream, number);

		batch->step[batch->n_steps++] = number;
		for (unsigned i = 0; i < step->n_slots; i++) {
			uint64_t x = next_random(random);
			uint64_t most = x & 0x200 ? 6 : x & 0x1e0 ? 30 : 900;
			uint64_t page = (x >> 10) % most;
			uint64_t region = (x >> 40) % 8;

			region = region < 6 ? 0 : region < 7 ? 1 : 2;
			batch->root[batch->n_roots++] =
				step->guarded && x % 3 == 0
					? 0
					: region << 40 |
						  page << (region ? 17 : 12) |
						  (x >> 20 & 0xfff);
		}
		n += step->n_accesses;
	}
}

/* Pages, or only their entries: the next read maps them read-only. */
static void
take_away(struct world *world, uint32_t space, uint64_t address, uint64_t pages,
	  bool unmap)
{
	struct table *table = world->table[space];

	if (unmap)
		table->ops->unmap(table, address, pages << 12, false, NULL,
				  NULL);
	core_invalidate(&world->core, space, address, pages << 12);
}

/* Feed in pieces that end inside steps too, with pages taken away between. */
static void
feed_pieces(struct world *world, const struct batch *batch, uint32_t n,
	    uint32_t space, uint64_t random)
{
	struct core *core = &world->core;
	struct core_pass pass;
	uint64_t before, walks;

	core_switch(core, space, world->table[space]);
	before = core->counts.l2_misses[0] + core->counts.l2_misses[1];
	assert_int_equal(core_pass_begin(core, &pass, world->stream, batch), 0);
	while (pass.at < n) {
		uint64_t x = next_random(&random);
		uint32_t to = pass.at + (uint32_t)(x % 700);

		assert_int_equal(core_pass_feed(core, &pass, to < n ? to : n),
				 0);
		if (x & 0x10000)
			take_away(world, space, (x >> 20) % 40 << 12,
				  (x >> 28) % 8 + 1, x & 0x20000);
	}
	assert_int_equal(pass.at, n);
	/* Of this batch alone: once all walks so far counted, and every batch
	 * went the way of those that mostly miss. */
	walks = core->counts.l2_misses[0] + core->counts.l2_misses[1] - before;
	if (pass.stepwise)
		assert_int_equal(core->heavy, walks > n / 8);
}

static void
worlds_equal(struct world *a, struct world *b)
{
	for (unsigned side = 0; side < 2; side++)
		a->core.counts.l1_large[side][0] =
			b->core.counts.l1_large[side][0] = 0;
	counts_equal(&a->core.counts, &b->core.counts);
	walkers_equal(&a->core.walker, &b->core.walker);
	assert_int_equal(a->faults, b->faults);
	assert_int_equal(a->missed, b->missed);
	assert_int_equal(a->trail, b->trail);
	assert_int_equal(a->core.position, b->core.position);
}

/* The tags of a set, the latest used first. */
static void
set_in_order(const struct tlb *tlb, uint32_t set, uint64_t *tag)
{
	uint64_t stamp[64];

	assert_true(tlb->ways <= 64);
	for (uint32_t i = 0; i < tlb->ways; i++) {
		uint32_t slot = set * tlb->ways + i, k = i;
		uint64_t now = tlb->rows ? 64 - i : tlb->column.stamp[slot];

		for (; k > 0 && stamp[k - 1] < now; k--) {
			stamp[k] = stamp[k - 1];
			tag[k] = tag[k - 1];
		}
		stamp[k] = now;
		tag[k] = tlb->column.tag[slot];
	}
}

/* The same entries, used in the same order. */
static void
first_levels_equal(const struct core *a, const struct core *b)
{
	uint64_t tags[2][64];

	for (unsigned i = 0; i < CORE_L1_ARRAYS; i++)
		for (uint32_t set = 0; set < a->tlb[i].sets; set++) {
			set_in_order(&a->tlb[i], set, tags[0]);
			set_in_order(&b->tlb[i], set, tags[1]);
			assert_memory_equal(tags[0], tags[1],
					    a->tlb[i].ways * sizeof(uint64_t));
		}
}

/* Steps, columns and the loop without hints: the same counts and misses. */
static void
steps_equal_columns(void **state)
{
	char *const policies[] = { lru, fifo, random_name, plru };
	static struct world steps, columns, plain;
	uint64_t taken = 0;

	(void)state;
	for (unsigned k = 0; k < 12; k++) {
		struct core_config config = config_of(policies[k / 3], k % 3);
		uint64_t random = 1234 + k;

		for (unsigned i = 0; k / 3 == 3 && i < CORE_ARRAYS; i++)
			config.tlb[i].ways = config.tlb[i].ways & 4 ? 4 : 1;
		for (unsigned i = 0; k / 3 == 3 && i < PWC_LEVELS; i++)
			config.pwc[i].ways = 2;
		config.asid.asids = k % 4;
		world_open(&steps, &config, false);
		world_open(&columns, &config, false);
		config.plain = true;
		world_open(&plain, &config, false);
		steps.turmoil = columns.turmoil = plain.turmoil = true;
		for (unsigned i = 0; i < SHAPES; i++) {
			uint64_t same[2] = { random, random };

			add_shape(&steps, &random);
			add_shape(&columns, &same[0]);
			add_shape(&plain, &same[1]);
		}
		for (unsigned round = 0; round < 60; round++) {
			uint32_t space = (uint32_t)(round / 5 % SPACES), n;
			struct batch *batch = &columns.batch;
			uint64_t same = random;

			fill_packed(&steps, &random);
			fill_packed(&columns, &same);
			batch_expand(batch, columns.stream);
			batch->packed = false;
			steps.batch.n = n = batch->n;
			/* do it by steps always */
			core_set_heavy(&steps.core, false);
			feed_pieces(&steps, &steps.batch, n, space, random);
			feed_pieces(&columns, batch, n, space, random);
			feed_pieces(&plain, batch, n, space, random);
			first_levels_equal(&steps.core, &columns.core);
			first_levels_equal(&steps.core, &plain.core);
		}
		taken += steps.core.steps.n;
		worlds_equal(&steps, &columns);
		worlds_equal(&steps, &plain);
		world_close(&steps);
		world_close(&columns);
		world_close(&plain);
	}
	assert_int_equal(taken, 12 * 2 * SHAPES);
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
		cmocka_unit_test(hot_loop_equals_the_plain_one),
		cmocka_unit_test(heavy_batches_equal_their_twin),
		cmocka_unit_test(heavy_batches_equal_plain_ones),
		cmocka_unit_test(server_core_equals_its_twin),
		cmocka_unit_test(steps_equal_columns),
		cmocka_unit_test(laws_hold),
		cmocka_unit_test(references_are_walks_and_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
