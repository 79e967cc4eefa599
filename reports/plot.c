// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Figures through gnuplot: writes NAME.dat and NAME.gp into the directory and
 * runs gnuplot there, so that the script holds no path and runs again anywhere.
 */
#include "reports/plot.h"

#include "analyzer/fail.h"
#include "reports/view.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The sum of a column may be beyond all numbers, where no axis ends. */
#define TICS_MOST 1e300

const char *const plot_formats[] = { "pdf",  "png",	 "svg", "eps",
				     "tikz", "epslatex", NULL };

/*
 * A style is what the figure is for: its size and that of its letters, so that
 * it goes into the page unscaled.  Widths are those of two-column papers.
 */
static const struct style {
	const char *name;
	double wide, high; /* cm */
	double points, line;
	const char *tex; /* size of letters */
} styles[] = {
	{ "page", 16, 9.5, 9, 1.2, "small" },
	{ "column", 8.4, 5.9, 7, 1, "scriptsize" },
	{ "double", 17.6, 7.4, 8, 1.1, "footnotesize" },
	{ "slide", 25.4, 14.3, 16, 2, "large" },
};

const char *const plot_styles[] = { "page", "column", "double", "slide", NULL };

const char *
plot_ending(const char *format)
{
	return strcmp(format, "epslatex") != 0 ? format : "tex";
}

/* 1,200,000 at a step of 200,000: "1.2M"; no more decimals than steps need */
static void
tic_label(double at, double step, char *out, size_t out_bytes)
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P" };
	double unit = 1;
	int decimals = 0;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && at >= 1000 * unit) {
		unit *= 1000;
		i++;
	}
	for (double rest = step / unit;
	     decimals < 3 && fabs(rest - round(rest)) > 1e-6; rest *= 10)
		decimals++;
	if (fabs(at / unit - round(at / unit)) < 1e-6)
		decimals = 0;
	snprintf(out, out_bytes, "%.*f%s", decimals, at / unit, units[i]);
}

void
plot_tics(FILE *script, const char *axis, double most)
{
	double least, step = 1;
	char label[32];

	most = fmin(most, TICS_MOST);
	least = most / 7;
	while (step * 10 <= least)
		step *= 10;
	step *= step >= least	    ? 1
		: step * 2 >= least ? 2
		: step * 5 >= least ? 5
				    : 10;
	fprintf(script, "set %stics (", axis);
	for (unsigned i = 0; i * step <= most * 1.1; i++) {
		tic_label(i * step, step, label, sizeof(label));
		fprintf(script, "%s'%s' %.17g", i ? ", " : "", label, i * step);
	}
	fputs(")\n", script);
}

void
plot_byte_tics(FILE *script, const char *axis, double least, double most,
	       unsigned room)
{
	const char *before = "";
	double step = 4, at = least < 4096 ? 1 : 4096;

	most = fmin(most, TICS_MOST);
	while (most / least > pow(step, room))
		step *= 4;
	fprintf(script, "set %stics (", axis);
	while (at < least && at <= most)
		at *= step;
	while (at <= most) {
		struct plot_unit unit = plot_unit_of(2 * at);

		fprintf(script, "%s'%.0f %s' %.0f", before, at / unit.bytes,
			unit.name, at);
		before = ", ";
		at *= step;
	}
	fputs(")\n", script);
}

void
plot_power_tics(FILE *script, const char *axis, double least, double most)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	double step = most / least > 1e7 ? 100 : 10, at = 1e-6;
	const char *before = "";

	most = fmin(most, TICS_MOST);
	fprintf(script, "set %stics (", axis);
	while (at < least * 0.999 && at <= most * 1.001)
		at *= step;
	while (at <= most * 1.001) {
		double shown = at;
		size_t i = 0;

		for (; shown > 999 && i + 1 < ARRAY_SIZE(units); i++)
			shown /= 1000;
		fprintf(script, "%s'%.*f%s' %.9g", before,
			at < 0.99 ? (int)lround(-log10(at)) : 0, shown,
			units[i], at);
		before = ", ";
		at *= step;
	}
	fputs(")\n", script);
}

const char *
plot_colour(size_t i)
{
	static const char *const colours[] = {
		"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
		"#D55E00", "#F0E442", "#000000", "#999999",
	};

	return colours[i % ARRAY_SIZE(colours)];
}

