// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows added up by names; see who-groups.h. */
#include "reports/who-groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
who_groups_init(struct who_groups *groups, size_t names)
{
	*groups = (struct who_groups){ .index = json_object(), .names = names };
	return groups->index ? 0 : -ENOMEM;
}

void
who_groups_fini(struct who_groups *groups)
{
	for (size_t i = 0; i < groups->n; i++)
		for (size_t j = 0; j < groups->names; j++)
			free(groups->group[i].name[j]);
	free(groups->group);
	json_decref(groups->index);
}

static struct who_group *
add(struct who_groups *groups, const char *const *names)
{
	struct who_group *group;

	if (groups->n == groups->room) {
		size_t room = groups->room ? 2 * groups->room : 64;

		group = reallocarray(groups->group, room, sizeof(*group));
		if (!group)
			return NULL;
		groups->group = group;
		groups->room = room;
	}
	group = &groups->group[groups->n++];
	*group = (struct who_group){ .row = 0 };
	for (size_t i = 0; i < groups->names; i++) {
		if (!names[i])
			continue;
		group->name[i] = strdup(names[i]);
		if (!group->name[i])
			return NULL;
	}
	return group;
}

struct who_group *
who_groups_get(struct who_groups *groups, const char *const *names)
{
	char *key;
	size_t bytes;
	FILE *file = open_memstream(&key, &bytes);
	struct who_group *group = NULL;
	const json_t *known;

	if (!file)
		return NULL;
	for (size_t i = 0; i < groups->names; i++)
		fprintf(file, "%s%c", names[i] ? names[i] : "\001", 31);
	if (fclose(file)) {
		free(key);
		return NULL;
	}
	known = json_object_get(groups->index, key);
	if (known) {
		group = &groups->group[json_integer_value(known)];
	} else {
		group = add(groups, names);
		if (group &&
		    json_object_set_new_nocheck(groups->index, key,
						json_integer(
							(json_int_t)groups->n -
							1)))
			group = NULL;
	}
	free(key);
	return group;
}

static int
by_counts(const uint64_t *a, const uint64_t *b)
{
	static const uint8_t order[] = { WHO_CYCLES, WHO_WALKS, WHO_L2,
					 WHO_L1D,    WHO_L1I,	WHO_MAJOR,
					 WHO_MINOR };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (a[order[i]] != b[order[i]])
			return a[order[i]] < b[order[i]] ? 1 : -1;
	return 0;
}

static int
by_names(const struct who_group *a, const struct who_group *b)
{
	int order = 0;

	for (size_t i = 0; !order && i < WHO_NAMES_MAX; i++)
		order = strcmp(a->name[i] ? a->name[i] : "",
			       b->name[i] ? b->name[i] : "");
	return order;
}

static int
by_self(const void *left, const void *right)
{
	const struct who_group *a = left, *b = right;
	int order = by_counts(a->count, b->count);

	return order ? order : by_names(a, b);
}

static int
by_inclusive(const void *left, const void *right)
{
	const struct who_group *a = left, *b = right;
	int order = by_counts(a->inclusive, b->inclusive);

	return order ? order : by_self(left, right);
}

void
who_groups_sort(struct who_groups *groups, bool inclusive)
{
	if (groups->n)
		qsort(groups->group, groups->n, sizeof(*groups->group),
		      inclusive ? by_inclusive : by_self);
}
