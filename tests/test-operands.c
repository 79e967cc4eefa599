// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operand table by itself: each form of instruction that this processor
 * can run is run with its memory in reach, at the edge of what is in reach and
 * out of it.  Where it faults, and whether it reads or writes there, must be
 * what operands.c and accesses.c say:
 *
 *	[ left ][ middle ][ right ]	three pages for each register that an
 *					address may be made of
 *
 *	ends at the middle's end, right out of reach:	no fault
 *	a byte more:					at right's beginning
 *	the same at the left; all of it out of reach; read-only.
 *
 * With any argument it tells all that fails and what was refused.
 */
#define _GNU_SOURCE
#include "analyzer/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instruction-forms.h"
#include "instruction-kinds.h"
#include "instruction-run.h"
#include "tracers/operands.h"

#define PAGE	      UINT64_C(4096)
#define AREAS	      5
#define AREA(i)	      (UINT64_C(0x10000000) + 0x10000 * (uint64_t)(i))
#define MIDDLE	      PAGE
#define DEFAULT	      (MIDDLE + 0x400)
#define CODE	      UINT64_C(0x20000000)
#define LANDING	      (CODE + 0x800)
#define VARIATIONS    4
#define PREDICTED_MAX 256
#define FAILURES_MAX  100
#define PAGE_FAULT(r) \
	((r)->signal == SIGSEGV && ((r)->code == 1 || (r)->code == 2))

enum place {
	LEFT,
	CENTRE,
	RIGHT
};

/* Why a form can't be tried */
enum reason {
	TRIED,
	NOT_HERE,   /* this processor or its kernel's state lacks it */
	PRIVILEGED, /* protection fault, whatever its memory holds */
	TRAPS,	    /* goes to the kernel or raises something by itself */
	ELSEWHERE,  /* its operand can't be put into our pages */
	NOT_MODELLED,
	REASONS
};

static const char *const reason_text[REASONS] = {
	"tried",
	"not on this processor",
	"privileged or refused",
	"enters the kernel, or goes where nothing is",
	"address not ours to choose",
	"said to be unknown by the table",
};

/* Registers whose value places an area: rbx (and r11), rsp, rsi, rdi, rbp */
static const uint8_t area_register[AREAS] = { 3, 4, 6, 7, 5 };

struct trial {
	const struct form *form;
	enum form_mode mode;
	unsigned variation, fill;
	uint8_t bytes[32];
	struct instruction instruction;
	unsigned displacement_at, displacement_bytes;
	struct run_registers registers;
	struct access access[PREDICTED_MAX];
	int n;
	unsigned align;
	struct run_result result;
};

struct all {
	bool verbose; /* tell of all that goes wrong, not of some */
	unsigned forms[REASONS], runs, failures, told;
	const char *complained[ZYDIS_MNEMONIC_MAX_VALUE + 1];
	bool skipped[REASONS][ZYDIS_MNEMONIC_MAX_VALUE + 1];
};

static uint8_t *view; /* the areas, always in reach */
static int rights[AREAS][3];
static struct run_vectors vectors;
static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void
set_rights(unsigned area, enum place place, int wanted)
{
	if (rights[area][place] == wanted)
		return;
	rights[area][place] = wanted;
	mprotect((void *)(uintptr_t)(AREA(area) + place * PAGE), PAGE, wanted);
}

static void
all_in_reach(void)
{
	for (unsigned i = 0; i < AREAS; i++)
		for (unsigned place = 0; place < 3; place++)
			set_rights(i, (enum place)place,
				   PROT_READ | PROT_WRITE);
}

static uint8_t *
seen_at(uint64_t address)
{
	for (unsigned i = 0; i < AREAS; i++)
		if (address - AREA(i) < 3 * PAGE)
			return view + i * 3 * PAGE + (address - AREA(i));
	return NULL;
}

static int
area_of(uint64_t address)
{
	for (int i = 0; i < AREAS; i++)
		if (address - AREA(i) < 3 * PAGE)
			return i;
	return -1;
}

/* instruction_accesses() asks for these */
static int
vector_of(void *context, unsigned number, uint8_t value[64])
{
	(void)context;
	memset(value, 0, 64);
	if (number >= 32)
		memcpy(value, &vectors.mmx[number & 7], 8);
	else
		memcpy(value, vectors.vector[number], 64);
	return 0;
}

