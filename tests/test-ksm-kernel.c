// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of models/paging/ksm.c: seeded groups of equal
 * pages under MADV_MERGEABLE are merged by ksmd and by the model, which must end
 * with as many frames, exactly, and after as long a time, within 20 %.  Then
 * pages are written: as many faults, and frames again.
 *
 * KSM's settings are the whole system's: a guardian (settings.h) puts them back
 * when this process ends, however it does.
 */
#include "models/memory/random.h"
#include "models/paging/paging.h"
#include "models/tables/tables.h"
#include "tests/settings.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmocka.h>

#define PAGE	   UINT64_C(4096)
#define PAGES	   2600
#define SCAN_PAGES 300
#define SLEEP_MS   20
#define TICK_MS	   4 /* CONFIG_HZ=250, as distributions have it */
#define TRIES	   5
#define LATE_MS	   0.5
#define KSM	   "/sys/kernel/mm/ksm/"

static long int
setting(const char *name)
{
	char path[96], text[32] = "-1";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtol(text, NULL, 10);
}

static bool
set(const char *name, uint64_t value)
{
	char path[96];

	snprintf(path, sizeof(path), KSM "%s", name);
	return settings_put_number(path, value);
}

struct world {
	unsigned char *start;
	unsigned group[PAGES]; /* whose content the page has */
	struct stream *stream;
	struct frames *frames;
	struct paging *paging;
	struct batch batch;
	uint64_t random;
};

/* Groups of all interesting sizes, shuffled over the pages */
static void
draw_groups(struct world *world)
{
	static const unsigned sizes[] = { 1,  1,   1,	2,   2,	  3,   7,
					  40, 255, 256, 257, 258, 513, 514 };
	unsigned n = 0, group = 1;

	for (size_t i = 0; n < PAGES; i++, group++) {
		unsigned size =
			i < ARRAY_SIZE(sizes)
				? sizes[i]
				: 1 + (unsigned)random_below(&world->random, 4);

		while (size-- && n < PAGES)
			world->group[n++] = group;
	}
	for (unsigned i = PAGES; i-- > 1;) {
		unsigned k = (unsigned)random_below(&world->random, i + 1);
		unsigned swap = world->group[i];

		world->group[i] = world->group[k];
		world->group[k] = swap;
	}
}

static unsigned char *
page_at(const struct world *world, unsigned i)
{
	return world->start + i * PAGE;
}

static struct event *
next_event(struct world *world, enum event_type type)
{
	struct event *event;

	batch_reset(&world->batch);
	event = batch_event(&world->batch, type);
	event->address = (uint64_t)(uintptr_t)world->start;
	event->length = PAGES * PAGE;
	return event;
}

static void
feed(struct world *world)
{
	assert_int_equal(paging_event(world->paging, &world->batch,
				      world->batch.event, 0),
			 0);
}

static void
write_model(struct world *world, unsigned i)
{
	struct mapping mapping;

	assert_int_equal(paging_fault(world->paging, 0,
				      (uint64_t)(uintptr_t)page_at(world, i),
				      SITE_STORE, 0, &mapping),
			 0);
}

static void
open_model(struct world *world)
{
	static const struct frames_config frames;
	static const struct tables_config tables = { .own.radix.levels = 4 };
	static const struct table_with with = { .config = &tables,
						.kinds = &tables.own };
	struct paging_config config = {
		.policy = PAGES_4K,
		.fault_around_bytes = 65536,
		.ksm = { .run = KSM_YES,
			 .scan_pages = SCAN_PAGES,
			 .sleep_ns = SLEEP_MS * UINT64_C(1000000),
			 .tick_ns = TICK_MS * UINT64_C(1000000),
			 .scan_ns = 1000,
			 .merge_ns = 7000,
			 .zero = KSM_NO },
	};
	uint32_t number;

	assert_int_equal(stream_open(&world->stream), 0);
	assert_int_equal(batch_init(&world->batch), 0);
	stream_thread_add(world->stream, &(struct thread){ 1, 1 }, &number);
	stream_space_add(world->stream, &(struct space){ .pid = 1 }, &number);
	assert_int_equal(frames_open(&world->frames, &frames), 0);
	assert_int_equal(paging_open(&world->paging, &config, world->stream,
				     world->frames, &radix_table, &with, NULL),
			 0);
	next_event(world, EVENT_MAP)->flags = MAP_FLAG_READ | MAP_FLAG_WRITE;
	feed(world);
	next_event(world, EVENT_ADVISE)->value = MADV_MERGEABLE;
	feed(world);
	for (unsigned i = 0; i < PAGES; i++)
		write_model(world, i);
}

