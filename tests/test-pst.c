// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The .pst format: what is written is what is read, in both forms of batches;
 * and damage of any kind is an error or a recovered prefix, never a crash and
 * never wrong data.
 */
#include "traces/pst.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above */
#include <cmocka.h>

#include "traces/pst-codec.h"

#define BATCHES	   60
#define SHAPES	   40
#define FILE_NAME  "test-pst.pst"
#define OTHER_NAME "test-pst-damaged.pst"

/* What was fed, expanded: the plain twin. */
struct fed {
	uint64_t *address;
	uint32_t *site;
	size_t n, room;
	size_t events;
};

static uint64_t random_state;
static uint64_t root_value[16];
static unsigned columned; /* batches that came with columns */
/* Names of kernel's counts before the files; each map is of one file */
static uint32_t host_counts;
static bool one_file;
static bool data_only; /* write no fetches */

static uint64_t
random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static void
fed_add(struct fed *fed, const struct batch *batch)
{
	if (fed->n + batch->n > fed->room) {
		fed->room = (fed->n + batch->n) * 2;
		fed->address = realloc(fed->address, fed->room * 8);
		fed->site = realloc(fed->site, fed->room * 4);
		assert_non_null(fed->address);
		assert_non_null(fed->site);
	}
	memcpy(fed->address + fed->n, batch->address, batch->n * 8);
	memcpy(fed->site + fed->n, batch->site, batch->n * 4);
	fed->n += batch->n;
	fed->events += batch->n_events;
}

static void
fed_fini(struct fed *fed)
{
	free(fed->address);
	free(fed->site);
}

static uint32_t
add_site(struct stream *stream, uint64_t pc, unsigned kind)
{
	struct site site = {
		.pc = pc,
		.size = kind == SITE_FETCH ? 20
			: pc % 9	   ? 8
					   : 512,
		.kind = (uint8_t)kind,
		.instructions = kind == SITE_FETCH ? 5 : 0,
	};
	uint32_t ref;

	assert_int_equal(stream_site_add(stream, &site, &ref), 0);
	return ref;
}

/* Shape k: a fetch, then up to k % 11 accesses over k % 9 slots. */
static void
add_shape(struct stream *stream, unsigned k, bool only_sites)
{
	struct shape_access access[12];
	unsigned n_slots = k % 9, n = 1;
	uint64_t pc = 0x400000 + k * 64;
	struct step step;
	uint32_t number;

	access[0] = (struct shape_access){
		.ref = add_site(stream, pc, SITE_FETCH),
		.displacement = (int64_t)pc,
	};
	for (; n < 1 + (n_slots ? k % 11 : 0); n++)
		access[n] = (struct shape_access){
			.ref = add_site(stream, pc + n, n % 3),
			.displacement = (int64_t)n * 8 - 16,
			.slot = (uint16_t)(1 + n % n_slots),
			.guarded = k % 7 == 3 && n == 1,
		};
	if (only_sites)
		return;
	step = (struct step){ 0, (uint16_t)n, (uint16_t)n_slots };
	assert_int_equal(stream_shape_add(stream, access, n, n_slots,
					  &step.shape),
			 0);
	assert_int_equal(stream_step_add(stream, &step, &number), 0);
}

static struct stream *
make_stream(bool only_sites)
{
	struct stream *stream;
	struct thread thread = { 7, 7 };
	struct space space = { 7, 0, SPACE_NONE };
	struct file file = { "/bin/some thing", "abcdef", 1, 2, 3 };
	struct file count = { "vmstat.some", "", 0, 0, 0 };
	uint32_t number;

	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(stream_thread_add(stream, &thread, &number), 0);
	assert_int_equal(stream_space_add(stream, &space, &number), 0);
	for (uint32_t i = 0; i < host_counts; i++)
		assert_int_equal(stream_file_add(stream, &count, &number), 0);
	assert_int_equal(stream_file_add(stream, &file, &number), 0);
	file.path = "/lib/other";
	assert_int_equal(stream_file_add(stream, &file, &number), 0);
	json_object_set_new(stream_about(stream), "command",
			    json_string("test"));
	for (unsigned k = 0; k < SHAPES; k++)
		add_shape(stream, k, only_sites);
	return stream;
}

