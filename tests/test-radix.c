// SPDX-License-Identifier: GPL-2.0-or-later
/* The radix table: table pages counted in closed form, references, splits. */
#include "models/tables/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "models/tables/table.h"

struct fixture {
	struct frames *frames;
	struct table *table;
};

static void
open_table(struct fixture *fixture, int64_t levels)
{
	struct frames_config memory = { .size_bytes = 0 };
	static struct tables_config config;
	struct table_with with = { .config = &config, .kinds = &config.own };

	config.own.radix.levels = levels;
	assert_int_equal(frames_open(&fixture->frames, &memory), 0);
	with.frames = fixture->frames;
	assert_int_equal(radix_table.open(&fixture->table, &with), 0);
}

static void
close_table(struct fixture *fixture)
{
	fixture->table->ops->close(fixture->table);
	assert_int_equal(frames_used(fixture->frames), 0);
	frames_close(fixture->frames);
}

static void
map(struct fixture *fixture, uint64_t address, unsigned shift)
{
	struct mapping mapping = { .frame = (address & 0xffffffffffff) +
					    (UINT64_C(1) << 40),
				   .shift = (uint8_t)shift,
				   .writable = true };

	assert_int_equal(fixture->table->ops->map(fixture->table, address,
						  &mapping),
			 0);
}

static unsigned
walk(struct fixture *fixture, uint64_t address, struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];

	return radix_table.walk(fixture->table, address, references, mapping);
}

/* 8 GiB by 4K pages: 4096 + 8 + 1 and the root, 4106 table pages. */
static void
eight_gib_take_4106_pages(void **state)
{
	struct fixture f;

	(void)state;
	open_table(&f, 4);
	for (uint64_t i = 0; i < UINT64_C(8) << 30; i += 4096 * 8)
		map(&f, (UINT64_C(1) << 39) + i, 12);
	assert_int_equal(radix_table.bytes(f.table) / 4096 + 1, 4106);
	assert_int_equal(frames_used(f.frames) / 4096, 4106);
	close_table(&f);
}

static void
sparse_pages_take_one_table_a_level(void **state)
{
	struct fixture f;

	(void)state;
	open_table(&f, 5);
	/* one page in each of 10 root entries: a path of its own each */
	for (uint64_t i = 0; i < 10; i++)
		map(&f, i << 48, 12);
	assert_int_equal(radix_table.bytes(f.table), 10 * 4 * 4096);
	/* 2M pages need no last level, 1G pages no last two */
	map(&f, (UINT64_C(20) << 48), 21);
	assert_int_equal(radix_table.bytes(f.table), (10 * 4 + 3) * 4096);
	map(&f, (UINT64_C(21) << 48), 30);
	assert_int_equal(radix_table.bytes(f.table), (10 * 4 + 5) * 4096);
	close_table(&f);
}

static void
references_by_level_and_size(void **state)
{
	static const unsigned shifts[] = { 12, 21, 30 };
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	struct fixture f;

	(void)state;
	for (int64_t levels = 4; levels <= 5; levels++) {
		open_table(&f, levels);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t address = (uint64_t)(i + 1) << 30;
			unsigned n;

			/* not there: the root's entry is read, or those of
			 * the tables that earlier pages made */
			n = walk(&f, address, &mapping);
			assert_int_equal(mapping.shift, 0);
			assert_int_equal(n, i ? levels - 2 : 1);
			map(&f, address, shifts[i]);
			n = radix_table.walk(f.table, address + 0xabc,
					     references, &mapping);
			assert_int_equal(n, levels - i);
			assert_int_equal(mapping.shift, shifts[i]);
			assert_true(mapping.writable);
			for (unsigned k = 0; k < n; k++)
				assert_int_equal(references[k].level,
						 levels - k);
			/* the index is in the low bits of the address */
			assert_int_equal(references[n - 1].address & 0xfff,
					 (address >> shifts[i] & 511) * 8);
		}
		close_table(&f);
	}
}

