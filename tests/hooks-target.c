// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Known accesses, each kind on its own page of an area at a fixed address:
 * what hooks.sh counts there is written beside.  Built with hooks, it is told
 * by its first argument what to do.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA  0x20000000u
#define PAGE  4096u
#define TIMES 100u

typedef unsigned __int128 wide;

struct block {
	uint64_t word[13]; /* 104 bytes: copied as a range */
};

/* Not known to the compiler: no access may be left out or joined. */
static void *
page(unsigned number)
{
	void *at = (char *)(uintptr_t)AREA + number * PAGE;

	__asm__("" : "+r"(at));
	return at;
}

#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")

#define PLAIN(type, first)                                   \
	do {                                                 \
		type *at = page(first);                      \
		type sum = 0;                                \
                                                             \
		for (unsigned i = 0; i < TIMES; i++) {       \
			at[i % 16] = (type)i;                \
			__asm__ volatile("" : : : "memory"); \
		}                                            \
		at = page((first) + 1);                      \
		for (unsigned i = 0; i < TIMES; i++) {       \
			sum = (type)(sum + at[i % 16]);      \
			__asm__ volatile("" : : : "memory"); \
		}                                            \
		KEEP((unsigned long)sum);                    \
	} while (0)

/* Pages 0, 2, 4, 6, 8: TIMES stores of 1, 2, 4, 8, 16 bytes; 1, 3...: loads */
static void
plain(void)
{
	PLAIN(uint8_t, 0);
	PLAIN(uint16_t, 2);
	PLAIN(uint32_t, 4);
	PLAIN(uint64_t, 6);
	PLAIN(wide, 8);
}

/* Page 10: TIMES range loads of 104 bytes; 11: stores */
static void
ranges(void)
{
	struct block *from = page(10), *to = page(11);

	for (unsigned i = 0; i < TIMES; i++) {
		*to = *from;
		__asm__ volatile("" : : : "memory");
	}
}

static uint64_t checks;

static void
check(int right)
{
	checks = checks * 2 + (right != 0);
}

#define ATOMIC(type, number)                                                 \
	do {                                                                 \
		_Atomic type *at = page(number);                             \
		type seen;                                                   \
                                                                             \
		checks = 0;                                                  \
		atomic_store(at, 5);		     /* store */             \
		check(atomic_load(at) == 5);	     /* load */              \
		check(atomic_fetch_add(at, 7) == 5); /* modifies */          \
		check(atomic_fetch_sub(at, 2) == 12);                        \
		check(atomic_fetch_and(at, 6) == 10);                        \
		check(atomic_fetch_or(at, 9) == 2);                          \
		check(atomic_fetch_xor(at, 3) == 11);                        \
		check(atomic_exchange(at, 20) == 8);                         \
		seen = 20;                                                   \
		check(atomic_compare_exchange_strong(at, &seen, 21));        \
		check(!atomic_compare_exchange_strong(at, &seen, 22) &&      \
		      seen == 21);                                           \
		while (!atomic_compare_exchange_weak(at, &seen, 30))         \
			;                                                    \
		atomic_store_explicit(at, 31, memory_order_relaxed);         \
		check(atomic_load_explicit(at, memory_order_relaxed) == 31); \
		printf("atomic %d: %s\n", (int)sizeof(type),                 \
		       checks == 0x3ff ? "right" : "WRONG");                 \
	} while (0)

/* Pages 12..15: 2 stores, 2 loads, 9 modifies of 1, 2, 4, 8 bytes */
static void
atomics(void)
{
	ATOMIC(uint8_t, 12);
	ATOMIC(uint16_t, 13);
	ATOMIC(uint32_t, 14);
	ATOMIC(uint64_t, 15);
}

static unsigned each = 100000;

/* On page 16 + n: `each` stores by one thread, and as many adds on page 15 */
static void *
store_many(void *number)
{
	uint64_t *at = page(16 + (unsigned)(uintptr_t)number);
	_Atomic uint64_t *shared = page(15);

	for (unsigned i = 0; i < each; i++) {
		at[i % 512] = i;
		__asm__ volatile("" : : : "memory");
		if (i % 16 == 0)
			atomic_fetch_add(shared, 1);
	}
	return NULL;
}

static void
threads(void)
{
	pthread_t thread[4];
	_Atomic uint64_t *shared = page(15);

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, store_many, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	printf("shared %llu\n", (unsigned long long)atomic_load(shared));
}

static void
forks(void)
{
	for (uintptr_t i = 0; i < 3; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			store_many((void *)i);
			_exit(3);
		}
		waitpid(pid, &status, 0);
		printf("child %d\n", WEXITSTATUS(status));
	}
	store_many((void *)3);
}

static volatile sig_atomic_t ticks;

/* Page 20: 40 stores at each tick */
static void
tick(int number)
{
	uint32_t *at = page(20);

	(void)number;
	for (uint32_t i = 0; i < 40; i++) {
		at[i] = i;
		__asm__ volatile("" : : : "memory");
	}
	ticks++;
}

static void
signals(void)
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { 0 };
	struct sigaction action = { .sa_handler = tick,
				    .sa_flags = SA_RESTART };

	each = 1500000;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	store_many((void *)0);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("ticks %d\n", (int)ticks);
}

static void
load_plugin(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	void (*touch)(void *);

	if (!library) {
		printf("%s\n", dlerror());
		return;
	}
	*(void **)&touch = dlsym(library, "plugin_touch");
	touch(page(16));
	dlclose(library);
}

/* The mappings change: 64 pages come, are written, and go. */
static void
map(void)
{
	char *at = mmap((char *)(uintptr_t)AREA + (1 << 24), 64 * PAGE,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	for (unsigned i = 0; i < 64; i++)
		at[i * PAGE] = 1;
	store_many((void *)0);
	munmap(at, 64 * PAGE);
	store_many((void *)1);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "plain";

	mmap((void *)(uintptr_t)AREA, 64 * PAGE, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (!strcmp(what, "plain")) {
		plain();
		ranges();
		atomics();
	} else if (!strcmp(what, "threads")) {
		threads();
	} else if (!strcmp(what, "forks")) {
		forks();
	} else if (!strcmp(what, "signals")) {
		signals();
	} else if (!strcmp(what, "map")) {
		map();
	} else if (!strcmp(what, "plugin") && argc > 2) {
		load_plugin(argv[2]);
	} else {
		if (!strcmp(what, "long"))
			each = 200000000;
		store_many((void *)0);
	}
	if (!strcmp(what, "long"))
		printf("done\n");
	fflush(NULL);
	if (!strcmp(what, "quick"))
		_exit(4);
	if (!strcmp(what, "abort"))
		abort();
	if (!strcmp(what, "killed"))
		raise(SIGKILL);
	if (!strcmp(what, "fault"))
		*(volatile int *)page(100000) = 1;
	if (!strcmp(what, "exec"))
		execl(argv[0], argv[0], "threads", (char *)NULL);
	if (!strcmp(what, "foreign"))
		execlp("true", "true", (char *)NULL);
	return 0;
}
