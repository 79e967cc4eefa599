// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names for the sites of a result.  Each pc becomes a file and an offset
 * (code-map.h), each file an elf-file.h that knows functions and lines, and the
 * sites' counts are added up by function.
 */
#include "reports/symbols.h"

#include "analyzer/fail.h"
#include "reports/code-map.h"
#include "reports/elf-file.h"
#include "reports/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbols {
	struct result *result;
	const struct model *code_map;
	const struct stream *stream;
	struct elf_file **file; /* [n_files], opened when first needed */
	bool *tried;
	uint32_t n_files;
	json_t *missing; /* texts, by path */
};

struct function {
	char *name;	  /* owned */
	const char *file; /* borrowed of the stream */
	uint64_t misses, walks, cycles;
};

struct functions {
	struct function *entry; /* owned */
	size_t n, room;
};

static const struct elf_file *
file_of(struct symbols *symbols, uint32_t number)
{
	const struct file *file = stream_file(symbols->stream, number);
	char why[256];

	if (symbols->tried[number])
		return symbols->file[number];
	symbols->tried[number] = true;
	if (file->path[0] == '[' ||
	    !elf_file_open(&symbols->file[number], file->path, file->build_id,
			   why, sizeof(why)))
		return symbols->file[number];
	json_object_set_new(symbols->missing, file->path, result_string(why));
	return NULL;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

struct named {
	char function[512], line[300];
	const char *file;
};

static void
name_pc(struct symbols *symbols, uint16_t image, uint64_t pc,
	struct named *named)
{
	const struct elf_file *elf;
	struct code_place place;
	const char *path;
	uint64_t begin;

	named->line[0] = '\0';
	if (!code_map_find(symbols->code_map, image, pc, &place)) {
		named->file = "";
		snprintf(named->function, sizeof(named->function), "%#llx",
			 (unsigned long long)pc);
		return;
	}
	if (place.file >= symbols->n_files) {
		named->file = "[anonymous]";
		snprintf(named->function, sizeof(named->function),
			 "[generated code at %#llx]",
			 (unsigned long long)place.start);
		return;
	}
	path = stream_file(symbols->stream, place.file)->path;
	named->file = path;
	elf = file_of(symbols, place.file);
	begin = place.offset;
	if (elf && elf_file_function(elf, place.offset, named->function,
				     sizeof(named->function)))
		elf_file_line(elf, place.offset, named->line,
			      sizeof(named->line));
	else {
		if (elf)
			elf_file_begin(elf, place.offset, &begin);
		snprintf(named->function, sizeof(named->function), "%s+%#llx",
			 base_name(path), (unsigned long long)begin);
	}
}

static int
function_add(struct functions *functions, const struct function *counts)
{
	struct function *entry;

	for (size_t i = 0; i < functions->n; i++) {
		entry = &functions->entry[i];
		if (!strcmp(entry->name, counts->name) &&
		    !strcmp(entry->file, counts->file)) {
			entry->misses += counts->misses;
			entry->walks += counts->walks;
			entry->cycles += counts->cycles;
			return 0;
		}
	}
	if (functions->n == functions->room) {
		size_t room = functions->room ? 2 * functions->room : 64;

		entry = reallocarray(functions->entry, room, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		functions->entry = entry;
		functions->room = room;
	}
	entry = &functions->entry[functions->n];
	*entry = *counts;
	entry->name = strdup(counts->name);
	if (!entry->name)
		return -ENOMEM;
	functions->n++;
	return 0;
}

static int
by_cost(const void *left, const void *right)
{
	const struct function *a = left, *b = right;
	int order;

	if (a->cycles != b->cycles)
		return a->cycles < b->cycles ? 1 : -1;
	if (a->walks != b->walks)
		return a->walks < b->walks ? 1 : -1;
	if (a->misses != b->misses)
		return a->misses < b->misses ? 1 : -1;
	order = strcmp(a->name, b->name);
	return order ? order : strcmp(a->file, b->file);
}

static int
put_functions(struct result *result, struct functions *functions)
{
	static const char *const columns[] = { "function:",
					       "file:",
					       "l1_misses:lookups",
					       "walks:walks",
					       "walk_cycles:cycles",
					       "share:percent",
					       NULL };
	double all = view_walk_cycles(result);
	int error = result_table(result, "functions",
				 "page walks by function; share is of all walk "
				 "cycles of the run",
				 columns);

	if (functions->n)
		qsort(functions->entry, functions->n, sizeof(struct function),
		      by_cost);
	for (size_t i = 0; !error && i < functions->n; i++) {
		const struct function *f = &functions->entry[i];

		error = result_row(result, "functions",
				   all > 0 ? "ssuuud" : "ssuuun", f->name,
				   f->file, f->misses, f->walks, f->cycles,
				   all > 0 ? 100 * (double)f->cycles / all : 0);
	}
	return error;
}

/* Append three cells to each row of sites, and count its function. */
static int
name_sites(struct symbols *symbols, const struct view_table *sites,
	   struct functions *functions)
{
	int image = view_column(sites, "image"), pc = view_column(sites, "pc");
	int misses = view_column(sites, "l1_misses");
	int walks = view_column(sites, "walks");
	int cycles = view_column(sites, "walk_cycles");
	struct named named;

	for (size_t i = 0; i < sites->n_rows; i++) {
		json_t *row = json_array_get(sites->rows, i);
		struct function counts = {
			.name = named.function,
			.misses = view_address(sites, i, misses),
			.walks = view_address(sites, i, walks),
			.cycles = view_address(sites, i, cycles),
		};

		name_pc(symbols, (uint16_t)view_address(sites, i, image),
			view_address(sites, i, pc), &named);
		counts.file = named.file;
		if (json_array_append_new(row, result_string(named.function)) ||
		    json_array_append_new(row, result_string(named.file)) ||
		    json_array_append_new(row, *named.line ? result_string(
								     named.line)
							   : json_null()) ||
		    function_add(functions, &counts))
			return -ENOMEM;
	}
	return 0;
}

static int
name_columns(const struct view_table *sites)
{
	static const char *const names[] = { "function", "file", "line" };
	json_t *columns = (json_t *)(uintptr_t)sites->columns;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_array_append_new(columns,
					  json_pack("{s:s}", "name", names[i])))
			return -ENOMEM;
	return 0;
}

/* Files whose symbols cannot be had, in one value: "PATH: why; ..." */
static int
put_missing(struct symbols *symbols)
{
	const char *path, *before = "";
	char *text = NULL;
	size_t bytes;
	json_t *why;
	FILE *file;
	int error;

	if (!json_object_size(symbols->missing))
		return 0;
	file = open_memstream(&text, &bytes);
	if (!file)
		return -ENOMEM;
	json_object_foreach(symbols->missing, path, why)
	{
		fprintf(file, "%s%s: %s", before, path, json_string_value(why));
		before = "; ";
	}
	if (fclose(file)) {
		free(text);
		return -ENOMEM;
	}
	error = result_text(symbols->result, "symbols.missing", text);
	free(text);
	return error;
}

static int
resolve(struct symbols *symbols, const struct view_table *sites)
{
	struct functions functions = { 0 };
	int error = name_sites(symbols, sites, &functions);

	if (!error)
		error = name_columns(sites);
	if (!error)
		error = put_functions(symbols->result, &functions);
	if (!error)
		error = put_missing(symbols);
	for (size_t i = 0; i < functions.n; i++)
		free(functions.entry[i].name);
	free(functions.entry);
	return error;
}

int
symbols_resolve(struct result *result, const struct model *code_map,
		const struct stream *stream)
{
	struct symbols symbols = { .result = result,
				   .code_map = code_map,
				   .stream = stream,
				   .n_files = stream_files(stream) };
	struct view_table sites;
	int error = -ENOMEM;

	/* once is enough */
	if (!view_table(result, "sites", &sites) ||
	    view_column(&sites, "function") >= 0)
		return 0;
	symbols.file = calloc(symbols.n_files + 1u, sizeof(*symbols.file));
	symbols.tried = calloc(symbols.n_files + 1u, sizeof(bool));
	symbols.missing = json_object();
	if (symbols.file && symbols.tried && symbols.missing)
		error = resolve(&symbols, &sites);
	for (uint32_t i = 0; symbols.file && i < symbols.n_files; i++)
		elf_file_close(symbols.file[i]);
	free(symbols.file);
	free(symbols.tried);
	json_decref(symbols.missing);
	return error ? fail(ENOMEM, "symbols: no memory") : 0;
}
