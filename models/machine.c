// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine as a model: wires the parts together, feeds batches to its cores
 * between events, and gathers what the parts counted.
 *
 *	batch -> accesses -> a core -> walker -> table, hierarchy
 *	      \                  \-> fault -> paging -> table, frames
 *	       \-> events ------------------> paging -> invalidate -> all cores
 */
#include "models/machine-inside.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

static int
machine_fault(void *context, uint32_t space, uint64_t address,
	      enum site_kind kind, uint64_t position, struct mapping *mapping)
{
	const struct chunk_place place = { .address = address,
					   .position = position,
					   .space = space };
	struct machine *machine = context;
	int error;

	machine->span_end = 0;
	if (machine->explain)
		explain_fault(machine->explain);
	if (unlikely(machine->who != NULL))
		error = machine_who_fault(machine->who,
					  &(struct access){ space, address,
							    kind, position },
					  mapping);
	else
		error = paging_fault(machine->paging, space, address, kind,
				     position, mapping);
	if (!error && machine->chunks)
		error = chunks_faulted(machine->chunks, &place, mapping->shift);
	return error;
}

static int
grow_regions(struct machine *machine, uint32_t region)
{
	uint32_t max = machine->max_regions ? machine->max_regions : 64;
	struct region_count *grown;

	while (max <= region)
		max *= 2;
	grown = reallocarray(machine->region, max, sizeof(*grown));
	if (!grown)
		return fail(ENOMEM, "machine: no memory for %u regions",
			    region);
	memset(grown + machine->max_regions, 0,
	       (max - machine->max_regions) * sizeof(*grown));
	machine->region = grown;
	machine->max_regions = max;
	return 0;
}

static uint32_t
region_at(struct machine *machine, uint32_t space, uint64_t address)
{
	if (likely(space == machine->span_space &&
		   address >= machine->span_start &&
		   address < machine->span_end))
		return machine->span_region;
	machine->span_space = space;
	machine->span_region =
		paging_region_span(machine->paging, space, address,
				   &machine->span_start, &machine->span_end);
	return machine->span_region;
}

/* Of the memory at an address of the running space. */
static int
machine_memory_type(void *context, uint64_t address)
{
	struct machine *machine = context;
	uint32_t region =
		region_at(machine,
			  machine->cores.core[machine->cores.turn].space,
			  address);

	return (int)attributes_of(machine->attributes, address, region,
				  paging_region_name(machine->paging, region));
}

/* Accesses that went through a core without columns. */
static int
machine_touched(void *context, uint32_t space, uint64_t address,
		uint64_t position)
{
	return paging_watch(((struct machine *)context)->paging, space, address,
			    position);
}

/* Add walks to what is mapped there. */
static void
machine_walked(struct machine *machine, uint32_t region, uint64_t walks,
	       uint64_t cycles)
{
	if (unlikely(region >= machine->max_regions) &&
	    grow_regions(machine, region)) {
		machine->no_memory = true;
		return;
	}
	machine->region[region].walks += walks;
	machine->region[region].cycles += cycles;
}

/* Walks that are hinting faults; what is to be moved waits for the end of the
 * batch. */
static NOINLINE void
look_for_hints(struct machine *machine, const struct core_misses *misses)
{
	for (unsigned i = 0; i < misses->n; i++) {
		struct paging_page page;

		if (misses->walked[i] &&
		    numa_hints_pending(machine->hints, misses->space,
				       misses->address[i] & ~UINT64_C(4095)) &&
		    paging_page(machine->paging, misses->space,
				misses->address[i], &page) &&
		    numa_hints_walk(machine->hints, misses->space, page.start,
				    frames_node(machine->frames, page.frame),
				    machine->thread))
			machine->no_memory = true;
	}
}

struct marks {
	struct machine *machine;
	uint32_t space;
};

static void
machine_mark(void *context, uint64_t start, uint64_t bytes)
{
	const struct marks *marks = context;

	if (numa_hints_mark(marks->machine->hints, marks->space, start, bytes))
		marks->machine->no_memory = true;
}

