// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Choosing an exporter by name.
 */
#include "traces/exporter.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define NAMES_MAX 64

static const struct exporter_ops *
find(const char *name)
{
	const char *names[NAMES_MAX];
	const char *nearest;
	size_t n = 0;

	for (; exporter_registry[n] && n < NAMES_MAX; n++) {
		names[n] = exporter_registry[n]->name;
		if (!strcmp(names[n], name))
			return exporter_registry[n];
	}
	nearest = option_nearest(name, names, n);
	fail(EUSAGE, "export: unknown format \"%s\"%s%s%s", name,
	     nearest ? "; did you mean \"" : "", nearest ? nearest : "",
	     nearest ? "\"?" : "");
	return NULL;
}

static int
open_configured(struct model **out, const struct exporter_ops *ops,
		const struct exporter_request *request,
		struct exporter_setup *setup)
{
	const char *const *assign = request->assign;
	void *config = calloc(1, ops->options->config_bytes);
	int error;

	if (!config)
		return fail(ENOMEM, "export: no memory");
	error = option_init(ops->options, config);
	for (; !error && assign && *assign; assign++)
		error = option_assign(ops->options, config, "--set", *assign);
	error = error == -EINVAL ? -EUSAGE : error;
	setup->options = config;
	if (!error)
		error = ops->open(out, setup);
	option_fini(ops->options, config);
	free(config);
	return error;
}

int
exporter_open(struct model **out, const struct exporter_request *request)
{
	struct exporter_setup setup = { .path = request->path,
					.stream = request->stream };
	const struct exporter_ops *ops = find(request->format);

	if (!ops)
		return -EUSAGE;
	if (ops->options)
		return open_configured(out, ops, request, &setup);
	if (request->assign && *request->assign)
		return fail(EUSAGE, "--set %s: %s has no options",
			    *request->assign, ops->name);
	return ops->open(out, &setup);
}
