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

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "analyzer/fail.h"
#include "traces/pst-codec.h"
#include "traces/pst-dictionary.h"
#include "traces/pst-digest.h"
#include "traces/pst-events.h"
#include "traces/pst-format.h"
#include "traces/pst-index.h"
#include "traces/pst-input.h"

struct pst_reader {
	struct source source;
	struct pst_input input;
	bool recover;
	bool check; /* compute the digest (verify) */

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
	return fail(EBADMSG, "%s: byte %llu: %s", reader->input.path,
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
			    reader->input.path,
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
	reader->lost_bytes += reader->input.offset +
			      pst_input_left(&reader->input) - section_offset;
	if (!reader->blocks && !reader->recover && reader->lost_bytes)
		return fail(EBADMSG,
			    "%s: ends after %llu bytes, before its first "
			    "whole block",
			    reader->input.path,
			    (unsigned long long)(reader->input.offset +
						 pst_input_left(
							 &reader->input)));
	warn("%s: incomplete: its recorder did not finish; %llu accesses in "
	     "%llu whole block%s, what came after is lost (%llu bytes of "
	     "it are in the file)",
	     reader->input.path, (unsigned long long)reader->accesses,
	     (unsigned long long)reader->blocks, reader->blocks == 1 ? "" : "s",
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
	uint64_t from = reader->input.offset;
	struct pst_section section;

	for (;;) {
		int got = pst_input_fill(&reader->input, head);

		if (got < 0)
			return got;
		if (!got &&
		    pst_input_fill(&reader->input, PST_FRAME_BYTES + 16) <= 0) {
			reader->lost_bytes += reader->input.offset - from;
			return cut_off(reader, reader->input.offset);
		}
		if (get_u32(pst_input_here(&reader->input)) ==
			    PST_FRAME_INDEX &&
		    !memcmp(pst_input_here(&reader->input) + PST_FRAME_BYTES,
			    PST_INDEX_MAGIC, 16))
			break;
		if (got &&
		    section_here(pst_input_here(&reader->input), &section))
			break;
		pst_input_take(&reader->input, 1);
	}
	reader->lost_bytes += reader->input.offset - from;
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
	content = reader->input.offset;
	got = pst_input_read(&reader->input, &reader->stored,
			     reader->section.stored_bytes);
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

static int
read_end(struct pst_reader *reader, uint64_t offset)
{
	uint32_t bytes = get_u32(pst_input_here(&reader->input) + 4);
	int got;

	pst_input_take(&reader->input, PST_FRAME_BYTES);
	got = pst_input_read(&reader->input, &reader->stored, bytes);
	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	reader->ended = true;
	if (!reader->index.complete) {
		got = pst_index_parse(&reader->index,
				      stream_about(reader->source.stream),
				      reader->input.path, reader->stored.data,
				      reader->stored.n);
		if (got)
			return got;
	}
	if (pst_input_fill(&reader->input, 1) > 0)
		warn("%s: byte %llu: ignoring what follows the index",
		     reader->input.path,
		     (unsigned long long)reader->input.offset);
	return 0;
}

/* The next section (or the end): 0, or -errno said. */
static int
next_section(struct pst_reader *reader)
{
	uint64_t offset = reader->input.offset;
	int got = pst_input_fill(&reader->input, PST_FRAME_BYTES);

	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	if (get_u32(pst_input_here(&reader->input)) == PST_FRAME_INDEX)
		return read_end(reader, offset);
	got = pst_input_fill(&reader->input,
			     PST_FRAME_BYTES + PST_SECTION_BYTES);
	if (got < 0)
		return got;
	if (!got)
		return cut_off(reader, offset);
	if (!section_here(pst_input_here(&reader->input), &reader->section)) {
		got = damage(reader, offset, "no section begins here");
		return reader->recover ? resynchronise(reader) : got;
	}
	pst_input_take(&reader->input, PST_FRAME_BYTES + PST_SECTION_BYTES);
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

	*done = reader->input.offset;
	*all = reader->input.file_bytes;
}

static void
reader_close(struct source *source)
{
	struct pst_reader *reader = (struct pst_reader *)source;

	if (!reader)
		return;
	pst_input_close(&reader->input);
	codec_close(reader->codec);
	ZSTD_freeDCtx(reader->zstd);
	digest_close(reader->digest);
	bytes_fini(&reader->stored);
	bytes_fini(&reader->raw);
	stream_close(reader->source.stream);
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
	int error, got = pst_input_fill(&reader->input,
					PST_FRAME_BYTES + PST_HEAD_BYTES);

	if (got < 0)
		return got;
	head = pst_input_here(&reader->input);
	if (!got && !pst_input_left(&reader->input))
		return fail(EBADMSG,
			    "%s: empty: its recorder ended before it wrote",
			    reader->input.path);
	if (!got || get_u32(head) != PST_FRAME_HEAD ||
	    memcmp(head + PST_FRAME_BYTES, PST_HEAD_MAGIC, 16) != 0)
		return fail(EBADMSG, "%s: not a pagescope trace",
			    reader->input.path);
	bytes = get_u32(head + 4);
	head += PST_FRAME_BYTES;
	if (head[16] != PST_VERSION || head[17])
		return fail(EBADMSG, "%s: format version %u, this is for %u",
			    reader->input.path, head[16] | head[17] << 8,
			    PST_VERSION);
	if (head[18] != 0x02 || head[19] != 0x01)
		return fail(EBADMSG,
			    "%s: byte 26: its byte order is not this one's "
			    "(%02x %02x)",
			    reader->input.path, head[18], head[19]);
	if (get_u32(head + 20) != 4096)
		return fail(EBADMSG, "%s: byte 28: pages of %u bytes, not 4096",
			    reader->input.path, get_u32(head + 20));
	checksum = get_u64(head + 24);
	if (bytes < PST_HEAD_BYTES || bytes > PST_JSON_MAX)
		return fail(EBADMSG, "%s: byte 4: a head of %u bytes",
			    reader->input.path, bytes);
	pst_input_take(&reader->input, PST_FRAME_BYTES + PST_HEAD_BYTES);
	got = pst_input_read(&reader->input, &reader->raw,
			     bytes - PST_HEAD_BYTES);
	if (got < 0)
		return got;
	if (!got || XXH64(reader->raw.data, reader->raw.n, 0) != checksum)
		return fail(EBADMSG, "%s: byte 8: damaged head",
			    reader->input.path);
	about = json_loadb((const char *)reader->raw.data, reader->raw.n, 0,
			   NULL);
	error = pst_about_take(stream_about(reader->source.stream), about,
			       reader->input.path);
	json_decref(about);
	return error;
}

static int
open_parts(struct pst_reader *reader, const char *path)
{
	int error = pst_input_open(&reader->input, path);

	if (error)
		return error;
	reader->zstd = ZSTD_createDCtx();
	if (!reader->zstd || stream_open(&reader->source.stream))
		return fail(ENOMEM, "trace reader: no memory");
	error = codec_open(&reader->codec, reader->source.stream);
	if (!error)
		error = digest_open(&reader->digest);
	if (!error)
		error = read_head(reader);
	if (!error && reader->input.seekable)
		error = pst_index_find(&reader->index,
				       stream_about(reader->source.stream),
				       &reader->input);
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
	reader->input.fd = -1;
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
	summary->file_bytes = reader->input.file_bytes;
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
			    reader->input.path,
			    (unsigned long long)reader->accesses,
			    (unsigned long long)reader->index.accesses);
	if (reader->index.digest[0] &&
	    strcmp(digest, reader->index.digest) != 0)
		return fail(EBADMSG, "%s: digest %s, its index says %s",
			    reader->input.path, digest, reader->index.digest);
	return 0;
}

int
pst_verify(const char *path, struct pst_summary *summary,
	   const volatile sig_atomic_t *stop)
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
	while (got > 0 && !(stop && *stop));
	pst_reader_summary(source, summary);
	if (got > 0)
		got = fail(EINTR, "%s: stopped by a signal, not verified",
			   path);
	else if (!got)
		got = check_totals(reader, summary);
	batch_fini(&batch);
close:
	source_close(source);
	return got;
}
