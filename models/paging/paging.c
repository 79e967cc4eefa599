// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel part as a whole: spaces, sums, and what goes into the result. */
#include "models/paging/space.h"

#include "analyzer/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const policies[] = { "recorded",    "4k",	  "2m",
					"1g",	       "thp",	  "reservation",
					"utilisation", "buckets", "block",
					NULL };

/* enum pages_granule */
static const char *const granules[] = { "4k", "16k", "64k", NULL };

/* enum zero_page */
static const char *const zero_pages[] = { "recorded", "yes", "no", NULL };

/* enum host_swap */
static const char *const host_swaps[] = { "recorded", "yes", "no", NULL };

const struct option_row paging_rows[] = {
	{ .name = "policy",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct paging_config, policy),
	  .fallback = "recorded",
	  .choices = policies,
	  .help = "Which page sizes the kernel chooses; block: all of the "
		  "size that an entry above the last level maps, 2M, 32M or "
		  "512M by pages.granule" },
	{ .name = "granule",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct paging_config, granule),
	  .fallback = "4k",
	  .choices = granules,
	  .help = "Least page, and page of the radix table (AArch64); of 16k "
		  "and 64k, sizes 4k, 2m and 1g of tlb.* are the least, 2M "
		  "(contiguous entries) and the block of 32M or 512M" },
	{ .name = "fault-around",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct paging_config, fault_around_bytes),
	  .fallback = "64K",
	  .max = 2 << 20,
	  .unit = "bytes",
	  .help = "Window of cached file pages that one fault maps" },
	{ .name = "zero-page",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct paging_config, zero_page),
	  .fallback = "recorded",
	  .choices = zero_pages,
	  .help = "Anonymous pages read first map the shared zero page; "
		  "recorded: as on the trace's host" },
	{ .name = "list",
	  .type = OPTION_INT,
	  .offset = offsetof(struct paging_config, list),
	  .fallback = "0",
	  .min = 0,
	  .max = 1000000000,
	  .unit = "faults",
	  .help = "Predicted faults to list one by one in the table "
		  "faults.list" },
	{ .name = "swap",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct paging_config, swap),
	  .fallback = "recorded",
	  .choices = host_swaps,
	  .help = "There is swap for MADV_PAGEOUT; recorded: as on the "
		  "trace's host" },
	{ .name = "page-cluster",
	  .type = OPTION_INT,
	  .offset = offsetof(struct paging_config, page_cluster),
	  .fallback = "-1",
	  .min = -1,
	  .max = 5,
	  .help = "Of swap 2^N pages at most are read at once, as "
		  "vm.page-cluster (0: one by one; zram's that nobody shares "
		  "always are); -1: as on the trace's host, else 3" },
	{ 0 },
};

/* enum files_cache */
static const char *const files_caches[] = { "recorded", "warm", "cold", NULL };

const struct option_row files_rows[] = {
	{ .name = "cache",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct files_config, cache),
	  .fallback = "recorded",
	  .choices = files_caches,
	  .help = "What of a file is in the page cache when it is first "
		  "mapped; recorded: what the trace says, else all (warm)" },
	{ .name = "read-ahead",
	  .type = OPTION_INT,
	  .offset = offsetof(struct files_config, read_ahead),
	  .fallback = "-1",
	  .min = -1,
	  .max = 1 << 20,
	  .unit = "KiB",
	  .help = "How far files are read ahead, as a device's read_ahead_kb; "
		  "-1: as recorded, or 128 where the trace does not tell" },
	{ 0 },
};

/* Order and names of enum fault_class. */
static const char *const class_names[FAULT_CLASSES] = {
	"anon",	  "zero",  "zero-cow", "cow",	     "reuse", "file",
	"shared", "stack", "unmapped", "swap-cache", "swap",  "read",
};

static const struct timeline_series table_series[] = {
	{ "bytes", "bytes", TIMELINE_GAUGE },
};

static const struct timeline_series foot_series[] = {
	{ "resident", "bytes", TIMELINE_GAUGE },
	{ "tables", "bytes", TIMELINE_GAUGE },
};

const char *
paging_class_name(unsigned class)
{
	return class_names[class];
}

