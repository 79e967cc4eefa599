// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text that perf script prints of samples with addresses (perf mem record,
 * perf record -d), by default or with -F:
 *
 *	[comm] [pid/]tid [cpu] [misc] [time:] [period] event: address ...
 *
 * and behind the address, each where there is one: its symbol and (file); what
 * the memory said, as "68100142 |OP LOAD|LVL L1 hit|SNP None|..."; weights; and
 * the ip, right-aligned, with its symbol and (file):
 *
 *	prog 41/42 [001] 3678.072400:  1 cpu/mem-loads/P: 7ffd1000 |OP LOAD|.. 40   401136 main (/bin/prog)
 *
 * There are no column names, so a number is the ip when its place says so: it
 * is the last of a row of numbers that stand right-aligned.  A line with one
 * number alone has an address when nothing follows that, else (a symbol) an
 * ip: perf.ip decides otherwise.  Lines that begin with # or a tab
 * (call chains) and PERF_RECORD lines are passed over.
 *
 * A fault event (page-faults, minor-faults, ...) becomes a fault; minor or
 * major behind page-faults of the same place is the same fault.  All others
 * become EVENT_SAMPLE, and an access too where they have an address.
 */
#include "traces/foreign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "traces/text.h"

#define EVENTS_MAX  256 /* different events in one text */
#define NAME_BYTES  128
#define HEAD_TOKENS 24 /* a command has 15 characters at most */
#define RECENT	    64 /* threads whose last fault is remembered */

enum perf_ip {
	IP_AUTO,
	IP_YES,
	IP_NO
};

struct perf_config {
	int ip, kind;
	uint64_t size;
};

enum perf_class {
	CLASS_SAMPLE,
	CLASS_FAULTS,
	CLASS_MINOR,
	CLASS_MAJOR
};

/* An event by its name, as often as it is in the text */
struct perf_event {
	char name[NAME_BYTES];
	size_t bytes;
	uint32_t file; /* in the stream */
	enum perf_class class;
	int kind; /* enum site_kind, -1: the name does not say */
};

struct perf_fault {
	uint64_t address, ip; /* address 0: none */
	uint32_t tid;
};

struct perf {
	struct foreign foreign;
	int ip, kind;
	uint32_t size;
	struct perf_event event[EVENTS_MAX];
	size_t n_events;

	uint64_t samples, faults, without; /* without: no address */
	bool timed, pids;		   /* some line has them */
	uint64_t first_ns;
	/* By thread, modulo RECENT: its last fault, if of page-faults */
	struct perf_fault recent[RECENT];
	uint64_t late; /* major faults told as such too late */
};

struct token {
	const char *start, *end;
	unsigned blanks; /* before it */
};

struct perf_line {
	uint32_t pid, tid;
	bool has_pid, has_time;
	uint64_t time_ns, period;
	struct token name; /* of the event */
	bool has_address, has_ip;
	uint64_t address, ip;
	int kind; /* enum site_kind, -1: the line does not say */
};

static const char *const perf_ips[] = { "auto", "yes", "no", NULL };
static const char *const perf_kinds[] = { "load", "store", "modify", NULL };

#define AT(field) offsetof(struct perf_config, field)
static const struct option_row perf_rows[] = {
	{ "ip", OPTION_CHOICE, AT(ip), "auto", .choices = perf_ips,
	  .help = "whether the lines have an ip behind the address" },
	{ "kind", OPTION_CHOICE, AT(kind), "load", .choices = perf_kinds,
	  .help = "kind of samples where neither event nor data source says" },
	{ "size", OPTION_SIZE, AT(size), "8", 1, 64, .unit = "bytes",
	  .help = "length of an access, which the text does not say" },
	{ NULL },
};

static const struct option_group perf_groups[] = {
	{ "perf", perf_rows, 0, "perf script's samples" },
	{ NULL },
};

static const struct option_tree perf_options = {
	perf_groups,
	sizeof(struct perf_config),
};

