// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The events behind each figure, by processor.  From the makers' own lists of
 * events, by libpfm4's names (tests/test-metric.c encodes every one):
 *
 *   Intel: perfmon event lists and the top-down metrics' TLB group (walkers:
 *	2 of Skylake to Ice Lake, 4 of Sapphire Rapids);
 *   AMD: Processor Programming References, PMCx045, x084, x085.  None of
 *	Zen's events counts cycles of walks.  libpfm4 4.13 does not know Zen 5,
 *	where the same numbers are taken as raw events (umask, event);
 *   Arm: the architecture's common events, as raw numbers, for libpfm4 has the
 *	wrong number for ITLB_WALK of Neoverse N1 (0x34, which is DTLB_WALK).
 */
#include "tracers/metric.h"

#define CYCLES	     "perf::CPU-CYCLES"
#define INSTRUCTIONS "perf::INSTRUCTIONS"

const struct metric_meaning metric_meanings[] = {
	{ "tlb.l1d.misses", "misses", "first-level data TLB" },
	{ "tlb.l1i.misses", "misses", "first-level code TLB" },
	{ "tlb.l2.hits", "hits", "first-level misses found in the second" },
	{ "tlb.l2.misses", "misses", "misses of all levels, data and code" },
	{ "tlb.l1d.mpki", "misses", "by 1,000 instructions" },
	{ "tlb.l2.mpki", "misses", "by 1,000 instructions" },
	{ "walk.count", "walks", "of data and code, that completed" },
	{ "walk.count.4k", "walks", "that ended in a 4K page" },
	{ "walk.count.2m", "walks", "that ended in a 2M or 4M page" },
	{ "walk.count.1g", "walks", "that ended in a 1G page" },
	/* Where they overlap, cycles are counted more than once */
	{ "walk.cycles", "cycles", "walking: of loads + stores + fetches" },
	{ "walk.latency.mean", "cycles", "of one walk" },
	{ "walk.share", "percent",
	  "walk.cycles of all cycles: an upper bound" },
	{ "walk.busy", "percent", "of the walkers' time" },
	/* Which events these are differs from processor to processor */
	{ "dtlb.load.misses", "misses", "as the kernel defines it here" },
	{ "dtlb.store.misses", "misses", "as the kernel defines it here" },
	{ "itlb.misses", "misses", "as the kernel defines it here" },
	{ NULL, NULL, NULL },
};

/* One event of loads, stores and code fetches together */
#define INTEL_ALL(umask)                                        \
	"DTLB_LOAD_MISSES:" umask " + DTLB_STORE_MISSES:" umask \
	" + ITLB_MISSES:" umask
#define INTEL_DATA(umask) \
	"DTLB_LOAD_MISSES:" umask " + DTLB_STORE_MISSES:" umask

static const struct metric_row intel_rows[] = {
	{ "tlb.l1d.misses",
	  INTEL_DATA("STLB_HIT") " + " INTEL_DATA("WALK_COMPLETED"), NULL, 1 },
	{ "tlb.l1i.misses", "ITLB_MISSES:STLB_HIT + ITLB_MISSES:WALK_COMPLETED",
	  NULL, 1 },
	{ "tlb.l2.hits", INTEL_ALL("STLB_HIT"), NULL, 1 },
	{ "tlb.l2.misses", INTEL_ALL("WALK_COMPLETED"), NULL, 1 },
	{ "tlb.l1d.mpki",
	  INTEL_DATA("STLB_HIT") " + " INTEL_DATA("WALK_COMPLETED"),
	  INSTRUCTIONS, 1000 },
	{ "tlb.l2.mpki", INTEL_ALL("WALK_COMPLETED"), INSTRUCTIONS, 1000 },
	{ "walk.count", INTEL_ALL("WALK_COMPLETED"), NULL, 1 },
	{ "walk.count.4k", INTEL_ALL("WALK_COMPLETED_4K"), NULL, 1, true },
	{ "walk.count.2m", INTEL_ALL("WALK_COMPLETED_2M_4M"), NULL, 1, true },
	{ "walk.cycles", INTEL_ALL("WALK_ACTIVE"), NULL, 1 },
	{ "walk.latency.mean", INTEL_ALL("WALK_PENDING"),
	  INTEL_ALL("WALK_COMPLETED"), 1, true },
	{ "walk.share", INTEL_ALL("WALK_ACTIVE"), CYCLES, 100 },
	{ NULL },
};

static const struct metric_row skylake_rows[] = {
	{ "walk.count.1g", INTEL_ALL("WALK_COMPLETED_1G"), NULL, 1, true },
	{ NULL },
};

