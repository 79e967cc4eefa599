// SPDX-License-Identifier: GPL-2.0-or-later
/* A table for a terminal; texts are UTF-8 and one column a character wide. */
#include "reports/grid.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GRID_COLUMNS_MAX 32
#define GRID_SHRUNK_MIN	 16
#define GRID_INDENT	 2

struct grid {
	char letters[GRID_COLUMNS_MAX + 1];
	unsigned n_columns;
	char **cell; /* owned, and each of them */
	size_t n, room;
	bool failed;
};

struct grid *
grid_open(const char *letters)
{
	struct grid *grid = calloc(1, sizeof(*grid));

	if (!grid)
		return NULL;
	snprintf(grid->letters, sizeof(grid->letters), "%s", letters);
	grid->n_columns = (unsigned)strlen(grid->letters);
	return grid;
}

void
grid_close(struct grid *grid)
{
	if (!grid)
		return;
	for (size_t i = 0; i < grid->n; i++)
		free(grid->cell[i]);
	free(grid->cell);
	free(grid);
}

void
grid_add(struct grid *grid, const char *text)
{
	char *copy = strdup(text ? text : "");

	if (copy && grid->n == grid->room) {
		size_t room = grid->room ? 2 * grid->room : 64;
		char **wider = reallocarray(grid->cell, room, sizeof(*wider));

		if (wider) {
			grid->cell = wider;
			grid->room = room;
		}
	}
	if (!copy || grid->n == grid->room) {
		free(copy);
		grid->failed = true;
		return;
	}
	/* a name may hold anything; the terminal must not obey it */
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	grid->cell[grid->n++] = copy;
}

void
grid_addf(struct grid *grid, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	grid_add(grid, text);
}

static bool
continues(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static unsigned
characters(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += !continues(*text);
	return n;
}

/* Where character `n` of the text begins. */
static const char *
skip(const char *text, unsigned n)
{
	while (*text && n--)
		for (text++; continues(*text); text++)
			;
	return text;
}

static void
pad(FILE *file, unsigned n)
{
	fprintf(file, "%*s", (int)n, "");
}

/* The end of a path and of a long C++ name say as much as the beginning. */
static void
cell_print(const char *text, char letter, unsigned width, bool last, FILE *file)
{
	unsigned n = characters(text), head;

	if (n > width) {
		head = (width - 2) / 2;
		fwrite(text, 1, (size_t)(skip(text, head) - text), file);
		fputs("..", file);
		fputs(skip(text, n - (width - 2 - head)), file);
		return;
	}
	if (letter == '>')
		pad(file, width - n);
	fputs(text, file);
	if (letter != '>' && !last)
		pad(file, width - n);
}

static void
fit(const struct grid *grid, unsigned *widths, unsigned width)
{
	unsigned sum = GRID_INDENT;

	for (size_t i = 0; i < grid->n; i++) {
		unsigned n = characters(grid->cell[i]);
		unsigned *widest = &widths[i % grid->n_columns];

		*widest = n > *widest ? n : *widest;
	}
	for (unsigned i = 0; i < grid->n_columns; i++)
		sum += widths[i] + (i ? 2 : 0);
	for (; sum > width; sum--) {
		unsigned widest = grid->n_columns;

		for (unsigned i = 0; i < grid->n_columns; i++)
			if (grid->letters[i] == '~' &&
			    widths[i] > GRID_SHRUNK_MIN &&
			    (widest == grid->n_columns ||
			     widths[i] > widths[widest]))
				widest = i;
		if (widest == grid->n_columns)
			break;
		widths[widest]--;
	}
}

static bool
row_is_blank(const struct grid *grid, size_t at)
{
	for (size_t i = at; i < at + grid->n_columns && i < grid->n; i++)
		if (*grid->cell[i])
			return false;
	return true;
}

int
grid_print(const struct grid *grid, FILE *file, unsigned width, bool coloured)
{
	unsigned widths[GRID_COLUMNS_MAX] = { 0 };

	if (!grid || grid->failed)
		return -ENOMEM;
	fit(grid, widths, width);
	for (size_t i = 0; i < grid->n; i++) {
		unsigned column = (unsigned)(i % grid->n_columns);
		bool heading = coloured && i < grid->n_columns;
		bool last = column + 1 == grid->n_columns;
		size_t end = i + 1;

		if (column == 0 && row_is_blank(grid, i)) {
			i += grid->n_columns - 1;
			continue;
		}
		/* no blanks at the end of a line */
		while (!last && end % grid->n_columns && end < grid->n &&
		       !*grid->cell[end])
			end++;
		last |= end % grid->n_columns == 0;
		if (column == 0)
			pad(file, GRID_INDENT);
		if (heading)
			fputs("\033[4m", file);
		cell_print(grid->cell[i], grid->letters[column], widths[column],
			   last, file);
		if (heading)
			fputs("\033[0m", file);
		if (!last) {
			fputs("  ", file);
			continue;
		}
		putc('\n', file);
		i = i - column + grid->n_columns - 1;
	}
	return 0;
}
