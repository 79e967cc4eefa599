/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A word of a command line as text that bash would take back, on one line. */
#ifndef ANALYZER_QUOTE_H
#define ANALYZER_QUOTE_H

#include "analyzer/base.h"

/* Plain where it can be, else in single quotes, or as $'...' where there are
 * control characters.  Always terminated; returns the length of the whole, as
 * snprintf. */
size_t quote_word(const char *word, char *text, size_t text_bytes);

/* Has it characters that would break a line or worse? */
bool quote_controls(const char *word);

#endif
