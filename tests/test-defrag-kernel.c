// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of who stalls for a huge page and who wakes
 * kcompactd: the flags with which it allocates 2M pages (tracepoint
 * kmem:mm_page_alloc), under each mode of transparent_hugepage/defrag, for who
 * asked by madvise and who did not; beside what the model did in fragmented
 * memory.
 */
#include "tests/paging-bench.h"
#include "tests/settings.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define HUGE	 "/sys/kernel/mm/transparent_hugepage/"
#define TEXT_MAX 65536

static char instance[64]; /* directory of our own trace */

static bool
tell_trace(const char *file, const char *text)
{
	char path[160];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", instance, file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

/* Why there is none; NULL: there is. */
static const char *
open_trace(void)
{
	static const char where[] = "/sys/kernel/tracing";
	char filter[64];

	if (access("/sys/kernel/tracing/events", R_OK) &&
	    mount("tracefs", where, "tracefs", 0, NULL))
		return "no tracefs here";
	snprintf(instance, sizeof(instance), "%s/instances/pagescope-%d", where,
		 (int)getpid());
	if (mkdir(instance, 0700))
		return "no trace of our own can be made";
	snprintf(filter, sizeof(filter), "order == 9 && common_pid == %d",
		 (int)getpid());
	if (!tell_trace("events/kmem/mm_page_alloc/filter", filter) ||
	    !tell_trace("events/kmem/mm_page_alloc/enable", "1"))
		return "no tracepoint kmem:mm_page_alloc here";
	return NULL;
}

/* What was traced since the last call. */
static const char *
traced(void)
{
	static char text[TEXT_MAX];
	char path[160];
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/trace", instance);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while (n < sizeof(text) - 1 &&
	       (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd);
	assert_true(tell_trace("trace", "0"));
	return strstr(text, "mm_page_alloc: ");
}

struct did {
	bool stalls, wakes;
};

/* By the flags; names: include/trace/events/mmflags.h */
static struct did
did_of(const char *line)
{
	const char *flags = line ? strstr(line, "gfp_flags=") : NULL;
	char text[512];
	struct did did = { 0 };

	assert_non_null(flags);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(flags, "\n"), flags);
	did.stalls = strstr(text, "__GFP_DIRECT_RECLAIM") ||
		     (strstr(text, "GFP_TRANSHUGE") &&
		      !strstr(text, "GFP_TRANSHUGE_LIGHT"));
	did.wakes = strstr(text, "__GFP_KSWAPD_RECLAIM");
	return did;
}

static struct did
kernel_does(bool advised, bool collapse)
{
	unsigned char *memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *start =
		(unsigned char *)(((uintptr_t)memory + 2 * MIB - 1) &
				  ~(uintptr_t)(2 * MIB - 1));
	struct did did;

	assert_true(memory != MAP_FAILED);
	if (collapse)
		madvise(start, 2 * MIB, MADV_NOHUGEPAGE);
	else if (advised)
		madvise(start, 2 * MIB, MADV_HUGEPAGE);
	traced();
	*(volatile unsigned char *)start = 1;
	if (collapse) {
		madvise(start, 2 * MIB, MADV_HUGEPAGE);
		traced();
		assert_int_equal(madvise(start, 2 * MIB, MADV_COLLAPSE), 0);
	}
	did = did_of(traced());
	munmap(memory, 4 * MIB);
	return did;
}

/* Memory of 8 groups, each second page in use; one more is then asked for. */
static struct did
model_does(const char *mode, bool advised, bool collapse)
{
	const char *const assignments[] = { "pages.policy=thp", mode, NULL };
	const struct frames_config memory = { .size_bytes = 16 * MIB,
					      .order = FRAMES_BUDDY };
	struct bench *bench = bench_open_in(assignments, &memory);
	struct did did;

	map(bench, BASE, 16 * MIB, RIGHTS);
	advise(bench, BASE, 16 * MIB, MADV_NOHUGEPAGE);
	sweep(bench, 0, BASE, 16 * MIB, SITE_STORE);
	for (uint64_t page = 1; page < 16 * MIB / PAGE; page += 2)
		advise(bench, BASE + page * PAGE, PAGE, MADV_DONTNEED);
	map(bench, BASE + GIB, 2 * MIB, RIGHTS);
	if (collapse)
		advise(bench, BASE + GIB, 2 * MIB, MADV_NOHUGEPAGE);
	else if (advised)
		advise(bench, BASE + GIB, 2 * MIB, MADV_HUGEPAGE);
	use(bench, 0, BASE + GIB, SITE_STORE);
	if (collapse) {
		advise(bench, BASE + GIB, 2 * MIB, MADV_HUGEPAGE);
		advise(bench, BASE + GIB, 2 * MIB, MADV_COLLAPSE);
	}
	did.stalls = value(bench, "thp.compact.ns") > 0;
	did.wakes = value(bench, "kcompactd.wakes") > 0;
	bench_close(bench);
	return did;
}

static void
compare(const char *mode, bool advised, bool collapse)
{
	char assignment[48];
	struct did is, wanted;

	snprintf(assignment, sizeof(assignment), "pages.defrag=%s", mode);
	wanted = kernel_does(advised, collapse);
	is = model_does(assignment, advised, collapse);
	if (is.stalls != wanted.stalls || is.wakes != wanted.wakes)
		print_message("%s%s%s: stalls %d, wakes %d; the kernel %d, "
			      "%d\n",
			      mode, advised ? ", advised" : "",
			      collapse ? ", collapse" : "", is.stalls, is.wakes,
			      wanted.stalls, wanted.wakes);
	assert_int_equal(is.stalls, wanted.stalls);
	assert_int_equal(is.wakes, wanted.wakes);
}

static void
test_modes(void **state)
{
	static const char *const modes[] = { "always", "defer", "defer+madvise",
					     "madvise", "never" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_true(settings_put(HUGE "defrag", modes[i]));
		compare(modes[i], false, false);
		compare(modes[i], true, false);
		compare(modes[i], true, true);
	}
}

static const char *
set_up(void)
{
	const char *reason;
	char command[96];

	if (!settings_open())
		return "only root may change the kernel's huge pages";
	settings_lock_huge_pages(false);
	reason = open_trace();
	if (*instance) {
		snprintf(command, sizeof(command), "rmdir %s", instance);
		settings_at_end(command);
	}
	if (reason)
		return reason;
	/* For who does not ask; for as long as this takes */
	return settings_put(HUGE "enabled", "always")
		       ? NULL
		       : "this kernel has no transparent huge pages";
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_modes) };
	const char *reason = set_up();
	int failed;

	if (reason) {
		printf("skipped: %s\n", reason);
		settings_close();
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	settings_close();
	return failed;
}
