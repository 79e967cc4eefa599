// SPDX-License-Identifier: GPL-2.0-or-later
/* See lookup.h.  lookup_scan is the loop that all accesses go through. */
#include "models/paging/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/vectors.h"

#define CHUNK_PAGES	 (1u << LOOKUP_CHUNK_SHIFT)
#define DIRECTORY_SHIFT	 12u /* frames of one part of of_frame */
#define DIRECTORY_FRAMES (1u << DIRECTORY_SHIFT)
#define AHEAD		 32u  /* accesses that are prefetched */
#define SHORT_BYTES	 64u  /* an access that is not wide is no longer */
#define KEYS		 128u /* that are made before they are looked up */
#define ODD		 (UINT64_C(1) << 63) /* of a key: it is none */
#define PAGE_SHIFT	 12u

static int
no_memory(void)
{
	return fail(ENOMEM, "pages: no memory to look them up");
}

static void
forget_direct(struct lookup *lookup)
{
	memset(lookup->direct.key, 0xff, sizeof(lookup->direct.key));
}

/* Of a page's key, which is never UINT64_MAX */
static inline unsigned
direct_of(uint64_t key)
{
	return (unsigned)(key ^ key >> 10) & (LOOKUP_DIRECT - 1);
}

static ALWAYS_INLINE uint64_t
key_of(uint64_t page, bool write)
{
	return page << 1 | write;
}

/* What is known of pages [first, last] of the space changes. */
static void
forget_pages(struct lookup *lookup, uint32_t space, uint64_t first,
	     uint64_t last)
{
	if (space != lookup->direct.space)
		return;
	if (last - first >= LOOKUP_DIRECT / 4) {
		forget_direct(lookup);
		return;
	}
	for (uint64_t page = first; page <= last; page++)
		for (unsigned write = 0; write < 2; write++)
			lookup->direct.key[direct_of(key_of(page, write))] =
				UINT64_MAX;
}

int
lookup_init(struct lookup *lookup, const struct stream *stream, unsigned shift,
	    bool fetches)
{
	*lookup = (struct lookup){ .shift = shift,
				   .fetches = fetches,
				   .stream = stream,
				   .vectors = short_vectors_at_hand(),
				   .last = UINT32_MAX };
	for (unsigned i = 0; i < LOOKUP_RECENT; i++)
		lookup->recent[i].region = UINT64_MAX;
	forget_direct(lookup);
	/* A scan writes one more before it knows that it is one. */
	lookup->page = calloc(LOOKUP_REFERENCES + 1, sizeof(*lookup->page));
	lookup->write = calloc(LOOKUP_REFERENCES + 1, sizeof(*lookup->write));
	lookup->access = calloc(LOOKUP_REFERENCES + 1, sizeof(*lookup->access));
	lookup->time = calloc(LOOKUP_REFERENCES, sizeof(*lookup->time));
	if (lookup->page && lookup->write && lookup->access && lookup->time)
		return 0;
	lookup_fini(lookup);
	return no_memory();
}

static uint32_t *
chunk_of(const struct hash_slot *slot)
{
	return (uint32_t *)(uintptr_t)slot->value;
}

static void
forget_space(struct lookup *lookup, uint32_t space)
{
	struct hash *chunks = &lookup->space[space];

	if (space == lookup->direct.space)
		forget_direct(lookup);
	if (!chunks->n)
		return;
	for (size_t i = 0; i < chunks->room; i++)
		if (chunks->slot[i].key)
			free(chunk_of(&chunks->slot[i]));
	hash_fini(chunks);
	*chunks = (struct hash){ 0 };
	for (unsigned i = 0; i < LOOKUP_RECENT; i++)
		if (lookup->recent[i].space == space)
			lookup->recent[i].region = UINT64_MAX;
}

void
lookup_fini(struct lookup *lookup)
{
	for (uint32_t i = 0; i < lookup->spaces; i++)
		forget_space(lookup, i);
	free(lookup->space);
	for (size_t i = 0; i < lookup->directories; i++)
		free(lookup->of_frame[i]);
	free(lookup->of_frame);
	free(lookup->page);
	free(lookup->write);
	free(lookup->access);
	free(lookup->time);
	*lookup = (struct lookup){ 0 };
}

static unsigned
recent_of(uint64_t region, uint32_t space)
{
	return (unsigned)(region ^ space * UINT32_C(0x9e3779b1) >> 16) &
	       (LOOKUP_RECENT - 1);
}