/* Where libpfm4 has no event of its own for each: all without the others */
#define INTEL_NOT_1G(miss) \
	" - " miss ":WALK_COMPLETED_4K - " miss ":WALK_COMPLETED_2M_4M"

static const struct metric_row icelake_rows[] = {
	{ "walk.count.1g",
	  INTEL_ALL("WALK_COMPLETED") INTEL_NOT_1G("DTLB_LOAD_MISSES")
		  INTEL_NOT_1G("DTLB_STORE_MISSES") INTEL_NOT_1G("ITLB_MISSES"),
	  NULL, 1, true },
	{ NULL },
};
static const struct metric_row sapphire_rapids_rows[] = {
	{ "walk.count.1g",
	  INTEL_DATA("WALK_COMPLETED_1G") " + ITLB_MISSES:WALK_COMPLETED" INTEL_NOT_1G(
		  "ITLB_MISSES"),
	  NULL, 1, true },
	{ NULL },
};

/* The percent of all walkers together */
static const struct metric_row two_walkers_rows[] = {
	{ "walk.busy", INTEL_ALL("WALK_PENDING"), CYCLES, 100.0 / 2, true },
	{ NULL },
};
static const struct metric_row four_walkers_rows[] = {
	{ "walk.busy", INTEL_ALL("WALK_PENDING"), CYCLES, 100.0 / 4, true },
	{ NULL },
};

#define ZEN_DTLB_HIT                                                        \
	"L1_DTLB_MISS:TLB_RELOAD_4K_L2_HIT:TLB_RELOAD_2M_L2_HIT:TLB_RELOAD" \
	"_1G_L2_HIT:TLB_RELOAD_COALESCED_PAGE_HIT"
#define ZEN_DTLB_MISS                                                         \
	"L1_DTLB_MISS:TLB_RELOAD_4K_L2_MISS:TLB_RELOAD_2M_L2_MISS:TLB_RELOAD" \
	"_1G_L2_MISS:TLB_RELOAD_COALESCED_PAGE_MISS"
#define ZEN_DTLB_MISS_4K \
	"L1_DTLB_MISS:TLB_RELOAD_4K_L2_MISS:TLB_RELOAD_COALESCED_PAGE_MISS"
#define ZEN_ITLB_HIT  "L1_ITLB_MISS_L2_ITLB_HIT"
#define ZEN_ITLB_MISS "L1_ITLB_MISS_L2_ITLB_MISS"

/* The same figures for each way of naming the ten events */
#define ZEN_ROWS(dhit, dmiss, dmiss4k, dmiss2m, dmiss1g, ihit, imiss, imiss4k, \
		 imiss2m, imiss1g)                                             \
	{                                                                      \
		{ "tlb.l1d.misses", dhit " + " dmiss, NULL, 1 },               \
			{ "tlb.l1i.misses", ihit " + " imiss, NULL, 1 },       \
			{ "tlb.l2.hits", dhit " + " ihit, NULL, 1 },           \
			{ "tlb.l2.misses", dmiss " + " imiss, NULL, 1 },       \
			{ "tlb.l1d.mpki", dhit " + " dmiss, INSTRUCTIONS,      \
			  1000 },                                              \
			{ "tlb.l2.mpki", dmiss " + " imiss, INSTRUCTIONS,      \
			  1000 },                                              \
			{ "walk.count", dmiss " + " imiss, NULL, 1 },          \
			{ "walk.count.4k", dmiss4k " + " imiss4k, NULL, 1,     \
			  true },                                              \
			{ "walk.count.2m", dmiss2m " + " imiss2m, NULL, 1,     \
			  true },                                              \
			{ "walk.count.1g", dmiss1g " + " imiss1g, NULL, 1,     \
			  true },                                              \
			{ NULL },                                              \
	}

static const struct metric_row zen2_rows[] =
	ZEN_ROWS(ZEN_DTLB_HIT, ZEN_DTLB_MISS, ZEN_DTLB_MISS_4K,
		 "L1_DTLB_MISS:TLB_RELOAD_2M_L2_MISS",
		 "L1_DTLB_MISS:TLB_RELOAD_1G_L2_MISS", ZEN_ITLB_HIT,
		 ZEN_ITLB_MISS ":IF4K:IF2M:IF1G", ZEN_ITLB_MISS ":IF4K",
		 ZEN_ITLB_MISS ":IF2M", ZEN_ITLB_MISS ":IF1G");

