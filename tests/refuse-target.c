// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a code cache can't run, or not all of, by name; 7 is success.
 *
 *	gs        GS is set and used, with signals in between
 *	mask      signals that stepping needs are blocked
 *	far       code with no room near it
 *	limit     a program is exec'd that may not map much
 *	filter    threads, in a program that is killed for mapping memory
 *	execed    a program is exec'd that is killed for making memory files
 *	rseq      counts by restartable sequences, if the kernel knows them
 *	strict    nothing but read, write and exit is allowed any more
 *	takes     the memory of whoever traces is mapped anew, by its address
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OK 7

static volatile sig_atomic_t signals;

static void
count(int number)
{
	(void)number;
	signals++;
}

static uint64_t
sum_by_gs(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		__asm__ volatile("mov %%gs:8(,%1,8), %%r11\n\t"
				 "add %%r11, %0\n\t"
				 "addq $1, %%gs:8(,%1,8)"
				 : "+r"(sum)
				 : "r"((uint64_t)i)
				 : "r11", "memory", "cc");
	return sum;
}

static int
gs(void)
{
	static uint64_t table[2][33];
	uint64_t base = 0, sum = 0;
	unsigned segment = 0x2b;

	for (unsigned i = 0; i < 33; i++) {
		table[0][i] = i;
		table[1][i] = 2 * i;
	}
	signal(SIGUSR1, count);
	for (unsigned i = 0; i < 4; i++) {
		if (syscall(SYS_arch_prctl, ARCH_SET_GS, table[i & 1]))
			return 1;
		sum += sum_by_gs(32);
		raise(SIGUSR1);
		syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
		if (base != (uint64_t)(uintptr_t)table[i & 1])
			return 2;
	}
	/* 1 + ... + 32 and twice it, then again each one larger */
	if (sum != 2 * (528 + 1056) + 64 || signals != 4)
		return 3;
	/* A segment, whose base is 0 */
	__asm__ volatile("mov %0, %%gs\n\tmov %%gs:(%1), %2"
			 : "+r"(segment)
			 : "r"(&table[0][2]), "r"(base));
	__asm__ volatile("mov %%gs, %0" : "=r"(segment));
	return segment == 0x2b ? OK : 4;
}

static int
mask(void)
{
	sigset_t block, now;
	int number;

	sigemptyset(&block);
	sigaddset(&block, SIGTRAP);
	sigaddset(&block, SIGSEGV);
	sigprocmask(SIG_BLOCK, &block, NULL);
	for (int i = 0; i < 3; i++) {
		/* Stepped, and both in a row */
		__asm__ volatile("mov %%gs, %%eax\n\tmov %%eax, %%gs\n\t"
				 "mov %%eax, %%gs\n\tnop\n\t"
				 "mov %%eax, %%gs"
				 :
				 :
				 : "eax");
		raise(i ? SIGTRAP : SIGSEGV);
		sigprocmask(SIG_BLOCK, NULL, &now);
		if (!sigismember(&now, SIGTRAP) || !sigismember(&now, SIGSEGV))
			return 1;
		sigpending(&now);
		if (!sigismember(&now, i ? SIGTRAP : SIGSEGV))
			return 2;
		sigwait(&block, &number);
	}
	return OK;
}

#define ALONE (UINT64_C(6) << 30)

/* In the middle of 6 GiB: stores, flags, a string instruction, a call of the
 * system, and a call back */