/* The token at p; false at the end of the line */
static bool
next_token(const char *p, struct token *token)
{
	const char *start = text_skip_blanks(p);

	if (*start == '\n' || *start == '\r')
		return false;
	token->blanks = (unsigned)(start - p);
	token->start = start;
	for (p = start; *p != ' ' && *p != '\t' && *p != '\n' && *p != '\r';)
		p++;
	token->end = p;
	return true;
}

/* The whole token as a number of hex digits */
static bool
token_hex(const struct token *token, uint64_t *value)
{
	const char *p = text_hex(token->start, value);

	return p && p == token->end;
}

static bool
token_decimal(const struct token *token, uint64_t *value)
{
	const char *p = text_decimal(token->start, value);

	return p && p == token->end;
}

/* "tid" or "pid/tid"; -1 is what perf prints of an unknown one */
static bool
token_ids(const struct token *token, struct perf_line *line)
{
	const char *p = token->start;
	uint64_t first, second;

	p = text_decimal(*p == '-' ? p + 1 : p, &first);
	if (!p || first > UINT32_MAX)
		return false;
	if (p == token->end) {
		line->has_pid = false;
		line->tid = (uint32_t)first;
		return true;
	}
	if (*p != '/')
		return false;
	p = text_decimal(p[1] == '-' ? p + 2 : p + 1, &second);
	if (!p || p != token->end || second > UINT32_MAX)
		return false;
	line->has_pid = true;
	line->pid = (uint32_t)first;
	line->tid = (uint32_t)second;
	return true;
}

/* "1800.853306:" in microseconds or nanoseconds */
static bool
token_time(const struct token *token, uint64_t *time_ns)
{
	uint64_t seconds, part;
	const char *dot = text_decimal(token->start, &seconds), *p;

	if (!dot || *dot != '.' || seconds > UINT32_MAX)
		return false;
	p = text_decimal(dot + 1, &part);
	if (!p || *p != ':' || p + 1 != token->end)
		return false;
	if (p - dot == 7)
		part *= 1000;
	else if (p - dot != 10)
		return false;
	*time_ns = seconds * 1000000000 + part;
	return true;
}

static bool
token_cpu(const struct token *token)
{
	uint64_t cpu;
	const char *p = *token->start == '['
				? text_decimal(token->start + 1, &cpu)
				: NULL;

	return p && *p == ']' && p + 1 == token->end;
}

static bool
token_ends_with_colon(const struct token *token)
{
	return token->end - token->start > 1 && token->end[-1] == ':';
}

/* Letters that say user, kernel, guest, ... */
static bool
token_misc(const struct token *token)
{
	const char *p = token->start;

	while (p < token->end && ((*p >= 'A' && *p <= 'Z') || *p == 'g'))
		p++;
	return p == token->end;
}

/* The ids at or before token n - 1: their index, or -1 */
static int
find_ids(const struct token *token, int n, struct perf_line *line)
{
	while (n > 0 && (token_cpu(&token[n - 1]) || token_misc(&token[n - 1])))
		n--;
	return n > 0 && token_ids(&token[n - 1], line) ? n - 1 : -1;
}

/* Without a time the event is the first word with a colon that stands behind
 * the ids, or begins the line: its index, or -1 */
static int
find_event(const struct token *token, int n, struct perf_line *line)
{
	for (int i = 0; i < n; i++) {
		int ids;

		if (!token_ends_with_colon(&token[i]))
			continue;
		ids = find_ids(token, i, line);
		if (ids < 0 && i > 0)
			continue;
		/* of two numbers the second is the period */
		if (ids > 0 && !line->has_pid) {
			line->period = line->tid;
			if (find_ids(token, ids, line) < 0)
				line->period = 1;
		}
		return i;
	}
	return -1;
}

/* Behind "event:"; NULL with *wrong: no such line */
static const char *
perf_head(const char *p, struct perf_line *line, const char **wrong)
{
	struct token token[HEAD_TOKENS];
	int n = 0, time = -1, event;

	*line = (struct perf_line){ .period = 1, .kind = -1 };
	while (n < HEAD_TOKENS && time < 0 && next_token(p, &token[n])) {
		p = token[n].end;
		if (token_time(&token[n], &line->time_ns))
			time = n;
		n++;
	}
	if (time >= 0) {
		line->has_time = true;
		find_ids(token, time, line);
		event = time;
		if (next_token(p, &token[event]) &&
		    token_decimal(&token[event], &line->period))
			next_token(token[event].end, &token[event]);
		if (!token_ends_with_colon(&token[event]))
			event = -1;
	} else
		event = find_event(token, n, line);
	if (event < 0) {
		*wrong = "no sample: no \"tid event:\" or \"time: event:\"";
		return NULL;
	}
	line->name = token[event];
	line->name.end--;
	return token[event].end;
}

