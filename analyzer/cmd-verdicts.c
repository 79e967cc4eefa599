// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts of a source; see cmd-verdicts.h. */
#include "analyzer/cmd-verdicts.h"

#include "analyzer/fail.h"
#include "models/analysis/curve-result.h"
#include "models/machine-list.h"
#include "reports/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPECS_MAX  32
#define SPEC_BYTES 512

struct verdicts {
	struct verdicts_request request;
	const struct topic_ops *topic[VERDICTS_TOPICS];
	char *spec[SPECS_MAX + 1]; /* owned: for --machine */
	size_t n_specs;
	char **sets; /* owned, not its strings */
	struct replay *replay;
	struct model *curve; /* the replay's; NULL: nobody asks */
	const struct stream *stream;
};

const struct topic_ops *
verdicts_topic(const char *name)
{
	const char *names[SPECS_MAX], *near;
	char all[256] = "";
	size_t n = 0;

	for (; topic_registry[n] && n < SPECS_MAX; n++) {
		names[n] = topic_registry[n]->name;
		if (!strcmp(names[n], name))
			return topic_registry[n];
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			 n ? ", " : "", names[n]);
	}
	near = option_nearest(name, names, n);
	if (near)
		fail(EUSAGE, "advise: no topic \"%s\"; did you mean \"%s\"?",
		     name, near);
	else
		fail(EUSAGE, "advise: no topic \"%s\"; there are %s", name,
		     all);
	return NULL;
}

int
verdicts_runtime(struct result *result, uint64_t runtime_ns, uint64_t system_ns)
{
	int error = runtime_ns ? result_count(result, "runtime.ns", runtime_ns,
					      "ns")
			       : 0;

	if (!error && system_ns)
		error = result_count(result, "runtime.system.ns", system_ns,
				     "ns");
	return error;
}

/* How the plain machine is called: as its preset or file. */
static void
plain_name(const struct replay_config *config, char *name, size_t bytes)
{
	const char *from = config->config ? config->config
			   : config->cpu  ? config->cpu
					  : MACHINE_DEFAULT;
	const char *slash = strrchr(from, '/');

	from = slash ? slash + 1 : from;
	snprintf(name, bytes, "%.*s", (int)strcspn(from, ".=:,"), from);
	if (!*name)
		snprintf(name, bytes, "%s", MACHINE_DEFAULT);
}

/* "2x": so many times what the plain machine has, as a number.  The rest of a
 * spec stays as it is. */
static int
scale(const struct machine_config *plain, const char *from, char *to)
{
	char *start = to, *end = to + SPEC_BYTES - 1;

	while (*from && to < end) {
		const char *equal = strchr(from, '=');
		size_t n = strcspn(from, ":,");
		char name[96], now[64];
		const struct option_row *row;
		size_t offset;
		char *suffix = NULL;
		double times = 0;

		if (equal && equal < from + n)
			times = strtod(equal + 1, &suffix);
		if (suffix && times > 0 && *suffix == 'x') {
			snprintf(name, sizeof(name), "%.*s",
				 (int)(equal - from), from);
			row = option_find(&machine_options, name, &offset);
			if (!row)
				return fail(EINVAL, "advise: no option %s",
					    name);
			option_print(row, (const char *)plain + offset, now,
				     sizeof(now));
			to += snprintf(to, (size_t)(end - to), "%s=%.0f%.1s",
				       name, times * strtod(now, NULL),
				       from + n);
		} else {
			to += snprintf(to, (size_t)(end - to), "%.*s",
				       (int)n + (from[n] != '\0'), from);
		}
		from += n + (from[n] != '\0');
	}
	return to < end ? 0 : fail(EINVAL, "advise: %s: too long", start);
}

static bool
is_known(const struct verdicts *verdicts, const char *spec)
{
	size_t label = strcspn(spec, "=") + 1;

	for (size_t i = 0; i < verdicts->n_specs; i++)
		if (!strncmp(verdicts->spec[i], spec, label))
			return true;
	return false;
}

static int
add_spec(struct verdicts *verdicts, const struct machine_config *plain,
	 const char *spec)
{
	char scaled[SPEC_BYTES];
	int error = scale(plain, spec, scaled);

	if (error || is_known(verdicts, scaled))
		return error;
	if (verdicts->n_specs == SPECS_MAX)
		return fail(EINVAL, "advise: more than %d machines", SPECS_MAX);
	verdicts->spec[verdicts->n_specs] = strdup(scaled);
	return verdicts->spec[verdicts->n_specs++]
		       ? 0
		       : fail(ENOMEM, "advise: no memory");
}

static int
add_specs(struct verdicts *verdicts, const struct machine_config *plain)
{
	const struct verdicts_request *request = &verdicts->request;
	char name[64], spec[SPEC_BYTES];
	int error;

	plain_name(&request->replay, name, sizeof(name));
	snprintf(spec, sizeof(spec), "%s=:time.regions=yes%s%s", name,
		 *request->plain ? "," : "", request->plain);
	error = add_spec(verdicts, plain, spec);
	for (size_t i = 0; !error && i < request->n; i++) {
		const char *const *machine = request->topic[i]->machines;

		if (request->lean && !request->topic[i]->lean)
			continue;
		for (; !error && machine && *machine; machine++)
			error = add_spec(verdicts, plain, *machine);
	}
	return error;
}

