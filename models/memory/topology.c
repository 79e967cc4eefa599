// SPDX-License-Identifier: GPL-2.0-or-later
/* Nodes, their distances and cores, from hwloc. */
#include "models/memory/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <string.h>
#include <unistd.h>

static void
read_distances(struct topology *topology, hwloc_topology_t hwloc)
{
	struct hwloc_distances_s *distances;
	unsigned n = 1;

	if (hwloc_distances_get_by_type(hwloc, HWLOC_OBJ_NUMANODE, &n,
					&distances,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY,
					0) < 0 ||
	    !n)
		return;
	for (unsigned i = 0; i < distances->nbobjs; i++)
		for (unsigned j = 0; j < distances->nbobjs; j++) {
			unsigned from = distances->objs[i]->logical_index;
			unsigned to = distances->objs[j]->logical_index;

			if (from < topology->nodes && to < topology->nodes)
				topology->distance[from][to] =
					(uint32_t)distances
						->values[i * distances->nbobjs +
							 j];
		}
	hwloc_distances_release(hwloc, distances);
}

static void
read_cores(struct topology *topology, hwloc_topology_t hwloc)
{
	for (unsigned node = 0; node < topology->nodes; node++) {
		hwloc_obj_t object =
			hwloc_get_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, node);
		unsigned core;

		if (!object)
			continue;
		hwloc_bitmap_foreach_begin(core, object->cpuset)
		{
			if (core >= TOPOLOGY_CORES)
				break;
			topology->node_of_core[core] = (uint8_t)node;
			if (topology->cores <= core)
				topology->cores = core + 1;
		}
		hwloc_bitmap_foreach_end();
	}
}

static int
read_loaded(struct topology *topology, hwloc_topology_t hwloc)
{
	int nodes = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_NUMANODE);

	if (nodes < 1 || nodes > TOPOLOGY_NODES)
		return -EINVAL;
	topology->nodes = (unsigned)nodes;
	read_distances(topology, hwloc);
	read_cores(topology, hwloc);
	return 0;
}

int
topology_read(struct topology *topology, const char *source)
{
	hwloc_topology_t hwloc;
	int error = 0;

	memset(topology, 0, sizeof(*topology));
	if (strcmp(source, "live") != 0 && access(source, R_OK) < 0)
		return -errno;
	if (hwloc_topology_init(&hwloc) < 0)
		return -ENOMEM;
	if (strcmp(source, "live") != 0 &&
	    hwloc_topology_set_xml(hwloc, source) < 0)
		error = -EINVAL;
	if (!error && hwloc_topology_load(hwloc) < 0)
		error = -EINVAL;
	if (!error)
		error = read_loaded(topology, hwloc);
	hwloc_topology_destroy(hwloc);
	return error;
}