/* A number of a column, and not a symbol, stands right-aligned */
static bool
token_column(const struct token *token, uint64_t *value)
{
	return token_hex(token, value) &&
	       (token->blanks > 1 || token->end - token->start == 16);
}

/* The first row of such numbers from p on: the last of it is the ip */
static void
perf_find_ip(const char *p, struct perf_line *line)
{
	struct token token;
	uint64_t value;

	for (; next_token(p, &token); p = token.end) {
		if (token_column(&token, &value)) {
			line->ip = value;
			line->has_ip = true;
		} else if (line->has_ip)
			return;
	}
}

/* "|OP LOAD|LVL ..." at p: what it says, and where it ends */
static const char *
perf_data_source(const char *p, struct perf_line *line)
{
	const char *bar = p, *end;

	for (end = p; *end != '\n'; end++)
		if (*end == '|' && end[1] >= 'A' && end[1] <= 'Z' &&
		    end[2] >= 'A' && end[2] <= 'Z')
			bar = end; /* and no operator|| of a symbol */
	if (!strncmp(p, "|OP LOAD", 8))
		line->kind = SITE_LOAD;
	else if (!strncmp(p, "|OP STORE", 9))
		line->kind = SITE_STORE;
	/* the last label has a word or two ("LCK No", "BLK  N/A") behind it */
	for (p = bar + 1; *p != ' ' && *p != '\n';)
		p++;
	p = text_skip_blanks(p);
	while (*p != ' ' && *p != '\t' && *p != '\n')
		p++;
	return p;
}

/* What stands behind "event:" */
static void
perf_tail(const char *p, int ip, struct perf_line *line)
{
	struct token token, next;
	const char *source;
	uint64_t value;

	if (!next_token(p, &token) || !token_hex(&token, &value))
		return;
	line->address = value;
	line->has_address = true;
	for (source = token.end; *source != '\n' && *source != '|';)
		source++;
	if (ip != IP_NO)
		perf_find_ip(*source == '|' ? perf_data_source(source, line)
					    : token.end,
			     line);
	else if (*source == '|')
		perf_data_source(source, line);
	/* A number alone, perhaps with its symbol */
	if (ip == IP_NO || line->has_ip || *source == '|' ||
	    (ip == IP_AUTO && !next_token(token.end, &next)))
		return;
	line->ip = value;
	line->has_ip = true;
	line->has_address = false;
	line->address = 0;
}

/* Neither a sample nor wrong */
static bool
perf_passed(const char *line)
{
	if (*line == '#' || *line == '\t' || text_line_end(line))
		return true;
	for (; *line != '\n'; line++)
		if (*line == 'P' && !strncmp(line, "PERF_RECORD_", 12))
			return true;
	return false;
}

static bool
name_holds(const struct perf_event *event, const char *word)
{
	return strstr(event->name, word) != NULL;
}

/* What the event's name says of its samples */
static void
classify(struct perf_event *event)
{
	static const struct {
		const char *name;
		enum perf_class class;
	} faults[] = {
		{ "page-faults", CLASS_FAULTS },
		{ "faults", CLASS_FAULTS },
		{ "minor-faults", CLASS_MINOR },
		{ "major-faults", CLASS_MAJOR },
	};
	size_t bytes = strcspn(event->name, ":");

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (strlen(faults[i].name) == bytes &&
		    !memcmp(faults[i].name, event->name, bytes))
			event->class = faults[i].class;
	event->kind = -1;
	if (name_holds(event, "load") && !name_holds(event, "store"))
		event->kind = SITE_LOAD;
	else if (name_holds(event, "store") && !name_holds(event, "load"))
		event->kind = SITE_STORE;
}

