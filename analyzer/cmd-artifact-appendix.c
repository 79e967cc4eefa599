// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * appendix.tex of an artifact: the sections that evaluators of conferences ask
 * for, to be \input into a paper, whose authors fill in what only they know
 * (marked FILL IN).
 */
#include "analyzer/cmd-artifact.h"
#include "reports/view.h"

#include <string.h>

/* Nothing in it is a command to TeX; long words may break. */
static void
put_tex(FILE *tex, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '\\':
			fputs("\\textbackslash{}", tex);
			break;
		case '~':
			fputs("\\textasciitilde{}", tex);
			break;
		case '^':
			fputs("\\textasciicircum{}", tex);
			break;
		case '{':
		case '}':
		case '%':
		case '&':
		case '#':
		case '$':
		case '_':
			fprintf(tex, "\\%c\\allowbreak{}", *text);
			break;
		case '/':
		case ',':
		case '=':
		case ':':
			fprintf(tex, "%c\\allowbreak{}", *text);
			break;
		default:
			putc((unsigned char)*text < ' ' ? ' ' : *text, tex);
		}
	}
}

void
appendix_begin(FILE *tex, bool traces)
{
	fprintf(tex,
		"%% Made by pagescope %s artifact; FILL IN is the authors'.\n"
		"\\section*{Artifact Appendix}\n"
		"\\subsection*{Abstract}\n"
		"Traces, options, results and figures of this paper's "
		"simulations with pagescope, a trace-driven analyzer of "
		"virtual memory. One command draws every figure again, one "
		"makes the results again and compares each value.\n"
		"\\subsection*{Artifact check-list (meta-information)}\n"
		"\\begin{itemize}\n"
		"\\item Program: pagescope %s, in C\n"
		"\\item Compilation: gcc of Debian 12, by \\texttt{./dev "
		"build}\n"
		"\\item Data set: %s\n"
		"\\item Run-time environment: Debian 12, gnuplot-nox 5.4; no "
		"root\n"
		"\\item Hardware: any x86-64; results do not depend on it\n"
		"\\item Execution: \\texttt{./figures.sh}, "
		"\\texttt{./results.sh}\n"
		"\\item Metrics: TLB misses, page walks, their cycles, page "
		"faults, misses by size\n"
		"\\item Output: PDF and SVG figures, JSON results\n"
		"\\item Time: figures seconds; results as long as a replay "
		"each\n"
		"\\item Publicly available: FILL IN\n"
		"\\item License of the program: GPL-2.0-or-later; of the data: "
		"FILL IN\n"
		"\\end{itemize}\n"
		"\\subsection*{Description}\n"
		"\\paragraph{How to access.} FILL IN\n"
		"\\paragraph{Software dependencies.} Debian packages: the list "
		"\\texttt{Build-Depends} in \\texttt{debian/control} of "
		"pagescope.\n"
		"\\subsection*{Installation}\n"
		"In pagescope's source: \\texttt{./dev build}, then "
		"\\texttt{build} in the \\texttt{PATH}; or its Debian package "
		"(\\texttt{./dev deb}).\n"
		"\\subsection*{Experiment workflow}\n"
		"\\texttt{sha256sum -c SHA256SUMS} checks the files. "
		"\\texttt{./figures.sh} draws all figures from "
		"\\texttt{figures/*/*.dat} and compares all bytes. "
		"\\texttt{./results.sh} makes results again into "
		"\\texttt{again/}.\n"
		"\\subsection*{Evaluation and expected results}\n"
		"\\texttt{./results.sh} ends with status 0 and says "
		"\\emph{the same} of each result.\n"
		"\\begin{itemize}\n",
		PACKAGE_VERSION, PACKAGE_VERSION,
		traces ? "traces of memory accesses, in \\texttt{traces/}"
		       : "made by pagescope's seeded generator, or to be had "
			 "from FILL IN; by digest below");
}

void
appendix_result(FILE *tex, const struct result *result, const char *name,
		const char *why)
{
	static const char *const values[] = { "accesses", "walk.count",
					      "translation.cycles",
					      "fault.minor", "fault.major" };
	const json_t *provenance =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"provenance");
	const char *digest = json_string_value(
		json_object_get(json_object_get(provenance, "trace"),
				"digest"));
	const char *before = " Expected: ";
	char command[512];
	double value;

	view_command(result, command, sizeof(command));
	fputs("\\item \\texttt{", tex);
	put_tex(tex, name);
	fputs("}, by \\texttt{", tex);
	put_tex(tex, command);
	fputs("}", tex);
	if (digest) {
		fputs(", of the trace \\texttt{", tex);
		put_tex(tex, digest);
		fputs("}", tex);
	}
	fputs(".", tex);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (view_value(result, values[i], &value)) {
			fprintf(tex, "%s%.0f \\texttt{", before, value);
			put_tex(tex, values[i]);
			fputs("}", tex);
			before = ", ";
		}
	fputs(strcmp(before, ", ") ? "" : ".", tex);
	if (why) {
		fputs(" Not made again: ", tex);
		put_tex(tex, why);
		fputs(".", tex);
	}
	putc('\n', tex);
}

void
appendix_end(FILE *tex)
{
	fputs("\\end{itemize}\n"
	      "\\subsection*{Experiment customization}\n"
	      "\\texttt{pagescope help replay} and \\texttt{pagescope config "
	      "list} tell the options; each result names its own in "
	      "\\texttt{options/}.\n"
	      "\\subsection*{Notes}\n"
	      "Other versions of gnuplot, cairo or fonts draw the same figures "
	      "with other bytes.\n",
	      tex);
}