size_t
plot_nothing(const struct result *result, const char *table, const char *reason,
	     char *why, size_t why_bytes)
{
	struct view_table found;

	if (view_table(result, table, &found))
		snprintf(why, why_bytes, "%s", reason);
	else
		snprintf(why, why_bytes, "this result has no table \"%s\"",
			 table);
	return 0;
}

void
plot_quote(FILE *script, const char *text)
{
	putc('\'', script);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', script);
		putc((unsigned char)*text < ' ' ? ' ' : *text, script);
	}
	putc('\'', script);
}

void
plot_quote_short(FILE *script, const char *text, size_t n)
{
	size_t most = n > 4 ? 12 : n > 2 ? 16 : 40;
	char cut[64];

	snprintf(cut, sizeof(cut), "%.*s%s", (int)most, text,
		 strlen(text) > most ? ".." : "");
	plot_quote(script, cut);
}

void
plot_label(FILE *data, const char *text)
{
	putc('"', data);
	for (size_t i = 0; text[i] && i < 40; i++)
		putc((unsigned char)text[i] < ' ' || text[i] == '"' ? ' '
								    : text[i],
		     data);
	putc('"', data);
}

const char *
plot_dashes(size_t i)
{
	static const char *const dashes[] = { "1", "(12,3)", "(5,2.5)",
					      "(12,3,3,3)" };

	return dashes[i % ARRAY_SIZE(dashes)];
}

void
plot_machine_tics(FILE *script, const struct machines *machines, double step,
		  double from)
{
	size_t longest = 0;

	for (size_t i = 0; i < machines->n; i++) {
		size_t n = strlen(machines->name[i]);

		longest = n > longest ? n : longest;
	}
	if (machines->n * longest > 36)
		fputs("aslant = format ne 'terminal' ? -25 : 0\n", script);
	else
		fputs("aslant = 0\n", script);
	fputs("set xtics scale 0 rotate by aslant\nset xtics (", script);
	for (size_t i = 0; i < machines->n; i++) {
		fputs(i ? ", " : "", script);
		plot_quote_short(script, machines->name[i], machines->n);
		fprintf(script, " %.17g", from + step * (double)i);
	}
	fputs(")\n", script);
}

struct plot_unit
plot_unit_of(double most_bytes)
{
	static const struct plot_unit units[] = {
		{ "bytes", 1 },		  { "KiB", 1024 },
		{ "MiB", 1048576 },	  { "GiB", 1073741824 },
		{ "TiB", 1099511627776 },
	};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) &&
	       most_bytes >= 2 * units[i + 1].bytes)
		i++;
	return units[i];
}

static void
write_title(const struct plot_ops *plot, const struct result *result,
	    FILE *script)
{
	char program[64], title[256], several[32];
	size_t n = result_machines(result);
	const char *machine = n ? several : view_machine(result);
	const char *partial = view_partial(result);

	snprintf(several, sizeof(several), "%zu machine%s", n,
		 n == 1 ? "" : "s");
	view_program(result, program, sizeof(program));
	snprintf(title, sizeof(title), "%s%s%s%s%.48s%s", plot->title,
		 *program ? ", " : "", program, *machine ? " on " : "", machine,
		 partial ? " (partial)" : "");
	fputs("title = ", script);
	plot_quote(script, title);
	putc('\n', script);
}

/* Dates out of files, so that the same figure is the same bytes, and letters of
 * texts that TeX reads as commands; beside the scripts, which call it. */
