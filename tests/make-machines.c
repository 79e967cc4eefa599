// SPDX-License-Identifier: GPL-2.0-or-later
/* Three machines in one document, by hand; see make-machines.h. */
#include "tests/make-machines.h"

#include <math.h>

#define ACCESSES 812345678u

static const struct made {
	const char *name, *about, *table;
	double walks, references, latency; /* means of a walk */
	double table_bytes;		   /* at most */
	double remote;			   /* share of walk references */
	bool nodes;
} mades[] = {
	{ "radix", "one table of four levels", "radix", 1199000, 1.085, 38,
	  840000, 0.25, true },
	{ "hashed", "the same with a hashed table", "hashed", 1199000, 1.21, 46,
	  1260000, 0.75, true },
	{ "nested:table.guest=radix",
	  "two tables of four levels, one on the other", "nested", 1204000, 4.2,
	  131, 1720000, 0, false },
};

static void
put_values(struct result *one, const struct made *made)
{
	double cycles = made->walks * made->latency;

	result_count(one, "accesses", ACCESSES, "accesses");
	result_count(one, "instructions", 1210987654, "instructions");
	result_count(one, "translation.cycles",
		     (uint64_t)(cycles + 4700400 * 7), "cycles");
	result_count(one, "tlb.l1d.misses", 5999000, "lookups");
	result_count(one, "tlb.l1i.misses", 800, "lookups");
	result_count(one, "tlb.l2.misses", (uint64_t)made->walks, "lookups");
	result_count(one, "walk.count", (uint64_t)made->walks, "walks");
	result_real(one, "walk.references.mean", made->references,
		    "references");
	result_count(one, "walk.cycles", (uint64_t)cycles, "cycles");
	result_real(one, "walk.latency.mean", made->latency, "cycles");
	result_count(one, "walk.latency.p50", (uint64_t)(0.6 * made->latency),
		     "cycles");
	result_count(one, "walk.latency.p90", (uint64_t)(1.9 * made->latency),
		     "cycles");
	result_count(one, "walk.latency.p99", (uint64_t)(5 * made->latency),
		     "cycles");
	result_count(one, "walk.latency.max", 2210, "cycles");
	result_count(one, "fault.minor", 812, "faults");
	result_count(one, "table.bytes.peak", (uint64_t)made->table_bytes,
		     "bytes");
	result_count(one, "footprint.bytes.peak", 44 << 20, "bytes");
}

static void
put_walks(struct result *one, const struct made *made)
{
	static const char *const latency[] = { "latency:cycles", "walks:walks",
					       NULL };
	static const char *const levels[] = {
		"level:",	 "references:references",
		"l1:references", "l2:references",
		"l3:references", "memory:references",
		"cycles:cycles", NULL
	};
	static const double by_level[] = { 0.9, 0.07, 0.02, 0.01 };

	result_table(one, "walk.latency", "walks by how long they took",
		     latency);
	for (uint64_t cycles = 4; cycles <= 2210; cycles += 1 + cycles / 9) {
		double far = log((double)cycles / (0.7 * made->latency));
		double walks = made->walks * 0.1 * exp(-1.4 * far * far);

		if (walks >= 1 || cycles > 2100)
			result_row(one, "walk.latency", "uu", cycles,
				   (uint64_t)walks + 1);
	}
	result_table(one, "walk.levels", "references by level and place",
		     levels);
	for (uint64_t i = 0; i < (made->table[0] == 'h' ? 1u : 4u); i++) {
		double n = made->walks * made->references *
			   (made->table[0] == 'h' ? 1 : by_level[i]);

		result_row(one, "walk.levels", "uuuuuuu", i + 1, (uint64_t)n,
			   (uint64_t)(0.5 * n), (uint64_t)(0.3 * n),
			   (uint64_t)(0.15 * n), (uint64_t)(0.05 * n),
			   (uint64_t)(n * made->latency / made->references));
	}
}

