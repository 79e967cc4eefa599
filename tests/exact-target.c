// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs that do the same each time, by name, for engines to be compared;
 * 7 is success.  Static, for start-up takes step longer than they do; only
 * `libraries` must be dynamic.
 */
#define _GNU_SOURCE
#ifdef EXACT_DYNAMIC
#include <dlfcn.h>
#endif
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#define OK   7
#define PAGE 4096ul

static volatile long sum;
static volatile sig_atomic_t handled;

/* movs, stos, cmps, scas and lods, up and down, with and without rep */
static int
strings(void)
{
	static char from[256], to[256];

	for (int i = 0; i < 256; i++)
		from[i] = (char)(i * 7 | 1);
	for (long down = 0; down < 2; down++)
		for (long n = 0; n < 40; n += 13) {
			char *source = from + 128, *target = to + 128;
			long count = n;

			if (down)
				__asm__ volatile("std");
			__asm__ volatile("rep movsb"
					 : "+S"(source), "+D"(target),
					   "+c"(count)
					 :
					 : "memory");
			count = n / 8;
			__asm__ volatile("rep stosq\n\tmovsl\n\tlodsb"
					 : "+S"(source), "+D"(target),
					   "+c"(count)
					 : "a"(n)
					 : "memory");
			source = from + 128;
			target = to + 128;
			count = n;
			__asm__ volatile("repe cmpsb\n\tcmpsb\n\tscasw"
					 : "+S"(source), "+D"(target),
					   "+c"(count)
					 :
					 : "memory", "cc");
			count = n;
			__asm__ volatile("repne scasb"
					 : "+D"(target), "+c"(count)
					 : "a"(0)
					 : "memory", "cc");
			__asm__ volatile("cld");
			sum += target - to;
		}
	return OK;
}

static int
x87(void)
{
	long double x = 1.5L, words[8];
	char state[128];
	double d = 2.25;
	long n;

	for (int i = 0; i < 50; i++) {
		words[i & 7] = x;
		x = x * 1.25L + words[(i + 3) & 7] / 3;
		__asm__ volatile("fldl %1\n\tfsqrt\n\tfistpll %0"
				 : "=m"(n)
				 : "m"(d));
		sum += n;
	}
	__asm__ volatile("fnsave %0\n\tfrstor %0" : "+m"(state));
	return OK;
}

static sigjmp_buf back;
static char *guarded;

static void
repair(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	handled++;
	mprotect((void *)((uintptr_t)info->si_addr & ~(PAGE - 1)), PAGE,
		 PROT_READ | PROT_WRITE);
}

static void
jump_back(int number)
{
	(void)number;
	handled++;
	siglongjmp(back, 1);
}

static void
nested(int number)
{
	handled++;
	if (number == SIGUSR1)
		raise(SIGUSR2);
}

static void
on(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(number, &action, NULL);
}

/* Faults repaired and jumped out of, a stack of its own, one in another, and
 * several that wait to be let through together */
static int
signals(void)
{
	struct sigaction action = { .sa_sigaction = repair,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = 1 << 16 };
	sigset_t set, old;

	stack.ss_sp = malloc(stack.ss_size);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	guarded =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 10; i++) {
		guarded[i] = (char)i;
		memcpy(guarded, "from a string of some length", 28);
		mprotect(guarded, PAGE, PROT_NONE);
	}
	on(SIGSEGV, jump_back, SA_NODEFER);
	for (volatile int i = 0; i < 5; i++)
		if (!sigsetjmp(back, 1))
			guarded[i]++;
	on(SIGUSR1, nested, SA_RESTART);
	on(SIGUSR2, nested, SA_RESTART | SA_NODEFER);
	raise(SIGUSR1);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	raise(SIGUSR2);
	raise(SIGUSR1);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return handled == 10 + 5 + 2 + 3 ? OK : 1;
}

static jmp_buf out;

static void
deep(int n)
{
	volatile char room[64];

	if (sum < 0)
		return;
	room[n & 63] = 1;
	if (!n)
		longjmp(out, 1);
	deep(n - 1);
	sum += room[n & 63];
}

/* How the compiler makes some switches: compared first, then the jump through
 * a table, then the branch by the comparison.  Also by a return. */
static int
jumped_to(void *to, int equal)
{
	int got;

	__asm__ volatile("	lea	-128(%%rsp), %%rsp\n"
			 "	xor	%%eax, %%eax\n"
			 "	call	1f\n"
			 "	jmp	2f\n"
			 "1:	cmp	$1, %2\n"
			 "	jmp	*%1\n"
			 "2:	lea	128(%%rsp), %%rsp\n"
			 : "=&a"(got)
			 : "r"(to), "r"(equal)
			 : "memory", "cc");
	return got;
}

