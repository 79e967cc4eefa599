// SPDX-License-Identifier: GPL-2.0-or-later
/* Where page tables lie; see table-memory.h. */
#include "models/tables/table-memory.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/huge-array.h"
#include "models/tables/tables.h"

#define RUN_SHIFT 21
#define RUN_PAGES 512

static const char *const frame_choices[] = { "4k", "2m", NULL };

const struct option_row table_memory_rows[] = {
	{ .name = "frames",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct table_memory_config, frames),
	  .fallback = "4k",
	  .choices = frame_choices,
	  .help = "frames that hold table pages; 2m: 512 pages in each, of "
		  "16k 128, of 64k 32" },
	{ .name = "cached",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct table_memory_config, cached),
	  .fallback = "yes",
	  .help = "caches hold page tables; no: each reference of a walk goes "
		  "to memory, as with cache.walks=none" },
	{ NULL },
};

const struct table_ops *
table_find(const char *name)
{
	for (size_t i = 0; table_registry[i]; i++)
		if (!strcmp(table_registry[i]->name, name))
			return table_registry[i];
	return NULL;
}

const struct table_ops *
table_find_of(const char *name, unsigned granule)
{
	const struct table_ops *ops = name ? table_find(name) : NULL;

	return ops == &radix_table && granule > 12 ? &granule_table : ops;
}

void
tables_resolve(struct tables_config *config)
{
	struct nested_config *nested = &config->nested;
	struct shadow_config *shadow = &config->shadow;

	nested->guest_ops = table_find_of(nested->guest, config->granule);
	nested->host_ops = table_find_of(nested->host, config->granule);
	shadow->guest_ops = table_find_of(shadow->guest, config->granule);
	shadow->shadow_ops = table_find_of(shadow->shadow, config->granule);
}

void
table_init(struct table *table, const struct table_ops *ops,
	   const struct table_with *with)
{
	table->ops = ops;
	table_memory_init(&table->memory, &with->config->memory, with->frames,
			  with->space);
}

void
table_memory_init(struct table_memory *memory,
		  const struct table_memory_config *config,
		  struct frames *frames, uint32_t space)
{
	*memory = (struct table_memory){ .frames = frames,
					 .space = space,
					 .large = config->frames ==
						  TABLE_FRAMES_2M };
}

void
table_memory_fini(struct table_memory *memory)
{
	free(memory->run);
	memory->run = NULL;
}

/* All frames of tables, of whatever kind, are asked for here. */
static int
take_frame(struct table_memory *memory, unsigned shift, unsigned level,
	   uint64_t virtual, uint64_t *physical)
{
	int error = frames_take_table(memory->frames, shift, level, virtual,
				      physical);

	if (!error) {
		memory->taken.n++;
		memory->taken.bytes += UINT64_C(1) << shift;
	}
	return error;
}

static void
give_frame(struct table_memory *memory, unsigned shift, uint64_t physical)
{
	frames_give(memory->frames, shift, physical);
	memory->taken.n--;
	memory->taken.bytes -= UINT64_C(1) << shift;
}

void
table_taken_add(const struct table *table, struct table_taken *sum)
{
	if (table->ops->taken) {
		table->ops->taken(table, sum);
		return;
	}
	sum->n += table->memory.taken.n;
	sum->bytes += table->memory.taken.bytes;
}

static int
add_run(struct table_memory *memory, unsigned level, uint64_t virtual)
{
	struct table_run *run = &memory->run[memory->runs];

	if (memory->runs == memory->room) {
		size_t room = memory->room ? 2 * memory->room : 8;

		run = reallocarray(memory->run, room, sizeof(*run));
		if (!run)
			return -ENOMEM;
		memory->run = run;
		memory->room = room;
		run += memory->runs;
	}
	memset(run, 0, sizeof(*run));
	if (take_frame(memory, RUN_SHIFT, level, virtual, &run->physical))
		return -ENOMEM;
	memory->runs++;
	return 0;
}

/* Bits of so many pages (1 to 64) from one on, in their word. */
static uint64_t
bits_of(unsigned page, unsigned pages)
{
	return UINT64_MAX >> (64 - pages) << page % 64;
}

