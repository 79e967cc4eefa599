// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/plain-reclaim.h"

#include <assert.h>
#include <string.h>

#include "models/memory/random.h"

#define NOWHERE UINT32_MAX

static uint32_t
where(const struct plain_list *list, uint32_t page)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->page[i] == page)
			return i;
	return NOWHERE;
}

static bool
has(const struct plain_list *list, uint32_t page)
{
	return where(list, page) != NOWHERE;
}

static void
insert(struct plain_list *list, uint32_t at, uint32_t page)
{
	memmove(&list->page[at + 1], &list->page[at],
		(list->n - at) * sizeof(*list->page));
	list->page[at] = page;
	list->n++;
}

static void
push(struct plain_list *list, uint32_t page)
{
	insert(list, list->n, page);
}

static void
take(struct plain_list *list, uint32_t page)
{
	uint32_t at = where(list, page);

	if (at == NOWHERE)
		return;
	list->n--;
	memmove(&list->page[at], &list->page[at + 1],
		(list->n - at) * sizeof(*list->page));
}

static uint32_t
pop(struct plain_list *list)
{
	uint32_t page = list->page[0];

	take(list, page);
	return page;
}

static uint64_t
in_memory(const struct plain *plain)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < PLAIN_PAGES; i++)
		n += plain->of[i].in;
	return n;
}

static bool
full(const struct plain *plain)
{
	return in_memory(plain) >= plain->capacity;
}

static void
leave(struct plain *plain, uint32_t page)
{
	assert(page < PLAIN_PAGES);
	plain->left[plain->n_left++] = 2 * page + plain->of[page].dirty;
	plain->evictions++;
	plain->writebacks += plain->of[page].dirty;
	plain->of[page].in = false;
	plain->of[page].dirty = false;
}

static void
lru(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *list = &plain->list[0];

	if (plain->of[r->page].in)
		take(list, r->page);
	else if (full(plain))
		leave(plain, pop(list));
	push(list, r->page);
}

static void
fifo(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *list = &plain->list[0];

	if (plain->of[r->page].in)
		return;
	if (full(plain))
		leave(plain, pop(list));
	push(list, r->page);
}

static void
second_chance(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *list = &plain->list[0];

	if (plain->of[r->page].in) {
		plain->of[r->page].bit = true;
		return;
	}
	while (full(plain)) {
		uint32_t page = pop(list);

		if (plain->of[page].bit)
			push(list, page);
		else
			leave(plain, page);
		plain->of[page].bit = false;
	}
	plain->of[r->page].bit = plain->config->clock_loaded;
	push(list, r->page);
}

static void
sieve(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *list = &plain->list[0];

	if (plain->of[r->page].in) {
		plain->of[r->page].bit = true;
		return;
	}
	while (full(plain)) {
		uint32_t at = where(list, plain->hand[0]), page;

		page = list->page[at == NOWHERE ? 0 : at];
		at = where(list, page) + 1;
		plain->hand[0] = at < list->n ? list->page[at] : PLAIN_END;
		if (!plain->of[page].bit) {
			take(list, page);
			leave(plain, page);
		}
		plain->of[page].bit = false;
	}
	push(list, r->page);
}

/* The page in memory that is least by (count, stamp) */
static uint32_t
least(const struct plain *plain)
{
	uint32_t page = NOWHERE;

	for (uint32_t i = 0; i < PLAIN_PAGES; i++)
		if (plain->of[i].in &&
		    (page == NOWHERE ||
		     plain->of[i].count < plain->of[page].count ||
		     (plain->of[i].count == plain->of[page].count &&
		      plain->of[i].stamp < plain->of[page].stamp)))
			page = i;
	return page;
}

/* count is the class: 2 referenced, 1 written */
static void
nru(struct plain *plain, const struct plain_reference *r)
{
	uint64_t interval = plain->config->nru_interval
				    ? plain->config->nru_interval
				    : plain->capacity;
	uint64_t class = 2 + r->write;

	if (plain->last == interval) {
		struct plain copy = *plain;

		plain->last = 0;
		/* forgotten in order of classes and ages */
		for (uint32_t page; (page = least(&copy)) != NOWHERE;) {
			copy.of[page].in = false;
			if (plain->of[page].count >= 2) {
				plain->of[page].count -= 2;
				plain->of[page].stamp = plain->clock++;
			}
		}
	}
	plain->last++;
	if (plain->of[r->page].in)
		class |= plain->of[r->page].count & 1;
	else if (full(plain))
		leave(plain, least(plain));
	if (!plain->of[r->page].in || class != plain->of[r->page].count) {
		plain->of[r->page].count = class;
		plain->of[r->page].stamp = plain->clock++;
	}
}

