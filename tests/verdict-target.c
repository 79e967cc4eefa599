// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs that huge pages help, do nothing for, or harm:
 *
 *	verdict-target MODE MEBIBYTES ROUNDS
 *
 * Each prints a sum, so that nothing is left out.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB	((size_t)1 << 20)
#define LARGE	(2 * MIB)
#define PER_MIB 4096 /* accesses of a round for a MiB, where they are random */

static uint64_t state = 88172645463325252u;

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Aligned to 2M, fresh */
static char *
map(size_t bytes)
{
	char *memory = mmap(NULL, bytes + LARGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		_exit(1);
	}
	return (char *)(((uintptr_t)memory + LARGE - 1) &
			~(uintptr_t)(LARGE - 1));
}

/* Independent reads anywhere */
static uint64_t
run_random(size_t mib, size_t rounds)
{
	size_t n = mib * MIB / 8;
	uint64_t *array = (uint64_t *)map(n * 8), sum = 0;

	memset(array, 1, n * 8);
	for (size_t i = 0; i < rounds * mib * PER_MIB; i++)
		sum += array[draw() % n];
	return sum;
}

/* Reads of which each tells where the next one is */
static uint64_t
run_chase(size_t mib, size_t rounds)
{
	size_t n = mib * MIB / 64, at = 0;
	uint64_t *line = (uint64_t *)map(n * 64);

	for (size_t i = 0; i < n; i++)
		line[i * 8] = i;
	for (size_t i = n; i-- > 1;) { /* a cycle: Sattolo */
		size_t k = draw() % i;
		uint64_t swap = line[i * 8];

		line[i * 8] = line[k * 8];
		line[k * 8] = swap;
	}
	for (size_t i = 0; i < rounds * mib * PER_MIB; i++)
		at = line[at * 8];
	return at;
}

/* From one end to the other */
static uint64_t
run_stream(size_t mib, size_t rounds)
{
	size_t n = mib * MIB / 8;
	uint64_t *array = (uint64_t *)map(n * 8), sum = 0;

	memset(array, 1, n * 8);
	for (size_t k = 0; k < rounds; k++)
		for (size_t i = 0; i < n; i++)
			sum += array[i];
	return sum;
}

/* One page of each 2 MiB: nothing for a huge page to gather */
static uint64_t
run_sparse(size_t mib, size_t rounds)
{
	size_t n = mib / 2;
	volatile char *memory = map(mib * MIB);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		memory[i * LARGE + i % 64 * 64] = 1;
	for (size_t i = 0; i < rounds * n; i++) {
		size_t k = draw() % n;

		sum += (uint64_t)memory[k * LARGE + k % 64 * 64];
	}
	return sum;
}

/* What every TLB holds */
static uint64_t
run_small(size_t mib, size_t rounds)
{
	uint64_t *array = (uint64_t *)map(65536), sum = 0;

	memset(array, 1, 65536);
	for (size_t i = 0; i < rounds * mib * PER_MIB; i++)
		sum += array[draw() % 8192] * i;
	return sum;
}

/* Memory that comes and goes, little of it touched, and work in between */
static uint64_t
run_maps(size_t mib, size_t rounds)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < rounds * mib / 4; i++) {
		char *memory = mmap(NULL, 3 * LARGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *at = (char *)(((uintptr_t)memory + LARGE - 1) &
				    ~(uintptr_t)(LARGE - 1));

		for (size_t k = 0; k < 8; k++) {
			at[k * LARGE / 8] = (char)i;
			at[LARGE + k * LARGE / 8] = (char)k;
		}
		for (size_t k = 0; k < LARGE; k += LARGE / 8)
			sum += (uint64_t)at[k];
		for (size_t k = 0; k < 200000; k++)
			sum ^= sum << 7 ^ sum >> 9;
		munmap(memory, 3 * LARGE);
	}
	return sum;
}

/* Build a table, then look in it for what is there and what is not */
static uint64_t
run_join(size_t mib, size_t rounds)
{
	size_t n = 1, used = 0;
	uint64_t *table, sum = 0;

	while (2 * n <= mib * MIB / 16)
		n *= 2;
	table = (uint64_t *)map(n * 16);
	for (size_t i = 0; i < n / 2; i++) {
		uint64_t key = draw() % n + 1, at = key * 0x9e3779b97f4a7c15;

		for (at >>= 20; table[at % n * 2]; at++)
			;
		table[at % n * 2] = key;
		table[at % n * 2 + 1] = i;
		used++;
	}
	for (size_t i = 0; i < rounds * mib * PER_MIB; i++) {
		uint64_t key = draw() % n + 1, at = key * 0x9e3779b97f4a7c15;

		for (at >>= 20; table[at % n * 2]; at++)
			if (table[at % n * 2] == key) {
				sum += table[at % n * 2 + 1];
				break;
			}
	}
	return sum + used;
}

