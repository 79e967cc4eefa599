// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Choosing an importer, by name or by looking at the file.
 */
#include "traces/importer.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "traces/input.h"
#include "traces/text.h"

#define NAMES_MAX 64

/* Less than this is a guess: better to ask for --from. */
#define SCORE_MIN 20

static const struct importer_ops *
find(const char *name)
{
	const char *names[NAMES_MAX];
	const char *nearest;
	size_t n = 0;

	for (; importer_registry[n] && n < NAMES_MAX; n++) {
		names[n] = importer_registry[n]->name;
		if (!strcmp(names[n], name))
			return importer_registry[n];
	}
	nearest = option_nearest(name, names, n);
	fail(EUSAGE, "import: unknown format \"%s\"%s%s%s", name,
	     nearest ? "; did you mean \"" : "", nearest ? nearest : "",
	     nearest ? "\"?" : "");
	return NULL;
}

/* Say why none was recognised */
static void
unrecognised(const struct input *input, const char *start, size_t bytes)
{
	char text[640];

	for (size_t i = 0; importer_registry[i]; i++) {
		const struct importer_ops *ops = importer_registry[i];

		if (!ops->hint || !ops->hint(start, bytes, text, sizeof(text)))
			continue;
		fail(EINVAL, "%s: %s", input_name(input), text);
		return;
	}
	if (bytes && *start == '{') {
		fail(EINVAL,
		     "%s: JSON, not a trace: a result is for `pagescope "
		     "report', plot, diff, explain and advise",
		     input_name(input));
		return;
	}
	text_quote(text, sizeof(text), start, start + bytes);
	fail(EINVAL,
	     "%s: no known trace format: it begins with \"%s\" "
	     "(if you know it, say --from FORMAT)",
	     input_name(input), text);
}

static const struct importer_ops *
recognise(struct input *input)
{
	const struct importer_ops *best = NULL;
	const char *start;
	size_t bytes;
	int best_score = SCORE_MIN - 1;

	if (input_peek(input, &start, &bytes))
		return NULL;
	for (size_t i = 0; importer_registry[i]; i++) {
		int score = importer_registry[i]->recognise(start, bytes);

		if (score > best_score) {
			best_score = score;
			best = importer_registry[i];
		}
	}
	if (!best && !bytes)
		fail(EINVAL, "%s: empty", input_name(input));
	else if (!best)
		unrecognised(input, start, bytes);
	return best;
}

/* Its options from their defaults and `assign` */
static int
configure(const struct importer_ops *ops, const char *const *assign,
	  void *config)
{
	int error = option_init(ops->options, config);

	for (; !error && assign && *assign; assign++)
		error = option_assign(ops->options, config, "--set", *assign);
	return error == -EINVAL ? -EUSAGE : error;
}

static int
open_with(struct source **out, const struct importer_ops *ops,
	  const struct importer_request *request, struct importer_setup *setup)
{
	void *config;
	int error;

	if (!ops->options) {
		if (request->assign && *request->assign) {
			input_close(setup->input);
			return fail(EUSAGE, "--set %s: %s has no options",
				    *request->assign, ops->name);
		}
		return ops->open(out, setup);
	}
	config = calloc(1, ops->options->config_bytes);
	error = config ? configure(ops, request->assign, config)
		       : fail(ENOMEM, "import: no memory");
	setup->options = config;
	if (!error)
		error = ops->open(out, setup);
	else
		input_close(setup->input);
	if (config)
		option_fini(ops->options, config);
	free(config);
	return error;
}

int
importer_open(struct source **out, const struct importer_request *request)
{
	struct importer_setup setup = {
		.paths = request->paths,
		.keep_going = request->keep_going,
	};
	const struct importer_ops *ops = NULL;
	int error;

	if (request->format && strcmp(request->format, "auto")) {
		ops = find(request->format);
		return ops ? open_with(out, ops, request, &setup) : -EUSAGE;
	}
	error = input_open(&setup.input, request->paths[0]);
	if (error)
		return error;
	ops = recognise(setup.input);
	if (!ops) {
		input_close(setup.input);
		return -EINVAL;
	}
	return open_with(out, ops, request, &setup);
}
