// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each reference takes the next time slot; a slot is marked while it is the
 * last of some page.  The distance is the number of marks from there to now:
 *
 *	slots     ..1.11.|1...1.1.|.....1.1|11.1....	marks, 64 to a word
 *	blocks of 256:   3        3        ...		a counting tree over
 *			 ^ page's last	    ^ now	those that are closed
 *
 * so it costs four population counts and a walk up the tree (Bennett, Kruskal
 * 1975, with leaves of bits).  The last two words are in registers: what was
 * referenced in the last 64 to 128 references, as nearly all is that a program
 * references, costs neither a branch that is hard to foretell nor a wait for a
 * store.  A block is closed when its words are among these two no more.
 *
 * When slots run out the marks are moved together; as there are some times as
 * many slots as pages, that is rare, and all of it stays in the second-level
 * cache: 262,144 pages take 1.5 MB.
 *
 * A page that is given back leaves its mark, without a page: a hole.  The next
 * page to come in from below the topmost hole takes that hole's place: there
 * the mark goes, and where the page was is now the hole.
 */
#include "models/analysis/reuse-inside.h"

#include "analyzer/fail.h"
#include "analyzer/huge-array.h"
#include "analyzer/vectors.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 16384u /* 2 KB of marks */
#define SLOTS_MOST  (UINT32_C(1) << 31)
#define PAGES_FIRST 1024u
#define CHUNK	    1024u /* references at a time */
#define AHEAD	    16u
#define FAR_AHEAD   32u
#define NEAR_SLOTS  65536u /* what fits into the first caches */
#define FLUSH_MOST  (UINT32_C(1) << 30)
#define FLUSH	    (UINT32_C(1) << 22) /* references, before tallies may be full */
#define REFERENCE   UINT64_C(1)		/* of a tally */

static int
no_memory(void)
{
	return fail(ENOMEM, "reuse: no memory for reuse distances");
}

size_t
reuse_tree_cells(uint32_t n_slots)
{
	size_t n = n_slots / BLOCK_SLOTS, cells = 0;

	do {
		n = (n + FAN - 1) / FAN;
		cells += n * FAN;
	} while (n > 1);
	return cells;
}

static void
place_levels(struct reuse *reuse, uint32_t *cells)
{
	size_t n = reuse->n_slots / BLOCK_SLOTS;

	reuse->n_levels = 0;
	do {
		n = (n + FAN - 1) / FAN;
		reuse->tree[reuse->n_levels++] = cells;
		cells += n * FAN;
	} while (n > 1);
}

static int
open_slots(struct reuse *reuse, uint32_t n_slots)
{
	size_t cells = reuse_tree_cells(n_slots) * sizeof(uint32_t);
	uint64_t *mark = huge_array(n_slots / 64, sizeof(*mark));
	uint32_t *tree = aligned_alloc(64, cells);

	if (!mark || !tree) {
		free(mark);
		free(tree);
		return no_memory();
	}
	memset(tree, 0, cells);
	free(reuse->mark);
	free(reuse->tree[0]);
	reuse->mark = mark;
	reuse->n_slots = n_slots;
	place_levels(reuse, tree);
	reuse->now = 1;
	return 0;
}

int
reuse_open(struct reuse **out, bool writes)
{
	struct reuse *reuse = calloc(1, sizeof(*reuse));
	int error;

	if (!reuse)
		return no_memory();
	reuse->counts_bits = __builtin_cpu_supports("avx2") &&
			     __builtin_cpu_supports("bmi") &&
			     __builtin_cpu_supports("bmi2") &&
			     __builtin_cpu_supports("popcnt");
	reuse->writes = writes;
	reuse->room_tally = PAGES_FIRST;
	reuse->tally = calloc(PAGES_FIRST, sizeof(*reuse->tally));
	reuse->all = calloc(PAGES_FIRST, sizeof(*reuse->all));
	if (!reuse->tally || !reuse->all)
		error = no_memory();
	else
		error = open_slots(reuse, SLOTS_FIRST);
	if (error) {
		reuse_close(reuse);
		return error;
	}
	*out = reuse;
	return 0;
}

void
reuse_close(struct reuse *reuse)
{
	if (!reuse)
		return;
	free(reuse->seen);
	free(reuse->before);
	free(reuse->mark);
	free(reuse->tree[0]);
	free(reuse->hole);
	free(reuse->tally);
	free(reuse->all);
	free(reuse);
}

