// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of program counters.  The judge is this very process: its own mappings
 * as the kernel lists them, and functions whose names we know.
 */
#include "analyzer/base.h"
#include "analyzer/stream.h"
#include "reports/code-map.h"
#include "reports/symbols.h"

#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int known_line;

/* The line of its first statement is noted for the test of lines. */
static NOINLINE uint64_t
a_known_function(uint64_t x)
{
	known_line = __LINE__;
	return x * 7 + 1;
}

/* pagescope::measure(unsigned long, char const*), by its C++ name */
static uint64_t measure(uint64_t x,
			const char *text) __asm__("_ZN9pagescope7measureEmPKc");
static NOINLINE uint64_t
measure(uint64_t x, const char *text)
{
	return x * 5 + (uint64_t)text[0];
}

/* By Rust's: the disambiguator at the end is not shown */
static uint64_t
oxide(uint64_t x) __asm__("_ZN4core3fmt5oxide17h0123456789abcdefE");
static NOINLINE uint64_t
oxide(uint64_t x)
{
	return x * 3 + 2;
}

struct world {
	struct stream *stream;
	struct model *map;
	struct batch batch;
	uint32_t space;
	uint16_t image;
};

static void
world_open(struct world *world)
{
	struct space space = { .pid = 1, .parent = SPACE_NONE };
	struct thread thread = { 1, 1 };
	uint32_t number;

	assert_int_equal(stream_open(&world->stream), 0);
	world->image = stream_image_add(world->stream);
	space.image = world->image;
	assert_int_equal(stream_space_add(world->stream, &space, &world->space),
			 0);
	assert_int_equal(stream_thread_add(world->stream, &thread, &number), 0);
	assert_int_equal(code_map_open(&world->map, world->stream), 0);
	assert_int_equal(batch_init(&world->batch), 0);
	world->batch.space = world->space;
}

static void
world_close(struct world *world)
{
	batch_fini(&world->batch);
	model_close(world->map);
	stream_close(world->stream);
}

/* path NULL: anonymous */
static void
map(struct world *world, enum event_type type, uint64_t address,
    uint64_t length, uint64_t offset, unsigned flags, const char *path,
    const char *build_id)
{
	struct event *event;
	struct file file = { path, build_id, 0, 0, 0 };

	batch_reset(&world->batch);
	world->batch.space = world->space;
	event = batch_event(&world->batch, type);
	assert_non_null(event);
	event->address = address;
	event->length = length;
	event->offset = offset;
	event->flags = (uint16_t)flags;
	if (path)
		assert_int_equal(stream_file_add(world->stream, &file,
						 &event->file),
				 0);
	assert_int_equal(world->map->methods->feed(world->map, &world->batch),
			 0);
}

/* All of this process's code, as if it had been recorded. */
static void
map_self(struct world *world, const char *build_id)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024], rights[8], path[512];
	unsigned long long start, end, offset;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		*path = '\0';
		if (sscanf(line, "%llx-%llx %7s %llx %*s %*s %511[^\n]", &start,
			   &end, rights, &offset, path) < 4)
			continue;
		map(world, EVENT_MAP, start, end - start, offset,
		    (*path == '/' ? MAP_FLAG_FILE : 0) |
			    (rights[2] == 'x' ? MAP_FLAG_EXEC : 0),
		    *path ? path : NULL, *path == '/' ? build_id : "");
	}
	fclose(maps);
}

static struct result *
sites(const struct world *world, const uint64_t *pc, size_t n)
{
	static const char *const columns[] = { "image:",
					       "pc:",
					       "kind:",
					       "size:bytes",
					       "l1_misses:accesses",
					       "walks:walks",
					       "walk_cycles:cycles",
					       NULL };
	struct result *result;

	assert_int_equal(result_open(&result), 0);
	result_count(result, "walk.cycles", 1000, "cycles");
	result_table(result, "sites", "", columns);
	for (size_t i = 0; i < n; i++)
		result_row(result, "sites", "uusuuuu", (uint64_t)world->image,
			   pc[i], "load", UINT64_C(8), (uint64_t)(10 * (n - i)),
			   (uint64_t)(n - i), (uint64_t)(100 * (n - i)));
	return result;
}

static json_t *
cell(struct result *result, const char *table, size_t row, size_t column)
{
	json_t *rows =
		json_object_get(json_object_get(json_object_get(result_json(
									result),
								"tables"),
						table),
				"rows");

	return json_array_get(json_array_get(rows, row), column);
}

