// SPDX-License-Identifier: GPL-2.0-or-later
#include "instruction-kinds.h"

#include <cpuid.h>
#include <string.h>

#define LEAF_FEATURES 7
#define UMIP_BIT      2 /* of ecx (SDM vol. 2, CPUID) */

bool
form_is_flow(const struct form *form)
{
	return form->category == ZYDIS_CATEGORY_CALL ||
	       form->category == ZYDIS_CATEGORY_UNCOND_BR ||
	       form->category == ZYDIS_CATEGORY_RET ||
	       form->mnemonic == ZYDIS_MNEMONIC_IRETQ ||
	       form->mnemonic == ZYDIS_MNEMONIC_IRETD ||
	       form->mnemonic == ZYDIS_MNEMONIC_IRET;
}

bool
form_is_checked_hint(const struct form *form)
{
	return form->category == ZYDIS_CATEGORY_CLFLUSHOPT ||
	       form->category == ZYDIS_CATEGORY_CLWB ||
	       form->mnemonic == ZYDIS_MNEMONIC_CLFLUSH;
}

/* Only then do these instructions fault, and the kernel looks after them */
static bool
has_umip(void)
{
	unsigned a, b, c = 0, d;

	return __get_cpuid_count(LEAF_FEATURES, 0, &a, &b, &c, &d) &&
	       c >> UMIP_BIT & 1;
}

bool
form_is_emulated(const struct form *form)
{
	switch (form->mnemonic) {
	case ZYDIS_MNEMONIC_SLDT:
	case ZYDIS_MNEMONIC_STR:
	case ZYDIS_MNEMONIC_SGDT:
	case ZYDIS_MNEMONIC_SIDT:
	case ZYDIS_MNEMONIC_SMSW:
		return has_umip();
	default:
		return false;
	}
}

bool
form_pops_selector(const struct form *form)
{
	return form->mnemonic == ZYDIS_MNEMONIC_IRET ||
	       form->mnemonic == ZYDIS_MNEMONIC_IRETD ||
	       form->mnemonic == ZYDIS_MNEMONIC_IRETQ ||
	       form->mnemonic == ZYDIS_MNEMONIC_RET ||
	       form->mnemonic == ZYDIS_MNEMONIC_POP;
}

bool
form_merges(const struct form *form)
{
	return !strncmp(ZydisMnemonicGetString(form->mnemonic), "vextract", 8);
}
