// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	mappings -> regions that have pages (PAGEMAP_SCAN, which skips what is
 *	empty and knows PMD entries) -> frames (pagemap) -> folios (kpageflags)
 *
 * Definitions of the kernel's are our own: headers may be older.
 */
#include "tracers/pagemap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/maps.h"

#define PAGE  UINT64_C(4096)
#define LARGE (UINT64_C(1) << 21)

/* linux/fs.h, since 6.7 */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages,
		category_inverted, category_mask, category_anyof_mask,
		return_mask;
};

#define SCAN	     _IOWR('f', 16, struct scan_argument)
#define SCAN_FILE    (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_ZERO    (UINT64_C(1) << 5)
#define SCAN_HUGE    (UINT64_C(1) << 6)
#define SCAN_REGIONS 512

/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_FRAME	((UINT64_C(1) << 55) - 1)
#define ENTRY_EXCLUSIVE (UINT64_C(1) << 56)
#define ENTRY_FILE	(UINT64_C(1) << 61)
#define ENTRY_SWAPPED	(UINT64_C(1) << 62)
#define ENTRY_PRESENT	(UINT64_C(1) << 63)
#define KPAGE_DIRTY	(UINT64_C(1) << 4)
#define KPAGE_HEAD	(UINT64_C(1) << 15)
#define KPAGE_TAIL	(UINT64_C(1) << 16)
#define KPAGE_KSM	(UINT64_C(1) << 21)
#define KPAGE_ZERO	(UINT64_C(1) << 24)

#define WINDOW 8192 /* entries read at a time: a multiple of 512 */

struct area {
	uint64_t start, end;
	unsigned large_shift; /* hugetlb: of its pages; else 0 */
};

struct pagemap {
	struct area *area; /* owned */
	size_t n, room;
	int fd;	      /* of the process that is looked at */
	int kpages;   /* /proc/kpageflags, or -1 */
	bool no_scan; /* the kernel has none */
	bool frames;
	struct pagemap_look *look;
	struct scan_region region[SCAN_REGIONS];
	uint64_t entry[WINDOW], kpage[WINDOW];
};

int
pagemap_open(struct pagemap **out)
{
	struct pagemap *pagemap = calloc(1, sizeof(*pagemap));

	if (!pagemap)
		return fail(ENOMEM, "residency: no memory");
	pagemap->fd = -1;
	pagemap->kpages = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	*out = pagemap;
	return 0;
}

void
pagemap_close(struct pagemap *pagemap)
{
	if (!pagemap)
		return;
	if (pagemap->kpages >= 0)
		close(pagemap->kpages);
	free(pagemap->area);
	free(pagemap);
}

bool
pagemap_shows_frames(const struct pagemap *pagemap)
{
	return pagemap->frames;
}

bool
pagemap_shows_folios(const struct pagemap *pagemap)
{
	return pagemap->frames && pagemap->kpages >= 0;
}

bool
pagemap_shows_large(const struct pagemap *pagemap)
{
	return !pagemap->no_scan;
}

void
pagemap_look_fini(struct pagemap_look *look)
{
	free(look->run);
	*look = (struct pagemap_look){ 0 };
}

static bool
follows(const struct pagemap_run *last, const struct pagemap_run *run)
{
	bool frames = last->frame ? last->frame + (last->end - last->start) ==
					    run->frame
				  : !run->frame;

	return last->end == run->start && last->flags == run->flags &&
	       last->shift == run->shift && frames;
}

static int
run_add(struct pagemap_look *look, const struct pagemap_run *run)
{
	uint64_t bytes = run->end - run->start;
	struct pagemap_run *all = look->run;

	if (run->flags & RESIDENT_SWAPPED)
		look->swapped_bytes += bytes;
	else
		look->resident_bytes += bytes;
	if (run->flags & RESIDENT_LARGE)
		look->large_bytes += bytes;
	if (run->flags & RESIDENT_FOLIO)
		look->folio_bytes += bytes;
	if (look->n && follows(&all[look->n - 1], run)) {
		all[look->n - 1].end = run->end;
		return 0;
	}
	if (look->n == look->room) {
		size_t room = 2 * look->room + 256;

		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "residency: no memory");
		look->run = all;
		look->room = room;
	}
	all[look->n++] = *run;
	return 0;
}

