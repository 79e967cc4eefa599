// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shadow tables: the hypervisor merges the guest's table with its own into one
 * that the walker reads, so that a walk costs what it costs on bare hardware, and
 * each write of the guest to its own table an exit.  The guest's memory is the
 * machine's, one to one, so that the merged table maps what the guest's does.
 */
#include "models/tables/tables.h"

#include <stdlib.h>

#include "analyzer/fail.h"

struct shadow {
	struct table table;
	struct table *guest, *merged; /* owned */
	void *guest_shared, *merged_shared;
	uint64_t exit_cycles;
};

const struct option_row shadow_rows[] = {
	{ .name = "guest",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct shadow_config, guest),
	  .fallback = "radix",
	  .argument = "KIND",
	  .help = "kind of the guest's own table, configured by table.*" },
	{ .name = "shadow",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct shadow_config, shadow),
	  .fallback = "radix",
	  .argument = "KIND",
	  .help = "kind of the merged table, configured by table.host.*" },
	{ .name = "exit",
	  .type = OPTION_INT,
	  .offset = offsetof(struct shadow_config, exit_cycles),
	  .fallback = "2000",
	  .max = 10000000,
	  .unit = "cycles",
	  .help = "what the exit costs that each write of the guest to its "
		  "table makes" },
	{ NULL },
};

static const struct table_value shadow_values[] = {
	{ "shadow.exits", "exits" },
	{ "shadow.cycles", "cycles" },
	{ "shadow.guest.bytes", "bytes" },
	{ "shadow.merged.bytes", "bytes" },
	{ NULL, NULL },
};

static struct shadow *
shadow_of(struct table *table)
{
	return (struct shadow *)table;
}

/* The merged table, for who walks this one now. */
static struct table *
merged(struct table *table)
{
	struct table *to = shadow_of(table)->merged;

	to->aside = table->aside;
	to->asid = table->asid;
	return to;
}

static unsigned
shadow_walk(struct table *table, uint64_t address,
	    struct table_reference *references, struct mapping *mapping)
{
	struct table *to = merged(table);

	return to->ops->walk(to, address, references, mapping);
}

static unsigned
shadow_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	struct table *to = merged(table);

	return to->ops->walk_from(to, address, from, references, mapping);
}

static unsigned
shadow_look(struct table *table, const uint64_t *address, unsigned n,
	    const struct table_looks *looks)
{
	struct table *to = merged(table);

	return to->ops->look(to, address, n, looks);
}

static unsigned
shadow_walk_looked(struct table *table, struct table_walks *walks)
{
	struct table *to = merged(table);

	return to->ops->walk_looked(to, walks);
}

static void
shadow_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct table *to = ((const struct shadow *)table)->merged;

	to->ops->prefetch(to, address, n);
}

static int
shadow_map(struct table *table, uint64_t address, const struct mapping *mapping)
{
	struct shadow *shadow = shadow_of(table);
	int error = shadow->guest->ops->map(shadow->guest, address, mapping);

	if (!error)
		error = shadow->merged->ops->map(shadow->merged, address,
						 mapping);
	table->counts = shadow->guest->counts;
	return error;
}

static void
shadow_unmap(struct table *table, uint64_t address, uint64_t length,
	     bool free_tables,
	     void (*gone)(void *context, uint64_t address,
			  const struct mapping *mapping),
	     void *context)
{
	struct shadow *shadow = shadow_of(table);

	shadow->guest->ops->unmap(shadow->guest, address, length, free_tables,
				  NULL, NULL);
	shadow->merged->ops->unmap(shadow->merged, address, length, free_tables,
				   gone, context);
	table->counts = shadow->guest->counts;
}

/* Both are in memory. */
static uint64_t
shadow_bytes(const struct table *table)
{
	const struct shadow *shadow = (const struct shadow *)table;

	return shadow->guest->ops->bytes(shadow->guest) +
	       shadow->merged->ops->bytes(shadow->merged);
}

