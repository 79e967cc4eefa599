/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which engines record is to watch with: what -e says, and what can run here. */
#ifndef TRACERS_ENGINES_H
#define TRACERS_ENGINES_H

#include "tracers/tracer.h"

#include <stdbool.h>
#include <stddef.h>

#define TRACERS_MAX 8

/* One engine of -e */
struct engine_choice {
	const struct tracer_ops *ops; /* NULL: an event of libpfm4 */
	char name[128];
};

/*
 * What auto means here: the code cache, or valgrind where nothing may be traced
 * (why: the cache's reason) and the target is not running already.  Where
 * neither can run it is the cache.
 */
const struct tracer_ops *engines_auto(bool running, char *why,
				      size_t why_bytes);

enum engine_beside {
	ENGINE_RESIDENCY = 1,
	ENGINE_KERNEL = 2,
};

/*
 * The engines of a list like "auto,faults", the one for accesses first, and
 * those beside it that are wanted (enum engine_beside) among them.  auto is the fastest one for accesses
 * that can run here; if that is not the first choice, it is said why.
 * 0, or -EINVAL (said).
 */
int engines_choose(const char *names, unsigned beside, bool running,
		   struct engine_choice chosen[TRACERS_MAX], size_t *n);

#endif
