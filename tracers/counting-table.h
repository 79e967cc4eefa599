/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What counting.c and counting-threads.c share. */
#ifndef TRACERS_COUNTING_TABLE_H
#define TRACERS_COUNTING_TABLE_H

#include "tracers/counting.h"

struct event_slot {
	struct perf_event_attr attr;
	unsigned group;
	bool opened, leads, user_only;
	char why[256]; /* not supported, or "" */
};

struct target {
	pid_t pid, tid;
	int core; /* -1: any */
};

struct read_ring {
	struct perf_event_mmap_page *page;
	int core, fd; /* fd is not owned */
};

struct thread_sum {
	pid_t pid, tid;
	int core;
	size_t count; /* where its n counts begin */
};

/* A thread that came later */
struct born {
	pid_t pid, tid, root; /* root: the target that it descends from */
	bool ended;
};

struct counting {
	struct counting_setup setup;
	size_t n;
	struct event_slot *event; /* owned: [n] */
	struct target *target;	  /* owned: [n_targets] */
	size_t n_targets;
	int *fd; /* owned: [n_targets][n], -1: none */
	const char *trouble;

	/* counting-threads.c */
	uint64_t *id;		/* owned: [n_targets][n] */
	struct read_ring *ring; /* owned */
	size_t n_rings;
	struct thread_sum *sum; /* owned: of threads that ended */
	size_t n_sums, max_sums;
	struct born *born; /* owned */
	size_t n_born, max_born;
	struct count *counts;	   /* owned: of sum[], n each */
	struct count *moved;	   /* owned: [n_targets][n]: in sum[] already */
	struct thread_count *told; /* owned */
	struct count *told_counts; /* owned */
};

static inline void
count_add(struct count *sum, const struct count *count)
{
	sum->value += count->value;
	sum->enabled_ns += count->enabled_ns;
	sum->running_ns += count->running_ns;
}

int counting_read_target(const struct counting *counting, size_t target,
			 size_t event, struct count *count);

/* Make the times of a thread's descriptors on all cores one thread's. */
void counting_settle(const struct counting *counting, size_t event,
		     struct count *count);

/* Are the counts of threads that end sent through rings? */
static inline bool
counting_has_rings(const struct counting *counting)
{
	return counting->setup.per_thread && counting->setup.pid;
}

int counting_open_rings(struct counting *counting);
void counting_close_rings(struct counting *counting);
void counting_free_threads(struct counting *counting);

#endif