/* --set for all of them, and what data needs */
static int
add_sets(struct verdicts *verdicts)
{
	char **set = verdicts->request.replay.set;
	size_t n = 0;

	while (set && set[n])
		n++;
	verdicts->sets = calloc(n + 2, sizeof(char *));
	if (!verdicts->sets)
		return fail(ENOMEM, "advise: no memory");
	/* The user's come last, so that they can say no. */
	if (verdicts->request.data)
		verdicts->sets[0] = (char *)(uintptr_t) "cache.data=true";
	for (size_t i = 0; i < n; i++)
		verdicts->sets[i + verdicts->request.data] = set[i];
	return 0;
}

static int
configure(struct verdicts *verdicts)
{
	const struct replay_config *config = &verdicts->request.replay;
	struct machine_config plain;
	int error = add_sets(verdicts);

	if (error)
		return error;
	if (option_init(&machine_options, &plain))
		return fail(ENOMEM, "advise: no memory");
	error = machine_configure(&plain, config->cpu, config->config,
				  verdicts->sets);
	if (!error)
		error = add_specs(verdicts, &plain);
	option_fini(&machine_options, &plain);
	verdicts->request.replay.set = verdicts->sets;
	verdicts->request.replay.machine = verdicts->spec;
	return error;
}

static int
open_curve(struct verdicts *verdicts, const struct stream *stream)
{
	const struct curve_config config = { .shift = 12, .fetches = true };
	bool wanted = false;
	int error;

	for (size_t i = 0; i < verdicts->request.n; i++)
		wanted |= verdicts->request.topic[i]->curve;
	if (!wanted)
		return 0;
	error = curve_open(&verdicts->curve, &config, stream);
	if (!error)
		replay_add(verdicts->replay, verdicts->curve);
	return error;
}

int
verdicts_open(struct verdicts **out, const struct verdicts_request *request,
	      struct source *source)
{
	struct verdicts *verdicts = calloc(1, sizeof(*verdicts));
	int error;

	if (!verdicts)
		return fail(ENOMEM, "advise: no memory");
	verdicts->request = *request;
	for (size_t i = 0; i < request->n && i < VERDICTS_TOPICS; i++)
		verdicts->topic[i] = request->topic[i];
	verdicts->request.topic = verdicts->topic;
	verdicts->stream = source->stream;
	error = configure(verdicts);
	if (!error)
		error = replay_open(&verdicts->replay, request->call,
				    &verdicts->request.replay, source,
				    request->name);
	if (!error)
		error = open_curve(verdicts, source->stream);
	if (error)
		verdicts_close(verdicts);
	else
		*out = verdicts;
	return error;
}

int
verdicts_feed(struct verdicts *verdicts)
{
	return replay_feed(verdicts->replay);
}

/* What the curve comes to becomes values of the whole document. */
static int
finish_curve(struct verdicts *verdicts, struct result *result)
{
	const struct curve_options none = { 0 };
	const struct curve_options *options = verdicts->request.curve;
	struct curve_result_config config = { .unit = "page",
					      .shift = 12,
					      .seed = 1 };
	int error = verdicts->curve->methods->finish(verdicts->curve, NULL);

	options = options ? options : &none;
	curve_costs(&config.need, options);
	if (!error)
		error = curve_result_values(verdicts->curve, &config, result);
	if (!error)
		error = curve_cost_options(result, options);
	return error == -ENOMEM ? fail(ENOMEM, "advise: no memory") : error;
}

/* How long nothing was recorded, of a program that was sampled */
static int
put_unrecorded(const struct verdicts *verdicts, struct result *result)
{
	const json_t *ns = json_object_get(stream_about(verdicts->stream),
					   "unrecorded_ns");

	return ns ? result_count(result, "runtime.unrecorded.ns",
				 (uint64_t)json_integer_value(ns), "ns")
		  : 0;
}

int
verdicts_finish(struct verdicts *verdicts, struct result **out)
{
	const struct verdicts_request *request = &verdicts->request;
	struct result *result;
	int error = replay_document(verdicts->replay, &result);

	if (!error && verdicts->curve)
		error = finish_curve(verdicts, result);
	if (!error &&
	    (put_unrecorded(verdicts, result) ||
	     verdicts_runtime(result, request->runtime_ns, request->system_ns)))
		error = fail(ENOMEM, "advise: no memory");
	if (!error)
		error = verdicts_judge(result, request->topic, request->n);
	*out = result;
	return error;
}

void
verdicts_close(struct verdicts *verdicts)
{
	if (!verdicts)
		return;
	replay_close(verdicts->replay);
	for (size_t i = 0; i < verdicts->n_specs; i++)
		free(verdicts->spec[i]);
	free(verdicts->sets);
	free(verdicts);
}
