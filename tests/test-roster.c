// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers of threads and spaces: stable, distinct, and told to the stream. */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tracers/roster.h"

struct fixture {
	struct stream *stream;
	struct roster *roster;
};

static int
setup(void **state)
{
	static struct fixture fixture;

	*state = &fixture;
	if (stream_open(&fixture.stream))
		return -1;
	return roster_open(&fixture.roster, fixture.stream);
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	roster_close(fixture->roster);
	stream_close(fixture->stream);
	return 0;
}

static void
test_threads_keep_their_number(void **state)
{
	struct fixture *f = *state;
	uint32_t number, again;

	for (pid_t tid = 1; tid <= 1000; tid++) {
		assert_int_equal(roster_thread(f->roster, tid / 3, tid,
					       &number),
				 0);
		assert_int_equal(number, tid - 1);
	}
	assert_int_equal(stream_threads(f->stream), 1000);
	for (pid_t tid = 1; tid <= 1000; tid++) {
		assert_int_equal(roster_thread(f->roster, tid / 3, tid, &again),
				 0);
		assert_int_equal(stream_thread(f->stream, again)->tid, tid);
		assert_int_equal(stream_thread(f->stream, again)->pid, tid / 3);
	}
	assert_int_equal(stream_threads(f->stream), 1000);
}

static void
test_spaces_follow_fork_exec_exit(void **state)
{
	struct fixture *f = *state;
	uint32_t first, child, shared, after, now, reused;

	assert_int_equal(roster_space(f->roster, 10, &first), 0);
	assert_int_equal(stream_space(f->stream, first)->parent, SPACE_NONE);
	assert_int_equal(roster_fork(f->roster, 10, 11, &child), 0);
	assert_int_not_equal(child, first);
	assert_int_equal(stream_space(f->stream, child)->parent, first);
	assert_int_equal(stream_space(f->stream, child)->image,
			 stream_space(f->stream, first)->image);
	assert_int_equal(roster_share(f->roster, 10, 12, &shared), 0);
	assert_int_equal(shared, first);

	assert_int_equal(roster_exec(f->roster, 12, &after), 0);
	assert_int_not_equal(after, first);
	assert_int_not_equal(stream_space(f->stream, after)->image,
			     stream_space(f->stream, first)->image);
	assert_int_equal(roster_space(f->roster, 10, &now), 0);
	assert_int_equal(now, first);
	assert_int_equal(roster_space(f->roster, 12, &now), 0);
	assert_int_equal(now, after);

	roster_exit(f->roster, 11);
	assert_int_equal(roster_space(f->roster, 11, &reused), 0);
	assert_int_not_equal(reused, child);
	assert_int_equal(stream_space(f->stream, reused)->parent, SPACE_NONE);
}

static void
test_ends_of_unknown_processes_are_ignored(void **state)
{
	struct fixture *f = *state;
	uint32_t number;

	roster_exit(f->roster, 77);
	for (pid_t pid = 1; pid <= 500; pid++) {
		assert_int_equal(roster_space(f->roster, pid, &number), 0);
		roster_exit(f->roster, pid);
	}
	assert_int_equal(stream_spaces(f->stream), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_threads_keep_their_number,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_spaces_follow_fork_exec_exit, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_ends_of_unknown_processes_are_ignored, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
