// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls that change the address space, one function each, in a table.  All
 * lengths are rounded up to pages as the kernel does.
 */
#include "tracers/syscalls.h"
#include "analyzer/base.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE UINT64_C(4096)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define HUGE_SHIFT_MASK 63 /* MAP_HUGE_SHIFT's field */

struct change {
	const struct syscall_call *call;
	struct syscall_memory *memory;
	const struct syscall_target *target;
};

static uint64_t
pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

static struct event *
add(const struct change *change, enum event_type type, uint64_t address,
    uint64_t length)
{
	struct event *event =
		change->target->event(change->target->context, type);

	event->address = address;
	event->length = length;
	return event;
}

static uint16_t
rights(uint64_t protection)
{
	return (protection & PROT_READ ? MAP_FLAG_READ : 0) |
	       (protection & PROT_WRITE ? MAP_FLAG_WRITE : 0) |
	       (protection & PROT_EXEC ? MAP_FLAG_EXEC : 0);
}

static uint64_t
huge_bytes(uint64_t flags)
{
	unsigned shift = (unsigned)(flags >> MAP_HUGE_SHIFT) & HUGE_SHIFT_MASK;

	return UINT64_C(1) << (shift ? shift : 21);
}

static void
do_mmap(const struct change *change)
{
	const uint64_t *argument = change->call->argument;
	uint64_t flags = argument[3], length = pages(argument[1]);
	const struct syscall_target *target = change->target;
	uint32_t file = UINT32_MAX;
	struct event *event;

	if (flags & MAP_HUGETLB)
		length = (argument[1] + huge_bytes(flags) - 1) &
			 ~(huge_bytes(flags) - 1);
	if (!(flags & MAP_ANONYMOUS)) {
		file = target->file(target->context, (int)argument[4]);
		target->cached(target->context, file, argument[5], length);
	}
	event = add(change, EVENT_MAP, (uint64_t)change->call->result, length);
	event->flags = rights(argument[2]);
	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		event->flags |= MAP_FLAG_SHARED;
	if (flags & (MAP_POPULATE | MAP_LOCKED) ||
	    change->memory->populate_future)
		event->flags |= MAP_FLAG_POPULATE;
	if (flags & MAP_HUGETLB)
		event->flags |= MAP_FLAG_HUGETLB;
	if (flags & MAP_HUGETLB)
		event->extra = (uint64_t)__builtin_ctzll(huge_bytes(flags));
	if (flags & MAP_NORESERVE)
		event->flags |= MAP_FLAG_NORESERVE;
	if (flags & MAP_ANONYMOUS)
		return;
	event->flags |= MAP_FLAG_FILE;
	event->offset = argument[5];
	event->file = file;
}

static void
do_munmap(const struct change *change)
{
	add(change, EVENT_UNMAP, change->call->argument[0],
	    pages(change->call->argument[1]));
}

static void
do_mprotect(const struct change *change)
{
	add(change, EVENT_PROTECT, change->call->argument[0],
	    pages(change->call->argument[1]))
		->flags = rights(change->call->argument[2]);
}

static void
do_mremap(const struct change *change)
{
	const uint64_t *argument = change->call->argument;
	uint64_t to = (uint64_t)change->call->result;
	uint64_t old_bytes = pages(argument[1]), new_bytes = pages(argument[2]);
	struct event *event;

	if (!old_bytes) { /* a second view of shared memory */
		change->target->mapped(change->target->context, to, new_bytes);
		return;
	}
	event = add(change, EVENT_REMAP, argument[0], old_bytes);
	event->value = to;
	event->extra = new_bytes;
	if (argument[3] & MREMAP_DONTUNMAP)
		change->target->mapped(change->target->context, argument[0],
				       old_bytes);
}

static void
do_brk(const struct change *change)
{
	uint64_t old = pages(change->memory->brk);
	uint64_t now = (uint64_t)change->call->result;

	if (change->memory->brk && pages(now) > old) {
		struct event *event =
			add(change, EVENT_MAP, old, pages(now) - old);

		event->flags = MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_HEAP;
		if (change->memory->populate_future)
			event->flags |= MAP_FLAG_POPULATE;
		event->file =
			change->target->name(change->target->context, "[heap]");
	} else if (change->memory->brk && pages(now) < old) {
		add(change, EVENT_UNMAP, pages(now), old - pages(now));
	}
	change->memory->brk = now;
}

static void
do_madvise(const struct change *change)
{
	add(change, EVENT_ADVISE, change->call->argument[0],
	    pages(change->call->argument[1]))
		->value = change->call->argument[2];
}

