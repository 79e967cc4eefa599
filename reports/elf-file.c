// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbols of one ELF file, through libelf and libdw.  All functions go into
 * one sorted array when the file is opened; lines are looked up in the DWARF
 * line table each time, there are few.
 */
#include "reports/elf-file.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct symbol {
	uint64_t start, end; /* virtual addresses of the file */
	const char *name;    /* in the Elf */
	unsigned rank;	     /* the better name of two is the lower */
};

/* The file itself and its debug file */
struct image {
	int fd;
	Elf *elf;
	Dwarf *dwarf;
};

struct symbols_list {
	struct symbol *symbol; /* owned, sorted by start */
	size_t n, room;
};

struct elf_file {
	struct image part[2];
	struct symbols_list function, object;
	uint64_t *begin; /* owned, sorted: where functions begin */
	size_t n_begins;
};

static int
image_open(struct image *image, const char *path)
{
	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	image->elf = elf_begin(image->fd, ELF_C_READ_MMAP, NULL);
	if (!image->elf || elf_kind(image->elf) != ELF_K_ELF)
		return -ENOEXEC;
	return 0;
}

static void
image_close(struct image *image)
{
	if (image->dwarf)
		dwarf_end(image->dwarf);
	if (image->elf)
		elf_end(image->elf);
	if (image->fd >= 0)
		close(image->fd);
}

/* As hex; "" if the file has none. */
static void
build_id_of(Elf *elf, char *text, size_t bytes)
{
	const void *id;
	ssize_t n = dwelf_elf_gnu_build_id(elf, &id);

	*text = '\0';
	for (ssize_t i = 0; i < n && (size_t)(2 * i) + 3 <= bytes; i++)
		sprintf(text + 2 * i, "%02x", ((const unsigned char *)id)[i]);
}

static int
symbol_add(struct symbols_list *list, const struct symbol *symbol)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 1024;
		struct symbol *wider =
			reallocarray(list->symbol, room, sizeof(*wider));

		if (!wider)
			return -ENOMEM;
		list->symbol = wider;
		list->room = room;
	}
	list->symbol[list->n++] = *symbol;
	return 0;
}

static int
section_read(struct elf_file *file, Elf *elf, Elf_Scn *section,
	     const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n =
		header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	int error = 0;

	for (size_t i = 0; data && !error && i < n; i++) {
		struct symbol symbol;
		GElf_Sym entry;
		unsigned type;
		bool object;

		if (!gelf_getsym(data, (int)i, &entry))
			continue;
		type = GELF_ST_TYPE(entry.st_info);
		symbol.name = elf_strptr(elf, header->sh_link, entry.st_name);
		object = type == STT_OBJECT && entry.st_size;
		if ((type != STT_FUNC && type != STT_GNU_IFUNC && !object) ||
		    entry.st_shndx == SHN_UNDEF || !symbol.name ||
		    !*symbol.name)
			continue;
		symbol.start = entry.st_value;
		symbol.end = entry.st_value + entry.st_size;
		/* global names before weak and local ones, as nm users expect;
		 * fewer underscores before more */
		symbol.rank =
			GELF_ST_BIND(entry.st_info) == STB_GLOBAL ? 0 : 16;
		symbol.rank += (unsigned)strspn(symbol.name, "_");
		error = symbol_add(object ? &file->object : &file->function,
				   &symbol);
	}
	return error;
}

static int
symbols_read(struct elf_file *file, Elf *elf)
{
	Elf_Scn *section = NULL;
	int error = 0;

	while (elf && !error && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_SYMTAB ||
		     header.sh_type == SHT_DYNSYM))
			error = section_read(file, elf, section, &header);
	}
	return error;
}

static int
symbol_order(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? 1 : -1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void
symbols_sort(struct symbols_list *list)
{
	if (list->n)
		qsort(list->symbol, list->n, sizeof(*list->symbol),
		      symbol_order);
}

#define HEADER_BYTES 12 /* version, three encodings, two words */

/*
 * The sorted table in .eh_frame_hdr, in the one encoding that linkers write:
 * 32-bit distances from the section itself.  (It has no ends: what follows a
 * function without an entry of its own counts as part of it.)
 */
static int
begins_read(struct elf_file *file, const Elf_Data *data, uint64_t address)
{
	static const unsigned char usual[] = { 1, 0x1b, 0x03, 0x3b };
	const unsigned char *bytes = data->d_buf;
	uint32_t n;
	int32_t distance;

	if (!bytes || data->d_size < HEADER_BYTES ||
	    memcmp(bytes, usual, sizeof(usual)))
		return 0;
	memcpy(&n, bytes + 8, sizeof(n));
	if (n > (data->d_size - HEADER_BYTES) / 8)
		return 0;
	file->begin = calloc(n + 1u, sizeof(*file->begin));
	if (!file->begin)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&distance, bytes + HEADER_BYTES + 8 * (size_t)i,
		       sizeof(distance));
		file->begin[i] = address + (uint64_t)(int64_t)distance;
	}
	file->n_begins = n;
	return 0;
}

