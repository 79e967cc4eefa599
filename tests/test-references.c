// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * References by page numbers: hand-made mappings, forks and files whose
 * numbers can be told in the head, and a plain twin (a list that is searched
 * from its start) on seeded accesses of several spaces.
 */
#include "models/paging/references.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE   UINT64_C(4096)
#define BASE   (UINT64_C(1) << 36)
#define RIGHTS (MAP_FLAG_READ | MAP_FLAG_WRITE)
#define SPACES 4u

struct bench {
	struct stream *stream;
	struct references *references;
	struct batch batch;
	struct references_sink sink;
	uint32_t site[4], wide; /* of a kind, 8 bytes; a store of 9,000 */
	char log[4096];		/* "3 4w -3": referenced, written, dropped */
	size_t length;
	/* the twin's: all references, as number * 2 + write */
	uint32_t *seen;
	size_t n, room;
};

static void
log_one(struct bench *bench, const char *format, uint32_t page)
{
	size_t room = sizeof(bench->log) - bench->length;
	int n;

	if (bench->length)
		bench->log[bench->length++] = ' ';
	n = snprintf(bench->log + bench->length, room - 1, format, page);
	assert_true(n > 0 && (size_t)n < room - 1);
	bench->length += (size_t)n;
}

static int
log_references(void *context, const struct reclaim_batch *batch)
{
	struct bench *bench = context;

	for (uint32_t i = 0; i < batch->n; i++)
		log_one(bench, batch->write[i] ? "%uw" : "%u", batch->page[i]);
	return 0;
}

static int
log_drop(void *context, uint32_t page)
{
	log_one(context, "-%u", page);
	return 0;
}

static struct bench *
bench_open(unsigned shift, bool fetches)
{
	const struct references_config config = { shift, fetches };
	struct bench *bench = calloc(1, sizeof(*bench));
	uint32_t number;

	assert_int_equal(stream_open(&bench->stream), 0);
	for (uint32_t i = 0; i < SPACES; i++) {
		struct thread thread = { 100 + i, 100 + i };
		struct space space = { 100 + i, 0, i ? 0 : SPACE_NONE };
		struct site site = { .pc = i, .size = 8, .kind = (uint8_t)i };

		stream_thread_add(bench->stream, &thread, &number);
		stream_space_add(bench->stream, &space, &number);
		stream_site_add(bench->stream, &site, &bench->site[i]);
	}
	stream_site_add(bench->stream,
			&(struct site){
				.pc = 9, .size = 9000, .kind = SITE_STORE },
			&bench->wide);
	assert_int_equal(batch_init(&bench->batch), 0);
	assert_int_equal(references_open(&bench->references, &config,
					 bench->stream),
			 0);
	bench->sink =
		(struct references_sink){ bench, log_references, log_drop };
	return bench;
}

static void
bench_close(struct bench *bench)
{
	references_close(bench->references);
	batch_fini(&bench->batch);
	stream_close(bench->stream);
	free(bench->seen);
	free(bench);
}

static void
feed(struct bench *bench)
{
	assert_int_equal(references_feed(bench->references, &bench->batch,
					 &bench->sink),
			 0);
	batch_reset(&bench->batch);
}

static void
run_in(struct bench *bench, uint32_t space)
{
	if (bench->batch.n || bench->batch.n_events)
		feed(bench);
	bench->batch.space = bench->batch.thread = space;
}

/* "l0 s1 m2 f3 l1+ L": load of page 0 ...; + crosses into the next. */
static void
touch(struct bench *bench, const char *string)
{
	static const char kinds[] = "lsmf";
	char kind, mark;
	unsigned page;
	int n;

	while (sscanf(string, " %c%u%n", &kind, &page, &n) == 2) {
		string += n;
		mark = *string == '+' ? '+' : 0;
		string += mark == '+';
		batch_access(&bench->batch,
			     BASE + page * PAGE + (mark ? PAGE - 4 : 16),
			     kind == 'W' ? bench->wide
					 : bench->site[strchr(kinds, kind) -
						       kinds]);
	}
}

static struct event *
add(struct bench *bench, enum event_type type, unsigned page, unsigned pages)
{
	struct event *event = batch_event(&bench->batch, type);

	event->position = bench->batch.n;
	event->address = BASE + page * PAGE;
	event->length = pages * PAGE;
	return event;
}

