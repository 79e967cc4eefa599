// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a machine's options come together: presets, files, assignments; and
 * whether the whole makes sense.  What is wrong only in combination (sets and
 * ways) is found after all layers are in; so that the message still names the
 * place, the layers are searched backwards for who set the option.
 */
#include "models/machine.h"

#include <dirent.h>
#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/config-file.h"
#include "analyzer/fail.h"

#define SUFFIX ".cfg"

/* The layers of a configuration, lowest first. */
struct layers {
	const char *preset, *path; /* files, or NULL */
	char *const *sets;	   /* or NULL */
	char *const *own;	   /* above them, or NULL */
	const char *where;	   /* who says own */
};

/* Named by the environment; beside a program that is not installed; else where
 * make install puts them. */
static void
presets_directory(char *path, size_t bytes)
{
	const char *named = getenv("PAGESCOPE_PRESETS");
	char program[PATH_MAX], *slash;
	ssize_t n;

	if (named && named[0]) {
		snprintf(path, bytes, "%s", named);
		return;
	}
	n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (n > 0) {
		program[n] = '\0';
		slash = strrchr(program, '/');
		*slash = '\0';
		if (snprintf(path, bytes, "%s/models/presets", program) <
			    (int)bytes &&
		    !access(path, R_OK))
			return;
	}
	snprintf(path, bytes, "%s", PRESETS_DIR);
}

static bool
file_line(const char *path, const char *option, char *where, size_t bytes)
{
	const config_setting_t *setting;
	config_t parsed;
	bool found = false;

	config_init(&parsed);
	if (config_read_file(&parsed, path)) {
		setting = config_lookup(&parsed, option);
		if (setting) {
			snprintf(where, bytes, "%s:%u: ", path,
				 config_setting_source_line(setting));
			found = true;
		}
	}
	config_destroy(&parsed);
	return found;
}

/* The last assignment to this option, or NULL. */
static const char *
find_set(char *const *sets, const char *option)
{
	size_t n = 0, length = strlen(option);

	while (sets && sets[n])
		n++;
	while (n--)
		if (!strncmp(sets[n], option, length) && sets[n][length] == '=')
			return sets[n];
	return NULL;
}

/* Where an option got its value, as the start of a message; "" by default. */
static void
find_origin(const struct layers *layers, const char *option, char *where,
	    size_t bytes)
{
	const char *set = find_set(layers->sets, option);

	where[0] = '\0';
	if (find_set(layers->own, option)) {
		snprintf(where, bytes, "%s: ", layers->where);
		return;
	}
	if (set) {
		snprintf(where, bytes, "--set %s: ", set);
		return;
	}
	if (layers->path && file_line(layers->path, option, where, bytes))
		return;
	if (layers->preset)
		file_line(layers->preset, option, where, bytes);
}

/* One field of a part is wrong: say who set it, or its sibling. */
static int
wrong(const struct layers *layers, const char *part, const char *field,
      const char *allowed)
{
	static const char *const siblings[] = { "entries",     "size",
						"ways",	       "line",
						"replacement", "start",
						"order",       "buddyinfo" };
	char option[128], where[512], sibling[128];

	snprintf(option, sizeof(option), "%s.%s", part, field);
	find_origin(layers, option, where, sizeof(where));
	for (size_t i = 0; !where[0] && i < ARRAY_SIZE(siblings); i++) {
		snprintf(sibling, sizeof(sibling), "%s.%s", part, siblings[i]);
		find_origin(layers, sibling, where, sizeof(where));
	}
	return fail(strncmp(where, "--", 2) ? EINVAL : EUSAGE, "%s%s: %s",
		    where, option, allowed);
}

/* The same where the whole name of the option is known. */
static int
wrong_option(const struct layers *layers, const char *option, const char *text)
{
	char where[512];

	find_origin(layers, option, where, sizeof(where));
	return fail(strncmp(where, "--set ", 6) ? EINVAL : EUSAGE, "%s%s: %s",
		    where, option, text);
}

static int
check_tlb(const struct layers *layers, const struct tlb_config *config,
	  const char *part)
{
	const char *field;
	char text[256];

	return tlb_config_wrong(config, &field, text, sizeof(text))
		       ? wrong(layers, part, field, text)
		       : 0;
}

static int
check_caches(const struct layers *layers, const struct hierarchy_config *config)
{
	const struct {
		const struct cache_config *cache;
		const char *part;
	} all[] = {
		{ &config->l1d, "cache.l1d" },
		{ &config->l1i, "cache.l1i" },
		{ &config->l2, "cache.l2" },
		{ &config->l3, "cache.l3" },
	};
	const char *field;
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (cache_config_wrong(all[i].cache, &field, text,
				       sizeof(text)))
			return wrong(layers, all[i].part, field, text);
	return hierarchy_config_wrong(config, &field, text, sizeof(text))
		       ? wrong_option(layers, field, text)
		       : 0;
}

