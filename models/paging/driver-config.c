// SPDX-License-Identifier: GPL-2.0-or-later
/* The options of reclaim in a machine, and what its devices take. */
#include "models/paging/driver-inside.h"
#include "models/paging/swap-device.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct driver_config, field)
#define PAGE	  4096u

static const char *const scopes[] = { "global", "process", "group", NULL };

const struct option_row driver_rows[] = {
	{ .name = "policy",
	  .type = OPTION_STRING,
	  .offset = AT(policy),
	  .fallback = "none",
	  .argument = "POLICY",
	  .help = "Who leaves when data fills memory.size: linux, mglru, lru, "
		  "fifo, clock and what `curve --policy' names; none: nobody, "
		  "too much is an error" },
	{ .name = "scope",
	  .type = OPTION_CHOICE,
	  .offset = AT(scope),
	  .fallback = "global",
	  .choices = scopes,
	  .help = "memory.size is for all together, for each process, or for "
		  "each of reclaim.groups" },
	{ .name = "groups",
	  .type = OPTION_STRING,
	  .offset = AT(groups),
	  .argument = "GROUP=PROCESS,...",
	  .help = "Which group each process is in, by its program's name or "
		  "its pid; all others are one group" },
	{ .name = "device",
	  .type = OPTION_CHOICE,
	  .offset = AT(device),
	  .fallback = "zram",
	  .choices = swap_device_names,
	  .help = "Where pages go: memory compressed (zram), a drive (nvme, "
		  "disk), another machine's memory (far); none: no swap. "
		  "Files are on nvme, or on the disk. Drives read ahead as "
		  "pages.page-cluster says" },
	{ .name = "read_ns",
	  .type = OPTION_TIME,
	  .offset = AT(read_ns),
	  .fallback = "0",
	  .max = 1e12,
	  .unit = "ns",
	  .help = "To read 4K from there; 0: as the device (zram 15 us, nvme 80 "
		  "us, disk 12.7 ms, far 5 us)" },
	{ .name = "write_ns",
	  .type = OPTION_TIME,
	  .offset = AT(write_ns),
	  .fallback = "0",
	  .max = 1e12,
	  .unit = "ns",
	  .help = "To write 4K there; 0: as the device (zram 15 us, nvme 20 us, "
		  "disk 12.7 ms, far 5 us)" },
	{ .name = "swap-size",
	  .type = OPTION_SIZE,
	  .offset = AT(swap_bytes),
	  .fallback = "0",
	  .unit = "bytes",
	  .help = "Room for pages that have no file; 0: as much as needed" },
	{ .name = "tables",
	  .type = OPTION_BOOL,
	  .offset = AT(tables),
	  .fallback = "no",
	  .help = "Page tables count against memory.size, too, as in Linux's "
		  "memory groups" },
	{ .name = "files",
	  .type = OPTION_BOOL,
	  .offset = AT(files),
	  .fallback = "yes",
	  .help = "Pages of files count against memory.size and leave; no: "
		  "they are others', as libraries that a memory group did not "
		  "read itself" },
	{ NULL },
};

void
driver_device(struct driver *driver)
{
	const struct driver_config *config = &driver->config;
	const struct swap_device *device = &swap_devices[config->device];
	enum driver_device drive;

	driver->read_ns = config->read_ns ? config->read_ns : device->read_ns;
	driver->write_ns =
		config->write_ns ? config->write_ns : device->write_ns;
	drive = config->device == DEVICE_DISK ? DEVICE_DISK : DEVICE_NVME;
	driver->file_read_ns = swap_devices[drive].read_ns;
	driver->file_write_ns = swap_devices[drive].write_ns;
	driver->synchronous = device->synchronous;
}

enum swap_kind
driver_swap(const struct driver_config *config)
{
	return config->device == DEVICE_DISK ? SWAP_KIND_DISK
	       : swap_devices[config->device].synchronous
		       ? SWAP_KIND_SYNCHRONOUS
		       : SWAP_KIND_DRIVE;
}

bool
driver_wanted(const struct driver_config *config)
{
	return config->policy && strcmp(config->policy, "none") != 0;
}

bool
driver_takes_folios(const struct driver_config *config)
{
	int policy = config->policy ? reclaim_find(config->policy) : -1;

	return policy >= 0 && reclaim_registry[policy]->part;
}

/* GROUP=PROCESS, with commas between */
static bool
are_groups(const char *at)
{
	for (;;) {
		size_t all = strcspn(at, ","), name = strcspn(at, "=");

		if (!name || name >= GROUP_NAME_BYTES || name + 1 >= all)
			return false;
		if (!at[all])
			return true;
		at += all + 1;
	}
}

int
driver_config_wrong(const struct driver_config *config, uint64_t memory_bytes,
		    const char **field, char *text, size_t bytes)
{
	int policy = config->policy ? reclaim_find(config->policy) : -1;

	*field = "reclaim.groups";
	if (config->groups && config->scope != SCOPE_GROUP)
		return snprintf(text, bytes, "\"%s\" needs reclaim.scope=group",
				config->groups);
	if (config->groups && *config->groups && !are_groups(config->groups))
		return snprintf(text, bytes,
				"\"%s\" is not GROUP=PROCESS, with commas "
				"between, as web=nginx,db=1234",
				config->groups);
	if (!driver_wanted(config))
		return 0;
	*field = "reclaim.policy";
	if (policy < 0)
		return snprintf(text, bytes, "\"%s\"; allowed: none, %s",
				config->policy, reclaim_names);
	if (reclaim_registry[policy]->needs_next)
		return snprintf(text, bytes,
				"%s knows the future, which a machine does "
				"not; `pagescope curve --policy %s' has it",
				config->policy, config->policy);
	if (memory_bytes < PAGE)
		return snprintf(text, bytes,
				"%s needs a memory.size of 4K or more, not %ju",
				config->policy, (uintmax_t)memory_bytes);
	return 0;
}
