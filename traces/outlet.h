/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes into a file or standard output through one buffer, packed by what the
 * name ends in (.gz, .xz, .zst): the other end of traces/input.h.
 */
#ifndef TRACES_OUTLET_H
#define TRACES_OUTLET_H

#include "analyzer/base.h"

struct outlet;

/* path "-": standard output.  0 or a negative errno (said). */
int outlet_open(struct outlet **out, const char *path);
/* NULL is allowed.  Does not finish. */
void outlet_close(struct outlet *outlet);

/* So much can be asked for at once. */
#define OUTLET_ROOM 4096

/* Room for so many bytes (at most OUTLET_ROOM); NULL: outlet_error says why */
char *outlet_room(struct outlet *outlet, size_t bytes);
/* What was put there ends at `end`. */
void outlet_put(struct outlet *outlet, const char *end);
/* 0 or the negative errno (said) that stopped it */
int outlet_error(const struct outlet *outlet);
/* Write all that is left, and the end of the packing.  0 or that errno. */
int outlet_finish(struct outlet *outlet);

/*
 * The open file behind it where what is put is stored as it is and may be
 * read back, else -1.  Belongs to the outlet.
 */
int outlet_file(const struct outlet *outlet);
const char *outlet_name(const struct outlet *outlet);
/* Before packing */
uint64_t outlet_bytes(const struct outlet *outlet);

/* Numbers as text; they return where they end.  At most 16 and 20 bytes. */
char *outlet_hex(char *at, uint64_t value, unsigned digits_min);
char *outlet_decimal(char *at, uint64_t value);

#endif
