// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random programs (random-program.h), run natively, under step and under
 * cache: all end with the same registers and memory, and the two engines tell
 * the same stream.
 *
 *	test-random			for 12 seconds
 *	test-random SECONDS [SEED]	longer, from a seed of one's own
 *	test-random SEED BLOCKS FILE	write that program, run nothing
 *
 * A failure tells its seed and the fewest blocks that show it.
 */
#define _GNU_SOURCE
#include "analyzer/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "instruction-run.h"
#include "random-program.h"
#include "step-watch.h"
#include "tracers/tracer.h"

#define BLOCKS	     48
#define OUTPUT_BYTES (1u << 17)
#define STATUS	     7

struct output {
	char bytes[OUTPUT_BYTES];
	size_t n;
};

static struct output native, step, cache;
static char path[64], output_path[80];
static uint64_t accesses;

static void
read_output(struct output *output)
{
	FILE *file = fopen(output_path, "re");

	output->n = file ? fread(output->bytes, 1, OUTPUT_BYTES, file) : 0;
	if (file)
		fclose(file);
}

/* stdout goes to a file meanwhile; returns what to restore */
static int
redirect(void)
{
	int kept, fd;

	fflush(stdout);
	kept = fcntl(1, F_DUPFD_CLOEXEC, 10);
	fd = open(output_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (kept < 0 || fd < 0 || dup2(fd, 1) < 0)
		abort();
	close(fd);
	return kept;
}

static void
restore(int kept)
{
	dup2(kept, 1);
	close(kept);
}

static int
run_native(struct output *output)
{
	char *argv[] = { path, NULL };
	int status = -1, kept = redirect();
	pid_t pid = fork();

	if (!pid) {
		execve(path, argv, (char *[]){ NULL });
		_exit(99);
	}
	waitpid(pid, &status, 0);
	restore(kept);
	read_output(output);
	return status;
}

static int
run_by(const char *engine, struct step_run *run, struct output *output)
{
	char *argv[] = { path, NULL };
	int kept = redirect(), error = step_run(run, engine, argv);

	restore(kept);
	read_output(output);
	return error ? -1 : run->status;
}

static size_t
first_difference(const struct output *a, const struct output *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && a->bytes[i] == b->bytes[i])
		i++;
	return i;
}

static bool
same_output(const struct output *output, const char *engine, char *why,
	    size_t bytes)
{
	size_t at = first_difference(&native, output);

	if (at == native.n && at == output->n)
		return true;
	snprintf(why, bytes, "%s: memory differs at %#zx of %#zx", engine, at,
		 output->n);
	return false;
}

/* true: all agree, or it does not run natively either */
static bool
agree(const struct random_forms *forms, uint64_t seed, unsigned blocks,
      char *why, size_t bytes)
{
	struct step_run by_step, by_cache;
	int status;
	bool good;

	if (random_program(forms, seed, blocks, path)) {
		snprintf(why, bytes, "the program can't be written");
		return false;
	}
	status = run_native(&native);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS) {
		snprintf(why, bytes, "natively: wait status %#x", status);
		return false;
	}
	good = run_by("step", &by_step, &step) == status;
	if (!good)
		snprintf(why, bytes, "step: wait status %#x", by_step.status);
	if (good && run_by("cache", &by_cache, &cache) != status) {
		snprintf(why, bytes, "cache: wait status %#x", by_cache.status);
		good = false;
	} else if (good) {
		good = same_output(&step, "step", why, bytes) &&
		       same_output(&cache, "cache", why, bytes) &&
		       step_run_same(&by_step, &by_cache, why, bytes);
		accesses += by_step.n;
		step_run_close(&by_cache);
	}
	step_run_close(&by_step);
	return good;
}

/* The fewest blocks that show it, as far as halving finds them */
static void
shrink(const struct random_forms *forms, uint64_t seed, char *why, size_t bytes)
{
	unsigned good = 0, bad = BLOCKS;
	char other[512];

	while (bad - good > 1) {
		unsigned middle = (good + bad) / 2;

		if (agree(forms, seed, middle, other, sizeof(other))) {
			good = middle;
			continue;
		}
		bad = middle;
		snprintf(why, bytes, "%s", other);
	}
	printf("FAIL: seed %llu, %u blocks: %s\n", (unsigned long long)seed,
	       bad, why);
}

static int
run_all(unsigned seconds, uint64_t seed)
{
	struct random_forms *forms = random_forms_open();
	time_t until = time(NULL) + seconds;
	unsigned programs = 0, failed = 0;
	char why[512];

	for (; time(NULL) < until && failed < 3; seed++, programs++)
		if (!agree(forms, seed, BLOCKS, why, sizeof(why))) {
			failed++;
			shrink(forms, seed, why, sizeof(why));
		}
	printf("%zu forms, %u programs, %llu accesses, %u failed\n",
	       random_forms_count(forms), programs,
	       (unsigned long long)accesses, failed);
	random_forms_close(forms);
	return failed || programs < 3;
}

static bool
can_run(void)
{
	static const char *const name[] = { "step", "cache" };
	char why[512];

	for (size_t i = 0; tracer_registry[i]; i++)
		for (size_t k = 0; k < ARRAY_SIZE(name); k++)
			if (!strcmp(tracer_registry[i]->name, name[k]) &&
			    tracer_registry[i]->probe(why, sizeof(why))) {
				printf("skipped: %s\n", why);
				return false;
			}
	return true;
}

int
main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 12;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	int result;

	if (!can_run())
		return 77;
	if (!__builtin_cpu_supports("avx")) {
		printf("skipped: this processor has no AVX\n");
		return 77;
	}
	if (!__builtin_cpu_supports("avx512f"))
		printf("not tested: this processor has no AVX-512\n");
	if (!getenv("TEST_RANDOM_FIXED")) {
		personality(ADDR_NO_RANDOMIZE);
		setenv("TEST_RANDOM_FIXED", "1", 1);
		execv("/proc/self/exe", argv);
	}
	if (run_prepare())
		return 99;
	/* The engines put their own handlers in their place */
	snprintf(path, sizeof(path), "/tmp/random-program-%d", (int)getpid());
	snprintf(output_path, sizeof(output_path), "%s.out", path);
	if (argc > 3)
		return random_program(random_forms_open(), seconds,
				      (unsigned)seed, argv[3]) != 0;
	result = run_all(seconds, seed);
	unlink(path);
	unlink(output_path);
	return result;
}
