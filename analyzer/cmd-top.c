// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope top: which processes fault, miss and fill memory, now.
 *
 *	census + counting -> a document an interval -> screen, text, CSV, JSON
 */
#include "analyzer/cmd-top.h"
#include "analyzer/fail.h"
#include "reports/renderer.h"
#include "tracers/census-tlb.h"
#include "tracers/count-plan.h"
#include "tracers/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD_LINES 8 /* of a screen, above and below the rows */

enum format {
	FORMAT_TEXT,
	FORMAT_CSV,
	FORMAT_JSON
};
static const char *const format_choices[] = { "text", "csv", "json", NULL };

static const struct option_row top_rows[] = {
	{ "pid", OPTION_INT, offsetof(struct top_config, pid), "0", .min = 0,
	  .max = 1 << 22, .help = "only this process and its descendants",
	  .key = 'p' },
	{ "all", OPTION_BOOL, offsetof(struct top_config, all),
	  .help = "all processes, as without a command and --pid", .key = 'a' },
	{ "interval", OPTION_TIME, offsetof(struct top_config, interval_ns),
	  "2", .min = 10e6, .max = 86400e9, .help = "time between two looks",
	  .key = 'd', .argument = "SECONDS" },
	{ "count", OPTION_INT, offsetof(struct top_config, count), "0",
	  .max = 1e9, .help = "end after so many intervals, 0: no bound",
	  .key = 'n', .argument = "N" },
	{ "sort", OPTION_CHOICE, offsetof(struct top_config, sort), "faults",
	  .choices = top_sorts, .help = "what comes first", .key = 's' },
	{ "rows", OPTION_INT, offsetof(struct top_config, rows), "0",
	  .max = 1e6,
	  .help = "so many rows; 0: what fits the screen, or all of them" },
	{ "threads", OPTION_BOOL, offsetof(struct top_config, threads),
	  .help = "a row for each thread", .key = 'H' },
	{ "working-set", OPTION_BOOL, offsetof(struct top_config, working_set),
	  .help = "what was touched in the interval, by the pages' referenced "
		  "bits, which are cleared: an estimate from below" },
	{ "batch", OPTION_BOOL, offsetof(struct top_config, batch),
	  .help = "print, one interval after the other, as where there is no "
		  "terminal",
	  .key = 'b' },
	{ "format", OPTION_CHOICE, offsetof(struct top_config, format), "text",
	  .choices = format_choices,
	  .help = "csv: the rows; json: a result document a line, an interval "
		  "each; both without a screen" },
	{ NULL },
};

