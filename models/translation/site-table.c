// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters of sites; see site-table.h. */
#include "models/translation/site-table.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

static int
grow(struct site_table *table, uint32_t sites)
{
	uint32_t max = table->max ? table->max : 4096;
	uint8_t *instructions;
	uint16_t *bytes;
	struct site_count *count;

	while (max < sites)
		max *= 2;
	instructions = realloc(table->instructions, max);
	if (instructions)
		table->instructions = instructions;
	bytes = reallocarray(table->bytes, max, sizeof(*bytes));
	if (bytes)
		table->bytes = bytes;
	count = reallocarray(table->count, max, sizeof(*count));
	if (count)
		table->count = count;
	if (!instructions || !bytes || !count)
		return fail(ENOMEM, "machine: no memory for %u sites", sites);
	memset(table->count + table->n, 0,
	       (max - table->n) * sizeof(*table->count));
	table->max = max;
	return 0;
}

int
site_table_update(struct site_table *table, const struct stream *stream)
{
	uint32_t sites = stream_sites(stream);

	if (likely(sites == table->n))
		return 0;
	if (sites > table->max) {
		int error = grow(table, sites);

		if (error)
			return error;
	}
	for (; table->n < sites; table->n++) {
		const struct site *site = stream_site(stream, table->n);

		table->instructions[table->n] = site->instructions;
		table->bytes[table->n] = site->size < UINT16_MAX
						 ? (uint16_t)site->size
						 : UINT16_MAX;
	}
	return 0;
}

void
site_table_fini(struct site_table *table)
{
	free(table->instructions);
	free(table->bytes);
	free(table->count);
	*table = (struct site_table){ .n = 0 };
}

struct ranked {
	struct site_count count;
	uint32_t index;
};

static int
descending(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int
rank(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	int order = descending(a->count.cycles, b->count.cycles);

	if (!order)
		order = descending(a->count.walks, b->count.walks);
	if (!order)
		order = descending(a->count.l1_misses, b->count.l1_misses);
	return order ? order : a->index < b->index ? -1 : 1;
}

static int
put_row(const struct ranked *ranked, const struct stream *stream,
	struct result *result)
{
	static const char *const kinds[] = { "load", "store", "modify",
					     "fetch" };
	const struct site *site = stream_site(stream, ranked->index);

	return result_row(result, "sites", "uusuuuu", (uint64_t)site->image,
			  site->pc, kinds[site->kind & 3], (uint64_t)site->size,
			  ranked->count.l1_misses, ranked->count.walks,
			  ranked->count.cycles);
}

int
site_table_finish(const struct site_table *table, const struct stream *stream,
		  struct result *result)
{
	static const char *const columns[] = { "image:",
					       "pc:",
					       "kind:",
					       "size:bytes",
					       "l1_misses:accesses",
					       "walks:walks",
					       "walk_cycles:cycles",
					       NULL };
	struct ranked *ranked;
	uint32_t n = 0;
	int error = result_table(result, "sites",
				 "instructions and code blocks by the cycles "
				 "of the page walks they caused",
				 columns);

	if (error)
		return error;
	for (uint32_t i = 0; i < table->n; i++)
		n += table->count[i].l1_misses != 0;
	ranked = calloc((size_t)n + 1, sizeof(*ranked));
	if (!ranked)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < table->n; i++)
		if (table->count[i].l1_misses)
			ranked[n++] = (struct ranked){ table->count[i], i };
	qsort(ranked, n, sizeof(*ranked), rank);
	for (uint32_t i = 0; !error && i < n && i < SITES_REPORTED; i++)
		error = put_row(&ranked[i], stream, result);
	free(ranked);
	return error;
}
