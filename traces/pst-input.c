// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffered reading of a trace; is a file one of ours? */
#include "traces/pst-input.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "traces/pst-format.h"
#include "traces/pst.h"

#define INPUT_BYTES (1u << 20)

int
pst_input_open(struct pst_input *input, const char *path)
{
	bool standard = !strcmp(path, "-");
	struct stat status;

	*input = (struct pst_input){ .fd = -1 };
	input->path = strdup(standard ? "stdin" : path);
	input->data = malloc(INPUT_BYTES);
	if (!input->path || !input->data)
		return fail(ENOMEM, "trace reader: no memory");
	input->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0)
		return fail_errno(errno, "%s: cannot open", path);
	if (!fstat(input->fd, &status) && S_ISREG(status.st_mode)) {
		input->seekable = true;
		input->file_bytes = (uint64_t)status.st_size;
	}
	return 0;
}

void
pst_input_close(struct pst_input *input)
{
	if (input->fd > STDERR_FILENO)
		close(input->fd);
	free(input->data);
	free(input->path);
}

int
pst_input_fill(struct pst_input *input, size_t n)
{
	if (n > INPUT_BYTES)
		return -EINVAL;
	if (pst_input_left(input) < n && input->at) {
		memmove(input->data, input->data + input->at,
			pst_input_left(input));
		input->n -= input->at;
		input->at = 0;
	}
	while (pst_input_left(input) < n) {
		ssize_t got = read(input->fd, input->data + input->n,
				   INPUT_BYTES - input->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(errno, "%s: cannot read at byte %llu",
					  input->path,
					  (unsigned long long)input->offset);
		if (!got)
			return 0;
		input->n += (size_t)got;
	}
	return 1;
}

int
pst_input_read(struct pst_input *input, struct bytes *out, uint64_t n)
{
	bytes_clear(out);
	while (n) {
		size_t piece = n < INPUT_BYTES / 2 ? n : INPUT_BYTES / 2;
		int got = pst_input_fill(input, 1);

		if (got <= 0)
			return got;
		if (piece > pst_input_left(input))
			piece = pst_input_left(input);
		bytes_put(out, pst_input_here(input), piece);
		if (out->failed)
			return fail(ENOMEM, "%s: no memory for a section",
				    input->path);
		pst_input_take(input, piece);
		n -= piece;
	}
	return 1;
}

bool
pst_is(const char *path)
{
	uint8_t start[PST_FRAME_BYTES + 16];
	struct stat status;
	bool is;
	int fd;

	/* A pipe's start would be gone for who reads it then. */
	if (stat(path, &status) || !S_ISREG(status.st_mode))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is = read(fd, start, sizeof(start)) == sizeof(start) &&
	     get_u32(start) == PST_FRAME_HEAD &&
	     !memcmp(start + PST_FRAME_BYTES, PST_HEAD_MAGIC, 16);
	close(fd);
	return is;
}
