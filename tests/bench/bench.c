// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One hot loop at a time, on one thread, by processor time:
 *
 *	bench decode TRACE	steps and roots, which is what replays use
 *	bench columns TRACE	decode, and an address and a site for each access
 *	bench replay TRACE [NAME=VALUE...]
 *	bench import FILE
 *	bench curve TRACE	reuse distances of all accesses, fetches too
 *	bench sets TRACE	the same with working sets
 *	bench peak TRACE	peak memory of a replay, MiB
 *
 * Runs it REPEAT (default 5) times and prints the median of M accesses/s, the
 * lowest and the highest.  bench.sh puts the figures into a table.
 */
#include "analyzer/fail.h"
#include "analyzer/run.h"
#include "models/analysis/curve.h"
#include "models/machine.h"
#include "traces/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
nothing_feed(struct model *model, const struct batch *batch)
{
	(void)model;
	(void)batch;
	return 0;
}

static void
nothing_close(struct model *model)
{
	(void)model;
}

/* Takes batches and does nothing with them: the floor of all replays. */
static const struct model_methods packed_methods = {
	.feed = nothing_feed,
	.close = nothing_close,
	.packed = true,
};

static const struct model_methods columns_methods = {
	.feed = nothing_feed,
	.close = nothing_close,
};

static struct model nothing;

static int
open_model(struct model **out, const char *what, char **sets,
	   struct stream *stream)
{
	struct curve_config curve = { .shift = 12,
				      .fetches = true,
				      .working_sets = !strcmp(what, "sets") };
	struct machine_config config;
	int error;

	if (!strcmp(what, "curve") || !strcmp(what, "sets"))
		return curve_open(out, &curve, stream);
	if (strcmp(what, "replay") != 0) {
		nothing.methods = strcmp(what, "decode") != 0 ? &columns_methods
							      : &packed_methods;
		*out = &nothing;
		return 0;
	}
	error = option_init(&machine_options, &config);
	if (!error)
		error = machine_configure(&config, getenv("BENCH_CPU"), NULL,
					  sets);
	if (!error)
		error = machine_model.open(out, &config, stream);
	option_fini(&machine_options, &config);
	return error;
}

/* M accesses a second of processor time; negative when it failed. */
static double
run_once(const char *what, const char *path, char **sets)
{
	struct result *result = NULL;
	struct model *model;
	struct run run = { .models = &model, .n_models = 1 };
	double start = cpu_seconds(), speed = -1;

	if (source_open(&run.source, path, false))
		return -1;
	if (open_model(&model, what, sets, run.source->stream))
		goto close_source;
	if (result_open(&result) || run_feed(&run))
		goto close_model;
	speed = (double)run.accesses / (cpu_seconds() - start) / 1e6;
	if (model->methods->finish && model->methods->finish(model, result))
		speed = -1;
close_model:
	result_close(result);
	model_close(model);
close_source:
	source_close(run.source);
	return speed;
}

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int
peak(const char *path)
{
	char *none[] = { NULL };
	struct rusage usage;

	if (run_once("replay", path, none) < 0)
		return 1;
	getrusage(RUSAGE_SELF, &usage);
	printf("%.1f\n", (double)usage.ru_maxrss / 1024);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *repeat = getenv("REPEAT");
	int n = repeat ? atoi(repeat) : 5;
	double speed[99];

	if (argc < 3 || n < 1 || n > 99) {
		fail(EINVAL,
		     "usage: bench decode|columns|replay|import|curve|sets|peak "
		     "FILE [NAME=VALUE...]");
		return 2;
	}
	if (!strcmp(argv[1], "peak"))
		return peak(argv[2]);
	for (int i = 0; i < n; i++) {
		speed[i] = run_once(argv[1], argv[2], argv + 3);
		if (speed[i] < 0)
			return 1;
	}
	qsort(speed, (size_t)n, sizeof(*speed), ascending);
	printf("%.1f %.1f %.1f\n", speed[n / 2], speed[0], speed[n - 1]);
	return 0;
}
