// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope dump TRACE: the accesses and events as text, one a line. */
#include "analyzer/fail.h"
#include "analyzer/rows.h"
#include "analyzer/run.h"
#include "analyzer/verb.h"
#include "traces/open.h"
#include "traces/pst.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum dump_format {
	DUMP_TEXT,
	DUMP_LACKEY,
	DUMP_DIN,
	DUMP_CSV
};

struct dump_config {
	char *input;
	int format;
	bool events, accesses;
	bool recover;
	uint64_t max_accesses;
};

static const char *const dump_formats[] = { "text", "lackey", "din", "csv",
					    NULL };

static const struct option_row dump_rows[] = {
	{ "input", OPTION_STRING, offsetof(struct dump_config, input),
	  .help = "the trace, - for standard input", .key = 'i',
	  .argument = "FILE" },
	{ "format", OPTION_CHOICE, offsetof(struct dump_config, format), "text",
	  .choices = dump_formats,
	  .help = "how a line looks: as in the text below, as "
		  "valgrind's lackey or Dinero write it, or as values "
		  "separated by commas" },
	{ "accesses", OPTION_BOOL, offsetof(struct dump_config, accesses),
	  "yes", .help = "print the accesses" },
	{ "events", OPTION_BOOL, offsetof(struct dump_config, events), "yes",
	  .help = "print the events (text only)" },
	ROW_MAX_ACCESSES(offsetof(struct dump_config, max_accesses)),
	ROW_RECOVER(offsetof(struct dump_config, recover)),
	{ NULL },
};

