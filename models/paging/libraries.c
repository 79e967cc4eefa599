// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs and libraries, part by part: what of a file all who map it share, and
 * what each has of its own (the loader writes to the GOT, the program to data).
 *
 *	page of a file -> segment of its ELF headers -> rss, pss, uss, anonymous
 *
 * Where the file is not the recorded one any more, the rights of the mapping
 * say what it is: then what is relro counts as read-only.
 */
#include "models/paging/space.h"

#include "analyzer/elf-segments.h"

#include <stdlib.h>
#include <string.h>

#define FIXED 12 /* as in sharing.c */

struct part {
	uint64_t rss, pss, uss, anon, memory;
	uint32_t processes, last;
};

struct library {
	struct elf_segments *segments; /* owned; NULL: by rights */
	bool asked;		       /* for them */
	bool code;		       /* some part is text */
	struct part part[ELF_PARTS];
};

struct libraries {
	struct library *library; /* owned: by object */
	size_t n;
};

int
libraries_open(struct libraries **out, const struct paging *paging)
{
	struct libraries *libraries = calloc(1, sizeof(*libraries));

	if (!libraries)
		return -ENOMEM;
	libraries->n = paging->objects;
	libraries->library =
		calloc(libraries->n + 1, sizeof(*libraries->library));
	*out = libraries;
	return libraries->library ? 0 : -ENOMEM;
}

void
libraries_close(struct libraries *libraries)
{
	if (!libraries)
		return;
	for (size_t i = 0; libraries->library && i < libraries->n; i++)
		elf_segments_close(libraries->library[i].segments);
	free(libraries->library);
	free(libraries);
}

static void
ask(const struct paging *paging, const struct object *object,
    struct library *library)
{
	const struct file *file = stream_file(paging->stream, object->number);

	library->asked = true;
	/* Another file of the same name says nothing of the recorded one. */
	if (*file->build_id)
		(void)elf_segments_open(&library->segments, file->path,
					file->build_id);
}

static enum elf_part
part_of(const struct library *library, const struct vma *vma, uint64_t address)
{
	enum elf_part part = ELF_PARTS;

	if (library->segments)
		part = elf_segments_part(library->segments, vma->offset,
					 vma->offset + (address - vma->start));
	if (part != ELF_PARTS)
		return part;
	return vma->flags & MAP_FLAG_EXEC    ? ELF_TEXT
	       : vma->flags & MAP_FLAG_WRITE ? ELF_DATA
					     : ELF_CONST;
}

void
libraries_add(struct libraries *libraries, const struct paging *paging,
	      const struct shared_page *page)
{
	const struct vma *vma = page->vma;
	const struct object *object;
	struct library *library;
	struct part *part;
	enum elf_part which;

	if (!vma || vma->object == OBJECT_NONE || vma->object >= libraries->n)
		return;
	object = &paging->object[vma->object];
	if (!object->named || !object->file)
		return;
	library = &libraries->library[vma->object];
	if (!library->asked)
		ask(paging, object, library);
	which = part_of(library, vma, page->address);
	library->code |= which == ELF_TEXT;
	part = &library->part[which];
	part->rss += page->bytes;
	part->pss += (page->bytes << FIXED) / page->times;
	part->uss += page->times == 1 ? page->bytes : 0;
	part->anon += page->own ? page->bytes : 0;
	part->memory += page->first ? page->bytes : 0;
	if (part->last == page->space + 1)
		return;
	part->last = page->space + 1;
	part->processes++;
}

struct ranked {
	const struct library *library;
	const char *name;
	uint64_t rss;
};

static int
by_size(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->rss != b->rss)
		return a->rss < b->rss ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int
put_library(const struct ranked *one, struct result *result)
{
	int error = 0;

	for (unsigned i = 0; i < ELF_PARTS && !error; i++) {
		const struct part *part = &one->library->part[i];

		if (part->rss)
			error = result_row(
				result, "libraries", "ssuuuuuus", one->name,
				elf_part_names[i], (uint64_t)part->processes,
				part->rss, part->pss >> FIXED, part->uss,
				part->anon, part->memory,
				one->library->segments ? "elf" : "rights");
	}
	return error;
}

int
libraries_finish(const struct libraries *libraries, const struct paging *paging,
		 struct result *result)
{
	static const char *const columns[] = {
		"library:",	"segment:", "processes:processes",
		"rss:bytes",	"pss:bytes", "uss:bytes",
		"anon:bytes",	"memory:bytes", "by:",
		NULL,
	};
	struct ranked *ranked = calloc(libraries->n + 1, sizeof(*ranked));
	size_t n = 0;
	int error =
		ranked ? result_table(result, "libraries",
				      "Programs and libraries by segment, when "
				      "most was mapped: of all processes, and "
				      "the memory it takes",
				      columns)
		       : -ENOMEM;

	for (size_t i = 0; i < libraries->n && !error; i++) {
		const struct library *library = &libraries->library[i];

		if (!library->segments && !library->code)
			continue;
		ranked[n] = (struct ranked){
			library,
			stream_file(paging->stream, paging->object[i].number)
				->path,
			0
		};
		for (unsigned k = 0; k < ELF_PARTS; k++)
			ranked[n].rss += library->part[k].rss;
		n++;
	}
	if (ranked)
		qsort(ranked, n, sizeof(*ranked), by_size);
	for (size_t i = 0; i < n && !error; i++)
		error = put_library(&ranked[i], result);
	free(ranked);
	return error;
}
