// SPDX-License-Identifier: GPL-2.0-or-later
/* record --heap; see heap-preload.h. */
#include "tracers/heap-preload.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define LIBRARY "libpagescope-heap.so"

/* Beside this program in its build directory, or where it was installed. */
static int
find_library(char *path, size_t bytes)
{
	static const char *const places[] = { "tracers/heap",
					      "../tracers/heap" };
	char self[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			snprintf(path, bytes, "%s/%s/" LIBRARY, self,
				 places[i]);
			if (!access(path, R_OK))
				return 0;
		}
	}
	snprintf(path, bytes, "%s/" LIBRARY, HOOKS_DIR);
	if (!access(path, R_OK))
		return 0;
	return fail(ENOENT, "record: --heap: %s is not there: make install",
		    path);
}

int
heap_preload(void)
{
	const char *before = getenv("LD_PRELOAD");
	char path[PATH_MAX], *value;
	int error = find_library(path, sizeof(path)), set;

	if (error)
		return error;
	if (asprintf(&value, "%s%s%s", path, before && *before ? ":" : "",
		     before ? before : "") < 0)
		return fail(ENOMEM, "record: no memory");
	set = setenv("LD_PRELOAD", value, 1);
	free(value);
	return set ? fail(ENOMEM, "record: no memory") : 0;
}
