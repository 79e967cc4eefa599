// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/plain-table.h"

#include <stdlib.h>
#include <string.h>

struct page {
	uint64_t address;
	struct mapping mapping;
};

struct node {
	uint64_t start;
	unsigned shift; /* of what it covers: 21 a PTE table, 30, 39 */
};

struct plain {
	struct table table;
	struct page *page;
	struct node *node;
	size_t pages, nodes;
};

static int
plain_open(struct table **out, const struct table_with *with)
{
	struct plain *plain = calloc(1, sizeof(*plain));

	(void)with;
	if (!plain)
		return -ENOMEM;
	plain->table.ops = &plain_table;
	*out = &plain->table;
	return 0;
}

static void
plain_close(struct table *table)
{
	struct plain *plain = (struct plain *)table;

	free(plain->page);
	free(plain->node);
	free(plain);
}

static struct page *
find(struct plain *plain, uint64_t address)
{
	for (size_t i = 0; i < plain->pages; i++) {
		struct page *page = &plain->page[i];

		if (address - page->address < UINT64_C(1)
						      << page->mapping.shift)
			return page;
	}
	return NULL;
}

static unsigned
plain_walk(struct table *table, uint64_t address,
	   struct table_reference *references, struct mapping *mapping)
{
	const struct page *page = find((struct plain *)table, address);

	references[0] = (struct table_reference){ .level = 1 };
	*mapping = page ? page->mapping : (struct mapping){ .shift = 0 };
	return 1;
}

static void
add_node(struct plain *plain, uint64_t address, unsigned shift)
{
	uint64_t start = address >> shift << shift;

	for (size_t i = 0; i < plain->nodes; i++)
		if (plain->node[i].start == start &&
		    plain->node[i].shift == shift)
			return;
	plain->node = reallocarray(plain->node, plain->nodes + 1,
				   sizeof(*plain->node));
	plain->node[plain->nodes++] = (struct node){ start, shift };
}

static int
plain_map(struct table *table, uint64_t address, const struct mapping *mapping)
{
	struct plain *plain = (struct plain *)table;
	struct page *page = find(plain, address);

	for (unsigned shift = mapping->shift + 9; shift < 48; shift += 9)
		add_node(plain, address, shift);
	if (!page) {
		plain->page = reallocarray(plain->page, plain->pages + 1,
					   sizeof(*plain->page));
		page = &plain->page[plain->pages++];
	}
	page->address = address >> mapping->shift << mapping->shift;
	page->mapping = *mapping;
	return 0;
}

static void
plain_unmap(struct table *table, uint64_t address, uint64_t length,
	    bool free_tables,
	    void (*gone)(void *context, uint64_t address,
			 const struct mapping *mapping),
	    void *context)
{
	struct plain *plain = (struct plain *)table;
	uint64_t last = address + length - 1;

	for (size_t i = 0; i < plain->pages;) {
		struct page page = plain->page[i];

		if (page.address < address || page.address > last) {
			i++;
			continue;
		}
		plain->page[i] = plain->page[--plain->pages];
		if (gone)
			gone(context, page.address, &page.mapping);
	}
	for (size_t i = 0; free_tables && i < plain->nodes;) {
		struct node *node = &plain->node[i];

		if (node->start >= address &&
		    node->start + ((UINT64_C(1) << node->shift) - 1) <= last)
			*node = plain->node[--plain->nodes];
		else
			i++;
	}
}

static uint64_t
plain_bytes(const struct table *table)
{
	return ((const struct plain *)table)->nodes * 4096;
}

const struct table_ops plain_table = {
	.name = "plain",
	.open = plain_open,
	.close = plain_close,
	.walk = plain_walk,
	.map = plain_map,
	.unmap = plain_unmap,
	.bytes = plain_bytes,
};
