// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope plot R.json: figures of a result through gnuplot. */
#include "analyzer/cmd-common.h"
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "reports/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct plot_config {
	char *output, *gnuplot, *machine;
	char **format, **kind;
	char *x, *series, *figure;
	int style;
};

static const struct option_row plot_rows[] = {
	{ "output", OPTION_STRING, offsetof(struct plot_config, output),
	  .fallback = "plots",
	  .help = "Directory for figures, data and scripts; made if need be",
	  .key = 'o', .argument = "DIR" },
	{ "format", OPTION_LIST, offsetof(struct plot_config, format),
	  .help = "Any of pdf, png, svg, eps, tikz, epslatex and terminal, "
		  "with commas between or one by one; pdf,png",
	  .argument = "LIST" },
	{ "style", OPTION_CHOICE, offsetof(struct plot_config, style), "page",
	  .choices = plot_styles,
	  .help = "What it is for: a page, one column or both of a paper, or "
		  "a slide: size, letters and lines" },
	{ "kind", OPTION_LIST, offsetof(struct plot_config, kind),
	  .help = "Which figures: all, or some, with commas between or one by "
		  "one; all",
	  .argument = "KIND[,KIND...]" },
	{ "machine", OPTION_STRING, offsetof(struct plot_config, machine),
	  .help = "Of a result of several machines only this one", .key = 'm',
	  .argument = "NAME" },
	{ "x", OPTION_STRING, offsetof(struct plot_config, x),
	  .help = "Of a sweep: the parameter along the axis; without it the "
		  "one with most numbers",
	  .argument = "NAME" },
	{ "series", OPTION_STRING, offsetof(struct plot_config, series),
	  .help = "Of a sweep: the parameter whose values are lines (without "
		  "it all others, while they are few), or up the axis of a map",
	  .argument = "NAME" },
	{ "figure", OPTION_STRING, offsetof(struct plot_config, figure),
	  .help = "Of a sweep: the value that is drawn (translation.cycles)",
	  .argument = "NAME" },
	{ "gnuplot", OPTION_STRING, offsetof(struct plot_config, gnuplot),
	  .fallback = "gnuplot", .help = "The gnuplot program",
	  .argument = "PROGRAM" },
	{ NULL },
};

static const struct option_group plot_groups[] = {
	{ "", plot_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree plot_options = { plot_groups,
						 sizeof(struct plot_config) };

/* Is word (of n bytes) in the list?  "a,b,c" */
static bool
listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; *at;) {
		size_t length = strcspn(at, ", ");

		if (length == n && !strncmp(at, word, n))
			return true;
		at += length;
		at += strspn(at, ", ");
	}
	return false;
}

/* Lists that were given one by one as one; `usual` where none was.  NULL: no
 * memory (said) */
static char *
join_lists(char *const *lists, const char *usual)
{
	size_t n = strlen(usual) + 1;
	char *all, *at;

	for (size_t i = 0; lists && lists[i]; i++)
		n += strlen(lists[i]) + 1;
	all = calloc(n, 1);
	if (!all) {
		fail(ENOMEM, "plot: no memory");
		return NULL;
	}
	if (!lists || !*lists)
		return strcpy(all, usual);
	at = all;
	for (size_t i = 0; lists[i]; i++)
		at += sprintf(at, "%s%s", i ? "," : "", lists[i]);
	return all;
}

/* Each word of the list must be one of names.  0 or -EINVAL (said). */
static int
check_list(const char *option, const char *list, const char *const *names,
	   size_t n_names)
{
	char word[64];
	const char *near;

	for (const char *at = list; *at;) {
		size_t length = strcspn(at, ", "), i;

		snprintf(word, sizeof(word), "%.*s", (int)length, at);
		for (i = 0; i < n_names && strcmp(names[i], word); i++)
			;
		near = i < n_names ? NULL
				   : option_nearest(word, names, n_names);
		if (i == n_names && near)
			return fail(EINVAL,
				    "plot: --%s: no \"%s\"; did you mean "
				    "\"%s\"?",
				    option, word, near);
		if (i == n_names)
			return fail(EINVAL, "plot: --%s: no \"%s\"", option,
				    word);
		at += length;
		at += strspn(at, ", ");
	}
	return *list ? 0 : fail(EINVAL, "plot: --%s: is empty", option);
}

