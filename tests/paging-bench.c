// SPDX-License-Identifier: GPL-2.0-or-later
/* The bench of paging-bench.h: four spaces of one thread each. */
#include "tests/paging-bench.h"

#include "models/tables/tables.h"
#include "tests/plain-table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct option_group groups[] = {
	{ "pages", paging_rows, 0, "" },
	{ "pages", huge_rows, offsetof(struct paging_config, huge), "" },
	{ "khugepaged", khugepaged_rows,
	  offsetof(struct paging_config, huge.khugepaged), "" },
	{ "promotion", promotion_rows,
	  offsetof(struct paging_config, huge.promotion), "" },
	{ "hugetlb", hugetlb_rows, offsetof(struct paging_config, huge.hugetlb),
	  "" },
	{ "ksm", ksm_rows, offsetof(struct paging_config, ksm), "" },
	{ 0 },
};
static const struct option_tree tree = { groups, sizeof(struct paging_config) };

struct bench *
bench_open(const char *const *assignments, uint64_t memory_bytes)
{
	const struct frames_config memory = { .size_bytes = memory_bytes };

	return bench_open_in(assignments, &memory);
}

struct bench *
bench_open_in(const char *const *assignments,
	      const struct frames_config *memory)
{
	struct paging_config config;
	struct bench *bench;

	assert_int_equal(option_init(&tree, &config), 0);
	for (; assignments && *assignments; assignments++)
		assert_int_equal(option_assign(&tree, &config, "test",
					       *assignments),
				 0);
	bench = bench_open_with(&config, memory);
	option_fini(&tree, &config);
	return bench;
}

static void
note_stale(void *context, uint32_t space, uint64_t address, uint64_t length)
{
	struct bench *bench = context;

	(void)space;
	(void)address;
	bench->stale_bytes += length == UINT64_MAX ? 1 : length;
}

struct bench *
bench_open_with(const struct paging_config *config,
		const struct frames_config *memory)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	static struct tables_config tables = { .own.radix.levels = 4 };
	const struct table_with with = { .config = &tables,
					 .kinds = &tables.own };
	struct paging_listener listener = { .context = bench,
					    .invalidate = note_stale };
	bool large = config->granule != GRANULE_4K;
	uint32_t number;

	assert_non_null(bench);
	tables.granule = paging_granule(config);
	assert_int_equal(stream_open(&bench->stream), 0);
	for (uint32_t i = 0; i < 4; i++) {
		struct thread thread = { 100 + i, 100 + i };
		struct space space = { 100 + i, 0, i ? 0 : SPACE_NONE };

		stream_thread_add(bench->stream, &thread, &number);
		stream_space_add(bench->stream, &space, &number);
	}
	assert_int_equal(batch_init(&bench->batch), 0);
	assert_int_equal(frames_open(&bench->frames, memory), 0);
	bench->ops = large ? &granule_table : &plain_table;
	assert_int_equal(paging_open(&bench->paging, config, bench->stream,
				     bench->frames, bench->ops,
				     large ? &with : NULL, &listener),
			 0);
	return bench;
}

void
bench_close(struct bench *bench)
{
	paging_close(bench->paging);
	frames_close(bench->frames);
	result_close(bench->result);
	batch_fini(&bench->batch);
	stream_close(bench->stream);
	free(bench);
}

struct event
event_of(enum event_type type, uint64_t address, uint64_t length)
{
	return (struct event){ .type = (uint8_t)type,
			       .file = UINT32_MAX,
			       .address = address,
			       .length = length };
}

void
tell(struct bench *bench, uint32_t space, struct event event)
{
	bench->batch.space = bench->batch.thread = space;
	assert_int_equal(paging_event(bench->paging, &bench->batch, &event,
				      bench->accesses),
			 0);
}

void
map(struct bench *bench, uint64_t address, uint64_t length, unsigned flags)
{
	struct event event = event_of(EVENT_MAP, address, length);

	event.flags = (uint16_t)flags;
	tell(bench, 0, event);
}

uint32_t
add_file(struct bench *bench, const char *path, uint64_t bytes)
{
	struct file file = { path, "", 1, bytes, 0 };
	uint32_t number;

	assert_int_equal(stream_file_add(bench->stream, &file, &number), 0);
	return number;
}

void
map_file(struct bench *bench, uint64_t address, uint64_t length, unsigned flags,
	 uint32_t file)
{
	struct event event = event_of(EVENT_MAP, address, length);

	event.flags = (uint16_t)(flags | MAP_FLAG_FILE);
	event.file = file;
	tell(bench, 0, event);
}

void
unmap(struct bench *bench, uint64_t address, uint64_t length)
{
	tell(bench, 0, event_of(EVENT_UNMAP, address, length));
}

void
protect(struct bench *bench, uint64_t address, uint64_t length, unsigned flags)
{
	struct event event = event_of(EVENT_PROTECT, address, length);

	event.flags = (uint16_t)flags;
	tell(bench, 0, event);
}

void
advise(struct bench *bench, uint64_t address, uint64_t length, int advice)
{
	struct event event = event_of(EVENT_ADVISE, address, length);

	event.value = (uint64_t)advice;
	tell(bench, 0, event);
}

void
fork_to(struct bench *bench, uint32_t parent, uint32_t child)
{
	struct event event = event_of(EVENT_FORK, 0, 0);

	event.value = child;
	tell(bench, parent, event);
}

void
end(struct bench *bench, uint32_t space)
{
	struct event event = event_of(EVENT_EXIT, 0, 0);

	event.flags = 1;
	tell(bench, space, event);
}

struct mapping
use(struct bench *bench, uint32_t space, uint64_t address, enum site_kind kind)
{
	struct table *table = paging_table(bench->paging, space);
	struct table_reference reference[TABLE_REFERENCES_MAX];
	bool write = kind == SITE_STORE || kind == SITE_MODIFY;
	struct mapping mapping;

	bench->ops->walk(table, address, reference, &mapping);
	if (!mapping.shift || (write && !mapping.writable))
		assert_int_equal(paging_fault(bench->paging, space, address,
					      kind, bench->accesses, &mapping),
				 0);
	paging_touch(bench->paging, space, address);
	bench->accesses++;
	return mapping;
}

void
sweep(struct bench *bench, uint32_t space, uint64_t address, uint64_t length,
      enum site_kind kind)
{
	for (uint64_t at = 0; at < length; at += PAGE)
		use(bench, space, address + at, kind);
}

uint64_t
faults(struct bench *bench)
{
	uint64_t now =
		paging_minor(bench->paging, true) + paging_major(bench->paging);
	uint64_t before = bench->faults;

	bench->faults = now;
	return now - before;
}

double
value(struct bench *bench, const char *name)
{
	json_t *values, *one;

	result_close(bench->result);
	bench->result = NULL;
	assert_int_equal(result_open(&bench->result), 0);
	assert_int_equal(paging_finish(bench->paging, bench->accesses,
				       bench->result),
			 0);
	values = json_object_get(result_json(bench->result), "values");
	one = json_object_get(json_object_get(values, name), "value");
	return json_is_number(one) ? json_number_value(one) : -1;
}
