/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a page (render-html.c). */
#ifndef REPORTS_HTML_H
#define REPORTS_HTML_H

#include "analyzer/result.h"

#include <stdio.h>

/* A text with what HTML means otherwise escaped, also in attributes. */
void html_text(FILE *file, const char *text);

/* Figures of one machine's result, as <figure><svg>; those that it has no data
 * for are left out. */
void html_figures(const struct result *result, FILE *file);

#endif
