/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of mapped files, each added to the stream once, with its build-id.
 */
#ifndef TRACERS_FILES_H
#define TRACERS_FILES_H

#include "analyzer/stream.h"
#include "tracers/page-cache.h"

struct files;

int files_open(struct files **out, struct stream *stream);
void files_close(struct files *files);

/*
 * The number of the file at this path, with this inode (0: whatever is there
 * now; a file that another one replaced has neither size nor build-id).
 * "[heap]" and the like are names only.  0, -ENOMEM, -ENOSPC (said).
 */
int files_number(struct files *files, const char *path, uint64_t inode,
		 uint32_t *number);

/*
 * What of a file's page cache is to be looked at when this range of it is mapped:
 * narrowed to what was not looked at before, which it is from now on.  false:
 * nothing, or it is no file.  path is borrowed.
 */
bool files_unseen(struct files *files, uint32_t number,
		  struct page_cache_range *range);

/*
 * The same of a file that a system call reads or writes, by its path: narrowed to
 * what was looked at before, which may be otherwise now.  false: nothing was.
 */
bool files_seen(const struct files *files, const char *path, uint32_t *number,
		struct page_cache_range *range);

#endif