static int
opmask_of(void *context, unsigned number, uint64_t *value)
{
	(void)context;
	*value = vectors.opmask[number];
	return 0;
}

static struct user_regs_struct
general_of(const struct run_registers *from)
{
	const uint64_t *g = from->general;

	return (struct user_regs_struct){
		.rax = g[0],
		.rcx = g[1],
		.rdx = g[2],
		.rbx = g[3],
		.rsp = g[4],
		.rbp = g[5],
		.rsi = g[6],
		.rdi = g[7],
		.r8 = g[8],
		.r9 = g[9],
		.r10 = g[10],
		.r11 = g[11],
		.r12 = g[12],
		.r13 = g[13],
		.r14 = g[14],
		.r15 = g[15],
		.eflags = from->flags,
		.fs_base = run_fs_base(),
	};
}

/* All accesses, also those of all rounds of a repeated one */
static void
predict(struct trial *trial)
{
	struct user_regs_struct general = general_of(&trial->registers);
	const struct registers registers = {
		.general = &general,
		.vector = vector_of,
		.opmask = opmask_of,
	};
	const struct instruction *instruction = &trial->instruction;
	int64_t by = general.eflags & 0x400 ? -1 : 1;
	int rounds, n = instruction_accesses(instruction, &registers,
					     trial->access);

	rounds = instruction->repeated && n ? (int)general.rcx : 1;
	trial->n = n * rounds;
	for (int i = n; i < trial->n; i++) {
		trial->access[i] = trial->access[i - n];
		trial->access[i].address +=
			(uint64_t)(by * (int64_t)trial->access[i].size);
	}
}

static void
write_word(uint64_t address, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		uint8_t *at = seen_at(address + i);

		if (at)
			*at = (uint8_t)(value >> (8 * i));
	}
}

static bool
far_return(const struct trial *trial)
{
	uint8_t opcode = trial->form->lead[trial->form->n_lead - 1];

	return opcode == 0xca || opcode == 0xcb;
}

static void
fill_flow(const struct trial *trial)
{
	for (int i = 0; i < trial->n; i++) {
		uint64_t at = trial->access[i].address;
		uint32_t size = trial->access[i].size;

		if (trial->access[i].kind == SITE_STORE)
			continue;
		if (size % 5 == 0 && size >= 20) {
			write_word(at, LANDING, size / 5);
			write_word(at + size / 5, 0x33, size / 5);
			write_word(at + size / 5 * 2, 0x202, size / 5);
			write_word(at + size / 5 * 3, AREA(1) + DEFAULT,
				   size / 5);
			write_word(at + size / 5 * 4, 0x2b, size / 5);
		} else if (trial->form->category == ZYDIS_CATEGORY_RET &&
			   (size == 16 || far_return(trial))) {
			write_word(at, LANDING, size / 2);
			write_word(at + size / 2, 0x33, size / 2);
		} else if (size == 8) {
			write_word(at, LANDING, 8);
		} else {
			write_word(at, LANDING, size - 2);
			write_word(at + size - 2, 0x33, 2);
		}
	}
}

/* What the instruction is to find */
static void
fill(const struct trial *trial)
{
	static const uint8_t byte[] = { 0, 0x7f, 0, 0xff };

	for (int i = 0; i < trial->n; i++) {
		int area = area_of(trial->access[i].address);

		if (area >= 0)
			memset(view + (size_t)area * 3 * PAGE,
			       byte[trial->fill & 3], 3 * PAGE);
	}
	if (form_is_flow(trial->form))
		fill_flow(trial);
	if (trial->fill != 2)
		return;
	for (int i = 0; i < trial->n; i++)
		if (trial->access[i].size >= 2)
			write_word(trial->access[i].address +
					   trial->access[i].size - 2,
				   0x2b, 2);
}

static void
run(struct trial *trial)
{
	fill(trial);
	memset((void *)(uintptr_t)CODE, 0xcc, 64);
	memcpy((void *)(uintptr_t)CODE, trial->bytes,
	       trial->instruction.length);
	trial->registers.rip = CODE;
	run_instruction(&trial->registers, &trial->result);
}

