// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engines step and valgrind, which share no code for operands, tell the
 * same of a program that does the same under both.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step-watch.h"
#include "tracers/tracer.h"

static char path[4096];

/* The next data access from i on */
static size_t
next_data(const struct step_run *run, size_t i)
{
	while (i < run->n && run->access[i].kind == SITE_FETCH)
		i++;
	return i;
}

static void
run_under(struct step_run *run, const char *engine)
{
	char *argv[] = { path, NULL };

	assert_int_equal(step_run(run, engine, argv), 0);
	assert_true(WIFEXITED(run->status));
	assert_int_equal(WEXITSTATUS(run->status), 7);
}

static void
test_same_data_accesses_in_the_same_order(void **state)
{
	struct step_run step, valgrind;
	size_t i = 0, k = 0, n = 0, atomics = 0;

	(void)state;
	run_under(&step, "step");
	run_under(&valgrind, "valgrind");
	for (;; i++, k++, n++) {
		const struct step_access *a, *b;

		i = next_data(&step, i);
		k = next_data(&valgrind, k);
		if (i == step.n || k == valgrind.n)
			break;
		a = &step.access[i];
		b = &valgrind.access[k];
		/* Valgrind makes an atomic instruction from a load and a
		 * compare-and-swap; both are told. */
		if (a->kind == SITE_MODIFY && b->kind == SITE_LOAD &&
		    a->address == b->address) {
			k = next_data(&valgrind, k + 1);
			assert_true(k < valgrind.n);
			b = &valgrind.access[k];
			atomics++;
		}
		if (a->pc != b->pc || a->address != b->address ||
		    a->size != b->size || a->kind != b->kind)
			fail_msg(
				"data access %zu: step pc %llx %u bytes at %llx kind %u, valgrind pc %llx %u bytes at %llx kind %u",
				n, (unsigned long long)a->pc, a->size,
				(unsigned long long)a->address, a->kind,
				(unsigned long long)b->pc, b->size,
				(unsigned long long)b->address, b->kind);
	}
	assert_int_equal(i, step.n);
	assert_int_equal(k, valgrind.n);
	assert_true(n > 20000);
	assert_true(atomics <= 3);
	step_run_close(&step);
	step_run_close(&valgrind);
}

/* Instructions begun; valgrind tells each iteration of a repeated one, which
 * is the only one whose fetch follows itself with no branch */
static uint64_t
instructions(const struct step_run *run)
{
	uint64_t n = 0;

	for (size_t i = 0; i < run->n; i++)
		n += run->access[i].instructions;
	return n;
}

static void
test_same_instructions(void **state)
{
	struct step_run step, valgrind;
	const uint64_t repeats = 300;
	uint64_t ours, theirs;

	(void)state;
	run_under(&step, "step");
	run_under(&valgrind, "valgrind");
	ours = instructions(&step);
	theirs = instructions(&valgrind);
	/* Once by step; by valgrind each time, and the last look at rcx */
	printf("step %llu, valgrind %llu instructions\n",
	       (unsigned long long)ours, (unsigned long long)theirs);
	assert_in_range(theirs, ours + repeats - 1, ours + repeats);
	step_run_close(&step);
	step_run_close(&valgrind);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_data_accesses_in_the_same_order),
		cmocka_unit_test(test_same_instructions),
	};
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	char why[512];

	if (n < 0)
		return 99;
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "step-twin");
	for (size_t i = 0; tracer_registry[i]; i++)
		if (!tracer_registry[i]->companion &&
		    tracer_registry[i]->probe(why, sizeof(why))) {
			printf("skipped: %s: %s\n", tracer_registry[i]->name,
			       why);
			return 77;
		}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
