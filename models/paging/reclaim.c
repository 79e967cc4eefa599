// SPDX-License-Identifier: GPL-2.0-or-later
/* Policies by name, their options, and what all of them count. */
#include "models/paging/reclaim.h"

#include "analyzer/fail.h"

#define AT(field) offsetof(struct reclaim_config, field)

#define SHARE(row_name, field, given, text)                                 \
	{                                                                   \
		.name = row_name, .type = OPTION_REAL, .offset = AT(field), \
		.fallback = given, .min = 0, .max = 1, .help = text         \
	}
#define COUNT(row_name, field, given, least, of, text)                        \
	{                                                                     \
		.name = row_name, .type = OPTION_SIZE, .offset = AT(field),   \
		.fallback = given, .min = least, .max = (least) ? 0x1p50 : 0, \
		.unit = of, .help = text                                      \
	}

const struct option_row reclaim_rows[] = {
	{ .name = "clock.loaded",
	  .type = OPTION_BOOL,
	  .offset = AT(clock_loaded),
	  .fallback = "true",
	  .help = "clock: the access that brought a page in sets its bit, as "
		  "processors do (false: only later ones, as libCacheSim)" },
	{ .name = "swappiness",
	  .type = OPTION_INT,
	  .offset = AT(swappiness),
	  .fallback = "60",
	  .max = 200,
	  .help = "linux, mglru: how readily anonymous pages leave rather than "
		  "those of files, 100 alike" },
	/* Johnson and Shasha 1994, their advice */
	SHARE("twoq.in", twoq_in, "0.25",
	      "2q: share of memory for pages that came in lately"),
	SHARE("twoq.out", twoq_out, "0.5",
	      "2q: pages that left are remembered, as a share of memory"),
	/* libCacheSim; Karedla, Love, Wherry 1994 have two */
	{ .name = "slru.segments",
	  .type = OPTION_INT,
	  .offset = AT(slru_segments),
	  .fallback = "4",
	  .min = 1,
	  .max = 8,
	  .help = "slru: segments of equal size" },
	/* Jiang and Zhang 2002: 1 %; the bound of the stack is libCacheSim's */
	SHARE("lirs.hir", lirs_hir, "0.01",
	      "lirs: share of memory for pages of long re-reference distance"),
	{ .name = "lirs.stack",
	  .type = OPTION_REAL,
	  .offset = AT(lirs_stack),
	  .fallback = "2",
	  .min = 1,
	  .max = 1000,
	  .help = "lirs: pages on the stack, as a multiple of memory" },
	{ .name = "lirs.demote",
	  .type = OPTION_BOOL,
	  .offset = AT(lirs_demote),
	  .fallback = "false",
	  .help = "lirs: a hit in the queue alone demotes the stack's oldest "
		  "page, as libCacheSim does and the paper does not" },
	SHARE("clockpro.cold", clockpro_cold, "0.01",
	      "clockpro: share of memory for cold pages at the start"),
	/* Yang, Zhang, Qiu, Yue, Rashmi 2023 */
	SHARE("s3fifo.small", s3fifo_small, "0.1",
	      "s3fifo: share of memory for pages that came in lately"),
	SHARE("s3fifo.ghost", s3fifo_ghost, "0.9",
	      "s3fifo: pages that left are remembered, as a share of memory"),
	{ .name = "s3fifo.uses",
	  .type = OPTION_INT,
	  .offset = AT(s3fifo_uses),
	  .fallback = "2",
	  .min = 1,
	  .max = 1000,
	  .help = "s3fifo: so many uses in the small queue move a page to the "
		  "main one" },
	{ .name = "s3fifo.fill",
	  .type = OPTION_BOOL,
	  .offset = AT(s3fifo_fill),
	  .fallback = "false",
	  .help = "s3fifo: until memory is full, the main queue takes what the "
		  "small one has no room for (libCacheSim since 2024)" },
	COUNT("ws.window", ws_window, "1M", 1, "references",
	      "ws: a page not referenced for so many leaves"),
	{ .name = "ws.time",
	  .type = OPTION_TIME,
	  .offset = AT(ws_time_ns),
	  .fallback = "0",
	  .help = "ws: the window in time, in place of references" },
	COUNT("pff.interval", pff_interval, "1K", 1, "references",
	      "pff: faults farther apart than that take unused pages away"),
	{ .name = "pff.time",
	  .type = OPTION_TIME,
	  .offset = AT(pff_time_ns),
	  .fallback = "0",
	  .help = "pff: the interval in time, in place of references" },
	COUNT("nru.interval", nru_interval, "0", 0, "references",
	      "nru: use is forgotten after so many (0: as many as there are "
	      "pages of memory)"),
	{ NULL },
};

/* The next character that counts, in lower case; 0 at the end */
static char
next_of(const char **name)
{
	while (**name == '-')
		++*name;
	if (!**name)
		return 0;
	return (char)(**name >= 'A' && **name <= 'Z' ? *(*name)++ + 'a' - 'A'
						     : *(*name)++);
}

static bool
is_named(const char *name, const char *wanted)
{
	char c;

	if (!name)
		return false;
	do {
		c = next_of(&name);
		if (c != next_of(&wanted))
			return false;
	} while (c);
	return true;
}

int
reclaim_find(const char *name)
{
	for (int i = 0; reclaim_registry[i]; i++)
		if (is_named(reclaim_registry[i]->name, name) ||
		    is_named(reclaim_registry[i]->also, name))
			return i;
	return -1;
}

int
reclaim_open(struct reclaim **out, const struct reclaim_config *config)
{
	const struct reclaim_ops *ops = reclaim_registry[config->policy];

	if (!config->capacity)
		return fail(EINVAL,
			    "reclaim.policy %s: no memory at all; give "
			    "memory.size a page or more",
			    ops->name);
	if (config->size && !(config->folios ? ops->part != NULL : ops->sized))
		return fail(EINVAL,
			    "reclaim.policy %s: it is of pages, not of objects "
			    "of sizes",
			    ops->name);
	return ops->open(out, config);
}

void
reclaim_close(struct reclaim *reclaim)
{
	if (reclaim)
		reclaim->ops->close(reclaim);
}

int
reclaim_finish(const struct reclaim *reclaim, struct result *result)
{
	const struct reclaim_counts *counts = &reclaim->counts;
	const struct {
		const char *name;
		uint64_t value;
	} row[] = {
		{ "reclaim.references", counts->references },
		{ "reclaim.misses", counts->misses },
		{ "reclaim.refaults", counts->refaults },
		{ "reclaim.evictions", counts->evictions },
		{ "reclaim.writebacks", counts->writebacks },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (result_count(result, row[i].name, row[i].value,
				 i ? "pages" : "references"))
			return -ENOMEM;
	return reclaim->ops->finish ? reclaim->ops->finish(reclaim, result) : 0;
}
