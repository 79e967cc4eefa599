// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The k-th allocation fails, for every k: each scenario then fails with -ENOMEM
 * (or can do without), nothing crashes and nothing leaks.  The linker sends
 * our allocations here (--wrap), jansson's come by its own hooks; those of
 * other libraries are left alone.
 */
#include "analyzer/command-line.h"
#include "analyzer/config-file.h"
#include "analyzer/run.h"
#include "models/analysis/curve-result.h"
#include "models/machine.h"
#include "models/paging/next-use.h"
#include "models/paging/reclaim.h"
#include "traces/exporter.h"
#include "traces/generate.h"
#include "traces/importer.h"
#include "traces/pst.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_reallocarray(void *old, size_t n, size_t bytes);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_reallocarray(void *old, size_t n, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

#define LIVE_MAX 65536 /* a power of two */

/* What is allocated and not yet freed: an open hash of addresses.  What other
 * libraries allocated and we free is not in it. */
static struct {
	bool on;
	unsigned long next, fail_at; /* the fail_at-th fails; 0: none */
	bool failed;
	void *live[LIVE_MAX];
	size_t n_live;
} heap;

#define GONE ((void *)1) /* an entry that was freed: searches go on */

static size_t
slot_of(const void *memory)
{
	return (size_t)(((uintptr_t)memory >> 4) *
				UINT64_C(11400714819323198485) >>
			48);
}

static void *
remember(void *memory)
{
	size_t slot = slot_of(memory);

	if (!heap.on || !memory)
		return memory;
	while (heap.live[slot] && heap.live[slot] != GONE)
		slot = (slot + 1) % LIVE_MAX;
	heap.live[slot] = memory;
	heap.n_live++;
	if (heap.n_live > LIVE_MAX / 2)
		abort();
	return memory;
}

static void
forget(const void *memory)
{
	size_t slot = slot_of(memory);

	for (; heap.live[slot]; slot = (slot + 1) % LIVE_MAX)
		if (heap.live[slot] == memory) {
			heap.live[slot] = GONE;
			heap.n_live--;
			return;
		}
}

static bool
fails(void)
{
	if (!heap.on || ++heap.next != heap.fail_at)
		return false;
	heap.failed = true;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : remember(__real_malloc(bytes));
}

void *
__wrap_calloc(size_t n, size_t bytes)
{
	return fails() ? NULL : remember(__real_calloc(n, bytes));
}

void *
__wrap_reallocarray(void *old, size_t n, size_t bytes)
{
	void *memory;

	if (fails())
		return NULL;
	if (old)
		forget(old);
	memory = __real_reallocarray(old, n, bytes);
	return remember(memory);
}

void *
__wrap_realloc(void *old, size_t bytes)
{
	return __wrap_reallocarray(old, 1, bytes);
}

char *
__wrap_strdup(const char *text)
{
	return fails() ? NULL : remember(__real_strdup(text));
}

void
__wrap_free(void *memory)
{
	if (memory)
		forget(memory);
	__real_free(memory);
}

static char directory[] = "/tmp/pagescope-allocation-XXXXXX";
static char trace_path[64], lackey_path[64], export_path[64];

static int
parse_options(void)
{
	char verb[] = "replay", set[] = "--set", value[] = "a=1", o[] = "-ox";
	char *argv[] = { verb, set, value, o, set, value, NULL };
	const struct verb_ops *replay = NULL;
	struct command_line line;
	int error;

	for (size_t i = 0; verb_registry[i]; i++)
		if (!strcmp(verb_registry[i]->name, verb))
			replay = verb_registry[i];
	assert_non_null(replay);
	error = command_line_init(&line, replay, 6, argv);
	if (!error)
		command_line_fini(&line, replay);
	return error;
}

static int
load_config(void)
{
	struct machine_config config;
	int error = option_init(&machine_options, &config);

	if (error)
		return error;
	error = config_load_text(&machine_options, &config, "text",
				 "table = { kind = \"radix\"; };\n"
				 "tlb = { l1d = { entries = 16; }; };");
	option_fini(&machine_options, &config);
	return error;
}

#define RECLAIM_PAGES 1500u

static int
feed_policy(struct reclaim *reclaim, const uint32_t *page,
	    struct next_use *next_use)
{
	static uint64_t next[RECLAIM_PAGES], time[RECLAIM_PAGES];
	struct result *result = NULL;
	int error = result_open(&result);

