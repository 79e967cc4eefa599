/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which NUMA nodes a host has, as hwloc says: of this host, or recorded. */
#ifndef MODELS_MEMORY_TOPOLOGY_H
#define MODELS_MEMORY_TOPOLOGY_H

#include "analyzer/base.h"

#define TOPOLOGY_NODES 64
#define TOPOLOGY_CORES 4096

struct topology {
	unsigned nodes;
	/* 10: local, as in the ACPI SLIT; all 0 where it is not known */
	uint32_t distance[TOPOLOGY_NODES][TOPOLOGY_NODES];
	/* by number of the core (of the kernel's CPUs) */
	uint8_t node_of_core[TOPOLOGY_CORES];
	unsigned cores;
};

/* source: "live" or a file that lstopo wrote as XML.  0, -EINVAL, -ENOENT or
 * -ENOMEM (unsaid). */
int topology_read(struct topology *topology, const char *source);

#endif
