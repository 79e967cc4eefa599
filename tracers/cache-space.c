// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One memory file, mapped whole by us and by the target.  It is made in the
 * target, by a call of its own, and its descriptor there is closed at once: a
 * further mapping of the same pages comes from mremap of nothing (old length
 * 0), which copies a shared mapping.  So the program finds no descriptor.
 *
 *	0        code arenas, 64 MiB each; the target runs copies of them that
 *	         are mapped near its code
 *	TABLE    the table for indirect branches; copied into each area
 *	LEVEL2   the larger one
 *	AREAS    one for each thread, cache-layout.h
 *
 * In the window itself only areas and the larger table are accessible.
 */
#include "tracers/cache-engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/cache-stub.h"
#include "tracers/wide.h"

#define TABLE_AT  ((uint64_t)ARENAS_MAX * ARENA_BYTES)
#define LEVEL2_AT (TABLE_AT + TABLE_BYTES)
/* Of all larger tables: each is less than half of the next */
#define LEVEL2_BYTES (((UINT64_C(2) << LEVEL2_BITS) + 8 * LEVEL2_SLACK) * 32)
#define AREAS_AT     (TABLE_AT + (UINT64_C(64) << 20))
#define MEMORY_BYTES (AREAS_AT + AREAS_MAX * (uint64_t)AREA_BYTES)
/*
 * Where the kernel puts nothing by itself, below what it hands out downwards,
 * and where the sanitizers (address, thread, memory) take a mapping for the
 * program's: elsewhere they map their shadow over what is there, or end.
 */
#define WINDOW_FIRST UINT64_C(0x7e9000000000)
#define WINDOW_STEP  UINT64_C(0x010000000000) /* downwards */
#define WINDOW_TRIES 64
#define NAME_BELOW   1024 /* the red zone and some more */

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif

struct call {
	long int number;
	uint64_t argument[6];
};

/* The call's own error or the engine's */
static int
call(const struct cache_space *space, struct cache_thread *thread,
     const struct call *what, int64_t *result)
{
	int error = remote_call(thread, space->gadget, what->number,
				what->argument, result);

	if (error)
		return error;
	return *result < 0 && *result >= -4095 ? (int)*result : 0;
}

static int
call_map(const struct cache_space *space, struct cache_thread *thread,
	 long int number, const uint64_t argument[6])
{
	struct call what = { .number = number };
	int64_t result;

	memcpy(what.argument, argument, sizeof(what.argument));
	return call(space, thread, &what, &result);
}

/* memfd_create in the target; its name stands below the stack for a moment */
static int
make_file(struct cache_space *space, struct cache_thread *thread, int *theirs)
{
	static const char name[16] = "pagescope";
	uint64_t at = (thread->registers.rsp - NAME_BELOW) & ~UINT64_C(15);
	struct call what = { SYS_memfd_create, { at, MFD_CLOEXEC } };
	char old[16] = "", path[64];
	int64_t result;
	int error;

	if (target_read(thread->tid, at, old, sizeof(old)) != sizeof(old))
		return -EFAULT;
	target_write(thread->tid, at, name, sizeof(name));
	error = call(space, thread, &what, &result);
	target_write(thread->tid, at, old, sizeof(old));
	if (error)
		return error;
	*theirs = (int)result;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)thread->tid,
		 *theirs);
	space->memory = open(path, O_RDWR | O_CLOEXEC);
	if (space->memory < 0 || ftruncate(space->memory, MEMORY_BYTES))
		return -errno;
	return 0;
}

static void
note_own(struct cache_space *space, uint64_t start, uint64_t bytes)
{
	struct cache_engine *engine = space->engine;

	if (engine->n_own == OWN_MAX)
		return;
	engine->own[engine->n_own] =
		(struct cache_own){ space->pid, start, bytes };
	__atomic_store_n(&engine->n_own, engine->n_own + 1, __ATOMIC_RELEASE);
}

bool
space_owns(const struct cache_engine *engine, pid_t pid, uint64_t address)
{
	unsigned n = __atomic_load_n(&engine->n_own, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++)
		if (address - engine->own[i].start < engine->own[i].bytes &&
		    engine->own[i].pid == pid)
			return true;
	return false;
}

