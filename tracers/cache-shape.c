// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-shape.h"
#include "analyzer/base.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/step.h"
#include "tracers/tracer.h"

#define PAGE		   UINT64_C(4096)
#define FETCH_INSTRUCTIONS 255

/* A shape in the making */
struct draft {
	struct shape_access access[SHAPE_ACCESSES_MAX];
	uint16_t n;
	/* Where the pieces end, and what follows each */
	uint16_t end[BLOCK_SPECIALS + 1];
	const struct cache_special *special[BLOCK_SPECIALS + 1];
	unsigned n_ends;
	struct site fetch; /* the open one, if its size is not 0 */
	uint16_t fetch_at;
};

/* The steps of a repeated instruction are prefixes of one shape, in which its
 * accesses stand RUN_TIMES times. */
struct cache_run {
	struct cache_run *next; /* of all with the same first site */
	struct cache_repeat repeat;
	uint32_t shape;
	uint32_t step[RUN_TIMES]; /* of i + 1 times: its number + 1; 0: none */
};

struct cache_shaper {
	struct stream *stream;
	struct code *sites; /* of the step engine: each site once */
	bool data, fetch;
	uint32_t *single; /* by site index: step + 1 */
	size_t singles;
	struct cache_run **runs; /* by index of the first site; all owned */
	size_t n_runs;
	struct draft draft;
	struct cache_piece piece[BLOCK_SPECIALS + 1];
};

int
shaper_open(struct cache_shaper **out, struct stream *stream, unsigned kinds)
{
	struct cache_shaper *shaper = calloc(1, sizeof(*shaper));

	if (!shaper)
		return fail(ENOMEM, "cache: no memory");
	shaper->stream = stream;
	shaper->data = kinds & TRACER_DATA;
	shaper->fetch = kinds & TRACER_FETCH;
	if (code_open(&shaper->sites, stream)) {
		free(shaper);
		return -ENOMEM;
	}
	*out = shaper;
	return 0;
}

void
shaper_close(struct cache_shaper *shaper)
{
	if (!shaper)
		return;
	for (size_t i = 0; i < shaper->n_runs; i++)
		while (shaper->runs[i]) {
			struct cache_run *run = shaper->runs[i];

			shaper->runs[i] = run->next;
			free(run);
		}
	free(shaper->runs);
	code_close(shaper->sites);
	free(shaper->single);
	free(shaper);
}

static int
draft_access(struct draft *draft, int64_t displacement, unsigned slot,
	     uint32_t ref)
{
	if (draft->n == SHAPE_ACCESSES_MAX)
		return fail(EPROTO, "cache: a superblock of too many accesses");
	draft->access[draft->n++] = (struct shape_access){
		.displacement = displacement,
		.slot = (uint16_t)slot,
		.ref = ref,
	};
	return 0;
}

static int
fetch_close(struct cache_shaper *shaper)
{
	struct draft *draft = &shaper->draft;
	struct site fetch = draft->fetch;

	draft->fetch.size = 0;
	if (!fetch.size)
		return 0;
	return code_site(shaper->sites, &fetch,
			 &draft->access[draft->fetch_at].ref);
}

/* length bytes on one page; begun: an instruction begins there */
static int
fetch_extend(struct cache_shaper *shaper, uint16_t image, uint64_t pc,
	     uint64_t length, bool begun)
{
	struct draft *draft = &shaper->draft;
	struct site *fetch = &draft->fetch;
	int error = 0;

	if (fetch->size && (fetch->pc + fetch->size != pc || pc % PAGE == 0 ||
			    fetch->instructions == FETCH_INSTRUCTIONS))
		error = fetch_close(shaper);
	if (!error && !fetch->size) {
		*fetch = (struct site){ .pc = pc,
					.image = image,
					.kind = SITE_FETCH };
		draft->fetch_at = draft->n;
		error = draft_access(draft, (int64_t)pc, 0, 0);
	}
	fetch->size += (uint32_t)length;
	fetch->instructions = (uint8_t)(fetch->instructions + begun);
	return error;
}

