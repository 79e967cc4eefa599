// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the code cache is timed with:
 *
 *	alloc [N]  four threads that allocate, touch and free, N times as often
 *	random     dependent loads all over 256 MiB
 *	busy N     N threads that compute until the process is killed
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define ROUNDS	700000
#define WORDS	(1ul << 25)
#define LOADS	20000000ul
#define FACTOR	6364136223846793005ul

struct work {
	pthread_t thread;
	unsigned long seed;
	long rounds;
};

static void *
allocate(void *argument)
{
	const struct work *work = argument;
	unsigned long x = work->seed + 1;
	char *kept[256] = { NULL };

	for (long i = 0; i < work->rounds; i++) {
		size_t bytes;

		x = x * FACTOR + 1442695040888963407ul;
		bytes = 16 + (x >> 53);
		free(kept[x >> 56]);
		kept[x >> 56] = malloc(bytes);
		if (kept[x >> 56])
			memset(kept[x >> 56], (int)i, bytes);
	}
	for (int i = 0; i < 256; i++)
		free(kept[i]);
	return NULL;
}

static int
walk(void)
{
	uint64_t *table = calloc(WORDS, sizeof(*table)), x = 1;

	if (!table)
		return 1;
	for (size_t i = 0; i < WORDS; i++)
		table[i] = i * FACTOR;
	for (unsigned long i = 0; i < LOADS; i++)
		x = (x + table[x % WORDS]) * FACTOR;
	printf("%lu\n", (unsigned long)x);
	free(table);
	return 0;
}

static void *
compute(void *nothing)
{
	static __thread volatile unsigned count[256];

	(void)nothing;
	for (unsigned long x = 1;; x = x * FACTOR + 1442695040888963407ul)
		count[x >> 56]++;
	return NULL;
}

static int
busy(long n)
{
	pthread_t thread;

	for (long i = 1; i < n; i++)
		pthread_create(&thread, NULL, compute, NULL);
	compute(NULL);
	return 0;
}

static int
work_together(long times)
{
	struct work work[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		work[i] = (struct work){ .seed = i, .rounds = times * ROUNDS };
		pthread_create(&work[i].thread, NULL, allocate, &work[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(work[i].thread, NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	long n = argc == 3 ? strtol(argv[2], NULL, 10) : 1;

	if (argc == 3 && !strcmp(argv[1], "busy"))
		return busy(n);
	if (argc < 2 || strcmp(argv[1], "alloc"))
		return walk();
	return work_together(n);
}
