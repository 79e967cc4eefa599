// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of text: one access a line, its address in one column, and if there
 * are such columns also its kind, size and pc.  A list of addresses is a table
 * of one column.
 *
 *	version,time,op,size,lbn	a header, when a column is asked for by
 *	1,5633898,2a,512,42932745	name or its address is not a number
 *
 * Addresses are column * csv.unit, so that block numbers of storage traces
 * become bytes.  Lines that begin with # are comments.  What export writes is
 * known by its header.
 */
#include "traces/foreign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analyzer/fail.h"
#include "traces/text.h"

#define CSV_COLUMNS_MAX 1000
/* Requests of storage are longer than accesses of any instruction. */
#define CSV_SIZE_MAX (1u << 24)

enum csv_role {
	CSV_ADDRESS,
	CSV_KIND,
	CSV_SIZE,
	CSV_PC,
	CSV_THREAD,
	CSV_SPACE,
	CSV_ROLES
};

enum csv_base {
	CSV_BASE_AUTO,
	CSV_BASE_10,
	CSV_BASE_16
};

enum csv_header {
	CSV_HEADER_AUTO,
	CSV_HEADER_YES,
	CSV_HEADER_NO
};

struct csv_config {
	char *column[CSV_ROLES];
	char *separator;
	int base, header, kind;
	uint64_t unit, size;
};

static const char *const csv_bases[] = { "auto", "10", "16", NULL };
static const char *const csv_headers[] = { "auto", "yes", "no", NULL };
static const char *const csv_kinds[] = { "load", "store", "modify", "fetch",
					 NULL };

#define AT(field) offsetof(struct csv_config, field)

/* For csv and hex */
#define CSV_COMMON_ROWS                                                        \
	{ "unit",                                                              \
	  OPTION_SIZE,                                                         \
	  AT(unit),                                                            \
	  "1",                                                                 \
	  1,                                                                   \
	  1u << 30,                                                            \
	  .unit = "bytes",                                                     \
	  .help = "what the address counts" },                                 \
		{ "kind",                                                      \
		  OPTION_CHOICE,                                               \
		  AT(kind),                                                    \
		  "load",                                                      \
		  .choices = csv_kinds,                                        \
		  .help = "kind of all accesses, where no column says" },      \
	{                                                                      \
		"size", OPTION_SIZE, AT(size), "1", 1, FOREIGN_SIZE_MAX,       \
			.unit = "bytes",                                       \
			.help = "length of all accesses, where no column says" \
	}

static const struct option_row csv_rows[] = {
	{ "column", OPTION_STRING, AT(column[CSV_ADDRESS]), "auto",
	  .help = "column of the address: its number from 1, or its name; "
		  "auto: the one named address (then kind, size, pc, thread "
		  "and space are known by their names too), or else the first" },
	{ "kind-column", OPTION_STRING, AT(column[CSV_KIND]),
	  .help = "column of the kind (r, w, load, store, ...)" },
	{ "size-column", OPTION_STRING, AT(column[CSV_SIZE]),
	  .help = "column of the length in bytes" },
	{ "pc-column", OPTION_STRING, AT(column[CSV_PC]),
	  .help = "column of the instruction's address" },
	{ "thread-column", OPTION_STRING, AT(column[CSV_THREAD]),
	  .help = "column of the thread's number" },
	{ "space-column", OPTION_STRING, AT(column[CSV_SPACE]),
	  .help = "column of the number of the process or address space" },
	{ "separator", OPTION_STRING, AT(separator), ",",
	  .help = "between columns: a character, tab, or blank (any number)" },
	{ "base", OPTION_CHOICE, AT(base), "auto", .choices = csv_bases,
	  .help = "of numbers; auto: hex with 0x, decimal without" },
	{ "header", OPTION_CHOICE, AT(header), "auto", .choices = csv_headers,
	  .help = "whether the first line names the columns" },
	CSV_COMMON_ROWS,
	{ NULL },
};

static const struct option_row hex_rows[] = {
	CSV_COMMON_ROWS,
	{ NULL },
};

static const struct option_group csv_groups[] = {
	{ "csv", csv_rows, 0, "tables of text" },
	{ NULL },
};

static const struct option_group hex_groups[] = {
	{ "hex", hex_rows, 0, "lists of hex addresses" },
	{ NULL },
};

static const struct option_tree csv_options = {
	csv_groups,
	sizeof(struct csv_config),
};

static const struct option_tree hex_options = {
	hex_groups,
	sizeof(struct csv_config),
};

