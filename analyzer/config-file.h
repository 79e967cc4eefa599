/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files in libconfig's syntax: a nested group's path is the
 * dotted name of an option, and the rows of the tree are the only schema.
 *
 *	tlb = { l1d = { entries = 64; ways = 4; }; };	// tlb.l1d.entries ...
 *	memory = { size = "16G"; };
 *
 * A list gives its elements, one by one, to a repeatable option.  @include is
 * refused; files are layered by loading one after the other.
 */
#ifndef ANALYZER_CONFIG_FILE_H
#define ANALYZER_CONFIG_FILE_H

#include "analyzer/option.h"

/*
 * Set the options that the file names; the others keep their values.  "-" is
 * stdin.  The first thing wrong ends it, after which config may be partly
 * set.  Returns 0, -EINVAL, -ENOMEM or the errno of reading the file, all
 * said with file, line, option and allowed range.
 */
int config_load(const struct option_tree *tree, void *config, const char *path);

/* The same from text; `name` is for messages. */
int config_load_text(const struct option_tree *tree, void *config,
		     const char *name, const char *text);

#endif
