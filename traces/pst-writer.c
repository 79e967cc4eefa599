// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The trace writer: a model that collects batches into blocks, has encoder
 * threads make zstd frames of them (blocks are independent), and writes those
 * in order.
 *
 *	feed -> [block filling] -> [block waiting] -> encoders -> file, in order
 *
 * A block ends when it is full, or when a second has passed since it began: a
 * recorder that is killed loses at most that.
 */
#include "traces/pst.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "analyzer/fail.h"
#include "analyzer/tally.h"
#include "traces/pst-block.h"
#include "traces/pst-digest.h"
#include "traces/pst-pack.h"

#define BLOCK_NS UINT64_C(1000000000)

enum job_state {
	JOB_FREE,
	JOB_WAITING,
	JOB_RUNNING,
	JOB_DONE
};

struct job {
	enum job_state state;
	struct pst_block block;
};

struct encoder {
	struct pst_writer *writer;
	pthread_t thread;
	struct codec *codec;
	ZSTD_CCtx *zstd;
	struct tally tally; /* of the blocks that it encoded */
};

struct place { /* a section, for the index */
	uint64_t offset;
	struct pst_section section;
};

struct pst_writer {
	struct model model;
	struct pst_writer_options options;
	struct stream *stream;
	const char *path;
	int fd;
	bool own_fd;

	/* filling */
	struct packer *packer;
	struct digest *digest;
	struct job *filling;
	uint64_t filling_since_ns;
	struct dictionary_counts known; /* written to dictionaries so far */
	bool head_written;
	uint64_t accesses, batches, events;
	struct pst_kept kept;
	uint64_t start_ns, end_ns;

	/* shared with the encoders */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *job; /* ring: number % n_jobs */
	unsigned n_jobs;
	uint64_t filled, taken, written; /* numbers of blocks */
	bool ending;
	int error;

	struct encoder *encoder;
	unsigned n_encoders; /* at least one */
	unsigned n_threads;  /* of them with a thread */

	/* the file; by whoever writes the next block, under `lock` */
	uint64_t offset;
	struct place *place;
	size_t n_places, place_room;
};

