// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Importers and the generator when the k-th allocation fails, for every k:
 * -ENOMEM, nothing lost or freed twice (ASan looks), and with one allocation
 * more they get further.  The linker routes our allocations here (--wrap),
 * jansson has a call for it.
 */
#include "analyzer/base.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "traces/open.h"

/* Allocations until one fails; negative: none will. */
static long until_failure = -1;

static bool
fails(void)
{
	return until_failure > 0 && --until_failure == 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_reallocarray(void *old, size_t n, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_reallocarray(void *old, size_t n, size_t bytes);
char *__wrap_strdup(const char *text);

void *
__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *
__wrap_calloc(size_t n, size_t bytes)
{
	return fails() ? NULL : __real_calloc(n, bytes);
}

void *
__wrap_reallocarray(void *old, size_t n, size_t bytes)
{
	return fails() ? NULL : __real_reallocarray(old, n, bytes);
}

char *
__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

/* Open and read it with the k-th allocation failing; *failed: it came to it */
static int
read_all(const char *name, long k, uint64_t *accesses, bool *failed)
{
	struct source *source;
	struct batch batch;
	int got;

	*accesses = 0;
	assert_int_equal(batch_init(&batch), 0);
	until_failure = k;
	got = source_open(&source, name, false);
	if (!got) {
		while ((got = source_next(source, &batch)) > 0)
			*accesses += batch.n;
		source_close(source);
	}
	*failed = until_failure == 0;
	until_failure = -1;
	batch_fini(&batch);
	return got;
}

static void
fail_each(const char *name)
{
	uint64_t all, some;
	bool failed;
	unsigned forgiven = 0;
	long k = 0;

	assert_int_equal(read_all(name, -1, &all, &failed), 0);
	assert_true(all > 0);
	do {
		int error = read_all(name, ++k, &some, &failed);

		assert_true(error == 0 || error == -ENOMEM);
		if (!error)
			assert_int_equal(some, all);
		/* only a file's name can do without: see json_name */
		if (failed && !error)
			forgiven++;
	} while (failed);
	assert_true(k > 10);
	assert_in_range(forgiven, 0, 2);
	print_message("%s: %ld allocations\n", name, k - 1);
}

static void
test_samples(void **state)
{
	static const char *const samples[] = {
		"addresses.hex",
		"gaps.txt",
		"instructions.champsim.xz",
		"lackey.txt",
		"trace.xdin.gz",
		"instructions.cloudsuite.zst",
		"trace.din",
		"view.txt",
		"requests.oracle.zst",
		"table.csv",
		"samples.perf.txt",
	};
	const char *srcdir = getenv("srcdir");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/traces/samples/%s",
			 srcdir ? srcdir : ".", samples[i]);
		fail_each(path);
	}
}

/* So many sites that their tables must grow */
static void
test_many_sites(void **state)
{
	char path[] = "/tmp/test-import-memory-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(file);
	for (int i = 0; i < 3000; i++)
		fprintf(file, "I  %x,4\n", i * 4);
	assert_int_equal(fclose(file), 0);
	fail_each(path);
	unlink(path);
}

static void
test_generate(void **state)
{
	(void)state;
	fail_each("generate:mix,n=10000,pages=100000");
	fail_each("generate:phases,n=10000,phase=1000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_many_sites),
		cmocka_unit_test(test_generate),
	};

	json_set_alloc_funcs(__wrap_malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