/* Mapped files of hugetlbfs have these names. */
static bool
may_be_hugetlb(const struct mapping_line *line)
{
	return strstr(line->path, "huge") != NULL;
}

static int
area_add(void *context, const struct mapping_line *line)
{
	struct pagemap *pagemap = context;
	size_t room = 2 * pagemap->room + 64;
	struct area *all = pagemap->area;

	if (line->start >> 47 || strstr(line->path, "/memfd:pagescope") ||
	    !strncmp(line->path, "[vvar", 5))
		return 0;
	if (pagemap->n == pagemap->room) {
		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "residency: no memory");
		pagemap->area = all;
		pagemap->room = room;
	}
	all[pagemap->n++] = (struct area){ line->start, line->end,
					   may_be_hugetlb(line) ? 21 : 0 };
	return 0;
}

/* The size of hugetlb pages stands in smaps alone. */
static void
find_hugetlb(struct pagemap *pagemap, pid_t pid)
{
	char path[48], text[512];
	struct area *area = NULL;
	size_t i = 0;
	FILE *file;

	while (i < pagemap->n && !pagemap->area[i].large_shift)
		i++;
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	file = i < pagemap->n ? fopen(path, "re") : NULL;
	if (!file)
		return;
	while (fgets(text, sizeof(text), file)) {
		unsigned long long start, end, size;

		if (sscanf(text, "%llx-%llx ", &start, &end) == 2) {
			area = NULL;
			for (i = 0; i < pagemap->n; i++)
				if (pagemap->area[i].start == start)
					area = &pagemap->area[i];
		} else if (area && sscanf(text, "KernelPageSize: %llu kB",
					  &size) == 1) {
			area->large_shift = size == 4	      ? 0
					    : size == 1048576 ? 30
							      : 21;
		}
	}
	fclose(file);
}

/* Pages [i, n) of one folio in kpage[]: 0 if its head is not the first. */
static unsigned
folio_pages(const uint64_t *kpage, unsigned n)
{
	unsigned pages = 1;

	if (!(kpage[0] & KPAGE_HEAD))
		return 0;
	while (pages < n && kpage[pages] & KPAGE_TAIL)
		pages++;
	return pages & (pages - 1) ? 0 : pages;
}

static uint16_t
kpage_flags(uint64_t kpage)
{
	return (kpage & KPAGE_DIRTY ? RESIDENT_DIRTY : 0) |
	       (kpage & KPAGE_KSM ? RESIDENT_KSM : 0);
}

/* A run of neighbouring frames by what kpageflags says of them. */
static int
add_frames(struct pagemap *pagemap, const struct pagemap_run *whole)
{
	unsigned n = (unsigned)((whole->end - whole->start) / PAGE);
	uint64_t *kpage = pagemap->kpage;
	int error = 0;

	if (!whole->frame || whole->flags & RESIDENT_LARGE ||
	    pagemap->kpages < 0 ||
	    pread(pagemap->kpages, kpage, n * sizeof(*kpage),
		  (off_t)(whole->frame / PAGE * sizeof(*kpage))) !=
		    (ssize_t)(n * sizeof(*kpage)))
		return run_add(pagemap->look, whole);
	for (unsigned i = 0, pages; i < n && !error; i += pages) {
		struct pagemap_run run = *whole;

		pages = folio_pages(kpage + i, n - i);
		run.start += i * PAGE;
		run.frame += i * PAGE;
		run.flags |= kpage_flags(kpage[i]);
		if (pages > 1 && run.start / PAGE % pages == 0) {
			run.flags |= RESIDENT_FOLIO;
			run.shift = (uint8_t)(12 + __builtin_ctz(pages));
		} else {
			pages = 1;
		}
		run.end = run.start + pages * PAGE;
		error = run_add(pagemap->look, &run);
	}
	return error;
}

static uint16_t
flags_of(uint64_t entry, uint64_t categories)
{
	if (!(entry & ENTRY_PRESENT))
		return RESIDENT_SWAPPED;
	return (entry & ENTRY_FILE ? RESIDENT_FILE : 0) |
	       (categories & SCAN_ZERO ? RESIDENT_ZERO : 0) |
	       (categories & SCAN_HUGE ? RESIDENT_LARGE : 0) |
	       (entry & ENTRY_EXCLUSIVE || categories & SCAN_ZERO
			? 0
			: RESIDENT_SHARED);
}

