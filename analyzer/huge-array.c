// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/huge-array.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)

void *
huge_array(size_t n, size_t bytes)
{
	size_t all;
	void *array;

	if (__builtin_mul_overflow(n, bytes, &all))
		return NULL;
	if (all < HUGE)
		return calloc(n, bytes);
	if (posix_memalign(&array, HUGE, all))
		return NULL;
	(void)madvise(array, all, MADV_HUGEPAGE);
	return memset(array, 0, all);
}

int
huge_array_grow(void *array, size_t from, size_t to, size_t bytes)
{
	void *old, *next = huge_array(to, bytes);

	if (!next)
		return -ENOMEM;
	/* of any type of pointer */
	memcpy(&old, array, sizeof(old));
	if (old)
		memcpy(next, old, from * bytes);
	free(old);
	memcpy(array, &next, sizeof(next));
	return 0;
}
