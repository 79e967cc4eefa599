// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A seeded program that uses memory in all ways whose counts the kernel tells:
 * maps, touches, protects, advises, moves, locks, unmaps and forks, in places
 * that the kernel chooses.
 *
 *	validate-target SEED OPERATIONS [fork]
 *	validate-target SEED OPERATIONS swap|drive [CHILDREN]   and sends pages to
 *	swap; drive: private memory is written only, as what is read and not written
 *	is still in swap, which no fault tells
 *	validate-target SEED PAGES merge     equal pages, until KSM has been round
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096ul
#define AREAS 24
#define PAGES 600ul

struct area {
	char *start;
	size_t pages;
	int shared;
	int read; /* of swap: never written */
};

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static uint64_t state;
static int swaps;

/* xorshift64* */
static unsigned long
draw(unsigned long n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned long)(state * 0x2545f4914f6cdd1dull >> 33) % n;
}

static void
create(struct area *area)
{
	size_t pages = 1 + draw(PAGES);
	int shared = draw(4) == 0;
	void *start = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE) |
				   (draw(8) || swaps ? 0 : MAP_POPULATE),
			   -1, 0);

	if (start == MAP_FAILED)
		return;
	/* Small pages, whatever the host's policy comes to meanwhile */
	if (swaps)
		madvise(start, pages * PAGE, MADV_NOHUGEPAGE);
	*area = (struct area){ start, pages, shared, swaps && draw(4) == 0 };
}

static void
touch(const struct area *area)
{
	size_t n = 1 + draw(area->pages), stride = 1 + draw(5);
	int write = draw(3) > 0;

	/* What shared memory holds is known by its first touch alone. */
	if (swaps && area->shared)
		write = !area->read;
	else if (swaps > 1)
		write = 1;

	for (size_t i = 0; i < n; i++) {
		volatile char *byte =
			area->start + i * stride % area->pages * PAGE;

		if (write)
			*byte = 1;
		else
			(void)*byte;
	}
}

static void
move(struct area *area)
{
	size_t pages = 1 + draw(2 * area->pages);
	void *start;

	/* Beyond the end of shared memory there is nothing. */
	if (area->shared)
		return;
	start = mremap(area->start, area->pages * PAGE, pages * PAGE,
		       MREMAP_MAYMOVE);
	if (start != MAP_FAILED)
		*area = (struct area){ start, pages, area->shared, area->read };
}

/* Out to swap, or back ahead of need */
static void
swap(char *at, size_t bytes)
{
	madvise(at, bytes, draw(4) ? MADV_PAGEOUT : MADV_WILLNEED);
}

static void
change(struct area *area)
{
	size_t first = draw(area->pages);
	size_t bytes = (1 + draw(area->pages - first)) * PAGE;
	char *at = area->start + first * PAGE;

	if (swaps && draw(2)) {
		swap(at, bytes);
		return;
	}
	switch (draw(7)) {
	case 0:
		madvise(at, bytes, MADV_DONTNEED);
		break;
	case 1:
		/* mprotect, and back: what is written next faults or not */
		mprotect(at, bytes, PROT_READ);
		mprotect(at, bytes, PROT_READ | PROT_WRITE);
		break;
	case 2:
		mlock(at, bytes < 64 * PAGE ? bytes : 64 * PAGE);
		break;
	case 3:
		munlock(at, bytes);
		break;
	case 4:
		munmap(area->start, area->pages * PAGE);
		area->start = NULL;
		break;
	default:
		move(area);
	}
}

static void
work(unsigned long operations)
{
	static struct area area[AREAS];

	while (operations--) {
		struct area *one = &area[draw(AREAS)];

		if (!one->start)
			create(one);
		else if (draw(3))
			touch(one);
		else
			change(one);
	}
}

static unsigned long
rounds(void)
{
	char text[32] = "";
	int fd = open("/sys/kernel/mm/ksm/full_scans", O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtoul(text, NULL, 10);
}

/* Five rounds, and a second for whoever looks at the contents at intervals; ten
 * seconds at most */
static int
merge(size_t pages)
{
	unsigned *word = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	unsigned long before = rounds();

	if (word == MAP_FAILED ||
	    madvise(word, pages * PAGE, MADV_MERGEABLE) != 0)
		return 1;
	for (size_t i = 0; i < pages; i++)
		word[i * PAGE / sizeof(*word)] =
			(unsigned)(1 + draw(1 + pages / 4));
	for (int i = 0; i < 1000 && (i < 100 || rounds() < before + 5); i++)
		usleep(10000);
	return 0;
}

/* Children one after the other, so that what each shares does not depend on time */
static int
family(unsigned long operations, unsigned long children)
{
	int status = 0, failed = 0;

	work(operations);
	while (children--) {
		if (fork() == 0) {
			work(operations);
			_exit(0);
		}
		wait(&status);
		failed |= status;
		work(operations / 2);
	}
	return failed != 0;
}

int
main(int argc, char **argv)
{
	unsigned long operations;
	int status = 0;

	if (argc < 3)
		return 2;
	state = strtoull(argv[1], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
	operations = strtoul(argv[2], NULL, 10);
	if (argc > 3 && strcmp(argv[3], "merge") == 0)
		return merge(operations);
	swaps = argc < 4			? 0
		: strcmp(argv[3], "drive") == 0 ? 2
						: strcmp(argv[3], "swap") == 0;
	if (swaps)
		return family(operations,
			      argc > 4 ? strtoul(argv[4], NULL, 10) : 2);
	work(operations);
	if (argc > 3 && fork() == 0) {
		work(operations);
		_exit(0);
	}
	if (argc > 3)
		wait(&status);
	work(operations / 2);
	return status != 0;
}
