// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope check: what this host allows, what is missing, the smallest fix.
 * Facts of /proc and /sys are host.c's; here the engines, hardware counters
 * and other programs are tried.
 */
#include "analyzer/fail.h"
#include "analyzer/host.h"
#include "analyzer/verb.h"
#include "tracers/engines.h"
#include "tracers/tracer.h"

#include <jansson.h>
#include <linux/perf_event.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FINDINGS_MAX 64

struct check_config {
	bool json;
};

static const struct option_row check_rows[] = {
	{ "json", OPTION_BOOL, offsetof(struct check_config, json),
	  .help = "print a JSON document instead of text" },
	{ NULL },
};
static const struct option_group check_groups[] = {
	{ "", check_rows, 0, NULL },
	{ NULL },
};
static const struct option_tree check_options = { check_groups,
						  sizeof(struct check_config) };

struct report {
	struct finding engine[FINDINGS_MAX], host[FINDINGS_MAX];
	size_t n_engines, n_host;
	bool can_record; /* some main engine works */
};

static const char *const state_words[] = {
	[FINDING_FACT] = "",
	[FINDING_YES] = "yes",
	[FINDING_LIMITED] = "limited",
	[FINDING_NO] = "no",
};

/* What record does when no engine is named */
static void
try_auto(struct finding *finding)
{
	char why[256];
	const struct tracer_ops *ops = engines_auto(false, why, sizeof(why));

	*finding = (struct finding){ .name = "auto", .state = FINDING_YES };
	if (!why[0])
		snprintf(finding->text, sizeof(finding->text),
			 "what record uses by default: %s", ops->name);
	else if (!strcmp(ops->name, "valgrind"))
		snprintf(
			finding->text, sizeof(finding->text),
			"what record uses by default: valgrind, as cache can't run");
	else {
		finding->state = FINDING_NO;
		snprintf(finding->text, sizeof(finding->text), "%s", why);
	}
}

static void
try_engines(struct report *report)
{
	try_auto(&report->engine[report->n_engines++]);
	for (size_t i = 0;
	     tracer_registry[i] && report->n_engines < FINDINGS_MAX; i++) {
		const struct tracer_ops *ops = tracer_registry[i];
		struct finding *finding = &report->engine[report->n_engines++];
		char why[256] = "";
		int error = ops->probe ? ops->probe(why, sizeof(why)) : 0;

		*finding = (struct finding){ .name = ops->name };
		finding->state = error ? FINDING_NO : FINDING_YES;
		snprintf(finding->text, sizeof(finding->text), "%s",
			 error ? why : ops->help);
		if (!error && !ops->companion)
			report->can_record = true;
	}
}

/* Open the event for this process as record would; 0 or the errno. */
static int
try_event(const char *name)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = { .size = sizeof(arg), .attr = &attr };
	long fd;

	if (pfm_get_os_event_encoding(name, PFM_PLM3, PFM_OS_PERF_EVENT,
				      &arg) != PFM_SUCCESS)
		return ENOENT;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	attr.disabled = 1;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return errno;
	close((int)fd);
	return 0;
}

static void
name_pmus(char *text, size_t text_bytes)
{
	size_t used = 0;

	for (int pmu = PFM_PMU_NONE; pmu < PFM_PMU_MAX; pmu++) {
		pfm_pmu_info_t info = { .size = sizeof(info) };

		if (pfm_get_pmu_info((pfm_pmu_t)pmu, &info) != PFM_SUCCESS ||
		    !info.is_present || info.type != PFM_PMU_TYPE_CORE)
			continue;
		if (used < text_bytes)
			used += (size_t)snprintf(text + used, text_bytes - used,
						 "%s%s", used ? ", " : "",
						 info.name);
	}
}

static void
try_counters(struct finding *finding)
{
	char pmus[128] = "";
	int error;

	*finding = (struct finding){ .name = "counters", .state = FINDING_NO };
	if (pfm_initialize() != PFM_SUCCESS) {
		snprintf(finding->text, sizeof(finding->text),
			 "libpfm4 does not know this processor");
		return;
	}
	name_pmus(pmus, sizeof(pmus));
	error = try_event("PERF_COUNT_HW_CPU_CYCLES");
	if (!error) {
		error = try_event("PERF_COUNT_HW_CACHE_DTLB:READ:MISS");
		finding->state = error ? FINDING_LIMITED : FINDING_YES;
		snprintf(finding->text, sizeof(finding->text),
			 "hardware counters (%s)%s", pmus,
			 error ? ", but no event for data TLB misses" : "");
	} else if (error == EACCES || error == EPERM) {
		snprintf(finding->text, sizeof(finding->text),
			 "not allowed to open hardware counters");
		snprintf(finding->fix, sizeof(finding->fix),
			 "sysctl kernel.perf_event_paranoid=2");
	} else {
		snprintf(finding->text, sizeof(finding->text),
			 "this host shows no hardware counters (stat counts "
			 "faults, switches and clocks)%s%s",
			 pmus[0] ? "; libpfm4 sees " : "", pmus);
		snprintf(finding->fix, sizeof(finding->fix),
			 "in a virtual machine: let the hypervisor pass them "
			 "on (vPMU)");
	}
}

