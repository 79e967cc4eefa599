// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TLBs as CPUID tells them, gathered as a list of arrays and then given to the
 * places that a machine has for them:
 *
 *	level 1, data	     4K in tlb.l1d, what is left of 2M and 1G beside it
 *	level 1, instructions tlb.l1i, the same
 *	level 2		     tlb.l2; 1G alone in tlb.l2-1g; of instructions alone in
 *			     tlb.l2i
 *
 * Arrays of several page sizes are one where the maker says so (Intel).  AMD's
 * leaves tell each size by itself: as many entries are taken for one array where
 * that is fully associative, or of the second level (with the ways of 4K).
 */
#include "analyzer/detect.h"

#include <stdio.h>
#include <string.h>

#define ARRAYS_MAX 32
#define FULL	   0xffffu

enum side {
	DATA,
	CODE,
	BOTH
};
enum size {
	SIZE_4K = 1,
	SIZE_2M = 2,
	SIZE_1G = 4
};

struct array {
	unsigned level, sizes, entries, ways; /* ways FULL: one set */
	enum side side;
	const char *source;
};

struct arrays {
	struct array array[ARRAYS_MAX];
	size_t n;
	bool giants_hidden; /* there are 1G pages, but no word on their TLBs */
};

static void
array_add(struct arrays *arrays, struct array array)
{
	if (array.entries && array.ways && arrays->n < ARRAYS_MAX)
		arrays->array[arrays->n++] = array;
}

/* The same shape, as AMD has it for each page size: one array. */
static void
array_join(struct arrays *arrays, struct array array)
{
	for (size_t i = 0; i < arrays->n; i++) {
		struct array *before = &arrays->array[i];

		if (before->level == array.level &&
		    before->side == array.side && array.ways &&
		    before->entries == array.entries &&
		    (array.level == 2 ||
		     (array.ways == FULL && before->ways == FULL))) {
			before->sizes |= array.sizes;
			return;
		}
	}
	array_add(arrays, array);
}

/* Four bits that say how associative a level 2 or a 1G array is */
static unsigned
amd_ways(unsigned code, unsigned entries)
{
	static const uint16_t ways[16] = { 0,  1, 2,  3,  4,  6,  8,   0,
					   16, 0, 32, 48, 64, 96, 128, FULL };

	/* 9: as leaf 8000_001Dh says, which has no TLBs; the rest is reserved */
	return code == 9 ? entries : ways[code & 15];
}

static void
amd_first(struct arrays *arrays, uint32_t bits, unsigned size)
{
	static const char source[] = "CPUID 8000_0005h";
	unsigned code_ways = bits >> 8 & 255, data_ways = bits >> 24;

	array_join(arrays, (struct array){ 1, size, bits & 255,
					   code_ways == 255 ? FULL : code_ways,
					   CODE, source });
	array_join(arrays, (struct array){ 1, size, bits >> 16 & 255,
					   data_ways == 255 ? FULL : data_ways,
					   DATA, source });
}

static void
amd_wide(struct arrays *arrays, uint32_t bits, unsigned level, unsigned size,
	 const char *source)
{
	unsigned code = bits & 4095, data = bits >> 16 & 4095;

	array_join(arrays, (struct array){ level, size, code,
					   amd_ways(bits >> 12 & 15, code),
					   CODE, source });
	array_join(arrays,
		   (struct array){ level, size, data,
				   amd_ways(bits >> 28, data), DATA, source });
}

static void
amd_tlbs(const struct detect_host *host, struct arrays *arrays)
{
	uint32_t r[4];

	host->cpuid(host->context, 0x80000000, 0, r);
	if (r[0] < 0x80000006)
		return;
	host->cpuid(host->context, 0x80000005, 0, r);
	amd_first(arrays, r[1], SIZE_4K);
	amd_first(arrays, r[0], SIZE_2M);
	host->cpuid(host->context, 0x80000006, 0, r);
	amd_wide(arrays, r[1], 2, SIZE_4K, "CPUID 8000_0006h");
	amd_wide(arrays, r[0], 2, SIZE_2M, "CPUID 8000_0006h");
	host->cpuid(host->context, 0x80000000, 0, r);
	if (r[0] < 0x80000019)
		return;
	host->cpuid(host->context, 0x80000019, 0, r);
	amd_wide(arrays, r[0], 1, SIZE_1G, "CPUID 8000_0019h");
	amd_wide(arrays, r[1], 2, SIZE_1G, "CPUID 8000_0019h");
	arrays->giants_hidden = !r[0] && !r[1];
	host->cpuid(host->context, 0x80000001, 0, r);
	arrays->giants_hidden &= r[3] >> 26 & 1;
}

/* Leaf 18h: an array a subleaf. */
static bool
intel_parameters(const struct detect_host *host, struct arrays *arrays,
		 struct detected *out)
{
	uint32_t r[4], last = 0;
	bool any = false;

