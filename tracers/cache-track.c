// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-track.h"
#include "analyzer/base.h"

#include <string.h>

enum word_use {
	WORD_FREE,
	WORD_PLAIN, /* some address is this word plus a constant */
	WORD_FIXED, /* a fix replaces it */
};

void
track_begin(struct cache_track *track)
{
	memset(track->value, 0, sizeof(track->value));
	track->n_words = track->n_fixes = 0;
}

unsigned
track_word(struct cache_track *track)
{
	track->use[++track->n_words] = WORD_FREE;
	return track->n_words;
}

void
track_known(struct cache_track *track, int reg, unsigned word)
{
	track->value[reg] = (struct cache_value){
		.kind = VALUE_WORD,
		.word = (uint16_t)word,
	};
}

static uint16_t
fixed_slot(struct cache_track *track, struct cache_fix fix)
{
	for (unsigned i = 0; i < track->n_fixes; i++) {
		const struct cache_fix *other = &track->fix[i];

		if (other->base == fix.base && other->index == fix.index &&
		    other->shift == fix.shift && other->fs == fix.fs)
			return other->slot;
	}
	if (fix.index && track->use[fix.index] == WORD_FREE)
		fix.slot = fix.index;
	else
		fix.slot = (uint16_t)track_word(track);
	track->use[fix.slot] = WORD_FIXED;
	track->fix[track->n_fixes++] = fix;
	return fix.slot;
}

void
track_access(struct cache_track *track, const struct operand *operand,
	     struct cache_access *access)
{
	struct cache_fix fix = { .fs = operand->segment == 1 };
	uint64_t displacement = (uint64_t)operand->displacement;

	if (operand->base >= 0) {
		const struct cache_value *base = &track->value[operand->base];

		displacement += (uint64_t)base->delta;
		fix.base = base->kind == VALUE_WORD ? base->word : 0;
	}
	if (operand->index >= 0) {
		const struct cache_value *index = &track->value[operand->index];

		displacement += (uint64_t)index->delta << operand->shift;
		if (index->kind == VALUE_WORD) {
			fix.index = index->word;
			fix.shift = operand->shift;
		}
	}
	if (!fix.base && !fix.shift) {
		fix.base = fix.index;
		fix.index = 0;
	}
	*access = (struct cache_access){
		.displacement = (int64_t)displacement,
		.size = operand->size,
		.kind = operand->kind,
	};
	if (!fix.base && !fix.index && !fix.fs)
		return;
	if (!fix.index && !fix.fs && track->use[fix.base] != WORD_FIXED) {
		track->use[fix.base] = WORD_PLAIN;
		access->slot = fix.base;
		return;
	}
	access->slot = fixed_slot(track, fix);
}

static struct cache_value
moved(struct cache_value value, int64_t by)
{
	if (value.kind != VALUE_UNKNOWN)
		value.delta = (int64_t)((uint64_t)value.delta + (uint64_t)by);
	return value;
}

void
track_run(struct cache_track *track, const struct cache_instruction *code)
{
	struct cache_value new = { 0 }, stack = { 0 };

	if (code->effect == EFFECT_CONSTANT)
		new = (struct cache_value){ .kind = VALUE_CONSTANT,
					    .delta = code->by };
	else if (code->effect == EFFECT_MOVED)
		new = moved(track->value[code->from], code->by);
	if (code->stack_by)
		stack = moved(track->value[code->stack_from], code->stack_by);
	for (unsigned left = code->writes; left; left &= left - 1)
		track->value[__builtin_ctz(left)] = (struct cache_value){ 0 };
	if (code->effect != EFFECT_UNKNOWN)
		track->value[code->to] = new;
	if (stack.kind != VALUE_UNKNOWN)
		track->value[RSP] = stack;
}
