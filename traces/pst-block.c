// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/pst-block.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

int
pst_block_init(struct pst_block *block)
{
	*block = (struct pst_block){ 0 };
	block->step = calloc(BLOCK_STEPS, sizeof(*block->step));
	block->roots =
		calloc(CODEC_HISTORY + BLOCK_ROOTS, sizeof(*block->roots));
	if (!block->step || !block->roots)
		goto fail;
	for (int i = 0; i < CODEC_STREAMS; i++) {
		block->stream[i] =
			malloc(codec_bound(i, BLOCK_STEPS, BLOCK_ROOTS) + 8);
		if (!block->stream[i])
			goto fail;
	}
	return 0;
fail:
	pst_block_fini(block);
	return fail(ENOMEM, "trace writer: no memory for a block");
}

void
pst_block_fini(struct pst_block *block)
{
	free(block->step);
	free(block->roots);
	for (int i = 0; i < CODEC_STREAMS; i++)
		free(block->stream[i]);
	bytes_fini(&block->events);
	bytes_fini(&block->dictionary);
	bytes_fini(&block->stored_dictionary);
	bytes_fini(&block->stored);
	*block = (struct pst_block){ 0 };
}

void
pst_block_clear(struct pst_block *block)
{
	block->n_steps = block->n_roots = 0;
	bytes_clear(&block->events);
	bytes_clear(&block->dictionary);
	bytes_clear(&block->stored);
	bytes_clear(&block->stored_dictionary);
	block->event_state = (struct event_state){ 0 };
	block->section = (struct pst_section){ .kind = PST_BLOCK };
}

/* Append one zstd frame.  Each stream of a block has its own, compressed in
 * one call: 1.5 times smaller than one frame written piece by piece. */
static int
compress_frame(ZSTD_CCtx *zstd, struct bytes *out, const void *data, size_t n)
{
	size_t room = ZSTD_compressBound(n);
	uint8_t *at = bytes_reserve(out, room);
	size_t got;

	if (!at)
		return fail(ENOMEM, "trace writer: no memory");
	got = ZSTD_compress2(zstd, at, room, data, n);
	if (ZSTD_isError(got))
		return fail(EIO, "trace writer: zstd: %s",
			    ZSTD_getErrorName(got));
	out->n += got;
	return 0;
}

static int
compress_dictionary(struct pst_block *block, ZSTD_CCtx *zstd)
{
	block->raw_dictionary_bytes = block->dictionary.n;
	if (!block->dictionary.n)
		return 0;
	return compress_frame(zstd, &block->stored_dictionary,
			      block->dictionary.data, block->dictionary.n);
}

static int
compress_block(struct pst_block *block, ZSTD_CCtx *zstd,
	       const size_t bytes[CODEC_STREAMS])
{
	uint8_t head[PST_BLOCK_WORDS * 4];
	uint64_t raw = sizeof(head) + block->events.n;
	int error;

	put_u32(head, (uint32_t)block->n_steps);
	put_u32(head + 4, (uint32_t)block->n_roots);
	put_u32(head + 8, block->section.batches);
	put_u32(head + 12, (uint32_t)block->events.n);
	for (int i = 0; i < CODEC_STREAMS; i++) {
		put_u32(head + 16 + 4 * i, (uint32_t)bytes[i]);
		raw += bytes[i];
	}
	block->section.raw_bytes = raw;
	error = compress_frame(zstd, &block->stored, head, sizeof(head));
	if (!error)
		error = compress_frame(zstd, &block->stored, block->events.data,
				       block->events.n);
	for (int i = 0; i < CODEC_STREAMS && !error; i++)
		if (bytes[i])
			error = compress_frame(zstd, &block->stored,
					       block->stream[i], bytes[i]);
	block->section.stored_bytes = block->stored.n;
	return error;
}

int
pst_block_encode(struct pst_block *block, struct codec *codec, ZSTD_CCtx *zstd,
		 struct tally *tally)
{
	const struct codec_source source = {
		.step = block->step,
		.n_steps = block->n_steps,
		.root = block->roots + CODEC_HISTORY,
		.tally = tally,
	};
	size_t bytes[CODEC_STREAMS];
	int error = codec_begin(codec, block->dictionary_steps);

	if (!error)
		error = tally_learn(tally, block->dictionary_steps);
	if (error)
		return error;
	if (block->events.failed || block->dictionary.failed)
		return fail(ENOMEM, "trace writer: no memory for a block");
	codec_encode(codec, &source, block->stream, bytes);
	error = compress_dictionary(block, zstd);
	if (!error)
		error = compress_block(block, zstd, bytes);
	return error;
}
