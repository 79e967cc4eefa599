// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope calibrate: what this host's caches, TLBs, walks and faults take, by
 * measurement, as a machine's file.
 *
 *	curves (calibration.c) -> steps -> figures over config detect's
 *	  -> a machine -> fed with the same chases -> walker.overhead, time.error
 */
#include "analyzer/cmd-calibrate-fit.h"
#include "analyzer/cmd-config.h"
#include "analyzer/fail.h"
#include "analyzer/progress.h"
#include "analyzer/verb.h"
#include "models/machine.h"
#include "reports/grid.h"
#include "reports/number.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB	    (UINT64_C(1) << 20)
#define LARGE	    (2 * MIB)
#define LEAST_ERROR 10.0 /* percent: no machine is known better */
#define MOST_ERROR  95.0
#define SAME	    1.6 /* what is measured and what is told agree within */
#define LEVELS	    3	/* of caches */

struct calibrate_config {
	char *output, *points;
	bool quick;
	uint64_t memory;
	int64_t processor, seed;
};

static const struct option_row calibrate_rows[] = {
	{ "output", OPTION_STRING, offsetof(struct calibrate_config, output),
	  .help = "write the machine here, for --config; - for standard output "
		  "(and the report to standard error)",
	  .key = 'o', .argument = "FILE" },
	{ "points", OPTION_STRING, offsetof(struct calibrate_config, points),
	  .help = "write the curves that were measured here, as CSV",
	  .argument = "FILE" },
	{ "quick", OPTION_BOOL, offsetof(struct calibrate_config, quick), "no",
	  .help = "at most 10 seconds, with fewer points and less memory" },
	{ "memory", OPTION_SIZE, offsetof(struct calibrate_config, memory), "0",
	  .unit = "bytes",
	  .help = "measure up to so much; 0: 256M, or 64M with --quick; at "
		  "most a sixth of what is free" },
	{ "processor", OPTION_INT, offsetof(struct calibrate_config, processor),
	  "-1", .min = -1, .max = 1023,
	  .help = "measure on this one; -1: where it runs", .argument = "N" },
	{ "seed", OPTION_INT, offsetof(struct calibrate_config, seed), "1",
	  .min = 0, .max = 9e15, .help = "of the order of loads" },
	{ NULL },
};

