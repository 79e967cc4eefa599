// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope import IN... -o T.pst: store other people's traces as ours. */
#include "analyzer/fail.h"
#include "analyzer/progress.h"
#include "analyzer/rows.h"
#include "analyzer/run.h"
#include "analyzer/verb.h"
#include "traces/generate.h"
#include "traces/importer.h"
#include "traces/open.h"
#include "traces/pst.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct import_config {
	char *from, *output;
	char **set;
	bool keep_going;
	int compress;
	uint64_t max_accesses;
};

static const char *const efforts[] = { "fast", "normal", "small", NULL };

#define AT(field) offsetof(struct import_config, field)
static const struct option_row import_rows[] = {
	{ "from", OPTION_STRING, AT(from), "auto",
	  .help = "format of the input; auto looks at how it begins",
	  .key = 'f', .argument = "FORMAT" },
	{ "output", OPTION_STRING, AT(output),
	  .help = "the trace to write, - for standard output", .key = 'o',
	  .argument = "FILE" },
	{ "set", OPTION_LIST, AT(set),
	  .help = "an option of the format, may be repeated",
	  .argument = "NAME=VALUE" },
	{ "keep-going", OPTION_BOOL, AT(keep_going),
	  .help = "skip and count what cannot be read; the status is 3 then",
	  .key = 'k' },
	{ "compress", OPTION_CHOICE, AT(compress), "normal", .choices = efforts,
	  .help = "effort spent on a small trace" },
	ROW_MAX_ACCESSES(AT(max_accesses)),
	{ NULL },
};

