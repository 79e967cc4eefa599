// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Superblocks of the Valgrind tool as shapes.
 *
 * Numbers: each part of a superblock has a run of them, the same in all
 * processes; the first is its start, number + k is its k-th exit.  exit[] maps
 * an exit's number to what a record of it means.
 *
 * Faults.  A record's header is written before each exit, taken or not, and
 * the cursor moved behind it; a superblock left by a fault has run on since.
 * RECORD_FAULT brings the words that stand from the cursor on.  Either no exit
 * had been passed: then the first word is the header of the start, and pc is
 * among the instructions before the first exit.  Or the record before the
 * cursor is this superblock's last exit, and the words are further roots.  In
 * both cases the instructions up to pc become a step of their own.
 */
#include "tracers/valgrind-code.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "analyzer/fail.h"
#include "tracers/tracer.h"
#include "tracers/valgrind-shape.h"
#include "tracers/valgrind/ring.h"

#define EXIT_SLOTS   0x07ffu
#define EXIT_GUARDED 0x4000u /* accesses are to be counted */
#define EXIT_UNKNOWN 0x8000u

/* 8 bytes, so that eight exits share a cache line */
struct exit_meaning {
	uint32_t step; /* EXIT_UNKNOWN: index of the part it starts + 1, or 0 */
	uint16_t accesses;
	uint16_t slots; /* with flags */
};

struct part {
	uint64_t *item; /* owned */
	uint32_t n_items;
	uint16_t image;
};

struct valgrind_code {
	struct stream *stream;
	struct valgrind_shaper *shaper;
	bool fetch;
	struct exit_meaning *exit;
	uint32_t exits;
	struct part *part;
	uint32_t parts, parts_room;
};

int
valgrind_code_open(struct valgrind_code **out, struct stream *stream,
		   unsigned kinds)
{
	struct valgrind_code *code = calloc(1, sizeof(*code));
	int error;

	if (!code)
		return fail(ENOMEM, "valgrind: no memory for superblocks");
	code->stream = stream;
	code->fetch = (kinds & TRACER_FETCH) != 0;
	error = valgrind_shaper_open(&code->shaper, stream, code->fetch);
	if (error) {
		free(code);
		return error;
	}
	*out = code;
	return 0;
}

void
valgrind_code_close(struct valgrind_code *code)
{
	if (!code)
		return;
	for (uint32_t i = 0; i < code->parts; i++)
		free(code->part[i].item);
	free(code->part);
	free(code->exit);
	valgrind_shaper_close(code->shaper);
	free(code);
}

static int
exits_reserve(struct valgrind_code *code, uint32_t n)
{
	uint32_t room = code->exits ? code->exits : 1u << 14;
	struct exit_meaning *exit;

	if (n <= code->exits)
		return 0;
	while (room < n)
		room *= 2;
	exit = reallocarray(code->exit, room, sizeof(*exit));
	if (!exit)
		return fail(ENOMEM, "valgrind: no memory for %u exits", room);
	for (uint32_t i = code->exits; i < room; i++)
		exit[i] = (struct exit_meaning){ .slots = EXIT_UNKNOWN };
	code->exit = exit;
	code->exits = room;
	return 0;
}

/* Keep the items, for faults. */
static int
part_add(struct valgrind_code *code, uint16_t image, const uint64_t *item,
	 size_t n, uint32_t *number)
{
	uint32_t room = code->parts_room ? 2 * code->parts_room : 1024;
	struct part *part = code->part;

	if (code->parts == code->parts_room) {
		part = reallocarray(part, room, sizeof(*part));
		if (!part)
			return fail(ENOMEM, "valgrind: no memory for code");
		code->part = part;
		code->parts_room = room;
	}
	part = &part[code->parts];
	*part = (struct part){ .n_items = (uint32_t)n, .image = image };
	part->item = malloc((n + 1) * sizeof(*part->item));
	if (!part->item)
		return fail(ENOMEM, "valgrind: no memory for code");
	memcpy(part->item, item, n * sizeof(*item));
	*number = code->parts++;
	return 0;
}

static void
exit_set(struct valgrind_code *code, uint32_t number, uint32_t step)
{
	const struct step *of = stream_step(code->stream, step);
	bool guarded = stream_shape(code->stream, of->shape)->guarded;

	code->exit[number] = (struct exit_meaning){
		.step = step,
		.accesses = of->n_accesses,
		.slots = (uint16_t)(of->n_slots | (guarded ? EXIT_GUARDED : 0)),
	};
}

/* Exits in the middle of a block: a step of their own each. */
static int
exits_again(struct valgrind_code *code, uint16_t image, uint32_t start,
	    const uint64_t *item, size_t n)
{
	struct valgrind_steps steps;
	uint32_t number = start;
	int error = 0;

	for (size_t i = 0; i < n && !error; i++) {
		unsigned type = ITEM_TYPE(item[i]);

		number += type == ITEM_EXIT;
		if (type == ITEM_EXIT && (item[i] & ITEM_EXIT_AGAIN)) {
			error = valgrind_shaper_partial(code->shaper, image,
							item, i,
							ITEM_EXIT_SLOTS(
								item[i]),
							&steps);
			if (!error && steps.n)
				exit_set(code, number, steps.first[0]);
		}
		i += type == ITEM_ACCESS;
	}
	return error;
}

