// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of huge pages in a memory with a limit: a process
 * in a memory group touches its pages by a seeded string, and huge pages come
 * where they may, leave whole, and come back page by page.  A machine of as much
 * memory as the group held replays the same accesses: major faults, minor
 * faults, huge pages that left.
 */
#include "models/machine.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/memory/random.h"
#include "tests/memory-group.h"
#include "tests/settings.h"

#define PAGE	     4096u
#define LARGE	     (512u * PAGE)
#define TRIES	     3
#define LOOK	     100 /* references between two looks at memory.stat */
#define BATCH	     32u /* SWAP_CLUSTER_MAX */
#define MAJORS_MOST  0.04
#define MINORS_MOST  16 /* what the process does beside: reading memory.stat */
#define HUGE_SETTING "/sys/kernel/mm/transparent_hugepage/"
#define NEVER_MS     4000000000u

enum pattern {
	LOOP,
	UNIFORM,
	HOT_AND_SCAN,
	CHUNKS, /* some 2M regions at a time, which change */
};
static const char *const names[] = { "loop", "uniform", "hot and scan",
				     "chunks" };

struct run {
	enum pattern pattern;
	uint32_t pages, limit;
	bool always; /* whoever, else by advice */
	bool waits;  /* faults may make room: defrag */
	uint32_t n;
	uint64_t seed;
};

/* What the process tells, in shared memory. */
struct report {
	uint64_t majors, minors, rss_most;
};

static struct {
	const char *why;
	struct report *report;
} env;

