// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Option rows: what each type takes and refuses, that print and set agree, and
 * what messages say.  Judges: values written down here, and a recursive edit
 * distance as the plain twin of the nearest-name search.
 */
#include "analyzer/option.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct part {
	int64_t entries;
	uint64_t size;
	double ratio;
	int policy;
};

struct sample {
	bool loud;
	char *output;
	uint64_t duration, interval;
	char **set;
	struct part small, big;
};

static const char *const policies[] = { "lru", "fifo", "random", NULL };

static const struct option_row part_rows[] = {
	{ "entries", OPTION_INT, offsetof(struct part, entries), "64", 1, 4096,
	  .unit = "entries", .help = "how many" },
	{ "size", OPTION_SIZE, offsetof(struct part, size), "32K", 0, 1 << 20,
	  .unit = "bytes", .help = "how large" },
	{ "ratio", OPTION_REAL, offsetof(struct part, ratio), "0.5", -1, 1,
	  .help = "how much" },
	{ "policy", OPTION_CHOICE, offsetof(struct part, policy), "fifo",
	  .choices = policies, .help = "which" },
	{ NULL },
};

static const struct option_row top_rows[] = {
	{ "loud", OPTION_BOOL, offsetof(struct sample, loud), "yes",
	  .help = "say more" },
	{ "output", OPTION_STRING, offsetof(struct sample, output), NULL,
	  .help = "where to", .key = 'o', .argument = "FILE" },
	{ "duration", OPTION_TIME, offsetof(struct sample, duration), "2s",
	  .help = "how long" },
	{ "interval", OPTION_TIME, offsetof(struct sample, interval), "100",
	  .unit = "ms", .help = "how often" },
	{ "set", OPTION_LIST, offsetof(struct sample, set), NULL,
	  .help = "options" },
	{ NULL },
};

static const struct option_group groups[] = {
	{ "", top_rows, 0, "the whole" },
	{ "part.small", part_rows, offsetof(struct sample, small), "a part" },
	{ "part.big", part_rows, offsetof(struct sample, big), "a part" },
	{ NULL },
};

static const struct option_tree tree = { groups, sizeof(struct sample) };

/* What option_set says on stderr, without the newline; "" on success. */
static const char *
set(struct sample *sample, const char *name, const char *value)
{
	static char said[1024];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	n = option_set(&tree, sample, "test", name, value) ? 1 : 0;
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	if (fread(said, 1, sizeof(said) - 1, file) == 0)
		said[0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	fclose(file);
	assert_int_equal(n != 0, said[0] != '\0');
	return said;
}

static void
fallbacks_are_set(void **state)
{
	struct sample sample;

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_true(sample.loud);
	assert_null(sample.output);
	assert_int_equal(sample.duration, 2000000000);
	assert_int_equal(sample.interval, 100000000);
	assert_null(sample.set);
	assert_int_equal(sample.small.entries, 64);
	assert_int_equal(sample.big.size, 32768);
	assert_true(sample.big.ratio == 0.5);
	assert_int_equal(sample.big.policy, 1);
	option_fini(&tree, &sample);
}

static void
groups_are_set_apart(void **state)
{
	struct sample sample;

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_string_equal(set(&sample, "part.big.entries", "0x80"), "");
	assert_int_equal(sample.big.entries, 128);
	assert_int_equal(sample.small.entries, 64);
	option_fini(&tree, &sample);
}

static void
values_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "0", 0 },	   { "1", 1 },	       { "4k", 4096 },
		{ "4KB", 4096 },   { "4KiB", 4096 },   { "7B", 7 },
		{ "1M", 1 << 20 }, { "0x1000", 4096 },
	};
	static const struct {
		const char *text;
		uint64_t ns;
	} times[] = {
		{ "1", 1000000000 },
		{ "0.25", 250000000 },
		{ "10ns", 10 },
		{ "1.5us", 1500 },
		{ "3ms", 3000000 },
		{ "2m", 120000000000 },
		{ "1h", 3600000000000 },
		{ "9007199254740993ns", 9007199254740993 },
	};
	struct sample sample;

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_string_equal(set(&sample, "part.small.size",
					sizes[i].text),
				    "");
		assert_int_equal(sample.small.size, sizes[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		assert_string_equal(set(&sample, "duration", times[i].text),
				    "");
		assert_int_equal(sample.duration, times[i].ns);
	}
	assert_string_equal(set(&sample, "interval", "7"), "");
	assert_int_equal(sample.interval, 7000000);
	assert_string_equal(set(&sample, "interval", "1s"), "");
	assert_int_equal(sample.interval, 1000000000);
	assert_string_equal(set(&sample, "loud", "off"), "");
	assert_false(sample.loud);
	assert_string_equal(set(&sample, "part.small.ratio", "-1e-3"), "");
	assert_true(sample.small.ratio == -1e-3);
	assert_string_equal(set(&sample, "part.small.policy", "random"), "");
	assert_int_equal(sample.small.policy, 2);
	option_fini(&tree, &sample);
}

