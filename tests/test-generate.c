// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The generator against closed forms: coverage, frequencies, cycles, shares.
 * Seeds are fixed, so a bound that holds once holds always.
 */
#include "analyzer/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traces/generate.h"
#include "traces/zipf.h"

#define UNIFORM_DIGEST 0x7fd10d7fa3e2b7d5u
#define CHASE_DIGEST   0x296e70b30b2499e5u

#define BASE UINT64_C(0x100000000000)

struct stream_copy {
	uint64_t *address, *pc;
	uint8_t *kind;
	size_t n, marks;
	uint64_t mark[64]; /* places */
	struct event map;
};

static struct stream_copy
generate(const char *spec)
{
	struct stream_copy copy = { 0 };
	struct source *source;
	struct batch batch;
	size_t room = 1 << 22;

	assert_int_equal(generate_open(&source, spec), 0);
	assert_int_equal(batch_init(&batch), 0);
	copy.address = calloc(room, sizeof(*copy.address));
	copy.pc = calloc(room, sizeof(*copy.pc));
	copy.kind = calloc(room, 1);
	while (source_next(source, &batch) > 0) {
		assert_true(batch.columned && batch.n <= BATCH_ACCESSES);
		for (uint32_t i = 0; i < batch.n_events; i++) {
			const struct event *event = &batch.event[i];

			if (event->type == EVENT_MARK)
				copy.mark[copy.marks++] =
					copy.n + event->position;
			else if (event->type == EVENT_MAP) {
				assert_int_equal(copy.n + event->position, 0);
				copy.map = *event;
			}
		}
		for (uint32_t i = 0; i < batch.n; i++) {
			const struct site *site =
				stream_site(source->stream,
					    SITE_INDEX(batch.site[i]));

			assert_true(copy.n < room);
			assert_int_equal(site->kind, SITE_KIND(batch.site[i]));
			copy.address[copy.n] = batch.address[i];
			copy.pc[copy.n] = site->pc;
			copy.kind[copy.n++] = site->kind;
		}
		assert_int_equal(batch.time_ns, copy.n);
	}
	batch_fini(&batch);
	source_close(source);
	return copy;
}

static void
copy_free(struct stream_copy *copy)
{
	free(copy->address);
	free(copy->pc);
	free(copy->kind);
}

/* FNV-1a */
static uint64_t
digest(const struct stream_copy *copy)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < copy->n; i++)
		hash = (hash ^ copy->address[i] ^ copy->pc[i] << 48) *
		       0x100000001b3u;
	return hash;
}

static void
test_same_seed(void **state)
{
	static const char *const patterns[] = { "sequential", "strided",
						"uniform",    "zipf",
						"chase",      "hotscan",
						"phases",     "mix" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		char spec[64], other[128];
		struct stream_copy a, b, c;

		snprintf(spec, sizeof(spec), "%s,n=30001,pages=999,phase=7777",
			 patterns[i]);
		snprintf(other, sizeof(other), "generate:%s,seed=2", spec);
		a = generate(spec);
		b = generate(spec);
		c = generate(other);
		assert_int_equal(a.n, 30001);
		assert_int_equal(digest(&a), digest(&b));
		assert_int_not_equal(digest(&a), digest(&c));
		assert_int_equal(a.map.address, BASE);
		assert_int_equal(a.map.length, 999 * 4096);
		assert_int_equal(a.map.flags, MAP_FLAG_READ | MAP_FLAG_WRITE);
		for (size_t k = 0; k < a.n; k++)
			assert_in_range(a.address[k], BASE,
					BASE + 999 * 4096 - 8);
		copy_free(&a);
		copy_free(&b);
		copy_free(&c);
	}
	assert_null(generate_pattern(ARRAY_SIZE(patterns)));
}

/* The authors' own generators, as published with them */
static void
test_random(void **state)
{
	static const uint64_t xoshiro[] = { 41943041,
					    58720359,
					    3588806011781223,
					    3591011842654386,
					    9228616714210784205u,
					    9973669472204895162u };
	static const uint64_t split[] = { 1985237415132408290u,
					  2979275885539914483u,
					  13511426838097143398u };
	struct random random = { { 1, 2, 3, 4 } };
	uint64_t seed = 1477776061723855037;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(xoshiro); i++)
		assert_int_equal(random_next(&random), xoshiro[i]);
	for (size_t i = 0; i < ARRAY_SIZE(split); i++)
		assert_int_equal(splitmix(&seed), split[i]);
}

