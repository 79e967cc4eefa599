/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core remembers of each site, by its index in the stream: two small
 * facts for the hot loop, and what its misses cost, touched only at misses.
 */
#ifndef MODELS_TRANSLATION_SITE_TABLE_H
#define MODELS_TRANSLATION_SITE_TABLE_H

#include "analyzer/result.h"
#include "analyzer/stream.h"

#define SITES_REPORTED 4096 /* rows of the table `sites` at most */

struct site_count {
	uint64_t l1_misses, walks, cycles;
};

struct site_table {
	uint32_t n, max;
	uint8_t *instructions;	  /* owned */
	uint16_t *bytes;	  /* owned; 65535: ask the site */
	struct site_count *count; /* owned */
};

/* Learn of the sites that came since.  0 or -ENOMEM (said). */
int site_table_update(struct site_table *table, const struct stream *stream);
void site_table_fini(struct site_table *table);

/*
 * The table `sites`: those with misses, most walks first, then most cycles,
 * first-level misses, least index.
 */
int site_table_finish(const struct site_table *table,
		      const struct stream *stream, struct result *result);

#endif
