// SPDX-License-Identifier: GPL-2.0-or-later
/* The first walks of a run, step by step; see explain.h. */
#include "models/translation/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/translation/core-miss.h"

#define EXPLAIN_MAX 100000u

/* One walk of the table, written down; one that faults and the one after make
 * a whole. */
struct told {
	uint64_t address;
	struct mapping mapping;
	unsigned from, top; /* levels; top 0: no walk caches apply */
	uint8_t asked;	    /* a bit for each walk cache there is */
	bool faulted, settled;
	size_t first; /* its reads are explain->read[first], ... */
	unsigned n;
	size_t first_ask; /* ... and explain->ask[first_ask], ... */
	unsigned n_asks;
};

/* What is beside the walk caches was asked. */
struct ask {
	const char *name;
	uint64_t address;
	unsigned level;
	bool hit;
};

struct read {
	struct table_reference reference;
	uint8_t place;
	uint32_t latency;
};

/* What a miss came to: steps [first, first + n). */
struct walk {
	uint64_t address, position;
	uint32_t space, site, cycles, overhead;
	size_t first, n;
};

/* What a core walks instead of the real table; the first member */
struct proxy {
	struct table table;
	struct table *real; /* borrowed, as it was last */
	struct explain *explain;
};

struct explain {
	const struct cores *cores;
	struct proxy **proxy; /* owned, each too: [spaces] or NULL */
	uint32_t spaces;
	struct told *step; /* owned */
	size_t n_steps, room;
	struct read *read; /* owned */
	size_t n_reads, read_room;
	struct ask *ask; /* owned; those from first_ask on are of no step yet */
	size_t n_asks, ask_room, first_ask;
	size_t open;	   /* steps from here on are of no walk yet */
	struct walk *walk; /* owned: [most] */
	size_t n, most;
	bool failed;
};

static struct core *
core_now(const struct explain *explain)
{
	return &explain->cores->core[explain->cores->turn];
}

static bool
is_done(const struct explain *explain)
{
	return explain->n == explain->most || explain->failed;
}

static struct told *
step_add(struct explain *explain)
{
	if (explain->n_steps == explain->room) {
		size_t room = explain->room ? 2 * explain->room : 16;
		struct told *more =
			reallocarray(explain->step, room, sizeof(*more));

		if (!more) {
			explain->failed = true;
			return NULL;
		}
		explain->step = more;
		explain->room = room;
	}
	explain->step[explain->n_steps] = (struct told){ 0 };
	return &explain->step[explain->n_steps++];
}

static struct read *
reads_add(struct explain *explain, unsigned n)
{
	size_t room = explain->read_room ? explain->read_room : 64;
	struct read *more;

	while (room < explain->n_reads + n)
		room *= 2;
	if (room != explain->read_room) {
		more = reallocarray(explain->read, room, sizeof(*more));
		if (!more) {
			explain->failed = true;
			return NULL;
		}
		explain->read = more;
		explain->read_room = room;
	}
	explain->n_reads += n;
	return explain->read + explain->n_reads - n;
}

static void
ask_add(void *context, const struct aside_array *array, uint64_t address,
	bool hit)
{
	struct explain *explain = context;

	if (explain->n_asks == explain->ask_room) {
		size_t room = explain->ask_room ? 2 * explain->ask_room : 64;
		struct ask *more =
			reallocarray(explain->ask, room, sizeof(*more));

		if (!more) {
			explain->failed = true;
			return;
		}
		explain->ask = more;
		explain->ask_room = room;
	}
	explain->ask[explain->n_asks++] =
		(struct ask){ array->name, address, array->level, hit };
}

/* Which walk caches are there, by level. */
static uint8_t
caches_of(const struct core *core, unsigned top)
{
	uint8_t asked = 0;

	for (unsigned level = PWC_LOWEST; level <= PWC_HIGHEST && level <= top;
	     level++)
		if (core->walker.pwc.level[level - PWC_LOWEST].entries)
			asked |= (uint8_t)(1u << level);
	return asked;
}

