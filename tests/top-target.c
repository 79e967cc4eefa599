// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tests/top.sh looks at:
 *
 *	top-target HUGE SMALL HOT
 *
 * touches so many MiB in huge pages, as many as SMALL says in small ones, says
 * "ready", and then touches the first HOT MiB of these again and again, until its
 * standard input ends.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB (1UL << 20)

static char *
map(size_t bytes, int advice)
{
	char *at = mmap(NULL, bytes + 2 * MIB, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	at += -(uintptr_t)at & (2 * MIB - 1);
	madvise(at, bytes, advice);
	memset(at, 1, bytes);
	return at;
}

int
main(int argc, char **argv)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	volatile char *small;
	size_t hot;

	if (argc != 4)
		return 2;
	map(strtoul(argv[1], NULL, 10) * MIB, MADV_HUGEPAGE);
	small = map(strtoul(argv[2], NULL, 10) * MIB, MADV_NOHUGEPAGE);
	hot = strtoul(argv[3], NULL, 10) * MIB;
	puts("ready");
	fflush(stdout);
	while (poll(&input, 1, 20) == 0)
		for (size_t i = 0; i < hot; i += 4096)
			small[i]++;
	return 0;
}
