// SPDX-License-Identifier: GPL-2.0-or-later
/* Write-combining buffers; see the header. */
#include "models/memory/combining.h"

#include <string.h>

/* A buffer is written to memory, and those younger move up. */
static void
write_out(struct combining *combining, unsigned i)
{
	unsigned younger = combining->used - i - 1;

	if (combining->bytes[i] == UINT64_MAX)
		combining->whole++;
	else
		combining->partial++;
	memmove(&combining->line[i], &combining->line[i + 1],
		younger * sizeof(combining->line[0]));
	memmove(&combining->bytes[i], &combining->bytes[i + 1],
		younger * sizeof(combining->bytes[0]));
	combining->used--;
}

void
combining_store(struct combining *combining, uint64_t physical, unsigned bytes)
{
	uint64_t line = physical / COMBINING_LINE;
	unsigned first = physical % COMBINING_LINE, i = 0;
	uint64_t mask = bytes < COMBINING_LINE ? (UINT64_C(1) << bytes) - 1
					       : UINT64_MAX;

	combining->stores++;
	while (i < combining->used && combining->line[i] != line)
		i++;
	if (i == combining->used) {
		if (combining->used == combining->buffers)
			write_out(combining, 0);
		i = combining->used++;
		combining->line[i] = line;
		combining->bytes[i] = 0;
	}
	combining->bytes[i] |= mask << first;
	if (combining->bytes[i] == UINT64_MAX)
		write_out(combining, i);
}

void
combining_drain(struct combining *combining)
{
	while (combining->used)
		write_out(combining, 0);
}
