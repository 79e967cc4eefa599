// SPDX-License-Identifier: GPL-2.0-or-later
/* Formulas of events, read and computed; see metric.h. */
#include "tracers/metric.h"

#include <string.h>

static bool
is_here(const struct metric_family *family, const struct metric_host *host,
	const char **pmu)
{
	*pmu = NULL;
	for (size_t i = 0; family->pmus[i]; i++)
		if (host->has_pmu(host->context, family->pmus[i])) {
			*pmu = family->pmus[i];
			return true;
		}
	return family->vendor && !strcmp(family->vendor, host->vendor) &&
	       family->cpu_family == host->cpu_family;
}

const struct metric_family *
metric_family_find(const struct metric_host *host, const char **pmu)
{
	const struct metric_family *family = metric_families;

	while (family[1].name && !is_here(family, host, pmu))
		family++;
	if (!family[1].name)
		*pmu = NULL;
	return family;
}

const struct metric_row *
metric_row_find(const struct metric_family *family, const char *name)
{
	for (size_t k = 0; k < METRIC_ROWS_MAX && family->rows[k]; k++)
		for (const struct metric_row *row = family->rows[k]; row->name;
		     row++)
			if (!strcmp(row->name, name))
				return row;
	return NULL;
}

bool
metric_event_next(const char **text, char *event, size_t event_bytes, int *sign)
{
	size_t n;

	*sign = 1;
	if (!*text)
		return false;
	*text += strspn(*text, " ");
	if ((**text == '+' || **text == '-') && (*text)[1] == ' ') {
		*sign = **text == '-' ? -1 : 1;
		*text += 1 + strspn(*text + 1, " ");
	}
	n = strcspn(*text, " ");
	if (!n || n >= event_bytes)
		return false;
	memcpy(event, *text, n);
	event[n] = '\0';
	*text += n;
	return true;
}

static int
formula_value(const char *text, metric_find *find, void *context, double *sum,
	      const char **why)
{
	char event[METRIC_EVENT_BYTES];
	double count;
	int sign;

	*sum = 0;
	while (metric_event_next(&text, event, sizeof(event), &sign)) {
		if (!find(context, event, &count, why))
			return -ENODATA;
		*sum += sign * count;
	}
	return 0;
}

int
metric_value(const struct metric_row *row, metric_find *find, void *context,
	     double *value, const char **why)
{
	double over, under = 1;
	int error;

	if (row->absent) {
		*why = row->absent;
		return -ENODATA;
	}
	error = formula_value(row->over, find, context, &over, why);
	if (!error && row->under)
		error = formula_value(row->under, find, context, &under, why);
	if (error)
		return error;
	if (under <= 0) {
		*why = "its divisor was counted 0 times";
		return -ENODATA;
	}
	*value = over / under * row->scale;
	return 0;
}