struct csv {
	struct foreign foreign;
	char *name[CSV_ROLES]; /* owned; NULL: no such column, or a number */
	int column[CSV_ROLES]; /* from 0; -1: there is none */
	char separator;	       /* ' ': any number of blanks */
	int base, header;
	bool automatic; /* columns by the names that export gives them */
	uint64_t unit;
	uint32_t size;
	enum site_kind kind;
	size_t headed; /* files whose first line has been looked at */
};

struct csv_field {
	const char *start;
	size_t bytes;
};

/* What makes one access. */
struct csv_access {
	uint64_t address, size, pc;
	uint64_t thread, space;
	int kind;
};

/* As export names them, by enum csv_role */
static const char *const csv_names[CSV_ROLES] = {
	"address", "kind", "size", "pc", "thread", "space"
};

static ALWAYS_INLINE bool
csv_separates(char separator, char c)
{
	return c == separator || (separator == ' ' && c == '\t');
}

/* The end of the field at p; a quoted one has its quotes in it. */
static const char *
csv_field_end(char separator, const char *p, const char *stop)
{
	if (p < stop && *p == '"') {
		const char *quote = memchr(p + 1, '"', (size_t)(stop - p) - 1);

		p = quote ? quote : p;
	}
	while (p < stop && !csv_separates(separator, *p))
		p++;
	return p;
}

/* Take the field at p; returns where the next one begins, NULL: no more. */
static const char *
csv_next_field(char separator, const char *p, const char *stop,
	       struct csv_field *field)
{
	const char *end;

	while (p < stop && (*p == ' ' || (*p == '\t' && separator != '\t')))
		p++;
	end = csv_field_end(separator, p, stop);
	*field = (struct csv_field){ p, (size_t)(end - p) };
	while (field->bytes && field->start[field->bytes - 1] == ' ')
		field->bytes--;
	if (field->bytes > 1 && *p == '"' && p[field->bytes - 1] == '"') {
		field->start++;
		field->bytes -= 2;
	}
	while (separator == ' ' && end + 1 < stop &&
	       csv_separates(separator, end[1]))
		end++;
	return end + (separator == ' ') < stop ? end + 1 : NULL;
}

/* The columns asked for; false when the line has not all of them. */
static bool
csv_split(const struct csv *csv, const char *p, const char *stop,
	  struct csv_field field[CSV_ROLES])
{
	int missing = 0;

	for (int role = 0; role < CSV_ROLES; role++)
		missing += csv->column[role] >= 0;
	for (int column = 0; p && missing; column++) {
		struct csv_field found;

		p = csv_next_field(csv->separator, p, stop, &found);
		for (int role = 0; role < CSV_ROLES; role++)
			if (csv->column[role] == column) {
				field[role] = found;
				missing--;
			}
	}
	return !missing;
}

static bool
csv_number(int base, const struct csv_field *field, uint64_t *value)
{
	const char *p = text_skip_0x(field->start);
	bool hex = base == CSV_BASE_16 ||
		   (base == CSV_BASE_AUTO && p != field->start);

	p = hex ? text_hex(p, value) : text_decimal(field->start, value);
	return p && p == field->start + field->bytes;
}

