/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing and reading .pst traces.  The format is in traces/FORMAT.md.
 */
#ifndef TRACES_PST_H
#define TRACES_PST_H

#include "analyzer/model.h"
#include "analyzer/source.h"
#include "traces/pst-kept.h"

#include <signal.h>

#include <stdio.h>

enum pst_effort {
	PST_FAST,
	PST_NORMAL,
	PST_SMALL
};

struct pst_writer_options {
	enum pst_effort effort;
	unsigned threads;     /* compressing beside the caller's; 0: none */
	uint32_t block_steps; /* end a block after so many; 0: the default */
	uint64_t max_bytes;   /* stop with -EFBIG (unsaid) after so many */
};

/*
 * A model that stores what it is fed.  path "-" is stdout.  `stream` is the
 * source's; stream_about is written when the first batch comes and again in
 * the index.  feed: -ENOSPC, -EIO, -EPIPE (said).
 */
int pst_writer_open(struct model **out, const char *path,
		    const struct pst_writer_options *options,
		    struct stream *stream);

/* Bytes written to the file so far. */
uint64_t pst_writer_bytes(const struct model *writer);
/* Accesses in the file; once it is finished: max_bytes may have left some out */
uint64_t pst_writer_accesses(const struct model *writer);

struct pst_summary {
	uint64_t file_bytes, accesses, batches, events, blocks;
	uint64_t kind[4]; /* accesses by enum site_kind */
	uint64_t instructions;
	uint64_t start_ns, end_ns;
	struct pst_kept kept;
	uint64_t lost_bytes; /* damaged or cut off */
	bool complete;	     /* has its closing index */
	char digest[33];     /* hex XXH128 of the content; "" if unknown */
};

/*
 * Open a trace as a source ("-": stdin).  Damage is an error (said, with file,
 * offset and what was found) unless `recover`, which skips damaged blocks,
 * counts lost_bytes and says once what is lost.
 */
int pst_reader_open(struct source **out, const char *path, bool recover);

/* What the index knows, or (no index) what has been read so far. */
void pst_reader_summary(const struct source *reader,
			struct pst_summary *summary);

/* Read and check all of it; prints nothing.  0, or what is wrong (said);
 * -EINTR (said) once *stop is set; stop may be NULL. */
int pst_verify(const char *path, struct pst_summary *summary,
	       const volatile sig_atomic_t *stop);

/* Is this source a trace reader (so that it has a summary)? */
bool pst_reader_is(const struct source *source);

/* Is it a regular file that begins like a .pst? */
bool pst_is(const char *path);

#endif
