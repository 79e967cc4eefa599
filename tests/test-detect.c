// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Detection from recorded and made-up CPUID leaves: AMD's TLB leaves, Intel's
 * leaf 18h and the descriptors of leaf 2h, caches by leaf 4h and by files, what
 * a hypervisor hides, and a core that nobody knows.
 */
#include "analyzer/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the above */
#include <cmocka.h>

struct leaf {
	uint32_t leaf, subleaf, r[4];
};

/* A list that ends with a leaf of all ones; what is not there is 0. */
static void
cpuid_of(void *context, uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	const struct leaf *at = context;

	memset(registers, 0, 4 * sizeof(*registers));
	for (; at->leaf != UINT32_MAX; at++)
		if (at->leaf == leaf && at->subleaf == subleaf)
			memcpy(registers, at->r, sizeof(at->r));
}

static const char *
value_of(const struct detected *detected, const char *option)
{
	const char *found = "-";

	for (size_t i = 0; i < detected->n; i++)
		if (!strcmp(detected->figure[i].option, option)) {
			/* told once */
			assert_string_equal(found, "-");
			found = detected->figure[i].value;
		}
	return found;
}

static void
is(const struct detected *detected, const char *option, const char *want)
{
	if (strcmp(value_of(detected, option), want) != 0)
		fail_msg("%s is %s, not %s", option, value_of(detected, option),
			 want);
}

static bool
remarks(const struct detected *detected, const char *words)
{
	for (size_t i = 0; i < detected->n_remarks; i++)
		if (strstr(detected->remark[i], words))
			return true;
	return false;
}

static void
look(struct leaf *leaves, const char *root, struct detected *out)
{
	const struct detect_host host = { root, leaves ? cpuid_of : NULL,
					  leaves };

	detect(&host, out);
}

#define AMD	 0x68747541, 0x444d4163, 0x69746e65
#define INTEL	 0x756e6547, 0x6c65746e, 0x49656e69
#define NO_FILES "/nonexistent"
#define LAST_LEAF              \
	{                      \
		UINT32_MAX, 0, \
		{              \
			0      \
		}              \
	}

/* As this program was developed on: a Zen 3 under KVM, which hides leaf
 * 8000_0019h; recorded. */
static struct leaf zen3[] = {
	{ 0, 0, { 0xd, AMD } },
	{ 1, 0, { 0x00a00f11, 0x01020800, 0xfffa3203, 0x178bfbff } },
	{ 7, 0, { 0, 0x219c07ab, 0x00400684, 0x10 } },
	{ 0x80000000, 0, { 0x80000021, AMD } },
	{ 0x80000001, 0, { 0x00a00f11, 0, 0x00c003f7, 0x2fd3fbff } },
	{ 0x80000005, 0, { 0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140 } },
	{ 0x80000006, 0, { 0x48002200, 0x68004200, 0x02006140, 0x08009140 } },
	{ 0x8000001d, 0, { 0x00000121, 0x01c0003f, 0x3f, 0 } },
	{ 0x8000001d, 1, { 0x00000122, 0x01c0003f, 0x3f, 0 } },
	{ 0x8000001d, 2, { 0x00000143, 0x01c0003f, 0x3ff, 2 } },
	{ 0x8000001d, 3, { 0x00004163, 0x03c0003f, 0x7fff, 1 } },
	LAST_LEAF,
};