/* So many free pages of a run, aligned: the first one's number, or RUN_PAGES. */
static unsigned
free_pages(const struct table_run *run, unsigned pages)
{
	for (unsigned i = 0; i < ARRAY_SIZE(run->used); i++)
		for (unsigned page = 0; ~run->used[i] && page < 64;
		     page += pages)
			if (!(run->used[i] & bits_of(page, pages)))
				return i * 64 + page;
	return RUN_PAGES;
}

static int
take_part(struct table_memory *memory, unsigned shift, unsigned level,
	  uint64_t virtual, uint64_t *physical)
{
	unsigned pages = 1u << (shift - 12), page = RUN_PAGES;
	struct table_run *run;
	size_t i;

	while (memory->first < memory->runs &&
	       free_pages(&memory->run[memory->first], 1) == RUN_PAGES)
		memory->first++;
	for (i = memory->first; i < memory->runs; i++) {
		page = free_pages(&memory->run[i], pages);
		if (page < RUN_PAGES)
			break;
	}
	if (i == memory->runs) {
		if (add_run(memory, level, virtual))
			return -ENOMEM;
		page = 0;
	}
	run = &memory->run[i];
	run->used[page / 64] |= bits_of(page, pages);
	*physical = run->physical + page * UINT64_C(4096);
	return 0;
}

static void
give_part(struct table_memory *memory, unsigned shift, uint64_t physical)
{
	uint64_t page = physical >> 12 & (RUN_PAGES - 1);
	struct table_run *run = memory->run;
	uint64_t any = 0;

	while (run->physical != physical >> RUN_SHIFT << RUN_SHIFT)
		run++;
	run->used[page / 64] &= ~bits_of((unsigned)page, 1u << (shift - 12));
	if ((size_t)(run - memory->run) < memory->first)
		memory->first = (size_t)(run - memory->run);
	for (unsigned i = 0; i < ARRAY_SIZE(run->used); i++)
		any |= run->used[i];
	if (any)
		return;
	give_frame(memory, RUN_SHIFT, run->physical);
	*run = memory->run[--memory->runs];
	/* what came in its place may be full: it is asked when it is its turn */
}

/* Of 64 pages of 4K, a table page of 64K granules has 16. */
static bool
is_part(const struct table_memory *memory, unsigned shift)
{
	return memory->large && shift <= 18;
}

int
table_memory_take(struct table_memory *memory, unsigned shift, unsigned level,
		  uint64_t virtual, uint64_t *physical)
{
	int error =
		is_part(memory, shift)
			? take_part(memory, shift, level, virtual, physical)
			: take_frame(memory, shift, level, virtual, physical);

	if (!error)
		memory->bytes += UINT64_C(1) << shift;
	return error;
}

void
table_memory_give(struct table_memory *memory, unsigned shift,
		  uint64_t physical)
{
	memory->bytes -= UINT64_C(1) << shift;
	if (is_part(memory, shift))
		give_part(memory, shift, physical);
	else
		give_frame(memory, shift, physical);
}

void *
table_array(size_t n, size_t bytes)
{
	return huge_array(n, bytes);
}

int
table_extent_take(struct table_extent *extent, struct table_memory *memory,
		  uint64_t bytes)
{
	unsigned shift = bytes < UINT64_C(1) << RUN_SHIFT ? 12 : RUN_SHIFT;
	uint64_t run_bytes = UINT64_C(1) << shift;
	size_t runs = (size_t)((bytes + run_bytes - 1) >> shift);

	*extent = (struct table_extent){ .shift = shift,
					 .bytes = runs * run_bytes };
	extent->run = calloc(runs + 1, sizeof(*extent->run));
	if (!extent->run)
		return -ENOMEM;
	for (; extent->runs < runs; extent->runs++)
		if (table_memory_take(memory, shift, 0, 0,
				      &extent->run[extent->runs])) {
			table_extent_give(extent, memory);
			return -ENOMEM;
		}
	return 0;
}

void
table_extent_give(struct table_extent *extent, struct table_memory *memory)
{
	for (size_t i = 0; i < extent->runs; i++)
		table_memory_give(memory, extent->shift, extent->run[i]);
	free(extent->run);
	*extent = (struct table_extent){ .runs = 0 };
}
