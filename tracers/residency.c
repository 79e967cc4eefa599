// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `residency`: looks at the pages of live processes at intervals
 * (pagemap.h) and tells what changed since the look before.
 *
 * Beside a main engine it looks when that one hands out a batch, and only at
 * processes that it knows.  Alone it follows the mappings too.
 */
#include "tracers/tracer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/hooks-maps.h"
#include "tracers/pagemap.h"
#include "tracers/roster.h"

#define INTERVAL_NS 100000000 /* where none is given */
#define POLL_NS	    5000000
#define PROCESSES   256
#define MAPS_BYTES  (UINT64_C(4) << 20)

struct watched {
	pid_t pid;
	uint32_t space, thread;
	struct pagemap_look look;
	struct hooks_areas areas; /* alone */
};

struct residency {
	struct tracer tracer;
	struct tracer_setup setup;
	struct pagemap *pagemap;
	struct files *files;
	char *text; /* owned [MAPS_BYTES + 1] */
	struct watched *watched[PROCESSES];
	size_t n;
	struct pagemap_look fresh;
	struct hooks_changes before, after;

	struct event *event; /* owned: of one look, to be handed out */
	size_t n_events, at, room;
	struct watched *whose;
	uint64_t event_time_ns;

	size_t next_process; /* of this round of looks; n: the round is over */
	uint64_t due_ns, interval_ns;
	pid_t root;
	bool execed, root_ended, detached, last_round, said;
	int root_status;
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int
event_add(struct residency *residency, const struct event *event)
{
	size_t room = 2 * residency->room + 1024;
	struct event *all = residency->event;

	if (residency->n_events == residency->room) {
		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "residency: no memory");
		residency->event = all;
		residency->room = room;
	}
	all[residency->n_events++] = *event;
	return 0;
}

static int
add_resident(struct residency *residency, uint64_t start, uint64_t end,
	     const struct pagemap_run *run)
{
	struct event event = {
		.type = EVENT_RESIDENT,
		.file = UINT32_MAX,
		.flags = RESIDENT_GONE,
		.address = start,
		.length = end - start,
	};

	if (run) {
		event.flags = run->flags;
		event.value =
			run->frame ? run->frame + (start - run->start) : 0;
		event.extra = run->shift;
	}
	return event_add(residency, &event);
}

/* In a piece that both cover */
static bool
same(const struct pagemap_run *a, const struct pagemap_run *b)
{
	if (a->flags != b->flags || a->shift != b->shift ||
	    !a->frame != !b->frame)
		return false;
	return !a->frame || a->frame - a->start == b->frame - b->start;
}

/* Where the next piece ends: the nearest edge of either behind `at`. */
static uint64_t
edge(const struct pagemap_look *look, size_t i, uint64_t at)
{
	if (i == look->n)
		return UINT64_MAX;
	return look->run[i].start > at ? look->run[i].start : look->run[i].end;
}

/* Events of what is not as it was.  Unchanged pieces of a changed run are not
 * told again. */
static int
compare(struct residency *residency, const struct pagemap_look *old,
	const struct pagemap_look *now)
{
	uint64_t at = 0;
	size_t i = 0, j = 0;
	int error = 0;

	while (!error && (i < old->n || j < now->n)) {
		uint64_t a = edge(old, i, at), b = edge(now, j, at);
		uint64_t end = a < b ? a : b;
		const struct pagemap_run *was =
			i < old->n && old->run[i].start <= at ? &old->run[i]
							      : NULL;
		const struct pagemap_run *is =
			j < now->n && now->run[j].start <= at ? &now->run[j]
							      : NULL;

		bool changed = was || is;

		if (was && is)
			changed = !same(was, is);
		if (changed)
			error = add_resident(residency, at, end, is);
		at = end;
		i += i < old->n && old->run[i].end <= at;
		j += j < now->n && now->run[j].end <= at;
	}
	return error;
}

