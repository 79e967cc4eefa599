// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Importers: what small files written here must come to, access by access.
 */
#include "analyzer/fail.h"
#include "tests/seen.h"

static const struct what lackey = { .format = "lackey" };
static const struct what din = { .format = "din" };
static const struct what xdin = { .format = "xdin" };
static const struct what csv = { .format = "csv" };
static const struct what automatic = { .format = "auto" };

#define LACKEY_TEXT               \
	"==12== Lackey, a tool\n" \
	"I  04016b80,3\n"         \
	"I  04016ffe,5\n"         \
	" S 1ffeffe7a8,8\n"       \
	"\n"                      \
	" L 1FFEFFE7a0,4\r\n"     \
	"I  04016b80,3\n"         \
	" M ffffffffffff0000,16"

static const struct seen lackey_seen[] = {
	{ 0x4016b80, 0x4016b80, 3, SITE_FETCH, 1 },
	{ 0x4016ffe, 0x4016ffe, 2, SITE_FETCH, 1 },
	{ 0x4017000, 0x4017000, 3, SITE_FETCH, 0 },
	{ 0x1ffeffe7a8, 0x4016ffe, 8, SITE_STORE, 0 },
	{ 0x1ffeffe7a0, 0x4016ffe, 4, SITE_LOAD, 0 },
	{ 0x4016b80, 0x4016b80, 3, SITE_FETCH, 1 },
	{ 0xffffffffffff0000, 0x4016b80, 16, SITE_MODIFY, 0 },
};

static void
test_lackey(void **state)
{
	struct import import = import_text(&lackey, LACKEY_TEXT);

	(void)state;
	assert_int_equal(import.sites, 6);
	expect(&import, lackey_seen, ARRAY_SIZE(lackey_seen));
	import = import_text(&automatic, LACKEY_TEXT);
	expect(&import, lackey_seen, ARRAY_SIZE(lackey_seen));
}

static void
test_lackey_bad(void **state)
{
	(void)state;
	expect_error(import_text(&lackey, "I  4000,1\nX  4000,1\n"),
		     "@:2: neither an I, L, S or M line nor a comment: "
		     "\"X  4000,1\"");
	expect_error(import_text(&lackey, " L 11112222333344445,8\n"),
		     "@:1: no hex address of at most 16 digits: "
		     "\" L 11112222333344445,8\"");
	expect_error(import_text(&lackey, " L ,8\n"),
		     "@:1: no hex address of at most 16 digits: \" L ,8\"");
	expect_error(import_text(&lackey, " L 1000 8\n"),
		     "@:1: no comma after the address: \" L 1000 8\"");
	expect_error(import_text(&lackey, " L 1000,\n"),
		     "@:1: no decimal size after the comma: \" L 1000,\"");
	expect_error(import_text(&lackey, " L 1000,0\n"),
		     "@:1: impossible size: \" L 1000,0\"");
	expect_error(import_text(&lackey, " L 1000,65537\n"),
		     "@:1: impossible size: \" L 1000,65537\"");
	expect_error(import_text(&lackey, " L 1000,18446744073709551624\n"),
		     "@:1: no decimal size after the comma: "
		     "\" L 1000,18446744073709551624\"");
	expect_error(import_text(&lackey, " L ffffffffffffffff,8\n"),
		     "@:1: impossible size: \" L ffffffffffffffff,8\"");
	expect_error(import_text(&lackey, "\n\n L 1000,8 x\n"),
		     "@:3: more after the size: \" L 1000,8 x\"");
	expect_error(import_bytes(&lackey, "I  \0004000,1\n", 11),
		     "@:1: no hex address of at most 16 digits: "
		     "\"I  \\x004000,1\"");
}

static void
test_keep_going(void **state)
{
	struct what what = { .format = "lackey", .keep_going = true };
	struct import import =
		import_text(&what, "bad\nI  4000,1\nI  4000,\n L 8,8\nworse\n");

	(void)state;
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 2);
	assert_int_equal(import.lost, 3);
	assert_true(import.partial);
	assert_non_null(strstr(import.message, ":1: neither an I"));
	free(import.seen);
}

static void
test_long_lines(void **state)
{
	size_t n = 3 << 20;
	char *text = malloc(n);
	struct what what = { .format = "lackey", .keep_going = true };
	struct import import;

	(void)state;
	assert_non_null(text);
	/* a comment of any length, and a line that is bad for its length */
	memset(text, '=', n);
	memcpy(text + 700000, "\nI  4000,1\nI", 12);
	memset(text + 700012, ' ', 500000);
	memcpy(text + 1200012, "5000,1\nI  6000,1\n", 17);
	import = import_bytes(&what, text, n);
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 2);
	assert_int_equal(import.lost, 1);
	assert_int_equal(import.seen[1].address, 0x6000);
	free(import.seen);
	free(text);
}

