// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * make-result KIND FILE: hand-made result documents for the tests of report
 * and plot, with every name and table that models give.
 *
 *	full	  a compressor on a Skylake: all tables, symbols, faults
 *	quiet	  no TLB miss, no walk, no fault
 *	empty	  no access at all
 *	blind	  no instructions, no symbols, much that is not known; partial
 *	bare	  not a value, not a table
 *	machines  three machines (make-machines.c)
 */
#include "analyzer/result.h"
#include "tests/make-machines.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t state = 1;

/* Numbers of the C standard's example generator: the same everywhere */
static double
uniform(void)
{
	state = state * 1103515245 + 12345;
	return (double)(state >> 16 & 32767) / 32768;
}

struct count {
	const char *name;
	double value;
	const char *unit;
};

static void
put_counts(struct result *result, const struct count *counts)
{
	for (; counts->name; counts++)
		result_count(result, counts->name, (uint64_t)counts->value,
			     counts->unit);
}

static void
put_provenance(struct result *result)
{
	result_provenance(result, "command",
			  json_pack("[ssssss]", "pagescope", "replay", "-o",
				    "r.json", "--cpu", "skylake-sp"));
	result_provenance(result, "recording",
			  json_pack("{s:[s,s,s], s:{s:s, s:s}, s:[s]}",
				    "command", "/usr/bin/gzip", "-9",
				    "corpus of texts.tar", "host", "cpu",
				    "AMD EPYC 7B13", "kernel", "6.1.0-18-amd64",
				    "engines", "valgrind"));
	result_provenance(result, "machine", json_string("skylake-sp"));
	result_option(result, "seed", "7");
	result_option(result, "tlb.l1d.entries", "65");
	result_option(result, "pages.policy", "2m");
}

static const struct count full_counts[] = {
	{ "accesses", 812345678, "accesses" },
	{ "accesses.load", 401234567, "accesses" },
	{ "accesses.store", 120111111, "accesses" },
	{ "accesses.modify", 1000000, "accesses" },
	{ "accesses.fetch", 290000000, "accesses" },
	{ "accesses.crossing", 312, "lookups" },
	{ "instructions", 1210987654, "instructions" },
	{ "translation.cycles", 79400000, "cycles" },
	{ "tlb.l1d.lookups", 522345990, "lookups" },
	{ "tlb.l1d.hits", 516345990, "lookups" },
	{ "tlb.l1d.misses", 6000000, "lookups" },
	{ "tlb.l1d.hits.4k", 516345990, "lookups" },
	{ "tlb.l1i.lookups", 290000000, "lookups" },
	{ "tlb.l1i.hits", 289999200, "lookups" },
	{ "tlb.l1i.misses", 800, "lookups" },
	{ "tlb.l2.lookups", 6000800, "lookups" },
	{ "tlb.l2.hits", 4800400, "lookups" },
	{ "tlb.l2.misses", 1200400, "lookups" },
	{ "tlb.l2.data.lookups", 6000000, "lookups" },
	{ "tlb.l2.data.hits", 4800000, "lookups" },
	{ "tlb.l2.data.misses", 1200000, "lookups" },
	{ "tlb.l2.fetch.lookups", 800, "lookups" },
	{ "tlb.l2.fetch.hits", 400, "lookups" },
	{ "tlb.l2.fetch.misses", 400, "lookups" },
	{ "pwc.pde.lookups", 1200400, "lookups" },
	{ "pwc.pde.hits", 1100400, "lookups" },
	{ "pwc.pdpte.lookups", 100000, "lookups" },
	{ "pwc.pdpte.hits", 99000, "lookups" },
	{ "pwc.pml5e.lookups", 0, "lookups" },
	{ "pwc.pml5e.hits", 0, "lookups" },
	{ "walk.count", 1199000, "walks" },
	{ "walk.references", 1301000, "references" },
	{ "walk.cycles", 45800000, "cycles" },
	{ "walk.faulted.count", 1400, "walks" },
	{ "walk.faulted.references", 1500, "references" },
	{ "walk.faulted.cycles", 9000000, "cycles" },
	{ "walk.latency.p50", 21, "cycles" },
	{ "walk.latency.p90", 58, "cycles" },
	{ "walk.latency.p99", 210, "cycles" },
	{ "walk.latency.max", 640, "cycles" },
	{ "cache.l1d.accesses", 1301000, "references" },
	{ "cache.l1d.misses", 601000, "references" },
	{ "cache.l1d.walk.accesses", 1301000, "references" },
	{ "cache.l1d.walk.misses", 601000, "references" },
	{ "cache.l2.accesses", 601000, "references" },
	{ "cache.l2.misses", 141000, "references" },
	{ "cache.l2.walk.accesses", 601000, "references" },
	{ "cache.l2.walk.misses", 141000, "references" },
	{ "cache.l3.accesses", 141000, "references" },
	{ "cache.l3.misses", 21000, "references" },
	{ "cache.l3.walk.accesses", 141000, "references" },
	{ "cache.l3.walk.misses", 21000, "references" },
	{ "memory.references", 21000, "references" },
	{ "fault.minor", 1391, "faults" },
	{ "fault.anon", 900, "faults" },
	{ "fault.zero", 210, "faults" },
	{ "fault.zero-cow", 61, "faults" },
	{ "fault.cow", 90, "faults" },
	{ "fault.reuse", 0, "faults" },
	{ "fault.file", 110, "faults" },
	{ "fault.shared", 0, "faults" },
	{ "fault.stack", 20, "faults" },
	{ "fault.unmapped", 0, "faults" },
	{ "fault.recorded.minor", 1402, "faults" },
	{ "table.bytes", 77824, "bytes" },
	{ "table.bytes.peak", 77824, "bytes" },
	{ "footprint.pages", 4720, "pages" },
	{ "footprint.bytes", 19333120, "bytes" },
	{ "footprint.bytes.peak", 19333120, "bytes" },
	{ NULL },
};

