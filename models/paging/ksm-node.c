// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames that pages are merged into.  A frame takes max_sharing mappings, then
 * another one begins, as soon as two want it.  It has an owner more than
 * mappers, so nobody ever writes to it.
 */
#include "models/paging/ksm-inside.h"

#include <stdlib.h>

/* A frame that nobody maps any more: its content is forgotten. */
static void
node_free(struct paging *paging, uint32_t number)
{
	struct ksm *ksm = paging->ksm;
	struct ksm_node *node = &ksm->node[number];
	uint64_t *first = hash_find(&ksm->stable, node->content);
	uint32_t before = first ? (uint32_t)*first : KSM_NO_NODE;

	owner_release(paging, PAGE_SHIFT, node->frame);
	if (first && before == number) {
		if (node->next == KSM_NO_NODE)
			hash_remove(&ksm->stable, node->content);
		else
			*first = node->next;
	} else {
		while (before != KSM_NO_NODE &&
		       ksm->node[before].next != number)
			before = ksm->node[before].next;
		if (before != KSM_NO_NODE)
			ksm->node[before].next = node->next;
	}
	node->frame = 0;
	node->next = ksm->free_node;
	ksm->free_node = number;
	ksm->now.shared--;
}

void
ksm_leave(struct paging *paging, struct ksm_page *page)
{
	struct ksm *ksm = paging->ksm;
	struct ksm_node *node = &ksm->node[page->node];

	if (--node->sharers)
		ksm->now.sharing--;
	else
		node_free(paging, page->node);
	page->node = KSM_NO_NODE;
}

bool
ksm_is_merged(struct paging *paging, struct ksm_page *page,
	      const struct mapping *mapping)
{
	if (page->node == KSM_NO_NODE)
		return false;
	if (mapping->shift &&
	    mapping->frame == paging->ksm->node[page->node].frame)
		return true;
	ksm_leave(paging, page);
	if (mapping->shift)
		paging->ksm->unmerged++;
	page->looked = false;
	return false;
}

static int
node_new(struct ksm *ksm, uint32_t *number)
{
	if (ksm->free_node != KSM_NO_NODE) {
		*number = ksm->free_node;
		ksm->free_node = ksm->node[*number].next;
		return 0;
	}
	if (ksm->nodes == ksm->node_room) {
		size_t room = ksm->node_room ? 2 * ksm->node_room : 64;
		struct ksm_node *more =
			reallocarray(ksm->node, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		ksm->node = more;
		ksm->node_room = room;
	}
	*number = (uint32_t)ksm->nodes++;
	return 0;
}

int
ksm_join(struct paging *paging, struct ksm_page *page, uint32_t number)
{
	struct ksm *ksm = paging->ksm;
	struct address_space *space = ksm_space(paging, page->key);
	uint64_t address = ksm_address(page->key), old;
	struct ksm_node *node = &ksm->node[number];
	struct mapping mapping;
	int error;

	ksm_mapping(paging, page->key, &mapping);
	old = mapping.frame;
	mapping.frame = node->frame;
	mapping.writable = false;
	if (owner_share(paging, PAGE_SHIFT, node->frame) < 0)
		return paging_no_memory(paging);
	error = page_map(paging, space, address, &mapping, PAGE_FORKED);
	if (error)
		return error;
	if (old != node->frame)
		owner_release(paging, PAGE_SHIFT, old);
	else /* it was the frame's owner already */
		owner_release(paging, PAGE_SHIFT, node->frame);
	space_stale(paging, space, address, PAGE_BYTES);
	page->node = number;
	ksm->now.sharing += node->sharers > 0;
	node->sharers++;
	if (ksm->sharers_most < node->sharers)
		ksm->sharers_most = node->sharers;
	ksm->merged++;
	ksm->last_merge_ns = ksm->time_ns;
	return 0;
}

int
ksm_merge(struct paging *paging, struct ksm_page *first,
	  struct ksm_page *second)
{
	struct ksm *ksm = paging->ksm;
	const uint64_t *known = hash_find(&ksm->stable, first->content);
	struct mapping mapping;
	uint32_t number;
	int error;

	ksm_mapping(paging, first->key, &mapping);
	/* The node's own hold on the frame */
	if (node_new(ksm, &number) < 0 ||
	    owner_share(paging, PAGE_SHIFT, mapping.frame) < 0)
		return paging_no_memory(paging);
	ksm->node[number] = (struct ksm_node){ .content = first->content,
					       .frame = mapping.frame,
					       .next = known ? (uint32_t)*known
							     : KSM_NO_NODE };
	if (hash_put(&ksm->stable, first->content, number) < 0)
		return paging_no_memory(paging);
	ksm->now.shared++;
	error = ksm_join(paging, first, number);
	return error ? error : ksm_join(paging, second, number);
}

uint32_t
ksm_node_find(const struct ksm *ksm, uint64_t content)
{
	const uint64_t *first = hash_find(&ksm->stable, content);
	uint32_t number = first ? (uint32_t)*first : KSM_NO_NODE;

	while (number != KSM_NO_NODE &&
	       ksm->node[number].sharers >= ksm->config.max_sharing)
		number = ksm->node[number].next;
	return number;
}

int
ksm_merge_zero(struct paging *paging, struct ksm_page *page)
{
	struct address_space *space = ksm_space(paging, page->key);
	struct mapping mapping;
	uint64_t old;
	int error;

	ksm_mapping(paging, page->key, &mapping);
	old = mapping.frame;
	if (!paging->zero_frame &&
	    frames_take(paging->frames, PAGE_SHIFT, &paging->zero_frame) < 0)
		return paging_no_memory(paging);
	mapping.frame = paging->zero_frame;
	mapping.writable = false;
	error = page_map(paging, space, ksm_address(page->key), &mapping,
			 PAGE_BORROWED);
	if (error)
		return error;
	owner_release(paging, PAGE_SHIFT, old);
	space_stale(paging, space, ksm_address(page->key), PAGE_BYTES);
	page->gone = true;
	paging->ksm->now.zero++;
	paging->ksm->merged++;
	paging->ksm->last_merge_ns = paging->ksm->time_ns;
	return 0;
}
