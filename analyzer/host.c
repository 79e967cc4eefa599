// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One function a question, in a table; each reads files of at most some
 * kilobytes.  A file that is not there is an answer, not an error.
 */
#include "analyzer/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define CAP_SYS_PTRACE_BIT 19
#define CAP_SYS_ADMIN_BIT  21
#define CAP_PERFMON_BIT	   38

PRINTF_LIKE(2, 3)
static void
say(struct finding *finding, const char *format, ...)
{
	size_t used = strlen(finding->text);
	va_list args;

	va_start(args, format);
	vsnprintf(finding->text + used, sizeof(finding->text) - used, format,
		  args);
	va_end(args);
}

static void
fix(struct finding *finding, enum finding_state state, const char *text)
{
	finding->state = state;
	snprintf(finding->fix, sizeof(finding->fix), "%s", text);
}

/* The file's start as a string without its last newline; false: no file */
static bool
read_text(const char *root, const char *path, char *text, size_t text_bytes)
{
	char full[512];
	ssize_t n = -1;
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, text_bytes - 1);
		close(fd);
	}
	if (n < 0)
		return false;
	text[n] = '\0';
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return true;
}

static bool
read_number(const char *root, const char *path, long *number)
{
	char text[64], *end;

	if (!read_text(root, path, text, sizeof(text)))
		return false;
	*number = strtol(text, &end, 10);
	return end != text;
}

/* The value of "key : value" or "key: value"; "" if there is none */
static void
field(const char *text, const char *key, char *value, size_t value_bytes)
{
	size_t length = strlen(key);

	value[0] = '\0';
	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, length))
			continue;
		text += length + strspn(text + length, " \t");
		if (*text != ':')
			continue;
		text += 1 + strspn(text + 1, " \t");
		snprintf(value, value_bytes, "%.*s", (int)strcspn(text, "\n"),
			 text);
		return;
	}
}

static bool
has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += length)
		if ((at == text || at[-1] == ' ') &&
		    (!at[length] || at[length] == ' '))
			return true;
	return false;
}

static bool
has_capability(const char *root, unsigned bit)
{
	char text[4096], value[32];

	if (!read_text(root, "/proc/self/status", text, sizeof(text)))
		return false;
	field(text, "CapEff", value, sizeof(value));
	return strtoull(value, NULL, 16) >> bit & 1;
}

static void
look_cpu(const char *root, struct finding *finding)
{
	char text[16384], name[128], flags[4096], online[64];

	if (!read_text(root, "/proc/cpuinfo", text, sizeof(text))) {
		say(finding, "unknown: no /proc/cpuinfo");
		return;
	}
	field(text, "model name", name, sizeof(name));
	field(text, "flags", flags, sizeof(flags));
	say(finding, "%s", name);
	if (read_text(root, "/sys/devices/system/cpu/online", online,
		      sizeof(online)))
		say(finding, ", CPUs %s", online);
	if (has_word(flags, "hypervisor"))
		say(finding, ", in a virtual machine");
}

static void
look_kernel(const char *root, struct finding *finding)
{
	char release[128];

	if (read_text(root, "/proc/sys/kernel/osrelease", release,
		      sizeof(release)))
		say(finding, "Linux %s", release);
}

static void
look_page_sizes(const char *root, struct finding *finding)
{
	static const struct {
		const char *kb, *name;
	} sizes[] = { { "2048", "2M" }, { "1048576", "1G" } };
	char text[16384], flags[4096], path[128];
	long pages;

	if (read_text(root, "/proc/cpuinfo", text, sizeof(text)))
		field(text, "flags", flags, sizeof(flags));
	else
		flags[0] = '\0';
	say(finding, "4K%s%s, %s page-table levels",
	    has_word(flags, "pse") ? " 2M" : "",
	    has_word(flags, "pdpe1gb") ? " 1G" : "",
	    has_word(flags, "la57") ? "up to 5" : "4");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/mm/hugepages/hugepages-%skB/nr_hugepages",
			 sizes[i].kb);
		if (read_number(root, path, &pages))
			say(finding, "; %ld %s pages reserved", pages,
			    sizes[i].name);
	}
}

