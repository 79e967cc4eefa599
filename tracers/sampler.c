// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One ring a core, shared by the events on it; a thread empties the rings into
 * a queue, which is sorted by time when it is asked for.
 *
 *	core 0: [ring] \            sorted by time
 *	core 1: [ring] -> queue -> [f f f f f f] -> batches of one process
 *
 * perf drops samples of a full ring without telling (the LOST record comes
 * only with the next one that fits, and not at all at the end), so what was
 * seen is compared with the events' own counts.
 */
#include "tracers/sampler-state.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/maps.h"
#include "tracers/roster.h"
#include "tracers/target.h"

#define RING_BYTES_MAX (8u << 20)
#define RING_BYTES_MIN (16u << 10)
#define WAIT_MS	       50
#define LOOK_MS	       5
#define QUIET_LOOKS    (1000 / LOOK_MS)

static int
open_event(struct perf_event_attr *attr, pid_t pid, int core, int group)
{
	long int fd = syscall(SYS_perf_event_open, attr, pid, core, group,
			      PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int
sampler_try(struct sampler_event *event)
{
	struct perf_event_attr copy = event->attr;
	int fd;

	copy.size = sizeof(copy);
	copy.disabled = 1;
	copy.sample_type = SAMPLE_TYPE | event->sample_type;
	fd = open_event(&copy, 0, -1, -1);
	if (fd == -EACCES || fd == -EPERM) {
		copy.exclude_kernel = copy.exclude_hv = 1;
		fd = open_event(&copy, 0, -1, -1);
		if (fd >= 0)
			event->attr.exclude_kernel = event->attr.exclude_hv = 1;
	}
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void
empty_all(struct sampler *sampler)
{
	for (size_t i = 0; i < sampler->n_rings; i++)
		sampler_empty_ring(sampler, &sampler->ring[i]);
}

static void *
empty_always(void *argument)
{
	struct sampler *sampler = argument;
	struct pollfd *poll_fd = calloc(sampler->n_rings, sizeof(*poll_fd));

	for (size_t i = 0; poll_fd && i < sampler->n_rings; i++)
		poll_fd[i] = (struct pollfd){ sampler->ring[i].fd, POLLIN, 0 };
	while (poll_fd && !__atomic_load_n(&sampler->leave, __ATOMIC_ACQUIRE)) {
		/* POLLHUP of ended targets would make it spin */
		if (poll(poll_fd, sampler->n_rings, WAIT_MS) > 0 &&
		    poll_fd[0].revents & POLLHUP)
			usleep(WAIT_MS * 1000);
		pthread_mutex_lock(&sampler->lock);
		empty_all(sampler);
		pthread_mutex_unlock(&sampler->lock);
	}
	free(poll_fd);
	return NULL;
}

/* SPE writes its packets into a ring of its own */
static int
map_aux(struct sampler *sampler, struct ring *ring)
{
	void *at;

	ring->page->aux_offset = ring->page->data_offset + ring->data_bytes;
	ring->page->aux_size = AUX_BYTES;
	at = mmap(NULL, AUX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
		  (off_t)ring->page->aux_offset);
	if (at == MAP_FAILED)
		return fail_errno(
			errno,
			"%s: no ring of %u bytes (kernel.perf_event_mlock_kb)",
			sampler->what, AUX_BYTES);
	ring->aux = at;
	return 0;
}

static int
map_ring(struct sampler *sampler, int fd)
{
	struct ring *ring = reallocarray(sampler->ring, sampler->n_rings + 1,
					 sizeof(*ring));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int error = ENOMEM;

	if (!ring)
		return fail(ENOMEM, "%s: no memory", sampler->what);
	sampler->ring = ring;
	for (size_t bytes = RING_BYTES_MAX; bytes >= RING_BYTES_MIN;
	     bytes /= 2) {
		void *at = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0);

		if (at != MAP_FAILED) {
			ring += sampler->n_rings++;
			*ring = (struct ring){ at, bytes, fd, NULL };
			return sampler->event[0].spe ? map_aux(sampler, ring)
						     : 0;
		}
		error = errno;
	}
	return fail_errno(
		error, "%s: no ring of %u bytes (kernel.perf_event_mlock_kb)",
		sampler->what, RING_BYTES_MIN);
}

static struct perf_event_attr
attr_of(const struct sampler *sampler, size_t i)
{
	struct perf_event_attr attr = sampler->event[i].attr;

	attr.size = sizeof(attr);
	attr.sample_type = SAMPLE_TYPE | sampler->event[i].sample_type;
	attr.sample_id_all = 1;
	attr.inherit = 1;
	attr.inherit_thread = sampler->setup.no_follow;
	attr.use_clockid = 1;
	attr.clockid = CLOCK_MONOTONIC;
	attr.watermark = 1;
	attr.wakeup_watermark = RING_BYTES_MIN / 4;
	/* Those of a group follow its leader */
	attr.disabled = attr.enable_on_exec =
		!sampler->setup.pid && !sampler->event[i].grouped;
	if (!sampler->setup.companion && i == 0) {
		attr.mmap = attr.mmap2 = attr.mmap_data = 1;
		attr.task = attr.comm = attr.comm_exec = 1;
	}
	return attr;
}

/* Keep the descriptor, and send its samples to the core's ring */
static int
add_counter(struct sampler *sampler, int fd, size_t event, size_t ring)
{
	struct counter *counter =
		reallocarray(sampler->counter, sampler->n_counters + 1,
			     sizeof(*counter));

	if (!counter) {
		close(fd);
		return fail(ENOMEM, "%s: no memory", sampler->what);
	}
	sampler->counter = counter;
	counter += sampler->n_counters++;
	*counter = (struct counter){ .fd = fd, .event = (uint8_t)event };
	if (ioctl(fd, PERF_EVENT_IOC_ID, &counter->id))
		return fail_errno(errno, "%s: perf event", sampler->what);
	if (ring == sampler->n_rings)
		return map_ring(sampler, fd);
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, sampler->ring[ring].fd))
		return fail_errno(errno, "%s: perf ring", sampler->what);
	return 0;
}

