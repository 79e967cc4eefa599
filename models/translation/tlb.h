/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An associative array of translations: a TLB level, or one level of a walk
 * cache.  Any sets x ways, any page sizes, any replacement policy.
 *
 *	tag[] cover[] unit[] stamp[] frame[]	  by slot = set * ways + way
 *	print[set][16]				  a byte of each tag, or:
 *	head[hash] -> slot -> next[slot] -> ...	  for sets wider than 16 ways
 *
 * A hit writes one stamp, whatever the policy: LRU compares stamps, tree-PLRU
 * asks which half of the set holds the later one (the tree's bits say no more
 * than that), FIFO and random do not look.  So nothing is moved at a hit, and
 * every policy has one hot path.  A set of up to 16 ways is searched by its
 * fingerprints, 16 at once; a wider one through a hash over all slots, which
 * costs the same for 64 ways as for 2,048.
 *
 * Where misses are as usual as hits, LRU is ranked instead, and keeps no stamps:
 *
 *	rows	up to 16 ways: the latest first, tag[] and frame[] alike.  A use
 *		moves those before it by one, which is the same few vector
 *		instructions for a hit and for a miss
 *	log	one wide set: its uses in order, slot by slot.  Who leaves is the
 *		first there that was not used again (by its stamp)
 *
 * Second levels and walk caches are ranked always; first levels only while most
 * accesses miss (tlb_rank): the hot loop, which writes stamps and no more, knows
 * nothing of it.
 */
#ifndef MODELS_TRANSLATION_TLB_H
#define MODELS_TRANSLATION_TLB_H

#include "analyzer/option.h"

#include <emmintrin.h>

struct replacement_ops;

/*
 * A tag: page address | TLB_ALWAYS | TLB_READONLY? | size code << 8 | ASID.
 * A key is the same without the two flags.
 */
#define TLB_ALWAYS	UINT64_C(0x800) /* set in each tag, in no key */
#define TLB_READONLY	UINT64_C(0x400)
#define TLB_SIZE_SHIFT	8
#define TLB_ASID_MASK	UINT64_C(0xff)
#define TLB_ASID_MAX	254 /* 255 marks a free slot: no key ever equals it */
#define TLB_ASID_GLOBAL 254 /* asids are less */
#define TLB_FREE	UINT64_MAX
#define TLB_ENTRIES_MAX 65535

/* Page sizes by code: 0 is 4K, 1 is 2M, 2 is 1G. */
#define TLB_SIZES 3
/* With a granule of 2^granule bytes (AArch64: 12, 14, 16) an entry of each level of
 * the table is of granule - 3 bits more: 16K, 32M, 64G and 64K, 512M, 4T. */
#define TLB_GRANULE_SHIFT(granule, code) ((granule) + ((granule)-3u) * (code))
/* Page sizes of granules over 4K by code: 0 is the granule; 1 is 2M, entries of the
 * last level that are marked contiguous; 2 is the block of the level above, 32M or
 * 512M.  Those of the levels above that no kernel maps. */
#define TLB_CONTIGUOUS_SHIFT 21u
static inline unsigned
tlb_page_shift(unsigned granule, unsigned code)
{
	if (granule == 12)
		return 12 + 9 * code;
	return code == 1 ? TLB_CONTIGUOUS_SHIFT
			 : TLB_GRANULE_SHIFT(granule, code / 2);
}

static inline unsigned
tlb_page_code(unsigned granule, unsigned shift)
{
	if (granule == 12)
		return (shift - 12u) / 9u;
	return (shift > granule) + (shift > TLB_CONTIGUOUS_SHIFT);
}
/* For those who only know a granule of 4K. */
#define TLB_SHIFT(code) (12u + 9u * (code))

/* The columns of an array; a slot is free while its tag is TLB_FREE. */
struct tlb_columns {
	uint64_t *tag;
	uint64_t *stamp; /* when last used; 0: free */
	uint64_t *frame; /* physical address of the page */
	/* Of first-level arrays only, for the core's hot loop: */
	uint64_t *cover; /* the tag's bits that an access must match */
	uint64_t *unit;	 /* what a hit adds to the caller's packed counters */
};

struct tlb_config {
	int64_t entries; /* 0: there is no such array */
	int64_t ways;	 /* 0 or >= entries: fully associative */
	char *replacement;
	int64_t latency; /* cycles that a hit here adds */
	int sizes;	 /* bit (code) set: holds pages of that size */
	/* 4K pages of one entry, see tlb-group.h; 0, 1: one.  Not both. */
	int64_t sector, coalesce;
	unsigned granule; /* shift of code 0; 0: 12.  No option of its own */
};