/* Does `command` run, and what does the first line it prints say? */
static void
try_program(struct finding *finding, const char *name, const char *command,
	    const char *package)
{
	FILE *pipe = popen(command, "re");
	size_t length;

	*finding = (struct finding){ .name = name, .state = FINDING_YES };
	if (pipe && !fgets(finding->text, sizeof(finding->text), pipe))
		finding->text[0] = '\0';
	length = strcspn(finding->text, "\n");
	finding->text[length] = '\0';
	if (pipe && pclose(pipe) == 0 && length)
		return;
	finding->state = FINDING_NO;
	snprintf(finding->text, sizeof(finding->text), "not installed");
	snprintf(finding->fix, sizeof(finding->fix), "apt-get install %s",
		 package);
}

static void
look(struct report *report)
{
	size_t n;

	try_engines(report);
	n = host_look("", report->host);
	try_counters(&report->host[n++]);
	try_program(&report->host[n++], "valgrind",
		    "valgrind --version 2>/dev/null", "valgrind");
	try_program(&report->host[n++], "gnuplot",
		    "gnuplot --version 2>/dev/null", "gnuplot-nox");
	report->n_host = n;
}

static void
print_findings(const char *title, const struct finding *finding, size_t n)
{
	printf("%s\n", title);
	for (; n; n--, finding++) {
		const char *state = state_words[finding->state];

		printf("  %-13s %-8s %s\n", finding->name, state,
		       finding->text);
		if (finding->fix[0])
			printf("  %-13s %-8s fix: %s\n", "", "", finding->fix);
	}
}

static json_t *
json_findings(const struct finding *finding, size_t n)
{
	json_t *array = json_array();

	for (; array && n; n--, finding++) {
		json_t *object = json_pack("{ss ss}", "name", finding->name,
					   "text", finding->text);

		if (finding->state != FINDING_FACT)
			json_object_set_new(object, "state",
					    json_string(
						    state_words
							    [finding->state]));
		if (finding->fix[0])
			json_object_set_new(object, "fix",
					    json_string(finding->fix));
		json_array_append_new(array, object);
	}
	return array;
}

static int
print_json(const struct report *report)
{
	json_t *document =
		json_pack("{ss sb so so}", "pagescope", PACKAGE_VERSION,
			  "can_record", report->can_record, "engines",
			  json_findings(report->engine, report->n_engines),
			  "host", json_findings(report->host, report->n_host));
	int error;

	if (!document)
		return fail_errno(ENOMEM, "check");
	error = json_dumpf(document, stdout, JSON_INDENT(2));
	json_decref(document);
	putchar('\n');
	/* A write that failed is said by main at the end. */
	return error ? STATUS_FAILED : 0;
}

static int
check_run(const struct verb_call *call)
{
	const struct check_config *config = call->config;
	struct report *report;
	int error = 0;

	if (call->argc) {
		fail(EINVAL, "check: takes no arguments, but \"%s\" is there",
		     call->argv[0]);
		return STATUS_USAGE;
	}
	report = calloc(1, sizeof(*report));
	if (!report)
		return fail_errno(ENOMEM, "check");
	look(report);
	if (config->json) {
		error = print_json(report);
	} else {
		print_findings("Engines that record:", report->engine,
			       report->n_engines);
		print_findings("\nHost:", report->host, report->n_host);
		if (!report->can_record)
			puts("\nNo engine can record every access here.");
	}
	if (!error && !report->can_record)
		error = STATUS_PARTIAL;
	free(report);
	return error;
}

const struct verb_ops check_verb = {
	.name = "check",
	.help = "what this host allows, what is missing, the smallest fix",
	.arguments = "[--json]",
	.details = "Tries every recording engine and reads the settings that "
		   "matter for address translation and paging.  For each line: "
		   "yes, limited or no, what was found and, where something "
		   "is missing, the smallest fix.  Nothing is changed.\n"
		   "\n"
		   "The exit status is 3 if no engine can record every access "
		   "on this host.",
	.examples = "pagescope check\n"
		    "pagescope check --json\n",
	.options = &check_options,
	.run = check_run,
};
