// SPDX-License-Identifier: GPL-2.0-or-later
/* The options of frames, and whether they make sense together. */
#include "models/memory/frames.h"

#include <stdio.h>

#include "models/memory/pool.h"

static const char *const orders[] = { "ascending", "random", "recorded",
				      "buddy", NULL };
static const char *const starts[] = { "fresh", "aged", "file", NULL };
static const char *const lists[] = { "lifo", "lowest", NULL };

const struct option_row frames_rows[] = {
	{ .name = "size",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct frames_config, size_bytes),
	  .fallback = "0",
	  .unit = "bytes",
	  .help = "Memory for pages and page tables; 0 is as much as needed" },
	{ .name = "order",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, order),
	  .fallback = "ascending",
	  .choices = orders,
	  .help = "Which free frame is taken first; recorded: the real one, "
		  "from where the trace shows it (record --residency); buddy: "
		  "as Linux's allocator does" },
	{ .name = "seed",
	  .type = OPTION_INT,
	  .offset = offsetof(struct frames_config, seed),
	  .fallback = "1",
	  .help = "Seed of the random order, colours and start states" },
	{ .name = "start",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, start),
	  .fallback = "fresh",
	  .choices = starts,
	  .help = "What is free at the start, with order buddy: all, what a "
		  "seeded history left, or what memory.buddyinfo counts" },
	{ .name = "aged",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct frames_config, aged),
	  .fallback = "0.5",
	  .max = 0.99,
	  .help = "Share of memory that is in use when start is aged" },
	{ .name = "buddyinfo",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct frames_config, buddyinfo),
	  .argument = "FILE",
	  .help = "A copy of /proc/buddyinfo or /proc/pagetypeinfo, for start "
		  "file; memory.size 0 is twice what is free there" },
	{ .name = "lists",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, lists),
	  .fallback = "lifo",
	  .choices = lists,
	  .help = "Which block of an order leaves first, with order buddy: the "
		  "one given back last (Linux) or the lowest" },
	{ .name = "ungrouped",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct frames_config, ungrouped),
	  .fallback = "no",
	  .help = "Order buddy does not keep page tables apart from data" },
	{ 0 },
};

static int
wrong_start(const struct frames_config *config, const char **field, char *text,
	    size_t bytes)
{
	*field = "start";
	if (config->start != BUDDY_FRESH && config->order != FRAMES_BUDDY)
		return snprintf(text, bytes,
				"%s needs memory.order=buddy, not %s",
				starts[config->start], orders[config->order]);
	if (config->start == BUDDY_AGED && !config->size_bytes)
		return snprintf(text, bytes,
				"aged needs a memory.size of 4M to 15T, not 0");
	if (config->start == BUDDY_FILE && !config->buddyinfo)
		return snprintf(text, bytes,
				"file needs memory.buddyinfo=FILE");
	*field = "buddyinfo";
	if (config->buddyinfo && config->start != BUDDY_FILE)
		return snprintf(text, bytes,
				"\"%s\" is for memory.start=file, not %s",
				config->buddyinfo, starts[config->start]);
	return 0;
}

int
frames_config_wrong(const struct frames_config *config, const char **field,
		    char *text, size_t bytes)
{
	*field = "size";
	if (config->size_bytes && config->size_bytes < 4096)
		return snprintf(text, bytes, "%ju bytes are less than a page",
				(uintmax_t)config->size_bytes);
	return wrong_start(config, field, text, bytes);
}
