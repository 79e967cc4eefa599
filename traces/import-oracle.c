// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libCacheSim's oracleGeneral: one record a request, no header, little-endian
 * and packed:
 *
 *	 0 u32 time in seconds
 *	 4 u64 object
 *	12 u32 size in bytes
 *	16 i64 next request of that object, counted from 1; -1 or 2^63 - 1: never
 *
 * A request becomes loads, in one of two ways (oracle.as):
 *	page	the object is a page number: one load of oracle.size bytes at
 *		object * oracle.unit; the record's own size is not asked
 *	object	each object has addresses of its own, one object behind the
 *		other as they first come, and is loaded whole: one load for
 *		each page that it lies in.  One that comes back longer gets a
 *		new place.  Memory: at most 100 bytes an object.
 */
#include "traces/foreign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define RECORD_BYTES  24
#define SECOND	      UINT64_C(1000000000)
#define OBJECTS_START UINT64_C(0x10000)
#define START_SLOTS   1024

enum oracle_as {
	AS_PAGE,
	AS_OBJECT
};

struct oracle_config {
	int as;
	uint64_t unit, size, align;
};

/* Where an object lies; bytes 0: an empty slot */
struct oracle_object {
	uint64_t object, address;
	uint32_t bytes;
};

struct oracle {
	struct foreign foreign;
	int as;
	uint32_t size;
	uint64_t unit, align;

	struct oracle_object *slot; /* owned [slots], at most 3/4 used */
	uint64_t n, slots, top;	    /* top: where the next one is laid */
	uint64_t at, left;	    /* of the request that is being loaded */

	bool started; /* the clock counts from the first record's time */
	uint32_t first_s;
};

struct oracle_record {
	uint32_t time_s, size;
	uint64_t object;
	int64_t next;
};

static const char *const oracle_ways[] = { "page", "object", NULL };

static const struct option_row oracle_rows[] = {
	{ "as", OPTION_CHOICE, offsetof(struct oracle_config, as), "page",
	  .choices = oracle_ways,
	  .help = "what an object is: the number of a page, or something of "
		  "its size with addresses of its own" },
	{ "unit", OPTION_SIZE, offsetof(struct oracle_config, unit), "4K", 1,
	  1u << 30, .unit = "bytes", .help = "as pages: what a number counts" },
	{ "size", OPTION_SIZE, offsetof(struct oracle_config, size), "1", 1,
	  4096, .unit = "bytes",
	  .help = "as pages: how much of one a request loads" },
	{ "align", OPTION_SIZE, offsetof(struct oracle_config, align), "16", 1,
	  1u << 30, .unit = "bytes",
	  .help = "as objects: each begins at a multiple of it" },
	{ NULL },
};

static const struct option_group oracle_groups[] = {
	{ "oracle", oracle_rows, 0, "libCacheSim's requests" },
	{ NULL },
};

static const struct option_tree oracle_options = {
	oracle_groups,
	sizeof(struct oracle_config),
};

static ALWAYS_INLINE struct oracle_record
oracle_get(const char *bytes)
{
	struct oracle_record record;

	memcpy(&record.time_s, bytes, 4);
	memcpy(&record.object, bytes + 4, 8);
	memcpy(&record.size, bytes + 12, 4);
	memcpy(&record.next, bytes + 16, 8);
	return record;
}

/* Could the next request of the object of record `number` (from 0) be this? */
static ALWAYS_INLINE bool
oracle_next_sane(int64_t next, uint64_t number)
{
	return next == -1 || (next > 0 && (uint64_t)next > number + 1);
}

static struct oracle_object *
slot_of(struct oracle *oracle, uint64_t object)
{
	uint64_t mask = oracle->slots - 1;
	uint64_t at = (object * 0x9e3779b97f4a7c15u) >> 24 & mask;

	while (oracle->slot[at].bytes && oracle->slot[at].object != object)
		at = (at + 1) & mask;
	return &oracle->slot[at];
}

static int
grow(struct oracle *oracle)
{
	struct oracle_object *old = oracle->slot;
	uint64_t slots = oracle->slots;

	oracle->slots = slots ? 2 * slots : START_SLOTS;
	oracle->slot = calloc(oracle->slots, sizeof(*oracle->slot));
	if (!oracle->slot) {
		oracle->slot = old;
		oracle->slots = slots;
		return fail(ENOMEM, "import: no memory for %" PRIu64 " objects",
			    2 * slots);
	}
	for (uint64_t i = 0; i < slots; i++)
		if (old[i].bytes)
			*slot_of(oracle, old[i].object) = old[i];
	free(old);
	return 0;
}

