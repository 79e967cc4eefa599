// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The producer's side of the ring: claims a chunk by compare-and-swap, fills
 * it, commits it.  It waits when the consumer is far behind, but never for a
 * consumer that is gone: then, and after a stop, everything goes to a private
 * buffer that is overwritten again and again.
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

extern SysRes VG_(am_shared_mmap_file_float_valgrind)(SizeT length, UInt prot,
						      Int fd, Off64T offset);
extern Int VG_(safe_fd)(Int old);
extern Bool VG_(clo_trace_children);
extern struct {
	Int fd;
	Bool socket;
} VG_(log_output_sink);

/*
 * Kept free above the limit: one record (1 + 1024 words) and the event that
 * saves an interrupted one (2 + 1024).
 */
#define MARGIN_WORDS 4096
#define EXIT_BLOCK   4096u

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
static ULong nowhere[2 * MARGIN_WORDS];

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

static void
words_at(ULong *base, UInt words)
{
	producer.at.base = producer.at.cursor = (Addr)base;
	producer.at.limit = (Addr)(base + words - MARGIN_WORDS);
}

/* Where the chunk in use ends for events: the consumer may set limit to 0 */
static Addr
words_end(void)
{
	UInt words = producer_dropping ? 2 * MARGIN_WORDS : RING_CHUNK_WORDS;

	return producer.at.base + (words - MARGIN_WORDS) * sizeof(ULong);
}

static void
drop(void)
{
	producer_dropping = True;
	producer_kinds = 0;
	producer.at.chunk = 0;
	words_at(nowhere, 2 * MARGIN_WORDS);
}

/* Our own page of anonymous memory where the ring's page was */
static void
page_private(void)
{
	SYSTEM(__NR_mmap, &producer, RING_PAGE, VKI_PROT_READ | VKI_PROT_WRITE,
	       VKI_MAP_PRIVATE | VKI_MAP_FIXED | VKI_MAP_ANONYMOUS, -1, 0);
}

static Bool
page_shared(UInt which)
{
	Off64T at = (Off64T)(RING_PRODUCERS_OFFSET + (ULong)which * RING_PAGE);
	SysRes mapped = SYSTEM(__NR_mmap, &producer, RING_PAGE,
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
chunk_try(void)
{
	UInt pid = (UInt)VG_(getpid)();

	for (UInt i = 0; i < RING_CHUNKS; i++) {
		if (ring->chunk[i].state ||
		    !__sync_bool_compare_and_swap(&ring->chunk[i].state, 0,
						  pid))
			continue;
		ring->chunk[i].start_ns = now_ns();
		words_at((ULong *)(ring_chunks + i * RING_CHUNK_BYTES),
			 RING_CHUNK_WORDS);
		producer.at.chunk = i + 1;
		return True;
	}
	return False;
}

static void
chunk_claim(void)
{
	for (;;) {
		UInt seen = __atomic_load_n(&ring->released, __ATOMIC_ACQUIRE);
		ULong waiting = ring->next_sequence - ring->taken;

		if (ring->stop)
			break;
		if (waiting < RING_IN_FLIGHT && chunk_try())
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

/* Commit chunk `which` of `used` words, which is ours. */
static void
chunk_commit(UInt which, UInt used)
{
	struct ring_chunk *chunk = &ring->chunk[which];

	chunk->used = used;
	chunk->end_ns = now_ns();
	chunk->sequence = __sync_fetch_and_add(&ring->next_sequence, 1);
	__atomic_store_n(&chunk->state, chunk->state | RING_FULL,
			 __ATOMIC_RELEASE);
	__sync_fetch_and_add(&ring->committed, 1);
	if (__atomic_load_n(&ring->consumer_waits, __ATOMIC_SEQ_CST))
		futex_wake(&ring->committed);
}

static UInt
words_used(const struct ring_producer *p)
{
	return (UInt)((p->cursor - p->base) / sizeof(ULong));
}

static void
own_commit(void)
{
	UInt chunk = producer.at.chunk;

	if (!chunk)
		return;
	if (fork_wait)
		fork_finish();
	chunk_commit(chunk - 1, words_used(&producer.at));
	producer.at.chunk = 0;
}

void
producer_flush(void)
{
	if (producer_dropping) {
		words_at(nowhere, 2 * MARGIN_WORDS);
		return;
	}
	if (producer.at.cursor == producer.at.base && !ring->stop) {
		words_at((ULong *)producer.at.base, RING_CHUNK_WORDS);
		return;
	}
	own_commit();
	chunk_claim();
}

void
producer_close(void)
{
	if (producer_dropping)
		return;
	own_commit();
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
	if (slot == RING_PRODUCERS || !page_shared(slot))
		return False;
	producer.at = (struct ring_producer){ .pid = pid };
	return True;
}

/* The program before us in this process left a chunk when it exec'd. */
static void
predecessor_commit(void)
{
	UInt pid = (UInt)VG_(getpid)();

	for (UInt i = 0; i < RING_PRODUCERS; i++) {
		const struct ring_producer *old =
			(const void *)((UChar *)ring + RING_PRODUCERS_OFFSET +
				       (SizeT)i * RING_PAGE);

		if (ring->producer[i] != pid)
			continue;
		if (old->chunk)
			chunk_commit(old->chunk - 1, words_used(old));
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
		page_private();
		drop();
		return;
	}
	producer_kinds = ring->kinds;
	chunk_claim();
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

void
producer_event(UInt type, UInt n, const ULong *word)
{
	ULong *to;

	if (producer_dropping)
		return;
	if (producer.at.cursor + (n + 1) * sizeof(ULong) > words_end())
		producer_flush();
	to = (ULong *)producer.at.cursor;
	to[0] = RECORD(type, n);
	VG_(memcpy)(to + 1, word, n * sizeof(ULong));
	producer.at.cursor += (n + 1) * sizeof(ULong);
}

void
producer_fault(Addr pc, UInt roots)
{
	ULong *to = (ULong *)producer.at.cursor;
	UInt words = roots + 1;

	if (producer_dropping)
		return;
	VG_(memmove)(to + 2, to, words * sizeof(ULong));
	to[0] = RECORD(RECORD_FAULT, words + 1);
	to[1] = pc;
	producer.at.cursor += (words + 2) * sizeof(ULong);
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
		page_private();
		drop();
		return;
	}
	fork_wait = fork_ordinal;
	chunk_claim();
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
