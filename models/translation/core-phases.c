// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loops for batches whose accesses mostly miss.  Some hundred accesses, a
 * chunk, go through one level after the other, each of which sees them in their
 * order, so that what it does is the same as if they came one by one:
 *
 *	accesses -> look:  where is the page, what size, is this allowed?
 *	all      -> first level      -> those that missed
 *	missed   -> second level     -> those to be walked
 *	walks    -> core-walks.c
 *
 * This is right because of one rule: what a TLB holds is what the table says
 * (whoever changes a page that is mapped invalidates it, see paging.h).  So
 * frames, sizes and rights are known before any level is asked, and no level
 * waits for the next.
 *
 * What would change a table or is seldom ends the chunk before it, and takes
 * core_lookup alone: pages that are not there or must not be written, accesses
 * that cross pages, pages of sizes whose pieces may overlap.  A table that
 * cannot look ahead makes no core heavy.
 *
 * Loops that only count on what no one can foretell branch on nothing of it.
 */
#include "models/translation/core-phases.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/vectors.h"

#define CHUNK_LEAST 8u /* after what ended one: ends come in crowds */
#define FEW	    3u /* so many are fed one by one sooner than as a chunk */
#define NEAR_END    (4096u - 64u)

struct core_phases *
core_phases_open(void)
{
	struct core_phases *phases = calloc(1, sizeof(*phases));

	for (unsigned j = 0; phases && j < CHUNK; j++)
		phases->all[j] = (uint16_t)j;
	return phases;
}

static void
class_init(struct class *class, const struct core *core, enum core_side side,
	   unsigned code)
{
	const struct core_level *l1 = &core->l1[side], *l2 = &core->l2[side];

	class->l1 = l1->home[code];
	class->l2 = l2->home[code];
	class->code1 = (uint8_t)l1->piece[code];
	class->code2 = (uint8_t)l2->piece[code];
	class->shift1 = (uint8_t)TLB_SHIFT(class->code1);
	class->shift2 = (uint8_t)TLB_SHIFT(class->code2);
	class->low1 = TLB_ALWAYS | core->asid |
		      (uint64_t) class->code1 << TLB_SIZE_SHIFT;
	class->low2 = TLB_ALWAYS | core->asid |
		      (uint64_t) class->code2 << TLB_SIZE_SHIFT;
	class->open = !l1->overlaps[code];
}

static void
phases_begin(struct core_phases *phases, const struct core *core)
{
	phases->pieces = 0;
	for (unsigned i = 0; i < CLASSES; i++) {
		struct class *class = &phases->class[i];

		class_init(class, core, i / TLB_SIZES, i % TLB_SIZES);
		if (class->code1 != i % TLB_SIZES ||
		    class->code2 != i % TLB_SIZES)
			phases->pieces |= 1u << i;
	}
}

/* Of those that may: does it cross a page's end? */
static NOINLINE bool
crosses(const struct core *core, uint64_t address, uint32_t ref)
{
	uint64_t bytes = core->sites.bytes[SITE_INDEX(ref)];

	return core_side_of(ref) == CORE_DATA &&
	       (address & ~PAGE_MASK) + bytes > PAGE_BYTES;
}

/* False: it ends the chunk. */
static ALWAYS_INLINE bool
take_one(struct core_phases *phases, const struct core *core, unsigned j)
{
	uint64_t address = phases->address[j], page = phases->page[j];
	uint32_t ref = phases->site[j];
	unsigned number = core_side_of(ref) * TLB_SIZES + TABLE_CODE(page);
	const struct class *class = &phases->class[number];

	if (unlikely(!class->open ||
		     (core_writes(ref) && !(page & TABLE_WRITABLE))))
		return false;
	if (unlikely((ref & SITE_WIDE || (address & ~PAGE_MASK) > NEAR_END) &&
		     crosses(core, address, ref)))
		return false;
	phases->classes |= 1u << number;
	phases->class_of[j] = (uint8_t)number;
	phases->tag1[j] = (address >> class->shift1 << class->shift1) |
			  class->low1 |
			  (page & TABLE_WRITABLE ? 0 : TLB_READONLY);
	return true;
}

/*
 * Take accesses from j on, eight at a time, as long as all are of data and to
 * pages of 4K (class 0), and take_one would not ask further.  Returns up to
 * where; what is written behind that is nothing.
 */
