// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One buffer between the file (or its decompressor) and the parser.  What is
 * left of a window, less than a line or a record, moves to the front and the
 * file's next bytes follow it.
 */
#include "traces/input.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "traces/unpack.h"

/* Half of a small second-level cache; 1 MiB was 10 % slower. */
#define BUFFER_BYTES (256u << 10)
#define PACKED_BYTES (64u << 10)
#define PEEK_BYTES   4096u

struct input {
	char *name; /* owned */
	int fd;
	bool end;      /* nothing more will come */
	bool dropping; /* the rest of a line that was cut */
	int error;     /* comes after the bytes that are there */

	char *memory;	 /* owned: slack, BUFFER_BYTES, slack */
	char *at;	 /* not taken yet */
	char *filled;	 /* end of what was read */
	size_t searched; /* bytes from `at` known to hold no newline */
	uint64_t taken;	 /* uncompressed bytes before `at` */

	const struct unpack_ops *packing; /* NULL: plain */
	struct unpack *unpack;
	uint8_t *packed; /* owned [PACKED_BYTES]: the file's own bytes */
	const uint8_t *packed_at, *packed_end;
	bool packed_last;
	uint64_t stored_read, stored_all;
};

static char *
buffer_start(const struct input *input)
{
	return input->memory + INPUT_SLACK;
}

/* Bytes of the file; 0 at its end. */
static ssize_t
read_stored(struct input *input, void *bytes, size_t n)
{
	ssize_t got = read(input->fd, bytes, n);

	if (got < 0)
		return errno == EINTR ? -EINTR
				      : fail_errno(errno, "%s", input->name);
	input->stored_read += (uint64_t)got;
	return got;
}

static int
refill_packed(struct input *input)
{
	ssize_t got = read_stored(input, input->packed, PACKED_BYTES);

	if (got < 0)
		return (int)got;
	input->packed_last = got == 0;
	input->packed_at = input->packed;
	input->packed_end = input->packed + got;
	return 0;
}

static int
unpack_failed(const struct input *input, int error, const char *why)
{
	if (error == -ENOMEM)
		return fail(ENOMEM, "%s: no memory to unpack it", input->name);
	return fail(-error, "%s: the %s data %s at byte %" PRIu64, input->name,
		    input->packing->name, why,
		    input->stored_read -
			    (uint64_t)(input->packed_end - input->packed_at));
}

/*
 * Uncompressed bytes; 0 at the end.  What came before damage is given, the
 * error waits behind it.
 */
static ssize_t
read_unpacked(struct input *input, char *bytes, size_t n)
{
	const char *why = "is damaged";

	for (;;) {
		struct unpack_span span = { input->packed_at,
					    (size_t)(input->packed_end -
						     input->packed_at),
					    (uint8_t *)bytes, n };
		int more;

		if (!span.in_bytes && !input->packed_last) {
			more = refill_packed(input);
			if (more < 0)
				return more;
			continue;
		}
		more = input->packing->step(input->unpack, &span,
					    input->packed_last, &why);
		input->packed_at = span.in;
		if (more < 0)
			input->error = unpack_failed(input, more, why);
		if (more <= 0)
			input->end = true;
		if (more <= 0 || span.out_bytes < n)
			return (ssize_t)(n - span.out_bytes);
	}
}

/* The end of a line that was cut: forget all up to the next newline. */
static void
drop(struct input *input, char *fresh)
{
	char *newline = memchr(fresh, '\n', (size_t)(input->filled - fresh));
	size_t dropped = newline ? (size_t)(newline + 1 - fresh)
				 : (size_t)(input->filled - fresh);

	memmove(fresh, fresh + dropped,
		(size_t)(input->filled - fresh) - dropped);
	input->filled -= dropped;
	input->taken += dropped;
	input->dropping = !newline;
}

/* Read more behind what is there.  0, or -EINTR (nothing has changed). */
static int
fill(struct input *input)
{
	char *start = buffer_start(input);
	size_t kept = (size_t)(input->filled - input->at);
	char *fresh;
	ssize_t got;

	memmove(start, input->at, kept);
	input->at = start;
	fresh = input->filled = start + kept;
	got = input->packing ? read_unpacked(input, fresh, BUFFER_BYTES - kept)
			     : read_stored(input, fresh, BUFFER_BYTES - kept);
	if (got == -EINTR)
		return -EINTR;
	if (got < 0)
		input->error = (int)got;
	if (got <= 0) {
		input->end = true;
		return 0;
	}
	input->filled += got;
	if (unlikely(input->dropping))
		drop(input, fresh);
	return 0;
}

/* A byte order mark of UTF-8, as some editors and spreadsheets write it */
static bool
has_mark(const char *start, size_t bytes)
{
	return bytes >= 3 && !memcmp(start, "\xef\xbb\xbf", 3);
}

static int
give(struct input *input, const char *stop, const char **at, const char **end)
{
	*at = input->at;
	*end = stop;
	return 1;
}

/* Lines; before the first one there may be a mark. */
static int
give_lines(struct input *input, const char *stop, const char **at,
	   const char **end)
{
	if (!input->taken && has_mark(input->at, (size_t)(stop - input->at))) {
		input->at += 3;
		input->taken = 3;
	}
	return give(input, stop, at, end);
}