static bool
completed(const struct trial *trial)
{
	const struct run_result *result = &trial->result;

	return result->signal == SIGTRAP &&
	       (result->rip == CODE + trial->instruction.length + 1 ||
		result->rip == LANDING + 1);
}

static void
print_instruction(const struct trial *trial)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	ZydisFormatter formatter;
	ZydisDecoder decoder;
	char text[128] = "?";

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, trial->bytes, 15,
						&decoded, operand)))
		ZydisFormatterFormatInstruction(&formatter, &decoded, operand,
						decoded.operand_count_visible,
						text, sizeof(text), CODE, NULL);
	printf("  %s   [", text);
	for (unsigned i = 0; i < trial->instruction.length; i++)
		printf("%s%02x", i ? " " : "", trial->bytes[i]);
	printf("] variation %u\n", trial->variation);
}

static void
complain(struct all *all, const struct trial *trial, const char *what)
{
	const struct run_result *result = &trial->result;

	all->failures++;
	/* Once each, and not all */
	if ((all->complained[trial->form->mnemonic] == what && !all->verbose) ||
	    (all->told == FAILURES_MAX && !all->verbose))
		return;
	all->complained[trial->form->mnemonic] = what;
	all->told++;
	printf("FAIL: %s: signal %d code %d at %#llx error %#llx\n", what,
	       result->signal, result->code,
	       (unsigned long long)result->address,
	       (unsigned long long)result->error);
	print_instruction(trial);
	for (int i = 0; i < trial->n && i < 8; i++)
		printf("  predicted: %s %u bytes at %#llx\n",
		       trial->access[i].kind == SITE_LOAD    ? "load"
		       : trial->access[i].kind == SITE_STORE ? "store"
							     : "modify",
		       trial->access[i].size,
		       (unsigned long long)trial->access[i].address);
}

static bool
is_forbidden(const struct access *access, uint64_t at)
{
	int area = area_of(at), right;

	if (area < 0)
		return true;
	right = rights[area][(at - AREA(area)) / PAGE];
	return access->kind == SITE_LOAD ? !(right & PROT_READ)
					 : !(right & PROT_WRITE);
}

/* Does this access explain the fault?  any: is there one that would fault? */
static bool
explains(const struct access *access, const struct run_result *result,
	 bool emulated, bool odd, bool *any)
{
	bool write = result->error & 2, found = false;
	uint64_t end = access->address + access->size, at = access->address;

	/* Where the kernel does it (UMIP), it tells where it began */
	if (emulated && result->address == access->address)
		found = true;
	for (; at < end; at = (at | (PAGE - 1)) + 1) {
		uint64_t until = (at | (PAGE - 1)) + 1;

		if (!is_forbidden(access, at))
			continue;
		*any = true;
		if (until > end)
			until = end;
		/* The large ones go their own ways through memory */
		found |= access->size > 64 || odd
				 ? result->address >= at &&
					   result->address < until
				 : result->address == at;
	}
	if (access->kind == SITE_LOAD)
		return found && !write;
	return found &&
	       (write || access->kind == SITE_MODIFY || access->size > 64);
}

/* Where enter's stack pointer will be */
static uint64_t
probed(const struct trial *trial)
{
	const uint8_t *immediate = trial->bytes + trial->instruction.length - 3;
	unsigned word = trial->instruction.operand[0].size;

	return trial->registers.general[4] -
	       (uint64_t)(immediate[0] | immediate[1] << 8) -
	       word * (1u + (immediate[2] & 31u));
}

/* Checked, but not touched.  Masked bytes: each processor's choice (SDM). */
static bool
is_probe(const struct trial *trial)
{
	const struct run_result *result = &trial->result;

	if (!PAGE_FAULT(result) || !(result->error & 2))
		return false;
	switch (trial->form->mnemonic) {
	case ZYDIS_MNEMONIC_ENTER:
		return result->address == probed(trial);
	case ZYDIS_MNEMONIC_SLDT: /* by the kernel: a register's bytes */
	case ZYDIS_MNEMONIC_STR:
		return form_is_emulated(trial->form) &&
		       result->address - trial->access->address < 8;
	case ZYDIS_MNEMONIC_MASKMOVQ:
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_VMASKMOVDQU:
		return result->address - trial->registers.general[7] < 16 ||
		       trial->mode == FORM_FS;
	default:
		return false;
	}
}