/* From each level that a walk cache may skip to: the tail of the full walk. */
static void
partial_walks_are_tails(void **state)
{
	struct table_reference full[TABLE_REFERENCES_MAX],
		part[TABLE_REFERENCES_MAX];
	struct mapping mapping, again;
	struct fixture f;

	(void)state;
	open_table(&f, 5);
	for (uint64_t i = 0; i < 2000; i++)
		map(&f, i * 0x123456000, 12);
	for (uint64_t i = 0; i < 4000; i++) {
		uint64_t address = i % 2000 * 0x123456000;
		unsigned n = radix_table.walk(f.table, address, full, &mapping);

		for (unsigned level = 5; level; level--) {
			unsigned m = radix_table.walk_from(f.table, address,
							   level, part, &again);

			assert_int_equal(m, level);
			for (unsigned k = 0; k < m; k++) {
				assert_int_equal(part[k].address,
						 full[n - m + k].address);
				assert_int_equal(part[k].level,
						 full[n - m + k].level);
			}
			assert_int_equal(again.frame, mapping.frame);
			assert_int_equal(again.shift, 12);
		}
	}
	close_table(&f);
}

/* Of 64 addresses, looking ends before what is not there. */
static void
ends_where_nothing_is(struct fixture *f, uint64_t *address,
		      const struct table_looks *looks)
{
	radix_table.unmap(f->table, address[40] & ~TABLE_BITS, 4096, false,
			  NULL, NULL);
	assert_int_equal(radix_table.look(f->table, address, 64, looks), 40);
	address[9] = UINT64_C(1) << 60;
	assert_int_equal(radix_table.look(f->table, address, 64, looks), 9);
}

/* Many walks that were looked for ahead, and each by itself. */
static void
walks_ahead_are_walks(void **state)
{
	enum {
		N = 64
	};
	uint64_t address[N], page[N], reference[N * TABLE_LEVELS_MAX + 1];
	uint8_t from[N], level[N * TABLE_LEVELS_MAX + 1];
	uint16_t list[N], first[N], references[N];
	void *at[N];
	struct table_walks walks = { .address = address,
				     .looks = { page, at },
				     .from = from,
				     .list = list,
				     .n = N,
				     .reference = reference,
				     .level = level,
				     .references = references,
				     .first = first };
	struct fixture f;
	unsigned all = 0;

	(void)state;
	open_table(&f, 5);
	for (unsigned i = 0; i < N; i++) {
		unsigned shift = i % 5 == 3 ? 21 : i % 16 == 7 ? 30 : 12;

		address[i] = ((uint64_t)i << 33 | i * 4096u | 5);
		map(&f, address[i] >> shift << shift, shift);
		list[i] = (uint16_t)i;
		from[i] = (uint8_t)((shift - 3) / 9 + i % 3);
	}
	assert_int_equal(radix_table.look(f.table, address, N, &walks.looks),
			 N);
	all = radix_table.walk_looked(f.table, &walks);
	assert_int_equal(walks.n_first, N);
	for (unsigned i = 0, k = 0; i < N; i++) {
		struct table_reference one[TABLE_REFERENCES_MAX];
		struct mapping mapping;
		unsigned n = radix_table.walk_from(f.table, address[i], from[i],
						   one, &mapping);

		assert_true(mapping.accessed);
		assert_int_equal(12 + 9 * TABLE_CODE(page[i]), mapping.shift);
		assert_int_equal(page[i] & ~TABLE_BITS, mapping.frame);
		assert_int_equal(!(page[i] & TABLE_WRITABLE),
				 !mapping.writable);
		assert_int_equal(n, references[i]);
		for (unsigned m = 0; m < n; m++, k++) {
			assert_int_equal(one[m].address, reference[k]);
			assert_int_equal(one[m].level, level[k]);
		}
		all -= n;
	}
	assert_int_equal(all, 0);
	(void)radix_table.walk_looked(f.table, &walks);
	assert_int_equal(walks.n_first, 0);
	ends_where_nothing_is(&f, address, &walks.looks);
	close_table(&f);
}

/* Pages of 1G end in the root where that folds, or is of 2M: looked for ahead, their
 * walks read the same entries, and mark those.  (They marked, and told, those of
 * a root of 512 entries that does not fold: of another page, or of none.) */