static void
put_latency(struct result *result)
{
	static const char *const columns[] = { "latency:cycles", "walks:walks",
					       NULL };

	result_table(result, "walk.latency", "walks by how long they took",
		     columns);
	for (uint64_t at = 9; at <= 640; at++) {
		double near = at == 21	 ? 700000
			      : at == 31 ? 90000
			      : at == 58 ? 160000
					 : 0;
		double wide = at >= 40 && at < 330
				      ? 2000 * exp(-((double)at - 40) / 55)
				      : 0;
		uint64_t walks = (uint64_t)(near + wide * uniform());

		if (at == 640)
			walks = 2;
		if (walks)
			result_row(result, "walk.latency", "uu", at, walks);
	}
}

static void
put_walks(struct result *result)
{
	static const char *const sizes[] = { "size:",
					     "l1d_hits:lookups",
					     "l1i_hits:lookups",
					     "l2_data_hits:lookups",
					     "l2_fetch_hits:lookups",
					     "walks:walks",
					     NULL };
	static const char *const levels[] = {
		"level:",	 "references:references",
		"l1:references", "l2:references",
		"l3:references", "memory:references",
		"cycles:cycles", NULL
	};
	static const uint64_t found[][6] = {
		{ 1, 1200000, 620000, 440000, 119500, 20500 },
		{ 2, 99000, 79000, 18600, 1000, 400 },
		{ 3, 1900, 900, 900, 50, 50 },
		{ 4, 100, 50, 30, 10, 10 },
	};

	result_table(result, "tlb.sizes", "who answered, by page size", sizes);
	result_row(result, "tlb.sizes", "suuuuu", "4k", UINT64_C(500345990),
		   UINT64_C(289999200), UINT64_C(4700000), UINT64_C(400),
		   UINT64_C(1198400));
	result_row(result, "tlb.sizes", "suuuuu", "2m", UINT64_C(16000000),
		   UINT64_C(0), UINT64_C(100000), UINT64_C(0), UINT64_C(600));
	result_row(result, "tlb.sizes", "suuuuu", "1g", UINT64_C(0),
		   UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0));
	result_table(result, "walk.levels", "references by level and place",
		     levels);
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		const uint64_t *n = found[i];

		result_row(result, "walk.levels", "uuuuuuu", n[0], n[1], n[2],
			   n[3], n[4], n[5],
			   n[2] * 4 + n[3] * 14 + n[4] * 50 + n[5] * 200);
	}
	put_latency(result);
}

