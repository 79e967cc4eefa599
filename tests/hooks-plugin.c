// SPDX-License-Identifier: GPL-2.0-or-later
/* A library that hooks.sh's program loads: 500 stores of 2 bytes. */
#include <stdint.h>

void plugin_touch(void *where);

void
plugin_touch(void *where)
{
	uint16_t *at = where;

	for (unsigned i = 0; i < 500; i++) {
		at[i] = (uint16_t)i;
		__asm__ volatile("" : : : "memory");
	}
}