/* Partly strided, partly relative to another, partly anything. */
static uint64_t
next_root(unsigned slot)
{
	uint64_t *value = root_value;
	uint64_t dice = random_next();

	if (dice % 8 < 4)
		value[slot] += 8;
	else if (dice % 8 < 6)
		value[slot] = value[(slot + 1) % 16] + 48;
	else if (dice % 8 == 6)
		value[slot] = dice % 512 == 6 ? 0 : dice >> (dice >> 8) % 60;
	return value[slot];
}

static void
fill_packed(struct batch *batch, const struct stream *stream)
{
	unsigned steps = 1 + (unsigned)(random_next() % 600);

	batch_reset(batch);
	batch->packed = true;
	for (unsigned k = 0; k < steps; k++) {
		uint32_t number = random_next() % 4
					  ? k % SHAPES
					  : (uint32_t)(random_next() % SHAPES);
		const struct step *step = stream_step(stream, number);

		batch->step[batch->n_steps++] = number;
		for (unsigned j = 0; j < step->n_slots; j++)
			batch->root[batch->n_roots++] = next_root(j);
	}
	batch_expand(batch, stream);
}

static void
drop_fetches(struct batch *batch)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < batch->n; i++) {
		batch->address[n] = batch->address[i];
		batch->site[n] = batch->site[i];
		n += SITE_KIND(batch->site[i]) != SITE_FETCH;
	}
	batch->n = n;
}

static void
add_events(struct batch *batch)
{
	unsigned n = (unsigned)(random_next() % 4);

	for (unsigned i = 0; i < n; i++) {
		struct event *event = batch_event(batch, EVENT_MAP);

		event->address = random_next() << 12;
		event->length = 8192;
		event->position = batch->n / n * i;
		event->file =
			i ? host_counts + (one_file ? 0 : i & 1) : UINT32_MAX;
		event->time_ns = random_next() >> 8;
	}
	for (uint32_t i = 0; i < host_counts; i++)
		batch_event(batch, EVENT_COUNTER)->file = i;
}

static void
write_trace(const char *path, bool packed, unsigned threads, struct fed *fed)
{
	struct stream *stream = make_stream(false), *written = stream;
	struct pst_writer_options options = { .threads = threads,
					      .block_steps = 2000 };
	struct model *writer;
	struct batch batch;

	random_state = 42;
	memset(root_value, 0, sizeof(root_value));
	assert_int_equal(batch_init(&batch), 0);
	if (data_only)
		written = make_stream(true);
	assert_int_equal(pst_writer_open(&writer, path, &options, written), 0);
	for (unsigned i = 0; i < BATCHES; i++) {
		fill_packed(&batch, stream);
		if (data_only)
			drop_fetches(&batch);
		add_events(&batch);
		batch.time_ns = 1000 + i * 100;
		batch.packed = packed;
		fed_add(fed, &batch);
		assert_int_equal(writer->methods->feed(writer, &batch), 0);
	}
	assert_int_equal(writer->methods->finish(writer, NULL), 0);
	model_close(writer);
	batch_fini(&batch);
	if (written != stream)
		stream_close(written);
	stream_close(stream);
}

/*
 * Read as much as can be had, which must be a prefix of what was fed.
 * Returns the last status.
 */
static int
read_prefix(const char *path, const struct fed *fed, size_t *accesses,
	    size_t *events)
{
	struct source *source;
	struct batch batch;
	size_t n = 0, n_events = 0;
	int got = pst_reader_open(&source, path, false);

	*accesses = 0;
	if (got)
		return got;
	assert_int_equal(batch_init(&batch), 0);
	while ((got = source_next(source, &batch)) > 0) {
		columned += batch.columned;
		batch_expand(&batch, source->stream);
		assert_true(n + batch.n <= fed->n);
		assert_memory_equal(fed->address + n, batch.address,
				    batch.n * 8);
		assert_memory_equal(fed->site + n, batch.site, batch.n * 4);
		n += batch.n;
		n_events += batch.n_events;
	}
	*accesses = n;
	*events = n_events;
	batch_fini(&batch);
	source_close(source);
	return got;
}

