// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core-world.h"

static const struct tables_config radix_config = { .own.radix.levels = 4 };
static const struct table_ops *kind_ops = &radix_table;
static const struct tables_config *kind_config = &radix_config;

void
world_kind(const struct table_ops *ops, const struct tables_config *config)
{
	kind_ops = ops ? ops : &radix_table;
	kind_config = ops ? config : &radix_config;
}

/* Which size a region has: by the top bits of the address. */
static unsigned
size_at(const struct world *world, uint64_t address)
{
	unsigned granule = world->granule, above = (unsigned)(address >> 40);

	if (above > 2 || !above)
		return granule;
	if (above == 1)
		return 21;
	return granule == 12 ? 30 : granule + (granule - 3);
}

void
world_invalidate(struct world *world, uint32_t space, uint64_t address,
		 uint64_t length)
{
	if (world->watcher)
		world->watcher->invalidated(world, space, address, length);
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
	unsigned shift = size_at(world, address);
	uint64_t start = address >> shift << shift;
	/* pages in a row are in a row of frames, but for some */
	uint64_t row = start * UINT64_C(0x9e3779b97f4a7c15) >> 61 ? 2 : 3;

	if (world->watcher)
		world->watcher->faulted(world, position);
	if (++world->faults % 256 == 0 && world->turmoil)
		disturb(world, space);
	if (world->taken_away)
		world_invalidate(world, space, world->taken_away, 4096);
	world_invalidate(world, space, start, UINT64_C(1) << shift);
	/* some are not in a row with those beside them */
	*mapping = (struct mapping){ .frame = row << 42 | (start << 17 >> 17),
				     .shift = (uint8_t)shift,
				     .writable = kind == SITE_STORE ||
						 kind == SITE_MODIFY };
	return table->ops->map(table, start, mapping);
}

void
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
			 (uint64_t)misses->site[i] << 24 ^
			 (uint64_t)misses->cycles[i] << 1 ^ misses->walked[i]) *
			UINT64_C(0x9e3779b97f4a7c15);
	}
}

static int
world_touched(void *context, uint32_t space, uint64_t address,
	      uint64_t position)
{
	struct world *world = context;

	assert_true(position + 8192 > world->core.position &&
		    position < world->core.position + 8192);
	world->watcher->touched(world, space, address);
	return 0;
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

void
world_open_with(struct world *world, const struct core_config *config,
		const struct hierarchy_config *caches, bool twin)
{
	struct frames_config memory = {
		.size_bytes = kind_ops == &inverted_table ? 1 << 28 : 0
	};
	struct table_with with = { .config = kind_config,
				   .kinds = &kind_config->own,
				   .shared = &world->shared };
	struct core_kernel kernel = { world, world_fault, world_missed,
				      world_touched };

	*world = (struct world){ .granule = config->granule ? config->granule
							    : 12 };
	add_sites(world);
	assert_int_equal(batch_init(&world->batch), 0);
	assert_int_equal(frames_open(&world->frames, &memory), 0);
	assert_int_equal(hierarchy_open(&world->hierarchy, caches), 0);
	with.frames = world->frames;
	for (unsigned i = 0; i < SPACES; i++) {
		with.space = i;
		assert_int_equal(kind_ops->open(&world->table[i], &with), 0);
	}
	assert_int_equal(core_init(&world->core, config, &kernel,
				   world->hierarchy),
			 0);
	if (kind_ops->aside_open)
		assert_int_equal(kind_ops->aside_open(&world->core.walker.aside,
						      &with, 5),
				 0);
	assert_int_equal(site_table_update(&world->core.sites, world->stream),
			 0);
	if (!twin)
		return;
	world->twin = malloc(sizeof(*world->twin));
	assert_non_null(world->twin);
	plain_core_init(world->twin, config, caches);
}

void
world_open(struct world *world, const struct core_config *config, bool twin)
{
	struct hierarchy_config caches = { .memory = { .latency = 100 } };

	world_open_with(world, config, &caches, twin);
}

void
world_close(struct world *world)
{
	core_fini(&world->core);
	for (unsigned i = 0; i < SPACES; i++)
		world->table[i]->ops->close(world->table[i]);
	hierarchy_close(world->hierarchy);
	frames_close(world->frames);
	batch_fini(&world->batch);
	stream_close(world->stream);
	if (world->twin)
		plain_core_fini(world->twin);
	free(world->twin);
}

uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void
counts_equal(const struct core_counts *a, const struct core_counts *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

void
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

char lru[] = "lru", fifo[] = "fifo", random_name[] = "random", plru[] = "plru";
char srrip[] = "srrip", clock_name[] = "clock", bip[] = "bip";

struct core_config
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