/* The chunk of a region, or NULL. */
static NOINLINE uint32_t *
find_chunk(struct lookup *lookup, uint32_t space, uint64_t region)
{
	struct lookup_recent *recent =
		&lookup->recent[recent_of(region, space)];
	const uint64_t *chunk;

	if (space >= lookup->spaces)
		return NULL;
	chunk = hash_find(&lookup->space[space], region);
	if (!chunk)
		return NULL;
	*recent = (struct lookup_recent){ region, (uint32_t *)(uintptr_t)*chunk,
					  space };
	return recent->page;
}

static inline uint32_t
value_of(struct lookup *lookup, uint32_t space, uint64_t page)
{
	uint64_t region = page >> LOOKUP_CHUNK_SHIFT;
	const struct lookup_recent *recent =
		&lookup->recent[recent_of(region, space)];
	const uint32_t *chunk = recent->page;

	if (unlikely(recent->region != region || recent->space != space))
		chunk = find_chunk(lookup, space, region);
	return likely(chunk) ? chunk[page & (CHUNK_PAGES - 1)] : 0;
}

uint32_t
lookup_get(const struct lookup *lookup, uint32_t space, uint64_t page)
{
	const uint64_t *chunk = space < lookup->spaces
					? hash_find(&lookup->space[space],
						    page >> LOOKUP_CHUNK_SHIFT)
					: NULL;

	return chunk ? ((const uint32_t *)(uintptr_t)*chunk)[page &
							     (CHUNK_PAGES - 1)]
		     : 0;
}

static int
grow_spaces(struct lookup *lookup, uint32_t space)
{
	uint32_t room = lookup->spaces ? lookup->spaces : 8;
	struct hash *grown;

	while (room <= space)
		room *= 2;
	grown = reallocarray(lookup->space, room, sizeof(*grown));
	if (!grown)
		return no_memory();
	memset(grown + lookup->spaces, 0,
	       (room - lookup->spaces) * sizeof(*grown));
	lookup->space = grown;
	lookup->spaces = room;
	return 0;
}

int
lookup_set(struct lookup *lookup, uint32_t space, uint64_t page, uint32_t value)
{
	uint64_t region = page >> LOOKUP_CHUNK_SHIFT;
	uint32_t *chunk;

	if (space >= lookup->spaces && grow_spaces(lookup, space))
		return -ENOMEM;
	chunk = find_chunk(lookup, space, region);
	if (!chunk) {
		chunk = calloc(CHUNK_PAGES, sizeof(*chunk));
		if (!chunk)
			return no_memory();
		if (hash_put(&lookup->space[space], region,
			     (uint64_t)(uintptr_t)chunk) < 0) {
			free(chunk);
			return no_memory();
		}
	}
	chunk[page & (CHUNK_PAGES - 1)] = value;
	lookup->passing |= (value & LOOKUP_PASSED) != 0;
	forget_pages(lookup, space, page, page);
	return 0;
}

/* Pages [first, last] of one region. */
static void
forget_part(uint32_t *chunk, uint64_t region, uint64_t first, uint64_t last)
{
	uint64_t start = region << LOOKUP_CHUNK_SHIFT;
	uint64_t from = first > start ? first - start : 0;
	uint64_t to =
		last - start < CHUNK_PAGES ? last - start : CHUNK_PAGES - 1;

	memset(chunk + from, 0, (to - from + 1) * sizeof(*chunk));
}

void
lookup_invalidate(struct lookup *lookup, uint32_t space, uint64_t address,
		  uint64_t length)
{
	uint64_t first = address >> lookup->shift;
	uint64_t last = (address + length - 1) >> lookup->shift;
	uint64_t from = first >> LOOKUP_CHUNK_SHIFT;
	uint64_t to = last >> LOOKUP_CHUNK_SHIFT;
	const struct hash *chunks;

	if (space >= lookup->spaces || !length)
		return;
	forget_pages(lookup, space, first, last);
	chunks = &lookup->space[space];
	if (length == UINT64_MAX) {
		forget_space(lookup, space);
	} else if (to - from < chunks->room) {
		for (uint64_t region = from; region <= to; region++) {
			const uint64_t *chunk = hash_find(chunks, region);

			if (chunk)
				forget_part((uint32_t *)(uintptr_t)*chunk,
					    region, first, last);
		}
	} else {
		for (size_t i = 0; i < chunks->room; i++) {
			const struct hash_slot *slot = &chunks->slot[i];

			if (slot->key && slot->key - 1 >= from &&
			    slot->key - 1 <= to)
				forget_part(chunk_of(slot), slot->key - 1,
					    first, last);
		}
	}
}

