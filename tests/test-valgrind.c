// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The valgrind engine against lackey, the kernel and hand counts.  Started
 * with arguments it is a counter: test-valgrind [data|fetch] CMD...
 */
#include "tracers/tracer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tracers/roster.h"

/* As in valgrind-target.c */
#define AREA	   0x20000000u
#define AREA_PAGES 64u
#define MANY	   8u

struct counts {
	uint64_t kind[4], instructions, events[EVENT_TYPES], batches;
	uint64_t area[AREA_PAGES][4]; /* by page and kind */
	uint64_t stores[MANY][MANY];  /* in the area, by space and thread */
	uint64_t threads, spaces, checksum;
	uint64_t miscounted;  /* batches whose n was not what expanding gave */
	uint64_t unannounced; /* batches of a space before its fork or exec */
	uint64_t backwards;   /* batches of a thread earlier than the last */
	bool announced[MANY];
	uint64_t latest_ns[MANY];
	uint64_t exit_status; /* of the last process to end */
	int status;
	bool reaped;
	pid_t pid;
	size_t losses;	   /* entries of about.losses */
	char region[2000]; /* its events, one a line */
	uint64_t heap_bytes, unmapped_heap_bytes;
	uint64_t heap, stacks; /* heap: address */
};

extern const struct tracer_ops valgrind_tracer;
static int quick;

/* What a model that looks at each access at least does */
static void
count_columns(struct counts *counts, struct batch *batch,
	      const struct stream *stream)
{
	uint64_t sum = 0;

	if (quick < 2)
		batch_expand(batch, stream);
	else
		counts->instructions += batch->n_steps;
	for (uint32_t i = 0; i < batch->n && quick < 2; i++) {
		sum += batch->address[i];
		counts->kind[SITE_KIND(batch->site[i])]++;
	}
	counts->checksum += sum;
	counts->batches++;
}

static void
count_access(struct counts *counts, const struct batch *batch, uint32_t i,
	     const struct site *site)
{
	uint64_t page = (batch->address[i] - AREA) / 4096;

	counts->kind[site->kind]++;
	counts->instructions += site->instructions;
	if (batch->address[i] < AREA || page >= AREA_PAGES)
		return;
	counts->area[page][site->kind]++;
	if (site->kind == SITE_STORE)
		counts->stores[batch->space % MANY][batch->thread % MANY]++;
}

#define REGION	     0x30000000u
#define REGION_BYTES (64 * 4096u)

/* Addresses in pages from the region's start */
static void
region_event(struct counts *counts, const struct event *event,
	     const struct stream *stream)
{
	size_t n = strlen(counts->region);
	const char *path = event->file == UINT32_MAX
				   ? ""
				   : stream_file(stream, event->file)->path;

	snprintf(counts->region + n, sizeof(counts->region) - n,
		 "%d %llu+%llu %#x %llu %llu %s\n", event->type,
		 (unsigned long long)(event->address - REGION) / 4096,
		 (unsigned long long)event->length, event->flags,
		 (unsigned long long)event->offset,
		 (unsigned long long)(event->value > REGION
					      ? (event->value - REGION) / 4096
					      : event->value),
		 strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
}

static void
heap_event(struct counts *counts, const struct event *event)
{
	if (event->type == EVENT_MAP && (event->flags & MAP_FLAG_HEAP)) {
		counts->heap_bytes += event->length;
		counts->heap = event->address;
	}
	if (event->type == EVENT_UNMAP && counts->heap &&
	    event->address >= counts->heap &&
	    event->address < counts->heap + (1 << 20))
		counts->unmapped_heap_bytes += event->length;
	counts->stacks += event->type == EVENT_MAP &&
			  (event->flags & MAP_FLAG_STACK) != 0;
}

static bool show_events;

static void
show_event(const struct event *event, const struct stream *stream)
{
	fprintf(stderr,
		"%2d flags %#x %#llx + %#llx offset %#llx value %#llx extra "
		"%#llx %s %s\n",
		event->type, event->flags, (unsigned long long)event->address,
		(unsigned long long)event->length,
		(unsigned long long)event->offset,
		(unsigned long long)event->value,
		(unsigned long long)event->extra,
		event->file == UINT32_MAX
			? ""
			: stream_file(stream, event->file)->path,
		event->file == UINT32_MAX
			? ""
			: stream_file(stream, event->file)->build_id);
}

static void
count_event(struct counts *counts, const struct event *event)
{
	counts->events[event->type]++;
	if (event->type == EVENT_FORK || event->type == EVENT_EXEC)
		counts->announced[event->value % MANY] = true;
	if (event->type == EVENT_EXIT && event->flags)
		counts->exit_status = event->value;
}

static void
count_batch(struct counts *counts, struct batch *batch,
	    const struct stream *stream)
{
	uint32_t n = batch->n;

	counts->batches++;
	batch_expand(batch, stream);
	counts->miscounted += batch->n != n;
	counts->unannounced += batch->space && batch->space < MANY &&
			       !counts->announced[batch->space];
	counts->backwards +=
		batch->time_ns < counts->latest_ns[batch->thread % MANY];
	counts->latest_ns[batch->thread % MANY] = batch->time_ns;
	for (uint32_t i = 0; i < batch->n; i++)
		count_access(counts, batch, i,
			     stream_site(stream, SITE_INDEX(batch->site[i])));
	for (uint32_t i = 0; i < batch->n_events; i++)
		count_event(counts, &batch->event[i]);
	for (uint32_t i = 0; i < batch->n_events; i++) {
		heap_event(counts, &batch->event[i]);
		if (batch->event[i].address >= REGION &&
		    batch->event[i].address < REGION + REGION_BYTES)
			region_event(counts, &batch->event[i], stream);
	}
	for (uint32_t i = 0; show_events && i < batch->n_events; i++)
		show_event(&batch->event[i], stream);
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
		if (quick)
			count_columns(counts, &batch, stream);
		else
			count_batch(counts, &batch, stream);
		result = 0;
	}
	batch_fini(&batch);
	return result;
}

