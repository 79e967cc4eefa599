// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which forms of instruction random programs are made of: those that run with
 * any register and any memory, tried one by one.
 */
#define _GNU_SOURCE
#include "random-forms.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "instruction-run.h"
#include "random-program.h"
#include "tracers/operands.h"

#define CODE  UINT64_C(0x20000000)
#define DATA  UINT64_C(0x10000000)
#define BYTES UINT64_C(0x10000)

/* Those that show or load a state that differs without anything being wrong
 * (where x87 was last, what the kernel has saved), or that may raise a signal
 * depending on what they find */
static bool
is_unwanted(const struct form *form)
{
	switch (form->mnemonic) {
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
	case ZYDIS_MNEMONIC_DIV:
	case ZYDIS_MNEMONIC_IDIV:
	case ZYDIS_MNEMONIC_FLDENV:
	case ZYDIS_MNEMONIC_FLDCW:
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FNSAVE:
	case ZYDIS_MNEMONIC_FRSTOR:
	case ZYDIS_MNEMONIC_FXSAVE:
	case ZYDIS_MNEMONIC_FXSAVE64:
	case ZYDIS_MNEMONIC_FXRSTOR:
	case ZYDIS_MNEMONIC_FXRSTOR64:
	case ZYDIS_MNEMONIC_LDMXCSR:
	case ZYDIS_MNEMONIC_VLDMXCSR:
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFQ:
	case ZYDIS_MNEMONIC_SLDT:
	case ZYDIS_MNEMONIC_STR:
	case ZYDIS_MNEMONIC_SGDT:
	case ZYDIS_MNEMONIC_SIDT:
	case ZYDIS_MNEMONIC_SMSW:
	case ZYDIS_MNEMONIC_VERR:
	case ZYDIS_MNEMONIC_VERW:
	case ZYDIS_MNEMONIC_LAR:
	case ZYDIS_MNEMONIC_LSL:
	case ZYDIS_MNEMONIC_LFS:
	case ZYDIS_MNEMONIC_LGS:
	case ZYDIS_MNEMONIC_LSS:
		return true;
	default:
		break;
	}
	switch (form->category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_XSAVE:
	case ZYDIS_CATEGORY_XSAVEOPT:
		return true;
	default:
		return form->mnemonic == ZYDIS_MNEMONIC_ENTER;
	}
}

static bool
loads_segment(const struct form *form)
{
	/* mov to, and pop of, a segment register */
	return (form->mnemonic == ZYDIS_MNEMONIC_MOV &&
		form->lead[form->n_lead - 1] == 0x8e) ||
	       (form->mnemonic == ZYDIS_MNEMONIC_POP &&
		form->lead[form->n_lead - 2] == 0x0f);
}

static bool
runs(const struct form *form, uint64_t offset)
{
	static const uint8_t filler[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
	struct run_registers registers = { .flags = 0x202, .rip = CODE };
	struct instruction instruction;
	struct run_result result;
	uint8_t bytes[32];
	unsigned n = form_bytes(form, FORM_BASE, filler, bytes);

	if (!n || instruction_decode(&instruction, CODE, bytes, 15) ||
	    instruction.unknown)
		return false;
	for (unsigned i = 0; i < 16; i++)
		registers.general[i] = DATA + BYTES / 2 + offset;
	registers.general[1] = 2;
	/* moffs */
	if (!form->modrm && instruction.n_operands == 1 &&
	    instruction.operand[0].base < 0)
		return false;
	for (unsigned i = 0; i < instruction.n_operands; i++)
		if (instruction.operand[i].form == OPERAND_BIT)
			registers.general[instruction.operand[i].mask] = 5;
	memset((void *)(uintptr_t)CODE, 0xcc, 64);
	memcpy((void *)(uintptr_t)CODE, bytes, instruction.length);
	run_instruction(&registers, &result);
	return result.signal == SIGTRAP &&
	       result.rip == CODE + instruction.length + 1;
}

static bool
take(void *context, const struct form *form)
{
	struct random_forms *forms = context;
	bool loose;

	if (is_unwanted(form) || loads_segment(form))
		return true;
	loose = runs(form, 1);
	if (!loose && !runs(form, 0))
		return false;
	if (forms->n == RANDOM_FORMS_MAX)
		return true;
	forms->aligned[forms->n] = !loose;
	forms->form[forms->n++] = *form;
	return true;
}

struct random_forms *
random_forms_open(void)
{
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	struct random_forms *forms = calloc(1, sizeof(*forms));
	static struct run_vectors vectors;

	if (!forms ||
	    mmap((void *)(uintptr_t)CODE, 4096, all, how, -1, 0) ==
		    MAP_FAILED ||
	    mmap((void *)(uintptr_t)DATA, BYTES, all, how, -1, 0) == MAP_FAILED)
		abort();
	/* All lanes, for what has to be aligned */
	memset(vectors.opmask, 0xff, sizeof(vectors.opmask));
	run_vectors(&vectors);
	forms_each(take, forms);
	munmap((void *)(uintptr_t)CODE, 4096);
	munmap((void *)(uintptr_t)DATA, BYTES);
	return forms;
}

void
random_forms_close(struct random_forms *forms)
{
	free(forms);
}

size_t
random_forms_count(const struct random_forms *forms)
{
	return forms->n;
}
