// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tests/who.sh records: functions and data whose misses are known.  Each
 * page of an array is touched once, so that each touch is a miss, a walk and a
 * fault of that function on that array, and of the arrays nothing else.
 *
 *	who-target [pages of first] [pages of second] [pages of the heap]
 *		[pages of each other kind of allocation, and of a child's array]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 4096u

char first_array[PAGES * PAGE] __attribute__((aligned(4096)));
char second_array[PAGES * PAGE] __attribute__((aligned(4096)));
char third_array[PAGES * PAGE] __attribute__((aligned(4096)));

void touch_first(unsigned pages);
void touch_second(unsigned pages);
void touch_heap(char *from, unsigned pages);
char *make_block(unsigned pages);
char *make_other(unsigned pages);
void middle(unsigned pages);
char *make_zeroed(unsigned pages);
char *make_larger(unsigned pages);
char *make_aligned(unsigned pages);
void touch_third(unsigned pages);
void in_child(unsigned pages);

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

__attribute__((noinline)) char *
make_zeroed(unsigned pages)
{
	char *block = calloc(pages, PAGE);

	__asm__ volatile("" ::: "memory");
	return block;
}

__attribute__((noinline)) char *
make_larger(unsigned pages)
{
	char *block = malloc(100), *larger = realloc(block, pages * PAGE);

	__asm__ volatile("" ::: "memory");
	return larger;
}

__attribute__((noinline)) char *
make_aligned(unsigned pages)
{
	void *block = NULL;

	if (posix_memalign(&block, PAGE, (size_t)pages * PAGE))
		return NULL;
	return block;
}

__attribute__((noinline)) void
touch_third(unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		((volatile char *)third_array)[i * PAGE] = 1;
}

__attribute__((noinline)) void
in_child(unsigned pages)
{
	touch_third(pages);
	__asm__ volatile("" ::: "memory");
}

/* Each page of a block that begins in a page; one more was asked for. */
static void
touch_block(char *block, unsigned pages)
{
	touch_heap(block + (-(uintptr_t)block % PAGE), pages);
}

static void
other_kinds(unsigned pages)
{
	pid_t child;

	touch_block(make_zeroed(pages + 1), pages);
	touch_block(make_larger(pages + 1), pages);
	touch_block(make_aligned(pages), pages);
	child = fork();
	if (!child) {
		in_child(pages);
		_exit(0);
	}
	waitpid(child, NULL, 0);
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
	if (argc > 4)
		other_kinds((unsigned)atoi(argv[4]));
	return 0;
}