/* Scan, if it is time to. */
static int
scan_for_hints(struct machine *machine, const struct batch *batch)
{
	struct marks marks = { machine, batch->space };
	struct paging_scan scan = { .context = &marks, .mark = machine_mark };
	uint64_t *cursor;
	int error;

	scan.bytes =
		numa_hints_due(machine->hints, batch->space, batch->time_ns,
			       paging_resident_bytes(machine->paging), &cursor);
	if (!scan.bytes)
		return 0;
	error = paging_scan(machine->paging, batch->space, &scan, cursor);
	numa_hints_scanned(machine->hints, batch->space);
	return error;
}

static int
move_pages(struct machine *machine)
{
	struct numa_move move;

	while (numa_hints_move(machine->hints, &move)) {
		int moved = paging_move(machine->paging, move.space,
					move.address, move.node);

		if (moved < 0)
			return moved;
		numa_hints_moved(machine->hints, moved);
	}
	return 0;
}

static int
run_nodes(struct machine *machine, const struct batch *batch)
{
	if (!machine->numa)
		return 0;
	machine->thread = batch->thread;
	numa_run(machine->numa, batch->thread, machine->accesses);
	frames_move_tables(machine->frames);
	if (!machine->hints)
		return 0;
	return move_pages(machine) ? -ENOMEM : scan_for_hints(machine, batch);
}

/* Whose turn it is decides where it runs, if it is asked. */
static void
run_core(struct machine *machine)
{
	if (machine->numa)
		numa_run_core(machine->numa, machine->cores.turn,
			      machine->cores.n, machine->accesses);
}

static NOINLINE void
tell_bound(struct machine *machine, const struct core_misses *misses)
{
	for (unsigned i = 0; i < misses->n; i++)
		bound_missed(machine->bound,
			     stream_site(machine->stream,
					 SITE_INDEX(misses->site[i]))
				     ->pc,
			     misses->position[i], misses->walked[i],
			     misses->cycles[i]);
}

/* The i-th miss, for the list by 2 MiB */
static struct chunk_place
place_of(struct machine *machine, const struct core_misses *misses, unsigned i)
{
	struct chunk_place place = { .address = misses->address[i],
				     .position = misses->position[i],
				     .space = misses->space };

	place.region = region_at(machine, place.space, place.address);
	place.start = machine->span_start;
	place.end = machine->span_end;
	return place;
}

static NOINLINE void
tell_chunks(struct machine *machine, const struct core_misses *misses)
{
	struct chunk_place place;
	int error = 0;

	for (unsigned i = 0; i < misses->n && !error; i++) {
		if (!misses->walked[i])
			continue;
		place = place_of(machine, misses, i);
		error = chunks_walked(machine->chunks, &place,
				      misses->cycles[i]);
	}
	for (unsigned i = 0; i < misses->n_first && !error; i++) {
		place = place_of(machine, misses, misses->first[i]);
		error = chunks_touched(machine->chunks, &place);
	}
	if (error)
		machine->no_memory = true;
}

static void
machine_faulted(void *context, uint32_t space, uint64_t page, uint64_t accesses,
		bool major)
{
	struct machine *machine = context;

	if (machine->who &&
	    machine_who_faulted(machine->who, space, page, accesses, major))
		machine->no_memory = true;
}

static void
machine_missed(void *context, const struct core_misses *misses)
{
	struct machine *machine = context;
	uint32_t space = misses->space;

	if (unlikely(machine->explain != NULL))
		explain_missed(machine->explain, misses);
	if (unlikely(machine->who != NULL) &&
	    machine_who_missed(machine->who, misses))
		machine->no_memory = true;
	heatmap_add(machine->heatmap, space, misses->n, misses->address,
		    misses->position, misses->walked);
	if (unlikely(machine->bound != NULL))
		tell_bound(machine, misses);
	if (unlikely(machine->chunks != NULL))
		tell_chunks(machine, misses);
	if (unlikely(machine->hints))
		look_for_hints(machine, misses);
	for (unsigned i = 0; machine->walks && i < misses->n; i++)
		if (misses->walked[i] &&
		    paging_walked(machine->paging, space, misses->address[i],
				  misses->walked[i]))
			machine->no_memory = true;
	for (unsigned i = 0; i < misses->n_first; i++)
		paging_touch(machine->paging, space,
			     misses->address[misses->first[i]]);
	for (unsigned i = 0; i < misses->n;) {
		uint32_t region;
		uint64_t walks = 0, cycles = 0;

		if (!misses->walked[i]) {
			i++;
			continue;
		}
		region = region_at(machine, space, misses->address[i]);
		do {
			walks += misses->walked[i];
			cycles += misses->cycles[i];
		} while (++i < misses->n &&
			 misses->address[i] >= machine->span_start &&
			 misses->address[i] < machine->span_end);
		machine_walked(machine, region, walks, cycles);
	}
}

