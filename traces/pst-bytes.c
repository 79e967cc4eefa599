// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/pst-bytes.h"

#include <stdlib.h>
#include <string.h>

void
bytes_fini(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

void
bytes_clear(struct bytes *bytes)
{
	bytes->n = 0;
	bytes->failed = false;
}

uint8_t *
bytes_reserve(struct bytes *bytes, size_t n)
{
	if (bytes->room - bytes->n < n) {
		size_t room = bytes->room ? bytes->room : 4096;
		uint8_t *data;

		while (room - bytes->n < n)
			room *= 2;
		data = realloc(bytes->data, room);
		if (!data) {
			bytes->failed = true;
			return NULL;
		}
		bytes->data = data;
		bytes->room = room;
	}
	return bytes->data + bytes->n;
}

void
bytes_put(struct bytes *bytes, const void *data, size_t n)
{
	uint8_t *at = bytes_reserve(bytes, n);

	if (!at || !n)
		return;
	memcpy(at, data, n);
	bytes->n += n;
}

void
bytes_put_varint(struct bytes *bytes, uint64_t value)
{
	uint8_t *at = bytes_reserve(bytes, 10);

	if (!at)
		return;
	for (; value >= 128; value >>= 7, bytes->n++)
		*at++ = (uint8_t)(value | 128);
	*at = (uint8_t)value;
	bytes->n++;
}

void
bytes_put_signed(struct bytes *bytes, int64_t value)
{
	bytes_put_varint(bytes, zigzag(value));
}

void
bytes_put_string(struct bytes *bytes, const char *text)
{
	size_t n = strlen(text);

	bytes_put_varint(bytes, n);
	bytes_put(bytes, text, n);
}

uint64_t
cursor_varint(struct cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (cursor->at >= cursor->end)
			break;
		byte = *cursor->at++;
		value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return value;
	}
	cursor->failed = true;
	cursor->at = cursor->end;
	return 0;
}

int64_t
cursor_signed(struct cursor *cursor)
{
	return unzigzag(cursor_varint(cursor));
}

const uint8_t *
cursor_bytes(struct cursor *cursor, size_t n)
{
	const uint8_t *at = cursor->at;

	if ((size_t)(cursor->end - at) < n) {
		cursor->failed = true;
		cursor->at = cursor->end;
		return NULL;
	}
	cursor->at += n;
	return at;
}

char *
cursor_string(struct cursor *cursor)
{
	size_t n = cursor_varint(cursor);
	const uint8_t *at = cursor_bytes(cursor, n);
	char *text = at ? malloc(n + 1) : NULL;

	if (!text)
		return NULL;
	memcpy(text, at, n);
	text[n] = 0;
	return text;
}