static int
check_frames(const struct layers *layers, const struct frames_config *config)
{
	const char *field;
	char text[256];

	return frames_config_wrong(config, &field, text, sizeof(text))
		       ? wrong(layers, "memory", field, text)
		       : 0;
}

static int
check_huge(const struct layers *layers, const struct machine_config *config)
{
	const char *field, *allowed;

	allowed = huge_config_wrong(&config->paging.huge, &field);
	return allowed ? wrong(layers, "pages", field, allowed) : 0;
}

static int
check_palette(const struct layers *layers, const struct machine_config *config)
{
	struct palette_config palette = config->frames.palette;
	const char *field;
	char text[256];

	palette.page = paging_granule(&config->paging);
	return palette_config_wrong(&palette, machine_colours(config), &field,
				    text, sizeof(text))
		       ? wrong(layers, "memory", field, text)
		       : 0;
}

static int
check_numa(const struct layers *layers, const struct machine_config *config)
{
	const char *field;
	char text[512];

	if (numa_config_wrong(&config->numa, &field, text, sizeof(text)))
		return wrong(layers, "numa", field, text);
	if (config->frames.size_bytes &&
	    config->frames.size_bytes >> 12 < (uint64_t)config->numa.nodes) {
		snprintf(text, sizeof(text),
			 "%ju bytes are less than a page for each of %jd "
			 "nodes; allowed: from %jd",
			 (uintmax_t)config->frames.size_bytes,
			 (intmax_t)config->numa.nodes,
			 (intmax_t)config->numa.nodes * 4096);
		return wrong(layers, "memory", "size", text);
	}
	return 0;
}

uint64_t
machine_colours(const struct machine_config *config)
{
	return cache_colours(config->frames.palette.cache
				     ? &config->hierarchy.l3
				     : &config->hierarchy.l2);
}

static int
check_table(const struct layers *layers, const struct machine_config *config)
{
	const char *kind = config->table_kind ? config->table_kind : "";
	const struct table_ops *ops = table_find(kind);
	struct tables_config tables = config->tables;
	const char *field = "kind";
	char text[256];

	tables.memory_bytes = config->frames.size_bytes;
	if (ops) {
		if (!ops->wrong || !ops->wrong(&tables, &tables.own, &field,
					       text, sizeof(text)))
			return 0;
		return wrong(layers, "table", field, text);
	}
	snprintf(text, sizeof(text), "\"%s\"; allowed:", kind);
	for (size_t i = 0; table_registry[i]; i++) {
		size_t length = strlen(text);

		snprintf(text + length, sizeof(text) - length, " %s",
			 table_registry[i]->name);
	}
	return wrong(layers, "table", "kind", text);
}

static bool
is_flat(const char *kind)
{
	return kind && !strcmp(kind, "flat");
}

/* What is not there with pages of 16K and 64K. */
static int
check_granule(const struct layers *layers, const struct machine_config *config)
{
	const struct tables_config *tables = &config->tables;
	bool nested = !strcmp(config->table_kind, "nested");
	bool shadow = !strcmp(config->table_kind, "shadow");
	const char *kinds = "all but flat (its merged levels are of 4K tables)";
	const struct {
		bool wrong;
		const char *option, *allowed;
	} all[] = {
		{ is_flat(config->table_kind), "table.kind", kinds },
		{ nested && is_flat(tables->nested.guest), "table.nested.guest",
		  kinds },
		{ nested && is_flat(tables->nested.host), "table.nested.host",
		  kinds },
		{ shadow && is_flat(tables->shadow.guest), "table.shadow.guest",
		  kinds },
		{ shadow && is_flat(tables->shadow.shadow),
		  "table.shadow.shadow", kinds },
		{ tables->own.radix.levels > 4, "table.levels", "3, 4" },
		{ (nested || shadow) && tables->host.radix.levels > 4,
		  "table.host.levels", "3, 4" },
		{ config->paging.policy == PAGES_1G, "pages.policy",
		  "recorded, 4k, 2m, block (1G is 32 contiguous blocks of 32M of "
		  "16k, which are not modelled; 64k has none)" },
		{ config->paging.policy > PAGES_4K &&
			  config->paging.policy != PAGES_2M &&
			  config->paging.policy != PAGES_BLOCK,
		  "pages.policy",
		  "recorded, 4k, 2m, block (this policy makes 2M of 512 "
		  "pages of 4K; a block here is 32M or 512M)" },
	};
	char text[256];

	if (config->paging.granule == GRANULE_4K)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(text, sizeof(text),
			 "not with a pages.granule of 16k or 64k; allowed: %s",
			 all[i].allowed);
		if (all[i].wrong)
			return wrong_option(layers, all[i].option, text);
	}
	return 0;
}

