// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz entry (tests/fuzz.h) over its kept corpus: each file as it is,
 * cut at many places, and ROUNDS times damaged by a fixed seed: bits flipped,
 * bytes replaced by ones that parsers care for, parts doubled or taken out.
 *
 *	fuzz-NAME [FILE|DIRECTORY]...	default: the entry's corpora
 *
 * Each file is run in a child whose stderr (the entry's many messages) is
 * shown only when the child dies; PAGESCOPE_FUZZ_ROUNDS sets the rounds.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz.h"

#define INPUT_MAX (1 << 20)
#define CUTS_MAX  40
#define ROUNDS	  40

struct input {
	uint8_t *bytes; /* [INPUT_MAX] */
	size_t n;
};

/* Shared with the child: what it was doing when it died. */
static char *doing;

static uint64_t
draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* One damage at a random place. */
static void
damage(struct input *input, uint64_t *state)
{
	static const uint8_t dear[] = "\n\r\0 ,\"#-09afx=ILSM\xff\x80";
	size_t at = draw(state) % input->n;
	size_t length = draw(state) % 64;

	if (length > input->n - at)
		length = input->n - at;
	switch (draw(state) % 5) {
	case 0:
		input->bytes[at] ^= (uint8_t)(1u << draw(state) % 8);
		break;
	case 1:
		input->bytes[at] = dear[draw(state) % sizeof(dear)];
		break;
	case 2:
		memmove(input->bytes + at, input->bytes + at + length,
			input->n - at - length);
		input->n -= length;
		break;
	case 3:
		if (input->n + length > INPUT_MAX)
			break;
		memmove(input->bytes + at + length, input->bytes + at,
			input->n - at);
		input->n += length;
		break;
	case 4:
		memset(input->bytes + at, (int)draw(state), length);
		break;
	}
}

/* A heap copy of just that size, so that ASan sees what is read behind it */
static void
try(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
run_file(const char *path, const struct input *input)
{
	const char *text = getenv("PAGESCOPE_FUZZ_ROUNDS");
	unsigned rounds = text ? (unsigned)atoi(text) : ROUNDS;
	struct input damaged = { malloc(INPUT_MAX), 0 };
	size_t step = input->n / CUTS_MAX + 1;
	uint64_t seed = input->n;

	if (!damaged.bytes)
		abort();
	for (size_t n = input->n;; n = n > step ? n - step : 0) {
		snprintf(doing, 4096, "%s: the first %zu bytes", path, n);
		try(input->bytes, n);
		if (!n)
			break;
	}
	for (unsigned i = 0; i < rounds && input->n; i++) {
		memcpy(damaged.bytes, input->bytes, input->n);
		damaged.n = input->n;
		snprintf(doing, 4096, "%s: damage %u", path, i);
		for (uint64_t k = 1 + draw(&seed) % 4; k && damaged.n; k--)
			damage(&damaged, &seed);
		try(damaged.bytes, damaged.n);
	}
	free(damaged.bytes);
}

static bool
read_file(const char *path, struct input *input)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		return false;
	input->n = fread(input->bytes, 1, INPUT_MAX, file);
	fclose(file);
	return true;
}

static void
show(FILE *said)
{
	char line[4096];

	rewind(said);
	while (fgets(line, sizeof(line), said))
		if (strncmp(line, "pagescope: ", 11))
			fputs(line, stdout);
}

/* 0, or 1 when the entry died. */
static int
run_path(const char *path, struct input *input)
{
	FILE *said = tmpfile();
	int status = 0;
	pid_t pid;

	if (!said || !read_file(path, input)) {
		printf("%s: cannot be read\n", path);
		return 1;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(fileno(said), STDERR_FILENO);
		run_file(path, input);
		/* exit, not _exit: the leak checker runs there */
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		printf("%s: status 0x%x\n", doing, (unsigned)status);
		show(said);
		status = 1;
	}
	fclose(said);
	return status;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* How many of the files at path, a file or directory, failed. */
static int
run(const char *path, struct input *input, unsigned *files)
{
	struct dirent **entry;
	int n = scandir(path, &entry, NULL, by_name);
	int failed = 0;

	if (n < 0) {
		(*files)++;
		return run_path(path, input);
	}
	for (int i = 0; i < n; i++) {
		char inner[4096];

		snprintf(inner, sizeof(inner), "%s/%s", path, entry[i]->d_name);
		if (entry[i]->d_name[0] != '.')
			failed += run(inner, input, files);
		free(entry[i]);
	}
	free(entry);
	return failed;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	struct input input = { malloc(INPUT_MAX), 0 };
	unsigned files = 0;
	int failed = 0;

	doing = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!input.bytes || doing == MAP_FAILED)
		return 99;
	for (int i = 1; i < argc; i++)
		failed += run(argv[i], &input, &files);
	for (int i = 0; argc < 2 && fuzz_corpora[i]; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".",
			 fuzz_corpora[i]);
		failed += run(path, &input, &files);
	}
	free(input.bytes);
	printf("%u files\n", files);
	return failed || !files;
}
