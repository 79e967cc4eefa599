/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that are added up by their names: what a table of who-tables.h is made
 * of.
 */
#ifndef REPORTS_WHO_GROUPS_H
#define REPORTS_WHO_GROUPS_H

#include "reports/who-tables.h"

#define WHO_NAMES_MAX 6

struct who_group {
	char *name[WHO_NAMES_MAX]; /* owned; NULL: null */
	uint64_t count[WHO_COLUMNS], inclusive[WHO_COLUMNS];
	uint64_t more[2]; /* of the names, not added up */
	size_t row;	  /* whose inclusive counts were added last, plus 1 */
};

struct who_groups {
	struct who_group *group; /* owned */
	size_t n, room;
	json_t *index; /* owned: names -> number */
	size_t names;  /* of each group */
};

/* 0 or -ENOMEM (unsaid), as all that return an int. */
int who_groups_init(struct who_groups *groups, size_t names);
void who_groups_fini(struct who_groups *groups);
/* The group of these names; NULL: no memory.  Good until the next one. */
struct who_group *who_groups_get(struct who_groups *groups,
				 const char *const *names);
/* By cycles, walks, misses, faults and names; inclusive ones if asked to. */
void who_groups_sort(struct who_groups *groups, bool inclusive);

#endif