/* What cannot be with pages that leave. */
static int
check_bound(const struct layers *layers, const struct machine_config *config)
{
	const char *region = config->bound.region;
	uint64_t from, to;
	bool code;

	return region && *region &&
			       !bound_region_parse(region, &from, &to, &code)
		       ? wrong_option(
				 layers, "bound.region",
				 "all, PC-PC (hexadecimal) or N..N, the first below the second")
		       : 0;
}

static int
check_reclaim(const struct layers *layers, const struct machine_config *config)
{
	const struct {
		bool wrong;
		const char *option, *allowed;
	} all[] = {
		{ config->paging.policy > PAGES_4K &&
			  config->paging.policy != PAGES_THP,
		  "pages.policy",
		  "recorded, 4k, thp (which brings 2M where Linux would)" },
		{ config->paging.policy == PAGES_THP &&
			  !driver_takes_folios(&config->reclaim),
		  "pages.policy",
		  "recorded, 4k; thp with reclaim.policy=linux, lru, fifo" },
		{ config->paging.granule != GRANULE_4K, "pages.granule", "4k" },
		{ config->numa.data == NUMA_MIGRATE, "numa.data",
		  "all but migrate" },
		{ config->frames.order > FRAMES_RANDOM, "memory.order",
		  "ascending, random" },
		{ !strcmp(config->table_kind, "inverted"), "table.kind",
		  "all but inverted" },
	};
	const char *field;
	char text[256];

	if (driver_config_wrong(&config->reclaim, config->frames.size_bytes,
				&field, text, sizeof(text)))
		return wrong_option(layers, field, text);
	for (size_t i = 0;
	     driver_wanted(&config->reclaim) && i < ARRAY_SIZE(all); i++) {
		snprintf(text, sizeof(text),
			 "not while reclaim.policy=%s lets pages leave; "
			 "allowed: %s",
			 config->reclaim.policy, all[i].allowed);
		if (all[i].wrong)
			return wrong_option(layers, all[i].option, text);
	}
	return 0;
}

/* Whose entries come and go page by page. */
static int
check_prefetch(const struct layers *layers, const struct core_config *core)
{
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		if (core->beside.prefetch.kind == PREFETCH_RECENCY &&
		    (core->tlb[i].sector > 1 || core->tlb[i].coalesce > 1))
			return wrong_option(
				layers, "tlb.prefetch.kind",
				"recency is not with entries of "
				"several pages (sector, coalesce); "
				"allowed: none, sequential, stride, "
				"distance");
	return 0;
}

/* Of a level's arrays, one holds the least pages: larger ones may go in as pieces
 * of them, but not the other way. */
static int
check_sizes(const struct layers *layers, const struct tlb_config *tlb)
{
	static const struct {
		enum core_array first, last;
	} levels[] = { { CORE_L1D, CORE_L1D_1G },
		       { CORE_L1I, CORE_L1I_1G },
		       { CORE_L2, CORE_L2_1G },
		       { CORE_L2I, CORE_L2I } };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		unsigned held = 0;
		char option[64];

		for (unsigned j = levels[i].first; j <= levels[i].last; j++)
			held |= tlb[j].entries ? (unsigned)tlb[j].sizes : 0;
		if (!tlb[levels[i].first].entries || held & 1)
			continue;
		snprintf(option, sizeof(option), "tlb.%s.sizes",
			 core_array_names[levels[i].first]);
		return wrong_option(layers, option,
				    "no array of this level holds pages of 4k; "
				    "allowed: 4k, 4k+2m, 4k+1g, 4k+2m+1g (or "
				    "entries = 0)");
	}
	return 0;
}

static int
check(const struct layers *layers, const struct machine_config *config)
{
	char part[64];
	int error = 0;

	for (unsigned i = 0; !error && i < CORE_ARRAYS; i++) {
		snprintf(part, sizeof(part), "tlb.%s", core_array_names[i]);
		error = check_tlb(layers, &config->core.tlb[i], part);
	}
	if (!error)
		error = check_sizes(layers, config->core.tlb);
	for (unsigned i = 0; !error && i < PWC_LEVELS; i++) {
		snprintf(part, sizeof(part), "pwc.%s", pwc_names[i]);
		error = check_tlb(layers, &config->core.pwc[i], part);
	}
	if (!error)
		error = check_tlb(layers, &config->core.walker.pwc.unified,
				  "pwc.unified");
	for (unsigned i = 0; !error && i < NESTED_ARRAYS; i++) {
		snprintf(part, sizeof(part), "table.nested.%s",
			 nested_names[i]);
		error = check_tlb(layers, &config->tables.nested_array[i],
				  part);
	}
	if (!error)
		error = check_caches(layers, &config->hierarchy);
	if (!error)
		error = check_frames(layers, &config->frames);
	if (!error)
		error = check_palette(layers, config);
	if (!error)
		error = check_huge(layers, config);
	if (!error)
		error = check_numa(layers, config);
	if (!error)
		error = check_table(layers, config);
	if (!error)
		error = check_reclaim(layers, config);
	if (!error)
		error = check_prefetch(layers, &config->core);
	if (!error)
		error = check_bound(layers, config);
	return error ? error : check_granule(layers, config);
}

