/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine asks of ELF files while it runs (replay --by object, path):
 * which data symbol is where, which instructions call and return.  One for each
 * machine, which may run on a thread of its own.
 */
#ifndef REPORTS_WHO_FILES_H
#define REPORTS_WHO_FILES_H

#include "analyzer/stream.h"

struct who_files;

/* The stream outlives it.  0 or -ENOMEM (said). */
int who_files_open(struct who_files **out, const struct stream *stream);
/* NULL is allowed. */
void who_files_close(struct who_files *files);

/* context: struct who_files.  As elf_file_object; -1 also where a file cannot
 * be had. */
int who_files_find(void *context, uint32_t file, uint64_t offset,
		   uint64_t *start, uint64_t *end);
/* 1: a call; 2: a return; 0: neither, or not known. */
int who_files_branch(void *context, uint32_t file, uint64_t offset);

#endif