static void
giant_pages_end_in_roots_of_other_shapes(void **state)
{
	static const uint64_t giants[] = { 0x7fc0, 0x7fc0 + 512, 0x3, 0x7e00 };
	const struct table_ops *const kinds[] = { &radix_table, &flat_table };

	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		static struct tables_config config;
		struct frames_config memory = { .size_bytes = 0 };
		struct table_with with = { .config = &config,
					   .kinds = &config.own };
		struct fixture f;

		config.own.radix.levels = 3;
		config.own.flat.levels = 4;
		assert_int_equal(frames_open(&f.frames, &memory), 0);
		with.frames = f.frames;
		assert_int_equal(kinds[kind]->open(&f.table, &with), 0);
		for (unsigned i = 0; i < ARRAY_SIZE(giants); i++)
			map(&f, giants[i] << 30, 30);
		for (unsigned i = 0; i < ARRAY_SIZE(giants); i++) {
			struct table_reference one[TABLE_REFERENCES_MAX];
			uint64_t address = (giants[i] << 30) + 12345, page;
			uint64_t reference[TABLE_LEVELS_MAX];
			uint8_t from = 3, level[TABLE_LEVELS_MAX];
			uint16_t list = 0, first, references;
			struct mapping mapping;
			void *at;
			struct table_walks walks = { .address = &address,
						     .looks = { &page, &at },
						     .from = &from,
						     .list = &list,
						     .n = 1,
						     .reference = reference,
						     .level = level,
						     .references = &references,
						     .first = &first };

			assert_int_equal(f.table->ops->look(f.table, &address,
							    1, &walks.looks),
					 1);
			(void)f.table->ops->walk_looked(f.table, &walks);
			assert_int_equal(walks.n_first, 1);
			assert_int_equal(f.table->ops->walk(f.table, address,
							    one, &mapping),
					 1);
			assert_true(mapping.accessed);
			assert_int_equal(references, 1);
			assert_int_equal(reference[0], one[0].address);
			assert_int_equal(level[0], one[0].level);
		}
		close_table(&f);
	}
}

struct gone {
	uint64_t pages, bytes;
};

static void
count_gone(void *context, uint64_t address, const struct mapping *mapping)
{
	struct gone *gone = context;

	assert_int_equal(address & ((UINT64_C(1) << mapping->shift) - 1), 0);
	assert_int_equal(mapping->frame, address + (UINT64_C(1) << 40));
	gone->pages++;
	gone->bytes += UINT64_C(1) << mapping->shift;
}

static void
unmap_frees_what_it_covers(void **state)
{
	const uint64_t start = UINT64_C(0x7f0000000000);
	struct gone gone = { 0, 0 };
	struct mapping mapping;
	struct fixture f;

	(void)state;
	open_table(&f, 4);
	for (uint64_t i = 0; i < 1024; i++)
		map(&f, start + i * 4096, 12);
	assert_int_equal(radix_table.bytes(f.table), 4 * 4096);
	/* a hole in the middle; tables stay */
	radix_table.unmap(f.table, start + 100 * 4096, 50 * 4096, true,
			  count_gone, &gone);
	assert_int_equal(gone.pages, 50);
	assert_int_equal(radix_table.bytes(f.table), 4 * 4096);
	walk(&f, start + 99 * 4096, &mapping);
	assert_int_equal(mapping.shift, 12);
	assert_int_equal(walk(&f, start + 100 * 4096, &mapping), 4);
	assert_int_equal(mapping.shift, 0);
	/* zap of the first 2M keeps its table, munmap of it does not */
	radix_table.unmap(f.table, start, 2 << 20, false, count_gone, &gone);
	assert_int_equal(gone.pages, 512);
	assert_int_equal(radix_table.bytes(f.table), 4 * 4096);
	radix_table.unmap(f.table, start, 2 << 20, true, count_gone, &gone);
	assert_int_equal(gone.pages, 512);
	assert_int_equal(radix_table.bytes(f.table), 3 * 4096);
	/* everything */
	radix_table.unmap(f.table, 0, UINT64_C(1) << 47, true, count_gone,
			  &gone);
	assert_int_equal(gone.pages, 1024);
	assert_int_equal(radix_table.bytes(f.table), 0);
	close_table(&f);
}

