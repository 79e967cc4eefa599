// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine that takes packed batches gives the same result document as one
 * that is fed columns: on a made-up stream of steps with events among them,
 * written to a .pst and read back, for several machines.  The second run has a
 * model beside the machine that wants the columns, so that they are there.
 */
#include "analyzer/run.h"
#include "models/machine.h"
#include "traces/pst.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above */
#include <cmocka.h>

#define FILE_NAME  "test-packed.pst"
#define BATCHES	   40u
#define SHAPES	   200u
#define CODE	   UINT64_C(0x400000)
#define HEAP	   UINT64_C(0x10000000)
#define HEAP_PAGES 600u

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A block of code: a fetch or two, loads and stores by up to four roots. */
static void
add_shape(struct stream *stream, uint64_t *random)
{
	uint64_t x = next_random(random), pc = CODE + (x >> 20) % 100000;
	struct shape_access access[24];
	unsigned n = 2 + (unsigned)(x % 20), slots = 1 + (unsigned)(x >> 8 & 3);
	struct step step = { .n_slots = (uint16_t)slots };
	uint32_t number;

	for (unsigned i = 0; i < n; i++) {
		uint64_t y = next_random(random);
		bool fetch = i == 0 || (y & 31) == 0;
		struct site site = { .pc = pc + 4 * i,
				     .size = fetch ? 4 : 1u << (y >> 8 & 7),
				     .kind = fetch ? SITE_FETCH : y >> 16 & 1,
				     .instructions = fetch };

		access[i] = (struct shape_access){
			.displacement = (int64_t)(fetch ? site.pc & ~UINT64_C(3)
							: y >> 20 & 0x7f),
			.slot = (uint16_t)(fetch ? 0 : 1 + (y >> 32) % slots),
			.guarded = !fetch && (x >> 12 & 15) == 0,
		};
		assert_int_equal(stream_site_add(stream, &site, &access[i].ref),
				 0);
	}
	assert_int_equal(stream_shape_add(stream, access, n, slots,
					  &step.shape),
			 0);
	step.n_accesses = (uint16_t)n;
	assert_int_equal(stream_step_add(stream, &step, &number), 0);
}

/* Pages of the heap come and go, between steps and inside them, and the thread goes
 * from core to core. */
static void
add_events(struct batch *batch, uint32_t n, uint64_t *random)
{
	uint32_t position = 0;

	for (unsigned i = 0; i < 6; i++) {
		uint64_t x = next_random(random);
		struct event *event =
			batch_event(batch, x & 1   ? EVENT_ADVISE
					   : x & 2 ? EVENT_FAULT
						   : EVENT_SWITCH);

		position += (uint32_t)((x >> 8) % 900);
		event->position = position < n ? position : n;
		event->address = HEAP + ((x >> 20) % HEAP_PAGES << 12);
		event->length = 4096 * (1 + (x >> 40) % 8);
		event->value = 4; /* MADV_DONTNEED */
		if (event->type == EVENT_SWITCH)
			event->value = x >> 20 & 3;
	}
}

static void
fill_batch(struct batch *batch, const struct stream *stream, uint64_t *random)
{
	uint32_t n = 0;
	/* every fourth finds hardly anything in a TLB */
	bool hostile = (next_random(random) >> 20) % 4 == 0;

	batch_reset(batch);
	batch->packed = true;
	while (n < 5000) {
		uint64_t x = next_random(random);
		uint32_t number = (uint32_t)(x % (x & 0x300 ? 20 : SHAPES));
		const struct step *step = stream_step(stream, number);

		batch->step[batch->n_steps++] = number;
		for (unsigned i = 0; i < step->n_slots; i++) {
			uint64_t y = next_random(random);
			uint64_t page =
				(y >> 8) %
				(y & 0xf0 && !hostile ? 30 : HEAP_PAGES);

			batch->root[batch->n_roots++] =
				step->guarded && y % 5 == 0
					? 0
					: HEAP + (page << 12) +
						  (y >> 30) % 4000;
		}
		n += step->n_accesses;
	}
	batch_expand(batch, stream); /* which sets n, for the writer */
	batch->columned = false;
	add_events(batch, batch->n, random);
}

static void
map(struct batch *batch, uint64_t address, uint64_t length, unsigned rights)
{
	struct event *event = batch_event(batch, EVENT_MAP);

	event->address = address;
	event->length = length;
	event->flags = (uint16_t)rights;
}

