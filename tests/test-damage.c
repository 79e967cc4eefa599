// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A real recording of several processes and threads, in many blocks, cut at
 * every section and at 1,000 random places, and with 1,000 bits flipped: an
 * error or what was whole, never a crash, never wrong data taken for good.
 *
 * The judge is a digest of each batch of the undamaged trace: what is read of
 * a damaged one must be its first batches, or with `recover` some of them in
 * their order.
 */
#include "traces/pst.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
/* cmocka wants the four above */
#include <cmocka.h>

#include "traces/pst-format.h"

#define RECORDED "test-damage-recorded.pst"
#define WHOLE	 "test-damage.pst"
#define DAMAGED	 "test-damage-damaged.pst"
#define TIMES	 1000
#define KEPT_MAX 2000

static uint64_t digest[KEPT_MAX]; /* of each batch of the whole */
static size_t batches, sections;
static uint64_t accesses;
static uint8_t *file;
static size_t file_bytes;
static uint64_t random_state = 20260730;

static uint64_t
draw(void)
{
	uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* All that a receiver sees of a batch: numbers that the damaged trace may give
 * otherwise (of sites) by what they stand for. */
static uint64_t
batch_digest(const struct source *source, struct batch *batch)
{
	uint64_t hash;

	batch_expand(batch, source->stream);
	hash = batch->n;
	hash = XXH64(&batch->thread, sizeof(batch->thread), hash);
	hash = XXH64(&batch->space, sizeof(batch->space), hash);
	hash = XXH64(&batch->time_ns, sizeof(batch->time_ns), hash);
	hash = XXH64(batch->address, batch->n * sizeof(uint64_t), hash);
	for (uint32_t i = 0; i < batch->n; i++) {
		const struct site *site =
			stream_site(source->stream, SITE_INDEX(batch->site[i]));
		const uint64_t what[] = { site->pc, site->size, site->kind,
					  site->instructions, site->image };

		hash = XXH64(what, sizeof(what), hash);
	}
	for (uint32_t i = 0; i < batch->n_events; i++) {
		const struct event *event = &batch->event[i];
		const uint64_t what[] = { event->type,	   event->flags,
					  event->position, event->address,
					  event->length,   event->offset,
					  event->value,	   event->extra,
					  event->thread,   event->time_ns };

		hash = XXH64(what, sizeof(what), hash);
		if (event->file != UINT32_MAX) {
			const char *path =
				stream_file(source->stream, event->file)->path;

			hash = XXH64(path, strlen(path), hash);
		}
	}
	return hash;
}

/*
 * Read all that can be had.  Each batch must be the next one of the whole, or
 * (recovering) a later one.  Returns how many came; *got: the last status.
 */
static size_t
read_some(const char *path, bool recover, int *got)
{
	struct source *source;
	struct batch batch;
	size_t at = 0, n = 0;

	*got = pst_reader_open(&source, path, recover);
	if (*got)
		return 0;
	assert_int_equal(batch_init(&batch), 0);
	while ((*got = source_next(source, &batch)) > 0) {
		uint64_t is = batch_digest(source, &batch);

		while (recover && at < batches && digest[at] != is)
			at++;
		assert_true(at < batches);
		assert_int_equal(digest[at], is);
		at++;
		n++;
	}
	batch_fini(&batch);
	source_close(source);
	return n;
}

static void
store(size_t bytes)
{
	int fd = open(DAMAGED, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, bytes), bytes);
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

/* Cut to so many bytes: how many batches are left?  Never said to be whole. */
static size_t
cut(size_t bytes)
{
	struct pst_summary summary;
	size_t n, recovered;
	int got, recovering;

	store(bytes);
	n = read_some(DAMAGED, false, &got);
	recovered = read_some(DAMAGED, true, &recovering);
	assert_true(recovered >= n);
	if (!pst_verify(DAMAGED, &summary, NULL))
		assert_true(!summary.complete || bytes == file_bytes);
	return got ? 0 : n;
}

static void
test_cut_at_every_section(void **state)
{
	size_t last = 0, blocks = 0;
	int saved = quiet();

	(void)state;
	for (size_t at = 0; at + PST_FRAME_BYTES <= file_bytes;) {
		uint32_t magic = get_u32(file + at);
		size_t n;

		/* At it, a byte before and one behind */
		n = cut(at);
		assert_true(n >= last);
		blocks += n > last;
		last = n;
		if (at)
			assert_true(cut(at - 1) <= n);
		assert_int_equal(cut(at + 1), n);
		at += PST_FRAME_BYTES + get_u32(file + at + 4);
		if (magic == PST_FRAME_SECTION) {
			struct pst_section section;

			assert_true(
				pst_section_decode(&section,
						   file + at -
							   PST_SECTION_BYTES));
			at += section.stored_bytes;
		}
	}
	loud(saved);
	printf("%zu of %zu sections are blocks\n", blocks, sections);
	assert_true(blocks > 9);
	/* Before the index all is there. */
	assert_int_equal(last, batches);
}

static void
test_cut_anywhere(void **state)
{
	int saved = quiet();

	(void)state;
	for (unsigned i = 0; i < TIMES; i++)
		cut(draw() % file_bytes);
	loud(saved);
}

static void
test_flipped_bits(void **state)
{
	size_t noticed = 0, saved_batches = 0;
	int saved = quiet();

	(void)state;
	for (unsigned i = 0; i < TIMES; i++) {
		size_t at = draw() % file_bytes, n;
		uint8_t bit = (uint8_t)(1u << draw() % 8);
		struct pst_summary summary;
		int got, recovering;
		bool whole;

		file[at] ^= bit;
		store(file_bytes);
		file[at] ^= bit;
		n = read_some(DAMAGED, false, &got);
		noticed += got != 0;
		whole = !pst_verify(DAMAGED, &summary, NULL) &&
			summary.complete;
		/* All of it, where only the index is hit; or a section seems
		 * longer than the file, which is told as of one that was cut */
		if (!got && n != batches)
			assert_true(n < batches && !whole);
		saved_batches += read_some(DAMAGED, true, &recovering);
		/* Verify notices each one, or finds that nothing is lost. */
		if (whole)
			assert_int_equal(summary.accesses, accesses);
	}
	loud(saved);
	printf("%zu of %d noticed by reading; recovering gave %.1f %%\n",
	       noticed, TIMES,
	       100.0 * (double)saved_batches / (double)batches / TIMES);
	assert_true(noticed > TIMES * 9 / 10);
	/* Not all behind it is lost, unless it is a dictionary. */
	assert_true(saved_batches > batches * TIMES / 4);
}

/* What was read, to be written when all of it is: a writer adds to the stream,
 * and so does a reader. */
static struct batch kept[KEPT_MAX];

static int
keep(struct source *source)
{
	int n = 0, got = 1;

	while (got > 0 && n < KEPT_MAX) {
		if (batch_init(&kept[n]))
			return -1;
		got = source_next(source, &kept[n]);
		n += got > 0;
	}
	return got ? -1 : n;
}

/* The recording again in small blocks */
static int
split(void)
{
	struct pst_writer_options options = { .block_steps = 500 };
	struct source *source;
	struct model *writer;
	int n, error = 0;

	if (pst_reader_open(&source, RECORDED, false))
		return -1;
	n = keep(source);
	if (n < 0 || pst_writer_open(&writer, WHOLE, &options, source->stream))
		return -1;
	for (int i = 0; i <= n && i < KEPT_MAX; i++) {
		if (i < n && !error)
			error = writer->methods->feed(writer, &kept[i]);
		batch_fini(&kept[i]);
	}
	if (!error)
		error = writer->methods->finish(writer, NULL);
	model_close(writer);
	source_close(source);
	return error;
}

static int
learn(void)
{
	struct source *source;
	struct batch batch;
	struct pst_summary summary;
	int got;

	if (pst_reader_open(&source, WHOLE, false) || batch_init(&batch))
		return -1;
	while ((got = source_next(source, &batch)) > 0) {
		if (batches == KEPT_MAX)
			return -1;
		digest[batches++] = batch_digest(source, &batch);
		accesses += batch.n;
	}
	pst_reader_summary(source, &summary);
	sections = summary.blocks;
	printf("%llu accesses of %u threads in %u spaces, %zu batches, %zu "
	       "blocks\n",
	       (unsigned long long)accesses, stream_threads(source->stream),
	       stream_spaces(source->stream), batches, sections);
	got = got || stream_spaces(source->stream) < 4 ||
	      stream_threads(source->stream) < 5;
	batch_fini(&batch);
	source_close(source);
	return got;
}

static int
load(void)
{
	FILE *from = fopen(WHOLE, "rb");
	size_t got;

	if (!from)
		return -1;
	fseek(from, 0, SEEK_END);
	file_bytes = (size_t)ftell(from);
	rewind(from);
	file = malloc(file_bytes);
	got = file ? fread(file, 1, file_bytes, from) : 0;
	return fclose(from) || got != file_bytes;
}

static int
set_up(void **state)
{
	(void)state;
	return split() || learn() || load();
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(RECORDED);
	unlink(WHOLE);
	unlink(DAMAGED);
	free(file);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_section),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_flipped_bits),
	};
	const char *program = getenv("PAGESCOPE");
	char command[8192];

	snprintf(command, sizeof(command),
		 "%s record -o " RECORDED
		 " -- tests/step-target processes >/dev/null",
		 program ? program : "./pagescope");
	if (WEXITSTATUS(system(command)) != 13) {
		printf("skipped: record does not work here\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
