// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metrics: every event of every formula is one that libpfm4 knows for its
 * processors, with the code of the makers' documents; formulas give what is
 * computed by hand; and the counting splits groups as a kernel with so many
 * counters makes it, against a kernel of our own.
 */
#include "tracers/count-plan.h"
#include "tracers/counting.h"
#include "tracers/event-name.h"
#include "tracers/metric.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <perfmon/pfmlib_perf_event.h>

/* Codes as libpfm4 gives them for a PMU: umask << 8 | event, in the low 16 */
/* cmocka's own compares floats */
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static int
code_of(const char *name, uint64_t *code)
{
	pfm_pmu_encode_arg_t arg = { .size = sizeof(arg) };
	int error =
		pfm_get_os_event_encoding(name, PFM_PLM3, PFM_OS_NONE, &arg);

	if (error == PFM_SUCCESS)
		*code = arg.codes[0] & 0xffff;
	free(arg.codes);
	return error;
}

static bool
pmu_known(const char *pmu)
{
	for (int i = 0; i < PFM_PMU_MAX; i++) {
		pfm_pmu_info_t about = { .size = sizeof(about) };

		if (pfm_get_pmu_info((pfm_pmu_t)i, &about) == PFM_SUCCESS &&
		    !strcmp(about.name, pmu))
			return true;
	}
	return false;
}

static unsigned
encode_formula(const char *text, const char *pmu)
{
	char event[METRIC_EVENT_BYTES], name[METRIC_EVENT_BYTES + 64];
	unsigned n = 0;
	int sign;

	while (metric_event_next(&text, event, sizeof(event), &sign)) {
		uint64_t code;
		int error;

		snprintf(name, sizeof(name), "%s%s%s",
			 strstr(event, "::") ? "" : pmu,
			 strstr(event, "::") ? "" : "::", event);
		/* perf's own have no code of a PMU */
		if (strncmp(name, "perf", 4)) {
			error = code_of(name, &code);
		} else {
			struct perf_event_attr attr = { .size = sizeof(attr) };
			const char *why;

			error = event_encode(name, &attr, &why);
		}
		if (error)
			print_message("%s: %d\n", name, error);
		assert_int_equal(error, 0);
		n++;
	}
	return n;
}

static void
names_are_known(void **state)
{
	unsigned checked = 0, skipped = 0;

	(void)state;
	for (const struct metric_family *f = metric_families; f->name; f++) {
		for (size_t p = 0; p == 0 || f->pmus[p]; p++) {
			const char *pmu = f->pmus[p] ? f->pmus[p] : "";

			/* Those that need no PMU's name are checked anyway */
			if (*pmu && !pmu_known(pmu) && p > 0) {
				print_message("%s: not in this libpfm4\n", pmu);
				skipped++;
				continue;
			}
			for (size_t k = 0; k < METRIC_ROWS_MAX && f->rows[k];
			     k++)
				for (const struct metric_row *row = f->rows[k];
				     row->name; row++) {
					checked +=
						encode_formula(row->over, pmu);
					encode_formula(row->under, pmu);
				}
		}
	}
	print_message("%u events encoded, %u PMUs skipped\n", checked, skipped);
	assert_true(checked > 150);
}