static void
write_trace(void)
{
	struct pst_writer_options options = { .block_steps = 9000 };
	struct thread thread = { .tid = 1, .pid = 1 };
	struct space space = { .pid = 1, .parent = SPACE_NONE };
	struct stream *stream;
	struct model *writer;
	struct batch batch;
	uint64_t random = 20;
	uint32_t number;

	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(stream_thread_add(stream, &thread, &number), 0);
	assert_int_equal(stream_space_add(stream, &space, &number), 0);
	for (unsigned i = 0; i < SHAPES; i++)
		add_shape(stream, &random);
	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(pst_writer_open(&writer, FILE_NAME, &options, stream),
			 0);
	batch.packed = true;
	map(&batch, CODE, 0x20000, MAP_FLAG_READ | MAP_FLAG_EXEC);
	map(&batch, HEAP, (HEAP_PAGES + 2) << 12,
	    MAP_FLAG_READ | MAP_FLAG_WRITE);
	assert_int_equal(writer->methods->feed(writer, &batch), 0);
	for (unsigned i = 0; i < BATCHES; i++) {
		fill_batch(&batch, stream, &random);
		assert_int_equal(writer->methods->feed(writer, &batch), 0);
	}
	assert_int_equal(writer->methods->finish(writer, NULL), 0);
	model_close(writer);
	batch_fini(&batch);
	stream_close(stream);
}

/* Counts batches by what they have. */
struct onlooker {
	struct model model;
	unsigned packed, columned;
};

static int
onlooker_feed(struct model *model, const struct batch *batch)
{
	struct onlooker *onlooker = (struct onlooker *)model;

	onlooker->packed += batch->packed;
	onlooker->columned += batch->columned;
	return 0;
}

static void
onlooker_close(struct model *model)
{
	(void)model;
}

static const struct model_methods packed_onlooker = {
	.feed = onlooker_feed,
	.close = onlooker_close,
	.packed = true,
};

static const struct model_methods columns_onlooker = {
	.feed = onlooker_feed,
	.close = onlooker_close,
};

/* The result as text, to be freed. */
static char *
replay(const char *const *sets, const struct model_methods *beside)
{
	struct onlooker onlooker = { { beside }, 0, 0 };
	struct model *models[] = { NULL, &onlooker.model };
	struct run run = { .models = models, .n_models = 2 };
	struct machine_config config;
	struct result *result;
	char *text, *copies[5] = { NULL };

	for (unsigned i = 0; sets[i]; i++) {
		copies[i] = strdup(sets[i]);
		assert_non_null(copies[i]);
	}
	assert_int_equal(pst_reader_open(&run.source, FILE_NAME, false), 0);
	assert_int_equal(option_init(&machine_options, &config), 0);
	assert_int_equal(machine_configure(&config, NULL, NULL, copies), 0);
	assert_int_equal(machine_model.open(&models[0], &config,
					    run.source->stream),
			 0);
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(run_feed(&run), 0);
	assert_int_equal(models[0]->methods->finish(models[0], result), 0);
	assert_int_equal(onlooker.packed, BATCHES + 1);
	/* Who looks at each access, as bloat does, wants columns himself. */
	assert_int_equal(onlooker.columned,
			 beside->packed && models[0]->methods->packed
				 ? 0
				 : BATCHES + 1);
	text = json_dumps(result_json(result), JSON_INDENT(1));
	assert_non_null(text);
	result_close(result);
	model_close(models[0]);
	option_fini(&machine_options, &config);
	source_close(run.source);
	for (unsigned i = 0; copies[i]; i++)
		free(copies[i]);
	return text;
}

static void
packed_equals_columns(void **state)
{
	static const char *const machines[][5] = {
		{ NULL },
		{ "pages.policy=2m", "pages.bloat=no", NULL },
		{ "pages.policy=thp", "pages.bloat=no", "tlb.l1d.entries=16",
		  NULL },
		{ "pages.policy=thp", NULL },
		{ "tlb.l1d.entries=16", "tlb.l1i.entries=8",
		  "tlb.l1d.replacement=plru", "tlb.l1i.replacement=plru",
		  NULL },
		{ "tlb.l1d.replacement=fifo", "tlb.l1i.replacement=random",
		  "tlb.l2.replacement=random", NULL },
		{ "cache.data=yes", NULL },
		{ "machine.cores=4", "machine.placement=recorded", NULL },
		{ "machine.cores=3", "machine.placement=recorded",
		  "tlb.l1d.entries=16", "tlb.l2.entries=48", NULL },
	};

	(void)state;
	write_trace();
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		char *packed = replay(machines[i], &packed_onlooker);
		char *columns = replay(machines[i], &columns_onlooker);

		assert_string_equal(packed, columns);
		free(packed);
		free(columns);
	}
	unlink(FILE_NAME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_equals_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
