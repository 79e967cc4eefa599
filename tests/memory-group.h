/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory groups (version 1) with limits, and swap on a zram device of the test's
 * own: one test at a time has them.  A guardian, in a session of its own, takes
 * all of it away when the test ends, however it ends.
 *
 * Traps (each cost somebody a day): a group under pressure is killed although
 * swap is empty unless somebody reads its memory.stat now and then; what it may
 * hold is its rss, not its limit; a swap file reads ahead, zram does not.
 */
#ifndef TESTS_MEMORY_GROUP_H
#define TESTS_MEMORY_GROUP_H

#include "analyzer/base.h"

#include <sys/types.h>

/* NULL; or why it is not to be done here (borrowed). */
const char *memory_group_open(void);
void memory_group_close(void);
/* The directory of the test's group, which is to be made; a second one is it with
 * "-b". */
const char *memory_group_path(void);
void memory_group_make(const char *group, uint64_t limit_bytes);
/* This process is in it from here on: 0, -1. */
int memory_group_join(const char *group);
/* Waits for a process of the group, and removes it: the wait status. */
int memory_group_end(pid_t pid, const char *group);

/* 0, -1. */
int memory_group_put(const char *directory, const char *name, const char *text);
void memory_group_put_number(const char *directory, const char *name,
			     uint64_t number);

#endif
