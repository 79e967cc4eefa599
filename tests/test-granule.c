// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of 16K and 64K granules: shapes, table pages and references in closed
 * form, against a list of what is mapped, and splits. */
#include "models/tables/granule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/tables/tables.h"

#define GIB (UINT64_C(1) << 30)

struct fixture {
	struct tables_config config;
	struct frames *frames;
	struct table *table;
};

static void
open_table(struct fixture *f, unsigned granule, int64_t levels)
{
	struct frames_config memory = { .size_bytes = 0 };
	struct table_with with = { .config = &f->config,
				   .kinds = &f->config.own };

	memset(f, 0, sizeof(*f));
	f->config.granule = granule;
	f->config.own.radix.levels = levels;
	assert_int_equal(frames_open(&f->frames, &memory), 0);
	with.frames = f->frames;
	assert_int_equal(granule_table.open(&f->table, &with), 0);
}

static void
close_table(struct fixture *f)
{
	granule_table.close(f->table);
	assert_int_equal(frames_used(f->frames), 0);
	frames_close(f->frames);
}

static uint64_t
frame_of(uint64_t address)
{
	return (address & 0xffffffffffff) + (UINT64_C(1) << 49);
}

static void
map(struct fixture *f, uint64_t address, unsigned shift)
{
	struct mapping mapping = { .frame = frame_of(address),
				   .shift = (uint8_t)shift,
				   .writable = true };

	assert_int_equal(granule_table.map(f->table, address, &mapping), 0);
}

static unsigned
walk(struct fixture *f, uint64_t address, struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];

	return granule_table.walk(f->table, address, references, mapping);
}