static void
look_ptrace(const char *root, struct finding *finding)
{
	bool may_all = has_capability(root, CAP_SYS_PTRACE_BIT);
	long scope;

	finding->state = FINDING_YES;
	if (!read_number(root, "/proc/sys/kernel/yama/ptrace_scope", &scope)) {
		say(finding, "any process of the same user (no Yama)");
		return;
	}
	say(finding, "ptrace_scope %ld: ", scope);
	if (scope == 0 || (may_all && scope < 3)) {
		say(finding, "%s",
		    may_all ? "any process, as privileged"
			    : "any process of the same user");
	} else if (scope == 1) {
		say(finding, "commands that record starts, no -p PID");
		fix(finding, FINDING_LIMITED,
		    "sysctl kernel.yama.ptrace_scope=0");
	} else if (scope == 2) {
		say(finding, "only with CAP_SYS_PTRACE");
		fix(finding, FINDING_NO,
		    "run as root, or sysctl "
		    "kernel.yama.ptrace_scope=1");
	} else {
		say(finding, "nobody may, until the next boot");
		fix(finding, FINDING_NO,
		    "boot with kernel.yama.ptrace_scope=1");
	}
}

static void
look_perf_events(const char *root, struct finding *finding)
{
	bool may_all = has_capability(root, CAP_PERFMON_BIT) ||
		       has_capability(root, CAP_SYS_ADMIN_BIT);
	long paranoid;

	if (!read_number(root, "/proc/sys/kernel/perf_event_paranoid",
			 &paranoid)) {
		say(finding, "this kernel has no perf events");
		fix(finding, FINDING_NO, "a kernel with CONFIG_PERF_EVENTS=y");
		return;
	}
	finding->state = FINDING_YES;
	say(finding, "perf_event_paranoid %ld: ", paranoid);
	if (may_all) {
		say(finding, "all, as privileged");
	} else if (paranoid <= 1) {
		say(finding, "own processes, user and kernel side");
	} else if (paranoid == 2) {
		say(finding, "own processes, user side only");
		fix(finding, FINDING_LIMITED,
		    "sysctl kernel.perf_event_paranoid=1");
	} else {
		say(finding, "only with CAP_PERFMON");
		fix(finding, FINDING_NO, "sysctl kernel.perf_event_paranoid=1");
	}
}

/* The word in brackets of "always [madvise] never"; "" if there is none */
static void
chosen(const char *root, const char *path, char *word, size_t word_bytes)
{
	char text[256], *start;

	word[0] = '\0';
	if (!read_text(root, path, text, sizeof(text)))
		return;
	start = strchr(text, '[');
	if (start)
		snprintf(word, word_bytes, "%.*s", (int)strcspn(start + 1, "]"),
			 start + 1);
}

/* Sizes other than 2M that are on: "64kB" ... ; in the order of size */
static void
say_mthp(const char *root, struct finding *finding)
{
	char path[128], word[32];

	for (unsigned kb = 8; kb <= 1024; kb *= 2) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/mm/transparent_hugepage/"
			 "hugepages-%ukB/enabled",
			 kb);
		chosen(root, path, word, sizeof(word));
		if (word[0] && strcmp(word, "never") != 0)
			say(finding, ", %uK %s", kb, word);
	}
}

static void
look_thp(const char *root, struct finding *finding)
{
	char enabled[32], defrag[32];

	chosen(root, "/sys/kernel/mm/transparent_hugepage/enabled", enabled,
	       sizeof(enabled));
	chosen(root, "/sys/kernel/mm/transparent_hugepage/defrag", defrag,
	       sizeof(defrag));
	if (!enabled[0]) {
		say(finding, "this kernel has none");
		return;
	}
	say(finding, "%s, defrag %s", enabled, defrag);
	say_mthp(root, finding);
}

static void
look_ksm(const char *root, struct finding *finding)
{
	static const char *const words[] = { "off", "on", "off, unmerging" };
	long run, shared = 0;

	if (!read_number(root, "/sys/kernel/mm/ksm/run", &run)) {
		say(finding, "this kernel has none");
		return;
	}
	read_number(root, "/sys/kernel/mm/ksm/pages_shared", &shared);
	say(finding, "%s, %ld pages shared",
	    run >= 0 && run < (long)ARRAY_SIZE(words) ? words[run] : "unknown",
	    shared);
}

static void
look_numa(const char *root, struct finding *finding)
{
	char online[64];
	long balancing = 0;

	if (!read_text(root, "/sys/devices/system/node/online", online,
		       sizeof(online))) {
		say(finding, "one node (this kernel has no NUMA)");
		return;
	}
	read_number(root, "/proc/sys/kernel/numa_balancing", &balancing);
	say(finding, "nodes %s, balancing %s", online,
	    balancing ? "on" : "off");
}

static void
look_memory(const char *root, struct finding *finding)
{
	char text[8192], total[64], swap[64];

	if (!read_text(root, "/proc/meminfo", text, sizeof(text)))
		return;
	field(text, "MemTotal", total, sizeof(total));
	field(text, "SwapTotal", swap, sizeof(swap));
	say(finding, "%lld MiB, swap %lld MiB", atoll(total) / 1024,
	    atoll(swap) / 1024);
}

