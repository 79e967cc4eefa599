/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the addresses of a superblock come from.  A record stores the raw
 * value of a register once, as a word; as long as the register is only moved
 * by constants, later addresses follow from that word.
 *
 * Words are numbered from 1, and word w is the w-th root of the shape.  An
 * address of two registers (base + index * scale), and one with FS, needs a
 * root that no register holds: a *fix* computes it from the record's words
 * when the record is expanded.  Its root takes the place of the index's word
 * where nothing else needs that, or of a word left empty for it.
 */
#ifndef TRACERS_CACHE_TRACK_H
#define TRACERS_CACHE_TRACK_H

#include "tracers/cache-decode.h"

#define TRACK_WORDS_MAX 1000

enum cache_value_kind {
	VALUE_UNKNOWN,
	VALUE_WORD, /* word + delta */
	VALUE_CONSTANT,
};

struct cache_value {
	uint8_t kind; /* enum cache_value_kind */
	uint16_t word;
	int64_t delta;
};

/* root[slot] = word[base] + (word[index] << shift) + (fs ? FS base : 0) */
struct cache_fix {
	uint16_t slot;
	uint16_t base, index; /* 0: none */
	uint8_t shift;
	bool fs;
};

struct cache_access {
	int64_t displacement;
	uint32_t size;
	uint16_t slot; /* 0: constant address */
	uint8_t kind;  /* enum site_kind */
};

struct cache_track {
	struct cache_value value[16];
	unsigned n_words, n_fixes;
	uint8_t use[TRACK_WORDS_MAX + 1]; /* enum word_use */
	struct cache_fix fix[TRACK_WORDS_MAX];
};

void track_begin(struct cache_track *track);
/* A new word that the caller stores. */
unsigned track_word(struct cache_track *track);
/* The register's value is that word now. */
void track_known(struct cache_track *track, int reg, unsigned word);
/* The access of a plain operand whose registers are known. */
void track_access(struct cache_track *track, const struct operand *operand,
		  struct cache_access *access);
/* The instruction runs: its registers' values change. */
void track_run(struct cache_track *track, const struct cache_instruction *code);

#endif
