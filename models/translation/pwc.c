// SPDX-License-Identifier: GPL-2.0-or-later
/* Split walk caches; see pwc.h. */
#include "models/translation/pwc.h"

#include <stdio.h>

const char *const pwc_names[PWC_LEVELS] = { "pde", "pdpte", "pml4e", "pml5e" };

int
pwc_init(struct pwc *pwc, const struct tlb_config *config, uint64_t seed)
{
	*pwc = (struct pwc){ .now = 0 };
	for (unsigned i = 0; i < PWC_LEVELS; i++) {
		int error =
			tlb_init(&pwc->level[i], &config[i], NULL, 0, seed + i);

		if (error) {
			pwc_fini(pwc);
			return error;
		}
		tlb_span(&pwc->level[i], pwc_shift(i + PWC_LOWEST));
	}
	return 0;
}

void
pwc_fini(struct pwc *pwc)
{
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_fini(&pwc->level[i]);
}

void
pwc_add(struct pwc *pwc, const struct pwc *other)
{
	for (unsigned i = 0; i < PWC_LEVELS; i++) {
		pwc->lookups[i] += other->lookups[i];
		pwc->hits[i] += other->hits[i];
	}
}

void
pwc_flush(struct pwc *pwc)
{
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_flush(&pwc->level[i]);
}

void
pwc_flush_asid(struct pwc *pwc, uint64_t asid)
{
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_flush_asid(&pwc->level[i], asid);
}

void
pwc_invalidate(struct pwc *pwc, uint64_t asid, uint64_t address,
	       uint64_t length)
{
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_invalidate(&pwc->level[i], asid, address, length);
}

int
pwc_finish(const struct pwc *pwc, struct result *result)
{
	for (unsigned i = 0; i < PWC_LEVELS; i++) {
		char name[64];
		int error;

		/* what is above the table's root was never asked */
		if (!pwc->level[i].entries ||
		    (i + PWC_LOWEST > 4 && !pwc->lookups[i]))
			continue;
		snprintf(name, sizeof(name), "pwc.%s.lookups", pwc_names[i]);
		error = result_count(result, name, pwc->lookups[i], "lookups");
		if (error)
			return error;
		snprintf(name, sizeof(name), "pwc.%s.hits", pwc_names[i]);
		error = result_count(result, name, pwc->hits[i], "lookups");
		if (error)
			return error;
	}
	return 0;
}
