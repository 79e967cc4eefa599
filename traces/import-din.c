// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of the Dinero cache simulators, one access a line:
 *
 *	din	2 408ed4		label, address in hex; what follows is
 *	din	0 10019d94 comment	for people
 *	xdin	r 10019d94 8		label, address and size in hex
 *
 * Labels: 0 or r read, 1 or w write, 2 or i instruction fetch; 3, m, 4, c, v
 * (miscellaneous, copy back, invalidate) are no accesses and passed over.
 * din has no sizes: they are taken as din.size.  Data have no pc.
 */
#include "traces/foreign.h"

#include "analyzer/fail.h"
#include "traces/text.h"

struct din_config {
	uint64_t size;
};

struct din {
	struct foreign foreign;
	uint32_t size; /* of accesses, where the line does not say */
};

static const struct option_row din_rows[] = {
	{ "size", OPTION_SIZE, offsetof(struct din_config, size), "4", 1, 64,
	  .unit = "bytes",
	  .help = "length of an access, which din does not say" },
	{ NULL },
};

static const struct option_group din_groups[] = {
	{ "din", din_rows, 0, "Dinero's din text" },
	{ NULL },
};

static const struct option_tree din_options = {
	din_groups,
	sizeof(struct din_config),
};

#define DIN_PASS 4 /* a label that is no access */

static ALWAYS_INLINE int
din_label(char label)
{
	switch (label) {
	case '0':
	case 'r':
		return SITE_LOAD;
	case '1':
	case 'w':
		return SITE_STORE;
	case '2':
	case 'i':
		return SITE_FETCH;
	case '3':
	case '4':
	case 'm':
	case 'c':
	case 'v':
		return DIN_PASS;
	}
	return -1;
}

/* "label address" up to behind the address; NULL with *wrong */
static ALWAYS_INLINE const char *
din_start(const char *p, int *kind, uint64_t *address, const char **wrong)
{
	p = text_skip_blanks(p);
	*kind = din_label(*p);
	if (unlikely(*kind < 0 || (p[1] != ' ' && p[1] != '\t'))) {
		*wrong = "the label is none of 0 to 4, r, w, i, m, c, v";
		return NULL;
	}
	p = text_hex(text_skip_0x(text_skip_blanks(p + 1)), address);
	if (unlikely(!p))
		*wrong = "no hex address of at most 16 digits";
	return p;
}

/* The rest of a din line is a comment: its newline, or NULL with *wrong */
static ALWAYS_INLINE const char *
din_rest(const char *p, const char *end, const char **wrong)
{
	const char *stop = text_line_end(p);

	if (likely(stop))
		return stop;
	stop = text_next_line(p, end) - 1;
	if (likely(*p == ' ' || *p == '\t'))
		return stop;
	*wrong = "more after the address";
	return NULL;
}

/* " size" of an xdin line up to its newline; NULL with *wrong */
static ALWAYS_INLINE const char *
xdin_size(const char *p, uint64_t *size, const char **wrong)
{
	p = text_hex(text_skip_0x(text_skip_blanks(p)), size);
	if (unlikely(!p)) {
		*wrong = "no hex size";
		return NULL;
	}
	p = text_line_end(p);
	if (unlikely(!p))
		*wrong = "more after the size";
	return p;
}

static ALWAYS_INLINE const char *
din_line(struct foreign *foreign, const char *at, const char *end,
	 struct batch *batch, bool sized)
{
	const struct din *din = (const struct din *)foreign;
	uint64_t address, size;
	int kind;
	const char *p = din_start(at, &kind, &address, &foreign->wrong);

	if (unlikely(!p))
		return NULL;
	if (sized)
		p = xdin_size(p, &size, &foreign->wrong);
	else {
		p = din_rest(p, end, &foreign->wrong);
		size = foreign_clip(address, din->size);
	}
	if (unlikely(!p))
		return NULL;
	if (unlikely(text_too_long(at, p) || !foreign_sane(address, size))) {
		foreign->wrong = "impossible size";
		return NULL;
	}
	if (kind == DIN_PASS)
		return p + 1;
	if (kind == SITE_FETCH
		    ? !foreign_fetch(foreign, batch, address, (uint32_t)size)
		    : !foreign_data(foreign, batch, 0, address, (uint32_t)size,
				    (enum site_kind)kind))
		return NULL;
	return p + 1;
}

static ALWAYS_INLINE const char *
din_lines(struct foreign *foreign, const char *at, const char *end,
	  struct batch *batch, bool sized)
{
	uint64_t lines = 0;

	while (at < end && batch->n <= FOREIGN_FULL) {
		const char *next = text_line_end(at);

		next = next ? next + 1
			    : din_line(foreign, at, end, batch, sized);
		if (unlikely(!next))
			break;
		at = next;
		lines++;
	}
	foreign->line += lines;
	return at;
}

static const char *
din_take(struct foreign *foreign, const char *at, const char *end,
	 struct batch *batch)
{
	return din_lines(foreign, at, end, batch, false);
}

static const char *
xdin_take(struct foreign *foreign, const char *at, const char *end,
	  struct batch *batch)
{
	return din_lines(foreign, at, end, batch, true);
}

static bool
xdin_matches(const char *line)
{
	const char *wrong;
	uint64_t address, size;
	int kind;
	const char *p = din_start(line, &kind, &address, &wrong);

	return p && xdin_size(p, &size, &wrong);
}

/* Stricter than the parser: nothing behind the address, a number for label */
static bool
din_matches(const char *line)
{
	const char *wrong;
	uint64_t address;
	int kind;
	const char *p = din_start(line, &kind, &address, &wrong);

	return p && text_line_end(p) && *text_skip_blanks(line) <= '4';
}

static int
din_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, NULL, din_matches);
}

static int
xdin_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, NULL, xdin_matches);
}

static const struct foreign_format din_format = {
	.name = "din",
	.take = din_take,
};

static const struct foreign_format xdin_format = {
	.name = "xdin",
	.take = xdin_take,
};

static int
din_open(struct source **out, const struct importer_setup *setup)
{
	const struct din_config *config = setup->options;
	int error = foreign_open(out, sizeof(struct din), &din_format, setup);

	if (!error)
		((struct din *)*out)->size = (uint32_t)config->size;
	return error;
}

static int
xdin_open(struct source **out, const struct importer_setup *setup)
{
	return foreign_open(out, sizeof(struct din), &xdin_format, setup);
}

const struct importer_ops din_importer = {
	.name = "din",
	.help = "Dinero's text: label, hex address",
	.options = &din_options,
	.recognise = din_recognise,
	.open = din_open,
};

const struct importer_ops xdin_importer = {
	.name = "xdin",
	.help = "Dinero's extended text: label, hex address, hex size",
	.recognise = xdin_recognise,
	.open = xdin_open,
};
