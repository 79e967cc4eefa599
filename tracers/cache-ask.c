// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Questions of running targets.  A thread that comes to an exit that is not
 * linked, or misses a target, writes what it wants into its area and looks for
 * an answer there for a while (cache-stub.S); as long as we are awake we look
 * for questions between any two blocks that are translated.  So a program that
 * begins makes few stops, each of which would put its processor to sleep.
 *
 * A thread gives up at any time, and stops: what it asked for is then looked at
 * as ever.  An answer may also be to give up.
 */
#include "tracers/cache-engine.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracers/cache-stub.h"

#define TURNS	    3000 /* a thread's looks at its answer: some 80 us */
#define OWN_TURNS   1500 /* ours for a question before we sleep */
#define THREADS_MAX 8	 /* they would keep each other from the processors */
/* After so many vain questions one by one, so many stops without any */
#define VAIN_MAX   4
#define VAIN_STOPS 20
#define PROCESSOR  39 /* field of /proc/PID/stat */

static uint32_t *
word(const struct cache_thread *thread, unsigned at)
{
	return (uint32_t *)(void *)(thread->view + at);
}

static void
set_answer(struct cache_thread *thread, uint64_t to)
{
	__atomic_store_n(word(thread, GS_ASKED), ASKED_NOT, __ATOMIC_RELAXED);
	__atomic_store_n((uint64_t *)(void *)(thread->view + GS_ANSWER), to,
			 __ATOMIC_RELEASE);
}

static void
set_turns(struct cache_thread *thread, uint64_t turns)
{
	__atomic_store_n((uint64_t *)(void *)(thread->view + GS_TURNS), turns,
			 __ATOMIC_RELAXED);
}

static void
refuse(struct cache_thread *thread)
{
	set_answer(thread, stub_address(thread->process->shared->code,
					cache_stub_give_up));
}

uint64_t
ask_wanted(const struct cache_thread *thread)
{
	const struct cache_link *link;
	uint64_t pc;

	if (!*word(thread, GS_LINK)) {
		memcpy(&pc, thread->view + GS_WANTED, sizeof(pc));
		return pc;
	}
	link = link_of(thread->process->shared->code, *word(thread, GS_LINK));
	return link ? link->target : 0;
}

bool
ask_is_miss(const struct cache_thread *thread)
{
	return !*word(thread, GS_LINK);
}

static void
answer(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_code *code = thread->process->shared->code;
	struct cache_block *block = NULL;

	engine->counts.asked++;
	if (!thread_must_leave(engine) && !code->full)
		block = cache_code_ask(code, ask_wanted(thread));
	if (block && !block->native && ask_is_miss(thread) &&
	    link_indirect(code, block))
		block = NULL;
	if (block && !block->native)
		set_answer(thread, block->code);
	else
		refuse(thread);
}

static bool
is_inside(const struct cache_thread *thread)
{
	return thread->mode == MODE_CACHE && !thread->stopped &&
	       thread->area >= 0;
}

bool
ask_answer(struct cache_engine *engine)
{
	bool any = false;

	if (!engine->ask.awake)
		return false;
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (is_inside(t) &&
		    __atomic_load_n(word(t, GS_ASKED), __ATOMIC_ACQUIRE) ==
			    ASKED) {
			answer(engine, t);
			any = true;
		}
	return any;
}

bool
ask_await(struct cache_engine *engine)
{
	if (!engine->ask.awake)
		return false;
	for (unsigned i = 0; i < OWN_TURNS; i++) {
		if (ask_answer(engine))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static void
set_all(struct cache_engine *engine, uint64_t turns)
{
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->mode == MODE_CACHE && t->area >= 0)
			set_turns(t, turns);
}

/* Where it ran last; -1: not known */
static int
processor_of(pid_t tid)
{
	char path[64], text[2048];
	const char *at;
	ssize_t n;
	int file;

	/* No FILE, whose memory a killed recorder may have locked */
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	n = read(file, text, sizeof(text) - 1);
	close(file);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < PROCESSOR; field++)
		at = strchr(at + 1, ' ');
	return at ? atoi(at) : -1;
}

/* A stop costs least on one processor, to which the kernel brings those that
 * wake each other; a question is only seen from another one. */
static void
move_away(struct cache_engine *engine, const struct cache_thread *thread)
{
	int processor = processor_of(thread->tid);
	cpu_set_t others = engine->ask.processors;

	if (processor < 0 || processor != sched_getcpu())
		return;
	CPU_CLR(processor, &others);
	engine->ask.away = !sched_setaffinity(0, sizeof(others), &others);
}

void
ask_sleep(struct cache_engine *engine)
{
	if (engine->ask.away)
		sched_setaffinity(0, sizeof(engine->ask.processors),
				  &engine->ask.processors);
	engine->ask.away = false;
	if (!engine->ask.awake)
		return;
	engine->ask.awake = false;
	set_all(engine, 0);
}

static bool
can_ask(const struct cache_engine *engine)
{
	unsigned n = 0;

	for (const struct cache_thread *t = engine->threads; t; t = t->next)
		if (++n > THREADS_MAX)
			return false;
	return engine->ask.possible && !engine->ask.stops_without;
}

void
ask_wake(struct cache_engine *engine)
{
	if (engine->ask.awake || !can_ask(engine))
		return;
	engine->ask.awake = true;
	set_all(engine, TURNS);
}

void
ask_enter(struct cache_engine *engine, struct cache_thread *thread)
{
	set_answer(thread, 0);
	set_turns(thread, engine->ask.awake ? TURNS : 0);
}

void
ask_end(struct cache_thread *thread)
{
	set_turns(thread, 0);
	refuse(thread);
}

void
ask_stopped(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_asking *ask = &engine->ask;

	if (ask->stops_without)
		ask->stops_without--;
	if (*word(thread, GS_ASKED) != ASKED_VAINLY)
		ask->vain = 0;
	else if (++ask->vain < VAIN_MAX)
		move_away(engine, thread);
	else {
		ask->vain = 0;
		ask->stops_without = VAIN_STOPS;
		ask_sleep(engine);
	}
	*word(thread, GS_ASKED) = ASKED_NOT;
}

void
ask_open(struct cache_engine *engine)
{
	cpu_set_t *set = &engine->ask.processors;

	/* Who waits for an answer keeps us from giving it */
	engine->ask.possible =
		!sched_getaffinity(0, sizeof(*set), set) && CPU_COUNT(set) > 1;
}
