// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of faults of files: an ext4 of our own on a loop
 * device (its read-ahead is not the disk's), files written in pieces of known or
 * random sizes, warm or dropped from the page cache; mapped and touched for real,
 * with each touch's minor and major faults noted; the page cache looked at as
 * tracers do; and the model must say the same.
 *
 * The mount is in a mount namespace of this process and its loop device clears
 * itself; a process that outlives this one restores the device's read-ahead: so
 * nothing is left however the test ends.
 */
#include "analyzer/host.h"
#include "models/memory/random.h"
#include "models/paging/paging.h"
#include "models/tables/tables.h"
#include "tracers/page-cache.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE   UINT64_C(4096)
#define MIB    (UINT64_C(1) << 20)
#define ARENA  (UINT64_C(0x200) << 36)
#define STEPS  300000
#define EVENTS 20000

struct act {
	uint64_t address; /* touched; or number of the event */
	uint8_t write, is_event;
	uint8_t minor, major;
};

struct file_log {
	struct act *act; /* owned, touched: logging takes no fault */
	size_t n;
	struct event *event; /* owned, the same */
	size_t n_events;
	char path[256]; /* of the file at hand */
	uint64_t bytes;
	int fd;
};

static struct file_log steps;
static char read_ahead_kb[96]; /* of the loop device */
static char directory[128], memory_directory[] = "/dev/shm";

static void
faults_now(int64_t *minor, int64_t *major)
{
	static struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	*minor = usage.ru_minflt;
	*major = usage.ru_majflt;
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static void
touch(uint64_t address, bool write)
{
	volatile char *byte = (volatile char *)(uintptr_t)address;
	int64_t minor, major, minor_after, major_after;
	struct act *act = &steps.act[steps.n];

	if (steps.n == STEPS)
		return;
	faults_now(&minor, &major);
	if (write)
		*byte = 1;
	else
		(void)*byte;
	faults_now(&minor_after, &major_after);
	*act = (struct act){ address, write, false,
			     (uint8_t)(minor_after - minor),
			     (uint8_t)(major_after - major) };
	steps.n++;
}

static struct event *
add_event(enum event_type type, uint64_t address, uint64_t length)
{
	struct event *event = &steps.event[steps.n_events];

	assert_true(steps.n < STEPS && steps.n_events < EVENTS);
	*event = (struct event){ .type = (uint8_t)type,
				 .address = address,
				 .length = length,
				 .file = UINT32_MAX };
	steps.act[steps.n++] =
		(struct act){ .address = steps.n_events++, .is_event = true };
	return event;
}

static void
cached(void *context, const struct event *event)
{
	struct event *copy = add_event(EVENT_CACHED, 0, 0);

	(void)context;
	*copy = *event;
	copy->file = 0;
}

/* The page cache, as a tracer would tell. */
static void
look(void)
{
	const struct page_cache_range range = { steps.path, 0, 0, steps.bytes };

	assert_int_equal(page_cache_look(&range, cached, NULL), 0);
}

static void
map(uint64_t offset, uint64_t length, int rights, int flags, uint64_t page)
{
	struct event *event;

	assert_true(mmap((void *)(uintptr_t)(ARENA + offset), length, rights,
			 flags | MAP_FIXED, steps.fd,
			 (off_t)(page * PAGE)) != MAP_FAILED);
	event = add_event(EVENT_MAP, ARENA + offset, length);
	event->flags = (uint16_t)(MAP_FLAG_READ | MAP_FLAG_FILE |
				  (rights & PROT_WRITE ? MAP_FLAG_WRITE : 0) |
				  (rights & PROT_EXEC ? MAP_FLAG_EXEC : 0) |
				  (flags & MAP_SHARED ? MAP_FLAG_SHARED : 0));
	event->file = 0;
	event->offset = page * PAGE;
}

static void
advise(uint64_t offset, uint64_t length, int advice)
{
	assert_int_equal(madvise((void *)(uintptr_t)(ARENA + offset), length,
				 advice),
			 0);
	add_event(EVENT_ADVISE, ARENA + offset, length)->value =
		(uint64_t)advice;
}

/* A new file of so many bytes, in pieces; 0: of random sizes to 2 MiB. */
static void
file_new(const char *where, uint64_t bytes, uint64_t piece, uint64_t *seed)
{
	static char data[2 * MIB];

	memset(data, 1, sizeof(data));
	snprintf(steps.path, sizeof(steps.path), "%s/files-%d", where,
		 (int)getpid());
	unlink(steps.path);
	steps.fd =
		open(steps.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(steps.fd >= 0);
	steps.bytes = bytes;
	for (uint64_t at = 0; at < bytes;) {
		uint64_t n = piece ? piece : PAGE << random_below(seed, 10);

		n = n < bytes - at ? n : bytes - at;
		assert_int_equal(pwrite(steps.fd, data, n, (off_t)at), n);
		at += n;
	}
	assert_int_equal(fsync(steps.fd), 0);
}

static void
file_end(void)
{
	munmap((void *)(uintptr_t)ARENA, 1024 * MIB);
	close(steps.fd);
	unlink(steps.path);
}

static void
file_drop(void)
{
	static unsigned char cache[65536];
	uint64_t pages = steps.bytes / PAGE, left = 0;
	void *at;

	for (int tries = 0; tries < 10; tries++) {
		assert_int_equal(posix_fadvise(steps.fd, 0, 0,
					       POSIX_FADV_DONTNEED),
				 0);
		at = mmap(NULL, steps.bytes, PROT_READ, MAP_SHARED, steps.fd,
			  0);
		assert_int_equal(mincore(at, steps.bytes, cache), 0);
		munmap(at, steps.bytes);
		left = 0;
		for (uint64_t i = 0; i < pages; i++)
			left += cache[i] & 1;
		if (!left)
			break;
		usleep(20000);
	}
	assert_int_equal(left, 0);
	/* As freshly opened: reading ahead begins anew */
	close(steps.fd);
	steps.fd = open(steps.path, O_RDWR | O_CLOEXEC);
	assert_true(steps.fd >= 0);
}

static bool
number_write(const char *path, unsigned long number)
{
	FILE *file = fopen(path, "we");
	bool written = file && fprintf(file, "%lu", number) > 0;

	return file && !fclose(file) && written;
}

static void
steps_begin(void)
{
	steps.n = steps.n_events = 0;
}

struct counts {
	uint64_t minor, major;
};

struct model {
	struct stream *stream;
	struct frames *frames;
	struct paging *paging;
	struct batch batch;
};

static void
model_open(struct model *model)
{
	static const struct frames_config frames;
	static const struct tables_config tables = { .own.radix.levels = 4 };
	static const struct table_with with = { .config = &tables,
						.kinds = &tables.own };
	struct paging_config config = { .fault_around_bytes = 65536,
					.files.read_ahead = -1 };
	struct file file = { steps.path, "", 1, steps.bytes, 0 };
	uint32_t number;

	*model = (struct model){ 0 };
	assert_int_equal(stream_open(&model->stream), 0);
	assert_int_equal(batch_init(&model->batch), 0);
	stream_thread_add(model->stream, &(struct thread){ 1, 1 }, &number);
	stream_space_add(model->stream, &(struct space){ .pid = 1 }, &number);
	stream_file_add(model->stream, &file, &number);
	assert_int_equal(frames_open(&model->frames, &frames), 0);
	assert_int_equal(paging_open(&model->paging, &config, model->stream,
				     model->frames, &radix_table, &with, NULL),
			 0);
}

static void
model_close(struct model *model)
{
	paging_close(model->paging);
	frames_close(model->frames);
	batch_fini(&model->batch);
	stream_close(model->stream);
}

static void
model_act(struct model *model, const struct act *act)
{
	struct table *table = paging_table(model->paging, 0);
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	if (act->is_event) {
		assert_int_equal(paging_event(model->paging, &model->batch,
					      &steps.event[act->address], 0),
				 0);
		return;
	}
	radix_table.walk(table, act->address, reference, &mapping);
	if (!mapping.shift || (act->write && !mapping.writable))
		assert_int_equal(paging_fault(model->paging, 0, act->address,
					      act->write ? SITE_STORE
							 : SITE_LOAD,
					      0, &mapping),
				 0);
}

/* What the model and the kernel say of all steps; the first that differs. */
static void
compare(struct counts *model_says, struct counts *kernel_says, bool tell)
{
	struct counts kernel = { 0 }, before = { 0 }, now = { 0 };
	struct model model;
	int told = 0;

	model_open(&model);
	for (size_t i = 0; i < steps.n; i++) {
		const struct act *act = &steps.act[i];

		model_act(&model, act);
		now.minor = paging_minor(model.paging, false);
		now.major = paging_major(model.paging);
		kernel.minor += act->minor;
		kernel.major += act->major;
		if (tell && told < 5 &&
		    (now.minor - before.minor != act->minor ||
		     now.major - before.major != act->major) &&
		    ++told)
			print_message("step %zu, page %ju%s: kernel %u minor, "
				      "%u major; model %ju, %ju\n",
				      i,
				      (uintmax_t)((act->address - ARENA) /
						  PAGE),
				      act->write ? ", write" : "", act->minor,
				      act->major,
				      (uintmax_t)(now.minor - before.minor),
				      (uintmax_t)(now.major - before.major));
		before = now;
	}
	model_close(&model);
	*model_says = now;
	*kernel_says = kernel;
}

static bool
within(uint64_t model, uint64_t kernel, double tolerance)
{
	double apart = (double)model - (double)kernel;

	return apart <= tolerance * (double)kernel + 1 &&
	       -apart <= tolerance * (double)kernel + 1;
}

struct trial {
	const char *name;
	void (*act)(uint64_t *seed);
	double minor, major; /* tolerances */
	uint64_t seeds;
};

/* A part of the kernel that holds a page, or a disk that is slow for once, makes
 * a difference: it counts if it comes again. */
static bool
agrees(const struct trial *trial, uint64_t first_seed)
{
	for (int tries = 0; tries < 4; tries++) {
		struct counts model, kernel;
		uint64_t seed = first_seed;
		bool exact;

		steps_begin();
		trial->act(&seed);
		compare(&model, &kernel, false);
		file_end();
		exact = model.minor == kernel.minor &&
			model.major == kernel.major;
		print_message(
			"%s, seed %ju: kernel %ju minor, %ju major; model "
			"%ju, %ju\n",
			trial->name, (uintmax_t)first_seed,
			(uintmax_t)kernel.minor, (uintmax_t)kernel.major,
			(uintmax_t)model.minor, (uintmax_t)model.major);
		if (within(model.minor, kernel.minor, trial->minor) &&
		    within(model.major, kernel.major, trial->major) &&
		    (exact || trial->minor > 0 || trial->major > 0))
			return true;
		compare(&model, &kernel, true);
	}
	return false;
}

static void
run(const struct trial *trial)
{
	for (uint64_t seed = 1; seed <= trial->seeds; seed++)
		assert_true(agrees(trial, seed));
}

static void
sweep(uint64_t offset, uint64_t length, bool write)
{
	for (uint64_t i = 0; i < length; i += PAGE)
		touch(ARENA + offset + i, write);
}

static void
touch_random(uint64_t pages, uint64_t n, unsigned writes_percent,
	     uint64_t *seed)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t page = random_below(seed, pages);
		bool write = random_below(seed, 100) < writes_percent;

		touch(ARENA + page * PAGE, write);
	}
}

/* 64 folios of 1 MiB: all but the last are mapped whole: 63 + 16. */
static void
act_folios(uint64_t *seed)
{
	file_new(directory, 64 * MIB, MIB, seed);
	look();
	map(0, 64 * MIB, PROT_READ, MAP_SHARED, 0);
	sweep(0, 64 * MIB, false);
}

static void
test_folios_of_a_mebibyte(void **state)
{
	struct counts model, kernel;
	uint64_t seed = 0;

	(void)state;
	steps_begin();
	act_folios(&seed);
	compare(&model, &kernel, true);
	file_end();
	print_message("kernel %ju, model %ju\n", (uintmax_t)kernel.minor,
		      (uintmax_t)model.minor);
	assert_int_equal(model.minor, kernel.minor);
	assert_int_equal(model.major, kernel.major);
}

/* Pieces of random sizes, mapped at random places, touched at random. */
static void
act_random_folios(uint64_t *seed)
{
	uint64_t pages = 4096 + random_below(seed, 4096), first, n;

	file_new(directory, pages * PAGE, 0, seed);
	look();
	for (int part = 0; part < 4; part++) {
		first = random_below(seed, pages / 2);
		n = 1 + random_below(seed, pages - first);
		map((uint64_t)part * 64 * MIB + random_below(seed, 512) * PAGE,
		    n * PAGE, PROT_READ | PROT_WRITE,
		    part & 1 ? MAP_SHARED : MAP_PRIVATE, first);
		for (uint64_t i = 0; i < 600; i++)
			touch(steps.event[steps.n_events - 1].address +
				      random_below(seed, n) * PAGE,
			      random_below(seed, 4) == 0);
	}
}

static void
test_random_folios(void **state)
{
	const struct trial trial = { "folios", act_random_folios, 0, 0, 6 };

	(void)state;
	run(&trial);
}

static void
act_cold_random(uint64_t *seed)
{
	uint64_t bytes = 32 * MIB;

	file_new(directory, bytes, 0, seed);
	file_drop();
	look();
	map(0, bytes, PROT_READ | PROT_WRITE,
	    random_below(seed, 2) ? MAP_SHARED : MAP_PRIVATE, 0);
	advise(0, bytes, MADV_RANDOM);
	touch_random(bytes / PAGE, 3000, 30, seed);
}

static void
test_cold_and_advised_random(void **state)
{
	const struct trial trial = { "cold, random", act_cold_random, 0, 0, 4 };

	(void)state;
	run(&trial);
}

static void
act_cold(uint64_t *seed)
{
	uint64_t bytes = (32 + random_below(seed, 32)) * MIB;
	uint64_t pages = bytes / PAGE, stride;
	int executed = random_below(seed, 3) ? 0 : PROT_EXEC;

	assert_true(number_write(read_ahead_kb, 32ul << random_below(seed, 8)));
	file_new(directory, bytes, 0, seed);
	file_drop();
	look();
	map(0, bytes, PROT_READ | PROT_WRITE | executed,
	    executed ? MAP_PRIVATE : MAP_SHARED, 0);
	if (random_below(seed, 3) == 0)
		advise(0, bytes, MADV_SEQUENTIAL);
	switch (random_below(seed, 3)) {
	case 0:
		sweep(0, bytes, false);
		break;
	case 1:
		touch_random(pages, 4000, executed ? 30 : 0, seed);
		break;
	default:
		stride = 2 + random_below(seed, 60);
		for (uint64_t i = 0; i < pages; i += stride)
			touch(ARENA + i * PAGE, false);
	}
}

static void
test_cold_and_read_around(void **state)
{
	const struct trial trial = { "cold", act_cold, 0.05, 0.02, 16 };

	(void)state;
	run(&trial);
}

/* The first write to a page that was read is noticed on disk only. */
static void
act_written(const char *where, uint64_t *seed)
{
	uint64_t pages = 512 + random_below(seed, 1024);

	file_new(where, pages * PAGE, PAGE, seed);
	look();
	map(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	touch_random(pages, pages, 20, seed);
	sweep(0, pages * PAGE, false);
	sweep(0, pages * PAGE, true);
}

static void
act_written_disk(uint64_t *seed)
{
	act_written(directory, seed);
}

static void
act_written_memory(uint64_t *seed)
{
	act_written(memory_directory, seed);
}

static void
test_shared_writes_after_reads(void **state)
{
	const struct trial disk = { "written, ext4", act_written_disk, 0, 0,
				    3 };
	const struct trial memory = { "written, tmpfs", act_written_memory, 0,
				      0, 3 };

	(void)state;
	run(&disk);
	run(&memory);
}

/* A file of holes: none of its pages is in the page cache. */
static void
act_holes(uint64_t *seed)
{
	uint64_t pages = 4096;

	file_new(directory, 64 * PAGE, PAGE, seed);
	assert_int_equal(ftruncate(steps.fd, (off_t)(pages * PAGE)), 0);
	steps.bytes = pages * PAGE;
	assert_int_equal(fsync(steps.fd), 0);
	file_drop();
	look();
	map(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	advise(0, pages * PAGE, MADV_RANDOM);
	touch_random(pages, 1000, 50, seed);
}

static void
test_holes(void **state)
{
	const struct trial trial = { "holes", act_holes, 0, 0, 2 };

	(void)state;
	run(&trial);
}

static void *
touched(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static bool
shell(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command) == 0;
}

/* The loop device's read-ahead is changed: a guardian puts it back when this
 * process, which alone holds the pipe's other end, is gone. */
static bool
guard_read_ahead(void)
{
	struct stat about;
	unsigned long before = 0;
	int ends[2];
	pid_t guardian;
	FILE *file;

	if (stat(directory, &about) || pipe(ends))
		return false;
	snprintf(read_ahead_kb, sizeof(read_ahead_kb),
		 "/sys/dev/block/%u:%u/queue/read_ahead_kb",
		 major(about.st_dev), minor(about.st_dev));
	file = fopen(read_ahead_kb, "re");
	if (!file || fscanf(file, "%lu", &before) != 1)
		before = 0;
	if (file)
		fclose(file);
	guardian = before ? fork() : -1;
	if (!guardian) {
		char byte;

		setsid();
		close(ends[1]);
		while (read(ends[0], &byte, 1) > 0)
			;
		number_write(read_ahead_kb, before);
		_exit(0);
	}
	close(ends[0]);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	return guardian > 0;
}

/* Why the kernel's figures cannot be had here, or NULL. */
static const char *
set_up(void)
{
	if (geteuid())
		return "a file system is mounted: root only";
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "no mount namespace";
	snprintf(directory, sizeof(directory), "./test-files-%d.tmp",
		 (int)getpid());
	if (mkdir(directory, 0700) ||
	    !shell("truncate -s 256M %s.img && mkfs.ext4 -q %s.img "
		   ">/dev/null 2>&1 && mount -o loop %s.img %s",
		   directory, directory, directory, directory)) {
		shell("rm -f %s.img; rmdir %s", directory, directory);
		return "no ext4 on a loop device";
	}
	shell("rm -f %s.img", directory);
	if (!guard_read_ahead())
		return "the loop device's read-ahead cannot be set";
	steps.act = touched(STEPS * sizeof(*steps.act));
	steps.event = touched(EVENTS * sizeof(*steps.event));
	if (!steps.act || !steps.event)
		return "no memory for the log";
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
		       ? "huge pages cannot be switched off"
		       : NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folios_of_a_mebibyte),
		cmocka_unit_test(test_random_folios),
		cmocka_unit_test(test_cold_and_advised_random),
		cmocka_unit_test(test_cold_and_read_around),
		cmocka_unit_test(test_shared_writes_after_reads),
		cmocka_unit_test(test_holes),
	};
	const char *reason = set_up();
	int failed;

	if (reason) {
		printf("skipped: %s\n", reason);
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	return failed;
}
