// SPDX-License-Identifier: GPL-2.0-or-later
/* Beside a curve: TLBs of all shapes, and curves of who makes the references. */
#include "analyzer/cmd-curve-job.h"
#include "analyzer/fail.h"
#include "models/analysis/associativity.h"
#include "models/analysis/curve-by.h"
#include "models/analysis/curve-result.h"
#include "models/analysis/curve.h"
#include "reports/code-map.h"
#include "reports/symbols.h"
#include "reports/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS_PAGES 1024
#define SETS_LINES 8192

/* One curve of the table: a thread ..., or a function with all of its sites */
struct part {
	char *name;	  /* owned */
	uint64_t *misses; /* owned: [sizes] */
	uint64_t references;
};

struct parts {
	struct part *part; /* owned */
	size_t n;
	const uint64_t *size; /* in pages */
	size_t sizes;
};

static const enum curve_by by_models[] = {
	CURVE_BY_NOTHING, CURVE_BY_THREAD, CURVE_BY_PROCESS,
	CURVE_BY_MAPPING, CURVE_BY_SITE,
};

static bool
is_power(int64_t number)
{
	return number > 0 && !(number & (number - 1));
}

int
curve_parts_check(const struct curve_options *options)
{
	int error = curve_sample_check(options);
	enum curve_by by = by_models[options->by];

	if (error)
		return error;
	if (options->unit == CURVE_OBJECT && (by || options->associativity))
		return fail(EUSAGE, "%s: objects are in no page and no set",
			    by ? "--by" : "--associativity");
	if (options->alone && !by)
		return fail(EUSAGE, "--alone: who? add --by thread");
	if (options->alone && by == CURVE_BY_SITE)
		return fail(EUSAGE, "--alone: functions run in one memory; "
				    "threads, processes and mappings may be "
				    "alone");
	if (options->sets && !is_power(options->sets))
		return fail(EUSAGE, "--sets: %lld is no power of two",
			    (long long)options->sets);
	if (by && options->sizes && strstr(options->sizes, "point"))
		return fail(EUSAGE,
			    "--by: \"%s\" are known only at the end; give "
			    "sizes, such as 1M..1G x2",
			    options->sizes);
	return 0;
}

static int
open_shapes(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	int64_t sets = options->sets		     ? options->sets
		       : options->unit == CURVE_LINE ? SETS_LINES
						     : SETS_PAGES;
	const struct associativity_config config = {
		.shift = curve_shift(options),
		.sets_shift = (unsigned)__builtin_ctzll((uint64_t)sets),
		.ways = (unsigned)options->ways,
		.fetches = options->fetches,
	};

	return associativity_open(&job->shapes, &config, job->source->stream);
}

static int
open_by(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	struct curve_by_config config = {
		.shift = curve_shift(options),
		.fetches = options->fetches,
		.by = by_models[options->by],
		.alone = options->alone,
		.n = job->sizes.n,
	};
	int error = 0;

	job->by_size = calloc(job->sizes.n + 1, sizeof(*job->by_size));
	if (!job->by_size)
		return fail(ENOMEM, "curve: no memory");
	for (size_t i = 0; i < job->sizes.n; i++)
		job->by_size[i] = job->sizes.bytes[i] >> config.shift;
	config.size = job->by_size;
	if (config.by == CURVE_BY_SITE)
		error = code_map_open(&job->code_map, job->source->stream);
	return error ? error
		     : curve_by_open(&job->by, &config, job->source->stream);
}

int
curve_parts_open(struct curve_job *job)
{
	int error = job->options->associativity ? open_shapes(job) : 0;

	if (!error && job->options->by)
		error = open_by(job);
	return error;
}

void
curve_parts_close(struct curve_job *job)
{
	model_close(job->shapes);
	model_close(job->by);
	model_close(job->code_map);
	free(job->by_size);
}

/* --- names ------------------------------------------------------------------ */

static char *
group_name(const struct curve_job *job, size_t group)
{
	const struct stream *stream = job->source->stream;
	char *name = NULL;
	int n = 0;

	switch (by_models[job->options->by]) {
	case CURVE_BY_THREAD:
		n = asprintf(&name, "thread %u",
			     stream_thread(stream, (uint32_t)group)->tid);
		break;
	case CURVE_BY_PROCESS:
		n = asprintf(&name, "process %u", curve_by_pid(job->by, group));
		break;
	case CURVE_BY_MAPPING:
		name = strdup(curve_by_name(job->by, group));
		break;
	case CURVE_BY_NOTHING:
	case CURVE_BY_SITE:
		break;
	}
	return n < 0 ? NULL : name;
}

/* Add a group to the part of this name, which is taken. */
static int
add_part(struct parts *parts, const struct model *by, size_t group, char *name)
{
	struct part *part = NULL;

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; !part && i < parts->n; i++)
		if (!strcmp(parts->part[i].name, name))
			part = &parts->part[i];
	if (part) {
		free(name);
	} else {
		part = reallocarray(parts->part, parts->n + 1, sizeof(*part));
		if (!part) {
			free(name);
			return -ENOMEM;
		}
		parts->part = part;
		part = &part[parts->n++];
		*part = (struct part){ .name = name };
		part->misses = calloc(parts->sizes + 1, sizeof(*part->misses));
		if (!part->misses)
			return -ENOMEM;
	}
	part->references += curve_by_references(by, group);
	for (size_t i = 0; i < parts->sizes; i++)
		part->misses[i] += curve_by_misses(by, group, i);
	return 0;
}