static int
make_pages(struct reuse *reuse, uint32_t most)
{
	uint32_t n = reuse->n_pages ? reuse->n_pages : PAGES_FIRST;

	if (most < reuse->n_pages)
		return 0;
	while (n <= most)
		n = n < UINT32_MAX / 2 ? 2 * n : UINT32_MAX;
	if (reuse->pieces && huge_array_grow(&reuse->before, reuse->n_pages, n,
					     sizeof(*reuse->before)))
		return no_memory();
	if (huge_array_grow(&reuse->seen, reuse->n_pages, n,
			    sizeof(*reuse->seen)))
		return no_memory();
	for (uint32_t i = reuse->n_pages; i < n; i++)
		reuse->seen[i].dirty = reuse->pieces ? UNKNOWN : CLEAN;
	reuse->n_pages = n;
	return 0;
}

int
reuse_make_tallies(struct reuse *reuse, uint32_t depth)
{
	uint32_t room = reuse->room_tally;

	if (depth < room)
		return 0;
	while (room <= depth)
		room = room < UINT32_MAX / 2 ? 2 * room : UINT32_MAX;
	if (huge_array_grow(&reuse->all, reuse->room_tally, room,
			    sizeof(*reuse->all)) ||
	    huge_array_grow(&reuse->tally, reuse->room_tally, room,
			    sizeof(*reuse->tally)))
		return no_memory();
	reuse->room_tally = room;
	return 0;
}

/* One more in the block, or one less: in what lies before those behind it */
static ALWAYS_INLINE void
tree_add(struct reuse *reuse, uint32_t block, uint32_t by)
{
	static const uint32_t behind[2 * FAN] = { [FAN] = ~0u, ~0u, ~0u, ~0u,
						  ~0u,	       ~0u, ~0u, ~0u,
						  ~0u,	       ~0u, ~0u, ~0u,
						  ~0u,	       ~0u, ~0u, ~0u };

	for (unsigned level = 0; level < reuse->n_levels; level++) {
		uint32_t *before = &reuse->tree[level][block & -FAN];
		const uint32_t *mask = &behind[FAN - 1 - block % FAN];

		for (unsigned i = 0; i < FAN; i++)
			before[i] += mask[i] & by;
		block /= FAN;
	}
}