static void
put_memory(struct result *one, const struct made *made)
{
	static const char *const time[] = { "accesses:accesses", "bytes:bytes",
					    NULL };
	static const char *const nodes[] = { "node:",
					     "data_local:references",
					     "data_remote:references",
					     "walk_local:references",
					     "walk_remote:references",
					     "cycles:cycles",
					     NULL };
	static const char *const walks[] = { "level:", "local:references",
					     "remote:references",
					     "cycles:cycles", NULL };
	double references = made->walks * made->references;

	result_table(one, "table.time", "memory of page tables", time);
	for (uint64_t i = 0; i < 100; i++)
		result_row(one, "table.time", "uu", i * (ACCESSES / 100),
			   (uint64_t)(made->table_bytes *
				      (1 - exp(-(double)(i + 1) / 14)) / 4096) *
				   4096);
	if (!made->nodes)
		return;
	result_table(one, "numa.nodes", "references to memory by node", nodes);
	for (uint64_t i = 0; i < 4; i++)
		result_row(one, "numa.nodes", "uuuuuu", i, UINT64_C(900000),
			   UINT64_C(300000) + i * 1000,
			   (uint64_t)(references / 4 * (1 - made->remote)),
			   (uint64_t)(references / 4 * made->remote),
			   (uint64_t)(references / 4 * 300));
	result_table(one, "numa.walks", "walk references by level", walks);
	for (uint64_t i = 1; i <= (made->table[0] == 'h' ? 1u : 4u); i++)
		result_row(one, "numa.walks", "uuuu", i,
			   (uint64_t)(1000 * (1 - made->remote * 0.8)),
			   (uint64_t)(1000 * made->remote *
				      (1.1 - 0.1 * (double)i)),
			   UINT64_C(300000));
}

static void
put_colours(struct result *one, const struct made *made)
{
	static const char *const columns[] = { "colour:",
					       "pages:pages",
					       "lookups:references",
					       "misses:references",
					       "conflict:references",
					       NULL };

	result_table(one, "colour.map", "page colours of the L2 cache",
		     columns);
	for (uint64_t i = 0; i < 64; i++) {
		uint64_t pages = made->table[0] == 'r'
					 ? 170 + i % 3
					 : 120 + 100 * (i * 7 % 13 < 5);
		uint64_t many = pages > 180 ? pages - 180 : 0;

		result_row(one, "colour.map", "uuuuu", i, pages, pages * 9000,
			   pages * 100 + many * many * 10, many * many * 10);
	}
}

static void
put_arrays(struct result *one, const struct made *made)
{
	static const char *const reach[] = { "array:", "entries:entries",
					     "bytes:bytes", "peak:bytes",
					     NULL };
	static const char *const cores[] = { "core:",
					     "threads:",
					     "accesses:accesses",
					     "l1_misses:lookups",
					     "l2_misses:lookups",
					     "walks:walks",
					     "walk_cycles:cycles",
					     "switches:switches",
					     NULL };
	static const struct {
		const char *name;
		uint64_t entries, bytes;
	} arrays[] = {
		{ "l1d", 64, 64 * 4096 },
		{ "l1d-2m", 32, UINT64_C(32) << 21 },
		{ "l1d-1g", 4, UINT64_C(4) << 30 },
		{ "l1i", 128, 128 * 4096 },
		{ "l2", 1536, 1536 * 4096 },
	};

	result_table(one, "tlb.reach", "what TLBs cover", reach);
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		if (i != 2 || made->nodes)
			result_row(one, "tlb.reach", "suuu", arrays[i].name,
				   arrays[i].entries, arrays[i].bytes,
				   arrays[i].bytes);
	result_table(one, "cores", "by core", cores);
	for (uint64_t i = 0; i < 2; i++)
		result_row(one, "cores", "uuuuuuuu", i, UINT64_C(1),
			   UINT64_C(ACCESSES / 2), UINT64_C(2999900),
			   (uint64_t)made->walks / 2, (uint64_t)made->walks / 2,
			   (uint64_t)(made->walks * made->latency / 2),
			   UINT64_C(17));
}

void
make_machines(struct result *result)
{
	result_provenance(result, "command",
			  json_pack("[sssss]", "pagescope", "replay", "t.pst",
				    "-m", "radix"));
	result_provenance(result, "recording",
			  json_pack("{s:[s,s,s]}", "command", "/usr/bin/gzip",
				    "-9", "corpus of texts.tar"));
	for (size_t i = 0; i < ARRAY_SIZE(mades); i++) {
		const struct made *made = &mades[i];
		struct result *one;

		if (result_open(&one))
			return;
		put_values(one, made);
		put_walks(one, made);
		put_memory(one, made);
		put_colours(one, made);
		put_arrays(one, made);
		result_provenance(one, "machine",
				  json_pack("{s:s, s:s}", "cpu", made->name,
					    "about", made->about));
		result_option(one, "machine.about", made->about);
		result_option(one, "table.kind", made->table);
		result_option(one, "tlb.l1d.entries", "64");
		result_machine_add(result, made->name, one);
		result_close(one);
	}
}
