// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reclaim inside a machine.  Its judges: published strings; the same policy
 * alone, fed by references.h, which must miss exactly as often as the machine
 * faults, for every policy there is; sums that must hold; hand-made files,
 * forks, locked pages.
 */
#include "models/machine.h"
#include "models/paging/references.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "models/memory/random.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

#define PAGE	UINT64_C(4096)
#define BASE	(UINT64_C(1) << 36)
#define RIGHTS	(MAP_FLAG_READ | MAP_FLAG_WRITE)
#define SPACES	4u
#define BATCHES 64u

/* A trace in memory, so that it can be fed twice. */
struct bench {
	struct stream *stream;
	struct batch batch[BATCHES];
	unsigned n;
	uint32_t site[4];
	struct machine_config config;
	struct model *machine;
	struct result *result;
};

static struct bench *
bench_open(const char *policy, unsigned pages)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char size[32];
	uint32_t number;

	assert_int_equal(stream_open(&bench->stream), 0);
	for (uint32_t i = 0; i < SPACES; i++) {
		struct thread thread = { 100 + i, 100 + i };
		struct space space = { 100 + i, 0, i ? 0 : SPACE_NONE };
		struct site site = { .pc = i, .size = 8, .kind = (uint8_t)i };

		stream_thread_add(bench->stream, &thread, &number);
		stream_space_add(bench->stream, &space, &number);
		stream_site_add(bench->stream, &site, &bench->site[i]);
	}
	assert_int_equal(batch_init(&bench->batch[0]), 0);
	bench->n = 1;
	assert_int_equal(option_init(&machine_options, &bench->config), 0);
	snprintf(size, sizeof(size), "%u", pages * 4096);
	assert_int_equal(option_set(&machine_options, &bench->config, "test",
				    "memory.size", size),
			 0);
	assert_int_equal(option_set(&machine_options, &bench->config, "test",
				    "reclaim.policy", policy),
			 0);
	return bench;
}

static void
set(struct bench *bench, const char *name, const char *value)
{
	assert_int_equal(option_set(&machine_options, &bench->config, "test",
				    name, value),
			 0);
}

static void
bench_close(struct bench *bench)
{
	model_close(bench->machine);
	result_close(bench->result);
	for (unsigned i = 0; i < bench->n; i++)
		batch_fini(&bench->batch[i]);
	option_fini(&machine_options, &bench->config);
	stream_close(bench->stream);
	free(bench);
}

static struct batch *
now(struct bench *bench)
{
	return &bench->batch[bench->n - 1];
}

/* From here on in that space. */
static void
run_in(struct bench *bench, uint32_t space)
{
	if (now(bench)->n || now(bench)->n_events) {
		assert_true(bench->n < BATCHES);
		assert_int_equal(batch_init(&bench->batch[bench->n]), 0);
		bench->n++;
	}
	now(bench)->space = now(bench)->thread = space;
	now(bench)->time_ns = bench->n * UINT64_C(1000000);
}

static void
access_page(struct bench *bench, uint64_t page, enum site_kind kind)
{
	if (now(bench)->n == BATCH_ACCESSES)
		run_in(bench, now(bench)->space);
	now(bench)->columned = true;
	batch_access(now(bench), BASE + page * PAGE + 16, bench->site[kind]);
}

/* "l0 s1": load of page 0, store to page 1 */
static void
touch(struct bench *bench, const char *string)
{
	static const char kinds[] = "lsmf";
	char kind;
	unsigned page;
	int n;

	while (sscanf(string, " %c%u%n", &kind, &page, &n) == 2) {
		string += n;
		access_page(bench, page,
			    (enum site_kind)(strchr(kinds, kind) - kinds));
	}
}

static struct event *
add(struct bench *bench, enum event_type type, unsigned page, unsigned pages)
{
	struct event *event = batch_event(now(bench), type);

	event->position = now(bench)->n;
	event->address = BASE + page * PAGE;
	event->length = pages * PAGE;
	return event;
}

