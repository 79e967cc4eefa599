// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel part on hand-made events, class by class, with counts that can be
 * done in the head.  (test-paging-kernel has the real kernel as judge.)
 */
#include "models/tables/tables.h"
#include "tests/paging-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static const char *const class_names[FAULT_CLASSES] = {
	"fault.anon",	  "fault.zero",	      "fault.zero-cow", "fault.cow",
	"fault.reuse",	  "fault.file",	      "fault.shared",	"fault.stack",
	"fault.unmapped", "fault.swap-cache", "fault.swap",	"fault.read",
};

static int frames_order = FRAMES_ASCENDING;
static int granule = GRANULE_4K;

static struct bench *
open_sized(int policy, uint64_t memory_bytes)
{
	const struct paging_config config = { policy, 65536, ZERO_PAGE_YES,
					      granule };
	const struct frames_config frames = { .size_bytes = memory_bytes,
					      .order = frames_order };

	return bench_open_with(&config, &frames);
}

static struct bench *
open_plain(int policy)
{
	return open_sized(policy, 0);
}

static uint64_t
count(struct bench *bench, const char *name)
{
	double number = value(bench, name);

	assert_true(number >= 0);
	return (uint64_t)number;
}

/* Exactly these counts, and nothing of any other class. */
static void
expect(struct bench *bench, const uint64_t wanted[FAULT_CLASSES])
{
	uint64_t sum = 0;

	for (size_t i = 0; i < FAULT_CLASSES; i++) {
		if (count(bench, class_names[i]) != wanted[i])
			print_message("%s\n", class_names[i]);
		assert_int_equal(count(bench, class_names[i]), wanted[i]);
		sum += i < FAULT_MINOR_CLASSES ? wanted[i] : 0;
	}
	assert_int_equal(count(bench, "fault.minor"), sum);
}

#define EXPECT(bench, ...) \
	expect(bench, (const uint64_t[FAULT_CLASSES]){ __VA_ARGS__ })

static void
test_demand_zero(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 4 * MIB, SITE_STORE);
	sweep(bench, 0, BASE, 4 * MIB, SITE_LOAD);
	EXPECT(bench, [FAULT_ANON] = 1024);
	assert_int_equal(count(bench, "table.bytes"), 4 * PAGE);
	assert_int_equal(count(bench, "footprint.pages"), 1024);
	assert_int_equal(count(bench, "footprint.bytes"), 4 * MIB);
	bench_close(bench);
}

static void
test_sparse_needs_a_table_page_each(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 64 * GIB, RIGHTS | MAP_FLAG_NORESERVE);
	for (uint64_t i = 0; i < 64; i++)
		use(bench, 0, BASE + i * GIB, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 64);
	assert_int_equal(count(bench, "table.bytes"), (64 + 64 + 1) * PAGE);
	bench_close(bench);
}

static void
test_zero_page_then_its_copy(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	struct mapping a, b;

	(void)state;
	map(bench, BASE, 16 * PAGE, RIGHTS);
	a = use(bench, 0, BASE, SITE_LOAD);
	b = use(bench, 0, BASE + PAGE, SITE_LOAD);
	assert_true(a.frame == b.frame && !a.writable);
	assert_int_equal(count(bench, "footprint.bytes"), 0);
	b = use(bench, 0, BASE, SITE_MODIFY);
	assert_true(a.frame != b.frame && b.writable);
	EXPECT(bench, [FAULT_ZERO] = 2, [FAULT_ZERO_COW] = 1);
	assert_int_equal(count(bench, "footprint.bytes"), PAGE);
	bench_close(bench);
}