static void
lfu(struct plain *plain, const struct plain_reference *r)
{
	if (!plain->of[r->page].in) {
		if (full(plain))
			leave(plain, least(plain));
		plain->of[r->page].count = 0;
	}
	plain->of[r->page].count++;
	plain->of[r->page].stamp = plain->clock++;
}

static void
any(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *list = &plain->list[0];

	if (plain->of[r->page].in)
		return;
	if (full(plain)) {
		uint64_t at = random_below(&plain->random, list->n);

		leave(plain, list->page[at]);
		list->page[at] = list->page[--list->n];
	}
	push(list, r->page);
}

static void
opt(struct plain *plain, const struct plain_reference *r)
{
	if (!plain->of[r->page].in && full(plain)) {
		uint32_t page = NOWHERE;

		for (uint32_t i = 0; i < PLAIN_PAGES; i++)
			if (plain->of[i].in &&
			    (page == NOWHERE ||
			     plain->of[i].next > plain->of[page].next ||
			     (plain->of[i].next == plain->of[page].next &&
			      plain->of[i].stamp < plain->of[page].stamp)))
				page = i;
		leave(plain, page);
	}
	plain->of[r->page].next = r->next;
	plain->of[r->page].stamp = plain->clock++;
}

/* What was not referenced since `since` leaves, the longest ago first. */
static void
expire(struct plain *plain, uint64_t since)
{
	while (plain->list[0].n &&
	       plain->of[plain->list[0].page[0]].stamp < since)
		leave(plain, pop(&plain->list[0]));
}

static void
working_set(struct plain *plain, const struct plain_reference *r)
{
	uint64_t window = plain->config->ws_window;

	expire(plain, r->position > window ? r->position - window : 0);
	lru(plain, r);
	plain->of[r->page].in = true; /* as it may leave at once */
	plain->of[r->page].stamp = r->position;
	expire(plain, r->position >= window ? r->position - window + 1 : 0);
}

static void
pff(struct plain *plain, const struct plain_reference *r)
{
	bool in = plain->of[r->page].in;

	if (!in && plain->began &&
	    r->position - plain->last > plain->config->pff_interval)
		expire(plain, plain->last);
	if (!in) {
		plain->began = true;
		plain->last = r->position;
	}
	lru(plain, r);
	plain->of[r->page].stamp = r->position;
}

static uint64_t
share(const struct plain *plain, double of)
{
	return (uint64_t)((double)plain->capacity * of);
}

static void
two_queues(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *in = &plain->list[0], *out = &plain->list[1];
	struct plain_list *main = &plain->list[2];
	bool known = has(out, r->page);

	if (has(main, r->page)) {
		take(main, r->page);
		push(main, r->page);
		return;
	}
	if (has(in, r->page))
		return;
	take(out, r->page);
	if (full(plain)) {
		if (in->n > share(plain, plain->config->twoq_in) || !main->n) {
			push(out, in->page[0]);
			leave(plain, pop(in));
			if (out->n > share(plain, plain->config->twoq_out))
				pop(out);
		} else {
			leave(plain, pop(main));
		}
	}
	push(known ? main : in, r->page);
}

static uint64_t
segment_most(const struct plain *plain, uint64_t segments, uint64_t i)
{
	return plain->capacity / segments +
	       (i ? 0 : plain->capacity % segments);
}

static void
cool(struct plain *plain, uint64_t segments, uint64_t i)
{
	if (i == 0) {
		leave(plain, pop(&plain->list[0]));
		return;
	}
	push(&plain->list[i - 1], pop(&plain->list[i]));
	while (plain->list[i - 1].n > segment_most(plain, segments, i - 1))
		cool(plain, segments, i - 1);
}

static void
segmented(struct plain *plain, const struct plain_reference *r)
{
	uint64_t segments = (uint64_t)plain->config->slru_segments, i = 0;

	if (segments > plain->capacity)
		segments = plain->capacity;
	while (i < segments && !has(&plain->list[i], r->page))
		i++;
	if (i < segments) {
		take(&plain->list[i], r->page);
		i += i + 1 < segments;
		push(&plain->list[i], r->page);
		while (plain->list[i].n > segment_most(plain, segments, i))
			cool(plain, segments, i);
		return;
	}
	if (full(plain)) {
		for (i = 0; !plain->list[i].n;)
			i++;
		leave(plain, pop(&plain->list[i]));
	}
	for (i = 0; i < segments; i++)
		if (plain->list[i].n < segment_most(plain, segments, i))
			break;
	push(&plain->list[i < segments ? i : 0], r->page);
}