static void
strings_and_lists_are_owned(void **state)
{
	struct sample sample;
	char text[] = "a=1";

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_string_equal(set(&sample, "output", "x"), "");
	assert_string_equal(set(&sample, "output", "y"), "");
	assert_string_equal(sample.output, "y");
	assert_string_equal(set(&sample, "output", ""), "");
	assert_null(sample.output);
	assert_string_equal(set(&sample, "set", text), "");
	text[0] = 'b';
	assert_string_equal(set(&sample, "set", text), "");
	assert_string_equal(sample.set[0], "a=1");
	assert_string_equal(sample.set[1], "b=1");
	assert_null(sample.set[2]);
	option_fini(&tree, &sample);
	assert_null(sample.set);
}

static void
bad_values_are_refused_and_change_nothing(void **state)
{
	static const char *const bad[][2] = {
		{ "loud", "maybe" },
		{ "loud", "" },
		{ "part.small.entries", "" },
		{ "part.small.entries", " 5" },
		{ "part.small.entries", "5 " },
		{ "part.small.entries", "--5" },
		{ "part.small.entries", "0x" },
		{ "part.small.entries", "1e3" },
		{ "part.small.entries", "9223372036854775808" },
		{ "part.small.entries", "99999999999999999999" },
		{ "part.small.entries", "0" },
		{ "part.small.entries", "4097" },
		{ "part.small.size", "-1" },
		{ "part.small.size", "1KK" },
		{ "part.small.size", "iB" },
		{ "part.small.size", "1iB" },
		{ "part.small.size", "16777216T" },
		{ "part.small.size", "2M" },
		{ "part.small.ratio", "nan" },
		{ "part.small.ratio", "inf" },
		{ "part.small.ratio", "1.5" },
		{ "part.small.ratio", "0.5x" },
		{ "part.small.policy", "LRU" },
		{ "part.small.policy", "" },
		{ "duration", "-1s" },
		{ "duration", "1 s" },
		{ "duration", "s" },
		{ "duration", "1e30" },
		{ "nonsense", "1" },
		{ "part.small", "1" },
		{ "part.small.", "1" },
		{ "", "1" },
	};
	struct sample sample, before;

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	before = sample;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_string_not_equal(set(&sample, bad[i][0], bad[i][1]), "");
		assert_memory_equal(&sample, &before, sizeof(sample));
	}
	option_fini(&tree, &sample);
}

static void
messages_name_place_option_and_range(void **state)
{
	struct sample sample;

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_string_equal(set(&sample, "part.small.entries", "0"),
			    "pagescope: test: part.small.entries: 0 is out of "
			    "range (1 to 4096 entries)");
	assert_string_equal(set(&sample, "part.small.size", "2M"),
			    "pagescope: test: part.small.size: 2M is out of "
			    "range (0 to 1048576 bytes)");
	assert_string_equal(set(&sample, "part.small.policy", "lur"),
			    "pagescope: test: part.small.policy: \"lur\" is "
			    "not one of lru, fifo, random");
	assert_string_equal(set(&sample, "part.small.entreis", "1"),
			    "pagescope: test: unknown option "
			    "\"part.small.entreis\"; did you mean "
			    "\"part.small.entries\"?");
	assert_string_equal(set(&sample, "xyz", "1"),
			    "pagescope: test: unknown option \"xyz\"");
	option_fini(&tree, &sample);
}

struct compare {
	struct sample *other;
	unsigned rows;
};

static int
copy_as_text(void *context, const char *name, const struct option_row *row,
	     const void *struct_start)
{
	struct compare *compare = context;
	char text[64], again[64];
	size_t offset;
	int n = option_print(row, struct_start, text, sizeof(text));

	assert_int_equal(n, strlen(text));
	compare->rows++;
	if (row->type == OPTION_LIST)
		return 0;
	assert_int_equal(option_set(&tree, compare->other, "test", name, text),
			 0);
	assert_ptr_equal(option_find(&tree, name, &offset), row);
	option_print(row, (char *)compare->other + offset, again,
		     sizeof(again));
	assert_string_equal(text, again);
	return 0;
}