static ALWAYS_INLINE void
unmark(struct reuse *reuse, uint32_t slot)
{
	reuse->mark[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	if (slot / BLOCK_SLOTS < closed_blocks(reuse->now))
		tree_add(reuse, slot / BLOCK_SLOTS, -1u);
	reuse->marks--;
}

/* `now' has become this one: is a block closed with that? */
static ALWAYS_INLINE void
close_block(struct reuse *reuse, uint32_t now)
{
	uint32_t block = now / BLOCK_SLOTS - 1;

	if (now % BLOCK_SLOTS == 64 && now > BLOCK_SLOTS)
		tree_add(reuse, block,
			 block_rank(reuse,
				    now / BLOCK_SLOTS * BLOCK_SLOTS - 1));
}

static ALWAYS_INLINE void
mark_now(struct reuse *reuse)
{
	uint32_t now = reuse->now++;

	reuse->mark[now / 64] |= UINT64_C(1) << now % 64;
	reuse->marks++;
	close_block(reuse, reuse->now);
}

/* A heap of holes, the latest slot on top */
static void
hole_sink(struct reuse *reuse, uint32_t slot)
{
	uint32_t *hole = reuse->hole, at = 0, child;

	while ((child = 2 * at + 1) < reuse->n_holes) {
		if (child + 1 < reuse->n_holes && hole[child + 1] > hole[child])
			child++;
		if (hole[child] <= slot)
			break;
		hole[at] = hole[child];
		at = child;
	}
	hole[at] = slot;
}

static int
hole_add(struct reuse *reuse, uint32_t slot)
{
	uint32_t at = reuse->n_holes, parent;

	if (at == reuse->room_holes) {
		uint32_t room = at ? 2 * at : 64;
		uint32_t *hole = reallocarray(reuse->hole, room, sizeof(*hole));

		if (!hole)
			return no_memory();
		reuse->hole = hole;
		reuse->room_holes = room;
	}
	reuse->n_holes++;
	for (; at; at = parent) {
		parent = (at - 1) / 2;
		if (reuse->hole[parent] >= slot)
			break;
		reuse->hole[at] = reuse->hole[parent];
	}
	reuse->hole[at] = slot;
	return 0;
}

/* A page comes in from this slot (0: from outside), past the topmost hole. */
static void
fill_hole(struct reuse *reuse, uint32_t slot)
{
	uint32_t top = reuse->hole[0];

	if (top < slot) {
		unmark(reuse, slot);
		return;
	}
	unmark(reuse, top);
	if (!slot)
		slot = reuse->hole[--reuse->n_holes];
	if (reuse->n_holes)
		hole_sink(reuse, slot);
}

/* Each slot becomes the number of marks up to it; 0 stays 0. */
static ALWAYS_INLINE uint32_t
renumbered(const struct reuse *reuse, const uint32_t *rank, uint32_t slot)
{
	if (!slot)
		return 0;
	return rank[slot / BLOCK_SLOTS] + block_rank(reuse, slot);
}

static ALWAYS_INLINE void
renumber(struct reuse *reuse, const uint32_t *rank)
{
	for (uint32_t i = 0; i < reuse->n_pages; i++)
		reuse->seen[i].slot =
			renumbered(reuse, rank, reuse->seen[i].slot);
	for (uint32_t i = 0; i < reuse->n_holes; i++)
		reuse->hole[i] = renumbered(reuse, rank, reuse->hole[i]);
}

COUNTS_BITS static void
renumber_counting(struct reuse *reuse, const uint32_t *rank)
{
	renumber(reuse, rank);
}

static void
renumber_plainly(struct reuse *reuse, const uint32_t *rank)
{
	renumber(reuse, rank);
}

/* Move the marks together, into n_slots. */
static int
compact(struct reuse *reuse, uint32_t n_slots)
{
	uint32_t blocks = reuse->n_slots / BLOCK_SLOTS, before = 0;
	uint32_t *rank = malloc(blocks * sizeof(*rank));
	uint32_t marks = reuse->marks;
	int error = 0;

	if (!rank)
		return no_memory();
	for (uint32_t i = 0; i < blocks; i++) {
		rank[i] = before;
		before += block_rank(reuse, (i + 1) * BLOCK_SLOTS - 1);
	}
	if (reuse->counts_bits)
		renumber_counting(reuse, rank);
	else
		renumber_plainly(reuse, rank);
	free(rank);
	if (n_slots == reuse->n_slots) {
		memset(reuse->mark, 0, n_slots / 8);
		memset(reuse->tree[0], 0,
		       reuse_tree_cells(n_slots) * sizeof(uint32_t));
		reuse->now = 1;
	} else {
		error = open_slots(reuse, n_slots);
	}
	for (reuse->marks = 0; !error && reuse->marks < marks;)
		mark_now(reuse);
	return error;
}

/* Room for n more slots, which are fewer than a quarter of all. */
static int
make_slots(struct reuse *reuse, uint32_t n)
{
	uint32_t slots = reuse->n_slots;

	if (likely(reuse->now + n < slots))
		return 0;
	while (reuse->marks > slots / 4) {
		if (slots == SLOTS_MOST)
			break;
		slots *= 2;
	}
	if (reuse->marks > SLOTS_MOST - SLOTS_MOST / 4)
		return fail(ENOMEM, "reuse: more than %u pages at once",
			    SLOTS_MOST - SLOTS_MOST / 4);
	return compact(reuse, slots);
}

/* What the next references will need, where caches do not hold all of it */
static ALWAYS_INLINE void
look_ahead(const struct reuse *reuse, const uint32_t *page, uint32_t left)
{
	uint32_t slot;

	__builtin_prefetch(
		&reuse->seen[page[FAR_AHEAD < left ? FAR_AHEAD : 0]]);
	slot = reuse->seen[page[AHEAD < left ? AHEAD : 0]].slot;
	__builtin_prefetch(&reuse->mark[slot / BLOCK_SLOTS * BLOCK_WORDS]);
	__builtin_prefetch(&reuse->tree[0][slot / BLOCK_SLOTS & -FAN]);
}

/* The last two words of marks, of `now` and before; memory has older ones */
struct recent {
	uint32_t now;
	uint64_t word, before;
};

static ALWAYS_INLINE struct recent
recent_begin(const struct reuse *reuse)
{
	uint32_t at = reuse->now / 64;

	return (struct recent){ reuse->now, reuse->mark[at],
				at ? reuse->mark[at - 1] : 0 };
}

static ALWAYS_INLINE void
recent_store(struct reuse *reuse, const struct recent *recent)
{
	uint32_t at = recent->now / 64;

	reuse->mark[at] = recent->word;
	if (at)
		reuse->mark[at - 1] = recent->before;
}

/* The word of `now' is full. */
static ALWAYS_INLINE void
recent_turn(struct reuse *reuse, struct recent *recent)
{
	uint32_t at = recent->now / 64;

	reuse->mark[at - 1] = recent->word;
	if (at > 1)
		reuse->mark[at - 2] = recent->before;
	recent->before = recent->word;
	recent->word = 0;
	close_block(reuse, recent->now);
}

/* Take a page from its slot, which is in one of the two words: how deep it was.
 * In which of them, nobody can foretell. */
static ALWAYS_INLINE uint32_t
recent_take(struct recent *recent, uint32_t slot)
{
	uint64_t older = -(uint64_t)(recent->now / 64 != slot / 64);
	uint64_t bit = UINT64_C(1) << slot % 64;
	uint64_t word = older ? recent->before : recent->word;
	uint32_t depth = ones(word & -(bit << 1)) + ones(recent->word & older);

	recent->word &= ~(bit & ~older);
	recent->before &= ~(bit & older);
	return depth + 1;
}

/* The same of a slot that is in memory */
static ALWAYS_INLINE uint32_t
take_older(struct reuse *reuse, const struct recent *recent, uint32_t slot)
{
	uint32_t block = slot / BLOCK_SLOTS, depth;
	bool closed = block < closed_blocks(recent->now);

	if (closed) {
		depth = reuse->marks - rank_of(reuse, slot);
	} else {
		depth = word_behind(reuse->mark[slot / 64], slot) +
			ones(recent->word) + ones(recent->before);
		for (uint32_t i = slot / 64 + 1; i + 1 < recent->now / 64; i++)
			depth += ones(reuse->mark[i]);
	}
	reuse->mark[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	if (closed)
		tree_add(reuse, block, -1u);
	return depth + 1;
}

/*
 * The distances of n references, for which there are slots; there are no holes.
 * far: all that is needed is not in the first caches; a constant.
 */
static ALWAYS_INLINE void
take(struct reuse *reuse, const uint32_t *page, uint32_t n, uint32_t *distance,
     bool far)
{
	struct recent recent = recent_begin(reuse);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t *last = &reuse->seen[page[i]].slot, slot = *last;

		if (far)
			look_ahead(reuse, page + i, n - i);
		*last = recent.now;
		if (likely((recent.now / 64 - slot / 64 < 2) & (slot != 0))) {
			distance[i] = recent_take(&recent, slot);
		} else if (slot) {
			distance[i] = take_older(reuse, &recent, slot);
		} else {
			distance[i] = REUSE_COLD;
			reuse->marks++;
		}
		recent.word |= UINT64_C(1) << recent.now % 64;
		if (unlikely(++recent.now % 64 == 0))
			recent_turn(reuse, &recent);
	}
	recent_store(reuse, &recent);
	reuse->now = recent.now;
}

/* The same with holes */
static ALWAYS_INLINE void
take_with_holes(struct reuse *reuse, const uint32_t *page, uint32_t n,
		uint32_t *distance)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *last = &reuse->seen[page[i]].slot, slot = *last;

		look_ahead(reuse, page + i, n - i);
		*last = reuse->now;
		distance[i] = slot ? depth_of(reuse, slot) : REUSE_COLD;
		if (reuse->n_holes)
			fill_hole(reuse, slot);
		else if (slot)
			unmark(reuse, slot);
		mark_now(reuse);
	}
}