/* Sites that made references, in a document that symbols_resolve names. */
static int
name_sites(struct curve_job *job, struct result *sites)
{
	static const char *const columns[] = {
		"image:",	"pc:",	  "l1_misses:", "walks:",
		"walk_cycles:", "group:", NULL
	};
	const struct stream *stream = job->source->stream;
	struct symbols *symbols;
	int error = result_table(sites, "sites", "", columns);

	for (size_t i = 0; !error && i < curve_by_groups(job->by); i++) {
		const struct site *site = stream_site(stream, (uint32_t)i);

		if (curve_by_references(job->by, i))
			error = result_row(sites, "sites", "uxuuuu",
					   (uint64_t)site->image, site->pc,
					   UINT64_C(0), UINT64_C(0),
					   UINT64_C(0), (uint64_t)i);
	}
	if (!error)
		error = symbols_open(&symbols, job->code_map, stream);
	if (error)
		return error;
	error = symbols_resolve(symbols, sites);
	symbols_close(symbols);
	return error;
}

static int
add_functions(struct curve_job *job, struct parts *parts)
{
	struct view_table table;
	struct result *sites;
	int error = result_open(&sites);

	if (error)
		return error;
	error = name_sites(job, sites);
	if (!error && view_table(sites, "sites", &table)) {
		int function = view_column(&table, "function");
		int group = view_column(&table, "group");

		for (size_t i = 0; !error && i < table.n_rows; i++)
			error = add_part(parts, job->by,
					 view_address(&table, i, group),
					 strdup(view_text(&table, i,
							  function)));
	}
	result_close(sites);
	return error;
}

static int
add_groups(struct curve_job *job, struct parts *parts)
{
	int error = 0;

	if (by_models[job->options->by] == CURVE_BY_SITE)
		return add_functions(job, parts);
	for (size_t i = 0; !error && i < curve_by_groups(job->by); i++)
		if (curve_by_references(job->by, i))
			error = add_part(parts, job->by, i, group_name(job, i));
	return error;
}

/* --- rows ------------------------------------------------------------------- */

/* Who refers most comes first. */
static int
by_references(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->references != y->references)
		return x->references < y->references ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* All behind the first `top` become one, where they share a memory. */
static void
join_rest(struct parts *parts, size_t top)
{
	struct part *rest = &parts->part[top];

	for (size_t k = top + 1; k < parts->n; k++) {
		rest->references += parts->part[k].references;
		for (size_t i = 0; i < parts->sizes; i++)
			rest->misses[i] += parts->part[k].misses[i];
	}
}

static int
put_part(struct curve_job *job, const struct parts *parts,
	 const struct part *part, const char *name)
{
	struct curve_view view;
	int error = 0;

	curve_view(job->model, &view);
	for (size_t i = 0; !error && i < parts->sizes; i++) {
		uint64_t pages = parts->size[i];
		double ratio = view.accesses ? (double)part->misses[i] /
						       (double)view.accesses
					     : 0;

		error = result_row(job->result, "curve", "suuudnnns", "lru",
				   pages << curve_shift(job->options), pages,
				   part->misses[i], ratio, name);
	}
	return error;
}

static int
put_parts(struct curve_job *job, struct parts *parts)
{
	static const char *const columns[] = { "of:", "references:references",
					       NULL };
	size_t top = (size_t)job->options->top;
	char others[48];
	int error;

	if (parts->n)
		qsort(parts->part, parts->n, sizeof(*parts->part),
		      by_references);
	error = result_table(job->result, "curve.parts",
			     "Who has a curve of its own, and others", columns);
	for (size_t k = 0; !error && k < parts->n; k++)
		error = result_row(job->result, "curve.parts", "su",
				   parts->part[k].name,
				   parts->part[k].references);
	for (size_t k = 0; !error && k < parts->n && k < top; k++)
		error = put_part(job, parts, &parts->part[k],
				 parts->part[k].name);
	if (error || parts->n <= top || job->options->alone)
		return error;
	snprintf(others, sizeof(others), "%zu others", parts->n - top);
	join_rest(parts, top);
	return put_part(job, parts, &parts->part[top], others);
}

static int
put_by(struct curve_job *job)
{
	uint64_t size[OCTAVES_BINS];
	struct parts parts = { .size = job->by_size, .sizes = job->sizes.n };
	struct curve_view view;
	int error;

	curve_view(job->model, &view);
	if (!parts.sizes) {
		parts.size = size;
		parts.sizes = curve_result_sizes(reuse_peak(view.reuse), size);
	}
	error = add_groups(job, &parts);
	if (!error)
		error = put_parts(job, &parts);
	for (size_t i = 0; i < parts.n; i++) {
		free(parts.part[i].name);
		free(parts.part[i].misses);
	}
	free(parts.part);
	return error;
}

int
curve_parts_put(struct curve_job *job)
{
	double accesses = 0;
	int error = 0;

	view_value(job->result, "accesses", &accesses);
	if (job->by)
		error = put_by(job);
	if (!error && job->shapes)
		error = associativity_result(job->shapes, (uint64_t)accesses,
					     job->result);
	if (!error && job->options->by)
		error = result_option(job->result, "by",
				      curve_bys[job->options->by]);
	return error;
}
