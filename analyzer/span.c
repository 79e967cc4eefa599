// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/span.h"

#include "analyzer/fail.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	struct span *span;
	const char *text, *at, *name;
	uint64_t page_bytes;
	size_t room;
};

void
span_fini(struct span *span)
{
	free(span->bytes);
	*span = (struct span){ 0 };
}

static void
skip_blanks(struct parser *parser)
{
	while (*parser->at == ' ')
		parser->at++;
}

/* "128K" at `at`; says what is wrong with it. */
static int
take_size(struct parser *parser, uint64_t *bytes)
{
	static const char units[] = "BKMGT";
	const char *start = parser->at, *unit;
	unsigned long long number;
	char *end;

	skip_blanks(parser);
	errno = 0;
	number = strtoull(parser->at, &end, 10);
	if (!isdigit((unsigned char)*parser->at) || errno)
		return fail(EUSAGE,
			    "%s: \"%s\": no size at \"%s\"; a size is 300p "
			    "(pages), 64K, 10M or 2G",
			    parser->name, parser->text, start);
	unit = *end && *end != 'p' ? strchr(units, toupper((unsigned char)*end))
				   : NULL;
	if (*end != 'p' && !unit)
		return fail(EUSAGE,
			    "%s: \"%s\": %llu has no unit; %llup is pages, "
			    "%lluB, %lluK, %lluM, %lluG bytes",
			    parser->name, parser->text, number, number, number,
			    number, number, number);
	*bytes = unit ? UINT64_C(1) << 10 * (unit - units) : parser->page_bytes;
	end++;
	if (unit && unit != units && *end == 'i' && end[1] == 'B')
		end += 2;
	else if (unit && unit != units && *end == 'B')
		end++;
	if (number > UINT64_C(1) << 56 || number > (UINT64_MAX >> 8) / *bytes)
		return fail(EUSAGE, "%s: \"%s\" is too large", parser->name,
			    parser->text);
	*bytes *= number;
	if (*bytes < parser->page_bytes)
		return fail(EUSAGE,
			    "%s: \"%s\": %" PRIu64 " bytes hold nothing; one "
			    "page is %" PRIu64,
			    parser->name, parser->text, *bytes,
			    parser->page_bytes);
	parser->at = end;
	skip_blanks(parser);
	return 0;
}

static int
add(struct parser *parser, uint64_t bytes)
{
	struct span *span = parser->span;

	if (span->n == SPAN_MOST)
		return fail(EUSAGE, "%s: \"%s\" are more than %u sizes",
			    parser->name, parser->text, SPAN_MOST);
	if (span->n == parser->room) {
		size_t room = parser->room ? 2 * parser->room : 16;
		uint64_t *more = reallocarray(span->bytes, room, sizeof(*more));

		if (!more)
			return fail(ENOMEM, "%s: no memory", parser->name);
		span->bytes = more;
		parser->room = room;
	}
	span->bytes[span->n++] = bytes;
	return 0;
}

/* "xK" or "+SIZE" behind a range; x2 where there is nothing */
static int
take_step(struct parser *parser, double *times, uint64_t *plus)
{
	char *end;

	*times = 2;
	*plus = 0;
	if (!*parser->at)
		return 0;
	if (*parser->at == '+') {
		parser->at++;
		return take_size(parser, plus);
	}
	if (*parser->at == 'x') {
		*times = strtod(parser->at + 1, &end);
		if (end != parser->at + 1 && *times >= 1.001 && *times <= 1e9) {
			parser->at = end;
			skip_blanks(parser);
			return 0;
		}
	}
	return fail(EUSAGE,
		    "%s: \"%s\": no step at \"%s\"; a step is x2, x1.5 or "
		    "+16M",
		    parser->name, parser->text, parser->at);
}

static int
take_range(struct parser *parser, uint64_t from)
{
	uint64_t to, plus, at = from;
	double times, exact = (double)from;
	int error;

	parser->at += 2;
	error = take_size(parser, &to);
	if (!error)
		error = take_step(parser, &times, &plus);
	if (error)
		return error;
	if (to < from)
		return fail(EUSAGE, "%s: \"%s\" goes down", parser->name,
			    parser->text);
	while (!error && at <= to) {
		error = add(parser, at);
		exact *= times;
		/* whole pages, and always some more */
		at = plus ? at + plus : (uint64_t)llround(exact);
		if (at <= parser->span->bytes[parser->span->n - 1])
			at = parser->span->bytes[parser->span->n - 1] + 1;
	}
	/* the end is asked for by name */
	if (!error && parser->span->bytes[parser->span->n - 1] < to)
		error = add(parser, to);
	return error;
}

/* "100 points": false: it is none */
static bool
take_points(struct parser *parser)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*parser->at))
		return false;
	n = strtoul(parser->at, &end, 10);
	while (*end == ' ')
		end++;
	if (strcmp(end, "points") && strcmp(end, "point"))
		return false;
	parser->span->points = n;
	return true;
}

static int
by_bytes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
sort(struct span *span)
{
	size_t kept = 0;

	if (!span->n)
		return;
	qsort(span->bytes, span->n, sizeof(*span->bytes), by_bytes);
	for (size_t i = 1; i < span->n; i++)
		if (span->bytes[i] != span->bytes[kept])
			span->bytes[++kept] = span->bytes[i];
	span->n = kept + 1;
}

static int
parse_list(struct parser *parser)
{
	uint64_t bytes;
	int error;

	for (;;) {
		error = take_size(parser, &bytes);
		if (error)
			return error;
		error = strncmp(parser->at, "..", 2)
				? add(parser, bytes)
				: take_range(parser, bytes);
		if (error)
			return error;
		if (*parser->at != ',')
			break;
		parser->at++;
	}
	if (*parser->at)
		return fail(EUSAGE, "%s: \"%s\": what is \"%s\"?", parser->name,
			    parser->text, parser->at);
	return 0;
}

int
span_parse(struct span *span, const char *text, uint64_t page_bytes,
	   const char *name)
{
	struct parser parser = { .span = span,
				 .text = text,
				 .at = text,
				 .name = name,
				 .page_bytes = page_bytes };
	int error;

	*span = (struct span){ 0 };
	skip_blanks(&parser);
	if (take_points(&parser)) {
		if (span->points && span->points <= SPAN_MOST)
			return 0;
		return fail(EUSAGE, "%s: \"%s\": 1 to %u points", name, text,
			    SPAN_MOST);
	}
	error = parse_list(&parser);
	if (error)
		span_fini(span);
	else
		sort(span);
	return error;
}
