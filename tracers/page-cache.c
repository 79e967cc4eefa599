// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	mincore -> cached runs -> mapped here (MADV_POPULATE_READ) -> frames
 *	(pagemap) -> heads, tails, marks of read-ahead (kpageflags)
 *
 * The mapping has MADV_RANDOM, so that mapping a marked page neither takes its
 * mark away nor reads ahead (mm/filemap.c, do_async_mmap_readahead).
 */
#include "tracers/page-cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGE   UINT64_C(4096)
#define WINDOW 512u /* pages looked at in one go */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_FRAME   ((UINT64_C(1) << 55) - 1)
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define KPAGE_RECLAIM (UINT64_C(1) << 9) /* of clean pages: read-ahead's mark */
#define KPAGE_HEAD    (UINT64_C(1) << 15)
#define KPAGE_TAIL    (UINT64_C(1) << 16)

struct look {
	uint8_t *at;	     /* the mapping */
	uint64_t first, n;   /* pages: of the file, mapped */
	int pagemap, kpages; /* -1: cannot be had */
	struct event run;
	void (*tell)(void *context, const struct event *event);
	void *context;
	unsigned char cached[WINDOW];
	uint64_t entry[WINDOW];
};

/* Kinds by the magic numbers that statfs gives (linux/magic.h). */
static const struct kind {
	long type;
	uint16_t flags;
	int major, minor; /* the first Linux with these flags */
} kinds[] = {
	{ 0x01021994, CACHED_MEMORY, 0, 0 },  /* tmpfs */
	{ 0x858458f6, CACHED_MEMORY, 0, 0 },  /* ramfs */
	{ 0x958458f6, CACHED_MEMORY, 0, 0 },  /* hugetlbfs */
	{ 0x0000ef53, CACHED_FOLIOS, 6, 16 }, /* ext4 */
	{ 0x58465342, CACHED_FOLIOS, 5, 18 }, /* xfs */
	{ 0xe0f5e1e2, CACHED_FOLIOS, 6, 2 },  /* erofs */
};

static uint16_t
kind_of(int fd)
{
	struct utsname system;
	struct statfs about;
	int major = 0, minor = 0;

	if (fstatfs(fd, &about))
		return 0;
	if (!uname(&system))
		sscanf(system.release, "%d.%d", &major, &minor);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == (long)about.f_type &&
		    (major > kinds[i].major ||
		     (major == kinds[i].major && minor >= kinds[i].minor)))
			return kinds[i].flags;
	return 0;
}

/* How far the device is read ahead, in bytes; false: it does not say. */
static bool
read_ahead(dev_t device, uint64_t *bytes)
{
	static const char *const places[] = {
		"/sys/dev/block/%u:%u/queue/read_ahead_kb",
		"/sys/dev/block/%u:%u/../queue/read_ahead_kb",
		"/sys/class/bdi/%u:%u/read_ahead_kb",
	};
	char path[96];
	unsigned long long kib;
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(places) && !known; i++) {
		FILE *file;

		snprintf(path, sizeof(path), places[i], major(device),
			 minor(device));
		file = fopen(path, "re");
		known = file && fscanf(file, "%llu", &kib) == 1;
		if (file)
			fclose(file);
	}
	*bytes = known ? kib << 10 : 0;
	return known;
}

static void
run_end(struct look *look)
{
	if (look->run.length)
		look->tell(look->context, &look->run);
	look->run.length = 0;
}

/* The next n pages are so; a mark stands alone. */
static void
run_add(struct look *look, uint64_t page, uint64_t n, unsigned shift, bool mark)
{
	struct event *run = &look->run;
	uint16_t flags = (uint16_t)((run->flags & ~CACHED_MARK) |
				    (mark ? CACHED_MARK : 0));

	if (run->length && run->value == shift && run->flags == flags &&
	    !mark) {
		run->length += n * PAGE;
		return;
	}
	run_end(look);
	run->flags = flags;
	run->value = shift;
	run->offset = page * PAGE;
	run->length = n * PAGE;
}

