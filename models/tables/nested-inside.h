/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of nested.c have in common. */
#ifndef MODELS_TABLES_NESTED_INSIDE_H
#define MODELS_TABLES_NESTED_INSIDE_H

#include "models/tables/table.h"

#define NESTED_STEPS \
	4000u /* translations of one call at most; below ASIDE_RUN */

#define NESTED_NO_FAULTS UINT64_MAX

/* What all the guest's spaces share. */
struct nested_shared {
	struct frames *frames;	     /* owned: the host's memory */
	struct frames *guest_frames; /* borrowed: the guest's */
	/* borrowed: pages of tables that are elsewhere, or NULL */
	struct numa_copies *copies, *guest_copies;
	struct table *host; /* owned */
	void *host_shared, *guest_shared;
	uint64_t faults; /* it changed so often */
	unsigned users;
	const struct table *first;
	/* scratch, of one call */
	uint64_t gpa[NESTED_STEPS], page[NESTED_STEPS], reference[NESTED_STEPS];
	void *at[NESTED_STEPS];
	uint64_t guest_page[NESTED_STEPS]; /* where what the guest reads is */
	void *guest_at[NESTED_STEPS];
	uint8_t from[NESTED_STEPS], level[NESTED_STEPS];
	uint16_t list[NESTED_STEPS], host_references[NESTED_STEPS],
		host_steps[NESTED_STEPS], first_walk[NESTED_STEPS];
	uint64_t host_reference[NESTED_STEPS];
	uint8_t host_level[NESTED_STEPS];
};

struct nested {
	struct table table;
	struct table *guest; /* owned */
	struct nested_shared *shared;
	void **shared_at;
	unsigned code;	/* of the host's pages */
	unsigned shift; /* of them, and at which level the host's walks end */
	unsigned leaf;
	uint64_t page[TABLE_LOOKS_MAX];
	void *at[TABLE_LOOKS_MAX];
	/* where these are, good for so many of the host's faults (NESTED_NO_FAULTS:
	 * nobody has looked) */
	uint64_t gpa[TABLE_LOOKS_MAX], host_page[TABLE_LOOKS_MAX];
	void *host_at[TABLE_LOOKS_MAX];
	uint64_t faults;
	unsigned n;
};

static inline struct nested *
nested_of(struct table *table)
{
	return (struct nested *)table;
}

/* The host backs this address of the guest's memory.  0, -ENOMEM (said). */
int nested_back(struct nested *nested, uint64_t gpa);

/* As those of struct table_ops: nested-walk.c. */
unsigned nested_walk(struct table *table, uint64_t address,
		     struct table_reference *references,
		     struct mapping *mapping);
unsigned nested_walk_from(struct table *table, uint64_t address, unsigned from,
			  struct table_reference *references,
			  struct mapping *mapping);
unsigned nested_look(struct table *table, const uint64_t *address, unsigned n,
		     const struct table_looks *looks);
unsigned nested_walk_looked(struct table *table, struct table_walks *walks);
void nested_prefetch(const struct table *table, const uint64_t *address,
		     unsigned n);

#endif
