// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replacement policies against counts that others published for traces that
 * others recorded: misses, exactly.  The traces lie beside the sources, in
 * ../shared/data; skipped where they do not.
 *
 * Of those with sizes in bytes, an object has the size of its first request,
 * as in libCacheSim's trace of the same requests, with which its counts were
 * made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/paging/hash.h"
#include "tests/reclaim-drive.h"

#define MIB (UINT64_C(1) << 20)

struct trace {
	uint32_t *page, *size; /* owned; size NULL: none */
	uint64_t n, room;
	uint32_t pages;
	struct hash seen;
	uint32_t *first; /* owned: size of each page's first reference */
};

static void
trace_add(struct trace *trace, uint64_t object, uint32_t size)
{
	const uint64_t *known = hash_find(&trace->seen, object);
	uint32_t page = known ? (uint32_t)*known : trace->pages++;

	if (trace->n == trace->room) {
		trace->room = trace->room ? 2 * trace->room : 4096;
		trace->page = reallocarray(trace->page, trace->room, 4);
		trace->size = reallocarray(trace->size, trace->room, 4);
		trace->first = reallocarray(trace->first, trace->room, 4);
		assert_true(trace->page && trace->size && trace->first);
	}
	if (!known) {
		assert_int_equal(hash_put(&trace->seen, object, page), 0);
		trace->first[page] = size;
	}
	trace->page[trace->n] = page;
	trace->size[trace->n++] = trace->first[page];
}

static void
trace_fini(struct trace *trace)
{
	free(trace->page);
	free(trace->size);
	free(trace->first);
	hash_fini(&trace->seen);
}

/* Numbers of a line: `object` and, if it is not NULL, `size`; lines that are
 * not of the form are skipped (a header, the marks of data/lirs). */
static void
trace_read(struct trace *trace, const char *name, const char *form)
{
	const char *source = getenv("srcdir");
	char command[512], line[256];
	FILE *pipe;

	memset(trace, 0, sizeof(*trace));
	snprintf(command, sizeof(command), "%s/../shared/data/%s",
		 source ? source : ".", name);
	pipe = fopen(command, "r");
	if (!pipe) {
		print_message("no %s: not tested\n", command);
		skip();
	}
	fclose(pipe);
	snprintf(command, sizeof(command), "gzip -dc '%s/../shared/data/%s'",
		 source ? source : ".", name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		unsigned long long size = 1, object;

		if (!strchr(form, '@')) {
			if (sscanf(line, "%llu", &object) != 1)
				continue;
		} else if (sscanf(line, "%*u,%*u,%*[^,],%llu,%llu", &size,
				  &object) != 2) {
			continue;
		}
		trace_add(trace, object, (uint32_t)size);
	}
	assert_int_equal(pclose(pipe), 0);
}

static bool
is_misses(const char *trace, const char *policy, uint64_t capacity,
	  uint64_t misses, uint64_t published)
{
	if (misses == published)
		return true;
	print_error("%s, %s, %llu: %llu misses, not %llu\n", trace, policy,
		    (unsigned long long)capacity, (unsigned long long)misses,
		    (unsigned long long)published);
	return false;
}

/* The block numbers of a virtual machine's disk, as pages */
static void
test_cloudphysics_pages(UNUSED void **state)
{
	static const struct {
		uint64_t capacity, lru, fifo, opt;
	} row[] = {
		{ 1, 111187, 111187, 111187 },	{ 2, 110525, 110577, 108022 },
		{ 5, 108968, 109101, 104743 },	{ 20, 105561, 106033, 99716 },
		{ 100, 100215, 101495, 94010 }, { 1000, 94823, 95520, 87025 },
		{ 10000, 79438, 79210, 61843 }, { 40000, 48994, 49142, 48974 },
	};
	struct trace trace;
	struct reclaim_string string;
	bool same = true;

	trace_read(&trace, "cloudphysics.csv.gz", "size@");
	string = (struct reclaim_string){ .page = trace.page, .n = trace.n };
	assert_int_equal(trace.n, 113872);
	assert_int_equal(trace.pages, 48974);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t c = row[i].capacity;

		same &= is_misses("cloudphysics", "lru", c,
				  reclaim_misses("lru", c, &string),
				  row[i].lru);
		same &= is_misses("cloudphysics", "fifo", c,
				  reclaim_misses("fifo", c, &string),
				  row[i].fifo);
		same &= is_misses("cloudphysics", "opt", c,
				  reclaim_misses("opt", c, &string),
				  row[i].opt);
	}
	trace_fini(&trace);
	assert_true(same);
}