static void
test_fork_copies_for_one_and_leaves_the_other(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 10 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 10 * PAGE, SITE_STORE);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 10 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_ANON] = 10);
	sweep(bench, 1, BASE, 4 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 10, [FAULT_COW] = 4);
	assert_int_equal(count(bench, "footprint.bytes"), 14 * PAGE);
	/* Those four are the parent's alone now, the other six are shared. */
	sweep(bench, 0, BASE, 10 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 10, [FAULT_COW] = 10, [FAULT_REUSE] = 4);
	assert_int_equal(count(bench, "footprint.bytes"), 20 * PAGE);
	end(bench, 1);
	assert_int_equal(count(bench, "footprint.bytes"), 10 * PAGE);
	assert_int_equal(count(bench, "table.bytes"), 3 * PAGE);
	bench_close(bench);
}

static void
test_fork_copies_only_what_has_anonymous_pages(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	uint32_t file = add_file(bench, "/lib/x", 100 * PAGE);

	(void)state;
	map(bench, BASE, 8 * PAGE, RIGHTS);
	map_file(bench, BASE + MIB, 32 * PAGE, MAP_FLAG_READ, file);
	sweep(bench, 0, BASE, 8 * PAGE, SITE_LOAD);
	sweep(bench, 0, BASE + MIB, 32 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_ZERO] = 8, [FAULT_FILE] = 2);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 8 * PAGE, SITE_LOAD);
	sweep(bench, 1, BASE + MIB, 32 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_ZERO] = 16, [FAULT_FILE] = 4);
	bench_close(bench);
}

static void
test_exit_makes_the_other_reuse(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 10 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 10 * PAGE, SITE_STORE);
	fork_to(bench, 0, 1);
	fork_to(bench, 0, 2);
	end(bench, 1);
	sweep(bench, 0, BASE, 5 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 10, [FAULT_COW] = 5);
	end(bench, 2);
	sweep(bench, 0, BASE, 10 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 10, [FAULT_COW] = 5, [FAULT_REUSE] = 5);
	bench_close(bench);
}

static void
test_vfork_child_leaves_its_parents_memory(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	struct event exec = event_of(EVENT_EXEC, 0, 0);

	(void)state;
	map(bench, BASE, 4 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	/* Thread 1 is another process, running in space 0 until it execs. */
	exec.value = 1;
	bench->batch.space = 0;
	bench->batch.thread = 1;
	assert_int_equal(paging_event(bench->paging, &bench->batch, &exec, 4),
			 0);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 4);
	bench_close(bench);
}

/* 40 pages of a 30-page file; windows of 16, clipped to file and mapping. */
static void
test_fault_around(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	uint32_t file = add_file(bench, "/data", 30 * PAGE - 100);

	(void)state;
	map_file(bench, BASE + 3 * PAGE, 40 * PAGE, MAP_FLAG_READ, file);
	/* Window clipped at the start: pages 3 .. 18 of the table. */
	use(bench, 0, BASE + 5 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_FILE] = 1);
	sweep(bench, 0, BASE + 3 * PAGE, 16 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_FILE] = 1);
	use(bench, 0, BASE + 19 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_FILE] = 2);
	sweep(bench, 0, BASE + 16 * PAGE, 16 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_FILE] = 2);
	use(bench, 0, BASE + 32 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_FILE] = 3);
	assert_int_equal(count(bench, "footprint.bytes"), 30 * PAGE);
	/* One frame a page, whoever maps it. */
	map_file(bench, BASE + GIB, 30 * PAGE, MAP_FLAG_READ, file);
	sweep(bench, 0, BASE + GIB, 30 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_FILE] = 5);
	assert_int_equal(count(bench, "footprint.bytes"), 30 * PAGE);
	bench_close(bench);
}

static void
test_private_file_is_copied_when_written(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	uint32_t file = add_file(bench, "/data", 64 * PAGE);

	(void)state;
	map_file(bench, BASE, 64 * PAGE, RIGHTS, file);
	use(bench, 0, BASE, SITE_STORE);
	EXPECT(bench, [FAULT_COW] = 1);
	sweep(bench, 0, BASE, 32 * PAGE, SITE_LOAD);
	EXPECT(bench, [FAULT_COW] = 1, [FAULT_FILE] = 2);
	sweep(bench, 0, BASE, 32 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_COW] = 32, [FAULT_FILE] = 2);
	bench_close(bench);
}

