/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between a machine and who.h: what a miss or fault was made on and where, which
 * the machine's parts know.
 */
#ifndef MODELS_MACHINE_WHO_H
#define MODELS_MACHINE_WHO_H

#include "models/analysis/who.h"
#include "models/memory/frames.h"
#include "models/memory/numa.h"
#include "models/paging/paging.h"
#include "models/translation/core.h"

struct machine_who;

/* Borrowed; numa may be NULL. */
struct machine_who_of {
	const struct stream *stream;
	struct paging *paging;
	struct frames *frames;
	struct numa *numa;
};

/* All that return an int: 0 or -ENOMEM (said). */
int machine_who_open(struct machine_who **out, const struct who_setup *setup,
		     const struct machine_who_of *of);
void machine_who_close(struct machine_who *who);
bool machine_who_wants_columns(const struct machine_who *who);

/* A batch begins, after so many accesses. */
void machine_who_begin(struct machine_who *who, const struct batch *batch,
		       uint64_t position);
/* An event of it, before paging follows it, and that all so far were. */
int machine_who_event(struct machine_who *who, const struct batch *batch,
		      const struct event *event);
void machine_who_followed(struct machine_who *who);
/* As who_feed and who_settle. */
int machine_who_feed(struct machine_who *who, const struct batch *batch,
		     uint32_t from, uint32_t to, uint64_t position);
int machine_who_settle(struct machine_who *who);

struct access {
	uint32_t space;
	uint64_t address;
	enum site_kind kind;
	uint64_t position;
};
/* paging_fault, and that the access was denied is noted. */
int machine_who_fault(struct machine_who *who, const struct access *access,
		      struct mapping *mapping);
int machine_who_faulted(struct machine_who *who, uint32_t space, uint64_t page,
			uint64_t accesses, bool major);
int machine_who_missed(struct machine_who *who,
		       const struct core_misses *misses);

int machine_who_finish(const struct machine_who *who, uint64_t accesses,
		       struct result *result);

#endif