static void
test_din(void **state)
{
	(void)state;
	EXPECT(import_text(&din, "2 1000\n0 2040 hello\r\n1 0x203e\n4 0\n"
				 "3 1\n2 fff\n"),
	       { 0x1000, 0x1000, 4, SITE_FETCH, 1 },
	       { 0x2040, 0, 4, SITE_LOAD, 0 }, { 0x203e, 0, 2, SITE_STORE, 0 },
	       { 0xfff, 0xfff, 1, SITE_FETCH, 1 });
	EXPECT(import_text(&automatic, "2 1000\n0 2040\n"),
	       { 0x1000, 0x1000, 4, SITE_FETCH, 1 },
	       { 0x2040, 0, 4, SITE_LOAD, 0 });
	EXPECT(import_text(&xdin, "i ffe 4\nr 2040 10\nw 0x203e 1\nm 4 4\n"),
	       { 0xffe, 0xffe, 2, SITE_FETCH, 1 },
	       { 0x1000, 0x1000, 2, SITE_FETCH, 0 },
	       { 0x2040, 0, 16, SITE_LOAD, 0 },
	       { 0x203e, 0, 1, SITE_STORE, 0 });
	EXPECT(import_text(&automatic, "r 2040 10\nw 203e 1\n"),
	       { 0x2040, 0, 16, SITE_LOAD, 0 },
	       { 0x203e, 0, 1, SITE_STORE, 0 });
	expect_error(import_text(&din, "0 10\n7 10\n"),
		     "@:2: the label is none of 0 to 4, r, w, i, m, c, v: "
		     "\"7 10\"");
	expect_error(import_text(&din, "0 10zz\n"),
		     "@:1: more after the address: \"0 10zz\"");
	expect_error(import_text(&xdin, "r 10\n"),
		     "@:1: no hex size: \"r 10\"");
}

static void
test_csv(void **state)
{
	struct what named = { "csv", "csv.column=lbn", "csv.unit=512" };
	struct what kinds = { "csv", "csv.kind-column=2",
			      "csv.separator=blank" };
	struct what base16 = { "csv", "csv.base=16" };
	struct what third = { "csv", "csv.column=3" };

	(void)state;
	EXPECT(import_text(&csv, "# list\n16\n0x20\n\n18446744073709551614"),
	       { 16, 0, 1, SITE_LOAD, 0 }, { 0x20, 0, 1, SITE_LOAD, 0 },
	       { UINT64_MAX - 1, 0, 1, SITE_LOAD, 0 });
	EXPECT(import_text(&named, "v,op,lbn\r\n1,2a,3\r\n1,\"2,a\",\"4\"\r\n"),
	       { 1536, 0, 1, SITE_LOAD, 0 }, { 2048, 0, 1, SITE_LOAD, 0 });
	EXPECT(import_text(&kinds, "0x10   W\n0x20\tread\n"),
	       { 16, 0, 1, SITE_STORE, 0 }, { 32, 0, 1, SITE_LOAD, 0 });
	EXPECT(import_text(&third, "a,b,c\n1,2,3\n,,4\n"),
	       { 3, 0, 1, SITE_LOAD, 0 }, { 4, 0, 1, SITE_LOAD, 0 });
	EXPECT(import_text(&kinds, "  0x10 w \n"), { 16, 0, 1, SITE_STORE, 0 });
	EXPECT(import_text(&base16, "ff\n10\n"), { 255, 0, 1, SITE_LOAD, 0 },
	       { 16, 0, 1, SITE_LOAD, 0 });
	expect_error(import_text(&third, "1,2,\n"),
		     "@:1: the address is no number of 64 bits (hex without "
		     "0x needs base 16): \"1,2,\"");
	/* a quote in the wrong place must not shift the columns */
	assert_int_equal(import_text(&third, "1,2,3\n\"1\"2,3,4\n\"1\" ,2,x\n")
				 .error,
			 -EINVAL);
	EXPECT(import_text(&third, "\"1\"9,2,3\n \"1,5\" , 2 , \"7\" \n"),
	       { 3, 0, 1, SITE_LOAD, 0 }, { 7, 0, 1, SITE_LOAD, 0 });
	expect_error(import_bytes(&kinds, "0x10\0w\n", 7),
		     "@:1: too few columns: \"0x10\\x00w\"");
	expect_error(import_text(&named, "a,b\n1,2\n"),
		     "@:1: no column \"lbn\"");
	expect_error(import_text(&third, "1,2,3\n1,2\n"),
		     "@:2: too few columns: \"1,2\"");
	expect_error(import_text(&csv, "1\nff\n"),
		     "@:2: the address is no number of 64 bits (hex without "
		     "0x needs base 16): \"ff\"");
	expect_error(import_text(&csv, "1\n18446744073709551616\n"),
		     "@:2: the address is no number of 64 bits (hex without "
		     "0x needs base 16): \"18446744073709551616\"");
	EXPECT(import_text(&automatic, "7ffe10\ndeadbeef\n"),
	       { 0x7ffe10, 0, 1, SITE_LOAD, 0 },
	       { 0xdeadbeef, 0, 1, SITE_LOAD, 0 });
}

