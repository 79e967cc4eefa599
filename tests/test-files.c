// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files in the kernel part on hand-made events: what is there at the start, the
 * page cache, folios, read-ahead, and the list of faults beside the recorded.
 * (test-files-kernel and kernel-programs.sh have the real kernel as judge.)
 */
#include "models/paging/paging.h"
#include "models/tables/tables.h"
#include "tests/plain-table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE   UINT64_C(4096)
#define MIB    (UINT64_C(1) << 20)
#define BASE   (UINT64_C(64) << 30)
#define RIGHTS (MAP_FLAG_READ | MAP_FLAG_WRITE)

struct bench {
	struct stream *stream;
	struct frames *frames;
	struct paging *paging;
	struct batch batch;
	struct result *result; /* of the last look */
	uint64_t accesses;
};

static struct bench *
bench_open(struct paging_config config)
{
	static const struct frames_config frames;
	struct bench *bench = calloc(1, sizeof(*bench));
	uint32_t number;

	config.fault_around_bytes = 65536;
	config.zero_page = ZERO_PAGE_YES;
	assert_int_equal(stream_open(&bench->stream), 0);
	json_object_set_new(stream_about(bench->stream), "engines",
			    json_pack("[{s:s}]", "name", "faults"));
	for (uint32_t i = 0; i < 4; i++) {
		struct thread thread = { 100 + i, 100 + i };
		struct space space = { 100 + i, 0, i ? 0 : SPACE_NONE };

		stream_thread_add(bench->stream, &thread, &number);
		stream_space_add(bench->stream, &space, &number);
	}
	assert_int_equal(batch_init(&bench->batch), 0);
	assert_int_equal(frames_open(&bench->frames, &frames), 0);
	assert_int_equal(paging_open(&bench->paging, &config, bench->stream,
				     bench->frames, &plain_table, NULL, NULL),
			 0);
	return bench;
}

static void
bench_close(struct bench *bench)
{
	paging_close(bench->paging);
	frames_close(bench->frames);
	result_close(bench->result);
	batch_fini(&bench->batch);
	stream_close(bench->stream);
	free(bench);
}

static void
tell(struct bench *bench, uint32_t space, struct event event)
{
	bench->batch.space = bench->batch.thread = space;
	assert_int_equal(paging_event(bench->paging, &bench->batch, &event,
				      bench->accesses),
			 0);
}

static struct event
event_of(enum event_type type, uint64_t address, uint64_t length)
{
	return (struct event){ .type = (uint8_t)type,
			       .file = UINT32_MAX,
			       .address = address,
			       .length = length };
}

static void
map(struct bench *bench, uint64_t address, uint64_t length, unsigned flags,
    uint32_t file)
{
	struct event event = event_of(EVENT_MAP, address, length);

	event.flags =
		(uint16_t)(flags | (file == UINT32_MAX ? 0 : MAP_FLAG_FILE));
	event.file = file;
	tell(bench, 0, event);
}

static uint32_t
add_file(struct bench *bench, const char *path, uint64_t bytes)
{
	struct file file = { path, "", 1, bytes, 0 };
	uint32_t number;

	assert_int_equal(stream_file_add(bench->stream, &file, &number), 0);
	return number;
}

/* As a machine without a TLB does. */
static void
use(struct bench *bench, uint32_t space, uint64_t address, enum site_kind kind)
{
	struct table *table = paging_table(bench->paging, space);
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	plain_table.walk(table, address, reference, &mapping);
	if (!mapping.shift || (kind == SITE_STORE && !mapping.writable))
		assert_int_equal(paging_fault(bench->paging, space, address,
					      kind, bench->accesses, &mapping),
				 0);
	paging_touch(bench->paging, space, address);
	bench->accesses++;
}

static void
finish(struct bench *bench)
{
	result_close(bench->result);
	bench->result = NULL;
	assert_int_equal(result_open(&bench->result), 0);
	assert_int_equal(paging_finish(bench->paging, bench->accesses,
				       bench->result),
			 0);
}

static uint64_t
value(struct bench *bench, const char *name)
{
	json_t *one;

	finish(bench);
	one = json_object_get(json_object_get(result_json(bench->result),
					      "values"),
			      name);
	one = json_object_get(one, "value");
	assert_true(json_is_integer(one));
	return (uint64_t)json_integer_value(one);
}

/* A cell of a table, as text; the result is the last finish's. */
static const char *
cell(struct bench *bench, const char *table, size_t row, size_t column)
{
	json_t *one =
		json_object_get(json_object_get(result_json(bench->result),
						"tables"),
				table);

	one = json_array_get(json_object_get(one, "rows"), row);
	return json_string_value(json_array_get(one, column));
}

