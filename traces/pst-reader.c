// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The trace reader: a source.  It reads the file from front to back (a pipe
 * will do), one section at a time, and decodes batch by batch.  Where it can
 * seek, it takes totals and the final "about" from the index first.
 *
 * Damage: every section's head and content have checksums.  A file that just
 * ends (its recorder was killed) gives all whole blocks and is then said to be
 * incomplete; anything else wrong is an error, or with `recover` skipped up to
 * the next section that is whole.
 */
#include "traces/pst.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "analyzer/fail.h"
#include "traces/pst-codec.h"
#include "traces/pst-dictionary.h"
#include "traces/pst-digest.h"
#include "traces/pst-events.h"
#include "traces/pst-format.h"

#define INPUT_BYTES (1u << 20)

struct pst_reader {
	struct source source;
	char *path; /* owned */
	int fd;
	bool recover, seekable;
	bool check; /* compute the digest (verify) */

	/* buffered input: data[at..n) is next, at file offset `offset` */
	uint8_t *data;
	size_t at, n;
	uint64_t offset;
	uint64_t file_bytes; /* 0: unknown */

	/* the block being decoded */
	struct codec *codec;
	ZSTD_DCtx *zstd;
	struct bytes stored, raw;
	struct cursor heads;
	struct event_state event_state;
	struct pst_section section;
	uint32_t batches_left;
	uint64_t block_accesses;
	uint64_t block_steps_left, block_roots_left;
	uint64_t block_offset;

	bool ended, damaged;
	uint32_t sections; /* seen, of which the next must have this number */
	uint64_t accesses, batches, events, blocks;
	uint64_t start_ns, end_ns;
	uint64_t lost_bytes;
	struct pst_summary index; /* from the index, if index.complete */
	struct digest *digest;
};

