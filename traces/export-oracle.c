// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libCacheSim's oracleGeneral; see import-oracle.c.  Each access is a request
 * of each page that it touches.
 *
 * A record says when its page is requested next, which only the future knows.
 * So there are two passes: the first writes the records as they come, the
 * second reads them backwards, chunk by chunk, and fills in what it has just
 * seen:
 *
 *	work file  [ chunk ][ chunk ][ chunk ]    <- backwards
 *	page -> its next request (a hash table)
 *
 * The work file is the output itself where that is a plain file; else (a pipe,
 * packed) an unlinked one in TMPDIR, copied at the end.  Memory: at most 64
 * bytes a page, whatever the length of the trace; disk: 24 bytes a request.
 */
#include "traces/foreign-out.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define RECORD_BYTES  24u
#define CHUNK_RECORDS 43690u /* 1 MiB */
#define CHUNK_BYTES   (CHUNK_RECORDS * RECORD_BYTES)
#define START_SLOTS   4096
#define SECOND	      UINT64_C(1000000000)

struct oracle_config {
	uint64_t page;
	bool repeats;
};

struct oracle_slot {
	uint64_t page;
	int64_t next; /* request number from 1; 0: an empty slot */
};

struct oracle_out {
	struct foreign_out out;
	uint64_t page_bytes;
	bool repeats;
	int file;		  /* the work file */
	bool own_file;		  /* it is a temporary one */
	char *chunk;		  /* owned [CHUNK_BYTES] */
	size_t filled;		  /* bytes in it */
	uint64_t stored;	  /* records before it */
	uint64_t last_page;	  /* of the last request */
	uint64_t left_out;	  /* repeats */
	struct oracle_slot *slot; /* owned [slots], at most 3/4 used */
	uint64_t n, slots;
};

