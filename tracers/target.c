// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/target.h"
#include "analyzer/base.h"

#include <cpuid.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define SYS_RSEQ      334
#define SEIZE_WAIT_US 10000
#define SEIZE_TRIES   1000

#define READ_AHEAD_BYTES (UINT64_C(128) << 10)

int
target_each_thread(const char *who, pid_t pid,
		   int (*visit)(void *context, pid_t pid, pid_t tid),
		   void *context)
{
	char path[64];
	struct dirent *entry;
	DIR *threads;
	int got = 0, found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		return fail(ESRCH, "%s: no process %d", who, (int)pid);
	while (got >= 0 && (entry = readdir(threads))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		got = visit(context, pid, tid);
		found |= got > 0;
	}
	closedir(threads);
	return got < 0 ? got : found;
}

void
target_cpuid(struct user_regs_struct *registers, unsigned length)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid_count((unsigned)registers->rax, (unsigned)registers->rcx, eax,
		      ebx, ecx, edx);
	registers->rax = eax;
	registers->rbx = ebx;
	registers->rcx = ecx;
	registers->rdx = edx;
	registers->rip += length;
}

/* What process_vm_readv may not read (execute-only code), ptrace may */
static size_t
peek(pid_t tid, uint64_t address, uint8_t *to, size_t n_bytes)
{
	size_t done = 0;

	while (done < n_bytes) {
		unsigned long int word;
		size_t n = n_bytes - done;

		errno = 0;
		word = (unsigned long int)ptrace(PTRACE_PEEKDATA, tid,
						 address + done, NULL);
		if (errno)
			break;
		if (n > sizeof(word))
			n = sizeof(word);
		memcpy(to + done, &word, n);
		done += n;
	}
	return done;
}

size_t
target_read(pid_t tid, uint64_t address, void *to, size_t n_bytes)
{
	/* Cut at a page boundary: what is before it is had also when what is
	 * behind it is not there. */
	size_t first = 4096 - (address & 4095);
	struct iovec local = { to, n_bytes };
	struct iovec remote[2] = {
		{ (void *)(uintptr_t)address,
		  n_bytes < first ? n_bytes : first },
		{ (void *)(uintptr_t)(address + first),
		  n_bytes < first ? 0 : n_bytes - first },
	};
	ssize_t got = process_vm_readv(tid, &local, 1, remote, 2, 0);

	return got > 0 ? (size_t)got : peek(tid, address, to, n_bytes);
}

void
target_write(pid_t tid, uint64_t address, const void *from, size_t n_bytes)
{
	struct iovec local = { (void *)(uintptr_t)from, n_bytes };
	struct iovec remote = { (void *)(uintptr_t)address, n_bytes };

	process_vm_writev(tid, &local, 1, &remote, 1, 0);
}

/* Without stdio and malloc: also after the recorder was killed, maybe with
 * their locks */
bool
target_status(pid_t tid, const char *name, char *text, size_t bytes)
{
	char path[64], status[8192], *at, *end;
	size_t length = strlen(name);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, status, sizeof(status) - 1);
	close(fd);
	status[n > 0 ? n : 0] = '\0';
	for (at = status; *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		if (strncmp(at, name, length) != 0 || at[length] != ':')
			continue;
		*end = '\0';
		at += length + 1;
		snprintf(text, bytes, "%s", at + strspn(at, " \t"));
		return true;
	}
	return false;
}

uint64_t
target_signal_set(pid_t tid, const char *name)
{
	char text[32];

	return target_status(tid, name, text, sizeof(text))
		       ? strtoull(text, NULL, 16)
		       : 0;
}

/* Who traces it: 0 for nobody; its name. */
static pid_t
tracer_of(pid_t tid, char *name, size_t bytes)
{
	char text[16] = "";
	pid_t tracer = 0;

	*name = '\0';
	if (target_status(tid, "TracerPid", text, sizeof(text)))
		tracer = (pid_t)strtol(text, NULL, 10);
	if (tracer)
		target_status(tracer, "Name", name, bytes);
	return tracer;
}

/* Is it a guardian without its recorder? */
static bool
lets_go(pid_t tracer, const char *name)
{
	char text[16] = "", parent[16] = "";

	return tracer && !strcmp(name, "pgscope-guard") &&
	       target_status(tracer, "PPid", text, sizeof(text)) &&
	       target_status((pid_t)strtol(text, NULL, 10), "Name", parent,
			     sizeof(parent)) &&
	       strcmp(parent, "pagescope") != 0;
}

int
target_seize(pid_t tid, unsigned long options)
{
	char name[16];

	for (unsigned tries = 0;; tries++) {
		int error;

		if (!ptrace(PTRACE_SEIZE, tid, NULL, (void *)options))
			break;
		error = errno;
		if (error != EPERM || tries == SEIZE_TRIES ||
		    !lets_go(tracer_of(tid, name, sizeof(name)), name))
			return -error;
		usleep(SEIZE_WAIT_US);
	}
	return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ? -errno : 0;
}

