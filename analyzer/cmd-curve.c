// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope curve TRACE: misses against memory, for many sizes and policies. */
#include "analyzer/cmd-curve.h"
#include "analyzer/cmd-common.h"
#include "analyzer/fail.h"
#include "reports/renderer.h"

#include <stdio.h>

static const struct option_row curve_rows[] = {
	ROW_INPUT(CURVE_AT(input)),
	ROW_OUTPUT(CURVE_AT(output)),
	{ "policy", OPTION_STRING, CURVE_AT(policy), "lru",
	  .help = "replacement policies, with commas between, or all",
	  .key = 'p', .argument = "POLICY[,POLICY...]" },
	{ "sizes", OPTION_STRING, CURVE_AT(sizes),
	  .help = "of memory: 1M..1G x2, 64M,100p (p: pages), or 100 points; "
		  "without it the whole curve",
	  .key = 's', .argument = "SIZES" },
	{ "unit", OPTION_CHOICE, CURVE_AT(unit), "page", .choices = curve_units,
	  .help = "what memory holds: 4K pages, 2M pages, cache lines of 64 "
		  "bytes, or objects (an access is one, as long as it is)",
	  .key = 'u' },
	{ "working-set", OPTION_BOOL, CURVE_AT(working_set), "yes",
	  .help = "measure working sets, too" },
	{ "method", OPTION_CHOICE, CURVE_AT(method), "exact",
	  .choices = curve_methods,
	  .help = "count LRU's distances, or estimate its curve from a sample "
		  "of the pages: shards by their distances, aet by times",
	  .key = 'm' },
	{ "sample", OPTION_STRING, CURVE_AT(sample),
	  .help = "how many of the pages are in the sample; without it 1%",
	  .argument = "SHARE%" },
	{ "sample-size", OPTION_SIZE, CURVE_AT(sample_size), "0", .min = 0,
	  .max = 1 << 30, .unit = "pages",
	  .help = "of the sample at most, whose share goes down when more come; "
		  "0: the share stays",
	  .argument = "N" },
	{ "by", OPTION_CHOICE, CURVE_AT(by), "nothing", .choices = curve_bys,
	  .help = "LRU's curve also of each thread, process, mapping or "
		  "function",
	  .key = 'b' },
	{ "alone", OPTION_BOOL, CURVE_AT(alone),
	  .help = "with --by: as if each had a memory of its own, not a share "
		  "in one" },
	{ "top", OPTION_INT, CURVE_AT(top), "8", .min = 1, .max = 1000,
	  .help = "with --by: so many, the others together", .argument = "N" },
	{ "associativity", OPTION_BOOL, CURVE_AT(associativity),
	  .help = "misses of TLBs of all sets and ways, too (of caches, with "
		  "--unit line)",
	  .key = 'a' },
	{ "sets", OPTION_INT, CURVE_AT(sets), "0", .min = 0, .max = 1 << 20,
	  .help = "with --associativity: powers of two up to so many; 0: 1024, "
		  "of lines 8192",
	  .argument = "N" },
	{ "ways", OPTION_INT, CURVE_AT(ways), "16", .min = 1, .max = 64,
	  .help = "with --associativity: up to so many", .argument = "N" },
	{ "mpi", OPTION_BOOL, CURVE_AT(mpi),
	  .help = "measure pieces of the trace on the ranks of an MPI job: "
		  "mpirun -n 8 pagescope curve --mpi TRACE; needs a build with "
		  "configure --with-mpi" },
	{ "set", OPTION_LIST, CURVE_AT(set),
	  .help = "an option of a policy (reclaim.clock.loaded=no) or of the "
		  "foreign format (csv.column=2), may be repeated",
	  .argument = "NAME=VALUE" },
	CURVE_TRACE_ROWS,
	CURVE_COST_ROWS,
	{ NULL },
};