/* A trace that was published by its spec must stay the same. */
static void
test_golden(void **state)
{
	struct stream_copy uniform = generate("uniform,n=100K,seed=42");
	struct stream_copy chase = generate("chase,n=100K,seed=42,pages=77777");

	(void)state;
	assert_int_equal(digest(&uniform), UNIFORM_DIGEST);
	assert_int_equal(digest(&chase), CHASE_DIGEST);
	copy_free(&uniform);
	copy_free(&chase);
}

static void
test_sequential(void **state)
{
	struct stream_copy words =
		generate("sequential,n=2000,pages=3,writes=0");
	struct stream_copy pages = generate("strided,n=10,pages=4,writes=1");
	struct stream_copy odd =
		generate("strided,n=10,pages=1,stride=1000,base=64K");

	(void)state;
	for (size_t i = 0; i < words.n; i++) {
		assert_int_equal(words.address[i], BASE + i % 1536 * 8);
		assert_int_equal(words.kind[i], SITE_LOAD);
	}
	for (size_t i = 0; i < pages.n; i++) {
		assert_int_equal(pages.address[i], BASE + i % 4 * 4096);
		assert_int_equal(pages.kind[i], SITE_STORE);
	}
	for (size_t i = 0; i < odd.n; i++)
		assert_int_equal(odd.address[i], 65536 + i % 5 * 1000);
	copy_free(&words);
	copy_free(&pages);
	copy_free(&odd);
}

/* Chi-square of k cells with equal or given expectation, as a z-score
 * (Wilson and Hilferty). */
static double
z_score(double chi_square, double freedom)
{
	double t = 2 / (9 * freedom);

	return (cbrt(chi_square / freedom) - (1 - t)) / sqrt(t);
}

static void
test_uniform(void **state)
{
	enum {
		PAGES = 5000,
		N = 1 << 20,
		SPARSE = 1 << 18
	};
	static uint32_t count[PAGES], word[512];
	struct stream_copy copy = generate("uniform,n=1M,pages=5000");
	struct stream_copy sparse = generate("uniform,n=256K,pages=256K");
	uint8_t *seen = calloc(SPARSE, 1);
	double chi = 0, chi_word = 0, stores = 0, distinct = 0;
	double expected = SPARSE * (1 - pow(1 - 1.0 / SPARSE, SPARSE));

	(void)state;
	for (size_t i = 0; i < N; i++) {
		count[(copy.address[i] - BASE) / 4096]++;
		word[copy.address[i] % 4096 / 8]++;
		stores += copy.kind[i] == SITE_STORE;
	}
	for (size_t i = 0; i < PAGES; i++)
		chi += pow(count[i] - (double)N / PAGES, 2) /
		       ((double)N / PAGES);
	for (size_t i = 0; i < 512; i++)
		chi_word += pow(word[i] - N / 512.0, 2) / (N / 512.0);
	assert_true(fabs(z_score(chi, PAGES - 1)) < 4);
	assert_true(fabs(z_score(chi_word, 511)) < 4);
	assert_true(fabs(stores - 0.3 * N) < 4 * sqrt(N * 0.3 * 0.7));
	/* as many pages as draws: 1 - 1/e of them are touched */
	for (size_t i = 0; i < sparse.n; i++)
		seen[(sparse.address[i] - BASE) / 4096] = 1;
	for (size_t i = 0; i < SPARSE; i++)
		distinct += seen[i];
	assert_true(fabs(distinct - expected) < 4 * 0.35 * sqrt(SPARSE));
	free(seen);
	copy_free(&copy);
	copy_free(&sparse);
}

/* Ranks 1 to 40 by themselves, then 40 classes by the logarithm */
enum {
	SINGLE = 40,
	CLASSES = 80
};

