// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flattened table: radix whose two upper levels are one node of 2M with 2^18
 * entries, so that a walk reads one entry less (Park et al., "Every walk's a hit:
 * making page walks single-access cache hits", ASPLOS 2022).
 */
#include "models/tables/flat.h"

#include "models/tables/radix-shape.h"
#include "models/tables/tables.h"

const struct option_row flat_rows[] = {
	{ .name = "levels",
	  .type = OPTION_INT,
	  .offset = offsetof(struct flat_config, levels),
	  .fallback = "4",
	  .min = 4,
	  .max = 5,
	  .unit = "levels",
	  .help = "levels before the two upper ones are merged" },
	{ NULL },
};

static int
flat_open(struct table **out, const struct table_with *with)
{
	return radix_open_shape(out, &flat_table, with,
				(unsigned)with->kinds->flat.levels - 1, 18);
}

static unsigned
most_of(const struct kinds_config *kinds)
{
	return (unsigned)kinds->flat.levels - 1;
}

const struct table_ops flat_table = {
	.name = "flat",
	.help = "radix whose two upper levels are one node of 2M",
	.open = flat_open,
	.most = most_of,
	RADIX_METHODS,
};
