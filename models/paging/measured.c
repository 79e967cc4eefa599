// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's own counts of the very run (EVENT_COUNTER) beside what is
 * predicted at that moment.
 *
 *	start   a program begins: what it had before is not its own
 *	end     it is about to end: the figures are compared
 *
 * What cannot be compared is listed with the reason, and is neither right nor
 * wrong.  The figures, and how exact each must be, are the rows of `figures`.
 */
#include "models/paging/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_MOST (4 * PAGE_BYTES)
#define AHEAD_TEXT "16 KiB more"

/* What a space has now, by the kernel's words; bytes */
struct holdings {
	uint64_t mapped, locked;
	uint64_t anon, file, shared, huge;
	uint64_t share; /* proportional, of anonymous memory */
};

struct figure {
	const char *name, *counter;
	const char *unit;
	uint64_t (*predict)(struct paging *paging,
			    const struct address_space *space,
			    const struct holdings *shape);
	double tolerance; /* of the measured one, 0: exact */
	bool growth;	  /* since the start, not the whole */
	/* It follows another policy than the host's, when pages are sized so */
	bool sizes;
	/* Why the model has none where the kernel had some */
	const char *missing;
	bool merges;	/* merging changes it */
	uint64_t slack; /* allowed in any case: of few, a share is nothing */
	const char *slack_text;
};

static uint64_t
minor(struct paging *paging, const struct address_space *space,
      const struct holdings *shape)
{
	(void)paging;
	(void)shape;
	return space->minor + space->populated;
}

static uint64_t
major(struct paging *paging, const struct address_space *space,
      const struct holdings *shape)
{
	(void)paging;
	(void)shape;
	return space->major;
}

static uint64_t
swapped(struct paging *paging, const struct address_space *space,
	const struct holdings *shape)
{
	(void)paging;
	(void)shape;
	return space->swapped.n << PAGE_SHIFT;
}

static uint64_t
merged(struct paging *paging, const struct address_space *space,
       const struct holdings *shape)
{
	(void)shape;
	return ksm_bytes(paging, space);
}

static uint64_t
tables(struct paging *paging, const struct address_space *space,
       const struct holdings *shape)
{
	(void)shape;
	return paging_table_bytes(paging, space->number);
}

static uint64_t
resident(struct paging *paging, const struct address_space *space,
	 const struct holdings *shape)
{
	(void)paging;
	(void)space;
	return shape->anon + shape->file + shape->shared;
}

#define SHAPE(field)                                             \
	static uint64_t field(struct paging *paging,             \
			      const struct address_space *space, \
			      const struct holdings *shape)      \
	{                                                        \
		(void)paging;                                    \
		(void)space;                                     \
		return shape->field;                             \
	}
SHAPE(mapped)
SHAPE(locked)
SHAPE(anon)
SHAPE(file)
SHAPE(shared)
SHAPE(huge)
SHAPE(share)

/* Tolerances are those that were measured for these rules on Linux 6.18: exact,
 * but the pages of files, which the recorder's own reading of code maps too. */
static const struct figure figures[] = {
	{ "fault.minor", "stat.minflt", "faults", minor, 0, true, true, NULL,
	  true },
	{ "fault.major", "stat.majflt", "faults", major, 0.02, true, true,
	  "files are taken to be in the page cache, and memory to be enough",
	  /* hosts of virtual machines take pages of files at any time */
	  .slack = 2, .slack_text = "2" },
	{ "table.bytes", "status.VmPTE", "bytes", tables, 0, false, true,
	  NULL },
	{ "mapped.bytes", "status.VmSize", "bytes", mapped, 0, false, false,
	  NULL },
	{ "locked.bytes", "status.VmLck", "bytes", locked, 0, false, false,
	  NULL },
	{ "rss.bytes", "smaps.Rss", "bytes", resident, 0.05, false, true,
	  NULL },
	{ "rss.anon.bytes", "status.RssAnon", "bytes", anon, 0, false, true,
	  NULL },
	{ "rss.file.bytes", "status.RssFile", "bytes", file, 0.05, false, true,
	  NULL },
	{ "rss.shared.bytes", "status.RssShmem", "bytes", shared, 0, false,
	  true, NULL },
	/* Of files, processes that were not recorded have their part, too. */
	{ "pss.anon.bytes", "smaps.Pss_Anon", "bytes", share, 0.05, false, true,
	  NULL, true,
	  /* cache makes the shared pages own into which it writes itself */
	  4 * PAGE_BYTES, "16 KiB" },
	{ "thp.bytes", "smaps.AnonHugePages", "bytes", huge, 0, false, true,
	  NULL },
	{ "ksm.bytes", "smaps.KSM", "bytes", merged, 0, false, false,
	  "contents of pages were not recorded (record --contents), or too late "
	  "or too seldom for ksmd's rounds, or ksm.run is no",
	  true },
	{ "swap.bytes", "status.VmSwap", "bytes", swapped, 0.04, false, false,
	  "nothing is swapped where memory is enough (reclaim.policy)" },
};

