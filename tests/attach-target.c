// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process to be attached to, which checks itself: nothing it does may come
 * out otherwise because somebody looks.  Ends well (7) when its standard input
 * ends, or says what went wrong (1).
 *
 *	attach-target MODE N
 *
 *	work     N threads: sums, register files, timers with siglongjmp out of
 *	         the handler, waits of each kind that must not end early, a
 *	         token passed by futex and by pipe
 *	stopped  the same, and it may be stopped meanwhile
 *	parked   N threads that wait for ever, signals blocked or ignored
 *	breed    threads that begin and end all the time, N at once
 *	forks    processes that fork, vfork and exec, N at once
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OK 7

static volatile int over;
/* SIGCONT ends epoll_wait with EINTR, whoever looks (signal(7)) */
static int may_be_stopped;
static volatile unsigned long rounds[256];

static void
wrong(const char *what)
{
	fprintf(stderr, "attach-target: %s (errno %d)\n", what, errno);
	_exit(1);
}

static void
check(int good, const char *what)
{
	if (!good)
		wrong(what);
}

/* Tables whose sum is known after each round */
static void
sums(volatile unsigned long *round)
{
	static __thread volatile unsigned counts[256];
	static __thread unsigned long x = 1;
	unsigned long total = 0;

	for (int i = 0; i < 500; i++) {
		x = x * 6364136223846793005ul + 1442695040888963407ul;
		counts[x >> 56]++;
	}
	for (int i = 0; i < 256; i++)
		total += counts[i];
	check(total == ++*round * 500ul, "a sum");
}

static void *
sum_thread(void *round)
{
	while (!over)
		sums(round);
	return NULL;
}

struct file {
	unsigned char vector[16][64];
	uint64_t general[8], flags;
	long double x87;
	uint32_t mxcsr;
};

