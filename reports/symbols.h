/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for program counters: functions and source lines, from the symbol
 * tables and DWARF of the files that were mapped (with separate debug files,
 * by build-id).
 */
#ifndef REPORTS_SYMBOLS_H
#define REPORTS_SYMBOLS_H

#include "analyzer/model.h"

/* The function of accesses of which the trace does not say who made them */
#define SYMBOLS_UNKNOWN "(not known)"

struct symbols;

/*
 * For the results of one run, whose files it opens once.
 * code_map: of code_map_open, fed by that run; it and the stream outlive it.
 * 0 or -ENOMEM (said).
 */
int symbols_open(struct symbols **out, const struct model *code_map,
		 const struct stream *stream);
/* NULL is allowed. */
void symbols_close(struct symbols *symbols);

/*
 * After the models have finished: add columns function, file, line to the
 * table `sites` and make the table `functions` of it.  Where there is no
 * symbol the function is "FILE+0xOFFSET", with the offset at which it begins
 * if the unwind table tells, else that of the pc; files that are gone or have changed
 * since (build-id) are said in the value `symbols.missing`.
 * Without `sites`: nothing.  What was counted for who.h is named, too
 * (who-tables.h).  0 or -ENOMEM (said).
 */
int symbols_resolve(struct symbols *symbols, struct result *result);

/* What is at a pc of an image, while a result is resolved: C++ demangled; file:
 * "" where no mapping is known; line: "" where there is none. */
struct symbols_named {
	char function[512], line[300];
	const char *file; /* borrowed */
};
void symbols_name(struct symbols *symbols, uint16_t image, uint64_t pc,
		  struct symbols_named *named);
/* The data symbol at this offset of a file; false: there is none. */
bool symbols_object(struct symbols *symbols, uint32_t file, uint64_t offset,
		    char *name, size_t bytes);

#endif
