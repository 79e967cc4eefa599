// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the code cache is watched with, by name; 7 is success.
 *
 *	segv      a fault that its handler repairs, again and again
 *	lanes     a gather of which one lane faults, and is repaired
 *	jit       code that is written, run, and written anew, by the kernel too
 *	stops     the same, and another process stops it at times
 *	arrays    loads from two arrays by one index
 *	threads   three threads, each in memory of its own
 *	patched N code of a file, mapped privately, that is changed now and then
 *	          for N milliseconds; children call it, too
 *	queued N  N signals that are queued, each with the next number
 *	busy N    threads and a timer that check themselves for N milliseconds, or
 *	          until SIGTERM
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define OK   7

/* What went wrong, said: false if this is as it should be */
static int
differs(const char *what, int round, long got, long wanted)
{
	if (got != wanted)
		fprintf(stderr, "cache-target: %s, round %d: %ld, not %ld\n",
			what, round, got, wanted);
	return got != wanted;
}

static volatile char *volatile guarded;
static volatile sig_atomic_t faults, ticks;

static void
unguard(int number)
{
	(void)number;
	faults++;
	mprotect((void *)(uintptr_t)guarded, PAGE, PROT_READ | PROT_WRITE);
}

static int
segv(void)
{
	const struct sigaction action = { .sa_handler = unguard };
	char from[64] = "abc";

	sigaction(SIGSEGV, &action, NULL);
	guarded =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 20; i++) {
		/* r11 is the register that the cache keeps for itself */
		__asm__ volatile("mov %0, %%r11\n\tadd $3, %%r11\n\t"
				 "movb $9, (%%r11,%1)\n\tmov %%r11, %%r10"
				 :
				 : "r"(guarded), "r"((long)i)
				 : "r10", "r11", "memory");
		mprotect((void *)(uintptr_t)guarded, PAGE, PROT_NONE);
		memcpy((void *)(uintptr_t)guarded, from, sizeof(from));
		mprotect((void *)(uintptr_t)guarded, PAGE, PROT_NONE);
	}
	return faults == 40 ? OK : 1;
}

/* The lanes before the one that faults are done; its handler lets it go on */
static int
lanes(void)
{
	const struct sigaction action = { .sa_handler = unguard };
	int index[8], got[8], sum = 0;
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int *values = (int *)(void *)pages;

	sigaction(SIGSEGV, &action, NULL);
	guarded = pages + PAGE;
	for (int k = 0; k < 2048; k++)
		values[k] = k;
	for (int i = 0; i < 8; i++)
		index[i] = 1021 + i;
	for (int i = 0; i < 5; i++) {
		mprotect((void *)(uintptr_t)guarded, PAGE, PROT_NONE);
		__asm__ volatile("vmovdqu %1, %%ymm1\n\t"
				 "vpcmpeqd %%ymm2, %%ymm2, %%ymm2\n\t"
				 "vpxor %%ymm0, %%ymm0, %%ymm0\n\t"
				 "vpgatherdd %%ymm2, (%2,%%ymm1,4), %%ymm0\n\t"
				 "vmovdqu %%ymm0, %0\n\tvzeroupper"
				 : "=m"(got)
				 : "m"(index), "r"(values)
				 : "xmm0", "xmm1", "xmm2", "memory");
		for (int k = 0; k < 8; k++)
			sum += got[k] == 1021 + k;
	}
	return sum == 40 && faults == 5 ? OK : 1;
}

/* mov $n, %eax; ret */
static void
write_code(unsigned char *at, int n)
{
	at[0] = 0xb8;
	memcpy(at + 1, &n, sizeof(n));
	at[5] = 0xc3;
}

static int
call_code(unsigned char *at)
{
	int (*function)(void);

	memcpy(&function, &at, sizeof(function));
	return function();
}

/* What the kernel writes is new code, too: by a pointer, then by a vector */
static int
read_and_call(const int pipes[2], unsigned char *at, int n)
{
	unsigned char code[6];
	struct iovec vector = { at, sizeof(code) };
	int wrong = 0;

	write_code(code, 4 * n);
	wrong |= differs("write", n, write(pipes[1], code, sizeof(code)),
			 sizeof(code));
	wrong |= differs("read into code", n, read(pipes[0], at, sizeof(code)),
			 sizeof(code));
	wrong |= differs("code that was read", n, call_code(at), 4 * n);
	write_code(code, 6 * n);
	wrong |= differs("write", n, write(pipes[1], code, sizeof(code)),
			 sizeof(code));
	wrong |= differs("readv into code", n, readv(pipes[0], &vector, 1),
			 sizeof(code));
	return wrong |
	       differs("code that was read by readv", n, call_code(at), 6 * n);
}

