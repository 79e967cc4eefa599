// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libpagescope-heap.so: loaded before a program's own allocator (LD_PRELOAD), it
 * tells the trace what that gives out and takes back, by stores to one page that
 * every engine records (analyzer/heap-notes.h).
 *
 *	malloc(n) -> the allocator's malloc(n) -> note: where, n, who called
 *
 * It has no lock and keeps nothing; while the allocator is being looked for,
 * what asks gets pieces of a small arena that is never taken back.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "analyzer/heap-notes.h"

#define EXPORT __attribute__((visibility("default")))
#define ARENA  65536u

static struct {
	void *(*malloc)(size_t bytes);
	void *(*calloc)(size_t n, size_t bytes);
	void *(*realloc)(void *old, size_t bytes);
	void (*free)(void *old);
	void *(*aligned_alloc)(size_t alignment, size_t bytes);
	int (*posix_memalign)(void **out, size_t alignment, size_t bytes);
	void *(*memalign)(size_t alignment, size_t bytes);
	void *(*valloc)(size_t bytes);
	void *(*pvalloc)(size_t bytes);
	void *(*new_one)(size_t bytes);
	void *(*new_many)(size_t bytes);
} next;

static volatile unsigned char *page; /* NULL: there is none */
static int ready;		     /* next.* are known */
static _Alignas(16) char arena[ARENA];
static size_t arena_used;
/* The caller of operator new, whose malloc this is, and that operator's frame:
 * what runs below it on the stack is its own.  (bad_alloc leaves them behind.) */
static __thread const void *caller __attribute__((tls_model("initial-exec")));
static __thread const char *frame __attribute__((tls_model("initial-exec")));

static int
is_inside(void)
{
	return caller && (const char *)__builtin_frame_address(0) < frame;
}

static void
find(void *to, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(to, &symbol, sizeof(symbol));
}

static void
start(void)
{
	static int starting;
	void *at;

	if (ready || starting)
		return;
	starting = 1;
	find(&next.malloc, "malloc");
	find(&next.calloc, "calloc");
	find(&next.realloc, "realloc");
	find(&next.free, "free");
	find(&next.aligned_alloc, "aligned_alloc");
	find(&next.posix_memalign, "posix_memalign");
	find(&next.memalign, "memalign");
	find(&next.valloc, "valloc");
	find(&next.pvalloc, "pvalloc");
	find(&next.new_one, "_Znwm");
	find(&next.new_many, "_Znam");
	at = mmap((void *)HEAP_NOTES_ADDRESS, HEAP_NOTES_BYTES,
		  PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	/* taken: then there are no notes */
	if (at == (void *)HEAP_NOTES_ADDRESS)
		page = at;
	else if (at != MAP_FAILED)
		munmap(at, HEAP_NOTES_BYTES);
	ready = 1;
}

__attribute__((constructor)) static void
load(void)
{
	start();
}

static void *
arena_take(size_t bytes)
{
	size_t at = arena_used;

	bytes = (bytes + 15) & ~(size_t)15;
	if (bytes > ARENA - at)
		return NULL;
	arena_used += bytes;
	return arena + at;
}

static int
is_arena(const void *old)
{
	return (const char *)old >= arena && (const char *)old < arena + ARENA;
}

static void
put_number(uintptr_t number)
{
	while (number >> HEAP_NOTES_BITS) {
		page[number & (HEAP_NOTES_LAST - 1)] = 0;
		number >>= HEAP_NOTES_BITS;
	}
	page[HEAP_NOTES_LAST + number] = 0;
}

static void *
note_alloc(void *at, size_t bytes, const void *from)
{
	if (at && page) {
		page[HEAP_NOTES_KIND + HEAP_NOTE_ALLOC] = 0;
		put_number((uintptr_t)at / 16);
		put_number(bytes);
		put_number((uintptr_t)(is_inside() ? caller : from));
	}
	return at;
}

static void
note_free(const void *at)
{
	if (at && page) {
		page[HEAP_NOTES_KIND + HEAP_NOTE_FREE] = 0;
		put_number((uintptr_t)at / 16);
	}
}

#define CALLER __builtin_return_address(0)

EXPORT void *
malloc(size_t bytes)
{
	start();
	if (!ready)
		return arena_take(bytes);
	return note_alloc(next.malloc(bytes), bytes, CALLER);
}

EXPORT void *
calloc(size_t n, size_t bytes)
{
	size_t all;

	start();
	if (__builtin_mul_overflow(n, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!ready)
		return arena_take(all); /* fresh, and so zeroed */
	return note_alloc(next.calloc(n, bytes), all, CALLER);
}

EXPORT void
free(void *old)
{
	if (!old || is_arena(old))
		return;
	start();
	note_free(old);
	next.free(old);
}

static void *
reallocate(void *old, size_t bytes, const void *from)
{
	void *fresh;

	if (is_arena(old)) {
		size_t have = (size_t)(arena + ARENA - (char *)old);

		fresh = next.malloc(bytes);
		if (fresh)
			memcpy(fresh, old, bytes < have ? bytes : have);
		return note_alloc(fresh, bytes, from);
	}
	note_free(old);
	fresh = next.realloc(old, bytes);
	/* it failed: the old one stays, whose size only the allocator knows */
	if (!fresh && old && bytes)
		note_alloc(old, malloc_usable_size(old), from);
	return note_alloc(fresh, bytes, from);
}

EXPORT void *
realloc(void *old, size_t bytes)
{
	start();
	if (!ready)
		return old ? NULL : arena_take(bytes);
	return reallocate(old, bytes, CALLER);
}

EXPORT void *
reallocarray(void *old, size_t n, size_t bytes)
{
	size_t all;

	start();
	if (__builtin_mul_overflow(n, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!ready)
		return old ? NULL : arena_take(all);
	return reallocate(old, all, CALLER);
}

EXPORT void *
aligned_alloc(size_t alignment, size_t bytes)
{
	start();
	return note_alloc(next.aligned_alloc(alignment, bytes), bytes, CALLER);
}

EXPORT int
posix_memalign(void **out, size_t alignment, size_t bytes)
{
	int error;

	start();
	error = next.posix_memalign(out, alignment, bytes);
	if (!error)
		note_alloc(*out, bytes, CALLER);
	return error;
}

EXPORT void *
memalign(size_t alignment, size_t bytes)
{
	start();
	return note_alloc(next.memalign(alignment, bytes), bytes, CALLER);
}

EXPORT void *
valloc(size_t bytes)
{
	start();
	return note_alloc(next.valloc(bytes), bytes, CALLER);
}

EXPORT void *
pvalloc(size_t bytes)
{
	start();
	return note_alloc(next.pvalloc(bytes), bytes, CALLER);
}

/* operator new: its malloc notes, and who called this is the caller. */
static __attribute__((noinline)) void *
make_new(void *(**of)(size_t bytes), const char *name, size_t bytes,
	 const void *from)
{
	/* new[] calls new: the caller is that of the first */
	int outer = is_inside();
	void *fresh;

	start();
	/* a library that was loaded later has it */
	if (!*of)
		find(of, name);
	if (!outer) {
		caller = from;
		frame = __builtin_frame_address(0);
	}
	fresh = (*of)(bytes);
	if (!outer)
		caller = NULL;
	return fresh;
}

void *_Znwm(size_t bytes);
void *_Znam(size_t bytes);

EXPORT void *
_Znwm(size_t bytes)
{
	return make_new(&next.new_one, "_Znwm", bytes, CALLER);
}

EXPORT void *
_Znam(size_t bytes)
{
	return make_new(&next.new_many, "_Znam", bytes, CALLER);
}
