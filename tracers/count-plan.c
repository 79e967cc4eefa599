// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of events; see the header. */
#include "tracers/count-plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analyzer/fail.h"
#include "tracers/event-name.h"

#define USUAL                                                                  \
	"task-clock,context-switches,cpu-migrations,page-faults,minor-faults," \
	"major-faults,{cpu-cycles,instructions}"

static const char *
bare(const char *name)
{
	return strncasecmp(name, "perf::", 6) ? name : name + 6;
}

static int
find(const struct count_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n; i++)
		if (!strcasecmp(bare(plan->event[i].name), bare(name)))
			return (int)i;
	return -1;
}

static int
add(struct count_plan *plan, const char *name, size_t n, unsigned group)
{
	struct counting_event *event =
		reallocarray(plan->event, plan->n + 1, sizeof(*event));

	if (!event)
		return fail(ENOMEM, "counting: no memory");
	plan->event = event;
	event += plan->n;
	if (!n || n >= sizeof(event->name))
		return fail(EINVAL, "stat: -e: %s name of an event",
			    n ? "too long a" : "no");
	memcpy(event->name, name, n);
	event->name[n] = '\0';
	event->group = group;
	plan->n++;
	return 0;
}

static int
add_list(struct count_plan *plan, const char *text)
{
	unsigned group = 0;
	int error = 0;

	while (!error) {
		size_t n;

		if (*text == '{') {
			if (group)
				return fail(EINVAL, "stat: -e: { within {");
			group = ++plan->groups;
			text++;
		}
		n = strcspn(text, ",{}");
		error = add(plan, text, n, group);
		text += n;
		if (!error && *text == '}') {
			if (!group)
				return fail(EINVAL, "stat: -e: } without {");
			group = 0;
			text++;
		}
		if (!*text)
			break;
		if (!error && *text++ != ',')
			return fail(EINVAL,
				    "stat: -e: a comma is missing before "
				    "\"%s\"",
				    text - 1);
	}
	return !error && group ? fail(EINVAL, "stat: -e: { without }") : error;
}

static void
full_name(const struct count_plan *plan, const char *event, char *name,
	  size_t bytes)
{
	bool whole = strstr(event, "::") || !plan->pmu;

	snprintf(name, bytes, "%s%s%s", whole ? "" : plan->pmu,
		 whole ? "" : "::", event);
}

int
count_plan_find(const struct count_plan *plan, const char *event)
{
	char name[sizeof(plan->event->name) + 64];

	full_name(plan, event, name, sizeof(name));
	return find(plan, name);
}

/* Events of one metric that are not there yet go on the counters together */
static int
add_formula(struct count_plan *plan, const char *text, unsigned group)
{
	char event[METRIC_EVENT_BYTES], name[METRIC_EVENT_BYTES + 64];
	int sign, error = 0;

	while (!error &&
	       metric_event_next(&text, event, sizeof(event), &sign)) {
		full_name(plan, event, name, sizeof(name));
		if (find(plan, name) < 0)
			error = add(plan, name, strlen(name), group);
	}
	return error;
}

bool
count_plan_has(const struct count_plan *plan, const struct metric_row *row)
{
	return plan->level == METRICS_ALL ||
	       (plan->level == METRICS_BASIC && !row->detail);
}

static int
add_metrics(struct count_plan *plan)
{
	int error = 0;

	for (size_t k = 0; k < METRIC_ROWS_MAX && plan->family->rows[k]; k++)
		for (const struct metric_row *row = plan->family->rows[k];
		     row->name && !error; row++) {
			if (!count_plan_has(plan, row) || row->absent)
				continue;
			plan->groups++;
			error = add_formula(plan, row->over, plan->groups);
			if (!error)
				error = add_formula(plan, row->under,
						    plan->groups);
		}
	return error;
}

int
count_plan_init(struct count_plan *plan, const char *events,
		enum metric_level level, const struct metric_host *host)
{
	int error;

	*plan = (struct count_plan){ .level = level };
	plan->family = metric_family_find(host, &plan->pmu);
	error = add_list(plan, events && *events ? events : USUAL);
	plan->asked = plan->n;
	return error ? error : add_metrics(plan);
}

void
count_plan_fini(struct count_plan *plan)
{
	free(plan->event);
}

static bool
has_pmu(void *context, const char *pmu)
{
	(void)context;
	return event_pmu_present(pmu);
}

struct metric_host
count_plan_host(char *vendor, size_t vendor_bytes)
{
	struct metric_host host = { .has_pmu = has_pmu, .vendor = vendor };
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	vendor[0] = '\0';
	while (file && fgets(line, sizeof(line), file) && line[0] != '\n') {
		const char *value = strchr(line, ':');

		if (!value)
			continue;
		value += 1 + strspn(value + 1, " ");
		if (!strncmp(line, "vendor_id", 9))
			snprintf(vendor, vendor_bytes, "%.*s",
				 (int)strcspn(value, "\n"), value);
		else if (!strncmp(line, "cpu family", 10))
			host.cpu_family = (unsigned)strtoul(value, NULL, 10);
	}
	if (file)
		fclose(file);
	return host;
}
