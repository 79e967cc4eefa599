// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/engines.h"
#include "analyzer/base.h"

#include <stdio.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/option.h"

static const struct tracer_ops *
find(const char *name)
{
	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, name))
			return tracer_registry[i];
	return NULL;
}

/* A mistyped engine, or an event of libpfm4? */
static const char *
near_engine(const char *name)
{
	const char *names[32] = { "auto" };
	size_t known = 1;

	for (size_t i = 0; tracer_registry[i] && known < ARRAY_SIZE(names); i++)
		names[known++] = tracer_registry[i]->name;
	return option_nearest(name, names, known);
}

const struct tracer_ops *
engines_auto(bool running, char *why, size_t why_bytes)
{
	const struct tracer_ops *cache = find("cache");
	const struct tracer_ops *valgrind = find("valgrind");
	char other[512];

	why[0] = '\0';
	if (running || !cache->probe(why, why_bytes) ||
	    valgrind->probe(other, sizeof(other)))
		return cache;
	return valgrind;
}

static const struct tracer_ops *
fastest(bool running)
{
	char why[512];
	const struct tracer_ops *ops = engines_auto(running, why, sizeof(why));

	if (!strcmp(ops->name, "valgrind"))
		note("record: the cache engine can't run here (%s): valgrind does it",
		     why);
	return ops;
}

static int
choose_one(struct engine_choice *one, bool running)
{
	one->ops =
		strcmp(one->name, "auto") ? find(one->name) : fastest(running);
	if (!one->ops && near_engine(one->name))
		return fail(
			EINVAL,
			"record: -e: no engine or event \"%s\"; did you mean \"%s\"?",
			one->name, near_engine(one->name));
	return 0;
}

static int
add(struct engine_choice *chosen, size_t *n, const struct engine_choice *one)
{
	if (*n == TRACERS_MAX)
		return fail(EINVAL, "record: -e: too many engines");
	chosen[(*n)++] = *one;
	return 0;
}

static int
add_beside(const char *name, struct engine_choice *chosen, size_t *n)
{
	struct engine_choice one = { find(name), "" };

	snprintf(one.name, sizeof(one.name), "%s", name);
	for (size_t i = 0; i < *n; i++)
		if (chosen[i].ops == one.ops)
			return 0;
	return add(chosen, n, &one);
}

int
engines_choose(const char *names, unsigned beside, bool running,
	       struct engine_choice chosen[TRACERS_MAX], size_t *n)
{
	bool main = false;
	int error = 0;

	*n = 0;
	for (; *names; names += strspn(names, ",")) {
		size_t length = strcspn(names, ",");
		struct engine_choice one = { NULL, "" };

		snprintf(one.name, sizeof(one.name), "%.*s", (int)length,
			 names);
		names += length;
		if (choose_one(&one, running) || add(chosen, n, &one))
			return -EINVAL;
		if (!one.ops || one.ops->companion)
			continue;
		if (main)
			return fail(
				EINVAL,
				"record: -e: only one of the engines for accesses at a time");
		main = true;
		chosen[*n - 1] = chosen[0];
		chosen[0] = one;
	}
	if (!*n)
		return fail(EINVAL, "record: -e names no engine");
	if (beside & ENGINE_RESIDENCY)
		error = add_beside("residency", chosen, n);
	if (!error && beside & ENGINE_KERNEL)
		error = add_beside("kernel", chosen, n);
	return error;
}
