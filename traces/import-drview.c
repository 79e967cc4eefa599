// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text view of DynamoRIO's drmemtrace traces (drrun -t drmemtrace
 * -tool view; older: -t drcachesim -simulator_type view), which it writes to
 * standard error:
 *
 *	Output format:
 *	<--record#-> <--instr#->: <---tid---> <record details>
 *	------------------------------------------------------------
 *	       1           0:     2765542 <marker: version 5>
 *	   47445       37770:     2765543 ifetch       5 byte(s) @ 0x404a7e 48 8b ...
 *	   47446       37770:     2765543 read         8 byte(s) @ 0x7fdf64e2adc8 by PC 0x404a7e
 *
 * A thread is a number, T and a number (of views that have no instruction
 * numbers), or W0.T and a number, where W numbers the traced programs: each
 * is an address space.  Of the markers, timestamps (microseconds) are the
 * clock, system calls and changes of core become events; so do threads' ends.
 * Other markers, prefetches and flushes are no accesses: they are counted and
 * passed over.  At its end the tool says how many instructions it showed.
 */
#include "traces/foreign.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/fail.h"
#include "traces/text.h"

struct drview {
	struct foreign foreign;
	uint64_t shown; /* instructions, as lines */
	uint64_t said;	/* by the tool itself */
	bool has_said;
	uint64_t markers, hints; /* passed over */
	bool timed;
	uint64_t first_us;
	uint64_t core; /* + 1, of foreign.thread; 0: unknown */
};

/* What a line of accesses is */
struct drview_line {
	uint64_t workload, tid;
	const char *details;
};

static bool
begins(const char *p, const char *word)
{
	return !strncmp(p, word, strlen(word));
}

/* Behind " record# instr#: thread ", at the details; NULL with *wrong */
static ALWAYS_INLINE const char *
drview_prefix(const char *p, struct drview_line *line, const char **wrong)
{
	uint64_t number;

	line->workload = 0;
	p = text_decimal(text_skip_blanks(p), &number);
	if (p && *p != ':')
		p = text_decimal(text_skip_blanks(p), &number);
	if (unlikely(!p || *p != ':')) {
		*wrong = "no record and instruction numbers before a colon";
		return NULL;
	}
	p = text_skip_blanks(p + 1);
	if (*p == 'W') {
		p = text_decimal(p + 1, &line->workload);
		if (p)
			p = *p == '.' ? p + 1 : NULL;
	}
	if (p && *p == 'T')
		p++;
	p = p ? text_decimal(p, &line->tid) : NULL;
	if (unlikely(!p || *p != ' ' || line->workload > UINT32_MAX ||
		     line->tid > UINT32_MAX)) {
		*wrong = "no number of a thread after the colon";
		return NULL;
	}
	line->details = text_skip_blanks(p);
	return line->details;
}

/* "NAME  size byte(s) @ 0xADDRESS[ by PC 0xPC]"; NULL with *wrong */
static ALWAYS_INLINE const char *
drview_numbers(const char *p, uint64_t *size, uint64_t *address, uint64_t *pc,
	       const char **wrong)
{
	while (*p != ' ' && *p != '\n')
		p++;
	p = text_decimal(text_skip_blanks(p), size);
	if (unlikely(!p || !begins(p, " byte(s) @ 0x"))) {
		*wrong = "no \"N byte(s) @ 0x\"";
		return NULL;
	}
	p = text_hex(p + strlen(" byte(s) @ 0x"), address);
	if (unlikely(!p)) {
		*wrong = "no hex address of at most 16 digits";
		return NULL;
	}
	if (unlikely(!foreign_sane(*address, *size))) {
		*wrong = "impossible size";
		return NULL;
	}
	*pc = 0;
	if (begins(p, " by PC 0x")) {
		p = text_hex(p + strlen(" by PC 0x"), pc);
		if (unlikely(!p))
			*wrong = "no hex pc of at most 16 digits";
	}
	return p;
}

/* An event where there is room: NULL: the batch must end first */
static struct event *
drview_event(struct foreign *foreign, struct batch *batch, enum event_type type)
{
	if (batch->n_events >= FOREIGN_EVENTS_FULL) {
		foreign->split = true;
		return NULL;
	}
	return batch_event(batch, type);
}

/* "tid N on core C": false: the batch must end first */
static bool
drview_core(struct drview *drview, const char *p, struct batch *batch)
{
	struct event *event;
	uint64_t tid, core;

	p = text_decimal(p, &tid);
	if (!p || !begins(p, " on core "))
		return true;
	p = text_decimal(p + strlen(" on core "), &core);
	if (!p || core + 1 == drview->core)
		return true;
	event = drview_event(&drview->foreign, batch, EVENT_SWITCH);
	if (!event)
		return false;
	event->value = core;
	drview->core = core + 1;
	return true;
}

/* "<marker: ...>": false: the batch must end first */
static bool
drview_marker(struct drview *drview, const char *p, struct batch *batch)
{
	struct foreign *foreign = &drview->foreign;
	struct event *event;
	uint64_t value;

	if (begins(p, "timestamp ") &&
	    text_decimal(p + strlen("timestamp "), &value)) {
		if (!drview->timed)
			drview->first_us = value;
		drview->timed = true;
		value = value > drview->first_us ? value - drview->first_us : 0;
		if (value < UINT64_MAX / 1000)
			foreign_clock(foreign, value * 1000);
		return true;
	}
	if (begins(p, "tid "))
		return drview_core(drview, p + strlen("tid "), batch);
	if (begins(p, "system call ") &&
	    text_decimal(p + strlen("system call "), &value)) {
		event = drview_event(foreign, batch, EVENT_SYSCALL);
		if (event)
			event->value = value;
		return event != NULL;
	}
	drview->markers++;
	return true;
}

