// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a result document holds, it is refused, or every renderer can
 * print it.
 */
#define _GNU_SOURCE
#include "analyzer/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reports/renderer.h"
#include "tests/fuzz.h"

const char *const fuzz_corpora[] = { "tests/corpus/result", NULL };

static void
render(const struct result *result)
{
	struct render_setup setup = { .top = 10, .width = 96 };

	for (size_t i = 0; renderer_registry[i]; i++) {
		char *text = NULL;
		size_t n;
		FILE *file = open_memstream(&text, &n);

		FUZZ_HOLDS(file);
		renderer_registry[i]->render(result, &setup, file);
		fclose(file);
		free(text);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct result *result;
	char path[64];

	FUZZ_HOLDS(fd >= 0);
	FUZZ_HOLDS(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!result_read(&result, path)) {
		render(result);
		result_close(result);
	}
	close(fd);
	return 0;
}