struct compared {
	uint32_t space;
	uint8_t figure;
	bool disturbed;
	uint64_t predicted, measured;
};

/* What a space began with, as counted and as predicted. */
struct beginning {
	uint64_t value[ARRAY_SIZE(figures)], predicted[ARRAY_SIZE(figures)];
};

struct measured {
	struct compared *row; /* owned */
	size_t n, room;
	struct beginning *start; /* owned: by space */
	size_t spaces;
	/* Of this space since the last event that was no counter */
	struct holdings shape;
	uint32_t shape_of; /* UINT32_MAX: of none */
};

void
measured_close(struct measured *measured)
{
	if (!measured)
		return;
	free(measured->row);
	free(measured->start);
	free(measured);
}

static int
figure_of(const char *counter)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (!strcmp(figures[i].counter, counter))
			return (int)i;
	return -1;
}

/* Pages that the kernel counts as resident: not the zero page */
static void
shape_page(const struct paging *paging, struct address_space *space,
	   uint64_t address, struct holdings *shape)
{
	enum page_state state = pageset_state(&space->pages, address);
	const struct vma *vma = vma_find(&space->vmas, address);

	if (state == PAGE_OWNED || state == PAGE_FORKED)
		shape->anon += PAGE_BYTES;
	else if (vma && vma->object != OBJECT_NONE &&
		 paging->object[vma->object].disk)
		shape->file += PAGE_BYTES;
	else if (vma && vma->object != OBJECT_NONE)
		shape->shared += PAGE_BYTES;
	else if (vma && !strcmp(paging->region[vma->region].name, "[vdso]"))
		shape->file += PAGE_BYTES;
}

static int
shape_large(const struct paging *paging, const struct address_space *space,
	    struct holdings *shape)
{
	uint64_t *start;
	int64_t n = hash_keys(&space->large, 0, UINT64_MAX - 1, &start);

	if (n < 0)
		return paging_no_memory(paging);
	for (int64_t i = 0; i < n; i++) {
		struct large_page page;

		if (!large_find(space, start[i], &page) ||
		    page.kind == LARGE_HUGETLB || page.state == PAGE_BORROWED)
			continue;
		shape->anon += UINT64_C(1) << page.shift;
		if (page.kind == LARGE_THP)
			shape->huge += UINT64_C(1) << page.shift;
	}
	free(start);
	return 0;
}

static int
shape_take(struct paging *paging, struct address_space *space,
	   struct holdings *shape)
{
	uint64_t *group;
	int64_t n = pageset_groups(&space->pages, 0, UINT64_MAX, &group);

	*shape = (struct holdings){ 0 };
	if (n < 0)
		return paging_no_memory(paging);
	for (int64_t i = 0; i < n; i++) {
		uint64_t bits =
			pageset_present(&space->pages, group[i], 0, UINT64_MAX);

		for (; bits; bits &= bits - 1)
			shape_page(paging, space,
				   group[i] + PAGE_BYTES *
						      (uint64_t)__builtin_ctzll(
							      bits),
				   shape);
	}
	free(group);
	for (size_t i = 0; i < space->vmas.n; i++) {
		const struct vma *vma = &space->vmas.vma[i];

		/* [vsyscall] is in the list, but not in the size */
		if (vma->start >> 63)
			continue;
		shape->mapped += vma->end - vma->start;
		if (vma->flags & VMA_LOCKED)
			shape->locked += vma->end - vma->start;
	}
	n = sharing_pss_anon(paging, space, &shape->share);
	return n ? (int)n : shape_large(paging, space, shape);
}

