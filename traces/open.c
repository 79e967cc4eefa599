// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/open.h"

#include <string.h>
#include <sys/stat.h>

#include "traces/generate.h"
#include "traces/importer.h"
#include "traces/pst.h"

enum open_kind
source_kind(const char *name)
{
	if (!strncmp(name, "generate:", strlen("generate:")))
		return OPEN_GENERATE;
	if (!strcmp(name, "-") || pst_is(name))
		return OPEN_PST;
	return OPEN_FOREIGN;
}

bool
source_is_file(const char *input, const char *output)
{
	struct stat in, out;

	return !stat(input, &in) && !stat(output, &out) &&
	       S_ISREG(out.st_mode) && in.st_dev == out.st_dev &&
	       in.st_ino == out.st_ino;
}

int
source_open(struct source **out, const char *name, bool recover)
{
	const char *const paths[] = { name, NULL };
	struct importer_request request = { .paths = paths };

	switch (source_kind(name)) {
	case OPEN_GENERATE:
		return generate_open(out, name);
	case OPEN_PST:
		return pst_reader_open(out, name, recover);
	case OPEN_FOREIGN:
		break;
	}
	return importer_open(out, &request);
}
