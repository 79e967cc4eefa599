// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waits with a time limit that our own stops end with EINTR (signal(7)).  They
 * are made again, for the time that is left: else a wait that is longer than
 * the time from one stop to the next would never end.  The limit stands in a
 * register, or where a register points to; the program must find neither
 * changed, so such a call is watched to its end.
 *
 *	interrupted -> WANTED -> thread_go: ARMED -> its end: ENDED
 *	                 ^-- before its beginning <--|
 *
 * How long it had waited at the first of our stops nobody knows.
 */
#include "tracers/cache-engine.h"

#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define SECOND_NS  UINT64_C(1000000000)
#define MS_NS	   UINT64_C(1000000)
#define SPEC_BELOW 1024 /* of the stack: the red zone and some more */

/* Which argument it is; is it in milliseconds, or points to a timespec? */
static const struct limit {
	uint16_t number;
	uint8_t argument;
	bool milliseconds;
} limits[] = {
	{ SYS_epoll_wait, 3, true },
	{ SYS_epoll_pwait, 3, true },
	{ 441, 3, false }, /* epoll_pwait2 */
	{ SYS_rt_sigtimedwait, 2, false },
	{ SYS_semtimedop, 3, false },
	{ SYS_io_getevents, 4, false },
	{ 333, 4, false }, /* io_pgetevents */
};

static const struct limit *
find_limit(uint64_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].number == number)
			return &limits[i];
	return NULL;
}

static unsigned long long int *
argument(struct user_regs_struct *r, unsigned i)
{
	unsigned long long int *const field[] = { &r->rdi, &r->rsi, &r->rdx,
						  &r->r10, &r->r8,  &r->r9 };

	return field[i];
}

/* UINT64_MAX: none */
static uint64_t
length_ns(struct cache_thread *thread, const struct limit *limit)
{
	uint64_t value = *argument(&thread->registers, limit->argument);
	struct timespec spec;

	if (limit->milliseconds)
		return (int)value > 0 ? (uint64_t)(int)value * MS_NS
				      : UINT64_MAX;
	if (!value || target_read(thread->tid, value, &spec, sizeof(spec)) !=
			      sizeof(spec))
		return UINT64_MAX;
	/* A century is for ever */
	if (spec.tv_sec < 0 || spec.tv_sec > UINT32_MAX || spec.tv_nsec < 0)
		return UINT64_MAX;
	return (uint64_t)spec.tv_sec * SECOND_NS + (uint64_t)spec.tv_nsec;
}

void
wait_interrupted(struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;
	const struct limit *limit = find_limit(r->rax);
	struct cache_wait *wait = &thread->wait;
	bool goes_on = wait->state == WAIT_ENDED && wait->pc == r->rip;
	uint64_t ns;

	wait->state = WAIT_NONE;
	if (!limit)
		return;
	ns = length_ns(thread, limit);
	if (ns == UINT64_MAX)
		return;
	if (!goes_on)
		wait->until_ns = cache_now_ns() + ns;
	wait->pc = r->rip;
	wait->state = WAIT_WANTED;
}

/* For milliseconds rounded up: it must not end too early */
static void
shorten(struct cache_thread *thread, const struct limit *limit)
{
	unsigned long long int *value =
		argument(&thread->registers, limit->argument);
	struct cache_wait *wait = &thread->wait;
	uint64_t now = cache_now_ns();
	uint64_t left = wait->until_ns > now ? wait->until_ns - now : 0;
	struct timespec spec = { (time_t)(left / SECOND_NS),
				 (long int)(left % SECOND_NS) };

	wait->argument = limit->argument;
	wait->own = *value;
	wait->place = 0;
	if (limit->milliseconds) {
		*value = (left + MS_NS - 1) / MS_NS;
		return;
	}
	wait->place = (thread->registers.rsp - SPEC_BELOW) & ~UINT64_C(15);
	if (target_read(thread->tid, wait->place, wait->old,
			sizeof(wait->old)) != sizeof(wait->old)) {
		wait->place = 0;
		return;
	}
	target_write(thread->tid, wait->place, &spec, sizeof(spec));
	*value = wait->place;
}

bool
wait_goes_on(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_wait *wait = &thread->wait;
	const struct limit *limit = find_limit(thread->registers.rax);
	bool wanted = wait->state == WAIT_WANTED && limit && !thread->signal &&
		      thread->registers.rip == wait->pc;

	wait->state = WAIT_NONE;
	if (!wanted)
		return false;
	wait->state = WAIT_ARMED;
	shorten(thread, limit);
	call_begin(engine, thread);
	return true;
}

void
wait_entered(struct cache_thread *thread)
{
	const struct cache_wait *wait = &thread->wait;

	if (wait->state == WAIT_ARMED)
		thread->call.argument[wait->argument] = wait->own;
}

void
wait_ended(struct cache_thread *thread)
{
	struct cache_wait *wait = &thread->wait;

	if (wait->state != WAIT_ARMED)
		return;
	/* It may not have begun */
	wait->state = thread->in_call ? WAIT_ENDED : WAIT_WANTED;
	*argument(&thread->registers, wait->argument) = wait->own;
	remote_set(thread);
	if (wait->place)
		target_write(thread->tid, wait->place, wait->old,
			     sizeof(wait->old));
}
