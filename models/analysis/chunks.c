// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts by aligned 2 MiB; see chunks.h. */
#include "models/analysis/chunks.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/paging/hash.h"

#define CHUNK_BYTES (UINT64_C(1) << CHUNK_SHIFT)
#define NO_REGION   UINT32_MAX

struct chunk {
	uint64_t base;	     /* first address */
	uint64_t start, end; /* of it, what is mapped, as far as known */
	uint64_t first, last;
	uint64_t walks, cycles;
	uint64_t faults, large;
	uint64_t touched[8]; /* a bit for each 4K */
	uint32_t space, region;
};

struct chunks {
	struct hash number; /* space, base -> index */
	struct chunk *chunk;
	size_t n, room;
	size_t recent; /* the one asked for last */
};

int
chunks_open(struct chunks **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : fail(ENOMEM, "regions: no memory");
}

void
chunks_close(struct chunks *chunks)
{
	if (!chunks)
		return;
	hash_fini(&chunks->number);
	free(chunks->chunk);
	free(chunks);
}

static uint64_t
key_of(uint32_t space, uint64_t base)
{
	return base >> CHUNK_SHIFT | (uint64_t)space << (64 - CHUNK_SHIFT);
}

static struct chunk *
chunk_add(struct chunks *chunks, const struct chunk_place *place, uint64_t base)
{
	struct chunk *chunk;

	if (chunks->n == chunks->room) {
		size_t room = chunks->room ? 2 * chunks->room : 256;
		struct chunk *grown =
			reallocarray(chunks->chunk, room, sizeof(*chunk));

		if (!grown)
			return NULL;
		chunks->chunk = grown;
		chunks->room = room;
	}
	if (hash_put(&chunks->number, key_of(place->space, base), chunks->n))
		return NULL;
	chunk = &chunks->chunk[chunks->n++];
	*chunk = (struct chunk){ .base = base,
				 .space = place->space,
				 .region = NO_REGION,
				 .first = place->position };
	return chunk;
}

/* The chunk of a place, which is noted in it. */
static struct chunk *
chunk_at(struct chunks *chunks, const struct chunk_place *place)
{
	uint64_t base = place->address & ~(CHUNK_BYTES - 1), start, end;
	struct chunk *chunk = chunks->recent < chunks->n
				      ? &chunks->chunk[chunks->recent]
				      : NULL;

	if (!chunk || chunk->base != base || chunk->space != place->space) {
		const uint64_t *number =
			hash_find(&chunks->number, key_of(place->space, base));

		chunk = number ? &chunks->chunk[*number]
			       : chunk_add(chunks, place, base);
		if (!chunk)
			return NULL;
		chunks->recent = (size_t)(chunk - chunks->chunk);
	}
	if (chunk->last < place->position)
		chunk->last = place->position;
	if (place->start >= place->end)
		return chunk;
	start = place->start > base ? place->start : base;
	end = place->end < base + CHUNK_BYTES ? place->end : base + CHUNK_BYTES;
	if (chunk->region == NO_REGION) {
		chunk->region = place->region;
		chunk->start = start;
		chunk->end = end;
	}
	if (chunk->start > start)
		chunk->start = start;
	if (chunk->end < end)
		chunk->end = end;
	return chunk;
}

int
chunks_walked(struct chunks *chunks, const struct chunk_place *place,
	      uint64_t cycles)
{
	struct chunk *chunk = chunk_at(chunks, place);

	if (!chunk)
		return fail(ENOMEM, "regions: no memory");
	chunk->walks++;
	chunk->cycles += cycles;
	return 0;
}

int
chunks_touched(struct chunks *chunks, const struct chunk_place *place)
{
	struct chunk *chunk = chunk_at(chunks, place);
	unsigned page = place->address >> 12 & 511;

	if (!chunk)
		return fail(ENOMEM, "regions: no memory");
	chunk->touched[page / 64] |= UINT64_C(1) << page % 64;
	return 0;
}

int
chunks_faulted(struct chunks *chunks, const struct chunk_place *place,
	       unsigned shift)
{
	struct chunk *chunk = chunk_at(chunks, place);

	if (!chunk)
		return fail(ENOMEM, "regions: no memory");
	chunk->faults++;
	chunk->large += shift >= CHUNK_SHIFT;
	return 0;
}

static int
order(const void *left, const void *right)
{
	const struct chunk *a = *(struct chunk *const *)left;
	const struct chunk *b = *(struct chunk *const *)right;

	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->base < b->base ? -1 : a->base > b->base;
}

static int
put_chunk(const struct chunk *chunk, const struct chunk_names *names,
	  struct result *result)
{
	const char *region =
		chunk->region == NO_REGION
			? NULL
			: names->region(names->context, chunk->region);
	const struct space *space =
		chunk->space < stream_spaces(names->stream)
			? stream_space(names->stream, chunk->space)
			: NULL;
	uint64_t touched = 0;

	for (size_t i = 0; i < ARRAY_SIZE(chunk->touched); i++)
		touched += (uint64_t)__builtin_popcountll(chunk->touched[i]);
	if (names->large)
		return result_row(result, "regions.2m", "uusxxnuuuuuu",
				  (uint64_t)chunk->space,
				  space ? (uint64_t)space->pid : UINT64_C(0),
				  region, chunk->start, chunk->end,
				  chunk->faults, chunk->large, chunk->walks,
				  chunk->cycles, chunk->first, chunk->last);
	return result_row(result, "regions.2m", "uusxxuuuuuuu",
			  (uint64_t)chunk->space,
			  space ? (uint64_t)space->pid : UINT64_C(0), region,
			  chunk->start, chunk->end, touched, chunk->faults,
			  chunk->large, chunk->walks, chunk->cycles,
			  chunk->first, chunk->last);
}

int
chunks_finish(const struct chunks *chunks, const struct chunk_names *names,
	      struct result *result)
{
	static const char *const columns[] = { "space:",
					       "process:",
					       "mapping:",
					       "start:",
					       "end:",
					       "touched:pages",
					       "faults:faults",
					       "large_faults:faults",
					       "walks:walks",
					       "walk_cycles:cycles",
					       "first:accesses",
					       "last:accesses",
					       NULL };
	struct chunk **sorted = calloc(chunks->n + 1, sizeof(*sorted));
	int error = -ENOMEM;

	if (sorted)
		error = result_table(result, "regions.2m",
				     "walks, faults and touched 4K pages of "
				     "each aligned 2 MiB, by space and address",
				     columns);
	for (size_t i = 0; !error && i < chunks->n; i++)
		sorted[i] = &chunks->chunk[i];
	if (!error)
		qsort(sorted, chunks->n, sizeof(*sorted), order);
	for (size_t i = 0; !error && i < chunks->n; i++)
		error = put_chunk(sorted[i], names, result);
	free(sorted);
	return error;
}
