/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of the code cache begin with. */
#ifndef TESTS_CACHE_WATCH_H
#define TESTS_CACHE_WATCH_H

#define CACHE_WATCH_PATH 4096

/*
 * At main's beginning.  0; or the status to end with: 77, the engine does not
 * work here (said), or 99.  fixed: the name of a variable by which the test
 * knows that it has begun anew with addresses that are the same each time; NULL:
 * it does not.  `directory` becomes that of the test, CACHE_WATCH_PATH bytes.
 */
int cache_watch_begin(char *directory, char **argv, const char *fixed);

#endif
