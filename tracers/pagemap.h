/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a live process are resident, in which frames and sizes: one
 * look through /proc/PID/pagemap, PAGEMAP_SCAN (Linux 6.7) and
 * /proc/kpageflags, which changes nothing in the process.
 */
#ifndef TRACERS_PAGEMAP_H
#define TRACERS_PAGEMAP_H

#include "analyzer/batch.h"

#include <sys/types.h>

struct pagemap_run {
	uint64_t start, end;
	uint64_t frame; /* physical address of start; 0: hidden, or none */
	uint16_t flags; /* enum resident_flag */
	uint8_t shift;	/* of each page or folio in it */
};

struct pagemap_look {
	struct pagemap_run *run; /* owned, ascending */
	size_t n, room;
	uint64_t resident_bytes, large_bytes, folio_bytes, swapped_bytes;
};

struct pagemap;

/* 0 or -ENOMEM (said). */
int pagemap_open(struct pagemap **out);
void pagemap_close(struct pagemap *pagemap);

/* Known after the first look: frames are shown, folios are known, large pages
 * are (without PAGEMAP_SCAN they are not). */
bool pagemap_shows_frames(const struct pagemap *pagemap);
bool pagemap_shows_folios(const struct pagemap *pagemap);
bool pagemap_shows_large(const struct pagemap *pagemap);

/*
 * Replace what is in look.  0; -ESRCH or another errno (unsaid): there is no
 * such process any more, or it may not be looked at; -ENOMEM (said).
 */
int pagemap_take(struct pagemap *pagemap, pid_t pid, struct pagemap_look *look);
void pagemap_look_fini(struct pagemap_look *look);

#endif
