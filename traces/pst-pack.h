/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the packed form of batches whose source gave only columns: runs of
 * sites that were seen before become shapes.
 */
#ifndef TRACES_PST_PACK_H
#define TRACES_PST_PACK_H

#include "analyzer/batch.h"

struct packer;

/* Shapes and steps are added to the stream.  0, -ENOMEM (said). */
int packer_open(struct packer **out, struct stream *stream);
void packer_close(struct packer *packer);

/*
 * Pack the columns of a batch: at most batch->n steps and roots.  0, -ENOMEM,
 * -ENOSPC (said).
 */
int packer_pack(struct packer *packer, const struct batch *batch,
		uint32_t *step, uint32_t *n_steps, uint64_t *root,
		uint32_t *n_roots);

#endif
