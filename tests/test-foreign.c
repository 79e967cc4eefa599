// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The importers of other tools' requests, samples and views: oracleGeneral,
 * perf script, DynamoRIO's view; and what is said of a table that nobody
 * recognises.
 */
#include "tests/seen.h"

static const struct what automatic = { .format = "auto" };
static const struct what timed = { .format = "auto", .clocked = true };
static const struct what drview = { .format = "drview", .clocked = true };
static const struct what perf = { .format = "perf", .clocked = true };

struct request {
	uint32_t time_s;
	uint64_t object;
	uint32_t size;
	int64_t next;
};

static struct import
import_requests(const struct what *what, const struct request *request,
		size_t n)
{
	char *bytes = calloc(n + 1, 24);
	struct import import;

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++) {
		memcpy(bytes + 24 * i, &request[i].time_s, 4);
		memcpy(bytes + 24 * i + 4, &request[i].object, 8);
		memcpy(bytes + 24 * i + 12, &request[i].size, 4);
		memcpy(bytes + 24 * i + 16, &request[i].next, 8);
	}
	import = import_bytes(what, bytes, 24 * n);
	free(bytes);
	return import;
}

static const struct request requests[] = {
	{ 100, 7, 512, 3 },
	{ 100, 9, 8192, -1 },
	{ 103, 7, 512, 4 },
	{ 105, 7, 600, INT64_MAX },
};

static void
test_oracle_pages(void **state)
{
	struct what unit = { "oracle", "oracle.unit=512", "oracle.size=512",
			     .clocked = true };
	struct import import =
		import_requests(&timed, requests, ARRAY_SIZE(requests));

	(void)state;
	assert_int_equal(import.time_ns, UINT64_C(5000000000));
	expect(&import,
	       (const struct seen[]){ { 7 * 4096, 0, 1, SITE_LOAD },
				      { 9 * 4096, 0, 1, SITE_LOAD },
				      { 7 * 4096, 0, 1, SITE_LOAD },
				      { 7 * 4096, 0, 1, SITE_LOAD } },
	       4);
	EXPECT(import_requests(&unit, requests, 2),
	       { 7 * 512, 0, 512, SITE_LOAD, 0 },
	       { 9 * 512, 0, 512, SITE_LOAD, 0 });
}

/* Each page of the object is loaded; what comes back longer moves. */
static void
test_oracle_objects(void **state)
{
	struct what what = { "oracle", "oracle.as=object", .clocked = true };
	struct what aligned = { "oracle", "oracle.as=object", "oracle.align=4K",
				.clocked = true };

	(void)state;
	EXPECT(import_requests(&what, requests, ARRAY_SIZE(requests)),
	       { 0x10000, 0, 512, SITE_LOAD, 0 },
	       { 0x10200, 0, 0xe00, SITE_LOAD, 0 },
	       { 0x11000, 0, 4096, SITE_LOAD, 0 },
	       { 0x12000, 0, 512, SITE_LOAD, 0 },
	       { 0x10000, 0, 512, SITE_LOAD, 0 },
	       { 0x12200, 0, 600, SITE_LOAD, 0 });
	EXPECT(import_requests(&aligned, requests, 3),
	       { 0x10000, 0, 512, SITE_LOAD, 0 },
	       { 0x11000, 0, 4096, SITE_LOAD, 0 },
	       { 0x12000, 0, 4096, SITE_LOAD, 0 },
	       { 0x10000, 0, 512, SITE_LOAD, 0 });
}

/* An object of more pages than a batch has room for, then one of one */
static void
test_oracle_large(void **state)
{
	struct what what = { "oracle", "oracle.as=object", .clocked = true };
	struct request large[] = { { 0, 1, 40000u * 4096, -1 },
				   { 0, 2, 1, -1 } };
	struct import import = import_requests(&what, large, 2);

	(void)state;
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 40001);
	for (unsigned i = 0; i < 40001; i++)
		assert_int_equal(import.seen[i].address,
				 0x10000 + UINT64_C(4096) * i);
	free(import.seen);
}

