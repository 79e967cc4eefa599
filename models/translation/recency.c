// SPDX-License-Identifier: GPL-2.0-or-later
/* What left the TLB, and when; see recency.h. */
#include "models/translation/recency.h"

#include <stdlib.h>
#include <string.h>

void
recency_fini(struct recency *recency)
{
	for (uint32_t i = 0; i < recency->spaces; i++)
		hash_fini(&recency->stack[i].place);
	free(recency->stack);
	free(recency->page);
	*recency = (struct recency){ .n = 0 };
}

static struct recency_stack *
stack_of(struct recency *recency, uint32_t space)
{
	struct recency_stack *grown;

	if (space < recency->spaces)
		return &recency->stack[space];
	grown = reallocarray(recency->stack, space + 1u, sizeof(*grown));
	if (!grown)
		return NULL;
	memset(grown + recency->spaces, 0,
	       (space + 1u - recency->spaces) * sizeof(*grown));
	recency->stack = grown;
	recency->spaces = space + 1;
	return &grown[space];
}

/* A page of nobody: its number plus 1, or 0. */
static uint32_t
take(struct recency *recency)
{
	uint32_t number = recency->free;

	if (number) {
		recency->free = recency->page[number - 1].below;
		return number;
	}
	if (recency->n == recency->room) {
		uint32_t room = recency->room ? 2 * recency->room : 64;
		struct recency_page *grown =
			reallocarray(recency->page, room, sizeof(*grown));

		if (!grown)
			return 0;
		recency->page = grown;
		recency->room = room;
	}
	return ++recency->n;
}

static void
give(struct recency *recency, uint32_t number)
{
	recency->page[number - 1].below = recency->free;
	recency->free = number;
}

/* Out of its stack; those around it are neighbours now. */
static void
unlink_page(struct recency *recency, struct recency_stack *stack,
	    uint32_t number)
{
	const struct recency_page *page = &recency->page[number - 1];

	if (page->above)
		recency->page[page->above - 1].below = page->below;
	else
		stack->top = page->below;
	if (page->below)
		recency->page[page->below - 1].above = page->above;
	hash_remove(&stack->place, page->address >> 12);
}

int
recency_left(struct recency *recency, uint32_t space, uint64_t address)
{
	struct recency_stack *stack = stack_of(recency, space);
	const uint64_t *old =
		stack ? hash_find(&stack->place, address >> 12) : NULL;
	uint32_t number = 0;

	if (old) {
		number = (uint32_t)*old;
		unlink_page(recency, stack, number);
	} else if (stack) {
		number = take(recency);
	}
	if (!number)
		return -ENOMEM;
	if (hash_put(&stack->place, address >> 12, number) < 0) {
		give(recency, number);
		return -ENOMEM;
	}
	recency->page[number - 1] =
		(struct recency_page){ .address = address,
				       .below = stack->top };
	if (stack->top)
		recency->page[stack->top - 1].above = number;
	stack->top = number;
	return 0;
}

unsigned
recency_missed(struct recency *recency, uint32_t space, uint64_t address,
	       uint64_t *wanted)
{
	struct recency_stack *stack =
		space < recency->spaces ? &recency->stack[space] : NULL;
	const uint64_t *place =
		stack ? hash_find(&stack->place, address >> 12) : NULL;
	const struct recency_page *page;
	uint32_t number;
	unsigned n = 0;

	if (!place)
		return 0;
	number = (uint32_t)*place;
	page = &recency->page[number - 1];
	if (page->above)
		wanted[n++] = recency->page[page->above - 1].address;
	if (page->below)
		wanted[n++] = recency->page[page->below - 1].address;
	unlink_page(recency, stack, number);
	give(recency, number);
	return n;
}
