// SPDX-License-Identifier: GPL-2.0-or-later
/* Walk caches; see pwc.h. */
#include "models/translation/pwc.h"

#include <stdio.h>

const char *const pwc_names[PWC_LEVELS] = { "pde", "pdpte", "pml4e", "pml5e" };

static const char *const kinds[] = { "split", "unified", "none", NULL };
static const char *const skips[] = { "yes", "no", NULL };

const struct option_row pwc_rows[] = {
	{ .name = "kind",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct pwc_config, kind),
	  .fallback = "split",
	  .choices = kinds,
	  .help = "an array a level, pwc.unified for all levels, or no walk "
		  "caches at all" },
	{ .name = "skip",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct pwc_config, skip),
	  .fallback = "yes",
	  .choices = skips,
	  .help = "a hit skips all levels above too; no: it saves the one "
		  "reference, and each level is asked" },
	{ NULL },
};

const struct option_row pwc_unified_rows[] = {
	TLB_ARRAY_ROWS("32", "4", TLB_ENTRIES_MAX),
	{ NULL },
};

/* pwc_shift, of this one's granule.  (A level above the root of any table may
 * be of more than there is: it is never asked.) */
static unsigned
shift_in(const struct pwc *pwc, unsigned level)
{
	unsigned shift = TLB_GRANULE_SHIFT(pwc->granule, level - 1);

	return shift < 63 ? shift : 63;
}

int
pwc_init(struct pwc *pwc, const struct pwc_config *config,
	 const struct tlb_config *levels, uint64_t seed)
{
	struct tlb_config none = levels[0], unified = config->unified;
	int error;

	*pwc = (struct pwc){ .unified = config->kind == PWC_UNIFIED,
			     .skips = config->skip == PWC_SKIPS };
	pwc->granule = config->granule ? config->granule : TLB_SHIFT(0);
	pwc->special =
		pwc->unified || !pwc->skips || pwc->granule != TLB_SHIFT(0);
	none.entries = none.ways = 0;
	if (!pwc->unified)
		unified = none;
	error = tlb_init(&pwc->one, &unified, NULL, 0, seed + PWC_LEVELS);
	if (error)
		return error;
	for (unsigned i = 0; i < PWC_LEVELS; i++) {
		error = tlb_init(&pwc->level[i],
				 config->kind == PWC_SPLIT ? &levels[i] : &none,
				 NULL, 0, seed + i);
		if (error) {
			pwc_fini(pwc);
			return error;
		}
		tlb_span(&pwc->level[i], shift_in(pwc, i + PWC_LOWEST));
	}
	return 0;
}

void
pwc_fini(struct pwc *pwc)
{
	tlb_fini(&pwc->one);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_fini(&pwc->level[i]);
}

/*
 * In the one array, a level is three bits of the address that all are as its
 * sign: 57 to 59.
 */
#define LEVEL_AT   57u
#define LEVEL_MASK (UINT64_C(7) << LEVEL_AT)

static struct tlb *
array_of(struct pwc *pwc, unsigned level)
{
	return pwc->unified ? &pwc->one : &pwc->level[level - PWC_LOWEST];
}

static uint64_t
key_of(const struct pwc *pwc, uint64_t address, uint64_t asid, unsigned level)
{
	if (pwc->unified)
		address = (address & ~LEVEL_MASK) | (uint64_t)level << LEVEL_AT;
	return tlb_key(address, shift_in(pwc, level), 0, asid);
}

bool
pwc_ask(struct pwc *pwc, uint64_t address, uint64_t asid, unsigned level)
{
	struct tlb *tlb = array_of(pwc, level);
	uint32_t slot;

	if (!tlb->entries)
		return false;
	pwc->lookups[level - PWC_LOWEST]++;
	slot = tlb_find(tlb, key_of(pwc, address, asid, level),
			shift_in(pwc, level));
	if (slot == TLB_NO_SLOT)
		return false;
	pwc->hits[level - PWC_LOWEST]++;
	tlb_touch(tlb, slot, pwc->now);
	return true;
}

void
pwc_put(struct pwc *pwc, uint64_t address, uint64_t asid, unsigned level)
{
	struct tlb *tlb = array_of(pwc, level);

	if (tlb->entries)
		tlb_fill(tlb, key_of(pwc, address, asid, level),
			 shift_in(pwc, level), pwc->now);
}

/* Drop what overlaps [from, last]; of the one array, whose entries are of all
 * levels. */
static void
invalidate_one(struct pwc *pwc, uint64_t asid, uint64_t from, uint64_t last)
{
	for (uint32_t slot = 0; slot < pwc->one.entries; slot++) {
		uint64_t tag = pwc->one.column.tag[slot], first;
		unsigned shift = shift_in(pwc, tag >> LEVEL_AT & 7);

		if (tag == TLB_FREE || (tag & TLB_ASID_MASK) != asid)
			continue;
		first = tag >> 63 ? tag | LEVEL_MASK : tag & ~LEVEL_MASK;
		first = first >> shift << shift;
		if (first <= last &&
		    first + ((UINT64_C(1) << shift) - 1) >= from)
			tlb_drop(&pwc->one, slot);
	}
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
	tlb_flush(&pwc->one);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_flush(&pwc->level[i]);
}

void
pwc_flush_asid(struct pwc *pwc, uint64_t asid)
{
	if (pwc->unified)
		tlb_flush_asid(&pwc->one, asid);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		tlb_flush_asid(&pwc->level[i], asid);
}

void
pwc_invalidate(struct pwc *pwc, uint64_t asid, uint64_t address,
	       uint64_t length)
{
	if (pwc->unified)
		invalidate_one(pwc, asid, address,
			       length > UINT64_MAX - address
				       ? UINT64_MAX
				       : address + (length - 1));
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
		if (!(pwc->unified ? &pwc->one : &pwc->level[i])->entries ||
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