/* As lackey's programs see it */
static bool keep_environment;

static char **
argv_with(char **argv, const char *option)
{
	static char *longer[64];
	static char text[64];
	size_t n = 1;

	snprintf(text, sizeof(text), "%s", option);
	longer[0] = argv[0];
	longer[1] = text;
	for (; argv[n]; n++)
		longer[n + 1] = argv[n];
	longer[n + 1] = NULL;
	return longer;
}

static int
launch(struct tracer *tracer, char **argv, pid_t *pid)
{
	int go[2], error;
	char byte;

	error = tracer->tracing->command(tracer, &argv);
	if (error)
		return error;
	if (keep_environment)
		argv = argv_with(argv, "--clean=no");
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

/* Ask for the end of a recording after some batches; 0: never. */
static uint64_t detach_after;

static int
drain_and_detach(struct tracer *tracer, struct stream *stream,
		 struct counts *counts)
{
	struct batch batch;
	int result = batch_init(&batch);

	if (result)
		return result;
	while ((result = source_next(&tracer->source, &batch)) > 0) {
		count_batch(counts, &batch, stream);
		if (counts->batches == detach_after)
			tracer->tracing->detach(tracer);
	}
	batch_fini(&batch);
	return result;
}

static bool no_follow;

static int
record(unsigned kinds, char **argv, struct counts *counts)
{
	struct tracer_setup setup = { .kinds = kinds, .no_follow = no_follow };
	struct tracer *tracer = NULL;
	int error;

	*counts = (struct counts){ 0 };
	if (stream_open(&setup.stream))
		return -ENOMEM;
	error = roster_open(&setup.roster, setup.stream);
	if (!error)
		error = valgrind_tracer.open(&tracer, &setup);
	if (!error)
		error = launch(tracer, argv, &counts->pid);
	if (!error)
		error = detach_after
				? drain_and_detach(tracer, setup.stream, counts)
				: drain(tracer, setup.stream, counts);
	if (!error) {
		counts->reaped =
			tracer->tracing->status(tracer, &counts->status);
		counts->threads = stream_threads(setup.stream);
		counts->spaces = stream_spaces(setup.stream);
		counts->losses = json_array_size(
			json_object_get(stream_about(setup.stream), "losses"));
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
	struct rusage self, child;
	struct counts counts;

	while (strcmp(argv[1], "quick") == 0) {
		quick++;
		argv++, argc--;
	}
	if (strcmp(argv[1], "events") == 0) {
		show_events = true;
		argv++, argc--;
	}
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
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &child);
	fprintf(stderr, "user ms: consumer %ld producer %ld\n",
		self.ru_utime.tv_sec * 1000 + self.ru_utime.tv_usec / 1000,
		child.ru_utime.tv_sec * 1000 + child.ru_utime.tv_usec / 1000);
	fprintf(stderr, "batches %llu threads %llu spaces %llu status %#x\n",
		(unsigned long long)counts.batches,
		(unsigned long long)counts.threads,
		(unsigned long long)counts.spaces, (unsigned)counts.status);
	return 0;
}

static char directory[4096]; /* of the tool */

/* What lackey counts of a command, in our environment. */
static int
lackey(char **argv, struct counts *counts)
{
	char line[256], words[4096] = "", *shell = NULL;
	FILE *pipe;

	*counts = (struct counts){ 0 };
	for (size_t n = 0; *argv; argv++, n = strlen(words))
		snprintf(words + n, sizeof(words) - n, " '%s'", *argv);
	if (asprintf(&shell,
		     "exec env -i VALGRIND_LIB='%s' valgrind.bin -q "
		     "--command-line-only=yes --tool=lackey --trace-mem=yes "
		     "--fair-sched=yes --vgdb=no "
		     "--vex-iropt-register-updates=allregs-at-mem-access "
		     "--vex-guest-chase=no "
		     "--log-fd=9 %s 9>&1 >/dev/null",
		     directory, words) < 0)
		return -ENOMEM;
	pipe = popen(shell, "r");
	free(shell);
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

static char target[4096]; /* path of valgrind-target */

/* Record the target in this mode, with its usual end checked. */
static void
record_mode(const char *mode, unsigned kinds, struct counts *counts)
{
	char name[32], *argv[] = { target, name, target, NULL };

	snprintf(name, sizeof(name), "%s", mode);
	assert_int_equal(record(kinds, argv, counts), 0);
	assert_true(counts->reaped);
	assert_int_equal(counts->miscounted, 0);
	assert_int_equal(counts->unannounced, 0);
	assert_int_equal(counts->backwards, 0);
}

#define ALL (TRACER_DATA | TRACER_FETCH)

static void
assert_close(uint64_t ours, uint64_t theirs, unsigned per_million)
{
	uint64_t off = theirs * per_million / 1000000;

	assert_in_range(ours, theirs - off, theirs + off);
}

/* per_million: how much a program differs from itself, 0 for most */
static void
lackey_counts_the_same(char **argv, unsigned per_million)
{
	struct counts ours, theirs;
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY);

	assert_int_equal(lackey(argv, &theirs), 0);
	/* as under lackey */
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	keep_environment = true;
	assert_int_equal(record(ALL, argv, &ours), 0);
	keep_environment = false;
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(null);
	assert_true(ours.instructions > 10000);
	assert_int_equal(ours.miscounted, 0);
	assert_close(ours.instructions, theirs.instructions, per_million);
	for (int kind = SITE_LOAD; kind <= SITE_MODIFY; kind++)
		assert_close(ours.kind[kind], theirs.kind[kind], per_million);
}

/* Dynamic linking, and code that rewrites itself */
static void
lackey_counts_the_same_of_our_own(void **state)
{
	char jit[] = "jit", *argv[] = { target, jit, target, NULL };

	(void)state;
	lackey_counts_the_same(argv, 0);
}

#define WORDS_MAX 4

/* Those of them that are here, but at least one */
static void
lackey_counts_the_same_of_real_programs(void **state)
{
	static char words[][WORDS_MAX][300] = {
		{ "/bin/gzip", "-9", "-c", "/etc/passwd" },
		{ "/bin/sh", "-c",
		  "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; echo $i" },
		{ "/usr/bin/sqlite3", ":memory:",
		  "create table t (a, b); with recursive n(i) as (select 1 "
		  "union all select i + 1 from n where i < 90) insert into t "
		  "select i, i * 7 % 10 from n; select b, sum(a) from t group "
		  "by b;" },
		{ "/usr/bin/sort", "-n", "/etc/passwd" },
	};
	size_t tested = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char *argv[WORDS_MAX + 1] = { NULL };

		if (access(words[i][0], X_OK)) {
			print_message("no %s here\n", words[i][0]);
			continue;
		}
		for (size_t k = 0; k < WORDS_MAX && words[i][k][0]; k++)
			argv[k] = words[i][k];
		print_message("%s\n", argv[0]);
		/* sqlite draws random numbers */
		lackey_counts_the_same(argv,
				       strstr(argv[0], "sqlite") ? 200 : 0);
		tested++;
	}
	assert_true(tested > 0);
}

