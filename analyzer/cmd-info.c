// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope info TRACE: what a trace holds and where it comes from. */
#include "analyzer/fail.h"
#include "analyzer/quote.h"
#include "analyzer/verb.h"
#include "traces/open.h"
#include "traces/pst.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct info_config {
	char *input;
	bool json;
};

static const struct option_row info_rows[] = {
	{ "input", OPTION_STRING, offsetof(struct info_config, input),
	  .help = "the trace, - for standard input", .key = 'i',
	  .argument = "FILE" },
	{ "json", OPTION_BOOL, offsetof(struct info_config, json),
	  .help = "print JSON" },
	{ NULL },
};

static const struct option_group info_groups[] = {
	{ "", info_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree info_options = { info_groups,
						 sizeof(struct info_config) };

static void
count_batch(const struct stream *stream, const struct batch *batch,
	    struct pst_summary *counted)
{
	for (uint32_t i = 0; i < batch->n; i++) {
		uint32_t index = SITE_INDEX(batch->site[i]);

		counted->kind[SITE_KIND(batch->site[i])]++;
		counted->instructions +=
			stream_site(stream, index)->instructions;
	}
	if (!counted->batches++)
		counted->start_ns = batch->time_ns;
	counted->end_ns = batch->time_ns;
	counted->accesses += batch->n;
	counted->events += batch->n_events;
	pst_kept_count(&counted->kept, batch);
}

/* Up to the end, or to where a signal stops it: incomplete then. */
static int
count(struct source *source, const volatile sig_atomic_t *stop,
      struct pst_summary *counted)
{
	struct batch batch;
	int got;

	if (batch_init(&batch))
		return fail(ENOMEM, "info: no memory for a batch");
	while ((got = source_next(source, &batch)) > 0 && !(stop && *stop)) {
		batch_expand(&batch, source->stream);
		count_batch(source->stream, &batch, counted);
	}
	batch_fini(&batch);
	if (got <= 0)
		return got;
	warn("info: stopped by a signal: the numbers are of what was read");
	counted->complete = false;
	return 0;
}

/* Without an index the whole trace must be read for its totals. */
static int
summarise(struct source *source, const volatile sig_atomic_t *stop,
	  struct pst_summary *summary)
{
	struct pst_summary counted = { .complete = true };
	int error;

	if (pst_reader_is(source)) {
		pst_reader_summary(source, summary);
		if (summary->complete)
			return 0;
	}
	error = count(source, stop, &counted);
	if (!pst_reader_is(source)) {
		*summary = counted;
		return error;
	}
	pst_reader_summary(source, summary);
	memcpy(summary->kind, counted.kind, sizeof(counted.kind));
	summary->instructions = counted.instructions;
	summary->kept = counted.kept;
	return error;
}

/* A list of objects with a name: the names, and what else is said of each. */
static void
print_named(json_t *item)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	const char *key, *before = " (";
	json_t *value;

	/* losses have no name, but an engine */
	if (!name) {
		value = json_object_get(item, "engine");
		name = json_string_value(value);
		fputs(name ? name : "?", stdout);
		name = name ? "engine" : "";
	} else {
		fputs(name, stdout);
		name = "name";
	}
	json_object_foreach(item, key, value)
	{
		char *text;

		if (!strcmp(key, name))
			continue;
		text = json_is_string(value)
			       ? strdup(json_string_value(value))
			       : json_dumps(value, JSON_COMPACT |
							   JSON_ENCODE_ANY |
							   JSON_SORT_KEYS);
		printf("%s%s: %s", before, key, text ? text : "");
		free(text);
		before = ", ";
	}
	if (*before == ',')
		putchar(')');
}

/* A word of a command, as a shell takes it back */
static void
print_word(const char *before, const char *word)
{
	size_t bytes = quote_word(word, NULL, 0) + 1;
	char *text = malloc(bytes);

	if (text)
		quote_word(word, text, bytes);
	printf("%s%s", before, text ? text : word);
	free(text);
}

static void
print_list(const char *name, json_t *list)
{
	bool words = json_is_string(json_array_get(list, 0));
	json_t *item;
	size_t i;

	printf("%-15s%s", name, json_array_size(list) ? "" : "none");
	json_array_foreach(list, i, item)
	{
		if (words) {
			print_word(i ? " " : "", json_string_value(item));
			continue;
		}
		if (i)
			printf("\n%-15s", "");
		print_named(item);
	}
	putchar('\n');
}

static void
print_value(const char *name, json_t *value)
{
	const char *key;
	json_t *member;
	char *text;

	if (!value || json_is_null(value))
		return;
	if (json_is_array(value)) {
		print_list(name, value);
	} else if (json_is_object(value)) {
		printf("%s\n", name);
		json_object_foreach(value, key, member)
		{
			if (json_is_string(member))
				printf("  %-12s  %s\n", key,
				       json_string_value(member));
			if (json_is_integer(member))
				printf("  %-12s  %" JSON_INTEGER_FORMAT "\n",
				       key, json_integer_value(member));
		}
	} else {
		text = json_is_string(value)
			       ? strdup(json_string_value(value))
			       : json_dumps(value, JSON_ENCODE_ANY);
		printf("%-15s%s\n", name, text ? text : "");
		free(text);
	}
}

static unsigned long long
print_part(const char *before, uint64_t n, const char *of)
{
	if (n)
		printf("%s%llu %s", before, (unsigned long long)n, of);
	return n;
}

/* What there is of the kernel's own view beside the accesses */
static void
print_kept(const struct pst_kept *kept)
{
	const char *before = "kernel counts  ";

	if (print_part(before, kept->starts, "as programs began"))
		before = ", ";
	if (print_part(before, kept->ends, "before they ended"))
		before = ", ";
	if (print_part(before, kept->between, "in between")) {
		printf(" at %llu moment%s", (unsigned long long)kept->looks,
		       kept->looks == 1 ? "" : "s");
		before = ", ";
	}
	if (*before == ',')
		putchar('\n');
	print_part("contents       ", kept->contents,
		   "hashes of pages (their content at a moment)\n");
	print_part("page cache     ", kept->cached,
		   "looks at what it held of files\n");
}

static void
print_text(const char *path, struct source *source,
	   const struct pst_summary *summary)
{
	static const char *const kind_name[] = { "loads", "stores", "modifies",
						 "fetch blocks" };
	double per = summary->accesses ? (double)summary->file_bytes /
						 (double)summary->accesses
				       : 0;
	const char *name;
	json_t *value;

	printf("%-15s%s\n", "trace", path);
	json_object_foreach(stream_about(source->stream), name, value)
		print_value(name, value);
	printf("%-15s%llu\n", "accesses",
	       (unsigned long long)summary->accesses);
	for (int k = 0; k < 4; k++)
		printf("  %-12s %llu\n", kind_name[k],
		       (unsigned long long)summary->kind[k]);
	printf("%-15s%llu\n", "instructions",
	       (unsigned long long)summary->instructions);
	printf("%-15s%llu\n", "events", (unsigned long long)summary->events);
	print_kept(&summary->kept);
	/* of the last batch's end, from that of the first */
	if (summary->end_ns != summary->start_ns)
		printf("%-15s%.3f s\n", "time",
		       (double)(summary->end_ns - summary->start_ns) / 1e9);
	else
		printf("%-15s%s\n", "time",
		       summary->accesses ? "not known: all is in one batch"
					 : "not known: there is no access");
	if (summary->file_bytes) {
		printf("%-15s%llu bytes, ", "size",
		       (unsigned long long)summary->file_bytes);
		if (summary->accesses)
			printf("%.3f bytes an access, ", per);
		printf("%llu block%s\n", (unsigned long long)summary->blocks,
		       summary->blocks == 1 ? "" : "s");
	}
	printf("%-15s%s\n", "digest",
	       summary->digest[0] ? summary->digest : "unknown");
	printf("%-15s%s\n", "complete",
	       summary->complete       ? "yes"
	       : pst_reader_is(source) ? "no: its recorder did not finish"
				       : "no: not read to its end");
	if (summary->lost_bytes)
		printf("%-15s%llu bytes\n", "lost",
		       (unsigned long long)summary->lost_bytes);
}

static int
print_json(const char *path, struct source *source,
	   const struct pst_summary *summary)
{
	json_t *root = json_pack(
		"{s:s, s:O, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:I, s:I, s:I, "
		"s:I, s:o, s:o, s:b, s:s}",
		"trace", path, "about", stream_about(source->stream), "totals",
		"accesses", (json_int_t)summary->accesses, "loads",
		(json_int_t)summary->kind[SITE_LOAD], "stores",
		(json_int_t)summary->kind[SITE_STORE], "modifies",
		(json_int_t)summary->kind[SITE_MODIFY], "fetches",
		(json_int_t)summary->kind[SITE_FETCH], "instructions",
		(json_int_t)summary->instructions, "events",
		(json_int_t)summary->events, "blocks",
		(json_int_t)summary->blocks, "file_bytes",
		(json_int_t)summary->file_bytes, "lost_bytes",
		(json_int_t)summary->lost_bytes, "kept",
		pst_kept_json(&summary->kept), "time_ns",
		summary->end_ns == summary->start_ns
			? json_null()
			: json_integer((json_int_t)(summary->end_ns -
						    summary->start_ns)),
		"complete", summary->complete, "digest", summary->digest);

	if (!root || json_dumpf(root, stdout, JSON_INDENT(2) | JSON_SORT_KEYS))
		return fail(ENOMEM, "info: cannot print");
	putchar('\n');
	json_decref(root);
	return 0;
}

static int
info_one(const struct verb_call *call, const char *path)
{
	const struct info_config *config = call->config;
	struct pst_summary summary;
	struct source *source;
	int error = source_open(&source, path, false);

	if (error)
		return error;
	error = summarise(source, call->stop, &summary);
	if (!error && config->json)
		error = print_json(path, source, &summary);
	else if (!error)
		print_text(path, source, &summary);
	source_close(source);
	if (error)
		return error;
	return summary.complete ? STATUS_OK : STATUS_PARTIAL;
}

static int
info_run(const struct verb_call *call)
{
	const struct info_config *config = call->config;
	const char *path = config->input ? config->input : call->argv[0];

	if (!path || call->argc > (config->input ? 0 : 1)) {
		fail(EINVAL,
		     path ? "info: one trace at a time" : "info: which trace?");
		return STATUS_USAGE;
	}
	return info_one(call, path);
}

const struct verb_ops info_verb = {
	.name = "info",
	.help = "tell what a trace holds and where it comes from",
	.arguments = "[OPTION...] TRACE",
	.details = "Prints the command and host that were recorded, the "
		   "engines and what they lost, the number of accesses by "
		   "kind, what the trace keeps of the kernel's own view (its "
		   "counts, contents of pages, the page cache), the time span, "
		   "the size and the digest. Taken from "
		   "the index where the trace has one, otherwise the trace is "
		   "read through and the status is 3. Foreign traces and "
		   "generate:... are read through too.",
	.options = &info_options,
	.examples = "pagescope info trace.pst\n",
	.run = info_run,
};
