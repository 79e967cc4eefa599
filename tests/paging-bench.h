/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel part on a bench: hand-made events, accesses as of a machine without
 * a TLB, and the values of its result.  For tests of huge pages and swap.
 */
#ifndef TESTS_PAGING_BENCH_H
#define TESTS_PAGING_BENCH_H

#include "models/paging/paging.h"

#define PAGE   UINT64_C(4096)
#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define BASE   (UINT64_C(64) * GIB)
#define RIGHTS (MAP_FLAG_READ | MAP_FLAG_WRITE)

struct bench {
	struct stream *stream;
	struct frames *frames;
	struct paging *paging;
	struct batch batch;
	struct result *result; /* of the last look */
	const struct table_ops *ops;
	uint64_t accesses;
	uint64_t faults;      /* before the last call of faults() */
	uint64_t stale_bytes; /* what TLBs were told to forget; all is 1 */
};

/* NULL: the defaults of the options; assignments: "policy=thp", ..., NULL. */
struct bench *bench_open(const char *const *assignments, uint64_t memory_bytes);
/* The same in other memory. */
struct bench *bench_open_in(const char *const *assignments,
			    const struct frames_config *memory);
/* The same of a configuration, which may have larger granules. */
struct bench *bench_open_with(const struct paging_config *config,
			      const struct frames_config *memory);
void bench_close(struct bench *bench);

struct event event_of(enum event_type type, uint64_t address, uint64_t length);
void tell(struct bench *bench, uint32_t space, struct event event);
void map(struct bench *bench, uint64_t address, uint64_t length,
	 unsigned flags);
uint32_t add_file(struct bench *bench, const char *path, uint64_t bytes);
void map_file(struct bench *bench, uint64_t address, uint64_t length,
	      unsigned flags, uint32_t file);
void unmap(struct bench *bench, uint64_t address, uint64_t length);
void protect(struct bench *bench, uint64_t address, uint64_t length,
	     unsigned flags);
void advise(struct bench *bench, uint64_t address, uint64_t length, int advice);
void fork_to(struct bench *bench, uint32_t parent, uint32_t child);
/* Of a process. */
void end(struct bench *bench, uint32_t space);

/* One access; where its page is. */
struct mapping use(struct bench *bench, uint32_t space, uint64_t address,
		   enum site_kind kind);
/* One a page. */
void sweep(struct bench *bench, uint32_t space, uint64_t address,
	   uint64_t length, enum site_kind kind);
/* Faults since the call before. */
uint64_t faults(struct bench *bench);
/* Of the result as of now; -1: absent. */
double value(struct bench *bench, const char *name);

#endif
