// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ChampSim's traces: one record an instruction, no header, little-endian.
 *
 *	ordinary, 64 bytes            CloudSuite, 96 bytes
 *	 0 u64 ip                      0 u64 ip
 *	 8 u8  is branch, taken        8 u8  is branch, taken
 *	10 u8  written registers[2]   10 u8  written registers[4]
 *	12 u8  read registers[4]      14 u8  read registers[4]
 *	16 u64 stored to[2]           24 u64 stored to[4]
 *	32 u64 loaded from[4]         56 u64 loaded from[4]
 *	                              88 u8  address space[2]
 *
 * An address of 0 is no access.  An instruction is a fetch, its loads, its
 * stores, in this order; what it both loads and stores is one modify.  Nothing
 * has a length: champsim.fetch-size and champsim.size are assumed, clipped to
 * the 64-byte line, which is all that ChampSim itself looks at.
 */
#include "traces/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

struct champsim_config {
	uint64_t fetch_size, size;
};

struct champsim_layout {
	size_t bytes, stores_at, loads_at, asid_at; /* asid_at 0: none */
	unsigned stores, loads;
};

#define ASIDS 65536

struct champsim {
	struct foreign foreign;
	uint32_t fetch_size, size;
	unsigned asid; /* that foreign.space belongs to */
	/* CloudSuite: [ASIDS], owned: number of its space and thread + 1 */
	uint32_t *space;
};

static const struct option_row champsim_rows[] = {
	{ "fetch-size", OPTION_SIZE,
	  offsetof(struct champsim_config, fetch_size), "4", 1, 64,
	  .unit = "bytes",
	  .help = "length of an instruction, which the format does not say" },
	{ "size", OPTION_SIZE, offsetof(struct champsim_config, size), "8", 1,
	  64, .unit = "bytes",
	  .help = "length of a load or store, which the format does not say" },
	{ NULL },
};

static const struct option_group champsim_groups[] = {
	{ "champsim", champsim_rows, 0, "ChampSim's records" },
	{ NULL },
};

static const struct option_tree champsim_options = {
	champsim_groups,
	sizeof(struct champsim_config),
};

static const struct champsim_layout champsim_layout = {
	.bytes = 64,
	.stores_at = 16,
	.stores = 2,
	.loads_at = 32,
	.loads = 4,
};

static const struct champsim_layout cloudsuite_layout = {
	.bytes = 96,
	.stores_at = 24,
	.stores = 4,
	.loads_at = 56,
	.loads = 4,
	.asid_at = 88,
};

static ALWAYS_INLINE uint64_t
word(const char *record, size_t at)
{
	uint64_t value;

	memcpy(&value, record + at, sizeof(value));
	return value;
}

static const char *
champsim_wrong(const char *record)
{
	if ((unsigned char)record[8] > 1 || (unsigned char)record[9] > 1)
		return "no ChampSim record: its branch flags are not 0 or 1";
	if (!word(record, 0))
		return "no ChampSim record: its instruction pointer is 0";
	return NULL;
}

/* Does the record store to what it loads from? */
static ALWAYS_INLINE bool
stores_to(const struct champsim_layout *layout, const char *record,
	  uint64_t address)
{
	for (unsigned i = 0; i < layout->stores; i++)
		if (word(record, layout->stores_at + 8 * i) == address)
			return true;
	return false;
}

static ALWAYS_INLINE bool
loads_from(const struct champsim_layout *layout, const char *record,
	   uint64_t address)
{
	for (unsigned i = 0; i < layout->loads; i++)
		if (word(record, layout->loads_at + 8 * i) == address)
			return true;
	return false;
}

/* The accesses of a record; false: sites.error */
static ALWAYS_INLINE bool
champsim_record(struct champsim *champsim, const struct champsim_layout *layout,
		const char *record, struct batch *batch)
{
	struct foreign *foreign = &champsim->foreign;
	uint64_t pc = word(record, 0);
	bool good = foreign_fetch(foreign, batch, pc,
				  foreign_clip(pc, champsim->fetch_size));

	for (unsigned i = 0; i < layout->loads; i++) {
		uint64_t address = word(record, layout->loads_at + 8 * i);

		if (address)
			good &= foreign_data(foreign, batch, pc, address,
					     foreign_clip(address,
							  champsim->size),
					     stores_to(layout, record, address)
						     ? SITE_MODIFY
						     : SITE_LOAD);
	}
	for (unsigned i = 0; i < layout->stores; i++) {
		uint64_t address = word(record, layout->stores_at + 8 * i);

		if (address && !loads_from(layout, record, address))
			good &= foreign_data(foreign, batch, pc, address,
					     foreign_clip(address,
							  champsim->size),
					     SITE_STORE);
	}
	return good;
}

static ALWAYS_INLINE unsigned
asid_of(const struct champsim_layout *layout, const char *record)
{
	return (unsigned char)record[layout->asid_at] |
	       (unsigned)(unsigned char)record[layout->asid_at + 1] << 8;
}

