// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stop costs as much as the translation of some ten blocks, so more than the
 * one that is needed is made: what it leads to directly, and where its calls
 * return to, breadth first.  Half of what is made so is executed.  Some are
 * made at once, for the target would come there sooner than we; the rest while
 * it runs.
 */
#include "analyzer/base.h"
#include "tracers/cache-code.h"

#define AT_ONCE	   1
#define AFTERWARDS 80
#define AFTER_ASK  30 /* a question costs less than a stop */
#define AT_A_TIME  1  /* between looks at what the target does */

void
ahead_expect(struct cache_code *code, uint64_t pc, enum ahead_why why)
{
	struct cache_ahead *ahead = &code->ahead;
	struct cache_target *target;

	if (why != EXPECT_LINK) {
		target = cache_code_target(code, pc);
		if (!target)
			return;
		target->returned |= why == EXPECT_RETURN;
		target->expected |= why == EXPECT_TABLE;
	}
	if (ahead->n < AHEAD_SIZE)
		ahead->expected[ahead->n++] =
			(struct cache_expected){ pc, (uint8_t)why };
}

/* The next blocks that are expected and not there; false: none. */
static bool
make_some(struct cache_code *code, unsigned blocks)
{
	struct cache_ahead *ahead = &code->ahead;

	while (ahead->done < ahead->n && ahead->left) {
		const struct cache_expected *next =
			&ahead->expected[ahead->done];
		struct cache_block *block = cache_code_find(code, next->pc);

		if (!block) {
			if (!blocks--)
				return true;
			ahead->left--;
			block = cache_code_make(code, next->pc);
		}
		ahead->done++;
		if (block && next->why == EXPECT_TABLE && !block->listed)
			link_indirect(code, block);
		if (code->full)
			break;
	}
	return false;
}

/* A new list, of so many blocks; of the old one only returns are kept. */
static void
begin(struct cache_code *code, unsigned blocks)
{
	struct cache_ahead *ahead = &code->ahead;

	for (unsigned i = ahead->done; i < ahead->n; i++)
		if (ahead->expected[i].why != EXPECT_LINK)
			ahead->owed[ahead->n_owed++ % AHEAD_SIZE] =
				ahead->expected[i];
	if (ahead->n_owed > 2 * AHEAD_SIZE)
		ahead->n_owed -= AHEAD_SIZE;
	ahead->n = ahead->done = 0;
	ahead->left = blocks;
}

struct cache_block *
cache_code_translate(struct cache_code *code, uint64_t pc)
{
	struct cache_block *block = cache_code_find(code, pc);

	if (block)
		return block;
	code->running = false;
	begin(code, AT_ONCE + AFTERWARDS);
	if (cache_code_returns(code, code->caller))
		ahead_expect(code, code->caller, EXPECT_RETURN);
	block = cache_code_make(code, pc);
	if (block)
		make_some(code, AT_ONCE);
	return block;
}

struct cache_block *
cache_code_ask(struct cache_code *code, uint64_t pc)
{
	struct cache_block *block = cache_code_find(code, pc);

	if (block || !pc)
		return block;
	code->running = true;
	begin(code, AFTER_ASK);
	return cache_code_make(code, pc);
}

/* The last one that is owed is expected now; false: there is none */
static bool
pay_back(struct cache_code *code)
{
	struct cache_ahead *ahead = &code->ahead;
	const struct cache_expected *owed;

	if (!ahead->n_owed || ahead->n == AHEAD_SIZE)
		return false;
	owed = &ahead->owed[--ahead->n_owed % AHEAD_SIZE];
	ahead_expect(code, owed->pc, (enum ahead_why)owed->why);
	return true;
}

bool
ahead_go_on(struct cache_code *code)
{
	code->running = true;
	if (make_some(code, AT_A_TIME))
		return true;
	return code->ahead.left && !code->full && pay_back(code);
}
