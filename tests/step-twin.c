// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A static program without a C library, on a stack of its own: it makes the
 * same accesses at the same addresses whoever watches it.
 */
static unsigned long table[4096], sorted[512];
static char text[8192];
static __attribute__((used, aligned(16))) char stack[65536];

static unsigned long
mix(unsigned long x)
{
	x ^= x >> 31;
	return x * 0x9e3779b97f4a7c15ul + 1;
}

static __attribute__((noinline)) unsigned long
sum(const unsigned long *from, unsigned n)
{
	return n < 2 ? from[0]
		     : sum(from, n / 2) + sum(from + n / 2, n - n / 2);
}

static __attribute__((noinline)) void
sort(unsigned long *from, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k && from[k] < from[k - 1]; k--) {
			unsigned long x = from[k];

			from[k] = from[k - 1];
			from[k - 1] = x;
		}
}

__attribute__((used)) static void
work(void)
{
	unsigned long x = 1, n = 300;
	void *to = text, *from = text + 4000;

	for (unsigned i = 0; i < 4096; i++) {
		x = mix(x);
		table[x % 4096] += x;
	}
	for (unsigned i = 0; i < 128; i++)
		sorted[i] = table[i];
	sort(sorted, 128);
	table[0] = sum(table, 1000);
	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
	__atomic_fetch_add(&table[1], 1, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&table[2], 5, __ATOMIC_SEQ_CST);
	x = 0;
	__atomic_compare_exchange_n(&table[3], &x, 7, 0, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	__asm__ volatile("mov $60, %%eax; mov $7, %%edi; syscall"
			 :
			 :
			 : "memory");
}

__asm__(".globl _start\n"
	"_start: mov $stack + 65536, %rsp\n"
	"	call work\n");