	host->cpuid(host->context, 0, 0, r);
	if (r[0] < 0x18)
		return false;
	for (uint32_t i = 0; i <= last && i < 32; i++) {
		unsigned type, sizes;

		host->cpuid(host->context, 0x18, i, r);
		if (!i)
			last = r[0];
		type = r[3] & 31;
		sizes = (r[1] & 1 ? SIZE_4K : 0) | (r[1] & 6 ? SIZE_2M : 0) |
			(r[1] & 8 ? SIZE_1G : 0);
		if (!type || !sizes)
			continue;
		any = true;
		if (type == 5) {
			detect_remark(out,
				      "a TLB of %u entries for stores alone "
				      "is left out",
				      r[2] * (r[1] >> 16));
			continue;
		}
		array_add(arrays,
			  (struct array){ r[3] >> 5 & 7, sizes,
					  r[2] * (r[1] >> 16),
					  r[3] & 256 ? FULL : r[1] >> 16,
					  type == 2   ? CODE
					  : type == 3 ? BOTH
						      : DATA,
					  "CPUID 18h" });
	}
	return any;
}

/* Descriptors of leaf 2h that are about TLBs (Intel SDM, CPUID); some are two
 * arrays. */
static const struct descriptor {
	uint8_t code, level, sizes;
	uint16_t entries, ways;
	enum side side;
} descriptors[] = {
	{ 0x01, 1, SIZE_4K, 32, 4, CODE },
	{ 0x03, 1, SIZE_4K, 64, 4, DATA },
	{ 0x04, 1, SIZE_2M, 8, 4, DATA },
	{ 0x05, 1, SIZE_2M, 32, 4, DATA },
	{ 0x4f, 1, SIZE_4K, 32, FULL, CODE },
	{ 0x55, 1, SIZE_2M, 7, FULL, CODE },
	{ 0x56, 1, SIZE_2M, 16, 4, DATA },
	{ 0x57, 1, SIZE_4K, 16, 4, DATA },
	{ 0x59, 1, SIZE_4K, 16, FULL, DATA },
	{ 0x5a, 1, SIZE_2M, 32, 4, DATA },
	{ 0x61, 1, SIZE_4K, 48, FULL, CODE },
	{ 0x63, 1, SIZE_2M, 32, 4, DATA },
	{ 0x63, 1, SIZE_1G, 4, 4, DATA },
	{ 0x64, 1, SIZE_4K, 512, 4, DATA },
	{ 0x6a, 1, SIZE_4K, 64, 8, DATA },
	{ 0x6b, 2, SIZE_4K, 256, 8, DATA },
	{ 0x6c, 2, SIZE_2M, 128, 8, DATA },
	{ 0x6d, 1, SIZE_1G, 16, FULL, DATA },
	{ 0x76, 1, SIZE_2M, 8, FULL, CODE },
	{ 0xa0, 1, SIZE_4K, 32, FULL, DATA },
	{ 0xb0, 1, SIZE_4K, 128, 4, CODE },
	{ 0xb1, 1, SIZE_2M, 8, 4, CODE },
	{ 0xb2, 1, SIZE_4K, 64, 4, CODE },
	{ 0xb3, 1, SIZE_4K, 128, 4, DATA },
	{ 0xb4, 1, SIZE_4K, 256, 4, DATA },
	{ 0xb5, 1, SIZE_4K, 64, 8, CODE },
	{ 0xb6, 1, SIZE_4K, 128, 8, CODE },
	{ 0xba, 1, SIZE_4K, 64, 4, DATA },
	{ 0xc0, 1, SIZE_4K, 8, 4, DATA },
	{ 0xc1, 2, SIZE_4K | SIZE_2M, 1024, 8, BOTH },
	{ 0xc2, 1, SIZE_4K | SIZE_2M, 16, 4, DATA },
	{ 0xc3, 2, SIZE_4K | SIZE_2M, 1536, 6, BOTH },
	{ 0xc3, 2, SIZE_1G, 16, 4, BOTH },
	{ 0xc4, 1, SIZE_2M, 32, 4, DATA },
	{ 0xca, 2, SIZE_4K, 512, 4, BOTH },
};

static void
intel_descriptor(struct arrays *arrays, unsigned code)
{
	for (size_t i = 0; i < ARRAY_SIZE(descriptors); i++) {
		const struct descriptor *d = &descriptors[i];

		if (code == d->code)
			array_add(arrays,
				  (struct array){ d->level, d->sizes,
						  d->entries, d->ways, d->side,
						  "CPUID 2h" });
	}
}

