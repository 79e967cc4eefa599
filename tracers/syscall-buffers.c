// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which user memory the kernel touches for a call, as rows: an argument, the
 * direction, and how long it is.  Calls that are not listed are counted as
 * touching nothing.
 */
#include "analyzer/base.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tracers/syscalls.h"

enum length {
	NOTHING,
	FIXED,	   /* n bytes */
	BY,	   /* argument[n] bytes */
	ITEMS,	   /* argument[n >> 16] items of n & 0xffff bytes */
	RESULT,	   /* as many bytes as the call returned */
	RETURNED,  /* the result's number of items of n bytes */
	STRING,	   /* to its NUL */
	VECTOR,	   /* a struct iovec array of argument[n]; in all: the result */
	MESSAGE,   /* a struct msghdr; in all: the result */
	BITS,	   /* an fd_set of argument[n] bits */
	LENGTH_AT, /* *(socklen_t *)argument[n] bytes */
};

#define ITEM(argument, bytes) ((argument) << 16 | (bytes))

struct buffer {
	uint8_t argument;
	uint8_t type; /* enum event_type: EVENT_KERNEL_READ or _WRITE */
	uint8_t length;
	uint32_t n;
};

#define PATH_BYTES 4096 /* PATH_MAX bounds what the kernel reads */
#define BUFFERS	   5
#define R	   EVENT_KERNEL_READ
#define W	   EVENT_KERNEL_WRITE

