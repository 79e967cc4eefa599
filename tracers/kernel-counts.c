// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading what the kernel counts: lines of "word number [kB]" all. */
#include "tracers/kernel-counts.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES  16384
#define LINE_BYTES  512
#define PAGE_BYTES  UINT64_C(4096)
#define TABLE_BYTES (UINT64_C(1) << 21)
#define ENTRIES	    512

/* Words of smaps and smaps_rollup; kernel_own.smaps has them in this order. */
enum smaps_word {
	SMAPS_SIZE,
	SMAPS_RSS,
	SMAPS_ANONYMOUS,
	SMAPS_SWAP,
	SMAPS_LARGE,
	SMAPS_OTHERS,
};
static const char *const smaps_words[] = {
	"Size",
	"Rss",
	"Anonymous",
	"Swap",
	"ShmemPmdMapped",
	"Pss",
	"Pss_Dirty",
	"Pss_Anon",
	"Pss_File",
	"Pss_Shmem",
	"Shared_Clean",
	"Shared_Dirty",
	"Private_Clean",
	"Private_Dirty",
	"KSM",
	"LazyFree",
	"AnonHugePages",
	"FilePmdMapped",
	"Shared_Hugetlb",
	"Private_Hugetlb",
	"SwapPss",
	"Locked",
};

/* Has pages of files in it, which reading ahead maps too */
static const char *const smaps_files[] = {
	"Rss", "Pss", "Pss_File", "Shared_Clean", "Private_Clean",
};

/* Of status: each with what of the recorder's own is in it. */
static const struct status_word {
	const char *word;
	int own;     /* enum smaps_word, SMAPS_OTHERS: the tables */
	int without; /* that of it is not: -1: all is */
	bool peak;   /* no telling what is in it */
	bool files;  /* pages of files */
} status_words[] = {
	{ "VmSize", SMAPS_SIZE, -1, false, false },
	{ "VmHWM", SMAPS_RSS, -1, true, true },
	{ "VmRSS", SMAPS_RSS, -1, false, true },
	{ "RssAnon", SMAPS_ANONYMOUS, -1, false, false },
	{ "RssFile", -1, -1, false, true },
	/* What the recorder maps is memory of a memfd */
	{ "RssShmem", SMAPS_RSS, SMAPS_ANONYMOUS, false, false },
	{ "VmPTE", SMAPS_OTHERS, -1, false, false },
	{ "VmSwap", SMAPS_SWAP, -1, false, false },
	{ "VmLck", -1, -1, false, false },
};

static const char *const vmstat_words[] = {
	"pgfault",  "pgmajfault",  "pswpin",	 "pswpout",  "pgpgin",
	"pgpgout",  "pgsteal_",	   "pgscan_",	 "thp_",     "numa_",
	"swap_",    "workingset_", "ksm_",	 "cow_ksm",  "pgact",
	"pgdeact",  "pgrefill",	   "pglazyfree", "oom_kill", "zswp",
	"compact_",
};

/* A value's name begins so, and is of these words alone, if any. */
struct reading {
	const struct kernel_counts *counts;
	const struct kernel_own *own;
	const char *prefix;
	bool host; /* zeros are left out */
	/* false: not this one.  It may tell what is not the program's */
	bool (*wanted)(const struct reading *reading, const char *word,
		       struct kernel_count *count);
};