static void
expect(struct bench *bench, const char *log)
{
	if (bench->batch.n || bench->batch.n_events)
		feed(bench);
	bench->log[bench->length] = 0;
	assert_string_equal(bench->log, log);
	bench->length = 0;
}

static void
test_repeats(void **state)
{
	struct bench *bench = bench_open(12, false);

	(void)state;
	touch(bench, "l5 l5 l7 l5");
	expect(bench, "0 1 0");
	/* A first write goes on if the run's reference was fed before, else it
	 * is in that. */
	touch(bench, "l5 s5 s5 l5 m5 l7 l7 m7 l5");
	expect(bench, "0w 1w 0");
	/* No fetches; both pages of an access that crosses, all of a long one. */
	touch(bench, "f9 l5+ l5 s6+ W10");
	expect(bench, "2 0 2w 1w 3w 4w 5w");
	assert_int_equal(references_pages(bench->references), 6);
	assert_int_equal(references_accesses(bench->references), 18);
	assert_string_equal(references_label(bench->references, 0), "[anon]");
	bench_close(bench);

	bench = bench_open(12, true);
	touch(bench, "f9 l9 f8");
	expect(bench, "0 1");
	/* Page 0 and the end of the address space */
	batch_access(&bench->batch, 0, bench->site[0]);
	batch_access(&bench->batch, UINT64_MAX - 3, bench->site[0]);
	batch_access(&bench->batch, 8, bench->site[0]);
	expect(bench, "2 3 2");
	bench_close(bench);
}

static void
test_shifts(void **state)
{
	struct bench *bench = bench_open(6, false);

	(void)state;
	batch_access(&bench->batch, BASE, bench->site[0]);
	batch_access(&bench->batch, BASE + 56, bench->site[1]);
	batch_access(&bench->batch, BASE + 60, bench->site[1]);
	batch_access(&bench->batch, BASE + 640, bench->site[0]);
	/* The kernel reads 3 lines. */
	add(bench, EVENT_KERNEL_READ, 0, 0)->length = 130;
	expect(bench, "0w 1w 2 0 1 3");
	bench_close(bench);
}

static void
test_zero_page(void **state)
{
	struct bench *bench = bench_open(12, false);

	(void)state;
	add(bench, EVENT_MAP, 0, 8)->flags = RIGHTS;
	touch(bench, "l0 l1 l2 s1 l2 l1");
	expect(bench, "0w");
	touch(bench, "s3");
	add(bench, EVENT_KERNEL_WRITE, 4, 2);
	expect(bench, "1w 2w 3w");
	/* What is not allowed is no reference; what goes is told. */
	add(bench, EVENT_PROTECT, 3, 1)->flags = MAP_FLAG_READ;
	touch(bench, "s3 l3 l4");
	add(bench, EVENT_UNMAP, 3, 2);
	touch(bench, "l3");
	expect(bench, "1 2 -1 -2 4");
	assert_string_equal(references_label(bench->references, 4),
			    "[unmapped]");
	bench_close(bench);
}

static void
fork_to(struct bench *bench, uint32_t child)
{
	add(bench, EVENT_FORK, 0, 0)->value = child;
}

static void
test_fork(void **state)
{
	struct bench *bench = bench_open(12, false);

	(void)state;
	add(bench, EVENT_MAP, 0, 8)->flags = RIGHTS;
	touch(bench, "s0 s1 s2");
	fork_to(bench, 1);
	touch(bench, "l0 s0 l0");
	expect(bench, "0w 1w 2w 0 3w");
	/* The child has the old page 0 alone, and keeps its number; page 1
	 * becomes another's by its write. */
	run_in(bench, 1);
	touch(bench, "s0 s1 l2");
	expect(bench, "0w 4w 2");
	add(bench, EVENT_EXIT, 0, 0)->flags = 1;
	expect(bench, "-0 -4");
	run_in(bench, 0);
	touch(bench, "l0 l1 s2");
	expect(bench, "3 1 2w");
	bench_close(bench);
}

