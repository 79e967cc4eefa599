/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the translated code finds through GS: an area for each thread.
 *
 *	0                  saved registers, constants
 *	GS_TABLE           targets of indirect branches, by low bits of the pc;
 *	                   one table for all threads, mapped into each area
 *	GS_BUFFERS         record buffers, each with a guard behind it
 *	GS_RETURNS         by the low bits of a pc that a call returns to: where
 *	                   the last such call of this thread is to land
 *
 * Also included by assembly.
 */
#ifndef TRACERS_CACHE_LAYOUT_H
#define TRACERS_CACHE_LAYOUT_H

#define GS_RCX	      0 /* of an indirect branch under way */
#define GS_RAX	      8
#define GS_RDX	      16
#define GS_FLAGS      24
#define GS_TARGET     32
#define GS_STOLEN     40 /* the program's own r11 */
#define GS_SUBSTITUTE 48 /* of the register that stands in for it */
#define GS_LEVEL2     56 /* address of the larger table */
#define GS_MASK	      64 /* of a pc: its place in the table */
/* Of a system call in the cache */
#define GS_CURSOR 72 /* while r11 is not the cursor */
#define GS_CALL	  80 /* its pc */
#define GS_NEXT	  88 /* pc behind it */
#define GS_RESUME 96 /* where the cache goes on */
/* Of a question to the tracing side: cache-ask.c */
#define GS_LINK	  104 /* an exit's number, or 0: GS_WANTED is a pc */
#define GS_ASKED  108 /* one of ASKED_... */
#define GS_WANTED 112
#define GS_ANSWER 120 /* where to go on; 0: none yet */
#define GS_TURNS  128 /* how often to look for an answer; 0: it sleeps */
/* Of the larger table: its entries - 1.  Read before GS_LEVEL2, which is
 * written before it. */
#define GS_LEVEL2_MASK 136

#define ASKED_NOT    0
#define ASKED	     1
#define ASKED_VAINLY 2

/* What to do for a system call: enum call_class, by number; for numbers from
 * 512 on, by their second byte */
#define GS_CALLS      1024
#define CALLS	      512
#define GS_CALLS_HIGH 2048
#define CALLS_HIGH    256

#define GS_TABLE     4096
#define TABLE_FIRST  15 /* bits of the pc, at first */
#define TABLE_BITS   19 /* at last */
#define TABLE_BYTES  (8 << TABLE_BITS)
#define GS_BUFFERS   (GS_TABLE + TABLE_BYTES)
#define BUFFER_BYTES (3 << 20)
/* Those of the third thread and later ones are shorter, for to unmap each page
 * that was touched takes 0.2 us */
#define AREAS_LONG   2
#define BUFFER_SHORT (1 << 20)
#define GUARD_BYTES  8192 /* more than the longest record */
#define BUFFERS	     3
#define GS_RETURNS   (14 << 20)
#define RETURNS	     (1 << 16) /* as movzwl has it */
#define RETURN_BYTES (8 * RETURNS)
#define AREA_BYTES   (16 << 20)

/* The record of a system call that the target made in the cache: its number,
 * result, arguments, and where a string that it names ends (0: none) */
#define CALL_OUTCOME 1
#define CALL_WORDS   9

/* The larger table: pc, checked entry, block; 32 bytes each, linear probing.  It
 * grows, too: the larger ones stand behind the smaller. */
#define LEVEL2_FIRST  13
#define LEVEL2_BITS   19
#define GROWTH_BITS   2
#define LEVEL2_SLACK  4096 /* entries behind the last, for probing */
#define LEVEL2_FACTOR (-0x61c8864f)
#define LEVEL2_SHIFT  20

#endif
