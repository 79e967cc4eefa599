/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pagescope top: a look at processes each interval, and what was counted
 * meanwhile, as a document (cmd-top-document.c) that is drawn on the screen
 * (cmd-top-screen.c) or printed.
 */
#ifndef ANALYZER_CMD_TOP_H
#define ANALYZER_CMD_TOP_H

#include "analyzer/cmd-live.h"

struct top_config {
	uint64_t interval_ns;
	int64_t count, pid, rows;
	int sort, format;
	bool all, threads, working_set, batch;
};

/* What rows can be sorted by: the largest first, but pid and command */
enum top_sort {
	TOP_FAULTS,
	TOP_MINOR,
	TOP_MAJOR,
	TOP_CPU,
	TOP_RSS,
	TOP_HUGE,
	TOP_TABLES,
	TOP_SWAP,
	TOP_WORKING_SET,
	TOP_TLB,
	TOP_WALK,
	TOP_PID,
	TOP_COMMAND,
	TOP_SORTS,
};
extern const char *const top_sorts[];

struct census;
struct census_host;
struct census_tlb;
struct count;
struct count_plan;
struct counting;

struct top {
	const struct verb_call *call;
	const struct top_config *config;
	const struct option_tree *options;
	struct count_plan *plan;   /* borrowed, as host: of the caller */
	struct counting *counting; /* of all; NULL: not_counted says why */
	char not_counted[256];
	struct count *counts, *before; /* owned: [plan->n] */
	struct census *census;
	struct census_tlb *tlb;
	struct census_host *host, *host_before;
	struct live live;
	enum top_sort sort;
	bool threads;
	size_t most_rows; /* 0: all */
	uint64_t start_ns, look_ns;
	const char *trouble; /* what makes the counts partial */
};

/* Look again.  The document of the time since the look before, NULL for the
 * first; to be closed.  0 or -errno (said) */
int top_look(struct top *top, struct result **out);

struct screen;

/* What screen_key tells beside letters */
enum screen_key {
	KEY_NONE = 0,
	KEY_END = -1, /* of the terminal */
	KEY_OTHER = 256,
};

/*
 * The terminal is ours until screen_close, however we end: another process
 * waits for that and gives it back.  0; -ENOTTY: there is none; -errno (said)
 */
int screen_open(struct screen **out);
void screen_close(struct screen *screen);
void screen_size(unsigned *columns, unsigned *lines);
/* Whole lines of text with SGR sequences; what does not fit is cut off.  The
 * last line is `status`. */
int screen_draw(const char *text, const char *status);
/* Without waiting */
int screen_key(void);
/* Give the terminal back, stop as SIGTSTP does, and take it again. */
void screen_stop(struct screen *screen);

#endif
