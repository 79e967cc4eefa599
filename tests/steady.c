// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A static program without a C library, on a stack of its own, that makes the
 * same many accesses (some 60 million) at the same addresses whoever watches
 * it, touches a fresh page every now and then, and says "done" at its end.
 * What is recorded of a part of its life is a prefix of what is recorded of
 * all of it.
 */
enum {
	ROUNDS = 10000000,
	PER_PAGE = 4096,
	PAGE_WORDS = 512
};

static unsigned long table[4096];
static unsigned long fresh[ROUNDS / PER_PAGE + 1][PAGE_WORDS];
static __attribute__((used, aligned(16))) char stack[65536];

static __attribute__((noinline)) unsigned long
mix(unsigned long x)
{
	x ^= x >> 31;
	return x * 0x9e3779b97f4a7c15ul + 1;
}

static void
call(long number, long a, const char *b, long c)
{
	__asm__ volatile("syscall"
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
}

__attribute__((used)) static void
work(void)
{
	unsigned long x = 1;

	for (unsigned long i = 0; i < ROUNDS; i++) {
		x = mix(x);
		table[x >> 52] += x;
		if (i % PER_PAGE == 0)
			fresh[i / PER_PAGE][x % PAGE_WORDS] = i;
	}
	call(1, 1, "done\n", 5);
	call(60, 7, "", 0);
}

__asm__(".globl _start\n"
	"_start: mov $stack + 65536, %rsp\n"
	"	call work\n");
