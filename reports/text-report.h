/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the text report (render-text.c), in their order. */
#ifndef REPORTS_TEXT_REPORT_H
#define REPORTS_TEXT_REPORT_H

#include "reports/grid.h"
#include "reports/renderer.h"
#include "reports/view.h"

struct text {
	const struct result *result;
	const struct render_setup *setup;
	FILE *file;
	int error; /* -ENOMEM: a grid could not be printed */
};

/* A heading, with a blank line before it. */
void text_heading(struct text *text, const char *heading);
/* A blank at which text_say breaks no line */
#define NB "\x1f"

/* A paragraph, indented and broken at the width. */
void text_say(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
/* Print and close the grid. */
void text_grid(struct text *text, struct grid *grid);

/* Where the time goes, who causes it, what the kernel did: in words. */
void text_sentences(struct text *text);
/* Accesses, TLBs, walk caches, caches. */
void text_translation(struct text *text);
/* Walks: references, latency, by level and place. */
void text_walks(struct text *text);
/* The first walks, step by step; nothing where nobody asked. */
void text_explain(struct text *text);
/* References a walk, reach, cores, nodes, colours: what there is of them. */
void text_parts(struct text *text);
/* Faults, page tables, footprint. */
void text_paging(struct text *text);
void text_huge(struct text *text);
void text_sharing(struct text *text);
/* Merging of equal pages (KSM); nothing where nobody merged. */
void text_merging(struct text *text);
/* The worst case of a region (bound.region); nothing where nobody asked. */
void text_bound(struct text *text);
/* Predictions beside the kernel's own counts; nothing where there are none. */
void text_validate(struct text *text);
/* Reclaim: who left and came back; nothing where memory had no limit. */
void text_reclaim(struct text *text);
/* Functions, mappings, sites. */
void text_rankings(struct text *text);
/* The same and more, as replay --by told it; nothing where nobody asked. */
void text_who(struct text *text);
/* Several machines side by side: a whole report. */
void text_comparison(struct text *text);
/* What samples tell; nothing where there are none. */
void text_samples(struct text *text);
/* What stat counted; nothing where there are no counters. */
void text_counters(struct text *text);
/* What top saw in an interval: a whole report. */
void text_top(struct text *text);
/* Memory curves: a whole report. */
void text_curve(struct text *text);
/* A sweep, or its plan: a whole report. */
void text_sweep(struct text *text);
/* How much memory the program needs (advice-memory.c). */
void text_advice_memory(struct text *text);
/* Verdicts, each with its reason (verdict.c); nothing where there are none. */
void text_verdicts(struct text *text);
/* Command, host, machine, options, what is missing. */
void text_provenance(struct text *text);
/* Any table as it is. */
void text_table(struct text *text, const struct view_table *table, size_t top);

#endif
