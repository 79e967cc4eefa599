// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Will huge pages help?  The same accesses with 4K pages, with the kernel's
 * huge pages (always) and with everything in 2M: walks and faults that go,
 * memory that comes, by mapping and by range.
 */
#include "analyzer/fail.h"
#include "reports/huge-regions.h"
#include "reports/number.h"
#include "reports/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LITTLE 2.0 /* percent of the runtime that are not worth it */

static const char *const machines[] = {
	/* By recorded time khugepaged would have the recorder's time, too */
	"thp=:pages.policy=thp,pages.thp=always,pages.bloat=no,"
	"khugepaged.scan-pages=0,time.regions=yes",
	"2m=:pages.policy=2m", NULL
};

struct sums {
	double touched, bloat, bloat_advised; /* bytes */
	double saved_walks, advised_walks;    /* cycles of walks */
	double advised_faults;		      /* cycles */
	size_t yes, no;			      /* regions */
};

struct judged {
	const struct result *all;
	struct result *plain, *huge, *code;
	struct runtime_facts facts;
	struct runtime_load now, then, advised;
	struct runtime_change change, change_advised;
	struct huge_regions regions;
	struct huge_costs costs;
	struct sums sums;
};

static double
fault_cycles(const struct result *machine, const char *option, double mhz)
{
	return strtod(view_option(machine, option), NULL) * mhz / 1000;
}

/* Faults of 4K take what the kernel's time says, if it is known. */
static void
scale_faults(struct judged *judged)
{
	double scale = runtime_fault_scale(&judged->facts, &judged->now);

	judged->now.faults += (scale - 1) * judged->now.small;
	judged->then.faults += (scale - 1) * judged->then.small;
	judged->costs.fault *= scale;
}

static void
sum_up(struct judged *judged)
{
	struct sums *sums = &judged->sums;

	for (size_t i = 0; i < judged->regions.n; i++) {
		const struct huge_region *region = &judged->regions.region[i];
		double walks = region->cycles - region->cycles_huge;
		double faults = region->saved - judged->costs.overlap * walks;

		sums->touched += region->touched * 4096;
		sums->bloat += huge_region_bloat(region);
		sums->saved_walks += walks;
		sums->no += region->advice == HUGE_NO ||
			    region->advice == HUGE_SPARSE;
		if (region->advice != HUGE_YES)
			continue;
		sums->yes++;
		sums->bloat_advised += huge_region_bloat(region);
		sums->advised_walks += walks;
		sums->advised_faults += faults;
	}
}

/* Hits of the second level go with the walks, in proportion. */
static void
advise_load(struct judged *judged)
{
	const struct sums *sums = &judged->sums;
	double all = judged->now.walks - judged->then.walks;
	double part = sums->saved_walks > 0
			      ? sums->advised_walks / sums->saved_walks
			      : 0;

	judged->advised = judged->now;
	judged->advised.walks -= all * (part > 1 ? 1 : part);
	judged->advised.faults -= sums->advised_faults;
	if (!sums->no) /* then it is all of them */
		judged->advised = judged->then;
}

static int
measure(struct judged *judged)
{
	double mhz;
	int error;

	runtime_facts(&judged->facts, judged->all, judged->plain);
	mhz = judged->facts.mhz;
	runtime_load(&judged->now, judged->plain);
	runtime_load(&judged->then, judged->huge);
	/* That other frames hit the caches otherwise is luck. */
	judged->then.data = judged->now.data;
	judged->costs = (struct huge_costs){
		.fault = fault_cycles(judged->plain, "time.fault", mhz),
		.huge_fault = runtime_huge_fault(judged->huge) * mhz / 1000,
	};
	scale_faults(judged);
	judged->costs.overlap =
		runtime_overlap(&judged->facts, &judged->now, NULL);
	error = huge_regions_open(&judged->regions, judged->plain, judged->huge,
				  &judged->costs);
	if (error)
		return error;
	sum_up(judged);
	advise_load(judged);
	runtime_change(&judged->change, &judged->facts, &judged->now,
		       &judged->then);
	runtime_change(&judged->change_advised, &judged->facts, &judged->now,
		       &judged->advised);
	return 0;
}

/* "12.3 % of its time", or of accesses where that is not known */
static void
say_cost(const struct judged *judged, const struct runtime_load *load,
	 char *text, size_t bytes)
{
	double cycles, overlap;

	overlap = runtime_overlap(&judged->facts, &judged->now, &cycles);
	snprintf(text, bytes, "%s",
		 number_share(fmin(overlap * load->walks, cycles), cycles)
			 .text);
}

