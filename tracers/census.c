// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at all processes through /proc; see the header. */
#include "tracers/census.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define FLAG_KERNEL 0x200000 /* PF_KTHREAD of a stat's flags */

struct census {
	struct census_setup setup;
	struct census_row *row, *before; /* owned: [n], [n_before] */
	size_t n, n_before, room, room_before;
	/* Sums since the beginning, as `row` has the differences */
	uint64_t (*sum)[CENSUS_RSS], (*sum_before)[CENSUS_RSS];
	uint64_t tick_ns;
	bool looked;
};

int
census_open(struct census **out, const struct census_setup *setup)
{
	struct census *census = calloc(1, sizeof(*census));

	if (!census)
		return fail(ENOMEM, "processes: no memory");
	census->setup = *setup;
	if (!setup->proc)
		census->setup.proc = "/proc";
	census->tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	*out = census;
	return 0;
}

void
census_close(struct census *census)
{
	if (!census)
		return;
	free(census->row);
	free(census->before);
	free(census->sum);
	free(census->sum_before);
	free(census);
}

void
census_threads(struct census *census, bool threads)
{
	census->setup.threads = threads;
}

struct census_row *
census_rows(struct census *census, size_t *n)
{
	*n = census->n;
	return census->row;
}

/* The whole of a small file, ended by 0; its length, or -errno */
static ssize_t
read_text(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (n + 1 < bytes && (got = read(fd, text + n, bytes - 1 - n)) > 0)
		n += (size_t)got;
	got = got < 0 ? -errno : (ssize_t)n;
	close(fd);
	text[n] = '\0';
	return got;
}

