/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompressors behind one call, for traces/input.c.
 */
#ifndef TRACES_UNPACK_H
#define TRACES_UNPACK_H

#include "analyzer/base.h"

struct unpack;

struct unpack_span {
	const uint8_t *in; /* moved on over what was used */
	size_t in_bytes;
	uint8_t *out; /* moved on over what was made */
	size_t out_bytes;
};

struct unpack_ops {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_bytes;
	int (*open)(struct unpack **out);
	/*
	 * Use input, make output, until either runs out.  `last`: no input
	 * will follow.  1: go on; 0: the data is complete (only when `last`
	 * and all of it is used); -EINVAL: damaged or cut off, with the reason
	 * in *why (unsaid); -ENOMEM.
	 */
	int (*step)(struct unpack *unpack, struct unpack_span *span, bool last,
		    const char **why);
	void (*close)(struct unpack *unpack);
};

/* The one whose magic these bytes begin with, or NULL: plain. */
const struct unpack_ops *unpack_find(const uint8_t *start, size_t bytes);

#endif
