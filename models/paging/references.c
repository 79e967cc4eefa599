// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * References by page number, see references.h.
 *
 * Pages of 4K follow the recorded mappings: an instance of the kernel part with
 * plain radix tables and endless memory says which frame an address has, and a
 * number stands for a frame until its last owner goes.  Pages of any other
 * size are pieces of the address space, whatever is mapped there.
 */
#include "models/paging/references.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/paging/lookup.h"
#include "models/paging/paging.h"
#include "models/tables/tables.h"

#define PAGE_SHIFT 12

struct references {
	struct references_config config;
	struct lookup lookup;
	struct tables_config tables;
	struct frames *frames; /* NULL with paging */
	struct paging *paging; /* NULL: the shift is not 12 */
	uint32_t *region;      /* owned [room]: of each number */
	uint32_t pages, room;
	uint64_t accesses, fed; /* fed: references that went on */
	struct lookup_span span;
	/* of the batch that is being fed */
	const struct references_sink *sink;
	int error; /* of the sink, in a callback; or no memory (said) */
};

/* All that was gathered goes on. */
static int
flush(struct references *references)
{
	struct lookup *lookup = &references->lookup;
	const struct reclaim_batch batch = { .page = lookup->page,
					     .write = lookup->write,
					     .time = references->config.untimed
							     ? NULL
							     : lookup->time,
					     .access = lookup->access,
					     .n = lookup->n,
					     .position = references->fed };

	if (!lookup->n)
		return 0;
	if (batch.time)
		lookup_times(lookup, &references->span);
	lookup->n = 0;
	references->fed += batch.n;
	return references->sink->feed(references->sink->context, &batch);
}

static void
references_invalidate(void *context, uint32_t space, uint64_t address,
		      uint64_t length)
{
	struct references *references = context;

	lookup_invalidate(&references->lookup, space, address, length);
}

static void
references_gone(void *context, unsigned shift, uint64_t frame)
{
	struct references *references = context;
	uint32_t *number = lookup_frame(&references->lookup, frame);

	/* hugetlb's are of no memory here */
	if (shift != 12)
		return;
	if (!number)
		references->error = -ENOMEM;
	if (references->error || !*number)
		return;
	references->error = flush(references);
	if (!references->error && references->sink->drop)
		references->error =
			references->sink->drop(references->sink->context,
					       *number - 1);
	if (references->lookup.last == *number - 1)
		references->lookup.last = UINT32_MAX;
	*number = 0;
}

static int
open_paging(struct references *references, const struct stream *stream)
{
	const struct frames_config frames = { .order = FRAMES_ASCENDING };
	/* What is mapped around a fault would only cost: a page counts when it
	 * is referenced. */
	const struct paging_config paging = { .policy = PAGES_4K,
					      .fault_around_bytes = 4096,
					      .swap = SWAP_NO };
	const struct paging_listener listener = { references,
						  references_invalidate,
						  references_gone };
	const struct table_with with = { .config = &references->tables,
					 .kinds = &references->tables.own };
	int error = frames_open(&references->frames, &frames);

	references->tables.own.radix.levels = 4;
	return error ? error
		     : paging_open(&references->paging, &paging, stream,
				   references->frames, table_find("radix"),
				   &with, &listener);
}

int
references_open(struct references **out, const struct references_config *config,
		const struct stream *stream)
{
	struct references *references = calloc(1, sizeof(*references));
	int error;

	if (!references)
		return fail(ENOMEM, "references: no memory");
	references->config = *config;
	error = lookup_init(&references->lookup, stream, config->shift,
			    config->fetches);
	if (!error && config->shift == PAGE_SHIFT)
		error = open_paging(references, stream);
	if (error) {
		references_close(references);
		return error;
	}
	*out = references;
	return 0;
}

void
references_close(struct references *references)
{
	if (!references)
		return;
	/* Nobody is to hear of what goes now. */
	references->error = -ECANCELED;
	paging_close(references->paging);
	frames_close(references->frames);
	lookup_fini(&references->lookup);
	free(references->region);
	free(references);
}

static int
new_number(struct references *references, uint32_t region, uint32_t *number)
{
	if (references->pages == LOOKUP_MAX)
		return fail(ENOSPC, "references: more than %u pages",
			    LOOKUP_MAX);
	if (references->pages == references->room) {
		uint32_t room =
			references->room ? references->room * 2 : 1 << 12;
		uint32_t *grown =
			reallocarray(references->region, room, sizeof(*grown));

		if (!grown)
			return fail(ENOMEM, "references: no memory for page %u",
				    references->pages);
		references->region = grown;
		references->room = room;
	}
	references->region[references->pages] = region;
	*number = references->pages++;
	return 0;
}

/* The value of a page with this number */
static uint32_t
value_of(const struct references *references, uint32_t number, bool writable)
{
	const struct references_config *config = &references->config;
	uint32_t value = number + LOOKUP_FIRST;

	if (config->wanted && !config->wanted(config->context, number))
		value |= LOOKUP_PASSED;
	return value | (writable ? LOOKUP_WRITABLE : 0);
}

/* What the page of an address is, brought in if it is not there; 0: nothing,
 * for it may not be accessed. */
