// SPDX-License-Identifier: GPL-2.0-or-later
/* The hardware walker; see walker.h. */
#include "models/translation/walker.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/memory/numa.h"

const struct option_row walker_rows[] = {
	{ .name = "overhead",
	  .type = OPTION_INT,
	  .offset = offsetof(struct walker_config, overhead),
	  .fallback = "0",
	  .max = 100000,
	  .unit = "cycles",
	  .help = "cost of starting and ending a walk, beside its references" },
	{ NULL },
};

int
walker_init(struct walker *walker, const struct walker_config *config,
	    const struct tlb_config *pwc_config, struct hierarchy *hierarchy,
	    uint64_t seed)
{
	int error;

	*walker = (struct walker){ .hierarchy = hierarchy,
				   .overhead = (uint64_t)config->overhead,
				   .latency_max = 1024 };
	walker->latency = calloc(walker->latency_max, sizeof(uint64_t));
	if (!walker->latency)
		return -ENOMEM;
	error = pwc_init(&walker->pwc, &config->pwc, pwc_config, seed);
	if (error)
		walker_fini(walker);
	return error;
}

void
walker_fini(struct walker *walker)
{
	pwc_fini(&walker->pwc);
	aside_fini(&walker->aside);
	free(walker->latency);
	walker->latency = NULL;
}

int
walker_grow(struct walker *walker, uint64_t cycles)
{
	uint64_t max = walker->latency_max, *latency;

	while (max <= cycles)
		max *= 2;
	latency = reallocarray(walker->latency, max, sizeof(*latency));
	if (!latency)
		return fail(ENOMEM,
			    "walker: no memory for latencies of %lu "
			    "cycles",
			    (unsigned long)cycles);
	memset(latency + walker->latency_max, 0,
	       (max - walker->latency_max) * sizeof(*latency));
	walker->latency = latency;
	walker->latency_max = max;
	return 0;
}

/* The number of references up to the one to the walk's own last entry. */
static unsigned
up_to_leaf(const struct table_reference *references, unsigned n)
{
	while (n && (references[n - 1].level & ~TABLE_BESIDE) >= TABLE_HOST)
		n--;
	return n;
}

/* Each level is asked, the last apart: references to those that are known, and
 * what of a host leads to them, go. */
static unsigned
walk_each_level(struct walker *walker, uint64_t address, uint64_t asid,
		struct table_reference *references, unsigned n)
{
	unsigned leaf = up_to_leaf(references, n), kept = 0, group = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned level = references[i].level;

		references[kept++] = references[i];
		if (level >= TABLE_HOST || i + 1 >= leaf)
			continue;
		if (pwc_ask(&walker->pwc, address, asid, level))
			kept = group;
		else
			pwc_put(&walker->pwc, address, asid, level);
		group = kept;
	}
	return kept;
}

unsigned
walker_find_special(struct walker *walker, struct table *table,
		    uint64_t address, uint64_t asid,
		    struct table_reference *references, struct mapping *mapping)
{
	struct pwc *pwc = &walker->pwc;
	unsigned levels = table->levels, from = levels, n, leaf;

	pwc->now++;
	for (unsigned level = PWC_LOWEST; pwc->skips && level <= levels;
	     level++)
		if (pwc_ask(pwc, address, asid, level)) {
			from = level - 1;
			break;
		}
	n = table->ops->walk_from(table, address, from, references, mapping);
	if (!pwc->skips)
		return walk_each_level(walker, address, asid, references, n);
	leaf = up_to_leaf(references, n);
	for (unsigned i = 0; i + 1 < leaf; i++)
		if (references[i].level < TABLE_HOST)
			pwc_put(pwc, address, asid, references[i].level);
	return n;
}

/* Of reference number i, where not all of memory costs the same; it is counted
 * by node. */
static uint32_t
node_latency(struct walker *walker, const struct hierarchy_queue *queue,
	     unsigned i)
{
	return queue->use[i] == USE_WALK
		       ? numa_reach_walk(walker->hierarchy->numa,
					 queue->physical[i],
					 queue->mark[i] & ~TABLE_BESIDE)
		       : 0;
}