/* The number after "word:", times 1024 where it is in kB; false: none */
static bool
find_word(const char *text, const char *word, uint64_t *value)
{
	size_t n = strlen(word);

	for (const char *line = text; line && *line;) {
		char *end;

		if (!strncmp(line, word, n) && line[n] == ':') {
			*value = strtoull(line + n + 1, &end, 10);
			if (!strncmp(end, " kB", 3))
				*value *= 1024;
			return true;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

static void
set(struct census_row *row, enum census_figure figure, uint64_t value)
{
	row->value[figure] = value;
	row->known |= 1u << figure;
}

/*
 * "PID (NAME) STATE PPID ...": the name may hold blanks and brackets, so that
 * its end is the last one.  False: no such line
 */
static bool
parse_stat(const char *text, struct census_row *row)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t field[23] = { 0 }; /* by proc(5)'s numbers */
	const char *at;
	size_t n;
	char *end;

	if (!open || !close || close < open || strlen(close) < 4)
		return false;
	n = (size_t)(close - open) - 1;
	snprintf(row->name, sizeof(row->name), "%.*s", (int)n, open + 1);
	row->ended = close[2] == 'Z' || close[2] == 'X';
	at = close + 3;
	for (size_t i = 4; i < ARRAY_SIZE(field); i++) {
		field[i] = (uint64_t)strtoll(at, &end, 10);
		if (end == at)
			return false;
		at = end;
	}
	row->parent = (pid_t)field[4];
	row->kernel = field[9] & FLAG_KERNEL;
	set(row, CENSUS_MINOR, field[10]);
	set(row, CENSUS_MAJOR, field[12]);
	set(row, CENSUS_CPU, field[14] + field[15]);
	row->start = field[22];
	return true;
}

static struct census_row *
add_row(struct census *census)
{
	size_t room = 2 * census->room + 256;
	struct census_row *row = census->row;

	if (census->n == census->room) {
		uint64_t(*sum)[CENSUS_RSS];

		row = reallocarray(census->row, room, sizeof(*row));
		if (row)
			census->row = row;
		sum = reallocarray(census->sum, room, sizeof(*sum));
		if (sum)
			census->sum = sum;
		if (!row || !sum)
			return NULL;
		census->room = room;
	}
	row = &census->row[census->n++];
	memset(row, 0, sizeof(*row));
	return row;
}

/* One file of numbers below a directory: a row each.  A process that ends
 * meanwhile has none. */
static int
read_stats(struct census *census, pid_t pid)
{
	char path[320], text[2048];
	struct dirent *entry;
	struct census_row row;
	DIR *directory;

	if (pid)
		snprintf(path, sizeof(path), "%s/%d/task", census->setup.proc,
			 (int)pid);
	else
		snprintf(path, sizeof(path), "%s", census->setup.proc);
	directory = opendir(path);
	if (!directory)
		return pid ? 0 : fail_errno(errno, "%s", path);
	while ((entry = readdir(directory))) {
		struct census_row *new;
		char file[640];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(file, sizeof(file), "%s/%s/stat", path, entry->d_name);
		memset(&row, 0, sizeof(row));
		row.tid = (pid_t)strtol(entry->d_name, NULL, 10);
		row.pid = pid ? pid : row.tid;
		if (read_text(file, text, sizeof(text)) <= 0 ||
		    !parse_stat(text, &row) || row.kernel)
			continue;
		new = add_row(census);
		if (!new) {
			closedir(directory);
			return fail(ENOMEM, "processes: no memory");
		}
		*new = row;
	}
	closedir(directory);
	return 0;
}

static int
row_order(const void *left, const void *right)
{
	const struct census_row *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->tid < b->tid ? -1 : a->tid > b->tid;
}

static const struct census_row *
find_row(const struct census_row *rows, size_t n, pid_t pid, pid_t tid)
{
	const struct census_row key = { .pid = pid, .tid = tid };

	return n ? bsearch(&key, rows, n, sizeof(key), row_order) : NULL;
}

/* Was this process looked at before?  Its main thread has its number. */
static bool
was_there(const struct census *census, const struct census_row *row)
{
	const struct census_row *old =
		find_row(census->before, census->n_before, row->pid, row->pid);

	return old && old->start == row->start;
}

/*
 * The root, its descendants, and those that were among them when their parents
 * lived.  `kernel` marks what is to be left out.
 */
static void
choose_descendants(struct census *census)
{
	bool more = true;

	for (size_t i = 0; i < census->n; i++) {
		struct census_row *row = &census->row[i];

		row->kernel = row->pid != census->setup.root &&
			      !was_there(census, row);
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < census->n; i++) {
			struct census_row *row = &census->row[i];
			const struct census_row *parent =
				find_row(census->row, census->n, row->parent,
					 row->parent);

			if (!row->kernel || !parent || parent->kernel)
				continue;
			row->kernel = false;
			more = true;
		}
	}
}

static void
drop_others(struct census *census)
{
	size_t n = 0;

	for (size_t i = 0; i < census->n; i++)
		if (!census->row[i].kernel)
			census->row[n++] = census->row[i];
	census->n = n;
}

/* Rows of threads instead of those of their processes. */
static int
split_threads(struct census *census)
{
	size_t n = census->n;
	pid_t *pids = calloc(n + 1, sizeof(*pids));
	int error = 0;

	if (!pids)
		return fail(ENOMEM, "processes: no memory");
	for (size_t i = 0; i < n; i++)
		pids[i] = census->row[i].pid;
	census->n = 0;
	for (size_t i = 0; i < n && !error; i++)
		error = read_stats(census, pids[i]);
	free(pids);
	return error;
}

static void
read_memory(const struct census *census, struct census_row *row)
{
	static const struct {
		const char *word;
		enum census_figure figure;
	} words[] = { { "VmRSS", CENSUS_RSS },
		      { "VmPTE", CENSUS_TABLES },
		      { "VmSwap", CENSUS_SWAP } };
	char path[320], text[8192];
	uint64_t value;

	snprintf(path, sizeof(path), "%s/%d/status", census->setup.proc,
		 (int)row->pid);
	if (read_text(path, text, sizeof(text)) <= 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (find_word(text, words[i].word, &value))
			set(row, words[i].figure, value);
}

/* What was counted since the look before; of a new one all. */
static void
subtract(struct census *census)
{
	for (size_t i = 0; i < census->n; i++) {
		struct census_row *row = &census->row[i];
		const struct census_row *old =
			find_row(census->before, census->n_before, row->pid,
				 row->tid);

		memcpy(census->sum[i], row->value, sizeof(census->sum[i]));
		if (old && old->start != row->start)
			old = NULL;
		row->fresh = !old && census->looked;
		if (old) {
			const uint64_t *sum =
				census->sum_before[old - census->before];

			row->cleared = old->cleared;
			for (int f = 0; f < CENSUS_RSS; f++)
				row->value[f] = row->value[f] >= sum[f]
							? row->value[f] - sum[f]
							: 0;
		}
		row->value[CENSUS_CPU] *= census->tick_ns;
	}
}

/* The rows of now become those before. */
static void
turn_over(struct census *census)
{
	struct census_row *row = census->before;
	uint64_t(*sum)[CENSUS_RSS] = census->sum_before;
	size_t room = census->room_before;

	census->before = census->row;
	census->sum_before = census->sum;
	census->n_before = census->n;
	census->room_before = census->room;
	census->row = row;
	census->sum = sum;
	census->room = room;
	census->n = 0;
}

int
census_look(struct census *census)
{
	int error;

	turn_over(census);
	error = read_stats(census, 0);
	if (!error && census->n)
		qsort(census->row, census->n, sizeof(*census->row), row_order);
	if (!error && census->setup.root) {
		choose_descendants(census);
		drop_others(census);
	}
	if (!error && census->setup.threads)
		error = split_threads(census);
	if (error)
		return error;
	if (census->n)
		qsort(census->row, census->n, sizeof(*census->row), row_order);
	for (size_t i = 0; i < census->n; i++)
		read_memory(census, &census->row[i]);
	subtract(census);
	census->looked = true;
	return 0;
}

/* "1": what is referenced from now on */
static bool
clear_references(const struct census *census, pid_t pid)
{
	char path[320];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "%s/%d/clear_refs", census->setup.proc,
		 (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, "1\n", 2) == 2;
	close(fd);
	return done;
}

void
census_detail(struct census *census, struct census_row *row)
{
	char path[320], text[4096];
	uint64_t value;
	ssize_t got;

	if (row->ended)
		return;
	snprintf(path, sizeof(path), "%s/%d/smaps_rollup", census->setup.proc,
		 (int)row->pid);
	got = read_text(path, text, sizeof(text));
	row->refused = got == -EACCES || got == -EPERM;
	if (got <= 0)
		return;
	if (find_word(text, "AnonHugePages", &value))
		set(row, CENSUS_HUGE, value);
	if (row->cleared && find_word(text, "Referenced", &value))
		set(row, CENSUS_REFERENCED, value);
	row->cleared =
		census->setup.referenced && clear_references(census, row->pid);
}

static uint64_t
word_or_none(const char *text, const char *word)
{
	uint64_t value;

	return find_word(text, word, &value) ? value : UINT64_MAX;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234" */
static uint64_t
pressure_total(const char *text, const char *word)
{
	const char *line = strstr(text, word), *total;

	total = line ? strstr(line, "total=") : NULL;
	return total ? strtoull(total + 6, NULL, 10) : UINT64_MAX;
}

void
census_host(const char *proc, struct census_host *host)
{
	char path[320], text[8192];
	uint64_t unused;

	snprintf(path, sizeof(path), "%s/meminfo", proc);
	read_text(path, text, sizeof(text));
	*host = (struct census_host){
		.total = word_or_none(text, "MemTotal"),
		.available = word_or_none(text, "MemAvailable"),
		.swap = word_or_none(text, "SwapTotal"),
		.huge = word_or_none(text, "AnonHugePages"),
		.tables = word_or_none(text, "PageTables"),
		.swap_used = UINT64_MAX,
	};
	unused = word_or_none(text, "SwapFree");
	if (host->swap != UINT64_MAX && unused <= host->swap)
		host->swap_used = host->swap - unused;
	snprintf(path, sizeof(path), "%s/pressure/memory", proc);
	read_text(path, text, sizeof(text));
	host->some_us = pressure_total(text, "some");
	host->full_us = pressure_total(text, "full");
}