static int
find_paged(struct references *references, uint32_t space, uint64_t address,
	   enum site_kind kind, uint32_t *value)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct table *table = paging_table(references->paging, space);
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	struct mapping mapping;
	uint32_t *number;
	int error = 0;

	if (!table)
		return -ENOMEM;
	table->ops->walk(table, address, reference, &mapping);
	if (!mapping.shift || (write && !mapping.writable))
		error = paging_fault(references->paging, space, address, kind,
				     references->accesses, &mapping);
	*value = 0;
	if (error || !mapping.shift || (write && !mapping.writable))
		return error;
	if (paging_is_zero(references->paging, mapping.frame)) {
		*value = LOOKUP_SILENT;
		return 0;
	}
	number = lookup_frame(&references->lookup, mapping.frame);
	if (!number)
		return -ENOMEM;
	if (!*number) {
		error = new_number(references,
				   paging_region(references->paging, space,
						 address),
				   number);
		if (error)
			return error;
		++*number;
	}
	*value = value_of(references, *number - 1, mapping.writable);
	return 0;
}

static int
find_plain(struct references *references, uint32_t *value)
{
	uint32_t number = 0;
	int error = new_number(references, 0, &number);

	*value = error ? 0 : value_of(references, number, true);
	return error;
}

/* Reference a page that may be unknown. */
static int
refer(struct references *references, uint32_t space, uint64_t page,
      enum site_kind kind, uint64_t time)
{
	struct lookup *lookup = &references->lookup;
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	uint32_t value = lookup_get(lookup, space, page);
	int error = 0;

	if (!value || (write && !(value & LOOKUP_WRITABLE))) {
		error = references->paging
				? find_paged(references, space,
					     page << PAGE_SHIFT, kind, &value)
				: find_plain(references, &value);
		if (!error && references->error)
			error = references->error;
		if (!error && value)
			error = lookup_set(lookup, space, page, value);
	}
	if (error || !(value & ~LOOKUP_WRITABLE))
		return error;
	if (lookup->n == LOOKUP_REFERENCES)
		error = flush(references);
	lookup_take(lookup, value, write, time);
	return error;
}

static int
refer_access(struct references *references, const struct batch *batch,
	     uint32_t i, uint64_t time)
{
	struct lookup_pages pages = lookup_pages(&references->lookup, batch, i);
	int error = 0;

	for (uint64_t page = pages.first; !error; page++) {
		error = refer(references, batch->space, page,
			      SITE_KIND(batch->site[i]), time);
		if (page == pages.last)
			break;
	}
	return error;
}

static int
feed_accesses(struct references *references, const struct batch *batch,
	      uint32_t from, uint32_t to)
{
	struct lookup *lookup = &references->lookup;
	int error = 0;

	while (!error && from < to) {
		if (lookup->n > LOOKUP_REFERENCES - 2 * BATCH_ACCESSES)
			error = flush(references);
		if (error)
			break;
		from = lookup_scan(lookup, batch, from, to,
				   references->accesses + from);
		if (from < to) {
			error = refer_access(references, batch, from,
					     references->accesses + from);
			from++;
		}
	}
	return error;
}

/* The kernel reads or writes for the program. */
static int
feed_kernel(struct references *references, const struct batch *batch,
	    const struct event *event)
{
	unsigned shift = references->lookup.shift;
	uint64_t end = event->address + event->length;
	enum site_kind kind =
		event->type == EVENT_KERNEL_WRITE ? SITE_STORE : SITE_LOAD;
	int error = 0;

	if (!event->length || end < event->address)
		return 0;
	for (uint64_t page = event->address >> shift;
	     !error && page <= (end - 1) >> shift; page++)
		error = refer(references, batch->space, page, kind,
			      references->accesses + event->position);
	return error;
}

static int
feed_event(struct references *references, const struct batch *batch,
	   const struct event *event)
{
	bool kernel = event->type == EVENT_KERNEL_READ ||
		      event->type == EVENT_KERNEL_WRITE;
	int error = 0;

	if (references->paging && event->type != EVENT_FAULT)
		error = paging_event(references->paging, batch, event,
				     references->accesses + event->position);
	if (!error)
		error = references->error;
	if (!error && kernel)
		error = feed_kernel(references, batch, event);
	return error;
}

int
references_feed(struct references *references, const struct batch *batch,
		const struct references_sink *sink)
{
	uint32_t from = 0;
	int error = 0;

	references->sink = sink;
	references->span =
		(struct lookup_span){ references->accesses, batch->n,
				      references->span.to_ns, batch->time_ns };
	if (!references->span.from_ns)
		references->span.from_ns = batch->time_ns;
	for (uint32_t i = 0; !error && i < batch->n_events; i++) {
		const struct event *event = &batch->event[i];

		error = feed_accesses(references, batch, from, event->position);
		from = event->position;
		if (!error)
			error = feed_event(references, batch, event);
	}
	if (!error)
		error = feed_accesses(references, batch, from, batch->n);
	if (!error)
		error = flush(references);
	references->accesses += batch->n;
	return error;
}

uint32_t
references_pages(const struct references *references)
{
	return references->pages;
}

uint64_t
references_accesses(const struct references *references)
{
	return references->accesses;
}

uint64_t
references_passed(const struct references *references)
{
	return references->lookup.passed;
}

const char *
references_label(const struct references *references, uint32_t page)
{
	const char *name = NULL;

	if (references->paging && page < references->pages)
		name = paging_region_name(references->paging,
					  references->region[page]);
	return name ? name : "[anon]";
}
