// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a configuration file holds, it is refused, or each option of the
 * machine then has a value that can be printed and set again.
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/config-file.h"
#include "models/machine.h"
#include "tests/fuzz.h"

const char *const fuzz_corpora[] = { "tests/corpus/config", NULL };

/* libconfig's scanner keeps what it has of a string when the file ends in it. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static int
set_again(void *context, const char *name, const struct option_row *row,
	  const void *start)
{
	char text[4096];
	int n = option_print(row, start, text, sizeof(text));

	FUZZ_HOLDS(n >= 0);
	/* lists are set one by one, and what is cut cannot be set */
	if (row->type != OPTION_LIST && (size_t)n < sizeof(text) && n)
		FUZZ_HOLDS(!option_set(&machine_options, context, "again", name,
				       text));
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	void *config = calloc(1, machine_options.config_bytes);
	void *again = calloc(1, machine_options.config_bytes);

	FUZZ_HOLDS(text && config && again);
	FUZZ_HOLDS(!option_init(&machine_options, config));
	FUZZ_HOLDS(!option_init(&machine_options, again));
	if (!config_load_text(&machine_options, config, "fuzz", text))
		option_each(&machine_options, config, set_again, again);
	option_fini(&machine_options, config);
	option_fini(&machine_options, again);
	free(config);
	free(again);
	free(text);
	return 0;
}