	for (uint32_t i = 0; !error && i < RECLAIM_PAGES; i += 500) {
		struct reclaim_batch batch = { .page = page + i,
					       .next = next,
					       .time = time,
					       .n = 500,
					       .position = i };

		next_use_read(next_use, i, 500, next);
		error = reclaim->ops->feed(reclaim, &batch);
	}
	if (!error)
		error = reclaim_finish(reclaim, result);
	result_close(result);
	return error;
}

/* All replacement policies, with sizes, as their arrays grow */
static int
reclaim_policies(void)
{
	static const struct option_group groups[] = {
		{ "reclaim", reclaim_rows, 0, "policies" },
		{ NULL, NULL, 0, NULL },
	};
	static const struct option_tree tree = {
		groups, sizeof(struct reclaim_config)
	};
	static uint32_t page[RECLAIM_PAGES], size[RECLAIM_PAGES];
	const uint32_t *sizes = size;
	struct next_use *next_use = NULL;
	int error = next_use_open(&next_use, true);

	for (uint32_t i = 0; i < RECLAIM_PAGES; i++) {
		page[i] = i % 7 ? i : i / 2;
		size[i] = 1 + i % 5;
	}
	if (!error)
		error = next_use_add(next_use, page, RECLAIM_PAGES);
	for (int i = 0; !error && reclaim_registry[i]; i++) {
		struct reclaim_config config = { .policy = 0 };
		struct reclaim *reclaim = NULL;

		error = option_init(&tree, &config);
		if (error)
			break;
		config.policy = i;
		config.capacity = 1000;
		config.size = reclaim_registry[i]->sized ? &sizes : NULL;
		error = reclaim_open(&reclaim, &config);
		if (!error)
			error = feed_policy(reclaim, page, next_use);
		reclaim_close(reclaim);
		option_fini(&tree, &config);
	}
	next_use_close(next_use);
	return error;
}

static int
feed(struct source *source, struct model *model)
{
	struct run run = { .source = source, .models = &model, .n_models = 1 };
	struct result *result = NULL;
	int error = result_open(&result);

	if (!error)
		error = run_feed(&run);
	if (!error)
		error = model->methods->finish(model, result);
	if (!error)
		error = result_write(result, "/dev/null");
	result_close(result);
	return error;
}

static int
replay(struct source *source)
{
	struct machine_config config;
	struct model *machine = NULL;
	int error = option_init(&machine_options, &config);

	if (!error)
		error = machine_model.open(&machine, &config, source->stream);
	if (!error)
		error = feed(source, machine);
	model_close(machine);
	option_fini(&machine_options, &config);
	source_close(source);
	return error;
}

static int
replay_generated(void)
{
	struct source *source;
	int error = generate_open(&source, "mix,n=3000,pages=500");

	return error ? error : replay(source);
}

static int
replay_stored(void)
{
	struct source *source;
	int error = pst_reader_open(&source, trace_path, false);

	return error ? error : replay(source);
}

static int
store_to(const char *path, struct source *source)
{
	const struct pst_writer_options options = { .effort = PST_FAST };
	struct model *writer = NULL;
	int error = pst_writer_open(&writer, path, &options, source->stream);

	if (!error)
		error = feed(source, writer);
	model_close(writer);
	source_close(source);
	return error;
}

static int
store_generated(void)
{
	struct source *source;
	int error = generate_open(&source, "mix,n=3000,pages=500");

	return error ? error : store_to("/dev/null", source);
}

/* One that needs a temporary file and a packer, and grows a table */
static int
export_generated(void)
{
	struct exporter_request request = { .format = "oracle",
					    .path = export_path };
	struct source *source;
	struct model *exporter = NULL;
	int error = generate_open(&source, "uniform,n=9000,pages=8000");

	if (error)
		return error;
	request.stream = source->stream;
	error = exporter_open(&exporter, &request);
	if (!error)
		error = feed(source, exporter);
	model_close(exporter);
	source_close(source);
	return error;
}

static int
import_lackey(void)
{
	const char *const paths[] = { lackey_path, NULL };
	const struct importer_request request = { .paths = paths };
	struct source *source;
	int error = importer_open(&source, &request);

	return error ? error : store_to("/dev/null", source);
}

/* Below EVERY each k, above it each STRIDE-th: cells of the result's tables,
 * thousands alike.  With ASan, which is ten times slower, fewer. */
#ifdef __SANITIZE_ADDRESS__
enum {
	EVERY = 150,
	STRIDE = 101
};
#else
enum {
	EVERY = 500,
	STRIDE = 7
};
#endif