static int
try_run(struct bench *bench)
{
	int error = machine_model.open(&bench->machine, &bench->config,
				       bench->stream);

	for (unsigned i = 0; !error && i < bench->n; i++)
		error = bench->machine->methods->feed(bench->machine,
						      &bench->batch[i]);
	if (!error)
		error = result_open(&bench->result);
	return error ? error
		     : bench->machine->methods->finish(bench->machine,
						       bench->result);
}

static void
run(struct bench *bench)
{
	assert_int_equal(try_run(bench), 0);
}

static uint64_t
value(struct bench *bench, const char *name)
{
	const json_t *values =
		json_object_get(result_json(bench->result), "values");
	const json_t *one =
		json_object_get(json_object_get(values, name), "value");

	if (!json_is_integer(one))
		fail_msg("no %s", name);
	return (uint64_t)json_integer_value(one);
}

static void
expect(struct bench *bench, const char *name, uint64_t expected)
{
	if (value(bench, name) != expected)
		fail_msg("%s is %ju, not %ju", name,
			 (uintmax_t)value(bench, name), (uintmax_t)expected);
}

static void
test_strings(void **state)
{
	static const char belady[] = "l1 l2 l3 l4 l1 l2 l5 l1 l2 l3 l4 l5";
	static const char textbook[] = "l7 l0 l1 l2 l0 l3 l0 l4 l2 l3 l0 l3 "
				       "l2 l1 l2 l0 l1 l7 l0 l1";
	static const struct {
		const char *policy, *string;
		unsigned pages, faults;
	} row[] = {
		{ "fifo", belady, 3, 9 },    { "fifo", belady, 4, 10 },
		{ "fifo", belady, 5, 5 },    { "lru", belady, 3, 10 },
		{ "lru", belady, 4, 8 },     { "clock", belady, 3, 9 },
		{ "fifo", textbook, 3, 15 }, { "lru", textbook, 3, 12 },
		{ "lru", textbook, 2, 17 },  { "clock", textbook, 3, 14 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bench *bench = bench_open(row[i].policy, row[i].pages);

		touch(bench, row[i].string);
		run(bench);
		assert_int_equal(value(bench, "fault.minor") +
					 value(bench, "fault.major"),
				 row[i].faults);
		expect(bench, "reclaim.misses", row[i].faults);
		bench_close(bench);
	}
}

struct alone {
	struct reclaim *policy;
};

static int
alone_feed(void *context, const struct reclaim_batch *batch)
{
	struct alone *alone = context;

	return alone->policy->ops->feed(alone->policy, batch);
}

static int
alone_drop(void *context, uint32_t page)
{
	struct alone *alone = context;

	alone->policy->ops->drop(alone->policy, page);
	return 0;
}

/* What the policy alone misses of the same trace. */
static uint64_t
misses_alone(const struct bench *bench, unsigned pages)
{
	const struct references_config how = { 12, true };
	struct references *references;
	struct alone alone;
	const struct references_sink sink = { &alone, alone_feed, alone_drop };
	struct reclaim_config config = bench->config.reclaim.own;
	uint64_t misses;

	config.policy = reclaim_find(bench->config.reclaim.policy);
	config.capacity = pages;
	config.seed = (uint64_t)bench->config.seed;
	assert_int_equal(reclaim_open(&alone.policy, &config), 0);
	assert_int_equal(references_open(&references, &how, bench->stream), 0);
	for (unsigned i = 0; i < bench->n; i++)
		assert_int_equal(references_feed(references, &bench->batch[i],
						 &sink),
				 0);
	misses = alone.policy->counts.misses;
	references_close(references);
	reclaim_close(alone.policy);
	return misses;
}

/*
 * Loops, hot pages, noise; some pages only written, some only read, so that a
 * run's reference is a write or not from its start.  mapped: in mappings that
 * are zapped and unmapped at times.
 */
static void
fill(struct bench *bench, uint64_t seed, bool mapped)
{
	uint64_t random = seed;
	uint64_t loop = 0;

	for (uint32_t space = 0; mapped && space < 3; space++) {
		run_in(bench, space);
		add(bench, EVENT_MAP, 0, 1024)->flags = RIGHTS;
	}
	for (unsigned i = 0; i < 40000; i++) {
		uint64_t draw = random_next(&random), page;

		if (draw % 1000 == 0 && bench->n < BATCHES - 8)
			run_in(bench, draw >> 20 & 1);
		if (mapped && draw % 997 == 0)
			add(bench, EVENT_ADVISE, draw >> 12 & 511,
			    draw >> 30 & 31)
				->value = MADV_DONTNEED;
		switch (draw >> 40 & 3) {
		case 0:
			page = loop++ % 90;
			break;
		case 1:
			page = 100 + (draw >> 44) % 16;
			break;
		default:
			page = 120 + (draw >> 44) % 300;
		}
		access_page(bench, page, page & 1 ? SITE_STORE : SITE_LOAD);
	}
}

static void
test_alone(void **state)
{
	static const unsigned pages[] = { 7, 60, 250 };

	(void)state;
	for (size_t i = 0; reclaim_registry[i]; i++)
		for (size_t k = 0; k < 2 * ARRAY_SIZE(pages); k++) {
			unsigned size = pages[k / 2];
			bool mapped = k & 1;
			struct bench *bench;

			if (reclaim_registry[i]->needs_next)
				continue;
			bench = bench_open(reclaim_registry[i]->name, size);
			fill(bench, 7 + k, mapped);
			run(bench);
			/* Reads of the zero page are minor faults, too. */
			assert_int_equal(value(bench, "fault.minor") -
						 (mapped ? value(bench,
								 "fault.zero")
							 : 0) +
						 value(bench, "fault.major"),
					 misses_alone(bench, size));
			expect(bench, "reclaim.misses",
			       misses_alone(bench, size));
			expect(bench, "reclaim.reads",
			       value(bench, "fault.major"));
			expect(bench, "reclaim.stuck", 0);
			bench_close(bench);
		}
}

static void
test_writes(void **state)
{
	/* zram keeps no copy of what comes back, a drive does. */
	static const struct {
		const char *device;
		unsigned writes;
	} row[] = { { "zram", 6 }, { "nvme", 4 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bench *bench = bench_open("fifo", 2);

		set(bench, "reclaim.device", row[i].device);
		set(bench, "pages.page-cluster", "0");
		/* 0 and 1 leave, and 2, 3; 0 clean, 1 not */
		touch(bench, "s0 s1 l2 l3 l0 l1 s1 l2 l3");
		run(bench);
		expect(bench, "reclaim.evictions", 6);
		expect(bench, "reclaim.writebacks", row[i].writes + (i > 0));
		expect(bench, "reclaim.reads", 4);
		expect(bench, "reclaim.stall_ns",
		       i ? 4 * 80000 : 4 * 15000 + 6 * 15000);
		bench_close(bench);
	}
}

static void
test_files(void **state)
{
	struct bench *bench = bench_open("fifo", 2);
	const struct file file = { "/data/x", "", 1, 64 * PAGE, 0 };
	uint32_t number;
	struct event *event;

	(void)state;
	set(bench, "pages.fault-around", "4K");
	stream_file_add(bench->stream, &file, &number);
	for (uint32_t space = 0; space < 2; space++) {
		run_in(bench, space);
		event = add(bench, EVENT_MAP, 0, 16);
		event->flags = RIGHTS | MAP_FLAG_FILE | MAP_FLAG_SHARED;
		event->file = number;
	}
	run_in(bench, 0);
	touch(bench, "l0 s1");
	run_in(bench, 1);
	/* In memory already: minor.  2 and 3 push both out of both spaces. */
	touch(bench, "l0 l1 l2 l3");
	run_in(bench, 0);
	touch(bench, "l0");
	run(bench);
	expect(bench, "fault.file", 5);
	expect(bench, "fault.shared", 1);
	expect(bench, "fault.read", 1);
	expect(bench, "fault.swap", 0);
	expect(bench, "fault.major", 1);
	expect(bench, "reclaim.evictions", 3);
	expect(bench, "reclaim.writebacks", 1);
	expect(bench, "reclaim.writebacks.file", 1);
	bench_close(bench);
}

static void
test_fork(void **state)
{
	struct bench *bench = bench_open("fifo", 3);

	(void)state;
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 16)->flags = RIGHTS;
	touch(bench, "s0 s1");
	add(bench, EVENT_FORK, 0, 0)->value = 1;
	touch(bench, "s2 s3"); /* 0 leaves both */
	run_in(bench, 1);
	touch(bench, "l1"); /* minor none: mapped by fork */
	touch(bench, "l0"); /* major; 1 leaves both */
	run_in(bench, 0);
	touch(bench, "l1");
	run(bench);
	expect(bench, "fault.swap", 2);
	expect(bench, "fault.minor", 4);
	expect(bench, "reclaim.evictions", 3);
	bench_close(bench);
}

static void
test_locked(void **state)
{
	struct bench *bench = bench_open("fifo", 4);

	(void)state;
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 16)->flags = RIGHTS;
	add(bench, EVENT_LOCK, 0, 2);
	/* 2 pages are left for 3 */
	touch(bench, "s2 s3 s4 s0 s1 s2 s3 s4 l0 l1");
	run(bench);
	expect(bench, "fault.populated", 2);
	expect(bench, "fault.anon", 3);
	expect(bench, "fault.swap", 3);
	expect(bench, "reclaim.wired", 2);
	bench_close(bench);

	bench = bench_open("fifo", 4);
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 16)->flags = RIGHTS;
	add(bench, EVENT_LOCK, 0, 4);
	assert_int_equal(try_run(bench), -EINVAL);
	bench_close(bench);

	bench = bench_open("fifo", 4);
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 16)->flags = RIGHTS;
	add(bench, EVENT_LOCK, 0, 3);
	add(bench, EVENT_UNMAP, 0, 3);
	touch(bench, "s4 s5 s6 s7 s4 s5 s6 s7");
	run(bench);
	expect(bench, "reclaim.wired", 0);
	expect(bench, "fault.swap", 0);
	bench_close(bench);
}

