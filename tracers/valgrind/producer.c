// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The producer's side of the ring: claims a chunk by compare-and-swap, moves
 * what the buffer has to it, commits it.  It waits when the consumer is far
 * behind, but never for a consumer that is gone: then, and after a stop, the
 * buffer is private and overwritten again and again.
 */
#include "tracers/valgrind/tool.h"

#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_mallocfree.h"
#include "pub_tool_vkiscnums.h"
#include "pub_tool_xarray.h"

#include "pub_tool_clientstate.h"

#include <emmintrin.h>

extern SysRes VG_(am_shared_mmap_file_float_valgrind)(SizeT length, UInt prot,
						      Int fd, Off64T offset);
extern Int VG_(safe_fd)(Int old);
extern Bool VG_(clo_trace_children);
extern struct {
	Int fd;
	Bool socket;
} VG_(log_output_sink);

#define BUFFER_BYTES (RING_AREA - RING_PAGE)
#define EXIT_BLOCK   4096u

#define BARRIER() __asm__ volatile("" ::: "memory")

union producer_page producer __attribute__((aligned(RING_PAGE)));
UInt producer_kinds;
Bool producer_dropping;

static struct ring *ring;
static UChar *ring_chunks;
static Int ring_fd = -1, log_fd = -1;
static UInt slot; /* of ring->producer[] */
static UInt next_exit, exits_left;
static UInt fork_ordinal; /* of the fork going on */
static UInt fork_wait;	  /* our parent's: to be done before we commit */
static Int fork_parent;

static ULong
now_ns(void)
{
	struct vki_timespec now = { 0, 0 };

	SYSTEM(__NR_clock_gettime, VKI_CLOCK_MONOTONIC, &now, 0, 0, 0, 0);
	return (ULong)now.tv_sec * 1000000000ull + (ULong)now.tv_nsec;
}

static void
futex_wait(UInt *word, UInt seen, ULong timeout_ns)
{
	struct vki_timespec timeout = { 0, (Long)timeout_ns };

	SYSTEM(__NR_futex, word, VKI_FUTEX_WAIT, seen, &timeout, 0, 0);
}

static void
futex_wake(UInt *word)
{
	SYSTEM(__NR_futex, word, VKI_FUTEX_WAKE, 0x7fffffff, 0, 0, 0);
}

/* Nothing in the buffer, nothing in the chunk */
static void
buffer_begin(void)
{
	producer.at.moved = producer.at.moving = 0;
	producer.at.base = producer.at.cursor = (Addr)&producer + RING_PAGE;
	producer.at.hurry = 0;
}

/* Our own anonymous memory where the ring's was */
static void
page_private(void)
{
	SYSTEM(__NR_mmap, &producer, RING_AREA, VKI_PROT_READ | VKI_PROT_WRITE,
	       VKI_MAP_PRIVATE | VKI_MAP_FIXED | VKI_MAP_ANONYMOUS, -1, 0);
	buffer_begin();
}

static void
drop(void)
{
	producer_dropping = True;
	producer_kinds = 0;
	producer.at.chunk = 0;
	page_private();
}

static Bool
page_shared(UInt which)
{
	Off64T at = (Off64T)(RING_PRODUCERS_OFFSET + (ULong)which * RING_AREA);
	SysRes mapped = SYSTEM(__NR_mmap, &producer, RING_AREA,
			       VKI_PROT_READ | VKI_PROT_WRITE,
			       VKI_MAP_SHARED | VKI_MAP_FIXED, ring_fd, at);

	return !sr_isError(mapped);
}

static Bool
consumer_gone(void)
{
	SysRes alive = SYSTEM(__NR_kill, ring->consumer, 0, 0, 0, 0, 0);

	return sr_isError(alive) && sr_Err(alive) == VKI_ESRCH;
}

/* The lowest free one: it is the likeliest to be in a cache */
static Bool
chunk_try(ULong start_ns)
{
	UInt pid = (UInt)VG_(getpid)();

	for (UInt i = 0; i < RING_CHUNKS; i++) {
		if (ring->chunk[i].state ||
		    !__sync_bool_compare_and_swap(&ring->chunk[i].state, 0,
						  pid))
			continue;
		ring->chunk[i].start_ns = start_ns;
		buffer_begin();
		producer.at.chunk = i + 1;
		return True;
	}
	return False;
}

