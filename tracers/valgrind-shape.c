// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Items to shapes.  Instructions become fetches of straight-line blocks: a
 * block ends behind an instruction with an exit, where the next instruction
 * does not follow in memory, and at the end of a page.  A fetch stands before
 * the data of its instructions.
 */
#include "tracers/valgrind-shape.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "analyzer/fail.h"
#include "tracers/valgrind/ring.h"

#define PAGE	  UINT64_C(4096)
#define EXITS_MAX 1024

struct site_entry {
	struct site site;
	uint32_t ref;
	bool used;
};

struct shape_entry {
	XXH128_hash_t hash;
	uint32_t first, n; /* in step[] */
	bool used;
};

/* A shape in the making */
struct draft {
	uint16_t image;
	uint16_t n_accesses, n_slots, n_exits;
	struct shape_access access[SHAPE_ACCESSES_MAX];
	struct step exit[EXITS_MAX]; /* shape: not yet known */
	/* the open block, if its size is not 0 */
	struct site block;
	uint16_t block_access;
	uint64_t pc; /* of the instruction, whose data follow */
};

struct valgrind_shaper {
	struct stream *stream;
	bool fetch;
	struct site_entry *site;
	size_t sites, sites_room; /* room: a power of two */
	struct shape_entry *shape;
	size_t shapes, shapes_room;
	uint32_t *step; /* of all shapes, by exit */
	size_t steps, steps_room;
	struct draft draft;
};

int
valgrind_shaper_open(struct valgrind_shaper **out, struct stream *stream,
		     bool fetch)
{
	struct valgrind_shaper *shaper = calloc(1, sizeof(*shaper));

	if (!shaper)
		goto no_memory;
	shaper->stream = stream;
	shaper->fetch = fetch;
	shaper->sites_room = 1u << 14;
	shaper->shapes_room = 1u << 13;
	shaper->steps_room = 1u << 14;
	shaper->site = calloc(shaper->sites_room, sizeof(*shaper->site));
	shaper->shape = calloc(shaper->shapes_room, sizeof(*shaper->shape));
	shaper->step = calloc(shaper->steps_room, sizeof(*shaper->step));
	if (!shaper->site || !shaper->shape || !shaper->step)
		goto no_memory;
	*out = shaper;
	return 0;
no_memory:
	valgrind_shaper_close(shaper);
	return fail(ENOMEM, "valgrind: no memory for shapes");
}

void
valgrind_shaper_close(struct valgrind_shaper *shaper)
{
	if (!shaper)
		return;
	free(shaper->site);
	free(shaper->shape);
	free(shaper->step);
	free(shaper);
}

static bool
site_same(const struct site *a, const struct site *b)
{
	return a->pc == b->pc && a->size == b->size && a->image == b->image &&
	       a->kind == b->kind && a->instructions == b->instructions;
}

/* Its place, or the free one where it belongs. */
static struct site_entry *
site_place(struct site_entry *table, size_t room, const struct site *site)
{
	size_t at = XXH3_64bits(site, sizeof(*site)) & (room - 1);

	while (table[at].used && !site_same(&table[at].site, site))
		at = (at + 1) & (room - 1);
	return &table[at];
}

static int
sites_grow(struct valgrind_shaper *shaper)
{
	size_t room = 2 * shaper->sites_room;
	struct site_entry *table;

	if (2 * shaper->sites < shaper->sites_room)
		return 0;
	table = calloc(room, sizeof(*table));
	if (!table)
		return fail(ENOMEM, "valgrind: no memory for %zu sites", room);
	for (size_t i = 0; i < shaper->sites_room; i++) {
		const struct site_entry *old = &shaper->site[i];

		if (old->used)
			*site_place(table, room, &old->site) = *old;
	}
	free(shaper->site);
	shaper->site = table;
	shaper->sites_room = room;
	return 0;
}

static int
site_reference(struct valgrind_shaper *shaper, const struct site *site,
	       uint32_t *ref)
{
	struct site_entry *entry;
	int error = sites_grow(shaper);

	if (error)
		return error;
	entry = site_place(shaper->site, shaper->sites_room, site);
	if (!entry->used) {
		error = stream_site_add(shaper->stream, site, &entry->ref);
		if (error)
			return error;
		entry->site = *site;
		entry->used = true;
		shaper->sites++;
	}
	*ref = entry->ref;
	return 0;
}