/* Long enough in one loop to be stopped in it: what goes in must come out */
static void
hold_registers(const struct file *in, struct file *out, int vectors)
{
	uint64_t n = 20000;

	__asm__ volatile("fldt %0\n\tldmxcsr %1"
			 :
			 : "m"(in->x87), "m"(in->mxcsr)
			 : "st");
#define EACH(m, op) \
	m(op, 0) m(op, 1) m(op, 2) m(op, 3) m(op, 4) m(op, 5) m(op, 6) m(op, 7)
#define LOAD(op, i)  op " " #i "*64(%1), %%" REG #i "\n\t"
#define STORE(op, i) op " %%" REG #i ", " #i "*64(%2)\n\t"
#define BODY(op)                                                                \
	__asm__ volatile(                                                       \
		EACH(LOAD,                                                      \
		     op) "mov 1024(%1), %%r8\n\tmov 1032(%1), %%r9\n\t"         \
			 "mov 1040(%1), %%r10\n\tmov 1048(%1), %%r11\n\t"       \
			 "mov 1056(%1), %%r14\n\tmov 1064(%1), %%r15\n\t"       \
			 "1: add $1, %%r11\n\tsub $1, %%r11\n\t"                \
			 "dec %0\n\tjnz 1b\n\t"                                 \
			 "mov %%r8, 1024(%2)\n\tmov %%r9, 1032(%2)\n\t"         \
			 "mov %%r10, 1040(%2)\n\tmov %%r11, 1048(%2)\n\t"       \
			 "mov %%r14, 1056(%2)\n\tmov %%r15, 1064(%2)\n\t" EACH( \
				 STORE, op)                                     \
		: "+r"(n)                                                       \
		: "r"(in), "r"(out)                                             \
		: "r8", "r9", "r10", "r11", "r14", "r15", "memory", "cc",       \
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",       \
		  "xmm7")
#define REG "zmm"
	if (vectors == 64)
		BODY("vmovdqu64");
#undef REG
#define REG "ymm"
	else if (vectors == 32)
		BODY("vmovdqu");
#undef REG
#define REG "xmm"
	else
		BODY("movdqu");
#undef REG
	__asm__ volatile("fstpt %0\n\tstmxcsr %1"
			 : "=m"(out->x87), "=m"(out->mxcsr)
			 :
			 : "memory");
}

static void *
register_thread(void *round)
{
	static __thread struct file in, out;
	int vectors = 16;

	if (__builtin_cpu_supports("avx2"))
		vectors = 32;
	if (__builtin_cpu_supports("avx512f"))
		vectors = 64;
	for (size_t i = 0; i < sizeof(in.vector); i++)
		((unsigned char *)in.vector)[i] = (unsigned char)(i * 7 + 1);
	for (unsigned i = 0; i < 6; i++)
		in.general[i] = 0x0123456789abcdeful * (i + 1);
	in.x87 = 3.14159265358979323846L;
	in.mxcsr = 0x7fa0;
	while (!over) {
		memset(&out, 0, sizeof(out));
		hold_registers(&in, &out, vectors);
		for (int i = 0; i < 8; i++)
			check(!memcmp(in.vector[i], out.vector[i],
				      (size_t)vectors),
			      "a vector register");
		check(!memcmp(in.general, out.general, 6 * 8),
		      "a general register");
		check(in.x87 == out.x87, "the x87 stack");
		check((in.mxcsr | 63) == (out.mxcsr | 63), "mxcsr");
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void
block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

#define WAITS	8
#define WAIT_US 20000
#define RECV	6

/*
 * Where the processor that counts ticks is itself not run in time (a guest's)
 * the kernel's ticks are late, and a socket's limit, which is in ticks, begins
 * in the past: it may end some ticks early, whoever looks.
 */
static void
check_length(int kind, uint64_t us)
{
	char what[64];

	snprintf(what, sizeof(what), "wait %d was too short: %lu us", kind,
		 (unsigned long)us);
	check(us >= WAIT_US - (kind == RECV ? WAIT_US / 2 : 1100), what);
}

/* Each kind of wait lasts its time and ends for no other reason: no signal can
 * come here, so EINTR would be ours */
static void
wait_once(int kind, int silent, int epoll)
{
	struct timespec pause = { 0, WAIT_US * 1000 };
	struct timeval limit = { 0, WAIT_US };
	struct pollfd poll_for = { silent, POLLIN, 0 };
	struct epoll_event event;
	sigset_t usr2;
	fd_set set;
	char byte;
	int word = 0;
	uint64_t start = now_us();

	errno = 0;
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	FD_ZERO(&set);
	FD_SET(silent, &set);
	switch (kind) {
	case 0:
		check(!nanosleep(&pause, NULL), "nanosleep");
		break;
	case 1:
		check(!poll(&poll_for, 1, WAIT_US / 1000), "poll");
		break;
	case 2:
		check(!select(silent + 1, &set, NULL, NULL, &limit), "select");
		break;
	case 3:
		check(!epoll_wait(epoll, &event, 1, WAIT_US / 1000) ||
			      (may_be_stopped && errno == EINTR),
		      "epoll_wait");
		break;
	case 4:
		check(syscall(SYS_futex, &word, 0, 0, &pause, NULL, 0) == -1 &&
			      errno == ETIMEDOUT,
		      "futex");
		break;
	case 5:
		check(sigtimedwait(&usr2, NULL, &pause) == -1 &&
			      errno == EAGAIN,
		      "sigtimedwait");
		break;
	case RECV:
		check(recv(silent, &byte, 1, 0) == -1 && errno == EAGAIN,
		      "recv with a limit");
		break;
	default:
		check(!clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL),
		      "clock_nanosleep");
		break;
	}
	check_length(kind, now_us() - start);
}

static void *
wait_thread(void *round)
{
	const struct timeval limit = { 0, WAIT_US };
	int pair[2], epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };

	block_all();
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
	for (int kind = 0; !over; kind++) {
		wait_once(kind % WAITS, pair[0], epoll);
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

/* A number goes to and fro and is one more each time */
static int there[2], back[2];
static sem_t ask, answer;
static volatile unsigned long token;

static void *
echo_thread(void *round)
{
	unsigned long n;

	block_all();
	for (;;) {
		check(read(there[0], &n, sizeof(n)) == sizeof(n), "read");
		n++;
		check(write(back[1], &n, sizeof(n)) == sizeof(n), "write");
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

static void *
post_thread(void *round)
{
	block_all();
	for (;;) {
		while (sem_wait(&ask))
			wrong("sem_wait");
		token++;
		sem_post(&answer);
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

static void *
token_thread(void *round)
{
	unsigned long n = 0, got;

	block_all();
	while (!over) {
		check(write(there[1], &n, sizeof(n)) == sizeof(n), "write");
		check(read(back[0], &got, sizeof(got)) == sizeof(got), "read");
		check(got == ++n, "the token of the pipe");
		sem_post(&ask);
		check(!sem_wait(&answer), "sem_wait");
		check(token == n, "the token of the semaphore");
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

static sigjmp_buf out_of_it;
static volatile sig_atomic_t may_jump, ticks, jumps;
static pthread_t jumper;
static volatile int jumper_tid;

static void
tick(int number, siginfo_t *info, void *context)
{
	(void)context;
	check(number == SIGALRM ? info->si_code == SI_KERNEL
				: info->si_value.sival_int == 4711,
	      "a signal's siginfo");
	ticks++;
	if (!pthread_equal(pthread_self(), jumper) || !may_jump)
		return;
	may_jump = 0;
	jumps++;
	siglongjmp(out_of_it, 1);
}

static void
start_timers(void)
{
	struct sigaction action = { .sa_sigaction = tick,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
	const struct itimerspec other = { { 0, 7000000 }, { 0, 7000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGRTMIN,
				  .sigev_value.sival_int = 4711 };
	timer_t timer;

	while (!jumper_tid)
		usleep(1000);
	event._sigev_un._tid = jumper_tid;
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	check(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	timer_settime(timer, 0, &other, NULL);
}

static void *
jump_thread(void *round)
{
	volatile unsigned long n = 0;

	jumper = pthread_self();
	jumper_tid = gettid();
	while (!over) {
		if (!sigsetjmp(out_of_it, 1)) {
			may_jump = 1;
			while (may_jump && !over)
				n++;
		}
		sums(round);
	}
	may_jump = 0;
	return NULL;
}

static void
await_end_of_input(void)
{
	char byte;
	ssize_t got;

	while ((got = read(STDIN_FILENO, &byte, 1)) > 0 ||
	       (got < 0 && errno == EINTR))
		;
	over = 1;
}

static void *(*const workers[])(void *) = {
	jump_thread, register_thread, wait_thread, token_thread,
	sum_thread,  register_thread, wait_thread, sum_thread,
};

static void
say_ready(void)
{
	check(write(STDOUT_FILENO, "r", 1) == 1, "stdout");
}

static int
work(int n)
{
	pthread_t thread[256];
	unsigned long before[256];
	uint64_t start = now_us();

	check(!pipe(there) && !pipe(back), "pipe");
	sem_init(&ask, 0, 0);
	sem_init(&answer, 0, 0);
	pthread_create(&thread[0], NULL, echo_thread,
		       (void *)(uintptr_t)&rounds[254]);
	pthread_create(&thread[0], NULL, post_thread,
		       (void *)(uintptr_t)&rounds[255]);
	for (int i = 0; i < n; i++)
		pthread_create(&thread[i], NULL,
			       i < 8 ? workers[i] : workers[4 + i % 4],
			       (void *)(uintptr_t)&rounds[i]);
	start_timers();
	usleep(20000);
	say_ready();
	memcpy(before, (const void *)(uintptr_t)rounds, sizeof(before));
	await_end_of_input();
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	if (now_us() - start < 2000000)
		return OK;
	for (int i = 0; i < n; i++)
		check(rounds[i] > before[i], "a thread has done nothing");
	check(ticks && jumps, "too few ticks");
	return OK;
}

static void *
park_thread(void *number)
{
	static int word;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGTRAP);
	sigaddset(&set, (int)(34 + (uintptr_t)number % 20));
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	for (;;)
		syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
	return NULL;
}

static void
nothing(int number)
{
	(void)number;
}

static int
parked(int n)
{
	pthread_t thread;
	sigset_t pending;

	signal(SIGUSR1, nothing);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTRAP, SIG_IGN);
	sigemptyset(&pending);
	sigaddset(&pending, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &pending, NULL);
	raise(SIGUSR2);
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		pthread_create(&thread, NULL, park_thread, (void *)i);
	usleep(50000);
	say_ready();
	await_end_of_input();
	return OK;
}

static void *
short_lived(void *value)
{
	volatile unsigned long x = (uintptr_t)value;

	for (int i = 0; i < 2000; i++)
		x = x * 3 + 1;
	return (void *)x;
}

static void *
breeder(void *round)
{
	while (!over) {
		pthread_t thread;
		void *got = NULL;
		int error = pthread_create(&thread, NULL, short_lived, round);

		check(!error, "pthread_create");
		pthread_join(thread, &got);
		check(got == short_lived(round), "a short thread's result");
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

static void *
fork_thread(void *round)
{
	for (volatile int k = 0; !over; k++) {
		char name[] = "true", *const argv[] = { name, NULL };
		int status = -1;
		pid_t pid = k % 2 ? vfork() : fork();

		if (!pid) {
			if (k % 4 < 2)
				execv("/bin/true", argv);
			_exit(0);
		}
		check(pid > 0, "fork");
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		check(status == 0, "a child's status");
		++*(volatile unsigned long *)round;
	}
	return NULL;
}

static int
many(int n, void *(*what)(void *))
{
	pthread_t thread[256];

	for (int i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, what,
			       (void *)(uintptr_t)&rounds[i]);
	say_ready();
	await_end_of_input();
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return OK;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;

	if (n > 250)
		return 2;
	may_be_stopped = !strcmp(what, "stopped");
	if (!strcmp(what, "work") || may_be_stopped)
		return work(n);
	if (!strcmp(what, "parked"))
		return parked(n);
	if (!strcmp(what, "breed"))
		return many(n, breeder);
	if (!strcmp(what, "forks"))
		return many(n, fork_thread);
	return 2;
}