static void
test_moved(void **state)
{
	struct bench *bench = bench_open("fifo", 2);
	struct event *event;

	(void)state;
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 2)->flags = RIGHTS;
	touch(bench, "s0 s1");
	event = add(bench, EVENT_REMAP, 0, 2);
	event->value = BASE + 100 * PAGE;
	event->extra = 2 * PAGE;
	/* Nobody touched them there: they are looked for. */
	add(bench, EVENT_MAP, 200, 2)->flags = RIGHTS;
	touch(bench, "s200 s201 l100 l101");
	run(bench);
	expect(bench, "reclaim.stuck", 0);
	expect(bench, "fault.swap", 2);
	expect(bench, "fault.anon", 4);
	bench_close(bench);
}

static void
test_scopes(void **state)
{
	struct bench *bench = bench_open("fifo", 3);

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		run_in(bench, 2 * i);
		touch(bench, "s0 s1 s2 s0 s1 s2");
	}
	run(bench);
	/* 3 pages for both: the second process takes all, and keeps them. */
	expect(bench, "reclaim.evictions", 3);
	model_close(bench->machine);
	result_close(bench->result);
	bench->result = NULL;
	set(bench, "reclaim.scope", "process");
	run(bench);
	expect(bench, "reclaim.evictions", 0);
	model_close(bench->machine);
	result_close(bench->result);
	bench->result = NULL;
	set(bench, "reclaim.scope", "group");
	set(bench, "reclaim.groups", "a=100,b=102");
	run(bench);
	expect(bench, "reclaim.evictions", 0);
	bench_close(bench);
}

