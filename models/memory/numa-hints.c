// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages were marked and not seen since:
 *
 *	group of 256 KiB -> number of the scan that marked it last
 *	page             -> number of the scan after which it was seen last,
 *	                    and the node and thread that saw it
 *
 * The time between scans is Linux's: the period, at first numa.scan-min, is for
 * all of the process's memory, so it is divided by the scans that takes, but at
 * most 2560 MiB are scanned a second; after all was scanned once it grows or
 * shrinks by how many faults were local (update_task_scan_period).
 */
#include "models/memory/numa-hints.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/memory/numa.h"
#include "models/paging/hash.h"

#define GROUP_SHIFT  18
#define SCAN_RATE    (UINT64_C(2560) << 20) /* bytes/s: MAX_SCAN_WINDOW */
#define SECOND	     UINT64_C(1000000000)
#define PERIOD_SLOTS 10 /* NUMA_PERIOD_SLOTS */
#define PERIOD_LOCAL 7	/* NUMA_PERIOD_THRESHOLD */
#define EARLY_ROUNDS 4	/* numa_scan_seq up to which moves are at once */
#define NO_THREAD    0xffffffu
#define MOVES_MAX    8192

struct scanned {
	uint64_t next_ns, period_ns, cursor, resident, round_local,
		round_remote;
	uint32_t scans, rounds;
	bool begun;
};

struct numa_hints {
	const struct numa *numa; /* borrowed */
	struct hash group, page;
	struct scanned *space; /* owned, by number */
	uint32_t spaces;
	struct numa_move *move; /* owned: [MOVES_MAX] */
	unsigned n_moves, next_move;
	uint64_t scans, faults, local, moved, failed;
};

int
numa_hints_open(struct numa_hints **out, const struct numa *numa)
{
	struct numa_hints *hints = calloc(1, sizeof(*hints));

	if (hints)
		hints->move = calloc(MOVES_MAX, sizeof(*hints->move));
	if (!hints || !hints->move) {
		free(hints);
		return fail(ENOMEM, "numa.data: out of memory");
	}
	hints->numa = numa;
	*out = hints;
	return 0;
}

void
numa_hints_close(struct numa_hints *hints)
{
	if (!hints)
		return;
	hash_fini(&hints->group);
	hash_fini(&hints->page);
	free(hints->space);
	free(hints->move);
	free(hints);
}

static uint64_t
key_of(uint32_t space, uint64_t address, unsigned shift)
{
	return (uint64_t)space << 44 ^ address >> shift;
}

static struct scanned *
space_of(struct numa_hints *hints, uint32_t number)
{
	if (number >= hints->spaces) {
		uint32_t spaces = number + 16;
		struct scanned *more =
			reallocarray(hints->space, spaces, sizeof(*more));

		if (!more)
			return NULL;
		for (uint32_t i = hints->spaces; i < spaces; i++)
			more[i] = (struct scanned){ 0 };
		hints->space = more;
		hints->spaces = spaces;
	}
	return &hints->space[number];
}

/* Until the next scan: of the period, what one scan's bytes are of all. */
static uint64_t
interval(const struct numa_hints *hints, const struct scanned *space)
{
	uint64_t bytes = hints->numa->config.scan_bytes;
	uint64_t windows = space->resident / bytes;
	uint64_t floor = (uint64_t)((double)bytes / (double)SCAN_RATE * SECOND);
	uint64_t wait = space->period_ns / (windows ? windows : 1);

	/* Small periods are asked for in tests and short traces. */
	if (floor > hints->numa->config.scan_min_ns)
		floor = hints->numa->config.scan_min_ns;
	return wait > floor ? wait : floor;
}

uint64_t
numa_hints_due(struct numa_hints *hints, uint32_t number, uint64_t time_ns,
	       uint64_t resident, uint64_t **cursor)
{
	struct scanned *space = space_of(hints, number);

	if (!space)
		return 0;
	space->resident = resident;
	if (!space->begun) {
		space->begun = true;
		space->period_ns = hints->numa->config.scan_min_ns;
		space->next_ns = time_ns + space->period_ns;
	}
	if (time_ns < space->next_ns)
		return 0;
	space->next_ns = time_ns + interval(hints, space);
	space->scans++;
	hints->scans++;
	*cursor = &space->cursor;
	return hints->numa->config.scan_bytes;
}

