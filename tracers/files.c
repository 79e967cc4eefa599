// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped files.  Their build-id is read when they are first seen: later the
 * path may be another file.
 */
#include "tracers/files.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define BUILD_ID_BYTES 64

struct entry {
	char *path; /* owned */
	uint64_t inode;
	uint32_t number;
	uint64_t seen_start, seen_end; /* of the page cache, bytes */
};

struct files {
	struct stream *stream;
	struct entry *entry;
	size_t n, room;
	size_t latest; /* the one asked for last */
};

int
files_open(struct files **out, struct stream *stream)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files)
		return fail(ENOMEM, "files: no memory");
	files->stream = stream;
	elf_version(EV_CURRENT);
	*out = files;
	return 0;
}

void
files_close(struct files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->n; i++)
		free(files->entry[i].path);
	free(files->entry);
	free(files);
}

static bool
note_build_id(Elf_Data *notes, char *hex)
{
	size_t at = 0, name, bytes;
	GElf_Nhdr note;

	while ((at = gelf_getnote(notes, at, &note, &name, &bytes)) > 0) {
		const unsigned char *id =
			(const unsigned char *)notes->d_buf + bytes;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp((const char *)notes->d_buf + name, "GNU", 4) != 0 ||
		    note.n_descsz > BUILD_ID_BYTES)
			continue;
		for (size_t i = 0; i < note.n_descsz; i++)
			sprintf(hex + 2 * i, "%02x", id[i]);
		return true;
	}
	return false;
}

/* "" if it has none. */
static void
file_build_id(int fd, char *hex)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	size_t segments = 0;
	GElf_Phdr segment;

	hex[0] = '\0';
	if (!elf)
		return;
	if (elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &segments))
		segments = 0;
	for (size_t i = 0; i < segments; i++) {
		Elf_Data *notes;

		if (!gelf_getphdr(elf, (int)i, &segment) ||
		    segment.p_type != PT_NOTE)
			continue;
		notes = elf_getdata_rawchunk(elf, (int64_t)segment.p_offset,
					     segment.p_filesz,
					     segment.p_align == 8 ? ELF_T_NHDR8
								  : ELF_T_NHDR);
		if (notes && note_build_id(notes, hex))
			break;
	}
	elf_end(elf);
}

static int
file_add(struct files *files, const char *path, uint64_t inode,
	 uint32_t *number)
{
	char hex[2 * BUILD_ID_BYTES + 1] = "";
	struct file file = { .path = path, .build_id = hex, .inode = inode };
	struct stat about;
	int fd;

	/* O_NONBLOCK: a device or a pipe must not hold us up */
	fd = path[0] == '/' ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
			    : -1;
	if (fd >= 0 && !fstat(fd, &about) &&
	    (!inode || about.st_ino == inode)) {
		file.inode = about.st_ino;
		file.size_bytes = (uint64_t)about.st_size;
		file.mtime_s = (uint64_t)about.st_mtime;
		/* What the program will find in the page cache is not to be
		 * changed more than by the pages that this reads */
		posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
		if (S_ISREG(about.st_mode))
			file_build_id(fd, hex);
	}
	if (fd >= 0)
		close(fd);
	return stream_file_add(files->stream, &file, number);
}

static bool
entry_is(const struct entry *entry, const char *path, uint64_t inode)
{
	return entry->inode == inode && strcmp(entry->path, path) == 0;
}

static int
entry_add(struct files *files, const char *path, uint64_t inode)
{
	size_t room = files->room ? 2 * files->room : 64;
	struct entry *entry = files->entry;
	int error;

	if (files->n == files->room) {
		entry = reallocarray(entry, room, sizeof(*entry));
		if (!entry)
			return fail(ENOMEM, "files: no memory");
		files->entry = entry;
		files->room = room;
	}
	entry = &files->entry[files->n];
	*entry = (struct entry){ .path = strdup(path), .inode = inode };
	if (!entry->path)
		return fail(ENOMEM, "files: no memory");
	error = file_add(files, path, inode, &entry->number);
	if (error) {
		free(entry->path);
		return error;
	}
	files->latest = files->n++;
	return 0;
}

int
files_number(struct files *files, const char *path, uint64_t inode,
	     uint32_t *number)
{
	int error = 0;
	size_t i = files->latest;

	if (i >= files->n || !entry_is(&files->entry[i], path, inode)) {
		for (i = 0; i < files->n; i++) {
			if (entry_is(&files->entry[i], path, inode))
				break;
		}
		if (i == files->n)
			error = entry_add(files, path, inode);
	}
	if (error)
		return error;
	files->latest = i;
	*number = files->entry[i].number;
	return 0;
}

bool
files_unseen(struct files *files, uint32_t number,
	     struct page_cache_range *range)
{
	uint64_t start = range->offset, end = range->offset + range->length;
	struct entry *entry = NULL;

	for (size_t i = 0; i < files->n && !entry; i++)
		if (files->entry[i].number == number)
			entry = &files->entry[i];
	if (!entry || entry->path[0] != '/' || end <= start)
		return false;
	if (start >= entry->seen_start && end <= entry->seen_end)
		return false;
	if (entry->seen_end > entry->seen_start) {
		/* One piece stays one piece: what lies between is looked at. */
		if (start >= entry->seen_start)
			start = entry->seen_end;
		else if (end <= entry->seen_end)
			end = entry->seen_start;
		entry->seen_start =
			start < entry->seen_start ? start : entry->seen_start;
		entry->seen_end = end > entry->seen_end ? end : entry->seen_end;
	} else {
		entry->seen_start = start;
		entry->seen_end = end;
	}
	*range = (struct page_cache_range){
		entry->path, stream_file(files->stream, number)->inode, start,
		end - start
	};
	return true;
}

bool
files_seen(const struct files *files, const char *path, uint32_t *number,
	   struct page_cache_range *range)
{
	uint64_t start = range->offset, end = range->offset + range->length;

	for (size_t i = 0; i < files->n; i++) {
		const struct entry *entry = &files->entry[i];

		if (entry->seen_end <= entry->seen_start ||
		    strcmp(entry->path, path))
			continue;
		start = start > entry->seen_start ? start : entry->seen_start;
		end = end < entry->seen_end ? end : entry->seen_end;
		if (start >= end)
			return false;
		*number = entry->number;
		*range = (struct page_cache_range){
			entry->path,
			stream_file(files->stream, entry->number)->inode, start,
			end - start
		};
		return true;
	}
	return false;
}
