// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of models/paging: each step (a touch, mmap,
 * munmap, mprotect, madvise, mremap, mlock, fork, ...) is done for real, with
 * its minor faults (getrusage) and the process's table bytes (VmPTE) noted, and
 * then fed to the model, which must have said the same, step by step.
 *
 * All is done in an arena of its own 512 GiB, so that VmPTE's change is the
 * arena's.  The log lies in shared memory: children write on in it.
 */
#include "analyzer/host.h"
#include "models/memory/random.h"
#include "models/paging/paging.h"
#include "models/tables/tables.h"
#include "tests/settings.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE   UINT64_C(4096)
#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define ARENA  (UINT64_C(0x200) << 36) /* 32 TiB */
#define SPACES 64
#define STEPS  200000

#define TMPFS_MAGIC_NUMBER 0x01021994
#define FILE_PAGES	   512

enum step_type {
	STEP_EVENT, /* done by the kernel and followed by the model */
	STEP_TOUCH,
	STEP_BEGIN, /* of a process: its VmPTE so far is not the arena's */
};

struct act {
	uint8_t type, space, write;
	struct event event;
	int64_t faults, pte_bytes; /* noted: of this step; after it */
};

struct log {
	size_t n;
	struct act step[STEPS];
	char path[256]; /* the file's */
	int disk_fd, memory_fd, zero_fd;
	uint8_t space;	/* who is running */
	uint8_t spaces; /* so far */
	bool huge;	/* mappings ask for huge pages */
	char text[8192];
};

static struct log *shared_log; /* cmocka's tests share it, in turn */

static int64_t
faults_now(void)
{
	static struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static int64_t
pte_bytes_now(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, shared_log->text, sizeof(shared_log->text) - 1);
	const char *line;

	close(fd);
	shared_log->text[n > 0 ? n : 0] = '\0';
	line = strstr(shared_log->text, "VmPTE:");
	return line ? strtol(line + 6, NULL, 10) * 1024 : -1;
}

static struct act *
step_new(enum step_type type)
{
	struct act *step = &shared_log->step[shared_log->n];

	if (shared_log->n + 1 < STEPS)
		shared_log->n++;
	*step = (struct act){ .type = (uint8_t)type,
			      .space = shared_log->space,
			      .event.file = UINT32_MAX };
	return step;
}

/* Log a call that was done; faults: before it. */
static struct event *
log_event(enum event_type type, const void *address, uint64_t length,
	  int64_t faults_before)
{
	int64_t faults = faults_now() - faults_before;
	struct act *step = step_new(STEP_EVENT);

	step->faults = faults;
	step->pte_bytes = pte_bytes_now();
	step->event.type = (uint8_t)type;
	step->event.address = (uint64_t)(uintptr_t)address;
	step->event.length = length;
	return &step->event;
}

static void
begin(void)
{
	struct act *step = step_new(STEP_BEGIN);

	step->pte_bytes = pte_bytes_now();
}

static void *
at(uint64_t offset)
{
	return (void *)(uintptr_t)(ARENA + offset);
}

/* Not instrumented: a sanitizer's own memory would fault, too. */
__attribute__((no_sanitize("address", "undefined", "thread"))) static void
touch(uint64_t offset, bool write)
{
	volatile char *byte = at(offset);
	int64_t before = faults_now(), after;
	struct act *step;

	if (write)
		*byte = 1;
	else
		(void)*byte;
	after = faults_now();
	step = step_new(STEP_TOUCH);
	step->faults = after - before;
	step->pte_bytes = -1;
	step->write = write;
	step->event.address = ARENA + offset;
}

static void
sweep(uint64_t offset, uint64_t length, bool write)
{
	for (uint64_t i = 0; i < length; i += PAGE)
		touch(offset + i, write);
}

static unsigned
flags_of(int rights, int flags)
{
	return (unsigned)((rights & PROT_READ ? MAP_FLAG_READ : 0) |
			  (rights & PROT_WRITE ? MAP_FLAG_WRITE : 0) |
			  (rights & PROT_EXEC ? MAP_FLAG_EXEC : 0) |
			  (flags & MAP_SHARED ? MAP_FLAG_SHARED : 0) |
			  (flags & MAP_ANONYMOUS ? 0 : MAP_FLAG_FILE) |
			  (flags & MAP_NORESERVE ? MAP_FLAG_NORESERVE : 0) |
			  (flags & MAP_GROWSDOWN ? MAP_FLAG_STACK : 0) |
			  (flags & MAP_POPULATE ? MAP_FLAG_POPULATE : 0));
}

