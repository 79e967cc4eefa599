// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Beside a main engine, at intervals:
 *
 *	record --counters MS   what the kernel counts of each process and of the host
 *	record --contents MS   hashes (XXH3-64) of the pages that may be merged:
 *	                       present, anonymous, private, and under MADV_MERGEABLE
 *
 * A content is told when it is not what it was at the look before, pages with
 * the same one in a row as one event.  Reading takes no fault in the target: only
 * present pages are read, from /proc/PID/mem, for process_vm_readv pins pages,
 * which undoes what was merged (mm/gup.c, gup_must_unshare).
 */
#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/files.h"
#include "tracers/kernel-counts.h"
#include "tracers/page-known.h"
#include "tracers/roster.h"
#include "tracers/tracer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define PAGE	   UINT64_C(4096)
#define READ_PAGES 64
#define PRESENT	   (UINT64_C(1) << 63)
#define FILE_PAGE  (UINT64_C(1) << 61)
#define DEPTH_MAX  16

struct looks {
	struct tracer tracer; /* first */
	struct tracer_setup setup;
	struct files *files;
	struct page_known known; /* space and page -> content */
	pid_t root;
	uint64_t counters_due_ns, contents_due_ns;

	struct queued {
		struct event event;
		uint32_t thread, space;
	} * queue; /* owned: to be handed out */
	size_t n, at, room;
	bool failed;
	/* of the process that is looked at */
	pid_t pid;
	uint32_t thread, space;
	uint64_t time_ns;
	int memory;	       /* its /proc/PID/mem */
	unsigned char *buffer; /* owned: READ_PAGES */
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* An event to fill in; NULL: no memory */
static struct event *
add(struct looks *looks, enum event_type type)
{
	struct queued *queued;

	if (looks->n == looks->room) {
		size_t room = looks->room ? 2 * looks->room : 256;
		struct queued *more =
			reallocarray(looks->queue, room, sizeof(*more));

		looks->failed |= !more;
		if (!more)
			return NULL;
		looks->queue = more;
		looks->room = room;
	}
	queued = &looks->queue[looks->n++];
	*queued = (struct queued){ .thread = looks->thread,
				   .space = looks->space };
	queued->event = (struct event){ .type = (uint8_t)type,
					.file = UINT32_MAX,
					.thread = looks->thread,
					.time_ns = looks->time_ns };
	return &queued->event;
}

struct telling {
	struct looks *looks;
	uint16_t flags;
};

static void
tell_count(void *context, const struct kernel_count *count)
{
	const struct telling *telling = context;
	struct looks *looks = telling->looks;
	struct event *event = add(looks, EVENT_COUNTER);

	if (!event)
		return;
	event->flags = telling->flags;
	event->value = count->value;
	looks->failed |=
		files_number(looks->files, count->name, 0, &event->file) < 0;
}

static void
look_counters(struct looks *looks)
{
	struct telling telling = { looks, 0 };
	const struct kernel_counts counts = { .context = &telling,
					      .tell = tell_count };

	kernel_counts_process(looks->pid, &counts);
	telling.flags = COUNTER_SYSTEM;
	if (looks->pid == looks->root)
		kernel_counts_host(looks->pid, &counts);
}

/* One page's content; what follows on is added to the event before. */
static void
tell_content(struct looks *looks, uint64_t address, uint64_t hash)
{
	struct queued *last = looks->n ? &looks->queue[looks->n - 1] : NULL;
	uint64_t key = (uint64_t)looks->space << 36 | address / PAGE;
	struct event *event;
	int changed = page_known_put(&looks->known, key, hash);

	looks->failed |= changed < 0;
	if (changed <= 0)
		return;
	if (last && last->event.type == EVENT_CONTENT &&
	    last->space == looks->space && last->event.value == hash &&
	    last->event.address + last->event.length == address) {
		last->event.length += PAGE;
		return;
	}
	event = add(looks, EVENT_CONTENT);
	if (!event)
		return;
	event->address = address;
	event->length = PAGE;
	event->value = hash;
}

static void
read_run(struct looks *looks, uint64_t address, size_t pages)
{
	ssize_t got = pread(looks->memory, looks->buffer, pages * PAGE,
			    (off_t)address);

	for (size_t i = 0; got > 0 && (i + 1) * PAGE <= (size_t)got; i++)
		tell_content(looks, address + i * PAGE,
			     XXH3_64bits(looks->buffer + i * PAGE, PAGE));
}

static void
read_range(struct looks *looks, int pagemap, uint64_t start, uint64_t end)
{
	uint64_t entry[READ_PAGES];

	while (start < end) {
		size_t n = (size_t)((end - start) / PAGE), run = 0;
		ssize_t got;

		n = n < READ_PAGES ? n : READ_PAGES;
		got = pread(pagemap, entry, n * sizeof(entry[0]),
			    (off_t)(start / PAGE * sizeof(entry[0])));
		if (got <= 0)
			return;
		n = (size_t)got / sizeof(entry[0]);
		for (size_t i = 0; i <= n; i++) {
			if (i < n &&
			    (entry[i] & (PRESENT | FILE_PAGE)) == PRESENT) {
				run++;
				continue;
			}
			if (run)
				read_run(looks, start + (i - run) * PAGE, run);
			run = 0;
		}
		start += n * PAGE;
	}
}

/* Private, of no file; with whether it may be merged, in the lines behind */
static bool
is_private(const char *line, uint64_t *start, uint64_t *end)
{
	unsigned long int inode;
	char rights[5];

	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %lu", start,
		      end, rights, &inode) == 4 &&
	       rights[3] == 'p' && !inode;
}

