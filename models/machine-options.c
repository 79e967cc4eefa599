// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The option tree of a machine.  The defaults are a machine of no maker in
 * particular, shaped like a server core of 2017.
 */
#include "models/machine.h"

#define IN_CORE(field)	 offsetof(struct machine_config, core.field)
#define IN_CACHES(field) offsetof(struct machine_config, hierarchy.field)
#define IN_TABLES(field) offsetof(struct machine_config, tables.field)
#define L1_ENTRIES_MAX	 8192
#define L2_ENTRIES_MAX	 TLB_ENTRIES_MAX

static const struct option_row machine_rows[] = {
	{ .name = "about",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct machine_config, about),
	  .fallback = "generic: a server core of 2017",
	  .help = "what machine this is, for reports" },
	{ .name = "seed",
	  .type = OPTION_INT,
	  .offset = offsetof(struct machine_config, seed),
	  .fallback = "1",
	  .min = 0,
	  .max = 4294967295.0,
	  .help = "of random replacement" },
	{ NULL },
};

static const struct option_row table_rows[] = {
	{ .name = "kind",
	  .type = OPTION_STRING,
	  .offset = 0,
	  .fallback = "radix",
	  .argument = "KIND",
	  .help = "organisation of the page table: radix, flat, hashed, "
		  "inverted, cuckoo, nested, shadow" },
	{ NULL },
};

static const struct option_row data_rows[] = {
	{ .name = "data",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct core_config, data_cached),
	  .fallback = "false",
	  .help = "caches carry data and instruction references too, not "
		  "only those of walks" },
	{ NULL },
};

static const struct option_row l1d_rows[] = {
	TLB_ARRAY_ROWS("64", "4", L1_ENTRIES_MAX),
	TLB_ROW_SIZES("4k"),
	TLB_ROW_LATENCY("0"),
	TLB_ROWS_GROUP,
	{ NULL },
};
static const struct option_row l1d_2m_rows[] = {
	TLB_ARRAY_ROWS("32", "4", L1_ENTRIES_MAX),
	TLB_ROW_SIZES("2m"),
	{ NULL },
};
static const struct option_row l1d_1g_rows[] = {
	TLB_ARRAY_ROWS("4", "0", L1_ENTRIES_MAX),
	TLB_ROW_SIZES("1g"),
	{ NULL },
};
static const struct option_row l1i_rows[] = {
	TLB_ARRAY_ROWS("128", "8", L1_ENTRIES_MAX),
	TLB_ROW_SIZES("4k"),
	TLB_ROW_LATENCY("0"),
	TLB_ROWS_GROUP,
	{ NULL },
};
static const struct option_row l1i_2m_rows[] = {
	TLB_ARRAY_ROWS("8", "0", L1_ENTRIES_MAX),
	TLB_ROW_SIZES("2m"),
	{ NULL },
};
static const struct option_row l1i_1g_rows[] = {
	TLB_ARRAY_ROWS("0", "0", L1_ENTRIES_MAX),
	TLB_ROW_SIZES("1g"),
	{ NULL },
};
static const struct option_row l2_rows[] = {
	TLB_ARRAY_ROWS("1536", "12", L2_ENTRIES_MAX),
	TLB_ROW_SIZES("4k+2m"),
	TLB_ROW_LATENCY("9"),
	TLB_ROWS_GROUP,
	{ NULL },
};
static const struct option_row l2_1g_rows[] = {
	TLB_ARRAY_ROWS("16", "4", L2_ENTRIES_MAX),
	TLB_ROW_SIZES("1g"),
	TLB_ROW_LATENCY("9"),
	{ NULL },
};
static const struct option_row l2i_rows[] = {
	TLB_ARRAY_ROWS("0", "0", L2_ENTRIES_MAX),
	TLB_ROW_SIZES("4k+2m"),
	TLB_ROW_LATENCY("9"),
	TLB_ROWS_GROUP,
	{ NULL },
};

