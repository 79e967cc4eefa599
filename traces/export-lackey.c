// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of valgrind --tool=lackey --trace-mem=yes; see import-lackey.c.
 */
#include "traces/foreign-out.h"

#include <string.h>

static int
lackey_put(struct foreign_out *out, const struct foreign_access *access)
{
	static const char *const start[] = { " L ", " S ", " M ", "I  " };
	char *at = foreign_out_room(out, 64);

	if (!at)
		return outlet_error(out->outlet);
	memcpy(at, start[access->kind], 3);
	at = outlet_hex(at + 3, access->address, 8);
	*at++ = ',';
	at = outlet_decimal(at, access->size);
	*at++ = '\n';
	outlet_put(out->outlet, at);
	return 0;
}

static const struct foreign_out_format lackey_format = {
	.name = "lackey",
	.holds = HOLDS_SIZE | HOLDS_KIND | HOLDS_MODIFY | HOLDS_CROSSING |
		 HOLDS_FETCH_PC,
	.put = lackey_put,
};

static int
lackey_open(struct model **out, const struct exporter_setup *setup)
{
	return foreign_out_open(out, sizeof(struct foreign_out), &lackey_format,
				setup);
}

const struct exporter_ops lackey_exporter = {
	.name = "lackey",
	.help = "text as of valgrind --tool=lackey --trace-mem=yes",
	.open = lackey_open,
};
