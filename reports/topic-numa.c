// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does placement matter?  The same program on one node of two: all of it local,
 * its tables on the other, its data on the other.  Where that was not compared, as
 * in `run`, the host's own nodes may tell.
 */
#include "reports/number.h"
#include "reports/verdict.h"

#include <math.h>
#include <string.h>

#define LITTLE	 2.0	    /* percent of the runtime */
#define ONE_NODE "nodes 0," /* a host's numa begins so */

static const char *const machines[] = {
	"local=:pages.policy=4k,numa.nodes=2,numa.threads=node",
	"far-tables=:pages.policy=4k,numa.nodes=2,numa.threads=node,"
	"numa.tables=remote",
	"far-data=:pages.policy=4k,numa.nodes=2,numa.threads=node,"
	"numa.data=bind,numa.bind=1,numa.node=0,numa.tables=local",
	NULL
};

static void
change_to(struct runtime_change *change, const struct result *all,
	  const struct result *local, const struct result *far)
{
	struct runtime_facts facts;
	struct runtime_load now, then;

	runtime_facts(&facts, all, local);
	runtime_load(&now, local);
	runtime_load(&then, far);
	then.faults = now.faults;
	runtime_change(change, &facts, &now, &then);
}

static double
sure_cost(const struct runtime_change *change)
{
	return change->known ? fmax(change->change, 0) : 0;
}

static void
judge(struct verdict *verdict, const struct runtime_change *tables,
      const struct runtime_change *data, bool cached)
{
	char by_tables[160], by_data[160];
	double most = fmax(sure_cost(tables), sure_cost(data));
	double bound = fmax(tables->high, data->high);

	verdict->change = sure_cost(data) > sure_cost(tables) ? *data : *tables;
	if (!tables->known)
		return;
	verdict->word = bound < LITTLE	 ? VERDICT_NO
			: most >= LITTLE ? VERDICT_YES
			: cached	 ? VERDICT_NO
					 : VERDICT_UNKNOWN;
	verdict_change_words(tables, by_tables, sizeof(by_tables));
	verdict_change_words(data, by_data, sizeof(by_data));
	snprintf(verdict->reason, sizeof(verdict->reason),
		 "Tables on another node than the thread change its runtime: "
		 "%s; data there: %s.%s",
		 by_tables, cached ? by_data : "not known",
		 cached ? "" : " The caches carried no data.");
	if (verdict->word == VERDICT_YES)
		snprintf(verdict->advice, sizeof(verdict->advice),
			 "Keep threads where their memory was first touched: "
			 "numactl --cpunodebind=N --membind=N, and start it "
			 "there, since tables stay where they were made.");
	else if (!cached)
		snprintf(verdict->advice, sizeof(verdict->advice),
			 "pagescope advise numa TRACE has them carry it.");
}

/* Not compared: on a host of one node there is nothing to compare; else walks
 * that go to memory are bounded by what they cost as it is. */
static int
judge_alone(const struct result *all, struct result *out)
{
	struct verdict verdict = { .topic = "numa", .word = VERDICT_UNKNOWN };
	struct result *plain = verdict_machine(all, VERDICT_PLAIN);
	const char *nodes = view_host(all, "numa");
	int error;

	if (!plain || strncmp(nodes, ONE_NODE, strlen(ONE_NODE)) != 0) {
		snprintf(verdict.reason, sizeof(verdict.reason),
			 "Its memory was not placed on other nodes here, to "
			 "compare: that takes two more machines, and caches "
			 "that carry its data.");
		verdict.change.why = "it was not measured";
		snprintf(verdict.advice, sizeof(verdict.advice),
			 "pagescope record -o TRACE -- COMMAND, then pagescope "
			 "advise numa TRACE.");
	} else {
		verdict.word = VERDICT_NO;
		verdict.change.known = true;
		snprintf(verdict.reason, sizeof(verdict.reason),
			 "This host has one node: all of its memory is equally "
			 "near, so that there is nothing to place.");
		snprintf(verdict.advice, sizeof(verdict.advice),
			 "What it would cost on two nodes: pagescope record -o "
			 "TRACE -- COMMAND, then pagescope advise numa TRACE.");
	}
	error = verdict_add(out, &verdict);
	result_close(plain);
	return error;
}

static int
numa_judge(const struct result *all, struct result *out)
{
	struct verdict verdict = { .topic = "numa", .word = VERDICT_UNKNOWN };
	struct result *local = verdict_machine(all, "local");
	struct result *tables = verdict_machine(all, "far-tables");
	struct result *data = verdict_machine(all, "far-data");
	struct runtime_change by_tables, by_data;
	struct runtime_load load;
	int error;

	if (local && tables && data) {
		runtime_load(&load, local);
		change_to(&by_tables, all, local, tables);
		change_to(&by_data, all, local, data);
		judge(&verdict, &by_tables, &by_data, !isnan(load.data));
		error = verdict_add(out, &verdict);
	} else {
		error = judge_alone(all, out);
	}
	result_close(local);
	result_close(tables);
	result_close(data);
	return error;
}

const struct topic_ops numa_topic = {
	.name = "numa",
	.question = "Does it matter which node its memory is on?",
	.help = "what tables and data on another NUMA node cost",
	.machines = machines,
	.judge = numa_judge,
};
