// SPDX-License-Identifier: GPL-2.0-or-later
/* The flat array of pages that policies keep their queues in. */
#include "models/paging/reclaim-list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define START_PAGES 1024u

static int
no_memory(uint64_t pages)
{
	return fail(ENOMEM, "reclaim: no memory for %" PRIu64 " pages", pages);
}

int
reclaim_lists_grow(struct reclaim_lists *lists, uint32_t page)
{
	uint64_t room = lists->room ? lists->room : START_PAGES;
	struct reclaim_node *node;
	uint8_t *missed;

	while (room <= page)
		room *= 2;
	/* numbers of nodes are 32 bits, those of the lists' ends among them */
	if (room > UINT32_MAX / 2 + 1)
		return no_memory(room);
	if (lists->size) {
		uint32_t *kept = reallocarray(lists->kept, room, sizeof(*kept));

		if (!kept)
			return no_memory(room);
		memset(kept + lists->room, 0,
		       (room - lists->room) * sizeof(*kept));
		lists->kept = kept;
	}
	missed = realloc(lists->missed, room / 8);
	if (!missed)
		return no_memory(room);
	memset(missed + lists->room / 8, 0, (room - lists->room) / 8);
	lists->missed = missed;
	node = reallocarray(lists->node, RECLAIM_LISTS + room, sizeof(*node));
	if (!node)
		return no_memory(room);
	for (uint64_t i = RECLAIM_LISTS + lists->room; i < RECLAIM_LISTS + room;
	     i++)
		node[i] = (struct reclaim_node){ .list = RECLAIM_NONE };
	lists->node = node;
	lists->room = (uint32_t)room;
	return 0;
}

int
reclaim_lists_open(struct reclaim_lists **out, size_t bytes,
		   const struct reclaim_config *config)
{
	struct reclaim_lists *lists = calloc(1, bytes);
	int error;

	if (!lists)
		return no_memory(0);
	lists->reclaim.ops = reclaim_registry[config->policy];
	lists->reclaim.capacity = config->capacity;
	lists->size = config->size;
	error = reclaim_lists_grow(lists, 0);
	if (error) {
		free(lists->kept);
		free(lists->missed);
		free(lists);
		return error;
	}
	for (uint32_t i = 0; i < RECLAIM_LISTS; i++)
		lists->node[i] = (struct reclaim_node){ .next = i, .prev = i };
	*out = lists;
	return 0;
}

void
reclaim_lists_close(struct reclaim *reclaim)
{
	struct reclaim_lists *lists = (struct reclaim_lists *)reclaim;

	free(lists->kept);
	free(lists->missed);
	free(lists->node);
	free(lists);
}

void
reclaim_lists_drop(struct reclaim_lists *lists, uint32_t page, unsigned last)
{
	struct reclaim_node *node;

	if (page >= lists->room)
		return;
	node = reclaim_node(lists, page);
	if (node->list != RECLAIM_NONE) {
		if (node->list <= last)
			lists->reclaim.used -= reclaim_kept(lists, page);
		reclaim_unlink(lists, page);
	}
	*node = (struct reclaim_node){ .list = RECLAIM_NONE };
}

int
reclaim_lists_part(struct reclaim *reclaim, uint32_t whole, uint32_t part)
{
	struct reclaim_lists *lists = (struct reclaim_lists *)reclaim;
	uint32_t top = whole > part ? whole : part;
	struct reclaim_node *from, *to;
	uint8_t list;

	if (top >= lists->room && reclaim_lists_grow(lists, top))
		return -ENOMEM;
	from = reclaim_node(lists, whole);
	to = reclaim_node(lists, part);
	list = from->list;
	*to = (struct reclaim_node){ .list = RECLAIM_NONE,
				     .flags = from->flags,
				     .count = from->count,
				     .word = from->word };
	lists->kept[part] = 1;
	if (lists->missed[whole / 8] >> whole % 8 & 1)
		lists->missed[part / 8] |= (uint8_t)(1u << part % 8);
	if (list == RECLAIM_NONE)
		return 0;
	reclaim_push_below(lists, list, RECLAIM_LISTS + whole, part);
	lists->held[list]--;
	if (!--lists->kept[whole])
		reclaim_unlink(lists, whole);
	return 0;
}
