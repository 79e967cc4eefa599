// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/tally.h"

#include <stdlib.h>

#include "analyzer/fail.h"

void
tally_init(struct tally *tally, const struct stream *stream)
{
	*tally = (struct tally){ .stream = stream };
}

void
tally_fini(struct tally *tally)
{
	free(tally->step);
	*tally = (struct tally){ 0 };
}

int
tally_learn(struct tally *tally, uint32_t known)
{
	const struct stream *stream = tally->stream;

	if (known > tally->room) {
		struct tally_step *more =
			reallocarray(tally->step, (size_t)known * 2,
				     sizeof(*more));

		if (!more)
			return fail(ENOMEM, "no memory to count %u steps",
				    known);
		tally->step = more;
		tally->room = known * 2;
	}
	for (; tally->steps < known; tally->steps++) {
		const struct step *step = stream_step(stream, tally->steps);

		bool guarded = stream_shape(stream, step->shape)->guarded;

		tally->step[tally->steps] = (struct tally_step){
			.n_slots = step->n_slots,
			.guarded = guarded,
		};
		tally->guarded |= guarded;
	}
	return 0;
}

static void
count_access(struct tally *tally, uint32_t ref, uint64_t n)
{
	tally->kind[SITE_KIND(ref)] += n;
	tally->instructions +=
		n * stream_site(tally->stream, SITE_INDEX(ref))->instructions;
}

void
tally_guarded(struct tally *tally, uint32_t number, const uint64_t *root)
{
	const struct step *step = stream_step(tally->stream, number);

	for (unsigned i = 0; i < step->n_accesses; i++) {
		const struct shape_access *access = &step->access[i];

		if (!access->guarded || root[access->slot - 1])
			count_access(tally, access->ref, 1);
	}
}

/* Two counters for each, so that a step which comes again need not wait for
 * its last one to be stored */
static void
count_steps(struct tally_step *table, const struct batch *batch)
{
	const uint32_t *step = batch->step;
	uint32_t k = 0;

	for (; k + 1 < batch->n_steps; k += 2) {
		table[step[k]].n++;
		table[step[k + 1]].n_odd++;
	}
	if (k < batch->n_steps)
		table[step[k]].n++;
}

static int
count_packed(struct tally *tally, const struct batch *batch)
{
	const uint64_t *root = batch->root;
	int error = tally_learn(tally, stream_steps(tally->stream));

	if (error)
		return error;
	if (!tally->guarded) {
		count_steps(tally->step, batch);
		return 0;
	}
	for (uint32_t k = 0; k < batch->n_steps; k++) {
		tally_step(tally, batch->step[k], root);
		root += tally->step[batch->step[k]].n_slots;
	}
	return 0;
}

int
tally_batch(struct tally *tally, const struct batch *batch)
{
	if (batch->packed)
		return count_packed(tally, batch);
	for (uint32_t i = 0; i < batch->n; i++)
		count_access(tally, batch->site[i], 1);
	return 0;
}

void
tally_sum(struct tally *tally)
{
	for (uint32_t s = 0; s < tally->steps; s++) {
		const struct step *step = stream_step(tally->stream, s);
		uint64_t n = tally->step[s].n + tally->step[s].n_odd;

		if (!n)
			continue;
		for (unsigned i = 0; i < step->n_accesses; i++)
			count_access(tally, step->access[i].ref, n);
		tally->step[s].n = tally->step[s].n_odd = 0;
	}
}

void
tally_add(struct tally *tally, struct tally *other)
{
	tally_sum(other);
	for (size_t i = 0; i < ARRAY_SIZE(tally->kind); i++)
		tally->kind[i] += other->kind[i];
	tally->instructions += other->instructions;
}
