// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gzip, xz and zstd.  All three allow several compressed members after each
 * other in one file, which together are the data; each library leaves a
 * different part of that to us.
 */
#include "traces/unpack.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct unpack {
	union {
		z_stream gzip;
		lzma_stream xz;
		ZSTD_DStream *zstd;
	};
	bool between; /* members: the data may end here */
};

static int
ended(const struct unpack *unpack, const char **why)
{
	if (unpack->between)
		return 0;
	*why = "is cut off";
	return -EINVAL;
}

static int
gzip_open(struct unpack **out)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack)
		return -ENOMEM;
	if (inflateInit2(&unpack->gzip, 15 + 16) != Z_OK) {
		free(unpack);
		return -ENOMEM;
	}
	unpack->between = true;
	*out = unpack;
	return 0;
}

static int
gzip_step(struct unpack *unpack, struct unpack_span *span, bool last,
	  const char **why)
{
	z_stream *z = &unpack->gzip;
	int status;

	if (!span->in_bytes && last && unpack->between)
		return 0;
	if (unpack->between && span->in_bytes) {
		inflateReset(z);
		unpack->between = false;
	}
	z->next_in = (uint8_t *)(uintptr_t)span->in;
	z->avail_in = (unsigned)span->in_bytes;
	z->next_out = span->out;
	z->avail_out = (unsigned)span->out_bytes;
	status = inflate(z, Z_NO_FLUSH);
	*span = (struct unpack_span){ z->next_in, z->avail_in, z->next_out,
				      z->avail_out };
	unpack->between = status == Z_STREAM_END;
	if (status == Z_MEM_ERROR)
		return -ENOMEM;
	if (status == Z_BUF_ERROR && last && span->out_bytes)
		return ended(unpack, why);
	if (status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR)
		return 1;
	*why = z->msg ? z->msg : "is damaged";
	return -EINVAL;
}

static void
gzip_close(struct unpack *unpack)
{
	inflateEnd(&unpack->gzip);
	free(unpack);
}

static int
xz_open(struct unpack **out)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack)
		return -ENOMEM;
	unpack->xz = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&unpack->xz, UINT64_MAX, LZMA_CONCATENATED) !=
	    LZMA_OK) {
		free(unpack);
		return -ENOMEM;
	}
	*out = unpack;
	return 0;
}

static int
xz_step(struct unpack *unpack, struct unpack_span *span, bool last,
	const char **why)
{
	lzma_stream *xz = &unpack->xz;
	lzma_ret status;

	xz->next_in = span->in;
	xz->avail_in = span->in_bytes;
	xz->next_out = span->out;
	xz->avail_out = span->out_bytes;
	status = lzma_code(xz, last ? LZMA_FINISH : LZMA_RUN);
	*span = (struct unpack_span){ xz->next_in, xz->avail_in, xz->next_out,
				      xz->avail_out };
	if (status == LZMA_STREAM_END)
		return 0;
	if (status == LZMA_MEM_ERROR)
		return -ENOMEM;
	if (status == LZMA_OK || (status == LZMA_BUF_ERROR && !last))
		return 1;
	*why = status == LZMA_BUF_ERROR	      ? "is cut off"
	       : status == LZMA_OPTIONS_ERROR ? "uses an unknown xz option"
	       : status == LZMA_FORMAT_ERROR  ? "is followed by other data"
					      : "is damaged";
	return -EINVAL;
}

static void
xz_close(struct unpack *unpack)
{
	lzma_end(&unpack->xz);
	free(unpack);
}

static int
zstd_open(struct unpack **out)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack)
		return -ENOMEM;
	unpack->zstd = ZSTD_createDStream();
	if (!unpack->zstd) {
		free(unpack);
		return -ENOMEM;
	}
	unpack->between = true;
	*out = unpack;
	return 0;
}

static int
zstd_step(struct unpack *unpack, struct unpack_span *span, bool last,
	  const char **why)
{
	ZSTD_inBuffer in = { span->in, span->in_bytes, 0 };
	ZSTD_outBuffer out = { span->out, span->out_bytes, 0 };
	size_t status;

	if (!span->in_bytes && last && unpack->between)
		return 0;
	status = ZSTD_decompressStream(unpack->zstd, &out, &in);
	span->in += in.pos;
	span->in_bytes -= in.pos;
	span->out += out.pos;
	span->out_bytes -= out.pos;
	if (ZSTD_isError(status)) {
		*why = ZSTD_getErrorName(status);
		return -EINVAL;
	}
	unpack->between = status == 0;
	if (!span->in_bytes && last && !out.pos && !in.pos)
		return ended(unpack, why);
	return 1;
}

static void
zstd_close(struct unpack *unpack)
{
	ZSTD_freeDStream(unpack->zstd);
	free(unpack);
}

static const struct unpack_ops kinds[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, gzip_open, gzip_step, gzip_close },
	{ "xz",
	  { 0xfd, '7', 'z', 'X', 'Z', 0 },
	  6,
	  xz_open,
	  xz_step,
	  xz_close },
	{ "zstd",
	  { 0x28, 0xb5, 0x2f, 0xfd },
	  4,
	  zstd_open,
	  zstd_step,
	  zstd_close },
};

const struct unpack_ops *
unpack_find(const uint8_t *start, size_t bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (bytes >= kinds[i].magic_bytes &&
		    !memcmp(start, kinds[i].magic, kinds[i].magic_bytes))
			return &kinds[i];
	return NULL;
}
