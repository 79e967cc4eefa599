// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel part does by the clock, or when enough pages are there, does
 * not depend on how a run is cut into batches: the same accesses at the same
 * times, in batches of three lengths, give the same result, byte for byte.
 */
#include "analyzer/batch.h"
#include "models/machine.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define ACCESSES 40000u
#define STEP_NS	 UINT64_C(10000) /* between two accesses */
#define BASE	 (UINT64_C(1) << 36)
#define BYTES	 (UINT64_C(24) << 20)

struct world {
	struct stream *stream;
	struct model *model;
	struct batch batch;
	uint32_t site[2];
};

static void
world_open(struct world *world, const char *const *assignments)
{
	struct thread thread = { 1, 1 };
	struct space space = { 1, 0, SPACE_NONE };
	struct machine_config config;
	uint32_t number;

	assert_int_equal(stream_open(&world->stream), 0);
	assert_int_equal(batch_init(&world->batch), 0);
	stream_thread_add(world->stream, &thread, &number);
	stream_space_add(world->stream, &space, &number);
	for (uint8_t i = 0; i < 2; i++)
		assert_int_equal(stream_site_add(world->stream,
						 &(struct site){ .pc = 0x1000 +
								       i,
								 .size = 8,
								 .kind = i },
						 &world->site[i]),
				 0);
	assert_int_equal(option_init(&machine_options, &config), 0);
	for (; *assignments; assignments++)
		assert_int_equal(option_assign(&machine_options, &config,
					       "test", *assignments),
				 0);
	assert_int_equal(machine_model.open(&world->model, &config,
					    world->stream),
			 0);
	option_fini(&machine_options, &config);
}

static void
tell_map(struct world *world)
{
	struct event *event = batch_event(&world->batch, EVENT_MAP);

	event->address = BASE;
	event->length = BYTES;
	event->flags = MAP_FLAG_READ | MAP_FLAG_WRITE;
}

/* More and more of the memory, each part for a while. */
static uint64_t
address_at(uint32_t i, uint64_t *random)
{
	uint64_t span = BYTES / 8 * (1 + i / (ACCESSES / 8));

	return BASE + (random_below(random, span) & ~UINT64_C(7));
}

/* The result as text; the first batch, which time begins with, is the same. */
static char *
result_of(const char *const *assignments, uint32_t length)
{
	struct world world = { 0 };
	struct result *result;
	uint64_t random = 42;
	uint32_t done = 0;
	char *text;

	world_open(&world, assignments);
	while (done < ACCESSES) {
		uint32_t n = done ? length : 16;

		batch_reset(&world.batch);
		if (!done)
			tell_map(&world);
		n = n < ACCESSES - done ? n : ACCESSES - done;
		for (uint32_t i = 0; i < n; i++, done++)
			batch_access(&world.batch, address_at(done, &random),
				     world.site[random_below(&random, 2)]);
		world.batch.columned = true;
		world.batch.time_ns = 1000 + done * STEP_NS;
		assert_int_equal(world.model->methods->feed(world.model,
							    &world.batch),
				 0);
	}
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(world.model->methods->finish(world.model, result), 0);
	text = json_dumps(result_json(result), JSON_SORT_KEYS | JSON_INDENT(1));
	assert_non_null(text);
	result_close(result);
	world.model->methods->close(world.model);
	batch_fini(&world.batch);
	stream_close(world.stream);
	return text;
}

/* Something is to be seen that depends on time: this value is not 0. */
static void
compare(const char *const *assignments, const char *value)
{
	static const uint32_t lengths[] = { 1, 173, 8000 };
	char *first = result_of(assignments, lengths[0]);
	const char *is = strstr(first, value);

	is = is ? strstr(is, "\"value\": ") : NULL;
	assert_non_null(is);
	assert_true(strtoull(is + strlen("\"value\": "), NULL, 10) > 0);
	for (size_t i = 1; i < ARRAY_SIZE(lengths); i++) {
		char *other = result_of(assignments, lengths[i]);

		if (strcmp(first, other)) {
			size_t at = 0;

			while (first[at] == other[at])
				at++;
			at -= at > 120 ? 120 : at;
			print_message("%s, batches of %u: %.160s\n, of 1: "
				      "%.160s\n",
				      *assignments, lengths[i], other + at,
				      first + at);
		}
		assert_false(strcmp(first, other) != 0);
		free(other);
	}
	free(first);
}

static void
test_khugepaged(void **state)
{
	static const char *const assignments[] = {
		"pages.policy=thp", "pages.thp=madvise",
		"pages.mthp=2m=never,64k=always", NULL
	};
	static const char *const slowly[] = { "pages.policy=thp",
					      "pages.mthp=64k",
					      "khugepaged.sleep=30ms",
					      "khugepaged.scan-pages=1024",
					      "khugepaged.max-none=511",
					      "memory.order=buddy",
					      "memory.size=32m",
					      "memory.start=aged",
					      "memory.aged=0.2",
					      "pages.defrag=defer",
					      NULL };

	(void)state;
	compare(assignments, "\"fault.minor\"");
	compare(slowly, "\"khugepaged.rounds\"");
}

static void
test_utilisation(void **state)
{
	static const char *const assignments[] = { "pages.policy=utilisation",
						   "promotion.threshold=0.4",
						   NULL };

	(void)state;
	compare(assignments, "\"thp.promotions\"");
}

static void
test_buckets(void **state)
{
	static const char *const coverage[] = { "pages.policy=buckets",
						"promotion.interval=40ms",
						"promotion.pages=2", NULL };
	static const char *const walks[] = { "pages.policy=buckets",
					     "promotion.interval=25ms",
					     "promotion.pages=1",
					     "promotion.by=walks", NULL };

	(void)state;
	compare(coverage, "\"thp.promotions\"");
	compare(walks, "\"thp.promotions\"");
}

static void
test_merging(void **state)
{
	static const char *const assignments[] = { "ksm.run=yes", "ksm.rate=1",
						   NULL };

	(void)state;
	compare(assignments, "\"ksm.merged\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_khugepaged),
		cmocka_unit_test(test_utilisation),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_merging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