static const struct option_row oracle_rows[] = {
	{ "page", OPTION_SIZE, offsetof(struct oracle_config, page), "4K", 1,
	  1u << 30, .unit = "bytes", .help = "what a request is for" },
	{ "repeats", OPTION_BOOL, offsetof(struct oracle_config, repeats),
	  "yes",
	  .help = "also write requests for the same page as the one before" },
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

/* pread or pwrite of all those bytes */
static int
transfer(const struct oracle_out *oracle, char *bytes, size_t n,
	 uint64_t record, bool writing)
{
	off_t at = (off_t)(record * RECORD_BYTES);

	while (n) {
		ssize_t done = writing ? pwrite(oracle->file, bytes, n, at)
				       : pread(oracle->file, bytes, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return fail_errno(done ? errno : EIO, "%s%s",
					  outlet_name(oracle->out.outlet),
					  oracle->own_file
						  ? ": its temporary file"
						  : "");
		bytes += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static int
flush_chunk(struct oracle_out *oracle)
{
	int error = transfer(oracle, oracle->chunk, oracle->filled,
			     oracle->stored, true);

	oracle->stored += oracle->filled / RECORD_BYTES;
	oracle->filled = 0;
	return error;
}

static int
put_request(struct oracle_out *oracle, uint64_t page, uint64_t time_ns)
{
	uint64_t seconds = time_ns / SECOND;
	uint32_t time_s =
		(uint32_t)(seconds < UINT32_MAX ? seconds : UINT32_MAX);
	uint32_t size = (uint32_t)oracle->page_bytes;
	int64_t never = -1;
	char *at;

	if (oracle->filled == CHUNK_BYTES) {
		int error = flush_chunk(oracle);

		if (error)
			return error;
	}
	at = oracle->chunk + oracle->filled;
	memcpy(at, &time_s, 4);
	memcpy(at + 4, &page, 8);
	memcpy(at + 12, &size, 4);
	memcpy(at + 16, &never, 8);
	oracle->filled += RECORD_BYTES;
	oracle->last_page = page;
	return 0;
}

static int
oracle_put(struct foreign_out *out, const struct foreign_access *access)
{
	struct oracle_out *oracle = (struct oracle_out *)out;
	uint64_t page = access->address / oracle->page_bytes;
	uint64_t last =
		(access->address + access->size - 1) / oracle->page_bytes;

	for (;; page++) {
		int error;

		if (!oracle->repeats && page == oracle->last_page &&
		    (oracle->stored || oracle->filled))
			oracle->left_out++;
		else {
			error = put_request(oracle, page, access->time_ns);
			if (error)
				return error;
		}
		if (page >= last)
			return 0;
	}
}

static struct oracle_slot *
slot_of(const struct oracle_out *oracle, uint64_t page)
{
	uint64_t mask = oracle->slots - 1;
	uint64_t at = (page * 0x9e3779b97f4a7c15u) >> 24 & mask;

	while (oracle->slot[at].next && oracle->slot[at].page != page)
		at = (at + 1) & mask;
	return &oracle->slot[at];
}

static int
grow(struct oracle_out *oracle)
{
	struct oracle_slot *old = oracle->slot;
	uint64_t slots = oracle->slots;

	oracle->slots = slots ? 2 * slots : START_SLOTS;
	oracle->slot = calloc(oracle->slots, sizeof(*oracle->slot));
	if (!oracle->slot) {
		oracle->slot = old;
		oracle->slots = slots;
		return fail(ENOMEM, "export: no memory for %" PRIu64 " pages",
			    2 * slots);
	}
	for (uint64_t i = 0; i < slots; i++)
		if (old[i].next)
			*slot_of(oracle, old[i].page) = old[i];
	free(old);
	return 0;
}

/* The chunk's records from the last to the first; it begins at `first`. */
static int
link_chunk(struct oracle_out *oracle, uint64_t first, size_t records)
{
	while (records--) {
		char *at = oracle->chunk + records * RECORD_BYTES;
		struct oracle_slot *slot;
		uint64_t page;

		if (4 * oracle->n >= 3 * oracle->slots && grow(oracle))
			return -ENOMEM;
		memcpy(&page, at + 4, sizeof(page));
		slot = slot_of(oracle, page);
		if (slot->next)
			memcpy(at + 16, &slot->next, sizeof(slot->next));
		oracle->n += !slot->next;
		slot->page = page;
		slot->next = (int64_t)(first + records + 1);
	}
	return 0;
}

static int
link_all(struct oracle_out *oracle, uint64_t records)
{
	while (records) {
		size_t n = records % CHUNK_RECORDS ? records % CHUNK_RECORDS
						   : CHUNK_RECORDS;
		int error;

		records -= n;
		error = transfer(oracle, oracle->chunk, n * RECORD_BYTES,
				 records, false);
		if (!error)
			error = link_chunk(oracle, records, n);
		if (!error)
			error = transfer(oracle, oracle->chunk,
					 n * RECORD_BYTES, records, true);
		if (error)
			return error;
	}
	return 0;
}

/* From the temporary file to where it belongs */
static int
copy_out(struct oracle_out *oracle, uint64_t records)
{
	struct outlet *outlet = oracle->out.outlet;
	size_t part = OUTLET_ROOM / RECORD_BYTES;

	for (uint64_t at = 0; at < records; at += part) {
		char *room = outlet_room(outlet, OUTLET_ROOM);
		size_t n = records - at < part ? records - at : part;
		int error;

		if (!room)
			return outlet_error(outlet);
		error = transfer(oracle, room, n * RECORD_BYTES, at, false);
		if (error)
			return error;
		outlet_put(outlet, room + n * RECORD_BYTES);
	}
	return 0;
}

static int
oracle_end(struct foreign_out *out)
{
	struct oracle_out *oracle = (struct oracle_out *)out;
	int error = flush_chunk(oracle);
	uint64_t records = oracle->stored;

	foreign_out_lost(out, oracle->left_out, "repeats (oracle.repeats=no)");
	if (!error)
		error = link_all(oracle, records);
	if (!error && oracle->own_file)
		error = copy_out(oracle, records);
	else
		out->beside = records * RECORD_BYTES;
	return error;
}

static void
oracle_fini(struct foreign_out *out)
{
	struct oracle_out *oracle = (struct oracle_out *)out;

	if (oracle->own_file)
		close(oracle->file);
	free(oracle->chunk);
	free(oracle->slot);
}

static const struct foreign_out_format oracle_format = {
	.name = "oracle",
	.holds = HOLDS_TIME | HOLDS_BLOCKS,
	.put = oracle_put,
	.end = oracle_end,
	.fini = oracle_fini,
};

/* A file that goes when it is closed */
static int
open_temporary(struct oracle_out *oracle)
{
	const char *directory = getenv("TMPDIR");
	char path[4096];

	if (!directory || !*directory)
		directory = "/tmp";
	snprintf(path, sizeof(path), "%s/pagescope-XXXXXX", directory);
	oracle->file = mkostemp(path, O_CLOEXEC);
	if (oracle->file < 0)
		return fail_errno(errno, "%s: a temporary file", directory);
	unlink(path);
	oracle->own_file = true;
	return 0;
}

static int
oracle_open(struct model **model, const struct exporter_setup *setup)
{
	const struct oracle_config *config = setup->options;
	struct oracle_out *oracle;
	struct model *made;
	int error =
		foreign_out_open(&made, sizeof(*oracle), &oracle_format, setup);

	if (error)
		return error;
	oracle = (struct oracle_out *)made;
	oracle->page_bytes = config->page;
	oracle->repeats = config->repeats;
	oracle->file = outlet_file(oracle->out.outlet);
	oracle->chunk = malloc(CHUNK_BYTES);
	if (!oracle->chunk)
		error = fail(ENOMEM, "%s: no memory to write it", setup->path);
	else if (oracle->file < 0)
		error = open_temporary(oracle);
	if (error) {
		made->methods->close(made);
		return error;
	}
	*model = made;
	return 0;
}

const struct exporter_ops oracle_exporter = {
	.name = "oracle",
	.help = "libCacheSim's oracleGeneral: requests of pages, each with "
		"its next",
	.options = &oracle_options,
	.open = oracle_open,
};
