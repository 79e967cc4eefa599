/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block while it is being written: collected from batches, then encoded and
 * compressed with the dictionary section that it needs before it.
 */
#ifndef TRACES_PST_BLOCK_H
#define TRACES_PST_BLOCK_H

#include <zstd.h>

#include "analyzer/tally.h"
#include "traces/pst-codec.h"
#include "traces/pst-dictionary.h"
#include "traces/pst-events.h"
#include "traces/pst-format.h"

/* Larger blocks learn better, smaller ones lose less when the recorder dies:
 * cc1 takes 0.087 bytes an access at 1 M steps and 0.082 at 8 M. */
#define BLOCK_STEPS (1u << 20)
#define BLOCK_ROOTS (2u << 20)

struct pst_block {
	uint32_t *step;
	uint64_t *roots; /* CODEC_HISTORY zeros, then the roots */
	size_t n_steps, n_roots;
	struct bytes events; /* heads and events */
	struct event_state event_state;
	struct bytes dictionary;    /* raw; empty: none is needed */
	uint32_t dictionary_steps;  /* steps known after it */
	struct pst_section section; /* but for number and sizes */

	/* made by pst_block_encode */
	uint8_t *stream[CODEC_STREAMS];
	struct bytes stored_dictionary, stored;
	uint64_t raw_dictionary_bytes;
};

int pst_block_init(struct pst_block *block); /* 0, -ENOMEM (said) */
void pst_block_fini(struct pst_block *block);
/* Empty it for the next one. */
void pst_block_clear(struct pst_block *block);

static inline bool
pst_block_has_room(const struct pst_block *block)
{
	return block->n_steps + BATCH_ACCESSES <= BLOCK_STEPS &&
	       block->n_roots + BATCH_ACCESSES <= BLOCK_ROOTS;
}

/*
 * Encode and compress into stored_dictionary and stored (zstd frames) and set
 * the section's sizes; add its accesses to the tally.  0, -ENOMEM (said).
 */
int pst_block_encode(struct pst_block *block, struct codec *codec,
		     ZSTD_CCtx *zstd, struct tally *tally);

#endif