static int
begins_find(struct elf_file *file)
{
	Elf *elf = file->part[0].elf;
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		data = elf_rawdata(section, NULL);
		if (name && data && !strcmp(name, ".eh_frame_hdr"))
			return begins_read(file, data, header.sh_addr);
	}
	return 0;
}

/* The debug file of this build-id, where there is one. */
static void
debug_open(struct elf_file *file, const char *build_id)
{
	char path[256];

	if (strlen(build_id) < 4 || strlen(build_id) > 128)
		return;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug",
		 build_id, build_id + 2);
	if (image_open(&file->part[1], path)) {
		image_close(&file->part[1]);
		file->part[1] = (struct image){ .fd = -1 };
	}
}

static int
open_parts(struct elf_file *file, const char *path, const char *build_id,
	   char *why, size_t why_bytes)
{
	char found[160];
	int error = image_open(&file->part[0], path);

	if (error) {
		snprintf(why, why_bytes, "%s",
			 error == -ENOEXEC ? "not an ELF file"
					   : strerror(-error));
		return error;
	}
	build_id_of(file->part[0].elf, found, sizeof(found));
	if (*build_id && strcmp(build_id, found)) {
		snprintf(why, why_bytes,
			 "has changed since it was recorded (build-id %.12s, "
			 "was %.12s)",
			 *found ? found : "none", build_id);
		return -ESTALE;
	}
	debug_open(file, found);
	return 0;
}

int
elf_file_open(struct elf_file **out, const char *path, const char *build_id,
	      char *why, size_t why_bytes)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file) {
		snprintf(why, why_bytes, "no memory");
		return -ENOMEM;
	}
	file->part[0].fd = file->part[1].fd = -1;
	error = open_parts(file, path, build_id, why, why_bytes);
	for (size_t i = 0; !error && i < 2; i++) {
		error = symbols_read(file, file->part[i].elf);
		if (error)
			snprintf(why, why_bytes, "no memory");
		else if (file->part[i].elf)
			file->part[i].dwarf =
				dwarf_begin_elf(file->part[i].elf, DWARF_C_READ,
						NULL);
	}
	if (!error)
		error = begins_find(file);
	if (error) {
		elf_file_close(file);
		return error;
	}
	symbols_sort(&file->function);
	symbols_sort(&file->object);
	*out = file;
	return 0;
}

void
elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < 2; i++)
		image_close(&file->part[i]);
	free(file->function.symbol);
	free(file->object.symbol);
	free(file->begin);
	free(file);
}

/* Offset in the file -> virtual address in it, by its loaded segments. */
static bool
address_of(const struct elf_file *file, uint64_t offset, uint64_t *address)
{
	Elf *elf = file->part[0].elf;
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header) ||
		    header.p_type != PT_LOAD || offset < header.p_offset ||
		    offset >= header.p_offset + header.p_filesz)
			continue;
		*address = header.p_vaddr + (offset - header.p_offset);
		return true;
	}
	return false;
}

/* Symbols of assembly often have no size: they reach to the next one. */
static bool
covers(const struct symbols_list *list, size_t i, uint64_t address)
{
	const struct symbol *symbol = &list->symbol[i];

	if (symbol->end > symbol->start)
		return address < symbol->end;
	for (size_t j = i + 1; j < list->n; j++)
		if (list->symbol[j].start > symbol->start)
			return address < list->symbol[j].start;
	return false;
}

