// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables of all kinds against one plain twin, an array of what each 4K page
 * is, and hashed ones against what Knuth says of their probes (volume 3, 6.4).
 */
#include "models/tables/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/translation/aside.h"

#define WINDOW (UINT64_C(1) << 32) /* that the twin knows */
#define PAGES  (WINDOW / 4096)	   /* of it */
#define BASE   UINT64_C(0x7e0000000000)

struct fixture {
	struct frames *frames;
	struct table *table;
	void *shared;
	struct tables_config config;
	struct aside aside;
};

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
open_table(struct fixture *f, const struct table_ops *ops,
	   const struct tables_config *config)
{
	const struct frames_config memory = { .size_bytes = UINT64_C(8) << 30 };
	struct table_with with = { .config = &f->config,
				   .kinds = &f->config.own,
				   .space = 3,
				   .shared = &f->shared };

	memset(f, 0, sizeof(*f));
	f->config = *config;
	assert_int_equal(frames_open(&f->frames, &memory), 0);
	with.frames = f->frames;
	assert_int_equal(ops->open(&f->table, &with), 0);
	if (ops->aside_open)
		assert_int_equal(ops->aside_open(&f->aside, &with, 1), 0);
	f->table->aside = &f->aside;
}

static void
close_table(struct fixture *f)
{
	f->table->ops->close(f->table);
	assert_null(f->shared);
	assert_int_equal(frames_used(f->frames), 0);
	frames_close(f->frames);
	aside_fini(&f->aside);
}

/* All kinds, in shapes that meet their corners. */
struct kind {
	const char *name;
	const struct table_ops *ops;
	struct tables_config config;
};

#define HASHED(...) .ops = &hashed_table, .config.own.hashed = { __VA_ARGS__ }

#define CUCKOO(...) .ops = &cuckoo_table, .config.own.cuckoo = { __VA_ARGS__ }

static const struct kind kinds[] = {
	{ .name = "radix", .ops = &radix_table, .config.own.radix.levels = 4 },
	{ .name = "radix in 2M frames",
	  .ops = &radix_table,
	  .config = { .own.radix.levels = 5,
		      .memory.frames = TABLE_FRAMES_2M } },
	/* collisions, heads, order, pages, load, entries, probes */
	{ .name = "open", HASHED(HASHED_OPEN, 0, 0, 1, 0.5, 4, 64) },
	{ .name = "open, full", HASHED(HASHED_OPEN, 0, 0, 1, 0.9, 4, 64) },
	{ .name = "few probes", HASHED(HASHED_OPEN, 0, 0, 1, 0.9, 4, 6) },
	{ .name = "open, clustered",
	  HASHED(HASHED_OPEN, 0, HASHED_LARGE_FIRST, 8, 0.5, 4, 64) },
	{ .name = "chained", HASHED(HASHED_CHAINED, 0, 0, 1, 3, 4, 64) },
	{ .name = "chained apart, clustered",
	  HASHED(HASHED_CHAINED, HASHED_APART, 0, 16, 2, 4, 64) },
	{ .name = "flat", .ops = &flat_table, .config.own.flat.levels = 5 },
	{ .name = "inverted",
	  .ops = &inverted_table,
	  .config.own.inverted = { .anchors = 0.25 } },
	/* ways, pages, entries, load, evictions, moves, CWCs, beside */
	{ .name = "cuckoo", CUCKOO(3, 8, 128, 0.6, 32, 4, 16, 2, true) },
	{ .name = "cuckoo, full", CUCKOO(4, 1, 2, 0.95, 100, 1, 0, 0, false) },
	{ .name = "cuckoo, 2 ways", CUCKOO(2, 4, 2, 0.4, 5, 9, 4, 0, true) },
	{ .name = "three levels",
	  .ops = &radix_table,
	  .config.own.radix.levels = 3 },
	{ .name = "shadow",
	  .ops = &shadow_table,
	  .config = { .own.radix = { 4 },
		      .host.hashed = { HASHED_OPEN, 0, 0, 1, 0.5, 4, 64 },
		      .shadow = { NULL, NULL, 9, &radix_table,
				  &hashed_table } } },
};