void
paging_say_no_memory(const struct paging *paging)
{
	fail(ENOMEM,
	     "pages: no memory for another page after %ju bytes (memory.size "
	     "too small? with reclaim.policy=linux pages leave when it is full)",
	     (uintmax_t)frames_used(paging->frames));
}

static const struct timeline_series file_series[] = {
	{ "cached", "bytes", TIMELINE_GAUGE },
	{ "read", "pages", TIMELINE_COUNTER },
};

static int
timelines_open(struct paging *paging)
{
	struct timeline_series series[FAULT_CLASSES];
	int error;

	for (size_t i = 0; i < FAULT_CLASSES; i++)
		series[i] = (struct timeline_series){ class_names[i], "faults",
						      TIMELINE_COUNTER };
	error = timeline_open(&paging->fault_line, series, FAULT_CLASSES, 0);
	if (!error)
		error = timeline_open(&paging->foot_line, foot_series,
				      ARRAY_SIZE(foot_series), 0);
	if (!error)
		error = timeline_open(&paging->table_line, table_series,
				      ARRAY_SIZE(table_series), 0);
	if (!error)
		error = timeline_open(&paging->file_line, file_series,
				      ARRAY_SIZE(file_series), 0);
	return error;
}

/* What the trace says of its host; NULL: nothing. */
const char *
recorded_host(const struct stream *stream, const char *name)
{
	const json_t *host = json_object_get(stream_about(stream), "host");

	return json_string_value(json_object_get(host, name));
}

/* A trace of no host, or of one that was not asked, is of a usual one. */
static bool
recorded_zero_page(const struct stream *stream)
{
	const char *text = recorded_host(stream, "zero page");

	return !text || strncmp(text, "no", 2);
}

int
paging_open(struct paging **out, const struct paging_config *config,
	    const struct stream *stream, struct frames *frames,
	    const struct table_ops *table_ops, const struct table_with *tables,
	    const struct paging_listener *listener)
{
	struct paging *paging = calloc(1, sizeof(*paging));
	uint64_t around = config->fault_around_bytes;
	int error;

	if (!paging)
		return fail(ENOMEM, "pages: out of memory");
	paging->config = *config;
	if (config->policy == PAGES_BLOCK && config->granule == GRANULE_4K)
		paging->config.policy = PAGES_2M;
	/* As mm/memory.c: rounded down to a power of two, at least a page. */
	if (around < PAGE_BYTES)
		around = PAGE_BYTES;
	paging->config.fault_around_bytes = UINT64_C(1)
					    << (63 - __builtin_clzll(around));
	paging->stream = stream;
	paging->zero_page = config->zero_page == ZERO_PAGE_RECORDED
				    ? recorded_zero_page(stream)
				    : config->zero_page == ZERO_PAGE_YES;
	paging->cache_known = config->files.cache == FILES_COLD;
	swap_open(paging);
	paging->frames = frames;
	paging->table_ops = table_ops;
	if (tables)
		paging->table_with = *tables;
	paging->table_with.frames = frames;
	paging->table_with.shared = &paging->table_shared;
	if (listener)
		paging->listener = *listener;
	error = timelines_open(paging);
	if (!error)
		error = region_first(paging);
	if (!error)
		error = huge_open(paging);
	if (!error)
		error = fault_log_open(paging);
	if (!error)
		error = huge_line_open(paging);
	if (!error)
		error = hugetlb_open(paging);
	if (error) {
		paging_close(paging);
		return error;
	}
	*out = paging;
	return 0;
}

static void
space_close(struct paging *paging, struct address_space *space)
{
	if (!space)
		return;
	paging->table_ops->close(space->table);
	vma_fini(&space->vmas);
	pageset_fini(&space->pages);
	hash_fini(&space->large);
	hash_fini(&space->swapped);
	hash_fini(&space->used);
	hash_fini(&space->brought);
	hash_fini(&space->reserved);
	hash_fini(&space->wanted);
	hash_fini(&space->heat);
	hash_fini(&space->recent);
	free(space);
}

