// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/wide.h"
#include "analyzer/base.h"

#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void
wide_touch(void *room, size_t bytes)
{
	madvise(room, bytes, MADV_POPULATE_WRITE);
}

void *
wide_open(size_t bytes)
{
	void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	if (bytes < LARGE_PAGE)
		wide_touch(room, bytes);
	else
		madvise(room, bytes, MADV_HUGEPAGE);
	return room;
}

void
wide_close(void *room, size_t bytes)
{
	if (room)
		munmap(room, bytes);
}
