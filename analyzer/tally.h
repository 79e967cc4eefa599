/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses by kind, counted from batches in either form.  Of a packed batch
 * only the steps are looked at, one addition each; what a step stands for is
 * multiplied in at the end, but for guarded ones, which are looked at one by
 * one.
 */
#ifndef ANALYZER_TALLY_H
#define ANALYZER_TALLY_H

#include "analyzer/batch.h"

struct tally_step {
	uint64_t n, n_odd; /* times; their sum counts */
	uint16_t n_slots;
	bool guarded; /* counted one by one instead */
};

struct tally {
	const struct stream *stream;
	struct tally_step *step; /* owned */
	uint32_t steps, room;
	bool guarded;			/* some step is */
	uint64_t kind[4], instructions; /* by enum site_kind; so far */
};

void tally_init(struct tally *tally, const struct stream *stream);
void tally_fini(struct tally *tally);

/* Make room for the stream's steps below n_steps.  0 or -ENOMEM (said). */
int tally_learn(struct tally *tally, uint32_t n_steps);

void tally_guarded(struct tally *tally, uint32_t number, const uint64_t *root);

/* One step, which is known, and its roots. */
static ALWAYS_INLINE void
tally_step(struct tally *tally, uint32_t number, const uint64_t *root)
{
	struct tally_step *of = &tally->step[number];

	if (unlikely(of->guarded))
		tally_guarded(tally, number, root);
	else
		of->n++;
}

/* The whole batch, packed or not.  0 or -ENOMEM (said). */
int tally_batch(struct tally *tally, const struct batch *batch);

/* Bring kind and instructions up to date. */
void tally_sum(struct tally *tally);
/* Add what another one counted, which is brought up to date. */
void tally_add(struct tally *tally, struct tally *other);

#endif