static void
test_oracle_bad(void **state)
{
	struct what pages = { "oracle", .clocked = true };
	struct what objects = { "oracle", "oracle.as=object", .clocked = true };
	struct what going = { "oracle", "oracle.as=object", .keep_going = true,
			      .clocked = true };
	struct request bad[] = { { 1, 5, 1, 3 },
				 { 1, 6, 0, -1 },
				 { 1, UINT64_MAX / 2, 1, -1 },
				 { 1, 8, 1, 4 } };
	struct import import;

	(void)state;
	expect_error(import_requests(&objects, bad, 4),
		     "@:byte 24: object 6 has no size");
	expect_error(import_requests(&pages, bad, 4),
		     "@:byte 48: object 9223372036854775807 is no page number "
		     "(if it is a name, say oracle.as=object)");
	bad[3].next = 1;
	expect_error(import_requests(&pages, bad + 3, 1),
		     "@:byte 0: no oracleGeneral record: request 1 of object 8 "
		     "is followed by request 1");
	bad[3].next = 5;
	import = import_requests(&going, bad, 4);
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 3);
	assert_int_equal(import.lost, 1);
	free(import.seen);
	/* a request cannot be followed by one before it */
	bad[0].next = 1;
	assert_int_equal(import_requests(&automatic, bad, 4).error, -EINVAL);
}

#define VIEW                                                                  \
	"Output format:\n"                                                    \
	"<--record#-> <--instr#->: <---tid---> <record details>\n"            \
	"------------------------------------------------------------\n"      \
	"           1           0:          41 <marker: version 5>\n"         \
	"           2           0:          41 <marker: timestamp 13334>\n"   \
	"           3           0:          41 <marker: tid 41 on core 7>\n"  \
	"           4           1:          41 ifetch       4 byte(s) @ "     \
	"0x0000000000404ffe 48 89 75 f0          mov    %rsi -> "             \
	"0xfffffff0(%rbp)[8byte]\n"                                           \
	"           5           1:          41 write        8 byte(s) @ "     \
	"0x00007ffd90c13920 by PC 0x0000000000404ffe\n"                       \
	"           6           1:          41 pref-r-L1    1 byte(s) @ "     \
	"0x00007ffd90c13940 by PC 0x0000000000404ffe\n"                       \
	"           7           2:          41 ifetch       2 byte(s) @ "     \
	"0x0000000000405002 0f 05                syscall  -> %rcx %r11\n"     \
	"           8           2:          41 <marker: system call 273>\n"   \
	"------------------------------------------------------------\n"      \
	"           9           2:          42 <marker: timestamp 13338>\n"   \
	"          10           2:          42 <marker: tid 42 on core 1>\n"  \
	"          11           3:          42 ifetch      10 byte(s) @ "     \
	"0x0000000000405004 48 b8 00 00 00 00 00 mov    $0x7f00000000000000 " \
	"-> %rax\n"                                                           \
	"          11           3:          42                            "   \
	"               00 00 7f\n"                                           \
	"          12           3:          42 read        16 byte(s) @ "     \
	"0x00007fdf64e2adc8 by PC 0x0000000000405004\n"                       \
	"          13           3:          42 <thread 42 exited>\n"          \
	"View tool results:\n"                                                \
	"              3 : total instructions\n"

static void
test_drview(void **state)
{
	struct import import = import_text(&timed, VIEW);
	static const unsigned tid[] = { 41, 41, 41, 41, 42, 42 };
	static const uint8_t type[] = { EVENT_SWITCH, EVENT_SYSCALL,
					EVENT_SWITCH, EVENT_EXIT };
	static const uint64_t value[] = { 7, 273, 1, 0 };

	(void)state;
	assert_int_equal(import.n, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(import.seen[i].tid, tid[i]);
		assert_int_equal(import.seen[i].space, 0);
	}
	assert_int_equal(import.n_events, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(import.event[i].type, type[i]);
		assert_int_equal(import.event[i].value, value[i]);
		assert_int_equal(import.event[i].thread, tid[i + 1 + (i > 1)]);
	}
	assert_int_equal(import.time_ns, 4000);
	expect(&import,
	       (const struct seen[]){
		       { 0x404ffe, 0x404ffe, 2, SITE_FETCH, 1 },
		       { 0x405000, 0x405000, 2, SITE_FETCH, 0 },
		       { 0x7ffd90c13920, 0x404ffe, 8, SITE_STORE, 0 },
		       { 0x405002, 0x405002, 2, SITE_FETCH, 1 },
		       { 0x405004, 0x405004, 10, SITE_FETCH, 1 },
		       { 0x7fdf64e2adc8, 0x405004, 16, SITE_LOAD, 0 } },
	       6);
}

