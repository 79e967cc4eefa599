// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Atomic operations, which compilers leave to the runtime: record the access,
 * then do it, in sequentially consistent order unless the caller asked for
 * less and x86 makes a difference (plain stores).  Operands of 16 bytes go
 * through cmpxchg16b, as in libatomic.
 */
#include "tracers/hooks/runtime.h"

#include <string.h>

#define SITE ((uintptr_t)__builtin_return_address(0))
#define NOTE(a, code) \
	hooks_access_at((uintptr_t)(a), SITE, 0, (uint64_t)(code) << 56)
#define MODIFY(log2) (HOOK_MODIFY + (log2))

typedef unsigned __int128 hooks_wide;

static hooks_wide
wide_swap(volatile hooks_wide *a, hooks_wide expected, hooks_wide value)
{
	return __sync_val_compare_and_swap(a, expected, value);
}

#define NARROW_PLAIN(bits, type, log2)                                       \
	HOOKS_PUBLIC type __tsan_atomic##bits##_load(const volatile type *a, \
						     int order)              \
	{                                                                    \
		(void)order;                                                 \
		NOTE(a, HOOK_READ + (log2));                                 \
		return __atomic_load_n(a, __ATOMIC_SEQ_CST);                 \
	}                                                                    \
	HOOKS_PUBLIC void __tsan_atomic##bits##_store(volatile type *a,      \
						      type v, int order)     \
	{                                                                    \
		NOTE(a, HOOK_WRITE + (log2));                                \
		if (order == __ATOMIC_SEQ_CST)                               \
			__atomic_store_n(a, v, __ATOMIC_SEQ_CST);            \
		else                                                         \
			__atomic_store_n(a, v, __ATOMIC_RELEASE);            \
	}                                                                    \
	HOOKS_PUBLIC type __tsan_atomic##bits##_exchange(volatile type *a,   \
							 type v, int order)  \
	{                                                                    \
		(void)order;                                                 \
		NOTE(a, MODIFY(log2));                                       \
		return __atomic_exchange_n(a, v, __ATOMIC_SEQ_CST);          \
	}                                                                    \
	static type swap##bits(volatile type *a, type expected, type v)      \
	{                                                                    \
		__atomic_compare_exchange_n(a, &expected, v, 0,              \
					    __ATOMIC_SEQ_CST,                \
					    __ATOMIC_SEQ_CST);               \
		return expected;                                             \
	}

#define NARROW_FETCH(bits, type, log2, name)                                   \
	HOOKS_PUBLIC type __tsan_atomic##bits##_fetch_##name(volatile type *a, \
							     type v,           \
							     int order)        \
	{                                                                      \
		(void)order;                                                   \
		NOTE(a, MODIFY(log2));                                         \
		return __atomic_fetch_##name(a, v, __ATOMIC_SEQ_CST);          \
	}

#define WIDE_FETCH(name, result)                                       \
	HOOKS_PUBLIC hooks_wide                                        \
		__tsan_atomic128_fetch_##name(volatile hooks_wide *a,  \
					      hooks_wide v, int order) \
	{                                                              \
		hooks_wide old = *a, seen;                             \
                                                                       \
		(void)order;                                           \
		NOTE(a, MODIFY(4));                                    \
		while ((seen = wide_swap(a, old, (result))) != old)    \
			old = seen;                                    \
		return old;                                            \
	}

