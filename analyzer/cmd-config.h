/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host as a machine's file: what config detect and calibrate write. */
#ifndef ANALYZER_CMD_CONFIG_H
#define ANALYZER_CMD_CONFIG_H

#include <stdio.h>

#include "analyzer/detect.h"
struct machine_config;

/* Lay what was detected over the preset of that core.  0 or a negative errno
 * (said). */
int config_apply(struct machine_config *machine, struct detected *detected);

/* Each option with where it comes from. */
void config_write(const struct machine_config *machine,
		  const struct detected *detected, FILE *file);

#endif
