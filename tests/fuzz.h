/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz entry is a file with this function.  tests/fuzz-driver.c runs it over
 * a kept corpus and over damaged copies of it (make check); clang's libFuzzer
 * searches for new inputs:
 *
 *	clang -fsanitize=fuzzer,address -I. -Ibuild tests/fuzz-NAME.c \
 *		build/libpagescope.a LIBRARIES && ./a.out tests/corpus/NAME
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0; aborts where a promise is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the entry: its corpus' directories below srcdir, ended by NULL. */
extern const char *const fuzz_corpora[];

/* Abort with a message unless it holds: also with NDEBUG. */
#define FUZZ_HOLDS(what)                                                 \
	do {                                                             \
		if (!(what)) {                                           \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, \
				__LINE__, #what);                        \
			abort();                                         \
		}                                                        \
	} while (0)

#endif
