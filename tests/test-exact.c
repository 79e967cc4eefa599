// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole stream of cache is step's, thread by thread, for programs of each
 * kind (exact-target.c and others); and its data accesses are valgrind's,
 * where that runs the same instructions.
 *
 *	test-exact			what is quick
 *	test-exact COMMAND ARGUMENT...	that program
 */
#include "analyzer/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step-watch.h"
#include "tracers/tracer.h"

static char directory[4096];
static unsigned failed;

/* One thread's accesses */
static void
thread_of(const struct step_run *run, uint32_t thread, struct step_run *to)
{
	*to = (struct step_run){ 0 };
	to->access = calloc(run->n + 1, sizeof(*to->access));
	if (!to->access)
		abort();
	for (size_t i = 0; i < run->n; i++)
		if (run->access[i].thread == thread)
			to->access[to->n++] = run->access[i];
}

static uint32_t
threads_of(const struct step_run *run)
{
	uint32_t n = 0;

	for (size_t i = 0; i < run->n; i++)
		if (run->access[i].thread >= n)
			n = run->access[i].thread + 1;
	return n;
}

static bool
same_threads(const struct step_run *a, const struct step_run *b, char *why,
	     size_t bytes)
{
	bool good = threads_of(a) == threads_of(b);

	if (!good)
		snprintf(why, bytes, "%u and %u threads", threads_of(a),
			 threads_of(b));
	for (uint32_t i = 0; i < threads_of(a) && good; i++) {
		struct step_run mine, theirs;
		size_t n;

		thread_of(a, i, &mine);
		thread_of(b, i, &theirs);
		good = step_run_same(&mine, &theirs, why, bytes);
		n = strlen(why);
		if (!good)
			snprintf(why + n, bytes - n, " (thread %u)", i);
		free(mine.access);
		free(theirs.access);
	}
	return good;
}

static bool
same_events(const struct step_run *a, const struct step_run *b, char *why,
	    size_t bytes)
{
	for (unsigned type = 0; type < EVENT_TYPES; type++) {
		size_t n = step_run_count(a, (enum event_type)type);
		size_t other = step_run_count(b, (enum event_type)type);

		/* When threads run is not the same */
		if (n == other || type == EVENT_SWITCH)
			continue;
		snprintf(why, bytes, "%zu and %zu events of type %u", n, other,
			 type);
		return false;
	}
	return true;
}

static void
compare(char **argv, int status, bool events)
{
	struct step_run step, cache;
	char why[512] = "";
	bool good;

	good = !step_run(&step, "step", argv) &&
	       !step_run(&cache, "cache", argv);
	if (good && (!WIFEXITED(step.status) || !WIFEXITED(cache.status) ||
		     WEXITSTATUS(cache.status) != WEXITSTATUS(step.status) ||
		     (status >= 0 && WEXITSTATUS(step.status) != status))) {
		snprintf(why, sizeof(why), "wait status %#x and %#x",
			 step.status, cache.status);
		good = false;
	}
	good = good && same_threads(&step, &cache, why, sizeof(why)) &&
	       (!events || same_events(&step, &cache, why, sizeof(why)));
	printf("%s%s %s: %zu accesses %s\n", good ? "" : "FAIL: ", argv[0],
	       argv[1] ? argv[1] : "", step.n, why);
	failed += !good;
	step_run_close(&step);
	step_run_close(&cache);
}

static void
ours(const char *name, const char *mode)
{
	char path[8192], argument[64];
	char *argv[] = { path, argument, NULL };

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	snprintf(argument, sizeof(argument), "%s", mode ? mode : "");
	if (!mode)
		argv[1] = NULL;
	compare(argv, 7, true);
}

/* Of 64 threads, what each does in its own memory: locks are waited for in
 * another order each time */
