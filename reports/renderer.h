/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A renderer turns a result document into text of one format.  Registered
 * from RENDERERS in Makefile.am.
 */
#ifndef REPORTS_RENDERER_H
#define REPORTS_RENDERER_H

#include "analyzer/result.h"

#include <stdio.h>

struct render_setup {
	const char *table; /* only this table, which exists; NULL: all */
	size_t top;	   /* rows of a ranking; 0: all */
	const char
		*weight; /* folded: this column counts; NULL: the usual one */
	unsigned width;	 /* columns of the terminal */
	bool coloured;
};

struct renderer_ops {
	const char *name;
	const char *help;
	/* 0, or -ENOMEM (said).  The caller checks the file's end. */
	int (*render)(const struct result *result,
		      const struct render_setup *setup, FILE *file);
};

/* Width and colours for standard output: 96 columns where it is no terminal,
 * no colours with NO_COLOR.  The rest of setup stays. */
void render_terminal(struct render_setup *setup);

/* Generated from RENDERERS in Makefile.am; ends with NULL. */
extern const struct renderer_ops *const renderer_registry[];

#endif
