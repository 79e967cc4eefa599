// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope verify TRACE...: read all of a trace and check it. */
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "traces/pst.h"

#include <stdio.h>

struct verify_config {
	bool quiet;
};

static const struct option_row verify_rows[] = {
	{ "quiet", OPTION_BOOL, offsetof(struct verify_config, quiet),
	  .help = "print nothing about sound traces", .key = 'q' },
	{ NULL },
};

static const struct option_group verify_groups[] = {
	{ "", verify_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree verify_options = {
	verify_groups, sizeof(struct verify_config)
};

static int
verify_one(const struct verb_call *call, const char *path)
{
	const struct verify_config *config = call->config;
	struct pst_summary summary;
	int error = pst_verify(path, &summary, call->stop);

	if (error == -EINTR)
		return STATUS_PARTIAL;
	if (error)
		return STATUS_FAILED;
	if (!config->quiet)
		printf("%s: %s, %llu access%s in %llu block%s, digest %s\n",
		       path, summary.complete ? "sound" : "incomplete",
		       (unsigned long long)summary.accesses,
		       summary.accesses == 1 ? "" : "es",
		       (unsigned long long)summary.blocks,
		       summary.blocks == 1 ? "" : "s", summary.digest);
	return summary.complete ? STATUS_OK : STATUS_PARTIAL;
}

static int
verify_run(const struct verb_call *call)
{
	int worst = STATUS_OK;

	if (!call->argc) {
		fail(EINVAL, "verify: which trace?");
		return STATUS_USAGE;
	}
	for (int i = 0; i < call->argc && !(call->stop && *call->stop); i++) {
		int status = verify_one(call, call->argv[i]);

		if (status > worst)
			worst = status;
	}
	return worst;
}

const struct verb_ops verify_verb = {
	.name = "verify",
	.help = "check every byte of a trace",
	.arguments = "[OPTION...] TRACE...",
	.details =
		"Reads each trace to its end, checks all checksums, numbers "
		"and totals, and compares the digest of its content with the "
		"one in its index. The status is 0 for sound traces, 3 where "
		"one is incomplete because its recorder was killed (what it "
		"holds is sound), 125 where one is damaged; the message names "
		"the byte.\n\n"
		"The digest covers the code that ran, its accesses and the "
		"changes of its mappings, but not times, process numbers, real "
		"faults or how the file is cut into blocks: two recordings of "
		"a deterministic program have the same.",
	.options = &verify_options,
	.examples = "pagescope verify trace.pst\n",
	.run = verify_run,
};