/* With pages of 16K or 64K, 2M, and 32M or 512M. */
static const struct kind granules[] = {
	{ .name = "radix of 16K",
	  .ops = &granule_table,
	  .config = { .own.radix.levels = 4, .granule = 14 } },
	{ .name = "radix of 64K in 2M frames",
	  .ops = &granule_table,
	  .config = { .own.radix.levels = 3,
		      .granule = 16,
		      .memory.frames = TABLE_FRAMES_2M } },
	{ .name = "open of 16K",
	  .ops = &hashed_table,
	  .config = { .own.hashed = { HASHED_OPEN, 0, HASHED_LARGE_FIRST, 8,
				      0.5, 4, 64 },
		      .granule = 14 } },
	{ .name = "chained of 64K",
	  .ops = &hashed_table,
	  .config = { .own.hashed = { HASHED_CHAINED, 0, 0, 1, 3, 4, 64 },
		      .granule = 16 } },
	{ .name = "inverted of 16K",
	  .ops = &inverted_table,
	  .config = { .own.inverted = { .anchors = 1 }, .granule = 14 } },
	{ .name = "cuckoo of 64K",
	  .ops = &cuckoo_table,
	  .config = { .own.cuckoo = { 3, 8, 128, 0.6, 32, 4, 16, 2, true },
		      .granule = 16 } },
	{ .name = "shadow of 16K",
	  .ops = &shadow_table,
	  .config = { .own.radix = { 3 },
		      .host.hashed = { HASHED_OPEN, 0, 0, 1, 0.5, 4, 64 },
		      .shadow = { NULL, NULL, 9, &granule_table,
				  &hashed_table },
		      .granule = 14 } },
};

/* What a page is. */
struct plain_page {
	uint64_t frame; /* of the 4K; 0: nothing is there */
	bool writable;
};

struct twin {
	struct plain_page *page; /* [PAGES] */
	uint64_t gone;		 /* bytes that unmap is yet to tell of */
};

static void
tell_gone(void *context, uint64_t address, const struct mapping *mapping)
{
	struct twin *twin = context;
	uint64_t page = (address - BASE) / 4096;

	for (uint64_t i = 0; i < UINT64_C(1) << (mapping->shift - 12); i++) {
		assert_int_equal(twin->page[page + i].frame,
				 mapping->frame + i * 4096);
		twin->page[page + i].frame = 0;
		twin->gone -= 4096;
	}
}

static void
unmap_both(struct fixture *f, struct twin *twin, uint64_t from, uint64_t pages)
{
	twin->gone = 0;
	for (uint64_t i = from; i < from + pages; i++)
		twin->gone += twin->page[i].frame ? 4096 : 0;
	f->table->ops->unmap(f->table, BASE + from * 4096, pages * 4096,
			     from & 1, tell_gone, twin);
	assert_int_equal(twin->gone, 0);
}

static void
map_both(struct fixture *f, struct twin *twin, uint64_t page, unsigned shift,
	 uint64_t x)
{
	uint64_t n = UINT64_C(1) << (shift - 12), first = page / n * n;
	/* distinct physical memory, or some that others have too */
	struct mapping mapping = {
		.frame = (UINT64_C(1) << 30) +
			 (x & 7 ? first * 4096 : (x >> 8 & 3) << shift),
		.shift = (uint8_t)shift,
		.writable = x & 8,
	};

	assert_int_equal(f->table->ops->map(f->table, BASE + first * 4096,
					    &mapping),
			 0);
	for (uint64_t i = 0; i < n; i++)
		twin->page[first + i] =
			(struct plain_page){ mapping.frame + i * 4096,
					     mapping.writable };
}

static void
same_page(struct fixture *f, const struct twin *twin, uint64_t page)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	const struct plain_page *plain = &twin->page[page];
	uint64_t address = BASE + page * 4096;
	struct mapping mapping;
	unsigned n =
		f->table->ops->walk(f->table, address, references, &mapping);

	assert_in_range(n, 1, f->table->most);
	assert_int_equal(mapping.shift != 0, plain->frame != 0);
	if (!plain->frame)
		return;
	assert_int_equal(mapping.frame + (address &
					  ((UINT64_C(1) << mapping.shift) - 1)),
			 plain->frame);
	assert_int_equal(mapping.writable, plain->writable);
}