static void
partial_unmap_splits_a_huge_page(void **state)
{
	const uint64_t start = UINT64_C(0x40000000);
	struct gone gone = { 0, 0 };
	struct mapping mapping;
	struct fixture f;

	(void)state;
	open_table(&f, 4);
	map(&f, start, 30);
	radix_table.unmap(f.table, start + (5 << 21) + 4096, 8192, true,
			  count_gone, &gone);
	assert_int_equal(gone.pages, 2);
	walk(&f, start + (5 << 21), &mapping);
	assert_int_equal(mapping.shift, 12);
	walk(&f, start + (5 << 21) + 4096, &mapping);
	assert_int_equal(mapping.shift, 0);
	walk(&f, start + (6 << 21), &mapping);
	assert_int_equal(mapping.shift, 21);
	assert_int_equal(mapping.frame,
			 start + (6 << 21) + (UINT64_C(1) << 40));
	radix_table.unmap(f.table, start, 1 << 30, true, count_gone, &gone);
	assert_int_equal(gone.bytes, 1 << 30);
	/* a huge page replaces the small ones below it */
	for (uint64_t i = 0; i < 8; i++)
		map(&f, start + i * 4096, 12);
	map(&f, start, 21);
	assert_int_equal(walk(&f, start + 4096, &mapping), 3);
	assert_int_equal(mapping.shift, 21);
	close_table(&f);
}

static void
upper_half_is_apart_from_the_lower(void **state)
{
	const uint64_t high = UINT64_C(0xffffffffff600000);
	struct mapping mapping;
	struct fixture f;

	(void)state;
	open_table(&f, 4);
	map(&f, high, 12);
	map(&f, 0x600000, 12);
	walk(&f, high, &mapping);
	assert_int_equal(mapping.frame,
			 (high & 0xffffffffffff) + (UINT64_C(1) << 40));
	radix_table.unmap(f.table, high, 4096, true, NULL, NULL);
	walk(&f, high, &mapping);
	assert_int_equal(mapping.shift, 0);
	walk(&f, 0x600000, &mapping);
	assert_int_equal(mapping.shift, 12);
	close_table(&f);
}

static void
non_canonical_is_refused(void **state)
{
	const uint64_t address = UINT64_C(1) << 47;
	struct mapping mapping = { .frame = 4096, .shift = 12 };
	struct fixture f;

	(void)state;
	open_table(&f, 4);
	assert_int_equal(walk(&f, address, &mapping), 0);
	mapping.shift = 12;
	assert_int_equal(radix_table.map(f.table, address, &mapping), -EINVAL);
	close_table(&f);
	open_table(&f, 5);
	map(&f, address, 12);
	assert_int_equal(walk(&f, address, &mapping), 5);
	close_table(&f);
}

static void
full_memory_is_said(void **state)
{
	struct frames_config memory = { .size_bytes = 3 * 4096 };
	struct tables_config config = { .own.radix.levels = 4 };
	struct table_with with = { .config = &config, .kinds = &config.own };
	struct mapping mapping = { .frame = 4096, .shift = 12 };
	struct fixture f;

	(void)state;
	assert_int_equal(frames_open(&f.frames, &memory), 0);
	with.frames = f.frames;
	assert_int_equal(radix_table.open(&f.table, &with), 0);
	assert_int_equal(radix_table.map(f.table, 0, &mapping), -ENOMEM);
	close_table(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_gib_take_4106_pages),
		cmocka_unit_test(sparse_pages_take_one_table_a_level),
		cmocka_unit_test(references_by_level_and_size),
		cmocka_unit_test(partial_walks_are_tails),
		cmocka_unit_test(walks_ahead_are_walks),
		cmocka_unit_test(giant_pages_end_in_roots_of_other_shapes),
		cmocka_unit_test(unmap_frees_what_it_covers),
		cmocka_unit_test(partial_unmap_splits_a_huge_page),
		cmocka_unit_test(upper_half_is_apart_from_the_lower),
		cmocka_unit_test(non_canonical_is_refused),
		cmocka_unit_test(full_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
