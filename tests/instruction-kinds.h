/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is special about how some forms of instruction touch memory. */
#ifndef TESTS_INSTRUCTION_KINDS_H
#define TESTS_INSTRUCTION_KINDS_H

#include "instruction-forms.h"

/* Does it go on elsewhere? */
bool form_is_flow(const struct form *form);
/* Cache-line flushes are checked like a load of one byte, and are none. */
bool form_is_checked_hint(const struct form *form);
/* Does the kernel do it here in the processor's stead? */
bool form_is_emulated(const struct form *form);
/* Of a selector on the stack processors read two bytes or all, in whatever
 * order */
bool form_pops_selector(const struct form *form);
/* vextractf32x4 and its kin check all of their memory and merge into it. */
bool form_merges(const struct form *form);

#endif