/* Go on in the space of that asid.  Spaces and threads are numbered alike. */
static int
enter_space(struct champsim *champsim, unsigned asid, struct batch *batch)
{
	struct foreign *foreign = &champsim->foreign;
	struct stream *stream = foreign->source.stream;
	uint32_t number, thread;
	int error;

	if (!champsim->space) {
		/* the frame made the first one, which nobody has used yet */
		champsim->space = calloc(ASIDS, sizeof(*champsim->space));
		if (!champsim->space)
			return fail(ENOMEM, "import: no memory for spaces");
		champsim->space[asid] = foreign->space + 1;
	}
	if (!champsim->space[asid]) {
		error = stream_space_add(stream,
					 &(struct space){
						 asid, stream_image_add(stream),
						 SPACE_NONE },
					 &number);
		if (!error)
			error = stream_thread_add(stream,
						  &(struct thread){ asid,
								    asid },
						  &thread);
		if (error)
			return error;
		champsim->space[asid] = number + 1;
	}
	champsim->asid = asid;
	foreign->space = foreign->thread = champsim->space[asid] - 1;
	batch->space = foreign->space;
	batch->thread = foreign->thread;
	return 0;
}

static ALWAYS_INLINE const char *
champsim_records(struct foreign *foreign, const char *at, const char *end,
		 struct batch *batch, const struct champsim_layout *layout)
{
	struct champsim *champsim = (struct champsim *)foreign;

	for (; at < end && batch->n <= FOREIGN_FULL; at += layout->bytes) {
		foreign->wrong = champsim_wrong(at);
		if (unlikely(foreign->wrong))
			break;
		if (layout->asid_at &&
		    unlikely(!champsim->space ||
			     asid_of(layout, at) != champsim->asid)) {
			if (batch->n) {
				foreign->split = true;
				break;
			}
			foreign->sites.error =
				enter_space(champsim, asid_of(layout, at),
					    batch);
			if (foreign->sites.error)
				break;
		}
		if (unlikely(!champsim_record(champsim, layout, at, batch)))
			break;
		foreign->line++;
	}
	return at;
}

static const char *
champsim_take(struct foreign *foreign, const char *at, const char *end,
	      struct batch *batch)
{
	return champsim_records(foreign, at, end, batch, &champsim_layout);
}

static const char *
cloudsuite_take(struct foreign *foreign, const char *at, const char *end,
		struct batch *batch)
{
	return champsim_records(foreign, at, end, batch, &cloudsuite_layout);
}

static void
champsim_fini(struct foreign *foreign)
{
	free(((struct champsim *)foreign)->space);
}

/*
 * All whole records of the start must have good flags, and all addresses must
 * be canonical: random bytes and other lengths of record have not.
 */
static int
champsim_score(const char *start, size_t bytes,
	       const struct champsim_layout *layout)
{
	size_t n = bytes / layout->bytes;
	size_t words = (layout->asid_at ? layout->asid_at : layout->bytes) / 8;

	for (size_t i = 0; i < n; i++) {
		const char *record = start + i * layout->bytes;

		if (champsim_wrong(record))
			return 0;
		for (size_t k = layout->stores_at / 8; k < words; k++) {
			int64_t top = (int64_t)word(record, 8 * k) >> 47;

			if (top != 0 && top != -1)
				return 0;
		}
	}
	return n == 0 ? 0 : n < 4 ? 60 : 90;
}

static int
champsim_recognise(const char *start, size_t bytes)
{
	return champsim_score(start, bytes, &champsim_layout);
}

static int
cloudsuite_recognise(const char *start, size_t bytes)
{
	return champsim_score(start, bytes, &cloudsuite_layout);
}

static const struct foreign_format champsim_format = {
	.name = "champsim",
	.record_bytes = 64,
	.take = champsim_take,
};

static const struct foreign_format cloudsuite_format = {
	.name = "cloudsuite",
	.record_bytes = 96,
	.take = cloudsuite_take,
	.fini = champsim_fini,
};

static int
open_as(struct source **out, const struct importer_setup *setup,
	const struct foreign_format *format)
{
	const struct champsim_config *config = setup->options;
	struct champsim *champsim;
	int error = foreign_open(out, sizeof(*champsim), format, setup);

	if (error)
		return error;
	champsim = (struct champsim *)*out;
	champsim->fetch_size = (uint32_t)config->fetch_size;
	champsim->size = (uint32_t)config->size;
	return 0;
}

static int
champsim_open(struct source **out, const struct importer_setup *setup)
{
	return open_as(out, setup, &champsim_format);
}

static int
cloudsuite_open(struct source **out, const struct importer_setup *setup)
{
	return open_as(out, setup, &cloudsuite_format);
}

const struct importer_ops champsim_importer = {
	.name = "champsim",
	.help = "ChampSim's records of 64 bytes",
	.options = &champsim_options,
	.recognise = champsim_recognise,
	.open = champsim_open,
};

const struct importer_ops cloudsuite_importer = {
	.name = "cloudsuite",
	.help = "ChampSim's records of 96 bytes, with address spaces",
	.options = &champsim_options,
	.recognise = cloudsuite_recognise,
	.open = cloudsuite_open,
};