/* The numbers in the makers' lists: event in the low byte, umask above */
static void
codes_are_the_makers(void **state)
{
	static const struct {
		const char *name;
		uint64_t code;
	} rows[] = {
		{ "skl::DTLB_LOAD_MISSES:WALK_COMPLETED", 0x0e08 },
		{ "skl::DTLB_STORE_MISSES:WALK_ACTIVE", 0x1049 },
		{ "skl::ITLB_MISSES:WALK_PENDING", 0x1085 },
		{ "icx::DTLB_LOAD_MISSES:WALK_COMPLETED_4K", 0x0208 },
		{ "spr::DTLB_LOAD_MISSES:WALK_COMPLETED", 0x0e12 },
		{ "spr::DTLB_STORE_MISSES:WALK_COMPLETED", 0x0e13 },
		{ "spr::ITLB_MISSES:STLB_HIT", 0x2011 },
		{ "amd64_fam17h_zen2::L1_DTLB_MISS:TLB_RELOAD_1G_L2_MISS",
		  0x8045 },
		{ "amd64_fam19h_zen4::L1_DTLB_MISS:TLB_RELOAD_4K_L2_MISS:"
		  "TLB_RELOAD_COALESCED_PAGE_MISS",
		  0x3045 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t code = 0;

		assert_int_equal(code_of(rows[i].name, &code), PFM_SUCCESS);
		if (code != rows[i].code)
			print_message("%s\n", rows[i].name);
		assert_int_equal(code, rows[i].code);
	}
}

/* Zen 5 by number counts the same as Zen 4 by name */
static void
zen5_is_as_zen4(void **state)
{
	const struct metric_family *zen4 = NULL, *zen5 = NULL;

	(void)state;
	for (const struct metric_family *f = metric_families; f->name; f++) {
		if (!strcmp(f->name, "Zen 3 and 4"))
			zen4 = f;
		else if (!strcmp(f->name, "Zen 5"))
			zen5 = f;
	}
	if (!zen4 || !zen5) {
		fail_msg("no Zen");
		return;
	}
	for (const struct metric_row *row = zen4->rows[0]; row->name; row++) {
		const struct metric_row *other =
			metric_row_find(zen5, row->name);
		const char *left = row->over, *right = other->over;
		char a[METRIC_EVENT_BYTES], b[METRIC_EVENT_BYTES], name[320];
		int s, t;

		while (metric_event_next(&left, a, sizeof(a), &s)) {
			struct perf_event_attr attr = { .size = sizeof(attr) };
			const char *why;
			uint64_t code = 0;

			assert_true(
				metric_event_next(&right, b, sizeof(b), &t));
			snprintf(name, sizeof(name), "amd64_fam19h_zen4::%s",
				 a);
			assert_int_equal(code_of(name, &code), 0);
			assert_int_equal(event_encode(b, &attr, &why), 0);
			assert_int_equal(attr.type, PERF_TYPE_RAW);
			assert_int_equal(attr.config, code);
			assert_int_equal(s, t);
		}
		assert_false(metric_event_next(&right, b, sizeof(b), &t));
	}
}

struct given {
	const char *event;
	double count;
};

static bool
find_given(void *context, const char *event, double *count, const char **why)
{
	for (const struct given *g = context; g->event; g++)
		if (!strcmp(g->event, event)) {
			*count = g->count;
			return true;
		}
	*why = event;
	return false;
}

static bool
only_skl(void *context, const char *pmu)
{
	return !strcmp(pmu, context);
}

static void
formulas_by_hand(void **state)
{
	struct given given[] = {
		{ "DTLB_LOAD_MISSES:STLB_HIT", 100 },
		{ "DTLB_STORE_MISSES:STLB_HIT", 20 },
		{ "ITLB_MISSES:STLB_HIT", 3 },
		{ "DTLB_LOAD_MISSES:WALK_COMPLETED", 40 },
		{ "DTLB_STORE_MISSES:WALK_COMPLETED", 8 },
		{ "ITLB_MISSES:WALK_COMPLETED", 2 },
		{ "DTLB_LOAD_MISSES:WALK_ACTIVE", 900 },
		{ "DTLB_STORE_MISSES:WALK_ACTIVE", 90 },
		{ "ITLB_MISSES:WALK_ACTIVE", 10 },
		{ "DTLB_LOAD_MISSES:WALK_PENDING", 1200 },
		{ "DTLB_STORE_MISSES:WALK_PENDING", 100 },
		{ "ITLB_MISSES:WALK_PENDING", 50 },
		{ "perf::CPU-CYCLES", 10000 },
		{ "perf::INSTRUCTIONS", 20000 },
		{ NULL },
	};
	static const struct given expected[] = {
		{ "tlb.l1d.misses", 168 },     { "tlb.l1i.misses", 5 },
		{ "tlb.l2.hits", 123 },	       { "tlb.l2.misses", 50 },
		{ "tlb.l1d.mpki", 8.4 },       { "tlb.l2.mpki", 2.5 },
		{ "walk.count", 50 },	       { "walk.cycles", 1000 },
		{ "walk.latency.mean", 27 },   { "walk.share", 10 },
		{ "walk.busy", 1350 / 200.0 }, { NULL },
	};
	char skl[] = "skl", spr[] = "spr";
	struct metric_host host = { only_skl, skl, "GenuineIntel", 6 };
	const struct metric_family *family;
	const char *pmu, *why = NULL;
	double value;

	(void)state;
	family = metric_family_find(&host, &pmu);
	assert_string_equal(pmu, "skl");
	for (const struct given *e = expected; e->event; e++) {
		const struct metric_row *row =
			metric_row_find(family, e->event);

		assert_non_null(row);
		assert_int_equal(metric_value(row, find_given, given, &value,
					      &why),
				 0);
		assert_near(value, e->count);
	}
	/* What is not counted has its reason, not 0 */
	assert_int_equal(metric_value(metric_row_find(family, "walk.count.4k"),
				      find_given, given, &value, &why),
			 -ENODATA);
	assert_string_equal(why, "DTLB_LOAD_MISSES:WALK_COMPLETED_4K");
	/* Four walkers are half as busy */
	host.context = spr;
	family = metric_family_find(&host, &pmu);
	assert_int_equal(metric_value(metric_row_find(family, "walk.busy"),
				      find_given, given, &value, &why),
			 0);
	assert_near(value, 1350 / 400.0);
}

static void
families_are_found(void **state)
{
	char none[] = "", v1[] = "arm_v1";
	struct metric_host host = { only_skl, none, "AuthenticAMD", 0x1a };
	const struct metric_family *family;
	const char *pmu, *why = NULL;
	double value;

	(void)state;
	family = metric_family_find(&host, &pmu);
	assert_string_equal(family->name, "Zen 5");
	assert_null(pmu);
	assert_int_equal(metric_value(metric_row_find(family, "walk.cycles"),
				      find_given, NULL, &value, &why),
			 -ENODATA);
	assert_non_null(strstr(why, "walks"));
	host.cpu_family = 0x99;
	assert_string_equal(metric_family_find(&host, &pmu)->name, "generic");
	host.context = v1;
	assert_string_equal(metric_family_find(&host, &pmu)->name, "Neoverse");
	/* Every figure that a family has means something */
	for (const struct metric_family *f = metric_families; f->name; f++)
		for (size_t k = 0; k < METRIC_ROWS_MAX && f->rows[k]; k++)
			for (const struct metric_row *row = f->rows[k];
			     row->name; row++) {
				const struct metric_meaning *m =
					metric_meanings;

				while (m->name && strcmp(m->name, row->name))
					m++;
				assert_non_null(m->name);
				assert_true(!row->over != !row->absent);
			}
}

/* A kernel with four counters: descriptors are indices */
#define FAKE_MAX 64
static struct {
	int group[FAKE_MAX]; /* leader, or itself */
	uint32_t type[FAKE_MAX];
	bool disabled[FAKE_MAX];
	int n, counters, controls, closed;
} fake;

static int
fake_open(struct perf_event_attr *attr, pid_t pid, int core, int group)
{
	int members = 1;

	(void)pid;
	(void)core;
	for (int i = 0; i < fake.n; i++)
		members += group >= 0 && fake.group[i] == group;
	if (attr->type != PERF_TYPE_SOFTWARE && members > fake.counters)
		return fake.counters ? -EINVAL : -ENOENT;
	assert_true(fake.n < FAKE_MAX);
	fake.group[fake.n] = group >= 0 ? group : fake.n;
	fake.type[fake.n] = attr->type;
	fake.disabled[fake.n] = attr->disabled;
	return fake.n++;
}

/* Half of the time on, and 100 counted a descriptor by its number */
static int
fake_read(int fd, struct count *count)
{
	*count = (struct count){ 100u + (unsigned)fd, 1000, 500 };
	return 0;
}

static int
fake_control(int fd, unsigned long request)
{
	(void)request;
	assert_int_equal(fake.group[fd], fd);
	fake.controls++;
	return 0;
}

static int
fake_close(int fd)
{
	assert_true(fd < fake.n);
	fake.closed++;
	return 0;
}

static const struct counting_kernel fake_kernel = { fake_open, fake_read,
						    fake_control, fake_close };

static void
groups_are_split(void **state)
{
	struct counting_event events[7] = {
		{ "perf::FAULTS", 0 },		 { "perf::CPU-CYCLES", 1 },
		{ "perf::INSTRUCTIONS", 1 },	 { "perf::DTLB-LOADS", 1 },
		{ "perf::DTLB-LOAD-MISSES", 1 }, { "perf::ITLB-LOADS", 1 },
		{ "perf::ITLB-LOAD-MISSES", 2 },
	};
	struct counting_setup setup = { .pid = getpid(),
					.no_follow = true,
					.kernel = &fake_kernel };
	struct count counts[7];
	struct counting *counting;
	double value;

	(void)state;
	fake.n = fake.controls = fake.closed = 0;
	fake.counters = 4;
	assert_int_equal(counting_open(&counting, events, 7), 0);
	assert_int_equal(counting_attach(counting, &setup), 0);
	assert_int_equal(fake.n, 7);
	/* The fault alone, four together, the fifth, another group's */
	assert_int_equal(fake.group[0], 0);
	for (int i = 1; i < 5; i++)
		assert_int_equal(fake.group[i], 1);
	assert_int_equal(fake.group[5], 5);
	assert_int_equal(fake.group[6], 6);
	for (int i = 0; i < 7; i++)
		assert_int_equal(fake.disabled[i], fake.group[i] == i);
	assert_int_equal(counting_enable(counting, true), 0);
	assert_int_equal(fake.controls, 4);
	assert_int_equal(counting_read(counting, counts), 0);
	for (unsigned i = 0; i < 7; i++) {
		assert_null(counting_reason(counting, i));
		assert_int_equal(counts[i].value, 100 + i);
		assert_true(count_scaled(&counts[i], &value));
		assert_near(value, (double)(200 + 2 * i));
	}
	counts[0].running_ns = 0;
	assert_false(count_scaled(&counts[0], &value));
	counting_close(counting);
	assert_int_equal(fake.closed, 7);
}

static void
no_counters(void **state)
{
	struct counting_event events[2] = { { "perf::FAULTS", 0 },
					    { "perf::CPU-CYCLES", 0 } };
	struct counting_setup setup = { .pid = getpid(),
					.no_follow = true,
					.kernel = &fake_kernel };
	struct counting *counting;

	(void)state;
	fake.n = 0;
	fake.counters = 0;
	assert_int_equal(counting_open(&counting, events, 2), 0);
	assert_int_equal(counting_attach(counting, &setup), 0);
	assert_null(counting_reason(counting, 0));
	assert_non_null(strstr(counting_reason(counting, 1), "PMU"));
	counting_close(counting);
}

static void
plans(void **state)
{
	char skl[] = "skl";
	struct metric_host host = { only_skl, skl, "GenuineIntel", 6 };
	struct count_plan plan;

	(void)state;
	assert_int_equal(count_plan_init(&plan, "faults,{a,b},{c,d,e},f",
					 METRICS_NONE, &host),
			 0);
	assert_int_equal(plan.n, 7);
	assert_int_equal(plan.event[0].group, 0);
	assert_int_equal(plan.event[1].group, plan.event[2].group);
	assert_int_not_equal(plan.event[2].group, plan.event[3].group);
	assert_int_equal(plan.event[6].group, 0);
	count_plan_fini(&plan);
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = { "a,,b", "{a", "a}", "{a{b}}",
						   "{a}b" };

		assert_int_equal(count_plan_init(&plan, bad[i], METRICS_NONE,
						 &host),
				 -EINVAL);
		count_plan_fini(&plan);
	}
	/* All that formulas need is there, once */
	assert_int_equal(count_plan_init(&plan, NULL, METRICS_ALL, &host), 0);
	assert_true(count_plan_find(&plan, "DTLB_LOAD_MISSES:WALK_PENDING") >=
		    0);
	assert_true(count_plan_find(&plan, "perf::CPU-CYCLES") >= 0);
	for (size_t i = 0; i < plan.n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(plan.event[i].name,
						plan.event[k].name);
	count_plan_fini(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_known),
		cmocka_unit_test(codes_are_the_makers),
		cmocka_unit_test(zen5_is_as_zen4),
		cmocka_unit_test(formulas_by_hand),
		cmocka_unit_test(families_are_found),
		cmocka_unit_test(groups_are_split),
		cmocka_unit_test(no_counters),
		cmocka_unit_test(plans),
	};

	/* Other processors' events can be encoded too */
	setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
	if (pfm_initialize() != PFM_SUCCESS)
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