/* The Arm ARM's: which bits index which level. */
static void
shapes_are_the_architectures(void **state)
{
	static const struct {
		unsigned page, asked, levels, root_bits;
	} want[] = { { 14, 4, 4, 1 },
		     { 14, 3, 3, 11 },
		     { 16, 3, 3, 6 },
		     { 16, 4, 3, 6 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		struct granule_shape shape =
			granule_shape(want[i].page, want[i].asked);

		assert_int_equal(shape.levels, want[i].levels);
		assert_int_equal(shape.root_bits, want[i].root_bits);
		assert_int_equal(shape.bits, want[i].page - 3);
	}
}

/*
 * 8 GiB of 16K pages: 524288 pages, 2048 a table: 256 and one table above them (64
 * GiB), and one below the root of two entries. Of 64K pages: 131072, 8192 a
 * table: 16, and one of 4 TiB below the root.
 */
static void
eight_gib_take_258_and_17_tables(void **state)
{
	static const struct {
		unsigned page;
		int64_t levels;
		uint64_t tables;
		uint64_t root_bytes;
	} want[] = { { 14, 4, 256 + 1 + 1, 4096 },
		     { 14, 3, 256 + 1, 16384 },
		     { 16, 4, 16 + 1, 4096 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		uint64_t page = UINT64_C(1) << want[i].page;
		struct fixture f;

		open_table(&f, want[i].page, want[i].levels);
		for (uint64_t at = 0; at < 8 * GIB; at += page)
			map(&f, (UINT64_C(1) << 45) + at, want[i].page);
		assert_int_equal(granule_table.bytes(f.table),
				 want[i].tables * page);
		assert_int_equal(frames_used(f.frames),
				 want[i].tables * page + want[i].root_bytes);
		assert_int_equal(f.table->counts.map_writes,
				 8 * GIB / page + want[i].tables);
		granule_table.unmap(f.table, UINT64_C(1) << 45, 8 * GIB, true,
				    NULL, NULL);
		/* those of 8 GiB or less; what covers more stays */
		assert_int_equal(granule_table.bytes(f.table),
				 (f.table->levels - 2) * page);
		close_table(&f);
	}
}

/* A page of each size: as many references as levels down to it. */
static void
references_by_level_and_size(void **state)
{
	static const unsigned pages[] = { 14, 16 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		unsigned page = pages[i], bits = page - 3;
		unsigned levels = page == 14 ? 4 : 3;
		struct mapping mapping;
		struct fixture f;

		open_table(&f, page, 4);
		assert_int_equal(f.table->levels, levels);
		for (unsigned code = 0; code < 3; code++) {
			unsigned shift = page + bits * code;
			uint64_t at = (UINT64_C(5) + code) << 42;
			struct table_reference references[8], tail[8];
			unsigned n;

			map(&f, at, shift);
			assert_int_equal(walk(&f, at, &mapping), levels - code);
			assert_int_equal(mapping.shift, shift);
			assert_int_equal(mapping.frame, frame_of(at));
			n = granule_table.walk(f.table, at, references,
					       &mapping);
			for (unsigned from = code + 1; from <= levels; from++) {
				unsigned m =
					granule_table.walk_from(f.table, at,
								from, tail,
								&mapping);

				assert_int_equal(m, from - code);
				while (m--) {
					n--;
					assert_int_equal(tail[m].address,
							 references[n].address);
					assert_int_equal(tail[m].level,
							 references[n].level);
				}
				n = levels - code;
			}
		}
		close_table(&f);
	}
}

/* The entry's place in its table: the address's bits, eight bytes each. */
static void
entries_lie_where_the_address_says(void **state)
{
	const uint64_t at = UINT64_C(0x5a5a5a5a0000);
	struct table_reference references[8];
	struct mapping mapping;
	struct fixture f;

	(void)state;
	open_table(&f, 14, 4);
	map(&f, at, 14);
	assert_int_equal(granule_table.walk(f.table, at, references, &mapping),
			 4);
	assert_int_equal(references[0].address % 4096, (at >> 47 & 1) * 8);
	for (unsigned k = 1; k < 4; k++) {
		assert_int_equal(references[k].level, 4 - k);
		assert_int_equal(references[k].address % 16384,
				 (at >> (14 + 11 * (3 - k)) & 2047) * 8);
	}
	close_table(&f);
}

static void
part_of_a_block_goes_and_the_rest_stays(void **state)
{
	struct mapping mapping;
	struct fixture f;

	(void)state;
	open_table(&f, 16, 3);
	map(&f, GIB, 29);
	granule_table.unmap(f.table, GIB + (3 << 16), 1 << 16, false, NULL,
			    NULL);
	for (uint64_t i = 0; i < 8192; i++) {
		walk(&f, GIB + (i << 16), &mapping);
		assert_int_equal(mapping.shift, i == 3 ? 0 : 16);
		if (i != 3)
			assert_int_equal(mapping.frame,
					 frame_of(GIB + (i << 16)));
	}
	map(&f, GIB, 29);
	assert_int_equal(walk(&f, GIB + (3 << 16), &mapping), 2);
	assert_int_equal(mapping.shift, 29);
	close_table(&f);
}

/* 2M are 128 or 32 entries of the last level: as many references as for one, as many
 * writes as entries; what goes or changes makes the others pages of their own. */
static void
contiguous_entries_are_one_page(void **state)
{
	(void)state;
	for (unsigned granule = 14; granule <= 16; granule += 2) {
		const uint64_t at = 6 * GIB, step = UINT64_C(1) << granule;
		const uint64_t entries = (UINT64_C(1) << 21) / step;
		struct table_reference references[TABLE_REFERENCES_MAX];
		struct mapping mapping;
		struct fixture f;
		uint64_t writes;

		open_table(&f, granule, 3);
		map(&f, at, granule);
		writes = f.table->counts.map_writes;
		map(&f, at, 21);
		assert_int_equal(f.table->counts.map_writes, writes + entries);
		assert_int_equal(granule_table.bytes(f.table),
				 (f.table->levels - 1) * step);
		for (uint64_t i = 0; i < entries; i++) {
			assert_int_equal(walk(&f, at + i * step, &mapping), 3);
			assert_int_equal(mapping.shift, 21);
			assert_int_equal(mapping.frame, frame_of(at));
			assert_false(mapping.accessed);
		}
		/* a walk to any of it touches it */
		granule_table.walk_from(f.table, at + 5 * step, 3, references,
					&mapping);
		walk(&f, at, &mapping);
		assert_true(mapping.accessed);
		granule_table.unmap(f.table, at + 3 * step, step, false, NULL,
				    NULL);
		for (uint64_t i = 0; i < entries; i++) {
			walk(&f, at + i * step, &mapping);
			assert_int_equal(mapping.shift, i == 3 ? 0 : granule);
			assert_true(i == 3 || mapping.accessed);
			assert_true(i == 3 ||
				    mapping.frame == frame_of(at + i * step));
		}
		map(&f, at, 21);
		map(&f, at + 2 * step, granule);
		walk(&f, at, &mapping);
		assert_int_equal(mapping.shift, granule);
		map(&f, at, 21);
		writes = f.table->counts.unmap_writes;
		granule_table.unmap(f.table, at, 1 << 21, false, NULL, NULL);
		assert_int_equal(f.table->counts.unmap_writes,
				 writes + entries);
		close_table(&f);
	}
}

/* Each half has its root; what lies between is refused. */
static void
halves_have_their_roots(void **state)
{
	const uint64_t low = UINT64_C(0x7fffffffc000), high = ~UINT64_C(0)
							      << 14;
	struct mapping mapping = { .frame = 16384, .shift = 14 };
	struct fixture f;

	(void)state;
	open_table(&f, 14, 3);
	assert_int_equal(walk(&f, high, &mapping), 0);
	map(&f, low, 14);
	map(&f, high, 14);
	assert_int_equal(walk(&f, low, &mapping), 3);
	assert_int_equal(mapping.frame, frame_of(low));
	assert_int_equal(walk(&f, high, &mapping), 3);
	assert_int_equal(mapping.frame, frame_of(high));
	assert_int_equal(walk(&f, UINT64_C(1) << 47, &mapping), 0);
	mapping.shift = 14;
	assert_int_equal(granule_table.map(f.table, UINT64_C(1) << 47,
					   &mapping),
			 -EINVAL);
	granule_table.unmap(f.table, high, 16384, true, NULL, NULL);
	walk(&f, high, &mapping);
	assert_int_equal(mapping.shift, 0);
	walk(&f, low, &mapping);
	assert_int_equal(mapping.shift, 14);
	close_table(&f);
}

/* Against a plain list: random pages come and go by ranges. */
static void
table_equals_a_list(void **state)
{
	enum {
		PAGES = 6000
	};
	static bool there[PAGES];
	uint64_t x = 12345;
	struct fixture f;

	(void)state;
	for (unsigned granule = 14; granule <= 16; granule += 2) {
		const uint64_t base =
			(UINT64_C(1) << 40) - (3000ULL << granule);

		memset(there, 0, sizeof(there));
		open_table(&f, granule, 4);
		for (unsigned round = 0; round < 20000; round++) {
			uint64_t i, n;
			struct mapping mapping;

			x = x * UINT64_C(6364136223846793005) + 1;
			i = (x >> 33) % PAGES;
			n = x >> 20 & 63 ? 1 : (x >> 40) % 900;
			n = n < PAGES - i ? n : PAGES - i;
			if (x >> 60 < 10) {
				map(&f, base + (i << granule), granule);
				there[i] = true;
			} else {
				granule_table.unmap(f.table,
						    base + (i << granule),
						    n << granule, x >> 59 & 1,
						    NULL, NULL);
				memset(&there[i], 0, n * sizeof(there[0]));
			}
			i = (x >> 25) % PAGES;
			walk(&f, base + (i << granule) + 77, &mapping);
			assert_int_equal(mapping.shift, there[i] ? granule : 0);
			if (there[i])
				assert_int_equal(mapping.frame,
						 frame_of(base +
							  (i << granule)));
		}
		close_table(&f);
	}
}

static void
full_memory_is_said(void **state)
{
	struct frames_config memory = { .size_bytes = 3 * 16384 };
	struct fixture f = { .config = { .granule = 14,
					 .own.radix.levels = 4 } };
	struct table_with with = { .config = &f.config,
				   .kinds = &f.config.own };
	struct mapping mapping = { .frame = 16384, .shift = 14 };

	(void)state;
	assert_int_equal(frames_open(&f.frames, &memory), 0);
	with.frames = f.frames;
	assert_int_equal(granule_table.open(&f.table, &with), 0);
	assert_int_equal(granule_table.map(f.table, 0, &mapping), -ENOMEM);
	close_table(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_are_the_architectures),
		cmocka_unit_test(eight_gib_take_258_and_17_tables),
		cmocka_unit_test(references_by_level_and_size),
		cmocka_unit_test(entries_lie_where_the_address_says),
		cmocka_unit_test(part_of_a_block_goes_and_the_rest_stays),
		cmocka_unit_test(contiguous_entries_are_one_page),
		cmocka_unit_test(halves_have_their_roots),
		cmocka_unit_test(table_equals_a_list),
		cmocka_unit_test(full_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