static void
look_contents(struct looks *looks)
{
	uint64_t start = 0, end = 0;
	char path[48], line[512];
	int pagemap;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)looks->pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)looks->pid);
	smaps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)looks->pid);
	looks->memory = open(path, O_RDONLY | O_CLOEXEC);
	while (pagemap >= 0 && smaps && fgets(line, sizeof(line), smaps)) {
		if (line[0] < 'A' || line[0] > 'Z') {
			if (!is_private(line, &start, &end))
				end = 0;
		} else if (!strncmp(line, "VmFlags:", 8) && end) {
			if (looks->setup.contents_all || strstr(line, " mg"))
				read_range(looks, pagemap, start, end);
			end = 0;
		}
	}
	if (smaps)
		fclose(smaps);
	if (pagemap >= 0)
		close(pagemap);
	if (looks->memory >= 0)
		close(looks->memory);
}

static void
look_tree(struct looks *looks, pid_t pid, unsigned depth,
	  void (*look)(struct looks *looks))
{
	char path[64];
	int child;
	FILE *file;

	/* What no engine has told of yet has no pages of its own. */
	if (roster_space_known(looks->setup.roster, pid, &looks->space) &&
	    !roster_thread(looks->setup.roster, pid, pid, &looks->thread)) {
		looks->pid = pid;
		look(looks);
	}
	if (looks->setup.no_follow || depth == DEPTH_MAX)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1)
		look_tree(looks, child, depth + 1, look);
	if (file)
		fclose(file);
}

static bool
is_due(uint64_t *due_ns, uint64_t interval_ns, uint64_t now)
{
	if (!interval_ns || now < *due_ns)
		return false;
	*due_ns = now + interval_ns;
	return true;
}

/* Events of one space; false: there are none. */
static bool
hand_out(struct looks *looks, struct batch *batch)
{
	uint32_t space =
		looks->at < looks->n ? looks->queue[looks->at].space : 0;

	if (looks->at == looks->n) {
		looks->at = looks->n = 0;
		return false;
	}
	batch->thread = looks->queue[looks->at].thread;
	batch->space = space;
	batch->time_ns = looks->time_ns;
	batch->columned = true;
	while (looks->at < looks->n && batch->n_events < BATCH_EVENTS &&
	       looks->queue[looks->at].space == space)
		*batch_event(batch, EVENT_COUNTER) =
			looks->queue[looks->at++].event;
	return true;
}

static int
looks_next(struct source *source, struct batch *batch)
{
	struct looks *looks = (struct looks *)source;
	uint64_t now = now_ns();

	if (hand_out(looks, batch))
		return 1;
	looks->time_ns = now;
	if (is_due(&looks->counters_due_ns, looks->setup.counters_ns, now))
		look_tree(looks, looks->root, 0, look_counters);
	if (is_due(&looks->contents_due_ns, looks->setup.contents_ns, now))
		look_tree(looks, looks->root, 0, look_contents);
	if (looks->failed)
		return fail(ENOMEM, "record: no memory for what was looked at");
	return hand_out(looks, batch);
}

static void
looks_close(struct source *source)
{
	struct looks *looks = (struct looks *)source;

	if (!looks)
		return;
	files_close(looks->files);
	page_known_fini(&looks->known);
	free(looks->buffer);
	free(looks->queue);
	free(looks);
}

static int
looks_attach(struct tracer *tracer, pid_t pid)
{
	((struct looks *)tracer)->root = pid;
	return 0;
}

static const struct source_methods source_methods = {
	.next = looks_next,
	.close = looks_close,
};

static const struct tracer_methods tracer_methods = {
	.attach = looks_attach,
};

static int
looks_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct looks *looks;
	int error;

	if (!setup->companion)
		return fail(
			EINVAL,
			"record: -e kernel looks beside another engine: -e cache,kernel");
	looks = calloc(1, sizeof(*looks));
	if (!looks)
		return fail(ENOMEM, "record: no memory");
	looks->setup = *setup;
	if (!setup->counters_ns && !setup->contents_ns)
		looks->setup.counters_ns = UINT64_C(100000000);
	looks->tracer.source.methods = &source_methods;
	looks->tracer.source.stream = setup->stream;
	looks->tracer.tracing = &tracer_methods;
	looks->buffer = malloc(READ_PAGES * PAGE);
	error = looks->buffer ? files_open(&looks->files, setup->stream)
			      : fail(ENOMEM, "record: no memory");
	if (error) {
		looks_close(&looks->tracer.source);
		return error;
	}
	about_engine(
		setup->stream, "kernel",
		"by time: looks at intervals, between those of the accesses");
	*out = &looks->tracer;
	return 0;
}

const struct tracer_ops kernel_tracer = {
	.name = "kernel",
	.help = "the kernel's own counts and contents of pages at intervals, "
		"beside another engine",
	.companion = true,
	.open = looks_open,
};
