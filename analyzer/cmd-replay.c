// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/verb.h"

static int
replay_run(const struct verb_call *call)
{
	(void)call;
	return STATUS_USAGE;
}

const struct verb_ops replay_verb = {
	.name = "replay",
	.help = "replay a trace through a machine",
	.arguments = "[OPTION...] TRACE",
	.run = replay_run,
};