static const struct row {
	uint16_t number;
	struct buffer buffer[BUFFERS];
} rows[] = {
	{ SYS_read, { { 1, W, RESULT } } },
	{ SYS_pread64, { { 1, W, RESULT } } },
	{ SYS_write, { { 1, R, RESULT } } },
	{ SYS_pwrite64, { { 1, R, RESULT } } },
	{ SYS_readv, { { 1, R, ITEMS, ITEM(2, 16) }, { 1, W, VECTOR, 2 } } },
	{ SYS_preadv, { { 1, R, ITEMS, ITEM(2, 16) }, { 1, W, VECTOR, 2 } } },
	{ SYS_preadv2, { { 1, R, ITEMS, ITEM(2, 16) }, { 1, W, VECTOR, 2 } } },
	{ SYS_writev, { { 1, R, ITEMS, ITEM(2, 16) }, { 1, R, VECTOR, 2 } } },
	{ SYS_pwritev, { { 1, R, ITEMS, ITEM(2, 16) }, { 1, R, VECTOR, 2 } } },
	{ SYS_pwritev2, { { 1, R, ITEMS, ITEM(2, 16) }, { 1, R, VECTOR, 2 } } },
	{ SYS_open, { { 0, R, STRING } } },
	{ SYS_openat, { { 1, R, STRING } } },
	{ SYS_openat2, { { 1, R, STRING }, { 2, R, BY, 3 } } },
	{ SYS_creat, { { 0, R, STRING } } },
	{ SYS_access, { { 0, R, STRING } } },
	{ SYS_faccessat, { { 1, R, STRING } } },
	{ SYS_faccessat2, { { 1, R, STRING } } },
	{ SYS_stat, { { 0, R, STRING }, { 1, W, FIXED, 144 } } },
	{ SYS_lstat, { { 0, R, STRING }, { 1, W, FIXED, 144 } } },
	{ SYS_fstat, { { 1, W, FIXED, 144 } } },
	{ SYS_newfstatat, { { 1, R, STRING }, { 2, W, FIXED, 144 } } },
	{ SYS_statx, { { 1, R, STRING }, { 4, W, FIXED, 256 } } },
	{ SYS_statfs, { { 0, R, STRING }, { 1, W, FIXED, 120 } } },
	{ SYS_fstatfs, { { 1, W, FIXED, 120 } } },
	{ SYS_readlink, { { 0, R, STRING }, { 1, W, RESULT } } },
	{ SYS_readlinkat, { { 1, R, STRING }, { 2, W, RESULT } } },
	{ SYS_getcwd, { { 0, W, RESULT } } },
	{ SYS_chdir, { { 0, R, STRING } } },
	{ SYS_mkdir, { { 0, R, STRING } } },
	{ SYS_rmdir, { { 0, R, STRING } } },
	{ SYS_unlink, { { 0, R, STRING } } },
	{ SYS_unlinkat, { { 1, R, STRING } } },
	{ SYS_rename, { { 0, R, STRING }, { 1, R, STRING } } },
	{ SYS_link, { { 0, R, STRING }, { 1, R, STRING } } },
	{ SYS_symlink, { { 0, R, STRING }, { 1, R, STRING } } },
	{ SYS_chmod, { { 0, R, STRING } } },
	{ SYS_truncate, { { 0, R, STRING } } },
	{ SYS_getdents, { { 1, W, RESULT } } },
	{ SYS_getdents64, { { 1, W, RESULT } } },
	{ SYS_poll,
	  { { 0, R, ITEMS, ITEM(1, 8) }, { 0, W, ITEMS, ITEM(1, 8) } } },
	{ SYS_ppoll,
	  { { 0, R, ITEMS, ITEM(1, 8) },
	    { 2, R, FIXED, 16 },
	    { 3, R, FIXED, 8 },
	    { 0, W, ITEMS, ITEM(1, 8) } } },
	{ SYS_select,
	  { { 1, W, BITS, 0 },
	    { 2, W, BITS, 0 },
	    { 3, W, BITS, 0 },
	    { 4, W, FIXED, 16 } } },
	{ SYS_pselect6,
	  { { 1, W, BITS, 0 },
	    { 2, W, BITS, 0 },
	    { 3, W, BITS, 0 },
	    { 4, W, FIXED, 16 } } },
	{ SYS_epoll_ctl, { { 3, R, FIXED, 12 } } },
	{ SYS_epoll_wait, { { 1, W, RETURNED, 12 } } },
	{ SYS_epoll_pwait, { { 1, W, RETURNED, 12 } } },
	{ SYS_pipe, { { 0, W, FIXED, 8 } } },
	{ SYS_pipe2, { { 0, W, FIXED, 8 } } },
	{ SYS_socketpair, { { 3, W, FIXED, 8 } } },
	{ SYS_connect, { { 1, R, BY, 2 } } },
	{ SYS_bind, { { 1, R, BY, 2 } } },
	{ SYS_accept, { { 2, W, FIXED, 4 }, { 1, W, LENGTH_AT, 2 } } },
	{ SYS_accept4, { { 2, W, FIXED, 4 }, { 1, W, LENGTH_AT, 2 } } },
	{ SYS_getsockname, { { 2, W, FIXED, 4 }, { 1, W, LENGTH_AT, 2 } } },
	{ SYS_getpeername, { { 2, W, FIXED, 4 }, { 1, W, LENGTH_AT, 2 } } },
	{ SYS_setsockopt, { { 3, R, BY, 4 } } },
	{ SYS_getsockopt, { { 4, W, FIXED, 4 }, { 3, W, LENGTH_AT, 4 } } },
	{ SYS_sendto, { { 1, R, RESULT }, { 4, R, BY, 5 } } },
	{ SYS_recvfrom, { { 1, W, RESULT }, { 4, W, LENGTH_AT, 5 } } },
	{ SYS_sendmsg, { { 1, R, FIXED, 56 }, { 1, R, MESSAGE } } },
	{ SYS_recvmsg, { { 1, R, FIXED, 56 }, { 1, W, MESSAGE } } },
	{ SYS_rt_sigaction, { { 1, R, FIXED, 32 }, { 2, W, FIXED, 32 } } },
	{ SYS_rt_sigprocmask, { { 1, R, BY, 3 }, { 2, W, BY, 3 } } },
	{ SYS_rt_sigpending, { { 0, W, BY, 1 } } },
	{ SYS_rt_sigsuspend, { { 0, R, BY, 1 } } },
	{ SYS_rt_sigtimedwait,
	  { { 0, R, BY, 3 }, { 2, R, FIXED, 16 }, { 1, W, FIXED, 128 } } },
	{ SYS_sigaltstack, { { 0, R, FIXED, 24 }, { 1, W, FIXED, 24 } } },
	{ SYS_nanosleep, { { 0, R, FIXED, 16 } } },
	{ SYS_clock_nanosleep, { { 2, R, FIXED, 16 } } },
	{ SYS_clock_gettime, { { 1, W, FIXED, 16 } } },
	{ SYS_clock_getres, { { 1, W, FIXED, 16 } } },
	{ SYS_gettimeofday, { { 0, W, FIXED, 16 }, { 1, W, FIXED, 8 } } },
	{ SYS_time, { { 0, W, FIXED, 8 } } },
	{ SYS_times, { { 0, W, FIXED, 32 } } },
	{ SYS_getitimer, { { 1, W, FIXED, 32 } } },
	{ SYS_setitimer, { { 1, R, FIXED, 32 }, { 2, W, FIXED, 32 } } },
	{ SYS_getrusage, { { 1, W, FIXED, 144 } } },
	{ SYS_getrlimit, { { 1, W, FIXED, 16 } } },
	{ SYS_setrlimit, { { 1, R, FIXED, 16 } } },
	{ SYS_prlimit64, { { 2, R, FIXED, 16 }, { 3, W, FIXED, 16 } } },
	{ SYS_sysinfo, { { 0, W, FIXED, 112 } } },
	{ SYS_uname, { { 0, W, FIXED, 390 } } },
	{ SYS_wait4, { { 1, W, FIXED, 4 }, { 3, W, FIXED, 144 } } },
	{ SYS_waitid, { { 2, W, FIXED, 128 }, { 4, W, FIXED, 144 } } },
	{ SYS_getrandom, { { 0, W, RESULT } } },
	{ SYS_getgroups, { { 1, W, RETURNED, 4 } } },
	{ SYS_getresuid,
	  { { 0, W, FIXED, 4 }, { 1, W, FIXED, 4 }, { 2, W, FIXED, 4 } } },
	{ SYS_getresgid,
	  { { 0, W, FIXED, 4 }, { 1, W, FIXED, 4 }, { 2, W, FIXED, 4 } } },
	{ SYS_sched_getaffinity, { { 2, W, RESULT } } },
	{ SYS_sched_setaffinity, { { 2, R, BY, 1 } } },
	{ SYS_getcpu, { { 0, W, FIXED, 4 }, { 1, W, FIXED, 4 } } },
	{ SYS_get_robust_list, { { 1, W, FIXED, 8 }, { 2, W, FIXED, 8 } } },
	{ SYS_futex, { { 0, R, FIXED, 4 } } },
	{ SYS_clone3, { { 0, R, BY, 1 } } },
	{ SYS_memfd_create, { { 0, R, STRING } } },
	{ SYS_utimensat, { { 1, R, STRING }, { 2, R, FIXED, 32 } } },
	{ SYS_copy_file_range, { { 1, W, FIXED, 8 }, { 3, W, FIXED, 8 } } },
	{ SYS_sendfile, { { 2, W, FIXED, 8 } } },
};

