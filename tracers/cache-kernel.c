// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-kernel.h"
#include "analyzer/base.h"

#include "tracers/syscalls.h"

static struct event *
add_event(void *context, enum event_type type)
{
	struct cache_kernel *kernel = context;
	/* No row has more; the last one would be overwritten */
	struct event *event =
		&kernel->event[kernel->n < KERNEL_EVENTS - 1 ? kernel->n++
							     : kernel->n];

	*event = (struct event){ .type = (uint8_t)type };
	return event;
}

/* Only calls that need no memory are made in the cache */
static size_t
read_nothing(void *context, uint64_t address, void *to, size_t n_bytes)
{
	(void)context;
	(void)address;
	(void)to;
	(void)n_bytes;
	return 0;
}

static void
begin(struct cache_kernel *kernel, const uint64_t *record)
{
	const struct syscall_target target = {
		.event = add_event,
		.read = read_nothing,
		.context = kernel,
	};
	const struct syscall_call call = {
		.number = record[1],
		.result = (int64_t)record[2],
		.argument = { record[3], record[4], record[5], record[6],
			      record[7], record[8] },
		.string_end = record[9],
	};

	*kernel = (struct cache_kernel){ .begun = true };
	syscall_buffers(&call, &target);
}

int
kernel_append(struct cache_kernel *kernel, const uint64_t *record,
	      uint64_t time_ns, struct batch *batch)
{
	if (!kernel->begun)
		begin(kernel, record);
	for (; kernel->done < kernel->n; kernel->done++) {
		const struct event *from = &kernel->event[kernel->done];
		struct event *event = batch_event(batch, from->type);

		if (!event)
			return 1;
		event->address = from->address;
		event->length = from->length;
		event->time_ns = time_ns;
	}
	kernel->begun = false;
	return 0;
}