static struct measured *
measured_get(struct paging *paging)
{
	if (!paging->measured) {
		paging->measured = calloc(1, sizeof(*paging->measured));
		if (paging->measured)
			paging->measured->shape_of = UINT32_MAX;
	}
	return paging->measured;
}

void
measured_forget(struct paging *paging)
{
	if (paging->measured)
		paging->measured->shape_of = UINT32_MAX;
}

static int
grow_spaces(struct paging *paging, uint32_t space)
{
	struct measured *measured = paging->measured;
	size_t room = (size_t)space + 1;
	struct beginning *more;

	if (space < measured->spaces)
		return 0;
	more = reallocarray(measured->start, room, sizeof(*more));
	if (!more)
		return paging_no_memory(paging);
	memset(more + measured->spaces, 0,
	       (room - measured->spaces) * sizeof(*more));
	measured->start = more;
	measured->spaces = room;
	return 0;
}

/* Before it, exec's own faults were predicted, and counted. */
static int
note_start(struct paging *paging, struct address_space *space, size_t figure,
	   uint64_t value)
{
	int error = grow_spaces(paging, space->number);
	struct beginning *start;

	if (error || !figures[figure].growth)
		return error;
	start = &paging->measured->start[space->number];
	start->value[figure] = value;
	start->predicted[figure] = figures[figure].predict(paging, space, NULL);
	return 0;
}

