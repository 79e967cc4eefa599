// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples through a trace: memory samples and plain ones are written into a
 * .pst, read, and what the model says of them is compared with sums by hand.
 */
#include "analyzer/run.h"
#include "models/analysis/samples.h"
#include "traces/open.h"
#include "traces/pst.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka's own compares floats */
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static char path[64];
static uint32_t code, heap, loads, cycles;

static void
add_map(struct batch *batch, uint64_t address, uint64_t length, uint32_t file)
{
	struct event *event = batch_event(batch, EVENT_MAP);

	event->address = address;
	event->length = length;
	event->file = file;
	event->flags = MAP_FLAG_READ | MAP_FLAG_EXEC;
}

static void
add_sample(struct batch *batch, uint64_t ip, uint64_t address, uint16_t flags,
	   uint64_t length)
{
	struct event *event = batch_event(batch, EVENT_SAMPLE);

	event->value = ip;
	event->address = address;
	event->flags = flags;
	event->length = length;
	event->extra = 100;
	event->offset = 0x9000;
	event->file = loads;
	event->time_ns = 5;
}

#define PAGES(flags, shift) ((uint16_t)((flags) | (shift) << 10))
#define WALK_2M                                                                \
	PAGES(SAMPLE_FLAGS(SAMPLE_OP_LOAD, SAMPLE_TLB_WALK, SAMPLE_LEVEL_RAM), \
	      21)
#define HIT_4K                                                                 \
	PAGES(SAMPLE_FLAGS(SAMPLE_OP_LOAD, SAMPLE_TLB_FIRST, SAMPLE_LEVEL_L1), \
	      12)
#define NOT_TOLD SAMPLE_FLAGS(SAMPLE_OP_STORE, 0, 0)

static void
fill(struct batch *batch, uint32_t space, uint32_t child)
{
	struct event *event;

	batch->space = space;
	batch->columned = true;
	add_map(batch, 0x400000, 0x1000, code);
	add_map(batch, 0x800000, 0x10000, heap);
	/* Two instructions: 20 walks of 60 samples, and 30 hits */
	for (unsigned i = 0; i < 20; i++)
		add_sample(batch, 0x400010, 0x800000, WALK_2M,
			   300 | UINT64_C(40) << 32);
	for (unsigned i = 0; i < 40; i++)
		add_sample(batch, 0x400010, 0x800008, HIT_4K, 5);
	for (unsigned i = 0; i < 30; i++)
		add_sample(batch, 0x400020, 0x123, HIT_4K, 5);
	/* Nothing is told of the translation of these */
	for (unsigned i = 0; i < 10; i++)
		add_sample(batch, 0x400020, 0x123, NOT_TOLD, 0);
	/* Unmapped, no longer the heap's; of another event, no memory's */
	event = batch_event(batch, EVENT_UNMAP);
	event->address = 0x800000;
	event->length = 0x10000;
	add_sample(batch, 0x400020, 0x800000, NOT_TOLD, 0);
	add_sample(batch, 0x400030, 0, 0, 0);
	batch->event[batch->n_events - 1].file = cycles;
	/* A child has a copy */
	event = batch_event(batch, EVENT_FORK);
	event->value = child;
}

static void
write_trace(void)
{
	struct pst_writer_options options = { .effort = PST_NORMAL };
	struct file files[] = { { .path = "/bin/p", .build_id = "" },
				{ .path = "[heap]", .build_id = "" },
				{ .path = "mem-loads", .build_id = "" },
				{ .path = "cycles", .build_id = "" } };
	uint32_t *numbers[] = { &code, &heap, &loads, &cycles };
	struct thread thread = { 7, 7 };
	struct space space = { .pid = 7, .parent = SPACE_NONE };
	uint32_t number, first, child;
	struct stream *stream;
	struct model *writer;
	struct batch batch;

	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(stream_thread_add(stream, &thread, &number), 0);
	assert_int_equal(stream_space_add(stream, &space, &first), 0);
	space.pid = 8;
	space.parent = first;
	assert_int_equal(stream_space_add(stream, &space, &child), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(stream_file_add(stream, &files[i], numbers[i]),
				 0);
	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(pst_writer_open(&writer, path, &options, stream), 0);
	fill(&batch, first, child);
	assert_int_equal(writer->methods->feed(writer, &batch), 0);
	batch_reset(&batch);
	batch.space = child;
	batch.columned = true;
	add_sample(&batch, 0x400020, 0x400000, NOT_TOLD, 0);
	assert_int_equal(writer->methods->feed(writer, &batch), 0);
	assert_int_equal(writer->methods->finish(writer, NULL), 0);
	model_close(writer);
	batch_fini(&batch);
	stream_close(stream);
}

static struct result *
read_trace(void)
{
	struct source *source;
	struct model *model;
	struct result *result;
	struct run run = { .models = &model, .n_models = 1 };

	assert_int_equal(source_open(&source, path, false), 0);
	assert_int_equal(samples_model.open(&model, NULL, source->stream), 0);
	assert_int_equal(result_open(&result), 0);
	run.source = source;
	assert_int_equal(run_feed(&run), 0);
	assert_int_equal(model->methods->finish(model, result), 0);
	model_close(model);
	source_close(source);
	return result;
}

/* The row of a table whose first cell is this text, or NULL */
static json_t *
row_of(struct result *result, const char *table, const char *first)
{
	json_t *tables = json_object_get(result_json(result), "tables");
	json_t *rows = json_object_get(json_object_get(tables, table), "rows");
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) if (!strcmp(json_string_value(
							     json_array_get(row,
									    0)),
						     first)) return row;
	return NULL;
}

