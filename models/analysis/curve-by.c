// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Distances are counted in bins that end where misses are asked for, so that
 * sums are exact.  A site meets few of them: its bins grow as they are needed.
 */
#include "models/analysis/curve-by.h"

#include "analyzer/fail.h"
#include "models/analysis/octaves.h"
#include "models/analysis/reuse.h"
#include "models/paging/references.h"

#include <stdlib.h>
#include <string.h>

#define RUN	    4096u
#define PAGES_FIRST 1024u
#define NAMES_MOST  4096u
#define NAME_OTHERS "(others)"

/* What one group did */
struct group {
	uint64_t references, cold;
	uint64_t *count; /* owned: [bins] */
	size_t bins;
	struct reuse *reuse; /* owned; NULL: together */
};

struct curve_by_model {
	struct model model;
	struct curve_by_config config;
	const struct stream *stream;
	struct references *references;
	struct reuse *reuse; /* together */
	struct group *group; /* owned: [room] */
	size_t groups, room;
	char **name;   /* owned: of mappings, or NULL */
	uint32_t *pid; /* owned: [n_pids] of processes */
	size_t n_names, n_pids;
	uint32_t *mapping; /* owned: [room_pages]: of a page */
	uint32_t pages, room_pages;
	uint64_t accesses;
	const struct batch *batch; /* being fed */
};

static int
no_memory(void)
{
	return fail(ENOMEM, "curve: no memory for groups");
}

static int
make_group(struct curve_by_model *by, size_t number)
{
	size_t room = by->room ? by->room : 16;
	struct group *group;

	if (number < by->groups)
		return 0;
	while (room <= number)
		room *= 2;
	if (room > by->room) {
		group = reallocarray(by->group, room, sizeof(*group));
		if (!group)
			return no_memory();
		memset(group + by->room, 0, (room - by->room) * sizeof(*group));
		by->group = group;
		by->room = room;
	}
	by->groups = number + 1;
	return 0;
}

/* The engine that knows a group's distances */
static int
engine_of(struct curve_by_model *by, size_t number, struct reuse **out)
{
	struct group *group = &by->group[number];
	int error = 0;

	if (by->config.alone && !group->reuse)
		error = reuse_open(&group->reuse, false);
	*out = by->config.alone ? group->reuse : by->reuse;
	return error;
}

