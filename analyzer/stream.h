/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dictionary of a stream: what batches refer to by number.
 *
 *   batch.site[]   -> struct site     static memory operands, code blocks
 *   batch.step[]   -> struct step     -> struct shape   (packed form, below)
 *   batch.thread   -> struct thread
 *   batch.space    -> struct space    an address space: a process between execs
 *   event.file     -> struct file     names and build-ids of mapped files
 *
 * Tables only grow and entries never change or move, so any thread may read an
 * entry that a batch it has received refers to, while the source adds others.
 *
 * Shapes.  Machine code makes the same accesses again and again: a superblock
 * of 20 instructions may make 12 accesses, but all their addresses follow from
 * 2 or 3 registers.  A shape is such a fixed list of accesses, each
 * address = root[slot] + displacement; slot 0 is the constant 0, for fetches
 * and absolute addresses.  A step is a prefix of a shape's list (superblocks
 * have side exits).  A *packed* batch is a list of steps and their roots; it
 * is what a fast tracer records and what the .pst format stores.
 */
#ifndef ANALYZER_STREAM_H
#define ANALYZER_STREAM_H

#include "analyzer/base.h"

#include <jansson.h>

enum site_kind {
	SITE_LOAD,
	SITE_STORE,
	SITE_MODIFY,
	SITE_FETCH
};

/*
 * A static memory operand, or a code block (a straight run of instructions up
 * to and with the next branch, call, return or syscall; cut at 4 KiB page
 * boundaries, so that a fetch never crosses a page).
 */
struct site {
	uint64_t pc;   /* of the instruction, or of the block's first */
	uint32_t size; /* bytes */
	uint16_t
		image; /* which exec'd program: site pcs are only unique in one */
	uint8_t kind;	      /* enum site_kind */
	uint8_t instructions; /* begun in a fetch block; 0 for data */
};

/*
 * A site reference, as in batch.site[]: index << 3 | wide << 2 | kind.
 * wide: the access is longer than 64 bytes.  So a hot loop knows kind and
 * "may cross a page" without looking up the site: an access of at most 64
 * bytes crosses its 4 KiB page only if (address & 4095) > 4096 - 64.
 */
#define SITE_WIDE	4u
#define SITE_KIND(ref)	((enum site_kind)((ref)&3u))
#define SITE_INDEX(ref) ((ref) >> 3)
#define SITE_INDEX_MAX	((UINT32_C(1) << 29) - 1)

struct shape_access {
	int64_t displacement; /* added to the root, modulo 2^64 */
	uint32_t ref;	      /* site reference */
	uint16_t slot;	      /* 1-based root of the shape; 0: constant 0 */
	uint16_t guarded;     /* not made when its root's value is 0 */
};

#define SHAPE_ACCESSES_MAX 1024
#define SHAPE_SLOTS_MAX	   1024

struct shape {
	const struct shape_access *access; /* n_accesses of them */
	uint16_t n_accesses;
	uint16_t n_slots;
	bool guarded; /* any access is */
};

/* The first n_accesses of a shape, which need its first n_slots roots. */
struct step {
	uint32_t shape;
	uint16_t n_accesses;
	uint16_t n_slots;
	/* Of the shape; filled in by stream_step_add */
	const struct shape_access *access;
	bool guarded;
};

/* All names are ids of struct stream's files; times are CLOCK_MONOTONIC ns. */
struct thread {
	uint32_t tid,
		pid; /* as the kernel of the recording host numbered them */
};

#define SPACE_NONE UINT32_MAX

struct space {
	uint32_t pid;
	uint16_t image;	 /* of its code; a fork shares its parent's */
	uint32_t parent; /* space it was forked from, or SPACE_NONE */
};

struct file {
	const char *path;     /* owned; "[heap]", "[stack]", "[vdso]" too */
	const char *build_id; /* owned; hex, or "" */
	uint64_t inode, size_bytes, mtime_s; /* 0 where unknown */
};

struct stream;

/* 0 or -ENOMEM. */
int stream_open(struct stream **out);
void stream_close(struct stream *stream);

/*
 * Add an entry and return its number, or a negative errno (said):
 * -ENOMEM, -ENOSPC when the table is full.  Entries are copied.
 * site_add returns the *reference* (with kind and wide bits) in *ref.
 */
int stream_site_add(struct stream *stream, const struct site *site,
		    uint32_t *ref);
int stream_shape_add(struct stream *stream, const struct shape_access *access,
		     size_t n_accesses, size_t n_slots, uint32_t *number);
int stream_step_add(struct stream *stream, const struct step *step,
		    uint32_t *number);
int stream_thread_add(struct stream *stream, const struct thread *thread,
		      uint32_t *number);
int stream_space_add(struct stream *stream, const struct space *space,
		     uint32_t *number);
int stream_file_add(struct stream *stream, const struct file *file,
		    uint32_t *number);
/* A new image number, for an exec. */
uint16_t stream_image_add(struct stream *stream);

uint32_t stream_sites(const struct stream *stream);
uint32_t stream_shapes(const struct stream *stream);
uint32_t stream_steps(const struct stream *stream);
uint32_t stream_threads(const struct stream *stream);
uint32_t stream_spaces(const struct stream *stream);
uint32_t stream_files(const struct stream *stream);

/* Where the entries are; chunks and their directory never move. */
#define STREAM_CHUNK_SHIFT 12
#define STREAM_CHUNK	   (1u << STREAM_CHUNK_SHIFT)

struct stream_directory {
	struct site **site;
	struct shape **shape;
	struct step **step;
};

/* The entry of a number (a site's index) below the count above.  The three
 * that hot loops look up are inline: struct stream begins with a directory. */
static inline const struct site *
stream_site(const struct stream *stream, uint32_t index)
{
	const struct stream_directory *directory = (const void *)stream;

	return &directory->site[index >> STREAM_CHUNK_SHIFT]
			       [index & (STREAM_CHUNK - 1)];
}

static inline const struct shape *
stream_shape(const struct stream *stream, uint32_t number)
{
	const struct stream_directory *directory = (const void *)stream;

	return &directory->shape[number >> STREAM_CHUNK_SHIFT]
				[number & (STREAM_CHUNK - 1)];
}

static inline const struct step *
stream_step(const struct stream *stream, uint32_t number)
{
	const struct stream_directory *directory = (const void *)stream;

	return &directory->step[number >> STREAM_CHUNK_SHIFT]
			       [number & (STREAM_CHUNK - 1)];
}

const struct thread *stream_thread(const struct stream *stream,
				   uint32_t number);
const struct space *stream_space(const struct stream *stream, uint32_t number);
const struct file *stream_file(const struct stream *stream, uint32_t number);

/*
 * What is known about the recording: a JSON object, borrowed.  Keys are
 * listed in traces/FORMAT.md: version, host, command, engines, losses, ...
 * A source fills "command", "engines", "order" before the first batch and
 * may add to "losses" until its end.
 */
json_t *stream_about(const struct stream *stream);

#endif
