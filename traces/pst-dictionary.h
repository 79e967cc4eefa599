/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dictionary of a .pst: what was added to the stream's tables since the
 * last dictionary section.
 */
#ifndef TRACES_PST_DICTIONARY_H
#define TRACES_PST_DICTIONARY_H

#include "analyzer/stream.h"
#include "traces/pst-bytes.h"

/* How many entries of each table. */
struct dictionary_counts {
	uint32_t files, spaces, threads, sites, shapes, steps;
};

/* How many the stream has now. */
void dictionary_counts(const struct stream *stream,
		       struct dictionary_counts *counts);

/*
 * Append the entries from *from up to *to, and set *from to *to.  False if
 * there are none.  bytes->failed when out of memory.
 */
bool dictionary_write(struct bytes *bytes, const struct stream *stream,
		      struct dictionary_counts *from,
		      const struct dictionary_counts *to);

/* Append all sites, shapes and steps below *to: what a digest covers. */
void dictionary_write_code(struct bytes *bytes, const struct stream *stream,
			   const struct dictionary_counts *to);

/*
 * Add the entries of a section to the stream, checking every number in them.
 * 0, -ENOMEM, or -EBADMSG (unsaid): *what then names the bad table.
 */
int dictionary_read(const uint8_t *data, size_t n, struct stream *stream,
		    const char **what);

#endif