static void
test_out_of_memory(void **state)
{
	struct bench *bench = bench_open("lru", 3);

	(void)state;
	set(bench, "reclaim.swap-size", "4K");
	run_in(bench, 0);
	touch(bench, "s0 s1");
	run_in(bench, 2);
	touch(bench, "s0 s1 s2 s3");
	run(bench);
	/* One page finds room in swap; the next, at the fifth access, does not:
	 * then 102 has 3 pages and tables for them, 100 one and one there. */
	expect(bench, "oom.position", 4);
	expect(bench, "oom.pid", 102);
	expect(bench, "oom.candidates", 2);
	expect(bench, "oom.pages", 2);
	expect(bench, "reclaim.evictions", 3);
	bench_close(bench);
}

/* MADV_COLD: the pages that a program says it will not want leave first, MADV_FREE:
 * without swap, unless they were written since. */
static void
test_cold_and_free(void **state)
{
	static const char *const policies[] = { "lru", "linux", "mglru" };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(policies); i++) {
		bool lazy = i >= ARRAY_SIZE(policies);
		struct bench *bench =
			bench_open(policies[i % ARRAY_SIZE(policies)], 256);

		run_in(bench, 0);
		add(bench, EVENT_MAP, 0, 512)->flags = RIGHTS;
		for (uint64_t page = 0; page < 200; page++)
			access_page(bench, page, SITE_STORE);
		/* The newest, which nobody would choose: 168 .. 199 */
		add(bench, EVENT_ADVISE, 168, 32)->value =
			lazy ? MADV_FREE : MADV_COLD;
		for (uint64_t page = 190; lazy && page < 200; page++)
			access_page(bench, page, SITE_STORE);
		/* 22 or 32 have to leave */
		for (uint64_t page = 200; page < 256 + (lazy ? 22 : 32); page++)
			access_page(bench, page, SITE_STORE);
		/* They were the right ones, so the others are still there. */
		for (uint64_t page = 0; page < 168; page++)
			access_page(bench, page, SITE_LOAD);
		run(bench);
		if (policies[i % ARRAY_SIZE(policies)][0] == 'l' &&
		    policies[i % ARRAY_SIZE(policies)][1] == 'r')
			expect(bench, "fault.major", 0);
		expect(bench, "reclaim.writebacks",
		       value(bench, "reclaim.evictions") -
			       value(bench, "reclaim.freed"));
		assert_true(lazy || value(bench, "reclaim.freed") == 0);
		assert_true(!lazy || value(bench, "reclaim.freed") >= 16);
		bench_close(bench);
	}
}

