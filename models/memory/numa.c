// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NUMA: where threads run, where frames are placed, and the counts of who
 * referred to which node; see the header.
 */
#include "models/memory/numa.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/memory/numa-copies.h"
#include "models/memory/numa-parse.h"

#define REMOTE_DISTANCE 20 /* as Linux takes it where firmware is silent */
#define PAGE_SHIFT	12

static void
set_distances(struct numa *numa, const struct numa_config *config)
{
	struct topology *topology = numa->topology;
	double value[TOPOLOGY_NODES * TOPOLOGY_NODES];
	bool known = config->topology && topology->distance[0][0];

	if (config->distances)
		(void)numa_parse_list(config->distances, value,
				      ARRAY_SIZE(value));
	for (unsigned i = 0; i < numa->nodes; i++)
		for (unsigned j = 0; j < numa->nodes; j++) {
			uint32_t *distance = &topology->distance[i][j];

			if (config->distances)
				*distance =
					(uint32_t)value[i * numa->nodes + j];
			else if (!known)
				*distance = i == j ? NUMA_LOCAL_DISTANCE
						   : REMOTE_DISTANCE;
		}
}

static void
set_lists(struct numa *numa, const struct numa_config *config)
{
	double value[TOPOLOGY_NODES];
	int n = config->bind
			? numa_parse_list(config->bind, value, TOPOLOGY_NODES)
			: 0;

	for (unsigned i = 0; i < numa->nodes; i++) {
		numa->load[i] = 1;
		numa->weight[i] = 1;
		numa->allowed[i] = i < (unsigned)n ? (uint32_t)value[i] : i;
	}
	numa->n_allowed = n ? (unsigned)n : numa->nodes;
	if (config->load)
		(void)numa_parse_list(config->load, numa->load, TOPOLOGY_NODES);
	if (config->weights &&
	    numa_parse_list(config->weights, value, TOPOLOGY_NODES) > 0)
		for (unsigned i = 0; i < numa->nodes; i++)
			numa->weight[i] = (uint32_t)value[i];
	for (unsigned i = 0; i < numa->nodes; i++)
		numa->weights += numa->weight[i];
}

/* First the node itself, then the others, nearest first; the lower number where
 * they are equal. */
static void
sort_near(struct numa *numa, unsigned from)
{
	const uint32_t *distance = numa->topology->distance[from];
	uint8_t *near = numa->near + from * numa->nodes;
	unsigned n = 1;

	near[0] = (uint8_t)from;
	for (unsigned i = 0; i < numa->nodes; i++) {
		unsigned j = n;

		if (i == from)
			continue;
		for (; j > 1 && distance[near[j - 1]] > distance[i]; j--)
			near[j] = near[j - 1];
		near[j] = (uint8_t)i;
		n++;
	}
}

static int
set_latencies(struct numa *numa, const struct numa_config *config,
	      uint64_t memory)
{
	double local =
		config->latency ? (double)config->latency : (double)memory;
	unsigned n = numa->nodes;

	numa->latency = calloc((size_t)n * n, sizeof(*numa->latency));
	numa->near = calloc((size_t)n * n, sizeof(*numa->near));
	if (!numa->latency || !numa->near)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < n; j++)
			numa->latency[i * n + j] =
				(uint32_t)(local *
						   numa->topology
							   ->distance[i][j] /
						   NUMA_LOCAL_DISTANCE *
						   numa->load[j] +
					   0.5);
		sort_near(numa, i);
	}
	return 0;
}

static int
open_copies(const struct numa *numa, int tables, struct numa_copies **out)
{
	return tables < TABLES_REPLICATED
		       ? 0
		       : numa_copies_open(out, numa,
					  tables == TABLES_REPLICATED);
}

int
numa_open(struct numa **out, const struct numa_config *config,
	  uint64_t memory_latency)
{
	struct numa *numa;
	const char *field;
	char text[256];

	*out = NULL;
	if (numa_config_wrong(config, &field, text, sizeof(text)))
		return fail(EINVAL, "numa.%s: %s", field, text);
	if (config->nodes == 1 && !config->topology)
		return 0;
	numa = calloc(1, sizeof(*numa));
	if (numa)
		numa->topology = calloc(1, sizeof(*numa->topology));
	if (!numa || !numa->topology)
		goto no_memory;
	numa->config = *config;
	if (config->topology &&
	    topology_read(numa->topology, config->topology) < 0)
		goto no_memory;
	numa->nodes = config->topology ? numa->topology->nodes
				       : (unsigned)config->nodes;
	numa->node = (unsigned)config->node;
	set_distances(numa, config);
	set_lists(numa, config);
	if (set_latencies(numa, config, memory_latency) < 0 ||
	    open_copies(numa, config->tables, &numa->copies) < 0 ||
	    open_copies(numa, config->host_tables, &numa->host_copies) < 0)
		goto no_memory;
	numa->redirects = numa->copies;
	*out = numa;
	return 0;

no_memory:
	numa_close(numa);
	return fail(ENOMEM, "numa: out of memory");
}

