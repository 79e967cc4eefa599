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
#include "reports/who-tables.h"

#include <libiberty/demangle.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a pc was found to be: a run of many machines asks as many times */
struct known {
	uint64_t pc;
	uint32_t file; /* UINT32_MAX: of none */
	uint16_t image;
	char *function, *line; /* owned; NULL function: free place */
	const char *path;      /* borrowed of the stream */
};

struct symbols {
	struct result *result; /* that is being resolved */
	struct known *known;   /* owned: [n_places], by pc and image */
	size_t n_known, n_places;
	const struct model *code_map;
	const struct stream *stream;
	struct elf_file **file; /* [n_files], opened when first needed */
	bool *tried;
	char **why; /* it could not be: owned, NULL: it could, or not tried */
	uint32_t n_files;
	json_t *missing; /* of this result: texts, by path */
};

struct function {
	char *name;	   /* owned */
	const char *file;  /* borrowed of the stream */
	const char *event; /* borrowed of the result: of samples, or "" */
	uint64_t misses, walks, cycles;
};

struct functions {
	struct function *entry; /* owned */
	size_t n, room;
};

/* A table of sites, and the one of functions that is made of it */
struct naming {
	const char *table;
	const char *misses, *cycles; /* its columns */
	int (*put)(struct result *result, struct functions *functions);
};

static const struct elf_file *
file_of(struct symbols *symbols, uint32_t number)
{
	const struct file *file = stream_file(symbols->stream, number);
	char why[256];

	if (!symbols->tried[number]) {
		symbols->tried[number] = true;
		if (file->path[0] != '[' &&
		    elf_file_open(&symbols->file[number], file->path,
				  file->build_id, why, sizeof(why)))
			symbols->why[number] = strdup(why);
	}
	if (symbols->why[number])
		json_object_set_new(symbols->missing, file->path,
				    result_string(symbols->why[number]));
	return symbols->file[number];
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* C++ and Rust names as they were written; others stay. */
static void
demangle(char *name, size_t name_bytes)
{
	char *plain = cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);

	if (plain)
		snprintf(name, name_bytes, "%s", plain);
	free(plain);
}

/* Returns the file's number, or UINT32_MAX. */
static uint32_t
look_up(struct symbols *symbols, uint16_t image, uint64_t pc,
	struct symbols_named *named)
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
		if (!pc)
			strcpy(named->function, SYMBOLS_UNKNOWN);
		return UINT32_MAX;
	}
	if (place.file >= symbols->n_files) {
		named->file = "[anonymous]";
		snprintf(named->function, sizeof(named->function),
			 "[generated code at %#llx]",
			 (unsigned long long)place.start);
		return UINT32_MAX;
	}
	path = stream_file(symbols->stream, place.file)->path;
	named->file = path;
	elf = file_of(symbols, place.file);
	begin = place.offset;
	if (elf && elf_file_function(elf, place.offset, named->function,
				     sizeof(named->function))) {
		demangle(named->function, sizeof(named->function));
		elf_file_line(elf, place.offset, named->line,
			      sizeof(named->line));
	} else {
		if (elf)
			elf_file_begin(elf, place.offset, &begin);
		snprintf(named->function, sizeof(named->function), "%s+%#llx",
			 base_name(path), (unsigned long long)begin);
	}
	return place.file;
}

/* Where it is, or would be */
static struct known *
known_place(const struct symbols *symbols, uint16_t image, uint64_t pc)
{
	size_t mask = symbols->n_places - 1;
	size_t i = (pc * UINT64_C(0x9e3779b97f4a7c15) >> 32) + image;

	for (;; i++) {
		struct known *known = &symbols->known[i & mask];

		if (!known->function ||
		    (known->pc == pc && known->image == image))
			return known;
	}
}