static int
put_curve(struct model *model, struct result *result)
{
	const struct curve_result_config config = {
		.unit = "page",
		.shift = 12,
		.need = { .thrash = { 1, 1000, 1000, 1 }, .processes = 3 },
	};
	struct simulation simulation[2] = {
		{ .config = { .policy = reclaim_find("fifo"), .capacity = 9 } },
		{ .config = { .policy = reclaim_find("opt"), .capacity = 9 } },
	};
	struct simulate simulate = { .simulation = simulation, .n = 2 };
	struct curve_view view;
	int error = curve_result_values(model, &config, result);

	curve_view(model, &view);
	simulate.string = view.string;
	if (!error)
		error = refstring_find_next(view.string);
	if (!error)
		error = simulate_run(&simulate);
	return error;
}

static int
curve_generated(void)
{
	const struct curve_config config = { .shift = 12,
					     .working_sets = true,
					     .keep = true };
	struct run run = { .n_models = 1 };
	struct model *model = NULL;
	struct result *result = NULL;
	int error = generate_open(&run.source, "mix,n=3000,pages=500");

	if (error)
		return error;
	run.models = &model;
	error = curve_open(&model, &config, run.source->stream);
	if (!error)
		error = run_feed(&run);
	if (!error)
		error = model->methods->finish(model, NULL);
	if (!error)
		error = result_open(&result);
	if (!error)
		error = put_curve(model, result);
	result_close(result);
	model_close(model);
	source_close(run.source);
	return error;
}

/* Run with the k-th allocation failing.  0: there was no k-th; 1: good; else
 * what was wrong is in text. */
static int
run_failing(int (*scenario)(void), unsigned long k, char *text,
	    size_t text_bytes)
{
	size_t before = heap.n_live;
	int error;

	heap.next = 0;
	heap.fail_at = k;
	heap.failed = false;
	heap.on = true;
	error = scenario();
	heap.on = false;
	if (heap.n_live != before) {
		snprintf(text, text_bytes, "%zu blocks leaked",
			 heap.n_live - before);
		return -1;
	}
	/* jansson takes a lack of memory for bad text here and there. */
	if (error &&
	    (!heap.failed || (error != -ENOMEM && error != -EBADMSG))) {
		snprintf(text, text_bytes, "error %d", error);
		return -1;
	}
	return heap.failed;
}

static void
fail_each(int (*scenario)(void), const char *name)
{
	int silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int saved = dup(STDERR_FILENO), good;
	char wrong[128] = "";
	unsigned long k = 1;

	/* What must be once (tables of libraries) is made before. */
	assert_int_equal(scenario(), 0);
	dup2(silent, STDERR_FILENO);
	while ((good = run_failing(scenario, k, wrong, sizeof(wrong))) > 0)
		k += k < EVERY ? 1 : STRIDE;
	dup2(saved, STDERR_FILENO);
	close(silent);
	close(saved);
	if (good < 0)
		fail_msg("%s: allocation %lu failed: %s", name, k, wrong);
	print_message("%s: %lu allocations\n", name, heap.next);
	assert_true(k > 1);
}

#define SCENARIO(name)                         \
	static void name##_fails(void **state) \
	{                                      \
		(void)state;                   \
		fail_each(name, #name);        \
	}
SCENARIO(parse_options)
SCENARIO(load_config)
SCENARIO(reclaim_policies)
SCENARIO(replay_generated)
SCENARIO(curve_generated)
SCENARIO(replay_stored)
SCENARIO(store_generated)
SCENARIO(export_generated)
SCENARIO(import_lackey)

static int
set_up(void **state)
{
	struct source *source;
	FILE *file;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(trace_path, sizeof(trace_path), "%s/t.pst", directory);
	snprintf(lackey_path, sizeof(lackey_path), "%s/t.txt", directory);
	snprintf(export_path, sizeof(export_path), "%s/t.gz", directory);
	file = fopen(lackey_path, "w");
	if (!file)
		return -1;
	for (unsigned i = 0; i < 100; i++)
		fprintf(file, "I  %08x,4\n L %08x,8\n", 0x401000 + i * 4,
			0x10000000 + i * 64);
	fclose(file);
	if (generate_open(&source, "mix,n=3000,pages=500"))
		return -1;
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
	return store_to(trace_path, source);
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(trace_path);
	unlink(lackey_path);
	unlink(export_path);
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_options_fails),
		cmocka_unit_test(load_config_fails),
		cmocka_unit_test(reclaim_policies_fails),
		cmocka_unit_test(replay_generated_fails),
		cmocka_unit_test(curve_generated_fails),
		cmocka_unit_test(replay_stored_fails),
		cmocka_unit_test(store_generated_fails),
		cmocka_unit_test(export_generated_fails),
		cmocka_unit_test(import_lackey_fails),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
