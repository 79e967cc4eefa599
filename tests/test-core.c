// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One core against a slow twin that keeps every level as lists moved about,
 * and against itself without hints: random accesses of all kinds, page sizes
 * and lengths, in several address spaces, with pages that are read-only at
 * first, become writable, and are taken away.  Then closed forms of walks.
 */
#include "models/translation/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/tables/radix.h"

#define SPACES 5u
#define BATCH  1000u

/* --- the twin: keys in lists, the latest first --- */

struct twin_set {
	struct {
		uint64_t page;
		unsigned shift;
		uint32_t space;
		bool readonly;
	} key[64];
	unsigned n;
};

struct twin_array {
	unsigned sets, ways;
	int sizes;
	struct twin_set set[1024];
};

struct twin {
	struct twin_array l1[2][3], l2[2], pwc[PWC_LEVELS];
	uint64_t l1_misses[2], l2_hits[2], l2_misses[2], walks, references;
	uint64_t faults;
};

static void
array_init(struct twin_array *array, const struct tlb_config *config)
{
	unsigned entries = (unsigned)config->entries;

	array->ways = config->ways ? (unsigned)config->ways : entries;
	array->sets = entries ? entries / array->ways : 0;
	array->sizes = config->sizes;
	assert_true(array->ways <= 64 && array->sets <= 1024);
}

/* Take the key out; true if it was there. */
static bool
take(struct twin_array *array, uint32_t space, uint64_t address, unsigned shift,
     bool *readonly)
{
	uint64_t page = address >> shift;
	struct twin_set *set;

	if (!array->sets)
		return false;
	set = &array->set[page % array->sets];
	for (unsigned i = 0; i < set->n; i++)
		if (set->key[i].page == page && set->key[i].shift == shift &&
		    set->key[i].space == space) {
			*readonly = set->key[i].readonly;
			memmove(&set->key[i], &set->key[i + 1],
				(set->n - i - 1) * sizeof(set->key[0]));
			set->n--;
			return true;
		}
	return false;
}

static void
put_front(struct twin_array *array, uint32_t space, uint64_t address,
	  unsigned shift, bool readonly)
{
	uint64_t page = address >> shift;
	struct twin_set *set;

	if (!array->sets)
		return;
	set = &array->set[page % array->sets];
	if (set->n == array->ways)
		set->n--;
	memmove(&set->key[1], &set->key[0], set->n * sizeof(set->key[0]));
	set->key[0].page = page;
	set->key[0].shift = shift;
	set->key[0].space = space;
	set->key[0].readonly = readonly;
	set->n++;
}

/* Ask the arrays of a level: the size found, or 0. */
static unsigned
ask(struct twin_array *arrays, unsigned n, uint32_t space, uint64_t address,
    bool write, bool *readonly)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned code = 0; code < 3; code++) {
			unsigned shift = 12 + 9 * code;

			if (!(arrays[i].sizes >> code & 1) ||
			    !take(&arrays[i], space, address, shift, readonly))
				continue;
			if (*readonly && write)
				continue;
			put_front(&arrays[i], space, address, shift, *readonly);
			return shift;
		}
	return 0;
}

static void
enter(struct twin_array *arrays, unsigned n, uint32_t space, uint64_t address,
      unsigned shift, bool readonly)
{
	for (unsigned code = (shift - 12) / 9 + 1; code--;)
		for (unsigned i = 0; i < n; i++)
			if (arrays[i].sizes >> code & 1 && arrays[i].sets) {
				put_front(&arrays[i], space, address,
					  12 + 9 * code, readonly);
				return;
			}
}

static void
forget(struct twin_array *array, uint32_t space, uint64_t from, uint64_t last)
{
	for (unsigned s = 0; s < array->sets; s++) {
		struct twin_set *set = &array->set[s];
		unsigned kept = 0;

		for (unsigned i = 0; i < set->n; i++) {
			unsigned shift = set->key[i].shift;
			uint64_t first = set->key[i].page << shift;

			if (set->key[i].space == space && first <= last &&
			    first + ((UINT64_C(1) << shift) - 1) >= from)
				continue;
			set->key[kept++] = set->key[i];
		}
		set->n = kept;
	}
}

static void
twin_invalidate(struct twin *twin, uint32_t space, uint64_t from, uint64_t last)
{
	for (unsigned i = 0; i < 3; i++) {
		forget(&twin->l1[0][i], space, from, last);
		forget(&twin->l1[1][i], space, from, last);
	}
	forget(&twin->l2[0], space, from, last);
	forget(&twin->l2[1], space, from, last);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		forget(&twin->pwc[i], space, from, last);
}

/* --- the world that both see --- */

struct world {
	struct frames *frames;
	struct hierarchy *hierarchy;
	struct table *table[SPACES];
	struct core core;
	struct twin *twin; /* NULL: none keeps up */
	uint64_t faults, missed, walked;
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
		twin_invalidate(world->twin, space, address,
				address + length - 1);
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
	struct table_reference references[TABLE_REFERENCES_MAX];

	(void)position;
	world->faults++;
	table->ops->walk(table, address, references, mapping);
	if (mapping->shift)
		world_invalidate(world, space, start, UINT64_C(1) << shift);
	else
		mapping->frame = UINT64_C(1) << 45 | start;
	mapping->shift = (uint8_t)shift;
	mapping->writable = kind == SITE_STORE || kind == SITE_MODIFY;
	return table->ops->map(table, start, mapping);
}

