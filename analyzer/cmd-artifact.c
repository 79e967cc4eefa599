// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope artifact DIR RESULT.json...: all that others need to draw the
 * figures of a paper again and to check the results behind them.
 */
#include "analyzer/cmd-artifact.h"
#include "analyzer/cmd-common.h"
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "reports/plot.h"
#include "reports/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct artifact_config {
	char **traces;
	char *gnuplot;
	int style;
};

static const struct option_row artifact_rows[] = {
	{ "trace", OPTION_LIST, offsetof(struct artifact_config, traces),
	  .help = "A trace to take along, so that results can be made again, "
		  "too",
	  .key = 't', .argument = "FILE" },
	{ "style", OPTION_CHOICE, offsetof(struct artifact_config, style),
	  "column", .choices = plot_styles,
	  .help = "What the figures are for" },
	{ "gnuplot", OPTION_STRING, offsetof(struct artifact_config, gnuplot),
	  .fallback = "gnuplot", .help = "The gnuplot program",
	  .argument = "PROGRAM" },
	{ NULL },
};

static const struct option_group artifact_groups[] = {
	{ "", artifact_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree artifact_options = {
	artifact_groups, sizeof(struct artifact_config)
};

struct artifact {
	const struct artifact_config *config;
	const char *directory;
	FILE *readme, *again, *appendix; /* README.md, results.sh, .tex */
	unsigned figures;
};

/* figures.sh; its sums are those of what was made here. */
static const char figures_script[] =
	"#!/bin/sh\n"
	"# SPDX-License-Identifier: GPL-2.0-or-later\n"
	"# Draws all figures again from data and scripts, and compares every byte.\n"
	"cd \"$(dirname \"$0\")\" || exit 1\n"
	"LC_ALL=C.UTF-8\nexport LC_ALL\n"
	"for script in figures/*/*.gp; do\n"
	"\t(cd \"${script%/*}\" && gnuplot \"${script##*/}\") || exit 1\n"
	"done\n"
	"sha256sum --quiet -c SHA256SUMS && echo 'all figures are as they were'\n";

static const char results_script[] =
	"#!/bin/sh\n"
	"# SPDX-License-Identifier: GPL-2.0-or-later\n"
	"# Replays the traces again under the same options and compares each value.\n"
	"cd \"$(dirname \"$0\")\" || exit 1\n"
	"mkdir -p again || exit 1\n"
	"status=0\n"
	"# again NAME TRACE\n"
	"again()\n"
	"{\n"
	"\tname=$1\n"
	"\tset -- \"$2\"\n"
	"\twhile IFS= read -r option; do\n"
	"\t\tset -- \"$@\" --set \"$option\"\n"
	"\tdone <\"options/$name.txt\"\n"
	"\tpagescope replay \"$@\" -o \"again/$name.json\"\n"
	"\tcompare \"again/$name.json\"\n"
	"}\n"
	"# command NAME VERB WORD...: what made it, of several machines, a curve, a sweep\n"
	"command()\n"
	"{\n"
	"\tname=$1\n"
	"\tshift\n"
	"\tmade=again/$name.json\n"
	"\t[ \"$1\" != sweep ] || made=again/$name/sweep.json\n"
	"\tto=${made%/sweep.json}\n"
	"\tpagescope \"$@\" -o \"$to\" >\"again/$name.log\" 2>&1\n"
	"\tcompare \"$made\"\n"
	"}\n"
	"# compare MADE: with results/$name.json\n"
	"compare()\n"
	"{\n"
	"\tpagescope diff \"results/$name.json\" \"$1\" >\"again/$name.diff\" 2>&1 &&\n"
	"\t\techo \"$name: the same\" && return\n"
	"\techo \"$name: see again/$name.diff\"\n"
	"\tstatus=1\n"
	"}\n";

static FILE *
open_in(const struct artifact *artifact, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", artifact->directory, name);
	file = fopen(path, "wxe");
	if (!file)
		fail_errno(errno, "%s", path);
	return file;
}

static int
close_in(const struct artifact *artifact, FILE *file)
{
	errno = 0;
	if (ferror(file) | fclose(file))
		return fail_errno(errno ? errno : EIO, "%s",
				  artifact->directory);
	return 0;
}

/* A script, to be run */
static int
write_script(const struct artifact *artifact, const char *name,
	     const char *text)
{
	FILE *file = open_in(artifact, name);

	if (!file)
		return -EIO;
	fputs(text, file);
	fchmod(fileno(file), 0755);
	return close_in(artifact, file);
}

/* Without directory and ending, of letters that no shell minds */
static void
plain_name(const char *path, char *name, size_t bytes)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	snprintf(name, bytes, "%s", slash ? slash + 1 : path);
	n = strlen(name);
	if (n > 5 && !strcmp(name + n - 5, ".json"))
		name[n - 5] = '\0';
	for (char *at = name; *at; at++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
			    "YZ0123456789._-",
			    *at) ||
		    (at == name && (*at == '.' || *at == '-')))
			*at = '_';
}