/* ns: the time now */
static void
chunk_claim(ULong ns)
{
	for (;; ns = now_ns()) {
		UInt seen = __atomic_load_n(&ring->released, __ATOMIC_ACQUIRE);
		ULong waiting = ring->next_sequence - ring->taken;

		if (ring->stop)
			break;
		if (waiting < RING_IN_FLIGHT && chunk_try(ns))
			return;
		__atomic_store_n(&ring->producers_wait, 1, __ATOMIC_SEQ_CST);
		futex_wait(&ring->released, seen, 100000000);
		if (consumer_gone())
			break;
	}
	drop();
}

/* What our parent knows of us comes before what we say. */
static void
fork_finish(void)
{
	UInt *done = &ring->fork_done[fork_wait % RING_FORKS];

	for (;;) {
		UInt seen = __atomic_load_n(done, __ATOMIC_ACQUIRE);

		if ((Int)(seen - fork_wait) >= 0 || ring->stop ||
		    VG_(getppid)() != fork_parent)
			break;
		futex_wait(done, seen, 20000000);
	}
	fork_wait = 0;
}

/* Commit chunk `which` of `used` bytes, which is ours. */
static void
chunk_commit(UInt which, UInt used, ULong ns)
{
	struct ring_chunk *chunk = &ring->chunk[which];

	chunk->used = used;
	chunk->end_ns = ns;
	chunk->sequence = __sync_fetch_and_add(&ring->next_sequence, 1);
	__atomic_store_n(&chunk->state, chunk->state | RING_FULL,
			 __ATOMIC_RELEASE);
	__sync_fetch_and_add(&ring->committed, 1);
	if (ring->next_sequence - ring->taken >= RING_WAKE &&
	    __atomic_load_n(&ring->consumer_waits, __ATOMIC_SEQ_CST))
		futex_wake(&ring->committed);
}

/* Whole lines, to a chunk */
static void
lines_copy(UChar *to, const UChar *from, UInt bytes)
{
	for (UInt i = 0; i < bytes; i += sizeof(__m128i))
		*(__m128i *)(to + i) = *(const __m128i *)(from + i);
}

/* The consumer is not, and will not be, at this producer's buffer. */
static void
quiet_end(struct ring_producer *p)
{
	while (!__sync_bool_compare_and_swap(&p->quiet, RING_QUIET,
					     RING_BUSY) &&
	       __atomic_load_n(&p->quiet, __ATOMIC_ACQUIRE) != RING_BUSY) {
		futex_wait(&p->quiet, RING_TAKEN, 1000000);
		if (consumer_gone())
			break;
	}
}

/* Before anything is written outside of generated code. */
static void
quiet_leave(void)
{
	quiet_end(&producer.at);
	if (!producer.at.chunk && !producer_dropping)
		chunk_claim(now_ns());
}

static void
quiet_enter(void)
{
	UInt *done = &ring->fork_done[fork_wait % RING_FORKS];

	/* Our parent's commit comes first. */
	if (fork_wait &&
	    (Int)(__atomic_load_n(done, __ATOMIC_ACQUIRE) - fork_wait) >= 0)
		fork_wait = 0;
	if (!fork_wait && !producer_dropping)
		__atomic_store_n(&producer.at.quiet, RING_QUIET,
				 __ATOMIC_RELEASE);
}

void
producer_quiet(Bool quiet)
{
	if (quiet)
		quiet_enter();
	else
		quiet_leave();
}

static UChar *
chunk_bytes(const struct ring_producer *p)
{
	return ring_chunks + (p->chunk - 1) * RING_CHUNK_BYTES;
}

/* Killed anywhere in here, ring_rest() still tells what is where. */
static void
buffer_move(void)
{
	struct ring_producer *p = &producer.at;
	UChar *base = producer.bytes + RING_PAGE;
	UInt used = (UInt)(p->cursor - p->base);
	UInt lines = used & ~(RING_LINE - 1);

	lines_copy(chunk_bytes(p) + p->moved, base, lines);
	p->moving = p->moved + lines;
	BARRIER();
	if (lines)
		__builtin_memcpy(base, base + lines, RING_LINE);
	BARRIER();
	p->cursor = p->base + used - lines;
	BARRIER();
	p->moved = p->moving;
}

