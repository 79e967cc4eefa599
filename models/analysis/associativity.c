// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stack for each set of each number of sets, the latest first, cut off at the
 * most ways: a page found at depth d hits in d ways and more.
 *
 *	1 set	|p q r s ...|			depth of q: 2
 *	2 sets	|p r ...| |q s ...|		      q: 1
 *	4 sets	|p ...| |q ...| |r ...| |s|	      as there: on top
 *
 * A page on top of its set is on top of its smaller set, too, when sets are
 * halved (set refinement).  So the walk goes from one set to many and ends where
 * the page is on top: all that follow would hit at depth 1 and change nothing.
 *
 * An empty entry takes the next page that comes from below it, as no way that
 * holds it had to give one up; the page then leaves an empty one where it was.
 */
#include "models/analysis/associativity.h"

#include "analyzer/fail.h"
#include "analyzer/vectors.h"
#include "models/paging/lookup.h"

#include <stdlib.h>
#include <string.h>

#define EMPTY	    UINT32_MAX
#define LANES	    8u /* widths are whole vectors */
#define LEVELS	    (ASSOCIATIVITY_SETS_SHIFT + 1)
#define PAGES_FIRST 1024u

/* What a number stands for */
struct place {
	uint64_t page;
	uint32_t space;
};

struct level {
	uint32_t *set;				/* [2^level][width] */
	uint64_t found[ASSOCIATIVITY_WAYS + 1]; /* by depth - 1; [width]: not */
	uint64_t on_top; /* here, and so at all levels behind it */
};

struct associativity {
	struct model model;
	struct associativity_config config;
	const struct stream *stream;
	struct lookup lookup;
	struct place *place; /* owned: [room] */
	uint32_t pages, room;
	uint32_t *sets; /* owned: of all levels */
	unsigned width; /* ways, and what fills a vector */
	struct level level[LEVELS];
	uint64_t references;
	bool vectors; /* AVX2 is at hand */
};

static int
no_memory(void)
{
	return fail(ENOMEM, "associativity: no memory");
}

/* Where the page is in these entries; width: nowhere */
static unsigned
find(const uint32_t *set, unsigned from, unsigned width, uint32_t page)
{
	while (from < width && set[from] != page)
		from++;
	return from;
}

/* The page moved into an empty entry: where it was is one now. */
static unsigned
leave_empty(uint32_t *set, unsigned from, unsigned width, uint32_t page)
{
	unsigned depth = find(set, from, width, page);

	if (depth < width)
		set[depth] = EMPTY;
	return depth;
}

/* Put the page on top; where it was, from 0; width: it was not there */
static unsigned
touch_plainly(uint32_t *set, unsigned width, uint32_t page)
{
	unsigned end = 0;
	bool found;

	while (end < width && set[end] != page && set[end] != EMPTY)
		end++;
	found = end < width && set[end] == page;
	memmove(set + 1, set, (end < width ? end : width - 1) * sizeof(*set));
	set[0] = page;
	return found || end == width ? end
				     : leave_empty(set, end + 1, width, page);
}

/* The same: 8 entries move on at once. */
SHORT_VECTORS static ALWAYS_INLINE unsigned
touch_vectors(uint32_t *set, unsigned width, uint32_t page)
{
	const __m256i on = _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6);
	const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	const __m256i wanted = _mm256_set1_epi32((int)page);
	const __m256i empty = _mm256_set1_epi32(-1);
	__m256i first = wanted;

	for (unsigned at = 0; at < width; at += LANES) {
		__m256i *entries = (__m256i *)(void *)(set + at);
		__m256i old = _mm256_load_si256(entries);
		__m256i turned = _mm256_permutevar8x32_epi32(old, on);
		__m256i moved = _mm256_blend_epi32(turned, first, 1);
		unsigned hits = (unsigned)_mm256_movemask_ps(
			_mm256_castsi256_ps(_mm256_cmpeq_epi32(old, wanted)));
		unsigned ends =
			hits | (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(
				       _mm256_cmpeq_epi32(old, empty)));
		unsigned end;

		if (!ends) {
			_mm256_store_si256(entries, moved);
			first = turned;
			continue;
		}
		end = (unsigned)__builtin_ctz(ends);
		_mm256_store_si256(
			entries,
			_mm256_blendv_epi8(
				moved, old,
				_mm256_cmpgt_epi32(lane, _mm256_set1_epi32(
								 (int)end))));
		if (likely(hits >> end & 1))
			return at + end;
		return leave_empty(set, at + end + 1, width, page);
	}
	return width;
}

