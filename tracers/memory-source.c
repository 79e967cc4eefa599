// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel describes its PMUs below /sys/bus/event_source/devices: `type`,
 * `events/NAME` ("event=0xcd,umask=0x1,ldlat=3") and `format/TERM`, which bits
 * of the attribute a term is ("config:0-7").  Intel's way is two of the core's
 * events, AMD's and Arm's are PMUs of their own.
 */
#include "tracers/memory-source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES "/sys/bus/event_source/devices"

/* Primes but for IBS, which counts in sixteens: loops of a round length are
 * then not always met at the same place. */
#define PEBS_PERIOD 10007
#define IBS_PERIOD  (16 * 10007)
#define SPE_PERIOD  10007

#define SOURCE_TYPES                                        \
	(PERF_SAMPLE_WEIGHT_STRUCT | PERF_SAMPLE_DATA_SRC | \
	 PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_DATA_PAGE_SIZE)

struct term {
	const char *name;
	uint64_t value;
};

/* The first line of a file, without its end; false: there is none. */
static bool
read_line(const char *root, const char *pmu, const char *name, char *text,
	  size_t bytes)
{
	char path[512];
	bool got;
	FILE *file;

	snprintf(path, sizeof(path), "%s" DEVICES "/%s/%s", root, pmu, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fgets(text, (int)bytes, file);
	fclose(file);
	text[got ? strcspn(text, "\n") : 0] = '\0';
	return got;
}

int
memory_source_format(const char *format, uint64_t value,
		     struct perf_event_attr *attr)
{
	static const char *const names[] = { "config", "config1", "config2" };
	__u64 *words[] = { &attr->config, &attr->config1, &attr->config2 };
	size_t n = strcspn(format, ":"), which = 0;
	const char *at = format + n;

	while (which < ARRAY_SIZE(names) &&
	       (strlen(names[which]) != n || strncmp(format, names[which], n)))
		which++;
	if (which == ARRAY_SIZE(names) || *at != ':')
		return -EINVAL;
	while (*at == ':' || *at == ',') {
		char *end;
		unsigned long first = strtoul(at + 1, &end, 10), last = first;

		if (end == at + 1)
			return -EINVAL;
		at = end;
		if (*at == '-') {
			last = strtoul(at + 1, &end, 10);
			at = end;
		}
		if (last > 63 || first > last)
			return -EINVAL;
		for (unsigned long bit = first; bit <= last; bit++) {
			*words[which] |= (value & 1) << bit;
			value >>= 1;
		}
	}
	return *at || value ? -EINVAL : 0;
}

static int
set_term(const char *root, const char *pmu, const struct term *term,
	 struct perf_event_attr *attr)
{
	char name[128], format[128];

	snprintf(name, sizeof(name), "format/%s", term->name);
	if (!read_line(root, pmu, name, format, sizeof(format)))
		return -ENOENT;
	return memory_source_format(format, term->value, attr);
}

static int
set_type(const char *root, const char *pmu, struct perf_event_attr *attr)
{
	char text[32];

	*attr = (struct perf_event_attr){ .size = sizeof(*attr) };
	if (!read_line(root, pmu, "type", text, sizeof(text)))
		return -ENODEV;
	attr->type = (uint32_t)strtoul(text, NULL, 10);
	return 0;
}

/* "event=0xcd,umask=0x1,ldlat=3" */
static int
set_event(const char *root, const char *pmu, const char *event,
	  struct perf_event_attr *attr)
{
	char name[128], text[256], *rest = NULL;
	int error = set_type(root, pmu, attr);

	snprintf(name, sizeof(name), "events/%s", event);
	if (!error && !read_line(root, pmu, name, text, sizeof(text)))
		error = -ENOENT;
	for (char *word = error ? NULL : strtok_r(text, ",", &rest);
	     word && !error; word = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(word, '=');
		struct term term = { word, 1 };

		if (equals) {
			*equals = '\0';
			term.value = strtoull(equals + 1, NULL, 0);
		}
		error = set_term(root, pmu, &term, attr);
		if (error == -ENOENT)
			error = -EINVAL;
	}
	return error;
}

static int
add(struct memory_source *source, const char *root, const char *pmu,
    const char *event, bool helper)
{
	size_t n = source->n;
	int error = set_event(root, pmu, event, &source->event[n].attr);

	if (error)
		return error;
	source->event[n].name = event;
	source->event[n].helper = helper;
	source->event[n].attr.sample_period =
		helper ? UINT64_C(1) << 40 : PEBS_PERIOD;
	source->event[n].attr.precise_ip = helper ? 0 : 2;
	source->n++;
	return 0;
}

/* Some processors (Sapphire Rapids) count loads only beside a helper */
static int
find_pebs(const char *root, struct memory_source *source)
{
	static const char *const pmus[] = { "cpu", "cpu_core" };
	int error = -ENODEV;

	for (size_t i = 0; i < ARRAY_SIZE(pmus) && error == -ENODEV; i++) {
		error = add(source, root, pmus[i], "mem-loads-aux", true);
		source->grouped = !error;
		if (!error || error == -ENOENT)
			error = add(source, root, pmus[i], "mem-loads", false);
		if (!error)
			error = add(source, root, pmus[i], "mem-stores", false);
		/* A core PMU without such events, AMD's */
		if (error == -ENOENT)
			error = source->n ? 0 : -ENODEV;
	}
	if (error)
		return error;
	source->kind = "PEBS";
	source->sample_type = SOURCE_TYPES;
	return 0;
}

static int
find_other(const char *root, struct memory_source *source, const char *pmu,
	   const struct term *terms)
{
	struct perf_event_attr *attr = &source->event[0].attr;
	int error = set_type(root, pmu, attr);

	for (; !error && terms->name; terms++) {
		error = set_term(root, pmu, terms, attr);
		/* A kernel or processor without this choice */
		if (error == -ENOENT)
			error = 0;
	}
	if (!error)
		source->n = 1;
	return error;
}

static int
find_ibs(const char *root, struct memory_source *source)
{
	/* Micro-ops, not cycles */
	static const struct term terms[] = { { "cnt_ctl", 1 }, { NULL, 0 } };
	int error = find_other(root, source, "ibs_op", terms);

	if (error)
		return error;
	source->kind = "IBS";
	source->ibs = true;
	source->event[0].name = "ibs_op";
	source->event[0].attr.sample_period = IBS_PERIOD;
	source->sample_type = SOURCE_TYPES | PERF_SAMPLE_RAW;
	return 0;
}

static int
find_spe(const char *root, struct memory_source *source)
{
	static const struct term terms[] = { { "ts_enable", 1 },
					     { "load_filter", 1 },
					     { "store_filter", 1 },
					     { NULL, 0 } };
	int error = find_other(root, source, "arm_spe_0", terms);

	if (error)
		return error;
	source->kind = "SPE";
	source->spe = true;
	source->event[0].name = "arm_spe";
	source->event[0].attr.sample_period = SPE_PERIOD;
	return 0;
}

int
memory_source_find(const char *root, struct memory_source *source, char *why,
		   size_t why_bytes)
{
	static int (*const ways[])(const char *, struct memory_source *) = {
		find_pebs, find_ibs, find_spe
	};
	int error = -ENODEV;

	for (size_t i = 0; i < ARRAY_SIZE(ways) && error == -ENODEV; i++) {
		*source = (struct memory_source){ .n = 0 };
		error = ways[i](root, source);
	}
	if (error == -ENODEV)
		snprintf(
			why, why_bytes,
			"this host samples no memory accesses: neither PEBS (Intel), IBS (AMD) nor SPE (Arm) in " DEVICES
			"; run on the bare machine, or give the virtual machine a PMU");
	else if (error)
		snprintf(why, why_bytes,
			 "the kernel's description of its PMU is not "
			 "understood (" DEVICES ")");
	return error && error != -ENODEV ? -EINVAL : error;
}
