/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces of other people's formats as sources.  One file a format, registered
 * from IMPORTERS in Makefile.am.
 */
#ifndef TRACES_IMPORTER_H
#define TRACES_IMPORTER_H

#include "analyzer/option.h"
#include "analyzer/source.h"

struct importer_setup {
	const char *path;    /* "-": stdin; gz, xz, zst are seen by content */
	bool keep_going;     /* count bad records and skip them */
	const void *options; /* of ops->options, or NULL */
};

struct importer_ops {
	const char *name;
	const char *help;
	const struct option_tree *options;
	/* Does the start of the (uncompressed) file look like it? 0..100 */
	int (*recognise)(const char *start, size_t bytes);
	int (*open)(struct source **out, const struct importer_setup *setup);
};

extern const struct importer_ops *const importer_registry[];

#endif
