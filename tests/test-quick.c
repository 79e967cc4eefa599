// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The code cache's own decoder of common instructions says the same as Zydis,
 * field by field, of all opcodes with all ModRM bytes, each under the prefixes
 * that it knows, with displacements and immediates at random; and it knows
 * what programs are made of.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#include "tracers/cache-decode.h"

#define PC	   UINT64_C(0x7f1234567890)
#define TRIES	   2 /* of each, with other bytes behind */
#define LEAST_SAME 500000u

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 33;
}

static bool
same_operand(const struct operand *a, const struct operand *b)
{
	return a->form == b->form && a->kind == b->kind && a->base == b->base &&
	       a->index == b->index && a->shift == b->shift &&
	       a->index_bytes == b->index_bytes && a->segment == b->segment &&
	       a->mask_by == b->mask_by && a->mask == b->mask &&
	       a->lanes == b->lanes && a->mask_lanes == b->mask_lanes &&
	       a->stack == b->stack && a->repeat_lanes == b->repeat_lanes &&
	       a->mask_bytes == b->mask_bytes && a->size == b->size &&
	       a->displacement == b->displacement;
}

static bool
same_touched(const struct instruction *a, const struct instruction *b)
{
	if (a->pc != b->pc || a->length != b->length ||
	    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) != 0 ||
	    a->n_operands != b->n_operands || a->class != b->class ||
	    a->ends_block != b->ends_block || a->repeated != b->repeated ||
	    a->address32 != b->address32 || a->unknown != b->unknown)
		return false;
	for (unsigned i = 0; i < a->n_operands; i++)
		if (!same_operand(&a->operand[i], &b->operand[i]))
			return false;
	return true;
}

static bool
same(const struct cache_instruction *a, const struct cache_instruction *b)
{
	return same_touched(&a->touched, &b->touched) &&
	       a->target == b->target && a->by == b->by &&
	       a->reads == b->reads && a->writes == b->writes &&
	       a->tested == b->tested && a->set == b->set &&
	       a->flow == b->flow && a->condition == b->condition &&
	       a->effect == b->effect && a->to == b->to && a->from == b->from &&
	       a->stack_from == b->stack_from && a->stack_by == b->stack_by &&
	       a->displacement_at == b->displacement_at &&
	       a->special == b->special;
}

static void
tell(const uint8_t *bytes, const struct cache_instruction *quick,
     const struct cache_instruction *whole)
{
	const struct cache_instruction *const both[] = { quick, whole };

	for (int i = 0; i < INSTRUCTION_BYTES; i++)
		print_message("%02x ", bytes[i]);
	print_message("\n");
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		const struct cache_instruction *c = both[i];

		print_message(
			"  length %u operands %u flow %u target %#llx by %lld reads %#x writes %#x tested %#x set %#x effect %u %u %u stack %u %d at %u special %d\n",
			c->touched.length, c->touched.n_operands, c->flow,
			(unsigned long long)c->target, (long long)c->by,
			c->reads, c->writes, c->tested, c->set, c->effect,
			c->to, c->from, c->stack_from, c->stack_by,
			c->displacement_at, c->special);
		for (unsigned k = 0; k < c->touched.n_operands; k++) {
			const struct operand *o = &c->touched.operand[k];

			print_message(
				"    kind %u base %d index %d shift %u by %u segment %u size %u at %lld stack %d form %u\n",
				o->kind, o->base, o->index, o->shift,
				o->index_bytes, o->segment, o->size,
				(long long)o->displacement, o->stack, o->form);
		}
	}
}

/* 1: known, and the same */
static unsigned
compare(const uint8_t *bytes)
{
	struct cache_instruction quick, whole;
	struct decoded decoded;

	if (quick_decode(&quick, PC, bytes, INSTRUCTION_BYTES))
		return 0;
	if (!cache_decode_whole(&whole, PC, bytes, INSTRUCTION_BYTES,
				&decoded) &&
	    same(&quick, &whole))
		return 1;
	tell(bytes, &quick, &whole);
	fail();
	return 0;
}

static unsigned
try_opcode(const uint8_t *front, size_t n_front, uint64_t *state)
{
	uint8_t bytes[INSTRUCTION_BYTES];
	unsigned known = 0;

	for (unsigned modrm = 0; modrm < 256; modrm++)
		for (unsigned i = 0; i < TRIES; i++) {
			memcpy(bytes, front, n_front);
			bytes[n_front] = (uint8_t)modrm;
			for (size_t k = n_front + 1; k < sizeof(bytes); k++)
				bytes[k] = (uint8_t)next_random(state);
			known += compare(bytes);
		}
	return known;
}