/* Of a producer that writes no more: the chunk is whole then. */
static void
rest_commit(const struct ring_producer *p, ULong ns)
{
	struct ring_rest rest = ring_rest(p);
	const UChar *buffer = (const UChar *)p + RING_PAGE;

	VG_(memcpy)
	(chunk_bytes(p) + rest.kept, buffer + rest.from, rest.to - rest.from);
	chunk_commit(p->chunk - 1, rest.kept + rest.to - rest.from, ns);
}

static void
own_commit(ULong ns)
{
	if (!producer.at.chunk)
		return;
	if (fork_wait) {
		fork_finish();
		ns = now_ns();
	}
	buffer_move();
	rest_commit(&producer.at, ns);
	producer.at.chunk = 0;
}

static void
flush(void)
{
	ULong ns;

	if (producer_dropping) {
		buffer_begin();
		return;
	}
	if (producer.at.cursor == producer.at.base && !producer.at.moved &&
	    !ring->stop) {
		buffer_begin();
		return;
	}
	ns = now_ns(); /* a system call, so once for both */
	own_commit(ns);
	chunk_claim(ns);
}

void
producer_flush(void)
{
	Bool quiet = producer.at.quiet != RING_BUSY;

	if (quiet)
		quiet_leave();
	flush();
	if (quiet)
		quiet_enter();
}

void
producer_full(void)
{
	const struct ring_producer *p = &producer.at;
	UInt used = (UInt)(p->cursor - p->base);

	/* There has to be room for the fullest buffer behind this one. */
	if (producer_dropping ||
	    p->moved + used + BUFFER_BYTES > RING_CHUNK_BYTES)
		flush();
	else
		buffer_move();
}

void
producer_close(void)
{
	quiet_leave();
	if (producer_dropping)
		return;
	own_commit(now_ns());
	drop();
	__atomic_store_n(&ring->producer[slot], 0, __ATOMIC_RELEASE);
	futex_wake(&ring->committed);
}

static Bool
slot_claim(void)
{
	UInt pid = (UInt)VG_(getpid)();

	for (slot = 0; slot < RING_PRODUCERS; slot++) {
		if (!ring->producer[slot] &&
		    __sync_bool_compare_and_swap(&ring->producer[slot], 0, pid))
			break;
	}
	if (slot == RING_PRODUCERS || !page_shared(slot)) {
		__sync_fetch_and_add(&ring->unrecorded, 1);
		return False;
	}
	producer.at = (struct ring_producer){ .pid = pid };
	return True;
}

/* The program before us in this process left a chunk when it exec'd. */
static void
predecessor_commit(void)
{
	UInt pid = (UInt)VG_(getpid)();

	for (UInt i = 0; i < RING_PRODUCERS; i++) {
		struct ring_producer *old =
			(void *)((UChar *)ring + RING_PRODUCERS_OFFSET +
				 (SizeT)i * RING_AREA);

		if (ring->producer[i] != pid)
			continue;
		quiet_end(old);
		if (old->chunk)
			rest_commit(old, now_ns());
		__atomic_store_n(&ring->producer[i], 0, __ATOMIC_RELEASE);
	}
}

static Int
descriptor(const HChar **text)
{
	HChar *end;
	Long fd = VG_(strtoll10)(*text, &end);

	*text = *end == ',' ? end + 1 : end;
	return VG_(safe_fd)((Int)fd);
}

void
producer_open(const HChar *descriptors)
{
	SysRes mapped;

	ring_fd = descriptor(&descriptors);
	log_fd = descriptor(&descriptors);
	client_first_argument(descriptors);
	if (log_fd >= 0)
		VG_(log_output_sink).fd = log_fd;
	mapped = VG_(am_shared_mmap_file_float_valgrind)(RING_BYTES,
							 VKI_PROT_READ |
								 VKI_PROT_WRITE,
							 ring_fd, 0);
	ring = (struct ring *)sr_Res(mapped);
	if (sr_isError(mapped) || ring->magic != RING_MAGIC ||
	    ring->bytes != sizeof(*ring)) {
		VG_(umsg)("valgrind: pagescope: no ring in --ring\n");
		VG_(exit)(1);
	}
	ring_chunks = (UChar *)ring + RING_CHUNKS_OFFSET;
	predecessor_commit();
	if (ring->stop || !slot_claim()) {
		drop();
		return;
	}
	producer_kinds = ring->kinds;
	chunk_claim(now_ns());
}

