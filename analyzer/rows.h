/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option rows that several verbs have, one text for all of them: each gives
 * where its own struct keeps the value.
 */
#ifndef ANALYZER_ROWS_H
#define ANALYZER_ROWS_H

#include "analyzer/option.h"

#define ROW_INPUT(at)                                                        \
	{                                                                    \
		"input", OPTION_STRING, (at),                                \
			.help = "the trace, - for a .pst on standard input", \
			.key = 'i', .argument = "FILE"                       \
	}

#define ROW_OUTPUT(at)                                                      \
	{                                                                   \
		"output", OPTION_STRING, (at),                              \
			.help = "write the result as JSON, - for standard " \
				"output; without it the report is printed", \
			.key = 'o', .argument = "FILE"                      \
	}

#define ROW_CPU(at, text)                                               \
	{                                                               \
		"cpu", OPTION_STRING, (at), .help = (text), .key = 'c', \
					    .argument = "PRESET"        \
	}

#define ROW_CONFIG(at)                                                    \
	{                                                                 \
		"config", OPTION_STRING, (at),                            \
			.help = "a machine's file, laid over the preset", \
			.argument = "FILE"                                \
	}

#define ROW_JOBS(at)                                                      \
	{                                                                 \
		"jobs", OPTION_INT, (at), "-1",                           \
			.min = -1, .max = 256,                            \
			.help = "threads beside the first one; -1: one "  \
				"for each further processor. The result " \
				"does not depend on it",                  \
			.key = 'j', .argument = "N"                       \
	}

#define ROW_MAX_ACCESSES(at)                                             \
	{                                                                \
		"max-accesses", OPTION_SIZE, (at), "0",                  \
			.help = "end after so many, 0: all", .key = 'n', \
			.argument = "N"                                  \
	}

#define ROW_RECOVER(at)                                                     \
	{                                                                   \
		"recover", OPTION_BOOL, (at), .help = "skip damaged blocks" \
	}

#define ROW_SYMBOLS(at)                                                 \
	{                                                               \
		"symbols", OPTION_BOOL, (at), "yes",                    \
			.help = "name functions and lines (ELF, DWARF)" \
	}

/* Of what is drawn */
#define ROW_SEED(at, otherwise, text)                                         \
	{                                                                     \
		"seed", OPTION_INT, (at), (otherwise), .min = 0, .max = 9e15, \
						       .help = (text)         \
	}

#endif
