/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of a program that are done for real in an arena, each noted with what
 * the kernel counted, and then fed to models/paging, which must say the same.
 *
 *	step -> done -> faults, VmPTE, AnonHugePages -> log -> model -> compare
 *
 * The log lies in shared memory: children write on in it.
 */
#ifndef TESTS_KERNEL_STEPS_H
#define TESTS_KERNEL_STEPS_H

#include "models/paging/paging.h"

#define PAGE  UINT64_C(4096)
#define MIB   (UINT64_C(1) << 20)
#define GIB   (UINT64_C(1) << 30)
#define ARENA (UINT64_C(0x200) << 36) /* 32 TiB */

#define STEPS_POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

/* Why the kernel's figures cannot be had here, or NULL. */
const char *steps_open(void);
/* An empty log, an empty arena. */
void steps_reset(void);
size_t steps_count(void);
#define STEPS_MOST 200000 /* what comes later is not noted */

/* Offsets are in the arena.  false: the call failed, and nothing is noted. */
void touch(uint64_t offset, bool write);
void sweep(uint64_t offset, uint64_t length, bool write);
/* Flags of mmap, without MAP_FIXED; anonymous. */
bool map_at(uint64_t offset, uint64_t length, int rights, int flags);
bool anon_at(uint64_t offset, uint64_t length);
bool unmap_at(uint64_t offset, uint64_t length);
bool protect_at(uint64_t offset, uint64_t length, int rights);
bool advise_at(uint64_t offset, uint64_t length, int advice);
bool lock_at(uint64_t offset, uint64_t length, bool lock);
bool move_at(uint64_t offset, uint64_t length, uint64_t to,
	     uint64_t new_length);
/* The kernel writes: read(2) from /dev/zero. */
bool kernel_write_at(uint64_t offset, uint64_t length);
/* The same of a file of steps_files: 0 on disk, 1 in memory. */
#define STEPS_FILE_PAGES 512
bool file_at(uint64_t offset, uint64_t length, int rights, int flags,
	     uint32_t file, uint64_t page);
/* Files to map, in the working directory: why there are none, or NULL. */
const char *steps_files(void);

/* As fork, but both go on: the child's space in the child, 0 in the parent. */
uint8_t fork_beside(void);
/* Whose turn to note it is, from now on. */
void steps_turn(uint8_t space);
/* End this process; what it had is gone when its state is Z. */
void exit_beside(void);
/* A child does its part while the parent waits. */
void fork_and(void (*child)(uint64_t seed), uint64_t seed);

/* Note the pool of 2M pages from here on, or no more. */
void note_pool(bool noted);
/* Note THPs, as if nothing is said, or not, which is much faster. */
void note_huge(bool noted);
/* Bytes of the arena's THPs in this process now. */
int64_t huge_bytes_now(void);
/* Major faults of this process now. */
int64_t majors_now(void);
/* khugepaged or others may have changed what the kernel has: note it, and that
 * the model's time goes to so many ns. */
void time_at(uint64_t time_ns);

/*
 * Feed the log to a model: does it say all that the kernel did?  Else the first
 * difference is printed.  assignments as of bench_open, without "pages." for
 * the policy being needed.
 */
bool steps_agree(const struct paging_config *config);

#endif