static void
test_shared_file_notices_the_first_write(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	uint32_t file = add_file(bench, "/data", 64 * PAGE);

	(void)state;
	map_file(bench, BASE, 16 * PAGE, RIGHTS | MAP_FLAG_SHARED, file);
	sweep(bench, 0, BASE, 16 * PAGE, SITE_LOAD);
	sweep(bench, 0, BASE, 16 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_FILE] = 1, [FAULT_SHARED] = 16);
	bench_close(bench);
}

/* k processes and n pages: k * n entries, n frames. */
static void
test_shared_memory_is_one(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 32 * PAGE, RIGHTS | MAP_FLAG_SHARED);
	sweep(bench, 0, BASE, 32 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_SHARED] = 32);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 32 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_SHARED] = 64);
	assert_int_equal(count(bench, "footprint.bytes"), 32 * PAGE);
	/* Read: neighbours that exist come along, and are writable. */
	fork_to(bench, 0, 2);
	use(bench, 2, BASE, SITE_LOAD);
	sweep(bench, 2, BASE, 16 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_SHARED] = 65);
	end(bench, 0);
	end(bench, 1);
	assert_int_equal(count(bench, "footprint.bytes"), 32 * PAGE);
	map(bench, BASE + GIB, PAGE, RIGHTS);
	use(bench, 0, BASE + GIB, SITE_STORE);
	end(bench, 2);
	assert_int_equal(count(bench, "footprint.bytes"), PAGE);
	bench_close(bench);
}

static void
test_stack_grows_to_its_guard_gap(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, PAGE, RIGHTS);
	map(bench, BASE + 512 * PAGE, 32 * PAGE, RIGHTS | MAP_FLAG_STACK);
	use(bench, 0, BASE + 540 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 1);
	use(bench, 0, BASE + 300 * PAGE, SITE_STORE);
	use(bench, 0, BASE + 301 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 2, [FAULT_STACK] = 1);
	use(bench, 0, BASE + 257 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 2, [FAULT_STACK] = 2);
	use(bench, 0, BASE + 256 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 2, [FAULT_STACK] = 2,
	       [FAULT_UNMAPPED] = 1);
	bench_close(bench);
}

static void
test_traces_without_mappings(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	json_t *values;
	const char *text;

	(void)state;
	sweep(bench, 0, BASE, 10 * PAGE, SITE_LOAD);
	sweep(bench, 0, BASE, 10 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 10);
	values = json_object_get(result_json(bench->result), "values");
	text = json_string_value(
		json_object_get(json_object_get(values, "paging.mappings"),
				"value"));
	assert_non_null(text);
	assert_memory_equal(text, "none recorded", 13);
	assert_string_equal(paging_region_name(bench->paging,
					       paging_region(bench->paging, 0,
							     BASE)),
			    "[anon]");
	map(bench, BASE + GIB, PAGE, RIGHTS);
	use(bench, 0, BASE + 2 * GIB, SITE_LOAD);
	EXPECT(bench, [FAULT_ANON] = 10, [FAULT_UNMAPPED] = 1);
	bench_close(bench);
}

