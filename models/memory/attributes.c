// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory types by address and name; see the header. */
#include "models/memory/attributes.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define BLANKS " \t\n"

struct entry {
	enum memory_type type;
	uint64_t start, end; /* where there is no name */
	char *name;	     /* owned, or NULL */
};

/* What the names alone say of a mapping. */
struct known {
	bool known;
	size_t entry; /* the first that has its name, or n */
};

struct attributes {
	struct entry *entry; /* owned */
	size_t n;
	struct known *known; /* owned, by region */
	uint32_t regions;
};

static const char *const types[MEMORY_TYPES] = { "wb", "uc", "wc" };

static int
parse_type(const char **text, enum memory_type *type)
{
	for (unsigned i = 0; i < MEMORY_TYPES; i++)
		if (!strncmp(*text, types[i], 2) && (*text)[2] == ':') {
			*text += 3;
			*type = (enum memory_type)i;
			return 0;
		}
	return -EINVAL;
}

/* An entry that ends at `end`, which is a comma or the end.  A name is not
 * copied: its length in *length. */
static int
parse_entry(const char *text, const char *end, struct entry *entry,
	    size_t *length)
{
	char *after;

	if (parse_type(&text, &entry->type) < 0)
		return -EINVAL;
	while (end > text && strchr(BLANKS, end[-1]))
		end--;
	*length = 0;
	if (*text >= '0' && *text <= '9') {
		entry->start = strtoull(text, &after, 0);
		if (*after != '-')
			return -EINVAL;
		entry->end = strtoull(after + 1, &after, 0);
		return after == end && entry->start < entry->end ? 0 : -EINVAL;
	}
	*length = (size_t)(end - text);
	return *length ? 0 : -EINVAL;
}

static const char *
entry_end(const char *text)
{
	return text + strcspn(text, ",");
}

int
attributes_wrong(const char *list, char *text, size_t bytes)
{
	struct entry entry;
	size_t length;

	for (const char *at = list; at && *at;) {
		const char *end = entry_end(at);

		at += strspn(at, BLANKS);
		if (parse_entry(at, end, &entry, &length) < 0)
			return snprintf(
				text, bytes,
				"\"%.*s\"; allowed: uc:, wc: or wb: and a "
				"range 0xSTART-0xEND or a mapping's name, "
				"between commas",
				(int)(end - at), at);
		at = *end ? end + 1 : end;
	}
	return 0;
}

static int
add(struct attributes *attributes, const char *at, const char *end)
{
	struct entry *grown = reallocarray(attributes->entry, attributes->n + 1,
					   sizeof(*grown));
	struct entry *entry;
	size_t length;

	if (!grown)
		return -ENOMEM;
	attributes->entry = grown;
	entry = &grown[attributes->n];
	*entry = (struct entry){ 0 };
	if (parse_entry(at, end, entry, &length) < 0)
		return -EINVAL;
	if (length) {
		entry->name = strndup(strchr(at, ':') + 1, length);
		if (!entry->name)
			return -ENOMEM;
	}
	attributes->n++;
	return 0;
}

int
attributes_open(struct attributes **out, const char *list)
{
	struct attributes *attributes;

	*out = NULL;
	if (!list || !*list)
		return 0;
	attributes = calloc(1, sizeof(*attributes));
	for (const char *at = list; attributes && *at;) {
		const char *end = entry_end(at);

		at += strspn(at, BLANKS);
		if (add(attributes, at, end) < 0) {
			attributes_close(attributes);
			attributes = NULL;
			break;
		}
		at = *end ? end + 1 : end;
	}
	if (!attributes)
		return fail(ENOMEM, "memory.attributes: out of memory");
	*out = attributes;
	return 0;
}

void
attributes_close(struct attributes *attributes)
{
	if (!attributes)
		return;
	for (size_t i = 0; i < attributes->n; i++)
		free(attributes->entry[i].name);
	free(attributes->entry);
	free(attributes->known);
	free(attributes);
}

/* "[heap]" is a name, not one of four letters. */
static bool
fits(const char *pattern, const char *name)
{
	return !strcmp(pattern, name) || fnmatch(pattern, name, 0) == 0;
}

static size_t
entry_of_name(const struct attributes *attributes, const char *name)
{
	size_t i = 0;

	while (i < attributes->n && (!name || !attributes->entry[i].name ||
				     !fits(attributes->entry[i].name, name)))
		i++;
	return i;
}

/* Names are compared once for each mapping. */
static size_t
entry_of_region(struct attributes *attributes, uint32_t region,
		const char *name)
{
	if (region >= attributes->regions) {
		uint32_t regions = region + 64;
		struct known *grown = reallocarray(attributes->known, regions,
						   sizeof(*grown));

		if (!grown)
			return entry_of_name(attributes, name);
		memset(grown + attributes->regions, 0,
		       (regions - attributes->regions) * sizeof(*grown));
		attributes->known = grown;
		attributes->regions = regions;
	}
	if (!attributes->known[region].known)
		attributes->known[region] =
			(struct known){ true, entry_of_name(attributes, name) };
	return attributes->known[region].entry;
}

enum memory_type
attributes_of(struct attributes *attributes, uint64_t address, uint32_t region,
	      const char *name)
{
	size_t named = entry_of_region(attributes, region, name);

	for (size_t i = 0; i < named; i++) {
		const struct entry *entry = &attributes->entry[i];

		if (!entry->name && address >= entry->start &&
		    address < entry->end)
			return entry->type;
	}
	return named < attributes->n ? attributes->entry[named].type
				     : MEMORY_WB;
}
