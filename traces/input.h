/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a file as a stream: plain, gzip, xz or zstd, told apart by
 * content, from a path or standard input, in constant memory.  A reader asks
 * for a window of whole lines or whole records, parses there without copying
 * and says how much it has taken:
 *
 *	slack | taken  | window: whole lines   | start of a line | slack
 *	      ^ buffer ^ at                    ^ end
 */
#ifndef TRACES_INPUT_H
#define TRACES_INPUT_H

#include "analyzer/base.h"

/*
 * So many bytes before and after each window are readable (their content is
 * anything), so that a parser may load vectors without looking where it is.
 */
#define INPUT_SLACK 64

/*
 * A longer line (newline included) may come cut, but is then still longer than
 * this: so a parser must refuse all that are.
 */
#define INPUT_LINE_MAX (64u << 10)

struct input;

/* Open path ("-": standard input).  0 or a negative errno (said). */
int input_open(struct input **out, const char *path);
/* NULL is allowed. */
void input_close(struct input *input);

/*
 * The next window of whole lines, each ending in '\n' (one is supplied where
 * the file lacks its last), or of whole records.  1; 0 at the end; or a
 * negative errno (said), when what could be read has been given before.
 */
int input_lines(struct input *input, const char **at, const char **end);
/* record_bytes <= INPUT_LINE_MAX.  -EINVAL when the end cuts a record. */
int input_records(struct input *input, size_t record_bytes, const char **at,
		  const char **end);
/* The window is taken up to `at`. */
void input_take(struct input *input, const char *at);

/* Some of the first bytes (up to 64 KiB), before anything is taken. */
int input_peek(struct input *input, const char **start, size_t *bytes);

/* Uncompressed bytes taken so far. */
uint64_t input_offset(const struct input *input);
/* Stored bytes read so far, and in all (0: unknown). */
void input_progress(const struct input *input, uint64_t *done, uint64_t *all);
/* As given to input_open, with "-" named "standard input". */
const char *input_name(const struct input *input);
/* "plain", "gzip", "xz" or "zstd" */
const char *input_packing(const struct input *input);

#endif
