// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame of all exporters.
 */
#include "traces/foreign-out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

void
foreign_out_lost(struct foreign_out *out, uint64_t n, const char *what)
{
	size_t used = strlen(out->losses);

	if (n)
		snprintf(out->losses + used, sizeof(out->losses) - used,
			 "%s%" PRIu64 " %s", used ? ", " : "", n, what);
}

/* Count what this format may have no room for. */
static ALWAYS_INLINE void
count(struct foreign_out *out, const struct foreign_access *access)
{
	if (access->kind == SITE_FETCH) {
		out->fetches++;
		out->blocks += access->instructions > 1;
		out->fetch_pc = access->pc;
		return;
	}
	out->data++;
	out->modifies += access->kind == SITE_MODIFY;
	out->pcs += access->pc != 0;
	out->far += access->pc && access->pc != out->fetch_pc;
}

static int
put(struct foreign_out *out, const struct foreign_access *access)
{
	struct foreign_access half = *access;
	int error;

	count(out, access);
	if (access->kind != SITE_MODIFY || (out->format->holds & HOLDS_MODIFY))
		return out->format->put(out, access);
	half.kind = SITE_LOAD;
	error = out->format->put(out, &half);
	half.kind = SITE_STORE;
	return error ? error : out->format->put(out, &half);
}

static int
put_held(struct foreign_out *out)
{
	struct foreign_access held = out->held;

	if (!held.size)
		return 0;
	out->held.size = 0;
	return put(out, &held);
}

/* A fetch that ends with its page is held until the next access. */
static NOINLINE int
put_fetch(struct foreign_out *out, const struct foreign_access *access)
{
	struct foreign_access *held = &out->held;
	int error;

	if (held->size && !access->instructions &&
	    access->thread == held->thread &&
	    access->pc == held->pc + held->size)
		held->size += access->size;
	else {
		error = put_held(out);
		if (error)
			return error;
		*held = *access;
	}
	return (held->pc + held->size) & 4095 ? put_held(out) : 0;
}

static ALWAYS_INLINE int
take(struct foreign_out *out, const struct foreign_access *access)
{
	int error;

	if (unlikely((out->format->holds & HOLDS_CROSSING) &&
		     access->kind == SITE_FETCH &&
		     (out->held.size || !((access->pc + access->size) & 4095))))
		return put_fetch(out, access);
	if (unlikely(out->held.size)) {
		error = put_held(out);
		if (error)
			return error;
	}
	return put(out, access);
}

static void
count_batch(struct foreign_out *out, const struct batch *batch)
{
	if (!out->started)
		out->start_ns = batch->time_ns;
	out->started = true;
	/* importers of formats without a clock count accesses */
	out->timed |= batch->time_ns != out->accesses + batch->n;
	for (uint32_t i = 0; i < batch->n_events; i++)
		out->events[batch->event[i].type]++;
	if (!batch->n)
		return;
	if (batch->thread >= out->threads)
		out->threads = batch->thread + 1;
	if (batch->space >= out->spaces)
		out->spaces = batch->space + 1;
}

static int
foreign_out_feed(struct model *model, const struct batch *batch)
{
	struct foreign_out *out = (struct foreign_out *)model;
	struct foreign_access access = { .thread = batch->thread,
					 .space = batch->space };

	count_batch(out, batch);
	access.time_ns = batch->time_ns > out->start_ns
				 ? batch->time_ns - out->start_ns
				 : 0;
	for (uint32_t i = 0; i < batch->n; i++) {
		const struct site *site =
			stream_site(out->stream, SITE_INDEX(batch->site[i]));
		int error;

		access.address = batch->address[i];
		access.pc = site->pc;
		access.size = site->size;
		access.kind = site->kind;
		access.instructions = site->instructions;
		error = take(out, &access);
		if (error)
			return error;
	}
	out->accesses += batch->n;
	return 0;
}

/* "2043 events (12 map, 2031 fault)" */
static void
lost_events(struct foreign_out *out)
{
	char text[512] = "events (";
	size_t used = strlen(text);
	uint64_t all = 0;

	for (unsigned type = 0; type < EVENT_TYPES; type++) {
		if (!out->events[type] || used + 64 > sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s%" PRIu64 " %s", all ? ", " : "",
					 out->events[type], event_name(type));
		all += out->events[type];
	}
	snprintf(text + used, sizeof(text) - used, ")");
	foreign_out_lost(out, all, text);
}

/* What there was and the format has no room for, in one note */
static void
say_losses(struct foreign_out *out)
{
	unsigned holds = out->format->holds;
	uint64_t sized = out->data + out->fetches;

	lost_events(out);
	if (!(holds & HOLDS_THREAD)) {
		foreign_out_lost(out, out->threads > 1 ? out->threads : 0,
				 "threads (all are one)");
		foreign_out_lost(out, out->spaces > 1 ? out->spaces : 0,
				 "address spaces (all are one)");
	}
	if (!(holds & HOLDS_SIZE))
		foreign_out_lost(out, sized, "sizes");
	if (!(holds & HOLDS_PC))
		foreign_out_lost(out,
				 holds & HOLDS_FETCH_PC ? out->far : out->pcs,
				 "pcs of data");
	if (!(holds & HOLDS_KIND))
		foreign_out_lost(out, sized, "kinds of access");
	else if (!(holds & HOLDS_MODIFY))
		foreign_out_lost(out, out->modifies,
				 "modifies (each is a load and a store)");
	if (!(holds & HOLDS_BLOCKS))
		foreign_out_lost(out, out->blocks,
				 "numbers of instructions in a block");
	if (!(holds & HOLDS_TIME) && out->timed)
		foreign_out_lost(out, out->accesses, "times");
	if (*out->losses)
		note("%s: %s has no room for: %s", outlet_name(out->outlet),
		     out->format->name, out->losses);
}

static int
foreign_out_finish(struct model *model, struct result *result)
{
	struct foreign_out *out = (struct foreign_out *)model;
	int error = put_held(out);

	(void)result;
	if (!error && out->format->end)
		error = out->format->end(out);
	if (!error)
		error = outlet_finish(out->outlet);
	if (!error)
		say_losses(out);
	return error;
}

static void
foreign_out_close(struct model *model)
{
	struct foreign_out *out = (struct foreign_out *)model;

	if (!out)
		return;
	if (out->format->fini)
		out->format->fini(out);
	outlet_close(out->outlet);
	free(out);
}

static const struct model_methods foreign_out_methods = {
	.feed = foreign_out_feed,
	.finish = foreign_out_finish,
	.close = foreign_out_close,
};

int
foreign_out_open(struct model **model, size_t bytes,
		 const struct foreign_out_format *format,
		 const struct exporter_setup *setup)
{
	struct foreign_out *out = calloc(1, bytes);
	int error;

	if (!out)
		return fail(ENOMEM, "%s: no memory to write it", setup->path);
	out->model.methods = &foreign_out_methods;
	out->format = format;
	out->stream = setup->stream;
	error = outlet_open(&out->outlet, setup->path);
	if (error) {
		foreign_out_close(&out->model);
		return error;
	}
	*model = &out->model;
	return 0;
}

void
exporter_totals(const struct model *exporter, struct exporter_totals *totals)
{
	const struct foreign_out *out = (const struct foreign_out *)exporter;

	totals->accesses = out->accesses;
	totals->bytes = outlet_bytes(out->outlet) + out->beside;
}
