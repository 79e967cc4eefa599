/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who misses the TLBs, walks and faults: each miss and fault of a machine is
 * counted for what made it (instruction, thread, call path) and for what it was
 * made on (data object, mapping, node), all at once:
 *
 *	[site, path, thread | object, mapping, node]  ->  misses, walks, faults
 *
 * so that any way of adding them up gives the totals.  Names are other people's
 * business (reports/): what is put into a result are numbers.
 *
 * A machine tells of a part of a batch before its cores see it (who_feed),
 * then of the misses and faults of that part, in order, and then that it is
 * done (who_settle); between parts of events.
 */
#ifndef MODELS_ANALYSIS_WHO_H
#define MODELS_ANALYSIS_WHO_H

#include "analyzer/batch.h"
#include "analyzer/result.h"
#include "models/analysis/objects.h"

enum who_by {
	WHO_FUNCTION = 1,
	WHO_LINE = 2, /* both: by site */
	WHO_OBJECT = 4,
	WHO_MAPPING = 8,
	WHO_THREAD = 16,
	WHO_NODE = 32,
	WHO_PATH = 64,
	WHO_PAGE = 128, /* this and the next by themselves */
	WHO_TIME = 256,
};

/* Bit by bit, "function", ...; NULL at the end. */
extern const char *const who_names[];

#define WHO_CALL   1
#define WHO_RETURN 2

struct who_setup {
	unsigned by; /* enum who_by */
	struct object_symbols symbols;
	/* Is the instruction at this offset of a file a call or a return (above)?
	 * Else 0.  symbols.context; NULL: nobody knows. */
	int (*branch)(void *context, uint32_t file, uint64_t offset);
};

struct who;

/* 0 or -ENOMEM (said), as all that return an int. */
int who_open(struct who **out, const struct stream *stream,
	     const struct who_setup *setup);
void who_close(struct who *who);

/* What of a miss is told apart. */
bool who_wants(const struct who *who, enum who_by by);
/* It reads accesses: feed it columns. */
bool who_wants_columns(const struct who *who);

/* A batch begins, after so many accesses. */
void who_begin(struct who *who, const struct batch *batch, uint64_t position,
	       uint64_t resident_bytes);
int who_event(struct who *who, uint32_t space, uint32_t thread,
	      const struct event *event);
/* Accesses [from, to) of the batch, of which the first is the run's number
 * `position`. */
int who_feed(struct who *who, const struct batch *batch, uint32_t from,
	     uint32_t to, uint64_t position);

struct who_miss {
	uint64_t address, position;
	uint32_t space, thread, site; /* a site reference */
	uint32_t region, cycles;
	uint8_t from, node; /* that runs, that has the page */
	bool walked;
};
int who_missed(struct who *who, const struct who_miss *miss);
/* A fault, which the next miss at its place made; or, while events are
 * followed, the kernel. */
struct who_fault {
	uint64_t page, position;
	uint32_t space, thread, region;
	bool major, kernel;
};
int who_faulted(struct who *who, const struct who_fault *fault);
/* The access there was denied: its miss is no walk. */
int who_denied(struct who *who, uint64_t address, uint64_t position);
int who_settle(struct who *who);

/*
 * Tables who.counts, who.objects, who.paths, who.pages, who.time, who.faults and
 * the value who.by;
 * region_name: of paging's numbers.
 */
struct who_regions {
	const void *context;
	const char *(*name)(const void *context, uint32_t region);
};
int who_finish(const struct who *who, const struct who_regions *regions,
	       uint64_t accesses, struct result *result);

#endif