static int
write_all(struct pst_writer *writer, const void *data, size_t n)
{
	const char *at = data;

	while (n) {
		ssize_t done = write(writer->fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fail_errno(errno,
					  "%s: cannot write at byte %llu",
					  writer->path,
					  (unsigned long long)writer->offset);
		at += done;
		n -= (size_t)done;
		writer->offset += (uint64_t)done;
	}
	return 0;
}

static int
write_frame_head(struct pst_writer *writer, uint32_t magic, size_t bytes)
{
	uint8_t head[PST_FRAME_BYTES];

	put_u32(head, magic);
	put_u32(head + 4, (uint32_t)bytes);
	return write_all(writer, head, sizeof(head));
}

static int
write_head(struct pst_writer *writer)
{
	uint8_t head[PST_HEAD_BYTES] = PST_HEAD_MAGIC;
	char *json = json_dumps(stream_about(writer->stream),
				JSON_COMPACT | JSON_SORT_KEYS);
	size_t n;
	int error;

	if (!json)
		return fail(ENOMEM, "%s: no memory for the head", writer->path);
	n = strlen(json);
	head[16] = PST_VERSION;
	head[18] = 0x02; /* 0x0102, little-endian */
	head[19] = 0x01;
	put_u32(head + 20, 4096);
	put_u64(head + 24, XXH64(json, n, 0));
	error = write_frame_head(writer, PST_FRAME_HEAD, sizeof(head) + n);
	if (!error)
		error = write_all(writer, head, sizeof(head));
	if (!error)
		error = write_all(writer, json, n);
	free(json);
	writer->head_written = true;
	writer->error = error; /* no encoder has begun yet */
	return error;
}

static int
place_add(struct pst_writer *writer, const struct pst_section *section)
{
	if (writer->n_places == writer->place_room) {
		size_t room = writer->place_room ? writer->place_room * 2 : 64;
		struct place *more =
			reallocarray(writer->place, room, sizeof(*more));

		if (!more)
			return fail(ENOMEM, "%s: no memory for the index",
				    writer->path);
		writer->place = more;
		writer->place_room = room;
	}
	writer->place[writer->n_places++] =
		(struct place){ writer->offset, *section };
	return 0;
}

static int
write_section(struct pst_writer *writer, struct pst_section *section,
	      const struct bytes *stored)
{
	uint8_t head[PST_SECTION_BYTES];
	int error;

	section->number = (uint32_t)writer->n_places;
	section->stored_bytes = stored->n;
	pst_section_encode(section, head);
	error = place_add(writer, section);
	if (!error)
		error = write_frame_head(writer, PST_FRAME_SECTION,
					 sizeof(head));
	if (!error)
		error = write_all(writer, head, sizeof(head));
	if (!error)
		error = write_all(writer, stored->data, stored->n);
	return error;
}

static int
write_block(struct pst_writer *writer, struct pst_block *block)
{
	uint64_t room = block->stored.n + block->stored_dictionary.n;
	int error = 0;

	if (writer->options.max_bytes &&
	    writer->offset + room > writer->options.max_bytes)
		return -EFBIG;
	if (block->stored_dictionary.n) {
		struct pst_section section = {
			.kind = PST_DICTIONARY,
			.raw_bytes = block->raw_dictionary_bytes,
			.first_access = block->section.first_access,
			.end_ns = block->section.end_ns,
		};

		error = write_section(writer, &section,
				      &block->stored_dictionary);
	}
	if (!error)
		error = write_section(writer, &block->section, &block->stored);
	return error;
}

/* Write the blocks that are done, in order; the lock is held. */
static void
write_done(struct pst_writer *writer)
{
	for (;;) {
		struct job *job =
			&writer->job[writer->written % writer->n_jobs];

		if (writer->written == writer->filled || job->state != JOB_DONE)
			break;
		if (!writer->error)
			writer->error = write_block(writer, &job->block);
		job->state = JOB_FREE;
		writer->written++;
		pthread_cond_broadcast(&writer->changed);
	}
}

static void
encode_one(struct encoder *encoder, struct job *job)
{
	struct pst_writer *writer = encoder->writer;
	int error;

	job->state = JOB_RUNNING;
	pthread_mutex_unlock(&writer->lock);
	error = pst_block_encode(&job->block, encoder->codec, encoder->zstd,
				 &encoder->tally);
	pthread_mutex_lock(&writer->lock);
	if (error && !writer->error)
		writer->error = error;
	job->state = JOB_DONE;
	write_done(writer);
}

static void *
encode_loop(void *argument)
{
	struct encoder *encoder = argument;
	struct pst_writer *writer = encoder->writer;

	pthread_mutex_lock(&writer->lock);
	for (;;) {
		while (writer->taken == writer->filled && !writer->ending)
			pthread_cond_wait(&writer->changed, &writer->lock);
		if (writer->taken == writer->filled)
			break;
		encode_one(encoder,
			   &writer->job[writer->taken++ % writer->n_jobs]);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The block to fill: waits for one to be free.  The lock is held. */
static struct job *
next_job(struct pst_writer *writer)
{
	struct job *job = &writer->job[writer->filled % writer->n_jobs];

	while (job->state != JOB_FREE)
		pthread_cond_wait(&writer->changed, &writer->lock);
	pst_block_clear(&job->block);
	job->block.section.first_access = writer->accesses;
	writer->filling_since_ns = now_ns();
	return job;
}

/* Hand the filled block to the encoders. */
static int
end_block(struct pst_writer *writer)
{
	struct job *job = writer->filling;
	struct dictionary_counts now;
	int error;

	if (!job)
		return 0;
	dictionary_counts(writer->stream, &now);
	dictionary_write(&job->block.dictionary, writer->stream, &writer->known,
			 &now);
	job->block.dictionary_steps = now.steps;
	writer->filling = NULL;
	pthread_mutex_lock(&writer->lock);
	job->state = JOB_WAITING;
	writer->filled++;
	if (writer->n_threads) {
		pthread_cond_broadcast(&writer->changed);
	} else {
		writer->taken++;
		encode_one(&writer->encoder[0], job);
	}
	error = writer->error;
	pthread_mutex_unlock(&writer->lock);
	return error;
}

static int
begin_block(struct pst_writer *writer)
{
	int error = 0;

	if (writer->filling && pst_block_has_room(&writer->filling->block) &&
	    (!writer->options.block_steps ||
	     writer->filling->block.n_steps < writer->options.block_steps) &&
	    now_ns() - writer->filling_since_ns < BLOCK_NS)
		return 0;
	error = end_block(writer);
	if (error)
		return error;
	pthread_mutex_lock(&writer->lock);
	writer->filling = next_job(writer);
	error = writer->error;
	pthread_mutex_unlock(&writer->lock);
	return error;
}

static int
store_batch(struct pst_writer *writer, const struct batch *batch)
{
	struct pst_block *block = &writer->filling->block;
	uint32_t *step = block->step + block->n_steps;
	uint64_t *root = block->roots + CODEC_HISTORY + block->n_roots;
	uint32_t n_steps = batch->n_steps, n_roots = batch->n_roots;
	int error;

	if (batch->packed) {
		memcpy(step, batch->step, n_steps * sizeof(*step));
		memcpy(root, batch->root, n_roots * sizeof(*root));
	} else {
		error = packer_pack(writer->packer, batch, step, &n_steps, root,
				    &n_roots);
		if (error)
			return error;
	}
	events_write(&block->events, &block->event_state, batch, n_steps);
	digest_batch(writer->digest, batch, step, n_steps, root, n_roots);
	block->n_steps += n_steps;
	block->n_roots += n_roots;
	block->section.batches++;
	block->section.events += batch->n_events;
	block->section.accesses += batch->n;
	block->section.end_ns = batch->time_ns;
	return 0;
}

static int
writer_feed(struct model *model, const struct batch *batch)
{
	struct pst_writer *writer = (struct pst_writer *)model;
	int error = 0;

	if (!writer->head_written)
		error = write_head(writer);
	if (!error)
		error = begin_block(writer);
	if (!error)
		error = store_batch(writer, batch);
	if (error)
		return error;
	if (!writer->batches++)
		writer->start_ns = batch->time_ns;
	writer->end_ns = batch->time_ns;
	writer->accesses += batch->n;
	writer->events += batch->n_events;
	pst_kept_count(&writer->kept, batch);
	return 0;
}

static void
stop_encoders(struct pst_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	while (writer->n_threads)
		pthread_join(writer->encoder[--writer->n_threads].thread, NULL);
}

/* When max_bytes ended the file before the last blocks. */
static json_t *
partial_totals_json(const struct pst_writer *writer)
{
	uint64_t accesses = 0, batches = 0, events = 0;
	uint64_t end_ns = writer->start_ns;

	for (size_t i = 0; i < writer->n_places; i++) {
		accesses += writer->place[i].section.accesses;
		batches += writer->place[i].section.batches;
		events += writer->place[i].section.events;
		end_ns = writer->place[i].section.end_ns;
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "accesses",
			 (json_int_t)accesses, "batches", (json_int_t)batches,
			 "events", (json_int_t)events, "start_ns",
			 (json_int_t)writer->start_ns, "end_ns",
			 (json_int_t)end_ns);
}

static json_t *
totals_json(struct pst_writer *writer)
{
	char digest[33];
	struct tally tally;
	const uint64_t *kind = tally.kind;

	if (writer->error == -EFBIG)
		return partial_totals_json(writer);
	if (digest_text(writer->digest, writer->stream, &writer->known, digest))
		return NULL;
	tally_init(&tally, writer->stream);
	for (unsigned i = 0; i < writer->n_encoders; i++)
		tally_add(&tally, &writer->encoder[i].tally);
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}",
		"accesses", (json_int_t)writer->accesses, "batches",
		(json_int_t)writer->batches, "events",
		(json_int_t)writer->events, "loads",
		(json_int_t)kind[SITE_LOAD], "stores",
		(json_int_t)kind[SITE_STORE], "modifies",
		(json_int_t)kind[SITE_MODIFY], "fetches",
		(json_int_t)kind[SITE_FETCH], "instructions",
		(json_int_t)tally.instructions, "start_ns",
		(json_int_t)writer->start_ns, "end_ns",
		(json_int_t)writer->end_ns, "kept",
		pst_kept_json(&writer->kept), "digest", digest);
}

/* Magic, JSON length, JSON, then offset and head of each section, trailer. */
static int
index_bytes(struct pst_writer *writer, struct bytes *out)
{
	json_t *root =
		json_pack("{s:O, s:o}", "about", stream_about(writer->stream),
			  "totals", totals_json(writer));
	char *json =
		root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	uint8_t word[8];

	json_decref(root);
	if (!json)
		return fail(ENOMEM, "%s: no memory for the index",
			    writer->path);
	bytes_put(out, PST_INDEX_MAGIC, 16);
	put_u64(word, strlen(json));
	bytes_put(out, word, 8);
	bytes_put(out, json, strlen(json));
	free(json);
	for (size_t i = 0; i < writer->n_places; i++) {
		uint8_t head[PST_SECTION_BYTES];

		put_u64(word, writer->place[i].offset);
		bytes_put(out, word, 8);
		pst_section_encode(&writer->place[i].section, head);
		bytes_put(out, head, sizeof(head));
	}
	put_u64(word, writer->offset);
	bytes_put(out, word, 8);
	put_u64(word, XXH64(out->data, out->n - 8, 0));
	bytes_put(out, word, 8);
	bytes_put(out, PST_TRAILER_MAGIC, 8);
	return out->failed ? fail(ENOMEM, "%s: no memory for the index",
				  writer->path)
			   : 0;
}

static int
write_index(struct pst_writer *writer)
{
	struct bytes out = { 0 };
	int error = index_bytes(writer, &out);

	if (!error)
		error = write_frame_head(writer, PST_FRAME_INDEX, out.n);
	if (!error)
		error = write_all(writer, out.data, out.n);
	bytes_fini(&out);
	return error;
}

static int
close_file(struct pst_writer *writer)
{
	int fd = writer->fd;

	writer->fd = -1;
	if (fd >= 0 && writer->own_fd && close(fd))
		return fail_errno(errno, "%s: cannot close", writer->path);
	return 0;
}

/* The last block and the index.  Also after -EFBIG: what fitted is kept. */
static int
writer_finish(struct model *model, struct result *result)
{
	struct pst_writer *writer = (struct pst_writer *)model;
	int error = 0, closed;

	(void)result;
	if (!writer->head_written)
		error = write_head(writer);
	if (!error)
		error = end_block(writer);
	stop_encoders(writer);
	if (!error || error == -EFBIG)
		error = writer->error;
	if (!error || error == -EFBIG) {
		int indexed = write_index(writer);

		error = indexed ? indexed : error;
	}
	closed = close_file(writer);
	return error ? error : closed;
}

static void
writer_close(struct model *model)
{
	struct pst_writer *writer = (struct pst_writer *)model;

	if (!writer)
		return;
	stop_encoders(writer);
	if (writer->fd >= 0 && writer->own_fd)
		close(writer->fd);
	for (unsigned i = 0; writer->encoder && i < writer->n_encoders; i++) {
		codec_close(writer->encoder[i].codec);
		ZSTD_freeCCtx(writer->encoder[i].zstd);
		tally_fini(&writer->encoder[i].tally);
	}
	for (unsigned i = 0; writer->job && i < writer->n_jobs; i++)
		pst_block_fini(&writer->job[i].block);
	packer_close(writer->packer);
	digest_close(writer->digest);
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->lock);
	free(writer->encoder);
	free(writer->place);
	free(writer->job);
	free(writer);
}