static void
machine_invalidate(void *context, uint32_t space, uint64_t address,
		   uint64_t length)
{
	struct machine *machine = context;

	if (machine->bound)
		bound_invalidated(machine->bound, address, length);
	cores_invalidate(&machine->cores, space, address, length);
	if (unlikely(machine->reclaim))
		driver_invalidate(machine->reclaim, space, address, length);
}

static void
machine_again(void *context)
{
	cores_forget(&((struct machine *)context)->cores);
}

static void
machine_gone(void *context, unsigned shift, uint64_t frame)
{
	driver_gone(((struct machine *)context)->reclaim, shift, frame);
}

static void
machine_came(void *context, uint32_t space, uint64_t address, unsigned shift,
	     uint64_t frame)
{
	driver_came(((struct machine *)context)->reclaim, space, address, shift,
		    frame);
}

static bool
machine_room(void *context, uint32_t space, unsigned shift, bool wait)
{
	return driver_room(((struct machine *)context)->reclaim, space, shift,
			   wait);
}

static void
machine_swapped(void *context, uint64_t frame, uint64_t slot)
{
	driver_swapped(((struct machine *)context)->reclaim, frame, slot);
}

static void
machine_returned(void *context, uint64_t slot, uint64_t frame, bool kept)
{
	driver_returned(((struct machine *)context)->reclaim, slot, frame,
			kept);
}

static void
machine_ahead(void *context, uint64_t frame)
{
	driver_ahead(((struct machine *)context)->reclaim, frame);
}

static void
machine_forgotten(void *context, uint64_t slot)
{
	driver_forgotten(((struct machine *)context)->reclaim, slot);
}

/* Reclaim has seen the accesses up to there. */
static int
machine_run(void *context, uint32_t to)
{
	struct machine *machine = context;

	/* Pages may have come and gone since. */
	machine->span_end = 0;
	return cores_feed(&machine->cores, machine->pass, to);
}

static int
feed_events(struct machine *machine, struct core_pass *pass, uint32_t *event,
	    uint32_t position)
{
	const struct batch *batch = pass->batch;
	uint64_t run = machine->accesses + position;
	int error = 0;

	machine->span_end = 0;
	while (!error && *event < batch->n_events &&
	       batch->event[*event].position <= position) {
		const struct event *next = &batch->event[(*event)++];

		if (machine->numa && next->type == EVENT_SWITCH)
			numa_switch(machine->numa, batch->thread, next->value);
		if (machine->who)
			error = machine_who_event(machine->who, batch, next);
		if (!error)
			error = looks_event(machine->looks, batch->space, next);
		if (!error)
			error = paging_event(machine->paging, batch, next, run);
		if (!error && machine->reclaim)
			error = driver_event(machine->reclaim, batch, next,
					     run);
		if (!error)
			error = cores_event(&machine->cores, pass, next, run);
		if (machine->numa && next->type == EVENT_SWITCH) {
			numa_run(machine->numa, batch->thread, run);
			run_core(machine);
		}
	}
	if (machine->who)
		machine_who_followed(machine->who);
	return error;
}

static int
feed_cores(struct machine *machine, struct core_pass *pass, uint32_t from,
	   uint32_t to)
{
	if (likely(!machine->reclaim))
		return cores_feed(&machine->cores, pass, to);
	machine->pass = pass;
	return driver_feed(machine->reclaim, pass->batch, from, to,
			   machine->accesses + from);
}

/*
 * What the kernel does by the clock it does among the accesses of a batch, which
 * are taken to be spread evenly over its time: so that it is the same however
 * the run is cut into batches.  The next such place from `from` on, and the time
 * of it; the batch's end if there is none.
 */