static void
reason(const struct judged *judged, struct verdict *verdict)
{
	const struct sums *sums = &judged->sums;
	char now[48], then[48], code[128] = "";
	char *to = verdict->reason;
	size_t bytes = sizeof(verdict->reason), n;
	double cycles, all = judged->code ? view_or_zero(judged->code,
							 "translation.cycles")
					  : NAN;

	runtime_overlap(&judged->facts, &judged->now, &cycles);
	say_cost(judged, &judged->now, now, sizeof(now));
	say_cost(judged, &judged->then, then, sizeof(then));
	if (!sums->yes && !sums->no) {
		snprintf(to, bytes,
			 "Nothing of it lies in 2" NB
			 "MiB of anonymous memory, so that no huge page would "
			 "come; translation takes about %s of its time.",
			 now);
		return;
	}
	if (all < judged->then.walks / 2 && all < judged->now.walks * 0.9)
		snprintf(code, sizeof(code),
			 " (%s where files and code were in 2" NB "MiB pages, "
			 "too)",
			 number_si(all).text);
	n = (size_t)snprintf(
		to, bytes,
		"Translation takes about %s of its time with 4" NB
		"KiB pages and %s with huge ones: %s cycles become %s%s. %s "
		"that take %s of it become %s that take %s.",
		now, then, number_si(judged->now.walks).text,
		number_si(judged->then.walks).text, code,
		number_of(view_or_zero(judged->plain, "fault.minor"), "fault")
			.text,
		number_share(judged->now.faults, cycles).text,
		number_si(view_or_zero(judged->huge, "fault.minor")).text,
		number_share(judged->then.faults, cycles).text);
	if (sums->bloat > 0.02 * sums->touched && n < bytes)
		n += (size_t)snprintf(
			to + n, bytes - n,
			" They hold %s that it never touches, beside %s that "
			"it does.",
			number_bytes(sums->bloat).text,
			number_bytes(sums->touched).text);
	if (sums->no && sums->yes && n < bytes)
		snprintf(to + n, bytes - n,
			 " Not everywhere: %s of 2" NB
			 "MiB lose or are too sparse.",
			 number_of((double)sums->no, "region").text);
}

static void
advice(const struct judged *judged, struct verdict *verdict)
{
	const struct sums *sums = &judged->sums;
	char *to = verdict->advice;
	size_t bytes = sizeof(verdict->advice);

	if (verdict->word == VERDICT_YES && !sums->no)
		snprintf(to, bytes,
			 "Allow them: transparent_hugepage=always, or "
			 "MADV_HUGEPAGE for the ranges that --ranges writes "
			 "(memory of malloc: "
			 "GLIBC_TUNABLES=glibc.malloc.hugetlb=1).");
	else if (verdict->word == VERDICT_YES)
		snprintf(to, bytes,
			 "Allow them for some of its memory only: "
			 "transparent_hugepage=madvise and MADV_HUGEPAGE for "
			 "the ranges that --ranges writes.");
	else if (verdict->word == VERDICT_NO && judged->change.known &&
		 judged->change.change > 1)
		snprintf(to, bytes,
			 "Where they are on for all (always), turn them off "
			 "for this one: prctl(PR_SET_THP_DISABLE), or "
			 "MADV_NOHUGEPAGE for the ranges that --ranges "
			 "writes.");
	else if (verdict->word == VERDICT_NO && sums->bloat > sums->touched / 2)
		snprintf(to, bytes,
			 "Where they are on for all (always), they cost it %s "
			 "of memory.",
			 number_bytes(sums->bloat).text);
	else if (verdict->word == VERDICT_UNKNOWN && judged->facts.cycles <= 0)
		snprintf(to, bytes,
			 "--runtime TIME (how long it runs unrecorded) narrows "
			 "the interval, and so does a machine that pagescope "
			 "calibrate has measured.");
}

static const char *
advice_name(enum huge_advice advice)
{
	return advice == HUGE_YES    ? "hugepage"
	       : advice == HUGE_NONE ? "none"
				     : "nohugepage";
}

static const char *
advice_why(enum huge_advice advice)
{
	static const char *const whys[] = {
		[HUGE_NONE] = "",
		[HUGE_YES] = "saves more than it costs",
		[HUGE_NO] = "costs more than it saves",
		[HUGE_SPARSE] = "less than a quarter of it is used",
	};

	return whys[advice];
}

static int
put_range(struct result *out, const struct huge_region *range, double bloat)
{
	if (range->advice == HUGE_NONE)
		return 0;
	return result_row(out, "huge.ranges", "usxussddds", range->process,
			  range->mapping, range->start,
			  range->end - range->start, advice_name(range->advice),
			  advice_why(range->advice), range->saved,
			  range->cycles - range->cycles_huge, bloat, NULL);
}