static const struct option_group import_groups[] = {
	{ "", import_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree import_options = {
	import_groups,
	sizeof(struct import_config),
};

static int
check(const struct verb_call *call)
{
	const struct import_config *config = call->config;
	const char *wrong = NULL;

	if (!call->argc)
		wrong = "which trace?";
	else if (!config->output)
		wrong = "where to? (-o FILE)";
	for (int i = 0; !wrong && i < call->argc; i++) {
		if (source_is_file(call->argv[i], config->output))
			wrong = "the output is one of the inputs";
		else if (source_kind(call->argv[i]) == OPEN_GENERATE &&
			 call->argc > 1)
			wrong = "a generator must be the only input";
	}
	if (!wrong)
		return 0;
	fail(EINVAL, "import: %s", wrong);
	return STATUS_USAGE;
}

static int
open_inputs(struct source **out, const struct verb_call *call)
{
	const struct import_config *config = call->config;
	struct importer_request request = {
		.format = config->from,
		.paths = (const char *const *)call->argv,
		.assign = (const char *const *)config->set,
		.keep_going = config->keep_going,
	};

	if (source_kind(call->argv[0]) == OPEN_GENERATE)
		return generate_open(out, call->argv[0]);
	if (strcmp(call->argv[0], "-") && pst_is(call->argv[0]))
		return fail(EINVAL, "%s: is a pagescope trace already",
			    call->argv[0]);
	return importer_open(out, &request);
}

static void
tick(struct run *run)
{
	uint64_t done, all;

	run->source->methods->progress(run->source, &done, &all);
	progress_update(run->tick_context, done, all, run->accesses);
}

/* Read all of the source into the writer. */
static int
copy(const struct verb_call *call, struct source *source, struct model *writer)
{
	const struct import_config *config = call->config;
	struct progress progress;
	struct run run = {
		.source = source,
		.models = &writer,
		.n_models = 1,
		.stop = call->stop,
		.tick = tick,
		.tick_context = &progress,
		.max_accesses = config->max_accesses,
	};
	int error;

	progress_init(&progress, "import");
	error = run_feed(&run);
	progress_fini(&progress);
	if (!error)
		error = writer->methods->finish(writer, NULL);
	if (error)
		return error;
	return call->stop && *call->stop ? STATUS_PARTIAL : STATUS_OK;
}

/* How many records were skipped, if any */
static int
report_losses(struct source *source, int status)
{
	json_t *losses =
		json_object_get(stream_about(source->stream), "losses");
	json_int_t bad = json_integer_value(
		json_object_get(json_array_get(losses, 0), "records"));

	if (!bad)
		return status;
	warn("import: %" PRIi64 " bad record%s skipped", (int64_t)bad,
	     bad == 1 ? "" : "s");
	return STATUS_PARTIAL;
}

static int
import_run(const struct verb_call *call)
{
	const struct import_config *config = call->config;
	struct pst_writer_options options = {
		.effort = (enum pst_effort)config->compress,
		.threads = 1,
	};
	struct source *source;
	struct model *writer;
	struct stat status;
	int result = check(call);

	if (result)
		return result;
	result = open_inputs(&source, call);
	if (result)
		return result;
	result = pst_writer_open(&writer, config->output, &options,
				 source->stream);
	if (result)
		goto close;
	result = copy(call, source, writer);
	/* half a trace would be taken for a whole one */
	if (result < 0 && !stat(config->output, &status) &&
	    S_ISREG(status.st_mode))
		unlink(config->output);
	if (result >= 0)
		result = report_losses(source, result);
	model_close(writer);
close:
	source_close(source);
	return result;
}

const struct verb_ops import_verb = {
	.name = "import",
	.help = "store foreign traces, or made-up accesses, as a trace",
	.arguments = "[OPTION...] INPUT... -o FILE",
	.details =
		"Reads traces of other tools and writes one trace. Inputs may "
		"be packed by gzip, xz or zstd, which is seen from their "
		"content; - is standard input. Several inputs are read one "
		"after the other as one trace. They are read as a stream: "
		"memory does not grow with their length.\n"
		"\n"
		"A line or record that is none of the format ends the import "
		"with its file, line (or byte) and text, and leaves no trace "
		"behind. With --keep-going it is counted, skipped and noted "
		"in the trace as a loss, and the status is 3; an input that is "
		"cut off is then imported up to there.\n"
		"\n"
		"Accesses of formats that say which instruction made them "
		"(lackey, champsim, cloudsuite, drview, perf, csv with a pc "
		"column) keep it; otherwise all of one kind and size count as "
		"one instruction's. Instruction fetches stay one access an "
		"instruction, and one that crosses a page becomes two. Where a "
		"format does not tell how long an access is, the option of "
		"that format does (4 bytes in din and lsgap, 8 in perf and "
		"champsim, whose instructions count as 4), and no such access "
		"crosses a 64-byte line. Threads and address spaces are kept "
		"where the format has them (drview, perf, csv, cloudsuite). "
		"drview, perf and oracle have times, which count from their "
		"first; elsewhere each access counts as a nanosecond.\n"
		"\n"
		"perf reads what perf script prints of samples with addresses "
		"(perf mem record, or perf record -d; perf script -F +addr,+pid "
		"where it leaves them out): each becomes a sample event and, "
		"if it has an address, an access; page-fault events become "
		"faults. drview reads the text of DynamoRIO's view tool "
		"(drrun -t drmemtrace -tool view -indir DIR), which it writes "
		"to standard error. oracle reads the requests of libCacheSim; "
		"oracle.as tells whether an object is a page or something with "
		"addresses of its own. pagescope export writes lackey, din, "
		"xdin, csv, champsim and oracle.\n"
		"\n"
		"An input generate:PATTERN[,KEY=VALUE...] is made up instead "
		"of read: the same accesses from the same text, on every "
		"machine, of any length.",
	.examples =
		"pagescope import --from lackey trace.txt -o imported.pst\n"
		"# what valgrind writes can be imported while it runs\n"
		"valgrind --tool=lackey --trace-mem=yes --log-fd=9 gzip -c FILE 9>&1 >/dev/null | pagescope import --from lackey - -o gzip.pst\n"
		"# blocks of 512 bytes in a column with a name (not tested)\n"
		"pagescope import --from csv --set csv.column=lbn --set csv.unit=512 disk.csv.gz -o disk.pst\n"
		"# of the accesses that a processor samples (not tested)\n"
		"perf mem record -o perf.data FILE; perf script -i perf.data -F +pid | pagescope import --from perf - -o samples.pst\n"
		"pagescope import generate:mix,n=1M,pages=65536,seed=7 -o mix.pst\n",
	.lists = LIST_IMPORTERS | LIST_PATTERNS,
	.options = &import_options,
	.run = import_run,
};
