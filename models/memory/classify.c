// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fully associative twin: a list from newest to oldest, and a table from
 * line to its place in the list; NOT_HERE for lines that were there once.
 */
#include "models/memory/classify.h"

#include <stdlib.h>

#include "models/paging/hash.h"

#define NOT_HERE UINT32_MAX

struct entry {
	uint64_t line;
	uint32_t newer, older;
};

struct classify {
	struct hash place;   /* line -> entry, or NOT_HERE */
	struct entry *entry; /* owned: [lines + 1]; 0: ends of the list */
	uint32_t lines, used;
	bool failed;
	uint64_t counts[CLASSIFY_KINDS];
};

int
classify_open(struct classify **out, uint64_t lines)
{
	struct classify *classify = calloc(1, sizeof(*classify));

	if (!classify)
		return -ENOMEM;
	classify->lines = (uint32_t)lines;
	classify->entry = calloc(lines + 1, sizeof(*classify->entry));
	if (!classify->entry) {
		free(classify);
		return -ENOMEM;
	}
	*out = classify;
	return 0;
}

void
classify_close(struct classify *classify)
{
	if (!classify)
		return;
	hash_fini(&classify->place);
	free(classify->entry);
	free(classify);
}

static void
unlink_entry(struct classify *classify, uint32_t i)
{
	struct entry *entry = classify->entry;

	entry[entry[i].newer].older = entry[i].older;
	entry[entry[i].older].newer = entry[i].newer;
}

static void
link_newest(struct classify *classify, uint32_t i)
{
	struct entry *entry = classify->entry;

	entry[i].newer = 0;
	entry[i].older = entry[0].older;
	entry[entry[0].older].newer = i;
	entry[0].older = i;
}

static void
put(struct classify *classify, uint64_t line, uint32_t i)
{
	if (hash_put(&classify->place, line, i) < 0)
		classify->failed = true;
}

/* A line comes in for the oldest, or into what was never used. */
static void
come_in(struct classify *classify, uint64_t line)
{
	uint32_t i;

	if (classify->used < classify->lines) {
		i = ++classify->used;
	} else {
		i = classify->entry[0].newer;
		unlink_entry(classify, i);
		put(classify, classify->entry[i].line, NOT_HERE);
	}
	classify->entry[i].line = line;
	link_newest(classify, i);
	put(classify, line, i);
}

enum classify_kind
classify_use(struct classify *classify, uint64_t line, bool hit)
{
	const uint64_t *place = hash_find(&classify->place, line);
	bool known = place, here = place && *place != NOT_HERE;
	enum classify_kind kind = hit	   ? CLASSIFY_HIT
				  : !known ? CLASSIFY_COMPULSORY
				  : here   ? CLASSIFY_CONFLICT
					   : CLASSIFY_CAPACITY;

	if (here) {
		uint32_t i = (uint32_t)*place;

		unlink_entry(classify, i);
		link_newest(classify, i);
	} else {
		come_in(classify, line);
	}
	classify->counts[kind]++;
	return kind;
}

uint64_t
classify_count(const struct classify *classify, enum classify_kind kind)
{
	return classify->counts[kind];
}

bool
classify_failed(const struct classify *classify)
{
	return classify->failed;
}
