// SPDX-License-Identifier: GPL-2.0-or-later
/* The options of NUMA, and whether they make sense together. */
#include "models/memory/numa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/memory/numa-parse.h"

static const char *const data[] = {
	"first-touch", "interleave", "preferred", "bind",
	"weighted",    "migrate",    NULL,
};
static const char *const tables[] = {
	"local",
	"remote",
	"interleave",
	"upper-pinned",
	"leaf-beside-data",
	"replicated",
	"migrate",
	NULL,
};
static const char *const threads[] = { "auto",	   "node", "spread",
				       "recorded", "core", NULL };

const struct option_row numa_rows[] = {
	{ .name = "nodes",
	  .type = OPTION_INT,
	  .offset = offsetof(struct numa_config, nodes),
	  .fallback = "1",
	  .min = 1,
	  .max = TOPOLOGY_NODES,
	  .unit = "nodes",
	  .help = "Nodes of memory, each with an equal share of memory.size" },
	{ .name = "topology",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct numa_config, topology),
	  .argument = "FILE|live",
	  .help = "Nodes, distances and cores of this host (live) or of a file "
		  "that `lstopo FILE.xml` wrote; numa.nodes is then of it" },
	{ .name = "distances",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct numa_config, distances),
	  .argument = "MATRIX",
	  .help = "From each node to each, row by row, 10 is local: \"10 21; "
		  "21 10\"; without it those of the topology, or 10 and 20" },
	{ .name = "latency",
	  .type = OPTION_INT,
	  .offset = offsetof(struct numa_config, latency),
	  .fallback = "0",
	  .max = 1000000,
	  .unit = "cycles",
	  .help = "Cycles of a reference to local memory, scaled by distance; "
		  "0: memory.latency" },
	{ .name = "load",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct numa_config, load),
	  .argument = "FACTORS",
	  .help = "How much slower each node's memory is for others' use of "
		  "its bandwidth: \"1 2.2\"" },
	{ .name = "data",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct numa_config, data),
	  .fallback = "first-touch",
	  .choices = data,
	  .help = "On which node a page of data is placed" },
	{ .name = "tables",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct numa_config, tables),
	  .fallback = "local",
	  .choices = tables,
	  .help = "On which node a page of a page table is placed" },
	{ .name = "host-tables",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct numa_config, host_tables),
	  .fallback = "local",
	  .choices = tables,
	  .help = "The same for the tables of a host, with nested tables" },
	{ .name = "threads",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct numa_config, threads),
	  .fallback = "auto",
	  .choices = threads,
	  .help = "Where threads run (auto: core where there are several, "
		  "else node): all on numa.node, one node after the "
		  "other, on the node of the recorded core, or of the machine's "
		  "core (machine.cores), which nodes have in equal parts" },
	{ .name = "node",
	  .type = OPTION_INT,
	  .offset = offsetof(struct numa_config, node),
	  .fallback = "0",
	  .max = TOPOLOGY_NODES - 1,
	  .help = "The node that threads=node, data=preferred and "
		  "tables=upper-pinned mean" },
	{ .name = "bind",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct numa_config, bind),
	  .argument = "NODES",
	  .help = "The nodes that data=bind and interleave use: \"0 2\"; all "
		  "without it" },
	{ .name = "weights",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct numa_config, weights),
	  .argument = "WEIGHTS",
	  .help = "Pages that data=weighted places on each node in turn: "
		  "\"3 1\"; 1 of each without it" },
	{ .name = "move",
	  .type = OPTION_INT,
	  .offset = offsetof(struct numa_config, move),
	  .fallback = "0",
	  .max = 1e15,
	  .unit = "accesses",
	  .help = "All threads go to the next node each so many accesses; 0: "
		  "never" },
	{ .name = "scan-size",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct numa_config, scan_bytes),
	  .fallback = "256M",
	  .min = 4096,
	  .max = (double)(UINT64_C(1) << 44),
	  .unit = "bytes",
	  .help = "What a scan marks for hinting faults, with data=migrate" },
	{ .name = "scan-min",
	  .type = OPTION_TIME,
	  .offset = offsetof(struct numa_config, scan_min_ns),
	  .fallback = "1s",
	  .min = 1,
	  .max = 3.6e12,
	  .help = "Least time from scan to scan, and before the first" },
	{ .name = "scan-max",
	  .type = OPTION_TIME,
	  .offset = offsetof(struct numa_config, scan_max_ns),
	  .fallback = "60s",
	  .min = 1,
	  .max = 3.6e12,
	  .help = "Most time from scan to scan" },
	{ 0 },
};

int
numa_parse_list(const char *text, double *value, unsigned max)
{
	unsigned n = 0;

	for (;;) {
		char *end;

		text += strspn(text, " ,;\t\n");
		if (!*text)
			return (int)n;
		if (n == max)
			return -E2BIG;
		value[n] = strtod(text, &end);
		if (end == text || !strchr(" ,;\t\n", *end) ||
		    !(value[n] >= 0 && value[n] <= 1e9))
			return -EINVAL;
		n++;
		text = end;
	}
}

