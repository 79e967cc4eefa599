// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads that wait for each other, timed; see pointer-chase.h. */
#include "analyzer/pointer-chase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LARGE	  ((size_t)2 << 20)
#define LINE	  64u
#define TIMES_MAX 63
#define LOADS	  32u /* in a row, between two looks at the count */

struct chase {
	char *memory, *start; /* start: aligned to 2M */
	size_t bytes;
	uint64_t seed;
	uint32_t *order; /* [bytes / LINE] */
};

static uint64_t
draw(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Of this thread on its processor: what else runs there does not count. */
static double
now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Of the mapping at `start`, as the kernel says: bytes in huge pages */
static size_t
huge_bytes(const char *start)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	unsigned long first, last, kilobytes = 0;
	bool inside = false;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			inside = first <= (uintptr_t)start &&
				 (uintptr_t)start < last;
		else if (inside)
			sscanf(line, "AnonHugePages: %lu kB", &kilobytes);
		if (kilobytes)
			break;
	}
	fclose(file);
	return (size_t)kilobytes << 10;
}

static char *
map(size_t bytes, enum chase_pages pages, char **start)
{
	char *memory = mmap(NULL, bytes + LARGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	*start = (char *)(((uintptr_t)memory + LARGE - 1) &
			  ~(uintptr_t)(LARGE - 1));
	madvise(memory, bytes + LARGE,
		pages == CHASE_2M ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return memory;
}

int
chase_open(struct chase **out, size_t bytes, enum chase_pages pages,
	   uint64_t seed)
{
	struct chase *chase = calloc(1, sizeof(*chase));

	if (!chase)
		return -ENOMEM;
	chase->bytes = bytes;
	chase->seed = seed;
	chase->memory = map(bytes, pages, &chase->start);
	chase->order = calloc(bytes / LINE, sizeof(*chase->order));
	if (!chase->memory || !chase->order) {
		chase_close(chase);
		return -ENOMEM;
	}
	memset(chase->start, 1, bytes);
	if (pages == CHASE_2M && huge_bytes(chase->start) < bytes) {
		chase_close(chase);
		return -ENOTSUP;
	}
	*out = chase;
	return 0;
}

void
chase_close(struct chase *chase)
{
	if (!chase)
		return;
	if (chase->memory)
		munmap(chase->memory, chase->bytes + LARGE);
	free(chase->order);
	free(chase);
}

/* Where the i-th line of a shape is */
static char *
line_of(const struct chase *chase, const struct chase_shape *shape, size_t i)
{
	uint64_t seed = chase->seed ^ i * UINT64_C(0x2545f4914f6cdd1d);
	size_t lines = shape->step / LINE;

	return chase->start + i * shape->step +
	       (lines > 1 ? draw(&seed) % lines * LINE : 0);
}

/* A random cycle through lines [from, from + n) (Sattolo 1986) */
static void
link_lines(struct chase *chase, const struct chase_shape *shape, size_t from,
	   size_t n)
{
	uint32_t *order = chase->order;

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)(from + i);
	for (size_t i = n; i-- > 1;) {
		size_t k = draw(&chase->seed) % i;
		uint32_t swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	for (size_t i = 0; i < n; i++) {
		char *to = line_of(chase, shape, order[(i + 1) % n]);

		memcpy(line_of(chase, shape, order[i]), &to, sizeof(to));
	}
}

/* Each load's address is what the one before gave. */
static void *
follow(void *at, size_t loads)
{
	for (size_t i = 0; i < loads; i += LOADS)
		for (unsigned k = 0; k < LOADS; k++) {
			at = *(void *volatile *)at;
			__asm__ volatile("" : "+r"(at));
		}
	return at;
}

/* The same in chains side by side, of which none waits for another */
static void
follow_free(void *at[CHASE_LANES], size_t loads)
{
	for (size_t i = 0; i < loads; i += LOADS)
		for (unsigned k = 0; k < LOADS / CHASE_LANES; k++)
			for (unsigned lane = 0; lane < CHASE_LANES; lane++) {
				at[lane] = *(void *volatile *)at[lane];
				__asm__ volatile("" : "+r"(at[lane]));
			}
}

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static void
sum_up(double *ns, unsigned n, struct chase_time *time)
{
	qsort(ns, n, sizeof(*ns), compare);
	time->ns = ns[0];
	time->spread = ns[0] > 0 ? ns[n / 2] / ns[0] - 1 : 0;
}

struct lanes {
	void *at[CHASE_LANES];
	unsigned n;
};

static void
run(struct lanes *lanes, size_t loads)
{
	if (lanes->n > 1)
		follow_free(lanes->at, loads);
	else
		lanes->at[0] = follow(lanes->at[0], loads);
}

void
chase_run(struct chase *chase, const struct chase_shape *shape,
	  struct chase_time *time)
{
	unsigned times = shape->times < TIMES_MAX ? shape->times : TIMES_MAX;
	struct lanes lanes = { .n = shape->free ? CHASE_LANES : 1 };
	size_t part = shape->n / lanes.n, loads = 4096;
	struct chase_time before = *time;
	double ns[TIMES_MAX], start, took;

	for (unsigned i = 0; i < lanes.n; i++) {
		link_lines(chase, shape, i * part, part);
		lanes.at[i] = line_of(chase, shape, i * part);
	}
	/* Once around, so that all of it is where it can be */
	run(&lanes, (shape->n + LOADS - 1) / LOADS * LOADS);
	start = now_ns();
	run(&lanes, loads);
	took = now_ns() - start;
	if (took > 0)
		loads = (size_t)(shape->seconds * 1e9 / took * (double)loads);
	loads = (loads / LOADS + 1) * LOADS;
	for (unsigned i = 0; i < times; i++) {
		start = now_ns();
		run(&lanes, loads);
		ns[i] = (now_ns() - start) / (double)loads;
	}
	sum_up(ns, times, time);
	if (before.ns > 0 && before.ns < time->ns)
		*time = before;
}

/* One that waits for the one before */
#define ADD(x, k)                               \
	do {                                    \
		(x) += (k);                     \
		__asm__ volatile("" : "+r"(x)); \
	} while (0)

double
chase_clock(void)
{
	double best = 0;

	for (unsigned i = 0; i < 25; i++) {
		uint64_t x = i, n = 800000;
		double start = now_ns(), mhz;

		for (uint64_t k = 0; k < n; k += 8) {
			ADD(x, k);
			ADD(x, k);
			ADD(x, k);
			ADD(x, k);
			ADD(x, k);
			ADD(x, k);
			ADD(x, k);
			ADD(x, k);
		}
		mhz = (double)n / (now_ns() - start) * 1000;
		best = mhz > best ? mhz : best;
	}
	return best;
}

static double
fault_once(enum chase_pages pages, size_t bytes)
{
	size_t step = pages == CHASE_2M ? LARGE : 4096;
	size_t faults = bytes / step;
	char *start, *memory = map(bytes, pages, &start);
	double begin, ns;
	bool huge;

	if (!memory)
		return 0;
	begin = now_ns();
	for (size_t at = 0; at < bytes; at += step)
		((volatile char *)start)[at] = 1;
	ns = now_ns() - begin;
	huge = pages == CHASE_4K || huge_bytes(start) >= bytes;
	begin = now_ns();
	munmap(memory, bytes + LARGE);
	ns += now_ns() - begin;
	return huge ? ns / (double)faults : 0;
}

void
chase_faults(struct chase_faults *faults, enum chase_pages pages, size_t bytes)
{
	for (unsigned i = 0; i < CHASE_FAULTS; i++) {
		double ns = fault_once(pages, bytes);

		/* The first may be of memory that the host has to find. */
		if (i && ns > 0 && faults->n < CHASE_FAULTS_MAX)
			faults->ns[faults->n++] = ns;
	}
}

double
chase_faults_middle(struct chase_faults *faults, double *spread)
{
	double *ns = faults->ns;
	unsigned n = faults->n;

	if (!n)
		return 0;
	qsort(ns, n, sizeof(*ns), compare);
	if (spread)
		*spread = (ns[n - 1 - n / 4] - ns[n / 4]) / ns[n / 2];
	return ns[n / 2];
}