static void
check(struct all *all, struct trial *trial, const char *what)
{
	const char *end = "goes over a page's end";
	bool any = false, explained = false, over = !strcmp(what, end);

	predict(trial);
	run(trial);
	all->runs++;
	for (int i = 0; i < trial->n; i++)
		explained |= explains(&trial->access[i], &trial->result,
				      form_is_emulated(trial->form),
				      form_pops_selector(trial->form), &any);
	if (is_probe(trial))
		return;
	if (completed(trial)) {
		if (any && !(over && form_pops_selector(trial->form)))
			complain(all, trial, what);
		return;
	}
	if (!PAGE_FAULT(&trial->result) || !explained)
		complain(all, trial, what);
}

/* Where the accesses of one area are */
struct span {
	uint64_t low, high;
	bool some, writes;
};

static struct span
span_of(const struct trial *trial, int area)
{
	struct span span = { .low = UINT64_MAX };

	for (int i = 0; i < trial->n; i++) {
		const struct access *access = &trial->access[i];

		if (area_of(access->address) != area)
			continue;
		span.some = true;
		span.writes |= access->kind != SITE_LOAD;
		if (access->address < span.low)
			span.low = access->address;
		if (access->address + access->size > span.high)
			span.high = access->address + access->size;
	}
	return span;
}

static bool
has_base(const struct trial *trial, unsigned reg)
{
	for (unsigned i = 0; i < trial->instruction.n_operands; i++)
		if (trial->instruction.operand[i].base == (int8_t)reg)
			return true;
	return false;
}

/* Move what area 0 to 4 is addressed by */
static void
shift(struct trial *trial, int area, int64_t by)
{
	uint8_t *at = trial->bytes + trial->displacement_at;
	unsigned reg = area_register[area];
	uint64_t absolute = 0;

	if (area || has_base(trial, reg) || has_base(trial, 11)) {
		trial->registers.general[reg] += (uint64_t)by;
		if (!area)
			trial->registers.general[11] += (uint64_t)by;
		return;
	}
	memcpy(&absolute, at, trial->displacement_bytes);
	absolute += (uint64_t)by;
	memcpy(at, &absolute, trial->displacement_bytes);
	instruction_decode(&trial->instruction, CODE, trial->bytes, 15);
}

static void
check_area(struct all *all, struct trial *trial, int area)
{
	struct span span = span_of(trial, area);
	uint64_t middle = AREA(area) + MIDDLE, right = middle + PAGE;
	int64_t align = trial->align, to_end, to_start;
	unsigned which = (unsigned)area;

	if (!span.some || span.high - span.low > PAGE - 64)
		return;
	to_end = (int64_t)(right - span.high) & -align;
	to_start = -((int64_t)(span.low - middle) & -align);
	shift(trial, area, to_end);
	set_rights(which, RIGHT, PROT_NONE);
	check(all, trial, "ends at a page's end");
	shift(trial, area, align);
	check(all, trial, "goes over a page's end");
	set_rights(which, RIGHT, PROT_READ | PROT_WRITE);
	set_rights(which, LEFT, PROT_NONE);
	shift(trial, area, to_start - to_end - align);
	check(all, trial, "starts at a page's start");
	shift(trial, area, -align);
	check(all, trial, "starts before a page's start");
	set_rights(which, LEFT, PROT_READ | PROT_WRITE);
	shift(trial, area, align - to_start);
	set_rights(which, CENTRE, PROT_READ);
	check(all, trial, "read-only");
	set_rights(which, CENTRE, PROT_NONE);
	check(all, trial, "out of reach");
	set_rights(which, CENTRE, PROT_READ | PROT_WRITE);
}