static int
draft_access(struct draft *draft, const struct shape_access *access)
{
	if (draft->n_accesses == SHAPE_ACCESSES_MAX)
		return fail(EPROTO,
			    "valgrind: a superblock at %#llx of more "
			    "than %d accesses",
			    (unsigned long long)draft->pc, SHAPE_ACCESSES_MAX);
	draft->access[draft->n_accesses++] = *access;
	return 0;
}

static int
block_close(struct valgrind_shaper *shaper)
{
	struct draft *draft = &shaper->draft;
	struct site block = draft->block;

	if (!block.size)
		return 0;
	draft->block.size = 0;
	return site_reference(shaper, &block,
			      &draft->access[draft->block_access].ref);
}

/* length bytes at pc, on one page; begun: an instruction begins there. */
static int
block_extend(struct valgrind_shaper *shaper, uint64_t pc, uint64_t length,
	     bool begun)
{
	struct draft *draft = &shaper->draft;
	struct site *block = &draft->block;
	const struct shape_access fetch = { .displacement = (int64_t)pc };
	int error = 0;

	if (block->size && (block->pc + block->size != pc || pc % PAGE == 0 ||
			    block->instructions == UINT8_MAX))
		error = block_close(shaper);
	if (!error && !block->size) {
		*block = (struct site){
			.pc = pc,
			.image = draft->image,
			.kind = SITE_FETCH,
		};
		draft->block_access = draft->n_accesses;
		error = draft_access(draft, &fetch);
	}
	block->size += (uint32_t)length;
	block->instructions = (uint8_t)(block->instructions + begun);
	return error;
}

static int
item_instruction(struct valgrind_shaper *shaper, uint64_t item)
{
	uint64_t pc = ITEM_PC(item), length = ITEM_LENGTH(item);
	uint64_t here = PAGE - pc % PAGE;
	int error;

	shaper->draft.pc = pc;
	if (!shaper->fetch)
		return 0;
	if (!length) /* not decodable: Valgrind raises SIGILL there */
		length = 1;
	if (length <= here)
		return block_extend(shaper, pc, length, true);
	error = block_extend(shaper, pc, here, true);
	return error ? error
		     : block_extend(shaper, pc + here, length - here, false);
}

static int
item_access(struct valgrind_shaper *shaper, uint64_t item,
	    uint64_t displacement)
{
	struct draft *draft = &shaper->draft;
	struct shape_access access = {
		.displacement = (int64_t)displacement,
		.slot = (uint16_t)ITEM_SLOT(item),
		.guarded = (uint16_t)ITEM_GUARDED(item),
	};
	const struct site site = {
		.pc = draft->pc,
		.size = ITEM_SIZE(item),
		.image = draft->image,
		.kind = (uint8_t)ITEM_KIND(item),
	};
	int error = site_reference(shaper, &site, &access.ref);

	if (access.slot > draft->n_slots)
		draft->n_slots = access.slot;
	return error ? error : draft_access(draft, &access);
}

static int
draft_exit(struct draft *draft, unsigned slots)
{
	if (draft->n_exits == EXITS_MAX || slots > SHAPE_SLOTS_MAX ||
	    slots < draft->n_slots)
		return fail(EPROTO,
			    "valgrind: a superblock at %#llx with "
			    "wrong exits",
			    (unsigned long long)draft->pc);
	draft->n_slots = (uint16_t)slots;
	draft->exit[draft->n_exits++] = (struct step){
		.n_accesses = draft->n_accesses,
		.n_slots = (uint16_t)slots,
	};
	return 0;
}

static int
draft_make(struct valgrind_shaper *shaper, uint16_t image, const uint64_t *item,
	   size_t n)
{
	struct draft *draft = &shaper->draft;
	int error = 0;

	draft->image = image;
	draft->n_accesses = draft->n_slots = draft->n_exits = 0;
	draft->block.size = 0;
	draft->pc = 0;
	for (size_t i = 0; i < n && !error; i++) {
		switch (ITEM_TYPE(item[i])) {
		case ITEM_INSTRUCTION:
			error = item_instruction(shaper, item[i]);
			break;
		case ITEM_ACCESS:
			if (++i < n)
				error = item_access(shaper, item[i - 1],
						    item[i]);
			break;
		case ITEM_EXIT:
			if (!(item[i] & ITEM_EXIT_AGAIN))
				error = block_close(shaper);
			if (!error)
				error = draft_exit(draft,
						   ITEM_EXIT_SLOTS(item[i]));
			break;
		default:
			error = fail(EPROTO, "valgrind: unknown item %#llx",
				     (unsigned long long)item[i]);
		}
	}
	return error ? error : block_close(shaper);
}

