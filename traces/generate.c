// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The generator as a source: reads the spec, describes itself and cuts what
 * the pattern makes into batches.
 */
#include "traces/generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "traces/generate-pattern.h"

#define PREFIX	   "generate:"
#define SPEC_MAX   1024
#define CODE_START 0x400000u /* where its made-up instructions stand */

#define AT(field) offsetof(struct generate_config, field)
static const struct option_row generate_rows[] = {
	{ "n", OPTION_SIZE, AT(n), "1M", 0, 0, .unit = "accesses",
	  .help = "how many; K, M, G are powers of two", .argument = "N" },
	{ "pages", OPTION_SIZE, AT(pages), "262144", 1, 0x1p36, .unit = "pages",
	  .help = "size of the region, in pages of 4 KiB" },
	{ "seed", OPTION_SIZE, AT(seed), "1", 0, 0,
	  .help = "of all that is random", .argument = "N" },
	{ "stride", OPTION_SIZE, AT(stride), "0", 0, 0x1p48, .unit = "bytes",
	  .help = "of the sequential part; 0: the pattern's own" },
	{ "s", OPTION_REAL, AT(s), "1", 0, 10,
	  .help = "exponent of Zipf's distribution" },
	{ "writes", OPTION_REAL, AT(writes), "0.3", 0, 1,
	  .help = "share of stores" },
	{ "base", OPTION_SIZE, AT(base), "0x100000000000", 0, 0x1p56,
	  .unit = "bytes", .help = "address of the region" },
	{ "hot", OPTION_REAL, AT(hot), "0.01", 0, 1,
	  .help = "share of the pages that are hot" },
	{ "hot-share", OPTION_REAL, AT(hot_share), "0.9", 0, 1,
	  .help = "share of accesses to hot pages" },
	{ "phase", OPTION_SIZE, AT(phase), "1M", 1, 0x1p62, .unit = "accesses",
	  .help = "length of a phase" },
	{ NULL },
};

static const struct option_group generate_groups[] = {
	{ "", generate_rows, 0, "made-up accesses" },
	{ NULL },
};

const struct option_tree generate_options = {
	generate_groups,
	sizeof(struct generate_config),
};

const struct generate_pattern *
generate_pattern(size_t i)
{
	const struct pattern *pattern = &generate_patterns[i];

	return pattern->shown.name ? &pattern->shown : NULL;
}

static int
find_pattern(const struct pattern **out, const char *spec, const char *name)
{
	const char *names[32];
	const char *nearest;
	size_t n = 0;

	for (; generate_patterns[n].shown.name; n++) {
		names[n] = generate_patterns[n].shown.name;
		if (!strcmp(names[n], name)) {
			*out = &generate_patterns[n];
			return 0;
		}
	}
	nearest = option_nearest(name, names, n);
	return fail(EINVAL, "%s: unknown pattern \"%s\"%s%s%s", spec, name,
		    nearest ? "; is it \"" : "", nearest ? nearest : "",
		    nearest ? "\"?" : "");
}

static int
check(const struct generate *generate, const char *spec)
{
	const struct generate_config *config = &generate->config;

	if (config->base % GENERATE_PAGE)
		return fail(EINVAL, "%s: base 0x%" PRIx64 " is not at a page",
			    spec, config->base);
	if (config->base + generate->bytes > UINT64_C(1) << 56)
		return fail(EINVAL, "%s: the region ends above 2^56", spec);
	if (config->stride % GENERATE_SIZE)
		return fail(EINVAL,
			    "%s: stride %" PRIu64 " is no multiple of %u", spec,
			    config->stride, GENERATE_SIZE);
	return 0;
}

/* PATTERN[,key=value...] */
static int
parse(struct generate *generate, const char *spec)
{
	char text[SPEC_MAX], *rest = text, *word;
	int error = option_init(&generate_options, &generate->config);

	if (error)
		return error;
	if (strlen(spec) >= sizeof(text))
		return fail(EINVAL, "generate: a spec of more than %d bytes",
			    SPEC_MAX - 1);
	strcpy(text, spec);
	error = find_pattern(&generate->pattern, spec, strsep(&rest, ","));
	while (!error && (word = strsep(&rest, ",")))
		error = option_assign(&generate_options, &generate->config,
				      spec, word);
	if (error)
		return error;
	if (!generate->config.stride)
		generate->config.stride = generate->pattern->stride;
	generate->bytes = generate->config.pages * GENERATE_PAGE;
	return check(generate, spec);
}