/* Have n bytes in the buffer: 1, 0 if the file ends before, -errno (said). */
static int
fill(struct pst_reader *reader, size_t n)
{
	if (n > INPUT_BYTES)
		return -EINVAL;
	if (reader->n - reader->at < n && reader->at) {
		memmove(reader->data, reader->data + reader->at,
			reader->n - reader->at);
		reader->n -= reader->at;
		reader->at = 0;
	}
	while (reader->n - reader->at < n) {
		ssize_t got = read(reader->fd, reader->data + reader->n,
				   INPUT_BYTES - reader->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(errno, "%s: cannot read at byte %llu",
					  reader->path,
					  (unsigned long long)reader->offset);
		if (!got)
			return 0;
		reader->n += (size_t)got;
	}
	return 1;
}

static void
take(struct pst_reader *reader, size_t n)
{
	reader->at += n;
	reader->offset += n;
}

/* Read n bytes into `out`: 1, 0 at the end of the file, -errno. */
static int
read_bytes(struct pst_reader *reader, struct bytes *out, uint64_t n)
{
	bytes_clear(out);
	while (n) {
		size_t piece = n < INPUT_BYTES / 2 ? n : INPUT_BYTES / 2;
		int got = fill(reader, 1);

		if (got <= 0)
			return got;
		if (piece > reader->n - reader->at)
			piece = reader->n - reader->at;
		bytes_put(out, reader->data + reader->at, piece);
		if (out->failed)
			return fail(ENOMEM, "%s: no memory for a section",
				    reader->path);
		take(reader, piece);
		n -= piece;
	}
	return 1;
}

static int PRINTF_LIKE(3, 4) damage(struct pst_reader *reader, uint64_t offset,
				    const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reader->damaged = true;
	if (reader->recover)
		return -EBADMSG;
	return fail(EBADMSG, "%s: byte %llu: %s", reader->path,
		    (unsigned long long)offset, text);
}

static int
decompress(struct pst_reader *reader, const struct pst_section *section,
	   uint64_t offset)
{
	uint8_t *raw;
	size_t got;

	bytes_clear(&reader->raw);
	raw = bytes_reserve(&reader->raw, section->raw_bytes + 8);
	if (!raw)
		return fail(ENOMEM, "%s: no memory for a section of %llu bytes",
			    reader->path,
			    (unsigned long long)section->raw_bytes);
	got = ZSTD_decompressDCtx(reader->zstd, raw, section->raw_bytes,
				  reader->stored.data, reader->stored.n);
	if (ZSTD_isError(got))
		return damage(reader, offset, "damaged section: %s",
			      ZSTD_getErrorName(got));
	if (got != section->raw_bytes)
		return damage(reader, offset,
			      "section of %zu bytes, its head says %llu", got,
			      (unsigned long long)section->raw_bytes);
	memset(raw + got, 0, 8);
	reader->raw.n = got;
	return 0;
}

static int
begin_dictionary(struct pst_reader *reader, uint64_t offset)
{
	const char *what;
	int error = dictionary_read(reader->raw.data, reader->raw.n,
				    reader->source.stream, &what);

	if (error != -EBADMSG)
		return error;
	return damage(reader, offset, "dictionary does not fit at its %s",
		      what);
}

static int
begin_block(struct pst_reader *reader, uint64_t offset)
{
	const uint8_t *raw = reader->raw.data;
	const uint8_t *in[CODEC_STREAMS];
	size_t bytes[CODEC_STREAMS];
	uint64_t at = PST_BLOCK_WORDS * 4, events;
	int error;

	if (reader->raw.n < at)
		return damage(reader, offset, "block of %zu bytes",
			      reader->raw.n);
	reader->block_steps_left = get_u32(raw);
	reader->block_roots_left = get_u32(raw + 4);
	reader->batches_left = get_u32(raw + 8);
	events = get_u32(raw + 12);
	reader->heads = (struct cursor){ .at = raw + at };
	at += events;
	for (int i = 0; i < CODEC_STREAMS; i++) {
		bytes[i] = get_u32(raw + 16 + 4 * i);
		if (at <= reader->raw.n)
			in[i] = raw + at;
		at += bytes[i];
	}
	if (at != reader->raw.n ||
	    bytes[CODEC_FLAGS] != reader->block_steps_left)
		return damage(reader, offset, "block's parts do not add up");
	reader->heads.end = raw + PST_BLOCK_WORDS * 4 + events;
	error = codec_begin(reader->codec, stream_steps(reader->source.stream));
	if (error)
		return error;
	codec_decode_begin(reader->codec, in, bytes);
	reader->event_state = (struct event_state){ 0 };
	reader->block_accesses = 0;
	reader->block_offset = offset;
	reader->blocks++;
	return 0;
}

/* After the last batch of a block: was it all used, and as announced? */
static int
end_block(struct pst_reader *reader)
{
	if (!codec_decode_end(reader->codec) ||
	    reader->heads.at != reader->heads.end ||
	    reader->block_accesses != reader->section.accesses)
		return damage(reader, reader->block_offset,
			      "block does not end where it should");
	return 0;
}

/* The file ends inside or before a section, without an index. */
static int
cut_off(struct pst_reader *reader, uint64_t section_offset)
{
	reader->ended = true;
	reader->lost_bytes +=
		reader->offset + reader->n - reader->at - section_offset;
	if (!reader->blocks && !reader->recover && reader->lost_bytes)
		return fail(EBADMSG,
			    "%s: ends after %llu bytes, before its first "
			    "whole block",
			    reader->path,
			    (unsigned long long)(reader->offset + reader->n -
						 reader->at));
	warn("%s: incomplete: its recorder did not finish; %llu accesses in "
	     "%llu whole blocks, what came after them is lost (%llu bytes of "
	     "it are in the file)",
	     reader->path, (unsigned long long)reader->accesses,
	     (unsigned long long)reader->blocks,
	     (unsigned long long)reader->lost_bytes);
	return 0;
}

static bool
section_sound(const struct pst_section *section)
{
	return (section->kind == PST_BLOCK ||
		section->kind == PST_DICTIONARY) &&
	       section->stored_bytes <= PST_RAW_MAX &&
	       section->raw_bytes <= PST_RAW_MAX;
}

/* Is there a whole section head at `in`? */
static bool
section_here(const uint8_t *in, struct pst_section *section)
{
	return get_u32(in) == PST_FRAME_SECTION &&
	       get_u32(in + 4) == PST_SECTION_BYTES &&
	       pst_section_decode(section, in + PST_FRAME_BYTES) &&
	       section_sound(section);
}

/* With recover: go on at the next byte that begins a section or the index. */
static int
resynchronise(struct pst_reader *reader)
{
	size_t head = PST_FRAME_BYTES + PST_SECTION_BYTES;
	uint64_t from = reader->offset;
	struct pst_section section;

	for (;;) {
		int got = fill(reader, head);

		if (got < 0)
			return got;
		if (!got && fill(reader, PST_FRAME_BYTES + 16) <= 0) {
			reader->lost_bytes += reader->offset - from;
			return cut_off(reader, reader->offset);
		}
		if (get_u32(reader->data + reader->at) == PST_FRAME_INDEX &&
		    !memcmp(reader->data + reader->at + PST_FRAME_BYTES,
			    PST_INDEX_MAGIC, 16))
			break;
		if (got && section_here(reader->data + reader->at, &section))
			break;
		take(reader, 1);
	}
	reader->lost_bytes += reader->offset - from;
	return 0;
}

static int
read_section(struct pst_reader *reader, uint64_t offset)
{
	uint64_t content;
	int got;

	if (reader->section.number != reader->sections && !reader->recover)
		return damage(reader, offset, "section %u where %u is due",
			      reader->section.number, reader->sections);
	reader->sections = reader->section.number + 1;
	content = reader->offset;
	got = read_bytes(reader, &reader->stored, reader->section.stored_bytes);
	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	got = decompress(reader, &reader->section, content);
	if (!got)
		got = reader->section.kind == PST_DICTIONARY
			      ? begin_dictionary(reader, content)
			      : begin_block(reader, content);
	if (got == -EBADMSG && reader->recover) {
		reader->lost_bytes += reader->section.stored_bytes;
		reader->batches_left = 0;
		return 0;
	}
	return got;
}

/* JSON text of a frame into the stream's "about". */
static int
take_about(struct pst_reader *reader, json_t *about)
{
	json_t *mine = stream_about(reader->source.stream);

	if (!json_is_object(about))
		return fail(EBADMSG, "%s: its description is no JSON object",
			    reader->path);
	json_object_clear(mine);
	return json_object_update(mine, about) ? -ENOMEM : 0;
}

static uint64_t
total(json_t *totals, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(totals, name));
}

