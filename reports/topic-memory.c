// SPDX-License-Identifier: GPL-2.0-or-later
/* Will less memory do?  From the curve of all sizes (advice-memory.c). */
#include "reports/number.h"
#include "reports/verdict.h"

#include <string.h>

#define TENTH 10.0 /* percent longer: what memory.slowdown.10 is for */

static const struct {
	const char *name, *reason;
	enum verdict_word word;
} no_answer[] = {
	{ "no-accesses", "The trace holds no access.", VERDICT_UNKNOWN },
	{ "no-reuse", "It comes back to no page once others came between.",
	  VERDICT_YES },
	{ "tiny", "All that it ever uses is less than 1 MiB.", VERDICT_NO },
	{ "short", "The trace has too few accesses a page.", VERDICT_UNKNOWN },
};

static void
answer(const struct result *all, struct verdict *verdict)
{
	double need, peak = view_or_zero(all, "footprint.bytes");

	if (!view_value(all, "memory.slowdown.10.bytes", &need))
		need = peak;
	verdict->word = need < 0.9 * peak ? VERDICT_YES : VERDICT_NO;
	verdict->change = (struct runtime_change){ .known = true };
	snprintf(verdict->reason, sizeof(verdict->reason),
		 "It uses %s, and runs at most 10" NB
		 "%% longer with %s of memory.",
		 number_bytes(peak).text, number_bytes(need).text);
	if (need < peak)
		verdict->change.high = verdict->change.change = TENTH;
}

static int
memory_judge(const struct result *all, struct result *out)
{
	const char *word = view_string(all, "memory.verdict");
	struct verdict verdict = { .topic = "memory" };
	size_t i;

	if (!*word)
		return verdict_missing(out, "memory");
	for (i = 0; i < ARRAY_SIZE(no_answer); i++)
		if (!strcmp(word, no_answer[i].name))
			break;
	if (i == ARRAY_SIZE(no_answer)) {
		answer(all, &verdict);
		return verdict_add(out, &verdict);
	}
	verdict.word = no_answer[i].word;
	snprintf(verdict.reason, sizeof(verdict.reason), "%s",
		 no_answer[i].reason);
	if (verdict.word == VERDICT_UNKNOWN) {
		verdict.change.why = "there is too little to tell";
		snprintf(verdict.advice, sizeof(verdict.advice),
			 "Record more of the run.");
	} else {
		verdict.change.known = true;
	}
	return verdict_add(out, &verdict);
}

static void
memory_say(struct text *text)
{
	if (*view_string(text->result, "memory.verdict"))
		text_advice_memory(text);
}

const struct topic_ops memory_topic = {
	.name = "memory",
	.question = "Will it run in less memory?",
	.help = "how much memory the program needs",
	.curve = true,
	.judge = memory_judge,
	.say = memory_say,
};
