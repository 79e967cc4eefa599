// SPDX-License-Identifier: GPL-2.0-or-later
/* perf's records as items of the sampler's queue. */
#include "tracers/sampler-state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tracers/memory-sample.h"
#include "tracers/perf-ring.h"
#include "tracers/spe.h"

struct item *
sampler_item(struct sampler *sampler)
{
	struct item *item;

	if (sampler->n_items == sampler->size) {
		size_t size = sampler->size ? 2 * sampler->size : 4096;

		item = reallocarray(sampler->item, size, sizeof(*item));
		if (!item) {
			sampler->failed = true;
			return NULL;
		}
		sampler->item = item;
		sampler->size = size;
	}
	item = &sampler->item[sampler->n_items];
	*item = (struct item){ .order = sampler->n_items, .file = UINT32_MAX };
	sampler->n_items++;
	sampler->sorted = false;
	return item;
}

static void
add_memory(struct sampler *sampler, uint8_t event,
	   const struct memory_sample *sample)
{
	struct item *item = sampler_item(sampler);

	if (!item)
		return;
	item->kind = ITEM_SAMPLE;
	item->event = event;
	item->flags = sample->flags;
	item->time_ns = sample->time_ns;
	item->address = sample->address;
	item->ip = sample->ip;
	item->extra = sample->period;
	item->length = sample->latency | (uint64_t)sample->translation << 32;
	item->offset = sample->physical;
	item->pid = (pid_t)sample->pid;
	item->tid = (pid_t)sample->tid;
	sampler->seen[event]++;
}

/* The event's id is the first field of all samples */
static void
take_sample(struct sampler *sampler, const struct perf_event_header *header)
{
	size_t bytes = header->size - sizeof(*header), i = 0;
	const struct sampler_event *event;
	struct memory_sample sample;
	uint64_t id = 0;
	int error;

	memcpy(&id, header + 1, bytes < sizeof(id) ? bytes : sizeof(id));
	while (i < sampler->n_counters && sampler->counter[i].id != id)
		i++;
	if (i == sampler->n_counters) {
		sampler->damaged += bytes < sizeof(id);
		return;
	}
	event = &sampler->event[sampler->counter[i].event];
	if (event->helper)
		return;
	error = memory_sample_decode(SAMPLE_TYPE | event->sample_type,
				     event->ibs, header + 1, bytes, &sample);
	if (!error)
		add_memory(sampler, sampler->counter[i].event, &sample);
	else if (error != -ENOENT) /* an op that was no access */
		sampler->damaged++;
}

/* MMAP2 after its header */
struct map_record {
	uint32_t pid, tid;
	uint64_t address, length, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char name[];
};

/* time, the last field but one of what sample_id_all appends (TID, TIME, ID
 * as IDENTIFIER) */
static uint64_t
time_of(const struct perf_event_header *header)
{
	uint64_t time;

	memcpy(&time, (const char *)header + header->size - 16, sizeof(time));
	return time;
}

static void
take_map(struct sampler *sampler, const struct perf_event_header *header)
{
	const struct map_record *map = (const void *)(header + 1);
	bool named = map->name[0] == '/' && strncmp(map->name, "//", 2);
	struct item *item = sampler_item(sampler);

	if (!item)
		return;
	item->kind = ITEM_MAP;
	item->time_ns = time_of(header);
	item->pid = (pid_t)map->pid;
	item->tid = (pid_t)map->tid;
	item->address = map->address;
	item->length = map->length;
	item->flags = (map->protection & PROT_READ ? MAP_FLAG_READ : 0) |
		      (map->protection & PROT_WRITE ? MAP_FLAG_WRITE : 0) |
		      (map->protection & PROT_EXEC ? MAP_FLAG_EXEC : 0) |
		      (map->flags & MAP_SHARED ? MAP_FLAG_SHARED : 0);
	if (named) {
		item->flags |= MAP_FLAG_FILE;
		item->offset = map->offset;
	} else if (!strcmp(map->name, "[stack]")) {
		item->flags |= MAP_FLAG_STACK;
	} else if (!strcmp(map->name, "[heap]")) {
		item->flags |= MAP_FLAG_HEAP;
	}
	if ((named || map->name[0] == '[') &&
	    files_number(sampler->files, map->name, map->inode, &item->file))
		sampler->failed = true;
}