static size_t
bin_of(const struct curve_by_model *by, uint32_t distance)
{
	size_t low = 0, high = by->config.n;

	if (!high)
		return octaves_bin(distance);
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (by->config.size[middle] < distance)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static NOINLINE int
make_bins(struct group *group, size_t bin)
{
	size_t bins = bin + 8;
	uint64_t *count = reallocarray(group->count, bins, sizeof(*count));

	if (!count)
		return no_memory();
	memset(count + group->bins, 0, (bins - group->bins) * sizeof(*count));
	group->count = count;
	group->bins = bins;
	return 0;
}

static int
count(struct curve_by_model *by, size_t number, uint32_t distance)
{
	struct group *group = &by->group[number];
	size_t bin;
	int error = 0;

	group->references++;
	if (distance == REUSE_COLD) {
		group->cold++;
		return 0;
	}
	bin = bin_of(by, distance);
	if (unlikely(bin >= group->bins))
		error = make_bins(group, bin);
	if (!error)
		group->count[bin]++;
	return error;
}

/* --- groups ----------------------------------------------------------------- */

static int
process_number(struct curve_by_model *by, uint32_t space, size_t *number)
{
	uint32_t pid = stream_space(by->stream, space)->pid, *pids;

	for (size_t i = by->n_pids; i-- > 0;)
		if (by->pid[i] == pid) {
			*number = i;
			return 0;
		}
	pids = reallocarray(by->pid, by->n_pids + 1, sizeof(*pids));
	if (!pids)
		return no_memory();
	by->pid = pids;
	by->pid[by->n_pids] = pid;
	*number = by->n_pids++;
	return 0;
}

static int
name_number(struct curve_by_model *by, const char *name, uint32_t *number)
{
	char **names;

	if (by->n_names >= NAMES_MOST)
		name = NAME_OTHERS;
	for (size_t i = by->n_names; i-- > 0;)
		if (!strcmp(by->name[i], name)) {
			*number = (uint32_t)i;
			return 0;
		}
	names = reallocarray(by->name, by->n_names + 1, sizeof(*names));
	if (!names)
		return no_memory();
	by->name = names;
	names[by->n_names] = strdup(name);
	if (!names[by->n_names])
		return no_memory();
	*number = (uint32_t)by->n_names++;
	return make_group(by, *number);
}

/* The mappings of all pages so far */
static int
find_mappings(struct curve_by_model *by)
{
	uint32_t n = references_pages(by->references);
	int error = 0;

	if (n > by->room_pages) {
		uint32_t room = by->room_pages ? by->room_pages : PAGES_FIRST;
		uint32_t *mapping;

		while (room < n)
			room = room < UINT32_MAX / 2 ? 2 * room : UINT32_MAX;
		mapping = reallocarray(by->mapping, room, sizeof(*mapping));
		if (!mapping)
			return no_memory();
		by->mapping = mapping;
		by->room_pages = room;
	}
	for (; !error && by->pages < n; by->pages++)
		error = name_number(by,
				    references_label(by->references, by->pages),
				    &by->mapping[by->pages]);
	return error;
}

/* The site that made a reference; the kernel's are those of who comes next. */
static size_t
site_of(const struct curve_by_model *by, uint64_t access)
{
	const struct batch *batch = by->batch;
	uint64_t at = access - by->accesses;

	if (!batch->n)
		return 0;
	return SITE_INDEX(batch->site[at < batch->n ? at : batch->n - 1]);
}

/* The one group of all references of a batch */
static int
batch_group(struct curve_by_model *by, size_t *number)
{
	int error = 0;

	*number = by->batch->thread;
	if (by->config.by == CURVE_BY_PROCESS)
		error = process_number(by, by->batch->space, number);
	return error ? error : make_group(by, *number);
}

/* --- references -------------------------------------------------------------- */

/* n references, at most RUN, all of one group's engine */
static int
take_run(struct curve_by_model *by, const struct reclaim_batch *batch,
	 uint32_t at, uint32_t n, size_t number)
{
	uint32_t distance[RUN];
	struct reuse *reuse;
	int error = engine_of(by, number, &reuse);

	if (!error)
		error = reuse_feed(reuse, batch->page + at, NULL, n, distance);
	for (uint32_t i = 0; !error && i < n; i++) {
		if (by->config.by == CURVE_BY_MAPPING) {
			number = by->mapping[batch->page[at + i]];
		} else if (by->config.by == CURVE_BY_SITE) {
			number = site_of(by, batch->access[at + i]);
			error = make_group(by, number);
		}
		if (!error)
			error = count(by, number, distance[i]);
	}
	return error;
}

/* How many from here on are of one engine */
static uint32_t
run_length(const struct curve_by_model *by, const struct reclaim_batch *batch,
	   uint32_t at)
{
	uint32_t left = batch->n - at < RUN ? batch->n - at : RUN, n = 1;

	if (!by->config.alone || by->config.by != CURVE_BY_MAPPING)
		return left;
	while (n < left &&
	       by->mapping[batch->page[at + n]] == by->mapping[batch->page[at]])
		n++;
	return n;
}

static int
take_references(void *context, const struct reclaim_batch *batch)
{
	struct curve_by_model *by = context;
	bool mappings = by->config.by == CURVE_BY_MAPPING;
	size_t number = 0;
	int error = mappings ? find_mappings(by) : 0;

	if (!error && by->config.by != CURVE_BY_SITE && !mappings)
		error = batch_group(by, &number);
	if (!error)
		error = make_group(by, number);
	for (uint32_t at = 0, n; !error && at < batch->n; at += n) {
		n = run_length(by, batch, at);
		if (mappings)
			number = by->mapping[batch->page[at]];
		error = take_run(by, batch, at, n, number);
	}
	return error;
}

static int
take_drop(void *context, uint32_t page)
{
	struct curve_by_model *by = context;
	int error = by->reuse ? reuse_drop(by->reuse, page) : 0;

	for (size_t i = 0; !error && i < by->groups; i++)
		if (by->group[i].reuse)
			error = reuse_drop(by->group[i].reuse, page);
	return error;
}

static int
curve_by_feed(struct model *model, const struct batch *batch)
{
	struct curve_by_model *by = (struct curve_by_model *)model;
	const struct references_sink sink = { by, take_references, take_drop };
	int error;

	by->batch = batch;
	error = references_feed(by->references, batch, &sink);
	by->accesses += batch->n;
	return error;
}

static void
curve_by_close(struct model *model)
{
	struct curve_by_model *by = (struct curve_by_model *)model;

	if (!by)
		return;
	references_close(by->references);
	reuse_close(by->reuse);
	for (size_t i = 0; i < by->groups; i++) {
		free(by->group[i].count);
		reuse_close(by->group[i].reuse);
	}
	for (size_t i = 0; i < by->n_names; i++)
		free(by->name[i]);
	free(by->name);
	free(by->group);
	free(by->pid);
	free(by->mapping);
	free(by);
}

static const struct model_methods curve_by_methods = {
	.feed = curve_by_feed,
	.close = curve_by_close,
};

int
curve_by_open(struct model **out, const struct curve_by_config *config,
	      const struct stream *stream)
{
	struct curve_by_model *by = calloc(1, sizeof(*by));
	const struct references_config references = {
		.shift = config->shift,
		.fetches = config->fetches,
		.untimed = true,
	};
	int error = 0;

	if (!by)
		return no_memory();
	by->model.methods = &curve_by_methods;
	by->config = *config;
	by->stream = stream;
	if (!config->alone)
		error = reuse_open(&by->reuse, false);
	if (!error)
		error = references_open(&by->references, &references, stream);
	if (error)
		curve_by_close(&by->model);
	else
		*out = &by->model;
	return error;
}

size_t
curve_by_groups(const struct model *model)
{
	return ((const struct curve_by_model *)model)->groups;
}

uint64_t
curve_by_references(const struct model *model, size_t group)
{
	return ((const struct curve_by_model *)model)->group[group].references;
}

uint32_t
curve_by_pid(const struct model *model, size_t group)
{
	return ((const struct curve_by_model *)model)->pid[group];
}

const char *
curve_by_name(const struct model *model, size_t group)
{
	return ((const struct curve_by_model *)model)->name[group];
}

uint64_t
curve_by_peak(const struct model *model, size_t group)
{
	const struct curve_by_model *by = (const void *)model;
	const struct reuse *reuse =
		by->config.alone ? by->group[group].reuse : by->reuse;

	return reuse ? reuse_peak(reuse) : 0;
}

uint64_t
curve_by_misses(const struct model *model, size_t group, size_t i)
{
	const struct curve_by_model *by = (const void *)model;
	const struct group *of = &by->group[group];
	uint64_t hits = 0;

	for (size_t bin = 0; bin <= i && bin < of->bins; bin++)
		hits += of->count[bin];
	return of->references - hits;
}
