// SPDX-License-Identifier: GPL-2.0-or-later
/* LRU insertion: what is not used twice never pushes out what is. */
#include "models/translation/insertion.h"

const struct replacement_ops lip_replacement = {
	.name = "lip",
	.help = "as lru, but fills go in as the least recently used",
	.counts_hits = true,
	.victim = insertion_victim,
};
