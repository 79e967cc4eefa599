// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Work for the hooks engine: hash chains over text that repeats itself (as in
 * gzip), sorting, and a walk over a table too large for the caches; on as many
 * threads as the argument says.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT	(1 << 21)
#define HASHES	(1 << 15)
#define TABLE	(1 << 20)
#define THREADS 16

struct work {
	uint32_t seed;
	uint64_t sum;
	unsigned char *text;
	uint32_t *head, *previous, *table;
};

static uint32_t
draw(struct work *work)
{
	work->seed ^= work->seed << 13;
	work->seed ^= work->seed >> 17;
	work->seed ^= work->seed << 5;
	return work->seed;
}

static uint32_t
match_length(const unsigned char *a, const unsigned char *b, uint32_t most)
{
	uint32_t n = 0;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

static void
compress(struct work *work)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i + 64 < TEXT; i++) {
		const unsigned char *here = work->text + i;
		uint32_t hash =
			(here[0] << 10 ^ here[1] << 5 ^ here[2]) & (HASHES - 1);
		uint32_t at = work->head[hash], tries = 8, best = 2;

		while (at && tries--) {
			uint32_t n =
				match_length(work->text + at - 1, here, 64);

			if (n > best)
				best = n;
			at = work->previous[at - 1];
		}
		longest += best;
		work->previous[i] = work->head[hash];
		work->head[hash] = i + 1;
	}
	work->sum += longest;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void *
run(void *argument)
{
	struct work *work = argument;
	uint32_t at = 0;

	work->text = malloc(TEXT);
	work->head = calloc(HASHES, sizeof(*work->head));
	work->previous = calloc(TEXT, sizeof(*work->previous));
	work->table = malloc(TABLE * sizeof(*work->table));
	if (!work->text || !work->head || !work->previous || !work->table)
		return NULL;
	for (uint32_t i = 0; i < TEXT; i++)
		work->text[i] = (unsigned char)(draw(work) % 5 + 'a');
	compress(work);
	for (uint32_t i = 0; i < TABLE; i++)
		work->table[i] = draw(work) % TABLE;
	for (uint32_t i = 0; i < 4 * TABLE; i++)
		at = work->table[at] ^ (i & (TABLE - 1));
	qsort(work->table, TABLE, sizeof(*work->table), compare);
	work->sum += at + work->table[TABLE / 2];
	free(work->text);
	free(work->head);
	free(work->previous);
	free(work->table);
	return NULL;
}

int
main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	struct work work[THREADS] = { { 0 } };
	pthread_t thread[THREADS];

	if (threads < 1 || threads > THREADS)
		return 2;
	for (int i = 0; i < threads; i++) {
		work[i].seed = 12345 + (uint32_t)i;
		if (pthread_create(&thread[i], NULL, run, &work[i]))
			return 1;
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		printf("%llu\n", (unsigned long long)work[i].sum);
	}
	return 0;
}