/* NULL: foreign.wrong or sites.error */
static struct perf_event *
find_name(struct perf *perf, const struct token *name)
{
	struct foreign *foreign = &perf->foreign;
	size_t bytes = (size_t)(name->end - name->start);
	struct perf_event *event;
	struct file file = { .path = NULL, .build_id = "" };

	for (size_t i = 0; i < perf->n_events; i++) {
		event = &perf->event[i];
		if (event->bytes == bytes &&
		    !memcmp(event->name, name->start, bytes))
			return event;
	}
	if (bytes >= NAME_BYTES || perf->n_events == EVENTS_MAX) {
		foreign->wrong = bytes >= NAME_BYTES
					 ? "an event with too long a name"
					 : "too many different events";
		return NULL;
	}
	event = &perf->event[perf->n_events];
	*event = (struct perf_event){ .bytes = bytes };
	memcpy(event->name, name->start, bytes);
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)event->name[i] < ' ' ||
		    (unsigned char)event->name[i] > '~') {
			foreign->wrong = "an event whose name is not ASCII";
			return NULL;
		}
	file.path = event->name;
	foreign->sites.error =
		stream_file_add(foreign->source.stream, &file, &event->file);
	if (foreign->sites.error)
		return NULL;
	classify(event);
	perf->n_events++;
	return event;
}

static struct perf_fault *
recent_fault(struct perf *perf, uint32_t tid)
{
	return &perf->recent[tid % RECENT];
}

/*
 * Is this minor-faults or major-faults line of the page-faults line before it,
 * of this thread?  Then the event is there already and a major one gets its
 * flag, if it is still in this batch.
 */
static bool
same_fault(struct perf *perf, const struct perf_line *line,
	   enum perf_class class, struct batch *batch)
{
	struct perf_fault *fault = recent_fault(perf, line->tid);

	if (class == CLASS_FAULTS || !fault->address ||
	    fault->address != line->address || fault->ip != line->ip ||
	    fault->tid != line->tid)
		return false;
	fault->address = 0;
	if (class == CLASS_MINOR)
		return true;
	for (uint32_t i = batch->n_events; i-- > 0;) {
		struct event *event = &batch->event[i];

		if (event->type != EVENT_FAULT ||
		    event->address != line->address || event->value != line->ip)
			continue;
		event->flags |= FAULT_FLAG_MAJOR;
		return true;
	}
	perf->late++;
	return true;
}

static void
add_fault(struct perf *perf, const struct perf_line *line,
	  enum perf_class class, struct event *event)
{
	event->type = EVENT_FAULT;
	event->flags = class == CLASS_MAJOR ? FAULT_FLAG_MAJOR : 0;
	event->value = line->ip;
	perf->faults++;
	*recent_fault(perf, line->tid) =
		(struct perf_fault){ class == CLASS_FAULTS ? line->address : 0,
				     line->ip, line->tid };
}

static bool
add_sample(struct perf *perf, const struct perf_line *line,
	   const struct perf_event *kind, struct event *event,
	   struct batch *batch)
{
	event->value = line->ip;
	event->extra = line->period;
	event->file = kind->file;
	perf->samples++;
	if (!line->address)
		return true;
	return foreign_data(&perf->foreign, batch, line->ip, line->address,
			    foreign_clip(line->address, perf->size),
			    (enum site_kind)(line->kind >= 0   ? line->kind
					     : kind->kind >= 0 ? kind->kind
							       : perf->kind));
}