static const struct option_group calibrate_groups[] = {
	{ "", calibrate_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree calibrate_options = {
	calibrate_groups, sizeof(struct calibrate_config)
};

struct calibrate {
	const struct verb_call *call;
	const struct calibrate_config *config;
	struct calibration measured;
	struct detected detected;
	struct machine_config machine;
	struct progress progress;
	int processor;
	double seconds;
	bool noisy;
	struct walk_fit walks;
	double walk, walk_huge; /* of walks.pages pages; cycles */
};

/* --- what to measure ------------------------------------------------------ */

static int
pin(struct calibrate *calibrate)
{
	cpu_set_t set;

	calibrate->processor = calibrate->config->processor >= 0
				       ? (int)calibrate->config->processor
				       : sched_getcpu();
	CPU_ZERO(&set);
	CPU_SET((size_t)calibrate->processor, &set);
	return sched_setaffinity(0, sizeof(set), &set)
		       ? fail_errno(errno, "calibrate: processor %d",
				    calibrate->processor)
		       : 0;
}

static void
measure_tick(void *context, unsigned done, unsigned all)
{
	struct calibrate *calibrate = context;

	progress_update(&calibrate->progress, done, all, 0);
}

static struct calibration_plan
plan_of(struct calibrate *calibrate)
{
	const struct calibrate_config *config = calibrate->config;
	uint64_t bytes = config->quick ? 64 * MIB : 256 * MIB;
	uint64_t room = (uint64_t)sysconf(_SC_AVPHYS_PAGES) *
			(uint64_t)sysconf(_SC_PAGESIZE) / 6;

	bytes = config->memory ? config->memory : bytes;
	bytes = bytes < room ? bytes : room;
	bytes = bytes < 8 * LARGE ? 8 * LARGE : bytes / LARGE * LARGE;
	return (struct calibration_plan){
		.bytes = bytes,
		.seconds = config->quick ? 0.0005 : 0.001,
		.times = 9,
		.octave = config->quick ? 4 : 6,
		.passes = config->quick ? 2 : 4,
		.limit = config->quick ? 9 : 55,
		.seed = (uint64_t)config->seed,
		.context = calibrate,
		.tick = measure_tick,
	};
}

static double
now_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int
measure(struct calibrate *calibrate)
{
	const struct calibration *measured = &calibrate->measured;
	struct calibration_plan plan = plan_of(calibrate);
	double start = now_seconds();
	int error;

	progress_init(&calibrate->progress, "calibrate");
	error = calibration_measure(&calibrate->measured, &plan);
	progress_fini(&calibrate->progress);
	calibrate->seconds = now_seconds() - start;
	calibrate->noisy = measured->caches.noise > LATENCY_NOISE_MAX ||
			   measured->small.noise > LATENCY_NOISE_MAX;
	return error;
}

/* --- figures of the machine ----------------------------------------------- */

static const char source[] = "measured";

/* What option_set would take of the figures known so far; fallback: none */
static double
known(const struct calibrate *calibrate, const char *option, double fallback)
{
	for (size_t i = 0; i < calibrate->detected.n; i++)
		if (!strcmp(calibrate->detected.figure[i].option, option))
			return strtod(calibrate->detected.figure[i].value,
				      NULL);
	return fallback;
}

static const char *
between(const struct latency_step *step, char *text, size_t bytes)
{
	snprintf(text, bytes, "%s, %.4g to %.4g", source, step->low,
		 step->high);
	return text;
}

/* Which step is that of a level of this size?  NULL: none is near. */
static const struct latency_step *
step_near(const struct latency_curve *curve, double size)
{
	const struct latency_step *best = NULL;

	for (size_t i = 0; size > 0 && i < curve->steps; i++) {
		const struct latency_step *step = &curve->step[i];

		if (step->low / SAME <= size && size <= step->high * SAME &&
		    (!best || fabs(log(step->size / size)) <
				      fabs(log(best->size / size))))
			best = step;
	}
	return best;
}

/* What of the last level is for this host: others may share it.  A number of
 * sets that is a power of two, with ways near to those told */
static void
add_size(struct calibrate *calibrate, const char *part,
	 const struct latency_step *step)
{
	char option[48], text[64];
	double ways, sets;

	snprintf(option, sizeof(option), "%s.ways", part);
	ways = fmax(1, known(calibrate, option, 16));
	sets = exp2(round(log2(step->size / ways / 64)));
	ways = fmax(1, round(step->size / sets / 64));
	detect_add(&calibrate->detected, source, part, "ways", "%.0f", ways);
	detect_add(&calibrate->detected, between(step, text, sizeof(text)),
		   part, "size", "%.0f", ways * 64 * sets);
}

/* Latencies by the plateaus; sizes where nobody told of them, and of the last
 * level */
static void
add_caches(struct calibrate *calibrate)
{
	static const char *const parts[LEVELS] = { "cache.l1d", "cache.l2",
						   "cache.l3" };
	const struct latency_curve *curve = &calibrate->measured.caches;
	struct detected *out = &calibrate->detected;
	const struct latency_step *below = NULL;

	for (size_t i = 0; i < LEVELS; i++) {
		const struct latency_step *step;
		char option[32];
		double told;

		snprintf(option, sizeof(option), "%s.size", parts[i]);
		told = known(calibrate, option, 0);
		step = step_near(curve, told);
		if (!step && curve->steps &&
		    below < &curve->step[curve->steps - 1]) {
			step = below ? below + 1 : &curve->step[0];
			if (told > 0)
				detect_remark(out,
					      "%s is %s, but what fits is %s "
					      "(others use it, too?)",
					      option, number_bytes(told).text,
					      number_bytes(step->size).text);
			add_size(calibrate, parts[i], step);
		}
		if (!step || step == below)
			continue;
		detect_add(out, source, parts[i], "latency", "%.0f",
			   fmax(1, round(step->before)));
		below = step;
	}
	if (below)
		detect_add(out, source, "memory", "latency", "%.0f",
			   round(curve->step[curve->steps - 1].after));
}

/* A number of sets that is a power of two, with ways near to those told */
static void
add_entries(struct calibrate *calibrate, const char *part,
	    const struct latency_step *step)
{
	char option[48], text[64];
	double told, ways, sets, entries = step->size;

	snprintf(option, sizeof(option), "%s.entries", part);
	told = known(calibrate, option, 0);
	if (told > 0 && step->low / SAME <= told && told <= step->high * SAME)
		return;
	if (told > 0)
		detect_remark(&calibrate->detected,
			      "%s: CPUID says %.0f, the step is at %.0f",
			      option, told, entries);
	snprintf(option, sizeof(option), "%s.ways", part);
	ways = known(calibrate, option, 0);
	if (ways > 0) {
		sets = exp2(round(log2(entries / ways)));
		ways = round(entries / sets);
		entries = ways * sets;
		detect_add(&calibrate->detected, source, part, "ways", "%.0f",
			   ways);
	}
	detect_add(&calibrate->detected, between(step, text, sizeof(text)),
		   part, "entries", "%.0f", round(entries));
}

static void
add_tlbs(struct calibrate *calibrate)
{
	const struct latency_curve *small = &calibrate->measured.small;
	struct detected *out = &calibrate->detected;
	const struct latency_step *first = &small->step[0];
	const struct latency_step *second = calibration_second_level(small);

	if (!small->steps || first->size > 1024) {
		detect_remark(out, "TLBs: nothing steps below 1024 pages");
		return;
	}
	add_entries(calibrate, "tlb.l1d", first);
	detect_add(out, source, "tlb.l2", "latency", "%.0f",
		   fmax(1, round(first->after - first->before)));
	if (second)
		add_entries(calibrate, "tlb.l2", second);
	if (calibrate->measured.no_huge ||
	    calibration_huge_reach(&calibrate->measured))
		return;
	/* An entry is of what guest and host both have in one page. */
	detect_remark(out, "huge pages: the host backs them with small ones; "
			   "they save steps of walks, not entries");
	detect_add(out, "measured: the host has small pages", "tlb.l1d",
		   "sizes", "4k");
	detect_add(out, "measured: the host has small pages", "tlb.l2", "sizes",
		   "4k");
	detect_add(out, "measured: the host has small pages", "table", "kind",
		   "nested");
}

static void
add_times(struct calibrate *calibrate)
{
	const struct calibration *measured = &calibrate->measured;
	struct detected *out = &calibrate->detected;

	detect_add(out, source, "time", "clock", "%.0f", measured->mhz);
	if (measured->fault_ns > 0)
		detect_add(out, source, "time", "fault", "%.0f",
			   measured->fault_ns);
	if (measured->huge_fault_ns > 0)
		detect_add(out, source, "time", "huge-fault", "%.0f",
			   measured->huge_fault_ns);
	if (measured->huge_near_ns > 0)
		detect_add(out, source, "time", "huge-fault-near", "%.0f",
			   measured->huge_near_ns);
	if (measured->overlap > 0 && measured->overlap <= 1)
		detect_add(out, source, "time", "overlap-low", "%.2f",
			   measured->overlap);
}

/* --- the machine against the curves --------------------------------------- */

static int
fit(struct calibrate *calibrate)
{
	const struct calibration *measured = &calibrate->measured;
	struct detected *out = &calibrate->detected;
	struct walk_fit *walks = &calibrate->walks;
	int error = 0;

	if (!calibrate->noisy)
		error = fit_walks(walks, &calibrate->machine, measured);
	if (error)
		return error;
	if (!walks->sizes) {
		detect_remark(out, "walks: not fitted, as %s",
			      calibrate->noisy
				      ? "the measurement is too noisy"
				      : "the second level is not left behind");
		return 0;
	}
	calibrate->walk = calibration_penalty(&measured->small, walks->pages);
	if (!measured->no_huge)
		calibrate->walk_huge =
			calibration_penalty(&measured->huge, walks->pages);
	detect_add(out, source, "walker", "overhead", "%.0f", walks->overhead);
	detect_add(out, "measured: walks fit best so", "memory", "order", "%s",
		   walks->scattered ? "random" : "ascending");
	detect_add(out, "measured: walks fit best so", "cache", "walks", "%s",
		   walks->second ? "l2" : "l1d");
	detect_add(out, source, "time", "error", "%.0f",
		   fmin(fmax(fmax(walks->error, 100 * measured->fault_error),
			     LEAST_ERROR),
			MOST_ERROR));
	return 0;
}

/* --- telling -------------------------------------------------------------- */

static void
tell_step(struct grid *grid, const char *what, const struct latency_step *step,
	  const char *option, const struct calibrate *calibrate)
{
	bool bytes = !strncmp(option, "cache", 5);
	double told = known(calibrate, option, 0);
	char text[3][64];

	for (int i = 0; i < 3; i++) {
		double value = i == 0	? step->size
			       : i == 1 ? step->low
					: step->high;

		if (bytes)
			snprintf(text[i], sizeof(text[i]), "%s",
				 number_bytes(value).text);
		else
			snprintf(text[i], sizeof(text[i]), "%.0f", value);
	}
	grid_add(grid, what);
	grid_add(grid, text[0]);
	grid_addf(grid, "%s to %s", text[1], text[2]);
	grid_addf(grid, "%.3g", step->before);
	if (told > 0 && bytes)
		grid_add(grid, number_bytes(told).text);
	else if (told > 0)
		grid_addf(grid, "%.0f", told);
	else
		grid_add(grid, "-");
}

static int
tell_steps(const struct calibrate *calibrate, FILE *file)
{
	static const char *const names[] = { "L1 data cache", "L2 cache",
					     "L3 cache" };
	static const char *const options[] = { "cache.l1d.size",
					       "cache.l2.size",
					       "cache.l3.size" };
	const struct calibration *measured = &calibrate->measured;
	struct grid *grid = grid_open("<>>>>");
	const struct latency_step *second;
	int error;

	if (!grid)
		return fail(ENOMEM, "calibrate: no memory");
	grid_add(grid, "");
	grid_add(grid, "holds");
	grid_add(grid, "between");
	grid_add(grid, "cycles");
	grid_add(grid, "in the file");
	for (size_t i = 0; i < LEVELS && i < measured->caches.steps; i++)
		tell_step(grid, names[i], &measured->caches.step[i], options[i],
			  calibrate);
	if (measured->small.steps)
		tell_step(grid, "first-level TLB, 4K pages",
			  &measured->small.step[0], "tlb.l1d.entries",
			  calibrate);
	second = calibration_second_level(&measured->small);
	if (second)
		tell_step(grid, "second-level TLB, 4K pages", second,
			  "tlb.l2.entries", calibrate);
	if (measured->huge.steps)
		tell_step(grid, "first-level TLB, 2M pages, in 4K",
			  &measured->huge.step[0], "", calibrate);
	second = calibration_second_level(&measured->huge);
	if (second)
		tell_step(grid, "second-level TLB, 2M pages, in 4K", second, "",
			  calibrate);
	error = grid_print(grid, file, 100, false);
	grid_close(grid);
	return error ? fail(ENOMEM, "calibrate: no memory") : 0;
}

static void
tell_walks(const struct calibrate *calibrate, FILE *file)
{
	const struct calibration *measured = &calibrate->measured;
	const struct latency_curve *small = &measured->small;

	if (small->steps)
		fprintf(file, "  A hit of the second level takes %.1f cycles",
			small->step[0].after - small->step[0].before);
	if (calibrate->walk > 0)
		fprintf(file, "; a walk, of %.0f pages, %.0f of 4K",
			calibrate->walks.pages, calibrate->walk);
	if (calibrate->walk_huge > 0)
		fprintf(file, " and %.0f of 2M pages", calibrate->walk_huge);
	fputs(small->steps ? ".\n" : "", file);
	if (measured->no_huge)
		fprintf(file, "  Huge pages: not measured, as %s.\n",
			measured->no_huge);
	else if (!calibration_huge_reach(measured))
		fputs("  Huge pages: the host hides them, as their entries "
		      "reach no further than\n  those of small pages. They "
		      "save steps of walks alone.\n",
		      file);
	fprintf(file,
		"  Loads that do not wait for each other take %.0f %% of the "
		"time of those that do.\n",
		100 * measured->overlap);
	fprintf(file, "  A fault of 4K takes %.0f ns", measured->fault_ns);
	if (measured->huge_fault_ns > 0)
		fprintf(file,
			", one of 2M %.0f us, and %.0f us in memory that was\n"
			"  used shortly before",
			measured->huge_fault_ns / 1000,
			measured->huge_near_ns / 1000);
	fprintf(file, "; half of them are within %.0f %%.\n",
		100 * measured->fault_error);
	if (calibrate->walks.sizes)
		fprintf(file,
			"  The machine in the file (walker.overhead %.0f, "
			"memory.order %s, cache.walks %s)\n  has walks within "
			"%.0f %% of these, at %zu sizes from %.0f to %.0f "
			"pages.\n",
			calibrate->walks.overhead,
			calibrate->walks.scattered ? "random" : "ascending",
			calibrate->walks.second ? "l2" : "l1d",
			calibrate->walks.error, calibrate->walks.sizes,
			calibrate->walks.pages, calibrate->walks.most);
}

static int
tell(const struct calibrate *calibrate, FILE *file)
{
	const struct calibration *measured = &calibrate->measured;
	int error;

	fprintf(file, "%s, processor %d, %.0f MHz, measured in %.0f s\n",
		calibrate->detected.name, calibrate->processor, measured->mhz,
		calibrate->seconds);
	error = tell_steps(calibrate, file);
	if (error)
		return error;
	tell_walks(calibrate, file);
	fprintf(file, "  Noise: %.1f %% (caches), %.1f %% (pages).\n",
		100 * measured->caches.noise, 100 * measured->small.noise);
	if (calibrate->noisy)
		fprintf(file,
			"  Too noisy: above %.0f %% sizes and latencies are "
			"not to be believed. Stop what else\n  runs here, or "
			"try again with --processor of a quiet one.\n",
			100 * LATENCY_NOISE_MAX);
	for (size_t i = 0; i < calibrate->detected.n_remarks; i++)
		fprintf(file, "  Note: %s.\n", calibrate->detected.remark[i]);
	return 0;
}

static void
print_machine(const struct calibrate *calibrate, FILE *file)
{
	config_write(&calibrate->machine, &calibrate->detected, file);
}

static void
print_points(const struct calibrate *calibrate, FILE *file)
{
	const struct {
		const char *name;
		const struct latency_curve *curve;
	} curves[] = {
		{ "caches", &calibrate->measured.caches },
		{ "4k", &calibrate->measured.small },
		{ "2m", &calibrate->measured.huge },
	};

	fputs("curve,size,cycles,spread\n", file);
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
		for (size_t k = 0; k < curves[i].curve->n; k++)
			fprintf(file, "%s,%.0f,%.3f,%.3f\n", curves[i].name,
				curves[i].curve->point[k].size,
				curves[i].curve->point[k].latency,
				curves[i].curve->point[k].spread);
}

/* NULL, "": nowhere */
static int
write_to(const char *path, const struct calibrate *calibrate,
	 void (*print)(const struct calibrate *calibrate, FILE *file))
{
	FILE *file;
	int error = 0;

	if (!path || !*path)
		return 0;
	if (!strcmp(path, "-")) {
		print(calibrate, stdout);
		return 0;
	}
	file = fopen(path, "w");
	if (!file)
		return fail_errno(errno, "%s", path);
	errno = 0;
	print(calibrate, file);
	if (fflush(file) || ferror(file))
		error = errno ? errno : EIO;
	if (fclose(file) && !error)
		error = errno;
	return error ? fail_errno(error, "%s", path) : 0;
}

static int
calibrate_all(struct calibrate *calibrate)
{
	const struct detect_host host = { "", detect_cpuid, NULL };
	const char *path = calibrate->config->output;
	int error = pin(calibrate);

	if (!error)
		error = measure(calibrate);
	if (error)
		return error;
	detect(&host, &calibrate->detected);
	if (!calibrate->noisy) {
		add_times(calibrate);
		add_caches(calibrate);
		add_tlbs(calibrate);
	}
	error = config_apply(&calibrate->machine, &calibrate->detected);
	if (!error)
		error = fit(calibrate);
	if (!error) /* with what was fitted */
		error = config_apply(&calibrate->machine, &calibrate->detected);
	if (!error)
		error = tell(calibrate,
			     path && !strcmp(path, "-") ? stderr : stdout);
	if (!error)
		error = write_to(path, calibrate, print_machine);
	return error ? error
		     : write_to(calibrate->config->points, calibrate,
				print_points);
}

static int
calibrate_run(const struct verb_call *call)
{
	struct calibrate *calibrate;
	int error;

	if (call->argc)
		return fail(EUSAGE, "calibrate: takes no arguments; -o names "
				    "the file");
	calibrate = calloc(1, sizeof(*calibrate));
	if (!calibrate)
		return fail(ENOMEM, "calibrate: no memory");
	calibrate->call = call;
	calibrate->config = call->config;
	error = option_init(&machine_options, &calibrate->machine);
	if (error)
		error = fail(ENOMEM, "calibrate: no memory");
	else
		error = calibrate_all(calibrate);
	option_fini(&machine_options, &calibrate->machine);
	if (!error && calibrate->noisy)
		error = STATUS_PARTIAL;
	free(calibrate);
	return error;
}

const struct verb_ops calibrate_verb = {
	.name = "calibrate",
	.help = "measure this host's caches, TLBs, walks and faults",
	.arguments = "[OPTION...]",
	.details =
		"Times loads that wait for each other, over sizes from 4 KiB "
		"and 16 pages up, on one processor, in 4K pages and in huge "
		"ones, and finds the steps: what a level of cache or TLB holds "
		"(likely, and between), and what its hits take. Then a machine "
		"is made of that and of what config detect finds, and fed with "
		"the same loads, with frames in order and at random "
		"(memory.order), with walks that begin at either cache "
		"(cache.walks): what fits best is taken, and walker.overhead "
		"takes up what its walks are short of; how far they still are "
		"from those measured is time.error, which sets how wide the "
		"intervals of pagescope advise are. Faults, with giving the "
		"pages back, and how far loads overlap are measured, too "
		"(time.*).\n\n"
		"The file of -o is for --config of replay, run, advise. Each "
		"figure says whether it was measured ([M]), detected ([D]) or "
		"is assumed ([A]); sizes that CPUID tells are kept where a "
		"step agrees.\n\n"
		"It takes up to a minute; with --quick up to 10 s, with fewer "
		"points. Where neighbouring points differ by more than 15 % "
		"without a step it says that the host is too noisy, writes no "
		"figure that it could not tell, and ends with status 3. In a "
		"virtual machine whose host has no huge pages for it, those of "
		"the guest reach no further than small ones: this is found, "
		"said, and written as tables that are nested and TLBs that "
		"hold 4K alone.",
	.examples = "pagescope calibrate --quick --memory 16M -o host.cfg\n"
		    "pagescope advise huge-pages trace.pst --config host.cfg\n"
		    "# a quiet processor (not tested)\n"
		    "pagescope calibrate --processor 3 -o host.cfg\n",
	.options = &calibrate_options,
	.run = calibrate_run,
};