/* What MADV_FREE took is zeros again; what was written since comes from swap. */
static void
test_free_comes_back_as_zeros(void **state)
{
	struct bench *bench = bench_open("lru", 8);

	(void)state;
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 64)->flags = RIGHTS;
	touch(bench, "s0 s1 s2 s3");
	add(bench, EVENT_ADVISE, 0, 4)->value = MADV_FREE;
	touch(bench, "s3 s10 s11 s12 s13 s14 s15 s16 s17 s18 s19");
	touch(bench, "s0 s1 s2 s3");
	run(bench);
	expect(bench, "reclaim.freed", 3);
	/* 3 was swapped out, and came back */
	expect(bench, "fault.major", 1);
	expect(bench, "fault.anon", 4 + 10 + 3);
	bench_close(bench);
}

/* A drive reads what is round a page, too: the others are in memory then, and were
 * not asked for. */
static void
test_read_ahead(void **state)
{
	static const char *const devices[] = { "zram", "nvme", "disk" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct bench *bench = bench_open("linux", 600);
		uint64_t majors, ahead;

		set(bench, "reclaim.device", devices[i]);
		set(bench, "pages.page-cluster", "3");
		run_in(bench, 0);
		add(bench, EVENT_MAP, 0, 1024)->flags = RIGHTS;
		for (unsigned round = 0; round < 3; round++)
			for (uint64_t page = 0; page < 1000; page++)
				access_page(bench, page, SITE_STORE);
		run(bench);
		majors = value(bench, "fault.major");
		ahead = value(bench, "swap.read-ahead");
		expect(bench, "reclaim.reads", majors + ahead);
		expect(bench, "swap.in", majors + ahead);
		expect(bench, "reclaim.misses", 1000 + majors + ahead);
		if (i) {
			assert_in_range(majors, 2000 / 8, 2000 / 7);
			expect(bench, "swap.read-ahead.hits",
			       value(bench, "fault.swap-cache"));
			assert_int_equal(majors + value(bench,
							"fault.swap-cache"),
					 2000);
		} else {
			assert_int_equal(majors, 2000);
			assert_int_equal(ahead, 0);
		}
		bench_close(bench);
	}
}

