/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several machines by one command line (--machine, once each):
 *
 *	[LABEL=]NAME[:OPTION=VALUE[,OPTION=VALUE]...]
 *
 *	zen4				  a preset
 *	mine/big.cfg			  a file: it has a slash or ends in .cfg
 *	zen4:pages.policy=2m,memory.seed=3 a preset, some options of it changed
 *	:pages.policy=2m		  the machine of --cpu and --config
 *	huge=zen4:pages.policy=2m	  the same, with a short name
 *
 * What --set says holds for all, below a machine's own options.  A comma
 * separates only where an option follows, so that values may hold commas.
 */
#ifndef MODELS_MACHINE_LIST_H
#define MODELS_MACHINE_LIST_H

#include "models/machine.h"

#define MACHINES_MAX RESULT_MACHINES_MAX

struct machine_choice {
	char *name; /* owned: the label, or else what was asked for */
	char *cpu;  /* owned: preset, file or MACHINE_DEFAULT */
	struct machine_config config;
};

struct machine_list {
	struct machine_choice *machine; /* owned */
	size_t n;
};

/* What the command line says for all of them; each may be NULL. */
struct machine_common {
	const char *cpu, *path;
	char *const *sets;
};

/*
 * Without specs (NULL or none) the one machine of `common`, named by its
 * preset.  0; -EUSAGE, -ENOENT, -EINVAL, -ENOMEM (said), and then the list is
 * empty.
 */
int machine_list_init(struct machine_list *list, char *const *specs,
		      const struct machine_common *common);
void machine_list_fini(struct machine_list *list);

#endif
