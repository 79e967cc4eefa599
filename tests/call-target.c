// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls that a tracer may not disturb, by name; 7 is success.
 *
 *	calls     once each, with strings and lengths of every kind
 *	registers what a call leaves in rcx, r11 and the flags
 *	restart   calls that signals interrupt
 *	limits    waits that last as long as they are told to
 *	heap      a heap that grows
 *	maps N    memory that comes and goes for N milliseconds
 *	many N    short ones
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096ul
#define OK   7
#define LATE 8 /* it may be the machine */

/* A page, and none behind it */
static char *
last_page(void)
{
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(at + PAGE, PAGE);
	return at;
}

static int
strings(void)
{
	static char longest[5000];
	char *page = last_page(), link[64];
	struct stat about;
	int wrong = 0;

	memset(page, 'x', PAGE);
	memcpy(page + PAGE - 5, "/dev", 5);
	wrong |= stat(page + PAGE - 5, &about);
	wrong |= access(page + PAGE - 5, R_OK);
	page[PAGE - 1] = 'x';
	wrong |= access(page + PAGE - 5, R_OK) != -1 || errno != EFAULT;
	wrong |= syscall(SYS_stat, NULL, &about) != -1 || errno != EFAULT;
	wrong |= syscall(SYS_open, page + PAGE, O_RDONLY) != -1;
	wrong |= syscall(SYS_openat, AT_FDCWD, -1l, O_RDONLY) != -1;
	memset(longest, '/', sizeof(longest) - 1);
	wrong |= access(longest, R_OK) != -1 || errno != ENAMETOOLONG;
	wrong |= readlink("/proc/self/exe", link, sizeof(link)) <= 0;
	wrong |= rename("/nowhere/a", "/nowhere/b") != -1;
	return wrong;
}