/*
 * Rows of an array with the defaults of one part of a machine, as text: all
 * have entries, ways and replacement; TLBs have sizes, some a latency.  To be
 * ended by { NULL }.
 */
extern const char *const tlb_size_choices[];
/* Names all policies; generated from REPLACEMENTS in Makefile.am. */
extern const char replacement_help[];

#define TLB_ROW(field_, ...)                                               \
	{                                                                  \
		.name = #field_,                                           \
		.offset = offsetof(struct tlb_config, field_), __VA_ARGS__ \
	}
#define TLB_ARRAY_ROWS(entries_, ways_, entries_max)                                \
	TLB_ROW(entries, .type = OPTION_INT, .fallback = entries_,                  \
		.max = entries_max, .unit = "entries",                              \
		.help = "how many it holds, 0: there is none"),                     \
		TLB_ROW(ways, .type = OPTION_INT, .fallback = ways_,                \
			.max = TLB_ENTRIES_MAX, .unit = "ways",                     \
			.help = "entries a set, a divisor of entries; 0: one set"), \
		TLB_ROW(replacement, .type = OPTION_STRING, .fallback = "lru",      \
			.argument = "POLICY", .help = replacement_help)
#define TLB_ROW_SIZES(sizes_)                                     \
	TLB_ROW(sizes, .type = OPTION_CHOICE, .fallback = sizes_, \
		.choices = tlb_size_choices, .help = "page sizes it holds")
#define TLB_SECTOR_MAX	 64
#define TLB_COALESCE_MAX 8 /* entries of the page table in a line */
#define TLB_ROWS_GROUP                                                        \
	TLB_ROW(sector, .type = OPTION_INT, .fallback = "1", .min = 1,        \
		.max = TLB_SECTOR_MAX, .unit = "pages",                       \
		.help = "4K pages (of pages.granule) side by side under one " \
			"tag, each entered by itself"),                       \
		TLB_ROW(coalesce, .type = OPTION_INT, .fallback = "1",        \
			.min = 1, .max = TLB_COALESCE_MAX, .unit = "pages",   \
			.help = "4K pages side by side, with frames side "    \
				"by side, that one entry takes at most")
#define TLB_ROW_LATENCY(latency_)                                  \
	TLB_ROW(latency, .type = OPTION_INT, .fallback = latency_, \
		.max = 10000, .unit = "cycles",                    \
		.help = "what a hit here adds to the access")

/* A use of a slot, as long as the slot's stamp is still that. */
struct tlb_use {
	uint64_t stamp;
	uint32_t slot;
};

struct tlb_log {
	struct tlb_use *use; /* owned: [room]; from `head` on they count */
	uint32_t head, n, room;
};

#define TLB_GROUP   8u	/* ways that share one lower bound of stamps */
#define TLB_SCANNED 16u /* ways of a set that are searched by fingerprint */
#define TLB_NO_SLOT UINT32_MAX

/* Which pages of the least size an entry has, where it may have several. */
struct tlb_group {
	uint64_t valid, readonly; /* a bit each */
};

struct tlb {
	struct tlb_columns column;   /* [entries] each */
	uint8_t *print;		     /* [sets][TLB_SCANNED], or NULL */
	struct tlb_log log;	     /* use: NULL if it never has one */
	bool rows, logged;	     /* how it is ranked now, if it is */
	bool vectors, short_vectors; /* the host has what tlb-run.c wants */
	uint32_t entries, ways, sets, set_mask;
	uint32_t ways_mask; /* bits of ways that there are, if scanned */
	uint32_t used, used_by[TLB_SIZES + 1];
	bool *sizes_changed; /* set when a size comes or goes, or NULL */
	uint8_t n_sizes, code[TLB_SIZES], shift[TLB_SIZES]; /* what it holds */
	uint8_t shift_of[TLB_SIZES + 1];		    /* by code */
	uint64_t cover_of[TLB_SIZES + 1], unit_of[TLB_SIZES + 1];
	unsigned latency;
	uint64_t *filled; /* [entries] when it came in */
	uint64_t *bound;  /* [sets * groups] no stamp of the group is below */
	uint32_t groups;
	uint16_t *head, *next; /* or NULL */
	unsigned hash_shift;
	/* of the policy: see replacement.h; state, of_set: NULL if it is LRU */
	uint64_t random;
	uint64_t *of_set; /* [sets] */
	uint8_t *state;	  /* [entries] */
	uint32_t select;
	/* where entries are for several pages (tlb-group.h), else NULL */
	struct tlb_group *group;	  /* [entries] */
	uint64_t *group_frame;		  /* [entries][pages] of sectors */
	unsigned group_shift, page_shift; /* of all its pages; of one */
	bool coalesces;
	uint64_t evicted;     /* tag that the last tlb_fill drove out */
	uint64_t bytes, peak; /* what the entries cover, and did at most */
	const struct replacement_ops *replacement;
	bool owns_columns; /* always ranked, if it can be */
	bool simple;	   /* LRU of scanned sets */
};

