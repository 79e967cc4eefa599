/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who receives batches: a machine, an analysis, the trace writer, dump.
 * A model neither reads input nor prints: it counts, and at the end puts what
 * it counted into the result.  Registered by name from MODELS in Makefile.am.
 */
#ifndef ANALYZER_MODEL_H
#define ANALYZER_MODEL_H

#include "analyzer/batch.h"
#include "analyzer/option.h"
#include "analyzer/result.h"

struct model;

struct model_methods {
	/* Take one batch.  0 or a negative errno (said), which ends the run. */
	int (*feed)(struct model *model, const struct batch *batch);
	/* After the last batch.  Put values into the result; may be NULL. */
	int (*finish)(struct model *model, struct result *result);
	/* NULL is allowed. */
	void (*close)(struct model *model);
	/* It reads the packed form if there is one and needs no columns. */
	bool packed;
};

/* The first member of each model's own struct. */
struct model {
	const struct model_methods *methods;
};

/* How a registered model is made. */
struct model_ops {
	const char *name;
	const char *help;
	const struct option_tree *options; /* its configuration, or NULL */
	/* config is of options->config_bytes; the stream outlives the model.
	 * 0, or a negative errno (said). */
	int (*open)(struct model **out, const void *config,
		    const struct stream *stream);
};

static inline void
model_close(struct model *model)
{
	if (model)
		model->methods->close(model);
}

/* Generated from MODELS in Makefile.am; ends with NULL. */
extern const struct model_ops *const model_registry[];

#endif
