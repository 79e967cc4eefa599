// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/analysis/segments.h"

#include "analyzer/fail.h"
#include "analyzer/tasks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RUN		 4096u
#define REFERENCES_LEAST 65536u		     /* in a round that pays */
#define ALONE		 (UINT32_C(1) << 17) /* in a segment that is alone: 2 MB */

struct segment_engine {
	struct reuse *reuse;
	struct blocks blocks;
};

static int
no_memory(void)
{
	return fail(ENOMEM, "segments: no memory");
}

int
segment_init(struct segment *segment)
{
	size_t n = SEGMENT_REFERENCES;

	*segment = (struct segment){
		.page = calloc(n, sizeof(*segment->page)),
		.write = calloc(n, sizeof(*segment->write)),
		.access = calloc(n, sizeof(*segment->access)),
		.first = calloc(n, sizeof(*segment->first)),
		.last = calloc(n, sizeof(*segment->last)),
		.part = calloc(n, sizeof(*segment->part)),
	};
	if (segment->page && segment->write && segment->access &&
	    segment->first && segment->last && segment->part)
		return 0;
	segment_fini(segment);
	return no_memory();
}

void
segment_fini(struct segment *segment)
{
	free(segment->page);
	free(segment->write);
	free(segment->access);
	free(segment->first);
	free(segment->last);
	free(segment->part);
	*segment = (struct segment){ 0 };
}

int
segment_engine_open(struct segment_engine **out)
{
	struct segment_engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return no_memory();
	error = reuse_open_pieces(&engine->reuse);
	if (!error)
		error = blocks_init(&engine->blocks);
	if (error)
		segment_engine_close(engine);
	else
		*out = engine;
	return error;
}

void
segment_engine_close(struct segment_engine *engine)
{
	if (!engine)
		return;
	reuse_close(engine->reuse);
	blocks_fini(&engine->blocks);
	free(engine);
}

/* Note which are first references; count the others by when they were. */
static void
sort_out(struct segment_engine *engine, struct segment *segment, uint32_t at,
	 uint32_t n, uint32_t *distance)
{
	uint64_t access[RUN];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (distance[i] == REUSE_COLD) {
			segment->first[segment->n_pages++] = at + i;
			continue;
		}
		access[kept] = segment->access[at + i];
		distance[kept++] = distance[i];
	}
	blocks_add(&engine->blocks, distance, access, kept);
}

/* Page numbers of first references, in place of their positions' */
static uint32_t *
first_pages(const struct segment *segment)
{
	uint32_t *page = calloc(segment->n_pages + 1u, sizeof(*page));

	for (uint32_t i = 0; page && i < segment->n_pages; i++)
		page[i] = segment->page[segment->first[i]];
	return page;
}

int
segment_measure(struct segment_engine *engine, struct segment *segment)
{
	uint32_t distance[RUN], *page;
	int error = 0;

	segment->n_pages = 0;
	for (uint32_t at = 0, n; !error && at < segment->n; at += n) {
		n = segment->n - at < RUN ? segment->n - at : RUN;
		error = reuse_feed(engine->reuse, segment->page + at,
				   segment->write + at, n, distance);
		if (!error)
			sort_out(engine, segment, at, n, distance);
	}
	if (error)
		return error;
	page = first_pages(segment);
	if (!page)
		return no_memory();
	reuse_end_piece(engine->reuse, page, segment->n_pages, segment->part,
			segment->last);
	free(page);
	return 0;
}

static int
segment_join(struct segment *segment, struct reuse *all, struct blocks *blocks)
{
	uint32_t n = segment->n_pages;
	uint32_t *page = first_pages(segment);
	uint32_t *distance = calloc(n + 1u, sizeof(*distance));
	uint64_t *access = calloc(n + 1u, sizeof(*access));
	const struct reuse_piece piece = { page, segment->last, segment->part,
					   n };
	int error = page && distance && access ? 0 : no_memory();

	if (!error)
		error = reuse_join_piece(all, &piece, distance);
	for (uint32_t i = 0; !error && i < n; i++)
		access[i] = segment->access[segment->first[i]];
	if (!error)
		blocks_add(blocks, distance, access, n);
	free(page);
	free(distance);
	free(access);
	return error;
}

const struct reuse *
segment_engine_reuse(const struct segment_engine *engine)
{
	return engine->reuse;
}

struct blocks *
segment_engine_blocks(struct segment_engine *engine)
{
	return &engine->blocks;
}

/* --- rounds ------------------------------------------------------------------ */

/* A page is given back after so many segments of the round. */
struct drop {
	uint32_t page;
	unsigned after;
};

/* What is measured at once */
struct round {
	struct segment *segment; /* owned: [config.n], filled up to `at` */
	unsigned at;		 /* the one that is being filled */
	struct drop *drop;	 /* owned */
	size_t n_drops, room_drops;
};

