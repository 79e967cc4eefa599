// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The valgrind engine against lackey, the kernel and hand counts.  Started
 * with arguments it is a counter: test-valgrind [data|fetch] CMD...
 */
#include "tracers/tracer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tracers/roster.h"

struct counts {
	uint64_t kind[4], instructions, events[EVENT_TYPES], batches;
	uint64_t threads, spaces, checksum;
	uint64_t miscounted; /* batches whose n was not what expanding gave */
	int status;
	bool reaped;
};

extern const struct tracer_ops valgrind_tracer;

static void
count_batch(struct counts *counts, struct batch *batch,
	    const struct stream *stream)
{
	uint32_t n = batch->n;

	counts->batches++;
	batch_expand(batch, stream);
	counts->miscounted += batch->n != n;
	for (uint32_t i = 0; i < batch->n; i++) {
		const struct site *site =
			stream_site(stream, SITE_INDEX(batch->site[i]));

		counts->kind[site->kind]++;
		counts->instructions += site->instructions;
		counts->checksum = counts->checksum * 31 + batch->address[i];
	}
	for (uint32_t i = 0; i < batch->n_events; i++)
		counts->events[batch->event[i].type]++;
}

static int
drain(struct tracer *tracer, struct stream *stream, struct counts *counts)
{
	struct batch batch;
	int result = batch_init(&batch);

	while (!result) {
		result = source_next(&tracer->source, &batch);
		if (result <= 0)
			break;
		count_batch(counts, &batch, stream);
		result = 0;
	}
	batch_fini(&batch);
	return result;
}

static int
launch(struct tracer *tracer, char **argv, pid_t *pid)
{
	int go[2], error;
	char byte;

	error = tracer->tracing->command(tracer, &argv);
	if (error)
		return error;
	if (pipe(go))
		return -errno;
	*pid = fork();
	if (*pid == 0) {
		close(go[1]);
		if (tracer->tracing->in_child(tracer) ||
		    read(go[0], &byte, 1) != 0)
			_exit(126);
		close(go[0]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(go[0]);
	error = tracer->tracing->attach(tracer, *pid);
	close(go[1]);
	return error;
}

static int
record(unsigned kinds, char **argv, struct counts *counts)
{
	struct tracer_setup setup = { .kinds = kinds };
	struct tracer *tracer = NULL;
	pid_t pid;
	int error;

	*counts = (struct counts){ 0 };
	if (stream_open(&setup.stream))
		return -ENOMEM;
	error = roster_open(&setup.roster, setup.stream);
	if (!error)
		error = valgrind_tracer.open(&tracer, &setup);
	if (!error)
		error = launch(tracer, argv, &pid);
	if (!error)
		error = drain(tracer, setup.stream, counts);
	if (!error) {
		counts->reaped =
			tracer->tracing->status(tracer, &counts->status);
		counts->threads = stream_threads(setup.stream);
		counts->spaces = stream_spaces(setup.stream);
	}
	if (tracer)
		source_close(&tracer->source);
	roster_close(setup.roster);
	stream_close(setup.stream);
	return error;
}

static int
count_command(int argc, char **argv)
{
	unsigned kinds = TRACER_DATA | TRACER_FETCH;
	struct counts counts;

	if (strcmp(argv[1], "data") == 0 || strcmp(argv[1], "fetch") == 0) {
		kinds = argv[1][0] == 'd' ? TRACER_DATA : TRACER_FETCH;
		argv++, argc--;
	}
	if (argc < 2 || record(kinds, argv + 1, &counts))
		return 125;
	fprintf(stderr, "I %llu\nL %llu\nS %llu\nM %llu\nfetch %llu\n",
		(unsigned long long)counts.instructions,
		(unsigned long long)counts.kind[SITE_LOAD],
		(unsigned long long)counts.kind[SITE_STORE],
		(unsigned long long)counts.kind[SITE_MODIFY],
		(unsigned long long)counts.kind[SITE_FETCH]);
	for (int i = 0; i < EVENT_TYPES; i++)
		fprintf(stderr, "event %d %llu\n", i,
			(unsigned long long)counts.events[i]);
	fprintf(stderr, "batches %llu threads %llu spaces %llu status %#x\n",
		(unsigned long long)counts.batches,
		(unsigned long long)counts.threads,
		(unsigned long long)counts.spaces, (unsigned)counts.status);
	return 0;
}

static char directory[4096]; /* of the tool */

/* What lackey counts of a command, in our environment. */
static int
lackey(const char *command, struct counts *counts)
{
	char line[256], shell[8192];
	FILE *pipe;

	*counts = (struct counts){ 0 };
	snprintf(shell, sizeof(shell),
		 "exec env -i VALGRIND_LIB='%s' valgrind.bin -q "
		 "--command-line-only=yes --tool=lackey --trace-mem=yes "
		 "--fair-sched=yes --vgdb=no --log-fd=9 %s 9>&1 >/dev/null",
		 directory, command);
	pipe = popen(shell, "r");
	if (!pipe)
		return -errno;
	while (fgets(line, sizeof(line), pipe)) {
		counts->instructions += line[0] == 'I' && line[1] == ' ';
		counts->kind[SITE_LOAD] += line[0] == ' ' && line[1] == 'L';
		counts->kind[SITE_STORE] += line[0] == ' ' && line[1] == 'S';
		counts->kind[SITE_MODIFY] += line[0] == ' ' && line[1] == 'M';
	}
	return pclose(pipe);
}

static void
lackey_counts_the_same(void **state)
{
	char program[] = "/bin/true";
	char *argv[] = { program, NULL };
	struct counts ours, theirs;

	(void)state;
	assert_int_equal(lackey("/bin/true", &theirs), 0);
	assert_int_equal(record(TRACER_DATA | TRACER_FETCH, argv, &ours), 0);
	assert_true(ours.reaped && ours.status == 0);
	assert_true(ours.instructions > 10000);
	assert_int_equal(ours.miscounted, 0);
	assert_int_equal(ours.instructions, theirs.instructions);
	for (int kind = SITE_LOAD; kind <= SITE_MODIFY; kind++)
		assert_int_equal(ours.kind[kind], theirs.kind[kind]);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lackey_counts_the_same),
	};
	char why[512], self[4096] = "";

	if (argc > 1)
		return count_command(argc, argv);
	if (valgrind_tracer.probe(why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return 77;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 32) < 0)
		return 99;
	strcpy(strrchr(self, '/'), "/../tracers/valgrind");
	if (!realpath(self, directory))
		return 99;
	personality(ADDR_NO_RANDOMIZE); /* the same stack for both */
	clearenv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