static void
write_down(struct explain *explain, uint64_t address, unsigned from,
	   unsigned top, const struct table_reference *references, unsigned n,
	   const struct mapping *mapping)
{
	bool wanted = !is_done(explain) && !core_now(explain)->ahead;
	struct told *step = wanted ? step_add(explain) : NULL;
	struct read *read = step ? reads_add(explain, n) : NULL;

	if (!read) {
		explain->n_asks = explain->first_ask;
		return;
	}
	step->address = address;
	step->mapping = *mapping;
	step->from = from;
	step->top = top;
	step->asked = caches_of(core_now(explain), top);
	step->n = n;
	step->first = (size_t)(read - explain->read);
	step->first_ask = explain->first_ask;
	step->n_asks = (unsigned)(explain->n_asks - explain->first_ask);
	for (unsigned i = 0; i < n; i++)
		read[i] = (struct read){ .reference = references[i] };
	explain->first_ask = explain->n_asks;
}

static unsigned
proxy_walk_from(struct table *table, uint64_t address, unsigned level,
		struct table_reference *references, struct mapping *mapping)
{
	struct proxy *proxy = (struct proxy *)table;
	struct aside *aside = table->aside;
	unsigned n;

	proxy->real->aside = aside;
	proxy->real->asid = table->asid;
	if (aside) {
		aside->asked = ask_add;
		aside->context = proxy->explain;
	}
	n = proxy->real->ops->walk_from(proxy->real, address, level, references,
					mapping);
	if (aside)
		aside->asked = NULL;
	write_down(proxy->explain, address, level, table->levels, references, n,
		   mapping);
	return n;
}

/* A look, which is no walk of the machine's. */
static unsigned
proxy_walk(struct table *table, uint64_t address,
	   struct table_reference *references, struct mapping *mapping)
{
	struct table *real = ((struct proxy *)table)->real;

	return real->ops->walk(real, address, references, mapping);
}

/* Without `look`, so that a core walks one by one. */
static const struct table_ops proxy_ops = {
	.name = "explained",
	.walk = proxy_walk,
	.walk_from = proxy_walk_from,
};

int
explain_open(struct explain **out, uint64_t n)
{
	struct explain *explain = calloc(1, sizeof(*explain));

	if (!explain)
		return fail(ENOMEM, "explain: no memory");
	explain->most = n < EXPLAIN_MAX ? n : EXPLAIN_MAX;
	explain->walk = calloc(explain->most + 1, sizeof(*explain->walk));
	if (!explain->walk) {
		free(explain);
		return fail(ENOMEM, "explain: no memory");
	}
	*out = explain;
	return 0;
}

void
explain_close(struct explain *explain)
{
	if (!explain)
		return;
	for (uint32_t i = 0; i < explain->spaces; i++)
		free(explain->proxy[i]);
	free(explain->proxy);
	free(explain->step);
	free(explain->read);
	free(explain->ask);
	free(explain->walk);
	free(explain);
}

static struct proxy *
proxy_of(struct explain *explain, uint32_t space)
{
	if (space >= explain->spaces) {
		struct proxy **more =
			reallocarray(explain->proxy, space + 1u, sizeof(*more));

		if (!more)
			return NULL;
		memset(more + explain->spaces, 0,
		       (space + 1u - explain->spaces) * sizeof(*more));
		explain->proxy = more;
		explain->spaces = space + 1;
	}
	if (!explain->proxy[space])
		explain->proxy[space] = calloc(1, sizeof(struct proxy));
	return explain->proxy[space];
}

