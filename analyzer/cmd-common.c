// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/cmd-common.h"
#include "analyzer/fail.h"
#include "reports/renderer.h"
#include "reports/view.h"
#include "traces/pst.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

json_t *
common_command(const struct verb_call *call)
{
	static const char *const without[] = { "-o", "--output", "-j", "--jobs",
					       "--segments" };
	json_t *words = json_array();

	for (int i = 0; i < call->full_argc; i++) {
		const char *word = call->full_argv[i];
		bool skip = !strcmp(word, "--mpi");

		for (size_t k = 0; k < ARRAY_SIZE(without) && !skip; k++) {
			size_t n = strlen(without[k]);

			if (!strcmp(word, without[k])) {
				skip = true;
				i++;
			} else if (!strncmp(word, without[k], n)) {
				skip = n == 2 || word[n] == '=';
			}
		}
		if (!skip)
			json_array_append_new(words,
					      result_string(i ? word
							      : "pagescope"));
	}
	return words;
}

int
common_option(void *result, const char *name, const struct option_row *row,
	      const void *start)
{
	char text[512];

	option_print(row, start, text, sizeof(text));
	return result_option(result, name, text);
}

/* What the trace says of its losses, as the reason why a result is partial */
static int
tell_losses(struct result *result, const json_t *losses)
{
	char text[1024] = "the trace was made with losses";
	size_t n = strlen(text), i;
	const json_t *loss;

	json_array_foreach(losses, i, loss)
	{
		const char *words = json_string_value(loss);

		if (!words || n + strlen(words) + 4 > sizeof(text))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
				      i ? "; " : ": ", words);
	}
	return result_partial(result, text);
}

int
common_trace(struct result *result, struct source *source, const char *name)
{
	struct pst_summary summary;
	json_t *about = stream_about(source->stream);
	json_t *trace = json_object();

	json_object_set_new(trace, "name", result_string(name));
	json_object_update(trace, about);
	if (json_array_size(json_object_get(about, "losses")))
		tell_losses(result, json_object_get(about, "losses"));
	if (pst_reader_is(source)) {
		pst_reader_summary(source, &summary);
		if (summary.digest[0])
			json_object_set_new(trace, "digest",
					    json_string(summary.digest));
		if (summary.lost_bytes || !summary.complete)
			result_partial(result, "the trace is incomplete");
	}
	return result_provenance(result, "trace", trace);
}

int
common_directories(const char *path)
{
	char *part = strdup(path);
	int error = part ? 0 : fail(ENOMEM, "%s: no memory", path);

	for (char *at = part; !error && at; at = strchr(at + 1, '/')) {
		char *end = strchr(at + 1, '/');

		if (end)
			*end = '\0';
		if (*part && mkdir(part, 0777) && errno != EEXIST)
			error = fail_errno(errno, "%s", part);
		if (!end)
			break;
		*end = '/';
	}
	free(part);
	return error;
}

unsigned
common_jobs(int64_t jobs)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (jobs >= 0)
		return (unsigned)jobs;
	return n > 1 ? (unsigned)n - 1 : 0;
}

int
common_show(struct result *result, const char *output,
	    int (*print)(const struct result *result,
			 const struct render_setup *setup, FILE *file))
{
	struct render_setup setup = { 0 };
	bool partial = view_partial(result) != NULL;
	int error;

	if (output) {
		error = result_write(result, output);
	} else {
		render_terminal(&setup);
		error = print(result, &setup, stdout);
	}
	result_close(result);
	if (error)
		return error;
	return partial ? STATUS_PARTIAL : STATUS_OK;
}
