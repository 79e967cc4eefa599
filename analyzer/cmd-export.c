// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope export --to FORMAT TRACE -o OUT: our traces as other people's. */
#include "analyzer/fail.h"
#include "analyzer/progress.h"
#include "analyzer/rows.h"
#include "analyzer/run.h"
#include "analyzer/verb.h"
#include "traces/exporter.h"
#include "traces/open.h"
#include "traces/pst.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct export_config {
	char *to, *output;
	char **set;
	bool recover;
	uint64_t max_accesses;
};

#define AT(field) offsetof(struct export_config, field)
static const struct option_row export_rows[] = {
	{ "to", OPTION_STRING, AT(to), .help = "format of the output",
	  .key = 't', .argument = "FORMAT" },
	{ "output", OPTION_STRING, AT(output),
	  .help = "the file to write, - for standard output; one that ends in "
		  ".gz, .xz or .zst is packed",
	  .key = 'o', .argument = "FILE" },
	{ "set", OPTION_LIST, AT(set),
	  .help = "an option of the format, may be repeated",
	  .argument = "NAME=VALUE" },
	ROW_MAX_ACCESSES(AT(max_accesses)),
	ROW_RECOVER(AT(recover)),
	{ NULL },
};

static const struct option_group export_groups[] = {
	{ "", export_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree export_options = {
	export_groups,
	sizeof(struct export_config),
};

static int
check(const struct verb_call *call)
{
	const struct export_config *config = call->config;
	const char *wrong = call->argc == 0  ? "which trace?"
			    : call->argc > 1 ? "one trace at a time"
			    : !config->to ? "into which format? (--to FORMAT)"
			    : !config->output ? "where to? (-o FILE)"
			    : source_is_file(call->argv[0], config->output)
				    ? "the output is the input"
				    : NULL;

	if (!wrong)
		return 0;
	fail(EINVAL, "export: %s", wrong);
	return STATUS_USAGE;
}

static void
tick(struct run *run)
{
	uint64_t done = 0, all = 0;

	if (run->source->methods->progress)
		run->source->methods->progress(run->source, &done, &all);
	progress_update(run->tick_context, done, all, run->accesses);
}

/* All of the source into the exporter: a status or a negative errno (said) */
static int
copy(const struct verb_call *call, struct source *source,
     struct model *exporter)
{
	const struct export_config *config = call->config;
	struct progress progress;
	struct run run = {
		.source = source,
		.models = &exporter,
		.n_models = 1,
		.stop = call->stop,
		.tick = tick,
		.tick_context = &progress,
		.max_accesses = config->max_accesses,
	};
	int error;

	progress_init(&progress, "export");
	error = run_feed(&run);
	progress_fini(&progress);
	if (!error)
		error = exporter->methods->finish(exporter, NULL);
	if (error)
		return error;
	return call->stop && *call->stop ? STATUS_PARTIAL : STATUS_OK;
}

/* The trace itself may not be whole. */
static int
lost_status(struct source *source, int status)
{
	struct pst_summary summary = { 0 };

	if (pst_reader_is(source))
		pst_reader_summary(source, &summary);
	return status == STATUS_OK && summary.lost_bytes ? STATUS_PARTIAL
							 : status;
}

static int
export_run(const struct verb_call *call)
{
	const struct export_config *config = call->config;
	struct exporter_totals totals;
	struct source *source;
	struct model *exporter;
	struct stat status;
	int result = check(call);

	if (result)
		return result;
	result = source_open(&source, call->argv[0], config->recover);
	if (result)
		return result;
	result = exporter_open(&exporter,
			       &(struct exporter_request){
				       config->to, config->output,
				       (const char *const *)config->set,
				       source->stream });
	if (result)
		goto close;
	result = copy(call, source, exporter);
	/* half a trace would be taken for a whole one */
	if (result < 0 && !stat(config->output, &status) &&
	    S_ISREG(status.st_mode))
		unlink(config->output);
	if (result >= 0) {
		result = lost_status(source, result);
		exporter_totals(exporter, &totals);
		note("export: %" PRIu64 " accesses, %" PRIu64
		     " bytes of %s into %s",
		     totals.accesses, totals.bytes, config->to, config->output);
	}
	model_close(exporter);
close:
	source_close(source);
	return result;
}

const struct verb_ops export_verb = {
	.name = "export",
	.help = "write a trace in the format of another tool",
	.arguments = "[OPTION...] --to FORMAT TRACE -o FILE",
	.details =
		"Writes the accesses of a trace (or of whatever else can be "
		"read: a foreign trace, generate:...) as another tool reads "
		"them; pagescope import reads all of these formats again. "
		"What the format has no room for is said once at the end, "
		"with how often it was there: events, threads, sizes, pcs, "
		"times. Nothing else is lost or made up: what comes back "
		"from import is the same trace but for that.\n"
		"\n"
		"lackey and csv keep kinds and sizes; csv also keeps pcs, "
		"threads and address spaces. din and xdin have no modify, "
		"which becomes a read and a write. A ChampSim record is one "
		"instruction: blocks of instructions become records for their "
		"first instruction and for those that access data. oracle "
		"(libCacheSim's oracleGeneral) is one request for each page "
		"that an access touches, with the number of the next request "
		"of that page: that takes two passes, at most 64 bytes of "
		"memory a page, and 24 bytes a request of disk in TMPDIR "
		"where the output is packed or a pipe. All else is written "
		"in constant memory.",
	.examples =
		"pagescope export --to lackey trace.pst -o exported.txt\n"
		"pagescope export --to champsim trace.pst -o exported.champsim.xz\n"
		"pagescope export --to oracle trace.pst -o exported.oracle.zst\n",
	.lists = LIST_EXPORTERS,
	.options = &export_options,
	.run = export_run,
};