UInt
producer_exits(UInt n)
{
	if (exits_left < n) {
		next_exit = __sync_fetch_and_add(&ring->next_exit, EXIT_BLOCK);
		exits_left = EXIT_BLOCK;
	}
	/* 2^31 exits are some days of nothing but translation. */
	if (next_exit >= RECORD_EVENT - EXIT_BLOCK)
		drop();
	return next_exit;
}

void
producer_exits_used(UInt n)
{
	next_exit += n;
	exits_left -= n;
}

/* Where the words of an event at the cursor stand */
static ULong *
event_words(Addr cursor)
{
	return (ULong *)((cursor + sizeof(UInt) + 7) & ~(Addr)7);
}

static void
event_end(UInt type, UInt words)
{
	UInt *head = (UInt *)producer.at.cursor;

	producer.at.cursor = (Addr)(event_words(producer.at.cursor) + words);
	*head = RECORD(type, words);
}

void
producer_event(UInt type, UInt n, const ULong *word)
{
	Bool quiet = producer.at.quiet != RING_BUSY;

	if (producer_dropping)
		return;
	if (quiet)
		quiet_leave();
	if (producer.at.cursor > PRODUCER_LIMIT)
		producer_full();
	VG_(memcpy)(event_words(producer.at.cursor), word, n * sizeof(ULong));
	event_end(type, n);
	if (quiet)
		quiet_enter();
}

void
producer_fault(Addr pc, UInt roots)
{
	ULong *to = event_words(producer.at.cursor);
	UInt bytes = (roots + 2) * RECORD_UNIT;

	if (producer_dropping)
		return;
	VG_(memmove)(to + 1, (const UChar *)producer.at.cursor, bytes);
	to[0] = pc;
	event_end(RECORD_FAULT, 1 + (bytes + 7) / sizeof(ULong));
}

void
producer_fork_before(ThreadId tid)
{
	if (!producer_dropping)
		fork_ordinal = __sync_add_and_fetch(&ring->next_fork, 1);
	fork_parent = VG_(getpid)();
}

void
producer_fork_child(ThreadId tid)
{
	exits_left = 0;
	if (ring->no_follow)
		VG_(clo_trace_children) = False;
	if (producer_dropping || ring->no_follow || !slot_claim()) {
		page_private(); /* it is still our parent's */
		drop();
		return;
	}
	fork_wait = fork_ordinal;
	chunk_claim(now_ns());
	observe_program(fork_ordinal);
}

void
producer_fork_done(Int pid)
{
	UInt *done = &ring->fork_done[fork_ordinal % RING_FORKS];
	ULong word[] = { (ULong)pid };

	if (producer_dropping || !fork_ordinal)
		return;
	if (pid > 0) {
		producer_event(RECORD_FORK, 1, word);
		producer_flush();
	}
	__atomic_store_n(done, fork_ordinal, __ATOMIC_RELEASE);
	futex_wake(done);
	fork_ordinal = 0;
}

void
producer_pass(Bool pass)
{
	static HChar option[600];
	UWord flags = pass ? 0 : VKI_FD_CLOEXEC;

	SYSTEM(__NR_fcntl, ring_fd, VKI_F_SETFD, flags, 0, 0, 0);
	SYSTEM(__NR_fcntl, log_fd, VKI_F_SETFD, flags, 0, 0, 0);
	VG_(sprintf)
	(option, "--ring=%d,%d,%s", ring_fd, log_fd, client_argument());
	for (Word i = 0; i < VG_(sizeXA)(VG_(args_for_valgrind)); i++) {
		HChar **at = VG_(indexXA)(VG_(args_for_valgrind), i);

		if (VG_(strncmp)(*at, "--ring=", 7) == 0)
			*at = option;
	}
}