static const char *
text(struct result *result, const char *table, size_t row, size_t column)
{
	const char *string =
		json_string_value(cell(result, table, row, column));

	return string ? string : "(none)";
}

static const char *
missing(struct result *result)
{
	json_t *values = json_object_get(result_json(result), "values");

	return json_string_value(
		json_object_get(json_object_get(values, "symbols.missing"),
				"value"));
}

static int
resolve(const struct world *world, struct result *result)
{
	struct symbols *symbols;
	int error = symbols_open(&symbols, world->map, world->stream);

	if (!error)
		error = symbols_resolve(symbols, result);
	symbols_close(symbols);
	return error;
}

static void
own_and_library_functions(void **state)
{
	struct world world;
	const uint64_t pc[] = {
		(uint64_t)(uintptr_t)a_known_function + 1,
		(uint64_t)(uintptr_t)a_known_function,
		(uint64_t)(uintptr_t)hcreate,
	};
	struct result *result;

	(void)state;
	a_known_function(1);
	world_open(&world);
	map_self(&world, "");
	result = sites(&world, pc, ARRAY_SIZE(pc));
	assert_int_equal(resolve(&world, result), 0);
	assert_string_equal(text(result, "sites", 0, 7), "a_known_function");
	assert_string_equal(text(result, "sites", 2, 7), "hcreate");
	assert_non_null(strstr(text(result, "sites", 0, 8), "test-symbols"));
	/* the function's cost is the sum of its sites */
	assert_string_equal(text(result, "functions", 0, 0),
			    "a_known_function");
	assert_int_equal(json_integer_value(cell(result, "functions", 0, 2)),
			 50);
	assert_int_equal(json_integer_value(cell(result, "functions", 0, 4)),
			 500);
	assert_true(json_real_value(cell(result, "functions", 0, 5)) == 50.0);
	assert_string_equal(text(result, "functions", 1, 0), "hcreate");
	/* a second time changes nothing */
	assert_int_equal(resolve(&world, result), 0);
	assert_null(cell(result, "sites", 0, 10));
	result_close(result);
	world_close(&world);
}

static void
names_are_demangled(void **state)
{
	struct world world;
	const uint64_t pc[] = { (uint64_t)(uintptr_t)measure,
				(uint64_t)(uintptr_t)oxide };
	struct result *result;

	(void)state;
	assert_true(measure(1, "x") != oxide(1));
	world_open(&world);
	map_self(&world, "");
	result = sites(&world, pc, ARRAY_SIZE(pc));
	assert_int_equal(resolve(&world, result), 0);
	assert_string_equal(text(result, "sites", 0, 7),
			    "pagescope::measure(unsigned long, char const*)");
	assert_string_equal(text(result, "sites", 1, 7), "core::fmt::oxide");
	result_close(result);
	world_close(&world);
}

static void
source_lines(void **state)
{
	struct world world;
	const uint64_t pc[] = { (uint64_t)(uintptr_t)a_known_function };
	struct result *result;
	const char *line;
	int number = 0;

	(void)state;
	a_known_function(1);
	world_open(&world);
	map_self(&world, "");
	result = sites(&world, pc, 1);
	assert_int_equal(resolve(&world, result), 0);
	line = text(result, "sites", 0, 9);
	if (!strcmp(line, "(none)"))
		print_message("built without -g: no lines to judge\n");
	else
		assert_int_equal(sscanf(line, "test-symbols.c:%d", &number), 1);
	if (number)
		assert_in_range(number, known_line - 4, known_line + 1);
	result_close(result);
	world_close(&world);
}

static void
code_without_symbols(void **state)
{
	struct world world;
	const uint64_t pc[] = { 0x10000, 0x20010, 0x30020,
				0x40030, 0x50040, 0x60050 };
	struct result *result;

	(void)state;
	world_open(&world);
	map(&world, EVENT_MAP, 0x20000, 0x1000, 0x3000,
	    MAP_FLAG_EXEC | MAP_FLAG_FILE, "/nowhere/lib/libgone.so", "12ab");
	map(&world, EVENT_MAP, 0x30000, 0x1000, 0, MAP_FLAG_EXEC, "[vdso]", "");
	map(&world, EVENT_MAP, 0x40000, 0x1000, 0, MAP_FLAG_EXEC, NULL, "");
	/* a JIT's memory becomes code later */
	map(&world, EVENT_MAP, 0x50000, 0x2000, 0, MAP_FLAG_WRITE, NULL, "");
	map(&world, EVENT_PROTECT, 0x50000, 0x1000, 0, MAP_FLAG_EXEC, NULL, "");
	map(&world, EVENT_MAP, 0x60000, 0x1000, 0,
	    MAP_FLAG_EXEC | MAP_FLAG_FILE, "/proc/self/status", "");
	result = sites(&world, pc, ARRAY_SIZE(pc));
	assert_int_equal(resolve(&world, result), 0);
	assert_string_equal(text(result, "sites", 0, 7), "0x10000");
	assert_string_equal(text(result, "sites", 1, 7), "libgone.so+0x3010");
	assert_string_equal(text(result, "sites", 2, 7), "[vdso]+0x20");
	assert_string_equal(text(result, "sites", 3, 7),
			    "[generated code at 0x40000]");
	assert_string_equal(text(result, "sites", 4, 7),
			    "[generated code at 0x50000]");
	assert_string_equal(text(result, "sites", 5, 7), "status+0x50");
	assert_non_null(missing(result));
	assert_non_null(strstr(missing(result), "libgone.so: No such file"));
	assert_non_null(strstr(missing(result), "status: not an ELF file"));
	assert_null(strstr(missing(result), "vdso"));
	result_close(result);
	world_close(&world);
}