void
walker_fill(struct walker *walker, uint64_t address, uint64_t asid,
	    const struct table_reference *references, unsigned n)
{
	unsigned last = n;

	while (last && references[last - 1].level >= TABLE_HOST)
		last--;
	for (unsigned i = 0; i + 1 < last; i++)
		pwc_fill(&walker->pwc, address, asid, references[i].level);
}

/* The same where some are made at the same time (of each such step the slowest
 * counts), or where memory has more than one node. */
static void
charge_steps(struct walker *walker, const struct hierarchy_queue *queue,
	     uint32_t *cost)
{
	uint32_t sum = 0, step = 0;

	for (unsigned i = 0; i < queue->n; i++) {
		unsigned mark = queue->mark[i], place = queue->place[i];
		uint32_t latency =
			walker->hierarchy->numa && place == PLACE_MEMORY
				? node_latency(walker, queue, i)
				: hierarchy_walk_latency(walker->hierarchy,
							 place);

		walker->found[mark & ~TABLE_BESIDE][place]++;
		if (!(mark & TABLE_BESIDE)) {
			sum += step;
			step = 0;
		}
		cost[i] = mark & TABLE_BESIDE ? cost[i - 1] : sum;
		step = step > latency ? step : latency;
	}
	cost[queue->n] = sum + step;
}

void
walker_charge(struct walker *walker, const struct hierarchy_queue *queue,
	      uint32_t *cost)
{
	/* Two of each counter, so that increments of one wait less. */
	uint32_t found[2][WALKER_NONE + 1][PLACES] = { { { 0 } } };
	uint32_t latency[PLACES], sum = 0;

	if (walker->aside.beside || unlikely(walker->hierarchy->numa)) {
		charge_steps(walker, queue, cost);
		return;
	}
	for (unsigned place = 0; place < PLACES; place++)
		latency[place] =
			hierarchy_walk_latency(walker->hierarchy, place);
	for (unsigned i = 0; i < queue->n; i++) {
		unsigned level = queue->mark[i], place = queue->place[i];

		found[i & 1][level][place]++;
		cost[i] = sum;
		sum += latency[place];
	}
	cost[queue->n] = sum;
	for (unsigned level = 0; level <= WALKER_NONE; level++)
		for (unsigned place = 0; place < PLACES; place++)
			walker->found[level][place] +=
				found[0][level][place] + found[1][level][place];
}

/* Of all references to this level. */
static uint64_t
found_cycles(const struct walker *walker, unsigned level)
{
	const struct numa *numa = walker->hierarchy->numa;
	unsigned places = numa ? PLACE_MEMORY : PLACES;
	uint64_t sum = numa ? numa->level[level].cycles : 0;

	for (unsigned place = 0; place < places; place++)
		sum += walker->found[level][place] *
		       hierarchy_walk_latency(walker->hierarchy, place);
	return sum;
}

/* The least latency that at least share (0 .. 1) of the walks do not exceed. */
static uint64_t
percentile(const struct walker *walker, double share)
{
	double exact = share * (double)walker->walks;
	uint64_t rank = (uint64_t)exact, seen = 0;

	if ((double)rank < exact || !rank)
		rank++;
	for (uint64_t i = 0; i < walker->latency_max; i++) {
		seen += walker->latency[i];
		if (seen >= rank)
			return i;
	}
	return 0;
}

static int
finish_latency(const struct walker *walker, struct result *result)
{
	static const struct {
		const char *name;
		double share;
	} percentiles[] = {
		{ "walk.latency.p50", 0.5 },
		{ "walk.latency.p90", 0.9 },
		{ "walk.latency.p99", 0.99 },
		{ "walk.latency.max", 1 },
	};
	static const char *const columns[] = { "latency:cycles", "walks:walks",
					       NULL };
	double walks = (double)walker->walks;
	int error = result_table(result, "walk.latency",
				 "walks by how long they took", columns);

	for (uint64_t i = 0; !error && i < walker->latency_max; i++)
		if (walker->latency[i])
			error = result_row(result, "walk.latency", "uu", i,
					   walker->latency[i]);
	for (size_t i = 0; !error && i < ARRAY_SIZE(percentiles); i++)
		error = walker->walks
				? result_count(result, percentiles[i].name,
					       percentile(walker,
							  percentiles[i].share),
					       "cycles")
				: result_absent(result, percentiles[i].name,
						"no walk was made");
	if (error)
		return error;
	if (!walker->walks) {
		error = result_absent(result, "walk.latency.mean",
				      "no walk was made");
		return error ? error
			     : result_absent(result, "walk.references.mean",
					     "no walk was made");
	}
	error = result_real(result, "walk.latency.mean",
			    (double)walker->cycles / walks, "cycles");
	return error ? error
		     : result_real(result, "walk.references.mean",
				   (double)walker->references / walks,
				   "references");
}

