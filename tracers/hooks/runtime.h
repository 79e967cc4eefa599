/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime in a hooked program.  It makes system calls of its own accord
 * (errno stays the program's), takes no locks and allocates nothing, so that
 * hooks may be called anywhere: signal handlers, constructors, after a fork.
 */
#ifndef TRACERS_HOOKS_RUNTIME_H
#define TRACERS_HOOKS_RUNTIME_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracers/hooks/channel.h"

#define HOOKS_HIDDEN __attribute__((visibility("hidden")))
#define HOOKS_PUBLIC __attribute__((visibility("default")))

/* This process's part in a recording */
struct hooks_self {
	struct channel *channel; /* NULL: not recorded */
	uint32_t pid, parent;
	uint32_t flags;	     /* CHANNEL_START or _FORKED: not yet told */
	uint32_t commits;    /* since its start */
	uint64_t size_pages; /* of the address space, when last looked at */
	uint64_t lost;	     /* of this process, not yet told */
};

extern struct hooks_self hooks_self HOOKS_HIDDEN;

/* For entry.S: this thread's line; offset of rseq_cs from the thread pointer;
 * are function entries wanted? */
extern __thread struct channel_line *hooks_line
	__attribute__((tls_model("initial-exec"))) HOOKS_HIDDEN;
extern int64_t hooks_rseq HOOKS_HIDDEN;
extern uint32_t hooks_fetch HOOKS_HIDDEN;
/* It is known that nothing is to be recorded. */
extern uint32_t hooks_inactive HOOKS_HIDDEN;

/* entry.S: record an access, a range.  code: HOOK_... << 56 */
void hooks_access_at(uint64_t address, uint64_t site, uint64_t unused,
		     uint64_t code) HOOKS_HIDDEN;
void hooks_range_at(uint64_t address, uint64_t site, uint64_t length,
		    uint64_t code) HOOKS_HIDDEN;

/* The line of this thread with room for a record, NULL: don't record. */
struct channel_line *hooks_room(void) HOOKS_HIDDEN;

/* Hand over what this thread has recorded; whole: the mappings too. */
void hooks_commit(uint32_t flags, bool whole) HOOKS_HIDDEN;
/* Hand it over and give up the line. */
void hooks_leave(uint32_t flags, bool whole) HOOKS_HIDDEN;

/* Once, from whichever hook or constructor comes first. */
void hooks_start(void) HOOKS_HIDDEN;
/* A thread took a line: call hooks_leave when it ends. */
void hooks_thread_started(void) HOOKS_HIDDEN;

/* Wait while *word is `seen`, at most 100 ms.  False: the recorder is gone
 * or wants no more. */
bool hooks_wait(uint32_t *word, uint32_t seen) HOOKS_HIDDEN;
void hooks_wake(uint32_t *word) HOOKS_HIDDEN;

/* All signals off, and as they were. */
uint64_t hooks_signals_block(void) HOOKS_HIDDEN;
void hooks_signals_restore(uint64_t mask) HOOKS_HIDDEN;

/* A system call: a result or a negative errno. */
static inline int64_t
hooks_call(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;

	__asm__ volatile("syscall"
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return number;
}

/* Read a file's text from its start; bytes read. */
size_t hooks_file_read(const char *path, char *text, size_t bytes) HOOKS_HIDDEN;

#endif