static void
put_time(struct result *result)
{
	static const char *const faults[] = { "accesses:accesses",
					      "anon:faults",
					      "zero:faults",
					      "zero-cow:faults",
					      "cow:faults",
					      "reuse:faults",
					      "file:faults",
					      "shared:faults",
					      "stack:faults",
					      "unmapped:faults",
					      NULL };
	static const char *const foot[] = { "accesses:accesses",
					    "resident:bytes", "tables:bytes",
					    NULL };
	uint64_t width = 4194304, resident = 1 << 20;

	result_table(result, "faults.time", "Predicted minor faults", faults);
	result_table(result, "footprint.time", "Memory in use", foot);
	for (uint64_t i = 0; i * width < 812345678; i++) {
		uint64_t anon = i < 8	  ? 60 + (uint64_t)(40 * uniform())
				: i < 120 ? (uint64_t)(4 * uniform())
					  : 0;
		uint64_t file = i < 3 ? 30 : 0, cow = i < 4 ? 20 : 0;

		resident += (anon + cow) * 4096 + file * 65536;
		result_row(result, "faults.time", "uuuuuuuuuu", i * width, anon,
			   i == 0 ? UINT64_C(12) : UINT64_C(0),
			   (uint64_t)(i == 100), cow, UINT64_C(0), file,
			   UINT64_C(0), (uint64_t)(i < 2), UINT64_C(0));
		result_row(result, "footprint.time", "uuu", i * width, resident,
			   20480 + resident / 512 / 4096 * 4096);
	}
}

static void
put_residency(struct result *result)
{
	static const char *const columns[] = {
		"time:ms",	 "resident:bytes",   "large:bytes",
		"swapped:bytes", "referenced:bytes", NULL,
	};
	uint64_t resident = 0;

	result_count(result, "residency.looks", 60, "looks");
	result_count(result, "residency.bytes.peak", 64 << 20, "bytes");
	result_count(result, "residency.large.bytes", 16 << 20, "bytes");
	result_absent(result, "residency.referenced.bytes",
		      "not recorded (record --referenced)");
	result_table(result, "residency.time",
		     "Resident memory as seen while recording", columns);
	for (uint64_t i = 0; i < 60; i++) {
		resident = i < 32   ? (2 * i + 2) << 20
			   : i < 40 ? (uint64_t)64 << 20
				    : (uint64_t)40 << 20;
		result_row(result, "residency.time", "duuun", 100.0 * (double)i,
			   resident, i < 8 ? UINT64_C(0) : UINT64_C(16) << 20,
			   UINT64_C(0));
	}
}

static void
put_heatmap(struct result *result)
{
	static const char *const columns[] = {
		"space:",	  "address:",
		"bytes:bytes",	  "accesses:accesses",
		"width:accesses", "l1_misses:lookups",
		"walks:walks",	  NULL
	};
	static const struct {
		uint64_t start, regions;
	} parts[] = { { 0x555555554000, 3 },
		      { 0x555555780000, 40 },
		      { 0x7ffff7a00000, 16 },
		      { 0x7ffffff00000, 2 } };
	uint64_t width = 6553600;

	result_table(result, "heatmap", "misses by region and time", columns);
	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (uint64_t r = 0; r < parts[p].regions; r++)
			for (uint64_t t = 0; t < 124; t++) {
				double phase = 20 * sin((double)t / 20) + 20;
				double far = fabs((double)r - phase) / 4;
				uint64_t misses =
					(uint64_t)(900 * exp(-far) * uniform());

				if (p != 1)
					misses = (uint64_t)(3 * uniform());
				if (misses)
					result_row(result, "heatmap", "uuuuuuu",
						   UINT64_C(0),
						   (parts[p].start &
						    ~0xffffull) +
							   r * 65536,
						   UINT64_C(65536), t * width,
						   width, misses, misses / 5);
			}
}

