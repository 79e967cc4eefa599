/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces of other people's formats as sources.  One file a format, registered
 * from IMPORTERS in Makefile.am.
 */
#ifndef TRACES_IMPORTER_H
#define TRACES_IMPORTER_H

#include "analyzer/option.h"
#include "analyzer/source.h"

struct input;

struct importer_setup {
	/*
	 * One or more, ended by NULL, as one trace in this order; "-": stdin;
	 * gz, xz, zst are seen by content.
	 */
	const char *const *paths;
	struct input *input; /* the first path, open already; NULL: it is not.
			      * Belongs to open, also when that fails. */
	bool keep_going;     /* count bad records and skip them */
	const void *options; /* of ops->options, where it has some */
};

struct importer_ops {
	const char *name;
	const char *help;
	const struct option_tree *options;
	/* Does the start of the (uncompressed) file look like it? 0..100 */
	int (*recognise)(const char *start, size_t bytes);
	/* The same, where no format was recognised: may this one be it, and
	 * what must be said then?  May be NULL. */
	bool (*hint)(const char *start, size_t bytes, char *text,
		     size_t text_bytes);
	int (*open)(struct source **out, const struct importer_setup *setup);
};

struct importer_request {
	const char *format;	   /* a name; NULL or "auto": recognise it */
	const char *const *paths;  /* as importer_setup */
	const char *const *assign; /* "csv.column=2", ...; NULL-ended or NULL */
	bool keep_going;
};

/*
 * Open foreign traces as a source.  Recognition takes the format that the
 * start of the first file looks like most; on a tie the first of IMPORTERS.
 * 0 or a negative errno (said): -EUSAGE for an unknown format or option.
 */
int importer_open(struct source **out, const struct importer_request *request);

extern const struct importer_ops *const importer_registry[];

#endif