static VECTORS unsigned
take_plain_long(struct core_phases *phases, unsigned j, unsigned n)
{
	const __m512i kind = _mm512_set1_epi64(3), one = _mm512_set1_epi64(1);
	const __m512i offset = _mm512_set1_epi64(PAGE_BYTES - 1);
	const __m512i near_end = _mm512_set1_epi64(NEAR_END);
	const __m512i low = _mm512_set1_epi64((int64_t)phases->class[0].low1);
	const __m512i readonly = _mm512_set1_epi64(TLB_READONLY);
	const __m512i writes = _mm512_set1_epi64(2);
	const __m512i wide = _mm512_set1_epi64(SITE_WIDE);
	const __m512i writable = _mm512_set1_epi64(TABLE_WRITABLE);
	const __m512i code = _mm512_set1_epi64(3 << TABLE_CODE_SHIFT);

	for (; j + 8 <= n; j += 8) {
		__m512i address = _mm512_loadu_si512(phases->address + j);
		__m512i page = _mm512_loadu_si512(phases->page + j);
		__m512i ref = _mm512_cvtepu32_epi64(
			_mm256_loadu_si256((const void *)(phases->site + j)));
		__m512i of = _mm512_and_si512(ref, kind);
		__mmask8 fixed = _mm512_testn_epi64_mask(page, writable);
		/* a store or modify: 1 or 2, so 2 or 3 here */
		__mmask8 bad =
			_mm512_mask_test_epi64_mask(fixed,
						    _mm512_add_epi64(of, one),
						    writes);

		bad |= _mm512_cmpeq_epi64_mask(of, kind); /* a fetch */
		bad |= _mm512_test_epi64_mask(ref, wide);
		bad |= _mm512_test_epi64_mask(page, code);
		bad |= _mm512_cmpgt_epu64_mask(_mm512_and_si512(address,
								offset),
					       near_end);
		address = _mm512_or_si512(_mm512_andnot_si512(offset, address),
					  low);
		_mm512_storeu_si512(phases->tag1 + j,
				    _mm512_mask_or_epi64(address, fixed,
							 address, readonly));
		memset(phases->class_of + j, 0, 8);
		if (unlikely(bad))
			return j + (unsigned)__builtin_ctz(bad);
	}
	return j;
}

/* The same by shorter vectors, four at a time. */
static SHORT_VECTORS unsigned
take_plain_short(struct core_phases *phases, unsigned j, unsigned n)
{
	const __m256i zero = _mm256_setzero_si256();
	const __m256i one = _mm256_set1_epi64x(1);
	const __m256i two = _mm256_set1_epi64x(2);
	const __m256i kind = _mm256_set1_epi64x(3);
	const __m256i offset = _mm256_set1_epi64x(PAGE_BYTES - 1);
	const __m256i near_end = _mm256_set1_epi64x(NEAR_END);
	const __m256i low = _mm256_set1_epi64x((int64_t)phases->class[0].low1);
	const __m256i readonly = _mm256_set1_epi64x(TLB_READONLY);
	const __m256i wide = _mm256_set1_epi64x(SITE_WIDE);
	const __m256i writable = _mm256_set1_epi64x(TABLE_WRITABLE);
	const __m256i code = _mm256_set1_epi64x(3 << TABLE_CODE_SHIFT);

	for (; j + 4 <= n; j += 4) {
		__m256i address =
			_mm256_loadu_si256((const void *)(phases->address + j));
		__m256i page =
			_mm256_loadu_si256((const void *)(phases->page + j));
		__m256i ref = _mm256_cvtepu32_epi64(
			_mm_loadu_si128((const void *)(phases->site + j)));
		__m256i of = _mm256_and_si256(ref, kind);
		__m256i fixed =
			_mm256_cmpeq_epi64(_mm256_and_si256(page, writable),
					   zero);
		__m256i writes = _mm256_cmpeq_epi64(
			_mm256_and_si256(_mm256_add_epi64(of, one), two), two);
		__m256i odd = _mm256_or_si256(_mm256_and_si256(ref, wide),
					      _mm256_and_si256(page, code));
		__m256i bad = _mm256_or_si256(
			_mm256_cmpeq_epi64(of, kind),
			_mm256_cmpgt_epi64(_mm256_and_si256(address, offset),
					   near_end));
		unsigned plain;

		bad = _mm256_or_si256(bad, _mm256_and_si256(fixed, writes));
		plain = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(
			_mm256_andnot_si256(bad,
					    _mm256_cmpeq_epi64(odd, zero))));
		address = _mm256_or_si256(_mm256_andnot_si256(offset, address),
					  low);
		_mm256_storeu_si256(
			(void *)(phases->tag1 + j),
			_mm256_or_si256(address,
					_mm256_and_si256(fixed, readonly)));
		memset(phases->class_of + j, 0, 4);
		if (unlikely(plain != 15))
			return j + (unsigned)__builtin_ctz(~plain);
	}
	return j;
}