/* 0 or -ENOMEM; calloc'ed, all slots free. */
int tlb_columns_init(struct tlb_columns *columns, size_t n, bool covers);
void tlb_columns_fini(struct tlb_columns *columns);

/*
 * Is the configuration one that tlb_init takes?  0, or more and in text (its
 * length returned, as snprintf does) the value and what is allowed, in *field
 * the name of its row.
 */
int tlb_config_wrong(const struct tlb_config *config, const char **field,
		     char *text, size_t bytes);

/*
 * columns: storage from slot `first` on for config->entries, or NULL to own
 * it.  Only who gives storage may write stamps itself; others call tlb_touch.
 * 0 entries makes an array that never holds anything.  The config must be
 * right.  0 or -ENOMEM.
 */
int tlb_init(struct tlb *tlb, const struct tlb_config *config,
	     const struct tlb_columns *columns, size_t first, uint64_t seed);
void tlb_fini(struct tlb *tlb);

/* A walk cache's array: all its entries are of code 0 and of this span. */
void tlb_span(struct tlb *tlb, unsigned shift);

static inline uint64_t
tlb_key(uint64_t address, unsigned shift, unsigned code, uint64_t asid)
{
	return (address >> shift << shift) | (uint64_t)code << TLB_SIZE_SHIFT |
	       asid;
}

#define TLB_HASH UINT64_C(0x9e3779b97f4a7c15)

static inline unsigned
tlb_hash(const struct tlb *tlb, uint64_t key)
{
	return (unsigned)((key * TLB_HASH) >> tlb->hash_shift);
}

static inline uint32_t
tlb_set(const struct tlb *tlb, uint64_t page)
{
	if (likely(tlb->set_mask || tlb->sets == 1))
		return (uint32_t)page & tlb->set_mask;
	return (uint32_t)(page % tlb->sets);
}

static inline uint8_t
tlb_print(uint64_t key)
{
	return (uint8_t)((key * TLB_HASH) >> 56);
}

static inline bool
tlb_matches(const struct tlb *tlb, uint32_t slot, uint64_t key)
{
	return (tlb->column.tag[slot] | TLB_READONLY) ==
	       (key | TLB_ALWAYS | TLB_READONLY);
}

/* tlb_find for sets too wide to scan, and for rows. */
uint32_t tlb_find_hashed(const struct tlb *tlb, uint64_t key);
uint32_t tlb_find_row(const struct tlb *tlb, uint32_t set, uint64_t key);

/* The slot of this set that holds the key, or TLB_NO_SLOT, where sets are
 * searched by fingerprints. */
static ALWAYS_INLINE uint32_t
tlb_scan(const struct tlb *tlb, uint32_t set, uint64_t key)
{
	__m128i prints = _mm_loadu_si128(
		(const __m128i *)(const void *)&tlb->print[set * TLB_SCANNED]);
	uint32_t candidates =
		(uint32_t)_mm_movemask_epi8(
			_mm_cmpeq_epi8(prints,
				       _mm_set1_epi8((char)tlb_print(key)))) &
		tlb->ways_mask;

	while (candidates) {
		uint32_t slot =
			set * tlb->ways + (uint32_t)__builtin_ctz(candidates);

		if (likely(tlb_matches(tlb, slot, key)))
			return slot;
		candidates &= candidates - 1;
	}
	return TLB_NO_SLOT;
}

/* The slot that holds the key, or TLB_NO_SLOT.  Changes nothing. */
static ALWAYS_INLINE uint32_t
tlb_find(const struct tlb *tlb, uint64_t key, unsigned shift)
{
	if (tlb->rows)
		return tlb_find_row(tlb, tlb_set(tlb, key >> shift), key);
	return likely(tlb->print)
		       ? tlb_scan(tlb, tlb_set(tlb, key >> shift), key)
		       : tlb_find_hashed(tlb, key);
}

/* Make room in the log by dropping what does not count. */
void tlb_log_compact(struct tlb *tlb);

static ALWAYS_INLINE void
tlb_log_add(struct tlb *tlb, uint32_t slot, uint64_t now)
{
	struct tlb_log *log = &tlb->log;

	if (unlikely(log->n == log->room))
		tlb_log_compact(tlb);
	log->use[log->n++] = (struct tlb_use){ now, slot };
}

/* Bring a slot of a set in rows to its front; that slot. */
uint32_t tlb_row_first(struct tlb *tlb, uint32_t slot);