static void
amd_under_a_hypervisor(void **state)
{
	struct detected detected;

	(void)state;
	look(zen3, NO_FILES, &detected);
	assert_string_equal(detected.preset, "zen3");
	assert_string_equal(detected.identity,
			    "AuthenticAMD family 25 model 1 stepping 1");
	is(&detected, "tlb.l1d.entries", "64");
	is(&detected, "tlb.l1d.ways", "0");
	is(&detected, "tlb.l1d-2m.entries", "0");
	is(&detected, "tlb.l1i.entries", "64");
	is(&detected, "tlb.l2.entries", "2048");
	is(&detected, "tlb.l2.ways", "8");
	is(&detected, "tlb.l2.sizes", "4k+2m");
	is(&detected, "tlb.l2i.entries", "512");
	is(&detected, "tlb.l2i.ways", "4");
	/* what is hidden stays the preset's */
	is(&detected, "tlb.l1d.sizes", "-");
	is(&detected, "tlb.l1d-1g.entries", "-");
	is(&detected, "tlb.l2-1g.entries", "-");
	assert_true(remarks(&detected, "8000_0019h is empty"));
	assert_true(remarks(&detected, "hypervisor"));
	is(&detected, "table.levels", "4");
	is(&detected, "tlb.asids", "-");
	is(&detected, "cache.l1d.size", "32768");
	is(&detected, "cache.l1d.ways", "8");
	is(&detected, "cache.l2.size", "524288");
	is(&detected, "cache.l3.size", "33554432");
	is(&detected, "cache.l3.ways", "16");
}

static void
amd_by_itself(void **state)
{
	static struct leaf leaves[ARRAY_SIZE(zen3) + 1];
	struct detected detected;

	(void)state;
	memcpy(leaves + 1, zen3, sizeof(zen3));
	/* 64 fully associative entries of each side, 64 of the second level for
	 * data alone: the leaf as it was published of the same core (Firecracker's
	 * cpuid -r on an m6a.metal: family 25, model 1) */
	leaves[0] = (struct leaf){ 0x80000019,
				   0,
				   { 0xf040f040, 0xf0400000, 0, 0 } };
	leaves[2].r[2] &= ~(UINT32_C(1) << 31 | 1 << 17);
	look(leaves, NO_FILES, &detected);
	is(&detected, "tlb.l1d.sizes", "4k+2m+1g");
	is(&detected, "tlb.l1i.sizes", "4k+2m+1g");
	is(&detected, "tlb.l1d-1g.entries", "0");
	is(&detected, "tlb.l2-1g.entries", "64");
	is(&detected, "tlb.l2-1g.ways", "0");
	is(&detected, "tlb.asids", "0");
	assert_false(remarks(&detected, "hypervisor"));
	assert_false(remarks(&detected, "empty"));
}

/* Leaves 2h and 4h of a Skylake client: as people have published them, by cpuid -r, of
 * families 6 models 5eh, 8eh and 9eh alike */
static struct leaf skylake[] = {
	{ 0, 0, { 0x16, INTEL } },
	{ 1, 0, { 0x000506e3, 0, 1 << 17, 0 } },
	{ 2, 0, { 0x76036301, 0x00f0b5ff, 0, 0x00c30000 } },
	{ 4, 0, { 0x1c004121, 0x01c0003f, 0x3f, 0 } },
	{ 4, 1, { 0x1c004122, 0x01c0003f, 0x3f, 0 } },
	{ 4, 2, { 0x1c004143, 0x00c0003f, 0x3ff, 0 } },
	{ 4, 3, { 0x1c03c163, 0x03c0003f, 0x1fff, 6 } },
	LAST_LEAF,
};

static void
intel_descriptors(void **state)
{
	struct detected detected;

	(void)state;
	look(skylake, NO_FILES, &detected);
	assert_string_equal(detected.preset, "skylake-sp");
	is(&detected, "tlb.l1d.entries", "64");
	is(&detected, "tlb.l1d.ways", "4");
	is(&detected, "tlb.l1d.sizes", "4k");
	is(&detected, "tlb.l1d-2m.entries", "32");
	is(&detected, "tlb.l1d-1g.entries", "4");
	is(&detected, "tlb.l1i.entries", "64");
	is(&detected, "tlb.l1i.ways", "8");
	is(&detected, "tlb.l1i-2m.entries", "8");
	is(&detected, "tlb.l1i-2m.ways", "0");
	is(&detected, "tlb.l1i-1g.entries", "0");
	is(&detected, "tlb.l2.entries", "1536");
	is(&detected, "tlb.l2.sizes", "4k+2m");
	is(&detected, "tlb.l2-1g.entries", "16");
	is(&detected, "tlb.l2i.entries", "0");
	is(&detected, "cache.l2.size", "262144");
	is(&detected, "cache.l2.ways", "4");
	is(&detected, "cache.l3.size", "8388608");
}

