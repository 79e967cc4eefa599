// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What record can be told, and what its manual page says: cmd-record.c does it.
 */
#include "analyzer/record-options.h"

#include <stddef.h>

const char *const record_kinds[] = { "data", "fetch", "all", NULL };
static const char *const efforts[] = { "fast", "normal", "small", NULL };

const struct option_row recording_rows[] = {
	{ "engine", OPTION_STRING, offsetof(struct record_config, engines),
	  "auto",
	  .help = "how to watch, joined by commas: one engine for accesses "
		  "(auto, cache, valgrind, step, hooks), faults, mem, "
		  "residency or events beside it, or these alone",
	  .key = 'e', .argument = "ENGINE[,ENGINE...]" },
	{ "pid", OPTION_INT, offsetof(struct record_config, pid), "0", .min = 0,
	  .max = 1 << 22,
	  .help = "watch this running process instead of a command",
	  .key = 'p' },
	{ "kinds", OPTION_CHOICE, offsetof(struct record_config, kinds), "all",
	  .choices = record_kinds,
	  .help = "which accesses: loads and stores, code fetches, or all; "
		  "less is cheaper and smaller" },
	{ "duration", OPTION_TIME, offsetof(struct record_config, duration_ns),
	  "0", .help = "stop recording after this time, 0: no bound" },
	{ "start-after", OPTION_TIME,
	  offsetof(struct record_config, start_after_ns), "0",
	  .help = "leave out the accesses of this first time" },
	{ "follow", OPTION_BOOL, offsetof(struct record_config, follow), "yes",
	  .help = "record child processes too" },
	{ "heap", OPTION_BOOL, offsetof(struct record_config, heap),
	  .help = "tell the trace of each malloc and free, for replay --by "
		  "object (a library is loaded before the command's allocator; "
		  "not into static programs)" },
	{ "code-cache", OPTION_SIZE, offsetof(struct record_config, code_bytes),
	  "0", .unit = "bytes",
	  .help = "engine cache: translated code that is kept before all of it "
		  "is dropped and made anew, 0: as much as there is room for "
		  "(1 GiB)" },
	{ "verbose", OPTION_BOOL, offsetof(struct record_config, verbose),
	  .help = "engine cache: say at the end why it had to stop the target, "
		  "how often, and how long joining and leaving it took",
	  .key = 'v' },
	{ NULL },
};

static const struct option_row record_rows[] = {
	{ "output", OPTION_STRING, offsetof(struct record_config, output),
	  RECORD_OUTPUT,
	  .help = "the trace; - is standard output (the command's own then "
		  "goes to standard error)",
	  .key = 'o', .argument = "FILE" },
	{ "max-accesses", OPTION_SIZE,
	  offsetof(struct record_config, max_accesses), "0",
	  .help = "stop recording after so many, 0: no bound", .key = 'n',
	  .argument = "N" },
	{ "max-size", OPTION_SIZE, offsetof(struct record_config, max_size),
	  "0", .unit = "bytes",
	  .help = "stop recording before the file is larger, 0: no bound" },
	{ "residency", OPTION_TIME,
	  offsetof(struct record_config, residency_ns), "0", .unit = "ms",
	  .help = "look at the resident pages at this interval too (as -e "
		  "residency), 0: do not" },
	{ "referenced", OPTION_BOOL, offsetof(struct record_config, referenced),
	  .help = "with residency: estimate the memory in use between two looks "
		  "by clear_refs, which is up to 40 % too low and makes the "
		  "kernel forget what was referenced" },
	{ "counters", OPTION_TIME, offsetof(struct record_config, counters_ns),
	  "0", .unit = "ms",
	  .help = "store what the kernel counts at this interval too; engines "
		  "cache and step always do at a program's beginning and end" },
	{ "contents", OPTION_TIME, offsetof(struct record_config, contents_ns),
	  "0", .unit = "ms",
	  .help = "store hashes of the pages that may be merged "
		  "(MADV_MERGEABLE) at this interval, 0: do not" },
	{ "contents-all", OPTION_BOOL,
	  offsetof(struct record_config, contents_all),
	  .help = "with contents: of all private anonymous memory" },
	{ "compress", OPTION_CHOICE, offsetof(struct record_config, compress),
	  "normal", .choices = efforts,
	  .help = "time against size of the trace" },
	{ "sample", OPTION_STRING, offsetof(struct record_config, sample), "",
	  .help = "engine cache: record for on, then let the target run "
		  "unrecorded for off, in turn (on=10,off=90: a tenth of the "
		  "time), with all of the first=MS, if that is said; in ms, or "
		  "with a unit; the trace tells where",
	  .argument = "[first=MS,]on=MS,off=MS" },
	{ "rate", OPTION_SIZE, offsetof(struct record_config, rate), "0",
	  .help = "engine cache: so many accesses a second at most on average, "
		  "in windows as by --sample, 0: all",
	  .argument = "N" },
	{ "jobs", OPTION_INT, offsetof(struct record_config, jobs), "2",
	  .min = 0, .max = 64, .help = "threads that compress", .key = 'j',
	  .argument = "N" },
	{ "count", OPTION_BOOL, offsetof(struct record_config, count),
	  .help = "store nothing, only count the accesses" },
	{ NULL },
};

