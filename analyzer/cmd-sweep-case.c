// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A point of a sweep as replay's options, as a command line and as a name.
 * That replay and a sweep mean the same by the same options is because both go
 * through struct replay_config.
 */
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"
#include "traces/open.h"
#include "traces/pst.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

size_t
sweep_trace_of(const struct sweep_plan *plan, size_t point)
{
	return point / (plan->n_points / plan->n_traces);
}

size_t
sweep_value_of(const struct sweep_plan *plan, size_t point, size_t axis)
{
	for (size_t k = plan->n_axes - 1; k > axis; k--)
		point /= plan->axis[k].n;
	return point % plan->axis[axis].n;
}

void
sweep_point_text(const struct sweep_plan *plan, size_t point, char *text,
		 size_t bytes)
{
	size_t used = 0;

	text[0] = '\0';
	if (plan->n_traces > 1)
		used = (size_t)
			snprintf(text, bytes, "%s",
				 plan->trace[sweep_trace_of(plan, point)].name);
	for (size_t k = 0; k < plan->n_axes && used < bytes; k++) {
		const struct sweep_axis *axis = &plan->axis[k];

		used += (size_t)
			snprintf(text + used, bytes - used, "%s%s=%s",
				 used ? ", " : "", axis->name,
				 axis->value[sweep_value_of(plan, point, k)]);
	}
}

void
sweep_case_fini(struct sweep_case *one)
{
	for (size_t i = one->n - one->own; one->set && i < one->n; i++)
		free(one->set[i]);
	free(one->set);
	*one = (struct sweep_case){ 0 };
}

static int
apply(struct sweep_case *one, const struct sweep_axis *axis, char *value)
{
	struct option_row row;

	switch (axis->layer) {
	case SWEEP_CPU:
		one->config.cpu = value;
		return 0;
	case SWEEP_CONFIG:
		one->config.config = value;
		return 0;
	case SWEEP_MEMORY:
		row = *axis->row;
		row.offset = 0;
		return option_set_row(&row, &one->config.memory, "plan.json",
				      axis->name, value);
	default:
		if (asprintf(&one->set[one->n], "%s=%s", axis->name, value) < 0)
			return fail(ENOMEM, "sweep: no memory");
		one->n++;
		one->own++;
		return 0;
	}
}

int
sweep_case_init(struct sweep_case *one, const struct sweep_plan *plan,
		size_t point)
{
	char **common = plan->common.set;
	size_t n = 0;
	int error = 0;

	while (common && common[n])
		n++;
	*one = (struct sweep_case){ .config = plan->common, .n = n };
	one->set = calloc(one->n + plan->n_axes + 1, sizeof(*one->set));
	if (!one->set)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < n; i++)
		one->set[i] = common[i];
	for (size_t k = 0; !error && k < plan->n_axes; k++)
		error = apply(one, &plan->axis[k],
			      plan->axis[k]
				      .value[sweep_value_of(plan, point, k)]);
	one->config.set = one->set;
	one->config.input = plan->trace[sweep_trace_of(plan, point)].name;
	if (error)
		sweep_case_fini(one);
	return error;
}

static void
add(json_t *words, const char *word)
{
	json_array_append_new(words, result_string(word));
}

static void
add_pair(json_t *words, const char *option, const char *value)
{
	if (!value)
		return;
	add(words, option);
	add(words, value);
}

static void
add_count(json_t *words, const char *option, uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	add_pair(words, option, n ? text : NULL);
}

void
sweep_common_words(json_t *words, const struct replay_config *config)
{
	if (config->recover)
		add(words, "--recover");
	add_pair(words, "--cpu", config->cpu);
	add_pair(words, "--config", config->config);
	for (size_t i = 0; config->set && config->set[i]; i++)
		add_pair(words, "--set", config->set[i]);
	add_count(words, "--seed", (uint64_t)config->seed);
	add_count(words, "--memory", config->memory);
	add_count(words, "--max-accesses", config->max_accesses);
	if (!config->symbols)
		add(words, "--no-symbols");
}

json_t *
sweep_case_command(const struct sweep_case *one)
{
	json_t *words = json_array();

	add(words, "pagescope");
	add(words, "replay");
	add(words, one->config.input);
	sweep_common_words(words, &one->config);
	return words;
}

