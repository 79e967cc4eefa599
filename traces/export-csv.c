// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table with a header that import knows; as pagescope dump prints it.
 */
#include "traces/foreign-out.h"

#include <string.h>

static const char header[] = "thread,space,kind,address,size,pc\n";

static int
csv_put(struct foreign_out *out, const struct foreign_access *access)
{
	static const char *const kinds[] = { ",load,", ",store,", ",modify,",
					     ",fetch," };
	const char *kind = kinds[access->kind];
	size_t bytes = strlen(kind);
	char *at = foreign_out_room(out, 128);

	if (!at)
		return outlet_error(out->outlet);
	at = outlet_decimal(at, access->thread);
	*at++ = ',';
	at = outlet_decimal(at, access->space);
	memcpy(at, kind, bytes);
	at = outlet_decimal(at + bytes, access->address);
	*at++ = ',';
	at = outlet_decimal(at, access->size);
	*at++ = ',';
	at = outlet_decimal(at, access->pc);
	*at++ = '\n';
	outlet_put(out->outlet, at);
	return 0;
}

static const struct foreign_out_format csv_format = {
	.name = "csv",
	.holds = HOLDS_SIZE | HOLDS_PC | HOLDS_MODIFY | HOLDS_THREAD |
		 HOLDS_KIND | HOLDS_CROSSING,
	.put = csv_put,
};

static int
csv_open(struct model **model, const struct exporter_setup *setup)
{
	int error = foreign_out_open(model, sizeof(struct foreign_out),
				     &csv_format, setup);
	struct foreign_out *out;
	char *at;

	if (error)
		return error;
	out = (struct foreign_out *)*model;
	at = foreign_out_room(out, sizeof(header));
	memcpy(at, header, sizeof(header) - 1);
	outlet_put(out->outlet, at + sizeof(header) - 1);
	return 0;
}

const struct exporter_ops csv_exporter = {
	.name = "csv",
	.help = "a table: thread,space,kind,address,size,pc, numbers decimal",
	.open = csv_open,
};