static double
cell(const json_t *row, size_t column)
{
	const json_t *value = json_array_get(row, column);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static double
value(struct result *result, const char *name)
{
	json_t *values = json_object_get(result_json(result), "values");

	return json_number_value(
		json_object_get(json_object_get(values, name), "value"));
}

static void
shares_by_hand(void **state)
{
	struct result *result;
	json_t *row;

	(void)state;
	write_trace();
	result = read_trace();
	/* 100 + the unmapped + the child's; 90 tell their translation */
	assert_near(value(result, "samples.memory"), 102);
	assert_near(value(result, "samples.walk.share"), 100 * 20.0 / 90);
	assert_near(value(result, "samples.walk.share.error"),
		    100 * sqrt(20.0 / 90 * 70 / 90 / 90));
	assert_near(value(result, "samples.latency.mean"),
		    (20 * 300 + 70 * 5) / 90.0);
	assert_near(value(result, "samples.translation.mean"), 40);

	row = row_of(result, "samples.translation", "page walk");
	assert_near(cell(row, 1), 20);
	assert_near(cell(row, 2), 100 * 20.0 / 102);
	assert_near(cell(row, 3), 100 * sqrt(20.0 / 102 * 82 / 102 / 102));
	assert_near(cell(row, 8), 300);
	assert_near(cell(row, 9), 40);
	row = row_of(result, "samples.translation", "unknown");
	assert_near(cell(row, 1), 12);
	/* What is not known is null, not 0 */
	assert_true(isnan(cell(row, 5)) && isnan(cell(row, 8)));

	row = row_of(result, "samples.pages", "2m");
	assert_near(cell(row, 1), 20);
	assert_near(cell(row, 5), 100);
	row = row_of(result, "samples.pages", "4k");
	assert_near(cell(row, 1), 70);
	assert_near(cell(row, 5), 0);
	assert_near(cell(row_of(result, "samples.levels", "memory"), 1), 20);

	row = row_of(result, "samples.mappings", "[heap]");
	assert_near(cell(row, 1), 60);
	assert_near(cell(row, 4), 20);
	row = row_of(result, "samples.mappings", "[anonymous]");
	assert_near(cell(row, 1), 41);
	/* The child's copy of the code */
	row = row_of(result, "samples.mappings", "/bin/p");
	assert_near(cell(row, 1), 1);
	result_close(result);
}

static void
sites_and_events(void **state)
{
	struct result *result;
	json_t *row;

	(void)state;
	result = read_trace();
	/* The most walks come first */
	row = row_of(result, "samples.sites", "mem-loads");
	assert_near(cell(row, 2), 0x400010);
	assert_near(cell(row, 4), 60);
	assert_near(cell(row, 5), 20);
	assert_near(cell(row, 7), 6000);
	assert_near(cell(row, 8), sqrt(60 * 1e4));
	assert_near(cell(row, 9), 20 * 300 + 40 * 5);
	row = row_of(result, "samples.sites", "cycles");
	assert_near(cell(row, 2), 0x400030);
	row = row_of(result, "samples.events", "mem-loads");
	assert_near(cell(row, 1), 102);
	assert_near(cell(row, 2), 10200);
	assert_near(cell(row_of(result, "samples.events", "cycles"), 1), 1);
	result_close(result);
}

/* The whole way: replay and report of the trace */
static void
reported(void **state)
{
	const char *pagescope = getenv("PAGESCOPE");
	char command[2048];

	(void)state;
	if (!pagescope) {
		print_message("skipped: no $PAGESCOPE\n");
		skip();
	}
	snprintf(command, sizeof(command),
		 "'%s' replay '%s' -o '%s.json' 2>&1 && "
		 "'%s' report '%s.json' | grep -q 'Samples by translation' && "
		 "test $('%s' report --get samples.memory '%s.json') = 102 && "
		 "'%s' report --format csv --table samples.functions "
		 "'%s.json' | grep -q '^p+0x10,/bin/p,mem-loads,60,20,100.0,'",
		 pagescope, path, path, pagescope, path, pagescope, path,
		 pagescope, path);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s.json", path);
	unlink(command);
}

/* A trace without samples has none of the tables */
static void
none(void **state)
{
	struct stream *stream;
	struct model *model;
	struct result *result;

	(void)state;
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(samples_model.open(&model, NULL, stream), 0);
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(model->methods->finish(model, result), 0);
	assert_int_equal(json_object_size(json_object_get(result_json(result),
							  "tables")),
			 0);
	model_close(model);
	result_close(result);
	stream_close(stream);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_by_hand),
		cmocka_unit_test(sites_and_events),
		cmocka_unit_test(reported),
		cmocka_unit_test(none),
	};
	int failed;

	snprintf(path, sizeof(path), "/tmp/pagescope-samples-%d.pst",
		 (int)getpid());
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
