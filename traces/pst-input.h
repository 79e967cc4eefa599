/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a .pst file (or of a pipe), from front to back in constant
 * memory.
 */
#ifndef TRACES_PST_INPUT_H
#define TRACES_PST_INPUT_H

#include "analyzer/base.h"
#include "traces/pst-bytes.h"

struct pst_input {
	char *path; /* owned; "stdin" for "-" */
	int fd;
	bool seekable;
	uint64_t file_bytes; /* 0: unknown */

	/* data[at..n) is next, at offset `offset` of the file */
	uint8_t *data;
	size_t at, n;
	uint64_t offset;
};

/* 0, -ENOMEM or the errno of opening (said).  To be closed even so. */
int pst_input_open(struct pst_input *input, const char *path);
void pst_input_close(struct pst_input *input);

/* Have n <= 1 MiB bytes at pst_input_here(): 1, 0 if the file ends before,
 * -errno (said). */
int pst_input_fill(struct pst_input *input, size_t n);
/* Read n bytes, which are taken: 1, 0 if the file ends before, -errno (said). */
int pst_input_read(struct pst_input *input, struct bytes *out, uint64_t n);

static inline const uint8_t *
pst_input_here(const struct pst_input *input)
{
	return input->data + input->at;
}

/* Bytes that are there now. */
static inline size_t
pst_input_left(const struct pst_input *input)
{
	return input->n - input->at;
}

static inline void
pst_input_take(struct pst_input *input, size_t n)
{
	input->at += n;
	input->offset += n;
}

#endif
