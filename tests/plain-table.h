/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page table as slow and plain as can be, for tests of its users: arrays of
 * pages and of table pages (level, region), searched from end to end.
 */
#ifndef TESTS_PLAIN_TABLE_H
#define TESTS_PLAIN_TABLE_H

#include "models/tables/table.h"

extern const struct table_ops plain_table;

#endif