/* A copy of the struct can live in registers. */
static ALWAYS_INLINE void
take_any(struct reuse *reuse, const uint32_t *page, uint32_t n,
	 uint32_t *distance)
{
	struct reuse copy = *reuse;

	if (reuse->n_holes) {
		take_with_holes(reuse, page, n, distance);
		return;
	}
	if (reuse->n_slots > NEAR_SLOTS)
		take(&copy, page, n, distance, true);
	else
		take(&copy, page, n, distance, false);
	*reuse = copy;
}

static ALWAYS_INLINE uint32_t
greatest(const uint32_t *page, uint32_t n, uint32_t most)
{
	for (uint32_t i = 0; i < n; i++)
		most = page[i] > most ? page[i] : most;
	return most;
}

COUNTS_BITS static uint32_t
greatest_by_vectors(const uint32_t *page, uint32_t n)
{
	__m256i most = _mm256_setzero_si256();
	uint32_t lane[8], i = 0;

	for (; i + 8 <= n; i += 8)
		most = _mm256_max_epu32(most,
					_mm256_loadu_si256(
						(const __m256i
							 *)(const void *)(page +
									  i)));
	_mm256_storeu_si256((__m256i *)(void *)lane, most);
	return greatest(page + i, n - i, greatest(lane, 8, 0));
}