/* As libCacheSim's test sets them; "fill": its S3-FIFO since 2024 */
static void
as_lib(struct reclaim_config *config, const char *variant)
{
	config->clock_loaded = false;
	config->lirs_demote = true;
	config->slru_segments = 5;
	config->s3fifo_fill = !strcmp(variant, "fill");
}

/* libCacheSim's own test: 128 MiB to 1 GiB in steps of 128 MiB */
static const struct {
	const char *policy, *variant;
	uint64_t misses[8];
} lib[] = {
	{ "lru",
	  "",
	  { 93374, 89783, 83572, 81722, 72494, 72104, 71972, 71704 } },
	{ "clock",
	  "",
	  { 93313, 89775, 83411, 81328, 74815, 72283, 71927, 64456 } },
	{ "fifo",
	  "",
	  { 93403, 89386, 84387, 84025, 72498, 72228, 72182, 72140 } },
	{ "opt",
	  "",
	  { 79256, 70724, 65481, 61594, 59645, 57599, 50873, 48974 } },
	{ "arc",
	  "",
	  { 90252, 85861, 78168, 74297, 67381, 65685, 64439, 64772 } },
	{ "lirs",
	  "",
	  { 89819, 79237, 73143, 70363, 68405, 64494, 58640, 53924 } },
	{ "slru",
	  "",
	  { 89624, 86725, 82781, 80203, 75388, 65645, 59035, 56063 } },
	{ "s3fifo",
	  "",
	  { 89307, 82387, 77041, 76791, 71300, 70343, 70455, 70355 } },
	{ "s3fifo",
	  "fill",
	  { 90117, 80915, 75060, 72191, 69815, 65542, 60799, 56045 } },
	{ "sieve",
	  "",
	  { 91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376 } },
	{ "lfu",
	  "",
	  { 91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376 } },
};

static void
test_cloudphysics_bytes(UNUSED void **state)
{
	struct trace trace;
	struct reclaim_string string;
	bool same = true;

	trace_read(&trace, "cloudphysics.csv.gz", "size@");
	string = (struct reclaim_string){ .page = trace.page,
					  .size = trace.size,
					  .n = trace.n };
	for (size_t i = 0; i < ARRAY_SIZE(lib); i++)
		for (uint64_t j = 0; j < 8; j++) {
			struct reclaim_config config =
				reclaim_config_of(lib[i].policy,
						  (j + 1) * 128 * MIB);

			as_lib(&config, lib[i].variant);
			same &= is_misses("cloudphysics", lib[i].policy,
					  (j + 1) * 128,
					  reclaim_drive(&config, &string)
						  .misses,
					  lib[i].misses[j]);
		}
	trace_fini(&trace);
	assert_true(same);
}

/* Traces of the LIRS paper; loop: LRU and FIFO miss all */
static void
test_lirs(UNUSED void **state)
{
	static const struct {
		const char *name;
		uint64_t capacity, lru, fifo, opt;
	} row[] = {
		{ "2_pools", 100, 78054, 80621, 49361 },
		{ "2_pools", 450, 49726, 58480, 37956 },
		{ "cpp", 50, 8209, 8078, 3369 },
		{ "cpp", 100, 2740, 4086, 1582 },
		{ "cs", 500, 6657, 6657, 4657 },
		{ "cs", 1000, 6657, 6657, 2657 },
		{ "gli", 1000, 5341, 5345, 2819 },
		{ "gli", 2000, 2562, 3134, 2529 },
		{ "loop", 256, 505500, 505500, 378000 },
		{ "loop", 512, 505500, 505500, 250012 },
		{ "loop", 1000, 505500, 505500, 6500 },
	};
	bool same = true;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t c = row[i].capacity;
		struct reclaim_string string;
		struct trace trace;
		char name[64];

		snprintf(name, sizeof(name), "lirs/%s.gz", row[i].name);
		trace_read(&trace, name, "object");
		string = (struct reclaim_string){ .page = trace.page,
						  .n = trace.n };
		same &= is_misses(name, "lru", c,
				  reclaim_misses("lru", c, &string),
				  row[i].lru);
		same &= is_misses(name, "fifo", c,
				  reclaim_misses("fifo", c, &string),
				  row[i].fifo);
		same &= is_misses(name, "opt", c,
				  reclaim_misses("opt", c, &string),
				  row[i].opt);
		trace_fini(&trace);
	}
	assert_true(same);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cloudphysics_pages),
		cmocka_unit_test(test_cloudphysics_bytes),
		cmocka_unit_test(test_lirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