static void
take_totals(struct pst_summary *index, json_t *totals)
{
	const char *digest =
		json_string_value(json_object_get(totals, "digest"));

	index->accesses = total(totals, "accesses");
	index->batches = total(totals, "batches");
	index->events = total(totals, "events");
	index->kind[SITE_LOAD] = total(totals, "loads");
	index->kind[SITE_STORE] = total(totals, "stores");
	index->kind[SITE_MODIFY] = total(totals, "modifies");
	index->kind[SITE_FETCH] = total(totals, "fetches");
	index->instructions = total(totals, "instructions");
	index->start_ns = total(totals, "start_ns");
	index->end_ns = total(totals, "end_ns");
	if (digest && strlen(digest) == 32)
		memcpy(index->digest, digest, 33);
	index->complete = true;
}

/*
 * Take "about" and totals from the content of an index frame, which is checked
 * first.  What is wrong with it is said only by verify: the blocks stand alone.
 */
static int
parse_index(struct pst_reader *reader, const uint8_t *data, uint64_t n)
{
	const uint8_t *trailer = data + n - PST_TRAILER_BYTES;
	uint64_t json_bytes;
	json_t *root;
	int error;

	if (n < 24 + PST_TRAILER_BYTES ||
	    memcmp(trailer + 16, PST_TRAILER_MAGIC, 8) != 0 ||
	    memcmp(data, PST_INDEX_MAGIC, 16) != 0)
		return 0;
	n -= PST_TRAILER_BYTES;
	json_bytes = get_u64(data + 16);
	if (XXH64(data, n, 0) != get_u64(trailer + 8) || json_bytes > n - 24)
		return 0;
	reader->index.blocks = 0;
	for (uint64_t at = 24 + json_bytes; at + 8 + PST_SECTION_BYTES <= n;
	     at += 8 + PST_SECTION_BYTES) {
		struct pst_section section;

		if (pst_section_decode(&section, data + at + 8))
			reader->index.blocks += section.kind == PST_BLOCK;
	}
	root = json_loadb((const char *)data + 24, json_bytes, 0, NULL);
	error = take_about(reader, json_object_get(root, "about"));
	take_totals(&reader->index, json_object_get(root, "totals"));
	json_decref(root);
	return error;
}