/* REPLACE */
static void
arc_replace(struct plain *plain, bool in_b2)
{
	struct plain_list *t = &plain->list[0], *b = &plain->list[2];
	double t1 = t[0].n;
	bool first = (t[0].n &&
		      ((in_b2 && t1 == plain->target) || t1 > plain->target)) ||
		     !t[1].n;

	push(&b[!first], t[!first].page[0]);
	leave(plain, pop(&t[!first]));
}

static void
arc(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *t1 = &plain->list[0], *t2 = &plain->list[1];
	struct plain_list *b1 = &plain->list[2], *b2 = &plain->list[3];
	double c = (double)plain->capacity, n1 = b1->n, n2 = b2->n;
	bool in_b1 = has(b1, r->page), in_b2 = has(b2, r->page);

	if (has(t1, r->page) || has(t2, r->page)) {
		take(t1, r->page);
		take(t2, r->page);
		push(t2, r->page);
		return;
	}
	if (in_b1 || in_b2) {
		if (in_b1)
			plain->target += n2 > n1 ? n2 / n1 : 1;
		else
			plain->target -= n1 > n2 ? n1 / n2 : 1;
		plain->target = plain->target > c   ? c
				: plain->target < 0 ? 0
						    : plain->target;
		take(b1, r->page);
		take(b2, r->page);
		if (full(plain))
			arc_replace(plain, in_b2);
		push(t2, r->page);
		return;
	}
	if (full(plain)) {
		if (t1->n + b1->n >= plain->capacity && !b1->n) {
			leave(plain, pop(t1));
		} else {
			if (t1->n + b1->n >= plain->capacity)
				pop(b1);
			else if (t1->n + t2->n + b1->n + b2->n >=
					 2 * plain->capacity &&
				 b2->n)
				pop(b2);
			arc_replace(plain, false);
		}
	}
	push(t1, r->page);
}

/* S, Q and the order of leaving of those gone; `hot` is LIR */
static void
lirs_prune(struct plain *plain)
{
	struct plain_list *s = &plain->list[0];

	while (s->n > 1 && !plain->of[s->page[0]].hot)
		take(&plain->list[2], pop(s));
}

static void
lirs_evict(struct plain *plain)
{
	uint32_t page = pop(&plain->list[1]);

	leave(plain, page);
	if (has(&plain->list[0], page))
		push(&plain->list[2], page);
}

static uint64_t
lirs_count(const struct plain *plain)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < PLAIN_PAGES; i++)
		n += plain->of[i].in && plain->of[i].hot;
	return n;
}

static void
lirs_demote(struct plain *plain, uint64_t hirs)
{
	uint32_t page = pop(&plain->list[0]);

	plain->of[page].hot = false;
	while (plain->list[1].n >= hirs)
		lirs_evict(plain);
	push(&plain->list[1], page);
	lirs_prune(plain);
}

static void
lirs_place(struct plain *plain, uint32_t page, uint64_t hirs)
{
	struct plain_list *s = &plain->list[0], *q = &plain->list[1];
	uint64_t lirs = plain->capacity - hirs;
	bool in = plain->of[page].in, on_s = has(s, page);

	take(&plain->list[2], page);
	if (lirs && on_s) { /* it becomes LIR */
		take(s, page);
		push(s, page);
		take(q, page);
		while (lirs_count(plain) >= lirs)
			lirs_demote(plain, hirs);
		plain->of[page].hot = true;
		return;
	}
	take(q, page);
	if (!in && lirs_count(plain) < lirs)
		plain->of[page].hot = true;
	else if (!in)
		while (q->n >= hirs)
			lirs_evict(plain);
	take(s, page);
	push(s, page);
	if (!plain->of[page].hot)
		push(q, page);
}

static void
lirs(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *s = &plain->list[0], *gone = &plain->list[2];
	uint64_t hirs = share(plain, plain->config->lirs_hir);

	hirs += !hirs;
	if (plain->of[r->page].in && plain->of[r->page].hot) {
		take(s, r->page);
		push(s, r->page);
		lirs_prune(plain);
		return;
	}
	lirs_place(plain, r->page, hirs);
	while (s->n > share(plain, plain->config->lirs_stack) && gone->n) {
		take(s, gone->page[0]);
		pop(gone);
	}
}

/* The paper's evictM and evictS: true if one left */
static bool
s3_evict_main(struct plain *plain)
{
	uint32_t page = pop(&plain->list[1]);
	uint64_t uses = plain->of[page].count;

	if (!uses) {
		leave(plain, page);
		return true;
	}
	plain->of[page].count = uses > 3 ? 2 : uses - 1;
	push(&plain->list[1], page);
	return false;
}