static const struct option_row pde_rows[] = {
	TLB_ARRAY_ROWS("32", "4", L2_ENTRIES_MAX),
	{ NULL },
};
static const struct option_row pdpte_rows[] = {
	TLB_ARRAY_ROWS("4", "0", L2_ENTRIES_MAX),
	{ NULL },
};
static const struct option_row pml4e_rows[] = {
	TLB_ARRAY_ROWS("2", "0", L2_ENTRIES_MAX),
	{ NULL },
};
static const struct option_row pml5e_rows[] = {
	TLB_ARRAY_ROWS("2", "0", L2_ENTRIES_MAX),
	{ NULL },
};

#define IN_NESTED(array) IN_TABLES(nested_array[array])
/* Of all kinds but radix. */
#define KINDS(prefix, kinds)                                              \
	{ prefix ".flat", flat_rows, IN_TABLES(kinds.flat),               \
	  "flattened page tables" },                                      \
		{ prefix ".hashed", hashed_rows, IN_TABLES(kinds.hashed), \
		  "hashed page tables" },                                 \
	{                                                                 \
		prefix ".cuckoo", cuckoo_rows, IN_TABLES(kinds.cuckoo),   \
			"elastic cuckoo page tables"                      \
	}

static const struct option_group machine_groups[] = {
	{ "machine", machine_rows, 0, "the machine as a whole" },
	{ "machine", cores_rows, offsetof(struct machine_config, cores),
	  "the machine as a whole" },
	{ "tlb", asid_rows, IN_CORE(asid), "all TLBs" },
	{ "tlb.l1d", l1d_rows, IN_CORE(tlb[CORE_L1D]), "first level, data" },
	{ "tlb.l1d-2m", l1d_2m_rows, IN_CORE(tlb[CORE_L1D_2M]),
	  "first level, data, a second array beside the first" },
	{ "tlb.l1d-1g", l1d_1g_rows, IN_CORE(tlb[CORE_L1D_1G]),
	  "first level, data, a third array" },
	{ "tlb.l1i", l1i_rows, IN_CORE(tlb[CORE_L1I]),
	  "first level, instructions" },
	{ "tlb.l1i-2m", l1i_2m_rows, IN_CORE(tlb[CORE_L1I_2M]),
	  "first level, instructions, a second array" },
	{ "tlb.l1i-1g", l1i_1g_rows, IN_CORE(tlb[CORE_L1I_1G]),
	  "first level, instructions, a third array" },
	{ "tlb.l2", l2_rows, IN_CORE(tlb[CORE_L2]), "second level" },
	{ "tlb.l2-1g", l2_1g_rows, IN_CORE(tlb[CORE_L2_1G]),
	  "second level, an array beside the first" },
	{ "tlb.l2i", l2i_rows, IN_CORE(tlb[CORE_L2I]),
	  "second level of instructions alone; without it they use tlb.l2" },
	{ "tlb.range", range_tlb_rows, IN_CORE(beside.range),
	  "ranges of pages, beside the second level" },
	{ "tlb.prefetch", prefetch_rows, IN_CORE(beside.prefetch),
	  "prefetching of translations" },
	{ "pwc", pwc_rows, IN_CORE(walker.pwc), "walk caches of levels" },
	{ "pwc.unified", pwc_unified_rows, IN_CORE(walker.pwc.unified),
	  "walk cache of all levels, with pwc.kind=unified" },
	{ "pwc.pde", pde_rows, IN_CORE(pwc[0]),
	  "walk cache of level 2 entries" },
	{ "pwc.pdpte", pdpte_rows, IN_CORE(pwc[1]),
	  "walk cache of level 3 entries" },
	{ "pwc.pml4e", pml4e_rows, IN_CORE(pwc[2]),
	  "walk cache of level 4 entries" },
	{ "pwc.pml5e", pml5e_rows, IN_CORE(pwc[3]),
	  "walk cache of level 5 entries" },
	{ "walker", walker_rows, IN_CORE(walker), "the hardware walker" },
	{ "walker", walk_queue_rows, IN_CORE(queue), "the hardware walker" },
	{ "table", table_rows, offsetof(struct machine_config, table_kind),
	  "the page table" },
	{ "table", table_memory_rows, IN_TABLES(memory),
	  "the page table, of any kind" },
	{ "table", radix_rows, IN_TABLES(own.radix), "the radix page table" },
	KINDS("table", own),
	{ "table.inverted", inverted_rows, IN_TABLES(own.inverted),
	  "the inverted page table" },
	{ "table.nested", nested_rows, IN_TABLES(nested),
	  "nested page tables, of a guest and a host" },
	{ "table.nested.tlb", nested_tlb_rows, IN_NESTED(NESTED_TLB),
	  "translations of the host, of its whole walks" },
	{ "table.nested.pde", nested_pde_rows, IN_NESTED(NESTED_PDE),
	  "walk cache of the host's level 2 entries" },
	{ "table.nested.pdpte", nested_upper_rows, IN_NESTED(NESTED_PDPTE),
	  "walk cache of the host's level 3 entries" },
	{ "table.nested.pml4e", nested_upper_rows, IN_NESTED(NESTED_PML4E),
	  "walk cache of the host's level 4 entries" },
	{ "table.nested.pml5e", nested_upper_rows, IN_NESTED(NESTED_PML5E),
	  "walk cache of the host's level 5 entries" },
	{ "table.shadow", shadow_rows, IN_TABLES(shadow),
	  "page tables that a hypervisor merges" },
	{ "table.host", radix_rows, IN_TABLES(host.radix),
	  "the host's or merged table, if radix" },
	KINDS("table.host", host),
	{ "files", files_rows, offsetof(struct machine_config, paging.files),
	  "Mapped files: the page cache and reading ahead" },
	{ "pages", paging_rows, offsetof(struct machine_config, paging),
	  "how the kernel pages in" },
	{ "pages", huge_rows, offsetof(struct machine_config, paging.huge),
	  "huge pages" },
	{ "khugepaged", khugepaged_rows,
	  offsetof(struct machine_config, paging.huge.khugepaged),
	  "the kernel's thread that makes huge pages" },
	{ "promotion", promotion_rows,
	  offsetof(struct machine_config, paging.huge.promotion),
	  "huge pages of policies other than the kernel's" },
	{ "reclaim", driver_rows, offsetof(struct machine_config, reclaim),
	  "who leaves when memory is full" },
	{ "reclaim", reclaim_rows, offsetof(struct machine_config, reclaim.own),
	  "who leaves when memory is full" },
	{ "ksm", ksm_rows, offsetof(struct machine_config, paging.ksm),
	  "the kernel's thread that merges pages of the same content" },
	{ "hugetlb", hugetlb_rows,
	  offsetof(struct machine_config, paging.huge.hugetlb),
	  "pools of huge pages that programs ask for" },
	{ "memory", frames_rows, offsetof(struct machine_config, frames),
	  "physical memory" },
	{ "memory", palette_rows,
	  offsetof(struct machine_config, frames.palette), "cache colours" },
	{ "memory", memory_rows, IN_CACHES(memory), "physical memory" },
	{ "bound", bound_rows, offsetof(struct machine_config, bound),
	  "what translation costs at most" },
	{ "time", timing_rows, offsetof(struct machine_config, timing),
	  "what cycles and faults come to in time, for verdicts" },
	{ "numa", numa_rows, offsetof(struct machine_config, numa),
	  "nodes of memory" },
	{ "cache", data_rows, offsetof(struct machine_config, core),
	  "all caches" },
	{ "cache", levels_rows, IN_CACHES(levels), "all caches" },
	{ "cache.l1d", cache_rows, IN_CACHES(l1d), "first level, data" },
	{ "cache.l1i", cache_rows, IN_CACHES(l1i),
	  "first level, instructions" },
	{ "cache.l2", cache_l2_rows, IN_CACHES(l2), "second level" },
	{ "cache.l3", cache_l3_rows, IN_CACHES(l3), "third level" },
	{ NULL },
};

const struct option_tree machine_options = { machine_groups,
					     sizeof(struct machine_config) };