int
numa_hints_mark(struct numa_hints *hints, uint32_t number, uint64_t start,
		uint64_t bytes)
{
	for (uint64_t at = start; at < start + bytes;
	     at += UINT64_C(1) << GROUP_SHIFT)
		if (hash_put(&hints->group, key_of(number, at, GROUP_SHIFT),
			     hints->space[number].scans) < 0)
			return -ENOMEM;
	return 0;
}

/* All was scanned once more: how often from now on? */
static void
adapt(const struct numa_hints *hints, struct scanned *space)
{
	uint64_t least = hints->numa->config.scan_min_ns;
	uint64_t most = hints->numa->config.scan_max_ns;
	uint64_t all = space->round_local + space->round_remote;
	int64_t slot =
		(int64_t)((space->period_ns + PERIOD_SLOTS - 1) / PERIOD_SLOTS);
	int64_t local, period = (int64_t)space->period_ns;

	if (!all) {
		period *= 2;
	} else {
		local = (int64_t)(space->round_local * PERIOD_SLOTS / all);
		if (local > PERIOD_LOCAL)
			period += (local - PERIOD_LOCAL) * slot;
		else if (local == PERIOD_LOCAL)
			period += slot;
		else
			period -= (PERIOD_LOCAL - local) * slot;
	}
	if (period < (int64_t)least)
		period = (int64_t)least;
	space->period_ns = (uint64_t)period < most ? (uint64_t)period : most;
	space->round_local = space->round_remote = 0;
}

void
numa_hints_scanned(struct numa_hints *hints, uint32_t number)
{
	struct scanned *space = &hints->space[number];

	if (space->cursor)
		return;
	space->rounds++;
	adapt(hints, space);
}

/* What is known of a page: scan << 32 | thread << 8 | node */
static uint64_t
seen_of(const struct numa_hints *hints, uint32_t number, uint64_t page)
{
	const uint64_t *seen =
		hash_find(&hints->page, key_of(number, page, 12));

	return seen ? *seen : (uint64_t)NO_THREAD << 8;
}

bool
numa_hints_pending(const struct numa_hints *hints, uint32_t number,
		   uint64_t address)
{
	const uint64_t *scan =
		hash_find(&hints->group, key_of(number, address, GROUP_SHIFT));

	return scan && seen_of(hints, number, address) >> 32 < *scan;
}

/* As should_numa_migrate_memory. */
static bool
should_move(const struct numa_hints *hints, const struct scanned *space,
	    uint64_t seen, uint32_t thread)
{
	uint32_t last = seen >> 8 & NO_THREAD;
	bool unset = last == NO_THREAD, same = last == (thread & NO_THREAD);

	if (space->rounds <= EARLY_ROUNDS && (unset || same))
		return true;
	if (!unset && (seen & 0xff) != hints->numa->node)
		return false;
	return true;
}

int
numa_hints_walk(struct numa_hints *hints, uint32_t number, uint64_t page,
		unsigned page_node, uint32_t thread)
{
	struct scanned *space = &hints->space[number];
	uint64_t seen = seen_of(hints, number, page);
	unsigned node = hints->numa->node;

	if (!numa_hints_pending(hints, number, page))
		return 0;
	hints->faults++;
	if (page_node == node) {
		hints->local++;
		space->round_local++;
	} else {
		space->round_remote++;
		if (should_move(hints, space, seen, thread) &&
		    hints->n_moves < MOVES_MAX)
			hints->move[hints->n_moves++] =
				(struct numa_move){ page, number, node };
	}
	return hash_put(&hints->page, key_of(number, page, 12),
			(uint64_t)space->scans << 32 |
				(uint64_t)(thread & NO_THREAD) << 8 | node);
}

bool
numa_hints_move(struct numa_hints *hints, struct numa_move *move)
{
	if (hints->next_move == hints->n_moves) {
		hints->next_move = hints->n_moves = 0;
		return false;
	}
	*move = hints->move[hints->next_move++];
	return true;
}

void
numa_hints_moved(struct numa_hints *hints, bool moved)
{
	hints->moved += moved;
	hints->failed += !moved;
}

int
numa_hints_finish(const struct numa_hints *hints, struct result *result)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} counts[] = {
		{ "numa.hints.scans", hints->scans, "scans" },
		{ "numa.hints.faults", hints->faults, "faults" },
		{ "numa.hints.local", hints->local, "faults" },
		{ "numa.hints.moved", hints->moved, "pages" },
		{ "numa.hints.failed", hints->failed, "pages" },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(counts) && !error; i++)
		error = result_count(result, counts[i].name, counts[i].value,
				     counts[i].unit);
	return error;
}
