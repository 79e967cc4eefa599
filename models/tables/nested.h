/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration of tables of virtual machines, for those who compose an option
 * tree: nested (two tables, walked) and shadow (one, kept by the hypervisor). */
#ifndef MODELS_TABLES_NESTED_H
#define MODELS_TABLES_NESTED_H

#include "analyzer/option.h"
#include "models/translation/tlb.h"

struct table_ops;

enum nested_array {
	NESTED_TLB, /* guest's physical page -> host's */
	NESTED_PDE, /* walk caches of the host's levels 2 to 5 */
	NESTED_PDPTE,
	NESTED_PML4E,
	NESTED_PML5E,
	NESTED_ARRAYS,
};

/* "tlb", "pde", ...: table.nested.NAME, of tlb_config */
extern const char *const nested_names[NESTED_ARRAYS];
extern const struct option_row nested_tlb_rows[], nested_pde_rows[],
	nested_upper_rows[];

struct nested_config {
	char *guest, *host; /* owned: kinds */
	int host_pages;	    /* size code of all of the host's pages */
	/* what tables_resolve makes of the names; no rows */
	const struct table_ops *guest_ops, *host_ops;
};
extern const struct option_row nested_rows[];

struct shadow_config {
	char *guest, *shadow; /* owned: kinds */
	int64_t exit_cycles;
	const struct table_ops *guest_ops, *shadow_ops;
};
extern const struct option_row shadow_rows[];

#endif