static void
shadow_taken(const struct table *table, struct table_taken *sum)
{
	const struct shadow *shadow = (const struct shadow *)table;

	table_taken_add(shadow->guest, sum);
	table_taken_add(shadow->merged, sum);
}

static void
shadow_count(const struct table *table, uint64_t *values)
{
	const struct shadow *shadow = (const struct shadow *)table;
	uint64_t exits = shadow->guest->counts.map_writes +
			 shadow->guest->counts.unmap_writes;

	values[0] += exits;
	values[1] += exits * shadow->exit_cycles;
	values[2] += shadow->guest->ops->bytes(shadow->guest);
	values[3] += shadow->merged->ops->bytes(shadow->merged);
}

static void
shadow_close(struct table *table)
{
	struct shadow *shadow = shadow_of(table);

	if (!table)
		return;
	if (shadow->guest)
		shadow->guest->ops->close(shadow->guest);
	if (shadow->merged)
		shadow->merged->ops->close(shadow->merged);
	free(shadow);
}

static int
shadow_open(struct table **out, const struct table_with *with)
{
	const struct shadow_config *config = &with->config->shadow;
	struct shadow *shadow = calloc(1, sizeof(*shadow));
	struct table_with guest = *with, to = *with;
	int error;

	if (!shadow)
		return fail(ENOMEM, "shadow table: no memory");
	table_init(&shadow->table, &shadow_table, with);
	shadow->exit_cycles = (uint64_t)config->exit_cycles;
	guest.shared = &shadow->guest_shared;
	to.shared = &shadow->merged_shared;
	to.kinds = &with->config->host;
	error = config->guest_ops->open(&shadow->guest, &guest);
	if (!error)
		error = config->shadow_ops->open(&shadow->merged, &to);
	if (error) {
		shadow_close(&shadow->table);
		return error;
	}
	shadow->table.levels = shadow->merged->levels;
	shadow->table.most = shadow->merged->most;
	*out = &shadow->table;
	return 0;
}

static int
shadow_aside_open(struct aside *aside, const struct table_with *with,
		  uint64_t seed)
{
	const struct table_ops *ops = with->config->shadow.shadow_ops;
	struct table_with to = *with;

	to.kinds = &with->config->host;
	return ops->aside_open ? ops->aside_open(aside, &to, seed) : 0;
}

static int
shadow_wrong(const struct tables_config *config,
	     const struct kinds_config *kinds, const char **field, char *text,
	     size_t bytes)
{
	const struct table_ops *ops;
	int n;

	*field = "shadow.guest";
	n = tables_part_wrong(config->shadow.guest, text, bytes);
	if (n)
		return n;
	*field = "shadow.shadow";
	n = tables_part_wrong(config->shadow.shadow, text, bytes);
	if (n)
		return n;
	ops = table_find(config->shadow.guest);
	n = ops->wrong ? ops->wrong(config, kinds, field, text, bytes) : 0;
	if (n)
		return n;
	ops = table_find(config->shadow.shadow);
	n = ops->wrong ? ops->wrong(config, &config->host, field, text, bytes)
		       : 0;
	if (n)
		*field = tables_host_field(*field);
	return n;
}

const struct table_ops shadow_table = {
	.name = "shadow",
	.help = "a guest's table that the hypervisor merges with its own: an "
		"exit for each of the guest's writes",
	.open = shadow_open,
	.close = shadow_close,
	.walk = shadow_walk,
	.walk_from = shadow_walk_from,
	.look = shadow_look,
	.walk_looked = shadow_walk_looked,
	.prefetch = shadow_prefetch,
	.map = shadow_map,
	.unmap = shadow_unmap,
	.bytes = shadow_bytes,
	.taken = shadow_taken,
	.values = shadow_values,
	.count = shadow_count,
	.aside_open = shadow_aside_open,
	.wrong = shadow_wrong,
};