int
machine_check(const struct machine_config *config)
{
	struct layers none = { NULL, NULL, NULL, NULL, NULL };

	return check(&none, config);
}

void
preset_names_free(char **names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
}

static int
by_name(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool
is_preset(const char *file)
{
	size_t length = strlen(file);

	return length > strlen(SUFFIX) && file[0] != '.' &&
	       !strcmp(file + length - strlen(SUFFIX), SUFFIX);
}

int
preset_names(char ***out, size_t *n)
{
	char path[PATH_MAX];
	struct dirent *entry;
	char **names = NULL, **grown;
	DIR *directory;

	*n = 0;
	presets_directory(path, sizeof(path));
	directory = opendir(path);
	if (!directory)
		return fail_errno(errno, "presets in %s", path);
	while ((entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);

		if (!is_preset(entry->d_name))
			continue;
		grown = reallocarray(names, *n + 1, sizeof(*names));
		if (grown)
			names = grown;
		if (!grown || !(names[*n] = strndup(entry->d_name,
						    length - strlen(SUFFIX)))) {
			preset_names_free(names, *n);
			closedir(directory);
			return fail(ENOMEM, "presets: no memory");
		}
		++*n;
	}
	closedir(directory);
	if (*n)
		qsort(names, *n, sizeof(*names), by_name);
	*out = names;
	return 0;
}

static int
unknown_preset(const char *cpu, const char *where)
{
	char **names = NULL;
	size_t n = 0;
	const char *nearest;
	int error = preset_names(&names, &n);

	if (error)
		return error;
	nearest = option_nearest(cpu, (const char *const *)names, n);
	error = fail(EUSAGE,
		     "%s: no such preset%s%s%s `pagescope config list` "
		     "names them",
		     where, nearest ? "; did you mean \"" : ";",
		     nearest ? nearest : "", nearest ? "\"?" : "");
	preset_names_free(names, n);
	return error;
}

static int
load_preset(struct machine_config *config, const struct machine_layers *layers,
	    char *path, size_t bytes)
{
	const char *cpu = layers->cpu;
	char where[320];
	size_t length;
	FILE *file;

	snprintf(where, sizeof(where), "--cpu %s", cpu);
	if (layers->where)
		snprintf(where, sizeof(where), "%s", layers->where);
	presets_directory(path, bytes);
	length = strlen(path);
	if (strchr(cpu, '/') ||
	    snprintf(path + length, bytes - length, "/%s" SUFFIX, cpu) >=
		    (int)(bytes - length))
		return unknown_preset(cpu, where);
	file = fopen(path, "re");
	if (!file)
		return unknown_preset(cpu, where);
	fclose(file);
	return config_load(&machine_options, config, path);
}

static int
assign_all(struct machine_config *config, char *const *sets, const char *where)
{
	int error = 0;

	for (size_t i = 0; !error && sets && sets[i]; i++)
		error = option_assign(&machine_options, config, where, sets[i]);
	return error == -EINVAL ? -EUSAGE : error;
}

int
machine_configure_layers(struct machine_config *config,
			 const struct machine_layers *from)
{
	struct layers layers = { NULL, from->path, from->sets, from->own,
				 from->where };
	char preset[PATH_MAX];
	int error = 0;

	if (from->cpu && strcmp(from->cpu, MACHINE_DEFAULT) != 0) {
		error = load_preset(config, from, preset, sizeof(preset));
		layers.preset = preset;
	}
	if (!error && from->path)
		error = config_load(&machine_options, config, from->path);
	if (!error)
		error = assign_all(config, from->sets, "--set");
	if (!error)
		error = assign_all(config, from->own, from->where);
	return error ? error : check(&layers, config);
}

int
machine_configure(struct machine_config *config, const char *cpu,
		  const char *path, char *const *sets)
{
	const struct machine_layers layers = { cpu, path, sets, NULL, NULL };

	return machine_configure_layers(config, &layers);
}
