/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index at the end of a trace: what is known about the recording, totals,
 * the digest, where the sections are.
 */
#ifndef TRACES_PST_INDEX_H
#define TRACES_PST_INDEX_H

#include <jansson.h>

#include "traces/pst-input.h"
#include "traces/pst.h"

/* A copy of `from` into `about`: 0, -EBADMSG (said: no object), -ENOMEM. */
int pst_about_take(json_t *about, json_t *from, const char *path);

/*
 * Take description and totals from the content of an index frame, which is
 * checked first.  What is wrong with it is said only by verify: the blocks
 * stand alone.  0, or as pst_about_take().
 */
int pst_index_parse(struct pst_summary *index, json_t *about, const char *path,
		    const uint8_t *data, uint64_t n);

/* Find the index by the trailer at the end of the file, if both are there,
 * and parse it: as pst_index_parse(). */
int pst_index_find(struct pst_summary *index, json_t *about,
		   const struct pst_input *input);

#endif