void
paging_close(struct paging *paging)
{
	if (!paging)
		return;
	for (size_t i = 0; i < paging->spaces; i++)
		space_close(paging, paging->space[i]);
	free(paging->space);
	for (size_t i = 0; i < paging->objects; i++)
		object_fini(&paging->object[i]);
	free(paging->object);
	for (size_t i = 0; i < paging->regions; i++)
		free(paging->region[i].name);
	free(paging->region);
	hash_fini(&paging->owners);
	swap_fini(&paging->swap);
	hash_fini(&paging->file_object);
	hash_fini(&paging->file_region);
	timeline_close(paging->fault_line);
	timeline_close(paging->file_line);
	timeline_close(paging->foot_line);
	timeline_close(paging->table_line);
	measured_close(paging->measured);
	host_counters_close(paging->host_counters);
	ksm_close(paging->ksm);
	fault_log_close(paging->log);
	sharing_close(paging->sharing);
	timeline_close(paging->huge.line);
	compact_fini(paging);
	hugetlb_fini(paging);
	hash_fini(&paging->kernel_frame);
	free(paging->huge.reservation);
	free(paging);
}

/* log2 of what all pages are in granules over 4K, which are what-ifs. */
static unsigned
granule_pages(const struct paging_config *config)
{
	unsigned granule = paging_granule(config);

	if (granule > PAGE_SHIFT && config->policy == PAGES_2M)
		return LARGE_SHIFT;
	if (granule > PAGE_SHIFT && config->policy == PAGES_BLOCK)
		return granule + granule - 3;
	return granule;
}

static int
space_open(struct paging *paging, uint32_t number, struct address_space **out)
{
	struct address_space *space = calloc(1, sizeof(*space));
	int error;

	if (!space)
		return paging_no_memory(paging);
	paging->table_with.space = number;
	error = paging->table_ops->open(&space->table, &paging->table_with);
	if (error) {
		free(space);
		return error;
	}
	space->number = number;
	space->granule = granule_pages(&paging->config);
	space->nowhere = (struct vma){ .end = UINT64_MAX,
				       .object = OBJECT_NONE,
				       .flags = MAP_RIGHTS | VMA_UNMAPPED,
				       .region = REGION_ANON };
	*out = paging->space[number] = space;
	return 0;
}

int
space_get(struct paging *paging, uint32_t number, struct address_space **out)
{
	if (number >= paging->spaces) {
		size_t room = (size_t)number + 1;
		struct address_space **more =
			reallocarray(paging->space, room,
				     sizeof(struct address_space *));

		if (!more)
			return paging_no_memory(paging);
		for (size_t i = paging->spaces; i < room; i++)
			more[i] = NULL;
		paging->space = more;
		paging->spaces = room;
	}
	if (!paging->space[number])
		return space_open(paging, number, out);
	*out = paging->space[number];
	return 0;
}

struct table *
paging_table(struct paging *paging, uint32_t number)
{
	struct address_space *space = NULL;

	return space_get(paging, number, &space) < 0 || !space ? NULL
							       : space->table;
}

bool
paging_is_alive(const struct paging *paging)
{
	for (size_t i = 0; i < paging->spaces; i++)
		if (paging->space[i] &&
		    (paging->space[i]->pages.n || paging->space[i]->large.n))
			return true;
	return false;
}

static uint64_t
table_bytes(const struct paging *paging, const struct address_space *space)
{
	return paging->table_ops->bytes(space->table) +
	       space->deposited * PAGE_BYTES;
}

uint64_t
paging_table_bytes(const struct paging *paging, uint32_t space)
{
	return space < paging->spaces && paging->space[space]
		       ? table_bytes(paging, paging->space[space])
		       : 0;
}

/* Frames of its table; of one that maps nothing, and so is only a root, none. */
static void
account_taken(struct paging *paging, struct address_space *space)
{
	struct table_taken taken = { 0, 0 };

	if (space->table_bytes || !space->table->levels) {
		table_taken_add(space->table, &taken);
		taken.n += space->deposited;
		taken.bytes += space->deposited * PAGE_BYTES;
	}
	paging->taken.n += taken.n - space->taken.n;
	paging->taken.bytes += taken.bytes - space->taken.bytes;
	space->taken = taken;
	if (paging->taken_peak < paging->taken.bytes)
		paging->taken_peak = paging->taken.bytes;
}

void
space_account(struct paging *paging, struct address_space *space)
{
	uint64_t bytes = table_bytes(paging, space);

	paging->table_bytes += bytes - space->table_bytes;
	space->table_bytes = bytes;
	account_taken(paging, space);
	if (paging->table_peak < paging->table_bytes)
		paging->table_peak = paging->table_bytes;
	timeline_set(paging->foot_line, 0, paging->now, paging->resident_bytes);
	timeline_set(paging->foot_line, 1, paging->now, paging->table_bytes);
	timeline_set(paging->table_line, 0, paging->now, paging->table_bytes);
}

