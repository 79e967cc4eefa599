/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The appendix of pagescope artifact, for a paper (cmd-artifact-appendix.c). */
#ifndef ANALYZER_CMD_ARTIFACT_H
#define ANALYZER_CMD_ARTIFACT_H

#include "analyzer/result.h"

#include <stdio.h>

/* In the order of the pages; why: it cannot be made again, or NULL. */
void appendix_begin(FILE *tex, bool traces);
void appendix_result(FILE *tex, const struct result *result, const char *name,
		     const char *why);
void appendix_end(FILE *tex);

#endif