static void
threads(void)
{
	char path[8192], mode[] = "threads", why[512] = "";
	char *argv[] = { path, mode, NULL };
	struct step_run step, cache, *const both[] = { &step, &cache };
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/exact-target", directory);
	if (step_run(&step, "step", argv) || step_run(&cache, "cache", argv)) {
		failed++;
		return;
	}
	for (unsigned k = 0; k < 2; k++) {
		struct step_run *run = both[k];

		n = run->n;
		run->n = 0;
		for (size_t i = 0; i < n; i++)
			if (run->access[i].kind == SITE_MODIFY &&
			    run->access[i].size == 8)
				run->access[run->n++] = run->access[i];
	}
	if (threads_of(&step) != 65 || step.n < 64 * 40 ||
	    !same_threads(&step, &cache, why, sizeof(why))) {
		printf("FAIL: %u threads: %s\n", threads_of(&step), why);
		failed++;
	}
	step_run_close(&step);
	step_run_close(&cache);
}

static uint64_t
count(const struct step_run *run, unsigned kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < run->n; i++)
		n += run->access[i].kind == kind;
	return n;
}

/* A static program of base instructions: the same numbers of each kind, but
 * for atomic instructions, which are two to Valgrind, and for repeated ones,
 * whose rounds it fetches */
static void
by_valgrind(const char *name)
{
	static const char *const text[] = { "loads", "stores", "modifies",
					    "fetches" };
	static const uint64_t room[] = { 3, 0, 0, 301 };
	struct step_run cache, valgrind;
	char path[8192];
	char *argv[] = { path, NULL };

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (step_run(&cache, "cache", argv) ||
	    step_run(&valgrind, "valgrind", argv)) {
		failed++;
		return;
	}
	for (unsigned kind = 0; kind < 4; kind++) {
		uint64_t a = count(&cache, kind), b = count(&valgrind, kind);

		printf("%s: %llu %s by cache, %llu by valgrind\n", name,
		       (unsigned long long)a, text[kind],
		       (unsigned long long)b);
		if (b < a || b - a > room[kind]) {
			printf("FAIL: too many or too few\n");
			failed++;
		}
	}
	step_run_close(&cache);
	step_run_close(&valgrind);
}

static bool
works(const char *engine)
{
	char why[512];

	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, engine)) {
			if (!tracer_registry[i]->probe(why, sizeof(why)))
				return true;
			printf("not tested: %s: %s\n", engine, why);
		}
	return false;
}

static void
all(void)
{
	static const char *const mode[] = {
		"strings", "x87",	"signals", "jumps",
		"code",	   "processes", "vdso",	   "returns",
	};
	char name[] = "/bin/true";
	char *dynamic[] = { name, NULL };

	ours("step-base", NULL);
	ours("step-twin", NULL);
	if (__builtin_cpu_supports("avx2"))
		ours("step-avx2", NULL);
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512vl"))
		ours("step-avx512", NULL);
	compare(dynamic, 0, true);
	for (size_t i = 0; i < ARRAY_SIZE(mode); i++)
		ours("exact-target", mode[i]);
	/* Frames of a static program are found by looking at all of them */
	ours("exact-dynamic", "exceptions");
	ours("exact-dynamic", "libraries");
	threads();
	if (works("valgrind"))
		by_valgrind("step-twin");
}

int
main(int argc, char **argv)
{
	ssize_t n =
		readlink("/proc/self/exe", directory, sizeof(directory) - 1);
	bool fixed = getenv("TEST_EXACT_FIXED");

	if (n < 0)
		return 99;
	directory[n] = '\0';
	*strrchr(directory, '/') = '\0';
	if (!fixed) {
		char *environment[] = { (char[]){ "TEST_EXACT_FIXED=1" },
					(char[]){ "PATH=/bin:/usr/bin" },
					NULL };

		personality(ADDR_NO_RANDOMIZE);
		execve("/proc/self/exe", argv, environment);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!works("step") || !works("cache"))
		return 77;
	if (argc > 1)
		compare(argv + 1, -1, false);
	else
		all();
	return failed > 0;
}