/* A command in the directory, whose words are ours */
static int
run_in(const char *directory, char *const *words)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		return fail_errno(errno, "artifact: fork");
	if (!child) {
		if (!chdir(directory))
			execvp(words[0], words);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "artifact: wait");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail(EIO, "artifact: %s failed in %s", words[0],
			    directory);
	return 0;
}

static int
put_options(const struct artifact *artifact, const struct result *result,
	    const char *name)
{
	const json_t *options =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"options");
	char path[512];
	const char *key;
	json_t *value;
	FILE *file;

	snprintf(path, sizeof(path), "options/%s.txt", name);
	file = open_in(artifact, path);
	if (!file)
		return -EIO;
	json_object_foreach((json_t *)(uintptr_t)options, key, value)
		fprintf(file, "%s=%s\n", key, json_string_value(value));
	return close_in(artifact, file);
}

/* All that the result has data for */
static int
put_figures(struct artifact *artifact, const struct result *result,
	    const char *name)
{
	char directory[4096], said[1024];
	const struct plot_setup setup = {
		.directory = directory,
		.formats = "pdf svg",
		.style = artifact->config->style,
		.columns = 79,
		.lines = 24,
		.gnuplot = artifact->config->gnuplot,
	};
	int status = 0;

	snprintf(directory, sizeof(directory), "%s/figures/%s",
		 artifact->directory, name);
	status = common_directories(directory);
	for (size_t i = 0; plot_registry[i] && status >= 0; i++) {
		if (result_machines(result) && !plot_registry[i]->machines)
			continue;
		fail_listen(said, sizeof(said));
		status = plot_make(plot_registry[i], result, &setup);
		fail_listen(NULL, 0);
		if (status < 0)
			fail(EIO, "%s", said);
		if (status <= 0)
			continue;
		artifact->figures++;
		fprintf(artifact->readme, "- figures/%s/%s.pdf: %s\n", name,
			plot_registry[i]->name, plot_registry[i]->help);
	}
	return status < 0 ? status : 0;
}

/* Where it was recorded, of the first result that knows */
static void
say_host(FILE *readme, const json_t *trace)
{
	static const char *const facts[] = { "cpu", "memory", "kernel",
					     "huge pages", "numa" };
	const json_t *host = json_object_get(trace, "host");

	for (size_t i = 0; i < ARRAY_SIZE(facts) && host; i++)
		fprintf(readme, "  - %s: %s\n", facts[i],
			json_string_value(json_object_get(host, facts[i])));
}

