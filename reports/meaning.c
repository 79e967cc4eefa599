// SPDX-License-Identifier: GPL-2.0-or-later
/* What the figures of a result mean: finding words, and families of names. */
#include "reports/meaning.h"

#include <stdio.h>
#include <string.h>

#define REPLAY "a replay gives each access of the trace to the model, in order"
#define HOST   "read from the host while the command ran"

/* The longest prefix counts; the last one is for all. */
static const struct meaning_family families[] = {
	{ "accesses", "", "each access of the trace is counted once",
	  "the trace" },
	{ "instructions", "", "sums the lengths of the trace's fetches",
	  "the trace" },
	{ "translation.", "tlb. pwc. walker. table. cache.",
	  REPLAY "; cycles are latencies added up",
	  "models/translation/core.c" },
	{ "tlb.", "tlb. pages.policy machine.cores", REPLAY,
	  "models/translation/tlb.c" },
	{ "tlb.prefetch.", "tlb.prefetch.", REPLAY,
	  "models/translation/prefetch.c" },
	{ "tlb.range.", "tlb.range. pages.policy", REPLAY,
	  "models/translation/range-tlb.c" },
	{ "pwc.", "pwc. tlb. table.levels", REPLAY,
	  "models/translation/pwc.c" },
	{ "walk.", "walker. tlb. pwc. table. cache. memory.latency",
	  REPLAY "; a walk costs what its references do, at the latency of "
		 "where each is found",
	  "models/translation/core-walks.c" },
	{ "cache.", "cache. memory.colour", REPLAY,
	  "models/memory/hierarchy.c" },
	{ "memory.", "cache. memory.", REPLAY, "models/memory/hierarchy.c" },
	{ "memory.curve", "", "one pass over the trace for all sizes",
	  "models/analysis/reuse.c: LRU stack distances, Mattson 1970" },
	{ "memory.slowdown.", "",
	  "from the curve of misses and what one costs (thrash.*)",
	  "models/analysis/memory-need.c" },
	{ "memory.knee.", "", "from the curve of misses",
	  "models/analysis/knee.c" },
	{ "memory.verdict", "", "from the curve of misses",
	  "models/analysis/memory-need.c" },
	{ "memory.late", "", "from first touches over time",
	  "models/analysis/memory-need.c" },
	{ "frames.", "memory.order memory.size memory.start", REPLAY,
	  "models/memory/buddy.c: the kernel's buddy allocator" },
	{ "colour.", "memory.colour memory.partitions cache.classify", REPLAY,
	  "models/memory/palette.c" },
	{ "numa.", "numa. machine.cores machine.placement", REPLAY,
	  "models/memory/numa.c" },
	{ "fault.", "pages. memory.size reclaim.",
	  REPLAY "; pages that are not there fault, as in Linux",
	  "models/paging/fault.c" },
	{ "fault.recorded", "", HOST, "the trace's faults" },
	{ "fault.unrecorded", "pages.",
	  "faults of model and trace, matched "
	  "one by one",
	  "models/paging/fault-log.c" },
	{ "faults.", "pages.", REPLAY, "models/paging/fault.c" },
	{ "files.", "pages.", REPLAY, "models/paging/file-cache.c" },
	{ "io.", "", HOST, "the trace's system calls" },
	{ "shared.", "pages.", REPLAY, "models/paging/sharing.c" },
	{ "processes", "pages.", REPLAY, "models/paging/sharing.c" },
	{ "savings", "pages. ksm.", REPLAY, "models/paging/sharing.c" },
	{ "libraries", "pages.", REPLAY, "models/paging/libraries.c" },
	{ "table.", "table. pages.policy",
	  "counted as the model maps and unmaps pages", "models/tables" },
	{ "footprint.", "pages.", REPLAY, "models/paging/paging.c" },
	{ "paging.", "pages.", REPLAY, "models/paging/paging.c" },
	{ "cwc.", "table.cuckoo.", REPLAY,
	  "models/tables/cuckoo-walk.c: Skarlatos et al. 2020" },
	{ "nested.", "table.nested.", REPLAY, "models/tables/nested.c" },
	{ "shadow.", "table.shadow.", REPLAY, "models/tables/shadow.c" },
	{ "counter", "", "counted by the kernel or the processor (perf events)",
	  "tracers/counting.c" },
	{ "metrics", "", "from counters by the processor's formulas",
	  "tracers/metric-table.c" },
	{ "intervals", "", HOST, "tracers/counting.c" },
	{ "threads", "", HOST, "tracers/counting.c" },
	{ "top", "", "looks at processes at an interval's ends, subtracted",
	  "tracers/census.c: /proc" },
	{ "host.", "", HOST, "/proc/meminfo" },
	{ "pressure.", "", HOST, "/proc/pressure/memory" },
	{ "time.", "", HOST, "the kernel's rusage and clock" },
	{ "runs", "", HOST, "the command line" },
	{ "samples.", "",
	  "of sampled accesses (record -e mem), each standing "
	  "for many",
	  "models/analysis/samples.c" },
	{ "thp.", "pages.", REPLAY "; huge pages as in Linux",
	  "models/paging/huge.c" },
	{ "kcompactd.", "pages.defrag memory.order", REPLAY,
	  "models/paging/compact.c" },
	{ "khugepaged.", "pages.", REPLAY, "models/paging/khugepaged.c" },
	{ "hugetlb.", "hugetlb.", REPLAY, "models/paging/hugetlb.c" },
	{ "swap.", "reclaim. memory.size pages.page-cluster", REPLAY,
	  "models/paging/swap.c" },
	{ "reclaim.", "reclaim. memory.size", REPLAY,
	  "models/paging/reclaim-driver.c" },
	{ "oom.", "memory.size reclaim.swap-size", REPLAY,
	  "models/paging/swap-result.c: the kernel's oom_badness" },
	{ "ksm.", "ksm.", REPLAY, "models/paging/ksm.c" },
	{ "bound.", "bound. tlb. table. memory.latency",
	  "worked out, not replayed: an upper limit for any order of accesses",
	  "models/analysis/bound.c" },
	{ "validate", "", "predicted figures held against the kernel's own",
	  "pagescope-validate(1)" },
	{ "kernel.", "", HOST, "/proc, the memory group, rusage" },
	{ "residency.", "", HOST, "/proc/PID/pagemap and smaps" },
	{ "pages.recorded", "pages.policy", HOST, "/proc/PID/pagemap" },
	{ "frames.recorded", "", HOST, "/proc/PID/pagemap" },
	{ "symbols.", "", "from the programs' symbol tables",
	  "reports/symbols.c" },
	{ "curve", "", "one pass over the trace", "models/analysis/curve.c" },
	{ "working.set", "", "one pass over the trace",
	  "models/analysis/working-set.c: Denning 1968" },
	{ "thrash", "", "from the curve of misses and what one costs",
	  "models/paging/thrash.c" },
	{ "multiprogramming", "", "a closed queue of processes and one device",
	  "models/paging/thrash.c" },
	{ "sweep", "", "a replay of each point", "pagescope-sweep(1)" },
	{ "who.", "", REPLAY "; each event goes to who made it",
	  "models/analysis/who.c" },
	{ "huge.", "pages.", "replays with and without huge pages, compared",
	  "pagescope-advise(1)" },
	{ "runtime.", "", HOST, "pagescope-advise(1)" },
	{ "advise", "", "from replays, compared", "pagescope-advise(1)" },
	{ "calibration", "", "measured on this host",
	  "pagescope-calibrate(1)" },
	{ "functions", "tlb. pwc. walker. table. cache. pages.policy",
	  REPLAY "; each walk goes to the access that made it",
	  "reports/symbols.c" },
	{ "mappings", "tlb. pwc. walker. table. cache. pages.policy",
	  REPLAY "; each walk goes to the access that made it",
	  "models/machine.c" },
	{ "sites", "tlb. pwc. walker. table. cache. pages.policy",
	  REPLAY "; each walk goes to the access that made it",
	  "models/translation/site-table.c" },
	{ "cores", "tlb. pwc. walker. table. cache. pages.policy", REPLAY,
	  "models/translation/cores.c" },
	{ "heatmap", "tlb. pwc. walker. table. cache. pages.policy", REPLAY,
	  "models/analysis/heatmap.c" },
	{ "verdicts", "tlb. pwc. walker. table. cache. pages.policy",
	  "from replays of machines, compared", "pagescope-advise(1)" },
	{ "regions.", "tlb. pwc. walker. table. cache. pages.policy", REPLAY,
	  "models/analysis/chunks.c" },
	{ "associativity", "", "one pass over the trace for all shapes",
	  "models/analysis/associativity.c: Hill and Smith 1989" },
	{ "", "", REPLAY, "models/machine.c" },
};

