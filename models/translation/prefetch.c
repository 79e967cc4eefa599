// SPDX-License-Identifier: GPL-2.0-or-later
/* Prefetching of translations; see prefetch.h. */
#include "models/translation/prefetch.h"

#include <stdlib.h>

#include "analyzer/fail.h"

static const char *const kinds[] = { "none",	 "sequential", "stride",
				     "distance", "recency",    NULL };

const struct option_row prefetch_rows[] = {
	{ .name = "kind",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct prefetch_config, kind),
	  .fallback = "none",
	  .choices = kinds,
	  .help = "what second-level misses fetch ahead: the next page, as "
		  "far on as the instruction's last two, what followed the "
		  "last distance, what left the TLB when this page did" },
	{ .name = "entries",
	  .type = OPTION_INT,
	  .offset = offsetof(struct prefetch_config, entries),
	  .fallback = "16",
	  .min = 1,
	  .max = PREFETCH_ENTRIES_MAX,
	  .unit = "entries",
	  .help = "of the buffer where they wait" },
	{ .name = "rows",
	  .type = OPTION_INT,
	  .offset = offsetof(struct prefetch_config, rows),
	  .fallback = "256",
	  .min = 1,
	  .max = PREFETCH_ROWS_MAX,
	  .unit = "rows",
	  .help = "of the predictor's table (stride, distance)" },
	{ NULL },
};

int
prefetch_init(struct prefetch *prefetch, const struct prefetch_config *config)
{
	*prefetch = (struct prefetch){ .kind = config->kind,
				       .entries = (uint32_t)config->entries,
				       .rows = (uint32_t)config->rows,
				       .page_shift = config->granule
							     ? config->granule
							     : 12 };
	if (prefetch->kind == PREFETCH_NONE)
		return 0;
	prefetch->entry = calloc(prefetch->entries, sizeof(*prefetch->entry));
	prefetch->row = calloc(prefetch->rows, sizeof(*prefetch->row));
	if (prefetch->entry && prefetch->row)
		return 0;
	prefetch_fini(prefetch);
	return fail(ENOMEM, "machine: no memory for prefetching");
}

void
prefetch_fini(struct prefetch *prefetch)
{
	free(prefetch->entry);
	free(prefetch->row);
	*prefetch = (struct prefetch){ .kind = PREFETCH_NONE };
}

/* The row of this tag, emptied if it was another's. */
static struct prefetch_row *
row_of(struct prefetch *prefetch, uint64_t tag)
{
	struct prefetch_row *row = &prefetch->row[tag % prefetch->rows];

	if (row->tag != tag + 1)
		*row = (struct prefetch_row){ .tag = tag + 1 };
	return row;
}

static unsigned
predict_stride(struct prefetch *prefetch, uint32_t site, uint64_t page,
	       uint64_t *wanted)
{
	struct prefetch_row *row = row_of(prefetch, site);
	int64_t stride = (int64_t)(page - row->last);

	if (!row->n) {
		row->n = 1;
	} else {
		row->n = row->n > 1 && stride == row->next[0] ? 3 : 2;
		row->next[0] = stride;
	}
	row->last = page;
	*wanted = (page + (uint64_t)stride) << prefetch->page_shift;
	return row->n == 3 && stride;
}

static void
remember(struct prefetch_row *row, int64_t distance)
{
	if (row->n && row->next[0] == distance)
		return;
	row->next[1] = row->next[0];
	row->next[0] = distance;
	row->n += row->n < 2;
}

static unsigned
predict_distance(struct prefetch *prefetch, uint64_t page, uint64_t *wanted)
{
	int64_t distance = (int64_t)(page - prefetch->last);
	const struct prefetch_row *row;
	unsigned n = 0;

	if (prefetch->seen > 1)
		remember(row_of(prefetch, (uint64_t)prefetch->distance),
			 distance);
	if (prefetch->seen) {
		row = row_of(prefetch, (uint64_t)distance);
		for (; n < row->n; n++)
			wanted[n] = (page + (uint64_t)row->next[n])
				    << prefetch->page_shift;
	}
	prefetch->seen += prefetch->seen < 2;
	prefetch->distance = distance;
	prefetch->last = page;
	return n;
}

unsigned
prefetch_predict(struct prefetch *prefetch, uint32_t site, uint64_t address,
		 unsigned shift, uint64_t *wanted)
{
	uint64_t page = address >> prefetch->page_shift;

	switch (prefetch->kind) {
	case PREFETCH_SEQUENTIAL:
		*wanted = ((address >> shift) + 1) << shift;
		return 1;
	case PREFETCH_STRIDE:
		return predict_stride(prefetch, site, page, wanted);
	case PREFETCH_DISTANCE:
		return predict_distance(prefetch, page, wanted);
	case PREFETCH_RECENCY:
	case PREFETCH_NONE:
		break;
	}
	return 0;
}

struct prefetch_entry *
prefetch_find(const struct prefetch *prefetch, uint32_t asid, uint64_t address)
{
	for (uint32_t i = 0; i < prefetch->entries; i++) {
		struct prefetch_entry *entry = &prefetch->entry[i];

		if (entry->shift && entry->asid == asid &&
		    address >> entry->shift << entry->shift == entry->page)
			return entry;
	}
	return NULL;
}

void
prefetch_put(struct prefetch *prefetch, const struct prefetch_entry *entry)
{
	prefetch->entry[prefetch->oldest] = *entry;
	prefetch->oldest = (prefetch->oldest + 1) % prefetch->entries;
}

void
prefetch_invalidate(struct prefetch *prefetch, uint32_t asid, uint64_t address,
		    uint64_t length)
{
	uint64_t last = address + (length - 1);

	if (prefetch->kind == PREFETCH_NONE)
		return;
	if (last < address || length == UINT64_MAX)
		last = UINT64_MAX;
	if (length == UINT64_MAX)
		address = 0;
	for (uint32_t i = 0; i < prefetch->entries; i++) {
		struct prefetch_entry *entry = &prefetch->entry[i];
		uint64_t span = (UINT64_C(1) << entry->shift) - 1;

		if (entry->shift && entry->asid == asid &&
		    entry->page <= last && entry->page + span >= address)
			entry->shift = 0;
	}
}
