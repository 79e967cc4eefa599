/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the running kernel that a test changes, and who puts them back:
 * a guardian process that waits for the test's end, also by SIGKILL.
 *
 *	test -> pipe: what to write where -> guardian ... end of file: writes it
 */
#ifndef TESTS_SETTINGS_H
#define TESTS_SETTINGS_H

#include "analyzer/base.h"

/* Start the guardian, before the first change. false: it can't be (not root). */
bool settings_open(void);
/* In a child: the parent's guardian is none of its. */
void settings_forget(void);
/* All is as it was when this returns. */
void settings_close(void);

/* Write a file of /sys or /proc; what it had is written back at the end.  Of
 * "always [madvise] never" it had the word in brackets. */
bool settings_put(const char *path, const char *value);
/* The same for a number. */
bool settings_put_number(const char *path, uint64_t value);
/* The guardian runs this with /bin/sh at the end, after what came later. */
void settings_at_end(const char *command);

/* The first number behind a name in the last line of a file that begins so
 * (/proc/vmstat); -1: there is none. */
long settings_number(const char *path, const char *name);

/* Nobody else who asks may change huge pages from here on, or (shared) only
 * those may who do not either. */
void settings_lock_huge_pages(bool shared);

#endif
