// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Looks at processes, in a /proc of our own: differences of two looks, names
 * that hold brackets, numbers that are used again, descendants whose parents
 * are gone, threads; and counters of each process, by a kernel of our own.
 */
#include "tracers/census-tlb.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char proc[64];

static void
put_file(const char *text, const char *path)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void
put(int pid, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%d/%s", proc, pid, name);
	put_file(text, path);
}

struct process {
	const char *name;
	char state;
	int parent;
	unsigned flags, minor, major, ticks, start;
};

static void
stat_text(const struct process *p, int pid, char *text, size_t bytes)
{
	/* children's faults and other fields are there to be mistaken */
	snprintf(text, bytes,
		 "%d (%s) %c %d 7 7 0 -1 %u %u 77777 %u 88888 %u %u 9 9 20 0 1 "
		 "0 %u 1 2\n",
		 pid, p->name, p->state, p->parent, p->flags, p->minor,
		 p->major, p->ticks, p->ticks, p->start);
}

static void
put_process(int pid, struct process p)
{
	char text[512];

	stat_text(&p, pid, text, sizeof(text));
	put(pid, "stat", text);
}

static void
put_thread(int pid, int tid, struct process p)
{
	char path[128], text[512];

	snprintf(path, sizeof(path), "%s/%d/task", proc, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%d/task/%d", proc, pid, tid);
	mkdir(path, 0700);
	strcat(path, "/stat");
	stat_text(&p, tid, text, sizeof(text));
	put_file(text, path);
}

static void
remove_process(int pid)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/%d", proc, pid);
	assert_int_equal(system(command), 0);
}

static int
make_proc(void **state)
{
	(void)state;
	snprintf(proc, sizeof(proc), "/tmp/pagescope-census-XXXXXX");
	return mkdtemp(proc) ? 0 : -1;
}

static int
drop_proc(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", proc);
	return system(command);
}

static struct census_row *
look(struct census *census, size_t expected)
{
	struct census_row *rows;
	size_t n;

	assert_int_equal(census_look(census), 0);
	rows = census_rows(census, &n);
	assert_int_equal(n, expected);
	return rows;
}

static void
looks_are_subtracted(void **state)
{
	struct census_setup setup = { .proc = proc, .referenced = true };
	struct census *census;
	struct census_row *row;

	(void)state;
	put_process(10,
		    (struct process){ ") R 1 (x", 'S', 1, 0, 100, 7, 50, 9 });
	put(10, "status",
	    "Name:\tx\nVmRSS:\t    40 kB\nVmPTE:\t 12 kB\nVmSwap:\t 3 kB\n");
	put(10, "smaps_rollup",
	    "1-2 [rollup]\nReferenced: 20 kB\nAnonHugePages: 2048 kB\n");
	put(10, "clear_refs", "");
	put_process(2, (struct process){ "kthreadd", 'S', 0, 0x200000, 5 });
	assert_int_equal(census_open(&census, &setup), 0);
	row = look(census, 1);
	assert_string_equal(row->name, ") R 1 (x");
	assert_int_equal(row->parent, 1);
	assert_int_equal(row->value[CENSUS_RSS], 40 * 1024);
	assert_int_equal(row->value[CENSUS_TABLES], 12 * 1024);
	assert_int_equal(row->value[CENSUS_SWAP], 3 * 1024);
	assert_false(census_knows(row, CENSUS_HUGE));
	census_detail(census, row);
	assert_int_equal(row->value[CENSUS_HUGE], 2048 * 1024);
	/* What was referenced before the first look is not known */
	assert_false(census_knows(row, CENSUS_REFERENCED));

	put_process(10, (struct process){ "x", 'R', 1, 0, 130, 9, 53, 9 });
	put_process(11, (struct process){ "new", 'R', 10, 0, 4, 0, 0, 70 });
	row = look(census, 2);
	assert_int_equal(row[0].value[CENSUS_MINOR], 30);
	assert_int_equal(row[0].value[CENSUS_MAJOR], 2);
	assert_int_equal(row[0].value[CENSUS_CPU],
			 6 * (1000000000 / sysconf(_SC_CLK_TCK)));
	census_detail(census, &row[0]);
	assert_int_equal(row[0].value[CENSUS_REFERENCED], 20 * 1024);
	assert_true(row[1].fresh);
	assert_int_equal(row[1].value[CENSUS_MINOR], 4);
	assert_false(census_knows(&row[1], CENSUS_RSS));

	/* The number is used again: nothing is subtracted */
	put_process(11, (struct process){ "other", 'R', 1, 0, 6, 0, 0, 71 });
	row = look(census, 2);
	assert_int_equal(row[0].value[CENSUS_MINOR], 0);
	assert_int_equal(row[1].value[CENSUS_MINOR], 6);
	census_close(census);
}

static void
descendants_stay(void **state)
{
	struct census_setup setup = { .proc = proc, .root = 20 };
	struct census *census;
	struct census_row *row;

	(void)state;
	put_process(20, (struct process){ "root", 'S', 1, .start = 1 });
	put_process(19, (struct process){ "child", 'S', 20, .start = 2 });
	put_process(30, (struct process){ "grandchild", 'S', 19, .start = 3 });
	put_process(31, (struct process){ "stranger", 'S', 1, .start = 3 });
	assert_int_equal(census_open(&census, &setup), 0);
	row = look(census, 3);
	assert_int_equal(row[0].pid, 19);
	assert_int_equal(row[2].pid, 30);
	/* Its parent is gone, and init's is it now */
	remove_process(19);
	put_process(30, (struct process){ "grandchild", 'S', 1, .start = 3 });
	row = look(census, 2);
	assert_int_equal(row[1].pid, 30);
	/* Another one with its number is not */
	put_process(30, (struct process){ "stranger", 'S', 1, .start = 9 });
	look(census, 1);
	census_close(census);
}

