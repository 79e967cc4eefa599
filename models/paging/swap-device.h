/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where pages go that have no room, and how long one takes there and back. */
#ifndef MODELS_PAGING_SWAP_DEVICE_H
#define MODELS_PAGING_SWAP_DEVICE_H

#include "analyzer/base.h"

struct swap_device {
	const char *name;
	uint64_t read_ns, write_ns; /* of 4K, as the program waits for it */
	bool synchronous;	    /* the processor does the work itself */
};

/* In the order of enum driver_device; ends with one whose name is NULL. */
extern const struct swap_device swap_devices[];
/* The same names, for option rows; ends with NULL. */
extern const char *const swap_device_names[];

#endif
