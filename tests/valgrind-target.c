// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What test-valgrind records: each mode makes a known number of accesses to
 * the pages at AREA, and to nothing else there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA  ((volatile uint64_t *)0x20000000)
#define PAGES 64
#define PAGE  4096
#define WORDS (PAGE / 8)

static void
area_map(void)
{
	if (mmap((void *)(uintptr_t)AREA, PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(99);
}

static void
stores(unsigned n, unsigned page)
{
	for (unsigned i = 0; i < n; i++)
		AREA[page * WORDS + i % WORDS] = i;
}

static int
plain(void)
{
	uint64_t sum = 0;

	stores(1000, 0);
	for (unsigned i = 0; i < 500; i++)
		sum += AREA[i];
	for (unsigned i = 0; i < 30; i++)
		__asm__ volatile("addq $1, (%0)" : : "r"(AREA) : "memory");
	printf("sum %llu\n", (unsigned long long)sum);
	fprintf(stderr, "done\n");
	return 7;
}

static const char *program; /* the last argument: to be exec'd */

static int
forks(void)
{
	int status;
	pid_t pid;

	stores(10, 1);
	pid = fork();
	if (pid == 0) {
		stores(20, 2);
		execl(program, program, "plain", program, (char *)NULL);
		_exit(98);
	}
	stores(40, 3);
	if (waitpid(pid, &status, 0) != pid)
		return 97;
	stores(5, 4);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 96;
}

static void *
thread_main(void *argument)
{
	for (unsigned i = 0; i < 10; i++) {
		stores(1000, (unsigned)(uintptr_t)argument);
		sched_yield();
	}
	return NULL;
}

static int
threads(void)
{
	pthread_t thread[4];

	for (uintptr_t i = 0; i < 4; i++) {
		if (pthread_create(&thread[i], NULL, thread_main,
				   (void *)(i + 1)))
			return 99;
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

/* movl $i, 0x20000000 + 4 * i; ret: written anew each time, run each time */
static int
jit(void)
{
	unsigned char *code =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const unsigned char make[] = { 0xc7, 0x04, 0x25, 0, 0, 0,
				       0x20, 0,	   0,	 0, 0, 0xc3 };
	void (*run)(void);

	memcpy(&run, &code, sizeof(run));
	for (unsigned i = 0; i < 100; i++) {
		uint32_t at = 0x20000000 + 4 * i;

		memcpy(code, make, sizeof(make));
		memcpy(code + 3, &at, 4);
		memcpy(code + 7, &i, 4);
		run();
	}
	for (unsigned i = 0; i < 100; i++) {
		if (((volatile uint32_t *)AREA)[i] != i)
			return 1;
	}
	return 0;
}

static void
repair(int number, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1);

	(void)number;
	(void)context;
	mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

/*
 * In one superblock each: a store to page 0, a branch not taken or none, a
 * store to page 1, a store that faults (page 2 up), a store to page 1.
 */
static int
faults(void)
{
	struct sigaction action = { .sa_sigaction = repair,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	mprotect((void *)(uintptr_t)(AREA + 2 * WORDS), (PAGES - 2) * PAGE,
		 PROT_NONE);
	for (uintptr_t i = 0; i < 10; i++) {
		__asm__ volatile("movq %0, (%1)\n\t"
				 "movq %0, (%2)\n\t"
				 "movq %0, (%3)\n\t"
				 "movq %0, 8(%2)"
				 :
				 : "r"(i), "r"(AREA), "r"(AREA + WORDS),
				   "r"(AREA + (2 + i) * WORDS)
				 : "memory");
	}
	for (uintptr_t i = 10; i < 20; i++) {
		__asm__ volatile("movq %0, (%1)\n\t"
				 "testq %0, %0\n\t"
				 "jz 1f\n\t"
				 "movq %0, (%2)\n\t"
				 "movq %0, (%3)\n\t"
				 "1: movq %0, 8(%2)"
				 :
				 : "r"(i), "r"(AREA), "r"(AREA + WORDS),
				   "r"(AREA + (2 + i) * WORDS)
				 : "memory");
	}
	return 0;
}

static int
killed(void)
{
	stores(100000, 1);
	kill(getpid(), SIGKILL);
	return 1;
}

static int
aborted(void)
{
	stores(10, 1);
	raise(SIGTERM);
	return 1;
}

/* Ends inside of a superblock. */
static int
crash(void)
{
	__asm__ volatile("movq %0, (%0)\n\t"
			 "movq %0, 8(%0)\n\t"
			 "movq %0, 16(%0)\n\t"
			 "movq %0, (%1)\n\t"
			 "movq %0, 24(%0)"
			 :
			 : "r"(AREA + WORDS), "r"(16L)
			 : "memory");
	return 1;
}

/* Until killed. */
static int
forever(void)
{
	for (;;)
		stores(1000, 1);
	return 1;
}

/* Says when it begins and ends; more than the ring holds in between */
static int
longer(void)
{
	if (write(1, "b", 1) != 1)
		return 1;
	for (unsigned i = 0; i < 100000; i++)
		stores(1000, 1);
	return write(1, "e", 1) == 1 ? 0 : 1;
}

/* What Valgrind can't run */
static int
privileged(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(program, program, (char *)NULL);
		_exit(98);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 97;
	stores(10, 1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 96;
}

static const char *name; /* the first argument */

static int
hidden(void)
{
	if (getenv("LD_PRELOAD") || getenv("VALGRIND_LIB"))
		return 1;
	return strcmp(name, "another-name") == 0 ? 42 : 2;
}

/* Nothing of the recorder is to be seen, here or in what is exec'd. */
static int
seen(void)
{
	if (getenv("LD_PRELOAD") || getenv("VALGRIND_LIB"))
		return 1;
	execl("/proc/self/exe", "another-name", "hidden", program,
	      (char *)NULL);
	return 3;
}

/* One of each, at REGION and nowhere else */
static int
maps(void)
{
	char *region = (char *)(uintptr_t)0x30000000, *top;
	int fd = open(program, O_RDONLY), null = open("/dev/null", O_WRONLY);
	const int rw = PROT_READ | PROT_WRITE;

	mmap(region, 16 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	     0);
	mmap(region + 4 * PAGE, 5000, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
	     PAGE);
	munmap(region + 8 * PAGE, 2 * PAGE);
	mprotect(region, PAGE, PROT_READ | PROT_EXEC);
	mremap(region + 12 * PAGE, 4 * PAGE, 4 * PAGE,
	       MREMAP_MAYMOVE | MREMAP_FIXED, region + 32 * PAGE);
	madvise(region + PAGE, PAGE, MADV_DONTNEED);
	mlock(region + PAGE, 2 * PAGE);
	munlock(region + PAGE, 2 * PAGE);
	if (munmap(region + 1, PAGE) == 0) /* fails, and leaves no event */
		return 1;
	if (read(fd, region + PAGE, 64) != 64 ||
	    write(null, region + PAGE, 32) != 32)
		return 2;
	top = sbrk(0);
	return sbrk(3 * PAGE) == top && sbrk(-3 * PAGE) == top + 3 * PAGE ? 0
									  : 3;
}

static const struct {
	const char *name;
	int (*run)(void);
} modes[] = {
	{ "plain", plain },	{ "forks", forks },
	{ "threads", threads }, { "jit", jit },
	{ "faults", faults },	{ "killed", killed },
	{ "aborted", aborted }, { "forever", forever },
	{ "crash", crash },	{ "seen", seen },
	{ "hidden", hidden },	{ "maps", maps },
	{ "long", longer },	{ "privileged", privileged },
};

int
main(int argc, char **argv)
{
	name = argv[0];
	program = argv[argc - 1];
	area_map();
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (argc > 2 && strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	return 95;
}
