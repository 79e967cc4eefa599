// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Do page colours matter?  The same program with frames at random and with
 * frames by colour of the L2: misses that go.  An L3 whose slices are hashed,
 * as those of today's cores, has no colours that a kernel could use.
 */
#include "reports/number.h"
#include "reports/verdict.h"

#include <math.h>
#include <stdlib.h>

#define LITTLE 2.0 /* percent of the runtime */

static const char *const machines[] = {
	"random=:pages.policy=4k,memory.order=random",
	"coloured=:pages.policy=4k,memory.order=random,"
	"memory.colour=colouring",
	NULL
};

static void
say_reason(struct verdict *verdict, const struct result *random,
	   const struct result *coloured)
{
	double before = view_or_zero(random, "cache.l2.misses");
	double after = view_or_zero(coloured, "cache.l2.misses");

	snprintf(verdict->reason, sizeof(verdict->reason),
		 "With frames at random the L2 misses %s times, with frames by "
		 "colour %s: %s of them were pages in each other's way.",
		 number_si(before).text, number_si(after).text,
		 number_share(fmax(before - after, 0), before).text);
}

static int
judge(const struct result *all, const struct result *random,
      const struct result *coloured, struct result *out)
{
	struct verdict verdict = { .topic = "colour", .word = VERDICT_UNKNOWN };
	struct runtime_facts facts;
	struct runtime_load now, then;

	runtime_facts(&facts, all, random);
	runtime_load(&now, random);
	runtime_load(&then, coloured);
	if (isnan(now.data)) {
		verdict.change.why = "the caches carried no data";
		snprintf(verdict.reason, sizeof(verdict.reason),
			 "Colours change cache misses, and the caches carried "
			 "no data.");
		snprintf(verdict.advice, sizeof(verdict.advice),
			 "pagescope advise colour TRACE has them carry it.");
		return verdict_add(out, &verdict);
	}
	runtime_change(&verdict.change, &facts, &now, &then);
	verdict.word = verdict_of(&verdict.change, LITTLE);
	say_reason(&verdict, random, coloured);
	if (verdict.word == VERDICT_YES)
		snprintf(verdict.advice, sizeof(verdict.advice),
			 "Huge pages do the same: within 2" NB
			 "MiB all colours come in turn. Linux does not colour "
			 "4" NB "KiB pages.");
	return verdict_add(out, &verdict);
}

/* Not compared: what fits into the cache has no page in another's way. */
static int
judge_alone(const struct result *all, struct result *out)
{
	struct verdict verdict = { .topic = "colour", .word = VERDICT_UNKNOWN };
	struct result *plain = verdict_machine(all, VERDICT_PLAIN);
	double cache =
		plain ? strtod(view_option(plain, "cache.l2.size"), NULL) : 0;
	double ways =
		plain ? strtod(view_option(plain, "cache.l2.ways"), NULL) : 0;
	double held = plain ? view_or_zero(plain, "footprint.bytes.peak") : 0;
	int error;

	if (held > 0 && ways > 0 && held <= cache / ways) {
		verdict.word = VERDICT_NO;
		verdict.change.known = true;
		snprintf(verdict.reason, sizeof(verdict.reason),
			 "All that it uses, %s, fits into one way of the L2 "
			 "cache: its pages are hardly in each other's way.",
			 number_bytes(held).text);
	} else {
		verdict.change.why = "it was not measured";
		snprintf(verdict.reason, sizeof(verdict.reason),
			 "Colours change misses of the L2 cache, and no cache "
			 "carried its data here, which would take several "
			 "times as long. Linux has no colours for 4" NB
			 "KiB pages: it is a question for those who change "
			 "that.");
		snprintf(verdict.advice, sizeof(verdict.advice),
			 "pagescope record -o TRACE -- COMMAND, then pagescope "
			 "advise colour TRACE.");
	}
	error = verdict_add(out, &verdict);
	result_close(plain);
	return error;
}

static int
colour_judge(const struct result *all, struct result *out)
{
	struct result *random = verdict_machine(all, "random");
	struct result *coloured = verdict_machine(all, "coloured");
	int error = random && coloured ? judge(all, random, coloured, out)
				       : judge_alone(all, out);

	result_close(random);
	result_close(coloured);
	return error;
}

const struct topic_ops colour_topic = {
	.name = "colour",
	.question = "Would page colouring help?",
	.help = "whether frames by colour would miss the caches less",
	.machines = machines,
	.data = true,
	.judge = colour_judge,
};
