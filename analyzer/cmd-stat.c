// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope stat: count events of a command, a process or all processors.
 *
 *	plan of events -> counting -> (intervals) -> sums -> result -> report
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-live.h"
#include "analyzer/fail.h"
#include "analyzer/result.h"
#include "analyzer/verb.h"
#include "reports/number.h"
#include "reports/renderer.h"
#include "tracers/count-plan.h"
#include "tracers/count-result.h"
#include "tracers/counting.h"
#include "tracers/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS 10000000 /* between looks at the command and the clock */

struct stat_config {
	char *events, *output;
	int metrics, format;
	uint64_t interval_ns, duration_ns;
	int64_t pid, repeat;
	bool all, per_thread, follow;
};

static const char *const metric_choices[] = { "none", "basic", "all", NULL };
static const char *const format_choices[] = { "text", "csv", "json", NULL };

static const struct option_row stat_rows[] = {
	{ "events", OPTION_STRING, offsetof(struct stat_config, events),
	  .help = "what to count, as libpfm4 names it, joined by commas; "
		  "{A,B}: at the same time. Without it clocks, switches, "
		  "faults, cycles and what the metrics need",
	  .key = 'e', .argument = "EVENT[,EVENT...]" },
	{ "metrics", OPTION_CHOICE, offsetof(struct stat_config, metrics),
	  "basic", .choices = metric_choices,
	  .help = "figures of address translation, if -e is not given; all: "
		  "by page size too, for which counters take turns" },
	{ "pid", OPTION_INT, offsetof(struct stat_config, pid), "0", .min = 0,
	  .max = 1 << 22,
	  .help = "count this process with all its threads, until it ends or "
		  "Ctrl-C",
	  .key = 'p' },
	{ "all", OPTION_BOOL, offsetof(struct stat_config, all),
	  .help = "count all processors, while the command runs or until "
		  "Ctrl-C",
	  .key = 'a' },
	{ "interval", OPTION_TIME, offsetof(struct stat_config, interval_ns),
	  "0", .unit = "ms", .max = 86400e9,
	  .help = "counts of each such interval too, 0: none", .key = 'I',
	  .argument = "MS" },
	{ "duration", OPTION_TIME, offsetof(struct stat_config, duration_ns),
	  "0", .help = "stop counting after this time, 0: no bound" },
	{ "per-thread", OPTION_BOOL, offsetof(struct stat_config, per_thread),
	  .help = "counts of each thread (with --all: processor) too" },
	{ "repeat", OPTION_INT, offsetof(struct stat_config, repeat), "1",
	  .min = 1, .max = 100000,
	  .help = "run the command so often: means with their standard error",
	  .key = 'r', .argument = "N" },
	{ "follow", OPTION_BOOL, offsetof(struct stat_config, follow), "yes",
	  .help = "count child processes too" },
	{ "output", OPTION_STRING, offsetof(struct stat_config, output),
	  .help = "write the result as JSON, - for standard output (the "
		  "command's own then goes to standard error); without it the "
		  "report is printed on standard error",
	  .key = 'o', .argument = "FILE" },
	{ "format", OPTION_CHOICE, offsetof(struct stat_config, format), "text",
	  .choices = format_choices, .help = "how the report is printed" },
	{ NULL },
};

