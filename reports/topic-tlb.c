// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where do walks go, and would another TLB or table save time?  First the
 * bound: what translation costs at all; then twice the second level, and
 * hashed and flattened tables.
 */
#include "reports/number.h"
#include "reports/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LITTLE 2.0 /* percent of the runtime */

static const char *const machines[] = {
	"tlb-x2=:pages.policy=4k,tlb.l2.entries=2x",
	"hashed=:pages.policy=4k,table.kind=hashed",
	"flat=:pages.policy=4k,table.kind=flat", NULL
};

static const struct {
	const char *label, *words;
} others[] = {
	{ "tlb-x2", "a second-level TLB of twice the entries" },
	{ "hashed", "a hashed page table" },
	{ "flat", "a flattened page table" },
};

/* Level and place that most cycles of walks go to */
static void
say_levels(const struct result *plain, char *text, size_t bytes)
{
	struct view_table table;
	double most = 0, all = 0;
	size_t at = 0;
	int cycles;

	*text = '\0';
	if (!view_table(plain, "walk.levels", &table))
		return;
	cycles = view_column(&table, "cycles");
	for (size_t i = 0; i < table.n_rows; i++) {
		double here = view_number(&table, i, cycles);

		all += here;
		if (here > most) {
			most = here;
			at = i;
		}
	}
	if (most > 0)
		snprintf(text, bytes,
			 " %s of walks' cycles are references to level %.0f of "
			 "the table, %s of which come from memory.",
			 number_share(most, all).text,
			 view_number(&table, at, view_column(&table, "level")),
			 number_share(view_number(&table, at,
						  view_column(&table,
							      "memory")),
				      view_number(&table, at,
						  view_column(&table,
							      "references")))
				 .text);
}

struct judged {
	struct runtime_facts facts;
	struct runtime_load now;
	struct verdict verdict;
	int best; /* of others; -1: none saves */
	char list[400];
};

static void
consider(struct judged *judged, const struct result *all, int i)
{
	struct result *other = verdict_machine(all, others[i].label);
	struct runtime_change change;
	struct runtime_load then;
	char words[160];
	size_t n = strlen(judged->list);

	if (!other)
		return;
	runtime_load(&then, other);
	then.data = judged->now.data;
	then.faults = judged->now.faults;
	runtime_change(&change, &judged->facts, &judged->now, &then);
	verdict_change_words(&change, words, sizeof(words));
	snprintf(judged->list + n, sizeof(judged->list) - n, "%s%s: %s",
		 n ? "; " : "", others[i].words, words);
	if (judged->best < 0 || change.change < judged->verdict.change.change) {
		judged->best = i;
		judged->verdict.change = change;
	}
	result_close(other);
}

static int
judge(struct judged *judged, const struct result *all,
      const struct result *plain, struct result *out)
{
	struct verdict *verdict = &judged->verdict;
	struct runtime_load none;
	struct runtime_change bound;
	char levels[200], most[160];

	runtime_facts(&judged->facts, all, plain);
	runtime_load(&judged->now, plain);
	none = judged->now;
	none.walks = 0;
	runtime_change(&bound, &judged->facts, &judged->now, &none);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		consider(judged, all, (int)i);
	if (judged->best < 0) {
		verdict->change = bound;
		verdict->word = bound.known && bound.low > -LITTLE
					? VERDICT_NO
					: VERDICT_UNKNOWN;
	} else {
		verdict->word = verdict_of(&verdict->change, LITTLE);
	}
	say_levels(plain, levels, sizeof(levels));
	verdict_change_words(&bound, most, sizeof(most));
	snprintf(verdict->reason, sizeof(verdict->reason),
		 "Without any translation at all the runtime would be: %s.%s%s"
		 "%s%s",
		 most, levels, *judged->list ? " What would be with " : "",
		 judged->list, *judged->list ? "." : "");
	if (verdict->word == VERDICT_YES)
		snprintf(verdict->advice, sizeof(verdict->advice),
			 "Best of these: %s. Huge pages need no new processor: "
			 "see their verdict.",
			 others[judged->best].words);
	else if (judged->best < 0 && verdict->word == VERDICT_UNKNOWN)
		snprintf(verdict->advice, sizeof(verdict->advice),
			 "pagescope advise tlb TRACE compares them.");
	return verdict_add(out, verdict);
}

static int
tlb_judge(const struct result *all, struct result *out)
{
	struct judged judged = { .verdict = { .topic = "tlb" }, .best = -1 };
	struct result *plain = verdict_machine(all, VERDICT_PLAIN);
	int error = plain ? judge(&judged, all, plain, out)
			  : verdict_missing(out, "tlb");

	result_close(plain);
	return error;
}

const struct topic_ops tlb_topic = {
	.name = "tlb",
	.question = "Would another TLB or page table help?",
	.help = "where walks go, and what a larger TLB or another table saves",
	.machines = machines,
	.judge = tlb_judge,
};
