// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The patterns.  One draw of 64 random bits decides an access: the highest
 * bits the page, bits 16 to 24 the word in it, the lowest 16 load or store.
 * Loops work on copies of the state, which the compiler keeps in registers.
 */
#include "traces/generate-pattern.h"

/* The next of a walk through the region by strides, beginning anew at its end */
static ALWAYS_INLINE uint64_t
walk(uint64_t *cursor, uint64_t stride, uint64_t bytes)
{
	uint64_t at = *cursor;

	*cursor = at + stride < bytes ? at + stride : 0;
	return at;
}

static ALWAYS_INLINE uint64_t
word_of(uint64_t bits)
{
	return (bits >> 16 & 511) * GENERATE_SIZE;
}

static ALWAYS_INLINE uint64_t
uniform_address(uint64_t bits, uint64_t pages)
{
	return random_below(bits, pages) * GENERATE_PAGE + word_of(bits);
}

static ALWAYS_INLINE uint64_t
zipf_address(const struct generate *generate, struct random *random,
	     uint64_t bits)
{
	uint64_t rank = zipf_draw(&generate->zipf, random);

	return permutation_at(&generate->scatter, rank) * GENERATE_PAGE +
	       word_of(bits);
}

static ALWAYS_INLINE void
add(const struct generate *generate, struct batch *batch,
    enum generate_part part, uint64_t at, uint64_t bits)
{
	bool store = (bits & 65535) < generate->write_below;

	batch_access(batch, generate->config.base + at,
		     generate->ref[part][store]);
}

static void
fill_sequential(struct generate *generate, struct batch *batch, uint32_t n)
{
	struct random random = generate->random;
	uint64_t cursor = generate->cursor;

	while (n--)
		add(generate, batch, GENERATE_SEQUENTIAL,
		    walk(&cursor, generate->config.stride, generate->bytes),
		    random_next(&random));
	generate->cursor = cursor;
	generate->random = random;
}

static void
fill_uniform(struct generate *generate, struct batch *batch, uint32_t n)
{
	struct random random = generate->random;

	while (n--) {
		uint64_t bits = random_next(&random);

		add(generate, batch, GENERATE_UNIFORM,
		    uniform_address(bits, generate->config.pages), bits);
	}
	generate->random = random;
}

static void
fill_zipf(struct generate *generate, struct batch *batch, uint32_t n)
{
	struct random random = generate->random;

	while (n--) {
		uint64_t bits = random_next(&random);

		add(generate, batch, GENERATE_ZIPF,
		    zipf_address(generate, &random, bits), bits);
	}
	generate->random = random;
}

/*
 * A list through all pages, one node a page, each in a cache line of its own
 * set: a permutation in the order of its steps is one cycle.
 */
static void
fill_chase(struct generate *generate, struct batch *batch, uint32_t n)
{
	uint64_t step = generate->step;

	while (n--) {
		uint64_t page = permutation_at(&generate->chase, step);
		uint64_t line = page * 0x9e3779b97f4a7c15u >> 58;

		batch_access(batch,
			     generate->config.base + page * GENERATE_PAGE +
				     line * 64,
			     generate->ref[GENERATE_CHASE][0]);
		step = step + 1 < generate->config.pages ? step + 1 : 0;
	}
	generate->step = step;
}

/* A share of accesses in a hot set, the others a scan of the whole region */
static void
fill_hotscan(struct generate *generate, struct batch *batch, uint32_t n)
{
	uint64_t hot_below = (uint64_t)(generate->config.hot_share * 0x1p32);
	uint64_t first = generate->hot_first * GENERATE_PAGE;

	while (n--) {
		uint64_t bits = random_next(&generate->random);

		/* bits 25 to 31 may tell the page too: draw again */
		if (random_next(&generate->random) >> 32 < hot_below)
			add(generate, batch, GENERATE_HOT,
			    first + uniform_address(bits, generate->hot_pages),
			    bits);
		else
			add(generate, batch, GENERATE_SEQUENTIAL,
			    walk(&generate->cursor, generate->config.stride,
				 generate->bytes),
			    bits);
	}
}

/* 50 % Zipf, 30 % sequential, 20 % uniform */
static void
fill_mix(struct generate *generate, struct batch *batch, uint32_t n)
{
	struct random random = generate->random;

	while (n--) {
		uint64_t bits = random_next(&random);
		uint64_t part = random_next(&random) >> 32;

		if (part < (uint64_t)(0.5 * 0x1p32))
			add(generate, batch, GENERATE_ZIPF,
			    zipf_address(generate, &random, bits), bits);
		else if (part < (uint64_t)(0.8 * 0x1p32))
			add(generate, batch, GENERATE_SEQUENTIAL,
			    walk(&generate->cursor, generate->config.stride,
				 generate->bytes),
			    bits);
		else
			add(generate, batch, GENERATE_UNIFORM,
			    uniform_address(bits, generate->config.pages),
			    bits);
	}
	generate->random = random;
}

/* What follows what in `phases`; its hot set is elsewhere each time round. */
static const struct {
	const char *name;
	void (*fill)(struct generate *generate, struct batch *batch,
		     uint32_t n);
} phases[] = {
	{ "sequential", fill_sequential },
	{ "hotscan", fill_hotscan },
	{ "zipf", fill_zipf },
	{ "chase", fill_chase },
	{ "uniform", fill_uniform },
};

/* A mark where a phase begins; not beyond its end. */
static int
prepare_phases(struct generate *generate, struct batch *batch, uint32_t n)
{
	uint64_t place = (generate->done + batch->n) % generate->config.phase;
	uint64_t left = generate->config.phase - place;
	uint64_t number = (generate->done + batch->n) / generate->config.phase;
	uint32_t name = (uint32_t)(number % ARRAY_SIZE(phases));
	struct file file = { .path = phases[name].name };

	if (!place) {
		if (!generate->mark[name]) {
			int error =
				stream_file_add(generate->source.stream, &file,
						&generate->mark[name]);

			if (error)
				return error;
			generate->mark[name]++;
		}
		batch_event(batch, EVENT_MARK)->file = generate->mark[name] - 1;
		generate->hot_first =
			random_below(random_next(&generate->random),
				     generate->config.pages -
					     generate->hot_pages + 1);
	}
	return left < n ? (int)left : (int)n;
}

static void
fill_phases(struct generate *generate, struct batch *batch, uint32_t n)
{
	uint64_t number = (generate->done + batch->n) / generate->config.phase;

	phases[number % ARRAY_SIZE(phases)].fill(generate, batch, n);
}

const struct pattern generate_patterns[] = {
	{ { "sequential",
	    "word after word through all pages, again and again" },
	  8,
	  false,
	  fill_sequential },
	{ { "strided", "every stride-th byte, by default one word a page" },
	  GENERATE_PAGE,
	  false,
	  fill_sequential },
	{ { "uniform", "any word of any page" }, 0, false, fill_uniform },
	{ { "zipf", "the k-th most popular page as often as 1 / k^s" },
	  0,
	  true,
	  fill_zipf },
	{ { "chase", "a random cycle through all pages, loads only" },
	  0,
	  false,
	  fill_chase },
	{ { "hotscan", "most accesses to a few hot pages, the rest a scan" },
	  GENERATE_PAGE,
	  false,
	  fill_hotscan },
	{ { "phases", "sequential, hotscan, zipf, chase, uniform in turns" },
	  64,
	  true,
	  fill_phases,
	  prepare_phases },
	{ { "mix", "50 % zipf, 30 % strided, 20 % uniform" },
	  GENERATE_PAGE,
	  true,
	  fill_mix },
	{ { NULL } },
};