/* The place of the object; false: foreign.wrong or sites.error */
static bool
oracle_place(struct oracle *oracle, const struct oracle_record *record)
{
	struct foreign *foreign = &oracle->foreign;
	struct oracle_object *object;
	uint64_t start;

	if (!record->size) {
		foreign_wrong(foreign, "object %" PRIu64 " has no size",
			      record->object);
		return false;
	}
	if (4 * oracle->n >= 3 * oracle->slots) {
		foreign->sites.error = grow(oracle);
		if (foreign->sites.error)
			return false;
	}
	object = slot_of(oracle, record->object);
	if (object->bytes < record->size) {
		start = oracle->top + oracle->align - 1;
		start -= start % oracle->align;
		if (start < oracle->top || start > UINT64_MAX - record->size) {
			foreign_wrong(foreign, "no address is left for it");
			return false;
		}
		oracle->n += !object->bytes;
		*object = (struct oracle_object){ record->object, start,
						  record->size };
		oracle->top = start + record->size;
	}
	oracle->at = object->address;
	oracle->left = record->size;
	return true;
}

/* Loads of the request's pages while there is room: true: all; false: more,
 * or sites.error */
static bool
oracle_load(struct oracle *oracle, struct batch *batch)
{
	while (oracle->left) {
		uint64_t page = 4096 - (oracle->at & 4095);
		uint64_t part = oracle->left < page ? oracle->left : page;

		if (batch->n > FOREIGN_FULL ||
		    !foreign_data(&oracle->foreign, batch, 0, oracle->at,
				  (uint32_t)part, SITE_LOAD))
			return false;
		oracle->at += part;
		oracle->left -= part;
	}
	return true;
}

/* Begin the request; false: foreign.wrong or sites.error */
static ALWAYS_INLINE bool
oracle_begin(struct oracle *oracle, const char *bytes)
{
	struct foreign *foreign = &oracle->foreign;
	struct oracle_record record = oracle_get(bytes);

	if (unlikely(!oracle_next_sane(record.next, foreign->line))) {
		foreign_wrong(foreign,
			      "no oracleGeneral record: request %" PRIu64
			      " of object %" PRIu64
			      " is followed by request %" PRIi64,
			      foreign->line + 1, record.object, record.next);
		return false;
	}
	if (!oracle->started) {
		oracle->started = true;
		oracle->first_s = record.time_s;
	}
	if (record.time_s > oracle->first_s)
		foreign_clock(foreign,
			      (record.time_s - oracle->first_s) * SECOND);
	if (oracle->as == AS_OBJECT)
		return oracle_place(oracle, &record);
	if (unlikely(record.object > (UINT64_MAX - 4096) / oracle->unit)) {
		foreign_wrong(foreign,
			      "object %" PRIu64 " is no page number (if it is "
			      "a name, say oracle.as=object)",
			      record.object);
		return false;
	}
	oracle->at = record.object * oracle->unit;
	oracle->left = oracle->size;
	return true;
}

static const char *
oracle_take(struct foreign *foreign, const char *at, const char *end,
	    struct batch *batch)
{
	struct oracle *oracle = (struct oracle *)foreign;

	while (at < end && batch->n <= FOREIGN_FULL) {
		/* else the rest of one that the batch before had no room for */
		if (!oracle->left && !oracle_begin(oracle, at))
			break;
		if (!oracle_load(oracle, batch))
			break;
		at += RECORD_BYTES;
		foreign->line++;
	}
	return at;
}

/*
 * The index of the next request is all but never right by chance.  A trace of
 * requests that all are the last of their objects needs more to be sure.
 */
static int
oracle_recognise(const char *start, size_t bytes)
{
	size_t n = bytes / RECORD_BYTES;
	uint32_t before = 0;

	for (size_t i = 0; i < n; i++) {
		struct oracle_record record =
			oracle_get(start + i * RECORD_BYTES);

		if (!oracle_next_sane(record.next, i) ||
		    record.time_s < before ||
		    (record.next != INT64_MAX && record.next >> 48 > 0))
			return 0;
		before = record.time_s;
	}
	return n == 0 ? 0 : n < 4 ? 60 : 92;
}

static void
oracle_fini(struct foreign *foreign)
{
	free(((struct oracle *)foreign)->slot);
}

static const struct foreign_format oracle_format = {
	.name = "oracle",
	.record_bytes = RECORD_BYTES,
	.take = oracle_take,
	.fini = oracle_fini,
};

static int
oracle_open(struct source **out, const struct importer_setup *setup)
{
	const struct oracle_config *config = setup->options;
	struct oracle *oracle;
	int error = foreign_open(out, sizeof(*oracle), &oracle_format, setup);

	if (error)
		return error;
	oracle = (struct oracle *)*out;
	oracle->as = config->as;
	oracle->unit = config->unit;
	oracle->size = (uint32_t)config->size;
	oracle->align = config->align;
	oracle->top = OBJECTS_START;
	return 0;
}

const struct importer_ops oracle_importer = {
	.name = "oracle",
	.help = "libCacheSim's oracleGeneral: records of 24 bytes",
	.options = &oracle_options,
	.recognise = oracle_recognise,
	.open = oracle_open,
};
