// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that is attached to and left with the cache engine: it computes
 * what it computes (tests/attach-target.c checks itself), and afterwards
 * nothing in it, as /proc and ptrace show it, is other than before.
 *
 * CYCLES=2000 in the environment visits the working process so often (100).
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tracers/cache-engine.h"
#include "tracers/roster.h"
#include "tracers/tracer.h"

#define TEXT_BYTES (4u << 20)
#define OK	   7

static char directory[4096];
static const struct tracer_ops *cache_ops;

struct guest {
	pid_t pid;
	int input; /* ends it when closed */
};

static void
guest_begin(struct guest *guest, const char *mode, const char *n)
{
	char path[8192], ready;
	int in[2], out[2];

	snprintf(path, sizeof(path), "%s/attach-target", directory);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	guest->pid = fork();
	if (!guest->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(path, path, mode, n, (char *)NULL);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	guest->input = in[1];
	assert_int_equal(read(out[0], &ready, 1), 1);
	close(out[0]);
}

/* Its own verdict */
static void
guest_end(struct guest *guest)
{
	int status;

	close(guest->input);
	assert_int_equal(waitpid(guest->pid, &status, 0), guest->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), OK);
}

struct visit {
	unsigned ms;
	bool no_follow, may_fail;
	uint64_t accesses; /* seen */
	uint64_t attach_ns, unmap_ns, detach_ns;
	int error;
};

/* Sets the flag when the visit's time is over */
struct clock {
	unsigned ms;
	volatile sig_atomic_t stop;
};

static void *
run_clock(void *argument)
{
	struct clock *clock = argument;

	usleep(1000 * clock->ms);
	clock->stop = 1;
	return NULL;
}

static int
watch(struct tracer *tracer, const struct clock *clock, uint64_t *accesses)
{
	struct batch batch;
	bool left = false;
	int got = batch_init(&batch);

	while (!got) {
		if (clock->stop && !left) {
			left = true;
			tracer->tracing->detach(tracer);
		}
		got = source_next(&tracer->source, &batch);
		if (!got)
			break;
		*accesses += got > 0 ? batch.n : 0;
		got = got == -EINTR || got > 0 ? 0 : got;
	}
	batch_fini(&batch);
	return got;
}

