/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's parts, for machine.c and machine-result.c only. */
#ifndef MODELS_MACHINE_INSIDE_H
#define MODELS_MACHINE_INSIDE_H

#include "models/analysis/chunks.h"
#include "models/analysis/heatmap.h"
#include "models/analysis/looks.h"
#include "models/machine-who.h"
#include "models/machine.h"
#include "models/memory/attributes.h"
#include "models/memory/numa-copies.h"
#include "models/memory/numa-hints.h"
#include "models/translation/explain.h"

struct region_count {
	uint64_t walks, cycles;
};

struct machine {
	struct model model;
	const struct stream *stream;   /* borrowed */
	struct numa *numa;	       /* NULL: one node */
	struct attributes *attributes; /* NULL: all memory is cached */
	struct frames *frames;
	struct hierarchy *hierarchy;
	struct paging *paging;
	struct driver *reclaim;	  /* NULL: memory does not fill */
	struct core_pass *pass;	  /* of the batch that is being fed */
	struct numa_hints *hints; /* NULL: pages stay */
	uint32_t thread;	  /* of the batch */
	struct heatmap *heatmap;
	struct bound *bound; /* NULL: nobody asked */
	struct looks *looks;
	struct tables_config tables;
	struct cores cores;
	struct explain *explain; /* NULL: nobody asked */
	struct machine_who *who; /* likewise */
	struct chunks *chunks;	 /* likewise */
	uint64_t accesses;
	uint64_t time_ns; /* at the end of the batch before; 0: unknown */
	bool nested;	/* the caches see addresses of a host, not of frames */
	bool walks;	/* and all walks */
	bool no_memory; /* a counter could not grow: said, ends the run */
	/* What is mapped where the last walk went; empty after a change. */
	uint64_t span_start, span_end;
	uint32_t span_space, span_region;
	struct region_count *region; /* owned: by paging_region's number */
	uint32_t max_regions;
};

static inline struct machine *
machine_of(struct model *model)
{
	return (struct machine *)model;
}

/* struct model_methods.finish */
int machine_finish(struct model *model, struct result *result);

#endif
