// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What rep repeats, and lanes that a mask chooses, become as few steps as can
 * be and the same accesses: one by one, in order.
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

#define NUMBER	    (CALL_OUTCOME + 1)
#define PC	    0x400000
#define SLACK_WORDS 16
#define ACCESSES    60000

/* A block of one instruction, whose record is words in this order */
enum {
	WORD_RDI = 1,
	WORD_RSI,
	WORD_RCX, /* the mask, for lanes */
	WORD_RCX_AFTER,
	WORD_RSI_AFTER,
	WORD_RDI_AFTER,
	WORDS = WORD_RDI_AFTER
};

struct rig {
	struct stream *stream;
	struct cache_expander *expander;
	struct batch batch;
	struct cache_code *code;
	struct cache_special special;
	struct cache_place place[2];
	struct cache_block block;
	uint64_t word[1 + WORDS + SLACK_WORDS];
	/* What came of it */
	uint64_t address[ACCESSES];
	uint32_t site[ACCESSES];
	size_t n, n_steps;
};

static void
rig_open(struct rig *rig, const char *bytes, size_t n_bytes)
{
	const struct space space = { .pid = 1, .parent = SPACE_NONE };
	struct cache_special *special = &rig->special;
	uint32_t number;

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(stream_open(&rig->stream), 0);
	assert_int_equal(stream_space_add(rig->stream, &space, &number), 0);
	assert_int_equal(batch_init(&rig->batch), 0);
	assert_int_equal(expander_open(&rig->expander, rig->stream,
				       TRACER_DATA),
			 0);
	rig->code = calloc(1, sizeof(*rig->code));
	assert_non_null(rig->code);
	rig->code->outcome = calloc(NUMBER + 1, sizeof(*rig->code->outcome));
	rig->code->meaning = calloc(NUMBER + 1, sizeof(*rig->code->meaning));
	assert_non_null(rig->code->outcome);
	assert_non_null(rig->code->meaning);
	assert_int_equal(instruction_decode(&special->instruction, PC,
					    (const uint8_t *)bytes, n_bytes),
			 0);
	special->general[RDI] = (struct cache_value){ VALUE_WORD, WORD_RDI, 0 };
	special->general[RSI] = (struct cache_value){ VALUE_WORD, WORD_RSI, 0 };
	special->general[RCX] = (struct cache_value){ VALUE_WORD, WORD_RCX, 0 };
	special->opmask_word = WORD_RCX;
	special->after[0] = WORD_RCX_AFTER;
	special->after[1] = WORD_RSI_AFTER;
	special->after[2] = WORD_RDI_AFTER;
	rig->place[0] = (struct cache_place){ .pc = PC, .length = 4 };
	rig->place[1] = (struct cache_place){ .specials = 1 };
	rig->block.place = rig->place;
	rig->block.special = special;
	rig->code->outcome[NUMBER] = (struct cache_outcome){
		.block = &rig->block,
		.instructions = 1,
		.words = WORDS,
		.specials = 1,
	};
	rig->word[0] = RECORD_HEADER(NUMBER, WORDS);
	rig->word[WORD_RDI] = 0x10000;
	rig->word[WORD_RSI] = 0x7f0000000000;
}

static void
rig_close(struct rig *rig)
{
	expander_close(rig->expander);
	batch_fini(&rig->batch);
	stream_close(rig->stream);
	free(rig->code->outcome);
	free(rig->code->meaning);
	free(rig->code);
}

static void
rig_expand(struct rig *rig)
{
	const struct cache_segment segment = { .kind = SEGMENT_RECORDS,
					       .code = rig->code,
					       .word = rig->word,
					       .n_words = 1 + WORDS };
	struct batch *batch = &rig->batch;
	int result;

	rig->n = rig->n_steps = 0;
	do {
		result = expander_append(rig->expander, &segment, batch);
		assert_true(result >= 0);
		assert_true(batch->n <= BATCH_ACCESSES);
		rig->n_steps += batch->n_steps;
		batch_expand(batch, rig->stream);
		assert_true(rig->n + batch->n <= ACCESSES);
		memcpy(rig->address + rig->n, batch->address,
		       batch->n * sizeof(*rig->address));
		memcpy(rig->site + rig->n, batch->site,
		       batch->n * sizeof(*rig->site));
		rig->n += batch->n;
		batch_reset(batch);
	} while (result);
}