void
space_stale(struct paging *paging, const struct address_space *space,
	    uint64_t address, uint64_t length)
{
	if (paging->listener.invalidate)
		paging->listener.invalidate(paging->listener.context,
					    space->number, address, length);
}

void
count_fault(struct paging *paging, const struct vma *vma,
	    enum fault_class class)
{
	paging->faults[class]++;
	paging->region[vma->region].faults[class]++;
	timeline_add(paging->fault_line, class, paging->now, 1);
}

void
paging_touch(struct paging *paging, uint32_t number, uint64_t address)
{
	paging->touch_reported = true;
	/* Until pages come ahead of their touch, faults say it all. */
	if (!paging->untouched_pages)
		return;
	if (number < paging->spaces && paging->space[number] &&
	    pageset_touch(&paging->space[number]->pages, address))
		paging->touched_pages++;
}

uint64_t
paging_minor(const struct paging *paging, bool populated)
{
	uint64_t minor = populated ? paging->populated : 0;

	for (size_t i = 0; i < FAULT_MINOR_CLASSES; i++)
		minor += paging->faults[i];
	return minor;
}

bool
paging_is_zero(const struct paging *paging, uint64_t frame)
{
	return frame == paging->zero_frame;
}

uint64_t
paging_swap_faults(const struct paging *paging)
{
	return paging->faults[FAULT_SWAP];
}

uint64_t
paging_major(const struct paging *paging)
{
	uint64_t major = 0;

	for (size_t i = FAULT_MINOR_CLASSES; i < FAULT_CLASSES; i++)
		major += paging->faults[i];
	return major;
}

uint64_t
paging_resident_bytes(const struct paging *paging)
{
	return paging->resident_bytes;
}

uint64_t
paging_entries_written(const struct paging *paging)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < paging->spaces; i++)
		if (paging->space[i])
			sum += paging->space[i]->table->counts.map_writes +
			       paging->space[i]->table->counts.unmap_writes;
	return sum;
}

int
paging_time(struct paging *paging, uint64_t time_ns, uint64_t accesses)
{
	int error;

	paging->now = accesses;
	error = promote_tick(paging, time_ns);
	if (!error)
		error = khugepaged_run(paging, time_ns);
	if (paging->huge.watching)
		coverage_note(paging);
	return error ? error : ksm_run(paging, time_ns);
}

uint64_t
paging_next(const struct paging *paging)
{
	/* khugepaged's, or that of a policy: there is never both */
	uint64_t huge = paging->huge.next_ns, ksm = ksm_next(paging);

	huge = huge ? huge : UINT64_MAX;
	return huge < ksm ? huge : ksm;
}

static int
put_faults(const struct paging *paging, struct result *result)
{
	char name[64];
	int error = result_count(result, "fault.minor",
				 paging_minor(paging, false), "faults");

	if (!error && (paging->swap.outs || paging->cache_known ||
		       paging->listener.swapped))
		error = result_count(result, "fault.major",
				     paging_major(paging), "faults");
	else if (!error)
		error = result_absent(result, "fault.major",
				      "files are taken to be in the page "
				      "cache and memory to be enough");
	for (size_t i = 0; !error && i < FAULT_CLASSES; i++) {
		snprintf(name, sizeof(name), "fault.%s", class_names[i]);
		error = result_count(result, name, paging->faults[i], "faults");
	}
	if (!error)
		error = result_count(result, "fault.populated",
				     paging->populated, "faults");
	if (!error)
		error = result_count(result, "fault.protection",
				     paging->protection, "faults");
	return error;
}

static int
put_recorded(const struct paging *paging, struct result *result)
{
	static const char *const names[] = { "fault.recorded.minor",
					     "fault.recorded.major" };
	const uint64_t counts[] = { paging->recorded_minor,
				    paging->recorded_major };
	bool any = paging->recorded_minor || paging->recorded_major;
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(names); i++)
		error = any ? result_count(result, names[i], counts[i],
					   "faults")
			    : result_absent(result, names[i],
					    "the trace has no page faults of "
					    "the kernel");
	return error;
}