static bool
s3_evict_small(struct plain *plain)
{
	struct plain_list *ghost = &plain->list[2];
	uint32_t page = pop(&plain->list[0]);

	if (plain->of[page].count >= (uint64_t)plain->config->s3fifo_uses) {
		plain->of[page].count = 0;
		push(&plain->list[1], page);
		return false;
	}
	leave(plain, page);
	push(ghost, page);
	if (ghost->n > share(plain, plain->config->s3fifo_ghost))
		pop(ghost);
	return true;
}

static void
three_fifos(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *small = &plain->list[0], *main = &plain->list[1];
	uint64_t smalls = share(plain, plain->config->s3fifo_small);
	bool to_main = has(&plain->list[2], r->page);

	smalls += !smalls;
	plain->of[r->page].count++;
	if (plain->of[r->page].in)
		return;
	take(&plain->list[2], r->page);
	while (full(plain)) {
		plain->began = true;
		if (main->n > plain->capacity - smalls || !small->n)
			while (!s3_evict_main(plain))
				;
		else
			while (small->n && !s3_evict_small(plain))
				;
	}
	to_main |= plain->config->s3fifo_fill && !plain->began &&
		   small->n >= smalls;
	plain->of[r->page].count = 0;
	push(to_main ? main : small, r->page);
}

/* CLOCK-Pro: the ring is list 0 with a mark at its end, target is m_c */
enum {
	HOT,
	COLD,
	TEST
};

static uint64_t
pro_count(const struct plain *plain, bool hot)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < PLAIN_PAGES; i++)
		n += plain->of[i].in && plain->of[i].hot == hot;
	return n;
}

static uint32_t
pro_after(const struct plain *plain, uint32_t page)
{
	const struct plain_list *ring = &plain->list[0];

	return ring->page[(where(ring, page) + 1) % ring->n];
}

/* The page under the hand, which is not the mark; moves the hand on */
static uint32_t
pro_step(struct plain *plain, unsigned hand)
{
	uint32_t page = plain->hand[hand];

	if (page == PLAIN_END)
		page = pro_after(plain, page);
	plain->hand[hand] = pro_after(plain, page);
	return page;
}

static void
pro_take(struct plain *plain, uint32_t page)
{
	for (unsigned i = 0; i < 3; i++)
		if (plain->hand[i] == page)
			plain->hand[i] = pro_after(plain, page);
	take(&plain->list[0], page);
}

static void
pro_put(struct plain *plain, uint32_t page)
{
	struct plain_list *ring = &plain->list[0];

	insert(ring, where(ring, plain->hand[HOT]), page);
}

static void
pro_target(struct plain *plain, double by)
{
	double most = plain->capacity > 1 ? (double)plain->capacity - 1 : 1;

	plain->target += by;
	if (plain->target > most)
		plain->target = most;
	if (plain->target < 1)
		plain->target = 1;
}

static void
pro_end_test(struct plain *plain, uint32_t page)
{
	if (!plain->of[page].test)
		return;
	plain->of[page].test = false;
	if (!plain->of[page].bit)
		pro_target(plain, -1);
	if (!plain->of[page].in)
		pro_take(plain, page);
}

static void
pro_run_hot(struct plain *plain)
{
	for (;;) {
		uint32_t page = pro_step(plain, HOT);

		if (!plain->of[page].hot) {
			pro_end_test(plain, page);
		} else if (plain->of[page].bit) {
			plain->of[page].bit = false;
		} else {
			plain->of[page].hot = false;
			return;
		}
	}
}

static void
pro_limit(struct plain *plain)
{
	while ((double)pro_count(plain, true) >
	       (double)plain->capacity - plain->target)
		pro_run_hot(plain);
}

static void
pro_spare(struct plain *plain, uint32_t page)
{
	plain->of[page].bit = false;
	pro_take(plain, page);
	pro_put(plain, page);
	plain->of[page].hot = plain->of[page].test;
	plain->of[page].test = !plain->of[page].test;
	if (plain->of[page].hot) {
		pro_target(plain, 1);
		pro_limit(plain);
	}
}