/* The visit failed: maybe because an earlier one had done harm */
static void
say_how_it_ended(pid_t pid, int error)
{
	int status = 0;

	if (waitpid(pid, &status, WNOHANG) != pid)
		fail_msg("the visit failed (%s), the process lives",
			 strerror(-error));
	fail_msg("the visit failed (%s): the process had ended, %s %d",
		 strerror(-error),
		 WIFEXITED(status) ? "with status" : "by signal",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* Join a process for some milliseconds and leave it */
static void
visit(pid_t pid, struct visit *visit)
{
	struct clock clock = { .ms = visit->ms };
	struct tracer_setup setup = { .kinds = TRACER_DATA | TRACER_FETCH,
				      .no_follow = visit->no_follow,
				      .stop = &clock.stop,
				      .pid = pid };
	const struct cache_engine *engine;
	struct stream *stream;
	struct tracer *tracer;
	pthread_t thread;

	assert_int_equal(stream_open(&stream), 0);
	setup.stream = stream;
	assert_int_equal(roster_open(&setup.roster, stream), 0);
	assert_int_equal(cache_ops->open(&tracer, &setup), 0);
	pthread_create(&thread, NULL, run_clock, &clock);
	visit->error = tracer->tracing->attach(tracer, pid);
	if (!visit->error)
		visit->error = watch(tracer, &clock, &visit->accesses);
	pthread_join(thread, NULL);
	if (visit->error && !visit->may_fail)
		say_how_it_ended(pid, visit->error);
	engine = (const struct cache_engine *)tracer;
	visit->attach_ns = engine->counts.attach_ns;
	visit->unmap_ns = engine->counts.unmap_ns;
	visit->detach_ns = engine->counts.detach_ns;
	source_close(&tracer->source);
	roster_close(setup.roster);
	stream_close(stream);
}

static uint64_t random_state = 20261130;

static unsigned
random_below(unsigned n)
{
	random_state = random_state * 6364136223846793005u + 1;
	return (unsigned)(random_state >> 33) % n;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static unsigned
cycles(unsigned otherwise)
{
	const char *text = getenv("CYCLES");

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void
say_times(const char *what, uint64_t *ns, unsigned n)
{
	qsort(ns, n, sizeof(*ns), by_value);
	printf("  %s: median %.1f ms, nine of ten %.1f, worst %.1f\n", what,
	       (double)ns[n / 2] / 1e6, (double)ns[n * 9 / 10] / 1e6,
	       (double)ns[n - 1] / 1e6);
}

static void
visit_often(const char *mode, const char *n, unsigned times)
{
	uint64_t *ns = calloc(times, 3 * sizeof(*ns));
	uint64_t accesses = 0;
	struct guest guest;

	guest_begin(&guest, mode, n);
	for (unsigned i = 0; i < times; i++) {
		struct visit one = { .ms = i ? random_below(30) : 1500,
				     .no_follow = i % 2 };

		visit(guest.pid, &one);
		ns[i] = one.attach_ns;
		ns[times + i] = one.unmap_ns;
		ns[2 * times + i] = one.detach_ns;
		accesses += one.accesses;
		usleep(random_below(5000));
	}
	guest_end(&guest);
	printf("%s %s: %u visits, %.1f M accesses\n", mode, n, times,
	       (double)accesses / 1e6);
	say_times("attach", ns, times);
	say_times("out of the cache", ns + times, times);
	say_times("detach", ns + 2 * times, times);
	assert_true(accesses > 0);
	free(ns);
}

static void
test_a_working_process_never_errs(void **state)
{
	(void)state;
	visit_often("work", "16", cycles(100));
}

static void
test_many_threads(void **state)
{
	(void)state;
	visit_often("work", "64", cycles(100) / 20 + 1);
}

static void
test_threads_that_begin_and_end_meanwhile(void **state)
{
	(void)state;
	visit_often("breed", "6", cycles(100) / 4 + 1);
}

static void
test_children_meanwhile(void **state)
{
	(void)state;
	visit_often("forks", "3", cycles(100) / 8 + 1);
}

/* What /proc and ptrace tell */
struct picture {
	char *text;
	size_t n;
};

static void
add(struct picture *picture, const void *what, size_t n)
{
	assert_true(picture->n + n < TEXT_BYTES);
	memcpy(picture->text + picture->n, what, n);
	picture->n += n;
	picture->text[picture->n] = '\0';
}

/* Lines that begin with one of these; all, if there are none */
static void
add_file(struct picture *picture, const char *path, const char *const *lines)
{
	char line[4096];
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		bool wanted = !lines;

		for (size_t i = 0; lines && lines[i]; i++)
			wanted |= !strncmp(line, lines[i], strlen(lines[i]));
		if (wanted)
			add(picture, line, strlen(line));
	}
	fclose(file);
}

static void
add_registers(struct picture *picture, pid_t tid)
{
	struct user_regs_struct registers = { 0 };
	static uint8_t extended[16384];
	struct iovec to = { extended, sizeof(extended) };
	char line[256];
	uint64_t sum = 0;
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, tid, NULL, NULL), 0);
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	assert_int_equal(ptrace(PTRACE_GETREGS, tid, NULL, &registers), 0);
	assert_int_equal(ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &to), 0);
	for (size_t i = 0; i < to.iov_len; i++)
		sum = sum * 31 + extended[i];
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	/* Restarted calls count differently, and only in rax and orig_rax */
	registers.rax = registers.orig_rax = 0;
	for (size_t i = 0; i < sizeof(registers) / 8; i++) {
		snprintf(line, sizeof(line), "%llx ",
			 ((unsigned long long int *)&registers)[i]);
		add(picture, line, strlen(line));
	}
	snprintf(line, sizeof(line), "\nxstate %llx, %zu bytes\n",
		 (unsigned long long)sum, to.iov_len);
	add(picture, line, strlen(line));
}