/* Room for one more; false: no memory. */
static bool
known_grow(struct symbols *symbols)
{
	struct known *old = symbols->known;
	size_t n = symbols->n_places;

	if (4 * symbols->n_known < 3 * n)
		return true;
	symbols->known = calloc(n ? 2 * n : 1024, sizeof(*old));
	if (!symbols->known) {
		symbols->known = old;
		return false;
	}
	symbols->n_places = n ? 2 * n : 1024;
	for (size_t i = 0; i < n; i++)
		if (old[i].function)
			*known_place(symbols, old[i].image, old[i].pc) = old[i];
	free(old);
	return true;
}

/* What cannot be kept is looked up again. */
void
symbols_name(struct symbols *symbols, uint16_t image, uint64_t pc,
	     struct symbols_named *named)
{
	struct known one = { .pc = pc, .image = image }, *known = NULL;

	if (known_grow(symbols))
		known = known_place(symbols, image, pc);
	if (known && known->function) {
		snprintf(named->function, sizeof(named->function), "%s",
			 known->function);
		snprintf(named->line, sizeof(named->line), "%s", known->line);
		named->file = known->path;
		/* it may be among what this result misses, too */
		if (known->file < symbols->n_files)
			file_of(symbols, known->file);
		return;
	}
	one.file = look_up(symbols, image, pc, named);
	one.path = named->file;
	one.line = strdup(named->line);
	one.function = one.line ? strdup(named->function) : NULL;
	if (known && one.function) {
		*known = one;
		symbols->n_known++;
	} else {
		free(one.line);
		free(one.function);
	}
}

bool
symbols_object(struct symbols *symbols, uint32_t file, uint64_t offset,
	       char *name, size_t bytes)
{
	const struct elf_file *elf =
		file < symbols->n_files ? file_of(symbols, file) : NULL;
	struct elf_object object;

	if (!elf || elf_file_object(elf, offset, &object) <= 0)
		return false;
	snprintf(name, bytes, "%s", object.name);
	demangle(name, bytes);
	return true;
}

