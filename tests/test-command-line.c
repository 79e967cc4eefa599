// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The grammar of a verb's command line, the text of help on any terminal width
 * and the line of progress.
 */
#include "analyzer/command-line.h"
#include "analyzer/page.h"
#include "analyzer/progress.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config {
	bool follow, no_wait, quiet;
	char *output;
	int64_t count;
	char **set;
	int64_t deep;
};

static const struct option_row rows[] = {
	{ "follow", OPTION_BOOL, offsetof(struct config, follow), "yes",
	  .help = "go along" },
	{ "no-wait", OPTION_BOOL, offsetof(struct config, no_wait),
	  .help = "hurry" },
	{ "quiet", OPTION_BOOL, offsetof(struct config, quiet), .key = 'q',
	  .help = "say less" },
	{ "output", OPTION_STRING, offsetof(struct config, output), .key = 'o',
	  .argument = "FILE", .help = "where to" },
	{ "count", OPTION_INT, offsetof(struct config, count), "7", 1, 100,
	  .help = "how many" },
	{ "set", OPTION_LIST, offsetof(struct config, set), .help = "more" },
	{ NULL },
};
static const struct option_row deep_rows[] = {
	{ "depth", OPTION_INT, offsetof(struct config, deep), .help = "deep" },
	{ NULL },
};
static const struct option_group groups[] = {
	{ "", rows, 0, "Top" },
	{ "a.b", deep_rows, 0, "Deep" },
	{ NULL },
};
static const struct option_tree tree = { groups, sizeof(struct config) };

static const struct verb_ops plain = { .name = "plain", .options = &tree };
static const struct verb_ops command = { .name = "command",
					 .options = &tree,
					 .command = true };
static const struct verb_ops bare = { .name = "bare" };

struct case_ {
	const struct verb_ops *verb;
	const char *typed;	/* words, split at blanks */
	const char *positional; /* joined by blanks */
	const char *said;	/* NULL: good */
};