static void
what_is_printed_is_read_back(void **state)
{
	struct sample sample, other;
	struct compare compare = { &other, 0 };

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_int_equal(option_init(&tree, &other), 0);
	sample.loud = false;
	sample.output = strdup("a b\tc,d");
	sample.duration = 86400123456789;
	sample.interval = 0;
	sample.small.entries = 4096;
	sample.small.size = 12345;
	sample.small.ratio = 0.1 + 0.2;
	sample.big.ratio = DBL_MIN;
	sample.big.policy = 2;
	assert_int_equal(option_each(&tree, &sample, copy_as_text, &compare),
			 0);
	assert_int_equal(compare.rows, 13);
	assert_false(other.loud);
	assert_string_equal(other.output, sample.output);
	assert_int_equal(other.duration, sample.duration);
	assert_int_equal(other.interval, sample.interval);
	assert_memory_equal(&other.small, &sample.small, sizeof(struct part));
	assert_memory_equal(&other.big, &sample.big, sizeof(struct part));
	option_fini(&tree, &sample);
	option_fini(&tree, &other);
}

static void
short_buffers_are_kept(void **state)
{
	struct sample sample;
	char text[4] = "???";

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_string_equal(set(&sample, "set", "one"), "");
	assert_string_equal(set(&sample, "set", "two"), "");
	assert_int_equal(option_print(&top_rows[4], &sample, text, 4), 7);
	assert_string_equal(text, "one");
	assert_int_equal(option_print(&top_rows[4], &sample, NULL, 0), 7);
	assert_int_equal(option_domain(&part_rows[3], text, 4), 15);
	assert_string_equal(text, "lru");
	option_fini(&tree, &sample);
}

static void
domains_say_what_may_be_given(void **state)
{
	char text[64];

	(void)state;
	option_domain(&part_rows[0], text, sizeof(text));
	assert_string_equal(text, "1..4096");
	option_domain(&part_rows[3], text, sizeof(text));
	assert_string_equal(text, "lru|fifo|random");
	option_domain(&top_rows[1], text, sizeof(text));
	assert_string_equal(text, "FILE");
	option_domain(&top_rows[2], text, sizeof(text));
	assert_string_equal(text, "TIME");
}

static void
assignments_are_split_at_the_first_equals(void **state)
{
	struct sample sample;

	(void)state;
	assert_int_equal(option_init(&tree, &sample), 0);
	assert_int_equal(option_assign(&tree, &sample, "t", "output=a=b"), 0);
	assert_string_equal(sample.output, "a=b");
	assert_int_equal(option_assign(&tree, &sample, "t", "output"), -EINVAL);
	assert_int_equal(option_assign(&tree, &sample, "t", "=x"), -EINVAL);
	option_fini(&tree, &sample);
}

/* The definition, by recursion. */
static size_t
plain_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t least, other;

	if (!n || !m)
		return n + m;
	least = plain_distance(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
	other = plain_distance(a, n - 1, b, m) + 1;
	least = other < least ? other : least;
	other = plain_distance(a, n, b, m - 1) + 1;
	least = other < least ? other : least;
	if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
		other = plain_distance(a, n - 2, b, m - 2) + 1;
		least = other < least ? other : least;
	}
	return least;
}

static void
nearest_names_match_the_definition(void **state)
{
	static const char *const names[] = {
		"replay", "report", "record", "import", "info",
		"dump",	  "verify", "check",  "plot",	"config",
	};
	static const char *const typed[] = {
		"repaly", "rport", "cord", "checks", "polt",
		"inof",	  "zzz",   "",	   "verfy",  "impotr",
	};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(typed); t++) {
		const char *expected = NULL;
		size_t best = SIZE_MAX, n = strlen(typed[t]);

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			size_t d = plain_distance(typed[t], n, names[i],
						  strlen(names[i]));

			if (d * 3 <= n && d < best) {
				best = d;
				expected = names[i];
			}
		}
		assert_ptr_equal(option_nearest(typed[t], names,
						ARRAY_SIZE(names)),
				 expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fallbacks_are_set),
		cmocka_unit_test(groups_are_set_apart),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(strings_and_lists_are_owned),
		cmocka_unit_test(bad_values_are_refused_and_change_nothing),
		cmocka_unit_test(messages_name_place_option_and_range),
		cmocka_unit_test(what_is_printed_is_read_back),
		cmocka_unit_test(short_buffers_are_kept),
		cmocka_unit_test(domains_say_what_may_be_given),
		cmocka_unit_test(assignments_are_split_at_the_first_equals),
		cmocka_unit_test(nearest_names_match_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