static void
test_protection_traps_are_counted_apart(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	struct mapping mapping;

	(void)state;
	map(bench, BASE, 8 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	protect(bench, BASE, 8 * PAGE, MAP_FLAG_READ);
	mapping = use(bench, 0, BASE, SITE_STORE);
	assert_true(mapping.shift == 12 && !mapping.writable);
	mapping = use(bench, 0, BASE + 5 * PAGE, SITE_STORE);
	assert_int_equal(mapping.shift, 0);
	EXPECT(bench, [FAULT_ANON] = 4);
	assert_int_equal(count(bench, "fault.protection"), 2);
	/* Own pages are writable again at once. */
	protect(bench, BASE, 8 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 4);
	/* ... unless fork made them doubtful. */
	fork_to(bench, 0, 1);
	end(bench, 1);
	protect(bench, BASE, 8 * PAGE, MAP_FLAG_READ);
	protect(bench, BASE, 8 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 4, [FAULT_REUSE] = 4);
	bench_close(bench);
}

static void
test_dontneed_frees_whole_tables(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 8 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 8 * MIB, SITE_STORE);
	assert_int_equal(count(bench, "table.bytes"), 6 * PAGE);
	advise(bench, BASE + MIB, 4 * MIB, MADV_DONTNEED);
	assert_int_equal(count(bench, "table.bytes"), 5 * PAGE);
	assert_int_equal(count(bench, "footprint.bytes"), 4 * MIB);
	sweep(bench, 0, BASE, 8 * MIB, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 2048 + 1024);
	assert_true(bench->stale_bytes >= 4 * MIB);
	tell(bench, 0, event_of(EVENT_UNMAP, BASE, 8 * MIB));
	assert_int_equal(count(bench, "footprint.bytes.peak"), 8 * MIB);
	assert_int_equal(frames_used(bench->frames), 0);
	bench_close(bench);
}

static void
test_munmap_frees_tables_of_the_gap_only(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 4 * MIB, SITE_STORE);
	tell(bench, 0, event_of(EVENT_UNMAP, BASE, 3 * MIB));
	assert_int_equal(count(bench, "table.bytes"), 3 * PAGE);
	tell(bench, 0, event_of(EVENT_UNMAP, BASE + 3 * MIB, MIB));
	assert_int_equal(frames_used(bench->frames), 0);
	bench_close(bench);
}

static void
test_mremap_takes_its_pages_along(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	struct event remap = event_of(EVENT_REMAP, BASE, 8 * PAGE);
	struct mapping before, after;

	(void)state;
	map(bench, BASE, 8 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	before = use(bench, 0, BASE + PAGE, SITE_LOAD);
	remap.value = BASE + GIB + 3 * PAGE;
	remap.extra = 16 * PAGE;
	tell(bench, 0, remap);
	after = use(bench, 0, remap.value + PAGE, SITE_LOAD);
	assert_true(before.frame == after.frame);
	sweep(bench, 0, remap.value, 16 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 16);
	assert_int_equal(count(bench, "footprint.bytes"), 16 * PAGE);
	bench_close(bench);
}

static void
test_populated_pages_are_no_faults(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 16 * PAGE, RIGHTS | MAP_FLAG_POPULATE);
	sweep(bench, 0, BASE, 8 * PAGE, SITE_STORE);
	map(bench, BASE + GIB, 16 * PAGE, RIGHTS);
	tell(bench, 0, event_of(EVENT_LOCK, BASE + GIB, 4 * PAGE));
	sweep(bench, 0, BASE + GIB, 4 * PAGE, SITE_STORE);
	EXPECT(bench, 0);
	assert_int_equal(count(bench, "fault.populated"), 20);
	assert_int_equal(count(bench, "footprint.pages"), 12);
	bench_close(bench);
}

static void
test_the_kernel_faults_too(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 16 * PAGE, RIGHTS);
	tell(bench, 0, event_of(EVENT_KERNEL_WRITE, BASE + 100, 2 * PAGE));
	tell(bench, 0, event_of(EVENT_KERNEL_READ, BASE + 8 * PAGE, 10));
	tell(bench, 0, event_of(EVENT_KERNEL_WRITE, BASE + 100, 2 * PAGE));
	EXPECT(bench, [FAULT_ANON] = 3, [FAULT_ZERO] = 1);
	bench_close(bench);
}

static void
test_recorded_faults_stand_beside(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	struct event fault = event_of(EVENT_FAULT, BASE, 0);

	(void)state;
	tell(bench, 0, fault);
	tell(bench, 0, fault);
	fault.flags = FAULT_FLAG_MAJOR;
	tell(bench, 0, fault);
	assert_int_equal(count(bench, "fault.recorded.minor"), 2);
	assert_int_equal(count(bench, "fault.recorded.major"), 1);
	EXPECT(bench, 0);
	bench_close(bench);
}