struct table *
explain_table(struct explain *explain, const struct cores *cores,
	      uint32_t space, struct table *real)
{
	struct proxy *proxy;

	if (is_done(explain))
		return real;
	explain->cores = cores;
	proxy = proxy_of(explain, space);
	if (!proxy) {
		explain->failed = true;
		return real;
	}
	*proxy = (struct proxy){ *real, real, explain };
	proxy->table.ops = &proxy_ops;
	return &proxy->table;
}

void
explain_fault(struct explain *explain)
{
	if (explain->n_steps > explain->open)
		explain->step[explain->n_steps - 1].faulted = true;
}

/*
 * What reference i of the queue took.  Where memory has nodes only the costs
 * tell; of references that are made beside each other, the slowest one's.
 */
static uint32_t
latency_of(const struct core *core, unsigned i)
{
	const struct hierarchy_queue *queue = &core->pending->queue;
	const uint32_t *cost = core->pending->cost;
	unsigned end = i + 1;

	if (!core->hierarchy->numa || queue->place[i] != PLACE_MEMORY)
		return hierarchy_walk_latency(core->hierarchy, queue->place[i]);
	while (end < queue->n && queue->mark[end] & TABLE_BESIDE)
		end++;
	return cost[end] - cost[i];
}

/* The places of one step's references, which are next in the queue. */
static void
step_settle(struct explain *explain, struct told *step, const struct core *core,
	    unsigned *at)
{
	const struct hierarchy_queue *queue = &core->pending->queue;
	struct read *read = explain->read + step->first;

	for (unsigned i = 0; i < step->n; i++, read++) {
		while (*at < queue->n && queue->use[*at] != USE_WALK)
			++*at;
		if (!core->flat && *at >= queue->n)
			return;
		if (core->flat) {
			read->place = PLACE_MEMORY;
			read->latency = core->hierarchy->memory_latency;
			continue;
		}
		/* of the copy of the table that this core walks */
		read->reference.address = queue->physical[*at];
		read->place = queue->place[*at];
		read->latency = latency_of(core, (*at)++);
	}
	step->settled = true;
}

void
explain_missed(struct explain *explain, const struct core_misses *misses)
{
	const struct core *core;
	unsigned at = 0;

	if (is_done(explain) || !explain->cores)
		return;
	core = core_now(explain);
	for (size_t i = explain->open; i < explain->n_steps; i++)
		if (!explain->step[i].settled)
			step_settle(explain, &explain->step[i], core, &at);
	for (unsigned i = 0; i < misses->n && !is_done(explain); i++) {
		struct walk *walk = &explain->walk[explain->n];
		size_t end = explain->open;

		if (!misses->walked[i] || end == explain->n_steps)
			continue;
		while (end < explain->n_steps && explain->step[end].faulted)
			end++;
		end += end < explain->n_steps;
		*walk = (struct walk){ .address = misses->address[i],
				       .position = misses->position[i],
				       .space = misses->space,
				       .site = misses->site[i],
				       .cycles = misses->cycles[i],
				       .overhead =
					       (uint32_t)core->walker.overhead,
				       .first = explain->open,
				       .n = end - explain->open };
		explain->open = end;
		explain->n++;
	}
}

/* A row of the table; level 0, NULL: there is none. */
struct row {
	const char *step;
	unsigned level;
	const uint64_t *address;
	const char *found, *note;
	const uint32_t *cycles;
};

struct writer {
	struct result *result;
	const struct explain *explain;
	const struct stream *stream;
	uint64_t number; /* of the walk, from 1 */
	int error;
};

