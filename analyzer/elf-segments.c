// SPDX-License-Identifier: GPL-2.0-or-later
/* PT_LOAD and PT_GNU_RELRO of a file, through libelf. */
#include "analyzer/elf-segments.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE	 UINT64_C(4096)
#define LOADS	 16
#define ID_BYTES 129

const char *const elf_part_names[ELF_PARTS] = {
	[ELF_TEXT] = "text",
	[ELF_CONST] = "read-only",
	[ELF_RELRO] = "relro",
	[ELF_DATA] = "data",
};

struct elf_segments {
	struct {
		uint64_t start, end; /* offsets in the file */
		unsigned rights;     /* PF_R ... */
	} load[LOADS];
	size_t n;
	uint64_t relro_start, relro_end;
};

static bool
is_recorded(Elf *elf, const char *build_id)
{
	const void *id;
	ssize_t n = dwelf_elf_gnu_build_id(elf, &id);
	char text[ID_BYTES] = "";

	for (ssize_t i = 0; i < n && 2 * i + 2 < ID_BYTES; i++)
		sprintf(text + 2 * i, "%02x", ((const unsigned char *)id)[i]);
	return !*build_id || !strcmp(text, build_id);
}

static void
read_headers(Elf *elf, struct elf_segments *segments)
{
	size_t n = 0;

	elf_getphdrnum(elf, &n);
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header))
			continue;
		if (header.p_type == PT_LOAD && segments->n < LOADS) {
			segments->load[segments->n].start = header.p_offset;
			segments->load[segments->n].end =
				header.p_offset + header.p_filesz;
			segments->load[segments->n++].rights = header.p_flags;
		} else if (header.p_type == PT_GNU_RELRO) {
			/* The loader protects whole pages */
			segments->relro_start = header.p_offset & ~(PAGE - 1);
			segments->relro_end =
				(header.p_offset + header.p_memsz) &
				~(PAGE - 1);
		}
	}
}

int
elf_segments_open(struct elf_segments **out, const char *path,
		  const char *build_id)
{
	struct elf_segments *segments;
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	Elf *elf = NULL;

	if (fd < 0)
		return -errno;
	segments = calloc(1, sizeof(*segments));
	elf_version(EV_CURRENT);
	if (!segments)
		error = -ENOMEM;
	else
		elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!error && (!elf || elf_kind(elf) != ELF_K_ELF))
		error = -ENOEXEC;
	if (!error && !is_recorded(elf, build_id))
		error = -ESTALE;
	if (!error) {
		read_headers(elf, segments);
		error = segments->n ? 0 : -ENOEXEC;
	}
	if (elf)
		elf_end(elf);
	close(fd);
	if (error) {
		free(segments);
		return error;
	}
	*out = segments;
	return 0;
}

void
elf_segments_close(struct elf_segments *segments)
{
	free(segments);
}

enum elf_part
elf_segments_part(const struct elf_segments *segments, uint64_t mapping_offset,
		  uint64_t page_offset)
{
	size_t found = segments->n;

	/* In the file they are in the order of their addresses. */
	for (size_t i = 0; i < segments->n; i++) {
		uint64_t start = segments->load[i].start;

		if (page_offset < segments->load[i].end &&
		    ((start & ~(PAGE - 1)) <= mapping_offset ||
		     start <= page_offset))
			found = i;
	}
	if (found == segments->n)
		return ELF_PARTS;
	if (segments->load[found].rights & PF_X)
		return ELF_TEXT;
	if (!(segments->load[found].rights & PF_W))
		return ELF_CONST;
	return page_offset >= segments->relro_start &&
			       page_offset < segments->relro_end
		       ? ELF_RELRO
		       : ELF_DATA;
}
