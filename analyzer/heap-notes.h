/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a program's allocations get into a trace: libpagescope-heap.so (record
 * --heap) maps one page at an address of its own and stores single bytes to it;
 * where in the page says what happened.  So whatever records stores records
 * allocations too, at their place among the accesses of their thread.
 *
 *	offset in the page
 *	0 .. 1023	 a digit of 10 bits, and others follow (lowest first)
 *	1024 .. 2047	 the last digit of a number
 *	2048 + kind	 a note begins, whose numbers follow
 *
 * Notes: HEAP_NOTE_ALLOC: address / 16, bytes, return address of the call;
 * HEAP_NOTE_FREE: address / 16.
 */
#ifndef ANALYZER_HEAP_NOTES_H
#define ANALYZER_HEAP_NOTES_H

/* Below 16 TiB, for Valgrind. */
#define HEAP_NOTES_ADDRESS 0x0fa9e5c09000UL
#define HEAP_NOTES_BYTES   4096UL
#define HEAP_NOTES_BITS	   10
#define HEAP_NOTES_LAST	   1024UL
#define HEAP_NOTES_KIND	   2048UL

enum heap_note {
	HEAP_NOTE_ALLOC,
	HEAP_NOTE_FREE,
	HEAP_NOTES,
};

#define HEAP_NOTE_NUMBERS_MAX 3

#endif