/* Is there one beside the tables that are counted? */
static bool
has_root(const struct paging *paging)
{
	for (size_t i = 0; i < paging->spaces; i++)
		if (paging->space[i])
			return paging->space[i]->table->levels;
	return false;
}

/* Entries written, and what the kind counts. */
static int
put_table_counts(const struct paging *paging, struct result *result)
{
	const struct table_value *value = paging->table_ops->values;
	uint64_t own[TABLE_VALUES_MAX] = { 0 };
	struct table_counts sum = { 0 };
	int error;

	for (size_t i = 0; i < paging->spaces; i++) {
		const struct table *table =
			paging->space[i] ? paging->space[i]->table : NULL;

		if (!table)
			continue;
		sum.map_writes += table->counts.map_writes;
		sum.unmap_writes += table->counts.unmap_writes;
		sum.moves += table->counts.moves;
		sum.resizes += table->counts.resizes;
		if (value)
			paging->table_ops->count(table, own);
	}
	error = result_count(result, "table.map.writes", sum.map_writes,
			     "entries");
	if (!error)
		error = result_count(result, "table.unmap.writes",
				     sum.unmap_writes, "entries");
	if (!error)
		error = result_count(result, "table.moves", sum.moves,
				     "entries");
	if (!error)
		error = result_count(result, "table.resizes", sum.resizes,
				     "resizes");
	for (size_t i = 0; !error && value && value[i].name; i++)
		error = result_count(result, value[i].name, own[i],
				     value[i].unit);
	return error;
}

/* Pages of the tables, and of their roots, which bytes leave out as the
 * kernel's VmPTE does. */
static int
put_table_pages(const struct paging *paging, struct result *result,
		uint64_t tables, bool ended)
{
	uint64_t pages =
		tables >> (has_root(paging) ? paging_granule(&paging->config)
					    : PAGE_SHIFT);

	if (ended)
		pages += tables > 0 && has_root(paging);
	for (size_t i = 0; !ended && i < paging->spaces; i++)
		pages += paging->space[i] && paging->space[i]->table_bytes &&
			 has_root(paging);
	return result_count(result, "table.pages", pages, "pages");
}

/* Where they lie: frames of whatever size, roots and copies with them. */
static int
put_table_frames(const struct paging *paging, struct result *result, bool ended)
{
	const struct table_taken *taken =
		ended ? &paging->last_taken : &paging->taken;
	unsigned copies = frames_table_copies(paging->frames);
	int error = result_count(result, "table.frame.count", taken->n * copies,
				 "frames");

	if (!error)
		error = result_count(result, "table.frame.bytes",
				     taken->bytes * copies, "bytes");
	return error ? error
		     : result_count(result, "table.frame.bytes.peak",
				    paging->taken_peak * copies, "bytes");
}

static int
put_footprint(const struct paging *paging, struct result *result)
{
	/* Where the last process has ended: as it was just before. */
	bool ended = !paging_is_alive(paging);
	uint64_t tables = ended ? paging->last_table : paging->table_bytes;
	uint64_t bytes = ended ? paging->last_resident : paging->resident_bytes;
	int error = result_count(result, "table.bytes", tables, "bytes");

	if (!error)
		error = result_count(result, "table.bytes.peak",
				     paging->table_peak, "bytes");
	if (!error)
		error = put_table_pages(paging, result, tables, ended);
	if (!error)
		error = put_table_frames(paging, result, ended);
	if (!error)
		error = put_table_counts(paging, result);
	if (!error && paging->large_pages)
		error = result_absent(result, "footprint.pages",
				      "large pages hide which 4K pages are "
				      "touched");
	else if (!error && paging->untouched_pages && !paging->touch_reported)
		error = result_absent(result, "footprint.pages",
				      "pages were mapped ahead of their touch");
	else if (!error)
		error = result_count(result, "footprint.pages",
				     paging->touched_pages, "pages");
	if (!error)
		error = result_count(result, "footprint.bytes", bytes, "bytes");
	if (!error)
		error = result_count(result, "footprint.bytes.peak",
				     paging->resident_peak, "bytes");
	if (!error)
		error = result_text(
			result, "paging.mappings",
			paging->mapping_events
				? "recorded"
				: "none recorded: all memory is taken "
				  "to be anonymous");
	return error;
}

