/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One measurement of curves at work: what cmd-curve-run.c shares with the parts
 * that are asked for beside the curve itself (cmd-curve-parts.c) and with the
 * curve that is estimated (cmd-curve-sample.c).
 */
#ifndef ANALYZER_CMD_CURVE_JOB_H
#define ANALYZER_CMD_CURVE_JOB_H

#include "analyzer/cmd-curve.h"
#include "analyzer/model.h"
#include "analyzer/progress.h"
#include "analyzer/source.h"
#include "analyzer/span.h"

#define CURVE_POLICIES_MOST 64
#define CURVE_MODELS_MOST   4

struct reclaim_config;
struct segments_remote;
struct simulate;

struct curve_job {
	const struct verb_call *call;
	const struct curve_options *options;
	const char *input;
	int policy[CURVE_POLICIES_MOST]; /* in the registry */
	size_t n_policies;
	bool one_pass_only;		/* LRU alone, of pages */
	struct reclaim_config *reclaim; /* borrowed */
	struct span sizes;
	struct source *source;
	struct model *model;		/* the curve, or its sample */
	struct model *shapes;		/* NULL: not wanted */
	struct model *by;		/* NULL: not wanted */
	struct model *code_map;		/* for functions; NULL: not wanted */
	uint64_t *by_size;		/* owned: sizes in pages, as in sizes */
	struct segments_remote *remote; /* other ranks; NULL: not asked for */
	struct simulate *simulate;	/* borrowed */
	struct result *result;
	struct progress progress;
	bool stopped;
};

/* log2 of the bytes of the unit */
unsigned curve_shift(const struct curve_options *options);
/* Is the curve estimated? */
bool curve_is_sampled(const struct curve_options *options);

/* Do the options of parts fit together?  0, -EUSAGE (said). */
int curve_parts_check(const struct curve_options *options);
int curve_parts_open(struct curve_job *job);
/* Rows behind those of policies, and tables of their own.  0, -ENOMEM, or said. */
int curve_parts_put(struct curve_job *job);
void curve_parts_close(struct curve_job *job);

/* 0, -EUSAGE (said). */
int curve_sample_check(const struct curve_options *options);
int curve_sample_open(struct curve_job *job);
/* Pages at once, at most */
uint64_t curve_sample_peak(const struct curve_job *job);
/* Values, and the table curve.  0, -ENOMEM. */
int curve_sample_put(struct curve_job *job);

/* Rank 0 gets the others, to be closed; in them it serves until the end, and says
 * so.  0, or a negative errno (said). */
int curve_mpi_open(struct segments_remote **out, bool *served);
/* NULL is allowed. */
void curve_mpi_close(struct segments_remote *remote);

#endif
