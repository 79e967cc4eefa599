// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of reclaim: a process touches its pages by a
 * seeded string of references, in a memory group with a limit and swap on a zram
 * device of its own; its major faults are what policy `linux' must miss, fed the
 * same string.  The same of pages of a file, and of both with a swappiness.  Two
 * groups at once, as reclaim.scope=process has it.  And the page at which such a
 * group is out of memory.
 *
 * See memory-group.h for what is needed, and how it is taken away.
 */
#include "models/machine.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/memory/random.h"
#include "tests/memory-group.h"

#define PAGE	 4096u
#define TRIES	 3
#define LOOK	 100 /* references between two looks at memory.stat */
#define LRU_MOST 0.06
#define OUR_MOST 0.04
#define OOM_MOST 4
#define NO_FILE	 4 /* exit: there is no loop device to map */
/* Of files and of both together: TRUTH has no figure of them */
#define FILE_MOST 0.04
#define BOTH_MOST 0.06
#define APART	  16 /* pages: fault-around maps no neighbour that is there */

enum pattern {
	LOOP,
	UNIFORM,
	ZIPF,
	HOT_AND_SCAN,
};
static const char *const names[] = { "loop", "uniform", "Zipf",
				     "hot and scan" };

struct run {
	enum pattern pattern;
	uint32_t pages, limit;
	uint64_t n, seed;
	uint32_t files;	    /* the first so many pages are of a file */
	int64_t swappiness; /* 0: 60, the usual */
};

/* What the process tells, in shared memory. */
struct report {
	uint64_t majors, minors;
	uint64_t of_files;		   /* of the majors */
	uint64_t rss_sum, rss_n, rss_most; /* pages, as the group has it */
	uint64_t touched;
};

static struct {
	const char *why; /* not to be done here; NULL: it is */
	struct report *report;
} env;

static int
set_up(void **state)
{
	(void)state;
	env.report = mmap(NULL, 2 * sizeof(*env.report), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	env.why = memory_group_open();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	memory_group_close();
	return 0;
}

/* Skip where this cannot be, with the reason. */
static void
need_kernel(void)
{
	if (!env.why)
		return;
	print_message("%s\n", env.why);
	skip();
}

/* Zipf's law with exponent 0.9, pages in no order of their heat. */
static double *
zipf_sums(uint32_t pages)
{
	double *sum = calloc(pages, sizeof(*sum)), all = 0;

	for (uint32_t i = 0; i < pages; i++)
		sum[i] = all += 1 / pow(i + 1, 0.9);
	for (uint32_t i = 0; i < pages; i++)
		sum[i] /= all;
	return sum;
}

static uint32_t
zipf(const double *sum, uint32_t pages, uint64_t draw)
{
	double wanted = (double)(draw >> 11) * 0x1p-53;
	uint32_t low = 0, high = pages - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sum[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)((low * UINT64_C(2654435761)) % pages);
}

/* All pages once, then the pattern. */
static uint32_t *
string_of(const struct run *run, uint64_t *n)
{
	uint32_t pages = run->pages;
	uint32_t *page =
		mmap(NULL, (pages + run->n) * sizeof(*page),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double *sum = zipf_sums(pages);
	uint64_t random = run->seed;

	*n = pages + run->n;
	for (uint32_t i = 0; i < pages; i++)
		page[i] = i;
	for (uint64_t i = 0; i < run->n; i++) {
		uint64_t draw = random_next(&random);
		uint32_t next = 0;

		switch (run->pattern) {
		case LOOP:
			next = (uint32_t)(i % pages);
			break;
		case UNIFORM:
			next = (uint32_t)random_below(&random, pages);
			break;
		case ZIPF:
			next = zipf(sum, pages, draw);
			break;
		case HOT_AND_SCAN:
			next = (uint32_t)(draw % 10 < 8
						  ? random_below(&random,
								 pages / 8)
						  : pages / 8 +
							    i / 5 %
								    (pages -
								     pages / 8));
		}
		page[pages + i] = next;
	}
	free(sum);
	return page;
}

static uint64_t
counted(const char *text, const char *word)
{
	const char *line = strstr(text, word);

	return line ? strtoull(line + strlen(word), NULL, 10) / PAGE : 0;
}

/* Also keeps the group's counters fresh, without which it is killed. */
static void
look(struct report *report, int stat, bool files)
{
	static char text[8192];
	ssize_t n = pread(stat, text, sizeof(text) - 2, 1);
	uint64_t rss;

	/* "\nrss ", and the first line is that of cache */
	text[n > 0 ? n : 0] = '\0';
	rss = counted(text, "\nrss ") + (files ? counted(text, "ache ") : 0);
	report->rss_sum += rss;
	report->rss_n++;
	if (rss > report->rss_most)
		report->rss_most = rss;
}

/* A loop device over memory that is all holes, and without read-ahead: its number;
 * it goes with its last user. */
static int
loop_open(size_t bytes)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	int memory = memfd_create("pagescope-test", MFD_CLOEXEC);
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	fd = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && (ftruncate(memory, (off_t)bytes) ||
			ioctl(fd, LOOP_SET_FD, memory) ||
			ioctl(fd, LOOP_SET_STATUS64, &info))) {
		close(fd);
		fd = -1;
	}
	close(control);
	close(memory);
	snprintf(path, sizeof(path), "/sys/block/loop%d/queue", number);
	if (fd >= 0)
		memory_group_put(path, "read_ahead_kb", "0");
	return fd;
}

/* A file of its own.  No MADV_RANDOM: what is accessed through that is nothing to
 * reclaim (vma_has_recency). */
static char *
map_file(uint32_t pages)
{
	size_t bytes = (size_t)pages * APART * PAGE;
	int settings = loop_open(bytes), fd;
	char path[64], *start;

	if (settings < 0)
		return NULL;
	/* Read-ahead is taken over by who opens it from here on. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", settings);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	start = fd < 0 ? MAP_FAILED
		       : mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	close(settings);
	close(fd);
	return start == MAP_FAILED ? NULL : start;
}

static uint64_t
majors_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_majflt;
}

/* The process: it is in the group, and touches its pages by the string. */
__attribute__((no_sanitize("address", "undefined", "thread"))) static void
touch_all(const struct run *run, struct report *report, const char *group,
	  const uint32_t *page, uint64_t n)
{
	size_t bytes = (size_t)run->pages * PAGE;
	char *arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *file = run->files ? map_file(run->files) : arena;
	struct rusage before, after;
	char path[192];
	int stat;

	madvise(arena, bytes, MADV_NOHUGEPAGE);
	snprintf(path, sizeof(path), "%s/memory.stat", group);
	stat = open(path, O_RDONLY | O_CLOEXEC);
	look(report, stat, run->files);
	getrusage(RUSAGE_SELF, &before);
	if (!file)
		_exit(NO_FILE);
	for (uint64_t i = 0; i < n; i++) {
		bool of_file = page[i] < run->files;
		volatile uint64_t *word =
			(uint64_t *)(void *)(arena + (size_t)page[i] * PAGE);
		uint64_t majors = run->files ? majors_now() : 0;

		if (of_file)
			(void)*(volatile char *)(file + (size_t)page[i] *
								APART * PAGE);
		/* Contents of their own, so that none is a page of zeros. */
		else if (i & 1 || i < run->pages)
			*word = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
		else
			(void)*word;
		if (of_file && i >= run->pages)
			report->of_files += majors_now() - majors;
		report->touched = i + 1;
		if (i % LOOK == 0)
			look(report, stat, run->files);
		if (i == run->pages) { /* full from here on */
			report->rss_sum = report->rss_n = report->rss_most = 0;
			if (run->files)
				getrusage(RUSAGE_SELF, &before);
		}
	}
	getrusage(RUSAGE_SELF, &after);
	report->majors = (uint64_t)(after.ru_majflt - before.ru_majflt);
	report->minors = (uint64_t)(after.ru_minflt - before.ru_minflt);
}

/* In a group of that name and limit; the process's number. */
static pid_t
start_process(const struct run *run, struct report *report, const char *group,
	      const uint32_t *page, uint64_t n)
{
	pid_t pid;

	*report = (struct report){ 0 };
	memory_group_make(group, (uint64_t)run->limit * PAGE);
	if (run->swappiness)
		memory_group_put_number(group, "memory.swappiness",
					run->swappiness < 0
						? 0
						: (uint64_t)run->swappiness);
	pid = fork();
	if (!pid) {
		if (memory_group_join(group))
			_exit(3);
		touch_all(run, report, group, page, n);
		_exit(0);
	}
	return pid;
}

/* Run it in a group of that limit: its wait status. */
static int
run_process(const struct run *run, const uint32_t *page, uint64_t n)
{
	return memory_group_end(start_process(run, env.report,
					      memory_group_path(), page, n),
				memory_group_path());
}

/* What it misses after all pages came in once; of_files: of those. */
static uint64_t
predict(const char *policy, uint64_t capacity, const struct run *run,
	const uint32_t *page, uint64_t n, uint64_t *of_files)
{
	uint8_t *file = calloc(run->pages, 1);
	const uint8_t *borrowed = file;
	struct reclaim_config config = {
		.policy = reclaim_find(policy),
		.capacity = capacity,
		.swappiness = run->swappiness ? run->swappiness : 60,
		.file = &borrowed,
	};
	struct reclaim *reclaim;
	uint64_t misses, all = 0;

	assert_non_null(file);
	memset(file, 1, run->files);
	assert_int_equal(reclaim_open(&reclaim, &config), 0);
	*of_files = 0;
	for (uint64_t i = 0; i < n; i++) {
		const struct reclaim_batch batch = { .page = page + i,
						     .n = 1,
						     .position = i };

		if (i == run->pages)
			all = reclaim->counts.misses;
		misses = reclaim->counts.misses;
		assert_int_equal(reclaim->ops->feed(reclaim, &batch), 0);
		if (i >= run->pages && page[i] < run->files)
			*of_files += reclaim->counts.misses - misses;
	}
	misses = reclaim->counts.misses - all;
	reclaim_close(reclaim);
	free(file);
	return misses;
}

static double
error_of(uint64_t predicted, uint64_t measured)
{
	return measured ? (double)predicted / (double)measured - 1 : 1;
}

static bool
ended_well(int status)
{
	if (status)
		print_message("the process ended with %#x\n", (unsigned)status);
	return !status;
}

/* Once for real and by both models: are both near enough? */
static bool
is_predicted(const struct run *run)
{
	const struct report *report = env.report;
	uint64_t n, ours, lru, files;
	uint32_t *page = string_of(run, &n);
	bool ended = ended_well(run_process(run, page, n));
	double ours_off, lru_off;

	/* Pages leave by 32, so that it holds its most just before; LRU, of
	 * which one leaves at a time, holds the mean. */
	ours = ended ? predict("linux", report->rss_most, run, page, n, &files)
		     : 0;
	lru = ended ? predict("lru", report->rss_sum / report->rss_n, run, page,
			      n, &files)
		    : 0;
	munmap(page, n * sizeof(*page));
	ours_off = error_of(ours, report->majors);
	lru_off = error_of(lru, report->majors);
	print_message("%s, %u pages in %u: %ju majors; linux %ju (%+.1f %%), "
		      "LRU %ju (%+.1f %%)\n",
		      names[run->pattern], run->pages, run->limit,
		      (uintmax_t)report->majors, (uintmax_t)ours,
		      100 * ours_off, (uintmax_t)lru, 100 * lru_off);
	return ended && report->majors && fabs(ours_off) <= OUR_MOST &&
	       (run->pattern == HOT_AND_SCAN || fabs(lru_off) <= LRU_MOST);
}

/* The same of files, and of both: by policy linux. */
static bool
files_are_predicted(const struct run *run)
{
	const struct report *report = env.report;
	bool both = run->files < run->pages;
	uint64_t n, all, files = 0;
	uint32_t *page = string_of(run, &n);
	bool ended = ended_well(run_process(run, page, n));
	double off, files_off;

	all = ended ? predict("linux", report->rss_most, run, page, n, &files)
		    : 0;
	munmap(page, n * sizeof(*page));
	off = error_of(all, report->majors);
	files_off = error_of(files, report->of_files);
	print_message("%s, %u pages, %u of a file, in %u, swappiness %jd: %ju "
		      "majors, linux %ju (%+.1f %%); of the file %ju, %ju "
		      "(%+.1f %%)\n",
		      names[run->pattern], run->pages, run->files, run->limit,
		      (intmax_t)(run->swappiness ? run->swappiness : 60),
		      (uintmax_t)report->majors, (uintmax_t)all, 100 * off,
		      (uintmax_t)report->of_files, (uintmax_t)files,
		      100 * files_off);
	return ended && report->majors &&
	       fabs(off) <= (both ? BOTH_MOST : FILE_MOST) &&
	       fabs(files_off) <= (both ? BOTH_MOST : FILE_MOST);
}

static void
judge(enum pattern pattern)
{
	uint64_t random = 1000 + pattern;

	need_kernel();
	for (unsigned i = 0; i < 3; i++) {
		struct run run = { .pattern = pattern, .n = 40000 };
		int tries = 0;

		run.pages = 2500 + (uint32_t)random_below(&random, 3000);
		run.limit = run.pages *
			    (60 + (uint32_t)random_below(&random, 25)) / 100;
		run.seed = random_next(&random);
		while (!is_predicted(&run))
			if (++tries == TRIES)
				fail_msg("%s: not predicted in %d tries",
					 names[pattern], TRIES);
	}
}

static void
test_loop(void **state)
{
	(void)state;
	judge(LOOP);
}

static void
test_uniform(void **state)
{
	(void)state;
	judge(UNIFORM);
}

static void
test_zipf(void **state)
{
	(void)state;
	judge(ZIPF);
}

static void
test_hot_and_scan(void **state)
{
	(void)state;
	judge(HOT_AND_SCAN);
}

static void
judge_files(struct run run)
{
	int tries = 0;

	need_kernel();
	if (access("/dev/loop-control", R_OK | W_OK)) {
		print_message("no loop devices to map as a file\n");
		skip();
	}
	while (!files_are_predicted(&run))
		if (++tries == TRIES)
			fail_msg("not predicted in %d tries", TRIES);
}

static void
test_files(void **state)
{
	(void)state;
	judge_files((struct run){ UNIFORM, 3000, 2200, 30000, 71, 3000, 0 });
	judge_files(
		(struct run){ HOT_AND_SCAN, 3200, 2300, 30000, 72, 3200, 0 });
}

static void
test_swappiness(void **state)
{
	static const int64_t swappiness[] = { 10, 60, 100, 180 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(swappiness); i++)
		judge_files((struct run){ UNIFORM, 3000, 2200, 30000, 80 + i,
					  1500, swappiness[i] });
}

struct world {
	struct machine_config config;
	struct stream *stream;
	struct model *machine;
	struct result *result;
	struct batch batch;
	uint32_t site;
};

/* A machine of so much memory, for processes 1 to n. */
static void
world_open(struct world *world, uint64_t pages, uint32_t n,
	   const char *const *settings)
{
	char size[32];
	uint32_t number;

	snprintf(size, sizeof(size), "%ju", (uintmax_t)(pages * PAGE));
	*world = (struct world){ .site = 0 };
	assert_int_equal(option_init(&machine_options, &world->config), 0);
	option_set(&machine_options, &world->config, "test", "memory.size",
		   size);
	option_set(&machine_options, &world->config, "test", "reclaim.policy",
		   "linux");
	for (; settings[0]; settings += 2)
		assert_int_equal(option_set(&machine_options, &world->config,
					    "test", settings[0], settings[1]),
				 0);
	assert_int_equal(stream_open(&world->stream), 0);
	for (uint32_t i = 1; i <= n; i++) {
		stream_thread_add(world->stream, &(struct thread){ i, i },
				  &number);
		stream_space_add(world->stream,
				 &(struct space){ i, 0, SPACE_NONE }, &number);
	}
	stream_site_add(world->stream,
			&(struct site){ .size = 8, .kind = SITE_STORE },
			&world->site);
	assert_int_equal(batch_init(&world->batch), 0);
	assert_int_equal(machine_model.open(&world->machine, &world->config,
					    world->stream),
			 0);
}

/* The next references of a process, from *at on: some thousands. */
static void
world_feed(struct world *world, uint32_t process, const uint32_t *page,
	   uint64_t *at, uint64_t n)
{
	batch_reset(&world->batch);
	world->batch.thread = world->batch.space = process;
	for (; *at < n && world->batch.n < BATCH_ACCESSES; ++*at)
		batch_access(&world->batch,
			     (UINT64_C(1) << 36) + (uint64_t)page[*at] * PAGE,
			     world->site);
	assert_int_equal(world->machine->methods->feed(world->machine,
						       &world->batch),
			 0);
}

static const json_t *
world_finish(struct world *world, const char *part)
{
	assert_int_equal(result_open(&world->result), 0);
	assert_int_equal(world->machine->methods->finish(world->machine,
							 world->result),
			 0);
	return json_object_get(result_json(world->result), part);
}

static void
world_close(struct world *world)
{
	result_close(world->result);
	model_close(world->machine);
	batch_fini(&world->batch);
	stream_close(world->stream);
	option_fini(&machine_options, &world->config);
}

/* Each process's misses, but the first of each page: reclaim.memories. */
static void
predict_apart(const struct run run[2], uint32_t *const page[2],
	      const uint64_t n[2], uint64_t capacity, uint64_t misses[2])
{
	static const char *const settings[] = { "reclaim.scope", "process",
						NULL };
	struct world world;
	uint64_t at[2] = { 0, 0 };
	const json_t *tables, *rows;

	world_open(&world, capacity, 2, settings);
	while (at[0] < n[0] || at[1] < n[1])
		for (uint32_t i = 0; i < 2; i++)
			world_feed(&world, i, page[i], &at[i], n[i]);
	tables = world_finish(&world, "tables");
	rows = json_object_get(json_object_get(tables, "reclaim.memories"),
			       "rows");
	assert_int_equal(json_array_size(rows), 2);
	for (size_t i = 0; i < 2; i++)
		misses[i] =
			(uint64_t)json_integer_value(
				json_array_get(json_array_get(rows, i), 4)) -
			run[i].pages;
	world_close(&world);
}

/* Two groups at once, each with a limit of its own. */
static bool
apart_are_predicted(const struct run run[2])
{
	char group[2][136];
	uint32_t *page[2];
	uint64_t n[2], misses[2], held;
	bool good = true;
	pid_t pid[2];

	for (size_t i = 0; i < 2; i++) {
		snprintf(group[i], sizeof(group[i]), "%s%s",
			 memory_group_path(), i ? "" : "-b");
		page[i] = string_of(&run[i], &n[i]);
	}
	for (size_t i = 0; i < 2; i++)
		pid[i] = start_process(&run[i], &env.report[i], group[i],
				       page[i], n[i]);
	for (size_t i = 0; i < 2; i++)
		good &= ended_well(memory_group_end(pid[i], group[i]));
	held = (env.report[0].rss_most + env.report[1].rss_most) / 2;
	if (good)
		predict_apart(run, page, n, held, misses);
	for (size_t i = 0; i < 2; i++) {
		double off =
			good ? error_of(misses[i], env.report[i].majors) : 1;

		munmap(page[i], n[i] * sizeof(*page[i]));
		print_message("%s, %u pages in %u beside another: %ju majors, "
			      "%ju (%+.1f %%)\n",
			      names[run[i].pattern], run[i].pages, run[i].limit,
			      (uintmax_t)env.report[i].majors,
			      (uintmax_t)(good ? misses[i] : 0), 100 * off);
		good &= fabs(off) <= OUR_MOST;
	}
	return good;
}

static void
test_two_groups(void **state)
{
	static const struct run run[2] = {
		{ UNIFORM, 3000, 2200, 30000, 91, 0, 0 },
		{ HOT_AND_SCAN, 3400, 2200, 30000, 92, 0, 0 },
	};
	int tries = 0;

	(void)state;
	need_kernel();
	while (!apart_are_predicted(run))
		if (++tries == TRIES)
			fail_msg("not predicted in %d tries", TRIES);
}

/* What the machine says: the access at which memory of that size is too little
 * for all pages of a string and their tables, without swap. */
static uint64_t
predict_oom(const uint32_t *page, uint64_t n, uint64_t memory_pages)
{
	static const char *const settings[] = { "reclaim.device", "none",
						"reclaim.tables", "yes", NULL };
	struct world world;
	uint64_t at = 0, position;

	world_open(&world, memory_pages, 1, settings);
	while (at < n)
		world_feed(&world, 0, page, &at, n);
	position = (uint64_t)json_integer_value(
		json_object_get(json_object_get(world_finish(&world, "values"),
						"oom.position"),
				"value"));
	world_close(&world);
	return position;
}

/* limit = N + ceil(N / 512) + K: K is what the group has beside, as seen at the
 * first limit, and the same at the others. */
static void
test_out_of_memory(void **state)
{
	static const uint32_t limits[] = { 1500, 2300, 3700, 5000 };
	struct run all = {
		.pattern = LOOP, .pages = 6000, .n = 1, .swappiness = -1
	};
	uint64_t n, beside = 0, touched = 0, predicted;
	uint32_t *page;

	(void)state;
	need_kernel();
	page = string_of(&all, &n);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		int status;

		all.limit = limits[i];
		status = run_process(&all, page, n);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		touched = env.report->touched;
		assert_in_range(touched, 1000, limits[i]);
		if (!i)
			beside = limits[i] - touched - (touched + 511) / 512;
		/* Two upper tables, which the machine counts itself */
		predicted = predict_oom(page, n, limits[i] - beside + 2);
		print_message("limit %u: killed after %ju pages, %ju beside; "
			      "the machine says %ju\n",
			      limits[i], (uintmax_t)touched, (uintmax_t)beside,
			      (uintmax_t)predicted);
		assert_in_range(touched + (touched + 511) / 512 + beside +
					OOM_MOST,
				limits[i], limits[i] + 2 * OOM_MOST);
		assert_in_range(predicted + OOM_MOST, touched,
				touched + 2 * OOM_MOST);
	}
	munmap(page, n * sizeof(*page));
}

/* Where a cycle begins to thrash: with room for all but a few of its pages each
 * touch waits, with room for all none does; so says the model of what was held. */
static void
test_knee(void **state)
{
	static const uint32_t percent[] = { 80, 97, 104, 120 };

	(void)state;
	need_kernel();
	for (size_t i = 0; i < ARRAY_SIZE(percent); i++) {
		const struct run run = { .pattern = LOOP,
					 .pages = 2500,
					 .limit = 25 * percent[i],
					 .n = 7500 };
		uint64_t n, files, predicted;
		uint32_t *page = string_of(&run, &n);

		assert_true(ended_well(run_process(&run, page, n)));
		predicted = predict("linux",
				    percent[i] > 100 ? run.limit
						     : env.report->rss_most,
				    &run, page, n, &files);
		munmap(page, n * sizeof(*page));
		print_message("cycle of %u pages in %u: %ju majors of 7500, "
			      "linux %ju\n",
			      run.pages, run.limit,
			      (uintmax_t)env.report->majors,
			      (uintmax_t)predicted);
		/* In between nothing is: the knee is one page wide. */
		assert_int_equal(predicted > 3750, percent[i] < 100);
		assert_int_equal(env.report->majors > 3750, percent[i] < 100);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_hot_and_scan),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_swappiness),
		cmocka_unit_test(test_two_groups),
		cmocka_unit_test(test_knee),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
