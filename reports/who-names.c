// SPDX-License-Identifier: GPL-2.0-or-later
/* Names for the rows of who.counts; see who-names.h. */
#include "reports/who-names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/view.h"

#define KERNEL_IMAGE 65536 /* who-table.h: no access of the program */
#define CALLERS	     2	   /* shown behind the function that allocates */

struct label {
	char *object, *file; /* owned */
	const char *kind;    /* borrowed of the result */
	uint64_t bytes, times;
};

struct who_names {
	struct symbols *symbols;
	const struct stream *stream;
	struct view_table counts, objects, paths;
	bool functions, lines;
	json_t *index;		      /* owned: "image:pc" -> number */
	struct symbols_named **named; /* owned, each too */
	size_t n_named, named_room;
	struct label *label; /* owned: by row of objects */
	struct symbols_named kernel;
	char thread[64], process[300], from[24], node[24];
	char *stack; /* owned */
	bool no_memory;
};

static const struct symbols_named *
name_of(struct who_names *names, uint64_t image, uint64_t pc)
{
	struct symbols_named *named;
	const json_t *known;
	char key[64];

	if (image >= KERNEL_IMAGE)
		return &names->kernel;
	snprintf(key, sizeof(key), "%ju:%jx", (uintmax_t)image, (uintmax_t)pc);
	known = json_object_get(names->index, key);
	if (known)
		return names->named[json_integer_value(known)];
	if (names->n_named == names->named_room) {
		size_t room = names->named_room ? 2 * names->named_room : 256;
		struct symbols_named **more =
			reallocarray(names->named, room, sizeof(*more));

		if (!more)
			goto no_memory;
		names->named = more;
		names->named_room = room;
	}
	named = calloc(1, sizeof(*named));
	if (!named)
		goto no_memory;
	symbols_name(names->symbols, (uint16_t)image, pc, named);
	json_object_set_new(names->index, key,
			    json_integer((json_int_t)names->n_named));
	names->named[names->n_named++] = named;
	return named;
no_memory:
	names->no_memory = true;
	return &names->kernel;
}

/* Row of a table whose first column ascends. */
static bool
find_row(const struct view_table *table, uint64_t number, size_t *row)
{
	size_t low = 0, high = table->n_rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view_address(table, middle, 0) < number)
			low = middle + 1;
		else
			high = middle;
	}
	*row = low;
	return low < table->n_rows && view_address(table, low, 0) == number;
}

const struct symbols_named *
who_names_frame(struct who_names *names, size_t path)
{
	size_t row;

	if (!find_row(&names->paths, path, &row))
		return &names->kernel;
	return name_of(names,
		       view_address(&names->paths, row,
				    view_column(&names->paths, "image")),
		       view_address(&names->paths, row,
				    view_column(&names->paths, "pc")));
}

