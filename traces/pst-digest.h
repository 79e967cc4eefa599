/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The digest of a trace's content: what ran and what it accessed, without
 * times, process numbers, kernel scheduling, real faults or how the file is
 * cut into blocks.  Two recordings of a deterministic program are equal in it.
 * Defined in traces/FORMAT.md.
 */
#ifndef TRACES_PST_DIGEST_H
#define TRACES_PST_DIGEST_H

#include "analyzer/batch.h"
#include "traces/pst-dictionary.h"

struct digest;

int digest_open(struct digest **out); /* 0, -ENOMEM (said) */
void digest_close(struct digest *digest);

/* Add a packed batch, given as its steps and roots. */
void digest_batch(struct digest *digest, const struct batch *batch,
		  const uint32_t *step, size_t n_steps, const uint64_t *root,
		  size_t n_roots);

/* 32 hex digits and a NUL, of the batches and the code below *counts.  0,
 * -ENOMEM (said). */
int digest_text(struct digest *digest, const struct stream *stream,
		const struct dictionary_counts *counts, char text[33]);

#endif
