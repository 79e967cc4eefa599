/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hot loop behind batch_expand and the trace reader: the accesses of one
 * step from its roots.
 */
#ifndef ANALYZER_EXPAND_H
#define ANALYZER_EXPAND_H

#include "analyzer/stream.h"

/* Guarded accesses were made only if their root is not 0. */
static inline uint32_t
expand_guarded(const struct shape_access *access, uint32_t n,
	       const uint64_t *root, uint64_t *address, uint32_t *site)
{
	uint32_t made = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t value = access[i].slot ? root[access[i].slot - 1] : 0;

		if (access[i].guarded && !value)
			continue;
		address[made] = value + (uint64_t)access[i].displacement;
		site[made++] = access[i].ref;
	}
	return made;
}

/* How many accesses of a step were made. */
static inline uint32_t
expand_count(const struct step *step, const uint64_t *root)
{
	uint32_t made = step->n_accesses;

	for (uint32_t i = 0; step->guarded && i < step->n_accesses; i++) {
		const struct shape_access *access = &step->access[i];

		made -= access->guarded &&
			!(access->slot && root[access->slot - 1]);
	}
	return made;
}

/*
 * Where most steps are short and of many lengths: so many accesses at a time,
 * wanted or not, and no loop whose end no branch predictor could foresee.
 * Columns have room for that behind their last access (BATCH_SPARE), and so
 * have shapes.  (Where steps are longer this is slower: 166 against 212 M/s
 * decoding gzip.)
 */
#define EXPAND_GROUP 4u

static ALWAYS_INLINE void
expand_group(const struct shape_access *access, const uint64_t *root,
	     uint64_t *address, uint32_t *site)
{
	for (uint32_t i = 0; i < EXPAND_GROUP; i++) {
		uint64_t value = root[(int)access[i].slot - 1];

		value &= -(uint64_t)(access[i].slot != 0);
		address[i] = value + (uint64_t)access[i].displacement;
		site[i] = access[i].ref;
	}
}

/*
 * Write the first n accesses of a shape to the columns; returns how many were
 * made.  root[-1] is readable.
 */
static ALWAYS_INLINE uint32_t
expand_step(const struct shape_access *access, uint32_t n, bool guarded,
	    const uint64_t *root, uint64_t *address, uint32_t *site)
{
	if (unlikely(guarded))
		return expand_guarded(access, n, root, address, site);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t value = root[(int)access[i].slot - 1];

		value = access[i].slot ? value : 0;
		address[i] = value + (uint64_t)access[i].displacement;
		site[i] = access[i].ref;
	}
	return n;
}

#endif