/* KiB of a line of smaps_rollup, 0 if it is not there. */
static uint64_t
referenced_kib(pid_t pid)
{
	char path[48], text[256];
	unsigned long long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(text, sizeof(text), file))
		if (sscanf(text, "Referenced: %llu kB", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* The kernel forgets which pages were referenced: the next look counts anew. */
static void
forget_referenced(pid_t pid)
{
	char path[48];
	ssize_t done;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	done = write(fd, "1", 1);
	(void)done;
	close(fd);
}

static int
add_look(struct residency *residency, const struct watched *watched)
{
	const struct pagemap *pagemap = residency->pagemap;
	const struct pagemap_look *look = &watched->look;
	struct event event = {
		.type = EVENT_LOOK,
		.file = UINT32_MAX,
		.length = look->resident_bytes,
		.offset = look->large_bytes,
		.value = look->swapped_bytes,
		.time_ns = residency->event_time_ns,
	};

	event.flags = (pagemap_shows_large(pagemap) ? LOOK_LARGE : 0) |
		      (pagemap_shows_frames(pagemap) ? LOOK_FRAMES : 0) |
		      (pagemap_shows_folios(pagemap) ? LOOK_FOLIOS : 0);
	if (residency->setup.referenced) {
		event.flags |= LOOK_REFERENCED;
		event.extra = referenced_kib(watched->pid) * 1024;
		forget_referenced(watched->pid);
	}
	return event_add(residency, &event);
}

/* What the host does not show is said, not told as zero. */
static void
say(struct residency *residency)
{
	const struct pagemap *pagemap = residency->pagemap;
	json_t *about = stream_about(residency->setup.stream);

	if (residency->said)
		return;
	residency->said = true;
	json_object_set_new(
		about, "residency",
		json_pack(
			"{s:f, s:s, s:s, s:s, s:s}", "interval_ms",
			(double)residency->interval_ns / 1e6, "frames",
			pagemap_shows_frames(pagemap)
				? "shown"
				: "hidden: only root (CAP_SYS_ADMIN) sees them",
			"large pages",
			pagemap_shows_large(pagemap)
				? "shown"
				: "not known: the kernel has no PAGEMAP_SCAN (6.7)",
			"folios",
			pagemap_shows_folios(pagemap)
				? "shown"
				: "not known: /proc/kpageflags is root's alone",
			"young",
			residency->setup.referenced
				? "an estimate by clear_refs, up to 40 % too low"
				: "not asked for (--referenced)"));
	if (!pagemap_shows_frames(pagemap))
		note("residency: physical frames are hidden: only root (CAP_SYS_ADMIN) sees them");
}

static int
read_text(struct residency *residency, pid_t pid)
{
	char path[48];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	n = fread(residency->text, 1, MAPS_BYTES, file);
	fclose(file);
	residency->text[n] = '\0';
	return n == MAPS_BYTES;
}

static int
add_changes(struct residency *residency, const struct hooks_changes *changes)
{
	int error = 0;

	for (size_t i = 0; i < changes->n && !error; i++)
		error = event_add(residency, &changes->event[i]);
	return error;
}

static int
add_mappings(struct residency *residency, struct watched *watched)
{
	int cut = read_text(residency, watched->pid);
	int error;

	if (cut < 0)
		return 0;
	error = hooks_maps_tell(&watched->areas, residency->text, cut,
				residency->files, &residency->before,
				&residency->after);
	if (!error)
		error = add_changes(residency, &residency->before);
	if (!error)
		error = add_changes(residency, &residency->after);
	return error;
}

/* Look at one process: its events are then ready.  -ENOMEM (said); a process
 * that is no more gives none. */
static int
look(struct residency *residency, struct watched *watched)
{
	struct pagemap_look swap;
	int error;

	residency->n_events = residency->at = 0;
	residency->whose = watched;
	error = pagemap_take(residency->pagemap, watched->pid,
			     &residency->fresh);
	residency->event_time_ns = now_ns();
	if (error && error != -ENOMEM && residency->setup.pid &&
	    !residency->said)
		return fail_errno(-error, "residency: process %d",
				  (int)watched->pid);
	/* Between exec and exit of a process there may be nothing to see. */
	if (error || !residency->fresh.n)
		return error == -ENOMEM ? error : 0;
	say(residency);
	if (!residency->setup.companion)
		error = add_mappings(residency, watched);
	if (!error)
		error = compare(residency, &watched->look, &residency->fresh);
	swap = watched->look;
	watched->look = residency->fresh;
	residency->fresh = swap;
	return error ? error : add_look(residency, watched);
}

/* Hand out events of the look that is ready; false: there are none. */
static bool
hand_out(struct residency *residency, struct batch *batch)
{
	if (residency->at == residency->n_events)
		return false;
	batch->thread = residency->whose->thread;
	batch->space = residency->whose->space;
	batch->time_ns = residency->event_time_ns;
	batch->columned = true;
	while (residency->at < residency->n_events &&
	       batch->n_events < BATCH_EVENTS) {
		struct event *event = batch_event(batch, EVENT_RESIDENT);

		*event = residency->event[residency->at++];
		event->thread = batch->thread;
	}
	return true;
}

static struct watched *
watched_find(const struct residency *residency, pid_t pid)
{
	for (size_t i = 0; i < residency->n; i++)
		if (residency->watched[i]->pid == pid)
			return residency->watched[i];
	return NULL;
}

/* Begin to watch pid, or find that its exec gave it another space. */
static int
watch(struct residency *residency, pid_t pid)
{
	struct roster *roster = residency->setup.roster;
	struct watched *watched = watched_find(residency, pid);
	uint32_t space, thread;
	int error;

	if (!watched && residency->n == PROCESSES)
		return 0;
	if (residency->setup.companion) {
		if (!roster_space_known(roster, pid, &space))
			return 0;
	} else {
		error = roster_space(roster, pid, &space);
		if (error)
			return error;
	}
	error = roster_thread(roster, pid, pid, &thread);
	if (error)
		return error;
	if (!watched) {
		watched = calloc(1, sizeof(*watched));
		if (!watched)
			return fail(ENOMEM, "residency: no memory");
		residency->watched[residency->n++] = watched;
	} else if (watched->space != space) {
		watched->look.n = 0;
	}
	watched->pid = pid;
	watched->space = space;
	watched->thread = thread;
	return 0;
}

/* Its children, and theirs (needs CONFIG_PROC_CHILDREN). */
static int
watch_tree(struct residency *residency, pid_t pid, unsigned depth)
{
	char path[64];
	int child, error = watch(residency, pid);
	FILE *file;

	if (error || residency->setup.no_follow || depth == 16)
		return error;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	file = fopen(path, "re");
	while (file && !error && fscanf(file, "%d", &child) == 1)
		error = watch_tree(residency, child, depth + 1);
	if (file)
		fclose(file);
	return error;
}

/* Until it execs, the command is a copy of this program. */
static bool
has_execed(struct residency *residency)
{
	char path[48], own[4096], its[4096];
	ssize_t n, m;

	if (residency->execed || residency->setup.pid)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)residency->root);
	n = readlink("/proc/self/exe", own, sizeof(own));
	m = readlink(path, its, sizeof(its));
	residency->execed = m > 0 && (n != m || memcmp(own, its, (size_t)n));
	return residency->execed;
}