static void
threads_are_split(void **state)
{
	struct census_setup setup = { .proc = proc, .threads = true };
	struct census *census;
	struct census_row *row;

	(void)state;
	put_process(40, (struct process){ "all", 'S', 1, 0, 30, .start = 1 });
	put(40, "status", "VmRSS:\t 8 kB\n");
	put_thread(40, 40,
		   (struct process){ "one", 'S', 1, 0, 10, .start = 1 });
	put_thread(40, 41,
		   (struct process){ "two", 'S', 1, 0, 20, .start = 2 });
	assert_int_equal(census_open(&census, &setup), 0);
	row = look(census, 2);
	put_thread(40, 41,
		   (struct process){ "two", 'S', 1, 0, 25, .start = 2 });
	row = look(census, 2);
	assert_int_equal(row[0].value[CENSUS_MINOR], 0);
	assert_int_equal(row[1].tid, 41);
	assert_int_equal(row[1].value[CENSUS_MINOR], 5);
	assert_string_equal(row[1].name, "two");
	assert_int_equal(row[1].value[CENSUS_RSS], 8192);
	census_threads(census, false);
	row = look(census, 1);
	assert_string_equal(row->name, "all");
	census_close(census);
}

static void
host_is_read(void **state)
{
	struct census_host host;
	char path[128];

	(void)state;
	census_host(proc, &host);
	assert_true(host.total == UINT64_MAX && host.some_us == UINT64_MAX &&
		    host.swap_used == UINT64_MAX);
	snprintf(path, sizeof(path), "%s/meminfo", proc);
	put_file("MemTotal: 100 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n"
		 "PageTables: 3 kB\n",
		 path);
	snprintf(path, sizeof(path), "%s/pressure", proc);
	mkdir(path, 0700);
	strcat(path, "/memory");
	put_file("some avg10=0.00 avg60=0.10 avg300=0.00 total=1500\n"
		 "full avg10=0.00 avg60=0.00 avg300=0.00 total=70\n",
		 path);
	census_host(proc, &host);
	assert_int_equal(host.total, 102400);
	assert_int_equal(host.swap_used, 30 * 1024);
	assert_int_equal(host.tables, 3072);
	assert_int_equal(host.some_us, 1500);
	assert_int_equal(host.full_us, 70);
}

/* A processor whose counters count 1000 more each time they are read */
#define FAKE_MAX 512
static struct {
	uint64_t count[FAKE_MAX];
	bool open[FAKE_MAX];
	int n, n_open;
} fake;

static int
fake_open(struct perf_event_attr *attr, pid_t pid, int core, int group)
{
	(void)attr;
	(void)pid;
	(void)core;
	(void)group;
	assert_true(fake.n < FAKE_MAX);
	fake.open[fake.n] = true;
	fake.n_open++;
	return fake.n++;
}

static int
fake_read(int fd, struct count *count)
{
	assert_true(fake.open[fd]);
	fake.count[fd] += 1000;
	*count = (struct count){ fake.count[fd], 50, 50 };
	return 0;
}

static int
fake_control(int fd, unsigned long request)
{
	(void)fd;
	(void)request;
	return 0;
}

static int
fake_close(int fd)
{
	assert_true(fake.open[fd]);
	fake.open[fd] = false;
	fake.n_open--;
	return 0;
}

static const struct counting_kernel fake_kernel = { fake_open, fake_read,
						    fake_control, fake_close };

static bool
only_generic(void *context, const char *pmu)
{
	(void)context;
	(void)pmu;
	return false;
}

static void
misses_are_told_by_process(void **state)
{
	/* of no processor's own formulas: dTLB and iTLB misses */
	struct metric_host host = { only_generic, NULL, "nobody", 0 };
	struct census_row row = { .pid = getpid(), .start = 5 };
	struct count_plan plan;
	struct census_tlb *tlb;

	(void)state;
	assert_int_equal(count_plan_init(&plan, NULL, METRICS_BASIC, &host), 0);
	assert_int_equal(census_tlb_open(&tlb, &plan, &fake_kernel), 0);
	census_tlb_row(tlb, &row); /* from now on */
	assert_int_equal(row.known, 0);
	census_tlb_end(tlb);
	assert_true(fake.n_open > 0);
	census_tlb_row(tlb, &row);
	assert_true(census_knows(&row, CENSUS_DTLB_MISSES));
	assert_int_equal(row.value[CENSUS_DTLB_MISSES], 1000);
	assert_int_equal(row.value[CENSUS_ITLB_MISSES], 1000);
	/* What this processor's formulas do not tell is no 0 */
	assert_false(census_knows(&row, CENSUS_WALK_CYCLES));
	census_tlb_end(tlb);
	row.known = 0;
	census_tlb_row(tlb, &row);
	assert_int_equal(row.value[CENSUS_DTLB_MISSES], 1000);
	census_tlb_end(tlb);
	/* Not asked for: counted no more */
	census_tlb_end(tlb);
	assert_int_equal(fake.n_open, 0);
	census_tlb_close(tlb);
	count_plan_fini(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looks_are_subtracted, make_proc,
						drop_proc),
		cmocka_unit_test_setup_teardown(descendants_stay, make_proc,
						drop_proc),
		cmocka_unit_test_setup_teardown(threads_are_split, make_proc,
						drop_proc),
		cmocka_unit_test_setup_teardown(host_is_read, make_proc,
						drop_proc),
		cmocka_unit_test(misses_are_told_by_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