static unsigned
take_plain(struct core_phases *phases, const struct core *core, unsigned j,
	   unsigned n)
{
	return core->vectors	     ? take_plain_long(phases, j, n)
	       : core->short_vectors ? take_plain_short(phases, j, n)
				     : j;
}

/*
 * Look ahead: the chunk is as many of the next n accesses as nothing ends.
 */
static void
chunk_begin(struct core_phases *phases, struct core *core, unsigned n)
{
	const struct table_looks looks = { phases->page, phases->at };
	unsigned j = 0;

	phases->classes = 0;
	n = core->table->ops->look(core->table, phases->address, n, &looks);
	while (j < n) {
		unsigned plain = take_plain(phases, core, j, n);
		/* One that is not may be alone; where the first is, they are
		 * many. */
		unsigned end = plain + (plain > j ? 1 : 8);

		phases->classes |= plain > j;
		j = plain;
		end = end < n ? end : n;
		while (j < end && take_one(phases, core, j))
			j++;
		if (j < end)
			break;
	}
	phases->n = j;
}

/* Where frames are to be had from; NULL: nobody will ask for one. */
static const uint64_t *
chunk_frames(struct core_phases *phases, const struct core *core)
{
	if (!core->data_cached)
		return NULL;
	if (likely(!(phases->pieces & phases->classes)))
		return phases->page;
	for (unsigned j = 0; j < phases->n; j++) {
		uint64_t page = phases->page[j];
		uint64_t offset =
			(UINT64_C(1) << TLB_SHIFT(TABLE_CODE(page))) - 1;

		phases->physical[j] =
			(page & ~offset) | (phases->address[j] & offset);
	}
	return phases->physical;
}

static bool
of_one_class(const struct core_phases *phases)
{
	return !(phases->classes & (phases->classes - 1));
}

static struct tlb *
array_of(const struct class *class, bool second)
{
	return second ? class->l2 : class->l1;
}

/* Which classes go to this array? */
static unsigned
classes_of(const struct core_phases *phases, bool second,
	   const struct tlb *array)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < CLASSES; i++)
		if (array_of(&phases->class[i], second) == array)
			bits |= 1u << i;
	return bits & phases->classes;
}

/* The listed ones go through a level that keeps them in several arrays. */
static NOINLINE unsigned
run_arrays(struct core_phases *phases, const struct tlb_uses *uses, bool second,
	   uint16_t *list, unsigned n)
{
	unsigned left = phases->classes;

	for (unsigned i = 0; i < n; i++)
		phases->flag[list[i]] = 1;
	while (left) {
		const struct class *class = &phases->class[__builtin_ctz(left)];
		struct tlb *array = array_of(class, second);
		unsigned bits = classes_of(phases, second, array), m = 0;

		left &= ~bits;
		if (!array)
			continue;
		for (unsigned i = 0; i < n; i++) {
			unsigned j = list[i];

			phases->part[m] = (uint16_t)j;
			phases->flag[j] &=
				(uint8_t) ~(bits >> phases->class_of[j] & 1);
			m += bits >> phases->class_of[j] & 1;
		}
		m = tlb_run(array, uses, phases->part, m);
		for (unsigned i = 0; i < m; i++)
			phases->flag[phases->part[i]] = 1;
	}
	return core_phases_keep(phases->flag, list, n);
}

/* The listed ones go through a level: returns how many missed. */
static unsigned
run_level(struct core_phases *phases, const struct tlb_uses *uses, bool second,
	  uint16_t *list, unsigned n)
{
	struct tlb *array =
		array_of(&phases->class[__builtin_ctz(phases->classes)],
			 second);

	if (!of_one_class(phases) &&
	    classes_of(phases, second, array) != phases->classes)
		return run_arrays(phases, uses, second, list, n);
	return array ? tlb_run(array, uses, list, n) : n;
}

