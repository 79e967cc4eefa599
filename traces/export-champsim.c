// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ChampSim's records of 64 bytes, one an instruction; see import-champsim.c.
 *
 * A trace has one fetch for a block of instructions and names only those that
 * access data.  So a block becomes a record for its first instruction and one
 * for each that accesses data; the others, of which nobody knows where they
 * are, are counted and left out.  Accesses of one pc within a block are one
 * instruction's: up to 4 loads and 2 stores a record, more in further ones.
 * Outside of a block each access has its own record.  Branches and registers
 * are not known: all records are of other instructions, without registers.
 */
#include "traces/foreign-out.h"

#include <string.h>

#define RECORD_BYTES 64
#define STORES	     2
#define LOADS	     4

struct champsim_config {
	uint64_t ip;
};

struct champsim_record {
	bool open;
	uint64_t ip;
	unsigned n_stores, n_loads;
	uint64_t store[STORES], load[LOADS];
};

struct champsim_out {
	struct foreign_out out;
	uint64_t ip; /* for what has none */
	struct champsim_record record;
	/* The block that the last fetch named, and how many of its
	 * instructions have no record yet */
	uint64_t block, block_end;
	uint32_t block_left, thread;
	uint64_t unplaced, cut, nameless, zeros, joined;
};

static const struct option_row champsim_rows[] = {
	{ "ip", OPTION_SIZE, offsetof(struct champsim_config, ip), "4096", 1,
	  0x1p63,
	  .help = "instruction pointer of accesses that have none, which the "
		  "format does not allow" },
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

static int
flush_record(struct champsim_out *champsim)
{
	struct champsim_record *record = &champsim->record;
	char *at;

	if (!record->open)
		return 0;
	at = foreign_out_room(&champsim->out, RECORD_BYTES);
	if (!at)
		return outlet_error(champsim->out.outlet);
	memset(at, 0, RECORD_BYTES);
	memcpy(at, &record->ip, sizeof(record->ip));
	memcpy(at + 16, record->store, sizeof(record->store));
	memcpy(at + 32, record->load, sizeof(record->load));
	outlet_put(champsim->out.outlet, at + RECORD_BYTES);
	record->open = false;
	return 0;
}

static int
begin_record(struct champsim_out *champsim, uint64_t ip)
{
	int error = flush_record(champsim);

	champsim->record = (struct champsim_record){ .open = true, .ip = ip };
	return error;
}

static int
put_fetch(struct champsim_out *champsim, const struct foreign_access *access)
{
	/* the second page's part of one whose first is not here */
	if (!access->instructions)
		return flush_record(champsim);
	champsim->unplaced += champsim->block_left;
	champsim->block = access->pc;
	champsim->block_end = access->pc + access->size;
	champsim->block_left = access->instructions - 1u;
	champsim->thread = access->thread;
	champsim->nameless += !access->pc;
	return begin_record(champsim, access->pc ? access->pc : champsim->ip);
}

static bool
among(const uint64_t *address, unsigned n, uint64_t wanted)
{
	while (n)
		if (address[--n] == wanted)
			return true;
	return false;
}

/* Make the record one that this access may be put into. */
static int
find_record(struct champsim_out *champsim, const struct foreign_access *access)
{
	const struct champsim_record *record = &champsim->record;
	bool inside = access->pc && access->thread == champsim->thread &&
		      access->pc >= champsim->block &&
		      access->pc < champsim->block_end;
	bool store = access->kind != SITE_LOAD,
	     load = access->kind != SITE_STORE;

	if (!access->pc)
		champsim->nameless++;
	if (!inside || !record->open || record->ip != access->pc) {
		if (inside && champsim->block_left)
			champsim->block_left--;
		return begin_record(champsim,
				    access->pc ? access->pc : champsim->ip);
	}
	if (record->n_loads + load <= LOADS &&
	    record->n_stores + store <= STORES)
		return 0;
	champsim->cut++;
	return begin_record(champsim, access->pc);
}

static int
champsim_put(struct foreign_out *out, const struct foreign_access *access)
{
	struct champsim_out *champsim = (struct champsim_out *)out;
	struct champsim_record *record = &champsim->record;
	uint64_t address = access->address;
	int error;

	if (access->kind == SITE_FETCH)
		return put_fetch(champsim, access);
	if (!address) {
		champsim->zeros++;
		return 0;
	}
	error = find_record(champsim, access);
	if (error)
		return error;
	/* what is loaded and stored comes back as one modify */
	if (access->kind == SITE_LOAD)
		champsim->joined +=
			among(record->store, record->n_stores, address);
	if (access->kind == SITE_STORE)
		champsim->joined +=
			among(record->load, record->n_loads, address);
	if (access->kind != SITE_STORE)
		record->load[record->n_loads++] = address;
	if (access->kind != SITE_LOAD)
		record->store[record->n_stores++] = address;
	return 0;
}

static int
champsim_end(struct foreign_out *out)
{
	struct champsim_out *champsim = (struct champsim_out *)out;

	foreign_out_lost(out, champsim->unplaced + champsim->block_left,
			 "instructions of blocks that access no data");
	foreign_out_lost(out, champsim->cut,
			 "further records of one instruction's accesses");
	foreign_out_lost(out, champsim->nameless,
			 "missing pcs (they have champsim.ip)");
	foreign_out_lost(out, champsim->zeros, "accesses to address 0");
	foreign_out_lost(out, champsim->joined,
			 "loads and stores of one address by one instruction "
			 "(they are a modify)");
	return flush_record(champsim);
}

static const struct foreign_out_format champsim_format = {
	.name = "champsim",
	.holds = HOLDS_KIND | HOLDS_MODIFY | HOLDS_PC | HOLDS_CROSSING |
		 HOLDS_BLOCKS,
	.put = champsim_put,
	.end = champsim_end,
};

static int
champsim_open(struct model **model, const struct exporter_setup *setup)
{
	const struct champsim_config *config = setup->options;
	int error = foreign_out_open(model, sizeof(struct champsim_out),
				     &champsim_format, setup);

	if (!error)
		((struct champsim_out *)*model)->ip = config->ip;
	return error;
}

const struct exporter_ops champsim_exporter = {
	.name = "champsim",
	.help = "ChampSim's records of 64 bytes",
	.options = &champsim_options,
	.open = champsim_open,
};