/* A store's outcome does not depend on what was there, a modify's does. */
static void
check_modify(struct all *all, struct trial *trial)
{
	struct run_result first;
	uint8_t after[64];
	unsigned was = trial->fill;

	for (int i = 0; i < trial->n; i++) {
		const struct access *access = &trial->access[i];
		uint8_t *at = seen_at(access->address);
		bool differs;

		if (trial->n > 2 || access->kind == SITE_LOAD ||
		    access->size > 64 || trial->variation ||
		    form_merges(trial->form))
			continue;
		trial->fill = 0;
		run(trial);
		first = trial->result;
		memcpy(after, at, access->size);
		trial->fill = 3;
		run(trial);
		trial->fill = was;
		if (first.signal != SIGTRAP || !completed(trial))
			continue;
		differs = memcmp(after, at, access->size) ||
			  memcmp(first.general, trial->result.general,
				 sizeof(first.general)) ||
			  (first.flags ^ trial->result.flags) & 0x8d5;
		/* What else it loads may make the difference */
		if (access->kind == SITE_STORE && differs && trial->n > 1)
			continue;
		if (differs != (access->kind == SITE_MODIFY))
			complain(
				all, trial,
				differs ? "depends on what it overwrites"
					: "does not depend on what it modifies");
	}
}

/* Names memory and touches none */
static void
check_hint(struct all *all, struct trial *trial)
{
	all->runs++;
	set_rights(0, CENTRE, PROT_NONE);
	run(trial);
	if (form_is_checked_hint(trial->form)
		    ? !PAGE_FAULT(&trial->result) || trial->result.error & 2
		    : !completed(trial))
		complain(all, trial, "touches memory");
	set_rights(0, CENTRE, PROT_READ | PROT_WRITE);
}

static void
set_registers(struct trial *trial)
{
	static const int64_t value[VARIATIONS][3] = {
		{ 3, 1, 2 }, { 0x27, -70, -3 }, { 0xe7, 2, 7 }, { -1, 30, 0 }
	};
	const int64_t *three = value[trial->variation];
	struct run_registers *registers = &trial->registers;
	bool reps = trial->instruction.repeated;

	*registers = (struct run_registers){ .flags = 0x202 };
	for (unsigned i = 0; i < 16; i++)
		registers->general[i] = 0x1234567 + i;
	for (unsigned i = 0; i < 3; i++)
		registers->general[i] = (uint64_t)three[i];
	for (unsigned i = 0; i < AREAS; i++)
		registers->general[area_register[i]] = AREA(i) + DEFAULT;
	registers->general[11] = registers->general[3];
	if (reps)
		registers->general[1] = trial->variation == 3 ? 0 : 3;
	/* Comparing ends them early */
	if (reps &&
	    (trial->instruction.bytes[0] == 0 ||
	     strstr(ZydisMnemonicGetString(trial->form->mnemonic), "cmps") ||
	     strstr(ZydisMnemonicGetString(trial->form->mnemonic), "scas")))
		registers->general[1] = trial->variation == 3 ? 0 : 1;
	if (trial->variation & 1)
		registers->flags |= 0x400;
	if (trial->mode == FORM_FS)
		for (unsigned i = 0; i < AREAS; i++)
			for (unsigned k = 0; k < trial->instruction.n_operands;
			     k++)
				if (trial->instruction.operand[k].segment ==
					    1 &&
				    trial->instruction.operand[k].base ==
					    area_register[i])
					registers->general[area_register[i]] -=
						run_fs_base();
	if (trial->mode == FORM_SHORT) {
		registers->general[3] |= UINT64_C(0x55) << 40;
		if (reps)
			registers->general[1] |= UINT64_C(1) << 40;
	}
}

static void
set_vectors(const struct trial *trial)
{
	uint64_t *word = (uint64_t *)(void *)&vectors;

	for (size_t i = 0; i < sizeof(vectors) / 8; i++)
		word[i] = next_random();
	if (trial->variation == 3)
		vectors.opmask[1] = 0;
	for (unsigned i = 0; i < trial->instruction.n_operands; i++) {
		const struct operand *operand = &trial->instruction.operand[i];
		uint8_t *index = vectors.vector[operand->index & 31];

		if (operand->form != OPERAND_VECTOR)
			continue;
		for (unsigned k = 0; k < 64; k += operand->index_bytes) {
			int64_t value = (int64_t)(next_random() % 81) - 40;

			memcpy(index + k, &value, operand->index_bytes);
		}
	}
	run_vectors(&vectors);
}

