/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracer turns one way of watching live processes into batches.  `record`
 * launches the command once and lets one main engine (valgrind, step) and any
 * companions (faults) watch it; they share one stream and one roster, and
 * tracers/merge.c joins their batches in order of time.
 *
 * Order of calls: open; command (may replace argv); fork; in the child
 * in_child, then it blocks; in the parent attach; the child execs; source_next
 * until 0; status; close.  All on one thread (ptrace demands it).
 */
#ifndef TRACERS_TRACER_H
#define TRACERS_TRACER_H

#include "analyzer/option.h"
#include "analyzer/source.h"

#include <signal.h>
#include <sys/types.h>

struct tracer;
struct roster;

#define TRACER_DATA  1u /* loads, stores, modifies */
#define TRACER_FETCH 2u /* code blocks */

struct tracer_setup {
	struct stream *stream; /* shared, outlives the tracer */
	struct roster *roster; /* (pid, tid) -> thread and space numbers */
	const void *options;   /* of ops->options, or NULL */
	unsigned kinds;	       /* TRACER_DATA | TRACER_FETCH */
	bool no_follow;	       /* only the first process */
	/* Beside a main engine: next returns 0 at once when there is nothing
	 * now, and is called again until the main engine has ended. */
	bool companion;
	/* The main engine with companions: next returns -EINTR now and then
	 * while it has nothing, for them to have their turn. */
	bool accompanied;
	uint64_t interval_ns; /* residency: between looks */
	bool referenced;      /* residency: estimate what is in use */
	/* kernel: between looks at counters and at contents, 0: none; at the
	 * contents of all private memory, not only what may be merged */
	uint64_t counters_ns, contents_ns;
	bool contents_all;
	/* Only if ops->samples: windows to record and between them, 0: all, with
	 * a first one of its own, 0: as the others; or accesses a second at
	 * most, 0: any */
	uint64_t on_ns, off_ns, first_ns, rate;
	size_t code_bytes; /* cache: of translated code at most, 0: any */
	bool verbose;	   /* say at the end what there was to do */
	pid_t pid;	   /* attach to this one, 0: launch */
	const volatile sig_atomic_t *stop; /* end the recording soon */
};

struct tracer_methods {
	/* Replace the command line (valgrind puts itself in front).  *argv is
	 * borrowed; a new one is owned by the tracer.  NULL: as it is. */
	int (*command)(struct tracer *tracer, char ***argv);
	/* Between fork and exec, in the child: async-signal-safe only. */
	int (*in_child)(struct tracer *tracer);
	/* In the parent; the child exists and is about to exec. */
	int (*attach)(struct tracer *tracer, pid_t pid);
	/*
	 * The wait status of the command, once source_next returned 0, and
	 * false if this engine did not reap it.
	 */
	bool (*status)(const struct tracer *tracer, int *status);
	/* Is what this process has at this address the tracer's, not its own?
	 * NULL: nothing is. */
	bool (*owns)(const struct tracer *tracer, pid_t pid, uint64_t address);
	/* stop was asked for: let go of the target(s), which run on.
	 * source_next then drains what is there and returns 0. */
	int (*detach)(struct tracer *tracer);
};

struct tracer {
	struct source source; /* source.stream is the shared one, not owned */
	const struct tracer_methods *tracing;
};

struct tracer_ops {
	const char *name;
	const char *help;
	const struct option_tree *options;
	bool companion; /* works beside a main engine */
	bool samples;	/* can leave the target and come back */
	bool counts;	/* tells itself what the kernel counts, at both ends */
	/*
	 * Can it run on this host?  0, or a negative errno with the reason and
	 * the smallest fix in why.  Prints nothing.
	 */
	int (*probe)(char *why, size_t why_bytes);
	int (*open)(struct tracer **out, const struct tracer_setup *setup);
};

/* Generated from TRACERS in Makefile.am; ends with NULL. */
extern const struct tracer_ops *const tracer_registry[];

#endif
