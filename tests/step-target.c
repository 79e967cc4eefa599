// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the step engine and the fault engine watch in tests: programs by name,
 * whose output must be the same watched and not.
 *
 *	maps DIR    changes its mappings and writes them to DIR/0, DIR/1 ...,
 *	            each followed by madvise of 0 bytes at MAPS_MARK times (number + 1)
 *	touch N     writes to N fresh pages
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	  4096ul
#define MAPS_MARK 0x1000ul

static volatile sig_atomic_t caught[65];

static void catch (int number)
{
	caught[number]++;
}

static void
handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(number, &action, NULL);
}

/* SIGTRAP in all the ways that stepping could spoil */
static void
trap(void)
{
	struct sigaction old;
	sigset_t set, pending;

	handle(SIGTRAP, catch, 0);
	__asm__ volatile("int3");
	raise(SIGTRAP);
	printf("trap %d\n", caught[SIGTRAP]);
	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTRAP);
	sigpending(&pending);
	printf("blocked %d pending %d\n", caught[SIGTRAP],
	       sigismember(&pending, SIGTRAP));
	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("still blocked %d\n", sigismember(&set, SIGTRAP));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	printf("unblocked %d\n", caught[SIGTRAP]);
	handle(SIGTRAP, SIG_IGN, 0);
	raise(SIGTRAP);
	sigaction(SIGTRAP, NULL, &old);
	printf("ignored %d %d\n", caught[SIGTRAP], old.sa_handler == SIG_IGN);
	handle(SIGTRAP, catch, 0);
	raise(SIGTRAP);
	printf("again %d\n", caught[SIGTRAP]);
}

static volatile char *volatile guarded;

static void
unguard(int number)
{
	caught[number]++;
	mprotect((void *)(unsigned long)guarded, PAGE, PROT_READ | PROT_WRITE);
}

static unsigned long
flags_seen(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; pop %0; push %0; popfq" : "=r"(flags));
	return flags & 0x100;
}

static void
signals(void)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
	char byte, *stack = malloc(65536);
	stack_t alternate = { .ss_sp = stack, .ss_size = 65536 };
	int ends[2];
	ssize_t got;

	handle(SIGUSR1, catch, 0);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	printf("usr1 %d\n", caught[SIGUSR1]);
	sigaltstack(&alternate, NULL);
	handle(SIGSEGV, unguard, SA_ONSTACK);
	guarded =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	guarded[5] = 7;
	printf("segv %d %d\n", caught[SIGSEGV], guarded[5]);
	/* Interrupts a call, with and without restart */
	if (pipe(ends))
		exit(1);
	handle(SIGALRM, catch, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	got = read(ends[0], &byte, 1);
	printf("interrupted %d\n", got < 0 && caught[SIGALRM] == 1);
	handle(SIGALRM, catch, SA_RESTART);
	setitimer(ITIMER_REAL, &soon, NULL);
	if (!fork()) {
		usleep(100000);
		got = write(ends[1], "x", 1);
		_exit(got != 1);
	}
	got = read(ends[0], &byte, 1);
	printf("restarted %zd %d\n", got, caught[SIGALRM]);
	/* Ignored ones must not disturb a call, nor an instruction */
	signal(SIGUSR2, SIG_IGN);
	raise(SIGUSR2);
	wait(NULL);
	printf("trap flag %lu\n", flags_seen());
	fflush(stdout);
	raise(SIGTERM);
}

static void *
count(void *counter)
{
	for (int i = 0; i < 100; i++)
		__atomic_fetch_add((int *)counter, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void
processes(char *self)
{
	pthread_t thread[3];
	int status, counter = 0;
	cpu_set_t cores;
	char name[] = "leaf";
	char *argv[] = { self, name, NULL };

	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, count, &counter);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	printf("threads %d\n", counter);
	sched_getaffinity(0, sizeof(cores), &cores);
	printf("cores %d\n", CPU_COUNT(&cores));
	fflush(stdout);
	if (!fork())
		_exit(11);
	wait(&status);
	printf("fork %d\n", WEXITSTATUS(status));
	fflush(stdout);
	if (!vfork()) {
		execv(self, argv);
		_exit(1);
	}
	wait(&status);
	printf("vfork %d\n", WEXITSTATUS(status));
	fflush(stdout);
	execv(self, argv);
}

static const char *maps_directory;
static int maps_number;

/* Changes no mapping by itself */
static void
write_maps(void)
{
	static char name[4096], text[65536];
	int from = open("/proc/self/maps", O_RDONLY), to;
	ssize_t n;

	snprintf(name, sizeof(name), "%s/%d", maps_directory, maps_number);
	to = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while ((n = read(from, text, sizeof(text))) > 0)
		if (write(to, text, (size_t)n) != n)
			exit(1);
	close(to);
	close(from);
	madvise((void *)(MAPS_MARK * ++maps_number), 0, MADV_NORMAL);
}

static void
maps(char *self)
{
	const int private = MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = open(self, O_RDONLY), segment;
	char *a, *b, *c;

	write_maps();
	a = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, private, -1, 0);
	write_maps();
	munmap(a + 4 * PAGE, PAGE + 1);
	write_maps();
	mprotect(a + PAGE, 2 * PAGE, PROT_READ | PROT_EXEC);
	write_maps();
	b = mmap(NULL, 5000, PROT_READ, MAP_PRIVATE, fd, PAGE);
	write_maps();
	mmap(a + 2 * PAGE, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	write_maps();
	c = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	write_maps();
	c = mremap(c, 4 * PAGE, 2 * PAGE, 0);
	write_maps();
	c = mremap(c, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	write_maps();
	b = mremap(b, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   c + 1024 * PAGE);
	write_maps();
	if (sbrk(100 * PAGE + 123) == (void *)-1)
		exit(1);
	write_maps();
	sbrk(-50 * (long)PAGE);
	write_maps();
	segment = shmget(IPC_PRIVATE, 5 * PAGE, IPC_CREAT | 0600);
	if (segment >= 0) {
		c = shmat(segment, NULL, 0);
		shmctl(segment, IPC_RMID, NULL);
		write_maps();
		shmdt(c);
		write_maps();
	}
	/* What fails changes nothing */
	mmap(NULL, 0, PROT_READ, private, -1, 0);
	munmap((void *)1, PAGE);
	mprotect((void *)1, PAGE, PROT_READ);
	write_maps();
	mlock(a, PAGE);
	madvise(a, PAGE, MADV_DONTNEED);
	write_maps();
}

static void
touch(size_t n)
{
	struct rusage before, after;
	char *at = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(at, n * PAGE, MADV_NOHUGEPAGE);
	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < n; i++)
		at[i * PAGE] = 1;
	getrusage(RUSAGE_SELF, &after);
	printf("%p %ld %ld\n", (void *)at, after.ru_minflt - before.ru_minflt,
	       after.ru_minflt + after.ru_majflt);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "trap"))
		trap();
	else if (!strcmp(what, "signals"))
		signals();
	else if (!strcmp(what, "processes"))
		processes(argv[0]);
	else if (!strcmp(what, "leaf"))
		return 13;
	else if (!strcmp(what, "touch") && argc > 2)
		touch(strtoul(argv[2], NULL, 10));
	else if (!strcmp(what, "maps") && argc > 2) {
		maps_directory = argv[2];
		maps(argv[0]);
	} else {
		return 2;
	}
	return 0;
}