struct segments {
	struct segments_config config;
	struct reuse *all;     /* borrowed */
	struct blocks *blocks; /* borrowed */
	struct round round[2];
	struct round *filled, *measured; /* of these */
	struct segment_engine **engine;	 /* owned: [config.n] */
	uint32_t most;			 /* references of a segment */
	/* measures `measured' while the other is filled */
	pthread_t thread;
	bool running;
	int error; /* the thread's */
};

static int
round_init(struct round *round, unsigned n)
{
	int error = 0;

	round->segment = calloc(n, sizeof(*round->segment));
	if (!round->segment)
		return no_memory();
	for (unsigned i = 0; !error && i < n; i++)
		error = segment_init(&round->segment[i]);
	return error;
}

static void
round_fini(struct round *round, unsigned n)
{
	for (unsigned i = 0; round->segment && i < n; i++)
		segment_fini(&round->segment[i]);
	free(round->segment);
	free(round->drop);
}

int
segments_open(struct segments **out, const struct segments_config *config,
	      struct reuse *all, struct blocks *blocks)
{
	struct segments *segments = calloc(1, sizeof(*segments));
	int error = 0;

	if (!segments)
		return no_memory();
	segments->config = *config;
	segments->all = all;
	segments->blocks = blocks;
	segments->most = config->n > 1 ? SEGMENT_REFERENCES : ALONE;
	segments->filled = &segments->round[0];
	segments->measured = &segments->round[1];
	segments->engine = calloc(config->n, sizeof(*segments->engine));
	if (!segments->engine)
		error = no_memory();
	for (unsigned i = 0; !error && i < config->n; i++)
		error = segment_engine_open(&segments->engine[i]);
	for (unsigned i = 0; !error && i < ARRAY_SIZE(segments->round); i++)
		error = round_init(&segments->round[i], config->n);
	if (error)
		segments_close(segments);
	else
		*out = segments;
	return error;
}

/* Until the round before is measured.  Its error, once */
static int
wait_for_round(struct segments *segments)
{
	int error;

	if (segments->running)
		pthread_join(segments->thread, NULL);
	segments->running = false;
	error = segments->error;
	segments->error = 0;
	return error;
}

void
segments_close(struct segments *segments)
{
	if (!segments)
		return;
	wait_for_round(segments);
	for (unsigned i = 0; i < ARRAY_SIZE(segments->round); i++)
		round_fini(&segments->round[i], segments->config.n);
	for (unsigned i = 0; segments->engine && i < segments->config.n; i++)
		segment_engine_close(segments->engine[i]);
	free(segments->engine);
	free(segments);
}

/* Who measures a segment: 0 this process, else remote engine who - 1 */
static unsigned
who_measures(const struct segments *segments, unsigned i)
{
	const struct segments_remote *remote = segments->config.remote;

	return remote ? i % (remote->n + 1) : 0;
}

static int
beside_all(const struct segments *segments)
{
	const struct segments_config *config = &segments->config;
	const struct round *round = segments->measured;
	int error = 0;

	for (unsigned i = 0; !error && config->beside && i < round->at; i++)
		error = config->beside(config->context, &round->segment[i]);
	return error;
}

/* One alone, or so few references that pieces would cost more */
static int
take_in_turn(struct segments *segments, const struct segment *segment)
{
	uint32_t distance[RUN];
	int error = 0;

	for (uint32_t at = 0, n; !error && at < segment->n; at += n) {
		n = segment->n - at < RUN ? segment->n - at : RUN;
		error = reuse_feed(segments->all, segment->page + at,
				   segment->write + at, n, distance);
		if (!error)
			blocks_add(segments->blocks, distance,
				   segment->access + at, n);
	}
	return error;
}

/* Task 0 is what is done beside, others a segment each. */
static int
work(void *context, size_t i)
{
	struct segments *segments = context;
	struct segment *segment;

	if (!i)
		return beside_all(segments);
	i--;
	segment = &segments->measured->segment[i];
	if (segments->config.n == 1)
		return take_in_turn(segments, segment);
	if (who_measures(segments, (unsigned)i))
		return 0;
	return segment_measure(segments->engine[i], segment);
}

static int
measure(struct segments *segments)
{
	const struct segments_remote *remote = segments->config.remote;
	struct round *round = segments->measured;
	const struct tasks tasks = { .n = round->at + 1,
				     .work = work,
				     .context = segments,
				     .jobs = segments->config.jobs };
	int error = 0;

	for (unsigned i = 0; !error && i < round->at; i++)
		if (who_measures(segments, i))
			error = remote->send(remote->context,
					     who_measures(segments, i) - 1,
					     &round->segment[i]);
	if (!error)
		error = tasks_run(&tasks);
	for (unsigned i = 0; !error && i < round->at; i++)
		if (who_measures(segments, i))
			error = remote->receive(remote->context,
						who_measures(segments, i) - 1,
						&round->segment[i]);
	return error;
}

static uint64_t
round_references(const struct round *round)
{
	uint64_t references = 0;

	for (unsigned i = 0; i < round->at; i++)
		references += round->segment[i].n;
	return references;
}