/* The loops of valgrind-bare without much data, in C: instructions and blocks */
static void
known_loops(uint64_t *instructions, uint64_t *blocks)
{
	uint64_t i = 1, b = 0; /* a movl belongs to the block behind it */
	int edx = 1001;

	for (int ebx = 1000; ebx; ebx--) {
		i += 2 + 1 + 3; /* to jz, call, to jnz */
		b += 3;
		if (ebx & 1)
			i += 2, b++;
		if ((ebx & 3) == 3)
			i++; /* in the block of the call */
	}
	i++;
	do {
		do {
			edx--;
			i += 3, b++;
			if (!(edx & 3))
				break;
			i += 2, b++;
		} while (edx > 500);
		i += 2, b++;
	} while (edx > 400);
	*instructions = i;
	*blocks = b;
}

/*
 * Counted by hand.  As for lackey, a locked instruction is a load and a
 * modify; a rep counts each round and the last look at %rcx.
 */
static void
known_program(void **state)
{
	char program[4200], *argv[] = { program, program, program, NULL };
	struct counts ours, theirs;
	uint64_t instructions, blocks;

	(void)state;
	strcpy(program, target);
	strcpy(strrchr(program, '/'), "/valgrind-bare");
	assert_int_equal(record(ALL, argv, &ours), 0);
	assert_int_equal(ours.status, 0);
	assert_int_equal(ours.kind[SITE_LOAD], 1000 * (5 + 5 + 2 + 1));
	assert_int_equal(ours.kind[SITE_STORE], 1000 * (5 + 5 + 1));
	assert_int_equal(ours.kind[SITE_MODIFY], 1000 * 3);
	known_loops(&instructions, &blocks);
	assert_int_equal(ours.instructions,
			 2 + 1000 * (14 + 6 + 5) + instructions + 3);
	/* to call, ret, to rep, 5 more of it, to je, to jnz; the last block */
	assert_int_equal(ours.kind[SITE_FETCH],
			 1000 * (3 + 5 + 2) + blocks + 1);
	assert_int_equal(lackey(argv, &theirs), 0);
	assert_int_equal(ours.instructions, theirs.instructions);
	for (int kind = SITE_LOAD; kind <= SITE_MODIFY; kind++)
		assert_int_equal(ours.kind[kind], theirs.kind[kind]);
}

