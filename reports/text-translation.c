// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of accesses, TLBs, walk caches and caches. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>
#include <string.h>

static double
named(const struct text *text, const char *prefix, const char *name)
{
	char full[96];

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	return view_or_zero(text->result, full);
}

static bool
known(const struct text *text, const char *prefix, const char *name)
{
	char full[96];
	double value;

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	return view_value(text->result, full, &value);
}

static void
put_accesses(struct text *text)
{
	static const char *const kinds[][2] = {
		{ "load", "loads" },
		{ "store", "stores" },
		{ "modify", "loads and stores of one place" },
		{ "fetch", "instruction fetches (code blocks)" },
	};
	double all = view_or_zero(text->result, "accesses");
	struct grid *grid = grid_open("<>><");

	if (all <= 0) {
		grid_close(grid);
		return;
	}
	text_heading(text, "Accesses");
	grid_add(grid, "kind");
	grid_add(grid, "accesses");
	grid_add(grid, "share");
	grid_add(grid, "");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		double n = named(text, "accesses", kinds[i][0]);

		if (n <= 0)
			continue;

		grid_add(grid, kinds[i][1]);
		grid_add(grid, number_count(n).text);
		grid_add(grid, number_share(n, all).text);
		grid_add(grid, number_bar(n, all, 24).text);
	}
	text_grid(text, grid);
}

/* A row of lookups, hits, misses; nothing when it is not there. */
static void
put_lookups(struct text *text, struct grid *grid, const char *prefix,
	    const char *title, double accesses)
{
	double lookups = named(text, prefix, "lookups");
	double misses = lookups - named(text, prefix, "hits");

	/* a walk cache of a level that this table does not have */
	if (!known(text, prefix, "lookups") || !known(text, prefix, "hits") ||
	    (lookups <= 0 && strncmp(prefix, "tlb.", 4) != 0))
		return;
	grid_add(grid, title);
	grid_add(grid, number_count(lookups).text);
	grid_add(grid, number_count(lookups - misses).text);
	grid_add(grid, number_count(misses).text);
	grid_add(grid, number_share(misses, lookups).text);
	grid_add(grid, accesses > 0 ? number_real(1000 * misses / accesses).text
				    : "-");
}

static void
put_tlbs(struct text *text)
{
	static const char *const parts[][2] = {
		{ "tlb.l1d", "L1 data TLB" },
		{ "tlb.l1i", "L1 instruction TLB" },
		{ "tlb.l2", "L2 TLB" },
		{ "tlb.l2.data", "  of data" },
		{ "tlb.l2.fetch", "  of fetches" },
		{ "pwc.pde", "walk cache of PDEs" },
		{ "pwc.pdpte", "walk cache of PDPTEs" },
		{ "pwc.pml4e", "walk cache of PML4Es" },
		{ "pwc.pml5e", "walk cache of PML5Es" },
		{ "cwc.2m", "cuckoo walk cache of 2M" },
		{ "cwc.1g", "cuckoo walk cache of 1G" },
		{ "nested.tlb", "nested TLB" },
		{ "nested.pde", "  host's PDEs" },
		{ "nested.pdpte", "  host's PDPTEs" },
		{ "nested.pml4e", "  host's PML4Es" },
		{ "nested.pml5e", "  host's PML5Es" },
	};
	static const char *const titles[] = {
		"", "lookups", "hits", "misses", "missed", "per 1,000"
	};
	double accesses = view_or_zero(text->result, "accesses");
	struct grid *grid;

	if (!known(text, "tlb.l1d", "lookups"))
		return;
	text_heading(text, "TLBs and walk caches (per 1,000: misses per 1,000 "
			   "accesses)");
	grid = grid_open("<>>>>>");
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		grid_add(grid, titles[i]);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		put_lookups(text, grid, parts[i][0], parts[i][1], accesses);
	text_grid(text, grid);
}

/* Who answered, by page size: rows of zeros are left out. */
static void
put_sizes(struct text *text)
{
	static const char *const columns[][2] = {
		{ "l1d_hits", "L1 data hits" },
		{ "l1i_hits", "L1 instr. hits" },
		{ "l2_data_hits", "L2 hits, data" },
		{ "l2_fetch_hits", "L2 hits, fetch" },
		{ "walks", "walks" },
	};
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "tlb.sizes", &table) || !table.n_rows ||
	    view_or_zero(text->result, "accesses") <= 0)
		return;
	text_heading(text, "Who translates, by page size");
	grid = grid_open("<>>>>>");
	grid_add(grid, "pages");
	for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
		grid_add(grid, columns[j][1]);
	for (size_t i = 0; i < table.n_rows; i++) {
		const char *size =
			view_text(&table, i, view_column(&table, "size"));
		double all = 0;

		for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
			all += view_number(&table, i,
					   view_column(&table, columns[j][0]));
		if (all <= 0)
			continue;
		grid_addf(grid, "%.*s%s", (int)strcspn(size, "kmg"), size,
			  strchr(size, 'k')   ? " KiB"
			  : strchr(size, 'm') ? " MiB"
			  : strchr(size, 'g') ? " GiB"
					      : "");
		for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
			grid_add(grid,
				 number_count(
					 view_number(&table, i,
						     view_column(&table,
								 columns[j]
									[0])))
					 .text);
	}
	text_grid(text, grid);
}

static void
put_caches(struct text *text)
{
	static const char *const caches[][2] = {
		{ "cache.l1d", "L1 data" },
		{ "cache.l1i", "L1 instruction" },
		{ "cache.l2", "L2" },
		{ "cache.l3", "L3" },
	};
	static const char *const titles[] = { "", "references", "missed",
					      "of walks", "missed" };
	struct grid *grid;
	double all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(caches); i++)
		all += named(text, caches[i][0], "accesses");
	if (all <= 0)
		return;
	text_heading(text, "Caches");
	grid = grid_open("<>>>>");
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		grid_add(grid, titles[i]);
	for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
		double walks = named(text, caches[i][0], "walk.accesses");

		if (!known(text, caches[i][0], "accesses") ||
		    named(text, caches[i][0], "accesses") <= 0)
			continue;
		grid_add(grid, caches[i][1]);
		all = named(text, caches[i][0], "accesses");
		grid_add(grid, number_count(all).text);
		grid_add(grid,
			 number_share(named(text, caches[i][0], "misses"), all)
				 .text);
		grid_add(grid, number_count(walks).text);
		grid_add(grid,
			 number_share(named(text, caches[i][0], "walk.misses"),
				      walks)
				 .text);
	}
	if (known(text, "memory", "references")) {
		grid_add(grid, "memory");
		grid_add(grid, number_count(named(text, "memory", "references"))
				       .text);
		for (int i = 0; i < 3; i++)
			grid_add(grid, "");
	}
	text_grid(text, grid);
}

void
text_translation(struct text *text)
{
	put_accesses(text);
	put_tlbs(text);
	put_sizes(text);
	put_caches(text);
}