/* Rows are read, columns are written: each on a page of its own */
static uint64_t
run_transpose(size_t mib, size_t rounds)
{
	size_t n = 512;
	double *from, *to;

	while (4 * n * n * 8 <= mib * MIB / 2)
		n *= 2;
	from = (double *)map(n * n * 8);
	to = (double *)map(n * n * 8);
	for (size_t i = 0; i < n * n; i++)
		from[i] = (double)i;
	for (size_t k = 0; k < rounds; k++)
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				to[j * n + i] = from[i * n + j];
	return (uint64_t)to[n + 1];
}

/* Five points, row by row */
static uint64_t
run_stencil(size_t mib, size_t rounds)
{
	size_t n = 512;
	float *a, *b;

	while (4 * n * n * 4 <= mib * MIB / 2)
		n *= 2;
	a = (float *)map(n * n * 4);
	b = (float *)map(n * n * 4);
	for (size_t i = 0; i < n * n; i++)
		a[i] = (float)(i % 100);
	for (size_t k = 0; k < rounds; k++) {
		float *swap = a;

		for (size_t i = 1; i + 1 < n; i++)
			for (size_t j = 1; j + 1 < n; j++)
				b[i * n + j] =
					(a[i * n + j - 1] + a[i * n + j + 1] +
					 a[i * n - n + j] + a[i * n + n + j]) /
					4;
		a = b;
		b = swap;
	}
	return (uint64_t)a[n + 1];
}

/* Children that write to a part of what they share */
static uint64_t
run_fork(size_t mib, size_t rounds)
{
	size_t n = mib * MIB;
	char *memory = map(n);
	int status;

	memset(memory, 1, n);
	for (size_t k = 0; k < rounds; k++) {
		pid_t child = fork();

		if (!child) {
			for (size_t i = 0; i < n / 4096 / 8; i++)
				memory[draw() % n] = 2;
			_exit(0);
		}
		waitpid(child, &status, 0);
	}
	return (uint64_t)memory[n / 2];
}

struct node {
	struct node *side[2];
	uint64_t key, value[5];
};

/* Lookups in a binary tree whose nodes came in no order */
static uint64_t
run_tree(size_t mib, size_t rounds)
{
	size_t n = mib * MIB / sizeof(struct node);
	struct node *node = (struct node *)map(n * sizeof(*node));
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct node **at = NULL, *next = i ? node : NULL;

		node[i].key = draw();
		while (next) {
			at = &next->side[node[i].key > next->key];
			next = *at;
		}
		if (at)
			*at = &node[i];
	}
	for (size_t i = 0; i < rounds * mib * PER_MIB / 16; i++) {
		uint64_t key = draw();

		for (struct node *at = node; at; at = at->side[key > at->key])
			sum += at->value[0] + 1;
	}
	return sum;
}

static int
order(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static uint64_t
run_sort(size_t mib, size_t rounds)
{
	size_t n = mib * MIB / 8; /* and as much for qsort's merging */
	uint32_t *array = (uint32_t *)map(n * 4);

	for (size_t k = 0; k < rounds; k++) {
		for (size_t i = 0; i < n; i++)
			array[i] = (uint32_t)draw();
		qsort(array, n, sizeof(*array), order);
	}
	return array[n / 2];
}

static const struct {
	const char *name;
	uint64_t (*run)(size_t mib, size_t rounds);
} modes[] = {
	{ "random", run_random },   { "chase", run_chase },
	{ "stream", run_stream },   { "sparse", run_sparse },
	{ "small", run_small },	    { "maps", run_maps },
	{ "join", run_join },	    { "transpose", run_transpose },
	{ "stencil", run_stencil }, { "fork", run_fork },
	{ "tree", run_tree },	    { "sort", run_sort },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc == 4 && i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(argv[1], modes[i].name)) {
			printf("%s %ju\n", argv[1],
			       (uintmax_t)modes[i].run(strtoul(argv[2], NULL,
							       10),
						       strtoul(argv[3], NULL,
							       10)));
			return 0;
		}
	fprintf(stderr, "usage: verdict-target MODE MEBIBYTES ROUNDS\n");
	return 2;
}
