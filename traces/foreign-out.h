/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all exporters share: batches become single accesses, in order, and what
 * the format has no room for is counted.  A format adds only how to write one.
 *
 *	batch --access by access, fetches made whole--> format->put --> outlet
 */
#ifndef TRACES_FOREIGN_OUT_H
#define TRACES_FOREIGN_OUT_H

#include "traces/exporter.h"
#include "traces/outlet.h"

enum foreign_holds {
	HOLDS_SIZE = 1,
	HOLDS_PC = 2,	  /* of each access */
	HOLDS_MODIFY = 4, /* else it is put as a load and a store */
	HOLDS_THREAD = 8, /* and address space */
	HOLDS_TIME = 16,
	HOLDS_KIND = 32,
	/* A fetch that goes on in the next page is put as one, as the
	 * importer will cut it again. */
	HOLDS_CROSSING = 64,
	HOLDS_FETCH_PC = 128, /* data are of the fetch before them */
	HOLDS_BLOCKS = 256,   /* or the format counts them itself */
};

struct foreign_access {
	uint64_t address, pc;
	uint64_t time_ns; /* of its batch, from that of the first */
	uint32_t size, thread, space;
	uint8_t kind, instructions;
};

struct foreign_out;

struct foreign_out_format {
	const char *name;
	unsigned holds; /* enum foreign_holds */
	/* 0 or a negative errno (said) */
	int (*put)(struct foreign_out *out,
		   const struct foreign_access *access);
	/* After the last access; may be NULL. */
	int (*end)(struct foreign_out *out);
	/* Free what the format added; may be NULL. */
	void (*fini)(struct foreign_out *out);
};

#define FOREIGN_LOSSES_BYTES 1024

/* The first member of each exporter's own struct. */
struct foreign_out {
	struct model model;
	const struct foreign_out_format *format;
	const struct stream *stream;
	struct outlet *outlet;	    /* owned */
	struct foreign_access held; /* a fetch that may go on; size 0: none */

	bool started;
	uint64_t start_ns; /* of the first batch */
	uint64_t accesses;
	uint64_t beside; /* bytes written past the outlet */
	/* What may get lost */
	uint64_t events[EVENT_TYPES];
	uint64_t data, fetches, modifies;
	uint64_t pcs;	 /* data that have one */
	uint64_t far;	 /* of them, those that have not the fetch's before */
	uint64_t blocks; /* fetches of several instructions */
	uint64_t fetch_pc;
	bool timed;		  /* times are more than a count of accesses */
	uint32_t threads, spaces; /* the largest numbers seen, + 1 */

	char losses[FOREIGN_LOSSES_BYTES];
};

int foreign_out_open(struct model **out, size_t bytes,
		     const struct foreign_out_format *format,
		     const struct exporter_setup *setup);

/* Add to what is said to be lost: "N what" when n is not 0. */
void foreign_out_lost(struct foreign_out *out, uint64_t n, const char *what);

/* Room for so many bytes; NULL: outlet_error(out->outlet). */
static ALWAYS_INLINE char *
foreign_out_room(struct foreign_out *out, size_t bytes)
{
	return outlet_room(out->outlet, bytes);
}

#endif