static void
put(struct writer *writer, const struct row *row)
{
	static const char table[] = "walks.explained";
	char hex[24] = "";
	const char *address = row->address ? hex : NULL;
	uint64_t level = row->level, cycles = row->cycles ? *row->cycles : 0;

	if (writer->error)
		return;
	if (address)
		snprintf(hex, sizeof(hex), "%#llx",
			 (unsigned long long)*row->address);
	if (row->level && row->cycles)
		writer->error =
			result_row(writer->result, table, "usussus",
				   writer->number, row->step, level, address,
				   row->found, cycles, row->note);
	else if (row->level)
		writer->error = result_row(writer->result, table,
					   "ususs"
					   "ns",
					   writer->number, row->step, level,
					   address, row->found, row->note);
	else if (row->cycles)
		writer->error = result_row(writer->result, table, "usnssus",
					   writer->number, row->step, address,
					   row->found, cycles, row->note);
	else
		writer->error = result_row(writer->result, table,
					   "usnss"
					   "ns",
					   writer->number, row->step, address,
					   row->found, row->note);
}

/* From the lowest cache that there is up to the one that knows the way. */
static void
put_asked(struct writer *writer, const struct told *step)
{
	for (unsigned level = PWC_LOWEST; level <= step->top; level++) {
		bool hit = level == step->from + 1;

		if (!(step->asked >> level & 1))
			continue;
		put(writer,
		    &(struct row){ .step = "ask",
				   .level = level,
				   .found = hit ? "hit" : "miss",
				   .note = pwc_names[level - PWC_LOWEST] });
		if (hit)
			return;
	}
}

/* From ask number *at on, what was asked about one address: of a nested table
 * that is before each translation of the host's. */
static void
put_beside(struct writer *writer, const struct told *step, unsigned *at)
{
	const struct ask *ask = writer->explain->ask + step->first_ask;
	unsigned first = *at;

	for (; *at < step->n_asks && ask[*at].address == ask[first].address;
	     ++*at)
		put(writer,
		    &(struct row){ .step = "ask",
				   .level = ask[*at].level,
				   .address = &ask[*at].address,
				   .found = ask[*at].hit ? "hit" : "miss",
				   .note = ask[*at].name });
}

/* Which of its table's entries it is, where tables are those of x86; whose
 * table it is; and whether it does not wait for the one before. */
static void
note_read(const struct told *step, const struct read *read, bool x86,
	  char *note, size_t bytes)
{
	uint64_t at = read->reference.address >> 3 & 511;
	unsigned level = read->reference.level & (TABLE_HOST - 1);
	bool host = read->reference.level & TABLE_HOST;
	bool beside = read->reference.level & TABLE_BESIDE;
	int n = 0;

	*note = '\0';
	if (x86 && !host && level && level <= TABLE_LEVELS_MAX &&
	    at == (step->address >> pwc_shift(level) & 511))
		n = snprintf(note, bytes, "entry %u of its table",
			     (unsigned)at);
	snprintf(note + n, bytes - (size_t)n, "%s%s%s",
		 host ? "of the host" : "", host && beside ? ", " : "",
		 beside ? "beside the one before" : "");
}

/* Returns what they cost: the slowest of those beside each other counts. */
static uint32_t
put_reads(struct writer *writer, const struct told *step)
{
	static const char *const places[PLACES] = { "L1", "L2", "L3",
						    "memory" };
	const struct read *read = writer->explain->read + step->first;
	const struct cores *cores = writer->explain->cores;
	bool x86 = cores->core[0].walker.pwc.granule == TLB_SHIFT(0);
	uint32_t sum = 0, slowest = 0;
	unsigned asked = 0;
	bool host = false; /* the one before was the host's */
	char note[64];

	for (unsigned i = 0; i < step->n; i++, read++) {
		unsigned level = read->reference.level;

		if (!host)
			put_beside(writer, step, &asked);
		host = level & TABLE_HOST;
		note_read(step, read, x86, note, sizeof(note));
		put(writer,
		    &(struct row){
			    .step = "read",
			    .level = level & (TABLE_HOST - 1),
			    .address = &read->reference.address,
			    .found = step->settled ? places[read->place] : NULL,
			    .cycles = step->settled ? &read->latency : NULL,
			    .note = *note ? note : NULL });
		if (!(level & TABLE_BESIDE)) {
			sum += slowest;
			slowest = 0;
		}
		slowest = read->latency > slowest ? read->latency : slowest;
	}
	put_beside(writer, step, &asked);
	return sum + slowest;
}

