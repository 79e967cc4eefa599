// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads and stores with the gap between them, the text of many course and
 * SPEC 2000 traces:
 *
 *	l 0x1fffff58 1		load or store, address in hex, instructions
 *	s 0x1fffff50 6		since the access before it
 *
 * There is neither pc nor length: each kind is one site (of each length that
 * lsgap.size is clipped to), and the gaps' sum is told as instructions of the
 * importer in what is known about the trace.
 */
#include "traces/foreign.h"

#include "traces/text.h"

/* More instructions than this between two accesses are damage. */
#define LSGAP_MAX (UINT64_C(1) << 40)

struct lsgap_config {
	uint64_t size;
};

struct lsgap {
	struct foreign foreign;
	uint32_t size;
};

static const struct option_row lsgap_rows[] = {
	{ "size", OPTION_SIZE, offsetof(struct lsgap_config, size), "4", 1, 64,
	  .unit = "bytes",
	  .help = "length of an access, which the format does not say" },
	{ NULL },
};

static const struct option_group lsgap_groups[] = {
	{ "lsgap", lsgap_rows, 0, "loads and stores with gaps" },
	{ NULL },
};

static const struct option_tree lsgap_options = {
	lsgap_groups,
	sizeof(struct lsgap_config),
};

struct lsgap_record {
	uint64_t address, gap;
	enum site_kind kind;
};

/* The newline of the record at p, or NULL with *wrong */
static ALWAYS_INLINE const char *
lsgap_parse(const char *p, struct lsgap_record *record, const char **wrong)
{
	if (unlikely((p[0] != 'l' && p[0] != 's') || p[1] != ' ')) {
		*wrong = "neither l nor s";
		return NULL;
	}
	record->kind = p[0] == 's' ? SITE_STORE : SITE_LOAD;
	p = text_hex(text_skip_0x(text_skip_blanks(p + 1)), &record->address);
	if (unlikely(!p || *p != ' ')) {
		*wrong = "no hex address of at most 16 digits";
		return NULL;
	}
	p = text_decimal(text_skip_blanks(p), &record->gap);
	if (unlikely(!p || record->gap > LSGAP_MAX)) {
		*wrong = "no number of instructions";
		return NULL;
	}
	p = text_line_end(p);
	if (unlikely(!p))
		*wrong = "more after the number of instructions";
	return p;
}

static const char *
lsgap_take(struct foreign *foreign, const char *at, const char *end,
	   struct batch *batch)
{
	const struct lsgap *lsgap = (const struct lsgap *)foreign;
	const char *wrong = "longer than 64 KiB";
	uint64_t lines = 0;

	while (at < end && batch->n <= FOREIGN_FULL) {
		struct lsgap_record record;
		const char *newline = text_line_end(at);

		if (newline) {
			at = newline + 1;
			lines++;
			continue;
		}
		newline = lsgap_parse(at, &record, &wrong);
		if (unlikely(!newline || text_too_long(at, newline))) {
			foreign->wrong = wrong;
			break;
		}
		if (!foreign_data(foreign, batch, 0, record.address,
				  foreign_clip(record.address, lsgap->size),
				  record.kind))
			break;
		foreign->instructions += record.gap;
		at = newline + 1;
		lines++;
	}
	foreign->line += lines;
	return at;
}

static bool
lsgap_matches(const char *line)
{
	struct lsgap_record record;
	const char *wrong;

	return lsgap_parse(line, &record, &wrong);
}

static int
lsgap_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, NULL, lsgap_matches);
}

static const struct foreign_format lsgap_format = {
	.name = "lsgap",
	.take = lsgap_take,
};

static int
lsgap_open(struct source **out, const struct importer_setup *setup)
{
	const struct lsgap_config *config = setup->options;
	int error =
		foreign_open(out, sizeof(struct lsgap), &lsgap_format, setup);

	if (!error)
		((struct lsgap *)*out)->size = (uint32_t)config->size;
	return error;
}

const struct importer_ops lsgap_importer = {
	.name = "lsgap",
	.help = "loads and stores with the instructions between: "
		"l|s 0xADDRESS N",
	.options = &lsgap_options,
	.recognise = lsgap_recognise,
	.open = lsgap_open,
};