static uint32_t
next_due(const struct machine *machine, const struct batch *batch,
	 uint32_t from, uint64_t *due_ns)
{
	uint64_t begin = machine->time_ns, end = batch->time_ns;
	uint64_t due = paging_next(machine->paging);
	double part;
	uint32_t at;

	if (!begin || end <= begin || due >= end || due <= *due_ns) {
		*due_ns = end;
		return batch->n;
	}
	part = due > begin ? (double)(due - begin) / (double)(end - begin) : 0;
	at = (uint32_t)(part * batch->n);
	*due_ns = due;
	return at > from ? at : from;
}

static int
pass_time(struct machine *machine, uint64_t time_ns, uint32_t position)
{
	machine->span_end = 0;
	return paging_time(machine->paging, time_ns,
			   machine->accesses + position);
}

static int
feed_accesses(struct machine *machine, struct core_pass *pass, uint32_t from,
	      uint32_t to)
{
	struct machine_who *who = machine->who;
	int error = who ? machine_who_feed(who, pass->batch, from, to,
					   machine->accesses + from)
			: 0;

	if (!error)
		error = feed_cores(machine, pass, from, to);
	return error || !who ? error : machine_who_settle(who);
}

static int
machine_feed(struct model *model, const struct batch *batch)
{
	struct machine *machine = machine_of(model);
	uint32_t from = 0, event = 0, due = 0;
	uint64_t due_ns = 0;
	struct core_pass pass;
	struct table *table = paging_table(machine->paging, batch->space);
	int error;

	if (!table)
		return -ENOMEM;
	if (machine->who)
		machine_who_begin(machine->who, batch, machine->accesses);
	frames_run(machine->frames, batch->space);
	error = run_nodes(machine, batch);
	if (machine->explain)
		table = explain_table(machine->explain, &machine->cores,
				      batch->space, table);
	if (!error)
		error = cores_begin(&machine->cores, &pass, machine->stream,
				    batch, table, machine->accesses);
	run_core(machine);
	if (!error)
		error = feed_events(machine, &pass, &event, 0);
	due = next_due(machine, batch, 0, &due_ns);
	while (!error && from < batch->n) {
		uint32_t to = event < batch->n_events
				      ? batch->event[event].position
				      : batch->n;

		to = to < due ? to : due;

		if (machine->bound)
			error = bound_accesses(machine->bound, machine->stream,
					       batch,
					       &(struct bound_part){
						       from, to,
						       machine->accesses });
		if (!error)
			error = feed_accesses(machine, &pass, from, to);
		if (!error)
			error = feed_events(machine, &pass, &event, to);
		from = to;
		if (!error && from == due && from < batch->n) {
			error = pass_time(machine, due_ns, from);
			due = next_due(machine, batch, from, &due_ns);
		}
	}
	if (!error)
		error = feed_events(machine, &pass, &event, batch->n);
	if (!error)
		error = pass_time(machine, batch->time_ns, batch->n);
	if (batch->time_ns)
		machine->time_ns = batch->time_ns;
	machine->accesses += batch->n;
	return error ? error : machine->no_memory ? -ENOMEM : 0;
}

static void
machine_close(struct model *model)
{
	struct machine *machine = machine_of(model);

	if (!model)
		return;
	cores_fini(&machine->cores);
	paging_close(machine->paging);
	driver_close(machine->reclaim);
	heatmap_close(machine->heatmap);
	bound_close(machine->bound);
	looks_close(machine->looks);
	explain_close(machine->explain);
	machine_who_close(machine->who);
	chunks_close(machine->chunks);
	hierarchy_close(machine->hierarchy);
	frames_close(machine->frames);
	numa_hints_close(machine->hints);
	numa_close(machine->numa);
	attributes_close(machine->attributes);
	free(machine->region);
	free(machine);
}

/* The bound wants to see all accesses. */
static const struct model_methods watching_methods = {
	.feed = machine_feed,
	.finish = machine_finish,
	.close = machine_close,
};

static const struct model_methods machine_methods = {
	.feed = machine_feed,
	.finish = machine_finish,
	.close = machine_close,
	.packed = true,
};

/* Its driver needs columns. */
static const struct model_methods reclaim_methods = {
	.feed = machine_feed,
	.finish = machine_finish,
	.close = machine_close,
};