/* The lists of the command line, joined */
struct wish {
	char *kind, *format; /* owned */
};

static int
check_lists(const struct wish *wish)
{
	const char *formats[8], *kinds[32];
	size_t n = 0, m = 0;
	int error;

	for (; plot_formats[n]; n++)
		formats[n] = plot_formats[n];
	formats[n++] = "terminal";
	for (; m < ARRAY_SIZE(kinds) - 1 && plot_registry[m]; m++)
		kinds[m] = plot_registry[m]->name;
	kinds[m++] = "all";
	error = check_list("format", wish->format, formats, n);
	return error ? error : check_list("kind", wish->kind, kinds, m);
}

static void
setup_terminal(struct plot_setup *setup)
{
	struct winsize size;

	setup->columns = 79;
	setup->lines = 24;
	if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) &&
	    size.ws_col >= 40 && size.ws_row >= 15) {
		setup->columns = size.ws_col - 1u;
		setup->lines = size.ws_row - 1u;
	}
}

/* 0 when something was plotted, STATUS_PARTIAL when nothing of what was asked
 * for could be. */
static int
plot_all(const struct result *result, const struct wish *wish,
	 const struct plot_setup *setup)
{
	bool all = setup->all;
	unsigned asked = 0, made = 0;

	for (size_t i = 0; plot_registry[i]; i++) {
		const struct plot_ops *plot = plot_registry[i];
		int status;

		if (!all && !listed(wish->kind, plot->name))
			continue;
		if (result_machines(result) && !plot->machines) {
			if (!all)
				note("%s: is of one machine: --machine says "
				     "which",
				     plot->name);
			asked += !all;
			continue;
		}
		status = plot_make(plot, result, setup);
		if (status < 0)
			return status;
		asked++;
		made += status > 0;
		if (status > 0 && *setup->formats)
			printf("%s/%s.gp\n", setup->directory, plot->name);
		for (size_t j = 0; status > 0 && plot_formats[j]; j++)
			if (listed(setup->formats, plot_formats[j]))
				printf("%s/%s%s.%s\n", setup->directory,
				       plot->name,
				       strcmp(plot_formats[j], "epslatex")
					       ? ""
					       : "-latex",
				       plot_ending(plot_formats[j]));
	}
	if (all && !made)
		note("nothing to plot: this result has no table that a figure "
		     "is made of");
	return made && (all || made == asked) ? STATUS_OK : STATUS_PARTIAL;
}

/* For a look on the terminal alone nothing stays behind. */
static void
remove_directory(const char *directory)
{
	static const char *const endings[] = { "dat", "gp" };
	char path[256];

	for (size_t i = 0; plot_registry[i]; i++)
		for (size_t j = 0; j < ARRAY_SIZE(endings); j++) {
			snprintf(path, sizeof(path), "%s/%s.%s", directory,
				 plot_registry[i]->name, endings[j]);
			unlink(path);
		}
	rmdir(directory);
}

static int
plot_result(const struct result *result, const struct plot_config *config,
	    const struct wish *wish)
{
	char scratch[] = "/tmp/pagescope-plot-XXXXXX", formats[64] = "";
	struct plot_setup setup = {
		.directory = config->output,
		.formats = formats,
		.terminal = listed(wish->format, "terminal"),
		.gnuplot = config->gnuplot,
		.style = config->style,
		.all = listed(wish->kind, "all"),
	};
	int status;

	for (size_t i = 0; plot_formats[i]; i++)
		if (listed(wish->format, plot_formats[i])) {
			strcat(formats, *formats ? " " : "");
			strcat(formats, plot_formats[i]);
		}
	setup_terminal(&setup);
	if (*formats) {
		status = common_directories(config->output);
		return status ? status : plot_all(result, wish, &setup);
	}
	if (!mkdtemp(scratch))
		return fail_errno(errno, "%s", scratch);
	setup.directory = scratch;
	status = plot_all(result, wish, &setup);
	remove_directory(scratch);
	return status;
}