/* The kernel locks whole pages: those that the range touches */
static void
lock(const struct change *change, uint64_t address, uint64_t bytes,
     uint16_t flags)
{
	uint64_t start = address & ~(PAGE - 1);

	add(change, EVENT_LOCK, start, pages(address + bytes) - start)->flags =
		flags;
}

static void
do_mlock(const struct change *change)
{
	lock(change, change->call->argument[0], change->call->argument[1], 0);
}

static void
do_munlock(const struct change *change)
{
	lock(change, change->call->argument[0], change->call->argument[1], 1);
}

#define ALL_OF_USER_SPACE (UINT64_C(1) << 47)

static void
do_mlockall(const struct change *change)
{
	if (change->call->argument[0] & MCL_CURRENT)
		lock(change, 0, ALL_OF_USER_SPACE, 0);
	change->memory->populate_future =
		(change->call->argument[0] & (MCL_FUTURE | MCL_ONFAULT)) ==
		MCL_FUTURE;
}

static void
do_munlockall(const struct change *change)
{
	lock(change, 0, ALL_OF_USER_SPACE, 1);
	change->memory->populate_future = false;
}

static void
do_shmat(const struct change *change)
{
	uint64_t at = (uint64_t)change->call->result;

	change->target->mapped(change->target->context, at,
			       change->target->segment(change->target->context,
						       at));
}

static void
do_shmdt(const struct change *change)
{
	if (change->memory->detached)
		add(change, EVENT_UNMAP, change->call->argument[0],
		    change->memory->detached);
}

static void
do_remap_file_pages(const struct change *change)
{
	change->target->mapped(change->target->context,
			       change->call->argument[0],
			       pages(change->call->argument[1]));
}

static const struct {
	uint64_t number;
	void (*apply)(const struct change *change);
} changes[] = {
	{ SYS_mmap, do_mmap },
	{ SYS_munmap, do_munmap },
	{ SYS_mprotect, do_mprotect },
	{ SYS_pkey_mprotect, do_mprotect },
	{ SYS_mremap, do_mremap },
	{ SYS_brk, do_brk },
	{ SYS_madvise, do_madvise },
	{ SYS_mlock, do_mlock },
	{ SYS_mlock2, do_mlock },
	{ SYS_munlock, do_munlock },
	{ SYS_mlockall, do_mlockall },
	{ SYS_munlockall, do_munlockall },
	{ SYS_shmat, do_shmat },
	{ SYS_shmdt, do_shmdt },
	{ SYS_remap_file_pages, do_remap_file_pages },
};

void
syscall_enter(const struct syscall_call *call, struct syscall_memory *memory,
	      const struct syscall_target *target)
{
	if (call->number == SYS_shmdt)
		memory->detached =
			target->segment(target->context, call->argument[0]);
}

/* Advice is taken mapping by mapping, up to one that will not have it (EINVAL:
 * it is locked, or of a file), and where nothing is mapped it goes on (ENOMEM). */
static bool
was_done_in_part(const struct syscall_call *call)
{
	if (call->number != SYS_madvise || call->argument[0] & 4095 ||
	    (call->result != -EINVAL && call->result != -ENOMEM))
		return false;
	switch (call->argument[2]) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return true;
	default:
		return false;
	}
}

/* Calls that bring pages of a file into the page cache. */
static void
tell_filled(const struct syscall_call *call,
	    const struct syscall_target *target)
{
	uint64_t offset = UINT64_MAX;

	switch (call->number) {
	case SYS_pread64:
	case SYS_pwrite64:
	case SYS_preadv:
	case SYS_pwritev:
		offset = call->argument[3];
		break;
	case SYS_read:
	case SYS_write:
	case SYS_readv:
	case SYS_writev:
		break;
	default:
		return;
	}
	if (target->filled && call->result > 0)
		target->filled(target->context, (int)call->argument[0], offset,
			       (uint64_t)call->result);
}

void
syscall_leave(const struct syscall_call *call, struct syscall_memory *memory,
	      const struct syscall_target *target)
{
	const struct change change = { call, memory, target };

	syscall_buffers(call, target);
	tell_filled(call, target);
	/* The last page of addresses are errors; brk's result is an address
	 * also when it failed. */
	if (call->result < 0 && call->result >= -4095 &&
	    !was_done_in_part(call))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		if (changes[i].number == call->number) {
			changes[i].apply(&change);
			return;
		}
}

bool
syscall_may_wait(uint64_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		if (changes[i].number == number)
			return false;
	return true;
}