static void
world_missed(void *context, const struct core_miss *miss)
{
	struct world *world = context;

	world->missed++;
	world->walked += miss->walked;
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
world_open(struct world *world, const struct core_config *config, bool twin)
{
	struct frames_config memory = { .size_bytes = 0 };
	struct radix_config radix = { .levels = 4 };
	struct hierarchy_config caches = { .memory = { .latency = 100 } };
	struct core_kernel kernel = { world, world_fault, world_missed };

	*world = (struct world){ .faults = 0 };
	add_sites(world);
	assert_int_equal(batch_init(&world->batch), 0);
	assert_int_equal(frames_open(&world->frames, &memory), 0);
	assert_int_equal(hierarchy_open(&world->hierarchy, &caches), 0);
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
	world->twin = calloc(1, sizeof(*world->twin));
	assert_non_null(world->twin);
	for (unsigned i = 0; i < 3; i++) {
		array_init(&world->twin->l1[0][i], &config->tlb[CORE_L1D + i]);
		array_init(&world->twin->l1[1][i], &config->tlb[CORE_L1I + i]);
	}
	array_init(&world->twin->l2[0], &config->tlb[CORE_L2]);
	array_init(&world->twin->l2[1], &config->tlb[CORE_L2_1G]);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		array_init(&world->twin->pwc[i], &config->pwc[i]);
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
	free(world->twin);
}

/* References of a walk, filling the walk caches, as pwc.h says. */
static unsigned
twin_walk(struct twin *twin, struct table *table, uint32_t space,
	  uint64_t address, struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned n = table->ops->walk(table, address, references, mapping);
	unsigned made = n;
	bool readonly;

	for (unsigned level = 2; level <= 4; level++) {
		struct twin_array *array = &twin->pwc[level - 2];
		unsigned shift = 12 + 9 * (level - 1);

		if (take(array, space, address, shift, &readonly)) {
			put_front(array, space, address, shift, false);
			made = n - (5 - level);
			break;
		}
	}
	for (unsigned i = n - made; i + 1 < n; i++)
		put_front(&twin->pwc[references[i].level - 2], space, address,
			  12 + 9 * (references[i].level - 1u), false);
	return made;
}

/* What the twin expects of one page of one access, before the core does it:
 * whether there will be a fault is known from the table. */
static void
twin_page(struct world *world, uint32_t space, uint64_t address,
	  enum site_kind kind)
{
	struct twin *twin = world->twin;
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	unsigned side = kind == SITE_FETCH, shift;
	struct table *table = world->table[space];
	struct mapping mapping;
	bool readonly = false;

	if (ask(twin->l1[side], 3, space, address, write, &readonly))
		return;
	twin->l1_misses[side]++;
	shift = ask(twin->l2, 2, space, address, write, &readonly);
	if (shift) {
		twin->l2_hits[side]++;
		enter(twin->l1[side], 3, space, address, shift, readonly);
		return;
	}
	twin->l2_misses[side]++;
	twin->references += twin_walk(twin, table, space, address, &mapping);
	if (!mapping.shift || (write && !mapping.writable)) {
		twin->faults++;
		assert_int_equal(world_fault(world, space, address, kind, 0,
					     &mapping),
				 0);
		world->faults--;
		twin->references +=
			twin_walk(twin, table, space, address, &mapping);
	}
	twin->walks++;
	/* where the first level takes 1G pages whole and the second does not,
	 * pieces that came from there give way to the page */
	for (unsigned i = 0; mapping.shift == 30 && i < 3; i++)
		if (twin->l1[side][0].sizes & 4)
			forget(&twin->l1[side][i], space, address >> 30 << 30,
			       address >> 30 << 30 | ((1 << 30) - 1));
	enter(twin->l2, 2, space, address, mapping.shift, !mapping.writable);
	enter(twin->l1[side], 3, space, address, mapping.shift,
	      !mapping.writable);
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

/* The twin goes through the batch first, on the same tables; so that the core
 * then meets the same state, the tables are put back. */
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
	assert_memory_equal(a->found, b->found, sizeof(a->found));
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
	uint64_t crossings = 0;

	for (uint32_t i = 0; i < batch->n; i++) {
		uint32_t ref = batch->site[i];
		uint64_t address = batch->address[i];
		uint64_t last =
			address +
			stream_site(world->stream, SITE_INDEX(ref))->size - 1;

		twin_page(world, space, address, SITE_KIND(ref));
		if (last >> 12 == address >> 12)
			continue;
		crossings++;
		twin_page(world, space, last & ~UINT64_C(0xfff),
			  SITE_KIND(ref));
	}
	return crossings;
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
		for (unsigned side = 0; side < 2; side++) {
			const struct core_counts *c = &real.core.counts;
			const struct twin *t = slow.twin;

			assert_int_equal(c->l1_misses[side],
					 t->l1_misses[side]);
			assert_int_equal(c->l2_misses[side],
					 t->l2_misses[side]);
			assert_int_equal(c->l2_hits[side][0] +
						 c->l2_hits[side][1] +
						 c->l2_hits[side][2],
					 t->l2_hits[side]);
			assert_true(t->l2_hits[side] > 100);
		}
		assert_int_equal(real.core.counts.crossings, crossings);
		assert_int_equal(real.core.walker.walks, slow.twin->walks);
		assert_int_equal(real.core.walker.references +
					 real.core.walker.faulted_references,
				 slow.twin->references);
		assert_int_equal(real.faults, slow.twin->faults);
		assert_int_equal(real.missed,
				 real.core.counts.l1_misses[0] +
					 real.core.counts.l1_misses[1]);
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
		cmocka_unit_test(laws_hold),
		cmocka_unit_test(references_are_walks_and_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