static unsigned
zipf_class(uint64_t k, uint64_t n)
{
	if (k <= SINGLE)
		return (unsigned)k - 1;
	return SINGLE + (unsigned)(log((double)(k - 1) / SINGLE) /
				   log((double)n / SINGLE) * SINGLE);
}

/* Frequencies of ranks 1 to 40 and of 40 classes up to n against 1 / k^s */
static void
check_zipf(uint64_t n, double s)
{
	enum {
		DRAWS = 2000000
	};
	double count[CLASSES] = { 0 }, mass[CLASSES] = { 0 };
	double sum = 0, chi = 0, freedom = -1;
	struct random random;
	struct zipf zipf;

	for (uint64_t k = 1; k <= n; k++) {
		double p = pow((double)k, -s);

		mass[zipf_class(k, n)] += p;
		sum += p;
	}
	assert_int_equal(zipf_init(&zipf, n, s), 0);
	random_seed(&random, 5);
	for (unsigned i = 0; i < DRAWS; i++) {
		uint64_t k = zipf_draw(&zipf, &random) + 1;

		assert_in_range(k, 1, n);
		count[zipf_class(k, n)]++;
	}
	for (unsigned i = 0; i < CLASSES; i++) {
		double expected = mass[i] / sum * DRAWS;

		if (expected < 5)
			continue;
		chi += pow(count[i] - expected, 2) / expected;
		freedom++;
	}
	if (freedom > 0 && fabs(z_score(chi, freedom)) > 4)
		fail_msg("n %g, s %g: chi-square %g of %g", (double)n, s, chi,
			 freedom);
	zipf_fini(&zipf);
}

static void
test_zipf(void **state)
{
	static const double exponents[] = { 0, 0.5, 0.99, 1, 1.5, 3 };
	static const uint64_t sizes[] = { 1, 2, 100, 16384, 16385, 300000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(exponents); i++)
		for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
			check_zipf(sizes[k], exponents[i]);
}

/* Within the segments too */
static void
test_zipf_segment(void **state)
{
	enum {
		N = 20480,
		DRAWS = 4000000,
		FROM = 16386,
		PARTS = 8
	};
	double count[PARTS] = { 0 }, all = 0, sum = 0, chi = 0;
	double width = (N - FROM + 1.0) / PARTS;
	struct random random;
	struct zipf zipf;

	(void)state;
	assert_int_equal(zipf_init(&zipf, N, 0.8), 0);
	random_seed(&random, 6);
	for (unsigned i = 0; i < DRAWS; i++) {
		uint64_t k = zipf_draw(&zipf, &random) + 1;

		if (k >= FROM) {
			count[(unsigned)((double)(k - FROM) / width)]++;
			all++;
		}
	}
	for (uint64_t k = FROM; k <= N; k++)
		sum += pow((double)k, -0.8);
	for (unsigned i = 0; i < PARTS; i++) {
		double expected = 0;

		for (uint64_t k = FROM; k <= N; k++)
			if ((unsigned)((double)(k - FROM) / width) == i)
				expected += pow((double)k, -0.8) / sum * all;
		chi += pow(count[i] - expected, 2) / expected;
	}
	assert_true(all > 100000);
	assert_true(fabs(z_score(chi, PARTS - 1)) < 4);
	zipf_fini(&zipf);
}

static void
test_zipf_mass(void **state)
{
	static const double exponents[] = { 0, 0.5, 1, 1.0000001, 2, 10 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(exponents); i++) {
		uint64_t first = ZIPF_HEAD + 1, end = first + 5000;
		double plain = 0;

		for (uint64_t k = end - 1; k >= first; k--)
			plain += pow((double)k, -exponents[i]);
		assert_true(fabs(zipf_mass(first, end, exponents[i]) / plain -
				 1) < 1e-10);
	}
}

static void
test_permutation(void **state)
{
	static uint8_t seen[70000];

	(void)state;
	for (uint64_t n = 1; n < 70000; n += 1 + n / 7) {
		struct permutation p;

		memset(seen, 0, sizeof(seen));
		permutation_init(&p, n, n * 3);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t to = permutation_at(&p, i);

			assert_true(to < n && !seen[to]);
			seen[to] = 1;
		}
	}
}

