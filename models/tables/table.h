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
#include "models/tables/table-memory.h"

#define TABLE_REFERENCES_MAX 1000
#define TABLE_LEVELS_MAX     5

/*
 * One memory reference of a walk, in the order in which they are made.  Of a
 * host's table, below a guest's, the level is that plus TABLE_HOST.
 */
#define TABLE_HOST   8u
#define TABLE_MARKS  16u   /* levels are below that */
#define TABLE_BESIDE 0x80u /* flag: at the same time as the one before */

struct table_reference {
	uint64_t address; /* physical, of the entry */
	uint8_t level;	  /* 1: the last level of 4K pages, 2: PMD, ... 5; 0: of
			   * a table without levels; | TABLE_BESIDE */
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
/* Two bits: the level at which its walk ends, less 1; the same where a page
 * is not cut smaller than that (struct table, apart). */
#define TABLE_LEAF_SHIFT 4
#define TABLE_LEAF(page) ((unsigned)((page) >> TABLE_LEAF_SHIFT & 3))
#define TABLE_BITS	 UINT64_C(0xfff)

struct table_looks {
	uint64_t *page; /* [j] */
	void **at;	/* [j] */
};

#define TABLE_LOOKS_MAX 256u /* at once */

/* Walks whose ends were looked for, by number j: made are those listed. */
struct table_walks {
	const uint64_t *address;  /* [j] */
	struct table_looks looks; /* as they were found */
	const uint8_t *from;	  /* [j] level to begin at */
	const uint16_t *list;
	unsigned n;
	/* How many references there is room for, table->most at least; not
	 * looked at where that is TABLE_LEVELS_MAX or less */
	unsigned room;
	/* out; reference NULL: only `first` is wanted, which only tables of at
	 * most TABLE_LEVELS_MAX references are asked for */
	uint64_t *reference;  /* of one walk after the other */
	uint8_t *level;	      /* of each reference */
	uint16_t *references; /* [j] their number */
	/*
	 * Not NULL: only numbers are wanted: references[], steps[], and how
	 * many of each level, added here.  What is in reference and level then
	 * is nothing, but there is room for a walk in them.
	 */
	uint64_t *by_level;
	uint16_t *steps; /* [j] of the references: one after the other */
	uint16_t *first; /* [n_first] those of pages never walked to */
	unsigned n_first;
	unsigned made; /* walks: the others found no room.  As `room`. */
};

/* Entries written, and what else changes of the table cost. */
struct table_counts {
	uint64_t map_writes, unmap_writes;
	uint64_t
		moves; /* entries that made way for others, or to a new table */
	uint64_t resizes;
};

struct aside;

/* The first member of each kind's own struct. */
struct table {
	const struct table_ops *ops;
	unsigned levels; /* of the root, 5 at most; 0: no walk caches apply */
	unsigned most;	 /* references of one walk */
	bool apart;	 /* TABLE_LEAF and TABLE_CODE may differ */
	struct table_memory memory;
	struct table_counts counts;
	/* of who walks it now: core_switch sets them */
	struct aside *aside;
	uint64_t asid;
	/* only the bits of a page that is looked for are wanted, not where it
	 * is */
	bool bits_only;
};

/* What a table is opened with. */
struct tables_config; /* tables.h */
struct kinds_config;
struct table_with {
	const struct tables_config *config; /* borrowed, for good */
	const struct kinds_config *kinds;   /* of that: this table's */
	struct frames *frames;
	uint32_t space;
	void **shared; /* what the tables of one machine share: the kind's own */
};

/* Before the kind's own. */
void table_init(struct table *table, const struct table_ops *ops,
		const struct table_with *with);

/* What a kind counts beside: added up over the tables of a machine. */
#define TABLE_VALUES_MAX 12u
struct table_value {
	const char *name, *unit; /* NULL ends them */
};

struct table_ops {
	const char *name;
	const char *help;
	int (*open)(struct table **out, const struct table_with *with);
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
	 * Under a guest's table is the host's, whose frame this gives: `walk`
	 * gives what `map` was told.
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
	 * VmPTE counts (pte, pmd, pud pages).  What tables share is the
	 * first's. */
	uint64_t (*bytes)(const struct table *table);

	/* These may be NULL. */
	/* As table_taken_add, where those are not of table->memory. */
	void (*taken)(const struct table *table, struct table_taken *sum);
	const struct table_value *values;
	/* Add this table's to them. */
	void (*count)(const struct table *table, uint64_t *values);
	/* What a walker keeps for tables of this kind, beside its caches of
	 * levels.  0 or -ENOMEM. */
	int (*aside_open)(struct aside *aside, const struct table_with *with,
			  uint64_t seed);
	/* References of a walk at most; NULL: TABLE_LEVELS_MAX. */
	unsigned (*most)(const struct kinds_config *kinds);
	/* Is the configuration one that open takes?  As tlb_config_wrong. */
	int (*wrong)(const struct tables_config *config,
		     const struct kinds_config *kinds, const char **field,
		     char *text, size_t bytes);
};

extern const struct table_ops *const table_registry[];

#endif