/* The next process of this round has its look.  1: something is ready; 0: the
 * round is over, or not yet due; or a negative errno. */
static int
round_step(struct residency *residency)
{
	uint64_t now = now_ns();
	int error = 0;

	if (residency->next_process >= residency->n) {
		if (now < residency->due_ns || !has_execed(residency))
			return 0;
		residency->due_ns = now + residency->interval_ns;
		residency->next_process = 0;
		error = watch_tree(residency, residency->root, 0);
	}
	while (!error && residency->next_process < residency->n) {
		error = look(residency,
			     residency->watched[residency->next_process++]);
		if (!error && residency->n_events)
			return 1;
	}
	return error;
}

static void
look_for_end(struct residency *residency)
{
	if (residency->root_ended)
		return;
	if (residency->setup.pid)
		residency->root_ended =
			kill(residency->root, 0) && errno == ESRCH;
	else
		residency->root_ended =
			waitpid(residency->root, &residency->root_status,
				WNOHANG) == residency->root;
}

/* Nothing is due: 0: the end; 1: go on; -EINTR: asked to stop. */
static int
wait_alone(struct residency *residency)
{
	struct timespec pause = { 0, POLL_NS };

	look_for_end(residency);
	if (residency->root_ended)
		return 0;
	if (residency->detached) {
		/* One more look before we let go */
		if (residency->last_round)
			return 0;
		residency->last_round = true;
		residency->due_ns = 0;
		return 1;
	}
	if (residency->setup.stop && *residency->setup.stop)
		return -EINTR;
	nanosleep(&pause, NULL);
	return 1;
}

