/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA: nodes of memory and cores, what a reference from one to another costs,
 * and on which node the frames of data and of tables are placed.
 *
 *	cycles = numa.latency * distance / 10 * load of the memory's node
 *
 * Local is what comes from the node that runs the thread.  A machine of one node
 * has no struct numa.
 */
#ifndef MODELS_MEMORY_NUMA_H
#define MODELS_MEMORY_NUMA_H

#include "analyzer/option.h"
#include "analyzer/result.h"
#include "models/memory/topology.h"

#define NUMA_LEVELS	    32 /* marks of references (walker.h) */
#define NUMA_LOCAL_DISTANCE 10
#define NUMA_NONE	    UINT32_MAX

enum numa_data {
	NUMA_FIRST_TOUCH,
	NUMA_INTERLEAVE, /* by virtual page number, over numa.bind or all */
	NUMA_PREFERRED,	 /* numa.node, then what is near to it */
	NUMA_BIND,	 /* the nearest of numa.bind, and no others */
	NUMA_WEIGHTED,	 /* interleaved by numa.weights */
	NUMA_MIGRATE,	 /* first touch, then where hinting faults say */
};

enum numa_tables {
	TABLES_LOCAL,	     /* first touch */
	TABLES_REMOTE,	     /* the node after that of the first touch */
	TABLES_INTERLEAVE,   /* table pages in turn */
	TABLES_UPPER_PINNED, /* above the last level numa.node, that in turn */
	TABLES_LEAF_DATA,    /* the last level where its first page is */
	TABLES_REPLICATED,   /* a copy on each node */
	TABLES_MIGRATE,	     /* first touch, then where it is walked from */
};

enum numa_threads {
	THREADS_AUTO,	  /* as core where there are several, else as node */
	THREADS_NODE,	  /* all on numa.node */
	THREADS_SPREAD,	  /* thread n on node n mod nodes */
	THREADS_RECORDED, /* on that of the core recorded (EVENT_SWITCH) */
	THREADS_CORE,	  /* on that of the machine's core (machine.cores) */
};

struct numa_config {
	int64_t nodes;
	char *topology;	 /* owned: "live", a file of hwloc, or NULL */
	char *distances; /* owned: nodes * nodes numbers, or NULL: 10 and 20 */
	char *load;	 /* owned: a factor for each node, or NULL: 1 */
	int64_t latency; /* 0: memory.latency */
	int data, tables, threads;
	int host_tables; /* enum numa_tables, of a host below a guest */
	int64_t node;
	char *bind;    /* owned: nodes, or NULL: all */
	char *weights; /* owned: of each node */
	int64_t move; /* accesses after which threads go one node on; 0: never */
	uint64_t scan_bytes; /* of hinting, a scan */
	uint64_t scan_min_ns, scan_max_ns;
};

extern const struct option_row numa_rows[]; /* prefix "numa" */

/* As cache_config_wrong; reads the topology. */
int numa_config_wrong(const struct numa_config *config, const char **field,
		      char *text, size_t bytes);

/* References that reached a node's memory, from its own cores and others'. */
struct numa_count {
	uint64_t local, remote, cycles;
};

struct numa {
	struct numa_config config; /* its strings are not kept */
	unsigned nodes;
	unsigned node;	/* that runs now */
	unsigned shift; /* node = (address - FRAMES_BASE) >> shift */
	/* borrowed: walk references go through numa_redirect; NULL: none */
	struct numa_copies *redirects;
	bool nested;
	struct topology *topology; /* owned */
	double load[TOPOLOGY_NODES];
	uint32_t weight[TOPOLOGY_NODES], weights;
	uint32_t allowed[TOPOLOGY_NODES], n_allowed; /* numa.bind */
	uint32_t *latency; /* owned: [from * nodes + to] */
	uint8_t *near;	   /* owned: [from * nodes + i]: the i-th nearest */
	uint64_t table_turn;
	unsigned data_node; /* of the frame of data given last */
	uint8_t *home;	    /* owned: by thread, as recorded */
	uint32_t homes;
	/* owned: of table pages, a host's and others; NULL: none */
	struct numa_copies *host_copies, *copies;

	/* by node of the memory; by level, of walks */
	struct numa_count data[TOPOLOGY_NODES], walk[TOPOLOGY_NODES];
	struct numa_count level[NUMA_LEVELS];
	uint64_t pages[TOPOLOGY_NODES], table_pages[TOPOLOGY_NODES]; /* given */
};

/* *out NULL: there is one node.  0, -EINVAL (said), -ENOMEM (said). */
int numa_open(struct numa **out, const struct numa_config *config,
	      uint64_t memory_latency);
void numa_close(struct numa *numa);
/* Tables are nested: what the caches see are addresses of the host's. */
void numa_nest(struct numa *numa);

/* The accesses to come, after so many, are of this thread. */
void numa_run(struct numa *numa, uint32_t thread, uint64_t accesses);
/* They are made by this core of the machine's so many; of interest where
 * numa.threads=core. */
void numa_run_core(struct numa *numa, uint32_t core, uint32_t cores,
		   uint64_t accesses);
/* A thread runs on this core of the recording host from now on. */
void numa_switch(struct numa *numa, uint32_t thread, uint64_t core);

/* The node where a frame is wanted. */
unsigned numa_place_data(struct numa *numa, uint64_t virtual, unsigned shift);
unsigned numa_place_table(struct numa *numa, unsigned level, bool host);
/* Where to look for it: the i-th place (0: the node wanted itself); NUMA_NONE:
 * nowhere else. */
unsigned numa_try(const struct numa *numa, unsigned wanted, unsigned i,
		  bool table);

static ALWAYS_INLINE unsigned
numa_node_of(const struct numa *numa, uint64_t physical)
{
	return (unsigned)((physical - (UINT64_C(1) << 30)) >> numa->shift);
}

/* Cycles of a reference from the running node to the memory there. */
static ALWAYS_INLINE uint32_t
numa_latency(const struct numa *numa, uint64_t physical)
{
	return numa->latency[numa->node * numa->nodes +
			     numa_node_of(numa, physical)];
}

static ALWAYS_INLINE void
numa_count(const struct numa *numa, struct numa_count *count, unsigned to,
	   uint32_t cycles)
{
	count->local += to == numa->node;
	count->remote += to != numa->node;
	count->cycles += cycles;
}

/* A reference reached memory: its cycles. */
static ALWAYS_INLINE uint32_t
numa_reach_data(struct numa *numa, uint64_t physical)
{
	unsigned to = numa_node_of(numa, physical);
	uint32_t cycles = numa->latency[numa->node * numa->nodes + to];

	numa_count(numa, &numa->data[to], to, cycles);
	return cycles;
}

static ALWAYS_INLINE uint32_t
numa_reach_walk(struct numa *numa, uint64_t physical, unsigned level)
{
	unsigned to = numa_node_of(numa, physical);
	uint32_t cycles = numa->latency[numa->node * numa->nodes + to];

	numa_count(numa, &numa->walk[to], to, cycles);
	numa_count(numa, &numa->level[level], to, cycles);
	return cycles;
}

/*
 * numa.nodes, numa.walks, numa.pages and the values numa.walk.local, .remote,
 * numa.data.*; data: data references go through the caches, else they are
 * not known.
 */
int numa_finish(const struct numa *numa, bool data, struct result *result);

#endif