static void
put_who(struct result *result)
{
	static const char *const functions[] = { "function:",
						 "file:",
						 "l1_misses:lookups",
						 "walks:walks",
						 "walk_cycles:cycles",
						 "share:percent",
						 NULL };
	static const char *const mappings[] = { "mapping:", "walks:walks",
						"walk_cycles:cycles", NULL };
	static const char *const sites[] = { "image:",
					     "pc:",
					     "kind:",
					     "size:bytes",
					     "l1_misses:lookups",
					     "walks:walks",
					     "walk_cycles:cycles",
					     "function:",
					     "line:",
					     NULL };
	static const struct {
		const char *function, *file, *line;
		uint64_t misses, walks;
	} who[] = {
		{ "longest_match", "/usr/bin/gzip", "deflate.c:391", 4000000,
		  900000 },
		{ "deflate", "/usr/bin/gzip", "deflate.c:655", 1200000,
		  200000 },
		{ "__memmove_avx_unaligned_erms",
		  "/usr/lib/x86_64-linux-gnu/libc.so.6", NULL, 500000, 70000 },
		{ "void very_long<template_of, many<arguments, that::nest>>::"
		  "and_a_member_function(std::vector<std::string> const&)",
		  "/opt/a/rather/long/path/to/some/library/libwide.so.1.2.3",
		  "wide.cc:1", 100000, 10000 },
		{ "/usr/bin/gzip+0x4a10", "/usr/bin/gzip", NULL, 800, 400 },
	};

	result_table(result, "functions", "who", functions);
	result_table(result, "mappings", "where", mappings);
	result_table(result, "sites", "what", sites);
	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		uint64_t cycles = who[i].walks * 38;

		result_row(result, "functions", "ssuuud", who[i].function,
			   who[i].file, who[i].misses, who[i].walks, cycles,
			   (double)cycles / 458000);
		result_row(result, "sites", "uusuuuuss", UINT64_C(1),
			   UINT64_C(0x555555557000) + i * 0x1234,
			   i == 4 ? "fetch" : "load", UINT64_C(4),
			   who[i].misses, who[i].walks, cycles, who[i].function,
			   who[i].line);
	}
	result_row(result, "mappings", "suu", "[heap]", UINT64_C(1100000),
		   UINT64_C(42000000));
	result_row(result, "mappings", "suu", "/usr/bin/gzip", UINT64_C(99000),
		   UINT64_C(3800000));
}

static void
make_full(struct result *result)
{
	put_provenance(result);
	put_counts(result, full_counts);
	result_real(result, "walk.latency.mean", 38.1985, "cycles");
	result_real(result, "walk.references.mean", 1.0851, "references");
	result_absent(result, "fault.major",
		      "files are taken to be in the page cache and memory to "
		      "be enough");
	put_walks(result);
	put_time(result);
	put_residency(result);
	put_heatmap(result);
	put_who(result);
}

static void
make_quiet(struct result *result)
{
	static const struct count counts[] = {
		{ "accesses", 1, "accesses" },
		{ "accesses.load", 1, "accesses" },
		{ "instructions", 1, "instructions" },
		{ "translation.cycles", 0, "cycles" },
		{ "tlb.l1d.lookups", 1, "lookups" },
		{ "tlb.l1d.hits", 1, "lookups" },
		{ "tlb.l1d.misses", 0, "lookups" },
		{ "walk.count", 0, "walks" },
		{ "walk.references", 0, "references" },
		{ "walk.cycles", 0, "cycles" },
		{ "fault.minor", 0, "faults" },
		{ "table.bytes", 0, "bytes" },
		{ "footprint.bytes", 0, "bytes" },
		{ NULL },
	};
	static const char *const columns[] = { "latency:cycles", "walks:walks",
					       NULL };

	put_provenance(result);
	put_counts(result, counts);
	result_absent(result, "walk.latency.mean", "no walk was made");
	result_absent(result, "walk.latency.p50", "no walk was made");
	result_table(result, "walk.latency", "", columns);
}

static void
make_empty(struct result *result)
{
	result_count(result, "accesses", 0, "accesses");
	result_count(result, "instructions", 0, "instructions");
	result_count(result, "translation.cycles", 0, "cycles");
	result_count(result, "walk.count", 0, "walks");
	result_absent(result, "walk.latency.mean", "no walk was made");
	result_count(result, "fault.minor", 0, "faults");
}

static void
make_blind(struct result *result)
{
	static const struct count counts[] = {
		{ "accesses", 20000, "accesses" },
		{ "accesses.load", 20000, "accesses" },
		{ "tlb.l1d.lookups", 20000, "lookups" },
		{ "tlb.l1d.hits", 19000, "lookups" },
		{ "tlb.l1d.misses", 1000, "lookups" },
		{ "walk.count", 1000, "walks" },
		{ "fault.minor", 3, "faults" },
		{ NULL },
	};

	put_counts(result, counts);
	result_partial(result, "the trace was cut off after 20000 accesses");
	result_absent(result, "instructions",
		      "the trace has no instruction fetches");
	result_absent(result, "translation.cycles",
		      "this machine has no latencies");
	result_text(result, "paging.mappings", "none recorded");
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(struct result *result);
	} kinds[] = {
		{ "full", make_full },	 { "quiet", make_quiet },
		{ "empty", make_empty }, { "blind", make_blind },
		{ "bare", NULL },	 { "machines", make_machines },
	};
	struct result *result;
	int status = 1;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[1], kinds[i].name) || result_open(&result))
			continue;
		if (kinds[i].make)
			kinds[i].make(result);
		status = result_write(result, argv[2]) ? 1 : 0;
		result_close(result);
	}
	return status;
}