static void
test_what_if_sizes(void **state)
{
	static const struct {
		int policy;
		uint64_t faults, tables, bytes;
	} wanted[] = {
		{ PAGES_4K, 4096, (8 + 1 + 1) * PAGE, 16 * MIB },
		{ PAGES_2M, 8, (1 + 1) * PAGE, 16 * MIB },
		{ PAGES_1G, 1, 1 * PAGE, GIB },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct bench *bench = open_plain(wanted[i].policy);

		/* In two mappings of different rights. */
		map(bench, BASE, 5 * MIB, RIGHTS);
		map(bench, BASE + 5 * MIB, 11 * MIB, RIGHTS | MAP_FLAG_EXEC);
		sweep(bench, 0, BASE, 16 * MIB, SITE_STORE);
		EXPECT(bench, [FAULT_ANON] = wanted[i].faults);
		assert_int_equal(count(bench, "table.bytes"), wanted[i].tables);
		assert_int_equal(count(bench, "footprint.bytes"),
				 wanted[i].bytes);
		tell(bench, 0, event_of(EVENT_UNMAP, BASE, 5 * MIB));
		sweep(bench, 0, BASE + 5 * MIB, 11 * MIB, SITE_STORE);
		EXPECT(bench, [FAULT_ANON] = wanted[i].faults);
		tell(bench, 0, event_of(EVENT_UNMAP, BASE, 16 * MIB));
		assert_int_equal(frames_used(bench->frames), 0);
		bench_close(bench);
	}
}

static void
test_what_if_fork(void **state)
{
	struct bench *bench = open_plain(PAGES_2M);

	(void)state;
	map(bench, BASE, 8 * MIB, RIGHTS);
	map(bench, BASE + GIB, 2 * MIB, RIGHTS | MAP_FLAG_SHARED);
	sweep(bench, 0, BASE, 8 * MIB, SITE_STORE);
	sweep(bench, 0, BASE + GIB, 2 * MIB, SITE_STORE);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 4 * MIB, SITE_STORE);
	sweep(bench, 0, BASE, 8 * MIB, SITE_STORE);
	sweep(bench, 0, BASE + GIB, 2 * MIB, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 4, [FAULT_SHARED] = 1, [FAULT_COW] = 4,
	       [FAULT_REUSE] = 2);
	bench_close(bench);
}

/* Mappings that begin and end inside granules: these are whole all the same, one
 * fault each, shared by fork, copied whole, and gone with their last mapping. */
static void
test_granules(void **state)
{
	(void)state;
	for (granule = GRANULE_16K; granule <= GRANULE_64K; granule++) {
		const uint64_t bytes = granule == GRANULE_16K ? 16384 : 65536;
		const uint64_t half = bytes / 2, length = 63 * bytes;
		struct bench *bench = open_plain(PAGES_RECORDED);

		/* 63 granules' worth from the middle of one: in 64 */
		map(bench, BASE + half, length - 5 * PAGE, RIGHTS);
		map(bench, BASE + half + length - 5 * PAGE, 5 * PAGE,
		    RIGHTS | MAP_FLAG_EXEC);
		sweep(bench, 0, BASE + half, length, SITE_STORE);
		EXPECT(bench, [FAULT_ANON] = 64);
		assert_int_equal(count(bench, "footprint.bytes"), 64 * bytes);
		fork_to(bench, 0, 1);
		sweep(bench, 1, BASE + half, 10 * bytes, SITE_STORE);
		assert_int_equal(count(bench, "footprint.bytes"),
				 (64 + 11) * bytes);
		sweep(bench, 0, BASE + half, length, SITE_STORE);
		/* child: 11 copied; parent: these are its own again, the others
		 * are shared still */
		EXPECT(bench, [FAULT_ANON] = 64, [FAULT_COW] = 64,
		       [FAULT_REUSE] = 11);
		tell(bench, 0,
		     event_of(EVENT_UNMAP, BASE + half, length - 5 * PAGE));
		sweep(bench, 0, BASE + half + length - 5 * PAGE, 5 * PAGE,
		      SITE_STORE);
		EXPECT(bench, [FAULT_ANON] = 64, [FAULT_COW] = 64,
		       [FAULT_REUSE] = 11);
		tell(bench, 0, event_of(EVENT_UNMAP, BASE, 64 * bytes));
		assert_int_equal(count(bench, "footprint.bytes"), 64 * bytes);
		tell(bench, 1, event_of(EVENT_UNMAP, BASE, 64 * bytes));
		assert_int_equal(count(bench, "table.bytes"), 0);
		bench_close(bench);
	}
	granule = GRANULE_4K;
}

