// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small programs whose page faults the kernel counts and the model predicts:
 *
 *	fault-programs NAME PAGES [quiet]
 *
 * touches so many pages in the way of NAME and prints "FAULTS BYTES": its
 * minor faults (getrusage) and the growth of its page tables (VmPTE) meanwhile.
 * tests/kernel-faults.sh records it, with PAGES and with 0 and quiet, for
 * printing a longer number may touch one more page of the C library: the
 * difference is free of all that start-up does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096UL
#define PLACE ((char *)0x100000000000)
#define MIB   (1UL << 20)
#define GIB   (1UL << 30)

static char text[8192];
static struct rusage usage;

/* Shared with a child that counts for itself. */
static struct count {
	long faults, table_kib;
} * count;

static long
table_kib(void)
{
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *line;

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "VmPTE:");
	return line ? strtol(line + 6, NULL, 10) : 0;
}

static long
faults(void)
{
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void
start(void)
{
	count->table_kib = table_kib();
	count->faults = faults();
}

static void
stop(void)
{
	count->faults = faults() - count->faults;
	count->table_kib = table_kib() - count->table_kib;
}

static volatile char *
memory(unsigned long bytes)
{
	return mmap(PLACE, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		    0);
}

static void
write_pages(volatile char *p, unsigned long pages, unsigned long stride)
{
	for (unsigned long i = 0; i < pages; i++)
		p[i * stride] = 1;
}

static void
read_pages(volatile char *p, unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++)
		(void)p[i * PAGE];
}

static void
demand(unsigned long pages)
{
	volatile char *p = memory(64 * MIB);

	start();
	write_pages(p, pages, PAGE);
	stop();
}

static void
stride(unsigned long pages)
{
	volatile char *p = memory(4 * GIB);

	start();
	write_pages(p, pages, 37 * PAGE + 64);
	stop();
}

static void
sparse(unsigned long pages)
{
	volatile char *p = memory(2048 * GIB);

	start();
	write_pages(p, pages, GIB);
	stop();
}

static void
zero(unsigned long pages)
{
	volatile char *p = memory(64 * MIB);

	start();
	read_pages(p, pages);
	write_pages(p, pages / 2, PAGE);
	stop();
}

static void
dontneed(unsigned long pages)
{
	volatile char *p = memory(64 * MIB);

	start();
	write_pages(p, pages, PAGE);
	if (pages)
		madvise((void *)(uintptr_t)p, pages * PAGE, MADV_DONTNEED);
	write_pages(p, pages / 4, PAGE);
	stop();
}

static void
protect(unsigned long pages)
{
	volatile char *p = memory(64 * MIB);

	start();
	write_pages(p, pages, PAGE);
	mprotect((void *)(uintptr_t)p, 32 * MIB, PROT_READ);
	read_pages(p, pages);
	mprotect((void *)(uintptr_t)p, 32 * MIB, PROT_READ | PROT_WRITE);
	write_pages(p, pages, PAGE);
	stop();
}

static void
locked(unsigned long pages)
{
	volatile char *p = memory(64 * MIB);

	start();
	if (pages && mlock((void *)(uintptr_t)p, pages * PAGE))
		exit(77);
	write_pages(p, pages, PAGE);
	stop();
}

/* The child writes half; then, alone again, the parent writes all: both count. */
static void
copied(unsigned long pages)
{
	volatile char *p = memory(64 * MIB);
	long child_faults;
	pid_t pid;

	write_pages(p, 4096, PAGE);
	pid = fork();
	if (pid == 0) {
		start();
		stop();
		start();
		write_pages(p, pages / 2, PAGE);
		stop();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	child_faults = count->faults;
	/* Once without counting, for the pages of its own that fork shared. */
	start();
	stop();
	start();
	write_pages(p, pages, PAGE);
	stop();
	count->faults += child_faults;
}

static void
grown(unsigned long pages)
{
	volatile char *p = memory(MIB);
	volatile char *q;

	write_pages(p, 16, PAGE);
	start();
	q = mremap((void *)(uintptr_t)p, MIB, 64 * MIB, MREMAP_MAYMOVE);
	write_pages(q, pages, PAGE);
	stop();
}

/*
 * A file that is not in the page cache is mapped, then half of it is read, by
 * read and by pread; and all is touched: the faults that had to read.
 */
static void
filled(unsigned long pages)
{
	char name[] = "fault-programs.XXXXXX";
	int fd = mkstemp(name);
	volatile char *p;
	long before;

	for (unsigned long i = 0; i < pages; i++)
		if (write(fd, text, PAGE) != (ssize_t)PAGE)
			return;
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	p = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (!pages || p == MAP_FAILED)
		return;
	madvise((void *)(uintptr_t)p, pages * PAGE, MADV_RANDOM);
	lseek(fd, 0, SEEK_SET);
	for (unsigned long i = 0; i < pages; i++)
		if (i % 4 == 0 ? pread(fd, text, PAGE, (off_t)(i * PAGE)) < 0
			       : i % 4 == 1 && (lseek(fd, (off_t)(i * PAGE),
						      SEEK_SET) < 0 ||
						read(fd, text, PAGE) < 0))
			return;
	getrusage(RUSAGE_SELF, &usage);
	before = usage.ru_majflt;
	read_pages(p, pages);
	getrusage(RUSAGE_SELF, &usage);
	count->faults = usage.ru_majflt - before;
	unlink(name);
}

static const struct {
	const char *name;
	void (*run)(unsigned long pages);
} programs[] = {
	{ "demand", demand }, { "stride", stride },	{ "sparse", sparse },
	{ "zero", zero },     { "dontneed", dontneed }, { "protect", protect },
	{ "locked", locked }, { "copied", copied },	{ "grown", grown },
	{ "filled", filled },
};

int
main(int argc, char **argv)
{
	unsigned long pages = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (argc < 3 || count == MAP_FAILED)
		return 2;
	/* So that code and data of the counting itself are there. */
	start();
	stop();
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		if (strcmp(programs[i].name, argv[1]))
			continue;
		programs[i].run(pages);
		if (argc == 3)
			printf("%ld %ld\n", count->faults,
			       count->table_kib * 1024);
		return 0;
	}
	return 2;
}