static const struct option_group curve_groups[] = {
	{ "", curve_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree curve_options_tree = {
	curve_groups, sizeof(struct curve_options)
};

static int
curve_run(const struct verb_call *call)
{
	extern const struct renderer_ops text_renderer;
	const struct curve_options *options = call->config;
	const char *input = options->input ? options->input : call->argv[0];
	struct result *result = NULL;
	int error;

	if (!input || call->argc > (options->input ? 0 : 1))
		return fail(EUSAGE, input ? "curve: one trace at a time"
					  : "curve: which trace?");
	error = curve_check_device("curve", options);
	if (!error)
		error = curve_measure(&result, call, options, input);
	if (error || !result)
		return error;
	return common_show(result, options->output, text_renderer.render);
}

const struct verb_ops curve_verb = {
	.name = "curve",
	.help = "misses against memory: curves of replacement policies",
	.arguments = "[OPTION...] TRACE",
	.details =
		"How often a page is not there, for every size of memory. LRU's "
		"whole curve comes from one pass over the trace, exactly, with "
		"the pages that each size writes back. Other policies (--policy) "
		"are simulated at each of --sizes, on all processors, over the "
		"references that are kept meanwhile: 4 bytes each, from 1 GiB on "
		"in a temporary file (TMPDIR). OPT, the bound that no policy "
		"beats, is one of them.\n\n"
		"A reference is a run of accesses to one page. Pages follow the "
		"recorded mappings: those of shared files are one in all "
		"processes, copies on write are two, and what is unmapped leaves "
		"its frame free. The zero page takes no memory.\n\n"
		"Beside the curves the report tells the working set (Denning's "
		"s(T), the pages that the last T accesses touched, and how many "
		"pages each part of the run touched, by mapping), and what "
		"misses cost: the sizes at which the program runs 1 %, 10 % and "
		"100 % longer than with all of its pages in memory, its knee, "
		"and how many such processes a memory holds before they thrash. "
		"For that, a fault waits for the device (--device, --read-ns, "
		"--write-ns), and an access takes --cpu-ns where nothing "
		"faults. The clock of a recording is no measure for it, as it "
		"ran slower while it was recorded.\n\n"
		"The knee is the size at which memory times misses is least "
		"(Denning and Kahn's, the ray that touches the lifetime curve). "
		"Intervals are 5 % to 95 % of resampled blocks of the run's "
		"time: they tell how much its parts differ, not what another "
		"input would do.\n\n"
		"--method shards estimates LRU's curve from a sample of the "
		"pages, by hash: 1 %, --sample, or --sample-size pages whose "
		"share goes down as more pages come (SHARDS, with the "
		"correction of its authors for hot pages). --method aet does "
		"so from the times between references alone (AET). Both have "
		"a 95 % interval, from 32 parts of the sample and from how "
		"many of so many pages a sample may hold; it has held the "
		"exact curve at 96 to 100 % of all sizes in tests, and is wide "
		"where the sample has few hundred pages. What AET takes for "
		"granted (pages sink evenly; loops do not) is not in it. Pages, "
		"references and first misses are counted. Verdicts need the "
		"exact curve.\n\n"
		"--by gives each thread, process, mapping or function a curve: "
		"of its references that miss in the memory of all, so that at "
		"each size they sum up to the whole; with --alone, in a memory "
		"of its own. What the kernel references for a program is of the "
		"function that goes on.\n\n"
		"--associativity counts the misses of TLBs of all powers of two "
		"of sets and all ways at once, with LRU (Hill and Smith); with "
		"--unit line, of caches by virtual address. Spaces are told "
		"apart, what is unmapped leaves its entries; the zero page is "
		"a page here.\n\n"
		"Pieces of the trace are measured side by side and put together "
		"(PARDA), on the threads of --jobs or, with --mpi, on the ranks "
		"of an MPI job; the result is the same to the last byte.\n\n"
		"With --unit object each access is an object of its own size, "
		"as requests of storage and web caches are; sizes of memory are "
		"bytes then, and LRU is simulated as the others are.",
	.examples =
		"pagescope curve trace.pst\n"
		"# policies against the bound, at sizes of one's own\n"
		"pagescope curve trace.pst --policy lru,fifo,clock,opt "
		"--sizes '16K..128K x2'\n"
		"# Belady's anomaly: FIFO misses more with four pages than "
		"with three\n"
		"pagescope curve generate:mix,n=100K,pages=4096 --policy "
		"fifo --sizes 3p,4p\n"
		"# cache lines, and huge pages\n"
		"pagescope curve trace.pst --unit line\n"
		"pagescope curve trace.pst --unit 2m\n"
		"# who needs the memory\n"
		"pagescope curve trace.pst --by function --top 5\n"
		"pagescope curve trace.pst --by thread --alone -o by.json\n"
		"# a sample of the pages is faster\n"
		"pagescope curve trace.pst --method shards --sample 5%\n"
		"pagescope curve trace.pst --method aet --sample-size 2000\n"
		"# which TLB, which cache\n"
		"pagescope curve trace.pst --associativity --ways 12\n"
		"pagescope curve trace.pst --unit line --associativity --sets "
		"64 --ways 8\n"
		"# a long trace on eight ranks (not tested)\n"
		"mpirun -n 8 pagescope curve --mpi trace.pst -o r.json\n"
		"# requests to a disk (not tested)\n"
		"pagescope curve --from csv --set csv.column=lbn --set "
		"csv.unit=4096 disk.csv.gz --policy lru,opt --sizes 1000p\n",
	.options = &curve_options_tree,
	.run = curve_run,
};