/* The larger process, unless oom_score_adj says otherwise. */
static void
test_oom_score_adj(void **state)
{
	static const struct {
		int64_t adj;
		uint32_t pid;
	} row[] = { { 0, 101 }, { -1000, 100 }, { -700, 100 }, { 5, 101 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bench *bench = bench_open("linux", 2000);
		const struct file name = { "oom.score_adj", "", 0, 0, 0 };
		struct event *event;
		uint32_t number;

		set(bench, "reclaim.device", "none");
		stream_file_add(bench->stream, &name, &number);
		run_in(bench, 1);
		event = add(bench, EVENT_COUNTER, 0, 0);
		event->flags = COUNTER_START;
		event->file = number;
		event->value = (uint64_t)row[i].adj;
		for (uint64_t page = 0; page < 1200; page++)
			access_page(bench, page, SITE_STORE);
		run_in(bench, 0);
		for (uint64_t page = 0; page < 900; page++)
			access_page(bench, page, SITE_STORE);
		run(bench);
		expect(bench, "oom.pid", row[i].pid);
		bench_close(bench);
	}
}

static void
test_groups_without_a_process(void **state)
{
	const char *partial;
	struct bench *bench = bench_open("lru", 8);

	(void)state;
	set(bench, "reclaim.scope", "group");
	set(bench, "reclaim.groups", "one=100,two=nginxx");
	run_in(bench, 0);
	touch(bench, "s0 s1");
	run(bench);
	partial = json_string_value(
		json_object_get(result_json(bench->result), "partial"));
	assert_non_null(partial);
	assert_non_null(strstr(partial, "nginxx"));
	assert_null(strstr(partial, "is 100"));
	bench_close(bench);
}

/* A huge page comes where there is room for all of it, leaves whole, comes back
 * page by page; and what is left of one that lost a part is pages by themselves. */
static void
test_huge(void **state)
{
	struct bench *bench = bench_open("fifo", 1024);

	(void)state;
	set(bench, "pages.policy", "thp");
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 4096)->flags = RIGHTS;
	touch(bench, "s0 s600 s1100"); /* room for two: the third comes small */
	touch(bench, "l0 l1 s0");      /* the first has left */
	add(bench, EVENT_UNMAP, 512, 256); /* of the second half stays */
	touch(bench, "l768 s1023 s1200");
	run(bench);
	expect(bench, "thp.faults", 2);
	expect(bench, "thp.fallback.limit", 1);
	expect(bench, "thp.swapouts", 1);
	expect(bench, "thp.splits", 2);
	expect(bench, "reclaim.evictions", 512);
	expect(bench, "reclaim.misses", 2 + 1 + 2 + 1);
	expect(bench, "fault.swap", 2);
	expect(bench, "fault.minor", 4);
	expect(bench, "footprint.bytes", (2 + 2 + 256) * PAGE);
	bench_close(bench);
}

/* The same where it may wait, by advice: another has to leave. */
static void
test_huge_waits(void **state)
{
	struct bench *bench = bench_open("fifo", 1024);

	(void)state;
	set(bench, "pages.policy", "thp");
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 4096)->flags = RIGHTS;
	add(bench, EVENT_ADVISE, 0, 4096)->value = MADV_HUGEPAGE;
	touch(bench, "s0 s600 s1100 s1600 l0");
	run(bench);
	expect(bench, "thp.faults", 4);
	expect(bench, "thp.fallback.limit", 0);
	/* the page that came back makes a third leave */
	expect(bench, "thp.swapouts", 3);
	expect(bench, "fault.swap", 1);
	bench_close(bench);

	/* Without swap there is nothing to wait for. */
	bench = bench_open("fifo", 1024);
	set(bench, "pages.policy", "thp");
	set(bench, "reclaim.device", "none");
	run_in(bench, 0);
	add(bench, EVENT_MAP, 0, 4096)->flags = RIGHTS;
	add(bench, EVENT_ADVISE, 0, 4096)->value = MADV_HUGEPAGE;
	touch(bench, "s0 s600 s1100");
	run(bench);
	expect(bench, "thp.faults", 2);
	expect(bench, "thp.fallback.limit", 1);
	bench_close(bench);
}