/* It has run so many times, of so many bytes each, upwards or downwards. */
static void
set_times(struct rig *rig, uint64_t times, int64_t by)
{
	rig->word[WORD_RCX] = times + 5;
	rig->word[WORD_RCX_AFTER] = 5;
	rig->word[WORD_RSI_AFTER] = rig->word[WORD_RSI] + times * (uint64_t)by;
	rig->word[WORD_RDI_AFTER] = rig->word[WORD_RDI] + times * (uint64_t)by;
}

static void
is_access(const struct rig *rig, size_t i, uint64_t address,
	  enum site_kind kind, unsigned size)
{
	const struct site *site =
		stream_site(rig->stream, SITE_INDEX(rig->site[i]));

	assert_int_equal(rig->address[i], address);
	assert_int_equal(SITE_KIND(rig->site[i]), kind);
	assert_int_equal(site->size, size);
	assert_int_equal(site->pc, PC);
}

static const uint64_t some_times[] = {
	0, 1, 2, 63, 64, 65, 128, 1000, 20000, 0
};

static void
check_fill(int64_t by)
{
	static struct rig rig;

	rig_open(&rig, "\xf3\xaa", 2); /* rep stosb */
	rig.special.after[1] = 0;
	for (size_t k = 0; k < ARRAY_SIZE(some_times); k++) {
		uint64_t times = some_times[k];

		set_times(&rig, times, by);
		rig_expand(&rig);
		assert_int_equal(rig.n, times);
		assert_int_equal(rig.n_steps, (times + 63) / 64);
		for (size_t i = 0; i < times; i++)
			is_access(&rig, i,
				  rig.word[WORD_RDI] + i * (uint64_t)by,
				  SITE_STORE, 1);
	}
	rig_close(&rig);
}

static void
test_a_fill_is_few_steps(void **state)
{
	(void)state;
	check_fill(1);
	check_fill(-1);
}

static void
check_copy(struct rig *rig, int64_t by)
{
	for (size_t k = 0; k < ARRAY_SIZE(some_times); k++) {
		uint64_t times = some_times[k];

		set_times(rig, times, by);
		rig_expand(rig);
		assert_int_equal(rig->n, 2 * times);
		assert_int_equal(rig->n_steps, (times + 63) / 64);
		for (size_t i = 0; i < times; i++) {
			uint64_t on = i * (uint64_t)by;

			is_access(rig, 2 * i, rig->word[WORD_RSI] + on,
				  SITE_LOAD, 8);
			is_access(rig, 2 * i + 1, rig->word[WORD_RDI] + on,
				  SITE_STORE, 8);
		}
	}
}

/* The same instruction in both directions */
static void
test_a_copy_loads_and_stores_by_turns(void **state)
{
	static struct rig rig;

	(void)state;
	rig_open(&rig, "\xf3\x48\xa5", 3); /* rep movsq */
	check_copy(&rig, 8);
	check_copy(&rig, -8);
	check_copy(&rig, 8);
	rig_close(&rig);
}

/* Worked out by the table of operands */
static void
test_a_copy_through_a_segment(void **state)
{
	static struct rig rig;

	(void)state;
	rig_open(&rig, "\xf3\x64\x48\xa5", 4); /* rep movsq %fs:(%rsi) */
	check_copy(&rig, 8);
	check_copy(&rig, -8);
	rig_close(&rig);
}

static size_t
stretches(uint64_t mask)
{
	return (size_t)__builtin_popcountll(mask & ~(mask << 1));
}

static void
test_lanes_side_by_side_are_a_step(void **state)
{
	static const uint64_t masks[] = { 0xffff, 0x0001, 0x8000, 0x00ff,
					  0x0ff0, 0xf00f, 0x5555, 0xfffe };
	static struct rig rig;

	(void)state;
	/* vmovdqu8 %xmm16, (%rdi){%k1} */
	rig_open(&rig, "\x62\xe1\x7f\x09\x7f\x07", 6);
	for (size_t k = 0; k < ARRAY_SIZE(masks); k++) {
		size_t n = 0;

		rig.word[WORD_RCX] = masks[k];
		rig_expand(&rig);
		for (unsigned lane = 0; lane < 16; lane++)
			if (masks[k] >> lane & 1)
				is_access(&rig, n++, rig.word[WORD_RDI] + lane,
					  SITE_STORE, 1);
		assert_int_equal(rig.n, n);
		assert_int_equal(rig.n_steps, stretches(masks[k]));
	}
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fill_is_few_steps),
		cmocka_unit_test(test_a_copy_loads_and_stores_by_turns),
		cmocka_unit_test(test_a_copy_through_a_segment),
		cmocka_unit_test(test_lanes_side_by_side_are_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