static int
put_regions(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = {
		"mapping:",	"faults:faults",   "anon:faults",
		"zero:faults",	"zero-cow:faults", "cow:faults",
		"reuse:faults", "file:faults",	   "shared:faults",
		"stack:faults", "unmapped:faults", "swap-cache:faults",
		"swap:faults",	"read:faults",	   NULL,
	};
	int error =
		result_table(result, "faults.mappings",
			     "Predicted faults by mapping and class", columns);

	for (size_t i = 0; !error && i < paging->regions; i++) {
		const uint64_t *n = paging->region[i].faults;
		uint64_t all = 0;

		for (size_t k = 0; k < FAULT_CLASSES; k++)
			all += n[k];
		if (all)
			error = result_row(result, "faults.mappings",
					   "suuuuuuuuuuuuu",
					   paging->region[i].name, all, n[0],
					   n[1], n[2], n[3], n[4], n[5], n[6],
					   n[7], n[8], n[9], n[10], n[11]);
	}
	return error;
}

/* What was read of files, and the page cache */
static int
put_files(const struct paging *paging, uint64_t accesses, struct result *result)
{
	uint64_t read = 0, ahead = 0, used = 0;
	int error = paging->copied_bytes
			    ? result_count(result, "io.copied.bytes",
					   paging->copied_bytes, "bytes")
			    : 0;

	if (error || !paging->cache_known)
		return error;
	for (size_t i = 0; i < paging->objects; i++) {
		read += paging->object[i].cache.read_pages;
		ahead += paging->object[i].cache.ahead_pages;
		used += paging->object[i].cache.ahead_used;
	}
	error = result_count(result, "files.read.pages", read, "pages");
	if (!error)
		error = result_count(result, "files.read-ahead.pages", ahead,
				     "pages");
	if (!error)
		error = result_count(result, "files.read-ahead.used", used,
				     "pages");
	if (!error)
		error = result_count(result, "files.cached.bytes",
				     paging->cached_pages << PAGE_SHIFT,
				     "bytes");
	if (!error)
		error = result_count(result, "files.cached.bytes.peak",
				     paging->cached_peak << PAGE_SHIFT,
				     "bytes");
	return error ? error
		     : timeline_finish(paging->file_line, accesses, result,
				       "files.time",
				       "Page cache of the files that were "
				       "mapped, and pages read, over the run");
}

/* What of the real pages the replay took over */
static int
put_resident(const struct paging *paging, struct result *result)
{
	int error = 0;

	if (paging->recorded_large)
		error = result_count(result, "pages.recorded.large",
				     paging->recorded_large, "pages");
	if (!error && frames_recorded(paging->frames))
		error = result_count(result, "frames.recorded",
				     paging->recorded_frames, "pages");
	if (!error && frames_recorded(paging->frames))
		error = result_count(result, "frames.recorded.taken",
				     paging->recorded_taken, "pages");
	return error;
}

int
paging_finish(struct paging *paging, uint64_t accesses, struct result *result)
{
	int error = put_faults(paging, result);

	if (!error)
		error = put_recorded(paging, result);
	if (!error)
		error = put_footprint(paging, result);
	if (!error)
		error = timeline_finish(paging->fault_line, accesses, result,
					"faults.time",
					"Predicted faults over the run");
	if (!error)
		error = timeline_finish(paging->foot_line, accesses, result,
					"footprint.time",
					"Memory in use over the run");
	if (!error)
		error = timeline_finish(paging->table_line, accesses, result,
					"table.time",
					"Page-table bytes over the run");
	if (!error)
		error = put_resident(paging, result);
	if (!error)
		error = swap_finish(paging, result);
	if (!error)
		error = put_files(paging, accesses, result);
	if (!error)
		error = huge_finish(paging, accesses, result);
	if (!error)
		error = hugetlb_finish(paging, result);
	if (!error)
		error = put_regions(paging, result);
	if (!error)
		error = fault_log_finish(paging, result);
	if (!error)
		error = sharing_look(paging);
	if (!error)
		error = sharing_finish(paging, result);
	if (!error)
		error = ksm_finish(paging, accesses, result);
	if (!error)
		error = measured_finish(paging, result);
	if (!error)
		error = host_counters_finish(paging, result);
	return error;
}