static void
add(const struct syscall_target *target, enum event_type type, uint64_t address,
    uint64_t bytes)
{
	struct event *event;

	if (!address || !bytes)
		return;
	event = target->event(target->context, type);
	event->address = address;
	event->length = bytes;
}

static uint64_t
string_bytes(const struct syscall_target *target, uint64_t address)
{
	uint64_t bytes = 0;
	char text[256];

	while (address && bytes < PATH_BYTES) {
		size_t got = target->read(target->context, address + bytes,
					  text, sizeof(text));
		size_t n = strnlen(text, got);

		bytes += n;
		if (n < got)
			return bytes + 1;
		if (!got)
			break;
	}
	return bytes;
}

static void
add_vector(const struct syscall_target *target, enum event_type type,
	   uint64_t vector, uint64_t n, uint64_t bytes)
{
	for (uint64_t i = 0; i < n && bytes; i++) {
		struct iovec part;
		uint64_t length;

		if (target->read(target->context, vector + i * sizeof(part),
				 &part, sizeof(part)) != sizeof(part))
			return;
		length = part.iov_len < bytes ? part.iov_len : bytes;
		add(target, type, (uintptr_t)part.iov_base, length);
		bytes -= length;
	}
}

static void
add_message(const struct syscall_target *target, enum event_type type,
	    uint64_t address, uint64_t bytes)
{
	struct msghdr message;

	if (target->read(target->context, address, &message, sizeof(message)) !=
	    sizeof(message))
		return;
	add(target, EVENT_KERNEL_READ, (uintptr_t)message.msg_iov,
	    message.msg_iovlen * sizeof(struct iovec));
	add_vector(target, type, (uintptr_t)message.msg_iov, message.msg_iovlen,
		   bytes);
}

