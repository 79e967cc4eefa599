// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Round figures, all assumed: of the order that makers and papers give for one
 * 4 KiB page with the kernel's own work.  Measured ones go into read_ns and
 * write_ns.
 */
#include "models/paging/swap-device.h"

const struct swap_device swap_devices[] = {
	{ "zram", "compressed in memory (LZO)", 4e3, 8e3 },
	{ "nvme", "a solid-state drive", 9e4, 3e4 },
	{ "disk", "a disk that turns", 8e6, 8e6 },
	{ "far", "memory of another machine (RDMA)", 6e3, 6e3 },
	{ "none", "nothing: faults take no time", 0, 0 },
	{ 0 },
};

const char *const swap_device_names[] = { "zram", "nvme", "disk",
					  "far",  "none", NULL };
