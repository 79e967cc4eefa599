// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/pst-kept.h"

#define PAGE_SHIFT 12

static void
count_counter(struct pst_kept *kept, const struct event *event)
{
	if (event->flags & COUNTER_START) {
		kept->starts++;
	} else if (event->flags & COUNTER_END) {
		kept->ends++;
	} else {
		kept->between++;
		kept->looks += event->time_ns != kept->look_ns;
		kept->look_ns = event->time_ns;
	}
}

void
pst_kept_count(struct pst_kept *kept, const struct batch *batch)
{
	for (uint32_t i = 0; i < batch->n_events; i++) {
		const struct event *event = &batch->event[i];

		if (event->type == EVENT_COUNTER)
			count_counter(kept, event);
		else if (event->type == EVENT_CONTENT)
			kept->contents += event->length >> PAGE_SHIFT;
		else if (event->type == EVENT_CACHED)
			kept->cached++;
	}
}

json_t *
pst_kept_json(const struct pst_kept *kept)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "counters_start",
			 (json_int_t)kept->starts, "counters_end",
			 (json_int_t)kept->ends, "counters_between",
			 (json_int_t)kept->between, "counter_looks",
			 (json_int_t)kept->looks, "contents",
			 (json_int_t)kept->contents, "cached",
			 (json_int_t)kept->cached);
}

static uint64_t
number(const json_t *json, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

void
pst_kept_take(struct pst_kept *kept, const json_t *json)
{
	*kept = (struct pst_kept){
		.starts = number(json, "counters_start"),
		.ends = number(json, "counters_end"),
		.between = number(json, "counters_between"),
		.looks = number(json, "counter_looks"),
		.contents = number(json, "contents"),
		.cached = number(json, "cached"),
	};
}