static int
far_away(void)
{
	static const unsigned char code[] = {
		0x53,			      /* push %rbx */
		0x9c,			      /* pushf */
		0x58,			      /* pop %rax */
		0xf6, 0xc4, 0x01,	      /* test $1, %ah: the trap flag */
		0x75, 0x1c,		      /* jnz bad */
		0x50, 0x9d,		      /* push %rax; popf */
		0xb9, 0x10, 0x00, 0x00, 0x00, /* mov $16, %ecx */
		0xb0, 0x05,		      /* mov $5, %al */
		0xf3, 0xaa,		      /* rep stosb */
		0xff, 0xd6,		      /* call *%rsi */
		0x89, 0xc3,		      /* mov %eax, %ebx */
		0xb8, 0x27, 0x00, 0x00, 0x00, /* mov $39, %eax */
		0x0f, 0x05,		      /* syscall: getpid */
		0x31, 0xd8,		      /* xor %ebx, %eax */
		0x5b,			      /* pop %rbx */
		0xc3,			      /* ret */
		0x90, 0x90, 0xb8, 0x01, 0x00,
		0x00, 0x00, /* bad: mov $1, %eax */
		0x5b, 0xc3, /* pop %rbx; ret */
	};
	static unsigned char filled[16];
	unsigned char *room =
		mmap(NULL, ALONE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char *at = room + ALONE / 2;
	int (*function)(void *, pid_t (*)(void));
	int bad = 0;

	if (room == MAP_FAILED || mprotect(at, 4096, PROT_READ | PROT_WRITE))
		return 1;
	memcpy(at, code, sizeof(code));
	mprotect(at, 4096, PROT_READ | PROT_EXEC);
	memcpy(&function, &at, sizeof(function));
	for (int i = 0; i < 5; i++) {
		memset(filled, 0, sizeof(filled));
		bad |= function(filled, getpid);
		for (size_t k = 0; k < sizeof(filled); k++)
			bad |= filled[k] ^ 5;
	}
	return bad ? 2 : OK;
}

static uint64_t table[2][64];

static void *
fill(void *mine)
{
	uint64_t *to = mine;

	for (uint64_t i = 0; i < 200; i++)
		to[i & 63] += i;
	return NULL;
}

static int
work(void)
{
	signal(SIGUSR1, count);
	for (int i = 0; i < 5; i++) {
		fill(table[0]);
		raise(SIGUSR1);
	}
	return signals == 5 && table[0][1] == 5 * (1 + 65 + 129 + 193) ? OK : 1;
}

/* Killed for a call of the list */
static int
forbid(const int *number, unsigned n)
{
	struct sock_filter code[32] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .filter = code };
	unsigned k = 1;

	for (unsigned i = 0; i < n; i++) {
		code[k++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						     (uint32_t)number[i], 0, 1);
		code[k++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						     SECCOMP_RET_KILL_PROCESS);
	}
	code[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_ALLOW);
	program.len = (unsigned short)k;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int
execed(char *self, const char *mode, const int *forbidden, unsigned n)
{
	char name[16];
	char *argv[] = { self, name, NULL };

	strncpy(name, mode, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	if (n && forbid(forbidden, n))
		return 77;
	execv("/proc/self/exe", argv);
	return 3;
}

/* Its stack is there already, so it needs to map nothing */
static int
filter(void)
{
	static const int no[] = { SYS_mprotect, SYS_mremap, SYS_madvise,
				  SYS_memfd_create };
	pthread_attr_t attributes;
	pthread_t thread;
	size_t bytes = 1 << 18;
	void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, bytes);
	if (forbid(no, 4))
		return 77;
	fill(table[0]);
	if (pthread_create(&thread, &attributes, fill, table[1]))
		return 1;
	pthread_join(thread, NULL);
	return memcmp(table[0], table[1], sizeof(table[0])) ? 2 : OK;
}

/* Counts of each processor, not atomic: the kernel aborts who is preempted */
static volatile long by_cpu[1024];
#define SEQUENCES 100000

struct rseq_area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t cs;
	uint32_t flags;
} __attribute__((aligned(32)));

