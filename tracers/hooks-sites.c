// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open addressing with linear probing, at most a quarter full: most sites
 * stand in their own place.
 */
#include "tracers/hooks-sites.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "tracers/hooks/channel.h"

#define START_ENTRIES (1u << 14)
#define ENTRIES_MAX   (1u << 24) /* as many as the hash has values */

static struct hooks_site *
place(const struct hooks_sites *sites, uint64_t pc, uint64_t key)
{
	uint64_t at = hooks_site_place(sites, pc);

	while (sites->entry[at].key &&
	       (sites->entry[at].pc != pc || sites->entry[at].key != key))
		at = (at + 1) & sites->mask;
	return &sites->entry[at];
}

static int
grow(struct hooks_sites *sites, uint64_t entries)
{
	struct hooks_sites old = *sites;

	if (entries > ENTRIES_MAX)
		return fail(ENOSPC, "hooks: too many sites");
	sites->entry = calloc(entries, sizeof(*sites->entry));
	if (!sites->entry) {
		sites->entry = old.entry;
		return fail(ENOMEM, "hooks: no memory for sites");
	}
	sites->mask = entries - 1;
	for (uint64_t i = 0; old.entry && i <= old.mask; i++)
		if (old.entry[i].key)
			*place(sites, old.entry[i].pc, old.entry[i].key) =
				old.entry[i];
	free(old.entry);
	return 0;
}

int
hooks_sites_init(struct hooks_sites *sites, struct stream *stream)
{
	*sites = (struct hooks_sites){ .stream = stream };
	return grow(sites, START_ENTRIES);
}

void
hooks_sites_fini(struct hooks_sites *sites)
{
	free(sites->entry);
	sites->entry = NULL;
}

/* The kinds of the hooks are those of the sites, in order. */
_Static_assert((HOOK_READ >> 4 & 3) == SITE_LOAD &&
		       (HOOK_WRITE >> 4 & 3) == SITE_STORE &&
		       (HOOK_MODIFY >> 4 & 3) == SITE_MODIFY &&
		       (HOOK_ENTRY >> 4 & 3) == SITE_FETCH,
	       "kinds of hooks");

uint32_t
hooks_sites_search(struct hooks_sites *sites, uint64_t pc, uint64_t key)
{
	struct hooks_site *entry;
	uint32_t length = (uint32_t)(key >> 24);
	const struct site site = {
		.pc = pc,
		.size = length ? length : 1,
		.image = (uint16_t)(key >> 8),
		.kind = key >> 4 & 3,
	};

	sites->error = 4 * sites->n >= sites->mask
			       ? grow(sites, 2 * (sites->mask + 1))
			       : 0;
	if (sites->error)
		return HOOKS_SITE_NONE;
	entry = place(sites, pc, key);
	if (entry->key)
		return entry->ref;
	sites->error = stream_site_add(sites->stream, &site, &entry->ref);
	if (sites->error)
		return HOOKS_SITE_NONE;
	entry->pc = pc;
	entry->key = key;
	sites->n++;
	return entry->ref;
}