/* Names of threads in newer and older views; workloads are spaces. */
static void
test_drview_threads(void **state)
{
	struct import import =
		import_text(&drview,
			    "1 1: W0.T5 read 8 byte(s) @ 0x10 by PC 0x20\n"
			    "2 1: W1.T5 read 8 byte(s) @ 0x10 by PC 0x20\n"
			    "3 1: W0.T5 write 8 byte(s) @ 0x10 by PC 0x20\n"
			    "4: T6 read 8 byte(s) @ 0x10 by PC 0x20\n"
			    "5 1: W0.T6 read 8 byte(s) @ 0x10 by PC 0x20\n");
	static const unsigned space[] = { 0, 1, 0, 0, 0 };

	(void)state;
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(import.seen[i].space, space[i]);
		assert_int_equal(import.seen[i].tid, i < 3 ? 5 : 6);
	}
	free(import.seen);
}

static void
test_drview_bad(void **state)
{
	struct import import;

	(void)state;
	expect_error(import_text(&drview, "\n1 1: 5 reads 8 byte(s) @ 0x1\n"),
		     "@:2: neither ifetch, read, write nor a marker: "
		     "\"1 1: 5 reads 8 byte(s) @ 0x1\"");
	expect_error(import_text(&drview, "1 1: 5 read 8 bytes @ 0x1\n"),
		     "@:1: no \"N byte(s) @ 0x\": \"1 1: 5 read 8 bytes @ "
		     "0x1\"");
	expect_error(import_text(&drview, "1 1: 5 read 0 byte(s) @ 0x1\n"),
		     "@:1: impossible size: \"1 1: 5 read 0 byte(s) @ 0x1\"");
	expect_error(import_text(&drview, "1 1: x read 8 byte(s) @ 0x1\n"),
		     "@:1: no number of a thread after the colon: "
		     "\"1 1: x read 8 byte(s) @ 0x1\"");
	expect_error(import_text(&drview, "hello\n"),
		     "@:1: no record and instruction numbers before a colon: "
		     "\"hello\"");
	/* the tool's own count is compared */
	import = import_text(&drview, "1 1: 5 ifetch 8 byte(s) @ 0x1\n"
				      " 2 : total instructions\n");
	assert_int_equal(import.error, 0);
	assert_string_equal(import.message,
			    "pagescope: warning: import: the view tool says "
			    "that it showed 2 instructions; here are 1\n");
	free(import.seen);
}

struct perf_case {
	const char *line;
	unsigned tid;
	uint64_t address, ip, period;
	int kind; /* -1: no access */
	const char *name;
};

/* The shapes that perf script prints, by its versions, defaults and -F */
static const struct perf_case perf_cases[] = {
	{ "            prog 41/42 [001]  3678.072400:          1 "
	  "cpu/mem-loads,ldlat=30/P:     7ffd10001234 [stack]+0x0 ([stack])   "
	  "      68100142 |OP LOAD|LVL L1 hit|SNP None|TLB L1 or L2 hit|LCK "
	  "No|BLK  N/A               47           401136 main+0x10 (/bin/prog)",
	  42, 0x7ffd10001234, 0x401136, 1, SITE_LOAD, "mem-loads" },
	{ "ls 14753 [011]  3678.072400:          1    tlb-access:         "
	  "88000182 |OP STORE|LVL L1 miss|SNP N/A|TLB Walker hit|LCK No|BLK  "
	  "N/A ffffa7c22b4b2a00 [unknown] ([kernel.kallsyms])",
	  14753, 0x88000182, 0xffffa7c22b4b2a00, 1, SITE_STORE, "tlb-access" },
	{ "chromium-browse   46572 [002] 544966.882384:      10000 "
	  "\tcpu_core/MEM_UOPS_RETIRED.LOAD_LATENCY/: 7ffdf1391b0c     "
	  "10268100142  |OP LOAD|LVL L1 hit|SNP None|TLB L1 or L2 hit|LCK "
	  "No|BLK    N/A    5   7    0   7fad7c47425d [unknown] (/usr/lib64/x)",
	  46572, 0x7ffdf1391b0c, 0x7fad7c47425d, 10000, SITE_LOAD,
	  "LOAD_LATENCY" },
	/* a command with blanks and colons, a symbol with operators */
	{ "          a b: c 30526/30527  1954.559222123:          1 "
	  "mem-stores:u:     55b992717030 operator||+0x0 (/tmp/a b: c) "
	  "ffffffff81752b6a std::f<int, long>(a|b)+0x28a ([kernel.kallsyms])",
	  30527, 0x55b992717030, 0xffffffff81752b6a, 1, SITE_STORE,
	  "mem-stores:u" },
	/* a symbol that looks like a number */
	{ "x 5/5  1.000000: r1cd:             1000 add           401000 "
	  "face (/bin/x)",
	  5, 0x1000, 0x401000, 1, SITE_LOAD, "r1cd" },
	{ "30494  1951.610066: mem-loads:     55d38c492030 ffffffff81752b6a",
	  30494, 0x55d38c492030, 0xffffffff81752b6a, 1, SITE_LOAD,
	  "mem-loads" },
	{ "x 30494 mem-loads:     55d38c492030", 30494, 0x55d38c492030, 0, 1,
	  SITE_LOAD, "mem-loads" },
	{ "x 30494         77 mem-loads:     55d38c492030", 30494,
	  0x55d38c492030, 0, 77, SITE_LOAD, "mem-loads" },
	/* no address: only an ip, or 0 */
	{ "t 27873  1800.853306:          1  cycles:  ffffffff81752b6a "
	  "elf_load+0x28a ([kernel.kallsyms])",
	  27873, 0, 0xffffffff81752b6a, 1, -1, "cycles" },
	{ "t 27888/27890  1803.096207:     cpu-clock:                0", 27890,
	  0, 0, 1, -1, "cpu-clock" },
	{ "t -1/0  1803.096207:     cpu-clock:                0     7f00 x", 0,
	  0, 0x7f00, 1, -1, "cpu-clock" },
};