static void
take_task(struct sampler *sampler, const struct perf_event_header *header,
	  enum item_kind kind)
{
	uint32_t field[4]; /* pid, ppid, tid, ptid; of COMM: pid, tid */
	struct item *item = sampler_item(sampler);

	if (!item)
		return;
	memcpy(field, header + 1, kind == ITEM_EXEC ? 8 : sizeof(field));
	item->kind = (uint8_t)kind;
	item->time_ns = time_of(header);
	item->pid = (pid_t)field[0];
	item->tid = (pid_t)field[kind == ITEM_EXEC ? 1 : 2];
	if (kind == ITEM_FORK)
		item->ip = field[1];
}

/* LOST: id, number.  Events of each time are compared with their counts */
static void
take_lost(struct sampler *sampler, const struct perf_event_header *header)
{
	uint64_t field[2];
	bool by_id = header->type == PERF_RECORD_LOST;

	if (header->size < sizeof(*header) + sizeof(field))
		return;
	memcpy(field, header + 1, sizeof(field));
	for (size_t i = 0; i < sampler->n_counters; i++) {
		const struct sampler_event *event =
			&sampler->event[sampler->counter[i].event];

		if (by_id && sampler->counter[i].id != field[0])
			continue;
		if (event->attr.sample_period != 1)
			sampler->damaged += field[by_id];
		return;
	}
}

struct aux_visit {
	struct sampler *sampler;
	uint32_t pid, tid;
	uint64_t time_ns;
};

static int
take_spe(void *context, const struct memory_sample *sample)
{
	const struct aux_visit *visit = context;
	struct memory_sample whole = *sample;

	/* The hardware's own clock and context are the kernel's to know */
	whole.time_ns = visit->time_ns;
	whole.pid = visit->pid;
	whole.tid = visit->tid;
	add_memory(visit->sampler, 0, &whole);
	return 0;
}

/* AUX: offset, size, flags; then whose, when */
static void
take_aux(struct sampler *sampler, struct ring *ring,
	 const struct perf_event_header *header)
{
	struct aux_visit visit = { .sampler = sampler };
	uint64_t field[3];

	if (!ring->aux || header->size < sizeof(*header) + 24 + SAMPLE_ID_BYTES)
		return;
	memcpy(field, header + 1, sizeof(field));
	memcpy(&visit.pid,
	       (const char *)header + header->size - SAMPLE_ID_BYTES, 4);
	memcpy(&visit.tid,
	       (const char *)header + header->size - SAMPLE_ID_BYTES + 4, 4);
	visit.time_ns = time_of(header);
	spe_decode(ring->aux, AUX_BYTES, field[0], field[1], take_spe, &visit,
		   &sampler->damaged);
	sampler->damaged += field[2] & PERF_AUX_FLAG_TRUNCATED;
	__atomic_store_n(&ring->page->aux_tail, field[0] + field[1],
			 __ATOMIC_RELEASE);
}

static void
take(struct sampler *sampler, struct ring *ring,
     const struct perf_event_header *header)
{
	switch (header->type) {
	case PERF_RECORD_SAMPLE:
		take_sample(sampler, header);
		break;
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
		take_lost(sampler, header);
		break;
	case PERF_RECORD_AUX:
		take_aux(sampler, ring, header);
		break;
	case PERF_RECORD_MMAP2:
		take_map(sampler, header);
		break;
	case PERF_RECORD_FORK:
		take_task(sampler, header, ITEM_FORK);
		break;
	case PERF_RECORD_EXIT:
		take_task(sampler, header, ITEM_EXIT);
		break;
	case PERF_RECORD_COMM:
		if (header->misc & PERF_RECORD_MISC_COMM_EXEC)
			take_task(sampler, header, ITEM_EXEC);
		break;
	default:
		break;
	}
}

void
sampler_empty_ring(struct sampler *sampler, struct ring *ring)
{
	const char *data = (const char *)ring->page + ring->page->data_offset;
	uint64_t head =
		__atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;
	struct perf_record record;
	bool damaged = false;

	while (perf_ring_next(data, ring->data_bytes, head, &tail, &record,
			      &damaged))
		take(sampler, ring, &record.header);
	sampler->damaged += damaged;
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}
