// SPDX-License-Identifier: GPL-2.0-or-later
/* Pieces of a string, see reuse.h and segments.h. */
#include "models/analysis/reuse-inside.h"

#include <string.h>

int
reuse_open_pieces(struct reuse **out)
{
	int error = reuse_open(out, true);

	if (!error)
		(*out)->pieces = true;
	return error;
}

/* As many marks as pages: the depth is the place from the end. */
static ALWAYS_INLINE void
order(const struct reuse *reuse, const uint32_t *page, uint32_t n,
      uint32_t *last)
{
	for (uint32_t i = 0; i < n; i++)
		last[n - depth_of(reuse, reuse->seen[page[i]].slot)] = page[i];
}

COUNTS_BITS static void
order_counting(const struct reuse *reuse, const uint32_t *page, uint32_t n,
	       uint32_t *last)
{
	order(reuse, page, n, last);
}

void
reuse_end_piece(struct reuse *reuse, const uint32_t *page, uint32_t n,
		struct reuse_part *part, uint32_t *last)
{
	if (reuse->counts_bits)
		order_counting(reuse, page, n, last);
	else
		order(reuse, page, n, last);
	for (uint32_t i = 0; i < n; i++) {
		const struct seen *seen = &reuse->seen[page[i]];
		bool written = !(seen->dirty & UNKNOWN);

		part[i].before = written ? reuse->before[page[i]]
					 : seen->dirty & ~UNKNOWN;
		part[i].dirty = written ? seen->dirty : 0;
	}
	for (uint32_t i = 0; i < n; i++)
		reuse->seen[page[i]] = (struct seen){ 0, UNKNOWN };
	memset(reuse->mark, 0, (reuse->now / 64 + 1) * sizeof(uint64_t));
	memset(reuse->tree[0], 0,
	       reuse_tree_cells(reuse->n_slots) * sizeof(uint32_t));
	reuse->now = 1;
	reuse->marks = 0;
}

/* What a piece did to a page before and after its first write there */
static void
join_part(struct reuse *reuse, uint32_t page, const struct reuse_part *part)
{
	uint32_t *dirty = &reuse->seen[page].dirty;

	if (*dirty < part->before) {
		write_back(reuse->tally, *dirty, part->before);
		*dirty = part->before;
	}
	if (part->dirty)
		*dirty = part->dirty;
}

int
reuse_join_piece(struct reuse *reuse, const struct reuse_piece *piece,
		 uint32_t *distance)
{
	int error = reuse_feed(reuse, piece->page, NULL, piece->n, distance);

	if (error)
		return error;
	for (uint32_t i = 0; i < piece->n; i++)
		join_part(reuse, piece->page[i], &piece->part[i]);
	/* They have the latest slots, one after the other. */
	for (uint32_t i = 0; i < piece->n; i++)
		reuse->seen[piece->last[i]].slot = reuse->now - piece->n + i;
	return 0;
}

uint32_t
reuse_counts(const struct reuse *reuse, struct reuse_count *count,
	     uint32_t room)
{
	for (uint32_t i = 0; count && i < reuse->room_tally && i < room; i++) {
		count[i].references = tallies_of(reuse, i).count;
		count[i].written = tallies_of(reuse, i).written;
	}
	return reuse->room_tally;
}

int
reuse_add_counts(struct reuse *reuse, const struct reuse_count *count,
		 uint32_t n)
{
	int error = n ? reuse_make_tallies(reuse, n - 1) : 0;

	for (uint32_t i = 0; !error && i < n; i++) {
		reuse->all[i].count += count[i].references;
		reuse->all[i].written += count[i].written;
		reuse->references += count[i].references;
		reuse->flushed += count[i].references;
	}
	return error;
}