static void
record_fault(struct bench *bench, uint64_t address)
{
	tell(bench, 0, event_of(EVENT_FAULT, address, 0));
}

static void
test_faults_one_by_one(void **state)
{
	struct bench *bench = bench_open((struct paging_config){ .list = 10 });

	(void)state;
	map(bench, BASE, 4 * PAGE, RIGHTS, UINT32_MAX);
	record_fault(bench, BASE + 3);
	use(bench, 0, BASE, SITE_STORE);
	use(bench, 0, BASE + PAGE, SITE_LOAD);
	record_fault(bench, BASE + PAGE + 8);
	use(bench, 0, BASE + PAGE, SITE_STORE);
	record_fault(bench, BASE + PAGE + 8);
	/* the kernel alone; the model alone; a fetch; a system call */
	tell(bench, 0, event_of(EVENT_KERNEL_READ, BASE + 5, 100));
	record_fault(bench, BASE + 2 * PAGE);
	use(bench, 0, BASE + 3 * PAGE, SITE_STORE);
	map(bench, BASE + MIB, PAGE, RIGHTS | MAP_FLAG_EXEC, UINT32_MAX);
	use(bench, 0, BASE + MIB, SITE_FETCH);
	assert_int_equal(value(bench, "fault.recorded.matched"), 3);
	assert_int_equal(value(bench, "fault.recorded.unpredicted"), 1);
	assert_int_equal(value(bench, "fault.unrecorded"), 1);
	assert_int_equal(value(bench, "fault.unrecorded.fetch"), 1);
	assert_int_equal(value(bench, "io.copied.bytes"), 100);
	finish(bench);
	assert_string_equal(cell(bench, "faults.differ", 0, 0), "0x1000002000");
	assert_string_equal(cell(bench, "faults.differ", 0, 2),
			    "the kernel only");
	assert_string_equal(cell(bench, "faults.differ", 1, 0), "0x1000003000");
	assert_string_equal(cell(bench, "faults.differ", 1, 3), "anon");
	bench_close(bench);
}

static void
test_what_was_there_faults_no_more(void **state)
{
	struct bench *bench = bench_open((struct paging_config){ 0 });
	uint32_t file = add_file(bench, "/lib/x", 16 * PAGE);
	struct event event = event_of(EVENT_RESIDENT, BASE, 2 * PAGE);

	(void)state;
	map(bench, BASE, 8 * PAGE, RIGHTS, UINT32_MAX);
	map(bench, BASE + MIB, 16 * PAGE, MAP_FLAG_READ, file);
	event.extra = 12;
	event.flags = RESIDENT_INITIAL;
	tell(bench, 0, event);
	event.address = BASE + 2 * PAGE;
	event.length = PAGE;
	event.flags = RESIDENT_INITIAL | RESIDENT_ZERO;
	tell(bench, 0, event);
	/* Another process has it, too: whoever that is */
	event.address = BASE + 3 * PAGE;
	event.flags = RESIDENT_INITIAL | RESIDENT_SHARED;
	tell(bench, 0, event);
	event.address = BASE + MIB;
	event.flags = RESIDENT_INITIAL | RESIDENT_FILE | RESIDENT_SHARED;
	tell(bench, 0, event);
	/* What is seen later says nothing of what was there before */
	event.address = BASE + 4 * PAGE;
	event.flags = 0;
	tell(bench, 0, event);
	for (uint64_t i = 0; i < 5; i++)
		use(bench, 0, BASE + i * PAGE, SITE_STORE);
	use(bench, 0, BASE + MIB, SITE_LOAD);
	assert_int_equal(value(bench, "fault.minor"), 3);
	assert_int_equal(value(bench, "fault.zero-cow"), 1);
	assert_int_equal(value(bench, "fault.cow"), 1);
	assert_int_equal(value(bench, "fault.anon"), 1);
	bench_close(bench);
}

/*
 * 64 pages, 32 in one go: page 0 is read with those to 31, of which 24 is marked.
 * Faults: 0 (major, maps 0-15), 16 (maps on, but not 24), 24 (reads 32-63, 32 is
 * marked), 32 (nothing more to read, maps 32-47), 48.
 */
