/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which memory is uncached or write-combining, as memory.attributes says:
 *
 *	uc:0x7f0000000000-0x7f0000010000, wc:/dev/dri/card0, uc:[heap]
 *
 * Ranges are of virtual addresses, the end not in it; names are those of
 * mappings, with * and ? as in a shell.  The first entry that fits counts; what
 * none names is cached as usual (wb).
 */
#ifndef MODELS_MEMORY_ATTRIBUTES_H
#define MODELS_MEMORY_ATTRIBUTES_H

#include "analyzer/base.h"
#include "models/memory/combining.h"

struct attributes;

/* As cache_config_wrong. */
int attributes_wrong(const char *list, char *text, size_t bytes);

/* The list is right.  0 or -ENOMEM (said); *out NULL: all is cached. */
int attributes_open(struct attributes **out, const char *list);
void attributes_close(struct attributes *attributes);

/* Of an access there, in a mapping of that name (NULL: none) and number. */
enum memory_type attributes_of(struct attributes *attributes, uint64_t address,
			       uint32_t region, const char *name);

#endif
