/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measuring memory curves of a trace: what the verbs `curve' and `advise
 * memory' share.  Rows of both describe the same struct.
 */
#ifndef ANALYZER_CMD_CURVE_H
#define ANALYZER_CMD_CURVE_H

#include "analyzer/result.h"
#include "analyzer/rows.h"
#include "analyzer/verb.h"

enum curve_unit {
	CURVE_PAGE,
	CURVE_2M,
	CURVE_LINE,
	CURVE_OBJECT
};

enum curve_method {
	CURVE_EXACT,
	CURVE_SHARDS,
	CURVE_AET
};

struct curve_options {
	char *input, *output, *policy, *sizes, *from;
	char **set;
	int unit; /* enum curve_unit */
	int device;
	double cpu_ns, read_ns, write_ns; /* 0: auto */
	uint64_t memory;
	int64_t processors, processes; /* 0: auto */
	bool cold, fetches, working_set, recover;
	int64_t seed, jobs;
	uint64_t max_accesses;
	/* of `curve' alone */
	int method;	      /* enum curve_method */
	char *sample;	      /* "1%"; NULL: 1 % */
	uint64_t sample_size; /* pages; 0: a fixed rate */
	int by;		      /* in curve_bys */
	bool alone, associativity, mpi;
	int64_t top, sets, ways; /* sets: 0: auto */
	int64_t segments;	 /* -1: auto */
};

extern const char *const curve_units[];
extern const char *const curve_methods[];
extern const char *const curve_bys[];
/* "auto", then swap_device_names */
extern const char *const curve_devices[];

#define CURVE_AT(field) offsetof(struct curve_options, field)

/* And `fetches': what of which trace is measured */
#define CURVE_TRACE_ROWS                                                      \
	{ "fetches", OPTION_BOOL, CURVE_AT(fetches), "yes",                   \
	  .help = "fetches of code are references, too" },                    \
		{ "from",                                                     \
		  OPTION_STRING,                                              \
		  CURVE_AT(from),                                             \
		  .help = "format of a foreign trace; without it, it is "     \
			  "recognised",                                       \
		  .key = 'f',                                                 \
		  .argument = "FORMAT" },                                     \
		ROW_JOBS(CURVE_AT(jobs)),                                     \
		{ "segments",                                                 \
		  OPTION_INT,                                                 \
		  CURVE_AT(segments),                                         \
		  "-1",                                                       \
		  .min = -1,                                                  \
		  .max = 256,                                                 \
		  .help = "pieces of the trace that are measured side by "    \
			  "side; 0: it is one, -1: one for each thread. The " \
			  "result does not depend on it",                     \
		  .argument = "N" },                                          \
		ROW_MAX_ACCESSES(CURVE_AT(max_accesses)),                     \
		ROW_RECOVER(CURVE_AT(recover)),                               \
		ROW_SEED(CURVE_AT(seed), "1",                                 \
			 "of what is drawn: intervals, random policies")

#define CURVE_COST_ROWS                                                       \
	{ "device",                                                           \
	  OPTION_CHOICE,                                                      \
	  CURVE_AT(device),                                                   \
	  "auto",                                                             \
	  .choices = curve_devices,                                           \
	  .help = "where pages go that have no room; auto: nvme; "            \
		  "none: what --read-ns and --write-ns say" },                \
		{ "read-ns",                                                  \
		  OPTION_REAL,                                                \
		  CURVE_AT(read_ns),                                          \
		  "0",                                                        \
		  .min = 0,                                                   \
		  .max = 1e12,                                                \
		  .unit = "ns",                                               \
		  .help = "time to read a page from it, 0: the device's" },   \
		{ "write-ns",                                                 \
		  OPTION_REAL,                                                \
		  CURVE_AT(write_ns),                                         \
		  "0",                                                        \
		  .min = 0,                                                   \
		  .max = 1e12,                                                \
		  .unit = "ns",                                               \
		  .help = "time to write a page to it, 0: the device's" },    \
		{ "cpu-ns",                                                   \
		  OPTION_REAL,                                                \
		  CURVE_AT(cpu_ns),                                           \
		  "0",                                                        \
		  .min = 0,                                                   \
		  .max = 1e9,                                                 \
		  .unit = "ns",                                               \
		  .help = "time of an access where nothing faults, with the " \
			  "work around it; 0: 1 ns, which is assumed" },      \
		{ "cold", OPTION_BOOL, CURVE_AT(cold), "no",                  \
		  .help = "first references wait for the device, too (files " \
			  "that are not in memory)" },                        \
		{ "processes",                                                \
		  OPTION_INT,                                                 \
		  CURVE_AT(processes),                                        \
		  "0",                                                        \
		  .min = 0,                                                   \
		  .max = 1024,                                                \
		  .help = "of its kind that share a memory: from 1 to so "    \
			  "many; 0: 16",                                      \
		  .argument = "N" },                                          \
		{ "processors",                                               \
		  OPTION_INT,                                                 \
		  CURVE_AT(processors),                                       \
		  "0",                                                        \
		  .min = 0,                                                   \
		  .max = 1024,                                                \
		  .help = "that these run on; 0: 1",                          \
		  .argument = "N" },                                          \
	{                                                                     \
		"memory", OPTION_SIZE, CURVE_AT(memory), "0",                 \
			.unit = "bytes",                                      \
			.help = "that they share evenly; 0: four times the "  \
				"knee, or what the program uses"              \
	}

/* Measure the trace `input`; to be closed; NULL: another rank of an MPI job has
 * it.  0, or a negative errno (said). */
int curve_measure(struct result **out, const struct verb_call *call,
		  const struct curve_options *options, const char *input);

/* Echo those of CURVE_COST_ROWS that are no values.  0, -ENOMEM. */
int curve_cost_options(struct result *result,
		       const struct curve_options *options);

/* A device that takes no time is none: -EUSAGE (said). */
int curve_check_device(const char *verb, const struct curve_options *options);
struct memory_need_config;
/* What these options say. */
void curve_costs(struct memory_need_config *config,
		 const struct curve_options *options);

#endif