static void
one_step(struct fixture *f, struct twin *twin, uint64_t x)
{
	const unsigned least = tables_granule(&f->config);
	const unsigned most = least == 12 ? 30 : 2 * least - 3;
	const uint64_t unit = UINT64_C(1) << (least - 12);
	uint64_t page = (x >> 16) % (x & 0x100 ? PAGES : 6000) / unit * unit;
	unsigned what = x & 0xf;

	if (what < 9) {
		map_both(f, twin, page, least, x >> 32);
	} else if (what < 11) {
		map_both(f, twin, page, x & 0x1000 ? 21 : least, x >> 32);
	} else if (what < 12) {
		if (!(x & 0xf000))
			map_both(f, twin, page, most, x >> 32);
	} else if (what < 15) {
		uint64_t pages = (x >> 40) % 40 + 1;

		if (!(x & 0xe000))
			pages = (x >> 40) % 5000 + 1;
		pages = (pages + unit - 1) / unit * unit;
		if (page + pages <= PAGES)
			unmap_both(f, twin, page, pages);
	} else if (!(x & 0xff000)) {
		unmap_both(f, twin, 0, PAGES);
	}
}

static void
equal_their_twin(const struct kind *some, unsigned n)
{
	struct twin twin = { calloc(PAGES, sizeof(struct plain_page)), 0 };

	assert_non_null(twin.page);
	for (unsigned k = 0; k < n; k++) {
		uint64_t random = 99 + k;
		struct fixture f;

		open_table(&f, some[k].ops, &some[k].config);
		memset(twin.page, 0, PAGES * sizeof(*twin.page));
		for (unsigned i = 0; i < 6000; i++) {
			uint64_t x = next_random(&random);

			one_step(&f, &twin, x);
			same_page(&f, &twin, x >> 20 & (PAGES - 1));
			same_page(&f, &twin, x >> 40 & 4095);
		}
		for (uint64_t i = 0; i < PAGES; i += i < 9000 ? 1 : 97)
			same_page(&f, &twin, i);
		close_table(&f);
	}
	free(twin.page);
}

static void
tables_equal_their_twin(void **state)
{
	(void)state;
	equal_their_twin(kinds, ARRAY_SIZE(kinds));
}

static void
tables_of_granules_equal_their_twin(void **state)
{
	(void)state;
	equal_their_twin(granules, ARRAY_SIZE(granules));
}

enum {
	AHEAD = 200
};

/* Walks that were looked for ahead. */
struct ahead {
	uint64_t address[AHEAD], page[AHEAD];
	uint64_t reference[3 * TABLE_REFERENCES_MAX];
	uint8_t level[3 * TABLE_REFERENCES_MAX], from[AHEAD];
	uint16_t list[AHEAD], first[AHEAD], references[AHEAD];
	void *at[AHEAD];
};

/* Map pages of all sizes, far apart. */
static void
map_ahead(struct fixture *f, struct ahead *ahead, uint64_t random)
{
	for (unsigned i = 0; i < AHEAD; i++) {
		unsigned shift = i % 25 == 3 ? 21 : i % 50 == 7 ? 30 : 12;
		uint64_t at = BASE + (i % 3 * 7 + i) * 0x40000000ul;
		struct mapping mapping = {
			.frame = (1 + (uint64_t)i) << 31,
			.shift = (uint8_t)shift,
		};

		at += (next_random(&random) & 0x3ffff) << 12;
		ahead->address[i] = at;
		at = at >> shift << shift;
		assert_int_equal(f->table->ops->map(f->table, at, &mapping), 0);
		ahead->list[i] = (uint16_t)i;
		ahead->from[i] = (uint8_t)f->table->levels;
	}
}

/* Those that were made, each by itself: the same references. */
static void
same_walks(struct fixture *f, const struct ahead *ahead, const uint16_t *list,
	   unsigned made, unsigned all)
{
	unsigned at = 0;

	for (unsigned i = 0; i < made; i++) {
		struct table_reference one[TABLE_REFERENCES_MAX];
		unsigned j = list[i], n;
		struct mapping mapping;

		n = f->table->ops->walk_from(f->table, ahead->address[j],
					     f->table->levels, one, &mapping);
		assert_true(mapping.accessed);
		assert_int_equal(n, ahead->references[j]);
		assert_int_equal(ahead->page[j] & ~TABLE_BITS, mapping.frame);
		assert_int_equal(12 + 9 * TABLE_CODE(ahead->page[j]),
				 mapping.shift);
		for (unsigned m = 0; m < n; m++, at++) {
			assert_int_equal(one[m].address, ahead->reference[at]);
			assert_int_equal(one[m].level, ahead->level[at]);
		}
	}
	assert_int_equal(all, at);
}