static void
close_model(struct world *world)
{
	paging_close(world->paging);
	frames_close(world->frames);
	batch_fini(&world->batch);
	stream_close(world->stream);
}

static void
tell_contents(struct world *world)
{
	for (unsigned i = 0; i < PAGES; i++) {
		struct event *event = next_event(world, EVENT_CONTENT);

		event->address += i * PAGE;
		event->length = PAGE;
		event->value = XXH3_64bits(page_at(world, i), PAGE);
		event->time_ns = 1;
		feed(world);
	}
}

static int
ascending(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static unsigned
distinct(uint64_t frame[PAGES])
{
	unsigned n = 1;

	qsort(frame, PAGES, sizeof(frame[0]), ascending);
	for (unsigned i = 1; i < PAGES; i++)
		n += frame[i] != frame[i - 1];
	return n;
}

static unsigned
model_frames(struct world *world)
{
	uint64_t frame[PAGES];
	struct paging_page page;

	for (unsigned i = 0; i < PAGES; i++) {
		assert_true(paging_page(world->paging, 0,
					(uint64_t)(uintptr_t)page_at(world, i),
					&page));
		frame[i] = page.frame;
	}
	return distinct(frame);
}

static unsigned
kernel_frames(const struct world *world)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry[PAGES];

	assert_int_equal(pread(fd, entry, sizeof(entry),
			       (off_t)((uintptr_t)world->start / PAGE * 8)),
			 sizeof(entry));
	close(fd);
	for (unsigned i = 0; i < PAGES; i++) {
		assert_true(entry[i] >> 63);
		entry[i] &= (UINT64_C(1) << 55) - 1;
	}
	return distinct(entry);
}

/* What it must come to: TRUTH in closed form */
static unsigned
closed_form(const struct world *world)
{
	unsigned size[PAGES + 1] = { 0 }, frames = 0;

	for (unsigned i = 0; i < PAGES; i++)
		size[world->group[i]]++;
	for (unsigned i = 0; i <= PAGES; i++)
		frames += (size[i] + 255) / 256;
	return frames;
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * How late does the machine wake somebody of ksmd's priority who sleeps as long
 * and works as much?  Where that is much, time tells nothing of ksmd.
 */
struct sleeper {
	pthread_t thread;
	bool leave;
	double late_ms; /* on average */
};

static double
exact_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *
sleep_often(void *argument)
{
	struct sleeper *sleeper = argument;
	unsigned n = 0;
	double sum = 0;

	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 5);
	while (!__atomic_load_n(&sleeper->leave, __ATOMIC_ACQUIRE)) {
		double start = exact_ms(), worked;

		usleep(SLEEP_MS * 1000);
		worked = exact_ms();
		sum += worked - start - SLEEP_MS;
		while (exact_ms() < worked + 1)
			;
		sum += exact_ms() - worked - 1;
		n++;
	}
	sleeper->late_ms = n ? sum / n : 0;
	return NULL;
}

/* Until ksmd has been round twice without a change: ms to the last change */
static uint64_t
kernel_merges(void)
{
	uint64_t start, last;
	long int merged = 0, scans;

	set("pages_to_scan", SCAN_PAGES);
	set("sleep_millisecs", SLEEP_MS);
	set("use_zero_pages", 0);
	set("smart_scan", 1);
	scans = setting("full_scans");
	start = last = now_ms();
	assert_true(set("run", 1));
	while (now_ms() - start < 15000) {
		long int now =
			setting("pages_shared") + setting("pages_sharing");

		if (now != merged) {
			merged = now;
			last = now_ms();
			scans = setting("full_scans");
		} else if (merged && setting("full_scans") >= scans + 3) {
			break;
		}
		usleep(2000);
	}
	set("run", 0);
	return last - start;
}

