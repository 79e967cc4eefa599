// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/wide.h"
#include "analyzer/base.h"

#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

#define SOME_BYTES ((size_t)64 << 10)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

void
wide_touch(void *room, size_t bytes)
{
	madvise(room, bytes, MADV_POPULATE_WRITE);
}

/* What was never touched is no page yet, and can't become a part of one */
static bool
make_large(char *at)
{
	*(volatile char *)at = *(volatile char *)at;
	return !madvise(at, LARGE_PAGE, MADV_COLLAPSE);
}

size_t
wide_shared_up(void *at, size_t room)
{
	size_t bytes = room < SOME_BYTES ? room : SOME_BYTES;

	if (!((uintptr_t)at % LARGE_PAGE) && room >= LARGE_PAGE &&
	    make_large(at))
		return LARGE_PAGE;
	wide_touch(at, bytes);
	return bytes;
}

size_t
wide_shared_down(void *end, size_t room)
{
	size_t bytes = room < SOME_BYTES ? room : SOME_BYTES;

	if (!((uintptr_t)end % LARGE_PAGE) && room >= LARGE_PAGE &&
	    make_large((char *)end - LARGE_PAGE))
		return LARGE_PAGE;
	wide_touch((char *)end - bytes, bytes);
	return bytes;
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