/* Numbers of the listed ones, by class, of those that are there. */
static void
count_classes(const struct core_phases *phases, const uint16_t *list,
	      unsigned n, unsigned *counts)
{
	if (likely(of_one_class(phases))) {
		counts[__builtin_ctz(phases->classes)] = n;
		return;
	}
	memset(counts, 0, CLASSES * sizeof(*counts));
	for (unsigned i = 0; i < n; i++)
		counts[phases->class_of[list[i]]]++;
}

static void
run_first(struct core_phases *phases, struct core *core, const uint64_t *frames)
{
	const struct tlb_uses uses = { .tag = phases->tag1,
				       .mask = UINT64_MAX,
				       .physical = frames,
				       .stamp = core->now + phases->first,
				       .same_size = of_one_class(phases) };
	unsigned all[CLASSES], missed[CLASSES];

	memcpy(phases->missed, phases->all,
	       phases->n * sizeof(*phases->missed));
	count_classes(phases, phases->missed, phases->n, all);
	phases->n_missed =
		run_level(phases, &uses, false, phases->missed, phases->n);
	count_classes(phases, phases->missed, phases->n_missed, missed);
	for (unsigned left = phases->classes; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		enum core_side side = i / TLB_SIZES;

		core->counts.l1_misses[side] += missed[i];
		core->counts.l1_large[side][phases->class[i].code1] +=
			all[i] - missed[i];
	}
}

/* Tags as the second level has them, of what missed the first. */
static const uint64_t *
second_tags(struct core_phases *phases)
{
	const uint64_t *address = phases->address;

	if (likely(!(phases->pieces & phases->classes)))
		return phases->tag1;
	for (unsigned i = 0; i < phases->n_missed; i++) {
		unsigned j = phases->missed[i];
		const struct class *class = &phases->class[phases->class_of[j]];

		phases->tag2[j] =
			(address[j] >> class->shift2 << class->shift2) |
			class->low2 | (phases->tag1[j] & TLB_READONLY);
	}
	return phases->tag2;
}

static void
run_second(struct core_phases *phases, struct core *core,
	   const uint64_t *frames)
{
	const struct tlb_uses uses = { .tag = second_tags(phases),
				       .mask = UINT64_MAX,
				       .physical = frames,
				       .stamp = core->l2_now + 1,
				       .same_size = of_one_class(phases) };
	unsigned all[CLASSES], missed[CLASSES];

	core->l2_now += phases->n;
	memcpy(phases->walks, phases->missed,
	       phases->n_missed * sizeof(*phases->walks));
	count_classes(phases, phases->walks, phases->n_missed, all);
	phases->n_walks =
		run_level(phases, &uses, true, phases->walks, phases->n_missed);
	count_classes(phases, phases->walks, phases->n_walks, missed);
	for (unsigned left = phases->classes; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		const struct class *class = &phases->class[i];
		enum core_side side = i / TLB_SIZES;
		unsigned hits = all[i] - missed[i];

		core->counts.l2_misses[side] += missed[i];
		core->counts.walks[i % TLB_SIZES] += missed[i];
		core->counts.l2_hits[side][class->code2] += hits;
		core->counts.l2_cycles +=
			hits ? (uint64_t)hits * class->l2->latency : 0;
	}
}

static void
chunk_run(struct core_phases *phases, struct core *core)
{
	const uint64_t *frames = chunk_frames(phases, core);

	run_first(phases, core, frames);
	run_second(phases, core, frames);
	core_phases_walk(phases, core);
}

/* A chunk that is hardly one. */
static int
feed_few(struct core_phases *phases, struct core *core)
{
	int error = 0;

	for (uint32_t j = 0; j < phases->n && !error; j++)
		error = core_lookup(core, phases->batch, phases->first + j,
				    phases->fed);
	return error;
}