size_t
who_names_parent(const struct who_names *names, size_t path)
{
	size_t row;

	return find_row(&names->paths, path, &row)
		       ? (size_t)view_address(&names->paths, row, 1)
		       : 0;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* "build (list.c:12) < main": who called malloc, and who called that. */
static void
name_allocation(struct who_names *names, size_t row, FILE *text)
{
	const struct view_table *objects = &names->objects;
	uint64_t image =
		view_address(objects, row, view_column(objects, "image"));
	/* back from where the call returns to, into the call */
	uint64_t caller =
		view_address(objects, row, view_column(objects, "offset"));
	size_t path = (size_t)view_address(objects, row,
					   view_column(objects, "path"));
	const struct symbols_named *named =
		name_of(names, image, caller ? caller - 1 : 0);

	fprintf(text, "%s", named->function);
	if (*named->line)
		fprintf(text, " (%s)", named->line);
	/* the path ends with the calls of the library and of malloc */
	for (unsigned i = 0; path; path = who_names_parent(names, path)) {
		const struct symbols_named *frame =
			who_names_frame(names, path);

		if (strstr(frame->file, "/libpagescope-heap.so"))
			continue;
		if (i++ && i <= CALLERS + 1)
			fprintf(text, " < %s", frame->function);
	}
}

static void
name_object(struct who_names *names, size_t row, FILE *text)
{
	const struct view_table *objects = &names->objects;
	struct label *label = &names->label[row];
	uint64_t file =
		view_address(objects, row, view_column(objects, "file"));
	uint64_t offset =
		view_address(objects, row, view_column(objects, "offset"));
	uint32_t thread =
		(uint32_t)view_address(objects, row,
				       view_column(objects, "thread"));
	char name[512];

	if (!strcmp(label->kind, "symbol")) {
		fputs(symbols_object(names->symbols, (uint32_t)file, offset,
				     name, sizeof(name))
			      ? name
			      : "(no name)",
		      text);
	} else if (!strcmp(label->kind, "file") ||
		   !strcmp(label->kind, "code")) {
		fputs(label->file ? base_name(label->file) : "", text);
	} else if (!strcmp(label->kind, "allocated")) {
		name_allocation(names, row, text);
	} else if (!strcmp(label->kind, "stack")) {
		if (thread < stream_threads(names->stream))
			fprintf(text, "[stack of thread %u]",
				stream_thread(names->stream, thread)->tid);
		else
			fputs("[stack]", text);
	} else if (!strcmp(label->kind, "mmap")) {
		fprintf(text, "[mmap %ju]", (uintmax_t)file);
	} else {
		fprintf(text, "[%s]", label->kind);
	}
}

static int
name_objects(struct who_names *names)
{
	const struct view_table *objects = &names->objects;
	int kind = view_column(objects, "kind");
	int file = view_column(objects, "file");
	int error = 0;

	names->label = calloc(objects->n_rows + 1, sizeof(*names->label));
	if (!names->label)
		return -ENOMEM;
	for (size_t i = 0; !error && i < objects->n_rows; i++) {
		struct label *label = &names->label[i];
		size_t bytes;
		uint64_t number = view_address(objects, i, file);
		FILE *text = open_memstream(&label->object, &bytes);

		if (!text)
			return -ENOMEM;
		label->kind = view_text(objects, i, kind);
		label->bytes =
			view_address(objects, i, view_column(objects, "bytes"));
		label->times =
			view_address(objects, i, view_column(objects, "times"));
		if ((!strcmp(label->kind, "symbol") ||
		     !strcmp(label->kind, "file") ||
		     !strcmp(label->kind, "code")) &&
		    number < stream_files(names->stream))
			label->file = strdup(
				stream_file(names->stream, (uint32_t)number)
					->path);
		name_object(names, i, text);
		error = fclose(text) ? -ENOMEM : 0;
	}
	return error;
}

int
who_names_open(struct who_names **out, struct symbols *symbols,
	       const struct stream *stream, const struct result *result)
{
	struct who_names *names = calloc(1, sizeof(*names));
	const char *by = view_string(result, "who.by");
	int error;

	if (!names)
		return -ENOMEM;
	names->symbols = symbols;
	names->stream = stream;
	names->lines = strstr(by, "line");
	names->functions =
		names->lines || strstr(by, "function") || strstr(by, "path");
	names->index = json_object();
	strcpy(names->kernel.function, "(kernel)");
	names->kernel.file = "";
	view_table(result, "who.counts", &names->counts);
	view_table(result, "who.objects", &names->objects);
	view_table(result, "who.paths", &names->paths);
	error = names->index ? name_objects(names) : -ENOMEM;
	if (error)
		who_names_close(names);
	else
		*out = names;
	return error;
}

void
who_names_close(struct who_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->n_named; i++)
		free(names->named[i]);
	for (size_t i = 0; names->label && i < names->objects.n_rows; i++) {
		free(names->label[i].object);
		free(names->label[i].file);
	}
	free(names->named);
	free(names->label);
	free(names->stack);
	json_decref(names->index);
	free(names);
}

/* The recorded command's name for its first process. */
static void
name_process(struct who_names *names, uint32_t pid)
{
	const json_t *command =
		json_object_get(stream_about(names->stream), "command");
	const char *word = json_string_value(json_array_get(command, 0));

	if (word && stream_threads(names->stream) &&
	    stream_thread(names->stream, 0)->pid == pid)
		snprintf(names->process, sizeof(names->process), "%.200s (%u)",
			 base_name(word), pid);
	else
		snprintf(names->process, sizeof(names->process), "process %u",
			 pid);
}

static void
name_thread(struct who_names *names, size_t i, struct who_row_names *row)
{
	uint32_t number =
		(uint32_t)view_address(&names->counts, i,
				       view_column(&names->counts, "thread"));
	const struct thread *thread;

	if (number >= stream_threads(names->stream))
		return;
	thread = stream_thread(names->stream, number);
	snprintf(names->thread, sizeof(names->thread), "%u", thread->tid);
	name_process(names, thread->pid);
	row->thread = names->thread;
	row->process = names->process;
}

