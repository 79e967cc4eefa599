/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resident memory as it was seen while recording (EVENT_LOOK): how it went
 * over time, the sum of all spaces.
 */
#ifndef MODELS_ANALYSIS_LOOKS_H
#define MODELS_ANALYSIS_LOOKS_H

#include "analyzer/batch.h"
#include "analyzer/result.h"

#define LOOKS_MAX 2048 /* rows: then every second one is dropped */

struct looks;

/* 0 or -ENOMEM (said). */
int looks_open(struct looks **out);
void looks_close(struct looks *looks);

/* EVENT_LOOK; EVENT_EXIT of a process and EVENT_EXEC end a space.  Others are
 * ignored.  0 or -ENOMEM (said). */
int looks_event(struct looks *looks, uint32_t space, const struct event *event);

/*
 * residency.looks, and where there were any residency.bytes (at the last),
 * .bytes.peak, .large.bytes, .swapped.bytes, .referenced.bytes (absent where
 * it was not known) and the table residency.time.  0 or -ENOMEM.
 */
int looks_finish(const struct looks *looks, struct result *result);

#endif
