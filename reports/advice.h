/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: what a result answers to one question, in plain sentences with the
 * reason, the interval, and the honest no.  One function a topic.
 */
#ifndef REPORTS_ADVICE_H
#define REPORTS_ADVICE_H

#include "reports/renderer.h"

/* How much memory a program needs.  0, -EINVAL (said): the result tells
 * nothing of that. */
int advice_memory(const struct result *result, const struct render_setup *setup,
		  FILE *file);

#endif