/* Does the name fit the pattern?  How many literal bytes, or -1 */
static int
fits(const char *pattern, const char *name)
{
	int literal = 0;

	while (*pattern) {
		size_t n = strspn(pattern, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (*pattern == '*')
			return *name ? literal : -1;
		if (n) {
			size_t word = strcspn(name, ".");

			if (!word)
				return -1;
			pattern += n;
			/* the last one takes the rest: events have dots */
			name += *pattern ? word : strlen(name);
			continue;
		}
		if (*pattern++ != *name++)
			return -1;
		literal++;
	}
	return *name ? -1 : literal;
}

const struct meaning_words *
meaning_find(const char *kind, const char *name)
{
	const struct meaning_words *best = NULL;
	int most = -1;

	for (size_t i = 0; meaning_words[i].kind; i++) {
		const struct meaning_words *words = &meaning_words[i];
		int literal;

		if (strcmp(words->kind, kind) != 0)
			continue;
		literal = fits(words->name, name);
		if (literal > most) {
			most = literal;
			best = words;
		}
	}
	return best;
}

const struct meaning_words *
meaning_column(const char *table, const char *column)
{
	const struct meaning_words *all = NULL;
	char name[256];

	snprintf(name, sizeof(name), "%s.%s", table, column);
	for (size_t i = 0; meaning_words[i].kind; i++) {
		const struct meaning_words *words = &meaning_words[i];
		const char *of = words->name;

		if (strcmp(words->kind, "column") != 0)
			continue;
		if (strncmp(of, "TABLE.", 6) != 0 && fits(of, name) >= 0)
			return words;
		if (!strncmp(of, "TABLE.", 6) && !all &&
		    fits(of + 6, column) >= 0)
			all = words;
	}
	return all;
}

const struct meaning_family *
meaning_family(const char *name)
{
	const struct meaning_family *best = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (!strncmp(name, families[i].prefix,
			     strlen(families[i].prefix)) &&
		    (!best ||
		     strlen(families[i].prefix) > strlen(best->prefix)))
			best = &families[i];
	return best;
}

const char *
meaning_unit(const char *name)
{
	static const struct {
		const char *prefix, *ending, *unit;
	} units[] = {
		{ "", "bytes", "bytes" },
		{ "", "bytes.peak", "bytes" },
		{ "", "cycles", "cycles" },
		{ "", "ns", "ns" },
		{ "accesses.crossing", "", "lookups" },
		{ "accesses.denied", "", "lookups" },
		{ "accesses", "", "accesses" },
		{ "tlb.", "lookups", "lookups" },
		{ "tlb.", "hits", "lookups" },
		{ "tlb.", "misses", "lookups" },
		{ "tlb.", "4k", "lookups" },
		{ "tlb.", "2m", "lookups" },
		{ "tlb.", "1g", "lookups" },
		{ "walk.", "count", "walks" },
		{ "walk.latency.", "", "cycles" },
		{ "walk.", "references", "references" },
		{ "walk.", "references.mean", "references" },
		{ "cache.", "accesses", "references" },
		{ "fault.", "", "faults" },
		{ "walks", "", "walks" },
	};
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t m = strlen(units[i].ending);

		if (!strncmp(name, units[i].prefix, strlen(units[i].prefix)) &&
		    n >= m && !strcmp(name + n - m, units[i].ending) &&
		    (n == m || !m || strchr("._", name[n - m - 1])))
			return units[i].unit;
	}
	return NULL;
}