static const char tidy[] =
	"#!/bin/sh\n"
	"# SPDX-License-Identifier: GPL-2.0-or-later\n"
	"# tidy.sh FILE: takes dates out of what gnuplot made, so that the same\n"
	"# figure is the same bytes, and escapes what TeX reads otherwise.\n"
	"LC_ALL=C\nexport LC_ALL\n"
	"date=20000101000000\n"
	"case $1 in\n"
	"*.pdf) sed -i \"s/Date (D:[0-9]\\{14\\}/Date (D:$date/\" \"$1\" ;;\n"
	"*.eps) sed -i -e \"s/^%%CreationDate: .*/%%CreationDate: $date/\" \\\n"
	"\t-e \"s,/CreationDate (.*),/CreationDate ($date),\" \"$1\" ;;\n"
	"*.tikz | *.tex) awk '\n"
	"\tfunction tex(text)\n"
	"\t{\n"
	"\t\tgsub(/\\\\/, \"\\001\", text)\n"
	"\t\tgsub(/[%&#$_{}]/, \"\\\\\\\\&\", text)\n"
	"\t\tgsub(/\\001/, \"\\\\textbackslash{}\", text)\n"
	"\t\tgsub(/~/, \"\\\\textasciitilde{}\", text)\n"
	"\t\tgsub(/\\^/, \"\\\\textasciicircum{}\", text)\n"
	"\t\treturn text\n"
	"\t}\n"
	"\tFNR < 6 && /^%% [A-Z][a-z][a-z] [A-Z]/ { next }\n"
	"\t/^\\\\node\\[gp node [^{]*\\{.*\\};$/ {\n"
	"\t\tat = index($0, \"{\")\n"
	"\t\tprint substr($0, 1, at) tex(substr($0, at + 1, length($0) - at - 2)) \"};\"\n"
	"\t\tnext\n"
	"\t}\n"
	"\t(at = index($0, \"\\\\strut{}\")) && /\\}\\}%$/ {\n"
	"\t\tend = /\\\\rotatebox/ ? 4 : 3\n"
	"\t\tprint substr($0, 1, at + 7) tex(substr($0, at + 8, \\\n"
	"\t\t\tlength($0) - at - 7 - end)) substr($0, length($0) - end + 1)\n"
	"\t\tnext\n"
	"\t}\n"
	"\t{ print }' \"$1\" >\"$1.tidy\" && mv \"$1.tidy\" \"$1\" ;;\n"
	"esac\n"
	"# what stands beside a .tex\n"
	"[ \"${1%.tex}\" = \"$1\" ] || sh \"$0\" \"${1%.tex}.eps\"\n";

/* The same look for all figures; fonts of the cairo formats are embedded. */
static const char prologue[] =
	"if (format eq 'terminal') {\n"
	"\tset terminal dumb noenhanced size columns,lines\n"
	"\tset output\n"
	"} else {\n"
	"\tout = name.(format eq 'epslatex' ? '-latex.tex' : '.'.format)\n"
	"\tset output out\n"
	"}\n"
	"set title title\n"
	"set key outside bottom center horizontal Left reverse samplen 2\n"
	"side(text) = format eq 'terminal' ? '' : text\n"
	"# keeps the key off the label above it\n"
	"gap = \"\\n \"\n"
	"set border 3 linecolor rgb '#444444'\n"
	"set tics nomirror out\n"
	"if (format ne 'terminal') {\n"
	"\tset grid ytics linecolor rgb '#dddddd' linewidth 0.5\n"
	"}\n"
	"set style fill solid 0.9 noborder\n"
	"\n";

/* gnuplot takes sizes of some terminals as literals only. */
static void
write_terminals(const struct style *style, FILE *script)
{
	double wide = style->wide, high = style->high, points = style->points;
	double line = style->line;

	fprintf(script,
		"points = %g\n"
		"do for [format in formats] {\n"
		"reset\n"
		"if (format eq 'pdf') {\n"
		"\tset terminal pdfcairo noenhanced color size %gcm,%gcm \\\n"
		"\t\tfont 'Sans,%g' linewidth %g\n"
		"}\n"
		"if (format eq 'eps') {\n"
		"\tset terminal epscairo noenhanced color size %gcm,%gcm \\\n"
		"\t\tfont 'Sans,%g' linewidth %g\n"
		"}\n",
		points, wide, high, points, line, wide, high, points, line);
	fprintf(script,
		"if (format eq 'png') {\n"
		"\tset terminal pngcairo noenhanced color size %.0f,%.0f \\\n"
		"\t\tfont 'Sans,%.3g' linewidth %.3g background rgb 'white'\n"
		"}\n"
		"if (format eq 'svg') {\n"
		"\tset terminal svg noenhanced size %.0f,%.0f font 'Sans,%.3g' \\\n"
		"\t\tlinewidth %g background rgb 'white'\n"
		"}\n",
		wide * 100, high * 100, points * 22 / 9, line * 25 / 12,
		wide * 50, high * 50, points * 11 / 9, line);
	fprintf(script,
		"if (format eq 'tikz') {\n"
		"\tset terminal tikz color size %gcm,%gcm font '\\%s'\n"
		"}\n"
		"if (format eq 'epslatex') {\n"
		"\tset terminal epslatex color size %gcm,%gcm font ',%g' linewidth %g\n"
		"}\n",
		wide, high, style->tex, wide, high, points, line);
}

