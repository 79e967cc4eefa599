// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists that each engine adds its part to. */
#include "tracers/about.h"
#include "analyzer/base.h"

static json_t *
list(json_t *about, const char *key)
{
	json_t *list = json_object_get(about, key);

	if (!list) {
		list = json_array();
		json_object_set_new(about, key, list);
	}
	return list;
}

void
about_engine(struct stream *stream, const char *name, const char *order)
{
	json_array_append_new(list(stream_about(stream), "engines"),
			      json_pack("{s:s, s:s}", "name", name, "order",
					order));
}

void
about_stepped(struct stream *stream, const char *cause, uint64_t instructions)
{
	json_array_append_new(list(stream_about(stream), "stepped"),
			      json_pack("{s:s, s:I}", "cause", cause,
					"instructions",
					(json_int_t)instructions));
}

void
about_loss(struct stream *stream, const char *what)
{
	json_array_append_new(list(stream_about(stream), "losses"),
			      json_string(what));
}
