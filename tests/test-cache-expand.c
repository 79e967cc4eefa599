// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records of the engine `cache` become roots as cache-track.h says, with
 * vectors and without: blocks of random fixes, in records of all lengths.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tracers/cache-code.h"
#include "tracers/cache-expand.h"
#include "tracers/cache-layout.h"
#include "tracers/tracer.h"

#define BLOCKS	    400
#define RECORDS	    30000
#define WORDS_MAX   40
#define FIXES_MAX   12
#define FIRST	    (CALL_OUTCOME + 1)
#define FS	    UINT64_C(0x7f1234567890)
#define SLACK_WORDS 16

struct made_block {
	struct cache_block block;
	struct cache_place place[2];
	struct cache_access access[WORDS_MAX + 1];
	struct cache_fix fix[FIXES_MAX];
	unsigned words;
};

struct made {
	struct made_block block[BLOCKS];
	struct cache_code *code;
	uint64_t *word;
	size_t n_words;
	unsigned of[RECORDS]; /* the record's block */
};

struct expanded {
	uint32_t *step;
	uint64_t *root;
	size_t n_steps, n_roots;
	uint64_t accesses;
};

static uint64_t seed = 1;

static unsigned
below(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* Most records are short, so that each way of making them is taken. */
static unsigned
some_words(void)
{
	static const unsigned most[] = { 4, 8, 9, 16, 17, WORDS_MAX };

	return below(most[below(ARRAY_SIZE(most))] + 1);
}

static void
make_fixes(struct made_block *made)
{
	bool used[WORDS_MAX + 1] = { false };
	unsigned most = below(FIXES_MAX + 1);

	for (unsigned i = 0; i < most && made->words; i++) {
		struct cache_fix *fix = &made->fix[made->block.n_fixes];
		unsigned slot = 1 + below(made->words);

		if (used[slot])
			continue;
		used[slot] = true;
		*fix = (struct cache_fix){
			.slot = (uint16_t)slot,
			.base = (uint16_t)below(made->words + 1),
			.index = (uint16_t)below(made->words + 1),
			.fs = below(3) == 0,
		};
		if (fix->index)
			fix->shift = (uint8_t)below(4);
		made->block.n_fixes++;
	}
}

/* One instruction, with an access at each root and one that has none */
static void
make_block(struct made *made, unsigned number)
{
	struct made_block *one = &made->block[number];
	struct cache_outcome *outcome = &made->code->outcome[FIRST + number];

	one->words = some_words();
	one->place[0] = (struct cache_place){ .pc = 0x400000 + 16 * number,
					      .length = 4 };
	one->place[1] = (struct cache_place){
		.accesses = (uint16_t)(one->words + 1),
	};
	for (unsigned i = 0; i <= one->words; i++)
		one->access[i] =
			(struct cache_access){ .slot = (uint16_t)i, .size = 8 };
	make_fixes(one);
	one->block.place = one->place;
	one->block.access = one->access;
	one->block.fix = one->fix;
	*outcome = (struct cache_outcome){
		.block = &one->block,
		.instructions = 1,
		.accesses = one->place[1].accesses,
		.words = (uint16_t)one->words,
		.fixes = one->block.n_fixes,
	};
}

static void
make(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->code = calloc(1, sizeof(*made->code));
	assert_non_null(made->code);
	made->code->outcome =
		calloc(FIRST + BLOCKS, sizeof(*made->code->outcome));
	made->word = calloc(RECORDS * (WORDS_MAX + 1) + SLACK_WORDS,
			    sizeof(*made->word));
	assert_non_null(made->code->outcome);
	assert_non_null(made->word);
	for (unsigned i = 0; i < BLOCKS; i++)
		make_block(made, i);
	for (unsigned i = 0; i < RECORDS; i++) {
		unsigned words, number = below(BLOCKS);

		made->of[i] = number;
		words = made->block[number].words;
		/* The header's upper half is not written in the target */
		made->word[made->n_words++] =
			(uint64_t)below(1u << 30) << 32 |
			RECORD_HEADER(FIRST + number, words);
		for (unsigned k = 0; k < words; k++)
			made->word[made->n_words++] = (uint64_t)below(1u << 30)
							      << 34 ^
						      below(1u << 30);
	}
}

static void
unmake(struct made *made)
{
	free(made->code->outcome);
	free(made->code);
	free(made->word);
}

static void
keep(struct expanded *to, const struct batch *batch)
{
	memcpy(to->step + to->n_steps, batch->step,
	       batch->n_steps * sizeof(*to->step));
	memcpy(to->root + to->n_roots, batch->root,
	       batch->n_roots * sizeof(*to->root));
	to->n_steps += batch->n_steps;
	to->n_roots += batch->n_roots;
	to->accesses += batch->n;
}

/* Into batches, of which there are many; cut in two segments somewhere */
static void
expand_segment(struct cache_expander *expander,
	       const struct cache_segment *segment, struct batch *batch,
	       struct expanded *to)
{
	int result;

	do {
		result = expander_append(expander, segment, batch);
		assert_true(result >= 0);
		assert_true(batch->n_steps <= BATCH_ACCESSES);
		assert_true(batch->n_roots <= BATCH_ACCESSES);
		assert_true(batch->n <= BATCH_ACCESSES);
		keep(to, batch);
		batch_reset(batch);
	} while (result);
}

static void
expand(struct made *made, struct expanded *to, bool vectors)
{
	struct cache_expander *expander;
	struct stream *stream;
	struct batch batch;
	struct space space = { .pid = 1, .parent = SPACE_NONE };
	struct cache_segment segment = { .kind = SEGMENT_RECORDS,
					 .code = made->code,
					 .word = made->word,
					 .n_words = made->n_words,
					 .fs = FS };

	memset(to, 0, sizeof(*to));
	to->step = calloc(RECORDS, sizeof(*to->step));
	to->root = calloc(made->n_words, sizeof(*to->root));
	made->code->meaning =
		calloc(FIRST + BLOCKS, sizeof(*made->code->meaning));
	assert_non_null(to->step);
	assert_non_null(to->root);
	assert_non_null(made->code->meaning);
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(stream_space_add(stream, &space, &segment.space), 0);
	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(expander_open(&expander, stream, TRACER_DATA), 0);
	if (!vectors)
		expander_forgo_vectors(expander);
	expand_segment(expander, &segment, &batch, to);
	assert_int_equal(to->n_steps, RECORDS);
	for (unsigned i = 0; i < RECORDS; i++)
		assert_int_equal(stream_step(stream, to->step[i])->n_slots,
				 made->block[made->of[i]].words);
	expander_close(expander);
	batch_fini(&batch);
	stream_close(stream);
	free(made->code->meaning);
}

static uint64_t
root_of(const struct made_block *block, const uint64_t *at, unsigned slot)
{
	for (unsigned i = 0; i < block->block.n_fixes; i++) {
		const struct cache_fix *fix = &block->fix[i];

		if (fix->slot == slot)
			return (fix->base ? at[fix->base] : 0) +
			       (fix->index ? at[fix->index] << fix->shift : 0) +
			       (fix->fs ? FS : 0);
	}
	return at[slot];
}

static void
check(struct made *made, bool vectors)
{
	const uint64_t *at = made->word;
	uint64_t accesses = 0;
	struct expanded got;
	size_t root = 0;

	expand(made, &got, vectors);
	for (unsigned i = 0; i < RECORDS; i++) {
		const struct made_block *block = &made->block[made->of[i]];

		for (unsigned slot = 1; slot <= block->words; slot++)
			assert_int_equal(got.root[root++],
					 root_of(block, at, slot));
		accesses += block->words + 1;
		at += 1 + block->words;
	}
	assert_int_equal(got.n_roots, root);
	assert_int_equal(got.accesses, accesses);
	free(got.step);
	free(got.root);
}

static void
test_roots_are_the_sums_that_fixes_say(void **state)
{
	static struct made made;

	(void)state;
	make(&made);
	check(&made, true);
	check(&made, false);
	unmake(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots_are_the_sums_that_fixes_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