static int
set_up(void **state)
{
	(void)state;
	env.report = mmap(NULL, sizeof(*env.report), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	settings_lock_huge_pages(false);
	env.why = memory_group_open();
	if (!env.why && (!settings_open() ||
			 !settings_put_number(HUGE_SETTING
					      "khugepaged/scan_sleep_millisecs",
					      NEVER_MS) ||
			 !settings_put(HUGE_SETTING "defrag", "madvise")))
		env.why = "huge pages can't be set";
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	settings_close();
	memory_group_close();
	return 0;
}

/* All pages once, then the pattern. */
static uint32_t *
string_of(const struct run *run, uint32_t *n)
{
	uint32_t pages = run->pages, hot = pages / 8;
	uint32_t *page = calloc(pages + run->n, sizeof(*page));
	uint64_t random = run->seed;

	assert_non_null(page);
	*n = pages + run->n;
	for (uint32_t i = 0; i < pages; i++)
		page[i] = i;
	for (uint32_t i = 0; i < run->n; i++) {
		uint64_t draw = random_next(&random);
		uint32_t next = i % pages;

		if (run->pattern == UNIFORM)
			next = (uint32_t)(draw % pages);
		else if (run->pattern == HOT_AND_SCAN)
			next = draw % 10 < 8 ? (uint32_t)(draw / 16 % hot)
					     : hot + i / 5 % (pages - hot);
		else if (run->pattern == CHUNKS)
			next = (uint32_t)((i / 4000 * 1024 + draw % 2048) %
					  pages);
		page[pages + i] = next;
	}
	return page;
}

/* Reference i of n: a write? */
static bool
is_write(const struct run *run, uint32_t i)
{
	return i & 1 || i < run->pages;
}

/* Also keeps the group's counters fresh, without which it is killed. */
static void
look(struct report *report, int stat)
{
	static char text[8192];
	ssize_t n = pread(stat, text, sizeof(text) - 1, 0);
	const char *rss;
	uint64_t now;

	text[n > 0 ? n : 0] = '\0';
	rss = strstr(text, "\nrss ");
	now = rss ? strtoull(rss + 5, NULL, 10) / PAGE : 0;
	if (now > report->rss_most)
		report->rss_most = now;
}

/* Aligned, with a hole before and after, so that it is a mapping by itself. */
static char *
map_arena(size_t bytes)
{
	char *all = mmap(NULL, bytes + 2 * LARGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *arena =
		(char *)(((uintptr_t)all + LARGE) & ~(uintptr_t)(LARGE - 1));

	return mprotect(arena, bytes, PROT_READ | PROT_WRITE) ? NULL : arena;
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static void
touch_all(const struct run *run, const uint32_t *page, uint32_t n)
{
	size_t bytes = (size_t)run->pages * PAGE;
	char *arena = map_arena(bytes), path[192];
	struct rusage before, after;
	int stat;

	if (!run->always)
		madvise(arena, bytes, MADV_HUGEPAGE);
	snprintf(path, sizeof(path), "%s/memory.stat", memory_group_path());
	stat = open(path, O_RDONLY | O_CLOEXEC);
	look(env.report, stat);
	getrusage(RUSAGE_SELF, &before);
	for (uint32_t i = 0; i < n; i++) {
		volatile uint64_t *word =
			(uint64_t *)(void *)(arena + (size_t)page[i] * PAGE);

		/* Contents of their own, so that none is a page of zeros. */
		if (is_write(run, i))
			*word = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
		else
			(void)*word;
		if (i % LOOK == 0)
			look(env.report, stat);
	}
	getrusage(RUSAGE_SELF, &after);
	look(env.report, stat);
	env.report->majors = (uint64_t)(after.ru_majflt - before.ru_majflt);
	env.report->minors = (uint64_t)(after.ru_minflt - before.ru_minflt);
}

/* In the group: its wait status. */
static int
run_process(const struct run *run, const uint32_t *page, uint32_t n)
{
	const char *group = memory_group_path();
	pid_t pid;

	*env.report = (struct report){ 0 };
	memory_group_make(group, (uint64_t)run->limit * PAGE);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		settings_forget();
		if (memory_group_join(group))
			_exit(3);
		touch_all(run, page, n);
		_exit(0);
	}
	return memory_group_end(pid, group);
}

static uint64_t
vmstat(const char *name)
{
	char line[128];
	size_t length = strlen(name);
	uint64_t value = 0;
	FILE *file = fopen("/proc/vmstat", "re");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ' ')
			value = strtoull(line + length, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

struct prediction {
	uint64_t majors, minors, swapouts;
};

static uint64_t
value_of(struct result *result, const char *name)
{
	return (uint64_t)json_integer_value(
		json_object_get(json_object_get(json_object_get(result_json(
									result),
								"values"),
						name),
				"value"));
}

static void
open_machine(struct machine_config *config, const struct run *run,
	     uint64_t memory_pages)
{
	char size[32];
	const struct {
		const char *name, *value;
	} all[] = {
		{ "memory.size", size },
		{ "reclaim.policy", "linux" },
		{ "pages.policy", "thp" },
		{ "pages.thp", run->always ? "always" : "madvise" },
		{ "pages.defrag", run->waits ? "madvise" : "never" },
		{ "khugepaged.scan-pages", "0" },
	};

	snprintf(size, sizeof(size), "%ju", (uintmax_t)memory_pages * PAGE);
	assert_int_equal(option_init(&machine_options, config), 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(option_set(&machine_options, config, "test",
					    all[i].name, all[i].value),
				 0);
}

static void
begin(struct batch *batch, const struct run *run, uint64_t base)
{
	struct event *event = batch_event(batch, EVENT_MAP);

	event->address = base;
	event->length = (uint64_t)run->pages * PAGE;
	event->flags = MAP_FLAG_READ | MAP_FLAG_WRITE;
	event->file = UINT32_MAX;
	if (run->always)
		return;
	event = batch_event(batch, EVENT_ADVISE);
	event->address = base;
	event->length = (uint64_t)run->pages * PAGE;
	event->value = MADV_HUGEPAGE;
}

static struct prediction
predict(const struct run *run, const uint32_t *page, uint32_t n,
	uint64_t memory_pages)
{
	const uint64_t base = UINT64_C(1) << 36;
	struct machine_config config;
	struct stream *stream;
	struct model *machine;
	struct result *result;
	struct prediction found;
	struct batch batch;
	uint32_t number, site[2];

	open_machine(&config, run, memory_pages);
	assert_int_equal(stream_open(&stream), 0);
	stream_thread_add(stream, &(struct thread){ 1, 1 }, &number);
	stream_space_add(stream, &(struct space){ 1, 0, SPACE_NONE }, &number);
	stream_site_add(stream, &(struct site){ .size = 8, .kind = SITE_LOAD },
			&site[0]);
	stream_site_add(stream, &(struct site){ .size = 8, .kind = SITE_STORE },
			&site[1]);
	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(machine_model.open(&machine, &config, stream), 0);
	for (uint32_t at = 0; at < n;) {
		batch_reset(&batch);
		if (!at)
			begin(&batch, run, base);
		for (; at < n && batch.n < BATCH_ACCESSES; at++)
			batch_access(&batch, base + (uint64_t)page[at] * PAGE,
				     site[is_write(run, at)]);
		assert_int_equal(machine->methods->feed(machine, &batch), 0);
	}
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(machine->methods->finish(machine, result), 0);
	found = (struct prediction){
		.majors = value_of(result, "fault.major"),
		.minors = value_of(result, "fault.minor"),
		.swapouts = value_of(result, "thp.swapouts"),
	};
	assert_int_equal(value_of(result, "reclaim.stuck"), 0);
	result_close(result);
	model_close(machine);
	batch_fini(&batch);
	stream_close(stream);
	option_fini(&machine_options, &config);
	return found;
}

/* What a group may hold is known within the batch that reclaim frees and the
 * stock that a processor keeps, and one huge page more or less has room: the
 * range of what so much memory predicts. */
struct span {
	struct prediction least, most;
};

static void
widen(struct span *range, const struct prediction *found)
{
	struct prediction *least = &range->least, *most = &range->most;

	least->majors =
		found->majors < least->majors ? found->majors : least->majors;
	least->minors =
		found->minors < least->minors ? found->minors : least->minors;
	least->swapouts = found->swapouts < least->swapouts ? found->swapouts
							    : least->swapouts;
	most->majors =
		found->majors > most->majors ? found->majors : most->majors;
	most->minors =
		found->minors > most->minors ? found->minors : most->minors;
	most->swapouts = found->swapouts > most->swapouts ? found->swapouts
							  : most->swapouts;
}

static bool
is_within(uint64_t measured, uint64_t least, uint64_t most, double share,
	  double beside)
{
	return (double)measured >= (double)least * (1 - share) - beside &&
	       (double)measured <= (double)most * (1 + share) + beside;
}

static bool
is_predicted(const struct run *run)
{
	const struct report *report = env.report;
	uint64_t swapouts = vmstat("thp_swpout");
	uint32_t n, *page = string_of(run, &n);
	int status = run_process(run, page, n);
	struct prediction found;
	struct span range;

	swapouts = vmstat("thp_swpout") - swapouts;
	if (status) {
		print_message("the process ended with %#x\n", (unsigned)status);
		free(page);
		return false;
	}
	found = predict(run, page, n, report->rss_most);
	range = (struct span){ found, found };
	for (uint32_t less = BATCH; less <= 2 * BATCH; less += BATCH) {
		found = predict(run, page, n, report->rss_most - less);
		widen(&range, &found);
	}
	free(page);
	print_message("%s%s%s, %u pages in %u: majors %ju, %ju .. %ju; minors "
		      "%ju, %ju .. %ju; huge pages out %ju, %ju .. %ju\n",
		      names[run->pattern], run->always ? ", always" : "",
		      run->waits ? "" : ", no waiting", run->pages, run->limit,
		      (uintmax_t)report->majors, (uintmax_t)range.least.majors,
		      (uintmax_t)range.most.majors, (uintmax_t)report->minors,
		      (uintmax_t)range.least.minors,
		      (uintmax_t)range.most.minors, (uintmax_t)swapouts,
		      (uintmax_t)range.least.swapouts,
		      (uintmax_t)range.most.swapouts);
	return is_within(report->majors, range.least.majors, range.most.majors,
			 MAJORS_MOST, 0) &&
	       is_within(report->minors, range.least.minors, range.most.minors,
			 0, MINORS_MOST) &&
	       is_within(swapouts, range.least.swapouts, range.most.swapouts, 0,
			 1);
}

static void
judge(enum pattern pattern, bool always, bool waits)
{
	uint64_t random = 7000 + pattern + 10 * always + 20 * waits;
	int tries = 0;
	struct run run = {
		.pattern = pattern, .always = always, .waits = waits, .n = 40000
	};

	if (env.why) {
		print_message("%s\n", env.why);
		skip();
	}
	run.pages = 6000 + (uint32_t)random_below(&random, 4000);
	run.limit =
		run.pages * (60 + (uint32_t)random_below(&random, 25)) / 100;
	run.seed = random_next(&random);
	while (!is_predicted(&run))
		if (++tries == TRIES)
			fail_msg("%s: not predicted in %d tries",
				 names[pattern], TRIES);
}

static void
test_advised(void **state)
{
	(void)state;
	for (enum pattern i = LOOP; i <= CHUNKS; i++)
		judge(i, false, true);
}

static void
test_without_waiting(void **state)
{
	(void)state;
	if (!env.why)
		settings_put(HUGE_SETTING "defrag", "never");
	for (enum pattern i = LOOP; i <= CHUNKS; i++)
		judge(i, false, false);
	settings_put(HUGE_SETTING "defrag", "madvise");
}

static void
test_always(void **state)
{
	(void)state;
	if (!env.why)
		settings_put(HUGE_SETTING "enabled", "always");
	for (enum pattern i = UNIFORM; i <= HOT_AND_SCAN; i++)
		judge(i, true, false);
	settings_put(HUGE_SETTING "enabled", "madvise");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advised),
		cmocka_unit_test(test_without_waiting),
		cmocka_unit_test(test_always),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
