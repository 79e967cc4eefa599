// SPDX-License-Identifier: GPL-2.0-or-later
/* A change of the runtime, from counts; see runtime-change.h. */
#include "reports/runtime-change.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CPI_LOW	   0.25
#define CPI_HIGH   1.0
#define CPI	   0.4
#define NEAR_BYTES 0x1p22 /* as calibrate measures it */
#define SCALE_MOST 2.0	  /* beyond, something else takes the kernel's time */
#define WAITS	   2 /* more than so many times what is explained: it waits */

static double
option_number(const struct result *result, const char *name, double fallback)
{
	const char *text = view_option(result, name);

	return *text ? strtod(text, NULL) : fallback;
}

/* References of data that got as far as this, without those of walks */
static double
data_references(const struct result *machine, const char *level,
		const char *what)
{
	char name[64];
	double all;

	snprintf(name, sizeof(name), "%s.%s", level, what);
	all = view_or_zero(machine, name);
	snprintf(name, sizeof(name), "%s.walk.%s", level, what);
	return all - view_or_zero(machine, name);
}

/* A first-level hit is the program's own time, and what hardware fetches ahead
 * takes none. */
static double
data_cycles(const struct result *machine)
{
	double l2 = data_references(machine, "cache.l2", "accesses");
	double l3 = data_references(machine, "cache.l3", "accesses");
	double memory = data_references(machine, "memory", "references");
	double ahead = view_or_zero(machine, "cache.streamed.memory");
	double latency = option_number(machine, "memory.latency", 200);
	double near =
		(l2 - l3 - view_or_zero(machine, "cache.streamed.l2")) *
			option_number(machine, "cache.l2.latency", 14) +
		(l3 - memory - view_or_zero(machine, "cache.streamed.l3")) *
			option_number(machine, "cache.l3.latency", 50);
	struct view_table nodes, walks;

	if (strcmp(view_option(machine, "cache.data"), "true") != 0 &&
	    strcmp(view_option(machine, "cache.data"), "yes") != 0)
		return NAN;
	if (!view_table(machine, "numa.nodes", &nodes))
		return near + (memory - ahead) * latency;
	view_table(machine, "numa.walks", &walks);
	latency = view_sum(&nodes, view_column(&nodes, "cycles")) -
		  view_sum(&walks, view_column(&walks, "cycles"));
	return near + (memory > 0 ? latency * (1 - ahead / memory) : 0);
}

/* Huge pages that are more than it ever had at once are of memory that it gave
 * back: where that is little, the last cache still has it. */
double
runtime_huge_fault(const struct result *machine)
{
	double far = option_number(machine, "time.huge-fault", 150000);
	double near = option_number(machine, "time.huge-fault-near", 60000);
	double faults = view_or_zero(machine, "thp.faults");
	double peak = view_or_zero(machine, "thp.bytes.peak");
	double first = peak / 0x1p21;

	if (faults <= first || peak > NEAR_BYTES)
		return far;
	return (first * far + (faults - first) * near) / faults;
}

void
runtime_load(struct runtime_load *load, const struct result *machine)
{
	double mhz = option_number(machine, "time.clock", 3000);
	double huge = view_or_zero(machine, "thp.faults");
	double small = view_or_zero(machine, "fault.minor") - huge;

	load->instructions = view_or_zero(machine, "instructions");
	if (load->instructions <= 0)
		load->instructions = view_or_zero(machine, "accesses");
	load->walks = view_or_zero(machine, "translation.cycles");
	load->data = data_cycles(machine);
	load->small =
		small * option_number(machine, "time.fault", 1000) * mhz / 1000;
	load->faults =
		load->small + huge * runtime_huge_fault(machine) * mhz / 1000;
	load->ahead = view_or_zero(machine, "cache.streamed.memory") *
		      option_number(machine, "memory.latency", 200);
}

void
runtime_facts(struct runtime_facts *facts, const struct result *all,
	      const struct result *machine)
{
	facts->mhz = option_number(machine, "time.clock", 3000);
	facts->cycles = view_or_zero(all, "runtime.ns") * facts->mhz / 1000;
	facts->system =
		view_or_zero(all, "runtime.system.ns") * facts->mhz / 1000;
	facts->away =
		view_or_zero(all, "runtime.unrecorded.ns") * facts->mhz / 1000;
	facts->error = option_number(machine, "time.error", 50) / 100;
	facts->overlap_low = option_number(machine, "time.overlap-low", 0.2);
	facts->overlap_high = option_number(machine, "time.overlap-high", 1);
	facts->partial = view_partial(all) != NULL;
}

