// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A buffer, and a packer behind it that may be nothing at all.
 */
#include "traces/outlet.h"

#include <fcntl.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "analyzer/fail.h"

#define BUFFER_BYTES (256u << 10)
#define PACKED_BYTES (64u << 10)

/* Effort: about what keeps up with a text importer on one core. */
#define GZIP_LEVEL 3
#define XZ_LEVEL   1
#define ZSTD_LEVEL 3

struct outlet {
	char *name; /* owned */
	int fd;
	bool own_fd, seekable;
	int error;
	uint64_t bytes; /* put before this buffer */
	char *buffer;	/* owned [BUFFER_BYTES] */
	size_t used;

	const struct pack_ops *packing; /* NULL: plain */
	uint8_t *packed;		/* owned [PACKED_BYTES] */
	union {
		z_stream gzip;
		lzma_stream xz;
		ZSTD_CStream *zstd;
	};
};

struct pack_span {
	const uint8_t *in;
	size_t in_bytes, out_bytes; /* out: room, then what is left of it */
};

struct pack_ops {
	const char *ending;
	int (*open)(struct outlet *outlet);
	/* Use input, fill outlet->packed: 1: call again; 0: all input is used
	 * and, if last, the packing is complete; or a negative errno. */
	int (*step)(struct outlet *outlet, struct pack_span *span, bool last);
	void (*close)(struct outlet *outlet);
};

static int
gzip_open(struct outlet *outlet)
{
	return deflateInit2(&outlet->gzip, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8,
			    Z_DEFAULT_STRATEGY) == Z_OK
		       ? 0
		       : -ENOMEM;
}

static int
gzip_step(struct outlet *outlet, struct pack_span *span, bool last)
{
	z_stream *z = &outlet->gzip;
	int status;

	z->next_in = (uint8_t *)(uintptr_t)span->in;
	z->avail_in = (unsigned)span->in_bytes;
	z->next_out = outlet->packed;
	z->avail_out = (unsigned)span->out_bytes;
	status = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
	span->in = z->next_in;
	span->in_bytes = z->avail_in;
	span->out_bytes = z->avail_out;
	if (status == Z_STREAM_ERROR)
		return -EIO;
	if (last)
		return status != Z_STREAM_END;
	return z->avail_in || !z->avail_out;
}

static void
gzip_close(struct outlet *outlet)
{
	deflateEnd(&outlet->gzip);
}

static int
xz_open(struct outlet *outlet)
{
	outlet->xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_easy_encoder(&outlet->xz, XZ_LEVEL, LZMA_CHECK_CRC64) ==
			       LZMA_OK
		       ? 0
		       : -ENOMEM;
}

static int
xz_step(struct outlet *outlet, struct pack_span *span, bool last)
{
	lzma_stream *xz = &outlet->xz;
	lzma_ret status;

	xz->next_in = span->in;
	xz->avail_in = span->in_bytes;
	xz->next_out = outlet->packed;
	xz->avail_out = span->out_bytes;
	status = lzma_code(xz, last ? LZMA_FINISH : LZMA_RUN);
	span->in = xz->next_in;
	span->in_bytes = xz->avail_in;
	span->out_bytes = xz->avail_out;
	if (status == LZMA_MEM_ERROR)
		return -ENOMEM;
	if (status != LZMA_OK && status != LZMA_STREAM_END)
		return -EIO;
	if (last)
		return status != LZMA_STREAM_END;
	return xz->avail_in || !xz->avail_out;
}

static void
xz_close(struct outlet *outlet)
{
	lzma_end(&outlet->xz);
}

static int
zstd_open(struct outlet *outlet)
{
	outlet->zstd = ZSTD_createCStream();
	if (!outlet->zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(outlet->zstd, ZSTD_c_compressionLevel,
			       ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(outlet->zstd, ZSTD_c_checksumFlag, 1);
	return 0;
}

static int
zstd_step(struct outlet *outlet, struct pack_span *span, bool last)
{
	ZSTD_inBuffer in = { span->in, span->in_bytes, 0 };
	ZSTD_outBuffer out = { outlet->packed, span->out_bytes, 0 };
	size_t left = ZSTD_compressStream2(outlet->zstd, &out, &in,
					   last ? ZSTD_e_end : ZSTD_e_continue);

	if (ZSTD_isError(left))
		return -ENOMEM; /* nothing else can fail in memory of ours */
	span->in += in.pos;
	span->in_bytes -= in.pos;
	span->out_bytes -= out.pos;
	return last ? left != 0 : span->in_bytes != 0;
}

static void
zstd_close(struct outlet *outlet)
{
	ZSTD_freeCStream(outlet->zstd);
}

static const struct pack_ops kinds[] = {
	{ ".gz", gzip_open, gzip_step, gzip_close },
	{ ".xz", xz_open, xz_step, xz_close },
	{ ".zst", zstd_open, zstd_step, zstd_close },
};

static const struct pack_ops *
find_packing(const char *path)
{
	size_t bytes = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t ending = strlen(kinds[i].ending);

		if (bytes > ending &&
		    !strcmp(path + bytes - ending, kinds[i].ending))
			return &kinds[i];
	}
	return NULL;
}

static int
write_all(struct outlet *outlet, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n) {
		ssize_t wrote = write(outlet->fd, at, n);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return fail_errno(errno, "%s", outlet->name);
		at += wrote;
		n -= (size_t)wrote;
	}
	return 0;
}