/* How it is read: by the processor, from a drive, or from one that turns. */
static const char *
swap_kind(const char *root, const char *device)
{
	char path[160];
	long turns = 0;

	if (!strncmp(device, "zram", 4) || !strncmp(device, "ram", 3))
		return "zram";
	snprintf(path, sizeof(path), "/sys/block/%.64s/queue/rotational",
		 device);
	if (!read_number(root, path, &turns)) {
		snprintf(path, sizeof(path),
			 "/sys/class/block/%.64s/../queue/rotational", device);
		read_number(root, path, &turns);
	}
	return turns ? "disk" : "drive";
}

/* The first device or file; lines are: where type size used priority */
static void
look_swap(const char *root, struct finding *finding)
{
	char text[4096], where[256] = "", *name;
	long cluster;

	if (read_number(root, "/proc/sys/vm/page-cluster", &cluster))
		say(finding, "page-cluster %ld, ", cluster);
	if (!read_text(root, "/proc/swaps", text, sizeof(text)) ||
	    sscanf(text, "%*[^\n] %255s", where) != 1) {
		say(finding, "no device");
		return;
	}
	name = strrchr(where, '/');
	name = name ? name + 1 : where;
	say(finding, "%s (%s)", name, swap_kind(root, name));
}

static void
look_aslr(const char *root, struct finding *finding)
{
	static const char *const words[] = { "off", "on, but not for brk",
					     "on" };
	long aslr;

	if (read_number(root, "/proc/sys/kernel/randomize_va_space", &aslr) &&
	    aslr >= 0 && aslr < (long)ARRAY_SIZE(words))
		say(finding, "%s", words[aslr]);
	else
		say(finding, "unknown");
}

/* Is a frame number shown for a page that surely is there? */
static void
look_pagemap(const char *root, struct finding *finding)
{
	volatile char touched = 1;
	uint64_t entry = 0;
	char path[512];
	off_t offset =
		(off_t)((uintptr_t)&touched / (uintptr_t)sysconf(_SC_PAGESIZE) *
			sizeof(entry));
	int fd;

	snprintf(path, sizeof(path), "%s/proc/self/pagemap", root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    pread(fd, &entry, sizeof(entry), offset) != sizeof(entry)) {
		say(finding, "not readable");
		fix(finding, FINDING_NO,
		    "a kernel with CONFIG_PROC_PAGE_MONITOR=y");
	} else if (entry & ((UINT64_C(1) << 55) - 1)) {
		say(finding, "physical frames are shown");
		finding->state = FINDING_YES;
	} else {
		say(finding, "presence only, frames are hidden");
		fix(finding, FINDING_LIMITED, "run as root (CAP_SYS_ADMIN)");
	}
	if (fd >= 0)
		close(fd);
}

/* Faults that this thread takes by reading an untouched page, then writing it:
 * the second is that of the zero page. */
static long
faults_of_a_page(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct rusage before, after;
	volatile char *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -1;
	madvise((void *)(uintptr_t)page, bytes, MADV_NOHUGEPAGE);
	getrusage(RUSAGE_THREAD, &before);
	(void)page[0];
	page[0] = 1;
	getrusage(RUSAGE_THREAD, &after);
	munmap((void *)(uintptr_t)page, bytes);
	return after.ru_minflt - before.ru_minflt;
}

bool
host_has_zero_page(void)
{
	return faults_of_a_page() != 1;
}

/* Some kernels for virtual machines have none (tried, as nothing tells). */
static void
look_zero_page(const char *root, struct finding *finding)
{
	if (root[0])
		say(finding, "unknown");
	else if (host_has_zero_page())
		say(finding, "yes, for pages that are read first");
	else
		say(finding, "no: pages that are read first are their own");
}

static const struct {
	const char *name;
	void (*look)(const char *root, struct finding *finding);
} questions[] = {
	{ "cpu", look_cpu },
	{ "kernel", look_kernel },
	{ "memory", look_memory },
	{ "page sizes", look_page_sizes },
	{ "huge pages", look_thp },
	{ "page merging", look_ksm },
	{ "numa", look_numa },
	{ "aslr", look_aslr },
	{ "swap", look_swap },
	{ "ptrace", look_ptrace },
	{ "perf events", look_perf_events },
	{ "pagemap", look_pagemap },
	{ "zero page", look_zero_page },
};

_Static_assert(ARRAY_SIZE(questions) <= HOST_FINDINGS_MAX, "too many");

size_t
host_look(const char *root, struct finding *findings)
{
	size_t n = ARRAY_SIZE(questions);

	for (size_t i = 0; i < n; i++) {
		findings[i] = (struct finding){ .name = questions[i].name };
		questions[i].look(root, &findings[i]);
	}
	return n;
}
