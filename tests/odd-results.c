// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * odd-results TIMES DOCUMENT...: result documents of every kind
 * whose shape is right and whose numbers, texts and members are not: numbers
 * beyond all ranges, texts for numbers, nulls, tables without rows or columns,
 * values that are gone.  Every verb that reads documents gets through, or
 * fails and says why: one message at least, and no crash (the sanitizers
 * see what a crash does not show).
 *
 * Each document is run in a child; when it dies, what was done is printed.
 * KEEP_ODD=FILE keeps the odd document there.
 */
#define _GNU_SOURCE
#include "analyzer/command-line.h"
#include "reports/plot.h"
#include "reports/renderer.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 8
#define LONGEST	  20 /* seconds with one odd document */

/* "@" is the odd document, "=" the one it was made of */
static const char *const lines[][WORDS_MAX] = {
	{ "report", "@" },
	{ "report", "--format", "csv", "@" },
	{ "report", "--format", "json", "@" },
	{ "report", "--format", "html", "@" },
	{ "report", "--format", "folded", "@" },
	{ "report", "--format", "perfetto", "@" },
	{ "diff", "@", "=" },
	{ "diff", "--all", "--format", "json", "=", "@" },
	{ "diff", "=", "@", "@", "--", "@", "=" },
	{ "advise", "@" },
	{ "advise", "--runtime", "2s", "--ranges", "/dev/null", "@" },
	{ "advise", "memory", "@" },
	{ "advise", "memory", "--device", "disk", "@" },
	{ "explain", "--result", "@" },
};

/* Shared with the child: what it was doing when it died. */
static char *doing;
static uint64_t state;
static const volatile sig_atomic_t stop;

static uint64_t
draw(uint64_t n)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n;
}

/* --- odd documents -------------------------------------------------------- */

static json_t *
odd_cell(void)
{
	static const double reals[] = { 1e300,	  -1e300,   0.0, -0.0, 1e-300,
					0x1p63,	  0x1p64,   0.5, -1,   1e19,
					1.7e+308, -1.5e308, 1,	 4096 };
	static const json_int_t wholes[] = { 0,		1,
					     -1,	INT64_MAX,
					     INT64_MIN, UINT32_MAX,
					     INT32_MIN, INT64_C(1) << 53,
					     3 };
	static const char *const texts[] = { "",	 "-",
					     "0x",	 "0xffffffffffffffffff",
					     "%s%n",	 "a,\"b\"\n'`c`",
					     "nan",	 "lru",
					     "\x01\x7f", "<b>&" };

	switch (draw(4)) {
	case 0:
		return json_real(reals[draw(ARRAY_SIZE(reals))]);
	case 1:
		return json_integer(wholes[draw(ARRAY_SIZE(wholes))]);
	case 2:
		return json_string(texts[draw(ARRAY_SIZE(texts))]);
	default:
		return json_null();
	}
}

/* The n-th member's name; NULL: there is none. */
static const char *
any_name(json_t *object)
{
	size_t n = json_object_size(object), at = n ? (size_t)draw(n) : 0;
	const char *name;
	json_t *member;

	json_object_foreach(object, name, member)
	{
		if (!at--)
			return name;
	}
	return NULL;
}

static void
odd_value(json_t *values, const char *name)
{
	json_t *entry = json_object_get(values, name);
	json_t *cell = odd_cell();

	if (!draw(5)) {
		json_object_del(values, name);
	} else {
		if (json_is_null(cell))
			json_object_set_new(entry, "reason",
					    json_string("odd %s"));
		json_object_set(entry, "value", cell);
	}
	json_decref(cell);
}

static void
odd_column(json_t *columns, json_t *rows, size_t at)
{
	json_t *row;
	size_t i;

	if (draw(2) && json_array_size(columns) > 1) {
		json_array_remove(columns, at);
		json_array_foreach(rows, i, row)
		{
			json_array_remove(row, at);
		}
		return;
	}
	json_array_foreach(rows, i, row)
	{
		json_array_set_new(row, at, odd_cell());
	}
}