static const struct option_group stat_groups[] = {
	{ "", stat_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree stat_options = { stat_groups,
						 sizeof(struct stat_config) };

struct stat_state {
	const struct verb_call *call;
	const struct stat_config *config;
	struct count_plan plan;
	struct counting *counting;
	struct count_sum *sums;	       /* owned: [plan.n] */
	struct count *counts, *before; /* owned: [plan.n] */
	struct result *result;
	struct live live;
	uint64_t start_ns;
	double elapsed_s;
	unsigned runs;
	const char *trouble; /* what makes the counts partial */
};

static bool
live_text(const struct stat_state *stat)
{
	return !stat->config->output && stat->config->format == 0;
}

static void
print_interval(const struct stat_state *stat, double end_s)
{
	for (size_t i = 0; i < stat->plan.n; i++) {
		struct count part = {
			stat->counts[i].value - stat->before[i].value,
			stat->counts[i].enabled_ns - stat->before[i].enabled_ns,
			stat->counts[i].running_ns - stat->before[i].running_ns,
		};
		double value = 0;
		bool known = !counting_reason(stat->counting, i) &&
			     count_scaled(&part, &value);

		fprintf(stderr, "%12.6f s %20s  %s\n", end_s,
			known ? number_count(value).text : "not counted",
			stat->plan.event[i].name);
	}
}

static int
end_interval(struct stat_state *stat, uint64_t now)
{
	double end_s = (double)(now - stat->start_ns) / 1e9;
	int error = counting_read(stat->counting, stat->counts);

	if (error)
		return error;
	if (live_text(stat))
		print_interval(stat, end_s);
	return count_result_interval(stat->result, &stat->plan, stat->counting,
				     end_s, stat->counts, stat->before)
		       ? fail(ENOMEM, "stat: no memory")
		       : 0;
}

/* Until the target ends, the time is over or a signal comes. */
static int
wait_for_end(struct stat_state *stat)
{
	const struct stat_config *config = stat->config;
	uint64_t next = config->interval_ns
				? stat->start_ns + config->interval_ns
				: UINT64_MAX;
	uint64_t end = config->duration_ns
			       ? stat->start_ns + config->duration_ns
			       : UINT64_MAX;
	struct timespec pause = { 0, WAIT_NS };
	sigset_t child, old;
	int error = 0;

	/* Of an own child the end wakes us at once */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, &old);
	while (!error && !live_ended(&stat->live, (pid_t)config->pid) &&
	       !*stat->call->stop) {
		uint64_t now = live_now_ns(), left;

		if (now >= end)
			break;
		counting_drain(stat->counting);
		if (now >= next) {
			error = end_interval(stat, now);
			next += config->interval_ns;
			continue;
		}
		left = (next < end ? next : end) - now;
		pause.tv_nsec = left < WAIT_NS ? (long)left : WAIT_NS;
		sigtimedwait(&child, NULL, &pause);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

static int
start_command(struct stat_state *stat)
{
	const struct launch_setup setup = {
		.argv = stat->call->argv,
		.stdout_to_stderr = stat->config->output &&
				    !strcmp(stat->config->output, "-"),
	};

	return live_command(&stat->live, &setup);
}

static int
start(struct stat_state *stat)
{
	const struct stat_config *config = stat->config;
	struct counting_setup setup = {
		.per_thread = config->per_thread,
		.no_follow = !config->follow,
		.pid = (pid_t)config->pid,
	};
	int error = stat->call->argc ? start_command(stat) : 0;

	if (error)
		return error;
	if (!config->all && stat->live.launched) {
		setup.pid = stat->live.pid;
		setup.command = true;
	}
	if (config->pid)
		live_watch(&stat->live, setup.pid);
	error = counting_attach(stat->counting, &setup);
	if (!error && !setup.command)
		error = counting_enable(stat->counting, true);
	stat->start_ns = live_now_ns();
	if (!error && stat->live.launched)
		error = live_go(&stat->live);
	return error;
}

static int
put_threads(struct stat_state *stat)
{
	struct thread_count *threads;
	size_t n;
	int error;

	counting_drain(stat->counting);
	error = counting_threads(stat->counting, &threads, &n);
	if (error)
		return error;
	return count_result_threads(stat->result, &stat->plan, stat->counting,
				    threads, n)
		       ? fail(ENOMEM, "stat: no memory")
		       : 0;
}

static int
finish_run(struct stat_state *stat)
{
	uint64_t now = live_now_ns();
	int error = counting_enable(stat->counting, false);

	if (!error && stat->config->interval_ns)
		error = end_interval(stat, now);
	if (!error)
		error = counting_read(stat->counting, stat->counts);
	if (error)
		return error;
	stat->elapsed_s += (double)(now - stat->start_ns) / 1e9;
	stat->runs++;
	count_sums_add(stat->sums, &stat->plan, stat->counting, stat->counts);
	if (stat->config->per_thread)
		error = put_threads(stat);
	if (counting_trouble(stat->counting))
		stat->trouble = counting_trouble(stat->counting);
	return error;
}

static int
run_once(struct stat_state *stat)
{
	int error =
		counting_open(&stat->counting, stat->plan.event, stat->plan.n);

	if (!error)
		error = start(stat);
	if (!error)
		error = wait_for_end(stat);
	if (!error)
		error = finish_run(stat);
	if (!error)
		error = live_started(&stat->live, stat->call->argv[0]);
	live_reap(&stat->live);
	counting_close(stat->counting);
	stat->counting = NULL;
	return error;
}

static int
put_all(struct stat_state *stat)
{
	struct result *result = stat->result;
	double runs = stat->runs;
	int error = count_result_totals(result, &stat->plan, stat->sums,
					stat->elapsed_s / runs);

	for (size_t i = 0; i < stat->plan.n; i++)
		if (stat->sums[i].user_only)
			stat->trouble = "the kernel's part is not counted: "
					"sysctl kernel.perf_event_paranoid=1";
	if (!error)
		error = result_real(result, "time.elapsed",
				    stat->elapsed_s / runs, "s");
	if (!error && stat->call->argc) {
		error = result_real(result, "time.user",
				    stat->live.user_s / runs, "s");
		if (!error)
			error = result_real(result, "time.system",
					    stat->live.system_s / runs, "s");
	}
	if (!error)
		error = result_count(result, "runs", stat->runs, "runs");
	if (!error)
		error = result_provenance(result, "command",
					  live_words(stat->call));
	if (!error)
		error = option_each(&stat_options, stat->config, common_option,
				    result);
	if (!error && stat->trouble)
		error = result_partial(result, stat->trouble);
	return error ? fail(ENOMEM, "stat: no memory") : 0;
}

static int
print_result(struct stat_state *stat)
{
	const struct stat_config *config = stat->config;
	const char *format = format_choices[config->format];
	struct render_setup setup = { .top = 0 };

	if (config->output)
		return result_write(stat->result, config->output);
	render_terminal(&setup);
	setup.coloured = setup.coloured && isatty(STDERR_FILENO);
	if (!strcmp(format, "csv"))
		setup.table = "counters";
	for (size_t i = 0; renderer_registry[i]; i++)
		if (!strcmp(renderer_registry[i]->name, format))
			return renderer_registry[i]->render(stat->result,
							    &setup, stderr);
	return fail(EINVAL, "stat: no format \"%s\"", format);
}

static int
prepare(struct stat_state *stat)
{
	const struct stat_config *config = stat->config;
	enum metric_level level = config->events && *config->events
					  ? METRICS_NONE
					  : (enum metric_level)config->metrics;
	char vendor[64];
	struct metric_host host = count_plan_host(vendor, sizeof(vendor));
	int error = count_plan_init(&stat->plan, config->events, level, &host);

	if (error)
		return error;
	stat->sums = calloc(stat->plan.n, sizeof(*stat->sums));
	stat->counts = calloc(stat->plan.n, sizeof(*stat->counts));
	stat->before = calloc(stat->plan.n, sizeof(*stat->before));
	if (!stat->sums || !stat->counts || !stat->before ||
	    result_open(&stat->result))
		return fail(ENOMEM, "stat: no memory");
	return 0;
}

static int
stat_all(struct stat_state *stat)
{
	int error = prepare(stat);

	for (int64_t i = 0; i < stat->config->repeat && !error; i++) {
		error = run_once(stat);
		if (*stat->call->stop)
			break;
	}
	if (!error)
		error = put_all(stat);
	return error ? error : print_result(stat);
}

static int
check_usage(const struct verb_call *call)
{
	const struct stat_config *config = call->config;

	if (config->pid && (call->argc || config->all))
		return fail(EINVAL, "stat: --pid is alone: no command, no "
				    "--all");
	if (!config->pid && !config->all && !call->argc)
		return fail(EINVAL, "stat: which command? (or --pid, --all)");
	if (config->repeat > 1 &&
	    (!call->argc || config->interval_ns || config->per_thread))
		return fail(EINVAL, "stat: --repeat is for a command, without "
				    "--interval and --per-thread");
	return 0;
}

static int
stat_run(const struct verb_call *call)
{
	struct stat_state stat = { .call = call,
				   .config = call->config,
				   .live = { .pid_fd = -1 } };
	int error = check_usage(call);

	if (error)
		return STATUS_USAGE;
	error = stat_all(&stat);
	count_plan_fini(&stat.plan);
	free(stat.sums);
	free(stat.counts);
	free(stat.before);
	result_close(stat.result);
	live_fini(&stat.live);
	if (error && !stat.live.exec_error)
		return error == -EINVAL ? STATUS_USAGE : error;
	return live_status(&stat.live, stat.trouble);
}

const struct verb_ops stat_verb = {
	.name = "stat",
	.help = "count faults, switches and TLB events, without a trace",
	.arguments = "[OPTION...] [--] [COMMAND [ARGUMENT...]]",
	.details =
		"Counts events of a command with its threads and children, of "
		"a running process (--pid) or of all processors (--all), and "
		"prints them with figures of address translation: misses of "
		"the TLBs, page walks, their cycles. The figures have the "
		"names that replay gives what it predicts, and each "
		"processor's own formulas.\n\n"
		"Counters that do not suffice take turns: such counts are "
		"scaled up and marked with the percent of time they were on. "
		"What a host cannot count is \"not supported\", with the "
		"reason: without hardware counters clocks, switches and faults "
		"are counted all the same.\n\n"
		"The command's exit status becomes stat's (128+N when signal N "
		"ended it, 126 or 127 when it could not be run); it is 3 when "
		"only a part could be counted.\n\n"
		"With --per-thread the counts of a thread that still runs at "
		"the end, and did not when counting began, are in its "
		"creator's.",
	.examples =
		"pagescope stat -- gzip -9 -k -f FILE\n"
		"pagescope stat -e minor-faults,major-faults -r 3 -- "
		"gzip -k -f FILE\n"
		"# every 100 ms, into a document\n"
		"pagescope stat -I 100 -o counts.json -- gzip -9 -k -f FILE\n"
		"# a running process, for ten seconds (not tested)\n"
		"pagescope stat --per-thread --duration 10s -p PID\n",
	.options = &stat_options,
	.command = true,
	.run = stat_run,
};