static const struct metric_row zen3_rows[] =
	ZEN_ROWS(ZEN_DTLB_HIT, ZEN_DTLB_MISS, ZEN_DTLB_MISS_4K,
		 "L1_DTLB_MISS:TLB_RELOAD_2M_L2_MISS",
		 "L1_DTLB_MISS:TLB_RELOAD_1G_L2_MISS", ZEN_ITLB_HIT,
		 ZEN_ITLB_MISS ":IF4K:IF2M:IF1G:COALESCED4K",
		 ZEN_ITLB_MISS ":IF4K:COALESCED4K", ZEN_ITLB_MISS ":IF2M",
		 ZEN_ITLB_MISS ":IF1G");

static const struct metric_row zen5_rows[] =
	ZEN_ROWS("perf_raw::r0f45", "perf_raw::rf045", "perf_raw::r3045",
		 "perf_raw::r4045", "perf_raw::r8045", "perf_raw::r0084",
		 "perf_raw::r0f85", "perf_raw::r0985", "perf_raw::r0285",
		 "perf_raw::r0485");

#define NO_CYCLES "no event of this processor counts cycles of walks"
static const struct metric_row no_cycles_rows[] = {
	{ .name = "walk.cycles", .absent = NO_CYCLES },
	{ .name = "walk.latency.mean", .absent = NO_CYCLES },
	{ .name = "walk.share", .absent = NO_CYCLES },
	{ .name = "walk.busy", .absent = NO_CYCLES },
	{ NULL },
};

/* L1D_TLB_REFILL, L1I_TLB_REFILL, DTLB_WALK, ITLB_WALK */
#define ARM_L1D	     "perf_raw::r05"
#define ARM_L1I	     "perf_raw::r02"
#define ARM_WALKS    "perf_raw::r34 + perf_raw::r35"
#define ARM_NO_SIZES "no common event of Arm tells walks by page size"

static const struct metric_row arm_rows[] = {
	{ "tlb.l1d.misses", ARM_L1D, NULL, 1 },
	{ "tlb.l1i.misses", ARM_L1I, NULL, 1 },
	{ "tlb.l2.hits",
	  ARM_L1D " + " ARM_L1I " - perf_raw::r34 - perf_raw::r35", NULL, 1 },
	{ "tlb.l2.misses", ARM_WALKS, NULL, 1 },
	{ "tlb.l1d.mpki", ARM_L1D, INSTRUCTIONS, 1000 },
	{ "tlb.l2.mpki", ARM_WALKS, INSTRUCTIONS, 1000 },
	{ "walk.count", ARM_WALKS, NULL, 1 },
	{ .name = "walk.count.4k", .absent = ARM_NO_SIZES },
	{ .name = "walk.count.2m", .absent = ARM_NO_SIZES },
	{ .name = "walk.count.1g", .absent = ARM_NO_SIZES },
	{ NULL },
};

static const struct metric_row generic_rows[] = {
	{ "dtlb.load.misses", "perf::DTLB-LOAD-MISSES", NULL, 1 },
	{ "dtlb.store.misses", "perf::DTLB-STORE-MISSES", NULL, 1 },
	{ "itlb.misses", "perf::ITLB-LOAD-MISSES", NULL, 1 },
	{ NULL },
};

const struct metric_family metric_families[] = {
	{ .name = "Skylake",
	  .pmus = { "skl", "skx", "clx" },
	  .rows = { intel_rows, skylake_rows, two_walkers_rows } },
	{ .name = "Ice Lake",
	  .pmus = { "icl", "icx" },
	  .rows = { intel_rows, icelake_rows, two_walkers_rows } },
	{ .name = "Sapphire Rapids",
	  .pmus = { "spr", "emr" },
	  .rows = { intel_rows, sapphire_rapids_rows, four_walkers_rows } },
	{ .name = "Zen 2",
	  .pmus = { "amd64_fam17h_zen2" },
	  .rows = { zen2_rows, no_cycles_rows } },
	{ .name = "Zen 3 and 4",
	  .pmus = { "amd64_fam19h_zen3", "amd64_fam19h_zen4" },
	  .rows = { zen3_rows, no_cycles_rows } },
	{ .name = "Zen 5",
	  .pmus = { "amd64_fam1ah_zen5" },
	  .vendor = "AuthenticAMD",
	  .cpu_family = 0x1a,
	  .rows = { zen5_rows, no_cycles_rows } },
	{ .name = "Neoverse",
	  .pmus = { "arm_n1", "arm_n2", "arm_n3", "arm_v1", "arm_v2",
		    "arm_v3" },
	  .rows = { arm_rows, no_cycles_rows } },
	{ .name = "generic", .rows = { generic_rows } },
	{ .name = NULL },
};
