// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts as values and tables of a result; see the header. */
#include "tracers/count-result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NEVER_ON "it was never on the counters: they were in use"

const char *
count_unit(const char *event)
{
	size_t n = strlen(event);

	return n >= 5 && !strcasecmp(event + n - 5, "clock") ? "ns" : "events";
}

void
count_sums_add(struct count_sum *sums, const struct count_plan *plan,
	       const struct counting *counting, const struct count *counts)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct count_sum *sum = &sums[i];
		const char *why = counting_reason(counting, i);
		double value;

		sum->user_only |= counting_user_only(counting, i);
		if (!why && !count_scaled(&counts[i], &value))
			why = NEVER_ON;
		if (why) {
			snprintf(sum->why, sizeof(sum->why), "%s", why);
			continue;
		}
		sum->sum += value;
		sum->squares += value * value;
		sum->exact = counts[i].value;
		sum->enabled_ns += counts[i].enabled_ns;
		sum->running_ns += counts[i].running_ns;
		sum->runs++;
	}
}

static double
running_percent(uint64_t enabled_ns, uint64_t running_ns)
{
	return running_ns >= enabled_ns
		       ? 100
		       : 100 * (double)running_ns / (double)enabled_ns;
}

/* The standard error of the mean, in percent of it */
static double
deviation(const struct count_sum *sum)
{
	double n = sum->runs, mean = sum->sum / n;
	double variance = (sum->squares - n * mean * mean) / (n - 1);

	if (variance <= 0 || mean <= 0)
		return 0;
	return 100 * sqrt(variance / n) / mean;
}

/* One row; what does not apply is NaN, which becomes null */
static int
put_total(struct result *result, const char *event, const struct count_sum *sum,
	  double seconds)
{
	const char *unit = count_unit(event);
	char name[300], shown[300];
	double running = running_percent(sum->enabled_ns, sum->running_ns);
	double mean = sum->sum / sum->runs;
	double rate = !strcmp(unit, "ns") ? NAN : mean / seconds;
	int error;

	snprintf(name, sizeof(name), "counter.%s", event);
	snprintf(shown, sizeof(shown), "%s%s", event,
		 sum->user_only ? ":u" : "");
	if (!sum->runs) {
		error = result_absent(result, name, sum->why);
		return error ? error
			     : result_row(result, "counters", "snsnnns", shown,
					  unit, sum->why);
	}
	if (sum->runs == 1 && running >= 100) {
		error = result_count(result, name, sum->exact, unit);
		return error ? error
			     : result_row(result, "counters", "susdddn", shown,
					  sum->exact, unit, running,
					  (double)NAN, rate);
	}
	error = result_real(result, name, mean, unit);
	return error ? error
		     : result_row(result, "counters", "sdsdddn", shown, mean,
				  unit, running,
				  sum->runs > 1 ? deviation(sum) : NAN, rate);
}

struct lookup {
	const struct count_plan *plan;
	const struct count_sum *sums;
	bool scaled; /* some event was not on all the time */
};

static bool
find_count(void *context, const char *event, double *count, const char **why)
{
	struct lookup *lookup = context;
	int i = count_plan_find(lookup->plan, event);
	const struct count_sum *sum;

	if (i < 0) {
		*why = "an event of its formula is not counted";
		return false;
	}
	sum = &lookup->sums[i];
	if (!sum->runs) {
		*why = sum->why;
		return false;
	}
	*count = sum->sum / sum->runs;
	lookup->scaled |= sum->running_ns < sum->enabled_ns;
	return true;
}

static int
put_metric(struct result *result, const struct metric_meaning *meaning,
	   const struct metric_row *row, struct lookup *lookup)
{
	const char *why = NULL;
	double value = NAN;
	int error;

	lookup->scaled = false;
	if (metric_value(row, find_count, lookup, &value, &why)) {
		error = result_absent(result, row->name, why);
		return error ? error
			     : result_row(result, "metrics", "snsnss",
					  row->name, meaning->unit, why,
					  meaning->help);
	}
	error = result_real(result, row->name, value, meaning->unit);
	return error ? error
		     : result_row(result, "metrics", "sdssns", row->name, value,
				  meaning->unit, lookup->scaled ? "yes" : "no",
				  meaning->help);
}