static void
test_files(void **state)
{
	struct bench *bench = bench_open(12, false);
	const struct file file = { "/usr/lib/x.so", "", 1, 64 * PAGE, 0 };
	uint32_t number;
	struct event *event;

	(void)state;
	stream_file_add(bench->stream, &file, &number);
	for (uint32_t space = 0; space < 2; space++) {
		run_in(bench, space);
		event = add(bench, EVENT_MAP, space * 100, 16);
		event->flags = RIGHTS | MAP_FLAG_FILE;
		event->file = number;
		event->offset = 8 * PAGE;
	}
	run_in(bench, 0);
	touch(bench, "l1 l0");
	expect(bench, "0 1");
	run_in(bench, 1);
	touch(bench, "l101 s101 l100 l101");
	expect(bench, "0 2w 1 2");
	/* The file's page stays in memory, its copy goes. */
	add(bench, EVENT_UNMAP, 100, 16);
	expect(bench, "-2");
	assert_string_equal(references_label(bench->references, 1),
			    "/usr/lib/x.so");
	bench_close(bench);
}

static int
keep_references(void *context, const struct reclaim_batch *batch)
{
	struct bench *bench = context;

	if (bench->n + batch->n > bench->room) {
		bench->room = (bench->n + batch->n) * 2;
		bench->seen = reallocarray(bench->seen, bench->room,
					   sizeof(*bench->seen));
		assert_non_null(bench->seen);
	}
	assert_int_equal(batch->position, bench->n);
	for (uint32_t i = 0; i < batch->n; i++)
		bench->seen[bench->n++] = batch->page[i] * 2 + batch->write[i];
	return 0;
}

struct twin {
	uint64_t page[16384]; /* space and page */
	uint32_t n, last;
	bool written;
	uint32_t *expected;
	size_t references, fed; /* fed: by the end of the last batch */
};

static void
twin_refer(struct twin *twin, uint64_t page, bool write)
{
	uint32_t i = 0;

	while (i < twin->n && twin->page[i] != page)
		i++;
	if (i == twin->n)
		twin->page[twin->n++] = page;
	if (twin->last == i && (!write || twin->written))
		return;
	if (twin->last == i && twin->references > twin->fed) {
		twin->expected[twin->references - 1] |= 1;
		twin->written = true;
		return;
	}
	twin->written = write || (twin->last == i && twin->written);
	twin->last = i;
	twin->expected[twin->references++] = i * 2 + write;
}

static void
test_twin(void **state)
{
	const uint32_t accesses = 60000;
	struct bench *bench = bench_open(12, false);
	struct twin *twin = calloc(1, sizeof(*twin));
	uint64_t draw = 12345;

	(void)state;
	twin->last = UINT32_MAX;
	twin->expected = calloc(2 * accesses, sizeof(*twin->expected));
	bench->sink.feed = keep_references;
	for (uint32_t i = 0; i < accesses; i++) {
		uint64_t address;
		unsigned kind;

		draw = draw * UINT64_C(6364136223846793005) +
		       1442695040888963407u;
		kind = draw >> 40 & 3;
		address = BASE + (draw >> 50) % 701 * PAGE *
					 (1 + (draw >> 45 & 1) * 511);
		if (draw >> 42 & 1)
			address += PAGE - 6;
		batch_access(&bench->batch, address, bench->site[kind]);
		if (kind != SITE_FETCH)
			for (uint64_t p = address >> 12;
			     p <= (address + 7) >> 12; p++)
				twin_refer(twin, p << 4 | bench->batch.space,
					   kind == SITE_STORE ||
						   kind == SITE_MODIFY);
		if (draw >> 60 == 3 || bench->batch.n == BATCH_ACCESSES) {
			run_in(bench, draw >> 33 & 3);
			twin->fed = twin->references;
		}
	}
	feed(bench);
	assert_int_equal(bench->n, twin->references);
	assert_memory_equal(bench->seen, twin->expected,
			    bench->n * sizeof(*bench->seen));
	assert_int_equal(references_pages(bench->references), twin->n);
	free(twin->expected);
	free(twin);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeats),	  cmocka_unit_test(test_shifts),
		cmocka_unit_test(test_zero_page), cmocka_unit_test(test_fork),
		cmocka_unit_test(test_files),	  cmocka_unit_test(test_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