/* Neighbours of one advice and one mapping are one range. */
static int
put_ranges(const struct judged *judged, struct result *out)
{
	static const char *const columns[] = { "process:",
					       "mapping:",
					       "start:",
					       "length:bytes",
					       "advice:",
					       "why:",
					       "saved:cycles",
					       "saved_walks:cycles",
					       "bloat:bytes",
					       "site:",
					       NULL };
	struct huge_region range = { .advice = HUGE_NONE };
	double bloat = 0;
	int error = result_table(out, "huge.ranges",
				 "where to advise huge pages, and where not "
				 "to; site: of the allocation, if known",
				 columns);

	for (size_t i = 0; !error && i <= judged->regions.n; i++) {
		const struct huge_region *next = &judged->regions.region[i];

		if (i < judged->regions.n && huge_region_joins(&range, next)) {
			range.end = next->end;
			range.saved += next->saved;
			range.cycles += next->cycles;
			range.cycles_huge += next->cycles_huge;
			bloat += huge_region_bloat(next);
			continue;
		}
		error = put_range(out, &range, bloat);
		if (i < judged->regions.n) {
			range = *next;
			bloat = huge_region_bloat(next);
		}
	}
	return error;
}

struct mapping {
	const char *name;
	double touched, bloat, walks, walks_huge, cycles, cycles_huge, saved;
	size_t advised[4];
};

static int
rank(const void *left, const void *right)
{
	const struct mapping *a = left, *b = right;

	if (a->cycles != b->cycles)
		return a->cycles < b->cycles ? 1 : -1;
	if (a->touched != b->touched)
		return a->touched < b->touched ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void
mapping_add(struct mapping *to, const struct huge_region *region)
{
	to->touched += region->touched * 4096;
	to->bloat += huge_region_bloat(region);
	to->walks += region->walks;
	to->walks_huge += region->walks_huge;
	to->cycles += region->cycles;
	to->cycles_huge += region->cycles_huge;
	to->saved += region->saved;
	to->advised[region->advice]++;
}

static const char *
mapping_advice(const struct mapping *mapping)
{
	size_t no = mapping->advised[HUGE_NO] + mapping->advised[HUGE_SPARSE];

	if (mapping->advised[HUGE_YES])
		return no ? "in parts" : "yes";
	return no ? "no" : "none come";
}

static int
put_mapping(struct result *out, const struct mapping *mapping)
{
	return result_row(out, "huge.mappings", "ssuudddddd", mapping->name,
			  mapping_advice(mapping), (uint64_t)mapping->touched,
			  (uint64_t)mapping->bloat, mapping->walks,
			  mapping->walks_huge, mapping->cycles,
			  mapping->cycles_huge,
			  mapping->cycles - mapping->cycles_huge,
			  mapping->saved);
}

static int
put_mappings(const struct judged *judged, struct result *out)
{
	static const char *const columns[] = { "mapping:",
					       "huge:",
					       "touched:bytes",
					       "bloat:bytes",
					       "walks:walks",
					       "walks_huge:walks",
					       "walk_cycles:cycles",
					       "walk_cycles_huge:cycles",
					       "saved_walks:cycles",
					       "saved:cycles",
					       NULL };
	struct mapping *mapping =
		calloc(judged->regions.n + 1, sizeof(*mapping));
	size_t n = 0, k;
	int error = result_table(out, "huge.mappings",
				 "what huge pages save and cost by mapping; "
				 "saved: of the runtime, with faults",
				 columns);

	if (!mapping)
		return -ENOMEM;
	for (size_t i = 0; i < judged->regions.n; i++) {
		const struct huge_region *region = &judged->regions.region[i];

		for (k = 0; k < n; k++)
			if (!strcmp(mapping[k].name, region->mapping))
				break;
		mapping[k].name = region->mapping;
		n += k == n;
		mapping_add(&mapping[k], region);
	}
	qsort(mapping, n, sizeof(*mapping), rank);
	for (size_t i = 0; !error && i < n; i++)
		error = put_mapping(out, &mapping[i]);
	free(mapping);
	return error;
}

static int
put_figures(const struct judged *judged, struct result *out)
{
	const struct {
		const char *name;
		double value;
	} change[] = {
		{ "huge.always.low", judged->change.low },
		{ "huge.always.change", judged->change.change },
		{ "huge.always.high", judged->change.high },
	};
	double cycles;
	int error = result_real(out, "huge.overlap",
				runtime_overlap(&judged->facts, &judged->now,
						&cycles),
				"");

	if (!error)
		error = result_count(out, "huge.bloat.bytes",
				     (uint64_t)judged->sums.bloat, "bytes");
	if (!error && !judged->change.known)
		return result_absent(out, "huge.always.change",
				     judged->change.why);
	for (size_t i = 0; !error && i < ARRAY_SIZE(change); i++)
		error = result_real(out, change[i].name, change[i].value,
				    "percent");
	return error;
}

static int
judge(struct judged *judged, struct result *out)
{
	struct verdict verdict = { .topic = "huge-pages" };
	int error = measure(judged);

	if (error)
		return error;
	/* Nothing to advise: then the question is of "always" */
	verdict.change =
		judged->sums.yes ? judged->change_advised : judged->change;
	verdict.word = verdict_of(&verdict.change, LITTLE);
	if (!judged->sums.yes && verdict.word == VERDICT_YES)
		verdict.word = VERDICT_NO; /* sparse: it takes memory */
	reason(judged, &verdict);
	advice(judged, &verdict);
	error = verdict_add(out, &verdict);
	if (!error)
		error = put_figures(judged, out);
	if (!error)
		error = put_mappings(judged, out);
	return error ? error : put_ranges(judged, out);
}

static int
huge_judge(const struct result *all, struct result *out)
{
	struct judged judged = { .all = all };
	struct view_table table;
	int error;

	judged.plain = verdict_machine(all, VERDICT_PLAIN);
	judged.huge = verdict_machine(all, "thp");
	judged.code = verdict_machine(all, "2m");
	if (judged.plain && judged.huge &&
	    view_table(judged.plain, "regions.2m", &table) &&
	    view_table(judged.huge, "regions.2m", &table))
		error = judge(&judged, out);
	else
		error = verdict_missing(out, "huge-pages");
	huge_regions_close(&judged.regions);
	result_close(judged.plain);
	result_close(judged.huge);
	result_close(judged.code);
	return error;
}

static void
say_mappings(struct text *text, const struct view_table *table)
{
	static const char *const names[] = { "touched", "bloat", "walk_cycles",
					     "walk_cycles_huge", "saved" };
	static const char *const heads[] = { "mapping",	    "huge pages",
					     "touched",	    "bloat",
					     "walk cycles", "with huge",
					     "saved" };
	struct grid *grid = grid_open("~<>>>>>");

	if (!grid) {
		text->error = -ENOMEM;
		return;
	}
	for (size_t j = 0; j < ARRAY_SIZE(heads); j++)
		grid_add(grid, heads[j]);
	for (size_t i = 0; i < table->n_rows && i < 8; i++) {
		grid_add(grid,
			 view_text(table, i, view_column(table, "mapping")));
		grid_add(grid, view_text(table, i, view_column(table, "huge")));
		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			double value =
				view_number(table, i,
					    view_column(table, names[j]));

			grid_add(grid, j < 2 ? number_bytes(value).text
					     : number_si(value).text);
		}
	}
	text_grid(text, grid);
}

