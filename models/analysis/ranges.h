/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped where, by space, from the events of a trace. */
#ifndef MODELS_ANALYSIS_RANGES_H
#define MODELS_ANALYSIS_RANGES_H

#include "analyzer/batch.h"

struct ranges;

/* 0 or -ENOMEM (unsaid) */
int ranges_open(struct ranges **out);
void ranges_close(struct ranges *ranges);

/* Maps, moves and forks are remembered.  0 or -ENOMEM (said) */
int ranges_follow(struct ranges *ranges, uint32_t space,
		  const struct event *event);

/* The file or name that is mapped there now, UINT32_MAX: anonymous or none */
uint32_t ranges_find(const struct ranges *ranges, uint32_t space,
		     uint64_t address);

#endif