/* All of its own table that it read, but the last entry, points to tables. */
static void
put_kept(struct writer *writer, const struct told *step)
{
	const struct read *read = writer->explain->read + step->first;
	unsigned last = step->n;

	while (last && read[last - 1].reference.level >= TABLE_HOST)
		last--;
	for (unsigned i = 0; i + 1 < last; i++) {
		unsigned level = read[i].reference.level;

		if (level < PWC_LOWEST || level > PWC_HIGHEST ||
		    !(step->asked >> level & 1))
			continue;
		put(writer,
		    &(struct row){ .step = "keep",
				   .level = level,
				   .note = pwc_names[level - PWC_LOWEST] });
	}
}

static void
put_end(struct writer *writer, const struct walk *walk, const struct told *step,
	uint32_t sum)
{
	unsigned shift = step->mapping.shift;
	uint64_t mask = (UINT64_C(1) << shift) - 1;
	uint64_t physical = step->mapping.frame + (walk->address & mask);
	uint32_t wait = walk->cycles - sum - walk->overhead;
	char size[24];

	if (walk->overhead)
		put(writer, &(struct row){ .step = "overhead",
					   .cycles = &walk->overhead });
	if (wait && walk->cycles > sum + walk->overhead)
		put(writer, &(struct row){ .step = "wait", .cycles = &wait });
	snprintf(size, sizeof(size), "%u %s page",
		 1u << (shift - 12 < 8 ? shift - 10 : (shift - 20) % 10),
		 shift < 20   ? "KiB"
		 : shift < 30 ? "MiB"
			      : "GiB");
	put(writer,
	    &(struct row){ .step = "end",
			   .address = &physical,
			   .found = size,
			   .cycles = &walk->cycles,
			   .note = step->mapping.writable ? "writable"
							  : "read-only" });
}

static void
put_walk(struct writer *writer, const struct walk *walk)
{
	static const char *const kinds[] = { "load", "store", "modify",
					     "fetch" };
	const struct site *site =
		stream_site(writer->stream, SITE_INDEX(walk->site));
	const struct told *step = &writer->explain->step[walk->first];
	uint32_t sum = 0;
	char note[96];

	snprintf(note, sizeof(note), "access %llu, pc 0x%llx, space %u",
		 (unsigned long long)walk->position,
		 (unsigned long long)site->pc, walk->space);
	put(writer, &(struct row){ .step = "access",
				   .address = &walk->address,
				   .found = kinds[SITE_KIND(walk->site)],
				   .note = note });
	for (size_t i = 0; i < walk->n; i++, step++) {
		put_asked(writer, step);
		sum = put_reads(writer, step);
		put_kept(writer, step);
		if (step->faulted)
			put(writer,
			    &(struct row){ .step = "fault",
					   .address = &walk->address,
					   .found = step->mapping.shift
							    ? "read-only"
							    : "no page" });
	}
	if (walk->n && !step[-1].faulted)
		put_end(writer, walk, step - 1, sum);
	else
		put(writer, &(struct row){ .step = "denied" });
}

int
explain_finish(const struct explain *explain, const struct stream *stream,
	       struct result *result)
{
	static const char *const columns[] = {
		"walk:",  "step:",	   "level:", "address:",
		"found:", "cycles:cycles", "note:",  NULL
	};
	struct writer writer = { .result = result,
				 .explain = explain,
				 .stream = stream };

	if (explain->failed)
		return fail(ENOMEM, "explain: no memory");
	writer.error = result_table(result, "walks.explained",
				    "the first walks, step by step", columns);
	for (size_t i = 0; i < explain->n; i++) {
		writer.number = i + 1;
		put_walk(&writer, &explain->walk[i]);
	}
	return writer.error;
}