/* Cut the line at `at`, which has no newline yet */
static int
give_cut(struct input *input, const char **at, const char **end)
{
	char *stop = input->at + INPUT_LINE_MAX + 1;

	stop[-1] = '\n';
	input->taken += (uint64_t)(input->filled - stop);
	input->filled = stop;
	input->dropping = true;
	return give_lines(input, stop, at, end);
}

int
input_lines(struct input *input, const char **at, const char **end)
{
	for (;;) {
		size_t there = (size_t)(input->filled - input->at);
		const char *newline = memrchr(input->at + input->searched, '\n',
					      there - input->searched);
		int error;

		if (newline)
			return give_lines(input, newline + 1, at, end);
		if (there > INPUT_LINE_MAX)
			return give_cut(input, at, end);
		input->searched = there;
		if (input->end && (input->error || !there))
			return input->error;
		if (input->end) {
			*input->filled++ = '\n';
			input->searched = 0;
			return give_lines(input, input->filled, at, end);
		}
		error = fill(input);
		if (error)
			return error;
	}
}

int
input_records(struct input *input, size_t record_bytes, const char **at,
	      const char **end)
{
	for (;;) {
		size_t there = (size_t)(input->filled - input->at);
		size_t whole = there - there % record_bytes;
		int error;

		if (whole)
			return give(input, input->at + whole, at, end);
		if (input->end && (input->error || !there))
			return input->error;
		if (input->end) {
			input->error = fail(
				EINVAL,
				"%s: the last record is cut off at byte %" PRIu64
				": %zu bytes of %zu",
				input->name, input->taken, there, record_bytes);
			return input->error;
		}
		error = fill(input);
		if (error)
			return error;
	}
}

void
input_take(struct input *input, const char *at)
{
	size_t n = (size_t)(at - input->at);

	input->at += n;
	input->taken += n;
	input->searched = 0;
}

int
input_peek(struct input *input, const char **start, size_t *bytes)
{
	while (!input->end && input->filled - input->at < PEEK_BYTES) {
		int error = fill(input);

		if (error)
			return error;
	}
	if (input->error && input->filled == input->at)
		return input->error;
	*start = input->at;
	*bytes = (size_t)(input->filled - input->at);
	/* in front of text only: a record may begin so */
	if (has_mark(*start, *bytes) && !memchr(*start, '\0', *bytes)) {
		*start += 3;
		*bytes -= 3;
	}
	return 0;
}

/* The first bytes of the file say how it is packed. */
static int
detect(struct input *input)
{
	size_t n = 0;

	while (n < 6) {
		ssize_t got = read_stored(input, input->packed + n, 6 - n);

		if (got < 0)
			return (int)got;
		if (!got)
			break;
		n += (size_t)got;
	}
	input->packing = unpack_find(input->packed, n);
	if (!input->packing) {
		memcpy(input->filled, input->packed, n);
		input->filled += n;
		return 0;
	}
	input->packed_at = input->packed;
	input->packed_end = input->packed + n;
	if (input->packing->open(&input->unpack))
		return fail(ENOMEM, "%s: no memory to unpack it", input->name);
	return 0;
}

static int
open_file(struct input *input, const char *path)
{
	struct stat status;

	input->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				      : dup(STDIN_FILENO);
	if (input->fd < 0)
		return fail_errno(errno, "%s", input->name);
	if (!fstat(input->fd, &status) && S_ISREG(status.st_mode))
		input->stored_all = (uint64_t)status.st_size;
	posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

int
input_open(struct input **out, const char *path)
{
	struct input *input = calloc(1, sizeof(*input));
	int error;

	if (!input)
		return fail(ENOMEM, "%s: no memory to read it", path);
	input->fd = -1;
	input->name = strdup(strcmp(path, "-") ? path : "standard input");
	input->memory = calloc(1, BUFFER_BYTES + 2 * INPUT_SLACK);
	input->packed = malloc(PACKED_BYTES);
	if (!input->name || !input->memory || !input->packed) {
		error = fail(ENOMEM, "%s: no memory to read it", path);
		goto close;
	}
	input->at = input->filled = buffer_start(input);
	error = open_file(input, path);
	if (!error)
		error = detect(input);
	if (error)
		goto close;
	*out = input;
	return 0;
close:
	input_close(input);
	return error;
}

void
input_close(struct input *input)
{
	if (!input)
		return;
	if (input->unpack)
		input->packing->close(input->unpack);
	if (input->fd >= 0)
		close(input->fd);
	free(input->packed);
	free(input->memory);
	free(input->name);
	free(input);
}

uint64_t
input_offset(const struct input *input)
{
	return input->taken;
}

void
input_progress(const struct input *input, uint64_t *done, uint64_t *all)
{
	*done = input->stored_read;
	*all = input->stored_all;
}

const char *
input_name(const struct input *input)
{
	return input->name;
}

const char *
input_packing(const struct input *input)
{
	return input->packing ? input->packing->name : "plain";
}