static const struct model_methods writer_methods = {
	.feed = writer_feed,
	.finish = writer_finish,
	.close = writer_close,
	.packed = true,
};

/*
 * zstd's own levels.  Behind the prediction it has a tenth of the work: less
 * effort saves a tenth of that and writes more bytes (-5: 1.57, -1: 1.24 times
 * those of 1), which costs as much.  So far PST_FAST is no faster than normal.
 */
static const int effort_level[] = {
	[PST_FAST] = -1,
	[PST_NORMAL] = 1,
	[PST_SMALL] = 12,
};

static int
open_encoder(struct pst_writer *writer, struct encoder *encoder)
{
	int error = codec_open(&encoder->codec, writer->stream);

	if (error)
		return error;
	encoder->writer = writer;
	tally_init(&encoder->tally, writer->stream);
	encoder->zstd = ZSTD_createCCtx();
	if (!encoder->zstd)
		return fail(ENOMEM, "trace writer: no memory for zstd");
	ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel,
			       effort_level[writer->options.effort]);
	ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_checksumFlag, 1);
	return 0;
}

static int
start_encoders(struct pst_writer *writer)
{
	unsigned wanted = writer->options.threads;

	for (unsigned i = 0; i < writer->n_encoders; i++) {
		int error = open_encoder(writer, &writer->encoder[i]);

		if (error)
			return error;
	}
	for (; writer->n_threads < wanted; writer->n_threads++) {
		struct encoder *encoder = &writer->encoder[writer->n_threads];
		int error = pthread_create(&encoder->thread, NULL, encode_loop,
					   encoder);

		if (error)
			return fail_errno(
				error, "trace writer: cannot start a thread");
	}
	return 0;
}