void
numa_close(struct numa *numa)
{
	if (!numa)
		return;
	numa_copies_close(numa->copies);
	numa_copies_close(numa->host_copies);
	free(numa->topology);
	free(numa->latency);
	free(numa->near);
	free(numa->home);
	free(numa);
}

void
numa_nest(struct numa *numa)
{
	numa->nested = true;
	numa->redirects = numa->host_copies;
}

void
numa_switch(struct numa *numa, uint32_t thread, uint64_t core)
{
	const struct topology *topology = numa->topology;
	unsigned node = core < topology->cores ? topology->node_of_core[core]
					       : (unsigned)(core % numa->nodes);

	if (thread >= numa->homes) {
		uint32_t homes = thread + 64;
		uint8_t *home = realloc(numa->home, homes);

		/* Without memory the thread stays where it was. */
		if (!home)
			return;
		for (uint32_t i = numa->homes; i < homes; i++)
			home[i] = (uint8_t)numa->config.node;
		numa->home = home;
		numa->homes = homes;
	}
	numa->home[thread] = (uint8_t)node;
}

void
numa_run(struct numa *numa, uint32_t thread, uint64_t accesses)
{
	uint64_t moved =
		numa->config.move ? accesses / (uint64_t)numa->config.move : 0;
	uint64_t home = (uint64_t)numa->config.node;

	if (numa->config.threads == THREADS_SPREAD)
		home = thread;
	else if (numa->config.threads == THREADS_RECORDED &&
		 thread < numa->homes)
		home = numa->home[thread];
	numa->node = (unsigned)((home + moved) % numa->nodes);
}

void
numa_run_core(struct numa *numa, uint32_t core, uint32_t cores,
	      uint64_t accesses)
{
	const struct topology *topology = numa->topology;
	uint64_t moved =
		numa->config.move ? accesses / (uint64_t)numa->config.move : 0;
	uint64_t home = core < topology->cores
				? topology->node_of_core[core]
				: (uint64_t)core * numa->nodes / cores;

	if (numa->config.threads == THREADS_CORE ||
	    (numa->config.threads == THREADS_AUTO && cores > 1))
		numa->node = (unsigned)((home + moved) % numa->nodes);
}

/* Of the n pages that the weights add up to, whose is this one? */
static unsigned
weighted_node(const struct numa *numa, uint64_t n)
{
	unsigned node = 0;

	while (n >= numa->weight[node])
		n -= numa->weight[node++];
	return node;
}

/* The nearest of the nodes allowed. */
static unsigned
nearest_allowed(const struct numa *numa, unsigned from)
{
	const uint8_t *near = numa->near + from * numa->nodes;

	for (unsigned i = 0; i < numa->nodes; i++)
		for (unsigned j = 0; j < numa->n_allowed; j++)
			if (numa->allowed[j] == near[i])
				return near[i];
	return from;
}

unsigned
numa_place_data(struct numa *numa, uint64_t virtual, unsigned shift)
{
	uint64_t page = virtual >> shift;

	switch (numa->config.data) {
	case NUMA_INTERLEAVE:
		return numa->allowed[page % numa->n_allowed];
	case NUMA_PREFERRED:
		return (unsigned)numa->config.node;
	case NUMA_BIND:
		return nearest_allowed(numa, numa->node);
	case NUMA_WEIGHTED:
		return weighted_node(numa, page % numa->weights);
	default:
		return numa->node;
	}
}

unsigned
numa_place_table(struct numa *numa, unsigned level, bool host)
{
	switch (host ? numa->config.host_tables : numa->config.tables) {
	case TABLES_REMOTE:
		return (numa->node + 1) % numa->nodes;
	case TABLES_UPPER_PINNED:
		if (level > 1)
			return (unsigned)numa->config.node;
		return (unsigned)(numa->table_turn++ % numa->nodes);
	case TABLES_INTERLEAVE:
		return (unsigned)(numa->table_turn++ % numa->nodes);
	case TABLES_LEAF_DATA:
		return level > 1 ? numa->node : numa->data_node;
	default:
		return numa->node;
	}
}