/* "xxh128:..." of all bytes of a file */
static int
digest_file(char *text, size_t bytes, const char *path)
{
	FILE *file = fopen(path, "re");
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t canonical;
	char *block = malloc(1 << 20);
	size_t n, used;
	int error = 0;

	if (!file)
		error = fail_errno(errno, "%s", path);
	else if (!state || !block)
		error = fail(ENOMEM, "sweep: no memory");
	else
		XXH3_128bits_reset(state);
	while (!error && (n = fread(block, 1, 1 << 20, file)))
		XXH3_128bits_update(state, block, n);
	if (!error && ferror(file))
		error = fail_errno(errno, "%s", path);
	if (!error) {
		XXH128_canonicalFromHash(&canonical,
					 XXH3_128bits_digest(state));
		used = (size_t)snprintf(text, bytes, "xxh128:");
		for (size_t i = 0; i < sizeof(canonical.digest); i++)
			used += (size_t)snprintf(text + used, bytes - used,
						 "%02x", canonical.digest[i]);
	}
	if (file)
		fclose(file);
	XXH3_freeState(state);
	free(block);
	return error;
}

/* A .pst knows its own. */
static int
digest_pst(char *text, size_t bytes, const char *path, bool recover)
{
	struct pst_summary summary;
	struct source *source = NULL;
	int error = pst_reader_open(&source, path, recover);

	if (error)
		return error;
	pst_reader_summary(source, &summary);
	source_close(source);
	if (!summary.complete || !summary.digest[0])
		return digest_file(text, bytes, path);
	snprintf(text, bytes, "%s", summary.digest);
	return 0;
}

int
sweep_digest(char **out, const char *trace, bool recover)
{
	char text[64];
	int error = 0;

	switch (source_kind(trace)) {
	case OPEN_GENERATE:
		*out = strdup(trace);
		return *out ? 0 : fail(ENOMEM, "sweep: no memory");
	case OPEN_PST:
		error = strcmp(trace, "-")
				? digest_pst(text, sizeof(text), trace, recover)
				: fail(EUSAGE,
				       "sweep: -: a trace is read more than "
				       "once, so it has to be a file");
		break;
	default:
		error = digest_file(text, sizeof(text), trace);
	}
	if (error)
		return error;
	*out = strdup(text);
	return *out ? 0 : fail(ENOMEM, "sweep: no memory");
}

static void
hash_line(XXH3_state_t *state, const char *name, const char *value)
{
	XXH3_64bits_update(state, name, strlen(name));
	XXH3_64bits_update(state, "=", 1);
	XXH3_64bits_update(state, value, strlen(value) + 1);
}

int
sweep_hash(char hash[SWEEP_HASH_BYTES], const struct sweep_plan *plan,
	   const char *digest, json_t *document)
{
	json_t *machine =
		json_object_get(json_object_get(document, "provenance"),
				"machine");
	const char *cpu = json_string_value(json_object_get(machine, "cpu"));
	XXH3_state_t *state = XXH3_createState();
	const char *name;
	char number[64];
	json_t *value;

	if (!state)
		return fail(ENOMEM, "sweep: no memory");
	XXH3_64bits_reset(state);
	snprintf(number, sizeof(number), "%s %d", PACKAGE_VERSION,
		 RESULT_SCHEMA);
	hash_line(state, "pagescope", number);
	hash_line(state, "trace", digest);
	snprintf(number, sizeof(number), "%" PRIu64, plan->common.max_accesses);
	hash_line(state, "accesses", number);
	hash_line(state, "symbols", plan->common.symbols ? "yes" : "no");
	hash_line(state, "recover", plan->common.recover ? "yes" : "no");
	hash_line(state, "cpu", cpu ? cpu : "");
	json_object_foreach(json_object_get(document, "options"), name, value)
	{
		hash_line(state, name, json_string_value(value));
	}
	snprintf(hash, SWEEP_HASH_BYTES, "%016" PRIx64,
		 (uint64_t)XXH3_64bits_digest(state));
	XXH3_freeState(state);
	return 0;
}