uint32_t *
lookup_frame(struct lookup *lookup, uint64_t frame)
{
	size_t directory = frame >> 12 >> DIRECTORY_SHIFT;

	if (directory >= lookup->directories) {
		size_t room = lookup->directories ? lookup->directories : 64;
		uint32_t **grown;

		while (room <= directory)
			room *= 2;
		grown = reallocarray(lookup->of_frame, room,
				     sizeof(uint32_t *));
		if (!grown) {
			no_memory();
			return NULL;
		}
		for (size_t i = lookup->directories; i < room; i++)
			grown[i] = NULL;
		lookup->of_frame = grown;
		lookup->directories = room;
	}
	if (!lookup->of_frame[directory])
		lookup->of_frame[directory] =
			calloc(DIRECTORY_FRAMES, sizeof(uint32_t));
	if (!lookup->of_frame[directory]) {
		no_memory();
		return NULL;
	}
	return &lookup->of_frame[directory]
				[frame >> 12 & (DIRECTORY_FRAMES - 1)];
}

struct lookup_pages
lookup_pages(const struct lookup *lookup, const struct batch *batch, uint32_t i)
{
	uint64_t address = batch->address[i];
	uint32_t size =
		stream_site(lookup->stream, SITE_INDEX(batch->site[i]))->size;
	uint64_t end = size ? address + size - 1 : address;

	if (end < address)
		end = UINT64_MAX;
	return (struct lookup_pages){ address >> lookup->shift,
				      end >> lookup->shift };
}

static inline void
append(struct lookup *lookup, uint32_t number, bool write, uint64_t access)
{
	lookup->page[lookup->n] = number;
	lookup->write[lookup->n] = write;
	lookup->access[lookup->n] = access;
	lookup->n++;
	lookup->last_written = write;
	lookup->last = number;
}

static NOINLINE void
write_again(struct lookup *lookup, uint64_t access)
{
	if (lookup->n)
		lookup->write[lookup->n - 1] = true;
	else if (lookup->notes)
		lookup->late = true;
	else
		append(lookup, lookup->last, true, access);
	lookup->last_written = true;
}

void
lookup_refer(struct lookup *lookup, uint32_t number, bool write,
	     uint64_t access)
{
	if (number != lookup->last)
		append(lookup, number, write, access);
	else if (write && !lookup->last_written)
		write_again(lookup, access);
}

void
lookup_times(struct lookup *lookup, const struct lookup_span *span)
{
	uint64_t ns =
		span->to_ns > span->from_ns ? span->to_ns - span->from_ns : 0;
	double each = span->n ? (double)ns / (double)span->n : 0;

	for (uint32_t i = 0; i < lookup->n; i++)
		lookup->time[i] =
			span->from_ns +
			(uint64_t)((double)(int64_t)(lookup->access[i] -
						     span->position) *
				   each);
}

static inline bool
is_known(uint32_t value, bool write)
{
	return value && (!write || value & LOOKUP_WRITABLE);
}

/* A page that is not followed: its runs count as those of others do. */
static inline void
pass(struct lookup *lookup, uint32_t value)
{
	uint32_t number =
		(value & ~(LOOKUP_WRITABLE | LOOKUP_PASSED)) - LOOKUP_FIRST;

	lookup->passed += number != lookup->last;
	lookup->last = number;
	lookup->last_written = value & LOOKUP_WRITABLE;
}

static inline void
take_value(struct lookup *lookup, uint32_t value, bool write, uint64_t access)
{
	if (value & LOOKUP_PASSED)
		pass(lookup, value);
	else if ((value & ~LOOKUP_WRITABLE) != LOOKUP_SILENT)
		lookup_refer(lookup, (value & ~LOOKUP_WRITABLE) - LOOKUP_FIRST,
			     write, access);
}

void
lookup_take(struct lookup *lookup, uint32_t value, bool write, uint64_t access)
{
	take_value(lookup, value, write, access);
}

/* It may lie in more than one page: was all of it known? */
static NOINLINE bool
scan_long(struct lookup *lookup, const struct batch *batch, uint32_t i,
	  bool write, uint64_t access)
{
	struct lookup_pages pages = lookup_pages(lookup, batch, i);
	uint32_t first = value_of(lookup, batch->space, pages.first), second;

	if (pages.last - pages.first > 1 || !is_known(first, write))
		return false;
	if (pages.last != pages.first) {
		second = value_of(lookup, batch->space, pages.last);
		if (!is_known(second, write))
			return false;
		take_value(lookup, first, write, access);
		first = second;
	}
	take_value(lookup, first, write, access);
	return true;
}