int
target_seize_failed(const char *who, pid_t tid, int error)
{
	char name[16];
	pid_t tracer = tracer_of(tid, name, sizeof(name));

	if (error == -EPERM && tracer)
		return fail(EPERM,
			    "%s: cannot trace process %d: process %d (%s) "
			    "traces it already",
			    who, (int)tid, (int)tracer, name);
	return fail_errno(-error, "%s: cannot trace process %d", who, (int)tid);
}

void
target_kernel_access(struct target *target, enum event_type type,
		     uint64_t address, uint64_t length)
{
	struct event *event = target->event(target->context, type);

	event->address = address;
	event->length = length;
}

struct cached {
	struct target *target;
	uint32_t file;
};

static void
tell_cached(void *context, const struct event *cached)
{
	const struct cached *of = context;
	struct event *event =
		of->target->event(of->target->context, EVENT_CACHED);

	event->offset = cached->offset;
	event->length = cached->length;
	event->value = cached->value;
	event->extra = cached->extra;
	event->flags = cached->flags;
	event->file = of->file;
}

/* The page cache as it is when the file is mapped; nothing is told of what
 * cannot be looked at. */
static void
file_mapped(void *context, uint32_t file, uint64_t offset, uint64_t length)
{
	struct cached cached = { context, file };
	struct page_cache_range range = { .offset = offset, .length = length };

	if (file != UINT32_MAX &&
	    files_unseen(cached.target->files, file, &range))
		page_cache_look(&range, tell_cached, &cached);
}

/* Where a descriptor is now, as /proc says; UINT64_MAX: it does not. */
static uint64_t
position_of(pid_t tid, int descriptor)
{
	char path[64], text[128], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)tid,
		 descriptor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UINT64_MAX;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "pos:");
	return at ? strtoull(at + 4, NULL, 10) : UINT64_MAX;
}

/*
 * The page cache of a file that is mapped, or was, after a read or write of it, and
 * what may have been read ahead of it.
 */
static void
file_filled(void *context, int descriptor, uint64_t offset, uint64_t length)
{
	struct target *target = context;
	struct cached cached = { target, UINT32_MAX };
	struct page_cache_range range = { .offset = 0, .length = UINT64_MAX };
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)target->tid,
		 descriptor);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return;
	path[n] = '\0';
	if (!files_seen(target->files, path, &cached.file, &range))
		return;
	if (offset == UINT64_MAX) {
		offset = position_of(target->tid, descriptor);
		if (offset == UINT64_MAX || offset < length)
			return;
		offset -= length;
	}
	range.offset = offset & ~UINT64_C(4095);
	range.length = offset + length + READ_AHEAD_BYTES - range.offset;
	if (files_seen(target->files, path, &cached.file, &range))
		page_cache_look(&range, tell_cached, &cached);
}

int
target_map_event(struct target *target, const struct mapping_line *line,
		 uint16_t flags)
{
	struct event *event;
	uint32_t file = UINT32_MAX;

	/* Not the program's: the kernel's own page above user space */
	if (line->start >> 47)
		return 0;
	if (line->path[0] &&
	    files_number(target->files, line->path, line->inode, &file)) {
		target->failed = true;
		return 1;
	}
	if (line->flags & MAP_FLAG_FILE)
		file_mapped(target, file, line->offset,
			    line->end - line->start);
	event = target->event(target->context, EVENT_MAP);
	event->address = line->start;
	event->length = line->end - line->start;
	event->offset = line->flags & MAP_FLAG_FILE ? line->offset : 0;
	event->flags = line->flags | flags;
	event->file = file;
	return 0;
}

static int
initial_map(void *context, const struct mapping_line *line)
{
	return target_map_event(context, line, MAP_FLAG_INITIAL);
}

void
target_initial_maps(struct target *target)
{
	maps_each(target->pid, initial_map, target);
}

static struct event *
add_event(void *context, enum event_type type)
{
	struct target *target = context;

	return target->event(target->context, type);
}

static size_t
read_target(void *context, uint64_t address, void *to, size_t n_bytes)
{
	const struct target *target = context;

	return target_read(target->tid, address, to, n_bytes);
}

static uint32_t
name_number(void *context, const char *name)
{
	struct target *target = context;
	uint32_t number = UINT32_MAX;

	if (files_number(target->files, name, 0, &number))
		target->failed = true;
	return number;
}

static uint32_t
file_number(void *context, int descriptor)
{
	struct target *target = context;
	uint32_t number = UINT32_MAX;
	char link[64], path[4096];
	struct stat about = { 0 };
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)target->tid,
		 descriptor);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return number;
	path[n] = '\0';
	if (stat(link, &about))
		about.st_ino = 0;
	if (files_number(target->files, path, about.st_ino, &number))
		target->failed = true;
	return number;
}

struct range {
	struct target *target;
	uint64_t start, end;
	uint64_t inode, found; /* of a System V segment; its bytes */
};

static int
map_in_range(void *context, const struct mapping_line *line)
{
	struct range *range = context;
	struct mapping_line cut = *line;

	if (line->end <= range->start || line->start >= range->end)
		return 0;
	if (cut.start < range->start) {
		cut.offset += range->start - cut.start;
		cut.start = range->start;
	}
	if (cut.end > range->end)
		cut.end = range->end;
	return target_map_event(range->target, &cut, 0);
}

