// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that runs short of memory, for tests/reclaim-kernel.sh:
 *
 *	reclaim-target GROUP PATTERN PAGES N SEED
 *
 * joins the memory group, touches its pages once and then N times more, and
 * prints its major faults and the most pages that the group held.  It reads the
 * group's counters every 100 touches, without which a group under pressure is
 * killed.  Exits with 77 where it may not join.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096u
#define LOOK 100u

static uint64_t state;

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t
next_page(char pattern, uint64_t i, uint64_t pages)
{
	uint64_t hot = pages / 8;

	if (i < pages)
		return i;
	switch (pattern) {
	case 'l': /* loop */
		return i % pages;
	case 'u': /* uniform */
		return draw() % pages;
	default: /* hot and scan */
		return draw() % 10 < 8 ? draw() % hot
				       : hot + i / 5 % (pages - hot);
	}
}

static uint64_t
held(int stat)
{
	static char text[8192];
	ssize_t n = pread(stat, text, sizeof(text) - 1, 0);
	const char *line;

	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nrss ");
	return line ? strtoull(line + 5, NULL, 10) / PAGE : 0;
}

static int
open_in(const char *group, const char *name, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return open(path, flags | O_CLOEXEC);
}

int
main(int argc, char **argv)
{
	uint64_t pages = argc == 6 ? strtoull(argv[3], NULL, 10) : 0, most = 0;
	uint64_t n = argc == 6 ? strtoull(argv[4], NULL, 10) : 0;
	struct rusage before, after;
	int join, stat;
	char *arena;

	if (pages < 8)
		return 2;
	state = strtoull(argv[5], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	join = open_in(argv[1], "cgroup.procs", O_WRONLY);
	stat = open_in(argv[1], "memory.stat", O_RDONLY);
	if (join < 0 || stat < 0 || dprintf(join, "%d", getpid()) < 0)
		return 77;
	arena = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		return 1;
	madvise(arena, pages * PAGE, MADV_NOHUGEPAGE);
	getrusage(RUSAGE_SELF, &before);
	for (uint64_t i = 0; i < pages + n; i++) {
		uint64_t at = next_page(argv[2][0], i, pages) * PAGE;

		*(volatile uint64_t *)(void *)(arena + at) = i * 77 + 1;
		if (i % LOOK == 0 && i > pages && held(stat) > most)
			most = held(stat);
		else if (i % LOOK == 0)
			held(stat);
	}
	getrusage(RUSAGE_SELF, &after);
	printf("%ld %ju\n", after.ru_majflt - before.ru_majflt,
	       (uintmax_t)most);
	return 0;
}
