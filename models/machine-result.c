// SPDX-License-Identifier: GPL-2.0-or-later
/* What the parts of a machine counted, gathered. */
#include "models/machine-inside.h"

#include <stdlib.h>
#include <string.h>

struct ranked {
	struct region_count count;
	const char *name;
};

static int
rank(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->count.cycles != b->count.cycles)
		return a->count.cycles < b->count.cycles ? 1 : -1;
	if (a->count.walks != b->count.walks)
		return a->count.walks < b->count.walks ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int
finish_mappings(const struct machine *machine, struct result *result)
{
	static const char *const columns[] = { "mapping:", "walks:walks",
					       "walk_cycles:cycles", NULL };
	uint32_t regions = paging_regions(machine->paging), n = 0;
	struct ranked *ranked;
	int error = result_table(
		result, "mappings",
		"page walks by what is mapped there, by their cycles", columns);

	if (error)
		return error;
	ranked = calloc((size_t)regions + 1, sizeof(*ranked));
	if (!ranked)
		return -ENOMEM;
	for (uint32_t i = 0; i < regions && i < machine->max_regions; i++)
		if (machine->region[i].walks)
			ranked[n++] = (struct ranked){
				machine->region[i],
				paging_region_name(machine->paging, i)
			};
	qsort(ranked, n, sizeof(*ranked), rank);
	for (uint32_t i = 0; !error && i < n; i++)
		error = result_row(result, "mappings", "suu", ranked[i].name,
				   ranked[i].count.walks,
				   ranked[i].count.cycles);
	free(ranked);
	return error;
}

/* Whole numbers of a row of tlb.sizes: all but its name, or the walks alone. */
static double
answers(const json_t *row, size_t first)
{
	double sum = 0;

	for (size_t i = first; i < json_array_size(row); i++)
		sum += json_number_value(json_array_get(row, i));
	return sum;
}

/* Shares of 2M and above in all accesses and in all walks. */
static int
finish_coverage(const struct machine *machine, struct result *result)
{
	static const char *const names[] = { "thp.coverage.accesses",
					     "thp.coverage.walks" };
	const json_t *tables = json_object_get(result_json(result), "tables");
	const json_t *rows =
		json_object_get(json_object_get(tables, "tlb.sizes"), "rows");
	int error = 0;

	if (!paging_sizes_vary(machine->paging))
		return 0;
	for (size_t what = 0; what < ARRAY_SIZE(names) && !error; what++) {
		double all = 0, large = 0;

		for (size_t i = 0; i < json_array_size(rows); i++) {
			const json_t *row = json_array_get(rows, i);
			double n = answers(row, what ? 5 : 1);

			all += n;
			large += i > 0 ? n : 0;
		}
		error = all > 0 ? result_real(result, names[what], large / all,
					      "")
				: result_absent(result, names[what],
						"there were none");
	}
	return error;
}

static bool
is_table(const void *context, uint64_t physical)
{
	return frames_is_table(context, physical);
}

static int
finish_bound(const struct machine *machine, struct result *result)
{
	uint64_t large = 0;

	for (uint32_t i = 0; i < machine->cores.n; i++)
		for (unsigned k = 1; k < TLB_SIZES; k++)
			large += machine->cores.core[i].counts.walks[k];
	return bound_finish(machine->bound, large, result);
}

static const char *
name_of_region(void *context, uint32_t region)
{
	return paging_region_name(context, region);
}

static int
finish_chunks(const struct machine *machine, struct result *result)
{
	const struct chunk_names names = {
		.context = machine->paging,
		.region = name_of_region,
		.stream = machine->stream,
		.large = paging_sizes_vary(machine->paging),
	};

	return chunks_finish(machine->chunks, &names, result);
}

int
machine_finish(struct model *model, struct result *result)
{
	struct machine *machine = machine_of(model);
	int error = cores_finish(&machine->cores, machine->stream, result);

	if (!error)
		error = hierarchy_finish(machine->hierarchy,
					 frames_colours(machine->frames),
					 result);
	if (!error && !machine->nested)
		error = hierarchy_finish_tables(machine->hierarchy, is_table,
						machine->frames, result);
	if (!error)
		error = frames_finish(machine->frames, result);
	if (machine->numa && machine->numa->copies)
		numa_copies_written(machine->numa->copies,
				    paging_entries_written(machine->paging));
	if (!error)
		error = numa_finish(machine->numa,
				    machine->cores.core[0].data_cached, result);
	if (!error && machine->hints)
		error = numa_hints_finish(machine->hints, result);
	if (!error)
		error = paging_finish(machine->paging, machine->accesses,
				      result);
	if (!error && machine->reclaim)
		error = driver_finish(machine->reclaim, result);
	if (!error)
		error = finish_coverage(machine, result);
	if (!error)
		error = finish_mappings(machine, result);
	if (!error && machine->who)
		error = machine_who_finish(machine->who, machine->accesses,
					   result);
	if (!error && machine->bound)
		error = finish_bound(machine, result);
	if (!error && machine->chunks)
		error = finish_chunks(machine, result);
	if (!error)
		error = looks_finish(machine->looks, result);
	if (!error && machine->explain)
		error = explain_finish(machine->explain, machine->stream,
				       result);
	return error ? error
		     : heatmap_finish(machine->heatmap, machine->accesses,
				      result);
}
