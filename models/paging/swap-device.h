/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where pages go that have no room: how long a page takes there and back. */
#ifndef MODELS_PAGING_SWAP_DEVICE_H
#define MODELS_PAGING_SWAP_DEVICE_H

#include "analyzer/base.h"

struct swap_device {
	const char *name, *help;
	double read_ns, write_ns; /* of one page, from fault to mapping */
};

/* zram, nvme, disk, far, none; ends with one whose name is NULL. */
extern const struct swap_device swap_devices[];
/* The same names, for option rows; ends with NULL. */
extern const char *const swap_device_names[];

#endif