static bool
takes_folios(const struct machine_config *config)
{
	return config->paging.policy == PAGES_THP &&
	       driver_takes_folios(&config->reclaim);
}

/* Pages leave, so that memory is as large as what stays and its tables; who
 * must hear where they go. */
static void
prepare_reclaim(const struct machine_config *config,
		struct paging_listener *listener, struct frames_config *frames,
		struct paging_config *paging)
{
	if (!driver_wanted(&config->reclaim))
		return;
	paging->swap_kind = driver_swap(&config->reclaim);
	frames->size_bytes = 0;
	listener->gone = machine_gone;
	listener->swapped = machine_swapped;
	listener->returned = machine_returned;
	listener->forgotten = machine_forgotten;
	listener->ahead = machine_ahead;
	if (!takes_folios(config))
		return;
	listener->came = machine_came;
	listener->room = machine_room;
}

static int
open_reclaim(struct machine *machine, const struct machine_config *config)
{
	const struct driver_with with = {
		.stream = machine->stream,
		.paging = machine->paging,
		.memory_bytes = config->frames.size_bytes,
		.seed = (uint64_t)config->seed,
		.folios = takes_folios(config),
		.context = machine,
		.run = machine_run,
	};

	if (!driver_wanted(&config->reclaim))
		return 0;
	machine->model.methods = &reclaim_methods;
	return driver_open(&machine->reclaim, &config->reclaim, &with);
}

/* The cores, and what the kind of the tables wants in each. */
static int
open_cores(struct machine *machine, const struct machine_config *config,
	   const struct core_config *core, const struct table_ops *ops,
	   const struct table_with *with)
{
	struct core_kernel kernel = { machine, machine_fault, machine_missed,
				      machine_touched };
	struct cores *cores = &machine->cores;
	struct core_config wanted = *core;
	int error;

	wanted.watch = paging_wants_watch(machine->paging);
	error = cores_init(cores, &config->cores, &wanted, &kernel,
			   machine->hierarchy);

	for (uint32_t i = 0; !error && ops->aside_open && i < cores->n; i++)
		error = ops->aside_open(&cores->core[i].walker.aside, with,
					core->seed + i);
	return error;
}

static int
open_nodes(struct machine *machine, const struct machine_config *config)
{
	int error = numa_open(&machine->numa, &config->numa,
			      (uint64_t)config->hierarchy.memory.latency);

	if (error || !machine->numa)
		return error;
	if (machine->nested)
		numa_nest(machine->numa);
	return machine->numa->config.data == NUMA_MIGRATE
		       ? numa_hints_open(&machine->hints, machine->numa)
		       : 0;
}

static int
open_parts(struct machine *machine, const struct machine_config *config)
{
	struct hierarchy_config hierarchy = config->hierarchy;
	struct frames_config frames = config->frames;
	struct core_config core = config->core;
	struct paging_config paging = config->paging;
	struct paging_listener listener = { .context = machine,
					    .invalidate = machine_invalidate,
					    .again = machine_again,
					    .faulted = machine_faulted };
	unsigned granule = paging_granule(&config->paging);
	const struct table_ops *ops =
		table_find_of(config->table_kind, granule);
	struct table_with with = { .config = &machine->tables,
				   .kinds = &machine->tables.own };
	int error;

	machine->tables = config->tables;
	machine->nested = !strcmp(ops->name, "nested");
	machine->tables.memory_bytes = config->frames.size_bytes;
	machine->tables.granule = core.granule = granule;
	tables_resolve(&machine->tables);
	if (!config->tables.memory.cached)
		hierarchy.levels.walks = HIERARCHY_WALKS_NONE;
	hierarchy.seed = core.seed = (uint64_t)config->seed;
	hierarchy.cores = (unsigned)config->cores.cores;
	hierarchy.colours = machine_colours(config);
	hierarchy.mapped_l3 = config->frames.palette.cache;
	hierarchy.coloured = config->frames.palette.colour != PALETTE_NONE;
	frames.palette.page = granule;
	if (config->hierarchy.levels.classify || hierarchy.coloured)
		frames.colours = hierarchy.colours;
	prepare_reclaim(config, &listener, &frames, &paging);
	error = open_nodes(machine, config);
	hierarchy.numa = frames.numa = machine->numa;
	if (!error)
		error = attributes_open(&machine->attributes,
					config->hierarchy.memory.attributes);
	if (machine->attributes)
		hierarchy.types =
			(struct hierarchy_types){ machine,
						  machine_memory_type };
	if (!error)
		error = frames_open(&machine->frames, &frames);
	if (!error)
		error = hierarchy_open(&machine->hierarchy, &hierarchy);
	if (!error)
		error = heatmap_open(&machine->heatmap);
	if (!error)
		error = looks_open(&machine->looks);
	if (!error)
		error = paging_open(&machine->paging, &paging, machine->stream,
				    machine->frames, ops, &with, &listener);
	if (!error)
		error = open_reclaim(machine, config);
	return error ? error : open_cores(machine, config, &core, ops, &with);
}