double
runtime_fault_scale(const struct runtime_facts *facts,
		    const struct runtime_load *now)
{
	double scale = now->small > 0 ? facts->system / now->small : 0;

	if (facts->system <= 0 || scale <= 0 || scale > SCALE_MOST)
		return 1;
	return scale < 1 / SCALE_MOST ? 1 / SCALE_MOST : scale;
}

static double
clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* What the program waits for of its loads, where its runtime is known */
static double
overlap_of(const struct runtime_facts *facts, const struct runtime_load *now,
	   double cpi)
{
	double loads = now->data + now->walks;
	double rest = facts->cycles - now->faults - cpi * now->instructions;

	return loads > 0 ? clamp(rest / loads, facts->overlap_low / 2,
				 facts->overlap_high)
			 : facts->overlap_high;
}

struct bounds {
	double low, high;
};

static void
bounds_add(struct bounds *bounds, double value)
{
	if (value < bounds->low)
		bounds->low = value;
	if (value > bounds->high)
		bounds->high = value;
}

/* In percent, with walks and faults that take `scale` of what they should */
static double
one_change(const struct runtime_facts *facts, const struct runtime_load *now,
	   const struct runtime_load *then, const double of[3])
{
	double cpi = of[0], overlap = of[1], scale = of[2];
	double cycles = facts->cycles, whole = 1;
	double saved = overlap * (now->walks - then->walks);
	double windows = cpi * now->instructions +
			 overlap * (scale * now->walks +
				    (isnan(now->data) ? 0 : now->data));

	if (!isnan(now->data) && !isnan(then->data))
		saved += overlap * (now->data - then->data);
	if (windows > 0 && cycles <= 0)
		whole = 1 + facts->away / windows;
	saved = scale * (whole * saved + now->faults - then->faults);
	if (cycles <= 0)
		cycles = whole * windows + now->faults;
	if (cycles <= 0)
		return 0;
	return -100 * clamp(saved / cycles, -10, 0.99);
}

static const char *
unknown(const struct runtime_facts *facts, const struct runtime_load *now)
{
	double most = CPI_HIGH * now->instructions + now->walks + now->faults +
		      (isnan(now->data) ? 0 : now->data + now->ahead);

	if (now->instructions <= 0)
		return "the trace holds no access";
	if (facts->cycles > 0 && facts->partial)
		return "the trace is of a part of the run, and the runtime of "
		       "all of it";
	if (facts->cycles > WAITS * most && !isnan(now->data))
		return "the program mostly waits for what is neither the "
		       "processor nor its memory";
	return NULL;
}

void
runtime_change(struct runtime_change *change, const struct runtime_facts *facts,
	       const struct runtime_load *now, const struct runtime_load *then)
{
	static const double cpis[] = { CPI, CPI_LOW, CPI_HIGH };
	bool known = facts->cycles > 0 && !isnan(now->data);
	double overlaps[] = { facts->overlap_high, facts->overlap_low };
	double scales[] = { 1, 1 - facts->error, 1 + facts->error };
	struct bounds bounds = { INFINITY, -INFINITY };

	*change = (struct runtime_change){ .why = unknown(facts, now) };
	if (change->why)
		return;
	change->known = true;
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 2; k++)
			for (size_t j = 0; j < 3; j++) {
				double of[] = { cpis[i], overlaps[k],
						scales[j] };

				if (known)
					of[1] = overlap_of(facts, now, cpis[i]);
				bounds_add(&bounds,
					   one_change(facts, now, then, of));
			}
	change->low = bounds.low;
	change->high = bounds.high;
	change->change =
		one_change(facts, now, then,
			   (const double[]){
				   CPI, runtime_overlap(facts, now, NULL), 1 });
}

double
runtime_overlap(const struct runtime_facts *facts,
		const struct runtime_load *now, double *cycles)
{
	bool known = facts->cycles > 0 && !isnan(now->data);
	double overlap = known ? overlap_of(facts, now, CPI)
			       : sqrt(facts->overlap_low * facts->overlap_high);

	if (cycles)
		*cycles = facts->cycles > 0
				  ? facts->cycles
				  : CPI * now->instructions + now->faults +
					    overlap * (now->walks +
						       (isnan(now->data)
								? 0
								: now->data));
	return overlap;
}
