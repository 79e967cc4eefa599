// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tests/who.sh records: functions and data whose misses are known.  Each
 * page of an array is touched once, so that each touch is a miss, a walk and a
 * fault of that function on that array, and of the arrays nothing else.
 *
 *	who-target [pages of first] [pages of second] [pages of the heap]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define PAGE  4096u
#define PAGES 4096u

char first_array[PAGES * PAGE] __attribute__((aligned(4096)));
char second_array[PAGES * PAGE] __attribute__((aligned(4096)));

void touch_first(unsigned pages);
void touch_second(unsigned pages);
void touch_heap(char *from, unsigned pages);
char *make_block(unsigned pages);
char *make_other(unsigned pages);
void middle(unsigned pages);

__attribute__((noinline)) void
touch_first(unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		((volatile char *)first_array)[i * PAGE] = 1;
}

__attribute__((noinline)) void
touch_second(unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		((volatile char *)second_array)[i * PAGE] = 1;
}

__attribute__((noinline)) void
touch_heap(char *from, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		((volatile char *)from)[i * PAGE] = 1;
}

__attribute__((noinline)) char *
make_block(unsigned pages)
{
	char *block = malloc((size_t)pages * PAGE);

	__asm__ volatile("" ::: "memory");
	return block;
}

__attribute__((noinline)) char *
make_other(unsigned pages)
{
	char *block = malloc((size_t)pages * PAGE);

	__asm__ volatile("" ::: "memory");
	return block;
}

__attribute__((noinline)) void
middle(unsigned pages)
{
	touch_second(pages);
	__asm__ volatile("" ::: "memory");
}

static void *
thread_run(void *argument)
{
	touch_first((unsigned)(uintptr_t)argument);
	return NULL;
}

int
main(int argc, char **argv)
{
	unsigned first = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	unsigned second = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	unsigned heap = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	char *block = make_block(heap + 1), *other = make_other(2 * heap + 1);
	pthread_t thread;

	/* page-aligned, so that so many touches are so many pages */
	block += -(uintptr_t)block % PAGE;
	other += -(uintptr_t)other % PAGE;
	if (pthread_create(&thread, NULL, thread_run, (void *)(uintptr_t)first))
		return 1;
	pthread_join(thread, NULL);
	middle(second);
	touch_heap(block, heap);
	touch_heap(other, 2 * heap);
	return 0;
}
