/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sweeps: many machines of one plan, what the files of the verb `sweep' share.
 *
 *	DIR/plan.json		the plan (cmd-sweep-plan.c, -file.c): a result
 *				document with the table `sweep', a row a point
 *	DIR/results/HASH.json	what `pagescope replay' would have written
 *	DIR/results/HASH.failed	why it would have failed
 *	DIR/sweep.json		all of them in one table (cmd-sweep-merge.c)
 *
 * A point is a trace and a value on each axis; the last axis runs fastest.
 * HASH is of the trace's content and of all options of the machine, so a point
 * that another plan has, too, is there already.
 */
#ifndef ANALYZER_CMD_SWEEP_H
#define ANALYZER_CMD_SWEEP_H

#include "analyzer/replay.h"
#include "analyzer/result.h"
#include "analyzer/verb.h"

#define SWEEP_HASH_BYTES   17 /* 64 bits in hex, and the NUL */
#define SWEEP_POINTS_MOST  100000u
#define SWEEP_REASON_BYTES 512

struct sweep_options {
	char **input, **parameter, **set, **sbatch;
	char *output, *file, *cpu, *config, *shard, *figures;
	uint64_t memory, max_accesses, room;
	int64_t seed, jobs, group, shards;
	bool recover, symbols, slurm, parallel, dry_run, partial;
};

extern const struct option_tree sweep_options_tree;

/* Where the values of an axis go */
enum sweep_layer {
	SWEEP_SET, /* --set */
	SWEEP_CPU,
	SWEEP_CONFIG,
	SWEEP_MEMORY,
};

struct sweep_axis {
	char *name; /* owned: tlb.l2.entries, cpu */
	enum sweep_layer layer;
	const struct option_row *row; /* NULL: a text of no row */
	char **value;		      /* owned: [n], as --set takes them */
	size_t n;
};

/*
 * "tlb.l2.entries=512..8192 x2": numbers from, to and by what, and lists of
 * numbers or words.  0, -EUSAGE or -ENOMEM (said).
 */
int sweep_axis_init(struct sweep_axis *axis, const char *text);
void sweep_axis_fini(struct sweep_axis *axis);
/* For reading a plan: the name alone.  0, -EUSAGE (said). */
int sweep_axis_name(struct sweep_axis *axis, const char *name);
/* Its value as a number of a table; NULL: it is none.  To be released. */
json_t *sweep_axis_number(const struct sweep_axis *axis, size_t i);
const char *sweep_axis_unit(const struct sweep_axis *axis);

/*
 * The axes of a command line: `-P NAME RANGE [STEP]` as words of their own or
 * in one with a =.  *out: NULL-ended "NAME=VALUES", to be freed with each of
 * its strings; *words: the call's other arguments, to be freed.
 */
int sweep_words(const struct verb_call *call, char ***out, char ***words);

struct sweep_trace {
	char *name, *digest; /* owned */
};

struct sweep_point {
	char hash[SWEEP_HASH_BYTES]; /* "": it is no machine */
	char *reason;		     /* owned: why; NULL: it is one */
	bool again;		     /* one before it has the same hash */
};

struct sweep_plan {
	char *directory;	     /* owned: DIR */
	char *home;		     /* owned: where relative names begin */
	struct replay_config common; /* owned: of all points; no machine */
	struct sweep_trace *trace;   /* owned */
	struct sweep_axis *axis;     /* owned */
	struct sweep_point *point;   /* owned */
	size_t n_traces, n_axes, n_points, n_invalid;
};

/* Make a plan of these traces; DIR is not touched.  0 or an error (said). */
int sweep_plan_make(struct sweep_plan *plan,
		    const struct sweep_options *options, char *const *traces,
		    char *const *axes);
void sweep_plan_fini(struct sweep_plan *plan);
/* Options that say the same give one result: mark all points of it but the
 * first.  0, -ENOMEM (said). */
int sweep_mark_again(struct sweep_plan *plan);

/* The trace of a point and where it is on an axis */
size_t sweep_trace_of(const struct sweep_plan *plan, size_t point);
size_t sweep_value_of(const struct sweep_plan *plan, size_t point, size_t axis);
/* "tlb.l2.entries=512, table.kind=radix" of a point; with the trace's name
 * where there are several. */
void sweep_point_text(const struct sweep_plan *plan, size_t point, char *text,
		      size_t bytes);

/* The options with which replay makes a point.  To be ended. */
struct sweep_case {
	struct replay_config config;
	char **set; /* owned: [n], the last `own` of them, too */
	size_t n, own;
};
int sweep_case_init(struct sweep_case *one, const struct sweep_plan *plan,
		    size_t point);
void sweep_case_fini(struct sweep_case *one);
/* Its command line: pagescope replay ... */
json_t *sweep_case_command(const struct sweep_case *one);
/* Words of the options that all points have */
void sweep_common_words(json_t *words, const struct replay_config *config);

/* What a trace holds, as text.  To be freed.  0 or an error (said). */
int sweep_digest(char **out, const char *trace, bool recover);
/* The name of a result: of its options, its machine and the trace's digest */
int sweep_hash(char hash[SWEEP_HASH_BYTES], const struct sweep_plan *plan,
	       const char *digest, json_t *document);

/* That of a point's machine */
int sweep_point_hash(char hash[SWEEP_HASH_BYTES], const struct sweep_plan *plan,
		     size_t point, const struct machine_choice *choice);

/* The plan as a document, and back */
int sweep_plan_document(struct result **out, const struct sweep_plan *plan);
int sweep_plan_write(const struct sweep_plan *plan);
int sweep_plan_read(struct sweep_plan *plan, const char *directory);
/* One row of the table `sweep': number, result, status, reason, trace and the
 * values of the axes. */
