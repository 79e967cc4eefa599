// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments of a trace on the ranks of an MPI job (configure --with-mpi):
 *
 *	rank 0	decodes, hands out segments, puts together, writes the result
 *	others	measure what they are sent, and tell at the end what they counted
 *
 * Each round has a segment a rank, so nobody sends while it is sent to.
 */
#include "analyzer/cmd-curve-job.h"
#include "analyzer/fail.h"
#include "models/analysis/segments.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* Instead of a number of references */
#define TELL_COUNTS UINT32_MAX
#define END	    (UINT32_MAX - 1)
#define TAG	    1
#define BYTES_MOST  (INT32_MAX / 2) /* of one message */

static int
failed(int rank)
{
	return fail(EIO, "curve: rank %d of the MPI job does not answer", rank);
}

static int
send_bytes(const void *data, size_t bytes, int rank)
{
	const char *at = data;

	while (bytes) {
		int n = bytes < BYTES_MOST ? (int)bytes : BYTES_MOST;

		if (MPI_Send(at, n, MPI_BYTE, rank, TAG, MPI_COMM_WORLD))
			return failed(rank);
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int
receive_bytes(void *data, size_t bytes, int rank)
{
	char *at = data;

	while (bytes) {
		int n = bytes < BYTES_MOST ? (int)bytes : BYTES_MOST;

		if (MPI_Recv(at, n, MPI_BYTE, rank, TAG, MPI_COMM_WORLD,
			     MPI_STATUS_IGNORE))
			return failed(rank);
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* --- rank 0 ------------------------------------------------------------------ */

static int
send_segment(void *context, unsigned who, const struct segment *segment)
{
	int rank = (int)who + 1;
	size_t n = segment->n;
	int error = send_bytes(&segment->n, sizeof(segment->n), rank);

	(void)context;
	if (!error)
		error = send_bytes(segment->page, n * sizeof(*segment->page),
				   rank);
	if (!error)
		error = send_bytes(segment->write, n, rank);
	return error ? error
		     : send_bytes(segment->access, n * sizeof(*segment->access),
				  rank);
}

static int
receive_segment(void *context, unsigned who, struct segment *segment)
{
	int rank = (int)who + 1;
	uint32_t *n = &segment->n_pages;
	int error = receive_bytes(n, sizeof(*n), rank);

	(void)context;
	if (!error && *n > segment->n)
		return failed(rank);
	if (!error)
		error = receive_bytes(segment->first,
				      *n * sizeof(*segment->first), rank);
	if (!error)
		error = receive_bytes(segment->last,
				      *n * sizeof(*segment->last), rank);
	return error ? error
		     : receive_bytes(segment->part, *n * sizeof(*segment->part),
				     rank);
}

static int
receive_counts(int rank, struct reuse *all)
{
	struct reuse_count *count;
	uint32_t n;
	int error = receive_bytes(&n, sizeof(n), rank);

	if (error)
		return error;
	count = calloc(n + 1u, sizeof(*count));
	if (!count)
		return fail(ENOMEM, "curve: no memory");
	error = receive_bytes(count, n * sizeof(*count), rank);
	if (!error)
		error = reuse_add_counts(all, count, n);
	free(count);
	return error;
}

static int
end_remote(void *context, unsigned who, struct reuse *all,
	   struct blocks *blocks)
{
	static const uint32_t tell = TELL_COUNTS;
	int rank = (int)who + 1;
	struct blocks other;
	int error = blocks_init(&other);

	(void)context;
	if (error)
		return error;
	error = send_bytes(&tell, sizeof(tell), rank);
	if (!error)
		error = receive_counts(rank, all);
	if (!error)
		error = receive_bytes(&other.shift, sizeof(other.shift), rank);
	if (!error)
		error = receive_bytes(other.block,
				      BLOCKS_MOST * sizeof(*other.block), rank);
	if (!error)
		blocks_join(blocks, &other);
	blocks_fini(&other);
	return error;
}

/* --- other ranks --------------------------------------------------------------- */

static int
measure_one(struct segment_engine *engine, struct segment *segment, uint32_t n)
{
	uint32_t pages;
	int error;

	if (n > SEGMENT_REFERENCES)
		return failed(0);
	segment->n = n;
	error = receive_bytes(segment->page, n * sizeof(*segment->page), 0);
	if (!error)
		error = receive_bytes(segment->write, n, 0);
	if (!error)
		error = receive_bytes(segment->access,
				      n * sizeof(*segment->access), 0);
	if (!error)
		error = segment_measure(engine, segment);
	pages = segment->n_pages;
	if (!error)
		error = send_bytes(&pages, sizeof(pages), 0);
	if (!error)
		error = send_bytes(segment->first,
				   pages * sizeof(*segment->first), 0);
	if (!error)
		error = send_bytes(segment->last,
				   pages * sizeof(*segment->last), 0);
	return error ? error
		     : send_bytes(segment->part, pages * sizeof(*segment->part),
				  0);
}

static int
tell_counts(struct segment_engine *engine)
{
	const struct reuse *reuse = segment_engine_reuse(engine);
	const struct blocks *blocks = segment_engine_blocks(engine);
	uint32_t n = reuse_counts(reuse, NULL, 0);
	struct reuse_count *count = calloc(n + 1u, sizeof(*count));
	int error;

	if (!count)
		return fail(ENOMEM, "curve: no memory");
	reuse_counts(reuse, count, n);
	error = send_bytes(&n, sizeof(n), 0);
	if (!error)
		error = send_bytes(count, n * sizeof(*count), 0);
	if (!error)
		error = send_bytes(&blocks->shift, sizeof(blocks->shift), 0);
	free(count);
	return error ? error
		     : send_bytes(blocks->block,
				  BLOCKS_MOST * sizeof(*blocks->block), 0);
}

static int
serve_with(struct segment_engine *engine, struct segment *segment)
{
	uint32_t n;
	int error;

	for (;;) {
		error = receive_bytes(&n, sizeof(n), 0);
		if (error || n == END)
			return error;
		error = n == TELL_COUNTS ? tell_counts(engine)
					 : measure_one(engine, segment, n);
		if (error)
			return error;
	}
}

static int
serve(void)
{
	struct segment_engine *engine;
	struct segment segment;
	int error = segment_init(&segment);

	if (error)
		return error;
	error = segment_engine_open(&engine);
	if (!error) {
		error = serve_with(engine, &segment);
		segment_engine_close(engine);
	}
	segment_fini(&segment);
	return error;
}

/* --- both ------------------------------------------------------------------------ */

int
curve_mpi_open(struct segments_remote **out, bool *served)
{
	int provided, rank, ranks, error;
	struct segments_remote *remote;

	/* Rank 0's rounds are not always on the same thread. */
	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) ||
	    provided < MPI_THREAD_SERIALIZED)
		return fail(ENOTSUP, "curve: this MPI lets only one thread "
				     "call it");
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	*served = rank != 0;
	if (rank) {
		error = serve();
		/* no end without all ranks: those that wait would for ever */
		if (error)
			MPI_Abort(MPI_COMM_WORLD, 1);
		MPI_Finalize();
		return error;
	}
	remote = calloc(1, sizeof(*remote));
	if (!remote) {
		MPI_Abort(MPI_COMM_WORLD, 1);
		return fail(ENOMEM, "curve: no memory");
	}
	*remote = (struct segments_remote){ NULL, (unsigned)ranks - 1,
					    send_segment, receive_segment,
					    end_remote };
	*out = remote;
	return 0;
}

void
curve_mpi_close(struct segments_remote *remote)
{
	static const uint32_t end = END;

	if (!remote)
		return;
	for (unsigned i = 0; i < remote->n; i++)
		send_bytes(&end, sizeof(end), (int)i + 1);
	MPI_Finalize();
	free(remote);
}