static void
test_thp(void **state)
{
	struct bench *bench = open_plain(PAGES_THP);

	(void)state;
	/* Three whole regions and two edges of a megabyte. */
	map(bench, BASE + MIB, 8 * MIB, RIGHTS);
	sweep(bench, 0, BASE + MIB, 8 * MIB, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 3 + 512);
	/* A deposited table is as big as one in use. */
	assert_int_equal(count(bench, "table.bytes"), (5 + 2) * PAGE);
	/* Unmapping a part splits the page. */
	tell(bench, 0, event_of(EVENT_UNMAP, BASE + 3 * MIB, MIB));
	assert_int_equal(count(bench, "table.bytes"), (5 + 2) * PAGE);
	assert_int_equal(count(bench, "footprint.bytes"), 7 * MIB);
	sweep(bench, 0, BASE + 2 * MIB, MIB, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 3 + 512);
	tell(bench, 0, event_of(EVENT_UNMAP, BASE, 16 * MIB));
	assert_int_equal(frames_used(bench->frames), 0);
	bench_close(bench);
}

static void
test_huge_zero_page(void **state)
{
	struct bench *bench = open_plain(PAGES_THP);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 4 * MIB, SITE_LOAD);
	EXPECT(bench, [FAULT_ZERO] = 2);
	assert_int_equal(count(bench, "footprint.bytes"), 0);
	sweep(bench, 0, BASE, 2 * MIB, SITE_STORE);
	EXPECT(bench, [FAULT_ZERO] = 2, [FAULT_ZERO_COW] = 1);
	/* Split: 512 zero pages, one of which goes. */
	advise(bench, BASE + 2 * MIB, PAGE, MADV_DONTNEED);
	sweep(bench, 0, BASE + 2 * MIB, 2 * MIB, SITE_LOAD);
	EXPECT(bench, [FAULT_ZERO] = 3, [FAULT_ZERO_COW] = 1);
	bench_close(bench);
}

static void
test_thp_written_after_fork_splits(void **state)
{
	struct bench *bench = open_plain(PAGES_THP);

	(void)state;
	map(bench, BASE, 2 * MIB, RIGHTS);
	use(bench, 0, BASE, SITE_STORE);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 10 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 1, [FAULT_COW] = 10);
	assert_int_equal(count(bench, "footprint.bytes"), 2 * MIB + 10 * PAGE);
	end(bench, 1);
	assert_int_equal(count(bench, "footprint.bytes"), 2 * MIB);
	sweep(bench, 0, BASE, 2 * MIB, SITE_STORE);
	end(bench, 0);
	assert_int_equal(frames_used(bench->frames), 0);
	bench_close(bench);
}

static void
test_no_memory_is_an_error(void **state)
{
	struct bench *bench = open_sized(PAGES_RECORDED, 64 * PAGE);
	struct mapping mapping;

	(void)state;
	map(bench, BASE, MIB, RIGHTS);
	sweep(bench, 0, BASE, 64 * PAGE, SITE_STORE);
	assert_int_equal(paging_fault(bench->paging, 0, BASE + 64 * PAGE,
				      SITE_STORE, 64, &mapping),
			 -ENOMEM);
	bench_close(bench);
}

