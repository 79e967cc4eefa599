// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trace-prefix [data] WHOLE PART: are the accesses of PART (of all that can be
 * read of it) those that WHOLE begins with?  With "data", only loads, stores
 * and modifies are looked at.  Prints how many there are in PART; status 0, or
 * 1 with the first difference, or 2 when one of them cannot be opened.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/pst.h"

struct reading {
	struct source *source;
	struct batch batch;
	uint32_t at;
	bool data;
	uint64_t n;
};

static bool
reading_open(struct reading *reading, const char *path, bool data)
{
	*reading = (struct reading){ .data = data };
	return !pst_reader_open(&reading->source, path, true) &&
	       !batch_init(&reading->batch);
}

static void
reading_close(struct reading *reading)
{
	batch_fini(&reading->batch);
	source_close(reading->source);
}

/* The next access that counts; false: there is none. */
static bool
next(struct reading *reading, uint64_t *address, const struct site **site)
{
	struct batch *batch = &reading->batch;

	for (;; reading->at++) {
		while (reading->at >= batch->n) {
			if (source_next(reading->source, batch) <= 0)
				return false;
			batch_expand(batch, reading->source->stream);
			reading->at = 0;
		}
		if (!reading->data ||
		    SITE_KIND(batch->site[reading->at]) != SITE_FETCH)
			break;
	}
	*address = batch->address[reading->at];
	*site = stream_site(reading->source->stream,
			    SITE_INDEX(batch->site[reading->at]));
	reading->at++;
	reading->n++;
	return true;
}

static bool
same(const struct site *a, const struct site *b)
{
	return a->pc == b->pc && a->size == b->size && a->kind == b->kind &&
	       a->instructions == b->instructions;
}

static int
compare(struct reading *whole, struct reading *part)
{
	const struct site *a, *b;
	uint64_t at, theirs;

	while (next(part, &theirs, &b)) {
		if (!next(whole, &at, &a)) {
			printf("more than the whole's %" PRIu64 "\n", whole->n);
			return 1;
		}
		if (at == theirs && same(a, b))
			continue;
		printf("access %" PRIu64 ": pc %" PRIx64 " kind %u %u bytes at "
		       "%" PRIx64 ", the whole has pc %" PRIx64
		       " kind %u %u bytes at %" PRIx64 "\n",
		       part->n, b->pc, b->kind, b->size, theirs, a->pc, a->kind,
		       a->size, at);
		return 1;
	}
	printf("%" PRIu64 "\n", part->n);
	return 0;
}

int
main(int argc, char **argv)
{
	bool data = argc > 1 && !strcmp(argv[1], "data");
	struct reading whole, part;
	int result;

	argv += data;
	if (argc - data != 3 || !reading_open(&whole, argv[1], data) ||
	    !reading_open(&part, argv[2], data))
		return 2;
	result = compare(&whole, &part);
	reading_close(&whole);
	reading_close(&part);
	return result;
}
