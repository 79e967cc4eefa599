// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two hash tables with linear probing that only grow: (image, pc) to the
 * decoded instruction, and what a site is to its reference.
 *
 * Code in private, read-only, executable memory changes only together with
 * its mapping, which counts up step->generation; anything else (JITs) is read
 * again each time and decoded again when its bytes differ.
 */
#include "analyzer/base.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/step.h"
#include "tracers/wide.h"

struct entry {
	struct instruction *instruction; /* owned; NULL: free slot */
	uint64_t generation;		 /* in which its bytes were read */
	uint16_t image;
	bool stable;
};

struct site_entry {
	struct site site;
	uint32_t ref;
	bool used;
};

struct code {
	struct stream *stream;
	struct entry *entry;
	size_t n, size;
	struct site_entry *site;
	size_t n_sites, sites_size;
};

#define SIZE_FIRST 4096

static size_t
mix(uint64_t a, uint64_t b)
{
	a = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) *
	    UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(a ^ a >> 29);
}

static struct entry *
entry_at(struct entry *table, size_t size, uint16_t image, uint64_t pc)
{
	for (size_t i = mix(pc, image);; i++) {
		struct entry *entry = &table[i & (size - 1)];

		if (!entry->instruction ||
		    (entry->instruction->pc == pc && entry->image == image))
			return entry;
	}
}

static int
entries_grow(struct code *code)
{
	size_t size = code->size ? 2 * code->size : SIZE_FIRST;
	struct entry *table = wide_open(size * sizeof(*table));

	if (!table)
		return fail(ENOMEM, "step: no memory for instructions");
	for (size_t i = 0; i < code->size; i++) {
		const struct entry *from = &code->entry[i];

		if (from->instruction)
			*entry_at(table, size, from->image,
				  from->instruction->pc) = *from;
	}
	wide_close(code->entry, code->size * sizeof(*table));
	code->entry = table;
	code->size = size;
	return 0;
}

static struct site_entry *
site_at(struct site_entry *table, size_t size, const struct site *site)
{
	uint64_t what = (uint64_t)site->size << 32 |
			(uint64_t)site->image << 16 | site->kind << 8 |
			site->instructions;

	for (size_t i = mix(site->pc, what);; i++) {
		struct site_entry *entry = &table[i & (size - 1)];
		const struct site *other = &entry->site;

		if (!entry->used ||
		    (other->pc == site->pc && other->size == site->size &&
		     other->image == site->image && other->kind == site->kind &&
		     other->instructions == site->instructions))
			return entry;
	}
}

static int
sites_grow(struct code *code)
{
	size_t size = code->sites_size ? 2 * code->sites_size : SIZE_FIRST;
	struct site_entry *table = wide_open(size * sizeof(*table));

	if (!table)
		return fail(ENOMEM, "step: no memory for sites");
	for (size_t i = 0; i < code->sites_size; i++)
		if (code->site[i].used)
			*site_at(table, size, &code->site[i].site) =
				code->site[i];
	wide_close(code->site, code->sites_size * sizeof(*table));
	code->site = table;
	code->sites_size = size;
	return 0;
}

int
code_open(struct code **out, struct stream *stream)
{
	struct code *code = calloc(1, sizeof(*code));

	if (!code)
		return fail(ENOMEM, "step: no memory");
	code->stream = stream;
	if (entries_grow(code) || sites_grow(code)) {
		code_close(code);
		return -ENOMEM;
	}
	*out = code;
	return 0;
}

void
code_close(struct code *code)
{
	if (!code)
		return;
	for (size_t i = 0; i < code->size; i++)
		free(code->entry[i].instruction);
	wide_close(code->entry, code->size * sizeof(*code->entry));
	wide_close(code->site, code->sites_size * sizeof(*code->site));
	free(code);
}

int
code_site(struct code *code, const struct site *site, uint32_t *ref)
{
	struct site_entry *entry;
	int error;

	if (2 * code->n_sites >= code->sites_size) {
		error = sites_grow(code);
		if (error)
			return error;
	}
	entry = site_at(code->site, code->sites_size, site);
	if (!entry->used) {
		error = stream_site_add(code->stream, site, &entry->ref);
		if (error)
			return error;
		entry->site = *site;
		entry->used = true;
		code->n_sites++;
	}
	*ref = entry->ref;
	return 0;
}

static int
keep_range(void *context, const struct mapping_line *line)
{
	const uint16_t wanted = MAP_FLAG_EXEC;
	const uint16_t other = MAP_FLAG_WRITE | MAP_FLAG_SHARED;
	struct process *process = context;
	struct code_range *range;

	if ((line->flags & (wanted | other)) != wanted)
		return 0;
	range = reallocarray(process->range, process->n_ranges + 1,
			     sizeof(*range));
	if (!range)
		return 1;
	process->range = range;
	range[process->n_ranges++] =
		(struct code_range){ line->start, line->end };
	return 0;
}

static bool
is_stable(const struct stepper *step, struct process *process, uint64_t pc)
{
	if (process->ranges_of != step->generation) {
		process->n_ranges = 0;
		maps_each(process->pid, keep_range, process);
		process->ranges_of = step->generation;
	}
	for (size_t i = 0; i < process->n_ranges; i++)
		if (pc >= process->range[i].start &&
		    pc + INSTRUCTION_BYTES <= process->range[i].end)
			return true;
	return false;
}

/* Read the bytes and decode them if they are new */
static const struct instruction *
refresh(struct code *code, struct stepper *step, const struct tracee *tracee,
	uint64_t pc, struct entry *entry)
{
	uint8_t bytes[INSTRUCTION_BYTES] = { 0 };
	size_t n = target_read(tracee->tid, pc, bytes, sizeof(bytes));
	struct instruction new;

	if (!n)
		return NULL;
	entry->generation = step->generation;
	entry->stable = is_stable(step, tracee->process, pc);
	if (entry->instruction && !memcmp(entry->instruction->bytes, bytes,
					  entry->instruction->length))
		return entry->instruction;
	if (instruction_decode(&new, pc, bytes, n))
		return NULL;
	if (!entry->instruction) {
		entry->instruction = malloc(sizeof(new));
		if (!entry->instruction)
			return NULL;
		entry->image = tracee->process->image;
		code->n++;
	}
	*entry->instruction = new;
	if (new.unknown)
		step->unknown++;
	return entry->instruction;
}

const struct instruction *
code_find(struct code *code, struct stepper *step, const struct tracee *tracee,
	  uint64_t pc)
{
	struct entry *entry;

	if (2 * code->n >= code->size && entries_grow(code)) {
		step->failed = true;
		return NULL;
	}
	entry = entry_at(code->entry, code->size, tracee->process->image, pc);
	if (likely(entry->instruction && entry->stable &&
		   entry->generation == step->generation))
		return entry->instruction;
	return refresh(code, step, tracee, pc, entry);
}