static void
plain_counts(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("plain", ALL, &counts);
	assert_int_equal(counts.status, 7 << 8);
	assert_int_equal(counts.exit_status, 7 << 8);
	assert_int_equal(counts.area[0][SITE_STORE], 1000);
	assert_int_equal(counts.area[0][SITE_LOAD], 500);
	assert_int_equal(counts.area[0][SITE_MODIFY], 30);
}

static void
data_alone(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("plain", TRACER_DATA, &counts);
	assert_int_equal(counts.area[0][SITE_STORE], 1000);
	assert_int_equal(counts.area[0][SITE_MODIFY], 30);
	assert_int_equal(counts.kind[SITE_FETCH], 0);
	assert_int_equal(counts.instructions, 0);
}

static void
fetch_alone(void **state)
{
	struct counts all, counts;

	(void)state;
	record_mode("plain", ALL, &all);
	record_mode("plain", TRACER_FETCH, &counts);
	assert_int_equal(counts.kind[SITE_FETCH], all.kind[SITE_FETCH]);
	assert_int_equal(counts.instructions, all.instructions);
	assert_int_equal(counts.kind[SITE_LOAD], 0);
	assert_int_equal(counts.kind[SITE_STORE], 0);
}

static void
fork_and_exec(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("forks", ALL, &counts);
	assert_int_equal(counts.status, 7 << 8);
	assert_int_equal(counts.spaces, 3);
	assert_int_equal(counts.threads, 2);
	assert_int_equal(counts.events[EVENT_FORK], 1);
	assert_int_equal(counts.events[EVENT_EXEC], 1);
	assert_int_equal(counts.stores[0][0], 10 + 40 + 5);
	assert_int_equal(counts.stores[1][1], 20);
	assert_int_equal(counts.stores[2][1], 1000);
}