static void
find_displacement(struct trial *trial)
{
	ZydisDecodedInstruction decoded;
	ZydisDecoderContext context;
	ZydisDecoder decoder;
	uint64_t to = AREA(0) + DEFAULT;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	ZydisDecoderDecodeInstruction(&decoder, &context, trial->bytes, 15,
				      &decoded);
	trial->displacement_at = decoded.raw.disp.offset;
	trial->displacement_bytes = decoded.raw.disp.size / 8;
	if (decoded.raw.imm[0].is_relative) {
		uint32_t distance =
			(uint32_t)(LANDING - CODE - trial->instruction.length);

		memcpy(trial->bytes + decoded.raw.imm[0].offset, &distance,
		       decoded.raw.imm[0].size / 8);
	}
	if (trial->mode != FORM_RIP && trial->displacement_bytes != 8)
		return;
	if (trial->mode == FORM_RIP)
		to -= CODE + trial->instruction.length;
	if (trial->mode == FORM_FS)
		to -= run_fs_base();
	memcpy(trial->bytes + trial->displacement_at, &to,
	       trial->displacement_bytes);
	instruction_decode(&trial->instruction, CODE, trial->bytes, 15);
}

/* false: there is no such form */
static bool
prepare(struct trial *trial)
{
	static const uint8_t filler[VARIATIONS][8] = {
		{ 1, 1, 1, 1, 1, 1, 1, 1 },
		{ 8, 0, 0, 0, 0, 0, 0, 0 },
		{ 16, 0, 7, 0, 0, 0, 0, 0 },
		{ 0x18, 0, 31, 0x42, 0x18, 0, 0, 0 },
	};

	uint64_t mask;

	if (!form_bytes(trial->form, trial->mode, filler[trial->variation],
			trial->bytes) ||
	    instruction_decode(&trial->instruction, CODE, trial->bytes, 15))
		return false;
	/* What it is based on can't be told */
	if (trial->mode == FORM_FS && !trial->instruction.n_operands)
		return false;
	find_displacement(trial);
	set_registers(trial);
	set_vectors(trial);
	all_in_reach();
	/* For those that must be aligned, as a whole */
	mask = vectors.opmask[1];
	vectors.opmask[1] = UINT64_MAX;
	predict(trial);
	vectors.opmask[1] = mask;
	for (int area = 0; area < AREAS; area++) {
		struct span span = span_of(trial, area);

		if (span.some)
			shift(trial, area, -(int64_t)(span.low & 63));
	}
	predict(trial);
	return true;
}

static bool
is_ours(const struct trial *trial)
{
	for (int i = 0; i < trial->n; i++) {
		const struct access *access = &trial->access[i];
		int area = area_of(access->address);

		if (area < 0 || access->address < AREA(area) + MIDDLE ||
		    access->address + access->size > AREA(area) + MIDDLE + PAGE)
			return false;
	}
	return true;
}

static enum reason
refused(const struct all *all, const struct trial *trial)
{
	if (all->verbose)
		print_instruction(trial);
	return PRIVILEGED;
}

/* Find contents and an alignment with which it runs */
static enum reason
first_run(struct all *all, struct trial *trial)
{
	static const unsigned align[] = { 1, 16, 32, 64 };

	for (trial->fill = 0; trial->fill < 4; trial->fill++) {
		run(trial);
		if (completed(trial) || trial->result.signal == SIGILL ||
		    PAGE_FAULT(&trial->result))
			break;
	}
	if (trial->result.signal == SIGILL)
		return NOT_HERE;
	if (PAGE_FAULT(&trial->result) && trial->result.error & 0x10)
		return TRAPS;
	if (!completed(trial) && PAGE_FAULT(&trial->result)) {
		complain(all, trial, "faults with its memory in reach");
		return TRAPS;
	}
	if (!completed(trial))
		return refused(all, trial);
	for (size_t i = 0; i < ARRAY_SIZE(align); i++) {
		trial->align = align[i];
		for (int area = 0; area < AREAS; area++)
			if (span_of(trial, area).some)
				shift(trial, area, align[i]);
		predict(trial);
		run(trial);
		for (int area = 0; area < AREAS; area++)
			if (span_of(trial, area).some)
				shift(trial, area, -(int64_t)align[i]);
		predict(trial);
		if (completed(trial))
			return TRIED;
	}
	return PRIVILEGED;
}

