// SPDX-License-Identifier: GPL-2.0-or-later
/* Between a machine and who.h; see machine-who.h. */
#include "models/machine-who.h"

#include <stdlib.h>

#include "analyzer/fail.h"

struct machine_who {
	struct machine_who_of of;
	struct who *who;
	uint32_t thread,
		space;	     /* of the batch; space: after its execs so far */
	bool following;	     /* an event of the kernel's is at hand */
	bool regions, nodes; /* are asked for */
};

int
machine_who_open(struct machine_who **out, const struct who_setup *setup,
		 const struct machine_who_of *of)
{
	struct machine_who *who = calloc(1, sizeof(*who));
	int error;

	if (!who)
		return fail(ENOMEM, "machine: no memory for --by");
	who->of = *of;
	error = who_open(&who->who, of->stream, setup);
	if (error) {
		free(who);
		return error;
	}
	who->regions = who_wants(who->who, WHO_MAPPING | WHO_PAGE);
	who->nodes = of->numa && who_wants(who->who, WHO_NODE);
	*out = who;
	return 0;
}

void
machine_who_close(struct machine_who *who)
{
	if (who)
		who_close(who->who);
	free(who);
}

bool
machine_who_wants_columns(const struct machine_who *who)
{
	return who_wants_columns(who->who);
}

void
machine_who_begin(struct machine_who *who, const struct batch *batch,
		  uint64_t position)
{
	who->thread = batch->thread;
	who->space = batch->space;
	who_begin(who->who, batch, position,
		  paging_resident_bytes(who->of.paging));
}

int
machine_who_event(struct machine_who *who, const struct batch *batch,
		  const struct event *event)
{
	who->following = true;
	/* what follows an exec is of the new program */
	if (event->type == EVENT_EXEC)
		who->space = (uint32_t)event->value;
	return who_event(who->who, who->space, batch->thread, event);
}

void
machine_who_followed(struct machine_who *who)
{
	who->following = false;
}

int
machine_who_feed(struct machine_who *who, const struct batch *batch,
		 uint32_t from, uint32_t to, uint64_t position)
{
	return who_feed(who->who, batch, from, to, position);
}

int
machine_who_settle(struct machine_who *who)
{
	return who_settle(who->who);
}

int
machine_who_fault(struct machine_who *who, const struct access *access,
		  struct mapping *mapping)
{
	bool write = access->kind == SITE_STORE || access->kind == SITE_MODIFY;
	int error = paging_fault(who->of.paging, access->space, access->address,
				 access->kind, access->position, mapping);

	if (!error && (!mapping->shift || (write && !mapping->writable)))
		error = who_denied(who->who, access->address, access->position);
	return error;
}

int
machine_who_faulted(struct machine_who *who, uint32_t space, uint64_t page,
		    uint64_t accesses, bool major)
{
	return who_faulted(who->who,
			   &(struct who_fault){
				   .page = page,
				   .position = accesses,
				   .space = space,
				   .thread = who->thread,
				   .region = paging_region(who->of.paging,
							   space, page),
				   .major = major,
				   .kernel = who->following,
			   });
}

/* Nodes of the thread that runs and of the page. */
static void
find_nodes(const struct machine_who *who, struct who_miss *miss)
{
	struct paging_page page;

	miss->from = (uint8_t)who->of.numa->node;
	if (paging_page(who->of.paging, miss->space, miss->address, &page))
		miss->node = (uint8_t)frames_node(who->of.frames, page.frame);
}

int
machine_who_missed(struct machine_who *who, const struct core_misses *misses)
{
	int error = 0;

	for (unsigned i = 0; !error && i < misses->n; i++) {
		struct who_miss miss = {
			.address = misses->address[i],
			.position = misses->position[i],
			.space = misses->space,
			.thread = who->thread,
			.site = misses->site[i],
			.cycles = misses->cycles[i],
			.walked = misses->walked[i],
		};

		if (who->regions)
			miss.region = paging_region(who->of.paging, miss.space,
						    miss.address);
		if (who->nodes)
			find_nodes(who, &miss);
		error = who_missed(who->who, &miss);
	}
	return error;
}

static const char *
region_name(const void *context, uint32_t region)
{
	return paging_region_name(context, region);
}

int
machine_who_finish(const struct machine_who *who, uint64_t accesses,
		   struct result *result)
{
	const struct who_regions regions = { who->of.paging, region_name };

	return who_finish(who->who, &regions, accesses, result);
}
