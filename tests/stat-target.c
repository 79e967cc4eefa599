// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tests/stat.sh counts:
 *
 *	stat-target [wait] THREADS PAGES
 *
 * starts so many threads, of which the k-th touches k x PAGES new pages, and
 * prints "TID FAULTS" of each, as the kernel counted them (RUSAGE_THREAD).
 * wait: says "ready", and begins with the next line of standard input.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE	    4096UL
#define THREADS_MAX 64

static unsigned long pages;
static long faults[THREADS_MAX + 1];
static int tid[THREADS_MAX + 1];

static void *
touch(void *argument)
{
	uintptr_t k = (uintptr_t)argument;
	struct rusage usage;
	size_t bytes = k * pages * PAGE;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tid[k] = gettid();
	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < bytes; i += PAGE)
		*(volatile char *)(memory + i) = 1;
	getrusage(RUSAGE_THREAD, &usage);
	faults[k] = usage.ru_minflt + usage.ru_majflt;
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t thread[THREADS_MAX + 1];
	int wait = argc > 1 && !strcmp(argv[1], "wait");
	unsigned long n;

	if (argc != 3 + wait)
		return 2;
	n = strtoul(argv[1 + wait], NULL, 10);
	pages = strtoul(argv[2 + wait], NULL, 10);
	if (n > THREADS_MAX)
		return 2;
	if (wait) {
		puts("ready");
		fflush(stdout);
		if (getchar() == EOF)
			return 1;
	}
	for (uintptr_t k = 1; k <= n; k++)
		if (pthread_create(&thread[k], NULL, touch, (void *)k))
			return 1;
	for (unsigned long k = 1; k <= n; k++)
		pthread_join(thread[k], NULL);
	for (unsigned long k = 1; k <= n; k++)
		printf("%d %ld\n", tid[k], faults[k]);
	return 0;
}