/* The whole of a small file, ended by 0; its length, or 0. */
static size_t
read_text(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	text[0] = '\0';
	if (fd < 0)
		return 0;
	while (n + 1 < bytes && (got = read(fd, text + n, bytes - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = '\0';
	return n;
}

static void
tell(const struct reading *reading, const char *word, uint64_t value)
{
	struct kernel_count count = { .value = value };
	char name[128];

	if (reading->wanted && !reading->wanted(reading, word, &count))
		return;
	if (reading->host && !value)
		return;
	snprintf(name, sizeof(name), "%s%s", reading->prefix, word);
	count.name = name;
	reading->counts->tell(reading->counts->context, &count);
}

/* "word: 12 kB", "word 12" */
static bool
parse_line(char *line, const char **word, uint64_t *value)
{
	size_t n = strcspn(line, ": \t\n");
	char *number = line + n + strspn(line + n, ": \t"), *end;

	if (!n || *number < '0' || *number > '9')
		return false;
	line[n] = '\0';
	*word = line;
	*value = strtoull(number, &end, 10);
	if (!strncmp(end, " kB", 3))
		*value *= 1024;
	return true;
}

static void
tell_lines(const struct reading *reading, const char *path)
{
	char text[TEXT_BYTES];
	char *line = text, *next;

	read_text(path, text, sizeof(text));
	for (; *line; line = next) {
		size_t n = strcspn(line, "\n");
		const char *word;
		uint64_t value;

		next = line + n + (line[n] == '\n');
		line[n] = '\0';
		if (parse_line(line, &word, &value))
			tell(reading, word, value);
	}
}

static int
smaps_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(smaps_words); i++)
		if (!strcmp(smaps_words[i], word))
			return (int)i;
	return -1;
}

static bool
smaps_wanted(const struct reading *reading, const char *word,
	     struct kernel_count *count)
{
	int i = smaps_word(word);

	if (i < 0)
		return false;
	count->own = reading->own->smaps[i];
	count->disturbed = reading->counts->disturbed;
	for (size_t k = 0; k < ARRAY_SIZE(smaps_files); k++)
		if (reading->counts->reads_ahead &&
		    !strcmp(smaps_files[k], word))
			count->disturbed = true;
	return true;
}

static bool
status_wanted(const struct reading *reading, const char *word,
	      struct kernel_count *count)
{
	const struct kernel_own *own = reading->own;

	for (size_t i = 0; i < ARRAY_SIZE(status_words); i++) {
		const struct status_word *row = &status_words[i];

		if (strcmp(row->word, word))
			continue;
		if (row->own == SMAPS_OTHERS)
			count->own = own->table_bytes;
		else if (row->own >= 0)
			count->own = own->smaps[row->own];
		if (row->without >= 0)
			count->own -= own->smaps[row->without];
		count->disturbed = reading->counts->disturbed ||
				   (row->peak && own->any) ||
				   (row->files && reading->counts->reads_ahead);
		return true;
	}
	return false;
}

static bool
vmstat_wanted(const struct reading *reading, const char *word,
	      struct kernel_count *count)
{
	(void)reading;
	(void)count;
	for (size_t i = 0; i < ARRAY_SIZE(vmstat_words); i++)
		if (!strncmp(word, vmstat_words[i], strlen(vmstat_words[i])))
			return true;
	return false;
}

/* Faults of the whole process: fields 10 and 12, behind "pid (name)". */
static void
tell_stat(pid_t pid, const struct kernel_counts *counts,
	  const struct kernel_own *own)
{
	unsigned long int minor, major;
	char path[48], text[1024];
	const char *rest;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	read_text(path, text, sizeof(text));
	rest = strrchr(text, ')');
	if (!rest ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor,
		   &major) != 2)
		return;
	counts->tell(counts->context,
		     &(struct kernel_count){ .name = "stat.minflt",
					     .value = minor,
					     .disturbed = own->any ||
							  counts->disturbed ||
							  counts->reads_ahead,
					     .codeless = counts->reads_code });
	counts->tell(counts->context,
		     &(struct kernel_count){ .name = "stat.majflt",
					     .value = major,
					     .disturbed = counts->disturbed });
}

/*
 * The recorder's mappings between two of the program's, and the tables that
 * they alone need: those whose region [start, start + 2^shift) reaches neither
 * neighbour.
 *
 *	program | ours ours ours | program
 *	      floor             ceiling
 */
#define LEVELS 3
static const unsigned level_shift[LEVELS] = { 21, 30, 39 };

struct gap {
	uint64_t floor; /* end of the program's mapping before */
	uint64_t tables[LEVELS];
	uint64_t first[LEVELS], last[LEVELS]; /* regions with an entry, + 1 */
};