/* One result: what it is, what comes out */
static void
say_result(const struct artifact *artifact, const struct result *result,
	   const char *name)
{
	static const char *const values[] = { "accesses", "walk.count",
					      "translation.cycles",
					      "fault.minor", "fault.major" };
	const json_t *trace =
		json_object_get(json_object_get(result_json(
							(struct result
								 *)(uintptr_t)
								result),
						"provenance"),
				"trace");
	const char *digest =
		json_string_value(json_object_get(trace, "digest"));
	char command[512];
	double value;

	view_command(result, command, sizeof(command));
	fprintf(artifact->readme, "\n### %s\n\n- command: `%s`\n", name,
		command);
	if (digest)
		fprintf(artifact->readme,
			"- digest of the trace's content: %s (`pagescope info` "
			"tells it)\n",
			digest);
	say_host(artifact->readme, trace);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (view_value(result, values[i], &value))
			fprintf(artifact->readme, "- expected %s: %.0f\n",
				values[i], value);
}

/* For a shell, whatever is in it */
static void
put_word(FILE *file, const char *word)
{
	fputs(" '", file);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, file);
	putc('\'', file);
}

/* The trace as results.sh finds it, or false: it is not here. */
static bool
find_trace(const struct artifact *artifact, const char *trace, char *name,
	   size_t bytes)
{
	char path[4096], plain[256];
	struct stat seen;

	if (!strncmp(trace, "generate:", 9)) {
		snprintf(name, bytes, "%s", trace);
		return strlen(trace) < bytes;
	}
	plain_name(trace, plain, sizeof(plain));
	snprintf(path, sizeof(path), "%s/traces/%s", artifact->directory,
		 plain);
	snprintf(name, bytes, "traces/%s", plain);
	return !stat(path, &seen);
}

/* Why the command cannot be given again elsewhere, or NULL */
static const char *
not_again(const json_t *command)
{
	static const char *const files[] = { "-c",	 "--config", "-o",
					     "--output", "submit",   "run",
					     "plan",	 "merge" };
	const char *verb = json_string_value(json_array_get(command, 1));

	if (!verb || (strcmp(verb, "replay") != 0 &&
		      strcmp(verb, "curve") != 0 && strcmp(verb, "sweep") != 0))
		return "only what replay, curve and sweep made is";
	for (size_t i = 2; i < json_array_size(command); i++) {
		const char *word =
			json_string_value(json_array_get(command, i));

		for (size_t k = 0; word && k < ARRAY_SIZE(files); k++)
			if (!strcmp(word, files[k]) ||
			    (!strncmp(word, "--config=", 9)))
				return "its command names files that are not "
				       "here";
	}
	return NULL;
}

/*
 * A replay of one machine is made again from all its options, what replays of
 * several, curves and sweeps made by the same command, if the trace is here.
 * NULL, or why not.
 */
static const char *
put_again(const struct artifact *artifact, const struct result *result,
	  const char *name)
{
	const json_t *provenance =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"provenance");
	const json_t *command = json_object_get(provenance, "command");
	const char *verb = json_string_value(json_array_get(command, 1));
	const char *trace = json_string_value(
		json_object_get(json_object_get(provenance, "trace"), "name"));
	const char *why = NULL;
	char found[512];

	if (!trace || !find_trace(artifact, trace, found, sizeof(found)))
		return "its trace is not here (--trace takes it along)";
	if (verb && !strcmp(verb, "replay") && !result_machines(result)) {
		fputs("again", artifact->again);
		put_word(artifact->again, name);
		put_word(artifact->again, found);
		putc('\n', artifact->again);
		return NULL;
	}
	why = not_again(command);
	if (why)
		return why;
	fputs("command", artifact->again);
	put_word(artifact->again, name);
	for (size_t i = 1; i < json_array_size(command); i++) {
		const char *word =
			json_string_value(json_array_get(command, i));

		word = word ? word : "";
		put_word(artifact->again, strcmp(word, trace) ? word : found);
	}
	putc('\n', artifact->again);
	return NULL;
}

