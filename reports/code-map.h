/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small model that remembers which file's code lay where: per image (a
 * program between execs) the executable mappings, as files and offsets.  It
 * needs no accesses, only events, so it costs a run nothing.
 */
#ifndef REPORTS_CODE_MAP_H
#define REPORTS_CODE_MAP_H

#include "analyzer/model.h"

struct code_place {
	/* In the stream's files, or UINT32_MAX: anonymous (a JIT's) */
	uint32_t file;
	uint64_t offset; /* of the address in that file */
	uint64_t start;	 /* of the mapping; for anonymous code */
};

/* The stream outlives it.  0 or -ENOMEM (said). */
int code_map_open(struct model **out, const struct stream *stream);

/*
 * What was mapped at this pc of this image; where several were, one after the
 * other, the last one.  False: no recorded mapping.
 */
bool code_map_find(const struct model *code_map, uint16_t image, uint64_t pc,
		   struct code_place *place);

#endif