static int
put_metrics(struct result *result, const struct count_plan *plan,
	    const struct count_sum *sums)
{
	static const char *const columns[] = { "metric:", "value:",  "unit:",
					       "scaled:", "reason:", "help:",
					       NULL };
	struct lookup lookup = { .plan = plan, .sums = sums };
	char help[128];
	int error;

	snprintf(help, sizeof(help), "address translation, by %s formulas",
		 plan->family->name);
	error = result_table(result, "metrics", help, columns);
	for (const struct metric_meaning *meaning = metric_meanings;
	     meaning->name && !error; meaning++) {
		const struct metric_row *row =
			metric_row_find(plan->family, meaning->name);

		if (row && count_plan_has(plan, row))
			error = put_metric(result, meaning, row, &lookup);
	}
	return error;
}

int
count_result_totals(struct result *result, const struct count_plan *plan,
		    const struct count_sum *sums, double seconds)
{
	static const char *const columns[] = { "event:",
					       "count:",
					       "unit:",
					       "running:percent",
					       "deviation:percent",
					       "rate:1/s",
					       "reason:",
					       NULL };
	int error = result_table(result, "counters",
				 "events; below 100 percent running the count "
				 "is scaled up, an estimate; deviation is the "
				 "standard error of the mean of several runs",
				 columns);

	for (size_t i = 0; i < plan->n && !error; i++)
		error = put_total(result, plan->event[i].name, &sums[i],
				  seconds);
	if (!error && plan->level != METRICS_NONE)
		error = put_metrics(result, plan, sums);
	return error;
}

static bool
has_table(struct result *result, const char *name)
{
	return json_object_get(json_object_get(result_json(result), "tables"),
			       name);
}

int
count_result_interval(struct result *result, const struct count_plan *plan,
		      const struct counting *counting, double end_s,
		      const struct count *counts, struct count *before)
{
	static const char *const columns[] = { "end:s", "event:", "count:",
					       "running:percent", NULL };
	int error = 0;

	if (!has_table(result, "intervals"))
		error = result_table(
			result, "intervals",
			"events between the end before and this end", columns);
	for (size_t i = 0; i < plan->n && !error; i++) {
		struct count part = {
			counts[i].value - before[i].value,
			counts[i].enabled_ns - before[i].enabled_ns,
			counts[i].running_ns - before[i].running_ns,
		};
		const char *name = plan->event[i].name;
		double value;

		before[i] = counts[i];
		if (counting_reason(counting, i))
			error = result_row(result, "intervals", "dsnn", end_s,
					   name);
		else if (part.running_ns >= part.enabled_ns)
			error = result_row(result, "intervals", "dsud", end_s,
					   name, part.value, 100.0);
		else if (count_scaled(&part, &value))
			error = result_row(result, "intervals", "dsdd", end_s,
					   name, value,
					   running_percent(part.enabled_ns,
							   part.running_ns));
		else
			error = result_row(result, "intervals", "dsnd", end_s,
					   name, 0.0);
	}
	return error;
}

static int
put_thread(struct result *result, const char *event,
	   const struct thread_count *thread, const struct count *count)
{
	uint64_t pid = (uint64_t)thread->pid, tid = (uint64_t)thread->tid;
	double running = running_percent(count->enabled_ns, count->running_ns);
	double value;

	if (!count_scaled(count, &value))
		value = NAN;
	if (thread->core >= 0)
		return result_row(result, "threads", "nnusdd",
				  (uint64_t)thread->core, event, value,
				  running);
	if (running < 100)
		return result_row(result, "threads", "uunsdd", pid, tid, event,
				  value, running);
	return result_row(result, "threads", "uunsud", pid, tid, event,
			  count->value, running);
}

int
count_result_threads(struct result *result, const struct count_plan *plan,
		     const struct counting *counting,
		     const struct thread_count *threads, size_t n)
{
	static const char *const columns[] = {
		"pid:", "tid:", "core:", "event:", "count:", "running:percent",
		NULL
	};
	int error = result_table(result, "threads",
				 "events by thread, or by processor", columns);

	for (size_t t = 0; t < n; t++)
		for (size_t i = 0; i < plan->n && !error; i++)
			if (!counting_reason(counting, i))
				error = put_thread(result, plan->event[i].name,
						   &threads[t],
						   &threads[t].count[i]);
	return error;
}