static const struct option_group top_groups[] = {
	{ "", top_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree top_options = { top_groups,
						sizeof(struct top_config) };

struct view {
	struct top top;
	struct count_plan plan;
	struct census_host host, host_before;
	struct screen *screen; /* NULL: printing */
	int signals;	       /* a signalfd */
	FILE *kept; /* what the command wrote while the screen was ours */
	struct result *last;
	int64_t intervals;
	bool quit, redraw, at_once, stopped;
};

/* The command's own input and output, while the screen is not its */
static int
keep_output(void *context)
{
	const struct view *view = context;
	int nothing = open("/dev/null", O_RDONLY);

	if (nothing < 0 || dup2(nothing, 0) < 0 ||
	    dup2(fileno(view->kept), 1) < 0 || dup2(fileno(view->kept), 2) < 0)
		return -1;
	return 0;
}

static int
start_command(struct view *view)
{
	struct launch_setup setup = {
		.argv = view->top.call->argv,
		.stdout_to_stderr = true,
		.context = view,
	};

	if (view->screen) {
		view->kept = tmpfile();
		if (!view->kept)
			return fail_errno(errno, "top: a file for the "
						 "command's output");
		setup.in_child = keep_output;
	}
	return live_command(&view->top.live, &setup);
}

/* What cannot be counted is said in each document; the rest goes on. */
static int
start_counting(struct top *top, const struct counting_setup *setup)
{
	int error =
		counting_open(&top->counting, top->plan->event, top->plan->n);

	if (error)
		return error;
	fail_listen(top->not_counted, sizeof(top->not_counted));
	error = counting_attach(top->counting, setup);
	if (!error && !setup->command)
		error = counting_enable(top->counting, true);
	fail_listen(NULL, 0);
	if (error == -ESRCH)
		return fail(ESRCH, "%s", top->not_counted);
	if (error) {
		counting_close(top->counting);
		top->counting = NULL;
	}
	return error == -ENOMEM ? fail(ENOMEM, "top: no memory") : 0;
}

/* Does this host count what the figures of rows are made of? */
static bool
has_counters(const struct top *top)
{
	for (size_t i = top->plan->asked; top->counting && i < top->plan->n;
	     i++)
		if (!counting_reason(top->counting, i))
			return true;
	return false;
}

static int
start(struct view *view)
{
	struct top *top = &view->top;
	const struct top_config *config = top->config;
	struct counting_setup setup = { .pid = (pid_t)config->pid };
	struct census_setup census = { .root = (pid_t)config->pid,
				       .threads = config->threads,
				       .referenced = config->working_set };
	int error = top->call->argc ? start_command(view) : 0;

	if (error)
		return error;
	if (top->live.launched && !config->all) {
		setup.pid = census.root = top->live.pid;
		setup.command = true;
	}
	if (config->pid)
		live_watch(&top->live, setup.pid);
	error = start_counting(top, &setup);
	if (!error)
		error = census_open(&top->census, &census);
	if (!error && has_counters(top))
		error = census_tlb_open(&top->tlb, top->plan, NULL);
	top->start_ns = live_now_ns();
	if (!error)
		error = top_look(top, &view->last);
	if (!error && top->live.launched)
		error = live_go(&top->live);
	return error;
}

static int
render(const struct view *view, const char *format,
       const struct render_setup *setup, FILE *file)
{
	for (size_t i = 0; renderer_registry[i]; i++)
		if (!strcmp(renderer_registry[i]->name, format))
			return renderer_registry[i]->render(view->last, setup,
							    file);
	return fail(EINVAL, "top: no format \"%s\"", format);
}

static int
draw(struct view *view)
{
	struct render_setup setup = { .coloured = true };
	char status[160], *text = NULL;
	unsigned columns, lines;
	size_t n = 0;
	FILE *file;
	int error;

	if (!view->last)
		return screen_draw("looking ...", "q quit");
	file = open_memstream(&text, &n);
	if (!file)
		return fail(ENOMEM, "top: no memory");
	render_terminal(&setup);
	screen_size(&columns, &lines);
	setup.width = columns;
	error = render(view, "text", &setup, file);
	if (fclose(file) && !error)
		error = fail(ENOMEM, "top: no memory");
	snprintf(status, sizeof(status),
		 " q quit  s/S sort (%s)  t %s  space now  each %g s",
		 top_sorts[view->top.sort],
		 view->top.threads ? "processes" : "threads",
		 (double)view->top.config->interval_ns / 1e9);
	if (!error)
		error = screen_draw(text, status);
	free(text);
	return error;
}

static int
print(struct view *view)
{
	struct render_setup setup = { .top = 0 };
	enum format format = (enum format)view->top.config->format;
	int error = 0;

	if (format == FORMAT_JSON) {
		result_print_json(result_json(view->last), stdout);
		putc('\n', stdout);
	} else {
		render_terminal(&setup);
		if (format == FORMAT_CSV)
			setup.table = "top";
		else if (view->intervals > 1)
			putc('\n', stdout);
		error = render(view, format_choices[format], &setup, stdout);
	}
	/* a reader of the pipe wants it now; main says what went wrong */
	fflush(stdout);
	return error;
}

static int
look(struct view *view)
{
	struct result *result = NULL;
	unsigned columns, lines;
	int error;

	if (view->screen && !view->top.config->rows) {
		screen_size(&columns, &lines);
		view->top.most_rows =
			lines > HEAD_LINES ? lines - HEAD_LINES : 1;
	}
	error = top_look(&view->top, &result);
	if (error)
		return error;
	result_close(view->last);
	view->last = result;
	view->intervals++;
	return view->screen ? draw(view) : print(view);
}

static void
turn_sort(struct view *view, int by)
{
	int n = TOP_SORTS;

	view->top.sort = (enum top_sort)(((int)view->top.sort + by + n) % n);
	view->at_once = true;
}

static void
take_keys(struct view *view)
{
	int key;

	while ((key = screen_key()) != KEY_NONE) {
		switch (key) {
		case 'q':
		case 'Q':
		case KEY_END:
			view->quit = true;
			return;
		case 's':
			turn_sort(view, 1);
			break;
		case 'S':
			turn_sort(view, -1);
			break;
		case 't':
		case 'H':
			view->top.threads = !view->top.threads;
			census_threads(view->top.census, view->top.threads);
			view->at_once = true;
			break;
		case ' ':
			view->at_once = true;
			break;
		default:
			view->redraw = true;
		}
	}
}

static void
take_signals(struct view *view)
{
	struct signalfd_siginfo info;

	while (read(view->signals, &info, sizeof(info)) ==
	       (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			screen_stop(view->screen);
			view->redraw = true;
			break;
		case SIGWINCH:
			view->redraw = true;
			break;
		case SIGCHLD:
			break;
		default:
			view->stopped = true;
		}
	}
}

/*
 * The signals that come as news, so that none is missed between two looks; the
 * one that asks to end a second time kills.  What is ignored stays so.
 */
static int
open_signals(struct view *view, sigset_t *old)
{
	static const int numbers[] = { SIGINT,	SIGTERM,  SIGHUP,
				       SIGCHLD, SIGWINCH, SIGTSTP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct sigaction action;
		bool screen = numbers[i] == SIGTSTP || numbers[i] == SIGWINCH;

		if ((screen && !view->screen) ||
		    sigaction(numbers[i], NULL, &action) ||
		    action.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, numbers[i]);
	}
	view->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (view->signals < 0)
		return fail_errno(errno, "top: signalfd");
	sigprocmask(SIG_BLOCK, &set, old);
	return 0;
}

/* Wait for keys, signals, the end of the process, or until then. */
static void
await(struct view *view, uint64_t until_ns)
{
	struct pollfd fds[3] = {
		{ .fd = view->signals, .events = POLLIN },
		{ .fd = view->screen ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = view->top.live.pid_fd, .events = POLLIN },
	};
	uint64_t now = live_now_ns();
	uint64_t left_ns = until_ns > now ? until_ns - now : 0;
	struct timespec time = { (time_t)(left_ns / 1000000000u),
				 (long)(left_ns % 1000000000u) };

	ppoll(fds, ARRAY_SIZE(fds), &time, NULL);
	take_signals(view);
	if (view->screen)
		take_keys(view);
}

/* Has what we look at ended?  An own command is looked at once more before it
 * is reaped: its last counts are still there. */
static bool
ended(struct view *view)
{
	struct live *live = &view->top.live;
	siginfo_t info = { 0 };

	if (live->launched)
		return waitid(P_PID, (id_t)live->pid, &info,
			      WEXITED | WNOHANG | WNOWAIT) == 0 &&
		       info.si_pid == live->pid;
	return live_ended(live, (pid_t)view->top.config->pid);
}

static int
watch(struct view *view)
{
	const struct top_config *config = view->top.config;
	uint64_t next = view->top.start_ns + config->interval_ns;
	int error = view->screen ? draw(view) : 0;

	while (!error && !view->quit && !view->stopped &&
	       !*view->top.call->stop) {
		bool over = ended(view);

		if (!over)
			await(view, next);
		if (!over && (view->quit || view->stopped))
			break;
		if (over || view->at_once || live_now_ns() >= next) {
			error = look(view);
			while (next <= live_now_ns())
				next += config->interval_ns;
			view->at_once = view->redraw = false;
		} else if (view->redraw) {
			error = draw(view);
			view->redraw = false;
		}
		if (over || (config->count && view->intervals >= config->count))
			break;
	}
	return error;
}

/* What the command wrote meanwhile */
static void
show_kept(struct view *view)
{
	char bytes[65536];
	size_t n;

	if (!view->kept)
		return;
	rewind(view->kept);
	while ((n = fread(bytes, 1, sizeof(bytes), view->kept)) > 0)
		fwrite(bytes, 1, n, stdout);
	fclose(view->kept);
}

static int
finish(struct view *view, int error)
{
	struct top *top = &view->top;

	screen_close(view->screen);
	if (!error)
		error = live_started(&top->live, top->call->argv[0]);
	if (top->live.launched && !live_ended(&top->live, 0) && !error &&
	    view->screen)
		note("%s still runs; Ctrl-C ends it", top->call->argv[0]);
	live_reap(&top->live);
	show_kept(view);
	counting_close(top->counting);
	census_tlb_close(top->tlb);
	census_close(top->census);
	count_plan_fini(top->plan);
	free(top->counts);
	free(top->before);
	result_close(view->last);
	live_fini(&top->live);
	if (view->signals >= 0)
		close(view->signals);
	return error;
}

static int
prepare(struct view *view)
{
	struct top *top = &view->top;
	const struct top_config *config = top->config;
	char vendor[64];
	struct metric_host host = count_plan_host(vendor, sizeof(vendor));
	int error = count_plan_init(top->plan, NULL, METRICS_BASIC, &host);

	if (error)
		return error;
	top->counts = calloc(top->plan->n, sizeof(*top->counts));
	top->before = calloc(top->plan->n, sizeof(*top->before));
	if (!top->counts || !top->before)
		return fail(ENOMEM, "top: no memory");
	top->sort = (enum top_sort)config->sort;
	top->threads = config->threads;
	top->most_rows = (size_t)config->rows;
	if (!config->batch && config->format == FORMAT_TEXT)
		error = screen_open(&view->screen);
	return error == -ENOTTY ? 0 : error;
}

static int
check_usage(const struct verb_call *call)
{
	const struct top_config *config = call->config;

	if (config->pid && (call->argc || config->all))
		return fail(EUSAGE, "top: --pid is alone: no command, no "
				    "--all");
	return 0;
}

static int
top_run(const struct verb_call *call)
{
	struct view view = {
		.top = { .call = call,
			 .config = call->config,
			 .options = &top_options,
			 .live = { .pid_fd = -1 } },
		.signals = -1,
	};
	sigset_t old;
	int error = check_usage(call);

	if (error)
		return error;
	view.top.plan = &view.plan;
	view.top.host = &view.host;
	view.top.host_before = &view.host_before;
	sigprocmask(SIG_BLOCK, NULL, &old);
	error = prepare(&view);
	if (!error)
		error = open_signals(&view, &old);
	if (!error)
		error = start(&view);
	if (!error)
		error = watch(&view);
	/* From here on a signal kills: the guardian minds the terminal */
	sigprocmask(SIG_SETMASK, &old, NULL);
	error = finish(&view, error);
	if (error && !view.top.live.exec_error)
		return error;
	return live_status(&view.top.live, view.top.trouble);
}

const struct verb_ops top_verb = {
	.name = "top",
	.help = "which processes fault, miss and fill memory, now",
	.arguments = "[OPTION...] [--] [COMMAND [ARGUMENT...]]",
	.details =
		"Looks at all processes (of a command, or of --pid, at it and "
		"its descendants) each interval: minor and major faults, "
		"processor time, resident memory, what of it is in "
		"transparent huge pages, page tables, swap; with --working-set "
		"what was touched. Above them what stat counts meanwhile, "
		"without those that are gone as rows, the host's memory, and "
		"the share of time that tasks waited for memory (PSI). Misses "
		"of the TLBs and cycles of walks are told by process where the "
		"processor's counters can be had, else once why not.\n\n"
		"On a terminal it is a screen: q quits, s and S choose what "
		"rows are sorted by, t shows threads, space looks at once. The "
		"terminal is given back however top ends. A command's output "
		"is then shown after the screen; with --batch it goes to "
		"standard error. With --format json each interval is a result "
		"document on a line of its own, with stat's names.\n\n"
		"The command's exit status becomes top's. Huge pages and "
		"working sets of other users' processes are only for root. "
		"--working-set clears referenced bits, as the kernel's own "
		"reclaim does.",
	.examples = "pagescope top --batch -d 200ms -n 2 --rows 10\n"
		    "pagescope top --batch -d 200ms -- gzip -9 -k -f FILE\n"
		    "# one document, for the other verbs\n"
		    "pagescope top -d 100ms -n 1 --format json >top.json\n"
		    "pagescope report top.json\n"
		    "# on a terminal: what grows (not tested)\n"
		    "pagescope top --sort rss --working-set -p PID\n",
	.options = &top_options,
	.command = true,
	.run = top_run,
};
