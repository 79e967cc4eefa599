/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zeroed arrays that are accessed all over: from 2 MiB on they lie on huge pages,
 * where the kernel gives them.  Freed by free().
 */
#ifndef ANALYZER_HUGE_ARRAY_H
#define ANALYZER_HUGE_ARRAY_H

#include "analyzer/base.h"

/* NULL: no memory (unsaid) */
void *huge_array(size_t n, size_t bytes);
/* A larger one in its place, the rest zeroed: *array (NULL: from none) of `from`
 * elements becomes one of `to`.  0, -ENOMEM (unsaid): *array is as it was. */
int huge_array_grow(void *array, size_t from, size_t to, size_t bytes);

#endif