static int
write_and_run(int rounds, int reads)
{
	const int private = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *both =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, private,
		     -1, 0);
	unsigned char *turns =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, private, -1, 0);
	int pipes[2], wrong = 0;

	if (pipe(pipes))
		return 1;
	for (int i = 0; i < rounds && !wrong; i++) {
		write_code(both, i);
		write_code(both + 64, 2 * i);
		for (int k = 0; k < 3; k++) {
			wrong |= differs("code", i, call_code(both), i);
			wrong |= differs("other code", i, call_code(both + 64),
					 2 * i);
		}
		mprotect(turns, PAGE, PROT_READ | PROT_WRITE);
		write_code(turns, 3 * i);
		mprotect(turns, PAGE, PROT_READ | PROT_EXEC);
		wrong |= differs("code by turns", i, call_code(turns), 3 * i);
		for (int k = 0; k < reads && !wrong; k++)
			wrong |= read_and_call(pipes, both + 128, i + k);
		munmap(turns, PAGE);
		turns = mmap(turns, PAGE, PROT_READ | PROT_WRITE,
			     private | MAP_FIXED, -1, 0);
	}
	munmap(both, PAGE);
	munmap(turns, PAGE);
	close(pipes[0]);
	close(pipes[1]);
	return wrong;
}

static int
jit(void)
{
	return write_and_run(100, 1) ? 1 : OK;
}

static int
stops(void)
{
	pid_t parent = getpid(), child = fork();
	int wrong = 0;

	if (child < 0)
		return 1;
	if (!child) {
		for (int i = 0; i < 15; i++) {
			usleep(5000 + 700 * (unsigned)i);
			kill(parent, SIGSTOP);
			usleep(9000);
			kill(parent, SIGCONT);
		}
		_exit(0);
	}
	while (!wrong && !waitpid(child, NULL, WNOHANG))
		wrong = write_and_run(5, 50);
	return wrong ? 1 : OK;
}

#define MANY	   34000
#define MANY_BYTES (MANY * 16)

static void
write_many(unsigned char *many, int times)
{
	mprotect(many, MANY_BYTES, PROT_READ | PROT_WRITE);
	for (int i = 0; i < MANY; i++)
		write_code(many + 16 * i, times * i);
	mprotect(many, MANY_BYTES, PROT_READ | PROT_EXEC);
}

static int
call_many(unsigned char *many, int times)
{
	int wrong = 0;

	for (int i = 0; i < MANY; i++)
		wrong |= call_code(many + 16 * i) != times * i;
	return wrong;
}

/* More targets of calls by pointer than any table holds at first */
static int
many_targets(void)
{
	unsigned char *many = mmap(NULL, MANY_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong;

	write_many(many, 1);
	wrong = call_many(many, 1) || call_many(many, 1);
	write_many(many, 2);
	return wrong || call_many(many, 2) ? 1 : OK;
}

static double
now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int
call_often(unsigned char *code, int wanted)
{
	int wrong = 0;

	for (int k = 0; k < 400; k++)
		wrong |= call_code(code) != wanted;
	return differs("code of a file", wanted, wrong, 0);
}

/* The child changes it, and its parent sees nothing of that */
static int
call_in_child(unsigned char *code, int wanted)
{
	pid_t child = fork();
	int status = 1;

	if (!child) {
		int wrong = call_often(code, wanted);

		mprotect(code, PAGE, PROT_READ | PROT_WRITE);
		write_code(code, -wanted);
		mprotect(code, PAGE, PROT_READ | PROT_EXEC);
		_exit(wrong | call_often(code, -wanted));
	}
	if (child > 0)
		waitpid(child, &status, 0);
	return status | call_often(code, wanted);
}

static int
patched(long ms)
{
	const double end = now_ms() + (double)ms;
	FILE *file = tmpfile();
	unsigned char *code;
	int wrong = 0;

	if (!file || ftruncate(fileno(file), PAGE))
		return 1;
	code = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE,
		    fileno(file), 0);
	for (int i = 1; now_ms() < end && !wrong; i++) {
		mprotect(code, PAGE, PROT_READ | PROT_WRITE);
		write_code(code, i);
		mprotect(code, PAGE, PROT_READ | PROT_EXEC);
		for (int k = 0; k < 10; k++)
			wrong |= call_often(code, i);
		if (i % 64 == 0)
			wrong |= call_in_child(code, i);
	}
	return wrong ? 1 : OK;
}