static int
read_end(struct pst_reader *reader, uint64_t offset)
{
	uint32_t bytes = get_u32(reader->data + reader->at + 4);
	int got;

	take(reader, PST_FRAME_BYTES);
	got = read_bytes(reader, &reader->stored, bytes);
	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	reader->ended = true;
	if (!reader->index.complete) {
		got = parse_index(reader, reader->stored.data,
				  reader->stored.n);
		if (got)
			return got;
	}
	if (fill(reader, 1) > 0)
		warn("%s: byte %llu: ignoring what follows the index",
		     reader->path, (unsigned long long)reader->offset);
	return 0;
}

/* The next section (or the end): 0, or -errno said. */
static int
next_section(struct pst_reader *reader)
{
	uint64_t offset = reader->offset;
	int got = fill(reader, PST_FRAME_BYTES);

	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	if (get_u32(reader->data + reader->at) == PST_FRAME_INDEX)
		return read_end(reader, offset);
	got = fill(reader, PST_FRAME_BYTES + PST_SECTION_BYTES);
	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	if (!section_here(reader->data + reader->at, &reader->section)) {
		got = damage(reader, offset, "no section begins here");
		return reader->recover ? resynchronise(reader) : got;
	}
	take(reader, PST_FRAME_BYTES + PST_SECTION_BYTES);
	return read_section(reader, offset);
}

static int
decode_batch(struct pst_reader *reader, struct batch *batch)
{
	struct stream *stream = reader->source.stream;
	struct batch_head head;
	int error = events_read_head(&reader->heads, &reader->event_state,
				     stream, &head);

	if (error)
		return error;
	batch->thread = head.thread;
	batch->space = head.space;
	batch->time_ns = head.time_ns;
	error = events_read(&reader->heads, &reader->event_state, stream, &head,
			    batch);
	if (!error)
		error = codec_decode(reader->codec, head.n_steps, head.n,
				     batch);
	return error;
}

/* One batch of the block, and the block's end behind its last one. */
static int
take_batch(struct pst_reader *reader, struct batch *batch)
{
	int error = decode_batch(reader, batch);

	reader->batches_left--;
	if (error == -EBADMSG)
		return damage(reader, reader->block_offset,
			      "block cannot be decoded");
	if (error)
		return error;
	reader->block_accesses += batch->n;
	return reader->batches_left ? 0 : end_block(reader);
}

static int
reader_next(struct source *source, struct batch *batch)
{
	struct pst_reader *reader = (struct pst_reader *)source;
	int error;

	for (;;) {
		while (!reader->batches_left) {
			if (reader->ended)
				return 0;
			error = next_section(reader);
			if (error)
				return error;
		}
		error = take_batch(reader, batch);
		if (error != -EBADMSG || !reader->recover)
			break;
		reader->batches_left = 0;
		reader->lost_bytes += reader->section.stored_bytes;
		batch_reset(batch);
	}
	if (error)
		return error;
	if (!reader->batches++)
		reader->start_ns = batch->time_ns;
	reader->end_ns = batch->time_ns;
	reader->accesses += batch->n;
	reader->events += batch->n_events;
	if (reader->check)
		digest_batch(reader->digest, batch, batch->step, batch->n_steps,
			     batch->root, batch->n_roots);
	return 1;
}

static void
reader_progress(const struct source *source, uint64_t *done, uint64_t *all)
{
	const struct pst_reader *reader = (const struct pst_reader *)source;

	*done = reader->offset;
	*all = reader->file_bytes;
}