/* Eight at a time; *begun gets the instructions.  Returns packed counters. */
static VECTORS uint64_t
count_kinds(const uint32_t *site, uint32_t n, const uint8_t *instructions,
	    uint64_t *begun)
{
	const __m512i one = _mm512_set1_epi64(1), kind = _mm512_set1_epi64(3);
	__m512i kinds = _mm512_setzero_si512();

	for (uint32_t i = 0; i < n; i += 8) {
		__mmask8 there =
			(__mmask8)(n - i < 8 ? (1u << (n - i)) - 1 : 255);
		__m512i of = _mm512_and_si512(
			kind,
			_mm512_cvtepu32_epi64(
				_mm256_maskz_loadu_epi32(there, site + i)));
		unsigned fetches =
			_mm512_mask_cmpeq_epi64_mask(there, of, kind);

		kinds = _mm512_mask_add_epi64(
			kinds, there, kinds,
			_mm512_sllv_epi64(one, _mm512_slli_epi64(of, 4)));
		for (; fetches; fetches &= fetches - 1)
			*begun += instructions[SITE_INDEX(
				site[i + (uint32_t)__builtin_ctz(fetches)])];
	}
	return (uint64_t)_mm512_reduce_add_epi64(kinds);
}

/* Four at a time, up to the last that are fewer, as *left says. */
static SHORT_VECTORS uint64_t
count_kinds_short(const uint32_t *site, uint32_t n, const uint8_t *instructions,
		  uint64_t *begun, uint32_t *left)
{
	const __m256i one = _mm256_set1_epi64x(1);
	const __m128i kind = _mm_set1_epi32(3);
	__m256i kinds = _mm256_setzero_si256();
	uint64_t sums[4];
	uint32_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		__m128i of =
			_mm_and_si128(kind, _mm_loadu_si128(
						    (const void *)(site + i)));
		unsigned fetches = (unsigned)_mm_movemask_ps(
			_mm_castsi128_ps(_mm_cmpeq_epi32(of, kind)));

		kinds = _mm256_add_epi64(
			kinds,
			_mm256_sllv_epi64(one, _mm256_cvtepu32_epi64(
						       _mm_slli_epi32(of, 4))));
		for (; fetches; fetches &= fetches - 1)
			*begun += instructions[SITE_INDEX(
				site[i + (uint32_t)__builtin_ctz(fetches)])];
	}
	*left = n - i;
	_mm256_storeu_si256((void *)sums, kinds);
	return sums[0] + sums[1] + sums[2] + sums[3];
}

/* What the accesses are, whatever comes of them.  (Data begins no instruction.) */
static void
count_accesses(struct core *core, const struct batch *batch, uint32_t from,
	       uint32_t to)
{
	const uint8_t *instructions = core->sites.instructions;
	uint64_t kinds = 0, begun = 0;

	if (core->vectors) {
		kinds = count_kinds(batch->site + from, to - from, instructions,
				    &begun);
		from = to;
	} else if (core->short_vectors) {
		uint32_t left;

		kinds = count_kinds_short(batch->site + from, to - from,
					  instructions, &begun, &left);
		from = to - left;
	}
	for (uint32_t i = from; i < to; i++) {
		uint32_t ref = batch->site[i];

		kinds += UINT64_C(1) << 16 * SITE_KIND(ref);
		begun += instructions[SITE_INDEX(ref)];
	}
	core_count(core, kinds, 0, begun);
}

/* The accesses up to a chunk behind this one will be looked for: those of which
 * that was not said yet. */
static uint32_t
look_ahead(const struct core *core, const struct batch *batch, uint32_t ahead,
	   uint32_t i, uint32_t to)
{
	uint32_t from = ahead > i ? ahead : i;
	uint32_t end = to - i < CHUNK ? to : i + CHUNK;

	if (from >= end)
		return ahead;
	core->table->ops->prefetch(core->table, batch->address + from,
				   end - from);
	return end;
}

int
core_feed_phases(struct core *core, const struct batch *batch, uint32_t from,
		 uint32_t to)
{
	struct core_phases *phases = core->phases;
	unsigned most = CHUNK;
	uint32_t i = from, ahead = from;
	int error = 0;

	phases_begin(phases, core);
	phases->batch = batch;
	phases->fed = from;
	core->now -= from;
	while (!error && i < to) {
		unsigned n = to - i < most ? to - i : most;

		phases->first = i;
		phases->address = batch->address + i;
		phases->site = batch->site + i;
		chunk_begin(phases, core, n);
		i += phases->n;
		ahead = look_ahead(core, batch, ahead, i, to);
		if (phases->n > FEW)
			chunk_run(phases, core);
		else
			error = feed_few(phases, core);
		most = most < CHUNK ? 2 * most : CHUNK;
		if (error || phases->n == n)
			continue;
		error = core_lookup(core, batch, i++, from);
		most = CHUNK_LEAST;
	}
	core->now += i;
	core->position += i - from;
	count_accesses(core, batch, from, i);
	return error;
}