static void
first_process_alone(void **state)
{
	struct counts counts;

	(void)state;
	no_follow = true;
	record_mode("forks", ALL, &counts);
	no_follow = false;
	assert_int_equal(counts.status, 7 << 8);
	assert_int_equal(counts.spaces, 1);
	assert_int_equal(counts.stores[0][0], 10 + 40 + 5);
}

/* Valgrind's environment and its way to exec do not show. */
static void
nothing_to_be_seen(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("seen", TRACER_DATA, &counts);
	assert_int_equal(counts.status, 42 << 8);
	assert_int_equal(counts.events[EVENT_EXEC], 1);
}

static void
threads_apart(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("threads", ALL, &counts);
	assert_int_equal(counts.status, 0);
	assert_int_equal(counts.events[EVENT_THREAD], 4);
	assert_int_equal(counts.threads, 5);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(counts.stores[0][i], 10000);
		assert_int_equal(counts.area[i][SITE_STORE], 10000);
	}
}

/* Each store is made by code that replaced other code at that place. */
static void
rewritten_code(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("jit", ALL, &counts);
	assert_int_equal(counts.status, 0);
	assert_int_equal(counts.area[0][SITE_STORE], 100);
	assert_int_equal(counts.area[0][SITE_LOAD], 100);
}

/* 20 superblocks are left in the middle, and entered again there. */
static void
faults_inside(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("faults", ALL, &counts);
	assert_int_equal(counts.status, 0);
	assert_int_equal(counts.events[EVENT_SIGNAL], 20);
	assert_int_equal(counts.area[0][SITE_STORE], 20);
	assert_int_equal(counts.area[1][SITE_STORE], 2 * 20);
	for (unsigned page = 2; page < 22; page++)
		assert_int_equal(counts.area[page][SITE_STORE], 1);
	record_mode("faults", TRACER_DATA, &counts);
	assert_int_equal(counts.area[1][SITE_STORE], 2 * 20);
}

/* SIGKILL leaves no time to commit: the pages of the ring tell. */
static void
killed_target(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("killed", ALL, &counts);
	assert_int_equal(counts.status, SIGKILL);
	assert_int_equal(counts.exit_status, SIGKILL);
	assert_int_equal(counts.area[1][SITE_STORE], 100000);
	record_mode("aborted", ALL, &counts);
	assert_int_equal(counts.status, SIGTERM);
	assert_int_equal(counts.area[1][SITE_STORE], 10);
	record_mode("crash", ALL, &counts);
	assert_int_equal(counts.status, SIGSEGV);
	assert_int_equal(counts.exit_status, SIGSEGV);
	assert_int_equal(counts.area[1][SITE_STORE], 3);
}

/* A target that never ends is let go, and runs on. */
static void
detached_target(void **state)
{
	char name[] = "forever", *argv[] = { target, name, target, NULL };
	struct counts counts;
	int status;

	(void)state;
	detach_after = 50;
	assert_int_equal(record(ALL, argv, &counts), 0);
	detach_after = 0;
	assert_false(counts.reaped);
	assert_true(counts.batches >= 50);
	assert_true(counts.area[1][SITE_STORE] > 0);
	/* stores go on, page by page: nothing is missing before the end */
	usleep(100000);
	assert_int_equal(waitpid(counts.pid, &status, WNOHANG), 0);
	kill(counts.pid, SIGTERM);
	assert_int_equal(waitpid(counts.pid, &status, 0), counts.pid);
	assert_int_equal(status, SIGTERM);
}

/* What the recorder leaves behind when it is killed: a target that ends well */
static void
killed_recorder(void **state)
{
	int status, go[2];
	char byte;
	pid_t pid = 0;

	(void)state;
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		char name[] = "long", *argv[] = { target, name, target, NULL };
		struct counts counts;

		dup2(go[1], 1);
		detach_after = UINT64_MAX;
		record(ALL, argv, &counts);
		_exit(0);
	}
	close(go[1]);
	assert_int_equal(read(go[0], &byte, 1), 1); /* it has begun */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(read(go[0], &byte, 1), 1); /* and it has ended */
	assert_int_equal(byte, 'e');
	close(go[0]);
}