static enum reason
try_one(struct all *all, struct trial *trial)
{
	enum reason reason;

	if (trial->form->category == ZYDIS_CATEGORY_INTERRUPT ||
	    trial->form->category == ZYDIS_CATEGORY_SYSCALL ||
	    trial->form->category == ZYDIS_CATEGORY_SYSRET)
		return TRAPS;
	if (trial->instruction.unknown)
		return NOT_MODELLED;
	if (!is_ours(trial))
		return ELSEWHERE;
	reason = first_run(all, trial);
	if (reason != TRIED)
		return reason;
	if (!trial->n)
		check_hint(all, trial);
	for (int area = 0; area < AREAS; area++)
		check_area(all, trial, area);
	check_modify(all, trial);
	return TRIED;
}

static bool
take(void *context, const struct form *form)
{
	struct all *all = context;
	enum reason first = TRIED;

	for (unsigned mode = 0; mode < FORM_MODES; mode++)
		for (unsigned v = 0; v < VARIATIONS; v++) {
			struct trial trial = { .form = form,
					       .mode = (enum form_mode)mode,
					       .variation = v };
			enum reason reason;

			if (!prepare(&trial))
				continue;
			reason = try_one(all, &trial);
			if (mode == FORM_BASE && !v && reason) {
				/* Another encoding may do */
				if (reason == ELSEWHERE)
					return false;
				first = reason;
				mode = FORM_MODES;
				break;
			}
		}
	all->forms[first]++;
	all->skipped[first][form->mnemonic] = true;
	return true;
}

static int
map_memory(void)
{
	const int both = PROT_READ | PROT_WRITE;
	int memory = memfd_create("operands", 0);

	if (memory < 0 || ftruncate(memory, AREAS * 3 * PAGE))
		return -errno;
	view = mmap(NULL, AREAS * 3 * PAGE, both, MAP_SHARED, memory, 0);
	if (view == MAP_FAILED)
		return -errno;
	for (int i = 0; i < AREAS; i++)
		if (mmap((void *)(uintptr_t)AREA(i), 3 * PAGE, both,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, memory,
			 (off_t)(i * 3 * (off_t)PAGE)) == MAP_FAILED)
			return -errno;
	if (mmap((void *)(uintptr_t)CODE, PAGE, both | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return -errno;
	memset((void *)(uintptr_t)CODE, 0xcc, PAGE);
	for (int i = 0; i < AREAS; i++)
		for (int k = 0; k < 3; k++)
			rights[i][k] = both;
	return 0;
}

static void
tell(const struct all *all)
{
	for (unsigned reason = 0; reason < REASONS; reason++) {
		printf("%u forms: %s", all->forms[reason], reason_text[reason]);
		for (unsigned i = 0; reason && i <= ZYDIS_MNEMONIC_MAX_VALUE;
		     i++)
			if (all->skipped[reason][i])
				printf(" %s", ZydisMnemonicGetString(
						      (ZydisMnemonic)i));
		printf("\n");
	}
	printf("%u runs, %u failures\n", all->runs, all->failures);
}

/*
 * What the table says was gone through on Intel's processors.  Others may touch
 * memory otherwise where the manuals leave it open (what a mask leaves out, say):
 * they are told, and let pass while they are few.
 */
static unsigned
allowed(const struct all *all)
{
	return __builtin_cpu_is("intel") ? 0 : all->runs / 50;
}

static int
in_child(bool verbose)
{
	static struct all all;
	int error = run_prepare();

	if (!error)
		error = map_memory();
	if (error) {
		printf("skipped: %s\n", strerror(-error));
		return 77;
	}
	all.verbose = verbose;
	forms_each(take, &all);
	tell(&all);
	return all.failures > allowed(&all) || all.forms[TRIED] < 500;
}

int
main(int argc, char **argv)
{
	int status;
	pid_t pid = fork();

	(void)argv;

	if (!pid) {
		alarm(100);
		status = in_child(argc > 1);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 99;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("FAIL: the child died of signal %d\n", WTERMSIG(status));
	return 1;
}
