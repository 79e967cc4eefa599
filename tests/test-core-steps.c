// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packed batches fed step by step against their columns, and against the loop
 * without hints, in pieces that end inside steps, with pages taken away between.
 */
#include "tests/core-world.h"

#define SHAPES 60u
#define SLOTS  (1u << 16) /* of pages that were touched */

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
			access[i].displacement *= 64;
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
	world_invalidate(world, space, address, pages << 12);
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
	char *const policies[] = { lru, fifo, random_name, plru, srrip, bip };
	static struct world steps, columns, plain;
	uint64_t taken = 0;

	(void)state;
	for (unsigned k = 0; k < 18; k++) {
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
	assert_int_equal(taken, 18 * 2 * SHAPES);
}

/*
 * Pages that were touched since they were invalidated, and a trail of which were
 * so first, between which faults.  A plain watcher goes through all accesses
 * itself, up to each fault and to the end of each piece.
 */
struct touches {
	struct watcher watcher; /* first */
	uint64_t page[SLOTS];	/* space << 52 | number, plus 1; 0: none */
	uint64_t n, trail;
	const uint64_t *address; /* NULL: the core tells */
	const uint32_t *site;
	uint32_t at, end, space;
	uint64_t position; /* of address[0] */
};

static uint64_t *
touch_slot(struct touches *touches, uint64_t key)
{
	uint64_t i = key * UINT64_C(0x9e3779b97f4a7c15) >> 48;

	while (touches->page[i % SLOTS] && touches->page[i % SLOTS] != key)
		i++;
	return &touches->page[i % SLOTS];
}

static void
touched(struct world *world, uint32_t space, uint64_t address)
{
	struct touches *touches = (struct touches *)world->watcher;
	uint64_t key = ((uint64_t)space << 52 | address >> 12) + 1;
	uint64_t *slot = touch_slot(touches, key);

	if (*slot)
		return;
	*slot = key;
	assert_true(++touches->n < SLOTS / 2);
	touches->trail = (touches->trail ^ key ^ world->faults << 40) *
			 UINT64_C(0x9e3779b97f4a7c15);
}

static bool
is_within(uint64_t key, uint32_t space, uint64_t address, uint64_t length)
{
	uint64_t page = (key - 1) & ((UINT64_C(1) << 52) - 1);

	return key && (key - 1) >> 52 == space && page >= address >> 12 &&
	       page <= (address + length - 1) >> 12;
}

/* The others move to where they are found. */
static void
untouch(struct world *world, uint32_t space, uint64_t address, uint64_t length)
{
	struct touches *touches = (struct touches *)world->watcher;
	static uint64_t kept[SLOTS];
	uint64_t n = 0;
	bool any = false;

	for (uint64_t at = address >> 12;
	     length <= 1 << 21 && at <= (address + length - 1) >> 12; at++)
		any |= *touch_slot(touches,
				   ((uint64_t)space << 52 | at) + 1) != 0;
	if (length <= 1 << 21 && !any)
		return;
	for (uint64_t i = 0; i < SLOTS; i++)
		if (touches->page[i] &&
		    !is_within(touches->page[i], space, address, length))
			kept[n++] = touches->page[i];
	memset(touches->page, 0, sizeof(touches->page));
	for (uint64_t i = 0; i < n; i++)
		*touch_slot(touches, kept[i]) = kept[i];
	touches->n = n;
}

static void
touch_up_to(struct world *world, uint64_t position)
{
	struct touches *touches = (struct touches *)world->watcher;

	while (touches->address && touches->at < touches->end &&
	       touches->position + touches->at < position) {
		uint64_t at = touches->address[touches->at];
		const struct site *site = stream_site(
			world->stream,
			SITE_INDEX(touches->site[touches->at++]));
		uint64_t last = at + site->size - 1;

		if (site->kind == SITE_FETCH)
			last = at;
		else if (last < at)
			last = UINT64_MAX;
		for (; at <= last; at = (at | 4095) + 1) {
			touched(world, touches->space, at);
			if ((at | 4095) == UINT64_MAX)
				break;
		}
	}
}

static struct touches *
touches_open(void)
{
	struct touches *touches = calloc(1, sizeof(*touches));

	assert_non_null(touches);
	touches->watcher = (struct watcher){ touched, untouch, touch_up_to };
	return touches;
}

/* As feed_pieces, fewer of them. */
static void
feed_watched(struct world *world, const struct batch *batch, uint32_t n,
	     uint32_t space, uint64_t random)
{
	struct touches *touches = (struct touches *)world->watcher;
	struct core *core = &world->core;
	struct core_pass pass;

	core_switch(core, space, world->table[space]);
	touches->at = 0;
	touches->space = space;
	touches->position = core->position;
	assert_int_equal(core_pass_begin(core, &pass, world->stream, batch), 0);
	while (pass.at < n) {
		uint64_t x = next_random(&random);
		uint32_t to = pass.at + 1 + (uint32_t)(x % 700);

		to = to < n ? to : n;
		touches->end = to;
		assert_int_equal(core_pass_feed(core, &pass, to), 0);
		touch_up_to(world, UINT64_MAX);
		if (x & 0x10000)
			take_away(world, space, (x >> 20) % 40 << 12,
				  (x >> 28) % 8 + 1, true);
	}
}