/* With room for few at a time. */
static void
walk_ahead(struct fixture *f, struct ahead *ahead)
{
	struct table_walks walks = {
		.address = ahead->address,
		.looks = { ahead->page, ahead->at },
		.from = ahead->from,
		.list = ahead->list,
		.n = AHEAD,
		.room = f->table->most + 50,
		.reference = ahead->reference,
		.level = ahead->level,
		.references = ahead->references,
		.first = ahead->first,
	};

	assert_int_equal(f->table->ops->look(f->table, ahead->address, AHEAD,
					     &walks.looks),
			 AHEAD);
	while (walks.n) {
		unsigned all;

		walks.n_first = 0;
		if (f->table->most <= TABLE_LEVELS_MAX)
			walks.made = walks.n;
		all = f->table->ops->walk_looked(f->table, &walks);
		assert_in_range(walks.made, 1, walks.n);
		assert_int_equal(walks.n_first, walks.made);
		same_walks(f, ahead, walks.list, walks.made, all);
		walks.list += walks.made;
		walks.n -= walks.made;
	}
	/* up to what is not there */
	f->table->ops->unmap(f->table, ahead->address[90] & ~TABLE_BITS, 4096,
			     false, NULL, NULL);
	assert_int_equal(f->table->ops->look(f->table, ahead->address, AHEAD,
					     &walks.looks),
			 90);
}

static void
walks_ahead_are_walks(void **state)
{
	static struct ahead ahead;

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct fixture f;

		open_table(&f, kinds[k].ops, &kinds[k].config);
		f.table->aside = NULL; /* what it knows, each walk changes */
		map_ahead(&f, &ahead, 5 + k);
		walk_ahead(&f, &ahead);
		close_table(&f);
	}
}

/* Mean references of walks for pages that are there, and that are not. */
static void
mean_references(const struct tables_config *config, const struct table_ops *ops,
		uint64_t pages, double *hit, double *miss)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	uint64_t random = 7, hits = 0, misses = 0;
	struct mapping mapping = { .shift = 12 };
	struct fixture f;

	open_table(&f, ops, config);
	for (uint64_t i = 0; i < pages; i++) {
		/* distinct, and in no order */
		uint64_t page = i * UINT64_C(0x9e3779b1) & 0xffffffff;

		mapping.frame = (UINT64_C(1) << 30) + i * 4096;
		assert_int_equal(f.table->ops->map(f.table, page << 12,
						   &mapping),
				 0);
	}
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t page = i * UINT64_C(0x9e3779b1) & 0xffffffff;

		hits += f.table->ops->walk(f.table, page << 12, references,
					   &mapping);
		assert_int_equal(mapping.shift, 12);
		page = 0x100000000 | next_random(&random) >> 32;
		misses += f.table->ops->walk(f.table, page << 12, references,
					     &mapping);
		assert_int_equal(mapping.shift, 0);
	}
	close_table(&f);
	*hit = (double)hits / (double)pages;
	*miss = (double)misses / (double)pages;
}

static void
near(double value, double expected, double share)
{
	if (value < expected * (1 - share) || value > expected * (1 + share))
		fail_msg("%g is not near %g", value, expected);
}

static double
e_to_minus(double a)
{
	double sum = 1, term = 1;

	for (unsigned i = 1; i < 60; i++)
		sum += term *= -a / i;
	return sum;
}

/* Chains: 1 + a/2 entries if it is there; the head and a if not. */
static void
chains_are_as_long_as_they_should(void **state)
{
	static const double loads[] = { 0.25, 0.5, 1, 2, 4 };
	const uint64_t slots = 1 << 15;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		double a = loads[i], hit, miss;
		struct tables_config config = {
			.own.hashed = { .collisions = HASHED_CHAINED,
					.heads = HASHED_APART,
					.pages = 1,
					.load = 8,
					.entries = slots,
					.probes = 64 },
		};
		uint64_t pages = (uint64_t)(a * (double)slots);

		mean_references(&config, &hashed_table, pages, &hit, &miss);
		near(hit, 1 + 1 + a / 2, 0.01); /* the head, the entries */
		near(miss, 1 + a, 0.015);
		/* the first entry in the head's place: of a chain that is empty
		 * it is read all the same */
		config.own.hashed.heads = HASHED_INLINE;
		mean_references(&config, &hashed_table, pages, &hit, &miss);
		near(hit, 1 + a / 2, 0.01);
		near(miss, a + e_to_minus(a), 0.015);
	}
}