/* Bytes of a long instruction that its own line had no room for */
static bool
drview_bytes(const char *p)
{
	unsigned n = 0;

	for (; text_hex_digits(p) == 2; n++)
		p = text_skip_blanks(p + 2);
	return n && text_line_end(p);
}

/* Lines that are no accesses.  false: split, or foreign.wrong */
static NOINLINE bool
drview_other(struct drview *drview, const char *p, struct batch *batch)
{
	struct foreign *foreign = &drview->foreign;

	if (begins(p, "<marker: "))
		return drview_marker(drview, p + strlen("<marker: "), batch);
	if (begins(p, "<thread "))
		return drview_event(foreign, batch, EVENT_EXIT) != NULL;
	if (begins(p, "pref") || begins(p, "iflush ") || begins(p, "dflush ")) {
		drview->hints++;
		return true;
	}
	if (begins(p, "<") || drview_bytes(p))
		return true;
	foreign->wrong = "neither ifetch, read, write nor a marker";
	return false;
}

/* An ifetch, read or write; false: foreign.wrong or sites.error */
static ALWAYS_INLINE bool
drview_access(struct drview *drview, const char *p, struct batch *batch)
{
	struct foreign *foreign = &drview->foreign;
	bool fetch = *p == 'i', store = *p == 'w';
	uint64_t size, address, pc;

	p = drview_numbers(p, &size, &address, &pc, &foreign->wrong);
	if (unlikely(!p))
		return false;
	if (!fetch)
		return foreign_data(foreign, batch, pc, address, (uint32_t)size,
				    store ? SITE_STORE : SITE_LOAD);
	drview->shown++;
	if (unlikely(begins(p, " non-fetched instruction")))
		return true; /* a further round of a string instruction */
	return foreign_fetch(foreign, batch, address, (uint32_t)size);
}

/* What the tool prints before and after its records; said: its own count */
static bool
drview_frame(const char *line, uint64_t *said, bool *has_said)
{
	uint64_t number;
	const char *p;

	if (text_line_end(line) || begins(line, "-----") ||
	    begins(line, "Output format:") || begins(line, "<-") ||
	    begins(line, "=====") || begins(line, "View tool results:"))
		return true;
	p = text_decimal(text_skip_blanks(line), &number);
	if (!p || !begins(p, " : total instructions"))
		return false;
	*said = number;
	*has_said = true;
	return true;
}

/* One line; false: foreign.wrong, split or sites.error */
static ALWAYS_INLINE bool
drview_take_line(struct drview *drview, const char *at, struct batch *batch)
{
	struct foreign *foreign = &drview->foreign;
	struct drview_line line;
	const char *p = drview_prefix(at, &line, &foreign->wrong);

	if (unlikely(!p)) {
		if (!drview_frame(at, &drview->said, &drview->has_said))
			return false;
		foreign->wrong = NULL;
		return true;
	}
	if (unlikely(!foreign->threads || foreign->tid != line.tid ||
		     foreign->pid != line.workload)) {
		if (!foreign_enter(foreign, batch, (uint32_t)line.workload,
				   (uint32_t)line.tid))
			return false;
		drview->core = 0;
	}
	if (begins(p, "ifetch ") || begins(p, "read ") || begins(p, "write "))
		return drview_access(drview, p, batch);
	return drview_other(drview, p, batch);
}

static const char *
drview_take(struct foreign *foreign, const char *at, const char *end,
	    struct batch *batch)
{
	struct drview *drview = (struct drview *)foreign;

	while (at < end && batch->n <= FOREIGN_FULL) {
		const char *next = text_next_line(at, end);

		if (unlikely(text_too_long(at, next - 1))) {
			foreign->wrong = "longer than 64 KiB";
			break;
		}
		if (!drview_take_line(drview, at, batch))
			break;
		at = next;
		foreign->line++;
	}
	return at;
}

static int
drview_end(struct foreign *foreign, json_t *importer)
{
	const struct drview *drview = (struct drview *)foreign;

	if (drview->has_said && drview->said != drview->shown)
		warn("import: the view tool says that it showed %" PRIu64
		     " instructions; here are %" PRIu64,
		     drview->said, drview->shown);
	if (json_object_set_new(importer, "markers",
				json_integer((json_int_t)drview->markers)) ||
	    json_object_set_new(importer, "prefetches and flushes",
				json_integer((json_int_t)drview->hints)))
		return fail(ENOMEM, "import: no memory");
	return 0;
}

static bool
drview_skip(const char *line)
{
	uint64_t said;
	bool has_said;

	return drview_frame(line, &said, &has_said);
}

static bool
drview_matches(const char *at)
{
	const char *wrong = NULL;
	struct drview_line line;
	uint64_t size, address, pc;
	const char *p = drview_prefix(at, &line, &wrong);

	if (!p)
		return false;
	if (begins(p, "ifetch ") || begins(p, "read ") || begins(p, "write "))
		return drview_numbers(p, &size, &address, &pc, &wrong);
	return *p == '<' || begins(p, "pref") || drview_bytes(p);
}

static int
drview_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, drview_skip, drview_matches);
}

static const struct foreign_format drview_format = {
	.name = "drview",
	.take = drview_take,
	.end = drview_end,
	.threads = true,
};

static int
drview_open(struct source **out, const struct importer_setup *setup)
{
	return foreign_open(out, sizeof(struct drview), &drview_format, setup);
}

const struct importer_ops drview_importer = {
	.name = "drview",
	.help = "text of DynamoRIO's drmemtrace view tool",
	.recognise = drview_recognise,
	.open = drview_open,
};