/* A list of `wanted` numbers from low to high, or length of what is wrong. */
static int
wrong_list(const char *list, unsigned wanted, double low, double high,
	   bool whole, char *text, size_t bytes)
{
	double value[TOPOLOGY_NODES * TOPOLOGY_NODES];
	int n = numa_parse_list(list, value, ARRAY_SIZE(value));

	if (n < 0)
		return snprintf(text, bytes,
				"\"%s\" is no list of numbers from %g to %g",
				list, low, high);
	if ((unsigned)n != wanted)
		return snprintf(text, bytes,
				"\"%s\" has %d numbers, not %u as the machine "
				"needs",
				list, n, wanted);
	for (int i = 0; i < n; i++)
		if (value[i] < low || value[i] > high ||
		    (whole && value[i] != (double)(uint32_t)value[i]))
			return snprintf(text, bytes,
					"%g is no %snumber from %g to %g",
					value[i], whole ? "whole " : "", low,
					high);
	return 0;
}

static int
wrong_bind(const char *bind, unsigned nodes, char *text, size_t bytes)
{
	double value[TOPOLOGY_NODES];
	int n = numa_parse_list(bind, value, ARRAY_SIZE(value));

	if (n <= 0)
		return snprintf(text, bytes, "\"%s\" is no list of nodes",
				bind);
	for (int i = 0; i < n; i++)
		if (value[i] > nodes - 1 ||
		    value[i] != (double)(uint32_t)value[i])
			return snprintf(text, bytes,
					"%g is no node; allowed: 0 to %u",
					value[i], nodes - 1);
	return 0;
}

static bool
adds_up(const char *list)
{
	double value[TOPOLOGY_NODES], sum = 0;
	int n = numa_parse_list(list, value, ARRAY_SIZE(value));

	for (int i = 0; i < n; i++)
		sum += value[i];
	return sum > 0;
}

/* A right list of distances: is each node the nearest to itself? */
static int
wrong_own(const char *list, unsigned nodes, char *text, size_t bytes)
{
	double value[TOPOLOGY_NODES * TOPOLOGY_NODES];

	if (numa_parse_list(list, value, ARRAY_SIZE(value)) < 0)
		return 0;
	for (unsigned i = 0; i < nodes * nodes; i++) {
		double own = value[i / nodes * (nodes + 1)];

		if (value[i] < own)
			return snprintf(text, bytes,
					"node %u is at %g from node %u, at %g "
					"from itself; allowed: nothing nearer",
					i / nodes, value[i], i % nodes, own);
	}
	return 0;
}

/* Those of lists, where there are so many nodes. */
static int
wrong_lists(const struct numa_config *config, unsigned nodes,
	    const char **field, char *text, size_t bytes)
{
	const struct {
		const char *field, *list;
		unsigned n;
		double low, high;
		bool whole;
	} lists[] = {
		{ "distances", config->distances, nodes * nodes,
		  NUMA_LOCAL_DISTANCE, 1000, true },
		{ "load", config->load, nodes, 1, 1000, false },
		{ "weights", config->weights, nodes, 0, 255, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		int n = lists[i].list ? wrong_list(lists[i].list, lists[i].n,
						   lists[i].low, lists[i].high,
						   lists[i].whole, text, bytes)
				      : 0;

		*field = lists[i].field;
		if (n)
			return n;
	}
	*field = "distances";
	if (config->distances) {
		int n = wrong_own(config->distances, nodes, text, bytes);

		if (n)
			return n;
	}
	*field = "weights";
	if (config->weights && !adds_up(config->weights))
		return snprintf(text, bytes,
				"\"%s\" is 0 of every node; allowed: 0 to 255, "
				"not all 0",
				config->weights);
	*field = "bind";
	return config->bind ? wrong_bind(config->bind, nodes, text, bytes) : 0;
}

static int
wrong_topology(const struct numa_config *config, struct topology *topology,
	       char *text, size_t bytes)
{
	int error = topology_read(topology, config->topology);

	if (error)
		return snprintf(text, bytes,
				"\"%s\": %s; allowed: live, or a file of "
				"lstopo with 1 to %d nodes",
				config->topology,
				error == -EINVAL ? "no topology of hwloc"
						 : strerror(-error),
				TOPOLOGY_NODES);
	if (config->nodes != 1 && config->nodes != topology->nodes)
		return snprintf(text, bytes,
				"\"%s\" has %u nodes, numa.nodes says %jd",
				config->topology, topology->nodes,
				(intmax_t)config->nodes);
	return 0;
}

int
numa_config_wrong(const struct numa_config *config, const char **field,
		  char *text, size_t bytes)
{
	unsigned nodes = (unsigned)config->nodes;
	int n = 0;

	*field = "topology";
	if (config->topology) {
		struct topology *topology = malloc(sizeof(*topology));

		if (!topology)
			return snprintf(text, bytes, "out of memory");
		n = wrong_topology(config, topology, text, bytes);
		nodes = topology->nodes;
		free(topology);
		if (n)
			return n;
	}
	n = wrong_lists(config, nodes, field, text, bytes);
	if (n)
		return n;
	*field = "node";
	if (config->node >= nodes)
		return snprintf(text, bytes, "%jd is no node; allowed: 0 to %u",
				(intmax_t)config->node, nodes - 1);
	*field = "scan-max";
	if (config->scan_max_ns < config->scan_min_ns)
		return snprintf(text, bytes,
				"less than numa.scan-min; allowed: from that "
				"up");
	return 0;
}
