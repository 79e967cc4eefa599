/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace keeps of the kernel's own view beside the accesses: counters,
 * contents of pages, what of files was in the page cache.
 */
#ifndef TRACES_PST_KEPT_H
#define TRACES_PST_KEPT_H

#include "analyzer/batch.h"

#include <jansson.h>

struct pst_kept {
	/* Values of EVENT_COUNTER: when a program began, before it ended, and
	 * in between, at so many moments */
	uint64_t starts, ends, between, looks;
	uint64_t look_ns; /* of the last moment */
	uint64_t
		contents; /* pages whose content was told, again for each time */
	uint64_t cached;  /* EVENT_CACHED: looks at files */
};

void pst_kept_count(struct pst_kept *kept, const struct batch *batch);

/* As in the totals of an index; NULL: no memory. */
json_t *pst_kept_json(const struct pst_kept *kept);
/* NULL, or what is missing in it: 0. */
void pst_kept_take(struct pst_kept *kept, const json_t *json);

#endif
