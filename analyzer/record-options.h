// SPDX-License-Identifier: GPL-2.0-or-later
/* The options of record, and the text of its manual page. */
#ifndef ANALYZER_RECORD_OPTIONS_H
#define ANALYZER_RECORD_OPTIONS_H

#include "analyzer/option.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_OUTPUT "pagescope.pst" /* unless -o says otherwise */

struct record_config {
	char *engines, *output, *sample;
	int kinds, compress;
	uint64_t max_accesses, max_size, code_bytes, rate;
	uint64_t duration_ns, start_after_ns, residency_ns;
	uint64_t counters_ns, contents_ns;
	int64_t pid, jobs;
	bool follow, count, referenced, contents_all, verbose, heap;
};

/* The choices of --kinds, NULL at the end; kinds is an index of them. */
extern const char *const record_kinds[];
/* Of what is watched, and how: for others who record, too */
extern const struct option_row recording_rows[];
extern const struct option_tree record_options;
extern const char record_details[], record_examples[];

#endif