static void
test_perf_shapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(perf_cases); i++) {
		const struct perf_case *wanted = &perf_cases[i];
		struct import import = import_text(&perf, wanted->line);

		print_message("%s\n", wanted->line);
		assert_int_equal(import.error, 0);
		assert_int_equal(import.n_events, 1);
		assert_int_equal(import.event[0].type, EVENT_SAMPLE);
		assert_int_equal(import.event[0].address, wanted->address);
		assert_int_equal(import.event[0].value, wanted->ip);
		assert_int_equal(import.event[0].extra, wanted->period);
		assert_int_equal(import.event[0].thread, wanted->tid);
		assert_int_equal(import.n, wanted->kind >= 0);
		if (import.n) {
			assert_int_equal(import.seen[0].address,
					 wanted->address);
			assert_int_equal(import.seen[0].pc, wanted->ip);
			assert_int_equal(import.seen[0].kind, wanted->kind);
			assert_int_equal(import.seen[0].tid, wanted->tid);
		} else
			assert_non_null(strstr(import.message,
					       "1 sample without an address"));
		free(import.seen);
	}
}

static void
test_perf_options(void **state)
{
	struct what no = { "perf", "perf.ip=no", "perf.size=4",
			   .clocked = true };
	struct what yes = { "perf", "perf.ip=yes", .clocked = true };
	struct what kind = { "perf", "perf.kind=store", .clocked = true };
	struct import import;

	(void)state;
	EXPECT(import_text(&no, "x 5 1.000000: ev:     7f1234 sym (/bin/x)\n"),
	       { 0x7f1234, 0, 4, SITE_LOAD, 0 });
	import = import_text(&yes, "x 5 1.000000: ev:     7f1234\n");
	assert_int_equal(import.n, 0);
	assert_int_equal(import.event[0].value, 0x7f1234);
	free(import.seen);
	EXPECT(import_text(&kind, "x 5 1.000000: ev:     7f123c     401000\n"),
	       { 0x7f123c, 0x401000, 4, SITE_STORE, 0 });
}

#define FAULT(event, address) \
	"t 9/9  1.000100:  1 " event ":  " address " ffffffff81752b6a\n"

/* page-faults and its minor or major one are the same fault. */
static void
test_perf_faults(void **state)
{
	struct import import = import_text(
		&timed,
		"# captured on: a comment\n" FAULT("page-faults", "    55d38c492030") FAULT(
			"minor-faults:u",
			"    55d38c492030") "u 9/8  1.000100:  1 page-faults:      5000  "
					    "        6000\n" FAULT(
						    "page-faults",
						    "    7f0000001000") FAULT("major-faults",
									      "    7f0000001000")
						    FAULT("minor-faults",
							  "    7f0000002000")
							    FAULT("minor-faults",
								  "    7f0000002000")
								    FAULT("faults",
									  "               0") "\n"
											      "\t  ffffffff816450f1 a call chain\n");
	static const uint64_t address[] = { 0x55d38c492030, 0x5000,
					    0x7f0000001000, 0x7f0000002000,
					    0x7f0000002000 };

	(void)state;
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 0);
	assert_int_equal(import.n_events, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(import.event[i].type, EVENT_FAULT);
		assert_int_equal(import.event[i].address, address[i]);
		assert_int_equal(import.event[i].flags,
				 i == 2 ? FAULT_FLAG_MAJOR : 0);
		assert_int_equal(import.event[i].thread, i == 1 ? 8 : 9);
	}
	assert_string_equal(import.message,
			    "pagescope: import: 1 sample without an address\n");
	free(import.seen);
}

