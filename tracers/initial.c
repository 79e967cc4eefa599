// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pages that are there when recording of a space begins: all of a process
 * that was joined; of one that has just exec'd those that the kernel wrote:
 *
 *	[stack]  | vectors, random bytes | strings of environment, arguments |
 *	         sp: faults (create_elf_tables)   arg_start: put there before
 *	data     the rest of the page behind the file's bytes is cleared: a fault
 */
#include "tracers/initial.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracers/pagemap.h"

#define PAGE	  UINT64_C(4096)
#define ARG_START 48 /* field of /proc/PID/stat: proc(5) */

static uint64_t
arguments_start(pid_t pid)
{
	char path[48], text[2048];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* Its name, the second field, may have blanks and brackets. */
	at = strrchr(text, ')');
	for (int field = 2; at && field < ARG_START; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

struct initial {
	struct target *target;
	uint64_t arguments; /* page of arg_start; 0: no exec */
	uint64_t stack_start, stack_end;
};

static int
find_stack(void *context, const struct mapping_line *line)
{
	struct initial *initial = context;

	if (!(line->flags & MAP_FLAG_STACK))
		return 0;
	initial->stack_start = line->start;
	initial->stack_end = line->end;
	return 1;
}

static void
tell_resident(struct target *target, const struct pagemap_run *run)
{
	struct event *event = target->event(target->context, EVENT_RESIDENT);

	event->address = run->start;
	event->length = run->end - run->start;
	event->extra = run->shift;
	event->flags = run->flags | RESIDENT_INITIAL;
}

/* Where the kernel wrote the page by a fault, of exec's own. */
static bool
was_faulted(const struct initial *initial, const struct pagemap_run *run)
{
	if (!initial->arguments || run->flags & (RESIDENT_FILE | RESIDENT_ZERO))
		return false;
	return run->start < initial->stack_start ||
	       run->start >= initial->stack_end ||
	       run->start < initial->arguments;
}

/* A run, in two where the arguments begin. */
static void
tell(const struct initial *initial, const struct pagemap_run *whole)
{
	struct pagemap_run run = *whole;

	if (run.start < initial->arguments && run.end > initial->arguments) {
		run.end = initial->arguments;
		tell(initial, &run);
		run.start = run.end;
		run.end = whole->end;
	}
	if (was_faulted(initial, &run))
		target_kernel_access(initial->target, EVENT_KERNEL_WRITE,
				     run.start, run.end - run.start);
	else
		tell_resident(initial->target, &run);
}

/* Frames and folios are not told, so that runs are long. */
static struct pagemap_run
coarse(const struct pagemap_run *run)
{
	struct pagemap_run told = *run;

	told.frame = 0;
	told.flags &= RESIDENT_FILE | RESIDENT_ZERO | RESIDENT_SHARED |
		      RESIDENT_DIRTY | RESIDENT_LARGE;
	if (!(told.flags & RESIDENT_LARGE))
		told.shift = 12;
	return told;
}

static void
tell_all(const struct initial *initial, const struct pagemap_look *look)
{
	struct pagemap_run last = { 0 };

	for (size_t i = 0; i < look->n; i++) {
		struct pagemap_run run = coarse(&look->run[i]);

		if (look->run[i].flags & RESIDENT_SWAPPED)
			continue;
		if (last.end == run.start && last.flags == run.flags &&
		    last.shift == run.shift) {
			last.end = run.end;
			continue;
		}
		if (last.end)
			tell(initial, &last);
		last = run;
	}
	if (last.end)
		tell(initial, &last);
}

void
initial_pages(struct target *target, bool execed)
{
	struct initial initial = { .target = target };
	struct pagemap_look look = { 0 };
	struct pagemap *pagemap;

	if (pagemap_open(&pagemap)) {
		target->failed = true;
		return;
	}
	if (execed) {
		initial.arguments = arguments_start(target->pid) & ~(PAGE - 1);
		maps_each(target->pid, find_stack, &initial);
	}
	if (!pagemap_take(pagemap, target->pid, &look))
		tell_all(&initial, &look);
	pagemap_look_fini(&look);
	pagemap_close(pagemap);
}
