/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting performance events, without samples: of a command, of all threads
 * of a process, or of all processors.
 *
 * Events of one group are on the counters at the same time, so that they can be
 * set against each other.  A group that the kernel refuses as too large is
 * split.  Groups take turns where the counters do not suffice; then a count is
 * scaled by the time it was on.
 */
#ifndef TRACERS_COUNTING_H
#define TRACERS_COUNTING_H

#include "analyzer/base.h"

#include <linux/perf_event.h>
#include <sys/types.h>

struct counting;

struct count {
	uint64_t value, enabled_ns, running_ns; /* since the beginning */
};

/* What the system calls would do: a test puts its own kernel here */
struct counting_kernel {
	/* A descriptor, or -errno */
	int (*open)(struct perf_event_attr *attr, pid_t pid, int core,
		    int group);
	int (*read)(int fd, struct count *count); /* 0 or -errno */
	int (*control)(int fd, unsigned long request);
	int (*close)(int fd);
};
extern const struct counting_kernel counting_linux;

struct counting_event {
	char name[256]; /* of libpfm4 */
	unsigned group; /* equal ones in a row belong together; 0: alone */
};

struct counting_setup {
	pid_t pid;	 /* 0: all processors */
	bool command;	 /* pid waits for its exec, which begins the counting */
	bool per_thread; /* counts of new threads apart */
	bool no_follow;	 /* no child processes */
	const struct counting_kernel *kernel;
};

/*
 * Encode the events.  0, -ENOMEM, -EINVAL (said): libpfm4 knows no such event.
 * What this host cannot count is known after counting_attach.
 */
int counting_open(struct counting **out, const struct counting_event *events,
		  size_t n);
void counting_close(struct counting *counting);

/*
 * Open them for the target; not yet counting.  0, -ESRCH, -EACCES, -EMFILE
 * (said, with the fix).  Events that are not supported here are no error.
 */
int counting_attach(struct counting *counting,
		    const struct counting_setup *setup);
/* Begin, unless an exec does.  End. */
int counting_enable(struct counting *counting, bool enable);

/* The sums of all targets, count[n].  -errno (said). */
int counting_read(struct counting *counting, struct count *count);

/* Why an event is not counted here, or NULL. */
const char *counting_reason(const struct counting *counting, size_t event);
/* Was the kernel's part of it forbidden? */
bool counting_user_only(const struct counting *counting, size_t event);
/* Something that makes the sums or the threads' counts incomplete, or NULL. */
const char *counting_trouble(const struct counting *counting);

/* With per_thread: call it now and then, that nothing is lost. */
void counting_drain(struct counting *counting);

struct thread_count {
	pid_t pid, tid;	     /* tid 0: of processor `core` */
	int core;	     /* -1: of a thread */
	struct count *count; /* [n], borrowed */
};

/*
 * The counts of each thread (or processor), sorted by pid and tid; they add up
 * to counting_read's.  With per_thread those of threads that came later and
 * have ended are apart; those that still run are in their creator's.
 * *threads is owned by counting, until the next call.  0 or -ENOMEM (said).
 */
int counting_threads(struct counting *counting, struct thread_count **threads,
		     size_t *n);

/* The estimate of what would have been counted all the time: value, scaled.
 * False: it was never on while the target ran. */
bool count_scaled(const struct count *count, double *value);

#endif
