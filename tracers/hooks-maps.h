/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of a hooked process as its runtime tells them from time to
 * time, and the events that lead from one telling to the next.
 */
#ifndef TRACERS_HOOKS_MAPS_H
#define TRACERS_HOOKS_MAPS_H

#include "analyzer/batch.h"
#include "tracers/files.h"

struct hooks_area {
	uint64_t start, end;
	uint64_t offset; /* of start */
	uint32_t file;
	uint16_t flags;
};

struct hooks_areas {
	struct hooks_area *area; /* owned, ascending */
	size_t n, room;
};

struct hooks_changes {
	struct event *event; /* owned; positions are 0 */
	size_t n, room;
};

void hooks_areas_fini(struct hooks_areas *areas);
/* 0 or -ENOMEM (said); `to` is emptied before. */
int hooks_areas_copy(struct hooks_areas *to, const struct hooks_areas *from);

/*
 * The text of /proc/PID/maps (which is changed) becomes the state of `areas`.
 * What is new or changed goes to `before` (it must be known before accesses
 * told with the text), what is gone to `after`.  cut: the text is not whole.
 * 0 or a negative errno (said).
 */
int hooks_maps_tell(struct hooks_areas *areas, char *text, bool cut,
		    struct files *files, struct hooks_changes *before,
		    struct hooks_changes *after);

#endif
