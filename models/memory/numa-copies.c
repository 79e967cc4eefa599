// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of tables and where they are.  Replication as Mitosis has it (Achermann
 * et al. 2020): a walk reads its own node's copy, a write goes to all.
 * Migration: a page goes to a node from which MOVE_AFTER of its references came
 * in a row.
 */
#include "models/memory/numa-copies.h"

#include <stdlib.h>
#include <string.h>

#include "models/memory/numa.h"
#include "models/paging/hash.h"

#define MOVE_AFTER 64
#define WISHES	   256

struct numa_copies {
	struct hash place;   /* page number -> index of its first copy */
	uint64_t *address;   /* owned: [nodes] of each page */
	uint8_t *row, *from; /* owned, by page: references in a row, from */
	uint32_t n, room, nodes;
	uint32_t *free; /* owned: [n_free] indices */
	uint32_t n_free;
	struct numa_wish wish[WISHES];
	unsigned n_wishes;
	uint64_t written, moved, copies;
};

int
numa_copies_open(struct numa_copies **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void
numa_copies_close(struct numa_copies *copies)
{
	if (!copies)
		return;
	hash_fini(&copies->place);
	free(copies->address);
	free(copies->row);
	free(copies->from);
	free(copies->free);
	free(copies);
}

static bool
replicates(const struct numa *numa)
{
	return numa->config.tables == TABLES_REPLICATED;
}

static int
grow(struct numa_copies *copies, unsigned nodes)
{
	uint32_t room = copies->room ? 2 * copies->room : 256;
	uint64_t *address = reallocarray(copies->address, (size_t)room * nodes,
					 sizeof(*address));
	uint8_t *row, *from;
	uint32_t *list;

	if (!address)
		return -ENOMEM;
	copies->address = address;
	row = realloc(copies->row, room);
	if (!row)
		return -ENOMEM;
	copies->row = row;
	from = realloc(copies->from, room);
	if (!from)
		return -ENOMEM;
	copies->from = from;
	list = reallocarray(copies->free, room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	copies->free = list;
	copies->room = room;
	return 0;
}

int
numa_copies_add(struct numa *numa, uint64_t page, const uint64_t *address)
{
	struct numa_copies *copies = numa->copies;
	unsigned nodes = replicates(numa) ? numa->nodes : 1;
	uint32_t i;

	if (!copies->n_free && copies->n == copies->room &&
	    grow(copies, nodes) < 0)
		return -ENOMEM;
	i = copies->n_free ? copies->free[--copies->n_free] : copies->n++;
	memcpy(copies->address + (size_t)i * nodes, address,
	       nodes * sizeof(*address));
	copies->row[i] = 0;
	if (hash_put(&copies->place, page >> 12, i) < 0) {
		copies->free[copies->n_free++] = i;
		return -ENOMEM;
	}
	copies->copies += nodes - 1;
	return 0;
}

unsigned
numa_copies_remove(struct numa *numa, uint64_t page, uint64_t *address)
{
	struct numa_copies *copies = numa->copies;
	unsigned nodes = replicates(numa) ? numa->nodes : 1;
	const uint64_t *place = hash_find(&copies->place, page >> 12);

	if (!place)
		return 0;
	memcpy(address, copies->address + *place * nodes,
	       nodes * sizeof(*address));
	copies->free[copies->n_free++] = (uint32_t)*place;
	hash_remove(&copies->place, page >> 12);
	for (unsigned i = 0; i < copies->n_wishes; i++)
		if (copies->wish[i].page == page)
			copies->wish[i--] = copies->wish[--copies->n_wishes];
	return nodes;
}

/* A reference to a page that moves, from the running node. */
static void
count_row(struct numa *numa, uint32_t i, uint64_t page)
{
	struct numa_copies *copies = numa->copies;
	uint64_t now = copies->address[i];

	if (numa_node_of(numa, now) == numa->node) {
		copies->row[i] = 0;
		return;
	}
	if (copies->from[i] != numa->node)
		copies->row[i] = 0;
	copies->from[i] = (uint8_t)numa->node;
	if (copies->row[i] < MOVE_AFTER && ++copies->row[i] == MOVE_AFTER) {
		if (copies->n_wishes < WISHES)
			copies->wish[copies->n_wishes++] =
				(struct numa_wish){ page, now, numa->node };
		else
			copies->row[i] = 0;
	}
}

void
numa_redirect(struct numa *numa, struct hierarchy_queue *queue)
{
	const struct numa_copies *copies = numa->copies;
	bool replicated = replicates(numa);

	for (unsigned i = 0; i < queue->n; i++) {
		uint64_t physical = queue->physical[i], page;
		const uint64_t *place;

		if (queue->use[i] != USE_WALK)
			continue;
		page = physical & ~UINT64_C(4095);
		place = hash_find(&copies->place, page >> 12);
		if (!place)
			continue;
		if (!replicated)
			count_row(numa, (uint32_t)*place, page);
		queue->physical[i] =
			copies->address[replicated ? *place * numa->nodes +
							     numa->node
						   : *place] +
			(physical - page);
	}
}

bool
numa_copies_wish(struct numa *numa, struct numa_wish *wish)
{
	struct numa_copies *copies = numa->copies;

	if (!copies || !copies->n_wishes)
		return false;
	*wish = copies->wish[--copies->n_wishes];
	return true;
}

void
numa_copies_moved(struct numa *numa, uint64_t page, uint64_t address)
{
	struct numa_copies *copies = numa->copies;
	const uint64_t *place = hash_find(&copies->place, page >> 12);

	copies->address[*place] = address;
	copies->row[*place] = 0;
	copies->moved++;
}

void
numa_copies_written(struct numa *numa, uint64_t entries)
{
	numa->copies->written = entries;
}

/* Of one write to each copy but the nearest, on average over the nodes. */
static double
cycles_of_write(const struct numa *numa)
{
	double sum = 0;

	for (unsigned i = 0; i < numa->nodes; i++)
		for (unsigned j = 0; j < numa->nodes; j++)
			sum += i == j ? 0 : numa->latency[i * numa->nodes + j];
	return sum / numa->nodes;
}

int
numa_copies_finish(const struct numa *numa, struct result *result)
{
	const struct numa_copies *copies = numa->copies;
	int error;

	if (!replicates(numa))
		return result_count(result, "numa.tables.moved", copies->moved,
				    "pages");
	error = result_count(result, "numa.tables.copies", copies->copies,
			     "pages");
	if (!error)
		error = result_count(result, "numa.tables.writes",
				     copies->written * (numa->nodes - 1),
				     "writes");
	return error ? error
		     : result_real(result, "numa.tables.write-cycles",
				   (double)copies->written *
					   cycles_of_write(numa),
				   "cycles");
}
