// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The step engine against programs whose accesses are known one by one: the
 * hand-written programs carry their expectations in a section (step-expect.inc).
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step-watch.h"
#include "tracers/tracer.h"

struct expected {
	uint64_t pc, address;
	uint32_t size, kind;
};

struct expectations {
	struct expected *expected; /* owned */
	size_t n;
	bool *met; /* owned */
};

/* Programs stand beside this one */
static char *
program(const char *name)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	assert_true(n > 0);
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash + 1, name);
	return path;
}

static void
read_expectations(const char *path, struct expectations *all)
{
	int fd = open(path, O_RDONLY);
	Elf_Scn *section = NULL;
	size_t names;
	Elf *elf;

	assert_true(fd >= 0);
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;

		gelf_getshdr(section, &header);
		if (strcmp(elf_strptr(elf, names, header.sh_name), ".expect"))
			continue;
		data = elf_rawdata(section, NULL);
		all->n = data->d_size / sizeof(*all->expected);
		all->expected = malloc(data->d_size);
		all->met = calloc(all->n, sizeof(bool));
		assert_true(all->expected && all->met);
		memcpy(all->expected, data->d_buf, data->d_size);
	}
	elf_end(elf);
	close(fd);
	assert_true(all->n > 0);
}

/* The first expectation of this instruction that was not met yet; fetches of
 * blocks that are not described are let pass */
static const struct expected *
next_expected(struct expectations *all, const struct step_access *access)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct expected *expected = &all->expected[i];

		if (!all->met[i] && expected->pc == access->pc &&
		    (expected->kind == SITE_FETCH) ==
			    (access->kind == SITE_FETCH)) {
			all->met[i] = true;
			return expected;
		}
	}
	return NULL;
}

static void
check_access(struct expectations *all, const struct step_access *access)
{
	const struct expected *expected = next_expected(all, access);
	uint32_t size = access->size;

	if (!expected && access->kind == SITE_FETCH)
		return;
	if (!expected)
		fail_msg("unexpected: pc %llx %u bytes at %llx kind %u",
			 (unsigned long long)access->pc, size,
			 (unsigned long long)access->address, access->kind);
	if (access->kind == SITE_FETCH)
		size |= access->instructions << 16;
	if (expected->address != access->address || expected->size != size ||
	    expected->kind != access->kind)
		fail_msg(
			"pc %llx: expected %x bytes at %llx kind %u, got %x at %llx kind %u",
			(unsigned long long)access->pc, expected->size,
			(unsigned long long)expected->address, expected->kind,
			size, (unsigned long long)access->address,
			access->kind);
}

static void
check_program(const char *name)
{
	char *argv[] = { program(name), NULL };
	struct expectations all = { 0 };
	struct step_run run;

	read_expectations(argv[0], &all);
	assert_int_equal(step_run(&run, "step", argv), 0);
	assert_true(WIFEXITED(run.status));
	assert_int_equal(WEXITSTATUS(run.status), 7);
	for (size_t i = 0; i < run.n; i++)
		check_access(&all, &run.access[i]);
	for (size_t i = 0; i < all.n; i++)
		if (!all.met[i])
			fail_msg("missing: pc %llx %x bytes at %llx kind %u",
				 (unsigned long long)all.expected[i].pc,
				 all.expected[i].size,
				 (unsigned long long)all.expected[i].address,
				 all.expected[i].kind);
	free(all.expected);
	free(all.met);
	step_run_close(&run);
}

static void
test_operands_of_the_base_instruction_set(void **state)
{
	(void)state;
	check_program("step-base");
}

static void
test_masked_moves_and_gathers_of_avx2(void **state)
{
	(void)state;
	if (!__builtin_cpu_supports("avx2")) {
		printf("skipped: this processor has no AVX2\n");
		skip();
	}
	check_program("step-avx2");
}

static void
test_masks_and_scatters_of_avx512(void **state)
{
	(void)state;
	if (!__builtin_cpu_supports("avx512f") ||
	    !__builtin_cpu_supports("avx512vl")) {
		printf("skipped: this processor has no AVX-512\n");
		skip();
	}
	check_program("step-avx512");
}

/* A fetch stands before the accesses of its block, and holds their pcs */
static void
test_blocks_come_before_their_data(void **state)
{
	char *argv[] = { program("step-base"), NULL };
	uint64_t start = 0, end = 0;
	struct step_run run;

	(void)state;
	assert_int_equal(step_run(&run, "step", argv), 0);
	assert_true(run.n > 100);
	for (size_t i = 0; i < run.n; i++) {
		const struct step_access *access = &run.access[i];

		if (access->kind == SITE_FETCH) {
			start = access->pc;
			end = start + access->size;
			assert_int_equal(access->address, start);
			/* Never over a page's end */
			assert_int_equal(start >> 12, (end - 1) >> 12);
		} else {
			assert_in_range(access->pc, start, end - 1);
		}
	}
	step_run_close(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operands_of_the_base_instruction_set),
		cmocka_unit_test(test_masked_moves_and_gathers_of_avx2),
		cmocka_unit_test(test_masks_and_scatters_of_avx512),
		cmocka_unit_test(test_blocks_come_before_their_data),
	};
	char why[256];

	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, "step") &&
		    tracer_registry[i]->probe(why, sizeof(why))) {
			printf("skipped: %s\n", why);
			return 77;
		}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
