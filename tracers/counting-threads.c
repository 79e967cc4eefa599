// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts by thread.  A thread that ends sends its own counts (PERF_RECORD_READ,
 * by inherit_stat) into the ring of the core it is on, one record an event;
 * what the descriptor of its creator adds up, without these, is the creator's.
 *
 * Or rather that of the thread which holds the creator's events: where a thread
 * and its creator follow each other on a core the kernel swaps their events
 * (and counts) instead of switching.  Then the creator sends a record when it
 * ends, and the one that ended without one is meant by the rest.
 */
#include "tracers/counting-table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define RING_BYTES (256u << 10)

static int
ring_of_core(const struct counting *counting, int core)
{
	for (size_t i = 0; i < counting->n_rings; i++)
		if (counting->ring[i].core == core)
			return (int)i;
	return -1;
}

static int
open_ring(struct counting *counting, int core, int fd)
{
	struct read_ring *ring =
		reallocarray(counting->ring, counting->n_rings + 1,
			     sizeof(*ring));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	if (!ring)
		return fail(ENOMEM, "counting: no memory");
	counting->ring = ring;
	at = mmap(NULL, page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		  fd, 0);
	if (at == MAP_FAILED)
		return fail_errno(
			errno,
			"--per-thread: no ring of %u bytes (kernel.perf_event_mlock_kb)",
			RING_BYTES);
	ring[counting->n_rings++] =
		(struct read_ring){ .page = at, .core = core, .fd = fd };
	return 0;
}

int
counting_open_rings(struct counting *counting)
{
	size_t n = counting->n_targets * counting->n;
	int error = 0;

	if (!counting_has_rings(counting))
		return 0;
	counting->id = calloc(n + 1, sizeof(*counting->id));
	counting->moved = calloc(n + 1, sizeof(*counting->moved));
	if (!counting->id || !counting->moved)
		return fail(ENOMEM, "counting: no memory");
	for (size_t i = 0; i < n && !error; i++) {
		int fd = counting->fd[i], ring;
		int core = counting->target[i / counting->n].core;

		if (fd < 0)
			continue;
		ring = ring_of_core(counting, core);
		if (ring < 0)
			error = open_ring(counting, core, fd);
		else if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT,
			       counting->ring[ring].fd))
			error = fail_errno(errno, "counting: perf ring");
		if (!error && ioctl(fd, PERF_EVENT_IOC_ID, &counting->id[i]))
			error = fail_errno(errno, "counting: perf event");
	}
	return error;
}

void
counting_close_rings(struct counting *counting)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < counting->n_rings; i++)
		munmap(counting->ring[i].page, page + RING_BYTES);
	free(counting->ring);
	free(counting->id);
	free(counting->moved);
	counting->ring = NULL;
	counting->id = NULL;
	counting->moved = NULL;
	counting->n_rings = 0;
}

void
counting_free_threads(struct counting *counting)
{
	free(counting->sum);
	free(counting->born);
	free(counting->counts);
	free(counting->told);
	free(counting->told_counts);
}

/* The counts of a thread that ended, added when new; NULL: no memory */
static struct count *
sum_of(struct counting *counting, pid_t pid, pid_t tid)
{
	size_t n = counting->n_sums, max = counting->max_sums;
	struct thread_sum *sum;
	struct count *counts;

	/* The records of one thread come one after the other */
	for (size_t i = n; i-- > 0 && i + 64 > n;)
		if (counting->sum[i].pid == pid && counting->sum[i].tid == tid)
			return &counting->counts[counting->sum[i].count];
	if (n == max) {
		max = max ? 2 * max : 64;
		sum = reallocarray(counting->sum, max, sizeof(*sum));
		if (sum)
			counting->sum = sum;
		counts = reallocarray(counting->counts, max * counting->n,
				      sizeof(*counts));
		if (counts)
			counting->counts = counts;
		if (!sum || !counts)
			return NULL;
		counting->max_sums = max;
	}
	counting->sum[n] = (struct thread_sum){ pid, tid, -1, n * counting->n };
	counts = &counting->counts[n * counting->n];
	memset(counts, 0, counting->n * sizeof(*counts));
	counting->n_sums++;
	return counts;
}

static struct born *
born_find(const struct counting *counting, pid_t tid)
{
	for (size_t i = counting->n_born; i-- > 0;)
		if (counting->born[i].tid == tid)
			return &counting->born[i];
	return NULL;
}

union ring_record {
	struct perf_event_header header;
	/* PERF_RECORD_READ */
	struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		struct count count;
		uint64_t id;
	} read;
	/* PERF_RECORD_FORK, PERF_RECORD_EXIT */
	struct {
		struct perf_event_header header;
		uint32_t pid, parent_pid, tid, parent_tid;
	} task;
};

static void
take_fork(struct counting *counting, const union ring_record *record)
{
	struct born *parent =
		born_find(counting, (pid_t)record->task.parent_tid);

	if (counting->n_born == counting->max_born) {
		size_t max = counting->max_born ? 2 * counting->max_born : 64;
		struct born *born =
			reallocarray(counting->born, max, sizeof(*born));

		if (!born)
			return;
		parent = parent ? born + (parent - counting->born) : NULL;
		counting->born = born;
		counting->max_born = max;
	}
	counting->born[counting->n_born++] = (struct born){
		(pid_t)record->task.pid, (pid_t)record->task.tid,
		parent ? parent->root : (pid_t)record->task.parent_tid, false
	};
}