bool
space_overlaps(const struct cache_space *space, uint64_t start, uint64_t bytes)
{
	const struct cache_code *code = space->code;

	if (start < space->window + MEMORY_BYTES &&
	    start + bytes > space->window)
		return true;
	for (unsigned i = 0; code && i < code->n_arenas; i++)
		if (start < code->arena[i].address + ARENA_BYTES &&
		    start + bytes > code->arena[i].address)
			return true;
	return false;
}

static int
map_window(struct cache_space *space, struct cache_thread *thread, int theirs)
{
	struct call what = { SYS_mmap,
			     { WINDOW_FIRST, MEMORY_BYTES, PROT_NONE,
			       MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			       (uint64_t)theirs, 0 } };
	int64_t result;
	int error = -ENOMEM;

	for (int i = 0; i < WINDOW_TRIES; i++) {
		error = call(space, thread, &what, &result);
		if (error != -EEXIST)
			break;
		what.argument[0] -= WINDOW_STEP;
	}
	if (error)
		return error;
	space->window = (uint64_t)result;
	note_own(space, space->window, MEMORY_BYTES);
	error = call_map(space, thread, SYS_madvise,
			 (uint64_t[6]){ space->window, MEMORY_BYTES,
					MADV_DONTFORK });
	if (error)
		return error;
	return call_map(space, thread, SYS_mprotect,
			(uint64_t[6]){ space->window + LEVEL2_AT,
				       (LEVEL2_BYTES + 4095) & ~UINT64_C(4095),
				       PROT_READ | PROT_WRITE });
}

/* Another mapping of `bytes` of the window's memory from `from` on, at `to` */
static int
copy_mapping(const struct cache_space *space, struct cache_thread *thread,
	     uint64_t from, uint64_t to, uint64_t bytes)
{
	return call_map(space, thread, SYS_mremap,
			(uint64_t[6]){ space->window + from, 0, bytes,
				       MREMAP_MAYMOVE | MREMAP_FIXED, to });
}

#define ARENA_NEARER UINT64_C(0x4000000)
#define LARGE	     UINT64_C(0x200000) /* pages: what they may be mapped by */

struct gap {
	uint64_t pc, wanted, bytes;
	uint64_t before; /* end of the last mapping seen */
	uint64_t heap, heap_end;
	uint64_t best;
};

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The free place nearest to `wanted` so far */
static void
look_at_gap(struct gap *gap, uint64_t start, uint64_t end)
{
	uint64_t at;

	if (end > gap->heap && start < gap->heap_end) {
		if (start < gap->heap)
			look_at_gap(gap, start, gap->heap & ~(LARGE - 1));
		if (end > gap->heap_end)
			look_at_gap(gap, gap->heap_end, end);
		return;
	}
	if (end < start + gap->bytes)
		return;
	at = gap->wanted;
	if (at < start)
		at = start;
	if (at > end - gap->bytes)
		at = end - gap->bytes;
	/* Code further on is to reach it too */
	if (distance(at, gap->pc) > ARENA_REACH - ARENA_NEARER)
		return;
	if (!gap->best ||
	    distance(at, gap->wanted) < distance(gap->best, gap->wanted))
		gap->best = at;
}

static int
gap_line(void *context, const struct mapping_line *line)
{
	struct gap *gap = context;

	if (line->start >> 47)
		return 0;
	look_at_gap(gap, gap->before, line->start & ~(LARGE - 1));
	gap->before = (line->end + LARGE - 1) & ~(LARGE - 1);
	return 0;
}

#define LOWEST	     UINT64_C(0x1000000)
#define ARENA_BEYOND UINT64_C(0x30000000)
#define HEAP_ROOM    UINT64_C(0x40000000)
#define START_BRK    47 /* field of /proc/PID/stat */