static int
add_sites(struct generate *generate)
{
	for (unsigned part = 0; part < GENERATE_PARTS; part++)
		for (unsigned kind = SITE_LOAD; kind <= SITE_STORE; kind++) {
			struct site site = {
				.pc = CODE_START + 16 * part + 4 * kind,
				.size = GENERATE_SIZE,
				.kind = (uint8_t)kind,
			};
			int error =
				stream_site_add(generate->source.stream, &site,
						&generate->ref[part][kind]);

			if (error)
				return error;
		}
	return 0;
}

/* Its one thread and space, and what is known about it */
static int
describe(struct generate *generate, const char *spec)
{
	struct stream *stream = generate->source.stream;
	json_t *about = stream_about(stream);
	uint32_t number;
	int error = 0;

	error |= json_object_set_new(about, "command",
				     json_pack("[s+]", PREFIX, spec));
	error |= json_object_set_new(about, "engines",
				     json_pack("[{s:s, s:s}]", "name",
					       "generate", "order",
					       "one thread"));
	if (error)
		return fail(ENOMEM, "generate: no memory");
	error = stream_thread_add(stream, &(struct thread){ 1, 1 }, &number);
	if (!error)
		error = stream_space_add(stream,
					 &(struct space){
						 1, stream_image_add(stream),
						 SPACE_NONE },
					 &number);
	return error ? error : add_sites(generate);
}

static void
prepare(struct generate *generate)
{
	struct generate_config *config = &generate->config;
	uint64_t seed = config->seed;

	random_seed(&generate->random, splitmix(&seed));
	permutation_init(&generate->scatter, config->pages, splitmix(&seed));
	permutation_init(&generate->chase, config->pages, splitmix(&seed));
	generate->write_below = (uint32_t)(config->writes * 65536 + 0.5);
	generate->hot_pages = (uint64_t)((double)config->pages * config->hot);
	if (!generate->hot_pages)
		generate->hot_pages = 1;
	generate->hot_first =
		random_below(random_next(&generate->random),
			     config->pages - generate->hot_pages + 1);
}

static void
add_map(struct generate *generate, struct batch *batch)
{
	struct event *event = batch_event(batch, EVENT_MAP);

	event->address = generate->config.base;
	event->length = generate->bytes;
	event->flags = MAP_FLAG_READ | MAP_FLAG_WRITE;
}

static int
generate_next(struct source *source, struct batch *batch)
{
	struct generate *generate = (struct generate *)source;
	const struct pattern *pattern = generate->pattern;

	batch->thread = batch->space = 0;
	batch->columned = true;
	if (!generate->done)
		add_map(generate, batch);
	while (batch->n < BATCH_ACCESSES && batch->n_events < BATCH_EVENTS) {
		uint64_t left = generate->config.n - generate->done - batch->n;
		uint32_t room = BATCH_ACCESSES - batch->n;
		int n = left < room ? (int)left : (int)room;

		if (n && pattern->prepare)
			n = pattern->prepare(generate, batch, (uint32_t)n);
		if (n < 0)
			return n;
		if (!n)
			break;
		pattern->fill(generate, batch, (uint32_t)n);
	}
	generate->done += batch->n;
	batch->time_ns = generate->done;
	return batch->n > 0;
}

static void
generate_progress(const struct source *source, uint64_t *done, uint64_t *all)
{
	const struct generate *generate = (const struct generate *)source;

	*done = generate->done;
	*all = generate->config.n;
}

static void
generate_close(struct source *source)
{
	struct generate *generate = (struct generate *)source;

	if (!generate)
		return;
	zipf_fini(&generate->zipf);
	stream_close(source->stream);
	free(generate);
}

static const struct source_methods generate_methods = {
	.next = generate_next,
	.progress = generate_progress,
	.close = generate_close,
};

int
generate_open(struct source **out, const char *spec)
{
	struct generate *generate = calloc(1, sizeof(*generate));
	int error;

	if (!generate)
		return fail(ENOMEM, "generate: no memory");
	generate->source.methods = &generate_methods;
	if (!strncmp(spec, PREFIX, strlen(PREFIX)))
		spec += strlen(PREFIX);
	error = parse(generate, spec);
	if (error)
		goto close;
	prepare(generate);
	if (generate->pattern->zipf)
		error = zipf_init(&generate->zipf, generate->config.pages,
				  generate->config.s);
	if (!error && stream_open(&generate->source.stream))
		error = fail(ENOMEM, "generate: no memory");
	if (!error)
		error = describe(generate, spec);
	if (error)
		goto close;
	*out = &generate->source;
	return 0;
close:
	generate_close(&generate->source);
	return error;
}