int
valgrind_code_add(struct valgrind_code *code, uint16_t image,
		  const uint64_t *word, size_t n)
{
	struct valgrind_steps steps;
	uint32_t start, number = 0;
	int error;

	if (n < 2 || word[0] >= RECORD_EVENT)
		return fail(EPROTO, "valgrind: a superblock without items");
	start = (uint32_t)word[0];
	error = valgrind_shaper_steps(code->shaper, image, word + 1, n - 1,
				      &steps);
	if (!error)
		error = exits_reserve(code, start + steps.n + 1);
	if (!error)
		error = part_add(code, image, word + 1, n - 1, &number);
	if (error)
		return error;
	code->exit[start].step = number + 1;
	for (uint32_t k = 0; k < steps.n; k++)
		exit_set(code, start + 1 + k, steps.first[k]);
	return code->fetch ? exits_again(code, image, start, word + 1, n - 1)
			   : 0;
}

/* Accesses of a step that were made: a guarded one has a root other than 0 */
static uint32_t
accesses_made(const struct stream *stream, uint32_t number,
	      const uint64_t *root)
{
	const struct step *step = stream_step(stream, number);
	const struct shape *shape = stream_shape(stream, step->shape);
	uint32_t made = 0;

	for (uint32_t i = 0; i < step->n_accesses; i++)
		made += !shape->access[i].guarded ||
			root[shape->access[i].slot - 1];
	return made;
}

static ALWAYS_INLINE uint64_t
unit_root(const uint8_t *unit)
{
	uint64_t word;

	memcpy(&word, unit, sizeof(word));
	return (((word + RECORD_LOWEST) << 16) >> 16) - RECORD_LOWEST;
}

static void
roots_copy(uint64_t *root, const uint8_t *unit, size_t n)
{
	for (size_t i = 0; i < n; i++)
		root[i] = unit_root(unit + i * RECORD_UNIT);
}

/* A record other than the usual ones: how many roots it has, or -EPROTO. */
static NOINLINE int
record_slots(const struct valgrind_code *code, uint32_t number, unsigned stored)
{
	unsigned slots = EXIT_UNKNOWN;

	if (number < code->exits)
		slots = code->exit[number].slots & (EXIT_UNKNOWN | EXIT_SLOTS);
	if (slots & EXIT_UNKNOWN)
		return fail(EPROTO, "valgrind: a record of the unknown exit %u",
			    number);
	if (stored != (slots < RECORD_MANY_ROOTS ? slots : RECORD_MANY_ROOTS))
		return fail(EPROTO,
			    "valgrind: exit %u with %u roots instead of %u",
			    number, stored, slots);
	return (int)slots;
}

/* All its roots; returns how many of its accesses were not made. */
static NOINLINE uint32_t
record_rest(const struct valgrind_code *code,
	    const struct exit_meaning *meaning, const uint8_t *at,
	    unsigned slots, uint64_t *root)
{
	roots_copy(root, at + RECORD_UNIT, slots);
	if (!(meaning->slots & EXIT_GUARDED))
		return 0;
	return meaning->accesses -
	       accesses_made(code->stream, meaning->step, root);
}

static const struct exit_meaning unknown = { .slots = EXIT_UNKNOWN };

#define PREFETCH_BYTES 1024 /* the chunk comes from memory */

/*
 * The hot loop.  Two roots are copied always, as most records have at most
 * two: a chunk has bytes to spare behind its end.  Where the next record is
 * depends on this one's bytes alone, not on the table: 1.5 times as fast.
 */
int
valgrind_code_copy(struct valgrind_code *code, struct batch *batch,
		   struct valgrind_cursor *cursor)
{
	const uint8_t *at = cursor->at, *const end = cursor->end;
	const uint8_t *last = cursor->last;
	const struct exit_meaning *const exit = code->exit;
	const uint32_t exits = code->exits;
	uint32_t *step = batch->step + batch->n_steps;
	uint64_t *root = batch->root + batch->n_roots;
	/* No step has less accesses than roots, or none. */
	uint32_t most = valgrind_batch_most(batch), most_before = most,
		 unmade = 0;
	int result = 0;

	while (at < end) {
		uint32_t number = valgrind_head(at);
		unsigned slots = at[sizeof(number)];
		const uint8_t *next;
		const struct exit_meaning *meaning = &unknown;

		if (number & RECORD_EVENT)
			break;
		__builtin_prefetch(at + PREFETCH_BYTES);
		if (unlikely(most > VALGRIND_BATCH_FULL)) {
			result = 1;
			break;
		}
		if (likely(number < exits))
			meaning = &exit[number];
		root[0] = unit_root(at + RECORD_UNIT);
		root[1] = unit_root(at + 2 * RECORD_UNIT);
		if (unlikely(slots > 2 || meaning->slots != slots)) {
			result = record_slots(code, number, slots);
			if (result < 0)
				break;
			slots = (unsigned)result;
			result = 0;
			if (slots * RECORD_UNIT < (size_t)(end - at))
				unmade += record_rest(code, meaning, at, slots,
						      root);
		}
		next = at + (1 + slots) * RECORD_UNIT;
		if (unlikely(next > end)) {
			at = end; /* a snapshot: its last record is half */
			break;
		}
		last = at;
		at = next;
		*step++ = meaning->step;
		root += slots;
		most += meaning->accesses;
	}
	batch->n_steps = (uint32_t)(step - batch->step);
	batch->n_roots = (uint32_t)(root - batch->root);
	batch->n += most - most_before - unmade;
	cursor->at = at;
	cursor->last = last;
	return result;
}

