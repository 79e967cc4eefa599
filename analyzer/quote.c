// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/quote.h"

#include <stdio.h>
#include <string.h>

struct out {
	char *text;
	size_t bytes, n;
};

static void
put(struct out *out, const char *string)
{
	for (; *string; string++, out->n++)
		if (out->n + 1 < out->bytes)
			out->text[out->n] = *string;
}

static bool
is_control(char c)
{
	return (unsigned char)c < ' ' || c == '\177';
}

bool
quote_controls(const char *word)
{
	for (; *word; word++)
		if (is_control(*word))
			return true;
	return false;
}

static void
put_escaped(struct out *out, char c)
{
	char text[8];

	switch (c) {
	case '\n':
		put(out, "\\n");
		return;
	case '\t':
		put(out, "\\t");
		return;
	case '\\':
	case '\'':
		put(out, "\\");
		break;
	default:
		break;
	}
	snprintf(text, sizeof(text), is_control(c) ? "\\x%02x" : "%c",
		 (unsigned char)c);
	put(out, text);
}

size_t
quote_word(const char *word, char *text, size_t text_bytes)
{
	struct out out = { text, text_bytes, 0 };
	bool controls = quote_controls(word);
	bool plain = *word && !controls &&
		     !word[strcspn(word, " \"'`$&;|<>()*?\\#!{}[]")];

	if (!plain)
		put(&out, controls ? "$'" : "'");
	for (; *word; word++) {
		char one[] = { *word, '\0' };

		if (controls)
			put_escaped(&out, *word);
		else
			put(&out, *word == '\'' && !plain ? "'\\''" : one);
	}
	if (!plain)
		put(&out, "'");
	if (text_bytes)
		text[out.n < text_bytes ? out.n : text_bytes - 1] = '\0';
	return out.n;
}
