// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Record buffers by themselves, without a target: what goes from the end of a
 * full one into the next, and that nothing else of the thread's area changes.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "tracers/cache-engine.h"

#define ADDRESS UINT64_C(0x100000000000) /* of the area in the target */
#define STRIDE	((uint64_t)(BUFFER_BYTES + GUARD_BYTES))
#define FACTOR	UINT64_C(0x9e3779b97f4a7c15)

struct rig {
	struct cache_engine engine;
	struct cache_space space;
	struct cache_process process;
	struct cache_thread thread;
	uint8_t *view, *before;
};

static void
rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	assert_int_equal(queue_open(&rig->engine.queue), 0);
	rig->view = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rig->before = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(rig->view != MAP_FAILED && rig->before != MAP_FAILED);
	/* No two places alike, so that no copy goes unseen */
	for (uint64_t i = 0; i < AREA_BYTES / 8; i++)
		memcpy(rig->view + 8 * i, &(uint64_t){ i * FACTOR }, 8);
	rig->process.shared = &rig->space;
	rig->thread.engine = &rig->engine;
	rig->thread.process = &rig->process;
	rig->thread.view = rig->view;
	rig->thread.area_address = ADDRESS;
	records_begin(&rig->thread);
}

static void
rig_close(struct rig *rig)
{
	queue_close(rig->engine.queue);
	munmap(rig->view, AREA_BYTES);
	munmap(rig->before, AREA_BYTES);
}

/* Words of the one segment that was handed over */
static size_t
handed_over(struct rig *rig)
{
	const struct cache_segment *segment = queue_first(rig->engine.queue, 0);
	size_t n = segment ? segment->n_words : 0;

	assert_non_null(segment);
	queue_done(rig->engine.queue);
	return n;
}

/*
 * The cursor stands `behind` bytes behind the end of a buffer (before it, if
 * that is negative): the bytes up to the end are the beginning of the next one,
 * and all others are as they were.
 */
static void
check_end(struct rig *rig, int64_t behind)
{
	struct cache_thread *thread = &rig->thread;
	uint64_t start = thread->cursor, next;
	uint64_t end = start + records_bytes(thread->area);
	size_t copied = behind < 0 ? (size_t)-behind : 0;

	thread->cursor = end + (uint64_t)behind;
	for (size_t i = 0; i < copied; i++)
		rig->view[thread->cursor - ADDRESS + i] = (uint8_t)i;
	memcpy(rig->before, rig->view, AREA_BYTES);
	records_next(&rig->engine, thread);
	assert_int_equal(handed_over(rig),
			 ((int64_t)(end - start) + behind) / 8);
	next = thread->cursor - ADDRESS;
	assert_true(thread->cursor != start);
	assert_int_equal((next - GS_BUFFERS) % STRIDE, 0);
	assert_int_equal(thread->sent, thread->cursor);
	for (size_t i = 0; i < copied; i++)
		assert_int_equal(rig->view[next + i], (uint8_t)i);
	memcpy(rig->view + next, rig->before + next, copied);
	assert_memory_equal(rig->view, rig->before, AREA_BYTES);
}

/* The last words of such a record are those that expansion fills in: they lie
 * in the guard, and nothing wrote them. */
static void
test_a_record_that_ends_behind_its_buffer(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig);
	for (int64_t behind = 0; behind <= 64; behind += 8)
		check_end(&rig, behind);
	rig_close(&rig);
}

static void
test_a_record_that_the_end_cuts(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig);
	for (int64_t before = 8; before <= 4096; before *= 2)
		check_end(&rig, -before);
	rig_close(&rig);
}

static void
test_buffers_of_a_later_thread(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig);
	rig.thread.area = AREAS_LONG;
	records_begin(&rig.thread);
	check_end(&rig, -40);
	check_end(&rig, 16);
	check_end(&rig, 0);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_that_ends_behind_its_buffer),
		cmocka_unit_test(test_a_record_that_the_end_cuts),
		cmocka_unit_test(test_buffers_of_a_later_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