static const struct option_group dump_groups[] = {
	{ "", dump_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree dump_options = { dump_groups,
						 sizeof(struct dump_config) };

/* A model that prints. */
struct dumper {
	struct model model;
	const struct dump_config *config;
	const struct stream *stream;
};

/* 1 counter 0 +0 status.VmRSS 123456 end, of it the recorder's 4096 */
static void
print_counter(const struct dumper *dumper, const struct batch *batch,
	      const struct event *event)
{
	const char *name = "?";

	if (event->file != UINT32_MAX)
		name = stream_file(dumper->stream, event->file)->path;
	/* With an address and length, as all events */
	printf("%" PRIu32 " counter 0 +0 %s ", batch->thread, name);
	if (!strcmp(name, "oom.score_adj")) /* the one that may be below 0 */
		printf("%" PRId64, (int64_t)event->value);
	else
		printf("%" PRIu64, event->value);
	printf("%s%s", event->flags & COUNTER_START ? " start" : "",
	       event->flags & COUNTER_END ? " end" : "");
	if (event->flags & COUNTER_SYSTEM)
		printf(" of the host");
	if (event->flags & COUNTER_DISTURBED)
		printf(", with some of the recorder's");
	if (event->flags & COUNTER_CODELESS)
		printf(", without those on code");
	if (event->extra)
		printf(", of it the recorder's %" PRIu64, event->extra);
	putchar('\n');
}

static void
print_event(const struct dumper *dumper, const struct batch *batch,
	    const struct event *event)
{
	const char *name = event_name(event->type);

	if (event->type == EVENT_COUNTER) {
		print_counter(dumper, batch, event);
		return;
	}
	printf("%" PRIu32 " %s %" PRIx64 " +%" PRIx64, batch->thread,
	       name ? name : "event", event->address, event->length);
	if (event->flags)
		printf(" flags=%x", event->flags);
	if (event->offset)
		printf(" offset=%" PRIx64, event->offset);
	if (event->value || event->extra)
		printf(" value=%" PRIx64, event->value);
	if (event->extra)
		printf(" extra=%" PRIx64, event->extra);
	if (event->file != UINT32_MAX)
		printf(" %s", stream_file(dumper->stream, event->file)->path);
	putchar('\n');
}

static void
print_access(const struct dumper *dumper, const struct batch *batch, uint32_t i)
{
	static const char *const word[] = { "load", "store", "modify",
					    "fetch" };
	static const char *const lackey[] = { " L ", " S ", " M ", "I  " };
	static const int label[] = { 0, 1, 1, 2 };
	uint64_t address = batch->address[i];
	enum site_kind kind = SITE_KIND(batch->site[i]);
	const struct site *site =
		stream_site(dumper->stream, SITE_INDEX(batch->site[i]));

	switch ((enum dump_format)dumper->config->format) {
	case DUMP_TEXT:
		printf("%" PRIu32 " %s %" PRIx64 " %" PRIu32 " pc=%" PRIx64
		       "\n",
		       batch->thread, word[kind], address, site->size,
		       site->pc);
		break;
	case DUMP_LACKEY:
		printf("%s%08" PRIx64 ",%" PRIu32 "\n", lackey[kind], address,
		       site->size);
		break;
	case DUMP_DIN:
		if (kind == SITE_MODIFY)
			printf("0 %" PRIx64 "\n", address);
		printf("%d %" PRIx64 "\n", label[kind], address);
		break;
	case DUMP_CSV:
		printf("%" PRIu32 ",%" PRIu32 ",%s,%" PRIu64 ",%" PRIu32
		       ",%" PRIu64 "\n",
		       batch->thread, batch->space, word[kind], address,
		       site->size, site->pc);
		break;
	}
}

static int
dumper_feed(struct model *model, const struct batch *batch)
{
	const struct dumper *dumper = (const struct dumper *)model;
	bool events =
		dumper->config->events && dumper->config->format == DUMP_TEXT;
	uint32_t e = 0;

	for (uint32_t i = 0; i <= batch->n; i++) {
		for (; e < batch->n_events && batch->event[e].position == i;
		     e++)
			if (events)
				print_event(dumper, batch, &batch->event[e]);
		if (i < batch->n && dumper->config->accesses)
			print_access(dumper, batch, i);
	}
	/* main says what happened to standard output. */
	return ferror(stdout) ? -EIO : 0;
}

static void
dumper_close(struct model *model)
{
	(void)model;
}

static const struct model_methods dumper_methods = {
	.feed = dumper_feed,
	.close = dumper_close,
};

static int
dump_one(const struct verb_call *call, const char *path)
{
	const struct dump_config *config = call->config;
	struct dumper dumper = { .config = config };
	struct model *model = &dumper.model;
	struct run run = { .models = &model,
			   .n_models = 1,
			   .stop = call->stop,
			   .max_accesses = config->max_accesses };
	struct pst_summary summary = { 0 };
	int error = source_open(&run.source, path, config->recover);

	if (error)
		return error;
	dumper.model.methods = &dumper_methods;
	dumper.stream = run.source->stream;
	if (config->format == DUMP_CSV)
		puts("thread,space,kind,address,size,pc");
	error = run_feed(&run);
	if (pst_reader_is(run.source))
		pst_reader_summary(run.source, &summary);
	source_close(run.source);
	if (error)
		return error;
	return summary.lost_bytes || (call->stop && *call->stop)
		       ? STATUS_PARTIAL
		       : STATUS_OK;
}

static int
dump_run(const struct verb_call *call)
{
	const struct dump_config *config = call->config;
	const char *path = config->input ? config->input : call->argv[0];

	if (!path || call->argc > (config->input ? 0 : 1)) {
		fail(EINVAL,
		     path ? "dump: one trace at a time" : "dump: which trace?");
		return STATUS_USAGE;
	}
	return dump_one(call, path);
}

const struct verb_ops dump_verb = {
	.name = "dump",
	.help = "print a trace as text",
	.arguments = "[OPTION...] TRACE",
	.details =
		"Prints one line for each access: the number of its thread, "
		"load, store, modify or fetch, the address in hex, the size in "
		"bytes and the pc of its instruction; and one for each event: "
		"thread, name, address, length and what else it has.",
	.options = &dump_options,
	.examples = "pagescope dump trace.pst >trace.dump\n",
	.run = dump_run,
};