/* Leaf 2h of a Xeon E5 v3, as published: no second level for 1G */
static void
intel_descriptors_of_haswell(void **state)
{
	static struct leaf leaves[] = {
		{ 0, 0, { 0xd, INTEL } },
		{ 1, 0, { 0x000306f2, 0x00010800, 0xfffa3203, 0x178bfbff } },
		{ 2, 0, { 0x76036301, 0x00f0b5ff, 0, 0x00c10000 } },
		{ 4, 0, { 0x00004121, 0x01c0003f, 0x3f, 0 } },
		{ 4, 1, { 0x00004122, 0x01c0003f, 0x3f, 0 } },
		LAST_LEAF,
	};
	struct detected detected;

	(void)state;
	look(leaves, NO_FILES, &detected);
	assert_string_equal(detected.preset, "haswell");
	is(&detected, "tlb.l1d.entries", "64");
	is(&detected, "tlb.l1d-2m.entries", "32");
	is(&detected, "tlb.l1d-1g.entries", "4");
	is(&detected, "tlb.l2.entries", "1024");
	is(&detected, "tlb.l2.ways", "8");
	is(&detected, "tlb.l2.sizes", "4k+2m");
	is(&detected, "tlb.l2-1g.entries", "0");
	is(&detected, "tlb.l1i.entries", "64");
	is(&detected, "tlb.l1i.ways", "8");
	is(&detected, "cache.l1d.size", "32768");
}

static void
intel_parameters(void **state)
{
	/* 64 x 4 of 4K for data, 32 x 4 of 2M, 8 of 1G; 16 entries for stores
	 * alone; 128 x 8 for code; 2048 x 16 of 4K and 2M, 1024 x 16 of 4K and
	 * 1G: the larger one is the second level */
	static struct leaf leaves[] = {
		{ 0, 0, { 0x1b, INTEL } },
		{ 1, 0, { 0x000806f8, 0, 1 << 17, 0 } },
		{ 7, 0, { 0, 0, 1 << 16, 0 } },
		{ 0x18, 0, { 7, 0, 0, 0 } },
		{ 0x18, 1, { 0, 6 << 16 | 1, 16, 1 << 5 | 1 } },
		{ 0x18, 2, { 0, 4 << 16 | 6, 8, 1 << 5 | 4 } },
		{ 0x18, 3, { 0, 8 << 16 | 8, 1, 1 << 8 | 1 << 5 | 4 } },
		{ 0x18, 4, { 0, 16 << 16 | 15, 1, 1 << 8 | 1 << 5 | 5 } },
		{ 0x18, 5, { 0, 8 << 16 | 1, 32, 1 << 5 | 2 } },
		{ 0x18, 6, { 0, 16 << 16 | 3, 128, 2 << 5 | 3 } },
		{ 0x18, 7, { 0, 16 << 16 | 9, 64, 2 << 5 | 3 } },
		LAST_LEAF,
	};
	struct detected detected;

	(void)state;
	look(leaves, NO_FILES, &detected);
	assert_string_equal(detected.preset, "sapphire-rapids");
	is(&detected, "tlb.l1d.entries", "96");
	is(&detected, "tlb.l1d.ways", "6");
	is(&detected, "tlb.l1d-2m.entries", "32");
	is(&detected, "tlb.l1d-1g.entries", "8");
	is(&detected, "tlb.l1d-1g.ways", "0");
	is(&detected, "tlb.l1i.entries", "256");
	is(&detected, "tlb.l1i-2m.entries", "0");
	is(&detected, "tlb.l2.entries", "2048");
	is(&detected, "tlb.l2.ways", "16");
	is(&detected, "tlb.l2.sizes", "4k+2m");
	is(&detected, "tlb.l2-1g.entries", "1024");
	is(&detected, "table.levels", "5");
	assert_true(remarks(&detected, "16 entries for stores alone"));
	assert_true(remarks(&detected, "caches: neither"));
}