static int
returned_to(void *to, int equal)
{
	int got;

	__asm__ volatile("	lea	-128(%%rsp), %%rsp\n"
			 "	xor	%%eax, %%eax\n"
			 "	call	1f\n"
			 "	jmp	2f\n"
			 "1:	push	%1\n"
			 "	cmp	$1, %2\n"
			 "	ret\n"
			 "2:	lea	128(%%rsp), %%rsp\n"
			 : "=&a"(got)
			 : "r"(to), "r"(equal)
			 : "memory", "cc");
	return got;
}

/*
 * Two places whose addresses have the same low bits, so that a table by those
 * has the wrong one each time: at the one flags are set anew, at the other they
 * are looked at.
 */
static int
flags(void)
{
	static const unsigned char sets[] = { 0x31, 0xc0, 0xc3 };
	static const unsigned char looks[] = {
		0x0f, 0x94, 0xc0,	/* sete %al */
		0x0f, 0x92, 0xc4,	/* setb %ah */
		0x0f, 0xb7, 0xc0, 0xc3, /* movzwl %ax, %eax; ret */
	};
	const size_t apart = 4 << 20;
	unsigned char *place = mmap(NULL, 2 * apart, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong = 0;

	memcpy(place, sets, sizeof(sets));
	memcpy(place + apart, looks, sizeof(looks));
	mprotect(place, 2 * apart, PROT_READ | PROT_EXEC);
	for (int i = 0; i < 30; i++) {
		const int wanted[] = { 256, 1, 0 };

		wrong |= jumped_to(place, i % 3);
		wrong |= jumped_to(place + apart, i % 3) != wanted[i % 3];
		wrong |= returned_to(place, i % 3);
		wrong |= returned_to(place + apart, i % 3) != wanted[i % 3];
	}
	munmap(place, 2 * apart);
	return wrong ? 1 : OK;
}

static int
jumps(void)
{
	for (volatile int i = 0; i < 20; i++)
		if (!setjmp(out))
			deep(i);
	return flags();
}

/* What a call leaves below the stack when it has returned: where it returned
 * to.  The red zone is skipped. */
static int
is_left(void)
{
	unsigned long left, wanted;

	__asm__ volatile("lea	-128(%%rsp), %%rsp\n"
			 "	call	1f\n"
			 "2:	mov	-8(%%rsp), %0\n"
			 "	lea	2b(%%rip), %1\n"
			 "	jmp	3f\n"
			 "1:	ret\n"
			 "3:	lea	128(%%rsp), %%rsp"
			 : "=r"(left), "=r"(wanted)
			 :
			 : "memory");
	return left == wanted;
}

/* An argument that is dropped stays where it was, too */
static int
is_dropped(void)
{
	unsigned long left;

	__asm__ volatile("lea	-128(%%rsp), %%rsp\n"
			 "	push	$1234\n"
			 "	call	1f\n"
			 "	mov	-8(%%rsp), %0\n"
			 "	jmp	3f\n"
			 "1:	ret	$8\n"
			 "3:	lea	128(%%rsp), %%rsp"
			 : "=r"(left)
			 :
			 : "memory");
	return left == 1234;
}

/* Returns that nobody has called for, from a stack that can't be written; and
 * a call that does not return. */
static int
is_chained(void)
{
	unsigned long *chain = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long n = 0;

	__asm__ volatile("	lea	1f(%%rip), %%rax\n"
			 "	mov	%%rax, 64(%1)\n"
			 "	mov	%%rax, 72(%1)\n"
			 "	lea	2f(%%rip), %%rax\n"
			 "	mov	%%rax, 80(%1)\n"
			 : "+r"(n)
			 : "r"(chain)
			 : "rax", "memory");
	mprotect(chain, PAGE, PROT_READ);
	__asm__ volatile("	mov	%%rsp, %%rbx\n"
			 "	lea	64(%1), %%rsp\n"
			 "	ret\n"
			 "1:	add	$1, %0\n"
			 "	ret\n"
			 "2:	mov	%%rbx, %%rsp\n"
			 "	lea	-128(%%rsp), %%rsp\n"
			 "	call	3f\n"
			 "3:	pop	%%rax\n"
			 "	lea	128(%%rsp), %%rsp\n"
			 : "+r"(n)
			 : "r"(chain)
			 : "rax", "rbx", "memory");
	munmap(chain, PAGE);
	return n == 2;
}

/* More than the processor keeps in mind */
__attribute__((noinline)) static long
recurse(long n)
{
	return n ? recurse(n - 1) * 3 + n : 1;
}

/* A call within a call, whose return addresses have the same low bits: two
 * copies of
 *
 *	push %rbx		mov %rsi, %rbx
 *	mov %rdi, %rax		mov %rdx, %rdi		mov %rsi, %rdx
 *	call *%rax		add %rbx, %rax
 *	pop %rbx		ret
 */
static int
is_alike(void)
{
	static const unsigned char text[] = {
		0x53, 0x48, 0x89, 0xf3, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xd7,
		0x48, 0x89, 0xf2, 0xff, 0xd0, 0x48, 0x01, 0xd8, 0x5b, 0xc3,
	};
	const size_t apart = 65536;
	unsigned char *place = mmap(NULL, 2 * apart, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long (*outer)(void *, long, void *);
	long all = 0;

	memcpy(place, text, sizeof(text));
	memcpy(place + apart, text, sizeof(text));
	mprotect(place, 2 * apart, PROT_READ | PROT_EXEC);
	memcpy(&outer, &place, sizeof(outer));
	for (long i = 0; i < 20; i++)
		all += outer(place + apart, i, (void *)recurse);
	munmap(place, 2 * apart);
	return all != 0;
}

static int
returns(void)
{
	if (recurse(200) != recurse(200) || !is_left() || !is_dropped())
		return 1;
	for (int i = 0; i < 3; i++)
		if (!is_chained() || !is_left())
			return 2;
	return is_alike() ? OK : 3;
}

static void
cleaned(int *what)
{
	sum += *what;
}

static _Unwind_Reason_Code
go_on(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
      struct _Unwind_Exception *exception, struct _Unwind_Context *context,
      void *until)
{
	(void)version;
	(void)class;
	(void)exception;
	(void)context;
	if (actions & _UA_END_OF_STACK)
		longjmp(*(jmp_buf *)until, 1);
	return _URC_NO_REASON;
}

__attribute__((noinline)) static void throw(int n)
{
	static struct _Unwind_Exception exception;
	__attribute__((cleanup(cleaned))) int mine = n;

	if (n)
		throw(n - 1);
	else
		_Unwind_ForcedUnwind(&exception, go_on, &out);
	sum += mine;
}

/* What C++ throws by: frames are unwound by their tables */
static int
exceptions(void)
{
	for (volatile int i = 0; i < 3; i++)
		if (!setjmp(out))
			throw(i + 2);
	return sum == 3 + 6 + 10 ? OK : 1;
}

#ifdef EXACT_DYNAMIC
static int
libraries(void)
{
	for (int i = 0; i < 4; i++) {
		void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
		double (*cosine)(double);
		void *symbol = library ? dlsym(library, "cos") : NULL;

		if (!symbol)
			return 1;
		memcpy(&cosine, &symbol, sizeof(cosine));
		sum += (long)(1000 * cosine(i));
		dlclose(library);
	}
	return OK;
}

#endif

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

/* Code mapped over, written anew in place, and by itself */
static int
code(void)
{
	const int both = PROT_READ | PROT_WRITE,
		  mine = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *at = mmap(NULL, PAGE, both | PROT_EXEC, mine, -1, 0);
	int got = 0, wanted = 0;

	for (int i = 0; i < 8; i++) {
		write_code(at, i);
		got += call_code(at);
		write_code(at + 32, 2 * i);
		got += call_code(at + 32) + call_code(at);
		mprotect(at, PAGE, PROT_READ | PROT_EXEC);
		got += call_code(at);
		at = mmap(at, PAGE, both | PROT_EXEC, mine | MAP_FIXED, -1, 0);
		wanted += 5 * i;
	}
	return got == wanted ? OK : 1;
}

static int
ended(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int
processes(char *self)
{
	char *argv[] = { self, (char[]){ "jumps" }, NULL };
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 100; i++)
			sum += i;
		_exit(sum == 4950 ? 3 : 4);
	}
	if (ended(pid) != 3)
		return 1;
	pid = vfork();
	if (!pid) {
		execv(self, argv);
		_exit(99);
	}
	return ended(pid) == OK ? OK : 1;
}

static unsigned long table[64][64];

static void *
fill(void *mine)
{
	unsigned long *to = mine, x = (unsigned long)(to - table[0]) + 1;

	for (int i = 0; i < 40; i++) {
		x = x * 6364136223846793005ul + 1442695040888963407ul;
		to[x >> 58] += x;
	}
	return NULL;
}

static int
threads(void)
{
	pthread_t thread[64];

	for (int i = 0; i < 64; i++)
		pthread_create(&thread[i], NULL, fill, table[i]);
	for (int i = 0; i < 64; i++)
		pthread_join(thread[i], NULL);
	return OK;
}

static int
vdso(void)
{
	for (int i = 0; i < 20; i++)
		sum += time(NULL) > 0;
	return sum == 20 ? OK : 1;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} program[] = {
		{ "strings", strings },
		{ "x87", x87 },
		{ "signals", signals },
		{ "jumps", jumps },
		{ "exceptions", exceptions },
		{ "code", code },
		{ "returns", returns },
		{ "threads", threads },
		{ "vdso", vdso },
#ifdef EXACT_DYNAMIC
		{ "libraries", libraries },
#endif
	};

	for (size_t i = 0; argc > 1 && i < sizeof(program) / sizeof(*program);
	     i++)
		if (!strcmp(argv[1], program[i].name))
			return program[i].run();
	if (argc > 1 && !strcmp(argv[1], "processes"))
		return processes(argv[0]);
	return 2;
}