struct walk {
	const struct kernel_counts *counts;
	struct kernel_own *own;
	int pagemap;
	bool ours; /* the mapping whose lines these are */
	struct gap gap;
};

/* Does anything of the range have an entry in the page table? */
static bool
any_present(int pagemap, uint64_t start, uint64_t end)
{
	uint64_t entry[ENTRIES];
	size_t n = (size_t)((end - start) / PAGE_BYTES);
	ssize_t got = pread(pagemap, entry, n * sizeof(entry[0]),
			    (off_t)(start / PAGE_BYTES * sizeof(entry[0])));

	for (ssize_t i = 0; i * (ssize_t)sizeof(entry[0]) < got; i++)
		if (entry[i] >> 62)
			return true;
	return false;
}

static void
gap_add(struct gap *gap, uint64_t address)
{
	for (unsigned i = 0; i < LEVELS; i++) {
		uint64_t region = (address >> level_shift[i]) + 1;

		if (gap->last[i] == region)
			continue;
		if (!gap->first[i])
			gap->first[i] = region;
		gap->last[i] = region;
		gap->tables[i]++;
	}
}

static void
add_present(struct walk *walk, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t next = (start | (TABLE_BYTES - 1)) + 1;

		next = next < end ? next : end;
		if (any_present(walk->pagemap, start, next))
			gap_add(&walk->gap, start);
		start = next;
	}
}

/* A mapping of the program, or the end, closes the gap. */
static void
gap_close(struct walk *walk, uint64_t ceiling, uint64_t floor)
{
	struct gap *gap = &walk->gap;

	for (unsigned i = 0; i < LEVELS; i++) {
		unsigned shift = level_shift[i];
		uint64_t tables = gap->tables[i];
		bool below = tables && gap->floor > (gap->first[i] - 1)
							    << shift;
		bool above = tables && ceiling < gap->last[i] << shift;

		if (gap->first[i] == gap->last[i])
			tables -= below || above;
		else
			tables -= (uint64_t)below + above;
		walk->own->table_bytes += tables * PAGE_BYTES;
	}
	*gap = (struct gap){ .floor = floor };
}

static void
own_line(struct walk *walk, char *line)
{
	uint64_t value, start, end;
	const char *word;
	char rights;
	int i;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &start, &end, &rights) ==
	    3) {
		walk->ours = walk->counts->owns(walk->counts->context, start);
		if (walk->ours)
			add_present(walk, start, end);
		else
			gap_close(walk, start, end);
		walk->own->any |= walk->ours;
	} else if (walk->ours && parse_line(line, &word, &value)) {
		i = smaps_word(word);
		if (i >= 0)
			walk->own->smaps[i] += value;
	}
}

/* Line by line, as it may be long. */
static void
own_lines(struct walk *walk, int fd)
{
	char text[TEXT_BYTES];
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0) {
		char *line = text, *end;

		n += (size_t)got;
		text[n] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			own_line(walk, line);
			line = end + 1;
		}
		n = strlen(line);
		memmove(text, line, n);
		if (n == sizeof(text) - 1)
			n = 0;
	}
}

static void
find_own(pid_t pid, const struct kernel_counts *counts, struct kernel_own *own)
{
	struct walk walk = { .counts = counts, .own = own };
	char path[48];
	int fd;

	if (!counts->owns)
		return;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	walk.pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		own_lines(&walk, fd);
		gap_close(&walk, UINT64_MAX, 0);
		/* Those that one entry of 2M maps have no table below. */
		own->table_bytes -=
			own->smaps[SMAPS_LARGE] / TABLE_BYTES * PAGE_BYTES;
		close(fd);
	}
	if (walk.pagemap >= 0)
		close(walk.pagemap);
}