static void
nothing_to_see(void **state)
{
	static struct leaf leaves[] = {
		{ 0, 0, { 1, INTEL } },
		{ 1, 0, { 0x00000f12, 0, UINT32_C(1) << 31, 0 } },
		LAST_LEAF,
	};
	struct detected detected;

	(void)state;
	look(leaves, NO_FILES, &detected);
	assert_null(detected.preset);
	assert_true(remarks(&detected, "CPUID tells nothing of them"));
	assert_true(remarks(&detected, "no preset is of this core"));
	look(NULL, NO_FILES, &detected);
	assert_int_equal(detected.n, 0);
}

static void
file(const char *root, const char *path, const char *text)
{
	char command[600], full[512];
	FILE *out;

	snprintf(full, sizeof(full), "%s%s", root, path);
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\"",
		 full);
	assert_int_equal(system(command), 0);
	out = fopen(full, "w");
	assert_non_null(out);
	fprintf(out, "%s\n", text);
	assert_int_equal(fclose(out), 0);
}

#define CACHE "/sys/devices/system/cpu/cpu0/cache/index"

static void
files_of_the_kernel(void **state)
{
	char root[] = "/tmp/pagescope-detect-XXXXXX", command[64];
	struct detected detected;

	(void)state;
	assert_non_null(mkdtemp(root));
	file(root, "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1",
	     "0x00000000410fd4f0");
	file(root, CACHE "0/level", "1");
	file(root, CACHE "0/type", "Data");
	file(root, CACHE "0/size", "64K");
	file(root, CACHE "0/ways_of_associativity", "4");
	file(root, CACHE "0/coherency_line_size", "64");
	file(root, CACHE "3/level", "3");
	file(root, CACHE "3/type", "Unified");
	file(root, CACHE "3/size", "36M");
	file(root, CACHE "3/ways_of_associativity", "11");
	file(root, CACHE "3/coherency_line_size", "64");
	file(root, "/sys/devices/system/node/node0/distance", "10 21");
	file(root, "/sys/devices/system/node/node1/distance", "21 10");
	file(root, "/sys/devices/system/cpu/online", "0-3,8,10-11");
	look(NULL, root, &detected);
	is(&detected, "machine.cores", "7");
	is(&detected, "numa.nodes", "2");
	is(&detected, "numa.distances", "10 21; 21 10");
	assert_string_equal(detected.preset, "neoverse-v2");
	assert_string_equal(detected.name, "Arm Neoverse V2");
	is(&detected, "cache.l1d.size", "65536");
	is(&detected, "cache.l1d.ways", "4");
	is(&detected, "cache.l2.size", "-");
	is(&detected, "cache.l3.size", "37748736");
	/* 11 do not divide 589,824 lines */
	is(&detected, "cache.l3.ways", "0");
	assert_true(remarks(&detected, "11 ways do not divide"));
	file(root, "/sys/devices/system/cpu/online", "0-2047");
	look(NULL, root, &detected);
	is(&detected, "machine.cores", "1024");
	assert_true(remarks(&detected, "2048 processors"));
	/* files come before CPUID */
	look(zen3, root, &detected);
	is(&detected, "cache.l1d.size", "65536");
	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amd_under_a_hypervisor),
		cmocka_unit_test(amd_by_itself),
		cmocka_unit_test(intel_descriptors),
		cmocka_unit_test(intel_descriptors_of_haswell),
		cmocka_unit_test(intel_parameters),
		cmocka_unit_test(nothing_to_see),
		cmocka_unit_test(files_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
