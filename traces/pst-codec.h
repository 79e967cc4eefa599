/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The predictors of a .pst block: steps and roots to bytes and back.  Both
 * sides keep the same state and learn from what they have coded; a block
 * starts from nothing, so that blocks are independent.
 *
 * The next step is guessed from a hash of the last three or so, and failing
 * that from the last one alone.  A root is guessed in two ways:
 *
 *	stride:  its slot's last value + that slot's last difference
 *	offset:  one of the 8 roots coded just before it + the difference to
 *	         that one that this slot saw last time (the same object used
 *	         by the next piece of code)
 *
 * and the slot remembers which of the two was right last.  What is guessed
 * costs one bit of a flag byte a step.  Measured (gzip -9, sqlite3, cc1): 0.45
 * - 0.76 bytes an access before zstd, 0.03 - 0.09 after zstd -1.
 */
#ifndef TRACES_PST_CODEC_H
#define TRACES_PST_CODEC_H

#include "analyzer/batch.h"
#include "analyzer/stream.h"
#include "analyzer/tally.h"

/* The byte streams of a block, in file order; see traces/FORMAT.md. */
enum codec_stream {
	CODEC_FLAGS,   /* one byte a step */
	CODEC_MORE,    /* a bit for each slot from the 7th on, if flag bit 7 */
	CODEC_STEPS,   /* steps not guessed */
	CODEC_CONTROL, /* one byte for each root not guessed at first */
	CODEC_DELTA1,  /* differences of 1, 2, 4, 8 bytes, little-endian */
	CODEC_DELTA2,
	CODEC_DELTA4,
	CODEC_DELTA8,
	CODEC_STREAMS,
};

#define CODEC_HISTORY BATCH_BEFORE /* roots that an offset may refer to: 8 */

struct codec; /* predictor state and the step table */

int codec_open(struct codec **out, const struct stream *stream);
void codec_close(struct codec *codec);

/*
 * Make room for the stream's steps below n_steps, which stay known.  0,
 * -ENOMEM.  Then forget all predictions: a block begins.
 */
int codec_begin(struct codec *codec, uint32_t n_steps);

/* Upper bounds of the bytes of one stream; codec_encode may write 8 behind. */
size_t codec_bound(enum codec_stream which, size_t n_steps, size_t n_roots);

/* A block to be encoded. */
struct codec_source {
	const uint32_t *step;
	size_t n_steps;
	const uint64_t *root; /* preceded in memory by CODEC_HISTORY zeros */
	struct tally *tally;  /* knows the steps; counts them by the way */
};

/* Encode a block.  out[] has room as codec_bound says; bytes[] gets the
 * lengths. */
void codec_encode(struct codec *codec, const struct codec_source *source,
		  uint8_t *const out[CODEC_STREAMS],
		  size_t bytes[CODEC_STREAMS]);

/* Start decoding a block whose streams are at in[], within [.., end). The 8
 * bytes after end must be readable. */
void codec_decode_begin(struct codec *codec,
			const uint8_t *const in[CODEC_STREAMS],
			const size_t bytes[CODEC_STREAMS]);

/*
 * Decode n_steps steps, of n accesses, into the empty batch, packed; columns are
 * made only where they cost next to nothing.  0, or -EBADMSG (unsaid): the bytes are not what an encoder writes,
 * or more than a batch holds.
 */
int codec_decode(struct codec *codec, size_t n_steps, uint32_t n,
		 struct batch *batch);

/* All streams were used up exactly. */
bool codec_decode_end(const struct codec *codec);

#endif