/* Where the value of an access some ahead will be, if that is simple. */
static inline void
prefetch(const struct lookup *lookup, const struct batch *batch, uint32_t i)
{
	uint64_t page = batch->address[i] >> lookup->shift;
	const struct lookup_recent *recent =
		&lookup->recent[recent_of(page >> LOOKUP_CHUNK_SHIFT,
					  batch->space)];

	if (likely(recent->page))
		__builtin_prefetch(&recent->page[page & (CHUNK_PAGES - 1)]);
}

/* What a scan changes, in registers: stores of bytes may hit any struct. */
struct scan {
	uint32_t *page;
	uint8_t *write;
	uint64_t *access;
	uint64_t passed;
	uint32_t n, last;
	bool last_written;
};

static ALWAYS_INLINE struct scan
scan_begin(const struct lookup *lookup)
{
	return (struct scan){ lookup->page,	   lookup->write,
			      lookup->access,	   lookup->passed,
			      lookup->n,	   lookup->last,
			      lookup->last_written };
}

static ALWAYS_INLINE void
scan_end(struct lookup *lookup, const struct scan *scan)
{
	lookup->passed = scan->passed;
	lookup->n = scan->n;
	lookup->last = scan->last;
	lookup->last_written = scan->last_written;
}

/* take_value without a branch on whether it is the page before, which nobody can
 * foretell */
static ALWAYS_INLINE void
scan_take(struct lookup *lookup, struct scan *scan, uint32_t value, bool write,
	  uint64_t access)
{
	uint32_t at, number = (value & ~(LOOKUP_WRITABLE | LOOKUP_PASSED)) -
			      LOOKUP_FIRST;
	bool next = number != scan->last;

	if (value & LOOKUP_PASSED) {
		scan->passed += next;
		scan->last = number;
		scan->last_written = value & LOOKUP_WRITABLE;
		return;
	}
	if (unlikely((value & ~LOOKUP_WRITABLE) == LOOKUP_SILENT))
		return;
	if (unlikely(!scan->n && !next)) {
		if (!write || scan->last_written)
			return;
		scan_end(lookup, scan);
		write_again(lookup, access);
		*scan = scan_begin(lookup);
		return;
	}
	at = scan->n + next - 1;
	scan->page[at] = number;
	scan->access[at] = next ? access : scan->access[at];
	scan->last_written = (!next & scan->last_written) | write;
	scan->write[at] = scan->last_written;
	scan->last = number;
	scan->n = at + 1;
}

/* From now on it is found at once. */
static ALWAYS_INLINE void
remember(struct lookup *lookup, uint64_t key, uint32_t value)
{
	unsigned slot = direct_of(key);

	if (unlikely((value & ~LOOKUP_WRITABLE) == LOOKUP_SILENT))
		return;
	lookup->direct.key[slot] = key;
	lookup->direct.value[slot] = (value & ~LOOKUP_WRITABLE) - LOOKUP_FIRST;
}

/* A reference to what was remembered, as scan_take; some were before it. */
static ALWAYS_INLINE void
scan_again(struct scan *scan, uint32_t value, bool write, uint64_t access,
	   bool passing)
{
	uint32_t number = passing ? value & ~LOOKUP_PASSED : value;
	bool passed = passing && value & LOOKUP_PASSED;
	bool next = number != scan->last;

	scan->page[scan->n] = number;
	scan->access[scan->n] = access;
	scan->n += next & !passed;
	scan->passed += next & passed;
	scan->last_written = (!next & scan->last_written) | write | passed;
	scan->write[scan->n - 1 + passed] = scan->last_written;
	scan->last = number;
}

struct scan_range {
	uint32_t from, to;
	uint64_t first;	  /* number of the batch's first access */
	unsigned shift;	  /* log2 of a page's bytes */
	uint32_t skipped; /* kind of sites that are not followed */
};

/* Those that are to be looked at closely have no key that is known. */
static ALWAYS_INLINE void
make_keys(uint64_t *key, const uint64_t *address, const uint32_t *site,
	  uint32_t n, const struct scan_range *range)
{
	const uint64_t bytes = UINT64_C(1) << range->shift;
	const uint64_t within = bytes > SHORT_BYTES ? bytes - SHORT_BYTES : 0;

	for (uint32_t i = 0; i < n; i++) {
		/* load 0, store 1, modify 1, fetch 0 */
		uint64_t write = ((site[i] & 3u) + 1u) >> 1 & 1u;
		uint64_t odd = ((address[i] & (bytes - 1)) > within) |
			       (site[i] & SITE_WIDE) |
			       ((site[i] & 3u) == range->skipped);

		key[i] = (address[i] >> range->shift << 1 | write) |
			 (odd ? ODD : 0);
	}
}