static void
round_trip(bool packed, unsigned threads)
{
	struct fed fed = { 0 };
	struct pst_summary summary;
	size_t n, events;

	write_trace(FILE_NAME, packed, threads, &fed);
	columned = 0;
	assert_int_equal(read_prefix(FILE_NAME, &fed, &n, &events), 0);
	assert_int_equal(n, fed.n);
	assert_int_equal(events, fed.events);
	assert_int_equal(pst_verify(FILE_NAME, &summary, NULL), 0);
	assert_true(summary.complete);
	assert_int_equal(summary.accesses, fed.n);
	assert_int_equal(summary.kind[0] + summary.kind[1] + summary.kind[2] +
				 summary.kind[3],
			 fed.n);
	assert_int_equal(strlen(summary.digest), 32);
	fed_fini(&fed);
}

static void
test_round_trip_packed(void **state)
{
	(void)state;
	round_trip(true, 0);
	round_trip(true, 2);
	assert_int_equal(columned, 0);
}

static void
test_round_trip_columns(void **state)
{
	(void)state;
	round_trip(false, 0);
	assert_int_equal(columned, 0);
	/* each access has a root of its own, and many guesses are wrong */
	data_only = true;
	round_trip(false, 0);
	data_only = false;
	assert_int_equal(columned, BATCHES);
}

static void
test_digest_ignores_threads(void **state)
{
	struct pst_summary one, two;
	struct fed fed = { 0 };

	(void)state;
	write_trace(FILE_NAME, true, 0, &fed);
	assert_int_equal(pst_verify(FILE_NAME, &one, NULL), 0);
	write_trace(FILE_NAME, true, 3, &fed);
	assert_int_equal(pst_verify(FILE_NAME, &two, NULL), 0);
	fed_fini(&fed);
	assert_string_equal(one.digest, two.digest);
}

/* What the host counts are files by name, and whether it does is not the
 * program's: a memory.stat.writeback in one of two recordings made two digests.
 * Which of its files the program maps where is. */
static void
test_digest_ignores_host_counts(void **state)
{
	struct pst_summary none, some, others;
	struct fed fed = { 0 };

	(void)state;
	write_trace(FILE_NAME, true, 0, &fed);
	assert_int_equal(pst_verify(FILE_NAME, &none, NULL), 0);
	fed_fini(&fed);
	host_counts = 3;
	fed = (struct fed){ 0 };
	write_trace(FILE_NAME, true, 0, &fed);
	host_counts = 0;
	assert_int_equal(pst_verify(FILE_NAME, &some, NULL), 0);
	fed_fini(&fed);
	one_file = true;
	fed = (struct fed){ 0 };
	write_trace(FILE_NAME, true, 0, &fed);
	one_file = false;
	assert_int_equal(pst_verify(FILE_NAME, &others, NULL), 0);
	fed_fini(&fed);
	assert_string_equal(none.digest, some.digest);
	assert_string_not_equal(none.digest, others.digest);
}

static uint8_t *
load(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	*n = (size_t)ftell(file);
	rewind(file);
	data = malloc(*n);
	assert_int_equal(fread(data, 1, *n, file), *n);
	fclose(file);
	return data;
}

static void
store(const char *path, const uint8_t *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

/* stderr would be full of the expected complaints. */
static int
quiet(void)
{
	int saved = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY);

	fflush(stderr);
	dup2(null, STDERR_FILENO);
	close(null);
	return saved;
}