/* The n entries in entry[], from this address on. */
static int
add_entries(struct pagemap *pagemap, uint64_t start, unsigned n,
	    uint64_t categories, unsigned large_shift)
{
	struct pagemap_run run = { 0 };
	int error = 0;

	for (unsigned i = 0; i <= n && !error; i++) {
		uint64_t entry = i < n ? pagemap->entry[i] : 0;
		struct pagemap_run next = {
			.start = start + i * PAGE,
			.end = start + i * PAGE + PAGE,
			.flags = flags_of(entry, categories),
			.shift = 12,
		};

		if (next.flags & RESIDENT_LARGE)
			next.shift = (uint8_t)(large_shift ? large_shift : 21);
		if (entry & ENTRY_PRESENT && !(next.flags & RESIDENT_ZERO))
			next.frame = (entry & ENTRY_FRAME) * PAGE;
		pagemap->frames |= next.frame != 0;
		if (run.end && i < n &&
		    entry & (ENTRY_PRESENT | ENTRY_SWAPPED) &&
		    follows(&run, &next)) {
			run.end = next.end;
			continue;
		}
		if (run.end)
			error = add_frames(pagemap, &run);
		if (!(entry & (ENTRY_PRESENT | ENTRY_SWAPPED)))
			next.end = 0;
		run = next;
	}
	return error;
}

/* Pages that come or go meanwhile may differ from what the scan said. */
static int
add_region(struct pagemap *pagemap, const struct scan_region *region,
	   unsigned large_shift)
{
	int error = 0;

	for (uint64_t at = region->start; at < region->end && !error;) {
		/* Windows end at 2M boundaries: large pages stay whole */
		uint64_t window =
			(at | (LARGE - 1)) + 1 + (WINDOW - 512) * PAGE;
		uint64_t end = window < region->end ? window : region->end;
		unsigned n = (unsigned)((end - at) / PAGE);
		ssize_t got =
			pread(pagemap->fd, pagemap->entry, n * sizeof(uint64_t),
			      (off_t)(at / PAGE * sizeof(uint64_t)));

		if (got < (ssize_t)sizeof(uint64_t))
			return got < 0 ? -errno : -ESRCH;
		n = (unsigned)((size_t)got / sizeof(uint64_t));
		error = add_entries(pagemap, at, n, region->categories,
				    large_shift);
		at += n * PAGE;
	}
	return error;
}

static int
look_area(struct pagemap *pagemap, const struct area *area)
{
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = area->start,
		.end = area->end,
		.vec = (uintptr_t)pagemap->region,
		.vec_len = SCAN_REGIONS,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_FILE |
			       SCAN_ZERO | SCAN_HUGE,
	};
	const struct scan_region whole = { area->start, area->end, 0 };
	int error = 0;

	while (argument.start < area->end && !error) {
		int n = pagemap->no_scan ? -1
					 : ioctl(pagemap->fd, SCAN, &argument);

		if (n < 0 && !pagemap->no_scan && errno != ENOTTY &&
		    errno != EINVAL)
			return -errno;
		if (n < 0) {
			pagemap->no_scan = true;
			return add_region(pagemap, &whole, area->large_shift);
		}
		for (int i = 0; i < n && !error; i++)
			error = add_region(pagemap, &pagemap->region[i],
					   area->large_shift);
		argument.start = argument.walk_end;
	}
	return error;
}

int
pagemap_take(struct pagemap *pagemap, pid_t pid, struct pagemap_look *look)
{
	char path[48];
	int error;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	pagemap->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap->fd < 0)
		return -errno;
	look->n = 0;
	look->resident_bytes = look->large_bytes = look->folio_bytes =
		look->swapped_bytes = 0;
	pagemap->look = look;
	pagemap->n = 0;
	error = maps_each(pid, area_add, pagemap);
	if (!error)
		find_hugetlb(pagemap, pid);
	for (size_t i = 0; i < pagemap->n && !error; i++)
		error = look_area(pagemap, &pagemap->area[i]);
	close(pagemap->fd);
	pagemap->fd = -1;
	return error;
}
