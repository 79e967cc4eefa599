/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page cache of one file: which of its pages are in memory, in folios of
 * which sizes, and how reading ahead goes on (mm/readahead.c).  It knows neither
 * spaces nor frames.
 *
 *	recorded runs (a sorted array)  <-  read since (a hash, by page)
 */
#ifndef MODELS_PAGING_FILE_CACHE_H
#define MODELS_PAGING_FILE_CACHE_H

#include "models/paging/hash.h"

struct cached_run {
	uint64_t first, end; /* pages */
	uint8_t order;	     /* log2 pages of each folio */
	bool cached, marked;
};

/* struct file_ra_state.  The kernel has one for each open file; here it is the
 * file's. */
struct read_ahead {
	uint64_t start, size, async; /* pages */
	unsigned order;
	unsigned missed; /* mmap_miss */
};

struct file_cache_config {
	uint64_t pages;	      /* length of the file; 0: unknown */
	uint64_t ahead_pages; /* at most in one go; 0: nothing is read ahead */
	bool warm;	      /* what no run says of is there */
	bool folios;	      /* read-ahead makes large folios */
};

struct file_cache {
	struct file_cache_config config;
	struct cached_run *run; /* owned */
	size_t n, room;
	struct hash read; /* page -> see file-cache.c */
	struct read_ahead ra;
	/* read from the device: in all, beside what was asked for, and of
	 * these: mapped since */
	uint64_t read_pages, ahead_pages, ahead_used;
	/* there now, of which is known that they are (not by `warm`) */
	uint64_t pages;
};

/* A folio is aligned to its size. */
struct folio {
	uint64_t first, pages;
	bool marked; /* its touch makes read-ahead go on */
};

enum read_advice {
	READ_NORMAL,
	READ_EXECUTED, /* VM_EXEC: forward, within the mapping */
	READ_RANDOM,
	READ_SEQUENTIAL,
};

/* A fault of a page, as reading ahead sees it. */
struct file_read {
	uint64_t page;
	enum read_advice advice;
	uint64_t map_first, map_end; /* pages of the file that its VMA has */
};

void file_cache_fini(struct file_cache *cache);

bool file_cache_find(const struct file_cache *cache, uint64_t page,
		     struct folio *folio);
/* The page leaves memory; what else is in its folio is in pages of its own
 * then.  0 or -ENOMEM (unsaid). */
int file_cache_drop(struct file_cache *cache, uint64_t page);
/* From a trace.  0 or -ENOMEM (unsaid). */
int file_cache_record(struct file_cache *cache, const struct cached_run *run);

enum file_fault {
	FILE_HIT,   /* it is there */
	FILE_AHEAD, /* so it is, and more was read */
	FILE_READ,  /* it was read */
};
/* mm/filemap.c, filemap_fault: enum file_fault or -ENOMEM (unsaid). */
int file_cache_fault(struct file_cache *cache, const struct file_read *read);
/* Fault-around met so many pages (filemap_map_pages). */
void file_cache_hits(struct file_cache *cache, uint64_t pages);
/* The page is mapped, perhaps for the first time since it was read ahead. */
void file_cache_mapped(struct file_cache *cache, uint64_t page);

#endif