static ALWAYS_INLINE uint32_t *
set_of(const struct associativity *model, unsigned level, uint64_t page)
{
	uint64_t set = page & ((UINT64_C(1) << level) - 1);

	return model->level[level].set + set * model->width;
}

static void
take_plainly(struct associativity *model, const uint32_t *number, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t page = model->place[number[i]].page;

		for (unsigned k = 0; k <= model->config.sets_shift; k++) {
			uint32_t *set = set_of(model, k, page);

			if (set[0] == number[i]) {
				model->level[k].on_top++;
				break;
			}
			model->level[k].found[touch_plainly(set, model->width,
							    number[i])]++;
		}
	}
}

/* The same */
SHORT_VECTORS static void
take_by_vectors(struct associativity *model, const uint32_t *number, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t page = model->place[number[i]].page;

		for (unsigned k = 0; k <= model->config.sets_shift; k++) {
			uint32_t *set = set_of(model, k, page);

			if (set[0] == number[i]) {
				model->level[k].on_top++;
				break;
			}
			model->level[k].found[touch_vectors(set, model->width,
							    number[i])]++;
		}
	}
}

/* What was looked up goes through all shapes. */
static void
flush(struct associativity *model)
{
	struct lookup *lookup = &model->lookup;

	model->references += lookup->n;
	if (model->vectors)
		take_by_vectors(model, lookup->page, lookup->n);
	else
		take_plainly(model, lookup->page, lookup->n);
	lookup->n = 0;
}

static int
new_number(struct associativity *model, uint32_t space, uint64_t page,
	   uint32_t *number)
{
	if (model->pages == LOOKUP_MAX)
		return fail(ENOSPC, "associativity: more than %u pages",
			    LOOKUP_MAX);
	if (model->pages == model->room) {
		uint32_t room = model->room ? 2 * model->room : PAGES_FIRST;
		struct place *place =
			reallocarray(model->place, room, sizeof(*place));

		if (!place)
			return no_memory();
		model->place = place;
		model->room = room;
	}
	*number = model->pages++;
	model->place[*number] = (struct place){ page, space };
	return lookup_set(&model->lookup, space, page,
			  (*number + LOOKUP_FIRST) | LOOKUP_WRITABLE);
}

/* A run of pages, some of which may be new */
static int
refer(struct associativity *model, uint32_t space, struct lookup_pages pages)
{
	struct lookup *lookup = &model->lookup;
	int error = 0;

	for (uint64_t page = pages.first; !error; page++) {
		uint32_t value = lookup_get(lookup, space, page);
		uint32_t number = (value & ~LOOKUP_WRITABLE) - LOOKUP_FIRST;

		if (!value)
			error = new_number(model, space, page, &number);
		if (lookup->n == LOOKUP_REFERENCES)
			flush(model);
		if (!error)
			lookup_refer(lookup, number, false, 0);
		if (page == pages.last)
			break;
	}
	return error;
}

static int
feed_accesses(struct associativity *model, const struct batch *batch,
	      uint32_t from, uint32_t to)
{
	struct lookup *lookup = &model->lookup;
	int error = 0;

	while (!error && from < to) {
		if (lookup->n > LOOKUP_REFERENCES - 2 * BATCH_ACCESSES)
			flush(model);
		from = lookup_scan(lookup, batch, from, to, 0);
		if (from == to)
			break;
		error = refer(model, batch->space,
			      lookup_pages(lookup, batch, from++));
	}
	return error;
}

static void
invalidate(struct associativity *model, uint32_t number)
{
	for (unsigned k = 0; k <= model->config.sets_shift; k++)
		leave_empty(set_of(model, k, model->place[number].page), 0,
			    model->width, number);
	if (model->lookup.last == number)
		model->lookup.last = UINT32_MAX;
}

