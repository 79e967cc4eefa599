/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options are rows (STYLE.md 8).  The same rows parse a command line, `--set
 * a.b=c` and a libconfig file, print --help, are echoed into each result and
 * fill the manual and the shell completion.
 *
 * A row describes one field of a plain configuration struct by its offset.
 * Groups of rows hang in a tree by a prefix, so that one table of rows
 * (struct tlb_config) serves tlb.l1d, tlb.l1i and tlb.l2.
 */
#ifndef ANALYZER_OPTION_H
#define ANALYZER_OPTION_H

#include "analyzer/base.h"

enum option_type {
	OPTION_BOOL,   /* bool */
	OPTION_INT,    /* int64_t */
	OPTION_SIZE,   /* uint64_t; K, M, G, T are powers of two (or KiB, KB) */
	OPTION_REAL,   /* double */
	OPTION_STRING, /* char *, owned by the struct (free()d by fini) */
	OPTION_CHOICE, /* int: index into choices */
	/* uint64_t nanoseconds; ns, us, ms, s, m, h suffixes; a bare number is
	 * in the row's unit, or seconds where that is NULL */
	OPTION_TIME,
	/* char **, NULL-ended, owned: a repeatable string; NULL when empty.
	 * Each set adds one; it has no fallback. */
	OPTION_LIST,
};

struct option_row {
	const char *name; /* "entries", "max-accesses": lower case and dashes */
	enum option_type type;
	size_t offset;	      /* of the field in its struct */
	const char *fallback; /* default as text, or NULL: zero */
	/* Both 0: unbounded; for INT, SIZE (bytes), REAL, TIME (ns) */
	double min, max;
	const char *const *choices; /* NULL-ended, for CHOICE */
	const char *unit;	    /* "cycles", "pages", "bytes" or NULL */
	const char *help;	    /* one sentence, no full stop */
	char key;		    /* short option letter or 0 */
	const char *argument;	    /* "FILE" in help; NULL: from the type */
};

/* A table of rows at a place in the tree; ends with a row whose name is NULL */
struct option_group {
	const char *prefix; /* "tlb.l1d" or "" */
	const struct option_row *rows;
	size_t offset;	  /* of the group's struct in the whole config */
	const char *help; /* one line on what the group configures */
};

/* A tree: groups, ended by one whose rows is NULL, over one big struct. */
struct option_tree {
	const struct option_group *groups;
	size_t config_bytes;
};

/* Set every field to its row's fallback.  0 or -ENOMEM. */
int option_init(const struct option_tree *tree, void *config);
/* Free owned strings and lists. */
void option_fini(const struct option_tree *tree, void *config);

/*
 * Set the option of this dotted name from text.  `where` ("--set", "F.cfg:12")
 * begins the message.  An unknown name gets the nearest one suggested.
 * Returns 0, -EINVAL (said) or -ENOMEM.
 */
int option_set(const struct option_tree *tree, void *config, const char *where,
	       const char *name, const char *value);
/* The same for one row; `label` is how the message calls it ("--output"). */
int option_set_row(const struct option_row *row, void *struct_start,
		   const char *where, const char *label, const char *value);
/* "a.b=c" */
int option_assign(const struct option_tree *tree, void *config,
		  const char *where, const char *assignment);

/*
 * The value as text that option_set would take back: sizes in plain bytes,
 * choices by name, strings verbatim ("" for NULL, and an empty string
 * sets NULL).  Lists are joined by commas, for reading only.  Returns the
 * length as snprintf would.  No locale.
 */
int option_print(const struct option_row *row, const void *struct_start,
		 char *text, size_t text_bytes);

/* Call visit for each row in order of the tree; a non-zero return ends it.
 * config may be NULL: then struct_start is. */
typedef int option_visit(void *context, const char *dotted_name,
			 const struct option_row *row,
			 const void *struct_start);
int option_each(const struct option_tree *tree, const void *config,
		option_visit *visit, void *context);

/* Row of that dotted name, or NULL; struct_offset may be NULL. */
const struct option_row *option_find(const struct option_tree *tree,
				     const char *name, size_t *struct_offset);

/* What may be given, for help: "FILE", "4k|2m|1g", "1..64 cycles", "SIZE".
 * Returns the length as snprintf would. */
int option_domain(const struct option_row *row, char *text, size_t text_bytes);

/*
 * The nearest of n names to `name` by edit distance, or NULL if none is near
 * (distance above a third of its length).
 */
const char *option_nearest(const char *name, const char *const *names,
			   size_t n);

#endif