/* Items from `from` up to the instruction at pc; n_items if it is not there
 * or not before the next exit. */
static size_t
items_until(const struct part *part, size_t from, uint64_t pc)
{
	for (size_t i = from; i < part->n_items; i++) {
		uint64_t item = part->item[i];

		if (ITEM_TYPE(item) == ITEM_EXIT)
			break;
		if (ITEM_TYPE(item) == ITEM_INSTRUCTION && ITEM_PC(item) == pc)
			return i;
		i += ITEM_TYPE(item) == ITEM_ACCESS;
	}
	return part->n_items;
}

/* The item behind the k-th exit, 1 up. */
static size_t
items_behind_exit(const struct part *part, uint32_t k)
{
	for (size_t i = 0; i < part->n_items; i++) {
		unsigned type = ITEM_TYPE(part->item[i]);

		if (type == ITEM_EXIT && --k == 0)
			return i + 1;
		i += type == ITEM_ACCESS;
	}
	return part->n_items;
}

static const struct part *
part_of_start(const struct valgrind_code *code, uint32_t number)
{
	const struct exit_meaning *start = &code->exit[number];

	if (number >= code->exits || !(start->slots & EXIT_UNKNOWN) ||
	    !start->step)
		return NULL;
	return &code->part[start->step - 1];
}

/* Append the instructions of items [from, to) with these roots. */
static int
fault_step(struct valgrind_code *code, struct batch *batch,
	   const struct part *part, size_t from, size_t to,
	   const uint64_t *root)
{
	struct valgrind_steps steps;
	const struct step *step;
	int error;

	error = valgrind_shaper_partial(code->shaper, part->image,
					part->item + from, to - from, 0,
					&steps);
	if (error || !steps.n)
		return error;
	step = stream_step(code->stream, steps.first[0]);
	memcpy(batch->root + batch->n_roots, root,
	       step->n_slots * sizeof(*root));
	batch->n += accesses_made(code->stream, steps.first[0],
				  batch->root + batch->n_roots);
	batch->n_roots += step->n_slots;
	batch->step[batch->n_steps++] = steps.first[0];
	return 0;
}

/* The part that an exit's number, or a start's, belongs to, or NULL */
static const struct part *
part_of_exit(const struct valgrind_code *code, uint32_t number, uint32_t *start)
{
	const struct part *part = NULL;

	if (number >= code->exits)
		return NULL;
	*start = number;
	while (*start && !(part = part_of_start(code, *start)))
		--*start;
	return part;
}

/* These bytes as roots, with zeros behind. */
static void
fault_roots(uint64_t root[SHAPE_SLOTS_MAX], const uint8_t *from, size_t bytes)
{
	size_t n = bytes / RECORD_UNIT;

	memset(root, 0, SHAPE_SLOTS_MAX * sizeof(*root));
	/* A unit is read as 8 bytes. */
	roots_copy(root, from, n > 1 ? n - 1 : 0);
}

int
valgrind_code_fault(struct valgrind_code *code, struct batch *batch,
		    const struct valgrind_cursor *cursor, const uint64_t *word,
		    size_t n)
{
	uint64_t root[2 * SHAPE_SLOTS_MAX];
	const uint8_t *raw = (const uint8_t *)(word + 1);
	size_t bytes = (n - 1) * sizeof(*word), from, to;
	const struct part *part;
	uint32_t number, start, slots;

	if (n < 2 || bytes / RECORD_UNIT > SHAPE_SLOTS_MAX)
		return fail(EPROTO, "valgrind: a fault of %zu words", n);
	number = valgrind_head(raw);
	part = part_of_exit(code, number, &start);
	to = part && number - start <= 1 ? items_until(part, 0, word[0]) : 0;
	if (part && number - start <= 1 && to < part->n_items) {
		fault_roots(root, raw + RECORD_UNIT, bytes - RECORD_UNIT);
		return fault_step(code, batch, part, 0, to, root);
	}
	if (!cursor->last)
		return 0;
	number = valgrind_head(cursor->last);
	part = part_of_exit(code, number, &start);
	if (!part)
		return 0;
	from = items_behind_exit(part, number - start);
	to = items_until(part, from, word[0]);
	if (to == part->n_items)
		return 0;
	slots = code->exit[number].slots & EXIT_SLOTS;
	roots_copy(root, cursor->last + RECORD_UNIT, slots);
	fault_roots(root + slots, raw, bytes);
	return fault_step(code, batch, part, from, to, root);
}