static uint64_t
model_merges(struct world *world)
{
	struct ksm_counts counts;

	for (uint64_t ms = 0; ms < 15000; ms += SLEEP_MS)
		assert_int_equal(paging_time(world->paging,
					     1 + ms * UINT64_C(1000000), 0),
				 0);
	ksm_counts(world->paging, &counts);
	return counts.merge_ns / 1000000;
}

static int64_t
faults_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Each written page that was merged is one fault, and a frame more. */
static void
write_some(struct world *world)
{
	uint64_t before = paging_minor(world->paging, true);
	unsigned which[100];
	int64_t faults;

	for (unsigned i = 0; i < ARRAY_SIZE(which); i++)
		which[i] = (unsigned)random_below(&world->random, PAGES);
	faults_now();
	faults = faults_now();
	for (unsigned i = 0; i < ARRAY_SIZE(which); i++)
		*(volatile unsigned *)page_at(world, which[i]) =
			0x80000000u + i;
	faults = faults_now() - faults;
	for (unsigned i = 0; i < ARRAY_SIZE(which); i++)
		write_model(world, which[i]);
	assert_int_equal(paging_minor(world->paging, true) - before, faults);
	assert_int_equal(model_frames(world), kernel_frames(world));
}

enum verdict {
	GOOD,
	BAD,
	BUSY
};

/* Was the time as told? */
static enum verdict
one_run(uint64_t seed)
{
	static struct world world;
	struct sleeper sleeper = { 0 };
	uint64_t kernel_ms, model_ms;
	unsigned frames;

	world = (struct world){ .random = seed };
	assert_true(set("run", 2));
	world.start = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(world.start, MAP_FAILED);
	madvise(world.start, PAGES * PAGE, MADV_NOHUGEPAGE);
	assert_int_equal(madvise(world.start, PAGES * PAGE, MADV_MERGEABLE), 0);
	draw_groups(&world);
	for (unsigned i = 0; i < PAGES; i++)
		for (unsigned k = 0; k < PAGE / sizeof(unsigned); k += 64)
			((unsigned *)page_at(&world, i))[k] =
				world.group[i] * 2654435761u + (unsigned)seed;
	open_model(&world);
	tell_contents(&world);
	pthread_create(&sleeper.thread, NULL, sleep_often, &sleeper);
	kernel_ms = kernel_merges();
	__atomic_store_n(&sleeper.leave, true, __ATOMIC_RELEASE);
	pthread_join(sleeper.thread, NULL);
	model_ms = model_merges(&world);
	frames = kernel_frames(&world);
	print_message("seed %ju: %u frames (model %u, closed form %u), "
		      "%ju ms (model %ju), woken %.1f ms late\n",
		      (uintmax_t)seed, frames, model_frames(&world),
		      closed_form(&world), (uintmax_t)kernel_ms,
		      (uintmax_t)model_ms, sleeper.late_ms);
	assert_int_equal(model_frames(&world), frames);
	assert_int_equal(frames, closed_form(&world));
	write_some(&world);
	close_model(&world);
	munmap(world.start, PAGES * PAGE);
	if (kernel_ms * 10 <= model_ms * 12 && model_ms * 10 <= kernel_ms * 12)
		return GOOD;
	return sleeper.late_ms > LATE_MS ? BUSY : BAD;
}

static void
test_frames_faults_and_time_are_the_kernels(void **state)
{
	uint64_t seed = 1;
	enum verdict verdict = BAD;

	(void)state;
	if (setting("run") < 0 || !settings_open()) {
		print_message("skipped: KSM's settings are root's, in a kernel "
			      "with CONFIG_KSM\n");
		skip();
	}
	if (setting("run") == 1) { /* not ours: see the lock below */
		print_message("skipped: ksmd works for somebody else\n");
		skip();
	}
	/* Others of ours that merge wait. */
	flock(open("/tmp/pagescope-ksm.lock", O_RDWR | O_CREAT | O_CLOEXEC,
		   0666),
	      LOCK_EX);
	settings_at_end("echo 2 >" KSM "run");
	for (unsigned try = 0; try < TRIES && verdict != GOOD; try++) {
		enum verdict now = one_run(seed++);

		verdict = now == BAD ? verdict : now;
	}
	settings_close();
	if (verdict == BUSY)
		print_message("the machine is too busy: time was not judged, "
			      "frames and faults were\n");
	assert_int_not_equal(verdict, BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_faults_and_time_are_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