static bool
advise_at(uint64_t offset, uint64_t length, int advice)
{
	int64_t before = faults_now();

	if (madvise(at(offset), length, advice))
		return false;
	log_event(EVENT_ADVISE, at(offset), length, before)->value =
		(uint64_t)advice;
	return true;
}

/* file: 0 on disk, 1 in memory; page: of the file. */
static bool
map_at(uint64_t offset, uint64_t length, int rights, int flags, uint32_t file,
       uint64_t page)
{
	int64_t before = faults_now();
	int fd = flags & MAP_ANONYMOUS ? -1
		 : file		       ? shared_log->memory_fd
				       : shared_log->disk_fd;
	struct event *event;

	if (mmap(at(offset), length, rights, flags | MAP_FIXED, fd,
		 fd < 0 ? 0 : (off_t)(page * PAGE)) == MAP_FAILED)
		return false;
	event = log_event(EVENT_MAP, at(offset), length, before);
	event->flags = (uint16_t)flags_of(rights, flags);
	event->file = fd < 0 ? UINT32_MAX : file;
	event->offset = page * PAGE;
	/* The policy is "madvise" on most hosts, "always" on some. */
	return !shared_log->huge || !(flags & MAP_ANONYMOUS) ||
	       advise_at(offset, length, MADV_HUGEPAGE);
}

static bool
anon_at(uint64_t offset, uint64_t length)
{
	return map_at(offset, length, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, 0, 0);
}

static bool
unmap_at(uint64_t offset, uint64_t length)
{
	int64_t before = faults_now();

	if (munmap(at(offset), length))
		return false;
	log_event(EVENT_UNMAP, at(offset), length, before);
	return true;
}

static bool
protect_at(uint64_t offset, uint64_t length, int rights)
{
	int64_t before = faults_now();

	if (mprotect(at(offset), length, rights))
		return false;
	log_event(EVENT_PROTECT, at(offset), length, before)->flags =
		(uint16_t)flags_of(rights, MAP_ANONYMOUS);
	return true;
}

static bool
lock_at(uint64_t offset, uint64_t length, bool lock)
{
	int64_t before = faults_now();

	/* Sanitizers make mlock do nothing. */
	if (syscall(lock ? SYS_mlock : SYS_munlock, at(offset), length))
		return false;
	log_event(EVENT_LOCK, at(offset), length, before)->flags = !lock;
	return true;
}

static bool
move_at(uint64_t offset, uint64_t length, uint64_t to, uint64_t new_length)
{
	int64_t before = faults_now();
	struct event *event;

	if (mremap(at(offset), length, new_length,
		   MREMAP_MAYMOVE | MREMAP_FIXED, at(to)) == MAP_FAILED)
		return false;
	event = log_event(EVENT_REMAP, at(offset), length, before);
	event->value = ARENA + to;
	event->extra = new_length;
	return true;
}

/* The kernel writes: read(2) from /dev/zero. */
static void
kernel_write_at(uint64_t offset, uint64_t length)
{
	int64_t before = faults_now();

	if (read(shared_log->zero_fd, at(offset), length) == (ssize_t)length)
		log_event(EVENT_KERNEL_WRITE, at(offset), length, before);
}

/* Run all that is measured once, in a place that is not. */
static void
warm_up(void)
{
	size_t n = shared_log->n;
	uint64_t far = GIB * 1024; /* with upper tables of its own */

	for (int i = 0; i < 2; i++) {
		anon_at(far, 16 * PAGE);
		sweep(far, 4 * PAGE, true);
		protect_at(far, PAGE, PROT_READ);
		advise_at(far, PAGE, MADV_DONTNEED);
		lock_at(far, PAGE, true);
		lock_at(far, PAGE, false);
		move_at(far + PAGE, PAGE, far + 32 * PAGE, PAGE);
		map_at(far, PAGE, PROT_READ, MAP_SHARED, 1, 0);
		kernel_write_at(far + 2 * PAGE, PAGE);
		unmap_at(far, 64 * PAGE);
		begin();
	}
	/* The log's own pages, so that writing it takes no fault. */
	for (size_t i = n; i < STEPS; i += PAGE / sizeof(struct act))
		*(volatile uint8_t *)&shared_log->step[i].type = 0;
	for (size_t i = 0; i < sizeof(shared_log->text); i += PAGE)
		*(volatile char *)&shared_log->text[i] = 0;
	shared_log->n = n;
}