static void
intel_descriptors(const struct detect_host *host, struct arrays *arrays)
{
	uint32_t r[4];

	host->cpuid(host->context, 0, 0, r);
	if (r[0] < 2)
		return;
	host->cpuid(host->context, 2, 0, r);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned byte = 0; byte < 4; byte++)
			/* AL is a count; bit 31 says that there are none */
			if (!(r[i] >> 31) && (i || byte))
				intel_descriptor(arrays,
						 r[i] >> 8 * byte & 255);
}

/* The largest array of this level and side with one of these sizes. */
static const struct array *
find(const struct arrays *arrays, unsigned level, enum side side,
     unsigned sizes)
{
	const struct array *found = NULL;

	for (size_t i = 0; i < arrays->n; i++) {
		const struct array *array = &arrays->array[i];

		if (array->level == level && (array->sizes & sizes) &&
		    (array->side == side || array->side == BOTH) &&
		    (!found || array->entries > found->entries))
			found = array;
	}
	return found;
}

/* sizes 0: as the preset has them */
static void
put_array(struct detected *out, const char *part, const struct array *array,
	  unsigned sizes, const char *source)
{
	const char *names[3];
	char text[24] = "";
	size_t n = 0;

	if (!array) {
		detect_add(out, source, part, "entries", "0");
		return;
	}
	names[n] = sizes & SIZE_4K ? "4k" : NULL;
	n += names[n] != NULL;
	names[n] = sizes & SIZE_2M ? "2m" : NULL;
	n += names[n] != NULL;
	names[n] = sizes & SIZE_1G ? "1g" : NULL;
	n += names[n] != NULL;
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%s", i ? "+" : "", names[i]);
	detect_add(out, array->source, part, "entries", "%u", array->entries);
	detect_add(out, array->source, part, "ways", "%u",
		   array->ways == FULL ? 0 : array->ways);
	if (n)
		detect_add(out, array->source, part, "sizes", "%s", text);
}

/* 4K in the first array, then what it does not hold in those beside it. */
static void
put_first(struct detected *out, const struct arrays *arrays, enum side side,
	  const char *const *parts)
{
	static const unsigned sizes[] = { SIZE_4K, SIZE_2M, SIZE_1G };
	const struct array *first = find(arrays, 1, side, SIZE_4K);
	bool hidden = arrays->giants_hidden && out->preset;
	unsigned held = 0;

	if (!first)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct array *array =
			held & sizes[i] ? NULL
					: find(arrays, 1, side, sizes[i]);
		unsigned mine = array ? array->sizes & ~held : 0;

		if (hidden && sizes[i] == SIZE_1G)
			break;
		put_array(out, parts[i], array, hidden ? 0 : mine,
			  first->source);
		held |= mine;
	}
}

static void
put_second(struct detected *out, const struct arrays *arrays)
{
	const struct array *data = find(arrays, 2, DATA, SIZE_4K);
	const struct array *code = find(arrays, 2, CODE, SIZE_4K), *giant;
	unsigned held = data ? data->sizes : 0;

	if (!data)
		return;
	/* a second array for 2M, which a machine has no place for */
	if (!(held & SIZE_2M) && find(arrays, 2, DATA, SIZE_2M))
		detect_remark(out,
			      "a second-level TLB for 2M pages beside that "
			      "for 4K pages is left out");
	put_array(out, "tlb.l2", data, held, data->source);
	giant = held & SIZE_1G ? NULL : find(arrays, 2, DATA, SIZE_1G);
	if (!arrays->giants_hidden || !out->preset)
		put_array(out, "tlb.l2-1g", giant, SIZE_1G, data->source);
	if (code && code->side == CODE)
		put_array(out, "tlb.l2i", code, code->sizes, code->source);
	else if (code)
		put_array(out, "tlb.l2i", NULL, 0, code->source);
}

void
detect_tlbs(const struct detect_host *host, bool amd, struct detected *out)
{
	static const char *const data[] = { "tlb.l1d", "tlb.l1d-2m",
					    "tlb.l1d-1g" };
	static const char *const code[] = { "tlb.l1i", "tlb.l1i-2m",
					    "tlb.l1i-1g" };
	struct arrays arrays = { .n = 0 };

	if (amd)
		amd_tlbs(host, &arrays);
	else if (!intel_parameters(host, &arrays, out))
		intel_descriptors(host, &arrays);
	put_first(out, &arrays, DATA, data);
	put_first(out, &arrays, CODE, code);
	put_second(out, &arrays);
	if (arrays.giants_hidden)
		detect_remark(out,
			      "TLBs of 1G pages: CPUID 8000_0019h is empty "
			      "though there are such pages");
	if (!arrays.n)
		detect_remark(out, "TLBs: CPUID tells nothing of them (hidden "
				   "by a hypervisor?)");
	else if (!find(&arrays, 2, DATA, SIZE_4K))
		detect_remark(out, "TLBs: CPUID tells nothing of a second "
				   "level");
}
