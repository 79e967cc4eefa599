/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our traces in other people's formats.  One file a format, registered from
 * EXPORTERS in Makefile.am.  An exporter is a model: it is fed batches, and
 * its finish writes the end and says once what the format had no room for.
 */
#ifndef TRACES_EXPORTER_H
#define TRACES_EXPORTER_H

#include "analyzer/model.h"

struct exporter_setup {
	const char *path; /* "-": stdout; packed if it ends in .gz, .xz, .zst */
	const struct stream *stream;
	const void *options; /* of ops->options, where it has some */
};

struct exporter_ops {
	const char *name;
	const char *help;
	const struct option_tree *options;
	/* 0 or a negative errno (said) */
	int (*open)(struct model **out, const struct exporter_setup *setup);
};

struct exporter_request {
	const char *format;
	const char *path;
	const char *const *assign; /* "champsim.ip=4096", ...; or NULL */
	const struct stream *stream;
};

/* 0 or a negative errno (said): -EUSAGE for an unknown format or option. */
int exporter_open(struct model **out, const struct exporter_request *request);

struct exporter_totals {
	uint64_t accesses; /* that it was fed */
	uint64_t bytes;	   /* that it wrote, before packing */
};

void exporter_totals(const struct model *exporter,
		     struct exporter_totals *totals);

extern const struct exporter_ops *const exporter_registry[];

#endif