static int
sockets(void)
{
	struct sockaddr_storage name;
	socklen_t bytes = sizeof(name);
	char data[32] = "some data";
	struct iovec parts[2] = { { data, 3 }, { data + 8, 5 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	int pair[2], wrong = 0;

	wrong |= socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	wrong |= send(pair[0], data, 9, 0) != 9;
	wrong |= recv(pair[1], data, sizeof(data), 0) != 9;
	wrong |= sendto(pair[0], data, 9, 0, NULL, 0) != 9;
	wrong |= recvfrom(pair[1], data, sizeof(data), 0, (void *)&name,
			  &bytes) != 9;
	wrong |= getsockname(pair[0], (void *)&name, &bytes);
	wrong |= writev(pair[0], parts, 2) != 8;
	wrong |= readv(pair[1], parts, 2) != 8;
	wrong |= sendmsg(pair[0], &message, 0) != 8;
	wrong |= recvmsg(pair[1], &message, 0) != 8;
	wrong |= close(pair[0]) | close(pair[1]);
	return wrong;
}

static int
numbers(void)
{
	static const long unknown[] = { -1, 0x40000001, 1000, 511, 0x10027 };
	int wrong = 0;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		wrong |= syscall(unknown[i], -1, 0, 0) != -1;
	/* The kernel looks at the low half */
	wrong |= syscall(0x500000000 + SYS_getppid) != getppid();
	return wrong;
}

static int
calls(void)
{
	struct utsname about;
	struct timespec now;
	char data[64] = "";
	int file = open("/dev/zero", O_RDWR | O_CLOEXEC), pair[2], wrong = 0;

	wrong |= read(file, data, sizeof(data)) != sizeof(data);
	wrong |= write(file, data, 10) != 10;
	wrong |= lseek(file, 0, SEEK_SET) != 0;
	wrong |= pipe(pair) | close(file);
	wrong |= syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0;
	wrong |= uname(&about) || !getcwd(data, sizeof(data));
	wrong |= syscall(SYS_read, pair[0], 1l, 0) != 0;
	wrong |= write(pair[1], "x", 1) != 1;
	wrong |= syscall(SYS_read, pair[0], 1l, 1) != -1 || errno != EFAULT;
	return wrong || strings() || sockets() || numbers() ? 1 : OK;
}

/* The flags that the test sets: carry, zero, sign, overflow, direction */
#define FLAGS 0xcc1ul

static int
registers(void)
{
	int wrong = 0;

	for (int i = 0; i < 1000; i++) {
		unsigned long set = FLAGS & -(unsigned long)(i & 1), rcx, r11;
		unsigned long next, after, rax = SYS_getppid;
		register unsigned long r8 __asm__("r8") = set;

		__asm__ volatile("pushq %%r8\n\tpopfq\n\t"
				 "movq $-1, %%rcx\n\tmovq $-1, %%r11\n\t"
				 "syscall\n"
				 "1:\tmovq %%rcx, %1\n\tmovq %%r11, %2\n\t"
				 "pushfq\n\tpopq %3\n\tcld\n\t"
				 "leaq 1b(%%rip), %4"
				 : "+a"(rax), "=&r"(rcx), "=&r"(r11),
				   "=&r"(after), "=&r"(next)
				 : "r"(r8)
				 : "rcx", "r11", "memory", "cc");
		wrong |= rcx != next || (r11 & FLAGS) != set ||
			 (after & FLAGS) != set || (long)rax != getppid();
	}
	return wrong ? 1 : OK;
}

static volatile sig_atomic_t ticks, astray;
static volatile sig_atomic_t wake = -1;

static void
tick(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;
	uint64_t rip = (uint64_t)at->uc_mcontext.gregs[REG_RIP];
	uint64_t here = (uintptr_t)tick, library = (uintptr_t)nanosleep;

	(void)number;
	(void)info;
	if (rip - here + (1 << 24) > 1 << 25 &&
	    rip - library + (1 << 24) > 1 << 25)
		astray = 1;
	if (++ticks >= 5 && wake >= 0) {
		if (write(wake, "x", 1) != 1)
			astray = 1;
		wake = -1;
	}
}

static void
every(int us)
{
	const struct itimerval often = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &often, NULL);
}

static void
handle(int flags)
{
	struct sigaction action = { .sa_sigaction = tick,
				    .sa_flags = SA_SIGINFO | flags };

	sigaction(SIGALRM, &action, NULL);
	ticks = 0;
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* What went wrong, said */
static int
fails(const char *what, int wrong)
{
	if (wrong)
		fprintf(stderr, "call-target: %s, %d ticks (%s)\n", what,
			(int)ticks, strerror(errno));
	return wrong;
}

/* A handler without SA_RESTART ends calls */
static int
interrupted(void)
{
	const struct timespec seconds = { 10, 0 };
	struct timespec rest = { 0, 0 };
	struct pollfd none = { -1, 0, 0 };
	int wrong = 0;

	handle(0);
	wrong |= fails("nanosleep and a signal",
		       nanosleep(&seconds, &rest) != -1 || errno != EINTR);
	wrong |= fails("what was left to sleep", rest.tv_sec < 1);
	wrong |= fails("poll and a signal",
		       poll(&none, 1, 10000) != -1 || errno != EINTR);
	wrong |= fails("pause", pause() != -1 || errno != EINTR);
	return wrong;
}

/* One with it does not end a read; nothing ends that one of no handler */
static int
restarted(void)
{
	const struct timespec pause = { 0, 30000000 };
	struct pollfd none = { -1, 0, 0 };
	int pair[2], wrong = 0, word = 0;
	double start;
	char byte;

	if (pipe(pair))
		return 1;
	handle(SA_RESTART);
	/* Not before: ticks of the last handler would count */
	wake = pair[1];
	errno = 0;
	wrong |= fails("a read that is restarted",
		       read(pair[0], &byte, 1) != 1 || ticks < 5);
	/* Nobody catches it, but a tracer sees it */
	every(0);
	signal(SIGALRM, SIG_IGN);
	every(3000);
	start = now();
	wrong |= fails("nanosleep",
		       nanosleep(&pause, NULL) != 0 || now() - start < 30);
	start = now();
	wrong |= fails("poll", poll(&none, 1, 30) != 0 || now() - start < 30);
	start = now();
	return wrong |
	       fails("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &pause,
				      NULL, 0) != -1 ||
				      errno != ETIMEDOUT || now() - start < 30);
}

static int
restart(void)
{
	int wrong;

	handle(0);
	every(3000);
	wrong = interrupted() || restarted();
	return wrong || fails("a handler was called from elsewhere", astray)
		       ? 1
		       : OK;
}

#define WAIT_MS	 60
#define TOO_LONG (20 * WAIT_MS)

/* One of a kind; how long it has taken */
static double
wait_once(int kind, int silent)
{
	const struct timespec limit = { 0, WAIT_MS * 1000000 };
	struct timespec given = limit;
	struct epoll_event event;
	double start = now();
	sigset_t none;
	int wrong = 0;

	sigemptyset(&none);
	if (kind == 0)
		wrong = epoll_wait(silent, &event, 1, WAIT_MS);
	else if (kind == 1)
		wrong = epoll_pwait(silent, &event, 1, WAIT_MS, &none);
	else if (kind == 2)
		wrong = sigtimedwait(&none, NULL, &given) != -1 ||
			errno != EAGAIN;
	else
		wrong = poll(NULL, 0, WAIT_MS);
	fails("the result of a wait", wrong);
	fails("what it was given", memcmp(&given, &limit, sizeof(limit)));
	return wrong ? 0 : now() - start;
}

static int
limits(void)
{
	double longest = 0;
	int wrong = 0, silent = epoll_create1(0);

	for (int i = 0; i < 12 && !wrong; i++) {
		double took = wait_once(i % 4, silent);

		wrong |= fails("a wait was too short", took < WAIT_MS - 2);
		longest = took > longest ? took : longest;
	}
	if (longest < TOO_LONG)
		return wrong ? 1 : OK;
	fprintf(stderr, "call-target: a wait of %d ms took %.0f\n", WAIT_MS,
		longest);
	return LATE;
}

/* Nothing may stand where the heap is going to be */
static int
heap(void)
{
	return sbrk(500 << 20) == (void *)-1 ? 1 : OK;
}

/* Memory that comes and goes, for milliseconds */
static int
maps(long ms)
{
	double end = now() + (double)ms;
	int wrong = 0;

	while (now() < end)
		for (unsigned long pages = 1; pages < 40; pages++) {
			volatile char *at =
				mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (unsigned long i = 0; i < pages; i++)
				at[i * PAGE] = 1;
			wrong |= munmap((void *)(uintptr_t)at, pages * PAGE);
		}
	return wrong ? 1 : OK;
}

static int
many(long n)
{
	int parent = getppid(), wrong = 0;

	for (long i = 0; i < n; i++)
		wrong |= getppid() != parent;
	return wrong ? 1 : OK;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "calls"))
		return calls();
	if (!strcmp(what, "registers"))
		return registers();
	if (!strcmp(what, "restart"))
		return restart();
	if (!strcmp(what, "limits"))
		return limits();
	if (!strcmp(what, "heap"))
		return heap();
	if (!strcmp(what, "maps") && argc > 2)
		return maps(strtol(argv[2], NULL, 10));
	if (!strcmp(what, "many") && argc > 2)
		return many(strtol(argv[2], NULL, 10));
	return 2;
}
