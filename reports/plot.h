/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plot turns tables of a result into one figure: a data file and a gnuplot
 * script, which stay beside what gnuplot makes of them and run again by
 * themselves (cd DIR; gnuplot NAME.gp).  Registered from PLOTS in Makefile.am.
 *
 * Nothing of a document gets into a script but numbers and what plot_quote
 * made of texts: gnuplot would run commands found in others.
 */
#ifndef REPORTS_PLOT_H
#define REPORTS_PLOT_H

#include "analyzer/result.h"
#include "reports/machines.h"

#include <stdio.h>

struct plot_ops {
	const char *name;
	const char *help;
	const char *title; /* "TITLE of PROGRAM on MACHINE" */
	bool machines;	   /* it draws any number of machines, else one */
	/*
	 * Write the data.  Returns how many rows there are; 0, and the reason
	 * in why, when this result has nothing to plot.
	 */
	size_t (*data)(const struct result *result, FILE *file, char *why,
		       size_t why_bytes);
	/*
	 * Write the commands that draw it, from the file named by the gnuplot
	 * variable `data`, once a format; `format` says which ("terminal" has
	 * no colours and no filled areas), `title` is set.
	 */
	void (*draw)(const struct result *result, FILE *script);
};

struct plot_setup {
	const char *directory; /* exists */
	const char *formats;   /* "pdf png", each of plot_formats */
	int style;	       /* in plot_styles */
	bool terminal;	       /* draw on stdout, too */
	bool all; /* kinds: of what the result has no table nothing is said */
	unsigned columns, lines;
	const char *gnuplot; /* the program */
};

/* "pdf", "png", "svg", ...; what it is for: "page", "column", ...; both end with
 * NULL. */
extern const char *const plot_formats[], *const plot_styles[];
/* Of a format's file: NAME.pdf, but NAME-latex.tex (with NAME-latex.eps) */
const char *plot_ending(const char *format);

/* Generated from PLOTS in Makefile.am; ends with NULL. */
extern const struct plot_ops *const plot_registry[];

/* Make one figure.  1: done; 0: nothing to plot (said as a note); -errno
 * (said). */
int plot_make(const struct plot_ops *plot, const struct result *result,
	      const struct plot_setup *setup);

/*
 * Why there is nothing to plot: `reason` where the result has the table and it
 * is empty, else that it has none.  Returns 0, for a data method to return.
 */
size_t plot_nothing(const struct result *result, const char *table,
		    const char *reason, char *why, size_t why_bytes);

/* Write a text as a gnuplot string that nothing is expanded in. */
void plot_quote(FILE *script, const char *text);

/* The same of at most 40 bytes, or fewer where n have to fit side by side. */
void plot_quote_short(FILE *script, const char *text, size_t n);

/* Write a text as a string of a data file, at most 40 bytes of it. */
void plot_label(FILE *data, const char *text);

/* Names of machines below bars, the first at `from` and then each `step`;
 * aslant where they would run into each other. */
void plot_machine_tics(FILE *script, const struct machines *machines,
		       double step, double from);

/* A dashtype for line i, as printers need that have no colours. */
const char *plot_dashes(size_t i);

struct plot_unit {
	const char *name; /* "MiB" */
	double bytes;
};
/* The unit in which the largest value is 2 to 2047 or so. */
struct plot_unit plot_unit_of(double most_bytes);

/*
 * Whole-numbered tics from 0 to `most` and a little more on an axis ("x", "y",
 * "y2"), told apart by their labels: 800k, 1M, 1.2M.  (gnuplot's own %s%c has
 * the same number of decimals for all.)
 */
void plot_tics(FILE *script, const char *axis, double most);

/* The same on a logarithmic axis of bytes, at powers of 4, or of 16 ... where
 * that would be more than `room`. */
void plot_byte_tics(FILE *script, const char *axis, double least, double most,
		    unsigned room);

/* The same on a logarithmic axis of numbers, at powers of 10, or of 100 where
 * there are many: 0.1, 1, 10, 100, 1k, 10k, 1M */
void plot_power_tics(FILE *script, const char *axis, double least, double most);

/* Lines of a script: a label along the y axis, for which a terminal has room
 * only above the figure.  text: a literal, may hold one conversion. */
#define PLOT_YLABEL(text)                                     \
	"upward = '" text "'\n"                               \
	"set ylabel upward\n"                                 \
	"if (format eq 'terminal') {\n"                       \
	"\tset title title.\"\\n\".'(upwards: '.upward.')'\n" \
	"}\n"

/* Okabe and Ito's colours, told apart by all; modulo their number. */
const char *plot_colour(size_t i);

#endif