/* Linear probes: (1 + 1/(1-a))/2 and (1 + 1/(1-a)^2)/2. */
static void
probes_are_as_many_as_they_should(void **state)
{
	static const double loads[] = { 0.25, 0.5, 0.6, 0.7, 0.8 };
	const uint64_t slots = 1 << 17;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		double a = loads[i], hit, miss;
		struct tables_config config = {
			.own.hashed = { .collisions = HASHED_OPEN,
					.pages = 1,
					.load = 0.95,
					.entries = slots,
					.probes = 256 },
		};
		uint64_t pages = (uint64_t)(a * (double)slots);

		mean_references(&config, &hashed_table, pages, &hit, &miss);
		near(hit, (1 + 1 / (1 - a)) / 2, 0.03);
		near(miss, (1 + 1 / (1 - a) / (1 - a)) / 2, 0.05);
	}
}

/* An anchor, then a chain; its size is that of memory, however many spaces. */
static void
inverted_is_of_the_size_of_memory(void **state)
{
	static const double anchors[] = { 4, 1, 0.5, 0.25 };
	const uint64_t frames = (UINT64_C(8) << 30) / 4096, pages = 1 << 20;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(anchors); i++) {
		struct tables_config config = {
			.own.inverted = { .anchors = anchors[i] },
		};
		double a = (double)pages / ((double)frames * anchors[i]);
		double hit, miss;
		struct fixture f;

		mean_references(&config, &inverted_table, pages, &hit, &miss);
		near(hit, 1 + 1 + a / 2, 0.01);
		near(miss, 1 + a, 0.01);
		open_table(&f, &inverted_table, &config);
		assert_int_equal(f.table->ops->bytes(f.table),
				 frames * 16 + (uint64_t)((double)frames *
							  anchors[i]) *
						       8);
		close_table(&f);
	}
}

/* Two spaces: the same pages, other frames; one table. */
static void
inverted_is_shared(void **state)
{
	struct tables_config config = { .own.inverted = { .anchors = 1 } };
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping = { .shift = 12 };
	struct table *other;
	struct table_with with = { .config = &config,
				   .kinds = &config.own,
				   .space = 9 };
	struct fixture f;
	uint64_t used;

	(void)state;
	open_table(&f, &inverted_table, &config);
	with.frames = f.frames;
	with.shared = &f.shared;
	used = frames_used(f.frames);
	assert_int_equal(inverted_table.open(&other, &with), 0);
	assert_int_equal(frames_used(f.frames), used);
	assert_int_equal(inverted_table.bytes(other), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		mapping.frame = (UINT64_C(1) << 30) + i * 8192;
		assert_int_equal(inverted_table.map(f.table, i << 12, &mapping),
				 0);
		mapping.frame += i % 10 ? 4096 : 0; /* some frames have both */
		assert_int_equal(inverted_table.map(other, i << 12, &mapping),
				 0);
	}
	for (uint64_t i = 0; i < 1000; i++) {
		inverted_table.walk(f.table, i << 12, references, &mapping);
		assert_int_equal(mapping.frame, (UINT64_C(1) << 30) + i * 8192);
		inverted_table.walk(other, i << 12, references, &mapping);
		assert_int_equal(mapping.frame, (UINT64_C(1) << 30) + i * 8192 +
							(i % 10 ? 4096 : 0));
	}
	assert_int_equal(frames_used(f.frames), used + 4096); /* 100 aliases */
	inverted_table.close(other);
	inverted_table.walk(f.table, 5 << 12, references, &mapping);
	assert_int_equal(mapping.shift, 12);
	close_table(&f);
}

/* 8 GiB of 4K pages: 4106 table pages, which 9 frames of 2M hold; the walker
 * reads as many entries as before. */