static int
fetch_instruction(struct cache_shaper *shaper, uint16_t image,
		  const struct cache_place *place)
{
	uint64_t here = PAGE - place->pc % PAGE;
	int error;

	if (place->length <= here)
		return fetch_extend(shaper, image, place->pc, place->length,
				    true);
	error = fetch_extend(shaper, image, place->pc, here, true);
	return error ? error
		     : fetch_extend(shaper, image, place->pc + here,
				    place->length - here, false);
}

static int
data_accesses(struct cache_shaper *shaper, uint16_t image,
	      const struct cache_block *block, unsigned k)
{
	const struct cache_place *place = &block->place[k];
	struct draft *draft = &shaper->draft;
	int error = 0;

	for (unsigned i = place->accesses; i < place[1].accesses && !error;
	     i++) {
		const struct cache_access *access = &block->access[i];
		const struct site site = {
			.pc = place->pc,
			.size = access->size,
			.image = image,
			.kind = access->kind,
		};
		uint32_t ref;

		error = code_site(shaper->sites, &site, &ref);
		if (!error)
			error = draft_access(draft, access->displacement,
					     access->slot, ref);
	}
	for (unsigned i = place->specials; i < place[1].specials; i++) {
		draft->special[draft->n_ends] = &block->special[i];
		draft->end[draft->n_ends++] = draft->n;
	}
	return error;
}

static int
draft_make(struct cache_shaper *shaper, uint16_t image,
	   const struct cache_outcome *outcome)
{
	const struct cache_block *block = outcome->block;
	struct draft *draft = &shaper->draft;
	int error = 0;

	draft->n = 0;
	draft->n_ends = 0;
	draft->fetch.size = 0;
	for (unsigned k = 0; k < outcome->instructions && !error; k++) {
		const struct cache_place *place = &block->place[k];

		if (shaper->fetch)
			error = fetch_instruction(shaper, image, place);
		if (!error && shaper->data)
			error = data_accesses(shaper, image, block, k);
		if (!error && place->flow != FLOW_NEXT)
			error = fetch_close(shaper);
	}
	draft->special[draft->n_ends] = NULL;
	draft->end[draft->n_ends++] = draft->n;
	return error ? error : fetch_close(shaper);
}

static int
piece_make(struct cache_shaper *shaper, const struct shape_access *access,
	   unsigned n, unsigned words, struct cache_piece *piece)
{
	struct step step = { .n_accesses = (uint16_t)n,
			     .n_slots = (uint16_t)words };
	int error;

	piece->accesses = (uint16_t)n;
	piece->some = n > 0;
	if (!n)
		return 0;
	error = stream_shape_add(shaper->stream, access, n, words, &step.shape);
	return error ? error
		     : stream_step_add(shaper->stream, &step, &piece->step);
}

static bool
is_plain(const struct cache_special *special)
{
	const struct instruction *instruction = &special->instruction;

	if (!instruction->repeated || instruction->address32 ||
	    instruction->n_operands > RUN_ACCESSES)
		return false;
	for (unsigned i = 0; i < instruction->n_operands; i++) {
		const struct operand *operand = &instruction->operand[i];

		if (operand->form != OPERAND_PLAIN || operand->index >= 0 ||
		    (operand->base != RSI && operand->base != RDI) ||
		    operand->segment)
			return false;
	}
	return instruction->n_operands > 0;
}

int
shaper_pieces(struct cache_shaper *shaper, uint16_t image,
	      const struct cache_outcome *outcome,
	      const struct cache_piece **pieces, size_t *n)
{
	struct draft *draft = &shaper->draft;
	int error = draft_make(shaper, image, outcome);
	unsigned from = 0;

	for (unsigned i = 0; i < draft->n_ends && !error; i++) {
		struct cache_piece *piece = &shaper->piece[i];

		error = piece_make(shaper, draft->access + from,
				   draft->end[i] - from, outcome->words, piece);
		piece->special = draft->special[i];
		piece->run = NULL;
		piece->plain = piece->special && is_plain(piece->special);
		from = draft->end[i];
	}
	*pieces = shaper->piece;
	*n = draft->n_ends;
	return error;
}