/* Whoever is fed how, the same pages are told first, between the same faults, as
 * by looking at every access. */
static void
all_first_touches_are_told(void **state)
{
	static struct world steps, columns, plain;
	uint64_t told = 0;

	(void)state;
	for (unsigned k = 0; k < 12; k++) {
		struct core_config config = config_of(k & 1 ? lru : fifo,
						      k % 3);
		struct touches *watcher[3];
		uint64_t random = 4321 + k;

		config.asid.asids = k % 4;
		world_open(&plain, &config, false);
		config.watch = true;
		world_open(&steps, &config, false);
		world_open(&columns, &config, false);
		for (unsigned i = 0; i < 3; i++)
			watcher[i] = touches_open();
		steps.watcher = &watcher[0]->watcher;
		columns.watcher = &watcher[1]->watcher;
		plain.watcher = &watcher[2]->watcher;
		steps.turmoil = columns.turmoil = plain.turmoil = true;
		for (unsigned i = 0; i < SHAPES; i++) {
			uint64_t same[2] = { random, random };

			add_shape(&steps, &random);
			add_shape(&columns, &same[0]);
			add_shape(&plain, &same[1]);
		}
		for (unsigned round = 0; round < 40; round++) {
			uint32_t space = (uint32_t)(round / 5 % SPACES), n;
			struct batch *batch = &columns.batch;
			uint64_t same = random;

			fill_packed(&steps, &random);
			fill_packed(&columns, &same);
			batch_expand(batch, columns.stream);
			batch->packed = false;
			steps.batch.n = n = batch->n;
			watcher[2]->address = batch->address;
			watcher[2]->site = batch->site;
			core_set_heavy(&steps.core, false);
			feed_watched(&steps, &steps.batch, n, space, random);
			feed_watched(&columns, batch, n, space, random);
			feed_watched(&plain, batch, n, space, random);
			assert_int_equal(watcher[0]->n, watcher[2]->n);
			assert_int_equal(watcher[0]->trail, watcher[2]->trail);
			assert_int_equal(watcher[1]->trail, watcher[2]->trail);
		}
		told += watcher[0]->n;
		world_close(&steps);
		world_close(&columns);
		world_close(&plain);
		for (unsigned i = 0; i < 3; i++)
			free(watcher[i]);
	}
	assert_true(told > 10000);
}

/* One step with these pages for roots. */
static void
feed_roots(struct world *world, uint32_t number, const uint64_t *page)
{
	struct batch *batch = &world->batch;
	struct core_pass pass;

	batch_reset(batch);
	batch->packed = true;
	batch->step[batch->n_steps++] = number;
	for (unsigned i = 0; i < 4; i++)
		batch->root[batch->n_roots++] = page[i] << 12;
	batch->n = 5;
	core_set_heavy(&world->core, false);
	core_switch(&world->core, 0, world->table[0]);
	assert_int_equal(core_pass_begin(&world->core, &pass, world->stream,
					 batch),
			 0);
	assert_int_equal(pass.stepwise, !world->core.plain);
	assert_int_equal(core_pass_feed(&world->core, &pass, 5), 0);
}

/*
 * A fault takes the page of a group away that was there when its step began:
 * those of the other groups were used last by what of them came before, not by
 * their first accesses.
 */
static void
opened_groups_are_stamped_by_their_last(void **state)
{
	static const uint64_t there[] = { 16, 32, 48, 16 };
	static const uint64_t faults[] = { 16, 32, 48, 64 };
	static struct world worlds[2];

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct core_config config = config_of(lru, k);

		for (unsigned i = 0; i < 2; i++) {
			struct world *world = &worlds[i];
			struct shape_access access[5] = {
				{ .slot = 1 }, { .slot = 2 }, { .slot = 3 },
				{ .slot = 1 }, { .slot = 4 },
			};
			struct step step = { .n_accesses = 5, .n_slots = 4 };
			uint32_t number;

			config.plain = i;
			world_open(world, &config, false);
			for (unsigned j = 0; j < 5; j++)
				access[j].ref = world->site[1];
			assert_int_equal(stream_shape_add(world->stream, access,
							  5, 4, &step.shape),
					 0);
			assert_int_equal(stream_step_add(world->stream, &step,
							 &number),
					 0);
			feed_roots(world, number, there);
			world->taken_away = UINT64_C(48) << 12;
			feed_roots(world, number, faults);
			assert_int_equal(world->faults, 4);
		}
		first_levels_equal(&worlds[0].core, &worlds[1].core);
		worlds_equal(&worlds[0], &worlds[1]);
		world_close(&worlds[0]);
		world_close(&worlds[1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened_groups_are_stamped_by_their_last),
		cmocka_unit_test(steps_equal_columns),
		cmocka_unit_test(all_first_touches_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