/* false: foreign.wrong, split or sites.error */
static bool
perf_add(struct perf *perf, const struct perf_line *line, struct batch *batch)
{
	struct foreign *foreign = &perf->foreign;
	const struct perf_event *kind = find_name(perf, &line->name);
	bool fault = kind && kind->class != CLASS_SAMPLE;
	uint64_t since = 0;
	struct event *event;

	if (!kind || !foreign_enter(foreign, batch,
				    line->has_pid ? line->pid : 0, line->tid))
		return false;
	if (fault && same_fault(perf, line, kind->class, batch))
		return true;
	if (batch->n_events >= FOREIGN_EVENTS_FULL) {
		foreign->split = true;
		return false;
	}
	if (line->has_time) {
		if (!perf->timed)
			perf->first_ns = line->time_ns;
		perf->timed = true;
		since = line->time_ns > perf->first_ns
				? line->time_ns - perf->first_ns
				: 0;
		foreign_clock(foreign, since);
	}
	perf->pids |= line->has_pid;
	perf->without += !line->address;
	if (fault && !line->address)
		return true; /* nobody can say what of */
	event = batch_event(batch, EVENT_SAMPLE);
	event->address = line->address;
	event->time_ns = since;
	if (!fault)
		return add_sample(perf, line, kind, event, batch);
	add_fault(perf, line, kind->class, event);
	return true;
}

static const char *
perf_take(struct foreign *foreign, const char *at, const char *end,
	  struct batch *batch)
{
	struct perf *perf = (struct perf *)foreign;

	while (at < end && batch->n <= FOREIGN_FULL) {
		const char *next = text_next_line(at, end), *tail;
		struct perf_line line;

		if (text_too_long(at, next - 1)) {
			foreign->wrong = "longer than 64 KiB";
			break;
		}
		if (!perf_passed(at)) {
			tail = perf_head(at, &line, &foreign->wrong);
			if (!tail)
				break;
			perf_tail(tail, perf->ip, &line);
			if (!perf_add(perf, &line, batch))
				break;
		}
		at = next;
		foreign->line++;
	}
	return at;
}

static int
perf_end(struct foreign *foreign, json_t *importer)
{
	const struct perf *perf = (struct perf *)foreign;
	json_int_t samples = (json_int_t)perf->samples;
	json_int_t faults = (json_int_t)perf->faults;
	json_int_t without = (json_int_t)perf->without;

	if (json_object_set_new(importer, "samples", json_integer(samples)) ||
	    json_object_set_new(importer, "faults", json_integer(faults)) ||
	    json_object_set_new(importer, "without address",
				json_integer(without)) ||
	    json_object_set_new(importer, "accesses",
				json_string("samples, not all")))
		return fail(ENOMEM, "import: no memory");
	if (without)
		note("import: %" PRIu64 " sample%s without an address%s",
		     perf->without, without == 1 ? "" : "s",
		     foreign->accesses || faults
			     ? ""
			     : ": none has one (perf record -d, then perf "
			       "script -F +addr)");
	if (perf->late)
		note("import: %" PRIu64 " major fault%s stored as minor: other "
		     "threads' lines stand between page-faults and major-faults "
		     "(record one of them)",
		     perf->late, perf->late == 1 ? " is" : "s are");
	if (!perf->pids && foreign->threads &&
	    stream_threads(foreign->source.stream) > 1)
		note("import: the lines have no process numbers (perf script "
		     "-F +pid): all threads share one address space");
	return 0;
}

/* With a time or ids, and with an address or ip */
static bool
perf_matches(const char *at)
{
	const char *wrong;
	struct perf_line line;
	const char *tail = perf_head(at, &line, &wrong);

	if (!tail)
		return false;
	perf_tail(tail, IP_AUTO, &line);
	return (line.has_time || line.tid || line.has_pid) &&
	       (line.has_address || line.has_ip);
}

static int
perf_recognise(const char *start, size_t bytes)
{
	return text_score(start, bytes, perf_passed, perf_matches);
}

static const struct foreign_format perf_format = {
	.name = "perf",
	.take = perf_take,
	.end = perf_end,
	.threads = true,
};

static int
perf_open(struct source **out, const struct importer_setup *setup)
{
	const struct perf_config *config = setup->options;
	struct perf *perf;
	int error = foreign_open(out, sizeof(*perf), &perf_format, setup);

	if (error)
		return error;
	perf = (struct perf *)*out;
	perf->ip = config->ip;
	/* the choices are those of enum site_kind */
	perf->kind = config->kind;
	perf->size = (uint32_t)config->size;
	return 0;
}

const struct importer_ops perf_importer = {
	.name = "perf",
	.help = "text that perf script prints of samples with addresses",
	.options = &perf_options,
	.recognise = perf_recognise,
	.open = perf_open,
};