/* Type (enum event_type), pages and bytes, flags, offset, value, file */
static const char region_expected[] = "0 0+65536 0x3 0 0 \n"
				      "0 4+8192 0x19 4096 0 valgrind-target\n"
				      "1 8+8192 0 0 0 \n"
				      "2 0+4096 0x5 0 0 \n"
				      "3 12+16384 0 0 32 \n"
				      "4 1+4096 0 0 4 \n" /* MADV_DONTNEED */
				      "5 1+8192 0 0 0 \n"
				      "5 1+8192 0x1 0 0 \n"
				      "14 1+64 0 0 0 \n"
				      "13 1+32 0 0 0 \n";

static void
mappings(void **state)
{
	struct counts counts;

	(void)state;
	record_mode("maps", TRACER_DATA, &counts);
	assert_int_equal(counts.status, 0);
	assert_string_equal(counts.region, region_expected);
	assert_int_equal(counts.stacks, 1);
	assert_true(counts.heap_bytes >= 3 * 4096);
	assert_int_equal(counts.unmapped_heap_bytes, 3 * 4096);
}

static void
write_file(const char *path, const void *bytes, size_t n, mode_t mode)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

/* Copy of the target with the set-user-ID bit, in the working directory. */
static void
write_privileged(const char *path)
{
	static char bytes[1 << 20];
	FILE *file = fopen(target, "rb");
	size_t n;

	assert_non_null(file);
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	write_file(path, bytes, n, 04755);
}

/* Neither set-user-ID nor 32-bit programs are started; exec'd by a program
 * they run as ever, and the recording says so. */
static void
programs_that_cannot_be(void **state)
{
	/* ELF, 32 bits, little-endian, EM_386 */
	const unsigned char old[64] = { 0x7f, 'E', 'L',	     'F',     1,
					1,    1,   [16] = 2, [18] = 3 };
	char privileged[] = "./valgrind-privileged.tmp", mode[] = "plain";
	char foreign[] = "./valgrind-foreign.tmp", outer[] = "privileged";
	char missing[] = "./valgrind-missing.tmp";
	char *argv[] = { privileged, mode, target, NULL };
	struct counts counts;

	(void)state;
	write_privileged(privileged);
	write_file(foreign, old, sizeof(old), 0755);
	assert_int_equal(record(ALL, argv, &counts), -EPERM);
	argv[0] = foreign;
	assert_int_equal(record(ALL, argv, &counts), -ENOEXEC);
	argv[0] = missing;
	assert_int_equal(record(ALL, argv, &counts), -ENOENT);
	argv[0] = target;
	argv[1] = outer;
	argv[2] = privileged;
	assert_int_equal(record(ALL, argv, &counts), 0);
	assert_int_equal(counts.status, 95 << 8); /* the target's, no mode */
	assert_int_equal(counts.area[1][SITE_STORE], 10);
	assert_int_equal(counts.losses, 1);
	unlink(privileged);
	unlink(foreign);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lackey_counts_the_same_of_our_own),
		cmocka_unit_test(lackey_counts_the_same_of_real_programs),
		cmocka_unit_test(known_program),
		cmocka_unit_test(plain_counts),
		cmocka_unit_test(data_alone),
		cmocka_unit_test(fetch_alone),
		cmocka_unit_test(fork_and_exec),
		cmocka_unit_test(first_process_alone),
		cmocka_unit_test(nothing_to_be_seen),
		cmocka_unit_test(threads_apart),
		cmocka_unit_test(rewritten_code),
		cmocka_unit_test(faults_inside),
		cmocka_unit_test(mappings),
		cmocka_unit_test(killed_target),
		cmocka_unit_test(detached_target),
		cmocka_unit_test(killed_recorder),
		cmocka_unit_test(programs_that_cannot_be),
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
	strcpy(strrchr(self, '/'), "/valgrind-target");
	strcpy(target, self);
	strcpy(strrchr(self, '/'), "/../tracers/valgrind");
	if (!realpath(self, directory))
		return 99;
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	personality(ADDR_NO_RANDOMIZE); /* the same stack for both */
	clearenv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