static void
tables_on_large_pages(void **state)
{
	static const enum table_frames frames[] = { TABLE_FRAMES_4K,
						    TABLE_FRAMES_2M };
	uint64_t taken[2], references[2] = { 0, 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct tables_config config = { .own.radix.levels = 4,
						.memory.frames =
							(int)frames[i] };
		struct table_reference reference[TABLE_REFERENCES_MAX];
		struct mapping mapping = { .frame = 4096, .shift = 12 };
		struct fixture f;

		open_table(&f, &radix_table, &config);
		for (uint64_t at = 0; at < UINT64_C(8) << 30; at += 4096 * 64)
			assert_int_equal(radix_table.map(f.table, at, &mapping),
					 0);
		assert_int_equal(f.table->memory.bytes / 4096, 4106);
		taken[i] = frames_used(f.frames);
		for (uint64_t at = 0; at < UINT64_C(8) << 30; at += 4096 * 64)
			references[i] += radix_table.walk(f.table, at,
							  reference, &mapping);
		close_table(&f);
	}
	assert_int_equal(taken[0] >> 12, 4106);
	assert_int_equal(taken[1] >> 21, 9);
	assert_int_equal(references[0], references[1]);
}

static const struct nested_case {
	int64_t guest, host;
	unsigned shift; /* of the guest's page */
	int code;	/* of the host's */
	unsigned references;
	unsigned found; /* the smaller of both */
	unsigned granule;
} nested_cases[] = {
	{ 3, 3, 12, 0, 15, 12 },
	{ 4, 4, 12, 0, 24, 12 },
	{ 4, 5, 12, 0, 29, 12 },
	{ 5, 4, 12, 0, 29, 12 },
	{ 5, 5, 12, 0, 35, 12 },
	{ 4, 4, 21, 0, 19, 12 },
	{ 4, 4, 12, 1, 19, 12 },
	{ 4, 4, 21, 1, 15, 21 },
	{ 4, 4, 30, 1, 11, 21 },
	{ 4, 4, 30, 2, 8, 30 },
	{ 5, 5, 30, 0, 23, 12 },
	/* contiguous entries save no reference, blocks do */
	{ 4, 4, 14, 0, 24, 14, 14 },
	{ 3, 4, 14, 0, 19, 14, 14 },
	{ 4, 4, 21, 0, 24, 14, 14 },
	{ 4, 4, 21, 1, 24, 21, 14 },
	{ 4, 4, 25, 1, 19, 21, 14 },
	{ 4, 4, 25, 2, 15, 25, 14 },
	{ 4, 4, 16, 0, 15, 16, 16 },
	{ 3, 3, 21, 2, 11, 21, 16 },
	{ 3, 3, 29, 2, 8, 29, 16 },
};

/* Walks of a guest's table over a host's: (n + 1)(m + 1) - 1 of them. */
static void
nested_walks_are_of_two_dimensions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(nested_cases); i++) {
		const struct nested_case *c = &nested_cases[i];
		const struct table_ops *radix =
			table_find_of("radix", c->granule);
		struct tables_config config = {
			.own.radix.levels = c->guest,
			.host.radix.levels = c->host,
			.nested = { NULL, NULL, c->code, radix, radix },
			.granule = c->granule,
		};
		struct table_reference reference[TABLE_REFERENCES_MAX];
		const uint64_t inside = UINT64_C(0x3fedcb8);
		struct mapping mapping = { .shift = (uint8_t)c->shift }, again;
		struct fixture f;
		unsigned n;

		open_table(&f, &nested_table, &config);
		assert_int_equal(frames_take(f.frames, c->shift,
					     &mapping.frame),
				 0);
		assert_int_equal(f.table->ops->map(f.table, BASE, &mapping), 0);
		f.table->aside = NULL;
		n = f.table->ops->walk_from(f.table,
					    BASE + (inside &
						    ((UINT64_C(1)
						      << mapping.shift) -
						     1)),
					    f.table->levels, reference, &again);
		assert_int_equal(n, c->references);
		assert_int_equal(again.shift, c->found);
		/* what the guest's kernel sees is the guest's */
		n = f.table->ops->walk(f.table, BASE, reference, &again);
		assert_int_equal(n, c->references);
		assert_int_equal(again.shift, c->shift);
		assert_int_equal(again.frame, mapping.frame);
		assert_true(f.table->apart);
		frames_give(f.frames, c->shift, mapping.frame);
		close_table(&f);
	}
}

