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

/* exit_meaning.roots, other than a usual record's RECORD_ROOTS */
#define EXIT_OTHER   0x00ffu /* more roots, or accesses to be counted */
#define EXIT_UNKNOWN 0x01ffu

/* 8 bytes, so that eight exits share a cache line */
struct exit_meaning {
	uint32_t step; /* EXIT_UNKNOWN: index of the part it starts + 1, or 0 */
	uint16_t accesses;
	uint16_t roots;
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
		exit[i] = (struct exit_meaning){ .roots = EXIT_UNKNOWN };
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
	bool usual = of->n_slots <= RECORD_USUAL && !guarded;

	code->exit[number] = (struct exit_meaning){
		.step = step,
		.accesses = of->n_accesses,
		.roots = (uint16_t)(usual ? RECORD_ROOTS(of->n_slots)
					  : EXIT_OTHER),
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

#define UNIT_MASK ((UINT64_C(1) << 8 * RECORD_UNIT) - 1)

static ALWAYS_INLINE uint64_t
unit_root(const uint8_t *unit)
{
	uint64_t word;

	memcpy(&word, unit, sizeof(word));
	return ((word + RECORD_LOWEST) & UNIT_MASK) - RECORD_LOWEST;
}

/* Two of them at once */
static ALWAYS_INLINE void
units_copy(uint64_t *root, const uint8_t *unit)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	uint64_t first, second;
	pair word;

	memcpy(&first, unit, sizeof(first));
	memcpy(&second, unit + RECORD_UNIT, sizeof(second));
	word = (pair){ first, second };
	word = ((word + RECORD_LOWEST) & UNIT_MASK) - RECORD_LOWEST;
	memcpy(root, &word, sizeof(word));
}

static void
roots_copy(uint64_t *root, const uint8_t *unit, size_t n)
{
	for (size_t i = 0; i < n; i++)
		root[i] = unit_root(unit + i * RECORD_UNIT);
}

/* Roots of a record of this exit, or -1. */
static int
exit_slots(const struct valgrind_code *code, uint32_t number)
{
	if (number >= code->exits || code->exit[number].roots == EXIT_UNKNOWN)
		return -1;
	return stream_step(code->stream, code->exit[number].step)->n_slots;
}

#define USUAL_BYTES ((1 + RECORD_USUAL) * RECORD_UNIT) /* at most */

#define PREFETCH_BYTES 1024 /* the chunk comes from another core */

struct copying {
	const uint8_t *at, *last;
	uint32_t *step;
	uint64_t *root;
	uint32_t most; /* No step has less accesses than roots, or none. */
};

/* What stands behind the number: RECORD_ROOTS */
static ALWAYS_INLINE unsigned
head_roots(const uint8_t *at)
{
	uint16_t roots;

	memcpy(&roots, at + sizeof(uint32_t), sizeof(roots));
	return roots;
}

/*
 * The hot loop: usual records until another one, `end` or a full batch.
 * RECORD_USUAL roots are copied always: a chunk has bytes to spare behind its
 * end.  Where the next record is depends on one byte of this one, not on the
 * table: 1.5 times as fast.
 */
static ALWAYS_INLINE void
copy_usual(const struct valgrind_code *code, struct copying *to,
	   const uint8_t *end)
{
	const struct exit_meaning *const exit = code->exit;
	const uint32_t exits = code->exits;
	struct copying now = *to;

	while (now.at < end && likely(now.most <= VALGRIND_BATCH_FULL)) {
		uint32_t number = valgrind_head(now.at);
		unsigned roots = head_roots(now.at);

		/* Events have larger numbers. */
		if (unlikely(number >= exits || exit[number].roots != roots))
			break;
		__builtin_prefetch(now.at + PREFETCH_BYTES);
		units_copy(now.root, now.at + RECORD_UNIT);
		units_copy(now.root + 2, now.at + 3 * RECORD_UNIT);
		*now.step++ = exit[number].step;
		now.most += exit[number].accesses;
		now.root += roots >> 8;
		now.last = now.at;
		now.at += (uint8_t)roots;
	}
	*to = now;
}

/* One of any other kind; returns how many of its accesses were not made, or
 * -EPROTO. */
static NOINLINE int
copy_other(const struct valgrind_code *code, struct copying *to,
	   const uint8_t *end)
{
	uint32_t number = valgrind_head(to->at), unmade = 0;
	unsigned roots = head_roots(to->at);
	int slots = exit_slots(code, number);
	const struct exit_meaning *meaning;
	const uint8_t *next;

	if (slots < 0)
		return fail(EPROTO, "valgrind: a record of the unknown exit %u",
			    number);
	if (roots != RECORD_ROOTS((unsigned)slots))
		return fail(EPROTO,
			    "valgrind: exit %u with %u roots instead of %d",
			    number, roots >> 8, slots);
	next = to->at + (size_t)(1 + slots) * RECORD_UNIT;
	if (next > end) {
		to->at = end; /* a snapshot: its last record is half */
		return 0;
	}
	meaning = &code->exit[number];
	roots_copy(to->root, to->at + RECORD_UNIT, (size_t)slots);
	if (meaning->roots == EXIT_OTHER)
		unmade = meaning->accesses -
			 accesses_made(code->stream, meaning->step, to->root);
	*to->step++ = meaning->step;
	to->most += meaning->accesses;
	to->root += slots;
	to->last = to->at;
	to->at = next;
	return (int)unmade;
}

int
valgrind_code_copy(struct valgrind_code *code, struct batch *batch,
		   struct valgrind_cursor *cursor)
{
	const uint8_t *const end = cursor->end;
	/* A usual record that begins before it is whole. */
	const uint8_t *const whole =
		end - cursor->at > USUAL_BYTES ? end - USUAL_BYTES : cursor->at;
	uint32_t most = valgrind_batch_most(batch), unmade = 0;
	struct copying to = {
		.at = cursor->at,
		.last = cursor->last,
		.step = batch->step + batch->n_steps,
		.root = batch->root + batch->n_roots,
		.most = most,
	};
	int result = 0;

	for (;;) {
		copy_usual(code, &to, whole);
		if (to.at >= end || (valgrind_head(to.at) & RECORD_EVENT))
			break;
		if (to.most > VALGRIND_BATCH_FULL) {
			result = 1;
			break;
		}
		result = copy_other(code, &to, end);
		if (result < 0)
			break;
		unmade += (uint32_t)result;
		result = 0;
	}
	batch->n_steps = (uint32_t)(to.step - batch->step);
	batch->n_roots = (uint32_t)(to.root - batch->root);
	batch->n += to.most - most - unmade;
	cursor->at = to.at;
	cursor->last = to.last;
	return result;
}

/* Items from `from` up to the instruction at pc; n_items if it is not there
 * or not before the next exit. */
static size_t
items_until(const struct part *part, size_t from, uint64_t pc)
{
	for (size_t i = from; i < part->n_items; i++) {
		uint64_t item = part->item[i];

		if (ITEM_TYPE(item) == ITEM_EXIT && !(item & ITEM_EXIT_INSIDE))
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

	if (number >= code->exits || start->roots != EXIT_UNKNOWN ||
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
	uint32_t number, start;
	int slots;

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
	slots = exit_slots(code, number);
	if (slots < 0)
		return 0;
	roots_copy(root, cursor->last + RECORD_UNIT, (size_t)slots);
	fault_roots(root + slots, raw, bytes);
	return fault_step(code, batch, part, from, to, root);
}