static int
write_tidy(const struct plot_setup *setup)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tidy.sh", setup->directory);
	file = fopen(path, "we");
	if (!file)
		return fail_errno(errno, "%s", path);
	fputs(tidy, file);
	errno = 0;
	if (ferror(file) | fclose(file))
		return fail_errno(errno ? errno : EIO, "%s", path);
	return 0;
}

static int
write_script(const struct plot_ops *plot, const struct result *result,
	     const struct plot_setup *setup, const char *path)
{
	FILE *script = fopen(path, "we");

	if (!script)
		return fail_errno(errno, "%s", path);
	fprintf(script,
		"# SPDX-License-Identifier: GPL-2.0-or-later\n"
		"# Made by pagescope %s; runs again by: gnuplot %s.gp\n"
		"name = '%s'\n"
		"data = '%s.dat'\n"
		"formats = '%s%s%s'\n"
		"columns = %u\nlines = %u\n",
		PACKAGE_VERSION, plot->name, plot->name, plot->name,
		setup->formats, *setup->formats && setup->terminal ? " " : "",
		setup->terminal ? "terminal" : "", setup->columns,
		setup->lines);
	write_title(plot, result, script);
	write_terminals(&styles[setup->style], script);
	fputs(prologue, script);
	plot->draw(result, script);
	fputs("\nunset output\n"
	      "if (format ne 'terminal') { system('[ ! -f tidy.sh ] || sh tidy.sh '.out) }\n"
	      "}\n",
	      script);
	errno = 0;
	if (ferror(script) | fclose(script))
		return fail_errno(errno ? errno : EIO, "%s", path);
	return 0;
}

/* Returns the rows, 0, or a negative errno (said). */
static long
write_data(const struct plot_ops *plot, const struct result *result,
	   const char *path, char *why, size_t why_bytes)
{
	FILE *data = fopen(path, "we");
	size_t rows;

	if (!data)
		return fail_errno(errno, "%s", path);
	rows = plot->data(result, data, why, why_bytes);
	errno = 0;
	if (ferror(data) | fclose(data))
		return fail_errno(errno ? errno : EIO, "%s", path);
	if (!rows)
		unlink(path);
	return (long)rows;
}

/* What it draws on a terminal goes through our standard output, whose errors
 * are told at the end. */
static void
copy_output(int from)
{
	char text[4096];
	ssize_t n;

	while ((n = read(from, text, sizeof(text))) > 0 ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			fwrite(text, 1, (size_t)n, stdout);
	close(from);
}

static int
run_gnuplot(const struct plot_setup *setup, const char *script)
{
	int status, output[2];
	pid_t child;

	if (pipe2(output, O_CLOEXEC))
		return fail_errno(errno, "plot: pipe");
	fflush(stdout);
	child = fork();
	if (child < 0) {
		close(output[0]);
		close(output[1]);
		return fail_errno(errno, "plot: fork");
	}
	if (!child) {
		dup2(output[1], STDOUT_FILENO);
		if (chdir(setup->directory) || setenv("LC_ALL", "C.UTF-8", 1))
			_exit(126);
		execlp(setup->gnuplot, setup->gnuplot, script, NULL);
		_exit(127);
	}
	close(output[1]);
	copy_output(output[0]);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "plot: wait");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail(ENOENT,
			    "plot: cannot run %s (apt-get install "
			    "gnuplot-nox); data and script are in %s",
			    setup->gnuplot, setup->directory);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail(EIO, "plot: %s failed on %s/%s", setup->gnuplot,
			    setup->directory, script);
	return 0;
}

int
plot_make(const struct plot_ops *plot, const struct result *result,
	  const struct plot_setup *setup)
{
	char path[4096], script[64], why[256] = "";
	long rows;
	int error;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s.dat", setup->directory,
			     plot->name) >= sizeof(path))
		return fail(ENAMETOOLONG, "%s", setup->directory);
	rows = write_data(plot, result, path, why, sizeof(why));
	if (rows < 0)
		return (int)rows;
	if (!rows) {
		note("%s: nothing to plot: %s", plot->name, why);
		return 0;
	}
	snprintf(script, sizeof(script), "%s.gp", plot->name);
	snprintf(path, sizeof(path), "%s/%s", setup->directory, script);
	error = write_script(plot, result, setup, path);
	if (!error && *setup->formats)
		error = write_tidy(setup);
	if (!error)
		error = run_gnuplot(setup, script);
	return error ? error : 1;
}