/* One that is not found at once; false: nothing is known of it. */
static ALWAYS_INLINE bool
scan_one(struct lookup *lookup, struct scan *scan, const struct batch *batch,
	 uint32_t i, const struct scan_range *range)
{
	const uint64_t bytes = UINT64_C(1) << range->shift;
	const uint64_t within = bytes > SHORT_BYTES ? bytes - SHORT_BYTES : 0;
	uint64_t address = batch->address[i];
	uint32_t site = batch->site[i], value;
	bool write = ((site & 3u) + 1u) >> 1 & 1u, known;

	if ((site & 3u) == range->skipped)
		return true;
	if ((address & (bytes - 1)) > within || site & SITE_WIDE) {
		scan_end(lookup, scan);
		known = scan_long(lookup, batch, i, write, range->first + i);
		*scan = scan_begin(lookup);
		return known;
	}
	prefetch(lookup, batch, i + AHEAD < range->to ? i + AHEAD : i);
	value = value_of(lookup, batch->space, address >> range->shift);
	if (unlikely(!is_known(value, write)))
		return false;
	scan_take(lookup, scan, value, write, range->first + i);
	remember(lookup, key_of(address >> range->shift, write), value);
	return true;
}

/*
 * Programs go from page to page all the time (gzip's next access is to another
 * one in 80 of 100 cases, to one of two others in most), so nothing here
 * branches on which it is; and what was found lately is found again by its
 * lowest bits, with one branch that nearly always goes there.  The keys are made
 * before, as then all that the loop needs is in registers.
 */
static ALWAYS_INLINE uint32_t
scan_range(struct lookup *lookup, const struct batch *batch,
	   const struct scan_range *range, bool passing)
{
	const struct lookup_direct *direct = &lookup->direct;
	struct scan scan = scan_begin(lookup);
	uint32_t i = range->from, n;
	uint64_t keys[KEYS];
	bool known = true;

	for (; known && i < range->to; i += n) {
		n = range->to - i < KEYS ? range->to - i : KEYS;
		if (n == KEYS) /* a constant number: by vectors */
			make_keys(keys, batch->address + i, batch->site + i,
				  KEYS, range);
		else
			make_keys(keys, batch->address + i, batch->site + i, n,
				  range);
		for (uint32_t k = 0; k < n; k++) {
			uint64_t key = keys[k];
			uint32_t value = direct->value[direct_of(key)];

			if (likely((direct->key[direct_of(key)] == key) &&
				   (scan.n ||
				    (passing && value & LOOKUP_PASSED)))) {
				scan_again(&scan, value, key & 1,
					   range->first + i + k, passing);
				continue;
			}
			known = scan_one(lookup, &scan, batch, i + k, range);
			if (unlikely(!known)) {
				n = k;
				break;
			}
		}
	}
	scan_end(lookup, &scan);
	return i;
}

/* With what is usual as constants */
static ALWAYS_INLINE uint32_t
scan_any(struct lookup *lookup, const struct batch *batch,
	 const struct scan_range *range)
{
	struct scan_range usual = *range;

	usual.shift = PAGE_SHIFT;
	usual.skipped = UINT32_MAX;
	if (range->shift != PAGE_SHIFT || range->skipped != UINT32_MAX)
		return scan_range(lookup, batch, range, true);
	if (lookup->passing)
		return scan_range(lookup, batch, &usual, true);
	return scan_range(lookup, batch, &usual, false);
}

SHORT_VECTORS static uint32_t
scan_by_vectors(struct lookup *lookup, const struct batch *batch,
		const struct scan_range *range)
{
	return scan_any(lookup, batch, range);
}

static uint32_t
scan_plainly(struct lookup *lookup, const struct batch *batch,
	     const struct scan_range *range)
{
	return scan_any(lookup, batch, range);
}

uint32_t
lookup_scan(struct lookup *lookup, const struct batch *batch, uint32_t from,
	    uint32_t to, uint64_t position)
{
	const struct scan_range range = {
		from,
		to,
		position - from,
		lookup->shift,
		lookup->fetches ? UINT32_MAX : SITE_FETCH,
	};

	if (batch->space != lookup->direct.space) {
		forget_direct(lookup);
		lookup->direct.space = batch->space;
	}
	return lookup->vectors ? scan_by_vectors(lookup, batch, &range)
			       : scan_plainly(lookup, batch, &range);
}
