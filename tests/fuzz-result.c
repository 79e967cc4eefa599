// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a result document holds, it is refused, or every renderer can print
 * it, every plot can write its data and script, and its machines stand side by
 * side and alone.
 */
#define _GNU_SOURCE
#include "analyzer/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reports/machines.h"
#include "reports/plot.h"
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

static void
plot(const struct result *result)
{
	for (size_t i = 0; plot_registry[i]; i++) {
		const struct plot_ops *ops = plot_registry[i];
		char why[256] = "", *text = NULL;
		size_t n;
		FILE *file = open_memstream(&text, &n);

		FUZZ_HOLDS(file);
		if (ops->data(result, file, why, sizeof(why)))
			ops->draw(result, file);
		else
			FUZZ_HOLDS(*why);
		fclose(file);
		free(text);
	}
}

static void
compare(const struct result *result)
{
	struct machines machines;
	struct result *merged;

	FUZZ_HOLDS(!machines_open(&machines, result));
	for (size_t i = 0; !machines.alone && i < machines.n && i < 4; i++) {
		render(machines.one[i]);
		plot(machines.one[i]);
	}
	FUZZ_HOLDS(!machines_values(&merged, &machines));
	render(merged);
	result_close(merged);
	if (!machines_table(&merged, &machines, "walk.levels")) {
		render(merged);
		result_close(merged);
	}
	machines_close(&machines);
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
		plot(result);
		compare(result);
		result_close(result);
	}
	close(fd);
	return 0;
}