/* All events of one thread on one core; the first of a core has the ring */
static int
open_on_core(struct sampler *sampler, pid_t tid, int core, size_t ring)
{
	int leader = -1;

	for (size_t i = 0; i < sampler->n_events; i++) {
		struct perf_event_attr attr = attr_of(sampler, i);
		bool grouped = sampler->event[i].grouped;
		int error, fd = open_event(&attr, tid, core,
					   grouped ? leader : -1);

		if (fd == -ESRCH || fd == -ENODEV)
			return 0; /* a thread that ended, a core that is off */
		if (fd < 0)
			return fail_errno(-fd, "%s: perf_event_open",
					  sampler->what);
		if (i == 0)
			leader = fd;
		error = add_counter(sampler, fd, i, ring);
		if (error)
			return error;
	}
	return 0;
}

static int
open_thread(struct sampler *sampler, pid_t tid)
{
	long int cores = sysconf(_SC_NPROCESSORS_CONF);
	size_t ring = 0;

	for (int core = 0; core < cores; core++) {
		size_t before = sampler->n_counters;
		int error = open_on_core(sampler, tid, core, ring);

		if (error)
			return error;
		ring += sampler->n_counters > before;
	}
	return 0;
}

/* Alone, what a running process has mapped is told here */
static int
add_mapping(void *context, const struct mapping_line *line)
{
	struct sampler *sampler = context;
	struct item *item = sampler_item(sampler);

	if (!item)
		return -ENOMEM;
	item->kind = ITEM_MAP;
	item->pid = item->tid = sampler->root;
	item->address = line->start;
	item->length = line->end - line->start;
	item->flags = line->flags | MAP_FLAG_INITIAL;
	if (line->flags & MAP_FLAG_FILE)
		item->offset = line->offset;
	if (!*line->path)
		return 0;
	return files_number(sampler->files, line->path, line->inode,
			    &item->file);
}

static int
open_one(void *context, pid_t pid, pid_t tid)
{
	(void)pid;
	return open_thread(context, tid);
}

