// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A run begins at each fetch and takes the data accesses up to the next one;
 * without fetches, 16 accesses of one site in a row make a run, or those whose
 * pcs go upwards in small steps: about a block of code.
 * Runs are looked up in a tree of sites, one node a prefix, whose edges are in
 * one hash table.  A fetch at its site's own pc needs no root.
 */
#include "traces/pst-pack.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define RUN_MAX	  64
#define RUN_ALIKE 16
#define RUN_GAP	  64 /* bytes */
#define NO_STEP	  UINT32_MAX

struct edge {
	uint64_t
		key; /* node << 33 | constant << 32 | site reference; 0: free */
	uint32_t node;
};

struct packer {
	struct stream *stream;
	struct edge *edge;
	size_t edges, edge_mask;
	uint32_t *node_step; /* the step that ends at this node, or NO_STEP */
	uint32_t nodes, node_room;
};

int
packer_open(struct packer **out, struct stream *stream)
{
	struct packer *packer = calloc(1, sizeof(*packer));

	if (!packer)
		return fail(ENOMEM, "trace writer: no memory");
	packer->stream = stream;
	packer->edge_mask = (1u << 12) - 1;
	packer->edge = calloc(packer->edge_mask + 1, sizeof(*packer->edge));
	packer->node_room = 1024;
	packer->node_step = calloc(packer->node_room, sizeof(uint32_t));
	packer->nodes = 1; /* the root; so an edge's key is never 0 */
	if (!packer->edge || !packer->node_step) {
		packer_close(packer);
		return fail(ENOMEM, "trace writer: no memory");
	}
	*out = packer;
	return 0;
}

void
packer_close(struct packer *packer)
{
	if (!packer)
		return;
	free(packer->edge);
	free(packer->node_step);
	free(packer);
}

static size_t
edge_home(const struct packer *packer, uint64_t key)
{
	key *= UINT64_C(0x9E3779B97F4A7C15);
	return (key ^ key >> 32) & packer->edge_mask;
}

static int
edges_double(struct packer *packer)
{
	size_t old_room = packer->edge_mask + 1;
	struct edge *old = packer->edge;

	packer->edge = calloc(old_room * 2, sizeof(*old));
	if (!packer->edge) {
		packer->edge = old;
		return fail(ENOMEM, "trace writer: no memory for shapes");
	}
	packer->edge_mask = old_room * 2 - 1;
	for (size_t i = 0; i < old_room; i++) {
		size_t at = edge_home(packer, old[i].key);

		if (!old[i].key)
			continue;
		while (packer->edge[at].key)
			at = (at + 1) & packer->edge_mask;
		packer->edge[at] = old[i];
	}
	free(old);
	return 0;
}

static int
node_add(struct packer *packer, uint32_t *node)
{
	if (packer->nodes == packer->node_room) {
		uint32_t *more =
			reallocarray(packer->node_step, packer->node_room * 2,
				     sizeof(*more));

		if (!more)
			return fail(ENOMEM,
				    "trace writer: no memory for shapes");
		packer->node_step = more;
		packer->node_room *= 2;
	}
	if (packer->nodes >> 31)
		return fail(ENOSPC, "trace writer: too many different runs");
	packer->node_step[packer->nodes] = NO_STEP;
	*node = packer->nodes++;
	return 0;
}

/* Follow (or make) the edge of this access from *node. */
static int
descend(struct packer *packer, uint32_t *node, uint32_t ref, bool constant)
{
	uint64_t key =
		(uint64_t)(*node + 1) << 33 | (uint64_t)constant << 32 | ref;
	size_t at = edge_home(packer, key);
	int error;

	for (; packer->edge[at].key; at = (at + 1) & packer->edge_mask)
		if (packer->edge[at].key == key) {
			*node = packer->edge[at].node;
			return 0;
		}
	if (packer->edges * 2 > packer->edge_mask) {
		error = edges_double(packer);
		if (error)
			return error;
		return descend(packer, node, ref, constant);
	}
	error = node_add(packer, node);
	if (error)
		return error;
	packer->edge[at] = (struct edge){ key, *node };
	packer->edges++;
	return 0;
}

static bool
at_own_pc(const struct packer *packer, uint32_t ref, uint64_t address)
{
	return SITE_KIND(ref) == SITE_FETCH &&
	       stream_site(packer->stream, SITE_INDEX(ref))->pc == address;
}

/* Is the second one's instruction a little behind the first one's? */
static bool
follows(const struct packer *packer, uint32_t first, uint32_t second)
{
	uint64_t from = stream_site(packer->stream, SITE_INDEX(first))->pc;
	uint64_t to = stream_site(packer->stream, SITE_INDEX(second))->pc;

	return first != second && from && to - from <= RUN_GAP;
}

/* How many accesses, from this one, make a run. */
static uint32_t
run_length(const struct packer *packer, const uint32_t *site, uint32_t left)
{
	uint32_t n = 1;

	if (SITE_KIND(site[0]) == SITE_FETCH) {
		while (n < left && n < RUN_MAX &&
		       SITE_KIND(site[n]) != SITE_FETCH)
			n++;
		return n;
	}
	while (n < left && n < RUN_ALIKE && site[n] == site[0])
		n++;
	if (n == RUN_ALIKE)
		return n;
	for (n = 1; n < left && n < RUN_MAX; n++)
		if (!follows(packer, site[n - 1], site[n]))
			break;
	return n;
}

/* The first time that a run ends at this node: a shape with a step of it. */
static int
step_make(struct packer *packer, const uint32_t *site, const uint64_t *address,
	  uint32_t n, uint32_t *number)
{
	struct shape_access access[RUN_MAX];
	struct step step = { .n_accesses = (uint16_t)n };
	int error;

	for (uint32_t i = 0; i < n; i++) {
		bool constant = at_own_pc(packer, site[i], address[i]);

		access[i] = (struct shape_access){
			.ref = site[i],
			.slot = constant ? 0 : ++step.n_slots,
			.displacement = constant ? (int64_t)address[i] : 0,
		};
	}
	error = stream_shape_add(packer->stream, access, n, step.n_slots,
				 &step.shape);
	if (!error)
		error = stream_step_add(packer->stream, &step, number);
	return error;
}

int
packer_pack(struct packer *packer, const struct batch *batch, uint32_t *step,
	    uint32_t *n_steps, uint64_t *root, uint32_t *n_roots)
{
	uint32_t steps = 0, roots = 0;

	for (uint32_t i = 0; i < batch->n;) {
		const uint64_t *address = batch->address + i;
		const uint32_t *site = batch->site + i;
		uint32_t n = run_length(packer, site, batch->n - i);
		uint32_t node = 0;
		int error;

		for (uint32_t k = 0; k < n; k++) {
			bool constant = at_own_pc(packer, site[k], address[k]);

			error = descend(packer, &node, site[k], constant);
			if (error)
				return error;
			if (!constant)
				root[roots++] = address[k];
		}
		if (packer->node_step[node] == NO_STEP) {
			error = step_make(packer, site, address, n,
					  &packer->node_step[node]);
			if (error)
				return error;
		}
		step[steps++] = packer->node_step[node];
		i += n;
	}
	*n_steps = steps;
	*n_roots = roots;
	return 0;
}