COUNTS_BITS static void
take_counting(struct reuse *reuse, const uint32_t *page, uint32_t n,
	      uint32_t *distance)
{
	take_any(reuse, page, n, distance);
}

static void
take_plainly(struct reuse *reuse, const uint32_t *page, uint32_t n,
	     uint32_t *distance)
{
	take_any(reuse, page, n, distance);
}

static ALWAYS_INLINE void
count_ahead(const struct reuse *reuse, const uint32_t *distance, uint32_t left)
{
	uint32_t ahead = distance[AHEAD < left ? AHEAD : 0];

	__builtin_prefetch(&reuse->tally[ahead == REUSE_COLD ? 0 : ahead], 1);
}

/*
 * Count distances; and sizes below its distance had lost the page, and have it
 * clean again.  Whether a page is dirty in smaller sizes is not to be foretold:
 * where it is not, nothing is added to the tally of distance 0.
 */
static ALWAYS_INLINE void
count(struct reuse *reuse, const uint32_t *page, const uint8_t *write,
      uint32_t n, const uint32_t *distance)
{
	uint64_t *tally = reuse->tally;
	struct seen *seen = reuse->seen;
	uint32_t cold = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t depth = distance[i], *dirty = &seen[page[i]].dirty;
		uint32_t from = *dirty, next = from > depth ? from : depth;
		uint64_t late = from < depth ? WRITEBACK : 0;

		count_ahead(reuse, distance + i, n - i);
		if (unlikely(depth == REUSE_COLD)) {
			cold++;
			next = CLEAN;
		} else {
			tally[depth] += REFERENCE - late;
			tally[late ? from : 0] += late;
		}
		*dirty = write[i] ? 1 : next;
	}
	reuse->references += n;
	reuse->cold += cold;
}

/* The same where nobody asks for write-backs */
static void
count_only(struct reuse *reuse, const uint32_t *page, const uint8_t *write,
	   uint32_t n, const uint32_t *distance)
{
	uint64_t *tally = reuse->tally;
	uint32_t cold = 0;

	(void)page;
	(void)write;
	for (uint32_t i = 0; i < n; i++) {
		count_ahead(reuse, distance + i, n - i);
		if (likely(distance[i] != REUSE_COLD))
			tally[distance[i]] += REFERENCE;
		else
			cold++;
	}
	reuse->references += n;
	reuse->cold += cold;
}

/* The same in a piece */
static void
count_piece(struct reuse *reuse, const uint32_t *page, const uint8_t *write,
	    uint32_t n, const uint32_t *distance)
{
	uint64_t *tally = reuse->tally;
	uint32_t cold = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t depth = distance[i], *dirty;

		dirty = &reuse->seen[page[i]].dirty;
		count_ahead(reuse, distance + i, n - i);
		if (unlikely(depth == REUSE_COLD)) {
			cold++;
		} else {
			tally[depth] += REFERENCE;
			if (!(*dirty & UNKNOWN)) {
				write_back(tally, *dirty, depth);
				*dirty = depth > *dirty ? depth : *dirty;
			} else if ((*dirty & ~UNKNOWN) < depth) {
				*dirty = UNKNOWN | depth;
			}
		}
		if (write && write[i]) {
			if (*dirty & UNKNOWN)
				reuse->before[page[i]] = *dirty & ~UNKNOWN;
			*dirty = 1;
		}
	}
	reuse->references += n;
	reuse->cold += cold;
}

