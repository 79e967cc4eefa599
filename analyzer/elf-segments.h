/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file as the segments that a loader maps: which of its pages are code,
 * which constants, which become private when the program is linked (GOT, and
 * what else PT_GNU_RELRO has), which are data.
 */
#ifndef ANALYZER_ELF_SEGMENTS_H
#define ANALYZER_ELF_SEGMENTS_H

#include "analyzer/base.h"

enum elf_part {
	ELF_TEXT,  /* executable */
	ELF_CONST, /* only read */
	ELF_RELRO, /* written by the loader, then only read */
	ELF_DATA,  /* writable */
	ELF_PARTS,
};

/* "text", "read-only", ... */
extern const char *const elf_part_names[ELF_PARTS];

struct elf_segments;

/* build_id: hex, of the file that was recorded; "": unknown.  0, or a negative
 * errno, unsaid: no such file, it is another one now (-ESTALE), no ELF. */
int elf_segments_open(struct elf_segments **out, const char *path,
		      const char *build_id);
void elf_segments_close(struct elf_segments *segments);

/* What the page at this offset of the file is, of a mapping that begins at that
 * offset (a page may be in two segments); both multiples of 4K.  ELF_PARTS:
 * no segment has it. */
enum elf_part elf_segments_part(const struct elf_segments *segments,
				uint64_t mapping_offset, uint64_t page_offset);

#endif
