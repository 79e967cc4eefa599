// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of the Dinero cache simulators; see import-din.c.
 */
#include "traces/foreign-out.h"

static int
put_line(struct foreign_out *out, const char *labels,
	 const struct foreign_access *access, bool sized)
{
	char *at = foreign_out_room(out, 64);

	if (!at)
		return outlet_error(out->outlet);
	*at++ = labels[access->kind];
	*at++ = ' ';
	at = outlet_hex(at, access->address, 1);
	if (sized) {
		*at++ = ' ';
		at = outlet_hex(at, access->size, 1);
	}
	*at++ = '\n';
	outlet_put(out->outlet, at);
	return 0;
}

static int
din_put(struct foreign_out *out, const struct foreign_access *access)
{
	return put_line(out, "01?2", access, false);
}

static int
xdin_put(struct foreign_out *out, const struct foreign_access *access)
{
	return put_line(out, "rw?i", access, true);
}

/* A fetch that goes on in the next page stays two: there are no sizes that
 * could say that it touches both. */
static const struct foreign_out_format din_format = {
	.name = "din",
	.holds = HOLDS_KIND,
	.put = din_put,
};

static const struct foreign_out_format xdin_format = {
	.name = "xdin",
	.holds = HOLDS_KIND | HOLDS_SIZE | HOLDS_CROSSING,
	.put = xdin_put,
};

static int
din_open(struct model **out, const struct exporter_setup *setup)
{
	return foreign_out_open(out, sizeof(struct foreign_out), &din_format,
				setup);
}

static int
xdin_open(struct model **out, const struct exporter_setup *setup)
{
	return foreign_out_open(out, sizeof(struct foreign_out), &xdin_format,
				setup);
}

const struct exporter_ops din_exporter = {
	.name = "din",
	.help = "Dinero's text: label, hex address",
	.open = din_open,
};

const struct exporter_ops xdin_exporter = {
	.name = "xdin",
	.help = "Dinero's extended text: label, hex address, hex size",
	.open = xdin_open,
};
