/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cores of a machine, each with its own TLBs, walk caches and walker, and
 * the threads that run on them.
 *
 *	thread -> core     round-robin by first appearance, or one for all, or
 *	                   where the trace says that it ran (EVENT_SWITCH)
 *	batch  -> its thread's core, which switches address spaces if it must
 *	stale translation -> every core that holds the space
 *
 * Cores take turns, a batch each, in the order of the trace; what they learn of
 * its sites and steps is one for all, and goes along with the turn.
 */
#ifndef MODELS_TRANSLATION_CORES_H
#define MODELS_TRANSLATION_CORES_H

#include "models/translation/core.h"

#define CORES_MAX 1024

enum cores_placement {
	CORES_RECORDED, /* where the trace has it, else as round-robin */
	CORES_ROUND_ROBIN,
	CORES_SINGLE,
};

/* Prefix "machine". */
struct cores_config {
	int64_t cores;
	int placement; /* enum cores_placement */
};
extern const struct option_row cores_rows[];

struct cores {
	struct core *core; /* owned: [n] */
	uint32_t n, turn;  /* turn: whose it is */
	enum cores_placement placement;
	uint32_t *core_of; /* owned: [threads] UINT32_MAX: not yet placed */
	uint32_t threads, placed;
	uint32_t *threads_on; /* owned: [n] that were placed there */
	/* invalidations that went to other cores; how many of these ran the
	 * space, and how many only held entries of it from before */
	uint64_t shootdowns, running, lazy;
};

/* As core_init; config must be right. */
int cores_init(struct cores *cores, const struct cores_config *config,
	       const struct core_config *core, const struct core_kernel *kernel,
	       struct hierarchy *hierarchy);
void cores_fini(struct cores *cores);

/*
 * Begin with a batch, which is of this table's space: its core's turn comes.
 * position: accesses of the run before it.  0 or -ENOMEM (said).
 */
int cores_begin(struct cores *cores, struct core_pass *pass,
		const struct stream *stream, const struct batch *batch,
		struct table *table, uint64_t position);

/* Feed the batch up to `to`, as core_pass_feed. */
int cores_feed(struct cores *cores, struct core_pass *pass, uint32_t to);

/* An event of the batch, position accesses into the run: its thread may move.
 * 0 or -ENOMEM (said). */
int cores_event(struct cores *cores, struct core_pass *pass,
		const struct event *event, uint64_t position);

/* As core_forget, of all. */
void cores_forget(struct cores *cores);
/* As core_invalidate, on all cores; who has the turn made it. */
void cores_invalidate(struct cores *cores, uint32_t space, uint64_t address,
		      uint64_t length);

/*
 * Table `cores`, tlb.shootdown.*, and all of core_finish, sums of all cores.
 * To be called once.
 */
int cores_finish(struct cores *cores, const struct stream *stream,
		 struct result *result);

#endif
