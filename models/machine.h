/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine: cores, caches, memory and the kernel part, composed from one
 * configuration.  It is a model (analyzer/model.h), registered as `machine`.
 *
 * Its options come in layers, each over the one before: the defaults, a preset
 * (--cpu NAME), a file (--config F), single options (--set a.b=c).
 */
#ifndef MODELS_MACHINE_H
#define MODELS_MACHINE_H

#include "analyzer/model.h"
#include "analyzer/option.h"
#include "models/analysis/bound.h"
#include "models/analysis/timing.h"
#include "models/analysis/who.h"
#include "models/memory/frames.h"
#include "models/memory/hierarchy.h"
#include "models/memory/numa.h"
#include "models/paging/paging.h"
#include "models/paging/reclaim-driver.h"
#include "models/tables/tables.h"
#include "models/translation/cores.h"

struct machine_config {
	char *about; /* owned: one line on what it stands for */
	int64_t seed;
	char *table_kind; /* owned: of the table registry */
	struct tables_config tables;
	struct cores_config cores;
	struct core_config core;
	struct hierarchy_config hierarchy;
	struct frames_config frames;
	struct paging_config paging;
	struct driver_config reclaim;
	struct numa_config numa;
	struct bound_config bound;
	struct timing_config timing;
};

extern const struct option_tree machine_options;
extern const struct model_ops machine_model;

/* Of an open machine that was not fed yet: explain its first n walks, in the
 * table walks.explained.  0 or -ENOMEM (said). */
int machine_explain(struct model *model, uint64_t n);

/* The same: tell who misses, walks and faults (who.h). */
int machine_who(struct model *model, const struct who_setup *setup);

/* The machine of the defaults alone, as results and --cpu name it */
#define MACHINE_DEFAULT "default"

/*
 * Lay cpu (a preset, MACHINE_DEFAULT or NULL), the file at path (or NULL) and the assignments
 * sets (NULL-ended, or NULL) over a config that option_init has filled, and
 * check the whole.  0, -EUSAGE (of cpu and sets), -ENOENT, -EINVAL (of files),
 * -ENOMEM, said with file and line.
 */
int machine_configure(struct machine_config *config, const char *cpu,
		      const char *path, char *const *sets);

/* The same with names for messages, and with a layer above all others. */
struct machine_layers {
	const char *cpu, *path; /* or NULL */
	char *const *sets;	/* or NULL */
	const char *where;	/* "--machine zen4:...": says cpu and own */
	char *const *own;	/* assignments, or NULL */
};
int machine_configure_layers(struct machine_config *config,
			     const struct machine_layers *layers);

/* Is the whole a machine that can be built?  The same checks, in words that
 * name no file.  0 or -EINVAL (said). */
int machine_check(const struct machine_config *config);

/* Of the cache that memory.colour-cache names; 0: it has none. */
uint64_t machine_colours(const struct machine_config *config);

/* Names of all presets, sorted: *names is to be freed with its strings by
 * preset_names_free.  0, -ENOENT (said: where it looked), -ENOMEM. */
int preset_names(char ***names, size_t *n);
void preset_names_free(char **names, size_t n);

#endif
