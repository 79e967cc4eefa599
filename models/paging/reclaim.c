// SPDX-License-Identifier: GPL-2.0-or-later
/* Policies by name, their options, and what all of them count. */
#include "models/paging/reclaim.h"

#include <string.h>

#include "analyzer/fail.h"

#define AT(field) offsetof(struct reclaim_config, field)

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
	{ NULL },
};

int
reclaim_find(const char *name)
{
	for (int i = 0; reclaim_registry[i]; i++)
		if (!strcmp(reclaim_registry[i]->name, name))
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
		{ "reclaim.evictions", counts->evictions },
		{ "reclaim.writebacks", counts->writebacks },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (result_count(result, row[i].name, row[i].value,
				 i ? "pages" : "references"))
			return -ENOMEM;
	return reclaim->ops->finish ? reclaim->ops->finish(reclaim, result) : 0;
}