static void
add_threads(struct picture *picture, pid_t pid)
{
	static const char *const lines[] = { "State",  "TracerPid", "SigPnd",
					     "ShdPnd", "SigBlk",    "SigIgn",
					     "SigCgt", "Threads",   NULL };
	struct dirent **entry;
	char path[1024];
	int n;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	n = scandir(path, &entry, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		pid_t tid = (pid_t)strtol(entry[i]->d_name, NULL, 10);

		if (tid > 0) {
			snprintf(path, sizeof(path), "/proc/%d/task/%d/status",
				 (int)pid, (int)tid);
			add_file(picture, path, lines);
			add_registers(picture, tid);
		}
		free(entry[i]);
	}
	free(entry);
}

static void
add_descriptors(struct picture *picture, pid_t pid)
{
	char path[1024], link[4096];

	for (int i = 0; i < 256; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, i);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0)
			add(picture, link, (size_t)n);
	}
}

static void
picture_take(struct picture *picture, pid_t pid)
{
	static const char *const flags[] = { "VmFlags", NULL };
	char path[64];

	picture->n = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	add_file(picture, path, NULL);
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	add_file(picture, path, flags);
	add_descriptors(picture, pid);
	add_threads(picture, pid);
}

/* The first line that differs; the whole is long */
static void
say_difference(const char *a, const char *b)
{
	size_t start = 0, i = 0;

	for (; a[i] && a[i] == b[i]; i++)
		if (a[i] == '\n')
			start = i + 1;
	if (a[i] != b[i])
		printf("before: %.*s\nafter:  %.*s\n",
		       (int)strcspn(a + start, "\n"), a + start,
		       (int)strcspn(b + start, "\n"), b + start);
}

static void
test_nothing_is_left(void **state)
{
	struct picture before = { calloc(1, TEXT_BYTES), 0 };
	struct picture after = { calloc(1, TEXT_BYTES), 0 };
	struct visit one = { .ms = 100 };
	struct guest guest;

	(void)state;
	guest_begin(&guest, "parked", "12");
	usleep(20000);
	picture_take(&before, guest.pid);
	usleep(20000);
	for (int i = 0; i < 3; i++)
		visit(guest.pid, &one);
	usleep(50000);
	picture_take(&after, guest.pid);
	assert_true(before.n > 5000);
	say_difference(before.text, after.text);
	assert_string_equal(before.text, after.text);
	guest_end(&guest);
	free(before.text);
	free(after.text);
}

static char
state_of(pid_t pid)
{
	char line[256], letter = '?';
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "State: %c", &letter) == 1)
			break;
	if (file)
		fclose(file);
	return letter;
}

static void
await_state(pid_t pid, char letter)
{
	for (int i = 0; i < 500 && state_of(pid) != letter; i++)
		usleep(10000);
	assert_int_equal(state_of(pid), letter);
}

static void
test_a_stopped_process_stays_stopped(void **state)
{
	struct visit one = { .ms = 50 };
	struct guest guest;

	(void)state;
	guest_begin(&guest, "stopped", "8");
	for (int i = 0; i < 5; i++) {
		kill(guest.pid, SIGSTOP);
		await_state(guest.pid, 'T');
		visit(guest.pid, &one);
		await_state(guest.pid, 'T');
		kill(guest.pid, SIGCONT);
		usleep(10000);
	}
	guest_end(&guest);
}

struct later {
	pid_t pid;
	int input, signal;
	unsigned us;
};

static void *
do_later(void *argument)
{
	const struct later *later = argument;

	usleep(later->us);
	if (later->signal)
		kill(later->pid, later->signal);
	else
		close(later->input);
	return NULL;
}