/* Marks [first, end) are levels from 0 on. */
static int
finish_levels(const struct walker *walker, struct result *result,
	      const char *table, const char *help, unsigned first, unsigned end)
{
	static const char *const columns[] = {
		"level:",	 "references:references",
		"l1:references", "l2:references",
		"l3:references", "memory:references",
		"cycles:cycles", NULL
	};
	int error = result_table(result, table, help, columns);

	for (unsigned i = first; !error && i < end; i++) {
		const uint64_t *found = walker->found[i];
		uint64_t all = found[PLACE_L1] + found[PLACE_L2] +
			       found[PLACE_L3] + found[PLACE_MEMORY];

		if (all)
			error = result_row(result, table, "uuuuuuu",
					   (uint64_t)(i - first), all,
					   found[PLACE_L1], found[PLACE_L2],
					   found[PLACE_L3], found[PLACE_MEMORY],
					   found_cycles(walker, i));
	}
	return error;
}

static int
finish_references(const struct walker *walker, struct result *result)
{
	static const char *const columns[] = { "references:references",
					       "walks:walks", NULL };
	int error =
		result_table(result, "walk.references.histogram",
			     "walks by how many entries they read", columns);

	for (uint64_t i = 0; !error && i <= TABLE_REFERENCES_MAX; i++)
		if (walker->by_references[i])
			error = result_row(result, "walk.references.histogram",
					   "uu", i, walker->by_references[i]);
	return error;
}

int
walker_add(struct walker *walker, const struct walker *other)
{
	if (other->latency_max > walker->latency_max &&
	    walker_grow(walker, other->latency_max - 1))
		return -ENOMEM;
	for (uint64_t i = 0; i < other->latency_max; i++)
		walker->latency[i] += other->latency[i];
	for (unsigned i = 0; i <= WALKER_NONE; i++)
		for (unsigned place = 0; place < PLACES; place++)
			walker->found[i][place] += other->found[i][place];
	walker->walks += other->walks;
	walker->references += other->references;
	walker->cycles += other->cycles;
	walker->faulted += other->faulted;
	walker->faulted_references += other->faulted_references;
	walker->faulted_cycles += other->faulted_cycles;
	for (unsigned i = 0; i <= TABLE_REFERENCES_MAX; i++)
		walker->by_references[i] += other->by_references[i];
	pwc_add(&walker->pwc, &other->pwc);
	aside_count(&walker->aside, &other->aside);
	return 0;
}

int
walker_finish(const struct walker *walker, struct result *result)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} counts[] = {
		{ "walk.count", walker->walks, "walks" },
		{ "walk.references", walker->references, "references" },
		{ "walk.cycles", walker->cycles, "cycles" },
		{ "walk.faulted.count", walker->faulted, "walks" },
		{ "walk.faulted.references", walker->faulted_references,
		  "references" },
		{ "walk.faulted.cycles", walker->faulted_cycles, "cycles" },
	};
	bool host = false;
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(counts); i++)
		error = result_count(result, counts[i].name, counts[i].value,
				     counts[i].unit);
	if (!error)
		error = finish_latency(walker, result);
	if (!error)
		error = finish_levels(
			walker, result, "walk.levels",
			"references of walks (with those that faulted) "
			"by table level, 1 the last, and by where the "
			"entry was found",
			0, TABLE_HOST);
	for (unsigned i = TABLE_HOST; !error && i < WALKER_LEVELS; i++)
		if (found_cycles(walker, i))
			host = true;
	if (!error && host)
		error = finish_levels(
			walker, result, "walk.levels.host",
			"references of walks to the host's table by "
			"its level, 1 the last, and by where the entry "
			"was found",
			TABLE_HOST, WALKER_LEVELS);
	if (!error)
		error = finish_references(walker, result);
	if (!error)
		error = pwc_finish(&walker->pwc, result);
	return error ? error : aside_finish(&walker->aside, result);
}
