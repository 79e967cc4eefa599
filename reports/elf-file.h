/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file as names for offsets in it: functions from .symtab and .dynsym,
 * source lines from DWARF, both also from the separate debug file of the same
 * build-id (/usr/lib/debug/.build-id).
 */
#ifndef REPORTS_ELF_FILE_H
#define REPORTS_ELF_FILE_H

#include "analyzer/base.h"

struct elf_file;

/*
 * build_id: hex, of the file that was recorded; "": unknown.  0; -ENOENT (the
 * file is gone), -ESTALE (it is another one now) or another errno, unsaid,
 * with the reason in why.
 */
int elf_file_open(struct elf_file **out, const char *path, const char *build_id,
		  char *why, size_t why_bytes);
void elf_file_close(struct elf_file *file);

/* The function at this offset of the file, "name" (C++ as it is mangled).
 * False: no symbol covers it. */
bool elf_file_function(const struct elf_file *file, uint64_t offset, char *text,
		       size_t bytes);
/*
 * Data: the symbol whose bytes are there, [start, end) as offsets in the file,
 * which go on beyond it in what the last writable segment has more in memory.
 * 1; 0: no symbol has it, and [start, end) is where that is so; -1: the file
 * has no such place.  The name is the file's.
 */
struct elf_object {
	uint64_t start, end;
	const char *name;
};
int elf_file_object(const struct elf_file *file, uint64_t offset,
		    struct elf_object *object);

/* The instruction at this offset. */
enum elf_branch {
	ELF_NO_BRANCH,
	ELF_CALL,
	ELF_RETURN
};
enum elf_branch elf_file_branch(const struct elf_file *file, uint64_t offset);

/*
 * Where the function at this offset begins, by its unwind table: what even a
 * stripped file has.  False: it has none for this place.
 */
bool elf_file_begin(const struct elf_file *file, uint64_t offset,
		    uint64_t *begin);
/* "source.c:123" of this offset.  False, and "": no line information. */
bool elf_file_line(const struct elf_file *file, uint64_t offset, char *text,
		   size_t bytes);

#endif