/* At any time of a visit, by itself or by a signal */
static void
test_a_process_that_ends_meanwhile(void **state)
{
	(void)state;
	for (unsigned i = 0; i < cycles(100) / 4; i++) {
		struct visit one = { .ms = 20, .may_fail = true };
		struct guest guest;
		struct later later;
		pthread_t thread;
		int status;

		guest_begin(&guest, i % 2 ? "work" : "breed", "5");
		later = (struct later){ guest.pid, guest.input,
					i % 3 ? 0 : SIGKILL,
					random_below(40000) };
		pthread_create(&thread, NULL, do_later, &later);
		visit(guest.pid, &one);
		pthread_join(thread, NULL);
		assert_int_equal(waitpid(guest.pid, &status, 0), guest.pid);
		if (later.signal) {
			close(guest.input);
			assert_true(WIFSIGNALED(status) ||
				    WEXITSTATUS(status) == OK);
			continue;
		}
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), OK);
	}
}

/* A guardian that does not let go would keep it from ending: not for ever */
static bool
ends_soon(pid_t pid)
{
	int status;

	for (unsigned i = 0; i < 2000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return true;
		usleep(10000);
	}
	return false;
}

/* Somebody else's work: news of threads come late */
static void
begin_to_spin(pid_t *pid, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		for (;;)
			;
	}
}

static void
end_spinning(const pid_t *pid, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
}

/* Killed while its threads wait for each other to be let go: none is stopped
 * then, but each is again before it ends.  (Of those that had no processor in
 * between, twelve were left so, and the process could not end.) */
static void
test_a_process_that_is_killed_while_it_is_let_go(void **state)
{
	pid_t spinning[4];

	(void)state;
	begin_to_spin(spinning, ARRAY_SIZE(spinning));
	for (unsigned i = 0; i < cycles(100) / 8; i++) {
		struct visit one = { .ms = 20, .may_fail = true };
		struct guest guest;
		struct later later;
		pthread_t thread;

		guest_begin(&guest, i % 4 ? "work" : "breed", "16");
		later = (struct later){ guest.pid, guest.input, SIGKILL,
					20000 + random_below(20000) };
		pthread_create(&thread, NULL, do_later, &later);
		visit(guest.pid, &one);
		pthread_join(thread, NULL);
		close(guest.input);
		assert_true(ends_soon(guest.pid));
	}
	end_spinning(spinning, ARRAY_SIZE(spinning));
}

/* Stopped by a signal during the visit, and not gone on when we leave */
static void
test_a_process_that_is_stopped_meanwhile(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct visit one = { .ms = 60 };
		struct guest guest;
		struct later later;
		pthread_t thread;

		guest_begin(&guest, "stopped", "8");
		later = (struct later){ guest.pid, -1, SIGSTOP, 30000 };
		pthread_create(&thread, NULL, do_later, &later);
		visit(guest.pid, &one);
		pthread_join(thread, NULL);
		await_state(guest.pid, 'T');
		kill(guest.pid, SIGCONT);
		guest_end(&guest);
	}
}

static bool
find_engine(void)
{
	char why[512];

	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, "cache"))
			cache_ops = tracer_registry[i];
	if (cache_ops && !cache_ops->probe(why, sizeof(why)))
		return true;
	printf("skipped: %s\n", cache_ops ? why : "no such engine");
	return false;
}

/* test-cache-attach [PATTERN]: only the tests of such names */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_a_stopped_process_stays_stopped),
		cmocka_unit_test(test_a_process_that_is_stopped_meanwhile),
		cmocka_unit_test(test_a_process_that_ends_meanwhile),
		cmocka_unit_test(
			test_a_process_that_is_killed_while_it_is_let_go),
		cmocka_unit_test(test_threads_that_begin_and_end_meanwhile),
		cmocka_unit_test(test_children_meanwhile),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_a_working_process_never_errs),
	};
	ssize_t n =
		readlink("/proc/self/exe", directory, sizeof(directory) - 1);

	if (n < 0)
		return 99;
	directory[n] = '\0';
	*strrchr(directory, '/') = '\0';
	if (!find_engine())
		return 77;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