static bool
is_allowed(const struct numa *numa, unsigned node)
{
	for (unsigned i = 0; i < numa->n_allowed; i++)
		if (numa->allowed[i] == node)
			return true;
	return false;
}

unsigned
numa_try(const struct numa *numa, unsigned wanted, unsigned i, bool table)
{
	const uint8_t *near = numa->near + wanted * numa->nodes;

	if (table || numa->config.data != NUMA_BIND)
		return i < numa->nodes ? near[i] : NUMA_NONE;
	for (unsigned k = 0; k < numa->nodes; k++)
		if (is_allowed(numa, near[k]) && !i--)
			return near[k];
	return NUMA_NONE;
}

static int
put_nodes(const struct numa *numa, bool data, struct result *result)
{
	static const char *const columns[] = {
		"node:",
		"data_local:references",
		"data_remote:references",
		"walk_local:references",
		"walk_remote:references",
		"cycles:cycles",
		NULL,
	};
	int error = result_table(
		result, "numa.nodes",
		"references that reached a node's memory, from its own cores "
		"(local) and from others (remote), and their cycles",
		columns);

	for (unsigned i = 0; i < numa->nodes && !error; i++) {
		const struct numa_count *of = &numa->data[i];
		const struct numa_count *walk = &numa->walk[i];

		error = data ? result_row(result, "numa.nodes", "uuuuuu",
					  (uint64_t)i, of->local, of->remote,
					  walk->local, walk->remote,
					  of->cycles + walk->cycles)
			     : result_row(result, "numa.nodes", "unnuuu",
					  (uint64_t)i, walk->local,
					  walk->remote, walk->cycles);
	}
	return error;
}

static int
put_levels(const struct numa *numa, struct result *result)
{
	static const char *const columns[] = { "level:", "local:references",
					       "remote:references",
					       "cycles:cycles", NULL };
	int error = result_table(result, "numa.walks",
				 "references of walks that reached memory by "
				 "table level, 1 the last",
				 columns);

	for (unsigned i = 0; i < NUMA_LEVELS && !error; i++) {
		const struct numa_count *count = &numa->level[i];

		if (count->local || count->remote)
			error = result_row(result, "numa.walks", "uuuu",
					   (uint64_t)i, count->local,
					   count->remote, count->cycles);
	}
	return error;
}

static int
put_pages(const struct numa *numa, struct result *result)
{
	static const char *const columns[] = { "node:", "pages:pages",
					       "tables:pages", NULL };
	int error = result_table(result, "numa.pages",
				 "4K frames given out on each node over the "
				 "run, to data and to page tables",
				 columns);

	for (unsigned i = 0; i < numa->nodes && !error; i++)
		error = result_row(result, "numa.pages", "uuu", (uint64_t)i,
				   numa->pages[i], numa->table_pages[i]);
	return error;
}

static struct numa_count
sum_of(const struct numa *numa, const struct numa_count *counts)
{
	struct numa_count sum = { 0 };

	for (unsigned i = 0; i < numa->nodes; i++) {
		sum.local += counts[i].local;
		sum.remote += counts[i].remote;
		sum.cycles += counts[i].cycles;
	}
	return sum;
}

static int
put_sums(const struct numa *numa, bool data, struct result *result)
{
	const struct numa_count walk = sum_of(numa, numa->walk);
	const struct numa_count of = sum_of(numa, numa->data);
	const struct {
		const char *name;
		uint64_t value;
		bool known;
	} sums[] = {
		{ "numa.data.local", of.local, data },
		{ "numa.data.remote", of.remote, data },
		{ "numa.walk.local", walk.local, true },
		{ "numa.walk.remote", walk.remote, true },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sums) && !error; i++)
		error = sums[i].known
				? result_count(result, sums[i].name,
					       sums[i].value, "references")
				: result_absent(result, sums[i].name,
						"data does not go through the "
						"caches (cache.data)");
	return error;
}

int
numa_finish(const struct numa *numa, bool data, struct result *result)
{
	int error;

	if (!numa)
		return 0;
	error = put_sums(numa, data, result);
	if (!error)
		error = put_nodes(numa, data, result);
	if (!error)
		error = put_levels(numa, result);
	if (!error)
		error = put_pages(numa, result);
	if (!error && numa->copies)
		error = numa_copies_finish(numa->copies, false, result);
	return error || !numa->nested || !numa->host_copies
		       ? error
		       : numa_copies_finish(numa->host_copies, true, result);
}
