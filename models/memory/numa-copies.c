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

#include "models/memory/frames.h"
#include "models/memory/numa.h"
#include "models/paging/hash.h"

#define MOVE_AFTER 64
#define WISHES	   256

struct numa_copies {
	const struct numa *numa; /* borrowed */
	bool replicated;
	unsigned shift;	   /* of a node's memory */
	struct hash place; /* page number -> index of its first copy */
	uint64_t *address; /* owned: [nodes] of each page */
	/* owned, by page: references in a row, from; what it is part of */
	uint8_t *row, *from, *shift_of;
	uint32_t n, room, nodes;
	uint32_t *free; /* owned: [n_free] indices */
	uint32_t n_free;
	struct numa_wish wish[WISHES];
	unsigned n_wishes;
	uint64_t written, moved, copies;
};

int
numa_copies_open(struct numa_copies **out, const struct numa *numa,
		 bool replicated)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->numa = numa;
	(*out)->replicated = replicated;
	return 0;
}

void
numa_copies_span(struct numa_copies *copies, unsigned shift)
{
	copies->shift = shift;
}

bool
numa_copies_replicated(const struct numa_copies *copies)
{
	return copies->replicated;
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
	free(copies->shift_of);
	free(copies->free);
	free(copies);
}

static unsigned
copies_of(const struct numa_copies *copies)
{
	return copies->replicated ? copies->numa->nodes : 1;
}

static int
grow(struct numa_copies *copies, unsigned nodes)
{
	uint32_t room = copies->room ? 2 * copies->room : 256;
	uint64_t *address = reallocarray(copies->address, (size_t)room * nodes,
					 sizeof(*address));
	uint8_t *row, *from, *shift;
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
	shift = realloc(copies->shift_of, room);
	if (!shift)
		return -ENOMEM;
	copies->shift_of = shift;
	list = reallocarray(copies->free, room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	copies->free = list;
	copies->room = room;
	return 0;
}

int
numa_copies_add(struct numa_copies *copies, uint64_t page, unsigned shift,
		const uint64_t *address)
{
	unsigned nodes = copies_of(copies);
	uint32_t i;

	if (!copies->n_free && copies->n == copies->room &&
	    grow(copies, nodes) < 0)
		return -ENOMEM;
	i = copies->n_free ? copies->free[--copies->n_free] : copies->n++;
	memcpy(copies->address + (size_t)i * nodes, address,
	       nodes * sizeof(*address));
	copies->row[i] = 0;
	copies->shift_of[i] = (uint8_t)shift;
	if (hash_put(&copies->place, page >> 12, i) < 0) {
		copies->free[copies->n_free++] = i;
		return -ENOMEM;
	}
	copies->copies += nodes - 1;
	return 0;
}

unsigned
numa_copies_remove(struct numa_copies *copies, uint64_t page, uint64_t *address)
{
	unsigned nodes = copies_of(copies);
	const uint64_t *place = hash_find(&copies->place, page >> 12);

	if (!place)
		return 0;
	memcpy(address, copies->address + *place * nodes,
	       nodes * sizeof(*address));
	copies->free[copies->n_free++] = (uint32_t)*place;
	hash_remove(&copies->place, page >> 12);
	for (unsigned i = 0; i < copies->n_wishes; i++)
		if (copies->wish[i].page ==
		    page >> copies->wish[i].shift << copies->wish[i].shift)
			copies->wish[i--] = copies->wish[--copies->n_wishes];
	return nodes;
}

/* A reference to a page that moves, from the running node. */
static void
count_row(struct numa_copies *copies, uint32_t i, uint64_t page)
{
	unsigned node = copies->numa->node;
	uint64_t now = copies->address[i];

	if ((now - FRAMES_BASE) >> copies->shift == node) {
		copies->row[i] = 0;
		return;
	}
	if (copies->from[i] != node)
		copies->row[i] = 0;
	copies->from[i] = (uint8_t)node;
	if (copies->row[i] < MOVE_AFTER && ++copies->row[i] == MOVE_AFTER) {
		if (copies->n_wishes < WISHES)
			copies->wish[copies->n_wishes++] =
				(struct numa_wish){ page, copies->shift_of[i],
						    now, node };
		else
			copies->row[i] = 0;
	}
}

uint64_t
numa_copies_read(struct numa_copies *copies, uint64_t physical)
{
	uint64_t page = physical & ~UINT64_C(4095);
	const uint64_t *place = hash_find(&copies->place, page >> 12);
	unsigned nodes = copies->numa->nodes;
	uint64_t at;

	if (!place)
		return physical;
	if (copies->replicated)
		return copies->address[*place * nodes + copies->numa->node] +
		       (physical - page);
	at = copies->address[*place] + (physical - page);
	page = page >> copies->shift_of[*place] << copies->shift_of[*place];
	place = hash_find(&copies->place, page >> 12);
	count_row(copies, (uint32_t)*place, page);
	return at;
}

void
numa_redirect(struct numa *numa, uint64_t *physical, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		physical[i] = numa_copies_read(numa->redirects, physical[i]);
}

/* Two nodes may have wished for one page: the second wish is of where it was. */
bool
numa_copies_wish(struct numa_copies *copies, struct numa_wish *wish)
{
	while (copies->n_wishes) {
		const uint64_t *place;

		*wish = copies->wish[--copies->n_wishes];
		place = hash_find(&copies->place, wish->page >> 12);
		if (place && copies->address[*place] == wish->now)
			return true;
	}
	return false;
}

void
numa_copies_moved(struct numa_copies *copies, const struct numa_wish *wish,
		  uint64_t address)
{
	uint64_t pages = UINT64_C(1) << (wish->shift - 12);

	for (uint64_t i = 0; i < pages; i++) {
		const uint64_t *place =
			hash_find(&copies->place, (wish->page >> 12) + i);

		copies->address[*place] = address + (i << 12);
		copies->row[*place] = 0;
	}
	copies->moved++;
}

void
numa_copies_written(struct numa_copies *copies, uint64_t entries)
{
	copies->written = entries;
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
numa_copies_finish(const struct numa_copies *copies, bool host,
		   struct result *result)
{
	static const char *const names[2][4] = {
		{ "numa.tables.moved", "numa.tables.copies",
		  "numa.tables.writes", "numa.tables.write-cycles" },
		{ "numa.host-tables.moved", "numa.host-tables.copies",
		  "numa.host-tables.writes", "numa.host-tables.write-cycles" },
	};
	const char *const *name = names[host];
	int error;

	if (!copies->replicated)
		return result_count(result, name[0], copies->moved, "pages");
	error = result_count(result, name[1], copies->copies, "pages");
	if (!error)
		error = result_count(result, name[2],
				     copies->written *
					     (copies->numa->nodes - 1),
				     "writes");
	return error ? error
		     : result_real(result, name[3],
				   (double)copies->written *
					   cycles_of_write(copies->numa),
				   "cycles");
}
