// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Configuration files: what is set, what is said (file, line, option, range).
 */
#include "analyzer/config-file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct level {
	int64_t entries;
	uint64_t size;
	double ratio;
	int policy;
};

struct machine {
	bool loud;
	char *name;
	char **notes;
	struct level l1d, l1d_2m;
};

static const char *const policies[] = { "lru", "tree-plru", NULL };

static const struct option_row level_rows[] = {
	{ "entries", OPTION_INT, offsetof(struct level, entries), "64", 0,
	  4294967296.0, .unit = "entries" },
	{ "size", OPTION_SIZE, offsetof(struct level, size) },
	{ "ratio", OPTION_REAL, offsetof(struct level, ratio) },
	{ "policy", OPTION_CHOICE, offsetof(struct level, policy),
	  .choices = policies },
	{ NULL },
};

static const struct option_row top_rows[] = {
	{ "loud", OPTION_BOOL, offsetof(struct machine, loud) },
	{ "name", OPTION_STRING, offsetof(struct machine, name) },
	{ "notes", OPTION_LIST, offsetof(struct machine, notes) },
	{ NULL },
};

static const struct option_group groups[] = {
	{ "", top_rows, 0 },
	{ "tlb.l1d", level_rows, offsetof(struct machine, l1d) },
	{ "tlb.l1d-2m", level_rows, offsetof(struct machine, l1d_2m) },
	{ NULL },
};

static const struct option_tree tree = { groups, sizeof(struct machine) };

/* What loading the text says; "" when it succeeds. */
static const char *
load(struct machine *machine, const char *text)
{
	static char said[1024];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO), error;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	error = config_load_text(&tree, machine, "F.cfg", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	if (!fgets(said, sizeof(said), file))
		said[0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	fclose(file);
	assert_int_equal(error != 0, said[0] != '\0');
	return said;
}

static void
groups_are_dotted_names(void **state)
{
	struct machine machine;

	(void)state;
	assert_int_equal(option_init(&tree, &machine), 0);
	assert_string_equal(
		load(&machine,
		     "# 1 /* \n// 2\n/* 3 \" */ loud = true; name : \"a 5\";\n"
		     "tlb: { l1d = { entries = 128, policy = \"tree-plru\"; };"
		     " l1d-2m = { entries = 0x20; size = \"2M\";"
		     " ratio = 1e-2 } };"
		     "notes = [ \"x\", \"y = 1\" ];"),
		"");
	assert_true(machine.loud);
	assert_string_equal(machine.name, "a 5");
	assert_int_equal(machine.l1d.entries, 128);
	assert_int_equal(machine.l1d.policy, 1);
	assert_int_equal(machine.l1d_2m.entries, 32);
	assert_int_equal(machine.l1d_2m.size, 2 << 20);
	assert_true(machine.l1d_2m.ratio == 1e-2);
	assert_string_equal(machine.notes[1], "y = 1");
	assert_null(machine.notes[2]);
	option_fini(&tree, &machine);
}

/* libconfig 1.5 cuts 3000000000 to -1294967296 and says nothing. */
static void
large_integers_are_whole(void **state)
{
	struct machine machine;

	(void)state;
	assert_int_equal(option_init(&tree, &machine), 0);
	assert_string_equal(load(&machine, "tlb.l1d = 1;"),
			    "pagescope: F.cfg:1: syntax error");
	assert_string_equal(load(&machine,
				 "tlb = { l1d = { entries = 3000000000; size ="
				 " 17179869184; ratio = 1.5e+3 };"
				 " l1d-2m = { size = 0x400000000L;"
				 " entries = 4294967295 } };"),
			    "");
	assert_int_equal(machine.l1d.entries, 3000000000);
	assert_int_equal(machine.l1d.size, 17179869184);
	assert_true(machine.l1d.ratio == 1500);
	assert_int_equal(machine.l1d_2m.size, 17179869184);
	assert_int_equal(machine.l1d_2m.entries, 4294967295);
	option_fini(&tree, &machine);
}

static void
mistakes_are_placed(void **state)
{
	static const char *const cases[][2] = {
		{ "loud = true;\n\ntlb = { l1d = {\nentries = -1; }; };",
		  "pagescope: F.cfg:4: tlb.l1d.entries: -1 is out of range "
		  "(0 to 4294967296 entries)" },
		{ "tlb = { l1d = { ways = 4; }; };",
		  "pagescope: F.cfg:1: unknown option \"tlb.l1d.ways\"; did "
		  "you mean \"tlb.l1d.size\"?" },
		{ "\ntlb = { l1dd = { entries = 4; }; };",
		  "pagescope: F.cfg:2: unknown option \"tlb.l1dd.entries\"; "
		  "did you mean \"tlb.l1d.entries\"?" },
		{ "tlb = { l1d = { entries = 1.5; }; };",
		  "pagescope: F.cfg:1: tlb.l1d.entries: \"1.5\" is not a "
		  "whole number" },
		{ "tlb = { l1d = { policy = \"plru\"; }; };",
		  "pagescope: F.cfg:1: tlb.l1d.policy: \"plru\" is not one of "
		  "lru, tree-plru" },
		{ "tlb = { l1d = { entries = [1, 2]; }; };",
		  "pagescope: F.cfg:1: tlb.l1d.entries takes one value, not a "
		  "list" },
		{ "notes = ( \"a\", { b = 1; } );",
		  "pagescope: F.cfg:1: notes: a list may hold only plain "
		  "values" },
		{ "loud = true\nname = \n",
		  "pagescope: F.cfg:3: syntax error" },
		{ "loud = true;\nloud = false;",
		  "pagescope: F.cfg:2: duplicate setting name" },
		{ "loud = true;\n  @include \"/etc/passwd\"",
		  "pagescope: F.cfg:2: @include is not supported" },
		{ "name = \"unended",
		  "pagescope: F.cfg:1: this string has no end" },
		{ "name =\n\"a\\",
		  "pagescope: F.cfg:2: this string has no end" },
		{ "\n\n/* unended",
		  "pagescope: F.cfg:3: this comment has no end" },
		{ "tlb = { l1d = { entries = 9223372036854775808; }; };",
		  "pagescope: F.cfg:1: tlb.l1d.entries: 9223372036854775807 is "
		  "out of range (0 to 4294967296 entries)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine machine;

		assert_int_equal(option_init(&tree, &machine), 0);
		assert_string_equal(load(&machine, cases[i][0]), cases[i][1]);
		option_fini(&tree, &machine);
	}
}

static void
files_are_read_or_refused(void **state)
{
	char path[] = "/tmp/pagescope-test-XXXXXX";
	struct machine machine;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(option_init(&tree, &machine), 0);
	assert_int_equal(write(fd, "loud = true;", 12), 12);
	assert_int_equal(config_load(&tree, &machine, path), 0);
	assert_true(machine.loud);
	assert_int_equal(write(fd, "\0name = \"x\";", 12), 12);
	assert_int_equal(config_load(&tree, &machine, path), -EINVAL);
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	assert_int_equal(config_load(&tree, &machine, path), -EINVAL);
	close(fd);
	unlink(path);
	assert_int_equal(config_load(&tree, &machine, path), -ENOENT);
	assert_int_equal(config_load(&tree, &machine, "/tmp"), -EISDIR);
	option_fini(&tree, &machine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_are_dotted_names),
		cmocka_unit_test(large_integers_are_whole),
		cmocka_unit_test(mistakes_are_placed),
		cmocka_unit_test(files_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
