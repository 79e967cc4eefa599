// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of valgrind --tool=lackey --trace-mem=yes:
 *
 *	==12345== Lackey, an example Valgrind tool
 *	I  04016b80,3		an instruction: address in hex, size in decimal
 *	 S 1ffefffe78,8		what it stored,
 *	 L 04023b40,4		loaded,
 *	 M 0402f010,8		loaded and stored
 *
 * Data lines belong to the I line before them, so they have its pc.  Each I
 * line is kept as one fetch of one instruction.
 */
#include "traces/foreign.h"

#include "traces/text.h"

struct lackey {
	struct foreign foreign;
	uint64_t pc; /* of the last I line */
};

/* By the line's first two bytes: what it is. */
static ALWAYS_INLINE int
lackey_kind(const char *line)
{
	if (line[0] == 'I')
		return SITE_FETCH;
	if (line[0] != ' ')
		return -1;
	switch (line[1]) {
	case 'L':
		return SITE_LOAD;
	case 'S':
		return SITE_STORE;
	case 'M':
		return SITE_MODIFY;
	}
	return -1;
}

/* Valgrind's own lines, and those of its debugging options */
static bool
lackey_comment(const char *line)
{
	return (line[0] == '=' && line[1] == '=') ||
	       (line[0] == '-' && line[1] == '-') ||
	       (line[0] == '*' && line[1] == '*');
}

/* " address,size" up to the newline; NULL with *wrong */
static ALWAYS_INLINE const char *
lackey_numbers(const char *p, uint64_t *address, uint64_t *size,
	       const char **wrong)
{
	p = text_hex(text_skip_0x(text_skip_blanks(p)), address);
	if (unlikely(!p)) {
		*wrong = "no hex address of at most 16 digits";
		return NULL;
	}
	if (unlikely(*p != ',')) {
		*wrong = "no comma after the address";
		return NULL;
	}
	p = text_decimal(p + 1, size);
	if (unlikely(!p)) {
		*wrong = "no decimal size after the comma";
		return NULL;
	}
	if (unlikely(!foreign_sane(*address, *size))) {
		*wrong = "impossible size";
		return NULL;
	}
	p = text_line_end(p);
	if (unlikely(!p))
		*wrong = "more after the size";
	return p;
}

/* Empty lines and comments are no records: the next line, or NULL. */
static NOINLINE const char *
lackey_other(struct foreign *foreign, const char *line, const char *end)
{
	const char *rest = text_line_end(line);

	if (rest)
		return rest + 1;
	if (lackey_comment(line))
		return text_next_line(line, end);
	foreign->wrong = "neither an I, L, S or M line nor a comment";
	return NULL;
}

static const char *
lackey_take(struct foreign *foreign, const char *at, const char *end,
	    struct batch *batch)
{
	struct lackey *lackey = (struct lackey *)foreign;
	const char *wrong = "longer than 64 KiB";
	uint64_t lines = 0, pc = lackey->pc;

	while (at < end && batch->n <= FOREIGN_FULL) {
		int kind = lackey_kind(at);
		uint64_t address, size;
		const char *next;
		bool added;

		if (unlikely(kind < 0)) {
			next = lackey_other(foreign, at, end);
			if (!next)
				break;
			at = next;
			lines++;
			continue;
		}
		next = lackey_numbers(at + 1 + (kind != SITE_FETCH), &address,
				      &size, &wrong);
		if (unlikely(!next || text_too_long(at, next))) {
			foreign->wrong = wrong;
			break;
		}
		if (kind == SITE_FETCH) {
			pc = address;
			added = foreign_fetch(foreign, batch, pc,
					      (uint32_t)size);
		} else
			added = foreign_data(foreign, batch, pc, address,
					     (uint32_t)size,
					     (enum site_kind)kind);
		if (unlikely(!added))
			break;
		at = next + 1;
		lines++;
	}
	lackey->pc = pc;
	foreign->line += lines;
	return at;
}

static bool
lackey_matches(const char *line)
{
	uint64_t address, size;
	const char *wrong;

	return lackey_kind(line) >= 0 &&
	       lackey_numbers(line + 1 + (line[0] == ' '), &address, &size,
			      &wrong);
}

static int
lackey_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, lackey_comment, lackey_matches);
}

static const struct foreign_format lackey_format = {
	.name = "lackey",
	.take = lackey_take,
};

static int
lackey_open(struct source **out, const struct importer_setup *setup)
{
	return foreign_open(out, sizeof(struct lackey), &lackey_format, setup);
}

const struct importer_ops lackey_importer = {
	.name = "lackey",
	.help = "text of valgrind --tool=lackey --trace-mem=yes",
	.recognise = lackey_recognise,
	.open = lackey_open,
};