static void
test_lsgap(void **state)
{
	static const char text[] = "s 0x1fffff50 1\nl 0x1fffff7e 6\n";
	struct what what = { .format = "lsgap" };
	struct import import = import_text(&what, text);

	(void)state;
	assert_int_equal(import.instructions, 7);
	free(import.seen);
	EXPECT(import_text(&automatic, text),
	       { 0x1fffff50, 0, 4, SITE_STORE, 0 },
	       { 0x1fffff7e, 0, 2, SITE_LOAD, 0 });
	expect_error(import_text(&what, "l 0x10 -1\n"),
		     "@:1: no number of instructions: \"l 0x10 -1\"");
}

static void
put_word(char *record, size_t at, uint64_t value)
{
	memcpy(record + at, &value, sizeof(value));
}

static void
test_champsim(void **state)
{
	char records[3 * 64] = { 0 };
	struct what what = { .format = "champsim" };

	(void)state;
	put_word(records, 0, 0x401000);
	put_word(records, 16, 0x7000); /* stored only */
	put_word(records, 32, 0x8000); /* loaded only */
	put_word(records, 40, 0x903e); /* loaded and stored */
	put_word(records, 24, 0x903e);
	put_word(records + 64, 0, 0x401fff);
	records[64 + 8] = records[64 + 9] = 1;
	put_word(records + 128, 0, 0x402000);
	EXPECT(import_bytes(&what, records, sizeof(records)),
	       { 0x401000, 0x401000, 4, SITE_FETCH, 1 },
	       { 0x8000, 0x401000, 8, SITE_LOAD, 0 },
	       { 0x903e, 0x401000, 2, SITE_MODIFY, 0 },
	       { 0x7000, 0x401000, 8, SITE_STORE, 0 },
	       { 0x401fff, 0x401fff, 1, SITE_FETCH, 1 },
	       { 0x402000, 0x402000, 4, SITE_FETCH, 1 });
	expect_error(import_bytes(&what, records, sizeof(records) - 1),
		     "@: the last record is cut off at byte 128: 63 bytes of "
		     "64");
	records[64 + 8] = 2;
	expect_error(import_bytes(&what, records, sizeof(records)),
		     "@:byte 64: no ChampSim record: its branch flags are not "
		     "0 or 1");
	put_word(records, 0, 0);
	expect_error(import_bytes(&what, records, sizeof(records)),
		     "@:byte 0: no ChampSim record: its instruction pointer "
		     "is 0");
}

/* Each pair of asid bytes is a space of its own, found again later. */
static void
test_cloudsuite(void **state)
{
	char records[4 * 96] = { 0 };
	static const char asid[4] = { 5, 5, 9, 5 };
	static const unsigned space[4] = { 0, 0, 1, 0 };
	struct what what = { .format = "cloudsuite" };
	struct import import;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		put_word(records + 96 * i, 0, 0x1000 + 16 * i);
		put_word(records + 96 * i, 80, 0x2000); /* the fourth load */
		put_word(records + 96 * i, 48, 0x3000); /* the fourth store */
		records[96 * i + 88] = asid[i];
	}
	import = import_bytes(&what, records, sizeof(records));
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, 12);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(import.seen[i].space, space[i / 3]);
	assert_int_equal(import.seen[1].kind, SITE_LOAD);
	assert_int_equal(import.seen[2].kind, SITE_STORE);
	assert_int_equal(import.seen[11].address, 0x3000);
	free(import.seen);
}

static void
test_formats(void **state)
{
	struct what what = { .format = "lacky" };
	struct what set = { "lackey", "csv.column=1" };
	struct what unknown = { "csv", "csv.colum=1" };

	(void)state;
	expect_error(
		import_text(&what, ""),
		"import: unknown format \"lacky\"; did you mean \"lackey\"?");
	expect_error(import_text(&set, ""),
		     "--set csv.column=1: lackey has no options");
	assert_int_equal(import_text(&unknown, "").error, -EUSAGE);
	/* which column is not for us to guess */
	assert_int_equal(import_text(&automatic, "1,2\n3,4\n").error, -EINVAL);
	expect_error(import_text(&automatic, "hello\nworld\n"),
		     "@: no known trace format: it begins with \"hello\" (if "
		     "you know it, say --from FORMAT)");
	assert_int_equal(import_text(&lackey, "").error, 0);
}

/* More lines than a batch, more bytes than the buffer: nothing lost between */
static void
test_many(void **state)
{
	enum {
		LINES = 100000
	};
	char *text = malloc(LINES * 20), *at = text;
	struct import import;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < LINES; i++)
		at += sprintf(at, i % 3 ? " L %x,8\n" : "I  %x,2\n", i * 64);
	import = import_text(&lackey, text);
	assert_int_equal(import.error, 0);
	assert_int_equal(import.n, LINES);
	for (unsigned i = 0; i < LINES; i++) {
		assert_int_equal(import.seen[i].address, i * 64);
		assert_int_equal(import.seen[i].pc, (i - i % 3) * 64);
		assert_int_equal(import.seen[i].kind,
				 i % 3 ? SITE_LOAD : SITE_FETCH);
	}
	free(import.seen);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lackey),
		cmocka_unit_test(test_lackey_bad),
		cmocka_unit_test(test_keep_going),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_din),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_lsgap),
		cmocka_unit_test(test_champsim),
		cmocka_unit_test(test_cloudsuite),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_many),
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
