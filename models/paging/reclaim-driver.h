/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reclaim inside a machine: memory holds so many pages of data, a policy
 * (reclaim.h) says who leaves, paging.h takes the page from all who map it, and
 * who touches it again waits for a device.
 *
 *	accesses -> lookup_scan -> pages that are in: the policy is told
 *	               |
 *	               v page unknown, absent or not writable
 *	            the core goes on to here, makes this one access (and faults),
 *	            the policy hears of the page: its victims are unmapped, and
 *	            their translations leave every TLB
 */
#ifndef MODELS_PAGING_RECLAIM_DRIVER_H
#define MODELS_PAGING_RECLAIM_DRIVER_H

#include "analyzer/batch.h"
#include "analyzer/option.h"
#include "models/paging/paging.h"
#include "models/paging/reclaim.h"

enum driver_scope {
	SCOPE_GLOBAL,  /* one memory for all */
	SCOPE_PROCESS, /* each process its own, of that size */
	SCOPE_GROUP, /* each of driver_config.groups, and one for the others */
};

enum driver_device {
	DEVICE_ZRAM,
	DEVICE_NVME,
	DEVICE_DISK,
	DEVICE_FAR,
	DEVICE_NONE,
};

struct driver_config {
	char *policy;		    /* owned; "none", or of the registry */
	int scope;		    /* enum driver_scope */
	int device;		    /* enum driver_device */
	uint64_t read_ns, write_ns; /* of 4K; 0: the device's */
	uint64_t swap_bytes;	    /* 0: endless */
	bool tables;		    /* page tables count against the memory */
	bool files;		    /* so do pages of files */
	char *groups; /* owned, or NULL: "web=nginx,db=1234": process names
		       * (of the program's file) or pids */
	struct reclaim_config own; /* the policies': reclaim_rows */
};

extern const struct option_row driver_rows[]; /* prefix "reclaim" */

/* Is reclaim asked for? */
bool driver_wanted(const struct driver_config *config);
/* Does its policy know large pages, which fall apart? */
bool driver_takes_folios(const struct driver_config *config);
/* How its device is read. */
enum swap_kind driver_swap(const struct driver_config *config);
/*
 * Does the configuration make sense with so much memory?  0, or more and in
 * text the value and what is allowed, in *field the option's whole name.
 */
int driver_config_wrong(const struct driver_config *config,
			uint64_t memory_bytes, const char **field, char *text,
			size_t bytes);

struct driver;

/* What a driver works with; all outlive it. */
struct driver_with {
	const struct stream *stream;
	struct paging *paging;
	uint64_t memory_bytes, seed;
	bool folios; /* large pages may come */
	/* Feed the core up to access `to` of the batch. */
	void *context;
	int (*run)(void *context, uint32_t to);
};

/* 0, -EINVAL (said), -ENOMEM (said). */
int driver_open(struct driver **out, const struct driver_config *config,
		const struct driver_with *with);
void driver_close(struct driver *driver);

/* paging's listener passes all on; driver_listen fills in what is the driver's
 * own, with the driver as context (not invalidate). */
void driver_invalidate(struct driver *driver, uint32_t space, uint64_t address,
		       uint64_t length);
void driver_gone(struct driver *driver, unsigned shift, uint64_t frame);
void driver_came(struct driver *driver, uint32_t space, uint64_t address,
		 unsigned shift, uint64_t frame);
bool driver_room(struct driver *driver, uint32_t space, unsigned shift,
		 bool wait);
void driver_swapped(struct driver *driver, uint64_t frame, uint64_t slot);
void driver_returned(struct driver *driver, uint64_t slot, uint64_t frame,
		     bool kept);
void driver_ahead(struct driver *driver, uint64_t frame);
void driver_forgotten(struct driver *driver, uint64_t slot);

/*
 * Accesses [from, to) of the batch, the first of which is number `position` of
 * the run; the core has made all of them after that.  0, -ENOMEM, -EINVAL
 * (said).
 */
int driver_feed(struct driver *driver, const struct batch *batch, uint32_t from,
		uint32_t to, uint64_t position);
/* After paging_event of the same: pages that it locked, populated, touched. */
int driver_event(struct driver *driver, const struct batch *batch,
		 const struct event *event, uint64_t position);

/*
 * reclaim.references, .misses, .evictions, .writebacks, .reads, .stall_ns,
 * .device.*, .wired, .stuck, oom.*, what the policy counts (one memory for
 * all), else the table reclaim.memories.
 */
int driver_finish(struct driver *driver, struct result *result);

#endif
