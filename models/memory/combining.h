/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is not cached as usual (Intel SDM volume 3, chapter 12.3), and
 * the buffers that merge stores to write-combining memory.
 *
 *	UC  each access goes out to memory
 *	WC  loads go out; stores gather in a buffer of their line, which is
 *	    written once all its bytes are there, when another line needs the
 *	    buffer, and before an access to UC memory
 */
#ifndef MODELS_MEMORY_COMBINING_H
#define MODELS_MEMORY_COMBINING_H

#include "analyzer/base.h"

enum memory_type {
	MEMORY_WB, /* cached as usual */
	MEMORY_UC,
	MEMORY_WC,
	MEMORY_TYPES,
};

#define COMBINING_LINE 64u
#define COMBINING_MAX  64u

struct combining {
	unsigned buffers, used;
	uint64_t line[COMBINING_MAX];  /* oldest first */
	uint64_t bytes[COMBINING_MAX]; /* those written, a bit each */
	uint64_t stores;
	uint64_t whole, partial; /* writes of all of a line, of parts */
};

/* A store of so many bytes, within one line; at most 64. */
void combining_store(struct combining *combining, uint64_t physical,
		     unsigned bytes);
/* Write out what there is. */
void combining_drain(struct combining *combining);

#endif
