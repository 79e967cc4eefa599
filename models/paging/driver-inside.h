/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the reclaim driver share; nobody else includes it.
 *
 *	reclaim-driver.c   pages, accesses, events: who is in and who must go
 *	driver-folio.c     large pages: 4K pages that come and leave as one
 *	driver-memories.c  one memory, or one for each process or group
 *	driver-config.c    options, devices
 *	driver-result.c    values; out of memory
 */
#ifndef MODELS_PAGING_DRIVER_INSIDE_H
#define MODELS_PAGING_DRIVER_INSIDE_H

#include "models/paging/hash.h"
#include "models/paging/lookup.h"
#include "models/paging/reclaim-driver.h"

#define GROUP_NAME_BYTES 64 /* of reclaim.groups, with the 0 */
#define PAGE_SHIFT	 12

enum page_flag {
	DRIVER_IN = 1,	     /* the policy has it in memory */
	DRIVER_DIRTY = 2,    /* written since it came in */
	DRIVER_COPY = 4,     /* swap still has it as it was when it came in */
	DRIVER_FILE = 8,     /* its file has it */
	DRIVER_LOCKED = 16,  /* may not leave: the policy does not know it */
	DRIVER_AWAY = 32,    /* in swap or its file; frame is a slot */
	DRIVER_COUNTED = 64, /* ... and takes room in swap */
	DRIVER_LAZY = 128,   /* MADV_FREE: unless written since, nobody needs
			      * what is in it */
};

struct driver_page {
	uint64_t frame; /* 0: gone */
	uint64_t at;	/* struct paging_place */
	uint32_t object, space;
	uint32_t local; /* its number in its memory */
	uint16_t memory;
	uint8_t flags;
	uint8_t order; /* of a large page, which `frame' and `at' begin */
};

struct memory {
	struct driver *driver;
	struct reclaim *policy; /* owned */
	char *name;		/* owned; of a process or group, else NULL */
	uint32_t pid;		/* of a process */
	uint32_t *page;		/* owned [room]: local number -> page */
	uint8_t *file;		/* owned [room]: is it of a file? */
	uint32_t *size;		/* owned [room]: in pages of 4K */
	uint32_t pages, room;
	uint64_t beyond; /* evictions: pages of large ones but their first */
	uint64_t wired;	 /* locked pages */
};

struct oom {
	bool happened;
	uint64_t position, time_ns; /* of the first */
	uint64_t pages;		    /* that found no room, in all */
	uint32_t pid;		    /* who would be chosen */
	char *name;		    /* owned, or NULL: not known */
	struct paging_usage usage;
	int64_t points; /* its badness */
	uint64_t candidates;
};

struct driver {
	struct driver_config config; /* strings borrowed */
	struct driver_with with;
	int policy; /* in reclaim_registry */
	const struct reclaim_ops *ops;
	uint64_t read_ns, write_ns;	      /* swap */
	uint64_t file_read_ns, file_write_ns; /* files are on a drive */
	bool folios;			      /* large pages may come */
	bool synchronous; /* writes are done by who needs room, and swap keeps
			   * no copy of what comes back (SWP_SYNCHRONOUS_IO) */
	uint64_t limit;	  /* pages of each memory */

	struct lookup lookup;
	struct driver_page *page; /* owned [room] */
	uint32_t pages, room;
	struct hash slots;	/* slot -> page */
	struct memory **memory; /* owned [memories] */
	uint32_t memories;
	uint32_t *memory_of; /* owned [spaces]: plus 1; 0: not known yet */
	uint32_t spaces;
	char **name; /* owned [names]: of each space's program, or NULL */
	uint32_t names;
	bool *matched; /* owned: each of config.groups has found a process */
	int64_t *adj;  /* owned [adjs]: oom_score_adj of each space */
	uint32_t adjs;
	uint32_t *victim; /* owned [victim_room]: to be unmapped */
	uint32_t victims, victim_room;
	uint32_t *ahead; /* owned [ahead_room]: pages that were read ahead */
	uint32_t aheads, ahead_room;
	uint32_t last_fed; /* whose write lookup.late means */
	uint64_t fed;	   /* references */

	/* of the event or access that runs */
	uint64_t position, time_ns;
	struct lookup_span span;
	bool evicting;
	int error; /* in a callback (said) */

	uint64_t reads, writes;		  /* of swap */
	uint64_t file_reads, file_writes; /* of files */
	uint64_t stuck;	     /* victims that could not be taken away */
	uint64_t freed;	     /* ... that were nobody's any more */
	uint64_t swap_pages; /* taken now */
	struct oom oom;
};

int driver_no_memory(void);
/* What the device takes. */
void driver_device(struct driver *driver);
/* The memory that pays for what this space touches first; -ENOMEM (said). */
int memory_of(struct driver *driver, uint32_t space, uint32_t *memory);
/* A new page's local number.  -ENOMEM (said). */
int memory_add(struct memory *memory, uint32_t page, uint8_t order, bool file,
	       uint32_t *local);
/* Capacity after what is locked and, if asked, tables.  0, -EINVAL (said). */
int memory_resize(struct memory *memory);
void memories_fini(struct driver *driver);
/* The number of a new page, without a frame yet.  -ENOMEM (said). */
int driver_number(struct driver *driver, uint16_t memory, uint8_t order,
		  bool file, uint32_t *number);
/* The policies hear of all that was gathered.  0, or as driver_feed. */
int driver_flush(struct driver *driver);
/* The part of a large page in this frame is a page of its own from here on, be
 * the large one in memory or not; ... all its parts, and it is no more.  0,
 * -ENOMEM (said). */
int folio_part(struct driver *driver, uint32_t whole, uint64_t frame);
int folio_break(struct driver *driver, uint32_t whole);
/* The policy let it go: it leaves.  0, -ENOMEM (said). */
int folio_away(struct driver *driver, uint32_t number,
	       const struct paging_place *place);
/* What follows the spaces' programs. */
int memory_follow(struct driver *driver, const struct batch *batch,
		  const struct event *event);
/* The program's name in a space, or NULL. */
const char *memory_program(const struct driver *driver, uint32_t space);
/* "web=nginx,db=1234": the assignment at `at`, and where the next one is. */
struct assignment {
	const char *group, *process;
	size_t group_length, process_length;
};
const char *assignment_next(const char *at, struct assignment *assignment);
/* EVENT_COUNTER: what counts when memory is out.  0, -ENOMEM (said). */
int oom_follow(struct driver *driver, uint32_t space,
	       const struct event *event);
/* A page must go to swap where there is no room. */
void oom_note(struct driver *driver);

#endif