static void
test_regions_have_names(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);
	uint32_t file = add_file(bench, "/lib/y", 100 * PAGE);
	uint32_t a, b;

	(void)state;
	map_file(bench, BASE, 8 * PAGE, MAP_FLAG_READ, file);
	map_file(bench, BASE + GIB, 8 * PAGE, RIGHTS, file);
	map(bench, BASE + 2 * GIB, PAGE, RIGHTS | MAP_FLAG_HEAP);
	a = paging_region(bench->paging, 0, BASE + PAGE);
	b = paging_region(bench->paging, 0, BASE + GIB);
	assert_int_equal(a, b);
	assert_string_equal(paging_region_name(bench->paging, a), "/lib/y");
	b = paging_region(bench->paging, 0, BASE + 2 * GIB);
	assert_string_equal(paging_region_name(bench->paging, b), "[heap]");
	b = paging_region(bench->paging, 0, BASE + 3 * GIB);
	assert_string_equal(paging_region_name(bench->paging, b), "[unmapped]");
	assert_null(paging_region_name(bench->paging,
				       paging_regions(bench->paging)));
	bench_close(bench);
}

/* The heap told again, whole, keeps its pages. */
static void
test_growing_heap_keeps_its_pages(void **state)
{
	struct bench *bench = open_plain(PAGES_RECORDED);

	(void)state;
	map(bench, BASE, 4 * PAGE, RIGHTS | MAP_FLAG_HEAP);
	sweep(bench, 0, BASE, 4 * PAGE, SITE_STORE);
	map(bench, BASE, 8 * PAGE, RIGHTS | MAP_FLAG_HEAP);
	map(bench, BASE + 8 * PAGE, 4 * PAGE, RIGHTS | MAP_FLAG_HEAP);
	sweep(bench, 0, BASE, 12 * PAGE, SITE_STORE);
	EXPECT(bench, [FAULT_ANON] = 12);
	bench_close(bench);
}

static void
see(struct bench *bench, uint64_t address, uint64_t length, unsigned flags,
    uint64_t frame)
{
	struct event event = event_of(EVENT_RESIDENT, address, length);

	event.flags = (uint16_t)flags;
	event.value = frame;
	event.extra = flags & RESIDENT_LARGE ? 21 : 12;
	tell(bench, 0, event);
}

/* A 2M page that was seen is one from there on, without a fault. */
static void
test_seen_large_pages(void **state)
{
	const uint64_t at = UINT64_C(1) << 30, large = 2 << 20;

	(void)state;
	for (int policy = PAGES_RECORDED; policy <= PAGES_4K; policy++) {
		struct bench *bench = open_sized(policy, 0);
		unsigned shift = policy == PAGES_RECORDED ? 21 : 12;

		map(bench, at, 4 * large, MAP_FLAG_READ | MAP_FLAG_WRITE);
		sweep(bench, 0, at, large, SITE_STORE);
		assert_int_equal(use(bench, 0, at, SITE_LOAD).shift, 12);
		see(bench, at, 2 * large, RESIDENT_LARGE, 0);
		assert_int_equal(use(bench, 0, at, SITE_LOAD).shift, shift);
		/* untouched until then: no fault where it was seen */
		sweep(bench, 0, at + large, large, SITE_STORE);
		/* not seen, not of this kind, not whole: as ever */
		see(bench, at + 2 * large, large,
		    RESIDENT_LARGE | RESIDENT_FILE, 0);
		see(bench, at + 3 * large + PAGE, large, RESIDENT_LARGE, 0);
		assert_int_equal(use(bench, 0, at + 2 * large, SITE_STORE)
					 .shift,
				 12);
		assert_int_equal(count(bench, "fault.minor"),
				 policy == PAGES_RECORDED ? 513 : 1025);
		bench_close(bench);
	}
}

