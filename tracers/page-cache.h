/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a file are in the page cache, and in folios of which sizes:
 * looked at through a mapping of our own, without reading anything in.
 */
#ifndef TRACERS_PAGE_CACHE_H
#define TRACERS_PAGE_CACHE_H

#include "analyzer/batch.h"

#define PAGE_CACHE_PAGES (UINT64_C(1) << 20) /* looked at, at most */

struct page_cache_range {
	const char *path;
	uint64_t inode;		 /* another file there is not looked at */
	uint64_t offset, length; /* bytes; whole pages are looked at */
};

/*
 * tell: called for each run, ascending, with an EVENT_CACHED that lacks only its
 * file; they cover the range up to the end of the file.  Sizes and marks are only
 * known where the kernel shows frames (root).  0; -errno (unsaid): it cannot be
 * looked at; -ENOMEM.
 */
int page_cache_look(const struct page_cache_range *range,
		    void (*tell)(void *context, const struct event *event),
		    void *context);

#endif
