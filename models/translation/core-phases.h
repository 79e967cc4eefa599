/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chunk of accesses on its way through core-phases.c, which is the TLBs, and
 * core-walks.c, which is what comes after they missed.
 */
#ifndef MODELS_TRANSLATION_CORE_PHASES_H
#define MODELS_TRANSLATION_CORE_PHASES_H

#include "models/translation/core-miss.h"

#define CHUNK	TABLE_LOOKS_MAX
#define CLASSES (CORE_SIDES * TLB_SIZES)

/* What accesses of a side to pages of a size have in common. */
struct class
{
	struct tlb *l1, *l2; /* where they go, or NULL */
	uint64_t low1, low2; /* of their tags */
	uint8_t shift1, shift2;
	uint8_t code1, code2; /* as what they go there */
	bool open;	      /* to chunks */
};

struct core_phases {
	struct class class[CLASSES];
	unsigned pieces;     /* a bit for each whose pages are held in pieces */
	uint16_t all[CHUNK]; /* 0, 1, 2, ... */

	/* a chunk: n accesses of the batch from `first` on */
	const struct batch *batch;
	const uint64_t *address; /* from there */
	const uint32_t *site;
	uint32_t first, fed; /* fed: where this core_feed began */
	unsigned n;
	unsigned classes; /* a bit for each that is there */
	uint8_t class_of[CHUNK];
	uint64_t page[CHUNK]; /* as struct table_looks has it */
	void *at[CHUNK];
	uint64_t physical[CHUNK]; /* of the address, if there are pieces */
	uint64_t tag1[CHUNK], tag2[CHUNK];

	uint16_t missed[CHUNK], walks[CHUNK], list[CHUNK], part[CHUNK];
	unsigned n_missed, n_walks;
	uint16_t first_walk[CHUNK]; /* of those to a page */
	unsigned n_first_walks;
	uint8_t flag[CHUNK];
	/* level its walk begins at; 0: no walk; how many begin there or above */
	uint8_t from[CHUNK];
	unsigned n_from[TABLE_LEVELS_MAX + 2];
	uint16_t references[CHUNK]; /* 0: no walk */
	/* of all walks, where data comes between them in the queue */
	uint64_t reference[CHUNK * TABLE_LEVELS_MAX + 1];
	uint8_t level[CHUNK * TABLE_LEVELS_MAX + 1];
};

/* From which level does each walk read?  0: there is no walk. */
void core_phases_ask(struct core_phases *phases, struct core *core);
/* Walks of tables whose walks may have any number of references. */
void core_phases_walk_wide(struct core_phases *phases, struct core *core);
/* The walk caches, the walks and what is to be counted of all that missed. */
void core_phases_walk(struct core_phases *phases, struct core *core);

/* Of the listed ones: those whose flag is set. */
static inline unsigned
core_phases_keep(const uint8_t *flag, uint16_t *list, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];

		list[kept] = (uint16_t)j;
		kept += flag[j];
	}
	return kept;
}

#endif
