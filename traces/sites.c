// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open addressing with linear probing, at most half full.  Entry 0 is nobody,
 * so that the first search has a predecessor.
 */
#include "traces/sites.h"

#include <stdlib.h>

#include "analyzer/fail.h"

#define START_ENTRIES 1024

static uint32_t
hash(const struct sites *sites, uint64_t pc, uint64_t key)
{
	uint64_t mixed = (pc ^ key << 48 ^ key >> 2) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(mixed >> 32) & (2 * sites->max - 1);
}

static void
enter(struct sites *sites, uint32_t i)
{
	const struct sites_entry *entry = &sites->entry[i];
	uint32_t at = hash(sites, entry->pc, entry->key);

	while (sites->slot[at])
		at = (at + 1) & (2 * sites->max - 1);
	sites->slot[at] = i + 1;
}

/* Double both tables. */
static int
grow(struct sites *sites, uint32_t max)
{
	struct sites_entry *entry =
		reallocarray(sites->entry, max, sizeof(*entry));
	uint32_t *slot;

	if (entry)
		sites->entry = entry;
	slot = calloc(2 * (size_t)max, sizeof(*slot));
	if (!entry || !slot) {
		free(slot);
		return fail(ENOMEM, "import: no memory for %u sites", max);
	}
	free(sites->slot);
	sites->slot = slot;
	sites->max = max;
	for (uint32_t i = 1; i < sites->n; i++)
		enter(sites, i);
	return 0;
}

int
sites_init(struct sites *sites, struct stream *stream)
{
	int error;

	*sites = (struct sites){ .stream = stream };
	error = grow(sites, START_ENTRIES);
	if (error) {
		sites_fini(sites);
		return error;
	}
	/* No site has this key: the kind would be a fetch of 0 bytes. */
	sites->entry[0] = (struct sites_entry){ .key = SITE_FETCH };
	sites->n = 1;
	return 0;
}

void
sites_fini(struct sites *sites)
{
	free(sites->entry);
	free(sites->slot);
	*sites = (struct sites){ 0 };
}

static int
add(struct sites *sites, uint64_t pc, uint64_t key)
{
	struct site site = {
		.pc = pc,
		.size = (uint32_t)(key >> 8),
		.kind = (uint8_t)(key & 3),
		.instructions = (uint8_t)(key >> 2 & 63),
	};
	uint32_t ref;
	int error;

	if (sites->n == sites->max) {
		error = grow(sites, 2 * sites->max);
		if (error)
			return error;
	}
	error = stream_site_add(sites->stream, &site, &ref);
	if (error)
		return error;
	sites->entry[sites->n] = (struct sites_entry){ pc, key, ref, 0 };
	enter(sites, sites->n++);
	return 0;
}

uint32_t
sites_search(struct sites *sites, uint64_t pc, uint64_t key)
{
	uint32_t mask = 2 * sites->max - 1;
	uint32_t found = sites->n;

	for (uint32_t at = hash(sites, pc, key); sites->slot[at];
	     at = (at + 1) & mask) {
		const struct sites_entry *entry =
			&sites->entry[sites->slot[at] - 1];

		if (entry->pc == pc && entry->key == key) {
			found = sites->slot[at] - 1;
			break;
		}
	}
	if (found == sites->n) {
		sites->error = add(sites, pc, key);
		if (sites->error)
			return SITES_FAILED;
	}
	sites->entry[sites->last].next = found;
	sites->last = found;
	return sites->entry[found].ref;
}