static void
huge_say(struct text *text)
{
	struct view_table table;

	if (!view_table(text->result, "huge.mappings", &table) || !table.n_rows)
		return;
	say_mappings(text, &table);
	if (view_table(text->result, "huge.ranges", &table) && table.n_rows)
		text_say(text,
			 "%s to advise (--ranges FILE writes them). Saved: "
			 "cycles of the program, with faults.",
			 number_of((double)table.n_rows, "range").text);
}

static void
print_ranges(const struct view_table *table, FILE *file)
{
	int process = view_column(table, "process");
	int mapping = view_column(table, "mapping");
	int start = view_column(table, "start");
	uint64_t first = 0;

	fputs("# process address length advice offset mapping\n", file);
	for (size_t i = 0; i < table->n_rows; i++) {
		uint64_t at = view_address(table, i, start);
		bool same = i &&
			    !strcmp(view_text(table, i, mapping),
				    view_text(table, i - 1, mapping)) &&
			    view_number(table, i, process) ==
				    view_number(table, i - 1, process);

		first = same ? first : at;
		fprintf(file, "%.0f %#jx %.0f %s %ju %s\n",
			view_number(table, i, process), (uintmax_t)at,
			view_number(table, i, view_column(table, "length")),
			view_text(table, i, view_column(table, "advice")),
			(uintmax_t)(at - first), view_text(table, i, mapping));
	}
}

int
verdict_ranges(const struct result *result, const char *path)
{
	bool out = !strcmp(path, "-");
	struct view_table table;
	FILE *file;
	int error = 0;

	if (!view_table(result, "huge.ranges", &table))
		return fail(EINVAL, "advise: --ranges: no ranges; the topic "
				    "huge-pages makes them, of a trace");
	file = out ? stdout : fopen(path, "w");
	if (!file)
		return fail_errno(errno, "%s", path);
	print_ranges(&table, file);
	if (out)
		return 0; /* main looks after it */
	if (ferror(file))
		error = EIO;
	if (fclose(file) && !error)
		error = errno;
	return error ? fail_errno(error, "%s", path) : 0;
}

const struct topic_ops huge_pages_topic = {
	.name = "huge-pages",
	.question = "Will huge pages help?",
	.help = "what huge pages save and cost, by mapping, and where to "
		"advise them",
	.machines = machines,
	.lean = true,
	.judge = huge_judge,
	.say = huge_say,
};
