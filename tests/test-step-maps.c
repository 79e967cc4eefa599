// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The address space that the mapping events imply is the one the kernel shows
 * in /proc/PID/maps, after each call of a program that changes its own
 * (step-target.c, "maps").
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step-watch.h"
#include "tracers/tracer.h"

#define PAGE	  UINT64_C(4096)
#define MARK	  UINT64_C(0x1000)
#define AREAS_MAX 1024
#define RIGHTS	  (MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_EXEC)
#define COMPARED  (RIGHTS | MAP_FLAG_SHARED)

struct area {
	uint64_t start, end;
	unsigned flags;
};

/* Sorted, apart from each other; neighbours that are alike are joined only
 * for comparing */
struct areas {
	struct area area[AREAS_MAX];
	size_t n;
};

static void
insert(struct areas *areas, struct area area)
{
	size_t i = areas->n;

	assert_true(areas->n < AREAS_MAX);
	for (; i && areas->area[i - 1].start > area.start; i--)
		areas->area[i] = areas->area[i - 1];
	areas->area[i] = area;
	areas->n++;
}

/* Take [start, end) out; what was there goes to `taken`, if that is wanted */
static void
cut(struct areas *areas, uint64_t start, uint64_t end, struct areas *taken)
{
	struct areas left = { .n = 0 };

	for (size_t i = 0; i < areas->n; i++) {
		struct area area = areas->area[i], part = area;

		if (area.end <= start || area.start >= end) {
			insert(&left, area);
			continue;
		}
		if (area.start < start) {
			part.end = start;
			insert(&left, part);
		}
		if (area.end > end) {
			part = area;
			part.start = end;
			insert(&left, part);
		}
		part = area;
		part.start = area.start > start ? area.start : start;
		part.end = area.end < end ? area.end : end;
		if (taken)
			insert(taken, part);
	}
	*areas = left;
}

static void
apply(struct areas *areas, const struct event *event)
{
	uint64_t start = event->address, end = start + event->length;
	struct areas taken = { .n = 0 };

	switch ((enum event_type)event->type) {
	case EVENT_EXEC:
		areas->n = 0;
		break;
	case EVENT_MAP:
		cut(areas, start, end, NULL);
		insert(areas,
		       (struct area){ start, end, event->flags & COMPARED });
		break;
	case EVENT_UNMAP:
		cut(areas, start, end, NULL);
		break;
	case EVENT_PROTECT:
		cut(areas, start, end, &taken);
		for (size_t i = 0; i < taken.n; i++) {
			taken.area[i].flags &= ~(unsigned)RIGHTS;
			taken.area[i].flags |= event->flags;
			insert(areas, taken.area[i]);
		}
		break;
	case EVENT_REMAP:
		cut(areas, start, end, &taken);
		cut(areas, event->value, event->value + event->extra, NULL);
		assert_true(taken.n > 0);
		insert(areas,
		       (struct area){ event->value, event->value + event->extra,
				      taken.area[0].flags });
		break;
	default:
		break;
	}
}

static void
join(struct areas *areas)
{
	size_t n = 0;

	for (size_t i = 0; i < areas->n; i++) {
		struct area *last = n ? &areas->area[n - 1] : NULL;

		if (last && last->end == areas->area[i].start &&
		    last->flags == areas->area[i].flags)
			last->end = areas->area[i].end;
		else
			areas->area[n++] = areas->area[i];
	}
	areas->n = n;
}

/* The kernel's: the stack, which grows by itself, is told apart */
static void
read_maps(const char *path, struct areas *areas, struct area *stack)
{
	FILE *file = fopen(path, "r");
	char line[8192];

	assert_non_null(file);
	areas->n = 0;
	while (fgets(line, sizeof(line), file)) {
		unsigned long long start, end;
		char rights[5];
		struct area area;

		assert_int_equal(sscanf(line, "%llx-%llx %4s", &start, &end,
					rights),
				 3);
		area = (struct area){
			start, end,
			(rights[0] == 'r' ? MAP_FLAG_READ : 0) |
				(rights[1] == 'w' ? MAP_FLAG_WRITE : 0) |
				(rights[2] == 'x' ? MAP_FLAG_EXEC : 0) |
				(rights[3] == 's' ? MAP_FLAG_SHARED : 0)
		};
		if (strstr(line, "[stack]"))
			*stack = area;
		else if (!strstr(line, "[vsyscall]"))
			insert(areas, area);
	}
	fclose(file);
}