/* For the kinds that can draw many things */
static int
put_choice(struct result *result, const struct plot_config *config)
{
	json_t *chosen = json_object();

	if (config->x)
		json_object_set_new(chosen, "x", result_string(config->x));
	if (config->series)
		json_object_set_new(chosen, "series",
				    result_string(config->series));
	if (config->figure)
		json_object_set_new(chosen, "figure",
				    result_string(config->figure));
	return result_provenance(result, "plot", chosen)
		       ? fail(ENOMEM, "plot: no memory")
		       : 0;
}

static int
plot_file(const char *path, const struct plot_config *config,
	  const struct wish *wish)
{
	struct result *result;
	int status = result_read(&result, path);

	if (status)
		return status;
	if (config->machine && *config->machine)
		status = machines_choose(path, &result, config->machine);
	if (!status)
		status = put_choice(result, config);
	if (!status)
		status = plot_result(result, config, wish);
	result_close(result);
	return status;
}

static int
plot_run(const struct verb_call *call)
{
	const struct plot_config *config = call->config;
	const char *path = call->argc ? call->argv[0] : "-";
	struct wish wish;
	int status;

	if (call->argc > 1) {
		fail(EINVAL, "plot: one result at a time, not \"%s\" too",
		     call->argv[1]);
		return STATUS_USAGE;
	}
	if (!call->argc && isatty(STDIN_FILENO)) {
		fail(EINVAL, "plot: which result? Name a file that "
			     "\"pagescope replay -o FILE\" wrote");
		return STATUS_USAGE;
	}
	wish.kind = join_lists(config->kind, "all");
	wish.format = join_lists(config->format, "pdf,png");
	if (!wish.kind || !wish.format)
		status = -ENOMEM;
	else
		status = check_lists(&wish) ? STATUS_USAGE
					    : plot_file(path, config, &wish);
	free(wish.kind);
	free(wish.format);
	return status;
}

const struct verb_ops plot_verb = {
	.name = "plot",
	.help = "draw what a replay found out",
	.arguments = "[OPTION...] [RESULT.json]",
	.details =
		"Reads a result document (standard input when no file is "
		"named) and draws figures of it with gnuplot, which are listed "
		"below. Of several machines (replay --machine) it draws those "
		"that hold them side by side: cdf, levels, numa, colours, "
		"tables and reach; --machine NAME takes one of them, as if it "
		"had been replayed alone. Each figure's data (NAME.dat) and script (NAME.gp) stay "
		"beside it; `gnuplot NAME.gp' in that directory draws it again, to "
		"the same bytes: dates are taken out (tidy.sh). Fonts are "
		"embedded, colours are told apart by all and, with dashes, "
		"without colour. --style takes the size and the letters of what "
		"it is for, so that it is included unscaled. tikz is to be "
		"\\input by LaTeX with the package gnuplot-lua-tikz (in "
		"Debian's gnuplot-data), together with NAME.001.png, if there "
		"is one; epslatex is NAME-latex.tex with NAME-latex.eps. "
		"\\graphicspath tells LaTeX where these are. "
		"With --format terminal alone nothing is kept. A figure "
		"that has no data is said and left out (with all: if the "
		"result has its table); the status is 3 when that leaves "
		"nothing, or is a figure that was asked for.",
	.lists = LIST_PLOTS,
	.options = &plot_options,
	.examples = "pagescope plot result.json -o plots\n"
		    "# ways of TLBs; events of stat over time\n"
		    "pagescope curve trace.pst --associativity -o curve.json\n"
		    "pagescope plot curve.json --kind associativity -o plots\n"
		    "pagescope stat -I 20 -o counts.json -- sleep 0.1\n"
		    "pagescope plot counts.json --kind intervals -o plots\n"
		    "# for a column of a paper\n"
		    "pagescope plot result.json --style column --format "
		    "pdf,tikz -o plots\n"
		    "# of several machines, and of one of them\n"
		    "pagescope plot machines.json --kind cdf,levels -o plots\n"
		    "pagescope plot machines.json -m zen4 --kind latency "
		    "-o plots\n"
		    "# of a sweep, another figure than its first (not tested)\n"
		    "pagescope plot sweep.json --kind sweep --x tlb.l2.entries "
		    "--series table.kind --figure walk.cycles\n",
	.run = plot_run,
};
