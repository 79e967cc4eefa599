/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machines of a result, side by side.  A result of one machine is a list
 * of itself, so that who compares need not tell them apart.
 */
#ifndef REPORTS_MACHINES_H
#define REPORTS_MACHINES_H

#include "reports/view.h"

struct machines {
	size_t n;
	struct result **one; /* [n] owned, but the result itself */
	const char **name;   /* [n] borrowed of the results */
	bool alone;	     /* the result is that of one machine */
};

/* 0 or -ENOMEM (said). */
int machines_open(struct machines *machines, const struct result *result);
void machines_close(struct machines *machines);

/*
 * Documents with one table: the named one with a column "machine" in front,
 * or all values (table "values"; columns name, unit and one a machine).
 * -ENOENT (unsaid): no machine has such a table; -ENOMEM (said).
 */
int machines_table(struct result **out, const struct machines *machines,
		   const char *table);
int machines_values(struct result **out, const struct machines *machines);

/* "a, b, c" of the machines, as far as there is room */
void machines_list(const struct result *result, char *text, size_t bytes);
/* Replace the result, read from path, by that of the machine of this name,
 * whose document is then the only one.  0, -EUSAGE or -ENOMEM (said). */
int machines_choose(const char *path, struct result **result, const char *name);

#endif