static int
sampler_attach(struct tracer *tracer, pid_t pid)
{
	struct sampler *sampler = (struct sampler *)tracer;
	sigset_t all, old;
	int error;

	sampler->root = pid;
	error = target_each_thread(sampler->what, pid, open_one, sampler);
	if (!error && sampler->setup.pid && !sampler->setup.companion)
		error = maps_each(pid, add_mapping, sampler);
	if (error)
		return error;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&sampler->thread, NULL, empty_always, sampler);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return fail_errno(error, "%s: cannot start a thread",
				  sampler->what);
	sampler->running = true;
	return 0;
}

static int
by_time(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? -1 : 1;
	return left->order < right->order ? -1 : left->order > right->order;
}

/* Who and where the batch's events are; 1: another batch must be begun */
static int
place(struct sampler *sampler, const struct item *item, struct batch *batch)
{
	uint32_t thread, space;
	int error = roster_thread(sampler->setup.roster, item->pid, item->tid,
				  &thread);

	if (!error)
		error = roster_space(sampler->setup.roster, item->pid, &space);
	if (error)
		return error;
	if (batch->n_events && space != batch->space)
		return 1;
	if (!batch->n_events) {
		batch->thread = thread;
		batch->space = space;
	}
	return 0;
}

/* Alone, the roster learns from perf's records who forks and execs */
static int
task_event(struct sampler *sampler, const struct item *item,
	   struct event *event)
{
	struct roster *roster = sampler->setup.roster;
	uint32_t space = 0;
	int error = 0;

	switch (item->kind) {
	case ITEM_FORK:
		if ((pid_t)item->ip == item->pid) { /* a thread */
			event->type = EVENT_THREAD;
			error = roster_thread(roster, item->pid, item->tid,
					      &space);
		} else {
			error = roster_fork(roster, (pid_t)item->ip, item->pid,
					    &space);
		}
		break;
	case ITEM_EXEC:
		error = roster_exec(roster, item->pid, &space);
		break;
	default:
		if (item->pid == item->tid)
			roster_exit(roster, item->pid);
		event->flags = item->pid == item->tid;
		return 0;
	}
	event->value = space;
	return error;
}

/*
 * The kernel ends the events of a process that execs a set-user-ID program (or
 * one that it may not read), which looks like its end before its first mapping.
 */
static void
look_for_privileged(struct sampler *sampler, const struct item *item)
{
	pid_t *free_one = NULL;

	for (size_t i = 0; i < FRESH; i++) {
		if (sampler->fresh[i] == item->pid) {
			sampler->fresh[i] = 0;
			if (item->kind != ITEM_EXIT)
				continue;
			warn("%s: process %d has exec'd a set-user-ID or unreadable program: the kernel lets nobody watch it, it goes on unrecorded",
			     sampler->what, (int)item->pid);
			about_loss(
				sampler->setup.stream,
				"a set-user-ID or unreadable program was exec'd");
		}
		if (!sampler->fresh[i])
			free_one = &sampler->fresh[i];
	}
	if (item->kind == ITEM_EXEC && free_one)
		*free_one = item->pid;
}

static const uint8_t item_events[] = {
	[ITEM_SAMPLE] = EVENT_FAULT, [ITEM_MAP] = EVENT_MAP,
	[ITEM_FORK] = EVENT_FORK,    [ITEM_EXEC] = EVENT_EXEC,
	[ITEM_EXIT] = EVENT_EXIT,
};

static int
put(struct sampler *sampler, const struct item *item, struct batch *batch)
{
	const struct sampler_event *from = &sampler->event[item->event];
	struct item where = *item;
	struct event *event;
	int error;

	/* A fork's record is the parent's event, with the child's ids */
	if (item->kind == ITEM_FORK && sampler->setup.no_follow &&
	    (pid_t)item->ip != item->pid)
		return 0;
	if (item->kind == ITEM_FORK)
		where.pid = where.tid = (pid_t)item->ip;
	error = place(sampler, &where, batch);
	if (error)
		return error;
	event = batch_event(batch, item_events[item->kind]);
	if (!event)
		return 1;
	look_for_privileged(sampler, item);
	event->time_ns = item->time_ns;
	event->address = item->address;
	batch->time_ns = item->time_ns;
	error = roster_thread(sampler->setup.roster, where.pid, where.tid,
			      &event->thread);
	if (error)
		return error;
	if (item->kind == ITEM_MAP) {
		event->length = item->length;
		event->offset = item->offset;
		event->file = item->file;
		event->flags = item->flags;
	} else if (item->kind != ITEM_SAMPLE) {
		return task_event(sampler, item, event);
	} else {
		event->value = item->ip;
		event->flags = from->flags;
		if (!from->fault) {
			event->type = EVENT_SAMPLE;
			event->extra = item->extra;
			event->file = sampler->name[item->event];
			event->flags = item->flags;
			event->length = item->length;
			event->offset = item->offset;
		}
	}
	return 0;
}