/* Pages that were given back after so many segments; *next: of the drops */
static int
drop_pages(struct segments *segments, unsigned after, size_t *next)
{
	const struct round *round = segments->measured;
	int error = 0;

	for (; !error && *next < round->n_drops &&
	       round->drop[*next].after == after;
	     ++*next)
		error = reuse_drop(segments->all, round->drop[*next].page);
	return error;
}

/* What was measured is put together in its order. */
static int
join_round(struct segments *segments, bool few, size_t drop)
{
	struct round *round = segments->measured;
	int error = 0;

	for (unsigned i = 0; !error && i < round->at; i++) {
		error = few ? take_in_turn(segments, &round->segment[i])
			    : segment_join(&round->segment[i], segments->all,
					   segments->blocks);
		if (!error)
			error = drop_pages(segments, i + 1, &drop);
	}
	return error;
}

static int
measure_round(struct segments *segments)
{
	struct round *round = segments->measured;
	bool few = round_references(round) < REFERENCES_LEAST;
	size_t drop = 0;
	int error = drop_pages(segments, 0, &drop);

	if (!error)
		error = few ? beside_all(segments) : measure(segments);
	if (!error && (few || segments->config.n > 1))
		error = join_round(segments, few, drop);
	for (unsigned i = 0; i < round->at; i++)
		round->segment[i].n = 0;
	round->at = 0;
	round->n_drops = 0;
	return error;
}

static void *
run_round(void *context)
{
	struct segments *segments = context;

	segments->error = measure_round(segments);
	return NULL;
}

/* What was gathered goes to be measured; meanwhile the other round is filled,
 * where that pays and there is a thread for it. */
static int
end_round(struct segments *segments)
{
	struct round *round = segments->filled;
	int error = wait_for_round(segments);

	if (error)
		return error;
	round->at +=
		round->at < segments->config.n && round->segment[round->at].n;
	if (segments->config.begin)
		error = segments->config.begin(segments->config.context);
	if (error)
		return error;
	segments->filled = segments->measured;
	segments->measured = round;
	if (segments->config.jobs && !segments->config.remote &&
	    round_references(round) >= REFERENCES_LEAST)
		segments->running = !pthread_create(&segments->thread, NULL,
						    run_round, segments);
	return segments->running ? 0 : measure_round(segments);
}

/* The segment is full, or ends here. */
static int
end_segment(struct segments *segments)
{
	return ++segments->filled->at == segments->config.n
		       ? end_round(segments)
		       : 0;
}

int
segments_feed(struct segments *segments, const struct reclaim_batch *batch)
{
	int error = 0;

	for (uint32_t at = 0, n; !error && at < batch->n; at += n) {
		struct round *round = segments->filled;
		struct segment *segment = &round->segment[round->at];

		n = segments->most - segment->n;
		n = n < batch->n - at ? n : batch->n - at;
		memcpy(segment->page + segment->n, batch->page + at,
		       n * sizeof(*segment->page));
		memcpy(segment->write + segment->n, batch->write + at, n);
		memcpy(segment->access + segment->n, batch->access + at,
		       n * sizeof(*segment->access));
		segment->n += n;
		if (segment->n == segments->most)
			error = end_segment(segments);
	}
	return error;
}

int
segments_drop(struct segments *segments, uint32_t page)
{
	struct round *round = segments->filled;
	int error = 0;

	if (round->segment[round->at].n)
		error = end_segment(segments);
	if (error)
		return error;
	round = segments->filled;
	if (!round->at && !round->n_drops && !segments->running)
		return reuse_drop(segments->all, page);
	if (round->n_drops == round->room_drops) {
		size_t room = round->room_drops ? 2 * round->room_drops : 64;
		struct drop *drop =
			reallocarray(round->drop, room, sizeof(*drop));

		if (!drop)
			return no_memory();
		round->drop = drop;
		round->room_drops = room;
	}
	round->drop[round->n_drops++] = (struct drop){ page, round->at };
	return 0;
}

static int
join_counts(struct segments *segments, const struct segment_engine *engine)
{
	uint32_t n = reuse_counts(engine->reuse, NULL, 0);
	struct reuse_count *count = calloc(n, sizeof(*count));
	int error = count ? 0 : no_memory();

	if (!error) {
		reuse_counts(engine->reuse, count, n);
		error = reuse_add_counts(segments->all, count, n);
	}
	free(count);
	return error;
}

int
segments_end(struct segments *segments)
{
	const struct segments_remote *remote = segments->config.remote;
	int error = end_round(segments);

	if (!error)
		error = wait_for_round(segments);
	for (unsigned i = 0; !error && i < segments->config.n; i++) {
		error = join_counts(segments, segments->engine[i]);
		blocks_join(segments->blocks, &segments->engine[i]->blocks);
	}
	for (unsigned i = 0; !error && remote && i < remote->n; i++)
		error = remote->end(remote->context, i, segments->all,
				    segments->blocks);
	return error;
}
