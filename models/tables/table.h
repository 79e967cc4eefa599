/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page table: what the walker reads and the kernel part writes.  The walker
 * does not know radix from hashed, and a table knows neither TLBs nor
 * policies.  One instance an address space (tables shared by all spaces keep
 * their own shared part).  Registered from TABLES in Makefile.am.
 */
#ifndef MODELS_TABLES_TABLE_H
#define MODELS_TABLES_TABLE_H

#include "analyzer/option.h"
#include "analyzer/result.h"
#include "models/memory/frames.h"

#define TABLE_REFERENCES_MAX 64
#define TABLE_LEVELS_MAX     5

/* One memory reference of a walk, in the order in which they are made. */
struct table_reference {
	uint64_t address; /* physical, of the entry */
	uint8_t level;	  /* 1: the last level of 4K pages, 2: PMD, ... 5 */
};

struct mapping {
	uint64_t frame; /* physical address of the page's first byte */
	uint8_t shift;	/* 12, 21, 30; 0: not present */
	bool writable;
	bool global;
	bool accessed; /* set by a walk_from that came before */
};

/*
 * Where the walk for an address would end, good until the table changes: the
 * page's first byte, with bits, those not named being the table's own; and what
 * only the table understands.
 */
#define TABLE_WRITABLE	 UINT64_C(2)
#define TABLE_CODE_SHIFT 9 /* two bits: 0 a page of 4K, 1 of 2M, 2 of 1G */
#define TABLE_CODE(page) ((unsigned)((page) >> TABLE_CODE_SHIFT & 3))
#define TABLE_BITS	 UINT64_C(0xfff)

struct table_looks {
	uint64_t *page; /* [j] */
	void **at;	/* [j] */
};

/* Walks whose ends were looked for, by number j: made are those listed. */
struct table_walks {
	const uint64_t *address;  /* [j] */
	struct table_looks looks; /* as they were found */
	const uint8_t *from;	  /* [j] level to begin at */
	const uint16_t *list;
	unsigned n;
	/* out; reference NULL: only `first` is wanted */
	uint64_t *reference; /* of one walk after the other */
	uint8_t *level;	     /* of each reference */
	uint8_t *references; /* [j] their number */
	uint16_t *first;     /* [n_first] those of pages never walked to */
	unsigned n_first;
};

struct table {
	const struct table_ops *ops;
	unsigned levels; /* of the root, 5 at most; 0: no walk caches apply */
};

struct table_ops {
	const char *name;
	const char *help;
	const struct option_tree *options;
	int (*open)(struct table **out, const void *config,
		    struct frames *frames);
	void (*close)(struct table *table);
	/*
	 * The references of a full walk for this virtual address, root first,
	 * ending where the walk ends (also when not present); returns their
	 * number.  Sets *mapping.
	 */
	unsigned (*walk)(struct table *table, uint64_t address,
			 struct table_reference *references,
			 struct mapping *mapping);
	/*
	 * The machine's own walk: only the references from `level` down
	 * (table->levels: all), where walk caches let it begin: an earlier
	 * walk came by, and no table was freed since.  Sets the accessed bit.
	 * NULL where levels is 0.
	 */
	unsigned (*walk_from)(struct table *table, uint64_t address,
			      unsigned level,
			      struct table_reference *references,
			      struct mapping *mapping);
	/*
	 * For many walks at once: where those for these addresses would end, up
	 * to the first that finds no page; returns how many.  Changes nothing
	 * that shows.  Then the walks, as by walk_from; returns the number of
	 * references.  All three NULL: only one by one.
	 */
	unsigned (*look)(struct table *table, const uint64_t *address,
			 unsigned n, const struct table_looks *looks);
	unsigned (*walk_looked)(struct table *table, struct table_walks *walks);
	/* These addresses will be looked for soon: start fetching what that
	 * reads here. */
	void (*prefetch)(const struct table *table, const uint64_t *address,
			 unsigned n);
	/* Map the page of mapping->shift at address, replacing what is there.
	 * 0, -ENOMEM. */
	int (*map)(struct table *table, uint64_t address,
		   const struct mapping *mapping);
	/*
	 * Forget all mappings in [address, address + length) (page aligned),
	 * calling gone (may be NULL) for each; free_tables also gives back the
	 * table pages that cover only this range (munmap does, zap does not).
	 */
	void (*unmap)(struct table *table, uint64_t address, uint64_t length,
		      bool free_tables,
		      void (*gone)(void *context, uint64_t address,
				   const struct mapping *mapping),
		      void *context);
	/* Table memory in use now, bytes, without the root, as the kernel's
	 * VmPTE counts (pte, pmd, pud pages). */
	uint64_t (*bytes)(const struct table *table);
};

extern const struct table_ops *const table_registry[];

#endif