json_t *sweep_row(const struct sweep_plan *plan, size_t point,
		  const char *status, const char *reason);

/* Write it whole or not at all: under another name first.  0, -errno (said). */
int sweep_save(const struct result *result, const char *path);
int sweep_save_text(const char *text, const char *path);
/* Remove what killed processes of this host have left half. */
void sweep_clean(const struct sweep_plan *plan);
int sweep_path(char *path, size_t bytes, const struct sweep_plan *plan,
	       const char *name);
/* DIR/results/HASH.ENDING */
int sweep_result_path(char *path, size_t bytes, const struct sweep_plan *plan,
		      const char *hash, const char *ending);

/* How to run: which of the points, with what. */
struct sweep_how {
	const struct verb_call *call;
	unsigned jobs; /* beside the first thread */
	size_t group;  /* machines in one decode, at most */
	uint64_t room; /* of memory, for a group; 0: most of what is free */
	size_t shard, shards; /* 1 of 1 */
};

struct sweep_done {
	size_t points, run, there, failed;
	bool stopped;
};

/* Run what is missing.  0 or an error (said). */
int sweep_points_run(struct sweep_done *done, const struct sweep_plan *plan,
		     const struct sweep_how *how);
/* Seconds that all missing points take, about, on so many threads; HUGE_VAL:
 * nobody knows.  0 or an error (said). */
int sweep_estimate(double *seconds, const struct sweep_plan *plan,
		   const struct sweep_how *how);
/* Is the point's result there, or why it failed? */
bool sweep_point_there(const struct sweep_plan *plan, size_t point);

/* I of N: --shard, or of a Slurm array's environment, or 1 of 1.  0, -EUSAGE */
int sweep_shard(size_t *shard, size_t *shards, const char *text);

/* One document of all points.  0, STATUS_PARTIAL, or an error (said): -ENODATA
 * where results are missing and that is not allowed. */
int sweep_merge(struct result **out, const struct sweep_plan *plan,
		const struct sweep_options *options);
int sweep_submit(const struct sweep_plan *plan,
		 const struct sweep_options *options);

#endif