int
shaper_single(struct cache_shaper *shaper, const struct site *site,
	      uint32_t *step)
{
	struct shape_access access = { .slot = 1 };
	struct cache_piece piece;
	uint32_t index;
	int error = code_site(shaper->sites, site, &access.ref);

	if (error)
		return error;
	index = SITE_INDEX(access.ref);
	if (index >= shaper->singles) {
		size_t size = 2 * (size_t)index + 1024;
		uint32_t *table =
			reallocarray(shaper->single, size, sizeof(*table));

		if (!table)
			return fail(ENOMEM, "cache: no memory");
		memset(table + shaper->singles, 0,
		       (size - shaper->singles) * sizeof(*table));
		shaper->single = table;
		shaper->singles = size;
	}
	if (!shaper->single[index]) {
		error = piece_make(shaper, &access, 1, 1, &piece);
		if (error)
			return error;
		shaper->single[index] = piece.step + 1;
	}
	*step = shaper->single[index] - 1;
	return 0;
}

static int
runs_grow(struct cache_shaper *shaper, uint32_t index)
{
	size_t size = 2 * (size_t)index + 1024;
	struct cache_run **table;

	if (index < shaper->n_runs)
		return 0;
	table = reallocarray(shaper->runs, size, sizeof(*table));
	if (!table)
		return fail(ENOMEM, "cache: no memory");
	memset(table + shaper->n_runs, 0,
	       (size - shaper->n_runs) * sizeof(*table));
	shaper->runs = table;
	shaper->n_runs = size;
	return 0;
}

static int
run_make(struct cache_shaper *shaper, const struct cache_repeat *repeat,
	 struct cache_run **out)
{
	struct shape_access access[RUN_TIMES * RUN_ACCESSES];
	struct cache_run *run = calloc(1, sizeof(*run));
	uint32_t ref[RUN_ACCESSES];
	unsigned n = 0;
	int error = run ? 0 : fail(ENOMEM, "cache: no memory");

	for (unsigned i = 0; i < repeat->n && !error; i++)
		error = code_site(shaper->sites, &repeat->site[i], &ref[i]);
	for (unsigned time = 0; time < RUN_TIMES && !error; time++)
		for (unsigned i = 0; i < repeat->n; i++)
			access[n++] = (struct shape_access){
				.displacement = (int64_t)time * repeat->by[i],
				.slot = (uint16_t)(i + 1),
				.ref = ref[i],
			};
	if (!error)
		error = stream_shape_add(shaper->stream, access, n, repeat->n,
					 &run->shape);
	if (error) {
		free(run);
		return error;
	}
	run->repeat = *repeat;
	*out = run;
	return 0;
}

static bool
is_same(const struct cache_repeat *a, const struct cache_repeat *b)
{
	return a->n == b->n && !memcmp(a->by, b->by, sizeof(a->by)) &&
	       !memcmp(a->site, b->site, sizeof(a->site));
}

int
shaper_run(struct cache_shaper *shaper, const struct cache_repeat *repeat,
	   struct cache_run **run)
{
	struct cache_run **place;
	uint32_t ref;
	int error;

	if (*run && is_same(&(*run)->repeat, repeat))
		return 0;
	error = code_site(shaper->sites, &repeat->site[0], &ref);
	if (!error)
		error = runs_grow(shaper, SITE_INDEX(ref));
	if (error)
		return error;
	place = &shaper->runs[SITE_INDEX(ref)];
	while (*place && !is_same(&(*place)->repeat, repeat))
		place = &(*place)->next;
	if (!*place)
		error = run_make(shaper, repeat, place);
	if (!error)
		*run = *place;
	return error;
}

int
shaper_run_step(struct cache_shaper *shaper, struct cache_run *run,
		unsigned times, uint32_t *step)
{
	const unsigned n = run->repeat.n;
	const struct step wanted = { .shape = run->shape,
				     .n_accesses = (uint16_t)(times * n),
				     .n_slots = (uint16_t)n };

	if (!run->step[times - 1]) {
		int error = stream_step_add(shaper->stream, &wanted, step);

		if (error)
			return error;
		run->step[times - 1] = *step + 1;
	}
	*step = run->step[times - 1] - 1;
	return 0;
}
