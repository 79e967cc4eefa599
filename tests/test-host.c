// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recorded hosts: files of /proc and /sys as other machines have them, and what
 * is to be found there.
 */
#include "analyzer/host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recorded {
	const char *path, *text;
};

static char root[] = "/tmp/pagescope-host-XXXXXX";

static int
remove_one(const char *path, const struct stat *status, int type,
	   struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static void
record(const struct recorded *files)
{
	for (; files->path; files++) {
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), "%s%s", root, files->path);
		for (char *c = path + strlen(root) + 1; (c = strchr(c, '/'));
		     *c++ = '/') {
			*c = '\0';
			mkdir(path, 0700);
		}
		file = fopen(path, "w");
		assert_non_null(file);
		assert_true(fputs(files->text, file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
}

static const struct finding *
find(const char *name)
{
	static struct finding findings[HOST_FINDINGS_MAX];
	size_t n = host_look(root, findings);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(findings[i].name, name))
			return &findings[i];
	fail_msg("no finding \"%s\"", name);
	return NULL;
}

static void
a_server_is_described(void **state)
{
	static const struct recorded files[] = {
		{ "/proc/cpuinfo",
		  "processor\t: 0\nmodel name\t: Some CPU 9000\n"
		  "flags\t\t: fpu pse pdpe1gb la57 hypervisor\n\n"
		  "processor\t: 1\nmodel name\t: Other\n" },
		{ "/sys/devices/system/cpu/online", "0-63\n" },
		{ "/proc/meminfo",
		  "MemTotal:    1048576 kB\nSwapTotal:   2048 kB\n" },
		{ "/proc/sys/kernel/osrelease", "6.1.0\n" },
		{ "/proc/sys/kernel/randomize_va_space", "2\n" },
		{ "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
		  "12\n" },
		{ "/sys/kernel/mm/transparent_hugepage/enabled",
		  "always [madvise] never\n" },
		{ "/sys/kernel/mm/transparent_hugepage/defrag",
		  "always defer defer+madvise [madvise] never\n" },
		{ "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled",
		  "[always] inherit madvise never\n" },
		{ "/sys/kernel/mm/transparent_hugepage/hugepages-32kB/enabled",
		  "always inherit madvise [never]\n" },
		{ "/sys/kernel/mm/ksm/run", "1\n" },
		{ "/sys/kernel/mm/ksm/pages_shared", "77\n" },
		{ "/sys/devices/system/node/online", "0-3\n" },
		{ "/proc/sys/kernel/numa_balancing", "1\n" },
		{ "/proc/sys/vm/page-cluster", "3\n" },
		{ "/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"
				 "/dev/sda partition 2048 0 -2\n"
				 "/dev/zram0 partition 2048 0 -3\n" },
		{ "/sys/block/sda/queue/rotational", "1\n" },
		{ NULL },
	};

	(void)state;
	record(files);
	assert_string_equal(find("cpu")->text,
			    "Some CPU 9000, CPUs 0-63, in a virtual machine");
	assert_string_equal(find("kernel")->text, "Linux 6.1.0");
	assert_string_equal(find("memory")->text, "1024 MiB, swap 2 MiB");
	assert_string_equal(find("page sizes")->text,
			    "4K 2M 1G, up to 5 page-table levels; 12 2M pages "
			    "reserved");
	assert_string_equal(find("huge pages")->text,
			    "madvise, defrag madvise, 64K always");
	assert_string_equal(find("page merging")->text, "on, 77 pages shared");
	assert_string_equal(find("numa")->text, "nodes 0-3, balancing on");
	assert_string_equal(find("aslr")->text, "on");
	assert_string_equal(find("swap")->text, "page-cluster 3, sda (disk)");
}

static void
a_host_without_files_is_answered(void **state)
{
	(void)state;
	assert_string_equal(find("cpu")->text, "unknown: no /proc/cpuinfo");
	assert_int_equal(find("ptrace")->state, FINDING_YES);
	assert_int_equal(find("perf events")->state, FINDING_NO);
	assert_int_equal(find("pagemap")->state, FINDING_NO);
	assert_string_equal(find("numa")->text,
			    "one node (this kernel has no NUMA)");
	assert_string_equal(find("swap")->text, "no device");
}

static void
rights_decide(void **state)
{
	static const struct {
		const char *capabilities, *scope, *paranoid;
		enum finding_state ptrace, perf;
	} cases[] = {
		{ "0000000000000000", "0", "-1", FINDING_YES, FINDING_YES },
		{ "0000000000000000", "1", "1", FINDING_LIMITED, FINDING_YES },
		{ "0000000000000000", "2", "2", FINDING_NO, FINDING_LIMITED },
		{ "0000000000000000", "3", "4", FINDING_NO, FINDING_NO },
		{ "0000000000080000", "2", "3", FINDING_YES, FINDING_NO },
		{ "0000004000000000", "2", "4", FINDING_NO, FINDING_YES },
		{ "000001ffffffffff", "3", "4", FINDING_NO, FINDING_YES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char status[128];
		const struct recorded files[] = {
			{ "/proc/self/status", status },
			{ "/proc/sys/kernel/yama/ptrace_scope",
			  cases[i].scope },
			{ "/proc/sys/kernel/perf_event_paranoid",
			  cases[i].paranoid },
			{ NULL },
		};

		snprintf(status, sizeof(status),
			 "Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t%s\n",
			 cases[i].capabilities);
		record(files);
		assert_int_equal(find("ptrace")->state, cases[i].ptrace);
		assert_int_equal(find("perf events")->state, cases[i].perf);
		/* What is not allowed comes with its fix. */
		assert_int_equal(find("ptrace")->fix[0] != '\0',
				 cases[i].ptrace != FINDING_YES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_server_is_described, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_host_without_files_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rights_decide, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