static int
put_result(struct artifact *artifact, const char *path)
{
	struct result *result;
	const char *why;
	char name[256], to[4096];
	int error = result_read(&result, path);

	if (error)
		return error;
	plain_name(path, name, sizeof(name));
	snprintf(to, sizeof(to), "%s/results/%s.json", artifact->directory,
		 name);
	if (!access(to, F_OK))
		error = fail(EEXIST,
			     "artifact: two results are called %s: rename one",
			     name);
	if (!error)
		error = result_write(result, to);
	if (!error)
		error = put_options(artifact, result, name);
	if (!error) {
		say_result(artifact, result, name);
		why = put_again(artifact, result, name);
		fprintf(artifact->readme, "- made again by results.sh: %s%s\n",
			why ? "no: " : "yes", why ? why : "");
		appendix_result(artifact->appendix, result, name, why);
		error = put_figures(artifact, result, name);
	}
	result_close(result);
	return error;
}

/* Before anything is made: can they be read, is none a result, and are no two
 * called the same? */
static int
check_traces(char *const *traces)
{
	char name[256], other[256];

	for (size_t i = 0; traces && traces[i]; i++) {
		FILE *file = fopen(traces[i], "re");
		int first = file ? getc(file) : EOF;
		int error = file && !ferror(file) ? 0 : errno;

		if (file)
			fclose(file);
		if (error)
			return fail_errno(error, "%s", traces[i]);
		if (first == EOF || first == '{')
			return fail(EINVAL, "%s: %s, not a trace", traces[i],
				    first == EOF ? "empty" : "JSON");
		plain_name(traces[i], name, sizeof(name));
		for (size_t k = 0; k < i; k++) {
			plain_name(traces[k], other, sizeof(other));
			if (!strcmp(name, other))
				return fail(EEXIST,
					    "artifact: two traces are called "
					    "%s: rename one",
					    name);
		}
	}
	return 0;
}

static int
put_trace(const struct artifact *artifact, const char *path)
{
	char name[256], to[4096];
	char *words[] = { (char[]){ "cp" }, (char[]){ "--" },
			  (char *)(uintptr_t)path, to, NULL };

	plain_name(path, name, sizeof(name));
	snprintf(to, sizeof(to), "%s/traces/%s", artifact->directory, name);
	return run_in(".", words);
}

static void
say_head(const struct artifact *artifact)
{
	fprintf(artifact->readme,
		"# Artifact appendix\n\n"
		"Results of pagescope %s, a trace-driven analyzer of virtual "
		"memory, and the figures made of them.\n\n"
		"## Check-list\n\n"
		"- program: pagescope %s (Debian 12; `./dev build` in its "
		"source), gnuplot-nox 5.4\n"
		"- data: results/ (JSON, pagescope-result(5)), traces/ (.pst, "
		"pagescope-trace(5)) where they are taken along\n"
		"- hardware: any x86-64; results do not depend on it, they "
		"are replays. Traces were recorded where the results below "
		"say.\n"
		"- output: figures (PDF, SVG), results\n"
		"- how long: figures seconds; results as long as a replay "
		"each\n\n"
		"## How to\n\n"
		"- `./figures.sh` draws every figure again from figures/*/*.dat "
		"and *.gp, and compares all bytes with SHA256SUMS. Other "
		"versions of gnuplot, cairo or the fonts draw the same figure "
		"with other bytes.\n"
		"- `./results.sh` makes the results again, into again/, of the "
		"traces that are here (one machine: under the options in "
		"options/; several, curves, sweeps: by their commands), and "
		"compares each value.\n"
		"- `sha256sum -c SHA256SUMS` checks what is here.\n\n"
		"## Results and what to expect\n",
		PACKAGE_VERSION, PACKAGE_VERSION);
}