/* Stripped of its symbols, a file still tells where functions begin. */
static void
stripped_functions(void **state)
{
	char path[] = "/tmp/pagescope-strip-XXXXXX", command[256], name[256];
	uint64_t begin = (uint64_t)(uintptr_t)a_known_function;
	const uint64_t pc[] = { begin + 1, begin };
	struct result *result;
	struct code_place place;
	struct world world;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	snprintf(command, sizeof(command),
		 "strip -o %s /proc/%d/exe 2>/dev/null", path, (int)getpid());
	if (system(command)) {
		unlink(path);
		print_message("no strip(1): stripped files are not tested\n");
		skip();
	}
	world_open(&world);
	map_self(&world, "");
	assert_true(code_map_find(world.map, world.image, begin, &place));
	map(&world, EVENT_MAP, begin, 64, place.offset,
	    MAP_FLAG_EXEC | MAP_FLAG_FILE, path, "");
	result = sites(&world, pc, ARRAY_SIZE(pc));
	assert_int_equal(resolve(&world, result), 0);
	snprintf(name, sizeof(name), "%s+%#llx", strrchr(path, '/') + 1,
		 (unsigned long long)place.offset);
	assert_string_equal(text(result, "sites", 0, 7), name);
	assert_string_equal(text(result, "functions", 0, 0), name);
	assert_null(cell(result, "functions", 1, 0));
	result_close(result);
	world_close(&world);
	unlink(path);
}

static void
changed_files_are_not_guessed_from(void **state)
{
	struct world world;
	const uint64_t pc[] = { (uint64_t)(uintptr_t)a_known_function };
	struct result *result;

	(void)state;
	world_open(&world);
	map_self(&world, "0123456789abcdef");
	result = sites(&world, pc, 1);
	assert_int_equal(resolve(&world, result), 0);
	assert_null(strstr(text(result, "sites", 0, 7), "a_known_function"));
	assert_non_null(strstr(text(result, "sites", 0, 7), "+0x"));
	assert_non_null(missing(result));
	assert_non_null(strstr(missing(result), "has changed since"));
	result_close(result);
	world_close(&world);
}

/* The later mapping of a place wins; another image has its own. */
static void
places_over_time(void **state)
{
	struct world world;
	struct code_place place;

	(void)state;
	world_open(&world);
	map(&world, EVENT_MAP, 0x1000, 0x1000, 0, MAP_FLAG_EXEC, NULL, "");
	map(&world, EVENT_MAP, 0x1000, 0x1000, 0x5000,
	    MAP_FLAG_EXEC | MAP_FLAG_FILE, "/b", "");
	assert_true(code_map_find(world.map, world.image, 0x1234, &place));
	assert_int_equal(place.offset, 0x5234);
	assert_false(code_map_find(world.map, (uint16_t)(world.image + 1),
				   0x1234, &place));
	assert_false(code_map_find(world.map, world.image, 0x2000, &place));
	map(&world, EVENT_PROTECT, 0x1000, 0x1000, 0, MAP_FLAG_EXEC, NULL, "");
	assert_true(code_map_find(world.map, world.image, 0x1fff, &place));
	assert_int_equal(place.offset, 0x5fff);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_and_library_functions),
		cmocka_unit_test(names_are_demangled),
		cmocka_unit_test(source_lines),
		cmocka_unit_test(code_without_symbols),
		cmocka_unit_test(stripped_functions),
		cmocka_unit_test(changed_files_are_not_guessed_from),
		cmocka_unit_test(places_over_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
