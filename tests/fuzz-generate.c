// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a generator's spec says, it is refused or makes accesses inside the
 * region that it maps.
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz.h"
#include "traces/generate.h"

const char *const fuzz_corpora[] = { "tests/corpus/generate", NULL };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *spec = strndup((const char *)data, size);
	uint64_t base = 0, bytes = 0;
	struct source *source;
	struct batch batch;

	FUZZ_HOLDS(spec);
	spec[strcspn(spec, "\n")] = '\0';
	if (generate_open(&source, spec))
		goto done;
	FUZZ_HOLDS(!batch_init(&batch));
	for (int i = 0; i < 3 && source_next(source, &batch) > 0; i++) {
		if (!i) {
			FUZZ_HOLDS(batch.event[0].type == EVENT_MAP);
			base = batch.event[0].address;
			bytes = batch.event[0].length;
		}
		for (uint32_t k = 0; k < batch.n; k++)
			FUZZ_HOLDS(batch.address[k] - base <= bytes - 8);
	}
	batch_fini(&batch);
	source_close(source);
done:
	free(spec);
	return 0;
}
