/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calibrate's machine makes of the loads that were timed: its walks are
 * fitted to the curves.
 */
#ifndef ANALYZER_CMD_CALIBRATE_FIT_H
#define ANALYZER_CMD_CALIBRATE_FIT_H

#include "analyzer/calibration.h"

struct machine_config;

struct walk_fit {
	size_t sizes;	    /* that were compared; 0: there are none */
	double pages, most; /* the least and the largest of them */
	double overhead;    /* cycles that the model is short of */
	bool scattered;	    /* frames of neighbours are none */
	bool second;	    /* walks look into the second cache first */
	double error;	    /* percent, after the fit: the median */
};

/*
 * Over sizes that leave the second-level TLB behind, and whose lines the last
 * cache still holds, of small pages and of huge ones: where frames lie, which
 * cache walks begin at, and walker.overhead.  The machine gets them.  0 or a
 * negative errno (said).
 */
int fit_walks(struct walk_fit *fit, struct machine_config *machine,
	      const struct calibration *measured);

#endif
