// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts as rows of a result; see verdict.h. */
#include "reports/verdict.h"

#include "analyzer/fail.h"
#include "reports/number.h"

#include <math.h>
#include <string.h>

static const char *const words[] = { "no", "yes", "can't tell" };

struct result *
verdict_machine(const struct result *all, const char *label)
{
	struct result *one;

	for (size_t i = 0; i < result_machines(all); i++)
		if (!label || !strcmp(result_machine_name(all, i), label))
			return result_machine(&one, all, i) ? NULL : one;
	return NULL;
}

int
verdict_add(struct result *out, const struct verdict *verdict)
{
	const struct runtime_change *change = &verdict->change;
	const char *advice = *verdict->advice ? verdict->advice : NULL;

	if (!change->known)
		return result_row(out, "verdicts", "ssnnnsss", verdict->topic,
				  words[verdict->word],
				  change->why ? change->why
					      : "nothing in it takes time",
				  verdict->reason, advice);
	return result_row(out, "verdicts", "ssdddsss", verdict->topic,
			  words[verdict->word], change->low, change->change,
			  change->high, NULL, verdict->reason, advice);
}

int
verdict_missing(struct result *out, const char *topic)
{
	struct verdict verdict = {
		.topic = topic,
		.word = VERDICT_UNKNOWN,
		.change = { .why = "it was not measured" },
	};

	snprintf(verdict.reason, sizeof(verdict.reason),
		 "The result has none of the machines that this compares.");
	snprintf(verdict.advice, sizeof(verdict.advice),
		 "pagescope advise %s TRACE measures them.", topic);
	return verdict_add(out, &verdict);
}

enum verdict_word
verdict_of(const struct runtime_change *change, double percent)
{
	if (!change->known)
		return VERDICT_UNKNOWN;
	if (change->high <= 0 && change->change <= -percent)
		return VERDICT_YES;
	/* It costs, or it likely saves little. */
	if (change->change > -percent)
		return VERDICT_NO;
	return VERDICT_UNKNOWN;
}

static double
part(double percent)
{
	percent = fabs(percent);
	return percent < 0.05 ? 0 : percent;
}

void
verdict_change_words(const struct runtime_change *change, char *text,
		     size_t bytes)
{
	double least = change->high, most = change->low;
	const char *word = change->change <= 0 ? "shorter" : "longer";
	const char *much;

	if (!change->known) {
		snprintf(text, bytes, "not known");
		return;
	}
	if (part(change->change) <= 0 && part(least) <= 0 && part(most) <= 0) {
		snprintf(text, bytes, "the same");
		return;
	}
	much = change->change <= 0 ? (least > 0.05 ? " longer" : "")
				   : (most < -0.05 ? " shorter" : "");
	if (change->change > 0) {
		least = change->low;
		most = change->high;
	}
	snprintf(text, bytes,
		 "%.3g" NB "%% %s (between %.2g" NB "%%%s and %.2g" NB "%%)",
		 part(change->change), word, part(least), much, part(most));
}

int
verdicts_judge(struct result *all, const struct topic_ops *const *topic,
	       size_t n)
{
	static const char *const columns[] = {
		"topic:",	  "verdict:",	  "low:percent",
		"change:percent", "high:percent", "unknown:",
		"reason:",	  "advice:",	  NULL
	};
	json_t *tables = json_object_get(result_json(all), "tables");
	int error;

	json_object_del(tables, "verdicts");
	error = result_table(all, "verdicts",
			     "answers, with the change of the runtime if they "
			     "are followed: the least, the likely, the most",
			     columns);
	for (size_t i = 0; !error && i < n; i++)
		error = topic[i]->judge(all, all);
	return error ? fail(ENOMEM, "advise: no memory") : 0;
}

static const struct topic_ops *
topic_of(const char *name)
{
	for (size_t i = 0; topic_registry[i]; i++)
		if (!strcmp(topic_registry[i]->name, name))
			return topic_registry[i];
	return NULL;
}

static void
say_row(struct text *text, const struct view_table *table, size_t i)
{
	const char *name = view_text(table, i, view_column(table, "topic"));
	const struct topic_ops *topic = topic_of(name);
	const json_t *known = view_cell(table, i, view_column(table, "change"));
	struct runtime_change change = {
		.known = json_is_number(known),
		.low = view_number(table, i, view_column(table, "low")),
		.change = view_number(table, i, view_column(table, "change")),
		.high = view_number(table, i, view_column(table, "high")),
	};
	const char *advice = view_text(table, i, view_column(table, "advice"));
	char heading[256], words_of[160];

	snprintf(heading, sizeof(heading), "%s  %s",
		 topic ? topic->question : name,
		 view_text(table, i, view_column(table, "verdict")));
	text_heading(text, heading);
	text_say(text, "%s", view_text(table, i, view_column(table, "reason")));
	verdict_change_words(&change, words_of, sizeof(words_of));
	if (change.known)
		text_say(text, "Runtime: %s.", words_of);
	else
		text_say(text, "Runtime: no claim, as %s.",
			 view_text(table, i, view_column(table, "unknown")));
	if (*advice)
		text_say(text, "%s", advice);
	if (topic && topic->say)
		topic->say(text);
}

void
text_verdicts(struct text *text)
{
	struct view_table table;

	view_table(text->result, "verdicts", &table);
	if (table.n_rows && view_partial(text->result))
		text_say(text, "Of a part of the run alone: %s.",
			 view_partial(text->result));
	for (size_t i = 0; i < table.n_rows; i++)
		say_row(text, &table, i);
}

int
verdicts_print(const struct result *result, const struct render_setup *setup,
	       FILE *file)
{
	struct text text = { result, setup, file, 0 };

	text_verdicts(&text);
	if (text.error)
		return fail(ENOMEM, "advise: no memory for a table");
	return 0;
}