/* Events of one process from the front of the queue: 1: some; 0: none */
static int
fill(struct sampler *sampler, struct batch *batch)
{
	size_t done = 0;
	int result = 0;

	if (!sampler->sorted && sampler->n_items)
		qsort(sampler->item, sampler->n_items, sizeof(struct item),
		      by_time);
	sampler->sorted = true;
	batch->columned = true;
	while (done < sampler->n_items && !result) {
		uint8_t kind = sampler->item[done].kind;

		result = put(sampler, &sampler->item[done], batch);
		done += !result;
		/* The space of what follows may be another */
		if (!result && (kind == ITEM_EXEC || kind == ITEM_EXIT))
			result = 1;
	}
	sampler->n_items -= done;
	if (done)
		memmove(sampler->item, sampler->item + done,
			sampler->n_items * sizeof(struct item));
	return result < 0 ? result : batch->n_events > 0;
}

/* What the events counted so far */
static uint64_t
counted(const struct sampler *sampler, size_t event)
{
	uint64_t count, sum = 0;

	for (size_t i = 0; i < sampler->n_counters; i++)
		if (sampler->counter[i].event == event &&
		    read(sampler->counter[i].fd, &count, sizeof(count)) ==
			    sizeof(count))
			sum += count;
	return sum;
}

/*
 * All that was in the rings when the counts were read has been seen: what is
 * missing was lost.  Asked only when something came since the last time, for
 * reading a count may interrupt the core it is on.
 */
static int
account(struct sampler *sampler, struct batch *batch,
	const uint64_t count[SAMPLER_EVENTS])
{
	uint64_t lost = sampler->damaged;

	for (size_t i = 0; i < sampler->n_events; i++)
		if (sampler->event[i].attr.sample_period == 1 &&
		    count[i] > sampler->seen[i])
			lost += count[i] - sampler->seen[i];
	if (lost <= sampler->lost)
		return 0;
	lost -= sampler->lost;
	sampler->lost += lost;
	if (place(sampler,
		  &(struct item){ .pid = sampler->root, .tid = sampler->root },
		  batch))
		return -ENOMEM;
	batch_event(batch, EVENT_LOST)->value = lost;
	if (!sampler->loss_said)
		about_loss(sampler->setup.stream,
			   "samples of perf events: its rings were full");
	sampler->loss_said = true;
	return 1;
}

static int
take_all(struct sampler *sampler, struct batch *batch)
{
	uint64_t count[SAMPLER_EVENTS] = { 0 }, seen = 0;
	bool ask;
	int got;

	pthread_mutex_lock(&sampler->lock);
	for (size_t i = 0; i < sampler->n_events; i++)
		seen += sampler->seen[i];
	ask = seen != sampler->seen_asked && !sampler->n_items;
	for (size_t i = 0; ask && i < sampler->n_events; i++)
		count[i] = counted(sampler, i);
	if (ask)
		sampler->seen_asked = seen;
	empty_all(sampler);
	got = sampler->failed ? fail(ENOMEM, "%s: no memory", sampler->what)
			      : fill(sampler, batch);
	if (!got && ask)
		got = account(sampler, batch, count);
	pthread_mutex_unlock(&sampler->lock);
	return got;
}

/* Has the command ended? */
static void
look_for_end(struct sampler *sampler)
{
	if (sampler->root_ended || !sampler->root)
		return;
	if (sampler->setup.pid)
		sampler->root_ended = kill(sampler->root, 0) && errno == ESRCH;
	else
		sampler->root_ended =
			waitpid(sampler->root, &sampler->root_status,
				WNOHANG) == sampler->root;
}