static int
csv_kind(const struct csv_field *field)
{
	static const struct {
		const char *name;
		int kind;
	} names[] = {
		{ "r", SITE_LOAD },	  { "read", SITE_LOAD },
		{ "l", SITE_LOAD },	  { "load", SITE_LOAD },
		{ "0", SITE_LOAD },	  { "w", SITE_STORE },
		{ "write", SITE_STORE },  { "s", SITE_STORE },
		{ "store", SITE_STORE },  { "1", SITE_STORE },
		{ "m", SITE_MODIFY },	  { "modify", SITE_MODIFY },
		{ "i", SITE_FETCH },	  { "fetch", SITE_FETCH },
		{ "ifetch", SITE_FETCH }, { "2", SITE_FETCH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == field->bytes &&
		    !strncasecmp(names[i].name, field->start, field->bytes))
			return names[i].kind;
	return -1;
}

static ALWAYS_INLINE bool
csv_sane(const struct csv_access *access)
{
	if (access->kind == SITE_FETCH)
		return foreign_sane(access->address, access->size);
	return access->size - 1 < CSV_SIZE_MAX &&
	       access->address <= UINT64_MAX - access->size;
}

/* The access of a line; false with foreign.wrong. */
static bool
csv_access(struct csv *csv, const char *line, const char *stop,
	   struct csv_access *access)
{
	struct csv_field field[CSV_ROLES];
	const char *wrong = NULL;

	*access = (struct csv_access){ .size = csv->size, .kind = csv->kind };
	if (!csv_split(csv, line, stop, field))
		wrong = "too few columns";
	else if (!csv_number(csv->base, &field[CSV_ADDRESS], &access->address))
		wrong = csv->base == CSV_BASE_16
				? "the address is no hex number of 64 bits"
				: "the address is no number of 64 bits "
				  "(hex without 0x needs base 16)";
	else if (__builtin_mul_overflow(access->address, csv->unit,
					&access->address))
		wrong = "the address times the unit is above 64 bits";
	else if (csv->column[CSV_KIND] >= 0 &&
		 (access->kind = csv_kind(&field[CSV_KIND])) < 0)
		wrong = "unknown kind of access";
	else if (csv->column[CSV_SIZE] >= 0 &&
		 !csv_number(csv->base, &field[CSV_SIZE], &access->size))
		wrong = "the size is no number";
	else if (csv->column[CSV_PC] >= 0 &&
		 !csv_number(csv->base, &field[CSV_PC], &access->pc))
		wrong = "the pc is no number";
	else if (csv->column[CSV_THREAD] >= 0 &&
		 (!csv_number(csv->base, &field[CSV_THREAD], &access->thread) ||
		  access->thread > UINT32_MAX))
		wrong = "the thread is no number of 32 bits";
	else if (csv->column[CSV_SPACE] >= 0 &&
		 (!csv_number(csv->base, &field[CSV_SPACE], &access->space) ||
		  access->space > UINT32_MAX))
		wrong = "the space is no number of 32 bits";
	else if (!csv_sane(access))
		wrong = "impossible size";
	csv->foreign.wrong = wrong;
	return !wrong;
}

/* Column of that name in the header, or -1. */
static int
csv_find_column(const struct csv *csv, const char *name, const char *p,
		const char *stop)
{
	for (int column = 0; p; column++) {
		struct csv_field field;

		p = csv_next_field(csv->separator, p, stop, &field);
		if (strlen(name) == field.bytes &&
		    !memcmp(name, field.start, field.bytes))
			return column;
	}
	return -1;
}

/* Columns by the names that export gives them: is this such a header? */
static bool
csv_known_header(struct csv *csv, const char *line, const char *stop)
{
	if (csv_find_column(csv, csv_names[CSV_ADDRESS], line, stop) < 0)
		return false;
	for (int role = 0; role < CSV_ROLES; role++)
		if (!csv->name[role] &&
		    (csv->column[role] < 0 || role == CSV_ADDRESS))
			csv->column[role] =
				csv_find_column(csv, csv_names[role], line,
						stop);
	return true;
}

/*
 * The first line of a file: 1 when it is a header, 0 when it is data, or a
 * negative errno (said).
 */
static int
csv_header(struct csv *csv, const char *line, const char *stop)
{
	const char *name = input_name(csv->foreign.input);
	struct csv_field field[CSV_ROLES];
	const struct csv_field *address = &field[CSV_ADDRESS];
	uint64_t unused;
	bool named = false;

	csv->headed = csv->foreign.path;
	for (int role = 0; role < CSV_ROLES; role++) {
		if (!csv->name[role])
			continue;
		named = true;
		csv->column[role] =
			csv_find_column(csv, csv->name[role], line, stop);
		if (csv->column[role] < 0)
			return fail(EINVAL, "%s:%" PRIu64 ": no column \"%s\"",
				    name, csv->foreign.line + 1,
				    csv->name[role]);
	}
	if (csv->automatic && csv->header != CSV_HEADER_NO &&
	    csv_known_header(csv, line, stop))
		return 1;
	if (named || csv->header == CSV_HEADER_YES)
		return 1;
	/* a word where the address will be: its name */
	return csv->header == CSV_HEADER_AUTO &&
	       csv_split(csv, line, stop, field) && address->bytes &&
	       (unsigned char)(*address->start - '0') > 9 &&
	       !memchr("-+.", *address->start, 3) &&
	       !csv_number(csv->base, address, &unused);
}

/* One line: where the next begins, or NULL. */
static const char *
csv_line(struct csv *csv, const char *at, const char *end, struct batch *batch)
{
	struct foreign *foreign = &csv->foreign;
	const char *next = text_next_line(at, end);
	const char *stop = next - 1;
	struct csv_access access;

	stop -= stop > at && stop[-1] == '\r';
	if (*at == '#' || text_line_end(at))
		return next;
	if (unlikely(csv->headed != foreign->path)) {
		int header = csv_header(csv, at, stop);

		if (header < 0)
			foreign->sites.error = header;
		if (header)
			return header < 0 ? NULL : next;
	}
	if (!csv_access(csv, at, stop, &access))
		return NULL;
	if (text_too_long(at, next - 1)) {
		foreign->wrong = "longer than 64 KiB";
		return NULL;
	}
	if (!foreign_enter(foreign, batch, (uint32_t)access.space,
			   (uint32_t)access.thread))
		return NULL;
	if (access.kind == SITE_FETCH
		    ? !foreign_fetch(foreign, batch, access.address,
				     (uint32_t)access.size)
		    : !foreign_data(foreign, batch, access.pc, access.address,
				    (uint32_t)access.size,
				    (enum site_kind)access.kind))
		return NULL;
	return next;
}

static const char *
csv_take(struct foreign *foreign, const char *at, const char *end,
	 struct batch *batch)
{
	while (at < end && batch->n <= FOREIGN_FULL) {
		const char *next =
			csv_line((struct csv *)foreign, at, end, batch);

		if (!next)
			break;
		at = next;
		foreign->line++;
	}
	return at;
}

static void
csv_fini(struct foreign *foreign)
{
	for (int role = 0; role < CSV_ROLES; role++)
		free(((struct csv *)foreign)->name[role]);
}

static const struct foreign_format csv_format = {
	.name = "csv",
	.take = csv_take,
	.fini = csv_fini,
	.threads = true,
};

static const struct foreign_format hex_format = {
	.name = "hex",
	.take = csv_take,
	.fini = csv_fini,
	.threads = true,
};

/* "tab", "blank" or one character */
static int
csv_set_separator(struct csv *csv, const char *text)
{
	if (text && !strcmp(text, "tab"))
		csv->separator = '\t';
	else if (text && !strcmp(text, "blank"))
		csv->separator = ' ';
	else if (text && text[0] && !text[1])
		csv->separator = text[0];
	else
		return fail(EINVAL,
			    "csv.separator: \"%s\" is not one character, "
			    "\"tab\" or \"blank\"",
			    text ? text : "");
	return 0;
}

static int
csv_set_columns(struct csv *csv, char *const column[CSV_ROLES])
{
	for (int role = 0; role < CSV_ROLES; role++) {
		const char *text = column[role];
		char *end;
		long number;

		csv->column[role] = -1;
		if (!text || !*text)
			continue;
		if (role == CSV_ADDRESS && !strcmp(text, "auto")) {
			csv->automatic = true;
			csv->column[role] = 0;
			continue;
		}
		number = strtol(text, &end, 10);
		if (!*end && number > 0 && number <= CSV_COLUMNS_MAX) {
			csv->column[role] = (int)number - 1;
			continue;
		}
		if (!*end)
			return fail(EINVAL, "csv: column %s: from 1 to %d",
				    text, CSV_COLUMNS_MAX);
		if (csv->header == CSV_HEADER_NO)
			return fail(EINVAL,
				    "csv: column \"%s\" by name, but "
				    "csv.header=no",
				    text);
		csv->name[role] = strdup(text);
		if (!csv->name[role])
			return fail(ENOMEM, "csv: no memory");
	}
	return 0;
}

static int
csv_open_as(struct source **out, const struct importer_setup *setup,
	    const struct foreign_format *format,
	    const struct csv_config *config)
{
	struct csv *csv;
	struct source *source;
	int error = foreign_open(&source, sizeof(*csv), format, setup);

	if (error)
		return error;
	csv = (struct csv *)source;
	csv->base = config->base;
	csv->header = config->header;
	csv->unit = config->unit;
	csv->size = (uint32_t)config->size;
	csv->kind = (enum site_kind)config->kind;
	error = csv_set_separator(csv, config->separator);
	if (!error)
		error = csv_set_columns(csv, config->column);
	if (!error && csv->column[CSV_ADDRESS] < 0 && !csv->name[CSV_ADDRESS])
		error = fail(EINVAL, "csv.column: which one is the address?");
	if (error) {
		source_close(source);
		return error;
	}
	*out = source;
	return 0;
}

static int
csv_open(struct source **out, const struct importer_setup *setup)
{
	return csv_open_as(out, setup, &csv_format, setup->options);
}

static int
hex_open(struct source **out, const struct importer_setup *setup)
{
	struct csv_config config = *(const struct csv_config *)setup->options;
	char column[] = "1", separator[] = ",";

	config.column[CSV_ADDRESS] = column;
	config.separator = separator;
	config.base = CSV_BASE_16;
	config.header = CSV_HEADER_NO;
	return csv_open_as(out, setup, &hex_format, &config);
}

static bool
csv_comment(const char *line)
{
	return *line == '#';
}

/* A number alone.  In a table of several columns nobody can tell which one is
 * the address: those must be named by --from. */
static bool
csv_matches(const char *line)
{
	const char *start = text_skip_0x(line);
	uint64_t value;
	const char *p = start == line ? text_decimal(start, &value)
				      : text_hex(start, &value);

	return p && text_line_end(p);
}

static bool
hex_matches(const char *line)
{
	uint64_t value;
	const char *p = text_hex(text_skip_0x(line), &value);

	return p && text_line_end(p);
}

/* The first line that is no comment, and its end; false: there is none. */
static bool
csv_first_line(const char *start, size_t bytes, const char **line,
	       const char **stop)
{
	const char *end = start + bytes;

	while (start < end) {
		const char *newline =
			memchr(start, '\n', (size_t)(end - start));

		*line = start;
		*stop = newline ? newline : end;
		*stop -= *stop > start && (*stop)[-1] == '\r';
		if (*start != '#' && *stop > start)
			return true;
		start = newline ? newline + 1 : end;
	}
	return false;
}

/* Does a column have this name? */
static bool
csv_has_column(const char *p, const char *stop, const char *name)
{
	const struct csv csv = { .separator = ',' };

	return csv_find_column(&csv, name, p, stop) >= 0;
}

/*
 * All other formats look like this one to someone: half of the points.  But a
 * header with a column "address" is one.
 */
static int
csv_recognise(const char *start, size_t bytes)
{
	const char *line, *stop;

	if (csv_first_line(start, bytes, &line, &stop) &&
	    csv_has_column(line, stop, csv_names[CSV_ADDRESS]))
		return 95;
	return text_score(start, bytes, csv_comment, csv_matches) / 2;
}

/* How many columns, none of which holds bytes that text has not; 0: no text */
static int
csv_columns(const char *line, const char *stop, char separator)
{
	int n = 0;

	for (const char *p = line; p < stop; p++)
		if ((unsigned char)*p < ' ' ? *p != '\t' : *p == 0x7f)
			return 0;
	for (const char *p = line; p; n++) {
		struct csv_field field;

		p = csv_next_field(separator, p, stop, &field);
	}
	return n;
}

/* A table all the same: only nobody knows which column is the address. */
static bool
csv_hint(const char *start, size_t bytes, char *text, size_t text_bytes)
{
	static const struct {
		char separator;
		const char *option;
	} separators[] = { { ',', "" },
			   { '\t', " --set csv.separator=tab" },
			   { ';', " --set csv.separator=';'" } };
	const char *line, *stop;
	struct csv_field first;
	char columns[320];
	size_t i = 0;
	uint64_t number;

	if (!csv_first_line(start, bytes, &line, &stop))
		return false;
	while (i < ARRAY_SIZE(separators) &&
	       csv_columns(line, stop, separators[i].separator) < 2)
		i++;
	if (i == ARRAY_SIZE(separators))
		return false;
	text_quote(columns, sizeof(columns), line, stop);
	csv_next_field(separators[i].separator, line, stop, &first);
	if (csv_number(CSV_BASE_AUTO, &first, &number))
		snprintf(text, text_bytes,
			 "a table of %d columns without names (\"%s\"): say "
			 "--from csv --set csv.column=NUMBER%s, the one with "
			 "the address",
			 csv_columns(line, stop, separators[i].separator),
			 columns, separators[i].option);
	else
		snprintf(text, text_bytes,
			 "a table whose columns are %s: say --from csv --set "
			 "csv.column=NAME%s, the one with the address",
			 columns, separators[i].option);
	return true;
}

/* Less than csv, which takes what has 0x or is decimal throughout */
static int
hex_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, csv_comment, hex_matches) * 2 / 5;
}

const struct importer_ops csv_importer = {
	.name = "csv",
	.help = "a table of text, or one address a line",
	.options = &csv_options,
	.recognise = csv_recognise,
	.hint = csv_hint,
	.open = csv_open,
};

const struct importer_ops hex_importer = {
	.name = "hex",
	.help = "one hex address a line, with or without 0x",
	.options = &hex_options,
	.recognise = hex_recognise,
	.open = hex_open,
};