/* gcc's two forms, of which the weak one may be strong, and clang's. */
#define SWAP(bits, type, log2, swap)                                           \
	HOOKS_PUBLIC int                                                       \
		__tsan_atomic##bits##_compare_exchange_strong(volatile type    \
								      *a,      \
							      type *c, type v, \
							      int order,       \
							      int failed)      \
	{                                                                      \
		type expected = *c, seen;                                      \
                                                                               \
		(void)order;                                                   \
		(void)failed;                                                  \
		NOTE(a, MODIFY(log2));                                         \
		seen = swap(a, expected, v);                                   \
		if (seen != expected)                                          \
			*c = seen;                                             \
		return seen == expected;                                       \
	}                                                                      \
	HOOKS_PUBLIC int                                                       \
		__tsan_atomic##bits##_compare_exchange_weak(volatile type *a,  \
							    type *c, type v,   \
							    int order,         \
							    int failed)        \
			__attribute__((alias("__tsan_atomic" #bits             \
					     "_compare_exchange_strong")));    \
	HOOKS_PUBLIC type                                                      \
		__tsan_atomic##bits##_compare_exchange_val(volatile type *a,   \
							   type c, type v,     \
							   int order,          \
							   int failed)         \
	{                                                                      \
		(void)order;                                                   \
		(void)failed;                                                  \
		NOTE(a, MODIFY(log2));                                         \
		return swap(a, c, v);                                          \
	}

#define NARROW(bits, type, log2)             \
	NARROW_PLAIN(bits, type, log2)       \
	NARROW_FETCH(bits, type, log2, add)  \
	NARROW_FETCH(bits, type, log2, sub)  \
	NARROW_FETCH(bits, type, log2, and)  \
	NARROW_FETCH(bits, type, log2, or)   \
	NARROW_FETCH(bits, type, log2, xor)  \
	NARROW_FETCH(bits, type, log2, nand) \
	SWAP(bits, type, log2, swap##bits)

NARROW(8, uint8_t, 0)
NARROW(16, uint16_t, 1)
NARROW(32, uint32_t, 2)
NARROW(64, uint64_t, 3)

HOOKS_PUBLIC hooks_wide
__tsan_atomic128_load(const volatile hooks_wide *a, int order)
{
	(void)order;
	NOTE(a, HOOK_READ + 4);
	return wide_swap((volatile hooks_wide *)(uintptr_t)a, 0, 0);
}

WIDE_FETCH(add, old + v)
WIDE_FETCH(sub, old - v)
WIDE_FETCH(and, old &v)
WIDE_FETCH(or, old | v)
WIDE_FETCH(xor, old ^ v)
WIDE_FETCH(nand, ~(old &v))
SWAP(128, hooks_wide, 4, wide_swap)

HOOKS_PUBLIC hooks_wide
__tsan_atomic128_exchange(volatile hooks_wide *a, hooks_wide v, int order)
{
	hooks_wide old = *a, seen;

	(void)order;
	NOTE(a, MODIFY(4));
	while ((seen = wide_swap(a, old, v)) != old)
		old = seen;
	return old;
}

HOOKS_PUBLIC void
__tsan_atomic128_store(volatile hooks_wide *a, hooks_wide v, int order)
{
	hooks_wide old = *a, seen;

	(void)order;
	NOTE(a, HOOK_WRITE + 4);
	while ((seen = wide_swap(a, old, v)) != old)
		old = seen;
}

HOOKS_PUBLIC void
__tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

HOOKS_PUBLIC void
__tsan_atomic_signal_fence(int order)
{
	(void)order;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* clang from 15 on calls these in the place of the C library's. */
#define RANGE(a, n, code) \
	hooks_range_at((uintptr_t)(a), SITE, n, (uint64_t)(code) << 56)

HOOKS_PUBLIC void *
__tsan_memcpy(void *to, const void *from, size_t n)
{
	RANGE(from, n, HOOK_READ_RANGE);
	RANGE(to, n, HOOK_WRITE_RANGE);
	return memcpy(to, from, n);
}

HOOKS_PUBLIC void *
__tsan_memmove(void *to, const void *from, size_t n)
{
	RANGE(from, n, HOOK_READ_RANGE);
	RANGE(to, n, HOOK_WRITE_RANGE);
	return memmove(to, from, n);
}

HOOKS_PUBLIC void *
__tsan_memset(void *to, int value, size_t n)
{
	RANGE(to, n, HOOK_WRITE_RANGE);
	return memset(to, value, n);
}
