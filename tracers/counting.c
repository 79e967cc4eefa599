// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors as a table of targets by events.  A target is a thread, with all
 * that it creates (the kernel adds their counts to its own when they end, and
 * reads them with it while they live), or a processor.
 *
 *	         event 0  event 1 | event 2 ...	   | a new group
 *	target 0   fd       fd    |   fd
 *	target 1   fd       fd    |   fd
 */
#include "tracers/counting-table.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/event-name.h"

/* A process that creates threads while we look is looked at again */
#define SCANS_MAX 16

static int
linux_open(struct perf_event_attr *attr, pid_t pid, int core, int group)
{
	long int fd = syscall(SYS_perf_event_open, attr, pid, core, group,
			      PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int
linux_read(int fd, struct count *count)
{
	struct {
		struct count count;
		uint64_t id; /* with PERF_FORMAT_ID */
	} all = { 0 };
	ssize_t got = read(fd, &all, sizeof(all));

	/* 0 bytes: a group that could not be put on the counters at all */
	*count = all.count;
	return got < 0 ? -errno : 0;
}

static int
linux_control(int fd, unsigned long request)
{
	return ioctl(fd, request, 0) ? -errno : 0;
}

const struct counting_kernel counting_linux = { linux_open, linux_read,
						linux_control, close };

int
counting_open(struct counting **out, const struct counting_event *events,
	      size_t n)
{
	struct counting *counting = calloc(1, sizeof(*counting));
	int error = 0;

	if (!counting)
		return fail(ENOMEM, "counting: no memory");
	counting->n = n;
	counting->event = calloc(n, sizeof(*counting->event));
	if (!counting->event) {
		free(counting);
		return fail(ENOMEM, "counting: no memory");
	}
	for (size_t i = 0; i < n && !error; i++) {
		struct event_slot *slot = &counting->event[i];
		const char *why;

		slot->group = events[i].group;
		error = event_encode(events[i].name, &slot->attr, &why);
		if (error == -ENOENT) {
			snprintf(slot->why, sizeof(slot->why),
				 "an event of other processors");
			error = 0;
		} else if (error) {
			fail(EINVAL, "no event \"%s\" (libpfm4: %s)",
			     events[i].name, why);
		}
	}
	if (error) {
		counting_close(counting);
		return error;
	}
	*out = counting;
	return 0;
}

static void
close_targets(struct counting *counting)
{
	counting_close_rings(counting);
	for (size_t i = 0; i < counting->n_targets * counting->n; i++)
		if (counting->fd[i] >= 0)
			counting->setup.kernel->close(counting->fd[i]);
	free(counting->fd);
	free(counting->target);
	counting->fd = NULL;
	counting->target = NULL;
	counting->n_targets = 0;
}

void
counting_close(struct counting *counting)
{
	if (!counting)
		return;
	close_targets(counting);
	counting_free_threads(counting);
	free(counting->event);
	free(counting);
}

static int
add_target(struct counting *counting, pid_t pid, pid_t tid, int core)
{
	size_t n = counting->n_targets + 1;
	struct target *target =
		reallocarray(counting->target, n, sizeof(*target));
	int *fd;

	if (target)
		counting->target = target;
	fd = reallocarray(counting->fd, n * counting->n, sizeof(*fd));
	if (fd)
		counting->fd = fd;
	if (!target || !fd)
		return fail(ENOMEM, "counting: no memory");
	target[n - 1] = (struct target){ .pid = pid, .tid = tid, .core = core };
	for (size_t i = 0; i < counting->n; i++)
		fd[(n - 1) * counting->n + i] = -1;
	counting->n_targets = n;
	return 0;
}

static struct perf_event_attr
attr_of(const struct counting *counting, size_t event, int leader)
{
	const struct counting_setup *setup = &counting->setup;
	struct perf_event_attr attr = counting->event[event].attr;

	attr.size = sizeof(attr);
	attr.sample_period = 0;
	attr.freq = 0;
	attr.read_format =
		PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	attr.inherit = setup->pid != 0;
	attr.inherit_thread = setup->pid && setup->no_follow;
	if (counting_has_rings(counting)) {
		attr.inherit_stat = 1;
		attr.task = event == 0;
		attr.read_format |= PERF_FORMAT_ID;
	}
	attr.disabled = leader < 0;
	attr.enable_on_exec = leader < 0 && setup->command;
	return attr;
}

/* Once refused with the kernel's part, an event goes on without it */
static int
try_open(struct counting *counting, size_t event, const struct target *target,
	 int leader)
{
	struct perf_event_attr attr = attr_of(counting, event, leader);
	struct event_slot *slot = &counting->event[event];
	int fd;

	fd = counting->setup.kernel->open(&attr,
					  counting->setup.pid ? target->tid
							      : -1,
					  target->core, leader);
	if ((fd == -EACCES || fd == -EPERM) && !attr.exclude_kernel &&
	    counting->setup.pid) {
		attr.exclude_kernel = attr.exclude_hv = 1;
		fd = counting->setup.kernel->open(&attr, target->tid,
						  target->core, leader);
		if (fd >= 0)
			slot->attr.exclude_kernel = slot->attr.exclude_hv =
				slot->user_only = true;
	}
	return fd;
}

/* What opening an event told: an error that ends all, or a mark */
static int
take_refusal(struct counting *counting, size_t event, int error)
{
	struct event_slot *slot = &counting->event[event];

	if (error == -EMFILE)
		return fail(EMFILE, "too many open files: ulimit -n has to be "
				    "above threads x events x processors");
	if (slot->opened) /* but not for all targets */
		counting->trouble =
			"an event could not be counted for all threads";
	else
		event_refusal(error, slot->why, sizeof(slot->why));
	return 0;
}

/*
 * All events of one target.  A member that the kernel refuses may be one too
 * many for its group: it is tried as the first of another.
 */
static int
open_target(struct counting *counting, size_t number)
{
	const struct target *target = &counting->target[number];
	int leader = -1;

	for (size_t i = 0; i < counting->n; i++) {
		struct event_slot *slot = &counting->event[i];
		int fd, error;

		if (i == 0 || !slot->group || slot->group != slot[-1].group)
			leader = -1;
		if (slot->why[0])
			continue;
		fd = try_open(counting, i, target, leader);
		if (fd == -EINVAL && leader >= 0) {
			leader = -1;
			fd = try_open(counting, i, target, leader);
		}
		if (fd == -ESRCH || (fd == -ENODEV && target->core >= 0))
			return 0; /* a thread that ended, a core that is off */
		if (fd < 0) {
			error = take_refusal(counting, i, fd);
			if (error)
				return error;
			continue;
		}
		counting->fd[number * counting->n + i] = fd;
		slot->opened = true;
		slot->leads = leader < 0;
		if (leader < 0)
			leader = fd;
	}
	return 0;
}

/* The threads of the process as targets.  Their number, or -errno. */
static int
scan_threads(struct counting *counting, bool add)
{
	int cores = counting_has_rings(counting)
			    ? (int)sysconf(_SC_NPROCESSORS_CONF)
			    : 0;
	pid_t pid = counting->setup.pid;
	struct dirent *entry;
	char path[64];
	DIR *threads;
	int n = 0, error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		return fail(ESRCH, "no process %d", (int)pid);
	while (!error && (entry = readdir(threads))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		bool known = false;

		if (tid <= 0)
			continue;
		for (size_t i = 0; !add && i < counting->n_targets; i++)
			known |= counting->target[i].tid == tid;
		n += !known;
		for (int core = 0; add && core < cores && !error; core++)
			error = add_target(counting, pid, tid, core);
		if (add && !cores)
			error = add_target(counting, pid, tid, -1);
	}
	closedir(threads);
	return error ? error : n;
}

/*
 * A thread that appears while we open may have inherited the counting or not,
 * and would be counted twice or never: begin anew until none has appeared.
 */
static int
attach_process(struct counting *counting)
{
	int got = 1;

	for (int scan = 0; got > 0 && scan < SCANS_MAX; scan++) {
		int error = 0;

		close_targets(counting);
		got = scan_threads(counting, true);
		for (size_t i = 0; got > 0 && i < counting->n_targets && !error;
		     i++)
			error = open_target(counting, i);
		if (error)
			return error;
		if (got > 0)
			got = scan_threads(counting, false);
	}
	if (got > 0)
		counting->trouble = "threads came faster than they could be "
				    "opened: some are counted twice or not";
	return got < 0 ? got : 0;
}

static int
attach_system(struct counting *counting)
{
	long int cores = sysconf(_SC_NPROCESSORS_CONF);
	int error = 0;

	for (int core = 0; core < cores && !error; core++) {
		error = add_target(counting, -1, -1, core);
		if (!error)
			error = open_target(counting, counting->n_targets - 1);
	}
	return error;
}

static int
check_rights(const struct counting *counting)
{
	for (size_t i = 0; i < counting->n; i++) {
		const struct event_slot *slot = &counting->event[i];

		if (slot->opened || !strstr(slot->why, "not allowed"))
			return 0;
	}
	if (counting->setup.pid)
		return fail(EACCES, "%s", counting->event[0].why);
	return fail(
		EACCES,
		"all processors are only for root or "
		"CAP_PERFMON, or after sysctl kernel.perf_event_paranoid=0");
}

int
counting_attach(struct counting *counting, const struct counting_setup *setup)
{
	int error;

	counting->setup = *setup;
	if (!setup->kernel)
		counting->setup.kernel = &counting_linux;
	error = setup->pid ? attach_process(counting) : attach_system(counting);
	if (!error)
		error = check_rights(counting);
	return error ? error : counting_open_rings(counting);
}

int
counting_enable(struct counting *counting, bool enable)
{
	unsigned long request =
		enable ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;

	for (size_t i = 0; i < counting->n_targets * counting->n; i++) {
		int error;

		if (counting->fd[i] < 0 ||
		    !counting->event[i % counting->n].leads)
			continue;
		error = counting->setup.kernel->control(counting->fd[i],
							request);
		if (error)
			return fail_errno(-error, "counting: perf event");
	}
	return 0;
}

int
counting_read_target(const struct counting *counting, size_t target,
		     size_t event, struct count *count)
{
	int fd = counting->fd[target * counting->n + event];
	int error;

	*count = (struct count){ 0 };
	if (fd < 0)
		return 0;
	error = counting->setup.kernel->read(fd, count);
	return error ? fail_errno(-error, "counting: reading an event") : 0;
}

/*
 * A thread's descriptor of one core is enabled while the thread runs anywhere
 * and running only there: its times over all cores add up to as many times
 * more.  What then is off by the kernel's switching is no sharing.
 */
void
counting_settle(const struct counting *counting, size_t event,
		struct count *count)
{
	uint32_t type = counting->event[event].attr.type;

	if (counting->n_rings > 1)
		count->enabled_ns /= counting->n_rings;
	if (counting->n_rings &&
	    (type == PERF_TYPE_SOFTWARE || type == PERF_TYPE_TRACEPOINT ||
	     count->running_ns + count->enabled_ns / 1000 >= count->enabled_ns))
		count->running_ns = count->enabled_ns;
}

int
counting_read(struct counting *counting, struct count *count)
{
	memset(count, 0, counting->n * sizeof(*count));
	for (size_t t = 0; t < counting->n_targets; t++)
		for (size_t i = 0; i < counting->n; i++) {
			struct count one;
			int error = counting_read_target(counting, t, i, &one);

			if (error)
				return error;
			count_add(&count[i], &one);
		}
	for (size_t i = 0; i < counting->n; i++)
		counting_settle(counting, i, &count[i]);
	return 0;
}

const char *
counting_reason(const struct counting *counting, size_t event)
{
	const struct event_slot *slot = &counting->event[event];

	return slot->why[0] ? slot->why : NULL;
}

bool
counting_user_only(const struct counting *counting, size_t event)
{
	return counting->event[event].user_only;
}

const char *
counting_trouble(const struct counting *counting)
{
	return counting->trouble;
}

bool
count_scaled(const struct count *count, double *value)
{
	*value = (double)count->value;
	if (count->running_ns >= count->enabled_ns)
		return true;
	if (!count->running_ns)
		return false;
	*value *= (double)count->enabled_ns / (double)count->running_ns;
	return true;
}
