// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/pst-format.h"

#include <xxhash.h>

/*
 *	 0 magic  4 XXH32 of 8..63  8 kind  12 batches  16 events  20 number
 *	24 stored bytes  32 raw bytes  40 first access  48 accesses  56 end ns
 */
void
pst_section_encode(const struct pst_section *section, uint8_t *out)
{
	put_u32(out, PST_SECTION_MAGIC);
	put_u32(out + 8, section->kind);
	put_u32(out + 12, section->batches);
	put_u32(out + 16, section->events);
	put_u32(out + 20, section->number);
	put_u64(out + 24, section->stored_bytes);
	put_u64(out + 32, section->raw_bytes);
	put_u64(out + 40, section->first_access);
	put_u64(out + 48, section->accesses);
	put_u64(out + 56, section->end_ns);
	put_u32(out + 4, XXH32(out + 8, PST_SECTION_BYTES - 8, 0));
}

bool
pst_section_decode(struct pst_section *section, const uint8_t *in)
{
	if (get_u32(in) != PST_SECTION_MAGIC ||
	    get_u32(in + 4) != XXH32(in + 8, PST_SECTION_BYTES - 8, 0))
		return false;
	*section = (struct pst_section){
		.kind = get_u32(in + 8),
		.batches = get_u32(in + 12),
		.events = get_u32(in + 16),
		.number = get_u32(in + 20),
		.stored_bytes = get_u64(in + 24),
		.raw_bytes = get_u64(in + 32),
		.first_access = get_u64(in + 40),
		.accesses = get_u64(in + 48),
		.end_ns = get_u64(in + 56),
	};
	return true;
}
