/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sites of hooked programs: each known once by its return address, its
 * hook, the length of a range and the program's image.
 */
#ifndef TRACERS_HOOKS_SITES_H
#define TRACERS_HOOKS_SITES_H

#include "analyzer/stream.h"

struct hooks_site {
	uint64_t pc;
	uint64_t key; /* hooks_site_key; 0: a free entry */
	uint32_t ref;
};

struct hooks_sites {
	struct stream *stream;	  /* not owned */
	struct hooks_site *entry; /* owned [mask + 1] */
	uint64_t mask, n;
	int error; /* why HOOKS_SITE_NONE */
};

#define HOOKS_SITE_NONE UINT32_MAX

/* 0 or -ENOMEM (said). */
int hooks_sites_init(struct hooks_sites *sites, struct stream *stream);
void hooks_sites_fini(struct hooks_sites *sites);

/* By search, added when new. */
uint32_t hooks_sites_search(struct hooks_sites *sites, uint64_t pc,
			    uint64_t key);

/* code: HOOK_...; length: bytes, 0 for a function entry */
static inline uint64_t
hooks_site_key(uint32_t code, uint32_t length, uint16_t image)
{
	return (uint64_t)length << 24 | (uint64_t)image << 8 | code;
}

static ALWAYS_INLINE uint64_t
hooks_site_place(const struct hooks_sites *sites, uint64_t pc)
{
	return (pc * UINT64_C(0x9e3779b97f4a7c15)) >> 40 & sites->mask;
}

/* The reference, HOOKS_SITE_NONE with sites->error set (said). */
static ALWAYS_INLINE uint32_t
hooks_sites_find(struct hooks_sites *sites, uint64_t pc, uint64_t key)
{
	const struct hooks_site *entry =
		&sites->entry[hooks_site_place(sites, pc)];

	if (unlikely(entry->pc != pc || entry->key != key))
		return hooks_sites_search(sites, pc, key);
	return entry->ref;
}

#endif
