/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What data lies where: each address of each space is of one object.
 *
 *	space: mapped     [file 3 at 0x2000 )[ bss )   [ mmap 7 )  [ stack )
 *	       allocated        (heap notes)              [a][b]
 *
 * An allocation wins over what is mapped; of ELF files the symbols, which
 * somebody else can find, split what is mapped, also the zeroed rest of their
 * last segment.  All allocations of one call site are one object; so are all
 * pages of a file that no symbol covers.
 */
#ifndef MODELS_ANALYSIS_OBJECTS_H
#define MODELS_ANALYSIS_OBJECTS_H

#include "analyzer/batch.h"

enum object_kind {
	OBJECT_NOTHING,	  /* nothing is mapped there, or it is not told apart */
	OBJECT_SYMBOL,	  /* file, offset: where it begins */
	OBJECT_FILE,	  /* file: what no symbol covers */
	OBJECT_CODE,	  /* file: what can be executed */
	OBJECT_HEAP,	  /* brk's */
	OBJECT_ALLOCATED, /* offset: the call's return address, image, path */
	OBJECT_STACK,	  /* thread; UINT32_MAX: the first one of a process */
	OBJECT_MMAP,	  /* file: its number in the run; anonymous */
	OBJECT_NOTES,	  /* the page of heap notes */
	OBJECT_KINDS,
};

struct object {
	uint8_t kind; /* enum object_kind */
	uint16_t image;
	uint32_t file, thread, path;
	uint64_t offset;
	/* not of its identity */
	uint64_t bytes; /* of all that it ever was */
	uint64_t times; /* how often it was allocated or mapped */
};

#define OBJECTS_MAX (1u << 20) /* others are object 0, of OBJECT_NOTHING */

/* Who can read ELF files. */
struct object_symbols {
	void *context;
	/*
	 * [*start, *end) around this offset of a file, which may lie beyond
	 * it, in what its last segment adds: 1: is one symbol's; 0: is no
	 * symbol's; -1: is none of the file's.  NULL: nobody can.
	 */
	int (*find)(void *context, uint32_t file, uint64_t offset,
		    uint64_t *start, uint64_t *end);
};

struct objects;

/* 0 or -ENOMEM (said), as all that return an int. */
int objects_open(struct objects **out, const struct stream *stream,
		 const struct object_symbols *symbols);
void objects_close(struct objects *objects);

/* A change of mappings, a fork or exec; space: whose it is. */
int objects_event(struct objects *objects, uint32_t space,
		  const struct event *event);
/* The heap gave or took back memory. */
struct allocation {
	uint64_t address, bytes, caller;
	uint32_t path;
};
int objects_allocate(struct objects *objects, uint32_t space,
		     const struct allocation *allocation);
int objects_free(struct objects *objects, uint32_t space, uint64_t address);
/* What is mapped there is this thread's stack. */
int objects_stack(struct objects *objects, uint32_t space, uint64_t address,
		  uint32_t thread);

/* Number of the object at an address; 0 also where there is no memory. */
uint32_t objects_at(struct objects *objects, uint32_t space, uint64_t address);
/* The file and the offset in it that is mapped there; false: none is. */
bool objects_file(struct objects *objects, uint32_t space, uint64_t address,
		  uint32_t *file, uint64_t *offset);
const struct object *objects_get(const struct objects *objects,
				 uint32_t number);
uint32_t objects_count(const struct objects *objects);

#endif
