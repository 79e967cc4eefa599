/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a cache missed (Hill's three): it never had the line (compulsory); a fully
 * associative LRU cache of as many lines would have missed too (capacity); or
 * that one would have had it (conflict).
 */
#ifndef MODELS_MEMORY_CLASSIFY_H
#define MODELS_MEMORY_CLASSIFY_H

#include "analyzer/base.h"

enum classify_kind {
	CLASSIFY_HIT,
	CLASSIFY_COMPULSORY,
	CLASSIFY_CAPACITY,
	CLASSIFY_CONFLICT,
	CLASSIFY_KINDS,
};

struct classify;

/* Beside a cache of so many lines.  0 or -ENOMEM. */
int classify_open(struct classify **out, uint64_t lines);
void classify_close(struct classify *classify);

/* The cache was asked for a line, and had it or not: counts and tells. */
enum classify_kind classify_use(struct classify *classify, uint64_t line,
				bool hit);
uint64_t classify_count(const struct classify *classify,
			enum classify_kind kind);
/* There was no memory to go on: the counts are wrong. */
bool classify_failed(const struct classify *classify);

#endif
