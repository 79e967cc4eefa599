// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `mem`: every Nth access of memory, with its data address, how it
 * was translated, where the data came from and how long that took, as the
 * processor's own way of sampling tells (memory-source.c).
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/event-name.h"
#include "tracers/memory-source.h"
#include "tracers/sampler.h"

/* In the order in which they are given up where kernel or rights lack them */
static const uint64_t optional[] = {
	PERF_SAMPLE_PHYS_ADDR,	   PERF_SAMPLE_DATA_PAGE_SIZE,
	PERF_SAMPLE_WEIGHT_STRUCT, PERF_SAMPLE_RAW,
	PERF_SAMPLE_DATA_SRC,
};

/* What of the wished fields this host gives; 0 or -errno */
static int
try_fields(struct sampler_event *event)
{
	int error = sampler_try(event);

	for (size_t i = 0; error && i < ARRAY_SIZE(optional); i++) {
		if (!(event->sample_type & optional[i]))
			continue;
		event->sample_type &= ~optional[i];
		error = sampler_try(event);
	}
	return error;
}

static int
find(struct sampler_event *events, size_t *n, const char **kind, char *why,
     size_t why_bytes)
{
	struct memory_source source;
	int error = memory_source_find("", &source, why, why_bytes);

	if (error)
		return error;
	*kind = source.kind;
	*n = source.n;
	for (size_t i = 0; i < source.n && !error; i++) {
		events[i] = (struct sampler_event){
			.attr = source.event[i].attr,
			.name = source.event[i].name,
			.memory = !source.event[i].helper,
			.helper = source.event[i].helper,
			.grouped = source.grouped && i,
			.ibs = source.ibs,
			.spe = source.spe,
			.sample_type = source.sample_type,
		};
		/* A member alone may be refused: the leader speaks for it */
		if (!events[i].grouped)
			error = try_fields(&events[i]);
		else
			events[i].sample_type = events[0].sample_type;
	}
	if (error)
		event_refusal(error, why, why_bytes);
	return error;
}

static int
mem_probe(char *why, size_t why_bytes)
{
	struct sampler_event events[SAMPLER_EVENTS];
	const char *kind;
	size_t n;

	return find(events, &n, &kind, why, why_bytes);
}

static int
mem_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct sampler_event events[SAMPLER_EVENTS];
	const char *kind;
	char why[512], name[32];
	size_t n;
	int error = find(events, &n, &kind, why, sizeof(why));

	if (error)
		return fail(-error, "mem: %s", why);
	snprintf(name, sizeof(name), "mem (%s)", kind);
	about_engine(setup->stream, name, "by time");
	return sampler_open(out, setup, "mem", events, n);
}

const struct tracer_ops mem_tracer = {
	.name = "mem",
	.help = "samples of memory accesses, by PEBS, IBS or SPE: how "
		"translated, from where, how long",
	.companion = true,
	.probe = mem_probe,
	.open = mem_open,
};