static int
write_packed(struct outlet *outlet, bool last)
{
	struct pack_span span = { (const uint8_t *)outlet->buffer, outlet->used,
				  0 };
	int more;

	do {
		int error;

		span.out_bytes = PACKED_BYTES;
		more = outlet->packing->step(outlet, &span, last);
		if (more < 0)
			return fail_errno(-more, "%s: cannot pack",
					  outlet->name);
		error = write_all(outlet, outlet->packed,
				  PACKED_BYTES - span.out_bytes);
		if (error)
			return error;
	} while (more);
	return 0;
}

/* Empty the buffer. */
static int
flush(struct outlet *outlet, bool last)
{
	if (!outlet->error)
		outlet->error = outlet->packing
					? write_packed(outlet, last)
					: write_all(outlet, outlet->buffer,
						    outlet->used);
	outlet->bytes += outlet->used;
	outlet->used = 0;
	return outlet->error;
}

static int
open_file(struct outlet *outlet, const char *path)
{
	struct stat status;

	outlet->own_fd = strcmp(path, "-") != 0;
	outlet->fd =
		outlet->own_fd
			? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			       0666)
			: STDOUT_FILENO;
	/* a pipe or a terminal may not be for reading */
	if (outlet->fd < 0 && errno == EACCES)
		outlet->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (outlet->fd < 0)
		return fail_errno(errno, "%s", outlet->name);
	outlet->seekable = outlet->own_fd && !fstat(outlet->fd, &status) &&
			   S_ISREG(status.st_mode);
	return 0;
}

int
outlet_open(struct outlet **out, const char *path)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));
	const struct pack_ops *packing = find_packing(path);
	int error;

	if (!outlet)
		return fail(ENOMEM, "%s: no memory to write it", path);
	outlet->fd = -1;
	outlet->name = strdup(strcmp(path, "-") ? path : "standard output");
	outlet->buffer = malloc(BUFFER_BYTES);
	outlet->packed = packing ? malloc(PACKED_BYTES) : NULL;
	error = !outlet->name || !outlet->buffer || (packing && !outlet->packed)
			? -ENOMEM
			: 0;
	if (!error && packing) {
		error = packing->open(outlet);
		if (!error)
			outlet->packing = packing;
	}
	if (error)
		fail(ENOMEM, "%s: no memory to write it", path);
	else
		error = open_file(outlet, path);
	if (error) {
		outlet_close(outlet);
		return error;
	}
	*out = outlet;
	return 0;
}

void
outlet_close(struct outlet *outlet)
{
	if (!outlet)
		return;
	if (outlet->packing)
		outlet->packing->close(outlet);
	if (outlet->own_fd && outlet->fd >= 0)
		close(outlet->fd);
	free(outlet->packed);
	free(outlet->buffer);
	free(outlet->name);
	free(outlet);
}

char *
outlet_room(struct outlet *outlet, size_t bytes)
{
	if (unlikely(outlet->used + bytes > BUFFER_BYTES) &&
	    flush(outlet, false))
		return NULL;
	return outlet->buffer + outlet->used;
}

void
outlet_put(struct outlet *outlet, const char *end)
{
	outlet->used = (size_t)(end - outlet->buffer);
}

int
outlet_error(const struct outlet *outlet)
{
	return outlet->error;
}

int
outlet_finish(struct outlet *outlet)
{
	return flush(outlet, true);
}

int
outlet_file(const struct outlet *outlet)
{
	return outlet->seekable && !outlet->packing ? outlet->fd : -1;
}

const char *
outlet_name(const struct outlet *outlet)
{
	return outlet->name;
}

uint64_t
outlet_bytes(const struct outlet *outlet)
{
	return outlet->bytes + outlet->used;
}

char *
outlet_hex(char *at, uint64_t value, unsigned digits_min)
{
	unsigned digits =
		value ? (unsigned)(67 - __builtin_clzll(value)) / 4 : 1;

	if (digits < digits_min)
		digits = digits_min;
	for (unsigned i = digits; i-- > 0; value >>= 4)
		at[i] = "0123456789abcdef"[value & 15];
	return at + digits;
}

char *
outlet_decimal(char *at, uint64_t value)
{
	char text[20];
	unsigned n = 0;

	do
		text[n++] = (char)('0' + value % 10);
	while (value /= 10);
	while (n)
		*at++ = text[--n];
	return at;
}