static void
mapped(void *context, uint64_t address, uint64_t length)
{
	struct range range = { context, address, address + length, 0, 0 };

	maps_each(range.target->pid, map_in_range, &range);
}

static int
segment_line(void *context, const struct mapping_line *line)
{
	struct range *range = context;

	if (line->start == range->start)
		range->inode = line->inode;
	else if (line->start != range->end || line->inode != range->inode)
		return 0;
	range->end = line->end;
	range->found = range->end - range->start;
	return 0;
}

static uint64_t
segment(void *context, uint64_t address)
{
	struct range range = { context, address, 0, UINT64_MAX, 0 };

	maps_each(range.target->pid, segment_line, &range);
	return range.found;
}

struct syscall_target
target_of_calls(struct target *target)
{
	return (struct syscall_target){
		.event = add_event,
		.read = read_target,
		.file = file_number,
		.name = name_number,
		.mapped = mapped,
		.segment = segment,
		.cached = file_mapped,
		.filled = file_filled,
		.context = target,
	};
}

/* The extended state at the end of a frame says how long it is:
 * sw_reserved at 464 of the legacy area */
static uint64_t
frame_bytes(pid_t tid, uint64_t frame, uint64_t pointer_at)
{
	uint64_t state = 0;
	uint32_t magic[2] = { 0 }, bytes = 512;

	target_read(tid, pointer_at, &state, sizeof(state));
	if (state <= frame || state - frame > 65536)
		return 0;
	target_read(tid, state + 464, magic, sizeof(magic));
	if (magic[0] == 0x46505853 && magic[1] < 65536)
		bytes = magic[1];
	return state + bytes - frame;
}

#define FPREGS_IN_UCONTEXT (40 + 184)

void
target_frame_written(struct target *target,
		     const struct user_regs_struct *registers)
{
	/* Return address, ucontext (rdx), siginfo and the extended state */
	uint64_t bytes = frame_bytes(target->tid, registers->rsp,
				     registers->rdx + FPREGS_IN_UCONTEXT);

	if (bytes)
		target_kernel_access(target, EVENT_KERNEL_WRITE, registers->rsp,
				     bytes);
}

void
target_frame_read(struct target *target,
		  const struct user_regs_struct *registers)
{
	/* rt_sigreturn's stack pointer is past the return address */
	uint64_t frame = registers->rsp - 8;
	uint64_t bytes =
		frame_bytes(target->tid, frame, frame + 8 + FPREGS_IN_UCONTEXT);

	if (bytes)
		target_kernel_access(target, EVENT_KERNEL_READ, frame, bytes);
}

bool
target_forbids(const struct syscall_call *call)
{
	const uint64_t unregister = 1;

	return call->number == SYS_RSEQ && !(call->argument[2] & unregister);
}

bool
target_gains_rights(pid_t tid, const struct syscall_call *call)
{
	char path[4096], name[4200];
	uint64_t at = call->argument[call->number == SYS_execveat];
	struct stat about;
	size_t n;

	if (geteuid() == 0)
		return false;
	n = target_read(tid, at, path, sizeof(path));
	if (!memchr(path, '\0', n))
		return false;
	snprintf(name, sizeof(name), "/proc/%d/%s%s", (int)tid,
		 path[0] == '/' ? "root" : "cwd/", path);
	if (stat(name, &about) || access(name, X_OK))
		return false;
	if (about.st_mode & S_ISUID && about.st_uid != geteuid())
		return true;
	if (about.st_mode & S_ISGID && about.st_mode & S_IXGRP &&
	    about.st_gid != getegid())
		return true;
	return getxattr(name, "security.capability", NULL, 0) > 0;
}

/* Of a child of ours, as a container's filter may forbid: 0 or the errno */
static int
try_to_trace(void)
{
	pid_t child = fork();
	int error = 0;

	if (child < 0)
		return errno;
	if (!child)
		for (;;)
			pause();
	if (ptrace(PTRACE_SEIZE, child, NULL, NULL))
		error = errno;
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return error;
}

int
target_probe(char *why, size_t why_bytes)
{
	char scope[8] = "";
	int error;
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

	if (file) {
		if (!fgets(scope, sizeof(scope), file))
			scope[0] = '\0';
		fclose(file);
	}
	if (scope[0] == '3') {
		snprintf(
			why, why_bytes,
			"ptrace is forbidden until the next boot (kernel.yama.ptrace_scope is 3)");
		return -EPERM;
	}
	if (scope[0] == '2' && geteuid()) {
		snprintf(
			why, why_bytes,
			"ptrace is root's alone here: sysctl kernel.yama.ptrace_scope=1");
		return -EPERM;
	}
	error = try_to_trace();
	if (error)
		snprintf(
			why, why_bytes,
			"ptrace is not permitted here (%s): in a container, start it with --cap-add=SYS_PTRACE",
			strerror(error));
	return -error;
}