static void
pro_run_cold(struct plain *plain)
{
	uint32_t page;
	uint64_t gone = 0;

	for (;;) {
		if (!pro_count(plain, false))
			pro_run_hot(plain);
		page = plain->hand[COLD];
		if (page == PLAIN_END)
			page = pro_after(plain, page);
		if (plain->of[page].hot || !plain->of[page].in) {
			plain->hand[COLD] = pro_after(plain, page);
			continue;
		}
		if (!plain->of[page].bit)
			break;
		plain->hand[COLD] = page;
		pro_spare(plain, page);
	}
	plain->hand[COLD] = pro_after(plain, page);
	leave(plain, page);
	if (!plain->of[page].test)
		pro_take(plain, page);
	for (;;) {
		gone = plain->list[0].n - 1 - in_memory(plain);
		if (gone <= plain->capacity)
			return;
		page = pro_step(plain, TEST);
		if (!plain->of[page].hot)
			pro_end_test(plain, page);
	}
}

static void
clock_pro(struct plain *plain, const struct plain_reference *r)
{
	struct plain_list *ring = &plain->list[0];
	bool tested = has(ring, r->page);

	if (!ring->n) {
		push(ring, PLAIN_END);
		pro_target(plain,
			   (double)share(plain, plain->config->clockpro_cold));
	}
	if (plain->of[r->page].in) {
		plain->of[r->page].bit = true;
		return;
	}
	if (tested)
		pro_take(plain, r->page);
	plain->of[r->page].bit = plain->of[r->page].test = false;
	plain->of[r->page].hot = false;
	while (full(plain))
		pro_run_cold(plain);
	if (tested)
		pro_target(plain, 1);
	plain->of[r->page].hot =
		tested || (!pro_count(plain, false) &&
			   (double)pro_count(plain, true) + 1 <=
				   (double)plain->capacity - plain->target);
	plain->of[r->page].test = !plain->of[r->page].hot;
	plain->of[r->page].in = true;
	pro_put(plain, r->page);
	pro_limit(plain);
}

static const struct {
	const char *name;
	void (*touch)(struct plain *plain, const struct plain_reference *r);
} twins[] = {
	{ "lru", lru },
	{ "fifo", fifo },
	{ "clock", second_chance },
	{ "sieve", sieve },
	{ "nru", nru },
	{ "lfu", lfu },
	{ "random", any },
	{ "2q", two_queues },
	{ "slru", segmented },
	{ "arc", arc },
	{ "lirs", lirs },
	{ "clockpro", clock_pro },
	{ "s3fifo", three_fifos },
	{ "ws", working_set },
	{ "pff", pff },
	{ "opt", opt },
};

static int
twin_of(const char *policy)
{
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++)
		if (!strcmp(twins[i].name, policy))
			return (int)i;
	return -1;
}

bool
plain_knows(const char *policy)
{
	return twin_of(policy) >= 0;
}

void
plain_init(struct plain *plain, const struct reclaim_config *config)
{
	memset(plain, 0, sizeof(*plain));
	plain->config = config;
	plain->capacity = config->capacity;
	plain->random = config->seed;
	plain->hand[0] = plain->hand[1] = plain->hand[2] = PLAIN_END;
}

void
plain_touch(struct plain *plain, const struct plain_reference *reference)
{
	int twin = twin_of(reclaim_registry[plain->config->policy]->name);
	uint32_t page = reference->page;
	uint64_t evictions;

	assert(twin >= 0 && page < PLAIN_PAGES);
	plain->misses += !plain->of[page].in;
	evictions = plain->evictions;
	twins[twin].touch(plain, reference);
	/* it is in now, unless it was its own victim (an empty window) */
	if (plain->evictions == evictions ||
	    plain->left[plain->n_left - 1] / 2 != page)
		plain->of[page].in = true;
	plain->of[page].dirty |= reference->write && plain->of[page].in;
}

void
plain_drop(struct plain *plain, uint32_t page)
{
	if (plain->list[0].n && has(&plain->list[0], PLAIN_END))
		pro_take(plain, page);
	if (plain->hand[0] == page) { /* SIEVE */
		uint32_t at = where(&plain->list[0], page) + 1;

		plain->hand[0] = at < plain->list[0].n ? plain->list[0].page[at]
						       : PLAIN_END;
	}
	if (!strcmp(reclaim_registry[plain->config->policy]->name, "random") &&
	    has(&plain->list[0], page)) {
		uint32_t at = where(&plain->list[0], page);

		plain->list[0].page[at] =
			plain->list[0].page[--plain->list[0].n];
	}
	for (unsigned i = 0; i < PLAIN_LISTS; i++)
		take(&plain->list[i], page);
	memset(&plain->of[page], 0, sizeof(plain->of[page]));
	if (!strcmp(reclaim_registry[plain->config->policy]->name, "lirs"))
		lirs_prune(plain);
}
