/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random programs: static executables that do what no compiler would, the same
 * each time, and write all their memory and registers to stdout at the end.
 */
#ifndef TESTS_RANDOM_PROGRAM_H
#define TESTS_RANDOM_PROGRAM_H

#include "analyzer/base.h"

struct random_forms;

/* The forms of instruction that run here; run_prepare() was called. */
struct random_forms *random_forms_open(void);
void random_forms_close(struct random_forms *forms);
size_t random_forms_count(const struct random_forms *forms);

/* Write the program of a seed with that many blocks (1..64) to a file, to be
 * executed.  0 or a negative errno. */
int random_program(const struct random_forms *forms, uint64_t seed,
		   unsigned blocks, const char *path);

#endif