static int
add_row(struct paging *paging, const struct compared *row)
{
	struct measured *measured = paging->measured;

	if (measured->n == measured->room) {
		size_t room = measured->room ? 2 * measured->room : 64;
		struct compared *more =
			reallocarray(measured->row, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		measured->row = more;
		measured->room = room;
	}
	measured->row[measured->n++] = *row;
	return 0;
}

static int
compare(struct paging *paging, struct address_space *space,
	const struct event *event, size_t i)
{
	struct measured *measured = paging->measured;
	const struct figure *figure = &figures[i];
	struct compared row = {
		.space = space->number,
		.figure = (uint8_t)i,
		.measured = event->value - event->extra,
		.disturbed = event->flags & COUNTER_DISTURBED,
	};
	int error = 0;

	if (measured->shape_of != space->number)
		error = ksm_catch_up(paging, event->time_ns);
	if (!error && measured->shape_of != space->number)
		error = shape_take(paging, space, &measured->shape);
	if (error)
		return error;
	measured->shape_of = space->number;
	row.predicted = figure->predict(paging, space, &measured->shape);
	if (figure->growth && space->number < measured->spaces) {
		const struct beginning *start = &measured->start[space->number];

		row.measured -= start->value[i];
		row.predicted -= start->predicted[i];
	}
	if (event->flags & COUNTER_CODELESS)
		row.predicted -= space->fetched;
	return add_row(paging, &row);
}

int
measured_event(struct paging *paging, struct address_space *space,
	       const struct event *event)
{
	const char *name;
	int figure;

	if (event->file == UINT32_MAX ||
	    event->file >= stream_files(paging->stream) ||
	    !(event->flags & (COUNTER_START | COUNTER_END)))
		return 0;
	name = stream_file(paging->stream, event->file)->path;
	if (event->flags & COUNTER_SYSTEM) {
		if (event->flags & COUNTER_START && !strncmp(name, "ksm.", 4))
			ksm_counter(paging, name, event->value);
		return host_counters_event(paging, name, event);
	}
	figure = figure_of(name);
	if (figure < 0)
		return 0;
	if (!measured_get(paging))
		return paging_no_memory(paging);
	return event->flags & COUNTER_START
		       ? note_start(paging, space, (size_t)figure,
				    event->value - event->extra)
		       : compare(paging, space, event, (size_t)figure);
}

/* The model merges, and the host did not: less memory, and other faults. */
static bool
merges_alone(const struct paging *paging)
{
	return paging->ksm && !paging->ksm_host.run;
}

/* The host merged pages of this space, and here nothing told of it. */
static bool
merged_unseen(const struct measured *measured, uint32_t space)
{
	for (size_t i = 0; i < measured->n; i++) {
		const struct compared *row = &measured->row[i];

		if (row->space == space && row->measured && !row->predicted &&
		    figures[row->figure].predict == merged)
			return true;
	}
	return false;
}

/* Why not to compare; NULL: do */
static const char *
reason(const struct paging *paging, const struct compared *row)
{
	const struct figure *figure = &figures[row->figure];
	int policy = paging->config.policy;

	if (figure->missing && !row->predicted && row->measured)
		return figure->missing;
	if (figure->merges && merged_unseen(paging->measured, row->space))
		return "the host merged pages, and which is not known here";
	if (figure->merges && merges_alone(paging))
		return "ksm.run asks for what the host did not do";
	if (row->disturbed)
		return "the recorder's own are in it, and how many is not known";
	if (figure->sizes &&
	    (policy == PAGES_2M || policy == PAGES_1G ||
	     policy == PAGES_BLOCK || paging->config.granule != GRANULE_4K))
		return "pages.policy and pages.granule ask for what the host did not do";
	return NULL;
}

static double
error_of(const struct compared *row)
{
	return (double)row->predicted - (double)row->measured;
}

/*
 * A recorder that reads code ahead maps pages of files that the program would not
 * have had, and tables for them: cc1 had 25 tables alone, as predicted, and 27
 * beside cache's own.
 */
static bool
has_read_ahead(const struct measured *measured, const struct compared *row)
{
	if (figures[row->figure].predict != tables)
		return false;
	for (size_t i = 0; i < measured->n; i++)
		if (measured->row[i].space == row->space &&
		    measured->row[i].disturbed)
			return true;
	return false;
}

static bool
agrees(const struct measured *measured, const struct compared *row)
{
	const struct figure *figure = &figures[row->figure];

	if (row->measured > row->predicted && has_read_ahead(measured, row))
		return row->measured - row->predicted <= AHEAD_MOST;

	return fabs(error_of(row)) <=
	       fmax(figure->tolerance * (double)row->measured,
		    (double)figure->slack);
}

/* The file's name of what the space runs, or NULL */
static const char *
program_of(const struct paging *paging, uint32_t number)
{
	uint32_t program = number < paging->spaces && paging->space[number]
				   ? paging->space[number]->program
				   : 0;
	const char *path, *slash;

	if (!program || program > stream_files(paging->stream))
		return NULL;
	path = stream_file(paging->stream, program - 1)->path;
	slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int
put_row(const struct paging *paging, const struct compared *row,
	struct result *result)
{
	const struct figure *figure = &figures[row->figure];
	const struct space *space = stream_space(paging->stream, row->space);
	const char *program = program_of(paging, row->space);
	const char *why = reason(paging, row);
	char tolerance[32] = "exact";

	if (figure->tolerance > 0)
		snprintf(tolerance, sizeof(tolerance), "%g %%%s%s",
			 figure->tolerance * 100, figure->slack ? " or " : "",
			 figure->slack ? figure->slack_text : "");
	else if (has_read_ahead(paging->measured, row))
		snprintf(tolerance, sizeof(tolerance), AHEAD_TEXT);
	if (why)
		return result_row(result, "validate", "usnunssssss",
				  (uint64_t)space->pid, figure->name,
				  row->measured, tolerance, "not compared",
				  figure->counter, figure->unit, why, program);
	return result_row(result, "validate", "usuudssssss",
			  (uint64_t)space->pid, figure->name, row->predicted,
			  row->measured, error_of(row), tolerance,
			  agrees(paging->measured, row) ? "yes" : "no",
			  figure->counter, figure->unit, NULL, program);
}

int
measured_finish(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = {
		"process:", "figure:",	  "predicted:", "measured:",
		"error:",   "tolerance:", "pass:",	"counter:",
		"unit:",    "reason:",	  "program:",	NULL,
	};
	const struct measured *measured = paging->measured;
	uint64_t n[3] = { 0 }; /* passed, differ, not compared */
	int error;

	if (!measured || !measured->n)
		return 0;
	error = result_table(
		result, "validate",
		"What was predicted beside what the kernel counted "
		"in the recorded run",
		columns);
	for (size_t i = 0; !error && i < measured->n; i++) {
		const struct compared *row = &measured->row[i];

		n[reason(paging, row) ? 2 : !agrees(paging->measured, row)]++;
		error = put_row(paging, row, result);
	}
	if (!error)
		error = result_count(result, "validate.passed", n[0],
				     "figures");
	if (!error)
		error = result_count(result, "validate.differs", n[1],
				     "figures");
	return error ? error
		     : result_count(result, "validate.not-compared", n[2],
				    "figures");
}