/* As full as ways can be: 2 ways to a half, 3 to 0.918, 4 to 0.977. */
static void
cuckoo_ways_fill_to_their_thresholds(void **state)
{
	static const struct {
		int64_t ways;
		double full, off; /* what a few thousand slots may be off it */
	} cases[] = { { 2, 0.5, 0.04 },
		      { 3, 0.918, 0.02 },
		      { 4, 0.977, 0.02 } };
	const uint64_t slots = 1 << 14;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tables_config config = {
			.own.cuckoo = { cases[i].ways, 1, slots, 1, 10000, 1, 0,
					0, true },
		};
		struct mapping mapping = { .frame = 4096, .shift = 12 };
		struct fixture f;
		uint64_t n = 0;
		double share;

		open_table(&f, &cuckoo_table, &config);
		while (!f.table->counts.resizes) {
			uint64_t page = n++ * UINT64_C(0x9e3779b1) & 0xffffffff;

			assert_int_equal(f.table->ops->map(f.table, page << 12,
							   &mapping),
					 0);
		}
		share = (double)n / (double)(slots * (uint64_t)cases[i].ways);
		if (share > cases[i].full + cases[i].off ||
		    share < cases[i].full - cases[i].off)
			fail_msg("%ld ways are full at %g, not %g",
				 (long)cases[i].ways, share, cases[i].full);
		close_table(&f);
	}
}

/* An exit for each entry that the guest writes: those of pages and of tables. */
static void
shadow_counts_the_guests_writes(void **state)
{
	struct tables_config config = {
		.own.radix = { 4 },
		.host.radix = { 4 },
		.shadow = { NULL, NULL, 1000, &radix_table, &radix_table },
	};
	uint64_t values[TABLE_VALUES_MAX] = { 0 };
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping = { .frame = 4096, .shift = 12 };
	struct fixture f;

	(void)state;
	open_table(&f, &shadow_table, &config);
	for (uint64_t i = 0; i < 600; i++)
		assert_int_equal(f.table->ops->map(f.table, i << 12, &mapping),
				 0);
	/* two last-level tables, one of each above */
	f.table->ops->count(f.table, values);
	assert_int_equal(values[0], 600 + 2 + 1 + 1);
	assert_int_equal(values[1], 604 * 1000);
	assert_int_equal(f.table->ops->bytes(f.table), 2 * 4 * 4096);
	assert_int_equal(f.table->ops->walk(f.table, 0, reference, &mapping),
			 4);
	f.table->ops->unmap(f.table, 0, 100 << 12, false, NULL, NULL);
	memset(values, 0, sizeof(values));
	f.table->ops->count(f.table, values);
	assert_int_equal(values[0], 604 + 100);
	close_table(&f);
}

/* One entry less of each walk, and a root of 2M. */
static void
flat_walks_are_one_shorter(void **state)
{
	(void)state;
	for (int64_t levels = 4; levels <= 5; levels++) {
		struct tables_config config = { .own.flat = { levels } };
		struct table_reference reference[TABLE_REFERENCES_MAX];
		struct mapping mapping = { .frame = 4096, .shift = 12 };
		struct fixture f;

		open_table(&f, &flat_table, &config);
		assert_int_equal(frames_used(f.frames), 2 << 20);
		assert_int_equal(f.table->ops->map(f.table, BASE, &mapping), 0);
		assert_int_equal(f.table->ops->walk(f.table, BASE, reference,
						    &mapping),
				 levels - 1);
		assert_int_equal(mapping.shift, 12);
		/* far above, another root entry; not there, one reference */
		assert_int_equal(f.table->ops->walk(f.table, BASE >> 4,
						    reference, &mapping),
				 1);
		assert_int_equal(mapping.shift, 0);
		close_table(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_equal_their_twin),
		cmocka_unit_test(tables_of_granules_equal_their_twin),
		cmocka_unit_test(walks_ahead_are_walks),
		cmocka_unit_test(chains_are_as_long_as_they_should),
		cmocka_unit_test(probes_are_as_many_as_they_should),
		cmocka_unit_test(inverted_is_of_the_size_of_memory),
		cmocka_unit_test(inverted_is_shared),
		cmocka_unit_test(tables_on_large_pages),
		cmocka_unit_test(nested_walks_are_of_two_dimensions),
		cmocka_unit_test(cuckoo_ways_fill_to_their_thresholds),
		cmocka_unit_test(shadow_counts_the_guests_writes),
		cmocka_unit_test(flat_walks_are_one_shorter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
