// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A known pattern of touched pages, for residency.sh.  Prints for each page of
 * its area what /proc/self/pagemap says ("ADDRESS FRAME", frame 0: hidden),
 * then waits for a line and goes on to the next stage.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREA   ((char *)0x20000000)
#define PAGE   4096
#define LARGE  (2 << 20)
#define PLAIN  256 /* pages, of which every fourth is touched */
#define LOCKED 32
#define PUNCH  16

static void
show(const char *stage)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char line[16];

	for (char *at = AREA; at < AREA + 8 * LARGE; at += PAGE) {
		uint64_t entry = 0;

		if (pread(fd, &entry, sizeof(entry),
			  (off_t)((uintptr_t)at / PAGE * sizeof(entry))) !=
		    sizeof(entry))
			break;
		if (entry >> 63)
			printf("%lx %llx\n", (unsigned long)(uintptr_t)at,
			       (unsigned long long)(entry &
						    ((1ULL << 55) - 1)) *
				       PAGE);
	}
	close(fd);
	printf("%s\n", stage);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		_exit(0);
}

static char *
map(char *at, size_t bytes, int flags)
{
	return mmap(at, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
}

int
main(void)
{
	char *plain = map(AREA, LARGE, 0);
	char *large = map(AREA + 2 * LARGE, 2 * LARGE, 0);
	char *populated = map(AREA + 5 * LARGE, 8 * PAGE, MAP_POPULATE);
	char *locked = map(AREA + 6 * LARGE, LOCKED * PAGE, 0);

	madvise(plain, LARGE, MADV_NOHUGEPAGE);
	madvise(populated, 8 * PAGE, MADV_NOHUGEPAGE);
	madvise(large, 2 * LARGE, MADV_HUGEPAGE);
	for (int i = 0; i < PLAIN; i += 4)
		plain[i * PAGE] = 1;
	memset(large, 1, 2 * LARGE);
	mlock(locked, LOCKED * PAGE);
	show("touched");
	madvise(plain, PUNCH * PAGE, MADV_DONTNEED);
	show("punched");
	return 0;
}