static void
name_data(struct who_names *names, size_t i, struct who_row_names *row)
{
	const struct view_table *counts = &names->counts;
	size_t object;

	if (names->objects.n_rows &&
	    find_row(&names->objects,
		     view_address(counts, i, view_column(counts, "object")),
		     &object)) {
		const struct label *label = &names->label[object];

		row->object = label->object;
		row->kind = label->kind;
		row->object_file = label->file;
		row->bytes = label->bytes;
		row->times = label->times;
	}
	if (json_is_string(
		    view_cell(counts, i, view_column(counts, "mapping"))))
		row->mapping =
			view_text(counts, i, view_column(counts, "mapping"));
	snprintf(names->from, sizeof(names->from), "%ju",
		 (uintmax_t)view_address(counts, i,
					 view_column(counts, "from")));
	snprintf(names->node, sizeof(names->node), "%ju",
		 (uintmax_t)view_address(counts, i,
					 view_column(counts, "node")));
	row->from = names->from;
	row->node = names->node;
}

bool
who_names_row(struct who_names *names, size_t i, struct who_row_names *row)
{
	const struct view_table *counts = &names->counts;
	int first = view_column(counts, "l1d_misses");
	const struct symbols_named *named;

	if (i >= counts->n_rows || names->no_memory)
		return false;
	*row = (struct who_row_names){ .number = i, .names = names };
	for (int j = 0; j < WHO_COLUMNS; j++)
		row->count[j] = view_address(counts, i, first + j);
	if (names->functions) {
		named = name_of(names,
				view_address(counts, i,
					     view_column(counts, "image")),
				view_address(counts, i,
					     view_column(counts, "pc")));
		row->function = named->function;
		row->file = named->file;
		row->line = names->lines && *named->line ? named->line : NULL;
	}
	row->path =
		(size_t)view_address(counts, i, view_column(counts, "path"));
	name_thread(names, i, row);
	name_data(names, i, row);
	return true;
}

static void
print_stack(struct who_names *names, size_t path, FILE *text)
{
	size_t parent = who_names_parent(names, path);

	if (parent)
		print_stack(names, parent, text);
	fprintf(text, "%s;", who_names_frame(names, path)->function);
}

const char *
who_names_stack(const struct who_row_names *row)
{
	struct who_names *names = row->names;
	size_t bytes;
	FILE *text;

	free(names->stack);
	names->stack = NULL;
	text = open_memstream(&names->stack, &bytes);
	if (!text)
		return NULL;
	if (row->path)
		print_stack(names, row->path, text);
	fputs(row->function ? row->function : "", text);
	return fclose(text) ? NULL : names->stack;
}

/* Cycles by file of code that has no lines, into an object. */
static json_t *
find_missing(struct who_names *names)
{
	json_t *missing = json_object();
	struct who_row_names row;

	for (size_t i = 0; missing && who_names_row(names, i, &row); i++) {
		const char *file = row.file && *row.file ? row.file : NULL;
		json_int_t sum;

		if (row.line || !file || *file != '/')
			continue;
		sum = json_integer_value(json_object_get(missing, file));
		json_object_set_new(missing, file,
				    json_integer(
					    sum +
					    (json_int_t)row.count[WHO_CYCLES]));
	}
	return missing;
}

int
who_names_lines(struct who_names *names, struct result *result)
{
	json_t *missing, *cycles;
	const char *file, *before = "";
	char *text = NULL;
	size_t bytes;
	FILE *to;
	int error;

	if (names->no_memory)
		return -ENOMEM;
	if (!names->lines)
		return 0;
	missing = find_missing(names);
	to = missing ? open_memstream(&text, &bytes) : NULL;
	if (!to) {
		json_decref(missing);
		return -ENOMEM;
	}
	json_object_foreach(missing, file, cycles)
	{
		fprintf(to, "%s%s (%" JSON_INTEGER_FORMAT " walk cycles)",
			before, file, json_integer_value(cycles));
		before = ", ";
	}
	error = fclose(to) ? -ENOMEM : 0;
	if (!error && json_object_size(missing))
		error = result_text(result, "who.line.missing", text);
	free(text);
	json_decref(missing);
	return error;
}