static void
loud(int saved)
{
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void
test_truncated(void **state)
{
	struct fed fed = { 0 };
	size_t size, n, events, last = 0;
	uint8_t *data;
	int saved;

	(void)state;
	write_trace(FILE_NAME, true, 0, &fed);
	data = load(FILE_NAME, &size);
	saved = quiet();
	for (size_t cut = 0; cut < size;
	     cut += 1 + random_next() % (size / 500)) {
		store(OTHER_NAME, data, cut);
		/* More of the file never gives less of the trace. */
		if (!read_prefix(OTHER_NAME, &fed, &n, &events)) {
			assert_true(n >= last);
			last = n;
		}
	}
	loud(saved);
	assert_true(last > fed.n / 2);
	free(data);
	fed_fini(&fed);
}

static void
bit_flips(bool packed)
{
	struct fed fed = { 0 };
	size_t size, n, events, noticed = 0;
	uint8_t *data;
	int saved;

	write_trace(FILE_NAME, packed, 0, &fed);
	data = load(FILE_NAME, &size);
	saved = quiet();
	for (unsigned i = 0; i < 1000; i++) {
		size_t at = random_next() % size;
		uint8_t bit = (uint8_t)(1u << random_next() % 8);

		data[at] ^= bit;
		store(OTHER_NAME, data, size);
		data[at] ^= bit;
		/* read_prefix asserts that nothing wrong is taken for good;
		 * a flip in the index alone loses nothing */
		if (read_prefix(OTHER_NAME, &fed, &n, &events))
			noticed++;
		else
			assert_true(n == fed.n);
	}
	loud(saved);
	assert_true(noticed > 900);
	free(data);
	fed_fini(&fed);
}

static void
test_bit_flips(void **state)
{
	(void)state;
	bit_flips(true);
	/* by the loop for what can't be foreseen */
	data_only = true;
	bit_flips(false);
	data_only = false;
}

static void
test_recover_skips_damage(void **state)
{
	struct fed fed = { 0 };
	struct source *source;
	struct pst_summary summary;
	struct batch batch;
	size_t size, n = 0;
	uint8_t *data;
	int saved, got;

	(void)state;
	write_trace(FILE_NAME, true, 0, &fed);
	data = load(FILE_NAME, &size);
	memset(data + size / 2, 0xa5, 64);
	store(OTHER_NAME, data, size);
	saved = quiet();
	assert_int_equal(pst_reader_open(&source, OTHER_NAME, true), 0);
	assert_int_equal(batch_init(&batch), 0);
	while ((got = source_next(source, &batch)) > 0)
		n += batch.n;
	loud(saved);
	assert_int_equal(got, 0);
	pst_reader_summary(source, &summary);
	assert_false(summary.complete);
	assert_true(summary.lost_bytes > 0);
	assert_true(n < fed.n && n > fed.n / 2);
	batch_fini(&batch);
	source_close(source);
	free(data);
	fed_fini(&fed);
}

static void
test_full_disk(void **state)
{
	struct stream *stream = make_stream(false);
	struct pst_writer_options options = { 0 };
	struct model *writer;
	struct batch batch;
	int saved = quiet(), error;

	(void)state;
	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(pst_writer_open(&writer, "/dev/full", &options,
					 stream),
			 0);
	fill_packed(&batch, stream);
	error = writer->methods->feed(writer, &batch);
	loud(saved);
	assert_int_equal(error, -ENOSPC);
	model_close(writer);
	batch_fini(&batch);
	stream_close(stream);
}

static void
test_max_bytes(void **state)
{
	struct stream *stream = make_stream(false);
	struct pst_writer_options options = { .block_steps = 500,
					      .max_bytes = 20000 };
	struct pst_summary summary;
	struct model *writer;
	struct batch batch;
	int error = 0;

	(void)state;
	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(pst_writer_open(&writer, FILE_NAME, &options, stream),
			 0);
	for (unsigned i = 0; i < 500 && !error; i++) {
		fill_packed(&batch, stream);
		error = writer->methods->feed(writer, &batch);
	}
	assert_int_equal(error, -EFBIG);
	assert_int_equal(writer->methods->finish(writer, NULL), -EFBIG);
	model_close(writer);
	assert_int_equal(pst_verify(FILE_NAME, &summary, NULL), 0);
	assert_true(summary.accesses > 0);
	batch_fini(&batch);
	stream_close(stream);
}

static int
remove_files(void **state)
{
	(void)state;
	unlink(FILE_NAME);
	unlink(OTHER_NAME);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_packed),
		cmocka_unit_test(test_round_trip_columns),
		cmocka_unit_test(test_digest_ignores_threads),
		cmocka_unit_test(test_digest_ignores_host_counts),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_recover_skips_damage),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_max_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, remove_files);
}
