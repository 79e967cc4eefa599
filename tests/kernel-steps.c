// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All is done in an arena of its own 512 GiB, so that VmPTE's change is the
 * arena's; its huge pages are the only ones of the process.
 */
#include "tests/kernel-steps.h"

#include "analyzer/host.h"
#include "models/tables/tables.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SPACES 64
#define STEPS  STEPS_MOST

#define TMPFS_MAGIC_NUMBER 0x01021994

enum step_type {
	STEP_EVENT, /* done by the kernel and followed by the model */
	STEP_TOUCH,
	STEP_BEGIN, /* of a process: its VmPTE so far is not the arena's */
	STEP_TIME,
};

struct act {
	uint8_t type, space, write;
	struct event event;
	/* noted: of this step; after it (-1: not) */
	int64_t faults, pte_bytes, huge_bytes;
	int64_t pool_free, pool_reserved;
};

struct log {
	size_t n;
	struct act step[STEPS];
	uint8_t space;	/* who is running */
	uint8_t spaces; /* so far */
	uint8_t ready;	/* a forked child is */
	char path[256]; /* of the file on disk; "": none */
	int file[2];	/* on disk, in memory */
	int zeros;	/* /dev/zero */
	bool pool;	/* hugetlb's is noted */
	bool small;	/* THPs are not */
	char text[8192];
};

static struct log *shared_log;

static int64_t
faults_now(void)
{
	static struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

int64_t
majors_now(void)
{
	static struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_majflt;
}

/* Of a file of /proc/self, in kB. */
static int64_t
bytes_of(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, shared_log->text, sizeof(shared_log->text) - 1);
	const char *line;

	close(fd);
	shared_log->text[n > 0 ? n : 0] = '\0';
	line = strstr(shared_log->text, name);
	return line ? strtol(line + strlen(name), NULL, 10) * 1024 : -1;
}

static int64_t
pte_bytes_now(void)
{
	return bytes_of("/proc/self/status", "VmPTE:");
}

int64_t
huge_bytes_now(void)
{
	return bytes_of("/proc/self/smaps_rollup", "AnonHugePages:");
}

static struct act *
step_new(enum step_type type)
{
	struct act *step = &shared_log->step[shared_log->n];

	if (shared_log->n + 1 < STEPS)
		shared_log->n++;
	*step = (struct act){ .type = (uint8_t)type,
			      .space = shared_log->space,
			      .pte_bytes = -1,
			      .huge_bytes = -1,
			      .pool_free = -1,
			      .pool_reserved = -1,
			      .event.file = UINT32_MAX };
	return step;
}

static int64_t
pool_now(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, shared_log->text, sizeof(shared_log->text) - 1);

	close(fd);
	shared_log->text[n > 0 ? n : 0] = '\0';
	return strtol(shared_log->text, NULL, 10);
}

static void
note_pool_in(struct act *step)
{
	if (!shared_log->pool)
		return;
	step->pool_free = pool_now(STEPS_POOL "free_hugepages");
	step->pool_reserved = pool_now(STEPS_POOL "resv_hugepages");
}

void
note_pool(bool noted)
{
	shared_log->pool = noted;
}

void
note_huge(bool noted)
{
	shared_log->small = !noted;
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
	step->huge_bytes = shared_log->small ? -1 : huge_bytes_now();
	note_pool_in(step);
	step->event.type = (uint8_t)type;
	step->event.address = (uint64_t)(uintptr_t)address;
	step->event.length = length;
	return &step->event;
}

static void
begin(void)
{
	step_new(STEP_BEGIN)->pte_bytes = pte_bytes_now();
}

void
time_at(uint64_t time_ns)
{
	struct act *step = step_new(STEP_TIME);

	step->event.time_ns = time_ns;
	step->pte_bytes = pte_bytes_now();
	step->huge_bytes = shared_log->small ? -1 : huge_bytes_now();
}

static void *
at(uint64_t offset)
{
	return (void *)(uintptr_t)(ARENA + offset);
}

/* Not instrumented: a sanitizer's own memory would fault, too. */
__attribute__((no_sanitize("address", "undefined", "thread"))) void
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
	step->write = write;
	step->event.address = ARENA + offset;
}

