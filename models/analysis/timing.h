/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cycles and faults come to in time: nothing that a machine counts depends
 * on it; verdicts (pagescope advise) do.  `pagescope calibrate` measures them.
 */
#ifndef MODELS_ANALYSIS_TIMING_H
#define MODELS_ANALYSIS_TIMING_H

#include "analyzer/option.h"

struct timing_config {
	int64_t clock; /* MHz */
	int64_t fault_ns, huge_fault_ns, huge_fault_near_ns;
	double error; /* percent that walk cycles may be off */
	double overlap_low, overlap_high;
	bool regions; /* list regions.2m */
};

extern const struct option_row timing_rows[]; /* prefix "time" */

#endif
