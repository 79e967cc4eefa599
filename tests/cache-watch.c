// SPDX-License-Identifier: GPL-2.0-or-later
#include "cache-watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#include "tracers/tracer.h"

/* What forbids the engine is said */
static bool
works(void)
{
	char why[512] = "no such engine";

	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, "cache") &&
		    !tracer_registry[i]->probe(why, sizeof(why)))
			return true;
	printf("skipped: %s\n", why);
	return false;
}

int
cache_watch_begin(char *directory, char **argv, const char *fixed)
{
	ssize_t n = readlink("/proc/self/exe", directory, CACHE_WATCH_PATH / 2);

	if (n < 0)
		return 99;
	directory[n] = '\0';
	*strrchr(directory, '/') = '\0';
	if (!works())
		return 77;
	if (fixed && !getenv(fixed)) {
		personality(ADDR_NO_RANDOMIZE);
		setenv(fixed, "1", 1);
		execv("/proc/self/exe", argv);
		return 99;
	}
	return 0;
}