static void
test_reading_ahead_of_a_sweep(void **state)
{
	struct bench *bench = bench_open(
		(struct paging_config){ .files = { FILES_COLD, -1 } });
	uint32_t file = add_file(bench, "/data", 64 * PAGE);

	(void)state;
	map(bench, BASE, 64 * PAGE, MAP_FLAG_READ | MAP_FLAG_SHARED, file);
	for (uint64_t i = 0; i < 64; i++)
		use(bench, 0, BASE + i * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.major"), 1);
	assert_int_equal(value(bench, "fault.read"), 1);
	assert_int_equal(value(bench, "fault.minor"), 4);
	assert_int_equal(value(bench, "files.read.pages"), 64);
	assert_int_equal(value(bench, "files.read-ahead.pages"), 63);
	assert_int_equal(value(bench, "files.read-ahead.used"), 63);
	assert_int_equal(value(bench, "files.cached.bytes"), 64 * 4096);
	assert_int_equal(value(bench, "files.cached.bytes.peak"), 64 * 4096);
	bench_close(bench);
}

static void
test_no_reading_ahead(void **state)
{
	struct bench *bench =
		bench_open((struct paging_config){ .files = { FILES_COLD } });
	uint32_t file = add_file(bench, "/data", 64 * PAGE);

	(void)state;
	map(bench, BASE, 64 * PAGE, MAP_FLAG_READ | MAP_FLAG_SHARED, file);
	for (uint64_t i = 0; i < 64; i++)
		use(bench, 0, BASE + i * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.major"), 64);
	assert_int_equal(value(bench, "fault.minor"), 0);
	assert_int_equal(value(bench, "files.read-ahead.pages"), 0);
	bench_close(bench);
}

static void
see(struct bench *bench, uint32_t file, uint64_t first, uint64_t pages,
    unsigned shift, unsigned flags)
{
	struct event event = event_of(EVENT_CACHED, 0, pages * PAGE);

	event.file = file;
	event.offset = first * PAGE;
	event.value = shift;
	event.flags = (uint16_t)flags;
	tell(bench, 0, event);
}

/* A folio is mapped whole, but not the last one, which ends where the file does;
 * a hole is read, up to what is there. */
static void
test_what_was_seen_of_the_page_cache(void **state)
{
	struct bench *bench = bench_open(
		(struct paging_config){ .files = { FILES_RECORDED, -1 } });
	uint32_t file = add_file(bench, "/data", 192 * PAGE);

	(void)state;
	/* a folio of 64 pages, one alone, a hole, a marked one, the last */
	see(bench, file, 0, 64, 18, 0);
	see(bench, file, 64, 1, 12, 0);
	see(bench, file, 65, 31, 0, 0);
	see(bench, file, 96, 32, 17, CACHED_MARK);
	see(bench, file, 128, 64, 18, 0);
	map(bench, BASE, 192 * PAGE, MAP_FLAG_READ | MAP_FLAG_SHARED, file);
	/* whole */
	for (uint64_t i = 0; i < 64; i++)
		use(bench, 0, BASE + i * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.minor"), 1);
	use(bench, 0, BASE + 64 * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.minor"), 2);
	/* the hole, from 16 before: 65 to 80; what is there stays */
	use(bench, 0, BASE + 80 * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.major"), 1);
	assert_int_equal(value(bench, "files.read.pages"), 31);
	/* in windows of 16, as it ends with the file */
	for (uint64_t i = 128; i < 192; i++)
		use(bench, 0, BASE + i * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.minor"), 6);
	bench_close(bench);
}

/* Without a PTE table, a window that begins with a file's last folio is not
 * mapped: the fault itself maps the folio whole (6.18). */
static void
test_last_folio_in_a_new_table(void **state)
{
	struct bench *bench = bench_open(
		(struct paging_config){ .files = { FILES_RECORDED, -1 } });
	uint32_t file = add_file(bench, "/data", 64 * PAGE);

	(void)state;
	see(bench, file, 0, 64, 18, 0);
	map(bench, BASE, 64 * PAGE, MAP_FLAG_READ | MAP_FLAG_SHARED, file);
	for (uint64_t i = 0; i < 64; i++)
		use(bench, 0, BASE + i * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.minor"), 1);
	bench_close(bench);
}

/* Anywhere mounted, by what the trace says. */
static void
test_tmpfs_notices_no_writes(void **state)
{
	struct bench *bench = bench_open(
		(struct paging_config){ .files = { FILES_COLD, -1 } });
	uint32_t file = add_file(bench, "/mnt/data", 32 * PAGE);

	(void)state;
	see(bench, file, 0, 8, 12, CACHED_MEMORY);
	see(bench, file, 8, 24, 0, CACHED_MEMORY);
	map(bench, BASE, 32 * PAGE, RIGHTS | MAP_FLAG_SHARED, file);
	for (uint64_t i = 0; i < 8; i++)
		use(bench, 0, BASE + i * PAGE, SITE_LOAD);
	assert_int_equal(value(bench, "fault.minor"), 1);
	for (uint64_t i = 0; i < 16; i++)
		use(bench, 0, BASE + i * PAGE, SITE_STORE);
	assert_int_equal(value(bench, "fault.minor"), 9);
	assert_int_equal(value(bench, "fault.major"), 0);
	bench_close(bench);
}

static uint64_t
number(struct bench *bench, const char *table, size_t row, size_t column)
{
	json_t *one =
		json_object_get(json_object_get(result_json(bench->result),
						"tables"),
				table);

	one = json_array_get(json_object_get(one, "rows"), row);
	one = json_array_get(one, column);
	assert_true(json_is_integer(one));
	return (uint64_t)json_integer_value(one);
}

static void
fork_to(struct bench *bench, uint32_t parent, uint32_t child)
{
	struct event event = event_of(EVENT_FORK, 0, 0);

	event.value = child;
	tell(bench, parent, event);
}

/* Three processes; each share as it is done by hand. */
static void
test_who_shares_what(void **state)
{
	struct bench *bench = bench_open((struct paging_config){ 0 });
	uint32_t file = add_file(bench, "/lib/x", 16 * PAGE);
	struct event end = event_of(EVENT_EXIT, 0, 0);

	(void)state;
	map(bench, BASE, 12 * PAGE, RIGHTS, UINT32_MAX);
	map(bench, BASE + 2 * MIB, 4 * MIB, RIGHTS | MAP_FLAG_SHARED,
	    UINT32_MAX);
	map(bench, BASE + 8 * MIB, 16 * PAGE, MAP_FLAG_READ, file);
	for (uint64_t i = 0; i < 12; i++)
		use(bench, 0, BASE + i * PAGE, i < 9 ? SITE_STORE : SITE_LOAD);
	fork_to(bench, 0, 1);
	fork_to(bench, 0, 2);
	/* of nine shared pages one process copies three */
	for (uint64_t i = 0; i < 3; i++)
		use(bench, 1, BASE + i * PAGE, SITE_STORE);
	for (uint32_t space = 0; space < 3; space++) {
		use(bench, space, BASE + 8 * MIB, SITE_LOAD);
		for (uint64_t i = 0; i < 4 * MIB; i += PAGE)
			use(bench, space, BASE + 2 * MIB + i, SITE_STORE);
	}
	end.flags = 1;
	tell(bench, 2, end);
	tell(bench, 1, end);
	finish(bench);
	assert_int_equal(value(bench, "shared.entries"), 3 * 1024);
	assert_int_equal(value(bench, "shared.pages"), 1024);
	/* two tables of 2M for each but the first */
	assert_int_equal(value(bench, "shared.tables.saveable"), 2 * 2 * PAGE);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(number(bench, "processes", i, 0), 100 + i);
		assert_int_equal(number(bench, "processes", i, 1),
				 (9 + 1024 + 16) * PAGE);
		assert_int_equal(number(bench, "processes", i, 3),
				 i == 1 ? 3 * PAGE : 0);
	}
	/* 1 has 3 alone and 6 with two others, 0 has 3 with one */
	assert_int_equal(number(bench, "processes", 1, 2) / 100,
			 (3 * PAGE + (6 + 1024 + 16) * PAGE / 3) / 100);
	assert_int_equal(number(bench, "processes", 0, 2) / 100,
			 (3 * PAGE / 2 + (6 + 1024 + 16) * PAGE / 3) / 100);
	/* zero page, copy on write, page cache, shared memory */
	assert_int_equal(number(bench, "savings", 0, 1), 3 * 3 * PAGE);
	assert_int_equal(number(bench, "savings", 1, 1), (3 + 6 * 2) * PAGE);
	assert_int_equal(number(bench, "savings", 2, 1), 2 * 16 * PAGE);
	assert_int_equal(number(bench, "savings", 3, 1), 2 * 1024 * PAGE);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults_one_by_one),
		cmocka_unit_test(test_what_was_there_faults_no_more),
		cmocka_unit_test(test_reading_ahead_of_a_sweep),
		cmocka_unit_test(test_no_reading_ahead),
		cmocka_unit_test(test_what_was_seen_of_the_page_cache),
		cmocka_unit_test(test_last_folio_in_a_new_table),
		cmocka_unit_test(test_tmpfs_notices_no_writes),
		cmocka_unit_test(test_who_shares_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