/* Everything that may happen to huge pages, at random. */
static void
fill_huge(struct bench *bench, uint64_t seed, bool out)
{
	static const int advice[] = { MADV_DONTNEED, MADV_FREE,
				      MADV_COLD,     MADV_PAGEOUT,
				      MADV_HUGEPAGE, MADV_NOHUGEPAGE };
	uint64_t random = seed;

	for (uint32_t space = 0; space < 3; space += 2) {
		run_in(bench, space);
		add(bench, EVENT_MAP, 0, 8192)->flags = RIGHTS;
		add(bench, EVENT_MAP, 10000, 9000)->flags = RIGHTS;
	}
	for (unsigned i = 0; i < 40000; i++) {
		uint64_t draw = random_next(&random);
		unsigned page = (unsigned)(draw >> 12) % 8192;
		unsigned n = (unsigned)(draw >> 30) & 1023;

		if (draw % 900 == 0 && bench->n < BATCHES - 8)
			run_in(bench,
			       (uint32_t)(draw >> 20) % (i < 3000 ? 1 : 4));
		if (i == 3000 || i == 3001) {
			run_in(bench, 0);
			add(bench, EVENT_FORK, 0, 0)->value = i == 3000 ? 1 : 3;
		}
		n = page + n > 8192 ? 8192 - page : n;
		n += !n;
		switch (draw >> 40 & 0x7ff) {
		case 0:
			add(bench, EVENT_UNMAP, page, n);
			add(bench, EVENT_MAP, page, n)->flags = RIGHTS;
			break;
		case 1:
		case 2:
			add(bench, EVENT_MAP, page & ~511u, 512)->flags =
				RIGHTS;
			break;
		case 4:
			add(bench, EVENT_PROTECT, page, n)->flags =
				draw & 64 ? RIGHTS : MAP_FLAG_READ;
			break;
		case 5:
		case 6:
		case 7:
			add(bench, EVENT_ADVISE, page, n)->value =
				advice[draw % (ARRAY_SIZE(advice) - !out)];
			break;
		default:
			access_page(bench,
				    draw & 1 ? page
					     : page % 700 +
						       (draw & 2 ? 10000 : 0),
				    draw & 4 ? SITE_STORE : SITE_LOAD);
		}
	}
}

/* However they fall apart, memory holds no more than it has room for, and what is
 * read from swap is what faulted; with room for all, faults are those of a machine
 * without reclaim. */
static void
test_huge_at_random(void **state)
{
	static const char *const policies[] = { "linux", "lru", "fifo" };
	static const char *const same[] = { "fault.minor", "thp.faults",
					    "thp.splits", "footprint.bytes" };

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct bench *bench = bench_open(policies[k % 3], 4000);

		set(bench, "pages.policy", "thp");
		fill_huge(bench, 50 + k, true);
		run(bench);
		expect(bench, "reclaim.stuck", 0);
		assert_true(value(bench, "thp.swapouts") > 0);
		/* and a few that nobody has touched since they came */
		assert_true(value(bench, "footprint.bytes") <= 4300 * PAGE);
		assert_true(value(bench, "reclaim.reads") >=
			    value(bench, "fault.major"));
		bench_close(bench);
	}
	for (unsigned k = 0; k < 3; k++) {
		struct bench *bench = bench_open("linux", 40000);
		struct bench *other = bench_open("none", 80000);

		set(bench, "pages.policy", "thp");
		set(other, "pages.policy", "thp");
		fill_huge(bench, 70 + k, false);
		fill_huge(other, 70 + k, false);
		run(bench);
		run(other);
		for (size_t i = 0; i < ARRAY_SIZE(same); i++)
			expect(bench, same[i], value(other, same[i]));
		bench_close(bench);
		bench_close(other);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_cold_and_free),
		cmocka_unit_test(test_free_comes_back_as_zeros),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_oom_score_adj),
		cmocka_unit_test(test_groups_without_a_process),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_huge_waits),
		cmocka_unit_test(test_huge_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