static int
make_directories(const struct artifact *artifact)
{
	static const char *const names[] = { "results", "options", "traces",
					     "figures" };
	char path[4096];
	int error = 0;

	if (!rmdir(artifact->directory) || errno == ENOENT)
		error = 0;
	else
		return fail(EEXIST,
			    "artifact: %s is there and not an empty directory",
			    artifact->directory);
	for (size_t i = 0; i < ARRAY_SIZE(names) && !error; i++) {
		snprintf(path, sizeof(path), "%s/%s", artifact->directory,
			 names[i]);
		error = common_directories(path);
	}
	return error;
}

static int
finish(struct artifact *artifact, int error)
{
	char script[] = "find results options traces figures -type f | "
			"LC_ALL=C sort | xargs -d '\\n' sha256sum >SHA256SUMS";
	char *words[] = { (char[]){ "sh" }, (char[]){ "-c" }, script, NULL };
	int closed;

	fputs("exit $status\n", artifact->again);
	fchmod(fileno(artifact->again), 0755);
	closed = close_in(artifact, artifact->again);
	error = error ? error : closed;
	closed = close_in(artifact, artifact->readme);
	error = error ? error : closed;
	appendix_end(artifact->appendix);
	closed = close_in(artifact, artifact->appendix);
	error = error ? error : closed;
	if (!error)
		error = write_script(artifact, "figures.sh", figures_script);
	return error ? error : run_in(artifact->directory, words);
}

static int
artifact_run(const struct verb_call *call)
{
	struct artifact artifact = { .config = call->config };
	char **traces = artifact.config->traces;
	int error;

	if (call->argc < 2)
		return fail(EUSAGE, "artifact: a directory and results");
	artifact.directory = call->argv[0];
	error = check_traces(traces);
	if (error)
		return error;
	error = make_directories(&artifact);
	if (error)
		return error;
	artifact.readme = open_in(&artifact, "README.md");
	artifact.again =
		artifact.readme ? open_in(&artifact, "results.sh") : NULL;
	artifact.appendix =
		artifact.again ? open_in(&artifact, "appendix.tex") : NULL;
	if (!artifact.appendix) {
		if (artifact.again)
			fclose(artifact.again);
		if (artifact.readme)
			fclose(artifact.readme);
		return -EIO;
	}
	say_head(&artifact);
	appendix_begin(artifact.appendix, traces && *traces);
	fputs(results_script, artifact.again);
	for (size_t i = 0; traces && traces[i] && !error; i++)
		error = put_trace(&artifact, traces[i]);
	for (int i = 1; i < call->argc && !error; i++)
		error = put_result(&artifact, call->argv[i]);
	error = finish(&artifact, error);
	if (!error)
		printf("%s: %d results, %u figures; see README.md there\n",
		       artifact.directory, call->argc - 1, artifact.figures);
	return error;
}

const struct verb_ops artifact_verb = {
	.name = "artifact",
	.help = "collect results and figures for others to check",
	.arguments = "[OPTION...] DIR RESULT.json...",
	.details =
		"Makes DIR, which must be new or empty: results/, their options "
		"(options/), the figures that they have data for, with data "
		"and scripts (figures/), the traces named by --trace "
		"(traces/), checksums of all (SHA256SUMS), and\n\n"
		"  README.md   the appendix that evaluators ask for: programs, "
		"hardware,\n              how to, what to expect\n"
		"  appendix.tex  the same for the paper: an artifact appendix for \\input\n"
		"  figures.sh  draws every figure again and compares all bytes\n"
		"  results.sh  makes results again and compares all values (of replay, curve\n"
		"              and sweep, if the trace is here or generated)\n"
		"  appendix.tex  README.md for the paper, to be input by LaTeX\n\n"
		"Traces are named by the digest of their content that results "
		"tell, so that one can be checked that is not here.",
	.options = &artifact_options,
	.examples = "# needs gnuplot (not tested)\n"
		    "pagescope artifact paper --trace trace.pst result.json "
		    "machines.json\n",
	.run = artifact_run,
};