static const struct option_group record_groups[] = {
	{ "", recording_rows, 0, NULL },
	{ "", record_rows, 0, NULL },
	{ NULL },
};

const struct option_tree record_options = { record_groups,
					    sizeof(struct record_config) };

const char record_details[] =
	"Runs the command and stores every load, store and code fetch, "
	"every change of its mappings and, with the faults engine, "
	"every page fault, of all its threads and children. The "
	"command's input and output stay its own, and its exit status "
	"becomes record's: 128+N when signal N ended it, 126 or 127 "
	"when it could not be run, 3 when it succeeded but something "
	"was lost (info tells what), 125 when recording failed "
	"(the command then runs on, and record tells its status).\n\n"
	"The first Ctrl-C (or SIGTERM, SIGHUP) saves what was recorded and "
	"lets the command go on; the second aborts. When a bound "
	"(--max-accesses, --max-size, --duration) is reached the trace "
	"is saved at once, and record waits for the command, which "
	"runs on.\n\n"
	"A recorder that is killed (SIGKILL) leaves a trace of all but "
	"about the last second, which verify, info and replay read, "
	"with status 3. The command, or the process attached to, then "
	"goes on unrecorded, but not with the step engine: the kernel "
	"leaves it stepping, and the next step's SIGTRAP kills it. With "
	"the cache engine a second process, pgscope-guard, traces, in a "
	"session of its own; it lets the target go on within "
	"milliseconds of the recorder's end, whatever ended that. "
	"SIGKILL for pgscope-guard itself ends the target too, for its "
	"translated code cannot go on alone; so does the kernel's "
	"out-of-memory killer when it chooses the recorder, as the two "
	"share their memory.\n\n"
	"What a program can notice of the cache engine: a wait that "
	"attaching, leaving or a window's edge interrupts may last longer, "
	"by what it had waited before (epoll_wait, sigtimedwait, semtimedop, "
	"io_getevents) or by its whole time (recv and the like with "
	"SO_RCVTIMEO); signals that nobody catches end such calls with "
	"EINTR; fnstenv, fxsave and xsave tell the translated code's address "
	"as that of the last x87 instruction; restartable sequences of a "
	"process attached to (-p) are not aborted when the thread leaves its "
	"processor; private pages that it shares with other processes, after "
	"a fork or because the kernel merged them (KSM), become its own when "
	"the engine looks at them (process_vm_readv); LeakSanitizer does not "
	"work under any tracer (ASAN_OPTIONS=detect_leaks=0). Who maps memory "
	"where the engine's own is (near 0x7e9000000000, and 64 MiB within "
	"2 GiB of its code) is let go with all others, and the trace says "
	"so.\n\n"
	"--heap loads libpagescope-heap.so into the command before its own "
	"allocator (LD_PRELOAD; not into static and set-user-ID programs, and "
	"allocators that a program has within itself are not seen). Each "
	"malloc, calloc, realloc, free and operator new then makes some stores "
	"more, 13 or so, to a page of its own (pagescope-trace(5)), which are in "
	"the trace as all others are: replay --by object names the data by where "
	"it was allocated, and shows the library's part.\n\n"
	"An engine that is none of the list is taken as the name of a "
	"performance event, as libpfm4 knows them (perf::PAGE-FAULTS, "
	"DTLB_LOAD_MISSES:...): each time it is counted, or each Nth "
	"with :period=N, becomes a sample of the trace, or a fault if "
	"it is one of page faults.\n\n"
	"With -o - the trace goes to standard output: pagescope record "
	"-o - -- COMMAND | pagescope replay -i -.";

const char record_examples[] =
	"pagescope record -o gzip.pst -- gzip -9 -k -f FILE\n"
	"# no file between\n"
	"pagescope record -o - -- gzip -9 -k -f FILE | "
	"pagescope replay -i -\n"
	"# every page fault of the kernel too (not tested)\n"
	"pagescope record -e auto,faults -o gzip.pst -- gzip -9 "
	"-k -f FILE\n"
	"# where its data was allocated\n"
	"pagescope record --heap -o gzip.pst -- gzip -9 -k -f FILE\n"
	"# how often this program accesses memory\n"
	"pagescope record --count --kinds data -- gzip -k -f FILE\n";