/* Where brk(2) began, which the kernel chooses at random; 0: not known */
static uint64_t
heap_start(pid_t pid)
{
	char path[64], text[2048];
	const char *at;
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	/* The second field is a name, in which anything may stand */
	at = strrchr(text, ')');
	for (int field = 2; at && field < START_BRK; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/*
 * A place for an arena, some way below the code: the kernel hands out addresses
 * downwards from the libraries, and the heap grows upwards from the program.
 * Below a program at a fixed low address there is no room; then it stands as
 * far above as it may, or just below the heap.
 */
static uint64_t
arena_place(pid_t tid, uint64_t pc)
{
	struct gap gap = { .pc = pc, .bytes = ARENA_BYTES, .before = LOWEST };

	pc &= ~UINT64_C(0x1fffff);
	gap.wanted = pc > ARENA_BEYOND + LOWEST
			     ? pc - ARENA_BEYOND
			     : pc + ARENA_REACH - ARENA_NEARER;
	gap.heap = heap_start(tid);
	gap.heap_end = gap.heap ? gap.heap + HEAP_ROOM : 0;
	if (maps_each(tid, gap_line, &gap))
		return 0;
	look_at_gap(&gap, gap.before, UINT64_C(1) << 47);
	return gap.best;
}

static int
make_arena(void *context, uint64_t pc, struct cache_arena *arena)
{
	struct cache_space *space = context;
	struct cache_thread *thread = space->caller;
	uint64_t from = (uint64_t)space->arenas * ARENA_BYTES, at = 0;
	int error = -ENOSPC;
	bool mapped;

	if (!space->no_room || distance(space->no_room, pc) > ARENA_NEARER)
		at = arena_place(thread->tid, pc);
	if (at)
		error = copy_mapping(space, thread, from, at, ARENA_BYTES);
	mapped = !error;
	if (!error)
		error = call_map(space, thread, SYS_mprotect,
				 (uint64_t[6]){ at, ARENA_BYTES,
						PROT_READ | PROT_EXEC });
	if (!error)
		error = call_map(space, thread, SYS_madvise,
				 (uint64_t[6]){ at, ARENA_BYTES,
						MADV_DONTFORK });
	if (error == -ESRCH)
		return error;
	if (error && mapped)
		call_map(space, thread, SYS_munmap,
			 (uint64_t[6]){ at, ARENA_BYTES });
	if (error) {
		space->refused = refusal_of(error);
		space->no_room = pc;
		return error;
	}
	*arena = (struct cache_arena){
		.memory = space->view + from,
		.address = at,
		.used = (size_t)(cache_stub_end - cache_stub),
	};
	memcpy(arena->memory, cache_stub, arena->used);
	note_own(space, at, ARENA_BYTES);
	if (!space->arenas++)
		space->gadget = at + (uint64_t)(cache_stub_call - cache_stub);
	return 0;
}

static size_t
peek(void *context, uint64_t address, void *to, size_t n_bytes)
{
	const struct cache_space *space = context;

	return target_read(space->pid, address, to, n_bytes);
}

/* Pages that the target can't write are kept until mappings change. */
static size_t
read_code(void *context, uint64_t pc, void *to, size_t n_bytes)
{
	struct cache_space *space = context;
	uint64_t page = pc & ~UINT64_C(4095);
	struct cache_page *kept = &space->kept[page >> 12 & (KEPT_PAGES - 1)];
	size_t n = 4096 - (pc & 4095);

	if (kept->page != page || !page) {
		if (protect_is_writable(space, page) ||
		    target_read(space->pid, page, kept->bytes, 4096) != 4096) {
			kept->page = 0;
			return peek(space, pc, to, n_bytes);
		}
		kept->page = page;
	}
	if (n > n_bytes)
		n = n_bytes;
	memcpy(to, kept->bytes + (pc & 4095), n);
	return n == n_bytes ? n
			    : n + read_code(space, pc + n, (char *)to + n,
					    n_bytes - n);
}

static uint64_t
area_offset(int area)
{
	return AREAS_AT + (uint64_t)area * AREA_BYTES;
}

static void
set_slot(struct cache_space *space, int area, unsigned slot, uint64_t value)
{
	uint8_t *at = space->view + area_offset(area) + slot;

	__atomic_store_n((uint64_t *)(void *)at, value, __ATOMIC_RELEASE);
}

static void
set_tables(struct cache_space *space, int area)
{
	const struct cache_code *code = space->code;

	set_slot(space, area, GS_MASK, (UINT64_C(1) << code->table_bits) - 1);
	set_slot(space, area, GS_LEVEL2,
		 space->window + LEVEL2_AT + code->level2_at);
	set_slot(space, area, GS_LEVEL2_MASK,
		 (UINT64_C(1) << code->level2_bits) - 1);
}

static void
tables_grown(void *context)
{
	struct cache_space *space = context;

	for (int i = 0; i < AREAS_MAX; i++)
		if (space->area_used[i])
			set_tables(space, i);
}

static int
make_code(struct cache_space *space, struct cache_thread *thread)
{
	const struct cache_code_methods methods = {
		.arena = make_arena,
		.read = read_code,
		.peek = peek,
		.page = protect_page,
		.grown = tables_grown,
		.context = space,
	};
	struct cache_code *code;
	int error = cache_code_open(&code, &methods);

	if (error)
		return error;
	space->code = code;
	code->data = space->engine->setup.kinds & TRACER_DATA;
	code->bytes_max = space->engine->setup.code_bytes;
	code->table = (uint64_t *)(void *)(space->view + TABLE_AT);
	code->level2 = (uint64_t *)(void *)(space->view + LEVEL2_AT);
	error = make_arena(space, thread->registers.rip, &code->arena[0]);
	if (error)
		return error;
	code->n_arenas = 1;
	link_tables(code);
	return 0;
}

void
space_unmap(struct cache_space *space, struct cache_thread *thread)
{
	unsigned arenas = space->code ? space->code->n_arenas : 0;
	uint64_t gadget;
	int64_t ignored;

	/* Ours goes with the first arena */
	if (remote_gadget(thread, &gadget))
		return;
	if (arenas)
		protect_end(space, thread);
	for (unsigned i = 0; i < arenas; i++)
		if (remote_call(thread, gadget, SYS_munmap,
				(uint64_t[6]){ space->code->arena[i].address,
					       ARENA_BYTES },
				&ignored))
			return;
	if (space->window)
		remote_call(thread, gadget, SYS_munmap,
			    (uint64_t[6]){ space->window, MEMORY_BYTES },
			    &ignored);
}

static bool
implies_exec(pid_t pid)
{
	unsigned long int set = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/personality", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (fscanf(file, "%lx", &set) != 1)
		set = READ_IMPLIES_EXEC;
	fclose(file);
	return set & READ_IMPLIES_EXEC;
}

/* Ours of it all, where large pages can be mapped as such */
static int
map_view(struct cache_space *space)
{
	uint8_t *room =
		mmap(NULL, MEMORY_BYTES + LARGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (room == MAP_FAILED)
		return -errno;
	before = -(uintptr_t)room & (LARGE - 1);
	if (mmap(room + before, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_NORESERVE | MAP_FIXED, space->memory,
		 0) == MAP_FAILED) {
		int error = -errno;

		munmap(room, MEMORY_BYTES + LARGE);
		return error;
	}
	if (before)
		munmap(room, before);
	munmap(room + before + MEMORY_BYTES, LARGE - before);
	space->view = room + before;
	return 0;
}

int
space_open(struct cache_space **out, struct cache_engine *engine,
	   struct cache_thread *thread)
{
	struct cache_space *space = calloc(1, sizeof(*space));
	int theirs = -1, error;
	int64_t ignored;

	if (!space)
		return fail(ENOMEM, "cache: no memory");
	space->engine = engine;
	space->pid = thread->process->pid;
	space->caller = thread;
	space->memory = -1;
	space->implies_exec = implies_exec(space->pid);
	error = remote_gadget(thread, &space->gadget);
	if (!error)
		error = make_file(space, thread, &theirs);
	if (!error)
		error = map_window(space, thread, theirs);
	if (theirs >= 0) {
		const struct call what = { SYS_close, { (uint64_t)theirs } };
		int closing = call(space, thread, &what, &ignored);

		error = error ? error : closing;
	}
	if (error)
		goto unmap;
	error = map_view(space);
	if (error)
		goto unmap;
	/* Another process closes the space */
	close(space->memory);
	space->memory = -1;
	error = make_code(space, thread);
	if (error)
		goto unmap;
	*out = space;
	return 0;
unmap:
	if (error != -ESRCH)
		space_unmap(space, thread);
	space_close(space);
	return error;
}

void
space_close(void *what)
{
	struct cache_space *space = what;

	cache_code_close(space->code);
	free(space->writable);
	free(space->protected);
	if (space->view)
		munmap(space->view, MEMORY_BYTES);
	if (space->memory >= 0)
		close(space->memory);
	free(space);
}

static int
find_area(struct cache_space *space)
{
	for (int i = 0; i < AREAS_MAX; i++)
		if (!space->area_used[i])
			return i;
	return -1;
}

/* The state's page, the table, and the buffers between their guards */
static int
map_area(struct cache_space *space, struct cache_thread *thread, int area,
	 uint64_t at)
{
	const uint64_t rights = PROT_READ | PROT_WRITE;
	int error = call_map(space, thread, SYS_mprotect,
			     (uint64_t[6]){ at, GS_TABLE, rights });

	if (!error)
		error = copy_mapping(space, thread, TABLE_AT, at + GS_TABLE,
				     TABLE_BYTES);
	if (!error)
		error = call_map(space, thread, SYS_mprotect,
				 (uint64_t[6]){ at + GS_TABLE, TABLE_BYTES,
						rights });
	if (!error)
		error = call_map(space, thread, SYS_madvise,
				 (uint64_t[6]){ at + GS_TABLE, TABLE_BYTES,
						MADV_DONTFORK });
	if (!error)
		error = call_map(space, thread, SYS_mprotect,
				 (uint64_t[6]){ at + GS_RETURNS, RETURN_BYTES,
						rights });
	for (unsigned i = 0; i < BUFFERS && !error; i++) {
		uint64_t buffer = at + GS_BUFFERS +
				  i * (uint64_t)(BUFFER_BYTES + GUARD_BYTES);

		error = call_map(space, thread, SYS_mprotect,
				 (uint64_t[6]){ buffer, records_bytes(area),
						rights });
	}
	return error;
}

static void
forget_returns(struct cache_space *space, int area)
{
	uint8_t *at = space->view + area_offset(area) + GS_RETURNS;
	uint64_t miss = link_return_miss(space->code);
	uint64_t *entry = (uint64_t *)(void *)at;

	wide_touch(at, RETURN_BYTES);
	for (size_t i = 0; i < RETURNS; i++)
		entry[i] = miss;
}

void
space_forget_returns(struct cache_space *space)
{
	for (int i = 0; i < AREAS_MAX; i++)
		if (space->area_used[i])
			forget_returns(space, i);
}

int
space_join(struct cache_space *space, struct cache_thread *thread)
{
	int area = find_area(space), error;
	uint64_t at;

	if (area < 0)
		return -EUSERS;
	at = space->window + area_offset(area);
	error = map_area(space, thread, area, at);
	if (error)
		return error;
	space->area_used[area] = true;
	space->users++;
	for (unsigned i = 0; i < BUFFERS; i++)
		queue_await(space->engine->queue, &space->pending[area][i],
			    NULL);
	thread->area = area;
	thread->area_address = at;
	thread->view = space->view + area_offset(area);
	calls_set(thread->view, space->n_protected > 0);
	set_tables(space, area);
	forget_returns(space, area);
	records_begin(thread);
	return 0;
}

void
space_careful(struct cache_space *space)
{
	for (int i = 0; i < AREAS_MAX; i++)
		if (space->area_used[i])
			calls_set(space->view + area_offset(i), true);
}

void
space_leave(struct cache_space *space, struct cache_thread *thread)
{
	if (thread->area < 0)
		return;
	space->area_used[thread->area] = false;
	thread->area = -1;
	space->users--;
}