static volatile sig_atomic_t queued_n, queued_wrong;

static void
take_queued(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	queued_wrong |= differs("a queued signal", queued_n,
				info->si_value.sival_int, queued_n);
	queued_n++;
}

/* From a child: ours are sent while we run, and none is lost or comes twice */
static int
queued(int n)
{
	const struct sigaction action = { .sa_sigaction = take_queued,
					  .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t parent = getpid(), child;
	unsigned long sum = 0;

	sigaction(SIGRTMIN, &action, NULL);
	child = fork();
	if (child < 0)
		return 1;
	for (int i = 0; !child && i < n; i++) {
		const union sigval value = { .sival_int = i };

		while (sigqueue(parent, SIGRTMIN, value))
			usleep(1000);
		if (i % 3)
			usleep(300);
	}
	if (!child)
		_exit(0);
	while (waitpid(child, NULL, WNOHANG) == 0)
		for (int i = 0; i < 1000; i++)
			sum += (unsigned long)i * sum + 1;
	return queued_wrong || differs("queued signals", 0, queued_n, n) || !sum
		       ? 1
		       : OK;
}

static unsigned long table[4][1024];

static void *
fill(void *mine)
{
	unsigned long *to = mine, x = (unsigned long)(to - table[0]) + 1;

	for (int i = 0; i < 500; i++) {
		x = x * 6364136223846793005ul + 1442695040888963407ul;
		to[x >> 54] += x;
	}
	return NULL;
}

static int
threads(void)
{
	pthread_t thread[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, fill, table[i]);
	fill(table[3]);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	return OK;
}

static void
tick(int number)
{
	(void)number;
	ticks++;
}

static volatile sig_atomic_t over;

static void
enough(int number)
{
	(void)number;
	over = 1;
}

/* Counts what it has done; the counts must agree each time */
static void *
check(void *wrong)
{
	static __thread volatile unsigned counts[256];
	unsigned long x = 1;

	for (unsigned n = 1; !over; n++) {
		unsigned long sum = 0;

		for (int i = 0; i < 500; i++) {
			x = x * 6364136223846793005ul + 1442695040888963407ul;
			counts[x >> 56]++;
		}
		for (int i = 0; i < 256; i++)
			sum += counts[i];
		if (differs("a sum", (int)n, (long)sum, (long)n * 500))
			*(volatile int *)wrong = 1;
		if (n % 64 == 0)
			usleep(50);
	}
	return NULL;
}

static int
busy(long ms)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	struct timespec pause = { 0, 1000000 };
	pthread_t thread[3];
	static int wrong;

	signal(SIGALRM, tick);
	signal(SIGTERM, enough);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, check, &wrong);
	for (long i = 0; i < ms && !over; i++)
		while (nanosleep(&pause, NULL) && wrong)
			;
	over = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	return wrong || differs("ticks came", 0, ticks > 0, 1) ? 1 : OK;
}

/*
 * As tests/test-cache-engine.c knows it.  The target writes the first words of
 * such a record alone: header, i, first, second.
 */
static int
arrays(void)
{
	static char first[1024 * 8 + 16], second[1024 * 8 + 16];
	volatile long again = 0;

	for (long round = 0; round < 256; round++)
		for (long i = 0; i < 1024; i++) {
			__asm__ volatile("fldt (%1)\n\tfstp %%st(0)\n\t"
					 "movzwl (%0,%2,8), %%eax\n\t"
					 "movzwl (%0,%2,4), %%eax\n\t"
					 "movzwl (%1,%2,8), %%eax\n\t"
					 "movzwl (%1,%2,4), %%eax"
					 :
					 : "r"(first), "r"(second), "r"(i)
					 : "rax", "memory");
			if (i == 1023)
				again++;
		}
	return again == 256 ? OK : 1;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "segv"))
		return segv();
	if (!strcmp(what, "lanes"))
		return __builtin_cpu_supports("avx2") ? lanes() : OK;
	if (!strcmp(what, "jit"))
		return jit();
	if (!strcmp(what, "stops"))
		return stops();
	if (!strcmp(what, "arrays"))
		return arrays();
	if (!strcmp(what, "threads"))
		return threads();
	if (!strcmp(what, "many"))
		return many_targets();
	if (!strcmp(what, "patched") && argc > 2)
		return patched(strtol(argv[2], NULL, 10));
	if (!strcmp(what, "queued") && argc > 2)
		return queued((int)strtol(argv[2], NULL, 10));
	if (!strcmp(what, "busy") && argc > 2)
		return busy(strtol(argv[2], NULL, 10));
	return 2;
}