static const char *const prefix[] = {
	"",	    "\x66",	    "\x64",	"\xf2",
	"\xf3",	    "\x66\x64",	    "\x64\xf3", "\xf3\x66",
	"\xf2\x66", "\x66\xf2\x64", "\x66\x66", "\x65",
	"\x67",	    "\x2e",	    "\x3e",	"\xf0",
};

static unsigned
try_opcodes(const char *before, uint8_t rex, bool two_bytes, uint64_t *state)
{
	uint8_t front[8];
	unsigned known = 0;

	for (unsigned opcode = 0; opcode < 256; opcode++) {
		size_t n = strlen(before);

		memcpy(front, before, n);
		if (rex)
			front[n++] = rex;
		if (two_bytes)
			front[n++] = 0x0f;
		front[n++] = (uint8_t)opcode;
		known += try_opcode(front, n, state);
	}
	return known;
}

static void
test_that_it_says_what_zydis_says(void **unused)
{
	uint64_t state = 1;
	unsigned known = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		for (unsigned rex = 0x3f; rex < 0x50; rex++)
			for (unsigned map = 0; map < 2; map++)
				known += try_opcodes(prefix[i],
						     rex < 0x40 ? 0
								: (uint8_t)rex,
						     map, &state);
	assert_true(known >= LEAST_SAME);
}

/* With nothing readable behind it, it is Zydis' */
static void
test_that_nothing_is_read_behind_the_end(void **unused)
{
	static const uint8_t bytes[] = { 0x48, 0x89, 0xd8 };
	struct cache_instruction one;

	(void)unused;
	assert_int_equal(quick_decode(&one, PC, bytes, sizeof(bytes)), -EINVAL);
	assert_int_equal(cache_decode(&one, PC, bytes, sizeof(bytes)), 0);
	assert_int_equal(one.effect, EFFECT_MOVED);
	assert_int_equal(one.to, RAX);
	assert_int_equal(one.from, RBX);
	assert_int_equal(cache_decode(&one, PC, bytes, 2), -EINVAL);
}

/* What a compiler makes most of, each known */
static void
test_that_common_instructions_are_known(void **unused)
{
	static const char *const text[] = {
		"\xf3\x0f\x1e\xfa",		/* endbr64 */
		"\x55",				/* push %rbp */
		"\x41\x5c",			/* pop %r12 */
		"\x48\x89\xe5",			/* mov %rsp, %rbp */
		"\x48\x8b\x44\x24\x08",		/* mov 8(%rsp), %rax */
		"\x89\x05\x01\x02\x03\x04",	/* mov %eax, n(%rip) */
		"\x64\x48\x8b\x04\x25\x28",	/* mov %fs:0x28, %rax */
		"\x48\x8d\x3d\x01\x02\x03\x04", /* lea n(%rip), %rdi */
		"\x48\x83\xec\x18",		/* sub $24, %rsp */
		"\x31\xc0",			/* xor %eax, %eax */
		"\x0f\xb6\x04\x07",		/* movzbl (%rdi,%rax), %eax */
		"\x48\x63\xd0",			/* movslq %eax, %rdx */
		"\x85\xc0",			/* test %eax, %eax */
		"\x80\x3f\x2f",			/* cmpb $47, (%rdi) */
		"\x0f\x84\x01\x02\x03\x04",	/* je */
		"\x75\x10",			/* jne */
		"\xe8\x01\x02\x03\x04",		/* call */
		"\xff\x25\x01\x02\x03\x04",	/* jmp *n(%rip) */
		"\xff\xe0",			/* jmp *%rax */
		"\xc3",				/* ret */
		"\xc9",				/* leave */
		"\x48\xc1\xe8\x04",		/* shr $4, %rax */
		"\x48\x0f\x44\xc2",		/* cmove %rdx, %rax */
		"\x0f\x94\xc0",			/* sete %al */
		"\x48\x98",			/* cltq */
		"\x66\x0f\x1f\x44",		/* nopw (%rax, %rax) */
		"\x0f\x1f\x40\x05",		/* nopl 5(%rax) */
		"\x0f\x11\x07",			/* movups %xmm0, (%rdi) */
		"\x66\x0f\x6f\x06",		/* movdqa (%rsi), %xmm0 */
		"\xf2\x0f\x58\xc1",		/* addsd %xmm1, %xmm0 */
	};
	struct cache_instruction one;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		uint8_t bytes[INSTRUCTION_BYTES + 1] = "";

		memcpy(bytes, text[i], strlen(text[i]));
		assert_int_equal(quick_decode(&one, PC, bytes,
					      INSTRUCTION_BYTES),
				 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_that_it_says_what_zydis_says),
		cmocka_unit_test(test_that_nothing_is_read_behind_the_end),
		cmocka_unit_test(test_that_common_instructions_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
