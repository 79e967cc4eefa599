// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memories: one for all, or each process's or group's own with a limit and a
 * policy of its own.  Who touches a page first pays for it, as in Linux's
 * memory groups.
 */
#include "models/paging/driver-inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define OTHERS "(others)"

int
driver_no_memory(void)
{
	return fail(ENOMEM, "reclaim: no memory");
}

static void
memory_evicted(void *context, uint32_t local, UNUSED bool dirty)
{
	struct memory *memory = context;
	struct driver *driver = memory->driver;
	uint32_t number = memory->page[local];

	if (driver->victims == driver->victim_room) {
		uint32_t room =
			driver->victim_room ? driver->victim_room * 2 : 64;
		uint32_t *grown =
			reallocarray(driver->victim, room, sizeof(*grown));

		if (!grown) {
			driver->error = driver_no_memory();
			return;
		}
		driver->victim = grown;
		driver->victim_room = room;
	}
	driver->victim[driver->victims++] = number;
	memory->beyond += (UINT64_C(1) << driver->page[number].order) - 1;
	driver->page[number].flags &= (uint8_t)~DRIVER_IN;
	/* When it comes back that is news, even if it is the next. */
	if (driver->lookup.last == number)
		driver->lookup.last = UINT32_MAX;
}

static void
memory_close(struct memory *memory)
{
	if (!memory)
		return;
	reclaim_close(memory->policy);
	free(memory->name);
	free(memory->page);
	free(memory->file);
	free(memory->size);
	free(memory);
}

void
memories_fini(struct driver *driver)
{
	for (uint32_t i = 0; i < driver->memories; i++)
		memory_close(driver->memory[i]);
	free(driver->memory);
	free(driver->memory_of);
	for (uint32_t i = 0; i < driver->names; i++)
		free(driver->name[i]);
	free(driver->name);
	free(driver->matched);
}

static int
memory_open(struct driver *driver, const char *name, uint32_t pid,
	    uint32_t *number)
{
	struct reclaim_config config = driver->config.own;
	struct memory *memory = calloc(1, sizeof(*memory)), **grown;
	int error;

	if (driver->memories == UINT16_MAX) {
		free(memory);
		return fail(ENOSPC, "reclaim: more than %u memories",
			    UINT16_MAX);
	}
	grown = reallocarray(driver->memory, driver->memories + 1,
			     sizeof(struct memory *));
	if (grown)
		driver->memory = grown;
	if (memory)
		memory->name = strdup(name);
	if (!grown || !memory || !memory->name) {
		memory_close(memory);
		return driver_no_memory();
	}
	memory->driver = driver;
	memory->pid = pid;
	config.policy = driver->policy;
	config.capacity = driver->limit;
	config.seed = driver->with.seed;
	config.folios = driver->folios;
	if (driver->folios)
		config.size = (const uint32_t *const *)&memory->size;
	config.file = (const uint8_t *const *)&memory->file;
	config.no_swap = driver->config.device == DEVICE_NONE;
	error = reclaim_open(&memory->policy, &config);
	if (error) {
		memory_close(memory);
		return error;
	}
	memory->policy->evicted = memory_evicted;
	memory->policy->context = memory;
	*number = driver->memories;
	driver->memory[driver->memories++] = memory;
	return 0;
}

/* The one of that name and pid, opened if it is new. */
static int
memory_named(struct driver *driver, const char *name, uint32_t pid,
	     uint32_t *number)
{
	for (uint32_t i = 0; i < driver->memories; i++)
		if (driver->memory[i]->pid == pid &&
		    !strcmp(driver->memory[i]->name, name)) {
			*number = i;
			return 0;
		}
	return memory_open(driver, name, pid, number);
}

const char *
memory_program(const struct driver *driver, uint32_t space)
{
	const struct stream *stream = driver->with.stream;

	while (space < stream_spaces(stream)) {
		uint32_t parent = stream_space(stream, space)->parent;

		if (space < driver->names && driver->name[space])
			return driver->name[space];
		if (parent >= space) /* SPACE_NONE, too */
			return NULL;
		space = parent;
	}
	return NULL;
}

int
memory_follow(struct driver *driver, const struct batch *batch,
	      const struct event *event)
{
	uint32_t space = (uint32_t)event->value, room;
	const char *path, *slash;
	char **grown;

	(void)batch;
	if (event->type != EVENT_EXEC || event->file == UINT32_MAX ||
	    space >= stream_spaces(driver->with.stream))
		return 0;
	room = stream_spaces(driver->with.stream);
	if (space >= driver->names) {
		grown = reallocarray(driver->name, room, sizeof(char *));
		if (!grown)
			return driver_no_memory();
		for (uint32_t i = driver->names; i < room; i++)
			grown[i] = NULL;
		driver->name = grown;
		driver->names = room;
	}
	path = stream_file(driver->with.stream, event->file)->path;
	slash = strrchr(path, '/');
	free(driver->name[space]);
	driver->name[space] = strdup(slash ? slash + 1 : path);
	return driver->name[space] ? 0 : driver_no_memory();
}

const char *
assignment_next(const char *at, struct assignment *assignment)
{
	size_t all = strcspn(at, ","), name = strcspn(at, "=");

	*assignment =
		(struct assignment){ at, at + name + 1, name, all - name - 1 };
	return at + all + (at[all] == ',');
}