/* false: aborted */
static int
add_here(struct rseq_area *area)
{
	uint64_t cpu = area->cpu_id_start;
	int done;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n\t.balign 32\n"
			 "3:\t.long 0, 0\n\t.quad 1f, 2f - 1f, 4f\n\t"
			 ".popsection\n\t"
			 "lea 3b(%%rip), %%rax\n\t"
			 "mov %%rax, %[cs]\n"
			 "1:\tcmpl %[id], %k[cpu]\n\tjne 5f\n\t"
			 "mov (%[by],%[cpu],8), %%rax\n\t"
			 "mov $60, %%ecx\n"
			 "6:\tdec %%ecx\n\tjnz 6b\n\t"
			 "inc %%rax\n\t"
			 "mov %%rax, (%[by],%[cpu],8)\n"
			 "2:\tmov $1, %[done]\n\tjmp 7f\n\t"
			 ".byte 0x0f, 0xb9, 0x3d\n\t.long 0x53053053\n"
			 "4:\n5:\tmov $0, %[done]\n"
			 "7:\n\t"
			 : [cs] "=m"(area->cs), [done] "=&r"(done)
			 : [id] "m"(area->cpu_id), [by] "r"(by_cpu),
			   [cpu] "r"(cpu)
			 : "rax", "rcx", "memory", "cc");
	return done;
}

static void *
add_often(void *ignored)
{
	static __thread struct rseq_area own;
	struct rseq_area *area = &own;
	int registered = 1;

	(void)ignored;
	/* The C library's, or else ours */
	if (__rseq_size)
		area = (struct rseq_area
				*)(void *)((char *)__builtin_thread_pointer() +
					   __rseq_offset);
	else
		registered =
			!syscall(SYS_rseq, area, sizeof(*area), 0, 0x53053053);
	for (int i = 0; i < SEQUENCES;)
		if ((int32_t)area->cpu_id < 0 || !registered) {
			__atomic_fetch_add(&by_cpu[0], 1, __ATOMIC_RELAXED);
			i++;
		} else {
			i += add_here(area);
		}
	return NULL;
}

static int
rseq(void)
{
	pthread_t thread[4];
	long sum = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, add_often, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 1024; i++)
		sum += by_cpu[i];
	return sum == 4 * SEQUENCES ? OK : 1;
}

static int
strict(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 77;
	fill(table[0]);
	syscall(SYS_exit, table[0][1] == 1 + 65 + 129 + 193 ? OK : 1);
	return 2;
}

/* 0: there is none */
static unsigned long
traced_from(unsigned long *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start = 0;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "memfd:pagescope") &&
		    sscanf(line, "%lx-%lx", &start, end) == 2)
			break;
	if (maps)
		fclose(maps);
	return start;
}

static int
takes(void)
{
	unsigned long end = 0, start = traced_from(&end), sum = 0;
	volatile unsigned long *own;

	for (int i = 0; i < 1000; i++)
		fill(table[0]);
	if (!start)
		return OK;
	own = mmap((char *)0 + start, end - start, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		   0);
	if ((unsigned long)own != start)
		return 1;
	for (size_t i = 0; i < (end - start) / 8 && i < 8192; i++)
		own[i] = i;
	for (size_t i = 0; i < (end - start) / 8 && i < 8192; i++)
		sum += own[i];
	return sum ? OK : 2;
}

int
main(int argc, char **argv)
{
	static const int files[] = { SYS_memfd_create, SYS_mremap };
	const struct rlimit little = { 64 << 20, 64 << 20 };
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "gs"))
		return gs();
	if (!strcmp(what, "mask"))
		return mask();
	if (!strcmp(what, "far"))
		return far_away();
	if (!strcmp(what, "limit")) {
		setrlimit(RLIMIT_AS, &little);
		return execed(argv[0], "work", NULL, 0);
	}
	if (!strcmp(what, "filter"))
		return filter();
	if (!strcmp(what, "execed"))
		return execed(argv[0], "work", files, 2);
	if (!strcmp(what, "rseq"))
		return rseq();
	if (!strcmp(what, "strict"))
		return strict();
	if (!strcmp(what, "takes"))
		return takes();
	if (!strcmp(what, "work"))
		return work();
	return 2;
}