static void
compare(const struct areas *implied, const char *directory, uint64_t number)
{
	struct areas ours = *implied, kernels = { .n = 0 };
	struct area stack = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/%llu", directory,
		 (unsigned long long)number);
	read_maps(path, &kernels, &stack);
	assert_true(stack.end > stack.start);
	cut(&ours, stack.start, stack.end, NULL);
	join(&ours);
	join(&kernels);
	for (size_t i = 0; i < kernels.n && i < ours.n; i++) {
		const struct area *a = &ours.area[i], *b = &kernels.area[i];

		if (a->start != b->start || a->end != b->end ||
		    a->flags != b->flags)
			fail_msg(
				"after change %llu: events say %llx-%llx %x, the kernel %llx-%llx %x",
				(unsigned long long)number,
				(unsigned long long)a->start,
				(unsigned long long)a->end, a->flags,
				(unsigned long long)b->start,
				(unsigned long long)b->end, b->flags);
	}
	assert_int_equal(ours.n, kernels.n);
	unlink(path);
}

static void
beside(char *path, size_t bytes, const char *name)
{
	ssize_t n = readlink("/proc/self/exe", path, bytes - 1);

	assert_true(n > 0);
	path[n] = '\0';
	n = strrchr(path, '/') + 1 - path;
	snprintf(path + n, bytes - (size_t)n, "%s", name);
}

static void
test_events_imply_what_the_kernel_shows(void **state)
{
	char directory[] = "/tmp/test-step-maps-XXXXXX", self[4096];
	char what[] = "maps";
	char *argv[] = { self, what, directory, NULL };
	struct areas areas = { .n = 0 };
	uint64_t seen = 0;
	struct step_run run;

	(void)state;
	beside(self, sizeof(self), "step-target");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(step_run(&run, "step", argv), 0);
	assert_true(WIFEXITED(run.status) && !WEXITSTATUS(run.status));
	for (size_t i = 0; i < run.n_events; i++) {
		const struct event *event = &run.event[i].event;

		apply(&areas, event);
		if (event->type != EVENT_ADVISE || event->length)
			continue;
		compare(&areas, directory, event->address / MARK - 1);
		seen++;
	}
	/* Two less where System V shared memory is not to be had */
	assert_in_range(seen, 14, 16);
	assert_int_equal(rmdir(directory), 0);
	step_run_close(&run);
}

/* Names and build-ids come with the mappings */
static void
test_mapped_files_have_names_and_build_ids(void **state)
{
	char self[4096], what[] = "leaf";
	char *argv[] = { self, what, NULL };
	bool program = false, stack = false;
	struct step_run run;

	(void)state;
	beside(self, sizeof(self), "step-target");
	assert_int_equal(step_run(&run, "step", argv), 0);
	assert_int_equal(WEXITSTATUS(run.status), 13);
	for (size_t i = 0; i < run.n_events; i++) {
		const struct event *event = &run.event[i].event;
		const struct file *file;

		if (event->type != EVENT_MAP || event->file == UINT32_MAX)
			continue;
		file = stream_file(run.stream, event->file);
		if (!strcmp(file->path, self)) {
			program = true;
			assert_true(event->flags & MAP_FLAG_INITIAL);
			assert_true(event->flags & MAP_FLAG_FILE);
			assert_true(strlen(file->build_id) >= 16);
		} else if (!strcmp(file->path, "[stack]")) {
			stack = true;
			assert_true(event->flags & MAP_FLAG_STACK);
		}
	}
	assert_true(program && stack);
	step_run_close(&run);
}

/* Threads, forks, execs and ends of the program "processes" */
static void
test_threads_and_processes_are_followed(void **state)
{
	char self[4096], what[] = "processes";
	char *argv[] = { self, what, NULL };
	size_t processes = 0;
	struct step_run run;

	(void)state;
	beside(self, sizeof(self), "step-target");
	assert_int_equal(step_run(&run, "step", argv), 0);
	assert_int_equal(WEXITSTATUS(run.status), 13);
	/* Itself, at the start and at the end, and what it vforked */
	assert_int_equal(step_run_count(&run, EVENT_EXEC), 3);
	assert_int_equal(step_run_count(&run, EVENT_FORK), 1);
	/* Three threads, a fork, a vfork */
	assert_int_equal(step_run_count(&run, EVENT_THREAD), 5);
	assert_int_equal(step_run_count(&run, EVENT_EXIT), 6);
	for (size_t i = 0; i < run.n_events; i++) {
		const struct event *event = &run.event[i].event;

		processes += event->type == EVENT_EXIT && event->flags & 1;
	}
	assert_int_equal(processes, 3);
	assert_int_equal(stream_threads(run.stream), 6);
	step_run_close(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_imply_what_the_kernel_shows),
		cmocka_unit_test(test_mapped_files_have_names_and_build_ids),
		cmocka_unit_test(test_threads_and_processes_are_followed),
	};
	char why[256];

	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, "step") &&
		    tracer_registry[i]->probe(why, sizeof(why))) {
			printf("skipped: %s\n", why);
			return 77;
		}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