static bool
is_in(const struct assignment *assignment, const char *program, uint32_t pid)
{
	size_t length = assignment->process_length;
	char number[16];
	int digits = snprintf(number, sizeof(number), "%" PRIu32, pid);

	return ((size_t)digits == length &&
		!strncmp(assignment->process, number, length)) ||
	       (program && strlen(program) == length &&
		!strncmp(assignment->process, program, length));
}

static int
memory_of_group(struct driver *driver, const char *program, uint32_t pid,
		uint32_t *number)
{
	const char *at = driver->config.groups ? driver->config.groups : "";

	for (size_t i = 0; *at; i++) {
		struct assignment assignment;
		char group[GROUP_NAME_BYTES];

		at = assignment_next(at, &assignment);
		if (!is_in(&assignment, program, pid))
			continue;
		driver->matched[i] = true;
		snprintf(group, sizeof(group), "%.*s",
			 (int)assignment.group_length, assignment.group);
		return memory_named(driver, group, 0, number);
	}
	return memory_named(driver, OTHERS, 0, number);
}

static int
find_memory(struct driver *driver, uint32_t space, uint32_t *number)
{
	uint32_t pid = stream_space(driver->with.stream, space)->pid;
	const char *program = memory_program(driver, space);

	switch (driver->config.scope) {
	case SCOPE_PROCESS:
		return memory_named(driver, program ? program : "", pid,
				    number);
	case SCOPE_GROUP:
		return memory_of_group(driver, program, pid, number);
	default:
		return memory_named(driver, "", 0, number);
	}
}

int
memory_of(struct driver *driver, uint32_t space, uint32_t *number)
{
	uint32_t room = stream_spaces(driver->with.stream), *grown;
	int error;

	if (space >= room)
		return fail(EINVAL, "reclaim: there is no address space %u",
			    space);
	if (space >= driver->spaces) {
		grown = reallocarray(driver->memory_of, room, sizeof(*grown));
		if (!grown)
			return driver_no_memory();
		for (uint32_t i = driver->spaces; i < room; i++)
			grown[i] = 0;
		driver->memory_of = grown;
		driver->spaces = room;
	}
	if (!driver->memory_of[space]) {
		error = find_memory(driver, space, number);
		if (error)
			return error;
		driver->memory_of[space] = *number + 1;
	}
	*number = driver->memory_of[space] - 1;
	return 0;
}

int
memory_add(struct memory *memory, uint32_t page, uint8_t order, bool file,
	   uint32_t *local)
{
	if (memory->pages == memory->room) {
		uint32_t room = memory->room ? memory->room * 2 : 1024;
		uint32_t *pages =
			reallocarray(memory->page, room, sizeof(*pages));
		uint32_t *sizes;
		uint8_t *files;

		if (pages)
			memory->page = pages;
		files = reallocarray(memory->file, room, sizeof(*files));
		if (files)
			memory->file = files;
		sizes = reallocarray(memory->size, room, sizeof(*sizes));
		if (sizes)
			memory->size = sizes;
		if (!pages || !files || !sizes)
			return driver_no_memory();
		memory->room = room;
	}
	memory->page[memory->pages] = page;
	memory->file[memory->pages] = file;
	memory->size[memory->pages] = UINT32_C(1) << order;
	*local = memory->pages++;
	return 0;
}

/* Pages of tables of those who pay here. */
static uint64_t
table_pages(const struct memory *memory)
{
	const struct driver *driver = memory->driver;
	uint64_t bytes = 0;

	if (!driver->config.tables)
		return 0;
	for (uint32_t i = 0; i < driver->spaces; i++)
		if (driver->memory_of[i] &&
		    driver->memory[driver->memory_of[i] - 1] == memory)
			bytes += paging_table_bytes(driver->with.paging, i);
	return bytes >> PAGE_SHIFT;
}

/* Pages that are locked, and those that the same mlock comes to next: who is told
 * of one page too many shall not have to try again for each. */
static uint64_t
locked_pages(const struct memory *memory)
{
	const struct driver *driver = memory->driver;
	uint64_t locked = 0;

	for (uint32_t i = 0; i < driver->spaces; i++)
		if (driver->memory_of[i] &&
		    driver->memory[driver->memory_of[i] - 1] == memory)
			locked += paging_usage(driver->with.paging, i).locked;
	return locked > memory->wired ? locked : memory->wired;
}

static int
too_little(const struct memory *memory, uint64_t tables)
{
	uint64_t locked = locked_pages(memory);

	return fail(EINVAL,
		    "reclaim%s%s: %ju locked pages%s%ju%s are more than "
		    "memory.size=%juK leaves room beside; give "
		    "memory.size=%juK or more",
		    *memory->name ? " of " : "", memory->name,
		    (uintmax_t)locked, tables ? " and " : " (mlock; ",
		    (uintmax_t)tables,
		    tables ? " pages of tables" : " of tables)",
		    (uintmax_t)memory->driver->limit * 4,
		    (uintmax_t)(locked + tables + 1) * 4);
}

int
memory_resize(struct memory *memory)
{
	const struct driver *driver = memory->driver;
	uint64_t tables = table_pages(memory);
	uint64_t fixed = memory->wired + tables;

	if (fixed >= driver->limit)
		return too_little(memory, tables);
	/* Beside it, then: driver_finish says so. */
	if (!driver->ops->fixed)
		memory->policy->capacity = driver->limit - fixed;
	return 0;
}