/* Run the child's part as a forked process, the parent's time stops. */
static void
fork_and(void (*child)(uint64_t seed), uint64_t seed)
{
	uint8_t parent = shared_log->space, number = ++shared_log->spaces;
	struct act *step = step_new(STEP_EVENT);
	pid_t pid;

	step->event.type = EVENT_FORK;
	step->event.value = number;
	step->pte_bytes = -1;
	pid = fork();
	if (pid == 0) {
		shared_log->space = number;
		warm_up();
		begin();
		child(seed);
		step = step_new(STEP_EVENT);
		step->event.type = EVENT_EXIT;
		step->event.flags = 1;
		step->pte_bytes = -1;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	shared_log->space = parent;
	/* The parent's own pages were made read-only: once through all. */
	warm_up();
	begin();
}

struct model {
	struct stream *stream;
	struct frames *frames;
	struct paging *paging;
	struct batch batch;
	int64_t base[SPACES]; /* VmPTE - model's bytes */
	uint64_t faults;
};

static void
model_open(struct model *model, int policy)
{
	static const struct frames_config frames;
	static const struct tables_config tables = { .own.radix.levels = 4 };
	static const struct table_with with = { .config = &tables,
						.kinds = &tables.own };
	struct paging_config config = { policy, 65536,
					host_has_zero_page() ? ZERO_PAGE_YES
							     : ZERO_PAGE_NO };
	struct file file[] = {
		{ shared_log->path, "", 1, FILE_PAGES * PAGE, 0 },
		{ "/memfd:test", "", 2, FILE_PAGES * PAGE, 0 },
	};
	uint32_t number;

	*model = (struct model){ 0 };
	assert_int_equal(stream_open(&model->stream), 0);
	assert_int_equal(batch_init(&model->batch), 0);
	for (uint32_t i = 0; i < SPACES; i++) {
		stream_thread_add(model->stream, &(struct thread){ i, i },
				  &number);
		stream_space_add(model->stream, &(struct space){ .pid = i },
				 &number);
	}
	for (size_t i = 0; i < ARRAY_SIZE(file); i++)
		stream_file_add(model->stream, &file[i], &number);
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
model_touch(struct model *model, const struct act *step)
{
	struct table *table = paging_table(model->paging, step->space);
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	radix_table.walk(table, step->event.address, reference, &mapping);
	if (!mapping.shift || (step->write && !mapping.writable))
		assert_int_equal(paging_fault(model->paging, step->space,
					      step->event.address,
					      step->write ? SITE_STORE
							  : SITE_LOAD,
					      0, &mapping),
				 0);
}

/* A call's first page and pages, flags, value. */
static void
print_act(size_t i)
{
	const struct act *act = &shared_log->step[i];
	const struct event *event = &act->event;

	print_message("%zu: %s %u, space %u, page %jd + %ju, flags %#x, file "
		      "%d page %ju, value %#jx%s\n",
		      i, act->type == STEP_TOUCH ? "touch" : "event",
		      event->type, act->space,
		      (intmax_t)(event->address - ARENA) / (intmax_t)PAGE,
		      (uintmax_t)((event->length + PAGE - 1) / PAGE),
		      event->flags, (int)event->file,
		      (uintmax_t)(event->offset / PAGE),
		      (uintmax_t)(event->value > ARENA
					  ? (event->value - ARENA) / PAGE
					  : event->value),
		      act->write ? ", write" : "");
}

/* What was done to the 2 MiB of this step. */
static void
print_history(size_t last)
{
	const struct act *bad = &shared_log->step[last];
	uint64_t page = bad->event.address / PAGE;

	for (size_t i = last > 2000 ? last - 2000 : 0; i <= last; i++) {
		const struct act *act = &shared_log->step[i];
		uint64_t first = act->event.address / PAGE;
		uint64_t end = (act->event.address + act->event.length) / PAGE;
		bool moves = act->event.type == EVENT_REMAP;
		bool near = act->type == STEP_TOUCH
				    ? first / 512 == page / 512 &&
					      first - page + 16 < 32
				    : first <= page && page < end;

		if (act->type == STEP_BEGIN ||
		    (act->space != bad->space && act->type == STEP_TOUCH))
			continue;
		if (near || act->event.type == EVENT_FORK || moves)
			print_act(i);
	}
}

static void
print_step(size_t i, const struct act *act, int64_t faults, int64_t bytes)
{
	print_history(i);
	print_message("kernel: %jd faults, tables %jd; model: %jd, %jd\n",
		      (intmax_t)act->faults, (intmax_t)act->pte_bytes,
		      (intmax_t)faults, (intmax_t)bytes);
}

/* Feed the log to a model: true if it says all that the kernel did. */
static bool
model_agrees(int policy)
{
	struct model model;
	bool agrees = true;

	model_open(&model, policy);
	for (size_t i = 0; i < shared_log->n && agrees; i++) {
		const struct act *step = &shared_log->step[i];
		int64_t faults, bytes;
		uint64_t before = model.faults;

		model.batch.space = model.batch.thread = step->space;
		if (step->type == STEP_TOUCH)
			model_touch(&model, step);
		else if (step->type == STEP_EVENT)
			assert_int_equal(paging_event(model.paging,
						      &model.batch,
						      &step->event, 0),
					 0);
		bytes = (int64_t)paging_table_bytes(model.paging, step->space);
		if (step->type == STEP_BEGIN)
			model.base[step->space] = step->pte_bytes - bytes;
		model.faults = paging_minor(model.paging, true);
		faults = (int64_t)(model.faults - before);
		bytes += model.base[step->space];
		if (faults != step->faults ||
		    (step->pte_bytes >= 0 && bytes != step->pte_bytes)) {
			print_step(i, step, faults, bytes);
			agrees = false;
		}
	}
	model_close(&model);
	return agrees;
}

static void
log_reset(void)
{
	munmap(at(0), 64 * GIB);
	/* Memory of its own, without the pages of the test before. */
	assert_int_equal(ftruncate(shared_log->memory_fd, 0), 0);
	assert_int_equal(ftruncate(shared_log->memory_fd, FILE_PAGES * PAGE),
			 0);
	shared_log->n = 0;
	shared_log->space = shared_log->spaces = 0;
	warm_up();
	begin();
}

static void
do_demand_zero_stride_and_sparse(uint64_t seed)
{
	(void)seed;
	anon_at(0, 8 * MIB);
	sweep(0, 8 * MIB, true);
	anon_at(GIB, 32 * MIB);
	for (uint64_t i = 0; i < 32 * MIB; i += 7 * PAGE)
		touch(GIB + i, true);
	map_at(2 * GIB, 32 * GIB, PROT_READ | PROT_WRITE,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0, 0);
	for (uint64_t i = 0; i < 32; i++)
		touch(2 * GIB + i * GIB, true);
	unmap_at(0, 64 * GIB);
}

static void
do_zero_page(uint64_t seed)
{
	(void)seed;
	anon_at(0, 2 * MIB);
	sweep(0, MIB, false);
	sweep(0, 2 * MIB, true);
	advise_at(MIB / 2, MIB, MADV_DONTNEED);
	sweep(0, 2 * MIB, false);
	unmap_at(0, 2 * MIB);
}

static void
child_writes(uint64_t seed)
{
	(void)seed;
	sweep(0, 64 * PAGE, false);
	sweep(0, 32 * PAGE, true);
	sweep(MIB, 64 * PAGE, false);
	sweep(2 * MIB, 64 * PAGE, false);
	unmap_at(0, GIB);
}

static void
do_fork(uint64_t seed)
{
	(void)seed;
	anon_at(0, 128 * PAGE);
	sweep(0, 128 * PAGE, true);
	anon_at(MIB, 64 * PAGE);
	sweep(MIB, 64 * PAGE, false);
	map_at(2 * MIB, 64 * PAGE, PROT_READ | PROT_WRITE,
	       MAP_SHARED | MAP_ANONYMOUS, 0, 0);
	sweep(2 * MIB, 64 * PAGE, true);
	fork_and(child_writes, 0);
	sweep(0, 128 * PAGE, true);
	fork_and(child_writes, 0);
	protect_at(0, 64 * PAGE, PROT_READ);
	protect_at(0, 64 * PAGE, PROT_READ | PROT_WRITE);
	sweep(0, 128 * PAGE, true);
	protect_at(0, 64 * PAGE, PROT_READ);
	protect_at(0, 64 * PAGE, PROT_READ | PROT_WRITE);
	sweep(0, 128 * PAGE, true);
	unmap_at(0, GIB);
}

static void
do_files(uint64_t seed)
{
	(void)seed;
	map_at(3 * PAGE, 100 * PAGE, PROT_READ, MAP_PRIVATE, 0, 5);
	sweep(8 * PAGE, 60 * PAGE, false);
	touch(3 * PAGE, false);
	map_at(GIB, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
	for (uint64_t i = 0; i < 512; i += 5)
		touch(GIB + i * PAGE, i % 2);
	sweep(GIB, 512 * PAGE, false);
	sweep(GIB, 512 * PAGE, true);
	/* Past the end of the file, up to its last page only. */
	map_at(2 * GIB, 32 * PAGE, PROT_READ, MAP_PRIVATE, 0, FILE_PAGES - 20);
	touch(2 * GIB + 17 * PAGE, false);
	touch(2 * GIB + 15 * PAGE, false);
	map_at(3 * GIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 32);
	sweep(3 * GIB, 16 * PAGE, true);
	map_at(4 * GIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 32);
	sweep(4 * GIB, 64 * PAGE, false);
	sweep(4 * GIB, 64 * PAGE, true);
	unmap_at(0, 8 * GIB);
}

static void
do_populate_and_lock(uint64_t seed)
{
	(void)seed;
	map_at(0, 64 * PAGE, PROT_READ | PROT_WRITE,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, 0, 0);
	sweep(0, 64 * PAGE, true);
	map_at(MIB, 64 * PAGE, PROT_READ,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, 0, 0);
	sweep(MIB, 64 * PAGE, false);
	map_at(2 * MIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
	lock_at(2 * MIB + 5 * PAGE, 20 * PAGE, true);
	sweep(2 * MIB, 64 * PAGE, true);
	map_at(4 * MIB, 64 * PAGE, PROT_READ, MAP_PRIVATE, 0, 0);
	lock_at(4 * MIB + 5 * PAGE, 20 * PAGE, true);
	sweep(4 * MIB, 64 * PAGE, false);
	anon_at(6 * MIB, 64 * PAGE);
	advise_at(6 * MIB, 8 * PAGE, 22 /* MADV_POPULATE_READ */);
	advise_at(6 * MIB + 8 * PAGE, 8 * PAGE, 23 /* MADV_POPULATE_WRITE */);
	kernel_write_at(6 * MIB + 12 * PAGE + 1, 8 * PAGE);
	sweep(6 * MIB, 64 * PAGE, true);
	unmap_at(0, GIB);
}

static void
do_stack_growth(uint64_t seed)
{
	(void)seed;
	anon_at(0, PAGE);
	touch(0, true);
	map_at(8 * MIB, 32 * PAGE, PROT_READ | PROT_WRITE,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, 0, 0);
	for (uint64_t page = 2048 + 31; page >= 257; page -= 3)
		touch(page * PAGE, true);
	unmap_at(0, GIB);
}

#define RANDOM_PAGES 2600 /* of the arena: over five PTE tables */

/* What may be touched: rights by page, 0: no mapping. */
static uint8_t allowed[RANDOM_PAGES];

static bool
all_allowed(uint64_t page, uint64_t pages)
{
	for (uint64_t i = page; i < page + pages; i++)
		if (!allowed[i])
			return false;
	return true;
}

static void
random_map(uint64_t *seed, uint64_t page, uint64_t pages)
{
	int rights = random_below(seed, 4) ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = random_below(seed, 3) ? MAP_PRIVATE : MAP_SHARED;
	uint32_t file = (uint32_t)random_below(seed, 2);

	if (random_below(seed, 2))
		flags |= MAP_ANONYMOUS;
	else if (flags == MAP_SHARED)
		file = 1; /* what is on disk is written back at times */
	if (!(flags & MAP_ANONYMOUS) && pages > FILE_PAGES / 2)
		pages = FILE_PAGES / 2;
	/* It would populate before the advice is heard. */
	if (random_below(seed, 20) == 0 && !shared_log->huge)
		flags |= MAP_POPULATE;
	if (map_at(page * PAGE, pages * PAGE, rights, flags, file,
		   random_below(seed, FILE_PAGES / 2)))
		memset(allowed + page, rights, pages);
}

static void
random_call(uint64_t *seed)
{
	uint64_t page = random_below(seed, RANDOM_PAGES - 1);
	uint64_t pages = random_below(seed, 8) ? random_below(seed, 60) + 1
					       : random_below(seed, 1500) + 1;
	uint64_t to = random_below(seed, RANDOM_PAGES - 64);
	int rights = random_below(seed, 2) ? PROT_READ | PROT_WRITE : PROT_READ;

	if (pages > RANDOM_PAGES - page)
		pages = RANDOM_PAGES - page;
	switch (random_below(seed, 10)) {
	case 0:
	case 1:
	case 2:
		random_map(seed, page, pages);
		return;
	case 3:
		if (unmap_at(page * PAGE, pages * PAGE))
			memset(allowed + page, 0, pages);
		return;
	case 4:
	case 5:
		if (all_allowed(page, pages) &&
		    protect_at(page * PAGE, pages * PAGE, rights))
			memset(allowed + page, rights, pages);
		return;
	case 6:
		if (all_allowed(page, pages))
			advise_at(page * PAGE, pages * PAGE, MADV_DONTNEED);
		return;
	case 7:
		pages = pages > 64 ? 64 : pages;
		if (!all_allowed(page, pages) ||
		    (to < page + pages && page < to + pages) ||
		    !move_at(page * PAGE, pages * PAGE, to * PAGE,
			     pages * PAGE))
			return;
		memcpy(allowed + to, allowed + page, pages);
		memset(allowed + page, 0, pages);
		return;
	case 8:
		if (all_allowed(page, pages))
			advise_at(page * PAGE, pages * PAGE,
				  rights & PROT_WRITE && allowed[page] &&
						  random_below(seed, 2)
					  ? 22
					  : MADV_DONTNEED);
		return;
	default:
		if (all_allowed(page, pages) && random_below(seed, 2))
			lock_at(page * PAGE, pages * PAGE, true);
		lock_at(page * PAGE, pages * PAGE, false);
		return;
	}
}

static void
random_steps(uint64_t *seed, int steps)
{
	for (int i = 0; i < steps; i++) {
		uint64_t page, run;

		if (random_below(seed, 12) == 0)
			random_call(seed);
		page = random_below(seed, RANDOM_PAGES);
		run = random_below(seed, 6) ? 1 : random_below(seed, 40);
		for (; run && page < RANDOM_PAGES; run--, page++)
			if (allowed[page])
				touch(page * PAGE,
				      allowed[page] & PROT_WRITE &&
					      random_below(seed, 2));
	}
}

static void
random_child(uint64_t seed)
{
	random_steps(&seed, 150);
	unmap_at(0, RANDOM_PAGES * PAGE);
}

static void
do_random(uint64_t seed)
{
	memset(allowed, 0, sizeof(allowed));
	for (int round = 0; round < 8; round++) {
		random_steps(&seed, 250);
		if (round % 2)
			fork_and(random_child, random_next(&seed));
	}
	unmap_at(0, RANDOM_PAGES * PAGE);
	assert_in_range(shared_log->n, 1000, STEPS - 2);
}

/*
 * Fault-around leaves a page out that another part of the kernel holds locked
 * at the moment (mm/filemap.c, next_uptodate_folio): seen in 1 of 200,000
 * steps.  So a difference counts only if it comes again.
 */
static bool
agrees_with(void (*act)(uint64_t seed), uint64_t seed, int policy)
{
	for (int tries = 0; tries < 5; tries++) {
		log_reset();
		act(seed);
		if (model_agrees(policy))
			return true;
		print_message("seed %ju, again\n", (uintmax_t)seed);
	}
	return false;
}

static void
test_hand_made_programs(void **state)
{
	static void (*const programs[])(uint64_t seed) = {
		do_demand_zero_stride_and_sparse,
		do_zero_page,
		do_fork,
		do_files,
		do_populate_and_lock,
		do_stack_growth,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		assert_true(agrees_with(programs[i], i, PAGES_RECORDED));
}

static void
huge_child(uint64_t seed)
{
	(void)seed;
	sweep(2 * MIB, 20 * PAGE, false);
	sweep(2 * MIB, 20 * PAGE, true);
	sweep(8 * MIB, 20 * PAGE, true);
	protect_at(4 * MIB, 2 * MIB, PROT_READ);
	unmap_at(0, GIB);
}

static void
do_huge(uint64_t seed)
{
	(void)seed;
	anon_at(MIB, 12 * MIB);
	sweep(MIB, 8 * MIB, true);
	sweep(10 * MIB, 3 * MIB, false);
	sweep(10 * MIB, 3 * MIB, true);
	fork_and(huge_child, 0);
	sweep(MIB, 8 * MIB, true);
	unmap_at(3 * MIB, PAGE);
	protect_at(5 * MIB, MIB, PROT_READ);
	sweep(4 * MIB, 2 * MIB, false);
	advise_at(6 * MIB, 4 * MIB, MADV_DONTNEED);
	sweep(6 * MIB, 4 * MIB, true);
	move_at(8 * MIB, 2 * MIB, 64 * MIB, 2 * MIB);
	move_at(10 * MIB, 2 * MIB, 80 * MIB + PAGE, 2 * MIB);
	sweep(64 * MIB, 2 * MIB, true);
	sweep(80 * MIB + PAGE, 2 * MIB, true);
	unmap_at(0, GIB);
}

/* PAGING_SEEDS=1000 for a long run. */
static void
test_random_programs(void **state)
{
	const char *seeds = getenv("PAGING_SEEDS");
	uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 12;

	(void)state;
	for (uint64_t seed = 1; seed <= n; seed++)
		assert_true(agrees_with(do_random, seed, PAGES_RECORDED));
}

/* The first number after a name in a file; -1: there is none. */
static long
number_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	long number = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			number = strtol(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

/* Memory without a free 2M run falls back to small pages. */
static long
fallbacks(void)
{
	return number_in("/proc/vmstat", "thp_fault_fallback ") +
	       number_in("/proc/vmstat", "thp_zero_page_alloc_failed ");
}

static bool
huge_pages_work(void)
{
	const char *directory = "/sys/kernel/mm/transparent_hugepage/";
	char path[128], line[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%suse_zero_page", directory);
	if (number_in(path, "") != 1)
		return false;
	snprintf(path, sizeof(path), "%senabled", directory);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	return line[0] && !strstr(line, "[never]");
}

static void
test_huge_pages(void **state)
{
	long before = fallbacks();

	(void)state;
	if (!huge_pages_work()) {
		print_message("transparent huge pages are off here\n");
		skip();
	}
	settings_lock_huge_pages(true);
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	shared_log->huge = true;
	for (uint64_t seed = 0; seed < 6; seed++) {
		bool agrees = agrees_with(seed ? do_random : do_huge, seed,
					  PAGES_THP);

		if (!agrees && fallbacks() != before) {
			print_message("memory is too fragmented\n");
			break;
		}
		assert_true(agrees);
	}
	shared_log->huge = false;
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
}

/* Each page written alone: no large folios. */
static int
open_file(void)
{
	static char page[PAGE];
	struct statfs about;
	int fd;

	snprintf(shared_log->path, sizeof(shared_log->path),
		 "./test-paging-kernel-%d.tmp", (int)getpid());
	fd = open(shared_log->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -1;
	unlink(shared_log->path);
	for (int i = 0; i < FILE_PAGES; i++)
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			return -1;
	if (fsync(fd) || fstatfs(fd, &about))
		return -1;
	if (about.f_type == TMPFS_MAGIC_NUMBER)
		snprintf(shared_log->path, sizeof(shared_log->path),
			 "/dev/shm/test");
	return fd;
}

/* Why the kernel's figures cannot be had here, or NULL. */
static const char *
set_up(void)
{
	shared_log = mmap(NULL, sizeof(*shared_log), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (shared_log == MAP_FAILED)
		return "no memory for the log";
	if (pte_bytes_now() < 0)
		return "/proc/self/status has no VmPTE";
	shared_log->disk_fd = open_file();
	shared_log->memory_fd = memfd_create("test", MFD_CLOEXEC);
	shared_log->zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (shared_log->disk_fd < 0 || shared_log->memory_fd < 0 ||
	    shared_log->zero_fd < 0 ||
	    ftruncate(shared_log->memory_fd, FILE_PAGES * PAGE))
		return "no files to map";
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		return "huge pages cannot be switched off";
	return NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hand_made_programs),
		cmocka_unit_test(test_random_programs),
		cmocka_unit_test(test_huge_pages),
	};
	const char *reason = set_up();

	if (reason) {
		printf("skipped: %s\n", reason);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