static void
odd_table(json_t *tables, const char *name)
{
	json_t *table = json_object_get(tables, name);
	json_t *columns = json_object_get(table, "columns");
	json_t *rows = json_object_get(table, "rows");
	size_t n = json_array_size(rows);
	size_t at = (size_t)draw(json_array_size(columns));

	switch (n ? draw(8) : 0) {
	case 0:
		json_object_del(tables, name);
		break;
	case 1:
		json_array_clear(rows);
		break;
	case 2:
		odd_column(columns, rows, at);
		break;
	case 3: /* in another order, or twice */
		json_array_append(rows, json_array_get(rows, draw(n)));
		break;
	case 4:
		json_array_remove(rows, draw(n));
		break;
	default:
		json_array_set_new(json_array_get(rows, draw(n)), at,
				   odd_cell());
	}
}

static void
make_odd(json_t *document)
{
	json_t *machines = json_object_get(document, "machines");
	size_t n = json_array_size(machines);
	json_t *part =
		n && draw(4) ? json_array_get(machines, draw(n)) : document;
	json_t *member;
	const char *name;

	switch (draw(12)) {
	case 0: /* what a document is made with */
		member = json_object_get(part, "provenance");
		name = any_name(member);
		if (name)
			json_object_set_new(member, name, odd_cell());
		break;
	case 1:
		member = json_object_get(part, "options");
		name = any_name(member);
		if (name)
			json_object_set_new(member, name, json_string("-1"));
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		member = json_object_get(part, "values");
		name = any_name(member);
		if (name)
			odd_value(member, name);
		break;
	case 6:
		if (n > 1)
			json_array_remove(machines, draw(n));
		break;
	default:
		member = json_object_get(part, "tables");
		name = any_name(member);
		if (name)
			odd_table(member, name);
	}
}

/* --- odd all over: every table, value and cell ------------------------------ */

enum all_over {
	REVERSED = 1, /* rows from the last to the first */
	EMPTY,	      /* no rows */
	HUGE,	      /* all numbers: refused */
	LARGE,	      /* as large as is read */
	NEGATIVE,
	ALL_OVER
};

static void
odd_number(json_t **cell, enum all_over how)
{
	if (json_is_number(*cell) && how == HUGE)
		*cell = json_real(1e308);
	else if (json_is_number(*cell) && how == LARGE)
		*cell = json_real(3e38);
	else if (json_is_number(*cell) && how == NEGATIVE)
		*cell = json_integer(-1);
	else
		json_incref(*cell);
}

static json_t *
odd_rows(const json_t *rows, enum all_over how)
{
	json_t *odd = json_array();
	size_t n = how == EMPTY ? 0 : json_array_size(rows);

	for (size_t i = 0; i < n; i++) {
		json_t *row = json_copy(
			json_array_get(rows, how == REVERSED ? n - 1 - i : i));

		for (size_t k = 0; k < json_array_size(row); k++) {
			json_t *cell = json_array_get(row, k);

			odd_number(&cell, how);
			json_array_set_new(row, k, cell);
		}
		json_array_append_new(odd, row);
	}
	return odd;
}

static void
make_odd_all_over(json_t *document, enum all_over how)
{
	json_t *entry, *machine;
	const char *name;
	size_t i;

	json_object_foreach(json_object_get(document, "tables"), name, entry)
	{
		json_object_set_new(entry, "rows",
				    odd_rows(json_object_get(entry, "rows"),
					     how));
	}
	json_object_foreach(json_object_get(document, "values"), name, entry)
	{
		json_t *value = json_object_get(entry, "value");

		odd_number(&value, how);
		json_object_set_new(entry, "value", value);
	}
	json_array_foreach(json_object_get(document, "machines"), i, machine)
	{
		make_odd_all_over(machine, how);
	}
}

/* --- what reads them ------------------------------------------------------ */

static const struct verb_ops *
verb_of(const char *name)
{
	for (size_t i = 0; verb_registry[i]; i++)
		if (!strcmp(verb_registry[i]->name, name))
			return verb_registry[i];
	abort();
}

