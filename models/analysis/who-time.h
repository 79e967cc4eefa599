/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When misses, walks and faults were: their counts over the run with the time of
 * the recording beside them, and the first faults one by one.
 */
#ifndef MODELS_ANALYSIS_WHO_TIME_H
#define MODELS_ANALYSIS_WHO_TIME_H

#include "models/analysis/who.h"

#define WHO_FAULTS_MAX 10000u /* that are listed */

struct who_time;

/* 0 or -ENOMEM (said), as all that return an int. */
int who_time_open(struct who_time **out);
void who_time_close(struct who_time *time);
/* A batch begins, after so many accesses. */
void who_time_begin(struct who_time *time, const struct batch *batch,
		    uint64_t position, uint64_t resident_bytes);
void who_time_missed(struct who_time *time, const struct who_miss *miss,
		     bool walked);
int who_time_faulted(struct who_time *time, const struct who_fault *fault);

/* Tables who.time and who.faults; end: accesses.  0 or -ENOMEM. */
int who_time_finish(const struct who_time *time, uint64_t end,
		    const struct stream *stream,
		    const struct who_regions *regions, struct result *result);

#endif
