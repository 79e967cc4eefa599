// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A full cache is emptied: its threads are brought into the program's own state
 * ("parked"), the arenas begin anew with a fresh struct cache_code, and all go
 * on.  The old one lives until the last record of it is expanded.  Nothing of
 * the program refers to translated code: return addresses are its own, and where
 * its threads' returns land is forgotten.
 */
#include "tracers/cache-engine.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tracers/cache-stub.h"

bool
thread_must_wait(const struct cache_thread *thread)
{
	const struct cache_space *space = thread->process->shared;

	return space && space->code->full;
}

static void
close_code(void *code)
{
	cache_code_close(code);
}

static struct cache_code *
begin_anew(const struct cache_code *old)
{
	struct cache_code *new;

	if (cache_code_open(&new, &old->methods))
		return NULL;
	new->data = old->data;
	new->bytes_max = old->bytes_max;
	new->table = old->table;
	new->level2 = old->level2;
	new->level2_at = old->level2_at;
	new->table_bits = old->table_bits;
	new->level2_bits = old->level2_bits;
	new->n_arenas = old->n_arenas;
	for (unsigned i = 0; i < old->n_arenas; i++)
		new->arena[i] = (struct cache_arena){
			.memory = old->arena[i].memory,
			.address = old->arena[i].address,
			.used = (size_t)(cache_stub_end - cache_stub),
		};
	return new;
}

static void
empty(struct cache_engine *engine, struct cache_space *space)
{
	struct cache_code *new = begin_anew(space->code);
	struct cache_segment segment = { .kind = SEGMENT_CLOSE,
					 .close = close_code,
					 .what = space->code };
	struct cache_thread *next;

	if (!new) {
		engine->failed = true;
		return;
	}
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->process && t->process->shared == space)
			records_flush(engine, t);
	link_forget(space->code);
	queue_put(engine->queue, &segment);
	space->code = new;
	space_forget_returns(space);
	engine->counts.emptied++;
	for (struct cache_thread *t = engine->threads; t; t = next) {
		next = t->next;
		if (!t->parked || !t->process || t->process->shared != space)
			continue;
		t->parked = false;
		thread_go(engine, t);
		/* Going on may have removed any of them */
		next = engine->threads;
	}
}

static bool
in_cache(const struct cache_thread *thread, const struct cache_space *space)
{
	return thread->process && thread->process->shared == space &&
	       thread->mode == MODE_CACHE;
}

/* true: none of its threads is in the cache */
static bool
call_back(struct cache_engine *engine, const struct cache_space *space)
{
	bool out = true;

	for (struct cache_thread *t = engine->threads; t; t = t->next) {
		if (!in_cache(t, space))
			continue;
		out = false;
		if (t->interrupted || t->held)
			continue;
		t->interrupted = true;
		ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
	}
	return out;
}

static struct cache_space *
full_space(const struct cache_engine *engine)
{
	for (const struct cache_process *p = engine->processes; p; p = p->next)
		if (p->shared && p->shared->code->full)
			return p->shared;
	return NULL;
}

void
empty_full(struct cache_engine *engine)
{
	struct cache_space *space;
	int status;

	while ((space = full_space(engine)) && !engine->detaching &&
	       !engine->failed) {
		pid_t tid;

		if (call_back(engine, space)) {
			empty(engine, space);
			continue;
		}
		tid = waitpid(-1, &status, __WALL);
		if (tid > 0)
			trace_look(engine, tid, status);
		else if (errno == ECHILD)
			return;
	}
}