/* Like site_place; 128 bits are taken for the content itself. */
static struct shape_entry *
shape_place(struct shape_entry *table, size_t room, XXH128_hash_t hash)
{
	size_t at = hash.low64 & (room - 1);

	while (table[at].used && !XXH128_isEqual(table[at].hash, hash))
		at = (at + 1) & (room - 1);
	return &table[at];
}

static int
shapes_grow(struct valgrind_shaper *shaper)
{
	size_t room = 2 * shaper->shapes_room;
	struct shape_entry *table;

	if (2 * shaper->shapes < shaper->shapes_room)
		return 0;
	table = calloc(room, sizeof(*table));
	if (!table)
		return fail(ENOMEM, "valgrind: no memory for %zu shapes", room);
	for (size_t i = 0; i < shaper->shapes_room; i++) {
		const struct shape_entry *old = &shaper->shape[i];

		if (old->used)
			*shape_place(table, room, old->hash) = *old;
	}
	free(shaper->shape);
	shaper->shape = table;
	shaper->shapes_room = room;
	return 0;
}

static int
steps_grow(struct valgrind_shaper *shaper, size_t more)
{
	size_t room = 2 * shaper->steps_room;
	uint32_t *step;

	if (shaper->steps + more <= shaper->steps_room)
		return 0;
	step = reallocarray(shaper->step, room, sizeof(*step));
	if (!step)
		return fail(ENOMEM, "valgrind: no memory for %zu steps", room);
	shaper->step = step;
	shaper->steps_room = room;
	return 0;
}

static XXH128_hash_t
draft_hash(const struct draft *draft)
{
	XXH3_state_t state;

	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, draft->access,
			    draft->n_accesses * sizeof(draft->access[0]));
	XXH3_128bits_update(&state, draft->exit,
			    draft->n_exits * sizeof(draft->exit[0]));
	return XXH3_128bits_digest(&state);
}

/* The draft as a new shape, with a step for each exit. */
static int
draft_store(struct valgrind_shaper *shaper, struct shape_entry *entry)
{
	struct draft *draft = &shaper->draft;
	uint32_t shape;
	int error;

	error = stream_shape_add(shaper->stream, draft->access,
				 draft->n_accesses, draft->n_slots, &shape);
	entry->first = (uint32_t)shaper->steps;
	entry->n = draft->n_exits;
	for (unsigned k = 0; k < draft->n_exits && !error; k++) {
		struct step step = draft->exit[k];

		step.shape = shape;
		error = stream_step_add(shaper->stream, &step,
					&shaper->step[shaper->steps + k]);
	}
	if (error)
		return error;
	shaper->steps += draft->n_exits;
	shaper->shapes++;
	entry->used = true;
	return 0;
}

static int
draft_steps(struct valgrind_shaper *shaper, struct valgrind_steps *steps)
{
	XXH128_hash_t hash = draft_hash(&shaper->draft);
	struct shape_entry *entry;
	int error = shapes_grow(shaper);

	if (!error)
		error = steps_grow(shaper, EXITS_MAX);
	if (error)
		return error;
	entry = shape_place(shaper->shape, shaper->shapes_room, hash);
	entry->hash = hash;
	if (!entry->used)
		error = draft_store(shaper, entry);
	if (error)
		return error;
	steps->first = shaper->step + entry->first;
	steps->n = entry->n;
	return 0;
}

int
valgrind_shaper_steps(struct valgrind_shaper *shaper, uint16_t image,
		      const uint64_t *item, size_t n,
		      struct valgrind_steps *steps)
{
	int error = draft_make(shaper, image, item, n);

	return error ? error : draft_steps(shaper, steps);
}

int
valgrind_shaper_partial(struct valgrind_shaper *shaper, uint16_t image,
			const uint64_t *item, size_t n, unsigned slots,
			struct valgrind_steps *steps)
{
	struct draft *draft = &shaper->draft;
	int error = draft_make(shaper, image, item, n);

	steps->n = 0;
	if (error || !draft->n_accesses)
		return error;
	draft->n_exits = 0;
	error = draft_exit(draft,
			   slots > draft->n_slots ? slots : draft->n_slots);
	return error ? error : draft_steps(shaper, steps);
}