/* A page that was seen in a frame is there, if nobody else is. */
static void
test_seen_frames(void **state)
{
	const uint64_t at = UINT64_C(1) << 30;
	struct bench *bench;
	struct mapping first, moved, other;

	(void)state;
	frames_order = FRAMES_RECORDED;
	bench = open_sized(PAGES_RECORDED, 0);
	frames_order = FRAMES_ASCENDING;
	map(bench, at, 16 * PAGE, MAP_FLAG_READ | MAP_FLAG_WRITE);
	first = use(bench, 0, at, SITE_STORE);
	use(bench, 0, at + PAGE, SITE_STORE);
	see(bench, at, 2 * PAGE, 0, 0x123456000);
	moved = use(bench, 0, at, SITE_LOAD);
	other = use(bench, 0, at + PAGE, SITE_LOAD);
	assert_true(frames_is(moved.frame, 0x123456000));
	assert_true(frames_is(other.frame, 0x123457000));
	assert_true(moved.writable);
	/* the old frame is free again */
	assert_int_equal(use(bench, 0, at + 2 * PAGE, SITE_STORE).frame,
			 first.frame);
	/* one frame for two pages cannot be; hidden frames say nothing */
	see(bench, at + 2 * PAGE, PAGE, 0, 0x123456000);
	see(bench, at, PAGE, 0, 0);
	assert_int_equal(use(bench, 0, at + 2 * PAGE, SITE_LOAD).frame,
			 first.frame);
	assert_int_equal(use(bench, 0, at, SITE_LOAD).frame, moved.frame);
	/* what fork shares stays where it is */
	fork_to(bench, 0, 1);
	see(bench, at, PAGE, 0, 0x777777000);
	assert_int_equal(use(bench, 0, at, SITE_LOAD).frame, moved.frame);
	assert_int_equal(count(bench, "frames.recorded"), 2);
	assert_int_equal(count(bench, "frames.recorded.taken"), 1);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demand_zero),
		cmocka_unit_test(test_sparse_needs_a_table_page_each),
		cmocka_unit_test(test_zero_page_then_its_copy),
		cmocka_unit_test(test_fork_copies_for_one_and_leaves_the_other),
		cmocka_unit_test(
			test_fork_copies_only_what_has_anonymous_pages),
		cmocka_unit_test(test_exit_makes_the_other_reuse),
		cmocka_unit_test(test_vfork_child_leaves_its_parents_memory),
		cmocka_unit_test(test_fault_around),
		cmocka_unit_test(test_private_file_is_copied_when_written),
		cmocka_unit_test(test_shared_file_notices_the_first_write),
		cmocka_unit_test(test_shared_memory_is_one),
		cmocka_unit_test(test_stack_grows_to_its_guard_gap),
		cmocka_unit_test(test_traces_without_mappings),
		cmocka_unit_test(test_protection_traps_are_counted_apart),
		cmocka_unit_test(test_dontneed_frees_whole_tables),
		cmocka_unit_test(test_munmap_frees_tables_of_the_gap_only),
		cmocka_unit_test(test_mremap_takes_its_pages_along),
		cmocka_unit_test(test_populated_pages_are_no_faults),
		cmocka_unit_test(test_the_kernel_faults_too),
		cmocka_unit_test(test_recorded_faults_stand_beside),
		cmocka_unit_test(test_what_if_sizes),
		cmocka_unit_test(test_what_if_fork),
		cmocka_unit_test(test_granules),
		cmocka_unit_test(test_thp),
		cmocka_unit_test(test_huge_zero_page),
		cmocka_unit_test(test_thp_written_after_fork_splits),
		cmocka_unit_test(test_no_memory_is_an_error),
		cmocka_unit_test(test_regions_have_names),
		cmocka_unit_test(test_seen_large_pages),
		cmocka_unit_test(test_seen_frames),
		cmocka_unit_test(test_growing_heap_keeps_its_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
