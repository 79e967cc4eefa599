// SPDX-License-Identifier: GPL-2.0-or-later
/* Cores taking turns; see cores.h. */
#include "models/translation/cores.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define NOT_PLACED UINT32_MAX

static const char *const placements[] = { "recorded", "round-robin", "single",
					  NULL };

const struct option_row cores_rows[] = {
	{ .name = "cores",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cores_config, cores),
	  .fallback = "1",
	  .min = 1,
	  .max = CORES_MAX,
	  .unit = "cores",
	  .help = "cores, each with its own TLBs, walk caches and walker" },
	{ .name = "placement",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct cores_config, placement),
	  .fallback = "recorded",
	  .choices = placements,
	  .help = "on which core a thread runs: as the trace says (where it "
		  "does not, in turn), each new one on the next, all on one" },
	{ NULL },
};

int
cores_init(struct cores *cores, const struct cores_config *config,
	   const struct core_config *core, const struct core_kernel *kernel,
	   struct hierarchy *hierarchy)
{
	*cores = (struct cores){ .placement = config->placement };
	cores->core = calloc((size_t)config->cores, sizeof(*cores->core));
	cores->threads_on =
		calloc((size_t)config->cores, sizeof(*cores->threads_on));
	if (!cores->core || !cores->threads_on) {
		cores_fini(cores);
		return fail(ENOMEM, "machine: no memory for cores");
	}
	for (; cores->n < config->cores; cores->n++) {
		struct core_config own = *core;
		int error;

		own.seed += (uint64_t)cores->n << 32;
		error = core_init(&cores->core[cores->n], &own, kernel,
				  hierarchy_of_core(hierarchy, cores->n));
		if (error) {
			cores_fini(cores);
			return error;
		}
	}
	return 0;
}

void
cores_fini(struct cores *cores)
{
	for (uint32_t i = 0; i < cores->n; i++)
		core_fini(&cores->core[i]);
	free(cores->core);
	free(cores->core_of);
	free(cores->threads_on);
	*cores = (struct cores){ .n = 0 };
}

static int
grow(struct cores *cores, uint32_t thread)
{
	uint32_t threads = cores->threads ? cores->threads : 64;
	uint32_t *grown;

	while (threads <= thread)
		threads *= 2;
	grown = reallocarray(cores->core_of, threads, sizeof(*grown));
	if (!grown)
		return fail(ENOMEM, "machine: no memory for thread %u", thread);
	for (uint32_t i = cores->threads; i < threads; i++)
		grown[i] = NOT_PLACED;
	cores->core_of = grown;
	cores->threads = threads;
	return 0;
}

static int
place(struct cores *cores, uint32_t thread, uint32_t core)
{
	if (thread >= cores->threads) {
		int error = grow(cores, thread);

		if (error)
			return error;
	}
	cores->threads_on[core] += cores->core_of[thread] != core;
	cores->core_of[thread] = core;
	return 0;
}

/* The core of a thread, which gets one if it has none. */
static int
find_core(struct cores *cores, uint32_t thread, uint32_t *core)
{
	int error = 0;

	if (thread >= cores->threads || cores->core_of[thread] == NOT_PLACED)
		error = place(cores, thread,
			      cores->placement == CORES_SINGLE
				      ? 0
				      : cores->placed++ % cores->n);
	if (!error)
		*core = cores->core_of[thread];
	return error;
}

/* What was learnt of the trace goes to who has the turn. */
static struct core *
turn_to(struct cores *cores, uint32_t next, uint64_t position)
{
	struct core *from = &cores->core[cores->turn];
	struct core *to = &cores->core[next];

	if (from != to) {
		struct site_table sites = from->sites;
		struct core_steps steps = from->steps;

		from->sites = to->sites;
		from->steps = to->steps;
		to->sites = sites;
		to->steps = steps;
		cores->turn = next;
	}
	to->position = position;
	to->elsewhere = position - core_accesses(to);
	return to;
}

