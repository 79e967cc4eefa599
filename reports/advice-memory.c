// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much memory a program needs: one answer, then why, then how sure.
 */
#include "reports/advice.h"

#include "analyzer/fail.h"
#include "reports/number.h"
#include "reports/text-report.h"

#include <string.h>

static void
say_nothing(struct text *text)
{
	text_say(text, "No answer: the trace holds no access, so there is "
		       "nothing that memory could be for.");
}

static void
say_no_reuse(struct text *text)
{
	text_say(text,
		 "Any amount of memory will do: no page is referenced again "
		 "once others came between. What is kept is never used; %s"
		 " " NB "go by once.",
		 number_bytes(view_or_zero(text->result, "footprint.bytes"))
			 .text);
}

static void
say_tiny(struct text *text)
{
	text_say(text,
		 "It does not matter: all that is ever used is %s, which any "
		 "machine has to spare.",
		 number_bytes(view_or_zero(text->result, "footprint.bytes"))
			 .text);
}

static void
say_short(struct text *text)
{
	text_say(text,
		 "No answer: %s to %s are too few to tell which of them it "
		 "comes back to. Record more of the run.",
		 number_of(view_or_zero(text->result, "accesses"), "access")
			 .text,
		 number_of(view_or_zero(text->result, "curve.cold"), "page")
			 .text);
}

/* " (30.1 MiB to 36 MiB)" of a value's interval, or "" */
static const char *
interval(const struct text *text, const char *name, char *words, size_t bytes)
{
	char full[64];
	double low, high;

	*words = '\0';
	snprintf(full, sizeof(full), "%s.low", name);
	if (!view_value(text->result, full, &low))
		return words;
	snprintf(full, sizeof(full), "%s.high", name);
	if (view_value(text->result, full, &high))
		snprintf(words, bytes, " (%s to %s)", number_bytes(low).text,
			 number_bytes(high).text);
	return words;
}

static bool
bytes_of(const struct text *text, const char *name, double *bytes)
{
	char full[64];

	snprintf(full, sizeof(full), "%s.bytes", name);
	return view_value(text->result, full, bytes);
}

static void
say_need(struct text *text, bool growing)
{
	double ten, one, twice, all;
	char words[128];

	all = view_or_zero(text->result, "footprint.bytes");
	if (!bytes_of(text, "memory.slowdown.10", &ten)) {
		text_say(text,
			 "No amount of memory keeps it within 10 %% of its "
			 "time: its first references alone wait longer for the "
			 "device.");
		return;
	}
	if (ten >= all)
		text_say(text,
			 "It needs all of its %s: with less it runs more than "
			 "10 %% longer.",
			 number_bytes(all).text);
	else
		text_say(
			text,
			"It needs %s%s%s to run at most 10 %% longer than with all of "
			"its %s in memory.",
			growing ? "at least " : "", number_bytes(ten).text,
			interval(text, "memory.slowdown.10", words,
				 sizeof(words)),
			number_bytes(all).text);
	if (ten < all && bytes_of(text, "memory.slowdown.1", &one) && one > ten)
		text_say(text, "For at most 1 %% it takes %s%s.",
			 number_bytes(one).text,
			 interval(text, "memory.slowdown.1", words,
				  sizeof(words)));
	if (bytes_of(text, "memory.slowdown.100", &twice) && twice < ten)
		text_say(text,
			 "Below %s%s it runs more than twice as long: there it "
			 "thrashes.",
			 number_bytes(twice).text,
			 interval(text, "memory.slowdown.100", words,
				  sizeof(words)));
	else
		text_say(text,
			 "There is nothing between: a step below it already "
			 "runs more than twice as long.");
}

static const char *
option_of(const struct text *text, const char *name)
{
	const json_t *options =
		json_object_get(result_json((struct result *)(uintptr_t)
						    text->result),
				"options");
	const char *value = json_string_value(json_object_get(options, name));

	return value ? value : "?";
}

static void
say_reason(struct text *text)
{
	double ten = 0, accesses = view_or_zero(text->result, "accesses");
	double read = view_or_zero(text->result, "thrash.read.ns");
	double faults = view_or_zero(text->result, "memory.slowdown.10.faults");

	if (!bytes_of(text, "memory.slowdown.10", &ten))
		return;
	text_say(text,
		 "Why: with that much, %s of %s find a page that had to leave "
		 "(LRU), and each waits %s" NB
		 "us for the device (%s), where an "
		 "access takes %s" NB "ns.",
		 number_si(faults).text, number_of(accesses, "access").text,
		 number_real(read / 1e3).text, option_of(text, "device"),
		 number_real(view_or_zero(text->result, "thrash.cpu.ns")).text);
}

static void
say_knee(struct text *text)
{
	double knee;
	char words[128];

	if (bytes_of(text, "memory.knee", &knee))
		text_say(text,
			 "The knee of its curve, whatever the device, is at "
			 "%s%s: memory times faults is least there, so that is "
			 "the share to give it where several programs compete.",
			 number_bytes(knee).text,
			 interval(text, "memory.knee", words, sizeof(words)));
	else
		text_say(text,
			 "Its curve has no knee: memory times faults falls "
			 "until all of it is there, so that less memory is "
			 "never the better bargain.");
}

static void
say_processes(struct text *text)
{
	double best = view_or_zero(text->result, "thrash.processes.best");
	double memory = view_or_zero(text->result, "thrash.memory.bytes");
	double collapse;

	if (best <= 0)
		return;
	if (view_value(text->result, "thrash.processes.collapse", &collapse))
		text_say(text,
			 "A memory of %s is best for %s of its kind; with %.0f "
			 "the processors are busy less than half as much: they "
			 "thrash.",
			 number_bytes(memory).text,
			 number_of(best, "process").text, collapse);
}

static void
say_sure(struct text *text, bool growing)
{
	double low;

	if (growing)
		text_say(text,
			 "A lower bound: %s of its pages came in the last "
			 "quarter of the run for the first time, so it is "
			 "still growing.",
			 number_share(view_or_zero(text->result, "memory.late"),
				      1)
				 .text);
	if (view_value(text->result, "memory.slowdown.10.low", &low))
		text_say(text,
			 "In parentheses: 90 %% of 200 resamplings of the "
			 "run's blocks of time. Another input may differ by "
			 "more.");
	else
		text_say(text, "No interval: the run is too short, or the "
			       "result does not have one at these sizes.");
}

/* The answer's paragraphs */
void
text_advice_memory(struct text *text)
{
	const char *verdict = view_string(text->result, "memory.verdict");
	static const struct {
		const char *name;
		void (*say)(struct text *text);
	} no[] = {
		{ "no-accesses", say_nothing },
		{ "no-reuse", say_no_reuse },
		{ "tiny", say_tiny },
		{ "short", say_short },
	};
	bool growing = !strcmp(verdict, "growing");

	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (!strcmp(verdict, no[i].name)) {
			no[i].say(text);
			return;
		}
	say_need(text, growing);
	say_reason(text);
	say_knee(text);
	say_processes(text);
	say_sure(text, growing);
}

int
advice_memory(const struct result *result, const struct render_setup *setup,
	      FILE *file)
{
	struct text text = { result, setup, file, 0 };

	if (!*view_string(result, "memory.verdict"))
		return fail(EINVAL,
			    "advise: this result holds no memory curve%s%s; "
			    "pagescope curve TRACE -o R.json makes one",
			    view_reason(result, "memory.verdict") ? ": " : "",
			    view_reason(result, "memory.verdict")
				    ? view_reason(result, "memory.verdict")
				    : "");
	text_advice_memory(&text);
	return text.error;
}
