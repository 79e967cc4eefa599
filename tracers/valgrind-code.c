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

/*
 * The hot loop.  Four roots are copied always, as most records have at most
 * four: a chunk has words to spare behind its end.
 */
int
valgrind_code_copy(struct valgrind_code *code, struct batch *batch,
		   struct valgrind_cursor *cursor)
{
	const uint64_t *at = cursor->at, *const end = cursor->end;
	const uint64_t *last = cursor->last;
	const struct exit_meaning *const exit = code->exit;
	const uint32_t exits = code->exits;
	uint32_t *step = batch->step + batch->n_steps;
	uint64_t *root = batch->root + batch->n_roots;
	const uint32_t *const step_end = batch->step + BATCH_ACCESSES;
	const uint64_t *const root_end =
		batch->root + BATCH_ACCESSES - SHAPE_SLOTS_MAX - 8;
	uint32_t n = batch->n;
	int result = 0;

	while (at < end) {
		uint32_t number = RECORD_EXIT(*at), slots;
		struct exit_meaning meaning;

		if (number & RECORD_EVENT)
			break;
		if (unlikely(step == step_end || root > root_end ||
			     n > BATCH_ACCESSES - SHAPE_ACCESSES_MAX)) {
			result = 1;
			break;
		}
		meaning = number < exits ? exit[number]
					 : (struct exit_meaning){
						   .slots = EXIT_UNKNOWN
					   };
		slots = meaning.slots & EXIT_SLOTS;
		if (unlikely(meaning.slots & EXIT_UNKNOWN)) {
			result = fail(EPROTO,
				      "valgrind: a record of the unknown exit "
				      "%u",
				      number);
			break;
		}
		if (unlikely(at + 1 + slots > end)) {
			at = end; /* a snapshot: its last record is half */
			break;
		}
		memcpy(root, at + 1, 4 * sizeof(*root));
		if (unlikely(slots > 4))
			memcpy(root + 4, at + 5, (slots - 4) * sizeof(*root));
		n += unlikely(meaning.slots & EXIT_GUARDED)
			     ? accesses_made(code->stream, meaning.step, root)
			     : meaning.accesses;
		*step++ = meaning.step;
		root += slots;
		last = at;
		at += 1 + slots;
	}
	cursor->at = at;
	cursor->last = last;
	batch->n = n;
	batch->n_steps = (uint32_t)(step - batch->step);
	batch->n_roots = (uint32_t)(root - batch->root);
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

int
valgrind_code_fault(struct valgrind_code *code, struct batch *batch,
		    const struct valgrind_cursor *cursor, const uint64_t *word,
		    size_t n)
{
	uint64_t root[2 * SHAPE_SLOTS_MAX];
	const struct part *part;
	uint32_t number, start, slots;
	size_t from, to;

	if (n < 2 || n > SHAPE_SLOTS_MAX)
		return fail(EPROTO, "valgrind: a fault of %zu words", n);
	part = part_of_start(code, RECORD_EXIT(word[1]));
	to = part ? items_until(part, 0, word[0]) : 0;
	if (part && to < part->n_items) {
		memset(root, 0, sizeof(root));
		memcpy(root, word + 2, (n - 2) * sizeof(*root));
		return fault_step(code, batch, part, 0, to, root);
	}
	if (!cursor->last)
		return 0;
	number = start = RECORD_EXIT(*cursor->last);
	while (start && !part_of_start(code, start))
		start--;
	part = part_of_start(code, start);
	if (!part)
		return 0;
	from = items_behind_exit(part, number - start);
	to = items_until(part, from, word[0]);
	if (to == part->n_items)
		return 0;
	slots = code->exit[number].slots & EXIT_SLOTS;
	memset(root, 0, sizeof(root));
	memcpy(root, cursor->last + 1, slots * sizeof(*root));
	memcpy(root + slots, word + 1, (n - 1) * sizeof(*root));
	return fault_step(code, batch, part, from, to, root);
}
