/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of make-result: the document of three machines (radix, hashed, nested),
 * with every table that a comparison draws.
 */
#ifndef TESTS_MAKE_MACHINES_H
#define TESTS_MAKE_MACHINES_H

#include "analyzer/result.h"

void make_machines(struct result *result);

#endif