/* Pages of the folio of which page i is one: from i to its end. */
static unsigned
folio_rest(const struct look *look, unsigned i, unsigned n, unsigned *shift,
	   bool *mark)
{
	uint64_t entry = look->entry[i], frame = entry & ENTRY_FRAME;
	uint64_t flags[1024];
	unsigned before = 0, after = 1;
	uint64_t from = frame > 511 ? frame - 511 : 0;
	ssize_t got;

	*shift = 12;
	*mark = false;
	if (!(entry & ENTRY_PRESENT) || !frame || look->kpages < 0 ||
	    pread(look->kpages, flags, sizeof(*flags),
		  (off_t)(frame * sizeof(*flags))) != sizeof(*flags))
		return 1;
	*mark = flags[0] & KPAGE_RECLAIM;
	/* Alone, as most are: each word that is read costs some 50 ns. */
	if (!(flags[0] & (KPAGE_HEAD | KPAGE_TAIL)))
		return 1;
	got = pread(look->kpages, flags, sizeof(flags),
		    (off_t)(from * sizeof(*flags)));
	if (got < (ssize_t)((frame - from + 1) * sizeof(*flags)))
		return 1;
	while (frame - before > from &&
	       flags[frame - from - before] & KPAGE_TAIL)
		before++;
	if (!(flags[frame - from - before] & KPAGE_HEAD))
		return 1;
	while (frame - from + after < (uint64_t)got / sizeof(*flags) &&
	       flags[frame - from + after] & KPAGE_TAIL)
		after++;
	*shift = 12 + (unsigned)__builtin_ctz(before + after);
	return after < n - i ? after : n - i;
}

/* The n cached pages from page `at` of the window on. */
static void
look_cached(struct look *look, uint64_t window, unsigned at, unsigned n)
{
	uint8_t *address = look->at + (window + at) * PAGE;
	unsigned step, shift;
	bool mark;

	memset(look->entry, 0, n * sizeof(*look->entry));
	if (look->kpages >= 0 &&
	    !madvise(address, n * PAGE, MADV_POPULATE_READ) &&
	    pread(look->pagemap, look->entry, n * sizeof(*look->entry),
		  (off_t)((uintptr_t)address / PAGE * sizeof(*look->entry))) !=
		    (ssize_t)(n * sizeof(*look->entry)))
		memset(look->entry, 0, n * sizeof(*look->entry));
	for (unsigned i = 0; i < n; i += step) {
		step = folio_rest(look, i, n, &shift, &mark);
		run_add(look, look->first + window + at + i, step, shift, mark);
	}
}

static int
look_window(struct look *look, uint64_t window)
{
	uint64_t left = look->n - window;
	unsigned n = left < WINDOW ? (unsigned)left : WINDOW, end;

	if (mincore(look->at + window * PAGE, n * PAGE, look->cached))
		return -errno;
	for (unsigned i = 0; i < n; i = end) {
		bool cached = look->cached[i] & 1;

		for (end = i + 1; end < n; end++)
			if ((look->cached[end] & 1) != cached)
				break;
		if (cached)
			look_cached(look, window, i, end - i);
		else
			run_add(look, look->first + window + i, end - i, 0,
				false);
	}
	return 0;
}

static int
look_through(struct look *look, int fd)
{
	int error = 0;

	look->at = mmap(NULL, look->n * PAGE, PROT_READ, MAP_SHARED, fd,
			(off_t)(look->first * PAGE));
	if (look->at == MAP_FAILED)
		return -errno;
	if (madvise(look->at, look->n * PAGE, MADV_RANDOM))
		look->kpages = -1;
	for (uint64_t at = 0; at < look->n && !error; at += WINDOW)
		error = look_window(look, at);
	run_end(look);
	munmap(look->at, look->n * PAGE);
	return error;
}

/* The pages of the range that the file has. */
static bool
clip(struct look *look, const struct page_cache_range *range, uint64_t bytes)
{
	uint64_t pages = (bytes + PAGE - 1) / PAGE;
	uint64_t end = (range->offset + range->length + PAGE - 1) / PAGE;

	look->first = range->offset / PAGE;
	end = end < pages ? end : pages;
	look->n = end > look->first ? end - look->first : 0;
	if (look->n > PAGE_CACHE_PAGES)
		look->n = PAGE_CACHE_PAGES;
	return look->n;
}

int
page_cache_look(const struct page_cache_range *range,
		void (*tell)(void *context, const struct event *event),
		void *context)
{
	struct look *look;
	struct stat about;
	uint64_t ahead;
	int fd, error = 0;

	fd = open(range->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	look = calloc(1, sizeof(*look));
	if (!look || fstat(fd, &about))
		error = look ? -errno : -ENOMEM;
	else if (!S_ISREG(about.st_mode) ||
		 (range->inode && about.st_ino != range->inode))
		error = -ESTALE;
	if (error)
		goto close;
	look->tell = tell;
	look->context = context;
	look->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	look->kpages = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	look->run =
		(struct event){ .type = EVENT_CACHED, .flags = kind_of(fd) };
	if (read_ahead(about.st_dev, &ahead)) {
		look->run.flags |= CACHED_AHEAD;
		look->run.extra = ahead;
	}
	if (clip(look, range, (uint64_t)about.st_size))
		error = look_through(look, fd);
	if (look->pagemap >= 0)
		close(look->pagemap);
	if (look->kpages >= 0)
		close(look->kpages);
close:
	free(look);
	close(fd);
	return error;
}