static void
take_read(struct counting *counting, const union ring_record *record)
{
	size_t n = counting->n_targets * counting->n, i = 0;
	struct count *counts;

	while (i < n &&
	       (counting->fd[i] < 0 || counting->id[i] != record->read.id))
		i++;
	if (i == n)
		return;
	counts = sum_of(counting, (pid_t)record->read.pid,
			(pid_t)record->read.tid);
	if (!counts) {
		counting->trouble = "counts of threads were lost: no memory";
		return;
	}
	count_add(&counts[i % counting->n], &record->read.count);
	count_add(&counting->moved[i], &record->read.count);
}

static void
take(struct counting *counting, const union ring_record *record)
{
	size_t bytes = record->header.size;
	struct born *born;

	switch (record->header.type) {
	case PERF_RECORD_READ:
		if (bytes >= sizeof(record->read))
			take_read(counting, record);
		break;
	case PERF_RECORD_FORK:
		if (bytes >= sizeof(record->task))
			take_fork(counting, record);
		break;
	case PERF_RECORD_EXIT:
		born = born_find(counting, (pid_t)record->task.tid);
		if (born)
			born->ended = true;
		break;
	case PERF_RECORD_LOST:
		counting->trouble = "counts of threads were lost: too many "
				    "ended at once";
		break;
	default:
		break;
	}
}

void
counting_drain(struct counting *counting)
{
	for (size_t i = 0; i < counting->n_rings; i++) {
		struct perf_event_mmap_page *page = counting->ring[i].page;
		const char *data = (const char *)page + sysconf(_SC_PAGESIZE);
		uint64_t head =
			__atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
		uint64_t tail = page->data_tail;

		while (tail < head) {
			union ring_record record = { 0 };
			struct perf_event_header header;
			char *to = (char *)&record;

			/* Records are multiples of 8 bytes and may wrap */
			memcpy(&header, data + tail % RING_BYTES,
			       sizeof(header));
			if (!header.size)
				break;
			for (size_t at = 0;
			     at < header.size && at < sizeof(record); at += 8)
				memcpy(to + at, data + (tail + at) % RING_BYTES,
				       8);
			take(counting, &record);
			tail += header.size;
		}
		__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
	}
}

static int
by_thread(const void *left, const void *right)
{
	const struct thread_count *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	return (a->core > b->core) - (a->core < b->core);
}

static bool
has_sent(const struct counting *counting, pid_t tid)
{
	for (size_t i = 0; i < counting->n_sums; i++)
		if (counting->sum[i].tid == tid)
			return true;
	return false;
}

/* Whose the rest of a target's descriptors is (see above) */
static struct thread_count
owner(const struct counting *counting, const struct target *target)
{
	struct thread_count whose = { .pid = target->pid,
				      .tid = target->tid,
				      .core = -1 };

	if (target->tid <= 0) {
		whose.tid = 0;
		whose.core = target->core;
	} else if (has_sent(counting, target->tid)) {
		for (size_t i = 0; i < counting->n_born; i++) {
			const struct born *born = &counting->born[i];

			if (born->root == target->tid && born->ended &&
			    !has_sent(counting, born->tid)) {
				whose.pid = born->pid;
				whose.tid = born->tid;
			}
		}
	}
	return whose;
}

/* A target's own, without what its children told */
static int
add_own(struct counting *counting, size_t target, struct count *counts)
{
	for (size_t i = 0; i < counting->n; i++) {
		size_t at = target * counting->n + i;
		struct count one;
		int error = counting_read_target(counting, target, i, &one);

		if (error)
			return error;
		if (counting->moved) {
			one.value -= counting->moved[at].value;
			one.enabled_ns -= counting->moved[at].enabled_ns;
			one.running_ns -= counting->moved[at].running_ns;
		}
		count_add(&counts[i], &one);
	}
	return 0;
}

int
counting_threads(struct counting *counting, struct thread_count **threads,
		 size_t *n)
{
	size_t room = counting->n_targets + counting->n_sums + 1, used = 0;
	struct thread_count *told;
	int error = 0;

	free(counting->told);
	free(counting->told_counts);
	counting->told = told = calloc(room, sizeof(*told));
	counting->told_counts =
		calloc(room * counting->n, sizeof(*counting->told_counts));
	if (!told || !counting->told_counts)
		return fail(ENOMEM, "counting: no memory");
	for (size_t t = 0; t < counting->n_targets && !error; t++) {
		const struct target *target = &counting->target[t];
		struct thread_count *to = &told[used];

		/* The targets of a thread on all cores follow each other */
		if (t && target->tid > 0 && target[-1].tid == target->tid) {
			to--;
		} else {
			*to = owner(counting, target);
			to->count =
				&counting->told_counts[used++ * counting->n];
		}
		error = add_own(counting, t, to->count);
	}
	for (size_t i = 0; i < counting->n_sums; i++, used++) {
		struct count *to = &counting->told_counts[used * counting->n];

		memcpy(to, &counting->counts[counting->sum[i].count],
		       counting->n * sizeof(*to));
		told[used] =
			(struct thread_count){ counting->sum[i].pid,
					       counting->sum[i].tid, -1, to };
	}
	for (size_t i = 0; i < used * counting->n; i++)
		counting_settle(counting, i % counting->n,
				&counting->told_counts[i]);
	qsort(told, used, sizeof(*told), by_thread);
	*threads = told;
	*n = used;
	return error;
}