/* -1000 to 1000; usually 0, which is not told */
static void
tell_oom(pid_t pid, const struct kernel_counts *counts)
{
	char path[48], text[32];
	long adj;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	read_text(path, text, sizeof(text));
	adj = strtol(text, NULL, 10);
	if (adj)
		counts->tell(counts->context,
			     &(struct kernel_count){ .name = "oom.score_adj",
						     .value = (uint64_t)adj });
}

void
kernel_counts_process(pid_t pid, const struct kernel_counts *counts)
{
	struct kernel_own own = { 0 };
	struct reading reading = { .counts = counts, .own = &own };
	char path[48];

	find_own(pid, counts, &own);
	tell_stat(pid, counts, &own);
	tell_oom(pid, counts);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	reading.prefix = "status.";
	reading.wanted = status_wanted;
	tell_lines(&reading, path);
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	reading.prefix = "smaps.";
	reading.wanted = smaps_wanted;
	tell_lines(&reading, path);
	snprintf(path, sizeof(path), "/proc/%d/ksm_stat", (int)pid);
	reading.prefix = "ksm_stat.";
	reading.wanted = NULL;
	tell_lines(&reading, path);
}

/* memory.stat of its group: version 1 or 2, where it is usually mounted */
static void
tell_group(pid_t pid, struct reading *reading)
{
	char path[LINE_BYTES + 64], text[4096], group[LINE_BYTES];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	read_text(path, text, sizeof(text));
	line = strstr(text, ":memory:");
	if (line && sscanf(line + 8, "%511[^\n]", group) == 1)
		snprintf(path, sizeof(path),
			 "/sys/fs/cgroup/memory%s/memory.stat", group);
	else if (!strncmp(text, "0::", 3) &&
		 sscanf(text + 3, "%511[^\n]", group) == 1)
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.stat",
			 group);
	else
		return;
	reading->prefix = "memory.stat.";
	reading->wanted = NULL;
	tell_lines(reading, path);
}

static void
tell_ksm(struct reading *reading)
{
	static const char where[] = "/sys/kernel/mm/ksm";
	static const char *const files[] = {
		"run",
		"pages_to_scan",
		"sleep_millisecs",
		"pages_shared",
		"pages_sharing",
		"pages_unshared",
		"pages_volatile",
		"pages_scanned",
		"pages_skipped",
		"full_scans",
		"ksm_zero_pages",
		"use_zero_pages",
		"max_page_sharing",
		"stable_node_chains",
		"stable_node_dups",
		"smart_scan",
	};
	char path[64], text[64];

	reading->prefix = "ksm.";
	reading->wanted = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", where, files[i]);
		if (read_text(path, text, sizeof(text)))
			tell(reading, files[i], strtoull(text, NULL, 10));
	}
	/* "none [scan-time]" of 6.8 and later */
	snprintf(path, sizeof(path), "%s/advisor_mode", where);
	if (read_text(path, text, sizeof(text)))
		tell(reading, "advisor_mode", strstr(text, "[none]") ? 0 : 1);
}

static void
tell_zram(const struct kernel_counts *counts, unsigned number)
{
	static const char *const words[] = {
		"orig_data_size",  "compr_data_size", "mem_used_total",
		"mem_limit",	   "mem_used_max",    "same_pages",
		"pages_compacted", "huge_pages",
	};
	char path[64], prefix[16], text[256], *at = text;
	const struct reading reading = { .counts = counts,
					 .host = true,
					 .prefix = prefix };

	snprintf(path, sizeof(path), "/sys/block/zram%u/mm_stat", number);
	snprintf(prefix, sizeof(prefix), "zram%u.", number);
	if (!read_text(path, text, sizeof(text)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		tell(&reading, words[i], strtoull(at, &at, 10));
}

void
kernel_counts_host(pid_t pid, const struct kernel_counts *counts)
{
	struct reading reading = { .counts = counts, .host = true };

	reading.prefix = "vmstat.";
	reading.wanted = vmstat_wanted;
	tell_lines(&reading, "/proc/vmstat");
	tell_group(pid, &reading);
	tell_ksm(&reading);
	for (unsigned i = 0; i < 4; i++)
		tell_zram(counts, i);
}