/* How many of them start at or below the address. */
static size_t
symbols_below(const struct symbols_list *list, uint64_t address)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->symbol[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The best one that covers the address, or NULL. */
static const struct symbol *
symbol_at(const struct symbols_list *list, uint64_t address)
{
	size_t low = symbols_below(list, address), first;

	/* a few back: nested symbols, and the best of equal ones is first */
	for (size_t i = low, tries = 0; i-- > 0 && tries < 64; tries++) {
		if (!covers(list, i, address))
			continue;
		for (first = i; first > 0 && list->symbol[first - 1].start ==
						     list->symbol[i].start;)
			first--;
		return &list->symbol[covers(list, first, address) ? first : i];
	}
	return NULL;
}

bool
elf_file_function(const struct elf_file *file, uint64_t offset, char *text,
		  size_t bytes)
{
	const struct symbol *symbol;
	uint64_t address;

	if (!address_of(file, offset, &address))
		return false;
	symbol = symbol_at(&file->function, address);
	if (symbol)
		snprintf(text, bytes, "%s", symbol->name);
	return symbol;
}

/* Of data, which goes on in memory beyond the file in its last segment. */
static bool
data_address(const struct elf_file *file, uint64_t offset, uint64_t *address)
{
	Elf *elf = file->part[0].elf;
	size_t n;

	if (address_of(file, offset, address))
		return true;
	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = n; i-- > 0;) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header) ||
		    header.p_type != PT_LOAD || !(header.p_flags & PF_W) ||
		    offset < header.p_offset ||
		    offset >= header.p_offset + header.p_memsz)
			continue;
		*address = header.p_vaddr + (offset - header.p_offset);
		return true;
	}
	return false;
}

int
elf_file_object(const struct elf_file *file, uint64_t offset,
		struct elf_object *object)
{
	const struct symbols_list *list = &file->object;
	const struct symbol *symbol;
	uint64_t address, low = 0, high = UINT64_MAX;
	size_t below;

	*object = (struct elf_object){ .name = "" };
	if (!data_address(file, offset, &address))
		return -1;
	symbol = symbol_at(list, address);
	if (symbol) {
		low = symbol->start;
		high = symbol->end;
		object->name = symbol->name;
	} else if (list->symbol) {
		below = symbols_below(list, address);
		if (below && list->symbol[below - 1].end <= address)
			low = list->symbol[below - 1].end;
		if (below < list->n)
			high = list->symbol[below].start;
	}
	object->start = address - low < offset ? offset - (address - low) : 0;
	object->end = high - address < UINT64_MAX - offset
			      ? offset + (high - address)
			      : UINT64_MAX;
	return symbol ? 1 : 0;
}

enum elf_branch
elf_file_branch(const struct elf_file *file, uint64_t offset)
{
	size_t size, i = 0;
	const char *raw = elf_rawfile(file->part[0].elf, &size);
	const unsigned char *code;

	if (!raw || offset >= size || size - offset < 16)
		return ELF_NO_BRANCH;
	code = (const unsigned char *)raw + offset;
	/* prefixes: bnd, notrack, data16, rep, REX */
	while (i < 8 &&
	       (code[i] == 0xf2 || code[i] == 0xf3 || code[i] == 0x3e ||
		code[i] == 0x66 || (code[i] & 0xf0) == 0x40))
		i++;
	if (code[i] == 0xe8 ||
	    (code[i] == 0xff && (code[i + 1] & 0x38) == 0x10))
		return ELF_CALL;
	return code[i] == 0xc3 || code[i] == 0xc2 ? ELF_RETURN : ELF_NO_BRANCH;
}

bool
elf_file_begin(const struct elf_file *file, uint64_t offset, uint64_t *begin)
{
	size_t low = 0, high = file->n_begins;
	uint64_t address;

	if (!address_of(file, offset, &address))
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->begin[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - file->begin[low - 1] > offset)
		return false;
	*begin = offset - (address - file->begin[low - 1]);
	return true;
}

bool
elf_file_line(const struct elf_file *file, uint64_t offset, char *text,
	      size_t bytes)
{
	uint64_t address;

	*text = '\0';
	if (!address_of(file, offset, &address))
		return false;
	for (size_t i = 0; i < 2; i++) {
		Dwarf *dwarf = file->part[i].dwarf;
		const char *source, *slash;
		Dwarf_Line *line;
		Dwarf_Die unit;
		int number;

		if (!dwarf || !dwarf_addrdie(dwarf, address, &unit))
			continue;
		line = dwarf_getsrc_die(&unit, address);
		source = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
		if (!source || dwarf_lineno(line, &number))
			continue;
		slash = strrchr(source, '/');
		snprintf(text, bytes, "%s:%d", slash ? slash + 1 : source,
			 number);
		return true;
	}
	return false;
}