/* A slot was used.  Returns where its entry is now. */
static ALWAYS_INLINE uint32_t
tlb_touch(struct tlb *tlb, uint32_t slot, uint64_t now)
{
	if (tlb->rows)
		return tlb_row_first(tlb, slot);
	tlb->column.stamp[slot] = now;
	if (unlikely(tlb->logged))
		tlb_log_add(tlb, slot, now);
	return slot;
}

/* tlb_fill for all arrays. */
uint32_t tlb_fill_any(struct tlb *tlb, uint64_t key, unsigned shift,
		      uint64_t now);
/* A slot passes from one size (or from being free) to another. */
void tlb_resize(struct tlb *tlb, uint64_t old_tag, uint64_t key);

/* The way of the least stamp; free ones have 0. */
static inline uint32_t
tlb_oldest(const struct tlb *tlb, uint32_t first)
{
	const uint64_t *stamp = &tlb->column.stamp[first];
	uint64_t least = stamp[0];
	uint32_t way = 0;

	for (uint32_t i = 1; i < tlb->ways; i++) {
		way = stamp[i] < least ? i : way;
		least = stamp[i] < least ? stamp[i] : least;
	}
	return way;
}

/* The bits of a tag that an access to a page of this size must match. */
static inline uint64_t
tlb_cover(unsigned shift)
{
	/* the fifth level of 64K granules spans more than there is */
	return (shift < 64 ? UINT64_MAX << shift : 0) | TLB_ALWAYS |
	       TLB_READONLY | TLB_ASID_MASK;
}

/* A key replaces what a way of a set holds that is searched by fingerprints. */
static ALWAYS_INLINE uint32_t
tlb_put(struct tlb *tlb, uint32_t set, uint32_t way, uint64_t key)
{
	uint32_t slot = set * tlb->ways + way;
	uint64_t old = tlb->column.tag[slot];

	if (unlikely((old ^ key) >> TLB_SIZE_SHIFT & 3))
		tlb_resize(tlb, old, key);
	tlb->print[set * TLB_SCANNED + way] = tlb_print(key);
	tlb->column.tag[slot] = key | TLB_ALWAYS;
	return slot;
}

/* What a slot of a first level has beside, by size. */
static ALWAYS_INLINE void
tlb_cover_slot(struct tlb *tlb, uint32_t slot, unsigned code)
{
	if (!tlb->column.cover)
		return;
	tlb->column.cover[slot] = tlb->cover_of[code];
	tlb->column.unit[slot] = tlb->unit_of[code];
}

/*
 * Put in a key that is not there, in place of whom the policy chooses, as of
 * time now (> 0, never decreasing).  shift: log2 of the bytes it covers.
 * Returns its slot, whose frame is the caller's to set.
 */
static ALWAYS_INLINE uint32_t
tlb_fill(struct tlb *tlb, uint64_t key, unsigned shift, uint64_t now)
{
	uint32_t set, slot, way;

	if (unlikely(!tlb->simple || tlb->rows))
		return tlb_fill_any(tlb, key, shift, now);
	set = tlb_set(tlb, key >> shift);
	way = tlb_oldest(tlb, set * tlb->ways);
	tlb->evicted = tlb->column.tag[set * tlb->ways + way];
	slot = tlb_put(tlb, set, way, key);
	tlb->column.stamp[slot] = now;
	tlb_cover_slot(tlb, slot, key >> TLB_SIZE_SHIFT & 3);
	return slot;
}

/*
 * Uses that come together: number j is of the tag (tag[j] & mask) | low (flags as
 * they are to be put in, page and size those that the array holds it by), at
 * time stamp + j.
 */
struct tlb_uses {
	const uint64_t *tag;
	uint64_t mask, low;
	const uint64_t *physical; /* of any byte of the page; NULL: no frames */
	uint64_t stamp;
	bool same_size; /* all pages */
};

/*
 * Use list[0], list[1], ... in this order, as finding, and touching or filling,
 * would one by one.  Those that were not there stay in the list, as ordered;
 * returns their number.  What is there must be as its tag[j] says.
 */
unsigned tlb_run(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
		 unsigned n);

/*
 * Rank a first level, if it can be, as of its stamps; and no longer, where `now`
 * is the time of the next use.  In between stamps are written by tlb_touch alone.
 */
void tlb_rank(struct tlb *tlb);
void tlb_unrank(struct tlb *tlb, uint64_t now);

void tlb_drop(struct tlb *tlb, uint32_t slot);

/* All entries; those of an ASID; those of an ASID that overlap the range. */
void tlb_flush(struct tlb *tlb);
void tlb_flush_asid(struct tlb *tlb, uint64_t asid);
void tlb_invalidate(struct tlb *tlb, uint64_t asid, uint64_t address,
		    uint64_t length);

#endif
