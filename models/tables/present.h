/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of one size are there, in order: for tables that keep no order
 * themselves and are told to forget a range.  A bit a page, in blocks of 512
 * under a tree of 512 ways; 64 bytes a block and 4 KiB for 512 blocks.
 */
#ifndef MODELS_TABLES_PRESENT_H
#define MODELS_TABLES_PRESENT_H

#include "analyzer/base.h"

#define PRESENT_LEVELS 6u /* 54 bits of page number */
#define PRESENT_NONE   UINT64_MAX

struct present_node {
	uint64_t bits[8]; /* which of the 512 below are not empty */
	void *below[];	  /* of the lowest level: nothing */
};

/* Zeroed memory is an empty set. */
struct present {
	struct present_node *root;  /* owned */
	struct present_node *block; /* the last asked for, of number: */
	uint64_t number;
	uint64_t n;
};

void present_fini(struct present *present);
/* 0 or -ENOMEM (unsaid). */
int present_add(struct present *present, uint64_t page);
/* It is there. */
void present_remove(struct present *present, uint64_t page);
/* The first at or after, or PRESENT_NONE. */
uint64_t present_next(const struct present *present, uint64_t page);

#endif
