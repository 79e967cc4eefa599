/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing byte buffer to write to, and a bounded cursor to read from: varints
 * (LEB128), zigzag for signed, little-endian fixed widths, strings.
 *
 * Both remember their first failure (no memory; read past the end), after
 * which writes are dropped and reads give 0: callers check once at the end.
 */
#ifndef TRACES_PST_BYTES_H
#define TRACES_PST_BYTES_H

#include "analyzer/base.h"

struct bytes {
	uint8_t *data; /* owned */
	size_t n, room;
	bool failed;
};

void bytes_fini(struct bytes *bytes);
void bytes_clear(struct bytes *bytes);
/* Room for n more; NULL when out of memory. */
uint8_t *bytes_reserve(struct bytes *bytes, size_t n);
void bytes_put(struct bytes *bytes, const void *data, size_t n);
void bytes_put_varint(struct bytes *bytes, uint64_t value);
void bytes_put_signed(struct bytes *bytes, int64_t value);
/* Length as varint, then the characters. */
void bytes_put_string(struct bytes *bytes, const char *text);

struct cursor {
	const uint8_t *at, *end;
	bool failed;
};

uint64_t cursor_varint(struct cursor *cursor);
int64_t cursor_signed(struct cursor *cursor);
/* n bytes of the input, or NULL past the end. */
const uint8_t *cursor_bytes(struct cursor *cursor, size_t n);
/* A copy with a NUL at its end, for the caller to free; NULL on failure. */
char *cursor_string(struct cursor *cursor);

static inline uint64_t
zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t
unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ -(value & 1));
}

#endif
