// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a file holds, each importer ends with an error or with batches that
 * keep the contract of analyzer/batch.h; told to keep going, it only ends with
 * an error for what is not about records.
 */
#define _GNU_SOURCE
#include "analyzer/base.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz-batch.h"
#include "traces/importer.h"

const char *const fuzz_corpora[] = { "tests/corpus/import", "traces/samples",
				     NULL };

/* What importers promise beyond that */
static void
check_sites(const struct source *source, const struct batch *batch)
{
	FUZZ_HOLDS(batch->n || batch->n_events);
	for (uint32_t i = 0; i < batch->n; i++) {
		const struct site *site =
			stream_site(source->stream, SITE_INDEX(batch->site[i]));

		FUZZ_HOLDS(site->size > 0);
		FUZZ_HOLDS(batch->address[i] + (site->size - 1) >=
			   batch->address[i]);
		if (site->kind != SITE_FETCH)
			continue;
		FUZZ_HOLDS(site->pc == batch->address[i]);
		FUZZ_HOLDS((site->pc & 4095) + site->size <= 4096);
	}
}

static void
import(const char *path, const char *format, bool keep_going)
{
	const char *const paths[] = { path, NULL };
	struct importer_request request = { format, paths, NULL, keep_going };
	struct source *source;
	struct batch batch;
	int got;

	if (importer_open(&source, &request))
		return;
	FUZZ_HOLDS(!batch_init(&batch));
	while ((got = source_next(source, &batch)) > 0) {
		fuzz_check_batch(source, &batch);
		check_sites(source, &batch);
	}
	FUZZ_HOLDS(!got || !keep_going);
	batch_fini(&batch);
	source_close(source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	FUZZ_HOLDS(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_HOLDS(write(fd, data, size) == (ssize_t)size);
	import(path, "auto", false);
	/* each in one of the two ways, for time's sake */
	for (size_t i = 0; importer_registry[i]; i++)
		import(path, importer_registry[i]->name, (size + i) % 2);
	close(fd);
	return 0;
}