static int
residency_next(struct source *source, struct batch *batch)
{
	struct residency *residency = (struct residency *)source;
	int got = 0;

	for (;;) {
		if (hand_out(residency, batch))
			return 1;
		got = round_step(residency);
		if (got < 0)
			return got;
		if (got)
			continue;
		if (residency->setup.companion)
			return 0;
		got = wait_alone(residency);
		if (got <= 0)
			return got;
	}
}

static void
residency_close(struct source *source)
{
	struct residency *residency = (struct residency *)source;

	if (!residency)
		return;
	for (size_t i = 0; i < residency->n; i++) {
		pagemap_look_fini(&residency->watched[i]->look);
		hooks_areas_fini(&residency->watched[i]->areas);
		free(residency->watched[i]);
	}
	pagemap_look_fini(&residency->fresh);
	pagemap_close(residency->pagemap);
	files_close(residency->files);
	free(residency->before.event);
	free(residency->after.event);
	free(residency->event);
	free(residency->text);
	free(residency);
}

static int
residency_attach(struct tracer *tracer, pid_t pid)
{
	((struct residency *)tracer)->root = pid;
	return 0;
}

static bool
residency_status(const struct tracer *tracer, int *status)
{
	const struct residency *residency = (const struct residency *)tracer;

	if (residency->setup.companion || residency->setup.pid ||
	    !residency->root_ended)
		return false;
	*status = residency->root_status;
	return true;
}

static int
residency_detach(struct tracer *tracer)
{
	((struct residency *)tracer)->detached = true;
	return 0;
}

static const struct source_methods source_methods = {
	.next = residency_next,
	.close = residency_close,
};

static const struct tracer_methods tracer_methods = {
	.attach = residency_attach,
	.status = residency_status,
	.detach = residency_detach,
};

static int
residency_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct residency *residency = calloc(1, sizeof(*residency));
	int error;

	if (!residency)
		return fail(ENOMEM, "residency: no memory");
	residency->setup = *setup;
	residency->interval_ns =
		setup->interval_ns ? setup->interval_ns : INTERVAL_NS;
	residency->tracer.source.methods = &source_methods;
	residency->tracer.source.stream = setup->stream;
	residency->tracer.tracing = &tracer_methods;
	residency->text = malloc(MAPS_BYTES + 1);
	error = residency->text ? pagemap_open(&residency->pagemap)
				: fail(ENOMEM, "residency: no memory");
	if (!error)
		error = files_open(&residency->files, setup->stream);
	if (error) {
		residency_close(&residency->tracer.source);
		return error;
	}
	about_engine(
		setup->stream, "residency",
		"by time: looks at intervals, what comes and goes between two is not seen");
	*out = &residency->tracer;
	return 0;
}

static int
residency_probe(char *why, size_t why_bytes)
{
	if (!access("/proc/self/pagemap", R_OK))
		return 0;
	snprintf(
		why, why_bytes,
		"there is no /proc/self/pagemap: a kernel with CONFIG_PROC_PAGE_MONITOR is needed");
	return -ENOENT;
}

const struct tracer_ops residency_tracer = {
	.name = "residency",
	.help = "resident pages, their frames and sizes at intervals, alone or beside another engine",
	.companion = true,
	.probe = residency_probe,
	.open = residency_open,
};