static void
reader_close(struct source *source)
{
	struct pst_reader *reader = (struct pst_reader *)source;

	if (!reader)
		return;
	if (reader->fd > STDERR_FILENO)
		close(reader->fd);
	codec_close(reader->codec);
	ZSTD_freeDCtx(reader->zstd);
	digest_close(reader->digest);
	bytes_fini(&reader->stored);
	bytes_fini(&reader->raw);
	stream_close(reader->source.stream);
	free(reader->data);
	free(reader->path);
	free(reader);
}

static const struct source_methods reader_methods = {
	.next = reader_next,
	.progress = reader_progress,
	.close = reader_close,
};

static int
read_head(struct pst_reader *reader)
{
	const uint8_t *head;
	uint64_t checksum;
	json_t *about;
	uint32_t bytes;
	int error, got = fill(reader, PST_FRAME_BYTES + PST_HEAD_BYTES);

	if (got < 0)
		return got;
	head = reader->data + reader->at;
	if (!got && reader->n == reader->at)
		return fail(EBADMSG,
			    "%s: empty: its recorder ended before it wrote",
			    reader->path);
	if (!got || get_u32(head) != PST_FRAME_HEAD ||
	    memcmp(head + PST_FRAME_BYTES, PST_HEAD_MAGIC, 16) != 0)
		return fail(EBADMSG, "%s: not a pagescope trace", reader->path);
	bytes = get_u32(head + 4);
	head += PST_FRAME_BYTES;
	if (head[16] != PST_VERSION || head[17])
		return fail(EBADMSG, "%s: format version %u, this is for %u",
			    reader->path, head[16] | head[17] << 8,
			    PST_VERSION);
	checksum = get_u64(head + 24);
	if (bytes < PST_HEAD_BYTES || bytes > PST_JSON_MAX)
		return fail(EBADMSG, "%s: byte 4: a head of %u bytes",
			    reader->path, bytes);
	take(reader, PST_FRAME_BYTES + PST_HEAD_BYTES);
	got = read_bytes(reader, &reader->raw, bytes - PST_HEAD_BYTES);
	if (got < 0)
		return got;
	if (!got || XXH64(reader->raw.data, reader->raw.n, 0) != checksum)
		return fail(EBADMSG, "%s: byte 8: damaged head", reader->path);
	about = json_loadb((const char *)reader->raw.data, reader->raw.n, 0,
			   NULL);
	error = take_about(reader, about);
	json_decref(about);
	return error;
}

/* Find the index by the trailer at the end of the file, if both are there. */
static int
read_index(struct pst_reader *reader)
{
	uint8_t trailer[PST_TRAILER_BYTES];
	uint64_t end = reader->file_bytes, start, n;
	uint8_t *data;
	int error = 0;

	if (end < PST_TRAILER_BYTES ||
	    pread(reader->fd, trailer, sizeof(trailer),
		  (off_t)(end - sizeof(trailer))) != sizeof(trailer) ||
	    memcmp(trailer + 16, PST_TRAILER_MAGIC, 8) != 0)
		return 0;
	start = get_u64(trailer) + PST_FRAME_BYTES;
	if (start > end - sizeof(trailer) || end - start > PST_JSON_MAX)
		return 0;
	n = end - start;
	data = malloc(n);
	if (!data)
		return fail(ENOMEM, "%s: no memory for the index",
			    reader->path);
	if (pread(reader->fd, data, n, (off_t)start) == (ssize_t)n)
		error = parse_index(reader, data, n);
	free(data);
	return error;
}

static int
open_file(struct pst_reader *reader)
{
	struct stat status;

	if (!strcmp(reader->path, "-")) {
		free(reader->path);
		reader->path = strdup("stdin");
		if (!reader->path)
			return fail(ENOMEM, "trace reader: no memory");
		reader->fd = STDIN_FILENO;
	} else {
		reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
		if (reader->fd < 0)
			return fail_errno(errno, "%s: cannot open",
					  reader->path);
	}
	if (!fstat(reader->fd, &status) && S_ISREG(status.st_mode)) {
		reader->seekable = true;
		reader->file_bytes = (uint64_t)status.st_size;
	}
	return 0;
}