/* Seldom enough to cost nothing, and before the first could be full */
static ALWAYS_INLINE uint64_t
flush_after(const struct reuse *reuse)
{
	uint64_t n = FLUSH + UINT64_C(8) * reuse->room_tally;

	return n < FLUSH_MOST ? n : FLUSH_MOST;
}

/* 32 bits a tally are few, but 64 would need twice the cache. */
static void
flush_tallies(struct reuse *reuse)
{
	for (uint32_t i = 0; i < reuse->room_tally; i++) {
		reuse->all[i] = tallies_of(reuse, i);
		reuse->tally[i] = 0;
	}
	reuse->flushed = reuse->references;
}

static int
feed_chunk(struct reuse *reuse, const uint32_t *page, const uint8_t *write,
	   uint32_t n, uint32_t *distance)
{
	static const uint8_t nothing_written[CHUNK];
	int error = make_pages(reuse, reuse->counts_bits
					      ? greatest_by_vectors(page, n)
					      : greatest(page, n, 0));

	if (!error)
		error = make_slots(reuse, n);
	if (!error)
		error = reuse_make_tallies(reuse, reuse->marks + n + 1);
	if (error)
		return error;
	if (reuse->counts_bits)
		take_counting(reuse, page, n, distance);
	else
		take_plainly(reuse, page, n, distance);
	if (reuse->pieces)
		count_piece(reuse, page, write, n, distance);
	else if (reuse->writes)
		count(reuse, page, write ? write : nothing_written, n,
		      distance);
	else
		count_only(reuse, page, write, n, distance);
	if (unlikely(reuse->references - reuse->flushed > flush_after(reuse)))
		flush_tallies(reuse);
	return 0;
}

int
reuse_feed(struct reuse *reuse, const uint32_t *page, const uint8_t *write,
	   uint32_t n, uint32_t *distance)
{
	uint32_t own[CHUNK], step;
	int error = 0;

	for (uint32_t done = 0; !error && done < n; done += step) {
		step = n - done < CHUNK ? n - done : CHUNK;
		error = feed_chunk(reuse, page + done,
				   write ? write + done : NULL, step,
				   distance ? distance + done : own);
	}
	return error;
}

int
reuse_drop(struct reuse *reuse, uint32_t page)
{
	uint32_t slot = page < reuse->n_pages ? reuse->seen[page].slot : 0;
	uint32_t depth;

	if (!slot)
		return 0;
	if (reuse->writes) {
		depth = depth_of(reuse, slot);
		write_back(reuse->tally, reuse->seen[page].dirty, depth);
		reuse->seen[page].dirty = CLEAN;
	}
	reuse->seen[page].slot = 0;
	return hole_add(reuse, slot);
}

void
reuse_remove(struct reuse *reuse, uint32_t page)
{
	uint32_t slot = page < reuse->n_pages ? reuse->seen[page].slot : 0;

	if (!slot)
		return;
	unmark(reuse, slot);
	reuse->seen[page] = (struct seen){ 0, CLEAN };
}

uint64_t
reuse_references(const struct reuse *reuse)
{
	return reuse->references;
}

uint64_t
reuse_cold(const struct reuse *reuse)
{
	return reuse->cold;
}

uint32_t
reuse_peak(const struct reuse *reuse)
{
	return reuse->marks;
}

/* Those written back since their last reference: the sizes that have lost them */
static void
add_last(const struct reuse *reuse, int64_t *change)
{
	for (uint32_t i = 0; i < reuse->n_pages; i++) {
		uint32_t slot = reuse->seen[i].slot, depth;

		if (!slot)
			continue;
		depth = depth_of(reuse, slot);
		if (reuse->seen[i].dirty < depth) {
			change[reuse->seen[i].dirty]++;
			change[depth]--;
		}
	}
}

void
reuse_misses(const struct reuse *reuse, uint64_t *misses, uint64_t *writebacks)
{
	uint64_t left = reuse->references;

	for (uint32_t size = 0; size <= reuse->marks; size++) {
		left -= tallies_of(reuse, size).count;
		misses[size] = left;
	}
	if (!writebacks)
		return;
	for (uint32_t size = 0; size <= reuse->marks; size++)
		writebacks[size] = (uint64_t)tallies_of(reuse, size).written;
	if (reuse->writes)
		add_last(reuse, (int64_t *)writebacks);
	for (uint32_t size = 1; size <= reuse->marks; size++)
		writebacks[size] += writebacks[size - 1];
}
