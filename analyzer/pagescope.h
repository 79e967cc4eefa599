/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpagescope: traces, machines and results of pagescope from C programs.
 * See libpagescope(3); `pkg-config --cflags --libs pagescope`.
 *
 * Functions that can fail return 0 (or what they say) or a negative errno, and
 * pagescope_error() then tells the reason in words.  What is opened is closed
 * by its close, which takes NULL.  Different objects may be used by different
 * threads at the same time, one object by one thread.
 *
 * Names that begin with pagescope_ are all that the library defines.  What is
 * here stays as it is while PAGESCOPE_API does; structs may get members at
 * their end.
 */
#ifndef PAGESCOPE_H
#define PAGESCOPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGESCOPE_API 1

/* The API of the library that was linked; its release, "0.1.0" */
int pagescope_api(void);
const char *pagescope_version(void);
/* Why the last call of this thread failed; "" if none did */
const char *pagescope_error(void);

enum pagescope_kind {
	PAGESCOPE_LOAD,
	PAGESCOPE_STORE,
	PAGESCOPE_MODIFY, /* a load and a store of one place by one instruction */
	PAGESCOPE_FETCH	  /* of a run of instructions */
};

struct pagescope_access {
	uint64_t address;
	uint64_t pc;   /* of the instruction; of a fetch, of the first one */
	uint32_t size; /* bytes */
	uint32_t kind; /* enum pagescope_kind */
};

/* Accesses of one thread, in the order in which it made them */
struct pagescope_batch {
	uint32_t process, thread; /* as the kernel numbered them */
	uint64_t time_ns;	  /* CLOCK_MONOTONIC at the end; 0: unknown */
	size_t n;
	const struct pagescope_access *access; /* [n], until the next call */
};

struct pagescope_trace;

/* A .pst file, a foreign trace of a known format, or "generate:mix,n=1M". */
int pagescope_trace_open(struct pagescope_trace **out, const char *name);
/* 1: a batch (of n 0 where nothing but events happened); 0: the end. */
int pagescope_trace_next(struct pagescope_trace *trace,
			 struct pagescope_batch *batch);
void pagescope_trace_close(struct pagescope_trace *trace);

struct pagescope_result;

/*
 * Replay a trace through a machine: a preset's name, or NULL for the default
 * one; options: "tlb.l2.entries=2048", ..., NULL at the end (or NULL: none),
 * as `pagescope replay --set` takes them.  The figures are those of
 * `pagescope replay`.
 */
int pagescope_replay(struct pagescope_result **out, const char *trace,
		     const char *machine, const char *const *options);

/* A document that `pagescope replay -o` or pagescope_result_write wrote; "-":
 * standard input or output */
int pagescope_result_read(struct pagescope_result **out, const char *path);
int pagescope_result_write(const struct pagescope_result *result,
			   const char *path);
void pagescope_result_close(struct pagescope_result *result);

/* The name of value i, or NULL behind the last; until close. */
const char *pagescope_result_name(const struct pagescope_result *result,
				  size_t i);
/* A value (pagescope-result(5)).  -ENOENT: there is no such name; -ENODATA: the
 * result says that it cannot be known, pagescope_error() why; -EINVAL: it is a
 * text. */
int pagescope_result_number(const struct pagescope_result *result,
			    const char *name, double *value);
/* A value or an option as text, until close; NULL: there is none, or it is a
 * number. */
const char *pagescope_result_text(const struct pagescope_result *result,
				  const char *name);
/* The unit of a value, until close; "" where there is none. */
const char *pagescope_result_unit(const struct pagescope_result *result,
				  const char *name);

/* Rows of a table, or -ENOENT */
long pagescope_table_rows(const struct pagescope_result *result,
			  const char *table);
/* A cell: a number, or the text of it (NULL otherwise).  -ENOENT: no such table,
 * row or column; -ENODATA: the cell is null. */
int pagescope_table_cell(const struct pagescope_result *result,
			 const char *table, size_t row, const char *column,
			 double *number, const char **text);

#ifdef __cplusplus
}
#endif

#endif