/* Why there is no bound; NULL: there is one. */
static const char *
boundless(const struct machine_config *config)
{
	const struct core_config *core = &config->core;

	if (strcmp(config->table_kind, "radix") != 0)
		return "table.kind: only radix has a longest walk";
	if (config->cores.cores > 1 || config->numa.nodes > 1)
		return "machine.cores, numa.nodes: of one core and node only";
	if (core->queue.cycles_per_access > 0)
		return "walks wait for each other (walker.*)";
	if (core->beside.range.entries || core->beside.prefetch.kind)
		return "tlb.range and tlb.prefetch use the walker, too";
	if (core->tlb[CORE_L2I].entries)
		return "tlb.l2i: two second levels";
	return NULL;
}

static int
open_bound(struct machine *machine, const struct machine_config *config)
{
	const struct core_config *core = &config->core;
	const struct tlb_config *last = &core->tlb[CORE_L2];
	uint64_t l1 = (uint64_t)core->tlb[CORE_L1D].latency;
	struct bound_machine of = { .why = boundless(config) };

	if (!config->bound.region || !*config->bound.region)
		return 0;
	/* Without a second level, what either first one holds */
	if (!last->entries)
		last = core->tlb[CORE_L1D].entries < core->tlb[CORE_L1I].entries
			       ? &core->tlb[CORE_L1D]
			       : &core->tlb[CORE_L1I];
	if (l1 < (uint64_t)core->tlb[CORE_L1I].latency)
		l1 = (uint64_t)core->tlb[CORE_L1I].latency;
	of.entries = (uint64_t)last->entries;
	of.ways = (uint64_t)last->ways;
	of.hit_cycles =
		(uint64_t)last->latency > l1 ? (uint64_t)last->latency : l1;
	of.walk_cycles = (uint64_t)(core->walker.overhead +
				    config->tables.own.radix.levels *
					    config->hierarchy.memory.latency);
	return bound_open(&machine->bound, &config->bound, &of);
}

static int
machine_open(struct model **out, const void *config,
	     const struct stream *stream)
{
	const struct machine_config *of = config;
	struct machine *machine;
	int error = machine_check(config);

	if (error)
		return error;
	machine = calloc(1, sizeof(*machine));
	if (!machine)
		return fail(ENOMEM, "machine: no memory");
	machine->model.methods = &machine_methods;
	machine->stream = stream;
	error = open_parts(machine, config);
	if (!error && of->timing.regions)
		error = chunks_open(&machine->chunks);
	if (!error)
		error = open_bound(machine, config);
	if (error) {
		machine_close(&machine->model);
		return error;
	}
	machine->walks = paging_wants_walks(machine->paging);
	if (machine->bound)
		machine->model.methods = &watching_methods;
	*out = &machine->model;
	return 0;
}

int
machine_explain(struct model *model, uint64_t n)
{
	return explain_open(&machine_of(model)->explain, n);
}

int
machine_who(struct model *model, const struct who_setup *setup)
{
	struct machine *machine = machine_of(model);
	const struct machine_who_of of = { machine->stream, machine->paging,
					   machine->frames, machine->numa };
	int error = machine_who_open(&machine->who, setup, &of);

	if (!error && machine_who_wants_columns(machine->who) &&
	    model->methods->packed)
		model->methods = &watching_methods;
	return error;
}

const struct model_ops machine_model = {
	.name = "machine",
	.help = "TLBs, walk caches, page table, caches and paging of a machine",
	.options = &machine_options,
	.open = machine_open,
};
