/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a source to verdicts in one decoding: the machines that the topics ask
 * for, the memory curve if one does, judged.  What advise and run share.
 */
#ifndef ANALYZER_CMD_VERDICTS_H
#define ANALYZER_CMD_VERDICTS_H

#include "analyzer/cmd-curve.h"
#include "analyzer/replay.h"
struct topic_ops;

#define VERDICTS_TOPICS 16 /* at most */

struct verdicts_request {
	const struct verb_call *call;
	const struct topic_ops *const *topic; /* [n] */
	size_t n;
	struct replay_config replay;	   /* no --machine; borrowed strings */
	const struct curve_options *curve; /* what faults cost; or NULL */
	const char *plain;   /* options of the plain machine, or "" */
	const char *name;    /* of the source */
	bool data;	     /* caches carry data */
	bool lean;	     /* only the machines of topics that are lean */
	uint64_t runtime_ns; /* with 4K pages; 0: not known */
	uint64_t system_ns;  /* of it, in the kernel; 0: not known */
};

struct verdicts;

/* All: 0 or a negative errno (said).  The source stays the caller's. */
int verdicts_open(struct verdicts **out, const struct verdicts_request *request,
		  struct source *source);
/* 1: a bound has ended it before the source. */
int verdicts_feed(struct verdicts *verdicts);
/* The document with its verdicts, borrowed. */
int verdicts_finish(struct verdicts *verdicts, struct result **out);
/* NULL is allowed. */
void verdicts_close(struct verdicts *verdicts);

/* The topic of this name among the registered ones, or NULL (said). */
const struct topic_ops *verdicts_topic(const char *name);

/* The runtime of the program, and what of it was in the kernel, become values of
 * the document. 0, -ENOMEM. */
int verdicts_runtime(struct result *result, uint64_t runtime_ns,
		     uint64_t system_ns);

#endif