static void
test_perf_bad(void **state)
{
	(void)state;
	expect_error(import_text(&perf, "\nt 9/9 hello\n"),
		     "@:2: no sample: no \"tid event:\" or \"time: event:\": "
		     "\"t 9/9 hello\"");
	expect_error(import_text(&perf, "t 9/9 1.000000: ev\xff:  1000\n"),
		     "@:1: an event whose name is not ASCII: "
		     "\"t 9/9 1.000000: ev\\xff:  1000\"");
}

/* More events and threads than a batch has room for: nothing is lost. */
static void
test_perf_many(void **state)
{
	enum {
		LINES = 20000
	};
	char *text = malloc(LINES * 80), *at = text;
	struct import import;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < LINES; i++)
		at += sprintf(at, "p %u/%u %u.%06u: mem-loads: %16x %16x\n",
			      i / 7000 + 1, i / 3000 + 1, i / 1000000, i,
			      i * 8 + 8, 4096);
	import = import_text(&perf, text);
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, LINES);
	assert_int_equal(import.n_events, LINES);
	for (unsigned i = 0; i < LINES; i++) {
		assert_int_equal(import.seen[i].address, i * 8 + 8);
		assert_int_equal(import.seen[i].tid, i / 3000 + 1);
		assert_int_equal(import.seen[i].space, i / 7000);
	}
	free(import.seen);
	free(text);
}

/* What export writes is known by its header, threads and spaces with it. */
static void
test_csv_header(void **state)
{
	struct import import =
		import_text(&automatic,
			    "thread,space,kind,address,size,pc\n"
			    "1,0,store,4096,8,64\n2,7,fetch,64,3,64\n");

	(void)state;
	assert_int_equal(import.n, 2);
	assert_int_equal(import.seen[0].tid, 1);
	assert_int_equal(import.seen[1].tid, 2);
	assert_int_equal(import.seen[1].space, 1);
	expect(&import,
	       (const struct seen[]){ { 4096, 64, 8, SITE_STORE, 0 },
				      { 64, 64, 3, SITE_FETCH, 1 } },
	       2);
	EXPECT(import_text(&automatic, "time,op,address\n3,R,0x1000\n"),
	       { 0x1000, 0, 1, SITE_LOAD, 0 });
}

static void
test_csv_hints(void **state)
{
	(void)state;
	expect_error(import_text(&automatic, "# storage\n"
					     "version,time,op,size,lbn\n"
					     "1,5633898,2a,512,42932745\n"),
		     "@: a table whose columns are version,time,op,size,lbn: "
		     "say --from csv --set csv.column=NAME, the one with the "
		     "address");
	expect_error(import_text(&automatic, "1,2\n3,4\n"),
		     "@: a table of 2 columns without names (\"1,2\"): say "
		     "--from csv --set csv.column=NUMBER, the one with the "
		     "address");
	expect_error(import_text(&automatic, "a;b;c\n1;2;3\n"),
		     "@: a table whose columns are a;b;c: say --from csv --set "
		     "csv.column=NAME --set csv.separator=';', the one with "
		     "the address");
	expect_error(import_text(&automatic, "hello\nworld, again\x01\n"),
		     "@: no known trace format: it begins with \"hello\" (if "
		     "you know it, say --from FORMAT)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oracle_pages),
		cmocka_unit_test(test_oracle_objects),
		cmocka_unit_test(test_oracle_large),
		cmocka_unit_test(test_oracle_bad),
		cmocka_unit_test(test_drview),
		cmocka_unit_test(test_drview_threads),
		cmocka_unit_test(test_drview_bad),
		cmocka_unit_test(test_perf_shapes),
		cmocka_unit_test(test_perf_options),
		cmocka_unit_test(test_perf_faults),
		cmocka_unit_test(test_perf_bad),
		cmocka_unit_test(test_perf_many),
		cmocka_unit_test(test_csv_header),
		cmocka_unit_test(test_csv_hints),
	};
	int fd = mkstemp(path);
	int failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