/* What is mapped there is no longer, or is something else now. */
static void
invalidate_range(struct associativity *model, uint32_t space, uint64_t address,
		 uint64_t length)
{
	uint64_t first = address >> model->config.shift, last;

	if (!length || address + length < address)
		return;
	last = (address + length - 1) >> model->config.shift;
	flush(model);
	if (last - first < model->pages) {
		for (uint64_t page = first; page <= last; page++) {
			uint32_t value =
				lookup_get(&model->lookup, space, page);

			if (value)
				invalidate(model, (value & ~LOOKUP_WRITABLE) -
							  LOOKUP_FIRST);
		}
		return;
	}
	for (uint32_t i = 0; i < model->pages; i++)
		if (model->place[i].space == space &&
		    model->place[i].page >= first &&
		    model->place[i].page <= last)
			invalidate(model, i);
}

static void
feed_event(struct associativity *model, const struct batch *batch,
	   const struct event *event)
{
	if (event->type == EVENT_UNMAP || event->type == EVENT_MAP ||
	    event->type == EVENT_REMAP)
		invalidate_range(model, batch->space, event->address,
				 event->length);
}

static int
associativity_feed(struct model *base, const struct batch *batch)
{
	struct associativity *model = (struct associativity *)base;
	uint32_t from = 0;
	int error = 0;

	for (uint32_t i = 0; !error && i < batch->n_events; i++) {
		const struct event *event = &batch->event[i];

		error = feed_accesses(model, batch, from, event->position);
		from = event->position;
		feed_event(model, batch, event);
	}
	if (!error)
		error = feed_accesses(model, batch, from, batch->n);
	flush(model);
	return error;
}

static void
associativity_close(struct model *base)
{
	struct associativity *model = (struct associativity *)base;

	if (!model)
		return;
	lookup_fini(&model->lookup);
	free(model->place);
	free(model->sets);
	free(model);
}

static const struct model_methods associativity_methods = {
	.feed = associativity_feed,
	.close = associativity_close,
};

static int
open_sets(struct associativity *model)
{
	/* 1 + 2 + 4 + ... */
	size_t sets = ((size_t)2 << model->config.sets_shift) - 1;
	size_t bytes = sets * model->width * sizeof(*model->sets);
	uint32_t *at;

	model->sets = aligned_alloc(LANES * sizeof(*model->sets), bytes);
	if (!model->sets)
		return no_memory();
	memset(model->sets, 0xff, bytes);
	at = model->sets;
	for (unsigned k = 0; k <= model->config.sets_shift; k++) {
		model->level[k].set = at;
		at += ((size_t)1 << k) * model->width;
	}
	return 0;
}

int
associativity_open(struct model **out,
		   const struct associativity_config *config,
		   const struct stream *stream)
{
	struct associativity *model = calloc(1, sizeof(*model));
	int error;

	if (!model)
		return no_memory();
	model->model.methods = &associativity_methods;
	model->config = *config;
	model->stream = stream;
	model->width = (config->ways + LANES - 1) / LANES * LANES;
	model->vectors = short_vectors_at_hand();
	error = lookup_init(&model->lookup, stream, config->shift,
			    config->fetches);
	if (!error)
		error = open_sets(model);
	if (error)
		associativity_close(&model->model);
	else
		*out = &model->model;
	return error;
}

uint64_t
associativity_references(const struct model *base)
{
	return ((const struct associativity *)base)->references;
}

uint64_t
associativity_misses(const struct model *base, unsigned sets_shift,
		     unsigned ways)
{
	const struct associativity *model = (const void *)base;
	uint64_t misses = 0;

	for (unsigned depth = ways; depth <= model->width; depth++)
		misses += model->level[sets_shift].found[depth];
	return misses;
}

int
associativity_result(const struct model *base, uint64_t accesses,
		     struct result *result)
{
	static const char *const columns[] = {
		"sets:sets",   "ways:ways",	"entries:entries",
		"bytes:bytes", "misses:misses", "ratio:",
		NULL
	};
	const struct associativity *model = (const void *)base;
	int error = result_table(result, "associativity",
				 "Misses of TLBs or caches of all shapes, with "
				 "LRU in their sets; ratio: of the accesses",
				 columns);

	for (unsigned k = 0; k <= model->config.sets_shift; k++)
		for (unsigned ways = 1; !error && ways <= model->config.ways;
		     ways++) {
			uint64_t sets = UINT64_C(1) << k;
			uint64_t misses = associativity_misses(base, k, ways);

			error = result_row(result, "associativity", "uuuuud",
					   sets, (uint64_t)ways, sets * ways,
					   sets * ways << model->config.shift,
					   misses,
					   accesses ? (double)misses /
							      (double)accesses
						    : 0);
		}
	return error;
}