static int
open_parts(struct pst_reader *reader, const char *path)
{
	int error;

	reader->path = strdup(path);
	reader->data = malloc(INPUT_BYTES);
	reader->zstd = ZSTD_createDCtx();
	if (!reader->path || !reader->data || !reader->zstd)
		return fail(ENOMEM, "trace reader: no memory");
	error = stream_open(&reader->source.stream);
	if (error)
		return fail(ENOMEM, "trace reader: no memory");
	error = codec_open(&reader->codec, reader->source.stream);
	if (!error)
		error = digest_open(&reader->digest);
	if (!error)
		error = open_file(reader);
	if (!error)
		error = read_head(reader);
	if (!error && reader->seekable)
		error = read_index(reader);
	return error;
}

int
pst_reader_open(struct source **out, const char *path, bool recover)
{
	struct pst_reader *reader = calloc(1, sizeof(*reader));
	int error;

	if (!reader)
		return fail(ENOMEM, "trace reader: no memory");
	reader->source.methods = &reader_methods;
	reader->recover = recover;
	reader->fd = -1;
	error = open_parts(reader, path);
	if (error) {
		reader_close(&reader->source);
		return error;
	}
	*out = &reader->source;
	return 0;
}

bool
pst_reader_is(const struct source *source)
{
	return source->methods == &reader_methods;
}

void
pst_reader_summary(const struct source *source, struct pst_summary *summary)
{
	const struct pst_reader *reader = (const struct pst_reader *)source;

	*summary = reader->index;
	if (!reader->index.complete) {
		summary->accesses = reader->accesses;
		summary->batches = reader->batches;
		summary->events = reader->events;
		summary->blocks = reader->blocks;
		summary->start_ns = reader->start_ns;
		summary->end_ns = reader->end_ns;
	}
	summary->file_bytes = reader->file_bytes;
	summary->lost_bytes = reader->lost_bytes;
	if (reader->damaged || reader->lost_bytes)
		summary->complete = false;
}

/* What was read against what the index says. */
static int
check_totals(struct pst_reader *reader, struct pst_summary *summary)
{
	struct dictionary_counts counts;
	char digest[33];
	int error;

	dictionary_counts(reader->source.stream, &counts);
	error = digest_text(reader->digest, reader->source.stream, &counts,
			    digest);
	if (error)
		return error;
	memcpy(summary->digest, digest, sizeof(digest));
	summary->accesses = reader->accesses;
	if (!reader->index.complete)
		return 0;
	if (reader->accesses != reader->index.accesses)
		return fail(EBADMSG,
			    "%s: has %llu accesses, its index says "
			    "%llu",
			    reader->path, (unsigned long long)reader->accesses,
			    (unsigned long long)reader->index.accesses);
	if (reader->index.digest[0] &&
	    strcmp(digest, reader->index.digest) != 0)
		return fail(EBADMSG, "%s: digest %s, its index says %s",
			    reader->path, digest, reader->index.digest);
	return 0;
}

int
pst_verify(const char *path, struct pst_summary *summary)
{
	struct source *source;
	struct pst_reader *reader;
	struct batch batch;
	int got = pst_reader_open(&source, path, false);

	if (got)
		return got;
	reader = (struct pst_reader *)source;
	reader->check = true;
	got = batch_init(&batch);
	if (got) {
		fail(ENOMEM, "%s: no memory for a batch", path);
		goto close;
	}
	do
		got = source_next(source, &batch);
	while (got > 0);
	pst_reader_summary(source, summary);
	if (!got)
		got = check_totals(reader, summary);
	batch_fini(&batch);
close:
	source_close(source);
	return got;
}

bool
pst_is(const char *path)
{
	uint8_t start[PST_FRAME_BYTES + 16];
	struct stat status;
	bool is;
	int fd;

	/* A pipe's start would be gone for who reads it then. */
	if (stat(path, &status) || !S_ISREG(status.st_mode))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is = read(fd, start, sizeof(start)) == sizeof(start) &&
	     get_u32(start) == PST_FRAME_HEAD &&
	     !memcmp(start + PST_FRAME_BYTES, PST_HEAD_MAGIC, 16);
	close(fd);
	return is;
}
