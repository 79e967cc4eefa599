// SPDX-License-Identifier: GPL-2.0-or-later
/* Open addressing, linear probes, at most half full. */
#include "tracers/page-known.h"

#include <errno.h>
#include <stdlib.h>

static struct page_known_slot *
find(const struct page_known *known, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20);

	for (;; i++) {
		struct page_known_slot *slot =
			&known->slot[i & (known->room - 1)];

		if (!slot->key || slot->key == key + 1)
			return slot;
	}
}

static int
grow(struct page_known *known)
{
	struct page_known larger = { .room = known->room ? 2 * known->room
							 : 1024 };

	larger.slot = calloc(larger.room, sizeof(*larger.slot));
	if (!larger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < known->room; i++)
		if (known->slot[i].key)
			*find(&larger, known->slot[i].key - 1) = known->slot[i];
	larger.n = known->n;
	free(known->slot);
	*known = larger;
	return 0;
}

int
page_known_put(struct page_known *known, uint64_t key, uint64_t value)
{
	struct page_known_slot *slot;

	if (2 * known->n >= known->room && grow(known))
		return -ENOMEM;
	slot = find(known, key);
	if (slot->key && slot->value == value)
		return 0;
	known->n += !slot->key;
	*slot = (struct page_known_slot){ key + 1, value };
	return 1;
}

void
page_known_fini(struct page_known *known)
{
	free(known->slot);
}