void
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
			  (flags & MAP_HUGETLB ? MAP_FLAG_HUGETLB : 0) |
			  (flags & MAP_NORESERVE ? MAP_FLAG_NORESERVE : 0) |
			  (flags & MAP_GROWSDOWN ? MAP_FLAG_STACK : 0) |
			  (flags & MAP_POPULATE ? MAP_FLAG_POPULATE : 0));
}

bool
map_at(uint64_t offset, uint64_t length, int rights, int flags)
{
	int64_t before = faults_now();

	if (mmap(at(offset), length, rights, flags | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		return false;
	log_event(EVENT_MAP, at(offset), length, before)->flags =
		(uint16_t)flags_of(rights, flags);
	return true;
}

bool
file_at(uint64_t offset, uint64_t length, int rights, int flags, uint32_t file,
	uint64_t page)
{
	int64_t before = faults_now();
	struct event *event;

	if (mmap(at(offset), length, rights, flags | MAP_FIXED,
		 shared_log->file[file], (off_t)(page * PAGE)) == MAP_FAILED)
		return false;
	event = log_event(EVENT_MAP, at(offset), length, before);
	event->flags = (uint16_t)(flags_of(rights, flags) | MAP_FLAG_FILE);
	event->file = file;
	event->offset = page * PAGE;
	return true;
}

bool
anon_at(uint64_t offset, uint64_t length)
{
	return map_at(offset, length, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

bool
unmap_at(uint64_t offset, uint64_t length)
{
	int64_t before = faults_now();

	if (munmap(at(offset), length))
		return false;
	log_event(EVENT_UNMAP, at(offset), length, before);
	return true;
}

bool
protect_at(uint64_t offset, uint64_t length, int rights)
{
	int64_t before = faults_now();

	if (mprotect(at(offset), length, rights))
		return false;
	log_event(EVENT_PROTECT, at(offset), length, before)->flags =
		(uint16_t)flags_of(rights, 0);
	return true;
}

bool
advise_at(uint64_t offset, uint64_t length, int advice)
{
	int64_t before = faults_now();

	if (madvise(at(offset), length, advice))
		return false;
	log_event(EVENT_ADVISE, at(offset), length, before)->value =
		(uint64_t)advice;
	return true;
}

bool
lock_at(uint64_t offset, uint64_t length, bool lock)
{
	int64_t before = faults_now();

	/* Sanitizers make mlock do nothing. */
	if (syscall(lock ? SYS_mlock : SYS_munlock, at(offset), length))
		return false;
	log_event(EVENT_LOCK, at(offset), length, before)->flags = !lock;
	return true;
}

bool
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

bool
kernel_write_at(uint64_t offset, uint64_t length)
{
	int64_t before = faults_now();

	if (read(shared_log->zeros, at(offset), length) != (ssize_t)length)
		return false;
	log_event(EVENT_KERNEL_WRITE, at(offset), length, before);
	return true;
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
		kernel_write_at(far + 2 * PAGE, PAGE);
		unmap_at(far, 64 * PAGE);
		time_at(0);
		(void)majors_now();
		begin();
	}
	/* The log's own pages, so that writing it takes no fault. */
	for (size_t i = n; i < STEPS; i += PAGE / sizeof(struct act))
		*(volatile uint8_t *)&shared_log->step[i].type = 0;
	for (size_t i = 0; i < sizeof(shared_log->text); i += PAGE)
		*(volatile char *)&shared_log->text[i] = 0;
	shared_log->n = n;
}

void
fork_and(void (*child)(uint64_t seed), uint64_t seed)
{
	uint8_t parent = shared_log->space, number = ++shared_log->spaces;
	struct act *step = step_new(STEP_EVENT);
	pid_t pid;

	step->event.type = EVENT_FORK;
	step->event.value = number;
	pid = fork();
	if (pid == 0) {
		shared_log->space = number;
		warm_up();
		begin();
		child(seed);
		step = step_new(STEP_EVENT);
		step->event.type = EVENT_EXIT;
		step->event.flags = 1;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	shared_log->space = parent;
	/* The parent's own pages were made read-only: once through all. */
	warm_up();
	begin();
}

uint8_t
fork_beside(void)
{
	uint8_t parent = shared_log->space, number = ++shared_log->spaces;
	struct act *step = step_new(STEP_EVENT);
	pid_t pid;

	step->event.type = EVENT_FORK;
	step->event.value = number;
	shared_log->ready = 0;
	pid = fork();
	if (!pid)
		shared_log->space = number;
	while (pid && !__atomic_load_n(&shared_log->ready, __ATOMIC_ACQUIRE))
		usleep(100);
	shared_log->space = pid ? parent : number;
	warm_up();
	begin();
	if (!pid)
		__atomic_store_n(&shared_log->ready, 1, __ATOMIC_RELEASE);
	return pid ? 0 : number;
}

void
steps_turn(uint8_t space)
{
	shared_log->space = space;
}

void
exit_beside(void)
{
	struct act *step = step_new(STEP_EVENT);

	step->event.type = EVENT_EXIT;
	step->event.flags = 1;
	_exit(0);
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
model_open(struct model *model, const struct paging_config *wanted)
{
	static const struct frames_config frames;
	static const struct tables_config tables = { .own.radix.levels = 4 };
	static const struct table_with with = { .config = &tables,
						.kinds = &tables.own };
	struct paging_config config = *wanted;
	uint32_t number;

	config.fault_around_bytes = 65536;
	config.zero_page = host_has_zero_page() ? ZERO_PAGE_YES : ZERO_PAGE_NO;
	*model = (struct model){ 0 };
	assert_int_equal(stream_open(&model->stream), 0);
	assert_int_equal(batch_init(&model->batch), 0);
	for (uint32_t i = 0; i < SPACES; i++) {
		stream_thread_add(model->stream, &(struct thread){ i, i },
				  &number);
		stream_space_add(model->stream, &(struct space){ .pid = i },
				 &number);
	}
	if (shared_log->path[0]) {
		const uint64_t bytes = STEPS_FILE_PAGES * PAGE;
		const struct file disk = { shared_log->path, "", 1, bytes, 0 };
		const struct file memory = { "/memfd:steps", "", 2, bytes, 0 };

		stream_file_add(model->stream, &disk, &number);
		stream_file_add(model->stream, &memory, &number);
	}
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
	paging_touch(model->paging, step->space, step->event.address);
}

/* A call's first page and pages, flags, value. */
static void
print_act(size_t i)
{
	const struct act *act = &shared_log->step[i];
	const struct event *event = &act->event;

	print_message("%zu: %s %s, space %u, page %jd + %ju, flags %#x, value "
		      "%#jx%s\n",
		      i, act->type == STEP_TOUCH ? "touch" : "event",
		      act->type == STEP_TOUCH ? "" : event_name(event->type),
		      act->space,
		      (intmax_t)(event->address - ARENA) / (intmax_t)PAGE,
		      (uintmax_t)((event->length + PAGE - 1) / PAGE),
		      event->flags,
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
	/* pages on both sides */
	uint64_t history = getenv("HUGE_HISTORY") ? 512 : 16;

	for (size_t i = last > 4000 ? last - 4000 : 0; i <= last; i++) {
		const struct act *act = &shared_log->step[i];
		uint64_t first = act->event.address / PAGE;
		uint64_t end = (act->event.address + act->event.length) / PAGE;
		bool moves = act->event.type == EVENT_REMAP;
		bool near =
			act->type == STEP_TOUCH
				? first / 512 == page / 512 &&
					  first - page + history < 2 * history
				: first / 512 <= page / 512 &&
					  page / 512 <= (end - 1) / 512;

		if (act->type == STEP_BEGIN || act->type == STEP_TIME ||
		    (act->space != bad->space && act->type == STEP_TOUCH))
			continue;
		if (near || act->event.type == EVENT_FORK || moves ||
		    (getenv("HUGE_HISTORY") && last - i < 30))
			print_act(i);
	}
}

struct said {
	int64_t faults, pte_bytes, huge_bytes, pool_free, pool_reserved;
};

static void
print_step(size_t i, const struct act *act, const struct said *said)
{
	print_history(i);
	if (act->pool_free >= 0)
		print_message(
			"kernel: pool %jd, %jd reserved; model: %jd, %jd\n",
			(intmax_t)act->pool_free, (intmax_t)act->pool_reserved,
			(intmax_t)said->pool_free,
			(intmax_t)said->pool_reserved);
	print_message(
		"step %zu, space %u: kernel: %jd faults, tables %jd, huge %jd; model: %jd, "
		"%jd, %jd\n",
		i, act->space, (intmax_t)act->faults, (intmax_t)act->pte_bytes,
		(intmax_t)act->huge_bytes, (intmax_t)said->faults,
		(intmax_t)said->pte_bytes, (intmax_t)said->huge_bytes);
}

static struct said
model_step(struct model *model, const struct act *step)
{
	uint64_t before = model->faults;
	struct paging_memory memory;
	struct said said;

	model->batch.space = model->batch.thread = step->space;
	if (step->type == STEP_TOUCH)
		model_touch(model, step);
	else if (step->type == STEP_EVENT)
		assert_int_equal(paging_event(model->paging, &model->batch,
					      &step->event, 0),
				 0);
	else if (step->type == STEP_TIME)
		assert_int_equal(paging_time(model->paging, step->event.time_ns,
					     0),
				 0);
	said.pte_bytes =
		(int64_t)paging_table_bytes(model->paging, step->space);
	if (step->type == STEP_BEGIN)
		model->base[step->space] = step->pte_bytes - said.pte_bytes;
	said.pte_bytes += model->base[step->space];
	model->faults =
		paging_minor(model->paging, true) + paging_major(model->paging);
	said.faults = (int64_t)(model->faults - before);
	said.huge_bytes = -1;
	if (step->huge_bytes >= 0) {
		paging_memory(model->paging, step->space, &memory);
		said.huge_bytes = (int64_t)memory.huge_bytes;
	}
	said.pool_free = said.pool_reserved = -1;
	if (step->pool_free >= 0) {
		uint64_t free_pages, reserved;

		paging_hugetlb(model->paging, HUGETLB_2M, &free_pages,
			       &reserved);
		said.pool_free = (int64_t)free_pages;
		said.pool_reserved = (int64_t)reserved;
	}
	return said;
}

bool
steps_agree(const struct paging_config *config)
{
	struct model model;
	bool agrees = true;

	model_open(&model, config);
	for (size_t i = 0; i < shared_log->n && agrees; i++) {
		const struct act *step = &shared_log->step[i];
		struct said said = model_step(&model, step);

		agrees = said.faults == step->faults &&
			 (step->pte_bytes < 0 ||
			  said.pte_bytes == step->pte_bytes) &&
			 said.huge_bytes == step->huge_bytes &&
			 said.pool_free == step->pool_free &&
			 said.pool_reserved == step->pool_reserved;
		if (!agrees)
			print_step(i, step, &said);
	}
	model_close(&model);
	return agrees;
}

size_t
steps_count(void)
{
	return shared_log->n;
}

void
steps_reset(void)
{
	munmap(at(0), 64 * GIB);
	/* Memory of its own, without the pages of the test before. */
	if (shared_log->path[0] &&
	    (ftruncate(shared_log->file[1], 0) ||
	     ftruncate(shared_log->file[1], STEPS_FILE_PAGES * PAGE)))
		fail_msg("no memory for a file");
	shared_log->n = 0;
	shared_log->space = shared_log->spaces = 0;
	warm_up();
	begin();
}

const char *
steps_open(void)
{
	shared_log = mmap(NULL, sizeof(*shared_log), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (shared_log == MAP_FAILED)
		return "no memory for the log";
	shared_log->zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (shared_log->zeros < 0)
		return "no /dev/zero";
	if (pte_bytes_now() < 0)
		return "/proc/self/status has no VmPTE";
	if (huge_bytes_now() < 0)
		return "/proc/self/smaps_rollup has no AnonHugePages";
	return NULL;
}

/* Each page written alone: no large folios. */
const char *
steps_files(void)
{
	static char page[PAGE];
	struct statfs about;
	int fd;

	snprintf(shared_log->path, sizeof(shared_log->path),
		 "./kernel-steps-%d.tmp", (int)getpid());
	fd = open(shared_log->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return "no file to map";
	unlink(shared_log->path);
	for (int i = 0; i < STEPS_FILE_PAGES; i++)
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			return "no room for a file to map";
	if (!fstatfs(fd, &about) && about.f_type == TMPFS_MAGIC_NUMBER)
		snprintf(shared_log->path, sizeof(shared_log->path),
			 "/dev/shm/steps");
	shared_log->file[0] = fd;
	shared_log->file[1] = memfd_create("steps", MFD_CLOEXEC);
	return fsync(fd) || shared_log->file[1] < 0 ||
			       ftruncate(shared_log->file[1],
					 STEPS_FILE_PAGES * PAGE)
		       ? "no files to map"
		       : NULL;
}