static void
add_buffer(const struct syscall_call *call, const struct syscall_target *target,
	   const struct buffer *buffer)
{
	uint64_t at = call->argument[buffer->argument];
	uint64_t result = call->result > 0 ? (uint64_t)call->result : 0;
	uint64_t bytes = 0;
	uint32_t stored;

	if (!at || (call->result < 0 && buffer->type == W))
		return;
	switch ((enum length)buffer->length) {
	case NOTHING:
		return;
	case FIXED:
		bytes = buffer->n;
		break;
	case BY:
		bytes = call->argument[buffer->n];
		break;
	case ITEMS:
		bytes = call->argument[buffer->n >> 16] * (buffer->n & 0xffff);
		break;
	case RESULT:
		bytes = result;
		break;
	case RETURNED:
		bytes = result * buffer->n;
		break;
	case STRING:
		bytes = call->string_end ? call->string_end - at
					 : string_bytes(target, at);
		if (bytes > PATH_BYTES)
			bytes = PATH_BYTES;
		break;
	case BITS:
		bytes = (call->argument[buffer->n] + 63) / 64 * 8;
		break;
	case LENGTH_AT:
		if (target->read(target->context, call->argument[buffer->n],
				 &stored, sizeof(stored)) == sizeof(stored))
			bytes = stored;
		break;
	case VECTOR:
		add_vector(target, buffer->type, at, call->argument[buffer->n],
			   result);
		return;
	case MESSAGE:
		add_message(target, buffer->type, at, result);
		return;
	}
	add(target, buffer->type, at, bytes);
}

void
syscall_buffers(const struct syscall_call *call,
		const struct syscall_target *target)
{
	if (call->result == -EFAULT)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].number != call->number)
			continue;
		for (int b = 0; b < BUFFERS; b++)
			add_buffer(call, target, &rows[i].buffer[b]);
		return;
	}
}

static enum syscall_needs
needs_of(const struct buffer *buffer)
{
	switch ((enum length)buffer->length) {
	case STRING:
		return buffer->argument ? SYSCALL_NEEDS_STRING_1
					: SYSCALL_NEEDS_STRING_0;
	case LENGTH_AT:
		return buffer->n == 5 ? SYSCALL_NEEDS_SOCKET
				      : SYSCALL_NEEDS_MORE;
	case VECTOR:
	case MESSAGE:
		return SYSCALL_NEEDS_MORE;
	default:
		return SYSCALL_NEEDS_NOTHING;
	}
}

enum syscall_needs
syscall_needs(uint64_t number)
{
	enum syscall_needs all = SYSCALL_NEEDS_NOTHING;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].number != number)
			continue;
		for (int b = 0; b < BUFFERS; b++) {
			enum syscall_needs one = needs_of(&rows[i].buffer[b]);

			if (one && all)
				return SYSCALL_NEEDS_MORE;
			all = one ? one : all;
		}
	}
	return all;
}