/* Each page once in each round, always in the same order. */
static void
test_chase(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 64, 1000, 12345 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t pages = sizes[i], next = 0;
		uint8_t *seen = calloc(pages, 1);
		struct stream_copy copy;
		char spec[64];

		snprintf(spec, sizeof(spec), "chase,pages=%zu,n=%zu", pages,
			 3 * pages);
		copy = generate(spec);
		for (size_t k = 0; k < pages; k++) {
			size_t page = (copy.address[k] - BASE) / 4096;

			assert_true(!seen[page]);
			seen[page] = 1;
			assert_int_equal(copy.address[k],
					 copy.address[k + pages]);
			assert_int_equal(copy.address[k],
					 copy.address[k + 2 * pages]);
			assert_int_equal(copy.kind[k], SITE_LOAD);
			next += k &&
				page == (copy.address[k - 1] - BASE) / 4096 + 1;
		}
		/* a random order has one neighbour in it on average */
		assert_true(pages < 64 || next < 8);
		free(seen);
		copy_free(&copy);
	}
}

/* Zipf 50 %, sequential 30 %, uniform 20 %; each told by its pcs */
static void
test_mix(void **state)
{
	enum {
		N = 1 << 20
	};
	static const double share[] = { 0.3, 0.2, 0.5 };
	struct stream_copy copy = generate("mix,n=1M,pages=1000");
	double count[3] = { 0 };
	uint64_t next = BASE;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		unsigned part = (unsigned)(copy.pc[i] >> 4 & 15);

		assert_in_range(part, 0, 2);
		count[part]++;
		if (part)
			continue;
		assert_int_equal(copy.address[i], next);
		next = next + 4096 < BASE + 1000 * 4096 ? next + 4096 : BASE;
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(fabs(count[i] - share[i] * N) <
			    4 * sqrt(N * share[i] * (1 - share[i])));
	copy_free(&copy);
}

/* 9 in 10 go to the hot pages, which are 10 of 1000, and some of the scan */
static void
test_hotscan(void **state)
{
	enum {
		N = 1 << 20
	};
	struct stream_copy copy = generate("hotscan,n=1M,pages=1000");
	uint64_t low = UINT64_MAX, high = 0;
	double hot = 0;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		uint64_t page = (copy.address[i] - BASE) / 4096;

		if ((copy.pc[i] >> 4 & 15) != 4)
			continue;
		hot++;
		low = page < low ? page : low;
		high = page > high ? page : high;
	}
	assert_int_equal(high - low + 1, 10);
	assert_true(fabs(hot - 0.9 * N) < 4 * sqrt(N * 0.9 * 0.1));
	copy_free(&copy);
}

static void
test_phases(void **state)
{
	struct stream_copy copy = generate("phases,n=100K,phase=10000");

	(void)state;
	assert_int_equal(copy.n, 102400);
	assert_int_equal(copy.marks, 11);
	for (size_t i = 0; i < copy.marks; i++)
		assert_int_equal(copy.mark[i], i * 10000);
	copy_free(&copy);
	copy = generate("phases,n=60,phase=1");
	assert_int_equal(copy.marks, 60);
	copy_free(&copy);
}

static void
test_bad_specs(void **state)
{
	static const char *const specs[] = {
		"",
		"zip",
		"zipf,",
		"zipf,s",
		"zipf,q=1",
		"zipf,s=-1",
		"uniform,pages=0",
		"uniform,pages=1T",
		"uniform,base=0xfffffffffff000,pages=2",
		"uniform,base=1",
		"uniform,base=0xffffffffffff000,pages=1M",
		"strided,stride=7",
		"phases,phase=0",
		"uniform,writes=1.5",
		"uniform,n=12345678901234567890123",
	};
	struct source *source;
	char *longest = calloc(1, 5000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		assert_int_equal(generate_open(&source, specs[i]), -EINVAL);
	memset(longest, 'x', 4999);
	assert_int_equal(generate_open(&source, longest), -EINVAL);
	free(longest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_zipf_segment),
		cmocka_unit_test(test_zipf_mass),
		cmocka_unit_test(test_permutation),
		cmocka_unit_test(test_chase),
		cmocka_unit_test(test_mix),
		cmocka_unit_test(test_hotscan),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_bad_specs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