static int
parse(struct command_line *line, const struct verb_ops *verb, char *words,
      char *said, size_t said_bytes)
{
	char *argv[32] = { (char *)(uintptr_t)verb->name }, *save = NULL;
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO), argc = 1, error;

	for (char *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	error = command_line_init(line, verb, argc, argv);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	if (!fgets(said, (int)said_bytes, file))
		said[0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	fclose(file);
	return error;
}

static void
positionals_stay_in_order(void **state)
{
	static const struct case_ cases[] = {
		{ &plain, "", "" },
		{ &plain, "a b", "a b" },
		{ &plain, "a -q b --count 3 c", "a b c" },
		{ &plain, "a -- -q b", "a -q b" },
		{ &plain, "- -o -", "-" },
		{ &command, "-q cmd -q --nonsense", "cmd -q --nonsense" },
		{ &command, "-q -- -cmd -o x", "-cmd -o x" },
		{ &bare, "a b", "a b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char words[256], joined[256] = "", said[256];
		struct command_line line;

		snprintf(words, sizeof(words), "%s", cases[i].typed);
		assert_int_equal(parse(&line, cases[i].verb, words, said,
				       sizeof(said)),
				 0);
		for (int w = 0; w < line.argc; w++) {
			strcat(joined, w ? " " : "");
			strcat(joined, line.argv[w]);
		}
		assert_null(line.argv[line.argc]);
		assert_string_equal(joined, cases[i].positional);
		command_line_fini(&line, cases[i].verb);
	}
}

static void
options_are_set(void **state)
{
	char words[] = "--no-follow --wait=no -q --output=x --set a=1 "
		       "--coun 9 --set b=2 --a.b.depth 4";
	struct command_line line;
	const struct config *config;
	char said[256];

	(void)state;
	assert_int_equal(parse(&line, &plain, words, said, sizeof(said)),
			 -EINVAL);
	assert_string_equal(
		said, "pagescope: plain: option \"--wait=no\" takes no value");
	strcpy(words, "--no-follow --no-wait -qo x --set a=1 --coun 9 "
		      "--set b=2 --a.b.depth 4");
	assert_int_equal(parse(&line, &plain, words, said, sizeof(said)), 0);
	config = line.config;
	assert_false(config->follow);
	assert_true(config->no_wait);
	assert_true(config->quiet);
	assert_string_equal(config->output, "x");
	assert_int_equal(config->count, 9);
	assert_string_equal(config->set[0], "a=1");
	assert_string_equal(config->set[1], "b=2");
	assert_int_equal(config->deep, 4);
	command_line_fini(&line, &plain);
	strcpy(words, "--no-wait --wait --quiet=no --follow=off");
	assert_int_equal(parse(&line, &plain, words, said, sizeof(said)), 0);
	config = line.config;
	assert_false(config->no_wait);
	assert_false(config->quiet);
	assert_false(config->follow);
	command_line_fini(&line, &plain);
}

static void
mistakes_are_said(void **state)
{
	static const struct case_ cases[] = {
		{ &plain, "--outptu x", NULL,
		  "plain: unknown option \"--outptu\"; did you mean "
		  "\"--output\"?" },
		{ &plain, "a --zzzzz=3", NULL,
		  "plain: unknown option \"--zzzzz\"; see \"pagescope plain "
		  "--help\"" },
		{ &plain, "--no-", NULL,
		  "plain: option \"--no-\" is short for several: "
		  "--no-follow, --no-wait, --no-quiet" },
		{ &plain, "-qz", NULL,
		  "plain: unknown option \"-z\"; see \"pagescope plain "
		  "--help\"" },
		{ &plain, "a -o", NULL, "plain: option \"-o\" needs a value" },
		{ &plain, "--count", NULL,
		  "plain: option \"--count\" needs a value" },
		{ &plain, "--count x", NULL,
		  "plain: --count: \"x\" is not a whole number" },
		{ &plain, "--count=101", NULL,
		  "plain: --count: 101 is out of range (1 to 100)" },
		{ &plain, "--quiet=2", NULL,
		  "plain: --quiet: \"2\" is not true or false" },
		{ &plain, "--help=3", NULL,
		  "plain: option \"--help=3\" takes no value" },
		{ &bare, "--count 3", NULL,
		  "bare: unknown option \"--count\"; see \"pagescope bare "
		  "--help\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char words[256], said[256];
		struct command_line line;

		snprintf(words, sizeof(words), "%s", cases[i].typed);
		assert_int_equal(parse(&line, cases[i].verb, words, said,
				       sizeof(said)),
				 -EINVAL);
		assert_string_equal(said + strlen("pagescope: "),
				    cases[i].said);
	}
}

static void
help_comes_first(void **state)
{
	char words[64], said[256];
	struct command_line line;

	(void)state;
	strcpy(words, "a --help --nonsense");
	assert_int_equal(parse(&line, &plain, words, said, sizeof(said)), 0);
	assert_true(line.help);
	command_line_fini(&line, &plain);
	strcpy(words, "-h");
	assert_int_equal(parse(&line, &bare, words, said, sizeof(said)), 0);
	assert_true(line.help);
	command_line_fini(&line, &bare);
	strcpy(words, "cmd --help");
	assert_int_equal(parse(&line, &command, words, said, sizeof(said)), 0);
	assert_false(line.help);
	command_line_fini(&line, &command);
}

/* Text that troff would take for its own reaches the reader as it is. */
static void
man_pages_are_escaped(void **state)
{
	static const struct verb_ops verb = {
		.name = "x-y",
		.help = "does",
		.arguments = ".A \\B",
		.details = "'quoted\n.dotted -o a\\b\n\n  .kept\n",
	};
	const struct page_list none = { 0 };
	char text[4096];
	struct page page = { &page_man_ops, fmemopen(text, sizeof(text), "w"),
			     &none };

	(void)state;
	assert_non_null(page.file);
	page_verb(&page, &verb);
	fclose(page.file);
	assert_non_null(strstr(text, "\n\\&'quoted\n\\&.dotted \\-o a\\eb\n"));
	assert_non_null(strstr(text, "\n  .kept\n"));
	assert_non_null(strstr(text, "\n\\&.A \\eB\n"));
}

static void
progress_says_how_far(void **state)
{
	char text[256];

	(void)state;
	progress_text("replay", 25, 100, 50000000, 1000000000, text,
		      sizeof(text));
	assert_string_equal(text,
			    "replay   25 %  50.0 M accesses  50.0 M/s  0:03 "
			    "left");
	progress_text("record", 0, 0, 1500000, 0, text, sizeof(text));
	assert_string_equal(text, "record  1.5 M accesses");
	progress_text("replay", 200, 100, 1000000, 2000000000, text,
		      sizeof(text));
	assert_string_equal(text, "replay  100 %  1.0 M accesses  0.5 M/s  "
				  "0:00 left");
}

static void
progress_waits_and_wipes(void **state)
{
	struct progress progress;
	char text[256] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	progress_init_fd(&progress, "replay", ends[1]);
	progress_update(&progress, 1, 2, 3);
	assert_false(progress.shown);
	progress.start_ns -= 10000000000;
	progress_update(&progress, 1, 2, 3);
	progress_update(&progress, 1, 2, 3);
	progress_fini(&progress);
	close(ends[1]);
	assert_int_equal(read(ends[0], text, sizeof(text) - 1),
			 strlen("\r\033[Kreplay   50 %  0.0 M accesses  0.0 "
				"M/s  0:10 left\r\033[K"));
	close(ends[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positionals_stay_in_order),
		cmocka_unit_test(options_are_set),
		cmocka_unit_test(mistakes_are_said),
		cmocka_unit_test(help_comes_first),
		cmocka_unit_test(man_pages_are_escaped),
		cmocka_unit_test(progress_says_how_far),
		cmocka_unit_test(progress_waits_and_wipes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
