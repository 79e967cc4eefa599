// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts by combination and by page; see who-table.h. */
#include "models/analysis/who-table.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

void
who_table_fini(struct who_table *table)
{
	free(table->row);
	free(table->bucket);
}

static uint32_t
hash_of(const struct who_key *key)
{
	uint64_t word[sizeof(*key) / 8], hash = 0;

	memcpy(word, key, sizeof(word));
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		hash = (hash ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

static uint32_t *
bucket_of(const struct who_table *table, const struct who_key *key)
{
	uint32_t i = hash_of(key) & (table->buckets - 1);

	while (table->bucket[i] &&
	       memcmp(&table->row[table->bucket[i]].key, key, sizeof(*key)))
		i = (i + 1) & (table->buckets - 1);
	return &table->bucket[i];
}

static int
grow(struct who_table *table)
{
	uint32_t room = table->room ? 2 * table->room : 1024;
	struct who_row *row = reallocarray(table->row, room, sizeof(*row));
	uint32_t *bucket;

	if (!row)
		return -ENOMEM;
	table->row = row;
	bucket = calloc(4 * (size_t)room, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	if (!table->n) {
		row[0] = (struct who_row){ .key.site = WHO_NO_SITE };
		table->n = 1;
	}
	free(table->bucket);
	table->bucket = bucket;
	table->buckets = 4 * room;
	table->room = room;
	for (uint32_t i = 1; i < table->n; i++)
		*bucket_of(table, &row[i].key) = i;
	return 0;
}

struct who_count *
who_table_get(struct who_table *table, const struct who_key *key)
{
	uint32_t *bucket;

	if (likely(table->n &&
		   !memcmp(&table->row[table->last].key, key, sizeof(*key)) &&
		   table->last))
		return &table->row[table->last].count;
	if (table->n == table->room && table->n < WHO_ROWS_MAX && grow(table))
		return NULL;
	bucket = bucket_of(table, key);
	if (!*bucket) {
		if (table->n == table->room)
			return &table->row[0].count;
		table->row[table->n] = (struct who_row){ .key = *key };
		*bucket = table->n++;
	}
	table->last = *bucket;
	return &table->row[table->last].count;
}

static int
descending(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int
rank(const void *left, const void *right)
{
	const struct who_row *a = *(const struct who_row *const *)left;
	const struct who_row *b = *(const struct who_row *const *)right;
	int order = descending(a->count.cycles, b->count.cycles);

	if (!order)
		order = descending(a->count.walks, b->count.walks);
	if (!order)
		order = descending(a->count.l1d + a->count.l1i,
				   b->count.l1d + b->count.l1i);
	if (!order)
		order = descending(a->count.major, b->count.major);
	if (!order)
		order = descending(a->count.minor, b->count.minor);
	/* then as they came */
	return order ? order : a < b ? -1 : 1;
}

/* By number, what of objects and paths the rows speak of. */
struct used {
	bool *object, *path; /* owned, or NULL */
};

static void
use_path(const struct who_context *context, struct used *used, uint32_t path)
{
	for (; path && !used->path[path];
	     path = paths_get(context->paths, path)->parent)
		used->path[path] = true;
}

static void
use(const struct who_context *context, struct used *used,
    const struct who_key *key)
{
	const struct object *object;

	if (used->path)
		use_path(context, used, key->path);
	if (!used->object || used->object[key->object])
		return;
	used->object[key->object] = true;
	object = objects_get(context->objects, key->object);
	if (used->path && object->kind == OBJECT_ALLOCATED)
		use_path(context, used, object->path);
}

static int
put_row(const struct who_context *context, const struct who_row *row,
	struct result *result)
{
	const struct who_key *key = &row->key;
	const struct who_count *c = &row->count;
	const char *region =
		context->by & WHO_MAPPING
			? context->regions->name(context->regions->context,
						 key->region)
			: NULL;
	uint64_t image = WHO_NO_IMAGE, pc = 0;

	if (key->site != WHO_NO_SITE) {
		const struct site *site =
			stream_site(context->stream, SITE_INDEX(key->site));

		image = site->image;
		pc = site->pc;
	}
	return result_row(result, "who.counts", "uxuusuuuuuuuuuu", image, pc,
			  (uint64_t)key->thread, (uint64_t)key->object, region,
			  (uint64_t)key->from, (uint64_t)key->node,
			  (uint64_t)key->path, c->l1d, c->l1i, c->l2, c->walks,
			  c->cycles, c->minor, c->major);
}

static int
put_counts(const struct who_table *table, const struct who_context *context,
	   struct used *used, struct result *result)
{
	static const char *const columns[] = { "image:",
					       "pc:",
					       "thread:",
					       "object:",
					       "mapping:",
					       "from:",
					       "node:",
					       "path:",
					       "l1d_misses:lookups",
					       "l1i_misses:lookups",
					       "l2_misses:lookups",
					       "walks:walks",
					       "walk_cycles:cycles",
					       "faults_minor:faults",
					       "faults_major:faults",
					       NULL };
	const struct who_row **order;
	uint32_t n = table->n;
	int error = result_table(result, "who.counts",
				 "misses, walks and faults by all that is told "
				 "apart",
				 columns);

	if (error)
		return error;
	order = calloc(n + 1u, sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		order[i] = &table->row[i];
	if (n)
		qsort(order, n, sizeof(*order), rank);
	for (uint32_t i = 0; !error && i < n && i < WHO_REPORTED; i++) {
		if (order[i] == &table->row[0])
			continue;
		use(context, used, &order[i]->key);
		error = put_row(context, order[i], result);
	}
	free(order);
	return error;
}

static int
put_objects(const struct who_context *context, const struct used *used,
	    struct result *result)
{
	static const char *const kinds[OBJECT_KINDS] = {
		[OBJECT_NOTHING] = "nothing", [OBJECT_SYMBOL] = "symbol",
		[OBJECT_FILE] = "file",	      [OBJECT_CODE] = "code",
		[OBJECT_HEAP] = "heap",	      [OBJECT_ALLOCATED] = "allocated",
		[OBJECT_STACK] = "stack",     [OBJECT_MMAP] = "mmap",
	};
	static const char *const columns[] = {
		"object:", "kind:", "image:",	   "file:",  "offset:",
		"thread:", "path:", "bytes:bytes", "times:", NULL
	};
	uint32_t n = objects_count(context->objects);
	int error = result_table(result, "who.objects",
				 "data objects, by number", columns);

	for (uint32_t i = 0; !error && i < n; i++) {
		const struct object *object = objects_get(context->objects, i);

		if (!used->object[i])
			continue;
		error = result_row(result, "who.objects", "usuuxuuuu",
				   (uint64_t)i, kinds[object->kind],
				   (uint64_t)object->image,
				   (uint64_t)object->file, object->offset,
				   (uint64_t)object->thread,
				   (uint64_t)object->path, object->bytes,
				   object->times);
	}
	return error;
}

static int
put_paths(const struct who_context *context, const struct used *used,
	  struct result *result)
{
	static const char *const columns[] = { "path:", "parent:", "image:",
					       "pc:", NULL };
	uint32_t n = paths_count(context->paths);
	int error = result_table(result, "who.paths",
				 "call sites under those of their callers",
				 columns);

	for (uint32_t i = 1; !error && i < n; i++) {
		const struct path *path = paths_get(context->paths, i);
		const struct site *site =
			stream_site(context->stream, path->site);

		if (used->path[i])
			error = result_row(result, "who.paths", "uuux",
					   (uint64_t)i, (uint64_t)path->parent,
					   (uint64_t)site->image, site->pc);
	}
	return error;
}

int
who_table_finish(const struct who_table *table,
		 const struct who_context *context, struct result *result)
{
	struct used used = { NULL, NULL };
	bool objects = context->objects && context->by & WHO_OBJECT;
	int error = 0;

	if (objects)
		used.object = calloc(objects_count(context->objects) + 1u, 1);
	if (context->paths)
		used.path = calloc(paths_count(context->paths) + 1u, 1);
	if ((objects && !used.object) || (context->paths && !used.path))
		error = -ENOMEM;
	if (!error)
		error = put_counts(table, context, &used, result);
	if (!error && objects)
		error = put_objects(context, &used, result);
	if (!error && context->paths)
		error = put_paths(context, &used, result);
	free(used.object);
	free(used.path);
	return error;
}
