/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of numbers in options of NUMA, for its own files. */
#ifndef MODELS_MEMORY_NUMA_PARSE_H
#define MODELS_MEMORY_NUMA_PARSE_H

/* Numbers between blanks, commas and semicolons: how many, -EINVAL, -E2BIG. */
int numa_parse_list(const char *text, double *value, unsigned max);

#endif