/* So that who stores the batches ends a block, which a kill would lose */
static int
empty_batch(struct sampler *sampler, struct batch *batch)
{
	int error = place(sampler,
			  &(struct item){ .pid = sampler->root,
					  .tid = sampler->root },
			  batch);

	batch->columned = true;
	batch->time_ns = sampler->given_ns;
	return error ? -ENOMEM : 1;
}

static int
sampler_next(struct source *source, struct batch *batch)
{
	struct sampler *sampler = (struct sampler *)source;
	int got;

	if (sampler->setup.companion)
		return take_all(sampler, batch);
	for (;;) {
		bool ended;

		look_for_end(sampler);
		ended = sampler->root_ended || sampler->detached;
		got = take_all(sampler, batch);
		if (!got && ended)
			got = take_all(sampler, batch);
		if (got > 0) {
			sampler->given_ns = batch->time_ns;
			sampler->quiet = 0;
		}
		if (got || ended)
			return got;
		if (*sampler->setup.stop)
			return -EINTR;
		if (sampler->given_ns && ++sampler->quiet == QUIET_LOOKS)
			return empty_batch(sampler, batch);
		usleep(LOOK_MS * 1000);
	}
}

static bool
sampler_status(const struct tracer *tracer, int *status)
{
	const struct sampler *sampler = (const struct sampler *)tracer;

	if (sampler->root_ended)
		*status = sampler->root_status;
	return sampler->root_ended && !sampler->setup.pid;
}

static int
sampler_detach(struct tracer *tracer)
{
	struct sampler *sampler = (struct sampler *)tracer;

	for (size_t i = 0; i < sampler->n_counters; i++)
		ioctl(sampler->counter[i].fd, PERF_EVENT_IOC_DISABLE, 0);
	sampler->detached = true;
	return 0;
}

static void
sampler_close(struct source *source)
{
	struct sampler *sampler = (struct sampler *)source;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	__atomic_store_n(&sampler->leave, true, __ATOMIC_RELEASE);
	if (sampler->running)
		pthread_join(sampler->thread, NULL);
	for (size_t i = 0; i < sampler->n_rings; i++) {
		if (sampler->ring[i].aux)
			munmap(sampler->ring[i].aux, AUX_BYTES);
		munmap(sampler->ring[i].page,
		       page + sampler->ring[i].data_bytes);
	}
	for (size_t i = 0; i < sampler->n_counters; i++)
		close(sampler->counter[i].fd);
	pthread_mutex_destroy(&sampler->lock);
	files_close(sampler->files);
	free(sampler->ring);
	free(sampler->counter);
	free(sampler->item);
	free(sampler);
}

static const struct source_methods source_methods = {
	.next = sampler_next,
	.close = sampler_close,
};

static const struct tracer_methods methods = {
	.attach = sampler_attach,
	.status = sampler_status,
	.detach = sampler_detach,
};

int
sampler_open(struct tracer **out, const struct tracer_setup *setup,
	     const char *what, const struct sampler_event *events,
	     size_t n_events)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));
	int error;

	if (!sampler)
		return fail(ENOMEM, "%s: no memory", what);
	pthread_mutex_init(&sampler->lock, NULL);
	sampler->tracer.source.methods = &source_methods;
	sampler->tracer.source.stream = setup->stream;
	sampler->tracer.tracing = &methods;
	sampler->setup = *setup;
	sampler->n_events = n_events;
	memcpy(sampler->event, events, n_events * sizeof(*events));
	error = files_open(&sampler->files, setup->stream);
	for (size_t i = 0; i < n_events && !error; i++)
		error = events[i].fault
				? 0
				: files_number(sampler->files, events[i].name,
					       0, &sampler->name[i]);
	if (error) {
		sampler_close(&sampler->tracer.source);
		return error;
	}
	/* One that outlives us: the stream's copy of the name, or a literal */
	sampler->what =
		events[0].fault
			? "faults"
			: stream_file(setup->stream, sampler->name[0])->path;
	*out = &sampler->tracer;
	return 0;
}
