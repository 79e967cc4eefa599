// SPDX-License-Identifier: GPL-2.0-or-later
/* What a machine asks of ELF files; see who-files.h. */
#include "reports/who-files.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "reports/elf-file.h"

struct who_files {
	const struct stream *stream;
	struct elf_file **file; /* owned: NULL where there is none */
	bool *tried;		/* owned */
	uint32_t n;
};

int
who_files_open(struct who_files **out, const struct stream *stream)
{
	struct who_files *files = calloc(1, sizeof(*files));

	if (!files)
		return fail(ENOMEM, "symbols: no memory");
	files->stream = stream;
	*out = files;
	return 0;
}

void
who_files_close(struct who_files *files)
{
	if (!files)
		return;
	for (uint32_t i = 0; i < files->n; i++)
		elf_file_close(files->file[i]);
	free(files->file);
	free(files->tried);
	free(files);
}

static bool
make_room(struct who_files *files, uint32_t number)
{
	uint32_t n = files->n ? files->n : 16;
	struct elf_file **file;
	bool *tried;

	if (number < files->n)
		return true;
	while (n <= number)
		n *= 2;
	file = reallocarray(files->file, n, sizeof(*file));
	if (file)
		files->file = file;
	tried = realloc(files->tried, n * sizeof(*tried));
	if (tried)
		files->tried = tried;
	if (!file || !tried)
		return false;
	memset(file + files->n, 0, (n - files->n) * sizeof(*file));
	memset(tried + files->n, 0, (n - files->n) * sizeof(*tried));
	files->n = n;
	return true;
}

static const struct elf_file *
file_of(struct who_files *files, uint32_t number)
{
	const struct file *file;
	char why[256];

	if (number >= stream_files(files->stream) || !make_room(files, number))
		return NULL;
	file = stream_file(files->stream, number);
	if (!files->tried[number]) {
		files->tried[number] = true;
		if (file->path[0] == '/')
			elf_file_open(&files->file[number], file->path,
				      file->build_id, why, sizeof(why));
	}
	return files->file[number];
}

int
who_files_find(void *context, uint32_t number, uint64_t offset, uint64_t *start,
	       uint64_t *end)
{
	const struct elf_file *file = file_of(context, number);
	struct elf_object object;
	int found = file ? elf_file_object(file, offset, &object) : -1;

	if (found >= 0) {
		*start = object.start;
		*end = object.end;
	}
	return found;
}

int
who_files_branch(void *context, uint32_t number, uint64_t offset)
{
	const struct elf_file *file = file_of(context, number);

	return file ? (int)elf_file_branch(file, offset) : 0;
}
