// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a .pst holds, its reader ends with an error or with batches that
 * keep the contract, with and without `recover`, and verify ends too.
 *
 * Checksums would keep damage away from the decoders, so most of the corpus is
 * not .pst files but what is inside of them, of which this makes a .pst with
 * good checksums.  Any number of sections, up to the end of the input:
 *
 *	1 byte	kind: 1 dictionary, 2 block
 *	u32 x 4	batches, events, accesses, bytes
 *	...	the section's raw bytes (as many as are left)
 */
#define _GNU_SOURCE
#include "analyzer/base.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "tests/fuzz-batch.h"
#include "traces/pst-format.h"
#include "traces/pst.h"

#define PART_BYTES 17u /* before a section's raw bytes */

const char *const fuzz_corpora[] = { "tests/corpus/pst", NULL };

static void
put(int fd, const void *bytes, size_t n)
{
	FUZZ_HOLDS(write(fd, bytes, n) == (ssize_t)n);
}

static void
put_head(int fd)
{
	uint8_t head[PST_FRAME_BYTES + PST_HEAD_BYTES + 2];
	uint8_t *content = head + PST_FRAME_BYTES;

	put_u32(head, PST_FRAME_HEAD);
	put_u32(head + 4, PST_HEAD_BYTES + 2);
	memcpy(content, PST_HEAD_MAGIC, 16);
	put_u32(content + 16, PST_VERSION | 0x0102u << 16);
	put_u32(content + 20, 4096);
	memcpy(content + PST_HEAD_BYTES, "{}", 2);
	put_u64(content + 24, XXH64("{}", 2, 0));
	put(fd, head, sizeof(head));
}

static void
put_section(int fd, struct pst_section *section, const uint8_t *raw)
{
	uint8_t head[PST_FRAME_BYTES + PST_SECTION_BYTES];
	size_t room = ZSTD_compressBound(section->raw_bytes);
	uint8_t *stored = malloc(room);

	FUZZ_HOLDS(stored);
	section->stored_bytes =
		ZSTD_compress(stored, room, raw, section->raw_bytes, -5);
	FUZZ_HOLDS(!ZSTD_isError(section->stored_bytes));
	put_u32(head, PST_FRAME_SECTION);
	put_u32(head + 4, PST_SECTION_BYTES);
	pst_section_encode(section, head + PST_FRAME_BYTES);
	put(fd, head, sizeof(head));
	put(fd, stored, section->stored_bytes);
	free(stored);
}

static void
put_sections(int fd, const uint8_t *data, size_t size)
{
	struct pst_section section = { 0 };

	put_head(fd);
	while (size >= PART_BYTES) {
		size_t n = get_u32(data + 13);

		section.kind = data[0];
		section.batches = get_u32(data + 1);
		section.events = get_u32(data + 5);
		section.accesses = get_u32(data + 9);
		data += PART_BYTES;
		size -= PART_BYTES;
		section.raw_bytes = n < size ? n : size;
		put_section(fd, &section, data);
		section.number++;
		section.first_access += section.accesses;
		data += section.raw_bytes;
		size -= section.raw_bytes;
	}
}

static void
read_trace(const char *path, bool recover)
{
	struct source *source;
	struct batch batch;
	int got;

	if (pst_reader_open(&source, path, recover))
		return;
	FUZZ_HOLDS(!batch_init(&batch));
	while ((got = source_next(source, &batch)) > 0) {
		batch_expand(&batch, source->stream);
		fuzz_check_batch(source, &batch);
	}
	batch_fini(&batch);
	source_close(source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pst_summary summary;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	FUZZ_HOLDS(fd >= 0);
	if (size > 4 && get_u32(data) == PST_FRAME_HEAD)
		put(fd, data, size);
	else
		put_sections(fd, data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_trace(path, false);
	read_trace(path, true);
	pst_verify(path, &summary, NULL);
	close(fd);
	return 0;
}