static int
function_add(struct functions *functions, const struct function *counts)
{
	struct function *entry;

	for (size_t i = 0; i < functions->n; i++) {
		entry = &functions->entry[i];
		if (!strcmp(entry->name, counts->name) &&
		    !strcmp(entry->file, counts->file) &&
		    !strcmp(entry->event, counts->event)) {
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
	if (!order)
		order = strcmp(a->file, b->file);
	return order ? order : strcmp(a->event, b->event);
}

/* Of samples, walks tell more than the latencies of those that happen to have
 * one. */
static int
by_walks(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->walks != b->walks)
		return a->walks < b->walks ? 1 : -1;
	if (a->misses != b->misses)
		return a->misses < b->misses ? 1 : -1;
	return by_cost(left, right);
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

/* The percent that part is of whole, and its standard error */
static double
share_of(uint64_t part, uint64_t whole, double *error)
{
	double p = whole ? (double)part / (double)whole : NAN;

	*error = 100 * sqrt(p * (1 - p) / (double)whole);
	return 100 * p;
}

/* All samples of an event */
static void
of_event(const struct functions *functions, const char *event,
	 uint64_t *samples, uint64_t *walks)
{
	*samples = *walks = 0;
	for (size_t i = 0; i < functions->n; i++)
		if (!strcmp(functions->entry[i].event, event)) {
			*samples += functions->entry[i].misses;
			*walks += functions->entry[i].walks;
		}
}

static int
put_sample_functions(struct result *result, struct functions *functions)
{
	static const char *const columns[] = {
		"function:",	   "file:",	    "event:",
		"samples:samples", "walks:samples", "share:percent",
		"error:percent",   "cycles:cycles", NULL
	};
	int error = result_table(result, "samples.functions",
				 "samples by function; share: of the walks of "
				 "the event's samples, or of the samples if "
				 "none walked, with its standard error",
				 columns);

	if (functions->n)
		qsort(functions->entry, functions->n, sizeof(struct function),
		      by_walks);
	for (size_t i = 0; !error && i < functions->n; i++) {
		const struct function *f = &functions->entry[i];
		uint64_t samples, walks;
		double off, share;

		of_event(functions, f->event, &samples, &walks);
		share = share_of(walks ? f->walks : f->misses,
				 walks ? walks : samples, &off);

		error = result_row(result, "samples.functions", "sssuuddu",
				   f->name, f->file, f->event, f->misses,
				   f->walks, share, off, f->cycles);
	}
	return error;
}

/* Append three cells to each row of sites, and count its function. */
static int
name_sites(struct symbols *symbols, const struct naming *naming,
	   const struct view_table *sites, struct functions *functions)
{
	int image = view_column(sites, "image"), pc = view_column(sites, "pc");
	int event = view_column(sites, "event");
	int misses = view_column(sites, naming->misses);
	int walks = view_column(sites, "walks");
	int cycles = view_column(sites, naming->cycles);
	struct symbols_named named;

	for (size_t i = 0; i < sites->n_rows; i++) {
		json_t *row = json_array_get(sites->rows, i);
		struct function counts = {
			.name = named.function,
			.event = event < 0 ? "" : view_text(sites, i, event),
			.misses = view_address(sites, i, misses),
			.walks = view_address(sites, i, walks),
			.cycles = view_address(sites, i, cycles),
		};

		symbols_name(symbols, (uint16_t)view_address(sites, i, image),
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

static const struct naming namings[] = {
	{ "sites", "l1_misses", "walk_cycles", put_functions },
	{ "samples.sites", "samples", "cycles", put_sample_functions },
};

static int
resolve(struct symbols *symbols, const struct naming *naming)
{
	struct functions functions = { 0 };
	struct view_table sites;
	int error;

	/* once is enough */
	if (!view_table(symbols->result, naming->table, &sites) ||
	    view_column(&sites, "function") >= 0)
		return 0;
	error = name_sites(symbols, naming, &sites, &functions);
	if (!error)
		error = name_columns(&sites);
	if (!error)
		error = naming->put(symbols->result, &functions);
	for (size_t i = 0; i < functions.n; i++)
		free(functions.entry[i].name);
	free(functions.entry);
	return error;
}

int
symbols_open(struct symbols **out, const struct model *code_map,
	     const struct stream *stream)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	uint32_t n = stream_files(stream);

	if (!symbols)
		return fail(ENOMEM, "symbols: no memory");
	symbols->code_map = code_map;
	symbols->stream = stream;
	symbols->file = calloc(n + 1u, sizeof(*symbols->file));
	symbols->tried = calloc(n + 1u, sizeof(*symbols->tried));
	symbols->why = calloc(n + 1u, sizeof(*symbols->why));
	if (!symbols->file || !symbols->tried || !symbols->why) {
		symbols_close(symbols);
		return fail(ENOMEM, "symbols: no memory");
	}
	symbols->n_files = n;
	*out = symbols;
	return 0;
}

void
symbols_close(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (uint32_t i = 0; i < symbols->n_files; i++) {
		elf_file_close(symbols->file[i]);
		free(symbols->why[i]);
	}
	for (size_t i = 0; i < symbols->n_places; i++) {
		free(symbols->known[i].function);
		free(symbols->known[i].line);
	}
	free(symbols->known);
	free(symbols->file);
	free(symbols->tried);
	free(symbols->why);
	free(symbols);
}

int
symbols_resolve(struct symbols *symbols, struct result *result)
{
	int error = 0;

	symbols->result = result;
	symbols->missing = json_object();
	if (!symbols->missing)
		error = -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(namings) && !error; i++)
		error = resolve(symbols, &namings[i]);
	if (!error)
		error = who_tables(symbols, symbols->stream, result);
	if (!error)
		error = put_missing(symbols);
	json_decref(symbols->missing);
	symbols->missing = NULL;
	return error ? fail(ENOMEM, "symbols: no memory") : 0;
}