/* The verb's status, as analyzer/main.c has it */
static int
run_line(const char *const *words, char *odd, char *plain)
{
	const struct verb_ops *verb = verb_of(words[0]);
	struct verb_call call = { .stop = &stop };
	struct command_line line;
	char *argv[WORDS_MAX + 1];
	int argc = 0, status;

	for (; argc < WORDS_MAX && words[argc]; argc++)
		argv[argc] = !strcmp(words[argc], "@")	 ? odd
			     : !strcmp(words[argc], "=") ? plain
							 : strdup(words[argc]);
	argv[argc] = NULL;
	if (command_line_init(&line, verb, argc, argv))
		abort();
	call.config = line.config;
	call.argc = line.argc;
	call.argv = line.argv;
	call.full_argc = argc;
	call.full_argv = argv;
	status = verb->run(&call);
	command_line_fini(&line, verb);
	for (int i = 0; i < argc; i++)
		if (argv[i] != odd && argv[i] != plain)
			free(argv[i]);
	return status;
}

static void
plot_all(const char *path)
{
	struct result *result;

	if (result_read(&result, path))
		return;
	for (size_t i = 0; plot_registry[i]; i++) {
		const struct plot_ops *plot = plot_registry[i];
		FILE *file = fopen("/dev/null", "w");
		char why[256] = "";

		snprintf(doing + 2048, 2048, "plot %s", plot->name);
		if (plot->data(result, file, why, sizeof(why)))
			plot->draw(result, file);
		else if (!*why)
			abort();
		fclose(file);
	}
	result_close(result);
}

/* Each failure says why, once at least; what it says is taken away. */
static void
judge(int status, FILE *said)
{
	long bytes;

	fflush(stderr);
	bytes = lseek(STDERR_FILENO, 0, SEEK_CUR);
	if (status < 0 && !bytes)
		strcpy(doing + 4096, "failed without a word");
	else if (status > STATUS_PARTIAL)
		strcpy(doing + 4096, "a status that is none");
	else if (!ftruncate(fileno(said), 0))
		lseek(STDERR_FILENO, 0, SEEK_SET);
	if (doing[4096])
		_exit(1);
}

static void
try(const json_t *document, char *plain, FILE *said)
{
	int fd = memfd_create("odd", MFD_CLOEXEC);
	char *text = json_dumps(document, 0), path[64];

	if (fd < 0 || !text || write(fd, text, strlen(text)) < 0)
		abort();
	free(text);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		snprintf(doing + 2048, 2048, "%s %s %s", lines[i][0],
			 lines[i][1], lines[i][2] ? lines[i][2] : "");
		judge(run_line(lines[i], path, plain), said);
	}
	plot_all(path);
	close(fd);
}

static void
run_document(char *path, unsigned times, FILE *said)
{
	json_t *document = json_load_file(path, 0, NULL);

	if (!document)
		abort();
	state = json_object_size(json_object_get(document, "values"));
	if (!freopen("/dev/null", "w", stdout))
		abort();
	dup2(fileno(said), STDERR_FILENO);
	for (unsigned i = 0; i <= times; i++) {
		json_t *odd = json_deep_copy(document);

		snprintf(doing, 2048, "%s, made odd, %u", path, i);
		if (i && i < ALL_OVER)
			make_odd_all_over(odd, i);
		for (uint64_t k = i < ALL_OVER ? 0 : 1 + draw(3); odd && k; k--)
			make_odd(odd);
		if (odd && getenv("KEEP_ODD"))
			json_dump_file(odd, getenv("KEEP_ODD"), JSON_INDENT(1));
		alarm(LONGEST);
		try(odd, path, said);
		json_decref(odd);
	}
	json_decref(document);
	fclose(said);
	exit(0);
}

/* 0, or 1 when it died. */
static int
run(char *path, unsigned times)
{
	FILE *said = tmpfile();
	char line[4096];
	int status = 0;
	pid_t pid;

	if (!said)
		return 1;
	memset(doing, 0, 8192);
	fflush(stdout);
	pid = fork();
	if (!pid)
		run_document(path, times, said);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && !status) {
		fclose(said);
		return 0;
	}
	printf("FAIL: %s: %s: status 0x%x %s\n", doing, doing + 2048,
	       (unsigned)status, doing + 4096);
	rewind(said);
	while (fgets(line, sizeof(line), said))
		fputs(line, stdout);
	fclose(said);
	return 1;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	doing = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (doing == MAP_FAILED || argc < 3)
		return 99;
	for (int i = 2; i < argc; i++)
		failed += run(argv[i], (unsigned)atoi(argv[1]));
	return failed != 0;
}