static int
open_file(struct pst_writer *writer)
{
	if (!strcmp(writer->path, "-")) {
		writer->path = "stdout";
		writer->fd = STDOUT_FILENO;
		return 0;
	}
	writer->fd = open(writer->path,
			  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (writer->fd < 0)
		return fail_errno(errno, "%s: cannot create", writer->path);
	writer->own_fd = true;
	return 0;
}

static int
open_parts(struct pst_writer *writer)
{
	int error;

	writer->n_encoders =
		writer->options.threads ? writer->options.threads : 1;
	writer->n_jobs = writer->options.threads + 1;
	writer->encoder = calloc(writer->n_encoders, sizeof(*writer->encoder));
	writer->job = calloc(writer->n_jobs, sizeof(*writer->job));
	if (!writer->encoder || !writer->job)
		return fail(ENOMEM, "trace writer: no memory");
	for (unsigned i = 0; i < writer->n_jobs; i++) {
		error = pst_block_init(&writer->job[i].block);
		if (error)
			return error;
	}
	error = packer_open(&writer->packer, writer->stream);
	if (!error)
		error = digest_open(&writer->digest);
	if (!error)
		error = open_file(writer);
	if (!error)
		error = start_encoders(writer);
	return error;
}

/* A file of few bytes has room for small blocks only; the last one that does
 * not fit any more is lost. */
static uint32_t
bounded_steps(uint64_t max_bytes)
{
	uint64_t steps = max_bytes / 64;

	if (steps < 1024)
		return 1024;
	return steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX;
}

int
pst_writer_open(struct model **out, const char *path,
		const struct pst_writer_options *options, struct stream *stream)
{
	struct pst_writer *writer = calloc(1, sizeof(*writer));
	int error;

	if (!writer)
		return fail(ENOMEM, "trace writer: no memory");
	writer->model.methods = &writer_methods;
	writer->options = *options;
	if (options->max_bytes && !options->block_steps)
		writer->options.block_steps = bounded_steps(options->max_bytes);
	writer->stream = stream;
	writer->path = path;
	writer->fd = -1;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->changed, NULL);
	error = open_parts(writer);
	if (error) {
		writer_close(&writer->model);
		return error;
	}
	*out = &writer->model;
	return 0;
}

uint64_t
pst_writer_bytes(const struct model *model)
{
	const struct pst_writer *writer = (const struct pst_writer *)model;

	return __atomic_load_n(&writer->offset, __ATOMIC_RELAXED);
}

uint64_t
pst_writer_accesses(const struct model *model)
{
	const struct pst_writer *writer = (const struct pst_writer *)model;
	uint64_t accesses = 0;

	for (size_t i = 0; i < writer->n_places; i++)
		accesses += writer->place[i].section.accesses;
	return accesses;
}