int
cores_begin(struct cores *cores, struct core_pass *pass,
	    const struct stream *stream, const struct batch *batch,
	    struct table *table, uint64_t position)
{
	uint32_t next = 0;
	struct core *core;
	int error = find_core(cores, batch->thread, &next);

	if (error)
		return error;
	core = turn_to(cores, next, position);
	error = site_table_update(&core->sites, stream);
	if (error)
		return error;
	core_switch(core, batch->space, table);
	return core_pass_begin(core, pass, stream, batch);
}

int
cores_feed(struct cores *cores, struct core_pass *pass, uint32_t to)
{
	return core_pass_feed(&cores->core[cores->turn], pass, to);
}

int
cores_event(struct cores *cores, struct core_pass *pass,
	    const struct event *event, uint64_t position)
{
	struct core *from = &cores->core[cores->turn], *to;
	uint32_t next = (uint32_t)(event->value % cores->n);
	uint32_t thread = pass->batch->thread;
	int error;

	if (event->type != EVENT_SWITCH || cores->placement != CORES_RECORDED)
		return 0;
	error = place(cores, thread, next);
	if (error || next == cores->turn)
		return error;
	to = turn_to(cores, next, position);
	core_switch(to, from->space, from->table);
	core_pass_move(to, pass);
	return 0;
}

void
cores_invalidate(struct cores *cores, uint32_t space, uint64_t address,
		 uint64_t length)
{
	uint64_t others = 0;

	for (uint32_t i = 0; i < cores->n; i++) {
		struct core *core = &cores->core[i];

		if (!core_invalidate(core, space, address, length) ||
		    i == cores->turn)
			continue;
		others++;
		cores->running += core->space == space;
		cores->lazy += core->space != space;
	}
	cores->shootdowns += others > 0;
}

void
cores_forget(struct cores *cores)
{
	for (uint32_t i = 0; i < cores->n; i++)
		core_forget(&cores->core[i]);
}

static int
finish_table(const struct cores *cores, struct result *result)
{
	static const char *const columns[] = { "core:",
					       "threads:threads",
					       "accesses:accesses",
					       "l1_misses:lookups",
					       "l2_misses:lookups",
					       "walks:walks",
					       "walk_cycles:cycles",
					       "switches:switches",
					       NULL };
	int error = result_table(result, "cores",
				 "what each core did; threads: that came to "
				 "it, switches: of address spaces",
				 columns);

	for (uint32_t i = 0; !error && i < cores->n; i++) {
		const struct core *core = &cores->core[i];
		const struct core_counts *c = &core->counts;

		error = result_row(result, "cores", "uuuuuuuu", (uint64_t)i,
				   (uint64_t)cores->threads_on[i],
				   core_accesses(core),
				   c->l1_misses[CORE_DATA] +
					   c->l1_misses[CORE_FETCH],
				   c->l2_misses[CORE_DATA] +
					   c->l2_misses[CORE_FETCH],
				   core->walker.walks, core->walker.cycles,
				   c->switches);
	}
	return error;
}

static int
finish_shootdowns(const struct cores *cores, struct result *result)
{
	int error = result_count(result, "tlb.shootdown.count",
				 cores->shootdowns, "invalidations");

	if (!error)
		error = result_count(result, "tlb.shootdown.running",
				     cores->running, "cores");
	return error ? error
		     : result_count(result, "tlb.shootdown.lazy", cores->lazy,
				    "cores");
}

int
cores_finish(struct cores *cores, const struct stream *stream,
	     struct result *result)
{
	struct core *sum = turn_to(cores, 0, 0);
	int error = finish_table(cores, result);

	for (uint32_t i = 1; !error && i < cores->n; i++)
		error = core_add(sum, &cores->core[i]);
	if (!error)
		error = core_finish(sum, stream, result);
	return error ? error : finish_shootdowns(cores, result);
}
